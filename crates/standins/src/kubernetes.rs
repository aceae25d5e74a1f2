//! A Kubernetes API server, as far as Secrets go: reads, server-side apply with the ownership of fields,
//! and plain updates by others.
//! Sources: k8s.io/apiserver (`registry/store.go`, `handlers/patch.go`) and k8s.io/apimachinery
//! (`util/managedfields`) v0.34.4, and Kubernetes' documentation, "Server-Side Apply". The real server is
//! tried by `scripts/services`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

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

/// The Secret after an apply.
fn apply(
    name: &str,
    live: Option<&Kept>,
    body: &Value,
    manager: &str,
    force: bool,
) -> Result<Kept, Reply> {
    let said = said(body);
    let by = (manager.to_owned(), APPLY.to_owned());
    let Some(live) = live else {
        if body["metadata"]["uid"].is_string() {
            return Err(conflict(
                name,
                "uid mismatch: the provided object specified uid, and no existing object was found",
            ));
        }
        let mut made = fresh(0);
        for (field, value) in &said {
            set(&mut made, field, Some(value));
        }
        made.managed.insert(by, said.into_keys().collect());
        return Ok(made);
    };
    let mut made = live.clone();
    let mut causes = Vec::new();
    for (field, value) in &said {
        if get(live, field).as_deref() == Some(value) {
            continue;
        }
        for ((who, how), fields) in &mut made.managed {
            if (who, how) == (&by.0, &by.1) || !fields.contains(field) {
                continue;
            }
            if force {
                fields.remove(field);
                continue;
            }
            let using = if how == UPDATE { " using v1" } else { "" };
            causes.push(json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with \"{who}\"{using}"),
                "field": field,
            }));
        }
    }
    if !causes.is_empty() {
        let told = match causes.as_slice() {
            [one] => format!(
                "Apply failed with 1 conflict: {}: {}",
                one["message"].as_str().unwrap_or_default(),
                one["field"].as_str().unwrap_or_default()
            ),
            several => format!("Apply failed with {} conflicts", several.len()),
        };
        return Err(status(409, "Conflict", &told, &json!({ "causes": causes })));
    }
    let before = made.managed.remove(&by).unwrap_or_default();
    for field in before.iter().filter(|field| !said.contains_key(*field)) {
        if !made.managed.values().any(|fields| fields.contains(field)) {
            set(&mut made, field, None);
        }
    }
    for (field, value) in &said {
        set(&mut made, field, Some(value));
    }
    if !said.is_empty() {
        made.managed.insert(by, said.into_keys().collect());
    }
    Ok(made)
}

/// The Secret after a merge patch: whoever sends it takes what it changes.
fn merge(live: &Kept, body: &Value, manager: &str) -> Kept {
    let mut made = live.clone();
    for (field, value) in said(body) {
        if get(live, &field).as_deref() == Some(&value) {
            continue;
        }
        for fields in made.managed.values_mut() {
            fields.remove(&field);
        }
        set(&mut made, &field, Some(&value));
        let by = (manager.to_owned(), UPDATE.to_owned());
        made.managed.entry(by).or_default().insert(field);
    }
    made
}

/// Why a Secret may not become another one.
fn invalid(name: &str, live: &Kept, made: &Kept) -> Option<Reply> {
    let told = |why: &str| {
        let told = format!("Secret \"{name}\" is invalid: {why}");
        Some(refuse(422, "Invalid", &told))
    };
    if made.r#type != live.r#type {
        let why = format!(
            "type: Invalid value: \"{}\": field is immutable",
            made.r#type
        );
        return told(&why);
    }
    if live.immutable && made.data != live.data {
        return told("data: Forbidden: field is immutable when `immutable` is set");
    }
    None
}

/// The fields that a body says, with their values.
fn said(body: &Value) -> BTreeMap<String, String> {
    let map = |value: &Value, prefix: &str| {
        let members: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
        members.into_iter().filter_map({
            let prefix = prefix.to_owned();
            move |(key, value)| Some((format!("{prefix}{key}"), value.as_str()?.to_owned()))
        })
    };
    let mut out: BTreeMap<String, String> = map(&body["data"], ".data.").collect();
    out.extend(map(&body["metadata"]["labels"], ".metadata.labels."));
    out.extend(
        body["type"]
            .as_str()
            .map(|of| (".type".to_owned(), of.to_owned())),
    );
    out
}

