//! What a plan must pass before anything is written; the only way to an [`ApprovedPlan`].
//! Pure: judges the whole plan, changes nothing.

mod guards;
mod rules;
mod subject;

use std::collections::{BTreeMap, BTreeSet};

pub use guards::{Measures, measure};
pub use rules::judge;

use crate::plan::{Action, JudgedAccount, Plan, PolicyInfo, Verdict};

/// The guard of raised roles where nothing proves whose an account is.
pub const RAISE: &str = "raise";
/// The guards whose objection a person can lift for one plan.
pub const ACKNOWLEDGEABLE: [&str; 7] = [
    RAISE,
    guards::MAX_DELETES,
    guards::MAX_DELETE_PERCENT,
    guards::MAX_ESCALATIONS,
    guards::MAX_REVOKED_GRANTS,
    guards::NONE_FOUND,
    guards::MIN_OWNERS,
];
/// The fewest digits of a plan's digest that name it.
const DIGITS: usize = 12;

/// A plan that passed every guard. Only [`approve`] makes one.
#[derive(Debug)]
pub struct ApprovedPlan(Plan);

impl ApprovedPlan {
    /// The plan itself.
    pub fn plan(&self) -> &Plan {
        &self.0
    }
}

/// Why a plan must not be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The guard's name.
    pub guard: &'static str,
    /// What it found, a full sentence.
    pub message: String,
    /// The way out, a full sentence.
    pub help: String,
    /// Whether the plan itself is in order, and only this run may not apply it: an
    /// acknowledgement or a key is missing.
    pub apply_only: bool,
    /// The policy that is broken and the account that breaks it, if it is about such.
    pub broken: Option<Box<Broken>>,
}

/// A policy and an account that breaks it, or of which it cannot tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The policy.
    pub policy: PolicyInfo,
    /// The account.
    pub account: JudgedAccount,
}

/// Reads what names a plan: its digest, or at least the first digits of it.
///
/// # Errors
/// A sentence that says what a digest looks like.
pub fn digest_prefix(text: &str) -> Result<&str, String> {
    let digest = text.strip_prefix("sha256:").unwrap_or(text);
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if digest.len() < DIGITS || digest.len() > 64 || !digest.bytes().all(hex) {
        return Err(format!(
            "the digest is the plan's, at least its first {DIGITS} hexadecimal digits"
        ));
    }
    Ok(digest)
}

/// What a person has acknowledged: guards, each for the plan of one digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acks(BTreeMap<String, String>);

impl Acks {
    /// Reads `GUARD=DIGEST`s; a digest may be cut to its first digits.
    ///
    /// # Errors
    /// A sentence about the first that is not one.
    pub fn parse<'a>(given: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut acks = BTreeMap::new();
        for text in given {
            let (guard, digest) = text
                .split_once('=')
                .ok_or_else(|| format!("--ack {text}: write GUARD=DIGEST"))?;
            if !ACKNOWLEDGEABLE.contains(&guard) {
                return Err(format!(
                    "--ack {text}: no guard `{guard}` can be acknowledged; there is {}",
                    ACKNOWLEDGEABLE.join(", ")
                ));
            }
            let digest = digest_prefix(digest).map_err(|why| format!("--ack {text}: {why}"))?;
            if acks.insert(guard.to_owned(), digest.to_owned()).is_some() {
                return Err(format!("--ack {guard}=… is given twice"));
            }
        }
        Ok(Self(acks))
    }
}

/// Judges the whole plan. If it names policies, [`judge`] must have been asked and the answer be in the
/// plan's annex; no acknowledgement lifts what they say. An acknowledgement counts for the plan that it names, and for no other.
///
/// # Errors
/// Gives every guard's objection.
pub fn approve(plan: Plan, acks: &Acks) -> Result<ApprovedPlan, Vec<Refusal>> {
    let mut refusals = Vec::new();
    if !plan.blocked.is_empty() {
        refusals.push(Refusal {
            guard: "blocked",
            message: format!(
                "{} in the plan cannot be acted on; they are listed above.",
                count(plan.blocked.len(), "object")
            ),
            help: "Settle each as it says, or take it out of the configuration, then plan again."
                .to_owned(),
            apply_only: false,
            broken: None,
        });
    }
    if plan.declared == 0 && plan.managed > 0 && !plan.destroy {
        refusals.push(Refusal {
            guard: "emptied",
            message: format!(
                "The configuration declares no service account, and {} of it would be deleted.",
                count(plan.managed, "live account")
            ),
            help: "If that is meant, say so with `--destroy`; otherwise check that the right \
                   directory was given and that all its files are there."
                .to_owned(),
            apply_only: false,
            broken: None,
        });
    }
    for change in &plan.changes {
        if change.account.as_ref() != Some(&plan.caller.mrn) {
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
    refusals.extend(rules::objections(&plan));
    refusals.extend(
        guards::objections(&plan)
            .into_iter()
            .chain(raised(&plan))
            .filter(|refusal| !acknowledged(&plan, acks, refusal.guard)),
    );
    if refusals.is_empty() {
        Ok(ApprovedPlan(plan))
    } else {
        Err(refusals)
    }
}

fn acknowledged(plan: &Plan, acks: &Acks, guard: &str) -> bool {
    let digest = acks.0.get(guard);
    digest.is_some_and(|digest| plan.digest().starts_with(digest))
}

/// A run that lost its key must not fall back to believing what sealed accounts say.
fn unverified(plan: &Plan) -> Option<Refusal> {
    let n = plan.annex.unverified;
    (n > 0).then(|| Refusal {
        guard: "seal",
        message: format!(
            "{} of this configuration {} sealed, and this run has no seal key.",
            count(n, "account"),
            if n == 1 { "is" } else { "are" }
        ),
        help: "Set ROLECALL_SEAL_KEY to the key of this stack.".to_owned(),
        apply_only: true,
        broken: None,
    })
}

/// Without a seal key, marks that were moved to another account of ours look right, and "putting
/// right" its roles would give them to whoever holds its key. An account that this plan adopts was
/// named by its resource name, so no mark is believed there.
fn raised(plan: &Plan) -> impl Iterator<Item = Refusal> {
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
    (!plan.sealed && raised > 0)
        .then(|| Refusal {
            guard: RAISE,
            message: format!(
                "The plan raises the roles of {}, and without a seal key nothing proves that \
                 each is the account this configuration created.",
                count(raised, "existing account")
            ),
            help: format!(
                "Set ROLECALL_SEAL_KEY (`rolecall docs reliability`, \"The seal\"); or see that each \
                 ESCALATION above names the right account, and apply with --ack {RAISE}={}.",
                &plan.digest()[..DIGITS]
            ),
            apply_only: true,
            broken: None,
        })
        .into_iter()
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

#[cfg(test)]
mod tests;
