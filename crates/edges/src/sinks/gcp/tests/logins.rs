//! Who logs in, and where a login is sent.

use std::path::PathBuf;

use rolecall_standins::gcp::{ACCOUNT, AUDIENCE, SUBJECT};
use serde_json::Value;

use super::*;
use crate::http::Answer;

/// A store whose login is this file, with this allowed besides Google's own.
struct Login {
    store: Store,
    file: PathBuf,
}

impl Login {
    fn by(change: impl FnOnce(&str, &mut Value)) -> Self {
        let store = Store::new();
        let file = store.folder.path().join("login.json");
        let text = std::fs::read_to_string(&file).expect("there");
        let mut account: Value = serde_json::from_str(&text).expect("JSON");
        change(&store.server.url, &mut account);
        std::fs::write(&file, account.to_string()).expect("written");
        Self { store, file }
    }

    /// A token of somebody else in a file, as gcloud makes the file of such a login.
    fn federated(change: impl FnOnce(&str, &mut Value)) -> Self {
        let login = Self::by(|url, account| {
            *account = json!({
                "universe_domain": "googleapis.com",
                "type": "external_account",
                "audience": AUDIENCE,
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": format!("{url}/v1/token"),
                "credential_source": {"file": "TOKEN", "format": {"type": "text"}},
            });
            change(url, account);
        });
        let token = login.store.folder.path().join("token");
        std::fs::write(&token, format!("{SUBJECT}\n")).expect("written");
        let text = std::fs::read_to_string(&login.file).expect("there");
        let text = text.replace("\"TOKEN\"", &format!("{:?}", token.to_string_lossy()));
        std::fs::write(&login.file, text).expect("written");
        login
    }

    async fn refused(&self) -> SinkError {
        let error = self.store.put("x").await.expect_err("is refused");
        assert_eq!(error.effect, Effect::None);
        assert!(self.store.versions().is_empty());
        error
    }
}

#[tokio::test]
async fn a_service_account_logs_in_by_its_key() {
    let login = Login::by(|_, _| {});
    login.store.put("one").await.expect("delivers");
    let calls = login.store.server.calls();
    let login = calls
        .iter()
        .find(|call| call.path == "/token")
        .expect("a login");
    let body = String::from_utf8_lossy(&login.body);
    assert!(body.starts_with(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey"
    ));
    assert!(login.header("authorization").is_empty());
}

#[tokio::test]
async fn an_assertion_for_another_server_is_of_no_use_at_google() {
    let login = Login::by(|_, _| {});
    login.store.put("one").await.expect("delivers");
    let calls = login.store.server.calls();
    let sent = calls
        .iter()
        .find(|call| call.path == "/token")
        .expect("a login");
    let body = String::from_utf8_lossy(&sent.body).into_owned();
    let (_, assertion) = body.split_once("assertion=").expect("an assertion");
    let claims = assertion.split('.').nth(1).expect("claims");
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims);
    let claims: Value = serde_json::from_slice(&claims.expect("base64")).expect("JSON");
    assert_eq!(claims["aud"], format!("{}/token", login.store.server.url));
    assert_eq!(claims["iss"], ACCOUNT);
}

