//! What every kind of sink keeps to, whatever store is behind it: one suite, which each kind's tests run
//! against the places that its [`Ground`] makes.

use base64::Engine as _;

use crate::model::{
    CredentialFormat, Destination, Fingerprint, IssuedCredential, Mrn, StoreVersion,
};
use crate::ports::{
    Abandoned, Effect, Found, Probe, ReadKey, Removal, SinkErrorKind, SinkStore, Staged, Verified,
};
use crate::secret::Secret;

/// A store of some kind that a test has for itself.
pub(super) trait Ground {
    type Sink: SinkStore;

    fn sink(&self) -> &Self::Sink;

    /// A place that nobody has used, each time another one.
    fn place(&self) -> Destination;

    /// What is at the place for whoever reads it, past the sink; `None` if nothing is.
    fn read(&self, to: &Destination) -> Option<Vec<u8>>;

    /// Puts something at the place, past the sink.
    fn write(&self, to: &Destination, bytes: &[u8]);

    /// How many things the store keeps that are at no place: what is staged.
    fn beside(&self) -> usize;

    /// The most bytes that a value may have, where the store says so; a multiple of four, as base64 has.
    fn most(&self) -> Option<usize> {
        None
    }
}

/// The key of an account of this name, which no other account has.
pub(super) fn credential(id: &str) -> IssuedCredential {
    let scope = "//captain.api.mondoo.app/spaces/abcd".to_owned();
    let key = "-----BEGIN PRIVATE KEY-----\nnot really of";
    IssuedCredential {
        mrn: Mrn::new(format!(
            "//agents.api.mondoo.app/spaces/abcd/serviceaccounts/{id}"
        )),
        certificate: String::new(),
        private_key: Secret::new(format!("{key} {id}\n-----END PRIVATE KEY-----\n")),
        scope_mrn: scope.clone(),
        space_mrn: scope,
        api_endpoint: "https://us.api.mondoo.com".to_owned(),
        fingerprint: Fingerprint::of_public_key(id.as_bytes()),
    }
}

/// A credential that has at least so many bytes in a form, and as few more as the form allows.
pub(super) fn padded(format: CredentialFormat, bytes: usize) -> IssuedCredential {
    let of = |padding: usize| IssuedCredential {
        certificate: "c".repeat(padding),
        ..credential("large")
    };
    let json = |padding: usize| {
        let json = super::content::render(&of(padding), CredentialFormat::Json);
        json.expect("renders").len()
    };
    // The end of the file's line is in the base64 of it, and else is left out.
    let wanted = match format {
        CredentialFormat::Json => bytes + 1,
        CredentialFormat::Base64 => bytes.div_ceil(4) * 3,
    };
    of(wanted.saturating_sub(json(0)))
}

fn is_of(found: &Found, credential: &IssuedCredential) -> bool {
    matches!(found, Found::Account { account, .. } if *account == credential.mrn)
}

async fn staged<S: SinkStore>(sink: &S, to: &Destination, key: &IssuedCredential) -> Staged {
    let probe = sink.probe(to).await.expect("takes a key");
    sink.stage(to, key, probe).await.expect("stages")
}

async fn put<S: SinkStore>(sink: &S, to: &Destination, key: &IssuedCredential) -> Staged {
    let staged = staged(sink, to, key).await;
    sink.promote(to, key, &staged).await.expect("delivers");
    staged
}

async fn probe<S: SinkStore>(sink: &S, to: &Destination) -> Probe {
    sink.probe(to).await.expect("takes a key")
}

/// Runs the whole suite.
pub(super) async fn keeps_to_the_contract(ground: &impl Ground) {
    a_free_place_says_so_and_a_probe_leaves_nothing(ground).await;
    a_key_is_not_seen_before_it_is_promoted_and_wholly_then(ground).await;
    a_second_promotion_changes_nothing(ground).await;
    what_the_probe_found_is_replaced(ground).await;
    what_came_since_the_probe_is_not_replaced(ground).await;
    what_is_no_credential_is_told_and_stays(ground).await;
    what_is_called_off_leaves_what_was_there(ground).await;
    another_key_is_not_taken_back(ground).await;
    a_key_is_removed_and_that_of_another_account_is_not(ground).await;
    a_key_is_read_as_it_was_delivered(ground).await;
    a_large_key_is_taken_whole_or_refused_before_it_is_written(ground).await;
}

