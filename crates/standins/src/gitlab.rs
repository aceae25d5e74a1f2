//! GitLab: CI/CD variables of projects and groups.
//! Sources: GitLab's documentation, "Project-level CI/CD variables API", "Group-level Variables API" and "Personal
//! access tokens API"; `lib/api/ci/variables.rb`, `lib/api/group_variables.rb`, `lib/api/entities/ci/variable.rb`,
//! `app/models/concerns/ci/maskable.rb` and `hidable_variable.rb` of its program.
//! `scripts/services/gitlab-client` drives it with python-gitlab.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use crate::serve::{Call, Reply, Standin};

/// The token that a new server takes.
pub const TOKEN: &str = "glpat-of-the_stand-in.01.abcdefghij";

/// What the next requests meet besides the server's own will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is lost; the request was worked on.
    LostAnswer,
    /// The request is not worked on and not answered.
    Cut,
    /// This status and this body, and nothing is done.
    Refuse(u16, Value),
    /// The same, and it is done all the same.
    RefuseDone(u16, Value),
    /// A redirect to another host.
    Moved,
    /// Somebody writes this value before the request is worked on, and makes the variable that it would make.
    Written(String),
    /// A read is answered as before the last write.
    Stale,
}

/// A variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What jobs get.
    pub value: String,
    /// `env_var` or `file`.
    pub variable_type: String,
    /// Whether only protected branches and tags get it.
    pub protected: bool,
    /// Whether logs show it masked.
    pub masked: bool,
    /// Whether it is shown to nobody.
    pub hidden: bool,
    /// Whether a `$` stays what it is.
    pub raw: bool,
    /// What is told of it.
    pub description: Option<String>,
}

impl Kept {
    /// A variable as somebody makes one who says nothing but its value.
    pub fn plain(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            variable_type: "env_var".to_owned(),
            protected: false,
            masked: false,
            hidden: false,
            raw: false,
            description: None,
        }
    }
}

/// A token.
#[derive(Clone, Debug)]
struct Token {
    scopes: Vec<String>,
    /// What its `METHOD path` may not have.
    forbidden: Vec<String>,
}

/// Where a variable is: `projects/acme/app`, its name, its environment scope.
type At = (String, String, String);

/// The server.
pub struct Gitlab {
    /// By path, with the ids: `projects/acme/app`.
    owners: BTreeMap<String, u64>,
    variables: BTreeMap<At, Kept>,
    /// The variables before the last write.
    before: BTreeMap<At, Kept>,
    tokens: BTreeMap<String, Token>,
    /// Whether variables of groups have scopes: what is paid for.
    pub group_scopes: bool,
    /// Whether it hides variables, as it does from 17.4 on.
    pub hides: bool,
    /// What the next requests whose `METHOD path` has this text meet, each once.
    pub faults: Vec<(String, Fault)>,
}

impl fmt::Debug for Gitlab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gitlab({} variables)", self.variables.len())
    }
}

impl Default for Gitlab {
    fn default() -> Self {
        Self::new()
    }
}

impl Gitlab {
    /// A server with the projects `acme/app` and `acme/team/web`, and the groups `acme` and `acme/team`.
    pub fn new() -> Self {
        let owners = [
            ("projects/acme/app", 1001),
            ("projects/acme/team/web", 1002),
            ("groups/acme", 11),
            ("groups/acme/team", 12),
        ];
        let mut new = Self {
            owners: owners.map(|(path, id)| (path.to_owned(), id)).into(),
            variables: BTreeMap::new(),
            before: BTreeMap::new(),
            tokens: BTreeMap::new(),
            group_scopes: true,
            hides: true,
            faults: Vec::new(),
        };
        new.token(TOKEN, &["api"], &[]);
        new
    }

    /// A token of these scopes that may not use what has one of these texts in its `METHOD path`.
    pub fn token(&mut self, token: &str, scopes: &[&str], forbidden: &[&str]) {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let kept = Token {
            scopes: owned(scopes),
            forbidden: owned(forbidden),
        };
        self.tokens.insert(token.to_owned(), kept);
    }

