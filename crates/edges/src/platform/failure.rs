//! What an unhappy answer means: its kind, whether a write may have happened, whether to repeat.
//! Pure: an answer in, a kind of failure out.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::http::{self, Again, Answer, excerpt, is_page};
use crate::ports::{Effect, ErrorKind};

/// A call that failed, before it is told as a read or a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    pub(super) effect: Effect,
    pub(super) again: Again,
    /// How long the server asks to wait.
    pub(super) after: Option<Duration>,
    /// Why, a fragment.
    pub(super) why: String,
}

impl Failure {
    /// An answer that is not what the schema says.
    pub(super) fn malformed(why: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, Effect::Unknown, Again::Never, why)
    }

    pub(super) fn new(
        kind: ErrorKind,
        effect: Effect,
        again: Again,
        why: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            effect,
            again,
            after: None,
            why: why.into(),
        }
    }
}

impl From<http::Failure> for Failure {
    fn from(error: http::Failure) -> Self {
        let effect = if error.maybe_sent {
            Effect::Unknown
        } else {
            Effect::None
        };
        let again = match effect {
            _ if error.lasting => Again::Never,
            Effect::Unknown => Again::Reads,
            Effect::None => Again::Always,
        };
        Self::new(ErrorKind::Transport, effect, again, error.whole())
    }
}

/// Classifies an answer; `Ok` means that its `data` may be decoded. No message repeats of `token`, with which
/// it was asked for. `refused` says what the credential tells of why it may not be accepted.
pub(super) fn classify(
    answer: &Answer,
    local: Timestamp,
    token: &str,
    refused: impl FnOnce() -> String,
) -> Result<(), Failure> {
    let classified = match answer.status {
        200 => classify_errors(&answer.body, token),
        status => Err(classify_status(status, answer, token)),
    };
    classified.map_err(|mut failure| {
        let skew = answer.date.and_then(|date| skew(local, date));
        if failure.kind == ErrorKind::Unauthenticated {
            // A clock that is wrong explains the refusal; else the credential must be the reason.
            let reason = skew.unwrap_or_else(refused);
            failure.why = format!("{}; {reason}", failure.why);
        }
        failure
    })
}

