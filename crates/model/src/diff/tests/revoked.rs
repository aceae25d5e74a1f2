//! Accounts whose power was taken back: nothing gives it again, and everything else goes on.

use super::*;
use crate::model::revocation;

/// A live account of ours that is revoked under the marks, or by a label beside them, with these roles.
fn taken_back(sealed: bool, held: &[&str]) -> LiveAccount {
    let marks = Marks {
        revoked: sealed,
        revoked_unsealed: !sealed,
        generation: 3,
        ..marks("ci")
    };
    LiveAccount {
        roles: roles(held),
        ..live_account("ci", Some(marks))
    }
}

#[test]
fn no_plan_grants_roles_to_a_revoked_account_and_the_revocation_is_told() {
    for sealed in [true, false] {
        let delta = compare(vec![declared("ci")], vec![taken_back(sealed, &[])]);
        assert_eq!(delta.differences, []);
        assert_eq!((delta.blocked.len(), delta.unchanged), (0, 1));
        let [told] = delta.revoked.as_slice() else {
            panic!("one: {:?}", delta.revoked);
        };
        let expected = Revoked {
            address: Address::new("ci", None),
            account: mrn("ci"),
            scope: space(),
            generation: 3,
            // Nobody can check a seal here.
            sealed: false,
            declared_at: place(10),
        };
        assert_eq!(*told, expected);
    }
    // The same without the mark: it is what the roles hang on.
    let mut account = taken_back(false, &[]);
    account.labels.remove(&revocation().0);
    let delta = compare(vec![declared("ci")], vec![account]);
    assert_eq!(
        (actions(&delta), delta.revoked.len()),
        (vec![(Action::UpdatePermissions, Reason::Differs)], 0)
    );
}

/// Whoever gives roles back by hand does not end it.
#[test]
fn roles_that_a_revoked_account_has_again_are_taken_again() {
    for held in [&["viewer", "agent"][..], &["owner"]] {
        let delta = compare(vec![declared("ci")], vec![taken_back(true, held)]);
        assert_eq!(
            actions(&delta),
            [(Action::UpdatePermissions, Reason::Revoked)]
        );
        let after = delta.differences[0].after.as_ref().expect("an after");
        assert_eq!(after.roles, RoleSet::new());
        assert_eq!(delta.revoked.len(), 1);
    }
}

#[test]
fn everything_but_power_goes_on() {
    let wanted = DesiredAccount {
        description: Some("new".to_owned()),
        ..declared("ci")
    };
    let delta = compare(vec![wanted], vec![taken_back(true, &[])]);
    assert_eq!(actions(&delta), [(Action::Update, Reason::Differs)]);
    let after = delta.differences[0].after.as_ref().expect("an after");
    assert_eq!(after.roles, RoleSet::new());
    let delta = compare(Vec::new(), vec![taken_back(true, &[])]);
    assert_eq!(actions(&delta), [(Action::Delete, Reason::ScopeUndeclared)]);
    assert_eq!(delta.revoked, []);
}

/// A key that was leaked goes nowhere any more, and nobody is told to move it.
#[test]
fn the_key_of_a_revoked_account_is_delivered_nowhere() {
    let to = samples::destination("a.json");
    let wanted = DesiredAccount {
        deliver_to: vec![to],
        ..declared("ci")
    };
    let delta = compare(vec![wanted.clone()], vec![managed("ci")]);
    assert_eq!(delta.undelivered.len(), 1);
    let delta = compare(vec![wanted], vec![taken_back(true, &[])]);
    assert_eq!((delta.undelivered.len(), delta.differences.len()), (0, 0));
}

/// An import trusts no mark, and gives no power that was taken back all the same.
#[test]
fn an_import_does_not_give_power_back() {
    let wanted = DesiredAccount {
        import: Some(Import {
            mrn: mrn("ci"),
            declared_at: place(4),
        }),
        ..declared("ci")
    };
    let foreign = LiveAccount {
        creator: Some("mallory".to_owned()),
        ..taken_back(false, &[])
    };
    let mut bare = live_account("ci", None);
    bare.roles = RoleSet::new();
    bare.labels.extend([revocation()]);
    for account in [foreign, bare] {
        let delta = compare(vec![wanted.clone()], vec![account]);
        let gives = |d: &&Difference| d.action == Action::UpdatePermissions;
        assert_eq!(delta.differences.iter().find(gives), None);
        assert_eq!(delta.revoked.len(), 1, "{delta:?}");
    }
}

/// With a key, the seal says which revocations nobody else unsays.
#[test]
fn a_seal_tells_a_revocation_that_stays_from_one_that_anybody_takes_away() {
    let key = SealKey::of_seed(zeroize::Zeroizing::new([5; 32])).expect("a key");
    let keys = SealKeys {
        current: key.public().clone(),
        former: None,
    };
    let seals = Seals::new(Some(keys), Some(key)).expect("its own key");
    let with = |revoked: bool, unsealed: bool| {
        let sealed = seals.seal(
            &mrn("ci"),
            Marks {
                revoked,
                ..marks("ci")
            },
        );
        let account = LiveAccount {
            roles: RoleSet::new(),
            ..live_account(
                "ci",
                Some(Marks {
                    revoked_unsealed: unsealed,
                    ..sealed
                }),
            )
        };
        compare_with(vec![declared("ci")], vec![account], &[], &seals)
    };
    for (revoked, unsealed, expected) in [
        (true, false, vec![true]),
        (true, true, vec![true]),
        (false, true, vec![false]),
        (false, false, Vec::new()),
    ] {
        let delta = with(revoked, unsealed);
        let told: Vec<bool> = delta.revoked.iter().map(|told| told.sealed).collect();
        assert_eq!(told, expected);
        let grants = actions(&delta).len();
        assert_eq!(grants, usize::from(!revoked && !unsealed), "{delta:?}");
    }
}