    /// Takes a token back.
    pub fn revoke(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    /// A variable: what a job gets. `owner` is as `projects/acme/app`.
    pub fn variable(&self, owner: &str, name: &str, scope: &str) -> Option<&Kept> {
        self.variables.get(&at(owner, name, scope))
    }

    /// Writes a variable as somebody does in the web page.
    pub fn put(&mut self, owner: &str, name: &str, scope: &str, kept: Kept) {
        self.before.clone_from(&self.variables);
        self.variables.insert(at(owner, name, scope), kept);
    }

    /// Changes what a variable holds as somebody does in the web page, and makes it if it is not there.
    pub fn set(&mut self, owner: &str, name: &str, scope: &str, value: &str) {
        let kept = match self.variable(owner, name, scope) {
            Some(kept) => Kept {
                value: value.to_owned(),
                ..kept.clone()
            },
            None => Kept::plain(value),
        };
        self.put(owner, name, scope, kept);
    }

    /// How many variables there are.
    pub fn count(&self) -> usize {
        self.variables.len()
    }

    /// All that it holds, for scripts: GitLab has nothing of the kind.
    fn all(&self) -> Value {
        let all = self.variables.iter().map(|((owner, name, scope), kept)| {
            json!({
                "owner": owner, "name": name, "scope": scope, "value": kept.value,
                "variable_type": kept.variable_type, "masked": kept.masked, "hidden": kept.hidden,
                "protected": kept.protected, "raw": kept.raw,
            })
        });
        all.collect()
    }

    fn work(&mut self, call: &Call) -> Reply {
        if call.path == "/stand-in" {
            return Reply::json(200, &self.all());
        }
        let path = call.path.strip_prefix("/api/v4").unwrap_or_default();
        let parts: Vec<String> = path.split('/').skip(1).map(plain).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let token = match self.login(call) {
            Ok(token) => token,
            Err(refused) => return refused,
        };
        match (call.method.as_str(), parts.as_slice()) {
            ("GET", ["personal_access_tokens", "self"]) => Reply::json(
                200,
                &json!({
                    "id": 4, "name": "rolecall", "revoked": false, "active": true, "user_id": 24,
                    "created_at": "2026-11-01T09:00:00.000Z", "last_used_at": "2026-11-01T10:00:00.000Z",
                    "expires_at": "2027-10-01", "scopes": token.scopes,
                }),
            ),
            ("GET", [kind @ ("projects" | "groups"), id]) => match self.owner(kind, id) {
                Some((path, id)) => Reply::json(200, &shown_owner(&path, id)),
                None => not_found(kind),
            },
            (method, [kind @ ("projects" | "groups"), id, "variables", rest @ ..]) => {
                let Some((owner, _)) = self.owner(kind, id) else {
                    return not_found(kind);
                };
                match (method, rest) {
                    ("GET", []) => self.list(&owner),
                    ("POST", []) => self.make(&owner, call),
                    (_, [name]) => self.one(&owner, name, call),
                    _ => Reply::json(405, &json!({"error": "405 Not Allowed"})),
                }
            }
            _ => Reply::json(404, &json!({"error": "404 Not Found"})),
        }
    }

    /// The token of a call, if it may ask that.
    fn login(&self, call: &Call) -> Result<Token, Reply> {
        let bearer = call.header("authorization").strip_prefix("Bearer ");
        let sent = bearer.unwrap_or_else(|| call.header("private-token"));
        let Some(token) = self.tokens.get(sent) else {
            return Err(refuse(401, "401 Unauthorized"));
        };
        let has = |name: &str| token.scopes.iter().any(|scope| scope == name);
        let own = call.path.ends_with("/personal_access_tokens/self");
        let enough = has("api") || own || (call.method == "GET" && has("read_api"));
        if !enough {
            return Err(Reply::json(
                403,
                &json!({
                    "error": "insufficient_scope",
                    "error_description":
                        "The request requires higher privileges than provided by the access token.",
                    "scope": "api",
                }),
            ));
        }
        let asked = format!("{} {}", call.method, call.path);
        match token.forbidden.iter().any(|text| asked.contains(text)) {
            true => Err(refuse(403, "403 Forbidden")),
            false => Ok(token.clone()),
        }
    }

    /// A project or group by its id or its path, in whatever letters.
    fn owner(&self, kind: &str, id: &str) -> Option<(String, u64)> {
        let wanted = format!("{kind}/{}", id.to_ascii_lowercase());
        let number = id.parse::<u64>().ok();
        let found = self.owners.iter().find(|(path, known)| {
            **path == wanted || (number == Some(**known) && path.starts_with(kind))
        });
        found.map(|(path, id)| (path.clone(), *id))
    }

    fn list(&self, owner: &str) -> Reply {
        let all = self.variables.iter().filter(|((of, _, _), _)| of == owner);
        let all: Vec<Value> = all.map(|(at, kept)| self.shown(at, kept)).collect();
        Reply::json(200, &json!(all))
            .header("x-page", "1")
            .header("x-next-page", "")
            .header("x-per-page", "100")
            .header("x-total", &all.len().to_string())
            .header("x-total-pages", "1")
    }

    fn make(&mut self, owner: &str, call: &Call) -> Reply {
        let body = call.json();
        let text = |name: &str| body[name].as_str();
        let (Some(name), Some(value)) = (text("key"), text("value")) else {
            let lacking = if text("key").is_none() {
                "key"
            } else {
                "value"
            };
            return Reply::json(400, &json!({"error": format!("{lacking} is missing")}));
        };
        let scope = match self.has_scopes(owner) {
            true => text("environment_scope").unwrap_or("*"),
            // What is not paid for is left out without a word.
            false => "*",
        };
        let to_hide = self.hides && body["masked_and_hidden"] == true;
        let kept = Kept {
            value: value.to_owned(),
            variable_type: text("variable_type").unwrap_or("env_var").to_owned(),
            protected: body["protected"] == true,
            masked: body["masked"] == true || to_hide,
            hidden: to_hide,
            raw: body["raw"] == true,
            description: text("description").map(str::to_owned),
        };
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !(1..=255).contains(&name.len()) || !name.bytes().all(fits) {
            let told = "can contain only letters, digits and '_'.";
            return invalid("key", told);
        }
        let at = at(owner, name, scope);
        if self.variables.contains_key(&at) {
            return invalid("key", &format!("({name}) has already been taken"));
        }
        self.keep(at, kept, 201)
    }

    fn one(&mut self, owner: &str, name: &str, call: &Call) -> Reply {
        let filter = filter(&call.query);
        let found = self.variables.keys().filter(|(of, known, scope)| {
            of == owner && known == name && filter.as_deref().is_none_or(|wanted| wanted == scope)
        });
        let found: Vec<At> = found.cloned().collect();
        let at = match found.as_slice() {
            [at] => at.clone(),
            [] => {
                return refuse(
                    404,
                    match owner.starts_with("groups/") {
                        true => "404 GroupVariable Not Found",
                        false => "404 Variable Not Found",
                    },
                );
            }
            _ => {
                return refuse(
                    409,
                    "There are multiple variables with provided parameters. Please use \
                     'filter[environment_scope]'",
                );
            }
        };
        let Some(was) = self.variables.get(&at).cloned() else {
            return refuse(500, "500 Internal Server Error");
        };
        match call.method.as_str() {
            "GET" => Reply::json(200, &self.shown(&at, &was)),
            "DELETE" => {
                self.before.clone_from(&self.variables);
                self.variables.remove(&at);
                Reply::empty(204)
            }
            "PUT" => {
                let body = call.json();
                let flag = |name: &str, was: bool| body[name].as_bool().unwrap_or(was);
                let text = |name: &str, was: &str| body[name].as_str().unwrap_or(was).to_owned();
                let now = Kept {
                    value: text("value", &was.value),
                    variable_type: text("variable_type", &was.variable_type),
                    protected: flag("protected", was.protected),
                    masked: flag("masked", was.masked),
                    hidden: was.hidden,
                    raw: flag("raw", was.raw),
                    description: match body.get("description") {
                        None => was.description.clone(),
                        Some(told) => told.as_str().map(str::to_owned),
                    },
                };
                if was.hidden && now.masked != was.masked {
                    let told =
                        "The visibility setting cannot be changed for masked and hidden variables.";
                    return invalid("base", told);
                }
                let (of, name, scope) = &at;
                let to = match self.has_scopes(owner) {
                    true => text("environment_scope", scope),
                    false => scope.clone(),
                };
                let to = (of.clone(), name.clone(), to);
                if to != at {
                    self.variables.remove(&at);
                }
                let refused = self.keep(to.clone(), now, 200);
                if refused.status != 200 && to != at {
                    self.variables.insert(at, was);
                }
                refused
            }
            _ => Reply::json(405, &json!({"error": "405 Not Allowed"})),
        }
    }

    /// The variable that a call has made.
    fn made(&self, call: &Call) -> Option<At> {
        let body = call.json();
        let made = self.variables.iter().find(|((_, name, scope), _)| {
            body["key"] == **name && body["environment_scope"].as_str().unwrap_or("*") == scope
        });
        made.map(|(at, _)| at.clone())
    }

    fn has_scopes(&self, owner: &str) -> bool {
        self.group_scopes || owner.starts_with("projects/")
    }

    /// Keeps a variable, if what it holds fits how it is kept.
    fn keep(&mut self, at: At, kept: Kept, status: u16) -> Reply {
        if !["env_var", "file"].contains(&kept.variable_type.as_str()) {
            let told = json!({"error": "variable_type does not have a valid value"});
            return Reply::json(400, &told);
        }
        let (_, _, scope) = &at;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-/${}. *".contains(&b);
        if scope.is_empty() || scope.len() > 255 || !scope.bytes().all(fits) {
            return invalid(
                "environment_scope",
                "can contain only letters, digits, '-', '_'",
            );
        }
        if kept
            .description
            .as_ref()
            .is_some_and(|told| told.len() > 255)
        {
            return invalid("description", "is too long (maximum is 255 characters)");
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_+=/@:.~-".contains(&b);
        let value = &kept.value;
        let masks = match kept.raw {
            true => !value.chars().any(char::is_whitespace),
            false => value.bytes().all(plain),
        };
        if kept.masked && (value.len() < 8 || !masks) {
            return invalid("value", "is invalid");
        }
        self.before.clone_from(&self.variables);
        self.variables.insert(at.clone(), kept.clone());
        Reply::json(status, &self.shown(&at, &kept))
    }

    /// A variable as its server tells of it.
    fn shown(&self, (_, name, scope): &At, kept: &Kept) -> Value {
        let Kept {
            value,
            variable_type,
            protected,
            masked,
            hidden,
            raw,
            description,
        } = kept;
        let mut shown = json!({
            "variable_type": variable_type, "key": name, "value": value, "protected": protected,
            "masked": masked, "raw": raw, "environment_scope": scope, "description": description,
        });
        if self.hides {
            shown["hidden"] = json!(hidden);
            if *hidden {
                shown["value"] = Value::Null;
            }
        }
        shown
    }
}

fn at(owner: &str, name: &str, scope: &str) -> At {
    (owner.to_owned(), name.to_owned(), scope.to_owned())
}

/// The environment scope that a query asks for.
fn filter(query: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(name, _)| plain(name) == "filter[environment_scope]");
    found.map(|(_, value)| plain(&value.replace('+', " ")))
}

/// A text without its escapes.
fn plain(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
        let digits = std::str::from_utf8(&digits).unwrap_or("00");
        out.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn shown_owner(path: &str, id: u64) -> Value {
    let (_, full) = path.split_once('/').unwrap_or_default();
    let name = full.rsplit('/').next().unwrap_or_default();
    json!({
        "id": id, "name": name, "path": name, "full_path": full, "path_with_namespace": full,
        "web_url": format!("https://gitlab.example.com/{full}"), "visibility": "private",
    })
}

fn refuse(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"message": message}))
}

