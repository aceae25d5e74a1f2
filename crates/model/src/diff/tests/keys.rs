//! Where a key is and where it should be: places that it leaves, and places that have none.

use super::*;
use crate::model::{CredentialFormat, FilePlace, OnDelete, Place};

fn file(name: &str) -> Destination {
    let place = FilePlace {
        directory: "keys".to_owned(),
        file: format!("{name}.json"),
        format: CredentialFormat::Json,
        keep: false,
    };
    Destination::new("file.local", Place::File(place))
}

fn gone(name: &str) -> Destination {
    file(name).with(OnDelete::Remove)
}

/// A live account whose key is in these places.
fn live_at(name: &str, places: &[&Destination]) -> LiveAccount {
    let marks = marks(name);
    let credential = match marks.credential.clone() {
        CredentialMark::Delivered {
            fingerprint, nonce, ..
        } => CredentialMark::Delivered {
            fingerprint,
            nonce,
            destinations: places.iter().map(|to| to.key_at(1, None)).collect(),
        },
        other => other,
    };
    live_account(
        name,
        Some(Marks {
            credential,
            ..marks
        }),
    )
}

fn declared_at(name: &str, places: &[&Destination]) -> DesiredAccount {
    DesiredAccount {
        deliver_to: places.iter().map(|to| (*to).clone()).collect(),
        ..declared(name)
    }
}

/// Compares where the sinks still have these places for the account `ci`.
fn compare_at(
    declared: Option<DesiredAccount>,
    live: LiveAccount,
    elsewhere: &[&Destination],
) -> Delta {
    let (mut desired, live) = world(declared.into_iter().collect(), vec![live], &[]);
    let known = elsewhere.iter().map(|to| (*to).clone()).collect();
    desired.elsewhere = [(mrn("ci"), known)].into();
    diff(&desired, &live, &Seals::default())
}

fn leaves(delta: &Delta) -> Vec<(Action, Reason, String, bool)> {
    let all = delta.differences.iter();
    all.flat_map(|difference| {
        let told = |leaving: &Leaving| {
            let called = leaving.called();
            (
                difference.action,
                difference.reason,
                called,
                leaving.removed,
            )
        };
        difference.leaves.iter().map(told)
    })
    .collect()
}

fn noted(delta: &Delta) -> String {
    let notes: Vec<&str> = delta.notes.iter().map(|(_, note)| note.as_str()).collect();
    notes.join("\n")
}

#[test]
fn a_place_that_leaves_is_a_change_and_its_sink_says_what_becomes_of_the_key() {
    let (a, kept, removed) = (file("a"), file("b"), gone("c"));
    let live = live_at("ci", &[&a, &kept, &removed]);
    let declared = || Some(declared_at("ci", &[&a]));
    let delta = compare_at(declared(), live.clone(), &[&kept, &removed]);
    let mut found = leaves(&delta);
    found.sort();
    let why = (Action::Update, Reason::DeliverTo);
    let of = |to: &Destination, removed| (why.0, why.1, to.to_string(), removed);
    assert_eq!(found, [of(&kept, false), of(&removed, true)]);
    assert_eq!((delta.unchanged, noted(&delta).as_str()), (0, ""));
    assert_eq!(delta.differences[0].before, delta.differences[0].after);

    // Where no sink has the places any more, nothing can be removed there.
    let delta = compare_at(declared(), live, &[]);
    let stays = |(_, _, called, removed): (Action, Reason, String, bool)| {
        assert!(
            !removed && called.starts_with("a file of identity "),
            "{called}"
        );
    };
    leaves(&delta).into_iter().for_each(stays);
    assert_eq!(leaves(&delta).len(), 2);
}

/// Another block, or another name of it, for the same place.
#[test]
fn a_place_is_what_it_is_whatever_its_sink_is_called() {
    let a = file("a");
    let renamed = Destination::new("file.other", a.place().clone()).with(OnDelete::Remove);
    let declared = Some(declared_at("ci", &[&renamed]));
    let delta = compare_at(declared, live_at("ci", &[&a]), &[&a]);
    assert_eq!((delta.differences.len(), delta.unchanged), (0, 1));
    assert_eq!(noted(&delta), "");
}

/// A key that is nowhere is lost, and nothing could be delivered from there later.
#[test]
fn the_last_place_of_a_key_is_not_left_before_another_has_it() {
    let (a, b) = (gone("a"), file("b"));
    let live = live_at("ci", &[&a]);
    let delta = compare_at(Some(declared_at("ci", &[&b])), live.clone(), &[]);
    assert_eq!((leaves(&delta), delta.unchanged), (Vec::new(), 1));
    assert_eq!(delta.differences, []);
    let [needy] = delta.undelivered.as_slice() else {
        panic!("one: {:?}", delta.undelivered);
    };
    assert_eq!(
        (needy.to.as_slice(), &needy.account),
        (&[b][..], &mrn("ci"))
    );
    let told = "no place that has its key is one of a declared sink that can be read back; the key stays \
                at a file of identity ";
    assert!(needy.why.starts_with(told), "{}", needy.why);

    let delta = compare_at(Some(declared_at("ci", &[])), live, &[&a]);
    assert_eq!((leaves(&delta), delta.unchanged), (Vec::new(), 1));
    let said = noted(&delta);
    let expected = "deliver_to names no place that has its key, which stays where it is: \
                    sink.file.local at keys/a.json";
    assert_eq!((said.as_str(), delta.undelivered.len()), (expected, 0));
}

