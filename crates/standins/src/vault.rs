//! HashiCorp Vault: key-value engines of version 2 and 1, and three auth methods.
//! Sources: `path_data.go`, `path_metadata.go` and `passthrough.go` of hashicorp/vault-plugin-secrets-kv, and
//! Vault's documentation of the auth methods. The real server is tried by `scripts/services`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::serve::{Call, Reply, Standin};

/// One version of a secret.
#[derive(Clone, Debug)]
struct Version {
    data: Option<Map<String, Value>>,
    deleted: bool,
}

/// A secret with all its versions; the first is number 1.
#[derive(Clone, Debug, Default)]
struct Kept {
    versions: Vec<Version>,
    custom_metadata: BTreeMap<String, String>,
    cas_required: bool,
}

/// What the next requests meet besides the server's own will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is lost; the request was worked on.
    LostAnswer,
    /// The request is not worked on and not answered.
    Cut,
    /// This status and this message, and nothing is done.
    Refuse(u16, String),
    /// A standby answers from before the last write.
    Stale,
}

/// The server.
#[derive(Clone, Debug, Default)]
pub struct Vault {
    /// By namespace, mount and path.
    secrets: BTreeMap<(String, String, String), Kept>,
    /// Engines of version 2 and of version 1, by namespace and mount.
    engines: BTreeMap<(String, String), u8>,
    /// Tokens that are good, each with the paths (`METHOD path`) that it may not use.
    tokens: BTreeMap<String, BTreeSet<String>>,
    logins: u64,
    writes: u64,
    before: Option<Box<Vault>>,
    /// What the next requests whose `METHOD path` has this text meet, each once.
    pub faults: Vec<(String, Fault)>,
    /// How long a token of a login is said to last, in seconds.
    pub lease: u64,
    /// How long a token that was not made by a login is said to last yet, in seconds; 0 for ever.
    pub left: u64,
    /// How long it lasts once it is renewed, in seconds; 0 if it cannot be.
    pub renews_to: u64,
    renewals: u64,
    /// Whether the mounts insist on check-and-set.
    pub cas_required: bool,
}

/// The token that a new server takes.
pub const ROOT: &str = "hvs.root-token-of-the-stand-in";

impl Vault {
    /// A server with an engine of version 2 at `secret`, in the root namespace and in `team`, and one of
    /// version 1 at `old`.
    pub fn new() -> Self {
        let engine = |namespace: &str, mount: &str, version| {
            ((namespace.to_owned(), mount.to_owned()), version)
        };
        Self {
            engines: [
                engine("", "secret", 2),
                engine("team", "secret", 2),
                engine("", "teams/a/kv", 2),
                engine("", "old", 1),
            ]
            .into(),
            tokens: [(ROOT.to_owned(), BTreeSet::new())].into(),
            lease: 3600,
            ..Self::default()
        }
    }

    /// A token that may not use what has one of these texts in its `METHOD path`.
    pub fn token(&mut self, token: &str, forbidden: &[&str]) {
        let forbidden = forbidden.iter().map(|text| (*text).to_owned()).collect();
        self.tokens.insert(token.to_owned(), forbidden);
    }

    /// How many logins there were.
    pub fn logins(&self) -> u64 {
        self.logins
    }

    /// How often a token was renewed.
    pub fn renewals(&self) -> u64 {
        self.renewals
    }

    /// How many versions a secret has.
    pub fn versions(&self, namespace: &str, mount: &str, path: &str) -> usize {
        self.at(namespace, mount, path)
            .map_or(0, |kept| kept.versions.len())
    }

    /// The fields of a secret's newest version, for who reads it.
    pub fn fields(&self, namespace: &str, mount: &str, path: &str) -> Option<Map<String, Value>> {
        let newest = self.at(namespace, mount, path)?.versions.last()?;
        newest.data.clone().filter(|_| !newest.deleted)
    }

    /// What is noted beside a secret.
    pub fn custom_metadata(&self, namespace: &str, mount: &str, path: &str) -> Value {
        let kept = self.at(namespace, mount, path);
        kept.map_or(Value::Null, |kept| json!(kept.custom_metadata))
    }

    /// Writes as somebody else does.
    pub fn put(&mut self, namespace: &str, mount: &str, path: &str, fields: Value) {
        let key = (namespace.to_owned(), mount.to_owned(), path.to_owned());
        let kept = self.secrets.entry(key).or_default();
        kept.versions.push(Version {
            data: fields.as_object().cloned(),
            deleted: false,
        });
    }

