//! What a seal proves, and what its absence does.

use super::*;

fn key(name: &str) -> SealKey {
    let first = name.as_bytes()[0];
    SealKey::of_seed(zeroize::Zeroizing::new([first; 32])).expect("a key")
}

/// A run with the private key of this name, under a configuration with its public half.
fn holder(name: &str) -> Seals {
    Seals::new(keys(name, None), Some(key(name))).expect("one pair")
}

fn keys(name: &str, former: Option<&str>) -> Option<SealKeys> {
    Some(SealKeys {
        current: key(name).public().clone(),
        former: former.map(|name| key(name).public().clone()),
    })
}

/// A run without the private key, under the same configuration.
fn reader(name: &str) -> Seals {
    Seals::new(keys(name, None), None).expect("no private key")
}

fn sealed(name: &str, by: &Seals) -> LiveAccount {
    live_account(name, Some(by.seal(&mrn(name), marks(name))))
}

fn with_seals(name: &str, live: Vec<LiveAccount>, seals: &Seals) -> Delta {
    compare_with(vec![declared(name)], live, &[], seals)
}

fn disputed(delta: &Delta) -> Vec<&str> {
    let why = delta.blocked.iter().map(|b| match &b.block {
        Obstacle::Disputed { why, .. } => why.as_str(),
        Obstacle::OtherKey { .. } => "another key",
        other => panic!("{other:?}"),
    });
    why.collect()
}

#[test]
fn a_seal_that_fits_makes_an_account_ours_whoever_created_it() {
    let seals = holder("a");
    let mut live = sealed("ci", &seals);
    live.creator = Some("a stranger".to_owned());
    let delta = with_seals("ci", vec![live], &seals);
    assert_eq!((delta.unchanged, delta.blocked.len()), (1, 0));
    assert_eq!((delta.sealed, delta.unverified), (true, 0));
}

/// Forge: the creator is trusted, the marks are right, the seal is somebody's guess.
#[test]
fn with_a_key_neither_a_creator_nor_an_import_block_makes_a_wrong_seal_right() {
    let seals = holder("a");
    let forged = sealed("ci", &holder("b"));
    let delta = with_seals("ci", vec![forged.clone()], &seals);
    assert!(disputed(&delta)[0].contains("another key"), "{delta:?}");

    // An import block takes the account over anew, with its key counted as held elsewhere.
    let mut imported = declared("ci");
    imported.import = Some(Import {
        mrn: mrn("ci"),
        declared_at: place(3),
    });
    let delta = compare_with(vec![imported], vec![forged], &[], &seals);
    assert_eq!(actions(&delta), [(Action::Adopt, Reason::ImportRequested)]);
}

/// Swap: the marks, seal and name of a strong account are moved to a weak one of ours.
#[test]
fn marks_moved_to_another_account_of_ours_do_not_raise_it() {
    let seals = holder("a");
    let mut weak = sealed("weak", &seals);
    weak.labels = sealed("strong", &seals).labels;
    weak.name = "strong".to_owned();
    weak.roles = roles(&["viewer"]);
    let mut strong = declared("strong");
    strong.roles = roles(&["owner"]);
    let delta = compare_with(vec![strong.clone()], vec![weak.clone()], &[], &seals);
    assert!(
        delta.differences.is_empty(),
        "nothing is granted: {delta:?}"
    );
    assert!(
        delta.blocked.iter().any(
            |b| matches!(&b.block, Obstacle::Disputed { why, .. } if why.contains("does not fit"))
        ),
        "{delta:?}"
    );

    // Without a key the same attack works, which is why apply then wants an acknowledgement.
    let delta = compare(vec![strong], vec![weak]);
    assert_eq!(
        actions(&delta),
        [(Action::UpdatePermissions, Reason::Differs)]
    );
}

#[test]
fn a_stripped_seal_is_a_dispute_unless_the_stack_has_only_now_got_its_key() {
    let seals = holder("a");
    let delta = with_seals("ci", vec![managed("ci")], &seals);
    assert!(disputed(&delta)[0].contains("has no seal"), "{delta:?}");

    let accepting = holder("a").accepting_unsealed(true);
    let mut trusted = managed("ci");
    trusted.creator = Some("trusted@acme.example".to_owned());
    let delta = with_seals("ci", vec![trusted], &accepting);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Unsealed)]);
    let mut strangers = managed("ci");
    strangers.creator = Some("a stranger".to_owned());
    let delta = with_seals("ci", vec![strangers], &accepting);
    assert_eq!(disputed(&delta).len(), 1);
    // A wrong seal is never accepted.
    let forged = sealed("ci", &holder("b"));
    assert_eq!(
        disputed(&with_seals("ci", vec![forged], &accepting)).len(),
        1
    );
}

