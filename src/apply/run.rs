//! One run of apply, and what all its steps have in common: writing once, looking until it shows, and
//! saying how a change ended.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::outcome::{ChangeOutcome, ChangeResult, sentence};
use crate::model::{
    Address, CredentialMark, LiveAccount, Mrn, RoleSet, Scope, Seals, Written, same_name,
};
use crate::plan::{Change, Plan};
use crate::poll::{Pauses, poll};
use crate::ports::{BatchErrors, Effect, ErrorKind, Event, Probe, ReadError, World, WriteError};

/// How patient and how broad apply is.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many scopes are worked on at the same time, at least 1. One scope has one IAM write in
    /// flight at most, always.
    pub parallelism: usize,
    /// How long a write may take to show in reads.
    pub grace: Duration,
    /// What marks are sealed with.
    pub seals: Seals,
    /// The commit of the configuration that is applied, in hexadecimal, where it is known.
    pub commit: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallelism: 4,
            grace: Duration::from_secs(30),
            seals: Seals::default(),
            commit: None,
        }
    }
}

/// How a step ended that is the last of its change: how, and a fragment that says more.
pub(super) type Ended = (ChangeResult, String);

/// One run of apply.
pub(super) struct Run<'a, W> {
    pub(super) plan: &'a Plan,
    pub(super) world: &'a W,
    pub(super) options: &'a Options,
    /// What the marks say of who last wrote them.
    pub(super) written_by: Written,
    /// Whether any write happened, or may have.
    pub(super) written: Cell<bool>,
    /// Whether a stop was noticed before all was done.
    pub(super) stopped: Cell<bool>,
    /// Whether the platform was found not to keep labels.
    pub(super) unmanageable: Cell<bool>,
    /// Whether the platform was found to keep labels that an update leaves out.
    pub(super) merges: Cell<bool>,
    /// What the destinations of births held, in the order of each change, where a write is bound to that.
    pub(super) probed: RefCell<BTreeMap<usize, Vec<Option<Probe>>>>,
}

/// The work in one scope.
pub(super) struct ScopeRun<'a> {
    pub(super) scope: &'a Scope,
    /// The scope as it was listed just before the writes.
    pub(super) listed: BTreeMap<Mrn, LiveAccount>,
    pub(super) results: BTreeMap<usize, ChangeOutcome>,
    /// Addresses of which a change did not end well; what follows on them is skipped.
    pub(super) broken: BTreeSet<Address>,
}

impl ScopeRun<'_> {
    /// Another account that has the name which a change gives, as the scope is known now.
    pub(super) fn holder(&self, change: &Change) -> Option<&Mrn> {
        let wanted = change.after.as_ref()?;
        let mut others = self.listed.values();
        let other = others.find(|other| {
            Some(&other.mrn) != change.account.as_ref() && same_name(&other.name, &wanted.name)
        })?;
        Some(&other.mrn)
    }

    pub(super) fn end(&mut self, index: usize, outcome: ChangeOutcome) {
        if outcome.result != ChangeResult::Done {
            self.broken.insert(outcome.address.clone());
        }
        self.results.insert(index, outcome);
    }
}