    /// Notes something beside a secret, as somebody else does.
    pub fn note(&mut self, namespace: &str, mount: &str, path: &str, key: &str, value: &str) {
        let at = (namespace.to_owned(), mount.to_owned(), path.to_owned());
        let kept = self.secrets.entry(at).or_default();
        kept.custom_metadata
            .insert(key.to_owned(), value.to_owned());
    }

    fn at(&self, namespace: &str, mount: &str, path: &str) -> Option<&Kept> {
        let key = (namespace.to_owned(), mount.to_owned(), path.to_owned());
        self.secrets.get(&key)
    }

    fn work(&mut self, call: &Call) -> Reply {
        let Some(path) = call.path.strip_prefix("/v1/") else {
            return refuse(404, "no handler for route \"\". route entry not found.");
        };
        let namespace = call.header("x-vault-namespace").to_owned();
        let own = path.strip_prefix("auth/token/");
        if let (None, Some(rest)) = (own, path.strip_prefix("auth/")) {
            return self.login(&namespace, rest, call);
        }
        let Some(forbidden) = self.tokens.get(call.header("x-vault-token")) else {
            return refuse(403, "permission denied");
        };
        let asked = format!("{} {path}", call.method);
        if path.starts_with("sys/") || forbidden.iter().any(|text| asked.contains(text.as_str())) {
            return refuse(403, "1 error occurred:\n\t* permission denied\n\n");
        }
        if let Some(own) = own {
            return self.own_token(own, call);
        }
        let engine = self.engines.iter().find_map(|((space, mount), version)| {
            let rest = path.strip_prefix(mount.as_str())?.strip_prefix('/')?;
            (*space == namespace).then(|| (mount.clone(), *version, rest.to_owned()))
        });
        let Some((mount, version, rest)) = engine else {
            let told = format!("no handler for route \"{path}\". route entry not found.");
            return refuse(404, &told);
        };
        match version {
            2 => self.version_2(&namespace, &mount, &rest, call),
            _ => self.version_1(&namespace, &mount, &rest, call),
        }
    }

    /// What a token asks about itself. Source: Vault's API documentation, "Token auth method".
    fn own_token(&mut self, asked: &str, call: &Call) -> Reply {
        let renewable = self.renews_to > 0;
        match (asked, call.method.as_str()) {
            ("lookup-self", "GET") => {
                let ttl = self.left;
                Reply::json(200, &json!({"data": {"ttl": ttl, "renewable": renewable}}))
            }
            ("renew-self", "POST" | "PUT") if renewable => {
                self.renewals += 1;
                self.left = self.renews_to;
                let token = call.header("x-vault-token");
                let auth = json!({
                    "client_token": token, "lease_duration": self.left, "renewable": renewable,
                });
                Reply::json(200, &json!({ "auth": auth }))
            }
            ("renew-self", "POST" | "PUT") => refuse(400, "lease is not renewable"),
            _ => refuse(405, "unsupported operation"),
        }
    }

    fn login(&mut self, namespace: &str, rest: &str, call: &Call) -> Reply {
        let body = call.json();
        let good = match rest {
            "approle/login" => body["role_id"] == "role" && body["secret_id"] == "secret-id-1",
            "kubernetes/login" | "jwt/login" => {
                body["role"] == "rolecall" && body["jwt"].as_str().is_some_and(|jwt| jwt == "a.b.c")
            }
            _ => return refuse(404, "no handler for route. route entry not found."),
        };
        if !namespace.is_empty() {
            return refuse(403, "permission denied");
        }
        if !good {
            return refuse(400, "invalid role or secret ID");
        }
        self.logins += 1;
        let token = format!("hvs.of-login-number-{}", self.logins);
        self.tokens.insert(token.clone(), BTreeSet::new());
        let auth = json!({"client_token": token, "lease_duration": self.lease, "renewable": true});
        Reply::json(200, &json!({ "auth": auth }))
    }

    fn version_1(&mut self, namespace: &str, mount: &str, path: &str, call: &Call) -> Reply {
        match call.method.as_str() {
            "GET" => match self.fields(namespace, mount, path) {
                Some(data) => Reply::json(200, &json!({ "data": data })),
                None => Reply::json(404, &json!({"errors": []})),
            },
            _ if call.json() == json!({}) => refuse(400, "missing data fields"),
            _ => {
                self.put(namespace, mount, path, call.json());
                Reply::empty(204)
            }
        }
    }

