//! Keys to Google Cloud, whole: the program as a job runs it, the embedded platform and a server that answers as
//! Google does, each behind a socket.

use std::fs;
use std::process::Command;

use rolecall_standins::gcp::{AUDIENCE, Fault, Gcp, SUBJECT, State};
use rolecall_standins::{Running, serve};
use serde_json::{Value, json};

use crate::stage::Stage;

const SECRET: &str = "projects/acme-prod/secrets/mondoo-ci";
const REGIONAL: &str = "projects/acme-prod/locations/europe-west3/secrets/mondoo-ci";

fn served() -> Running<Gcp> {
    let gcp = serve(Gcp::by_the_clock(), ([127, 0, 0, 1], 0).into()).expect("a port");
    gcp.with(|gcp| {
        gcp.make(SECRET);
        gcp.make(REGIONAL);
    });
    gcp
}

/// A stage with one account whose key goes to a secret at this address, and the login by a token in a file.
fn stage(gcp: &Running<Gcp>, attributes: &str) -> Stage {
    let mut stage = Stage::small();
    stage.configure(&format!(
        r#"sink "gcp_secret_manager" "ci" {{
  address = "{}"
  project = "acme-prod"
  name    = "mondoo-${{account.id}}"
{attributes}
}}
service_account "ci" {{
  scope = space.payments
  name  = "ci"
  roles = ["viewer"]

  credential {{
    deliver_to = [sink.gcp_secret_manager.ci]
  }}
}}
"#,
        gcp.url
    ));
    let login = json!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/v1/token", gcp.url),
        "credential_source": {"file": stage.path("token")},
    });
    fs::write(stage.path("login.json"), login.to_string()).expect("written");
    fs::write(stage.path("token"), SUBJECT).expect("written");
    let allow = format!("destinations {{\n  allow = [\"{}\"]\n}}\n", gcp.url);
    fs::create_dir(stage.path("security")).expect("created");
    fs::write(stage.path("security/allow.hcl"), allow).expect("written");
    stage
}

