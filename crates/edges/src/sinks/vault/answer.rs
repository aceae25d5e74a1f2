//! What Vault's answers mean, and the bodies of requests to it.
//! Pure: bytes in, values out; no text of a secret gets into an error.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::credential_file;
use crate::http::{Again, Answer, WITHHELD, excerpt, is_page, repeats};
use crate::model::{IssuedCredential, Mrn, StoredCredential, VaultPlace};
use crate::ports::{Effect, Found, SinkError, SinkErrorKind};
use crate::sinks::remote;

use std::sync::Arc;

/// By which a standby knows what it must have heard of. Source: Vault's documentation of consistency.
pub(super) const INDEX: &str = "x-vault-index";
/// The keys of custom metadata that are ours. Source: at most 64 keys of 128 bytes, values of 512.
const ACCOUNT: &str = "rolecall_account";
const FINGERPRINT: &str = "rolecall_fingerprint";

/// Whether an answer asks for the request to be sent again: 412 is a standby that has not heard of what
/// was written before.
pub(super) fn again(answer: &Answer) -> Again {
    match answer.status {
        412 => Again::Always,
        _ => remote::usual(answer),
    }
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// A secret as it was read: its newest version.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The newest version; `None` if there never was one.
    pub(super) version: Option<u64>,
    /// Its fields as JSON; nothing where it was deleted.
    data: Option<Zeroizing<String>>,
    /// What is noted beside it.
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    errors: Vec<String>,
}

#[derive(Deserialize)]
struct Versioned<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
    custom_metadata: Option<BTreeMap<String, String>>,
}

