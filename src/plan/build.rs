//! Orders differences into a plan.
//! Pure; the order is a function of the differences alone.

use std::collections::{BTreeMap, BTreeSet};

use super::advice::advice;
use super::extent::extent;
use super::neighbours::neighbours;
use super::{Annex, Change, FORMAT, Plan, Privilege, Verdict};
use crate::diff::{Action, Delta, Difference, Reason};
use crate::model::{Desired, Live, Mrn, Role, rank};

/// Builds the plan of a delta. `destroy` says that emptiness is meant.
pub fn build(desired: &Desired, live: &Live, delta: Delta, destroy: bool) -> Plan {
    let Delta {
        differences,
        blocked,
        in_flight,
        mut left_alone,
        notes,
        managed,
        unverified,
        sealed,
        unchanged,
    } = delta;
    let caller = live.facts.caller.mrn.clone();
    let mut changes: Vec<Change> = differences.into_iter().map(change).collect();
    // A blocked address is left alone as a whole: nothing is done by halves.
    let stopped: BTreeSet<_> = blocked.iter().map(|b| b.address.clone()).collect();
    changes.retain(|change| !stopped.contains(&change.address));
    changes.sort_by(|a, b| order(a, &caller).cmp(&order(b, &caller)));
    let mut advice = advice(&changes, live);
    advice.extend(extent(desired, live));
    advice.extend(neighbours(desired, &left_alone));
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
    Plan {
        format: FORMAT,
        stack: desired.stack.clone(),
        endpoint: live.facts.endpoint.clone(),
        caller: live.facts.caller.clone(),
        declared: desired.accounts.len(),
        managed,
        sealed,
        limits: desired.limits,
        policies: desired.policies.clone(),
        destroy,
        changes,
        blocked,
        in_flight,
        annex: Annex {
            owners: BTreeMap::new(),
            left_alone,
            notes,
            advice,
            unread: live.unread.clone(),
            scopes: live.scopes.clone(),
            unverified,
            unchanged,
            judgement: None,
        },
    }
}

fn change(difference: Difference) -> Change {
    let Difference {
        address,
        generation,
        action,
        reason,
        scope,
        account,
        before,
        after,
        marks,
        moved_from,
        deliver_to,
        places,
    } = difference;
    let mut privilege = match action {
        // Whose it is says nothing of what it can do.
        Action::Adopt => Privilege::none(),
        Action::Move
        | Action::Create
        | Action::Update
        | Action::UpdatePermissions
        | Action::Forget
        | Action::Delete => Privilege::of(before.as_ref(), after.as_ref()),
    };
    // Who keeps an owner concerns a reviewer, though its roles stay.
    if matches!(action, Action::Adopt | Action::Forget) {
        let roles = before.iter().flat_map(|state| &state.roles);
        privilege.owner |= roles.into_iter().any(Role::owns);
    }
    Change {
        address,
        generation,
        action,
        reason,
        scope,
        account,
        before,
        after,
        marks,
        privilege,
        moved_from,
        deliver_to,
        places,
    }
}

/// The order of the work: adopt and move, reap what a dead run left, births, roles that add, updates, roles
/// that only remove, accounts given up, deletes; within a step by scope and address, the caller's own account last.
fn order<'a>(change: &'a Change, caller: &Mrn) -> impl Ord + use<'a> {
    let step = match (change.action, change.reason, change.privilege.verdict) {
        (Action::Adopt | Action::Move, ..) => 0,
        (Action::Delete, Reason::CredentialPending, _) => 1,
        (Action::Create, ..) => 2,
        (Action::UpdatePermissions, _, Verdict::Escalation | Verdict::Neutral) => 3,
        (Action::Update, ..) => 4,
        (Action::UpdatePermissions, _, Verdict::Reduction) => 5,
        (Action::Forget, ..) => 6,
        (Action::Delete, ..) => 7,
    };
    let own = change.account.as_ref() == Some(caller);
    (
        step,
        own,
        &change.scope,
        &change.address,
        change.generation,
        &change.account,
    )
}

#[cfg(test)]
mod tests;
