//! A Kubernetes API server, as far as Secrets go: reads, server-side apply with the ownership of fields,
//! and plain updates by others.
//! Sources: k8s.io/apiserver (`registry/store.go`, `handlers/patch.go`) and k8s.io/apimachinery
//! (`util/managedfields`) v0.34.4, and Kubernetes' documentation, "Server-Side Apply". The real server is
//! tried by `scripts/services`.

mod apply;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::apply::{apply, invalid, merge};
use self::shown::{absent, conflict, forbid, object, refuse};
use crate::serve::{Call, Reply, Standin};

/// Fields by their paths, as conflicts name them: `.data.config`.
type Fields = BTreeSet<String>;

/// A Secret.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    uid: String,
    version: u64,
    r#type: String,
    /// In base64.
    data: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    immutable: bool,
    deleting: bool,
    owners: Vec<Value>,
    /// By manager and operation.
    managed: BTreeMap<(String, String), Fields>,
}

/// What the next requests meet besides the server's own will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is lost; the request was worked on.
    LostAnswer,
    /// This status with a reason and a message, and nothing is done.
    Refuse(u16, &'static str, String),
    /// Somebody else labels the Secret just before the request is worked on.
    Labelled,
}

/// The server.
#[derive(Clone, Debug, Default)]
pub struct Kubernetes {
    namespaces: BTreeSet<String>,
    /// By namespace and name.
    secrets: BTreeMap<(String, String), Kept>,
    /// Tokens that are good, each with the verbs that it may not use.
    tokens: BTreeMap<String, BTreeSet<String>>,
    version: u64,
    /// What the next requests whose `METHOD path?query` has this text meet, each once.
    pub faults: Vec<(String, Fault)>,
}

/// The token that a new server takes.
pub const ADMIN: &str = "token-of-an-administrator-of-the-stand-in";

const APPLY: &str = "Apply";
const UPDATE: &str = "Update";
/// The most that a Secret's values take together, in bytes.
const MOST: usize = 1024 * 1024;

impl Kubernetes {
    /// A server with the namespaces `default` and `mondoo-operator`.
    pub fn new() -> Self {
        Self {
            namespaces: ["default", "mondoo-operator"].map(str::to_owned).into(),
            tokens: [(ADMIN.to_owned(), BTreeSet::new())].into(),
            version: 100,
            ..Self::default()
        }
    }

    /// A token that may not do what has one of these verbs: `get`, `patch`, `create`.
    pub fn token(&mut self, token: &str, forbidden: &[&str]) {
        let forbidden = forbidden.iter().map(|verb| (*verb).to_owned()).collect();
        self.tokens.insert(token.to_owned(), forbidden);
    }

    /// Takes no token any more but this one.
    pub fn renew(&mut self, token: &str) {
        self.tokens = [(token.to_owned(), BTreeSet::new())].into();
    }

    /// What a key holds, in base64, for who reads it.
    pub fn value(&self, namespace: &str, name: &str, key: &str) -> Option<String> {
        self.at(namespace, name)?.data.get(key).cloned()
    }

    /// The keys of a Secret; `None` if there is none.
    pub fn keys(&self, namespace: &str, name: &str) -> Option<Vec<String>> {
        Some(self.at(namespace, name)?.data.keys().cloned().collect())
    }

    /// A Secret as the server gives it; null if there is none.
    pub fn shown(&self, namespace: &str, name: &str) -> Value {
        let kept = self.at(namespace, name);
        kept.map_or(Value::Null, |kept| object(namespace, name, kept))
    }

    /// Writes a value, in base64, as another program does that updates and does not apply. A Secret that
    /// is not there is made.
    pub fn update(&mut self, namespace: &str, name: &str, manager: &str, key: &str, value: &str) {
        let field = format!(".data.{key}");
        self.change(namespace, name, |kept| {
            kept.data.insert(key.to_owned(), value.to_owned());
            for ((who, _), fields) in &mut kept.managed {
                if who != manager {
                    fields.remove(&field);
                }
            }
            let by = (manager.to_owned(), UPDATE.to_owned());
            kept.managed.entry(by).or_default().insert(field);
        });
    }

