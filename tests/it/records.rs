//! Records of applies: written however a run ends, linked, and checked by `verify`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use jiff::Timestamp;
use rolecall::record::{digest, read};
use serde_json::Value;

use crate::formats::schema;
use crate::stage::{PAYMENTS, Stage, Then, answer};

fn declared(accounts: &[(&str, &str)]) -> String {
    let block = |(name, roles): &(&str, &str)| {
        format!(
            "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  \
             roles = {roles}\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
        )
    };
    accounts.iter().map(block).collect()
}

const CI: (&str, &str) = ("ci", "[\"viewer\"]");
const APPLY: [&str; 5] = ["apply", "--yes", "--record", "record.json", "access"];

fn stage() -> Stage {
    let mut stage = Stage::small();
    stage.configure(&declared(&[CI]));
    stage
}

/// The record, which must be as it was written.
fn record(stage: &Stage, name: &str) -> Value {
    let bytes = fs::read(stage.path(name)).expect("a record");
    read(&bytes).expect("whole");
    let record = serde_json::from_slice(&bytes).expect("JSON");
    schema::check_record(&record);
    record
}

fn file_digest(stage: &Stage, name: &str) -> String {
    digest(&fs::read(stage.path(name)).expect("a record"))
}

fn results(record: &Value) -> Vec<&str> {
    let changes = record["changes"].as_array().expect("changes");
    changes
        .iter()
        .map(|change| change["result"].as_str().expect("a word"))
        .collect()
}

#[test]
fn records_are_linked_and_verified() {
    let mut stage = stage();
    fs::create_dir(stage.path("records")).expect("created");
    let apply = ["apply", "--yes", "access", "--record"];
    let first = [&apply[..], &["records/1.json"]].concat();
    assert_eq!(stage.run(&first), 0);
    let mode = fs::metadata(stage.path("records/1.json")).expect("there");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    stage.say(&format!(
        "records/1.json\n\n{}",
        fs::read_to_string(stage.path("records/1.json")).expect("text")
    ));
    stage.configure(&declared(&[
        ("ci", "[\"agent\"]"),
        ("docs", "[\"viewer\"]"),
    ]));
    let second = [
        &apply[..],
        &["records/2.json", "--previous", "records/1.json"],
    ]
    .concat();
    assert_eq!(stage.run(&second), 0);
    let found = record(&stage, "records/2.json");
    assert_eq!(found["previous"], file_digest(&stage, "records/1.json"));
    assert_eq!(results(&found), ["done", "done"]);
    let ci = &found["changes"][1];
    assert_eq!(ci["roles"]["before"], serde_json::json!(["viewer"]));
    assert_eq!(ci["roles"]["after"], serde_json::json!(["agent"]));
    let third = [
        &apply[..],
        &["records/3.json", "--previous", "records/2.json"],
    ]
    .concat();
    stage.say("nothing to do is recorded too");
    assert_eq!(stage.run(&third), 0);
    let found = record(&stage, "records/3.json");
    assert_eq!(found["changes"], serde_json::json!([]));
    assert_eq!(found["written"], false);

    let head = file_digest(&stage, "records/3.json");
    let all = ["records/1.json", "records/2.json", "records/3.json"];
    let verify = |files: &[&'static str]| -> Vec<String> {
        let mut arguments = vec!["verify".to_owned(), "--head".to_owned(), head.clone()];
        arguments.extend(files.iter().map(|file| (*file).to_owned()));
        arguments
    };
    let mut run = |files: &[&'static str]| {
        let arguments = verify(files);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        stage.run(&arguments)
    };
    assert_eq!(run(&all), 0);
    assert_eq!(run(&all[1..]), 3);
    assert_eq!(run(&[all[0], all[2]]), 3);
    assert_eq!(run(&all[..2]), 3);
    assert_eq!(run(&[all[1], all[0], all[2]]), 3);
    assert_eq!(run(&["records/1.json", "access/main.hcl"]), 3);
    assert_eq!(run(&["records/4.json"]), 1);
    stage.say("somebody makes the second record nicer");
    let text = fs::read_to_string(stage.path("records/2.json")).expect("text");
    let nicer = text.replace("\"agent\"", "\"viewer\"");
    assert_ne!(text, nicer);
    fs::write(stage.path("records/2.json"), nicer).expect("written");
    let arguments = verify(&all);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(stage.run(&arguments), 3);
    let next = [
        &apply[..],
        &["records/4.json", "--previous", "records/2.json"],
    ]
    .concat();
    assert_eq!(stage.run(&next), 1);
    assert_eq!(
        stage.run(&["verify", "--head", "abc", "records/1.json"]),
        64
    );
    assert_eq!(stage.run(&["verify", "--head", &head]), 64);
    stage.compare("records/chain.txt");
}

