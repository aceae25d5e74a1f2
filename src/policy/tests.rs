//! Each guard objects to what it is for, and to nothing else.

use super::*;
use crate::model::{Binding, Caller, Limits, Meant, Mrn, StackId};
use crate::plan::{Annex, Contents as Plan, Difference};

fn approve(plan: Plan, acks: &Acks, part_of: Option<&str>) -> Result<ApprovedPlan, Vec<Refusal>> {
    super::approve(plan.settle(), acks, part_of, LocalFiles::Stay)
}

fn named(plan: &Plan) -> String {
    plan.clone().settle().digest().to_owned()
}

fn stack() -> StackId {
    StackId::new("acme", "k7m2q9ta").expect("valid")
}

/// The change that a difference asks for after an edit.
fn edited(change: crate::plan::Change, edit: impl Fn(&mut Difference)) -> crate::plan::Change {
    let mut what = change.what;
    edit(&mut what);
    crate::plan::Change::of(what, &stack())
}

fn plan() -> Plan {
    Plan {
        stack: stack(),
        endpoint: "https://us.api.mondoo.com".to_owned(),
        caller: Caller {
            mrn: Mrn::new("me"),
            name: None,
            binding: None,
        },
        declared: 1,
        managed: 1,
        sealed: true,
        limits: Limits::default(),
        policies: Vec::new(),
        meant: Meant::default(),
        changes: Vec::new(),
        blocked: Vec::new(),
        in_flight: Vec::new(),
        annex: Annex::default(),
    }
}

fn guards(plan: Plan) -> Vec<&'static str> {
    approve(plan, &Acks::default(), None)
        .map_or_else(|r| r.iter().map(|r| r.guard).collect(), |_| Vec::new())
}

#[test]
fn an_emptied_configuration_is_refused_unless_it_is_meant() {
    assert_eq!(guards(plan()), Vec::<&str>::new());
    use crate::plan::Reason;
    let of = |reason: Reason, action: Action, declared: usize, destroy: bool| {
        let one = edited(change("a", &[], None), |what| {
            what.reason = reason;
            what.action = action;
        });
        guards(Plan {
            declared,
            meant: Meant {
                destroy,
                ..Meant::default()
            },
            changes: vec![one],
            ..plan()
        })
    };
    let none = Vec::<&str>::new();
    for reason in [Reason::Undeclared, Reason::ScopeUndeclared] {
        assert_eq!(of(reason, Action::Delete, 0, false), ["emptied"]);
        assert_eq!(of(reason, Action::Delete, 0, true), none);
        assert_eq!(of(reason, Action::Delete, 1, false), none);
    }
    // What is given up by a block of its own, or never was of the configuration, is no sign.
    assert_eq!(of(Reason::ReleaseRequested, Action::Forget, 0, false), none);
    assert_eq!(of(Reason::Unmanaged, Action::Delete, 0, false), none);
    let unchanged = Plan {
        declared: 0,
        ..plan()
    };
    assert_eq!(guards(unchanged), none, "nothing would be deleted");
}

