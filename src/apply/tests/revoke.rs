//! Power that is taken back: roles first, then the mark, and nothing besides.

use std::collections::BTreeSet;

use super::*;
use crate::model::{Home, revocation};
use crate::policy::approve_revocation;

/// What is revoked, by whom.
fn revoked_by(seals: &Seals, live: &[LiveAccount], world: &Small) -> Outcome {
    let desired = Desired {
        trusted_creators: vec!["me".to_owned()],
        ..Desired::nothing(StackId::new("acme", "k7m2q9ta").expect("valid"))
    };
    let accounts: BTreeSet<Mrn> = live.iter().map(|account| account.mrn.clone()).collect();
    let live = samples::live("me", live.iter().cloned());
    assert_eq!(live.extent.home, Home::Unasked);
    let inventory = Inventory::take(&desired, &live, seals);
    let plan = crate::plan::revocation(&desired, &live, &inventory, &accounts);
    let approved = approve_revocation(plan, &Acks::default()).expect("nobody objects");
    let options = Options {
        seals: seals.clone(),
        ..Options::default()
    };
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(revoke(&approved, world, &options))
}

fn without_key() -> Seals {
    let keys = seals().keys().cloned();
    Seals::new(keys, None).expect("nothing to belong to")
}

fn one(outcome: &Outcome) -> (ChangeResult, String) {
    let [one] = outcome.results.as_slice() else {
        panic!("one: {outcome:?}");
    };
    (one.result, one.detail.clone())
}

fn now(world: &Small, name: &str) -> LiveAccount {
    world.accounts.borrow()[&mrn(name)].clone()
}

#[test]
fn roles_go_first_and_the_mark_follows_under_the_seal() {
    let mut ci = managed("ci", &["viewer", "agent"]);
    ci.labels.insert("team".to_owned(), "blue".to_owned());
    ci.description = Some("scans".to_owned());
    let world = Small::new(std::slice::from_ref(&ci), Vec::new());
    let outcome = revoked_by(&seals(), std::slice::from_ref(&ci), &world);
    assert_eq!(one(&outcome), (ChangeResult::Done, String::new()));
    assert!(outcome.complete() && outcome.written);
    assert_eq!(*world.writes.borrow(), ["roles ci", "update ci"]);
    let after = now(&world, "ci");
    assert_eq!(after.roles, RoleSet::new());
    let marks = after.marks().expect("marks");
    assert_eq!(
        seals().check(&after.mrn, marks),
        SealCheck::Right,
        "sealed anew"
    );
    assert!(marks.revoked && !marks.revoked_unsealed);
    // Everything else is as it was.
    let before = ci.marks().expect("marks").clone();
    let same = Marks {
        revoked: false,
        seal: before.seal.clone(),
        ..marks.clone()
    };
    assert_eq!(same, before);
    assert_eq!((after.name, after.description), (ci.name, ci.description));
    assert_eq!(after.labels.get("team").map(String::as_str), Some("blue"));
}

/// At night on a laptop: the seal stays as it was, and a label that can only take away says it beside.
#[test]
fn without_the_private_key_a_label_says_it_and_the_seal_still_fits() {
    let ci = managed("ci", &["viewer"]);
    let world = Small::new(std::slice::from_ref(&ci), Vec::new());
    let (result, told) = one(&revoked_by(
        &without_key(),
        std::slice::from_ref(&ci),
        &world,
    ));
    assert_eq!(result, ChangeResult::Done);
    assert!(told.contains("a label without a seal"), "{told}");
    let after = now(&world, "ci");
    let marks = after.marks().expect("marks");
    assert!(!marks.revoked && marks.revoked_unsealed);
    assert_eq!(without_key().check(&after.mrn, marks), SealCheck::Right);
    // Where the key is, the same command makes the label a mark, and writes no roles.
    let world = Small::new(std::slice::from_ref(&after), Vec::new());
    let again = revoked_by(&seals(), &[after], &world);
    assert_eq!(one(&again), (ChangeResult::Done, String::new()));
    assert_eq!(*world.writes.borrow(), ["update ci"]);
    let marks = now(&world, "ci").marks().expect("marks").clone();
    assert!(marks.revoked && !marks.revoked_unsealed);
}

