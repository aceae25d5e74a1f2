//! Differences held whole: what each part of a change is made of.

use super::*;
use crate::model::{AccountState, CredentialFormat, FilePlace, Place};

fn file(name: &str) -> Destination {
    Destination::new(
        "file.local",
        Place::File(FilePlace {
            directory: "keys".to_owned(),
            file: name.to_owned(),
            format: CredentialFormat::Json,
            keep: false,
        }),
    )
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn import(name: &str) -> Option<Import> {
    Some(Import {
        mrn: mrn(name),
        declared_at: place(2),
    })
}

#[test]
fn a_birth_has_all_that_is_declared_and_the_place_of_each_role_once() {
    let wanted = DesiredAccount {
        description: Some("scans".to_owned()),
        labels: Some(labels(&[("team", "x")])),
        role_places: [
            (Role::new("agent"), place(12)),
            (Role::new("viewer"), place(3)),
        ]
        .into(),
        valid_until: "2027-06-30T00:00:00Z".parse().ok(),
        protected: Some(true),
        deliver_to: vec![file("ci.json")],
        declared_at: place(3),
        ..declared("ci")
    };
    let expected = Difference {
        address: Address::new("ci", None),
        generation: 1,
        action: Action::Create,
        reason: Reason::Declared,
        scope: space(),
        account: None,
        before: None,
        after: Some(AccountState {
            name: "ci".to_owned(),
            description: Some("scans".to_owned()),
            labels: labels(&[("team", "x")]),
            roles: roles(&["viewer", "agent"]),
            valid_until: "2027-06-30T00:00:00Z".parse().ok(),
            protected: true,
        }),
        marks: None,
        moved_from: None,
        deliver_to: vec![file("ci.json")],
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: vec![place(3), place(12)],
    };
    let delta = compare(vec![wanted], Vec::new());
    assert_eq!(delta.differences, [expected]);
    assert_eq!((delta.unchanged, delta.managed), (0, 0));

    let plain = compare(vec![declared("ci")], Vec::new());
    let after = plain.differences[0].after.as_ref().expect("a birth");
    assert!(!after.protected && after.labels.is_empty());
    assert_eq!(plain.differences[0].places, [place(10)]);
}

#[test]
fn gained_roles_are_told_by_their_places_in_order_and_each_once() {
    let wanted = DesiredAccount {
        roles: roles(&["viewer", "agent", "editor", "owner", "sla-manager"]),
        role_places: [
            (Role::new("viewer"), place(1)),
            (Role::new("editor"), place(30)),
            (Role::new("owner"), place(20)),
            (Role::new("sla-manager"), place(10)),
        ]
        .into(),
        ..declared("ci")
    };
    let delta = compare(vec![wanted], vec![managed("ci")]);
    let found = &delta.differences[0];
    assert_eq!(found.places, [place(10), place(20), place(30)]);
    assert_eq!(found.marks, Some(marks("ci")));
    assert_eq!(found.account, Some(mrn("ci")));
    assert_eq!(found.before, Some(managed("ci").state()));
    assert_eq!((delta.unchanged, delta.managed), (0, 1));
}

#[test]
fn an_adoption_marks_the_account_as_born_elsewhere_and_changes_the_rest_beside_it() {
    let wanted = DesiredAccount {
        import: import("ci"),
        roles: roles(&["viewer"]),
        labels: Some(labels(&[("team", "x")])),
        ..declared("ci")
    };
    let present = LiveAccount {
        creator: Some("ada".to_owned()),
        ..live_account("ci", None)
    };
    let state = present.state();
    let adopted = Marks {
        credential: CredentialMark::External,
        ..marks("ci")
    };
    let base = Difference {
        address: Address::new("ci", None),
        generation: 1,
        action: Action::Adopt,
        reason: Reason::ImportRequested,
        scope: space(),
        account: Some(mrn("ci")),
        before: Some(state.clone()),
        after: Some(state.clone()),
        marks: None,
        moved_from: None,
        deliver_to: Vec::new(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: vec![place(2), place(10)],
    };
    let beside = |action: Action, after: AccountState| Difference {
        action,
        reason: Reason::Differs,
        after: Some(after),
        marks: Some(adopted.clone()),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: vec![place(10)],
        ..base.clone()
    };
    let labelled = AccountState {
        labels: labels(&[("team", "x")]),
        ..state.clone()
    };
    let lowered = AccountState {
        roles: roles(&["viewer"]),
        ..state.clone()
    };
    let expected = [
        base.clone(),
        beside(Action::Update, labelled),
        beside(Action::UpdatePermissions, lowered),
    ];
    let delta = compare(vec![wanted], vec![present]);
    assert_eq!(delta.differences, expected);
    assert!(delta.blocked.is_empty() && delta.left_alone.is_empty());
}

#[test]
fn an_import_cannot_set_an_end_and_an_unknown_end_is_nothing_to_change() {
    let wanted = DesiredAccount {
        import: import("ci"),
        valid_until: "2027-06-30T00:00:00Z".parse().ok(),
        ..declared("ci")
    };
    let delta = compare(vec![wanted], vec![live_account("ci", None)]);
    let expected = Obstacle::CannotUpdate {
        account: mrn("ci"),
        attribute: "valid_until".to_owned(),
        live: "unknown".to_owned(),
        wanted: "2027-06-30T00:00:00Z".to_owned(),
    };
    assert_eq!(*only_block(&delta), expected);

    // Of an adopted account an end that its marks claim is never held against it.
    let adopted = Marks {
        credential: CredentialMark::External,
        expires: "2027-06-30T00:00:00Z".parse().ok(),
        ..marks("ci")
    };
    let delta = compare(
        vec![declared("ci")],
        vec![live_account("ci", Some(adopted))],
    );
    assert_eq!(delta.unchanged, 1, "{delta:?}");
}

#[test]
fn an_import_settles_a_dispute_or_says_why_it_cannot() {
    let strange = || LiveAccount {
        creator: Some("mallory".to_owned()),
        ..live_account("ci", Some(marks("before")))
    };
    let wanted = || DesiredAccount {
        import: import("ci"),
        ..declared("ci")
    };
    let delta = compare(vec![wanted()], vec![strange()]);
    assert_eq!(
        actions(&delta),
        [(Action::Adopt, Reason::ImportRequested)],
        "{delta:?}"
    );
    assert!(delta.blocked.is_empty());

    let elsewhere = DesiredAccount {
        scope: Scope::Organization(org()),
        ..wanted()
    };
    let delta = compare(vec![elsewhere], vec![strange()]);
    assert!(matches!(only_block(&delta), Obstacle::ImportMissing { .. }));
}

#[test]
fn an_address_that_is_taken_imports_nothing_else() {
    for other in [None, Some(marks("elsewhere"))] {
        let wanted = DesiredAccount {
            import: import("other"),
            ..declared("ci")
        };
        let other = LiveAccount {
            creator: Some("mallory".to_owned()),
            ..live_account("other", other)
        };
        let delta = compare(vec![wanted], vec![managed("ci"), other]);
        let Obstacle::ImportMissing { account, why } = only_block(&delta) else {
            panic!("{delta:?}")
        };
        assert_eq!(*account, mrn("other"));
        assert_eq!(*why, format!("service_account.ci is {} already", mrn("ci")));
        assert_eq!(delta.unchanged, 0);
    }
}

#[test]
fn another_stacks_account_is_imported_only_where_that_stack_is_to_be_taken_over() {
    let theirs = |id: &str| Marks {
        stack: StackId::new("other", id).expect("valid"),
        ..marks("ci")
    };
    let of = |marks: Marks, import: Option<Import>, take_over: &[Marks]| {
        let wanted = DesiredAccount {
            import,
            ..declared("ci")
        };
        let (mut desired, live) = world(vec![wanted], vec![live_account("ci", Some(marks))], &[]);
        desired.meant.take_over = take_over.iter().map(|m| m.stack.clone()).collect();
        diff(&desired, &live, &Seals::default())
    };
    let (a, b) = (theirs("aaaa1111"), theirs("bbbb2222"));
    for (named, stacks, taken) in [
        (true, std::slice::from_ref(&a), true),
        (true, std::slice::from_ref(&b), false),
        (true, &[], false),
        (false, std::slice::from_ref(&a), false),
    ] {
        let delta = of(a.clone(), named.then(|| import("ci")).flatten(), stacks);
        let adopts = actions(&delta) == [(Action::Adopt, Reason::TakenOver)];
        assert_eq!(adopts, taken, "{delta:?}");
        assert_eq!(delta.left_alone.is_empty(), taken, "{delta:?}");
        assert_eq!(delta.blocked.len(), usize::from(!taken), "{delta:?}");
    }
}

#[test]
fn a_move_says_whence_and_where_that_is_written() {
    let wanted = DesiredAccount {
        formerly: vec![Former {
            address: Address::new("before", None),
            declared_at: place(20),
        }],
        name: "before".to_owned(),
        ..declared("ci")
    };
    let state = managed("before").state();
    let expected = Difference {
        address: Address::new("ci", None),
        generation: 1,
        action: Action::Move,
        reason: Reason::MoveRequested,
        scope: space(),
        account: Some(mrn("before")),
        before: Some(state.clone()),
        after: Some(state),
        marks: Some(marks("before")),
        moved_from: Some(Address::new("before", None)),
        deliver_to: Vec::new(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: vec![place(20), place(10)],
    };
    let delta = compare(vec![wanted], vec![managed("before")]);
    assert_eq!(delta.differences, [expected]);
    assert_eq!(delta.unchanged, 0);
}

#[test]
fn what_is_declared_and_what_is_not_are_met_in_one_pass() {
    let delta = compare(
        vec![declared("b"), declared("d")],
        ["a", "b", "c", "d", "e"].map(managed).into(),
    );
    let found: Vec<_> = delta
        .differences
        .iter()
        .map(|d| (d.address.to_string(), d.action))
        .collect();
    let gone = |name: &str| (format!("service_account.{name}"), Action::Delete);
    assert_eq!(found, [gone("a"), gone("c"), gone("e")]);
    assert_eq!((delta.managed, delta.unchanged), (5, 2));
    assert!(delta.blocked.is_empty() && delta.left_alone.is_empty());
}

#[test]
fn a_scope_that_nobody_read_is_no_empty_one() {
    let wanted = DesiredAccount {
        scope: Scope::Space(SpaceId::new("never-read").expect("valid")),
        ..declared("ci")
    };
    let delta = compare(vec![wanted], Vec::new());
    let why = "it was not read".to_owned();
    assert_eq!(*only_block(&delta), Obstacle::Unread { why });
}

#[test]
fn obstacles_births_and_notes_come_in_order() {
    fn at(address: &Address) -> DesiredAccount {
        DesiredAccount {
            address: address.clone(),
            ..declared(address.label().as_str())
        }
    }
    fn away(address: &Address) -> DesiredAccount {
        DesiredAccount {
            deliver_to: vec![file("elsewhere")],
            ..at(address)
        }
    }
    fn with(address: &Address, credential: CredentialMark) -> LiveAccount {
        let marks = Marks {
            address: address.label(),
            credential,
            ..marks("x")
        };
        LiveAccount {
            created_at: NOW.parse().ok(),
            ..live_account(address.label().as_str(), Some(marks))
        }
    }
    fn kept(address: &Address) -> LiveAccount {
        with(address, marks("x").credential)
    }
    fn pending(address: &Address) -> LiveAccount {
        with(address, CredentialMark::Pending(birth(0)))
    }
    fn strange(address: &Address) -> LiveAccount {
        LiveAccount {
            creator: Some("mallory".to_owned()),
            ..kept(address)
        }
    }
    // A label has the address without a key after the one with: `a-b` before `a.x`.
    let addresses = [
        Address::new("a-b", None),
        Address::new("a", Some("x".to_owned())),
    ];
    let all = |wanted: fn(&Address) -> DesiredAccount,
               live: fn(&Address) -> Option<LiveAccount>| {
        let declared = addresses.iter().map(wanted).collect();
        compare(declared, addresses.iter().filter_map(live).collect())
    };
    let sorted = |found: Vec<Address>| {
        assert_eq!(found, [addresses[1].clone(), addresses[0].clone()]);
    };
    let delta = all(away, |at| Some(kept(at)));
    let needy = delta.undelivered.into_iter();
    sorted(needy.map(|needy| needy.address).collect());
    let delta = all(at, |at| {
        let mut account = kept(at);
        account.labels.edit(|all| {
            all.insert("gone".to_owned(), VOID.to_owned());
        });
        Some(account)
    });
    sorted(
        delta
            .notes
            .into_iter()
            .map(|(address, _)| address)
            .collect(),
    );
    let delta = all(at, |at| Some(pending(at)));
    sorted(delta.in_flight.into_iter().map(|f| f.address).collect());
    let delta = all(at, |at| Some(strange(at)));
    sorted(delta.blocked.into_iter().map(|b| b.address).collect());
    let delta = all(at, |_| None);
    sorted(delta.differences.into_iter().map(|d| d.address).collect());
    // Those of an address that is declared come after those of one that is not, unless sorted.
    let delta = compare(
        vec![declared("a")],
        ["b", "a"]
            .map(|name| strange(&Address::new(name, None)))
            .into(),
    );
    assert_eq!(delta.blocked.len(), 2);
    assert!(delta.blocked.is_sorted());
}

#[test]
fn a_name_that_another_of_ours_has_says_which() {
    let wanted = DesiredAccount {
        name: "taken".to_owned(),
        ..declared("ci")
    };
    let holder = LiveAccount {
        name: "taken".to_owned(),
        ..managed("other")
    };
    let delta = compare(
        vec![wanted, declared("first")],
        vec![managed("first"), holder],
    );
    let expected = Obstacle::NameTaken {
        account: mrn("other"),
        name: "taken".to_owned(),
        managed_as: Some(Address::new("other", None)),
        held: Held::Deleted,
    };
    assert_eq!(delta.blocked[0].block, expected);
}

#[test]
fn any_one_of_the_trusted_creators_is_enough() {
    let (mut desired, live) = world(
        vec![declared("ci")],
        vec![LiveAccount {
            creator: Some("second@acme.example".to_owned()),
            ..managed("ci")
        }],
        &[],
    );
    desired
        .trusted_creators
        .push("second@acme.example".to_owned());
    assert_eq!(diff(&desired, &live, &Seals::default()).unchanged, 1);
}

#[test]
fn a_declared_space_is_told_from_one_that_is_not() {
    for (id, reason) in [
        ("payments", Reason::Undeclared),
        ("other", Reason::ScopeUndeclared),
    ] {
        let (mut desired, live) = world(Vec::new(), vec![managed("ci")], &[]);
        let space = |id: &str, line: u32| crate::model::DesiredSpace {
            id: SpaceId::new(id).expect("valid"),
            organization: None,
            declared_at: place(line),
        };
        desired.spaces = [
            ("one".to_owned(), space(id, 1)),
            ("two".to_owned(), space("third", 2)),
        ]
        .into();
        let delta = diff(&desired, &live, &Seals::default());
        assert_eq!(actions(&delta), [(Action::Delete, reason)]);
    }
    for (id, reason) in [
        ("acme-corp", Reason::Undeclared),
        ("others-corp", Reason::ScopeUndeclared),
    ] {
        let mut account = managed("ci");
        account.scope = Scope::Organization(OrgId::new(id).expect("valid"));
        let (mut desired, live) = world(Vec::new(), vec![account], &[]);
        let second = DesiredOrganization {
            id: OrgId::new("second-corp").expect("valid"),
            declared_at: place(2),
        };
        desired.organizations.insert("second".to_owned(), second);
        let delta = diff(&desired, &live, &Seals::default());
        assert_eq!(actions(&delta), [(Action::Delete, reason)]);
    }
}

#[test]
fn nothing_is_born_that_is_over_already() {
    for (until, born) in [
        ("2026-11-23T11:59:59Z", false),
        (NOW, false),
        ("2026-11-23T12:00:01Z", true),
    ] {
        let wanted = || DesiredAccount {
            valid_until: until.parse().ok(),
            ..declared("ci")
        };
        let delta = compare(vec![wanted()], Vec::new());
        assert_eq!(delta.differences.len(), usize::from(born), "{until}");
        if !born {
            let until = until.parse().expect("a time");
            assert_eq!(*only_block(&delta), Obstacle::AlreadyOver { until });
        }
        // What lives on with its end is not born again.
        let ended = Marks {
            expires: until.parse().ok(),
            ..marks("ci")
        };
        let delta = compare(vec![wanted()], vec![live_account("ci", Some(ended))]);
        assert_eq!(delta.unchanged, 1);
    }
}

#[test]
fn an_action_has_one_name_in_the_program_and_in_documents() {
    for action in [
        Action::Adopt,
        Action::Move,
        Action::Create,
        Action::Update,
        Action::UpdatePermissions,
        Action::Forget,
        Action::Delete,
    ] {
        let name = serde_json::to_value(action).expect("a name");
        assert_eq!(name, action.as_str());
    }
}

#[test]
fn protection_alone_is_a_difference_unless_nothing_is_said_of_it() {
    for (wanted, marked, after) in [
        (Some(true), false, Some(true)),
        (Some(false), true, Some(false)),
        (Some(true), true, None),
        (Some(false), false, None),
        (None, true, None),
        (None, false, None),
    ] {
        let account = DesiredAccount {
            protected: wanted,
            ..declared("ci")
        };
        let marks = Marks {
            protected: marked,
            ..marks("ci")
        };
        let delta = compare(vec![account], vec![live_account("ci", Some(marks))]);
        let found: Vec<_> = delta
            .differences
            .iter()
            .map(|d| (d.action, d.after.as_ref().map(|state| state.protected)))
            .collect();
        let expected: Vec<_> = after
            .map(|after| (Action::Update, Some(after)))
            .into_iter()
            .collect();
        assert_eq!(found, expected, "{wanted:?} {marked}");
    }
}
