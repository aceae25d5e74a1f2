//! What the answers of Secret Manager mean, and the bodies of requests to it.
//! Pure: bytes in, values out; no text of a secret gets into an error.
//!
//! Source: Google's discovery document of the API, `secretmanager` v1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::http::{Again, Answer, WITHHELD, excerpt, is_page, repeats};
use crate::model::GcpPlace;
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::remote;

/// Whether an answer asks for the request to be sent again: what was aborted was not done.
pub(super) fn again(answer: &Answer) -> Again {
    match answer.status {
        409 if said(&answer.body).status == "ABORTED" => Again::Always,
        _ => remote::usual(answer),
    }
}

/// A secret without its versions, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Secret {
    name: String,
    expire_time: Option<Timestamp>,
    rotation: Option<serde::de::IgnoredAny>,
    secret_type: Option<String>,
}

impl Secret {
    /// Reads the answer about a secret.
    pub(super) fn read(answer: &Answer, asked: &Asked<'_>) -> Result<Self, SinkError> {
        if answer.status != 200 {
            return Err(refused(answer, asked));
        }
        let secret: Self = serde_json::from_slice(&answer.body).map_err(|_| {
            malformed("the answer is not Secret Manager's; is the address its own?")
        })?;
        let name = secret.name.rsplit('/').next().unwrap_or_default();
        match name == asked.place.name {
            true => Ok(secret),
            false => Err(malformed("the answer is of another secret")),
        }
    }

    /// Whether it takes a key and keeps it.
    pub(super) fn is_fit(&self, place: &GcpPlace) -> Result<(), SinkError> {
        let unfit = |message: &str, help: String| Err(refuse(message, &help));
        if self.rotation.is_some() {
            return unfit(
                "the secret has a rotation schedule, by which something else writes to it",
                format!(
                    "take it away (gcloud secrets update {} --remove-rotation-schedule{}), or name \
                     another secret",
                    place.name,
                    flags(place)
                ),
            );
        }
        let kind = self.secret_type.as_deref();
        if let Some(kind) =
            kind.filter(|kind| !matches!(*kind, "SECRET_TYPE_UNSPECIFIED" | "OTHER"))
        {
            return unfit(
                &format!(
                    "the secret is of the type {}, which takes other values than a key",
                    excerpt(kind, "")
                ),
                "name a secret without a type".to_owned(),
            );
        }
        Ok(())
    }

    /// When Google deletes it with all that it holds, where it does.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        self.expire_time
    }
}

/// What gcloud wants to know of a secret besides its name.
fn flags(place: &GcpPlace) -> String {
    match place.location.as_str() {
        "" => format!(" --project={}", place.project),
        location => format!(" --location={location} --project={}", place.project),
    }
}

/// A version of a secret.
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) state: State,
}

/// Whether a version can be read.
pub(super) enum State {
    /// It can: what it holds.
    Enabled(Zeroizing<Vec<u8>>),
    /// It cannot, until somebody enables it again.
    Disabled,
    /// Nothing is left of it.
    Destroyed,
}

impl Version {
    /// What it holds, if it can be read.
    pub(super) fn value(&self) -> Option<&[u8]> {
        match &self.state {
            State::Enabled(bytes) => Some(bytes),
            State::Disabled | State::Destroyed => None,
        }
    }
}

/// The number of a version of the secret that was asked for.
fn number(name: &str, place: &GcpPlace) -> Result<u64, SinkError> {
    // The project stands there by its number.
    let (secret, number) = name.rsplit_once("/versions/").unwrap_or_default();
    let of = secret.rsplit('/').next().unwrap_or_default();
    match number.parse() {
        Ok(number) if of == place.name => Ok(number),
        _ => Err(malformed(
            "the answer is of another secret, or of no version",
        )),
    }
}

/// What came of asking for what a version holds.
pub(super) enum Accessed {
    There(Version),
    /// There is no such version.
    Absent,
    /// It cannot be read as it is, in Google's words.
    Closed(String),
}

