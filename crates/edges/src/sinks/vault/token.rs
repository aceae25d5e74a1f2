//! A token in use: until when it is good, and what one that somebody gave may ask about itself.
//!
//! Source: Vault's API documentation, "Token auth method" (`lookup-self`, `renew-self`); its policy `default` allows
//! both.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::answer::{self, INDEX};
use crate::http::{Answer, Client, Method, Request};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// A token of a login that ends within this time is replaced before it is used.
const EARLY: SignedDuration = SignedDuration::from_secs(30);
/// A token that was given is renewed once it ends within this time, or half of what it had.
const RENEWED: SignedDuration = SignedDuration::from_secs(120);
/// The pause after a renewal that failed, before it is tried again.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// What a birth may take from the last look until its key is there, while the platform is slow to show it.
const BIRTH: SignedDuration = SignedDuration::from_secs(90);

/// A token in use.
pub(super) struct Token {
    text: Zeroizing<String>,
    /// When it ends; `None` if it does not, or that is not told.
    until: Option<Timestamp>,
    /// What is known of one that no login of this run made, so that none can take its place.
    given: Option<Given>,
}

#[derive(Clone, Copy)]
struct Given {
    renewable: bool,
    /// How long it had when that was last told.
    term: SignedDuration,
    /// Until when a renewal that failed is not tried again.
    rest: Option<Timestamp>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(until {:?})", self.until)
    }
}

/// The namespace of the login, as its variable says; `None` for the root namespace.
pub(super) fn namespace(machine: &Machine) -> Option<&str> {
    let text = machine.variable("VAULT_NAMESPACE")?.trim_matches('/');
    Some(text).filter(|text| !text.is_empty() && *text != "root")
}

impl Token {
    /// One that a login made just now.
    pub(super) fn of_login(text: Zeroizing<String>, until: Option<Timestamp>) -> Self {
        Self {
            text,
            until,
            given: None,
        }
    }

    /// The one of `VAULT_TOKEN`. When it ends is asked of the server; where its policies do not allow that, nobody
    /// knows.
    ///
    /// # Errors
    /// If the server is not at work.
    pub(super) async fn given(machine: &Machine, client: &Client) -> Result<Self, SinkError> {
        #[derive(Deserialize)]
        struct Looked {
            data: Told,
        }
        #[derive(Deserialize)]
        struct Told {
            /// In seconds; 0 for a token that does not end.
            #[serde(default)]
            ttl: i64,
            #[serde(default)]
            renewable: bool,
        }
        let text = machine.variable("VAULT_TOKEN").unwrap_or_default().trim();
        let mut token = Self {
            text: Zeroizing::new(text.to_owned()),
            until: None,
            given: Some(Given {
                renewable: false,
                term: SignedDuration::ZERO,
                rest: None,
            }),
        };
        let now = (machine.time.now)();
        let look = ("vault lookup", Method::Get, "lookup-self");
        let answer = token.ask(machine, client, look).await?;
        if answer.status == 429 || answer.status >= 500 {
            return Err(answer::failing(&answer, &token.text, false));
        }
        let told = serde_json::from_slice::<Looked>(&answer.body).ok();
        if let (200, Some(Looked { data: told })) = (answer.status, told) {
            token.lives(now, told.ttl, told.renewable);
        }
        Ok(token)
    }

    /// Notes how long it lasts from now on, in seconds.
    fn lives(&mut self, now: Timestamp, seconds: i64, renewable: bool) {
        let term = SignedDuration::from_secs(seconds);
        self.until = (seconds > 0).then(|| now + term);
        self.given = Some(Given {
            renewable,
            term,
            rest: None,
        });
    }

    pub(super) fn text(&self) -> Zeroizing<String> {
        self.text.clone()
    }

