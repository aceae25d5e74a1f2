//! What moved between the plan that was reviewed and the plan that is due now.
//! Pure and total: no difference, no digest that differs.

use std::collections::{BTreeMap, BTreeSet};

use super::canonical::NamedObstacle;
use super::{Action, Annex, Change, Contents, Plan, Reason};
use crate::diff::Difference;
use crate::model::{
    AccountState, Address, Caller, Destination, Limits, Meant, Mrn, Nonce, PolicyOrigin, PolicyRef,
    Renewal, Role, Scope, StackId,
};

/// Scopes that only one of two plans could read and that are told one by one.
const TOLD: usize = 5;

/// One thing that is not as it was reviewed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moved {
    /// The account it is about; `None` for the plan as a whole.
    pub address: Option<Address>,
    /// What moved, a sentence without an end.
    pub what: String,
    /// Whether the plan as a whole is another: of another stack, place, meaning or measure.
    of_another: bool,
    /// The change that was reviewed and is not due, if that is what it says.
    pub(super) not_due: Option<KeyOf>,
}

impl Moved {
    /// Whether the rest of the plan may go on without what moved.
    pub fn can_be_left_out(&self) -> bool {
        !self.of_another
    }
}

/// What names one of an address' changes: generation, action and account.
pub(super) type KeyOf = (u32, Action, Option<Mrn>);

pub(super) fn key_of(change: &Change) -> KeyOf {
    (change.generation, change.action, change.account.clone())
}

type Key<'a> = (&'a Address, u32, Action, Option<&'a Mrn>);

fn keys(plan: &Plan) -> BTreeMap<Key<'_>, &Change> {
    let changes = plan.changes.iter();
    changes
        .map(|c| ((&c.address, c.generation, c.action, c.account.as_ref()), c))
        .collect()
}

/// Compares the reviewed plan with the present one. Empty exactly if their digests are equal.
pub fn compare(reviewed: &Plan, now: &Plan) -> Vec<Moved> {
    if reviewed.digest() == now.digest() {
        return Vec::new();
    }
    let mut moved = whole(reviewed, now);
    let (old, new) = (keys(reviewed), keys(now));
    let about = |change: &Change, what: String| Moved {
        address: Some(change.address.clone()),
        what: format!("{}: {what}", change.action.as_str()),
        of_another: false,
        not_due: None,
    };
    for (key, change) in &old {
        match new.get(key) {
            None => {
                let spared = spared(change, &now.caller);
                moved.push(Moved {
                    not_due: Some(key_of(change)),
                    ..about(change, format!("reviewed, and not due any more{spared}"))
                });
            }
            Some(other) => moved.extend(
                differences(change, other)
                    .into_iter()
                    .map(|what| about(change, what)),
            ),
        }
    }
    for (key, change) in &new {
        if !old.contains_key(key) {
            let live = change.before.as_ref().map_or_else(String::new, |before| {
                format!("; its live roles are [{}]", roles(before))
            });
            let spared = spared(change, &reviewed.caller);
            moved.push(about(
                change,
                format!("due now, and not reviewed{live}{spared}"),
            ));
        }
    }
    let settled = |what: &str, obstacle: &NamedObstacle, caller: &Caller| {
        let hint = match obstacle.is_unmanaged(caller) {
            true => SPARED,
            false => "",
        };
        Moved {
            address: Some(obstacle.address.clone()),
            what: format!("{what}{hint}"),
            of_another: false,
            not_due: None,
        }
    };
    let obstacles = |plan: &Plan| -> BTreeSet<NamedObstacle> {
        NamedObstacle::all(&plan.blocked).into_iter().collect()
    };
    let (before, after) = (obstacles(reviewed), obstacles(now));
    for gone in before.difference(&after) {
        let what = "what stood in its way has changed";
        moved.push(settled(what, gone, &now.caller));
    }
    for new in after.difference(&before) {
        moved.push(settled(
            "something stands in its way",
            new,
            &reviewed.caller,
        ));
    }
    moved.extend(unread(&reviewed.annex, &now.annex));
    if moved.is_empty() {
        // The number of equal parts alone, or a part that nothing above compares.
        moved.push(Moved {
            address: None,
            what: "the number or the form of its parts is another".to_owned(),
            of_another: true,
            not_due: None,
        });
    }
    moved.sort();
    moved.dedup();
    moved
}

/// Why an `unmanaged` block has its way with an account in one of two plans alone.
const SPARED: &str = "; one of both runs works with this account, and the other does not: name it in the \
                      `except` of the unmanaged block, or in trusted_creators";

