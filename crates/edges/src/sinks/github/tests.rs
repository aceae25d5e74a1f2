//! The sink against a server that answers as GitHub does.

use std::sync::Mutex as Held;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_standins::github::{APP, Fault, Github, INSTALLATION, TOKEN};
use rolecall_standins::{Running, serve};

use jiff::SignedDuration;

use super::*;
use crate::model::{CredentialFormat, GithubApp, GithubOwner, GithubVisibility, Origin};
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

const ACTIONS: &str = "repos/acme/app/actions";
const NAME: &str = "MONDOO_CONFIG_BASE64";

fn repository(name: &str) -> GithubOwner {
    GithubOwner::Repository(name.to_owned())
}

fn organization(visibility: Option<GithubVisibility>) -> GithubOwner {
    GithubOwner::Organization {
        name: "acme".to_owned(),
        visibility,
    }
}

struct Store {
    server: Running<Github>,
    sink: GithubSink,
    lent: Lent,
    place: GithubPlace,
    places: Held<usize>,
}

impl Store {
    fn new() -> Self {
        Self::with(&[("ROLECALL_GITHUB_TOKEN", TOKEN)], |_| {})
    }

    /// A store whose server runs by the clock of the machine, and whose sink logs in by these variables.
    fn with(variables: &[(&'static str, &str)], set_up: impl FnOnce(&mut Github)) -> Self {
        Self::of(
            |_| {
                variables
                    .iter()
                    .map(|(n, v)| (*n, (*v).to_owned()))
                    .collect()
            },
            set_up,
        )
    }

    fn of(
        variables: impl FnOnce(&mut Github) -> Vec<(&'static str, String)>,
        set_up: impl FnOnce(&mut Github),
    ) -> Self {
        let (_, lent) = Lent::machine(&[]);
        let clock = Arc::clone(&lent.now);
        let clock = move || clock.lock().expect("no panic").as_second();
        let mut github = Github::new(Arc::new(clock));
        set_up(&mut github);
        let variables = variables(&mut github);
        let server = serve(github, ([127, 0, 0, 1], 0).into()).expect("a port");
        let mut all = vec![("GITHUB_API_URL", server.url.as_str())];
        all.extend(
            variables
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        let machine = lent.also(&all);
        let place = GithubPlace {
            address: GithubApi::new(&server.url).expect("an address"),
            owner: repository("acme/app"),
            app: GithubApp::Actions,
            name: NAME.to_owned(),
            format: CredentialFormat::Base64,
        };
        Self {
            sink: GithubSink::new(Arc::new(machine)),
            server,
            lent,
            place,
            places: Held::default(),
        }
    }

    fn at(owner: GithubOwner) -> Self {
        let mut store = Self::new();
        store.place.owner = owner;
        store
    }

    fn to(&self) -> Destination {
        Destination::new("github.ci", Place::Github(self.place.clone()))
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

    /// Where the stand-in keeps the secret of a place.
    fn key(to: &Destination) -> (String, String) {
        let Place::Github(place) = to.place() else {
            panic!("{to}")
        };
        let at = place.secrets().replace("%20", " ");
        let at = at.trim_start_matches('/').trim_end_matches("/secrets");
        (at.to_owned(), place.name.clone())
    }

    fn there(&self) -> Option<Vec<u8>> {
        self.read(&self.to())
    }

    fn fault(&self, at: &str, fault: Fault) {
        self.server
            .with(|github| github.faults.push((at.to_owned(), fault)));
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

    /// How long was waited since the beginning.
    fn waited(&self) -> i64 {
        let start: jiff::Timestamp = "2026-11-01T10:00:00Z".parse().expect("a time");
        let now = *self.lent.now.lock().expect("no panic");
        now.as_second() - start.as_second()
    }
}

impl Ground for Store {
    type Sink = GithubSink;

    fn sink(&self) -> &GithubSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let place = GithubPlace {
            name: format!("KEY_{places}"),
            ..self.place.clone()
        };
        Destination::new("github.ci", Place::Github(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        let (at, name) = Self::key(to);
        self.server.with(|github| github.value(&at, &name))
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let (at, name) = Self::key(to);
        self.server.with(|github| github.put(&at, &name, bytes));
    }

    fn beside(&self) -> usize {
        0
    }

    fn most(&self) -> Option<usize> {
        Some(sealed::LARGEST)
    }
}

#[tokio::test]
async fn secrets_of_all_owners_keep_to_the_contract() {
    let environment = GithubOwner::Environment {
        repository: "acme/app".to_owned(),
        name: "production".to_owned(),
    };
    for owner in [
        repository("acme/app"),
        environment,
        organization(None),
        organization(Some(GithubVisibility::Private)),
    ] {
        keeps_to_the_contract(&Store::at(owner)).await;
    }
    for app in [GithubApp::Dependabot, GithubApp::Codespaces] {
        let mut store = Store::new();
        store.place.app = app;
        keeps_to_the_contract(&store).await;
    }
}

/// Case 13: what a job gets in `MONDOO_CONFIG_BASE64` is the credential in one line, without an end of it.
#[tokio::test]
async fn the_value_is_one_line_that_decodes_to_the_credential() {
    let store = Store::new();
    store.put("one").await.expect("delivers");
    let value = store.there().expect("opens");
    assert!(value.iter().all(u8::is_ascii_graphic), "one line");
    let decoded = STANDARD.decode(&value).expect("base64");
    let json = content::render(&credential("one"), CredentialFormat::Json).expect("renders");
    assert_eq!(decoded, *json);
}

#[tokio::test]
async fn a_delivery_takes_four_requests_and_a_key_and_a_login_are_for_all() {
    let store = Store::of(app, |_| {});
    store.put("one").await.expect("delivers");
    let first = store.asked();
    assert_eq!(
        first.first().map(String::as_str),
        Some("POST access_tokens")
    );
    assert_eq!(first.get(1).map(String::as_str), Some("GET public-key"));
    store.put("two").await.expect("delivers");
    let expected = ["GET", "GET", "PUT", "GET"].map(|method| format!("{method} {NAME}"));
    assert_eq!(store.asked(), expected);
    let told = store.lent.told.lock().expect("no panic");
    let mut operations: Vec<_> = told.iter().map(|request| request.operation).collect();
    operations.dedup();
    assert_eq!(
        operations,
        [
            "github login",
            "github key",
            "github look",
            "github write",
            "github look",
            "github write",
            "github look"
        ]
    );
}

/// Case 11: sealed for the key that is the server's now.
#[tokio::test]
async fn a_public_key_that_changed_is_fetched_once_more() {
    let store = Store::new();
    store.put("one").await.expect("delivers");
    let before = store.server.with(|github| github.encrypted(ACTIONS, NAME));
    store.asked();
    store.fault("PUT ", Fault::NewKey);
    store.put("one").await.expect("delivers");
    assert_eq!(
        store.asked(),
        [
            format!("GET {NAME}"),
            format!("GET {NAME}"),
            format!("PUT {NAME}"),
            "GET public-key".to_owned(),
            format!("PUT {NAME}"),
            format!("GET {NAME}")
        ]
    );
    assert!(store.there().is_some(), "it opens");
    let after = store.server.with(|github| github.encrypted(ACTIONS, NAME));
    assert_ne!(before, after, "the same bytes in another box");
    // Once: what is refused for another reason is not tried for ever.
    for _ in 0..3 {
        store.fault("PUT ", Fault::Refuse(422, "no".to_owned()));
    }
    store.asked();
    let refused = store.put("two").await.expect_err("refused");
    assert_eq!(
        (refused.kind, refused.effect),
        (SinkErrorKind::Unfit, Effect::None)
    );
    let asked = store.asked();
    let writes = asked.iter().filter(|call| call.starts_with("PUT"));
    assert_eq!(writes.count(), 1, "{asked:?}");
}

/// A delivery changes the value, and not who sees it. Case of others: a list that is left out is cleared, and
/// a default widens.
#[tokio::test]
async fn visibility_and_the_list_of_repositories_stay() {
    let ids: Vec<u64> = (1..=150).collect();
    for (visibility, ids) in [("selected", ids), ("private", vec![]), ("all", vec![])] {
        let store = Store::at(organization(None));
        store.write(&store.to(), b"before");
        store
            .server
            .with(|github| github.show("orgs/acme/actions", NAME, visibility, &ids));
        store.put("one").await.expect("delivers");
        let seers = store
            .server
            .with(|github| github.seers("orgs/acme/actions", NAME));
        assert_eq!(seers, Some((visibility.to_owned(), ids)));
    }
    // A new one is for nobody, if the sink does not say otherwise.
    for (wanted, visibility) in [(None, "selected"), (Some(GithubVisibility::All), "all")] {
        let store = Store::at(organization(wanted));
        store.put("one").await.expect("delivers");
        let seers = store
            .server
            .with(|github| github.seers("orgs/acme/actions", NAME));
        assert_eq!(seers, Some((visibility.to_owned(), vec![])));
    }
}

#[tokio::test]
async fn a_secret_that_more_see_than_the_sink_says_is_refused() {
    let store = Store::at(organization(Some(GithubVisibility::Private)));
    store.write(&store.to(), b"before");
    store
        .server
        .with(|github| github.show("orgs/acme/actions", NAME, "all", &[]));
    let refused = store.put("one").await.expect_err("refused").to_string();
    assert!(
        refused.contains("visible to all, and the sink says private"),
        "{refused}"
    );
    assert!(store.asked().iter().all(|call| call.starts_with("GET")));
}

/// A list that is shorter than it says to be would take repositories off.
#[tokio::test]
async fn nothing_is_written_without_the_whole_list() {
    let store = Store::at(organization(None));
    store.write(&store.to(), b"before");
    let ids: Vec<u64> = (1..=101).collect();
    store
        .server
        .with(|github| github.show("orgs/acme/actions", NAME, "selected", &ids));
    store.fault(
        "repositories",
        Fault::Refuse(403, "Resource not accessible".to_owned()),
    );
    let refused = store.put("one").await.expect_err("refused");
    assert_eq!(refused.kind, SinkErrorKind::PermissionDenied);
    assert_eq!(store.there(), Some(b"before".to_vec()));
}

/// Case 10: whose clock is right does not matter, and a write of somebody else is told by its time.
#[tokio::test]
async fn a_write_of_somebody_else_is_seen_whatever_the_clocks_say() {
    for skew in [-24, 24] {
        let store = Store::new();
        store.server.with(|github| github.skew = skew);
        let delivered = store.put("one").await.expect("delivers");
        let probe = store.sink.probe(&store.to()).await.expect("answers");
        assert_eq!(probe.found, Found::Unreadable);
        assert_eq!(probe.version, delivered.version);
        store.write(&store.to(), b"from the web page");
        let probe = store.sink.probe(&store.to()).await.expect("answers");
        assert_ne!(probe.version, delivered.version);
    }
}

#[tokio::test]
async fn what_was_written_between_the_probe_and_the_write_stays() {
    for before in [None, Some(&b"before"[..])] {
        let store = Store::new();
        if let Some(before) = before {
            store.write(&store.to(), before);
        }
        let key = credential("ours");
        let staged = store.staged(&key).await.expect("stages");
        store.write(&store.to(), b"theirs");
        let late = store.sink.promote(&store.to(), &key, &staged).await;
        assert_eq!(late.expect_err("refused").kind, SinkErrorKind::Moved);
        let done = store.sink.abandon(&store.to(), &key, &staged).await;
        assert_eq!(done, Ok(Abandoned::Gone), "nothing of ours is there");
        assert_eq!(store.there(), Some(b"theirs".to_vec()));
    }
}

/// Case 19: what an answer says and what was done are two things.
#[tokio::test]
async fn the_time_of_change_decides_after_an_answer_that_cannot_be_trusted() {
    let refusal = |status| (status, "whatever".to_owned());
    for (fault, done) in [
        (Fault::LostAnswer, true),
        (Fault::Cut, false),
        (Fault::RefuseDone(refusal(403).0, refusal(403).1), true),
        (Fault::RefuseDone(refusal(500).0, refusal(500).1), true),
        (Fault::Refuse(refusal(403).0, refusal(403).1), false),
        (Fault::Refuse(refusal(502).0, refusal(502).1), false),
    ] {
        for before in [None, Some(b"before".to_vec())] {
            let store = Store::new();
            if let Some(before) = &before {
                store.write(&store.to(), before);
            }
            let key = credential("one");
            let staged = store.staged(&key).await.expect("stages");
            store.asked();
            store.fault("PUT ", fault.clone());
            let failed = store.sink.promote(&store.to(), &key, &staged).await;
            let failed = failed.expect_err("failed");
            let effect = if done { Effect::Unknown } else { Effect::None };
            assert_eq!(failed.effect, effect, "{fault:?} {before:?}: {failed}");
            let writes = store.asked();
            let writes = writes.iter().filter(|call| call.starts_with("PUT"));
            assert_eq!(writes.count(), 1, "never a second write");
            // What is unknown stays so when it is asked again, and nothing is written then.
            if done {
                let again = store.sink.promote(&store.to(), &key, &staged).await;
                assert_eq!(again.expect_err("unknown").effect, Effect::Unknown);
            }
            let left = store.sink.abandon(&store.to(), &key, &staged).await;
            let (left, there) = (left.expect("called off"), store.there());
            match (done, &before) {
                (false, _) => assert_eq!((left, there), (Abandoned::Gone, before)),
                // What was there is gone for good: nobody could read it.
                (true, Some(_)) => {
                    assert_eq!(left, Abandoned::Stays);
                    assert!(there.is_some_and(|value| Some(value) != before));
                }
                (true, None) => assert_eq!((left, there), (Abandoned::Gone, None)),
            }
        }
    }
}

#[tokio::test]
async fn only_a_secret_that_was_new_is_deleted_again() {
    let store = Store::new();
    let (to, key) = (store.to(), credential("one"));
    let staged = store.staged(&key).await.expect("stages");
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    // Somebody wrote to it since: it is not ours any more.
    store.write(&to, b"theirs");
    assert_eq!(
        store.sink.abandon(&to, &key, &staged).await,
        Ok(Abandoned::Gone)
    );
    assert_eq!(store.there(), Some(b"theirs".to_vec()));
    // Without the right to delete it stays, and that is said.
    let mut store = Store::new();
    store.place.name = "OTHER".to_owned();
    let staged = store.staged(&key).await.expect("stages");
    store
        .sink
        .promote(&store.to(), &key, &staged)
        .await
        .expect("delivers");
    store.fault(
        "DELETE",
        Fault::Refuse(403, "Must have admin rights".to_owned()),
    );
    let done = store.sink.abandon(&store.to(), &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Stays));
}

/// When it was written is of use later; the key is there without that.
#[tokio::test]
async fn a_delivery_whose_time_cannot_be_read_is_one_with_a_note() {
    let store = Store::new();
    let key = credential("one");
    let staged = store.staged(&key).await.expect("stages");
    store.fault("PUT ", Fault::Revoked);
    let delivered = store.sink.promote(&store.to(), &key, &staged).await;
    let delivered = delivered.expect("delivers");
    assert_eq!(delivered.version, None);
    let note = delivered.note.expect("a note");
    assert!(note.contains("Bad credentials"), "{note}");
    // Whose value is there is not known any more, so that it stays.
    store.server.with(|github| github.token(TOKEN, &[]));
    let done = store.sink.abandon(&store.to(), &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Stays));
}

/// Case 12: too many writes are waited for, other refusals are not, and no place is said to be free
/// while the server wants to be left alone.
#[tokio::test]
async fn two_hundred_keys_get_there_within_the_limits() {
    let store = Store::with(&[("ROLECALL_GITHUB_TOKEN", TOKEN)], |github| {
        github.most_a_minute = Some(80);
        github.silent = 1;
    });
    for n in 0..200 {
        let to = store.place();
        let key = credential(&format!("number-{n}"));
        let probe = store.sink.probe(&to).await.expect("answers");
        let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
        store
            .sink
            .promote(&to, &key, &staged)
            .await
            .expect("delivers");
    }
    let (count, limited) = store
        .server
        .with(|github| (github.count(), github.limited()));
    assert_eq!(
        (count, limited),
        (200, 2),
        "asked once each time, and again when it may be"
    );
    assert_eq!(store.waited(), 120);
}

#[tokio::test]
async fn a_probe_waits_while_the_server_wants_to_be_left_alone() {
    let store = Store::new();
    let now = *store.lent.now.lock().expect("no panic");
    let until = now + SignedDuration::from_secs(45);
    let origin = store.place.address.origin().as_str();
    store.sink.machine.gates.close(origin, until);
    store.sink.probe(&store.to()).await.expect("answers");
    assert_eq!(store.waited(), 45);
    // What would take too long is refused, with when it will do; nothing is written.
    for _ in 0..9 {
        store.fault("GET", Fault::Refuse(429, "secondary rate limit".to_owned()));
    }
    let refused = store.sink.probe(&store.to()).await.expect_err("refused");
    assert_eq!(
        (refused.kind, refused.effect),
        (SinkErrorKind::RateLimited, Effect::None)
    );
    assert!(refused.to_string().contains("run again in"), "{refused}");
    assert!(store.waited() <= 45 + 420, "{}", store.waited());
}

/// Case 16: found before any destination has the key.
#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_sent() {
    let store = Store::new();
    let to = store.to();
    let sized = |bytes: usize| {
        let mut key = credential("large");
        let bare = content::render(&key, CredentialFormat::Json)
            .expect("renders")
            .len();
        key.certificate = "c".repeat(bytes - bare);
        key
    };
    // 36 KiB are 48 in base64.
    for (bytes, fits) in [(9 * 1024, true), (36 * 1024, true), (36 * 1024 + 1, false)] {
        let key = sized(bytes);
        let probe = store.sink.probe(&to).await.expect("answers");
        let staged = store.sink.stage(&to, &key, probe).await;
        assert_eq!(staged.is_ok(), fits, "{bytes}");
        match staged {
            Ok(staged) => {
                store
                    .sink
                    .promote(&to, &key, &staged)
                    .await
                    .expect("delivers");
            }
            Err(refused) => {
                let told = refused.to_string();
                assert!(told.contains("49156") && told.contains("49152"), "{told}");
                assert_eq!(
                    (refused.kind, refused.effect),
                    (SinkErrorKind::Full, Effect::None)
                );
            }
        }
    }
}

#[tokio::test]
async fn a_login_goes_only_where_it_came_from() {
    let server = serve(Github::by_the_clock(), ([127, 0, 0, 1], 0).into()).expect("a port");
    let evil = |path: &str| {
        let place = GithubPlace {
            address: GithubApi::new(&format!("{}{path}", server.url)).expect("an address"),
            ..Store::new().place
        };
        Destination::new("github.ci", Place::Github(place))
    };
    for (came_with, told) in [
        (None, "is for https://api.github.com (GITHUB_API_URL)"),
        (
            Some("https://ghe.acme.example/api/v3"),
            "is for https://ghe.acme.example (GITHUB_API_URL)",
        ),
        (Some("nonsense"), "GITHUB_API_URL is no address"),
        (Some(server.url.as_str()), "GITHUB_API_URL is http"),
    ] {
        let mut variables = vec![
            ("ROLECALL_GITHUB_TOKEN", TOKEN),
            ("ROLECALL_GITHUB_APP_ID", APP),
        ];
        variables.extend(came_with.map(|address| ("GITHUB_API_URL", address)));
        let (machine, _) = Lent::machine(&variables);
        let sink = GithubSink::new(Arc::new(machine));
        let refused = sink.probe(&evil("/api/v3")).await.expect_err("refused");
        assert!(refused.to_string().contains(told), "{refused}");
        assert_eq!(refused.kind, SinkErrorKind::Unauthenticated);
        assert!(!format!("{refused:?}").contains(TOKEN));
    }
    assert!(server.calls().is_empty(), "something was sent");
    // Unless somebody else than the configuration says so.
    let (mut machine, _) = Lent::machine(&[("ROLECALL_GITHUB_TOKEN", TOKEN)]);
    machine
        .allowed
        .push(Origin::new(&server.url).expect("an origin"));
    let sink = GithubSink::new(Arc::new(machine));
    sink.probe(&evil("/api/v3")).await.expect("may be sent");
    let calls = server.calls();
    assert!(
        calls
            .iter()
            .all(|call| call.path.starts_with("/api/v3/repos/")),
        "{calls:?}"
    );
}

/// The variables of an App of the server.
fn app(github: &mut Github) -> Vec<(&'static str, String)> {
    vec![
        ("ROLECALL_GITHUB_APP_ID", APP.to_owned()),
        (
            "ROLECALL_GITHUB_APP_INSTALLATION_ID",
            INSTALLATION.to_owned(),
        ),
        ("ROLECALL_GITHUB_APP_PRIVATE_KEY", github.app_key()),
    ]
}

#[tokio::test]
async fn an_app_logs_in_once_and_again_before_its_token_ends() {
    let store = Store::of(app, |_| {});
    store.put("one").await.expect("delivers");
    store.lent.pass(3400);
    store.put("two").await.expect("delivers");
    assert_eq!(store.server.with(|github| github.logins()), 1);
    store.lent.pass(100);
    store.put("three").await.expect("delivers");
    assert_eq!(store.server.with(|github| github.logins()), 2);
    let calls = store.server.calls();
    let tokens = calls.iter().map(|call| call.header("authorization").len());
    assert!(
        tokens.max() > Some(500),
        "its tokens are as long as GitHub's"
    );
}

/// A login that ends while a key is on its way is known before there is one.
#[tokio::test]
async fn a_login_that_cannot_be_renewed_is_told_before_a_key_is_made() {
    let store = Store::of(app, |_| {});
    store.sink.probe(&store.to()).await.expect("looks");
    // The App's key was taken away meanwhile.
    store.server.with(Github::app_key);
    store.lent.pass(3400);
    let ready = store.sink.ready(&store.to()).await;
    assert_eq!(ready.expect("lasts"), Duration::ZERO);
    store.lent.pass(100);
    let error = store.sink.ready(&store.to()).await.expect_err("ends");
    assert_eq!(error.kind, SinkErrorKind::Unauthenticated, "{error}");
    assert!(
        error.to_string().contains("ROLECALL_GITHUB_APP_ID"),
        "{error}"
    );
}

#[tokio::test]
async fn the_key_of_an_app_is_read_from_a_file_as_well() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("text").to_owned();
    let store = Store::of(
        |github| {
            let mut variables = app(github);
            let (_, key) = variables.pop().expect("a key");
            std::fs::write(&path, key).expect("written");
            variables.push(("ROLECALL_GITHUB_APP_PRIVATE_KEY_FILE", path.clone()));
            variables
        },
        |_| {},
    );
    store.put("one").await.expect("delivers");
    drop(file);
    store.lent.pass(4000);
    let refused = store.put("two").await.expect_err("refused").to_string();
    assert!(
        refused.contains("ROLECALL_GITHUB_APP_PRIVATE_KEY_FILE cannot be read"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_app_without_the_right_is_refused_before_anything_is_made() {
    for (permissions, told) in [
        (
            serde_json::json!({"metadata": "read"}),
            "\"Secrets\" (write)",
        ),
        (
            serde_json::json!({"secrets": "read"}),
            "\"Secrets\" (write)",
        ),
    ] {
        let store = Store::of(app, |github| github.permissions = permissions);
        let refused = store.sink.probe(&store.to()).await.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::PermissionDenied);
        assert!(refused.to_string().contains(told), "{refused}");
        assert_eq!(store.asked(), ["POST access_tokens"]);
        // Once it was given, a new token has it.
        let given = serde_json::json!({"metadata": "read", "secrets": "write"});
        store.server.with(|github| github.permissions = given);
        store.sink.probe(&store.to()).await.expect("may write");
    }
}

#[tokio::test]
async fn a_login_that_fails_says_what_was_tried() {
    let key = |github: &mut Github| app(github).pop().map(|(_, key)| key).unwrap_or_default();
    let id = ("ROLECALL_GITHUB_APP_ID", APP.to_owned());
    let installed = (
        "ROLECALL_GITHUB_APP_INSTALLATION_ID",
        INSTALLATION.to_owned(),
    );
    let private = "ROLECALL_GITHUB_APP_PRIVATE_KEY";
    type Variables = Vec<(&'static str, String)>;
    type Of<'a> = Box<dyn FnOnce(&mut Github) -> Variables + 'a>;
    let cases: Vec<(Of<'_>, i64, &str)> = vec![
        (
            Box::new(|_| vec![]),
            0,
            "ROLECALL_GITHUB_TOKEN and ROLECALL_GITHUB_APP_ID were looked for",
        ),
        (
            Box::new(|_| vec![id.clone()]),
            0,
            "APP_INSTALLATION_ID is not set",
        ),
        (
            Box::new(|_| vec![id.clone(), installed.clone()]),
            0,
            "APP_PRIVATE_KEY_FILE is set",
        ),
        (
            Box::new(|github| {
                vec![
                    id.clone(),
                    ("ROLECALL_GITHUB_APP_INSTALLATION_ID", "../1".into()),
                    (private, key(github)),
                ]
            }),
            0,
            "INSTALLATION_ID is no such id",
        ),
        (
            Box::new(|github| {
                vec![
                    id.clone(),
                    installed.clone(),
                    (private, key(github).replace('\n', "\\n")),
                ]
            }),
            0,
            "holds no RSA key in PEM",
        ),
        (
            Box::new(|github| {
                vec![
                    ("ROLECALL_GITHUB_APP_ID", "99".into()),
                    installed.clone(),
                    (private, key(github)),
                ]
            }),
            0,
            "Integration not found",
        ),
        (
            Box::new(|github| {
                vec![
                    id.clone(),
                    ("ROLECALL_GITHUB_APP_INSTALLATION_ID", "1".into()),
                    (private, key(github)),
                ]
            }),
            0,
            "correct ROLECALL_GITHUB_APP_INSTALLATION_ID",
        ),
        (Box::new(app), -300, "clock is 300 s before GitHub's"),
        (Box::new(app), 900, "clock is 900 s behind GitHub's"),
        (
            Box::new(|_| vec![("ROLECALL_GITHUB_TOKEN", "ghp_wrongwrongwrong".into())]),
            0,
            "login of ROLECALL_GITHUB_TOKEN (HTTP 401: Bad credentials)",
        ),
    ];
    for (variables, skew, told) in cases {
        let store = Store::of(variables, |github| github.skew = skew);
        let refused = store.sink.probe(&store.to()).await.expect_err(told);
        let text = format!("{refused} {refused:?}");
        assert!(text.contains(told), "{told}: {text}");
        assert_eq!(refused.kind, SinkErrorKind::Unauthenticated, "{text}");
        assert!(
            !text.contains("wrongwrong") && !text.contains("BEGIN"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn each_refusal_says_what_to_do_and_nothing_of_the_token() {
    let store = Store::new();
    for (fault, kind, told) in [
        (
            Fault::Refuse(403, format!("you sent {TOKEN}")),
            SinkErrorKind::PermissionDenied,
            "HTTP 403: you sent [REDACTED])".to_owned(),
        ),
        (
            Fault::Refuse(403, "Resource not accessible by integration".to_owned()),
            SinkErrorKind::PermissionDenied,
            "\"Secrets\" (write) for the repository acme/app; the GITHUB_TOKEN of a job".to_owned(),
        ),
        (
            Fault::Refuse(404, "Not Found".to_owned()),
            SinkErrorKind::NotFound,
            "shows this login no repository acme/app".to_owned(),
        ),
        (
            Fault::Moved,
            SinkErrorKind::Malformed,
            "the repository acme/app has another name by now".to_owned(),
        ),
    ] {
        store.fault("GET /repos/acme/app/actions/secrets/public-key", fault);
        let refused = store.sink.probe(&store.to()).await.expect_err("refused");
        assert!(refused.to_string().contains(&told), "{told}: {refused}");
        assert!(
            refused
                .to_string()
                .starts_with("sink.github.ci at http://127.0.0.1")
        );
        assert_eq!(refused.kind, kind);
        assert!(!format!("{refused:?}").contains(TOKEN));
    }
    for owner in [
        repository("acme/none"),
        GithubOwner::Environment {
            repository: "acme/app".to_owned(),
            name: "staging".to_owned(),
        },
    ] {
        let store = Store::at(owner);
        let refused = store.sink.probe(&store.to()).await.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::NotFound, "{refused}");
    }
    assert_eq!(store.server.with(|github| github.count()), 0);
}

#[tokio::test]
async fn no_value_and_no_login_is_in_what_is_logged() {
    let store = Store::of(app, |_| {});
    store.put("one").await.expect("delivers");
    let told = store.lent.told.lock().expect("no panic");
    let text = format!("{told:?} {:?}", store.sink);
    for secret in ["PRIVATE", "ghs_", "eyJ", "encrypted"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
