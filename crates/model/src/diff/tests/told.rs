//! What is told and changes nothing: blocks that match nothing, accounts that have expired, labels that
//! the platform keeps.

use super::*;
use crate::model::VOID;

/// An account that was called something else before, by a `moved` block in a line.
fn moved(name: &str, from: &str, line: u32) -> DesiredAccount {
    DesiredAccount {
        formerly: vec![Former {
            address: from.parse().expect("an address"),
            declared_at: place(line),
        }],
        ..declared(name)
    }
}

fn instance(name: &str, key: &str, from: &str) -> DesiredAccount {
    DesiredAccount {
        address: Address::new(name, Some(key.to_owned())),
        name: format!("{name}-{key}"),
        ..moved(name, &format!("service_account.{from}[\"{key}\"]"), 3)
    }
}

fn instance_live(name: &str, key: &str) -> LiveAccount {
    let address = Address::new(name, Some(key.to_owned())).label();
    LiveAccount {
        mrn: mrn(&format!("{name}{key}")),
        name: format!("{name}-{key}"),
        ..live_account(
            name,
            Some(Marks {
                address,
                ..marks(name)
            }),
        )
    }
}

fn notes(delta: &Delta) -> Vec<String> {
    let said = |(address, note): &(Address, String)| format!("{address}: {note}");
    delta.notes.iter().map(said).collect()
}

#[test]
fn a_moved_block_that_finds_nothing_is_told_where_the_account_is_created() {
    let delta = compare(
        vec![moved("new", "service_account.odl", 3)],
        vec![managed("old")],
    );
    assert_eq!(
        notes(&delta),
        [
            "service_account.new: the moved block at a.hcl:3 finds no account of this stack at \
             service_account.odl, so this account is created, with a new key; this plan deletes \
             service_account.old, which no block names: if that is the one which was to move, correct \
             `from`"
        ]
    );
    // All instances of a block in one sentence.
    let delta = compare(
        vec![instance("new", "a", "odl"), instance("new", "b", "odl")],
        vec![instance_live("old", "a"), instance_live("old", "b")],
    );
    assert_eq!(
        notes(&delta),
        [
            "service_account.new[\"a\"]: the moved block at a.hcl:3 finds no account of this stack at \
             service_account.odl, so this account and 1 more instance of its block are created, \
             with new keys; this plan deletes 2 instances of service_account.old, which no blocks name: \
             if one of them is that which was to move, correct `from`"
        ]
    );
    // A chain of blocks, of which none finds anything, in a place where nothing is live yet.
    let mut chained = moved("new", "service_account.b", 3);
    chained
        .formerly
        .extend(moved("new", "service_account.a", 5).formerly);
    let delta = compare(vec![chained], Vec::new());
    let said = notes(&delta);
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("a.hcl:3 and a.hcl:5 finds"), "{said:?}");
    assert!(said[0].contains("at service_account.a or service_account.b, so"));
    assert!(!said[0].contains("deletes"), "{said:?}");
}

/// A block that is renamed with a slip in `from` mostly keeps its account's name, which is taken then.
#[test]
fn a_moved_block_that_finds_nothing_is_told_where_the_name_is_taken() {
    let same = |mut account: DesiredAccount, name: &str| {
        name.clone_into(&mut account.name);
        account
    };
    let delta = compare(
        vec![same(moved("a2", "service_account.aa", 3), "a")],
        vec![managed("a")],
    );
    assert_eq!(delta.blocked.len(), 1);
    assert_eq!(
        notes(&delta),
        [
            "service_account.a2: the moved block at a.hcl:3 finds no account of this stack at \
             service_account.aa, so this account would be created, with a new key; this plan deletes \
             service_account.a, which no block names: if that is the one which was to move, correct \
             `from`"
        ]
    );
    // All instances of a block.
    let named = |key: &str| same(instance("new", key, "odl"), &format!("old-{key}"));
    let delta = compare(
        vec![named("a"), named("b"), named("c")],
        vec![
            instance_live("old", "a"),
            instance_live("old", "b"),
            instance_live("old", "c"),
        ],
    );
    let said = notes(&delta);
    assert_eq!((delta.blocked.len(), said.len()), (3, 1), "{said:?}");
    for part in [
        "service_account.new[\"a\"]: the moved block at a.hcl:3",
        "this account and 2 more instances of its block would be created, with new keys",
        "deletes 3 instances of service_account.old",
    ] {
        assert!(said[0].contains(part), "{said:?}");
    }
    // The account that is there already only gets a name that is taken.
    let delta = compare(
        vec![
            same(moved("a2", "service_account.a", 3), "b"),
            declared("b"),
        ],
        vec![managed("a"), managed("b")],
    );
    assert_eq!(
        (delta.blocked.len(), delta.notes.len()),
        (1, 0),
        "{delta:?}"
    );
}

#[test]
fn a_moved_block_that_has_done_its_work_is_silent() {
    let silent = |declared, live| {
        let delta = compare(declared, live);
        assert!(delta.notes.is_empty(), "{delta:?}");
    };
    let new = || moved("new", "service_account.old", 3);
    silent(vec![new()], vec![managed("new")]);
    silent(vec![new()], vec![managed("old")]);
    // A block moved long ago gets one instance more.
    let instances = || vec![instance("new", "a", "old"), instance("new", "b", "old")];
    silent(instances(), vec![instance_live("new", "a")]);
    silent(instances(), vec![instance_live("old", "a")]);
    // The same beside a deletion is worth a look.
    let stray = vec![instance_live("new", "a"), instance_live("odl", "b")];
    assert_eq!(compare(instances(), stray).notes.len(), 1);
}

