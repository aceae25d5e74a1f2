//! What AWS's answers mean, and the bodies of requests to it.
//! Pure: bytes in, values out; no text of a secret gets into an error.

use std::collections::BTreeMap;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::resource::{Api, Resource};
use crate::http::{Again, Answer};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::secret::zeroizing;
use crate::sinks::remote;

/// The header that names an error, where its body does not.
pub(super) const ERROR_TYPE: &str = "x-amzn-errortype";

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(rename = "__type", default)]
    kind: String,
    /// May repeat what was sent.
    #[serde(alias = "Message", default, deserialize_with = "zeroizing")]
    message: Zeroizing<String>,
}

/// The name of an error: letters only, without the namespace before `#` and what follows a `:`.
pub(super) fn code(text: &str) -> String {
    let text = text.rsplit('#').next().unwrap_or_default();
    let text = text.split(':').next().unwrap_or_default();
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.take(64).collect()
}

/// The name of a region as an answer tells it.
pub(super) fn region(text: &str) -> String {
    let plain = text
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-');
    plain.take(32).collect()
}

/// The name of the error that an answer tells.
fn code_of(answer: &Answer) -> String {
    let told: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    match told.kind.is_empty() {
        true => code(answer.header(ERROR_TYPE).unwrap_or_default()),
        false => code(&told.kind),
    }
}

/// With which names of errors AWS says that it is asked too much.
const BUSY: [&str; 5] = [
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "TooManyUpdates",
];

/// Whether AWS is asked too much, which it says with 400 too.
pub(super) fn is_busy(answer: &Answer) -> bool {
    answer.status == 429 || answer.status >= 400 && BUSY.contains(&&*code_of(answer))
}

/// Whether an answer asks for the request to be sent again.
pub(super) fn again(answer: &Answer) -> Again {
    match is_busy(answer) {
        true => Again::Always,
        false => remote::usual(answer),
    }
}

/// An error with a way out, before anything was written.
pub(super) fn refuse(kind: SinkErrorKind, message: String, help: &str) -> SinkError {
    SinkError {
        kind,
        effect: Effect::None,
        message,
        help: Some(help.to_owned()),
    }
}

/// That the login is for another account than the place's.
pub(super) fn elsewhere(account: &str, place: Resource<'_>) -> SinkError {
    let digits: String = account.chars().filter(char::is_ascii_digit).collect();
    refuse(
        SinkErrorKind::Unfit,
        format!(
            "the login is for the account {digits} of AWS and not for {}; nothing was written",
            place.account_id
        ),
        "correct the sink's account_id, or log in there",
    )
}

pub(super) fn malformed(what: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: what.to_owned(),
        help: None,
    }
}

/// The text of an element of XML that has no elements in it.
pub(super) fn element(body: &[u8], name: &str) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once('<')?;
    Some(Zeroizing::new(value.trim().to_owned()))
}

/// A refusal of the service.
#[derive(Debug)]
pub(super) enum Refused {
    /// There is no such secret, or no such version of it.
    NotThere,
    /// There is such a secret, or another value under this token.
    Exists,
    /// A label is not where the request says.
    Label(SinkError),
    /// Anything else.
    Other(SinkError),
}

impl Refused {
    /// The error, where the refusal is not expected.
    pub(super) fn error(self) -> SinkError {
        let of = |kind, message: &str| SinkError {
            kind,
            effect: Effect::None,
            message: message.to_owned(),
            help: None,
        };
        match self {
            Self::NotThere => of(SinkErrorKind::NotFound, "the secret or its version is gone"),
            Self::Exists => of(SinkErrorKind::Moved, "something else is there meanwhile"),
            Self::Label(error) | Self::Other(error) => error,
        }
    }

    /// The same of a request of which an earlier try may have been done. That nothing is there, or something else
    /// under the same token, says of that try too that it was not, or is gone.
    pub(super) fn unsure(self) -> Self {
        match self {
            Self::NotThere | Self::Exists => self,
            Self::Label(error) => Self::Label(remote::unsure(error)),
            Self::Other(error) => Self::Other(remote::unsure(error)),
        }
    }
}

impl From<SinkError> for Refused {
    fn from(error: SinkError) -> Self {
        Self::Other(error)
    }
}

