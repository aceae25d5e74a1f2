//! One case of the comparison each; the laws over all cases are in `tests/it/properties.rs`.

use std::collections::BTreeMap;

use super::*;
use crate::model::{
    Caller, CredentialMark, DesiredAccount, DesiredOrganization, Destination, Facts, Fingerprint,
    Former, Import, Labels, Limits, Marks, Nonce, OrgId, Removed, Role, RoleSet, Scope, ScopeInfo,
    SealKey, Seals, SourceRef, SpaceId, StackId, Unmanaged, UnmanagedAction, Unread,
};

const NOW: &str = "2026-11-23T12:00:00Z";

fn place(line: u32) -> SourceRef {
    SourceRef {
        file: "a.hcl".to_owned(),
        line,
    }
}

fn org() -> OrgId {
    OrgId::new("acme-corp").expect("valid")
}

fn space() -> Scope {
    Scope::Space(SpaceId::new("payments").expect("valid"))
}

fn roles(names: &[&str]) -> RoleSet {
    names.iter().map(|name| Role::new(name)).collect()
}

fn declared(name: &str) -> DesiredAccount {
    DesiredAccount {
        address: Address::new(name, None),
        scope: space(),
        name: name.to_owned(),
        description: None,
        labels: None,
        roles: roles(&["viewer", "agent"]),
        role_places: BTreeMap::new(),
        valid_until: None,
        deliver_to: Vec::new(),
        protected: None,
        formerly: Vec::new(),
        import: None,
        declared_at: place(10),
    }
}

fn mrn(name: &str) -> Mrn {
    Mrn::new(format!(
        "//agents.api.mondoo.app/spaces/payments/serviceaccounts/{name}"
    ))
}

fn marks(name: &str) -> Marks {
    Marks {
        stack: StackId::new("acme", "k7m2q9ta").expect("valid"),
        address: Address::new(name, None).label(),
        generation: 1,
        credential: CredentialMark::Delivered {
            fingerprint: Fingerprint::of_public_key(b"key"),
            destinations: CredentialMark::destinations_digest(&[]),
        },
        expires: None,
        protected: false,
        seal: None,
    }
}

fn live_account(name: &str, marks: Option<Marks>) -> LiveAccount {
    LiveAccount {
        mrn: mrn(name),
        scope: space(),
        name: name.to_owned(),
        description: None,
        labels: marks.map(|m| m.labels()).unwrap_or_default(),
        roles: roles(&["viewer", "agent"]),
        created_at: "2026-01-01T00:00:00Z".parse().ok(),
        last_used: None,
        creator: Some("me".to_owned()),
    }
}

fn managed(name: &str) -> LiveAccount {
    live_account(name, Some(marks(name)))
}

fn compare(declared: Vec<DesiredAccount>, live: Vec<LiveAccount>) -> Delta {
    compare_unread(declared, live, &[])
}

fn compare_unread(
    declared: Vec<DesiredAccount>,
    live: Vec<LiveAccount>,
    unread: &[Scope],
) -> Delta {
    compare_with(declared, live, unread, &Seals::default())
}

fn compare_with(
    declared: Vec<DesiredAccount>,
    live: Vec<LiveAccount>,
    unread: &[Scope],
    seals: &Seals,
) -> Delta {
    let (desired, live) = world(declared, live, unread);
    diff(&desired, &live, seals)
}

fn world(
    declared: Vec<DesiredAccount>,
    live: Vec<LiveAccount>,
    unread: &[Scope],
) -> (Desired, Live) {
    let desired = Desired {
        stack: StackId::new("acme", "k7m2q9ta").expect("valid"),
        trusted_creators: vec!["trusted@acme.example".to_owned()],
        endpoint: None,
        limits: Limits::default(),
        policies: Vec::new(),
        organizations: [(
            "acme".to_owned(),
            DesiredOrganization {
                id: org(),
                declared_at: place(1),
            },
        )]
        .into(),
        spaces: BTreeMap::new(),
        accounts: declared
            .into_iter()
            .map(|a| (a.address.clone(), a))
            .collect(),
        ..Desired::nothing(StackId::new("acme", "k7m2q9ta").expect("valid"))
    };
    let info = ScopeInfo {
        name: String::new(),
        organization: None,
    };
    let mut scopes: BTreeMap<Scope, ScopeInfo> =
        [(space(), info.clone()), (Scope::Organization(org()), info)].into();
    scopes.retain(|scope, _| !unread.contains(scope));
    let live = Live {
        facts: Facts {
            caller: Caller {
                mrn: Mrn::new("me"),
                name: None,
            },
            now: NOW.parse().expect("valid"),
            endpoint: "https://us.api.mondoo.com".to_owned(),
        },
        scopes,
        unread: unread
            .iter()
            .map(|s| {
                (
                    s.clone(),
                    Unread {
                        why: "denied".to_owned(),
                    },
                )
            })
            .collect(),
        accounts: live.into_iter().map(|a| (a.mrn.clone(), a)).collect(),
    };
    (desired, live)
}

