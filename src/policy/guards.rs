//! The guards that measure a whole plan against the configuration's limits. They count grants, and not
//! objects alone: a plan that deletes nothing can still take everything away.
//! Pure.

use std::collections::BTreeSet;

use super::refusal::{Refusal, count};
use crate::model::{Destination, DestinationId, Limits, Role, SinkKind};
use crate::plan::{Action, Change, Leaving, OwnersLeft, Plan, Reason, Verdict, disowned};

pub(super) const MAX_DELETES: &str = "max-deletes";
pub(super) const MAX_DEAD_BIRTHS: &str = "max-dead-births";
pub(super) const MAX_DELETE_PERCENT: &str = "max-delete-percent";
pub(super) const MAX_ROTATIONS: &str = "max-rotations";
pub(super) const MAX_ESCALATIONS: &str = "max-escalations";
pub(super) const MAX_GAINED_GRANTS: &str = "max-gained-grants";
pub(super) const MAX_REVOKED_GRANTS: &str = "max-revoked-grants";
pub(super) const NONE_FOUND: &str = "none-found";
pub(super) const MIN_OWNERS: &str = "min-owners";
pub(super) const LOST_KEY: &str = "lost-key";
/// No acknowledgement lifts it.
const PROTECTED: &str = "protected";

/// What a grant of each role weighs, for people.
const WEIGHTS: &str = "viewer and agent 1, specialised roles 2, editor 3, owner 4";

/// What a plan does, as the limits count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Accounts deleted, but for dead births.
    pub deletes: usize,
    /// Accounts removed that a run created before it died.
    pub dead_births: usize,
    /// Accounts given up.
    pub forgets: usize,
    /// Changes after which somebody can do more.
    pub escalations: usize,
    /// Grants given, by weight.
    pub gained: usize,
    /// Grants taken away, by weight.
    pub revoked: usize,
    /// Accounts that get a new key.
    pub rotations: usize,
}

/// Counts.
pub fn measure(plan: &Plan) -> Measures {
    let mut measures = Measures::default();
    for change in &plan.changes {
        if removes_dead_birth(change) {
            measures.dead_births += 1;
            continue;
        }
        // What another generation has taken the place of is missed by nobody.
        if change.reason == Reason::Retired {
            continue;
        }
        measures.rotations += usize::from(change.action == Action::Rotate);
        measures.deletes += usize::from(change.action == Action::Delete);
        measures.forgets += usize::from(change.action == Action::Forget);
        measures.escalations += usize::from(change.privilege.verdict == Verdict::Escalation);
        let weight = |role: &Role| usize::from(role.weight().max(1));
        measures.gained += change.privilege.gained.iter().map(weight).sum::<usize>();
        measures.revoked += change.privilege.lost.iter().map(weight).sum::<usize>();
    }
    measures
}

/// Whether a change only removes what a dead run left without power.
pub(super) fn removes_dead_birth(change: &Change) -> bool {
    change.action == Action::Delete && change.reason == Reason::CredentialPending
}

