//! The world of one run: the client, the destinations and the clock, every call counted, and one
//! of them made to fail.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use rolecall::model::{
    Abilities, Caller, Destination, IssuedCredential, LiveAccount, Mrn, Nonce, OrgId, RoleSet,
    Scope, ScopeInfo, SpaceId, StoreVersion,
};
use rolecall::platform::Client;
use rolecall::ports::{
    Abandoned, AccountUpdate, BatchErrors, Clock, Delivered, Effect, ErrorKind, Event, Found,
    Interrupt, NewAccount, Probe, Random, ReadError, Reader, Recorder, Removal, SinkError,
    SinkErrorKind, SinkStore, Staged, Verified, WriteError, Writer,
};

use rolecall::secret::Secret;

use super::platform::{Held, Platform, Wire};
use super::time;
use super::turns::Turns;

/// What can go wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused; nothing happened.
    Refused,
    /// As `Refused`, as input that the platform does not take.
    Invalid,
    /// As `Refused`, since another change is under way: may be tried again.
    Aborted,
    /// It never arrives, and nobody can tell.
    Cut,
    /// It is carried out, and the answer is lost.
    Lost,
    /// The process dies before it.
    DeathBefore,
    /// The process dies after it is carried out, without the answer.
    DeathAfter,
}

/// What a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    /// A write that is tried in another form if the platform does not take the input.
    Create,
    Write,
    Deliver,
}

impl Kind {
    /// The faults that differ for such a call. A read leaves nothing behind, so death after it is
    /// death before it; and where no other scope is worked on meanwhile (`alone`), it is death
    /// after the call before.
    pub fn faults(self, alone: bool) -> &'static [Fault] {
        use Fault::{Aborted, Cut, DeathAfter, DeathBefore, Invalid, Lost, Refused};
        match self {
            Self::Read if alone => &[Refused, Lost],
            Self::Read => &[Refused, Lost, DeathBefore],
            Self::Create => &[
                Refused,
                Invalid,
                Aborted,
                Cut,
                Lost,
                DeathBefore,
                DeathAfter,
            ],
            Self::Write => &[Refused, Aborted, Cut, Lost, DeathBefore, DeathAfter],
            Self::Deliver => &[Refused, Lost, DeathBefore, DeathAfter],
        }
    }
}

/// A call that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: &'static str,
    pub kind: Kind,
}

pub struct World<'a> {
    platform: &'a Platform,
    client: Client<Wire<'a>>,
    fault: Option<(usize, Fault)>,
    /// Whether destinations can stage.
    stages: bool,
    /// Whether they can be read back.
    reads: bool,
    /// Whether they tell a version of what they hold.
    versions: bool,
    /// Whose turn it is, where two runs meet, and whether this is the second of them.
    turns: Option<(&'a Turns, bool)>,
    /// Looked at after every call that may have changed something.
    law: &'a dyn Fn(&Platform) -> Result<(), String>,
    pub calls: RefCell<Vec<Call>>,
    pub broken: RefCell<Option<String>>,
    pub dead: Cell<bool>,
    pub events: RefCell<Vec<Event>>,
    /// How many accounts of a name were truly created.
    pub created: RefCell<BTreeMap<String, usize>>,
}

/// How an error of some port is made.
trait Failing {
    fn failing(fault: Fault) -> Self;
}

fn words(fault: Fault) -> String {
    format!("simulated {fault:?}")
}

fn kind(fault: Fault) -> ErrorKind {
    match fault {
        Fault::Refused => ErrorKind::PermissionDenied,
        Fault::Invalid => ErrorKind::Invalid,
        Fault::Aborted => ErrorKind::Aborted,
        _ => ErrorKind::Transport,
    }
}

impl Failing for ReadError {
    fn failing(fault: Fault) -> Self {
        Self {
            kind: kind(fault),
            message: words(fault),
        }
    }
}

impl Failing for WriteError {
    fn failing(fault: Fault) -> Self {
        let effect = match fault {
            Fault::Cut | Fault::Lost => Effect::Unknown,
            _ => Effect::None,
        };
        Self {
            kind: kind(fault),
            effect,
            message: words(fault),
        }
    }
}

impl Failing for SinkError {
    fn failing(fault: Fault) -> Self {
        let effect = match fault {
            Fault::Lost => Effect::Unknown,
            _ => Effect::None,
        };
        Self {
            kind: SinkErrorKind::Unavailable,
            effect,
            message: words(fault),
            help: None,
        }
    }
}

