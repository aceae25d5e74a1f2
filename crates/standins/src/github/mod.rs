//! GitHub: secrets of Actions, Dependabot and Codespaces, and the login of an App. It holds the private key and
//! opens each value.
//! Sources: GitHub's OpenAPI description of its REST API (`@octokit/openapi`), and its documentation of secrets
//! and of rate limits. `scripts/services/github-client` drives it with PyGithub, and holds its answers to that
//! description.

mod app;
mod secrets;
mod shown;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::SecretKey;
use crypto_box::aead::OsRng;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

pub(crate) use self::shown::REPOSITORY_PARTS;
use self::shown::{base, of_environment, repository};
use crate::serve::{Call, Reply, Standin};
use crate::settings::Settings;

/// The token that a new server takes.
pub const TOKEN: &str = "github_pat_of.the_stand-in.11AAAAAAA0";
/// The id of its App.
pub const APP: &str = "123456";
/// The installation of the App.
pub const INSTALLATION: &str = "7890";

/// The largest value of a secret, in bytes.
const LARGEST: usize = 48 * 1024;

/// What the next requests meet besides the server's own will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is lost; the request was worked on.
    LostAnswer,
    /// The request is not worked on and not answered.
    Cut,
    /// This status and this message, and nothing is done.
    Refuse(u16, String),
    /// The same, and it is done all the same.
    RefuseDone(u16, String),
    /// It is worked on and answered, and no token is good afterwards.
    Revoked,
    /// A redirect to another path.
    Moved,
    /// The public key changes before the request is worked on.
    NewKey,
}

/// A secret.
#[derive(Clone, Debug)]
struct Kept {
    created: i64,
    updated: i64,
    encrypted: String,
    /// What the box held; `None` if it did not open, which GitHub does not look at.
    value: Option<Vec<u8>>,
    visibility: Option<String>,
    selected: Vec<u64>,
}

/// The server.
pub struct Github {
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// How far its clock is before that of others, in seconds.
    pub skew: i64,
    /// The last second in which something was written: two writes never share one, unless [`Self::coarse`].
    last: i64,
    /// Whether two writes may be in one second.
    pub coarse: bool,
    /// By `owner/name`, with the ids.
    repositories: BTreeMap<String, u64>,
    /// By repository and name.
    environments: BTreeSet<(String, String)>,
    organizations: BTreeSet<String>,
    /// What protects environments and branches.
    pub settings: Settings,
    /// By where they are (`repos/acme/app/actions`) and name.
    secrets: BTreeMap<(String, String), Kept>,
    key: SecretKey,
    key_id: u64,
    /// Tokens, each with the paths (`METHOD path`) that it may not use.
    tokens: BTreeMap<String, BTreeSet<String>>,
    app_key: Option<RsaKeyPair>,
    /// What a token of the App may do.
    pub permissions: Value,
    logins: u64,
    ends: BTreeMap<String, i64>,
    /// How many writes a minute it takes; `None` for all.
    pub most_a_minute: Option<usize>,
    written: VecDeque<i64>,
    /// How many of the next answers to too many writes do not say how long to wait.
    pub silent: usize,
    limited: u64,
    /// What the next requests whose `METHOD path` has this text meet, each once.
    pub faults: Vec<(String, Fault)>,
}

impl fmt::Debug for Github {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Github({} secrets)", self.secrets.len())
    }
}

impl Github {
    /// A server with the repositories `acme/app` and `acme/web`, the first with the environment `production`,
    /// and the organization `acme`. The clock gives seconds since 1970.
    pub fn new(clock: Arc<dyn Fn() -> i64 + Send + Sync>) -> Self {
        Self {
            clock,
            skew: 0,
            last: 0,
            coarse: false,
            repositories: [("acme/app".to_owned(), 1001), ("acme/web".to_owned(), 1002)].into(),
            environments: [("acme/app".to_owned(), "production".to_owned())].into(),
            organizations: ["acme".to_owned()].into(),
            settings: Settings::default(),
            secrets: BTreeMap::new(),
            key: SecretKey::generate(&mut OsRng),
            key_id: 568_250_167_242_549_700,
            tokens: [(TOKEN.to_owned(), BTreeSet::new())].into(),
            app_key: None,
            permissions: json!({"metadata": "read", "secrets": "write"}),
            logins: 0,
            ends: BTreeMap::new(),
            most_a_minute: None,
            written: VecDeque::new(),
            silent: 0,
            limited: 0,
            faults: Vec::new(),
        }
    }