fn actions(delta: &Delta) -> Vec<(Action, Reason)> {
    delta
        .differences
        .iter()
        .map(|d| (d.action, d.reason))
        .collect()
}

fn only_block(delta: &Delta) -> &Block {
    assert!(delta.differences.is_empty(), "{:?}", delta.differences);
    assert_eq!(delta.blocked.len(), 1, "{:?}", delta.blocked);
    &delta.blocked[0].block
}

#[test]
fn what_the_configuration_leaves_out_is_not_managed() {
    let mut live = managed("ci");
    live.description = Some("written by hand".to_owned());
    live.labels.insert("team".to_owned(), "x".to_owned());
    let delta = compare(vec![declared("ci")], vec![live.clone()]);
    assert!(delta.differences.is_empty());
    assert_eq!(delta.unchanged, 1);

    let mut wanted = declared("ci");
    wanted.labels = Some(Labels::new());
    let delta = compare(vec![wanted], vec![live]);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
    let after = delta.differences[0]
        .after
        .as_ref()
        .expect("an update has an after");
    assert!(after.labels.is_empty());
    assert_eq!(after.description.as_deref(), Some("written by hand"));
}

#[test]
fn roles_and_the_rest_are_two_changes_and_an_update_never_carries_roles() {
    let mut wanted = declared("ci");
    wanted.roles = roles(&["owner"]);
    wanted.description = Some("new".to_owned());
    wanted.role_places = [(Role::new("owner"), place(3))].into();
    let delta = compare(vec![wanted], vec![managed("ci")]);
    assert_eq!(
        actions(&delta),
        [
            (Action::Update, Reason::Differs),
            (Action::UpdatePermissions, Reason::Differs)
        ]
    );
    let after = |n: usize| delta.differences[n].after.as_ref().expect("an after");
    assert_eq!(after(0).roles, roles(&["viewer", "agent"]));
    assert_eq!(after(1).roles, roles(&["owner"]));
    assert_eq!(after(1).description, None);
    assert_eq!(delta.differences[1].places, [place(3), place(10)]);
}

fn pending(age_minutes: i64) -> LiveAccount {
    let marks = Marks {
        credential: CredentialMark::Pending(Nonce::from_bytes([1; 16])),
        ..marks("ci")
    };
    let now: jiff::Timestamp = NOW.parse().expect("valid");
    LiveAccount {
        created_at: Some(now - jiff::SignedDuration::from_mins(age_minutes)),
        roles: RoleSet::new(),
        ..live_account("ci", Some(marks))
    }
}

#[test]
fn a_young_birth_is_left_alone_and_a_dead_one_is_replaced() {
    let delta = compare(vec![declared("ci")], vec![pending(14)]);
    assert!(delta.differences.is_empty() && delta.blocked.is_empty());
    assert_eq!(delta.in_flight.len(), 1);
    assert_eq!(delta.in_flight[0].until.to_string(), "2026-11-23T12:01:00Z");

    let delta = compare(vec![declared("ci")], vec![pending(15)]);
    let dead = Reason::CredentialPending;
    assert_eq!(
        actions(&delta),
        [(Action::Create, dead), (Action::Delete, dead)]
    );

    let delta = compare(Vec::new(), vec![pending(14)]);
    assert_eq!((delta.differences.len(), delta.in_flight.len()), (0, 1));
    let delta = compare(Vec::new(), vec![pending(15)]);
    assert_eq!(actions(&delta), [(Action::Delete, dead)]);
}

