//! What a plan must pass before anything is written; the only way to an [`ApprovedPlan`].
//! Pure: judges the whole plan, changes nothing.

mod guards;
mod rules;
mod subject;

use std::collections::{BTreeMap, BTreeSet};

pub use guards::{Measures, measure};
pub use rules::judge;

use crate::plan::{
    Action, Block, Blocked, Change, JudgedAccount, Plan, PolicyInfo, Reason, Verdict,
};

/// The guard of raised roles where nothing proves whose an account is.
pub const RAISE: &str = "raise";
/// The guards whose objection a person can lift for one plan.
pub const ACKNOWLEDGEABLE: [&str; 8] = [
    RAISE,
    guards::MAX_DELETES,
    guards::MAX_DELETE_PERCENT,
    guards::MAX_ESCALATIONS,
    guards::MAX_GAINED_GRANTS,
    guards::MAX_REVOKED_GRANTS,
    guards::NONE_FOUND,
    guards::MIN_OWNERS,
];
/// The digits of a plan's digest. Fewer do not name it: whoever writes the configuration can find two
/// plans whose digests begin with the same twelve digits in minutes, one to be judged and one to be
/// applied.
const DIGITS: usize = 64;

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

/// Reads what names a plan: its digest, with or without `sha256:` before it.
///
/// # Errors
/// A sentence that says what a digest looks like.
pub fn digest(text: &str) -> Result<&str, String> {
    let digest = text.strip_prefix("sha256:").unwrap_or(text);
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if digest.len() != DIGITS || !digest.bytes().all(hex) {
        return Err(format!(
            "a plan is named by its whole digest, {DIGITS} hexadecimal digits, as `Plan digest:` shows it"
        ));
    }
    Ok(digest)
}

/// What a person has acknowledged: guards, each for the plan of one digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acks(BTreeMap<String, String>);

impl Acks {
    /// Reads `GUARD=DIGEST`s.
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
                let spelled = guard.replace('_', "-");
                let instead = if ACKNOWLEDGEABLE.contains(&spelled.as_str()) {
                    format!("it is `{spelled}`")
                } else {
                    format!("there is {}", ACKNOWLEDGEABLE.join(", "))
                };
                return Err(format!(
                    "--ack {text}: no guard `{guard}` can be acknowledged; {instead}"
                ));
            }
            let digest = self::digest(digest).map_err(|why| format!("--ack {text}: {why}"))?;
            if acks.insert(guard.to_owned(), digest.to_owned()).is_some() {
                return Err(format!("--ack {guard}=… is given twice"));
            }
        }
        Ok(Self(acks))
    }
}

/// Judges the whole plan. If it names policies, [`judge`] must have been asked and the answer be in the
/// plan's annex; no acknowledgement lifts what they say. An acknowledgement counts for the plan that it
/// names and for no other, and one that names another refuses. `part_of` is the digest of the judged
/// plan of which this one is what has not moved since.
///
/// # Errors
/// Gives every guard's objection.
pub fn approve(
    plan: Plan,
    acks: &Acks,
    part_of: Option<&str>,
) -> Result<ApprovedPlan, Vec<Refusal>> {
    let digest = plan.digest();
    let named = |ack: &str| ack == digest || Some(ack) == part_of;
    let mut refusals = Vec::new();
    if !plan.blocked.is_empty() {
        let unread = |blocked: &Blocked| matches!(blocked.block, Block::Unread { .. });
        refusals.push(Refusal {
            guard: "blocked",
            message: format!(
                "{} in the plan cannot be acted on; they are listed above.",
                count(plan.blocked.len(), "object")
            ),
            help: "Settle each as it says, or take it out of the configuration, then plan again."
                .to_owned(),
            // A plan says what it could not read, and is a plan all the same.
            apply_only: plan.blocked.iter().all(unread),
            broken: None,
        });
    }
    let deleted = undeclared(&plan);
    if plan.declared == 0 && deleted > 0 && !plan.destroy {
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
    refusals.extend(rules::objections(&plan, &digest));
    refusals.extend(
        guards::objections(&plan, &digest)
            .into_iter()
            .chain(raised(&plan, &digest))
            .filter(|refusal| !acks.0.get(refusal.guard).is_some_and(|ack| named(ack))),
    );
    let strange = acks.0.iter().filter(|(_, ack)| !named(ack));
    refusals.extend(strange.map(|(guard, ack)| unknown_plan(guard, ack, &digest)));
    if refusals.is_empty() {
        Ok(ApprovedPlan(plan))
    } else {
        Err(refusals)
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

/// Whoever acknowledged something had another plan in mind, and does not know this one.
fn unknown_plan(guard: &str, ack: &str, digest: &str) -> Refusal {
    Refusal {
        guard: "ack",
        message: format!(
            "--ack {guard} names the plan sha256:{ack}, and this one is sha256:{digest}."
        ),
        help: "Read this plan, then acknowledge it by its own digest, or leave --ack out."
            .to_owned(),
        apply_only: true,
        broken: None,
    }
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
            "The plan raises the roles of {}, and without a seal key nothing proves that \
                 each is the account this configuration created.",
            count(raised, "existing account")
        ),
        help: format!(
            "Set ROLECALL_SEAL_KEY (`rolecall docs reliability`, \"The seal\"); or see that each \
                 ESCALATION above names the right account, and apply with --ack {RAISE}={digest}."
        ),
        apply_only: true,
        broken: None,
    })
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
