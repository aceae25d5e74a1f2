//! Everything that moves between two plans is said in its own words.

use super::*;
use crate::diff::{Blocked, InFlight, Obstacle, Reason};
use crate::model::samples;
use crate::model::{
    AccountState, Caller, Destination, Limits, Marks, Place, Scope, ScopeInfo, SpaceId, StackId,
    Unread,
};

fn address(name: &str) -> Address {
    Address::new(name, None)
}

fn space(name: &str) -> Scope {
    Scope::Space(SpaceId::new(name).expect("valid"))
}

fn stack(name: &str) -> StackId {
    StackId::new(name, "k7m2q9ta").expect("valid")
}

fn plan() -> Contents {
    Contents {
        stack: stack("acme"),
        endpoint: "local".to_owned(),
        meant: Meant::default(),
        limits: Limits::default(),
        policies: Vec::new(),
        changes: vec![change("a"), change("b")],
        blocked: Vec::new(),
        caller: Caller {
            mrn: Mrn::new("me"),
            name: None,
            binding: None,
        },
        declared: 1,
        managed: 1,
        sealed: true,
        in_flight: Vec::new(),
        annex: Annex::default(),
    }
}

fn state(roles: &[&str]) -> AccountState {
    AccountState {
        roles: roles.iter().map(|r| Role::new(r)).collect(),
        ..samples::state("ci")
    }
}

fn change(name: &str) -> Change {
    changed(name, |_| {})
}

