//! Keys of accounts that are there: out of places that they leave, and out of places of accounts that go.

use super::*;
use crate::model::OnDelete;

fn file(name: &str) -> Destination {
    let place = FilePlace {
        directory: "keys".to_owned(),
        file: name.to_owned(),
        format: CredentialFormat::Json,
        keep: false,
    };
    Destination::new("file.local", Place::File(place))
}

/// A live account whose key is in these places, by its marks.
fn live_at(name: &str, places: &[&Destination]) -> LiveAccount {
    let account = managed(name, &[]);
    let marks = account.marks().expect("marked").clone();
    let CredentialMark::Delivered {
        fingerprint, nonce, ..
    } = marks.credential
    else {
        panic!("delivered")
    };
    let marks = Marks {
        credential: CredentialMark::Delivered {
            fingerprint,
            nonce,
            destinations: places.iter().map(|to| to.key_at(1, None)).collect(),
        },
        ..marks
    };
    LiveAccount {
        labels: seals().seal(&account.mrn, marks).labels().into(),
        ..account
    }
}

/// A world in which these places hold the key of an account.
fn world_at(account: &LiveAccount, places: &[&Destination]) -> Small {
    let world = Small::new(std::slice::from_ref(account), Vec::new());
    let keys = places
        .iter()
        .map(|to| (to.to_string(), account.mrn.clone()));
    *world.keys.borrow_mut() = keys.collect();
    world
}

fn declared_at(name: &str, places: &[&Destination]) -> DesiredAccount {
    DesiredAccount {
        deliver_to: places.iter().map(|to| (*to).clone()).collect(),
        ..declared(name, &[])
    }
}

fn known(name: &str, places: &[&Destination]) -> impl FnOnce(&mut Desired) {
    let places = places.iter().map(|to| (*to).clone()).collect();
    let account = mrn(name);
    move |desired| desired.elsewhere = [(account, places)].into()
}

/// Where the marks say that the key of the only account is.
fn marked(world: &Small) -> Vec<String> {
    let accounts = world.accounts.borrow();
    let account = accounts.values().next().expect("one account");
    let places = account.marks().expect("marked").credential.destinations();
    let places = places.expect("delivered");
    places.into_iter().map(ToString::to_string).collect()
}

fn only(outcome: &Outcome) -> (ChangeResult, &str) {
    let [ended] = outcome.results.as_slice() else {
        panic!("one change: {outcome:?}");
    };
    (ended.result, &ended.detail)
}

#[test]
fn a_key_is_removed_from_where_it_leaves_before_the_marks_forget_the_place() {
    let (a, b) = (file("a"), file("b").with(OnDelete::Remove));
    let account = live_at("ci", &[&a, &b]);
    let world = world_at(&account, &[&a, &b]);
    let declared = vec![declared_at("ci", &[&a])];
    let outcome = run_as(known("ci", &[&b]), declared, &[account], &world);
    let told = format!("its key is removed from {b}");
    assert_eq!(only(&outcome), (ChangeResult::Done, told.as_str()));
    assert_eq!(
        *world.writes.borrow(),
        [format!("remove {b}"), "update ci".to_owned()]
    );
    assert_eq!(marked(&world), [a.id().to_string()]);
    let keys: Vec<String> = world.keys.borrow().keys().cloned().collect();
    assert_eq!(keys, [a.to_string()]);
}

#[test]
fn a_key_that_stays_is_not_touched_and_the_marks_forget_the_place() {
    let (a, b) = (file("a"), file("b"));
    let account = live_at("ci", &[&a, &b]);
    let world = world_at(&account, &[&a, &b]);
    let declared = vec![declared_at("ci", &[&a])];
    let outcome = run_as(known("ci", &[&b]), declared, &[account], &world);
    assert_eq!(only(&outcome), (ChangeResult::Done, ""));
    assert_eq!(*world.writes.borrow(), ["update ci"]);
    assert_eq!(marked(&world), [a.id().to_string()]);
    assert_eq!(world.keys.borrow().len(), 2);
}

