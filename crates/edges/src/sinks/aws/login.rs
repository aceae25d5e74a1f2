//! Logins at AWS: keys of the environment, a web identity, a profile, or the role of a container.
//!
//! Sources: AWS's "SDKs and Tools Reference Guide", and the API reference of AWS STS.

use std::fs;

use zeroize::Zeroizing;

use super::keys::{Keys, refuse};
use super::{answer, container};
use crate::http::{Method, Request, Words};
use crate::model::{Origin, aws_address, aws_partition, is_aws_address};
use crate::ports::SinkError;
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// The largest answer of STS that is read.
const LARGEST: usize = 256 * 1024;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "AWS_ENDPOINT_URL_STS",
};

/// Logs in by the first source that the machine has.
///
/// # Errors
/// Why there is no login, with the sources that were tried.
pub(super) async fn enter(machine: &Machine, region: &str) -> Result<Keys, SinkError> {
    let id = machine.variable("AWS_ACCESS_KEY_ID");
    let key = machine.variable("AWS_SECRET_ACCESS_KEY");
    match (id, key) {
        (Some(id), Some(key)) => {
            return Ok(Keys::lasting(
                id,
                key,
                machine.variable("AWS_SESSION_TOKEN"),
            ));
        }
        (None, None) => {}
        _ => {
            return refuse(
                "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set",
                "set both, or neither",
            );
        }
    }
    let role = machine.variable("AWS_ROLE_ARN");
    let file = machine.variable("AWS_WEB_IDENTITY_TOKEN_FILE");
    match (role, file) {
        (Some(role), Some(file)) => return web_identity(machine, region, role, file).await,
        (None, None) => {}
        _ => {
            return refuse(
                "of AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE only one is set",
                "set both, or neither",
            );
        }
    }
    if let Some(path) = machine.variable("AWS_SHARED_CREDENTIALS_FILE") {
        let text = fs::read_to_string(path).map(Zeroizing::new);
        let text = text.or_else(|error| {
            refuse(
                format!("the file of AWS_SHARED_CREDENTIALS_FILE cannot be read: {error}"),
                "name a file of profiles, or unset it",
            )
        })?;
        return profile(&text, machine.variable("AWS_PROFILE").unwrap_or("default"));
    }
    // Another login than the one that is meant would be taken.
    for name in ["AWS_PROFILE", "AWS_CONFIG_FILE"] {
        if machine.variable(name).is_some() {
            return refuse(
                format!(
                    "{name} is set, and profiles are read only of the file of AWS_SHARED_CREDENTIALS_FILE"
                ),
                "name the file of credentials too, or unset it; `aws configure export-credentials \
                 --format env` gives the keys of a profile as variables",
            );
        }
    }
    if let Some(keys) = container::enter(machine).await? {
        return Ok(keys);
    }
    refuse(
        "this machine has no login at AWS; tried were AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, \
         AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE, AWS_SHARED_CREDENTIALS_FILE, \
         AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "set one of them; `aws configure export-credentials --format env` gives the first for any \
         login that the AWS CLI has",
    )
}

/// The keys of a profile.
fn profile(text: &str, wanted: &str) -> Result<Keys, SinkError> {
    let (mut id, mut key, mut token, mut inside, mut seen) = (None, None, None, false, false);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            inside = name.trim() == wanted;
            seen |= inside;
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| inside) else {
            continue;
        };
        match name.trim() {
            "aws_access_key_id" => id = Some(value.trim()),
            "aws_secret_access_key" => key = Some(value.trim()),
            "aws_session_token" => token = Some(value.trim()),
            kind @ ("credential_process" | "sso_session" | "sso_start_url" | "role_arn"
            | "source_profile" | "credential_source") => {
                return refuse(
                    format!("the profile says {kind}, which rolecall does not follow"),
                    "`aws configure export-credentials --format env` gives its keys as variables",
                );
            }
            _ => {}
        }
    }
    match (id, key) {
        (Some(id), Some(key)) => Ok(Keys::lasting(id, key, token)),
        _ if seen => refuse(
            "the profile that AWS_PROFILE names (or `default`) has no keys",
            "give it aws_access_key_id and aws_secret_access_key",
        ),
        _ => refuse(
            "the file of AWS_SHARED_CREDENTIALS_FILE has no profile of that name",
            "correct AWS_PROFILE (`default` if it is not set)",
        ),
    }
}

