//! What a vault's answers mean, and the bodies of requests to it.
//! Pure: bytes in, values out; no text of a secret gets into an error.
//!
//! Sources: the reference of the Key Vault REST API 7.4 (`SecretBundle`, `DeletedSecretBundle`); errors as
//! others met them: Azure/azure-sdk-for-js#25489, Azure/azure-sdk-for-net#31581,
//! external-secrets/external-secrets#3519, hashicorp/terraform-provider-azurerm#12285,
//! Azure/azure-powershell#14740, Azure-Samples/azuresandbox#429.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::http::{Again, Answer, excerpt, is_page};
use crate::model::{AzureKeyVaultPlace, Mrn, StoredCredential};
use crate::ports::{Effect, Found, SinkError, SinkErrorKind};
use crate::sinks::content;
use crate::sinks::remote;

/// What a secret holds that holds no key: a name whose secret is deleted is blocked for days.
pub(super) const NOTHING: &str = "{}";
/// The header of a challenge.
pub(super) const CHALLENGE: &str = "www-authenticate";

/// What may be the matter with a secret that is neither there nor free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// In the bin.
    Deleted,
    /// On its way out of it.
    Recovering,
}

/// Whether an answer asks for the request to be sent again.
pub(super) fn again(answer: &Answer) -> Again {
    remote::usual(answer)
}

/// The newest version of a secret.
pub(super) struct Seen {
    /// The version's name.
    pub(super) version: String,
    value: Zeroizing<String>,
    /// What a new version takes over of it, as members of JSON.
    besides: String,
    /// When it expires, by its own words, in seconds since 1970.
    pub(super) expires: Option<i64>,
    /// Whether a certificate keeps its key there.
    managed: bool,
}

#[derive(Deserialize)]
struct Bundle<'a> {
    id: String,
    #[serde(default, deserialize_with = "value")]
    value: Option<Zeroizing<String>>,
    #[serde(borrow, default, rename = "contentType")]
    content_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tags: Option<&'a RawValue>,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    managed: Option<bool>,
}

#[derive(Default, Deserialize)]
struct Attributes {
    enabled: Option<bool>,
    nbf: Option<i64>,
    exp: Option<i64>,
}

fn value<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    Ok(text.map(Zeroizing::new))
}

/// The version that an `id` ends with: `https://acme.vault.azure.net/secrets/NAME/VERSION`.
fn version_of(id: &str, place: &AzureKeyVaultPlace) -> Option<String> {
    let (_, path) = id.split_once("/secrets/")?;
    let (name, version) = path.split_once('/')?;
    let plain = version.bytes().all(|b| b.is_ascii_alphanumeric());
    let fits = name.eq_ignore_ascii_case(&place.name) && (1..=64).contains(&version.len());
    (fits && plain).then(|| version.to_owned())
}

impl Seen {
    /// Reads a `SecretBundle`.
    pub(super) fn read(body: &[u8], place: &AzureKeyVaultPlace) -> Result<Self, SinkError> {
        let strange = || {
            malformed(
                "the answer is no secret of that name; is the sink's vault that of a key vault?",
            )
        };
        let Bundle {
            id,
            value,
            content_type,
            tags,
            attributes,
            managed,
        } = serde_json::from_slice(body).map_err(|_| strange())?;
        let version = version_of(&id, place).ok_or_else(strange)?;
        let value = value.ok_or_else(strange)?;
        let Attributes { enabled, nbf, exp } = attributes;
        let mut besides = String::new();
        for (name, raw) in [("contentType", content_type), ("tags", tags)] {
            if let Some(raw) = raw {
                besides.push_str(&format!(",\"{name}\":{}", raw.get()));
            }
        }
        let mut kept = Vec::new();
        kept.extend(enabled.map(|flag| format!("\"enabled\":{flag}")));
        kept.extend(nbf.map(|time| format!("\"nbf\":{time}")));
        kept.extend(exp.map(|time| format!("\"exp\":{time}")));
        if !kept.is_empty() {
            besides.push_str(&format!(",\"attributes\":{{{}}}", kept.join(",")));
        }
        Ok(Self {
            version,
            value,
            besides,
            expires: exp,
            managed: managed == Some(true),
        })
    }

    /// What it holds.
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// Whether it holds no key, by our own words.
    pub(super) fn is_empty(&self) -> bool {
        self.value() == NOTHING
    }

    /// What is found where it is.
    pub(super) fn found(&self) -> Found {
        if self.is_empty() {
            return Found::Nobody;
        }
        match content::holder(self.value.as_bytes()) {
            Some((account, endpoint)) => Found::Account { account, endpoint },
            None => Found::Foreign {
                what: "the secret holds something that is not a credential; move it away, or name \
                       another secret"
                    .to_owned(),
            },
        }
    }

    /// Whether it holds the credential of an account.
    pub(super) fn is_of(&self, wanted: &Mrn) -> bool {
        matches!(self.found(), Found::Account { account, .. } if account == *wanted)
    }

