use std::collections::BTreeMap;

use super::*;
use crate::model::{
    AddressLabel, Birth, Described, Fingerprint, Identity, KeyAt, Marking, Nonce, SinkKind,
    StackId, StoreVersion, Written,
};
use zeroize::Zeroizing;

fn key(first: u8) -> SealKey {
    let seed = std::array::from_fn(|i| first.wrapping_add(i as u8));
    SealKey::of_seed(Zeroizing::new(seed)).expect("a key")
}

fn keys(current: &SealKey, former: Option<&SealKey>) -> Option<SealKeys> {
    Some(SealKeys {
        current: current.public().clone(),
        former: former.map(|key| key.public().clone()),
    })
}

fn applier(key: SealKey) -> Seals {
    Seals::new(keys(&key, None), Some(key)).expect("one pair")
}

fn planner(key: &SealKey) -> Seals {
    Seals::new(keys(key, None), None).expect("no private key")
}

fn account(id: &str) -> Mrn {
    Mrn::new(format!(
        "//agents.api.mondoo.app/spaces/calm-space-1/serviceaccounts/{id}"
    ))
}

fn marks() -> Marks {
    let place = Identity {
        kind: SinkKind::File,
        host: "",
        namespace: "",
        path: "credentials".into(),
        key: "ci.json",
        format: "json",
    };
    let at = KeyAt {
        kind: SinkKind::File,
        generation: 1,
        version: None,
    };
    Marks {
        credential: CredentialMark::Delivered {
            fingerprint: Fingerprint::from_label("00112233aabbccdd"),
            nonce: Nonce::from_bytes([0xab; 16]),
            destinations: BTreeMap::from([(place.id(), at)]),
        },
        expires: "2027-06-30T00:00:00Z".parse().ok(),
        described: Described::Text,
        written: Written::new(Some("0123456789abcdef"), None),
        ..Marks::external(
            StackId::new("acme", "k7m2q9ta").expect("valid"),
            AddressLabel::from_label("ci.prod"),
            false,
        )
    }
}

fn birth() -> Marks {
    let since = "2026-11-27T01:02:03Z".parse().expect("a time");
    Marks::pending(
        StackId::new("acme", "k7m2q9ta").expect("valid"),
        AddressLabel::from_label("ci.prod"),
        1,
        Birth::new(Nonce::from_bytes([0xab; 16]), since),
        None,
    )
}

#[test]
fn a_seal_survives_the_trip_through_labels_and_fits_without_the_private_key() {
    let sealed = applier(key(0)).seal(&account("a"), marks());
    let Marking::Marked(read) = Marks::locate(&sealed.labels()) else {
        panic!("readable");
    };
    assert_eq!(*read, sealed);
    for seals in [applier(key(0)), planner(&key(0))] {
        assert_eq!(seals.check(&account("a"), &read), SealCheck::Right);
    }
    for value in read.labels().values() {
        assert!(value.len() <= 63, "{value}");
    }
    assert!(planner(&key(0)).verifies() && !planner(&key(0)).can_seal());
    let unsealed = planner(&key(0)).seal(&account("a"), marks());
    assert_eq!(unsealed, marks());
}

/// The seals of one account and of one birth in full. The bytes that are signed were put together from
/// docs/compatibility.md with Python's `struct`, and signed with OpenSSL: a change of what is sealed
/// must be seen, since it orphans every seal.
#[test]
fn seals_are_the_documented_ones() {
    let seals = applier(key(0));
    let halves = |marks: Marks| {
        let (first, rest) = marks.seal.as_ref().expect("sealed").halves();
        format!("{first} {rest}")
    };
    assert_eq!(
        halves(seals.seal(&account("a"), marks())),
        "56475aa75463474c.PW0PtANE1LsdfTIlGb-EksBx4qeBn8vQZ2qg646QYRP I_XYsaGStFB-x6w9BHo4be9V_aFxsYML-ukrJXsDpDw"
    );
    assert_eq!(
        halves(seals.sign_birth(birth())),
        "56475aa75463474c.29ZMdldMU7atawvHDnjsvwI6ucBjHwEz9vnnl24m8vM En_mpOfHCx8E6lNCSef9oHONVU-mDbmvpz0uk-8kMBw"
    );
}

