//! Each guard objects to what it is for, and to nothing else.

use super::*;
use crate::model::{Caller, Mrn, StackId};
use crate::plan::{Annex, FORMAT};

fn plan() -> Plan {
    Plan {
        format: FORMAT,
        stack: StackId::new("acme", "k7m2q9ta").expect("valid"),
        endpoint: "https://us.api.mondoo.com".to_owned(),
        caller: Caller {
            mrn: Mrn::new("me"),
            name: None,
        },
        declared: 1,
        managed: 1,
        destroy: false,
        changes: Vec::new(),
        blocked: Vec::new(),
        in_flight: Vec::new(),
        annex: Annex::default(),
    }
}

fn guards(plan: Plan) -> Vec<&'static str> {
    approve(plan).map_or_else(|r| r.iter().map(|r| r.guard).collect(), |_| Vec::new())
}

#[test]
fn an_emptied_configuration_is_refused_unless_it_is_meant() {
    assert_eq!(guards(plan()), Vec::<&str>::new());
    assert_eq!(
        guards(Plan {
            declared: 0,
            ..plan()
        }),
        ["emptied"]
    );
    assert_eq!(
        guards(Plan {
            declared: 0,
            managed: 0,
            ..plan()
        }),
        Vec::<&str>::new()
    );
    assert_eq!(
        guards(Plan {
            declared: 0,
            destroy: true,
            ..plan()
        }),
        Vec::<&str>::new()
    );
}

fn change(account: &str, before: &[&str], after: Option<&[&str]>) -> crate::plan::Change {
    use crate::model::{AccountState, Address, Role, RoleSet, Scope, SpaceId};
    let set = |names: &[&str]| -> RoleSet { names.iter().map(|name| Role::new(name)).collect() };
    let state = |names: &[&str]| AccountState {
        name: "a".to_owned(),
        description: None,
        labels: Default::default(),
        roles: set(names),
        valid_until: None,
    };
    crate::plan::Change {
        address: Address::new("a", None),
        generation: 1,
        action: if after.is_some() {
            Action::UpdatePermissions
        } else {
            Action::Delete
        },
        reason: crate::plan::Reason::Differs,
        scope: Scope::Space(SpaceId::new("payments").expect("valid")),
        account: Some(Mrn::new(account)),
        before: Some(state(before)),
        after: after.map(state),
        marks: None,
        privilege: crate::plan::Privilege::between(&set(before), &set(after.unwrap_or(&[]))),
        deliver_to: Vec::new(),
        places: Vec::new(),
    }
}

#[test]
fn the_callers_own_account_is_neither_deleted_nor_weakened() {
    let with = |change| Plan {
        changes: vec![change],
        ..plan()
    };
    assert_eq!(
        guards(with(change("me", &["editor"], None))),
        ["own-account"]
    );
    assert_eq!(
        guards(with(change("me", &["editor"], Some(&["viewer"])))),
        ["own-account"]
    );
    assert_eq!(
        guards(with(change("me", &["editor"], Some(&["agent"])))),
        ["own-account"]
    );
    assert_eq!(
        guards(with(change("me", &["editor"], Some(&["owner"])))),
        Vec::<&str>::new()
    );
    assert_eq!(
        guards(with(change("other", &["editor"], None))),
        Vec::<&str>::new()
    );
}
