//! What whoever runs a plan means by it, beyond what the configuration says.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::credential::Nonce;
use super::stack::StackId;

/// What was meant: one value, from the command line to the plan and its digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meant {
    /// Everything is to be deleted: then nobody else's account is touched.
    pub destroy: bool,
    /// Other stacks whose accounts `import` blocks may take.
    pub take_over: BTreeSet<StackId>,
    /// Accounts without a seal are taken for ours if a trusted identity created them, and are sealed.
    pub accept_unsealed: bool,
    /// Births of which it is said that the run which began them is dead, so that nothing is waited for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub resume: BTreeSet<Nonce>,
    /// Which accounts get a new key though nothing about them was changed.
    #[serde(default, skip_serializing_if = "Renewal::is_none")]
    pub renewal: Renewal,
}

/// For which accounts a new key is asked, whatever the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// These.
    pub of: BTreeSet<Address>,
    /// All whose key is due by the clock; and former keys whose time is over go.
    pub due: bool,
    /// Nothing else is done.
    pub alone: bool,
}

impl Renewal {
    /// Whether no new key is asked for.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