#[test]
fn a_removed_block_that_finds_nothing_is_told_where_something_is_deleted() {
    let with = |from: &str, destroy: bool, live: Vec<LiveAccount>| {
        let from: Address = from.parse().expect("an address");
        let (mut desired, live) = world(Vec::new(), live, &[]);
        desired.removed = vec![Removed {
            known_as: vec![Known {
                address: from.clone(),
                whole: from.key.is_none(),
            }],
            from,
            destroy,
            declared_at: place(4),
        }];
        notes(&diff(&desired, &live, &Seals::default()))
    };
    let none: [String; 0] = [];
    assert_eq!(
        with("service_account.odl", false, vec![managed("old")]),
        [
            "service_account.odl: the removed block at a.hcl:4 finds no account of this stack here; this \
             plan deletes service_account.old, which no block names: if that is the one which was to be \
             given up, correct `from`"
        ]
    );
    let keyed = with(
        "service_account.old[\"A\"]",
        true,
        vec![instance_live("old", "a"), instance_live("old", "b")],
    );
    assert_eq!(keyed.len(), 1, "{keyed:?}");
    assert!(keyed[0].contains("2 instances of service_account.old"));
    // What it finds, and what is deleted with or without it, is no surprise.
    assert_eq!(
        with("service_account.old", false, vec![managed("old")]),
        none
    );
    assert_eq!(
        with("service_account.old", true, vec![managed("old")]),
        none
    );
    assert_eq!(
        with("service_account.gone", true, vec![managed("old")]),
        none
    );
    assert_eq!(with("service_account.gone", false, Vec::new()), none);
}

#[test]
fn an_import_that_finds_nothing_is_in_the_way() {
    for live in [Vec::new(), vec![managed("other")]] {
        let mut wanted = declared("ci");
        wanted.import = Some(Import {
            mrn: mrn("typo"),
            declared_at: place(2),
        });
        let delta = compare(vec![wanted], live);
        assert!(matches!(
            delta.blocked[0].block,
            Obstacle::ImportMissing { .. }
        ));
    }
}

#[test]
fn an_expired_account_is_told_and_changes_nothing() {
    let expiring = |until: &str| {
        let until: Option<jiff::Timestamp> = until.parse().ok();
        let marks = Marks {
            expires: until,
            ..marks("ci")
        };
        let wanted = DesiredAccount {
            valid_until: until,
            ..declared("ci")
        };
        compare(vec![wanted], vec![live_account("ci", Some(marks))])
    };
    for (until, over) in [
        ("2026-11-23T11:59:59Z", true),
        (NOW, true),
        ("2020-01-01T00:00:00Z", true),
        ("2026-11-23T12:00:01Z", false),
    ] {
        let delta = expiring(until);
        assert_eq!(delta.expired.len(), usize::from(over), "{until}");
        assert!(delta.differences.is_empty() && delta.blocked.is_empty());
        assert_eq!(delta.unchanged, 1);
    }
    let found = &expiring(NOW).expired[0];
    assert_eq!(found.until.to_string(), NOW);
    assert_eq!(
        (&found.account, &found.declared_at),
        (&mrn("ci"), &place(10))
    );
    // What is declared no longer is deleted, and nobody has to be told more.
    let marks = Marks {
        expires: "2020-01-01T00:00:00Z".parse().ok(),
        ..marks("ci")
    };
    let delta = compare(Vec::new(), vec![live_account("ci", Some(marks))]);
    assert!(delta.expired.is_empty() && delta.differences.len() == 1);
}

#[test]
fn a_label_that_the_platform_keeps_is_void_told_once_and_no_difference() {
    let mut wanted = declared("ci");
    wanted.labels = Some([("team".to_owned(), "x".to_owned())].into());
    let mut live = managed("ci");
    for (key, value) in [("team", "x"), ("old", VOID), ("older", VOID)] {
        live.labels.insert(key.to_owned(), value.to_owned());
    }
    let delta = compare(vec![wanted.clone()], vec![live.clone()]);
    assert!(delta.differences.is_empty(), "{delta:?}");
    assert_eq!(delta.notes.len(), 1);
    assert!(delta.notes[0].1.ends_with(": old, older"), "{delta:?}");
    // The same text under a key that is wanted, and any other text, are differences.
    live.labels.insert("team".to_owned(), VOID.to_owned());
    let delta = compare(vec![wanted.clone()], vec![live.clone()]);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
    live.labels.insert("team".to_owned(), "x".to_owned());
    live.labels.insert("old".to_owned(), "y".to_owned());
    let delta = compare(vec![wanted], vec![live]);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
}

#[test]
fn an_account_that_was_given_up_is_nobodys_though_the_platform_keeps_its_marks() {
    let mut live = managed("ci");
    live.labels
        .edit(|labels| labels.values_mut().for_each(|value| VOID.clone_into(value)));
    let delta = compare(Vec::new(), vec![live.clone()]);
    assert!(delta.differences.is_empty() && delta.blocked.is_empty());
    assert_eq!(delta.left_alone.len(), 1);
    assert_eq!(delta.left_alone[0].stack, None);
    assert!(live.state().labels.is_empty() && !live.labels.is_marked());
    // A single mark that is void is missing, and no mark means anything by that.
    let mut damaged = managed("ci");
    damaged
        .labels
        .insert("rolecall-written".to_owned(), VOID.to_owned());
    let delta = compare(Vec::new(), vec![damaged]);
    assert!(matches!(only_block(&delta), Obstacle::Disputed { .. }));
}
