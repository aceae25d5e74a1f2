//! What a plan must pass before anything is written; the only way to an [`ApprovedPlan`].
//! Pure: judges the whole plan, changes nothing.

mod acks;
mod guards;
mod older;
mod refusal;
mod revocation;
mod rules;
mod subject;

use std::collections::BTreeSet;

use acks::unknown_plan;
pub use acks::{ACKNOWLEDGEABLE, Acks, RAISE, SEAL_KEY, digest};
pub use guards::{Measures, measure};
pub use older::writers;
use refusal::count;
pub use refusal::{Broken, Refusal};
pub use revocation::{Revocation, approve_revocation};
pub use rules::judge;

use crate::model::Address;
use crate::plan::{Action, Blocked, Change, Contents, Obstacle, Plan, Reason, Verdict};

/// Whether the files that an apply writes are there for somebody once it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalFiles {
    /// They are: a person sees to them, or nothing is applied.
    Stay,
    /// The machine may be gone with them, as that of a CI job.
    MayGo,
}

/// A plan that passed every guard. Only [`approve`] makes one.
#[derive(Debug)]
pub struct ApprovedPlan {
    plan: Plan,
    digest: String,
    left_out: Vec<Change>,
}

impl ApprovedPlan {
    /// The plan itself.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The digest of the plan that was judged, whatever of it was done before or is left out.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What was due and is left out, since accounts are under another seal key and births alone go on.
    pub fn left_out(&self) -> &[Change] {
        &self.left_out
    }
}

/// Judges the whole plan. If it names policies, [`judge`] must have been asked and the answer be in the
/// plan's annex; no acknowledgement lifts what they say. The annex also says how the commits that wrote
/// accounts stand to the one that is checked out ([`writers`]); where it does not, none is known. An acknowledgement counts for the plan that it
/// names and for no other, and one that names another refuses. `part_of` is the digest of the judged
/// plan of which this one is what has not moved since. `files` says what becomes of keys in files: it is
/// about the run and not about the plan.
///
/// # Errors
/// Gives every guard's objection.
pub fn approve(
    mut plan: Plan,
    acks: &Acks,
    part_of: Option<&str>,
    files: LocalFiles,
) -> Result<ApprovedPlan, Vec<Refusal>> {
    let digest = plan.digest().to_owned();
    let named = |ack: &str| ack == digest || Some(ack) == part_of;
    let lifted = |guard: &str| acks.0.get(guard).is_some_and(|ack| named(ack));
    let mut refusals = Vec::new();
    let mut left_out = Vec::new();
    let others = plan.blocked.iter().filter(|b| under_other_key(b)).count();
    if others > 0 {
        if lifted(SEAL_KEY) {
            (plan, left_out) = births_alone(plan);
        }
        if !lifted(SEAL_KEY) || plan.changes.is_empty() {
            refusals.push(other_key(&plan, others, lifted(SEAL_KEY), &digest));
        }
    }
    let blocked = plan.blocked.len() - others;
    if blocked > 0 {
        let mut settled = plan.blocked.iter().filter(|b| !under_other_key(b));
        refusals.push(Refusal {
            guard: "blocked",
            message: format!(
                "{} in the plan cannot be acted on, as listed above.",
                count(blocked, "object")
            ),
            help: "Settle each as it says, or take it out of the configuration, then plan again."
                .to_owned(),
            // A plan says what it could not read, and is a plan all the same.
            apply_only: !settled.any(|b| !matches!(b.block, Obstacle::Unread { .. })),
            broken: None,
        });
    }
    let deleted = undeclared(&plan);
    if plan.declared == 0 && deleted > 0 && !plan.meant.destroy {
        refusals.push(Refusal {
            guard: "emptied",
            message: format!(
                "The configuration declares no service account, and {} of it would be deleted.",
                count(deleted, "live account")
            ),
            help: "If that is meant, say so with `--destroy`; otherwise check that the right \
                   directory was given and that all its files are there."
                .to_owned(),
            apply_only: false,
            broken: None,
        });
    }
    for change in &plan.changes {
        if !change.touches(&plan.caller) {
            continue;
        }
        let weakened = change.privilege.loses;
        if change.action == Action::Delete || weakened {
            refusals.push(Refusal {
                guard: "own-account",
                message: format!(
                    "{} is the account this run works with, and the plan would {} it.",
                    change.address,
                    if change.action == Action::Delete {
                        "delete"
                    } else {
                        "weaken"
                    }
                ),
                help: "Run with another credential for this change.".to_owned(),
                apply_only: false,
                broken: None,
            });
        }
    }
    refusals.extend(unverified(&plan));
    refusals.extend(rules::objections(&plan, &digest));
    refusals.extend(
        guards::objections(&plan, &digest)
            .into_iter()
            .chain(raised(&plan, &digest))
            .chain(older::older_checkout(&plan, &digest))
            .chain(match files {
                LocalFiles::Stay => None,
                LocalFiles::MayGo => guards::lost_keys(&plan, &digest),
            })
            .filter(|refusal| !lifted(refusal.guard)),
    );
    let strange = acks.0.iter().filter(|(_, ack)| !named(ack));
    refusals.extend(strange.map(|(guard, ack)| unknown_plan(guard, ack, &digest)));
    if refusals.is_empty() {
        Ok(ApprovedPlan {
            plan,
            digest: part_of.map_or(digest, str::to_owned),
            left_out,
        })
    } else {
        Err(refusals)
    }
}

