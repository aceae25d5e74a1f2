//! The forms of plans and outcomes, as programs and people read them.

pub mod schema;
mod terminal;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use rolecall_server::SeedAccount;
use serde_json::Value;

use crate::stage::{ORG, Stage, Then};

pub const CI: &str = r#"
service_account "ci" {
  scope       = space.payments
  name        = "ci-payments"
  description = "Scans the builds of the payments team"
  roles       = ["agent", "viewer"]
  labels      = { team = "platform-security" }

  credential {
    deliver_to = [sink.file.local]
  }
}
"#;

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

/// The document on standard output, held against the schema.
fn document(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr);
    let document: Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}:\n{text}\n{errors}"));
    schema::check(&document);
    assert_eq!(document["exit_code"], code(output), "{document:#}");
    document
}

/// Runs the same story once for people and once for programs; gives the document.
fn both(prepare: impl Fn(&mut Stage), arguments: &[&str], expected: i32) -> Value {
    let mut shown = String::new();
    for json in [false, true] {
        let mut stage = Stage::new();
        prepare(&mut stage);
        let mut arguments = arguments.to_vec();
        if json {
            arguments.extend(["--format", "json"]);
        }
        let output = stage.command(&arguments).output().expect("runs");
        assert_eq!(code(&output), expected, "{arguments:?}: {output:?}");
        if json {
            return document(&output);
        }
        shown = String::from_utf8_lossy(&output.stdout).into_owned();
    }
    unreachable!("{shown}")
}

fn declared(stage: &mut Stage) {
    stage.configure(CI);
}

fn applied(stage: &mut Stage) {
    stage.configure(CI);
    let output = stage.command(&["apply", "--yes", "access"]).output();
    assert_eq!(code(&output.expect("runs")), 0);
}