#[test]
fn a_pending_account_with_power_or_a_past_is_left_to_people() {
    let mut used = pending(60);
    used.last_used = NOW.parse().ok();
    // A key that was tried and could do nothing is no reason to wait for people.
    assert_eq!(
        compare(vec![declared("ci")], vec![used.clone()])
            .differences
            .len(),
        2
    );
    used.roles = roles(&["viewer"]);
    let mut strong = pending(60);
    strong.roles = roles(&["owner"]);
    for account in [used, strong] {
        let delta = compare(vec![declared("ci")], vec![account]);
        assert!(matches!(only_block(&delta), Block::PendingWithPower { .. }));
    }
    let mut given = pending(60);
    given.roles = roles(&["viewer"]);
    assert_eq!(
        compare(vec![declared("ci")], vec![given]).differences.len(),
        2
    );
}

#[test]
fn marks_are_believed_only_with_a_reason() {
    let made_by = |creator: Option<&str>| {
        let account = LiveAccount {
            creator: creator.map(str::to_owned),
            ..managed("ci")
        };
        compare(vec![declared("ci")], vec![account])
    };
    assert_eq!(made_by(Some("me")).unchanged, 1);
    assert_eq!(made_by(Some("trusted@acme.example")).unchanged, 1);
    for creator in [Some("mallory"), None] {
        let delta = made_by(creator);
        let disputed = |b: &Blocked| matches!(b.block, Block::Disputed { .. });
        assert!(delta.blocked.iter().any(disputed));
        // Its name stands in the way of a new one, too.
        assert!(delta.differences.is_empty());
    }
    let mut named = declared("ci");
    named.import = Some(Import {
        mrn: mrn("ci"),
        declared_at: place(2),
    });
    let account = LiveAccount {
        creator: Some("mallory".to_owned()),
        ..managed("ci")
    };
    assert_eq!(compare(vec![named], vec![account]).unchanged, 1);
}

#[test]
fn two_accounts_of_one_address_are_refused_both() {
    let twin = LiveAccount {
        mrn: mrn("twin"),
        name: "twin".to_owned(),
        ..managed("ci")
    };
    let delta = compare(vec![declared("ci")], vec![managed("ci"), twin]);
    let Block::Duplicate { accounts } = only_block(&delta) else {
        panic!("{delta:?}")
    };
    assert_eq!(*accounts, [mrn("ci"), mrn("twin")]);
}

#[test]
fn twins_that_are_not_declared_any_more_are_refused_as_well() {
    let twin = LiveAccount {
        mrn: mrn("twin"),
        name: "twin".to_owned(),
        ..managed("ci")
    };
    let delta = compare(Vec::new(), vec![managed("ci"), twin]);
    assert!(matches!(only_block(&delta), Block::Duplicate { accounts } if accounts.len() == 2));
}

#[test]
fn an_undeclared_pending_account_with_power_is_no_leftover_of_a_birth() {
    let mut strong = pending(60);
    strong.roles = roles(&["owner"]);
    let delta = compare(Vec::new(), vec![strong]);
    assert_eq!(actions(&delta), [(Action::Delete, Reason::ScopeUndeclared)]);
}

#[test]
fn another_stacks_account_is_never_touched_and_its_name_blocks() {
    let stack = StackId::new("other", "k7m2q9ta").expect("valid");
    let foreign = live_account(
        "ci",
        Some(Marks {
            stack: stack.clone(),
            ..marks("ci")
        }),
    );
    let delta = compare(vec![declared("ci")], vec![foreign.clone()]);
    assert!(matches!(
        only_block(&delta),
        Block::NameTaken {
            managed_as: None,
            ..
        }
    ));
    assert_eq!(delta.left_alone[0].stack, Some(stack));

    let mut wanted = declared("ci");
    wanted.import = Some(Import {
        mrn: mrn("ci"),
        declared_at: place(2),
    });
    let delta = compare(vec![wanted], vec![foreign]);
    assert!(matches!(only_block(&delta), Block::Foreign { .. }));
}

#[test]
fn damaged_marks_of_ours_are_disputed_and_marks_of_nobody_are_unmanaged() {
    let mut account = managed("old");
    account
        .labels
        .insert("rolecall-credential".to_owned(), "whatever".to_owned());
    let delta = compare(Vec::new(), vec![account.clone()]);
    assert!(matches!(only_block(&delta), Block::Disputed { .. }));
    account.labels.remove("rolecall-stack");
    let delta = compare(Vec::new(), vec![account]);
    assert!(delta.blocked.is_empty() && delta.differences.is_empty());
    assert_eq!(delta.left_alone.len(), 1);
}

