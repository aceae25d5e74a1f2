//! The sink against a server that answers as Vault does.

mod full;
mod real;
mod token;

use std::sync::Mutex;

use rolecall_standins::vault::{Fault, ROOT, Vault};
use rolecall_standins::{Running, serve};
use serde_json::{Value, json};

use super::*;
use crate::model::{CredentialFormat, Origin, VaultPlace};
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

fn server() -> Running<Vault> {
    serve(Vault::new(), ([127, 0, 0, 1], 0).into()).expect("a port")
}

struct Store {
    server: Running<Vault>,
    sink: VaultSink,
    lent: Lent,
    place: VaultPlace,
    places: Mutex<usize>,
}

impl Store {
    fn of(format: CredentialFormat) -> Self {
        Self::with(format, &[("VAULT_TOKEN", ROOT)])
    }

    fn with(format: CredentialFormat, variables: &[(&'static str, &str)]) -> Self {
        let server = server();
        let mut all = vec![("VAULT_ADDR", server.url.as_str())];
        all.extend(variables);
        let (machine, lent) = Lent::machine(&all);
        let place = VaultPlace {
            address: Origin::new(&server.url).expect("an address"),
            namespace: String::new(),
            mount: "secret".to_owned(),
            path: "mondoo/ci".to_owned(),
            field: "credential".to_owned(),
            format,
            metadata: false,
        };
        Self {
            sink: VaultSink::new(Arc::new(machine)),
            server,
            lent,
            place,
            places: Mutex::default(),
        }
    }

    fn to(&self) -> Destination {
        Destination::new("vault.ci", Place::Vault(self.place.clone()))
    }

    async fn put(&self, id: &str) -> Result<Delivered, SinkError> {
        let (to, key) = (self.to(), credential(id));
        let probe = self.sink.probe(&to).await?;
        let staged = self.sink.stage(&to, &key, probe).await?;
        self.sink.promote(&to, &key, &staged).await
    }

    fn versions(&self) -> usize {
        self.server
            .with(|vault| vault.versions("", "secret", "mondoo/ci"))
    }

    fn fields(&self) -> Value {
        let fields = self
            .server
            .with(|vault| vault.fields("", "secret", "mondoo/ci"));
        fields.map_or(Value::Null, Value::Object)
    }

    fn fault(&self, at: &str, fault: Fault) {
        self.server
            .with(|vault| vault.faults.push((at.to_owned(), fault)));
    }
}

impl Ground for Store {
    type Sink = VaultSink;

    fn sink(&self) -> &VaultSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let place = VaultPlace {
            path: format!("mondoo/{places}"),
            ..self.place.clone()
        };
        Destination::new("vault.ci", Place::Vault(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        let Place::Vault(place) = to.place() else {
            panic!("{to}")
        };
        let fields = self
            .server
            .with(|vault| vault.fields("", &place.mount, &place.path))?;
        Some(fields.get("credential")?.as_str()?.as_bytes().to_vec())
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let Place::Vault(place) = to.place() else {
            panic!("{to}")
        };
        let text = String::from_utf8_lossy(bytes);
        self.server.with(|vault| {
            vault.put("", &place.mount, &place.path, json!({ "credential": text }));
        });
    }

    fn beside(&self) -> usize {
        0
    }
}

#[tokio::test]
async fn all_formats_keep_to_the_contract() {
    for format in [CredentialFormat::Json, CredentialFormat::Base64] {
        keeps_to_the_contract(&Store::of(format)).await;
    }
}

#[tokio::test]
async fn a_delivery_takes_three_requests_and_a_login_is_for_all() {
    let store = Store::with(
        CredentialFormat::Json,
        &[
            ("VAULT_ROLE_ID", "role"),
            ("VAULT_SECRET_ID", "secret-id-1"),
        ],
    );
    store.put("one").await.expect("delivers");
    store.server.calls();
    store.put("two").await.expect("delivers");
    let calls = store.server.calls();
    let asked: Vec<String> = calls
        .iter()
        .map(|call| format!("{} {}", call.method, call.path))
        .collect();
    let path = "/v1/secret/data/mondoo/ci";
    assert_eq!(
        asked,
        [
            format!("GET {path}"),
            format!("POST {path}"),
            format!("GET {path}")
        ]
    );
    assert!(calls.iter().all(|call| !call.path.contains("sys/")));
    assert_eq!(store.server.with(|vault| vault.logins()), 1);
}

#[tokio::test]
async fn a_write_is_bound_to_the_version_that_was_seen_where_the_mount_insists() {
    let store = Store::of(CredentialFormat::Json);
    store.server.with(|vault| vault.cas_required = true);
    for (n, id) in ["one", "two"].into_iter().enumerate() {
        let delivered = store.put(id).await.expect("delivers");
        let version = delivered.version.expect("a version");
        assert_eq!(version.as_str(), (n + 1).to_string());
    }
}

#[tokio::test]
async fn other_fields_stay_byte_for_byte() {
    let store = Store::of(CredentialFormat::Json);
    let others: Value = serde_json::from_str(
        r#"{"big": 12345678901234567890123, "list": [1.10, null], "a\"b": "ü\u0000"}"#,
    )
    .expect("JSON");
    store
        .server
        .with(|vault| vault.put("", "secret", "mondoo/ci", others.clone()));
    let (to, key) = (store.to(), credential("one"));
    let probe = store.sink.probe(&to).await.expect("takes a key");
    assert_eq!(probe.found, Found::Nobody);
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    let mut there = store.fields();
    let held = there
        .as_object_mut()
        .and_then(|fields| fields.remove("credential"));
    assert!(held.is_some_and(|text| text.as_str().is_some()));
    assert_eq!(there, others);
    // What somebody else changed meanwhile is not taken back with the key.
    let mut changed = store.fields();
    changed["other"] = json!("new");
    store
        .server
        .with(|vault| vault.put("", "secret", "mondoo/ci", changed.clone()));
    let done = store.sink.abandon(&to, &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Restored));
    changed
        .as_object_mut()
        .and_then(|fields| fields.remove("credential"));
    assert_eq!(store.fields(), changed);
}

/// Two accounts may have a field each of one secret, and be born together.
#[tokio::test]
async fn a_neighbour_that_moves_is_kept_and_stands_in_nobodys_way() {
    let store = Store::of(CredentialFormat::Json);
    let (to, key) = (store.to(), credential("one"));
    let probe = store.sink.probe(&to).await.expect("takes a key");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    let neighbour = json!({"neighbour": "of another"});
    store
        .server
        .with(|vault| vault.put("", "secret", "mondoo/ci", neighbour.clone()));
    store.server.calls();
    let delivered = store.sink.promote(&to, &key, &staged).await;
    let version = delivered.expect("delivers").version;
    assert_eq!(version, Some(StoreVersion::new("2")));
    assert_eq!(store.fields()["neighbour"], "of another");
    // Written, looked at, written, read back.
    assert_eq!(store.server.calls().len(), 4);
    // The field itself is another matter.
    let probe = store.sink.probe(&to).await.expect("takes a key");
    let next = credential("two");
    let staged = store.sink.stage(&to, &next, probe).await.expect("stages");
    let moved = json!({"credential": "somebody's", "neighbour": "of another"});
    store
        .server
        .with(|vault| vault.put("", "secret", "mondoo/ci", moved.clone()));
    let refused = store.sink.promote(&to, &next, &staged).await;
    assert_eq!(refused.expect_err("refused").kind, SinkErrorKind::Moved);
    assert_eq!(store.fields(), moved);
}

#[tokio::test]
async fn several_looks_at_an_engine_at_once_try_it_once() {
    let store = Store::of(CredentialFormat::Json);
    let to = store.to();
    let (one, two) = tokio::join!(store.sink.probe(&to), store.sink.probe(&to));
    assert!(one.is_ok() && two.is_ok());
    let calls = store.server.calls();
    let tries = calls.iter().filter(|call| call.method == "POST").count();
    let own = calls.iter().filter(|call| call.path.contains("/auth/"));
    assert_eq!((own.count(), calls.len(), tries), (1, 4, 1));
}

#[tokio::test]
async fn a_key_is_removed_from_beside_other_fields_and_bound_to_what_was_seen() {
    let store = Store::of(CredentialFormat::Json);
    let before = json!({ "password": "theirs", "nested": { "a": [1, 2.50] } });
    store
        .server
        .with(|vault| vault.put("", "secret", "mondoo/ci", before.clone()));
    store.put("one").await.expect("delivers");
    store.server.with(|vault| vault.cas_required = true);
    let one = credential("one").mrn;
    let removed = store.sink.remove(&store.to(), &one, None).await;
    assert_eq!((removed, store.fields()), (Ok(Removal::Removed), before));
    assert_eq!(store.versions(), 3, "one version without the field");
}

#[tokio::test]
async fn a_removal_that_is_refused_or_lost_says_whether_the_key_may_be_gone() {
    let store = Store::of(CredentialFormat::Json);
    store.put("one").await.expect("delivers");
    let one = credential("one").mrn;
    for (fault, effect) in [
        (
            Fault::Refuse(403, "permission denied".to_owned()),
            Effect::None,
        ),
        (Fault::LostAnswer, Effect::Unknown),
    ] {
        store.fault("/delete/mondoo/ci", fault);
        let failed = store.sink.remove(&store.to(), &one, None).await;
        let failed = failed.expect_err("it fails");
        assert_eq!(failed.effect, effect, "{failed}");
    }
    let again = store.sink.remove(&store.to(), &one, None).await;
    assert_eq!(
        (again, store.fields()),
        (Ok(Removal::NotThere), Value::Null)
    );
}

#[tokio::test]
async fn what_was_deleted_is_written_over_with_its_version() {
    let store = Store::of(CredentialFormat::Json);
    let (to, key) = (store.to(), credential("one"));
    let probe = store.sink.probe(&to).await.expect("takes a key");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    let done = store.sink.abandon(&to, &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Gone));
    assert_eq!((store.fields(), store.versions()), (Value::Null, 1));
    let delivered = store.put("two").await.expect("delivers");
    assert_eq!(delivered.version, Some(StoreVersion::new("2")));
}

#[tokio::test]
async fn a_lost_answer_leaves_one_version() {
    let store = Store::of(CredentialFormat::Json);
    let (to, key) = (store.to(), credential("one"));
    let probe = store.sink.probe(&to).await.expect("takes a key");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    store.fault("POST /v1/secret/data", Fault::LostAnswer);
    // What is there decides.
    let done = store.sink.promote(&to, &key, &staged).await;
    assert_eq!(
        done.expect("is there").version,
        Some(StoreVersion::new("1"))
    );
    let again = store.sink.promote(&to, &key, &staged).await;
    assert_eq!(
        again.expect("is there").version,
        Some(StoreVersion::new("1"))
    );
    assert_eq!(store.versions(), 1);
    // Where nobody can look either, nobody knows.
    let key = credential("two");
    let probe = store.sink.probe(&to).await.expect("takes a key");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    store.fault("POST /v1/secret/data", Fault::LostAnswer);
    for _ in 0..8 {
        store.fault("GET", Fault::Refuse(500, "no".to_owned()));
    }
    let lost = store.sink.promote(&to, &key, &staged).await;
    assert_eq!(lost.expect_err("nobody knows").effect, Effect::Unknown);
}

/// A server, or what stands before it, that shows the request shows what others keep in the secret.
#[tokio::test]
async fn a_refusal_repeats_nothing_of_what_the_secret_holds() {
    let store = Store::of(CredentialFormat::Base64);
    let (to, key) = (store.to(), credential("one"));
    store.server.with(|vault| {
        vault.put(
            "",
            "secret",
            "mondoo/ci",
            json!({"a_password": "hunter2-x"}),
        );
    });
    let probe = store.sink.probe(&to).await.expect("takes a key");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    let sent = content::render(&key, CredentialFormat::Base64).expect("renders");
    let sent = String::from_utf8(sent.to_vec()).expect("text");
    for told in [
        "bad body {\"a_password\":\"hunter2-x\"}".to_owned(),
        "the value hunter2-x is weak".to_owned(),
        format!("cannot store ...{}...", &sent[200..240]),
    ] {
        store.fault("POST /v1/secret/data", Fault::Refuse(400, told));
        let refused = store.sink.promote(&to, &key, &staged).await;
        let refused = refused.expect_err("refused");
        let shown = format!("{refused} {refused:?}");
        assert!(shown.contains("[withheld"), "{shown}");
        assert!(
            !shown.contains("hunter2") && !shown.contains(&sent[200..216]),
            "{shown}"
        );
    }
}

/// What identifies is longer than what proves, as a rule.
#[tokio::test]
async fn a_refused_login_repeats_nothing_of_its_proof() {
    let login = [
        (
            "VAULT_ROLE_ID",
            "a-long-role-id-that-everybody-may-know-0123456789",
        ),
        ("VAULT_SECRET_ID", "s3cr3t-1d-of-a-job"),
    ];
    let store = Store::with(CredentialFormat::Json, &login);
    let told = "you sent {role_id: a-long-role-id, secret_id: s3cr3t-1d-of-a-job}";
    store.fault("POST /v1/auth", Fault::Refuse(400, told.to_owned()));
    let refused = store.sink.probe(&store.to()).await.expect_err("no login");
    let shown = format!("{refused} {refused:?}");
    assert!(
        shown.contains("[withheld") && !shown.contains("s3cr3t"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_standby_that_lags_is_asked_again_and_not_written_to_again() {
    let store = Store::of(CredentialFormat::Json);
    store.put("one").await.expect("delivers");
    store.server.calls();
    // The read-back shows the former version twice.
    let (to, key) = (store.to(), credential("two"));
    let probe = store.sink.probe(&to).await.expect("takes a key");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    for _ in 0..2 {
        store.fault("GET /v1/secret/data", Fault::Stale);
    }
    let delivered = store.sink.promote(&to, &key, &staged).await;
    assert_eq!(delivered.expect("delivers").verified, Verified::Equal);
    assert_eq!(store.versions(), 2);
    let calls = store.server.calls();
    let after_write = calls.iter().rev().take(3);
    for call in after_write {
        assert_eq!(call.header("x-vault-index"), "index-2", "{call:?}");
    }
    // 412 waits and asks again.
    store.fault(
        "GET",
        Fault::Refuse(412, "required index state not present".to_owned()),
    );
    store.sink.probe(&to).await.expect("asks again");
}

#[tokio::test]
async fn a_login_goes_only_where_it_came_from() {
    let server = server();
    let place = |address: &str| VaultPlace {
        address: Origin::new(address).expect("an address"),
        ..Store::of(CredentialFormat::Json).place
    };
    let evil = place(&server.url);
    for (came_with, told) in [
        (
            Some("https://vault.acme.example"),
            "is for https://vault.acme.example (VAULT_ADDR)",
        ),
        (Some("nonsense"), "VAULT_ADDR is no address"),
        (None, "VAULT_ADDR does not say"),
    ] {
        let mut variables = vec![
            ("VAULT_TOKEN", ROOT),
            ("VAULT_ROLE_ID", "role"),
            ("VAULT_SECRET_ID", "secret-id-1"),
        ];
        variables.extend(came_with.map(|address| ("VAULT_ADDR", address)));
        let (machine, _) = Lent::machine(&variables);
        let sink = VaultSink::new(Arc::new(machine));
        let to = Destination::new("vault.ci", Place::Vault(evil.clone()));
        let refused = sink.probe(&to).await.expect_err("refused");
        assert!(refused.to_string().contains(told), "{refused}");
        let way = format!(
            "or let a policy directory say destinations {{ allow = [\"{}\"] }}",
            evil.address
        );
        assert!(refused.to_string().ends_with(&way), "{refused}");
        assert_eq!(refused.kind, SinkErrorKind::Unauthenticated);
    }
    assert!(server.calls().is_empty(), "something was sent");
    // Unless somebody else than the configuration says so.
    let (mut machine, _) = Lent::machine(&[("VAULT_TOKEN", ROOT)]);
    machine.allowed.push(evil.address.clone());
    let sink = VaultSink::new(Arc::new(machine));
    let to = Destination::new("vault.ci", Place::Vault(evil));
    sink.probe(&to).await.expect("may be sent");
}

#[tokio::test]
async fn a_login_has_its_own_namespace() {
    let mut store = Store::with(
        CredentialFormat::Json,
        &[
            ("VAULT_ROLE_ID", "role"),
            ("VAULT_SECRET_ID", "secret-id-1"),
            ("VAULT_NAMESPACE", "root"),
        ],
    );
    store.place.namespace = "team".to_owned();
    store.put("one").await.expect("delivers");
    for call in store.server.calls() {
        let expected = if call.path.contains("/auth/") {
            ""
        } else {
            "team"
        };
        assert_eq!(call.header("x-vault-namespace"), expected, "{}", call.path);
    }
    let there = store
        .server
        .with(|vault| vault.versions("team", "secret", "mondoo/ci"));
    assert_eq!(there, 1);
}

/// As a job of GitLab has it. A file that somebody names says more than what a job is given anyway.
#[tokio::test]
async fn a_token_in_a_variable_logs_in_unless_a_file_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "stale").expect("written");
    let path = file.path().to_str().expect("text");
    let job = [
        ("VAULT_AUTH_ROLE", "rolecall"),
        ("VAULT_ID_TOKEN", "a.b.c\n"),
    ];
    let store = Store::with(CredentialFormat::Json, &job);
    store.put("one").await.expect("delivers");
    assert_eq!(store.server.with(|vault| vault.logins()), 1);
    let [role, token] = job;
    let named = [role, token, ("VAULT_AUTH_JWT_FILE", path)];
    let store = Store::with(CredentialFormat::Json, &named);
    let refused = store.put("one").await.expect_err("refused");
    assert_eq!(refused.kind, SinkErrorKind::Unauthenticated, "{refused}");
    assert!(!refused.to_string().contains("a.b.c"), "{refused}");
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_replaced() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "a.b.c\n").expect("written");
    let store = Store::with(
        CredentialFormat::Json,
        &[
            ("VAULT_AUTH_METHOD", "jwt"),
            ("VAULT_AUTH_ROLE", "rolecall"),
            ("VAULT_AUTH_JWT_FILE", file.path().to_str().expect("text")),
        ],
    );
    store.server.with(|vault| vault.lease = 300);
    store.put("one").await.expect("delivers");
    store.lent.pass(240);
    store.put("two").await.expect("delivers");
    assert_eq!(store.server.with(|vault| vault.logins()), 1);
    store.lent.pass(40);
    store.put("three").await.expect("delivers");
    assert_eq!(store.server.with(|vault| vault.logins()), 2);
    // The file is read anew: one that was renewed meanwhile counts.
    std::fs::write(file.path(), "stale").expect("written");
    store.lent.pass(400);
    let refused = store.put("four").await.expect_err("refused");
    assert_eq!(refused.kind, SinkErrorKind::Unauthenticated);
    let told = refused.to_string();
    assert!(
        told.contains("auth/jwt of the root namespace") && !told.contains("stale"),
        "{told}"
    );
}

#[tokio::test]
async fn each_refusal_says_what_to_do_and_nothing_of_the_token() {
    let narrow = "hvs.narrow-token-of-a-job";
    let store = Store::with(CredentialFormat::Json, &[("VAULT_TOKEN", narrow)]);
    let refused = store.put("one").await.expect_err("an unknown token");
    assert_eq!(refused.kind, SinkErrorKind::PermissionDenied);
    store
        .server
        .with(|vault| vault.token(narrow, &["POST secret/data"]));
    let refused = store.put("one").await.expect_err("no write");
    let told = refused.to_string();
    for part in [
        "sink.vault.ci at ",
        "root namespace",
        "secret/data/mondoo/ci",
        "update",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(refused.effect, Effect::None);
    store.server.with(|vault| vault.token(narrow, &[]));
    for (fault, kind, told) in [
        (
            Fault::Refuse(503, "Vault is sealed".to_owned()),
            SinkErrorKind::Unavailable,
            "unseal it",
        ),
        (
            Fault::Refuse(400, format!("you sent {narrow}")),
            SinkErrorKind::Unfit,
            "[REDACTED]",
        ),
        (
            Fault::Refuse(307, String::new()),
            SinkErrorKind::Malformed,
            "standby",
        ),
    ] {
        for _ in 0..4 {
            store.fault("GET", fault.clone());
        }
        let refused = store.sink.probe(&store.to()).await.expect_err("refused");
        assert!(refused.to_string().contains(told), "{refused}");
        assert_eq!(refused.kind, kind);
        assert!(!format!("{refused:?}").contains(narrow));
        store.server.with(|vault| vault.faults.clear());
    }
    assert_eq!(store.versions(), 0);
}

#[tokio::test]
async fn an_engine_of_version_1_is_refused_before_anything_is_written() {
    let mut store = Store::of(CredentialFormat::Json);
    store.place.mount = "old".to_owned();
    let refused = store.sink.probe(&store.to()).await.expect_err("refused");
    assert!(refused.to_string().contains("version 1"), "{refused}");
    let calls = store.server.calls();
    assert!(
        calls
            .iter()
            .all(|call| call.body.is_empty() || call.body == b"{}")
    );
    // What is there already tells as well.
    store
        .server
        .with(|vault| vault.put("", "old", "data/mondoo/ci", json!({"credential": "x"})));
    let refused = store.sink.probe(&store.to()).await.expect_err("refused");
    assert!(refused.to_string().contains("version 1"), "{refused}");
    store.place.mount = "none".to_owned();
    let refused = store.sink.probe(&store.to()).await.expect_err("refused");
    assert!(
        refused.to_string().contains("no engine is mounted at none"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_secret_is_marked_and_what_others_noted_stays() {
    let mut store = Store::of(CredentialFormat::Json);
    store.place.metadata = true;
    store
        .server
        .with(|vault| vault.note("", "secret", "mondoo/ci", "owner", "platform"));
    store.put("one").await.expect("delivers");
    // Custom metadata comes with a version: the first write shows what was noted before.
    store.put("two").await.expect("delivers");
    let noted = store
        .server
        .with(|vault| vault.custom_metadata("", "secret", "mondoo/ci"));
    let key = credential("two");
    assert_eq!(
        noted,
        json!({
            "owner": "platform",
            "rolecall_account": key.mrn.as_str(),
            "rolecall_fingerprint": key.fingerprint.as_str(),
        })
    );
    // Without the right the key is delivered all the same.
    let narrow = "hvs.narrow-token-of-a-job";
    let mut other = Store::with(CredentialFormat::Json, &[("VAULT_TOKEN", narrow)]);
    other.place.metadata = true;
    other
        .server
        .with(|vault| vault.token(narrow, &["secret/metadata"]));
    let delivered = other.put("one").await.expect("delivers");
    let note = delivered.note.expect("is told");
    assert!(note.contains("not marked"), "{note}");
}

#[tokio::test]
async fn a_key_that_cannot_be_deleted_again_is_told_to_stay() {
    let narrow = "hvs.narrow-token-of-a-job";
    let store = Store::with(CredentialFormat::Json, &[("VAULT_TOKEN", narrow)]);
    store
        .server
        .with(|vault| vault.token(narrow, &["secret/delete"]));
    let (to, key) = (store.to(), credential("one"));
    let probe = store.sink.probe(&to).await.expect("takes a key");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    let done = store.sink.abandon(&to, &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Stays));
}

#[tokio::test]
async fn every_request_is_told_without_what_was_sent() {
    let store = Store::of(CredentialFormat::Json);
    store.put("one").await.expect("delivers");
    let told = store.lent.told.lock().expect("no panic");
    let operations: Vec<_> = told.iter().map(|one| (one.operation, one.status)).collect();
    assert_eq!(
        operations,
        [
            ("vault lookup", Some(200)),
            ("vault read", Some(404)),
            ("vault try", Some(400)),
            ("vault write", Some(200)),
            ("vault read", Some(200)),
        ]
    );
    let shown = format!("{told:?}");
    assert!(!shown.contains(ROOT) && !shown.contains("not really"));
}
