//! Who asks: AWS STS, the role of a container, the metadata of an instance.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::signature::signed;
use super::{ACCOUNT, Aws, ID, KEY};
use crate::serve::{Call, Reply};

/// What the metadata of an instance says (IMDSv2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The status with which it answers who asks for a token.
    pub token: u16,
    /// The name of its role, if it has one.
    pub role: Option<String>,
    /// What it says of the role's keys: `Success`, if there are some.
    pub code: String,
    /// How often keys were given.
    pub given: u64,
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            token: 200,
            role: Some("rolecall".to_owned()),
            code: "Success".to_owned(),
            given: 0,
        }
    }
}

impl Aws {
    fn until(&self) -> String {
        match self.by_the_clock {
            true => {
                let end = Timestamp::now() + SignedDuration::from_hours(1);
                end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
            }
            false => "2026-11-01T11:00:00Z".to_owned(),
        }
    }

    /// The keys of a role, one session more.
    fn keys(&mut self) -> Value {
        self.logins += 1;
        json!({
            "AccessKeyId": ID, "SecretAccessKey": KEY, "Token": format!("session-{}", self.logins),
            "Expiration": self.until(),
        })
    }

    /// As the agent of a container.
    pub(super) fn role(&mut self, call: &Call) -> Reply {
        if call.header("authorization") != "a.b.c" {
            return Reply::json(401, &json!({}));
        }
        let mut told = self.keys();
        told["AccountId"] = json!(ACCOUNT);
        Reply::json(200, &told)
    }

    /// As the metadata of an instance. Its first version, without a token, is switched off.
    pub(super) fn metadata(&mut self, call: &Call) -> Reply {
        const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
        let text = |status, text: &str| Reply {
            status,
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: text.as_bytes().to_vec(),
        };
        if call.method == "PUT" {
            let lasts = call.header("x-aws-ec2-metadata-token-ttl-seconds");
            let lasts = lasts
                .parse()
                .is_ok_and(|time: u32| (1..=21_600).contains(&time));
            return match (lasts, self.instance.token) {
                (true, 200) => text(200, "token-of/the+instance=="),
                (true, status) => text(status, ""),
                (false, _) => text(400, "Bad Request"),
            };
        }
        if call.header("x-aws-ec2-metadata-token") != "token-of/the+instance==" {
            return text(401, "Unauthorized");
        }
        let Some(role) = self.instance.role.clone() else {
            return text(404, "Not Found");
        };
        match call.path.strip_prefix(ROLES) {
            Some("") => text(200, &role),
            Some(asked) if asked == role => {
                let code = self.instance.code.clone();
                let mut told = match code.as_str() {
                    "Success" => {
                        self.instance.given += 1;
                        self.keys()
                    }
                    _ => json!({"Message": "EC2 cannot assume the role"}),
                };
                told["Code"] = json!(code);
                told["LastUpdated"] = json!("2026-11-01T05:00:00Z");
                told["Type"] = json!("AWS-HMAC");
                text(200, &told.to_string())
            }
            _ => text(404, "Not Found"),
        }
    }

    /// Whether a request is signed for this service with the keys of this server: those that last, or those of a
    /// session that it has given.
    pub(super) fn knows(&self, call: &Call, service: &str) -> bool {
        let token = call.header("x-amz-security-token");
        let session = token.strip_prefix("session-").and_then(|n| n.parse().ok());
        let given = token.is_empty() || session.is_some_and(|n| (1..=self.logins).contains(&n));
        given && signed(call, service)
    }

    pub(super) fn sts(&mut self, call: &Call) -> Reply {
        let body = String::from_utf8_lossy(&call.body).into_owned();
        let field = |name: &str| {
            let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .into_iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value)
        };
        let xml = |status, text: String| Reply {
            status,
            headers: vec![("content-type".to_owned(), "text/xml".to_owned())],
            body: text.into_bytes(),
        };
        match field("Action") {
            Some("GetCallerIdentity") if self.knows(call, "sts") => xml(
                200,
                format!("<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:role/x</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"),
            ),
            Some("AssumeRole") if self.knows(call, "sts") => {
                let external = field("ExternalId").map(str::to_owned);
                let may = external == self.external_id
                    && field("RoleArn").is_some_and(|arn| arn.starts_with("arn%3Aaws%3Aiam"))
                    && field("RoleSessionName").is_some_and(|name| name.len() > 1);
                match may {
                    true => xml(200, self.assumed("AssumeRole")),
                    false => xml(403, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>".to_owned()),
                }
            }
            Some("AssumeRoleWithWebIdentity") if field("WebIdentityToken") == Some("a.b.c") => {
                xml(200, self.assumed("AssumeRoleWithWebIdentity"))
            }
            Some("AssumeRoleWithWebIdentity") => xml(400, "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>no</Message></Error></ErrorResponse>".to_owned()),
            _ => xml(403, "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error></ErrorResponse>".to_owned()),
        }
    }

    /// The answer of STS that gives the keys of a role.
    fn assumed(&mut self, action: &str) -> String {
        let keys = self.keys();
        let text = |name: &str| keys[name].as_str().unwrap_or_default();
        format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
             <AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>\
             <Expiration>{}</Expiration></Credentials></{action}Result></{action}Response>",
            text("AccessKeyId"),
            text("SecretAccessKey"),
            text("Token"),
            text("Expiration")
        )
    }
}