/// Why only one of two plans deletes an account that nobody has marked, if that is who made it.
fn spared(change: &Change, caller: &Caller) -> String {
    if change.reason != Reason::Unmanaged || !change.touches(caller) {
        return String::new();
    }
    SPARED.to_owned()
}

/// What only one of two plans that differ could read: why they may. The reason is told of this run
/// alone, since that of the other is not covered by its digest.
fn unread(reviewed: &Annex, now: &Annex) -> Vec<Moved> {
    // A plan that travels with nothing beside it names what it could not read alone.
    let bare = reviewed.scopes.is_empty();
    let only = |one: &Annex, other: &Annex| -> Vec<Scope> {
        let missing = |scope: &&Scope| match bare {
            true => one.unread.contains_key(*scope) && !other.unread.contains_key(*scope),
            false => !one.scopes.contains_key(*scope),
        };
        let scopes = match bare {
            true => one.unread.keys().collect::<Vec<_>>(),
            false => other.scopes.keys().collect(),
        };
        scopes.into_iter().filter(missing).cloned().collect()
    };
    let mut moved = Vec::new();
    for (who, scopes) in [
        ("the reviewed plan", only(reviewed, now)),
        ("this run", only(now, reviewed)),
    ] {
        for scope in scopes.iter().take(TOLD) {
            let why = match now.unread.get(scope) {
                Some(unread) => format!(" ({})", unread.why),
                None => String::new(),
            };
            moved.push(format!("{who} could not read {scope}{why}"));
        }
        let more = scopes.len().saturating_sub(TOLD);
        if more > 0 {
            moved.push(format!(
                "{who} could not read {more} more of the other's scopes"
            ));
        }
    }
    let about_all = |what: String| Moved {
        address: None,
        what,
        of_another: false,
        not_due: None,
    };
    moved.into_iter().map(about_all).collect()
}

/// What differs besides the changes.
fn whole(reviewed: &Plan, now: &Plan) -> Vec<Moved> {
    let Contents {
        stack,
        endpoint,
        meant,
        limits,
        policies,
        // Compared one by one.
        changes: _,
        blocked: _,
        // Beside the digest.
        caller: _,
        declared: _,
        managed: _,
        sealed: _,
        in_flight: _,
        annex: _,
    } = &reviewed.contents;
    let mut moved = Vec::new();
    if *stack != now.stack {
        moved.push(format!(
            "it was made for the stack {stack}, and this is {}",
            now.stack
        ));
    }
    if *endpoint != now.endpoint {
        moved.push(format!(
            "it was made against {endpoint}, and this is {}",
            now.endpoint
        ));
    }
    moved.extend(meant_moved(meant, &now.meant));
    moved.extend(limits_moved(*limits, now.limits));
    moved.extend(policies_moved(policies, &now.policies));
    let of_another = |what: String| Moved {
        address: None,
        what,
        of_another: true,
        not_due: None,
    };
    moved.into_iter().map(of_another).collect()
}

/// What was meant with one of both, and not with the other.
fn meant_moved(reviewed: &Meant, now: &Meant) -> Vec<String> {
    let Meant {
        destroy,
        take_over,
        accept_unsealed,
        renewal,
        resume,
    } = reviewed;
    let flag = |name: &str, before: bool, after: bool| match (before, after) {
        (true, false) => Some(format!("it was made with {name}, and this run is without")),
        (false, true) => Some(format!(
            "it was made without {name}, and this run is with it"
        )),
        (true, true) | (false, false) => None,
    };
    let Renewal { of, due, alone } = renewal;
    let named: BTreeSet<&Address> = of.union(&now.renewal.of).collect();
    let named = named.into_iter().map(|address| {
        let (before, after) = (of.contains(address), now.renewal.of.contains(address));
        flag(&format!("a new key asked for {address}"), before, after)
    });
    let named: Vec<_> = named.collect();
    let stacks: BTreeSet<&StackId> = take_over.union(&now.take_over).collect();
    let taken = stacks.into_iter().map(|stack| {
        flag(
            &format!("--take-over {stack}"),
            take_over.contains(stack),
            now.take_over.contains(stack),
        )
    });
    let births: BTreeSet<&Nonce> = resume.union(&now.resume).collect();
    let resumed = births.into_iter().map(|nonce| {
        flag(
            &format!("--resume={}", nonce.as_str()),
            resume.contains(nonce),
            now.resume.contains(nonce),
        )
    });
    [
        flag("--destroy", *destroy, now.destroy),
        flag("--accept-unsealed", *accept_unsealed, now.accept_unsealed),
        flag(
            "`rotate`, which does nothing else,",
            *alone,
            now.renewal.alone,
        ),
        flag("--due", *due, now.renewal.due),
    ]
    .into_iter()
    .chain(named)
    .chain(taken)
    .chain(resumed)
    .flatten()
    .collect()
}

