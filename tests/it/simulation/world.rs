//! The world of one run: the client, the destinations and the clock, every call counted, and one
//! or some of them made to fail.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rolecall::model::{
    Caller, Destination, IssuedCredential, LiveAccount, Mrn, Nonce, OrgId, RoleSet, Scope,
    ScopeInfo, SpaceId, StoreVersion,
};
use rolecall::platform::Client;
use rolecall::ports::{
    Abandoned, AccountUpdate, BatchErrors, Clock, Delivered, Effect, Event, Found, Interrupt,
    NewAccount, Probe, Random, ReadError, Reader, Recorder, Removal, SinkError, SinkErrorKind,
    SinkStore, Staged, Verified, WriteError, Writer,
};
use rolecall::secret::Secret;

use super::chance::Chance;
use super::fault::{By, Call, Failing, Fault, Kind};
use super::platform::{Held, Platform};
use super::stores::Stores;
use super::time;
use super::turns::Turns;
use super::wire::Wire;

/// How long a slow call takes: most of the minute that the client waits for an answer.
const SLOW: Duration = Duration::from_secs(50);
/// After how many calls what comes late takes effect, at most.
const LATE: usize = 6;

/// Faults that meet a run.
pub enum Luck {
    /// These, at the calls of these numbers.
    At(Vec<(usize, Fault)>),
    /// So many at most, each write by one chance in so many, and each read by a third of that.
    Some {
        chance: Chance,
        left: Cell<usize>,
        odds: usize,
        /// No read goes back in time: where it does, two runs may each miss what the other made.
        steady: bool,
    },
}

impl Luck {
    pub fn some(chance: Chance, most: usize, odds: usize, steady: bool) -> Self {
        Self::Some {
            chance,
            left: Cell::new(most),
            odds,
            steady,
        }
    }

    fn draw(&self, number: usize, call: Call) -> Option<Fault> {
        match self {
            Self::At(all) => all
                .iter()
                .find_map(|(at, fault)| (*at == number).then_some(*fault)),
            Self::Some {
                chance,
                left,
                odds,
                steady,
            } => {
                // Most calls are reads, and leave nothing behind.
                let odds = match call.kind {
                    Kind::Read | Kind::Look => odds * 3,
                    Kind::Create | Kind::Write | Kind::Deliver | Kind::Promote => *odds,
                };
                let meets = left.get() > 0 && chance.one_in(odds);
                let fault = meets.then(|| *chance.pick(call.kind.all_faults()));
                let fault = fault.filter(|fault| !steady || *fault != Fault::Stale);
                left.set(left.get() - usize::from(fault.is_some()));
                fault
            }
        }
    }

    /// After how many calls something takes effect that comes late.
    fn delay(&self) -> usize {
        match self {
            Self::At(_) => LATE / 2,
            Self::Some { chance, .. } => chance.below(LATE),
        }
    }
}

pub struct World<'a> {
    platform: &'a Platform,
    client: Client<Wire<'a>>,
    luck: Option<&'a Luck>,
    /// What destinations can do.
    stores: Stores,
    /// What is to happen on the way to the platform, or in a store, in the call that is made now.
    armed: Rc<Cell<Option<Fault>>>,
    /// Whose turn it is, where two runs meet, and whether this is the second of them.
    turns: Option<(&'a Turns, bool)>,
    /// Looked at after every call that may have changed something.
    law: &'a dyn Fn(&Platform) -> Result<(), String>,
    pub calls: RefCell<Vec<Call>>,
    /// The faults that were met, each with the number of its call.
    pub struck: RefCell<Vec<(usize, Fault)>>,
    pub broken: RefCell<Option<String>>,
    pub dead: Cell<bool>,
    pub events: RefCell<Vec<Event>>,
    /// How many accounts of a name were truly created.
    pub created: RefCell<BTreeMap<String, usize>>,
}

impl<'a> World<'a> {
    pub fn new(
        platform: &'a Platform,
        luck: Option<&'a Luck>,
        stores: Stores,
        law: &'a dyn Fn(&Platform) -> Result<(), String>,
    ) -> Self {
        let armed = Rc::default();
        Self {
            platform,
            client: platform.client(&armed),
            luck,
            stores,
            armed,
            turns: None,
            law,
            calls: RefCell::default(),
            struck: RefCell::default(),
            broken: RefCell::default(),
            dead: Cell::new(false),
            events: RefCell::default(),
            created: RefCell::default(),
        }
    }

    /// The same of a run that meets another one.
    pub fn taking_turns(self, turns: &'a Turns, second: bool) -> Self {
        Self {
            turns: Some((turns, second)),
            ..self
        }
    }

    /// Waits until it is this run's turn to make a call.
    async fn turn(&self) {
        if let Some((turns, second)) = self.turns {
            turns.wait(second, || self.calls.borrow().len()).await;
        }
    }

