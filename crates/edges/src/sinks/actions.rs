//! The identity token of a job of GitHub Actions, which other services take for a login.
//! Source: GitHub's documentation, "OpenID Connect reference": `ACTIONS_ID_TOKEN_REQUEST_URL` and
//! `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.

use zeroize::Zeroizing;

use super::machine::Machine;
use super::remote::{self, Call};
use crate::http::Words;
use crate::identity_token::{ACTIONS_RIGHTS, NotAsked, ask_actions, of_actions};
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
    let (Some(url), Some(bearer)) = (
        machine.variable("ACTIONS_ID_TOKEN_REQUEST_URL"),
        machine.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ) else {
        let message = "this job has no identity token of GitHub Actions".to_owned();
        return Err(refuse(
            SinkErrorKind::Unauthenticated,
            message,
            ACTIONS_RIGHTS,
        ));
    };
    let actions = ask_actions(url, bearer, audience).map_err(|why| {
        let help = match why {
            NotAsked::Audience => "letters, digits and `-._~:/` make one",
            NotAsked::Address => "GitHub sets it in its jobs; set it to nothing else",
        };
        refuse(SinkErrorKind::Unfit, why.to_string(), help)
    })?;
    let client = machine.client(&actions.origin, None, WORDS)?;
    let make = || actions.request();
    let call = Call {
        operation: "identity token",
        writes: false,
        make: &make,
        again: remote::usual,
    };
    let answer = remote::send(machine, &client, &call).await?;
    of_actions(&answer).ok_or_else(|| {
        let message = format!("GitHub gave no identity token (HTTP {})", answer.status);
        refuse(SinkErrorKind::Unauthenticated, message, ACTIONS_RIGHTS)
    })
}