impl<W: World> Run<'_, W> {
    pub(super) fn end(
        &self,
        scope_run: &mut ScopeRun<'_>,
        index: usize,
        result: ChangeResult,
        detail: String,
    ) {
        let change = &self.plan.changes[index];
        let outcome = self.ended(change, result, detail);
        scope_run.end(index, outcome);
    }

    /// How a change ended; tells those who watch.
    pub(super) fn ended(
        &self,
        change: &Change,
        result: ChangeResult,
        detail: String,
    ) -> ChangeOutcome {
        self.world.record(Event::Finished {
            address: change.address.clone(),
            result: result.name(),
            how: sentence(change.action, result, &detail),
        });
        ChangeOutcome::new(change, result, detail)
    }

    /// Whether somebody asked to stop.
    pub(super) fn stop(&self) -> bool {
        let stop = self.world.stop_requested();
        if stop {
            self.stopped.set(true);
        }
        stop
    }

    pub(super) fn start(&self, change: &Change, doing: &'static str) {
        self.world.record(Event::Started {
            address: change.address.clone(),
            doing,
        });
    }

    pub(super) fn note(&self, change: &Change, message: String) {
        self.world.record(Event::Note {
            address: change.address.clone(),
            message,
        });
    }

    /// Makes one write, again while the platform says that another IAM change was under way
    /// (nothing happened then), and notes whether anything may have been written.
    pub(super) async fn write<T, F>(&self, mut attempt: F) -> Result<T, WriteError>
    where
        F: AsyncFnMut() -> Result<T, WriteError>,
    {
        const ATTEMPTS: u32 = 6;
        let mut tried = 0;
        loop {
            let result = attempt().await;
            tried += 1;
            match &result {
                Err(WriteError {
                    kind: ErrorKind::Aborted,
                    effect: Effect::None,
                    ..
                }) if tried < ATTEMPTS => {
                    self.world.sleep(Duration::from_millis(250 << tried)).await;
                }
                Err(WriteError {
                    effect: Effect::None,
                    ..
                }) => return result,
                Ok(_)
                | Err(WriteError {
                    effect: Effect::Unknown,
                    ..
                }) => {
                    self.written.set(true);
                    return result;
                }
            }
        }
    }

    /// Reads an account until `settled` holds of it or the grace, counted from `start`, is over;
    /// the last reading, and whether it settled. A reading that fails counts as not settled.
    pub(super) async fn settle(
        &self,
        mrn: &Mrn,
        start: Duration,
        settled: impl Fn(Option<&LiveAccount>) -> bool,
    ) -> (Result<Option<LiveAccount>, ReadError>, bool) {
        let mut last = None;
        let look = async || {
            let reading = self.world.account(mrn).await;
            let shows = matches!(&reading, Ok(found) if settled(found.as_ref()));
            last = Some(reading);
            shows.then_some(())
        };
        let shown = self.poll(Pauses::SHORT, start, look).await;
        // It always looks once.
        (last.unwrap_or(Ok(None)), shown.is_some())
    }

    /// Checks that the account still carries the mark this run put there, and nobody has taken its power back
    /// since.
    pub(super) async fn still(&self, mrn: &Mrn, expected: &CredentialMark) -> Result<(), Ended> {
        let carries = |account: Option<&LiveAccount>| {
            account
                .and_then(LiveAccount::marks)
                .is_some_and(|m| m.credential == *expected && !m.is_revoked())
        };
        let (found, yes) = self.settle(mrn, self.world.elapsed(), carries).await;
        if yes {
            return Ok(());
        }
        let why = match found {
            Ok(_) => format!("{mrn} no longer carries this run's mark; it was left as it is"),
            Err(error) => format!("{mrn} could not be read again, and was left as it is: {error}"),
        };
        Err((ChangeResult::Failed, why))
    }

    /// Looks until there is something or the grace, counted from `start`, is over. Somebody who asked to
    /// stop waits for two seconds of it.
    pub(super) async fn poll<T>(
        &self,
        pauses: Pauses,
        start: Duration,
        look: impl AsyncFnMut() -> Option<T>,
    ) -> Option<T> {
        const HURRIED: Duration = Duration::from_secs(2);
        let patience = || match self.world.stop_requested() {
            true => HURRIED.min(self.options.grace),
            false => self.options.grace,
        };
        poll(self.world, pauses, start, patience, look).await
    }

    /// Replaces the roles of accounts, in one call.
    pub(super) async fn set_roles(
        &self,
        scope: &Scope,
        roles: &BTreeMap<Mrn, RoleSet>,
    ) -> Result<BatchErrors, WriteError> {
        self.write(async || self.world.set_roles(scope, roles).await)
            .await
    }
}