impl Seen {
    /// Reads the answer to a read.
    pub(super) fn read(
        answer: &Answer,
        place: &VaultPlace,
        token: &str,
    ) -> Result<Self, SinkError> {
        if !matches!(answer.status, 200 | 404) {
            return Err(refused(answer, place, token, false));
        }
        let envelope: Envelope<'_> = serde_json::from_slice(&answer.body)
            .map_err(|_| malformed("the answer is not Vault's; is the address that of Vault?"))?;
        let Some(data) = envelope.data.filter(|data| data.get() != "null") else {
            return match (answer.status, envelope.errors.as_slice()) {
                // Nothing was ever there.
                (404, []) => Ok(Self::default()),
                (404, _) => Err(refused(answer, place, token, false)),
                _ => Err(of_version_1(place)),
            };
        };
        let Ok(versioned) = serde_json::from_str::<Versioned<'_>>(data.get()) else {
            return Err(of_version_1(place));
        };
        let data = versioned.data.map(RawValue::get);
        Ok(Self {
            version: Some(versioned.metadata.version),
            data: data
                .filter(|data| *data != "null")
                .map(|data| Zeroizing::new(data.to_owned())),
            metadata: versioned.metadata.custom_metadata.unwrap_or_default(),
        })
    }

    fn fields(&self) -> Result<Fields<'_>, SinkError> {
        parsed(self.data.as_ref().map_or("{}", |data| data.as_str()))
    }

    /// The text of a field, if it is one.
    pub(super) fn field(&self, name: &str) -> Option<Zeroizing<String>> {
        let fields = self.fields().ok()?;
        text(fields.get(name)?)
    }

    /// The version in which a field holds the key of this account; `None` if it does not.
    pub(super) fn holds(&self, name: &str, account: &Mrn) -> Option<u64> {
        let held = self.field(name)?;
        let (holder, _) = credential_file::holder(held.as_bytes())?;
        self.version.filter(|_| holder == account.as_str())
    }

    /// What a field holds.
    pub(super) fn found(&self, name: &str) -> Result<Found, SinkError> {
        let fields = self.fields()?;
        let Some(value) = fields.get(name) else {
            return Ok(Found::Nobody);
        };
        let holder = text(value).and_then(|text| credential_file::holder(text.as_bytes()));
        Ok(match holder {
            Some((account, endpoint)) => Found::Account {
                account: Mrn::new(account),
                endpoint,
            },
            None => Found::Foreign {
                what: format!(
                    "the field {name} holds something that is not a credential; move it away, or \
                     name another field"
                ),
            },
        })
    }

    /// How many bytes the fields besides this one have.
    pub(super) fn beside(&self, name: &str) -> Result<usize, SinkError> {
        beside(self.data.as_ref().map_or("{}", |data| data.as_str()), name)
    }

    /// All fields, as they were read.
    pub(super) fn into_read(self) -> Option<Arc<StoredCredential>> {
        let data = self.data?;
        Some(Arc::new(StoredCredential::new(data.as_bytes().to_vec())))
    }

    /// Whether a field holds what it held in `former`, nothing included.
    pub(super) fn holds_as_in(&self, name: &str, former: &str) -> Result<bool, SinkError> {
        let (fields, former) = (self.fields()?, parsed(former)?);
        let raw = |fields: &Fields<'_>| fields.get(name).map(|value| value.get().to_owned());
        // What a field held is a key, also where that is of no use any more.
        let (one, other) = (
            raw(&fields).map(Zeroizing::new),
            raw(&former).map(Zeroizing::new),
        );
        Ok(one == other)
    }

    /// The fields with one that holds a text.
    pub(super) fn with_field(
        &self,
        name: &str,
        value: &str,
    ) -> Result<Zeroizing<String>, SinkError> {
        let fields = self.data.as_ref().map_or("{}", |data| data.as_str());
        with_field(fields, name, value)
    }

    /// The fields with one of them as it was in `former`, or without it; `None` if none is left then.
    pub(super) fn with_former(
        &self,
        name: &str,
        former: &str,
    ) -> Result<Option<Zeroizing<String>>, SinkError> {
        let (mut fields, former) = (self.fields()?, parsed(former)?);
        match former.get(name) {
            Some(value) => fields.insert(name.to_owned(), value),
            None => fields.remove(name),
        };
        Ok((!fields.is_empty()).then(|| object(&fields)))
    }

    /// The custom metadata that says whose key is here; what others noted stays. Source: a request
    /// replaces the whole map.
    pub(super) fn custom_metadata_of(&self, credential: &IssuedCredential) -> Zeroizing<Vec<u8>> {
        let mut all = self.metadata.clone();
        all.insert(ACCOUNT.to_owned(), credential.mrn.to_string());
        all.insert(FINGERPRINT.to_owned(), credential.fingerprint.to_string());
        Zeroizing::new(
            serde_json::json!({ "custom_metadata": all })
                .to_string()
                .into_bytes(),
        )
    }
}

fn text(value: &RawValue) -> Option<Zeroizing<String>> {
    serde_json::from_str(value.get()).ok().map(Zeroizing::new)
}

fn parsed(json: &str) -> Result<Fields<'_>, SinkError> {
    serde_json::from_str(json).map_err(|_| malformed("the secret is no map of fields"))
}

/// A map of fields as JSON, each value byte for byte as it was.
fn object(fields: &Fields<'_>) -> Zeroizing<String> {
    let most: usize = fields
        .iter()
        .map(|(name, value)| 6 * name.len() + value.get().len() + 8)
        .sum();
    let mut out = Zeroizing::new(String::with_capacity(most + 2));
    out.push('{');
    for (n, (name, value)) in fields.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str(&serde_json::Value::from(name.as_str()).to_string());
        out.push(':');
        out.push_str(value.get());
    }
    out.push('}');
    out
}

/// How many bytes the fields besides this one have, as JSON.
pub(super) fn beside(fields: &str, name: &str) -> Result<usize, SinkError> {
    let mut fields = parsed(fields)?;
    fields.remove(name);
    Ok(object(&fields).len())
}

