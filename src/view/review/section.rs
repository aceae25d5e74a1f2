//! In which order a reviewer reads the changes of a plan: the grave ones first.
//! Pure.

use crate::plan::{Action, Change, Verdict};

/// A part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Somebody can do more than before, or an owner is taken over, given up or gets a key.
    Power,
    /// Somebody can do less than before.
    Access,
    /// Accounts go.
    Deleted,
    /// Keys are made, or go to further places, and nobody's power changes.
    Keys,
    /// All else.
    Rest,
}

impl Section {
    /// Every part, in order.
    pub const ALL: [Self; 5] = [
        Self::Power,
        Self::Access,
        Self::Deleted,
        Self::Keys,
        Self::Rest,
    ];

    /// The part in which a change stands.
    pub fn of(change: &Change) -> Self {
        let privilege = &change.privilege;
        match change.action {
            Action::Delete => Self::Deleted,
            _ if privilege.verdict == Verdict::Escalation => Self::Power,
            _ if privilege.verdict == Verdict::Reduction || !privilege.lost.is_empty() => {
                Self::Access
            }
            _ if privilege.owner => Self::Power,
            Action::Create | Action::Rotate | Action::Redeliver => Self::Keys,
            _ => Self::Rest,
        }
    }

    /// Whether no form may leave it out without counting it.
    pub fn is_grave(self) -> bool {
        match self {
            Self::Power | Self::Access | Self::Deleted | Self::Keys => true,
            Self::Rest => false,
        }
    }

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Power => "Who gains power, and owners",
            Self::Access => "Who loses access",
            Self::Deleted => "Deleted",
            Self::Keys => "New keys, and new places of keys",
            Self::Rest => "Other changes",
        }
    }
}