    /// A server that goes by the clock of this machine.
    pub fn by_the_clock() -> Self {
        Self::new(Arc::new(|| Timestamp::now().as_second()))
    }

    /// A token that may not use what has one of these texts in its `METHOD path`.
    pub fn token(&mut self, token: &str, forbidden: &[&str]) {
        let forbidden = forbidden.iter().map(|text| (*text).to_owned()).collect();
        self.tokens.insert(token.to_owned(), forbidden);
    }

    /// How often the App logged in.
    pub fn logins(&self) -> u64 {
        self.logins
    }

    /// How many writes were refused because there were too many.
    pub fn limited(&self) -> u64 {
        self.limited
    }

    /// Makes a repository.
    pub fn repository(&mut self, name: &str) {
        let id = 1001 + self.repositories.len() as u64;
        self.repositories.insert(name.to_owned(), id);
    }

    /// Another key for all secrets from now on.
    pub fn new_key(&mut self) {
        self.key = SecretKey::generate(&mut OsRng);
        self.key_id += 1;
    }

    /// The value of a secret: what a job reads. `at` is where it is: `repos/acme/app/actions`,
    /// `repos/acme/app/environments/production`, `orgs/acme/actions`.
    pub fn value(&self, at: &str, name: &str) -> Option<Vec<u8>> {
        self.secrets
            .get(&(at.to_owned(), name.to_owned()))?
            .value
            .clone()
    }

    /// What was sent as the value of a secret.
    pub fn encrypted(&self, at: &str, name: &str) -> Option<String> {
        let kept = self.secrets.get(&(at.to_owned(), name.to_owned()))?;
        Some(kept.encrypted.clone())
    }

    /// Which repositories see a secret, and the ids of those that are listed.
    pub fn seers(&self, at: &str, name: &str) -> Option<(String, Vec<u64>)> {
        let kept = self.secrets.get(&(at.to_owned(), name.to_owned()))?;
        Some((kept.visibility.clone()?, kept.selected.clone()))
    }

    /// How many secrets there are.
    pub fn count(&self) -> usize {
        self.secrets.len()
    }

    /// Writes a value as somebody does in the web page.
    pub fn put(&mut self, at: &str, name: &str, value: &[u8]) {
        let sealed = self.key.public_key().seal(&mut OsRng, value);
        let encrypted = STANDARD.encode(sealed.unwrap_or_default());
        let seers = self.seers(at, name).or_else(|| {
            at.starts_with("orgs/")
                .then(|| ("private".to_owned(), Vec::new()))
        });
        self.keep(at, name, encrypted, seers);
    }

    /// Deletes a secret as somebody does in the web page.
    pub fn forget(&mut self, at: &str, name: &str) {
        self.secrets.remove(&(at.to_owned(), name.to_owned()));
    }

    /// Says which repositories see a secret.
    pub fn show(&mut self, at: &str, name: &str, visibility: &str, selected: &[u64]) {
        if let Some(kept) = self.secrets.get_mut(&(at.to_owned(), name.to_owned())) {
            kept.visibility = Some(visibility.to_owned());
            kept.selected = selected.to_vec();
        }
    }

    /// Keeps a value; tells whether it is new.
    fn keep(
        &mut self,
        at: &str,
        name: &str,
        encrypted: String,
        seers: Option<(String, Vec<u64>)>,
    ) -> bool {
        let sealed = STANDARD.decode(&encrypted).unwrap_or_default();
        let value = self.key.unseal(&sealed).ok();
        let now = match self.coarse {
            true => self.now(),
            false => self.now().max(self.last + 1),
        };
        self.last = now;
        let key = (at.to_owned(), name.to_owned());
        let former = self.secrets.get(&key).map(|kept| kept.created);
        let (visibility, selected) = match seers {
            Some((visibility, selected)) => (Some(visibility), selected),
            None => (None, Vec::new()),
        };
        let kept = Kept {
            created: former.unwrap_or(now),
            updated: now,
            encrypted,
            value,
            visibility,
            selected,
        };
        self.secrets.insert(key, kept);
        former.is_none()
    }

