//! One case of the comparison each; the laws over all cases are in `tests/it/properties/mod.rs`.

use std::collections::BTreeMap;

use super::*;
use crate::model::samples;
use crate::model::{
    Address, Birth, CredentialMark, Described, DesiredAccount, DesiredOrganization, Destination,
    Facts, Fingerprint, Former, Import, Known, Labels, Marks, Nonce, OrgId, Removed, Role, RoleSet,
    Scope, ScopeInfo, SealKey, SealKeys, Seals, SourceRef, SpaceId, StackId, Unmanaged,
    UnmanagedAction, Unread, VOID,
};

mod custody;
mod generations;
mod keys;
mod names;
mod revoked;
mod seals;
mod told;
mod whole;

const NOW: &str = "2026-11-23T12:00:00Z";

/// Compares by whose the accounts are.
fn diff(desired: &Desired, live: &Live, seals: &Seals) -> Delta {
    super::diff(desired, live, &Inventory::take(desired, live, seals))
}

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
        roles: roles(&["viewer", "agent"]),
        declared_at: place(10),
        ..samples::declared(Address::new(name, None), space())
    }
}

fn mrn(name: &str) -> Mrn {
    Mrn::new(format!(
        "//agents.api.mondoo.app/spaces/payments/serviceaccounts/{name}"
    ))
}

fn marks(name: &str) -> Marks {
    Marks {
        credential: CredentialMark::Delivered {
            fingerprint: Fingerprint::of_public_key(b"key"),
            nonce: Nonce::from_bytes([9; 16]),
            destinations: BTreeMap::new(),
        },
        ..Marks::external(
            StackId::new("acme", "k7m2q9ta").expect("valid"),
            Address::new(name, None).label(),
            false,
        )
    }
}

