//! Names that are taken, that become free, and that are one in two forms of Unicode.

use super::*;

fn called(address: &str, name: &str) -> DesiredAccount {
    DesiredAccount {
        name: name.to_owned(),
        ..declared(address)
    }
}

fn live_as(address: &str, name: &str) -> LiveAccount {
    LiveAccount {
        name: name.to_owned(),
        ..managed(address)
    }
}

/// What is in the way, by address.
fn held(delta: &Delta) -> Vec<(&str, Held)> {
    delta
        .blocked
        .iter()
        .map(|blocked| match &blocked.block {
            Obstacle::NameTaken { held, .. } => (blocked.address.name.as_str(), *held),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_name_that_another_rename_frees_is_not_taken() {
    // A birth, a rename, and a chain of them.
    let delta = compare(
        vec![called("a", "two"), called("b", "one")],
        vec![live_as("a", "one")],
    );
    assert!(delta.blocked.is_empty(), "{delta:?}");
    let declared = Reason::Declared;
    assert_eq!(
        actions(&delta),
        [
            (Action::Update, Reason::Differs),
            (Action::Create, declared)
        ]
    );
    for (last, free) in [("four", true), ("taken", false)] {
        let delta = compare(
            vec![called("a", "two"), called("b", "three"), called("c", last)],
            vec![
                live_as("a", "one"),
                live_as("b", "two"),
                live_as("c", "three"),
                live_account("taken", None),
            ],
        );
        let expected: &[_] = if free { &[] } else { &[("c", Held::Kept)] };
        assert_eq!(held(&delta), expected, "{last}");
    }
    // What is taken into custody may get another name, too.
    let mut wanted = called("a", "new");
    wanted.import = Some(Import {
        mrn: mrn("old"),
        declared_at: place(2),
    });
    let delta = compare(
        vec![wanted, called("b", "old")],
        vec![live_account("old", None)],
    );
    assert!(delta.blocked.is_empty(), "{delta:?}");
}

#[test]
fn a_circle_of_renames_is_refused_and_what_waits_for_it_is_not_blamed() {
    let exchange = || vec![called("a", "two"), called("b", "one")];
    let delta = compare(exchange(), vec![live_as("a", "one"), live_as("b", "two")]);
    assert_eq!(held(&delta), [("a", Held::Circle), ("b", Held::Circle)]);
    let Obstacle::NameTaken { managed_as, .. } = &delta.blocked[0].block else {
        panic!("{delta:?}");
    };
    assert_eq!(*managed_as, Some(Address::new("b", None)));

    let three = vec![called("a", "two"), called("b", "three"), called("c", "one")];
    let live = vec![
        live_as("a", "one"),
        live_as("b", "two"),
        live_as("c", "three"),
    ];
    let delta = compare(three, live);
    let circle = |name| (name, Held::Circle);
    assert_eq!(held(&delta), ["a", "b", "c"].map(circle));

    let mut wanted = exchange();
    wanted.push(called("z", "two"));
    wanted[0].name = "three".to_owned();
    wanted[1].name = "three".to_owned();
    let live = vec![
        live_as("a", "one"),
        live_as("b", "two"),
        live_as("c", "three"),
    ];
    wanted.push(called("c", "two"));
    // `z` is to be born as "two", and b, which has it, exchanges it with c.
    wanted[0].name = "four".to_owned();
    let delta = compare(wanted, live);
    assert_eq!(held(&delta), [("b", Held::Circle), ("c", Held::Circle)]);
}

#[test]
fn a_name_that_only_a_deletion_frees_is_refused() {
    let old = || live_as("old", "ci");
    let taken = |delta: &Delta| held(delta).first().map(|(_, held)| *held);
    let birth = compare(vec![called("new", "ci")], vec![old()]);
    assert_eq!(taken(&birth), Some(Held::Deleted));
    let rename = compare(vec![called("new", "ci")], vec![old(), live_as("new", "x")]);
    assert_eq!(taken(&rename), Some(Held::Deleted));
    // Nothing deletes it: it is protected, or given up.
    let protected = Marks {
        protected: true,
        ..marks("old")
    };
    let kept = LiveAccount {
        name: "ci".to_owned(),
        ..live_account("old", Some(protected))
    };
    let delta = compare(vec![called("new", "ci")], vec![kept]);
    let kinds = |delta: &Delta| -> Vec<Option<Held>> {
        let held = |blocked: &Blocked| match &blocked.block {
            Obstacle::NameTaken { held, .. } => Some(*held),
            _ => None,
        };
        delta.blocked.iter().map(held).collect()
    };
    assert_eq!(kinds(&delta), [Some(Held::Kept), None]);
    let address = Address::new("old", None);
    let (mut desired, live) = world(vec![called("new", "ci")], vec![old()], &[]);
    desired.removed = vec![Removed {
        known_as: vec![Known {
            address: address.clone(),
            whole: true,
        }],
        from: address,
        destroy: false,
        declared_at: place(4),
    }];
    let delta = diff(&desired, &live, &Seals::default());
    assert_eq!(kinds(&delta), [Some(Held::Kept)]);
}

#[test]
fn a_birth_in_the_place_of_a_dead_one_looks_whether_its_new_name_is_free() {
    let wanted = called("ci", "other");
    let delta = compare(vec![wanted], vec![pending(60), live_account("other", None)]);
    assert_eq!(held(&delta), [("ci", Held::Kept)]);
    assert!(delta.differences.is_empty(), "{delta:?}");
}

#[test]
fn one_name_in_two_forms_is_no_difference_and_is_taken() {
    for (one, other) in [
        ("caf\u{e9}", "cafe\u{301}"),
        ("\u{ac00}", "\u{1100}\u{1161}"),
    ] {
        let delta = compare(vec![called("ci", one)], vec![live_as("ci", other)]);
        assert!(delta.differences.is_empty(), "{delta:?}");
        assert_eq!(delta.unchanged, 1);

        let delta = compare(vec![called("ci", one)], vec![live_account(other, None)]);
        assert!(matches!(only_block(&delta), Obstacle::NameTaken { .. }));

        // Other changes leave the name in the form that it has.
        let mut wanted = called("ci", one);
        wanted.description = Some("new".to_owned());
        let delta = compare(vec![wanted], vec![live_as("ci", other)]);
        let after = delta.differences[0].after.as_ref().expect("an update");
        assert_eq!(after.name, other);

        // No account whose name a declared one wants is deleted as nobody's.
        let (mut desired, live) = world(
            vec![called("ci", one)],
            vec![live_account(other, None), live_account("stray", None)],
            &[],
        );
        desired.unmanaged = [(
            space(),
            Unmanaged {
                action: UnmanagedAction::Delete,
                except: Vec::new(),
                declared_at: place(7),
            },
        )]
        .into();
        let delta = diff(&desired, &live, &Seals::default());
        let gone: Vec<_> = delta.differences.iter().map(|d| &d.account).collect();
        assert_eq!(gone, [&Some(mrn("stray"))]);
    }
    let delta = compare(vec![called("ci", "CI")], vec![live_as("ci", "ci")]);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
}

/// A name that is given is told beside a live one that people take for it, unless that is this
/// configuration's own: those stand beside each other where they are declared.
#[test]
fn a_live_name_that_is_easily_taken_for_one_that_is_given_is_told() {
    let nobodys = |name: &str| LiveAccount {
        name: name.to_owned(),
        ..live_account("nobodys", None)
    };
    for (wanted, held, told) in [
        ("ci-prod", "CI-prod", "only in upper and lower case"),
        ("ci-prod", "ci-prod ", "spaces"),
        ("ci-prod", "ci-\u{440}rod", "look alike"),
        (
            "\u{fc}n\u{ef}",
            "\u{dc}n\u{ef}",
            "only in upper and lower case",
        ),
        ("ci-prod", "ci-prod2", ""),
        ("ci-prod", "ci_prod", ""),
    ] {
        let born = compare(vec![called("ci", wanted)], vec![nobodys(held)]);
        let renamed = compare(
            vec![called("ci", wanted)],
            vec![nobodys(held), live_as("ci", "before")],
        );
        for delta in [born, renamed] {
            assert!(delta.blocked.is_empty(), "{delta:?}");
            assert_eq!(
                delta.notes.len(),
                usize::from(!told.is_empty()),
                "{delta:?}"
            );
            assert!(
                delta.notes.iter().all(|(_, note)| note.contains(told)),
                "{delta:?}"
            );
        }
        let both = vec![called("ci", wanted), called("other", held)];
        let delta = compare(both, vec![live_as("other", held)]);
        assert!(delta.notes.is_empty(), "{delta:?}");
        let kept = compare(
            vec![called("ci", wanted)],
            vec![live_as("ci", wanted), nobodys(held)],
        );
        assert!(kept.notes.is_empty(), "nothing is given: {kept:?}");
    }
}
