//! Plays commands on a platform, one after the other or two at once, and what follows once nothing goes wrong any
//! more: all ends as it is wanted, and stays so.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join;
use rolecall::diff::PENDING_LEASE;
use rolecall::model::{Address, Desired, Destination, LiveAccount, Mrn, Queries};
use rolecall::plan::{Change, Obstacle, Plan, Reason, Standing};
use rolecall_server::{ClearRoles, Quirks};

use super::case::queries;
use super::conduct::{Place, Task, Told, conduct, said_nothing_secret};
use super::fault::{Call, Fault};
use super::laws::{Laws, ensure, short};
use super::ledger::{Ledger, is_pending};
use super::platform::{Platform, Seen};
use super::stores::Stores;
use super::story::Command;
use super::time;
use super::turns::Turns;
use super::world::{Luck, World};

/// How many rounds of clean runs end everything, with a person in between where one is needed.
const ROUNDS: usize = 12;
/// How long former keys of all accounts go on, and a day more.
const OVERLAP: Duration = Duration::from_hours(72);

/// How a command went.
pub struct Run {
    pub calls: Vec<Call>,
    pub struck: Vec<(usize, Fault)>,
    pub died: bool,
    pub told: Told,
}

pub struct Play<'a> {
    pub platform: &'a Platform,
    pub quirks: &'a Quirks,
    pub stores: Stores,
    pub queries: Queries,
    pub ledger: Ledger,
}