fn invalid(attribute: &str, told: &str) -> Reply {
    Reply::json(400, &json!({"message": {attribute: [told]}}))
}

fn not_found(kind: &str) -> Reply {
    refuse(
        404,
        match kind {
            "groups" => "404 Group Not Found",
            _ => "404 Project Not Found",
        },
    )
}

impl Standin for Gitlab {
    fn answer(&mut self, call: &Call) -> Reply {
        let asked = format!("{} {}", call.method, call.path);
        let at = self
            .faults
            .iter()
            .position(|(text, _)| asked.contains(text));
        let fault = at.map(|at| self.faults.remove(at).1);
        match fault {
            None => self.work(call),
            Some(Fault::LostAnswer) => {
                self.work(call);
                Reply::cut()
            }
            Some(Fault::Cut) => Reply::cut(),
            Some(Fault::Refuse(status, body)) => Reply::json(status, &body),
            Some(Fault::RefuseDone(status, body)) => {
                self.work(call);
                Reply::json(status, &body)
            }
            Some(Fault::Moved) => refuse(301, "301 Moved Permanently").header(
                "location",
                "https://gitlab.elsewhere.example/api/v4/projects/7",
            ),
            Some(Fault::Written(value)) => {
                for kept in self.variables.values_mut() {
                    kept.value.clone_from(&value);
                }
                if call.method == "POST" {
                    let theirs = self.work(call);
                    if theirs.status == 201
                        && let Some(at) = self.made(call)
                        && let Some(kept) = self.variables.get_mut(&at)
                    {
                        kept.value = value;
                    }
                }
                self.work(call)
            }
            Some(Fault::Stale) => {
                let now = std::mem::take(&mut self.variables);
                self.variables.clone_from(&self.before);
                let reply = self.work(call);
                self.variables = now;
                reply
            }
        }
    }
}
