//! Each guard objects to what it is for, and to nothing else.

use super::*;
use crate::model::{Caller, Limits, Mrn, StackId};
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
        sealed: true,
        limits: Limits::default(),
        policies: Vec::new(),
        destroy: false,
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
        let one = crate::plan::Change {
            reason,
            action,
            ..change("a", &[], None)
        };
        guards(Plan {
            declared,
            destroy,
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
        name: "a".to_owned(),
        description: None,
        labels: Default::default(),
        roles: set(names),
        valid_until: None,
        protected: false,
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
        moved_from: None,
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
    let digest = raising(false).digest();
    assert!(approve(raising(false), &ack(&digest), None).is_ok());
    assert!(approve(raising(false), &ack(&format!("sha256:{digest}")), None).is_ok());
    let other = lowering.digest();
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
    let mut adopt = change("other", &["viewer"], Some(&["viewer"]));
    adopt.action = Action::Adopt;
    let mut raise = change("other", &["viewer"], Some(&["editor"]));
    let with = |changes| Plan {
        sealed: false,
        changes,
        ..plan()
    };
    assert_eq!(
        guards(with(vec![adopt.clone(), raise.clone()])),
        Vec::<&str>::new()
    );
    raise.account = Some(Mrn::new("another"));
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
        scope: change("a", &[], None).scope,
        block: crate::plan::Block::Duplicate {
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

/// What was not read is told by a plan, which is one all the same.
#[test]
fn what_was_not_read_alone_refuses_the_apply_only() {
    let blocked = |block| crate::plan::Blocked {
        address: crate::model::Address::new("a", None),
        scope: change("a", &[], None).scope,
        block,
        declared_at: None,
    };
    let unread = || {
        blocked(crate::plan::Block::Unread {
            why: "denied".to_owned(),
        })
    };
    let duplicate = blocked(crate::plan::Block::Duplicate {
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
        changes: vec![crate::plan::Change {
            reason: crate::plan::Reason::Undeclared,
            ..change("a", &[], None)
        }],
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
        destroy: true,
        ..many(8, times(8, |a| change(a, &[], None)))
    };
    assert_eq!(guards(destroy), Vec::<&str>::new(), "all of it is meant");
    let gone = |deletes, forgets, managed| {
        let give_up = |a: &str| crate::plan::Change {
            action: Action::Forget,
            ..change(a, &["viewer"], Some(&["viewer"]))
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
        ["The plan deletes 5 and gives up 6 accounts, and 10 are allowed at once."]
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
        "The plan deletes 1 account, and 0 are allowed at once."
    );
    assert_eq!(
        gone(0, 2, 4),
        ["The plan gives up 2 of 4 managed accounts, more than 25 per cent."]
    );
    // What a dead run left has no power, and its removal is no loss.
    let reap = |a: &str| crate::plan::Change {
        reason: crate::plan::Reason::CredentialPending,
        ..change(a, &[], None)
    };
    assert_eq!(guards(many(12, times(12, reap))), Vec::<&str>::new());
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
    let ack = Acks::parse([format!("max-escalations={}", both.digest()).as_str()]).expect("an ack");
    let left = approve(both, &ack, None).expect_err("refused");
    assert_eq!(
        left.iter().map(|r| r.guard).collect::<Vec<_>>(),
        ["max-revoked-grants"]
    );
}

/// A configuration of which nothing is live, beside many accounts of its stack: the wrong one.
#[test]
fn a_configuration_that_knows_none_of_its_accounts_is_refused() {
    let birth = |a: &str| crate::plan::Change {
        action: Action::Create,
        account: None,
        before: None,
        ..change(a, &[], Some(&[]))
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
        changes: vec![crate::plan::Change {
            scope: Scope::Organization(id()),
            ..change("a", roles, Some(&["viewer"]))
        }],
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
    let ack = Acks::parse([format!("min-owners={}", plan.digest()).as_str()]).expect("an ack");
    assert!(approve(plan, &ack, None).is_ok());
}
