//! Google Cloud: Secret Manager, global and regional, and the three ways in that programs have: the key of a
//! service account, a token of somebody else, the metadata server of a machine.
//! Sources: Google's discovery documents `secretmanager` v1, `sts` v1 and `iamcredentials` v1; its documentation,
//! "Using OAuth 2.0 for server to server applications" and "Resource consistency"; the messages are those that
//! google-github-actions/get-secretmanager-secrets#268 and external-secrets/external-secrets#4812 met.

mod logins;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Map, Value, json};

use crate::serve::{Call, Reply, Standin};

/// The project that there is, and the number by which answers name it.
pub const PROJECT: &str = "acme-prod";
const NUMBER: &str = "415104041262";
/// A token that a new server takes.
pub const TOKEN: &str = "ya29.of-the-stand-in-abcdefghijklmnop";
/// The service account whose key is taken.
pub const ACCOUNT: &str = "rolecall@acme-prod.iam.gserviceaccount.com";
/// The token of somebody else that is taken, and for whom it is meant.
pub const SUBJECT: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjaSJ9.signature-of-another";
/// Whom such a token is for.
pub const AUDIENCE: &str = "//iam.googleapis.com/projects/415104041262/locations/global/workloadIdentityPools/ci/providers/gitlab";
const LARGEST: usize = 65_536;
const CLOUD: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The state of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be read.
    Enabled,
    /// It cannot, until it is enabled again.
    Disabled,
    /// It is gone.
    Destroyed,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
            Self::Destroyed => "DESTROYED",
        }
    }
}

#[derive(Clone, Debug)]
struct Version {
    value: Vec<u8>,
    state: State,
    checked: bool,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    /// The first is number 1.
    versions: Vec<Version>,
    /// What else is said of the secret.
    more: Map<String, Value>,
}

/// What the next requests meet besides the server's own will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is lost; the request was worked on.
    LostAnswer,
    /// The request is not worked on and not answered.
    Cut,
    /// The same, and it is worked on after so many other requests.
    Late(usize),
    /// None: the next fault with this text is for the next request.
    Pass,
    /// This status, canonical code and reason, and nothing is done.
    Refuse(u16, &'static str, &'static str),
    /// The same, and it is done all the same.
    RefuseDone(u16, &'static str),
    /// Nothing is done, and what was sent is shown.
    Echo,
    /// A redirect to another host.
    Redirect,
    /// Somebody adds a version with this value before the request is worked on.
    Written(Vec<u8>),
    /// What is read is damaged on the way.
    Damaged,
    /// A version is answered with under this name, though there may be none.
    Named(&'static str),
}

/// The server.
pub struct Gcp {
    secrets: BTreeMap<String, Kept>,
    tokens: BTreeSet<String>,
    /// Permissions that nobody has.
    pub denied: BTreeSet<&'static str>,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    key: Option<RsaKeyPair>,
    logins: u64,
    /// How long a token of a login is said to last, in seconds.
    pub lifetime: i64,
    /// What the next requests whose `METHOD path?query` has this text meet, each once.
    pub faults: Vec<(String, Fault)>,
    /// The name of the error by which tokens of others are refused while it is set.
    pub refuses: Option<&'static str>,
    /// Whether `latest` tells of a version only after the next request.
    pub lags: bool,
    /// Whether there is a metadata server, and whether it says that it is one.
    pub metadata: Option<bool>,
    /// What who reads `latest` of a secret got after each request: a value, or why not.
    pub seen: Vec<(String, Result<Vec<u8>, State>)>,
    before: BTreeMap<String, usize>,
    late: Option<(usize, Call)>,
}

impl std::fmt::Debug for Gcp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gcp({} secrets)", self.secrets.len())
    }
}

