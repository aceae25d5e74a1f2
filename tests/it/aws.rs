//! Keys to AWS Secrets Manager and to AWS Systems Manager, whole: the program as a job runs it, the embedded
//! platform and a server that answers as AWS does, each behind a socket.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rolecall_standins::aws::{Aws, ID, KEY};
use rolecall_standins::serve;
use serde_json::Value;

use crate::stage::Stage;

/// By what a run logs in at AWS.
#[derive(Clone, Copy, Debug)]
enum Login {
    Keys,
    Profile,
    Instance,
}

#[test]
fn a_key_is_in_the_secret_and_in_no_output_or_log() {
    let read = |aws: &mut Aws| aws.current("mondoo/ci").map(str::to_owned);
    for login in [Login::Keys, Login::Instance] {
        is_delivered(
            ("aws_secretsmanager", "mondoo/${account.id}", ""),
            login,
            "aws label",
            read,
        );
    }
}

#[test]
fn a_key_is_in_the_parameter_and_in_no_output_or_log() {
    let read = |aws: &mut Aws| {
        let held = aws.parameters.newest("/mondoo/ci");
        held.map(|held| held.value.clone())
    };
    for (format, login) in [("json", Login::Keys), ("base64", Login::Profile)] {
        let more = format!("format     = \"{format}\"");
        let to = ("aws_ssm", "/mondoo/${account.id}", more.as_str());
        is_delivered(to, login, "aws put", read);
    }
}

/// From nothing to a key that is in the store, and in nothing else.
fn is_delivered(
    (kind, name, more): (&str, &str, &str),
    login: Login,
    logged: &str,
    read: impl Fn(&mut Aws) -> Option<String>,
) {
    let aws = serve(Aws::by_the_clock(), ([127, 0, 0, 1], 0).into()).expect("a port");
    let mut stage = Stage::small();
    stage.configure(&format!(
        r#"sink "{kind}" "ci" {{
  endpoint   = "{}"
  region     = "eu-central-1"
  account_id = "123456789012"
  name       = "{name}"
  {more}
}}
service_account "ci" {{
  scope = space.payments
  name  = "ci"
  roles = ["viewer"]

  credential {{
    deliver_to = [sink.{kind}.ci]
  }}
}}
"#,
        aws.url
    ));
    fs::create_dir(stage.path("security")).expect("made");
    let allow = format!("destinations {{\n  allow = [\"{}\"]\n}}\n", aws.url);
    fs::write(stage.path("security/allow.hcl"), allow).expect("written");
    fs::create_dir(stage.path(".aws")).expect("made");
    let profile = format!("[ci]\naws_access_key_id = {ID}\naws_secret_access_key = {KEY}\n");
    fs::write(stage.path(".aws/credentials"), profile).expect("written");
    let apply = |more: &[&str]| {
        let mut arguments = vec![
            "apply",
            "access",
            "--yes",
            "--log",
            "run.log",
            "--log-level",
            "debug",
        ];
        arguments.extend(more);
        let mut command = stage.command(&arguments);
        command.env("CI", "1").env("AWS_ENDPOINT_URL_STS", &aws.url);
        match login {
            Login::Keys => command
                .env("AWS_ACCESS_KEY_ID", ID)
                .env("AWS_SECRET_ACCESS_KEY", KEY),
            // In the home directory, as the AWS CLI writes it.
            Login::Profile => command.env("AWS_PROFILE", "ci"),
            Login::Instance => command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &aws.url),
        };
        let output = command.output().expect("runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code().expect("it ended"), text)
    };
    // An address that is not AWS's gets nothing, unless a policy directory allows it.
    let (code, told) = apply(&[]);
    assert_ne!(code, 0, "{told}");
    assert!(told.contains("was not sent"), "{told}");
    assert!(aws.calls().is_empty());
    let (code, told) = apply(&["--policy-dir", "security"]);
    assert_eq!(code, 0, "{told}");
    let text = aws.with(&read).expect("a key");
    let json = match text.starts_with('{') {
        true => text.clone().into_bytes(),
        false => BASE64.decode(&text).expect("one line of base64"),
    };
    let credential: Value = serde_json::from_slice(&json).expect("JSON");
    let private = credential["private_key"].as_str().expect("a key");
    let line = private.lines().nth(1).expect("a line of it");
    let log = fs::read_to_string(stage.path("run.log")).expect("a log");
    for output in [&told, &log] {
        let secrets = ["PRIVATE KEY", line, &text, KEY];
        assert!(
            secrets.iter().all(|secret| !output.contains(secret)),
            "{output}"
        );
    }
    assert!(log.contains(logged), "{log}");
    // As a consumer reads it, it logs in.
    let file = stage.path("config.json");
    fs::write(&file, &json).expect("written");
    let mut command = stage.command(&["credential", "verify"]);
    let output = command
        .env("MONDOO_CONFIG_PATH", &file)
        .output()
        .expect("runs");
    assert!(output.status.success(), "{output:?}");
}