#[test]
fn a_seal_fits_one_account_and_one_set_of_marks_only() {
    let seals = applier(key(0));
    let sealed = seals.seal(&account("a"), marks());
    let wrong =
        |account: &Mrn, marks: &Marks| matches!(seals.check(account, marks), SealCheck::Wrong(_));
    assert!(wrong(&account("b"), &sealed), "copied");
    let changes: [fn(&mut Marks); 12] = [
        |m| m.stack = StackId::new("acme", "other1").expect("valid"),
        |m| m.address = AddressLabel::from_label("ci.prod2"),
        |m| m.generation = 2,
        |m| m.credential = CredentialMark::External,
        |m| m.expires = None,
        |m| m.protected = true,
        |m| m.described = Described::No,
        |m| m.retiring = m.expires,
        |m| m.revoked = true,
        |m| m.written = Written::default(),
        |m| {
            if let CredentialMark::Delivered { destinations, .. } = &mut m.credential {
                destinations.clear();
            }
        },
        |m| {
            if let CredentialMark::Delivered { destinations, .. } = &mut m.credential {
                for at in destinations.values_mut() {
                    at.version = Some(StoreVersion::new("2"));
                }
            }
        },
    ];
    for change in changes {
        let mut changed = sealed.clone();
        change(&mut changed);
        assert!(wrong(&account("a"), &changed), "{changed:?}");
    }
    let (first, rest) = sealed.seal.as_ref().expect("sealed").halves();
    for (first, rest) in [
        (Some(first), None),
        (None, Some(rest)),
        (Some(first), Some("")),
        (Some(first), Some(&rest[1..])),
        (Some(&first[1..]), Some(rest)),
        (Some(rest), Some(first)),
    ] {
        let changed = Marks {
            seal: Seal::from_labels(first, rest),
            ..sealed.clone()
        };
        assert!(wrong(&account("a"), &changed), "{first:?} {rest:?}");
    }
    let stripped = Marks {
        seal: None,
        ..sealed.clone()
    };
    assert_eq!(seals.check(&account("a"), &stripped), SealCheck::Missing);
    assert_eq!(
        seals.check(&account("a"), &sealed),
        SealCheck::Right,
        "still"
    );
}

#[test]
fn the_signature_of_a_birth_fits_that_birth_and_is_no_seal() {
    let seals = applier(key(0));
    let signed = seals.sign_birth(birth());
    // Before the account has a name, and after.
    assert_eq!(seals.seal(&account("a"), birth()), signed);
    assert_eq!(seals.check(&account("a"), &signed), SealCheck::Right);
    let changes: [fn(&mut Marks); 6] = [
        |m| m.stack = StackId::new("acme", "other1").expect("valid"),
        |m| m.address = AddressLabel::from_label("gone"),
        |m| m.generation = 2,
        |m| m.protected = true,
        |m| {
            if let CredentialMark::Pending(birth) = &mut m.credential {
                birth.nonce = Nonce::from_bytes([1; 16]);
            }
        },
        |m| {
            if let CredentialMark::Pending(birth) = &mut m.credential {
                birth.since = birth
                    .since
                    .saturating_add(jiff::SignedDuration::from_secs(1))
                    .expect("a time");
            }
        },
    ];
    for change in changes {
        let mut changed = signed.clone();
        change(&mut changed);
        let found = seals.check(&account("a"), &changed);
        assert!(matches!(found, SealCheck::Wrong(_)), "{changed:?}");
    }
    let grown = Marks {
        seal: signed.seal.clone(),
        ..marks()
    };
    let found = seals.check(&account("a"), &grown);
    assert!(
        matches!(found, SealCheck::Wrong(_)),
        "a birth's signature is no seal"
    );
    let shrunk = Marks {
        seal: seals.seal(&account("a"), marks()).seal,
        ..birth()
    };
    let found = seals.check(&account("a"), &shrunk);
    assert!(
        matches!(found, SealCheck::Wrong(_)),
        "a seal is no birth's signature"
    );
}