#[test]
fn every_end_after_the_login_leaves_a_record() {
    let end = |stage: &mut Stage, code: i32, results_are: &[&str]| -> Value {
        let output = stage.command(&APPLY).output().expect("runs");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let found = record(stage, "record.json");
        assert_eq!(found["exit_code"], code);
        assert_eq!(results(&found), results_are, "{found:#}");
        fs::remove_file(stage.path("record.json")).expect("removed");
        found
    };
    // Refused by a guard.
    let mut emptied = stage();
    end(&mut emptied, 0, &["done"]);
    emptied.configure("");
    let found = end(&mut emptied, 3, &["not-attempted"]);
    assert_eq!(found["refused_by"], serde_json::json!(["emptied"]));
    assert_eq!(found["written"], false);

    // Something moved between plan and writes.
    let mut moved = stage();
    end(&mut moved, 0, &["done"]);
    moved.configure(&declared(&[("ci", "[\"agent\"]")]));
    let app = std::sync::Arc::clone(&moved.app);
    let dump = app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let ci = accounts.iter().find(|a| a["name"] == "ci").expect("live");
    let mrn = ci["mrn"].as_str().expect("a name").to_owned();
    moved.front.hook(move |operation, count| {
        // The organization and its space are listed for the plan; the third listing is apply's.
        if operation == "serviceAccounts" && count == 3 {
            app.admin_set_roles(PAYMENTS, &mrn, &["owner"], Timestamp::now())
                .expect("set");
        }
        Then::Answer
    });
    let found = end(&mut moved, 4, &["stale"]);
    assert_eq!(found["written"], false);

    // In part.
    let mut partial = Stage::small();
    partial.configure(&declared(&[("a", "[\"viewer\"]"), ("b", "[\"viewer\"]")]));
    partial
        .front
        .hook(|operation, count| match (operation, count) {
            ("createServiceAccount", 1) => Then::Lose,
            _ => Then::Answer,
        });
    let found = end(&mut partial, 5, &["failed", "done"]);
    assert_eq!(found["written"], true);
    let (a, b) = (&found["changes"][0], &found["changes"][1]);
    assert_ne!(a["detail"], "");
    assert_eq!(
        b["delivered_to"][0],
        "sink.file.local at credentials/b.json"
    );
    assert!(
        b["account"]
            .as_str()
            .is_some_and(|mrn| mrn.contains("serviceaccounts"))
    );
    assert!(b["started"].as_str() <= b["finished"].as_str());
    assert_eq!(b["roles"]["before"], Value::Null);

    // An answer that got lost.
    let mut lost = stage();
    lost.front.hook(|operation, _| match operation {
        "createServiceAccount" => Then::Lose,
        _ => Then::Answer,
    });
    let found = end(&mut lost, 5, &["failed"]);
    assert_eq!(found["written"], true);

    // An error between the login and the plan.
    let mut broken = stage();
    broken
        .front
        .hook(|operation, count| match (operation, count) {
            ("viewer", 2..) => Then::Refuse(401),
            _ => Then::Answer,
        });
    let found = end(&mut broken, 1, &[]);
    assert_eq!(found["plan"], Value::Null);
    assert!(found["error"].is_string());
    assert_eq!(found["started"]["clock"], "platform");
}

