//! Accounts that move, are given up or protected, or that nobody has.

use super::*;
use crate::model::AccountState;

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
    assert!(matches!(only_block(&both), Obstacle::Duplicate { accounts } if accounts.len() == 2));
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
fn nothing_that_is_protected_passes_for_a_dead_birth() {
    let mut dead = pending(60);
    let delta = compare(Vec::new(), vec![dead.clone()]);
    let found = &delta.differences[0];
    assert_eq!(
        (found.action, found.reason),
        (Action::Delete, Reason::CredentialPending)
    );
    let marks = dead.marks().expect("marked");
    let protected = Marks {
        protected: true,
        ..marks.clone()
    };
    dead.labels = protected.labels().into();
    for declared in [Vec::new(), vec![declared("ci")]] {
        let delta = compare(declared, vec![dead.clone()]);
        assert!(delta.differences.is_empty(), "{delta:?}");
        assert!(
            matches!(&delta.blocked[0].block, Obstacle::PendingWithPower { why, .. } if why.contains("protected")),
            "{delta:?}"
        );
    }
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
        .insert("rolecall-mark".to_owned(), "true".to_owned());
    // Whoever writes that on an account of worth must not have it deleted.
    let mut void = live_account("void", None);
    for key in ["rolecall-stack", "rolecall-mark"] {
        void.labels.insert(key.to_owned(), VOID.to_owned());
    }
    // A mark of any kind keeps an account from being deleted, and from nothing else.
    let refused = unmanaged(half_marked.clone(), Some(UnmanagedAction::Fail), None);
    assert!(matches!(
        refused.blocked[0].block,
        Obstacle::Unmanaged { .. }
    ));
    for (account, actions) in [
        (live_account("legacy-ci", None), &BOTH[..]),
        (caller, &BOTH),
        (half_marked, &BOTH[..1]),
        (void, &BOTH[..1]),
        (live_account("wanted", None), &BOTH),
    ] {
        for action in actions.iter().copied() {
            let delta = unmanaged(account.clone(), Some(action), None);
            let deletes = delta.differences.iter().any(|d| d.action == Action::Delete);
            let refuses = |b: &Blocked| matches!(b.block, Obstacle::Unmanaged { .. });
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

/// The identity that plans and the one that applies are two: what one of them spares, the other must
/// not delete, or their plans would differ.
#[test]
fn an_unmanaged_block_spares_the_trusted_creators_own_accounts_too() {
    let named = |mrn: &str| LiveAccount {
        mrn: Mrn::new(mrn),
        ..live_account("deployer", None)
    };
    for (mrn, spared) in [
        ("trusted@acme.example", true),
        ("trusted@acme.exampl", false),
        ("Trusted@acme.example", false),
    ] {
        for action in BOTH {
            let delta = unmanaged(named(mrn), Some(action), None);
            let touched = delta.differences.len() + delta.blocked.len();
            // `wanted` is declared and not live.
            assert_eq!(touched == 1, spared, "{mrn}: {delta:?}");
            assert_eq!(
                delta.left_alone.len(),
                usize::from(spared || action == UnmanagedAction::Fail)
            );
        }
    }
}

/// So do those of a binding that is trusted, and of nobody else who is.
#[test]
fn an_unmanaged_block_spares_temporary_accounts_of_a_trusted_binding() {
    let binding = "//agents.api.mondoo.app/spaces/a/wifauthbindings/1";
    let user = "//captain.api.mondoo.app/users/1";
    for (creator, trusted, spared) in [
        (binding, binding, true),
        (binding, user, false),
        (user, user, false),
        ("ada@acme.example", "ada@acme.example", false),
    ] {
        for action in BOTH {
            let account = LiveAccount {
                creator: Some(creator.to_owned()),
                ..live_account("temporary", None)
            };
            let (mut desired, live) = world(Vec::new(), vec![account], &[]);
            desired.trusted_creators = vec![trusted.to_owned()];
            desired.unmanaged = [(space(), setting(action, 5))].into();
            let delta = diff(&desired, &live, &Seals::default());
            let touched = delta.differences.len() + delta.blocked.len();
            assert_eq!(touched == 0, spared, "{creator} {trusted}: {delta:?}");
        }
    }
}

const BOTH: [UnmanagedAction; 2] = [UnmanagedAction::Delete, UnmanagedAction::Fail];

#[test]
fn to_destroy_ones_own_touches_nobody_elses() {
    for action in BOTH {
        let (mut desired, live) = world(Vec::new(), vec![live_account("stray", None)], &[]);
        desired.meant.destroy = true;
        desired.unmanaged = [(space(), setting(action, 5))].into();
        let delta = diff(&desired, &live, &Seals::default());
        assert!(
            delta.differences.is_empty() && delta.blocked.is_empty(),
            "{delta:?}"
        );
        assert_eq!(delta.left_alone.len(), 1);
    }
}

#[test]
fn a_scope_that_must_have_no_strays_must_be_readable() {
    for (action, blocked) in [(UnmanagedAction::Fail, 1), (UnmanagedAction::Delete, 0)] {
        let (mut desired, live) = world(Vec::new(), Vec::new(), &[space()]);
        desired.unmanaged = [(Scope::Organization(org()), setting(action, 6))].into();
        desired.spaces = [(
            "payments".to_owned(),
            crate::model::DesiredSpace {
                id: SpaceId::new("payments").expect("valid"),
                organization: Some(org()),
                declared_at: place(2),
            },
        )]
        .into();
        let delta = diff(&desired, &live, &Seals::default());
        assert_eq!(delta.blocked.len(), blocked, "{delta:?}");
        for found in &delta.blocked {
            assert!(matches!(found.block, Obstacle::Unread { .. }));
            assert_eq!(
                (&found.scope, &found.declared_at),
                (&space(), &Some(place(6)))
            );
        }
    }
}

#[test]
fn what_other_stacks_marks_say_of_an_end_is_not_taken_over() {
    let mut theirs = marks("ci");
    theirs.stack = StackId::new("other", "aaaa1111").expect("valid");
    theirs.expires = NOW.parse().ok();
    let mut wanted = declared("ci");
    wanted.import = Some(Import {
        mrn: mrn("ci"),
        declared_at: place(2),
    });
    let (mut desired, live) = world(
        vec![wanted],
        vec![live_account("ci", Some(theirs.clone()))],
        &[],
    );
    desired.meant.take_over = [theirs.stack].into();
    let delta = diff(&desired, &live, &Seals::default());
    let found = &delta.differences[0];
    assert_eq!(
        (found.action, found.reason),
        (Action::Adopt, Reason::TakenOver)
    );
    let end = |state: &Option<AccountState>| state.as_ref().and_then(|state| state.valid_until);
    assert!(end(&found.before).is_some() && end(&found.after).is_none());
    assert!(
        delta.left_alone.is_empty(),
        "it is not somebody else's any more"
    );
}

fn removed(address: Address, destroy: bool, line: u32) -> Removed {
    Removed {
        known_as: vec![Known {
            address: address.clone(),
            whole: address.key.is_none(),
        }],
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
    assert!(matches!(
        only_block(&delta),
        Obstacle::UnclearRemoval { .. }
    ));
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
        let Obstacle::UnclearRemoval { account, why } = only_block(&delta) else {
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
    assert!(matches!(only_block(&delta), Obstacle::Protected { account } if *account == mrn("ci")));
    let give_up = removed(Address::new("ci", None), false, 7);
    let delta = without(protected(), vec![give_up], None);
    assert_eq!(delta.differences[0].action, Action::Forget);
    let after = delta.differences[0].after.as_ref().expect("it stays");
    assert!(!after.protected, "the mark goes with the others");
}

#[test]
fn what_was_never_moved_is_given_up_by_the_name_it_would_have() {
    let moved = |whole| Removed {
        known_as: vec![Known {
            address: Address::new("ci", None),
            whole,
        }],
        ..removed(Address::new("later", None), false, 7)
    };
    let keyed = Marks {
        address: Address::new("ci", Some("x".to_owned())).label(),
        ..marks("ci")
    };
    for (marks, whole, action) in [
        (marks("ci"), false, Action::Forget),
        (keyed.clone(), true, Action::Forget),
        (keyed, false, Action::Delete),
    ] {
        let delta = without(marks, vec![moved(whole)], None);
        assert_eq!(delta.differences[0].action, action);
    }
}

#[test]
fn an_import_of_what_is_ours_already_says_as_what() {
    let mut wanted = declared("ci");
    wanted.import = Some(Import {
        mrn: mrn("other"),
        declared_at: place(2),
    });
    let delta = compare(vec![wanted], vec![managed("other")]);
    let Obstacle::ImportMissing { account, why } = &delta.blocked[0].block else {
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
    let holder = matches!(only_block(&delta), Obstacle::NameTaken { account, managed_as: None, .. }
        if *account == twin.mrn);
    assert!(holder, "{:?}", delta.blocked);
}

#[test]
fn of_all_names_that_a_removed_block_means_one_is_enough() {
    let known = |name: &str, whole| Known {
        address: Address::new(name, None),
        whole,
    };
    let of = |known_as: Vec<Known>| {
        vec![Removed {
            known_as,
            ..removed(Address::new("later", None), false, 7)
        }]
    };
    let keyed = Address::new("ci", Some("x".to_owned()));
    let hashed = Address::new("ci", Some("k".repeat(99)));
    let marked = |address: &Address| Marks {
        address: address.label(),
        ..marks("ci")
    };
    let delta = without(
        marks("ci"),
        of(vec![known("later", false), known("ci", false)]),
        None,
    );
    assert_eq!(delta.differences[0].action, Action::Forget);
    let blocks = || of(vec![known("later", false), known("ci", true)]);
    let delta = without(marked(&keyed), blocks(), None);
    assert_eq!(delta.differences[0].action, Action::Forget);
    let delta = without(marked(&hashed), blocks(), None);
    assert!(matches!(
        only_block(&delta),
        Obstacle::UnclearRemoval { .. }
    ));
}

#[test]
fn a_scope_without_a_block_of_its_own_that_cannot_be_read_hinders_nobody_else() {
    let far = Scope::Space(SpaceId::new("far-away").expect("valid"));
    let (mut desired, live) = world(Vec::new(), Vec::new(), &[far, space()]);
    desired.unmanaged = [(space(), setting(UnmanagedAction::Fail, 5))].into();
    let delta = diff(&desired, &live, &Seals::default());
    assert_eq!(delta.blocked.len(), 1, "{delta:?}");
    assert_eq!(delta.blocked[0].scope, space());
    desired.meant.destroy = true;
    assert!(diff(&desired, &live, &Seals::default()).blocked.is_empty());
}