    fn version_2(&mut self, namespace: &str, mount: &str, rest: &str, call: &Call) -> Reply {
        let Some((part, path)) = rest.split_once('/') else {
            return refuse(404, "unsupported path");
        };
        let key = (namespace.to_owned(), mount.to_owned(), path.to_owned());
        match (part, call.method.as_str()) {
            ("data", "GET") => self.read(&key),
            ("data", "POST" | "PUT") => self.write(key, &call.json()),
            ("metadata", "POST" | "PUT") => {
                let kept = self.secrets.entry(key).or_default();
                let told = call.json();
                if let Some(required) = told["cas_required"].as_bool() {
                    kept.cas_required = required;
                }
                if let Some(map) = told["custom_metadata"].as_object() {
                    let texts = map.iter().map(|(key, value)| {
                        let value = value.as_str().unwrap_or_default();
                        (key.clone(), value.to_owned())
                    });
                    kept.custom_metadata = texts.collect();
                }
                Reply::empty(204)
            }
            ("delete", "POST" | "PUT") => {
                let numbers = call.json()["versions"].as_array().cloned();
                let kept = self.secrets.entry(key).or_default();
                for number in numbers.unwrap_or_default() {
                    let at = number.as_u64().and_then(|n| usize::try_from(n).ok());
                    let index = at.and_then(|n| n.checked_sub(1));
                    if let Some(one) = index.and_then(|index| kept.versions.get_mut(index)) {
                        one.deleted = true;
                    }
                }
                Reply::empty(204)
            }
            _ => refuse(405, "unsupported operation"),
        }
    }

    fn read(&self, key: &(String, String, String)) -> Reply {
        let nothing = Reply::json(404, &json!({"errors": []}));
        let Some(kept) = self.secrets.get(key) else {
            return nothing;
        };
        let Some(newest) = kept.versions.last() else {
            return nothing;
        };
        let custom = match kept.custom_metadata.is_empty() {
            true => Value::Null,
            false => json!(kept.custom_metadata),
        };
        let deleted = if newest.deleted {
            "2026-11-01T10:00:00Z"
        } else {
            ""
        };
        let metadata = json!({
            "created_time": "2026-11-01T09:00:00Z",
            "custom_metadata": custom,
            "deletion_time": deleted,
            "destroyed": false,
            "version": kept.versions.len(),
        });
        let data = newest.data.as_ref().filter(|_| !newest.deleted);
        let status = if newest.deleted { 404 } else { 200 };
        let inner = json!({"data": data, "metadata": metadata});
        Reply::json(status, &json!({"request_id": "r-1", "data": inner}))
    }

    fn write(&mut self, key: (String, String, String), body: &Value) -> Reply {
        let Some(data) = body.get("data") else {
            return refuse(400, "no data provided");
        };
        let kept = self.secrets.entry(key).or_default();
        let current = kept.versions.len();
        match body["options"]["cas"].as_u64() {
            Some(cas) if usize::try_from(cas) == Ok(current) => {}
            Some(_) => {
                let told = "check-and-set parameter did not match the current version";
                return refuse(400, told);
            }
            None if self.cas_required || kept.cas_required => {
                return refuse(400, "check-and-set parameter required for this call");
            }
            None => {}
        }
        kept.versions.push(Version {
            data: data.as_object().cloned(),
            deleted: false,
        });
        self.writes += 1;
        let version = kept.versions.len();
        Reply::json(
            200,
            &json!({"data": {"version": version, "destroyed": false}}),
        )
        .header("x-vault-index", &format!("index-{}", self.writes))
    }
}

fn refuse(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"errors": [message]}))
}

impl Standin for Vault {
    fn answer(&mut self, call: &Call) -> Reply {
        let asked = format!("{} {}", call.method, call.path);
        let at = self
            .faults
            .iter()
            .position(|(text, _)| asked.contains(text));
        let fault = at.map(|at| self.faults.remove(at).1);
        let writes = call.method != "GET";
        if writes && !self.faults.iter().any(|(_, fault)| *fault == Fault::Stale) {
            self.before = None;
            let now = self.clone();
            self.before = Some(Box::new(now));
        }
        match fault {
            None => self.work(call),
            Some(Fault::LostAnswer) => {
                self.work(call);
                Reply::cut()
            }
            Some(Fault::Cut) => Reply::cut(),
            Some(Fault::Refuse(status, message)) => refuse(status, &message),
            Some(Fault::Stale) => match self.before.clone() {
                Some(mut before) => before.work(call),
                None => self.work(call),
            },
        }
    }
}
