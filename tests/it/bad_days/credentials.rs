//! Credentials that are missing, broken, expired, or not what the run should work with.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rolecall_server::SeedAccount;
use serde_json::{Value, json};

use super::{APPLY, PLAN, holds, stage, writes};
use crate::stage::{ORG, PAYMENTS, Stage};

/// The owner's credential with fields changed or, where null, removed.
fn changed(stage: &Stage, changes: &[(&str, Value)]) -> String {
    let text = fs::read(stage.path("owner.json")).expect("there");
    let mut json: Value = serde_json::from_slice(&text).expect("JSON");
    for (key, value) in changes {
        json[*key] = value.clone();
    }
    json.as_object_mut()
        .expect("an object")
        .retain(|_, value| !value.is_null());
    json.to_string()
}

/// Writes a file that only its owner can read.
fn secret(stage: &Stage, name: &str, text: &str) {
    let path = stage.path(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
}

#[test]
fn none_is_found() {
    let mut stage = stage();
    let code = stage.run_in(PLAN, |c| {
        c.env_remove("MONDOO_CONFIG_PATH");
    });
    assert_eq!(code, 1);
    stage.say("each of these is named, though the next source would do");
    assert_eq!(
        stage.run(&["plan", "--credentials", "gone.json", "access"]),
        1
    );
    let code = stage.run_in(PLAN, |c| {
        c.env("MONDOO_CONFIG_PATH", "gone.json")
            .env("MONDOO_API_TOKEN", "not-asked-for");
    });
    assert_eq!(code, 1);
    let code = stage.run_in(PLAN, |c| {
        c.env("MONDOO_CONFIG_PATH", "access");
    });
    assert_eq!(code, 1);
    assert!(stage.front.seen().is_empty());
    stage.compare("bad-days/credential-none.txt");
}

#[test]
fn files_that_hold_none() {
    let mut stage = stage();
    let whole = fs::read_to_string(stage.path("owner.json")).expect("there");
    let cut = &whole[..whole.find("private_key").expect("is there") - 3];
    for (what, text) in [
        ("nothing", String::new()),
        ("a token alone", "eyJhbGciOiJFUzM4NCJ9.e30.c2ln".to_owned()),
        ("JSON that breaks off", cut.to_owned()),
        ("YAML that is none", "mrn: [unclosed\n".to_owned()),
        ("a list", "[1, 2]".to_owned()),
        ("no key", changed(&stage, &[("private_key", Value::Null)])),
        ("no name", changed(&stage, &[("mrn", Value::Null)])),
        (
            "a number for a key",
            changed(&stage, &[("private_key", json!(7))]),
        ),
        (
            "workload identity",
            json!({"type": "external_account"}).to_string(),
        ),
        (
            "an endpoint without TLS",
            changed(
                &stage,
                &[("api_endpoint", json!("http://us.api.mondoo.com"))],
            ),
        ),
    ] {
        stage.say(&format!("c.json holds {what}"));
        secret(&stage, "c.json", &text);
        assert_eq!(stage.run(&["plan", "--credentials", "c.json", "access"]), 1);
    }
    stage.say("without the scope it is enough");
    let text = changed(
        &stage,
        &[("scope_mrn", Value::Null), ("space_mrn", Value::Null)],
    );
    secret(&stage, "c.json", &text);
    assert!(stage.front.seen().is_empty(), "nobody was asked anything");
    assert_eq!(stage.run(&["plan", "--credentials", "c.json", "access"]), 0);
    fs::remove_file(stage.path("c.json")).expect("removed");
    stage.compare("bad-days/credential-files.txt");
}

#[test]
fn keys_of_other_kinds() {
    let pem = |label: &str, der: &[u8]| {
        let body = STANDARD.encode(der);
        json!(format!(
            "-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
        ))
    };
    // Only what these are recognised by: the object identifiers of RSA, P-384 and P-256.
    let rsa = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00".as_slice();
    let p384 = b"\x30\x10\x06\x05\x2b\x81\x04\x00\x22\x04".as_slice();
    let p256 = b"\x30\x13\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07".as_slice();
    let mut stage = stage();
    for (what, key) in [
        ("a key in the SEC1 form", pem("EC PRIVATE KEY", p384)),
        ("an RSA key in its old form", pem("RSA PRIVATE KEY", rsa)),
        ("an RSA key in PKCS#8", pem("PRIVATE KEY", rsa)),
        ("a key on another curve", pem("PRIVATE KEY", p256)),
        ("a damaged key", pem("PRIVATE KEY", p384)),
        (
            "a key with a passphrase",
            pem("ENCRYPTED PRIVATE KEY", p384),
        ),
        ("a certificate for a key", pem("CERTIFICATE", p384)),
        ("no PEM", json!("hunter2")),
    ] {
        stage.say(&format!("c.json holds {what}"));
        secret(&stage, "c.json", &changed(&stage, &[("private_key", key)]));
        assert_eq!(stage.run(&["plan", "--credentials", "c.json", "access"]), 1);
    }
    assert!(stage.front.seen().is_empty());
    stage.compare("bad-days/credential-keys.txt");
}

#[test]
fn base64_where_it_is_and_is_not_expected() {
    let mut stage = stage();
    let whole = fs::read_to_string(stage.path("owner.json")).expect("there");
    let good = STANDARD.encode(&whole);
    for (what, text) in [
        ("a token", "eyJhbGciOiJFUzM4NCJ9.e30.c2ln".to_owned()),
        ("base64 that is cut", good[..good.len() - 3].to_owned()),
        ("base64 of something else", STANDARD.encode("hello")),
    ] {
        stage.say(&format!("MONDOO_CONFIG_BASE64 holds {what}"));
        let code = stage.run_in(PLAN, |c| {
            c.env("MONDOO_CONFIG_BASE64", text);
        });
        assert_eq!(code, 1);
    }
    assert!(stage.front.seen().is_empty());
    stage.say("a file holds base64 that is cut");
    secret(&stage, "c.b64", &good[..good.len() - 3]);
    assert_eq!(stage.run(&["plan", "--credentials", "c.b64", "access"]), 1);
    stage.say("a file holds base64 of something else");
    secret(&stage, "c.b64", &STANDARD.encode("hello"));
    assert_eq!(stage.run(&["plan", "--credentials", "c.b64", "access"]), 1);
    assert!(stage.front.seen().is_empty());
    stage.say("what is whole is taken wherever it stands");
    let broken: Vec<&str> = good
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).expect("ascii"))
        .collect();
    let broken = broken.join("\n");
    for text in [whole, broken.clone()] {
        let code = stage.run_in(PLAN, |c| {
            c.env("MONDOO_CONFIG_BASE64", text);
        });
        assert_eq!(code, 0);
    }
    secret(&stage, "c.b64", &broken);
    assert_eq!(stage.run(&["plan", "--credentials", "c.b64", "access"]), 0);
    fs::remove_file(stage.path("c.b64")).expect("removed");
    stage.compare("bad-days/credential-base64.txt");
}

