//! What moved between the plan that was judged and the plan that is due now.
//! Pure and total: no difference, no digest that differs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Block, Blocked, Change, Plan};
use crate::model::{AccountState, Address, Limits, Mrn, PolicyOrigin, PolicyRef, Role, Scope};

/// One thing that is not as it was judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moved {
    /// The account it is about; `None` for the plan as a whole.
    pub address: Option<Address>,
    /// What moved, a sentence without an end.
    pub what: String,
    /// Whether it is for whom, where or by whom the plan was made.
    of_another: bool,
}

impl Moved {
    /// Whether the rest of the plan may go on without what moved.
    pub fn can_be_left_out(&self) -> bool {
        !self.of_another
    }
}

type Key<'a> = (&'a Address, u32, Action, Option<&'a Mrn>);

fn keys(plan: &Plan) -> BTreeMap<Key<'_>, &Change> {
    let changes = plan.changes.iter();
    changes
        .map(|c| ((&c.address, c.generation, c.action, c.account.as_ref()), c))
        .collect()
}

/// Compares the judged plan with the present one. Empty exactly if their digests are equal.
pub fn compare(judged: &Plan, now: &Plan) -> Vec<Moved> {
    let mut moved = whole(judged, now);
    let (old, new) = (keys(judged), keys(now));
    let about = |change: &Change, what: String| Moved {
        address: Some(change.address.clone()),
        what: format!("{}: {what}", change.action.as_str()),
        of_another: false,
    };
    for (key, change) in &old {
        match new.get(key) {
            None => moved.push(about(change, "judged, and not due any more".to_owned())),
            Some(other) if change != other => moved.extend(
                differences(change, other)
                    .into_iter()
                    .map(|what| about(change, what)),
            ),
            Some(_) => {}
        }
    }
    for (key, change) in &new {
        if !old.contains_key(key) {
            let live = change.before.as_ref().map_or_else(String::new, |before| {
                format!("; its live roles are [{}]", roles(before))
            });
            moved.push(about(change, format!("due now, and not judged{live}")));
        }
    }
    let settled = |what: &str, address: &Address| Moved {
        address: Some(address.clone()),
        what: what.to_owned(),
        of_another: false,
    };
    let (before, after) = (obstacles(judged), obstacles(now));
    for blocked in &judged.blocked {
        if !after.contains(&obstacle(blocked)) {
            moved.push(settled(
                "what stood in its way has changed",
                &blocked.address,
            ));
        }
    }
    for blocked in &now.blocked {
        if !before.contains(&obstacle(blocked)) {
            moved.push(settled("something stands in its way", &blocked.address));
        }
    }
    let flying = |plan: &Plan| -> BTreeSet<(Address, Mrn)> {
        let pairs = plan.in_flight.iter();
        pairs
            .map(|f| (f.address.clone(), f.account.clone()))
            .collect()
    };
    for (address, _) in flying(judged).symmetric_difference(&flying(now)) {
        moved.push(settled(
            "its birth in another run has begun or ended",
            address,
        ));
    }
    if moved.is_empty() && judged.digest() != now.digest() {
        // The order alone differs, or a part that nothing above compares.
        moved.push(Moved {
            address: None,
            what: "the order or the number of its changes is another".to_owned(),
            of_another: true,
        });
    }
    moved.sort();
    moved.dedup();
    moved
}

/// An obstacle without the place of its declaration.
fn obstacle(blocked: &Blocked) -> (&Address, &Scope, &Block) {
    (&blocked.address, &blocked.scope, &blocked.block)
}

fn obstacles(plan: &Plan) -> BTreeSet<(&Address, &Scope, &Block)> {
    plan.blocked.iter().map(obstacle).collect()
}

/// What differs besides the changes.
fn whole(judged: &Plan, now: &Plan) -> Vec<Moved> {
    let Plan {
        format,
        stack,
        endpoint,
        caller,
        declared,
        managed,
        sealed,
        limits,
        policies,
        destroy,
        changes: _,
        blocked: _,
        in_flight: _,
        annex: _,
    } = judged;
    let mut moved = Vec::new();
    let mut say = |same: bool, of_another: bool, what: String| {
        if !same {
            moved.push(Moved {
                address: None,
                what,
                of_another,
            });
        }
    };
    say(
        *format == now.format,
        true,
        format!("the plan's format was {format} and is {}", now.format),
    );
    say(
        *stack == now.stack,
        true,
        format!(
            "it was judged for the stack {stack}, and this is {}",
            now.stack
        ),
    );
    say(
        *endpoint == now.endpoint,
        true,
        format!(
            "it was judged against {endpoint}, and this is {}",
            now.endpoint
        ),
    );
    say(
        caller.mrn == now.caller.mrn,
        true,
        format!(
            "{} planned it, and this run is {}",
            caller.mrn, now.caller.mrn
        ),
    );
    say(
        *destroy == now.destroy,
        true,
        "one of them destroys everything on purpose, and the other does not".to_owned(),
    );
    say(
        *sealed == now.sealed,
        true,
        "one of them was made with a seal key, and the other without".to_owned(),
    );
    for what in limits_moved(*limits, now.limits) {
        say(false, true, what);
    }
    for what in policies_moved(policies, &now.policies) {
        say(false, true, what);
    }
    say(
        *declared == now.declared,
        false,
        format!(
            "{declared} accounts were declared, and now {}",
            now.declared
        ),
    );
    say(
        *managed == now.managed,
        false,
        format!(
            "{managed} live accounts were this stack's, and now {}",
            now.managed
        ),
    );
    moved
}

