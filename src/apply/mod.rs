//! Executes an approved plan over ports alone: no spawn, no sleep, no clock but theirs.
//! Never fails as a whole: the outcome says of every change how it ended.

mod birth;
mod deliver;
mod outcome;
mod probe;
mod step;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use indexmap::IndexMap;

use crate::model::{
    Address, AddressLabel, LiveAccount, Mrn, RoleSet, Scope, Seals, StackId, Written, composed,
    same_name,
};
use crate::plan::{Change, Plan, Step};
use crate::policy::ApprovedPlan;
use crate::ports::{Effect, ErrorKind, ReadError, World, WriteError};

pub use crate::ports::Event;
pub use outcome::{ChangeOutcome, ChangeResult, Outcome, sentence};

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

/// Accounts in one `setRoles` or `deleteServiceAccounts` call.
const BATCH: usize = 50;

/// Executes the plan and says of every change how it ended.
pub async fn apply<W: World>(approved: &ApprovedPlan, world: &W, options: &Options) -> Outcome {
    let plan = approved.plan();
    // In the plan's order: whose first change comes first is begun first.
    let mut scopes: IndexMap<&Scope, Vec<usize>> = IndexMap::new();
    for (index, change) in plan.changes.iter().enumerate() {
        scopes.entry(&change.scope).or_default().push(index);
    }
    let run = Run {
        plan,
        world,
        options,
        written_by: Written::new(options.commit.as_deref(), Some(approved.digest())),
        written: Cell::new(false),
        stopped: Cell::new(false),
        unmanageable: Cell::new(false),
        merges: Cell::new(false),
    };
    let mut results = run.preflight().await;
    if results.is_empty() {
        results = stream::iter(scopes)
            .map(|(scope, changes)| run.scope(scope, changes))
            .buffer_unordered(options.parallelism.max(1))
            .flat_map(stream::iter)
            .collect()
            .await;
    }
    Outcome {
        results: (0..plan.changes.len())
            .filter_map(|index| results.remove(&index))
            .collect(),
        in_flight: plan.in_flight.len(),
        written: run.written.get(),
        interrupted: run.stopped.get(),
    }
}

/// One run of apply.
struct Run<'a, W> {
    plan: &'a Plan,
    world: &'a W,
    options: &'a Options,
    /// What the marks say of who last wrote them.
    written_by: Written,
    /// Whether any write happened, or may have.
    written: Cell<bool>,
    /// Whether a stop was noticed before all was done.
    stopped: Cell<bool>,
    /// Whether the platform was found not to keep labels.
    unmanageable: Cell<bool>,
    /// Whether the platform was found to keep labels that an update leaves out.
    merges: Cell<bool>,
}

/// The work in one scope.
struct Bench<'a> {
    scope: &'a Scope,
    /// The scope as it was listed just before the writes.
    listed: BTreeMap<Mrn, LiveAccount>,
    results: BTreeMap<usize, ChangeOutcome>,
    /// Addresses of which a change did not end well; what follows on them is skipped.
    broken: BTreeSet<Address>,
}

impl<'a> Bench<'a> {
    /// Another account that has the name which a change gives, as the scope is known now.
    fn holder(&self, change: &Change) -> Option<&Mrn> {
        let wanted = change.after.as_ref()?;
        let mut others = self.listed.values();
        let other = others.find(|other| {
            Some(&other.mrn) != change.account.as_ref() && same_name(&other.name, &wanted.name)
        })?;
        Some(&other.mrn)
    }

    fn end(&mut self, index: usize, outcome: ChangeOutcome) {
        if outcome.result != ChangeResult::Done {
            self.broken.insert(outcome.address.clone());
        }
        self.results.insert(index, outcome);
    }
}

impl<'a, W: World> Run<'a, W> {
    /// Asks every destination of the plan whether it would take a key, before anything is written.
    /// If one would not, nothing is begun: the result says of every change how it ended then.
    async fn preflight(&self) -> BTreeMap<usize, ChangeOutcome> {
        let changes = || self.plan.changes.iter().enumerate();
        let births = changes().filter(|(_, change)| change.step == Step::Birth);
        let going: BTreeSet<&Mrn> = changes()
            .filter(|(_, change)| change.step == Step::RemoveDeadBirth)
            .filter_map(|(_, change)| change.account.as_ref())
            .collect();
        let mut ended: BTreeMap<usize, ChangeOutcome> = BTreeMap::new();
        for (index, change) in births {
            if self.world.stop_requested() {
                return BTreeMap::new();
            }
            if let Err((result, why)) = self.probe(&change.deliver_to, &going).await {
                ended.insert(index, self.ended(change, result, why));
            }
        }
        if ended.is_empty() {
            return ended;
        }
        for (index, change) in changes() {
            ended.entry(index).or_insert_with(|| {
                let why = "nothing is begun while a destination of the plan takes no key";
                self.ended(change, ChangeResult::NotAttempted, why.to_owned())
            });
        }
        ended
    }

