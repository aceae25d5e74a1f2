use super::*;
use crate::model::{Identity, KeptText};

fn stack() -> StackId {
    StackId::new("acme-access", "k7m2q9ta").expect("valid")
}

fn address() -> AddressLabel {
    AddressLabel::from_label("ci.prod")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn place(kind: SinkKind, path: &str) -> DestinationId {
    Identity {
        kind,
        host: "",
        namespace: "",
        path: path.into(),
        key: "",
        format: "json",
    }
    .id()
}

/// Every credential, with everything else that marks can hold at its longest.
fn all() -> Vec<Marks> {
    let birth = Birth::new(Nonce::from_bytes([7; 16]), time("2026-11-27T01:02:03.9Z"));
    let full = |credential| Marks {
        generation: MOST_GENERATIONS,
        credential,
        expires: Some(time("2027-06-30T00:00:00Z")),
        protected: true,
        described: Described::Kept(KeptText::of("since birth")),
        retiring: Some(time("9999-12-29T23:59:59Z")),
        revoked: true,
        written: Written::new(
            Some(&format!("{}-dirty", "A".repeat(40))),
            Some(&"b".repeat(64)),
        ),
        ..Marks::external(
            StackId::new(&"s".repeat(32), &"i".repeat(16)).expect("valid"),
            address(),
            true,
        )
    };
    let places = SinkKind::ALL.map(|kind| {
        let at = KeyAt {
            kind,
            generation: MOST_GENERATIONS,
            version: Some(StoreVersion::new(&"v".repeat(StoreVersion::MOST))),
        };
        (place(kind, "x"), at)
    });
    let delivered = CredentialMark::Delivered {
        fingerprint: Fingerprint::of_public_key(b"key"),
        nonce: Nonce::from_bytes([7; 16]),
        destinations: places.into(),
    };
    vec![
        Marks::pending(stack(), address(), 1, birth.clone(), None),
        Marks::external(stack(), address(), false),
        full(CredentialMark::Pending(birth)),
        full(delivered),
        full(CredentialMark::External),
        Marks {
            revoked_unsealed: true,
            ..Marks::external(stack(), address(), false)
        },
    ]
}

#[test]
fn marks_survive_the_trip_through_labels_that_every_platform_takes() {
    for marks in all() {
        let labels = marks.labels();
        for (key, value) in &labels {
            assert!((1..=63).contains(&value.len()), "{key}={value}");
            assert!(key.len() <= 63 && key.bytes().all(plain), "{key}");
            assert!(value.bytes().all(plain), "{value}");
            let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'-');
            assert!(
                ends(value.bytes().next()) && ends(value.bytes().last()),
                "{value}"
            );
        }
        // With the two of the seal no more than eight, besides those of destinations.
        let own = labels.keys().filter(|key| !key.starts_with(TO)).count();
        assert!(own + 2 <= 8, "{labels:?}");
        assert_eq!(Marks::locate(&labels), Marking::Marked(marks.into()));
    }
}

/// Written down by hand from docs/compatibility.md.
#[test]
fn labels_are_the_documented_ones() {
    let at = KeyAt {
        kind: SinkKind::Vault,
        generation: 3,
        version: Some(StoreVersion::new("17")),
    };
    let key = Identity {
        kind: SinkKind::Vault,
        host: "https://vault.acme.example",
        namespace: "team",
        path: "secret/data/mondoo/ci".into(),
        key: "credential",
        format: "json",
    };
    let marks = Marks {
        generation: 3,
        credential: CredentialMark::Delivered {
            fingerprint: Fingerprint::from_label("00112233aabbccdd"),
            nonce: Nonce::from_bytes([0xab; 16]),
            destinations: BTreeMap::from([(key.id(), at)]),
        },
        expires: Some(time("2027-06-30T00:00:00Z")),
        protected: true,
        described: Described::Text,
        written: Written::new(
            Some("0123456789abcdef0123456789abcdef01234567"),
            Some("fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"),
        ),
        ..Marks::external(stack(), address(), true)
    };
    let labels = [
        ("rolecall-address", "ci.prod"),
        (
            "rolecall-credential",
            "delivered.00112233aabbccdd.abababababababababababababababab",
        ),
        ("rolecall-mark", "v1.0-1-0.g3.p1d1r0.e20270630T000000Z.t-"),
        ("rolecall-stack", "acme-access.k7m2q9ta"),
        ("rolecall-to-51d4b2708ea98a9b", "vault.3.17"),
        ("rolecall-written", "0123456789ab.fedcba9876543210"),
    ];
    let expected: Labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert_eq!(marks.labels(), expected);
    let birth = Birth::new(Nonce::from_bytes([0; 16]), time("2026-11-27T01:02:03Z"));
    let pending = Marks::pending(stack(), address(), 1, birth, None).labels();
    assert_eq!(
        pending["rolecall-credential"],
        "pending.00000000000000000000000000000000.20261127T010203Z"
    );
    assert_eq!(pending["rolecall-mark"], "v1.0-1-0.g1.p0d0r0.e-.t-");
    assert_eq!(pending["rolecall-written"], "-.-");
    assert_eq!(
        Marks::external(stack(), address(), false).labels()["rolecall-credential"],
        "external"
    );
}

