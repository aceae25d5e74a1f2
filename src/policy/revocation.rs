//! What a revocation must pass: less than any other plan, since it can only take away, and is asked for when a
//! key is in the wrong hands.
//! Pure.

use std::collections::BTreeSet;

use super::acks::{Acks, unknown_plan};
use super::guards::{MIN_OWNERS, too_few};
use super::refusal::Refusal;
use crate::plan::{Plan, disowned};

/// A revocation that may be carried out. Only [`approve_revocation`] makes one.
#[derive(Debug)]
pub struct Revocation(Plan);

impl Revocation {
    /// The plan that takes the power.
    pub fn plan(&self) -> &Plan {
        &self.0
    }
}

/// Judges the plan of a revocation: it must not stop halfway for having taken the caller's own roles, and
/// nobody is to find out afterwards that an organization has no owner any more. Limits, policies and
/// protection are about other days.
///
/// # Errors
/// Gives every guard's objection.
pub fn approve_revocation(plan: Plan, acks: &Acks) -> Result<Revocation, Vec<Refusal>> {
    let digest = plan.digest();
    let named = |ack: &str| ack == digest;
    let mut refusals: Vec<Refusal> = Vec::new();
    let caller = &plan.caller;
    let own =
        |change: &&crate::plan::Change| change.account.as_ref().is_some_and(|of| caller.owns(of));
    refusals.extend(plan.changes.iter().filter(own).map(|change| Refusal {
        guard: "own-account",
        message: format!(
            "{} is the account this run works with, and would take its own roles.",
            change.address
        ),
        help: "Run with another credential: a person's, or that of another account that may change roles \
               there."
            .to_owned(),
        apply_only: false,
        broken: None,
    }));
    let organizations: BTreeSet<_> = plan.changes.iter().filter_map(disowned).collect();
    let lifted = acks.0.get(MIN_OWNERS).is_some_and(|ack| named(ack));
    for organization in organizations.into_iter().filter(|_| !lifted) {
        // One is enough at night: somebody can make more.
        let least = plan.limits.min_owners.min(1);
        if let Some(message) = too_few(plan.annex.owners.get(organization), least) {
            refusals.push(Refusal {
                guard: MIN_OWNERS,
                message: format!("This takes ownership of organization {organization} away: {message}."),
                help: format!(
                    "Let a person own it first; or, if nobody but Mondoo's support is to own it until then, \
                     run again with --ack {MIN_OWNERS}={digest}."
                ),
                apply_only: false,
                broken: None,
            });
        }
    }
    let strange = acks.0.iter().filter(|(_, ack)| !named(ack));
    refusals.extend(strange.map(|(guard, ack)| unknown_plan(guard, ack, digest)));
    match refusals.is_empty() {
        true => Ok(Revocation(plan)),
        false => Err(refusals),
    }
}

#[cfg(test)]
mod tests;