impl Gcp {
    /// A server whose clock is this one, in seconds since 1970, with no secret.
    pub fn new(clock: Arc<dyn Fn() -> i64 + Send + Sync>) -> Self {
        Self {
            secrets: BTreeMap::new(),
            tokens: [TOKEN.to_owned()].into(),
            denied: BTreeSet::new(),
            clock,
            key: None,
            logins: 0,
            lifetime: 3600,
            faults: Vec::new(),
            refuses: None,
            lags: false,
            metadata: None,
            seen: Vec::new(),
            before: BTreeMap::new(),
            late: None,
        }
    }

    /// A server by the clock of this machine.
    pub fn by_the_clock() -> Self {
        Self::new(Arc::new(|| Timestamp::now().as_second()))
    }

    /// The file of the service account's key, whose token comes from this address.
    ///
    /// # Panics
    /// If no key can be made.
    #[expect(clippy::expect_used, reason = "a test ends where there is no key")]
    pub fn account(&mut self, url: &str) -> Value {
        // One for all servers of a process, since to make one takes long.
        static KEY: OnceLock<Vec<u8>> = OnceLock::new();
        let der = KEY.get_or_init(|| {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
            key.as_der().expect("a form of it").as_ref().to_vec()
        });
        let key = RsaKeyPair::from_pkcs8(der).expect("a key");
        let body = STANDARD.encode(der);
        let lines: Vec<&str> = body
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap_or_default())
            .collect();
        self.key = Some(key);
        let label = "PRIVATE KEY";
        json!({
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "key-1",
            "private_key": format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")),
            "client_email": ACCOUNT,
            "client_id": "1",
            "token_uri": format!("{url}/token"),
            "universe_domain": "googleapis.com",
        })
    }

    /// How many logins there were.
    pub fn logins(&self) -> u64 {
        self.logins
    }

    /// Forgets all tokens.
    pub fn forget(&mut self) {
        self.tokens.clear();
    }

    /// Makes a secret without versions: `projects/P/secrets/S`, or with a location.
    pub fn make(&mut self, resource: &str) {
        self.secrets.entry(resource.to_owned()).or_default();
    }

    /// Says something of a secret.
    pub fn say(&mut self, resource: &str, name: &str, value: Value) {
        let kept = self.secrets.entry(resource.to_owned()).or_default();
        kept.more.insert(name.to_owned(), value);
    }

    /// What is said of a secret besides its name.
    pub fn said(&self, resource: &str) -> Option<&Map<String, Value>> {
        self.secrets.get(resource).map(|kept| &kept.more)
    }

    /// Adds a version as somebody else does.
    pub fn put(&mut self, resource: &str, value: &[u8]) {
        let kept = self.secrets.entry(resource.to_owned()).or_default();
        kept.versions.push(Version {
            value: value.to_vec(),
            state: State::Enabled,
            checked: false,
        });
    }

    /// Changes the state of a version as somebody else does.
    pub fn set(&mut self, resource: &str, number: usize, state: State) {
        if let Some(version) = self.version(resource, number) {
            version.state = state;
        }
    }

    fn version(&mut self, resource: &str, number: usize) -> Option<&mut Version> {
        let kept = self.secrets.get_mut(resource)?;
        kept.versions.get_mut(number.checked_sub(1)?)
    }

    /// The versions of a secret: what each holds, and its state.
    pub fn versions(&self, resource: &str) -> Vec<(Vec<u8>, State)> {
        let kept = self.secrets.get(resource);
        let versions = kept.map(|kept| kept.versions.iter());
        versions
            .into_iter()
            .flatten()
            .map(|version| (version.value.clone(), version.state))
            .collect()
    }

    /// What the newest version holds, for who reads it.
    pub fn latest(&self, resource: &str) -> Option<Vec<u8>> {
        let newest = self.secrets.get(resource)?.versions.last()?;
        (newest.state == State::Enabled).then(|| newest.value.clone())
    }

    fn now(&self) -> i64 {
        (self.clock)()
    }

    fn token(&mut self) -> String {
        self.logins += 1;
        let token = format!("ya29.of-login-number-{}-abcdefghijklmnop", self.logins);
        self.tokens.insert(token.clone());
        token
    }

    fn work(&mut self, call: &Call) -> Reply {
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/token") => return self.by_key(call),
            ("POST", "/v1/token") => return self.by_exchange(call),
            ("GET", path) if path.starts_with("/computeMetadata/") => {
                return self.by_machine(call);
            }
            _ => {}
        }
        let token = call.header("authorization").strip_prefix("Bearer ");
        if !token.is_some_and(|token| self.tokens.contains(token)) {
            return refuse(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.",
            );
        }
        let Some(path) = call.path.strip_prefix("/v1/") else {
            return Reply::empty(404);
        };
        let account = format!("projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken");
        if call.method == "POST" && path == account {
            let scopes = &call.json()["scope"];
            if *scopes != json!([CLOUD]) {
                return refuse(400, "INVALID_ARGUMENT", "no scope");
            }
            let end = Timestamp::from_second(self.now() + self.lifetime);
            let end = end.map(|end| end.to_string()).unwrap_or_default();
            let token = self.token();
            return Reply::json(200, &json!({"accessToken": token, "expireTime": end}));
        }
        self.secret_manager(path, call)
    }

    /// What who reads `latest` all the time gets now.
    fn watch(&mut self) {
        for (resource, kept) in &self.secrets {
            if let Some(newest) = kept.versions.last() {
                let got = match newest.state {
                    State::Enabled => Ok(newest.value.clone()),
                    state => Err(state),
                };
                self.seen.push((resource.clone(), got));
            }
        }
    }
}