#[test]
fn what_was_reviewed_allowed_and_left_out_stands_in_the_record() {
    let mut stage = Stage::small();
    let both = |roles: &str| declared(&[("one", roles), ("two", roles)]);
    stage.configure(&both("[\"viewer\"]"));
    let run = |stage: &Stage, arguments: &[&str]| {
        let output = stage.command(arguments).output().expect("runs");
        (
            output.status.code(),
            String::from_utf8(output.stdout).expect("text"),
        )
    };
    assert_eq!(run(&stage, &["apply", "--yes", "access"]).0, Some(0));
    stage.configure(&both("[\"agent\"]"));
    assert_eq!(
        run(&stage, &["plan", "--out", "plan.json", "access"]).0,
        Some(0)
    );
    let plan: Value =
        serde_json::from_slice(&fs::read(stage.path("plan.json")).expect("there")).expect("JSON");
    let app = std::sync::Arc::clone(&stage.app);
    let dump = app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let one = accounts.iter().find(|a| a["name"] == "one").expect("live");
    let mrn = one["mrn"].as_str().expect("a name");
    app.admin_set_roles(PAYMENTS, mrn, &["editor"], Timestamp::now())
        .expect("set");
    let skip = ["apply", "--plan", "plan.json", "--stale=skip", "access"];
    for (name, code, results_are, moved) in [("1.json", 5, &["done"][..], 1), ("2.json", 4, &[], 1)]
    {
        let arguments = [&skip[..], &["--record", name, "--json-out", "out.json"]].concat();
        let (ended, said) = run(&stage, &arguments);
        assert_eq!(ended, Some(code));
        assert_eq!(
            said.contains("Applied in part: 1 done, 1 left out as stale."),
            code == 5,
            "{said}"
        );
        let found = record(&stage, name);
        assert_eq!(results(&found), results_are, "{found:#}");
        assert_eq!(found["reviewed"], plan["digest"]);
        assert_ne!(found["reviewed"], found["plan"]);
        let left_out = found["left_out"].as_array().expect("a list");
        assert_eq!(left_out.len(), moved, "{found:#}");
        assert_eq!(left_out[0]["address"], "service_account.one");
        assert!(
            left_out[0]["what"]
                .as_str()
                .expect("text")
                .contains("[editor]"),
            "{found:#}"
        );
        let error = "what moved since the plan was reviewed was left out";
        assert_eq!(found["error"], error);
        let document = document(&stage);
        assert_eq!(document["error"]["message"], error);
        let help = document["error"]["help"].as_array().expect("lines");
        assert_eq!(help.len(), moved, "{document:#}");
    }
}

#[test]
fn what_the_command_line_allowed_stands_in_the_record_and_no_run_is_another() {
    let stage = stage();
    let ack = [
        "apply",
        "--yes",
        "--accept-unsealed",
        "--take-over",
        "old/aaaaaaaa",
        "access",
    ];
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let digest = digest.as_str();
    let raise = format!("raise={digest}");
    let ack = [&ack[..], &["--ack", &raise, "--digest"]].concat();
    let mut runs = Vec::new();
    for name in ["1.json", "2.json"] {
        let arguments = [&ack[..], &[digest, "--record", name]].concat();
        let output = stage.command(&arguments).output().expect("runs");
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let found = record(&stage, name);
        let options = serde_json::json!({
            "destroy": false,
            "acks": [raise],
            "take_over": ["old/aaaaaaaa"],
            "accept_unsealed": true,
        });
        assert_eq!(found["options"], options);
        assert_eq!(found["reviewed"], digest);
        runs.push(found["run"].clone());
    }
    assert_ne!(runs[0], runs[1]);
    let destroy = [
        "apply",
        "--yes",
        "--destroy",
        "--record",
        "3.json",
        "access",
    ];
    let output = stage.command(&destroy).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = record(&stage, "3.json");
    assert_eq!(found["options"]["destroy"], true);
    assert_eq!(found["reviewed"], Value::Null);
    assert_eq!(found["left_out"], serde_json::json!([]));
}