/// Copy: a second account with the same labels, sealed for the first.
#[test]
fn of_two_accounts_with_one_address_only_the_sealed_one_is_ours() {
    let seals = holder("a");
    let right = sealed("ci", &seals);
    let mut copy = sealed("copy", &seals);
    copy.labels = right.labels.clone();
    let delta = with_seals("ci", vec![right.clone(), copy], &seals);
    assert_eq!((delta.unchanged, disputed(&delta).len()), (1, 1));

    // Two that are both sealed for the address are refused.
    let twin = live_account("twin", Some(seals.seal(&mrn("twin"), marks("ci"))));
    let delta = with_seals("ci", vec![right, twin], &seals);
    assert!(
        matches!(&delta.blocked[0].block, Obstacle::Duplicate { accounts } if accounts.len() == 2),
        "{delta:?}"
    );
}

#[test]
fn the_previous_keys_seals_are_taken_and_renewed() {
    let old = sealed("ci", &holder("a"));
    let changing = Seals::new(keys("b", Some("a")), None).expect("no private key");
    let delta = with_seals("ci", vec![old.clone()], &changing);
    assert_eq!(actions(&delta), [(Action::Update, Reason::SealedBefore)]);
    let delta = with_seals("ci", vec![old.clone()], &holder("b"));
    assert_eq!(disputed(&delta).len(), 1);

    // A move writes all marks anew, and the seal with them.
    let mut moved = declared("new");
    moved.name = "ci".to_owned();
    moved.formerly = vec![Former {
        address: Address::new("ci", None),
        declared_at: place(20),
    }];
    let delta = compare_with(vec![moved], vec![old], &[], &changing);
    assert_eq!(actions(&delta), [(Action::Move, Reason::MoveRequested)]);
}

#[test]
fn without_a_key_sealed_accounts_are_counted_as_unverified() {
    let live = vec![sealed("ci", &holder("a"))];
    let delta = with_seals("ci", live, &Seals::default());
    assert_eq!((delta.unchanged, delta.unverified), (1, 1));
    assert!(!delta.sealed);
}

/// A birth of this stack that was signed an hour ago, on the account that it was signed for.
fn dead(name: &str, by: &Seals) -> LiveAccount {
    let account = pending(60);
    let marks = Marks {
        address: Address::new(name, None).label(),
        ..account.marks().expect("marked").clone()
    };
    LiveAccount {
        mrn: mrn(name),
        labels: by.sign_birth(marks).labels().into(),
        ..account
    }
}

#[test]
fn a_birth_that_died_is_removed_whoever_created_it_and_whoever_looks() {
    let mut account = dead("ci", &holder("a"));
    account.creator = Some("a stranger".to_owned());
    for seals in [holder("a"), reader("a")] {
        let delta = with_seals("ci", vec![account.clone()], &seals);
        assert_eq!(
            actions(&delta),
            [
                (Action::Create, Reason::CredentialPending),
                (Action::Delete, Reason::CredentialPending),
            ]
        );
        let delta = compare_with(Vec::new(), vec![account.clone()], &[], &seals);
        assert_eq!(
            actions(&delta),
            [(Action::Delete, Reason::CredentialPending)]
        );
    }
}