fn change(account: &str, before: &[&str], after: Option<&[&str]>) -> crate::plan::Change {
    use crate::model::{AccountState, Address, Role, RoleSet, Scope, SpaceId};
    let set = |names: &[&str]| -> RoleSet { names.iter().map(|name| Role::new(name)).collect() };
    let state = |names: &[&str]| AccountState {
        roles: set(names),
        ..crate::model::samples::state("a")
    };
    let what = Difference {
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
        moved_from: None,
        deliver_to: Vec::new(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: Vec::new(),
    };
    crate::plan::Change::of(what, &stack())
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
    // Another temporary account of the same workload identity is the caller's own as well.
    let mut temporary = with(change("other", &["editor"], None));
    temporary.caller.binding = Some(Binding {
        identity: Some("binding".to_owned()),
        others: [Mrn::new("other")].into(),
    });
    assert_eq!(guards(temporary), ["own-account"]);
}

#[test]
fn without_a_seal_key_raised_roles_want_an_acknowledgement_of_this_plan() {
    let raising = |sealed| Plan {
        sealed,
        changes: vec![change("other", &["viewer"], Some(&["editor"]))],
        ..plan()
    };
    assert_eq!(guards(raising(true)), Vec::<&str>::new());
    assert_eq!(guards(raising(false)), [RAISE]);
    let lowering = Plan {
        sealed: false,
        changes: vec![change("other", &["editor"], Some(&["viewer"]))],
        ..plan()
    };
    assert_eq!(guards(lowering.clone()), Vec::<&str>::new());

    let ack = |digest: &str| Acks::parse([format!("raise={digest}").as_str()]).expect("an ack");
    let digest = raising(false).settle().digest().to_owned();
    assert!(approve(raising(false), &ack(&digest), None).is_ok());
    assert!(approve(raising(false), &ack(&format!("sha256:{digest}")), None).is_ok());
    let other = lowering.clone().settle().digest().to_owned();
    let refusals = approve(raising(false), &ack(&other), None).expect_err("of another plan");
    let found: Vec<_> = refusals.iter().map(|r| (r.guard, r.apply_only)).collect();
    assert_eq!(found, [(RAISE, true), ("ack", true)]);
    for named in [&digest, &other] {
        assert!(refusals[1].message.contains(named.as_str()), "{refusals:?}");
    }
    // Where nothing objects, an acknowledgement of another plan was still meant for another plan.
    let refusals = approve(lowering, &ack(&digest), None).expect_err("of another plan");
    assert_eq!((refusals[0].guard, refusals.len()), ("ack", 1));
    // What is left of a judged plan is acknowledged with it.
    assert!(approve(raising(false), &ack(&other), Some(&other)).is_ok());
    let refusals = approve(raising(false), &Acks::default(), None).expect_err("refused");
    assert!(refusals[0].apply_only);
    assert!(refusals[0].help.contains(&digest), "{refusals:?}");
}

#[test]
fn an_account_named_by_an_import_block_may_be_raised() {
    let adopt = edited(change("other", &["viewer"], Some(&["viewer"])), |what| {
        what.action = Action::Adopt;
    });
    let raise = change("other", &["viewer"], Some(&["editor"]));
    let with = |changes| Plan {
        sealed: false,
        changes,
        ..plan()
    };
    assert_eq!(
        guards(with(vec![adopt.clone(), raise.clone()])),
        Vec::<&str>::new()
    );
    let raise = edited(raise, |what| what.account = Some(Mrn::new("another")));
    assert_eq!(guards(with(vec![adopt, raise])), [RAISE]);
}

#[test]
fn an_acknowledgement_names_a_guard_and_a_digest() {
    let whole = "0123456789abcdef".repeat(4);
    let good = format!("raise={whole}");
    assert!(Acks::parse([good.as_str()]).is_ok());
    for bad in [
        "raise",
        "raise=",
        &good[..good.len() - 1],
        &good.replace('a', "G"),
        &good.replace("raise", "blocked"),
        &good.replace("raise", "rise"),
    ] {
        assert!(Acks::parse([bad]).is_err(), "{bad}");
    }
    assert!(Acks::parse([good.as_str(), good.as_str()]).is_err());
    let why = Acks::parse([format!("max_revoked_grants={whole}").as_str()]).expect_err("no guard");
    assert!(why.ends_with("it is `max-revoked-grants`"), "{why}");
}

#[test]
fn a_run_without_the_key_does_not_apply_to_sealed_accounts() {
    let sealed = Plan {
        sealed: false,
        annex: Annex {
            unverified: 1,
            ..Annex::default()
        },
        ..plan()
    };
    assert_eq!(guards(sealed.clone()), ["seal"]);
    let refusals = approve(sealed.clone(), &Acks::default(), None).expect_err("refused");
    assert!(refusals[0].apply_only, "a plan may still be made and read");
    assert!(
        refusals[0]
            .message
            .starts_with("1 account of this configuration is sealed")
    );
    let mut two = sealed;
    two.annex.unverified = 2;
    let refusals = approve(two, &Acks::default(), None).expect_err("refused");
    assert!(
        refusals[0]
            .message
            .starts_with("2 accounts of this configuration are sealed")
    );
}

#[test]
fn what_stands_in_the_way_refuses_the_plan_itself() {
    let blocked = |name: &str| crate::plan::Blocked {
        address: crate::model::Address::new(name, None),
        scope: change("a", &[], None).what.scope,
        block: crate::plan::Obstacle::Duplicate {
            accounts: Vec::new(),
        },
        declared_at: None,
    };
    let plan = Plan {
        blocked: vec![blocked("a"), blocked("b")],
        ..plan()
    };
    let refusals = approve(plan, &Acks::default(), None).expect_err("refused");
    assert_eq!((refusals[0].guard, refusals.len()), ("blocked", 1));
    assert!(refusals[0].message.starts_with("2 objects in the plan"));
    assert!(!refusals[0].apply_only);
}

/// A plan under another seal key: births, a dead birth with the one that takes its place, and changes of
/// every other kind.
fn under_another_key(others: &[Action]) -> Plan {
    use crate::model::Address;
    use crate::plan::Reason;
    let of = |name: &str, action: Action, reason: Reason| {
        edited(change(name, &["viewer"], Some(&["viewer"])), |what| {
            what.address = Address::new(name, None);
            what.action = action;
            what.reason = reason;
        })
    };
    let mut changes = vec![
        of("dying", Action::Delete, Reason::CredentialPending),
        of("born", Action::Create, Reason::Declared),
        of("dying", Action::Create, Reason::CredentialPending),
        of("too", Action::Create, Reason::Declared),
    ];
    let others = others.iter().enumerate();
    changes.extend(others.map(|(n, action)| of(&format!("o{n}"), *action, Reason::Differs)));
    let sealed = |name: &str| crate::plan::Blocked {
        address: Address::new(name, None),
        scope: change("a", &[], None).scope.clone(),
        block: crate::plan::Obstacle::OtherKey {
            account: Mrn::new(name),
            key: "0123456789abcdef".to_owned(),
        },
        declared_at: None,
    };
    Plan {
        declared: 9,
        managed: 20,
        changes,
        blocked: vec![sealed("x"), sealed("y")],
        ..plan()
    }
}

#[test]
fn under_another_seal_key_births_alone_go_on_and_only_if_acknowledged() {
    let ack = |digest: &str| Acks::parse([format!("seal-key={digest}").as_str()]).expect("an ack");
    let many = vec![Action::Delete; 50];
    for others in [
        &[][..],
        &[Action::Adopt, Action::Move, Action::UpdatePermissions],
        &[Action::Update, Action::Forget],
        // What is left out counts under no limit.
        &many,
    ] {
        let plan = under_another_key(others);
        let refusals = approve(plan.clone(), &Acks::default(), None).expect_err("refused");
        assert_eq!(refusals[0].guard, SEAL_KEY, "it stands first: {refusals:?}");
        assert!(
            !refusals.iter().any(|r| r.guard == "blocked"),
            "{refusals:?}"
        );
        let digest = named(&plan);
        assert!(
            refusals[0].message.starts_with("2 accounts") && refusals[0].help.contains(&digest)
        );
        let approved = approve(plan.clone(), &ack(&digest), None).expect("births go on");
        let names = |changes: &[crate::plan::Change]| -> Vec<(String, Action)> {
            let all = changes.iter();
            all.map(|c| (c.address.to_string(), c.action)).collect()
        };
        let born = |name: &str| (format!("service_account.{name}"), Action::Create);
        assert_eq!(names(&approved.plan().changes), [born("born"), born("too")]);
        assert_eq!(approved.left_out().len(), others.len() + 2);
        assert_eq!(approved.digest(), digest, "the plan that was read");
        let other =
            approve(plan.clone(), &ack(&"0".repeat(64)), None).expect_err("of another plan");
        assert!(other.iter().any(|r| r.guard == SEAL_KEY), "{other:?}");
        // An acknowledgement for the plan of which this one is a part counts.
        let judged = "1".repeat(64);
        assert!(approve(plan, &ack(&judged), Some(&judged)).is_ok());
    }
}

#[test]
fn the_acknowledgement_of_another_seal_key_lifts_nothing_else() {
    let ack =
        |plan: &Plan| Acks::parse([format!("seal-key={}", named(plan)).as_str()]).expect("one");
    let mut taken = under_another_key(&[]);
    taken.blocked.push(crate::plan::Blocked {
        block: crate::plan::Obstacle::Disputed {
            account: Mrn::new("z"),
            why: "it has no seal".to_owned(),
        },
        ..taken.blocked[0].clone()
    });
    let refusals = approve(taken.clone(), &ack(&taken), None).expect_err("something else disputed");
    assert_eq!((refusals[0].guard, refusals.len()), ("blocked", 1));
    assert!(refusals[0].message.starts_with("1 object"), "{refusals:?}");
    let mut limited = under_another_key(&[]);
    limited.limits.max_escalations = 0;
    for change in &mut limited.changes {
        let viewer = crate::model::RoleSet::from([crate::model::Role::new("viewer")]);
        change.privilege = crate::plan::Privilege::between(&Default::default(), &viewer);
    }
    let refusals = approve(limited.clone(), &ack(&limited), None).expect_err("a limit");
    assert_eq!((refusals[0].guard, refusals.len()), ("max-escalations", 1));
    // Without a birth there is nothing that could go on, and nothing is done in silence.
    let mut none = under_another_key(&[Action::Update]);
    none.changes
        .retain(|change| change.action != Action::Create);
    let refusals = approve(none.clone(), &ack(&none), None).expect_err("no births");
    assert_eq!((refusals[0].guard, refusals.len()), (SEAL_KEY, 1));
    assert!(
        refusals[0].help.contains("the plan has none"),
        "{refusals:?}"
    );
    let mut settled = under_another_key(&[Action::Update]);
    settled.blocked.clear();
    let approved = approve(settled.clone(), &ack(&settled), None).expect("nothing in the way");
    assert_eq!(
        approved.plan().changes,
        settled.changes,
        "and nothing left out"
    );
}

/// What was not read is told by a plan, which is one all the same.
#[test]
fn what_was_not_read_alone_refuses_the_apply_only() {
    let blocked = |block| crate::plan::Blocked {
        address: crate::model::Address::new("a", None),
        scope: change("a", &[], None).what.scope,
        block,
        declared_at: None,
    };
    let unread = || {
        blocked(crate::plan::Obstacle::Unread {
            why: "denied".to_owned(),
        })
    };
    let duplicate = blocked(crate::plan::Obstacle::Duplicate {
        accounts: Vec::new(),
    });
    for (all, apply_only) in [
        (vec![unread()], true),
        (vec![unread(), unread()], true),
        (vec![unread(), duplicate.clone()], false),
        (vec![duplicate], false),
    ] {
        let plan = Plan {
            blocked: all,
            ..plan()
        };
        let refusals = approve(plan, &Acks::default(), None).expect_err("refused");
        assert_eq!(refusals[0].apply_only, apply_only);
    }
}

/// Only a missing key or acknowledgement leaves the plan itself in order.
#[test]
fn the_plan_itself_is_refused_by_every_guard_of_what_it_does() {
    let apply_only = |plan| {
        let refusals = approve(plan, &Acks::default(), None).expect_err("refused");
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        refusals[0].apply_only
    };
    let own = |after: Option<&[&str]>| Plan {
        changes: vec![change("me", &["editor"], after)],
        ..plan()
    };
    let emptied = Plan {
        declared: 0,
        changes: vec![edited(change("a", &[], None), |what| {
            what.reason = crate::plan::Reason::Undeclared;
        })],
        ..plan()
    };
    let deletes = many(100, times(11, |a| change(a, &[], None)));
    for plan in [emptied, own(None), own(Some(&["viewer"])), deletes] {
        assert!(!apply_only(plan));
    }
    for (after, verb) in [
        (None, "would delete it"),
        (Some(&["viewer"][..]), "would weaken it"),
    ] {
        let refusals = approve(own(after), &Acks::default(), None).expect_err("refused");
        assert!(refusals[0].message.contains(verb), "{refusals:?}");
    }
}

/// Plans of as many changes as are given, among so many managed accounts.
fn many(managed: usize, changes: Vec<crate::plan::Change>) -> Plan {
    Plan {
        managed,
        declared: managed.max(1),
        changes,
        ..plan()
    }
}

fn times(n: usize, one: impl Fn(&str) -> crate::plan::Change) -> Vec<crate::plan::Change> {
    (0..n).map(|n| one(&format!("account {n}"))).collect()
}

#[test]
fn deletions_are_limited_by_number_and_by_part() {
    let deletes = |n, managed| guards(many(managed, times(n, |a| change(a, &[], None))));
    assert_eq!(deletes(10, 100), Vec::<&str>::new());
    assert_eq!(deletes(11, 100), ["max-deletes"]);
    assert_eq!(deletes(1, 4), Vec::<&str>::new(), "25 per cent");
    assert_eq!(deletes(2, 4), ["max-delete-percent"]);
    assert_eq!(deletes(3, 3), Vec::<&str>::new(), "too few to be a part");
    assert_eq!(deletes(12, 40), ["max-deletes", "max-delete-percent"]);
    let destroy = Plan {
        meant: Meant {
            destroy: true,
            ..Meant::default()
        },
        ..many(8, times(8, |a| change(a, &[], None)))
    };
    assert_eq!(guards(destroy), Vec::<&str>::new(), "all of it is meant");
    let gone = |deletes, forgets, managed| {
        let give_up = |a: &str| {
            let given_up = change(a, &["viewer"], Some(&["viewer"]));
            edited(given_up, |what| what.action = Action::Forget)
        };
        let mut changes = times(deletes, |a| change(a, &[], None));
        changes.extend(times(forgets, give_up));
        let refusals = approve(many(managed, changes), &Acks::default(), None);
        refusals.map_or_else(
            |all| all.into_iter().map(|r| r.message).collect(),
            |_| Vec::new(),
        )
    };
    assert_eq!(gone(5, 5, 100), Vec::<String>::new());
    assert_eq!(
        gone(5, 6, 100),
        ["The plan deletes 5 and gives up 6 accounts, and the limit is 10."]
    );
    let none_allowed = Plan {
        limits: Limits {
            max_deletes: 0,
            ..Limits::default()
        },
        ..many(100, times(1, |a| change(a, &[], None)))
    };
    let refusals = approve(none_allowed, &Acks::default(), None).expect_err("refused");
    assert_eq!(
        refusals[0].message,
        "The plan deletes 1 account, and the limit is 0."
    );
    assert_eq!(
        gone(0, 2, 4),
        ["The plan gives up 2 of 4 managed accounts, more than 25 per cent."]
    );
    // What a dead run left has no power, and counts under a limit of its own.
    let dead_birth = |a: &str| {
        edited(change(a, &[], None), |what| {
            what.reason = crate::plan::Reason::CredentialPending;
        })
    };
    assert_eq!(guards(many(10, times(10, dead_birth))), Vec::<&str>::new());
    assert_eq!(guards(many(12, times(11, dead_birth))), ["max-dead-births"]);
    let none_allowed = |changes| Plan {
        limits: Limits {
            max_dead_births: 0,
            ..Limits::default()
        },
        ..many(100, changes)
    };
    assert_eq!(
        guards(none_allowed(times(1, dead_birth))),
        ["max-dead-births"]
    );
    let refusals = approve(none_allowed(times(1, dead_birth)), &Acks::default(), None);
    assert_eq!(
        refusals.expect_err("refused")[0].message,
        "The plan removes 1 account that dead runs left, and the limit is 0."
    );
    let deletes = none_allowed(times(3, |a| change(a, &[], None)));
    assert_eq!(guards(deletes), Vec::<&str>::new(), "each under one limit");
    let stranger = |a: &str| {
        edited(change(a, &[], None), |what| {
            what.reason = crate::plan::Reason::Unmanaged;
        })
    };
    assert_eq!(guards(many(100, times(11, stranger))), ["max-deletes"]);
}

/// The comparison lets no such plan come about; should it, or should somebody write one, it is refused.
#[test]
fn a_protected_account_is_deleted_for_no_reason_at_all() {
    use crate::plan::Reason;
    for reason in [
        Reason::Undeclared,
        Reason::ScopeUndeclared,
        Reason::CredentialPending,
        Reason::Unmanaged,
    ] {
        let gone = edited(change("a", &["viewer"], None), |what| {
            what.reason = reason;
            what.before.as_mut().expect("a state").protected = true;
        });
        let plan = many(100, vec![gone]);
        assert_eq!(guards(plan.clone()), ["protected"], "{reason:?}");
        assert!(Acks::parse([format!("protected={}", named(&plan)).as_str()]).is_err());
    }
    let kept = edited(change("a", &["viewer"], Some(&[])), |what| {
        what.before.as_mut().expect("a state").protected = true;
    });
    assert_eq!(guards(many(100, vec![kept])), Vec::<&str>::new());
}

/// A plan that deletes nothing can take everything away: peribolos counted members removed from an
/// organization, and a run stripped every team.
#[test]
fn v_grants_are_counted_and_not_objects() {
    let strip = |n, roles: &'static [&'static str]| {
        guards(many(100, times(n, |a| change(a, roles, Some(&[])))))
    };
    let raise = |n, roles: &'static [&'static str]| {
        guards(many(100, times(n, |a| change(a, &[], Some(roles)))))
    };
    assert_eq!(raise(5, &["owner"]), Vec::<&str>::new(), "weight 20");
    assert_eq!(raise(6, &["owner"]), ["max-gained-grants"]);
    assert_eq!(raise(10, &["agent", "viewer"]), Vec::<&str>::new());
    assert_eq!(raise(10, &["agent", "editor"]), ["max-gained-grants"]);
    assert_eq!(strip(5, &["owner"]), Vec::<&str>::new(), "weight 20");
    assert_eq!(strip(6, &["owner"]), ["max-revoked-grants"]);
    assert_eq!(strip(20, &["agent"]), Vec::<&str>::new());
    assert_eq!(strip(21, &["agent"]), ["max-revoked-grants"]);
    let deleted = guards(many(100, times(7, |a| change(a, &["editor"], None))));
    assert_eq!(
        deleted,
        ["max-revoked-grants"],
        "a deletion takes grants too"
    );
}

