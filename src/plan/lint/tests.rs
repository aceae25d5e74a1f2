//! Each rule bites, and a plan that keeps them all is let through.

use super::*;
use crate::diff::{Blocked, Difference, InFlight, LeftAlone, Obstacle};
use crate::model::samples::{self, destination};
use crate::model::{
    Caller, CredentialMark, Fingerprint, Limits, Marks, Meant, Nonce, OnDelete, Role, RoleSet,
    Scope, ScopeInfo, SpaceId, StackId, Unread,
};
use crate::plan::{Annex, Leaving};

const ME: &str = "//agents.api.mondoo.app/spaces/payments/serviceaccounts/me";

fn stack(name: &str) -> StackId {
    StackId::new(name, "k7m2q9ta").expect("valid")
}

fn space(name: &str) -> Scope {
    Scope::Space(SpaceId::new(name).expect("valid"))
}

fn mrn(id: &str) -> Mrn {
    Mrn::new(format!(
        "//agents.api.mondoo.app/spaces/payments/serviceaccounts/{id}"
    ))
}

fn state(name: &str, roles: &[&str]) -> AccountState {
    AccountState {
        roles: roles.iter().map(|role| Role::new(role)).collect(),
        ..samples::state(name)
    }
}

/// A change of an account of ours as the comparison makes it.
fn difference(name: &str, action: Action) -> Difference {
    let creates = action == Action::Create;
    let before = match action {
        Action::UpdatePermissions => state(name, &["viewer"]),
        _ => state(name, &[]),
    };
    let mut after = state(name, &[]);
    if action == Action::Update {
        after.description = Some("new".to_owned());
    }
    Difference {
        address: Address::new(name, None),
        generation: 1,
        action,
        reason: Reason::Differs,
        scope: space("payments"),
        account: (!creates).then(|| mrn(name)),
        before: (!creates).then_some(before),
        after: (action != Action::Delete).then_some(after),
        marks: (!creates)
            .then(|| Marks::external(stack("acme"), Address::new(name, None).label(), false)),
        moved_from: (action == Action::Move).then(|| Address::new("before", None)),
        deliver_to: creates.then(|| destination("a.json")).into_iter().collect(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: Vec::new(),
    }
}

fn change(difference: Difference) -> Change {
    Change::of(difference, &stack("acme"))
}

/// One change of every kind, in order.
fn good() -> Contents {
    use Action::{Adopt, Create, Delete, Forget, Move, Update, UpdatePermissions};
    let dead = Difference {
        reason: Reason::CredentialPending,
        ..difference("reborn", Delete)
    };
    let mut renamed = difference("renamed", Update);
    renamed.after.as_mut().expect("an update").name = "other".to_owned();
    let mut named = difference("named", Update);
    named.after.as_mut().expect("an update").name = "renamed".to_owned();
    let mut granted = difference("granted", UpdatePermissions);
    std::mem::swap(&mut granted.before, &mut granted.after);
    let taken = Difference {
        reason: Reason::TakenOver,
        marks: Some(Marks::external(
            stack("other"),
            Address::new("x", None).label(),
            false,
        )),
        ..difference("taken", Adopt)
    };
    let differences = vec![
        difference("adopted", Adopt),
        difference("adopted", Update),
        taken,
        difference("moved", Move),
        dead,
        difference("reborn", Create),
        renamed,
        named,
        granted,
        difference("worded", Update),
        difference("lowered", UpdatePermissions),
        difference("left", Forget),
        difference("gone", Delete),
        Difference {
            account: Some(Mrn::new(ME)),
            ..difference("aaa", Delete)
        },
    ];
    let contents = Contents {
        stack: stack("acme"),
        endpoint: "local".to_owned(),
        meant: Meant {
            take_over: [stack("other")].into(),
            ..Meant::default()
        },
        limits: Limits::default(),
        policies: Vec::new(),
        changes: differences.into_iter().map(change).collect(),
        blocked: Vec::new(),
        caller: Caller {
            mrn: Mrn::new(ME),
            name: None,
            binding: None,
        },
        declared: 0,
        managed: 0,
        sealed: true,
        in_flight: Vec::new(),
        annex: Annex {
            scopes: [(
                space("payments"),
                ScopeInfo {
                    name: "payments".to_owned(),
                    organization: None,
                },
            )]
            .into(),
            ..Annex::default()
        },
    };
    contents.settle().into_contents()
}

/// The number of the change of that name and action.
fn at(plan: &Contents, name: &str, action: Action) -> usize {
    let mut changes = plan.changes.iter();
    let found = changes.position(|c| c.address.name == name && c.action == action);
    found.expect("a change")
}

/// What is found of a plan in which one change was made different.
fn with(name: &str, action: Action, break_it: impl FnOnce(&mut Change)) -> Vec<Rule> {
    planted(|plan| {
        let at = at(plan, name, action);
        break_it(&mut plan.changes[at]);
    })
}

/// The rules that a plan breaks that was made different.
fn planted(break_it: impl FnOnce(&mut Contents)) -> Vec<Rule> {
    let mut plan = good();
    break_it(&mut plan);
    lint(&plan).into_iter().map(|found| found.rule).collect()
}

#[test]
fn a_plan_that_keeps_every_rule_has_no_finding() {
    assert_eq!(lint(&good()), []);
}

#[test]
fn every_two_changes_in_the_wrong_order_are_found() {
    let plan = good();
    let turn = |change: &Change| {
        let own = change.account == Some(Mrn::new(ME));
        (change.step, change.waits, own)
    };
    for first in 0..plan.changes.len() {
        for second in first + 1..plan.changes.len() {
            // Of one step the order is a matter of taste.
            if turn(&plan.changes[first]) == turn(&plan.changes[second]) {
                continue;
            }
            let found = planted(|plan| plan.changes.swap(first, second));
            assert!(found.contains(&Rule::Order), "{first} {second}: {found:?}");
        }
    }
}

#[test]
fn a_name_that_is_given_before_it_is_free_is_found() {
    let found = planted(|plan| {
        let at = at(plan, "reborn", Action::Create);
        let after = plan.changes[at].what.after.as_mut();
        after.expect("a birth").name = "worded".to_owned();
        let at = self::at(plan, "worded", Action::Update);
        let after = plan.changes[at].what.after.as_mut();
        after.expect("an update").name = "quite another".to_owned();
    });
    assert_eq!(found, [Rule::Order]);
}

#[test]
fn a_step_of_others_is_found() {
    use Action::{Adopt, Create, Delete, Forget, Move, Update, UpdatePermissions};
    for (name, action, wrong) in [
        ("adopted", Adopt, Step::Update),
        ("moved", Move, Step::Update),
        ("reborn", Delete, Step::Delete),
        ("reborn", Create, Step::Grant),
        ("granted", UpdatePermissions, Step::Revoke),
        ("worded", Update, Step::Grant),
        // It renames nothing.
        ("worded", Update, Step::Rename),
        ("lowered", UpdatePermissions, Step::Grant),
        ("left", Forget, Step::Delete),
        ("gone", Delete, Step::RemoveDeadBirth),
    ] {
        let found = with(name, action, |change| change.step = wrong);
        assert!(found.contains(&Rule::Step), "{name} {wrong:?}: {found:?}");
    }
    let found = with("gone", Delete, |change| change.waits = 1);
    assert!(found.contains(&Rule::Step), "{found:?}");
}

#[test]
fn what_belongs_to_another_action_is_found() {
    use Action::{Create, Delete, Move, Update};
    let shape = [Rule::Shape];
    type Break = fn(&mut Difference);
    let cases: [(&str, &str, Action, Break); 10] = [
        (
            "a birth without a place for its key",
            "reborn",
            Create,
            |d| d.deliver_to.clear(),
        ),
        ("a birth of two keys in one place", "reborn", Create, |d| {
            d.deliver_to.push(destination("a.json"));
        }),
        (
            "a birth of an account that is there",
            "reborn",
            Create,
            |d| {
                d.account = Some(mrn("x"));
            },
        ),
        ("an update of nothing", "worded", Update, |d| {
            d.account = None
        }),
        ("an update that delivers a key", "worded", Update, |d| {
            d.deliver_to.push(destination("a.json"));
        }),
        ("an update from an address", "worded", Update, |d| {
            d.moved_from = Some(Address::new("x", None));
        }),
        ("a move from nowhere", "moved", Move, |d| {
            d.moved_from = None
        }),
        ("a deletion with a state after", "gone", Delete, |d| {
            d.after = d.before.clone()
        }),
        ("an account of another scope", "gone", Delete, |d| {
            d.account = Some(Mrn::new(
                ME.replace("payments", "billing").replace("/me", "/x"),
            ));
        }),
        (
            "a deletion of a state that nobody knows",
            "gone",
            Delete,
            |d| d.before = None,
        ),
    ];
    for (kind, name, action, break_it) in cases {
        let found = with(name, action, |change| break_it(&mut change.what));
        assert_eq!(found, shape, "{kind}");
    }
    let found = with("reborn", Create, |change| {
        change.what.before = Some(state("reborn", &[]))
    });
    assert!(found.contains(&Rule::Shape), "{found:?}");
}

#[test]
fn a_change_that_does_something_else_is_found() {
    use Action::{Adopt, Forget, Move, Update, UpdatePermissions};
    let viewer: RoleSet = [Role::new("viewer")].into();
    for (name, action) in [
        ("worded", Update),
        ("adopted", Adopt),
        ("moved", Move),
        ("left", Forget),
    ] {
        let found = with(name, action, |change| {
            change.what.after.as_mut().expect("a state").roles = viewer.clone();
        });
        assert_eq!(found, [Rule::Effect], "{name} sets roles");
    }
    for (name, action) in [("adopted", Adopt), ("moved", Move), ("left", Forget)] {
        for part in 0..3 {
            let found = with(name, action, |change| {
                let after = change.what.after.as_mut().expect("a state");
                match part {
                    0 => after.description = Some("x".to_owned()),
                    1 => after.labels = [("a".to_owned(), "b".to_owned())].into(),
                    _ => after.name = "x".to_owned(),
                }
            });
            assert_eq!(found, [Rule::Effect], "{name} changes words");
        }
    }
    let same = |change: &mut Change| change.what.after = change.what.before.clone();
    assert_eq!(with("worded", Update, same), [Rule::Effect]);
    assert_eq!(with("granted", UpdatePermissions, same), [Rule::Effect]);
    let sealed = with("worded", Update, |change| {
        change.what.reason = Reason::Unsealed;
        change.what.after = change.what.before.clone();
    });
    assert_eq!(sealed, [], "a seal alone is written by an update");
    for part in 0..5 {
        let found = with("granted", UpdatePermissions, |change| {
            let after = change.what.after.as_mut().expect("a state");
            match part {
                0 => after.description = Some("x".to_owned()),
                1 => after.labels = [("a".to_owned(), "b".to_owned())].into(),
                2 => after.protected = true,
                3 => after.valid_until = Some(jiff::Timestamp::UNIX_EPOCH),
                _ => after.name = "x".to_owned(),
            }
        });
        assert_eq!(found, [Rule::Effect], "part {part}");
    }
}

#[test]
fn the_deletion_of_a_protected_account_is_found() {
    for name in ["gone", "reborn"] {
        let found = with(name, Action::Delete, |change| {
            change.what.before.as_mut().expect("a state").protected = true;
        });
        assert_eq!(found, [Rule::Protected]);
    }
}

#[test]
fn what_is_done_in_a_scope_that_was_not_read_is_found() {
    let all = good().changes.len();
    let unread = Unread {
        why: "denied".to_owned(),
    };
    let unread = planted(|plan| _ = plan.annex.unread.insert(space("payments"), unread));
    assert_eq!(unread, vec![Rule::Scope; all]);
    // As of a space that is gone.
    let gone = planted(|plan| plan.annex.scopes.clear());
    assert_eq!(gone, vec![Rule::Scope; all]);
    let elsewhere = with("reborn", Action::Create, |change| {
        change.what.scope = space("billing");
    });
    assert_eq!(elsewhere, [Rule::Scope]);
}

#[test]
fn a_change_that_stands_twice_is_found() {
    for name in ["gone", "left"] {
        let found = planted(|plan| {
            let action = match name {
                "gone" => Action::Delete,
                _ => Action::Forget,
            };
            let at = at(plan, name, action);
            plan.changes.insert(at, plan.changes[at].clone());
        });
        assert_eq!(found, [Rule::Unique, Rule::Once]);
    }
    // One address may be given to two accounts by two births no more than to one.
    let found = planted(|plan| {
        let at = at(plan, "reborn", Action::Create);
        let mut again = plan.changes[at].clone();
        again.what.after.as_mut().expect("a birth").name = "again".to_owned();
        plan.changes.insert(at, again);
    });
    assert_eq!(found, [Rule::Unique]);
    let found = planted(|plan| {
        let at = at(plan, "reborn", Action::Create);
        let mut again = plan.changes[at].clone();
        again.what.after.as_mut().expect("a birth").name = "again".to_owned();
        again.what.generation = 2;
        plan.changes.insert(at, again);
    });
    assert_eq!(found, []);
}

#[test]
fn changes_of_one_account_that_exclude_each_other_are_found() {
    use Action::{Adopt, Delete, Forget, Move, Update, UpdatePermissions};
    for (one, other) in [
        (("adopted", Adopt), ("moved", Move)),
        (("adopted", Adopt), ("gone", Delete)),
        (("moved", Move), ("left", Forget)),
        (("worded", Update), ("gone", Delete)),
        (("lowered", UpdatePermissions), ("gone", Delete)),
        (("lowered", UpdatePermissions), ("left", Forget)),
        (
            ("granted", UpdatePermissions),
            ("lowered", UpdatePermissions),
        ),
        (("left", Forget), ("gone", Delete)),
        (("reborn", Delete), ("gone", Delete)),
        (("reborn", Delete), ("worded", Update)),
    ] {
        let found = planted(|plan| {
            let account = plan.changes[at(plan, one.0, one.1)].account.clone();
            let at = at(plan, other.0, other.1);
            plan.changes[at].what.account = account;
        });
        assert_eq!(found, [Rule::Once], "{one:?} {other:?}");
    }
}

#[test]
fn what_is_done_where_something_is_in_the_way_is_found() {
    for (name, changes) in [("gone", 1), ("reborn", 2)] {
        let blocked = Blocked {
            address: Address::new(name, None),
            scope: space("payments"),
            block: Obstacle::Unread {
                why: "denied".to_owned(),
            },
            declared_at: None,
        };
        let found = planted(|plan| plan.blocked.push(blocked));
        assert_eq!(found, vec![Rule::Blocked; changes]);
    }
    let birth = |address: &str, account: Mrn| InFlight {
        address: Address::new(address, None),
        account,
        until: jiff::Timestamp::UNIX_EPOCH,
        nonce: None,
    };
    let address = planted(|plan| plan.in_flight.push(birth("gone", mrn("x"))));
    assert_eq!(address, [Rule::Blocked]);
    let account = planted(|plan| plan.in_flight.push(birth("x", mrn("gone"))));
    assert_eq!(account, [Rule::Blocked]);
}

#[test]
fn a_change_of_what_is_left_alone_is_found() {
    let left = |id: &str| LeftAlone {
        account: samples::account(mrn(id), space("payments"), id),
        stack: None,
    };
    for (id, found) in [("gone", 1), ("adopted", 2), ("stranger", 0)] {
        let rules = planted(|plan| plan.annex.left_alone.push(left(id)));
        assert_eq!(rules, vec![Rule::LeftAlone; found]);
    }
}

#[test]
fn two_accounts_of_one_name_are_found() {
    for (name, action, taken) in [
        ("reborn", Action::Create, "renamed"),
        ("worded", Action::Update, "reborn"),
        ("worded", Action::Update, "other"),
    ] {
        let found = with(name, action, |change| {
            change.what.after.as_mut().expect("a state").name = taken.to_owned();
        });
        assert!(found.contains(&Rule::Names), "{name}: {found:?}");
    }
    // One text in two forms of Unicode is one name.
    let found = planted(|plan| {
        for (name, action, given) in [
            ("reborn", Action::Create, "caf\u{e9}"),
            ("worded", Action::Update, "cafe\u{301}"),
        ] {
            let at = at(plan, name, action);
            plan.changes[at].what.after.as_mut().expect("a state").name = given.to_owned();
        }
    });
    assert_eq!(found, [Rule::Names]);
}

#[test]
fn a_hand_on_another_configurations_account_is_found() {
    let foreign = |change: &mut Change| {
        change.what.marks = Some(Marks::external(
            stack("other"),
            Address::new("x", None).label(),
            false,
        ));
        change.taken_from = Some(stack("other"));
    };
    for (name, action) in [
        ("gone", Action::Delete),
        ("worded", Action::Update),
        ("lowered", Action::UpdatePermissions),
        ("adopted", Action::Adopt),
    ] {
        assert_eq!(with(name, action, foreign), [Rule::Foreign], "{name}");
    }
    let nobody_said_so = planted(|plan| plan.meant.take_over.clear());
    assert_eq!(nobody_said_so, [Rule::Foreign]);
    let silent = with("taken", Action::Adopt, |change| change.taken_from = None);
    assert_eq!(silent, [Rule::Foreign]);
}

#[test]
fn a_finding_names_its_change() {
    let mut plan = good();
    let at = at(&plan, "reborn", Action::Create);
    plan.changes[at].what.deliver_to.clear();
    let found: Vec<String> = lint(&plan).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["service_account.reborn: a birth has nowhere to put the key (Shape)"]
    );
}

