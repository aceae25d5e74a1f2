//! The order of a plan, and what is left out of it.

use super::*;
use crate::diff::{Action, Blocked, Difference, LeftAlone, Obstacle, Reason};
use crate::model::samples::{self, destination};
use crate::model::{
    AccountState, Address, Inventory, LiveAccount, Meant, Mrn, Role, RoleSet, Scope, ScopeInfo,
    SpaceId, StackId,
};
use crate::plan::{Step, Verdict};

fn set(names: &[&str]) -> RoleSet {
    names.iter().map(|name| Role::new(name)).collect()
}

fn space(name: &str) -> Scope {
    Scope::Space(SpaceId::new(name).expect("valid"))
}

fn difference(address: &str, action: Action, before: &[&str], after: &[&str]) -> Difference {
    let creates = action == Action::Create;
    let state = |roles: &[&str], description: Option<&str>| AccountState {
        description: description.map(str::to_owned),
        roles: set(roles),
        ..samples::state(address)
    };
    Difference {
        address: Address::new(address, None),
        generation: 1,
        action,
        reason: Reason::Differs,
        scope: space("payments"),
        account: (!creates).then(|| Mrn::new(address)),
        before: (!creates).then(|| state(before, None)),
        after: (action != Action::Delete)
            .then(|| state(after, (action == Action::Update).then_some("new"))),
        marks: None,
        moved_from: (action == Action::Move).then(|| Address::new("before", None)),
        deliver_to: creates.then(|| destination("a.json")).into_iter().collect(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: Vec::new(),
    }
}

fn plan(delta: Delta) -> Plan {
    plan_of("me", delta)
}

fn plan_of(caller: &str, delta: Delta) -> Plan {
    let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
    let live = Live {
        scopes: ["alpha", "payments"]
            .map(|name| {
                let name = name.to_owned();
                (
                    space(&name),
                    ScopeInfo {
                        name,
                        organization: None,
                    },
                )
            })
            .into(),
        ..samples::live(caller, [])
    };
    let take_over = ["other", "third"].map(|name| StackId::new(name, "k7m2q9ta").expect("valid"));
    let desired = Desired {
        meant: Meant {
            take_over: take_over.into(),
            ..Meant::default()
        },
        ..Desired::nothing(stack)
    };
    build(&desired, &live, &Inventory::default(), delta)
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
        let plan = plan(delta);
        assert_eq!(names(&plan), expected);
        use Step::{Adopt, Birth, Delete, Forget, Grant, RemoveDeadBirth, Revoke, Update};
        let steps: Vec<Step> = plan.changes.iter().map(|change| change.step).collect();
        let (adopt, grant) = ([Adopt; 2], [Grant; 2]);
        let first = [&adopt[..], &[RemoveDeadBirth, Birth], &grant].concat();
        assert_eq!(
            steps,
            [&first[..], &[Update, Revoke, Forget, Delete]].concat()
        );
    }
}

/// A rename from one name to another.
fn rename(address: &str, from: &str, to: &str) -> Difference {
    let mut difference = difference(address, Action::Update, &[], &[]);
    difference.before.as_mut().expect("an update").name = from.to_owned();
    difference.after.as_mut().expect("an update").name = to.to_owned();
    difference
}

fn birth(address: &str, name: &str) -> Difference {
    let mut difference = difference(address, Action::Create, &[], &[]);
    difference.after.as_mut().expect("a birth").name = name.to_owned();
    difference
}

#[test]
fn a_name_is_freed_before_it_is_given_again() {
    let ordered = |mut differences: Vec<Difference>| {
        let mut all = Vec::new();
        for _ in 0..differences.len() {
            differences.rotate_left(1);
            let delta = Delta {
                differences: differences.clone(),
                ..Delta::default()
            };
            let plan = plan(delta);
            all.push(names(&plan).join(" "));
        }
        all.dedup();
        all
    };
    assert_eq!(
        ordered(vec![birth("a", "one"), rename("b", "one", "two")]),
        ["b a"]
    );
    // One that frees nothing which is wanted stays where updates are.
    assert_eq!(
        ordered(vec![
            birth("m", "one"),
            rename("b", "other", "another"),
            rename("z", "one", "two"),
        ]),
        ["z m b"]
    );
    // Each waits for the one that has the name it gets, whatever its address.
    assert_eq!(
        ordered(vec![
            birth("n", "one"),
            rename("a", "one", "two"),
            rename("b", "two", "three"),
            rename("c", "three", "four"),
        ]),
        ["c b a n"]
    );
    // One text in two forms of Unicode is one name.
    assert_eq!(
        ordered(vec![
            birth("a", "caf\u{e9}"),
            rename("b", "cafe\u{301}", "tea")
        ]),
        ["b a"]
    );
    // Names of two scopes never meet.
    let far = Difference {
        scope: space("alpha"),
        ..rename("b", "one", "two")
    };
    assert_eq!(ordered(vec![birth("a", "one"), far]), ["a b"]);
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
        ..elsewhere("aa")
    };
    let delta = Delta {
        differences: vec![own, raise("b"), raise("a"), elsewhere("c")],
        ..Delta::default()
    };
    let plan = plan(delta);
    assert_eq!(names(&plan), ["c", "a", "b", "aa"]);
    assert_eq!(plan.changes[3].account, Some(Mrn::new("me")));
}