/// Every objection of these guards.
pub(super) fn objections(plan: &Plan, digest: &str) -> Vec<Refusal> {
    let Limits {
        max_deletes,
        max_dead_births,
        max_delete_percent,
        max_escalations,
        max_gained_grants,
        max_revoked_grants,
        min_owners,
        max_rotations,
    } = plan.limits;
    let measures = measure(plan);
    let Measures {
        deletes,
        dead_births,
        forgets,
        escalations,
        gained,
        revoked,
        rotations,
    } = measures;
    let mut all: Vec<Refusal> = protected(plan).collect();
    let mut object = |guard: &'static str, message: String, instead: &str| {
        all.push(Refusal {
            guard,
            message,
            help: format!("If that is meant, apply with --ack {guard}={digest}; {instead}"),
            apply_only: false,
            broken: None,
        });
    };
    let over = |n: usize, limit: u32| n > usize::try_from(limit).unwrap_or(usize::MAX);
    // An account that is given up is out of every later run's hands, as a deleted one is.
    let gone = deletes + forgets;
    let lets_go = match (deletes, forgets) {
        (_, 0) => format!("deletes {deletes}"),
        (0, _) => format!("gives up {forgets}"),
        _ => format!("deletes {deletes} and gives up {forgets}"),
    };
    if over(gone, max_deletes) {
        object(
            MAX_DELETES,
            format!(
                "The plan {lets_go} {}, and the limit is {max_deletes}.",
                if gone == 1 { "account" } else { "accounts" }
            ),
            "or raise max_deletes in the `limits` block that sets it.",
        );
    }
    if over(dead_births, max_dead_births) {
        object(
            MAX_DEAD_BIRTHS,
            format!(
                "The plan removes {} that dead runs left, and the limit is {max_dead_births}.",
                count(dead_births, "account")
            ),
            "or raise max_dead_births in the `limits` block that sets it; so many dead runs have a cause.",
        );
    }
    // To destroy everything on purpose is to delete a hundred per cent.
    let percent = gone.saturating_mul(100);
    let allowed = plan.managed.saturating_mul(max_delete_percent as usize);
    if plan.managed >= Limits::FLOOR && percent > allowed && !plan.meant.destroy {
        object(
            MAX_DELETE_PERCENT,
            format!(
                "The plan {lets_go} of {} managed accounts, more than {max_delete_percent} per \
                 cent.",
                plan.managed
            ),
            "or raise max_delete_percent in the `limits` block that sets it.",
        );
    }
    if over(escalations, max_escalations) {
        object(
            MAX_ESCALATIONS,
            format!(
                "{} of the plan would give somebody more power, and the limit is {max_escalations}.",
                count(escalations, "change")
            ),
            "or raise max_escalations in the `limits` block that sets it, or apply in parts.",
        );
    }
    if over(gained, max_gained_grants) {
        object(
            MAX_GAINED_GRANTS,
            format!(
                "The plan gives grants of weight {gained} ({WEIGHTS}), and {max_gained_grants} is \
                 allowed at once.",
            ),
            "or raise max_gained_grants in the `limits` block that sets it, or apply in parts.",
        );
    }
    if over(revoked, max_revoked_grants) {
        object(
            MAX_REVOKED_GRANTS,
            format!(
                "The plan takes away grants of weight {revoked} ({WEIGHTS}), and \
                 {max_revoked_grants} is allowed at once.",
            ),
            "or raise max_revoked_grants in the `limits` block that sets it.",
        );
    }
    if over(rotations, max_rotations) {
        object(
            MAX_ROTATIONS,
            format!(
                "The plan gives {} a new key, and the limit is {max_rotations}.",
                count(rotations, "account")
            ),
            "or raise max_rotations in the `limits` block that sets it, or name fewer at once.",
        );
    }
    let disowned: BTreeSet<_> = plan.changes.iter().filter_map(disowned).collect();
    for organization in disowned {
        if let Some(message) = too_few(plan.annex.owners.get(organization), min_owners) {
            object(
                MIN_OWNERS,
                format!("The plan takes ownership of organization {organization} away: {message}."),
                "or let somebody else own it first, or lower min_owners in the `limits` block.",
            );
        }
    }
    if let Some(message) = none_found(plan, measures) {
        object(
            NONE_FOUND,
            message,
            "otherwise see that the right configuration was given, with the right values and the \
             right stack: environments that share a directory need a stack each, and a renamed \
             block needs a `moved` block.",
        );
    }
    all
}

/// Keys that would be in files of a machine that may be gone after the run, and nowhere else: of births, and of
/// accounts whose last store is emptied. Their accounts would be live, and nobody could ever use them.
pub(super) fn lost_keys(plan: &Plan, digest: &str) -> Option<Refusal> {
    const NAMED: usize = 3;
    let lost = |change: &&Change| match change.action {
        Action::Create | Action::Rotate => change.deliver_to.iter().all(may_go),
        // Nobody needs the key of an account that is gone.
        Action::Delete => false,
        _ => loses_last_store(change, plan),
    };
    let lost: Vec<String> = (plan.changes.iter().filter(lost))
        .map(|change| change.address.to_string())
        .collect();
    let (whose, keys) = match lost.as_slice() {
        [] => return None,
        [one] => (format!("The key of {one}"), "the key"),
        some if some.len() <= NAMED => (format!("The keys of {}", some.join(", ")), "the keys"),
        many => {
            let others = many.len() - NAMED;
            let named = many[..NAMED].join(", ");
            (format!("The keys of {named} and {others} more"), "the keys")
        }
    };
    Some(Refusal {
        guard: LOST_KEY,
        message: format!(
            "{whose} would be in a file of this machine and nowhere else. Nobody is at a terminal: where \
             the machine goes, as that of a CI job does, {keys} would be lost."
        ),
        help: format!(
            "Deliver to a store too (`rolecall docs language`, sink); or, where the folder outlives the \
             machine, as a volume does, say `keep = true` in its sink; or, if a later step takes the \
             file away, apply with --ack {LOST_KEY}={digest}."
        ),
        apply_only: true,
        broken: None,
    })
}

