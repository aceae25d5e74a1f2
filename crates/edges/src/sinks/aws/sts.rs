//! AWS STS: a role for the token of another identity, a role for other keys, and whose keys some are.
//!
//! Source: the API reference of AWS STS (2011-06-15): `AssumeRole`, `AssumeRoleWithWebIdentity`,
//! `GetCallerIdentity`.

use std::fs;

use zeroize::Zeroizing;

use super::answer;
use super::keys::{Keys, refuse};
use super::sign::{Signable, signature};
use crate::http::{Again, Answer, Method, Request, Words};
use crate::model::{Origin, aws_address, aws_partition, is_aws_address};
use crate::ports::{SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// The largest answer that is read.
const LARGEST: usize = 256 * 1024;
/// How requests are written.
const FORM: &str = "application/x-www-form-urlencoded";
/// What a session is called that nobody names.
const SESSION: &str = "rolecall";

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "AWS_ENDPOINT_URL_STS",
};

/// A role that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    /// What the session is called in AWS's logs; `rolecall` if nobody says.
    pub(super) session: Option<String>,
    /// What the role's trust policy may ask for besides.
    pub(super) external_id: Option<String>,
    /// How long the keys last, in seconds; as AWS has it if nobody says.
    pub(super) seconds: Option<String>,
}

impl Role {
    fn fields<'a>(&'a self, action: &'a str) -> Vec<(&'static str, &'a str)> {
        let Self {
            arn,
            session,
            external_id,
            seconds,
        } = self;
        let session = session.as_deref().unwrap_or(SESSION);
        let mut fields = vec![
            ("Action", action),
            ("Version", "2011-06-15"),
            ("RoleArn", arn.as_str()),
            ("RoleSessionName", session),
        ];
        fields.extend(external_id.as_deref().map(|id| ("ExternalId", id)));
        fields.extend(seconds.as_deref().map(|time| ("DurationSeconds", time)));
        fields
    }
}

/// Where STS is: the region's own address, or where the machine says, if that is AWS's own too or a policy
/// directory allows it.
pub(super) fn address(machine: &Machine, region: &str) -> Result<Origin, SinkError> {
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

/// Fields as a form sends them; nothing of it is left behind in memory.
fn form(fields: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
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
            match byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                true => out.push(byte),
                false => {
                    out.push(b'%');
                    out.extend([byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
                }
            }
        }
    }
    out
}

/// The name of the error that an answer tells.
fn code(answer: &Answer) -> Option<String> {
    answer::element(&answer.body, "Code").map(|code| answer::code(&code))
}

/// Whether an answer asks for the request to be sent again. STS says with 400 that it is asked too much, and
/// that it did not reach who signs the token.
fn again(answer: &Answer) -> Again {
    match (answer.status, code(answer).as_deref()) {
        (400, Some("Throttling" | "ThrottlingException" | "IDPCommunicationError")) => {
            Again::Always
        }
        _ => remote::usual(answer),
    }
}

/// Asks something; with keys, they sign it.
async fn ask(
    machine: &Machine,
    region: &str,
    operation: &'static str,
    fields: &[(&str, &str)],
    keys: Option<&Keys>,
) -> Result<Answer, SinkError> {
    let origin = address(machine, region)?;
    let client = machine.client(origin.as_str(), None, WORDS)?;
    let (url, body) = (format!("{origin}/"), form(fields));
    let signable = Signable {
        service: "sts",
        region,
        url: &url,
        headers: &[("content-type", FORM.to_owned())],
        body: &body,
    };
    let signed = || match keys {
        None => Ok(Vec::new()),
        Some(keys) => signature(&signable, keys, (machine.time.now)()),
    };
    // Whether it can be signed does not depend on the time.
    signed()?;
    let make = || {
        let mut request = Request::new(Method::Post, url.as_str())
            .header("content-type", FORM)
            .body(body.clone());
        for (name, value) in signed().unwrap_or_default() {
            request = request.secret(name, value);
        }
        request.largest_answer = LARGEST;
        request
    };
    let call = Call {
        operation,
        // What is asked for twice is given twice, and ends by itself.
        writes: false,
        make: &make,
        again,
    };
    remote::send(machine, &client, &call).await
}

/// Whether a login that was refused may be taken in some minutes, by the name of the error.
///
/// * `AccessDenied`: a role and its trust policy count after a while. Sources: IAM User Guide, "Troubleshoot IAM",
///   "Changes that I make are not always immediately visible"; hashicorp/terraform-provider-aws#6566 (10 to 30 s)
///   and DataDog/stratus-red-team#358 (up to a minute), both of this error.
/// * `InvalidIdentityToken` where STS did not get the key that the token is checked with. Source: aws/aws-cli#7194,
///   where the same token is taken later.
/// * `InvalidClientTokenId` of keys that a role gave: they are not known everywhere yet. Source:
///   aws-actions/configure-aws-credentials#1681. Of other keys it says that there are none such.
fn refusal(answer: &Answer, of_role: bool) -> SinkErrorKind {
    let message = answer::element(&answer.body, "Message");
    let no_key = || message.is_some_and(|text| text.contains("retrieve verification key"));
    match code(answer).as_deref() {
        Some("AccessDenied") => SinkErrorKind::PermissionDenied,
        Some("InvalidClientTokenId") if of_role => SinkErrorKind::PermissionDenied,
        Some("InvalidIdentityToken") if no_key() => SinkErrorKind::Unavailable,
        _ if answer.status >= 500 => SinkErrorKind::Unavailable,
        _ => SinkErrorKind::Unauthenticated,
    }
}