fn get(kept: &Kept, field: &str) -> Option<String> {
    if let Some(key) = field.strip_prefix(".data.") {
        return kept.data.get(key).cloned();
    }
    if let Some(key) = field.strip_prefix(".metadata.labels.") {
        return kept.labels.get(key).cloned();
    }
    Some(kept.r#type.clone())
}

fn set(kept: &mut Kept, field: &str, value: Option<&String>) {
    let map = if let Some(key) = field.strip_prefix(".data.") {
        Some((&mut kept.data, key))
    } else {
        let key = field.strip_prefix(".metadata.labels.");
        key.map(|key| (&mut kept.labels, key))
    };
    match (map, value) {
        (Some((map, key)), Some(value)) => {
            map.insert(key.to_owned(), value.clone());
        }
        (Some((map, key)), None) => {
            map.remove(key);
        }
        // What no longer says a type gets the one of those that say none.
        (None, value) => {
            kept.r#type = value.cloned().unwrap_or_else(|| "Opaque".to_owned());
        }
    }
}

fn object(namespace: &str, name: &str, kept: &Kept) -> Value {
    let managed: Vec<Value> = kept
        .managed
        .iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|((manager, operation), fields)| {
            let mut tree = Map::new();
            for field in fields {
                let (top, rest) = match field.strip_prefix(".data.") {
                    Some(key) => ("f:data", Some(key)),
                    None if field == ".type" => ("f:type", None),
                    None => ("f:metadata", field.strip_prefix(".metadata.labels.")),
                };
                let at = tree.entry(top).or_insert_with(|| json!({}));
                let at = match top {
                    "f:metadata" => &mut at["f:labels"],
                    _ => at,
                };
                if let Some(rest) = rest {
                    at[format!("f:{rest}")] = json!({});
                }
            }
            json!({"manager": manager, "operation": operation, "apiVersion": "v1",
                "time": "2026-11-01T10:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": tree})
        })
        .collect();
    let mut metadata = json!({
        "name": name,
        "namespace": namespace,
        "uid": kept.uid,
        "resourceVersion": kept.version.to_string(),
        "creationTimestamp": "2026-11-01T09:00:00Z",
    });
    if !managed.is_empty() {
        metadata["managedFields"] = json!(managed);
    }
    if !kept.labels.is_empty() {
        metadata["labels"] = json!(kept.labels);
    }
    if !kept.owners.is_empty() {
        metadata["ownerReferences"] = json!(kept.owners);
    }
    if kept.deleting {
        metadata["deletionTimestamp"] = json!("2026-11-01T10:00:00Z");
    }
    let mut out = json!({
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": metadata,
        "type": kept.r#type,
    });
    if !kept.data.is_empty() {
        out["data"] = json!(kept.data);
    }
    if kept.immutable {
        out["immutable"] = json!(true);
    }
    out
}

fn status(code: u16, reason: &str, message: &str, details: &Value) -> Reply {
    Reply::json(
        code,
        &json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": code,
        }),
    )
}

fn refuse(code: u16, reason: &str, message: &str) -> Reply {
    status(code, reason, message, &json!({}))
}

fn absent(kind: &str, name: &str) -> Reply {
    let told = format!("{kind} \"{name}\" not found");
    status(404, "NotFound", &told, &json!({"name": name, "kind": kind}))
}

fn conflict(name: &str, why: &str) -> Reply {
    let told = format!("Operation cannot be fulfilled on secrets \"{name}\": {why}");
    status(
        409,
        "Conflict",
        &told,
        &json!({"name": name, "kind": "secrets"}),
    )
}

fn forbid(verb: &str, namespace: &str, name: &str) -> Reply {
    let told = format!(
        "secrets \"{name}\" is forbidden: User \"system:serviceaccount:ci:rolecall\" cannot {verb} resource \
         \"secrets\" in API group \"\" in the namespace \"{namespace}\""
    );
    status(
        403,
        "Forbidden",
        &told,
        &json!({"name": name, "kind": "secrets"}),
    )
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