    /// Gives a Secret this type; one that is not there is made.
    pub fn of_type(&mut self, namespace: &str, name: &str, of: &str) {
        self.change(namespace, name, |kept| of.clone_into(&mut kept.r#type));
    }

    /// Makes a Secret immutable.
    pub fn freeze(&mut self, namespace: &str, name: &str) {
        self.change(namespace, name, |kept| kept.immutable = true);
    }

    /// Begins to delete a Secret that a finalizer holds back.
    pub fn deleting(&mut self, namespace: &str, name: &str) {
        self.change(namespace, name, |kept| kept.deleting = true);
    }

    /// Gives a Secret an owner.
    pub fn own(&mut self, namespace: &str, name: &str, kind: &str, controller: bool) {
        let owner = json!({"apiVersion": "acme.example/v1", "kind": kind, "name": "o", "uid": "u-0",
            "controller": controller});
        self.change(namespace, name, |kept| kept.owners.push(owner));
    }

    /// Labels a Secret, as another program does.
    pub fn label(&mut self, namespace: &str, name: &str, key: &str, value: &str) {
        self.change(namespace, name, |kept| {
            kept.labels.insert(key.to_owned(), value.to_owned());
            let by = ("labeller".to_owned(), UPDATE.to_owned());
            let field = format!(".metadata.labels.{key}");
            kept.managed.entry(by).or_default().insert(field);
        });
    }

    /// Deletes a Secret.
    pub fn delete(&mut self, namespace: &str, name: &str) {
        self.secrets
            .remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn at(&self, namespace: &str, name: &str) -> Option<&Kept> {
        self.secrets.get(&(namespace.to_owned(), name.to_owned()))
    }

    fn change(&mut self, namespace: &str, name: &str, change: impl FnOnce(&mut Kept)) {
        self.version += 1;
        let version = self.version;
        let at = (namespace.to_owned(), name.to_owned());
        let kept = self.secrets.entry(at).or_insert_with(|| fresh(version));
        change(kept);
        kept.version = version;
    }

    fn work(&mut self, call: &Call) -> Reply {
        let token = call.header("authorization").strip_prefix("Bearer ");
        let Some(forbidden) = token.and_then(|token| self.tokens.get(token)).cloned() else {
            return refuse(401, "Unauthorized", "Unauthorized");
        };
        let parts: Vec<&str> = call.path.split('/').collect();
        let ["", "api", "v1", "namespaces", namespace, "secrets", name] = *parts.as_slice() else {
            return refuse(
                404,
                "NotFound",
                "the server could not find the requested resource",
            );
        };
        let verb = match call.method.as_str() {
            "GET" => "get",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => {
                return refuse(
                    405,
                    "MethodNotAllowed",
                    "the server does not allow this method",
                );
            }
        };
        if forbidden.contains(verb) {
            return forbid(verb, namespace, name);
        }
        match verb {
            "get" => match self.at(namespace, name) {
                Some(kept) => Reply::json(200, &object(namespace, name, kept)),
                None => absent("secrets", name),
            },
            "delete" => {
                self.delete(namespace, name);
                Reply::json(
                    200,
                    &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}),
                )
            }
            _ => {
                let may_create = !forbidden.contains("create");
                self.patch(namespace, name, may_create, call)
            }
        }
    }

    fn patch(&mut self, namespace: &str, name: &str, may_create: bool, call: &Call) -> Reply {
        let query = query(&call.query);
        let asked = |name: &str| query.get(name).map_or("", String::as_str);
        let body = call.json();
        let manager = asked("fieldManager");
        let live = self.at(namespace, name).cloned();
        let made = match call.header("content-type") {
            "application/apply-patch+yaml" => {
                if manager.is_empty() {
                    let told = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: \
                                is required for apply patch";
                    return refuse(422, "Invalid", told);
                }
                if body["apiVersion"] != "v1" || body["kind"] != "Secret" {
                    return refuse(
                        400,
                        "BadRequest",
                        "Incorrect version specified in apply patch.",
                    );
                }
                apply(
                    name,
                    live.as_ref(),
                    &body,
                    manager,
                    asked("force") == "true",
                )
            }
            "application/merge-patch+json" => match &live {
                None => Err(absent("secrets", name)),
                Some(live) => Ok(merge(live, &body, manager)),
            },
            _ => Err(refuse(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format",
            )),
        };
        let mut made = match made {
            Ok(made) => made,
            Err(reply) => return reply,
        };
        if live.is_none() {
            if !self.namespaces.contains(namespace) {
                return absent("namespaces", namespace);
            }
            if !may_create {
                return forbid("create", namespace, name);
            }
        }
        let wanted = body["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default();
        if let Some(live) = &live {
            if !wanted.is_empty() && wanted != live.version.to_string() {
                return conflict(
                    name,
                    "the object has been modified; please apply your changes to the latest version and \
                     try again",
                );
            }
            if let Some(reply) = invalid(name, live, &made) {
                return reply;
            }
        }
        let size: usize = made.data.values().map(|value| value.len() / 4 * 3).sum();
        if size > MOST {
            let told = format!(
                "Secret \"{name}\" is invalid: data: Too long: may not be more than {MOST} bytes"
            );
            return refuse(422, "Invalid", &told);
        }
        let status = if live.is_none() { 201 } else { 200 };
        // What changes nothing makes no version.
        if live.as_ref() != Some(&made) {
            made.version = self.version + 1;
        }
        let reply = Reply::json(status, &object(namespace, name, &made));
        if asked("dryRun") != "All" {
            self.version = self.version.max(made.version);
            self.secrets
                .insert((namespace.to_owned(), name.to_owned()), made);
        }
        reply
    }
}

fn fresh(version: u64) -> Kept {
    Kept {
        uid: format!("uid-{version}"),
        version,
        r#type: "Opaque".to_owned(),
        data: BTreeMap::new(),
        labels: BTreeMap::new(),
        immutable: false,
        deleting: false,
        owners: Vec::new(),
        managed: BTreeMap::new(),
    }
}

/// The parts of a query, without their escapes.
fn query(text: &str) -> BTreeMap<String, String> {
    let plain = |text: &str| {
        let mut parts = text.split('%');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let code = part
                .get(..2)
                .and_then(|hex| u8::from_str_radix(hex, 16).ok());
            match code {
                Some(code) => {
                    out.push(char::from(code));
                    out.push_str(part.get(2..).unwrap_or_default());
                }
                None => out.push_str(part),
            }
        }
        out
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

impl Standin for Kubernetes {
    fn answer(&mut self, call: &Call) -> Reply {
        let asked = format!("{} {}?{}", call.method, call.path, call.query);
        let at = self
            .faults
            .iter()
            .position(|(text, _)| asked.contains(text));
        match at.map(|at| self.faults.remove(at).1) {
            None => self.work(call),
            Some(Fault::LostAnswer) => {
                self.work(call);
                Reply::cut()
            }
            Some(Fault::Refuse(code, reason, message)) => {
                let reply = refuse(code, reason, &message);
                match code {
                    429 => reply.header("retry-after", "7"),
                    _ => reply,
                }
            }
            Some(Fault::Labelled) => {
                let parts: Vec<&str> = call.path.split('/').collect();
                if let [.., namespace, "secrets", name] = *parts.as_slice() {
                    let value = self.version.to_string();
                    self.label(namespace, name, "touched", &value);
                }
                self.work(call)
            }
        }
    }
}
