//! Who rolecall is at Google: by the file that `GOOGLE_APPLICATION_CREDENTIALS` names, or as the machine that it
//! runs on. Never by the configuration. A file says where its login is sent, so that what is not Google's own
//! is refused before anything is.
//!
//! Sources: Google's documentation, "How Application Default Credentials works", "Using OAuth 2.0 for server to
//! server applications", "Workload identity federation" and "View and query VM metadata"; RFC 8693.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::answer::{self, malformed};
use super::file::{FILE, Federated, File, Key, refuse};
use crate::http::{Answer, Method, Request, Words, excerpt};
use crate::model::Origin;
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::jwt;
use crate::sinks::machine::{BIRTH, Machine};
use crate::sinks::remote::{self, Call};

const METADATA: &str = "GCE_METADATA_HOST";
/// Where the machine's own identity is asked for. Its number is taken, since who answers for a name in a
/// network may be anybody.
const METADATA_HOST: &str = "169.254.169.254";
/// What a metadata server says of itself, and wants to hear.
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");
/// How long the metadata server may take, which is on the machine or beside it.
const NEAR: Duration = Duration::from_secs(3);

/// What a login is for. Secret Manager has no narrower scope.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// For whom an assertion is meant that goes to Google.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// How long an assertion is good, and how far back it begins for clocks that differ.
const ASSERTED: (i64, i64) = (600, 30);
/// A token that ends within this time is replaced before it is used.
const EARLY: SignedDuration = SignedDuration::from_mins(2);
const _: () = assert!(BIRTH.as_secs() <= EARLY.as_secs());
/// Clocks that differ by more are told of, in seconds.
const APART: i64 = 30;
/// The largest answer to a login.
const LARGEST: usize = 64 * 1024;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "an address in the file of GOOGLE_APPLICATION_CREDENTIALS",
};

/// A token in use.
struct Token {
    text: Zeroizing<String>,
    until: Timestamp,
}

/// The login of a run: one for all servers, since a token is good at all of them.
#[derive(Default)]
pub(super) struct Logins {
    held: Mutex<Option<Token>>,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    /// A token that is good for a while.
    pub(super) async fn token(&self, machine: &Machine) -> Result<Zeroizing<String>, SinkError> {
        let mut held = self.held.lock().await;
        let now = (machine.time.now)();
        if let Some(token) = held.as_ref().filter(|token| now + EARLY < token.until) {
            return Ok(token.text.clone());
        }
        let fresh = match File::find(machine)? {
            Some(File::Key(key)) => of_key(machine, &key).await?,
            Some(File::Federated(federated)) => of_federation(machine, &federated).await?,
            None => of_machine(machine).await?,
        };
        let text = fresh.text.clone();
        *held = Some(fresh);
        Ok(text)
    }
}

#[derive(Deserialize)]
struct Entered {
    #[serde(deserialize_with = "crate::secret::zeroizing")]
    access_token: Zeroizing<String>,
    /// In seconds.
    expires_in: i64,
}

impl Entered {
    fn read(answer: &Answer, asked_at: Timestamp) -> Result<Token, SinkError> {
        let entered: Self = serde_json::from_slice(&answer.body)
            .map_err(|_| malformed("the answer to the login holds no token"))?;
        let Self {
            access_token,
            expires_in,
        } = entered;
        Ok(Token {
            text: access_token,
            until: asked_at + SignedDuration::from_secs(expires_in.clamp(0, 86_400)),
        })
    }
}

/// Sends a part of a login to a URL.
async fn send(
    machine: &Machine,
    url: &str,
    make: &dyn Fn() -> Request,
) -> Result<Answer, SinkError> {
    let parts: Vec<&str> = url.splitn(4, '/').take(3).collect();
    let client = machine.client(&parts.join("/"), None, WORDS)?;
    let make = || {
        let mut request = make();
        request.largest_answer = LARGEST;
        request
    };
    let call = Call {
        operation: "gcp login",
        // A login that is repeated makes one more token, which ends by itself.
        writes: false,
        make: &make,
        again: answer::again,
    };
    remote::send(machine, &client, &call).await
}

