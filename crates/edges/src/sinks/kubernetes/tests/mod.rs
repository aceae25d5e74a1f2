//! The sink against a server that answers as Kubernetes does.

mod real;

use std::sync::Mutex as Held;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_standins::kubernetes::{ADMIN, Fault, Kubernetes};
use rolecall_standins::{Call, Running, serve};
use serde_json::{Value, json};

use super::*;
use crate::model::CredentialFormat;
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

const NAMESPACE: &str = "mondoo-operator";
const NAME: &str = "mondoo-client";
const MANAGER: &str = "rolecall/acme-access/k7m2q9ta";

fn stack() -> StackId {
    StackId::new("acme-access", "k7m2q9ta").expect("valid")
}

struct Store {
    server: Running<Kubernetes>,
    sink: KubernetesSink,
    lent: Lent,
    place: KubernetesPlace,
    places: Held<usize>,
}

impl Store {
    fn of(format: CredentialFormat) -> Self {
        Self::with(format, &[("KUBE_TOKEN", ADMIN)])
    }

    fn with(format: CredentialFormat, variables: &[(&'static str, &str)]) -> Self {
        let server = serve(Kubernetes::new(), ([127, 0, 0, 1], 0).into()).expect("a port");
        let mut all = vec![("KUBE_SERVER", server.url.as_str())];
        all.extend(variables);
        let (machine, lent) = Lent::machine(&all);
        let place = KubernetesPlace {
            address: Origin::new(&server.url).expect("an address"),
            namespace: NAMESPACE.to_owned(),
            name: NAME.to_owned(),
            key: "config".to_owned(),
            r#type: "Opaque".to_owned(),
            format,
        };
        Self {
            sink: KubernetesSink::new(Arc::new(machine), &stack()),
            server,
            lent,
            place,
            places: Held::default(),
        }
    }

    fn json() -> Self {
        Self::of(CredentialFormat::Json)
    }

    fn to(&self) -> Destination {
        Destination::new("kubernetes.ops", Place::Kubernetes(self.place.clone()))
    }

    fn with_key(&self, key: &str) -> Destination {
        let place = KubernetesPlace {
            key: key.to_owned(),
            ..self.place.clone()
        };
        Destination::new("kubernetes.ops", Place::Kubernetes(place))
    }

    async fn staged(&self, to: &Destination, id: &str) -> Result<Staged, SinkError> {
        let probe = self.sink.probe(to).await?;
        self.sink.stage(to, &credential(id), probe).await
    }

    async fn put_at(&self, to: &Destination, id: &str) -> Result<(Staged, Delivered), SinkError> {
        let staged = self.staged(to, id).await?;
        let delivered = self.sink.promote(to, &credential(id), &staged).await?;
        Ok((staged, delivered))
    }

    async fn put(&self, id: &str) -> Result<Delivered, SinkError> {
        self.put_at(&self.to(), id)
            .await
            .map(|(_, delivered)| delivered)
    }

    fn keys(&self) -> Vec<String> {
        let keys = self.server.with(|kube| kube.keys(NAMESPACE, NAME));
        keys.unwrap_or_default()
    }

    fn held(&self, key: &str) -> Option<Vec<u8>> {
        let value = self.server.with(|kube| kube.value(NAMESPACE, NAME, key));
        value.map(|value| STANDARD.decode(value).expect("base64"))
    }

    fn fault(&self, at: &str, fault: Fault) {
        self.server
            .with(|kube| kube.faults.push((at.to_owned(), fault)));
    }
}

impl Ground for Store {
    type Sink = KubernetesSink;

    fn sink(&self) -> &KubernetesSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let place = KubernetesPlace {
            name: format!("mondoo-{places}"),
            ..self.place.clone()
        };
        Destination::new("kubernetes.ops", Place::Kubernetes(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        let Place::Kubernetes(place) = to.place() else {
            panic!("{to}")
        };
        let value = self
            .server
            .with(|kube| kube.value(&place.namespace, &place.name, &place.key))?;
        Some(STANDARD.decode(value).expect("base64"))
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let Place::Kubernetes(place) = to.place() else {
            panic!("{to}")
        };
        let value = STANDARD.encode(bytes);
        self.server.with(|kube| {
            kube.update(
                &place.namespace,
                &place.name,
                "kubectl-edit",
                &place.key,
                &value,
            );
        });
    }

    fn beside(&self) -> usize {
        0
    }
}

fn writes(calls: &[Call]) -> Vec<&Call> {
    let changes = calls.iter().filter(|call| call.method != "GET");
    changes
        .filter(|call| !call.query.contains("dryRun"))
        .collect()
}

#[tokio::test]
async fn all_formats_keep_to_the_contract() {
    for format in [CredentialFormat::Json, CredentialFormat::Base64] {
        let store = Store::of(format);
        keeps_to_the_contract(&store).await;
        let calls = store.server.calls();
        assert!(calls.iter().all(|call| !call.query.contains("force")));
    }
}

#[tokio::test]
async fn a_delivery_is_four_requests_and_says_the_value_alone() {
    let store = Store::json();
    store
        .server
        .with(|kube| kube.update(NAMESPACE, NAME, "helm", "other", "b3RoZXI="));
    store.put("one").await.expect("delivers");
    let calls = store.server.calls();
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets/{NAME}");
    let manager = "fieldManager=rolecall%2Facme-access%2Fk7m2q9ta";
    let asked: Vec<String> = calls
        .iter()
        .map(|call| format!("{} {}?{}", call.method, call.path, call.query))
        .collect();
    assert_eq!(
        asked,
        [
            format!("GET {path}?"),
            format!("PATCH {path}?{manager}&dryRun=All"),
            format!("PATCH {path}?{manager}"),
            format!("GET {path}?"),
        ]
    );
    let body = calls[2].json();
    let said: Vec<&String> = body.as_object().expect("a map").keys().collect();
    assert_eq!(said, ["apiVersion", "data", "kind", "metadata"]);
    let data: Vec<&String> = body["data"].as_object().expect("a map").keys().collect();
    assert_eq!(data, ["config"]);
    let metadata: Vec<&String> = body["metadata"]
        .as_object()
        .expect("a map")
        .keys()
        .collect();
    assert_eq!(metadata, ["name", "namespace", "resourceVersion", "uid"]);
    // What was tried is not the key.
    assert!(
        !String::from_utf8_lossy(&calls[1].body).contains(&*encoded(b"not really").expect("x"))
    );
    assert_eq!(store.held("other").as_deref(), Some(&b"other"[..]));
}

#[tokio::test]
async fn a_consumer_gets_one_line_of_base64_where_that_is_the_form() {
    let store = Store::of(CredentialFormat::Base64);
    store.put("one").await.expect("delivers");
    let held = store.held("config").expect("is there");
    assert!(!held.contains(&b'\n'));
    let json: Value =
        serde_json::from_slice(&STANDARD.decode(&held).expect("base64")).expect("JSON");
    assert_eq!(json["mrn"], credential("one").mrn.as_str());
}

/// Found before there is an account, and never mended by deleting what is there.
#[tokio::test]
async fn a_secret_that_does_not_fit_is_refused_before_anything_is_tried() {
    type Make = fn(&mut Kubernetes);
    let cases: [(Make, &[&str]); 4] = [
        (
            |kube| kube.of_type(NAMESPACE, NAME, "kubernetes.io/tls"),
            &["kubernetes.io/tls", "Opaque"],
        ),
        (|kube| kube.freeze(NAMESPACE, NAME), &["immutable"]),
        (|kube| kube.deleting(NAMESPACE, NAME), &["being deleted"]),
        (
            |kube| kube.own(NAMESPACE, NAME, "ExternalSecret", true),
            &["controller, ExternalSecret o"],
        ),
    ];
    for (make, told) in cases {
        let store = Store::json();
        store.server.with(|kube| {
            kube.update(NAMESPACE, NAME, "theirs", "tls.crt", "eA==");
            make(kube);
        });
        let before = store.server.with(|kube| kube.shown(NAMESPACE, NAME));
        let refused = store.sink.probe(&store.to()).await.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::Unfit);
        let shown = refused.to_string();
        for part in told.iter().chain(&["sink.kubernetes.ops at ", "; "]) {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(store.server.calls().iter().all(|call| call.method == "GET"));
        assert_eq!(
            store.server.with(|kube| kube.shown(NAMESPACE, NAME)),
            before
        );
    }
}

#[tokio::test]
async fn an_owner_that_is_no_controller_is_told() {
    let store = Store::json();
    store
        .server
        .with(|kube| kube.own(NAMESPACE, NAME, "MondooAuditConfig", false));
    let delivered = store.put("one").await.expect("delivers");
    let note = delivered.note.expect("is told");
    assert!(note.contains("its owner, MondooAuditConfig o"), "{note}");
}

#[tokio::test]
async fn a_tool_that_says_it_keeps_the_secret_is_told() {
    for (label, keeper, told) in [
        (
            "app.kubernetes.io/managed-by",
            "Helm",
            Some("kept by \"Helm\""),
        ),
        (
            "argocd.argoproj.io/instance",
            "shop",
            Some("kept by \"shop\""),
        ),
        ("app.kubernetes.io/name", "mondoo", None),
    ] {
        let store = Store::json();
        store.server.with(|kube| {
            kube.update(NAMESPACE, NAME, "theirs", "other", "eA==");
            kube.label(NAMESPACE, NAME, label, keeper);
        });
        let delivered = store.put("one").await.expect("delivers");
        let note = delivered.note.unwrap_or_default();
        match told {
            Some(told) => assert!(note.contains(told) && note.contains(label), "{note}"),
            None => assert_eq!(note, ""),
        }
    }
}

/// Puts a credential of this account under `config` as another manager that applies.
async fn applied_by_zarf(store: &Store, id: &str) {
    let (machine, _) = Lent::machine(&[
        ("KUBE_SERVER", store.server.url.as_str()),
        ("KUBE_TOKEN", ADMIN),
    ]);
    let zarf = KubernetesSink {
        manager: "zarf".to_owned(),
        ..KubernetesSink::new(Arc::new(machine), &stack())
    };
    let server = zarf.server(&store.place).await.expect("a login");
    let (seen, _) = zarf.look(&server, &store.place).await.expect("read");
    let bytes = content::render(&credential(id), store.place.format).expect("renders");
    let value = encoded(bytes.trim_ascii_end()).expect("text");
    let done = zarf
        .apply(&server, &store.place, &seen, Some(&value))
        .await
        .expect("applied");
    assert!(matches!(done, Applied::Done(_)));
    store.server.calls();
}

#[tokio::test]
async fn a_field_of_another_manager_is_not_taken() {
    // Before there is an account.
    let store = Store::json();
    applied_by_zarf(&store, "theirs").await;
    let there = store.held("config");
    let refused = store.sink.probe(&store.to()).await.expect_err("refused");
    assert_eq!(
        (refused.kind, refused.effect),
        (SinkErrorKind::Unfit, Effect::None)
    );
    let told = refused.to_string();
    assert!(
        told.contains("zarf") && told.contains(".data.config"),
        "{told}"
    );
    assert!(writes(&store.server.calls()).is_empty());
    assert_eq!(store.held("config"), there);
    // Between the probe and the write.
    let store = Store::json();
    let (to, key) = (store.to(), credential("ours"));
    let staged = store.staged(&to, "ours").await.expect("stages");
    applied_by_zarf(&store, "theirs").await;
    let there = store.held("config");
    let refused = store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect_err("refused");
    assert_eq!(
        (refused.kind, refused.effect),
        (SinkErrorKind::Moved, Effect::None)
    );
    let told = refused.to_string();
    assert!(
        told.contains("zarf") && told.contains(".data.config"),
        "{told}"
    );
    let done = store.sink.abandon(&to, &key, &staged).await;
    assert_eq!((done, store.held("config")), (Ok(Abandoned::Gone), there));
    assert!(
        store
            .server
            .calls()
            .iter()
            .all(|call| !call.query.contains("force"))
    );
}

/// An apply takes away what its manager leaves out: whose key that is decides, and not which was last.
#[tokio::test]
async fn another_key_of_the_secret_stays_until_it_is_taken_out() {
    let store = Store::json();
    store
        .server
        .with(|kube| kube.update(NAMESPACE, NAME, "helm", "theirs", "eA=="));
    let (old, _) = store.put_at(&store.to(), "one").await.expect("delivers");
    let renamed = store.with_key("mondoo.yml");
    store.put_at(&renamed, "one").await.expect("delivers");
    assert_eq!(store.keys(), ["config", "mondoo.yml", "theirs"]);
    let bodies: Vec<Value> = store.server.calls().iter().map(Call::json).collect();
    assert!(bodies.iter().all(|body| body.get("stringData").is_none()));
    // The one that has left goes alone, and only while it is this account's.
    let other = store
        .sink
        .abandon(&store.to(), &credential("two"), &old)
        .await;
    assert_eq!(other, Ok(Abandoned::Gone));
    assert_eq!(store.keys(), ["config", "mondoo.yml", "theirs"]);
    let done = store
        .sink
        .abandon(&store.to(), &credential("one"), &old)
        .await;
    assert_eq!(done, Ok(Abandoned::Gone));
    assert_eq!(store.keys(), ["mondoo.yml", "theirs"]);
    // Another account's key in the same Secret, and a new one in place of the first.
    store
        .put_at(&store.with_key("b"), "b")
        .await
        .expect("delivers");
    store.put_at(&renamed, "two").await.expect("delivers");
    assert_eq!(store.keys(), ["b", "mondoo.yml", "theirs"]);
    assert_eq!(store.held("theirs").as_deref(), Some(&b"x"[..]));
}

#[tokio::test]
async fn two_keys_of_one_birth_do_not_hinder_each_other() {
    let store = Store::json();
    let places = [store.with_key("a"), store.with_key("b")];
    let first = store.staged(&places[0], "one").await.expect("stages");
    let second = store.staged(&places[1], "one").await.expect("stages");
    let key = credential("one");
    store
        .sink
        .promote(&places[0], &key, &first)
        .await
        .expect("delivers");
    store
        .sink
        .promote(&places[1], &key, &second)
        .await
        .expect("delivers");
    assert_eq!(store.keys(), ["a", "b"]);
}

#[tokio::test]
async fn who_labels_a_secret_does_not_hinder_a_delivery() {
    let store = Store::json();
    store.put("one").await.expect("delivers");
    for at in ["dryRun", "fieldManager=rolecall%2Facme-access%2Fk7m2q9ta"] {
        store.server.calls();
        store.fault(at, Fault::Labelled);
        store.put("two").await.expect("delivers");
        let shown = store.server.with(|kube| kube.shown(NAMESPACE, NAME));
        assert!(shown["metadata"]["labels"]["touched"].is_string());
    }
    // Not for ever.
    for _ in 0..TRIES {
        store.fault("PATCH", Fault::Labelled);
    }
    let refused = store.sink.probe(&store.to()).await.expect_err("refused");
    assert!(refused.to_string().contains("see who writes"), "{refused}");
}

#[tokio::test]
async fn a_secret_that_came_meanwhile_keeps_what_it_has() {
    let store = Store::json();
    let (to, key) = (store.to(), credential("one"));
    let staged = store.staged(&to, "one").await.expect("stages");
    store
        .server
        .with(|kube| kube.update(NAMESPACE, NAME, "helm", "theirs", "eA=="));
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    assert_eq!(store.keys(), ["config", "theirs"]);
    // Unless it is one that takes no key.
    let store = Store::json();
    let staged = store.staged(&store.to(), "one").await.expect("stages");
    store
        .server
        .with(|kube| kube.of_type(NAMESPACE, NAME, "kubernetes.io/tls"));
    let refused = store.sink.promote(&store.to(), &key, &staged).await;
    assert_eq!(refused.expect_err("refused").kind, SinkErrorKind::Unfit);
    assert_eq!(store.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn a_secret_that_went_meanwhile_is_not_made_anew_over_what_it_held() {
    let store = Store::json();
    store.put("before").await.expect("delivers");
    let (to, key) = (store.to(), credential("one"));
    let staged = store.staged(&to, "one").await.expect("stages");
    store.server.with(|kube| kube.delete(NAMESPACE, NAME));
    let refused = store.sink.promote(&to, &key, &staged).await;
    assert_eq!(refused.expect_err("refused").kind, SinkErrorKind::Moved);
    assert_eq!(store.server.with(|kube| kube.keys(NAMESPACE, NAME)), None);
}

#[tokio::test]
async fn a_lost_answer_leaves_one_write() {
    let store = Store::json();
    let (to, key) = (store.to(), credential("one"));
    let staged = store.staged(&to, "one").await.expect("stages");
    store.fault("PATCH", Fault::LostAnswer);
    // What is there decides.
    let done = store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("is there");
    let version = store.sink.probe(&to).await.expect("there").version;
    assert_eq!(done.version, version);
    let again = store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("is there");
    assert_eq!(again.version, version);
    // Where nobody can look either, nobody knows.
    let key = credential("two");
    let staged = store.staged(&to, "two").await.expect("stages");
    store.fault("PATCH", Fault::LostAnswer);
    for _ in 0..8 {
        store.fault("GET", Fault::Refuse(500, "InternalError", "no".to_owned()));
    }
    let lost = store.sink.promote(&to, &key, &staged).await;
    assert_eq!(lost.expect_err("nobody knows").effect, Effect::Unknown);
}

#[tokio::test]
async fn a_type_of_ones_own_is_made_and_kept() {
    let mut store = Store::json();
    store.place.r#type = "acme.example/mondoo".to_owned();
    for id in ["one", "two"] {
        store.put(id).await.expect("delivers");
        let shown = store.server.with(|kube| kube.shown(NAMESPACE, NAME));
        assert_eq!(shown["type"], "acme.example/mondoo", "{id}");
    }
    // One that others made is theirs to say.
    let mut store = Store::json();
    store.place.r#type = "acme.example/mondoo".to_owned();
    store
        .server
        .with(|kube| kube.of_type(NAMESPACE, NAME, "acme.example/mondoo"));
    store.put("one").await.expect("delivers");
    let calls = store.server.calls();
    assert!(
        writes(&calls)
            .iter()
            .all(|call| call.json().get("type").is_none())
    );
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_it_is_sent() {
    let store = Store::json();
    let fill = |bytes: usize| STANDARD.encode(vec![b'x'; bytes]);
    let room = room::most(CredentialFormat::Json);
    let used = secret::MOST - room;
    for (bytes, fits) in [(used, true), (used + 1, false)] {
        store
            .server
            .with(|kube| kube.update(NAMESPACE, NAME, "helm", "other", &fill(bytes)));
        store.server.calls();
        let probe = store.sink.probe(&store.to()).await;
        assert_eq!(probe.is_ok(), fits, "{bytes}");
        let Err(refused) = probe else { continue };
        assert_eq!(refused.kind, SinkErrorKind::Full);
        let told = refused.to_string();
        for number in [secret::MOST, bytes, room] {
            assert!(told.contains(&number.to_string()), "{told}");
        }
        assert_eq!(store.server.calls().len(), 1);
    }
    // A credential that is larger than any was.
    store
        .server
        .with(|kube| kube.update(NAMESPACE, NAME, "helm", "other", &fill(used)));
    let (to, mut key) = (store.to(), credential("one"));
    key.certificate = "c".repeat(2 * room);
    let probe = store.sink.probe(&to).await.expect("takes a key");
    store.server.calls();
    let refused = store.sink.stage(&to, &key, probe).await;
    let refused = refused.expect_err("refused");
    assert_eq!(
        (refused.kind, refused.effect),
        (SinkErrorKind::Full, Effect::None)
    );
    assert!(store.server.calls().is_empty());
}

/// A key that is there says how large the next one is: what is likely to fit is not refused.
#[tokio::test]
async fn a_full_secret_with_a_key_in_it_takes_another() {
    let store = Store::json();
    store.put("one").await.expect("delivers");
    let held = store.read(&store.to()).expect("is there").len();
    for (more, fits) in [(0, true), (1, false)] {
        let others = STANDARD.encode(vec![b'x'; secret::MOST - held + more]);
        store
            .server
            .with(|kube| kube.update(NAMESPACE, NAME, "helm", "other", &others));
        let probe = store.sink.probe(&store.to()).await;
        assert_eq!(probe.is_ok(), fits, "{more}");
    }
}

#[tokio::test]
async fn rights_are_missed_before_anything_is_written() {
    let narrow = "token-of-a-job-with-few-rights";
    for (verb, told) in [
        ("get", "cannot get"),
        ("patch", "cannot patch"),
        ("create", "cannot create"),
    ] {
        let store = Store::with(CredentialFormat::Json, &[("KUBE_TOKEN", narrow)]);
        store.server.with(|kube| kube.token(narrow, &[verb]));
        let refused = store.sink.probe(&store.to()).await.expect_err("refused");
        assert_eq!(refused.kind, SinkErrorKind::PermissionDenied);
        let shown = refused.to_string();
        for part in [told, "get, patch and create", NAMESPACE] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(!shown.contains(narrow) && writes(&store.server.calls()).is_empty());
    }
    // Who may not create can write to what is there.
    let store = Store::with(CredentialFormat::Json, &[("KUBE_TOKEN", narrow)]);
    store.server.with(|kube| {
        kube.token(narrow, &["create"]);
        kube.update(NAMESPACE, NAME, "helm", "other", "eA==");
    });
    store.put("one").await.expect("delivers");
}

#[tokio::test]
async fn a_check_besides_that_cannot_try_does_not_hinder() {
    let store = Store::json();
    let told = "admission webhook \"x.acme.example\" does not support dry run";
    store.fault("dryRun", Fault::Refuse(400, "BadRequest", told.to_owned()));
    store.put("one").await.expect("delivers");
}

#[tokio::test]
async fn each_refusal_says_what_to_do_and_nothing_of_the_login() {
    let mut store = Store::json();
    for (status, reason, message, kind, told) in [
        (
            401,
            "Unauthorized",
            "Unauthorized",
            SinkErrorKind::Unauthenticated,
            "from KUBE_SERVER",
        ),
        (400, "BadRequest", ADMIN, SinkErrorKind::Unfit, "[REDACTED]"),
        (
            403,
            "Forbidden",
            "unable to create new content in namespace x because it is being terminated",
            SinkErrorKind::Unfit,
            "is being deleted",
        ),
        (
            403,
            "Forbidden",
            "exceeded quota: few",
            SinkErrorKind::Full,
            "raise its quota",
        ),
        (302, "", "", SinkErrorKind::Malformed, "sends requests on"),
        (
            500,
            "InternalError",
            "etcd",
            SinkErrorKind::Unavailable,
            "the server failed",
        ),
    ] {
        for _ in 0..4 {
            store.fault("GET", Fault::Refuse(status, reason, message.to_owned()));
        }
        let refused = store.sink.probe(&store.to()).await.expect_err("refused");
        assert!(refused.to_string().contains(told), "{refused}");
        assert_eq!(refused.kind, kind, "{refused}");
        assert!(!format!("{refused:?}").contains(ADMIN));
        store.server.with(|kube| kube.faults.clear());
    }
    // The server asks to wait, and is heard.
    store.fault(
        "GET",
        Fault::Refuse(429, "TooManyRequests", "slow down".to_owned()),
    );
    let before = *store.lent.now.lock().expect("no panic");
    store.sink.probe(&store.to()).await.expect("asks again");
    let waited = store
        .lent
        .now
        .lock()
        .expect("no panic")
        .duration_since(before);
    assert!(waited.as_secs() >= 7, "{waited}");
    store.place.namespace = "nowhere".to_owned();
    let refused = store.sink.probe(&store.to()).await.expect_err("refused");
    assert_eq!(refused.kind, SinkErrorKind::NotFound);
    assert!(
        refused.to_string().contains("no namespace nowhere"),
        "{refused}"
    );
}

/// Some proxies and webhooks repeat what they refuse.
#[tokio::test]
async fn a_refusal_repeats_nothing_of_the_key() {
    let store = Store::json();
    let (to, key) = (store.to(), credential("one"));
    let staged = store.staged(&to, "one").await.expect("stages");
    let bytes = content::render(&key, CredentialFormat::Json).expect("renders");
    let value = encoded(bytes.trim_ascii_end()).expect("text");
    let part = &value[100..200];
    let told = format!("cannot decode {part} in the body");
    store.fault("PATCH", Fault::Refuse(422, "Invalid", told));
    let refused = store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect_err("refused");
    let shown = format!("{refused} {refused:?}");
    assert!(
        shown.contains("[withheld") && !shown.contains(&part[..16]),
        "{shown}"
    );
    // Nor of another account's, which an apply says again.
    store.put("one").await.expect("delivers");
    let theirs = store.server.with(|kube| kube.shown(NAMESPACE, NAME))["data"]["config"].clone();
    let theirs = theirs.as_str().expect("text").to_owned();
    let mut other = store.place.clone();
    other.key = "other".to_owned();
    let other = Destination::new("kubernetes.ops", Place::Kubernetes(other));
    let staged = store.staged(&other, "two").await.expect("stages");
    let told = format!("spec: {{config: {theirs}}}");
    store.fault("PATCH", Fault::Refuse(422, "Invalid", told));
    let refused = store
        .sink
        .promote(&other, &credential("two"), &staged)
        .await
        .expect_err("refused");
    let shown = format!("{refused} {refused:?}");
    assert!(
        shown.contains("[withheld") && !shown.contains(&theirs[40..60]),
        "{shown}"
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_taken_out_again_is_told_to_stay() {
    let narrow = "token-of-a-job-with-few-rights";
    let store = Store::with(CredentialFormat::Json, &[("KUBE_TOKEN", narrow)]);
    store.server.with(|kube| kube.token(narrow, &[]));
    let (to, key) = (store.to(), credential("one"));
    let (staged, _) = store.put_at(&to, "one").await.expect("delivers");
    store.server.with(|kube| kube.token(narrow, &["patch"]));
    let done = store.sink.abandon(&to, &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Stays));
    // Another manager that says the same keeps it there.
    let store = Store::json();
    let (staged, _) = store.put_at(&store.to(), "one").await.expect("delivers");
    applied_by_zarf(&store, "one").await;
    let done = store.sink.abandon(&store.to(), &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Stays));
}

#[tokio::test]
async fn a_login_goes_only_where_it_came_from() {
    let store = Store::json();
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("config");
    let of_server = |server: &str| {
        json!({"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [{"name": "a", "cluster": {"server": server}}],
            "users": [{"name": "a", "user": {"token": ADMIN}}]})
        .to_string()
    };
    std::fs::write(&kubeconfig, of_server("https://k8s.acme.example")).expect("written");
    let kubeconfig = kubeconfig.to_str().expect("text");
    let pod = folder.path().join("pod");
    std::fs::create_dir(&pod).expect("made");
    std::fs::write(pod.join("token"), ADMIN).expect("written");
    let authority = rcgen::generate_simple_self_signed(["k8s".to_owned()]).expect("made");
    std::fs::write(pod.join("ca.crt"), authority.cert.pem()).expect("written");
    let (token, other) = (
        ("KUBE_TOKEN", ADMIN),
        ("KUBE_SERVER", "https://k8s.acme.example"),
    );
    let url = store.server.url.as_str();
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[token], "KUBE_SERVER does not say"),
        (
            &[token, other],
            "is for https://k8s.acme.example (KUBE_SERVER)",
        ),
        (
            &[token, ("KUBE_SERVER", "nonsense")],
            "KUBE_SERVER is no address",
        ),
        (&[("KUBE_SERVER", url)], "without a login"),
        (
            &[token, ("KUBE_TOKEN_FILE", "/x"), ("KUBE_SERVER", url)],
            "are both set",
        ),
        (&[("KUBECONFIG", kubeconfig)], "(the server in KUBECONFIG)"),
        (
            &[
                ("KUBERNETES_SERVICE_HOST", "fd00::1"),
                ("KUBERNETES_SERVICE_PORT", "443"),
            ],
            "is for https://[fd00::1] (KUBERNETES_SERVICE_HOST)",
        ),
        (&[], "were looked for"),
    ];
    for (variables, told) in cases {
        let variables: Vec<(&'static str, &str)> = variables
            .iter()
            .map(|(name, value)| {
                let known = crate::sinks::VARIABLES.iter().find(|known| *known == name);
                (*known.expect("a variable"), *value)
            })
            .collect();
        let (machine, _) = Lent::machine(&variables);
        let sink = KubernetesSink {
            pod: pod.clone(),
            ..KubernetesSink::new(Arc::new(machine), &stack())
        };
        let refused = sink.probe(&store.to()).await.expect_err("refused");
        assert!(refused.to_string().contains(told), "{told}: {refused}");
        assert_eq!(refused.kind, SinkErrorKind::Unauthenticated);
    }
    assert!(store.server.calls().is_empty(), "something was sent");
    // Unless somebody else than the configuration says so.
    let (mut machine, _) = Lent::machine(&[("KUBECONFIG", kubeconfig)]);
    machine.allowed.push(store.place.address.clone());
    let sink = KubernetesSink::new(Arc::new(machine), &stack());
    sink.probe(&store.to()).await.expect("may be sent");
}

#[tokio::test]
async fn a_kubeconfig_leads_to_its_server() {
    let store = Store::json();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text = format!(
        "current-context: a\ncontexts:\n- name: a\n  context: {{cluster: a, user: a}}\n\
         clusters:\n- name: a\n  cluster: {{server: \"{}\"}}\nusers:\n- name: a\n  user: {{token: {ADMIN}}}\n",
        store.server.url
    );
    std::fs::write(file.path(), text).expect("written");
    let path = file.path().to_str().expect("text");
    let (machine, _) = Lent::machine(&[("KUBECONFIG", path)]);
    let sink = KubernetesSink::new(Arc::new(machine), &stack());
    sink.probe(&store.to()).await.expect("takes a key");
}

#[test]
fn a_pod_may_call_its_server_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ca.crt"), "x").expect("written");
    let host = [("KUBERNETES_SERVICE_HOST", "10.96.0.1")];
    let (machine, _) = Lent::machine(&host);
    let login = Login::find(&machine, folder.path()).expect("the pod's");
    for (address, may) in [
        ("https://10.96.0.1", true),
        ("https://kubernetes.default.svc", true),
        ("https://kubernetes.default.svc.cluster.local", true),
        ("https://kubernetes.default.svc:8443", false),
        ("https://kubernetes.default.svc.evil.example", false),
        ("https://10.96.0.1:6443", false),
    ] {
        let to = Origin::new(address).expect("an address");
        assert_eq!(login.may_go_to(&machine, &to).is_ok(), may, "{address}");
    }
    // Another login may not.
    let (machine, _) = Lent::machine(&[("KUBE_TOKEN", "x"), host[0]]);
    let login = Login::find(&machine, folder.path()).expect("a token");
    let to = Origin::new("https://kubernetes.default.svc").expect("an address");
    assert!(login.may_go_to(&machine, &to).is_err());
}

#[tokio::test]
async fn the_file_of_a_token_is_read_for_each_request() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("{ADMIN}\n")).expect("written");
    let path = file.path().to_str().expect("text");
    let store = Store::with(CredentialFormat::Json, &[("KUBE_TOKEN_FILE", path)]);
    let (to, key) = (store.to(), credential("one"));
    let staged = store.staged(&to, "one").await.expect("stages");
    let renewed = "a-token-that-is-five-minutes-younger";
    store.server.with(|kube| kube.renew(renewed));
    std::fs::write(file.path(), renewed).expect("written");
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    std::fs::write(file.path(), "  \n").expect("written");
    let refused = store.sink.probe(&to).await.expect_err("refused");
    assert!(
        refused
            .to_string()
            .contains("KUBE_TOKEN_FILE holds no token"),
        "{refused}"
    );
}

#[tokio::test]
async fn every_request_is_told_without_what_was_sent() {
    let store = Store::json();
    store.put("one").await.expect("delivers");
    let told = store.lent.told.lock().expect("no panic");
    let operations: Vec<_> = told.iter().map(|one| (one.operation, one.status)).collect();
    assert_eq!(
        operations,
        [
            ("kubernetes read", Some(404)),
            ("kubernetes try", Some(201)),
            ("kubernetes write", Some(201)),
            ("kubernetes read", Some(200)),
        ]
    );
    let shown = format!("{told:?} {:?}", store.sink);
    assert!(
        !shown.contains(ADMIN) && !shown.contains("not really"),
        "{shown}"
    );
}

#[tokio::test]
async fn who_wrote_is_kept_beside_the_field() {
    let store = Store::json();
    store.put("one").await.expect("delivers");
    let shown = store.server.with(|kube| kube.shown(NAMESPACE, NAME));
    let entry = &shown["metadata"]["managedFields"][0];
    assert_eq!(
        (&entry["manager"], &entry["operation"]),
        (&json!(MANAGER), &json!("Apply"))
    );
    assert_eq!(entry["fieldsV1"], json!({"f:data": {"f:config": {}}}));
}
