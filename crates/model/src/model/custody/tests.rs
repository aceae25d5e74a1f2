use super::*;
use crate::model::samples;
use crate::model::{
    Binding, Birth, DesiredAccount, Former, Import, LiveLabels, Nonce, Scope, SealKey, SealKeys,
    SourceRef, SpaceId, VOID,
};

const ME: &str = "me";

fn stack() -> StackId {
    StackId::new("acme", "k7m2q9ta").expect("valid")
}

fn place() -> SourceRef {
    SourceRef {
        file: "a.hcl".to_owned(),
        line: 1,
    }
}

fn space() -> Scope {
    Scope::Space(SpaceId::new("payments").expect("valid"))
}

fn declared(address: &Address) -> DesiredAccount {
    samples::declared(address.clone(), space())
}

fn desired(accounts: Vec<DesiredAccount>) -> Desired {
    let mut desired = Desired::nothing(stack());
    desired.trusted_creators = vec!["robot".to_owned()];
    desired.accounts = accounts
        .into_iter()
        .map(|a| (a.address.clone(), a))
        .collect();
    desired
}

fn account(id: &str, labels: impl Into<LiveLabels>) -> LiveAccount {
    LiveAccount {
        labels: labels.into(),
        creator: Some(ME.to_owned()),
        ..samples::account(Mrn::new(id), space(), id)
    }
}

fn live(accounts: Vec<LiveAccount>) -> Live {
    samples::live(ME, accounts)
}

fn ci() -> Address {
    Address::new("ci", None)
}

fn marks(address: &Address) -> Marks {
    Marks::external(stack(), address.label(), false)
}

/// The keys of a configuration by two seeds, with the private one in use.
fn seals(seed: u8, former: Option<u8>) -> Seals {
    let key = |seed: u8| {
        let seed = std::array::from_fn(|i| i as u8 ^ seed);
        SealKey::of_seed(zeroize::Zeroizing::new(seed)).expect("a key")
    };
    let keys = SealKeys {
        current: key(seed).public().clone(),
        former: former.map(|former| key(former).public().clone()),
    };
    Seals::new(Some(keys), Some(key(seed))).expect("one pair")
}

fn one(desired: &Desired, account: LiveAccount, seals: &Seals) -> Custody {
    let mrn = account.mrn.clone();
    let inventory = Inventory::take(desired, &live(vec![account]), seals);
    inventory.of(&mrn).clone()
}

/// Marks with one label changed, or taken away.
fn torn(marks: &Marks, key: &str, value: Option<&str>) -> LiveLabels {
    let mut labels = marks.labels();
    match value {
        Some(value) => labels.insert(key.to_owned(), value.to_owned()),
        None => labels.remove(key),
    };
    labels.into()
}

#[test]
fn each_kind_of_labels_is_told_with_its_address_where_nothing_is_sealed() {
    let desired = desired(vec![declared(&ci())]);
    let other = Marks {
        stack: StackId::new("other", "k7m2q9ta").expect("valid"),
        ..marks(&ci())
    };
    let later = Some("v2.0-4-0.x");
    let (stack, mark) = ("rolecall-stack", "rolecall-mark");
    for (what, labels, keeper, claim) in [
        ("ours", marks(&ci()).labels().into(), "managed", true),
        ("damaged", torn(&marks(&ci()), mark, None), "disputed", true),
        ("later", torn(&marks(&ci()), mark, later), "newer", true),
        ("other", other.labels().into(), "foreign", false),
        (
            "other's, damaged",
            torn(&other, mark, None),
            "foreign",
            false,
        ),
        (
            "other's, later",
            torn(&other, mark, later),
            "foreign",
            false,
        ),
        ("nothing", LiveLabels::default(), "unmanaged", false),
        (
            "no stack",
            torn(&marks(&ci()), stack, None),
            "unmanaged",
            false,
        ),
        (
            "void",
            torn(&marks(&ci()), stack, Some(VOID)),
            "unmanaged",
            false,
        ),
    ] {
        let custody = one(&desired, account("a", labels), &Seals::default());
        assert_eq!(custody.keeper().as_str(), keeper, "{what}: {custody:?}");
        let claims = custody.claim().map(|claim| &claim.address);
        assert_eq!(claims, claim.then_some(&ci()), "{what}");
        let ours = what == "ours";
        assert_eq!(custody.address(), ours.then_some(&ci()), "{what}");
    }
}