    fn now(&self) -> i64 {
        (self.clock)() + self.skew
    }

    fn work(&mut self, call: &Call) -> Reply {
        let path = call.path.strip_prefix("/api/v3").unwrap_or(&call.path);
        let parts: Vec<String> = path.split('/').skip(1).map(plain).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if parts == ["stand-in"] {
            return Reply::json(200, &self.all());
        }
        if let ["app", "installations", installation, "access_tokens"] = parts.as_slice() {
            return self.login(installation, call);
        }
        if let Some(refused) = self.refuses(call) {
            return refused;
        }
        match parts.as_slice() {
            ["repos", owner, name] => match self.repositories.get(&joined(owner, name)) {
                Some(id) => Reply::json(200, &repository(&base(call), owner, name, *id)),
                None => refuse(404, "Not Found"),
            },
            ["repos", owner, name, "environments", environment] => {
                let repository = joined(owner, name);
                if call.method == "PUT" && self.known(&repository, None) {
                    self.make_environment(&repository, environment, &call.json());
                }
                match self.known(&repository, Some(environment)) {
                    true => {
                        let mut shown = of_environment(&base(call), owner, name, environment);
                        let settings = &self.settings;
                        let protection = settings.protection(&repository, environment);
                        for key in ["protection_rules", "deployment_branch_policy"] {
                            shown[key] = protection[key].clone();
                        }
                        Reply::json(200, &shown)
                    }
                    false => refuse(404, "Not Found"),
                }
            }
            [
                "repos",
                owner,
                name,
                "environments",
                environment,
                "deployment-branch-policies",
            ] => {
                let key = (joined(owner, name), (*environment).to_owned());
                if call.method == "POST" {
                    let branch = call.json()["name"].as_str().map(str::to_owned);
                    match (branch, self.settings.branches.get_mut(&key)) {
                        (Some(branch), Some(all)) => all.push(branch),
                        _ => return refuse(404, "Not Found"),
                    }
                }
                Reply::json(200, &self.settings.listed(&key.0, &key.1))
            }
            ["repos", owner, name, "rules", "branches", _] => {
                let rules = self.settings.rules.get(&joined(owner, name)).cloned();
                Reply::json(200, &rules.unwrap_or_else(|| json!([])))
            }
            ["repos", _, _, "branches", _, "protection"] => refuse(404, "Branch not protected"),
            [
                "repos",
                owner,
                name,
                "environments",
                environment,
                "secrets",
                rest @ ..,
            ] => {
                let repository = joined(owner, name);
                match self.known(&repository, Some(environment)) {
                    true => {
                        let environment = environment.to_ascii_lowercase();
                        self.of_owner(
                            &format!("repos/{repository}/environments/{environment}"),
                            rest,
                            call,
                        )
                    }
                    false => refuse(404, "Not Found"),
                }
            }
            [
                "repos",
                owner,
                name,
                app @ ("actions" | "dependabot" | "codespaces"),
                "secrets",
                rest @ ..,
            ] => {
                let repository = joined(owner, name);
                match self.known(&repository, None) {
                    true => self.of_owner(&format!("repos/{repository}/{app}"), rest, call),
                    false => refuse(404, "Not Found"),
                }
            }
            ["orgs", name] if self.organizations.contains(&name.to_ascii_lowercase()) => {
                let url = format!("{}/orgs/{name}", base(call));
                Reply::json(200, &json!({"login": name, "id": 1, "url": url}))
            }
            [
                "orgs",
                name,
                app @ ("actions" | "dependabot" | "codespaces"),
                "secrets",
                rest @ ..,
            ] if self.organizations.contains(&name.to_ascii_lowercase()) => {
                let at = format!("orgs/{}/{app}", name.to_ascii_lowercase());
                self.of_owner(&at, rest, call)
            }
            _ => refuse(404, "Not Found"),
        }
    }

