//! Compares one declared account with its live one.
//! Pure; every field is destructured, so that a new one cannot be forgotten.

use crate::model::{AccountState, DesiredAccount, LiveAccount};

/// The state that the live account should have. What the configuration leaves out stays as it is.
pub fn after_update(desired: &DesiredAccount, live: &LiveAccount) -> AccountState {
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
        import: _,
        declared_at: _,
    } = desired;
    let before = live.state();
    AccountState {
        name: name.clone(),
        description: description.clone().or(before.description),
        labels: labels.clone().unwrap_or(before.labels),
        roles: roles.clone(),
        valid_until: before.valid_until,
        protected: protected.unwrap_or(before.protected),
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