/// Fields as a form sends them, of which some are secrets.
fn form(fields: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let most = fields
        .iter()
        .map(|(name, value)| name.len() + 3 * value.len() + 2);
    let mut out = Zeroizing::new(Vec::with_capacity(most.sum()));
    for (n, (name, value)) in fields.iter().enumerate() {
        if n > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        for byte in value.bytes() {
            match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                true => out.push(byte),
                false => {
                    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                    let digit = |half: u8| DIGITS[usize::from(half & 0xf)];
                    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte)]);
                }
            }
        }
    }
    out
}

fn posted(url: &str, fields: &[(&str, &str)]) -> impl Fn() -> Request + use<> {
    let (url, body) = (url.to_owned(), form(fields));
    move || {
        Request::new(Method::Post, url.as_str())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.clone())
    }
}

/// By the key of a service account.
async fn of_key(machine: &Machine, key: &Key) -> Result<Token, SinkError> {
    let now = (machine.time.now)();
    let (ahead, back) = ASSERTED;
    let claims = json!({
        "iss": key.client_email,
        "scope": SCOPE,
        // What is sent elsewhere is of no use at Google.
        "aud": if key.at_google { AUDIENCE } else { &key.token_uri },
        "iat": now.as_second() - back,
        "exp": now.as_second() + ahead,
    });
    let assertion = jwt::signed(&key.private_key, key.private_key_id.as_deref(), &claims)
        .ok_or_else(|| malformed("the key of the service account signs nothing"))?;
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let make = posted(
        &key.token_uri,
        &[("grant_type", grant), ("assertion", &assertion)],
    );
    let answer = send(machine, &key.token_uri, &make).await?;
    if answer.status != 200 {
        let whose = format!("the key of {} ({FILE})", excerpt(&key.client_email, ""));
        let help = "look whether the account or its key was disabled or deleted";
        return Err(refused(&answer, &whose, help, &assertion, now));
    }
    Entered::read(&answer, now)
}

