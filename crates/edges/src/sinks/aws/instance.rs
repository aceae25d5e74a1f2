//! The role of an instance of EC2, as its metadata gives it: the second version of that service alone, which
//! asks for a token first, so that no page that an instance is made to fetch gives its keys away.
//!
//! Sources: the Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance metadata" and
//! "Retrieve security credentials from instance metadata"; AWS's "SDKs and Tools Reference Guide", "IMDS
//! credential provider".

use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::answer;
use super::keys::{Keys, refuse};
use crate::http::{Again, Answer, Client, Method, Request, Words};
use crate::model::Origin;
use crate::ports::SinkError;
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// Where the metadata is, on the link of each instance.
const V4: &str = "http://169.254.169.254";
/// The same where IPv6 is asked for.
const V6: &str = "http://[fd00:ec2::254]";
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
/// How long an answer may take: what is no instance has nothing there.
const NEAR: Duration = Duration::from_secs(3);
/// How long the token is good that the next requests need, in seconds.
const LASTS: &str = "60";
/// The largest answer that is read.
const LARGEST: usize = 64 * 1024;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "",
    address: ENDPOINT,
};

/// What came of asking.
pub(super) enum Asked {
    Keys(Keys),
    /// There are none: why, a fragment.
    None(String),
}

/// Where the metadata is asked for. Nothing else than the two addresses and this machine is: it would be given
/// keys to sign with that are another's.
fn base(machine: &Machine) -> Result<String, SinkError> {
    if let Some(text) = machine.variable(ENDPOINT) {
        let bare = text.trim().trim_end_matches('/');
        let here = || {
            let origin = Origin::new(bare).ok()?;
            origin
                .as_str()
                .starts_with("http://")
                .then(|| origin.to_string())
        };
        return match bare {
            V4 | V6 => Ok(bare.to_owned()),
            _ => here().map_or_else(
                || {
                    refuse(
                        format!(
                            "{ENDPOINT} names neither {V4}, {V6} nor this machine, so that nothing was sent"
                        ),
                        format!("unset it, or set {MODE} to IPv6 for the second"),
                    )
                },
                Ok,
            ),
        };
    }
    match machine.variable(MODE).map(str::trim) {
        None => Ok(V4.to_owned()),
        Some(mode) if mode.eq_ignore_ascii_case("ipv4") => Ok(V4.to_owned()),
        Some(mode) if mode.eq_ignore_ascii_case("ipv6") => Ok(V6.to_owned()),
        Some(_) => refuse(
            format!("{MODE} is neither IPv4 nor IPv6, so that nothing was sent"),
            "write one of them, or unset it",
        ),
    }
}

/// Asks for the role of the instance.
///
/// # Errors
/// What is wrong with the variables that say where, or with keys that were given.
pub(super) async fn enter(machine: &Machine) -> Result<Asked, SinkError> {
    let disabled = machine.variable(DISABLED).map(str::trim);
    if disabled.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Ok(Asked::None(format!("{DISABLED} keeps it from being asked")));
    }
    let base = base(machine)?;
    let client = machine.client(&base, None, WORDS)?;
    let client = client.patient(NEAR.min(machine.patience));
    let none = |why: String| Ok(Asked::None(format!("{base} {why}")));
    let token = match token(machine, &client, &base).await {
        Ok(answer) if answer.status == 200 => text_of(&answer),
        Ok(answer) => return none(format!("gives no token (HTTP {})", answer.status)),
        Err(_) => {
            return none(
                "does not answer; in a container on an instance, the instance's hop limit for metadata has \
                 to be 2"
                    .to_owned(),
            );
        }
    };
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let Some(token) = token.filter(|token| plain(token)) else {
        return Err(answer::malformed("the instance's metadata gives no token"));
    };
    let of = |what: String| {
        let (client, token) = (&client, &token);
        async move { get(machine, client, &what, token).await }
    };
    let path = format!("{base}/latest/meta-data/iam/security-credentials/");
    let roles = of(path.clone()).await?;
    let role = match roles.status {
        200 => text_of(&roles),
        404 => return none("says that the instance has no role".to_owned()),
        status => return none(format!("names no role (HTTP {status})")),
    };
    let named = |text: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
        (1..=128).contains(&text.len()) && text.bytes().all(plain)
    };
    let role = role.and_then(|text| Some(text.lines().next()?.trim().to_owned()));
    let Some(role) = role.filter(|role| named(role)) else {
        return Err(answer::malformed("the instance's metadata names no role"));
    };
    let given = of(format!("{path}{role}")).await?;
    if given.status != 200 {
        return none(format!("gives no keys of the role (HTTP {})", given.status));
    }
    #[derive(Default, Deserialize)]
    struct Told {
        #[serde(rename = "Code", default)]
        code: String,
    }
    let Told { code } = serde_json::from_slice(&given.body).unwrap_or_default();
    match (&*code, Keys::given(&given.body)) {
        ("Success" | "", Some(keys)) => Ok(Asked::Keys(keys)),
        ("Success" | "", None) => Err(answer::malformed(
            "the answer of the instance's metadata holds no keys",
        )),
        (code, _) => none(format!(
            "gives no keys of the role ({})",
            answer::code(code)
        )),
    }
}

