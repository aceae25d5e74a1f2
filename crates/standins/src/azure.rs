//! Azure Key Vault, and what gives logins for it: Microsoft Entra ID, the identity of a virtual machine and that
//! of App Service.
//! Sources: the reference of the Key Vault REST API 7.4; the sources of azure-keyvault-secrets and azure-identity for
//! Python; answers that others met: Azure/azure-sdk-for-js#25489, Azure/azure-powershell#14740,
//! external-secrets/external-secrets#3519, hashicorp/terraform-provider-azurerm#12285 and #19749.
//! `scripts/services/azure-client` drives it with azure-keyvault-secrets.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use crate::serve::{Call, Reply, Standin};

/// The directory that the vault belongs to.
pub const TENANT: &str = "5f0c2d1e-0000-4000-8000-00000000acbe";
/// The application that may log in.
pub const CLIENT: &str = "c11e0000-0000-4000-8000-0000000000c1";
/// Its secret.
pub const SECRET: &str = "of~the+stand-in/secret=1&x";
/// The token of another identity that the application trusts.
pub const FEDERATED: &str = "eyJhbGciOiJub25lIn0.of-the-stand-in.federated";
/// What App Service gives to an app beside the address of its identity.
pub const HEADER: &str = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";

/// The longest value, in bytes.
const LONGEST: usize = 25 * 1024;
/// When all of it happens, in seconds since 1970.
const NOW: i64 = 1_793_527_200;

/// What the next requests meet besides the vault's own will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is lost; the request was worked on.
    LostAnswer,
    /// The request is not worked on and not answered.
    Cut,
    /// This status with these codes, and nothing is done.
    Refuse(u16, &'static str, &'static str),
    /// The same, and it is done all the same.
    RefuseDone(u16, &'static str, &'static str),
    /// A redirect to another host.
    Moved,
    /// Somebody writes this value before the request is worked on.
    Written(String),
    /// It is worked on, and so many reads behind it are answered as before.
    Lag(usize),
}

/// A version of a secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Its name: 32 digits.
    pub id: String,
    /// What it holds.
    pub value: String,
    /// `contentType`.
    pub content_type: Option<String>,
    /// `tags`.
    pub tags: Map<String, Value>,
    /// Whether it can be read.
    pub enabled: bool,
    /// When its use begins.
    pub nbf: Option<i64>,
    /// When it ends.
    pub exp: Option<i64>,
    /// Whether it is the key of a certificate.
    pub managed: bool,
}

/// A vault.
#[derive(Clone, Debug, Default)]
struct Store {
    /// By name in small letters, the newest version last.
    secrets: BTreeMap<String, Vec<Version>>,
    bin: BTreeMap<String, Vec<Version>>,
    /// With the number of requests that it still takes.
    recovering: BTreeMap<String, (Vec<Version>, usize)>,
}

/// The vault and the logins.
pub struct Azure {
    store: Store,
    /// Before the last write.
    before: Store,
    /// Tokens, and what they are for.
    tokens: BTreeMap<String, String>,
    made: u64,
    /// How many reads are answered as before the last write.
    lags: usize,
    /// How often somebody logged in.
    pub logins: usize,
    /// How long a token lasts, in seconds.
    pub lease: i64,
    /// What challenges say that tokens are for; `None` for the vault's own domain.
    pub resource: Option<String>,
    /// How many requests a recovery takes.
    pub recovery: usize,
    /// Refusals that last: those whose `METHOD path` has this text get 403 with this code.
    pub forbidden: Vec<(String, &'static str)>,
    /// What the next requests whose `METHOD path` has this text meet, each once.
    pub faults: Vec<(String, Fault)>,
}

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Azure({} secrets)", self.store.secrets.len())
    }
}

impl Default for Azure {
    fn default() -> Self {
        Self::new()
    }
}

