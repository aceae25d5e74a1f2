//! Which changes the guard is about, and what it says of each way in which history can answer.

use super::*;
use crate::model::samples;
use crate::model::{
    Address, AddressLabel, Birth, Caller, Checkout, Limits, Marks, Meant, Nonce, Role, Scope,
    SpaceId, StackId, Written,
};
use crate::plan::{Annex, Contents, Difference, Reason};

const COMMIT: &str = "89abcdef0123";

fn stack() -> StackId {
    StackId::new("acme", "k7m2q9ta").expect("valid")
}

fn marks(stack: StackId, commit: Option<&str>) -> Marks {
    Marks {
        written: Written::new(commit, None),
        ..Marks::external(stack, AddressLabel::from_label("a"), false)
    }
}

/// A change of an account that this commit wrote.
fn change(name: &str, edit: impl FnOnce(&mut Difference)) -> Change {
    let mut what = Difference {
        address: Address::new(name, None),
        generation: 1,
        action: Action::Update,
        reason: Reason::Differs,
        scope: Scope::Space(SpaceId::new("payments").expect("valid")),
        account: Some(Mrn::new(name)),
        before: Some(samples::state(name)),
        after: Some(samples::state(name)),
        marks: Some(marks(stack(), Some(COMMIT))),
        moved_from: None,
        deliver_to: Vec::new(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: Vec::new(),
    };
    edit(&mut what);
    Change::of(what, &stack())
}

fn plan(changes: Vec<Change>, head: Option<&str>, standing: Option<Standing>) -> Plan {
    let commits = standing.map(|standing| (COMMIT.to_owned(), standing));
    Contents {
        stack: stack(),
        endpoint: "https://us.api.mondoo.com".to_owned(),
        meant: Meant::default(),
        limits: Limits::default(),
        policies: Vec::new(),
        changes,
        blocked: Vec::new(),
        caller: Caller {
            mrn: Mrn::new("me"),
            binding: None,
            name: None,
        },
        declared: 1,
        managed: 1,
        sealed: true,
        in_flight: Vec::new(),
        annex: Annex {
            checkout: Some(Checkout {
                head: head.map(str::to_owned),
                commits: commits.into_iter().collect(),
            }),
            ..Annex::default()
        },
    }
    .settle()
}

fn refused(changes: Vec<Change>, standing: Standing) -> Option<Refusal> {
    older_checkout(
        &plan(changes, Some("0123456789abcdef"), Some(standing)),
        "DIGEST",
    )
}

#[test]
fn every_change_of_an_account_that_another_commit_wrote_counts() {
    use Action::{Adopt, Create, Delete, Forget, Move, Redeliver, Update, UpdatePermissions};
    for action in [Move, Update, UpdatePermissions, Redeliver, Forget, Delete] {
        let one = || vec![change("a", |what| what.action = action)];
        assert!(
            refused(one(), Standing::NotAncestor).is_some(),
            "{action:?}"
        );
        assert_eq!(refused(one(), Standing::Ancestor), None, "{action:?}");
    }
    let birth = |what: &mut Difference| {
        (what.action, what.account, what.before, what.marks) = (Create, None, None, None);
    };
    let role = |what: &mut Difference| {
        what.action = UpdatePermissions;
        what.after
            .as_mut()
            .expect("a state")
            .roles
            .insert(Role::new("owner"));
    };
    let adopt = |what: &mut Difference| what.action = Adopt;
    let unnamed = |what: &mut Difference| what.marks = Some(marks(stack(), None));
    let others = |what: &mut Difference| {
        let other = StackId::new("other", "k7m2q9ta").expect("valid");
        what.marks = Some(marks(other, Some(COMMIT)));
    };
    let unmarked = |what: &mut Difference| {
        (what.action, what.reason, what.marks) = (Delete, Reason::Unmanaged, None);
    };
    for (changes, why) in [
        (vec![change("a", birth)], "a birth"),
        (
            vec![change("a", adopt), change("a", role)],
            "adopted, and then changed",
        ),
        (vec![change("a", unnamed)], "of no commit"),
        (vec![change("a", others)], "of another stack"),
        (vec![change("a", unmarked)], "of nobody"),
        (vec![], "nothing"),
    ] {
        assert_eq!(refused(changes, Standing::NotAncestor), None, "{why}");
    }
}

/// It never had power, and the newer run is dead: to remove it undoes nothing.
#[test]
fn what_a_birth_of_the_newer_run_left_may_be_removed() {
    let birth = Birth::new(Nonce::from_bytes([7; 16]), jiff::Timestamp::UNIX_EPOCH);
    let pending = Marks {
        written: Written::new(Some(COMMIT), None),
        ..Marks::pending(stack(), AddressLabel::from_label("a"), 1, birth, None)
    };
    let removes = |reason| {
        let marks = pending.clone();
        vec![change("a", |what| {
            (what.action, what.reason, what.marks) = (Action::Delete, reason, Some(marks));
            what.after = None;
        })]
    };
    assert_eq!(
        refused(removes(Reason::CredentialPending), Standing::NotAncestor),
        None
    );
    assert!(refused(removes(Reason::Undeclared), Standing::NotAncestor).is_some());
    assert!(writers(&plan(removes(Reason::CredentialPending), None, None)).is_empty());
}

#[test]
fn each_answer_has_its_reason_and_its_way_out() {
    for (standing, head, why, way) in [
        (
            Standing::NotAncestor,
            Some("0123456789abcdef0123"),
            "the one that is checked out, 0123456789ab, may be older: service_account.a, by 89abcdef0123 \
             (not an ancestor of it).",
            "git pull",
        ),
        (
            Standing::Shallow,
            Some("0123456789abcdef0123-dirty"),
            "0123456789ab-dirty, may be older: service_account.a, by 89abcdef0123 (not found in this \
             clone, which is shallow).",
            "fetch-depth: 0",
        ),
        (
            Standing::Unknown,
            Some("0123456789abcdef0123"),
            "(not known to this repository).",
            "fetch-depth: 0",
        ),
        (
            Standing::NoRepository,
            None,
            "another commit wrote, and this configuration is of none: service_account.a, by 89abcdef0123",
            "fetch-depth: 0",
        ),
        (
            Standing::Unread("git's object x is damaged".to_owned()),
            Some("0123456789abcdef0123"),
            "(the history could not be read: git's object x is damaged).",
            "git fsck",
        ),
    ] {
        let dirty = Written::new(Some("89abcdef0123456789-dirty"), None);
        let one = change("a", |what| {
            what.marks.as_mut().expect("marks").written = dirty
        });
        let plan = plan(vec![one], head, Some(standing));
        let found = older_checkout(&plan, "DIGEST").expect("refused");
        assert!(found.message.contains(why), "{}", found.message);
        assert!(found.help.contains(way), "{}", found.help);
        assert!(
            found
                .help
                .ends_with("apply with --ack older-checkout=DIGEST."),
            "{}",
            found.help
        );
        assert!(found.apply_only);
    }
}

/// That nobody asked is no answer.
#[test]
fn a_plan_of_which_nobody_asked_is_refused() {
    let one = || vec![change("a", |_| {})];
    let mut contents = plan(one(), None, None).into_contents();
    assert!(older_checkout(&contents.clone().settle(), "DIGEST").is_some());
    contents.annex.checkout = None;
    assert!(older_checkout(&contents.settle(), "DIGEST").is_some());
}

#[test]
fn many_are_told_by_number_and_each_account_once() {
    let both = |name: &'static str| {
        let roles = |what: &mut Difference| what.action = Action::UpdatePermissions;
        [change(name, |_| {}), change(name, roles)]
    };
    let names = ["a", "b", "c", "d", "e"];
    let message = |n: usize| {
        let changes = names[..n].iter().flat_map(|name| both(name)).collect();
        refused(changes, Standing::Unknown)
            .expect("refused")
            .message
    };
    assert!(
        message(1).contains("changes 1 account that"),
        "{}",
        message(1)
    );
    assert!(
        message(3).contains("changes 3 accounts that"),
        "{}",
        message(3)
    );
    assert!(!message(3).contains(" more."), "{}", message(3));
    assert!(message(5).ends_with("; and 2 more."), "{}", message(5));
    assert_eq!(message(5).matches("service_account.").count(), 3);
}

