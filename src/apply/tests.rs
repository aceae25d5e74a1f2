//! Changes of accounts that exist, over a small world whose answers are scripted. Births are
//! simulated against the embedded platform in `tests/it/simulation/mod.rs`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

mod commits;
mod held;
mod keys;
mod revoke;
mod wait;

use super::*;
use crate::diff::diff;
use crate::model::samples;
use crate::model::{
    Address, Caller, Checkout, CredentialFormat, CredentialMark, Described, Desired,
    DesiredAccount, Destination, Facts, FilePlace, Fingerprint, Import, Inventory,
    IssuedCredential, KeptText, Labels, Live, LiveAccount, Marks, Nonce, OrgId, Place, Role,
    RoleSet, ScopeInfo, SealCheck, SealKey, SealKeys, Seals, SourceRef, SpaceId, StackId, Standing,
    StoreVersion, VOID,
};
use crate::plan::{Action, Change};
use crate::policy::{Acks, LocalFiles, approve, writers};
use crate::ports::*;

/// What the world answers to the next write instead of doing as it is told.
enum Scripted {
    Fail(ErrorKind, Effect),
    /// Does it, and says it may not have.
    DoAndLose,
    /// Says yes and does nothing.
    Ignore,
    /// Says of each object of the batch that it failed, and does the others.
    Batch(Mrn, &'static str),
}

type Refuses = Box<dyn Fn(Duration, &Destination) -> Option<SinkError>>;
type Closed = Box<dyn Fn(Duration) -> Result<Duration, SinkError>>;

struct Small {
    accounts: RefCell<BTreeMap<Mrn, LiveAccount>>,
    script: RefCell<VecDeque<Scripted>>,
    /// What it answers to creates; the script where this is empty.
    creates: RefCell<VecDeque<Scripted>>,
    writes: RefCell<Vec<String>>,
    now: Cell<Duration>,
    stop_after: Cell<Option<usize>>,
    /// Whether somebody asks to stop.
    asked_to_stop: RefCell<Option<Rc<Cell<bool>>>>,
    /// Whether labels that an update leaves out are kept.
    merges: Cell<bool>,
    /// Whether an empty description leaves the one that is there.
    keeps: Cell<bool>,
    /// What every destination holds.
    held: RefCell<Option<Probe>>,
    /// Whose key each place has, by its text.
    keys: RefCell<BTreeMap<String, Mrn>>,
    /// What is read of every place, where it is not of its key.
    read: RefCell<Option<Box<dyn Fn() -> ReadKey>>>,
    /// How the next removal of a key fails.
    stuck: RefCell<Option<Effect>>,
    /// How a look at a destination fails, by the time and its text.
    refuses: RefCell<Option<Refuses>>,
    /// How long stores are to be left alone, by the time.
    closed: RefCell<Option<Closed>>,
    /// How long apply asks again.
    wait: Cell<Duration>,
    /// What was told, and when.
    notes: RefCell<Vec<(Duration, String)>>,
    /// Accounts as they are once the scope was listed.
    meanwhile: RefCell<BTreeMap<Mrn, LiveAccount>>,
    /// Roles that somebody gives with the next update.
    given: RefCell<Option<RoleSet>>,
    /// How often destinations were looked at.
    probes: Cell<usize>,
    /// How many are being looked at, and how many were at once at most.
    looking: Cell<(usize, usize)>,
}

impl Small {
    fn new(accounts: &[LiveAccount], script: Vec<Scripted>) -> Self {
        Self {
            accounts: RefCell::new(
                accounts
                    .iter()
                    .map(|a| (a.mrn.clone(), a.clone()))
                    .collect(),
            ),
            script: RefCell::new(script.into()),
            creates: RefCell::default(),
            writes: RefCell::default(),
            now: Cell::default(),
            stop_after: Cell::new(None),
            asked_to_stop: RefCell::default(),
            merges: Cell::new(false),
            keeps: Cell::new(false),
            held: RefCell::default(),
            keys: RefCell::default(),
            read: RefCell::default(),
            stuck: RefCell::default(),
            refuses: RefCell::default(),
            closed: RefCell::default(),
            wait: Cell::default(),
            notes: RefCell::default(),
            meanwhile: RefCell::default(),
            given: RefCell::default(),
            probes: Cell::new(0),
            looking: Cell::default(),
        }
    }

    fn write<T>(
        &self,
        what: String,
        yes: T,
        act: impl FnOnce(&mut BTreeMap<Mrn, LiveAccount>),
    ) -> Result<T, WriteError> {
        self.writes.borrow_mut().push(what);
        let error = |kind, effect| WriteError {
            kind,
            effect,
            message: "scripted".to_owned(),
        };
        match self.script.borrow_mut().pop_front() {
            None | Some(Scripted::Batch(..)) => {}
            Some(Scripted::Fail(kind, effect)) => return Err(error(kind, effect)),
            Some(Scripted::Ignore) => return Ok(yes),
            Some(Scripted::DoAndLose) => {
                act(&mut self.accounts.borrow_mut());
                return Err(error(ErrorKind::Transport, Effect::Unknown));
            }
        }
        act(&mut self.accounts.borrow_mut());
        Ok(yes)
    }