fn redeliveries(delta: &Delta) -> Vec<(String, Vec<String>)> {
    let all = delta.differences.iter();
    let again = all.filter(|difference| difference.action == Action::Redeliver);
    again
        .map(|difference| {
            let from = difference.key_from.as_ref().expect("it is read somewhere");
            let to = difference.deliver_to.iter().map(ToString::to_string);
            (from.to_string(), to.collect())
        })
        .collect()
}

#[test]
fn a_key_is_delivered_again_from_a_place_that_can_be_read() {
    let (a, b, c) = (gone("a"), file("b"), file("c"));
    let texts =
        |of: &[&Destination]| -> Vec<String> { of.iter().map(|to| to.to_string()).collect() };
    // Beside the one that has it.
    let live = live_at("ci", &[&a]);
    let delta = compare_at(Some(declared_at("ci", &[&a, &b, &c])), live.clone(), &[]);
    assert_eq!(redeliveries(&delta), [(a.to_string(), texts(&[&b, &c]))]);
    assert_eq!((delta.unchanged, leaves(&delta)), (0, Vec::new()));
    let [difference] = delta.differences.as_slice() else {
        panic!("one: {:?}", delta.differences);
    };
    assert_eq!(difference.before, difference.after);

    // In its place: it goes there first, and leaves the former place with a change of its own.
    let delta = compare_at(Some(declared_at("ci", &[&b])), live, &[&a]);
    assert_eq!(redeliveries(&delta), [(a.to_string(), texts(&[&b]))]);
    let left = (Action::Update, Reason::DeliverTo, a.to_string(), true);
    assert_eq!(leaves(&delta), [left]);
    assert_eq!(delta.undelivered, []);

    // A place that stays named is read before one that is left.
    let live = live_at("ci", &[&a, &c]);
    let delta = compare_at(Some(declared_at("ci", &[&b, &c])), live, &[&a]);
    assert_eq!(redeliveries(&delta), [(c.to_string(), texts(&[&b]))]);
}

/// As somebody may have written them.
#[test]
fn marks_without_a_place_need_a_new_key_for_all() {
    let (a, b) = (file("a"), file("b"));
    let delta = compare_at(Some(declared_at("ci", &[&a, &b])), managed("ci"), &[]);
    let [needy] = delta.undelivered.as_slice() else {
        panic!("one: {:?}", delta.undelivered);
    };
    assert_eq!(needy.to, [a, b]);
    assert_eq!(needy.why, "its marks name no place that has its key");
    assert_eq!((delta.differences.len(), delta.unchanged), (0, 1));
}

/// What is there is the key of another generation.
#[test]
fn a_former_key_is_not_delivered_again() {
    let (a, b) = (file("a"), file("b"));
    let old = live_at("ci", &[&a]);
    let marks = old.marks().expect("marked").clone();
    let later = Marks {
        generation: 2,
        ..marks
    };
    let live = LiveAccount {
        labels: later.labels().into(),
        ..old
    };
    let delta = compare_at(Some(declared_at("ci", &[&a, &b])), live, &[]);
    assert_eq!(
        (redeliveries(&delta), delta.undelivered.len()),
        (Vec::new(), 1)
    );
}

/// What else differs is written by the same update.
#[test]
fn places_leave_with_the_update_that_is_due_anyway() {
    let (a, b) = (file("a"), gone("b"));
    let declared = DesiredAccount {
        description: Some("new".to_owned()),
        roles: roles(&["viewer"]),
        ..declared_at("ci", &[&a])
    };
    let delta = compare_at(Some(declared), live_at("ci", &[&a, &b]), &[&b]);
    let update = (Action::Update, Reason::Differs, b.to_string(), true);
    assert_eq!(leaves(&delta), [update]);
    assert_eq!(delta.differences.len(), 2, "and its roles");
}

#[test]
fn a_deletion_removes_the_key_where_its_sink_says_so_and_nowhere_else() {
    let (kept, removed) = (file("a"), gone("b"));
    let live = live_at("ci", &[&kept, &removed]);
    let delta = compare_at(None, live.clone(), &[&kept, &removed]);
    let deleted = (
        Action::Delete,
        Reason::ScopeUndeclared,
        removed.to_string(),
        true,
    );
    assert_eq!(leaves(&delta), [deleted]);
    assert_eq!(leaves(&compare_at(None, live, &[&kept])), []);
}

/// Nobody delivered the key of an account that was imported.
#[test]
fn the_key_of_an_imported_account_leaves_no_place() {
    let a = file("a");
    let external = Marks {
        credential: CredentialMark::External,
        ..marks("ci")
    };
    let live = live_account("ci", Some(external));
    let delta = compare_at(Some(declared_at("ci", &[&a])), live, &[]);
    assert_eq!((delta.differences.len(), noted(&delta).as_str()), (0, ""));
}
