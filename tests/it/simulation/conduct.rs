//! What a command does with the product, from refresh to outcome, over a world that is simulated.

use std::collections::BTreeSet;

use rolecall::apply::{self, Options, Outcome, apply};
use rolecall::diff::diff;
use rolecall::model::{
    Address, Checkout, CredentialMark, Custody, Desired, Destination, Inventory, Live, LiveAccount,
    Mrn, Queries, Standing,
};
use rolecall::plan::{Plan, build, lint, revocation};
use rolecall::policy::{Acks, LocalFiles, approve, approve_revocation};
use rolecall::refresh::refresh;
use rolecall::view::human;

use super::platform::{Platform, seals};
use super::world::World;

/// The commit that all runs are of. What is there before them names none.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What a command is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Whatever the configuration wants, with the rotations that are meant.
    Plan,
    /// The power of all generations of an address is taken back.
    Revoke(Address),
}

/// What a command told.
#[derive(Default)]
pub struct Told {
    pub plan: Option<Plan>,
    /// `None` if nothing was to be applied.
    pub outcome: Option<Outcome>,
    /// Why nothing was.
    pub refused: String,
}

/// Where and how a command runs.
pub struct Place<'a> {
    pub queries: &'a Queries,
    /// The places that declared sinks have for an account whose key is to leave them.
    pub elsewhere: &'a dyn Fn(&LiveAccount) -> Vec<Destination>,
    pub parallelism: usize,
}

/// Runs a command.
///
/// # Errors
/// If a plan breaks a rule of plans.
pub async fn conduct(
    world: &World<'_>,
    place: &Place<'_>,
    desired: &Desired,
    task: &Task,
) -> Result<Told, String> {
    let seals = seals();
    let options = Options {
        parallelism: place.parallelism,
        seals: seals.clone(),
        commit: Some(COMMIT.to_owned()),
        ..Options::default()
    };
    let refused = |plan, refused| Told {
        plan,
        outcome: None,
        refused,
    };
    let live = match refresh(world, place.queries, "local").await {
        Ok(live) => live,
        Err(error) => return Ok(refused(None, error.message)),
    };
    // Accounts that an earlier run left unsealed are taken at the word of the configuration.
    let desired = Desired {
        trusted_creators: vec![live.facts.caller.mrn.to_string()],
        elsewhere: live
            .accounts
            .values()
            .map(|account| (account.mrn.clone(), (place.elsewhere)(account)))
            .collect(),
        ..desired.clone()
    };
    let inventory = Inventory::take(&desired, &live, &seals);
    if let Task::Revoke(address) = task {
        let wanted = of_address(&live, &inventory, address);
        if wanted.is_empty() {
            return Ok(refused(None, "there is nothing to revoke".to_owned()));
        }
        let plan = revocation(&desired, &live, &inventory, &wanted);
        let approved = match approve_revocation(plan, &Acks::default()) {
            Ok(approved) => approved,
            Err(refusals) => return Ok(refused(None, human::refusals(&refusals, true))),
        };
        let outcome = apply::revoke(&approved, world, &options).await;
        return Ok(Told {
            plan: Some(approved.plan().clone()),
            outcome: Some(outcome),
            refused: String::new(),
        });
    }
    let delta = diff(&desired, &live, &inventory);
    let mut plan = build(&desired, &live, &inventory, delta);
    plan.checked_out(Checkout {
        head: Some(COMMIT.to_owned()),
        commits: [(COMMIT[..12].to_owned(), Standing::Ancestor)].into(),
    });
    let broken: Vec<String> = lint(&plan).iter().map(ToString::to_string).collect();
    if !broken.is_empty() {
        return Err(broken.join("; "));
    }
    // That all there is goes and another account comes is meant, where a story says so.
    let meant = format!("none-found={}", plan.digest());
    let acks = Acks::parse([meant.as_str()])?;
    let approved = match approve(plan.clone(), &acks, None, LocalFiles::Stay) {
        Ok(approved) => approved,
        Err(refusals) => return Ok(refused(Some(plan), human::refusals(&refusals, true))),
    };
    let outcome = apply(&approved, world, &options).await;
    Ok(Told {
        plan: Some(plan),
        outcome: Some(outcome),
        refused: String::new(),
    })
}

/// The live accounts of an address whose key may be anywhere.
fn of_address(live: &Live, inventory: &Inventory, address: &Address) -> BTreeSet<Mrn> {
    let label = address.label();
    let mine = inventory.beside(live).filter(|(_, entry)| {
        let Custody::Ours(ours) = &entry.custody else {
            return false;
        };
        let born = !matches!(ours.marks.credential, CredentialMark::Pending(_));
        born && ours.marks.address == label
    });
    mine.map(|(account, _)| account.mrn.clone()).collect()
}

/// That nothing which people or programs are told holds a key, and no run created an account twice.
pub fn said_nothing_secret(
    platform: &Platform,
    world: &World<'_>,
    told: &Told,
) -> Result<(), String> {
    let mut texts = Vec::new();
    for event in world.events.borrow().iter() {
        texts.push(format!("{event:?} {}", human::event(event)));
    }
    if let Some(plan) = &told.plan {
        texts.push(plan.canonical().to_owned());
        texts.push(human::plan(plan));
        texts.push(format!("{plan:?}"));
    }
    if let Some(outcome) = &told.outcome {
        texts.push(serde_json::to_string(outcome).map_err(|e| e.to_string())?);
        texts.push(human::outcome(outcome, &[]));
        texts.push(format!("{outcome:?}"));
    }
    texts.push(told.refused.clone());
    if let Some(text) = texts.iter().find(|text| platform.leaks(text)) {
        return Err(format!("a key stands in: {text}"));
    }
    let created = world.created.borrow();
    match created.iter().find(|(_, count)| **count > 1) {
        Some((name, count)) => Err(format!("{name} was created {count} times by one run")),
        None => Ok(()),
    }
}
