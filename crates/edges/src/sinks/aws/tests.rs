//! The sink against a server that answers as AWS does, and computes every signature anew.

use std::sync::Mutex;

use rolecall_standins::aws::{ACCOUNT, Aws, Fault, ID, KEY, REGION, Theirs};
use rolecall_standins::{Running, serve};
use serde_json::json;

use super::*;
use crate::model::{CredentialFormat, Origin};
use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};
use crate::sinks::fixture::Lent;

const LOGIN: &[(&str, &str)] = &[("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", KEY)];

/// The metadata of an instance, which the same server gives.
const INSTANCE: &[(&str, &str)] = &[
    ("AWS_EC2_METADATA_DISABLED", "false"),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "URL"),
];
const ROLE: &str = "arn:aws:iam::123456789012:role/rolecall";

struct Store {
    server: Running<Aws>,
    sink: AwsSecretsSink,
    lent: Lent,
    place: AwsSecretPlace,
    places: Mutex<usize>,
}

impl Store {
    fn of(format: CredentialFormat) -> Self {
        Self::with(format, LOGIN)
    }

    /// A store with other variables, in which `URL` stands for its address.
    fn with(format: CredentialFormat, variables: &[(&'static str, &str)]) -> Self {
        let server = serve(Aws::new(), ([127, 0, 0, 1], 0).into()).expect("a port");
        // No test asks the machine that it runs on.
        let mut all = vec![
            ("AWS_ENDPOINT_URL_STS", server.url.as_str()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let variables = variables.iter();
        let variables: Vec<(&str, String)> = variables
            .map(|(name, value)| (*name, value.replace("URL", &server.url)))
            .collect();
        all.extend(
            variables
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        let (mut machine, lent) = Lent::machine(&all);
        let endpoint = Origin::new(&server.url).expect("an address");
        machine.allowed.push(endpoint.clone());
        Self {
            sink: AwsSecretsSink::new(Arc::new(Services::new(Arc::new(machine)))),
            server,
            lent,
            place: AwsSecretPlace {
                endpoint,
                region: REGION.to_owned(),
                account_id: ACCOUNT.to_owned(),
                name: "mondoo/ci".to_owned(),
                format,
            },
            places: Mutex::default(),
        }
    }

    fn to(&self) -> Destination {
        Destination::new(
            "aws_secretsmanager.ci",
            Place::AwsSecretsmanager(self.place.clone()),
        )
    }

    async fn put(&self, id: &str) -> Result<Delivered, SinkError> {
        let (to, key) = (self.to(), credential(id));
        let probe = self.sink.probe(&to).await?;
        let staged = self.sink.stage(&to, &key, probe).await?;
        self.sink.promote(&to, &key, &staged).await
    }

    fn ops(&self) -> Vec<String> {
        let calls = self.server.calls();
        let ops = calls
            .iter()
            .map(|call| call.header("x-amz-target").to_owned());
        ops.map(|op| op.replace("secretsmanager.", "")).collect()
    }
}

fn name_of(to: &Destination) -> &str {
    let Place::AwsSecretsmanager(place) = to.place() else {
        panic!("{to}")
    };
    &place.name
}

impl Ground for Store {
    type Sink = AwsSecretsSink;

    fn sink(&self) -> &AwsSecretsSink {
        &self.sink
    }

    fn place(&self) -> Destination {
        let mut places = self.places.lock().expect("no panic");
        *places += 1;
        let place = AwsSecretPlace {
            name: format!("mondoo/{places}"),
            ..self.place.clone()
        };
        Destination::new("aws_secretsmanager.ci", Place::AwsSecretsmanager(place))
    }

    fn read(&self, to: &Destination) -> Option<Vec<u8>> {
        self.server.with(|aws| {
            // A secret without a key.
            let held = aws.current(name_of(to)).filter(|held| *held != NOTHING);
            held.map(|held| held.as_bytes().to_vec())
        })
    }

    fn write(&self, to: &Destination, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.server.with(|aws| aws.write(name_of(to), &text));
    }

    fn beside(&self) -> usize {
        self.server.with(|aws| aws.pending())
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
async fn a_login_goes_to_the_clouds_own_addresses_or_where_a_policy_says() {
    let sink = async |endpoint: &str| {
        let (machine, _) = Lent::machine(LOGIN);
        let place = AwsSecretPlace {
            endpoint: Origin::new(endpoint).expect("an address"),
            ..Store::of(CredentialFormat::Json).place
        };
        let services = Services::new(Arc::new(machine));
        services.at((&place).into()).await.map(|_| ())
    };
    for own in [
        "https://secretsmanager.eu-central-1.amazonaws.com",
        "https://secretsmanager-fips.eu-central-1.amazonaws.com",
        "https://secretsmanager.eu-central-1.api.aws",
    ] {
        sink(own).await.expect("is AWS's own");
    }
    for other in [
        "https://secretsmanager.us-east-1.amazonaws.com",
        "https://secretsmanager.eu-central-1.amazonaws.com.evil.example",
        "https://secretsmanager.eu-central-1.amazonaws.com:8443",
        "https://s3.eu-central-1.amazonaws.com",
        "http://127.0.0.1:9",
    ] {
        let error = sink(other).await.expect_err(other);
        assert!(error.to_string().contains("was not sent"), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_for_us_is_refused_at_the_probe_with_a_way_out() {
    for (member, value, told) in [
        ("RotationEnabled", json!(true), "rotates"),
        ("OwningService", json!("rds"), "another service"),
        (
            "DeletedDate",
            json!(1_796_169_600.5),
            "deletion on 2026-12-02",
        ),
        (
            "DeletedDate",
            json!("soon"),
            "restore-secret --region eu-central-1 --secret-id mondoo/ci",
        ),
        (
            "PrimaryRegion",
            json!("us-east-1"),
            "a copy of that in us-east-1",
        ),
    ] {
        let store = Store::of(CredentialFormat::Json);
        store.server.with(|aws| {
            aws.write("mondoo/ci", "{}");
            let kept = aws.secrets.get_mut("mondoo/ci").expect("is there");
            kept.more.insert(member.to_owned(), value);
        });
        let error = store.put("x").await.expect_err("refused");
        assert_eq!(error.kind, SinkErrorKind::Unfit);
        assert!(
            error.to_string().contains(told) && error.help.is_some(),
            "{error}"
        );
        assert_eq!(store.ops(), ["DescribeSecret"], "{member}");
    }
    let store = Store::of(CredentialFormat::Json);
    store.server.with(|aws| {
        aws.write("mondoo/ci", "{}");
        let kept = aws.secrets.get_mut("mondoo/ci").expect("is there");
        kept.versions.insert("theirs".to_owned(), "x".to_owned());
        kept.labels
            .insert("AWSPENDING".to_owned(), "theirs".to_owned());
    });
    let error = store.put("x").await.expect_err("refused");
    assert!(error.to_string().contains("AWSPENDING"), "{error}");
}

#[tokio::test]
async fn another_account_is_told_whether_the_secret_is_there_or_not() {
    for there in [false, true] {
        let mut store = Store::of(CredentialFormat::Json);
        if there {
            store.server.with(|aws| aws.write("mondoo/ci", "{}"));
        }
        store.place.account_id = "210987654321".to_owned();
        let error = store.put("x").await.expect_err("refused");
        let told = error.to_string();
        assert!(
            told.contains(ACCOUNT) && told.contains("210987654321"),
            "{told}"
        );
        let written = store
            .server
            .with(|aws| aws.secrets.get("mondoo/ci").map(|k| k.versions.len()));
        assert_eq!(written, there.then_some(1));
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_version() {
    for op in ["CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"] {
        let store = Store::of(CredentialFormat::Json);
        store
            .server
            .with(|aws| aws.faults.push((op.to_owned(), Fault::LostAnswer)));
        store.put("x").await.expect(op);
        let kept = store.server.with(|aws| aws.secrets["mondoo/ci"].clone());
        assert_eq!(kept.versions.len(), 2, "{op}: the empty one and the key");
        assert_eq!(store.server.with(|aws| aws.pending()), 0, "{op}");
    }
}

/// The first try may have been worked on, and here was.
#[tokio::test]
async fn a_write_whose_answer_was_lost_may_be_done_though_the_next_try_is_refused() {
    for (op, refusal) in [
        ("CreateSecret", "AccessDeniedException"),
        ("PutSecretValue", "AccessDeniedException"),
        ("PutSecretValue", "InvalidRequestException"),
        ("UpdateSecretVersionStage", "AccessDeniedException"),
    ] {
        for (lost, effect) in [(true, Effect::Unknown), (false, Effect::None)] {
            let store = Store::of(CredentialFormat::Json);
            store.server.with(|aws| {
                let first = lost.then_some(Fault::LostAnswer);
                let then = Fault::Refuse(400, refusal.to_owned());
                let faults = first.into_iter().chain([then]);
                aws.faults
                    .extend(faults.map(|fault| (op.to_owned(), fault)));
            });
            let error = store.put("x").await.expect_err("refused");
            assert_eq!(error.effect, effect, "{op} {refusal} {lost}: {error}");
        }
    }
}

#[tokio::test]
async fn who_asks_too_much_waits_and_who_may_not_is_told_the_right() {
    let store = Store::of(CredentialFormat::Json);
    let fault = |code: &str| Fault::Refuse(400, code.to_owned());
    store.server.with(|aws| {
        aws.faults
            .push(("PutSecretValue".to_owned(), fault("ThrottlingException")));
    });
    store.put("x").await.expect("waits");
    store.server.with(|aws| {
        let namespaced = "com.amazonaws#AccessDeniedException:http://x";
        aws.faults
            .push(("GetSecretValue".to_owned(), fault(namespaced)));
    });
    let error = store.put("y").await.expect_err("refused");
    assert_eq!(error.kind, SinkErrorKind::PermissionDenied);
    assert!(
        error
            .to_string()
            .contains("secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-central-1:123456789012:secret:mondoo/ci-??????"),
        "{error}"
    );
}

#[tokio::test]
async fn a_web_identity_gives_one_login_a_run_which_is_renewed_before_it_ends() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "a.b.c\n").expect("writes");
    let path = file.path().to_str().expect("a path");
    let role = "arn:aws:iam::123456789012:role/rolecall";
    let with = [
        ("AWS_ROLE_ARN", role),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path),
    ];
    let store = Store::with(CredentialFormat::Json, &with);
    store.put("x").await.expect("delivers");
    store.put("y").await.expect("delivers");
    assert_eq!(store.server.with(|aws| aws.logins()), 1);
    store.lent.pass(56 * 60);
    store.put("z").await.expect("delivers");
    assert_ne!(store.server.with(|aws| aws.logins()), 1);
    let none = Store::with(CredentialFormat::Json, &[]);
    let told = none.put("x").await.expect_err("no login").to_string();
    for source in [
        "AWS_ACCESS_KEY_ID",
        "AWS_ROLE_ARN",
        "AWS_PROFILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_EC2_METADATA_DISABLED",
    ] {
        assert!(told.contains(source), "{told}");
    }
}

/// Each move of a label, the last one too.
#[tokio::test]
async fn a_label_that_moved_is_no_error_where_the_answer_was_lost() {
    for lost in 0..3 {
        let store = Store::of(CredentialFormat::Json);
        let (to, key) = (store.to(), credential("x"));
        let probe = store.sink.probe(&to).await.expect("looks");
        let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
        if lost < 2 {
            store
                .server
                .with(|aws| aws.lose("UpdateSecretVersionStage", lost));
        }
        store
            .sink
            .promote(&to, &key, &staged)
            .await
            .expect("is there");
        let held = store.server.with(|aws| aws.secrets["mondoo/ci"].clone());
        assert_eq!(held.labels.len(), 2, "{:?}", held.labels);
        if lost == 2 {
            store
                .server
                .with(|aws| aws.lose("UpdateSecretVersionStage", 1));
        }
        let gone = store.sink.remove(&to, &key.mrn, None).await;
        assert_eq!(gone.expect("removes"), Removal::Removed);
        let held = store.server.with(|aws| aws.secrets["mondoo/ci"].clone());
        assert_eq!(held.labels.len(), 1, "{:?}", held.labels);
        assert_eq!(store.server.with(|aws| aws.pending()), 0);
    }
}

/// AWSCURRENT leaves only the version that was seen.
#[tokio::test]
async fn who_makes_another_version_current_right_before_keeps_it() {
    for (theirs, stays) in [
        (Theirs::Write(vec!["theirs".to_owned()]), Some("theirs")),
        (Theirs::Remove, None),
    ] {
        let store = Store::of(CredentialFormat::Json);
        store.server.with(|aws| aws.write("mondoo/ci", NOTHING));
        let (to, key) = (store.to(), credential("x"));
        let probe = store.sink.probe(&to).await.expect("looks");
        let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
        store.server.with(|aws| {
            let fault = Fault::Before(theirs);
            aws.faults
                .push(("UpdateSecretVersionStage".to_owned(), fault));
        });
        let error = store.sink.promote(&to, &key, &staged).await;
        let error = error.expect_err("refused");
        assert_eq!(
            (error.kind, error.effect),
            (SinkErrorKind::Moved, Effect::None)
        );
        let done = store.sink.abandon(&to, &key, &staged).await;
        assert_eq!(done.expect("called off"), Abandoned::Gone);
        let current = store.server.with(|aws| {
            assert_eq!(aws.pending(), 0);
            aws.current("mondoo/ci").map(str::to_owned)
        });
        assert_eq!(current.as_deref(), stays);
    }
}

/// What is there under our token is somebody else's.
#[tokio::test]
async fn another_value_under_the_token_of_a_write_is_refused() {
    let store = Store::of(CredentialFormat::Json);
    let (to, key) = (store.to(), credential("x"));
    let probe = store.sink.probe(&to).await.expect("looks");
    let staged = store
        .sink
        .stage(&to, &key, probe.clone())
        .await
        .expect("stages");
    let version = staged.beside.clone().expect("is beside");
    store.server.with(|aws| {
        let kept = aws.secrets.get_mut("mondoo/ci").expect("is there");
        kept.versions.insert(version, "theirs".to_owned());
    });
    let error = store
        .sink
        .stage(&to, &key, probe)
        .await
        .expect_err("refused");
    assert_eq!(
        (error.kind, error.effect),
        (SinkErrorKind::Moved, Effect::None)
    );
    assert!(!error.to_string().contains("theirs"), "{error}");
}

/// A refusal is what its type says, whatever its status.
#[tokio::test]
async fn a_refusal_is_told_by_its_type_with_the_right_that_is_missing() {
    for (op, code, message, kind, told) in [
        (
            "PutSecretValue",
            "AccessDeniedException",
            "Access to KMS is not allowed",
            SinkErrorKind::PermissionDenied,
            "kms:GenerateDataKey",
        ),
        (
            "CreateSecret",
            "AccessDeniedException",
            "User: x is not authorized to perform: secretsmanager:CreateSecret",
            SinkErrorKind::PermissionDenied,
            "secretsmanager:CreateSecret on arn:aws:",
        ),
        (
            "DescribeSecret",
            "ExpiredTokenException",
            "over",
            SinkErrorKind::Unauthenticated,
            "renew the login",
        ),
        (
            "PutSecretValue",
            "LimitExceededException",
            "too many",
            SinkErrorKind::Full,
            "no room",
        ),
    ] {
        let store = Store::of(CredentialFormat::Json);
        store.server.with(|aws| {
            let fault = Fault::Say(400, code.to_owned(), message.to_owned());
            aws.faults.push((op.to_owned(), fault));
        });
        let error = store.put("x").await.expect_err("refused");
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test]
async fn no_web_identity_goes_to_another_sts_than_awss() {
    for (address, sent) in [
        ("https://sts.eu-central-1.amazonaws.com", true),
        ("https://sts-fips.eu-central-1.amazonaws.com", true),
        ("https://sts.amazonaws.com", true),
        ("https://sts.us-east-1.amazonaws.com", false),
        ("https://sts.eu-central-1.amazonaws.com.evil.example", false),
        ("http://127.0.0.1:9", false),
    ] {
        let (machine, _) = Lent::machine(&[("AWS_ENDPOINT_URL_STS", address)]);
        assert_eq!(sts::address(&machine, REGION).is_ok(), sent, "{address}");
    }
    let (machine, _) = Lent::machine(&[("AWS_ENDPOINT_URL_STS", "https://sts.amazonaws.com")]);
    sts::address(&machine, "cn-north-1").expect_err("is of another partition");
}

#[tokio::test]
async fn a_credential_that_is_too_large_is_told_with_both_numbers() {
    let store = Store::of(CredentialFormat::Json);
    let key = IssuedCredential {
        certificate: "c".repeat(LONGEST),
        ..credential("x")
    };
    let probe = store.sink.probe(&store.to()).await.expect("looks");
    let error = store
        .sink
        .stage(&store.to(), &key, probe)
        .await
        .expect_err("refused");
    assert_eq!(error.kind, SinkErrorKind::Full);
    assert!(error.to_string().contains("65536"), "{error}");
    assert!(store.server.with(|aws| aws.secrets.is_empty()));
}

#[tokio::test]
async fn a_container_gives_one_login_a_run_which_is_renewed_before_it_ends() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "a.b.c\n").expect("writes");
    let path = file.path().to_str().expect("a path");
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "URL/v1/credentials");
    for token in [
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a.b.c"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path),
    ] {
        let store = Store::with(CredentialFormat::Json, &[full, token]);
        store.put("x").await.expect("delivers");
        store.put("y").await.expect("delivers");
        assert_eq!(store.server.with(|agent| agent.logins()), 1);
        store.lent.pass(56 * 60);
        store.put("z").await.expect("delivers");
        assert!(store.server.with(|agent| agent.logins()) > 1);
    }
    let refused = Store::with(CredentialFormat::Json, &[full]);
    let told = refused.put("x").await.expect_err("no token").to_string();
    assert!(told.contains("HTTP 401"), "{told}");
    // A profile that is meant is not passed over.
    for name in ["AWS_PROFILE", "AWS_CONFIG_FILE"] {
        let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a.b.c");
        let store = Store::with(CredentialFormat::Json, &[full, token, (name, "ci")]);
        let told = store.put("x").await.expect_err("refused").to_string();
        assert!(told.contains(name), "{told}");
    }
}

#[tokio::test]
async fn no_variable_of_awss_programs_is_passed_over_without_a_word() {
    let new = async |variables: &[(&'static str, &str)], endpoint: &str| {
        let (machine, _) = Lent::machine(variables);
        let place = AwsSecretPlace {
            endpoint: Origin::new(endpoint).expect("an address"),
            ..Store::of(CredentialFormat::Json).place
        };
        let services = Services::new(Arc::new(machine));
        services.at((&place).into()).await.map(|_| ())
    };
    let (usual, fips) = (
        "https://secretsmanager.eu-central-1.amazonaws.com",
        "https://secretsmanager-fips.eu-central-1.amazonaws.com",
    );
    let own = "AWS_ENDPOINT_URL_SECRETS_MANAGER";
    for variables in [
        [("AWS_ENDPOINT_URL", fips)],
        [(own, fips)],
        [("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")],
        [("AWS_USE_FIPS_ENDPOINT", "true")],
        [("AWS_CA_BUNDLE", "/etc/ca.pem")],
    ] {
        let error = new(&variables, usual).await.expect_err("refused");
        let told = error.to_string();
        assert!(told.contains(variables[0].0), "{told}");
        assert!(error.help.is_some() && told.contains("nothing was sent"));
    }
    new(&[("AWS_ENDPOINT_URL", usual)], usual)
        .await
        .expect("says the same");
    new(&[("AWS_ENDPOINT_URL_SSM", fips)], usual)
        .await
        .expect("is of another service");
    new(&[("AWS_ENDPOINT_URL", usual), (own, fips)], fips)
        .await
        .expect("its own goes first");
    new(&[("AWS_USE_FIPS_ENDPOINT", "true")], fips)
        .await
        .expect("is that");
    new(&[("AWS_USE_FIPS_ENDPOINT", "false")], usual)
        .await
        .expect("says no");
    // What a profile says counts as the variable does.
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join(".aws")).expect("made");
    let own = [("HOME", home.path().to_str().expect("a path"))];
    for (setting, told) in [
        ("endpoint_url = http://127.0.0.1:4566", "endpoint_url"),
        ("use_fips_endpoint = true", "use_fips_endpoint"),
        ("ca_bundle = /etc/ca.pem", "ca_bundle"),
    ] {
        let text = format!("[default]\n{setting}\n");
        std::fs::write(home.path().join(".aws/config"), text).expect("writes");
        let error = new(&own, usual).await.expect_err(setting).to_string();
        assert!(error.contains(told) && error.contains("nothing was sent"));
    }
}

/// The token first, the name of the role, its keys; and no more of that before they end.
#[tokio::test]
async fn an_instance_gives_one_login_a_run_which_is_renewed_before_it_ends() {
    let store = Store::with(CredentialFormat::Json, INSTANCE);
    store.put("x").await.expect("delivers");
    store.put("y").await.expect("delivers");
    let asked: Vec<String> = store
        .server
        .calls()
        .into_iter()
        .filter(|call| call.path.starts_with("/latest/"))
        .map(|call| format!("{} {}", call.method, call.path))
        .collect();
    let roles = "GET /latest/meta-data/iam/security-credentials/";
    let wanted = [
        "PUT /latest/api/token".to_owned(),
        roles.to_owned(),
        format!("{roles}rolecall"),
    ];
    assert_eq!(asked, wanted);
    store.lent.pass(54 * 60);
    store.put("z").await.expect("delivers");
    assert_eq!(store.server.with(|aws| aws.instance.given), 1, "not yet");
    store.lent.pass(2 * 60);
    store.put("z").await.expect("delivers");
    assert!(store.server.with(|aws| aws.instance.given) > 1);
}

#[tokio::test]
async fn an_instance_that_gives_no_keys_is_told_with_the_other_sources_and_asked_once() {
    type Change = fn(&mut Aws);
    let changes: [(Change, &str); 4] = [
        (|aws| aws.instance.token = 403, "gives no token (HTTP 403)"),
        (|aws| aws.instance.role = None, "has no role"),
        (
            |aws| aws.instance.code = "AssumeRoleUnauthorizedAccess".to_owned(),
            "gives no keys of the role (AssumeRoleUnauthorizedAccess)",
        ),
        (
            |aws| aws.instance.role = Some("../x".to_owned()),
            "names no role",
        ),
    ];
    for (change, told) in changes {
        let store = Store::with(CredentialFormat::Json, INSTANCE);
        store.server.with(change);
        let error = store.put("x").await.expect_err(told);
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(error.effect, Effect::None);
        let asked = store.server.calls().len();
        let again = store.put("y").await.expect_err(told);
        if told != "names no role" {
            assert!(again.to_string().contains("AWS_ACCESS_KEY_ID"), "{again}");
            assert_eq!((again, store.server.calls().len()), (error, 0), "{asked}");
        }
    }
}

/// Where no instance is, nothing answers, for ever.
#[tokio::test]
async fn what_is_no_instance_is_found_out_within_seconds_and_once() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let (machine, _) = Lent::machine(&[
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url),
        ("AWS_ENDPOINT_URL_STS", "https://sts.amazonaws.com"),
    ]);
    let login = login::Login::new(&Arc::new(machine), REGION);
    let began = std::time::Instant::now();
    for _ in 0..3 {
        let told = login.keys().await.expect_err("nobody").to_string();
        assert!(told.contains("does not answer") && told.contains("hop limit"));
    }
    let took = began.elapsed().as_secs();
    // One patience of three seconds, whoever asks.
    assert!((2..9).contains(&took), "{took} s");
}

/// The files of AWS's own programs, as they stand in a home directory.
#[tokio::test]
async fn a_profile_of_the_home_directory_logs_in() {
    let home = tempfile::tempdir().expect("a folder");
    let path = |name: &str| home.path().join(name).to_str().expect("a path").to_owned();
    std::fs::create_dir(path(".aws")).expect("made");
    std::fs::write(path("token"), "a.b.c\n").expect("writes");
    let config = format!(
        "[default]\nregion = us-east-1\n[profile token]\nrole_arn = {ROLE}\n\
         web_identity_token_file = {}\n[profile role]\nrole_arn = {ROLE}\nsource_profile = base\n\
         external_id = of acme\n[profile instance]\nrole_arn = {ROLE}\n\
         credential_source = Ec2InstanceMetadata\n[profile pod]\nrole_arn = {ROLE}\n\
         credential_source = EcsContainer\n",
        path("token")
    );
    let base = format!("[base]\naws_access_key_id = {ID}\naws_secret_access_key = {KEY}\n");
    std::fs::write(path(".aws/config"), config).expect("writes");
    std::fs::write(path(".aws/credentials"), base).expect("writes");
    let own = path("");
    for (profile, logins) in [
        ("base", 0),
        ("token", 1),
        ("role", 1),
        ("instance", 2),
        ("pod", 2),
    ] {
        let mut variables = vec![("HOME", own.as_str()), ("AWS_PROFILE", profile)];
        variables.extend(INSTANCE);
        variables.push(("AWS_CONTAINER_CREDENTIALS_FULL_URI", "URL/v1/credentials"));
        variables.push(("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a.b.c"));
        let store = Store::with(CredentialFormat::Json, &variables);
        if profile == "role" {
            let id = Some("of%20acme".to_owned());
            store.server.with(|aws| aws.external_id = id);
        }
        store.put("x").await.expect(profile);
        store.put("y").await.expect(profile);
        assert_eq!(store.server.with(|aws| aws.logins()), logins, "{profile}");
    }
    // A profile that nobody names and that has no login is no reason not to go on.
    let mut variables = vec![("HOME", own.as_str())];
    variables.extend(INSTANCE);
    let store = Store::with(CredentialFormat::Json, &variables);
    store.put("x").await.expect("by the instance");
    assert_eq!(store.server.with(|aws| aws.instance.given), 1);
    // Nor is what is no file, in a home that is somebody else's or nobody's.
    for (old, new) in [
        (".aws/config", "config"),
        (".aws/credentials", "credentials"),
    ] {
        std::fs::rename(path(old), path(new)).expect("moves");
    }
    std::fs::create_dir(path(".aws/config")).expect("made");
    let store = Store::with(CredentialFormat::Json, &variables);
    store.put("x").await.expect("by the instance");
    // One that is named has to be there.
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        let named = path("none");
        let mut variables = variables.clone();
        variables.push((name, named.as_str()));
        let told = Store::with(CredentialFormat::Json, &variables)
            .put("x")
            .await;
        let told = told.expect_err("is not there").to_string();
        let wanted = format!("the file of {name} cannot be read");
        assert!(told.contains(&wanted) && !told.contains(&named), "{told}");
    }
    // A home that is not absolute would be a folder of wherever the run was started.
    let elsewhere = [("HOME", "."), ("AWS_PROFILE", "base")];
    let told = Store::with(CredentialFormat::Json, &elsewhere)
        .put("x")
        .await;
    let told = told.expect_err("no such profile").to_string();
    assert!(told.contains("AWS_PROFILE"), "{told}");
}

/// The other kind, with the logins of the same run.
fn parameters(store: &Store) -> (AwsSsmSink, Destination) {
    let place = crate::model::AwsSsmPlace {
        endpoint: store.place.endpoint.clone(),
        region: REGION.to_owned(),
        account_id: ACCOUNT.to_owned(),
        name: "/mondoo/ci".to_owned(),
        format: CredentialFormat::Json,
    };
    let to = Destination::new("aws_ssm.ci", Place::AwsSsm(place));
    (AwsSsmSink::new(Arc::clone(&store.sink.services)), to)
}

/// A login that ends while a key is on its way is known before there is one.
#[tokio::test]
async fn a_login_that_cannot_be_renewed_is_told_before_a_key_is_made() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "a.b.c").expect("writes");
    let path = file.path().to_str().expect("a path");
    let with = [
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path),
    ];
    let store = Store::with(CredentialFormat::Json, &with);
    let (other, parameter) = parameters(&store);
    store.sink.probe(&store.to()).await.expect("looks");
    std::fs::write(file.path(), "stale").expect("writes");
    store.lent.pass(54 * 60);
    let ready = store.sink.ready(&store.to()).await;
    assert_eq!(ready.expect("lasts"), Duration::ZERO);
    assert_eq!(
        other.ready(&parameter).await.expect("lasts"),
        Duration::ZERO
    );
    store.lent.pass(2 * 60);
    for error in [
        store.sink.ready(&store.to()).await.expect_err("ends"),
        other.ready(&parameter).await.expect_err("ends"),
    ] {
        assert_eq!(error.kind, SinkErrorKind::Unauthenticated);
        assert!(
            error.to_string().contains("InvalidIdentityToken"),
            "{error}"
        );
    }
}

/// One login for both kinds and all their places in a region.
#[tokio::test]
async fn both_kinds_share_one_login() {
    let store = Store::with(CredentialFormat::Json, INSTANCE);
    store.put("x").await.expect("delivers");
    let (other, to) = parameters(&store);
    other.probe(&to).await.expect("looks");
    assert_eq!(store.server.with(|aws| aws.instance.given), 1);
}

/// A service that is asked too much for longer than a few tries is left alone for a while, by all.
#[tokio::test]
async fn a_service_that_is_asked_too_much_is_asked_again_after_a_rest() {
    let store = Store::of(CredentialFormat::Json);
    store.server.with(|aws| {
        let fault = Fault::Refuse(400, "ThrottlingException".to_owned());
        let faults = std::iter::repeat_n(("PutSecretValue".to_owned(), fault), 10);
        aws.faults.extend(faults);
    });
    store.put("x").await.expect("waits");
    let forever = Store::of(CredentialFormat::Json);
    forever.server.with(|aws| {
        let fault = Fault::Refuse(400, "ThrottlingException".to_owned());
        let faults = std::iter::repeat_n(("PutSecretValue".to_owned(), fault), 1000);
        aws.faults.extend(faults);
    });
    let error = forever.put("x").await.expect_err("ends");
    assert_eq!(
        (error.kind, error.effect),
        (SinkErrorKind::RateLimited, Effect::None)
    );
}
