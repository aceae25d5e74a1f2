//! Executes an approved plan over ports alone: no spawn, no sleep, no clock but theirs.
//! Never fails as a whole: the outcome says of every change how it ended.
//!
//! Files, each using those before it: `outcome`, `run` and `stale`; `probe` (what destinations hold) and
//! `leave` (keys that leave places); `step` (writes to accounts that are there); `redeliver` (keys into
//! further places); `names` (of accounts whose place others take); `fresh` (accounts that this run made);
//! `deliver`; `birth`; `rotate`; `revoke` (power that is taken back, apart from any other plan); and this one,
//! which goes through the plan.

mod birth;
mod deliver;
mod fresh;
mod leave;
mod names;
mod outcome;
mod probe;
mod redeliver;
mod revoke;
mod rotate;
mod run;
mod stale;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};
use indexmap::IndexMap;

use crate::model::{Address, Mrn, Scope, Written};
use crate::plan::{Plan, Step};
use crate::policy::ApprovedPlan;
use crate::ports::{Probe, World};

pub use crate::ports::Event;
pub use outcome::{ChangeOutcome, ChangeResult, Outcome, sentence};
pub use revoke::revoke;
pub use run::Options;

use probe::{NO_DESTINATION, NoPlace};
use run::{Keys, Run, ScopeRun};
use stale::{Present, stale};

/// Executes the plan and says of every change how it ended.
pub async fn apply<W: World>(approved: &ApprovedPlan, world: &W, options: &Options) -> Outcome {
    let plan = approved.plan();
    // In the plan's order: whose first change comes first is begun first.
    let mut scopes: IndexMap<&Scope, Vec<usize>> = IndexMap::new();
    for (index, change) in plan.changes.iter().enumerate() {
        scopes.entry(&change.scope).or_default().push(index);
    }
    let written_by = Written::new(options.commit.as_deref(), Some(approved.digest()));
    let keys = Keys::new(options.parallelism, with_births(plan, &scopes));
    let run = Run::new(plan, world, options, written_by, keys);
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
        held: run.held.take().len(),
        written: run.written.get(),
        interrupted: run.stopped.get(),
    }
}

/// How many of these scopes have births.
fn with_births(plan: &Plan, scopes: &IndexMap<&Scope, Vec<usize>>) -> usize {
    let births = |changes: &&Vec<usize>| has_births(plan, changes);
    scopes.values().filter(births).count()
}

fn has_births(plan: &Plan, changes: &[usize]) -> bool {
    let mut steps = changes.iter().map(|index| plan.changes[*index].step);
    steps.any(|step| matches!(step, Step::Birth | Step::Rotate))
}

impl<'a, W: World> Run<'a, W> {
    /// Asks every destination of the plan whether it would take a key, or let go of one, before anything is
    /// written, and keeps what a write will be bound to. If one would not, nothing is begun: the result says of
    /// every change how it ended then. Where a run that did not end may be why, that change alone is held.
    async fn preflight(&self) -> BTreeMap<usize, ChangeOutcome> {
        let changes = || self.plan.changes.iter().enumerate();
        let of = |step: Step| {
            let of_step = changes().filter(move |(_, change)| change.step == step);
            of_step.map(|(index, _)| index)
        };
        let going: BTreeSet<&Mrn> = changes()
            .filter(|(_, change)| change.step == Step::RemoveDeadBirth)
            .filter_map(|(_, change)| change.account.as_ref())
            .collect();
        let mut ended: BTreeMap<usize, ChangeOutcome> = BTreeMap::new();
        let mut held: BTreeMap<usize, String> = BTreeMap::new();
        let fails = |index: usize, result, why| self.ended(&self.plan.changes[index], result, why);
        for index in of(Step::Redeliver) {
            if self.world.stop_requested() {
                return BTreeMap::new();
            }
            let change = &self.plan.changes[index];
            match self.may_redeliver(change, &going).await {
                Ok(()) => {}
                Err(NoPlace::Held(why)) => {
                    held.entry(index).or_insert(why);
                }
                Err(NoPlace::Ended((result, why))) => {
                    self.hopeless.set(true);
                    ended.insert(index, fails(index, result, why));
                }
            }
        }
        for (index, change) in changes() {
            if self.world.stop_requested() {
                return BTreeMap::new();
            }
            if let Err((result, why)) = self.may_leave(change).await {
                self.hopeless.set(true);
                ended.insert(index, fails(index, result, why));
            }
        }
        let births = || of(Step::Birth).chain(of(Step::Rotate));
        for index in births() {
            if self.plan.changes[index].deliver_to.is_empty() {
                self.hopeless.set(true);
                let why = NO_DESTINATION.to_owned();
                ended.insert(index, fails(index, ChangeResult::Failed, why));
            }
        }
        let answers = self.probe_all(births(), &going).await;
        if answers.iter().any(|(_, answer)| answer.is_none()) {
            return BTreeMap::new();
        }
        let mut probed: BTreeMap<usize, Vec<Option<Probe>>> = BTreeMap::new();
        for (index, answer) in answers {
            match answer {
                Some(Ok(probe)) => {
                    let bound = Some(probe).filter(|probe| probe.abilities.compare_and_swap);
                    probed.entry(index).or_default().push(bound);
                }
                Some(Err(NoPlace::Held(why))) => {
                    held.entry(index).or_insert(why);
                }
                Some(Err(NoPlace::Ended((result, why)))) => {
                    ended
                        .entry(index)
                        .or_insert_with(|| fails(index, result, why));
                }
                None => {}
            }
        }
        self.probed.replace(probed);
        if ended.is_empty() {
            self.hold(held);
            return ended;
        }
        for (index, why) in held {
            ended
                .entry(index)
                .or_insert_with(|| fails(index, ChangeResult::Refused, why));
        }
        for (index, change) in changes() {
            ended.entry(index).or_insert_with(|| {
                let why = "nothing is begun while a destination of the plan takes no key";
                self.ended(change, ChangeResult::NotAttempted, why.to_owned())
            });
        }
        ended
    }

