//! Makes a plan of differences.
//! Pure; the plan is a function of what differs and of what was read alone.

use std::collections::{BTreeMap, BTreeSet};

use super::advice::{UNPROVEN, advice, keyless, two_keys};
use super::extent::extent;
use super::neighbours::neighbours;
use super::past::past;
use super::{Annex, Change, Contents, Plan, lint};
use crate::diff::{Delta, Generation, Standing};
use crate::model::{Desired, Inventory, Live, rank};

/// Builds the plan of a delta.
pub fn build(desired: &Desired, live: &Live, inventory: &Inventory, delta: Delta) -> Plan {
    let Delta {
        differences,
        blocked,
        in_flight,
        mut left_alone,
        expired,
        mut undelivered,
        generations,
        revoked,
        notes,
        managed,
        unverified,
        sealed,
        former,
        unchanged,
    } = delta;
    let differences = differences.into_iter();
    let mut changes: Vec<Change> = differences
        .map(|difference| Change::of(difference, &desired.stack))
        .collect();
    // A blocked address is left alone as a whole: nothing is done by halves.
    let stopped: BTreeSet<_> = blocked.iter().map(|b| b.address.clone()).collect();
    changes.retain(|change| !stopped.contains(&change.address));
    // A key that is not everywhere yet is told once: what ends the rotation makes one for all places.
    undelivered.retain(|of| {
        let unfinished = |one: &Generation| matches!(one.standing, Standing::Unfinished { .. });
        !generations
            .iter()
            .any(|one| one.account == of.account && unfinished(one))
    });
    let mut advice = advice(&changes, live);
    if !sealed {
        advice.push(UNPROVEN.to_owned());
    }
    advice.extend(former.as_deref().map(two_keys));
    advice.extend(keyless(&changes));
    advice.extend(extent(desired, live, inventory));
    advice.extend(neighbours(desired, &left_alone));
    // The caller's own temporary accounts come and go with every run.
    let binding = live.facts.caller.binding.as_ref();
    left_alone.retain(|left| binding.is_none_or(|one| !one.others.contains(&left.account.mrn)));
    left_alone.sort_by(|a, b| {
        let key = |l: &crate::diff::LeftAlone| {
            (
                std::cmp::Reverse(rank(&l.account.roles)),
                l.account.scope.clone(),
                l.account.name.clone(),
                l.account.mrn.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    let past = past(&changes, live);
    let plan = Contents {
        stack: desired.stack.clone(),
        endpoint: live.facts.endpoint.clone(),
        meant: desired.meant.clone(),
        limits: desired.limits,
        policies: desired.policies.clone(),
        changes,
        blocked,
        caller: live.facts.caller.clone(),
        declared: desired.accounts.len(),
        managed,
        sealed,
        in_flight,
        annex: Annex {
            owners: BTreeMap::new(),
            past,
            left_alone,
            expired,
            undelivered,
            generations,
            revoked,
            notes,
            advice,
            unread: live.unread.clone(),
            scopes: live.scopes.clone(),
            unverified,
            unchanged,
            judgement: None,
            checkout: None,
        },
    }
    .settle();
    debug_assert!(lint(&plan).is_empty(), "{:#?}", lint(&plan));
    plan
}

#[cfg(test)]
mod tests;
