//! What outlives a run: the platform in memory, the destinations, the clock.
//! The product's own client reaches it; only the socket is missing.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rolecall::model::{Destination, Fingerprint, Mrn, Nonce};
use rolecall::platform::{Answer, Client, Credential, Endpoint, Identity, Time};
use rolecall::platform::{Transport, TransportError};
use rolecall::ports::Reader;
use rolecall::server::{App, Options, Quirks, SeedAccount, Storage};
use serde_json::Value;

use super::time::{self, Clock};

pub const ORGANIZATION: &str = "acme-corp";
pub const SPACES: [&str; 2] = ["acme-one", "acme-two"];
const TOKEN: &str = "token-of-the-simulation";
/// How long a request takes.
const TRAVEL: Duration = Duration::from_millis(7);

/// A key as a destination holds it.
pub struct Held {
    pub mrn: Mrn,
    pub fingerprint: Fingerprint,
    /// The credential file.
    json: String,
}

/// An account as it truly is, however far reads lag behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub mrn: String,
    pub scope: String,
    pub name: String,
    pub texts: [String; 2],
    pub labels: BTreeMap<String, String>,
    pub roles: BTreeSet<String>,
    pub used: bool,
}

pub struct Platform {
    pub clock: Arc<Clock>,
    pub quirks: Quirks,
    app: App,
    sinks: RefCell<BTreeMap<Destination, Held>>,
    nonces: Cell<u8>,
    keys: RefCell<Vec<String>>,
    /// Accounts that are none of the configuration's.
    pub bystanders: BTreeMap<String, Seen>,
}

fn scope(kind: &str, id: &str) -> String {
    format!("//captain.api.mondoo.app/{kind}/{id}")
}

impl Platform {
    pub fn new(quirks: Quirks) -> Self {
        let clock = Clock::new("2026-11-23T12:00:00Z".parse().expect("a time"));
        let now = clock.now();
        let options = Options {
            base_url: "http://127.0.0.1:8989".to_owned(),
            quirks: quirks.clone(),
        };
        let app = App::open(Storage::Memory, options).expect("opens");
        let organization = scope("organizations", ORGANIZATION);
        let spaces: Vec<_> = SPACES.iter().map(|id| (*id, *id, ORGANIZATION)).collect();
        app.ensure_scopes(&[(ORGANIZATION, "Acme")], &spaces, now)
            .expect("scopes");
        app.admin_create_token(&organization, "ci", TOKEN, &["owner"], now)
            .expect("token");
        for id in SPACES {
            // Nobody's, another configuration's, and one that another configuration is giving
            // birth to.
            let labels = |credential: Option<&str>| {
                let marks = credential.map(|credential| {
                    [
                        ("rolecall-stack", "other.k7m2q9ta"),
                        ("rolecall-address", "a0"),
                        ("rolecall-generation", "1"),
                        ("rolecall-credential", credential),
                    ]
                });
                let pairs = marks.into_iter().flatten();
                pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
            };
            for (name, role, credential) in [
                ("by hand", "editor", None),
                ("theirs", "viewer", Some("external")),
                ("theirs too", "agent", Some("pending.00")),
            ] {
                let account = SeedAccount {
                    name: name.to_owned(),
                    roles: vec![role.to_owned()],
                    labels: labels(credential),
                    ..SeedAccount::default()
                };
                app.admin_create_account(&scope("spaces", id), &account, now)
                    .expect("bystander");
            }
        }
        let mut platform = Self {
            clock,
            quirks,
            app,
            sinks: RefCell::default(),
            nonces: Cell::new(0),
            keys: RefCell::default(),
            bystanders: BTreeMap::new(),
        };
        platform.bystanders = platform.look();
        // Long ago, so that reads show it all.
        platform.clock.advance(Duration::from_hours(1));
        platform
    }

