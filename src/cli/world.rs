//! The real world for apply: the client, the sinks, the clock, chance, standard error, signals.
//! Hands on what it is asked, and decides nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::model::{
    Caller, Destination, IssuedCredential, LiveAccount, Mrn, Nonce, OrgId, RoleSet, Scope,
    ScopeInfo, SpaceId, StoreVersion,
};
use crate::platform::{Client, Http, Transport};
use crate::ports::{
    Abandoned, AccountUpdate, BatchErrors, Clock, Delivered, Event, Interrupt, NewAccount, Probe,
    Random, ReadError, ReadKey, Reader, Recorder, Removal, SinkError, SinkStore, Staged,
    WriteError, Writer,
};
use crate::sinks::Sinks;

use super::events;
use super::random;
use super::reporter::Reporter;
use super::signals::Signals;

/// Everything that apply may touch.
pub struct World<T, R> {
    /// The platform.
    pub client: Client<T>,
    /// The sinks.
    pub sinks: Sinks,
    /// What the run has besides.
    pub run: R,
}

/// What a run has besides the platform and the sinks.
pub trait Surroundings: Recorder + Clock + Random + Interrupt {
    /// Is told right before something may be written.
    fn writing(&self);
}

/// The world of the program.
pub(super) type RealWorld = World<Http, Process>;

/// The surroundings of the program.
pub(super) struct Process {
    /// Whether somebody asked to stop.
    pub(super) signals: Signals,
    /// Who is told what happens.
    pub(super) reporter: Reporter,
    /// When the run began.
    pub(super) start: Instant,
}

impl<T: Transport, R> Reader for World<T, R> {
    async fn caller(&self) -> Result<Caller, ReadError> {
        self.client.caller().await
    }

    async fn organization(&self, id: &OrgId) -> Result<ScopeInfo, ReadError> {
        self.client.organization(id).await
    }

    async fn spaces(&self, id: &OrgId) -> Result<BTreeMap<SpaceId, ScopeInfo>, ReadError> {
        self.client.spaces(id).await
    }

    async fn space(&self, id: &SpaceId) -> Result<ScopeInfo, ReadError> {
        self.client.space(id).await
    }

    async fn accounts(&self, scope: &Scope) -> Result<Vec<LiveAccount>, ReadError> {
        self.client.accounts(scope).await
    }

    async fn account(&self, mrn: &Mrn) -> Result<Option<LiveAccount>, ReadError> {
        self.client.account(mrn).await
    }

    fn platform_time(&self) -> jiff::Timestamp {
        self.client.platform_time()
    }
}

impl<T: Transport, R: Surroundings> Writer for World<T, R> {
    async fn create(&self, account: &NewAccount) -> Result<IssuedCredential, WriteError> {
        self.run.writing();
        self.client.create(account).await
    }

    async fn update(&self, mrn: &Mrn, update: &AccountUpdate) -> Result<(), WriteError> {
        self.run.writing();
        self.client.update(mrn, update).await
    }

    async fn set_roles(
        &self,
        scope: &Scope,
        roles: &BTreeMap<Mrn, RoleSet>,
    ) -> Result<BatchErrors, WriteError> {
        self.run.writing();
        self.client.set_roles(scope, roles).await
    }

    async fn delete(&self, scope: &Scope, mrns: &[Mrn]) -> Result<BatchErrors, WriteError> {
        self.run.writing();
        self.client.delete(scope, mrns).await
    }
}

impl<T, R: Surroundings> SinkStore for World<T, R> {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        self.sinks.probe(to).await
    }

    async fn ready(&self, to: &Destination) -> Result<Duration, SinkError> {
        self.sinks.ready(to).await
    }

    async fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        self.run.writing();
        self.sinks.stage(to, credential, probe).await
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        self.run.writing();
        self.sinks.promote(to, credential, staged).await
    }

    async fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        self.sinks.abandon(to, credential, staged).await
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        self.sinks.read(from).await
    }

    async fn remove(
        &self,
        from: &Destination,
        account: &Mrn,
        left: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        self.run.writing();
        self.sinks.remove(from, account, left).await
    }
}

impl<T, R: Recorder> Recorder for World<T, R> {
    fn record(&self, event: Event) {
        self.run.record(event);
    }
}

impl<T, R: Clock> Clock for World<T, R> {
    async fn sleep(&self, duration: Duration) {
        self.run.sleep(duration).await;
    }

    fn elapsed(&self) -> Duration {
        self.run.elapsed()
    }
}

impl<T, R: Random> Random for World<T, R> {
    fn nonce(&self) -> Nonce {
        self.run.nonce()
    }
}

impl<T, R: Interrupt> Interrupt for World<T, R> {
    fn stop_requested(&self) -> bool {
        self.run.stop_requested()
    }
}

impl Surroundings for Process {
    fn writing(&self) {
        self.signals.writing();
    }
}

impl Recorder for Process {
    fn record(&self, event: Event) {
        self.reporter.emit(events::Event::Change(&event));
    }
}

impl Clock for Process {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Random for Process {
    fn nonce(&self) -> Nonce {
        random::nonce()
    }
}

impl Interrupt for Process {
    fn stop_requested(&self) -> bool {
        self.signals.stop_requested()
    }
}