/// The fields with one that holds a text.
pub(super) fn with_field(
    fields: &str,
    name: &str,
    value: &str,
) -> Result<Zeroizing<String>, SinkError> {
    let mut quoted = Zeroizing::new(Vec::with_capacity(6 * value.len() + 2));
    serde_json::to_writer(&mut *quoted, value).map_err(|_| malformed("it is no text"))?;
    let raw: &RawValue = serde_json::from_slice(&quoted).map_err(|_| malformed("it is no text"))?;
    let mut fields = parsed(fields)?;
    fields.insert(name.to_owned(), raw);
    Ok(object(&fields))
}

/// The body of a write that is bound to a version; 0 where there never was one.
pub(super) fn versioned(cas: u64, data: &str) -> Zeroizing<Vec<u8>> {
    let mut body = Zeroizing::new(Vec::with_capacity(data.len() + 64));
    body.extend_from_slice(format!("{{\"options\":{{\"cas\":{cas}}},\"data\":").as_bytes());
    body.extend_from_slice(data.as_bytes());
    body.push(b'}');
    body
}

/// The body that names one version.
pub(super) fn versions(version: u64) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(format!("{{\"versions\":[{version}]}}").into_bytes())
}

/// The answer to a write.
pub(super) struct Written {
    /// The version that it made.
    pub(super) version: u64,
}

impl Written {
    /// Reads the answer to a write.
    pub(super) fn read(
        answer: &Answer,
        place: &VaultPlace,
        token: &str,
    ) -> Result<Self, SinkError> {
        #[derive(Deserialize)]
        struct Made {
            data: Version,
        }
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        if answer.status != 200 {
            return Err(refused(answer, place, token, true));
        }
        serde_json::from_slice::<Made>(&answer.body)
            .map(|made| Self {
                version: made.data.version,
            })
            .map_err(|_| SinkError {
                effect: Effect::Unknown,
                ..malformed("the answer to the write does not name a version")
            })
    }
}

/// Reads the answer to a write of nothing, which the engine of version 2 refuses in its own words.
/// Source: `no data provided` in `path_data.go`; `missing data fields` in version 1's `backend.go`.
pub(super) fn engine(answer: &Answer, place: &VaultPlace, token: &str) -> Result<(), SinkError> {
    let said = errors(&answer.body).join("; ");
    match answer.status {
        400 if said.contains("no data provided") => Ok(()),
        400 if said.contains("missing data fields") => Err(of_version_1(place)),
        _ => Err(refused(answer, place, token, false)),
    }
}

/// Reads the answer to a change of metadata.
pub(super) fn metadata(answer: &Answer, place: &VaultPlace, token: &str) -> Result<(), SinkError> {
    match answer.status {
        200 | 204 => Ok(()),
        _ => Err(refused(answer, place, token, true)),
    }
}

/// Reads the answer to a deletion.
pub(super) fn deleted(answer: &Answer, place: &VaultPlace, token: &str) -> Result<(), SinkError> {
    metadata(answer, place, token)
}

/// What an answer that refuses says.
pub(super) fn said(answer: &Answer) -> String {
    errors(&answer.body).join("; ")
}

fn errors(body: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Errors {
        #[serde(default)]
        errors: Vec<String>,
    }
    serde_json::from_slice::<Errors>(body).map_or_else(|_| Vec::new(), |said| said.errors)
}

fn of_version_1(place: &VaultPlace) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Unfit,
        effect: Effect::None,
        message: format!(
            "the engine at {} is of version 1, which keeps no versions",
            place.mount
        ),
        help: Some("name the mount of a key-value engine of version 2".to_owned()),
    }
}

/// What is not as Vault answers.
pub(super) fn malformed(why: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: why.to_owned(),
        help: None,
    }
}

