//! What a run left that did not end, where nobody can read it: its change waits for a person, and all others go on.

use super::*;
use crate::model::{Birth, Renewal};

fn nonce() -> Nonce {
    Nonce::from_bytes([3; 16])
}

/// What a run left of the birth of `ci` before it died.
fn dead() -> LiveAccount {
    let birth = Birth::new(nonce(), jiff::Timestamp::UNIX_EPOCH);
    let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
    let address = Address::new("ci", None).label();
    let pending = Marks::pending(stack, address, 1, birth.clone(), None);
    LiveAccount {
        labels: seals().sign_birth(pending).labels().into(),
        created_at: Some(birth.since),
        ..samples::account(mrn("dead"), space(), "ci")
    }
}

/// An account of which something else differs.
fn beside() -> (LiveAccount, DesiredAccount) {
    let renamed = DesiredAccount {
        name: "another name".to_owned(),
        ..declared("other", &[])
    };
    (managed("other", &[]), renamed)
}

fn delivered(name: &str, to: Destination) -> DesiredAccount {
    DesiredAccount {
        deliver_to: vec![to],
        ..declared(name, &[])
    }
}

/// A world of these accounts, whose places hold what nobody can read, of this version.
fn unreadable(live: &[LiveAccount], version: Option<&str>) -> Small {
    let refuse = || Scripted::Fail(ErrorKind::Invalid, Effect::None);
    let world = Small::new(live, Vec::new());
    world.creates.borrow_mut().extend([refuse(), refuse()]);
    *world.held.borrow_mut() = Some(Probe {
        found: Found::Unreadable,
        version: version.map(StoreVersion::new),
        abilities: samples::destination("a").abilities(),
        read: None,
    });
    world
}

fn told<'o>(outcome: &'o Outcome, action: Action, name: &str) -> (ChangeResult, &'o str) {
    let mut results = outcome.results.iter();
    let one = results.find(|ended| ended.action == action && ended.address.name == name);
    let one = one.unwrap_or_else(|| panic!("{action:?} {name}: {outcome:?}"));
    (one.result, &one.detail)
}