fn live_account(name: &str, marks: Option<Marks>) -> LiveAccount {
    LiveAccount {
        labels: marks.map(|m| m.labels().into()).unwrap_or_default(),
        roles: roles(&["viewer", "agent"]),
        created_at: "2026-01-01T00:00:00Z".parse().ok(),
        creator: Some("me".to_owned()),
        ..samples::account(mrn(name), space(), name)
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
        trusted_creators: vec!["trusted@acme.example".to_owned()],
        organizations: [(
            "acme".to_owned(),
            DesiredOrganization {
                id: org(),
                declared_at: place(1),
            },
        )]
        .into(),
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
            now: NOW.parse().expect("valid"),
            ..samples::facts("me")
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
        ..samples::live("me", live)
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

fn only_block(delta: &Delta) -> &Obstacle {
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

/// A birth that began so many minutes ago.
fn birth(age_minutes: i64) -> Birth {
    let now: jiff::Timestamp = NOW.parse().expect("valid");
    let since = now - jiff::SignedDuration::from_mins(age_minutes);
    Birth::new(Nonce::from_bytes([1; 16]), since)
}

fn pending(age_minutes: i64) -> LiveAccount {
    let birth = birth(age_minutes);
    let created_at = Some(birth.since);
    let marks = Marks {
        credential: CredentialMark::Pending(birth),
        ..marks("ci")
    };
    LiveAccount {
        created_at,
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

/// Two runs that began at the same moment and died leave two births: one goes after the other, and none is a
/// case for people.
#[test]
fn of_two_births_of_one_moment_that_died_one_is_removed_first() {
    let twin = |age| LiveAccount {
        mrn: mrn("twin"),
        ..pending(age)
    };
    let dead = [(Action::Delete, Reason::CredentialPending)];
    for wanted in [vec![declared("ci")], Vec::new()] {
        let delta = compare(wanted.clone(), vec![pending(15), twin(16)]);
        assert_eq!(actions(&delta), dead);
        assert!(delta.blocked.is_empty() && delta.in_flight.is_empty());
    }
    // Beside one that is whole.
    let delta = compare(vec![declared("ci")], vec![managed("ci"), twin(15)]);
    assert_eq!(actions(&delta), dead);
    assert_eq!(delta.differences[0].account, Some(mrn("twin")));
    // One of them may be under way.
    let delta = compare(vec![declared("ci")], vec![pending(15), twin(14)]);
    assert_eq!((delta.differences.len(), delta.in_flight.len()), (0, 1));
    // What is more than a birth is left to people.
    let strong = LiveAccount {
        roles: roles(&["owner"]),
        ..twin(15)
    };
    let delta = compare(vec![declared("ci")], vec![managed("ci"), strong]);
    assert!(matches!(only_block(&delta), Obstacle::Duplicate { .. }));
}

/// What who runs this says of a birth shortens its lease, and nothing else; of another one it says nothing.
#[test]
fn a_birth_whose_run_is_said_to_be_dead_is_replaced_at_once_under_all_other_conditions() {
    let resuming = |declared: Vec<DesiredAccount>, account: LiveAccount, nonce: [u8; 16]| {
        let (mut desired, live) = world(declared, vec![account], &[]);
        desired.meant.resume = [Nonce::from_bytes(nonce)].into();
        diff(&desired, &live, &Seals::default())
    };
    let (this, other) = ([1; 16], [2; 16]);
    let dead = Reason::CredentialPending;
    let delta = resuming(vec![declared("ci")], pending(1), this);
    assert_eq!(
        actions(&delta),
        [(Action::Create, dead), (Action::Delete, dead)]
    );
    assert_eq!(delta.in_flight, []);
    let delta = resuming(Vec::new(), pending(1), this);
    assert_eq!(actions(&delta), [(Action::Delete, dead)]);
    for wanted in [vec![declared("ci")], Vec::new()] {
        let delta = resuming(wanted, pending(1), other);
        assert_eq!((delta.differences.len(), delta.in_flight.len()), (0, 1));
        assert_eq!(delta.in_flight[0].nonce, Some(Nonce::from_bytes(this)));
    }
    let mut used = pending(1);
    used.last_used = NOW.parse().ok();
    let mut strong = pending(1);
    strong.roles = roles(&["owner"]);
    let mut copied = pending(1);
    copied.created_at = "2026-11-23T11:00:00Z".parse().ok();
    let mut untold = pending(1);
    untold.created_at = None;
    let protected = LiveAccount {
        labels: Marks {
            protected: true,
            ..pending(1).marks().expect("marks").clone()
        }
        .labels()
        .into(),
        ..pending(1)
    };
    for account in [used, strong, copied, untold, protected] {
        let delta = resuming(vec![declared("ci")], account, this);
        let block = only_block(&delta);
        assert!(
            matches!(block, Obstacle::PendingWithPower { .. }),
            "{block:?}"
        );
    }
}

#[test]
fn a_pending_account_with_power_or_a_past_is_left_to_people() {
    let mut used = pending(60);
    used.last_used = NOW.parse().ok();
    let mut strong = pending(60);
    strong.roles = roles(&["owner"]);
    for account in [used, strong] {
        let delta = compare(vec![declared("ci")], vec![account]);
        assert!(matches!(
            only_block(&delta),
            Obstacle::PendingWithPower { .. }
        ));
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
        let disputed = |b: &Blocked| matches!(b.block, Obstacle::Disputed { .. });
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
    let Obstacle::Duplicate { accounts } = only_block(&delta) else {
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
    assert!(matches!(only_block(&delta), Obstacle::Duplicate { accounts } if accounts.len() == 2));
}

#[test]
fn an_undeclared_pending_account_with_power_is_no_leftover_of_a_birth() {
    let mut strong = pending(60);
    strong.roles = roles(&["owner"]);
    let delta = compare(Vec::new(), vec![strong]);
    assert!(delta.differences.is_empty(), "{delta:?}");
    assert!(matches!(
        only_block(&delta),
        Obstacle::PendingWithPower { .. }
    ));
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
        Obstacle::NameTaken {
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
    assert!(matches!(only_block(&delta), Obstacle::Foreign { .. }));
}

#[test]
fn damaged_marks_of_ours_are_disputed_and_marks_of_nobody_are_unmanaged() {
    let mut account = managed("old");
    account
        .labels
        .insert("rolecall-credential".to_owned(), "whatever".to_owned());
    let delta = compare(Vec::new(), vec![account.clone()]);
    assert!(matches!(only_block(&delta), Obstacle::Disputed { .. }));
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
    assert!(matches!(only_block(&delta), Obstacle::ImportMissing { .. }));

    let elsewhere = LiveAccount {
        scope: Scope::Organization(org()),
        ..account
    };
    let delta = compare(vec![wanted], vec![elsewhere]);
    assert!(matches!(only_block(&delta), Obstacle::ImportMissing { .. }));
}

#[test]
fn what_is_fixed_at_birth_blocks_and_says_so() {
    let mut moved = declared("ci");
    moved.scope = Scope::Organization(org());
    let delta = compare(vec![moved], vec![managed("ci")]);
    assert!(matches!(
        only_block(&delta),
        Obstacle::CannotUpdate { attribute, .. } if attribute == "scope"
    ));

    assert_eq!(delta.unchanged, 0, "it is not as declared");

    let mut expiring = declared("ci");
    expiring.valid_until = "2027-06-30T00:00:00Z".parse().ok();
    let delta = compare(vec![expiring.clone()], vec![managed("ci")]);
    assert!(matches!(
        only_block(&delta),
        Obstacle::CannotUpdate { attribute, .. } if attribute == "valid_until"
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
        Obstacle::CannotUpdate { attribute, .. } if attribute == "valid_until"
    ));
}

#[test]
fn a_scope_that_was_not_read_creates_and_deletes_nothing() {
    let delta = compare_unread(vec![declared("ci")], Vec::new(), &[space()]);
    assert!(matches!(only_block(&delta), Obstacle::Unread { .. }));
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
    assert!(matches!(only_block(&delta), Obstacle::NameTaken { .. }));
    // Equal names in different scopes never meet.
    let far = LiveAccount {
        scope: Scope::Organization(org()),
        ..live_account("other", None)
    };
    let delta = compare(vec![wanted], vec![managed("ci"), far]);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
}

/// Only what is declared there and is not live: an account of ours elsewhere is judged as ever.
#[test]
fn what_is_declared_in_a_gone_scope_is_neither_born_nor_in_the_way() {
    let gone = Scope::Space(SpaceId::new("old-space").expect("valid"));
    let there = |name: &str| DesiredAccount {
        scope: gone.clone(),
        ..declared(name)
    };
    let imported = DesiredAccount {
        import: Some(Import {
            mrn: mrn("lost"),
            declared_at: place(1),
        }),
        ..there("imported")
    };
    let all = vec![there("ci"), imported, there("moved"), declared("stays")];
    let (desired, mut live) = world(all, vec![managed("moved"), managed("stays")], &[]);
    let before = diff(&desired, &live, &Seals::default());
    assert!(before.blocked.len() >= 3, "not read is in the way");
    live.extent.gone.insert(gone, org());
    let delta = diff(&desired, &live, &Seals::default());
    assert_eq!(actions(&delta), []);
    assert!(matches!(only_block(&delta), Obstacle::CannotUpdate { .. }));
    assert_eq!(delta.unchanged, 1);
}

/// An empty description is a wish of its own, and one that the platform did not take is no difference.
/// What somebody wrote after the clear is one.
#[test]
fn a_description_is_cleared_once_and_told_where_it_stays() {
    let mut wanted = declared("ci");
    wanted.description = Some(String::new());
    let shown = |described| {
        let marks = Marks {
            described,
            ..marks("ci")
        };
        LiveAccount {
            description: Some("since birth".to_owned()),
            ..live_account("ci", Some(marks))
        }
    };
    let kept = |text| Described::Kept(crate::model::KeptText::of(text));
    for before in [
        Described::No,
        Described::Text,
        Described::Empty,
        kept("before"),
        kept(""),
    ] {
        let delta = compare(vec![wanted.clone()], vec![shown(before)]);
        assert!(delta.notes.is_empty(), "{delta:?}");
        assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
        let after = delta.differences[0].after.as_ref().expect("an account");
        assert_eq!(after.description, None);
    }
    let excused = || shown(kept("since birth"));
    let delta = compare(vec![wanted.clone()], vec![excused()]);
    assert_eq!((delta.unchanged, delta.notes.len()), (1, 1), "{delta:?}");
    assert!(delta.notes[0].1.contains("since birth"), "{delta:?}");
    // Another difference does not bring it back.
    let mut renamed = wanted.clone();
    renamed.name = "other".to_owned();
    let delta = compare(vec![renamed], vec![excused()]);
    let after = delta.differences[0].after.as_ref().expect("an account");
    assert_eq!(after.description.as_deref(), Some("since birth"));
    // Where there is none, there is nothing to clear; a birth is without one.
    assert_eq!(
        compare(vec![wanted.clone()], vec![managed("ci")]).unchanged,
        1
    );
    let delta = compare(vec![wanted], Vec::new());
    let after = delta.differences[0].after.as_ref().expect("an account");
    assert_eq!(after.description, None);
}

#[test]
fn an_empty_description_is_none_and_clears_another() {
    for (wanted, before, after) in [
        (None, Some("by hand"), Some("by hand")),
        (None, None, None),
        (Some(""), None, None),
        (Some(""), Some("old"), None),
        (Some("new"), Some("old"), Some("new")),
        (Some("new"), None, Some("new")),
    ] {
        let (mut account, mut live) = (declared("ci"), managed("ci"));
        account.description = wanted.map(str::to_owned);
        live.description = before.map(str::to_owned);
        let delta = compare(vec![account], vec![live]);
        let found = delta.differences.first().and_then(|d| d.after.as_ref());
        let is = found.map_or(before, |state| state.description.as_deref());
        assert_eq!(is, after, "{wanted:?} {before:?}");
        assert_eq!(
            delta.unchanged,
            usize::from(before == after),
            "{wanted:?} {before:?}"
        );
    }
}

#[test]
fn a_name_in_another_form_of_unicode_is_the_same_name() {
    for (wanted, held, same) in [
        ("caf\u{e9}", "cafe\u{301}", true),
        ("cafe\u{301}", "caf\u{e9}", true),
        ("\u{212b}", "A\u{30a}", true),
        ("caf\u{e9}", "cafe", false),
    ] {
        let (mut account, mut live) = (declared("ci"), managed("ci"));
        wanted.clone_into(&mut account.name);
        held.clone_into(&mut live.name);
        let delta = compare(vec![account.clone()], vec![live]);
        assert_eq!(delta.unchanged, usize::from(same), "{wanted} {held}");
        let mut strange = live_account("nobodys", None);
        held.clone_into(&mut strange.name);
        let delta = compare(vec![account], vec![strange]);
        assert_eq!(
            delta.blocked.len(),
            usize::from(same),
            "{wanted} is taken by {held}"
        );
    }
}
