//! What a service account is, as far as rolecall compares it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::role::RoleSet;

/// Labels of an account, sorted by key.
pub type Labels = BTreeMap<String, String>;

/// The value of a label that was to be removed where the platform keeps every label it was ever given.
/// A label of this value counts as absent, wherever labels are read.
pub const VOID: &str = "removed-by-rolecall";

/// The state of an account before or after a change: all that a plan shows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// The display name, unique in its scope.
    pub name: String,
    /// The effective description: `notes`, else `description`.
    pub description: Option<String>,
    /// Labels without our marks.
    pub labels: Labels,
    /// Roles without the implicit ones.
    pub roles: RoleSet,
    /// When the account expires, where that is known.
    pub valid_until: Option<jiff::Timestamp>,
    /// Whether a mark on the account forbids to delete it.
    pub protected: bool,
}
