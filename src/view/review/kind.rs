//! What kinds of changes there are for a reviewer, and how many of each: one way to count for all forms.
//! Pure.

use std::fmt::Write as _;

use super::words::count;
use crate::plan::{Action, Change, Plan, Reason, Verdict};

/// What a change is to a reviewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An account is created, with a new key.
    Create,
    /// A live account is taken into custody.
    Adopt,
    /// An account gets another address, and nothing else of it changes.
    Move,
    /// An account gets another name, and maybe other words.
    Rename,
    /// Description, labels, marks or the places of the key change.
    Update,
    /// Roles change.
    Roles,
    /// The key is delivered to further places.
    Redeliver,
    /// Another account takes the place of one that cannot be changed, with a new key.
    Replace,
    /// A new key is made.
    Rotate,
    /// An account is given up and stays as it is.
    Forget,
    /// An account is deleted.
    Delete,
}

impl Kind {
    /// Every kind, in the order in which they are counted.
    pub const ALL: [Self; 11] = [
        Self::Create,
        Self::Adopt,
        Self::Move,
        Self::Rename,
        Self::Update,
        Self::Roles,
        Self::Redeliver,
        Self::Replace,
        Self::Rotate,
        Self::Forget,
        Self::Delete,
    ];

    /// The kind of a change.
    pub fn of(change: &Change) -> Self {
        match change.action {
            Action::Create => Self::Create,
            Action::Adopt => Self::Adopt,
            Action::Move => Self::Move,
            Action::Update if change.renames() => Self::Rename,
            Action::Update => Self::Update,
            Action::UpdatePermissions => Self::Roles,
            Action::Redeliver => Self::Redeliver,
            Action::Rotate if change.reason == Reason::CannotUpdate => Self::Replace,
            Action::Rotate => Self::Rotate,
            Action::Forget => Self::Forget,
            Action::Delete => Self::Delete,
        }
    }

    /// What is done, as a verb.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Move => "move",
            Self::Rename => "rename",
            Self::Update => "update",
            Self::Roles => "update permissions",
            Self::Redeliver => "redeliver",
            Self::Replace => "replace",
            Self::Rotate => "rotate",
            Self::Forget => "forget",
            Self::Delete => "delete",
        }
    }
}

/// How many changes of each kind a plan has, without those of which there is none.
pub fn counts(plan: &Plan) -> Vec<(Kind, usize)> {
    let of = |kind: Kind| plan.changes.iter().filter(move |c| Kind::of(c) == kind);
    let all = Kind::ALL.map(|kind| (kind, of(kind).count()));
    all.into_iter().filter(|(_, n)| *n > 0).collect()
}

/// How many changes let somebody do more.
pub fn escalations(plan: &Plan) -> usize {
    let more = |change: &&Change| change.privilege.verdict == Verdict::Escalation;
    plan.changes.iter().filter(more).count()
}

/// How many changes give power over an organization or take it away, or may.
pub fn owners(plan: &Plan) -> usize {
    let owner = |change: &&Change| change.privilege.owner;
    plan.changes.iter().filter(owner).count()
}

/// What is done in numbers; `seen`: with what was seen besides.
pub fn summary(plan: &Plan, seen: bool) -> String {
    let parts: Vec<String> = counts(plan)
        .into_iter()
        .map(|(kind, n)| format!("{n} to {}", kind.verb()))
        .collect();
    let mut line = if !parts.is_empty() {
        format!("Plan: {}", parts.join(", "))
    } else if plan.blocked.is_empty() && plan.in_flight.is_empty() {
        match plan.annex.unread.len() {
            0 => "No changes".to_owned(),
            n => format!(
                "No changes in what was read, and {} not read",
                count(n, "scope")
            ),
        }
    } else {
        "Nothing can be done".to_owned()
    };
    // Writing to a String cannot fail.
    match escalations(plan) {
        0 => {}
        n => drop(write!(line, "; {}", count(n, "escalation"))),
    }
    match plan.blocked.len() {
        0 => {}
        n => drop(write!(line, "; {n} in the way")),
    }
    if seen {
        for (n, what) in [
            (plan.annex.expired.len(), "expired"),
            (plan.annex.undelivered.len(), "in need of a new key"),
            (plan.annex.revoked.len(), "revoked"),
        ] {
            if n > 0 {
                let _ = write!(line, "; {n} {what}");
            }
        }
        // A rotation alone does not look at the others.
        if !plan.meant.renewal.alone {
            let _ = write!(
                line,
                "; {} as declared",
                count(plan.annex.unchanged, "account")
            );
        }
    }
    line.push('.');
    line
}