    /// The object that a scripted batch answer refuses.
    fn refused(&self) -> BatchErrors {
        match self.script.borrow().front() {
            Some(Scripted::Batch(mrn, why)) => [(mrn.clone(), (*why).to_owned())].into(),
            _ => BatchErrors::new(),
        }
    }
}

impl Reader for Small {
    async fn caller(&self) -> Result<Caller, ReadError> {
        unreachable!("apply does not ask who it is")
    }
    async fn organization(&self, _: &OrgId) -> Result<ScopeInfo, ReadError> {
        unreachable!("apply reads accounts only")
    }
    async fn spaces(&self, _: &OrgId) -> Result<BTreeMap<SpaceId, ScopeInfo>, ReadError> {
        unreachable!("apply reads accounts only")
    }
    async fn space(&self, _: &SpaceId) -> Result<ScopeInfo, ReadError> {
        unreachable!("apply reads accounts only")
    }
    async fn accounts(&self, _: &Scope) -> Result<Vec<LiveAccount>, ReadError> {
        Ok(self.accounts.borrow().values().cloned().collect())
    }
    async fn account(&self, mrn: &Mrn) -> Result<Option<LiveAccount>, ReadError> {
        if let Some(now) = self.meanwhile.borrow().get(mrn) {
            return Ok(Some(now.clone()));
        }
        Ok(self.accounts.borrow().get(mrn).cloned())
    }
    fn platform_time(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

impl Writer for Small {
    async fn create(&self, new: &NewAccount) -> Result<IssuedCredential, WriteError> {
        let apart = self.creates.borrow_mut().pop_front();
        let scripted = apart.or_else(|| self.script.borrow_mut().pop_front());
        let (kind, effect) = match scripted {
            Some(Scripted::Fail(kind, effect)) => (kind, effect),
            _ => unreachable!("births are simulated elsewhere"),
        };
        self.writes
            .borrow_mut()
            .push(format!("create {}", new.name));
        Err(WriteError {
            kind,
            effect,
            message: "scripted".to_owned(),
        })
    }
    async fn update(&self, mrn: &Mrn, update: &AccountUpdate) -> Result<(), WriteError> {
        self.write(format!("update {}", mrn.id()), (), |accounts| {
            let account = accounts.get_mut(mrn).expect("live");
            account.name = update.name.clone().expect("every update sends the name");
            let labels = update.labels.clone();
            let labels = labels.expect("every update sends all labels");
            if let Some(roles) = self.given.borrow_mut().take() {
                account.roles = roles;
            }
            account.labels.edit(|all| {
                if !self.merges.get() {
                    all.clear();
                }
                all.extend(labels);
            });
            match update.notes.as_deref() {
                Some("") if self.keeps.get() => {}
                Some("") => account.description = None,
                Some(text) => account.description = Some(text.to_owned()),
                None => {}
            }
        })
    }
    async fn set_roles(
        &self,
        _: &Scope,
        roles: &BTreeMap<Mrn, RoleSet>,
    ) -> Result<BatchErrors, WriteError> {
        let refused = self.refused();
        let names: Vec<&str> = roles.keys().map(Mrn::id).collect();
        self.write(
            format!("roles {}", names.join(",")),
            refused.clone(),
            |accounts| {
                for (mrn, roles) in roles.iter().filter(|(mrn, _)| !refused.contains_key(mrn)) {
                    accounts.get_mut(mrn).expect("live").roles.clone_from(roles);
                }
            },
        )
    }
    async fn delete(&self, _: &Scope, mrns: &[Mrn]) -> Result<BatchErrors, WriteError> {
        let refused = self.refused();
        let names: Vec<&str> = mrns.iter().map(Mrn::id).collect();
        self.write(
            format!("delete {}", names.join(",")),
            refused.clone(),
            |accounts| {
                accounts.retain(|mrn, _| !mrns.contains(mrn) || refused.contains_key(mrn));
            },
        )
    }
}

impl SinkStore for Small {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        self.probes.set(self.probes.get() + 1);
        let (now, most) = self.looking.get();
        self.looking.set((now + 1, most.max(now + 1)));
        tokio::task::yield_now().await;
        let (now, most) = self.looking.get();
        self.looking.set((now - 1, most));
        let refuses = self.refuses.borrow();
        let refused = refuses.as_ref().and_then(|of| of(self.now.get(), to));
        if let Some(error) = refused {
            return Err(error);
        }
        if let Some(held) = self.held.borrow().clone() {
            return Ok(held);
        }
        let found = match self.keys.borrow().get(&to.to_string()) {
            Some(account) => Found::Account {
                account: account.clone(),
                endpoint: None,
            },
            None => Found::Nobody,
        };
        Ok(Probe {
            found,
            version: None,
            abilities: to.abilities(),
            read: None,
        })
    }
    async fn ready(&self, _: &Destination) -> Result<Duration, SinkError> {
        let closed = self.closed.borrow();
        closed
            .as_ref()
            .map_or(Ok(Duration::ZERO), |of| of(self.now.get()))
    }
    async fn stage(
        &self,
        _: &Destination,
        _: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        Ok(Staged {
            probe,
            beside: None,
            former: None,
        })
    }
    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        _: &Staged,
    ) -> Result<Delivered, SinkError> {
        self.writes.borrow_mut().push(format!("promote {to}"));
        let mut keys = self.keys.borrow_mut();
        keys.insert(to.to_string(), credential.mrn.clone());
        Ok(Delivered {
            verified: Verified::Equal,
            version: None,
            note: None,
        })
    }
    async fn abandon(
        &self,
        to: &Destination,
        _: &IssuedCredential,
        _: &Staged,
    ) -> Result<Abandoned, SinkError> {
        self.keys.borrow_mut().remove(&to.to_string());
        Ok(Abandoned::Gone)
    }
    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        let refuses = self.refuses.borrow();
        if let Some(error) = refuses.as_ref().and_then(|of| of(self.now.get(), from)) {
            return Err(error);
        }
        if let Some(read) = &*self.read.borrow() {
            return Ok(read());
        }
        let keys = self.keys.borrow();
        Ok(match keys.get(&from.to_string()) {
            Some(mrn) => ReadKey::Key(Box::new(keys::key_of(mrn))),
            None => ReadKey::Nothing,
        })
    }
    async fn remove(
        &self,
        from: &Destination,
        account: &Mrn,
        _: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        self.writes.borrow_mut().push(format!("remove {from}"));
        if let Some(effect) = self.stuck.borrow_mut().take() {
            return Err(SinkError {
                kind: SinkErrorKind::Unavailable,
                effect,
                message: "the store is away".to_owned(),
                help: None,
            });
        }
        let mut keys = self.keys.borrow_mut();
        if keys.get(&from.to_string()) != Some(account) {
            return Ok(Removal::NotThere);
        }
        keys.remove(&from.to_string());
        Ok(Removal::Removed)
    }
}