#[test]
fn a_key_that_took_over_takes_the_former_ones_seals_and_no_other() {
    let (old, new) = (key(0), key(100));
    let sealed = applier(key(0)).seal(&account("a"), marks());
    let changing = Seals::new(keys(&new, Some(&old)), Some(key(100))).expect("one pair");
    assert_eq!(changing.check(&account("a"), &sealed), SealCheck::Former);
    let renewed = changing.seal(&account("a"), sealed.clone());
    assert_eq!(changing.check(&account("a"), &renewed), SealCheck::Right);
    let changed = planner(&new);
    assert_eq!(changed.check(&account("a"), &renewed), SealCheck::Right);
    assert_eq!(
        changed.check(&account("a"), &sealed),
        SealCheck::OtherKey(old.public().id().to_owned())
    );
}

#[test]
fn a_private_key_that_is_not_the_configurations_is_refused() {
    let why = Seals::new(keys(&key(0), None), Some(key(100))).expect_err("another pair");
    assert!(
        why.contains(key(0).public().id()) && why.contains(key(100).public().id()),
        "{why}"
    );
}

#[test]
fn without_a_public_key_nothing_is_sealed_and_nothing_verified() {
    for seals in [
        Seals::default(),
        Seals::new(None, Some(key(0))).expect("nothing to belong to"),
    ] {
        assert_eq!(seals.seal(&account("a"), marks()), marks());
        assert_eq!(
            seals.check(&account("a"), &marks()),
            SealCheck::Unverified(false)
        );
        let sealed = applier(key(0)).seal(&account("a"), marks());
        assert_eq!(
            seals.check(&account("a"), &sealed),
            SealCheck::Unverified(true)
        );
    }
}

/// Whoever may write labels may take power away, and that breaks no seal; whoever seals next says it under
/// the seal, where nobody else unsays it.
#[test]
fn a_revocation_without_a_seal_breaks_none_and_the_next_seal_takes_it_in() {
    let seals = applier(key(0));
    let sealed = seals.seal(&account("a"), marks());
    let added = Marks {
        revoked_unsealed: true,
        ..sealed.clone()
    };
    assert_eq!(seals.check(&account("a"), &added), SealCheck::Right);
    let again = seals.seal(&account("a"), added.clone());
    assert_eq!((again.revoked, again.revoked_unsealed), (true, false));
    assert_eq!(seals.check(&account("a"), &again), SealCheck::Right);
    let unsaid = Marks {
        revoked: false,
        ..again
    };
    let check = seals.check(&account("a"), &unsaid);
    assert!(matches!(check, SealCheck::Wrong(_)), "{check:?}");
    // Without the private key it stays beside the marks.
    let planner = planner(&key(0)).seal(&account("a"), added);
    assert_eq!((planner.revoked, planner.revoked_unsealed), (false, true));
}

#[test]
fn many_at_once_are_judged_as_one_by_one() {
    let seals = applier(key(0));
    let live: Vec<(Mrn, Marks)> = (0..200)
        .map(|i| {
            let mrn = account(&format!("a{i}"));
            let sealed = seals.seal(&mrn, marks());
            let marks = match i % 4 {
                0 => sealed,
                1 => Marks {
                    revoked: true,
                    ..sealed
                },
                2 => Marks {
                    seal: None,
                    ..sealed
                },
                _ => applier(key(100)).seal(&mrn, marks()),
            };
            (mrn, marks)
        })
        .collect();
    let seals = planner(&key(0));
    let marked: Vec<(&Mrn, &Marks)> = live.iter().map(|(mrn, marks)| (mrn, marks)).collect();
    let at_once = seals.check_all(&marked);
    let one_by_one: Vec<SealCheck> = live
        .iter()
        .map(|(m, marks)| seals.check(m, marks))
        .collect();
    assert_eq!(at_once, one_by_one);
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for check in at_once {
        *found.entry(format!("{check:?}")).or_default() += 1;
    }
    assert_eq!(found.len(), 4, "{found:?}");
}
