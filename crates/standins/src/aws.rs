//! AWS Secrets Manager and Parameter Store in one region, and what AWS STS says of who asks. Every request has to be signed
//! (Signature Version 4), which is computed here anew.
//! Sources: the API references of AWS Secrets Manager and AWS STS, and the IAM User Guide, "Create a signed
//! AWS API request".

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::{digest, hmac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub use crate::amazon::{ACCOUNT, REGION};
use crate::amazon::{Answered, error};
use crate::parameters::Parameters;
use crate::serve::{Call, Reply, Standin};

/// The keys that a new server takes.
pub const ID: &str = "AKIDEXAMPLEOFSTANDIN";
/// The secret of that.
pub const KEY: &str = "of/the+stand-in";

/// One secret.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The values by version.
    pub versions: BTreeMap<String, String>,
    /// Which version has a label.
    pub labels: BTreeMap<String, String>,
    /// What else it is described with.
    pub more: BTreeMap<String, Value>,
}

/// What the next request meets besides the server's own will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is lost; the request was worked on.
    LostAnswer,
    /// This status and this error, and nothing is done.
    Refuse(u16, String),
    /// The same with a message.
    Say(u16, String, String),
    /// Nothing happens to this one.
    Pass,
    /// Somebody else does this just before.
    Before(Theirs),
    /// Somebody else does this just afterwards.
    After(Theirs),
    /// The same as before, and the answer is lost.
    BeforeAndLost(Theirs),
    /// The same as afterwards, and the answer is lost.
    AfterAndLost(Theirs),
}

/// What somebody else does to the place that a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Theirs {
    /// Writes these values, one after the other.
    Write(Vec<String>),
    /// Makes a parameter anew, of this type.
    Type(String),
    /// Removes it.
    Remove,
}

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

/// The server.
#[derive(Clone, Debug, Default)]
pub struct Aws {
    /// The secrets by name.
    pub secrets: BTreeMap<String, Kept>,
    /// The parameters of Systems Manager.
    pub parameters: Parameters,
    /// What the next requests of this operation meet, each once.
    pub faults: Vec<(String, Fault)>,
    /// The instance that it is the metadata of.
    pub instance: Instance,
    /// What whoever asks for a role with keys has to know besides, if anything.
    pub external_id: Option<String>,
    logins: u64,
    by_the_clock: bool,
}

impl Aws {
    /// A server without a secret.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same; keys of roles last for an hour from now, and not until a time that tests choose.
    pub fn by_the_clock() -> Self {
        Self {
            by_the_clock: true,
            ..Self::default()
        }
    }

    fn until(&self) -> String {
        match self.by_the_clock {
            true => {
                let end = Timestamp::now() + SignedDuration::from_hours(1);
                end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
            }
            false => "2026-11-01T11:00:00Z".to_owned(),
        }
    }

    /// What a reader gets.
    pub fn current(&self, name: &str) -> Option<&str> {
        let kept = self.secrets.get(name)?;
        let version = kept.labels.get("AWSCURRENT")?;
        kept.versions.get(version).map(String::as_str)
    }

    /// How many secrets have something under AWSPENDING that is not current.
    pub fn pending(&self) -> usize {
        let pending = |kept: &&Kept| {
            let labels = &kept.labels;
            labels
                .get("AWSPENDING")
                .is_some_and(|id| labels.get("AWSCURRENT") != Some(id))
        };
        self.secrets.values().filter(pending).count()
    }

    /// How many roles were given.
    pub fn logins(&self) -> u64 {
        self.logins
    }

    /// Loses the answer to a request of this operation, after so many others.
    pub fn lose(&mut self, op: &str, after: usize) {
        let passed = std::iter::repeat_n(Fault::Pass, after);
        let faults = passed.chain([Fault::LostAnswer]);
        self.faults
            .extend(faults.map(|fault| (op.to_owned(), fault)));
    }