/// An answer that refuses, without its words where they repeat something of what was sent: a server, or what
/// stands before it, that shows the request shows what the secret holds.
pub(super) fn without(answer: Answer, sent: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Sent<'a> {
        #[serde(borrow)]
        data: Fields<'a>,
    }
    let said = errors(&answer.body).join("; ");
    let fields =
        serde_json::from_slice::<Sent<'_>>(sent).map_or_else(|_| Fields::new(), |it| it.data);
    let mut values = fields.values().filter_map(|value| text(value));
    let told = |part: &[u8]| repeats(said.as_bytes(), part);
    if !told(sent) && !values.any(|value| told(value.as_bytes())) {
        return answer;
    }
    let body = format!("{{\"errors\":[\"{WITHHELD}\"]}}").into_bytes();
    Answer {
        body: body.into(),
        ..answer
    }
}

/// An answer that refuses, in the words of who must mend it.
pub(super) fn refused(answer: &Answer, place: &VaultPlace, token: &str, writes: bool) -> SinkError {
    let said = errors(&answer.body).join("; ");
    let words = match said.is_empty() {
        true => String::new(),
        false => format!(": {}", excerpt(&said, token)),
    };
    let namespace = match place.namespace.as_str() {
        "" => "the root namespace".to_owned(),
        namespace => format!("the namespace {namespace}"),
    };
    let (kind, effect) = remote::kind_of(answer.status, writes);
    let error = |kind, message: String, help: Option<String>| SinkError {
        kind,
        effect,
        message,
        help,
    };
    let status = answer.status;
    if is_page(&answer.body) && matches!(status, 400..=499) {
        let message = format!("the answer is a web page and not Vault's (HTTP {status})");
        let help = "check the sink's address, and whether a proxy answers in its place";
        return error(SinkErrorKind::Malformed, message, Some(help.to_owned()));
    }
    match status {
        400 if said.contains("check-and-set parameter did not match") => error(
            SinkErrorKind::Moved,
            "the secret was written since it was looked at".to_owned(),
            Some("run again".to_owned()),
        ),
        403 => error(
            kind,
            format!("Vault does not allow it in {namespace} (HTTP 403{words})"),
            Some(format!(
                "the policy of the login needs read, create and update on {}/data/{} there; a token \
                 that has expired is refused in the same way",
                place.mount, place.path
            )),
        ),
        404 if said.contains("no handler for route") => error(
            kind,
            format!("no engine is mounted at {} in {namespace}", place.mount),
            Some("correct the mount of the sink, or its namespace".to_owned()),
        ),
        301 | 302 | 307 | 308 => {
            let to = answer.redirect_to.as_deref().unwrap_or("another server");
            error(
                kind,
                format!(
                    "this server is a standby and sends requests on to {}, where the login is not sent",
                    excerpt(to, token)
                ),
                Some("name the active server as the sink's address".to_owned()),
            )
        }
        413 => error(
            SinkErrorKind::Full,
            "Vault takes no secret that large".to_owned(),
            None,
        ),
        429 | 500..=599 => failing(answer, token, writes),
        _ => error(
            match kind {
                SinkErrorKind::Malformed | SinkErrorKind::Moved => SinkErrorKind::Unfit,
                kind => kind,
            },
            format!("Vault does not take the request (HTTP {status}{words})"),
            None,
        ),
    }
}

/// An answer of a server that is not at work, whatever it was asked.
pub(super) fn failing(answer: &Answer, token: &str, writes: bool) -> SinkError {
    let (kind, effect) = remote::kind_of(answer.status, writes);
    let (status, said) = (answer.status, said(answer));
    let words = match said.is_empty() {
        true => String::new(),
        false => format!(": {}", excerpt(&said, token)),
    };
    let (message, help) = match status {
        429 => ("Vault takes no more requests for now", "run again later"),
        503 if said.contains("sealed") => ("Vault is sealed", "unseal it"),
        _ => ("Vault failed", "run again later"),
    };
    SinkError {
        kind,
        effect,
        message: format!("{message} (HTTP {status}{words})"),
        help: Some(help.to_owned()),
    }
}