impl Recorder for Small {
    fn record(&self, event: Event) {
        if let Event::Note { message, .. } = event {
            self.notes.borrow_mut().push((self.now.get(), message));
        }
    }
}

impl Clock for Small {
    async fn sleep(&self, duration: Duration) {
        self.now.set(self.now.get() + duration);
    }
    fn elapsed(&self) -> Duration {
        self.now.get()
    }
}

impl Random for Small {
    fn nonce(&self) -> Nonce {
        Nonce::from_bytes([7; 16])
    }
}

impl Interrupt for Small {
    fn stop_requested(&self) -> bool {
        let asked = self.asked_to_stop.borrow();
        asked.as_ref().is_some_and(|asked| asked.get())
            || self
                .stop_after
                .get()
                .is_some_and(|n| self.writes.borrow().len() >= n)
    }
}

fn place() -> SourceRef {
    SourceRef {
        file: "a.hcl".to_owned(),
        line: 1,
    }
}

fn space() -> Scope {
    Scope::Space(SpaceId::new("payments").expect("valid"))
}

fn roles(names: &[&str]) -> RoleSet {
    names.iter().map(|name| Role::new(name)).collect()
}

fn mrn(name: &str) -> Mrn {
    Mrn::new(format!(
        "//agents.api.mondoo.app/spaces/payments/serviceaccounts/{name}"
    ))
}

fn declared(name: &str, names: &[&str]) -> DesiredAccount {
    DesiredAccount {
        roles: roles(names),
        ..samples::declared(Address::new(name, None), space())
    }
}

fn seals() -> Seals {
    let key = SealKey::of_seed(zeroize::Zeroizing::new([7; 32])).expect("a key");
    let keys = SealKeys {
        current: key.public().clone(),
        former: None,
    };
    let seals = Seals::new(Some(keys), Some(key)).expect("one pair");
    seals.accepting_unsealed(true)
}

fn managed(name: &str, names: &[&str]) -> LiveAccount {
    let marks = Marks {
        credential: CredentialMark::Delivered {
            fingerprint: Fingerprint::of_public_key(b"key"),
            nonce: Nonce::from_bytes([9; 16]),
            destinations: BTreeMap::new(),
        },
        ..Marks::external(
            StackId::new("acme", "k7m2q9ta").expect("valid"),
            Address::new(name, None).label(),
            false,
        )
    };
    LiveAccount {
        labels: seals().seal(&mrn(name), marks).labels().into(),
        roles: roles(names),
        creator: Some("me".to_owned()),
        ..samples::account(mrn(name), space(), name)
    }
}

/// Plans `declared` against `live`, then applies that in a world that holds `world`.
fn run(declared: Vec<DesiredAccount>, live: &[LiveAccount], world: &Small) -> Outcome {
    run_as(|_| {}, declared, live, world)
}

/// The same under a configuration that says something more.
fn run_as(
    more: impl FnOnce(&mut Desired),
    declared: Vec<DesiredAccount>,
    live: &[LiveAccount],
    world: &Small,
) -> Outcome {
    let endpoint = "https://us.api.mondoo.com";
    run_of(endpoint, None, more, |_| {}, declared, live, world)
}

/// The same at another endpoint.
fn run_at(
    endpoint: &str,
    declared: Vec<DesiredAccount>,
    live: &[LiveAccount],
    world: &Small,
) -> Outcome {
    run_of(endpoint, None, |_| {}, |_| {}, declared, live, world)
}

/// The same of a plan of which the changes were edited.
fn run_edited(
    declared: Vec<DesiredAccount>,
    live: &[LiveAccount],
    world: &Small,
    edit: impl Fn(&mut Change),
) -> Outcome {
    let endpoint = "https://us.api.mondoo.com";
    run_of(endpoint, None, |_| {}, edit, declared, live, world)
}

/// Plans and applies; `commit` is what the configuration is of.
fn run_of(
    endpoint: &str,
    commit: Option<&str>,
    more: impl FnOnce(&mut Desired),
    edit: impl Fn(&mut Change),
    declared: Vec<DesiredAccount>,
    live: &[LiveAccount],
    world: &Small,
) -> Outcome {
    let mut desired = Desired {
        trusted_creators: vec!["me".to_owned()],
        accounts: declared
            .into_iter()
            .map(|a| (a.address.clone(), a))
            .collect(),
        ..Desired::nothing(StackId::new("acme", "k7m2q9ta").expect("valid"))
    };
    desired.meant.destroy = true;
    more(&mut desired);
    let live = Live {
        facts: Facts {
            endpoint: endpoint.to_owned(),
            ..samples::facts("me")
        },
        scopes: [(
            space(),
            ScopeInfo {
                name: String::new(),
                organization: None,
            },
        )]
        .into(),
        ..samples::live("me", live.iter().cloned())
    };
    let inventory = Inventory::take(&desired, &live, &seals());
    let delta = diff(&desired, &live, &inventory);
    let plan = crate::plan::build(&desired, &live, &inventory, delta);
    let mut contents = plan.into_contents();
    contents.changes.iter_mut().for_each(edit);
    let mut plan = contents.settle();
    let ancestor = |commit: &str| (commit.to_owned(), Standing::Ancestor);
    let commits = writers(&plan).into_iter().map(ancestor).collect();
    plan.checked_out(Checkout {
        head: commit.map(str::to_owned),
        commits,
    });
    let plan = approve(plan, &Acks::default(), None, LocalFiles::Stay).expect("no guard objects");
    let options = Options {
        seals: seals(),
        wait: world.wait.get(),
        commit: commit.map(str::to_owned),
        ..Options::default()
    };
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(apply(&plan, world, &options))
}