/// Which policies were added, taken away or changed.
fn policies_moved(reviewed: &[PolicyRef], now: &[PolicyRef]) -> Vec<String> {
    let key = |policy: &PolicyRef| (policy.origin, policy.name.clone());
    let shown = |policy: &PolicyRef| match policy.origin {
        PolicyOrigin::Configuration => format!("the policy {}", policy.name),
        PolicyOrigin::PolicyDir => format!("the policy {} of the policy directory", policy.name),
    };
    let mut moved = Vec::new();
    for policy in reviewed {
        if now.contains(policy) {
            continue;
        }
        let changed = now.iter().any(|other| key(other) == key(policy));
        let how = if changed {
            "has changed"
        } else {
            "is not there any more"
        };
        moved.push(format!(
            "it was judged by other policies: {} {how}",
            shown(policy)
        ));
    }
    for policy in now {
        if !reviewed.iter().any(|other| key(other) == key(policy)) {
            moved.push(format!(
                "it was judged by other policies: {} is new",
                shown(policy)
            ));
        }
    }
    if moved.is_empty() && reviewed != now {
        moved.push("it was judged by other policies: their order is another".to_owned());
    }
    moved
}

fn roles(state: &AccountState) -> String {
    let names: Vec<&str> = state.roles.iter().map(Role::short).collect();
    names.join(", ")
}

/// Which limits differ, and how.
fn limits_moved(reviewed: Limits, now: Limits) -> Vec<String> {
    let pairs = |limits: Limits| {
        let Limits {
            max_deletes,
            max_dead_births,
            max_delete_percent,
            max_escalations,
            max_gained_grants,
            max_revoked_grants,
            min_owners,
            max_rotations,
        } = limits;
        [
            ("max_deletes", max_deletes),
            ("max_dead_births", max_dead_births),
            ("max_delete_percent", max_delete_percent),
            ("max_escalations", max_escalations),
            ("max_gained_grants", max_gained_grants),
            ("max_revoked_grants", max_revoked_grants),
            ("min_owners", min_owners),
            ("max_rotations", max_rotations),
        ]
    };
    let both = pairs(reviewed).into_iter().zip(pairs(now));
    both.filter(|(old, new)| old != new)
        .map(|((name, old), (_, new))| {
            format!(
                "it was made under other limits: {name} was {old} and is {new}; a policy directory may set \
                 it, too"
            )
        })
        .collect()
}

/// Which sides of one change moved.
pub(super) fn differences(reviewed: &Change, now: &Change) -> Vec<String> {
    let Change {
        what:
            Difference {
                address: _,
                generation: _,
                action: _,
                reason,
                scope,
                account: _,
                before,
                after,
                marks: _,
                moved_from,
                deliver_to,
                key_from,
                leaves,
                predecessors,
                places: _,
            },
        // They follow from the rest.
        step: _,
        waits: _,
        privilege: _,
        taken_from,
    } = reviewed;
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
    if *after != now.after {
        sides.push("what is wanted has changed".to_owned());
    }
    if *moved_from != now.moved_from {
        sides.push("it comes from another address".to_owned());
    }
    if *taken_from != now.taken_from {
        sides.push("the stack whose marks it carries is another".to_owned());
    }
    if *deliver_to != now.deliver_to {
        let ids = |places: &[Destination]| places.iter().map(Destination::id).collect::<Vec<_>>();
        sides.push(if ids(deliver_to) == ids(&now.deliver_to) {
            "what is said of where its key goes has changed".to_owned()
        } else {
            "its key goes elsewhere".to_owned()
        });
    }
    if *key_from != now.key_from {
        sides.push("its key is read elsewhere".to_owned());
    }
    if *leaves != now.leaves {
        sides.push("what becomes of its key where it leaves is another".to_owned());
    }
    if *predecessors != now.predecessors {
        sides.push("the generations before it, or where their keys are, have changed".to_owned());
    }
    if *scope != now.scope {
        sides.push("its scope has changed".to_owned());
    }
    if *reason != now.reason {
        sides.push("the reason is another".to_owned());
    }
    sides
}

/// Keeps, of the plan that is due now, what did not move. Of an account of which anything moved, nothing
/// is done.
pub fn without_moved(now: Plan, moved: &[Moved]) -> Plan {
    let unsettled: BTreeSet<&Address> = moved.iter().filter_map(|m| m.address.as_ref()).collect();
    let mut kept = now.into_contents();
    kept.changes.retain(|c| !unsettled.contains(&c.address));
    kept.settle()
}

#[cfg(test)]
mod tests;
