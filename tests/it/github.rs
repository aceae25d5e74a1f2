//! Keys to GitHub, whole: the program as a job runs it, the embedded platform and a server that answers as
//! GitHub does, each behind a socket.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_standins::github::{APP, Github, INSTALLATION, TOKEN};
use rolecall_standins::{Running, serve};
use serde_json::Value;

use crate::stage::{Stage, Then};

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

/// A run died after it wrote where nobody can read: that address waits for a person, and all else goes on.
#[test]
fn what_a_dead_run_may_have_left_holds_its_own_account_and_no_other() {
    for removes in [true, false] {
        let github = served();
        let mut stage = stage(&github.url);
        let alone = fs::read_to_string(stage.path("access/main.hcl")).expect("there");
        let (_, alone) = alone.split_once("sink \"github\"").expect("a sink");
        let alone = format!("sink \"github\"{alone}");
        let at = "repos/acme/app/actions";
        let value = || github.with(|github| github.value(at, NAME));
        let apply = |stage: &Stage, more: &[&str]| {
            let arguments = [&["apply", "--yes"][..], more, &["access"]].concat();
            said(stage, &arguments, |command| {
                command
                    .env("GITHUB_API_URL", &github.url)
                    .env("ROLECALL_GITHUB_TOKEN", TOKEN);
            })
        };
        // It dies between the write and the mark.
        let (send, held) = mpsc::channel();
        stage.front.hook(move |operation, _| match operation {
            "updateServiceAccount" => {
                let _ = send.send(());
                Then::Stall(Vec::new(), Duration::from_secs(60))
            }
            _ => Then::Answer,
        });
        let mut first = stage.command(&["apply", "--yes", "access"]);
        first
            .env("GITHUB_API_URL", &github.url)
            .env("ROLECALL_GITHUB_TOKEN", TOKEN)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut first = first.spawn().expect("it starts");
        held.recv_timeout(Duration::from_secs(60))
            .expect("it comes to its mark");
        first.kill().expect("killed");
        let _ = first.wait();
        stage.front.hook(|_, _| Then::Answer);
        let left = value().expect("the dead run wrote it");
        let beside = r#"service_account "beside" {
  scope = space.payments
  name  = "beside"
  roles = ["viewer"]

  credential {
    deliver_to = [sink.file.local]
  }
}
"#;
        stage.configure(&format!("{alone}{beside}"));
        let output = stage
            .command(&["plan", "--format", "json", "access"])
            .output();
        let output = output.expect("runs");
        let plan: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let nonce = plan["plan"]["in_flight"][0]["nonce"].as_str();
        let resume = format!("--resume={}", nonce.expect("a nonce"));
        for turn in 0..2 {
            let (code, told) = apply(&stage, &[&resume]);
            assert_eq!(code, 5, "{told}");
            let way = "remove it there, or say overwrite_unreadable = true in the sink";
            assert!(
                told.contains("service_account.ci: refused to create: "),
                "{told}"
            );
            assert!(told.contains(way), "{told}");
            let born = told.contains("service_account.beside: created");
            assert_eq!(born, turn == 0, "all else goes on, once: {told}");
            assert_eq!(value().as_ref(), Some(&left), "nothing is overwritten");
        }
        match removes {
            true => github.with(|github| github.forget(at, NAME)),
            false => {
                let sink = "sink \"github\" \"ci\" {\n";
                let overwrites = format!("{sink}  overwrite_unreadable = true\n");
                stage.configure(&format!("{}{beside}", alone.replace(sink, &overwrites)));
            }
        }
        let (code, told) = apply(&stage, &[&resume]);
        assert_eq!(code, 0, "{told}");
        let value = String::from_utf8(value().expect("it is there")).expect("text");
        assert_ne!(value.as_bytes(), left);
        let (code, verified) = said(&stage, &["credential", "verify"], |command| {
            command.env_remove("MONDOO_CONFIG_PATH").env(NAME, &value);
        });
        assert_eq!(code, 0, "{verified}");
        let (code, planned) = said(&stage, &["plan", "--detailed-exitcode", "access"], |_| {});
        assert_eq!(code, 0, "{planned}");
    }
}
