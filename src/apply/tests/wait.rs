//! Stores that do not take a key yet: what is asked again before anything is made, for how long, and when a key
//! is not made since its store wants to be left alone.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A place that is no file.
fn store() -> Destination {
    let places = samples::places();
    let vault = places.into_iter().find(|place| place.file().is_none());
    Destination::new("vault.ci", vault.expect("a store"))
}

fn born_in(name: &str, to: Destination) -> DesiredAccount {
    DesiredAccount {
        deliver_to: vec![to],
        ..declared(name, &[])
    }
}

fn error(kind: SinkErrorKind) -> SinkError {
    SinkError {
        kind,
        effect: Effect::None,
        message: "the roles of the login do not allow it".to_owned(),
        help: None,
    }
}

/// A world whose platform makes no account, and whose stores refuse until then.
fn refusing(kind: SinkErrorKind, until: Duration) -> Small {
    let fails = || Scripted::Fail(ErrorKind::Invalid, Effect::None);
    let world = Small::new(&[], vec![fails(), fails()]);
    let refuses: Refuses = Box::new(move |now, _| (now < until).then(|| error(kind)));
    *world.refuses.borrow_mut() = Some(refuses);
    world
}

fn only(outcome: &Outcome) -> (ChangeResult, &str) {
    let [ended] = outcome.results.as_slice() else {
        panic!("one birth: {outcome:?}");
    };
    (ended.result, &ended.detail)
}

/// Case 21: the role was given a minute ago.
#[test]
fn a_right_that_comes_within_the_wait_is_waited_for_and_nothing_is_made_before() {
    for (kind, since) in [
        (SinkErrorKind::PermissionDenied, "takes minutes to count"),
        (SinkErrorKind::Unavailable, "may be back soon"),
    ] {
        let world = refusing(kind, 90 * SECOND);
        world.wait.set(600 * SECOND);
        run(vec![born_in("ci", store())], &[], &world);
        assert_eq!(*world.writes.borrow(), ["create ci"], "once it was allowed");
        let passed = world.now.get();
        assert!((90..=100).contains(&passed.as_secs()), "{passed:?}");
        assert!((5..=20).contains(&world.probes.get()), "{:?}", world.probes);
        let notes = world.notes.borrow();
        let [(at, told)] = notes.as_slice() else {
            panic!("told once: {notes:?}");
        };
        assert_eq!(*at, Duration::ZERO);
        assert!(
            told.contains("do not allow it") && told.contains(since),
            "{told}"
        );
        assert!(told.contains("asked again for 600 s"), "{told}");
    }
}

#[test]
fn a_right_that_never_comes_is_waited_for_as_long_as_was_said() {
    let world = refusing(SinkErrorKind::PermissionDenied, Duration::MAX);
    world.wait.set(600 * SECOND);
    let outcome = run(vec![born_in("ci", store())], &[], &world);
    let (result, why) = only(&outcome);
    assert_eq!(result, ChangeResult::Failed);
    assert!(
        why.contains("do not allow it; it was asked again for 60"),
        "{why}"
    );
    assert!(world.writes.borrow().is_empty() && !outcome.written);
    let passed = world.now.get().as_secs();
    assert!((600..=610).contains(&passed), "{passed}");
}

#[test]
fn without_a_wait_a_store_is_asked_once_and_the_way_out_is_told() {
    let world = refusing(SinkErrorKind::PermissionDenied, 90 * SECOND);
    let outcome = run(vec![born_in("ci", store())], &[], &world);
    let (_, why) = only(&outcome);
    assert!(
        why.contains("takes minutes to count: apply --wait=10m"),
        "{why}"
    );
    assert_eq!((world.probes.get(), world.now.get()), (1, Duration::ZERO));
    // Not where it helps nobody: another refusal, and a file of this machine.
    for (kind, to) in [
        (SinkErrorKind::Unfit, store()),
        (SinkErrorKind::Unauthenticated, store()),
        (
            SinkErrorKind::PermissionDenied,
            samples::destination("ci.json"),
        ),
    ] {
        let world = refusing(kind, 90 * SECOND);
        world.wait.set(600 * SECOND);
        let outcome = run(vec![born_in("ci", to)], &[], &world);
        assert_eq!(only(&outcome).1, "the roles of the login do not allow it");
        assert_eq!((world.probes.get(), world.now.get()), (1, Duration::ZERO));
    }
}