    /// Refuses a secret that something else than its readers relies on.
    pub(super) fn may_be_written(&self) -> Result<(), SinkError> {
        match self.managed {
            false => Ok(()),
            true => Err(refuse(
                SinkErrorKind::Unfit,
                "the secret is that of a certificate, which the vault writes itself".to_owned(),
                "name another secret",
            )),
        }
    }
}

/// The body of a write: the value alone is new.
pub(super) fn body(there: Option<&Seen>, value: &str) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    let besides = there.map_or("", |there| there.besides.as_str());
    // Roomy, so that it does not leave copies behind while it grows.
    let mut body = Zeroizing::new(Vec::with_capacity(64 + 6 * value.len() + besides.len()));
    body.extend_from_slice(b"{\"value\":");
    serde_json::to_writer(&mut *body, value).map_err(|_| malformed("the credential is no text"))?;
    body.extend_from_slice(besides.as_bytes());
    body.push(b'}');
    Ok(body)
}

/// In the form that a probe keeps.
pub(super) fn kept(body: &[u8]) -> Arc<StoredCredential> {
    Arc::new(StoredCredential::new(body.to_vec()))
}

/// A challenge, as far as it is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// What a token has to be for: `https://vault.azure.net`.
    pub(super) resource: String,
    /// The directory that the vault belongs to, where it says so. Told to people, and never followed.
    pub(super) tenant: Option<String>,
}

/// Reads `Bearer authorization="https://HOST/TENANT", resource="https://vault.azure.net"`; newer ones say
/// `scope` with `/.default` behind it.
pub(super) fn challenge(text: &str) -> Option<Challenge> {
    let (scheme, rest) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let value = |wanted: &str| {
        rest.split([',', ' '])
            .filter_map(|part| part.trim().split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim_matches('"'))
    };
    let resource = value("resource").or_else(|| value("scope"))?;
    let resource = resource.strip_suffix("/.default").unwrap_or(resource);
    let resource = resource.strip_suffix('/').unwrap_or(resource);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let tenant = value("authorization").or_else(|| value("authorization_uri"));
    let tenant = tenant.and_then(|uri| uri.trim_end_matches('/').rsplit('/').next());
    let tenant = tenant.filter(|text| (1..=64).contains(&text.len()) && text.bytes().all(plain));
    Some(Challenge {
        resource: resource.to_ascii_lowercase(),
        tenant: tenant.map(str::to_owned),
    })
}

#[derive(Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    error: Told,
}

#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    innererror: Option<Inner>,
}

#[derive(Default, Deserialize)]
struct Inner {
    #[serde(default)]
    code: String,
}

fn told(answer: &Answer) -> Told {
    let envelope: Envelope = serde_json::from_slice(&answer.body).unwrap_or_default();
    envelope.error
}

/// The most exact code that an answer has.
fn code(told: &Told) -> &str {
    match &told.innererror {
        Some(Inner { code }) if !code.is_empty() => code,
        _ => &told.code,
    }
}

/// Whether an answer says that a secret is not there.
pub(super) fn is_absent(answer: &Answer) -> bool {
    answer.status == 404 && told(answer).code == "SecretNotFound"
}

/// What an answer says of a secret that cannot be written as it is.
pub(super) fn state(answer: &Answer) -> Option<State> {
    let told = told(answer);
    match (answer.status, code(&told)) {
        (409, "ObjectIsDeletedButRecoverable" | "ObjectIsBeingDeleted") => Some(State::Deleted),
        (409, "ObjectIsBeingRecovered") => Some(State::Recovering),
        _ => None,
    }
}

/// That a name is in the bin.
pub(super) fn in_the_bin(place: &AzureKeyVaultPlace) -> SinkError {
    refuse(
        SinkErrorKind::Unfit,
        "the secret is deleted and recoverable, and its name takes no key until it is recovered or purged"
            .to_owned(),
        &format!(
            "`az keyvault secret recover --id {}/deletedsecrets/{}` brings it back with what it held, or \
             name another secret",
            place.vault, place.name
        ),
    )
}

/// That a name is on its way out of the bin, and was for longer than is waited.
pub(super) fn still_recovering() -> SinkError {
    refuse(
        SinkErrorKind::Unavailable,
        "the secret is being recovered, and that takes longer than rolecall waits".to_owned(),
        "run again when it is there",
    )
}

/// An error before anything was written.
pub(super) fn refuse(kind: SinkErrorKind, message: String, help: &str) -> SinkError {
    SinkError {
        kind,
        effect: Effect::None,
        message,
        help: Some(help.to_owned()),
    }
}

/// An answer that is none.
pub(super) fn malformed(why: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: why.to_owned(),
        help: None,
    }
}

/// That what is there is not what the probe saw.
pub(super) fn moved() -> SinkError {
    refuse(
        SinkErrorKind::Moved,
        "the secret has another current version than the one that was looked at".to_owned(),
        "look who writes there, and run again",
    )
}

