//! Compares one declared account with its live one.
//! Pure; every field is destructured, so that a new one cannot be forgotten.

use crate::model::{AccountState, DesiredAccount, LiveAccount, Marks, composed};

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
        import: _,
        declared_at: _,
    } = desired;
    composed(name) == composed(&live.name)
        && described(description.as_deref(), live.description.as_deref())
        && labels
            .as_ref()
            .is_none_or(|wanted| live.has_other_labels(wanted))
        && *roles == live.roles
        && protected.is_none_or(|wanted| wanted == marks.protected)
}

/// Whether a description is as wanted: nothing is wanted of one that is not managed, and an empty one
/// is the same as none.
fn described(wanted: Option<&str>, live: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| wanted == live.unwrap_or_default())
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
        import: _,
        declared_at: _,
    } = desired;
    AccountState {
        name: if composed(name) == composed(&before.name) {
            before.name
        } else {
            name.clone()
        },
        description: if described(description.as_deref(), before.description.as_deref()) {
            before.description
        } else {
            description.clone()
        },
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
