//! The past of accounts that a plan takes something from: for reviewers, and no part of what is done.
//! Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Action, Change};
use crate::model::{Live, Mrn, SourceRef};

/// What is known of an account from before the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// When it was created, where told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last used; `None` if never, or not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// When this was read.
    pub read_at: Timestamp,
    /// Where it was last declared, for what is declared no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<LastDeclared>,
}

/// Where an account was last declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastDeclared {
    /// File and line of its block.
    pub place: SourceRef,
    /// The first digits of the commit whose file that is; `None` for the block as it is now, which makes the
    /// account no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Whether a change takes something away that somebody may miss: an account, a role, or a key.
pub fn takes(change: &Change) -> bool {
    matches!(
        change.action,
        Action::Delete | Action::Rotate | Action::Forget
    ) || !change.privilege.lost.is_empty()
}

/// The past of every account that these changes take something from, by its resource name.
pub(super) fn past(changes: &[Change], live: &Live) -> BTreeMap<Mrn, Past> {
    let accounts = changes.iter().filter(|change| takes(change));
    let accounts = accounts.filter_map(|change| live.accounts.get(change.account.as_ref()?));
    accounts
        .map(|account| {
            let past = Past {
                created_at: account.created_at,
                last_used: account.last_used,
                read_at: live.facts.now,
                declared: None,
            };
            (account.mrn.clone(), past)
        })
        .collect()
}
