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
    /// How many scopes are worked on at the same time, and how many keys at most are on their way from the
    /// platform to where they belong, over all scopes; at least 1. One scope has one IAM write in flight at
    /// most, always.
    pub parallelism: usize,
    /// How long destinations whose refusal may pass are asked again, before anything is written.
    pub wait: Duration,
    /// How long a write may take to show in reads.
    pub grace: Duration,
    /// What marks are sealed with.
    pub seals: Seals,
    /// The commit of the configuration that is applied, in hexadecimal, where it is known; with `-dirty`
    /// behind it if that is not what is applied.
    pub commit: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallelism: 4,
            wait: Duration::ZERO,
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
    /// When it began, by the clock.
    pub(super) began: Duration,
    /// Whether nothing will be begun, so that there is nothing to wait for.
    pub(super) hopeless: Cell<bool>,
    /// The keys that are on their way.
    pub(super) keys: Keys,
    /// What the destinations of births held, in the order of each change, where a write is bound to that.
    pub(super) probed: RefCell<BTreeMap<usize, Vec<Option<Probe>>>>,
    /// Changes that wait for a person, and how each ends.
    pub(super) held: RefCell<BTreeMap<usize, Ended>>,
}

/// How many keys are on their way: made, and not yet where they belong. Each scope may have one, so that none
/// waits for another; the rest goes to whoever comes first.
pub(super) struct Keys {
    most: usize,
    /// Scopes that have births to come.
    scopes: Cell<usize>,
    spare: Cell<usize>,
}

impl Keys {
    /// At most this many at once, over so many scopes with births.
    pub(super) fn new(most: usize, scopes: usize) -> Self {
        Self {
            most: most.max(1),
            scopes: Cell::new(scopes),
            spare: Cell::new(0),
        }
    }

    /// Notes that a scope has no births to come any more.
    pub(super) fn done(&self) {
        self.scopes.set(self.scopes.get().saturating_sub(1));
    }

    /// Room for one key more than the one that a scope may always have, if there is.
    pub(super) fn spare(&self) -> Option<Spare<'_>> {
        let reserved = self.scopes.get().min(self.most);
        let taken = self.spare.get();
        (reserved + taken < self.most).then(|| {
            self.spare.set(taken + 1);
            Spare(&self.spare)
        })
    }
}

/// Room for one key, given back when dropped.
pub(super) struct Spare<'k>(&'k Cell<usize>);

impl Drop for Spare<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
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

impl<'a, W: World> Run<'a, W> {
    /// A run that has not begun.
    pub(super) fn new(
        plan: &'a Plan,
        world: &'a W,
        options: &'a Options,
        written_by: Written,
        keys: Keys,
    ) -> Self {
        Self {
            plan,
            world,
            options,
            written_by,
            written: Cell::new(false),
            stopped: Cell::new(false),
            unmanageable: Cell::new(false),
            merges: Cell::new(false),
            began: world.elapsed(),
            hopeless: Cell::new(false),
            keys,
            probed: RefCell::default(),
            held: RefCell::default(),
        }
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

    /// The platform's time as marks hold it, in whole seconds.
    pub(super) fn now(&self) -> jiff::Timestamp {
        let now = self.world.platform_time();
        jiff::Timestamp::from_second(now.as_second()).unwrap_or(now)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_may_have_one_key_and_the_rest_goes_to_who_comes_first() {
        for (most, scopes, spare) in [(4, 1, 3), (4, 3, 1), (4, 4, 0), (4, 9, 0), (1, 1, 0)] {
            let keys = Keys::new(most, scopes);
            let held: Vec<_> = std::iter::from_fn(|| keys.spare()).collect();
            assert_eq!(held.len(), spare, "{most} over {scopes}");
            drop(held);
            let again: Vec<_> = std::iter::from_fn(|| keys.spare()).collect();
            assert_eq!(again.len(), spare, "given back");
        }
        // What a scope does not need any more is for the others.
        let keys = Keys::new(4, 2);
        let held: Vec<_> = std::iter::from_fn(|| keys.spare()).collect();
        keys.done();
        assert!(held.len() == 2 && keys.spare().is_some());
    }
}