async fn a_free_place_says_so_and_a_probe_leaves_nothing(ground: &impl Ground) {
    let (sink, to) = (ground.sink(), ground.place());
    for _ in 0..2 {
        let probe = probe(sink, &to).await;
        assert_eq!((probe.found, probe.version), (Found::Nobody, None));
        assert_eq!((ground.read(&to), ground.beside()), (None, 0));
    }
}

async fn a_key_is_not_seen_before_it_is_promoted_and_wholly_then(ground: &impl Ground) {
    let (sink, to, key) = (ground.sink(), ground.place(), credential("new"));
    let able = to.abilities();
    let staged = staged(sink, &to, &key).await;
    assert_eq!(ground.read(&to), None, "it is staged, not delivered");
    assert_eq!(staged.beside.is_some(), able.stage);
    assert_eq!(ground.beside(), usize::from(able.stage));
    let delivered = sink.promote(&to, &key, &staged).await.expect("delivers");
    assert_eq!(delivered.verified == Verified::Equal, able.read_back);
    assert_eq!(ground.beside(), 0, "nothing stays beside it");
    let there = ground.read(&to).expect("something is there");
    let expected = super::content::render(&key, to.place().of_kind().format());
    let expected = expected.expect("renders");
    assert!(there.trim_ascii() == expected.trim_ascii(), "another form");
    let seen = probe(sink, &to).await;
    assert_eq!(is_of(&seen.found, &key), able.read_back);
    assert_eq!(
        seen.version, delivered.version,
        "the version that was given"
    );
}

async fn a_second_promotion_changes_nothing(ground: &impl Ground) {
    let (sink, to, key) = (ground.sink(), ground.place(), credential("twice"));
    let staged = put(sink, &to, &key).await;
    let (there, version) = (ground.read(&to), probe(sink, &to).await.version);
    sink.promote(&to, &key, &staged).await.expect("is there");
    assert_eq!(ground.read(&to), there);
    assert_eq!(probe(sink, &to).await.version, version);
    assert_eq!(ground.beside(), 0);
}

async fn what_the_probe_found_is_replaced(ground: &impl Ground) {
    let (sink, to) = (ground.sink(), ground.place());
    put(sink, &to, &credential("first")).await;
    let second = credential("second");
    put(sink, &to, &second).await;
    if to.abilities().read_back {
        assert!(is_of(&probe(sink, &to).await.found, &second));
    }
    assert_eq!(ground.beside(), 0);
}

async fn what_came_since_the_probe_is_not_replaced(ground: &impl Ground) {
    let sink = ground.sink();
    // Before anything was there, and over a key that another run replaced meanwhile.
    for before in [None, Some(credential("before"))] {
        let (to, ours) = (ground.place(), credential("ours"));
        if let Some(before) = &before {
            put(sink, &to, before).await;
        }
        let early = probe(sink, &to).await;
        let staged = staged(sink, &to, &ours).await;
        put(sink, &to, &credential("theirs")).await;
        let there = ground.read(&to);
        let late = sink.promote(&to, &ours, &staged).await;
        let late = late.expect_err("refused");
        assert_eq!(late.kind, SinkErrorKind::Moved, "{late}");
        if to.abilities().stage {
            let later = sink.stage(&to, &ours, early).await;
            assert_eq!(later.expect_err("refused").kind, SinkErrorKind::Moved);
        }
        assert_eq!(ground.read(&to), there);
        sink.abandon(&to, &ours, &staged).await.expect("called off");
        assert_eq!((ground.read(&to), ground.beside()), (there, 0));
    }
}

