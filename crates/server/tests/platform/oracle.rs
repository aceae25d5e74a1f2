//! What the platform takes for a good token, against another library's verdict on the same text.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rolecall_server::App;
use serde_json::Value;

use super::client::{Key, acme, memory};

/// A platform without a socket, an account on it, and the public half of its key.
struct Both {
    app: App,
    key: Key,
    public: DecodingKey,
}

impl Both {
    fn new() -> Self {
        let app = memory(Default::default());
        let now = Timestamp::now();
        app.seed(&acme(), now).expect("seeds");
        let owner = app.ensure_owner("acme-corp-883120", now).expect("works");
        let key = Key::from(&owner.expect("the first time"));
        let pair = rcgen::KeyPair::from_pem(&key.pem).expect("a key");
        let public = DecodingKey::from_ec_der(pair.public_key_raw());
        Self { app, key, public }
    }

    fn platform(&self, token: &str) -> bool {
        let header = format!("Bearer {token}");
        let found = self
            .app
            .authenticate(Some(&header), b"{}", Timestamp::now());
        found.is_ok()
    }

    fn library(&self, token: &str) -> bool {
        let mut rules = Validation::new(Algorithm::ES384);
        rules.validate_nbf = true;
        rules.set_issuer(&["mondoo/ams"]);
        rules.sub = Some(self.key.mrn.clone());
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        jsonwebtoken::decode::<Value>(token, &self.public, &rules).is_ok()
    }
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn a_changed_token_is_taken_by_both_or_by_none() {
    let both = Both::new();
    let token = both.key.sign(&both.key.claims(Timestamp::now()));
    assert!(both.platform(&token) && both.library(&token), "unchanged");
    let other = Both::new();
    assert!(!both.platform(&other.key.sign(&both.key.claims(Timestamp::now()))));
    let piece = prop::sample::select(vec!["", "A", "B", "-", "_", "=", ".", "..", "+", "/", "é"]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, piece), 0..3);
    let run = runner().run(&edits, |edits| {
        let mut text: Vec<char> = token.chars().collect();
        for (at, takes, piece) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + takes).min(text.len());
            text.splice(at..end, piece.chars());
        }
        let text: String = text.into_iter().collect();
        prop_assert_eq!(both.platform(&text), both.library(&text), "{}", text);
        prop_assert_eq!(both.platform(&text), text == token, "{}", text);
        Ok(())
    });
    run.expect("both agree");
}

#[test]
fn signed_claims_are_taken_by_both_or_by_none() {
    let both = Both::new();
    let (mut taken, now) = (0, Timestamp::now().as_second());
    let right = both.key.claims(Timestamp::now());
    let times = || {
        vec![
            Value::from(now),
            (now + 50).into(),
            (now - 3600).into(),
            (now + 3600).into(),
        ]
    };
    let values = [
        ("iss", vec!["mondoo/ams".into(), "mondoo".into(), "".into()]),
        (
            "sub",
            vec![both.key.mrn.as_str().into(), "//x".into(), "".into()],
        ),
        ("exp", times()),
        ("nbf", times()),
    ];
    for (at, (name, choices)) in values.iter().enumerate() {
        // Two claims at a time, each with every choice, and left out.
        for (other, more) in values.iter().skip(at + 1) {
            for (first, second) in choices.iter().map(Some).chain([None]).flat_map(|one| {
                more.iter()
                    .map(Some)
                    .chain([None])
                    .map(move |two| (one, two))
            }) {
                let mut claims = right.clone();
                for (name, value) in [(name, first), (other, second)] {
                    let map = claims.as_object_mut().expect("an object");
                    match value {
                        Some(value) => map.insert((*name).to_owned(), value.clone()),
                        None => map.remove(*name),
                    };
                }
                let token = both.key.sign(&claims);
                let verdicts = (both.platform(&token), both.library(&token));
                assert_eq!(verdicts.0, verdicts.1, "{claims}");
                taken += usize::from(verdicts.0);
            }
        }
    }
    assert!(taken > 5, "{taken} were good");
}