    /// Writes as somebody else does.
    pub fn write(&mut self, name: &str, value: &str) {
        let kept = self.secrets.entry(name.to_owned()).or_default();
        let version = format!("00000000-0000-0000-0000-{:012}", kept.versions.len());
        kept.versions.insert(version.clone(), value.to_owned());
        kept.move_to("AWSCURRENT", &version);
    }

    fn work(&mut self, op: &str, body: &Value) -> Answered {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let known: &[&str] = match op {
            "CreateSecret" => &["Name", "ClientRequestToken", "SecretString"],
            "DescribeSecret" => &["SecretId"],
            "GetSecretValue" => &["SecretId", "VersionId", "VersionStage"],
            "PutSecretValue" => &[
                "SecretId",
                "ClientRequestToken",
                "SecretString",
                "VersionStages",
            ],
            "UpdateSecretVersionStage" => &[
                "SecretId",
                "VersionStage",
                "MoveToVersionId",
                "RemoveFromVersionId",
            ],
            _ => return error("UnknownOperationException", ""),
        };
        let members = body.as_object().into_iter().flatten();
        if members
            .map(|(name, _)| name.as_str())
            .any(|name| !known.contains(&name))
        {
            return error("ValidationException", "unknown member");
        }
        let token = text("ClientRequestToken");
        let writes = matches!(op, "CreateSecret" | "PutSecretValue");
        if writes && !(32..=64).contains(&token.len()) {
            return error(
                "ValidationException",
                "ClientRequestToken has 32 to 64 characters",
            );
        }
        if writes && !(1..=65_536).contains(&text("SecretString").len()) {
            return error("ValidationException", "SecretString has 1 to 65536 bytes");
        }
        let id = match op {
            "CreateSecret" => text("Name"),
            _ => text("SecretId"),
        };
        if op == "CreateSecret" {
            if let Some(kept) = self.secrets.get(&id) {
                if kept.more.contains_key("DeletedDate") {
                    return error("InvalidRequestException", "already scheduled for deletion");
                }
                if kept.versions.get(&token) != Some(&text("SecretString")) {
                    return error("ResourceExistsException", "the secret already exists");
                }
            }
            let kept = self.secrets.entry(id.clone()).or_default();
            if kept
                .versions
                .insert(token.clone(), text("SecretString"))
                .is_none()
            {
                kept.move_to("AWSCURRENT", &token);
            }
            return Ok(json!({"ARN": arn(&id), "Name": id, "VersionId": token}));
        }
        let Some(kept) = self.secrets.get_mut(&id) else {
            return error(
                "ResourceNotFoundException",
                "can't find the specified secret",
            );
        };
        if op == "DescribeSecret" {
            let mut told = json!({"ARN": arn(&id), "Name": id});
            let stages = kept.stages();
            if !stages.is_empty() {
                told["VersionIdsToStages"] = json!(stages);
            }
            for (name, value) in &kept.more {
                told[name] = value.clone();
            }
            return Ok(told);
        }
        if kept.more.contains_key("DeletedDate") {
            return error(
                "InvalidRequestException",
                "the secret is marked for deletion",
            );
        }
        match op {
            "GetSecretValue" => {
                let label = body["VersionStage"].as_str().unwrap_or("AWSCURRENT");
                let version = body["VersionId"].as_str().map(str::to_owned);
                let version = version.or_else(|| kept.labels.get(label).cloned());
                let version = version.unwrap_or_default();
                let Some(value) = kept.versions.get(&version) else {
                    return error("ResourceNotFoundException", "can't find that version");
                };
                Ok(json!({
                    "ARN": arn(&id), "Name": id, "VersionId": version, "SecretString": value,
                    "VersionStages": kept.stages().get(&version).cloned().unwrap_or_default(),
                    "CreatedDate": 1.0,
                }))
            }
            "PutSecretValue" => {
                let value = text("SecretString");
                match kept.versions.get(&token) {
                    Some(held) if *held != value => {
                        return error("ResourceExistsException", "another value has that token");
                    }
                    Some(_) => {}
                    None => {
                        kept.versions.insert(token.clone(), value);
                        // The first one is current, whatever is asked for.
                        if kept.versions.len() == 1 {
                            kept.move_to("AWSCURRENT", &token);
                        }
                        let labels = body["VersionStages"].as_array().cloned();
                        for label in labels.unwrap_or_else(|| vec![json!("AWSCURRENT")]) {
                            kept.move_to(label.as_str().unwrap_or_default(), &token);
                        }
                    }
                }
                let stages = kept.stages().get(&token).cloned().unwrap_or_default();
                Ok(json!({
                    "ARN": arn(&id), "Name": id, "VersionId": token, "VersionStages": stages,
                }))
            }
            _ => {
                let label = text("VersionStage");
                let (to, from) = (text("MoveToVersionId"), text("RemoveFromVersionId"));
                let at = kept.labels.get(&label).cloned().unwrap_or_default();
                if (at.is_empty() && !from.is_empty()) || (!at.is_empty() && at != from && at != to)
                {
                    return error(
                        "InvalidParameterException",
                        "the label is not on that version",
                    );
                }
                if at == to && from != to && !from.is_empty() {
                    return error(
                        "InvalidParameterException",
                        "the label is not on that version",
                    );
                }
                if to.is_empty() && label == "AWSCURRENT" {
                    return error("InvalidParameterException", "AWSCURRENT can only be moved");
                }
                if to.is_empty() {
                    kept.labels.remove(&label);
                } else if kept.versions.contains_key(&to) {
                    kept.move_to(&label, &to);
                } else {
                    return error("ResourceNotFoundException", "can't find that version");
                }
                Ok(json!({"ARN": arn(&id), "Name": id}))
            }
        }
    }