#[test]
fn escalations_are_limited_and_an_acknowledgement_lifts_one_guard_alone() {
    let raise = |n| many(100, times(n, |a| change(a, &["owner"], Some(&["agent"]))));
    let raise = |n| Plan {
        limits: Limits {
            max_revoked_grants: 1000,
            ..Limits::default()
        },
        ..raise(n)
    };
    assert_eq!(guards(raise(10)), Vec::<&str>::new());
    assert_eq!(guards(raise(11)), ["max-escalations"]);
    let both = Plan {
        limits: Limits {
            max_escalations: 0,
            max_revoked_grants: 0,
            ..Limits::default()
        },
        ..many(100, vec![change("a", &["editor"], Some(&["agent"]))])
    };
    let all = guards(both.clone());
    assert_eq!(all, ["max-escalations", "max-revoked-grants"]);
    let ack = Acks::parse([format!("max-escalations={}", both.clone().settle().digest()).as_str()])
        .expect("an ack");
    let left = approve(both, &ack, None).expect_err("refused");
    assert_eq!(
        left.iter().map(|r| r.guard).collect::<Vec<_>>(),
        ["max-revoked-grants"]
    );
}

/// A configuration of which nothing is live, beside many accounts of its stack: the wrong one.
#[test]
fn a_configuration_that_knows_none_of_its_accounts_is_refused() {
    let birth = |a: &str| {
        edited(change(a, &[], Some(&[])), |what| {
            what.action = Action::Create;
            what.account = None;
            what.before = None;
        })
    };
    let wrong = Plan {
        declared: 2,
        ..many(3, times(2, birth))
    };
    assert_eq!(guards(wrong.clone()), ["none-found"]);
    let alone = Plan {
        declared: 1,
        ..many(2, times(1, birth))
    };
    assert_eq!(guards(alone), ["none-found"]);
    assert_eq!(
        guards(Plan {
            managed: 2,
            ..wrong.clone()
        }),
        Vec::<&str>::new()
    );
    assert_eq!(
        guards(Plan {
            declared: 3,
            ..wrong
        }),
        Vec::<&str>::new(),
        "one is there"
    );
}