fn results(outcome: &Outcome) -> Vec<(String, ChangeResult)> {
    outcome
        .results
        .iter()
        .map(|r| (r.address.name.clone(), r.result))
        .collect()
}

/// Why nothing is born for a destination that holds this; `None` if that is no obstacle.
fn refused(endpoint: &str, found: Found) -> Option<String> {
    let world = Small::new(&[], vec![Scripted::Fail(ErrorKind::Invalid, Effect::None)]);
    let place = Place::File(FilePlace {
        directory: "keys".to_owned(),
        file: "ci.json".to_owned(),
        format: CredentialFormat::Json,
        keep: false,
    });
    let to = Destination::new("file.local", place);
    *world.held.borrow_mut() = Some(Probe {
        found,
        version: None,
        abilities: to.abilities(),
        read: None,
    });
    let declared = DesiredAccount {
        deliver_to: vec![to],
        ..declared("ci", &[])
    };
    let outcome = run_at(endpoint, vec![declared], &[], &world);
    let [ended] = outcome.results.as_slice() else {
        panic!("one birth: {outcome:?}");
    };
    assert_eq!(ended.result, ChangeResult::Failed);
    let tried = !world.writes.borrow().is_empty();
    (!tried).then(|| ended.detail.clone())
}

/// Accounts that would be born, if the platform made any, with a place each.
fn births(world: &Small, found: Found, bound: bool, of: Vec<Destination>) -> Outcome {
    let [first, ..] = of.as_slice() else {
        panic!("no place")
    };
    *world.held.borrow_mut() = Some(Probe {
        found,
        version: None,
        abilities: crate::model::Abilities {
            compare_and_swap: bound,
            ..first.abilities()
        },
        read: None,
    });
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let accounts = of.into_iter().zip(names).map(|(to, name)| DesiredAccount {
        deliver_to: vec![to],
        ..declared(name, &[])
    });
    run_at("local", accounts.collect(), &[], world)
}

fn refusing(n: usize) -> Small {
    let refuse = |_| Scripted::Fail(ErrorKind::Invalid, Effect::None);
    Small::new(&[], (0..n).map(refuse).collect())
}

/// What a write is bound to need not be looked at again; a file must.
#[test]
fn a_place_is_asked_once_where_a_write_is_bound_to_what_was_found() {
    for (bound, probes) in [(true, 1), (false, 2)] {
        let world = refusing(2);
        let outcome = births(
            &world,
            Found::Nobody,
            bound,
            vec![samples::destination("a")],
        );
        assert_eq!(outcome.results.len(), 1);
        assert!(!world.writes.borrow().is_empty(), "{outcome:?}");
        assert_eq!(world.probes.get(), probes, "bound: {bound}");
    }
}

#[test]
fn as_many_destinations_are_asked_at_once_as_scopes_are_worked_on() {
    let world = refusing(14);
    let places = ["a", "b", "c", "d", "e", "f", "g"].map(samples::destination);
    births(&world, Found::Nobody, true, places.into());
    assert_eq!(world.probes.get(), 7);
    assert_eq!(world.looking.get(), (0, Options::default().parallelism));
}

#[test]
fn what_cannot_be_read_is_overwritten_only_where_the_sink_says_so() {
    for (allowed, tried) in [(false, false), (true, true)] {
        let world = refusing(2);
        let to = samples::destination("a").overwriting_unreadable(allowed);
        let outcome = births(&world, Found::Unreadable, false, vec![to]);
        assert_eq!(!world.writes.borrow().is_empty(), tried, "{outcome:?}");
        if !allowed {
            let told = &outcome.results[0].detail;
            assert!(told.contains("overwrite_unreadable = true"), "{told}");
        }
    }
    // It is about what cannot be read, and nothing else.
    let world = refusing(2);
    let to = samples::destination("a").overwriting_unreadable(true);
    let what = "a shopping list".to_owned();
    births(&world, Found::Foreign { what }, false, vec![to]);
    assert!(world.writes.borrow().is_empty());
}

/// As [`refused`], for a destination that holds a key.
fn kept(endpoint: &str, account: &str, names: Option<&str>) -> Option<String> {
    let found = Found::Account {
        account: Mrn::new(account),
        endpoint: names.map(str::to_owned),
    };
    refused(endpoint, found)
}

#[test]
fn nothing_is_born_for_a_place_that_holds_what_is_no_credential_or_cannot_be_read() {
    let why = |found| refused("local", found).unwrap_or_default();
    assert_eq!(refused("local", Found::Nobody), None);
    assert!(why(Found::Unreadable).contains("cannot be read"));
    let what = "a shopping list is there; move it away".to_owned();
    let told = why(Found::Foreign { what: what.clone() });
    assert_eq!(told, format!("sink.file.local at keys/ci.json: {what}"));
}

