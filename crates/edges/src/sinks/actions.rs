//! The identity token of a job of GitHub Actions, which other services take for a login.
//! Source: GitHub's documentation, "OpenID Connect reference": `ACTIONS_ID_TOKEN_REQUEST_URL` and
//! `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::machine::Machine;
use super::remote::{self, Call};
use crate::http::{Method, Request, Words};
use crate::ports::{Effect, SinkError, SinkErrorKind};

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "ACTIONS_ID_TOKEN_REQUEST_URL",
};

/// A fresh token for whom it is meant: each lives for minutes.
///
/// # Errors
/// Why there is none.
pub(super) async fn token(
    machine: &Machine,
    audience: Option<&str>,
) -> Result<Zeroizing<String>, SinkError> {
    let refuse = |kind, message: String, help: &str| SinkError {
        kind,
        effect: Effect::None,
        message,
        help: Some(help.to_owned()),
    };
    let rights = "give the job `permissions: id-token: write`";
    let (Some(url), Some(bearer)) = (
        machine.variable("ACTIONS_ID_TOKEN_REQUEST_URL"),
        machine.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ) else {
        let message = "this job has no identity token of GitHub Actions".to_owned();
        return Err(refuse(SinkErrorKind::Unauthenticated, message, rights));
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/".contains(&b);
    let url = match audience {
        None => url.to_owned(),
        Some(audience) if audience.bytes().all(plain) => {
            let joint = if url.contains('?') { '&' } else { '?' };
            format!("{url}{joint}audience={audience}")
        }
        Some(_) => {
            let message = "the audience of the identity token is no plain text".to_owned();
            let help = "letters, digits and `-._~:/` make one";
            return Err(refuse(SinkErrorKind::Unfit, message, help));
        }
    };
    let parts: Vec<&str> = url.splitn(4, '/').take(3).collect();
    let client = machine.client(&parts.join("/"), None, WORDS)?;
    let make = || {
        let mut request = Request::new(Method::Get, url.as_str()).secret(
            "authorization",
            Zeroizing::new(format!("Bearer {}", bearer.trim())),
        );
        request.largest_answer = 64 * 1024;
        request
    };
    let call = Call {
        operation: "identity token",
        writes: false,
        make: &make,
        again: remote::usual,
    };
    let answer = remote::send(machine, &client, &call).await?;
    #[derive(Deserialize)]
    struct Issued {
        #[serde(deserialize_with = "crate::secret::zeroizing")]
        value: Zeroizing<String>,
    }
    match serde_json::from_slice::<Issued>(&answer.body) {
        Ok(issued) if answer.status == 200 => Ok(issued.value),
        _ => {
            let message = format!("GitHub gave no identity token (HTTP {})", answer.status);
            Err(refuse(SinkErrorKind::Unauthenticated, message, rights))
        }
    }
}
