//! Who owns an organization after a plan that takes ownership of it away.
//! Pure. People are not in a plan, so somebody has to ask the platform how many of them own.

use std::collections::BTreeMap;

use super::{Action, Plan};
use crate::model::{Live, Mrn, OrgId, Role, RoleSet, Scope};

/// The organizations of which a plan takes ownership away from an account, each with the service
/// accounts that own it afterwards.
pub fn owned_less(plan: &Plan, live: &Live) -> BTreeMap<OrgId, usize> {
    let mut after: BTreeMap<&Mrn, &RoleSet> = BTreeMap::new();
    let mut less: BTreeMap<OrgId, usize> = BTreeMap::new();
    let none = RoleSet::new();
    for change in &plan.changes {
        if let Some(organization) = disowned(change) {
            less.insert(organization.clone(), 0);
        }
        // The former key keeps what it has.
        if change.action == Action::Rotate {
            continue;
        }
        let roles = change.after.as_ref().map_or(&none, |state| &state.roles);
        match &change.account {
            // An update beside a change of the roles says what they were before.
            Some(mrn) if change.before.as_ref().map(|state| &state.roles) != Some(roles) => {
                after.insert(mrn, roles);
            }
            Some(_) | None => {}
        }
    }
    for account in live.accounts.values() {
        let roles = after.get(&account.mrn).copied().unwrap_or(&account.roles);
        if let (Scope::Organization(organization), true) = (&account.scope, owns(roles))
            && let Some(owners) = less.get_mut(organization)
        {
            *owners += 1;
        }
    }
    less
}

/// The organization of which a change takes ownership away.
pub fn disowned(change: &super::Change) -> Option<&OrgId> {
    match &change.scope {
        Scope::Organization(organization) if owns(&change.privilege.lost) => Some(organization),
        Scope::Organization(_) | Scope::Space(_) => None,
    }
}

fn owns(roles: &RoleSet) -> bool {
    roles.contains(&Role::new("owner"))
}
