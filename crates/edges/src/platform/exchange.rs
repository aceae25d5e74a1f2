//! What may be told of a request and its answer: what was asked of whom and how it went, and nothing
//! of what was sent or came back. Pure.

use std::time::Duration;

use super::operation::Request;
use crate::http::without_token;
use crate::model::Scope;
use crate::ports::ErrorKind;

/// What many servers and gates call a request by. Mondoo's public documents name no header for it.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// The longest id of a request that is taken for one, in bytes.
const LONGEST_ID: usize = 128;

/// One request to the platform, sent once, and how that went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The operation's name in its document: `ServiceAccounts`.
    pub operation: &'static str,
    /// The scope that it is about, if it is about one.
    pub scope: Option<Scope>,
    /// How often it was sent by now, from 1.
    pub attempt: usize,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// What the platform calls this request, if it says so (`X-Request-Id`).
    pub request_id: Option<String>,
    /// How long it took, by the local clock.
    pub took: Duration,
    /// What went wrong, if anything did.
    pub error: Option<ErrorKind>,
}

impl Exchange {
    /// A request that was not sent yet.
    pub(super) fn of(request: &Request) -> Self {
        Self {
            operation: request.operation,
            scope: request.scope.clone(),
            attempt: 1,
            status: None,
            request_id: None,
            took: Duration::ZERO,
            error: None,
        }
    }

    /// The same request, to be sent once more.
    pub(super) fn again(self) -> Self {
        Self {
            attempt: self.attempt + 1,
            status: None,
            request_id: None,
            took: Duration::ZERO,
            error: None,
            ..self
        }
    }
}

/// Is told of every request once it is over; must not fail.
pub type Observer = Box<dyn Fn(&Exchange) + Send + Sync>;

/// An id as a log may hold it. A foreign text is one only if it looks like one, and if it does not
/// repeat the token that it was asked with, as some servers repeat the headers of a request.
pub(super) fn id(text: &str, token: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/=+".contains(&b);
    let good = (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(plain);
    (good && without_token(text, token) == text).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Rig, cut, ok, status};
    use super::*;
    use crate::http::Answer;
    use crate::platform::Identity;
    use crate::ports::Reader as _;
    use std::sync::{Arc, Mutex};

    const TOKEN: &str = "eyJhbGciOiJFUzM4NCIsImtpZCI6Ii8vYWdlbnRz.eyJleHAiOjE3";

    #[test]
    fn an_id_is_a_short_word_that_repeats_no_token() {
        for good in ["7f3a-9b", "Root=1-67891233-abcdef", "a", &"x".repeat(128)] {
            assert_eq!(id(good, TOKEN).as_deref(), Some(good));
        }
        let header = format!("Bearer {TOKEN}");
        let part = &TOKEN[8..32];
        for bad in [
            "",
            "two words",
            "\u{1b}[31m",
            &"x".repeat(129),
            TOKEN,
            &header,
            part,
        ] {
            assert_eq!(id(bad, TOKEN), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn every_request_is_told_once_with_its_attempt_and_how_it_went() {
        let mut named = Answer::new(429, "");
        named.headers = vec![(REQUEST_ID, "r-1".to_owned())];
        let mut echoes = Answer::new(200, super::super::fixture::wire("viewer"));
        echoes.headers = vec![(REQUEST_ID, "kX9pQ2vR7tY4wZ1aB6cD3eF8gH5jK0mN".to_owned())];
        for (steps, told) in [
            (
                vec![Ok(named), cut(), ok("viewer")],
                vec![
                    (1, Some(429), Some("r-1"), Some(ErrorKind::RateLimited)),
                    (2, None, None, Some(ErrorKind::Transport)),
                    (3, Some(200), None, None),
                ],
            ),
            (
                vec![Ok(Answer::new(200, "no json"))],
                vec![(1, Some(200), None, Some(ErrorKind::Malformed))],
            ),
            (
                vec![status(403)],
                vec![(1, Some(403), None, Some(ErrorKind::PermissionDenied))],
            ),
            (vec![Ok(echoes)], vec![(1, Some(200), None, None)]),
        ] {
            let token = Identity::api_token("kX9pQ2vR7tY4wZ1aB6cD3eF8gH5jK0mN2pQ4rS7tU9vW1xY3zA");
            let mut rig = Rig::of(token, steps);
            let seen: Arc<Mutex<Vec<Exchange>>> = Arc::default();
            let sink = Arc::clone(&seen);
            rig.client = rig.client.observed(Box::new(move |one| {
                sink.lock().expect("no panic").push(one.clone());
            }));
            // How it ends is told elsewhere.
            let _ = rig.client.caller().await;
            let seen = seen.lock().expect("no panic");
            let found: Vec<_> = seen
                .iter()
                .map(|one| {
                    assert_eq!((one.operation, &one.scope), ("Viewer", &None));
                    (
                        one.attempt,
                        one.status,
                        one.request_id.as_deref(),
                        one.error,
                    )
                })
                .collect();
            assert_eq!(found, told);
        }
    }

    #[tokio::test]
    async fn a_request_is_told_with_the_scope_that_it_is_about() {
        use crate::ports::SpaceSettings as _;
        let space = crate::model::SpaceId::new("amazing-hofstadter-175565").expect("an id");
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&seen);
        let mut rig = Rig::new([status(403), status(403), status(403)]);
        rig.client = rig.client.observed(Box::new(move |one| {
            let scope = one.scope.as_ref().map(ToString::to_string);
            let told = format!("{} {}", one.operation, scope.unwrap_or_default());
            sink.lock().expect("no panic").push(told);
        }));
        let scope = Scope::Space(space.clone());
        let _ = rig.client.space(&space).await;
        let _ = rig.client.accounts(&scope).await;
        let _ = rig.client.clean_up(&space).await;
        let told = ["Space", "ServiceAccounts", "CleanUp"].map(|name| format!("{name} {scope}"));
        assert_eq!(*seen.lock().expect("no panic"), told);
    }
}
