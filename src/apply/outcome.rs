//! How every change of a plan ended.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Address, Destination, Mrn};
use crate::plan::{Action, Change};

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeResult {
    /// It is done, and was seen to be done.
    Done,
    /// What is live had moved since the plan; nothing was written.
    Stale,
    /// What a place holds is not what the change rests on; nothing was written for it.
    Refused,
    /// It was refused or could not be finished; what is left is safe.
    Failed,
    /// Nobody can tell whether it happened.
    Unknown,
    /// A destination did not take the key; the account was removed again.
    Undelivered,
    /// It depends on a change that did not end well.
    Skipped,
    /// The run stopped before it.
    NotAttempted,
}

impl ChangeResult {
    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Undelivered => "undelivered",
            Self::Skipped => "skipped",
            Self::NotAttempted => "not-attempted",
        }
    }
}

/// One change and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeOutcome {
    /// The account's name in the configuration.
    pub address: Address,
    /// Counts the credentials of one address.
    pub generation: u32,
    /// What was to be done.
    pub action: Action,
    /// How it ended.
    pub result: ChangeResult,
    /// A fragment that says more; empty where there is no more to say.
    pub detail: String,
    /// The account, as far as it is known.
    pub account: Option<Mrn>,
    /// Where the key was delivered.
    pub delivered_to: Vec<Destination>,
}

impl ChangeOutcome {
    /// An outcome of a change that issued no key.
    pub fn new(change: &Change, result: ChangeResult, detail: String) -> Self {
        Self {
            address: change.address.clone(),
            generation: change.generation,
            action: change.action,
            result,
            detail,
            account: change.account.clone(),
            delivered_to: Vec::new(),
        }
    }
}

/// How a plan ended: one result for each of its changes, in the plan's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// One for each change.
    pub results: Vec<ChangeOutcome>,
    /// Births under way elsewhere that were left alone.
    pub in_flight: usize,
    /// Changes that wait for a person, since nobody can read what a run that did not end may have written.
    pub held: usize,
    /// Whether anything was written, or may have been.
    pub written: bool,
    /// Whether the run was asked to stop before it was done.
    pub interrupted: bool,
}

impl Outcome {
    /// Whether every change is done and nothing was left alone.
    pub fn complete(&self) -> bool {
        self.in_flight == 0 && self.results.iter().all(|r| r.result == ChangeResult::Done)
    }

    /// How many changes ended each way.
    pub fn counts(&self) -> BTreeMap<ChangeResult, usize> {
        let mut counts = BTreeMap::new();
        for outcome in &self.results {
            *counts.entry(outcome.result).or_default() += 1;
        }
        counts
    }
}

/// What happened to a change, a fragment: `created`, `failed to delete: …`.
pub fn sentence(action: Action, result: ChangeResult, detail: &str) -> String {
    let (infinitive, participle) = match action {
        Action::Adopt => ("adopt", "adopted"),
        Action::Move => ("move", "moved"),
        Action::Create => ("create", "created"),
        Action::Update => ("update", "updated"),
        Action::UpdatePermissions => ("update permissions", "permissions updated"),
        Action::Redeliver => (
            "deliver its key to further places",
            "key delivered to further places",
        ),
        Action::Rotate => ("rotate", "rotated"),
        Action::Forget => ("forget", "forgotten"),
        Action::Delete => ("delete", "deleted"),
    };
    let head = match result {
        ChangeResult::Done => participle.to_owned(),
        ChangeResult::Stale => format!("stale, did not {infinitive}"),
        ChangeResult::Refused => format!("refused to {infinitive}"),
        ChangeResult::Failed => format!("failed to {infinitive}"),
        ChangeResult::Unknown => format!("unknown whether {participle}"),
        ChangeResult::Undelivered => "key undelivered, account removed again".to_owned(),
        ChangeResult::Skipped => format!("skipped, did not {infinitive}"),
        ChangeResult::NotAttempted => format!("did not try to {infinitive}"),
    };
    if detail.is_empty() {
        head
    } else if result == ChangeResult::Failed && detail.starts_with(&format!("cannot {infinitive} "))
    {
        // The detail says what failed, and says it better.
        format!("failed: {detail}")
    } else {
        format!("{head}: {detail}")
    }
}
