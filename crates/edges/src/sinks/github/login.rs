//! Who rolecall is at GitHub: a token, or an App that is installed there. By variables of the environment
//! alone, never by the configuration.
//!
//! Source: GitHub's documentation, "Generating a JSON Web Token (JWT) for a GitHub App" and "Generating an
//! installation access token for a GitHub App".

use std::collections::BTreeMap;
use std::fs;

use aws_lc_rs::signature::RsaKeyPair;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::answer::{self, malformed};
use crate::http::{Answer, Client, Method};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::jwt;
use crate::sinks::machine::{BIRTH, Machine};
use crate::sinks::remote::{self, Call};

const TOKEN: &str = "ROLECALL_GITHUB_TOKEN";
const APP_ID: &str = "ROLECALL_GITHUB_APP_ID";
const INSTALLATION: &str = "ROLECALL_GITHUB_APP_INSTALLATION_ID";
const KEY: &str = "ROLECALL_GITHUB_APP_PRIVATE_KEY";
const KEY_FILE: &str = "ROLECALL_GITHUB_APP_PRIVATE_KEY_FILE";

/// A token that ends within this time is replaced before it is used.
const EARLY: SignedDuration = SignedDuration::from_mins(2);
const _: () = assert!(BIRTH.as_secs() <= EARLY.as_secs());
/// How long an assertion is good, and how far back it begins. Source: ten minutes at most, and a minute back
/// for clocks that differ.
const ASSERTED: (i64, i64) = (540, 60);
/// Clocks that differ by more are told of, in seconds.
const APART: i64 = 30;

/// How rolecall logs in.
#[derive(Debug)]
pub(super) enum Login {
    /// A token of somebody.
    Token,
    /// An App, by its id or client id, where it is installed.
    App { id: String, installation: String },
}

/// A token in use.
pub(super) struct Token {
    text: Zeroizing<String>,
    /// When it ends; `None` if that is not told.
    until: Option<Timestamp>,
    /// What it may do, where GitHub says.
    permissions: Option<BTreeMap<String, String>>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(until {:?})", self.until)
    }
}

impl Token {
    pub(super) fn text(&self) -> Zeroizing<String> {
        self.text.clone()
    }

    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now + EARLY < until)
    }

    /// Whether it may write what needs a permission, as far as that is told.
    pub(super) fn may_write(&self, permission: Option<&str>) -> bool {
        match (&self.permissions, permission) {
            (Some(held), Some(needed)) => held.get(needed).is_some_and(|held| held == "write"),
            _ => true,
        }
    }
}

fn refuse<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, SinkError> {
    Err(SinkError {
        kind: SinkErrorKind::Unauthenticated,
        effect: Effect::None,
        message: message.into(),
        help: Some(help.into()),
    })
}

impl Login {
    /// Which login the machine has.
    pub(super) fn find(machine: &Machine) -> Result<Self, SinkError> {
        let set = |name: &str| machine.variable(name).is_some();
        if set(TOKEN) {
            return Ok(Self::Token);
        }
        if ![APP_ID, INSTALLATION, KEY, KEY_FILE].into_iter().any(set) {
            return refuse(
                format!("nobody is logged in to GitHub: {TOKEN} and {APP_ID} were looked for"),
                "set one of them (rolecall docs sink-github); GITHUB_TOKEN and GH_TOKEN are not \
                 used, since that of a job cannot write secrets",
            );
        }
        let of = |name: &'static str, plain: fn(u8) -> bool, form: &str| {
            let Some(text) = machine.variable(name).map(str::trim) else {
                let message = format!("{name} is not set, which the login as an App needs");
                return refuse(message, "set it, or set ROLECALL_GITHUB_TOKEN");
            };
            match text.bytes().all(plain) && text.len() <= 64 {
                true => Ok(text.to_owned()),
                false => refuse(format!("{name} is no such id"), form),
            }
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'_' || b == b'-';
        let id = of(
            APP_ID,
            plain,
            "the settings of the App show its id and its client id",
        )?;
        let digits = |b: u8| b.is_ascii_digit();
        let form = "it is the number at the end of the address of the installation's settings";
        let installation = of(INSTALLATION, digits, form)?;
        if !set(KEY) && !set(KEY_FILE) {
            return refuse(
                format!("neither {KEY} nor {KEY_FILE} is set, which the login as an App needs"),
                "set one of them",
            );
        }
        Ok(Self::App { id, installation })
    }

