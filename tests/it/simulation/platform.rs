//! What outlives a run: the platform in memory, the destinations, the clock.
//! The product's own client reaches it; only the socket is missing.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rolecall::diff::PENDING_LEASE;
use rolecall::http::Time;
use rolecall::model::{
    CredentialMark, DesiredAccount, Destination, Fingerprint, IssuedCredential, Marking, Marks,
    Mrn, Nonce, OnDelete, Role, Seals, StackId, StoreVersion,
};
use rolecall::platform::{Client, Credential, Endpoint, Identity};
use rolecall::ports::Reader;
use rolecall::secret::Secret;
use rolecall_server::{App, Options, Quirks, SeedAccount, Storage};
use serde_json::Value;

use super::fault::Fault;
use super::stores::Stores;
use super::time::{self, Clock};
use super::wire::{Door, TOKEN, Wire};

pub const ORGANIZATION: &str = "acme-corp";
pub const SPACES: [&str; 2] = ["acme-one", "acme-two"];

/// A key as a destination holds it.
pub struct Held {
    pub mrn: Mrn,
    pub fingerprint: Fingerprint,
    /// The credential file.
    json: String,
}

/// A key beside what a destination holds.
struct Beside {
    to: Destination,
    held: Held,
    since: Duration,
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

/// All accounts, and how often something was written until then.
type Sight = (u64, Rc<BTreeMap<String, Seen>>);

pub struct Platform {
    pub clock: Arc<Clock>,
    door: Door,
    sinks: RefCell<BTreeMap<Destination, Held>>,
    /// Keys beside what destinations hold, by the name that the sink gave them.
    beside: RefCell<BTreeMap<String, Beside>>,
    /// How often each destination was written.
    versions: RefCell<BTreeMap<Destination, u32>>,
    nonces: Cell<u128>,
    keys: RefCell<Vec<String>>,
    /// What is there, as it was looked at since the last write.
    sight: RefCell<Option<Sight>>,
    /// Places that said that they have a key and had it not.
    liars: RefCell<BTreeSet<Destination>>,
    /// The identity that applies.
    caller: String,
    /// Accounts that are none of the configuration's.
    pub bystanders: Rc<BTreeMap<String, Seen>>,
}

/// The place of a destination, whatever its sink says of it.
pub fn place(destination: &Destination) -> Destination {
    let place = destination.clone().overwriting_unreadable(false);
    place.with(OnDelete::Keep)
}

/// A mark without the time in it.
fn timeless(mark: &str) -> String {
    match mark.rsplit_once(".t") {
        Some((rest, time)) if time != "-" => format!("{rest}.t+"),
        _ => mark.to_owned(),
    }
}

fn scope(kind: &str, id: &str) -> String {
    format!("//captain.api.mondoo.app/{kind}/{id}")
}

impl Platform {
    pub fn new(quirks: Quirks) -> Self {
        let clock = Clock::new("2026-11-23T12:00:00Z".parse().expect("a time"));
        let now = clock.now();
        let lag = Duration::from_millis(quirks.read_lag_ms);
        let options = Options {
            base_url: "http://127.0.0.1:8989".to_owned(),
            quirks,
        };
        let app = App::open(Storage::Memory, options).expect("opens");
        let organization = scope("organizations", ORGANIZATION);
        let spaces: Vec<_> = SPACES.iter().map(|id| (*id, *id, ORGANIZATION)).collect();
        app.ensure_scopes(&[(ORGANIZATION, "Acme")], &spaces, now)
            .expect("scopes");
        let caller = app
            .admin_create_token(&organization, "ci", TOKEN, &["owner"], now)
            .expect("token");
        // Nobody's, and one that another configuration is giving birth to.
        let marks = [
            ("rolecall-stack", "other.k7m2q9ta"),
            ("rolecall-address", "a0"),
            ("rolecall-mark", "v1.0-1-0.g1.p0d0r0.e-.t-"),
            ("rolecall-written", "-.-"),
            ("rolecall-credential", "pending.00.20260101T000000Z"),
        ];
        for (id, name, role, marks) in [
            (SPACES[0], "by hand", "editor", &[][..]),
            (SPACES[0], "theirs", "viewer", &marks[..]),
            (SPACES[1], "by hand", "owner", &[][..]),
        ] {
            let labels = marks
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            let account = SeedAccount {
                name: name.to_owned(),
                roles: vec![role.to_owned()],
                labels: labels.collect(),
                ..SeedAccount::default()
            };
            app.admin_create_account(&scope("spaces", id), &account, now)
                .expect("bystander");
        }
        let mut platform = Self {
            door: Door::new(app, Arc::clone(&clock), lag),
            clock,
            sinks: RefCell::default(),
            beside: RefCell::default(),
            versions: RefCell::default(),
            nonces: Cell::new(0),
            keys: RefCell::default(),
            sight: RefCell::default(),
            liars: RefCell::default(),
            caller,
            bystanders: Rc::default(),
        };
        platform.bystanders = platform.look();
        // Long ago, so that reads show it all.
        platform.clock.advance(Duration::from_hours(1));
        platform
    }