fn account(stage: &Stage, scope: &str, json: Value) -> String {
    let account: SeedAccount = serde_json::from_value(json).expect("an account");
    stage
        .app
        .admin_create_account(scope, &account, Timestamp::now())
        .expect("created")
}

fn issued(stage: &Stage, mrn: &str) {
    let credential = stage.app.admin_issue_credential(mrn, Timestamp::now());
    let text = serde_json::to_string(&credential.expect("issued")).expect("JSON");
    secret(stage, "c.json", &text);
}

#[test]
fn accounts_that_the_platform_does_not_accept() {
    let mut stage = stage();
    let apply = ["apply", "--yes", "--credentials", "c.json", "access"];
    let hour = |n: i64| (Timestamp::now() + SignedDuration::from_hours(n)).to_string();
    stage.say("the account has expired");
    let expired = json!({"name": "x", "roles": ["owner"], "valid_until": hour(-1)});
    let mrn = account(&stage, ORG, expired);
    issued(&stage, &mrn);
    let before = holds(&stage);
    assert_eq!(stage.run(&apply), 1);
    assert_eq!(holds(&stage), before);
    stage.say("the account is deleted");
    let mrn = account(&stage, ORG, json!({"name": "y", "roles": ["owner"]}));
    issued(&stage, &mrn);
    stage
        .app
        .admin_delete(&mrn, Timestamp::now())
        .expect("deleted");
    assert_eq!(stage.run(&apply), 1);
    stage.say("whatever command asks, and wherever the credential is from");
    for command in [
        ["list", "--credentials", "c.json", "access"].as_slice(),
        &["credential", "verify", "c.json"],
    ] {
        assert_eq!(stage.run(command), 1, "{command:?}");
    }
    for command in [PLAN, &["credential", "verify"]] {
        let code = stage.run_in(command, |c| {
            c.env("MONDOO_CONFIG_PATH", "c.json");
        });
        assert_eq!(code, 1, "{command:?}");
    }
    stage.say("without a certificate nobody can tell");
    let text = fs::read_to_string(stage.path("c.json")).expect("there");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    json["certificate"] = Value::Null;
    secret(&stage, "c.json", &json.to_string());
    assert_eq!(stage.run(&apply), 1);
    assert_eq!(holds(&stage), before);
    assert!(writes(&stage).is_empty());
    fs::remove_file(stage.path("c.json")).expect("removed");
    stage.compare("bad-days/credential-refused.txt");
}