/// What a refusal means. `right` is the permission that the request needs.
pub(super) fn refused(answer: &Answer, right: &str, place: Resource<'_>, writes: bool) -> Refused {
    let code = code_of(answer);
    let told: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    let thing = place.api.thing();
    let (kind, help) = match &*code {
        "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound" => {
            return Refused::NotThere;
        }
        "ResourceExistsException" | "ParameterAlreadyExists" => return Refused::Exists,
        "AccessDeniedException" | "AccessDenied" => (
            SinkErrorKind::PermissionDenied,
            // What the service says of its keys names no right of its own.
            match told.message.contains("to KMS") || told.message.contains("kms:") {
                true => format!(
                    "give the role {} and kms:Decrypt on the {thing}'s key",
                    match place.api {
                        Api::Secrets => "kms:GenerateDataKey",
                        Api::Parameters => "kms:Encrypt, kms:GenerateDataKey",
                    }
                ),
                false => format!("give the role {right} on {}", place.arn()),
            },
        ),
        "DecryptionFailure" | "EncryptionFailure" | "InvalidKeyId" => (
            SinkErrorKind::PermissionDenied,
            format!("look whether the {thing}'s key is enabled, and whether the role may use it"),
        ),
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => (
            SinkErrorKind::Unauthenticated,
            "renew the login, and look at this machine's clock".to_owned(),
        ),
        busy if BUSY.contains(&busy) => (SinkErrorKind::RateLimited, "try again later".to_owned()),
        "LimitExceededException" => (
            SinkErrorKind::Full,
            format!("the account or the {thing} has no room; wait, or ask AWS for more"),
        ),
        "ParameterLimitExceeded" => (
            SinkErrorKind::Full,
            "the account has no room for a parameter; remove some, or ask AWS for more".to_owned(),
        ),
        "ParameterMaxVersionLimitExceeded" => (
            SinkErrorKind::Full,
            "the oldest version of the parameter has a label; take it off".to_owned(),
        ),
        "HierarchyTypeMismatchException" => (
            SinkErrorKind::Moved,
            "the parameter has another type meanwhile; look who writes there, and plan again"
                .to_owned(),
        ),
        "ValidationException" => (
            SinkErrorKind::Unfit,
            format!(
                "look at the {thing} {} in AWS's console: its name, tier and size",
                place.name
            ),
        ),
        "ParameterPatternMismatchException" => (
            SinkErrorKind::Unfit,
            "change the allowed pattern of the parameter, or name another one".to_owned(),
        ),
        "InvalidParameterException" | "InvalidRequestException" => (
            SinkErrorKind::Moved,
            format!("look at the {thing} {} in AWS's console", place.name),
        ),
        _ => {
            let (kind, _) = remote::kind_of(answer.status, writes);
            (kind, "look at the sink's region and endpoint".to_owned())
        }
    };
    let (_, effect) = remote::kind_of(answer.status, writes);
    let named = if code.is_empty() {
        String::new()
    } else {
        format!(", {code}")
    };
    let error = SinkError {
        kind,
        effect,
        message: format!("AWS refused {right} (HTTP {}{named})", answer.status),
        help: Some(help),
    };
    match &*code {
        "InvalidParameterException" | "InvalidRequestException" => Refused::Label(error),
        _ => Refused::Other(error),
    }
}

/// A secret as it is described, without its value.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    #[serde(rename = "ARN")]
    pub(super) arn: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) rotation_enabled: Option<bool>,
    #[serde(default)]
    pub(super) owning_service: Option<String>,
    #[serde(default)]
    pub(super) deleted_date: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) primary_region: Option<String>,
    #[serde(default)]
    pub(super) version_ids_to_stages: Option<BTreeMap<String, Vec<String>>>,
}

impl Described {
    /// The day of its deletion, where AWS says one: seconds since 1970.
    pub(super) fn deletion_date(&self) -> Option<String> {
        let seconds = self.deleted_date.as_ref()?.as_f64()?;
        let at = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
        let at = jiff::Timestamp::from_duration(at).ok()?;
        Some(at.strftime("%Y-%m-%d").to_string())
    }

    /// The version that has a label.
    pub(super) fn with(&self, label: &str) -> Option<&str> {
        let mut versions = self.version_ids_to_stages.iter().flatten();
        let has = |labels: &[String]| labels.iter().any(|known| known == label);
        versions.find_map(|(id, labels)| has(labels).then_some(id.as_str()))
    }
}

/// A value as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Value {
    pub(super) version_id: String,
    #[serde(default, deserialize_with = "optional")]
    pub(super) secret_string: Option<Zeroizing<String>>,
}

fn optional<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Zeroizing<String>>, D::Error> {
    Option::<String>::deserialize(from).map(|text| text.map(Zeroizing::new))
}

/// The answer to a write of a value.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Put {
    #[serde(default)]
    pub(super) version_stages: Vec<String>,
}

/// A body in JSON of texts, and of lists of one text; nothing of it is left behind in memory.
pub(super) fn body(members: &[(&str, &str)], lists: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    flagged(members, lists, None)
}

/// The same with a member that is true or false.
pub(super) fn flagged(
    members: &[(&str, &str)],
    lists: &[(&str, &str)],
    flag: Option<(&str, bool)>,
) -> Zeroizing<Vec<u8>> {
    let all = members.iter().chain(lists);
    let room = all
        .map(|(name, value)| name.len() + 6 * value.len() + 16)
        .sum::<usize>();
    let room = room + flag.map_or(0, |(name, _)| name.len() + 16);
    let mut out = Zeroizing::new(Vec::with_capacity(room + 16));
    let texts = members.iter().map(|pair| (pair, false));
    for (n, ((name, value), list)) in texts
        .chain(lists.iter().map(|pair| (pair, true)))
        .enumerate()
    {
        out.extend_from_slice(if n == 0 { b"{\"" } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(if list { b"\":[" } else { b"\":" });
        // A text is always written, and there is room.
        let _ = serde_json::to_writer(&mut *out, value);
        if list {
            out.push(b']');
        }
    }
    if let Some((name, value)) = flag {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(if value { b"\":true" } else { b"\":false" });
    }
    out.push(b'}');
    out
}
