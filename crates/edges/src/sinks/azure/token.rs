//! A token of Azure in use, and how answers to logins hold it.
//!
//! Source: the sources of azure-identity for Python, and Microsoft's documentation of each login.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::answer::malformed;
use crate::http::Answer;
use crate::ports::SinkError;
use crate::sinks::machine::BIRTH;

/// A token that ends within this time is replaced before it is used.
const EARLY: SignedDuration = SignedDuration::from_secs(120);
const _: () = assert!(BIRTH.as_secs() <= EARLY.as_secs());

/// A token in use.
pub(super) struct Token {
    text: Zeroizing<String>,
    until: Timestamp,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(until {})", self.until)
    }
}

impl Token {
    pub(super) fn text(&self) -> Zeroizing<String> {
        self.text.clone()
    }

    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        now + EARLY < self.until
    }
}

/// The token of an answer.
pub(super) fn token(answer: &Answer, began: Timestamp) -> Result<Token, SinkError> {
    /// A number, which some of the sources write as a text.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Number(i64),
        Text(String),
    }
    #[derive(Deserialize)]
    struct Issued {
        #[serde(deserialize_with = "crate::secret::zeroizing")]
        access_token: Zeroizing<String>,
        /// In seconds from now.
        expires_in: Option<Number>,
        /// In seconds since 1970.
        expires_on: Option<Number>,
    }
    let number = |number: Number| match number {
        Number::Number(number) => Some(number),
        Number::Text(text) => text.parse().ok(),
    };
    let strange = || malformed("the answer to the login holds no token");
    let Issued {
        access_token,
        expires_in,
        expires_on,
    } = serde_json::from_slice(&answer.body).map_err(|_| strange())?;
    let plain = |b: u8| b.is_ascii_graphic();
    if access_token.is_empty() || !access_token.bytes().all(plain) {
        return Err(strange());
    }
    let lasts = expires_in.and_then(number).map(|seconds| {
        // No token lasts longer than a day.
        began + SignedDuration::from_secs(seconds.clamp(0, 86_400))
    });
    let on = || Timestamp::from_second(expires_on.and_then(number)?).ok();
    Ok(Token {
        text: access_token,
        // One that does not say may end at any time.
        until: lasts.or_else(on).unwrap_or(began),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_when_its_source_says_in_whatever_form() {
        let began: Timestamp = "2026-11-01T10:00:00Z".parse().expect("a time");
        let end = |body: &str| token(&Answer::new(200, body), began).map(|token| token.until);
        let later = |seconds| Ok(began + SignedDuration::from_secs(seconds));
        let on = began.as_second() + 600;
        for (body, seconds) in [
            (r#"{"access_token":"t","expires_in":3599}"#.to_owned(), 3599),
            (
                r#"{"access_token":"t","expires_in":"86399"}"#.to_owned(),
                86_399,
            ),
            (
                format!(r#"{{"access_token":"t","expires_on":"{on}"}}"#),
                600,
            ),
            (r#"{"access_token":"t"}"#.to_owned(), 0),
        ] {
            assert_eq!(end(&body), later(seconds), "{body}");
        }
        for body in ["{}", r#"{"access_token":""}"#, r#"{"access_token":"a\nb"}"#] {
            assert!(end(body).is_err(), "{body}");
        }
    }
}