#[test]
fn an_import_takes_custody_and_shows_what_else_differs() {
    let mut wanted = declared("ci");
    wanted.import = Some(Import {
        mrn: mrn("ci"),
        declared_at: place(2),
    });
    wanted.roles = roles(&["viewer"]);
    let account = LiveAccount {
        creator: Some("ada".to_owned()),
        ..live_account("ci", None)
    };
    let delta = compare(vec![wanted.clone()], vec![account.clone()]);
    assert_eq!(
        actions(&delta),
        [
            (Action::Adopt, Reason::ImportRequested),
            (Action::UpdatePermissions, Reason::Differs)
        ]
    );
    assert!(delta.left_alone.is_empty());

    let delta = compare(vec![wanted.clone()], Vec::new());
    assert!(matches!(only_block(&delta), Block::ImportMissing { .. }));

    let elsewhere = LiveAccount {
        scope: Scope::Organization(org()),
        ..account
    };
    let delta = compare(vec![wanted], vec![elsewhere]);
    assert!(matches!(only_block(&delta), Block::ImportMissing { .. }));
}

#[test]
fn what_is_fixed_at_birth_blocks_and_says_so() {
    let mut moved = declared("ci");
    moved.scope = Scope::Organization(org());
    let delta = compare(vec![moved], vec![managed("ci")]);
    assert!(matches!(
        only_block(&delta),
        Block::CannotUpdate { attribute, .. } if attribute == "scope"
    ));

    let mut expiring = declared("ci");
    expiring.valid_until = "2027-06-30T00:00:00Z".parse().ok();
    let delta = compare(vec![expiring.clone()], vec![managed("ci")]);
    assert!(matches!(
        only_block(&delta),
        Block::CannotUpdate { attribute, .. } if attribute == "valid_until"
    ));

    let as_born = Marks {
        expires: expiring.valid_until,
        ..marks("ci")
    };
    let delta = compare(
        vec![expiring],
        vec![live_account("ci", Some(as_born.clone()))],
    );
    assert_eq!(delta.unchanged, 1);
    let delta = compare(
        vec![declared("ci")],
        vec![live_account("ci", Some(as_born))],
    );
    assert!(matches!(
        only_block(&delta),
        Block::CannotUpdate { attribute, .. } if attribute == "valid_until"
    ));
}

#[test]
fn a_scope_that_was_not_read_creates_and_deletes_nothing() {
    let delta = compare_unread(vec![declared("ci")], Vec::new(), &[space()]);
    assert!(matches!(only_block(&delta), Block::Unread { .. }));
    let delta = compare_unread(Vec::new(), Vec::new(), &[space()]);
    assert!(delta.differences.is_empty() && delta.blocked.is_empty());
}

#[test]
fn a_managed_account_in_a_scope_that_left_the_configuration_is_planned_as_delete() {
    // The space is not declared by a block of its own, only its organization is.
    let delta = compare(Vec::new(), vec![managed("ci")]);
    assert_eq!(actions(&delta), [(Action::Delete, Reason::ScopeUndeclared)]);
}

#[test]
fn a_rename_into_a_taken_name_is_blocked_and_a_free_one_is_an_update() {
    let mut wanted = declared("ci");
    wanted.name = "other".to_owned();
    let delta = compare(vec![wanted.clone()], vec![managed("ci")]);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
    let delta = compare(
        vec![wanted.clone()],
        vec![managed("ci"), live_account("other", None)],
    );
    assert!(matches!(only_block(&delta), Block::NameTaken { .. }));
    // Equal names in different scopes never meet.
    let far = LiveAccount {
        scope: Scope::Organization(org()),
        ..live_account("other", None)
    };
    let delta = compare(vec![wanted], vec![managed("ci"), far]);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
}

#[test]
fn a_key_that_went_elsewhere_is_noted_and_changes_nothing() {
    let mut wanted = declared("ci");
    wanted.deliver_to = vec![Destination {
        sink: "file.local".to_owned(),
        place: crate::model::Place::File {
            directory: "new".to_owned(),
            file: "ci.json".to_owned(),
            format: crate::model::FileFormat::Json,
        },
    }];
    let delta = compare(vec![wanted], vec![managed("ci")]);
    assert!(delta.differences.is_empty());
    assert_eq!(delta.notes.len(), 1);
}

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
    let delta = with_seals("ci", vec![old], &Seals::new(key("b"), None));
    assert_eq!(disputed(&delta).len(), 1);
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