    /// All that it holds, for scripts: GitHub has nothing of the kind.
    fn all(&self) -> Value {
        let secrets = self.secrets.iter().map(|((at, name), kept)| {
            let value = kept.value.as_ref().map(|value| STANDARD.encode(value));
            json!({
                "at": at, "name": name, "encrypted": kept.encrypted, "value": value,
                "visibility": kept.visibility, "selected": kept.selected,
            })
        });
        let secrets: Vec<Value> = secrets.collect();
        json!({"private_key": STANDARD.encode(self.key.to_bytes()), "secrets": secrets})
    }

    fn make_environment(&mut self, repository: &str, environment: &str, body: &Value) {
        let key = (repository.to_owned(), environment.to_ascii_lowercase());
        self.environments.insert(key);
        let key = (repository.to_owned(), environment.to_owned());
        if body["deployment_branch_policy"]["custom_branch_policies"] == true {
            self.settings.branches.entry(key).or_default();
        } else {
            self.settings.branches.remove(&key);
        }
    }

    fn known(&self, repository: &str, environment: Option<&str>) -> bool {
        self.repositories.contains_key(repository)
            && environment.is_none_or(|name| {
                let key = (repository.to_owned(), name.to_ascii_lowercase());
                self.environments.contains(&key)
            })
    }

    /// Whether the login, or the number of writes, is in the way.
    fn refuses(&mut self, call: &Call) -> Option<Reply> {
        let header = call.header("authorization");
        let token = header
            .strip_prefix("Bearer ")
            .or_else(|| header.strip_prefix("token "));
        let token = token.unwrap_or_default();
        let ended = self.ends.get(token).is_some_and(|end| *end <= self.now());
        let Some(forbidden) = self.tokens.get(token).filter(|_| !ended) else {
            return Some(refuse(401, "Bad credentials"));
        };
        let asked = format!("{} {}", call.method, call.path);
        if forbidden.iter().any(|text| asked.contains(text.as_str())) {
            return Some(refuse(403, "Resource not accessible by integration"));
        }
        let writes = matches!(call.method.as_str(), "PUT" | "POST" | "PATCH" | "DELETE");
        let most = self.most_a_minute.filter(|_| writes)?;
        let now = self.now();
        while self.written.front().is_some_and(|at| *at <= now - 60) {
            self.written.pop_front();
        }
        if self.written.len() < most {
            self.written.push_back(now);
            return None;
        }
        self.limited += 1;
        let told = refuse(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        );
        if self.silent > 0 {
            self.silent -= 1;
            return Some(told);
        }
        Some(told.header("retry-after", "60"))
    }
}

/// A part of a path without its escapes.
fn plain(part: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = part.bytes();
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

fn joined(owner: &str, name: &str) -> String {
    format!("{owner}/{name}").to_ascii_lowercase()
}

fn refuse(status: u16, message: &str) -> Reply {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    Reply::json(status, &body)
}

impl Standin for Github {
    fn answer(&mut self, call: &Call) -> Reply {
        let asked = format!("{} {}", call.method, call.path);
        let at = self
            .faults
            .iter()
            .position(|(text, _)| asked.contains(text));
        let fault = at.map(|at| self.faults.remove(at).1);
        let reply = match fault {
            None => self.work(call),
            Some(Fault::LostAnswer) => {
                self.work(call);
                Reply::cut()
            }
            Some(Fault::Cut) => Reply::cut(),
            Some(Fault::Refuse(status, message)) => refuse(status, &message),
            Some(Fault::RefuseDone(status, message)) => {
                self.work(call);
                refuse(status, &message)
            }
            Some(Fault::Revoked) => {
                let reply = self.work(call);
                self.tokens.clear();
                reply
            }
            Some(Fault::Moved) => {
                let to = "https://api.github.com/repositories/1001/actions/secrets";
                refuse(301, "Moved Permanently").header("location", to)
            }
            Some(Fault::NewKey) => {
                self.new_key();
                self.work(call)
            }
        };
        let date = Timestamp::from_second(self.now()).ok();
        let date = date.and_then(|date| {
            DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&date)
                .ok()
        });
        match (reply.status, date) {
            (0, _) | (_, None) => reply,
            (_, Some(date)) => reply.header("date", &date),
        }
    }
}