impl Accessed {
    /// Reads the answer.
    pub(super) fn read(answer: &Answer, asked: &Asked<'_>) -> Result<Self, SinkError> {
        #[derive(Deserialize)]
        struct Access {
            name: String,
            payload: Payload,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload {
            #[serde(default, deserialize_with = "crate::secret::zeroizing")]
            data: Zeroizing<String>,
            data_crc32c: Option<String>,
        }
        match answer.status {
            200 => {}
            404 => return Ok(Self::Absent),
            400 => {
                let said = said(&answer.body);
                return match said.status == "FAILED_PRECONDITION" {
                    true => Ok(Self::Closed(excerpt(&said.message, asked.token))),
                    false => Err(refused(answer, asked)),
                };
            }
            _ => return Err(refused(answer, asked)),
        }
        let access: Access = serde_json::from_slice(&answer.body).map_err(|_| {
            malformed("the answer is not Secret Manager's; is the address its own?")
        })?;
        let number = number(&access.name, asked.place)?;
        let bytes = STANDARD
            .decode(access.payload.data.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| malformed("what a version holds is no base64"))?;
        let sum = access.payload.data_crc32c;
        if sum.is_some_and(|sum| sum != crc32c(&bytes).to_string()) {
            return Err(SinkError {
                help: Some("run again".to_owned()),
                ..malformed("what came of a version is damaged: its checksum is another")
            });
        }
        Ok(Self::There(Version {
            number,
            state: State::Enabled(bytes),
        }))
    }
}

#[derive(Deserialize)]
struct Described {
    name: String,
    #[serde(default)]
    state: String,
}

impl Described {
    /// The version; `None` where it can be read.
    fn closed(&self, place: &GcpPlace) -> Result<Option<Version>, SinkError> {
        let number = number(&self.name, place)?;
        let state = match self.state.as_str() {
            "ENABLED" => return Ok(None),
            "DISABLED" => State::Disabled,
            "DESTROYED" => State::Destroyed,
            _ => {
                return Err(malformed(
                    "a version is in a state that rolecall does not know",
                ));
            }
        };
        Ok(Some(Version { number, state }))
    }
}

/// Reads the answer about a version that was not given, and why not, in Google's words.
pub(super) fn closed(
    answer: &Answer,
    asked: &Asked<'_>,
    words: &str,
) -> Result<Version, SinkError> {
    let described = described(answer, asked)?;
    described.closed(asked.place)?.ok_or_else(|| {
        refuse(
            &format!("Google does not give a version that is enabled ({words})"),
            "see whether the key that encrypts it can be used, and run again",
        )
    })
}

fn described(answer: &Answer, asked: &Asked<'_>) -> Result<Described, SinkError> {
    if answer.status != 200 {
        return Err(refused(answer, asked));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|_| malformed("the answer is not Secret Manager's; is the address its own?"))
}

/// Reads the answer to a new version: its number.
pub(super) fn added(answer: &Answer, asked: &Asked<'_>) -> Result<u64, SinkError> {
    let made = described(answer, asked).and_then(|made| number(&made.name, asked.place));
    // Whatever was said, it was taken.
    made.map_err(|error| match answer.status {
        200 => SinkError {
            effect: Effect::Unknown,
            ..error
        },
        _ => error,
    })
}

/// Reads the answer to a destruction: whether it can be read no more.
pub(super) fn destroyed(answer: &Answer, asked: &Asked<'_>) -> Result<bool, SinkError> {
    Ok(described(answer, asked)?.closed(asked.place)?.is_some())
}

/// Reads a list of versions that can be read: their numbers, the newest first.
pub(super) fn listed(answer: &Answer, asked: &Asked<'_>) -> Result<Vec<u64>, SinkError> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        versions: Vec<Described>,
    }
    if answer.status != 200 {
        return Err(refused(answer, asked));
    }
    let list: List = serde_json::from_slice(&answer.body)
        .map_err(|_| malformed("the answer is not Secret Manager's; is the address its own?"))?;
    let numbers = list.versions.iter();
    numbers.map(|one| number(&one.name, asked.place)).collect()
}