fn former(address: &str) -> Former {
    Former {
        address: Address::new(address, None),
        declared_at: place(20),
    }
}

#[test]
fn an_account_found_under_a_former_address_is_moved_before_anything_else() {
    let mut wanted = declared("new");
    wanted.formerly = vec![former("older"), former("old")];
    wanted.name = "old".to_owned();
    wanted.roles = roles(&["editor"]);
    let delta = compare(vec![wanted.clone()], vec![managed("old")]);
    let actions: Vec<_> = delta.differences.iter().map(|d| d.action).collect();
    assert_eq!(actions, [Action::Move, Action::UpdatePermissions]);
    assert!(
        delta
            .differences
            .iter()
            .all(|d| d.address == wanted.address)
    );
    assert_eq!(
        delta.differences[0].moved_from,
        Some(Address::new("old", None))
    );

    let both = compare(vec![wanted], vec![managed("old"), managed("new")]);
    assert!(matches!(only_block(&both), Block::Duplicate { accounts } if accounts.len() == 2));
    assert!(both.differences.is_empty());
}

#[test]
fn a_former_address_that_is_declared_again_is_its_own() {
    let mut wanted = declared("new");
    wanted.formerly = vec![former("old")];
    let delta = compare(vec![wanted, declared("old")], vec![managed("old")]);
    let actions: Vec<_> = delta
        .differences
        .iter()
        .map(|d| (d.action, &d.address))
        .collect();
    assert_eq!(actions, [(Action::Create, &Address::new("new", None))]);
    assert_eq!(delta.unchanged, 1);
}

#[test]
fn a_dead_birth_is_reaped_although_it_is_protected() {
    let mut marks = marks("ci");
    marks.credential = CredentialMark::Pending(Nonce::from_bytes([7; 16]));
    marks.protected = true;
    let mut dead = live_account("ci", Some(marks));
    dead.roles.clear();
    let delta = compare(Vec::new(), vec![dead]);
    let found = &delta.differences[0];
    assert_eq!(
        (found.action, found.reason),
        (Action::Delete, Reason::CredentialPending)
    );
}

fn setting(action: UnmanagedAction, line: u32) -> Unmanaged {
    Unmanaged {
        action,
        except: vec!["legacy-*".to_owned()],
        declared_at: place(line),
    }
}

/// What `unmanaged` blocks of the space and of its organization do to one account.
fn unmanaged(
    account: LiveAccount,
    of_space: Option<UnmanagedAction>,
    of_organization: Option<UnmanagedAction>,
) -> Delta {
    let (mut desired, mut live) = world(vec![declared("wanted")], vec![account], &[]);
    let settings = [
        (space(), of_space.map(|action| setting(action, 5))),
        (
            Scope::Organization(org()),
            of_organization.map(|action| setting(action, 6)),
        ),
    ];
    let named = settings
        .into_iter()
        .filter_map(|(scope, s)| Some((scope, s?)));
    desired.unmanaged = named.collect();
    let info = live.scopes.get_mut(&space()).expect("read");
    info.organization = Some(org());
    diff(&desired, &live, &Seals::default())
}

#[test]
fn an_unmanaged_block_speaks_of_its_scope_and_an_organizations_of_the_spaces_without_one() {
    use UnmanagedAction::{Delete, Fail, Report};
    let deletes = |delta: &Delta| actions(delta).contains(&(Action::Delete, Reason::Unmanaged));
    let stray = || live_account("stray", None);
    for (of_space, of_organization, deleted, refused) in [
        (None, None, false, false),
        (Some(Report), Some(Delete), false, false),
        (Some(Delete), Some(Report), true, false),
        (Some(Fail), Some(Delete), false, true),
        (None, Some(Delete), true, false),
        (None, Some(Fail), false, true),
    ] {
        let delta = unmanaged(stray(), of_space, of_organization);
        let case = format!("{of_space:?} {of_organization:?} {delta:?}");
        assert_eq!(deletes(&delta), deleted, "{case}");
        assert_eq!(delta.blocked.len(), usize::from(refused), "{case}");
        // What is deleted is not left alone as well.
        assert_eq!(delta.left_alone.len(), usize::from(!deleted), "{case}");
    }
    let delta = unmanaged(stray(), None, Some(Delete));
    let mut deletions = delta.differences.iter();
    let found = deletions
        .find(|d| d.action == Action::Delete)
        .expect("a deletion");
    assert_eq!(found.address, Address::new("stray", None));
    assert_eq!((found.generation, &found.after), (1, &None));
    assert_eq!(found.account, Some(mrn("stray")));
    assert_eq!(found.before, Some(stray().state()));
    assert_eq!(found.places, [place(6)]);
    let delta = unmanaged(stray(), Some(Fail), None);
    assert_eq!(delta.blocked[0].declared_at, Some(place(5)));
}

