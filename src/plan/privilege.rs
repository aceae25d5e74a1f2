//! What a change means for power: who can do what afterwards that they could not before.
//! Pure.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::model::{AccountState, Destination, Role, RoleSet, Scope};

/// The direction in which power moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Somebody can do more than before.
    Escalation,
    /// Somebody can do less than before, and nobody more.
    Reduction,
    /// Nobody's power changes.
    Neutral,
}

/// What a change means for power.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privilege {
    /// The direction.
    pub verdict: Verdict,
    /// Whether an owner, or a role whose power nobody knows, is involved.
    pub owner: bool,
    /// Whether some power is lost, whatever else is gained.
    pub loses: bool,
    /// Roles gained.
    pub gained: RoleSet,
    /// Roles lost.
    pub lost: RoleSet,
    /// What else makes an account more dangerous, or easier to lose.
    pub exposures: Vec<Exposure>,
}

/// What makes an account more dangerous, or easier to lose, besides its roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exposure {
    /// Its key will be good for longer, or for ever.
    LaterExpiry,
    /// It can be deleted afterwards, and could not before.
    ProtectionRemoved,
    /// A new place receives its key, or keeps it though it is on the machine that applies.
    NewPlace,
    /// What a place holds and nobody can read may be overwritten.
    OverwritesUnreadable,
}

/// A rule of exposure: what it is, and whether a change from one state to another brings it.
type Rule = (Exposure, fn(&AccountState, &AccountState) -> bool);

/// Every rule of exposure that two states tell. That an account reaches further is a birth, whose roles are
/// gained, since accounts do not change their scope; that a key goes to a new place is one, or a redelivery.
const RULES: [Rule; 2] = [
    (Exposure::LaterExpiry, |before, after| {
        match (before.valid_until, after.valid_until) {
            (Some(before), Some(after)) => after > before,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }),
    (Exposure::ProtectionRemoved, |before, after| {
        before.protected && !after.protected
    }),
];

impl Privilege {
    /// Compares an account before and after a change.
    pub fn of(before: Option<&AccountState>, after: Option<&AccountState>) -> Self {
        let none = RoleSet::new();
        let roles =
            |state: Option<&'_ AccountState>| state.map_or(none.clone(), |s| s.roles.clone());
        let mut all = Self::between(&roles(before), &roles(after));
        if let (Some(before), Some(after)) = (before, after) {
            let brought = RULES.iter().filter(|(_, brings)| brings(before, after));
            all.exposures = brought.map(|(exposure, _)| *exposure).collect();
        }
        if !all.exposures.is_empty() {
            all.verdict = Verdict::Escalation;
        }
        all
    }

    /// The same where what is lost is lost later, or not at all.
    pub(super) fn gained_alone(mut self) -> Self {
        self.lost.clear();
        self.loses = false;
        if self.verdict == Verdict::Reduction {
            self.verdict = Verdict::Neutral;
        }
        self
    }

    /// The same of an account whose key goes to these places. `first` if none had it before.
    pub(super) fn delivered<'a>(
        mut self,
        places: impl Iterator<Item = &'a Destination> + Clone,
        first: bool,
    ) -> Self {
        let kept = |to: &Destination| to.place().file().is_some_and(|file| file.keep);
        if !first || places.clone().any(kept) {
            self.exposures.push(Exposure::NewPlace);
        }
        self.overwriting(places)
    }

    /// The same of an account whose key takes the place of what these places hold.
    pub(super) fn overwriting<'a>(
        mut self,
        mut places: impl Iterator<Item = &'a Destination>,
    ) -> Self {
        if places.any(Destination::overwrites_unreadable) {
            self.exposures.push(Exposure::OverwritesUnreadable);
        }
        self.exposures.sort();
        self.exposures.dedup();
        if !self.exposures.is_empty() {
            self.verdict = Verdict::Escalation;
        }
        self
    }

    /// Compares two sets of roles held on one scope.
    pub fn between(before: &RoleSet, after: &RoleSet) -> Self {
        let gained: RoleSet = after.difference(before).cloned().collect();
        let lost: RoleSet = before.difference(after).cloned().collect();
        let more = gained.iter().any(|role| !covered(role, before));
        let less = lost.iter().any(|role| !covered(role, after));
        let verdict = match (more, less) {
            (true, _) => Verdict::Escalation,
            (false, true) => Verdict::Reduction,
            (false, false) => Verdict::Neutral,
        };
        let owner = gained.union(&lost).any(Role::owns);
        Self {
            verdict,
            owner,
            loses: less,
            gained,
            lost,
            exposures: Vec::new(),
        }
    }

    /// A change that touches no role.
    pub fn none() -> Self {
        Self::between(&RoleSet::new(), &RoleSet::new())
    }
}

/// Whether some role of the set gives at least what `role` gives. Only the chain viewer < editor
/// < owner is ordered; the others stand apart. Source: Mondoo's documentation of roles ("Viewer
/// plus …", "Editor plus …"; editors and owners cannot report scan results).
fn covered(role: &Role, by: &RoleSet) -> bool {
    const CHAIN: [&str; 3] = ["viewer", "editor", "owner"];
    let place = |role: &Role| CHAIN.iter().position(|name| *name == role.short());
    by.contains(role)
        || place(role).is_some_and(|wanted| by.iter().any(|r| place(r) >= Some(wanted)))
}

/// What a set of roles lets a program do, as a verb phrase: `read everything`.
pub fn may(roles: &RoleSet) -> String {
    let mut text = String::new();
    let strongest: Vec<&Role> = roles
        .iter()
        .filter(|role| {
            let others: RoleSet = roles.iter().filter(|r| r != role).cloned().collect();
            !covered(role, &others)
        })
        .collect();
    if strongest.is_empty() {
        text.push_str("do nothing");
    }
    for (n, role) in strongest.iter().enumerate() {
        if n > 0 {
            text.push_str(if n + 1 == strongest.len() {
                " and "
            } else {
                ", "
            });
        }
        match role.facts() {
            Some(facts) => text.push_str(facts.may),
            None => {
                // Writing to a String cannot fail.
                let _ = write!(text, "do whatever the unknown role {} allows", role.short());
            }
        }
    }
    text
}

/// The same and where: `read everything in space x`. `spaces` is how many spaces the scope is known to have,
/// for an organization.
pub fn power(roles: &RoleSet, scope: &Scope, spaces: Option<usize>) -> String {
    let mut text = may(roles);
    // Writing to a String cannot fail.
    let _ = write!(text, " in {scope}");
    if let (Scope::Organization(_), false) = (scope, roles.is_empty()) {
        match spaces {
            Some(1) => text.push_str(" and its 1 space"),
            Some(n) => {
                let _ = write!(text, " and all its {n} spaces");
            }
            None => text.push_str(" and all its spaces"),
        }
    }
    text
}