    /// Takes everything back that was not there in the beginning, except that time has passed.
    pub fn restore(&self) {
        for mrn in self.look().keys() {
            if !self.bystanders.contains_key(mrn) {
                let deleted = self.door.app.admin_delete(mrn, self.clock.now());
                deleted.expect("an account that is there");
            }
        }
        self.sinks.borrow_mut().clear();
        self.beside.borrow_mut().clear();
        self.versions.borrow_mut().clear();
        self.keys.borrow_mut().clear();
        self.liars.borrow_mut().clear();
        self.clock.advance(Duration::from_hours(1));
        self.door.restore();
    }

    /// Has answers kept, so that one that was true before may be given again.
    pub fn keeps_answers(&self) {
        self.door.keeps_answers();
    }

    /// Removes an account, as a person would.
    pub fn remove(&self, mrn: &str) {
        let deleted = self.door.app.admin_delete(mrn, self.clock.now());
        deleted.expect("an account that is there");
        self.door.written();
    }

    /// After how many calls the next request takes effect that comes late.
    pub fn delay_late(&self, calls: usize) {
        self.door.delay(calls);
    }

    /// Lets so many calls pass for what comes late. Tells whether something took effect.
    pub fn land(&self, calls: usize) -> bool {
        self.door.land(calls)
    }

    /// How many accounts may be there that no run knows of, since a request came twice or late.
    pub fn surplus(&self) -> usize {
        self.door.surplus()
    }

    /// A place said that it has a key and has it not.
    pub fn lied(&self, to: &Destination) {
        self.liars.borrow_mut().insert(place(to));
    }

    /// Whether a place ever said so.
    pub fn is_liar(&self, to: &Destination) -> bool {
        self.liars.borrow().contains(&place(to))
    }

    /// The version of what a destination holds.
    pub fn version(&self, destination: &Destination) -> Option<StoreVersion> {
        self.holder(destination)?;
        let versions = self.versions.borrow();
        let n = versions.get(&place(destination))?;
        Some(StoreVersion::new(&format!("v{n}")))
    }

    /// Puts an account there as an earlier run would have left it, its key delivered; the marks name the
    /// versions of that where destinations tell such.
    pub fn plant(&self, stack: &StackId, account: &DesiredAccount, stores: Stores) {
        let now = self.clock.now();
        let fingerprint = Fingerprint::from_label("planted");
        let places = account.deliver_to.iter();
        let marks = Marks {
            credential: CredentialMark::Delivered {
                fingerprint: fingerprint.clone(),
                nonce: Nonce::from_bytes([9; 16]),
                destinations: places
                    .map(|to| {
                        let version = stores.versions(to).then(|| self.next_version(to));
                        to.key_at(1, version)
                    })
                    .collect(),
            },
            ..Marks::external(stack.clone(), account.address.label(), false)
        };
        let mut labels = account.labels.clone().unwrap_or_default();
        labels.extend(marks.labels());
        let seed = SeedAccount {
            name: account.name.clone(),
            description: account.description.clone().unwrap_or_default(),
            roles: account.roles.iter().map(Role::mrn).collect(),
            labels,
            creator: Some(self.caller.clone()),
            ..SeedAccount::default()
        };
        let scope = account.scope.mrn();
        let mrn = self
            .door
            .app
            .admin_create_account(scope.as_str(), &seed, now);
        let mrn = mrn.expect("an account");
        let issued = self
            .door
            .app
            .admin_issue_credential(&mrn, now)
            .expect("a key");
        self.door.written();
        self.issued(&issued.private_key);
        for to in &account.deliver_to {
            let mrn = Mrn::new(&*mrn);
            let held = Held::new(&mrn, &fingerprint, scope.as_str(), &issued.private_key);
            self.put(to, held);
        }
    }