#[test]
fn an_unmanaged_block_spares_exceptions_the_caller_marks_of_any_kind_and_wanted_names() {
    let caller = LiveAccount {
        mrn: Mrn::new("me"),
        ..live_account("me", None)
    };
    let mut half_marked = live_account("half", None);
    half_marked
        .labels
        .insert("rolecall-protected".to_owned(), "true".to_owned());
    for account in [
        live_account("legacy-ci", None),
        caller,
        half_marked,
        live_account("wanted", None),
    ] {
        for action in [UnmanagedAction::Delete, UnmanagedAction::Fail] {
            let delta = unmanaged(account.clone(), Some(action), None);
            let deletes = delta.differences.iter().any(|d| d.action == Action::Delete);
            let refuses = |b: &Blocked| matches!(b.block, Block::Unmanaged { .. });
            assert!(!deletes && !delta.blocked.iter().any(refuses), "{delta:?}");
            assert_eq!(delta.left_alone.len(), 1, "{delta:?}");
        }
    }
    // The same name in another scope is nobody's that is wanted here.
    let elsewhere = LiveAccount {
        scope: Scope::Organization(org()),
        ..live_account("wanted", None)
    };
    let delta = unmanaged(elsewhere, None, Some(UnmanagedAction::Delete));
    assert!(actions(&delta).contains(&(Action::Delete, Reason::Unmanaged)));
}

fn removed(address: Address, destroy: bool, line: u32) -> Removed {
    Removed {
        from: address,
        destroy,
        declared_at: place(line),
    }
}

/// What `removed` blocks, and an `unmanaged` block of the space, do to an account of ours.
fn without(marks: Marks, blocks: Vec<Removed>, action: Option<UnmanagedAction>) -> Delta {
    let account = live_account("ci", Some(marks));
    let (mut desired, live) = world(Vec::new(), vec![account], &[]);
    desired.removed = blocks;
    desired.unmanaged = action
        .map(|action| (space(), setting(action, 5)))
        .into_iter()
        .collect();
    diff(&desired, &live, &Seals::default())
}

#[test]
fn a_removed_block_gives_an_account_up_or_says_where_its_deletion_comes_from() {
    let address = || Address::new("ci", None);
    let delta = without(marks("ci"), vec![removed(address(), false, 7)], None);
    assert_eq!(
        actions(&delta),
        [(Action::Forget, Reason::ReleaseRequested)]
    );
    let found = &delta.differences[0];
    assert_eq!(found.after, found.before);
    assert_eq!(found.before, Some(managed("ci").state()));
    assert_eq!(found.account, Some(mrn("ci")));
    assert_eq!(found.marks, Some(marks("ci")));
    assert_eq!(found.places, [place(7)]);

    let delta = without(marks("ci"), vec![removed(address(), true, 7)], None);
    assert_eq!(actions(&delta), [(Action::Delete, Reason::ScopeUndeclared)]);
    assert_eq!(delta.differences[0].places, [place(7)]);
    assert_eq!(delta.differences[0].after, None);

    let other = removed(Address::new("other", None), false, 7);
    let delta = without(marks("ci"), vec![other], None);
    assert_eq!(actions(&delta), [(Action::Delete, Reason::ScopeUndeclared)]);
    assert!(delta.differences[0].places.is_empty());
}