/// Whether an account is under the seal of a key that has not handed over to the configuration's.
fn under_other_key(blocked: &Blocked) -> bool {
    matches!(blocked.block, Obstacle::OtherKey { .. })
}

/// Takes everything but births out of a plan, and gives what was taken out. An address of which anything
/// else is due is no birth: its name may be held until that is done.
fn births_alone(plan: Plan) -> (Plan, Vec<Change>) {
    let birth = |change: &Change| change.action == Action::Create;
    let others = plan.changes.iter().filter(|change| !birth(change));
    let others: BTreeSet<&Address> = others.map(|change| &change.address).collect();
    let (changes, left_out) = (plan.changes.iter().cloned())
        .partition(|change| birth(change) && !others.contains(&change.address));
    let contents = Contents {
        changes,
        ..plan.into_contents()
    };
    (contents.settle(), left_out)
}

/// Accounts whose seal nobody who has the configuration's key can have made.
fn other_key(plan: &Plan, n: usize, acknowledged: bool, digest: &str) -> Refusal {
    let births = plan.count(Action::Create);
    Refusal {
        guard: SEAL_KEY,
        message: format!(
            "{} of this configuration {} sealed with another key than its seal_key, which that key has \
             not handed over to.",
            count(n, "account"),
            if n == 1 { "is" } else { "are" }
        ),
        help: if acknowledged || births == 0 {
            "Births alone could go on meanwhile, and the plan has none: settle it as it says above, then \
             plan again."
                .to_owned()
        } else {
            format!(
                "Settle it as it says above, then plan again; or let births go on and nothing else with \
                 --ack {SEAL_KEY}={digest}."
            )
        },
        apply_only: false,
        broken: None,
    }
}

/// How many accounts the plan deletes since nothing declares them.
fn undeclared(plan: &Plan) -> usize {
    let of_reason = |change: &&Change| {
        let reasons = [Reason::Undeclared, Reason::ScopeUndeclared];
        change.action == Action::Delete && reasons.contains(&change.reason)
    };
    plan.changes.iter().filter(of_reason).count()
}

/// A configuration that lost its key must not fall back to believing what sealed accounts say.
fn unverified(plan: &Plan) -> Option<Refusal> {
    let n = plan.annex.unverified;
    (n > 0).then(|| Refusal {
        guard: "seal",
        message: format!(
            "{} of this configuration {} sealed, and the configuration has no seal_key to check that.",
            count(n, "account"),
            if n == 1 { "is" } else { "are" }
        ),
        help: "Put back the `rolecall` block's seal_key; `rolecall docs reliability`, \"The seal\", says \
               what to do if it was never there."
            .to_owned(),
        apply_only: true,
        broken: None,
    })
}

/// Where the configuration has no seal key, marks that were moved to another account of ours look right, and "putting
/// right" its roles would give them to whoever holds its key. An account that this plan adopts was
/// named by its resource name, so no mark is believed there.
fn raised(plan: &Plan, digest: &str) -> Option<Refusal> {
    let adopted: BTreeSet<_> = plan
        .changes
        .iter()
        .filter(|change| change.action == Action::Adopt)
        .map(|change| &change.account)
        .collect();
    let raised = plan
        .changes
        .iter()
        .filter(|change| {
            change.action == Action::UpdatePermissions
                && change.privilege.verdict == Verdict::Escalation
                && !adopted.contains(&change.account)
        })
        .count();
    (!plan.sealed && raised > 0).then(|| Refusal {
        guard: RAISE,
        message: format!(
            "The plan raises the roles of {}, and without a seal_key nothing proves that \
                 each is the account this configuration created.",
            count(raised, "existing account")
        ),
        help: format!(
            "Give the configuration a seal_key (`rolecall docs reliability`, \"The seal\"); or make sure \
             that each ESCALATION above names the right account, and apply with --ack {RAISE}={digest}."
        ),
        apply_only: true,
        broken: None,
    })
}

#[cfg(test)]
mod tests;