/// What a run says, its exit code first.
fn said(stage: &Stage, arguments: &[&str], change: impl FnOnce(&mut Command)) -> (i32, String) {
    let mut command = stage.command(arguments);
    command.env("CI", "1");
    change(&mut command);
    let output = command.output().expect("runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code().expect("it ended"), text)
}

/// An apply as a job runs it, where a policy directory allows the server.
fn apply(stage: &Stage, more: &[&str]) -> (i32, String) {
    let arguments = [
        &["apply", "access", "--yes", "--policy-dir", "security"][..],
        more,
    ]
    .concat();
    let login = stage.path("login.json");
    said(stage, &arguments, |command| {
        command.env("GOOGLE_APPLICATION_CREDENTIALS", login);
    })
}

fn made(stage: &Stage, before: usize) -> usize {
    let requests = stage.front.requests();
    let requests = requests.iter().skip(before);
    let made = |body: &[u8]| String::from_utf8_lossy(body).contains("createServiceAccount");
    requests.filter(|(_, body)| made(body)).count()
}

#[test]
fn a_key_gets_into_a_secret_from_which_its_reader_logs_in_and_nowhere_else() {
    for (attributes, secret, base64) in [
        ("", SECRET, false),
        (
            "  location = \"europe-west3\"\n  format = \"base64\"",
            REGIONAL,
            true,
        ),
    ] {
        let gcp = served();
        let stage = stage(&gcp, attributes);
        // A plan needs no login, and asks nobody.
        let (code, planned) = said(&stage, &["plan", "access"], |_| {});
        assert!(code == 0 || code == 2, "{planned}");
        assert!(planned.contains(secret), "{planned}");
        assert!(gcp.calls().is_empty());
        let log = ["--log", "run.log", "--log-level", "debug"];
        let (code, applied) = apply(&stage, &log);
        assert_eq!(code, 0, "{applied}");
        assert!(
            applied.contains("The key of service_account.ci is in"),
            "{applied}"
        );
        let value = gcp.with(|gcp| gcp.latest(secret)).expect("a version");
        assert_eq!(gcp.with(|gcp| gcp.versions(secret).len()), 1);
        let value = String::from_utf8(value).expect("text");
        assert!(!value.ends_with('\n'));
        // As the page says that it is read.
        let (code, verified) = match base64 {
            true => said(&stage, &["credential", "verify"], |command| {
                command
                    .env_remove("MONDOO_CONFIG_PATH")
                    .env("MONDOO_CONFIG_BASE64", &value);
            }),
            false => {
                let file = stage.path("config.json");
                fs::write(&file, &value).expect("written");
                said(&stage, &["credential", "verify"], |command| {
                    command.env("MONDOO_CONFIG_PATH", &file);
                })
            }
        };
        assert_eq!(code, 0, "{verified}");
        // The key is in the secret alone, and no login is told.
        let mut texts = vec![planned, applied];
        for entry in ["run.log", "access/main.hcl"] {
            texts.push(fs::read_to_string(stage.path(entry)).expect("there"));
        }
        assert!(!stage.path("access/credentials").exists());
        let mut secrets = vec![value.clone(), SUBJECT.to_owned(), "ya29.".to_owned()];
        if !base64 {
            let credential: Value = serde_json::from_str(&value).expect("JSON");
            let private = credential["private_key"].as_str().expect("a key");
            secrets.push(private.lines().nth(1).expect("a line of it").to_owned());
        }
        for text in &texts {
            let shown = secrets.iter().any(|secret| text.contains(secret.as_str()));
            assert!(!shown, "{text}");
        }
        assert!(texts[2].contains("\"sink-request\"") && texts[2].contains("gcp write"));
        // What was delivered is no difference, whatever was done to the secret since.
        gcp.with(|gcp| gcp.put(secret, b"by hand"));
        gcp.calls();
        let (code, planned) = said(&stage, &["plan", "access"], |_| {});
        assert_eq!(code, 0, "{planned}");
        assert!(planned.contains("No changes"), "{planned}");
        assert!(gcp.calls().is_empty());
    }
}

#[test]
fn a_key_is_removed_with_its_account_and_what_others_wrote_is_not() {
    for others in [false, true] {
        let gcp = served();
        let stage = stage(&gcp, "  on_delete = \"remove\"");
        let (code, applied) = apply(&stage, &[]);
        assert_eq!(code, 0, "{applied}");
        if others {
            gcp.with(|gcp| gcp.put(SECRET, b"by hand"));
        }
        let main = stage.path("access/main.hcl");
        let text = fs::read_to_string(&main).expect("there");
        let (rest, _) = text
            .split_once("service_account \"ci\"")
            .expect("an account");
        fs::write(&main, rest).expect("written");
        let (code, applied) = apply(&stage, &["--destroy"]);
        assert_eq!(code, 0, "{applied}");
        let newest = gcp.with(|gcp| gcp.latest(SECRET)).expect("can be read");
        let expected: &[u8] = if others { b"by hand" } else { b"{}" };
        assert_eq!(newest, expected, "{applied}");
        let first = gcp.with(|gcp| gcp.versions(SECRET)[0].1);
        assert_eq!(
            first,
            State::Destroyed,
            "the key can still be read by its number"
        );
    }
}

/// Case 19: the answer to the write says no, and the key is there.
#[test]
fn a_write_that_was_refused_and_done_makes_one_account_and_one_version() {
    let gcp = served();
    let stage = stage(&gcp, "");
    let at = stage.front.requests().len();
    let fault = Fault::RefuseDone(403, "PERMISSION_DENIED");
    gcp.with(|gcp| gcp.faults.push((":addVersion".to_owned(), fault)));
    let (code, applied) = apply(&stage, &[]);
    assert_eq!(code, 0, "{applied}");
    assert_eq!(made(&stage, at), 1);
    assert_eq!(gcp.with(|gcp| gcp.versions(SECRET).len()), 1);
}

/// A birth whose write is refused leaves no account and no version.
#[test]
fn nothing_stays_of_a_birth_whose_key_could_not_be_put() {
    let gcp = served();
    let stage = stage(&gcp, "");
    gcp.with(|gcp| gcp.denied.insert("secretmanager.versions.add"));
    let (code, applied) = apply(&stage, &[]);
    assert_ne!(code, 0, "{applied}");
    assert!(applied.contains("secretmanager.versions.add"), "{applied}");
    assert!(gcp.with(|gcp| gcp.versions(SECRET).is_empty()));
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    assert!(
        accounts.iter().all(|account| account["name"] != "ci"),
        "an account stays"
    );
}

#[test]
fn no_account_is_made_where_the_login_would_go_elsewhere_or_the_secret_is_not_fit() {
    // Neither the sink's address nor what the file of the login names is Google's.
    let gcp = served();
    let by_hand = stage(&gcp, "");
    let at = by_hand.front.requests().len();
    let login = by_hand.path("login.json");
    let alone = |stage: &Stage| {
        said(stage, &["apply", "access", "--yes"], |command| {
            command.env("GOOGLE_APPLICATION_CREDENTIALS", &login);
        })
    };
    let (code, told) = alone(&by_hand);
    assert_ne!(code, 0, "{told}");
    assert!(
        told.contains("is not Google's address for this secret"),
        "{told}"
    );
    let way = format!(
        "let a policy directory say destinations {{ allow = [\"{}\"] }}",
        gcp.url
    );
    assert!(told.contains(&way), "{told}");
    let main = by_hand.path("access/main.hcl");
    let text = fs::read_to_string(&main).expect("there");
    let googles = text.replace(&format!("  address = \"{}\"\n", gcp.url), "");
    assert_ne!(text, googles);
    fs::write(&main, googles).expect("written");
    let (code, told) = alone(&by_hand);
    assert_ne!(code, 0, "{told}");
    assert!(
        told.contains("token_url in the file of GOOGLE_APPLICATION_CREDENTIALS"),
        "{told}"
    );
    assert!(told.contains("nothing was sent"), "{told}");
    assert!(gcp.calls().is_empty(), "something was sent");
    assert_eq!(made(&by_hand, at), 0, "an account is made");
    // Where the login may go: what is there is no place for a key.
    for (spoil, told) in [
        (
            "absent",
            "gcloud secrets create mondoo-ci --replication-policy=automatic --project=acme-prod",
        ),
        ("rotated", "rotation schedule"),
        (
            "disabled",
            "gcloud secrets versions enable 1 --secret=mondoo-ci --project=acme-prod",
        ),
    ] {
        let gcp = serve(Gcp::by_the_clock(), ([127, 0, 0, 1], 0).into()).expect("a port");
        gcp.with(|gcp| match spoil {
            "absent" => {}
            "rotated" => gcp.say(SECRET, "rotation", json!({"rotationPeriod": "86400s"})),
            _ => {
                gcp.put(SECRET, b"{}");
                gcp.set(SECRET, 1, State::Disabled);
            }
        });
        let stage = stage(&gcp, "");
        let at = stage.front.requests().len();
        let (code, applied) = apply(&stage, &[]);
        assert_ne!(code, 0, "{applied}");
        assert!(applied.contains(told), "{applied}");
        assert_eq!(made(&stage, at), 0, "an account is made");
    }
}