fn classify_status(status: u16, answer: &Answer, token: &str) -> Failure {
    use Again::{Always, Never, Reads};
    use ErrorKind::{Invalid, Malformed, PermissionDenied, Platform, RateLimited, Unauthenticated};
    let said = foreign_words(&answer.body, token)
        .map(|words| format!(": {words}"))
        .unwrap_or_default();
    let asks = answer.retry_after.map_or_else(String::new, |wait| {
        format!("; it asks to wait {} s", wait.as_secs())
    });
    let failure = |kind, effect, again, why: String| Failure::new(kind, effect, again, why);
    // What a proxy or a gate says with a page is no word of the platform's about rights.
    if is_page(&answer.body) && matches!(status, 401 | 403 | 400 | 422) {
        let why = format!(
            "the answer is a web page and not the platform's (HTTP {status}); a proxy, a gateway or \
             another server may stand in between"
        );
        return failure(Malformed, Effect::Unknown, Never, why);
    }
    match status {
        401 => {
            let why = format!("the credential is not accepted (HTTP 401{said})");
            failure(Unauthenticated, Effect::None, Never, why)
        }
        403 => {
            let why = format!("permission denied (HTTP 403{said})");
            failure(PermissionDenied, Effect::None, Never, why)
        }
        400 | 422 => {
            let why = format!("the platform does not take the request (HTTP {status}{said})");
            failure(Invalid, Effect::None, Never, why)
        }
        429 => {
            let why = format!("the platform takes no more requests for now (HTTP 429{said}){asks}");
            let mut limited = failure(RateLimited, Effect::None, Always, why);
            limited.after = answer.retry_after;
            limited
        }
        300..=399 => {
            let why = match answer.redirect_to.as_deref() {
                Some(to) => format!(
                    "the endpoint redirects to {} (HTTP {status}), and rolecall never sends a credential \
                     after a redirect; if that host is right, name it with --endpoint",
                    excerpt(to, token)
                ),
                None => format!("the endpoint redirects to nowhere (HTTP {status}); check it"),
            };
            failure(Platform, Effect::Unknown, Never, why)
        }
        500..=599 => {
            let why = format!("the platform failed (HTTP {status}{said}){asks}");
            let mut failed = failure(Platform, Effect::Unknown, Reads, why);
            failed.after = answer.retry_after;
            failed
        }
        // Not NotFound: a wrong URL must not look like an account that is gone.
        404 => failure(
            Malformed,
            Effect::Unknown,
            Never,
            "nothing speaks GraphQL there (HTTP 404); check the endpoint".to_owned(),
        ),
        _ => {
            let why = format!("the platform gave an answer nobody expects (HTTP {status}{said})");
            failure(Platform, Effect::Unknown, Never, why)
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    /// `None` for a top-level field that is null.
    data: Option<std::collections::BTreeMap<String, Option<IgnoredAny>>>,
    errors: Option<Vec<GraphqlError>>,
}

#[derive(Deserialize)]
struct GraphqlError {
    message: Option<String>,
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
struct Extensions {
    code: Option<serde_json::Value>,
}

fn classify_errors(body: &[u8], token: &str) -> Result<(), Failure> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|e| {
        // The body is not repeated: half an answer may hold half a key.
        Failure::malformed(if e.is_eof() {
            "the answer is cut off".to_owned()
        } else if body.trim_ascii_start().starts_with(b"<") {
            "the answer is a web page and not GraphQL; check the endpoint, and whether a proxy or \
             a login page stands before it"
                .to_owned()
        } else {
            "the answer is not GraphQL over JSON; check the endpoint".to_owned()
        })
    })?;
    let errors = envelope.errors.unwrap_or_default();
    if errors.is_empty() {
        return match envelope.data {
            Some(_) => Ok(()),
            None => Err(Failure::malformed(
                "the answer holds neither data nor errors",
            )),
        };
    }
    let codes: Vec<Code> = errors.iter().map(Code::of).collect();
    let no_data = envelope
        .data
        .is_none_or(|fields| fields.values().all(Option::is_none));
    let harmless = no_data && codes.iter().all(|code| code.harmless);
    let first = codes.into_iter().next().unwrap_or(Code::UNKNOWN);
    let messages: Vec<String> = errors
        .iter()
        .filter_map(|error| error.message.as_deref())
        .map(|message| excerpt(without_code(message), token))
        .collect();
    let why = match (first.kind, messages.join("; ")) {
        (_, words) if words.is_empty() => "the platform gave an error without words".to_owned(),
        (ErrorKind::PermissionDenied, words) => format!("permission denied ({words})"),
        (_, words) => words,
    };
    let effect = if harmless {
        Effect::None
    } else {
        Effect::Unknown
    };
    let again = if first.transient {
        Again::Reads
    } else {
        Again::Never
    };
    Err(Failure::new(first.kind, effect, again, why))
}

/// What the code of a GraphQL error means.
#[derive(Clone, Copy)]
struct Code {
    kind: ErrorKind,
    /// Nothing happened, if there is no data either.
    harmless: bool,
    /// The same read may succeed a moment later.
    transient: bool,
}

impl Code {
    const UNKNOWN: Self = Self::plain(ErrorKind::Platform);

    const fn plain(kind: ErrorKind) -> Self {
        Self {
            kind,
            harmless: false,
            transient: false,
        }
    }

    const fn harmless(kind: ErrorKind) -> Self {
        Self {
            harmless: true,
            ..Self::plain(kind)
        }
    }

    const fn transient(kind: ErrorKind) -> Self {
        Self {
            transient: true,
            ..Self::plain(kind)
        }
    }

    fn of(error: &GraphqlError) -> Self {
        let message = error.message.as_deref().unwrap_or_default();
        let extension = error
            .extensions
            .as_ref()
            .and_then(|extensions| extensions.code.as_ref())
            .and_then(serde_json::Value::as_str);
        match (grpc_code(message), extension) {
            (Some(code), _) | (None, Some(code)) => Self::named(code),
            // The second style of the platform: `ent: exception_group not found`.
            (None, None) if message.starts_with("ent: ") && message.ends_with(" not found") => {
                Self::plain(ErrorKind::NotFound)
            }
            (None, None) => Self::UNKNOWN,
        }
    }

    fn named(code: &str) -> Self {
        match code {
            "Unauthenticated" => Self::harmless(ErrorKind::Unauthenticated),
            "PermissionDenied" => Self::harmless(ErrorKind::PermissionDenied),
            "NotFound" => Self::harmless(ErrorKind::NotFound),
            "AlreadyExists" => Self::harmless(ErrorKind::AlreadyExists),
            "InvalidArgument" | "FailedPrecondition" => Self::harmless(ErrorKind::Invalid),
            // Documents that fail validation are never executed (GraphQL specification, 6.1).
            "GRAPHQL_VALIDATION_FAILED" | "GRAPHQL_PARSE_FAILED" => {
                Self::harmless(ErrorKind::Invalid)
            }
            "Aborted" => Self::harmless(ErrorKind::Aborted),
            "ResourceExhausted" => Self::transient(ErrorKind::RateLimited),
            "Unavailable" | "DeadlineExceeded" | "Internal" => Self::transient(ErrorKind::Platform),
            _ => Self::UNKNOWN,
        }
    }
}

const RPC: &str = "rpc error: code = ";

/// The code in `rpc error: code = NotFound desc = …`.
fn grpc_code(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(RPC)?;
    rest.split(|c: char| !c.is_ascii_alphanumeric()).next()
}

/// The words after `rpc error: code = X desc = `, or all of it where there are none.
pub(super) fn without_code(message: &str) -> &str {
    if !message.starts_with(RPC) {
        return message;
    }
    match message.split_once(" desc = ") {
        Some((_, words)) if !words.trim().is_empty() => words,
        _ => message,
    }
}

/// The platform's own words in a body that is no success: GraphQL errors, an RPC status, or text.
pub(super) fn foreign_words(body: &[u8], token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        message: Option<String>,
        errors: Option<Vec<GraphqlError>>,
    }
    let words = match serde_json::from_slice::<Said>(body) {
        Ok(said) => said
            .errors
            .into_iter()
            .flatten()
            .find_map(|error| error.message)
            .or(said.message)?,
        Err(_) => {
            let text = std::str::from_utf8(body).ok()?.trim();
            // A proxy's page in HTML says less than its status.
            if text.starts_with(['<', '{', '[']) {
                return None;
            }
            text.to_owned()
        }
    };
    (!words.trim().is_empty()).then(|| excerpt(without_code(words.trim()), token))
}