impl<'a> World<'a> {
    pub fn new(
        platform: &'a Platform,
        fault: Option<(usize, Fault)>,
        (stages, reads, versions): (bool, bool, bool),
        law: &'a dyn Fn(&Platform) -> Result<(), String>,
    ) -> Self {
        Self {
            platform,
            client: platform.client(),
            fault,
            stages,
            reads,
            versions,
            turns: None,
            law,
            calls: RefCell::default(),
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

    /// The name of the call that the fault hit.
    pub fn struck(&self) -> &'static str {
        let calls = self.calls.borrow();
        self.fault
            .and_then(|(at, _)| calls.get(at))
            .map_or("nothing", |call| call.name)
    }

    /// The version of what a destination holds, where it tells one.
    fn version(&self, to: &Destination) -> Option<StoreVersion> {
        self.platform.version(to).filter(|_| self.versions)
    }

    async fn call<T, E: Failing>(
        &self,
        name: &'static str,
        kind: Kind,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        time::pass().await;
        self.turn().await;
        let number = self.calls.borrow().len();
        self.calls.borrow_mut().push(Call { name, kind });
        let fault = self.fault.filter(|(at, _)| *at == number).map(|(_, f)| f);
        let carried_out = matches!(fault, None | Some(Fault::Lost | Fault::DeathAfter));
        let answer = if carried_out { Some(act.await) } else { None };
        // A read changes nothing, so what held before it holds.
        let changed = carried_out && kind != Kind::Read;
        if changed && let Err(why) = (self.law)(self.platform) {
            let mut broken = self.broken.borrow_mut();
            broken.get_or_insert_with(|| format!("after call {number} ({name}): {why}"));
        }
        match (fault, answer) {
            (None, Some(answer)) => answer,
            (Some(Fault::DeathBefore | Fault::DeathAfter), _) => {
                self.dead.set(true);
                std::future::pending().await
            }
            (fault, _) => Err(E::failing(fault.unwrap_or(Fault::Refused))),
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
        let act = async {
            self.platform.sweep(to);
            Ok(Probe {
                found: match self.platform.holder(to) {
                    Some(_) if !self.reads => Found::Unreadable,
                    Some(account) => Found::Account {
                        account,
                        endpoint: None,
                    },
                    None => Found::Nobody,
                },
                version: self.version(to),
                abilities: Abilities {
                    stage: self.stages,
                    // As Vault: what cannot stage binds a write to what was seen.
                    compare_and_swap: !self.stages && self.reads,
                    read_back: self.reads,
                    restore: self.reads,
                },
                read: None,
            })
        };
        self.call("probe", Kind::Read, act).await
    }

    async fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        let act = async {
            let beside = self
                .stages
                .then(|| self.platform.put_beside(to, held(credential)));
            Ok(Staged {
                probe,
                beside,
                former: (self.platform.read(to))
                    .filter(|_| self.reads)
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
        let act = async {
            let holder = self.platform.holder(to);
            let seen = match &staged.probe.found {
                Found::Account { account, .. } => Some(account),
                _ => None,
            };
            let own = holder.as_ref() == Some(&credential.mrn);
            if staged.probe.abilities.compare_and_swap && holder.as_ref() != seen && !own {
                return Err(SinkError {
                    kind: SinkErrorKind::Moved,
                    effect: Effect::None,
                    message: "simulated move".to_owned(),
                    help: None,
                });
            }
            let beside = staged.beside.as_deref();
            let beside = beside.and_then(|name| self.platform.take_beside(name));
            self.platform
                .put(to, beside.unwrap_or_else(|| held(credential)));
            Ok(Delivered {
                verified: match self.reads {
                    true => Verified::Equal,
                    false => Verified::Accepted,
                },
                version: self.version(to),
                note: None,
            })
        };
        self.call("promote", Kind::Deliver, act).await
    }

    async fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        let act = async {
            if let Some(name) = &staged.beside {
                self.platform.take_beside(name);
            }
            let own = self.platform.holder(to).as_ref() == Some(&credential.mrn);
            if own && self.versions && staged.probe.found == Found::Unreadable {
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
        self.call("read", Kind::Read, act).await
    }

    async fn remove(
        &self,
        from: &Destination,
        account: &Mrn,
        _: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        let act = async {
            Ok(match self.platform.take_back(from, account, None) {
                true => Removal::Removed,
                false => Removal::NotThere,
            })
        };
        self.call("remove", Kind::Deliver, act).await
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
