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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Address, CredentialMark, Fingerprint, Mrn, OrgId, RoleSet, Scope, SourceRef, StackId,
    };
    use std::collections::BTreeMap;

    fn marks() -> Marks {
        Marks {
            stack: StackId::new("acme", "k7m2q9ta").expect("valid"),
            address: Address::new("ci", None).label(),
            generation: 1,
            credential: CredentialMark::Delivered {
                fingerprint: Fingerprint::of_public_key(b"key"),
                destinations: CredentialMark::destinations_digest(&[]),
            },
            expires: None,
            protected: false,
            seal: None,
        }
    }

    fn pair(wanted: Option<&str>, live: Option<&str>) -> (DesiredAccount, LiveAccount) {
        let scope = Scope::Organization(OrgId::new("acme-corp").expect("valid"));
        let desired = DesiredAccount {
            address: Address::new("ci", None),
            scope: scope.clone(),
            name: "ci".to_owned(),
            description: wanted.map(str::to_owned),
            labels: None,
            roles: RoleSet::new(),
            role_places: BTreeMap::new(),
            valid_until: None,
            deliver_to: Vec::new(),
            protected: None,
            formerly: Vec::new(),
            import: None,
            declared_at: SourceRef {
                file: "a.hcl".to_owned(),
                line: 1,
            },
        };
        let live = LiveAccount {
            mrn: Mrn::new("//agents.api.mondoo.app/organizations/acme-corp/serviceaccounts/1"),
            scope,
            name: "ci".to_owned(),
            description: live.map(str::to_owned),
            labels: BTreeMap::new(),
            roles: RoleSet::new(),
            created_at: None,
            last_used: None,
            creator: None,
        };
        (desired, live)
    }

    #[test]
    fn an_empty_description_is_none_and_clears_another() {
        for (wanted, before, after) in [
            (None, Some("by hand"), Some("by hand")),
            (None, None, None),
            (Some(""), None, None),
            (Some(""), Some(""), Some("")),
            (Some(""), Some("old"), Some("")),
            (Some("new"), Some("old"), Some("new")),
            (Some("new"), None, Some("new")),
        ] {
            let (desired, live) = pair(wanted, before);
            let state = after_update(&desired, live.state());
            assert_eq!(state.description.as_deref(), after, "{wanted:?} {before:?}");
            let same = before == after;
            assert_eq!(
                as_declared(&desired, &live, &marks()),
                same,
                "{wanted:?} {before:?}"
            );
            assert_eq!(
                spec_differs(&live.state(), &state),
                !same,
                "{wanted:?} {before:?}"
            );
        }
    }

    #[test]
    fn a_name_in_another_form_of_unicode_is_the_same_name() {
        for (wanted, live_name, same) in [
            ("caf\u{e9}", "cafe\u{301}", true),
            ("cafe\u{301}", "caf\u{e9}", true),
            ("\u{212b}", "A\u{30a}", true),
            ("caf\u{e9}", "cafe", false),
        ] {
            let (mut desired, mut live) = pair(None, None);
            wanted.clone_into(&mut desired.name);
            live_name.clone_into(&mut live.name);
            assert_eq!(
                as_declared(&desired, &live, &marks()),
                same,
                "{wanted} {live_name}"
            );
            let state = after_update(&desired, live.state());
            assert_eq!(
                spec_differs(&live.state(), &state),
                !same,
                "{wanted} {live_name}"
            );
        }
    }
}