/// The body of a request for a new version.
pub(super) fn payload(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let data = Zeroizing::new(STANDARD.encode(value));
    let mut body = Zeroizing::new(Vec::with_capacity(data.len() + 64));
    body.extend_from_slice(b"{\"payload\":{\"data\":\"");
    body.extend_from_slice(data.as_bytes());
    body.extend_from_slice(format!("\",\"dataCrc32c\":\"{}\"}}}}", crc32c(value)).as_bytes());
    body
}

/// The Castagnoli CRC-32 (RFC 3720, B.4), by which Google tells damage on the way.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let low = sum & 1;
            sum >>= 1;
            if low == 1 {
                sum ^= 0x82f6_3b78;
            }
        }
    }
    !sum
}

/// What Google says in an answer that refuses.
#[derive(Default)]
struct Said {
    message: String,
    /// The canonical code: `PERMISSION_DENIED`.
    status: String,
    /// Of all reasons, the first.
    reason: String,
}

fn said(body: &[u8]) -> Said {
    #[derive(Deserialize)]
    struct Whole {
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        #[serde(default)]
        message: String,
        #[serde(default)]
        status: String,
        #[serde(default)]
        details: Vec<Detail>,
    }
    #[derive(Deserialize)]
    struct Detail {
        reason: Option<String>,
    }
    let whole: Option<Whole> = serde_json::from_slice(body).ok();
    whole.map_or_else(Said::default, |whole| Said {
        message: whole.error.message,
        status: whole.error.status,
        reason: whole
            .error
            .details
            .into_iter()
            .find_map(|detail| detail.reason)
            .unwrap_or_default(),
    })
}

/// What an answer that lets nobody in says: as OAuth does, or as Google's other services.
pub(super) fn said_of_login(body: &[u8]) -> String {
    match serde_json::from_slice::<LoginRefusal>(body) {
        Ok(LoginRefusal {
            error,
            error_description: Some(words),
        }) => format!("{error}: {words}"),
        Ok(refusal) => refusal.error,
        Err(_) => said(body).message,
    }
}

/// What the refusal of a login is called, where it has a name.
pub(super) fn error_of_login(body: &[u8]) -> Option<String> {
    let refusal = serde_json::from_slice::<LoginRefusal>(body).ok();
    refusal.map(|refusal| refusal.error)
}

/// Source: RFC 6749, section 5.2.
#[derive(Deserialize)]
struct LoginRefusal {
    error: String,
    error_description: Option<String>,
}

/// What is not as Google answers.
pub(super) fn malformed(why: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: why.to_owned(),
        help: None,
    }
}

/// A refusal of rolecall's own, of a place as it is; nothing was written.
pub(super) fn refuse(message: &str, help: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Unfit,
        effect: Effect::None,
        message: message.to_owned(),
        help: Some(help.to_owned()),
    }
}

/// That the newest version is disabled.
pub(super) fn disabled(place: &GcpPlace, number: u64) -> SinkError {
    refuse(
        &format!("the newest version ({number}) is disabled, so that nobody can read the secret"),
        &format!(
            "look why; gcloud secrets versions enable {number} --secret={}{} brings it back, and \
             `destroy` in the place of `enable` makes room for a key",
            place.name,
            flags(place)
        ),
    )
}

/// A request to which an answer came.
pub(super) struct Asked<'a> {
    pub(super) place: &'a GcpPlace,
    /// The token that was sent.
    pub(super) token: &'a str,
    /// The body that was sent; empty if none was.
    pub(super) sent: &'a [u8],
    /// The permission that it needs.
    pub(super) needs: &'static str,
    /// Whether it changes something.
    pub(super) writes: bool,
}

