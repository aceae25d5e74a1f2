//! `check`: what drifted and by whose hand, in whole runs.

use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;
use rolecall_server::SeedAccount;
use serde_json::{Value, json};

use crate::formats::schema;
use crate::stage::{ORG, PAYMENTS, Stage, Then};

const APPLY: [&str; 3] = ["apply", "--yes", "access"];
const CHECK: [&str; 2] = ["check", "access"];

fn declared(name: &str, more: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  {more}\n\n  \
         credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
    )
}

const VIEWER: &str = r#"roles = ["viewer"]"#;

/// A small stage on which these accounts are declared and live.
fn applied(accounts: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::small();
    let text: String = accounts.iter().map(|(n, more)| declared(n, more)).collect();
    stage.configure(&text);
    let output = stage.command(&APPLY).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    stage
}

fn mrn(stage: &Stage, name: &str) -> String {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let found = accounts.iter().find(|a| a["name"] == name).expect("live");
    found["mrn"].as_str().expect("a name").to_owned()
}

/// A second pair of hands with a name of its own, whose deeds are in the audit log.
fn somebody(stage: &Stage, name: &str) {
    stage
        .app
        .admin_create_token(
            ORG,
            name,
            "the-text-of-a-token",
            &["owner"],
            Timestamp::now(),
        )
        .expect("a token");
}

fn does(stage: &Stage, query: &str, input: &Value) {
    let body = json!({ "query": query, "variables": { "input": input } }).to_string();
    let authorization = Some("Bearer the-text-of-a-token");
    let (status, answer) = stage
        .app
        .serve_bytes(authorization, body.as_bytes(), Timestamp::now());
    let answer = String::from_utf8(answer).expect("text");
    assert!(status == 200 && !answer.contains("\"message\""), "{answer}");
}

fn sets_roles(stage: &Stage, name: &str, role: &str) {
    let role = format!("//iam.api.mondoo.app/roles/{role}");
    let update = json!({ "entityMrn": mrn(stage, name), "roles": [{ "mrn": role }] });
    does(
        stage,
        "mutation($input: SetRolesInput!) { setRoles(input: $input) { errors } }",
        &json!({ "scopeMrn": PAYMENTS, "updates": [update] }),
    );
}

fn updates(stage: &Stage, name: &str, mut input: Value) {
    input["mrn"] = mrn(stage, name).into();
    does(
        stage,
        "mutation($input: UpdateServiceAccountInput!) { updateServiceAccount(input: $input) { mrn } }",
        &input,
    );
}

fn deletes(stage: &Stage, name: &str) {
    does(
        stage,
        "mutation($input: DeleteServiceAccountsInput!) { deleteServiceAccounts(input: $input) { errors } }",
        &json!({ "scopeMrn": PAYMENTS, "mrns": [mrn(stage, name)] }),
    );
}

/// What the check found, held against the schema.
fn found(stage: &Stage, more: &[&str]) -> (i32, Value) {
    let mut arguments = vec!["check", "--format", "json", "access"];
    arguments.extend(more);
    let output = stage.command(&arguments).output().expect("runs");
    let mut document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    schema::check(&document);
    let code = output.status.code().expect("ends by itself");
    assert_eq!(document["exit_code"], code);
    (code, document["check"].take())
}

fn asked(stage: &Stage, operation: &str) -> usize {
    stage
        .front
        .seen()
        .iter()
        .filter(|o| *o == operation)
        .count()
}

#[test]
fn drift_is_told_with_its_author_and_a_change_of_the_configuration_is_none() {
    let mut stage = applied(&[("ci", VIEWER), ("docs", VIEWER)]);
    assert_eq!(stage.run(&CHECK), 0);
    stage.say("eve makes ci an owner and renames docs");
    somebody(&stage, "eve");
    sets_roles(&stage, "ci", "owner");
    updates(
        &stage,
        "docs",
        json!({ "name": "docs-old", "notes": "mine now" }),
    );
    assert_eq!(stage.run(&CHECK), 6);
    stage.say("the log may not be read");
    stage.front.hook(|operation, _| match operation {
        "auditlog" => Then::Refuse(403),
        _ => Then::Answer,
    });
    assert_eq!(stage.run(&CHECK), 6);
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&APPLY), 0);
    stage.say("put right; now the configuration changes, and nobody applies it");
    let text = declared("ci", "roles = [\"viewer\", \"agent\"]")
        + &declared("docs", VIEWER)
        + &declared("new", VIEWER);
    stage.configure(&text);
    assert_eq!(stage.run(&CHECK), 2);
    assert_eq!(stage.run(&APPLY), 0);
    stage.say("somebody deletes new");
    deletes(&stage, "new");
    assert_eq!(stage.run(&CHECK), 6);
    stage.compare("check/drift.txt");
}