async fn what_is_no_credential_is_told_and_stays(ground: &impl Ground) {
    let (sink, to, key) = (ground.sink(), ground.place(), credential("x"));
    let notes = b"milk, eggs, a private thought";
    ground.write(&to, notes);
    let probe = probe(sink, &to).await;
    match &probe.found {
        Found::Foreign { what } => {
            assert!(!what.contains("private thought"), "{what}");
            assert!(what.contains("; "), "without a way out: {what}");
        }
        Found::Unreadable => assert!(!to.abilities().read_back),
        found => panic!("{found:?}"),
    }
    // Even if somebody decided otherwise.
    if to.abilities().read_back {
        let error = sink.stage(&to, &key, probe).await.expect_err("refused");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("not really") && !told.contains("thought"));
        assert_eq!(ground.read(&to).as_deref(), Some(notes.as_slice()));
    }
    assert_eq!(ground.beside(), 0);
}

async fn what_is_called_off_leaves_what_was_there(ground: &impl Ground) {
    let sink = ground.sink();
    for promoted in [false, true] {
        for before in [None, Some(credential("before"))] {
            let (to, key) = (ground.place(), credential("off"));
            if let Some(before) = &before {
                put(sink, &to, before).await;
            }
            let there = ground.read(&to);
            let staged = staged(sink, &to, &key).await;
            if promoted {
                sink.promote(&to, &key, &staged).await.expect("delivers");
            }
            // Twice, as after an answer that was lost.
            for _ in 0..2 {
                let done = sink.abandon(&to, &key, &staged).await.expect("called off");
                let restores = to.abilities().restore && to.abilities().read_back;
                if done != Abandoned::Stays {
                    assert_eq!(ground.read(&to), there, "{done:?}");
                }
                assert!(done != Abandoned::Stays || !restores, "it could");
            }
            assert_eq!(ground.beside(), 0);
        }
    }
}

async fn another_key_is_not_taken_back(ground: &impl Ground) {
    let (sink, to, ours) = (ground.sink(), ground.place(), credential("ours"));
    let staged = staged(sink, &to, &ours).await;
    put(sink, &to, &credential("theirs")).await;
    let there = ground.read(&to);
    sink.abandon(&to, &ours, &staged).await.expect("called off");
    assert_eq!(ground.read(&to), there);
    assert_eq!(ground.beside(), 0);
}

async fn a_key_is_removed_and_that_of_another_account_is_not(ground: &impl Ground) {
    let (sink, to, ours) = (ground.sink(), ground.place(), credential("ours"));
    // What cannot be read back is known by the version that our last write left.
    let stays = match to.abilities().read_back {
        true => Removal::NotThere,
        false => Removal::Unknown,
    };
    let mut left = None;
    let remove = async |left: &Option<StoreVersion>| {
        let done = sink.remove(&to, &ours.mrn, left.as_ref()).await;
        done.expect("looks")
    };
    assert_eq!(remove(&left).await, Removal::NotThere, "nothing is");
    for theirs in ["theirs", "those of others"] {
        put(sink, &to, &credential(theirs)).await;
        let there = ground.read(&to);
        assert_eq!(remove(&left).await, stays);
        assert_eq!(ground.read(&to), there);
        let staged = staged(sink, &to, &ours).await;
        let wrote = sink.promote(&to, &ours, &staged).await.expect("delivers");
        left = wrote.version;
    }
    assert_eq!(remove(&left).await, Removal::Removed);
    assert_eq!((ground.read(&to), ground.beside()), (None, 0));
    // As after an answer that was lost.
    assert_eq!(remove(&left).await, Removal::NotThere);
    put(sink, &to, &credential("next")).await;
    assert!(ground.read(&to).is_some(), "the place is free again");
    let (to, notes) = (ground.place(), b"milk, eggs, a private thought");
    ground.write(&to, notes);
    // What is no credential is nobody's: it stays, whether that is told or refused.
    let _ = sink.remove(&to, &ours.mrn, None).await;
    assert_eq!(ground.read(&to).as_deref(), Some(notes.as_slice()));
}

