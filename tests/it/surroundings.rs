//! What a plan tells of a platform that cleans up by itself, and of other stacks in the same scopes.

use jiff::Timestamp;
use rolecall_server::SeedAccount;
use serde_json::{Value, json};

use crate::formats::schema;
use crate::stage::{PAYMENTS, Stage, Then};

const APPLY: [&str; 3] = ["apply", "--yes", "access"];
const PLAN: [&str; 3] = ["plan", "--detailed-exitcode", "access"];

fn declared(name: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
         [\"viewer\"]\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
    )
}

/// Sets what the space does with accounts that nobody uses, as a person does over the API.
fn cleans_up(stage: &Stage, cleanup: bool) {
    let token = format!("the-text-of-a-token-{cleanup}");
    let org = crate::stage::ORG;
    let made = stage
        .app
        .admin_create_token(org, "ada", &token, &["owner"], Timestamp::now());
    made.expect("a token");
    let settings = json!({ "unusedServiceAccountsConfiguration": { "cleanup": cleanup } });
    let body = json!({
        "query": "mutation($input: UpdateSpaceInput!) { updateSpace(input: $input) { space { mrn } } }",
        "variables": { "input": { "mrn": PAYMENTS, "name": "payments", "settings": settings } },
    });
    let (status, answer) = stage.app.serve_bytes(
        Some(&format!("Bearer {token}")),
        body.to_string().as_bytes(),
        Timestamp::now(),
    );
    let answer = String::from_utf8(answer).expect("text");
    assert!(status == 200 && !answer.contains("\"message\""), "{answer}");
}

/// The exit code and the document of a run, held against the schema.
fn document(stage: &Stage, command: &str) -> (i32, Value) {
    let arguments = [command, "--format", "json", "access"];
    let output = stage.command(&arguments).output().expect("runs");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    schema::check(&document);
    (output.status.code().expect("ends by itself"), document)
}

fn settings_asked(stage: &Stage) -> usize {
    // A space is read on its own only for its settings: its organization lists the rest.
    let seen = stage.front.seen();
    seen.iter()
        .filter(|operation| *operation == "space")
        .count()
}

#[test]
fn a_platform_that_removes_unused_accounts_is_told_of_in_time() {
    let mut stage = Stage::small();
    stage.configure(&declared("ci"));
    cleans_up(&stage, true);
    assert_eq!(stage.run(&APPLY), 0);
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&PLAN), 0);
    assert_eq!(settings_asked(&stage), 0, "nothing is near its end");
    stage.say("20 days later, by the platform's clock");
    stage.front.date(20 * 24 * 60);
    assert_eq!(stage.run(&PLAN), 0);
    assert_eq!(stage.run(&["check", "access"]), 0);
    let (_, plan) = document(&stage, "plan");
    assert_eq!(
        plan["plan"]["annex"]["advice"].as_array().map(Vec::len),
        Some(1)
    );
    let (_, check) = document(&stage, "check");
    assert_eq!(check["check"]["clean_up"], plan["plan"]["annex"]["advice"]);
    stage.say("somebody switches that off");
    cleans_up(&stage, false);
    assert_eq!(stage.run(&PLAN), 0);
    stage.compare("surroundings/clean-up.txt");
}

#[test]
fn settings_that_cannot_be_read_change_nothing_but_a_line() {
    let mut stage = Stage::small();
    stage.configure(&declared("ci"));
    cleans_up(&stage, true);
    let (code, told) = document(&stage, "plan");
    let advice = |document: &Value| document["plan"]["annex"]["advice"].clone();
    let without = |failing: fn() -> Then| {
        stage.front.hook(move |operation, _| match operation {
            "space" => failing(),
            _ => Then::Answer,
        });
        let (failed, document) = document(&stage, "plan");
        assert_eq!(failed, code);
        assert_eq!(document["plan"]["digest"], told["plan"]["digest"]);
        assert_eq!(document["warnings"], told["warnings"]);
        let said = advice(&document);
        let said = said.as_array().expect("a list");
        assert_eq!(said.len(), 1, "{said:?}");
        let said = said[0].as_str().expect("text").to_owned();
        assert!(said.starts_with("not verified whether space"), "{said}");
        said
    };
    assert!(without(|| Then::Refuse(403)).contains("403"));
    assert!(without(|| Then::Refuse(400)).contains("400"));
    let silent = || Then::Change(Box::new(|answer| answer["data"]["space"] = Value::Null));
    assert!(without(silent).ends_with("the platform does not tell"));
    let odd = || Then::Change(Box::new(|answer| answer["data"]["space"] = json!(7)));
    assert!(without(odd).contains("schema"));
    let errors = || {
        Then::Change(Box::new(|answer| {
            *answer = json!({ "data": null, "errors": [{ "message": "no such field" }] });
        }))
    };
    assert!(without(errors).contains("no such field"));
    stage.front.hook(|operation, _| match operation {
        "space" => Then::Refuse(403),
        _ => Then::Answer,
    });
    assert_eq!(stage.run(&APPLY), 0);
    stage.compare("surroundings/not-verified.txt");
}

/// An account of another stack.
fn foreign(stage: &Stage, stack: &str, name: &str) {
    let labels = [
        ("rolecall-stack", stack),
        ("rolecall-address", name),
        ("rolecall-mark", "v1.0-1-0.g1.p0d0r0.e-.t-"),
        ("rolecall-written", "-.-"),
        ("rolecall-credential", "external"),
    ];
    let seed = SeedAccount {
        name: name.to_owned(),
        roles: vec!["viewer".to_owned()],
        labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(PAYMENTS, &seed, Timestamp::now());
    made.expect("made");
}

#[test]
fn other_stacks_in_the_same_scope_are_told_of() {
    let mut stage = Stage::small();
    stage.configure("");
    foreign(&stage, "scanners.bbbb2222", "east");
    foreign(&stage, "scanners.bbbb2222", "west");
    assert_eq!(stage.run(&PLAN), 0);
    stage.say("somebody copied this configuration, or changed its id");
    foreign(&stage, "acme-access.cccc3333", "ci");
    assert_eq!(stage.run(&PLAN), 0);
    stage.compare("surroundings/stacks.txt");
}