/// Nothing is begun while one destination takes no key: then there is nothing to wait for.
#[test]
fn what_will_not_pass_ends_the_wait_for_the_others() {
    let fails = Scripted::Fail(ErrorKind::Invalid, Effect::None);
    let world = Small::new(&[], vec![fails]);
    world.wait.set(600 * SECOND);
    let place = samples::destination("b.json").to_string();
    let refuses: Refuses = Box::new(move |_, to| {
        Some(error(match to.to_string() == place {
            true => SinkErrorKind::Unfit,
            false => SinkErrorKind::PermissionDenied,
        }))
    });
    *world.refuses.borrow_mut() = Some(refuses);
    let accounts = vec![
        born_in("a", store()),
        born_in("b", samples::destination("b.json")),
    ];
    let outcome = run(accounts, &[], &world);
    assert!(
        outcome
            .results
            .iter()
            .all(|one| one.result == ChangeResult::Failed)
    );
    assert!(world.now.get() <= 2 * SECOND, "{:?}", world.now.get());
}

/// The wait is over once work has begun: a key in hand is not kept from where it belongs.
#[test]
fn what_is_refused_after_the_beginning_is_not_waited_for() {
    let world = refusing(SinkErrorKind::PermissionDenied, Duration::ZERO);
    world.wait.set(600 * SECOND);
    let looks = Cell::new(0);
    let refuses: Refuses = Box::new(move |_, _| {
        looks.set(looks.get() + 1);
        (looks.get() > 1).then(|| error(SinkErrorKind::PermissionDenied))
    });
    *world.refuses.borrow_mut() = Some(refuses);
    let to = Destination::new("github.ci", samples::places().remove(3));
    assert!(!to.abilities().compare_and_swap, "it is looked at again");
    let outcome = run(vec![born_in("ci", to)], &[], &world);
    assert_eq!(
        only(&outcome),
        (
            ChangeResult::Failed,
            "the roles of the login do not allow it"
        )
    );
    assert_eq!((world.probes.get(), world.now.get()), (2, Duration::ZERO));
    assert!(world.writes.borrow().is_empty());
}

/// Case 12: no account is made while its destination is known to be blocked.
#[test]
fn a_birth_waits_until_its_store_may_be_asked() {
    let world = refusing(SinkErrorKind::Unfit, Duration::ZERO);
    let closed: Closed = Box::new(|now| Ok((45 * SECOND).saturating_sub(now)));
    *world.closed.borrow_mut() = Some(closed);
    run(vec![born_in("ci", store())], &[], &world);
    assert_eq!(*world.writes.borrow(), ["create ci"]);
    assert_eq!(world.now.get(), 45 * SECOND);
    assert_eq!(world.notes.borrow().len(), 1, "{:?}", world.notes);
    // Who asks to stop meanwhile does not wait for that.
    let world = refusing(SinkErrorKind::Unfit, Duration::ZERO);
    let stop = Rc::new(Cell::new(false));
    let asked = Rc::clone(&stop);
    let closed: Closed = Box::new(move |now| {
        asked.set(now >= 10 * SECOND);
        Ok((45 * SECOND).saturating_sub(now))
    });
    *world.closed.borrow_mut() = Some(closed);
    *world.asked_to_stop.borrow_mut() = Some(stop);
    let outcome = run(vec![born_in("ci", store())], &[], &world);
    assert_eq!(
        only(&outcome),
        (ChangeResult::NotAttempted, "stopped before it")
    );
    assert!(outcome.interrupted && world.writes.borrow().is_empty());
    assert!(world.now.get() <= 12 * SECOND, "{:?}", world.now.get());
}

#[test]
fn a_login_that_ends_too_soon_makes_no_account() {
    let world = refusing(SinkErrorKind::Unfit, Duration::ZERO);
    let ends: Closed = Box::new(|_| Err(error(SinkErrorKind::Unauthenticated)));
    *world.closed.borrow_mut() = Some(ends);
    let outcome = run(vec![born_in("ci", store())], &[], &world);
    assert_eq!(only(&outcome).0, ChangeResult::Failed);
    assert!(world.writes.borrow().is_empty());
}