    /// Works through the changes of one scope, in the plan's order.
    async fn scope(&self, scope: &'a Scope, mut left: Vec<usize>) -> Vec<(usize, ChangeOutcome)> {
        let mut bench = Bench {
            scope,
            listed: BTreeMap::new(),
            results: BTreeMap::new(),
            broken: BTreeSet::new(),
        };
        if !self.stop() {
            match self.world.accounts(scope).await {
                Ok(listed) => {
                    bench.listed = listed
                        .into_iter()
                        .filter(|account| account.scope == *scope)
                        .map(|account| (account.mrn.clone(), account))
                        .collect();
                    self.find_stale(&mut bench, &left);
                    left.retain(|index| !bench.results.contains_key(index));
                    self.steps(&mut bench, &mut left).await;
                }
                Err(error) => {
                    for index in left.drain(..) {
                        let why = format!("the scope could not be listed again: {error}");
                        self.end(&mut bench, index, ChangeResult::NotAttempted, why);
                    }
                }
            }
        }
        for index in left {
            let why = "stopped before it".to_owned();
            self.end(&mut bench, index, ChangeResult::NotAttempted, why);
        }
        bench.results.into_iter().collect()
    }

    async fn steps(&self, bench: &mut Bench<'a>, left: &mut Vec<usize>) {
        while !left.is_empty() && !self.stop() {
            let kind = self.plan.changes[left[0]].step;
            let n = left
                .iter()
                .take_while(|i| self.plan.changes[**i].step == kind)
                .count();
            let mut group: Vec<usize> = left.drain(..n).collect();
            group.retain(|index| {
                let change = &self.plan.changes[*index];
                let why = if bench.broken.contains(&change.address) {
                    "an earlier change of the same account did not end well".to_owned()
                } else if let Some(holder) = bench.holder(change).filter(|_| kind == Step::Birth) {
                    format!("{holder} still has the name that it was to free")
                } else {
                    return true;
                };
                self.end(bench, *index, ChangeResult::Skipped, why);
                false
            });
            let undone = match kind {
                Step::Adopt | Step::Rename | Step::Update | Step::Forget => {
                    self.updates(bench, group).await
                }
                Step::RemoveDeadBirth | Step::Delete => self.deletes(bench, group).await,
                Step::Birth => self.births(bench, group).await,
                Step::Grant | Step::Revoke => self.roles(bench, group).await,
            };
            // What a stop left of this group comes first again, to be reported as not attempted.
            left.splice(0..0, undone);
        }
    }

    /// Marks what moved between the plan and the last listing.
    fn find_stale(&self, bench: &mut Bench<'a>, indexes: &[usize]) {
        let changes = || {
            indexes
                .iter()
                .map(|index| (*index, &self.plan.changes[*index]))
        };
        let reaped: BTreeSet<&Mrn> = changes()
            .filter(|(_, change)| change.step == Step::RemoveDeadBirth)
            .filter_map(|(_, change)| change.account.as_ref())
            .collect();
        let renamed: BTreeSet<&Mrn> = changes()
            .filter(|(_, change)| change.renames())
            .filter_map(|(_, change)| change.account.as_ref())
            .collect();
        let found = {
            let present = Present::new(&bench.listed, &reaped, &renamed, &self.plan.stack);
            // The first change of an account is compared: later ones start from what it leaves.
            let mut judged: BTreeMap<(&Address, Option<&Mrn>), Option<String>> = BTreeMap::new();
            changes()
                .filter_map(|(index, change)| {
                    let why = judged
                        .entry((&change.address, change.account.as_ref()))
                        .or_insert_with(|| stale(change, &bench.listed, &present))
                        .clone();
                    Some((index, why?))
                })
                .collect::<Vec<_>>()
        };
        for (index, why) in found {
            self.end(bench, index, ChangeResult::Stale, why);
        }
    }

    fn end(&self, bench: &mut Bench<'_>, index: usize, result: ChangeResult, detail: String) {
        let change = &self.plan.changes[index];
        let outcome = self.ended(change, result, detail);
        bench.end(index, outcome);
    }

