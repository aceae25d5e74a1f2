//! Keys to GitHub, whole: the program as a job runs it, the embedded platform and a server that answers as
//! GitHub does, each behind a socket.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_standins::github::{APP, Github, INSTALLATION, TOKEN};
use rolecall_standins::{Running, serve};
use serde_json::Value;

use crate::stage::Stage;

const NAME: &str = "MONDOO_CONFIG_BASE64";

fn served() -> Running<Github> {
    serve(Github::by_the_clock(), ([127, 0, 0, 1], 0).into()).expect("a port")
}

fn stage(address: &str) -> Stage {
    let mut stage = Stage::small();
    stage.configure(&format!(
        r#"sink "github" "ci" {{
  address    = "{address}"
  repository = "Acme/App"
  name       = "mondoo_config_base64"
}}
service_account "ci" {{
  scope = space.payments
  name  = "ci"
  roles = ["viewer"]

  credential {{
    deliver_to = [sink.github.ci]
  }}
}}
"#
    ));
    stage
}

/// What a run says, its exit code first.
fn said(stage: &Stage, arguments: &[&str], change: impl FnOnce(&mut Command)) -> (i32, String) {
    let mut command = stage.command(arguments);
    change(&mut command);
    let output = command.output().expect("runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code().expect("it ended"), text)
}

#[test]
fn a_key_gets_into_a_secret_from_which_a_job_logs_in_and_nowhere_else() {
    let github = served();
    let stage = stage(&github.url);
    let key = github.with(Github::app_key);
    // A plan needs no login, and asks nobody.
    let (code, planned) = said(&stage, &["plan", "access"], |_| {});
    assert!(code == 0 || code == 2, "{planned}");
    assert!(
        planned.contains("/repos/acme/app/actions/secrets/MONDOO_CONFIG_BASE64"),
        "{planned}"
    );
    assert!(github.calls().is_empty());
    let (code, applied) = said(
        &stage,
        &[
            "apply",
            "access",
            "--yes",
            "--log",
            "run.log",
            "--log-level",
            "debug",
        ],
        |command| {
            command
                .env("CI", "1")
                .env("GITHUB_API_URL", &github.url)
                .env("ROLECALL_GITHUB_APP_ID", APP)
                .env("ROLECALL_GITHUB_APP_INSTALLATION_ID", INSTALLATION)
                .env("ROLECALL_GITHUB_APP_PRIVATE_KEY", &key);
        },
    );
    assert_eq!(code, 0, "{applied}");
    assert!(
        applied.contains("accepted the key; it cannot be read"),
        "{applied}"
    );
    let value = github.with(|github| github.value("repos/acme/app/actions", NAME));
    let value = String::from_utf8(value.expect("opens")).expect("text");
    let (code, verified) = said(&stage, &["credential", "verify"], |command| {
        command.env_remove("MONDOO_CONFIG_PATH").env(NAME, &value);
    });
    assert_eq!(code, 0, "{verified}");
    // The key is in the secret alone.
    let json = STANDARD.decode(&value).expect("base64");
    let credential: Value = serde_json::from_slice(&json).expect("JSON");
    let private = credential["private_key"].as_str().expect("a key");
    let line = private.lines().nth(1).expect("a line of it").to_owned();
    let mut texts = vec![planned, applied];
    for entry in ["run.log", "access/main.hcl"] {
        texts.push(fs::read_to_string(stage.path(entry)).expect("there"));
    }
    assert!(!stage.path("access/credentials").exists());
    let secrets = [value.as_str(), line.as_str(), "ghs_", "BEGIN RSA"];
    for text in &texts {
        assert!(
            secrets.iter().all(|secret| !text.contains(secret)),
            "{text}"
        );
    }
    assert!(texts[2].contains("\"sink-request\"") && texts[2].contains("github write"));
    // What was delivered is no difference, whatever was done to the secret since.
    github.with(|github| github.put("repos/acme/app/actions", NAME, b"by hand"));
    github.calls();
    let (code, planned) = said(&stage, &["plan", "access"], |_| {});
    assert_eq!(code, 0, "{planned}");
    assert!(planned.contains("No changes"), "{planned}");
    assert!(github.calls().is_empty());
}

#[test]
fn a_configuration_that_names_another_server_gets_no_login() {
    let github = served();
    let stage = stage(&github.url);
    let before = stage.front.requests().len();
    let (code, told) = said(&stage, &["apply", "access", "--yes"], |command| {
        command.env("ROLECALL_GITHUB_TOKEN", TOKEN);
    });
    assert_ne!(code, 0, "{told}");
    assert!(
        told.contains("the login is for https://api.github.com (GITHUB_API_URL)"),
        "{told}"
    );
    assert!(!told.contains(TOKEN));
    assert!(github.calls().is_empty());
    let requests = stage.front.requests();
    let created = requests
        .iter()
        .skip(before)
        .filter(|(_, body)| String::from_utf8_lossy(body).contains("createServiceAccount"));
    assert_eq!(created.count(), 0, "no account is made");
}

/// A reviewer sees who gets the key before it is there.
#[test]
fn a_plan_says_which_repositories_of_an_organization_get_a_secret() {
    let mut seen = Vec::new();
    for visibility in ["", "selected", "private", "all"] {
        let mut stage = stage("https://api.github.com");
        let said_of = match visibility {
            "" => String::new(),
            some => format!("  visibility = \"{some}\"\n"),
        };
        let text = fs::read_to_string(stage.path("access/main.hcl")).expect("there");
        let (_, own) = text.split_once("sink \"github\"").expect("a sink");
        let organization = format!("  organization = \"acme\"\n{said_of}");
        let own = own.replace("  repository = \"Acme/App\"\n", &organization);
        stage.configure(&format!("sink \"github\"{own}"));
        let (code, planned) = said(&stage, &["plan", "access"], |_| {});
        assert!(code == 0 || code == 2, "{planned}");
        let (_, section) = planned
            .split_once("Stores that receive keys:")
            .expect("a section");
        let (readers, _) = section.split_once("writes are").expect("readers");
        assert_eq!(
            readers.contains("! every repository of the organization, by visibility = \"all\""),
            visibility == "all",
            "{readers}"
        );
        assert!(!seen.contains(&readers.to_owned()), "{readers}");
        seen.push(readers.to_owned());
    }
}