#[test]
fn unmanaged_unused_and_expiring_accounts_are_told() {
    let until = |days: i64| {
        let at = Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        format!(
            "{VIEWER}\n  valid_until = \"{}\"",
            at.strftime("%FT%H:%M:%SZ")
        )
    };
    let (soon, late) = (until(10), until(100));
    let mut stage = applied(&[("soon", soon.as_str()), ("late", late.as_str())]);
    let by_hand = SeedAccount {
        name: "legacy-admin".to_owned(),
        roles: vec!["owner".to_owned()],
        created_at: "2022-03-14T09:26:53Z".parse().ok(),
        last_used: "2023-11-02T17:40:11Z".parse().ok(),
        ..SeedAccount::default()
    };
    let account = stage
        .app
        .admin_create_account(PAYMENTS, &by_hand, Timestamp::now());
    account.expect("created");
    assert_eq!(stage.run(&["check", "--unused", "90d", "access"]), 6);
    assert_eq!(stage.run(&["check", "--allow-unmanaged", "access"]), 0);
    let (_, check) = found(&stage, &["--unused", "90d"]);
    assert_eq!(check["unmanaged"].as_array().map(Vec::len), Some(1));
    assert_eq!(check["unused"][0]["name"], "legacy-admin");
    assert_eq!(check["unused"][0]["counted_from"], "used");
    assert_eq!(check["expiring"].as_array().map(Vec::len), Some(1));
    let (_, check) = found(&stage, &["--expiring", "200d"]);
    assert_eq!(check["expiring"].as_array().map(Vec::len), Some(2));
    assert_eq!(check["unused"], Value::Null, "nobody asked");
    stage.say("20 days later, by the platform's clock");
    stage.front.date(20 * 24 * 60);
    assert_eq!(stage.run(&["check", "--allow-unmanaged", "access"]), 6);
    assert_eq!(stage.run(&["check", "--unused", "soon", "access"]), 64);
    stage.compare("check/unmanaged.txt");
}

#[test]
fn what_was_not_read_is_never_clean() {
    let mut stage = applied(&[("ci", VIEWER)]);
    assert_eq!(found(&stage, &[]).0, 0);
    stage.front.deny_listings(&[PAYMENTS]);
    assert_eq!(stage.run(&CHECK), 1);
    let (code, check) = found(&stage, &["--allow-unmanaged"]);
    assert_eq!(code, 1);
    assert_eq!(check["unread"].as_array().map(Vec::len), Some(1));
    stage.compare("check/unread.txt");
    // What was found elsewhere goes first.
    let by_hand = SeedAccount {
        name: "by-hand".to_owned(),
        ..SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(ORG, &by_hand, Timestamp::now());
    made.expect("created");
    assert_eq!(found(&stage, &[]).0, 6);
    assert_eq!(found(&stage, &["--allow-unmanaged"]).0, 1);
}

#[test]
fn an_interrupted_check_says_so_in_its_document() {
    let stage = applied(&[("ci", VIEWER)]);
    let (arrived, wait) = mpsc::channel();
    stage.front.hook(move |operation, _| {
        if operation == "serviceAccounts" {
            let _ = arrived.send(());
            std::thread::sleep(Duration::from_secs(20));
        }
        Then::Answer
    });
    let child = stage.start(&["check", "--format", "json", "access"]);
    wait.recv_timeout(Duration::from_secs(60)).expect("reading");
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.expect("kill runs").success());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(130));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    schema::check(&document);
    assert_eq!(
        (&document["check"], &document["exit_code"]),
        (&Value::Null, &130.into())
    );
}