fn changed(name: &str, edit: impl Fn(&mut Difference)) -> Change {
    let mut what = Difference {
        address: address(name),
        generation: 1,
        action: Action::UpdatePermissions,
        reason: Reason::Differs,
        scope: space("payments"),
        account: Some(Mrn::new(name)),
        before: Some(state(&["viewer"])),
        after: Some(state(&["editor"])),
        marks: None,
        moved_from: None,
        deliver_to: Vec::new(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: Vec::new(),
    };
    edit(&mut what);
    Change::of(what, &stack("acme"))
}

fn policy(origin: PolicyOrigin, name: &str, sha256: &str) -> PolicyRef {
    PolicyRef {
        origin,
        name: name.to_owned(),
        sha256: sha256.to_owned(),
    }
}

fn held(reviewed: Contents, now: Contents) -> Vec<Moved> {
    compare(&reviewed.settle(), &now.settle())
}

/// What moved, when this is done to the plan that was reviewed.
fn moved(edit: impl Fn(&mut Contents)) -> Vec<Moved> {
    let mut now = plan();
    edit(&mut now);
    held(plan(), now)
}

/// The same, of which there is one: its words, and whether the rest may go on.
fn one(edit: impl Fn(&mut Contents)) -> (String, bool) {
    let moved = moved(edit);
    assert_eq!(moved.len(), 1, "{moved:?}");
    (moved[0].what.clone(), moved[0].can_be_left_out())
}

#[test]
fn what_is_for_another_stops_everything() {
    let says = |edit: &dyn Fn(&mut Contents), words: &str| {
        let (what, can) = one(edit);
        assert!(what.contains(words), "{what}");
        assert!(!can, "{what}");
    };
    says(&|now| now.stack = stack("other"), "for the stack acme");
    says(&|now| now.endpoint = "us".to_owned(), "against local");
    type Tighten = fn(&mut Limits);
    let limits: [(Tighten, &str); 7] = [
        (|l| l.max_deletes = 1, "max_deletes was 10 and is 1"),
        (|l| l.max_dead_births = 1, "max_dead_births was 10 and is 1"),
        (|l| l.max_delete_percent = 1, "max_delete_percent was 25"),
        (|l| l.max_escalations = 1, "max_escalations was 10"),
        (|l| l.max_gained_grants = 1, "max_gained_grants was 20"),
        (|l| l.max_revoked_grants = 1, "max_revoked_grants was 20"),
        (|l| l.min_owners = 2, "min_owners was 1 and is 2"),
    ];
    for (tighten, words) in limits {
        says(&|now| tighten(&mut now.limits), words);
        says(
            &|now| tighten(&mut now.limits),
            "it was made under other limits: ",
        );
    }
    assert_eq!(moved(|_| ()), []);
    let again = |now: &mut Contents| now.changes.push(now.changes[0].clone());
    says(&again, "the number or the form of its parts is another");
}

#[test]
fn what_was_meant_with_one_of_both_is_named_with_its_flag() {
    let other = || stack("other");
    type Mean = fn(&mut Meant, StackId);
    let means: [(Mean, &str); 4] = [
        (|meant, _| meant.destroy = true, "--destroy"),
        (
            |meant, other| meant.take_over.extend([other]),
            "--take-over other/k7m2q9ta",
        ),
        (|meant, _| meant.accept_unsealed = true, "--accept-unsealed"),
        (
            |meant, _| meant.resume.extend([Nonce::from_label("0123abcd")]),
            "--resume=0123abcd",
        ),
    ];
    for (mean, flag) in means {
        let mut meaning = plan();
        mean(&mut meaning.meant, other());
        let said = |reviewed: Contents, now: Contents| {
            let moved = held(reviewed, now);
            assert_eq!(moved.len(), 1, "{moved:?}");
            assert!(!moved[0].can_be_left_out());
            moved[0].what.clone()
        };
        assert_eq!(
            said(plan(), meaning.clone()),
            format!("it was made without {flag}, and this run is with it")
        );
        assert_eq!(
            said(meaning.clone(), plan()),
            format!("it was made with {flag}, and this run is without")
        );
        assert_eq!(held(meaning.clone(), meaning), []);
    }
}

/// Who looked, with which rights and when is beside the name, and so is what a person sees besides.
#[test]
fn who_looked_and_what_else_was_seen_moves_nothing() {
    let edits: [fn(&mut Contents); 10] = [
        |now| now.caller.mrn = Mrn::new("you"),
        |now| now.caller.name = Some("You".to_owned()),
        |now| now.declared = 7,
        |now| now.managed = 7,
        |now| now.sealed = false,
        |now| now.annex.unchanged = 9,
        |now| now.annex.unverified = 9,
        |now| {
            let why = "denied".to_owned();
            now.annex.unread.insert(space("far-away"), Unread { why });
        },
        |now| {
            now.in_flight.push(InFlight {
                address: address("y"),
                account: Mrn::new("y"),
                until: jiff::Timestamp::UNIX_EPOCH,
                nonce: None,
            });
        },
        |now| now.changes.reverse(),
    ];
    for edit in edits {
        assert_eq!(moved(edit), []);
    }
    // The marks that it was found under, its seal among them, are proven anew by whoever applies.
    let marked = changed("a", |what| {
        what.marks = Some(Marks::external(stack("acme"), address("a").label(), false));
    });
    assert_eq!(moved(|now| now.changes[0] = marked.clone()), []);
}

fn seen(contents: &mut Contents, scopes: &[&str]) {
    for scope in scopes {
        let info = ScopeInfo {
            name: String::new(),
            organization: None,
        };
        contents.annex.scopes.insert(space(scope), info);
    }
}

/// Where two plans differ, and only one of them could read a scope, that is said, with the reason.
#[test]
fn what_only_one_of_two_plans_that_differ_could_read_is_named() {
    let spaces = ["space-a", "space-b"];
    let (mut less, mut more) = (plan(), plan());
    seen(&mut less, &spaces[..1]);
    seen(&mut more, &spaces);
    assert_eq!(held(less.clone(), more.clone()), [], "nothing differs");
    more.changes.push(change("c"));
    let lines = |reviewed: &Contents, now: &Contents| -> Vec<String> {
        let moved = held(reviewed.clone(), now.clone());
        assert!(moved.iter().all(Moved::can_be_left_out));
        moved.into_iter().map(|m| m.what).collect()
    };
    assert_eq!(
        lines(&less, &more),
        [
            "the reviewed plan could not read space space-b",
            "update-permissions: due now, and not reviewed; its live roles are [viewer]",
        ]
    );
    let why = "PermissionDenied".to_owned();
    less.annex.unread.insert(space("space-b"), Unread { why });
    assert_eq!(
        lines(&less, &more)[0],
        "the reviewed plan could not read space space-b"
    );
    assert_eq!(
        lines(&more, &less)[0],
        "this run could not read space space-b (PermissionDenied)"
    );
    let many: Vec<String> = (0..9).map(|n| format!("space-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    seen(&mut more, &many);
    let all = lines(&less, &more);
    assert_eq!(all.len(), TOLD + 2, "{all:?}");
    assert_eq!(
        all[0],
        "the reviewed plan could not read 5 more of the other's scopes"
    );
}

/// An account that nobody has marked is spared by the run that works with it, and by no other.
#[test]
fn an_unmanaged_account_that_one_of_both_runs_works_with_is_told_with_the_way_out() {
    let delete = changed("me", |what| {
        what.action = Action::Delete;
        what.reason = Reason::Unmanaged;
        what.after = None;
    });
    let mut other = plan();
    other.caller.mrn = Mrn::new("you");
    other.changes.push(delete);
    let way_out = "name it in the `except` of the unmanaged block, or in trusted_creators";
    for (reviewed, now) in [(plan(), other.clone()), (other.clone(), plan())] {
        let moved = held(reviewed, now);
        assert_eq!(moved.len(), 1, "{moved:?}");
        assert!(moved[0].what.ends_with(way_out), "{moved:?}");
    }
    other.changes[2] = changed("third", |what| {
        what.action = Action::Delete;
        what.reason = Reason::Unmanaged;
    });
    let moved = held(other, plan());
    assert_eq!(moved[0].what, "delete: reviewed, and not due any more");
    // The same where the block refuses instead.
    let refused = |account: &str| {
        let mut other = plan();
        other.caller.mrn = Mrn::new("you");
        other.blocked = vec![Blocked {
            address: address("x"),
            scope: space("payments"),
            block: Obstacle::Unmanaged {
                account: Mrn::new(account),
                name: "x".to_owned(),
            },
            declared_at: None,
        }];
        other
    };
    let bare = || {
        let mut bare = plan();
        bare.blocked.clear();
        bare
    };
    for (reviewed, now) in [(bare(), refused("me")), (refused("me"), bare())] {
        let moved = held(reviewed, now);
        assert_eq!(moved.len(), 1, "{moved:?}");
        assert!(moved[0].what.ends_with(way_out), "{moved:?}");
    }
    let moved = held(bare(), refused("a third"));
    assert_eq!(moved[0].what, "something stands in its way");
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
            "it was judged by other policies: the policy changed of the policy directory has changed",
            "it was judged by other policies: the policy gone is not there any more",
            "it was judged by other policies: the policy gone of the policy directory is new",
        ]
    );
    assert_eq!(policies_moved(&old, &old), Vec::<String>::new());
    let turned = [old[1].clone(), old[0].clone(), old[2].clone()];
    assert_eq!(
        policies_moved(&old, &turned),
        ["it was judged by other policies: their order is another"]
    );
    let (what, can_be_left_out) = one(|now| now.policies = vec![policy(Configuration, "p", "1")]);
    assert_eq!(what, "it was judged by other policies: the policy p is new");
    assert!(!can_be_left_out);
}

#[test]
fn a_place_that_is_kept_from_now_on_is_told_as_the_same_place() {
    let to = |keep| {
        let place = Place::File(crate::model::FilePlace {
            directory: "keys".to_owned(),
            file: "ci.json".to_owned(),
            format: crate::model::CredentialFormat::Json,
            keep,
        });
        vec![Destination::new("file.local", place)]
    };
    let with = |keep| {
        let mut plan = plan();
        plan.changes[0] = changed("a", |now| now.deliver_to.clear());
        plan.changes[0].what.deliver_to = to(keep);
        plan
    };
    let moved = held(with(false), with(true));
    assert_eq!(moved.len(), 1, "{moved:?}");
    let told = "what is said of where its key goes has changed";
    assert!(moved[0].what.ends_with(told), "{}", moved[0].what);
}

#[test]
fn each_side_of_a_change_that_moved_is_named() {
    let says = |edit: fn(&mut Difference), words: &str| {
        let (what, can) = one(|now| now.changes[0] = changed("a", edit));
        assert_eq!(what, format!("update-permissions: {words}"));
        assert!(can);
    };
    says(
        |now| now.before = Some(state(&["agent", "viewer"])),
        "its live roles were [viewer] and are [agent, viewer]",
    );
    says(|now| now.before = None, "what is live has changed");
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
        |now| now.after = Some(state(&["owner"])),
        "what is wanted has changed",
    );
    says(
        |now| now.moved_from = Some(address("before")),
        "it comes from another address",
    );
    says(
        |now| {
            now.marks = Some(Marks::external(stack("other"), address("a").label(), false));
        },
        "the stack whose marks it carries is another",
    );
    says(
        |now| {
            now.deliver_to = vec![Destination::new(
                "file.local",
                Place::File(crate::model::FilePlace {
                    directory: "new".to_owned(),
                    file: "ci.json".to_owned(),
                    format: crate::model::CredentialFormat::Json,
                    keep: false,
                }),
            )];
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
fn changes_and_obstacles_that_came_or_went_are_said_of_their_address() {
    let about = |moved: Vec<Moved>| -> Vec<(String, String)> {
        assert!(moved.iter().all(Moved::can_be_left_out));
        let pairs = moved.into_iter();
        pairs
            .map(|m| (m.address.expect("an address").to_string(), m.what))
            .collect()
    };
    let said = |address: &str, what: &str| vec![(address.to_owned(), what.to_owned())];
    let fewer = about(moved(|now| drop(now.changes.pop())));
    let gone = "update-permissions: reviewed, and not due any more";
    assert_eq!(fewer, said("service_account.b", gone));
    let more = about(moved(|now| now.changes.push(change("c"))));
    let new = "update-permissions: due now, and not reviewed; its live roles are [viewer]";
    assert_eq!(more, said("service_account.c", new));

    let with = |at: &str, block: Obstacle| Contents {
        blocked: vec![Blocked {
            address: address("x"),
            scope: space(at),
            block,
            declared_at: None,
        }],
        ..plan()
    };
    let disputed = |account: &str, why: &str| Obstacle::Disputed {
        account: Mrn::new(account),
        why: why.to_owned(),
    };
    let one = || with("payments", disputed("m", "no seal"));
    let (came, went) = (
        "something stands in its way",
        "what stood in its way has changed",
    );
    let at = "service_account.x";
    assert_eq!(about(held(plan(), one())), said(at, came));
    assert_eq!(about(held(one(), plan())), said(at, went));
    let protected = Obstacle::Protected {
        account: Mrn::new("m"),
    };
    for another in [
        with("other", disputed("m", "no seal")),
        with("payments", disputed("n", "no seal")),
        with("payments", protected),
    ] {
        let both = [said(at, came), said(at, went)].concat();
        assert_eq!(about(held(one(), another)), both);
    }
    // Of two that came at one address it is said once, and their order is nothing.
    let several = |accounts: &[&str]| Contents {
        blocked: accounts
            .iter()
            .flat_map(|account| with("payments", disputed(account, "no seal")).blocked)
            .collect(),
        ..plan()
    };
    assert_eq!(about(held(plan(), several(&["m", "n"]))), said(at, came));
    assert_eq!(held(several(&["n", "m"]), several(&["m", "n"])), []);
    // Its words may be anybody's, and another run may be told others.
    let words = with("payments", disputed("m", "created by \u{1b}[31mmallory"));
    assert_eq!(held(one(), words), []);
}