/// Without a key it hangs on who created it; with one, on the seal alone.
#[test]
fn what_makes_marks_believed_is_a_creator_an_import_or_a_seal_that_fits() {
    let by = |creator: Option<&str>, marks: Marks| LiveAccount {
        creator: creator.map(str::to_owned),
        ..account("a", marks.labels())
    };
    let none = Seals::default();
    let mut imported = desired(vec![declared(&ci())]);
    let import = Import {
        mrn: Mrn::new("a"),
        declared_at: place(),
    };
    imported.accounts.get_mut(&ci()).expect("there").import = Some(import);
    let plain = desired(vec![declared(&ci())]);
    let ours = |desired: &Desired, account, seals: &Seals| match one(desired, account, seals) {
        Custody::Ours(ours) => Some(ours.seal),
        _ => None,
    };
    let unverified = Some(SealCheck::Unverified(false));
    for creator in [ME, "robot"] {
        let account = by(Some(creator), marks(&ci()));
        assert_eq!(ours(&plain, account, &none), unverified, "{creator}");
    }
    for creator in [Some("eve"), None] {
        assert_eq!(ours(&plain, by(creator, marks(&ci())), &none), None);
        assert_eq!(
            ours(&imported, by(creator, marks(&ci())), &none),
            unverified
        );
        let elsewhere = by(creator, marks(&Address::new("cd", None)));
        assert_eq!(
            ours(&imported, elsewhere, &none),
            None,
            "of another address"
        );
    }

    let (key, old) = (seals(1, Some(2)), seals(2, None));
    let sealed = |by_key: &Seals| by(Some("eve"), by_key.seal(&Mrn::new("a"), marks(&ci())));
    assert_eq!(ours(&plain, sealed(&key), &key), Some(SealCheck::Right));
    assert_eq!(ours(&plain, sealed(&old), &key), Some(SealCheck::Former));
    let strange = one(&plain, sealed(&seals(3, None)), &key);
    assert!(matches!(strange, Custody::OtherKey { .. }), "{strange:?}");
    let mut copied = sealed(&key);
    copied.mrn = Mrn::new("b");
    assert_eq!(one(&plain, copied, &key).keeper(), Keeper::Disputed);
    // The caller is no reason to believe marks where there is a key.
    for (creator, believed) in [(ME, false), ("robot", true)] {
        let bare = by(Some(creator), marks(&ci()));
        assert_eq!(ours(&plain, bare.clone(), &key), None, "{creator}");
        let accepting = key.clone().accepting_unsealed(true);
        let found = ours(&plain, bare, &accepting);
        assert_eq!(found, believed.then_some(SealCheck::Missing), "{creator}");
    }
    let birth = Birth::new(Nonce::from_bytes([1; 16]), jiff::Timestamp::UNIX_EPOCH);
    let birth = Marks::pending(stack(), ci().label(), 1, birth, None);
    let unsigned = by(Some("robot"), birth);
    let accepting = key.accepting_unsealed(true);
    assert_eq!(
        ours(&plain, unsigned, &accepting),
        None,
        "an unsigned birth"
    );
}

/// An Editor who takes the stack's mark away, or writes another one, does not make it nobody's.
#[test]
fn a_seal_that_names_our_key_keeps_an_account_in_dispute_whatever_the_stack_mark_says() {
    let desired = desired(vec![declared(&ci())]);
    let key = seals(1, None);
    let sealed = key.seal(&Mrn::new("a"), marks(&ci()));
    for value in [None, Some("other.abcdefgh"), Some("no stack")] {
        let labels = torn(&sealed, "rolecall-stack", value);
        let here = one(&desired, account("a", labels.clone()), &key);
        assert!(
            matches!(here, Custody::Disputed { .. }),
            "{value:?}: {here:?}"
        );
        assert_eq!(here.called(&Mrn::new("a")), ci());
        let elsewhere = one(&desired, account("a", labels), &seals(2, None));
        assert_ne!(elsewhere.keeper(), Keeper::Disputed, "{value:?}");
    }
}