    /// Where the login is from, for errors.
    pub(super) fn source(&self) -> &'static str {
        match self {
            Self::Token => TOKEN,
            Self::App { .. } => APP_ID,
        }
    }

    /// Logs in. `base` is the API's base URL.
    pub(super) async fn enter(
        &self,
        machine: &Machine,
        client: &Client,
        base: &str,
    ) -> Result<Token, SinkError> {
        let Self::App { id, installation } = self else {
            let text = machine.variable(TOKEN).unwrap_or_default().trim();
            return Ok(Token {
                text: Zeroizing::new(text.to_owned()),
                until: None,
                permissions: None,
            });
        };
        let now = (machine.time.now)();
        let assertion = assertion(&key(machine)?, id, now)?;
        let url = format!("{base}/app/installations/{installation}/access_tokens");
        let make = || answer::request(Method::Post, &url, &assertion);
        let call = Call {
            operation: "github login",
            // A login that is repeated makes one more token, which ends by itself.
            writes: false,
            make: &make,
            again: answer::again,
        };
        let answer = remote::send(machine, client, &call).await?;
        #[derive(Deserialize)]
        struct Entered {
            #[serde(deserialize_with = "crate::secret::zeroizing")]
            token: Zeroizing<String>,
            expires_at: Timestamp,
            permissions: Option<BTreeMap<String, String>>,
        }
        if answer.status != 201 {
            return Err(refused(&answer, &assertion, now));
        }
        let entered: Entered = serde_json::from_slice(&answer.body)
            .map_err(|_| malformed("the answer to the login holds no token"))?;
        let Entered {
            token,
            expires_at,
            permissions,
        } = entered;
        // By the server's own clock.
        let lasts = expires_at.duration_since(answer.date.unwrap_or(now));
        Ok(Token {
            text: token,
            until: Some(now + lasts),
            permissions,
        })
    }
}

/// An answer that does not let the App in.
fn refused(answer: &Answer, assertion: &str, now: Timestamp) -> SinkError {
    let (kind, _) = remote::kind_of(answer.status, false);
    let words = answer::shown(answer, assertion);
    let apart = answer.date.map(|date| date.as_second() - now.as_second());
    let clock = match apart.filter(|apart| apart.abs() > APART) {
        Some(apart) if apart > 0 => {
            format!("; this machine's clock is {apart} s behind GitHub's, which may be the reason")
        }
        Some(apart) => format!(
            "; this machine's clock is {} s before GitHub's, which may be the reason",
            apart.abs()
        ),
        None => String::new(),
    };
    SinkError {
        kind: match answer.status {
            400..=404 => SinkErrorKind::Unauthenticated,
            _ => kind,
        },
        effect: Effect::None,
        message: format!("GitHub does not take the login of {APP_ID} ({words}){clock}"),
        help: Some(match answer.status {
            404 => format!("correct {INSTALLATION}: the App is not installed there"),
            _ => format!("check that {KEY} is a key of that App, and that it is not suspended"),
        }),
    }
}

/// The App's private key.
fn key(machine: &Machine) -> Result<RsaKeyPair, SinkError> {
    let (named, text) = match (machine.variable(KEY), machine.variable(KEY_FILE)) {
        (Some(text), _) => (KEY, Zeroizing::new(text.to_owned())),
        (None, path) => match fs::read_to_string(path.unwrap_or_default()) {
            Ok(text) => (KEY_FILE, Zeroizing::new(text)),
            Err(error) => {
                return refuse(
                    format!("the file of {KEY_FILE} cannot be read: {error}"),
                    "name the file that GitHub gave for the App",
                );
            }
        },
    };
    match jwt::key(&text) {
        Some(key) => Ok(key),
        None => refuse(
            format!("{named} holds no RSA key in PEM"),
            format!(
                "take the whole file that GitHub gave for the App, with its line ends; {KEY_FILE} \
                 names one"
            ),
        ),
    }
}

/// A signed claim to be the App.
fn assertion(key: &RsaKeyPair, id: &str, now: Timestamp) -> Result<Zeroizing<String>, SinkError> {
    let (ahead, back) = ASSERTED;
    let claims = serde_json::json!({
        "iat": now.as_second() - back,
        "exp": now.as_second() + ahead,
        "iss": id,
    });
    jwt::signed(key, None, &claims).ok_or_else(|| malformed("the App's key signs nothing"))
}