    /// Somebody else does something to a secret or a parameter.
    fn theirs(&mut self, service: &str, body: &Value, what: &Theirs) {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match (service, what) {
            ("ssm", Theirs::Write(values)) => {
                for value in values {
                    self.parameters.write(&text("Name"), value);
                }
            }
            ("ssm", Theirs::Type(kind)) => {
                self.parameters.write(&text("Name"), "theirs");
                if let Some(newest) = self.parameters.newest_mut(&text("Name")) {
                    newest.kind.clone_from(kind);
                }
            }
            ("ssm", Theirs::Remove) => {
                self.parameters.held.remove(&text("Name"));
            }
            (_, Theirs::Write(values)) => {
                for value in values {
                    self.write(&(text("SecretId") + &text("Name")), value);
                }
            }
            (_, Theirs::Type(_) | Theirs::Remove) => {
                self.secrets.remove(&(text("SecretId") + &text("Name")));
            }
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
    fn role(&mut self, call: &Call) -> Reply {
        if call.header("authorization") != "a.b.c" {
            return Reply::json(401, &json!({}));
        }
        let mut told = self.keys();
        told["AccountId"] = json!(ACCOUNT);
        Reply::json(200, &told)
    }

    /// As the metadata of an instance. Its first version, without a token, is switched off.
    fn metadata(&mut self, call: &Call) -> Reply {
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
    fn knows(&self, call: &Call, service: &str) -> bool {
        let token = call.header("x-amz-security-token");
        let session = token.strip_prefix("session-").and_then(|n| n.parse().ok());
        let given = token.is_empty() || session.is_some_and(|n| (1..=self.logins).contains(&n));
        given && signed(call, service)
    }

    fn sts(&mut self, call: &Call) -> Reply {
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
}

impl Aws {
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

impl Kept {
    fn stages(&self) -> BTreeMap<String, Vec<String>> {
        let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (label, version) in &self.labels {
            out.entry(version.clone()).or_default().push(label.clone());
        }
        out
    }

    fn move_to(&mut self, label: &str, version: &str) {
        let before = self.labels.insert(label.to_owned(), version.to_owned());
        let before = before.filter(|before| label == "AWSCURRENT" && before != version);
        if let Some(before) = before {
            self.labels.insert("AWSPREVIOUS".to_owned(), before);
        }
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-a1B2c3")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Whether a request is signed for this service with the keys of this server.
fn signed(call: &Call, service: &str) -> bool {
    let part = |name: &str| {
        let rest = call.header("authorization").split_once(name)?.1;
        rest.split([',', ' ']).next().map(str::to_owned)
    };
    let (Some(scope), Some(headers), Some(signature)) = (
        part("Credential="),
        part("SignedHeaders="),
        part("Signature="),
    ) else {
        return false;
    };
    let date = call.header("x-amz-date");
    let day = date.get(..8).unwrap_or_default();
    let wanted = format!("{day}/{REGION}/{service}/aws4_request");
    if scope != format!("{ID}/{wanted}") {
        return false;
    }
    let names: BTreeSet<&str> = headers.split(';').collect();
    let must = call
        .headers
        .keys()
        .filter(|name| name.starts_with("x-amz-") || *name == "host");
    if !must.clone().all(|name| names.contains(name.as_str())) || !names.contains("host") {
        return false;
    }
    let canonical: String = names
        .iter()
        .map(|name| format!("{name}:{}\n", call.header(name).trim()))
        .collect();
    let request = format!(
        "{}\n{}\n{}\n{canonical}\n{headers}\n{}",
        call.method,
        call.path,
        call.query,
        sha256(&call.body)
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{wanted}\n{}",
        sha256(request.as_bytes())
    );
    let mut key = format!("AWS4{KEY}").into_bytes();
    for part in [day, REGION, service, "aws4_request", &text] {
        let with = hmac::Key::new(hmac::HMAC_SHA256, &key);
        key = hmac::sign(&with, part.as_bytes()).as_ref().to_vec();
    }
    hex(&key) == signature
}

impl Standin for Aws {
    fn answer(&mut self, call: &Call) -> Reply {
        let Some((target, op)) = call.header("x-amz-target").split_once('.') else {
            return match (call.method.as_str(), call.path.as_str()) {
                ("GET", "/v1/credentials") => self.role(call),
                ("PUT", "/latest/api/token") | ("GET", _) => self.metadata(call),
                _ => self.sts(call),
            };
        };
        let service = match target {
            "secretsmanager" => "secretsmanager",
            "AmazonSSM" => "ssm",
            _ => return Reply::json(400, &json!({"__type": "UnknownOperationException"})),
        };
        let fault = self.faults.iter().position(|(at, _)| at == op);
        let fault = fault.map(|at| self.faults.remove(at).1);
        let refuse = |status, code: &str, message: &str| {
            Reply::json(status, &json!({"__type": code, "message": message}))
        };
        match &fault {
            Some(Fault::Refuse(status, code)) => return refuse(*status, code, ""),
            Some(Fault::Say(status, code, message)) => return refuse(*status, code, message),
            _ => {}
        }
        if call.method != "POST"
            || call.path != "/"
            || call.header("content-type") != "application/x-amz-json-1.1"
        {
            return refuse(400, "SerializationException", "");
        }
        if !self.knows(call, service) {
            return refuse(400, "InvalidSignatureException", "");
        }
        if let Some(Fault::Before(theirs) | Fault::BeforeAndLost(theirs)) = &fault {
            self.theirs(service, &call.json(), theirs);
        }
        let done = match service {
            "ssm" => self.parameters.work(op, &call.json()),
            _ => self.work(op, &call.json()),
        };
        if let Some(Fault::After(theirs) | Fault::AfterAndLost(theirs)) = &fault {
            self.theirs(service, &call.json(), theirs);
        }
        if let Some(Fault::LostAnswer | Fault::BeforeAndLost(_) | Fault::AfterAndLost(_)) = fault {
            return Reply::cut();
        }
        match done {
            Ok(told) => Reply::json(200, &told),
            Err((code, message)) => refuse(400, code, &message),
        }
    }
}
