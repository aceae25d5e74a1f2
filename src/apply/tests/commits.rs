//! The commit in the marks of accounts whose roles change.

use super::*;

const ONE: &str = "0123456789abcdef0123456789abcdef01234567";
const TWO: &str = "89abcdef0123456789abcdef0123456789abcdef";

fn run_from(
    commit: Option<&str>,
    declared: Vec<DesiredAccount>,
    live: &[LiveAccount],
    world: &Small,
) -> Outcome {
    let endpoint = "https://us.api.mondoo.com";
    run_of(endpoint, commit, |_| {}, |_| {}, declared, live, world)
}

fn live(world: &Small) -> Vec<LiveAccount> {
    world.accounts.borrow().values().cloned().collect()
}

/// The commits in the marks of the accounts, which fit their seals.
fn commits(world: &Small) -> Vec<Option<String>> {
    let of = |account: LiveAccount| {
        let marks = account.marks().expect("marks");
        assert_eq!(seals().check(&account.mrn, marks), SealCheck::Right);
        marks.written.commit().map(str::to_owned)
    };
    live(world).into_iter().map(of).collect()
}

fn wanted(names: &[&str]) -> Vec<DesiredAccount> {
    let both = ["a", "b"];
    both.map(|name| declared(name, names)).into()
}

#[test]
fn roles_change_after_the_marks_name_the_commit_and_no_mark_is_written_twice() {
    let begin = ["a", "b"].map(|name| managed(name, &["viewer"]));
    let world = Small::new(&begin, Vec::new());
    for (commit, names, writes, after) in [
        // Outside of a repository nothing is named.
        (None, "editor", &["roles a,b"][..], None),
        (
            Some(ONE),
            "viewer",
            &["update a", "update b", "roles a,b"],
            Some("0123456789ab"),
        ),
        // The same commit again: somebody else changed the roles.
        (Some(ONE), "editor", &["roles a,b"], Some("0123456789ab")),
        (
            Some(TWO),
            "viewer",
            &["update a", "update b", "roles a,b"],
            Some("89abcdef0123"),
        ),
        (None, "editor", &["roles a,b"], Some("89abcdef0123")),
    ] {
        world.writes.borrow_mut().clear();
        let before = live(&world);
        let outcome = run_from(commit, wanted(&[names]), &before, &world);
        assert!(outcome.complete(), "{outcome:?}");
        assert_eq!(*world.writes.borrow(), writes, "{commit:?}");
        assert_eq!(
            commits(&world),
            [after.map(str::to_owned), after.map(str::to_owned)]
        );
        for (before, now) in before.iter().zip(live(&world)) {
            assert_eq!(now.labels.own(), before.labels.own());
            assert_eq!(
                (&now.name, &now.description),
                (&before.name, &before.description)
            );
        }
    }
}

#[test]
fn uncommitted_changes_are_another_commit() {
    let world = Small::new(&[managed("a", &["viewer"])], Vec::new());
    let dirty = format!("{ONE}-dirty");
    for (commit, names) in [(ONE, "editor"), (&dirty, "viewer"), (ONE, "editor")] {
        world.writes.borrow_mut().clear();
        let outcome = run_from(
            Some(commit),
            vec![declared("a", &[names])],
            &live(&world),
            &world,
        );
        assert!(outcome.complete(), "{outcome:?}");
        assert_eq!(*world.writes.borrow(), ["update a", "roles a"], "{commit}");
    }
}

/// Roles that no mark accounts for would look older than they are.
#[test]
fn where_the_marks_cannot_name_the_commit_the_roles_stay() {
    use ChangeResult::{Done, Failed, Unknown};
    for (scripted, result) in [
        (Scripted::Fail(ErrorKind::Invalid, Effect::None), Failed),
        (
            Scripted::Fail(ErrorKind::Transport, Effect::Unknown),
            Unknown,
        ),
        (Scripted::Ignore, Unknown),
        (Scripted::DoAndLose, Done),
    ] {
        let begin = ["a", "b"].map(|name| managed(name, &["viewer"]));
        let world = Small::new(&begin, vec![scripted]);
        let outcome = run_from(Some(ONE), wanted(&["editor"]), &begin, &world);
        let expected = [("a".to_owned(), result), ("b".to_owned(), Done)];
        assert_eq!(results(&outcome), expected, "{outcome:?}");
        let wanted = |result| if result == Done { "editor" } else { "viewer" };
        let found: Vec<RoleSet> = live(&world).into_iter().map(|one| one.roles).collect();
        assert_eq!(found, [roles(&[wanted(result)]), roles(&["editor"])]);
        if result != Done {
            let told = &outcome.results[0].detail;
            assert!(
                told.contains("name the commit before its roles change"),
                "{told}"
            );
        }
    }
}

/// What was named gets its roles, since it is in hand; the rest is left.
#[test]
fn a_stop_leaves_what_was_not_named_yet() {
    let begin = ["a", "b"].map(|name| managed(name, &["viewer"]));
    let world = Small::new(&begin, Vec::new());
    world.stop_after.set(Some(1));
    let outcome = run_from(Some(ONE), wanted(&["editor"]), &begin, &world);
    use ChangeResult::{Done, NotAttempted};
    let expected = [("a", Done), ("b", NotAttempted)].map(|(name, how)| (name.to_owned(), how));
    assert_eq!(results(&outcome), expected, "{outcome:?}");
    assert_eq!(*world.writes.borrow(), ["update a", "roles a"]);
}

/// An account that this run has adopted, or changed otherwise, names its commit already.
#[test]
fn what_this_run_has_written_is_not_written_again() {
    let mut account = managed("a", &["viewer"]);
    account.labels = Labels::from([("team".to_owned(), "finance".to_owned())]).into();
    account.creator = Some("somebody".to_owned());
    let begin = [account];
    let world = Small::new(&begin, Vec::new());
    let mut wanted = declared("a", &["editor"]);
    wanted.import = Some(Import {
        mrn: mrn("a"),
        declared_at: place(),
    });
    let outcome = run_from(Some(ONE), vec![wanted], &begin, &world);
    assert!(outcome.complete(), "{outcome:?}");
    assert_eq!(world.writes.borrow()[..2], ["update a", "roles a"]);
    assert_eq!(commits(&world), [Some("0123456789ab".to_owned())]);
}
