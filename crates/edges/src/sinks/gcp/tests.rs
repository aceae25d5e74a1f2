//! The sink against a server that answers as Google Cloud does.

mod logins;

use std::sync::Mutex as Lock;

use rolecall_standins::gcp::{Fault, Gcp, PROJECT, State as Is, TOKEN};
use rolecall_standins::{Running, serve};
use serde_json::json;

use super::*;
use crate::model::CredentialFormat;
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

const REGION: &str = "europe-west3";

struct Store {
    server: Running<Gcp>,
    sink: GcpSink,
    lent: Lent,
    place: GcpPlace,
    places: Lock<usize>,
    /// The folder of the login.
    folder: tempfile::TempDir,
}

/// A server by the clock of a machine, which has a login there, and the file of that.
fn served() -> (Running<Gcp>, Lent, tempfile::TempDir) {
    let (_, lent) = Lent::machine(&[]);
    let now = Arc::clone(&lent.now);
    let clock = Arc::new(move || now.lock().expect("no panic").as_second());
    let server = serve(Gcp::new(clock), ([127, 0, 0, 1], 0).into()).expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    (server, lent, folder)
}

impl Store {
    fn of(format: CredentialFormat, location: &str) -> Self {
        let (server, lent, folder) = served();
        let account = server.with(|gcp| gcp.account(&server.url));
        let path = folder.path().join("login.json");
        std::fs::write(&path, account.to_string()).expect("written");
        let address = Origin::new(&server.url).expect("an address");
        let path = path.to_string_lossy();
        let mut machine = lent.also(&[(file::FILE, &path)]);
        machine.allowed = vec![address.clone()];
        let place = GcpPlace {
            address,
            project: PROJECT.to_owned(),
            location: location.to_owned(),
            name: "mondoo-ci".to_owned(),
            format,
        };
        server.with(|gcp| gcp.make(&place.resource()));
        Self {
            server,
            sink: GcpSink::new(Arc::new(machine)),
            lent,
            place,
            places: Lock::default(),
            folder,
        }
    }

    fn new() -> Self {
        Self::of(CredentialFormat::Json, "")
    }

    fn to(&self) -> Destination {
        Destination::new(
            "gcp_secret_manager.ci",
            Place::GcpSecretManager(self.place.clone()),
        )
    }

    async fn staged(&self, id: &str) -> Result<Staged, SinkError> {
        let to = self.to();
        let probe = self.sink.probe(&to).await?;
        self.sink.stage(&to, &credential(id), probe).await
    }

    async fn put(&self, id: &str) -> Result<Delivered, SinkError> {
        let staged = self.staged(id).await?;
        self.sink
            .promote(&self.to(), &credential(id), &staged)
            .await
    }

    fn fault(&self, at: &str, fault: Fault) {
        self.server
            .with(|gcp| gcp.faults.push((at.to_owned(), fault)));
    }

    fn versions(&self) -> Vec<(Vec<u8>, Is)> {
        self.server.with(|gcp| gcp.versions(&self.place.resource()))
    }

    /// What each version holds: the account by its name, `{}`, or a state.
    fn told(&self) -> Vec<String> {
        let told = |(value, state): (Vec<u8>, Is)| match (state, content::holder(&value)) {
            (Is::Enabled, Some((account, _))) => {
                let name = account.as_str().rsplit('/').next().unwrap_or_default();
                name.to_owned()
            }
            (Is::Enabled, None) => String::from_utf8_lossy(&value).into_owned(),
            (state, _) => format!("{state:?}"),
        };
        self.versions().into_iter().map(told).collect()
    }

    fn asked(&self) -> Vec<String> {
        let calls = self.server.calls();
        let asked = calls.iter();
        asked
            .map(|call| format!("{} {}", call.method, call.path))
            .collect()
    }
}

fn of(place: &Destination) -> String {
    match place.place() {
        Place::GcpSecretManager(place) => place.resource(),
        _ => panic!("{place}"),
    }
}

impl Ground for Store {
    type Sink = GcpSink;

