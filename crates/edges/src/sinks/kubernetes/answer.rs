//! What an API server's refusals mean.
//! Pure: an answer in, words out; no text of a login or a value gets into an error.
//!
//! Sources: `Status` in Kubernetes' API reference; the texts of k8s.io/apiserver and
//! k8s.io/apimachinery v0.34.4.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::http::{Answer, WITHHELD, excerpt, is_page, repeats};
use crate::model::KubernetesPlace;
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::remote;

/// A request to which an answer came.
pub(super) struct Asked<'a> {
    pub(super) place: &'a KubernetesPlace,
    /// What the login came from, for people.
    pub(super) login: &'a str,
    /// The token that was sent; empty if none was.
    pub(super) token: &'a str,
    /// The body that was sent; empty if none was.
    pub(super) sent: &'a [u8],
    /// Whether it changes something.
    pub(super) writes: bool,
}

/// What a server says of a request that it refused.
#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    details: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    causes: Vec<Cause>,
}

#[derive(Default, Deserialize)]
struct Cause {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    field: String,
}

impl Status {
    fn of(answer: &Answer) -> Self {
        let status: Self = serde_json::from_slice(&answer.body).unwrap_or_default();
        match status.kind.as_str() {
            "Status" => status,
            _ => Self::default(),
        }
    }

    fn conflicts(&self) -> impl Iterator<Item = &Cause> {
        let causes = self.details.causes.iter();
        causes.filter(|cause| cause.reason == "FieldManagerConflict")
    }
}

/// Whether a read found no such Secret.
pub(super) fn is_absent(answer: &Answer) -> bool {
    let status = Status::of(answer);
    answer.status == 404 && status.reason == "NotFound" && status.details.kind == "secrets"
}

/// Whether an apply was refused since the Secret is not the one that was seen.
pub(super) fn is_stale(answer: &Answer) -> bool {
    answer.status == 409 && Status::of(answer).conflicts().next().is_none()
}

/// Whether a trial was refused since something that is asked besides cannot try.
pub(super) fn cannot_try(answer: &Answer) -> bool {
    answer.status == 400
        && Status::of(answer)
            .message
            .contains("does not support dry run")
}

/// What an answer is that is none of those a server gives.
pub(super) fn malformed(why: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: why.to_owned(),
        help: None,
    }
}

/// What the data of a Secret holds, each value as it was sent and as who reads it has it.
fn values(sent: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    #[derive(Deserialize)]
    struct Sent<'a> {
        #[serde(borrow, default)]
        data: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    }
    let Ok(Sent { data }) = serde_json::from_slice::<Sent<'_>>(sent) else {
        return Vec::new();
    };
    let both = |value: Cow<'_, str>| {
        let read = STANDARD.decode(value.as_bytes()).unwrap_or_default();
        [value.as_bytes().to_vec(), read].map(Zeroizing::new)
    };
    data.into_values().flat_map(both).collect()
}

/// A refusal in the words of who must mend it.
pub(super) fn refused(answer: &Answer, asked: &Asked<'_>) -> SinkError {
    let Asked {
        place,
        login,
        token,
        sent,
        writes,
    } = asked;
    let status = Status::of(answer);
    // An apply says again what other accounts have in the Secret.
    let values = values(sent);
    let repeat = |text: &str| match values.iter().any(|one| repeats(text.as_bytes(), one)) {
        true => WITHHELD.to_owned(),
        false => excerpt(text, token),
    };
    let words = match status.message.as_str() {
        "" => String::new(),
        text => format!(": {}", repeat(text)),
    };
    let (kind, effect) = remote::kind_of(answer.status, *writes);
    let error = |kind, message: String, help: &str| SinkError {
        kind,
        effect,
        message,
        help: Some(help.to_owned()),
    };
    let code = answer.status;
    let namespace = &place.namespace;
    if is_page(&answer.body) && matches!(code, 400..=499) {
        let message = format!("the answer is a web page and not Kubernetes' (HTTP {code})");
        let help = "check the sink's address, and whether a proxy answers in its place";
        return error(SinkErrorKind::Malformed, message, help);
    }
    match code {
        401 => error(
            kind,
            format!("the server does not take the login (HTTP 401{words}), which is from {login}"),
            "get a fresh one; tokens of clouds end after minutes",
        ),
        403 if status.message.contains("exceeded quota") => error(
            SinkErrorKind::Full,
            format!("the namespace {namespace} takes no more (HTTP 403{words})"),
            "raise its quota",
        ),
        403 if words.contains("being terminated") => error(
            SinkErrorKind::Unfit,
            format!("the namespace {namespace} is being deleted (HTTP 403{words})"),
            "name another one",
        ),
        403 => error(
            kind,
            format!("the login may not do this in the namespace {namespace} (HTTP 403{words})"),
            "its Role needs get, patch and create on this Secret (rolecall docs sink-kubernetes)",
        ),
        404 if status.details.kind == "namespaces" => error(
            kind,
            format!("there is no namespace {namespace}"),
            "make it, or correct the sink's namespace",
        ),
        404 => error(
            SinkErrorKind::Malformed,
            format!("nothing is at the path of Secrets (HTTP 404{words})"),
            "check that the sink's address is that of a Kubernetes API server",
        ),
        409 => {
            let owners: Vec<String> = status
                .conflicts()
                .map(|cause| format!("{}: {}", repeat(&cause.field), repeat(&cause.message)))
                .collect();
            match owners.as_slice() {
                [] => error(
                    kind,
                    "the Secret was written since it was looked at".to_owned(),
                    "run again",
                ),
                owners => error(
                    kind,
                    format!(
                        "another manager has what would be written ({}), and nothing is taken from it",
                        owners.join("; ")
                    ),
                    "let it give that up, or name another key",
                ),
            }
        }
        413 => error(
            SinkErrorKind::Full,
            "the server takes no Secret that large".to_owned(),
            "name another Secret",
        ),
        429 => error(
            kind,
            format!("the server takes no more requests for now (HTTP 429{words})"),
            "run again later",
        ),
        301 | 302 | 307 | 308 => {
            let to = answer.redirect_to.as_deref().unwrap_or("another server");
            error(
                kind,
                format!(
                    "the server sends requests on to {}, where the login is not sent",
                    repeat(to)
                ),
                "name the API server itself as the sink's address",
            )
        }
        500..=599 => error(
            kind,
            format!("the server failed (HTTP {code}{words})"),
            "run again later",
        ),
        _ => error(
            SinkErrorKind::Unfit,
            format!("the server does not take the Secret (HTTP {code}{words})"),
            "see what it says of the Secret with kubectl",
        ),
    }
}
