//! The role table: which roles exist, what each may do, and who may grant which.
//!
//! Pure: no store, no clock. The real platform's table is not public; this one restates its
//! documentation (Viewer reads; Editor also manages service accounts and members; Owner
//! everything; "editors can't create API tokens with higher privileges").

use super::ids::ScopeKind;

const PREFIX: &str = "//iam.api.mondoo.app/roles/";

/// How a role stands in the order viewer < editor < owner; the others stand outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Gives nothing of this table by itself: `agent`, which only reports scan results.
    Apart,
    /// Specialised roles act on top of Viewer, so they read like one.
    Specialised,
    Viewer,
    Editor,
    Owner,
}

/// One role of the catalogue.
#[derive(Debug)]
pub(crate) struct Role {
    name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) rank: Rank,
}

const fn role(name: &'static str, title: &'static str, rank: Rank) -> Role {
    Role { name, title, rank }
}

/// Every role that can be granted on an organization or a space.
const ROLES: [Role; 13] = [
    role("viewer", "Viewer", Rank::Viewer),
    role("editor", "Editor", Rank::Editor),
    role("owner", "Owner", Rank::Owner),
    role("agent", "Agent", Rank::Apart),
    role(
        "integrations-manager",
        "Integrations Manager",
        Rank::Specialised,
    ),
    role("policy-manager", "Policy Manager", Rank::Specialised),
    role("policy-editor", "Policy Editor", Rank::Specialised),
    role(
        "query-pack-manager",
        "Query Pack Manager",
        Rank::Specialised,
    ),
    role("query-pack-editor", "Query Pack Editor", Rank::Specialised),
    role("sla-manager", "SLA Manager", Rank::Specialised),
    role("ticket-manager", "Ticket Manager", Rank::Specialised),
    role("ticket-creator", "Ticket Creator", Rank::Specialised),
    role(
        "exceptions-requester",
        "Exception Requester",
        Rank::Specialised,
    ),
];

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// See the scope, its spaces and who has which role.
    ReadScope,
    /// See service accounts. Documentation says a viewer is shown that "service account
    /// information is unavailable", so this needs more than reading the scope.
    ReadAccounts,
    /// Create, update and delete service accounts.
    ManageAccounts,
    /// Change who has which role.
    SetRoles,
    /// Change the scope's own name and settings.
    EditScope,
    /// Create and delete spaces, delete the organization.
    ManageScopes,
    /// See and change single sign-on, which the documentation gives to owners.
    ManageSso,
}

/// The table itself: permission by the least rank that has it.
const PERMISSIONS: [(Permission, Rank); 7] = [
    (Permission::ReadScope, Rank::Specialised),
    (Permission::ReadAccounts, Rank::Editor),
    (Permission::ManageAccounts, Rank::Editor),
    (Permission::SetRoles, Rank::Editor),
    (Permission::EditScope, Rank::Editor),
    (Permission::ManageScopes, Rank::Owner),
    (Permission::ManageSso, Rank::Owner),
];

/// Action names `testIamActions` understands. The real names are not public; these follow the
/// gRPC methods that audit-log entries show. Unknown names are not allowed.
const ACTIONS: [(&str, Permission); 12] = [
    (
        "mondoo.agents.AgentManager.CreateServiceAccount",
        Permission::ManageAccounts,
    ),
    (
        "mondoo.agents.AgentManager.DeleteServiceAccount",
        Permission::ManageAccounts,
    ),
    (
        "mondoo.agents.AgentManager.DeleteServiceAccounts",
        Permission::ManageAccounts,
    ),
    (
        "mondoo.agents.AgentManager.GetServiceAccount",
        Permission::ReadAccounts,
    ),
    (
        "mondoo.agents.AgentManager.ListServiceAccounts",
        Permission::ReadAccounts,
    ),
    (
        "mondoo.agents.AgentManager.UpdateServiceAccount",
        Permission::ManageAccounts,
    ),
    (
        "mondoo.captain.Captain.CreateSpace",
        Permission::ManageScopes,
    ),
    (
        "mondoo.captain.Captain.DeleteSpace",
        Permission::ManageScopes,
    ),
    (
        "mondoo.captain.Captain.GetOrganization",
        Permission::ReadScope,
    ),
    ("mondoo.captain.Captain.GetSpace", Permission::ReadScope),
    (
        "mondoo.captain.Captain.SetOrganizationMembership",
        Permission::SetRoles,
    ),
    (
        "mondoo.captain.Captain.SetSpaceMembership",
        Permission::SetRoles,
    ),
];