    fn sink(&self) -> &GcpSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let place = GcpPlace {
            name: format!("mondoo-{places}"),
            ..self.place.clone()
        };
        self.server.with(|gcp| gcp.make(&place.resource()));
        Destination::new("gcp_secret_manager.ci", Place::GcpSecretManager(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        let newest = self.server.with(|gcp| gcp.latest(&of(to)));
        newest.filter(|value| value != NOTHING)
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        self.server.with(|gcp| gcp.put(&of(to), bytes));
    }

    fn beside(&self) -> usize {
        0
    }

    fn most(&self) -> Option<usize> {
        Some(LONGEST)
    }
}

/// Case 13: each form is what a consumer reads, byte for byte.
#[tokio::test]
async fn all_formats_keep_to_the_contract_in_global_and_regional_secrets() {
    for location in ["", REGION] {
        for format in [CredentialFormat::Json, CredentialFormat::Base64] {
            keeps_to_the_contract(&Store::of(format, location)).await;
        }
    }
}

#[tokio::test]
async fn a_contract_holds_while_latest_lags_behind() {
    let store = Store::new();
    store.server.with(|gcp| gcp.lags = true);
    keeps_to_the_contract(&store).await;
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_told_with_the_command_that_makes_it() {
    for (location, command) in [
        (
            "",
            "gcloud secrets create absent --replication-policy=automatic --project=acme-prod",
        ),
        // Case 23: a regional one takes no replication.
        (
            REGION,
            "gcloud secrets create absent --location=europe-west3 --project=acme-prod",
        ),
    ] {
        let mut store = Store::of(CredentialFormat::Json, location);
        store.place.name = "absent".to_owned();
        let error = store
            .sink
            .probe(&store.to())
            .await
            .expect_err("is not there");
        assert_eq!(error.kind, SinkErrorKind::NotFound);
        assert!(error.to_string().contains(command), "{error}");
        let asked = store.asked();
        assert!(asked.iter().all(|asked| !asked.contains("addVersion")));
    }
}

/// Case 23: each is asked by its own name, and neither for the other.
#[tokio::test]
async fn a_global_and_a_regional_secret_of_one_name_are_two() {
    let store = Store::new();
    let regional = GcpPlace {
        location: REGION.to_owned(),
        ..store.place.clone()
    };
    store.server.with(|gcp| gcp.make(&regional.resource()));
    store.put("global").await.expect("delivers");
    let asked = store.asked();
    assert!(asked.iter().all(|asked| !asked.contains("locations")));
    assert_eq!(store.told(), ["global"]);
    assert!(
        store
            .server
            .with(|gcp| gcp.versions(&regional.resource()))
            .is_empty()
    );
    let to = Destination::new("x", Place::GcpSecretManager(regional.clone()));
    let probe = store.sink.probe(&to).await.expect("looks");
    assert_eq!(probe.found, Found::Nobody);
    let key = credential("regional");
    let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
    store.server.calls();
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    let path = "/v1/projects/acme-prod/locations/europe-west3/secrets/mondoo-ci";
    let asked = store.asked();
    assert!(asked.iter().all(|asked| asked.contains(path)), "{asked:?}");
    assert_eq!(store.told(), ["global"]);
}

#[tokio::test]
async fn a_delivery_is_one_write_and_a_login_is_for_all() {
    let store = Store::new();
    store.put("one").await.expect("delivers");
    store.server.calls();
    let delivered = store.put("two").await.expect("delivers");
    assert_eq!(delivered.version, Some(StoreVersion::new("2")));
    assert_eq!(delivered.verified, Verified::Equal);
    let of = "/v1/projects/acme-prod/secrets/mondoo-ci";
    assert_eq!(
        store.asked(),
        [
            format!("GET {of}"),
            format!("GET {of}/versions/latest:access"),
            format!("GET {of}/versions/2:access"),
            // Right before the write, what is there is compared.
            format!("GET {of}/versions/1:access"),
            format!("GET {of}/versions/2:access"),
            format!("POST {of}:addVersion"),
            format!("GET {of}/versions/2:access"),
        ]
    );
    assert_eq!(store.server.with(|gcp| gcp.logins()), 1);
    assert_eq!(store.told(), ["one", "two"]);
}

/// Labels, annotations, topics and the like are neighbours: no request changes the secret itself.
#[tokio::test]
async fn a_write_changes_nothing_else_of_the_secret() {
    let store = Store::new();
    let resource = store.place.resource();
    let labels = json!({"team": "security"});
    store.server.with(|gcp| {
        gcp.say(&resource, "labels", labels.clone());
        gcp.say(&resource, "versionAliases", json!({"stable": "1"}));
    });
    store.put("one").await.expect("delivers");
    store.put("two").await.expect("delivers");
    let said = store
        .server
        .with(|gcp| gcp.said(&resource).cloned())
        .expect("there");
    assert_eq!(
        (&said["labels"], &said["versionAliases"]),
        (&labels, &json!({"stable": "1"}))
    );
    let calls = store.asked();
    let writes: Vec<_> = calls
        .iter()
        .filter(|asked| !asked.starts_with("GET "))
        .collect();
    assert!(
        writes
            .iter()
            .all(|asked| asked.ends_with(":addVersion") || asked.ends_with("/token")),
        "{writes:?}"
    );
}

#[tokio::test]
async fn a_secret_that_others_write_or_that_takes_other_values_is_refused_at_the_probe() {
    for (name, value, told) in [
        (
            "rotation",
            json!({"nextRotationTime": "2027-01-01T00:00:00Z"}),
            "rotation schedule",
        ),
        ("rotation", json!({}), "rotation schedule"),
        (
            "secretType",
            json!("CERTIFICATE"),
            "of the type CERTIFICATE",
        ),
    ] {
        let store = Store::new();
        store
            .server
            .with(|gcp| gcp.say(&store.place.resource(), name, value));
        let error = store.put("x").await.expect_err("refused");
        assert_eq!(error.kind, SinkErrorKind::Unfit);
        assert!(error.to_string().contains(told), "{error}");
        assert!(store.versions().is_empty());
    }
    for kind in ["SECRET_TYPE_UNSPECIFIED", "OTHER"] {
        let store = Store::new();
        store
            .server
            .with(|gcp| gcp.say(&store.place.resource(), "secretType", json!(kind)));
        store.put("x").await.expect("delivers");
    }
    // One that Google will delete is told of.
    let store = Store::new();
    let end = json!("2026-12-01T00:00:00Z");
    store
        .server
        .with(|gcp| gcp.say(&store.place.resource(), "expireTime", end));
    let note = store
        .put("x")
        .await
        .expect("delivers")
        .note
        .expect("a note");
    assert!(note.contains("2026-12-01T00:00:00Z"), "{note}");
}

/// Case 22: `latest` is the newest version whatever its state, so that its reader fails already.
#[tokio::test]
async fn a_newest_version_that_is_disabled_is_refused_and_one_that_was_destroyed_is_nothing() {
    let store = Store::new();
    store.put("one").await.expect("delivers");
    store.put("two").await.expect("delivers");
    let resource = store.place.resource();
    store.server.with(|gcp| gcp.set(&resource, 2, Is::Disabled));
    let error = store.put("three").await.expect_err("refused");
    assert_eq!(
        (error.kind, error.effect),
        (SinkErrorKind::Unfit, Effect::None)
    );
    let way = "gcloud secrets versions enable 2 --secret=mondoo-ci --project=acme-prod";
    assert!(error.to_string().contains(way), "{error}");
    assert_eq!(store.told(), ["one", "Disabled"]);
    store
        .server
        .with(|gcp| gcp.set(&resource, 2, Is::Destroyed));
    let probe = store.sink.probe(&store.to()).await.expect("looks");
    // The key of version 1 is nobody's to read any more by `latest`.
    assert_eq!(
        (probe.found, probe.version),
        (Found::Nobody, Some(StoreVersion::new("2")))
    );
    store.put("three").await.expect("delivers");
    assert_eq!(store.told(), ["one", "Destroyed", "three"]);
    // Disabled after the look.
    let staged = store.staged("four").await.expect("stages");
    store.server.with(|gcp| gcp.set(&resource, 3, Is::Disabled));
    let late = store
        .sink
        .promote(&store.to(), &credential("four"), &staged)
        .await;
    assert_eq!(late.expect_err("refused").kind, SinkErrorKind::Moved);
    assert_eq!(store.told(), ["one", "Destroyed", "Disabled"]);
}

/// Case 22: a rotation whose second destination fails after this one was written.
#[tokio::test]
async fn a_reader_of_latest_never_fails_and_always_has_a_key_that_logs_in() {
    let store = Store::new();
    store.put("old").await.expect("delivers");
    let resource = store.place.resource();
    store.server.with(|gcp| gcp.seen.clear());
    let (to, key) = (store.to(), credential("new"));
    let staged = store.staged("new").await.expect("stages");
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    let done = store.sink.abandon(&to, &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Restored));
    let seen = store.server.with(|gcp| gcp.seen.clone());
    let keys: Vec<String> = seen
        .into_iter()
        .map(|(of, got)| {
            assert_eq!(of, resource);
            let value = got.expect("a reader failed");
            let (account, _) = content::holder(&value).expect("a key");
            account
                .as_str()
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert!(keys.iter().any(|key| key == "new"), "{keys:?}");
    assert_eq!(keys.last().map(String::as_str), Some("old"));
    assert_eq!(
        store.told(),
        ["old", "new", "old"],
        "nothing was disabled or destroyed"
    );
}

#[tokio::test]
async fn a_birth_that_is_called_off_leaves_no_key_and_no_newest_version_that_cannot_be_read() {
    let store = Store::new();
    let (to, key) = (store.to(), credential("off"));
    let staged = store.staged("off").await.expect("stages");
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    let done = store.sink.abandon(&to, &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Gone));
    assert_eq!(store.told(), ["Destroyed", "{}"]);
    assert!(
        store
            .server
            .with(|gcp| gcp.seen.iter().all(|(_, got)| got.is_ok()))
    );
    // The next one takes the place of nothing.
    let probe = store.sink.probe(&to).await.expect("looks");
    assert_eq!(probe.found, Found::Nobody);
    store.put("next").await.expect("delivers");
    assert_eq!(store.told(), ["Destroyed", "{}", "next"]);
    // Who may not destroy is told that the key stays, where its number is known.
    let store = Store::new();
    store
        .server
        .with(|gcp| gcp.denied.insert("secretmanager.versions.destroy"));
    let to = store.to();
    let staged = store.staged("off").await.expect("stages");
    store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    let done = store.sink.abandon(&to, &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Stays));
    assert_eq!(store.told(), ["off", "{}"]);
}

#[tokio::test]
async fn a_key_is_removed_from_every_version_that_holds_it_and_no_other_is() {
    let store = Store::new();
    store.put("ours").await.expect("delivers");
    store.put("theirs").await.expect("delivers");
    store.put("ours").await.expect("delivers");
    store.server.with(|gcp| gcp.seen.clear());
    let account = credential("ours").mrn;
    let removed = store.sink.remove(&store.to(), &account, None).await;
    assert_eq!(removed, Ok(Removal::Removed));
    assert_eq!(store.told(), ["Destroyed", "theirs", "Destroyed", "{}"]);
    assert!(
        store
            .server
            .with(|gcp| gcp.seen.iter().all(|(_, got)| got.is_ok()))
    );
    // Where another key took its place, its version goes and the place stays.
    let store = Store::new();
    store.put("ours").await.expect("delivers");
    store.put("theirs").await.expect("delivers");
    let removed = store.sink.remove(&store.to(), &account, None).await;
    assert_eq!(removed, Ok(Removal::NotThere));
    assert_eq!(store.told(), ["Destroyed", "theirs"]);
    // Where destruction waits for a time of the secret's own, nobody can read it meanwhile.
    let store = Store::new();
    let resource = store.place.resource();
    store
        .server
        .with(|gcp| gcp.say(&resource, "versionDestroyTtl", json!("86400s")));
    store.put("ours").await.expect("delivers");
    let removed = store.sink.remove(&store.to(), &account, None).await;
    assert_eq!(removed, Ok(Removal::Removed));
    assert_eq!(store.told(), ["Disabled", "{}"]);
    // Without the right the key is still there, and that is an error.
    let store = Store::new();
    store.put("ours").await.expect("delivers");
    store
        .server
        .with(|gcp| gcp.denied.insert("secretmanager.versions.destroy"));
    let error = store.sink.remove(&store.to(), &account, None).await;
    let error = error.expect_err("is there");
    assert_eq!(error.kind, SinkErrorKind::PermissionDenied);
    assert!(
        error.to_string().contains("secretmanager.versions.destroy"),
        "{error}"
    );
}

/// `latest` tells of what was written only after a while; the numbers do at once.
#[tokio::test]
async fn a_write_that_latest_does_not_tell_of_yet_is_seen() {
    let store = Store::new();
    let resource = store.place.resource();
    store.put("one").await.expect("delivers");
    store.server.with(|gcp| gcp.lags = true);
    store.put("two").await.expect("delivers");
    let probe = store.sink.probe(&store.to()).await.expect("looks");
    assert_eq!(probe.version, Some(StoreVersion::new("2")));
    let staged = store.staged("three").await.expect("stages");
    store.server.with(|gcp| gcp.put(&resource, b"{\"else\":1}"));
    let late = store
        .sink
        .promote(&store.to(), &credential("three"), &staged)
        .await;
    assert_eq!(late.expect_err("refused").kind, SinkErrorKind::Moved);
    assert_eq!(store.told(), ["one", "two", "{\"else\":1}"]);
}

/// No condition goes with a write, so what came in between is written again behind it.
#[tokio::test]
async fn who_writes_at_the_same_moment_and_first_stays_the_newest() {
    for before in [false, true] {
        let store = Store::new();
        if before {
            store.put("before").await.expect("delivers");
        }
        let theirs = b"written by another program".to_vec();
        store.fault("addVersion", Fault::Written(theirs.clone()));
        let (to, key) = (store.to(), credential("ours"));
        let staged = store.staged("ours").await.expect("stages");
        let late = store.sink.promote(&to, &key, &staged).await;
        let late = late.expect_err("refused");
        assert_eq!(
            (late.kind, late.effect),
            (SinkErrorKind::Moved, Effect::None)
        );
        let newest = store.server.with(|gcp| gcp.latest(&store.place.resource()));
        assert_eq!(newest, Some(theirs.clone()));
        // Nothing is left to take back.
        let done = store.sink.abandon(&to, &key, &staged).await;
        assert_eq!(done, Ok(Abandoned::Gone));
        let newest = store.server.with(|gcp| gcp.latest(&store.place.resource()));
        assert_eq!(newest, Some(theirs));
    }
}

/// Case 19: what is there decides, whatever the answer said.
#[tokio::test]
async fn a_write_that_failed_was_done_if_its_version_is_there() {
    for fault in [
        Fault::LostAnswer,
        Fault::RefuseDone(403, "PERMISSION_DENIED"),
        Fault::RefuseDone(500, "INTERNAL"),
        Fault::RefuseDone(400, "INVALID_ARGUMENT"),
    ] {
        let store = Store::new();
        store.put("one").await.expect("delivers");
        store.fault("addVersion", fault.clone());
        let delivered = store.put("two").await.expect("was done");
        assert_eq!(delivered.version, Some(StoreVersion::new("2")), "{fault:?}");
        assert_eq!(store.told(), ["one", "two"], "{fault:?}: once");
    }
    for (fault, kind) in [
        (Fault::Cut, SinkErrorKind::Unavailable),
        (
            Fault::Refuse(500, "INTERNAL", ""),
            SinkErrorKind::Unavailable,
        ),
        (
            Fault::Refuse(403, "PERMISSION_DENIED", ""),
            SinkErrorKind::PermissionDenied,
        ),
        (Fault::Redirect, SinkErrorKind::Malformed),
    ] {
        let store = Store::new();
        store.put("one").await.expect("delivers");
        store.fault("addVersion", fault.clone());
        let error = store.put("two").await.expect_err("was not done");
        let kind = match fault {
            Fault::Redirect => error.kind,
            _ => kind,
        };
        assert_eq!(
            (error.kind, error.effect),
            (kind, Effect::None),
            "{fault:?}: {error}"
        );
        assert_eq!(store.told(), ["one"]);
        assert!(
            error.to_string().contains("no version was added"),
            "{error}"
        );
    }
    // A server that shows what it got is not repeated.
    let store = Store::new();
    store.fault("addVersion", Fault::Echo);
    let error = store.put("one").await.expect_err("was not done");
    assert!(error.to_string().contains("[withheld"), "{error}");
    // It is done after a while.
    let store = Store::new();
    store.fault("addVersion", Fault::Late(3));
    let delivered = store.put("one").await.expect("was done");
    assert_eq!(delivered.version, Some(StoreVersion::new("1")));
    assert_eq!(store.told(), ["one"]);
    // Nobody can tell, since the versions cannot be read any more.
    let store = Store::new();
    let staged = store.staged("one").await.expect("stages");
    store.fault("addVersion", Fault::LostAnswer);
    store.fault("1:access", Fault::Pass);
    store.fault("1:access", Fault::Refuse(403, "PERMISSION_DENIED", ""));
    let error = store
        .sink
        .promote(&store.to(), &credential("one"), &staged)
        .await;
    assert_eq!(error.expect_err("is not known").effect, Effect::Unknown);
    assert_eq!(store.told(), ["one"]);
}

/// A second promotion after a lost answer finds its own write.
#[tokio::test]
async fn a_key_is_written_once_however_often_it_is_promoted() {
    let store = Store::new();
    let (to, key) = (store.to(), credential("one"));
    let staged = store.staged("one").await.expect("stages");
    for _ in 0..3 {
        let delivered = store
            .sink
            .promote(&to, &key, &staged)
            .await
            .expect("delivers");
        assert_eq!(delivered.version, Some(StoreVersion::new("1")));
    }
    assert_eq!(store.told(), ["one"]);
}

#[tokio::test]
async fn what_was_damaged_on_the_way_is_not_taken_for_what_is_there() {
    let store = Store::new();
    store.put("one").await.expect("delivers");
    store.fault("1:access", Fault::Damaged);
    store.fault("latest:access", Fault::Damaged);
    let error = store.put("two").await.expect_err("refused");
    assert_eq!(error.kind, SinkErrorKind::Malformed);
    assert!(error.to_string().contains("checksum"), "{error}");
    assert_eq!(store.told(), ["one"]);
    // After the write: the key is there, and that was not seen.
    let store = Store::new();
    let staged = store.staged("one").await.expect("stages");
    store.fault(":addVersion", Fault::RefuseDone(500, "INTERNAL"));
    let damaged = store
        .sink
        .promote(&store.to(), &credential("one"), &staged)
        .await;
    damaged.expect("was done");
}

/// Case 16: the largest value is taken, and one byte more is refused before it is sent.
#[tokio::test]
async fn a_credential_of_one_byte_too_many_is_refused_before_it_is_sent() {
    let store = Store::new();
    let to = store.to();
    let padded = |more: usize| IssuedCredential {
        certificate: "c".repeat(more),
        ..credential("large")
    };
    let empty = rendered(&padded(0), &store.place).expect("fits").len();
    let exact = padded(LONGEST - empty);
    let probe = store.sink.probe(&to).await.expect("looks");
    let staged = store.sink.stage(&to, &exact, probe).await.expect("fits");
    store
        .sink
        .promote(&to, &exact, &staged)
        .await
        .expect("delivers");
    assert_eq!(store.versions()[0].0.len(), LONGEST);
    let probe = store.sink.probe(&to).await.expect("looks");
    store.server.calls();
    let large = padded(LONGEST - empty + 1);
    let error = store
        .sink
        .stage(&to, &large, probe)
        .await
        .expect_err("is too large");
    assert_eq!(error.kind, SinkErrorKind::Full);
    let told = error.to_string();
    assert!(told.contains("65537") && told.contains("65536"), "{told}");
    assert!(store.server.calls().is_empty());
}

#[tokio::test]
async fn a_refusal_names_the_permission_or_what_else_must_be_mended() {
    for permission in [
        "secretmanager.secrets.get",
        "secretmanager.versions.access",
        "secretmanager.versions.add",
    ] {
        let store = Store::new();
        store.server.with(|gcp| gcp.denied.insert(permission));
        let error = store.put("x").await.expect_err("is denied");
        assert_eq!(error.kind, SinkErrorKind::PermissionDenied);
        assert!(error.to_string().contains(permission), "{error}");
        assert!(store.versions().is_empty());
    }
    for (code, status, reason, kind, told) in [
        (
            403,
            "PERMISSION_DENIED",
            "SERVICE_DISABLED",
            SinkErrorKind::Unfit,
            "gcloud services enable",
        ),
        (
            403,
            "PERMISSION_DENIED",
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            SinkErrorKind::Unauthenticated,
            "scope cloud-platform",
        ),
        (
            401,
            "UNAUTHENTICATED",
            "",
            SinkErrorKind::Unauthenticated,
            "log in anew",
        ),
        (
            400,
            "INVALID_ARGUMENT",
            "",
            SinkErrorKind::Unfit,
            "INVALID_ARGUMENT",
        ),
    ] {
        let store = Store::new();
        store.fault("GET /v1/projects", Fault::Refuse(code, status, reason));
        let error = store.put("x").await.expect_err("is refused");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
    let store = Store::new();
    store.fault("GET /v1/projects", Fault::Redirect);
    let error = store.put("x").await.expect_err("is refused");
    assert!(error.to_string().contains("elsewhere.example"), "{error}");
    assert!(!error.to_string().contains(TOKEN), "{error}");
}

/// As where the key of the customer's own that encrypts it was disabled.
#[tokio::test]
async fn a_version_that_is_enabled_and_not_given_is_told_in_googles_words() {
    let store = Store::new();
    store.put("one").await.expect("delivers");
    store.fault(
        "latest:access",
        Fault::Refuse(400, "FAILED_PRECONDITION", ""),
    );
    let error = store.put("two").await.expect_err("refused");
    assert_eq!(
        (error.kind, error.effect),
        (SinkErrorKind::Unfit, Effect::None)
    );
    let told = error.to_string();
    assert!(
        told.contains("It was refused.") && told.contains("encrypts"),
        "{told}"
    );
    assert_eq!(store.told(), ["one"]);
}

#[tokio::test]
async fn who_is_asked_to_wait_waits() {
    let store = Store::new();
    let staged = store.staged("one").await.expect("stages");
    for _ in 0..2 {
        store.fault("addVersion", Fault::Refuse(429, "RESOURCE_EXHAUSTED", ""));
    }
    store.fault("addVersion", Fault::Refuse(409, "ABORTED", ""));
    store
        .sink
        .promote(&store.to(), &credential("one"), &staged)
        .await
        .expect("delivers");
    assert_eq!(store.told(), ["one"]);
    let told = store.lent.told.lock().expect("no panic").clone();
    let writes = told.iter().filter(|told| told.operation == "gcp write");
    assert_eq!(
        writes.map(|told| told.attempt).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
}

/// Two runs that deliver one key at the same moment.
#[tokio::test]
async fn the_same_key_by_another_run_is_no_other_writer() {
    let store = Store::new();
    let (to, key) = (store.to(), credential("one"));
    let staged = store.staged("one").await.expect("stages");
    let same = rendered(&key, &store.place)
        .expect("fits")
        .as_bytes()
        .to_vec();
    store.fault("addVersion", Fault::Written(same));
    let delivered = store
        .sink
        .promote(&to, &key, &staged)
        .await
        .expect("delivers");
    assert_eq!(delivered.version, Some(StoreVersion::new("2")));
    assert_eq!(store.told(), ["one", "one"]);
}

/// A server that answers with another version than was asked for could keep a run busy for ever.
#[tokio::test]
async fn an_answer_of_another_version_or_secret_is_not_taken() {
    for (asked, name) in [
        ("latest:access", "projects/1/secrets/another/versions/1"),
        ("latest:access", "projects/1/secrets/mondoo-ci/versions/x"),
        ("latest:access", "versions/1"),
        ("2:access", "projects/1/secrets/mondoo-ci/versions/1"),
    ] {
        let store = Store::new();
        store.put("one").await.expect("delivers");
        store.fault(asked, Fault::Named(name));
        let error = store.put("two").await.expect_err("refused");
        assert_eq!(error.kind, SinkErrorKind::Malformed, "{name}: {error}");
        assert_eq!(store.told(), ["one"]);
    }
}

#[tokio::test]
async fn a_newest_version_that_cannot_be_read_is_not_removed() {
    let store = Store::new();
    store.put("ours").await.expect("delivers");
    let resource = store.place.resource();
    store.server.with(|gcp| gcp.set(&resource, 1, Is::Disabled));
    let account = credential("ours").mrn;
    let removed = store.sink.remove(&store.to(), &account, None).await;
    assert_eq!(removed, Ok(Removal::Unknown));
    assert_eq!(store.told(), ["Disabled"]);
}

#[tokio::test]
async fn a_key_that_comes_while_another_is_removed_stays_the_newest() {
    let store = Store::new();
    let key = credential("ours");
    store.put("ours").await.expect("delivers");
    let again = rendered(&key, &store.place)
        .expect("fits")
        .as_bytes()
        .to_vec();
    store.fault("/versions?pageSize", Fault::Written(again));
    let removed = store.sink.remove(&store.to(), &key.mrn, None).await;
    assert_eq!(removed, Ok(Removal::Removed));
    assert_eq!(store.told(), ["Destroyed", "{}", "ours"]);
}