/// Whom and what an answer refused.
pub(super) struct Asked<'a> {
    pub(super) token: &'a str,
    /// What was sent as a value.
    pub(super) value: &'a str,
    pub(super) tenant: Option<&'a str>,
    /// The right that it takes, by the names of Azure's roles and of access policies.
    pub(super) right: (&'static str, &'static str),
    pub(super) writes: bool,
}

/// An answer that refuses, in the words of who must mend it.
pub(super) fn refused(answer: &Answer, asked: &Asked<'_>) -> SinkError {
    let Asked {
        token,
        value,
        tenant,
        right: (action, permission),
        writes,
    } = *asked;
    let status = answer.status;
    let (kind, effect) = remote::kind_of(status, writes);
    let error = |kind, message: String, help: &str| SinkError {
        kind,
        effect,
        message,
        help: Some(help.to_owned()),
    };
    if is_page(&answer.body) && matches!(status, 400..=499) {
        return error(
            SinkErrorKind::Malformed,
            format!("the answer is a web page and not a vault's (HTTP {status})"),
            "check the sink's vault, and whether a proxy answers in its place",
        );
    }
    let told = told(answer);
    let code = code(&told);
    let line = told.message.lines().next().unwrap_or_default();
    let shown: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(64)
        .collect();
    let words = match (shown.is_empty(), line.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!(", {shown}"),
        (false, false) => {
            let line = crate::http::without_token(line, value);
            format!(", {shown}: {}", excerpt(&line, token))
        }
    };
    match (status, code) {
        (401, _) => {
            let of = tenant.map(|tenant| format!("; the vault belongs to the directory {tenant}"));
            error(
                kind,
                format!(
                    "the vault does not take the login (HTTP 401{words}){}",
                    of.unwrap_or_default()
                ),
                "log in to that directory: AZURE_TENANT_ID names it",
            )
        }
        (403, "ForbiddenByRbac") => error(
            kind,
            format!("the roles of the login do not allow {action} (HTTP 403, ForbiddenByRbac)"),
            "give it a role with that right on the vault or the secret; a role that was given just now \
             takes up to ten minutes, so run again then",
        ),
        (403, "ForbiddenByPolicy" | "AccessDenied") => error(
            kind,
            format!(
                "the vault's access policies do not allow the login to {permission} secrets (HTTP 403, \
                 {shown})"
            ),
            "give it that permission: `az keyvault set-policy --secret-permissions get set`",
        ),
        (403, "ForbiddenByFirewall" | "ForbiddenByConnection") => error(
            kind,
            format!("the vault's firewall does not let this machine in (HTTP 403, {shown})"),
            "allow the machine's address or network in the vault's networking, or run where it is \
             allowed; the login's rights are another matter",
        ),
        (403, "SecretDisabled") => error(
            SinkErrorKind::Unfit,
            "the secret's current version is disabled, so that nobody can read it".to_owned(),
            "enable it (`az keyvault secret set-attributes --enabled true`), or name another secret",
        ),
        (403, _) => error(
            kind,
            format!("the vault does not allow it (HTTP 403{words})"),
            "the login needs the right to get and set secrets (rolecall docs sink-azure_key_vault)",
        ),
        (300..=399, _) => error(
            kind,
            format!("the vault answers with a redirect, which is not followed (HTTP {status})"),
            "name the vault itself as the sink's vault",
        ),
        (413, _) => error(
            SinkErrorKind::Full,
            "the vault takes no secret that large".to_owned(),
            "deliver it elsewhere",
        ),
        (429, _) => error(
            kind,
            format!("the vault takes no more requests for now (HTTP 429{words})"),
            "run again later",
        ),
        (500..=599, _) => error(
            kind,
            format!("the vault failed (HTTP {status}{words})"),
            "run again later",
        ),
        (404, _) => error(
            kind,
            format!("there is no such vault, or the address is not a vault's (HTTP 404{words})"),
            "check the sink's vault",
        ),
        _ => error(
            SinkErrorKind::Unfit,
            format!("the vault does not take the request (HTTP {status}{words})"),
            "check the sink's vault and name",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_for_its_resource_and_the_directory_it_names() {
        let found = |text: &str| challenge(text).map(|one| (one.resource, one.tenant));
        let vault = "https://vault.azure.net".to_owned();
        assert_eq!(
            found(
                "Bearer authorization=\"https://login.windows.net/16b3-c0\", resource=\"https://vault.azure.net\""
            ),
            Some((vault.clone(), Some("16b3-c0".to_owned())))
        );
        assert_eq!(
            found(
                "Bearer authorization_uri=\"https://evil.example/a%0ab\", scope=\"https://Vault.azure.net/.default\""
            ),
            Some((vault, None))
        );
        for none in ["", "Bearer", "Basic resource=\"x\"", "Bearer error=\"x\""] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
