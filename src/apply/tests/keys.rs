//! Keys of accounts that are there: out of places that they leave, and out of places of accounts that go.

use super::*;
use crate::model::OnDelete;
use crate::plan::Action;

fn file(name: &str) -> Destination {
    let place = FilePlace {
        directory: "keys".to_owned(),
        file: name.to_owned(),
        format: CredentialFormat::Json,
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