/// Whoever seals says that all marks are true, so what is not believed is only labelled.
#[test]
fn marks_that_are_not_believed_are_never_sealed() {
    let mut ci = managed("ci", &["owner"]);
    ci.labels
        .insert("rolecall-address".to_owned(), "other".to_owned());
    let world = Small::new(std::slice::from_ref(&ci), Vec::new());
    let outcome = revoked_by(&seals(), std::slice::from_ref(&ci), &world);
    assert_eq!(one(&outcome).0, ChangeResult::Done);
    let after = now(&world, "ci");
    assert_eq!(after.roles, RoleSet::new());
    let mut expected = ci.labels.clone();
    expected.extend([revocation()]);
    assert_eq!(after.labels, expected, "nothing but the one label");
}

/// What failed is tried again; what was done is not done twice.
#[test]
fn each_write_is_tried_again_where_that_may_help() {
    use Scripted::{DoAndLose, Fail, Ignore};
    let lost = || Fail(ErrorKind::Transport, Effect::Unknown);
    let ill = || Fail(ErrorKind::Platform, Effect::None);
    for (script, expected) in [
        (vec![lost()], &["roles ci", "roles ci", "update ci"][..]),
        (
            vec![ill(), ill()],
            &["roles ci", "roles ci", "roles ci", "update ci"],
        ),
        (vec![DoAndLose], &["roles ci", "update ci"]),
        (vec![Ignore], &["roles ci", "roles ci", "update ci"]),
    ] {
        let ci = managed("ci", &["viewer"]);
        let world = Small::new(std::slice::from_ref(&ci), script);
        let outcome = revoked_by(&seals(), &[ci], &world);
        assert_eq!(one(&outcome).0, ChangeResult::Done, "{outcome:?}");
        assert_eq!(*world.writes.borrow(), expected);
        assert!(now(&world, "ci").labels.revoked());
    }
    // A batch that refuses one of two is not sent again for the other.
    let both = [managed("a", &["viewer"]), managed("b", &["viewer"])];
    let world = Small::new(&both, vec![Scripted::Batch(mrn("b"), "busy")]);
    let outcome = revoked_by(&seals(), &both, &world);
    assert!(outcome.complete(), "{outcome:?}");
    assert_eq!(world.writes.borrow()[..2], ["roles a,b", "roles b"]);
}

#[test]
fn a_mark_that_cannot_be_written_is_told_beside_the_roles_that_are_gone() {
    let refused = || Scripted::Fail(ErrorKind::PermissionDenied, Effect::None);
    let ci = managed("ci", &["viewer"]);
    let mut script = vec![Scripted::Batch(mrn("nobody"), "")];
    script.extend([refused(), refused(), refused(), refused()]);
    let world = Small::new(std::slice::from_ref(&ci), script);
    let outcome = revoked_by(&seals(), &[ci], &world);
    let (result, told) = one(&outcome);
    assert_eq!(result, ChangeResult::Failed);
    assert!(outcome.written, "so the exit code is 5");
    assert!(
        told.starts_with("its roles are taken away, and the mark"),
        "{told}"
    );
    assert!(
        told.contains("an apply would grant the roles again"),
        "{told}"
    );
    let after = now(&world, "ci");
    assert!(after.roles.is_empty() && !after.labels.revoked());
}

#[test]
fn roles_that_stay_are_told_and_the_account_is_marked_all_the_same() {
    let ci = managed("ci", &["viewer"]);
    let denied = Scripted::Fail(ErrorKind::PermissionDenied, Effect::None);
    let world = Small::new(std::slice::from_ref(&ci), vec![denied]);
    let outcome = revoked_by(&seals(), &[ci], &world);
    let (result, told) = one(&outcome);
    assert_eq!(result, ChangeResult::Failed);
    assert!(told.starts_with("its roles may still be there"), "{told}");
    assert_eq!(*world.writes.borrow(), ["roles ci", "update ci"]);
    assert!(now(&world, "ci").labels.revoked());
}

