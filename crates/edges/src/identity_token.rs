//! Identity tokens: what a job or a pod shows to say who it is. How GitHub Actions is asked for one, and
//! what one says of itself. Pure; who asks does the sending, and no signature is checked: whoever takes the
//! token does that.
//!
//! Sources: GitHub's documentation, "OpenID Connect reference"; GitLab's, "OpenID Connect (OIDC)
//! authentication using ID tokens"; Kubernetes' API, `TokenRequest`; RFC 7519.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::http::{Answer, Method, Request, is_loopback};

/// What a job of GitHub Actions needs, to be told where it gets its token.
pub const ACTIONS_RIGHTS: &str = "give the job `permissions: id-token: write`";

/// The largest token that is read, in bytes.
pub const LARGEST: usize = 64 * 1024;
/// How much is shown of one claim, in characters.
const LONGEST_CLAIM: usize = 200;
/// The claims by which trust is given, in the order in which they are shown. Sources: the claims that
/// GitHub, GitLab and Kubernetes document.
const TOLD: [&str; 18] = [
    "iss",
    "aud",
    "sub",
    "environment",
    "repository",
    "repository_id",
    "repository_owner_id",
    "ref",
    "event_name",
    "job_workflow_ref",
    "project_path",
    "project_id",
    "namespace_path",
    "namespace_id",
    "ref_type",
    "ref_protected",
    "environment_protected",
    "kubernetes.io",
];

/// Why GitHub is not asked: a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// The audience would mean something in a URL.
    #[error("the audience of the identity token is no plain text")]
    Audience,
    /// The address is not https, and the network could read what is sent there.
    #[error("ACTIONS_ID_TOKEN_REQUEST_URL is no https address")]
    Address,
}

/// How GitHub Actions is asked.
pub struct Actions {
    /// Whom: the origin.
    pub origin: String,
    url: String,
    bearer: Zeroizing<String>,
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actions({})", self.origin)
    }
}

impl Actions {
    /// The request, to be sent as often as it takes.
    pub fn request(&self) -> Request {
        let bearer = self.bearer.clone();
        let mut request =
            Request::new(Method::Get, self.url.as_str()).secret("authorization", bearer);
        request.largest_answer = LARGEST;
        request
    }
}

/// Prepares to ask GitHub for a token for whom it is meant.
///
/// # Errors
/// Why nothing may be sent.
pub fn ask_actions(url: &str, bearer: &str, audience: Option<&str>) -> Result<Actions, NotAsked> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/".contains(&b);
    let url = match audience {
        None => url.to_owned(),
        Some(audience) if audience.bytes().all(plain) => {
            let joint = if url.contains('?') { '&' } else { '?' };
            format!("{url}{joint}audience={audience}")
        }
        Some(_) => return Err(NotAsked::Audience),
    };
    let parts: Vec<&str> = url.splitn(4, '/').take(3).collect();
    let origin = parts.join("/");
    let host = |rest: &str| {
        let name = match rest.strip_prefix('[') {
            Some(six) => six.split(']').next().map(|six| format!("[{six}]")),
            None => rest.split(':').next().map(str::to_owned),
        };
        name.unwrap_or_default()
    };
    let near = origin.strip_prefix("http://").map(host);
    if !origin.starts_with("https://") && !near.is_some_and(|host| is_loopback(&host)) {
        return Err(NotAsked::Address);
    }
    let bearer = Zeroizing::new(format!("Bearer {}", bearer.trim()));
    Ok(Actions {
        origin,
        url,
        bearer,
    })
}

/// The token in GitHub's answer, if there is one.
pub fn of_actions(answer: &Answer) -> Option<Zeroizing<String>> {
    #[derive(Deserialize)]
    struct Issued {
        #[serde(deserialize_with = "crate::secret::zeroizing")]
        value: Zeroizing<String>,
    }
    let issued: Issued = serde_json::from_slice(&answer.body).ok()?;
    (answer.status == 200).then_some(issued.value)
}