    /// All that a later run can see, but for what differs each time: resource names, nonces, keys,
    /// and of seals only whether they fit.
    pub fn state(&self) -> String {
        let accounts = self.look();
        let mark = |account: &Seen| {
            account
                .labels
                .get("rolecall-mark")
                .map(|mark| timeless(mark))
        };
        let names = |mrn: &Mrn| {
            let account = accounts.get(mrn.as_str());
            account.map(|a| (a.scope.clone(), a.name.clone(), mark(a)))
        };
        let sinks = self.sinks.borrow();
        let mut state: Vec<String> = sinks
            .iter()
            .map(|(to, held)| format!("{to} {:?} {:?}", names(&held.mrn), self.version(to)))
            .collect();
        let beside = self.beside.borrow();
        let mut left: Vec<String> = beside
            .values()
            .map(|one| format!("beside {} {:?}", one.to, names(&one.held.mrn)))
            .collect();
        left.sort();
        state.extend(left);
        let mut ours: Vec<Seen> = accounts
            .values()
            .filter(|account| !self.bystanders.contains_key(&account.mrn))
            .cloned()
            .collect();
        ours.sort_by_cached_key(|a| (a.scope.clone(), a.name.clone(), mark(a)));
        for mut account in ours {
            let mrn = Mrn::new(std::mem::take(&mut account.mrn));
            let seal = match Marks::locate(&account.labels) {
                Marking::Marked(marks) => format!("{:?}", seals().check(&mrn, &marks)),
                _ => String::new(),
            };
            if let Some(label) = account.labels.get_mut("rolecall-seal") {
                *label = seal;
            }
            if let Some(label) = account.labels.get_mut("rolecall-mark") {
                *label = timeless(label);
            }
            account.labels.remove("rolecall-seal-2");
            account.labels.remove("rolecall-written");
            if let Some(mark) = account.labels.get_mut("rolecall-credential") {
                mark.truncate(mark.find('.').unwrap_or(mark.len()));
            }
            state.push(format!("{account:?}"));
        }
        state.join("\n")
    }

    /// The product's client, as the identity that applies; what is armed meets its next request.
    pub fn client(&self, armed: &Rc<Cell<Option<Fault>>>) -> Client<Wire<'_>> {
        self.client_as(Identity::api_token(TOKEN), armed)
    }

