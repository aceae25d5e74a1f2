//! What a plan must pass before anything is written; the only way to an [`ApprovedPlan`].
//! Pure: judges the whole plan, changes nothing.

use crate::plan::{Action, Plan};

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
}

/// Judges the whole plan.
///
/// # Errors
/// Gives every guard's objection.
pub fn approve(plan: Plan) -> Result<ApprovedPlan, Vec<Refusal>> {
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
            });
        }
    }
    if refusals.is_empty() {
        Ok(ApprovedPlan(plan))
    } else {
        Err(refusals)
    }
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
