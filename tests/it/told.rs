//! What is accepted and changes nothing says so; what would replace everything is refused; what is shown
//! of an account is true.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use rolecall_server::SeedAccount;

use crate::stage::{PAYMENTS, Stage};

const APPLY: [&str; 3] = ["apply", "--yes", "access"];
const PLAN: [&str; 3] = ["plan", "--detailed-exitcode", "access"];

fn account(label: &str, name: &str, more: &str) -> String {
    format!(
        "service_account \"{label}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
         [\"viewer\"]\n{more}\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n"
    )
}

/// The exit code and all that was printed.
fn said(stage: &Stage, arguments: &[&str]) -> (Option<i32>, String) {
    let output = stage.command(arguments).output().expect("runs");
    let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    (output.status.code(), text.concat())
}

/// Whether all of this was said.
fn says(text: &str, parts: &[&str]) {
    // Long lines are not broken, but texts of several lines are.
    for part in parts {
        assert!(text.contains(part), "{part}\n\n{text}");
    }
}

/// One directory for two environments, as people do with Terraform's workspaces: each would delete the
/// accounts of the other, however few there are and whatever the limits say.
#[test]
fn the_values_of_another_environment_replace_nothing() {
    let mut stage = Stage::small();
    let instances = "service_account \"ci\" {\n  for_each = toset(var.names)\n  scope = \
                     space.payments\n  name = each.key\n  roles = [\"viewer\"]\n\n  credential {\n    \
                     deliver_to = [sink.file.local]\n  }\n}\n";
    let limits = "limits {\n  max_deletes        = 100\n  max_delete_percent = 100\n}\n";
    let variable = "variable \"names\" {\n  type = list(string)\n}\n";
    stage.configure(&[instances, limits, variable].concat());
    for (file, names) in [
        ("dev", "\"dev-a\", \"dev-b\""),
        ("prod", "\"prod-a\", \"prod-b\", \"prod-c\""),
    ] {
        let path = stage.path(&format!("access/{file}.vars.hcl"));
        fs::write(path, format!("names = [{names}]\n")).expect("written");
    }
    let dev = ["--var-file", "access/dev.vars.hcl", "access"];
    let prod = ["--var-file", "access/prod.vars.hcl", "access"];
    let with = |command: &[&'static str], rest: [&'static str; 3]| [command, &rest[..]].concat();
    let (code, text) = said(&stage, &with(&["apply", "--yes"], dev));
    assert_eq!(code, Some(0), "{text}");
    for command in [&["plan"][..], &["apply", "--yes"]] {
        let (code, text) = said(&stage, &with(command, prod));
        assert_eq!(code, Some(3), "{text}");
        says(
            &text,
            &[
                "The plan lets go of all that is live of this stack, 2 accounts, and creates 3 others.",
                "guard none-found",
                "--ack none-found=",
            ],
        );
    }
    // Who means it says so.
    let (_, text) = said(&stage, &with(&["plan"], prod));
    let ack = text.split("--ack ").nth(1).expect("the way out");
    let ack = ack
        .split(';')
        .next()
        .expect("an acknowledgement")
        .to_owned();
    let mut arguments = vec!["apply", "--yes", "--ack", &ack];
    arguments.extend(prod);
    let (code, text) = said(&stage, &arguments);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn an_expired_account_is_told_and_is_no_change() {
    let mut stage = Stage::small();
    let until = Timestamp::now() + SignedDuration::from_mins(30);
    let until = until.strftime("%FT%TZ").to_string();
    stage.configure(&account(
        "ci",
        "ci",
        &format!("  valid_until = \"{until}\"\n"),
    ));
    assert_eq!(stage.run(&APPLY), 0);
    let strict = ["plan", "--strict", "access"];
    assert_eq!(stage.run(&strict), 0);
    stage.front.date(60);
    let (code, text) = said(&stage, &PLAN);
    assert_eq!(code, Some(0), "{text}");
    let what = [
        "! service_account.ci",
        &until,
        "give it a later valid_until: another account takes its place",
    ];
    says(&text, &what);
    says(&text, &["No changes; 1 expired; 1 account as declared."]);
    assert_eq!(said(&stage, &strict).0, Some(6));
    let (code, text) = said(&stage, &["check", "access"]);
    assert_eq!(code, Some(6), "{text}");
    says(&text, &["Needs a person", "its key opens nothing any more"]);
    says(
        &text,
        &[
            "1 for a person",
            "give it a later valid_until: another account takes its place",
        ],
    );
    let (_, text) = said(&stage, &["show", "ci", "access"]);
    says(&text, &what);
    let (_, text) = said(&stage, &["plan", "--format", "json", "access"]);
    let json = text.find('{').expect("a document");
    let mut documents = serde_json::Deserializer::from_str(&text[json..]).into_iter();
    let document: serde_json::Value = documents.next().expect("one").expect("JSON");
    let expired = &document["plan"]["annex"]["expired"][0];
    assert_eq!(expired["address"], "service_account.ci");
    assert_eq!(expired["until"], *until);
}

#[test]
fn a_wrong_address_in_a_block_that_moves_is_told_by_its_place() {
    let mut stage = Stage::small();
    let stays = account("stays", "stays", "");
    stage.configure(&(stays.clone() + &account("old", "old", "")));
    assert_eq!(stage.run(&APPLY), 0);
    let moved = "moved {\n  from = service_account.odl\n  to   = service_account.new\n}\n";
    stage.configure(&(moved.to_owned() + &stays + &account("new", "new", "")));
    let (code, text) = said(&stage, &PLAN);
    assert_eq!(code, Some(2), "{text}");
    says(
        &text,
        &[
            "the moved block at access/main.hcl:",
            "finds no account of this stack at service_account.odl",
            "this plan deletes service_account.old",
        ],
    );
    let removed =
        "removed {\n  from = service_account.odl\n\n  lifecycle {\n    destroy = false\n  }\n}\n";
    stage.configure(&(removed.to_owned() + &stays));
    let (code, text) = said(&stage, &PLAN);
    assert_eq!(code, Some(2), "{text}");
    says(
        &text,
        &[
            "the removed block at access/main.hcl:",
            "was to be given up, correct `from`",
        ],
    );
}

#[test]
fn renames_come_before_what_takes_their_name() {
    let quirks = r#"{"equal_names": "refuse"}"#;
    let mut stage = Stage::with(serde_json::from_str(quirks).expect("quirks"));
    stage.configure(&(account("a", "one", "") + &account("b", "two", "")));
    assert_eq!(stage.run(&APPLY), 0);
    stage.configure(
        &(account("a", "two", "") + &account("b", "three", "") + &account("c", "one", "")),
    );
    assert_eq!(stage.run(&APPLY), 0);
    assert_eq!(stage.run(&PLAN), 0);
    let exchanged = account("a", "three", "") + &account("b", "two", "");
    stage.configure(&(exchanged.clone() + &account("c", "one", "")));
    let (code, text) = said(&stage, &PLAN);
    assert_eq!(code, Some(3), "{text}");
    says(
        &text,
        &[
            "waits for one that waits for this one",
            "1. give service_account.a a name",
        ],
    );
    let deleted = account("a", "two", "") + &account("b", "three", "") + &account("d", "one", "");
    stage.configure(&deleted);
    let (code, text) = said(&stage, &PLAN);
    assert_eq!(code, Some(3), "{text}");
    says(
        &text,
        &[
            "it takes two steps, since deletions come last",
            "that deletes service_account.c",
        ],
    );
}

#[test]
fn what_is_shown_of_a_disputed_or_moved_account_is_true() {
    let mut stage = Stage::small();
    stage.configure(&account("old", "ci", ""));
    assert_eq!(stage.run(&APPLY), 0);
    let moved = "moved {\n  from = service_account.old\n  to   = service_account.new\n}\n";
    stage.configure(&(account("new", "other name", "") + moved));
    for address in ["new", "service_account.new"] {
        let (code, text) = said(&stage, &["show", address, "access"]);
        assert_eq!(code, Some(0), "{text}");
        says(
            &text,
            &[
                "custody      managed",
                "\"ci\"",
                "\"other name\"",
                "differs",
            ],
        );
        assert!(!text.contains("creates it"), "{text}");
    }
    // Marks of this stack that nothing proves, under an address that is declared.
    let labels = [
        ("rolecall-stack", "acme-access.k7m2q9ta"),
        ("rolecall-address", "claimed"),
        ("rolecall-generation", "1"),
        ("rolecall-credential", "external"),
    ];
    let seed = SeedAccount {
        name: "by hand".to_owned(),
        roles: vec!["owner".to_owned()],
        labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(PAYMENTS, &seed, Timestamp::now());
    made.expect("made");
    stage.configure(&account("claimed", "claimed", ""));
    let (code, text) = said(&stage, &["show", "claimed", "access"]);
    assert_eq!(code, Some(0), "{text}");
    says(
        &text,
        &[
            "! service_account.claimed",
            "disputed: ",
            "import {",
            "\"by hand\"",
        ],
    );
    assert!(!text.contains("creates it"), "{text}");

    // A name that is taken: nothing creates it.
    stage.configure(&account("late", "by hand", ""));
    let (code, text) = said(&stage, &["show", "late", "access"]);
    assert_eq!(code, Some(0), "{text}");
    says(
        &text,
        &["no, and no apply creates it as things are", "is taken by"],
    );
}

/// On a platform that keeps descriptions a clear ends, and all commands say the same of it.
#[test]
fn a_description_that_the_platform_keeps_is_no_difference_to_any_command() {
    let show = ["show", "service_account.ci", "access"];
    let line = |text: &str| {
        let line = text.lines().find(|line| line.contains("description "));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    for update in ["both", "notes_only"] {
        let quirks = format!(
            "{{\"description_clear\": \"keeps\", \"description_on_update\": \"{update}\"}}"
        );
        let mut stage = Stage::with(serde_json::from_str(&quirks).expect("quirks"));
        let described = |text: &str| account("ci", "ci", &format!("  description = \"{text}\"\n"));
        stage.configure(&described("since birth"));
        assert_eq!(stage.run(&APPLY), 0);
        stage.configure(&described(""));
        let (code, text) = said(&stage, &PLAN);
        assert_eq!(code, Some(2), "{text}");
        let shown = line(&said(&stage, &show).1);
        says(&shown, &["\"\" (none)", "\"since birth\"", "differs"]);
        assert_eq!(stage.run(&APPLY), 0);
        let (code, text) = said(&stage, &PLAN);
        assert_eq!(code, Some(0), "{text}");
        says(&text, &["cleared", "since birth"]);
        let check = ["check", "--allow-unmanaged", "access"];
        assert_eq!(said(&stage, &check).0, Some(0));
        let shown = line(&said(&stage, &show).1);
        says(&shown, &["\"\" (none)", "\"since birth\""]);
        assert!(!shown.contains("differs"), "{shown}");
    }
}

/// What is not read is told, and what is given is read.
#[test]
fn files_that_look_like_configuration_are_told_unless_they_are_given() {
    let mut stage = Stage::small();
    stage.configure("variable \"team\" {\n  type = string\n}\n");
    let write = |name: &str, text: &str| fs::write(stage.path(name), text).expect("written");
    write("access/terraform.tfvars", "team = \"a\"\n");
    write("access/X.HCL", "locals {}\n");
    write("access/main.tofu", "locals {}\n");
    fs::create_dir(stage.path("modules")).expect("created");
    let link = std::os::unix::fs::symlink(stage.path("modules"), stage.path("access/linked"));
    link.expect("linked");
    let plan = ["plan", "--var-file", "access/terraform.tfvars", "access"];
    let (code, text) = said(&stage, &plan);
    assert_eq!(code, Some(0), "{text}");
    says(
        &text,
        &["file `X.HCL`", "file `main.tofu`", "link `linked`"],
    );
    assert!(!text.contains("`terraform.tfvars`"), "{text}");
    let (_, text) = said(&stage, &["plan", "--var", "team=a", "access"]);
    says(&text, &["file `terraform.tfvars`"]);
    // Whoever names a directory of policies relies on all of it.
    write("modules/Strict.HCL", "limits {\n  max_deletes = 3\n}\n");
    write("modules/a.hcl", "limits {\n  max_deletes = 3\n}\n");
    let policies = [
        "plan",
        "--var",
        "team=a",
        "--policy-dir",
        "modules",
        "access",
    ];
    let (code, text) = said(&stage, &policies);
    assert_eq!(code, Some(1), "{text}");
    says(&text, &["Strict.HCL is not read", "small letters"]);
}

#[test]
fn a_sink_without_a_folder_is_told_in_a_sentence() {
    let mut stage = Stage::small();
    for (directory, says_so) in [
        ("", "a folder without a name cannot receive credentials"),
        ("/", "an absolute path cannot receive credentials"),
        (
            ".",
            "the configuration's own folder cannot receive credentials",
        ),
    ] {
        stage.configure(&format!(
            "sink \"file\" \"x\" {{\n  directory = \"{directory}\"\n}}\n"
        ));
        let (code, text) = said(&stage, &["validate", "access"]);
        assert_eq!(code, Some(1), "{text}");
        says(&text, &[says_so]);
    }
}
