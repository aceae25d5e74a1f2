//! The sink against a server that answers as GitLab does.

use std::sync::Mutex as Held;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_standins::gitlab::{Fault, Gitlab, Kept, TOKEN};
use rolecall_standins::{Running, serve};
use serde_json::{Value, json};

use super::*;
use crate::model::{CredentialFormat, GitlabOwner, GitlabType};
use crate::ports::Effect;
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

const APP: &str = "projects/acme/app";
const NAME: &str = "MONDOO_CONFIG_BASE64";

fn group(path: &str) -> GitlabOwner {
    GitlabOwner::Group(path.to_owned())
}

struct Store {
    server: Running<Gitlab>,
    sink: GitlabSink,
    lent: Lent,
    place: GitlabPlace,
    places: Held<usize>,
}

impl Store {
    fn new() -> Self {
        Self::with(&[("ROLECALL_GITLAB_TOKEN", TOKEN)], |_| {})
    }

    /// A store whose sink logs in by these variables.
    fn with(variables: &[(&'static str, &str)], set_up: impl FnOnce(&mut Gitlab)) -> Self {
        let (_, lent) = Lent::machine(&[]);
        let mut gitlab = Gitlab::new();
        set_up(&mut gitlab);
        let server = serve(gitlab, ([127, 0, 0, 1], 0).into()).expect("a port");
        let api = format!("{}/api/v4", server.url);
        let mut all = vec![("CI_API_V4_URL", api.as_str())];
        all.extend(variables);
        let machine = lent.also(&all);
        let place = GitlabPlace {
            address: Origin::new(&server.url).expect("an address"),
            owner: GitlabOwner::Project("acme/app".to_owned()),
            environment_scope: "*".to_owned(),
            name: NAME.to_owned(),
            r#type: GitlabType::EnvVar,
            masked: true,
            hidden: false,
            protected: None,
            format: CredentialFormat::Base64,
        };
        Self {
            sink: GitlabSink::new(Arc::new(machine)),
            server,
            lent,
            place,
            places: Held::default(),
        }
    }

    /// The same with a place that is changed.
    fn at(change: impl FnOnce(&mut GitlabPlace)) -> Self {
        let mut store = Self::new();
        change(&mut store.place);
        store
    }

    fn hidden() -> Self {
        Self::at(|place| place.hidden = true)
    }

    fn to(&self) -> Destination {
        Destination::new("gitlab.ci", Place::Gitlab(self.place.clone()))
    }

    async fn staged(&self, key: &IssuedCredential) -> Result<Staged, SinkError> {
        let to = self.to();
        let probe = self.sink.probe(&to).await?;
        self.sink.stage(&to, key, probe).await
    }

    async fn put(&self, id: &str) -> Result<Delivered, SinkError> {
        let key = credential(id);
        let staged = self.staged(&key).await?;
        self.sink.promote(&self.to(), &key, &staged).await
    }

    /// Where the stand-in keeps the variable of a place.
    fn key(to: &Destination) -> (String, GitlabPlace) {
        let Place::Gitlab(place) = to.place() else {
            panic!("{to}")
        };
        let owner = match &place.owner {
            GitlabOwner::Project(path) => format!("projects/{path}"),
            GitlabOwner::Group(path) => format!("groups/{path}"),
        };
        (owner, place.clone())
    }

    fn kept(&self, to: &Destination) -> Option<Kept> {
        let (owner, place) = Self::key(to);
        self.server.with(|gitlab| {
            let kept = gitlab.variable(&owner, &place.name, &place.environment_scope);
            kept.cloned()
        })
    }

    fn there(&self) -> Option<Vec<u8>> {
        self.read(&self.to())
    }

    /// Somebody makes the variable in the web page, kept as the place says.
    fn makes(&self, value: &str) {
        self.write(&self.to(), value.as_bytes());
    }

    fn fault(&self, at: &str, fault: Fault) {
        self.server
            .with(|gitlab| gitlab.faults.push((at.to_owned(), fault)));
    }

    /// The requests since the last time, each as its method and the end of its path.
    fn asked(&self) -> Vec<String> {
        let calls = self.server.calls();
        let short = calls.iter().map(|call| {
            let (_, end) = call.path.rsplit_once('/').expect("a path");
            format!("{} {end}", call.method)
        });
        short.collect()
    }

    fn writes(&self) -> usize {
        let asked = self.asked();
        asked.iter().filter(|call| !call.starts_with("GET")).count()
    }
}

impl Ground for Store {
    type Sink = GitlabSink;

    fn sink(&self) -> &GitlabSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let place = GitlabPlace {
            name: format!("KEY_{places}"),
            ..self.place.clone()
        };
        Destination::new("gitlab.ci", Place::Gitlab(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        self.kept(to).map(|kept| kept.value.into_bytes())
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let (owner, place) = Self::key(to);
        let kept = Kept {
            value: String::from_utf8_lossy(bytes).into_owned(),
            variable_type: place.r#type.as_str().to_owned(),
            masked: place.masked,
            hidden: place.hidden,
            ..Kept::plain("")
        };
        self.server
            .with(|gitlab| gitlab.put(&owner, &place.name, &place.environment_scope, kept));
    }

    fn beside(&self) -> usize {
        0
    }
}

#[tokio::test]
async fn variables_of_all_kinds_keep_to_the_contract() {
    type Change = fn(&mut GitlabPlace);
    let changes: [Change; 8] = [
        |_| {},
        |place| place.environment_scope = "review/* of 1".to_owned(),
        |place| place.owner = group("acme/team"),
        |place| place.hidden = true,
        |place| {
            place.owner = group("acme");
            place.hidden = true;
            place.environment_scope = "production".to_owned();
        },
        |place| place.r#type = GitlabType::File,
        |place| {
            place.r#type = GitlabType::File;
            place.masked = false;
            place.format = CredentialFormat::Json;
        },
        |place| place.masked = false,
    ];
    for change in changes {
        keeps_to_the_contract(&Store::at(change)).await;
    }
}

/// Case 13: what a job gets in `MONDOO_CONFIG_BASE64` is the credential in one line, without an end of it.
#[tokio::test]
async fn the_value_is_one_line_that_decodes_to_the_credential() {
    for hidden in [false, true] {
        let store = Store::at(|place| place.hidden = hidden);
        store.put("one").await.expect("delivers");
        let value = store.there().expect("it is there");
        assert!(value.iter().all(u8::is_ascii_graphic), "one line");
        let decoded = STANDARD.decode(&value).expect("base64");
        let json = content::render(&credential("one"), CredentialFormat::Json).expect("renders");
        assert_eq!(decoded, *json);
    }
}

#[tokio::test]
async fn a_delivery_takes_four_requests_and_the_token_is_looked_at_once() {
    let store = Store::new();
    store.put("one").await.expect("delivers");
    let first = store.asked();
    assert_eq!(first.first().map(String::as_str), Some("GET self"));
    assert_eq!(first[3], "POST variables");
    store.put("two").await.expect("delivers");
    let expected = ["GET", "GET", "PUT", "GET"].map(|method| format!("{method} {NAME}"));
    assert_eq!(store.asked(), expected);
    let told = store.lent.told.lock().expect("no panic");
    let mut operations: Vec<_> = told.iter().map(|request| request.operation).collect();
    operations.dedup();
    assert_eq!(
        operations[..3],
        ["gitlab login", "gitlab look", "gitlab write"]
    );
}

#[tokio::test]
async fn what_is_hidden_is_not_asked_for_after_the_write() {
    let store = Store::hidden();
    store.put("one").await.expect("delivers");
    let expected = ["self", NAME, NAME].map(|end| format!("GET {end}"));
    assert_eq!(
        store.asked(),
        [&expected[..], &["POST variables".to_owned()]].concat()
    );
}

/// A job gets the variable of the more specific scope: a key in the other is not what it logs in with.
#[tokio::test]
async fn a_variable_of_another_scope_is_told_and_stays() {
    for (ours, others, noted) in [
        ("*", &["production"][..], true),
        ("*", &["production", "staging"], true),
        ("review/*", &["*"], true),
        ("production", &["*", "staging"], false),
        ("*", &[], false),
    ] {
        for again in [false, true] {
            let store = Store::at(|place| place.environment_scope = ours.to_owned());
            if again {
                store.put("before").await.expect("delivers");
            }
            for scope in others {
                let kept = Kept::plain("of others, which is no credential");
                store
                    .server
                    .with(|gitlab| gitlab.put(APP, NAME, scope, kept));
            }
            let delivered = store.put("one").await.expect("delivers");
            let note = delivered.note.unwrap_or_default();
            assert_eq!(
                note.contains("more specific"),
                noted,
                "{ours} {others:?}: {note}"
            );
            for scope in others {
                let kept = store
                    .server
                    .with(|gitlab| gitlab.variable(APP, NAME, scope).cloned());
                assert_eq!(kept, Some(Kept::plain("of others, which is no credential")));
            }
        }
    }
}

#[tokio::test]
async fn a_new_variable_is_kept_as_the_sink_says() {
    let usual = Kept {
        protected: true,
        masked: true,
        raw: true,
        ..Kept::plain("")
    };
    type Change = fn(&mut GitlabPlace);
    let of: [(Change, Kept); 4] = [
        (|_| {}, usual.clone()),
        (
            |place| place.hidden = true,
            Kept {
                hidden: true,
                ..usual.clone()
            },
        ),
        (
            |place| {
                place.protected = Some(false);
                place.masked = false;
            },
            Kept {
                protected: false,
                masked: false,
                ..usual.clone()
            },
        ),
        (
            |place| place.r#type = GitlabType::File,
            Kept {
                variable_type: "file".to_owned(),
                ..usual.clone()
            },
        ),
    ];
    for (change, expected) in of {
        let store = Store::at(change);
        store.put("one").await.expect("delivers");
        let mut kept = store.kept(&store.to()).expect("it is there");
        kept.value.clear();
        assert_eq!(kept, expected);
    }
}

/// A delivery changes the value and nothing else, neither of the variable nor of its neighbours.
#[tokio::test]
async fn all_but_the_value_stays_as_it_was() {
    for (protected, raw, hidden) in [
        (true, false, false),
        (false, true, false),
        (false, false, true),
    ] {
        let store = Store::at(|place| place.hidden = hidden);
        let before = Kept {
            protected,
            raw,
            hidden,
            masked: true,
            description: Some("by hand, for the scan".to_owned()),
            ..Kept::plain("of-former-times")
        };
        let neighbour = Kept::plain("another scope's");
        store.server.with(|gitlab| {
            gitlab.put(APP, NAME, "*", before.clone());
            gitlab.put(APP, NAME, "production", neighbour.clone());
        });
        let key = credential("one");
        // What is readable and no credential is not written over, but by who decided so before.
        let former = content::render(&credential("former"), CredentialFormat::Base64);
        let former = String::from_utf8(former.expect("renders").trim_ascii_end().to_vec());
        let former = former.expect("text");
        store
            .server
            .with(|gitlab| gitlab.set(APP, NAME, "*", &former));
        let staged = store.staged(&key).await.expect("stages");
        store
            .sink
            .promote(&store.to(), &key, &staged)
            .await
            .expect("delivers");
        let mut kept = store.kept(&store.to()).expect("it is there");
        assert_ne!(kept.value, former);
        kept.value.clone_from(&before.value);
        assert_eq!(kept, before);
        let other = store
            .server
            .with(|gitlab| gitlab.variable(APP, NAME, "production").cloned());
        assert_eq!(other, Some(neighbour));
        let done = store.sink.abandon(&store.to(), &key, &staged).await;
        let expected = match hidden {
            true => Abandoned::Stays,
            false => Abandoned::Restored,
        };
        assert_eq!(done, Ok(expected));
        if !hidden {
            let restored = Kept {
                value: former,
                ..before
            };
            assert_eq!(store.kept(&store.to()), Some(restored));
        }
    }
}

/// A variable that is kept otherwise than the sink says is refused before there is a key.
#[tokio::test]
async fn a_variable_that_is_kept_otherwise_is_refused_at_the_probe() {
    let masked = Kept {
        masked: true,
        ..Kept::plain("whatever-it-is")
    };
    type Change = fn(&mut GitlabPlace);
    let cases: [(Change, Kept, &str); 6] = [
        (
            |_| {},
            Kept::plain("x"),
            "not masked, and the sink says that it is",
        ),
        (
            |place| place.masked = false,
            masked.clone(),
            "masked, and the sink says that it is not",
        ),
        (
            |place| place.hidden = true,
            masked.clone(),
            "not hidden, and the sink says that it is",
        ),
        (
            |_| {},
            Kept {
                hidden: true,
                ..masked.clone()
            },
            "hidden, and the sink says that it can be read; add `hidden = true`",
        ),
        (
            |place| place.protected = Some(true),
            masked.clone(),
            "not protected, and the sink says protected",
        ),
        (
            |place| place.r#type = GitlabType::File,
            masked.clone(),
            "of the type env_var, and the sink says file",
        ),
    ];
    for (change, kept, words) in cases {
        let store = Store::at(change);
        store.server.with(|gitlab| gitlab.put(APP, NAME, "*", kept));
        let refused = store.put("one").await.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::Unfit);
        assert!(refused.to_string().contains(words), "{refused}");
        assert_eq!(store.writes(), 0);
    }
}

/// GitLab leaves out what is not paid for, or not known to it yet, without a word.
#[tokio::test]
async fn what_gitlab_made_otherwise_than_asked_for_is_deleted_again() {
    let store = Store::with(&[("ROLECALL_GITLAB_TOKEN", TOKEN)], |gitlab| {
        gitlab.group_scopes = false;
    });
    let old = Store::with(&[("ROLECALL_GITLAB_TOKEN", TOKEN)], |gitlab| {
        gitlab.hides = false;
    });
    let (mut store, mut old) = (store, old);
    store.place.owner = group("acme");
    store.place.environment_scope = "production".to_owned();
    old.place.hidden = true;
    for (store, words) in [(&store, "Premium"), (&old, "17.4")] {
        let key = credential("one");
        let staged = store.staged(&key).await.expect("stages");
        let refused = store.sink.promote(&store.to(), &key, &staged).await;
        let refused = refused.expect_err("refused");
        assert_eq!(
            (refused.kind, refused.effect),
            (SinkErrorKind::Unfit, Effect::None)
        );
        assert!(refused.to_string().contains(words), "{refused}");
        assert_eq!(store.server.with(|gitlab| gitlab.count()), 0, "it is gone");
        let done = store.sink.abandon(&store.to(), &key, &staged).await;
        assert_eq!(done, Ok(Abandoned::Gone));
        // If that fails, it is told where the key is.
        store.fault("DELETE ", Fault::Cut);
        let stays = store.put("two").await.expect_err("refused");
        assert_eq!(stays.effect, Effect::Unknown);
        assert!(
            stays
                .to_string()
                .contains("the key is in the variable of the scope *"),
            "{stays}"
        );
    }
}

#[tokio::test]
async fn what_was_written_between_the_probe_and_the_write_stays() {
    for hidden in [false, true] {
        let store = Store::at(|place| place.hidden = hidden);
        let key = credential("ours");
        let staged = store.staged(&key).await.expect("stages");
        store.makes("theirs-it-is");
        let late = store.sink.promote(&store.to(), &key, &staged).await;
        assert_eq!(late.expect_err("refused").kind, SinkErrorKind::Moved);
        let done = store.sink.abandon(&store.to(), &key, &staged).await;
        assert_eq!(done, Ok(Abandoned::Gone), "nothing of ours is there");
        assert_eq!(store.there(), Some(b"theirs-it-is".to_vec()));
        assert_eq!(store.writes(), 0);
    }
}

/// Between the second look and the write: GitLab makes no variable that is there.
#[tokio::test]
async fn a_variable_that_somebody_makes_at_the_same_moment_stays() {
    for hidden in [false, true] {
        let store = Store::at(|place| place.hidden = hidden);
        let key = credential("ours");
        let staged = store.staged(&key).await.expect("stages");
        store.fault("POST ", Fault::Written("theirs-it-is".to_owned()));
        let late = store.sink.promote(&store.to(), &key, &staged).await;
        let late = late.expect_err("refused");
        assert_eq!(
            (late.kind, late.effect),
            (SinkErrorKind::Moved, Effect::None)
        );
        let done = store.sink.abandon(&store.to(), &key, &staged).await;
        assert_eq!(done, Ok(Abandoned::Gone), "nothing of ours is there");
        assert_eq!(store.there(), Some(b"theirs-it-is".to_vec()));
    }
}

/// Case 19: what an answer says and what was done are two things.
#[tokio::test]
async fn what_is_there_decides_after_an_answer_that_cannot_be_trusted() {
    let refusal = || json!({"message": "403 Forbidden"});
    for (fault, done) in [
        (Fault::LostAnswer, true),
        (Fault::Cut, false),
        (Fault::RefuseDone(403, refusal()), true),
        (Fault::RefuseDone(500, refusal()), true),
        (Fault::Refuse(403, refusal()), false),
        (Fault::Refuse(502, refusal()), false),
    ] {
        for before in [false, true] {
            let store = Store::new();
            if before {
                store.put("before").await.expect("delivers");
            }
            let (there, key) = (store.there(), credential("one"));
            let staged = store.staged(&key).await.expect("stages");
            store.asked();
            let at = if before { "PUT " } else { "POST " };
            store.fault(at, fault.clone());
            let came = store.sink.promote(&store.to(), &key, &staged).await;
            match done {
                true => assert_eq!(came.expect("is there").verified, Verified::Equal),
                false => {
                    let failed = came.expect_err("failed");
                    assert_eq!(failed.effect, Effect::None, "{fault:?} {before}: {failed}");
                    assert!(failed.message.contains("was not written"), "{failed}");
                    assert_eq!(store.there(), there);
                }
            }
            assert_eq!(store.writes(), 1, "never a second write");
        }
    }
}

/// The same where nobody can read it: a new variable is there or not, and of one that was there nothing
/// tells.
#[tokio::test]
async fn a_hidden_variable_whose_write_failed_is_never_called_delivered() {
    let refusal = || json!({"message": "403 Forbidden"});
    for (fault, done) in [
        (Fault::LostAnswer, true),
        (Fault::Cut, false),
        (Fault::RefuseDone(403, refusal()), true),
        (Fault::Refuse(403, refusal()), false),
        (Fault::Refuse(502, refusal()), false),
        (Fault::Refuse(401, refusal()), false),
    ] {
        for before in [false, true] {
            let store = Store::hidden();
            if before {
                store.makes("before-it-was");
            }
            let (there, key) = (store.there(), credential("one"));
            let staged = store.staged(&key).await.expect("stages");
            let at = if before { "PUT " } else { "POST " };
            store.fault(at, fault.clone());
            let failed = store.sink.promote(&store.to(), &key, &staged).await;
            let failed = failed.expect_err("failed");
            let told = matches!(fault, Fault::Refuse(401, _)) || (!before && !done);
            let effect = if told { Effect::None } else { Effect::Unknown };
            assert_eq!(failed.effect, effect, "{fault:?} {before}: {failed}");
            let left = store.sink.abandon(&store.to(), &key, &staged).await;
            match told {
                true => assert_eq!((left, store.there()), (Ok(Abandoned::Gone), there)),
                // It may be somebody else's.
                false => assert_eq!(left, Ok(Abandoned::Stays), "{fault:?} {before}"),
            }
            // Nothing is removed of which nobody knows whose it is.
            let removed = store.sink.remove(&store.to(), &key.mrn, None).await;
            let expected = match store.there() {
                None => Removal::NotThere,
                Some(_) => Removal::Unknown,
            };
            assert_eq!(removed, Ok(expected));
        }
    }
}

#[tokio::test]
async fn what_another_run_hid_is_not_removed() {
    let store = Store::hidden();
    let key = credential("one");
    store.put("one").await.expect("delivers");
    let api = format!("{}/api/v4", store.server.url);
    let machine = store
        .lent
        .also(&[("CI_API_V4_URL", &api), ("ROLECALL_GITLAB_TOKEN", TOKEN)]);
    let next = GitlabSink::new(Arc::new(machine));
    let removed = next.remove(&store.to(), &key.mrn, None).await;
    assert_eq!(removed, Ok(Removal::Unknown));
    assert!(store.there().is_some());
    let probe = next.probe(&store.to()).await.expect("answers");
    assert_eq!((probe.found, probe.version), (Found::Unreadable, None));
}

/// Case 4: a server that has not heard of a write yet is asked again, and nothing is written twice.
#[tokio::test]
async fn a_read_that_is_late_is_repeated() {
    let store = Store::new();
    let key = credential("one");
    let staged = store.staged(&key).await.expect("stages");
    // The first look is before the write, the second after it.
    store.fault("GET ", Fault::Stale);
    store.fault("GET ", Fault::Stale);
    store.asked();
    let came = store.sink.promote(&store.to(), &key, &staged).await;
    assert_eq!(came.expect("delivers").verified, Verified::Equal);
    let asked = ["GET", "POST", "GET", "GET"];
    let asked = asked.map(|method| match method {
        "POST" => "POST variables".to_owned(),
        method => format!("{method} {NAME}"),
    });
    assert_eq!(store.asked(), asked);
}

#[tokio::test]
async fn what_is_there_after_a_write_and_is_not_ours_is_told() {
    let store = Store::new();
    let key = credential("one");
    let staged = store.staged(&key).await.expect("stages");
    // The look before the write finds nothing to change; that behind it does.
    for _ in 0..2 {
        store.fault("GET ", Fault::Written("somebody".to_owned()));
    }
    let failed = store.sink.promote(&store.to(), &key, &staged).await;
    let failed = failed.expect_err("is not there");
    assert_eq!(
        (failed.kind, failed.effect),
        (SinkErrorKind::Malformed, Effect::Unknown)
    );
}

#[tokio::test]
async fn a_login_goes_where_it_came_from() {
    type Variables = &'static [(&'static str, &'static str)];
    let token = ("ROLECALL_GITLAB_TOKEN", TOKEN);
    let cases: [(Variables, &str, &str); 6] = [
        (
            &[("ROLECALL_GITLAB_TOKEN", TOKEN)],
            "http://127.0.0.1:1",
            "the login is for https://gitlab.com (CI_API_V4_URL) and not for http://127.0.0.1:1",
        ),
        (
            &[
                ("ROLECALL_GITLAB_TOKEN", TOKEN),
                ("CI_API_V4_URL", "https://gitlab.acme.example/api/v4"),
            ],
            "https://gitlab.com",
            "the login is for https://gitlab.acme.example (CI_API_V4_URL)",
        ),
        (
            &[
                ("ROLECALL_GITLAB_TOKEN", TOKEN),
                ("CI_API_V4_URL", "https://gitlab.acme.example/git/api/v4"),
            ],
            "https://gitlab.acme.example",
            "CI_API_V4_URL is no address",
        ),
        (
            &[
                ("ROLECALL_GITLAB_TOKEN", TOKEN),
                ("CI_API_V4_URL", "http://gitlab.acme.example/api/v4"),
            ],
            "https://gitlab.acme.example",
            "CI_API_V4_URL is no address",
        ),
        (
            &[],
            "https://gitlab.com",
            "ROLECALL_GITLAB_TOKEN was looked for",
        ),
        (
            &[("CI_JOB_TOKEN", "glcbt-64_abcdefghij")],
            "https://gitlab.com",
            "CI_JOB_TOKEN and GITLAB_TOKEN are not used",
        ),
    ];
    for (variables, to, words) in cases {
        let (machine, lent) = Lent::machine(variables);
        let sink = GitlabSink::new(Arc::new(machine));
        let place = GitlabPlace {
            address: Origin::new(to).expect("an address"),
            ..Store::new().place
        };
        let to = Destination::new("gitlab.ci", Place::Gitlab(place));
        let refused = sink.probe(&to).await.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::Unauthenticated);
        assert!(refused.to_string().contains(words), "{refused}");
        assert!(!refused.to_string().contains(TOKEN), "{refused}");
        assert!(lent.told.lock().expect("no panic").is_empty(), "{refused}");
    }
    // A policy directory may say so.
    let store = Store::new();
    let mut machine = store.lent.also(&[token]);
    machine.allowed = vec![store.place.address.clone()];
    let sink = GitlabSink::new(Arc::new(machine));
    sink.probe(&store.to()).await.expect("may");
}

#[tokio::test]
async fn a_token_that_may_not_write_is_refused_before_there_is_a_key() {
    type SetUp = fn(&mut Gitlab);
    let cases: [(SetUp, SinkErrorKind, &str); 5] = [
        (
            |gitlab| gitlab.revoke(TOKEN),
            SinkErrorKind::Unauthenticated,
            "does not take the login of ROLECALL_GITLAB_TOKEN",
        ),
        (
            |gitlab| gitlab.token(TOKEN, &["read_api"], &[]),
            SinkErrorKind::Unauthenticated,
            "may only read",
        ),
        (
            |gitlab| gitlab.token(TOKEN, &["read_repository"], &[]),
            SinkErrorKind::PermissionDenied,
            "needs the scope `api` and the role Maintainer in the project acme/app",
        ),
        (
            |gitlab| gitlab.token(TOKEN, &["api"], &["/variables"]),
            SinkErrorKind::PermissionDenied,
            "403 Forbidden",
        ),
        (
            |gitlab| {
                gitlab.faults.push((
                    "/variables".to_owned(),
                    Fault::Refuse(404, json!({"message": "404 Project Not Found"})),
                ));
            },
            SinkErrorKind::NotFound,
            "shows this login no project acme/app",
        ),
    ];
    for (set_up, kind, words) in cases {
        let store = Store::with(&[("ROLECALL_GITLAB_TOKEN", TOKEN)], set_up);
        let refused = store.put("one").await.expect_err("refused");
        assert_eq!(refused.kind, kind, "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
        assert!(!refused.to_string().contains(TOKEN), "{refused}");
        assert_eq!(store.writes(), 0);
    }
    // A server that tells nothing of tokens is none that refuses.
    let store = Store::new();
    let told = json!({"error": "404 Not Found"});
    store.fault("/self", Fault::Refuse(404, told));
    store.put("one").await.expect("delivers");
}

#[tokio::test]
async fn too_many_requests_are_waited_for_and_redirects_are_not_followed() {
    let store = Store::new();
    let told = json!({"message": {"error": "This endpoint has been requested too many times."}});
    store.fault("POST ", Fault::Refuse(429, told));
    store.put("one").await.expect("delivers in the end");
    let store = Store::new();
    store.fault("/variables", Fault::Moved);
    let refused = store.put("one").await.expect_err("refused").to_string();
    assert!(
        refused.contains("on to gitlab.elsewhere.example"),
        "{refused}"
    );
}

/// No error repeats what was sent, whatever the server says.
#[tokio::test]
async fn no_error_holds_a_login_or_a_value() {
    let store = Store::new();
    let key = credential("one");
    let staged = store.staged(&key).await.expect("stages");
    let value = rendered(&key, &store.place).expect("renders");
    let echo: Value = json!({"message": {"value": [format!("{} {TOKEN} is invalid", *value)]}});
    store.fault("POST ", Fault::Refuse(400, echo));
    let refused = store.sink.promote(&store.to(), &key, &staged).await;
    let refused = refused.expect_err("refused").to_string();
    assert!(
        !refused.contains(&value[..16]) && !refused.contains(&TOKEN[..16]),
        "{refused}"
    );
    assert!(refused.contains("is invalid"), "{refused}");
}

#[tokio::test]
async fn who_may_not_delete_is_told_that_the_key_stays() {
    let store = Store::with(&[("ROLECALL_GITLAB_TOKEN", TOKEN)], |gitlab| {
        gitlab.token(TOKEN, &["api"], &["DELETE "]);
    });
    let key = credential("one");
    let staged = store.staged(&key).await.expect("stages");
    store
        .sink
        .promote(&store.to(), &key, &staged)
        .await
        .expect("delivers");
    let done = store.sink.abandon(&store.to(), &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Stays));
    let failed = store.sink.remove(&store.to(), &key.mrn, None).await;
    assert_eq!(
        failed.expect_err("stays").kind,
        SinkErrorKind::PermissionDenied
    );
}