/// What a security review did: an Editor writes "pending" on accounts that are worth something, or
/// copies the labels of a real birth there.
#[test]
fn forged_and_copied_births_delete_nothing() {
    let seals = holder("a");
    let birth = dead("ci", &seals);
    let unsigned = |account: &LiveAccount| {
        let mut account = account.clone();
        account
            .labels
            .edit(|labels| labels.retain(|key, _| !key.starts_with("rolecall-seal")));
        account
    };
    let old = |account: &LiveAccount| LiveAccount {
        created_at: "2026-01-01T00:00:00Z".parse().ok(),
        ..account.clone()
    };
    let young = |account: &LiveAccount| LiveAccount {
        created_at: NOW.parse().ok(),
        ..account.clone()
    };
    let untold = |account: &LiveAccount| LiveAccount {
        created_at: None,
        ..account.clone()
    };
    let used = |account: &LiveAccount| LiveAccount {
        last_used: NOW.parse().ok(),
        ..account.clone()
    };
    let with = |account: &LiveAccount, names: &[&str]| LiveAccount {
        roles: roles(names),
        ..account.clone()
    };
    let others = dead("ci", &holder("b"));
    let mut earlier = birth.clone();
    earlier.labels.edit(|labels| {
        let credential = labels.get_mut("rolecall-credential").expect("there");
        *credential = credential.replace("20261123T110000Z", "20260101T000000Z");
    });
    for (what, account) in [
        ("unsigned", unsigned(&birth)),
        ("unsigned, on an old account", unsigned(&old(&birth))),
        ("of another key", others),
        ("with a time that the account fits", old(&earlier)),
        ("copied to an older account", old(&birth)),
        ("copied to a younger account", young(&birth)),
        ("on an account of unknown age", untold(&birth)),
        ("on an account that is used", used(&birth)),
        ("on an account with power", with(&birth, &["owner"])),
        (
            "on an account with two roles",
            with(&birth, &["viewer", "agent"]),
        ),
    ] {
        for accounts in [Vec::new(), vec![declared("ci")]] {
            for seals in [holder("a"), reader("a")] {
                let delta = compare_with(accounts.clone(), vec![account.clone()], &[], &seals);
                assert!(delta.differences.is_empty(), "{what}: {delta:?}");
                assert!(!delta.blocked.is_empty(), "{what}: {delta:?}");
            }
        }
    }
    // The labels of a real birth on another stack's account, and on one of nobody.
    for creator in ["me", "a stranger"] {
        let mut copied = old(&birth);
        copied.mrn = mrn("of-worth");
        copied.creator = Some(creator.to_owned());
        copied.roles = roles(&["owner"]);
        let delta = compare_with(Vec::new(), vec![copied], &[], &seals);
        assert!(delta.differences.is_empty(), "{delta:?}");
    }
}

#[test]
fn who_looks_without_the_private_key_judges_as_who_applies() {
    let seals = holder("a");
    let mut stripped = sealed("stripped", &seals);
    stripped.labels.remove("rolecall-seal-2");
    let live = vec![
        sealed("ci", &seals),
        stripped,
        sealed("other-key", &holder("b")),
        dead("dead", &seals),
        live_account("unsealed", Some(marks("unsealed"))),
        live_account("free", None),
    ];
    let wanted = || ["ci", "stripped", "other-key", "dead", "unsealed", "free"].map(declared);
    let applier = compare_with(wanted().into(), live.clone(), &[], &seals);
    let planner = compare_with(wanted().into(), live, &[], &reader("a"));
    assert_eq!(applier, planner);
    assert_eq!(planner.blocked.len(), 4, "{planner:?}");
}

#[test]
fn an_account_under_a_key_that_has_not_handed_over_is_told_apart() {
    let delta = with_seals("ci", vec![sealed("ci", &holder("b"))], &reader("a"));
    let id = key("b").public().id().to_owned();
    assert_eq!(
        delta.blocked[0].block,
        Obstacle::OtherKey {
            account: mrn("ci"),
            key: id
        }
    );
    assert_eq!(delta.blocked[0].address, Address::new("ci", None));
    assert!(delta.differences.is_empty(), "{delta:?}");
}

#[test]
fn marks_of_a_later_version_are_no_dispute_and_are_not_touched() {
    for declared in [vec![declared("ci")], Vec::new()] {
        for (form, stack, ours) in [
            ("v2.0-4-0.new.things", "acme.k7m2q9ta", true),
            ("v3.1-0-0", "acme.k7m2q9ta", true),
            // The seal names this configuration's key, whatever the label of the stack says.
            ("v2.0-4-0.new.things", "other.k7m2q9ta", true),
            ("v2.0-4-0.new.things", "no stack", true),
            ("v2.0-4-0.unsealed", "other.k7m2q9ta", false),
        ] {
            let mut account = sealed("ci", &holder("a"));
            if form.ends_with("unsealed") {
                account.labels.remove("rolecall-seal");
                account.labels.remove("rolecall-seal-2");
            }
            account
                .labels
                .insert("rolecall-mark".to_owned(), form.to_owned());
            account
                .labels
                .insert("rolecall-stack".to_owned(), stack.to_owned());
            let delta = compare_with(declared.clone(), vec![account], &[], &reader("a"));
            let later = |b: &Blocked| matches!(&b.block, Obstacle::Later { needs, .. } if needs == "0.4.0" || needs == "1.0.0");
            assert_eq!(delta.blocked.iter().any(later), ours, "{delta:?}");
            assert!(!ours || delta.differences.is_empty(), "{delta:?}");
            assert_eq!(delta.left_alone.len(), usize::from(!ours));
        }
    }
}

