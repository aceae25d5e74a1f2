//! The client's documents against the two schemas: the one that the embedded platform prints, and
//! the one written down from public sources.

use apollo_compiler::{ExecutableDocument, Schema};

fn schema(path: &str) -> apollo_compiler::validation::Valid<Schema> {
    let text = std::fs::read_to_string(path).expect("the schema is there");
    Schema::parse_and_validate(text, path).expect("the schema is valid")
}

#[test]
fn every_document_is_valid_against_both_schemas() {
    let documents = rolecall::platform::documents();
    assert!(documents.len() >= 10, "all operations are listed");
    for path in [
        "fixtures/schema/mondoo.graphql",
        "fixtures/schema/reference.graphql",
    ] {
        let schema = schema(path);
        for (name, text) in documents {
            let parsed = ExecutableDocument::parse_and_validate(&schema, *text, *name);
            if let Err(error) = parsed {
                panic!("{name} against {path}:\n{error}");
            }
        }
    }
}

#[test]
fn a_wrong_field_would_be_found() {
    let schema = schema("fixtures/schema/mondoo.graphql");
    let (name, text) = rolecall::platform::documents()
        .iter()
        .find(|(_, text)| text.contains("lastUsed"))
        .expect("some document reads lastUsed");
    let wrong = text.replace("lastUsed", "lastUsd");
    assert!(ExecutableDocument::parse_and_validate(&schema, wrong, *name).is_err());
}

/// What docs/compatibility.md shows is what the code writes: every label of its examples, every
/// identity, every text of a key.
mod promised {
    use std::collections::BTreeMap;

    use rolecall::model::{
        AddressLabel, Birth, CredentialMark, Described, Fingerprint, Identity, KeyAt, Marking,
        Marks, Mrn, Nonce, SealCheck, SealKey, SealKeys, Seals, SinkKind, StackId, StoreVersion,
        VOID, Written,
    };

    fn page() -> String {
        std::fs::read_to_string("docs/compatibility.md").expect("the page is there")
    }

    /// The blocks of text, each as pairs of words.
    fn blocks(page: &str) -> Vec<BTreeMap<String, String>> {
        let blocks = page.split("```text\n").skip(1);
        blocks
            .filter_map(|rest| rest.split("```").next())
            .map(|block| {
                let pairs = block.lines().filter_map(|line| line.split_once("   "));
                pairs
                    .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
                    .collect()
            })
            .collect()
    }

    fn external(stack: &str, protected: bool) -> Marks {
        let stack = StackId::new(stack, "k7m2q9ta").expect("valid");
        Marks::external(stack, AddressLabel::from_label("ci.prod"), protected)
    }

    fn delivered(identity: Identity<'_>, generation: u32, version: Option<&str>) -> CredentialMark {
        let at = KeyAt {
            kind: identity.kind,
            generation,
            version: version.map(StoreVersion::new),
        };
        CredentialMark::Delivered {
            fingerprint: Fingerprint::from_label("00112233aabbccdd"),
            nonce: Nonce::from_bytes([0xab; 16]),
            destinations: BTreeMap::from([(identity.id(), at)]),
        }
    }

    fn time(text: &str) -> jiff::Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn labels_of_marks_are_those_of_the_page() {
        let vault = Identity {
            kind: SinkKind::Vault,
            host: "https://vault.acme.example",
            namespace: "team",
            path: "secret/data/mondoo/ci".into(),
            key: "credential",
            format: "json",
        };
        let marks = Marks {
            generation: 3,
            credential: delivered(vault, 3, Some("17")),
            expires: Some(time("2027-06-30T00:00:00Z")),
            described: Described::Text,
            written: Written::new(
                Some("0123456789abcdef0123456789abcdef01234567"),
                Some("fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"),
            ),
            ..external("acme-access", true)
        };
        assert_eq!(blocks(&page())[0], marks.labels());
        assert!(page().contains(&format!("`{VOID}`")));
    }