#[test]
fn a_key_that_names_no_endpoint_is_one_of_the_default_endpoint() {
    let gone = mrn("gone");
    for endpoint in [
        "https://eu.api.mondoo.com",
        "http://127.0.0.1:8080",
        "https://mondoo.acme.example",
    ] {
        let why = kept(endpoint, gone.as_str(), None).expect("another platform's");
        assert!(why.contains("names no endpoint"), "{why}");
        assert_eq!(kept(endpoint, gone.as_str(), Some(endpoint)), None);
    }
    for endpoint in ["https://us.api.mondoo.com", "local"] {
        assert_eq!(kept(endpoint, gone.as_str(), None), None, "{endpoint}");
    }
}

#[test]
fn no_such_account_is_believed_of_scopes_that_were_read_alone() {
    let at = "https://us.api.mondoo.com";
    for hidden in [
        "//agents.api.mondoo.app/spaces/hidden-space/serviceaccounts/x1",
        "//agents.api.mondoo.app/organizations/acme-corp/serviceaccounts/x1",
        "//elsewhere/x1",
    ] {
        for endpoint in [None, Some(at)] {
            let why = kept(at, hidden, endpoint).expect("nobody can tell");
            assert!(why.contains("was not read"), "{why}");
            assert!(why.contains("move that key away"), "{why}");
        }
    }
    assert_eq!(kept(at, mrn("gone").as_str(), Some(at)), None);
}

fn three() -> Vec<LiveAccount> {
    ["a", "b", "c"]
        .map(|name| managed(name, &["viewer"]))
        .into()
}

#[test]
fn a_failed_member_of_a_batch_is_named_and_the_others_are_done() {
    let live = three();
    let script = vec![Scripted::Batch(
        mrn("b"),
        "rpc error: code = Internal desc = no",
    )];
    let world = Small::new(&live, script);
    let wanted = ["a", "b", "c"]
        .map(|name| declared(name, &["editor"]))
        .into();
    let outcome = run(wanted, &live, &world);
    use ChangeResult::{Done, Failed};
    let expected = [("a", Done), ("b", Failed), ("c", Done)].map(|(n, r)| (n.to_owned(), r));
    assert_eq!(results(&outcome), expected);
    assert!(outcome.results[1].detail.contains("code = Internal"));
    assert_eq!(*world.writes.borrow(), ["roles a,b,c"]);
    assert!(outcome.written && !outcome.complete());
}

/// The plan says when the turn of a change is, and apply works out nothing of its own.
#[test]
fn the_step_that_the_plan_gives_a_change_is_obeyed() {
    let live = three();
    let wanted = || ["a", "b", "c"].map(|name| declared(name, &["editor"]));
    for (later, writes) in [
        (&[][..], &["roles a,b,c"][..]),
        (&["a"], &["roles b,c", "roles a"]),
        (&["b"], &["roles a,c", "roles b"]),
        (&["a", "c"], &["roles b", "roles a,c"]),
    ] {
        let world = Small::new(&live, Vec::new());
        let outcome = run_edited(wanted().into(), &live, &world, |change| {
            if later.contains(&change.address.name.as_str()) {
                change.step = Step::Revoke;
            }
        });
        assert!(outcome.complete(), "{outcome:?}");
        assert_eq!(*world.writes.borrow(), writes);
    }
}

#[test]
fn an_aborted_write_is_tried_again_and_a_refused_one_is_not() {
    let live = vec![managed("a", &["viewer"])];
    let aborted = || Scripted::Fail(ErrorKind::Aborted, Effect::None);
    let world = Small::new(&live, vec![aborted(), aborted()]);
    let outcome = run(vec![declared("a", &["editor"])], &live, &world);
    assert_eq!(outcome.results[0].result, ChangeResult::Done);
    assert_eq!(world.writes.borrow().len(), 3);
    assert!(
        world.now.get() > Duration::from_millis(500),
        "with pauses between"
    );

    let world = Small::new(&live, (0..9).map(|_| aborted()).collect());
    let outcome = run(vec![declared("a", &["editor"])], &live, &world);
    assert_eq!(outcome.results[0].result, ChangeResult::Failed);
    assert!(world.writes.borrow().len() < 9 && !outcome.written);

    let denied = Scripted::Fail(ErrorKind::PermissionDenied, Effect::None);
    let world = Small::new(&live, vec![denied]);
    let outcome = run(vec![declared("a", &["editor"])], &live, &world);
    assert_eq!(outcome.results[0].result, ChangeResult::Failed);
    assert_eq!(world.writes.borrow().len(), 1);
}

#[test]
fn a_lost_answer_is_settled_by_looking() {
    let live = vec![managed("a", &["viewer"])];
    let world = Small::new(&live, vec![Scripted::DoAndLose]);
    let outcome = run(vec![declared("a", &["editor"])], &live, &world);
    assert_eq!(outcome.results[0].result, ChangeResult::Done);

    let lost = Scripted::Fail(ErrorKind::Transport, Effect::Unknown);
    let world = Small::new(&live, vec![lost]);
    let outcome = run(vec![declared("a", &["editor"])], &live, &world);
    assert_eq!(outcome.results[0].result, ChangeResult::Unknown);
    assert_eq!(world.writes.borrow().len(), 1, "never written again");
    assert!(outcome.written, "for nobody knows");

    let world = Small::new(&live, vec![Scripted::DoAndLose]);
    let outcome = run(Vec::new(), &live, &world);
    assert_eq!(outcome.results[0].result, ChangeResult::Done);
}

#[test]
fn a_yes_that_does_not_show_is_not_believed() {
    let live = vec![managed("a", &["viewer"])];
    for wanted in [vec![declared("a", &["editor"])], Vec::new()] {
        let world = Small::new(&live, vec![Scripted::Ignore]);
        let outcome = run(wanted, &live, &world);
        assert_eq!(outcome.results[0].result, ChangeResult::Unknown);
        assert!(
            world.now.get() >= Options::default().grace,
            "after the whole grace"
        );
    }
}