/// Where STS is: the region's own address, or where the machine says, if that is AWS's own too or a policy
/// directory allows it.
pub(super) fn sts(machine: &Machine, region: &str) -> Result<Origin, SinkError> {
    let own = aws_address("sts", region);
    let text = machine.variable("AWS_ENDPOINT_URL_STS").unwrap_or(&own);
    let origin = Origin::new(text).or_else(|why| {
        refuse(
            format!("AWS_ENDPOINT_URL_STS is no address, so that nothing was sent: {why}"),
            "unset it, or write scheme and host",
        )
    })?;
    let global = aws_partition(region) == "aws" && origin.as_str() == "https://sts.amazonaws.com";
    if global || is_aws_address("sts", region, &origin) || machine.allowed.contains(&origin) {
        return Ok(origin);
    }
    refuse(
        format!(
            "AWS_ENDPOINT_URL_STS is no address of AWS STS in {region}; the login was not sent"
        ),
        format!(
            "unset it, or let a policy directory say destinations {{ allow = [\"{origin}\"] }}"
        ),
    )
}

/// A role that is given for the token of another identity. Nothing but that token is the login.
async fn web_identity(
    machine: &Machine,
    region: &str,
    role: &str,
    file: &str,
) -> Result<Keys, SinkError> {
    let token = fs::read_to_string(file).map(Zeroizing::new);
    let token = token.or_else(|error| {
        refuse(
            format!("the file of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read: {error}"),
            "name a file that holds a token, which is read anew for each login",
        )
    })?;
    let session = machine
        .variable("AWS_ROLE_SESSION_NAME")
        .unwrap_or("rolecall");
    let mut body = Zeroizing::new(Vec::with_capacity(256 + 3 * (token.len() + role.len())));
    body.extend_from_slice(b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
    for (name, value) in [
        ("RoleArn", role),
        ("RoleSessionName", session),
        ("WebIdentityToken", token.trim()),
    ] {
        body.extend_from_slice(format!("&{name}=").as_bytes());
        for byte in value.bytes() {
            match byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                true => body.push(byte),
                false => body.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            }
        }
    }
    let answer = ask_sts(machine, region, "aws web identity", &body, &[]).await?;
    let text = |name| answer::element(&answer.body, name);
    if answer.status != 200 {
        let code = text("Code").map(|code| answer::code(&code));
        return refuse(
            format!(
                "AWS STS gave no keys for the web identity (HTTP {}{})",
                answer.status,
                code.map(|code| format!(", {code}")).unwrap_or_default()
            ),
            "look at the role's trust policy: issuer, audience and subject of the token",
        );
    }
    let until = text("Expiration").and_then(|text| text.parse().ok());
    match (
        text("AccessKeyId"),
        text("SecretAccessKey"),
        text("SessionToken"),
        until,
    ) {
        (Some(id), Some(key), Some(token), Some(until)) => Ok(Keys {
            id,
            key,
            token: Some(token),
            until: Some(until),
        }),
        _ => Err(answer::malformed("the answer of AWS STS holds no keys")),
    }
}

/// Asks STS something, with the headers of a signature or without.
pub(super) async fn ask_sts(
    machine: &Machine,
    region: &str,
    operation: &'static str,
    body: &Zeroizing<Vec<u8>>,
    headers: &[(&'static str, Zeroizing<String>)],
) -> Result<crate::http::Answer, SinkError> {
    let origin = sts(machine, region)?;
    let client = machine.client(origin.as_str(), None, WORDS)?;
    let make = || {
        let mut request = Request::new(Method::Post, format!("{origin}/"))
            .header("content-type", FORM)
            .body(body.clone());
        for (name, value) in headers {
            request = request.secret(name, value.clone());
        }
        request.largest_answer = LARGEST;
        request
    };
    let call = Call {
        operation,
        writes: false,
        make: &make,
        again: answer::again,
    };
    remote::send(machine, &client, &call).await
}

/// How requests to STS are written.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_gives_its_own_keys_and_programs_are_refused_by_name() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key = B\n\
                    [ci]\naws_access_key_id=C\naws_secret_access_key=D=\naws_session_token=E\n\
                    [prog]\ncredential_process = /bin/x\n[none]\nregion = x\n";
        let keys = profile(text, "ci").expect("has keys");
        assert_eq!((&**keys.id, &**keys.key), ("C", "D="));
        assert_eq!(keys.token.as_ref().map(|token| &***token), Some("E"));
        assert_eq!(&**profile(text, "default").expect("has keys").id, "A");
        for (name, told) in [
            ("prog", "credential_process"),
            ("none", "has no keys"),
            ("other", "no profile"),
        ] {
            let error = profile(text, name).expect_err("refused").to_string();
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("/bin/x"), "{error}");
        }
    }
}
