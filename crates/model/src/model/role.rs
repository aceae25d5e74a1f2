//! Roles of the platform and how much power each gives.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

const PREFIX: &str = "//iam.api.mondoo.app/roles/";

/// Where what is said about roles can be read.
pub const ROLE_SOURCES: [&str; 3] = [
    "Mondoo's documentation of team members: https://mondoo.com/docs/maintain/access/team_members",
    "Mondoo's documentation of service accounts: service_accounts.md in github.com/mondoohq/docs",
    "Mondoo's Terraform provider: iam_binding_resource.go in github.com/mondoohq/terraform-provider-mondoo",
];

/// What is not publicly known about roles, sentence by sentence.
pub const ROLES_UNKNOWN: [&str; 4] = [
    "Which calls of the API each role allows is not public; the table says what the documentation says.",
    "The specialised roles are documented as an addition to viewer; what one lets a program do that is not a viewer too is not documented.",
    "The documentation names an Exception Reviewer and roles for SCIM clients and platform administrators whose resource names are not public.",
    "A role that is not in this table counts as powerful as owner in every plan.",
];

/// What is publicly known of one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleFacts {
    /// The short name, as configurations write it.
    pub name: &'static str,
    /// The name that Mondoo's console shows.
    pub title: &'static str,
    /// What it lets a program do, a verb phrase that a scope can follow.
    pub may: &'static str,
    /// What it lets a program do in a space, a verb phrase.
    pub in_space: &'static str,
    /// What it lets a program do in an organization besides the same in all its spaces, or
    /// nothing.
    pub in_organization: &'static str,
    /// Whether it lets a program report scan results; `None` if that is not documented.
    pub reports_scans: Option<bool>,
}

const EDIT: &str =
    "read everything and manage assets, policies, integrations, service accounts and members";

/// A role that does one more thing than a viewer.
const fn special(name: &'static str, title: &'static str, may: &'static str) -> RoleFacts {
    RoleFacts {
        name,
        title,
        may,
        in_space: may,
        in_organization: "",
        reports_scans: None,
    }
}

/// The roles that are publicly known, sorted by name; [`ROLE_SOURCES`] says from where.
pub const ROLES: [RoleFacts; 13] = [
    RoleFacts {
        name: "agent",
        title: "Agent",
        may: "report scan results",
        in_space: "report scan results; read policies and query packs for that",
        in_organization: "",
        reports_scans: Some(true),
    },
    RoleFacts {
        name: "editor",
        title: "Editor",
        may: EDIT,
        in_space: EDIT,
        in_organization: "change the organization's settings, but neither create nor delete spaces",
        reports_scans: Some(false),
    },
    special(
        "exceptions-requester",
        "Exception Requester",
        "request exceptions",
    ),
    special(
        "integrations-manager",
        "Integrations Manager",
        "manage integrations",
    ),
    RoleFacts {
        name: "owner",
        title: "Owner",
        may: "do everything, ownership and deletion included",
        in_space: "do all that an editor may; what more in a space alone is not documented",
        in_organization: "create and delete spaces, manage single sign-on and billing, delete the \
                          organization",
        reports_scans: Some(false),
    },
    special("policy-editor", "Policy Editor", "edit policies"),
    special("policy-manager", "Policy Manager", "manage policies"),
    special("query-pack-editor", "Query Pack Editor", "edit query packs"),
    special(
        "query-pack-manager",
        "Query Pack Manager",
        "manage query packs",
    ),
    special("sla-manager", "SLA Manager", "manage SLAs"),
    special("ticket-creator", "Ticket Creator", "create tickets"),
    special("ticket-manager", "Ticket Manager", "manage tickets"),
    RoleFacts {
        name: "viewer",
        title: "Viewer",
        may: "read everything",
        in_space: "read everything, but not the list of service accounts",
        in_organization: "",
        reports_scans: Some(false),
    },
];

/// Short names of the roles that are publicly known, sorted.
pub const PLATFORM_ROLES: [&str; ROLES.len()] = {
    let mut names = [""; ROLES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = ROLES[at].name;
        at += 1;
    }
    names
};

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

    /// Whether the role owns its scope, for all that is known.
    pub fn owns(&self) -> bool {
        self.weight() >= 4
    }

    /// What is publicly known of the role.
    pub fn facts(&self) -> Option<&'static RoleFacts> {
        ROLES.iter().find(|facts| facts.name == self.0)
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

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&String::deserialize(deserializer)?))
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
    fn editors_and_owners_do_not_report_scans_and_agents_do() {
        let reports = |name: &str| {
            Role::new(name)
                .facts()
                .and_then(|facts| facts.reports_scans)
        };
        assert_eq!(reports("agent"), Some(true));
        for name in ["viewer", "editor", "owner"] {
            assert_eq!(reports(name), Some(false), "{name}");
        }
        assert_eq!(reports("policy-editor"), None);
    }

    #[test]
    fn the_catalogue_is_sorted() {
        assert!(PLATFORM_ROLES.is_sorted());
        assert!(ROLES.iter().all(|facts| !facts.may.is_empty()));
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