#[test]
fn accounts_without_the_rights() {
    let mut stage = stage();
    let apply = ["apply", "--yes", "--credentials", "c.json", "access"];
    stage.say("an editor of the space alone: the organization above is not read");
    let mrn = account(&stage, PAYMENTS, json!({"name": "x", "roles": ["editor"]}));
    issued(&stage, &mrn);
    let before = holds(&stage);
    assert_eq!(stage.run(&["plan", "--credentials", "c.json", "access"]), 0);
    stage.say("a viewer");
    stage
        .app
        .admin_set_roles(PAYMENTS, &mrn, &["viewer"], Timestamp::now())
        .expect("set");
    let as_viewer = holds(&stage);
    assert_ne!(as_viewer, before);
    assert_eq!(stage.run(&apply), 3);
    assert_eq!(holds(&stage), as_viewer);
    assert!(writes(&stage).is_empty());
    fs::remove_file(stage.path("c.json")).expect("removed");
    stage.compare("bad-days/credential-rights.txt");
}

#[test]
fn an_api_token() {
    let mut stage = stage();
    stage
        .app
        .admin_create_token(
            ORG,
            "token",
            "a-token-of-some-length",
            &["editor"],
            Timestamp::now(),
        )
        .expect("created");
    let url = stage.front.url();
    let with = |token: &'static str| {
        let url = url.clone();
        move |c: &mut std::process::Command| {
            c.env_remove("MONDOO_CONFIG_PATH")
                .env("MONDOO_API_TOKEN", token)
                .env("MONDOO_API_ENDPOINT", url);
        }
    };
    stage.say("a token works, and is named");
    assert_eq!(stage.run_in(PLAN, with("a-token-of-some-length")), 0);
    stage.say("one that the platform does not know");
    assert_eq!(stage.run_in(APPLY, with("another-token")), 1);
    stage.say("one that no header can carry");
    assert_eq!(stage.run_in(APPLY, with("two words")), 1);
    assert!(writes(&stage).is_empty());
    stage.compare("bad-days/credential-token.txt");
}

#[test]
fn a_key_that_others_can_read() {
    let mut stage = stage();
    let owner = stage.path("owner.json");
    fs::set_permissions(&owner, fs::Permissions::from_mode(0o644)).expect("changed");
    assert_eq!(stage.run(PLAN), 0);
    fs::set_permissions(&owner, fs::Permissions::from_mode(0o600)).expect("changed");
    stage.compare("bad-days/credential-exposed.txt");
}

#[test]
fn a_persons_credential_in_ci() {
    let mut stage = stage();
    let text = fs::read_to_string(stage.path("owner.json")).expect("there");
    secret(&stage, ".config/mondoo/mondoo.yml", &text);
    let home = |c: &mut std::process::Command| {
        c.env_remove("MONDOO_CONFIG_PATH");
    };
    stage.say("a plan is allowed");
    assert_eq!(stage.run_in(PLAN, home), 0);
    stage.front.hook(|_, _| crate::stage::Then::Answer);
    assert_eq!(stage.run_in(APPLY, home), 1);
    assert!(stage.front.seen().is_empty());
    fs::remove_dir_all(stage.path(".config")).expect("removed");
    stage.compare("bad-days/credential-home.txt");
}
