//! Roles of the platform and how much power each gives.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

const PREFIX: &str = "//iam.api.mondoo.app/roles/";

/// Short names of the roles that are publicly known, sorted. Sources: Mondoo's documentation of
/// team members and service accounts, and the Terraform provider's IAM binding resource.
pub const PLATFORM_ROLES: [&str; 13] = [
    "agent",
    "editor",
    "exceptions-requester",
    "integrations-manager",
    "owner",
    "policy-editor",
    "policy-manager",
    "query-pack-editor",
    "query-pack-manager",
    "sla-manager",
    "ticket-creator",
    "ticket-manager",
    "viewer",
];

/// Roles that the platform gives to every member by itself; they never make a difference.
const IMPLICIT: [&str; 2] = ["org-member", "space-member"];

/// An IAM role. The short name `viewer` and its resource name are one value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(String);

/// A set of roles; its order never matters.
pub type RoleSet = BTreeSet<Role>;

impl Role {
    /// Takes a short name or a full resource name.
    pub fn new(text: &str) -> Self {
        Self(text.strip_prefix(PREFIX).unwrap_or(text).to_owned())
    }

    /// The resource name, as the API wants it.
    pub fn mrn(&self) -> String {
        if self.0.starts_with("//") {
            self.0.clone()
        } else {
            format!("{PREFIX}{}", self.0)
        }
    }

    /// The short name where there is one, else the resource name.
    pub fn short(&self) -> &str {
        &self.0
    }

    /// Whether the platform gives this role to every member by itself.
    /// Source: the Terraform provider's IAM binding resource, which filters these two.
    pub fn is_implicit(&self) -> bool {
        IMPLICIT.contains(&self.0.as_str())
    }

    /// How much power the role gives, for comparing: 0 reports scans only (`agent`), 1 reads
    /// (`viewer`), 2 works on some part, 3 manages accounts and roles (`editor`), 4 owns. A role
    /// that nobody knows ranks as an owner, since its power is unknown.
    pub fn weight(&self) -> u8 {
        match self.0.as_str() {
            "org-member" | "space-member" | "agent" => 0,
            "viewer" => 1,
            "editor" => 3,
            "owner" => 4,
            known if PLATFORM_ROLES.contains(&known) => 2,
            _ => 4,
        }
    }

    /// Whether the role is in the public catalogue.
    pub fn is_known(&self) -> bool {
        PLATFORM_ROLES.contains(&self.0.as_str()) || self.is_implicit()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.mrn())
    }
}

/// The power of a whole set: that of its strongest role, 0 if empty.
pub fn rank(roles: &RoleSet) -> u8 {
    roles.iter().map(Role::weight).max().unwrap_or(0)
}

/// The least powerful of some roles; on a tie the first by name.
pub fn least_role(roles: &RoleSet) -> Option<&Role> {
    roles
        .iter()
        .min_by_key(|role| (role.weight(), (*role).clone()))
}

/// Whether an account has no role, or one that a birth may have left before the key was delivered:
/// the least of those wanted, or a harmless one that the platform gave by itself.
pub fn birth_roles_only(roles: &RoleSet, wanted: &RoleSet) -> bool {
    match (roles.len(), roles.first()) {
        (0, _) => true,
        (1, Some(role)) => role.weight() <= 1 || Some(role) == least_role(wanted),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_full_names_are_one_role() {
        assert_eq!(
            Role::new("viewer"),
            Role::new("//iam.api.mondoo.app/roles/viewer")
        );
        assert_eq!(
            Role::new("viewer").mrn(),
            "//iam.api.mondoo.app/roles/viewer"
        );
        assert_eq!(
            Role::new("//iam.api.mondoo.app/custom/x").mrn(),
            "//iam.api.mondoo.app/custom/x"
        );
    }

    #[test]
    fn an_unknown_role_ranks_as_owner() {
        assert_eq!(
            Role::new("super-thing").weight(),
            Role::new("owner").weight()
        );
        assert!(Role::new("viewer").weight() < Role::new("editor").weight());
        assert!(Role::new("editor").weight() < Role::new("owner").weight());
    }

    #[test]
    fn the_catalogue_is_sorted() {
        assert!(PLATFORM_ROLES.is_sorted());
    }

    fn set(names: &[&str]) -> RoleSet {
        names.iter().map(|name| Role::new(name)).collect()
    }

    #[test]
    fn the_least_role_is_the_weakest() {
        let roles = set(&["owner", "viewer", "editor"]);
        assert_eq!(least_role(&roles), Some(&Role::new("viewer")));
        assert!(birth_roles_only(&set(&[]), &roles));
        assert!(birth_roles_only(&set(&["viewer"]), &set(&["agent"])));
        assert!(birth_roles_only(
            &set(&["editor"]),
            &set(&["editor", "owner"])
        ));
        assert!(!birth_roles_only(&set(&["owner"]), &roles));
        assert!(!birth_roles_only(&set(&["viewer", "agent"]), &roles));
        assert!(!birth_roles_only(&set(&["editor"]), &set(&[])));
    }
}