/// One acknowledgement, for one plan, lifts it and nothing else.
#[test]
fn it_is_lifted_for_the_plan_that_a_person_named() {
    use crate::policy::{Acks, LocalFiles, approve};
    let plan = plan(
        vec![change("a", |_| {})],
        Some("0123456789abcdef"),
        Some(Standing::NotAncestor),
    );
    let guards = |acks: &[String]| -> Vec<&str> {
        let acks = Acks::parse(acks.iter().map(String::as_str)).expect("acks");
        approve(plan.clone(), &acks, None, LocalFiles::Stay).map_or_else(
            |found| found.iter().map(|one| one.guard).collect(),
            |_| Vec::new(),
        )
    };
    assert_eq!(guards(&[]), [OLDER_CHECKOUT]);
    assert_eq!(
        guards(&[format!("{OLDER_CHECKOUT}={}", plan.digest())]),
        Vec::<&str>::new()
    );
    let other = format!("{OLDER_CHECKOUT}={}", "0".repeat(64));
    assert_eq!(guards(&[other]), [OLDER_CHECKOUT, "ack"]);
}

#[test]
fn who_wrote_an_account_is_in_no_digest() {
    let of = |commit| {
        let one = change("a", |what| what.marks = Some(marks(stack(), commit)));
        plan(vec![one], None, None).digest().to_owned()
    };
    assert_eq!(of(Some(COMMIT)), of(None));
    assert_eq!(of(Some(COMMIT)), of(Some("0123456789ab-dirty")));
}