/// What a token says of itself. Shown with the claims by which trust is given, and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Reads the claims of a JWT; `None` if it is none, or does not say who issued it.
    pub fn read(token: &str) -> Option<Self> {
        let (head, rest) = token.split_once('.')?;
        let (claims, signature) = rest.split_once('.')?;
        let json = |part: &str| -> Option<Map<String, Value>> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let head = json(head)?;
        let claims = json(claims)?;
        let signed = URL_SAFE_NO_PAD.decode(signature).is_ok() && head.contains_key("alg");
        (signed && claims.get("iss")?.is_string()).then_some(Self(claims))
    }

    /// Who issued it.
    pub fn issuer(&self) -> &str {
        self.0
            .get("iss")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// When it ends, if it says so.
    pub fn until(&self) -> Option<Timestamp> {
        let seconds = self.0.get("exp")?.as_f64()?;
        // Far beyond what is a time, `from_second` refuses.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, and is refused then"
        )]
        Timestamp::from_second(seconds as i64).ok()
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for name in TOLD {
            let Some(value) = self.0.get(name) else {
                if matches!(name, "iss" | "aud" | "sub") {
                    write!(f, "{}no {name}", if first { "" } else { ", " })?;
                    first = false;
                }
                continue;
            };
            write!(f, "{}{name} ", if first { "" } else { ", " })?;
            first = false;
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match text.char_indices().nth(LONGEST_CLAIM) {
                // Quoted with what is no plain letter escaped.
                None => write!(f, "{text:?}")?,
                Some((at, _)) => write!(f, "{:?}…", &text[..at])?,
            }
        }
        match self.until() {
            Some(until) => write!(f, ", and ends at {until}"),
            None => f.write_str(", and says no end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(claims))
    }

    #[test]
    fn a_token_is_told_by_what_trust_rests_on_and_never_itself() {
        let claims = json!({
            "iss": "https://token.actions.githubusercontent.com",
            "aud": ["a", "b"],
            "sub": "repo:acme@7/access@42:environment:prod",
            "environment": "prod",
            "repository_id": "42",
            "repository_owner_id": 7,
            "jti": "not-told",
            "exp": 1_764_000_000.5,
        });
        let token = token(&claims);
        let read = Claims::read(&token).expect("a token");
        assert_eq!(
            read.to_string(),
            "iss \"https://token.actions.githubusercontent.com\", aud \"[\\\"a\\\",\\\"b\\\"]\", \
             sub \"repo:acme@7/access@42:environment:prod\", environment \"prod\", \
             repository_id \"42\", repository_owner_id \"7\", and ends at 2025-11-24T16:00:00Z"
        );
        let payload = token.split('.').nth(1).expect("three parts");
        assert!(!read.to_string().contains(payload));
    }

    #[test]
    fn foreign_letters_are_escaped_and_long_claims_cut() {
        let hostile = format!("\u{1b}[31m\u{202e}\n{}", "x".repeat(300));
        let read = Claims::read(&token(&json!({"iss": hostile}))).expect("a token");
        let shown = read.to_string();
        assert!(
            shown.starts_with("iss \"\\u{1b}[31m\\u{202e}\\nxxx"),
            "{shown}"
        );
        assert!(!shown.contains(&"x".repeat(201)), "{shown}");
        assert!(
            shown.ends_with("no aud, no sub, and says no end"),
            "{shown}"
        );
    }

    #[test]
    fn what_is_no_token_is_not_read_as_one() {
        let good = token(&json!({"iss": "i"}));
        assert!(Claims::read(&good).is_some());
        let parts: Vec<&str> = good.split('.').collect();
        for bad in [
            String::new(),
            "root:x:0:0:root:/root:/bin/bash".to_owned(),
            "a.b.c".to_owned(),
            format!("{}.{}", parts[0], parts[1]),
            format!("{good}.more"),
            token(&json!({"sub": "nobody issued it"})),
            token(&json!({"iss": 7})),
            format!("{}.{}.c2ln", parts[1], parts[1]),
        ] {
            assert_eq!(Claims::read(&bad), None, "{bad}");
        }
    }

    #[test]
    fn an_end_that_is_none_is_not_told() {
        for exp in [json!(1e300), json!("soon"), Value::Null] {
            let read = Claims::read(&token(&json!({"iss": "i", "exp": exp}))).expect("a token");
            assert_eq!(read.until(), None, "{exp}");
        }
    }

    #[test]
    fn github_is_asked_for_whom_the_token_is_meant_and_never_in_the_clear() {
        let asked = |url: &str, audience| {
            ask_actions(url, "b", audience).map(|asked| (asked.origin, asked.url))
        };
        let pair = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        let at = "https://run.githubusercontent.com";
        assert_eq!(
            asked(
                &format!("{at}/x?v=2"),
                Some("//captain.api.mondoo.app/spaces/a")
            ),
            pair(
                at,
                &format!("{at}/x?v=2&audience=//captain.api.mondoo.app/spaces/a")
            )
        );
        assert_eq!(
            asked(&format!("{at}/x"), Some("a")),
            pair(at, &format!("{at}/x?audience=a"))
        );
        assert_eq!(
            asked(&format!("{at}/x"), None),
            pair(at, &format!("{at}/x"))
        );
        assert_eq!(asked(at, Some("a&b=c")), Err(NotAsked::Audience));
        for clear in ["http://run.example/x", "ftp://a/x", "run.example", ""] {
            assert_eq!(asked(clear, None), Err(NotAsked::Address), "{clear}");
        }
        for near in [
            "http://127.0.0.1:8/x",
            "http://localhost/x",
            "http://[::1]:8/x",
        ] {
            assert!(asked(near, None).is_ok(), "{near}");
        }
    }

    #[test]
    fn an_answer_without_a_token_gives_none() {
        let answer = |status, body: &str| of_actions(&Answer::new(status, body));
        assert_eq!(
            answer(200, r#"{"value":"t","count":1}"#).as_deref(),
            Some(&"t".to_owned())
        );
        assert!(answer(403, r#"{"value":"t"}"#).is_none());
        assert!(answer(200, "{}").is_none());
    }
}
