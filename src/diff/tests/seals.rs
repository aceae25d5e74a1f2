//! What a seal proves, and what its absence does.

use super::*;

fn key(digit: &str) -> SealKey {
    SealKey::parse(&format!("{digit}1234567").repeat(8)).expect("a key")
}

fn sealed(name: &str, by: &Seals) -> LiveAccount {
    live_account(name, Some(by.seal(&mrn(name), marks(name))))
}

fn with_seals(name: &str, live: Vec<LiveAccount>, seals: &Seals) -> Delta {
    compare_with(vec![declared(name)], live, &[], seals)
}

fn disputed(delta: &Delta) -> Vec<&str> {
    let why = delta.blocked.iter().map(|b| match &b.block {
        Block::Disputed { why, .. } => why.as_str(),
        other => panic!("{other:?}"),
    });
    why.collect()
}

#[test]
fn a_seal_that_fits_makes_an_account_ours_whoever_created_it() {
    let seals = Seals::new(key("a"), None);
    let mut live = sealed("ci", &seals);
    live.creator = Some("a stranger".to_owned());
    let delta = with_seals("ci", vec![live], &seals);
    assert_eq!((delta.unchanged, delta.blocked.len()), (1, 0));
    assert_eq!((delta.sealed, delta.unverified), (true, 0));
}

/// Forge: the creator is trusted, the marks are right, the seal is somebody's guess.
#[test]
fn with_a_key_neither_a_creator_nor_an_import_block_makes_a_wrong_seal_right() {
    let seals = Seals::new(key("a"), None);
    let forged = sealed("ci", &Seals::new(key("b"), None));
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
    let seals = Seals::new(key("a"), None);
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
            |b| matches!(&b.block, Block::Disputed { why, .. } if why.contains("does not fit"))
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
    let seals = Seals::new(key("a"), None);
    let delta = with_seals("ci", vec![managed("ci")], &seals);
    assert!(disputed(&delta)[0].contains("has no seal"), "{delta:?}");

    let accepting = Seals::new(key("a"), None).accepting_unsealed(true);
    let delta = with_seals("ci", vec![managed("ci")], &accepting);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Unsealed)]);
    let mut strangers = managed("ci");
    strangers.creator = Some("a stranger".to_owned());
    let delta = with_seals("ci", vec![strangers], &accepting);
    assert_eq!(disputed(&delta).len(), 1);
    // A wrong seal is never accepted.
    let forged = sealed("ci", &Seals::new(key("b"), None));
    assert_eq!(
        disputed(&with_seals("ci", vec![forged], &accepting)).len(),
        1
    );
}

/// Copy: a second account with the same labels, sealed for the first.
#[test]
fn of_two_accounts_with_one_address_only_the_sealed_one_is_ours() {
    let seals = Seals::new(key("a"), None);
    let right = sealed("ci", &seals);
    let mut copy = sealed("copy", &seals);
    copy.labels = right.labels.clone();
    let delta = with_seals("ci", vec![right.clone(), copy], &seals);
    assert_eq!((delta.unchanged, disputed(&delta).len()), (1, 1));

    // Two that are both sealed for the address are refused.
    let twin = live_account("twin", Some(seals.seal(&mrn("twin"), marks("ci"))));
    let delta = with_seals("ci", vec![right, twin], &seals);
    assert!(
        matches!(&delta.blocked[0].block, Block::Duplicate { accounts } if accounts.len() == 2),
        "{delta:?}"
    );
}

#[test]
fn the_previous_keys_seals_are_taken_and_renewed() {
    let old = sealed("ci", &Seals::new(key("a"), None));
    let changing = Seals::new(key("b"), Some(key("a")));
    let delta = with_seals("ci", vec![old.clone()], &changing);
    assert_eq!(actions(&delta), [(Action::Update, Reason::SealedBefore)]);
    let delta = with_seals("ci", vec![old.clone()], &Seals::new(key("b"), None));
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
    let live = vec![sealed("ci", &Seals::new(key("a"), None))];
    let delta = with_seals("ci", live, &Seals::default());
    assert_eq!((delta.unchanged, delta.unverified), (1, 1));
    assert!(!delta.sealed);
}

#[test]
fn a_pending_account_needs_no_seal_since_it_is_only_finished_or_removed() {
    let seals = Seals::new(key("a"), None);
    let pending = Marks {
        credential: CredentialMark::Pending(Nonce::from_bytes([7; 16])),
        ..marks("ci")
    };
    let mut live = live_account("ci", Some(pending));
    live.roles = roles(&[]);
    let delta = with_seals("ci", vec![live], &seals);
    assert_eq!(
        actions(&delta),
        [
            (Action::Create, Reason::CredentialPending),
            (Action::Delete, Reason::CredentialPending),
        ]
    );
}
