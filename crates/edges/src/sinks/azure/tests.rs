//! The sink against a server that answers as Azure does.

use std::sync::Mutex;

use rolecall_standins::azure::{Azure, CLIENT, FEDERATED, Fault, HEADER, SECRET, TENANT};
use rolecall_standins::{Running, serve};
use serde_json::json;

use super::*;
use crate::model::CredentialFormat;
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

const NAME: &str = "mondoo-ci";
const SECRET_LOGIN: [(&str, &str); 3] = [
    ("AZURE_TENANT_ID", TENANT),
    ("AZURE_CLIENT_ID", CLIENT),
    ("AZURE_CLIENT_SECRET", SECRET),
];

fn server() -> Running<Azure> {
    serve(Azure::new(), ([127, 0, 0, 1], 0).into()).expect("a port")
}

struct Store {
    server: Running<Azure>,
    sink: AzureKeyVaultSink,
    lent: Lent,
    place: AzureKeyVaultPlace,
    places: Mutex<usize>,
}

impl Store {
    fn of(format: CredentialFormat) -> Self {
        Self::with(format, &SECRET_LOGIN)
    }

    fn json() -> Self {
        Self::of(CredentialFormat::Json)
    }

    fn with(format: CredentialFormat, variables: &[(&'static str, &str)]) -> Self {
        let server = server();
        let mut all = vec![("AZURE_AUTHORITY_HOST", server.url.as_str())];
        all.extend(variables);
        let (mut machine, lent) = Lent::machine(&all);
        let vault = Origin::new(&server.url).expect("an address");
        machine.allowed.push(vault.clone());
        let place = AzureKeyVaultPlace {
            vault,
            name: NAME.to_owned(),
            format,
        };
        Self {
            sink: AzureKeyVaultSink::new(Arc::new(machine)),
            server,
            lent,
            place,
            places: Mutex::default(),
        }
    }

    fn to(&self) -> Destination {
        Destination::new(
            "azure_key_vault.ci",
            Place::AzureKeyVault(self.place.clone()),
        )
    }

    async fn staged(&self, key: &IssuedCredential) -> Staged {
        let probe = self.sink.probe(&self.to()).await.expect("takes a key");
        let staged = self.sink.stage(&self.to(), key, probe).await;
        staged.expect("stages")
    }

    async fn put(&self, id: &str) -> Delivered {
        let key = credential(id);
        let staged = self.staged(&key).await;
        let done = self.sink.promote(&self.to(), &key, &staged).await;
        done.expect("delivers")
    }

    fn held(&self) -> Option<String> {
        self.server
            .with(|azure| azure.newest(NAME).map(|newest| newest.value.clone()))
    }

    fn holds(&self, id: &str) -> bool {
        let wanted = rendered(&credential(id), &self.place).expect("renders");
        self.held().as_deref() == Some(wanted.as_str())
    }

    fn versions(&self) -> usize {
        self.server.with(|azure| azure.versions(NAME).len())
    }

    fn fault(&self, at: &str, fault: Fault) {
        self.server
            .with(|azure| azure.faults.push((at.to_owned(), fault)));
    }

    fn asked(&self) -> Vec<String> {
        let calls = self.server.calls();
        let told = calls
            .iter()
            .map(|call| format!("{} {}", call.method, call.path));
        told.collect()
    }
}

fn named(to: &Destination) -> &str {
    match to.place() {
        Place::AzureKeyVault(place) => &place.name,
        _ => panic!("{to}"),
    }
}

impl Ground for Store {
    type Sink = AzureKeyVaultSink;

    fn sink(&self) -> &AzureKeyVaultSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let place = AzureKeyVaultPlace {
            name: format!("mondoo-{places}"),
            ..self.place.clone()
        };
        Destination::new("azure_key_vault.ci", Place::AzureKeyVault(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        let held = self
            .server
            .with(|azure| azure.newest(named(to)).map(|newest| newest.value.clone()));
        held.filter(|held| held != NOTHING).map(String::into_bytes)
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.server.with(|azure| azure.put(named(to), &text));
    }

    fn beside(&self) -> usize {
        0
    }

    fn most(&self) -> Option<usize> {
        Some(LONGEST)
    }
}

#[tokio::test]
async fn all_formats_keep_to_the_contract() {
    for format in [CredentialFormat::Json, CredentialFormat::Base64] {
        keeps_to_the_contract(&Store::of(format)).await;
    }
}

#[tokio::test]
async fn a_delivery_takes_four_requests_and_a_login_is_for_all() {
    let store = Store::json();
    store.put("one").await;
    assert_eq!(
        store.asked(),
        [
            "GET /secrets".to_owned(),
            format!("POST /{TENANT}/oauth2/v2.0/token"),
            format!("GET /secrets/{NAME}"),
            format!("GET /deletedsecrets/{NAME}"),
            format!("GET /secrets/{NAME}"),
            format!("PUT /secrets/{NAME}"),
            format!("GET /secrets/{NAME}"),
        ]
    );
    store.put("two").await;
    let name = format!("/secrets/{NAME}");
    let get = format!("GET {name}");
    let put = format!("PUT {name}");
    assert_eq!(store.asked(), [get.clone(), get.clone(), put, get]);
    // A token that is about to end is replaced before it is used.
    assert_eq!(store.server.with(|azure| azure.logins), 1);
    store.lent.pass(3500);
    store.put("three").await;
    assert_eq!(store.server.with(|azure| azure.logins), 2);
    let operations: Vec<&str> = {
        let told = store.lent.told.lock().expect("no panic");
        told.iter()
            .map(|request| request.operation)
            .take(3)
            .collect()
    };
    assert_eq!(operations, ["azure challenge", "azure login", "azure read"]);
}

#[tokio::test]
async fn every_login_of_a_machine_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{FEDERATED}\n")).expect("written");
    let file = file.to_str().expect("a text");
    let server = server();
    let place = |server: &Running<Azure>| AzureKeyVaultPlace {
        vault: Origin::new(&server.url).expect("an address"),
        name: NAME.to_owned(),
        format: CredentialFormat::Json,
    };
    let endpoint = format!("{}/msi/token", server.url);
    let authority = format!("{}/", server.url);
    for (variables, path) in [
        (
            vec![
                ("AZURE_TENANT_ID", TENANT),
                ("AZURE_CLIENT_ID", CLIENT),
                ("AZURE_FEDERATED_TOKEN_FILE", file),
                ("AZURE_AUTHORITY_HOST", authority.as_str()),
            ],
            "/oauth2/v2.0/token",
        ),
        (
            vec![
                ("IDENTITY_ENDPOINT", endpoint.as_str()),
                ("IDENTITY_HEADER", HEADER),
            ],
            "/msi/token",
        ),
        (
            vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", server.url.as_str())],
            "/metadata/identity/oauth2/token",
        ),
        (
            vec![
                ("AZURE_POD_IDENTITY_AUTHORITY_HOST", server.url.as_str()),
                ("AZURE_CLIENT_ID", CLIENT),
            ],
            "/metadata/identity/oauth2/token",
        ),
    ] {
        let (mut machine, _) = Lent::machine(&variables);
        machine.allowed.push(place(&server).vault);
        let sink = AzureKeyVaultSink::new(Arc::new(machine));
        let to = Destination::new("azure_key_vault.ci", Place::AzureKeyVault(place(&server)));
        server.calls();
        sink.probe(&to)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let calls = server.calls();
        assert!(calls.iter().any(|call| call.path.ends_with(path)), "{path}");
        let named = calls.iter().any(|call| call.query.contains("client_id"));
        let wanted = path.starts_with("/metadata") && variables.len() == 2;
        assert_eq!(named, wanted, "{path}");
    }
}

#[tokio::test]
async fn a_machines_identity_that_is_being_updated_is_waited_for() {
    let server = server();
    let (mut machine, lent) =
        Lent::machine(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", server.url.as_str())]);
    let vault = Origin::new(&server.url).expect("an address");
    machine.allowed.push(vault.clone());
    let place = AzureKeyVaultPlace {
        vault,
        name: NAME.to_owned(),
        format: CredentialFormat::Json,
    };
    let to = Destination::new("azure_key_vault.ci", Place::AzureKeyVault(place));
    server.with(|azure| {
        for _ in 0..13 {
            let gone = Fault::Refuse(410, "Gone", "");
            azure.faults.push(("/metadata/".to_owned(), gone));
        }
    });
    let began = *lent.now.lock().expect("no panic");
    let sink = AzureKeyVaultSink::new(Arc::new(machine));
    sink.probe(&to).await.expect("waits");
    let took = lent.now.lock().expect("no panic").duration_since(began);
    assert!((60..=75).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test]
async fn a_login_goes_to_azure_alone_or_where_a_policy_directory_says() {
    let server = server();
    let evil = Origin::new(&server.url).expect("an address");
    let to = |vault: &str| {
        let place = AzureKeyVaultPlace {
            vault: Origin::new(vault).expect("an address"),
            name: NAME.to_owned(),
            format: CredentialFormat::Json,
        };
        Destination::new("azure_key_vault.ci", Place::AzureKeyVault(place))
    };
    // A configuration that names another server gets nothing, not even a request.
    let (machine, _) = Lent::machine(&SECRET_LOGIN);
    let sink = AzureKeyVaultSink::new(Arc::new(machine));
    let refused = sink.probe(&to(evil.as_str())).await.expect_err("refused");
    let way = format!("or let a policy directory say destinations {{ allow = [\"{evil}\"] }}");
    assert!(refused.to_string().ends_with(&way), "{refused}");
    assert_eq!(refused.kind, SinkErrorKind::Unauthenticated);
    assert!(server.calls().is_empty(), "something was sent");
    // Nor does what asks for a token of something else: of Azure's management, or of another vault.
    for resource in ["https://management.azure.com", "https://vault.azure.net"] {
        server.with(|azure| azure.resource = Some(resource.to_owned()));
        let mut variables = SECRET_LOGIN.to_vec();
        variables.push(("AZURE_AUTHORITY_HOST", server.url.as_str()));
        let (mut machine, _) = Lent::machine(&variables);
        machine.allowed.push(evil.clone());
        let sink = AzureKeyVaultSink::new(Arc::new(machine));
        let refused = sink.probe(&to(evil.as_str())).await.expect_err("refused");
        assert!(
            refused.to_string().contains("not its own domain"),
            "{refused}"
        );
        let calls = server.calls();
        assert!(
            calls
                .iter()
                .all(|call| call.header("authorization").is_empty())
        );
        assert_eq!(calls.len(), 1, "no login is asked for");
    }
    server.with(|azure| azure.resource = None);
    // The vault may be allowed, and where it is logged in to not: the two are asked one by one.
    let other = self::server();
    for (authority, told) in [
        (other.url.as_str(), "which is none of Azure's"),
        ("https://login.evil.example", "which is none of Azure's"),
        ("http://login.evil.example", "is no address"),
    ] {
        let mut variables = SECRET_LOGIN.to_vec();
        variables.push(("AZURE_AUTHORITY_HOST", authority));
        let (mut machine, _) = Lent::machine(&variables);
        machine.allowed.push(evil.clone());
        let sink = AzureKeyVaultSink::new(Arc::new(machine));
        let refused = sink.probe(&to(evil.as_str())).await.expect_err("refused");
        assert!(refused.to_string().contains(told), "{refused}");
        assert!(!refused.to_string().contains(SECRET), "{refused}");
        assert!(other.calls().is_empty());
    }
    // An identity of the machine is asked for on the machine alone.
    for endpoint in ["http://evil.example/msi/token", "https://evil.example/"] {
        let variables = [("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", HEADER)];
        let (mut machine, _) = Lent::machine(&variables);
        machine.allowed.push(evil.clone());
        let sink = AzureKeyVaultSink::new(Arc::new(machine));
        let refused = sink.probe(&to(evil.as_str())).await.expect_err("refused");
        assert!(
            refused.to_string().contains("not on this machine"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_login_that_fails_says_which_and_shows_nothing_of_it() {
    let wrong = "not~the+secret/of=anybody";
    for (variables, told) in [
        (
            vec![
                ("AZURE_TENANT_ID", TENANT),
                ("AZURE_CLIENT_ID", CLIENT),
                ("AZURE_CLIENT_SECRET", wrong),
            ],
            "did not take the login by AZURE_CLIENT_SECRET (HTTP 401: AADSTS7000215",
        ),
        (
            vec![("AZURE_CLIENT_ID", CLIENT), ("AZURE_CLIENT_SECRET", wrong)],
            "AZURE_TENANT_ID is not set, which the login by AZURE_CLIENT_SECRET needs",
        ),
        (
            vec![
                ("AZURE_TENANT_ID", "a/../b"),
                ("AZURE_CLIENT_ID", CLIENT),
                ("AZURE_CLIENT_SECRET", wrong),
            ],
            "AZURE_TENANT_ID is no directory",
        ),
        (
            vec![
                ("AZURE_TENANT_ID", TENANT),
                ("AZURE_CLIENT_ID", CLIENT),
                ("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token"),
            ],
            "the file of AZURE_FEDERATED_TOKEN_FILE cannot be read",
        ),
        (
            vec![("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")],
            "Azure Arc",
        ),
        (
            vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")],
            "nobody is logged in to Azure: AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE and \
             IDENTITY_ENDPOINT are not set",
        ),
    ] {
        let store = Store::with(CredentialFormat::Json, &variables);
        let error = store.sink.probe(&store.to()).await.expect_err("no login");
        assert_eq!(error.kind, SinkErrorKind::Unauthenticated, "{error}");
        let error = error.to_string();
        assert!(error.contains(told), "{error}");
        assert!(!error.contains(wrong), "{error}");
    }
}

/// What was made just now may count soon; what is wrong stays so.
#[tokio::test]
async fn an_application_that_was_made_just_now_may_log_in_soon() {
    for (code, passes) in [
        (70021, true),
        (700_211, true),
        (700_213, true),
        (70025, true),
        (700_016, true),
        (7_000_215, false),
        (7_002_138, false),
        (90002, false),
    ] {
        let store = Store::json();
        store.server.with(|azure| azure.refuses = Some(code));
        let error = store.sink.probe(&store.to()).await.expect_err("no login");
        assert_eq!(error.kind.may_pass(), passes, "{code}: {error}");
        assert!(
            error.to_string().contains(&format!("AADSTS{code}")),
            "{error}"
        );
    }
}

/// A login that ends while a key is on its way is known before there is one.
#[tokio::test]
async fn a_login_that_cannot_be_renewed_is_told_before_a_key_is_made() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), FEDERATED).expect("written");
    let path = file.path().to_str().expect("a text");
    let variables = [
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_FEDERATED_TOKEN_FILE", path),
    ];
    let store = Store::with(CredentialFormat::Json, &variables);
    store.sink.probe(&store.to()).await.expect("looks");
    let stale = "eyJhbGciOiJub25lIn0.of-the-stand-in.stale";
    std::fs::write(file.path(), stale).expect("written");
    store.lent.pass(3400);
    let ready = store.sink.ready(&store.to()).await;
    assert_eq!(ready.expect("lasts"), Duration::ZERO);
    store.lent.pass(100);
    let error = store.sink.ready(&store.to()).await.expect_err("ends");
    assert_eq!(error.kind, SinkErrorKind::Unauthenticated);
    let error = error.to_string();
    assert!(
        error.contains("AZURE_FEDERATED_TOKEN_FILE") && !error.contains(stale),
        "{error}"
    );
    // A file that was written anew is read anew.
    std::fs::write(file.path(), FEDERATED).expect("written");
    store.sink.ready(&store.to()).await.expect("logs in");
    assert_eq!(store.server.with(|azure| azure.logins), 2);
}

/// All vaults of a cloud ask for the same.
#[tokio::test]
async fn vaults_that_ask_for_the_same_share_a_login() {
    let store = Store::json();
    let logins = login::Logins::default();
    let mut variables = SECRET_LOGIN.to_vec();
    variables.push(("AZURE_AUTHORITY_HOST", store.server.url.as_str()));
    let (mut machine, _) = Lent::machine(&variables);
    let authority = Origin::new(&store.server.url).expect("an address");
    machine.allowed.push(authority);
    let of = |resource: &str| answer::Challenge {
        resource: resource.to_owned(),
        tenant: None,
    };
    for (vault, resource, made) in [
        ("https://one.acme.example", "https://acme.example", 1),
        ("https://two.acme.example", "https://acme.example", 1),
        ("https://one.other.example", "https://other.example", 2),
    ] {
        let vault = Origin::new(vault).expect("an address");
        let token = logins.token(&machine, &vault, &of(resource)).await;
        token.expect("logs in");
        assert_eq!(store.server.with(|azure| azure.logins), made, "{vault}");
    }
    logins.forget(&of("https://acme.example")).await;
    let vault = Origin::new("https://two.acme.example").expect("an address");
    let again = of("https://acme.example");
    let token = logins.token(&machine, &vault, &again).await;
    token.expect("logs in");
    assert_eq!(store.server.with(|azure| azure.logins), 3);
}

#[tokio::test]
async fn what_stands_beside_the_value_stays() {
    let store = Store::json();
    store.put("one").await;
    store.server.with(|azure| {
        azure.change(NAME, |newest| {
            newest.content_type = Some("application/json; a \"b\"".to_owned());
            newest.tags = json!({"team": "ü", "n": "1"})
                .as_object()
                .cloned()
                .expect("a map");
            newest.nbf = Some(1_600_000_000);
            newest.exp = Some(1_900_000_000);
        });
    });
    let before = store
        .server
        .with(|azure| azure.newest(NAME).cloned())
        .expect("there");
    let delivered = store.put("two").await;
    assert_eq!(delivered.note, None);
    let after = store
        .server
        .with(|azure| azure.newest(NAME).cloned())
        .expect("there");
    assert!(store.holds("two"));
    let same = rolecall_standins::azure::Version {
        id: after.id.clone(),
        value: after.value.clone(),
        ..before
    };
    assert_eq!(after, same);
    assert_eq!(delivered.version, Some(StoreVersion::new(&after.id)));
    // An end that has passed stays as well, and is told.
    store
        .server
        .with(|azure| azure.change(NAME, |newest| newest.exp = Some(1_600_000_001)));
    let note = store.put("three").await.note.expect("a note");
    assert!(note.contains("2020-09-13"), "{note}");
}

#[tokio::test]
async fn a_secret_in_the_bin_is_refused_at_the_probe_with_the_way_out() {
    let store = Store::json();
    store.put("one").await;
    store.server.with(|azure| azure.delete(NAME));
    store.asked();
    let error = store.sink.probe(&store.to()).await.expect_err("refused");
    assert_eq!(
        (error.kind, error.effect),
        (SinkErrorKind::Unfit, Effect::None)
    );
    let told = error.to_string();
    let command = format!(
        "az keyvault secret recover --id {}/deletedsecrets/{NAME}",
        store.place.vault
    );
    assert!(told.contains(&command), "{told}");
    let asked = store.asked();
    assert!(asked.iter().all(|one| one.starts_with("GET ")), "{asked:?}");
    // It is put there between the probe and the write.
    let store = Store::json();
    let key = credential("one");
    let staged = store.staged(&key).await;
    store.server.with(|azure| {
        azure.put(NAME, "x");
        azure.delete(NAME);
    });
    let error = store.sink.promote(&store.to(), &key, &staged).await;
    let error = error.expect_err("refused");
    assert_eq!(
        (error.kind, error.effect),
        (SinkErrorKind::Unfit, Effect::None)
    );
    assert!(
        error.to_string().contains("az keyvault secret recover"),
        "{error}"
    );
    assert!(store.asked().iter().all(|one| !one.contains("/recover")));
}

#[tokio::test]
async fn a_recovery_is_waited_for_and_what_comes_back_is_not_written_over() {
    let store = Store::json();
    store.put("former").await;
    store.server.with(|azure| {
        azure.delete(NAME);
        azure.recovery = 8;
        azure.recover(NAME);
    });
    let probe = store.sink.probe(&store.to()).await.expect("waits");
    let of_former = |found: &Found| matches!(found, Found::Account { account, .. } if *account == credential("former").mrn);
    assert!(of_former(&probe.found), "{:?}", probe.found);
    // The vault may say so for a while after it shows the secret again.
    let key = credential("next");
    let staged = store
        .sink
        .stage(&store.to(), &key, probe)
        .await
        .expect("stages");
    for _ in 0..3 {
        store.fault(
            "PUT",
            Fault::Refuse(409, "Conflict", "ObjectIsBeingRecovered"),
        );
    }
    let done = store.sink.promote(&store.to(), &key, &staged).await;
    assert!(done.is_ok() && store.holds("next"), "{done:?}");
    // One that began after the probe brings back what nobody looked at.
    let store = Store::json();
    let key = credential("one");
    let staged = store.staged(&key).await;
    store.server.with(|azure| {
        azure.put(NAME, "somebody's");
        azure.delete(NAME);
        azure.recover(NAME);
    });
    let error = store.sink.promote(&store.to(), &key, &staged).await;
    assert_eq!(error.expect_err("refused").kind, SinkErrorKind::Moved);
    assert_eq!(store.held().as_deref(), Some("somebody's"));
    // One that does not end is given up.
    store.server.with(|azure| {
        azure.delete(NAME);
        azure.recovery = 1000;
        azure.recover(NAME);
    });
    let error = store.sink.probe(&store.to()).await.expect_err("gives up");
    assert!(error.to_string().contains("being recovered"), "{error}");
}

#[tokio::test]
async fn rights_that_are_lacking_are_told_apart_and_found_before_anything_is_written() {
    for (at, code, kind, told) in [
        (
            "GET /secrets/",
            "ForbiddenByRbac",
            SinkErrorKind::PermissionDenied,
            "secrets/getSecret/action",
        ),
        (
            "GET /secrets/",
            "ForbiddenByRbac",
            SinkErrorKind::PermissionDenied,
            "up to ten minutes",
        ),
        (
            "GET /deletedsecrets/",
            "ForbiddenByRbac",
            SinkErrorKind::PermissionDenied,
            "secrets/readMetadata/action",
        ),
        (
            "GET /secrets/",
            "ForbiddenByPolicy",
            SinkErrorKind::PermissionDenied,
            "access policies do not allow the login to get",
        ),
        (
            "GET /secrets/",
            "AccessDenied",
            SinkErrorKind::PermissionDenied,
            "az keyvault set-policy",
        ),
        (
            "GET /secrets/",
            "ForbiddenByFirewall",
            SinkErrorKind::PermissionDenied,
            "firewall does not let this machine in",
        ),
        (
            "GET /secrets/",
            "ForbiddenByConnection",
            SinkErrorKind::PermissionDenied,
            "firewall does not let this machine in",
        ),
        (
            "GET /secrets/",
            "SecretDisabled",
            SinkErrorKind::Unfit,
            "is disabled",
        ),
    ] {
        let store = Store::json();
        store
            .server
            .with(|azure| azure.forbidden.push((at.to_owned(), code)));
        let error = store.sink.probe(&store.to()).await.expect_err("refused");
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{error}");
        assert!(error.to_string().contains(told), "{error}");
        // A role that has come into effect.
        store.server.with(|azure| azure.forbidden.clear());
        store.sink.probe(&store.to()).await.expect("takes a key");
    }
    // The right to write is known by writing alone.
    let store = Store::json();
    let key = credential("one");
    let staged = store.staged(&key).await;
    store
        .server
        .with(|azure| azure.forbidden.push(("PUT".to_owned(), "ForbiddenByRbac")));
    let error = store.sink.promote(&store.to(), &key, &staged).await;
    let error = error.expect_err("refused");
    assert_eq!(
        (error.kind, error.effect),
        (SinkErrorKind::PermissionDenied, Effect::None)
    );
    assert!(
        error.to_string().contains("secrets/setSecret/action"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_there_decides_whether_a_failed_write_was_done() {
    for (fault, done, effect) in [
        (Fault::LostAnswer, true, Effect::None),
        (
            Fault::RefuseDone(403, "Forbidden", "ForbiddenByRbac"),
            true,
            Effect::None,
        ),
        (
            Fault::RefuseDone(500, "InternalError", ""),
            true,
            Effect::None,
        ),
        (Fault::Cut, false, Effect::Unknown),
        (
            Fault::Refuse(500, "InternalError", ""),
            false,
            Effect::Unknown,
        ),
        (
            Fault::Refuse(403, "Forbidden", "ForbiddenByRbac"),
            false,
            Effect::None,
        ),
        (Fault::Refuse(400, "BadParameter", ""), false, Effect::None),
        (Fault::Moved, false, Effect::None),
    ] {
        let store = Store::json();
        let key = credential("one");
        let staged = store.staged(&key).await;
        store.fault("PUT", fault.clone());
        let wrote = store.sink.promote(&store.to(), &key, &staged).await;
        assert_eq!(wrote.is_ok(), done, "{fault:?}: {wrote:?}");
        assert_eq!(
            store.versions(),
            usize::from(done),
            "{fault:?}: one version"
        );
        if let Err(error) = wrote {
            assert_eq!(error.effect, effect, "{fault:?}: {error}");
            assert!(
                !format!("{error} {error:?}").contains("not really"),
                "{error}"
            );
        }
        // Asked again it is done, and not twice.
        let again = store.sink.promote(&store.to(), &key, &staged).await;
        assert!(
            again.is_ok() && store.versions() == 1,
            "{fault:?}: {again:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_lags_is_asked_again_and_not_written_to_again() {
    for fault in [
        Fault::Lag(2),
        Fault::Refuse(429, "Throttled", ""),
        Fault::LostAnswer,
    ] {
        let store = Store::json();
        store.put("one").await;
        let key = credential("two");
        let staged = store.staged(&key).await;
        store.asked();
        store.fault("PUT", fault.clone());
        let done = store.sink.promote(&store.to(), &key, &staged).await;
        assert_eq!(
            done.map(|done| done.verified),
            Ok(Verified::Equal),
            "{fault:?}"
        );
        assert_eq!(store.versions(), 2, "{fault:?}");
        let asked = store.asked();
        let puts = asked.iter().filter(|one| one.starts_with("PUT")).count();
        let wanted = match fault {
            // Nothing was done, so that it is sent again.
            Fault::Refuse(..) => (2, 4),
            Fault::Lag(_) => (1, 5),
            _ => (1, 3),
        };
        assert_eq!((puts, asked.len()), wanted, "{fault:?}");
    }
}

#[tokio::test]
async fn what_somebody_writes_between_the_look_and_the_write_is_what_is_lost() {
    // There is no conditional write: this is what the page says of it.
    let store = Store::json();
    let key = credential("one");
    let staged = store.staged(&key).await;
    store.fault("PUT", Fault::Written("somebody's".to_owned()));
    store
        .sink
        .promote(&store.to(), &key, &staged)
        .await
        .expect("delivers");
    assert!(store.holds("one"));
    assert_eq!(store.versions(), 2, "theirs is a former version");
}

#[tokio::test]
async fn a_birth_that_is_called_off_leaves_an_empty_secret_and_a_shut_version() {
    let store = Store::json();
    let key = credential("off");
    let staged = store.staged(&key).await;
    store
        .sink
        .promote(&store.to(), &key, &staged)
        .await
        .expect("delivers");
    let done = store.sink.abandon(&store.to(), &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Gone));
    assert_eq!(store.held().as_deref(), Some("{}"));
    let enabled: Vec<bool> = store.server.with(|azure| {
        let versions = azure.versions(NAME).iter();
        versions.map(|version| version.enabled).collect()
    });
    assert_eq!(enabled, [false, true], "the key's version alone is shut");
    assert!(store.asked().iter().all(|one| !one.starts_with("DELETE")));
    // The name is free for the next.
    store.put("next").await;
    assert!(store.holds("next"));
    // Without the right to shut it the key is out all the same.
    let store = Store::json();
    store.put("former").await;
    let staged = store.staged(&key).await;
    store
        .sink
        .promote(&store.to(), &key, &staged)
        .await
        .expect("delivers");
    store.server.with(|azure| {
        azure
            .forbidden
            .push(("PATCH".to_owned(), "ForbiddenByRbac"))
    });
    let done = store.sink.abandon(&store.to(), &key, &staged).await;
    assert_eq!(done, Ok(Abandoned::Restored));
    assert!(store.holds("former"));
}

#[tokio::test]
async fn a_removal_shuts_the_version_that_had_the_key_or_says_that_it_could_not() {
    let store = Store::json();
    store.put("one").await;
    let one = credential("one").mrn;
    let version = store
        .server
        .with(|azure| azure.newest(NAME).map(|v| v.id.clone()));
    store.server.with(|azure| {
        azure
            .forbidden
            .push(("PATCH".to_owned(), "ForbiddenByRbac"))
    });
    let failed = store.sink.remove(&store.to(), &one, None).await;
    let failed = failed.expect_err("it can still be read");
    let command = format!(
        "--enabled false --id {}/secrets/{NAME}/{}",
        store.place.vault,
        version.expect("one")
    );
    assert!(failed.to_string().contains(&command), "{failed}");
    assert_eq!(store.held().as_deref(), Some("{}"));
    store.server.with(|azure| azure.forbidden.clear());
    store.put("two").await;
    let removed = store
        .sink
        .remove(&store.to(), &credential("two").mrn, None)
        .await;
    assert_eq!(removed, Ok(Removal::Removed));
    let shut = store.server.with(|azure| {
        let versions = azure.versions(NAME);
        versions.iter().filter(|version| !version.enabled).count()
    });
    assert_eq!(shut, 1);
    // Lost answers: whether it is gone is read.
    store.put("three").await;
    store.fault("PUT", Fault::LostAnswer);
    let removed = store
        .sink
        .remove(&store.to(), &credential("three").mrn, None)
        .await;
    assert_eq!(removed, Ok(Removal::Removed));
    store.put("four").await;
    store.fault("PUT", Fault::Cut);
    let failed = store
        .sink
        .remove(&store.to(), &credential("four").mrn, None)
        .await;
    assert_eq!(failed.expect_err("nobody knows").effect, Effect::Unknown);
}

#[tokio::test]
async fn the_key_of_a_certificate_is_not_written_over() {
    let store = Store::json();
    store.put("one").await;
    store
        .server
        .with(|azure| azure.change(NAME, |newest| newest.managed = true));
    let error = store.sink.probe(&store.to()).await.expect_err("refused");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn one_byte_too_many_is_refused_before_any_destination_has_the_key() {
    let store = Store::json();
    let of = |length: usize| IssuedCredential {
        certificate: "c".repeat(length),
        ..credential("large")
    };
    let rest = rendered(&of(0), &store.place).expect("renders").len();
    let fits = of(LONGEST - rest);
    let staged = store.staged(&fits).await;
    store
        .sink
        .promote(&store.to(), &fits, &staged)
        .await
        .expect("fits");
    let probe = store.sink.probe(&store.to()).await.expect("takes a key");
    let error = store
        .sink
        .stage(&store.to(), &of(LONGEST - rest + 1), probe)
        .await;
    let error = error.expect_err("refused");
    assert_eq!(error.kind, SinkErrorKind::Full);
    let told = error.to_string();
    assert!(told.contains("25601") && told.contains("25600"), "{told}");
}

#[tokio::test]
async fn an_answer_that_is_of_something_else_is_not_taken() {
    let store = Store::json();
    store.sink.probe(&store.to()).await.expect("takes a key");
    store.fault("GET /secrets/", Fault::Moved);
    let error = store.sink.probe(&store.to()).await.expect_err("refused");
    assert!(error.to_string().contains("redirect"), "{error}");
    for code in ["NotFound", "VaultNotFound"] {
        store.fault("GET /secrets/", Fault::Refuse(404, code, ""));
        let error = store.sink.probe(&store.to()).await.expect_err("refused");
        assert_eq!(error.kind, SinkErrorKind::NotFound, "{error}");
    }
    store.fault("GET /secrets/", Fault::Refuse(401, "Unauthorized", ""));
    let error = store.sink.probe(&store.to()).await.expect_err("refused");
    assert!(error.to_string().contains(TENANT), "{error}");
}