#[test]
fn what_moved_since_the_plan_is_stale_and_is_not_written() {
    let live = three();
    let mut moved = live.clone();
    moved[0].roles = roles(&["owner"]);
    moved[1].labels.insert("team".to_owned(), "x".to_owned());
    moved[2]
        .labels
        .insert("rolecall-written".to_owned(), "0123456789ab.-".to_owned());
    let world = Small::new(&moved, Vec::new());
    let wanted = ["a", "b"].map(|name| declared(name, &["editor"])).into();
    let outcome = run(wanted, &live, &world);
    assert!(
        outcome
            .results
            .iter()
            .all(|r| r.result == ChangeResult::Stale),
        "{outcome:?}"
    );
    assert_eq!(outcome.results.len(), 3);
    assert!(world.writes.borrow().is_empty() && !outcome.written);
    assert!(
        outcome
            .results
            .iter()
            .any(|r| r.detail.contains("roles have changed"))
    );
}

#[test]
fn a_stop_leaves_the_rest_unattempted_and_says_so() {
    let live = three();
    let world = Small::new(&live, Vec::new());
    world.stop_after.set(Some(1));
    let mut wanted: Vec<_> = ["a", "b"].map(|name| declared(name, &["viewer"])).into();
    wanted[0].description = Some("new".to_owned());
    wanted[1].description = Some("new".to_owned());
    let outcome = run(wanted, &live, &world);
    use ChangeResult::{Done, NotAttempted};
    let expected =
        [("a", Done), ("b", NotAttempted), ("c", NotAttempted)].map(|(n, r)| (n.to_owned(), r));
    assert_eq!(results(&outcome), expected);
    assert!(outcome.interrupted && outcome.written);
}

#[test]
fn an_adopted_account_keeps_the_labels_of_others_and_is_then_changed() {
    let mut account = managed("a", &["viewer"]);
    account.labels = Labels::from([("team".to_owned(), "finance".to_owned())]).into();
    account.creator = Some("somebody".to_owned());
    let live = vec![account];
    let world = Small::new(&live, Vec::new());
    let mut wanted = declared("a", &["editor"]);
    wanted.import = Some(Import {
        mrn: mrn("a"),
        declared_at: place(),
    });
    let outcome = run(vec![wanted.clone()], &live, &world);
    assert!(outcome.complete(), "{outcome:?}");
    assert_eq!(*world.writes.borrow(), ["update a", "roles a"]);
    let after = world.accounts.borrow()[&mrn("a")].clone();
    assert_eq!(
        after.labels.get("team").map(String::as_str),
        Some("finance")
    );
    assert_eq!(
        after.marks().map(|m| &m.credential),
        Some(&CredentialMark::External)
    );
    assert!(fits(&after), "{after:?}");
    assert_eq!(after.roles, roles(&["editor"]));

    // If custody was not taken, nothing else is done to the account.
    let denied = Scripted::Fail(ErrorKind::PermissionDenied, Effect::None);
    let world = Small::new(&live, vec![denied]);
    let outcome = run(vec![wanted], &live, &world);
    use ChangeResult::{Failed, Skipped};
    assert_eq!(
        results(&outcome),
        [("a".to_owned(), Failed), ("a".to_owned(), Skipped)]
    );
    assert_eq!(world.writes.borrow().len(), 1);
}

#[test]
fn roles_are_added_before_they_are_removed_and_deletes_come_last() {
    let live = three();
    let world = Small::new(&live, Vec::new());
    let mut wanted: Vec<_> = vec![declared("b", &[]), declared("c", &["viewer", "agent"])];
    wanted[1].description = Some("new".to_owned());
    let outcome = run(wanted, &live, &world);
    assert!(outcome.complete(), "{outcome:?}");
    assert_eq!(
        *world.writes.borrow(),
        ["roles c", "update c", "roles b", "delete a"]
    );
}

/// Whether an account carries a seal that fits.
fn fits(account: &LiveAccount) -> bool {
    account
        .marks()
        .is_some_and(|marks| seals().check(&account.mrn, marks) == SealCheck::Right)
}

#[test]
fn an_account_without_a_seal_is_sealed_and_nothing_else_of_it_changes() {
    let mut account = managed("a", &["viewer"]);
    for half in ["rolecall-seal", "rolecall-seal-2"] {
        account.labels.remove(half).expect("sealed");
    }
    account.labels.insert("team".to_owned(), "x".to_owned());
    let before = account.clone();
    let world = Small::new(std::slice::from_ref(&account), Vec::new());
    let outcome = run(vec![declared("a", &["viewer"])], &[account], &world);
    assert!(outcome.complete(), "{outcome:?}");
    assert_eq!(*world.writes.borrow(), ["update a"]);
    let mut after = world.accounts.borrow()[&mrn("a")].clone();
    assert!(fits(&after), "{after:?}");
    for half in ["rolecall-seal", "rolecall-seal-2"] {
        after.labels.remove(half);
    }
    let written = after
        .labels
        .insert("rolecall-written".to_owned(), "-.-".to_owned());
    assert_ne!(written.as_deref(), Some("-.-"), "it names the plan");
    assert_eq!(after, before);
}

#[test]
fn an_update_keeps_the_seal_fitting() {
    let account = managed("a", &["viewer"]);
    let mut wanted = declared("a", &["viewer"]);
    wanted.name = "b".to_owned();
    let world = Small::new(std::slice::from_ref(&account), Vec::new());
    let outcome = run(vec![wanted], &[account], &world);
    assert!(outcome.complete(), "{outcome:?}");
    let after = world.accounts.borrow()[&mrn("a")].clone();
    assert_eq!(after.name, "b");
    assert!(fits(&after), "{after:?}");
}