/// What is wrong with the local clock, if it differs from the platform's by more than a minute,
/// which is as long as a signed request lives.
fn skew(local: Timestamp, remote: Timestamp) -> Option<String> {
    let seconds = local.as_second() - remote.as_second();
    if seconds.abs() <= 60 {
        return None;
    }
    let minutes = ((seconds.unsigned_abs() + 30) / 60).max(2);
    let side = if seconds > 0 { "ahead of" } else { "behind" };
    Some(format!(
        "the local clock is about {minutes} minutes {side} the platform's, and a signed request is valid \
         for one minute: set the clock"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{NOW, time, wire};
    use super::*;

    const TOKEN: &str = "kX9pQ2vR7tY4wZ1aB6cD3eF8gH5jK0mN2pQ4rS7tU9vW1xY3zA";

    fn verdict(status: u16, body: &[u8]) -> Failure {
        classify(&Answer::new(status, body), time(NOW), TOKEN, String::new).expect_err("a failure")
    }

    fn graphql(message: &str) -> Failure {
        let body = serde_json::json!({"errors": [{"message": message}], "data": {"x": null}});
        verdict(200, body.to_string().as_bytes())
    }

    fn row(failure: &Failure) -> (ErrorKind, Effect, Again) {
        (failure.kind, failure.effect, failure.again)
    }

    #[test]
    fn every_status_says_whether_a_write_may_have_happened() {
        use Again::{Always, Never, Reads};
        use ErrorKind::{
            Invalid, Malformed, PermissionDenied, Platform, RateLimited, Unauthenticated,
        };
        for (status, kind, effect, again) in [
            (400, Invalid, Effect::None, Never),
            (401, Unauthenticated, Effect::None, Never),
            (403, PermissionDenied, Effect::None, Never),
            (422, Invalid, Effect::None, Never),
            (429, RateLimited, Effect::None, Always),
            (404, Malformed, Effect::Unknown, Never),
            (408, Platform, Effect::Unknown, Never),
            (409, Platform, Effect::Unknown, Never),
            (201, Platform, Effect::Unknown, Never),
            (302, Platform, Effect::Unknown, Never),
            (307, Platform, Effect::Unknown, Never),
            (500, Platform, Effect::Unknown, Reads),
            (502, Platform, Effect::Unknown, Reads),
            (503, Platform, Effect::Unknown, Reads),
            (504, Platform, Effect::Unknown, Reads),
        ] {
            let found = verdict(status, b"");
            assert_eq!(row(&found), (kind, effect, again), "HTTP {status}");
        }
    }

    #[test]
    fn every_code_says_whether_a_write_may_have_happened() {
        use Again::{Never, Reads};
        use ErrorKind::{
            Aborted, AlreadyExists, Invalid, NotFound, PermissionDenied, Platform, RateLimited,
            Unauthenticated,
        };
        for (code, kind, effect, again) in [
            ("InvalidArgument", Invalid, Effect::None, Never),
            ("FailedPrecondition", Invalid, Effect::None, Never),
            ("PermissionDenied", PermissionDenied, Effect::None, Never),
            ("Unauthenticated", Unauthenticated, Effect::None, Never),
            ("NotFound", NotFound, Effect::None, Never),
            ("AlreadyExists", AlreadyExists, Effect::None, Never),
            ("Aborted", Aborted, Effect::None, Never),
            ("ResourceExhausted", RateLimited, Effect::Unknown, Reads),
            ("Unavailable", Platform, Effect::Unknown, Reads),
            ("DeadlineExceeded", Platform, Effect::Unknown, Reads),
            ("Internal", Platform, Effect::Unknown, Reads),
            ("Unknown", Platform, Effect::Unknown, Never),
            ("Canceled", Platform, Effect::Unknown, Never),
            ("Brandnew", Platform, Effect::Unknown, Never),
        ] {
            let found = graphql(&format!("rpc error: code = {code} desc = because"));
            assert_eq!(row(&found), (kind, effect, again), "{code}");
            assert!(found.why.contains("because"), "{}", found.why);
            assert!(!found.why.contains("rpc error"), "{}", found.why);
        }
        let found = graphql("something else");
        assert_eq!(row(&found), (Platform, Effect::Unknown, Never));
        // An inner code tells nothing of what the outer call did.
        let nested = "rpc error: code = Unknown desc = rpc error: code = NotFound desc = x";
        assert_eq!(row(&graphql(nested)), (Platform, Effect::Unknown, Never));
    }

    #[test]
    fn an_error_beside_data_or_beside_an_unknown_one_is_not_harmless() {
        let denied = "rpc error: code = PermissionDenied desc = x";
        for body in [
            serde_json::json!({"errors": [{"message": denied}], "data": {"a": {"mrn": "m"}}}),
            serde_json::json!({"errors": [{"message": denied}, {"message": "boom"}], "data": null}),
        ] {
            let found = verdict(200, body.to_string().as_bytes());
            assert_eq!(found.effect, Effect::Unknown, "{body}");
        }
        let body = serde_json::json!({"errors": [{"message": denied}]});
        let found = verdict(200, body.to_string().as_bytes());
        assert_eq!(found.effect, Effect::None);
    }

    #[test]
    fn the_recorded_answers_are_understood() {
        use ErrorKind::{Aborted, Invalid, NotFound, PermissionDenied, Unauthenticated};
        for (name, status, kind, effect) in [
            ("error_not_found", 200, NotFound, Effect::None),
            ("error_ent_not_found", 200, NotFound, Effect::Unknown),
            (
                "error_permission_denied",
                200,
                PermissionDenied,
                Effect::None,
            ),
            ("error_aborted", 200, Aborted, Effect::None),
            ("error_validation", 422, Invalid, Effect::None),
            ("error_validation", 200, Invalid, Effect::None),
            ("unauthenticated", 401, Unauthenticated, Effect::None),
        ] {
            let found = verdict(status, &wire(name));
            assert_eq!((found.kind, found.effect), (kind, effect), "{name}");
        }
        let words = verdict(401, &wire("unauthenticated")).why;
        assert!(
            words.contains("request permission unauthenticated"),
            "{words}"
        );
        let words = verdict(422, &wire("error_validation")).why;
        assert!(words.contains("Cannot query field"), "{words}");
    }

    #[test]
    fn half_an_answer_is_unknown_and_never_repeated_to_people() {
        for body in [
            r#"{"data":{"createServiceAccount":{"privateKey":"-----BEGIN"#,
            "<html>proxy</html>",
            "",
            "{}",
            r#"{"data":null}"#,
            r#"{"data":7}"#,
        ] {
            let found = verdict(200, body.as_bytes());
            assert_eq!(
                row(&found),
                (ErrorKind::Malformed, Effect::Unknown, Again::Never),
                "{body}"
            );
            assert!(!found.why.contains("BEGIN"), "{}", found.why);
        }
    }

    #[test]
    fn a_skewed_clock_is_named_with_its_minutes() {
        let why = |date: Option<&str>| {
            let mut answer = Answer::new(401, "");
            answer.date = date.map(time);
            classify(&answer, time(NOW), TOKEN, String::new)
                .expect_err("refused")
                .why
        };
        let behind = why(Some("2026-11-23T12:07:00Z"));
        assert!(behind.contains("7 minutes behind"), "{behind}");
        let ahead = why(Some("2026-11-23T11:58:59Z"));
        assert!(ahead.contains("2 minutes ahead of"), "{ahead}");
        for right in [
            None,
            Some("2026-11-23T12:01:00Z"),
            Some("2026-11-23T11:59:00Z"),
        ] {
            assert!(!why(right).contains("clock"), "{right:?}");
        }
    }

    #[test]
    fn no_part_of_a_token_that_an_answer_repeats_is_told() {
        for repeated in [TOKEN, &TOKEN[..20], &TOKEN[9..41], &TOKEN[34..]] {
            for before in [0, 1, 250, 270, 284, 285, 290, 299, 300] {
                let words = format!("é{}{repeated}, {repeated}é", ".".repeat(before));
                let json = serde_json::json!({"message": words}).to_string();
                let mut redirect = Answer::new(302, "");
                redirect.redirect_to = Some(words.clone());
                let redirect = classify(&redirect, time(NOW), TOKEN, String::new);
                for why in [
                    verdict(403, words.as_bytes()).why,
                    verdict(500, json.as_bytes()).why,
                    graphql(&words).why,
                    redirect.expect_err("refused").why,
                ] {
                    for part in TOKEN.as_bytes().windows(6) {
                        let part = std::str::from_utf8(part).expect("text");
                        assert!(!why.contains(part), "{before}: {why}");
                    }
                    assert!(before > 270 || why.contains("[REDACTED]"), "{why}");
                }
            }
        }
    }

    #[test]
    fn foreign_words_are_cut_and_never_a_key_or_a_page() {
        let cut = excerpt(&"ä".repeat(301), TOKEN);
        assert_eq!(cut, format!("{}…", "ä".repeat(300)));
        assert!(!excerpt("x -----BEGIN PRIVATE KEY----- MIG2", TOKEN).contains("MIG2"));
        assert_eq!(
            verdict(503, b"<html>x</html>").why,
            "the platform failed (HTTP 503)"
        );
        assert_eq!(
            verdict(503, b"busy").why,
            "the platform failed (HTTP 503: busy)"
        );
    }

    #[test]
    fn a_redirect_names_where_it_leads() {
        let mut answer = Answer::new(308, "");
        answer.redirect_to = Some("evil.example".to_owned());
        let found = classify(&answer, time(NOW), TOKEN, String::new).expect_err("a redirect");
        assert!(found.why.contains("evil.example"), "{}", found.why);
    }
}
