//! The role of a container of ECS or a pod of EKS.
//!
//! Source: AWS's "SDKs and Tools Reference Guide", "Container credential provider".

use std::fs;

use zeroize::Zeroizing;

use super::answer;
use super::keys::{Keys, refuse};
use crate::http::{Method, Request, Words};
use crate::ports::SinkError;
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

const ECS: &str = "http://169.254.170.2";
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// The largest answer that is read.
const LARGEST: usize = 64 * 1024;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: FULL,
};

/// Where the machine says that the role is asked for: origin and path. `None` if it says nothing.
fn asked(machine: &Machine) -> Result<Option<(String, String)>, SinkError> {
    let url = match (machine.variable(RELATIVE), machine.variable(FULL)) {
        (Some(path), _) if path.starts_with('/') => format!("{ECS}{path}"),
        (Some(_), _) => {
            return refuse(
                format!("{RELATIVE} is no path, so that nothing was sent"),
                "leave it as the agent of the container sets it",
            );
        }
        (None, Some(url)) => url.to_owned(),
        (None, None) => return Ok(None),
    };
    match place_of(&url) {
        Some(found) => Ok(Some(found)),
        None => refuse(
            format!(
                "{FULL} names a host from which no role of a container comes; nothing was sent"
            ),
            "it is an address of this machine, of ECS (169.254.170.2) or of EKS (169.254.170.23)",
        ),
    }
}

/// Origin and path of a URL of this machine or of AWS's own agents. Nothing else is asked: who sets the variable
/// would get the token.
fn place_of(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let plain = |c: char| c.is_ascii_graphic() && c != '#' && c != '\\';
    if !path.chars().all(plain) || !(path.is_empty() || path.starts_with('/')) {
        return None;
    }
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|b| b.is_ascii_digit()) => bare,
        _ => host,
    };
    let near = ["127.0.0.1", "[::1]", "localhost"].contains(&bare);
    let agents = ["169.254.170.2", "169.254.170.23"].contains(&host);
    if !(near && matches!(scheme, "http" | "https") || agents && scheme == "http") {
        return None;
    }
    Some((format!("{scheme}://{host}"), path.to_owned()))
}

/// The keys of the container's role; `None` where the machine names none.
///
/// # Errors
/// Why it gives no keys.
pub(super) async fn enter(machine: &Machine) -> Result<Option<Keys>, SinkError> {
    let Some((origin, path)) = asked(machine)? else {
        return Ok(None);
    };
    let token = match machine.variable(TOKEN_FILE) {
        Some(path) => {
            let text = fs::read_to_string(path).map(Zeroizing::new);
            let text = text.or_else(|error| {
                refuse(
                    format!("the file of {TOKEN_FILE} cannot be read: {error}"),
                    "see that it is there and may be read",
                )
            })?;
            Some(Zeroizing::new(text.trim().to_owned()))
        }
        None => machine
            .variable(TOKEN)
            .map(|text| Zeroizing::new(text.to_owned())),
    };
    if token
        .as_ref()
        .is_some_and(|text| text.bytes().any(|b| b.is_ascii_control()))
    {
        return refuse(
            format!("the token of {TOKEN} or its file is no value of a header"),
            "leave it as AWS sets it",
        );
    }
    let client = machine.client(&origin, None, WORDS)?;
    let make = || {
        let mut request = Request::new(Method::Get, format!("{origin}{path}"));
        if let Some(token) = &token {
            request = request.secret("authorization", token.clone());
        }
        request.largest_answer = LARGEST;
        request
    };
    let call = Call {
        operation: "aws container role",
        writes: false,
        make: &make,
        again: remote::usual,
    };
    let answer = remote::send(machine, &client, &call).await?;
    if answer.status != 200 {
        return refuse(
            format!(
                "the container's agent gives no role (HTTP {})",
                answer.status
            ),
            "see that the task or the pod has a role",
        );
    }
    match Keys::given(&answer.body) {
        Some(keys) => Ok(Some(keys)),
        None => Err(answer::malformed(
            "the answer of the container's agent holds no keys",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_asked_of_this_machine_and_of_awss_agents_alone() {
        for (url, origin, path) in [
            ("http://169.254.170.2/v2/x", "http://169.254.170.2", "/v2/x"),
            (
                "http://169.254.170.23/v1/credentials",
                "http://169.254.170.23",
                "/v1/credentials",
            ),
            (
                "http://127.0.0.1:51679/x?y",
                "http://127.0.0.1:51679",
                "/x?y",
            ),
        ] {
            let found = place_of(url).expect(url);
            assert_eq!((&*found.0, &*found.1), (origin, path));
        }
        for url in [
            "https://any.example/x",
            "http://evil.example/x",
            "http://169.254.169.254/x",
            "http://169.254.170.2:8080/x",
            "http://169.254.170.2.evil.example/x",
            "http://127.0.0.1@evil.example/",
            "http://127.0.0.1:1@evil.example/",
            "http://127.0.0.1\\@evil.example/",
            "http://127.0.0.1/a b",
            "file:///etc",
        ] {
            assert!(place_of(url).is_none(), "{url}");
        }
    }
}
