//! Azure Key Vault, and what gives logins for it: Microsoft Entra ID, the identity of a virtual machine and that
//! of App Service.
//! Sources: the reference of the Key Vault REST API 7.4; the sources of azure-keyvault-secrets and azure-identity for
//! Python; answers that others met: Azure/azure-sdk-for-js#25489, Azure/azure-powershell#14740,
//! external-secrets/external-secrets#3519, hashicorp/terraform-provider-azurerm#12285 and #19749.
//! `scripts/services/azure-client` drives it with azure-keyvault-secrets.

mod logins;
mod vault;

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
    /// The number of the error by which logins are refused while it is set.
    pub refuses: Option<u32>,
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

fn host(call: &Call) -> &str {
    call.header("host")
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
            refuses: None,
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