    /// Keeps changes back, and with each birth what a dead one left: nothing else tells whose key may be in the
    /// place.
    fn hold(&self, changes: BTreeMap<usize, String>) {
        let mut held = self.held.borrow_mut();
        for (index, why) in changes {
            let change = &self.plan.changes[index];
            let dead = self.dead_births(&change.address);
            for (dead, _) in dead.filter(|_| change.step == Step::Birth) {
                let why = "it stays, since it alone tells what may be in its place";
                held.insert(dead, (ChangeResult::NotAttempted, why.to_owned()));
            }
            held.insert(index, (ChangeResult::Refused, why));
        }
    }

    /// Works through the changes of one scope, in the plan's order.
    async fn scope(&self, scope: &'a Scope, mut left: Vec<usize>) -> Vec<(usize, ChangeOutcome)> {
        let has_births = has_births(self.plan, &left);
        let mut scope_run = ScopeRun {
            scope,
            listed: BTreeMap::new(),
            results: BTreeMap::new(),
            broken: BTreeSet::new(),
        };
        if !self.stop() {
            match self.world.accounts(scope).await {
                Ok(listed) => {
                    scope_run.listed = listed
                        .into_iter()
                        .filter(|account| account.scope == *scope)
                        .map(|account| (account.mrn.clone(), account))
                        .collect();
                    self.find_stale(&mut scope_run, &left);
                    left.retain(|index| !scope_run.results.contains_key(index));
                    self.steps(&mut scope_run, &mut left).await;
                }
                Err(error) => {
                    for index in left.drain(..) {
                        let why = format!("the scope could not be listed again: {error}");
                        self.end(&mut scope_run, index, ChangeResult::NotAttempted, why);
                    }
                }
            }
        }
        for index in left {
            let why = "stopped before it".to_owned();
            self.end(&mut scope_run, index, ChangeResult::NotAttempted, why);
        }
        if has_births {
            self.keys.done();
        }
        scope_run.results.into_iter().collect()
    }

    async fn steps(&self, scope_run: &mut ScopeRun<'a>, left: &mut Vec<usize>) {
        while !left.is_empty() && !self.stop() {
            let kind = self.plan.changes[left[0]].step;
            let n = left
                .iter()
                .take_while(|i| self.plan.changes[**i].step == kind)
                .count();
            let mut group: Vec<usize> = left.drain(..n).collect();
            group.retain(|index| {
                let change = &self.plan.changes[*index];
                let held = self.held.borrow().get(index).cloned();
                if let Some((result, why)) = held {
                    self.end(scope_run, *index, result, why);
                    return false;
                }
                let why = if scope_run.broken.contains(&change.address) {
                    "an earlier change of the same account did not end well".to_owned()
                } else if let Some(holder) =
                    scope_run.holder(change).filter(|_| kind == Step::Birth)
                {
                    format!("{holder} still has the name that it was to free")
                } else {
                    return true;
                };
                self.end(scope_run, *index, ChangeResult::Skipped, why);
                false
            });
            let undone = match kind {
                Step::Adopt | Step::Rename | Step::Update | Step::Forget => {
                    self.updates(scope_run, group).await
                }
                Step::RemoveDeadBirth | Step::Delete => self.deletes(scope_run, group).await,
                Step::Redeliver => self.redeliveries(scope_run, group).await,
                Step::Birth => self.births(scope_run, group).await,
                Step::Rotate => self.rotations(scope_run, group).await,
                Step::Grant | Step::Revoke => self.roles(scope_run, group).await,
            };
            // What a stop left of this group comes first again, to be reported as not attempted.
            left.splice(0..0, undone);
        }
    }

    /// Marks what moved between the plan and the last listing.
    fn find_stale(&self, scope_run: &mut ScopeRun<'a>, indexes: &[usize]) {
        let changes = || {
            indexes
                .iter()
                .map(|index| (*index, &self.plan.changes[*index]))
        };
        let dead: BTreeSet<&Mrn> = changes()
            .filter(|(_, change)| change.step == Step::RemoveDeadBirth)
            .filter_map(|(_, change)| change.account.as_ref())
            .collect();
        let renamed: BTreeSet<&Mrn> = changes()
            .filter(|(_, change)| change.renames())
            .filter_map(|(_, change)| change.account.as_ref())
            .collect();
        let found = {
            let present = Present::new(&scope_run.listed, &dead, &renamed, &self.plan.stack);
            // The first change of an account is compared: later ones start from what it leaves.
            let mut judged: BTreeMap<(&Address, Option<&Mrn>), Option<String>> = BTreeMap::new();
            changes()
                .filter_map(|(index, change)| {
                    let why = judged
                        .entry((&change.address, change.account.as_ref()))
                        .or_insert_with(|| stale(change, &scope_run.listed, &present))
                        .clone();
                    Some((index, why?))
                })
                .collect::<Vec<_>>()
        };
        for (index, why) in found {
            self.end(scope_run, index, ChangeResult::Stale, why);
        }
    }
}

#[cfg(test)]
mod tests;
