//! Runs that hold no key of Mondoo's: an identity token of a job is exchanged at the embedded platform,
//! which reads it as it would of GitHub, GitLab and Kubernetes.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rolecall_server::{Quirks, SeedAccount, TemporaryAccounts, TemporaryCreator};
use rolecall_standins::{Call, Reply, Running, Standin, serve};
use serde_json::{Value, json};

use crate::formats::schema;
use crate::stage::{HEAD, ORG, PAYMENTS, Stage};

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const GITLAB: &str = "https://gitlab.example";
pub const KUBERNETES: &str = "https://cluster.example/id/7";
const APPLY: [&str; 3] = ["apply", "--yes", "access"];
const CI: &str = "service_account \"ci\" {\n  scope = space.payments\n  name  = \"ci\"\n  roles = \
                  [\"viewer\"]\n\n  credential {\n    deliver_to = [sink.file.local]\n  }\n}\n";
const CREATE: &str = "mutation($input:CreateWIFAuthBindingInput!){createWIFAuthBinding(input: $input)\
                      {binding{mrn}}}";

/// The key by which an issuer signs.
pub struct Issuer {
    url: &'static str,
    key: EncodingKey,
}

impl Issuer {
    /// An issuer whose documents the platform can read.
    pub fn new(stage: &Stage, url: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let point = pair.public_key_raw();
        let keys = format!("{url}/keys");
        let well_known = format!("{url}/.well-known/openid-configuration");
        let about = json!({"issuer": url, "jwks_uri": keys});
        stage.front.issuer_says(&well_known, &about);
        let key = json!({"kty": "EC", "crv": "P-256", "kid": "k",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..])});
        stage.front.issuer_says(&keys, &json!({"keys": [key]}));
        Self {
            url,
            key: EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key"),
        }
    }

    /// A token with these claims, good for five minutes.
    pub fn token(&self, claims: &Value) -> String {
        let now = Timestamp::now().as_second();
        let mut all = json!({"iss": self.url, "aud": ORG, "iat": now, "exp": now + 300});
        for (name, value) in claims.as_object().expect("claims") {
            all[name] = value.clone();
        }
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("k".to_owned());
        jsonwebtoken::encode(&header, &all, &self.key).expect("signs")
    }
}

/// What a job of GitHub says of itself, by either form of its subject.
fn github(subject: &str) -> Value {
    json!({"sub": subject, "repository": "acme/access", "repository_id": "42",
        "repository_owner_id": "7", "environment": "mondoo"})
}

const OLD: &str = "repo:acme/access:environment:mondoo";
const NEW: &str = "repo:acme@7/access@42:environment:mondoo";