#[tokio::test]
async fn a_token_of_somebody_else_is_exchanged_and_read_anew_each_time() {
    for (impersonated, json) in [(false, false), (true, true)] {
        let login = Login::federated(|url, account| {
            if impersonated {
                let to =
                    format!("{url}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken");
                account["service_account_impersonation_url"] = json!(to);
            }
            if json {
                account["credential_source"]["format"] =
                    json!({"type": "json", "subject_token_field_name": "id_token"});
            }
        });
        let token = login.store.folder.path().join("token");
        let write = |text: &str| {
            let text = match json {
                true => json!({"id_token": text, "n": 1}).to_string(),
                false => format!("{text}\n"),
            };
            std::fs::write(&token, text).expect("written");
        };
        write(SUBJECT);
        login.store.put("one").await.expect("delivers");
        let logins = if impersonated { 2 } else { 1 };
        assert_eq!(login.store.server.with(|gcp| gcp.logins()), logins);
        let calls = login.store.server.calls();
        let exchange = calls
            .iter()
            .find(|call| call.path == "/v1/token")
            .expect("one");
        assert!(exchange.header("authorization").is_empty());
        // It ends before the next.
        login.store.lent.pass(3600);
        write("ended");
        let error = login.store.put("two").await.expect_err("refused");
        assert_eq!(error.kind, SinkErrorKind::Unauthenticated);
        assert!(
            error.to_string().contains("could not be verified"),
            "{error}"
        );
        write(SUBJECT);
        login.store.put("two").await.expect("delivers");
        assert_eq!(login.store.told(), ["one", "two"]);
    }
}

#[tokio::test]
async fn a_machine_logs_in_as_itself() {
    let (server, lent, _folder) = served();
    let address = Origin::new(&server.url).expect("an address");
    let host = server.url.trim_start_matches("http://").to_owned();
    let place = GcpPlace {
        address: address.clone(),
        ..Store::new().place
    };
    server.with(|gcp| gcp.make(&place.resource()));
    let to = Destination::new("x", Place::GcpSecretManager(place));
    let sink = || {
        let mut machine = lent.also(&[("GCE_METADATA_HOST", &host)]);
        machine.allowed = vec![address.clone()];
        GcpSink::new(Arc::new(machine))
    };
    // No service account, and a server that does not say that it is Google's.
    for (metadata, told) in [(None, "has no service account"), (Some(false), "is none")] {
        server.with(|gcp| gcp.metadata = metadata);
        let error = sink().probe(&to).await.expect_err("nobody");
        assert_eq!(error.kind, SinkErrorKind::Unauthenticated);
        let text = error.to_string();
        assert!(text.contains(told) && text.contains(file::FILE), "{text}");
    }
    server.calls();
    server.with(|gcp| gcp.metadata = Some(true));
    sink().probe(&to).await.expect("looks");
    let calls = server.calls();
    assert_eq!(
        calls[0].path,
        "/computeMetadata/v1/instance/service-accounts/default/token"
    );
    assert_eq!(calls[0].header("metadata-flavor"), "Google");
}

/// A metadata server is asked in plain text, and so must be beside the machine.
#[tokio::test]
async fn a_metadata_server_in_the_network_is_not_asked() {
    let (server, lent, _folder) = served();
    let place = Store::new().place;
    for host in [
        "metadata.evil.example",
        "10.0.0.1",
        "169.254.169.254@evil.example",
        "[::2]:80",
    ] {
        let mut machine = lent.also(&[("GCE_METADATA_HOST", host)]);
        machine.allowed = vec![place.address.clone()];
        let sink = GcpSink::new(Arc::new(machine));
        let to = Destination::new("x", Place::GcpSecretManager(place.clone()));
        let error = sink.probe(&to).await.expect_err("refused");
        let text = error.to_string();
        assert!(text.contains("neither this machine nor Google's"), "{text}");
    }
    assert!(server.calls().is_empty());
}

/// A hostile file: it names the address that its login goes to.
#[tokio::test]
async fn a_login_goes_to_google_alone_whatever_its_file_says() {
    let elsewhere = served().0;
    let urls = [
        format!("{}/token", elsewhere.url),
        "https://oauth2.googleapis.com.evil.example/token".to_owned(),
        "https://oauth2.googleapis.com@evil.example/token".to_owned(),
        "https://oauth2.googleapis.com/token/../../x".to_owned(),
        "https://storage.googleapis.com/bucket/token".to_owned(),
        "http://oauth2.googleapis.com/token".to_owned(),
        "token".to_owned(),
        String::new(),
    ];
    for url in &urls {
        for field in [
            "token_uri",
            "token_url",
            "service_account_impersonation_url",
        ] {
            let change = |_: &str, account: &mut Value| account[field] = json!(url);
            let login = match field {
                "token_uri" => Login::by(change),
                _ => Login::federated(change),
            };
            let error = login.refused().await;
            assert_eq!(error.kind, SinkErrorKind::Unauthenticated);
            let text = error.to_string();
            assert!(
                text.contains(field) && text.contains("nothing was sent"),
                "{text}"
            );
            assert!(!text.contains("PRIVATE KEY") && !text.contains(SUBJECT));
            assert!(login.store.server.calls().is_empty(), "{field} {url}");
        }
    }
    assert!(elsewhere.calls().is_empty());
}