/// The key of another account that took the place is none of ours.
#[test]
fn what_is_not_this_accounts_key_stays_and_is_told() {
    let (a, b) = (file("a"), file("b").with(OnDelete::Remove));
    let account = live_at("ci", &[&a, &b]);
    let world = world_at(&account, &[&a]);
    world.keys.borrow_mut().insert(b.to_string(), mrn("other"));
    let declared = vec![declared_at("ci", &[&a])];
    let outcome = run_as(known("ci", &[&b]), declared, &[account], &world);
    let told = format!("{b} did not hold its key any more");
    assert_eq!(only(&outcome), (ChangeResult::Done, told.as_str()));
    assert_eq!(world.keys.borrow().len(), 2);
}

#[test]
fn a_removal_that_fails_leaves_the_mark_for_a_later_run() {
    for (effect, result) in [
        (Effect::None, ChangeResult::Failed),
        (Effect::Unknown, ChangeResult::Unknown),
    ] {
        let (a, b) = (file("a"), file("b").with(OnDelete::Remove));
        let account = live_at("ci", &[&a, &b]);
        let world = world_at(&account, &[&a, &b]);
        *world.stuck.borrow_mut() = Some(effect);
        let declared = vec![declared_at("ci", &[&a])];
        let outcome = run_as(known("ci", &[&b]), declared, &[account], &world);
        assert_eq!(only(&outcome), (result, "the store is away"));
        assert_eq!(outcome.written, effect == Effect::Unknown);
        assert_eq!(*world.writes.borrow(), [format!("remove {b}")]);
        assert_eq!(marked(&world).len(), 2);
    }
}

#[test]
fn a_key_goes_after_its_account_and_only_then() {
    let b = file("b").with(OnDelete::Remove);
    let account = live_at("ci", &[&b]);
    let world = world_at(&account, &[&b]);
    let accounts = std::slice::from_ref(&account);
    let outcome = run_as(known("ci", &[&b]), Vec::new(), accounts, &world);
    let told = format!("its key is removed from {b}");
    assert_eq!(only(&outcome), (ChangeResult::Done, told.as_str()));
    assert_eq!(
        *world.writes.borrow(),
        ["delete ci".to_owned(), format!("remove {b}")]
    );
    assert_eq!(world.keys.borrow().len(), 0);

    // An account that may be there needs its key.
    let world = world_at(&account, &[&b]);
    world.script.borrow_mut().push_back(Scripted::Ignore);
    let outcome = run_as(known("ci", &[&b]), Vec::new(), accounts, &world);
    assert_eq!(only(&outcome).0, ChangeResult::Unknown);
    assert_eq!(world.keys.borrow().len(), 1);

    let world = world_at(&account, &[&b]);
    *world.stuck.borrow_mut() = Some(Effect::None);
    let outcome = run_as(known("ci", &[&b]), Vec::new(), accounts, &world);
    let (result, why) = only(&outcome);
    assert_eq!(result, ChangeResult::Failed);
    let told = sentence(Action::Delete, result, why);
    assert!(
        told.starts_with(&format!(
            "failed: cannot delete its key at {b}, which opens nothing"
        )) && told.contains("the store is away")
            && !outcome.complete(),
        "{told}"
    );
    assert!(world.accounts.borrow().is_empty());
}

/// An account that is gone, and whose key nobody may remove, is better not deleted yet.
#[test]
fn nothing_is_begun_where_nobody_is_logged_in_at_a_place_that_loses_a_key() {
    let (a, b) = (file("a"), file("b").with(OnDelete::Remove));
    for declared in [Vec::new(), vec![declared_at("ci", &[&a])]] {
        let account = live_at("ci", &[&a, &b]);
        let world = world_at(&account, &[&a, &b]);
        *world.closed.borrow_mut() = Some(Box::new(|_| {
            Err(SinkError {
                kind: SinkErrorKind::Unauthenticated,
                effect: Effect::None,
                message: "nobody is logged in".to_owned(),
                help: None,
            })
        }));
        let outcome = run_as(known("ci", &[&b]), declared, &[account], &world);
        assert_eq!(
            only(&outcome),
            (ChangeResult::Failed, "nobody is logged in")
        );
        assert!(world.writes.borrow().is_empty() && !outcome.written);
    }
}