fn text_of(answer: &Answer) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(&answer.body).ok()?;
    Some(Zeroizing::new(text.trim().to_owned()))
}

/// The token that all other requests need.
async fn token(machine: &Machine, client: &Client, base: &str) -> Result<Answer, SinkError> {
    let url = format!("{base}/latest/api/token");
    let make = || {
        let mut request = Request::new(Method::Put, url.as_str())
            .header("x-aws-ec2-metadata-token-ttl-seconds", LASTS);
        request.largest_answer = LARGEST;
        request
    };
    let call = Call {
        operation: "aws instance token",
        // Not that it changes anything: what does not answer at once is not there, and is not waited for again.
        writes: true,
        make: &make,
        again: |answer| match answer.status {
            500..=599 => Again::Always,
            _ => remote::usual(answer),
        },
    };
    remote::send(machine, client, &call).await
}

async fn get(
    machine: &Machine,
    client: &Client,
    url: &str,
    token: &Zeroizing<String>,
) -> Result<Answer, SinkError> {
    let make = || {
        let mut request =
            Request::new(Method::Get, url).secret("x-aws-ec2-metadata-token", token.clone());
        request.largest_answer = LARGEST;
        request
    };
    let call = Call {
        operation: "aws instance role",
        writes: false,
        make: &make,
        again: remote::usual,
    };
    remote::send(machine, client, &call).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::fixture::Lent;

    #[test]
    fn the_metadata_is_asked_for_on_the_link_and_on_this_machine_alone() {
        let found = |variables: &[(&'static str, &str)]| base(&Lent::machine(variables).0);
        assert_eq!(found(&[]).as_deref(), Ok(V4));
        for (mode, wanted) in [("IPv4", V4), ("ipv6", V6), ("IPV6", V6)] {
            assert_eq!(found(&[(MODE, mode)]).as_deref(), Ok(wanted), "{mode}");
        }
        found(&[(MODE, "both")]).expect_err("is neither");
        for (endpoint, wanted) in [
            ("http://169.254.169.254/", V4),
            ("http://[fd00:ec2::254]", V6),
            ("http://127.0.0.1:1338", "http://127.0.0.1:1338"),
            ("http://localhost:1338/", "http://localhost:1338"),
        ] {
            assert_eq!(found(&[(ENDPOINT, endpoint)]).as_deref(), Ok(wanted));
        }
        // The endpoint goes before the mode.
        let both = [(ENDPOINT, V4), (MODE, "IPv6")];
        assert_eq!(found(&both).as_deref(), Ok(V4));
        for endpoint in [
            "http://169.254.169.254:8080",
            "http://169.254.169.254.evil.example",
            "http://169.254.169.254@evil.example",
            "http://169.254.169.253",
            "http://evil.example",
            "https://evil.example",
            "https://169.254.169.254",
            "http://[fd00:ec2::255]",
            "http://127.0.0.1:1/x",
            "",
            "file:///etc",
        ] {
            let error = found(&[(ENDPOINT, endpoint)]).expect_err(endpoint);
            assert!(error.to_string().contains("nothing was sent"), "{error}");
        }
    }
}
