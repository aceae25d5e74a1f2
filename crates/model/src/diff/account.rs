//! Compares one declared account with its live one.
//! Pure; every field is destructured, so that a new one cannot be forgotten.

use std::collections::BTreeMap;

use crate::model::{AccountState, DesiredAccount, LiveAccount, Marks, RoleSet, same_name};

/// Whether the live account is as declared, so that neither a state need be made nor compared.
pub fn as_declared(desired: &DesiredAccount, live: &LiveAccount, marks: &Marks) -> bool {
    let DesiredAccount {
        address: _,
        scope: _,
        name,
        description,
        labels,
        roles,
        role_places: _,
        valid_until: _,
        protected,
        formerly: _,
        deliver_to: _,
        rotation: _,
        import: _,
        declared_at: _,
    } = desired;
    same_name(name, &live.name)
        && description
            .as_deref()
            .is_none_or(|wanted| marks.described.fits(wanted, live.description.as_deref()))
        && labels
            .as_ref()
            .is_none_or(|wanted| live.labels.own() == wanted)
        && *roles == live.roles
        && protected.is_none_or(|wanted| wanted == marks.protected)
}

/// The state that a live account should have, given the one it has. What the configuration leaves
/// out stays as it is.
pub fn after_update(desired: &DesiredAccount, before: AccountState) -> AccountState {
    let DesiredAccount {
        address: _,
        scope: _,
        name,
        description,
        labels,
        roles,
        role_places: _,
        valid_until: _,
        protected,
        formerly: _,
        deliver_to: _,
        rotation: _,
        import: _,
        declared_at: _,
    } = desired;
    AccountState {
        name: if same_name(name, &before.name) {
            before.name
        } else {
            name.clone()
        },
        description: match description.as_deref() {
            None => before.description,
            Some("") => None,
            Some(text) => Some(text.to_owned()),
        },
        labels: labels.clone().unwrap_or(before.labels),
        roles: roles.clone(),
        valid_until: before.valid_until,
        protected: protected.unwrap_or(before.protected),
    }
}

/// What is wanted of an account whose power was taken back: the same without roles.
pub fn powerless(desired: &DesiredAccount) -> DesiredAccount {
    DesiredAccount {
        roles: RoleSet::new(),
        role_places: BTreeMap::new(),
        ..desired.clone()
    }
}

/// Whether anything but the roles and the fixed expiry differs.
pub fn spec_differs(before: &AccountState, after: &AccountState) -> bool {
    let AccountState {
        name,
        description,
        labels,
        roles: _,
        valid_until: _,
        protected,
    } = before;
    *name != after.name
        || *description != after.description
        || *labels != after.labels
        || *protected != after.protected
}

/// Whether the roles differ as sets.
pub fn roles_differ(desired: &DesiredAccount, live: &LiveAccount) -> bool {
    desired.roles != live.roles
}