/// One directory with a file of values for each environment, and blocks renamed without `moved`: all
/// that is live goes, and others come.
#[test]
fn a_plan_that_replaces_all_that_is_live_is_refused_whatever_the_number() {
    use crate::plan::{InFlight, Reason};
    let birth = |a: &str| {
        edited(change(a, &[], Some(&[])), |what| {
            what.action = Action::Create;
            what.account = None;
            what.before = None;
        })
    };
    let undeclared = |a: &str| {
        edited(change(a, &["viewer"], None), |what| {
            what.reason = Reason::Undeclared;
        })
    };
    let with = |declared, managed, gone: usize, born: usize| {
        let mut changes = times(gone, undeclared);
        changes.extend(times(born, birth));
        Plan {
            declared,
            limits: Limits::NONE,
            ..many(managed, changes)
        }
    };
    let none = Vec::<&str>::new();
    for (declared, managed, gone, born) in
        [(1, 1, 1, 1), (3, 3, 3, 3), (5, 40, 40, 2), (2, 1, 1, 2)]
    {
        let plan = with(declared, managed, gone, born);
        assert_eq!(guards(plan.clone()), ["none-found"], "{managed} {born}");
        let ack = Acks::parse([format!("none-found={}", named(&plan)).as_str()]);
        assert!(approve(plan, &ack.expect("an ack"), None).is_ok());
    }
    let refusals = approve(with(2, 1, 1, 2), &Acks::default(), None).expect_err("refused");
    assert_eq!(
        refusals[0].message,
        "The plan lets go of all that is live of this stack, 1 account, and creates 2 others."
    );
    assert!(refusals[0].help.contains("`moved`"), "{refusals:?}");
    assert_eq!(guards(with(2, 3, 2, 1)), none, "one stays");
    // What is taken over in the place of all that goes was none of this stack either.
    for (born, adopted, says) in [
        (0, 1, "1 account, and adopts another one."),
        (0, 3, "1 account, and adopts 3 others."),
        (
            2,
            1,
            "1 account, and creates 2 others and adopts another one.",
        ),
    ] {
        let mut plan = with(born + adopted, 1, 1, born);
        for n in 0..adopted {
            plan.changes
                .push(edited(change(&format!("x{n}"), &[], Some(&[])), |what| {
                    what.action = Action::Adopt;
                    what.reason = Reason::ImportRequested;
                }));
        }
        let refusals = approve(plan, &Acks::default(), None).expect_err("refused");
        assert_eq!(refusals.len(), 1);
        let message = &refusals[0].message;
        assert!(message.ends_with(says), "{message}");
    }
    let mut stays = with(1, 2, 1, 0);
    stays
        .changes
        .push(edited(change("x", &[], Some(&[])), |what| {
            what.action = Action::Adopt;
            what.reason = Reason::ImportRequested;
        }));
    assert_eq!(guards(stays), none, "one stays beside the one adopted");
    assert_eq!(guards(with(1, 2, 2, 0)), none, "nothing is created");
    let destroy = Plan {
        meant: Meant {
            destroy: true,
            ..Meant::default()
        },
        declared: 0,
        ..with(0, 2, 2, 0)
    };
    assert_eq!(guards(destroy), none, "all of it is meant");

    let of = |reason, action, after: Option<&'static [&'static str]>| {
        let mut plan = with(2, 1, 0, 1);
        plan.changes.push(edited(change("a", &[], after), |what| {
            what.reason = reason;
            what.action = action;
        }));
        guards(plan)
    };
    assert_eq!(
        of(Reason::ReleaseRequested, Action::Forget, Some(&[])),
        ["none-found"]
    );
    // What moves stays; what died at its birth, or is no stack's, was nobody's work.
    assert_eq!(of(Reason::MoveRequested, Action::Move, Some(&[])), none);
    assert_eq!(of(Reason::CredentialPending, Action::Delete, None), none);
    assert_eq!(of(Reason::Unmanaged, Action::Delete, None), none);

    // Neither a birth elsewhere nor the remnant of one is a sign that something stays.
    let mut plan = with(2, 3, 1, 1);
    plan.changes
        .push(edited(change("remnant", &[], None), |what| {
            what.reason = Reason::CredentialPending;
        }));
    assert_eq!(guards(plan.clone()), none, "one stays");
    plan.in_flight.push(InFlight {
        address: crate::model::Address::new("b", None),
        account: Mrn::new("b"),
        until: jiff::Timestamp::UNIX_EPOCH,
        nonce: None,
    });
    assert_eq!(guards(plan), ["none-found"]);

    // A first apply that died leaves remnants, and is no other configuration's.
    for (remnants, elsewhere) in [(2, 0), (0, 2), (1, 1)] {
        let mut plan = with(1, 2, 0, 1);
        plan.changes.extend(times(remnants, |name| {
            edited(change(name, &[], None), |what| {
                what.reason = Reason::CredentialPending;
            })
        }));
        for _ in 0..elsewhere {
            plan.in_flight.push(InFlight {
                address: crate::model::Address::new("b", None),
                account: Mrn::new("b"),
                until: jiff::Timestamp::UNIX_EPOCH,
                nonce: None,
            });
        }
        assert_eq!(guards(plan), none, "{remnants} {elsewhere}");
    }
}