/// The key of an account, as a place holds it in these tests.
pub(super) fn key_of(mrn: &Mrn) -> IssuedCredential {
    let scope = "//captain.api.mondoo.app/spaces/payments".to_owned();
    IssuedCredential {
        mrn: mrn.clone(),
        certificate: String::new(),
        private_key: crate::secret::Secret::new("the key".to_owned()),
        scope_mrn: scope.clone(),
        space_mrn: scope,
        api_endpoint: "https://us.api.mondoo.com/".to_owned(),
        fingerprint: Fingerprint::of_public_key(b"key"),
    }
}

/// Why nothing is begun where a key is to be read from a place that holds this; `None` if it is begun.
fn refused(held: impl Fn() -> ReadKey + 'static) -> Option<(ChangeResult, String)> {
    let (a, b) = (file("a"), file("b"));
    let account = live_at("ci", &[&a]);
    let world = world_at(&account, &[&a]);
    *world.read.borrow_mut() = Some(Box::new(held));
    // Something else is due, and is not begun either.
    let other = managed("other", &[]);
    world
        .accounts
        .borrow_mut()
        .insert(other.mrn.clone(), other.clone());
    let renamed = DesiredAccount {
        name: "another name".to_owned(),
        ..declared("other", &[])
    };
    let declared = vec![declared_at("ci", &[&a, &b]), renamed];
    let outcome = run(declared, &[account, other], &world);
    let ended = outcome
        .results
        .iter()
        .find(|ended| ended.address.name == "ci");
    let ended = ended.expect("a redelivery");
    let begun = !world.writes.borrow().is_empty();
    assert_eq!(begun, ended.result == ChangeResult::Done, "{outcome:?}");
    (!begun).then(|| (ended.result, ended.detail.clone()))
}

#[test]
fn a_key_is_read_before_the_first_write_and_only_the_marked_one_of_this_account_here_goes_on() {
    let account = mrn("ci");
    let key = move || key_of(&account);
    let of = |edit: fn(&mut IssuedCredential)| {
        let key = key.clone();
        move || {
            let mut key = key();
            edit(&mut key);
            ReadKey::Key(Box::new(key))
        }
    };
    assert_eq!(refused(of(|_| ())), None);
    for (found, told) in [
        (refused(|| ReadKey::Nothing), "but nothing is there"),
        (
            refused(|| ReadKey::Other("a shopping list".to_owned())),
            "but it holds a shopping list",
        ),
        (
            refused(of(|key| key.mrn = mrn("other"))),
            "serviceaccounts/other",
        ),
        (
            refused(of(|key| {
                key.api_endpoint = "https://eu.api.mondoo.com".to_owned()
            })),
            "at https://eu.api.mondoo.com, which is another platform",
        ),
        (
            refused(of(|key| key.fingerprint = Fingerprint::of_public_key(b"x"))),
            "its fingerprint is ",
        ),
    ] {
        let (result, why) = found.expect("nothing is begun");
        assert_eq!(result, ChangeResult::Refused);
        assert!(why.contains(told) && why.contains("keys/a"), "{why}");
        assert!(!why.contains("the key\""), "{why}");
    }
}

#[test]
fn a_key_goes_to_a_further_place_and_then_the_marks_name_it() {
    let (a, b) = (file("a"), file("b"));
    let account = live_at("ci", &[&a]);
    let world = world_at(&account, &[&a]);
    let outcome = run(vec![declared_at("ci", &[&a, &b])], &[account], &world);
    assert_eq!(only(&outcome), (ChangeResult::Done, ""));
    assert_eq!(outcome.results[0].delivered_to, std::slice::from_ref(&b));
    assert_eq!(
        *world.writes.borrow(),
        [format!("promote {b}"), "update ci".to_owned()]
    );
    let mut expected = [a.id().to_string(), b.id().to_string()];
    expected.sort();
    assert_eq!(marked(&world), expected);
    assert_eq!(world.keys.borrow().len(), 2);
}