#[test]
fn only_what_differs_is_asked_about_and_nothing_is_written() {
    let stage = applied(&[("a", VIEWER), ("b", VIEWER), ("c", VIEWER)]);
    let before = stage.app.dump().expect("a dump");
    stage.front.hook(|_, _| Then::Answer);
    found(&stage, &[]);
    assert_eq!(asked(&stage, "auditlog"), 0);
    somebody(&stage, "eve");
    sets_roles(&stage, "b", "editor");
    stage.front.hook(|_, _| Then::Answer);
    let (code, check) = found(&stage, &[]);
    assert_eq!((code, asked(&stage, "auditlog")), (6, 1));
    let drift = &check["drift"][0];
    assert_eq!(drift["address"], "service_account.b");
    assert_eq!(drift["differs"], json!(["roles"]));
    assert_eq!(drift["live"]["roles"], json!(["editor"]));
    assert_eq!(drift["declared"]["roles"], json!(["viewer"]));
    assert_eq!(drift["last_write"]["name"], "eve");
    assert_eq!(
        drift["last_write"]["action"],
        "mondoo.captain.Captain.SetSpaceMembership"
    );
    let writes = ["createServiceAccount", "updateServiceAccount", "setRoles"];
    for operation in writes.into_iter().chain(["deleteServiceAccounts"]) {
        assert_eq!(asked(&stage, operation), 0, "{operation}");
    }
    let count = |dump: &Value| dump["accounts"].as_array().map(Vec::len);
    let after = stage.app.dump().expect("a dump");
    assert_eq!(count(&before), count(&after));
}

#[test]
fn the_document_of_a_check() {
    let mut stage = applied(&[("ci", VIEWER)]);
    somebody(&stage, "eve");
    sets_roles(&stage, "ci", "owner");
    let arguments = ["check", "--unused", "90d", "--format", "json", "access"];
    assert_eq!(stage.run(&arguments), 6);
    stage.compare("check/document.txt");
}

#[test]
fn marks_that_are_lost_or_disputed_need_a_person() {
    let mut stage = applied(&[("ci", VIEWER), ("docs", VIEWER)]);
    somebody(&stage, "eve");
    stage.say("eve takes the marks off ci, and moves those of docs to another generation");
    updates(&stage, "ci", json!({ "labels": [] }));
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let docs = accounts.iter().find(|a| a["name"] == "docs").expect("live");
    let labels: Vec<Value> = docs["labels"]
        .as_array()
        .expect("labels")
        .iter()
        .map(|label| match label["key"].as_str() {
            Some("rolecall-mark") => {
                let value = label["value"]
                    .as_str()
                    .expect("a text")
                    .replace(".g1.", ".g2.");
                json!({"key": "rolecall-mark", "value": value})
            }
            _ => json!({"key": label["key"], "value": label["value"]}),
        })
        .collect();
    updates(&stage, "docs", json!({ "labels": labels }));
    assert_eq!(stage.run(&CHECK), 6);
    let (_, check) = found(&stage, &[]);
    assert_eq!(check["drift"], json!([]));
    let kinds: Vec<&Value> = check["needs_person"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|found| &found["blocked"]["block"]["kind"])
        .collect();
    assert_eq!(kinds, ["name-taken", "disputed"]);
    stage.say("all seals are of another key than the configuration's");
    let path = stage.path("access/main.hcl");
    let text = std::fs::read_to_string(&path).expect("there");
    // The public key of the first test vector of RFC 8032.
    let key = "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let text = text.replacen(crate::stage::SEAL_PUBLIC, key, 1);
    std::fs::write(path, text).expect("written");
    let other = |c: &mut Command| {
        c.env_remove("ROLECALL_SEAL_KEY");
    };
    stage.front.date(60);
    let arguments = ["check", "--allow-unmanaged", "--unused", "1m", "access"];
    assert_eq!(stage.run_in(&arguments, other), 6);
    stage.compare("check/marks.txt");
}

/// No apply ever deletes it, so a nightly job must not be told to wait for one.
#[test]
fn a_protected_account_that_is_declared_no_longer_needs_a_person() {
    let protected = format!("{VIEWER}\n\n  lifecycle {{\n    prevent_destroy = true\n  }}");
    let mut stage = applied(&[("ci", VIEWER), ("keep", &protected)]);
    stage.configure(&declared("ci", VIEWER));
    assert_eq!(stage.run(&CHECK), 6);
    let (_, check) = found(&stage, &[]);
    let found = &check["needs_person"][0];
    assert_eq!(
        (&found["cause"], &found["last_write"]),
        (&json!("own"), &Value::Null)
    );
    assert_eq!(found["blocked"]["block"]["kind"], "protected");
    stage.compare("check/protected.txt");
}