/// Finds a role by MRN. A short name is not a role: no client proves that the platform takes one.
pub(crate) fn find(mrn: &str) -> Option<&'static Role> {
    let name = mrn.strip_prefix(PREFIX)?;
    ROLES.iter().find(|role| role.name == name)
}

/// The MRN of a role given by MRN or short name, as seeds may write it.
pub(crate) fn expand(role: &str) -> String {
    if role.starts_with("//") {
        role.to_owned()
    } else {
        format!("{PREFIX}{role}")
    }
}

/// The title of any role MRN, implicit member roles included.
pub(crate) fn title(mrn: &str) -> Option<&'static str> {
    if mrn == ScopeKind::Organization.implicit_role() {
        return Some("Org Member");
    }
    if mrn == ScopeKind::Space.implicit_role() {
        return Some("Space Member");
    }
    find(mrn).map(|role| role.title)
}

/// What an identity may do on one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority(Option<Rank>);

impl Authority {
    /// The authority that a set of role MRNs amounts to; unknown ones give nothing.
    pub(crate) fn of<'a>(roles: impl IntoIterator<Item = &'a str>) -> Self {
        Self(
            roles
                .into_iter()
                .filter_map(find)
                .map(|role| role.rank)
                .max(),
        )
    }

    /// Whether any role at all is held.
    pub(crate) fn is_member(self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn allows(self, permission: Permission) -> bool {
        let least = PERMISSIONS
            .iter()
            .find(|(p, _)| *p == permission)
            .map(|(_, rank)| *rank);
        matches!((self.0, least), (Some(own), Some(least)) if own >= least)
    }

    /// Whether the holder may give the role to somebody: never one above the own, and roles
    /// outside the order only as Editor or Owner.
    pub(crate) fn may_grant(self, role: &Role) -> bool {
        self.allows(Permission::SetRoles) && self.0.is_some_and(|own| own >= role.rank)
    }

    /// Whether the action of `testIamActions` is allowed.
    pub(crate) fn allows_action(self, action: &str) -> bool {
        ACTIONS
            .iter()
            .any(|(name, permission)| *name == action && self.allows(*permission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(roles: &[&str]) -> Authority {
        let mrns: Vec<String> = roles.iter().map(|r| expand(r)).collect();
        Authority::of(mrns.iter().map(String::as_str))
    }

    #[test]
    fn the_table_reads_as_documented() {
        use Permission::{ManageAccounts, ManageScopes, ReadAccounts, ReadScope, SetRoles};
        let expected: [(&[&str], &[Permission]); 6] = [
            (&[], &[]),
            (&["agent"], &[]),
            (&["viewer"], &[ReadScope]),
            (&["viewer", "policy-manager"], &[ReadScope]),
            (
                &["agent", "editor"],
                &[ReadScope, ReadAccounts, ManageAccounts, SetRoles],
            ),
            (
                &["owner"],
                &[
                    ReadScope,
                    ReadAccounts,
                    ManageAccounts,
                    SetRoles,
                    ManageScopes,
                ],
            ),
        ];
        for (roles, allowed) in expected {
            for permission in [
                ReadScope,
                ReadAccounts,
                ManageAccounts,
                SetRoles,
                ManageScopes,
            ] {
                assert_eq!(
                    authority(roles).allows(permission),
                    allowed.contains(&permission),
                    "{roles:?} {permission:?}"
                );
            }
        }
    }

    #[test]
    fn nobody_grants_above_the_own_role() {
        let grantable = |own: &[&str]| {
            ROLES
                .iter()
                .filter(|r| authority(own).may_grant(r))
                .map(|r| r.name)
                .collect::<Vec<_>>()
        };
        assert!(grantable(&["viewer"]).is_empty());
        assert!(grantable(&["agent", "policy-manager"]).is_empty());
        assert_eq!(grantable(&["owner"]).len(), ROLES.len());
        let editor = grantable(&["editor"]);
        assert_eq!(editor.len(), ROLES.len() - 1);
        assert!(!editor.contains(&"owner"));
    }
}