/// Who plans and who applies are two, and the plan has one name; whose account is the run's own comes
/// last in that run all the same.
#[test]
fn the_order_of_a_run_depends_on_its_caller_and_the_name_does_not() {
    let raise = |address: &str| difference(address, Action::UpdatePermissions, &[], &["viewer"]);
    let delta = || Delta {
        differences: vec![
            raise("a"),
            raise("b"),
            raise("c"),
            difference("d", Action::Delete, &["viewer"], &[]),
        ],
        ..Delta::default()
    };
    let nobody = plan_of("me", delta());
    assert_eq!(names(&nobody), ["a", "b", "c", "d"]);
    for (caller, order) in [
        ("a", ["b", "c", "a", "d"]),
        ("b", ["a", "c", "b", "d"]),
        ("d", ["a", "b", "c", "d"]),
    ] {
        let plan = plan_of(caller, delta());
        assert_eq!(names(&plan), order);
        assert_eq!(plan.canonical(), nobody.canonical());
        assert_eq!(plan.digest(), nobody.digest());
    }
}

/// Of a difference that is taken from another stack the plan says from which.
#[test]
fn another_stacks_account_is_named_with_its_stack() {
    use crate::model::Marks;
    let of = |stack: &str| {
        let marks = Marks::external(
            StackId::new(stack, "k7m2q9ta").expect("valid"),
            Address::new("a", None).label(),
            false,
        );
        plan(Delta {
            differences: vec![Difference {
                reason: Reason::TakenOver,
                marks: Some(marks),
                ..difference("a", Action::Adopt, &[], &[])
            }],
            ..Delta::default()
        })
    };
    let [own, other, third] = ["acme", "other", "third"].map(of);
    assert_eq!(own.changes[0].taken_from, None);
    let from = other.changes[0]
        .taken_from
        .as_ref()
        .map(ToString::to_string);
    assert_eq!(from.as_deref(), Some("other/k7m2q9ta"));
    assert_ne!(own.digest(), other.digest());
    assert_ne!(third.digest(), other.digest());
}

#[test]
fn nothing_is_done_at_an_address_where_something_is_in_the_way() {
    let blocked = |name: &str| Blocked {
        address: Address::new(name, None),
        scope: space("payments"),
        block: Obstacle::Unread {
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
            roles: set(roles),
            ..samples::account(Mrn::new(name), space("payments"), name)
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
        account: samples::account(Mrn::new("a"), space("payments"), "a"),
        stack: stack.map(|id| StackId::new("acme", id).expect("valid")),
    };
    let told = |left: LeftAlone| {
        let delta = Delta {
            left_alone: vec![left],
            sealed: true,
            ..Delta::default()
        };
        plan(delta).annex.advice.len()
    };
    assert_eq!(told(left(Some("other000"))), 1, "one of the same name");
    assert_eq!(told(left(None)), 0);
}

#[test]
fn a_plan_without_a_seal_key_says_once_what_is_not_proven() {
    let told = |sealed: bool, differences: Vec<Difference>| {
        let delta = Delta {
            sealed,
            differences,
            ..Delta::default()
        };
        let plan = plan(delta);
        let advice = &plan.annex.advice;
        let unproven = advice.iter().filter(|said| said.contains("seal_key"));
        unproven.count()
    };
    let raised = || {
        vec![difference(
            "a",
            Action::UpdatePermissions,
            &["viewer"],
            &["owner"],
        )]
    };
    assert_eq!(told(false, Vec::new()), 1);
    assert_eq!(told(false, raised()), 1);
    assert_eq!(told(true, Vec::new()), 0);
    assert_eq!(told(true, raised()), 0);
}

/// Its name stands there as long as seals of it are believed, and decides nothing.
#[test]
fn a_former_key_is_told_in_one_line_and_changes_no_digest() {
    let told = |former: Option<&str>| {
        plan(Delta {
            sealed: true,
            former: former.map(str::to_owned),
            ..Delta::default()
        })
    };
    let (with, without) = (told(Some("56475aa75463474c")), told(None));
    let lines = with.annex.advice.iter();
    let lines: Vec<_> = lines.filter(|l| l.contains("56475aa75463474c")).collect();
    assert_eq!(lines.len(), 1, "{:?}", with.annex.advice);
    assert!(lines[0].contains("seal_key_former"));
    assert_eq!(with.annex.advice.len(), without.annex.advice.len() + 1);
    assert_eq!(with.digest(), without.digest());
}
