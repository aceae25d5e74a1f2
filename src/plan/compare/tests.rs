//! Everything that moves between two plans is said in its own words.

use super::*;
use crate::diff::{Block, Blocked, InFlight, Reason};
use crate::model::{
    AccountState, Caller, Destination, Limits, Marks, Place, RoleSet, Scope, SpaceId, StackId,
};
use crate::plan::{Annex, FORMAT, Privilege};

fn address(name: &str) -> Address {
    Address::new(name, None)
}

fn space(name: &str) -> Scope {
    Scope::Space(SpaceId::new(name).expect("valid"))
}

fn stack(name: &str) -> StackId {
    StackId::new(name, "k7m2q9ta").expect("valid")
}

fn plan() -> Plan {
    Plan {
        format: FORMAT,
        stack: stack("acme"),
        endpoint: "local".to_owned(),
        caller: Caller {
            mrn: Mrn::new("me"),
            name: None,
        },
        declared: 1,
        managed: 1,
        sealed: true,
        limits: Limits::default(),
        policies: Vec::new(),
        destroy: false,
        changes: vec![change("a"), change("b")],
        blocked: Vec::new(),
        in_flight: Vec::new(),
        annex: Annex::default(),
    }
}

fn state(roles: &[&str]) -> AccountState {
    AccountState {
        name: "ci".to_owned(),
        description: None,
        labels: BTreeMap::new(),
        roles: roles
            .iter()
            .map(|name| crate::model::Role::new(name))
            .collect(),
        valid_until: None,
        protected: false,
    }
}

fn change(name: &str) -> Change {
    Change {
        address: address(name),
        generation: 1,
        action: Action::UpdatePermissions,
        reason: Reason::Differs,
        scope: space("payments"),
        account: Some(Mrn::new(name)),
        before: Some(state(&["viewer"])),
        after: Some(state(&["editor"])),
        marks: None,
        privilege: Privilege::between(&RoleSet::new(), &RoleSet::new()),
        moved_from: None,
        deliver_to: Vec::new(),
        places: Vec::new(),
    }
}

fn policy(origin: PolicyOrigin, name: &str, sha256: &str) -> PolicyRef {
    PolicyRef {
        origin,
        name: name.to_owned(),
        sha256: sha256.to_owned(),
    }
}

/// What moved, when this is done to the plan that was judged.
fn moved(edit: impl Fn(&mut Plan)) -> Vec<Moved> {
    let mut now = plan();
    edit(&mut now);
    compare(&plan(), &now)
}

/// The same, of which there is one: its words, and whether the rest may go on.
fn one(edit: impl Fn(&mut Plan)) -> (String, bool) {
    let moved = moved(edit);
    assert_eq!(moved.len(), 1, "{moved:?}");
    (moved[0].what.clone(), moved[0].can_be_left_out())
}

#[test]
fn what_is_for_another_stops_everything_and_what_was_counted_does_not() {
    let says = |edit: fn(&mut Plan), words: &str, left_out: bool| {
        let (what, can) = one(edit);
        assert!(what.contains(words), "{what}");
        assert_eq!(can, left_out, "{what}");
    };
    says(|now| now.format += 1, "the plan's format was", false);
    says(
        |now| now.stack = stack("other"),
        "for the stack acme",
        false,
    );
    says(|now| now.endpoint = "us".to_owned(), "against local", false);
    says(
        |now| now.caller.mrn = Mrn::new("you"),
        "me planned it",
        false,
    );
    says(|now| now.destroy = true, "destroys everything", false);
    says(|now| now.sealed = false, "with a seal key", false);
    type Tighten = fn(&mut Limits);
    let limits: [(Tighten, &str); 7] = [
        (|l| l.max_deletes = 1, "max_deletes was 10 and is 1"),
        (|l| l.max_reaped = 1, "max_reaped was 10 and is 1"),
        (|l| l.max_delete_percent = 1, "max_delete_percent was 25"),
        (|l| l.max_escalations = 1, "max_escalations was 10"),
        (|l| l.max_gained_grants = 1, "max_gained_grants was 20"),
        (|l| l.max_revoked_grants = 1, "max_revoked_grants was 20"),
        (|l| l.min_owners = 2, "min_owners was 1 and is 2"),
    ];
    for (tighten, words) in limits {
        let (what, can) = one(|now| tighten(&mut now.limits));
        assert!(what.contains(words) && !can, "{what}");
    }
    says(|now| now.declared = 7, "1 accounts were declared", true);
    says(|now| now.managed = 7, "1 live accounts were", true);
    says(|now| now.changes.reverse(), "the order", false);
    assert_eq!(moved(|_| ()), []);
    // What a person sees besides is no part of a plan.
    assert_eq!(moved(|now| now.annex.unchanged = 9), []);
}