/// By a token of somebody else, whom Google trusts.
async fn of_federation(machine: &Machine, from: &Federated) -> Result<Token, SinkError> {
    let now = (machine.time.now)();
    let subject = from.subject()?;
    let make = posted(
        &from.token_url,
        &[
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", &from.audience),
            ("scope", SCOPE),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token", &subject),
            ("subject_token_type", &from.subject_token_type),
        ],
    );
    let answer = send(machine, &from.token_url, &make).await?;
    if answer.status != 200 {
        let whose = format!("the token of {} ({FILE})", excerpt(&from.file, ""));
        let help = "check the audience and the conditions of the workload identity provider, and that \
                    the token has not ended";
        let error = answer::error_of_login(&answer.body);
        let fresh = error.is_some_and(|error| FRESH.contains(&error.as_str()));
        let refused = refused(&answer, &whose, help, &subject, now);
        return Err(match fresh {
            true => SinkError {
                kind: SinkErrorKind::PermissionDenied,
                ..refused
            },
            false => refused,
        });
    }
    let own = Entered::read(&answer, now)?;
    let Some(url) = &from.impersonation_url else {
        return Ok(own);
    };
    let body = json!({
        "scope": [SCOPE],
        "lifetime": format!("{}s", from.lifetime),
    });
    let body = Zeroizing::new(body.to_string().into_bytes());
    let bearer = Zeroizing::new(format!("Bearer {}", own.text.as_str()));
    let make = || {
        Request::new(Method::Post, url.as_str())
            .header("content-type", "application/json")
            .secret("authorization", bearer.clone())
            .body(body.clone())
    };
    let answer = send(machine, url, &make).await?;
    if answer.status != 200 {
        let help = "give the federated identity the role Workload Identity User \
                    (roles/iam.workloadIdentityUser) on the service account";
        let whose = "the federated identity for the service account that it stands for";
        return Err(refused(&answer, whose, help, &own.text, now));
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Generated {
        #[serde(deserialize_with = "crate::secret::zeroizing")]
        access_token: Zeroizing<String>,
        expire_time: Timestamp,
    }
    let generated: Generated = serde_json::from_slice(&answer.body)
        .map_err(|_| malformed("the answer to the login holds no token"))?;
    let Generated {
        access_token,
        expire_time,
    } = generated;
    // By the server's own clock.
    let lasts = expire_time.duration_since(answer.date.unwrap_or(now));
    Ok(Token {
        text: access_token,
        until: now + lasts,
    })
}

/// Where the metadata server is.
fn metadata(machine: &Machine) -> Result<String, SinkError> {
    let Some(host) = machine.variable(METADATA).map(str::trim) else {
        return Ok(format!("http://{METADATA_HOST}"));
    };
    // Plain http is for this machine and for what Google puts beside it.
    let base = format!("http://{host}");
    let googles = ["metadata.google.internal", METADATA_HOST].contains(&host);
    match googles || Origin::new(&base).is_ok() {
        true => Ok(base),
        false => refuse(
            format!(
                "{METADATA} names a server that is neither this machine nor Google's metadata server, \
                 and a login would cross the network in plain text"
            ),
            format!("unset it, or set {FILE}"),
        ),
    }
}

/// By the machine's own identity.
async fn of_machine(machine: &Machine) -> Result<Token, SinkError> {
    let now = (machine.time.now)();
    let base = metadata(machine)?;
    let client = machine.client(&base, None, WORDS)?.patient(NEAR);
    let url = format!("{base}/computeMetadata/v1/instance/service-accounts/default/token");
    let make = || {
        let (name, value) = FLAVOR;
        let mut request = Request::new(Method::Get, url.as_str()).header(name, value);
        request.largest_answer = LARGEST;
        request.wanted = &[FLAVOR.0];
        request
    };
    let call = Call {
        operation: "gcp login",
        writes: false,
        make: &make,
        again: remote::usual,
    };
    let none = |why: String| -> Result<Token, SinkError> {
        refuse(
            format!(
                "nobody is logged in to Google: {FILE} is not set, and {base}, the metadata server of \
                 a machine of Google's, {why}"
            ),
            "set it to a file, or apply where Google gives the machine an identity (rolecall docs \
             sink-gcp_secret_manager); what gcloud knows of people is not used",
        )
    };
    let answer = match remote::send(machine, &client, &call).await {
        Ok(answer) => answer,
        Err(error) => return none(format!("does not answer ({})", error.message)),
    };
    let (name, value) = FLAVOR;
    if answer.header(name) != Some(value) {
        return none("is none: another server answers there".to_owned());
    }
    match answer.status {
        200 => Entered::read(&answer, now),
        404 => none("has no service account".to_owned()),
        status => none(format!("gives no token (HTTP {status})")),
    }
}

/// Errors of an exchange that may be done in some minutes: there is no such pool or provider
/// (google-github-actions/auth#334), or its condition does not let the token in. Source: google-github-actions/auth,
/// docs/TROUBLESHOOTING.md: what was changed of a pool, a provider or a policy takes up to five minutes to count.
const FRESH: [&str; 2] = ["invalid_target", "unauthorized_client"];

/// An answer that does not let in.
pub(super) fn refused(
    answer: &Answer,
    whose: &str,
    help: &str,
    sent: &str,
    now: Timestamp,
) -> SinkError {
    let (kind, _) = remote::kind_of(answer.status, false);
    let words = match answer::said_of_login(&answer.body) {
        said if said.is_empty() => format!("HTTP {}", answer.status),
        said => format!("HTTP {}: {}", answer.status, excerpt(&said, sent)),
    };
    let apart = answer.date.map(|date| date.as_second() - now.as_second());
    let clock = match apart.filter(|apart| apart.abs() > APART) {
        Some(apart) if apart > 0 => {
            format!("; this machine's clock is {apart} s behind Google's, which may be the reason")
        }
        Some(apart) => format!(
            "; this machine's clock is {} s before Google's, which may be the reason",
            apart.abs()
        ),
        None => String::new(),
    };
    SinkError {
        kind: match answer.status {
            // To act as an account is a right like others, which takes minutes to count.
            400..=402 | 404 => SinkErrorKind::Unauthenticated,
            _ => kind,
        },
        effect: Effect::None,
        message: format!("Google does not take {whose} ({words}){clock}"),
        help: Some(help.to_owned()),
    }
}