#[test]
fn a_missing_or_changed_mark_is_damage_not_absence() {
    let full = all().swap_remove(3).labels();
    for key in [STACK, ADDRESS, MARK, CREDENTIAL, WRITTEN] {
        let mut labels = full.clone();
        labels.remove(key);
        assert!(
            matches!(Marks::locate(&labels), Marking::Damaged { .. }),
            "without {key}"
        );
    }
    let to = full.keys().find(|key| key.starts_with(TO)).expect("one");
    let nowhere = format!("{TO}x");
    for (key, value) in [
        (MARK, ""),
        (MARK, "v1"),
        (MARK, "v0.0-1-0.g1.p0d0r0.e-.t-"),
        (MARK, "v01.0-1-0.g1.p0d0r0.e-.t-"),
        (MARK, "v1.0-1-1.g1.p0d0r0.e-.t-"),
        (MARK, "v1.0-1-0.g0.p0d0r0.e-.t-"),
        (MARK, "v1.0-1-0.g01.p0d0r0.e-.t-"),
        (MARK, "v1.0-1-0.g+1.p0d0r0.e-.t-"),
        (MARK, "v1.0-1-0.g1000000.p0d0r0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p2d0r0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d3r0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0dr0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d0abcdr0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d1abcdr0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d2abcr0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d2abcder0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d2ABCDr0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d2+abcr0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d0r.e-.t-"),
        (MARK, "v1.0-1-0.g1.p00d0r0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d0.e-.t-"),
        (MARK, "v1.0-1-0.g1.p0d0r0.e-"),
        (MARK, "v1.0-1-0.g1.p0d0r0.e-.t-.x-"),
        (MARK, "v1.0-1-0.g1.p0d0r0.e20270230T000000Z.t-"),
        (MARK, "v1.0-1-0.g1.p0d0r0.e20270630T000000.t-"),
        (MARK, "v1.0-1-0.g1.p0d0r0.e20270630T000060Z.t-"),
        (CREDENTIAL, "delivered"),
        (CREDENTIAL, "delivered.a"),
        (CREDENTIAL, "delivered.a.b.c"),
        (CREDENTIAL, "pending."),
        (CREDENTIAL, "pending.aa"),
        (CREDENTIAL, "pending..20261127T010203Z"),
        (CREDENTIAL, "pending.aa.soon"),
        (CREDENTIAL, "External"),
        (STACK, "acme"),
        (WRITTEN, "-"),
        (WRITTEN, "0123456789ab.short"),
        (WRITTEN, "0123456789AB.-"),
        (to, ""),
        (to, "vault"),
        (to, "vault.0.1"),
        (to, "pigeon.1.-"),
        (&nowhere, "vault.1.-"),
    ] {
        let mut labels = full.clone();
        labels.insert(key.to_owned(), value.to_owned());
        assert!(
            matches!(Marks::locate(&labels), Marking::Damaged { .. }),
            "{key}={value}"
        );
    }
    let others = Labels::from([("team".to_owned(), "x".to_owned())]);
    assert_eq!(Marks::locate(&others), Marking::Unmarked);
}

/// What a platform that keeps left-out labels leaves there means nothing.
#[test]
fn labels_of_an_earlier_life_that_a_platform_kept_mean_nothing() {
    let [pending, external, ..] = &all()[..] else {
        panic!("some");
    };
    let delivered = all().swap_remove(3);
    for later in [pending, external] {
        let mut merged = delivered.labels();
        merged.extend(later.labels());
        assert_eq!(
            Marks::locate(&merged),
            Marking::Marked(later.clone().into())
        );
    }
}