#[test]
fn of_removed_blocks_the_one_of_the_very_account_counts_before_that_of_its_block() {
    let keyed = |key: &str| Address::new("ci", Some(key.to_owned()));
    let of = |address: Address| Marks {
        address: address.label(),
        ..marks("ci")
    };
    let whole = || removed(Address::new("ci", None), false, 7);
    let delta = without(of(keyed("one")), vec![whole()], None);
    assert_eq!(delta.differences[0].action, Action::Forget);
    let both = vec![whole(), removed(keyed("one"), true, 8)];
    let delta = without(of(keyed("one")), both, None);
    assert_eq!(delta.differences[0].action, Action::Delete);
    // One instance's block says nothing of the others.
    let delta = without(
        of(keyed("two")),
        vec![removed(keyed("one"), false, 8)],
        None,
    );
    assert_eq!(delta.differences[0].action, Action::Delete);

    // Of an address that is kept as a hash nobody can tell whether it is of the block.
    let long = Address::new("ci", Some("k".repeat(99)));
    let delta = without(of(long.clone()), vec![whole()], None);
    assert!(matches!(only_block(&delta), Block::UnclearRemoval { .. }));
    let destroying = removed(Address::new("ci", None), true, 7);
    let delta = without(of(long.clone()), vec![destroying], None);
    assert_eq!(delta.differences[0].action, Action::Delete);
    let delta = without(of(long.clone()), vec![removed(long, false, 7)], None);
    assert_eq!(delta.differences[0].action, Action::Forget);
}

#[test]
fn an_account_that_is_given_up_must_not_fall_to_an_unmanaged_block() {
    use UnmanagedAction::{Delete, Fail, Report};
    let give_up = || vec![removed(Address::new("ci", None), false, 7)];
    for (action, says) in [(Fail, "refuse every plan"), (Delete, "delete it")] {
        let delta = without(marks("ci"), give_up(), Some(action));
        let Block::UnclearRemoval { account, why } = only_block(&delta) else {
            panic!("{delta:?}")
        };
        assert_eq!(*account, mrn("ci"));
        assert!(why.ends_with(says), "{why}");
        assert_eq!(delta.blocked[0].declared_at, Some(place(7)));
    }
    let delta = without(marks("ci"), give_up(), Some(Report));
    assert_eq!(delta.differences[0].action, Action::Forget);
    let mut excepted = live_account("ci", Some(marks("ci")));
    excepted.name = "legacy-ci".to_owned();
    let (mut desired, live) = world(Vec::new(), vec![excepted], &[]);
    desired.removed = give_up();
    desired.unmanaged = [(space(), setting(Delete, 5))].into();
    let delta = diff(&desired, &live, &Seals::default());
    assert_eq!(delta.differences[0].action, Action::Forget);
}

#[test]
fn a_protected_account_is_not_deleted_and_may_be_given_up() {
    let protected = || Marks {
        protected: true,
        ..marks("ci")
    };
    let delta = without(protected(), Vec::new(), None);
    assert!(matches!(only_block(&delta), Block::Protected { account } if *account == mrn("ci")));
    let give_up = removed(Address::new("ci", None), false, 7);
    let delta = without(protected(), vec![give_up], None);
    assert_eq!(delta.differences[0].action, Action::Forget);
}

#[test]
fn an_import_of_what_is_ours_already_says_as_what() {
    let mut wanted = declared("ci");
    wanted.import = Some(Import {
        mrn: mrn("other"),
        declared_at: place(2),
    });
    let delta = compare(vec![wanted], vec![managed("other")]);
    let Block::ImportMissing { account, why } = &delta.blocked[0].block else {
        panic!("{delta:?}")
    };
    assert_eq!(*account, mrn("other"));
    assert_eq!(why, "it is managed as service_account.other");
    assert_eq!(delta.blocked[0].declared_at, Some(place(10)));
}

#[test]
fn what_is_declared_no_longer_is_told_from_a_scope_that_is() {
    let mut account = managed("ci");
    account.scope = Scope::Organization(org());
    let id = "//agents.api.mondoo.app/organizations/acme-corp/serviceaccounts/ci";
    account.mrn = Mrn::new(id.to_owned());
    let delta = compare(Vec::new(), vec![account]);
    assert_eq!(actions(&delta), [(Action::Delete, Reason::Undeclared)]);
}

#[test]
fn a_name_that_two_accounts_have_hinders_only_who_wants_it_anew() {
    let mut wanted = declared("ci");
    wanted.description = Some("new words".to_owned());
    let mut twin = live_account("twin", None);
    twin.name = "ci".to_owned();
    let delta = compare(vec![wanted.clone()], vec![managed("ci"), twin.clone()]);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
    assert!(delta.blocked.is_empty());

    let mut named = managed("ci");
    named.name = "before".to_owned();
    let delta = compare(vec![wanted], vec![named, twin.clone()]);
    let holder = matches!(only_block(&delta), Block::NameTaken { account, managed_as: None, .. }
        if *account == twin.mrn);
    assert!(holder, "{:?}", delta.blocked);
}