/// On a platform that keeps descriptions, the marks name the text that stays, and no later one.
#[test]
fn a_description_that_cannot_be_cleared_is_named_in_the_marks() {
    let mut wanted = declared("a", &["viewer"]);
    wanted.description = Some(String::new());
    let with = |mut account: LiveAccount, text: &str| {
        account.description = Some(text.to_owned());
        account
    };
    for text in ["since birth", "grün"] {
        let account = with(managed("a", &["viewer"]), text);
        let world = Small::new(std::slice::from_ref(&account), Vec::new());
        world.keeps.set(true);
        let outcome = run(vec![wanted.clone()], &[account], &world);
        assert!(outcome.complete(), "{outcome:?}");
        assert_eq!(*world.writes.borrow(), ["update a", "update a"]);
        let after = world.accounts.borrow()[&mrn("a")].clone();
        let kept = Described::Kept(KeptText::of(text));
        assert_eq!(after.marks().map(|marks| marks.described), Some(kept));
        assert!(fits(&after), "{after:?}");
        // That is the end of it, until somebody writes another one.
        let world = Small::new(std::slice::from_ref(&after), Vec::new());
        let outcome = run(vec![wanted.clone()], std::slice::from_ref(&after), &world);
        assert!(outcome.results.is_empty() && world.writes.borrow().is_empty());
        let edited = with(after, "by hand");
        let world = Small::new(std::slice::from_ref(&edited), Vec::new());
        let outcome = run(vec![wanted.clone()], &[edited], &world);
        assert!(outcome.complete(), "{outcome:?}");
        let after = world.accounts.borrow()[&mrn("a")].clone();
        assert_eq!(after.description, None);
        let marks = after.marks().expect("marked");
        assert_eq!(marks.described, Described::Empty);
        assert_eq!(*world.writes.borrow(), ["update a"]);
    }
    // Where the second write fails the next run clears it again.
    let account = with(managed("a", &["viewer"]), "since birth");
    let world = Small::new(
        std::slice::from_ref(&account),
        vec![
            Scripted::Batch(mrn("b"), "nothing"),
            Scripted::Fail(ErrorKind::PermissionDenied, Effect::None),
        ],
    );
    world.keeps.set(true);
    let outcome = run(vec![wanted.clone()], &[account], &world);
    assert_eq!(results(&outcome), [("a".to_owned(), ChangeResult::Failed)]);
    let detail = &outcome.results[0].detail;
    assert!(detail.contains("keeps its description"), "{detail}");
    let after = world.accounts.borrow()[&mrn("a")].clone();
    assert!(fits(&after), "{after:?}");
    let outcome = run(vec![wanted], &[after], &world);
    assert!(
        outcome.complete() && outcome.results.len() == 1,
        "{outcome:?}"
    );
}

/// Renames `a` to the name of `b`, and `b` to that of `c`, and `c` away.
fn chain() -> Vec<DesiredAccount> {
    let mut wanted: Vec<_> = ["a", "b", "c"]
        .map(|name| declared(name, &["viewer"]))
        .into();
    for (account, name) in wanted.iter_mut().zip(["b", "c", "d"]) {
        account.name = name.to_owned();
    }
    wanted
}

#[test]
fn a_chain_of_renames_begins_at_its_free_end_and_ends_where_one_fails() {
    let live = three();
    let world = Small::new(&live, Vec::new());
    let outcome = run(chain(), &live, &world);
    assert!(outcome.complete(), "{outcome:?}");
    assert_eq!(*world.writes.borrow(), ["update c", "update b", "update a"]);

    for (script, done) in [
        (
            Scripted::Fail(ErrorKind::PermissionDenied, Effect::None),
            ChangeResult::Failed,
        ),
        (Scripted::Ignore, ChangeResult::Unknown),
    ] {
        let world = Small::new(&live, vec![script]);
        let outcome = run(chain(), &live, &world);
        let ended: Vec<_> = outcome.results.iter().map(|r| r.result).collect();
        assert_eq!(ended, [done, ChangeResult::Skipped, ChangeResult::Skipped]);
        assert!(
            outcome.results[1].detail.contains("still has the name"),
            "{outcome:?}"
        );
        assert_eq!(world.writes.borrow().len(), 1);
    }
}

/// Wants `a` with these labels and nothing else, where it has one more.
fn without_its_label(live: &mut LiveAccount, key: &str) -> DesiredAccount {
    live.labels.insert("stays".to_owned(), "x".to_owned());
    live.labels.insert(key.to_owned(), "y".to_owned());
    DesiredAccount {
        labels: Some([("stays".to_owned(), "x".to_owned())].into()),
        ..declared("a", &["viewer"])
    }
}

