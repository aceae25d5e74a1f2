//! Keys to GitLab, whole: the program as a job runs it, the embedded platform and a server that answers as
//! GitLab does, each behind a socket.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_standins::gitlab::{Gitlab, TOKEN};
use rolecall_standins::{Running, serve};
use serde_json::Value;

use crate::stage::Stage;

const NAME: &str = "MONDOO_CONFIG_BASE64";
const APP: &str = "projects/acme/app";

fn served() -> Running<Gitlab> {
    serve(Gitlab::new(), ([127, 0, 0, 1], 0).into()).expect("a port")
}

fn stage(address: &str, attributes: &str) -> Stage {
    let mut stage = Stage::small();
    stage.configure(&format!(
        r#"sink "gitlab" "ci" {{
  address           = "{address}"
  project           = "Acme/App"
  environment_scope = "production"
{attributes}
}}
service_account "ci" {{
  scope = space.payments
  name  = "ci"
  roles = ["viewer"]

  credential {{
    deliver_to = [sink.gitlab.ci]
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

/// An apply as a job of the server runs it.
fn apply(stage: &Stage, gitlab: &Running<Gitlab>) -> (i32, String) {
    let arguments = [
        "apply",
        "access",
        "--yes",
        "--log",
        "run.log",
        "--log-level",
        "debug",
    ];
    said(stage, &arguments, |command| {
        command
            .env("CI", "1")
            .env("CI_API_V4_URL", format!("{}/api/v4", gitlab.url))
            .env("ROLECALL_GITLAB_TOKEN", TOKEN);
    })
}

fn made(stage: &Stage, before: usize) -> usize {
    let requests = stage.front.requests();
    let requests = requests.iter().skip(before);
    let made = |body: &[u8]| String::from_utf8_lossy(body).contains("createServiceAccount");
    requests.filter(|(_, body)| made(body)).count()
}

#[test]
fn a_key_gets_into_a_variable_from_which_a_job_logs_in_and_nowhere_else() {
    for (attributes, told) in [
        ("", "The key of service_account.ci is in"),
        ("  hidden = true", "accepted the key; it cannot be read"),
    ] {
        let gitlab = served();
        let stage = stage(&gitlab.url, attributes);
        // A plan needs no login, and asks nobody.
        let (code, planned) = said(&stage, &["plan", "access"], |_| {});
        assert!(code == 0 || code == 2, "{planned}");
        assert!(
            planned.contains("/acme/app#MONDOO_CONFIG_BASE64 (production)"),
            "{planned}"
        );
        assert!(gitlab.calls().is_empty());
        let (code, applied) = apply(&stage, &gitlab);
        assert_eq!(code, 0, "{applied}");
        assert!(applied.contains(told), "{applied}");
        let kept = gitlab.with(|gitlab| gitlab.variable(APP, NAME, "production").cloned());
        let kept = kept.expect("it is there");
        assert!(kept.masked && kept.protected && kept.raw);
        assert_eq!(kept.hidden, !attributes.is_empty());
        let (code, verified) = said(&stage, &["credential", "verify"], |command| {
            command
                .env_remove("MONDOO_CONFIG_PATH")
                .env(NAME, &kept.value);
        });
        assert_eq!(code, 0, "{verified}");
        // The key is in the variable alone.
        let json = STANDARD.decode(&kept.value).expect("base64");
        let credential: Value = serde_json::from_slice(&json).expect("JSON");
        let private = credential["private_key"].as_str().expect("a key");
        let line = private.lines().nth(1).expect("a line of it").to_owned();
        let mut texts = vec![planned, applied];
        for entry in ["run.log", "access/main.hcl"] {
            texts.push(fs::read_to_string(stage.path(entry)).expect("there"));
        }
        assert!(!stage.path("access/credentials").exists());
        let secrets = [kept.value.as_str(), line.as_str(), TOKEN];
        for text in &texts {
            assert!(
                secrets.iter().all(|secret| !text.contains(secret)),
                "{text}"
            );
        }
        assert!(texts[2].contains("\"sink-request\"") && texts[2].contains("gitlab write"));
        // What was delivered is no difference, whatever was done to the variable since.
        gitlab.with(|gitlab| gitlab.set(APP, NAME, "production", "by-hand-it-is"));
        gitlab.calls();
        let (code, planned) = said(&stage, &["plan", "access"], |_| {});
        assert_eq!(code, 0, "{planned}");
        assert!(planned.contains("No changes"), "{planned}");
        assert!(gitlab.calls().is_empty());
    }
}

#[test]
fn a_job_reads_a_file_of_json() {
    let gitlab = served();
    let attributes = "  type = \"file\"\n  format = \"json\"\n  masked = false\n  \
                      name = \"MONDOO_CONFIG_PATH\"";
    let stage = stage(&gitlab.url, attributes);
    let (code, applied) = apply(&stage, &gitlab);
    assert_eq!(code, 0, "{applied}");
    let kept = gitlab.with(|gitlab| {
        let kept = gitlab.variable(APP, "MONDOO_CONFIG_PATH", "production");
        kept.cloned().expect("it is there")
    });
    assert_eq!(kept.variable_type, "file");
    // As a runner writes it down.
    let file = stage.path("config.json");
    fs::write(&file, &kept.value).expect("written");
    let (code, verified) = said(&stage, &["credential", "verify"], |command| {
        command.env("MONDOO_CONFIG_PATH", &file);
    });
    assert_eq!(code, 0, "{verified}");
}

#[test]
fn a_key_is_removed_with_its_account_and_what_others_wrote_is_not() {
    for others in [false, true] {
        let gitlab = served();
        let stage = stage(&gitlab.url, "  on_delete = \"remove\"");
        let (code, applied) = apply(&stage, &gitlab);
        assert_eq!(code, 0, "{applied}");
        if others {
            gitlab.with(|gitlab| gitlab.set(APP, NAME, "production", "by-hand-it-is"));
        }
        let main = stage.path("access/main.hcl");
        let text = fs::read_to_string(&main).expect("there");
        let (rest, _) = text
            .split_once("service_account \"ci\"")
            .expect("an account");
        fs::write(&main, rest).expect("written");
        let (code, applied) = said(
            &stage,
            &["apply", "access", "--yes", "--destroy"],
            |command| {
                command
                    .env("CI_API_V4_URL", format!("{}/api/v4", gitlab.url))
                    .env("ROLECALL_GITLAB_TOKEN", TOKEN);
            },
        );
        assert_eq!(code, 0, "{applied}");
        let there = gitlab.with(|gitlab| gitlab.variable(APP, NAME, "production").is_some());
        assert_eq!(there, others, "{applied}");
    }
}

#[test]
fn nothing_is_made_where_the_key_could_not_be_put() {
    // Nobody can read whose key is there.
    let gitlab = served();
    let before = |stage: &Stage| stage.front.requests().len();
    let stage_hidden = stage(&gitlab.url, "  hidden = true");
    let kept = rolecall_standins::gitlab::Kept {
        masked: true,
        hidden: true,
        ..rolecall_standins::gitlab::Kept::plain("somebody's")
    };
    gitlab.with(|gitlab| gitlab.put(APP, NAME, "production", kept));
    let at = before(&stage_hidden);
    let (code, told) = apply(&stage_hidden, &gitlab);
    assert_ne!(code, 0, "{told}");
    assert!(told.contains("overwrite_unreadable = true"), "{told}");
    assert_eq!(made(&stage_hidden, at), 0, "no account is made");
}

#[test]
fn a_configuration_that_names_another_server_gets_no_login() {
    let gitlab = served();
    let stage = stage(&gitlab.url, "");
    let at = stage.front.requests().len();
    let (code, told) = said(&stage, &["apply", "access", "--yes"], |command| {
        command.env("ROLECALL_GITLAB_TOKEN", TOKEN);
    });
    assert_ne!(code, 0, "{told}");
    assert!(
        told.contains("the login is for https://gitlab.com (CI_API_V4_URL)"),
        "{told}"
    );
    assert!(!told.contains(TOKEN));
    assert!(gitlab.calls().is_empty());
    assert_eq!(made(&stage, at), 0, "no account is made");
}

/// A reviewer sees who gets the key before it is there.
#[test]
fn a_plan_says_who_reads_a_variable_and_what_widens_that() {
    let plan = |attributes: &str| {
        let stage = stage("https://gitlab.acme.example", attributes);
        let (code, planned) = said(&stage, &["plan", "access"], |_| {});
        assert!(code == 0 || code == 2, "{planned}");
        planned
    };
    let plain = plan("");
    assert!(
        plain.contains(
            "readable by  whoever may change a job of that project in that environment on a protected \
             branch or tag, or as it is there already, and its maintainers\n      writes are"
        ),
        "{plain}"
    );
    for (attributes, told) in [
        (
            "  masked = false\n  type = \"file\"\n  name = \"X\"",
            "! logs of jobs show it, by masked = false",
        ),
        (
            "  protected = false",
            "! jobs of every branch and tag get it, by protected = false",
        ),
        (
            "  protected = true",
            "on a protected branch or tag (protected = true)",
        ),
        ("  hidden = true", "nobody in the settings (hidden = true)"),
    ] {
        let planned = plan(attributes);
        assert!(planned.contains(told), "{planned}");
        assert!(!plain.contains(told), "{plain}");
    }
}