#[test]
fn a_plan_is_named_by_its_whole_digest() {
    for (digits, good) in [(12, false), (63, false), (64, true), (65, false)] {
        assert_eq!(digest(&"a".repeat(digits)).is_ok(), good, "{digits}");
    }
    let whole = "0123456789abcdef".repeat(4);
    assert_eq!(digest(&format!("sha256:{whole}")), Ok(whole.as_str()));
    assert!(digest(&whole.to_uppercase()).is_err());
}

#[test]
fn an_organization_keeps_an_owner_or_somebody_says_that_it_is_meant() {
    use crate::model::{OrgId, Scope};
    use crate::plan::OwnersLeft;
    let id = || OrgId::new("acme-corp").expect("valid");
    let takes = |left: Option<OwnersLeft>, min_owners: u32, roles: &'static [&'static str]| Plan {
        limits: Limits {
            min_owners,
            ..Limits::default()
        },
        annex: Annex {
            owners: left.into_iter().map(|left| (id(), left)).collect(),
            ..Annex::default()
        },
        changes: vec![edited(change("a", roles, Some(&["viewer"])), |what| {
            what.scope = Scope::Organization(id());
        })],
        ..plan()
    };
    let left = |accounts, people: Result<usize, &str>| {
        let people = people.map_err(str::to_owned);
        Some(OwnersLeft { accounts, people })
    };
    let none = Vec::<&str>::new();
    for (left, wanted, expected) in [
        (left(0, Ok(0)), 1, vec!["min-owners"]),
        (left(0, Ok(1)), 1, none.clone()),
        (left(1, Ok(0)), 1, none.clone()),
        (left(1, Err("forbidden")), 1, none.clone()),
        (left(0, Err("forbidden")), 1, vec!["min-owners"]),
        (left(1, Ok(1)), 3, vec!["min-owners"]),
        (left(0, Ok(0)), 0, none.clone()),
        (None, 1, vec!["min-owners"]),
        (None, 0, none.clone()),
    ] {
        let plan = takes(left.clone(), wanted, &["owner"]);
        assert_eq!(guards(plan), expected, "{left:?} {wanted}");
    }
    assert_eq!(guards(takes(None, 1, &["editor"])), none, "no owner goes");
    let plan = takes(left(0, Ok(0)), 1, &["owner"]);
    let ack = Acks::parse([format!("min-owners={}", plan.clone().settle().digest()).as_str()])
        .expect("an ack");
    assert!(approve(plan, &ack, None).is_ok());
}