    /// The name of the first call that met a fault.
    pub fn struck(&self) -> &'static str {
        let (calls, struck) = (self.calls.borrow(), self.struck.borrow());
        let first = struck.first().and_then(|(at, _)| calls.get(*at));
        first.map_or("nothing", |call| call.name)
    }

    /// The version of what a destination holds, where it tells one.
    fn version(&self, to: &Destination) -> Option<StoreVersion> {
        self.platform
            .version(to)
            .filter(|_| self.stores.versions(to))
    }

    /// Whether a destination does not hold what was found there, as far as the store can tell.
    fn moved(&self, to: &Destination, probe: &Probe) -> bool {
        let seen = match &probe.found {
            Found::Account { account, .. } => Some(account),
            _ => None,
        };
        let reads = self.stores.abilities(to).read_back;
        let another = reads && self.platform.holder(to).as_ref() != seen;
        another || self.version(to) != probe.version
    }

    /// Notes what is broken after a call.
    fn judge(&self, number: usize, what: &str) {
        if let Err(why) = (self.law)(self.platform) {
            let mut broken = self.broken.borrow_mut();
            broken.get_or_insert_with(|| format!("after call {number} ({what}): {why}"));
        }
    }

    async fn call<T, E: Failing>(
        &self,
        name: &'static str,
        kind: Kind,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        time::pass().await;
        self.turn().await;
        let call = Call { name, kind };
        let number = self.calls.borrow().len();
        self.calls.borrow_mut().push(call);
        if self.platform.land(1) {
            self.judge(number, "something late, before it");
        }
        let fault = self.luck.and_then(|luck| luck.draw(number, call));
        self.struck
            .borrow_mut()
            .extend(fault.map(|fault| (number, fault)));
        if fault == Some(Fault::Slow) {
            self.platform.clock.sleep(SLOW).await;
        }
        let carried_out = fault.is_none_or(Fault::carried_out);
        self.armed.set(fault.filter(|fault| fault.by() != By::Call));
        if let (Some(Fault::Late), Some(luck)) = (fault, self.luck) {
            self.platform.delay_late(luck.delay());
        }
        let answer = if carried_out { Some(act.await) } else { None };
        self.armed.set(None);
        // A read changes nothing, so what held before it holds.
        if carried_out && !matches!(kind, Kind::Read | Kind::Look) {
            self.judge(number, name);
        }
        match (fault, answer) {
            (Some(Fault::DeathBefore | Fault::DeathAfter), _) => {
                self.dead.set(true);
                std::future::pending().await
            }
            (Some(fault), _) if fault.by() == By::Call && fault != Fault::Slow => {
                Err(E::failing(fault))
            }
            (_, Some(answer)) => answer,
            (fault, None) => Err(E::failing(fault.unwrap_or(Fault::Refused))),
        }
    }

    async fn read<T>(
        &self,
        name: &'static str,
        act: impl Future<Output = Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        self.call(name, Kind::Read, act).await
    }
}

impl Reader for World<'_> {
    async fn caller(&self) -> Result<Caller, ReadError> {
        self.read("caller", self.client.caller()).await
    }

    async fn organization(&self, id: &OrgId) -> Result<ScopeInfo, ReadError> {
        self.read("organization", self.client.organization(id))
            .await
    }

    async fn spaces(&self, id: &OrgId) -> Result<BTreeMap<SpaceId, ScopeInfo>, ReadError> {
        self.read("spaces", self.client.spaces(id)).await
    }

    async fn space(&self, id: &SpaceId) -> Result<ScopeInfo, ReadError> {
        self.read("space", self.client.space(id)).await
    }

    async fn accounts(&self, scope: &Scope) -> Result<Vec<LiveAccount>, ReadError> {
        self.read("accounts", self.client.accounts(scope)).await
    }

    async fn account(&self, mrn: &Mrn) -> Result<Option<LiveAccount>, ReadError> {
        self.read("account", self.client.account(mrn)).await
    }

    fn platform_time(&self) -> jiff::Timestamp {
        self.client.platform_time()
    }
}

impl Writer for World<'_> {
    async fn create(&self, account: &NewAccount) -> Result<IssuedCredential, WriteError> {
        let act = async {
            let issued = self.client.create(account).await?;
            self.platform.issued(issued.private_key.expose());
            let mut created = self.created.borrow_mut();
            *created.entry(account.name.clone()).or_default() += 1;
            Ok(issued)
        };
        self.call("create", Kind::Create, act).await
    }

    async fn update(&self, mrn: &Mrn, update: &AccountUpdate) -> Result<(), WriteError> {
        self.call("update", Kind::Write, self.client.update(mrn, update))
            .await
    }

    async fn set_roles(
        &self,
        scope: &Scope,
        roles: &BTreeMap<Mrn, RoleSet>,
    ) -> Result<BatchErrors, WriteError> {
        let act = self.client.set_roles(scope, roles);
        self.call("set_roles", Kind::Write, act).await
    }

    async fn delete(&self, scope: &Scope, mrns: &[Mrn]) -> Result<BatchErrors, WriteError> {
        self.call("delete", Kind::Write, self.client.delete(scope, mrns))
            .await
    }
}