#[test]
fn where_the_platform_keeps_labels_what_is_taken_away_is_void_and_said() {
    for key in ["team", "zone"] {
        let mut account = managed("a", &["viewer"]);
        let mut wanted = without_its_label(&mut account, key);
        let world = Small::new(std::slice::from_ref(&account), Vec::new());
        world.merges.set(true);
        let outcome = run(vec![wanted.clone()], &[account.clone()], &world);
        assert!(outcome.complete(), "{outcome:?}");
        let detail = &outcome.results[0].detail;
        assert!(detail.contains("the platform keeps labels"), "{detail}");
        assert!(detail.ends_with(&format!(": {key}")), "{detail}");
        let after = world.accounts.borrow()[&mrn("a")].clone();
        assert_eq!(after.labels.get(key).map(String::as_str), Some(VOID));
        assert!(fits(&after), "{after:?}");

        // Nothing is left to do, and a label may come back.
        let world = Small::new(std::slice::from_ref(&after), Vec::new());
        let outcome = run(vec![wanted.clone()], std::slice::from_ref(&after), &world);
        assert!(outcome.results.is_empty(), "{outcome:?}");
        world.merges.set(true);
        let again = wanted.labels.as_mut().expect("labels");
        again.insert(key.to_owned(), "z".to_owned());
        let outcome = run(vec![wanted], &[after], &world);
        assert!(outcome.complete() && outcome.results[0].detail.is_empty());
        let after = only(&world);
        assert_eq!(after.labels.get(key).map(String::as_str), Some("z"));
    }
    // Where it removes them, nothing of ours stays in their place.
    let mut account = managed("a", &["viewer"]);
    let wanted = without_its_label(&mut account, "team");
    let world = Small::new(std::slice::from_ref(&account), Vec::new());
    let outcome = run(vec![wanted], &[account], &world);
    assert!(outcome.complete() && outcome.results[0].detail.is_empty());
    assert!(
        !world.accounts.borrow()[&mrn("a")]
            .labels
            .own()
            .contains_key("team")
    );
    assert_eq!(world.writes.borrow().len(), 1);
}

#[test]
fn a_platform_that_keeps_labels_is_waited_for_once() {
    let mut live: Vec<_> = three();
    let wanted: Vec<_> = live
        .iter_mut()
        .map(|account| {
            let labels = without_its_label(account, "team").labels;
            DesiredAccount {
                labels,
                ..declared(&account.name, &["viewer"])
            }
        })
        .collect();
    let world = Small::new(&live, Vec::new());
    world.merges.set(true);
    let outcome = run(wanted, &live, &world);
    assert!(outcome.complete(), "{outcome:?}");
    assert_eq!(
        world.writes.borrow().len(),
        4,
        "two for the first, one for each other"
    );
    let graces = world.now.get().as_secs() / Options::default().grace.as_secs();
    assert_eq!(graces, 1, "{:?}", world.now.get());
}

/// The one account of a world.
fn only(world: &Small) -> LiveAccount {
    let accounts = world.accounts.borrow();
    accounts.values().next().expect("an account").clone()
}

#[test]
fn where_the_platform_keeps_labels_an_account_is_given_up_all_the_same() {
    for team in [None, Some("x")] {
        let mut account = managed("a", &["viewer"]);
        let team = team.map(|team| ("team".to_owned(), team.to_owned()));
        account.labels.extend(team.clone());
        let world = Small::new(std::slice::from_ref(&account), Vec::new());
        world.merges.set(true);
        let given_up = |desired: &mut Desired| {
            let address = Address::new("a", None);
            desired.removed = vec![crate::model::Removed {
                known_as: vec![crate::model::Known {
                    address: address.clone(),
                    whole: true,
                }],
                from: address,
                destroy: false,
                declared_at: place(),
            }];
        };
        let outcome = run_as(given_up, Vec::new(), &[account], &world);
        assert!(outcome.complete(), "{outcome:?}");
        let after = only(&world);
        assert!(
            !after.labels.is_marked() && after.marks().is_none(),
            "{after:?}"
        );
        let team: Labels = team.into_iter().collect();
        assert!(after.labels.standing().eq(&team), "{after:?}");
        // It is nobody's, and the next plan asks for nothing.
        let outcome = run_as(given_up, Vec::new(), &[after], &world);
        assert!(outcome.results.is_empty(), "{outcome:?}");
    }
}

/// A mark that is taken away means nothing any more, though it is still there.
#[test]
fn where_the_platform_keeps_labels_protection_goes_and_anothers_marks_go() {
    let marked = |change: fn(&mut Marks)| {
        let mut account = managed("a", &["viewer"]);
        let mut marks = account.marks().expect("marks").clone();
        change(&mut marks);
        marks.seal = None;
        account.labels = seals().seal(&account.mrn, marks).labels().into();
        account
    };
    let protected = marked(|marks| marks.protected = true);
    let mut wanted = declared("a", &["viewer"]);
    wanted.protected = Some(false);
    let world = Small::new(std::slice::from_ref(&protected), Vec::new());
    world.merges.set(true);
    let outcome = run(vec![wanted.clone()], &[protected], &world);
    assert!(outcome.complete(), "{outcome:?}");
    let after = only(&world);
    assert!(!after.state().protected && fits(&after), "{after:?}");
    let again = run(vec![wanted], &[after], &world);
    assert!(again.results.is_empty(), "{again:?}");

    let other = || StackId::new("other", "aaaa1111").expect("valid");
    let theirs = marked(|marks| {
        marks.stack = StackId::new("other", "aaaa1111").expect("valid");
        marks.expires = "2027-06-30T00:00:00Z".parse().ok();
    });
    let mut wanted = declared("a", &["viewer"]);
    wanted.import = Some(Import {
        mrn: mrn("a"),
        declared_at: place(),
    });
    let world = Small::new(std::slice::from_ref(&theirs), Vec::new());
    world.merges.set(true);
    let take_over = |desired: &mut Desired| {
        desired.meant.take_over.insert(other());
    };
    let outcome = run_as(take_over, vec![wanted.clone()], &[theirs], &world);
    assert!(outcome.complete(), "{outcome:?}");
    let after = only(&world);
    assert_eq!(after.marks().expect("marks").expires, None);
    assert!(fits(&after), "{after:?}");
    let again = run(vec![wanted], &[after], &world);
    assert!(again.results.is_empty(), "{again:?}");
}
