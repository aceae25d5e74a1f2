//! One run of the product from refresh to outcome, and one point of the simulation: a run that
//! meets a fault, and those that follow it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecall::apply::Outcome;
use rolecall::diff::PENDING_LEASE;
use rolecall::model::{Desired, LiveAccount};
use rolecall::plan::Plan;

use super::case::{Case, Outlook};
use super::conduct::{Place, Task, Told, conduct, said_nothing_secret};
use super::fault::{Call, Fault};
use super::laws::Laws;
use super::platform::{Platform, Seen};
use super::time;
use super::world::{Luck, World};

/// How far a run came.
pub struct Report {
    pub calls: Vec<Call>,
    /// The name of the call that met the fault.
    pub struck: &'static str,
    pub fault: Option<Fault>,
    pub died: bool,
    pub plan: Option<Plan>,
    /// `None` if nothing was to be applied, or the run died.
    pub outcome: Option<Outcome>,
}

/// What is looked at while a run goes on, and when it has ended.
pub trait Watch {
    /// Holds after every call that may have changed something.
    fn step(&self, platform: &Platform) -> Result<(), String>;

    /// Holds of what the run told.
    fn outcome(
        &self,
        platform: &Platform,
        before: &BTreeMap<String, Seen>,
        report: &Report,
    ) -> Result<(), String>;
}

/// Runs the product once.
pub fn go(
    platform: &Platform,
    case: &Case,
    desired: &Desired,
    laws: &dyn Watch,
    fault: Option<(usize, Fault)>,
) -> Result<Report, String> {
    let law = |platform: &Platform| laws.step(platform);
    let luck = fault.map(|(at, fault)| Luck::At(vec![(at, fault)]));
    let world = World::new(platform, luck.as_ref(), case.stores, &law);
    let before = platform.look();
    let elsewhere = |account: &LiveAccount| case.left(&account.name);
    let place = Place {
        queries: &case.queries,
        elsewhere: &elsewhere,
        parallelism: 2,
    };
    let work = conduct(&world, &place, desired, &Task::Plan);
    let ended = time::run(&platform.clock, || world.dead.get(), work);
    if let Some(why) = world.broken.borrow_mut().take() {
        return Err(why);
    }
    let died = ended.is_none();
    let told = ended.unwrap_or_else(|| Ok(Told::default()))?;
    said_nothing_secret(platform, &world, &told)?;
    let Told {
        plan,
        outcome,
        refused: _,
    } = told;
    let report = Report {
        calls: world.calls.borrow().clone(),
        struck: world.struck(),
        fault: fault.map(|(_, fault)| fault),
        died,
        plan,
        outcome,
    };
    laws.outcome(platform, &before, &report)?;
    Ok(report)
}

/// A platform on which one case is played again and again.
pub struct Stage<'a> {
    case: &'a Case,
    platform: Platform,
    /// States that a first run left behind, and from which the next run was seen to do well. A run
    /// sees the platform and the destinations and nothing else, so seeing each once is enough.
    seen: BTreeSet<String>,
}

impl<'a> Stage<'a> {
    pub fn new(case: &'a Case) -> Self {
        Self {
            case,
            platform: Platform::new(case.quirks.clone()),
            seen: BTreeSet::new(),
        }
    }

    /// Runs again until nothing is left to do, and sees that all is as wanted.
    pub fn finish(platform: &Platform, case: &Case, laws: &Laws<'_>) -> Result<(), String> {
        if laws.in_flight(platform) {
            let lease = PENDING_LEASE.unsigned_abs() + Duration::from_secs(1);
            platform.clock.advance(lease);
        }
        let next = go(platform, case, &case.desired, laws, None)?;
        let done = next.outcome.is_some_and(|outcome| outcome.complete());
        if !done {
            return Err("the next run did not end well".to_owned());
        }
        let last = go(platform, case, &case.desired, laws, None)?;
        let plan = last.plan.ok_or("no last plan")?;
        if !plan.is_empty() {
            return Err(format!("something is left to do: {plan:#?}"));
        }
        laws.end(platform)
    }

    /// In how many states first runs ended.
    pub fn ends(&self) -> usize {
        self.seen.len()
    }

    /// Meets the fault, then runs again until nothing is left to do. Gives the calls of the run
    /// that met it.
    pub fn point(&mut self, fault: Option<(usize, Fault)>) -> Result<Vec<Call>, String> {
        let Self { case, platform, .. } = self;
        let laws = Laws::new(case);
        platform.restore();
        if let Some(before) = &case.before {
            for account in before.accounts.values() {
                platform.plant(&before.stack, account, case.stores);
            }
            platform.clock.advance(Duration::from_hours(1));
        }
        let first = go(platform, case, &case.desired, &laws, fault)?;
        if first.died != matches!(fault, Some((_, Fault::DeathBefore | Fault::DeathAfter))) {
            return Err("the fault was not met".to_owned());
        }
        let mut state = platform.state();
        if case.outlook != Outlook::Possible {
            state.push_str(&format!("{} {:?}", first.struck, first.fault));
        }
        if !self.seen.contains(&state) {
            self.then(&laws, &first)?;
            self.seen.insert(state);
        }
        Ok(first.calls)
    }

    /// What follows a run that met a fault.
    fn then(&self, laws: &Laws<'_>, first: &Report) -> Result<(), String> {
        let Self { case, platform, .. } = self;
        let settle = Duration::from_millis(case.quirks.read_lag_ms) + Duration::from_secs(1);
        platform.clock.advance(settle);
        if laws.in_flight(platform) {
            // Nobody can tell a dead birth from a living one: it is left alone for a while.
            let early = go(platform, case, &case.desired, laws, None)?;
            laws.left_alone(&early)?;
            let lease = PENDING_LEASE.unsigned_abs() + Duration::from_secs(1);
            platform.clock.advance(lease);
        }
        let second = go(platform, case, &case.desired, laws, None)?;
        platform.clock.advance(settle);
        match case.outlook {
            Outlook::Possible => {
                let outcome = second.outcome.as_ref().ok_or("the next run was refused")?;
                if !outcome.complete() {
                    return Err(format!("the next run did not end well: {outcome:#?}"));
                }
                let last = go(platform, case, &case.desired, laws, None)?;
                let plan = last.plan.ok_or("no last plan")?;
                if !plan.is_empty() {
                    return Err(format!("something is left to do: {plan:#?}"));
                }
                laws.end(platform)
            }
            Outlook::Impossible(why) => laws.nothing_left(platform, first, &second, why),
        }
    }
}