/// A key that is in a file of a machine which goes away is lost, and its account is live.
#[test]
fn keys_that_would_be_lost_are_not_made() {
    use crate::model::{Destination, FilePlace, Place, samples};
    let file = |name: &str, keep: bool| {
        let to = samples::destination(name);
        let place = to.place().file().cloned().expect("a file");
        Destination::new(to.sink(), Place::File(FilePlace { keep, ..place }))
    };
    let vault = || {
        let place = serde_json::json!({"vault": {
            "address": "https://vault.acme.example", "namespace": "", "mount": "secret", "path": "ci",
            "field": "credential", "format": "json", "metadata": false,
        }});
        Destination::new("vault.ci", serde_json::from_value(place).expect("a place"))
    };
    let born = |name: &str, to: Vec<Destination>| {
        edited(change(name, &[], Some(&[])), |what| {
            what.action = Action::Create;
            what.address = Address::new(name, None);
            (what.before, what.account) = (None, None);
            what.deliver_to.clone_from(&to);
        })
    };
    let refused = |changes: Vec<crate::plan::Change>, files: LocalFiles, acks: &Acks| {
        let plan = Plan {
            declared: 9,
            changes,
            ..plan()
        };
        super::approve(plan.settle(), acks, None, files).map_or_else(|found| found, |_| Vec::new())
    };
    let none = Acks::default();
    for (to, lost) in [
        (vec![file("a", false)], true),
        (vec![file("a", false), file("b", false)], true),
        (vec![file("a", true)], false),
        (vec![file("a", false), file("b", true)], false),
        (vec![file("a", false), vault()], false),
        (vec![vault()], false),
    ] {
        let changes = || vec![born("a", to.clone())];
        let found = refused(changes(), LocalFiles::MayGo, &none);
        let guards: Vec<_> = found
            .iter()
            .map(|one| (one.guard, one.apply_only))
            .collect();
        let wanted: &[_] = if lost { &[("lost-key", true)] } else { &[] };
        assert_eq!(guards, wanted, "{to:?}");
        assert_eq!(refused(changes(), LocalFiles::Stay, &none), [], "{to:?}");
    }
    // One whose key leaves its last store has it in such files alone, too.
    let nowhere_else =
        |to: Vec<Destination>, leaves: &[(&Destination, bool)], kept: &[&Destination]| {
            use crate::model::{AddressLabel, CredentialMark, Fingerprint, Marks, Nonce};
            use crate::plan::{Leaving, Reason};
            let at = |place: &Destination| place.key_at(1, None);
            let marked = leaves
                .iter()
                .map(|(place, _)| *place)
                .chain(kept.iter().copied());
            let marks = Marks {
                credential: CredentialMark::Delivered {
                    fingerprint: Fingerprint::from_label("k3v6p9d2rjx1n8"),
                    nonce: Nonce::from_label("q1"),
                    destinations: marked.map(at).collect(),
                },
                ..Marks::external(stack(), AddressLabel::from_label("a"), false)
            };
            let gone: Vec<Leaving> = (leaves.iter())
                .map(|(place, removed)| Leaving {
                    id: place.id(),
                    kind: place.kind(),
                    place: Some((*place).clone()),
                    removed: *removed,
                })
                .collect();
            let update = edited(change("a", &[], Some(&[])), |what| {
                what.action = Action::Update;
                what.reason = Reason::DeliverTo;
                what.marks = Some(marks.clone());
                what.leaves.clone_from(&gone);
            });
            let redeliver = edited(change("a", &[], Some(&[])), |what| {
                what.action = Action::Redeliver;
                what.reason = Reason::DeliverTo;
                what.marks = Some(marks.clone());
                what.deliver_to.clone_from(&to);
                what.key_from = Some(vault());
            });
            let changes = match to.is_empty() {
                true => vec![update],
                false => vec![redeliver, update],
            };
            let found = refused(changes, LocalFiles::MayGo, &none);
            found.iter().any(|one| one.guard == "lost-key")
        };
    let (gone, stays, store) = (file("a", false), file("b", true), vault());
    let other = {
        let place = serde_json::json!({"vault": {
            "address": "https://vault.acme.example", "namespace": "", "mount": "secret", "path": "other",
            "field": "credential", "format": "json", "metadata": false,
        }});
        Destination::new("vault.ci", serde_json::from_value(place).expect("a place"))
    };
    let to = |places: &[&Destination]| places.iter().map(|place| (*place).clone()).collect();
    for (further, leaves, kept, lost) in [
        (to(&[&gone]), &[(&store, true)][..], &[][..], true),
        (to(&[&gone]), &[(&store, true), (&other, true)], &[], true),
        (to(&[&gone]), &[(&store, false)], &[], false),
        (to(&[&gone]), &[(&store, true), (&other, false)], &[], false),
        (to(&[&gone]), &[(&store, true)], &[&other], false),
        (to(&[&gone, &other]), &[(&store, true)], &[], false),
        (to(&[&stays]), &[(&store, true)], &[], false),
        (to(&[&file("c", false)]), &[(&gone, true)], &[], false),
        (to(&[&file("c", false)]), &[(&stays, true)], &[], true),
        (to(&[&other]), &[(&store, true), (&gone, false)], &[], false),
        (
            to(&[&file("c", false)]),
            &[(&store, true), (&gone, false)],
            &[],
            true,
        ),
    ] {
        let found = nowhere_else(further, leaves, kept);
        assert_eq!(found, lost, "{leaves:?}");
    }
    // What is there keeps its key.
    let kept = || vec![change("a", &["viewer"], Some(&["agent"]))];
    assert_eq!(refused(kept(), LocalFiles::MayGo, &none), []);
    let many = |n: usize| -> Vec<_> {
        let names = ["a", "b", "c", "d", "e"];
        names[..n]
            .iter()
            .map(|name| born(name, vec![file(name, false)]))
            .collect()
    };
    for (n, told) in [
        (1, "The key of service_account.a would"),
        (2, "The keys of service_account.a, service_account.b would"),
        (5, "service_account.b, service_account.c and 2 more would"),
    ] {
        let found = refused(many(n), LocalFiles::MayGo, &none);
        assert!(found[0].message.contains(told), "{}", found[0].message);
    }
    let digest = named(&Plan {
        declared: 9,
        changes: many(2),
        ..plan()
    });
    let ack = format!("lost-key={digest}");
    let acked = Acks::parse([ack.as_str()]).expect("an ack");
    assert_eq!(refused(many(2), LocalFiles::MayGo, &acked), []);
    let other = refused(many(3), LocalFiles::MayGo, &acked);
    let guards: Vec<_> = other.iter().map(|one| one.guard).collect();
    assert_eq!(guards, ["lost-key", "ack"]);
}