#[test]
fn an_address_is_the_present_one_in_full() {
    let long = Address::new("ci", Some("x".repeat(80)));
    let (old, new) = (Address::new("old", None), Address::new("new", None));
    let mut moved = declared(&new);
    moved.formerly = vec![Former {
        address: old.clone(),
        declared_at: place(),
    }];
    let desired = desired(vec![declared(&long), moved]);
    let gone = Address::new("gone", Some("x".repeat(80)));
    let hash = Address::new(gone.label().as_str(), None);
    let bare = Address::new("bare", Some("k".to_owned()));
    for (marked, address) in [
        (&long, &long),
        (&old, &new),
        (&new, &new),
        (&bare, &bare),
        (&gone, &hash),
    ] {
        let labels = marks(marked).labels();
        let custody = one(&desired, account("a", labels), &Seals::default());
        assert_eq!(custody.address(), Some(address));
        let label = custody.claim().map(|claim| &claim.label);
        assert_eq!(
            label,
            Some(&address.label())
                .filter(|_| address != &hash)
                .or(label)
        );
        // What is not believed claims the same.
        let disputed = torn(&marks(marked), "rolecall-mark", None);
        let disputed = one(&desired, account("a", disputed), &Seals::default());
        assert_eq!(disputed.called(&Mrn::new("a")), *address);
    }
    let nameless = torn(&marks(&long), "rolecall-address", None);
    let nameless = one(&desired, account("a", nameless), &Seals::default());
    assert_eq!(nameless.claim(), None);
    let id = Mrn::new("//agents.api.mondoo.app/spaces/payments/serviceaccounts/2bB");
    assert_eq!(nameless.called(&id), Address::new("2bB", None));
}

/// What was decided is carried, and never told of an account that it was not decided of.
#[test]
fn an_inventory_stands_beside_what_it_was_made_of_and_nothing_else() {
    let desired = desired(vec![declared(&ci())]);
    let ours = |id: &str| account(id, marks(&ci()).labels());
    let strange = |id: &str| account(id, LiveLabels::default());
    let before = live(vec![ours("a"), strange("b"), ours("d"), strange("e")]);
    let inventory = Inventory::take(&desired, &before, &Seals::default());
    assert_eq!(inventory.beside(&before).count(), 4);
    let now = live(vec![strange("0"), ours("b"), strange("c"), strange("d")]);
    let seen: Vec<(&str, Keeper)> = inventory
        .beside(&now)
        .map(|(account, entry)| (account.mrn.as_str(), entry.custody.keeper()))
        .collect();
    assert_eq!(seen, [("b", Keeper::Unmanaged), ("d", Keeper::Managed)]);
    assert_eq!(*inventory.of(&Mrn::new("c")), Custody::Unmanaged);
    assert!(!inventory.verified() && inventory.former_key().is_none());
    let known = Inventory::take(&desired, &before, &seals(1, Some(2)));
    assert!(known.verified() && known.former_key().is_some());
}

/// Each login of a workload identity may be another account: what stands behind them is trusted.
#[test]
fn accounts_made_by_temporary_accounts_of_a_trusted_binding_are_ours() {
    const BINDING: &str = "//agents.api.mondoo.app/spaces/a/wifauthbindings/1";
    let ours = |trusted: &[&str], caller: Option<&str>, creator: &str| {
        let temporary = LiveAccount {
            creator: Some(BINDING.to_owned()),
            ..account("temporary", LiveLabels::default())
        };
        let marked = LiveAccount {
            creator: Some(creator.to_owned()),
            ..account("ci", marks(&ci()).labels())
        };
        let mut live = live(vec![temporary, marked]);
        live.facts.caller.binding = caller.map(|identity| Binding {
            identity: Some(identity.to_owned()),
            others: [Mrn::new("temporary")].into(),
        });
        let mut desired = desired(vec![declared(&ci())]);
        desired.trusted_creators = trusted.iter().map(|name| (*name).to_owned()).collect();
        let inventory = Inventory::take(&desired, &live, &Seals::default());
        matches!(inventory.of(&Mrn::new("ci")), Custody::Ours(_))
    };
    assert!(ours(&[BINDING], None, "temporary"));
    assert!(ours(&[BINDING], None, BINDING));
    assert!(ours(&[], Some(BINDING), "temporary"));
    assert!(ours(&[], Some(BINDING), BINDING));
    for stranger in ["temporary", BINDING, "gone"] {
        assert!(!ours(&["robot"], None, stranger), "{stranger}");
    }
    assert!(!ours(&[BINDING], Some(BINDING), "gone"));
}