#[test]
fn nobody_said_yes() {
    let stage = stage();
    let arguments = ["apply", "--record", "record.json", "access"];
    let output = stage.command(&arguments).output().expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let found = record(&stage, "record.json");
    assert_eq!(
        (&found["exit_code"], &found["written"]),
        (&1.into(), &false.into())
    );
    assert_eq!(results(&found), ["not-attempted"]);
}

#[test]
fn a_record_that_could_not_be_written_stops_the_run_before_it_begins() {
    let mut stage = stage();
    fs::write(stage.path("taken.json"), "precious").expect("written");
    stage.front.hook(|_, _| Then::Answer);
    let run =
        |stage: &mut Stage, path: &str| stage.run(&["apply", "--yes", "--record", path, "access"]);
    assert_eq!(run(&mut stage, "no/such/record.json"), 1);
    assert_eq!(run(&mut stage, "taken.json"), 1);
    assert_eq!(run(&mut stage, "access"), 1);
    assert_eq!(
        stage.run(&["apply", "--yes", "--previous", "taken.json", "access"]),
        64
    );
    let with = |previous: &'static str| {
        [
            "apply",
            "--yes",
            "--record",
            "record.json",
            "--previous",
            previous,
            "access",
        ]
    };
    assert_eq!(stage.run(&with("taken.json")), 1);
    assert_eq!(stage.run(&with("missing.json")), 1);
    assert!(stage.front.seen().is_empty(), "not one request was sent");
    let taken = fs::read_to_string(stage.path("taken.json")).expect("there");
    assert_eq!(taken, "precious");

    stage.say("a record of another stack");
    assert_eq!(run(&mut stage, "first.json"), 0);
    let other = fs::read_to_string(stage.path("access/main.hcl")).expect("text");
    let other = other.replace("acme-access", "other-access");
    fs::write(stage.path("access/main.hcl"), other).expect("written");
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&with("first.json")), 1);
    assert!(stage.front.seen().is_empty(), "not one request was sent");
    assert!(!stage.path("record.json").exists());

    stage.say("no login, no record");
    stage.front.hook(|_, _| Then::Refuse(401));
    assert_eq!(stage.run(&APPLY), 1);
    assert!(!stage.path("record.json").exists());
    stage.compare("records/refused.txt");
}

#[test]
fn a_record_that_cannot_be_written_at_the_end_goes_to_standard_error() {
    for (operation, code) in [("setRoles", 5), ("serviceAccounts", 1)] {
        let stage = stage();
        fs::create_dir(stage.path("records")).expect("created");
        let folder: PathBuf = stage.path("records");
        // A run that has nothing to do would end with 0.
        if code == 1 {
            let settled = stage.command(&["apply", "--yes", "access"]).output();
            assert!(settled.expect("runs").status.success());
        }
        let mut gone = false;
        stage.front.hook(move |seen, _| {
            if !gone && seen == operation {
                gone = true;
                fs::remove_dir(&folder).expect("it is empty");
            }
            Then::Answer
        });
        let arguments = ["apply", "--yes", "--record", "records/1.json", "access"];
        let output = stage.command(&arguments).output().expect("runs");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let text = String::from_utf8(output.stderr).expect("text");
        let start = text.find("{\n").expect("the record");
        read(&text.as_bytes()[start..]).expect("whole, as it stands there");
        assert!(
            text.contains("error: cannot write records/1.json"),
            "{text}"
        );
    }
}