/// An Editor takes the label of the stack off a sealed account, or writes another: it does not become
/// nobody's, nor another team's.
#[test]
fn an_account_whose_seal_names_our_key_is_not_nobodys_for_want_of_a_stack() {
    let set = |stack: Option<&str>, more: &[(&str, &str)]| {
        let mut account = sealed("ci", &holder("a"));
        match stack {
            None => account.labels.remove("rolecall-stack"),
            Some(stack) => account
                .labels
                .insert("rolecall-stack".to_owned(), stack.to_owned()),
        };
        for (key, value) in more {
            account
                .labels
                .insert((*key).to_owned(), (*value).to_owned());
        }
        account
    };
    for account in [
        set(None, &[]),
        set(Some("removed-by-rolecall"), &[]),
        set(Some("no stack"), &[]),
        set(Some("other.abcdefgh"), &[]),
        set(Some("other.abcdefgh"), &[("rolecall-mark", "gone")]),
    ] {
        for accounts in [Vec::new(), vec![declared("ci")]] {
            let delta = compare_with(accounts, vec![account.clone()], &[], &reader("a"));
            assert!(delta.differences.is_empty(), "{delta:?}");
            assert_eq!(disputed(&delta).len(), 1, "{delta:?}");
        }
        // Under another key nobody can tell.
        let delta = compare_with(Vec::new(), vec![account], &[], &reader("b"));
        assert_eq!(
            (delta.blocked.len(), delta.left_alone.len()),
            (0, 1),
            "{delta:?}"
        );
    }
    // Another stack that has the same key seals its own accounts.
    let theirs = Marks {
        stack: StackId::new("other", "abcdefgh").expect("valid"),
        ..marks("ci")
    };
    let theirs = live_account("ci", Some(holder("a").seal(&mrn("ci"), theirs)));
    let delta = compare_with(Vec::new(), vec![theirs], &[], &reader("a"));
    assert_eq!(
        (delta.blocked.len(), delta.left_alone.len()),
        (0, 1),
        "{delta:?}"
    );
}

#[test]
fn where_there_is_a_key_the_caller_makes_no_account_ours() {
    let accepting = |name: &str| reader(name).accepting_unsealed(true);
    let account = managed("ci");
    assert_eq!(account.creator.as_deref(), Some("me"), "the caller");
    let delta = with_seals("ci", vec![account], &accepting("a"));
    assert!(
        disputed(&delta)[0].contains("not in trusted_creators"),
        "{delta:?}"
    );
    let mut trusted = managed("ci");
    trusted.creator = Some("trusted@acme.example".to_owned());
    let delta = with_seals("ci", vec![trusted], &accepting("a"));
    assert_eq!(actions(&delta), [(Action::Update, Reason::Unsealed)]);
}

/// What has power and must not be deleted is no leftover of a birth, whatever its marks say.
#[test]
fn a_declared_protection_keeps_a_pending_account_with_a_role() {
    let seals = holder("a");
    let mut wanted = declared("ci");
    wanted.protected = Some(true);
    wanted.roles = roles(&["agent"]);
    let mut account = dead("ci", &seals);
    let delta = compare_with(vec![wanted.clone()], vec![account.clone()], &[], &seals);
    assert_eq!(
        delta.differences.len(),
        2,
        "a birth without a role that died: {delta:?}"
    );
    account.roles = roles(&["agent"]);
    let delta = compare_with(vec![wanted.clone()], vec![account.clone()], &[], &seals);
    assert!(matches!(
        only_block(&delta),
        Obstacle::PendingWithPower { .. }
    ));
    wanted.protected = None;
    let delta = compare_with(vec![wanted], vec![account], &[], &seals);
    assert_eq!(
        delta.differences.len(),
        2,
        "the least wanted role: {delta:?}"
    );
}
