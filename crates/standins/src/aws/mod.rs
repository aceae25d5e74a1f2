//! AWS Secrets Manager and Parameter Store in one region, and what AWS STS says of who asks. Every request has to be signed
//! (Signature Version 4), which is computed here anew.
//! Sources: the API references of AWS Secrets Manager and AWS STS, and the IAM User Guide, "Create a signed
//! AWS API request".

mod identity;
mod secrets;
mod signature;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::identity::Instance;
pub use crate::amazon::{ACCOUNT, REGION};
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
