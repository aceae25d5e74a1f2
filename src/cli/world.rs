//! The real world for apply: the client, the sinks, the clock, chance, standard error, signals.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::model::{
    Caller, Destination, IssuedCredential, LiveAccount, Mrn, Nonce, OrgId, RoleSet, Scope,
    ScopeInfo, SpaceId, StoreVersion,
};
use crate::platform::{Client, Http};
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
pub struct RealWorld {
    /// The platform.
    pub client: Client<Http>,
    /// The sinks.
    pub sinks: Sinks,
    /// Whether somebody asked to stop.
    pub signals: Signals,
    /// Who is told what happens.
    pub reporter: Reporter,
    /// When the run began.
    pub start: Instant,
}

impl Reader for RealWorld {
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

impl Writer for RealWorld {
    async fn create(&self, account: &NewAccount) -> Result<IssuedCredential, WriteError> {
        self.signals.writing();
        self.client.create(account).await
    }

    async fn update(&self, mrn: &Mrn, update: &AccountUpdate) -> Result<(), WriteError> {
        self.signals.writing();
        self.client.update(mrn, update).await
    }

    async fn set_roles(
        &self,
        scope: &Scope,
        roles: &BTreeMap<Mrn, RoleSet>,
    ) -> Result<BatchErrors, WriteError> {
        self.signals.writing();
        self.client.set_roles(scope, roles).await
    }

    async fn delete(&self, scope: &Scope, mrns: &[Mrn]) -> Result<BatchErrors, WriteError> {
        self.signals.writing();
        self.client.delete(scope, mrns).await
    }
}

impl SinkStore for RealWorld {
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
        self.signals.writing();
        self.sinks.stage(to, credential, probe).await
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        self.signals.writing();
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
        self.signals.writing();
        self.sinks.remove(from, account, left).await
    }
}

impl Recorder for RealWorld {
    fn record(&self, event: Event) {
        self.reporter.emit(events::Event::Change(&event));
    }
}

impl Clock for RealWorld {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Random for RealWorld {
    fn nonce(&self) -> Nonce {
        random::nonce()
    }
}

impl Interrupt for RealWorld {
    fn stop_requested(&self) -> bool {
        self.signals.stop_requested()
    }
}