#[test]
fn policies_that_were_added_changed_or_taken_away_are_named() {
    use PolicyOrigin::{Configuration, PolicyDir};
    let old = [
        policy(Configuration, "kept", "1"),
        policy(PolicyDir, "changed", "1"),
        policy(Configuration, "gone", "1"),
    ];
    let now = [
        policy(Configuration, "kept", "1"),
        policy(PolicyDir, "changed", "2"),
        policy(PolicyDir, "gone", "1"),
    ];
    assert_eq!(
        policies_moved(&old, &now),
        [
            "the policy changed of the policy directory has changed",
            "the policy gone is not there any more",
            "the policy gone of the policy directory is new",
        ]
    );
    assert_eq!(policies_moved(&old, &old), Vec::<String>::new());
    let turned = [old[1].clone(), old[0].clone(), old[2].clone()];
    assert_eq!(
        policies_moved(&old, &turned),
        ["the policies are not those of then"]
    );
    let (what, can_be_left_out) = one(|now| now.policies = vec![policy(Configuration, "p", "1")]);
    assert_eq!(what, "the policy p is new");
    assert!(!can_be_left_out);
}

#[test]
fn each_side_of_a_change_that_moved_is_named() {
    let says = |edit: fn(&mut Change), words: &str| {
        let (what, can) = one(|now| edit(&mut now.changes[0]));
        assert_eq!(what, format!("update-permissions: {words}"));
        assert!(can);
    };
    says(
        |now| now.before = Some(state(&["agent", "viewer"])),
        "its live roles were [viewer] and are [agent, viewer]",
    );
    says(|now| now.before = None, "what is live has changed");
    says(
        |now| now.privilege.owner = true,
        "what it means for power is told otherwise",
    );
    // It follows from what is told already.
    says(
        |now| {
            now.after = Some(state(&["owner"]));
            now.privilege.owner = true;
        },
        "what is wanted has changed",
    );
    says(
        |now| {
            now.before = Some(AccountState {
                name: "other".to_owned(),
                ..state(&["viewer"])
            });
        },
        "what is live has changed",
    );
    says(
        |now| {
            now.marks = Some(Marks::external(stack("acme"), address("a").label(), false));
        },
        "its marks have changed",
    );
    says(
        |now| now.after = Some(state(&["owner"])),
        "what is wanted has changed",
    );
    says(
        |now| now.moved_from = Some(address("before")),
        "it comes from another address",
    );
    says(
        |now| {
            now.deliver_to = vec![Destination {
                sink: "file.local".to_owned(),
                place: Place::File {
                    directory: "new".to_owned(),
                    file: "ci.json".to_owned(),
                    format: crate::model::FileFormat::Json,
                },
            }];
        },
        "its key goes elsewhere",
    );
    says(|now| now.scope = space("other"), "its scope has changed");
    says(
        |now| now.reason = Reason::Undeclared,
        "the reason is another",
    );
}

#[test]
fn changes_obstacles_and_births_that_came_or_went_are_said_of_their_address() {
    let about = |moved: Vec<Moved>| -> Vec<(String, String)> {
        assert!(moved.iter().all(Moved::can_be_left_out));
        let pairs = moved.into_iter();
        pairs
            .map(|m| (m.address.expect("an address").to_string(), m.what))
            .collect()
    };
    let said = |address: &str, what: &str| vec![(address.to_owned(), what.to_owned())];
    let fewer = about(moved(|now| drop(now.changes.pop())));
    let gone = "update-permissions: judged, and not due any more";
    assert_eq!(fewer, said("service_account.b", gone));
    let more = about(moved(|now| now.changes.push(change("c"))));
    let new = "update-permissions: due now, and not judged; its live roles are [viewer]";
    assert_eq!(more, said("service_account.c", new));

    let blocked = |why: &str, at: &str| Blocked {
        address: address("x"),
        scope: space(at),
        block: Block::Unread {
            why: why.to_owned(),
        },
        declared_at: None,
    };
    let (none, one, other) = (
        plan(),
        Plan {
            blocked: vec![blocked("denied", "payments")],
            ..plan()
        },
        Plan {
            blocked: vec![blocked("timed out", "payments")],
            ..plan()
        },
    );
    let far = Plan {
        blocked: vec![blocked("denied", "other")],
        ..plan()
    };
    let (came, went) = (
        "something stands in its way",
        "what stood in its way has changed",
    );
    let at = "service_account.x";
    assert_eq!(about(compare(&none, &one)), said(at, came));
    assert_eq!(about(compare(&one, &none)), said(at, went));
    for another in [other, far] {
        let both = [said(at, came), said(at, went)].concat();
        assert_eq!(about(compare(&one, &another)), both);
    }
    assert_eq!(compare(&one, &one), []);

    let flying = |account: &str| Plan {
        in_flight: vec![InFlight {
            address: address("y"),
            account: Mrn::new(account),
            until: jiff::Timestamp::UNIX_EPOCH,
        }],
        ..plan()
    };
    let birth = said(
        "service_account.y",
        "its birth in another run has begun or ended",
    );
    assert_eq!(about(compare(&none, &flying("1"))), birth);
    assert_eq!(about(compare(&flying("1"), &none)), birth);
    // Said once, though one ended and another began.
    assert_eq!(about(compare(&flying("1"), &flying("2"))), birth);
}