    fn client_as(&self, identity: Identity, armed: &Rc<Cell<Option<Fault>>>) -> Client<Wire<'_>> {
        let endpoint = Endpoint::new("http://127.0.0.1:8989").expect("valid");
        let (now, sleep) = (Arc::clone(&self.clock), Arc::clone(&self.clock));
        let time = Time {
            now: Arc::new(move || now.now()),
            sleep: Arc::new(move |duration| Box::pin(sleep.sleep(duration))),
        };
        let wire = self.door.wire(armed);
        Client::new(wire, endpoint, identity, time)
    }

    /// All accounts, by resource name.
    pub fn look(&self) -> Rc<BTreeMap<String, Seen>> {
        let writes = self.door.writes();
        if let Some((at, sight)) = &*self.sight.borrow()
            && *at == writes
        {
            return Rc::clone(sight);
        }
        let sight = Rc::new(self.see());
        *self.sight.borrow_mut() = Some((writes, Rc::clone(&sight)));
        sight
    }

    fn see(&self) -> BTreeMap<String, Seen> {
        let dump = self.door.app.dump().expect("dumps");
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
        sinks.get(&place(destination)).map(|held| held.mrn.clone())
    }

    /// Whether a destination holds this account's key, and the one of that fingerprint.
    pub fn holds(&self, destination: &Destination, mrn: &str, fingerprint: &str) -> bool {
        self.sinks
            .borrow()
            .get(&place(destination))
            .is_some_and(|held| {
                held.mrn.as_str() == mrn && held.fingerprint.as_str() == fingerprint
            })
    }

    /// Whether any destination holds a key of the account.
    pub fn is_out(&self, mrn: &str) -> bool {
        let (sinks, beside) = (self.sinks.borrow(), self.beside.borrow());
        let beside = beside.values().map(|one| &one.held);
        sinks
            .values()
            .chain(beside)
            .any(|held| held.mrn.as_str() == mrn)
    }

    /// The version that the next write to a destination makes.
    fn next_version(&self, destination: &Destination) -> StoreVersion {
        let versions = self.versions.borrow();
        let n = versions
            .get(&place(destination))
            .copied()
            .unwrap_or_default()
            + 1;
        StoreVersion::new(&format!("v{n}"))
    }

    pub fn put(&self, destination: &Destination, held: Held) {
        let mut versions = self.versions.borrow_mut();
        *versions.entry(place(destination)).or_default() += 1;
        self.sinks.borrow_mut().insert(place(destination), held);
    }

    /// Puts a key beside what a destination holds, and gives its name there.
    pub fn put_beside(&self, destination: &Destination, held: Held) -> String {
        let mut beside = self.beside.borrow_mut();
        let name = format!("beside {} {}", destination.id(), self.nonces.get());
        self.nonces.set(self.nonces.get() + 1);
        let one = Beside {
            to: destination.clone(),
            held,
            since: self.clock.elapsed(),
        };
        beside.insert(name.clone(), one);
        name
    }

    /// Takes a key from beside.
    pub fn take_beside(&self, name: &str) -> Option<Held> {
        let one = self.beside.borrow_mut().remove(name);
        one.map(|one| one.held)
    }

    /// Removes what runs that are surely dead left beside what a destination holds.
    pub fn sweep(&self, destination: &Destination) {
        let now = self.clock.elapsed();
        let mut beside = self.beside.borrow_mut();
        beside.retain(|_, one| {
            one.to != *destination || now - one.since <= PENDING_LEASE.unsigned_abs()
        });
    }

    /// Takes an account's key out of a destination; what was there before may come back.
    pub fn take_back(&self, destination: &Destination, mrn: &Mrn, former: Option<Held>) -> bool {
        let mut sinks = self.sinks.borrow_mut();
        let own = sinks
            .get(&place(destination))
            .is_some_and(|held| held.mrn == *mrn);
        if own {
            sinks.remove(&place(destination));
            if let Some(held) = former {
                let mut versions = self.versions.borrow_mut();
                *versions.entry(place(destination)).or_default() += 1;
                sinks.insert(place(destination), held);
            }
        }
        own
    }

    /// The credential that a destination holds, as it was issued.
    pub fn key(&self, destination: &Destination) -> Option<IssuedCredential> {
        let sinks = self.sinks.borrow();
        let held = sinks.get(&place(destination))?;
        let file: Value = serde_json::from_str(&held.json).expect("a credential file");
        let text = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
        Some(IssuedCredential {
            mrn: held.mrn.clone(),
            certificate: String::new(),
            private_key: Secret::new(text("private_key")),
            scope_mrn: text("scope_mrn"),
            space_mrn: text("scope_mrn"),
            api_endpoint: text("api_endpoint"),
            fingerprint: held.fingerprint.clone(),
        })
    }

    /// The credential that a destination holds, as its file.
    pub fn read(&self, destination: &Destination) -> Option<Vec<u8>> {
        let sinks = self.sinks.borrow();
        sinks
            .get(&place(destination))
            .map(|held| held.json.clone().into_bytes())
    }

    /// Accounts of which a key stands beside a destination, but where the destination holds it as well:
    /// there the same people read it, and the next look at the place removes it.
    pub fn beside(&self) -> Vec<Mrn> {
        let beside = self.beside.borrow();
        let alone = beside
            .values()
            .filter(|one| self.holder(&one.to).as_ref() != Some(&one.held.mrn));
        alone.map(|one| one.held.mrn.clone()).collect()
    }

    /// Asks the platform who it is that the key in a destination stands for.
    pub fn authenticates(&self, destination: &Destination) -> Result<String, String> {
        let file = self.read(destination).ok_or("nothing is there")?;
        self.opens(&file)
    }

    /// The same of a credential file, wherever it is.
    pub fn opens(&self, file: &[u8]) -> Result<String, String> {
        let identity = Credential::parse(file).map_err(|e| e.to_string())?.identity;
        let client = self.client_as(identity, &Rc::default());
        time::run(&self.clock, || false, client.caller())
            .ok_or("no answer")?
            .map(|caller| caller.mrn.to_string())
            .map_err(|e| e.to_string())
    }

    pub fn nonce(&self) -> Nonce {
        self.nonces.set(self.nonces.get() + 1);
        Nonce::from_bytes(self.nonces.get().to_be_bytes())
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
    /// The credential of a file that a destination held.
    pub fn of_file(json: &[u8]) -> Self {
        let file: Value = serde_json::from_slice(json).expect("a credential file");
        let text = |name: &str| file[name].as_str().unwrap_or_default();
        Self {
            mrn: Mrn::new(text("mrn")),
            fingerprint: Fingerprint::from_label(text("fingerprint")),
            json: String::from_utf8(json.to_vec()).expect("text"),
        }
    }

    pub fn new(mrn: &Mrn, fingerprint: &Fingerprint, scope_mrn: &str, pem: &str) -> Self {
        let file = serde_json::json!({
            "mrn": mrn, "private_key": pem, "scope_mrn": scope_mrn,
            "api_endpoint": "http://127.0.0.1:8989", "fingerprint": fingerprint.as_str(),
        });
        Self {
            mrn: mrn.clone(),
            fingerprint: fingerprint.clone(),
            json: file.to_string(),
        }
    }
}

/// What the simulated runs seal with. Accounts that an earlier run left unsealed are sealed by the
/// next one, under every fault.
pub fn seals() -> Seals {
    crate::stage::seals().accepting_unsealed(true)
}