fn error(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}

fn refuse(code: u16, status: &str, message: &str) -> Reply {
    Reply::json(code, &error(code, status, message))
}

impl Standin for Gcp {
    fn answer(&mut self, call: &Call) -> Reply {
        let asked = format!("{} {}?{}", call.method, call.path, call.query);
        let at = self
            .faults
            .iter()
            .position(|(text, _)| asked.contains(text));
        let fault = at.map(|at| self.faults.remove(at).1);
        match self.late.take() {
            Some((0, late)) => {
                self.work(&late);
            }
            Some((after, late)) => self.late = Some((after - 1, late)),
            None => {}
        }
        let reply = match fault {
            None | Some(Fault::Pass) => self.work(call),
            Some(Fault::Late(after)) => {
                self.late = Some((after, call.clone()));
                Reply::cut()
            }
            Some(Fault::LostAnswer) => {
                self.work(call);
                Reply::cut()
            }
            Some(Fault::Cut) => Reply::cut(),
            Some(Fault::Refuse(code, status, reason)) => {
                let mut body = error(code, status, "It was refused.");
                if !reason.is_empty() {
                    body["error"]["details"] = json!([{"reason": reason}]);
                }
                Reply::json(code, &body)
            }
            Some(Fault::Echo) => {
                let sent = String::from_utf8_lossy(&call.body);
                refuse(400, "INVALID_ARGUMENT", &sent)
            }
            Some(Fault::RefuseDone(code, status)) => {
                self.work(call);
                refuse(code, status, "It was refused.")
            }
            Some(Fault::Redirect) => {
                Reply::empty(307).header("location", "https://elsewhere.example/")
            }
            Some(Fault::Written(value)) => {
                let path = call.path.trim_start_matches("/v1/");
                let resource = path.split(':').next().unwrap_or_default();
                let resource = resource
                    .split("/versions")
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                self.put(&resource, &value);
                self.work(call)
            }
            Some(Fault::Named(name)) => {
                let payload = json!({"data": STANDARD.encode("{}")});
                Reply::json(200, &json!({"name": name, "payload": payload}))
            }
            Some(Fault::Damaged) => {
                let mut reply = self.work(call);
                let mut body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                body["payload"]["dataCrc32c"] = json!("1");
                reply.body = body.to_string().into_bytes();
                reply
            }
        };
        self.watch();
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