/// A refusal in the words of who must mend it.
pub(super) fn refused(answer: &Answer, asked: &Asked<'_>) -> SinkError {
    let Asked {
        place,
        token,
        sent,
        needs,
        writes,
    } = asked;
    let (kind, effect) = remote::kind_of(answer.status, *writes);
    let error = |kind, message: String, help: String| SinkError {
        kind,
        effect,
        message,
        help: Some(help),
    };
    let code = answer.status;
    if is_page(&answer.body) && matches!(code, 400..=499) {
        return error(
            SinkErrorKind::Malformed,
            format!("the answer is a web page and not Secret Manager's (HTTP {code})"),
            "check the sink's address, and whether a proxy answers in its place".to_owned(),
        );
    }
    let Said {
        message,
        status,
        reason,
    } = said(&answer.body);
    let words = match message.is_empty() {
        true => format!("HTTP {code}"),
        false if repeats(message.as_bytes(), sent) => format!("HTTP {code}: {WITHHELD}"),
        false => format!("HTTP {code}: {}", excerpt(&message, token)),
    };
    let (name, project, flags) = (&place.name, &place.project, flags(place));
    match (code, reason.as_str()) {
        (401, _) => error(
            kind,
            format!("Google does not take the login any more ({words})"),
            "log in anew, and look whether its account was disabled".to_owned(),
        ),
        (403, "SERVICE_DISABLED") => error(
            SinkErrorKind::Unfit,
            format!("the project {project} has not enabled Secret Manager ({words})"),
            format!("gcloud services enable secretmanager.googleapis.com --project={project}"),
        ),
        // The machine keeps its scopes while it runs.
        (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT") => error(
            SinkErrorKind::Unauthenticated,
            format!("the login of this machine may not use Google Cloud as a whole ({words})"),
            "give the machine the scope cloud-platform, or set GOOGLE_APPLICATION_CREDENTIALS"
                .to_owned(),
        ),
        (403, _) => error(
            kind,
            format!("Google does not allow it ({words})"),
            format!(
                "the login needs {needs} on the secret {name}, which must be there (rolecall docs \
                 sink-gcp_secret_manager); what was granted just now takes minutes to count"
            ),
        ),
        (404, _) => error(
            kind,
            format!("there is no secret {name} ({words})"),
            format!(
                "rolecall makes none: gcloud secrets create {name}{}{flags} does{}",
                match place.location.is_empty() {
                    true => " --replication-policy=automatic",
                    false => "",
                },
                match place.location.is_empty() {
                    true => "; a regional secret is found by the sink's location alone",
                    false => "; a global secret is found without the sink's location alone",
                },
            ),
        ),
        (301 | 302 | 307 | 308, _) => error(
            kind,
            format!(
                "the server sends requests on to {}, where the login is not sent (HTTP {code})",
                excerpt(
                    answer.redirect_to.as_deref().unwrap_or("another address"),
                    token
                )
            ),
            "correct the sink's address, or leave it out".to_owned(),
        ),
        (413, _) => error(
            SinkErrorKind::Full,
            format!("Secret Manager takes no value that large ({words})"),
            "deliver it elsewhere".to_owned(),
        ),
        (429, _) => error(
            kind,
            format!("Google takes no more requests for now ({words})"),
            "run again later".to_owned(),
        ),
        (500..=599, _) => error(
            kind,
            format!("Secret Manager failed ({words})"),
            "run again later".to_owned(),
        ),
        _ => error(
            match kind {
                SinkErrorKind::Malformed | SinkErrorKind::Moved => SinkErrorKind::Unfit,
                kind => kind,
            },
            format!(
                "Secret Manager does not take the request ({words}; {})",
                excerpt(&status, "")
            ),
            "see what the console says of the secret".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 3720, B.4, and the check value of the catalogue of CRCs.
    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn what_is_written_is_told_with_its_checksum() {
        let body = payload(b"123456789");
        assert_eq!(
            std::str::from_utf8(&body),
            Ok("{\"payload\":{\"data\":\"MTIzNDU2Nzg5\",\"dataCrc32c\":\"3808858755\"}}")
        );
        let large = payload(&[7; 65_536]);
        assert_eq!(large.capacity(), STANDARD.encode([7; 65_536]).len() + 64);
    }
}