/// The place has the key from a run that died before the marks said so.
#[test]
fn a_place_that_has_the_key_already_is_marked_then() {
    let (a, b) = (file("a"), file("b"));
    let account = live_at("ci", &[&a]);
    let world = world_at(&account, &[&a, &b]);
    let outcome = run(vec![declared_at("ci", &[&a, &b])], &[account], &world);
    assert_eq!(only(&outcome).0, ChangeResult::Done);
    assert_eq!(marked(&world).len(), 2);
}

#[test]
fn a_key_is_taken_back_where_the_marks_surely_do_not_name_its_place() {
    for (script, result, places) in [
        (
            Scripted::Fail(ErrorKind::PermissionDenied, Effect::None),
            ChangeResult::Failed,
            1,
        ),
        // Where nobody can tell, the marks may name it: then it is to be there.
        (
            Scripted::Fail(ErrorKind::Transport, Effect::Unknown),
            ChangeResult::Unknown,
            2,
        ),
    ] {
        let (a, b) = (file("a"), file("b"));
        let account = live_at("ci", &[&a]);
        let world = world_at(&account, &[&a]);
        world.script.borrow_mut().push_back(script);
        let outcome = run(vec![declared_at("ci", &[&a, &b])], &[account], &world);
        assert_eq!(only(&outcome).0, result);
        assert_eq!(world.keys.borrow().len(), places);
        assert_eq!(marked(&world).len(), 1);
    }
}

/// The former place goes only after the new one is marked, and not at all if that fails.
#[test]
fn a_key_that_moves_is_never_nowhere() {
    let (a, b) = (file("a").with(OnDelete::Remove), file("b"));
    let account = live_at("ci", &[&a]);
    let accounts = std::slice::from_ref(&account);
    let moved = || vec![declared_at("ci", &[&b])];
    let world = world_at(&account, &[&a]);
    let outcome = run_as(known("ci", &[&a]), moved(), accounts, &world);
    assert!(outcome.complete(), "{outcome:?}");
    assert_eq!(
        *world.writes.borrow(),
        [
            format!("promote {b}"),
            "update ci".to_owned(),
            format!("remove {a}"),
            "update ci".to_owned(),
        ]
    );
    assert_eq!(marked(&world), [b.id().to_string()]);

    let world = world_at(&account, &[&a]);
    let fails = Scripted::Fail(ErrorKind::PermissionDenied, Effect::None);
    world.script.borrow_mut().push_back(fails);
    let outcome = run_as(known("ci", &[&a]), moved(), accounts, &world);
    let ended: Vec<ChangeResult> = outcome.results.iter().map(|r| r.result).collect();
    assert_eq!(ended, [ChangeResult::Failed, ChangeResult::Skipped]);
    let keys: Vec<String> = world.keys.borrow().keys().cloned().collect();
    assert_eq!(keys, [a.to_string()]);
}

/// A store that does not take the key yet, or not give it, is waited for as for a birth.
#[test]
fn a_further_place_is_waited_for_before_anything_is_written() {
    let mut stores = samples::places();
    let (a, b) = (
        Destination::new("vault.a", stores.remove(1)),
        Destination::new("kubernetes.b", stores.remove(1)),
    );
    for late in [&a, &b] {
        let account = live_at("ci", &[&a]);
        let world = world_at(&account, &[&a]);
        world.wait.set(Duration::from_secs(600));
        let place = late.to_string();
        let refuses: Refuses = Box::new(move |now, to| {
            let early = now < Duration::from_secs(90) && to.to_string() == place;
            early.then(|| SinkError {
                kind: SinkErrorKind::PermissionDenied,
                effect: Effect::None,
                message: "not yet".to_owned(),
                help: None,
            })
        });
        *world.refuses.borrow_mut() = Some(refuses);
        let outcome = run(vec![declared_at("ci", &[&a, &b])], &[account], &world);
        assert!(outcome.complete(), "{outcome:?}");
        let passed = world.now.get().as_secs();
        assert!((90..=100).contains(&passed), "{passed}");
        assert_eq!(world.keys.borrow().len(), 2);
    }
}