fn refuse(status: u16, code: &str, inner: &str, message: &str) -> Reply {
    let mut error = json!({"code": code, "message": message});
    if !inner.is_empty() {
        error["innererror"] = json!({"code": inner});
    }
    Reply::json(status, &json!({"error": error}))
}

fn absent(name: &str) -> Reply {
    let message = format!("A secret with (name/id) {name} was not found in this key vault.");
    refuse(404, "SecretNotFound", "", &message)
}

fn blocked(name: &str, state: &str) -> Reply {
    let message = match state {
        "ObjectIsBeingRecovered" => {
            format!(
                "Secret {name} is currently being recovered and cannot be re-created; retry later."
            )
        }
        _ => format!(
            "Secret {name} is currently in a deleted but recoverable state, and its name cannot be \
             reused; in this state, the secret can only be recovered or purged."
        ),
    };
    refuse(409, "Conflict", state, &message)
}

/// A form, decoded.
fn form(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let mut out = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'+' => out.push(b' '),
                b'%' => {
                    let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                    out.extend(u8::from_str_radix(&digits, 16));
                }
                byte => out.push(byte),
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn host(call: &Call) -> &str {
    call.header("host")
}

impl Version {
    fn bundle(&self, host: &str, name: &str, value: bool) -> Value {
        let Self {
            id,
            value: text,
            content_type,
            tags,
            enabled,
            nbf,
            exp,
            managed,
        } = self;
        let mut out = json!({
            "id": format!("https://{host}/secrets/{name}/{id}"),
            "attributes": {
                "enabled": enabled, "created": NOW, "updated": NOW,
                "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
            },
        });
        if value {
            out["value"] = json!(text);
        }
        if let Some(text) = content_type {
            out["contentType"] = json!(text);
        }
        if !tags.is_empty() {
            out["tags"] = json!(tags);
        }
        for (name, time) in [("nbf", nbf), ("exp", exp)] {
            if let Some(time) = time {
                out["attributes"][name] = json!(time);
            }
        }
        if *managed {
            out["managed"] = json!(true);
        }
        out
    }

    fn take(&mut self, body: &Value) {
        if let Some(text) = body["contentType"].as_str() {
            self.content_type = Some(text.to_owned());
        }
        if let Some(tags) = body["tags"].as_object() {
            self.tags = tags.clone();
        }
        let attributes = &body["attributes"];
        if let Some(flag) = attributes["enabled"].as_bool() {
            self.enabled = flag;
        }
        for (name, time) in [("nbf", &mut self.nbf), ("exp", &mut self.exp)] {
            if let Some(told) = attributes[name].as_i64() {
                *time = Some(told);
            }
        }
    }
}

impl Azure {
    /// A vault without secrets.
    pub fn new() -> Self {
        Self {
            store: Store::default(),
            before: Store::default(),
            tokens: BTreeMap::new(),
            made: 0,
            lags: 0,
            logins: 0,
            lease: 3599,
            resource: None,
            recovery: 4,
            forbidden: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// The newest version of a secret that is there.
    pub fn newest(&self, name: &str) -> Option<&Version> {
        self.store.secrets.get(name)?.last()
    }

    /// All versions of a secret that is there, the newest last.
    pub fn versions(&self, name: &str) -> &[Version] {
        self.store.secrets.get(name).map_or(&[], Vec::as_slice)
    }

    /// Changes the newest version, past the API.
    pub fn change(&mut self, name: &str, change: impl FnOnce(&mut Version)) {
        let versions = self.store.secrets.get_mut(name);
        if let Some(newest) = versions.and_then(|versions| versions.last_mut()) {
            change(newest);
        }
    }

    /// Puts a value, past the API.
    pub fn put(&mut self, name: &str, value: &str) {
        self.set(name, &json!({"value": value}));
    }

    /// Deletes a secret, past the API.
    pub fn delete(&mut self, name: &str) {
        if let Some(versions) = self.store.secrets.remove(name) {
            self.store.bin.insert(name.to_owned(), versions);
        }
    }

    /// Begins to recover a secret, past the API.
    pub fn recover(&mut self, name: &str) {
        if let Some(versions) = self.store.bin.remove(name) {
            let name = name.to_owned();
            self.store
                .recovering
                .insert(name, (versions, self.recovery));
        }
    }

    fn set(&mut self, name: &str, body: &Value) -> Version {
        self.made += 1;
        let mut new = Version {
            id: format!(
                "{:032x}",
                u128::from(self.made) << 96 | u128::from(self.made)
            ),
            value: body["value"].as_str().unwrap_or_default().to_owned(),
            content_type: None,
            tags: Map::new(),
            enabled: true,
            nbf: None,
            exp: None,
            managed: false,
        };
        new.take(body);
        let versions = self.store.secrets.entry(name.to_owned()).or_default();
        versions.push(new.clone());
        new
    }

    fn issue(&mut self, resource: &str) -> Value {
        self.logins += 1;
        let token = format!("eyJ0.of-login-number-{}.stand-in", self.logins);
        self.tokens.insert(token.clone(), resource.to_owned());
        json!({"token_type": "Bearer", "expires_in": self.lease, "access_token": token})
    }

    /// Microsoft Entra ID.
    fn entra(&mut self, tenant: &str, call: &Call) -> Reply {
        let fields = form(&String::from_utf8_lossy(&call.body));
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        let refused = |status, error: &str, told: &str| {
            Reply::json(
                status,
                &json!({"error": error, "error_description": format!("{told}\r\nTrace ID: x")}),
            )
        };
        if tenant != TENANT {
            let told = format!("AADSTS90002: Tenant '{tenant}' not found.");
            return refused(400, "invalid_request", &told);
        }
        let good = field("grant_type") == "client_credentials"
            && match field("client_assertion_type") {
                "" => field("client_secret") == SECRET,
                kind => {
                    kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                        && field("client_assertion") == FEDERATED
                }
            };
        if field("client_id") != CLIENT {
            let told = "AADSTS700016: Application was not found in the directory.";
            return refused(400, "unauthorized_client", told);
        }
        if !good {
            // Repeats what it was given, as a server at its worst.
            let told = format!(
                "AADSTS7000215: Invalid client secret provided: {}{}",
                field("client_secret"),
                field("client_assertion")
            );
            return refused(401, "invalid_client", &told);
        }
        let scope = field("scope")
            .split(' ')
            .find_map(|scope| scope.strip_suffix("/.default"));
        match scope.map(str::to_owned) {
            Some(resource) => Reply::json(200, &self.issue(&resource)),
            None => refused(400, "invalid_scope", "AADSTS70011: The scope is not valid."),
        }
    }

    /// The identity of a machine or an app: numbers as texts.
    fn identity(&mut self, call: &Call, version: &str) -> Reply {
        let fields = form(&call.query);
        let Some(resource) = fields.get("resource") else {
            return Reply::json(400, &json!({"error": "invalid_request"}));
        };
        let named = fields.get("client_id").is_none_or(|id| id == CLIENT);
        if !named || fields.get("api-version").map(String::as_str) != Some(version) {
            return Reply::json(400, &json!({"error": "invalid_request"}));
        }
        let mut issued = self.issue(resource);
        if let Some(issued) = issued.as_object_mut() {
            let lease = self.lease;
            issued.remove("expires_in");
            match version {
                "2018-02-01" => issued.insert("expires_in".to_owned(), json!(lease.to_string())),
                _ => issued.insert("expires_on".to_owned(), json!((NOW + lease).to_string())),
            };
        }
        Reply::json(200, &issued)
    }

    fn work(&mut self, call: &Call) -> Reply {
        let method = call.method.as_str();
        let path = call.path.trim_matches('/').to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        match (method, parts.as_slice()) {
            ("POST", [tenant, "oauth2", "v2.0", "token"]) => self.entra(tenant, call),
            ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
                let base = format!("https://{}/{tenant}", host(call));
                Reply::json(
                    200,
                    &json!({
                        "issuer": format!("{base}/v2.0"),
                        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
                        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
                        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
                    }),
                )
            }
            ("GET", ["metadata", "identity", "oauth2", "token"]) => {
                match call.header("metadata") == "true" {
                    true => self.identity(call, "2018-02-01"),
                    false => Reply::json(400, &json!({"error": "invalid_request"})),
                }
            }
            ("GET", ["msi", "token"]) => match call.header("x-identity-header") == HEADER {
                true => self.identity(call, "2019-08-01"),
                false => Reply::json(403, &json!({"error": "unauthorized"})),
            },
            _ => self.vault(call, method, &parts),
        }
    }

    fn vault(&mut self, call: &Call, method: &str, parts: &[&str]) -> Reply {
        let host = host(call);
        let domain = host.split_once('.').map(|(_, domain)| domain);
        let own = match domain {
            Some(domain) if domain.starts_with("vault.") => format!("https://{domain}"),
            _ => format!("https://{}", host.split(':').next().unwrap_or_default()),
        };
        let resource = self.resource.clone().unwrap_or(own);
        let token = call.header("authorization").strip_prefix("Bearer ");
        let holder = token.and_then(|token| self.tokens.get(token));
        if holder != Some(&resource) {
            let challenge = format!(
                "Bearer authorization=\"https://login.windows.net/{TENANT}\", resource=\"{resource}\""
            );
            let told = match token {
                None => "AKV10000: Request is missing a Bearer or PoP token.",
                Some(_) => "AKV10022: Invalid audience or token.",
            };
            return refuse(401, "Unauthorized", "", told).header("www-authenticate", &challenge);
        }
        if !form(&call.query).contains_key("api-version") {
            return refuse(
                400,
                "BadParameter",
                "",
                "The api-version query parameter is missing.",
            );
        }
        let asked = format!("{method} {}", call.path);
        if let Some((_, code)) = self.forbidden.iter().find(|(text, _)| asked.contains(text)) {
            return refuse(
                403,
                "Forbidden",
                code,
                "Caller is not authorized to perform action on resource.\r\nCaller: appid=x",
            );
        }
        let (kind, name, rest) = match *parts {
            [kind, name] => (kind, name, ""),
            [kind, name, rest] => (kind, name, rest),
            _ => return refuse(404, "NotFound", "", "no such resource"),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !(1..=127).contains(&name.len()) || !name.bytes().all(plain) {
            return refuse(
                400,
                "BadParameter",
                "",
                "The request URI contains an invalid name",
            );
        }
        let at = name.to_ascii_lowercase();
        if let Some((versions, left)) = self.store.recovering.get_mut(&at) {
            if *left > 0 {
                *left -= 1;
                return match (kind, method) {
                    ("secrets", "GET") => absent(name),
                    _ => blocked(name, "ObjectIsBeingRecovered"),
                };
            }
            let versions = std::mem::take(versions);
            self.store.recovering.remove(&at);
            self.store.secrets.insert(at.clone(), versions);
        }
        match (kind, method, rest) {
            ("secrets", "PUT", "") => self.write(host, name, at, &call.json()),
            ("secrets", "GET", "versions") => {
                let found = self.versions(&at).iter();
                let items: Vec<Value> = found.map(|one| one.bundle(host, name, false)).collect();
                Reply::json(200, &json!({"value": items, "nextLink": null}))
            }
            ("secrets", "GET", version) => match self.version(&at, version) {
                Some(found) if !found.enabled => refuse(
                    403,
                    "Forbidden",
                    "SecretDisabled",
                    "Operation get is not allowed on a disabled secret.",
                ),
                Some(found) => Reply::json(200, &found.bundle(host, name, true)),
                None => absent(name),
            },
            ("secrets", "PATCH", version) => match self.version(&at, version) {
                Some(found) => {
                    found.take(&call.json());
                    Reply::json(200, &found.bundle(host, name, false))
                }
                None => absent(name),
            },
            ("secrets", "DELETE", "") => match self.store.secrets.contains_key(&at) {
                true => {
                    self.delete(&at);
                    self.deleted(host, name, &at)
                }
                false => absent(name),
            },
            ("deletedsecrets", "GET", "") => self.deleted(host, name, &at),
            ("deletedsecrets", "POST", "recover") => match self.store.bin.get(&at) {
                Some(versions) => {
                    let newest = versions.last().map(|one| one.bundle(host, name, false));
                    self.recover(&at);
                    Reply::json(200, &newest.unwrap_or_default())
                }
                None => absent(name),
            },
            ("deletedsecrets", "DELETE", "") => match self.store.bin.remove(&at) {
                Some(_) => Reply::empty(204),
                None => absent(name),
            },
            _ => refuse(405, "MethodNotAllowed", "", "no such operation"),
        }
    }

    fn version(&mut self, at: &str, version: &str) -> Option<&mut Version> {
        let versions = self.store.secrets.get_mut(at)?;
        match version {
            "" => versions.last_mut(),
            version => versions.iter_mut().find(|one| one.id == version),
        }
    }

    fn deleted(&self, host: &str, name: &str, at: &str) -> Reply {
        let Some(newest) = self.store.bin.get(at).and_then(|versions| versions.last()) else {
            return absent(name);
        };
        let mut bundle = newest.bundle(host, name, false);
        bundle["recoveryId"] = json!(format!("https://{host}/deletedsecrets/{name}"));
        bundle["deletedDate"] = json!(NOW);
        bundle["scheduledPurgeDate"] = json!(NOW + 90 * 86_400);
        Reply::json(200, &bundle)
    }

    fn write(&mut self, host: &str, name: &str, at: String, body: &Value) -> Reply {
        if self.store.bin.contains_key(&at) {
            return blocked(name, "ObjectIsDeletedButRecoverable");
        }
        let Some(value) = body["value"].as_str() else {
            return refuse(400, "BadParameter", "", "Property value is required");
        };
        if value.len() > LONGEST {
            return refuse(400, "BadParameter", "", "The specified value is too large.");
        }
        self.before = self.store.clone();
        let new = self.set(&at, body);
        Reply::json(200, &new.bundle(host, name, true))
    }
}

impl Standin for Azure {
    fn answer(&mut self, call: &Call) -> Reply {
        let asked = format!("{} {}", call.method, call.path);
        let at = self
            .faults
            .iter()
            .position(|(text, _)| asked.contains(text));
        let fault = at.map(|at| self.faults.remove(at).1);
        match fault {
            None if self.lags > 0 && call.method == "GET" => {
                self.lags -= 1;
                let now = std::mem::take(&mut self.store);
                self.store = self.before.clone();
                let reply = self.work(call);
                self.store = now;
                reply
            }
            None => self.work(call),
            Some(Fault::LostAnswer) => {
                self.work(call);
                Reply::cut()
            }
            Some(Fault::Cut) => Reply::cut(),
            Some(Fault::Refuse(status, code, inner)) => refuse(status, code, inner, "of a test"),
            Some(Fault::RefuseDone(status, code, inner)) => {
                self.work(call);
                refuse(status, code, inner, "of a test")
            }
            Some(Fault::Moved) => Reply::empty(307).header("location", "https://evil.example/"),
            Some(Fault::Written(value)) => {
                let name = call.path.rsplit('/').next().unwrap_or_default();
                self.put(&name.to_ascii_lowercase(), &value);
                self.work(call)
            }
            Some(Fault::Lag(reads)) => {
                let reply = self.work(call);
                self.lags = reads;
                reply
            }
        }
    }
}