impl SinkStore for World<'_> {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let abilities = self.stores.abilities(to);
        let act = async {
            self.platform.sweep(to);
            Ok(Probe {
                found: match self.platform.holder(to) {
                    Some(_) if !abilities.read_back => Found::Unreadable,
                    Some(account) => Found::Account {
                        account,
                        endpoint: None,
                    },
                    None => Found::Nobody,
                },
                version: self.version(to),
                abilities,
                read: None,
            })
        };
        self.call("probe", Kind::Look, act).await
    }

    async fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        let abilities = self.stores.abilities(to);
        let act = async {
            if abilities.stage && self.moved(to, &probe) {
                return Err(moved());
            }
            let beside = abilities
                .stage
                .then(|| self.platform.put_beside(to, held(credential)));
            Ok(Staged {
                probe,
                beside,
                former: (self.platform.read(to))
                    .filter(|_| abilities.read_back)
                    .map(Secret::new),
            })
        };
        self.call("stage", Kind::Deliver, act).await
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let reads = self.stores.abilities(to).read_back;
        let act = async {
            let own = self.platform.holder(to).as_ref() == Some(&credential.mrn);
            if self.moved(to, &staged.probe) && !own {
                return Err(moved());
            }
            let fault = self.armed.take();
            if fault == Some(Fault::Lying) {
                // Who can read back finds out.
                self.platform.lied(to);
                return match reads {
                    true => Err(SinkError::failing(Fault::Lying)),
                    false => Ok(Delivered {
                        verified: Verified::Accepted,
                        version: None,
                        note: None,
                    }),
                };
            }
            let beside = staged.beside.as_deref();
            let beside = match fault {
                Some(Fault::Half) => None,
                _ => beside.and_then(|name| self.platform.take_beside(name)),
            };
            self.platform
                .put(to, beside.unwrap_or_else(|| held(credential)));
            if fault == Some(Fault::Half) {
                return Err(SinkError::failing(Fault::Half));
            }
            Ok(Delivered {
                verified: match reads {
                    true => Verified::Equal,
                    false => Verified::Accepted,
                },
                version: self.version(to),
                note: None,
            })
        };
        self.call("promote", Kind::Promote, act).await
    }

    async fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        let reads = self.stores.abilities(to).read_back;
        let act = async {
            if let Some(name) = &staged.beside {
                self.platform.take_beside(name);
            }
            let own = self.platform.holder(to).as_ref() == Some(&credential.mrn);
            let told = !reads && self.stores.versions(to);
            if own && told && staged.probe.found == Found::Unreadable {
                return Ok(Abandoned::Stays);
            }
            let former = staged.former.as_ref();
            let former = former.map(|json| Held::of_file(json.expose()));
            let restores = former.is_some();
            let own = self.platform.take_back(to, &credential.mrn, former);
            Ok(match own && restores {
                true => Abandoned::Restored,
                false => Abandoned::Gone,
            })
        };
        self.call("abandon", Kind::Deliver, act).await
    }

    async fn read(&self, from: &Destination) -> Result<rolecall::ports::ReadKey, SinkError> {
        let act = async {
            Ok(match self.platform.key(from) {
                Some(key) => rolecall::ports::ReadKey::Key(Box::new(key)),
                None => rolecall::ports::ReadKey::Nothing,
            })
        };
        self.call("read", Kind::Look, act).await
    }

    async fn remove(
        &self,
        from: &Destination,
        account: &Mrn,
        left: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        let reads = self.stores.abilities(from).read_back;
        let act = async {
            let there = self.version(from);
            if !reads && there.is_some() && there.as_ref() != left {
                return Ok(Removal::Unknown);
            }
            Ok(match self.platform.take_back(from, account, None) {
                true => Removal::Removed,
                false => Removal::NotThere,
            })
        };
        self.call("remove", Kind::Deliver, act).await
    }
}

fn moved() -> SinkError {
    SinkError {
        kind: SinkErrorKind::Moved,
        effect: Effect::None,
        message: "simulated move".to_owned(),
        help: None,
    }
}

fn held(credential: &IssuedCredential) -> Held {
    Held::new(
        &credential.mrn,
        &credential.fingerprint,
        &credential.scope_mrn,
        credential.private_key.expose(),
    )
}

impl Recorder for World<'_> {
    fn record(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }
}

impl Clock for World<'_> {
    async fn sleep(&self, duration: Duration) {
        self.platform.clock.sleep(duration).await;
    }

    fn elapsed(&self) -> Duration {
        self.platform.clock.elapsed()
    }
}

impl Random for World<'_> {
    fn nonce(&self) -> Nonce {
        self.platform.nonce()
    }
}

impl Interrupt for World<'_> {
    fn stop_requested(&self) -> bool {
        false
    }
}