    #[test]
    fn keys_and_seals_are_those_of_the_page() {
        let page = page();
        let (_, rest) = page
            .split_once("`rolecall-seal-ed25519:A")
            .expect("the key");
        let digits = rest.split('`').next().expect("its end");
        let key = SealKey::parse(&format!("rolecall-seal-ed25519:A{digits}")).expect("a key");
        assert!(page.contains(&format!("`{}`", key.public().text())));
        assert!(page.contains(&format!("`{}`", key.public().id())));
        let keys = SealKeys {
            current: key.public().clone(),
            former: None,
        };
        // Anybody can check what stands there.
        let planner = Seals::new(Some(keys.clone()), None).expect("no private key");
        let account = Mrn::new("//agents.api.mondoo.app/spaces/calm-space-1/serviceaccounts/a");
        assert!(page.contains(&format!("`{account}`")));
        assert!(page.contains("`00 00 00 00 00 00 00 3d`, the 61 bytes"));
        assert_eq!(account.as_str().len(), 0x3d);
        let [_, sealed, birth, _] = &blocks(&page)[..] else {
            panic!("four blocks");
        };
        for labels in [sealed, birth] {
            let Marking::Marked(marks) = Marks::locate(labels) else {
                panic!("{labels:?}");
            };
            assert_eq!(
                planner.check(&account, &marks),
                SealCheck::Right,
                "{labels:?}"
            );
        }
        let applier = Seals::new(Some(keys), Some(key)).expect("one pair");
        let file = Identity {
            kind: SinkKind::File,
            host: "",
            namespace: "",
            path: "credentials".into(),
            key: "ci.json",
            format: "json",
        };
        let marks = Marks {
            credential: delivered(file, 1, None),
            expires: Some(time("2027-06-30T00:00:00Z")),
            described: Described::Text,
            written: Written::new(Some("0123456789abcdef"), None),
            ..external("acme", false)
        };
        assert_eq!(*sealed, applier.seal(&account, marks).labels());
        let born = Birth::new(Nonce::from_bytes([0xab; 16]), time("2026-11-27T01:02:03Z"));
        let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
        let marks = Marks::pending(stack, AddressLabel::from_label("ci.prod"), 1, born, None);
        assert_eq!(*birth, applier.sign_birth(marks).labels());
    }

    /// The signatures on both pages were made with OpenSSL.
    #[test]
    fn a_key_hands_over_as_the_pages_show() {
        use rolecall::config::{SourceFile, parse, sealing};
        let read = |text: &str| {
            let file = SourceFile {
                path: "main.hcl".to_owned(),
                bytes: text.as_bytes().to_vec(),
            };
            let (mut sources, module) = parse(vec![file]);
            sealing(&module, &mut sources, &[])
        };
        let mut shown = Vec::new();
        for path in ["docs/language.md", "docs/compatibility.md"] {
            let page = std::fs::read_to_string(path).expect("the page is there");
            let blocks = page.split("```hcl\n").skip(1);
            let block = blocks
                .filter_map(|rest| rest.split("```").next())
                .find(|block| block.contains("seal_key_former {"))
                .expect("a block");
            let keys = read(block).expect("valid").keys.expect("keys");
            assert!(keys.former.is_some(), "{path}");
            let another = block.replace("k7m2q9ta", "k7m2q9tb");
            assert!(read(&another).is_err(), "the words are for one stack");
            shown.push(keys);
        }
        // The page says of which private keys they are, so that anybody can make them again.
        let page = page();
        for (seed, is) in [
            (
                "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
                &shown[1].former,
            ),
            (
                "8AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
                &Some(shown[1].current.clone()),
            ),
        ] {
            let text = format!("rolecall-seal-ed25519:{seed}");
            assert!(page.contains(&format!("`{text}`")), "{text}");
            let key = SealKey::parse(&text).expect("a key");
            assert_eq!(Some(key.public()), is.as_ref());
        }
    }

    #[test]
    fn identities_are_those_of_the_page() {
        let page = page();
        let all = blocks(&page).pop().expect("the last block");
        let mut kinds = Vec::new();
        for (id, parts) in &all {
            let parts: Vec<&str> = parts.split(" | ").collect();
            let [kind, host, namespace, path, key, format] = parts[..] else {
                panic!("{parts:?}");
            };
            let kind = SinkKind::named(kind).expect("a kind");
            let identity = Identity {
                kind,
                host,
                namespace,
                path: path.into(),
                key,
                format,
            };
            assert_eq!(identity.id().to_string(), *id, "{parts:?}");
            assert!(
                page.contains(&format!("\n| `{kind}` |")),
                "{kind} has no row"
            );
            kinds.push(kind);
        }
        kinds.sort();
        assert_eq!(kinds, SinkKind::ALL, "one of each kind");
    }
}
