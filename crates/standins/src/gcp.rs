//! Google Cloud: Secret Manager, global and regional, and the three ways in that programs have: the key of a
//! service account, a token of somebody else, the metadata server of a machine.
//! Sources: Google's discovery documents `secretmanager` v1, `sts` v1 and `iamcredentials` v1; its documentation,
//! "Using OAuth 2.0 for server to server applications" and "Resource consistency"; the messages are those that
//! google-github-actions/get-secretmanager-secrets#268 and external-secrets/external-secrets#4812 met.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
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

    fn by_key(&mut self, call: &Call) -> Reply {
        let form = form(&call.body);
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let invalid = |why: &str| {
            let body = json!({"error": "invalid_grant", "error_description": why});
            Reply::json(400, &body)
        };
        if field("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            return Reply::json(400, &json!({"error": "unsupported_grant_type"}));
        }
        let Some((signed, signature)) = field("assertion").rsplit_once('.') else {
            return invalid("Invalid JWT: it has no signature.");
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let good = self.key.as_ref().is_some_and(|key| {
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key());
            public.verify(signed.as_bytes(), &signature).is_ok()
        });
        if !good {
            return invalid("Invalid JWT Signature.");
        }
        let part = |n: usize| -> Value {
            let part = signed.split('.').nth(n).unwrap_or_default();
            let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
            serde_json::from_slice(&bytes).unwrap_or_default()
        };
        let (head, claims) = (part(0), part(1));
        let time = |name: &str| claims[name].as_i64().unwrap_or(0);
        let now = self.now();
        if head["alg"] != "RS256" || head["kid"] != "key-1" {
            return invalid("Invalid JWT: no such key.");
        }
        let aud = claims["aud"].as_str().unwrap_or_default();
        if claims["iss"] != ACCOUNT || claims["scope"] != CLOUD || !aud.ends_with("/token") {
            return invalid("Invalid JWT: iss, scope or aud.");
        }
        if time("iat") > now + 60 || time("exp") <= now || time("exp") > time("iat") + 3600 {
            return invalid(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
                 timeframe. Check your iat and exp values in the JWT claim.",
            );
        }
        self.entered()
    }

    fn by_exchange(&mut self, call: &Call) -> Reply {
        let form = form(&call.body);
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let invalid = |code: &str, why: &str| {
            let body = json!({"error": code, "error_description": why});
            Reply::json(400, &body)
        };
        if !call.header("authorization").is_empty() {
            return invalid("invalid_request", "no Authorization is taken here");
        }
        if field("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange"
            || field("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token"
            || field("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt"
            || !field("scope")
                .split(' ')
                .any(|scope| scope.starts_with("https://www.googleapis.com/"))
        {
            return invalid("invalid_request", "Invalid request.");
        }
        if field("audience") != AUDIENCE {
            let why = "Invalid value for \"audience\". This value should be the full resource name of \
                       the Identity Provider.";
            return invalid("invalid_request", why);
        }
        if field("subject_token") != SUBJECT {
            let why = "The subject token could not be verified.";
            return invalid("invalid_grant", why);
        }
        self.entered()
    }

    fn by_machine(&mut self, call: &Call) -> Reply {
        let Some(is_googles) = self.metadata else {
            return Reply::empty(404).header("metadata-flavor", "Google");
        };
        if call.header("metadata-flavor") != "Google" {
            return Reply::empty(403);
        }
        let flavor = if is_googles { "Google" } else { "Router" };
        let reply = match call.path.trim_end_matches('/') {
            "/computeMetadata/v1/instance/service-accounts/default/token" => self.entered(),
            "/computeMetadata/v1/instance/service-accounts/default" => Reply::json(
                200,
                &json!({"aliases": ["default"], "email": ACCOUNT, "scopes": [CLOUD]}),
            ),
            "/computeMetadata/v1/universe/universe-domain"
            | "/computeMetadata/v1/universe/universe_domain" => Reply {
                status: 200,
                headers: Vec::new(),
                body: b"googleapis.com".to_vec(),
            },
            _ => Reply::empty(404),
        };
        reply.header("metadata-flavor", flavor)
    }

    fn entered(&mut self) -> Reply {
        let lifetime = self.lifetime;
        let token = self.token();
        let body = json!({
            "access_token": token,
            "expires_in": lifetime,
            "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        Reply::json(200, &body)
    }

    fn secret_manager(&mut self, path: &str, call: &Call) -> Reply {
        // A project is known by its number as well.
        let path = path.replacen(
            &format!("projects/{NUMBER}/"),
            &format!("projects/{PROJECT}/"),
            1,
        );
        let Some((parent, rest)) = path.split_once("/secrets") else {
            return Reply::empty(404);
        };
        let regional = match parent.split('/').collect::<Vec<_>>().as_slice() {
            ["projects", PROJECT] => false,
            ["projects", PROJECT, "locations", location] if !location.is_empty() => true,
            _ => return self.deny("secretmanager.secrets.get", &path),
        };
        if rest.is_empty() {
            return match call.method.as_str() {
                "POST" => self.create(parent, regional, call),
                _ => Reply::empty(404),
            };
        }
        let rest = rest.trim_start_matches('/');
        let (name, of) = match rest.split_once('/') {
            Some((name, of)) => (name, Some(of)),
            None => (rest, None),
        };
        let (name, verb) = name.split_once(':').unwrap_or((name, ""));
        let resource = format!("{parent}/secrets/{name}");
        match (call.method.as_str(), verb, of) {
            ("GET", "", None) => self.look(&resource),
            ("DELETE", "", None) => match self.secrets.remove(&resource) {
                Some(_) => Reply::json(200, &json!({})),
                None => absent(&resource),
            },
            ("POST", "addVersion", None) => self.add(&resource, call),
            ("GET", "", Some("versions")) => self.list(&resource, call),
            (method, "", Some(of)) => {
                let Some(which) = of.strip_prefix("versions/") else {
                    return Reply::empty(404);
                };
                let (which, verb) = which.split_once(':').unwrap_or((which, ""));
                self.of_version(&resource, which, method, verb)
            }
            _ => Reply::empty(404),
        }
    }

    fn deny(&self, permission: &str, resource: &str) -> Reply {
        let told = format!(
            "Permission '{permission}' denied for resource '{resource}' (or it may not exist)."
        );
        let mut reply = error(403, "PERMISSION_DENIED", &told);
        reply["error"]["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "IAM_PERMISSION_DENIED",
            "domain": "iam.googleapis.com",
        }]);
        Reply::json(403, &reply)
    }

    fn create(&mut self, parent: &str, regional: bool, call: &Call) -> Reply {
        let query = form(call.query.as_bytes());
        let name = query.get("secretId").map_or("", String::as_str);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=255).contains(&name.len()) || !name.bytes().all(plain) {
            let told =
                format!("The provided Secret ID [{name}] does not match the expected format.");
            return refuse(400, "INVALID_ARGUMENT", &told);
        }
        let body = call.json();
        let replication = body["replication"]
            .as_object()
            .is_some_and(|map| !map.is_empty());
        if regional == replication {
            let told = match regional {
                true => "Replication is not supported for regional secrets.",
                false => "Replication must be set.",
            };
            return refuse(400, "INVALID_ARGUMENT", told);
        }
        let resource = format!("{parent}/secrets/{name}");
        if self.secrets.contains_key(&resource) {
            return refuse(
                409,
                "ALREADY_EXISTS",
                &format!("Secret [{resource}] already exists."),
            );
        }
        let more = body.as_object().cloned().unwrap_or_default();
        let kept = Kept {
            more,
            ..Kept::default()
        };
        self.secrets.insert(resource.clone(), kept);
        self.look(&resource)
    }

    fn look(&self, resource: &str) -> Reply {
        let needed = "secretmanager.secrets.get";
        if self.denied.contains(needed) {
            return self.deny(needed, resource);
        }
        let Some(kept) = self.secrets.get(resource) else {
            return absent(resource);
        };
        let mut body = json!({
            "name": by_number(resource),
            "createTime": "2026-11-01T09:00:00.123456Z",
            "etag": "\"15f3b0c5d6a1b2\"",
        });
        for (name, value) in &kept.more {
            body[name] = value.clone();
        }
        Reply::json(200, &body)
    }

    fn add(&mut self, resource: &str, call: &Call) -> Reply {
        let needed = "secretmanager.versions.add";
        if self.denied.contains(needed) {
            return self.deny(needed, resource);
        }
        let body = call.json();
        let Some(kept) = self.secrets.get_mut(resource) else {
            return absent(resource);
        };
        let payload = &body["payload"];
        let Some(value) = payload["data"]
            .as_str()
            .and_then(|data| STANDARD.decode(data).ok())
        else {
            return refuse(400, "INVALID_ARGUMENT", "Payload is required.");
        };
        if value.len() > LARGEST {
            let told = "The secret payload exceeds the size limit of 65536 bytes.";
            return refuse(400, "INVALID_ARGUMENT", told);
        }
        let sum = &payload["dataCrc32c"];
        let sum = match sum {
            Value::Null => None,
            Value::String(text) => text.parse().ok().or(Some(u64::MAX)),
            other => other.as_u64().or(Some(u64::MAX)),
        };
        if sum.is_some_and(|sum| sum != u64::from(crc32c(&value))) {
            let told = "The checksum of the payload does not match.";
            return refuse(400, "INVALID_ARGUMENT", told);
        }
        self.before.insert(resource.to_owned(), kept.versions.len());
        kept.versions.push(Version {
            value,
            state: State::Enabled,
            checked: sum.is_some(),
        });
        let number = kept.versions.len();
        Reply::json(200, &described(resource, number, kept.versions.last()))
    }

    fn list(&self, resource: &str, call: &Call) -> Reply {
        let needed = "secretmanager.versions.list";
        if self.denied.contains(needed) {
            return self.deny(needed, resource);
        }
        let Some(kept) = self.secrets.get(resource) else {
            return absent(resource);
        };
        let query = form(call.query.as_bytes());
        let size = query.get("pageSize").and_then(|text| text.parse().ok());
        let wanted = query
            .get("filter")
            .map(|text| text.trim_start_matches("state:"));
        let all = kept.versions.iter().enumerate().rev();
        let versions: Vec<Value> = all
            .filter(|(_, version)| wanted.is_none_or(|wanted| wanted == version.state.as_str()))
            .take(size.unwrap_or(25_000))
            .map(|(at, version)| described(resource, at + 1, Some(version)))
            .collect();
        let total = if wanted.is_some() { 0 } else { versions.len() };
        Reply::json(200, &json!({"versions": versions, "totalSize": total}))
    }

    fn of_version(&mut self, resource: &str, which: &str, method: &str, verb: &str) -> Reply {
        let needed = match (method, verb) {
            ("GET", "access") => "secretmanager.versions.access",
            ("GET", "") => "secretmanager.versions.get",
            ("POST", "destroy") => "secretmanager.versions.destroy",
            ("POST", "disable") => "secretmanager.versions.disable",
            ("POST", "enable") => "secretmanager.versions.enable",
            _ => return Reply::empty(404),
        };
        if self.denied.contains(needed) {
            return self.deny(needed, resource);
        }
        let Some(kept) = self.secrets.get_mut(resource) else {
            let told = format!(
                "Secret [{}] not found or has no versions.",
                by_number(resource)
            );
            return refuse(404, "NOT_FOUND", &told);
        };
        let number = match which {
            "latest" => match self.before.get(resource) {
                Some(before) if self.lags => *before,
                _ => kept.versions.len(),
            },
            number => number.parse().unwrap_or(0),
        };
        let at = number.checked_sub(1);
        let Some(version) = at.and_then(|at| kept.versions.get_mut(at)) else {
            let told = match which {
                "latest" => format!(
                    "Secret [{}] not found or has no versions.",
                    by_number(resource)
                ),
                _ => format!(
                    "Secret Version [{}/versions/{which}] not found.",
                    by_number(resource)
                ),
            };
            return refuse(404, "NOT_FOUND", &told);
        };
        let name = format!("{}/versions/{number}", by_number(resource));
        let wrong = || {
            let state = version.state.as_str();
            let told = format!("Secret Version [{name}] is in {state} state.");
            refuse(400, "FAILED_PRECONDITION", &told)
        };
        match verb {
            "access" if version.state != State::Enabled => return wrong(),
            "access" => {
                let payload = json!({
                    "data": STANDARD.encode(&version.value),
                    "dataCrc32c": crc32c(&version.value).to_string(),
                });
                return Reply::json(200, &json!({"name": name, "payload": payload}));
            }
            "" => {}
            _ if version.state == State::Destroyed => return wrong(),
            "destroy" if kept.more.contains_key("versionDestroyTtl") => {
                version.state = State::Disabled;
            }
            "destroy" => {
                version.state = State::Destroyed;
                version.value.clear();
            }
            "disable" => version.state = State::Disabled,
            _ => version.state = State::Enabled,
        }
        Reply::json(200, &described(resource, number, Some(version)))
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

fn described(resource: &str, number: usize, version: Option<&Version>) -> Value {
    let state = version.map_or(State::Destroyed, |version| version.state);
    let mut body = json!({
        "name": format!("{}/versions/{number}", by_number(resource)),
        "createTime": "2026-11-01T09:30:00.123456Z",
        "state": state.as_str(),
        "etag": "\"15f3b0c5d6a1b3\"",
    });
    if state == State::Destroyed {
        body["destroyTime"] = json!("2026-11-01T09:40:00.123456Z");
    }
    if version.is_some_and(|version| version.checked) {
        body["clientSpecifiedPayloadChecksum"] = json!(true);
    }
    body
}

/// A name as answers have it.
fn by_number(resource: &str) -> String {
    resource.replacen(PROJECT, NUMBER, 1)
}

/// The fields of a form or a query.
fn form(text: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(text);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

fn plain(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || {
                    char::from(bytes.next().unwrap_or(b'0'))
                        .to_digit(16)
                        .unwrap_or(0)
                };
                let value = digit() * 16 + digit();
                out.push(u8::try_from(value).unwrap_or(b'?'));
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The Castagnoli CRC-32, by a table.
fn crc32c(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256_u32)
        .map(|n| {
            (0..8).fold(n, |sum, _| {
                if sum & 1 == 1 {
                    sum >> 1 ^ 0x82f6_3b78
                } else {
                    sum >> 1
                }
            })
        })
        .collect();
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        let at = (sum ^ u32::from(*byte)) & 0xff;
        let part = usize::try_from(at).ok().and_then(|at| table.get(at));
        sum >> 8 ^ part.copied().unwrap_or(0)
    });
    !sum
}

fn error(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}

fn refuse(code: u16, status: &str, message: &str) -> Reply {
    Reply::json(code, &error(code, status, message))
}

fn absent(resource: &str) -> Reply {
    refuse(
        404,
        "NOT_FOUND",
        &format!("Secret [{}] not found.", by_number(resource)),
    )
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