/// Whether it is a file of this machine of which nobody says that it outlives it.
fn may_go(to: &Destination) -> bool {
    to.place().file().is_some_and(|file| !file.keep)
}

/// Whether a change removes a key from a store and leaves it nowhere but in files of this machine.
fn loses_last_store(change: &Change, plan: &Plan) -> bool {
    let stored = |leaving: &Leaving| match &leaving.place {
        Some(to) => !may_go(to),
        None => leaving.kind != SinkKind::File,
    };
    let (removed, stays): (Vec<&Leaving>, Vec<&Leaving>) =
        change.leaves.iter().partition(|leaving| leaving.removed);
    if !removed.into_iter().any(stored) || stays.into_iter().any(stored) {
        return false;
    }
    let marks = change.marks.as_ref();
    let marked = marks.and_then(|marks| marks.credential.destinations());
    let kept = |id: &&DestinationId| change.leaves.iter().all(|leaving| leaving.id != **id);
    if marked.into_iter().flatten().any(|id| kept(&id)) {
        return false;
    }
    // Before that it goes to further places, which is a change of its own.
    let same = plan.changes.iter().filter(|other| {
        let redelivers = other.action == Action::Redeliver && other.account == change.account;
        redelivers || std::ptr::eq(*other, change)
    });
    same.flat_map(|other| &other.deliver_to).all(may_go)
}

/// What was deleted under protection, whatever the reason: the comparison blocks all of that, and this
/// holds where it did not.
fn protected(plan: &Plan) -> impl Iterator<Item = Refusal> + '_ {
    let guarded = |change: &&Change| {
        let before = change.before.as_ref();
        change.action == Action::Delete
            && (before.is_some_and(|state| state.protected)
                || change.marks.as_ref().is_some_and(|marks| marks.protected))
    };
    plan.changes.iter().filter(guarded).map(|change| Refusal {
        guard: PROTECTED,
        message: format!(
            "The plan deletes {}, and a mark on it forbids that.",
            change.address
        ),
        help: "Declare it with lifecycle { prevent_destroy = false } and apply, then remove it."
            .to_owned(),
        apply_only: false,
        broken: None,
    })
}

/// Why a plan looks as if it were made of another configuration than the one that is live.
fn none_found(plan: &Plan, measures: Measures) -> Option<String> {
    let births = plan.count(Action::Create);
    // What is taken over was no account of this stack either.
    let adopted = plan.count(Action::Adopt);
    if plan.declared == 0 || births + adopted == 0 {
        return None;
    }
    // What is still being born, or died at it, does no work yet that somebody would miss.
    let live = plan
        .managed
        .saturating_sub(measures.dead_births + plan.in_flight.len());
    if births == plan.declared && live > plan.declared {
        return Some(format!(
            "None of the declared accounts is live, and {} of this stack are, of which none is \
             declared.",
            count(live, "account")
        ));
    }
    let unmanaged = |change: &&Change| change.reason == Reason::Unmanaged;
    let strangers = plan.changes.iter().filter(unmanaged).count();
    let gone = (measures.deletes + measures.forgets).saturating_sub(strangers);
    (gone > 0 && gone >= live).then(|| {
        format!(
            "The plan lets go of all that is live of this stack, {}, and {}.",
            count(gone, "account"),
            instead(births, adopted)
        )
    })
}

/// What comes in the place of all that goes; a clause.
fn instead(births: usize, adopted: usize) -> String {
    let others = |n: usize| match n {
        1 => "another one".to_owned(),
        n => format!("{n} others"),
    };
    match (births, adopted) {
        (_, 0) => format!("creates {}", others(births)),
        (0, _) => format!("adopts {}", others(adopted)),
        _ => format!("creates {} and adopts {}", others(births), others(adopted)),
    }
}

/// Why the owners that are left are too few, or not known to be enough; a clause.
pub(super) fn too_few(left: Option<&OwnersLeft>, wanted: u32) -> Option<String> {
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let Some(OwnersLeft { accounts, people }) = left else {
        return (wanted > 0).then(|| "nobody asked who else owns it".to_owned());
    };
    if *accounts >= wanted {
        return None;
    }
    let accounts_left = count(*accounts, "service account");
    match people {
        Ok(people) if accounts + people >= wanted => None,
        Ok(people) => Some(format!(
            "{accounts_left} and {} own it then, and {} wanted",
            match people {
                1 => "1 person".to_owned(),
                n => format!("{n} people"),
            },
            match wanted {
                1 => "one owner is".to_owned(),
                n => format!("{n} owners are"),
            }
        )),
        Err(why) => Some(format!(
            "{accounts_left} own it then, and which people do could not be read ({why})"
        )),
    }
}