#[test]
fn marks_of_a_later_form_are_told_from_damage() {
    let mut labels = all().swap_remove(3).labels();
    for (mark, needs) in [
        ("v2.0-4-0.whatever_there.will-be", "0.4.0"),
        ("v10.1-12-3", "1.12.3"),
    ] {
        labels.insert(MARK.to_owned(), mark.to_owned());
        let stack = StackId::from_label(&labels[STACK]);
        let later = Marking::Later {
            stack,
            needs: needs.to_owned(),
        };
        assert_eq!(Marks::locate(&labels), later);
    }
    for odd in [
        "v2",
        "v2.",
        "v2.x",
        "v2.0-4",
        "v2.0-4-0-1.x",
        "v2.run-curl-evil.x",
        "v2.00-4-0.x",
        "v2.0-4-1000000.x",
    ] {
        labels.insert(MARK.to_owned(), odd.to_owned());
        let found = Marks::locate(&labels);
        assert!(matches!(found, Marking::Damaged { .. }), "{odd}: {found:?}");
    }
    labels.insert(MARK.to_owned(), "v2.0-4-0.x".to_owned());
    labels.remove(STACK);
    assert!(matches!(
        Marks::locate(&labels),
        Marking::Later { stack: None, .. }
    ));
}

/// Digests of `sha256sum`, so that another reader finds the same.
#[test]
fn a_text_that_a_platform_keeps_is_told_from_every_other() {
    for (text, mark) in [
        ("since birth", "v1.0-1-0.g1.p0d22e5er0.e-.t-"),
        ("", "v1.0-1-0.g1.p0d2e3b0r0.e-.t-"),
        ("grün 🌱", "v1.0-1-0.g1.p0d29003r0.e-.t-"),
    ] {
        let described = Described::Kept(KeptText::of(text));
        let marks = Marks {
            described,
            ..Marks::external(stack(), address(), false)
        };
        let labels = marks.labels();
        assert_eq!(labels[MARK], mark, "{text}");
        assert_eq!(Marks::locate(&labels), Marking::Marked(marks.into()));
        assert!(described.fits("", Some(text)) && described.fits("", None));
        assert!(!described.fits("", Some("by hand")) && !described.fits("x", Some("y")));
    }
    for described in [Described::No, Described::Text, Described::Empty] {
        assert!(!described.fits("", Some("since birth")) && described.fits("", None));
    }
    assert!(Described::Text.fits("a", Some("a")));
}

#[test]
fn versions_that_do_not_fit_are_told_apart_all_the_same() {
    let fits = StoreVersion::new("0f8fad5b-d9cb-469f-a165-70867728950e");
    assert_eq!(fits.as_str(), "0f8fad5b-d9cb-469f-a165-70867728950e");
    let long = [
        "v".repeat(37),
        "v".repeat(38),
        "a:b".to_owned(),
        "a/b".to_owned(),
    ];
    let short: BTreeSet<_> = long.iter().map(|text| StoreVersion::new(text)).collect();
    assert_eq!(short.len(), long.len());
    for odd in ["-", "", "h-0123456789abcdef"] {
        assert_ne!(StoreVersion::new(odd).as_str(), odd);
    }
}

#[test]
fn what_wrote_is_shortened_and_nothing_else_is_taken_for_it() {
    let written = Written::new(Some("ABCDEF0123456789"), Some("0123456789abcdef77"));
    assert_eq!(written.commit(), Some("abcdef012345"));
    assert_eq!(written.plan(), Some("0123456789abcdef"));
    for odd in ["", "abc", "not hexadecimal", "ümlaut-and-more"] {
        assert_eq!(Written::new(Some(odd), Some(odd)), Written::default());
    }
}

#[test]
fn what_was_not_committed_is_said_of_the_commit_and_of_nothing_else() {
    let digits = "0123456789abcdef0123456789abcdef01234567";
    let clean = Written::new(Some(digits), None);
    let dirty = Written::new(Some(&format!("{digits}-dirty")), None);
    assert_eq!(dirty.commit(), Some("0123456789ab-dirty"));
    assert_eq!(dirty.committed(), Some("0123456789ab"));
    assert_eq!(
        (clean.commit(), clean.committed()),
        (dirty.committed(), dirty.committed())
    );
    let label = "0123456789ab-dirty.-";
    assert_eq!(dirty.label(), label);
    assert_eq!(Written::from_label(label), Some(dirty));
    for odd in [
        "0123456789ab-dirty-dirty.-",
        "0123456789a-dirty.-",
        "0123456789ab-dirt.-",
        "0123456789abcdef-dirty.-",
        "-dirty.-",
        "--dirty.-",
        "-.0123456789abcdef-dirty",
        "0123456789AB-dirty.-",
    ] {
        assert_eq!(Written::from_label(odd), None, "{odd}");
    }
    // An abbreviated name that happens to be all there is.
    assert_eq!(
        Written::new(Some("0123456-dirty"), None),
        Written::default()
    );
}