/// The keys that an answer gives.
fn keys(answer: &Answer, asked: &str, help: &str) -> Result<Keys, SinkError> {
    let text = |name| answer::element(&answer.body, name);
    if answer.status != 200 {
        let code = code(answer).map(|code| format!(", {code}"));
        return Err(answer::refuse(
            refusal(answer, false),
            format!(
                "AWS STS gave no keys for {asked} (HTTP {}{})",
                answer.status,
                code.unwrap_or_default()
            ),
            help,
        ));
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

/// A role that is given for the token of another identity. Nothing but that token is the login. `named` is what
/// names its file.
pub(super) async fn by_token(
    machine: &Machine,
    region: &str,
    role: &Role,
    file: &str,
    named: &str,
) -> Result<Keys, SinkError> {
    let token = fs::read_to_string(file).map(Zeroizing::new);
    let token = token.or_else(|error| {
        refuse(
            format!("the file of {named} cannot be read: {error}"),
            "name a file that holds a token, which is read anew for each login",
        )
    })?;
    let mut fields = role.fields("AssumeRoleWithWebIdentity");
    fields.push(("WebIdentityToken", token.trim()));
    let answer = ask(machine, region, "aws web identity", &fields, None).await?;
    let help = "look at the role's trust policy: issuer, audience and subject of the token";
    keys(&answer, "the web identity", help)
}

/// A role that is given for other keys.
pub(super) async fn by_keys(
    machine: &Machine,
    region: &str,
    role: &Role,
    own: &Keys,
) -> Result<Keys, SinkError> {
    let fields = role.fields("AssumeRole");
    let answer = ask(machine, region, "aws role", &fields, Some(own)).await?;
    let help =
        "look whether the profile's own login may take the role, and at the role's trust policy";
    keys(&answer, "the role of the profile", help)
}

/// The account of whoever has these keys.
pub(super) async fn account(
    machine: &Machine,
    region: &str,
    keys: &Keys,
) -> Result<String, SinkError> {
    let fields = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    let answer = ask(machine, region, "aws identity", &fields, Some(keys)).await?;
    let account = answer::element(&answer.body, "Account");
    match account.filter(|_| answer.status == 200) {
        Some(account) => Ok(account.to_string()),
        None => Err(answer::refuse(
            refusal(&answer, keys.until.is_some()),
            format!(
                "AWS STS does not say whose the login is (HTTP {})",
                answer.status
            ),
            "renew the login, and look at this machine's clock",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_what_it_is_given() {
        let body = form(&[("a", "x y&=+/~"), ("b", "ü")]);
        assert_eq!(
            String::from_utf8_lossy(&body),
            "a=x%20y%26%3D%2B%2F~&b=%C3%BC"
        );
    }

    #[test]
    fn who_asks_sts_too_much_waits_though_it_says_so_in_xml_with_400() {
        let told = |status, code: &str| {
            let body = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
            again(&Answer::new(status, body))
        };
        assert_eq!(told(400, "Throttling"), Again::Always);
        assert_eq!(told(400, "IDPCommunicationError"), Again::Always);
        assert_eq!(told(400, "InvalidIdentityToken"), Again::Never);
        assert_eq!(told(503, "ServiceUnavailable"), Again::Reads);
    }

    #[test]
    fn a_trust_that_was_given_just_now_may_count_soon_and_a_bad_token_never() {
        let told = |code: &str, message: &str, of_role| {
            let body = format!(
                "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            );
            refusal(&Answer::new(403, body), of_role).may_pass()
        };
        let unfetched = "Couldn't retrieve verification key from your identity provider";
        for (code, message, of_role, passes) in [
            (
                "AccessDenied",
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                false,
                true,
            ),
            ("InvalidIdentityToken", unfetched, false, true),
            (
                "InvalidIdentityToken",
                "Incorrect token audience",
                false,
                false,
            ),
            ("ExpiredTokenException", "Token expired", false, false),
            (
                "InvalidClientTokenId",
                "The security token is invalid",
                true,
                true,
            ),
            (
                "InvalidClientTokenId",
                "The security token is invalid",
                false,
                false,
            ),
        ] {
            assert_eq!(
                told(code, message, of_role),
                passes,
                "{code} {message} {of_role}"
            );
        }
    }
}