#[test]
fn what_a_dead_birth_may_have_left_where_nobody_can_read_holds_its_address_alone() {
    let (other, renamed) = beside();
    let live = [dead(), other];
    let resumed = |desired: &mut Desired| desired.meant.resume = [nonce()].into();
    let run = |overwrite: bool| {
        let world = unreadable(&live, None);
        let to = samples::destination("a").overwriting_unreadable(overwrite);
        let declared = vec![delivered("ci", to), renamed.clone()];
        let outcome = run_as(resumed, declared, &live, &world);
        (outcome, world.writes.take())
    };
    let (outcome, writes) = run(false);
    assert_eq!(writes, ["update other"]);
    let (result, why) = told(&outcome, Action::Create, "ci");
    assert_eq!(result, ChangeResult::Refused);
    for part in [
        mrn("dead").as_str(),
        "sink.file.local at credentials/a",
        "remove it there, or say overwrite_unreadable = true in the sink",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    // Without it a later run could not tell the place from one that others use.
    let (result, why) = told(&outcome, Action::Delete, "ci");
    assert_eq!(result, ChangeResult::NotAttempted);
    assert!(why.contains("it alone tells"), "{why}");
    assert_eq!(
        told(&outcome, Action::Update, "other").0,
        ChangeResult::Done
    );
    assert!(outcome.held > 0 && !outcome.complete(), "{outcome:?}");
    // Once a person says that it may be lost, it goes on.
    let (outcome, writes) = run(true);
    assert_eq!(writes[..2], ["delete dead", "create ci"], "{outcome:?}");
    assert_eq!(outcome.held, 0);
}

/// It excuses nothing else: what no dead birth explains, and what else is in the way, ends the run before its
/// first write.
#[test]
fn nothing_is_begun_where_no_dead_run_explains_what_is_there() {
    let (other, renamed) = beside();
    let resumed = |desired: &mut Desired| desired.meant.resume = [nonce()].into();
    let to = || samples::destination("a");
    // Nobody died.
    let live = [other.clone()];
    let world = unreadable(&live, None);
    let declared = vec![delivered("ci", to()), renamed.clone()];
    let outcome = run(declared, &live, &world);
    assert!(world.writes.borrow().is_empty(), "{outcome:?}");
    // Another birth meets the same.
    let live = [dead(), other];
    let world = unreadable(&live, None);
    let declared = vec![
        delivered("ci", to()),
        delivered("new", samples::destination("b")),
        renamed,
    ];
    let outcome = run_as(resumed, declared.clone(), &live, &world);
    assert!(world.writes.borrow().is_empty(), "{outcome:?}");
    assert_eq!(
        told(&outcome, Action::Create, "new").0,
        ChangeResult::Failed
    );
    assert_eq!(
        told(&outcome, Action::Create, "ci").0,
        ChangeResult::Refused
    );
    assert_eq!(outcome.held, 0);
    // What is there can be read.
    let world = unreadable(&live, None);
    if let Some(held) = world.held.borrow_mut().as_mut() {
        let what = "a shopping list".to_owned();
        held.found = Found::Foreign { what };
    }
    let outcome = run_as(resumed, declared, &live, &world);
    assert!(world.writes.borrow().is_empty(), "{outcome:?}");
}

/// An account with its key in a place, by marks that name a version of it there.
fn keyed(name: &str, to: &Destination, version: Option<&str>) -> LiveAccount {
    let account = managed(name, &[]);
    let marks = account.marks().expect("marked").clone();
    let CredentialMark::Delivered {
        fingerprint, nonce, ..
    } = marks.credential
    else {
        panic!("delivered")
    };
    let at = to.key_at(1, version.map(StoreVersion::new));
    let marks = Marks {
        credential: CredentialMark::Delivered {
            fingerprint,
            nonce,
            destinations: [at].into(),
        },
        ..marks
    };
    LiveAccount {
        labels: seals().seal(&account.mrn, marks).labels().into(),
        ..account
    }
}

#[test]
fn a_rotation_is_held_alone_where_the_marks_name_no_version_of_what_is_there() {
    let to = samples::destination("a");
    let renew = |desired: &mut Desired| {
        desired.meant.renewal = Renewal {
            of: [Address::new("ci", None)].into(),
            ..Renewal::default()
        };
    };
    for (marked, held, begun) in [
        // The run died, or the answer was lost, before the mark.
        (None, true, vec!["update other"]),
        // Somebody wrote there since.
        (Some("1"), false, vec![]),
        (Some("2"), false, vec!["update other", "create ci"]),
    ] {
        let (other, renamed) = beside();
        let live = [keyed("ci", &to, marked), other];
        let world = unreadable(&live, Some("2"));
        let declared = vec![delivered("ci", to.clone()), renamed];
        let outcome = run_as(renew, declared, &live, &world);
        assert_eq!(*world.writes.borrow(), begun, "{marked:?}: {outcome:?}");
        assert_eq!(outcome.held, usize::from(held));
        let (result, why) = told(&outcome, Action::Rotate, "ci");
        assert_eq!(result == ChangeResult::Refused, held, "{why}");
        assert_eq!(why.contains(mrn("ci").as_str()), held, "{why}");
    }
}

/// The account keeps its key and its places, so that all else goes on.
#[test]
fn a_further_place_that_nobody_can_read_holds_its_redelivery_alone() {
    let (a, b) = (samples::destination("a"), samples::destination("b"));
    let (other, renamed) = beside();
    let live = [keyed("ci", &a, None), other];
    let world = unreadable(&live, None);
    world.keys.borrow_mut().insert(a.to_string(), mrn("ci"));
    let ci = DesiredAccount {
        deliver_to: vec![a, b],
        ..declared("ci", &[])
    };
    let outcome = run(vec![ci, renamed], &live, &world);
    assert_eq!(*world.writes.borrow(), ["update other"], "{outcome:?}");
    let (result, why) = told(&outcome, Action::Redeliver, "ci");
    assert_eq!(result, ChangeResult::Refused);
    assert!(why.contains("credentials/b"), "{why}");
    assert_eq!(outcome.held, 1);
}