/// Which policies were added, taken away or changed.
fn policies_moved(judged: &[PolicyRef], now: &[PolicyRef]) -> Vec<String> {
    let key = |policy: &PolicyRef| (policy.origin, policy.name.clone());
    let shown = |policy: &PolicyRef| match policy.origin {
        PolicyOrigin::Configuration => format!("the policy {}", policy.name),
        PolicyOrigin::PolicyDir => format!("the policy {} of the policy directory", policy.name),
    };
    let mut moved = Vec::new();
    for policy in judged {
        if now.contains(policy) {
            continue;
        }
        let changed = now.iter().any(|other| key(other) == key(policy));
        let how = if changed {
            "has changed"
        } else {
            "is not there any more"
        };
        moved.push(format!("{} {how}", shown(policy)));
    }
    for policy in now {
        if !judged.iter().any(|other| key(other) == key(policy)) {
            moved.push(format!("{} is new", shown(policy)));
        }
    }
    if moved.is_empty() && judged != now {
        moved.push("the policies are not those of then".to_owned());
    }
    moved
}

fn roles(state: &AccountState) -> String {
    let names: Vec<&str> = state.roles.iter().map(Role::short).collect();
    names.join(", ")
}

/// Which limits differ, and how.
fn limits_moved(judged: Limits, now: Limits) -> Vec<String> {
    let pairs = |limits: Limits| {
        let Limits {
            max_deletes,
            max_reaped,
            max_delete_percent,
            max_escalations,
            max_gained_grants,
            max_revoked_grants,
            min_owners,
        } = limits;
        [
            ("max_deletes", max_deletes),
            ("max_reaped", max_reaped),
            ("max_delete_percent", max_delete_percent),
            ("max_escalations", max_escalations),
            ("max_gained_grants", max_gained_grants),
            ("max_revoked_grants", max_revoked_grants),
            ("min_owners", min_owners),
        ]
    };
    let both = pairs(judged).into_iter().zip(pairs(now));
    both.filter(|(old, new)| old != new)
        .map(|((name, old), (_, new))| {
            format!("the limit {name} was {old} and is {new}; a policy directory may set it, too")
        })
        .collect()
}

/// Which sides of one change moved.
fn differences(judged: &Change, now: &Change) -> Vec<String> {
    let Change {
        address: _,
        generation: _,
        action: _,
        reason,
        scope,
        account: _,
        before,
        after,
        marks,
        privilege,
        moved_from,
        deliver_to,
        places: _,
    } = judged;
    let mut sides = Vec::new();
    if *before != now.before {
        sides.push(match (before, &now.before) {
            (Some(old), Some(new)) if old.roles != new.roles => {
                format!(
                    "its live roles were [{}] and are [{}]",
                    roles(old),
                    roles(new)
                )
            }
            _ => "what is live has changed".to_owned(),
        });
    }
    if *marks != now.marks {
        sides.push("its marks have changed".to_owned());
    }
    if *after != now.after {
        sides.push("what is wanted has changed".to_owned());
    }
    if *moved_from != now.moved_from {
        sides.push("it comes from another address".to_owned());
    }
    if *deliver_to != now.deliver_to {
        sides.push("its key goes elsewhere".to_owned());
    }
    if *scope != now.scope {
        sides.push("its scope has changed".to_owned());
    }
    if *reason != now.reason {
        sides.push("the reason is another".to_owned());
    }
    // It follows from the rest, unless somebody wrote it by hand.
    if sides.is_empty() && *privilege != now.privilege {
        sides.push("what it means for power is told otherwise".to_owned());
    }
    sides
}

/// Keeps, of the plan that is due now, what is identical in the judged one. Of an account of which
/// anything moved, nothing is done. Gives the plan and what was left out.
pub fn keep_judged(judged: &Plan, now: Plan) -> (Plan, Vec<Moved>) {
    let moved = compare(judged, &now);
    let unsettled: BTreeSet<&Address> = moved.iter().filter_map(|m| m.address.as_ref()).collect();
    let mut kept = now;
    kept.changes.retain(|c| !unsettled.contains(&c.address));
    (kept, moved)
}

#[cfg(test)]
mod tests;
