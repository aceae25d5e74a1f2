//! How much one plan may do before a person must say that it is meant.

use serde::{Deserialize, Serialize};

/// The limits of a configuration. They are part of a plan, so that what was reviewed under some is not
/// applied under others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The most accounts that one plan deletes or gives up. Dead births count under
    /// `max_dead_births`.
    pub max_deletes: u32,
    /// The most dead births that one plan removes: accounts that a run created before it died, which
    /// have no power yet.
    pub max_dead_births: u32,
    /// The largest part of the managed accounts that one plan deletes or gives up, in per cent; counts from
    /// [`Limits::FLOOR`] managed accounts on.
    pub max_delete_percent: u32,
    /// The most changes after which somebody can do more than before, births included.
    pub max_escalations: u32,
    /// The most grants that one plan gives, each counted by its role's weight and at least once.
    pub max_gained_grants: u32,
    /// The most grants that one plan takes away, each counted by its role's weight and at least
    /// once. Deletions take away all that the account has.
    pub max_revoked_grants: u32,
    /// The fewest owners that an organization keeps, people and service accounts together, where a
    /// plan takes ownership of it away.
    pub min_owners: u32,
    /// The most accounts that one plan gives a new key. Of those that are due by the clock the oldest
    /// are taken, and the others wait.
    #[serde(default = "max_rotations", skip_serializing_if = "is_max_rotations")]
    pub max_rotations: u32,
}

/// How many keys one plan replaces unless somebody says otherwise.
const MAX_ROTATIONS: u32 = 25;

fn max_rotations() -> u32 {
    MAX_ROTATIONS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_max_rotations(n: &u32) -> bool {
    *n == MAX_ROTATIONS
}

impl Limits {
    /// The fewest managed accounts of which a part is a measure of anything.
    pub const FLOOR: usize = 4;

    /// Limits that forbid nothing.
    pub const NONE: Self = Self {
        max_deletes: u32::MAX,
        max_dead_births: u32::MAX,
        max_delete_percent: u32::MAX,
        max_escalations: u32::MAX,
        max_gained_grants: u32::MAX,
        max_revoked_grants: u32::MAX,
        min_owners: 0,
        max_rotations: u32::MAX,
    };

    /// The tighter of both for each attribute.
    #[must_use]
    pub fn tightened(self, by: Self) -> Self {
        let Self {
            max_deletes,
            max_dead_births,
            max_delete_percent,
            max_escalations,
            max_gained_grants,
            max_revoked_grants,
            min_owners,
            max_rotations,
        } = by;
        Self {
            max_deletes: self.max_deletes.min(max_deletes),
            max_dead_births: self.max_dead_births.min(max_dead_births),
            max_delete_percent: self.max_delete_percent.min(max_delete_percent),
            max_escalations: self.max_escalations.min(max_escalations),
            max_gained_grants: self.max_gained_grants.min(max_gained_grants),
            max_revoked_grants: self.max_revoked_grants.min(max_revoked_grants),
            min_owners: self.min_owners.max(min_owners),
            max_rotations: self.max_rotations.min(max_rotations),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_deletes: 10,
            max_dead_births: 10,
            max_delete_percent: 25,
            max_escalations: 10,
            max_gained_grants: 20,
            max_revoked_grants: 20,
            min_owners: 1,
            max_rotations: MAX_ROTATIONS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attribute_has_the_tighter_of_both() {
        let some = |max_deletes, max_delete_percent, max_escalations, max_revoked_grants| Limits {
            max_deletes,
            max_dead_births: max_deletes + 2,
            max_delete_percent,
            max_escalations,
            max_gained_grants: max_deletes + 1,
            max_revoked_grants,
            min_owners: 100 - max_deletes,
            max_rotations: max_deletes + 3,
        };
        assert_eq!(
            some(1, 20, 3, 40).tightened(some(10, 2, 30, 4)),
            some(1, 2, 3, 4)
        );
        assert_eq!(some(1, 2, 3, 4).tightened(Limits::NONE), some(1, 2, 3, 4));
        assert_eq!(Limits::NONE.tightened(some(1, 2, 3, 4)), some(1, 2, 3, 4));
    }
}