#[tokio::test]
async fn a_file_that_runs_a_program_fetches_a_url_or_is_a_persons_is_refused_by_name() {
    let executable = json!({"executable": {"command": "/bin/touch /tmp/rolecall-was-here"}});
    for (source, told) in [
        (executable, "`executable`"),
        (json!({"url": "https://evil.example/token"}), "`url`"),
        (
            json!({"environment_id": "aws1", "url": "http://169.254.169.254"}),
            "`url`",
        ),
        (json!({"environment_id": "aws1"}), "`environment_id`"),
        (json!({"certificate": {}}), "`certificate`"),
        (
            json!({"file": "/dev/null", "executable": {"command": "x"}}),
            "`executable`",
        ),
        (json!({}), "`file`"),
    ] {
        let login = Login::federated(|_, account| account["credential_source"] = source);
        let error = login.refused().await;
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.help.is_some());
        assert!(login.store.server.calls().is_empty());
    }
    assert!(!std::path::Path::new("/tmp/rolecall-was-here").exists());
    for (kind, told) in [
        ("authorized_user", "login of a person"),
        ("external_account_authorized_user", "login of a person"),
        (
            "impersonated_service_account",
            "impersonated_service_account",
        ),
        ("gdch_service_account", "gdch_service_account"),
        ("", "does not know"),
    ] {
        let login = Login::by(|_, account| account["type"] = json!(kind));
        let error = login.refused().await;
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.to_string().contains("create-cred-config"), "{error}");
        assert!(login.store.server.calls().is_empty());
    }
    let login = Login::by(|_, account| account["universe_domain"] = json!("evil.example"));
    assert!(
        login
            .refused()
            .await
            .to_string()
            .contains("googleapis.com alone")
    );
    assert!(login.store.server.calls().is_empty());
}

#[tokio::test]
async fn a_file_that_lacks_something_is_told_without_what_it_holds() {
    for field in ["client_email", "private_key"] {
        let login = Login::by(|_, account| {
            account.as_object_mut().expect("a map").remove(field);
        });
        assert!(login.refused().await.to_string().contains(field));
    }
    for field in ["audience", "subject_token_type", "credential_source"] {
        let login = Login::federated(|_, account| {
            account.as_object_mut().expect("a map").remove(field);
        });
        assert!(login.refused().await.to_string().contains(field));
    }
    let login = Login::by(|_, _| {});
    std::fs::write(&login.file, "-----BEGIN PRIVATE KEY-----\nabc").expect("written");
    let text = login.refused().await.to_string();
    assert!(
        text.contains("not as Google gives it") && !text.contains("PRIVATE"),
        "{text}"
    );
    std::fs::remove_file(&login.file).expect("removed");
    assert!(login.refused().await.to_string().contains("cannot be read"));
    let login = Login::federated(|_, _| {});
    std::fs::remove_file(login.store.folder.path().join("token")).expect("removed");
    assert!(login.refused().await.to_string().contains("cannot be read"));
    std::fs::write(login.store.folder.path().join("token"), "\n").expect("written");
    assert!(login.refused().await.to_string().contains("holds no token"));
}