    /// How a change ended; tells those who watch.
    fn ended(&self, change: &Change, result: ChangeResult, detail: String) -> ChangeOutcome {
        self.world.record(Event::Finished {
            address: change.address.clone(),
            result: result.name(),
            how: outcome::sentence(change.action, result, &detail),
        });
        ChangeOutcome::new(change, result, detail)
    }

    /// Whether somebody asked to stop.
    fn stop(&self) -> bool {
        let stop = self.world.stop_requested();
        if stop {
            self.stopped.set(true);
        }
        stop
    }

    fn start(&self, change: &Change, doing: &'static str) {
        self.world.record(Event::Started {
            address: change.address.clone(),
            doing,
        });
    }

    fn note(&self, change: &Change, message: String) {
        self.world.record(Event::Note {
            address: change.address.clone(),
            message,
        });
    }

    /// Makes one write, again while the platform says that another IAM change was under way
    /// (nothing happened then), and notes whether anything may have been written.
    async fn write<T, F>(&self, mut attempt: F) -> Result<T, WriteError>
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
    async fn settle(
        &self,
        mrn: &Mrn,
        start: Duration,
        settled: impl Fn(Option<&LiveAccount>) -> bool,
    ) -> (Result<Option<LiveAccount>, ReadError>, bool) {
        let mut pause = Duration::from_millis(100);
        loop {
            let reading = self.world.account(mrn).await;
            if let Ok(found) = &reading
                && settled(found.as_ref())
            {
                return (reading, true);
            }
            if self.out_of_patience(start) {
                return (reading, false);
            }
            self.world.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(4));
        }
    }

    /// Whether the grace that began at `start` is over. Somebody who asked to stop waits for two
    /// seconds of it.
    fn out_of_patience(&self, start: Duration) -> bool {
        const HURRIED: Duration = Duration::from_secs(2);
        let grace = if self.world.stop_requested() {
            HURRIED.min(self.options.grace)
        } else {
            self.options.grace
        };
        self.world.elapsed().saturating_sub(start) >= grace
    }

    /// Replaces the roles of accounts, in one call.
    async fn set_roles(
        &self,
        scope: &Scope,
        roles: &BTreeMap<Mrn, RoleSet>,
    ) -> Result<crate::ports::BatchErrors, WriteError> {
        self.write(async || self.world.set_roles(scope, roles).await)
            .await
    }
}

/// What a scope holds that would stand in the way of a birth.
struct Present<'a> {
    addresses: BTreeMap<AddressLabel, &'a Mrn>,
    names: BTreeMap<Cow<'a, str>, &'a Mrn>,
}

impl<'a> Present<'a> {
    fn new(
        listed: &'a BTreeMap<Mrn, LiveAccount>,
        reaped: &BTreeSet<&Mrn>,
        renamed: &BTreeSet<&Mrn>,
        stack: &StackId,
    ) -> Self {
        let staying = || {
            listed
                .values()
                .filter(|account| !reaped.contains(&account.mrn))
        };
        Self {
            addresses: staying()
                .filter_map(|account| {
                    let marks = account.marks().filter(|marks| marks.stack == *stack)?;
                    Some((marks.address.clone(), &account.mrn))
                })
                .collect(),
            names: staying()
                .filter(|account| !renamed.contains(&account.mrn))
                .map(|account| (composed(&account.name), &account.mrn))
                .collect(),
        }
    }
}

/// Why a change no longer fits what is live, if it does not.
fn stale(
    change: &Change,
    listed: &BTreeMap<Mrn, LiveAccount>,
    present: &Present<'_>,
) -> Option<String> {
    let Some(mrn) = &change.account else {
        let wanted = change.after.as_ref()?;
        if let Some(other) = present.addresses.get(&change.address.label()) {
            return Some(format!(
                "{other} has appeared under this address since the plan"
            ));
        }
        return present
            .names
            .get(&composed(&wanted.name))
            .map(|other| format!("{other} has taken the name since the plan"));
    };
    let Some(account) = listed.get(mrn) else {
        return Some("it is gone since the plan".to_owned());
    };
    let state = account.state();
    let before = change.before.as_ref();
    if before.is_some_and(|before| before.roles != state.roles) {
        return Some("its roles have changed since the plan".to_owned());
    }
    if account.marks() != change.marks.as_ref() {
        return Some("its marks have changed since the plan".to_owned());
    }
    if before != Some(&state) {
        return Some("its name, description or labels have changed since the plan".to_owned());
    }
    None
}

#[cfg(test)]
mod tests;