    /// Whether another one, or more time, is not needed yet.
    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        let early = match &self.given {
            None => EARLY,
            Some(Given {
                renewable: true,
                term,
                rest,
            }) if rest.is_none_or(|rest| rest <= now) => RENEWED.min(*term / 2),
            // Nothing can be done about it.
            Some(_) => return true,
        };
        self.until.is_none_or(|until| now + early < until)
    }

    /// Whether a login of this run can take its place.
    pub(super) fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// Makes one that was given last longer. One that cannot is as it was, and what is asked next tells what is
    /// wrong with the server.
    pub(super) async fn renewed(mut self, machine: &Machine, client: &Client) -> Self {
        #[derive(Deserialize)]
        struct Renewed {
            auth: Told,
        }
        #[derive(Deserialize)]
        struct Told {
            /// In seconds; 0 for a token that does not end.
            #[serde(default)]
            lease_duration: i64,
            #[serde(default)]
            renewable: bool,
        }
        let now = (machine.time.now)();
        let renew = ("vault renew", Method::Post, "renew-self");
        let answer = self.ask(machine, client, renew).await.ok();
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        let told = answer.and_then(|answer| serde_json::from_slice::<Renewed>(&answer.body).ok());
        let Some(given) = &mut self.given else {
            return self;
        };
        match (status, told) {
            (200, Some(Renewed { auth: told })) => {
                let left = self.until.map(|until| until.duration_since(now));
                // At the end that its role sets for it, it gets no more than it had.
                let more = left.is_none_or(|left| told.lease_duration > left.as_secs() + 1);
                let ends = told.lease_duration > 0;
                self.lives(now, told.lease_duration, told.renewable && (more || !ends));
            }
            (400..=428 | 430..=499, _) => given.renewable = false,
            _ => given.rest = Some((machine.time.now)() + PAUSE),
        }
        self
    }

    /// Sees that it lasts until a key that is made now is where it has to be.
    ///
    /// # Errors
    /// That it does not.
    pub(super) fn lasts_for_a_birth(&self, now: Timestamp) -> Result<(), SinkError> {
        let (
            Some(Given {
                renewable: false, ..
            }),
            Some(until),
        ) = (self.given, self.until)
        else {
            return Ok(());
        };
        let left = until.duration_since(now);
        if left >= BIRTH {
            return Ok(());
        }
        let ends = match left.is_positive() {
            true => format!("ends in {} s", left.as_secs()),
            false => "has ended".to_owned(),
        };
        Err(SinkError {
            kind: SinkErrorKind::Unauthenticated,
            effect: Effect::None,
            message: format!(
                "the token of VAULT_TOKEN {ends} and cannot be renewed, so that a key might not get there in time"
            ),
            help: Some(
                "set one that lasts longer or is renewable, or let rolecall log in (rolecall docs sink-vault)"
                    .to_owned(),
            ),
        })
    }

    /// Asks the server something about the token itself.
    async fn ask(
        &self,
        machine: &Machine,
        client: &Client,
        (operation, method, asked): (&'static str, Method, &str),
    ) -> Result<Answer, SinkError> {
        let url = format!("{}/v1/auth/token/{asked}", client.shown());
        let make = || {
            let mut request = Request::new(method, url.as_str())
                .secret("x-vault-token", self.text.clone())
                .header("x-vault-request", "true");
            if let Some(namespace) = namespace(machine) {
                request = request.header("x-vault-namespace", namespace);
            }
            if method == Method::Post {
                request = request
                    .header("content-type", "application/json")
                    .body(Zeroizing::new(b"{}".to_vec()));
            }
            request.wanted = &[INDEX];
            request
        };
        let call = Call {
            operation,
            // To renew it twice does no more than once.
            writes: false,
            make: &make,
            again: answer::again,
        };
        remote::send(machine, client, &call).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-01T10:00:00Z".parse().expect("a time")
    }

    fn token(seconds: i64, renewable: bool) -> Token {
        let mut token = Token::of_login(Zeroizing::new("t".to_owned()), None);
        token.lives(now(), seconds, renewable);
        token
    }

    #[test]
    fn a_given_token_is_renewed_in_time_and_one_that_cannot_be_must_last_for_a_birth() {
        for (seconds, renewable, passed, lasts, good) in [
            (0, false, 1_000_000, true, true),
            (3600, true, 3479, true, true),
            (3600, true, 3480, false, true),
            // A short one is renewed in its middle, not all the time.
            (60, true, 29, true, true),
            (60, true, 30, false, true),
            (3600, false, 3510, true, true),
            (3600, false, 3511, true, false),
            (3600, false, 3700, true, false),
        ] {
            let token = token(seconds, renewable);
            let then = now() + SignedDuration::from_secs(passed);
            let found = (token.lasts(then), token.lasts_for_a_birth(then).is_ok());
            assert_eq!(found, (lasts, good), "{seconds} {renewable} {passed}");
        }
        let later = now() + SignedDuration::from_secs(3511);
        let told = token(3600, false).lasts_for_a_birth(later);
        let told = told.expect_err("too soon").to_string();
        assert!(told.contains("ends in 89 s"), "{told}");
    }
}
