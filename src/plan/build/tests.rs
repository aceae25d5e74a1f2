//! The order of a plan, and what is left out of it.

use std::collections::BTreeMap;

use super::*;
use crate::diff::{Block, Blocked, LeftAlone};
use crate::model::{
    AccountState, Address, Caller, Extent, Facts, LiveAccount, Role, RoleSet, Scope, SpaceId,
    StackId,
};

fn set(names: &[&str]) -> RoleSet {
    names.iter().map(|name| Role::new(name)).collect()
}

fn space(name: &str) -> Scope {
    Scope::Space(SpaceId::new(name).expect("valid"))
}

fn difference(address: &str, action: Action, before: &[&str], after: &[&str]) -> Difference {
    let state = |roles: &[&str]| AccountState {
        name: address.to_owned(),
        description: None,
        labels: BTreeMap::new(),
        roles: set(roles),
        valid_until: None,
        protected: false,
    };
    Difference {
        address: Address::new(address, None),
        generation: 1,
        action,
        reason: Reason::Differs,
        scope: space("payments"),
        account: (action != Action::Create).then(|| Mrn::new(address)),
        before: (action != Action::Create).then(|| state(before)),
        after: (action != Action::Delete).then(|| state(after)),
        marks: None,
        moved_from: None,
        deliver_to: Vec::new(),
        places: Vec::new(),
    }
}

fn plan(delta: Delta) -> Plan {
    let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
    let live = Live {
        facts: Facts {
            caller: Caller {
                mrn: Mrn::new("me"),
                name: None,
            },
            now: jiff::Timestamp::UNIX_EPOCH,
            endpoint: "local".to_owned(),
        },
        scopes: BTreeMap::new(),
        extent: Extent::default(),
        unread: BTreeMap::new(),
        accounts: BTreeMap::new(),
    };
    build(&Desired::nothing(stack), &live, delta, false)
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.changes
        .iter()
        .map(|c| c.address.name.as_str())
        .collect()
}

/// Names are such that any two steps of which the order is not kept would change places.
#[test]
fn power_comes_before_it_goes_and_deletions_come_last() {
    let steps = [
        difference("z0", Action::Adopt, &[], &[]),
        difference("z1", Action::Move, &[], &[]),
        Difference {
            reason: Reason::CredentialPending,
            ..difference("y", Action::Delete, &[], &[])
        },
        difference("x", Action::Create, &[], &["viewer"]),
        difference("w0", Action::UpdatePermissions, &[], &["viewer"]),
        difference(
            "w1",
            Action::UpdatePermissions,
            &["editor"],
            &["editor", "viewer"],
        ),
        difference("v", Action::Update, &[], &[]),
        difference("u", Action::UpdatePermissions, &["viewer"], &[]),
        difference("t", Action::Forget, &[], &[]),
        difference("s", Action::Delete, &["viewer"], &[]),
    ];
    let expected: Vec<_> = steps.iter().map(|d| d.address.name.clone()).collect();
    let mut differences = steps.to_vec();
    for _ in 0..expected.len() {
        differences.rotate_left(1);
        let delta = Delta {
            differences: differences.clone(),
            ..Delta::default()
        };
        assert_eq!(names(&plan(delta)), expected);
    }
}

#[test]
fn within_a_step_the_callers_own_account_comes_last_and_scopes_before_addresses() {
    let raise = |address: &str| difference(address, Action::UpdatePermissions, &[], &["viewer"]);
    let elsewhere = |address: &str| Difference {
        scope: space("alpha"),
        ..raise(address)
    };
    let own = Difference {
        account: Some(Mrn::new("me")),
        ..elsewhere("a")
    };
    let delta = Delta {
        differences: vec![own, raise("b"), raise("a"), elsewhere("c")],
        ..Delta::default()
    };
    let plan = plan(delta);
    assert_eq!(names(&plan), ["c", "a", "b", "a"]);
    assert_eq!(plan.changes[3].account, Some(Mrn::new("me")));
}

#[test]
fn nothing_is_done_at_an_address_where_something_is_in_the_way() {
    let blocked = |name: &str| Blocked {
        address: Address::new(name, None),
        scope: space("payments"),
        block: Block::Unread {
            why: "denied".to_owned(),
        },
        declared_at: None,
    };
    let delta = Delta {
        differences: vec![
            difference("a", Action::Update, &[], &[]),
            difference("b", Action::Update, &[], &[]),
        ],
        blocked: vec![blocked("a"), blocked("c")],
        ..Delta::default()
    };
    let plan = plan(delta);
    assert_eq!(names(&plan), ["b"]);
    assert_eq!(plan.blocked, [blocked("a"), blocked("c")]);
}

#[test]
fn of_the_accounts_left_alone_the_strongest_come_first() {
    let left = |name: &str, roles: &[&str]| LeftAlone {
        account: LiveAccount {
            mrn: Mrn::new(name),
            scope: space("payments"),
            name: name.to_owned(),
            description: None,
            labels: BTreeMap::new(),
            roles: set(roles),
            created_at: None,
            last_used: None,
            creator: None,
        },
        stack: None,
    };
    let delta = Delta {
        left_alone: vec![
            left("b", &["viewer"]),
            left("a", &["viewer"]),
            left("z", &["owner"]),
        ],
        ..Delta::default()
    };
    let plan = plan(delta);
    let order: Vec<_> = plan
        .annex
        .left_alone
        .iter()
        .map(|l| &l.account.name)
        .collect();
    assert_eq!(order, ["z", "a", "b"]);
}

#[test]
fn to_take_an_owner_into_custody_or_out_of_it_is_flagged_and_moves_no_power() {
    for action in [Action::Adopt, Action::Forget] {
        for (roles, owner) in [
            (&["agent", "owner"][..], true),
            (&["brand-new-role"], true),
            (&["editor"], false),
        ] {
            let plan = plan(Delta {
                differences: vec![difference("a", action, roles, roles)],
                ..Delta::default()
            });
            let privilege = &plan.changes[0].privilege;
            assert_eq!(privilege.owner, owner, "{action:?} {roles:?}");
            assert_eq!(privilege.verdict, Verdict::Neutral);
            assert!(privilege.gained.is_empty() && privilege.lost.is_empty());
        }
    }
    let plan = plan(Delta {
        differences: vec![difference("a", Action::Update, &["owner"], &["owner"])],
        ..Delta::default()
    });
    assert!(!plan.changes[0].privilege.owner);
}

#[test]
fn a_plan_tells_of_other_stacks() {
    let left = |stack: Option<&str>| LeftAlone {
        account: LiveAccount {
            mrn: Mrn::new("a"),
            scope: space("payments"),
            name: "a".to_owned(),
            description: None,
            labels: BTreeMap::new(),
            roles: RoleSet::new(),
            created_at: None,
            last_used: None,
            creator: None,
        },
        stack: stack.map(|id| StackId::new("acme", id).expect("valid")),
    };
    let told = |left: LeftAlone| {
        let delta = Delta {
            left_alone: vec![left],
            ..Delta::default()
        };
        plan(delta).annex.advice.len()
    };
    assert_eq!(told(left(Some("other000"))), 1, "one of the same name");
    assert_eq!(told(left(None)), 0);
}