    /// The product's client, as the identity that applies.
    pub fn client(&self) -> Client<Wire<'_>> {
        self.client_as(Identity::api_token(TOKEN))
    }

    fn client_as(&self, identity: Identity) -> Client<Wire<'_>> {
        let endpoint = Endpoint::new("http://127.0.0.1:8989").expect("valid");
        let (now, sleep) = (Arc::clone(&self.clock), Arc::clone(&self.clock));
        let time = Time {
            now: Box::new(move || now.now()),
            sleep: Box::new(move |duration| Box::pin(sleep.sleep(duration))),
        };
        Client::new(Wire(self), endpoint, identity, time)
    }

    /// All accounts, by resource name.
    pub fn look(&self) -> BTreeMap<String, Seen> {
        let dump = self.app.dump().expect("dumps");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut roles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for binding in list(&dump["bindings"]) {
            let short = |role: &Value| {
                let role = text(role);
                let short = role.rsplit('/').next().unwrap_or_default();
                short.to_owned()
            };
            roles
                .entry(text(&binding["identity"]))
                .or_default()
                .extend(list(&binding["roles"]).iter().map(short));
        }
        let accounts = list(&dump["accounts"]).into_iter().map(|account| {
            let mrn = text(&account["mrn"]);
            let labels = list(&account["labels"]);
            let seen = Seen {
                scope: text(&account["scope_mrn"]),
                name: text(&account["name"]),
                texts: [text(&account["description"]), text(&account["notes"])],
                labels: labels
                    .iter()
                    .map(|label| (text(&label["key"]), text(&label["value"])))
                    .collect(),
                roles: roles.remove(&mrn).unwrap_or_default(),
                used: !account["last_used"].is_null(),
                mrn: mrn.clone(),
            };
            (mrn, seen)
        });
        accounts.collect()
    }

    pub fn holder(&self, destination: &Destination) -> Option<Mrn> {
        let sinks = self.sinks.borrow();
        sinks.get(destination).map(|held| held.mrn.clone())
    }

    /// Whether a destination holds this account's key, and the one of that fingerprint.
    pub fn holds(&self, destination: &Destination, mrn: &str, fingerprint: &str) -> bool {
        self.sinks.borrow().get(destination).is_some_and(|held| {
            held.mrn.as_str() == mrn && held.fingerprint.as_str() == fingerprint
        })
    }

    /// Whether any destination holds a key of the account.
    pub fn is_out(&self, mrn: &str) -> bool {
        let sinks = self.sinks.borrow();
        sinks.values().any(|held| held.mrn.as_str() == mrn)
    }

    pub fn put(&self, destination: &Destination, held: Held) {
        self.sinks.borrow_mut().insert(destination.clone(), held);
    }

    /// Asks the platform who it is that the key in a destination stands for.
    pub fn authenticates(&self, destination: &Destination) -> Result<String, String> {
        let identity = {
            let sinks = self.sinks.borrow();
            let held = sinks.get(destination).ok_or("nothing is there")?;
            Credential::parse(held.json.as_bytes())
                .map_err(|e| e.to_string())?
                .identity
        };
        let client = self.client_as(identity);
        time::run(&self.clock, || false, client.caller())
            .ok_or("no answer")?
            .map(|caller| caller.mrn.to_string())
            .map_err(|e| e.to_string())
    }

    pub fn nonce(&self) -> Nonce {
        self.nonces.set(self.nonces.get() + 1);
        Nonce::from_bytes([self.nonces.get(); 16])
    }

    /// Remembers a key that was issued, to look for it where it must not be.
    pub fn issued(&self, pem: &str) {
        self.keys.borrow_mut().push(pem.to_owned());
    }

    /// Whether a text holds a line of any key that was ever issued.
    pub fn leaks(&self, text: &str) -> bool {
        let keys = self.keys.borrow();
        keys.iter()
            .flat_map(|pem| pem.lines().filter(|line| !line.starts_with('-')))
            .any(|line| text.contains(line))
    }
}

impl Held {
    pub fn new(mrn: &Mrn, fingerprint: &Fingerprint, scope_mrn: &str, pem: &str) -> Self {
        let file = serde_json::json!({
            "mrn": mrn, "private_key": pem, "scope_mrn": scope_mrn,
            "api_endpoint": "http://127.0.0.1:8989",
        });
        Self {
            mrn: mrn.clone(),
            fingerprint: fingerprint.clone(),
            json: file.to_string(),
        }
    }
}

/// The way to the platform, without a socket.
pub struct Wire<'a>(&'a Platform);

impl Transport for Wire<'_> {
    async fn send(&self, body: Vec<u8>, authorization: String) -> Result<Answer, TransportError> {
        let platform = self.0;
        platform.clock.advance(TRAVEL);
        let now = platform.clock.now();
        let (status, body) = platform
            .app
            .serve_bytes(Some(&authorization), &body, now);
        Ok(Answer {
            // The header tells whole seconds.
            date: jiff::Timestamp::from_second(now.as_second()).ok(),
            ..Answer::new(status, body)
        })
    }
}