#[test]
fn every_exit_code_is_the_same_in_both_forms() {
    let found = both(declared, &["plan", "access"], 0);
    assert_eq!(found["plan"]["summary"]["create"], 1);
    assert_eq!(found["error"], Value::Null);
    let found = both(declared, &["apply", "--yes", "access"], 0);
    assert_eq!(found["outcome"]["summary"]["done"], 1);
    assert_eq!(found["plan"]["changes"][0]["action"], "create");
    let found = both(declared, &["validate", "access"], 0);
    assert_eq!(found["plan"], Value::Null);

    let found = both(declared, &["apply", "access"], 1);
    assert_eq!(
        found["plan"]["summary"]["create"], 1,
        "the plan is there too"
    );
    assert!(
        found["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("nobody"))
    );
    let broken =
        |stage: &mut Stage| stage.configure("service_acount \"ci\" {}\nlocals {\n a = b\n}\n");
    for arguments in [&["validate", "access"], &["plan", "access"]] {
        let found = both(broken, arguments, 1);
        assert_eq!(found["error"]["message"], "the configuration has 2 errors");
        let codes: Vec<&Value> = (found["diagnostics"].as_array().expect("a list").iter())
            .map(|d| &d["code"])
            .collect();
        assert_eq!(codes, ["unknown-block", "unknown-reference"]);
        assert!(found["diagnostics"][0]["places"][0]["line"].as_u64() > Some(10));
    }
    both(declared, &["plan", "nowhere"], 1);
    both(declared, &["--chdir", "nowhere", "plan"], 1);

    both(declared, &["plan", "--detailed-exitcode", "access"], 2);
    both(applied, &["plan", "--detailed-exitcode", "access"], 0);

    let emptied = |stage: &mut Stage| {
        applied(stage);
        stage.configure("");
    };
    for command in [&["plan", "access"][..], &["apply", "--yes", "access"]] {
        let found = both(emptied, command, 3);
        assert_eq!(found["refusals"][0]["guard"], "emptied");
        assert_eq!(found["outcome"], Value::Null);
    }

    let moved = |stage: &mut Stage| {
        applied(stage);
        stage.configure(&CI.replace(r#"["agent", "viewer"]"#, r#"["agent"]"#));
        let app = Arc::clone(&stage.app);
        // Planning lists the organization and its three spaces; the fifth listing is apply's own.
        stage.front.hook(move |operation, count| {
            if operation == "serviceAccounts" && count == 5 {
                let text = app.dump().expect("a dump").to_string();
                let at = text.find("ci-payments").expect("there");
                let mrn = text[..at].rfind("//agents").map(|start| {
                    let end = text[start..].find('"').expect("closed");
                    text[start..start + end].to_owned()
                });
                let mrn = mrn.expect("an account");
                app.admin_set_roles(crate::stage::PAYMENTS, &mrn, &["editor"], Timestamp::now())
                    .expect("set");
            }
            Then::Answer
        });
    };
    let found = both(moved, &["apply", "--yes", "access"], 4);
    assert_eq!(found["outcome"]["results"][0]["result"], "stale");
    assert_eq!(found["outcome"]["written"], false);

    let in_the_way = |stage: &mut Stage| {
        stage.configure(&(CI.to_owned() + &CI.replace("\"ci", "\"other")));
        fs::create_dir_all(stage.path("access/credentials/ci.json")).expect("created");
    };
    let found = both(in_the_way, &["apply", "--yes", "access"], 1);
    assert_eq!(found["outcome"]["summary"]["failed"], 1);
    assert_eq!(found["outcome"]["summary"]["not-attempted"], 1);
    assert_eq!(found["outcome"]["written"], false);
    let lost = |stage: &mut Stage| {
        stage.configure(&(CI.to_owned() + &CI.replace("\"ci", "\"other")));
        stage.front.hook(|operation, count| {
            if operation == "createServiceAccount" && count == 1 {
                Then::Lose
            } else {
                Then::Answer
            }
        });
    };
    let found = both(lost, &["apply", "--yes", "access"], 5);
    assert_eq!(found["outcome"]["summary"]["failed"], 1);
    assert_eq!(found["outcome"]["summary"]["done"], 1);

    let found = both(declared, &["plan", "--strict", "access"], 6);
    let unmanaged = found["plan"]["annex"]["unmanaged"]
        .as_array()
        .expect("a list");
    assert_eq!(unmanaged[0]["owner"], true, "owners first");
    assert!(unmanaged.iter().any(|u| u["caller"] == true));

    for wrong in [
        &["plan", "--nope"][..],
        &["plan", "-target=x"],
        &["plan", "--var", "x", "access"],
    ] {
        let found = both(declared, wrong, 64);
        assert!(
            found["error"]["message"]
                .as_str()
                .is_some_and(|m| m.len() > 10),
            "{found}"
        );
    }
}

#[test]
fn an_interrupted_run_leaves_its_document() {
    for json in [false, true] {
        let mut stage = Stage::new();
        stage.configure(CI);
        let (arrived, wait) = mpsc::channel();
        stage.front.hook(move |operation, _| {
            if operation == "serviceAccounts" {
                let _ = arrived.send(());
                std::thread::sleep(Duration::from_secs(20));
            }
            Then::Answer
        });
        let mut arguments = vec!["plan", "--json-out", "plan.json", "access"];
        if json {
            arguments.extend(["--format", "json"]);
        }
        let child = stage.start(&arguments);
        wait.recv_timeout(Duration::from_secs(60)).expect("reading");
        let pid = child.id().to_string();
        let kill = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status();
        assert!(kill.expect("kill runs").success());
        let output = child.wait_with_output().expect("ends");
        assert_eq!(code(&output), 130);
        if json {
            document(&output);
        }
        let file = fs::read(stage.path("plan.json")).expect("written");
        let file: Value = serde_json::from_slice(&file).expect("JSON");
        schema::check(&file);
        assert_eq!(file["exit_code"], 130);
        assert_eq!(file["error"]["message"], "interrupted, nothing was written");
    }
}

#[test]
fn the_documents_of_a_plan_and_an_apply() {
    let mut stage = Stage::new();
    stage.configure(CI);
    assert_eq!(stage.run(&["plan", "--format", "json", "access"]), 0);
    assert_eq!(stage.run(&["apply", "--yes", "--format=json", "access"]), 0);
    stage.configure(&CI.replace("\"viewer\"", "\"vewer\""));
    assert_eq!(stage.run(&["validate", "-json", "access"]), 1);
    stage.compare("formats/documents.txt");
}

#[test]
fn the_file_holds_the_same_for_its_owner_alone() {
    let mut stage = Stage::new();
    stage.configure(CI);
    fs::write(stage.path("plan.json"), "of yesterday").expect("written");
    let run = |arguments: &[&str]| stage.command(arguments).output().expect("runs");
    let output = run(&["plan", "--json-out", "plan.json", "access"]);
    let human = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(human.contains("Plan: 1 to create"), "{human}");
    let path = stage.path("plan.json");
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let of_human = fs::read_to_string(&path).expect("there");
    let output = run(&[
        "plan",
        "--format",
        "json",
        "--json-out",
        "plan.json",
        "access",
    ]);
    document(&output);
    let of_json = fs::read_to_string(&path).expect("there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), of_json);
    assert_eq!(
        of_human, of_json,
        "one pass, one document, whatever else is shown"
    );
    let digest = of_json.split("sha256:").nth(1).map(|rest| &rest[..64]);
    assert!(
        human.contains(digest.expect("a digest")),
        "both name the same plan"
    );

    stage.front.hook(|_, _| Then::Answer);
    for target in ["nowhere/plan.json", "access"] {
        let output = run(&[
            "apply",
            "--yes",
            "--format=json",
            "--json-out",
            target,
            "access",
        ]);
        let found = document(&output);
        assert_eq!(code(&output), 1, "{found}");
        let message = found["error"]["message"]
            .as_str()
            .expect("an error")
            .to_owned();
        assert!(message.contains(target), "{message}");
    }
    assert!(
        stage.front.seen().is_empty(),
        "found before anything was sent"
    );
    let left: Vec<_> = fs::read_dir(stage.dir.path())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .filter(|name| name.to_string_lossy().starts_with(".rolecall"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn hostile_names_are_plain_strings_that_do_nothing() {
    let name = "::add-mask::x\n\u{1b}[31mred \u{202e}evil\u{2066} \u{9b}m ##[group] \u{2028}";
    let mut stage = Stage::new();
    stage.configure("");
    let account: SeedAccount = serde_json::from_value(serde_json::json!({
        "name": name, "description": "\r\n::error::gotcha", "roles": ["owner"],
    }))
    .expect("an account");
    stage
        .app
        .admin_create_account(ORG, &account, Timestamp::now())
        .expect("created");
    let output = stage
        .command(&["plan", "--format", "json", "access"])
        .output();
    let output = output.expect("runs");
    let found = document(&output);
    let unmanaged = found["plan"]["annex"]["unmanaged"]
        .as_array()
        .expect("a list");
    assert!(
        unmanaged.iter().any(|u| u["name"] == name),
        "comes back as it was"
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let acts = |c: char| rolecall::diag::acts(c) && c != '\n';
    assert!(!text.contains(acts) && !text.contains("##"), "{text}");
    assert!(
        text.lines()
            .all(|line| !line.trim_start().starts_with("::"))
    );
}

#[test]
fn terraforms_habits_work() {
    let mut stage = Stage::new();
    let variable = "variable \"name\" {\n  type = string\n}\n";
    stage.configure(
        &CI.replace("\"ci-payments\"", "var.name")
            .replacen('\n', variable, 1),
    );
    fs::write(stage.path("access/x.vars.hcl"), "name = \"from-file\"\n").expect("written");
    let planned = |arguments: &[&str], expected: i32| {
        let output = stage
            .command(arguments)
            .env("MONDOO_CONFIG_PATH", stage.path("owner.json"))
            .output()
            .expect("runs");
        assert_eq!(code(&output), expected, "{arguments:?}: {output:?}");
        let found = document(&output);
        found["plan"]["changes"][0]["after"]["name"].clone()
    };
    let name = planned(&["-chdir=access", "plan", "-json", "-var", "name=a"], 0);
    assert_eq!(name, "a");
    let file = "-var-file=x.vars.hcl";
    let name = planned(&["-chdir=access", "plan", "-json", "-var=name=a", file], 0);
    assert_eq!(name, "from-file", "the later one wins");
    let name = planned(&["-chdir=access", "plan", "-json", file, "-var=name=a"], 0);
    assert_eq!(name, "a");
    let exits = [
        "plan",
        "-json",
        "-detailed-exitcode",
        "-var=name=b",
        "access",
    ];
    assert_eq!(planned(&exits, 2), "b");
    let apply = [
        "apply",
        "-auto-approve",
        "-parallelism=1",
        "-json",
        "-var=name=b",
        "access",
    ];
    assert_eq!(planned(&apply, 0), "b");
    assert_eq!(planned(&exits, 0), Value::Null);
    let destroy = [
        "-chdir=access",
        "apply",
        "-destroy",
        "-auto-approve",
        "-json",
        "-var=name=b",
    ];
    planned(&destroy, 0);
    let plan = ["plan", "-out=plan.bin", "-var=name=b", "access"];
    assert_eq!(code(&stage.command(&plan).output().expect("runs")), 0);
    let apply = ["apply", "-plan=plan.bin", "-var=name=b", "access"];
    let output = stage.command(&apply).output().expect("runs");
    assert_eq!(code(&output), 64, "Terraform has no -plan");
    let plan = ["plan", "-target=service_account.ci", "access"];
    let output = stage.command(&plan).output().expect("runs");
    assert_eq!(code(&output), 64);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("`-target` is not supported by this version"),
        "{text}"
    );
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let stage = Stage::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let output = stage
            .command(&["completions", shell])
            .output()
            .expect("runs");
        assert_eq!(code(&output), 0);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for word in [
            "apply",
            "completions",
            "detailed-exitcode",
            "json-out",
            "chdir",
        ] {
            assert!(text.contains(word), "{shell} does not know {word}");
        }
    }
    let output = stage
        .command(&["man", "--out", "deep/man"])
        .output()
        .expect("runs");
    assert_eq!(code(&output), 0, "{output:?}");
    let page =
        |name: &str| fs::read_to_string(stage.path(&format!("deep/man/{name}.1"))).expect(name);
    for name in [
        "rolecall-plan",
        "rolecall-platform-serve",
        "rolecall-man",
        "rolecall-completions",
    ] {
        assert!(page(name).contains("Example"), "{name}");
    }
    let main = page("rolecall");
    for part in [
        "EXIT STATUS",
        "130",
        "A guard or a policy refuses the whole plan",
        "chdir",
    ] {
        assert!(main.contains(part), "{part}");
    }
}