/// The credential of an account with a key that can be used.
fn usable(id: &str) -> IssuedCredential {
    let rng = aws_lc_rs::rand::SystemRandom::new();
    let algorithm = &aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
    let key = aws_lc_rs::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &rng);
    let body = base64::engine::general_purpose::STANDARD.encode(key.expect("a key").as_ref());
    let lines: Vec<String> = body
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    );
    IssuedCredential {
        fingerprint: Fingerprint::of_private_key(&pem).expect("a key"),
        private_key: Secret::new(pem),
        certificate: "-----BEGIN CERTIFICATE-----\nc\n-----END CERTIFICATE-----\n".to_owned(),
        ..credential(id)
    }
}

async fn a_key_is_read_as_it_was_delivered(ground: &impl Ground) {
    let (sink, to, key) = (ground.sink(), ground.place(), usable("read"));
    if !to.abilities().read_back {
        put(sink, &to, &key).await;
        assert!(sink.read(&to).await.is_err(), "it cannot be read back");
        return;
    }
    let read = sink.read(&to).await.expect("looks");
    assert!(matches!(read, ReadKey::Nothing), "{read:?}");
    put(sink, &to, &key).await;
    let there = ground.read(&to);
    let read = sink.read(&to).await.expect("looks");
    let told = format!("{read:?}");
    let ReadKey::Key(read) = read else {
        panic!("{told}")
    };
    assert!(!told.contains("PRIVATE KEY"), "{told}");
    let all = |key: &IssuedCredential| {
        let IssuedCredential {
            mrn,
            certificate,
            private_key,
            scope_mrn,
            space_mrn,
            api_endpoint,
            fingerprint,
        } = key;
        let texts = [
            certificate,
            private_key.expose(),
            scope_mrn,
            space_mrn,
            api_endpoint,
        ];
        (mrn.clone(), texts.map(Clone::clone), fingerprint.clone())
    };
    assert_eq!(all(&read), all(&key));
    assert_eq!(ground.read(&to), there, "reading changes nothing");
    // A credential whose key nobody can use, and what is no credential.
    put(sink, &to, &credential("other")).await;
    let other = ground.place();
    ground.write(&other, b"milk, eggs, a private thought");
    for place in [&to, &other] {
        match sink.read(place).await.expect("looks") {
            ReadKey::Other(what) => {
                let leaks = what.contains("not really") || what.contains("thought");
                assert!(!leaks, "{what}");
            }
            read => panic!("{read:?}"),
        }
    }
}

/// Case 16: the size is known after the birth only, and what does not fit is told with both numbers.
async fn a_large_key_is_taken_whole_or_refused_before_it_is_written(ground: &impl Ground) {
    let (sink, most) = (ground.sink(), ground.most());
    let mut sizes = vec![1400, 4097, 9 * 1024];
    sizes.extend(most.into_iter().flat_map(|most| [most, most + 1]));
    for bytes in sizes {
        let to = ground.place();
        let format = to.place().of_kind().format();
        let key = padded(format, bytes);
        let value = super::content::render(&key, format).expect("renders");
        let value = value.trim_ascii_end();
        let fits = most.is_none_or(|most| value.len() <= most);
        let probe = probe(sink, &to).await;
        match sink.stage(&to, &key, probe).await {
            Ok(staged) => {
                assert!(fits, "{bytes} bytes were staged");
                sink.promote(&to, &key, &staged).await.expect("delivers");
                let there = ground.read(&to).expect("something is there");
                assert!(there.trim_ascii_end() == value, "{bytes} bytes");
            }
            Err(refused) => {
                assert!(!fits, "{refused}");
                let (told, most) = (refused.to_string(), most.expect("a limit"));
                assert_eq!(
                    (refused.kind, refused.effect),
                    (SinkErrorKind::Full, Effect::None)
                );
                for number in [value.len(), most] {
                    assert!(told.contains(&number.to_string()), "{told}");
                }
                assert_eq!((ground.read(&to), ground.beside()), (None, 0));
            }
        }
    }
}