/// A live account whose key is at `a.json` and `b.json`, with one change of it.
fn keyed(action: Action, edit: impl FnOnce(&mut Difference)) -> Vec<Rule> {
    let places = ["a.json", "b.json"].map(destination);
    let credential = CredentialMark::Delivered {
        fingerprint: Fingerprint::from_label("00"),
        nonce: Nonce::from_label("00"),
        destinations: places.iter().map(|to| to.key_at(1, None)).collect(),
    };
    let mut what = difference("ci", action);
    what.marks = what.marks.map(|marks| Marks {
        credential,
        ..marks
    });
    if action == Action::Redeliver {
        what.reason = Reason::DeliverTo;
        what.key_from = Some(destination("a.json"));
        what.deliver_to = vec![destination("c.json")];
    }
    edit(&mut what);
    let plan = Contents {
        changes: vec![change(what)],
        ..good()
    };
    lint(&plan).into_iter().map(|found| found.rule).collect()
}

fn leaving(file: &str, removed: bool) -> Leaving {
    let place = destination(file).with(match removed {
        true => OnDelete::Remove,
        false => OnDelete::Keep,
    });
    Leaving {
        id: place.id(),
        kind: place.kind(),
        place: Some(place),
        removed,
    }
}

#[test]
fn what_a_key_cannot_do_is_found() {
    use Action::{Delete, Redeliver, Update, UpdatePermissions};
    let fine = Vec::<Rule>::new();
    assert_eq!(keyed(Redeliver, |_| ()), fine);
    for removed in [false, true] {
        assert_eq!(
            keyed(Update, |d| d.leaves = vec![leaving("b.json", removed)]),
            fine
        );
    }
    assert_eq!(
        keyed(Delete, |d| d.leaves = vec![leaving("b.json", true)]),
        fine
    );
    type Break = fn(&mut Difference);
    let cases: [(&str, Action, Break); 10] = [
        ("read nowhere", Redeliver, |d| d.key_from = None),
        ("delivered nowhere", Redeliver, |d| d.deliver_to.clear()),
        ("delivered to where it is read", Redeliver, |d| {
            d.deliver_to = vec![destination("a.json")];
        }),
        ("read for an update", Update, |d| {
            d.key_from = Some(destination("a.json"));
        }),
        ("left with roles", UpdatePermissions, |d| {
            d.leaves = vec![leaving("b.json", false)];
        }),
        ("removed where it is kept", Update, |d| {
            d.leaves = vec![Leaving {
                removed: true,
                ..leaving("b.json", false)
            }];
        }),
        ("left where it is not", Update, |d| {
            d.leaves = vec![leaving("c.json", false)];
        }),
        ("left twice", Update, |d| {
            d.leaves = vec![leaving("b.json", false), leaving("b.json", false)];
        }),
        ("left everywhere", Update, |d| {
            d.leaves = vec![leaving("a.json", false), leaving("b.json", false)];
        }),
        ("deleted and kept", Delete, |d| {
            d.leaves = vec![leaving("b.json", false)];
        }),
    ];
    for (what, action, edit) in cases {
        let found = keyed(action, edit);
        assert!(found.contains(&Rule::Shape), "{what}: {found:?}");
    }
    let changed = keyed(Redeliver, |d| {
        let after = d.after.as_mut().expect("a state");
        after.description = Some("new".to_owned());
    });
    assert_eq!(changed, [Rule::Effect]);
}