#[test]
fn a_hostile_log_is_shown_and_does_nothing() {
    let mut stage = applied(&[("ci", VIEWER)]);
    let name = "::error::x\n\u{1b}[31mred \u{202e}evil ##[group]";
    somebody(&stage, name);
    sets_roles(&stage, "ci", "owner");
    stage.front.hook(|operation, _| match operation {
        "auditlog" => Then::Change(Box::new(|answer| {
            let node = &mut answer["data"]["auditlog"]["edges"][0]["node"];
            node["action"] = "a.b.\u{1b}]0;x\u{7}::add-mask::y".into();
        })),
        _ => Then::Answer,
    });
    assert_eq!(stage.run(&CHECK), 6);
    let (_, check) = found(&stage, &[]);
    assert_eq!(check["drift"][0]["last_write"]["name"], name);
    stage.compare("check/hostile.txt");
}

#[test]
fn a_log_that_lies_about_its_order_or_never_ends_is_not_believed() {
    let stage = applied(&[("ci", VIEWER)]);
    somebody(&stage, "eve");
    sets_roles(&stage, "ci", "owner");
    let cause = |change: fn(&mut Value)| {
        stage.front.hook(move |operation, _| match operation {
            "auditlog" => Then::Change(Box::new(change)),
            _ => Then::Answer,
        });
        let (code, check) = found(&stage, &[]);
        assert_eq!(code, 6);
        check["drift"][0]["cause"]
            .as_str()
            .expect("text")
            .to_owned()
    };
    assert_eq!(cause(|_| {}), "drift");
    assert_eq!(
        cause(|answer| {
            let edges = answer["data"]["auditlog"]["edges"].as_array_mut();
            let edges = edges.expect("lines");
            edges[0]["node"]["timestamp"] = "2020-01-01T00:00:00Z".into();
        }),
        "unknown"
    );
    assert_eq!(
        cause(|answer| {
            answer["data"]["auditlog"] =
                json!({"edges": [], "pageInfo": {"hasNextPage": true, "endCursor": "1"}});
        }),
        "unknown"
    );
    // Ten pages of the account's log, and as many of its scope's.
    assert_eq!(asked(&stage, "auditlog"), 20);
    assert_eq!(
        cause(|answer| answer["data"]["auditlog"] = Value::Null),
        "unknown"
    );
}

/// Only this flag looks into a destination, and it writes nothing.
#[test]
fn keys_that_are_lost_or_anothers_are_found_where_one_looks() {
    let stage = applied(&[("ci", VIEWER), ("other", VIEWER)]);
    let code = |arguments: &[&str]| {
        let output = stage.command(arguments).output().expect("runs");
        (
            output.status.code(),
            String::from_utf8(output.stdout).expect("text"),
        )
    };
    let with = ["check", "--sinks", "--allow-unmanaged", "access"];
    let without = ["check", "--allow-unmanaged", "access"];
    let (exit, text) = code(&with);
    assert_eq!(exit, Some(0), "{text}");
    let file = |name: &str| stage.path(&format!("access/credentials/{name}.json"));
    std::fs::copy(file("other"), file("ci")).expect("copied");
    std::fs::remove_file(file("other")).expect("removed");
    assert_eq!(code(&without).0, Some(0));
    assert_eq!(
        code(&["plan", "--strict", "--detailed-exitcode", "access"]).0,
        Some(0),
        "a plan reads no sink"
    );
    let (exit, text) = code(&with);
    assert_eq!(exit, Some(6), "{text}");
    let (foreign, lost) = text.split_once("service_account.other").expect("both");
    assert!(
        foreign.contains(&format!("the key of {} is there", mrn(&stage, "other"))),
        "{text}"
    );
    assert!(lost.contains("nothing is there"), "{text}");
    let json = [
        "check",
        "--sinks",
        "--allow-unmanaged",
        "--format",
        "json",
        "access",
    ];
    let (_, text) = code(&json);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    schema::check(&document);
    let found: Vec<&Value> = document["check"]["places"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["found"])
        .collect();
    assert_eq!(found, ["foreign", "lost"]);
}