/// Binds an issuer and a subject to the organization, as an owner of it.
pub fn bind(stage: &Stage, name: &str, issuer: &str, subject: &str, more: &Value) -> String {
    let owner: Value =
        serde_json::from_slice(&fs::read(stage.path("owner.json")).expect("there")).expect("JSON");
    let mut input = json!({"scopeMrn": ORG, "name": name, "issuerUri": issuer, "subject": subject,
        "roles": ["//iam.api.mondoo.app/roles/owner"], "allowedAudiences": [ORG],
        "expiration": 600});
    for (name, value) in more.as_object().expect("fields") {
        input[name] = value.clone();
    }
    let identity = rolecall_server::Identity::new(owner["mrn"].as_str().expect("an account"));
    let request = rolecall_server::Request {
        query: CREATE.to_owned(),
        variables: json!({"input": input}),
        operation_name: None,
    };
    let reply = stage.app.handle(&identity, request, Timestamp::now());
    let answer: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let mrn = &answer["data"]["createWIFAuthBinding"]["binding"]["mrn"];
    mrn.as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// Trust by number, whatever a repository is called.
fn by_number() -> Value {
    json!({"mappings": [
        {"key": "jwt_claims.repository_id", "value": "42"},
        {"key": "jwt_claims.repository_owner_id", "value": "7"},
    ]})
}

/// Writes the file of a binding, as the console gives it, with where its tokens come from.
pub fn file(stage: &Stage, issuer: &str, source: &Value) {
    let mut file = json!({"universeDomain": stage.front.url(), "type": "external_account",
        "audience": ORG, "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        "scopes": ["//iam.api.mondoo.app/roles/owner"], "issuerUri": issuer});
    if !source.is_null() {
        file["credential_source"] = source.clone();
    }
    fs::write(stage.path("wif.json"), file.to_string()).expect("written");
}

/// A command of a job that has no key.
fn job<'c>(stage: &Stage, command: &'c mut Command) -> &'c mut Command {
    command
        .env("MONDOO_CONFIG_PATH", "wif.json")
        .env("MONDOO_API_ENDPOINT", stage.front.url())
}

/// Exit code, and all that was printed.
fn run(stage: &Stage, arguments: &[&str], vars: &[(&str, &str)]) -> (i32, String) {
    let mut command = stage.command(arguments);
    job(stage, &mut command).envs(vars.iter().copied());
    let output = command.output().expect("runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("text");
    (output.status.code().unwrap_or(-1), text)
}

/// Where GitHub gives a job its tokens.
struct Actions {
    tokens: Vec<String>,
}

impl Standin for Actions {
    fn answer(&mut self, call: &Call) -> Reply {
        let wanted = format!("v=2&audience={ORG}");
        if call.header("authorization") != "Bearer the-jobs" || call.query != wanted {
            return Reply::empty(403);
        }
        match self.tokens.is_empty() {
            true => Reply::empty(500),
            false => Reply::json(200, &json!({"value": self.tokens.remove(0), "count": 1})),
        }
    }
}

fn actions(tokens: Vec<String>) -> Running<Actions> {
    serve(Actions { tokens }, ([127, 0, 0, 1], 0).into()).expect("serves")
}

/// The temporary accounts that are live.
fn temporary(stage: &Stage) -> usize {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts").iter();
    accounts
        .filter(|account| account["description"] == "Temporary account of a workload identity")
        .count()
}

fn exchanges(stage: &Stage) -> usize {
    let seen = stage.front.seen();
    seen.iter()
        .filter(|name| *name == "ExchangeExternalToken")
        .count()
}

#[test]
fn a_job_of_github_applies_without_a_key_by_either_form_of_its_subject() {
    for accounts in [TemporaryAccounts::New, TemporaryAccounts::Same] {
        for creator in [TemporaryCreator::Binding, TemporaryCreator::Untold] {
            let mut stage = Stage::small_with(Quirks {
                temporary_accounts: accounts,
                temporary_creator: creator,
                ..Quirks::default()
            });
            let issuer = Issuer::new(&stage, GITHUB);
            bind(&stage, "deploy-old", GITHUB, OLD, &by_number());
            bind(&stage, "deploy-new", GITHUB, NEW, &by_number());
            file(&stage, GITHUB, &Value::Null);
            stage.configure(CI);
            let tokens = [OLD, NEW, NEW, NEW].map(|form| issuer.token(&github(form)));
            let github = actions(tokens.to_vec());
            let url = format!("{}/token?v=2", github.url);
            let vars = [
                ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-jobs"),
            ];
            let (code, text) = run(&stage, &APPLY, &vars);
            assert_eq!(code, 0, "{accounts:?} {creator:?}: {text}");
            assert!(text.contains("temporary, until "), "{text}");
            assert!(text.contains("renewed by GitHub Actions"), "{text}");
            let binding = creator == TemporaryCreator::Binding;
            assert_eq!(text.contains("Binding   //"), binding, "{text}");
            assert_eq!(exchanges(&stage), 1);
            // Another run, another token, perhaps another account: nothing is to be done.
            let (code, text) = run(&stage, &["plan", "access"], &vars);
            let (code_of_check, check) = run(&stage, &["check", "access"], &vars);
            assert_eq!(exchanges(&stage), 3);
            let lives = match accounts {
                TemporaryAccounts::New => 3,
                TemporaryAccounts::Same => 2,
            };
            assert_eq!(temporary(&stage), lives);
            // Of the other binding's account nobody knows that it is one of ours.
            let rows = |name: &str| check.matches(&format!("  \"{name}\"")).count();
            let told = creator == TemporaryCreator::Binding || accounts == TemporaryAccounts::Same;
            let others = usize::from(!told);
            assert_eq!(rows("deploy-old"), 1, "{check}");
            assert_eq!(
                rows("deploy-new"),
                1 + others,
                "{accounts:?} {creator:?}: {check}"
            );
            let strays = format!("Check: {} unmanaged; 1 account as declared", 2 + others);
            assert!(check.contains(&strays), "{strays}: {check}");
            assert_eq!((code, code_of_check), (0, 6), "{text}{check}");
            for token in tokens {
                assert!(!text.contains(&token) && !check.contains(&token));
            }
        }
    }
}

#[test]
fn a_job_of_another_repository_of_the_same_name_is_refused_with_its_numbers() {
    let mut stage = Stage::small();
    let issuer = Issuer::new(&stage, GITHUB);
    bind(&stage, "deploy", GITHUB, OLD, &by_number());
    file(&stage, GITHUB, &json!({"environment_variable": "ID"}));
    stage.configure(CI);
    let mut stranger = github(OLD);
    stranger["repository_id"] = json!("43");
    let token = issuer.token(&stranger);
    let (code, text) = run(&stage, &APPLY, &[("ID", &token)]);
    assert_eq!(code, 1, "{text}");
    for word in [
        "the platform does not take the one from the variable ID (HTTP 401: external token refused: its claims \
         are not those of the binding)",
        "iss \"https://token.actions.githubusercontent.com\"",
        "sub \"repo:acme/access:environment:mondoo\"",
        "environment \"mondoo\"",
        "repository_id \"43\"",
        "repository_owner_id \"7\"",
        "rolecall docs keyless",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    for part in token.split('.') {
        assert!(!text.contains(part), "{text}");
    }
    // Nor is a pull request the job that is bound: its subject is another one.
    let request = issuer.token(&github("repo:acme/access:pull_request"));
    let (code, text) = run(&stage, &APPLY, &[("ID", &request)]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("its subject is not bound"), "{text}");
    let subject = "sub \"repo:acme/access:pull_request\"";
    assert!(text.contains(subject), "{text}");
    assert_eq!(temporary(&stage), 0);
    let seen = stage.front.seen();
    assert_eq!(exchanges(&stage), seen.len(), "nothing else was asked");
}

#[test]
fn a_job_of_gitlab_and_a_pod_apply_without_a_key() {
    let mut stage = Stage::small();
    let gitlab = Issuer::new(&stage, GITLAB);
    let cluster = Issuer::new(&stage, KUBERNETES);
    let subject = "project_path:acme/access:ref_type:branch:ref:main";
    let mappings = json!({"mappings": [
        {"key": "jwt_claims.project_id", "value": "1001"},
        {"key": "jwt_claims.namespace_id", "value": "77"},
    ]});
    bind(&stage, "gitlab", GITLAB, subject, &mappings);
    bind(
        &stage,
        "pod",
        KUBERNETES,
        "system:serviceaccount:ci:deploy",
        &json!({}),
    );
    stage.configure(CI);
    file(&stage, GITLAB, &Value::Null);
    let claims = json!({"sub": subject, "project_id": "1001", "namespace_id": "77"});
    let token = gitlab.token(&claims);
    let (code, text) = run(&stage, &APPLY, &[("JWT_TOKEN", &token)]);
    assert_eq!(code, 0, "{text}");
    for word in [
        "It cannot be renewed after ",
        "in the variable JWT_TOKEN ends",
    ] {
        assert!(text.contains(word), "{text}");
    }
    let path = stage.path("token");
    let pod = json!({"sub": "system:serviceaccount:ci:deploy"});
    fs::write(&path, cluster.token(&pod) + "\n").expect("written");
    file(&stage, KUBERNETES, &json!({"file": path}));
    let second = CI.replace("\"ci\"", "\"ci2\"");
    stage.configure(&(CI.to_owned() + &second));
    let (code, text) = run(&stage, &APPLY, &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("renewed by the file "), "{text}");
}

#[test]
fn a_login_can_be_looked_at_and_verified() {
    let mut stage = Stage::small();
    let gitlab = Issuer::new(&stage, GITLAB);
    bind(&stage, "gitlab", GITLAB, "s", &json!({}));
    stage.configure("");
    file(&stage, GITLAB, &Value::Null);
    let token = gitlab.token(&json!({"sub": "s"}));
    let vars = [("JWT_TOKEN", token.as_str())];
    for arguments in [
        &["credential", "verify"][..],
        &["credential", "verify", "wif.json"],
    ] {
        let (code, text) = run(&stage, arguments, &vars);
        assert_eq!(code, 0, "{text}");
        for word in ["gitlab", "owner", "temporary, until ", "acme-corp-883120"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
    assert_eq!(exchanges(&stage), 2);
    let (code, text) = run(&stage, &["credential", "inspect", "wif.json"], &vars);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("holds no key"), "{text}");
}

#[test]
fn a_run_whose_login_could_not_outlast_a_birth_begins_none() {
    let mut stage = Stage::small();
    let gitlab = Issuer::new(&stage, GITLAB);
    bind(&stage, "gitlab", GITLAB, "s", &json!({"expiration": 200}));
    stage.configure(CI);
    file(&stage, GITLAB, &Value::Null);
    let soon = Timestamp::now().as_second() + 100;
    let token = gitlab.token(&json!({"sub": "s", "exp": soon}));
    let (code, text) = run(&stage, &APPLY, &[("JWT_TOKEN", &token)]);
    assert_ne!(code, 0, "{text}");
    for word in [
        "It cannot be renewed after ",
        "nothing was begun",
        "nobody renews",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let seen = stage.front.seen();
    assert!(
        !seen.contains(&"createServiceAccount".to_owned()),
        "{seen:?}"
    );
}

/// Each request is made with another account, since each login ends within half a minute.
#[test]
fn a_login_that_ends_within_a_run_is_exchanged_anew_and_the_run_is_one() {
    let mut stage = Stage::small();
    let cluster = Issuer::new(&stage, KUBERNETES);
    let subject = "system:serviceaccount:ci:deploy";
    let short = json!({"expiration": 20});
    bind(&stage, "pod", KUBERNETES, subject, &short);
    let path = stage.path("token");
    fs::write(&path, cluster.token(&json!({"sub": subject}))).expect("written");
    file(&stage, KUBERNETES, &json!({"file": path}));
    stage.configure(CI);
    let (code, text) = run(&stage, &APPLY, &[]);
    assert_eq!(code, 0, "{text}");
    let seen = stage.front.seen();
    assert_eq!(exchanges(&stage) * 2, seen.len(), "{seen:?}");
    // So it goes where GitHub is asked for each token.
    let issuer = Issuer::new(&stage, GITHUB);
    bind(&stage, "deploy", GITHUB, NEW, &short);
    file(&stage, GITHUB, &Value::Null);
    let tokens = (0..40).map(|number| {
        let mut claims = github(NEW);
        claims["jti"] = json!(number.to_string());
        issuer.token(&claims)
    });
    let github = actions(tokens.collect());
    let url = format!("{}/token?v=2", github.url);
    let vars = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-jobs"),
    ];
    let before = exchanges(&stage);
    let (code, text) = run(&stage, &["plan", "access"], &vars);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("No changes"), "{text}");
    let asked = github.calls().len();
    assert!(asked > 3, "{text}");
    assert_eq!(exchanges(&stage) - before, asked);
}

/// Where no seal says whose an account is, its maker does: a temporary account that is another one by now.
#[test]
fn without_a_seal_key_the_binding_is_the_maker_as_far_as_that_is_told() {
    for (creator, trusted, ours) in [
        (TemporaryCreator::Binding, false, true),
        (TemporaryCreator::Binding, true, true),
        (TemporaryCreator::Untold, false, false),
        (TemporaryCreator::Untold, true, false),
    ] {
        let mut stage = Stage::small_with(Quirks {
            temporary_creator: creator,
            ..Quirks::default()
        });
        let cluster = Issuer::new(&stage, KUBERNETES);
        let subject = "system:serviceaccount:ci:deploy";
        let binding = bind(&stage, "pod", KUBERNETES, subject, &json!({}));
        let path = stage.path("token");
        fs::write(&path, cluster.token(&json!({"sub": subject}))).expect("written");
        file(&stage, KUBERNETES, &json!({"file": path}));
        stage.configure_unsealed(CI);
        if trusted {
            let path = stage.path("access/main.hcl");
            let id = "  id       = \"k7m2q9ta\"\n";
            let text = fs::read_to_string(&path).expect("there");
            let trust = format!("{id}  trusted_creators = [\"{binding}\"]\n");
            fs::write(path, text.replacen(id, &trust, 1)).expect("written");
        }
        let said = |arguments: &[&str]| {
            let mut command = stage.command(arguments);
            job(&stage, &mut command).env_remove("ROLECALL_SEAL_KEY");
            let output = command.output().expect("runs");
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        };
        let text = said(&APPLY);
        assert!(text.contains("Applied: 1 done"), "{text}");
        let text = said(&["plan", "access"]);
        assert_eq!(
            text.contains("No changes"),
            ours,
            "{creator:?} {trusted}: {text}"
        );
        assert_eq!(
            text.contains("each login of a workload identity"),
            !ours,
            "{creator:?} {trusted}: {text}"
        );
    }
}

#[test]
fn temporary_accounts_of_the_own_binding_are_nobodys_strays() {
    let mut stage = Stage::small();
    let cluster = Issuer::new(&stage, KUBERNETES);
    let subject = "system:serviceaccount:ci:deploy";
    bind(&stage, "pod", KUBERNETES, subject, &json!({}));
    let path = stage.path("token");
    fs::write(&path, cluster.token(&json!({"sub": subject}))).expect("written");
    file(&stage, KUBERNETES, &json!({"file": path}));
    let id = "  id = \"acme-corp-883120\"\n";
    let setting = format!("{id}\n  unmanaged {{\n    action = \"delete\"\n  }}\n");
    stage.configure(CI);
    assert_eq!(run(&stage, &APPLY, &[]).0, 0);
    assert_eq!(run(&stage, &["plan", "access"], &[]).0, 0);
    assert_eq!(temporary(&stage), 2);
    let seed = SeedAccount {
        name: "pod".to_owned(),
        roles: vec!["viewer".to_owned()],
        ..SeedAccount::default()
    };
    let made = stage.app.admin_create_account(ORG, &seed, Timestamp::now());
    let stray = made.expect("made");
    // Of the same name, and made by somebody else: that one goes, and those of the binding stay. The owner of
    // the first credential is an account as well.
    let except = setting.replacen(
        "\"delete\"\n",
        "\"delete\"\n    except = [\"platform owner\"]\n",
        1,
    );
    let text = HEAD.replacen(id, &except, 1) + CI;
    fs::write(stage.path("access/main.hcl"), text).expect("written");
    let (code, text) = run(&stage, &APPLY, &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(temporary(&stage), 3, "{text}");
    let dump = stage.app.dump().expect("a dump").to_string();
    assert!(!dump.contains(&stray), "{text}");
    let (_, list) = run(&stage, &["list", "access"], &[]);
    assert!(
        list.contains("a temporary account of this run's workload identity"),
        "{list}"
    );
    let (_, check) = run(&stage, &["check", "access"], &[]);
    assert!(
        check.contains("Check: 1 unmanaged; 1 account as declared"),
        "{check}"
    );
    let rows = check.matches("  \"pod\"").count();
    assert_eq!(rows, 1, "the run's own: {check}");
}

/// Who plans and who applies are two accounts of one binding, and one plan.
#[test]
fn a_plan_of_one_login_is_applied_by_the_next() {
    let mut stage = Stage::small();
    let cluster = Issuer::new(&stage, KUBERNETES);
    let subject = "system:serviceaccount:ci:deploy";
    bind(&stage, "pod", KUBERNETES, subject, &json!({}));
    let path = stage.path("token");
    fs::write(&path, cluster.token(&json!({"sub": subject}))).expect("written");
    file(&stage, KUBERNETES, &json!({"file": path}));
    stage.configure(CI);
    let id = "  id = \"acme-corp-883120\"\n";
    let strays =
        "\n  unmanaged {\n    action = \"delete\"\n    except = [\"platform owner\"]\n  }\n";
    let text = HEAD.replacen(id, &format!("{id}{strays}"), 1) + CI;
    fs::write(stage.path("access/main.hcl"), text).expect("written");
    let (code, text) = run(&stage, &["plan", "--out", "plan.json", "access"], &[]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = run(&stage, &["apply", "--plan", "plan.json", "access"], &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Applied: 1 done"), "{text}");
    assert_eq!((exchanges(&stage), temporary(&stage)), (2, 2));
}

/// Whoever reads a document later finds no temporary account any more.
#[test]
fn documents_and_records_name_the_binding_as_far_as_it_is_told() {
    for (creator, told) in [
        (TemporaryCreator::Binding, true),
        (TemporaryCreator::Untold, false),
    ] {
        let mut stage = Stage::small_with(Quirks {
            temporary_creator: creator,
            ..Quirks::default()
        });
        let cluster = Issuer::new(&stage, KUBERNETES);
        let subject = "system:serviceaccount:ci:deploy";
        let binding = bind(&stage, "pod", KUBERNETES, subject, &json!({}));
        let path = stage.path("token");
        fs::write(&path, cluster.token(&json!({"sub": subject}))).expect("written");
        file(&stage, KUBERNETES, &json!({"file": path}));
        stage.configure(CI);
        let document = |arguments: &[&str]| {
            let mut command = stage.command(arguments);
            job(&stage, &mut command).args(["--format", "json"]);
            let output = command.output().expect("runs");
            let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            schema::check(&document);
            document
        };
        let identity = told.then(|| json!(binding));
        let wanted = json!({"identity": identity});
        let plan = ["plan", "--out", "plan.json", "access"];
        let apply = ["apply", "--yes", "--record", "record.json", "access"];
        for (arguments, part) in [
            (&plan[..], "plan"),
            (&apply[..], "plan"),
            (&["check", "access"][..], "check"),
        ] {
            let document = document(arguments);
            assert_eq!(document[part]["caller"]["binding"], wanted, "{document:#}");
        }
        let record = fs::read(stage.path("record.json")).expect("a record");
        rolecall::record::read(&record).expect("whole");
        let record: Value = serde_json::from_slice(&record).expect("JSON");
        schema::check_record(&record);
        assert_eq!(record["caller"].get("binding"), identity.as_ref());
        // A plan file says who wrote it, and not of which binding.
        let shown = document(&["show", "plan.json"]);
        assert_eq!(shown["plan"]["caller"]["binding"], Value::Null);
    }
}

/// What an earlier run did is no drift, though its account is gone: the log knows its binding.
#[test]
fn check_knows_what_earlier_runs_of_the_binding_did() {
    let mut stage = Stage::small();
    let cluster = Issuer::new(&stage, KUBERNETES);
    let subject = "system:serviceaccount:ci:deploy";
    bind(&stage, "pod", KUBERNETES, subject, &json!({}));
    let path = stage.path("token");
    let token = || fs::write(&path, cluster.token(&json!({"sub": subject}))).expect("written");
    token();
    file(&stage, KUBERNETES, &json!({"file": path}));
    stage.configure(CI);
    assert_eq!(run(&stage, &APPLY, &[]).0, 0);
    stage.configure(&CI.replace("[\"viewer\"]", "[\"viewer\", \"editor\"]"));
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts").iter();
    let gone: Vec<&str> = accounts
        .filter(|account| account["description"] == "Temporary account of a workload identity")
        .map(|account| account["mrn"].as_str().expect("a name"))
        .collect();
    for mrn in gone {
        stage.app.admin_delete(mrn, Timestamp::now()).expect("gone");
    }
    token();
    let (code, text) = run(&stage, &["check", "access"], &[]);
    assert!(text.contains("not applied yet"), "{code}: {text}");
    assert!(!text.to_lowercase().contains("drift\n"), "{text}");
}

#[test]
fn a_file_that_leads_elsewhere_gets_no_token() {
    let mut stage = Stage::small();
    let issuer = Issuer::new(&stage, GITHUB);
    bind(&stage, "deploy", GITHUB, OLD, &by_number());
    stage.configure(CI);
    let token = issuer.token(&github(OLD));
    file(&stage, GITHUB, &Value::Null);
    let text = fs::read_to_string(stage.path("wif.json")).expect("there");
    let evil = text.replace(&stage.front.url(), "https://mondoo.com.evil.example");
    let program = text.replacen(
        '{',
        "{\"credential_source\":{\"executable\":\"/bin/id\"},",
        1,
    );
    for (text, word) in [(evil, "no host of Mondoo"), (program, "run a program")] {
        fs::write(stage.path("wif.json"), text).expect("written");
        let (code, said) = run(&stage, &["plan", "access"], &[("JWT_TOKEN", &token)]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(word), "{said}");
        assert!(!said.contains(&token), "{said}");
    }
    assert_eq!(stage.front.seen(), Vec::<String>::new());
    // The scope in which the token is bound is none of a run's own choice.
    let file = json!({"type": "external_account", "audience": PAYMENTS,
        "universeDomain": stage.front.url(), "issuerUri": GITHUB});
    fs::write(stage.path("wif.json"), file.to_string()).expect("written");
    let (code, said) = run(&stage, &["plan", "access"], &[("JWT_TOKEN", &token)]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("its issuer is not bound"), "{said}");
}
