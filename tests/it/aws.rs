//! Keys to AWS Secrets Manager, whole: the program as a job runs it, the embedded platform and a server that
//! answers as AWS does, each behind a socket.

use std::fs;

use rolecall_standins::aws::{Aws, ID, KEY};
use rolecall_standins::serve;
use serde_json::Value;

use crate::stage::Stage;

/// From nothing to a key that is in the secret, and in nothing else.
#[test]
fn a_key_is_in_the_secret_and_in_no_output_or_log() {
    let aws = serve(Aws::new(), ([127, 0, 0, 1], 0).into()).expect("a port");
    let mut stage = Stage::small();
    stage.configure(&format!(
        r#"sink "aws_secretsmanager" "ci" {{
  endpoint   = "{}"
  region     = "eu-central-1"
  account_id = "123456789012"
  name       = "mondoo/${{account.id}}"
}}
service_account "ci" {{
  scope = space.payments
  name  = "ci"
  roles = ["viewer"]

  credential {{
    deliver_to = [sink.aws_secretsmanager.ci]
  }}
}}
"#,
        aws.url
    ));
    fs::create_dir(stage.path("security")).expect("made");
    let allow = format!("destinations {{\n  allow = [\"{}\"]\n}}\n", aws.url);
    fs::write(stage.path("security/allow.hcl"), allow).expect("written");
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
        command
            .env("CI", "1")
            .env("AWS_ENDPOINT_URL_STS", &aws.url)
            .env("AWS_ACCESS_KEY_ID", ID)
            .env("AWS_SECRET_ACCESS_KEY", KEY);
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
    let text = aws.with(|aws| aws.current("mondoo/ci").map(str::to_owned));
    let text = text.expect("a key");
    let credential: Value = serde_json::from_str(&text).expect("JSON");
    let private = credential["private_key"].as_str().expect("a key");
    let line = private.lines().nth(1).expect("a line of it");
    let log = fs::read_to_string(stage.path("run.log")).expect("a log");
    for text in [&told, &log] {
        let secrets = ["PRIVATE KEY", line, KEY];
        assert!(
            secrets.iter().all(|secret| !text.contains(secret)),
            "{text}"
        );
    }
    assert!(log.contains("aws label"), "{log}");
    // As a consumer reads it, it logs in.
    let file = stage.path("config.json");
    fs::write(&file, &text).expect("written");
    let mut command = stage.command(&["credential", "verify"]);
    let output = command
        .env("MONDOO_CONFIG_PATH", &file)
        .output()
        .expect("runs");
    assert!(output.status.success(), "{output:?}");
}