/// An apply that had read the account before grants between the roles and the mark.
#[test]
fn roles_that_another_run_gives_meanwhile_are_taken_again() {
    let ci = managed("ci", &["viewer"]);
    let world = Small::new(std::slice::from_ref(&ci), Vec::new());
    *world.given.borrow_mut() = Some(roles(&["owner"]));
    let outcome = revoked_by(&seals(), &[ci], &world);
    assert!(outcome.complete(), "{outcome:?}");
    assert_eq!(
        *world.writes.borrow(),
        ["roles ci", "update ci", "roles ci"]
    );
    assert_eq!(now(&world, "ci").roles, RoleSet::new());
}

/// A platform that gives no account without roles keeps the weakest one, and the outcome says so.
#[test]
fn where_the_last_role_stays_it_is_the_weakest() {
    let ci = managed("ci", &["editor", "viewer"]);
    let invalid = Scripted::Fail(ErrorKind::Invalid, Effect::None);
    let world = Small::new(std::slice::from_ref(&ci), vec![invalid]);
    let (result, told) = one(&revoked_by(&seals(), &[ci], &world));
    assert_eq!(result, ChangeResult::Failed);
    assert!(told.contains("takes no last role away"), "{told}");
    assert_eq!(now(&world, "ci").roles, roles(&["viewer"]));
}

/// All scopes lose their roles before the first mark is written.
#[test]
fn no_mark_is_written_before_the_last_role_is_taken() {
    let mut other = managed("b", &["viewer"]);
    other.scope = Scope::Space(SpaceId::new("elsewhere").expect("valid"));
    let both = [managed("a", &["viewer"]), other];
    let world = Small::new(&both, Vec::new());
    let outcome = revoked_by(&seals(), &both, &world);
    assert!(outcome.complete());
    let writes = world.writes.borrow();
    let first = writes.iter().position(|w| w.starts_with("update"));
    assert_eq!(first, Some(2), "{writes:?}");
}

/// An apply that is giving birth looks once more before it grants.
#[test]
fn an_account_that_was_revoked_meanwhile_carries_no_mark_of_a_birth() {
    let mut ci = managed("ci", &[]);
    let delivered = ci.marks().expect("marks").credential.clone();
    let still = |account: &LiveAccount| {
        let world = Small::new(std::slice::from_ref(account), Vec::new());
        let plan = crate::plan::revocation(
            &Desired::nothing(StackId::new("acme", "k7m2q9ta").expect("valid")),
            &samples::live("me", [account.clone()]),
            &Inventory::default(),
            &BTreeSet::new(),
        );
        let options = Options::default();
        let run = Run::new(&plan, &world, &options, Written::default(), Keys::new(1, 0));
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(run.still(&account.mrn, &delivered))
            .is_ok()
    };
    assert!(still(&ci));
    ci.labels.extend([revocation()]);
    assert!(!still(&ci));
}

/// Who says that a run is dead may err: what it did since the scope was listed is no remnant.
#[test]
fn a_birth_that_goes_on_after_all_is_not_removed_as_dead() {
    use crate::model::{Birth, RoleSet};
    let birth = Birth::new(Nonce::from_bytes([3; 16]), jiff::Timestamp::UNIX_EPOCH);
    let pending = Marks::pending(
        StackId::new("acme", "k7m2q9ta").expect("valid"),
        Address::new("ci", None).label(),
        1,
        birth.clone(),
        None,
    );
    let dead = LiveAccount {
        labels: seals().sign_birth(pending).labels().into(),
        roles: RoleSet::new(),
        created_at: Some(birth.since),
        ..samples::account(mrn("ci"), space(), "ci")
    };
    for (alive, expected) in [(false, ChangeResult::Done), (true, ChangeResult::Stale)] {
        let world = Small::new(std::slice::from_ref(&dead), Vec::new());
        if alive {
            let born = managed("ci", &["viewer"]);
            world.meanwhile.borrow_mut().insert(born.mrn.clone(), born);
        }
        let lie = |desired: &mut Desired| desired.meant.resume = [birth.nonce.clone()].into();
        let outcome = run_as(lie, Vec::new(), std::slice::from_ref(&dead), &world);
        assert_eq!(one(&outcome).0, expected, "{outcome:?}");
        let deleted = world.writes.borrow().iter().any(|w| w == "delete ci");
        assert_eq!(deleted, !alive);
    }
}