/// Ends early if the process dies.
async fn while_alive<T>(world: &World<'_>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if world.dead.get() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// As it is, with keys that may take the place of what cannot be read.
fn overwriting(desired: &Desired) -> Desired {
    let mut desired = desired.clone();
    for account in desired.accounts.values_mut() {
        for to in &mut account.deliver_to {
            *to = to.clone().overwriting_unreadable(true);
        }
    }
    desired
}

impl<'a> Play<'a> {
    /// Puts there what is wanted in the beginning, as earlier runs would have left it.
    pub fn new(
        platform: &'a Platform,
        quirks: &'a Quirks,
        stores: Stores,
        wide: bool,
        there: Desired,
    ) -> Result<Self, String> {
        platform.restore();
        for account in there.accounts.values() {
            platform.plant(&there.stack, account, stores);
            platform.clock.advance(Duration::from_secs(1));
        }
        platform.clock.advance(Duration::from_hours(1));
        let play = Self {
            platform,
            quirks,
            stores,
            queries: queries(wide),
            ledger: Ledger::new(quirks.empty_roles, there),
        };
        play.ledger.rely(platform);
        play.ledger.step(platform)?;
        Ok(play)
    }

    /// Whoever relies on a place logs in with the key that is there.
    pub fn keys_are_used(&self) -> Result<(), String> {
        for to in self.ledger.relied() {
            self.platform
                .authenticates(&to)
                .map_err(|why| format!("the key in {to} opens nothing: {why}"))?;
        }
        self.ledger.step(self.platform)
    }

    fn settle(&self) {
        let lag = Duration::from_millis(self.quirks.read_lag_ms);
        self.platform.clock.advance(lag + Duration::from_secs(1));
    }

    fn pending(&self) -> bool {
        let all = self.platform.look();
        all.iter().any(|(mrn, account)| {
            !self.platform.bystanders.contains_key(mrn) && is_pending(account)
        })
    }

    /// Runs a command, or two at once, each with its faults.
    pub fn run(
        &self,
        commands: &[(Command, Option<&Luck>)],
        turns: Option<&Turns>,
        desired: &Desired,
    ) -> Result<Vec<Run>, String> {
        let platform = self.platform;
        let law = |platform: &Platform| self.ledger.step(platform);
        let elsewhere = |account: &LiveAccount| -> Vec<Destination> {
            let label = account
                .marks()
                .map(|marks| marks.address.as_str().to_owned());
            label.map_or_else(Vec::new, |label| self.ledger.elsewhere(&label))
        };
        let place = Place {
            queries: &self.queries,
            elsewhere: &elsewhere,
            parallelism: 2,
        };
        for (command, _) in commands {
            if let Command::Revoke(address) = command {
                self.ledger.revoke(address);
            }
        }
        let tasks: Vec<(Task, Desired)> = commands.iter().map(|(c, _)| c.task(desired)).collect();
        let worlds: Vec<World<'_>> = commands
            .iter()
            .enumerate()
            .map(|(n, (_, luck))| {
                let world = World::new(platform, *luck, self.stores, &law);
                match turns {
                    Some(turns) => world.taking_turns(turns, n == 1),
                    None => world,
                }
            })
            .collect();
        let before = platform.look();
        let surplus = platform.surplus();
        self.ledger.together.set(commands.len() > 1);
        let one = |n: usize| {
            let (world, place) = (&worlds[n], &place);
            let (task, desired) = &tasks[n];
            async move {
                let ended = while_alive(world, conduct(world, place, desired, task)).await;
                if let Some(turns) = turns {
                    turns.over(n == 1);
                }
                ended
            }
        };
        let ended: Vec<Option<Result<Told, String>>> = match worlds.len() {
            1 => vec![time::run(&platform.clock, || false, one(0)).ok_or("no end")?],
            _ => {
                let both = join(one(0), one(1));
                let (a, b) = time::run(&platform.clock, || false, both).ok_or("no end")?;
                vec![a, b]
            }
        };
        // What is on its way arrives.
        platform.land(usize::MAX);
        self.ledger.together.set(false);
        let moved = worlds.len() > 1 || platform.surplus() > surplus;
        let mut runs = Vec::new();
        for (world, ended) in worlds.iter().zip(ended) {
            if let Some(why) = world.broken.borrow_mut().take() {
                return Err(why);
            }
            let died = ended.is_none();
            let told = ended.unwrap_or_else(|| Ok(Told::default()))?;
            // Where nothing went wrong, nobody is told anything that other tests do not look at.
            if !world.struck.borrow().is_empty() {
                said_nothing_secret(platform, world, &told)?;
            }
            match (&told.plan, &told.outcome) {
                (Some(plan), Some(outcome)) => {
                    let changes = &plan.changes;
                    self.ledger
                        .outcome(platform, &before, changes, outcome, moved)?;
                }
                _ => ensure(died || moved || *platform.look() == *before, || {
                    "something was written without an approved plan".to_owned()
                })?,
            }
            runs.push(Run {
                calls: world.calls.borrow().clone(),
                struck: world.struck.borrow().clone(),
                died,
                told,
            });
        }
        self.ledger.step(platform)?;
        self.settle();
        self.ledger.rely(platform);
        Ok(runs)
    }

    /// Runs a command that meets nothing.
    fn clean(&self, command: Command, desired: &Desired) -> Result<Told, String> {
        let what = command.name();
        let runs = self.run(&[(command, None)], None, desired);
        let mut runs = runs.map_err(|why| format!("in a clean {what}: {why}"))?;
        runs.pop()
            .map(|run| run.told)
            .ok_or_else(|| "no run".to_owned())
    }

    /// Runs until nothing is left to do, and sees that all is as wanted. Where a person is needed, one comes.
    pub fn finish(&self) -> Result<(), String> {
        // From here on nothing is renewed by the clock alone.
        let mut wanted = self.ledger.desired();
        for account in wanted.accounts.values_mut() {
            account.rotation.rotate_after = None;
        }
        self.ledger.declare(wanted.clone());
        for _ in 0..ROUNDS {
            if self.round(&mut wanted)? {
                self.ledger.renewed();
                self.ledger.rely(self.platform);
                self.end(&wanted)?;
                return self.retire(&wanted);
            }
        }
        let left = self.clean(Command::Apply, &wanted)?;
        let due = self.clean(Command::Due, &wanted)?;
        let shown = |told: &Told| {
            let plan = told.plan.as_ref();
            let plan = plan.map(|plan| (plan.changes.clone(), plan.blocked.clone()));
            format!("{plan:#?} {:#?} {}", told.outcome, told.refused)
        };
        Err(format!(
            "something is always left to do: {}\ndue: {}",
            shown(&left),
            shown(&due)
        ))
    }

    /// One round of clean runs. Tells whether nothing is left to do.
    fn round(&self, wanted: &mut Desired) -> Result<bool, String> {
        self.settle();
        if self.pending() {
            let lease = PENDING_LEASE.unsigned_abs() + Duration::from_secs(1);
            self.platform.clock.advance(lease);
        }
        self.keys_are_used()?;
        let told = self.clean(Command::Apply, wanted)?;
        let Some(plan) = &told.plan else {
            return Err(format!("there is no plan: {}", told.refused));
        };
        let mut idle = plan.changes.is_empty() && plan.in_flight.is_empty();
        if !self.done(&told, wanted)? {
            return Ok(false);
        }
        let lost = plan.annex.undelivered.iter().map(|of| &of.address);
        let revoked = plan.annex.revoked.iter().map(|of| &of.address);
        let needed: BTreeSet<Address> = lost.chain(revoked).cloned().collect();
        if !needed.is_empty() {
            idle = false;
            let told = self.clean(Command::Rotate(needed), wanted)?;
            if !self.done(&told, wanted)? {
                return Ok(false);
            }
        }
        let told = self.clean(Command::Due, wanted)?;
        let over = |plan: &Plan| plan.changes.iter().all(|change| self.goes_on(change));
        idle &= told.plan.as_ref().is_some_and(over);
        Ok(self.done(&told, wanted)? && idle)
    }

    /// Whether a change is the end of a former key on a platform that takes no last role away: a person has to delete
    /// its account.
    fn goes_on(&self, change: &Change) -> bool {
        self.quirks.clear_roles == ClearRoles::Refuse && change.reason == Reason::Retired
    }

    /// Whether a clean run did all that it was to do. Where a person has to do something, that is done.
    fn done(&self, told: &Told, wanted: &mut Desired) -> Result<bool, String> {
        let Some(outcome) = &told.outcome else {
            let plan = told.plan.as_ref();
            let blocked = plan.map(|plan| plan.blocked.as_slice()).unwrap_or_default();
            let crowded = blocked.iter().find_map(|of| match &of.block {
                Obstacle::Crowded { accounts } => Some(accounts),
                _ => None,
            });
            let Some(accounts) = crowded else {
                return Err(format!(
                    "a clean run is refused: {} {blocked:#?}",
                    told.refused
                ));
            };
            // Nobody knows whether somebody has these keys; who made them knows that nobody has.
            let all = self.platform.look();
            let unused = accounts.iter().find(|mrn| {
                let account = all.get(mrn.as_str());
                account.is_some_and(|account| !account.used && !self.platform.is_out(mrn.as_str()))
            });
            match unused {
                Some(mrn) => self.platform.remove(mrn.as_str()),
                None => {
                    self.platform.clock.advance(OVERLAP);
                    self.keys_are_used()?;
                    self.clean(Command::Due, wanted)?;
                }
            }
            return Ok(false);
        };
        if outcome.complete() {
            return Ok(true);
        }
        let why = || outcome.results.iter().map(|told| told.detail.as_str());
        let allowed = || {
            let mut all = wanted
                .accounts
                .values()
                .flat_map(|account| &account.deliver_to);
            all.all(Destination::overwrites_unreadable)
        };
        // What a write left whose answer never came has a version that nobody knows.
        if why().any(|why| why.contains("overwrite_unreadable")) && !allowed() {
            *wanted = overwriting(wanted);
            self.ledger.declare(wanted.clone());
            return Ok(false);
        }
        // Where no last role can be taken away, a former key goes on until a person deletes its account.
        let kept = |told: &rolecall::apply::ChangeOutcome| {
            told.result == rolecall::apply::ChangeResult::Done
                || told.action == rolecall::plan::Action::UpdatePermissions
        };
        if self.quirks.clear_roles == ClearRoles::Refuse && outcome.results.iter().all(kept) {
            return Ok(true);
        }
        Err(format!("a clean run does not end well: {outcome:#?}"))
    }

    /// Holds when all is done: each account that is wanted is there, all its places hold one key, which opens it,
    /// and what is there besides waits for its end.
    fn end(&self, wanted: &Desired) -> Result<(), String> {
        let told = self.clean(Command::Apply, wanted)?;
        let plan = told.plan.as_ref().ok_or("no last plan")?;
        ensure(plan.is_empty(), || {
            format!(
                "something is left to do: {:#?} {:#?}",
                plan.changes, plan.blocked
            )
        })?;
        let all = self.platform.look();
        let ours = Laws::ours(self.platform)?;
        let waits = self.former(plan)?;
        let mut newest: BTreeSet<String> = BTreeSet::new();
        for account in wanted.accounts.values() {
            let lies = |to: &Destination| self.platform.is_liar(to) && !to.abilities().read_back;
            for to in account.deliver_to.iter().filter(|to| !lies(to)) {
                let who = self
                    .platform
                    .authenticates(to)
                    .map_err(|why| format!("the key in {to} opens nothing: {why}"))?;
                let Some(holder) = all.get(&who) else {
                    return Err(format!("{to} holds the key of {who}"));
                };
                ensure(holder.roles == short(&account.roles), || {
                    format!("{to} holds a key that is not as wanted: {holder:?}")
                })?;
                newest.insert(who);
            }
            let mine = |of: &&Seen| {
                let label = of.labels.get("rolecall-address").map(String::as_str);
                label == Some(account.address.label().as_str())
            };
            let mine: Vec<&Seen> = ours.iter().filter(mine).collect();
            let current = |of: &&&Seen| newest.contains(&of.mrn);
            let n = mine.iter().filter(current).count();
            let excused = account.deliver_to.iter().all(lies);
            ensure(n == 1 || (n == 0 && excused), || {
                format!(
                    "{n} keys of {} are in its places: {mine:#?}",
                    account.address
                )
            })?;
            for other in mine {
                let known = newest.contains(&other.mrn) || waits.contains(&other.mrn);
                ensure(known || excused, || {
                    format!("an account is left: {other:?}")
                })?;
            }
        }
        for account in &ours {
            let label = account.labels.get("rolecall-address").map(String::as_str);
            let mut declared = wanted.accounts.keys();
            ensure(
                declared.any(|one| Some(one.label().as_str()) == label),
                || format!("an account is left: {account:?}"),
            )?;
        }
        // What stands beside a place of a former one goes with the next look at it.
        let current = |mrn: &Mrn| newest.contains(mrn.as_str());
        match self.platform.beside().into_iter().find(current) {
            Some(mrn) => Err(format!("a key of {mrn} is left beside a destination")),
            None => Ok(()),
        }
    }

    /// Former generations that wait for their end.
    fn former(&self, plan: &Plan) -> Result<BTreeSet<String>, String> {
        let mut waits = BTreeSet::new();
        for of in &plan.annex.generations {
            let standing = matches!(
                of.standing,
                Standing::Overlapping { .. } | Standing::Used { .. } | Standing::UseUnknown
            );
            let kept = self.quirks.clear_roles == ClearRoles::Refuse;
            ensure(standing || kept, || {
                format!("a key does not only wait: {of:#?}")
            })?;
            waits.insert(of.account.to_string());
        }
        Ok(waits)
    }

    /// Lets the time of former keys pass: those that were used end, and the others are told.
    fn retire(&self, wanted: &Desired) -> Result<(), String> {
        for _ in 0..ROUNDS {
            self.platform.clock.advance(OVERLAP);
            self.keys_are_used()?;
            let mut wanted = wanted.clone();
            let told = self.clean(Command::Due, &wanted)?;
            self.done(&told, &mut wanted)?;
            if told
                .plan
                .as_ref()
                .is_some_and(|plan| plan.changes.is_empty())
            {
                let told = self.clean(Command::Apply, &wanted)?;
                let plan = told.plan.as_ref().ok_or("no plan")?;
                ensure(plan.is_empty(), || {
                    format!("something is left to do: {:#?}", plan.changes)
                })?;
                return self.over(wanted);
            }
            if self.quirks.clear_roles == ClearRoles::Refuse {
                return Ok(());
            }
        }
        Err("former keys do not end".to_owned())
    }

    /// Holds once the time of former keys is over: those that are left were never seen to be used, or still are.
    fn over(&self, wanted: Desired) -> Result<(), String> {
        let ours = Laws::ours(self.platform)?;
        for account in wanted.accounts.values() {
            let in_use: BTreeSet<String> = account
                .deliver_to
                .iter()
                .filter_map(|to| self.platform.holder(to))
                .map(|mrn| mrn.to_string())
                .collect();
            for one in &ours {
                let label = one.labels.get("rolecall-address").map(String::as_str);
                let mine = label == Some(account.address.label().as_str());
                ensure(!mine || in_use.contains(&one.mrn) || !one.used, || {
                    format!("a former key does not end: {one:?}")
                })?;
            }
        }
        Ok(())
    }
}
