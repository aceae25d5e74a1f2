//! How long GitHub wants to be left alone.
//!
//! Source: GitHub's documentation, "Rate limits for the REST API" and "Best practices for using the REST
//! API": an answer with status 403 or 429 says it by `Retry-After`, by the time at which the limit is lifted,
//! or by its text alone; then it is at least a minute, and longer each time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::answer;
use crate::http::Answer;

/// The longest that one request waits in all: a delivery looks and writes, and is over before other runs take a
/// birth for dead, after 15 minutes.
pub(super) const LONGEST: Duration = Duration::from_secs(420);
/// How long is waited where GitHub does not say.
const UNTOLD: Duration = Duration::from_secs(60);

/// How long an answer asks to wait before the request is sent again; `None` if it asks for nothing of the
/// kind. `tried` is how often it asked before.
pub(super) fn asked(answer: &Answer, tried: u32, now: Timestamp) -> Option<Duration> {
    let limited = match answer.status {
        429 => true,
        403 => {
            let said = answer::said(answer).to_ascii_lowercase();
            answer.retry_after.is_some()
                || said.contains("rate limit")
                || said.contains("abuse detection")
        }
        _ => false,
    };
    if !limited {
        return None;
    }
    if let Some(wait) = answer.retry_after {
        return Some(wait.max(Duration::from_secs(1)));
    }
    let untold = UNTOLD * 2_u32.saturating_pow(tried.min(8));
    if answer.header("x-ratelimit-remaining") != Some("0") {
        return Some(untold);
    }
    let reset = answer.header("x-ratelimit-reset");
    let reset = reset.and_then(|text| Timestamp::from_second(text.parse().ok()?).ok());
    // By the server's own clock; its seconds are cut off.
    let wait = reset.map(|reset| {
        reset.duration_since(answer.date.unwrap_or(now)) + SignedDuration::from_secs(1)
    });
    let wait = wait.and_then(|wait| Duration::try_from(wait).ok());
    Some(wait.unwrap_or(untold).max(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, message: &str) -> Answer {
        Answer::new(status, format!("{{\"message\":\"{message}\"}}"))
    }

    fn now() -> Timestamp {
        "2026-11-01T10:00:00Z".parse().expect("a time")
    }

    #[test]
    fn a_limit_is_told_from_a_refusal() {
        let seconds = |answer: &Answer| asked(answer, 0, now()).map(|wait| wait.as_secs());
        for (status, message, waits) in [
            (
                403,
                "You have exceeded a secondary rate limit. Please wait",
                true,
            ),
            (403, "API rate limit exceeded for user ID 1.", true),
            (
                403,
                "You have triggered an abuse detection mechanism.",
                true,
            ),
            (429, "", true),
            (403, "Resource not accessible by integration", false),
            (403, "Must have admin rights to Repository.", false),
            (404, "Not Found", false),
            (422, "rate limit", false),
            (500, "rate limit", false),
        ] {
            let found = seconds(&answer(status, message));
            assert_eq!(found, waits.then_some(60), "{status} {message}");
        }
        let mut told = answer(403, "whatever");
        told.retry_after = Some(Duration::from_secs(7));
        assert_eq!(seconds(&told), Some(7));
    }

    #[test]
    fn the_wait_is_what_was_told_else_longer_each_time() {
        let limited = answer(403, "secondary rate limit");
        let waits = [0, 1, 2].map(|tried| asked(&limited, tried, now()).map(|w| w.as_secs()));
        assert_eq!(waits, [Some(60), Some(120), Some(240)]);
        // The server's clock is 24 s behind; its reset is by that clock.
        let mut primary = answer(403, "API rate limit exceeded");
        primary.headers = vec![
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset", (now().as_second() + 76).to_string()),
        ];
        primary.date = Some(now() - SignedDuration::from_secs(24));
        assert_eq!(asked(&primary, 0, now()), Some(Duration::from_secs(101)));
        primary.headers[0].1 = "12".to_owned();
        assert_eq!(asked(&primary, 0, now()), Some(Duration::from_secs(60)));
    }
}