/// The document of `--json-out`.
fn document(stage: &Stage) -> Value {
    let bytes = fs::read(stage.path("out.json")).expect("a document");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn a_result_that_nobody_could_read_stands_in_the_record_too() {
    for form in [&[][..], &["--format", "json"]] {
        let stage = stage();
        let arguments = [&APPLY[..], &["--json-out", "out.json"], form].concat();
        let mut command = stage.command(&arguments);
        command.stdout(
            fs::File::options()
                .write(true)
                .open("/dev/full")
                .expect("opened"),
        );
        let output = command.stderr(Stdio::piped()).output().expect("runs");
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        let found = record(&stage, "record.json");
        assert_eq!(found["exit_code"], 5);
        assert_eq!(found["exit"], "partial");
        assert_eq!(document(&stage)["exit_code"], 5, "{form:?}");
        assert_eq!(results(&found), ["done"]);
        let error = found["error"].as_str().expect("an error");
        assert!(error.contains("standard output"), "{error}");
    }
}

#[test]
fn a_record_that_is_lost_counts_in_the_document_of_a_file() {
    let stage = stage();
    fs::create_dir(stage.path("records")).expect("created");
    let folder = stage.path("records");
    stage.front.hook(move |operation, _| {
        if operation == "setRoles" {
            fs::remove_dir(&folder).expect("it is empty");
        }
        Then::Answer
    });
    let arguments = [
        "apply",
        "--yes",
        "--record",
        "records/1.json",
        "--json-out",
        "out.json",
        "access",
    ];
    let output = stage.command(&arguments).output().expect("runs");
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let document = document(&stage);
    assert_eq!(document["exit_code"], 5);
    let error = document["error"]["message"].as_str().expect("an error");
    assert!(error.contains("cannot write records/1.json"), "{error}");
}

#[test]
fn a_file_that_came_into_the_place_of_the_record_is_not_replaced() {
    let stage = stage();
    let path = stage.path("record.json");
    stage.front.hook(move |operation, _| {
        if operation == "setRoles" {
            fs::write(&path, "another run's").expect("written");
        }
        Then::Answer
    });
    let output = stage.command(&APPLY).output().expect("runs");
    assert_eq!(output.status.code(), Some(5));
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.contains("another run has put a file there"), "{text}");
    let there = fs::read_to_string(stage.path("record.json")).expect("there");
    assert_eq!(there, "another run's");
}

#[test]
fn without_the_platforms_clock_the_machines_is_taken_and_said_so() {
    let stage = stage();
    let owner = fs::read(stage.path("owner.json")).expect("the credential");
    let owner: Value = serde_json::from_slice(&owner).expect("JSON");
    let viewer = serde_json::json!({"data": {"viewer": {"mrn": owner["mrn"]}}}).to_string();
    stage
        .front
        .hook(move |operation, count| match (operation, count) {
            ("viewer", 1) => Then::Send(answer(200, &[], &viewer)),
            _ => Then::Answer,
        });
    let output = stage.command(&APPLY).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = record(&stage, "record.json");
    assert_eq!(found["started"]["clock"], "local");
    assert_eq!(found["finished"]["clock"], "local");
}

#[test]
fn times_are_the_platforms() {
    let stage = stage();
    stage.front.date(3 * 24 * 60);
    let output = stage.command(&APPLY).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found = record(&stage, "record.json");
    let time = |value: &Value| -> Timestamp {
        let text = value.as_str().expect("a time");
        text.parse().expect("RFC 3339")
    };
    let soon = Timestamp::now() + jiff::SignedDuration::from_hours(2 * 24);
    let change = &found["changes"][0];
    for value in [
        &found["started"]["at"],
        &found["finished"]["at"],
        &change["started"],
        &change["finished"],
    ] {
        assert!(time(value) > soon, "{found:#}");
    }
}

#[test]
fn foreign_text_in_a_record_does_nothing_and_comes_back() {
    let mut stage = stage();
    let evil = "\u{1b}[31mred \u{202e}##[group]";
    stage.configure(&declared(&[CI]).replace("\"ci\" {", "\"ci\" {\n  for_each = toset([var.k])"));
    let main = fs::read_to_string(stage.path("access/main.hcl")).expect("text");
    fs::write(
        stage.path("access/main.hcl"),
        format!("{main}\nvariable \"k\" {{ type = string }}\n"),
    )
    .expect("written");
    let variable = format!("k={evil}");
    let arguments = [
        "apply",
        "--yes",
        "--var",
        &variable,
        "--record",
        "record.json",
        "access",
    ];
    let output = stage.command(&arguments).output().expect("runs");
    assert!(stage.path("record.json").exists(), "{output:?}");
    let text = fs::read_to_string(stage.path("record.json")).expect("text");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("##"));
    let found = record(&stage, "record.json");
    let address = found["changes"][0]["address"].as_str().expect("an address");
    assert!(address.contains("##[group]"), "{address}");
}