/// The configuration's address asserts, and does not lead anywhere.
#[tokio::test]
async fn a_place_that_is_not_googles_gets_no_login() {
    let store = Store::new();
    let path = store.folder.path().join("login.json");
    let path = path.to_string_lossy();
    let machine = store.lent.also(&[(file::FILE, &path)]);
    let sink = GcpSink::new(Arc::new(machine));
    for (address, location) in [
        (store.server.url.as_str(), ""),
        ("https://secretmanager.googleapis.com.evil.example", ""),
        ("https://storage.googleapis.com", ""),
        // Google's, and not for this.
        ("https://secretmanager.googleapis.com", REGION),
        ("https://secretmanager.europe-west3.rep.googleapis.com", ""),
        (
            "https://secretmanager.europe-west3.rep.googleapis.com",
            "europe-west4",
        ),
    ] {
        let place = GcpPlace {
            address: Origin::new(address).expect("an address"),
            location: location.to_owned(),
            ..store.place.clone()
        };
        let to = Destination::new("x", Place::GcpSecretManager(place));
        let error = sink.probe(&to).await.expect_err("refused");
        assert_eq!(error.kind, SinkErrorKind::Unauthenticated);
        let text = error.to_string();
        assert!(text.contains("the login was not sent"), "{text}");
        assert!(text.contains(&format!("allow = [\"{address}\"]")), "{text}");
    }
    assert!(store.server.calls().is_empty());
    assert!(store.lent.told.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    let store = Store::new();
    store.put("one").await.expect("delivers");
    for (passed, logins) in [(3000, 1), (450, 1), (50, 2), (3600, 3)] {
        store.lent.pass(passed);
        store.sink.probe(&store.to()).await.expect("looks");
        assert_eq!(store.server.with(|gcp| gcp.logins()), logins, "{passed}");
    }
}

/// A login that ends while a key is on its way is known before there is one.
#[tokio::test]
async fn a_login_that_cannot_be_renewed_is_told_before_a_key_is_made() {
    let login = Login::federated(|_, _| {});
    let (store, to) = (&login.store, login.store.to());
    store.sink.probe(&to).await.expect("looks");
    let token = store.folder.path().join("token");
    std::fs::write(&token, "ended").expect("written");
    store.lent.pass(3400);
    let ready = store.sink.ready(&to).await;
    assert_eq!(ready.expect("lasts"), Duration::ZERO);
    store.lent.pass(100);
    let error = store.sink.ready(&to).await.expect_err("ends");
    assert_eq!(error.kind, SinkErrorKind::Unauthenticated, "{error}");
    assert!(store.versions().is_empty());
    std::fs::write(&token, SUBJECT).expect("written");
    store.sink.ready(&to).await.expect("logs in");
}

/// Pools, providers and their conditions take minutes to count; a bad token never does.
#[tokio::test]
async fn a_trust_that_was_given_just_now_may_count_soon() {
    for (name, passes) in [
        ("invalid_target", true),
        ("unauthorized_client", true),
        ("invalid_grant", false),
        ("invalid_request", false),
    ] {
        let login = Login::federated(|_, _| {});
        login.store.server.with(|gcp| gcp.refuses = Some(name));
        let error = login.refused().await;
        assert_eq!(error.kind.may_pass(), passes, "{name}: {error}");
    }
}

#[test]
fn a_clock_that_is_wrong_is_told_where_a_login_is_refused() {
    let now = "2026-11-01T10:00:00Z".parse().expect("a time");
    let said = json!({"error": "invalid_grant", "error_description": "Invalid JWT: secret-of-ours-1234567"});
    for (date, told) in [
        ("2026-11-01T10:05:00Z", "300 s behind"),
        ("2026-11-01T09:55:00Z", "300 s before"),
    ] {
        let mut answer = Answer::new(400, said.to_string());
        answer.date = Some(date.parse().expect("a time"));
        let error = login::refused(&answer, "the key", "help", "secret-of-ours-1234567", now);
        let text = error.to_string();
        assert!(
            text.contains(told) && text.contains("invalid_grant"),
            "{text}"
        );
        assert!(!text.contains("secret-of-ours"), "{text}");
    }
}
