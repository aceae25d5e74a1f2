//! The configuration's directory and the bytes in it. Each finding inside of files has its own
//! golden file in `language`; here is what only the program can meet.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use super::{CI, PLAN, stage, unprivileged};
use crate::stage::{HEAD, Stage};

fn untouched(stage: &Stage) {
    assert!(stage.front.seen().is_empty(), "nobody was asked anything");
}

#[test]
fn the_directory_is_missing_empty_or_none() {
    let mut stage = stage();
    assert_eq!(stage.run(&["apply", "--yes", "nowhere"]), 1);
    assert_eq!(stage.run(&["apply", "--yes", "access/main.hcl"]), 1);
    fs::create_dir(stage.path("empty")).expect("created");
    assert_eq!(stage.run(&["plan", "empty"]), 1);
    fs::create_dir(stage.path("empty/main.hcl")).expect("created");
    fs::write(stage.path("empty/prod.vars.hcl"), "a = 1\n").expect("written");
    stage.say("a folder named main.hcl and values alone make no configuration");
    assert_eq!(stage.run(&["validate", "empty"]), 1);
    untouched(&stage);
    stage.compare("bad-days/directory.txt");
}

#[test]
fn files_that_cannot_be_read_are_all_named() {
    let mut stage = stage();
    stage.say("broken.hcl is a link to nothing, pipe.hcl a named pipe, zero.hcl leads to a device");
    symlink("gone.hcl", stage.path("access/broken.hcl")).expect("linked");
    symlink("/dev/zero", stage.path("access/zero.hcl")).expect("linked");
    let made = Command::new("mkfifo")
        .arg(stage.path("access/pipe.hcl"))
        .status();
    assert!(made.expect("mkfifo runs").success());
    assert_eq!(stage.run(PLAN), 1);
    for name in ["broken", "pipe", "zero"] {
        fs::remove_file(stage.path(&format!("access/{name}.hcl"))).expect("removed");
    }
    stage.say("a file of variables is not there");
    assert_eq!(
        stage.run(&["plan", "--var-file", "prod.vars.hcl", "access"]),
        1
    );
    let odd = stage.path("access").join(OsStr::from_bytes(b"\xff.hcl"));
    // Some file systems have no such names; then nobody can meet them.
    if fs::write(&odd, "").is_ok() {
        let output = stage.command(PLAN).output().expect("runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(
            err.contains("is not UTF-8") && err.contains("rename"),
            "{err}"
        );
        fs::remove_file(odd).expect("removed");
    }
    untouched(&stage);
    stage.compare("bad-days/unreadable.txt");
}

#[test]
fn a_file_that_the_user_may_not_read_is_named() {
    let mut stage = stage();
    let Some(somebody) = unprivileged(&stage) else {
        return;
    };
    let mode = |stage: &Stage, path: &str, mode| {
        fs::set_permissions(stage.path(path), fs::Permissions::from_mode(mode)).expect("changed");
    };
    mode(&stage, "access/main.hcl", 0o000);
    assert_eq!(stage.run_in(PLAN, somebody.starts()), 1);
    mode(&stage, "access/main.hcl", 0o600);
    mode(&stage, "access", 0o000);
    assert_eq!(stage.run_in(PLAN, somebody.starts()), 1);
    mode(&stage, "access", 0o700);
    mode(&stage, "owner.json", 0o000);
    assert_eq!(stage.run_in(PLAN, somebody.starts()), 1);
    mode(&stage, "owner.json", 0o600);
    untouched(&stage);
    stage.compare("bad-days/forbidden.txt");
}

#[test]
fn text_in_other_encodings() {
    let mut stage = stage();
    let text = format!("{HEAD}{CI}");
    let main = stage.path("access/main.hcl");
    let write = |bytes: &[u8]| fs::write(&main, bytes).expect("written");
    stage.say("an e-acute in Latin-1, on line 3");
    write(&text.as_bytes().splice_at("access\"\n", b"  # caf\xe9\n"));
    assert_eq!(stage.run(PLAN), 1);
    stage.say("UTF-16");
    let wide: Vec<u8> = std::iter::once(0xfeff)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    write(&wide);
    assert_eq!(stage.run(PLAN), 1);
    untouched(&stage);
    stage.say("a byte order mark is taken");
    write(format!("\u{feff}{text}").as_bytes());
    assert_eq!(stage.run(&["validate", "access"]), 0);
    stage.say("ends of lines as on Windows are taken, and places stay exact");
    write(text.replace('\n', "\r\n").as_bytes());
    assert_eq!(stage.run(&["validate", "access"]), 0);
    write(
        text.replace("viewer", "viewr")
            .replace('\n', "\r\n")
            .as_bytes(),
    );
    assert_eq!(stage.run(&["validate", "access"]), 1);
    stage.compare("bad-days/encoding.txt");
}

trait SpliceAt {
    fn splice_at(&self, after: &str, more: &[u8]) -> Vec<u8>;
}

impl SpliceAt for [u8] {
    /// The bytes with more of them behind the first `after`.
    fn splice_at(&self, after: &str, more: &[u8]) -> Vec<u8> {
        let at = self
            .windows(after.len())
            .position(|window| window == after.as_bytes())
            .expect("is there")
            + after.len();
        [&self[..at], more, &self[at..]].concat()
    }
}

#[test]
fn a_hundred_errors_are_all_told_and_counted() {
    let mut stage = stage();
    let broken: String = (0..100)
        .map(|n| {
            CI.replace("\"ci\"", &format!("\"ci{n}\""))
                .replace("viewer", "viewr")
        })
        .collect();
    stage.configure(&broken);
    let output = stage.command(PLAN).output().expect("runs");
    let err = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(err.matches("error[").count(), 100, "{err}");
    assert!(err.trim_end().ends_with("100 errors"), "{err}");
    untouched(&stage);
}

#[test]
fn one_kind_of_mistake_hides_no_other() {
    let mut stage = stage();
    stage.say("main.hcl names a role and a sink wrongly, more.hcl breaks off, a JSON file is there, and the values do not parse");
    stage.configure(
        &CI.replace("viewer", "viewr")
            .replace("local]", "locl, sink.file.elsewhere]"),
    );
    fs::write(
        stage.path("access/more.hcl"),
        "variable \"team\" {}\n\nsink \"file\" \"elsewhere\" {\n  directory =\n}\n",
    )
    .expect("written");
    fs::write(stage.path("access/other.hcl.json"), "{}").expect("written");
    fs::write(stage.path("access/x.auto.vars.hcl"), "team = \n").expect("written");
    assert_eq!(stage.run(PLAN), 1);
    stage.say("the files are whole now, and only what is wrong in them is left");
    fs::write(
        stage.path("access/more.hcl"),
        "variable \"team\" {}\n\nsink \"file\" \"elsewhere\" {\n  directory = \"keys\"\n}\n",
    )
    .expect("written");
    fs::remove_file(stage.path("access/other.hcl.json")).expect("removed");
    assert_eq!(stage.run(PLAN), 1);
    untouched(&stage);
    stage.compare("bad-days/all-at-once.txt");
}

#[test]
fn what_belongs_to_other_tools() {
    let mut stage = stage();
    stage.configure(
        r#"terraform {
  required_providers {
    mondoo = { source = "mondoohq/mondoo" }
  }
}

provider "mondoo" {}

resource "mondoo_service_account" "ci" {
  name = "ci"
}
"#,
    );
    assert_eq!(stage.run(PLAN), 1);
    stage.configure(CI);
    fs::write(stage.path("access/more.hcl.json"), "{}").expect("written");
    fs::write(stage.path("access/.terraform.lock.hcl"), "").expect("written");
    fs::write(stage.path("access/image.pkr.hcl"), "source {").expect("written");
    assert_eq!(stage.run(PLAN), 1);
    fs::remove_file(stage.path("access/more.hcl.json")).expect("removed");
    assert_eq!(stage.run(&["validate", "access"]), 0);
    untouched(&stage);
    stage.compare("bad-days/other-tools.txt");
}

/// What people may take for configuration and nothing reads is told once, in every run.
#[test]
fn what_lies_beside_a_configuration_and_is_not_read() {
    let mut stage = stage();
    stage.configure(&format!(
        "variable \"team\" {{\n  default = \"a\"\n}}\n{CI}"
    ));
    fs::create_dir_all(stage.path("access/modules/team")).expect("created");
    fs::create_dir_all(stage.path("access/policies")).expect("created");
    fs::create_dir_all(stage.path("access/other")).expect("created");
    for (path, text) in [
        ("access/modules/team/main.hcl", "locals {}\n"),
        (
            "access/policies/rules.hcl",
            "limits {\n  max_deletes = 3\n}\n",
        ),
        ("access/other/main.hcl", "rolecall {\n}\n"),
        ("access/providers.tf", "provider \"mondoo\" {}\n"),
        ("access/terraform.tfvars", "team = \"b\"\n"),
        ("access/prod.auto.vars.json", "{}\n"),
    ] {
        fs::write(stage.path(path), text).expect("written");
    }
    for arguments in [
        &["validate", "access"][..],
        &["plan", "access"],
        &["plan", "--policy-dir", "access/policies", "access"],
    ] {
        let mut command = stage.command(arguments);
        command.env("TF_VAR_team", "b").env("TF_VAR_elsewhere", "c");
        let output = command.output().expect("runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{err}");
        for told in [
            "`modules/team/main.hcl`",
            "`providers.tf`",
            "`terraform.tfvars`",
            "`prod.auto.vars.json`",
            "`TF_VAR_team`",
            "ROLECALL_VAR_team",
        ] {
            assert_eq!(err.matches(told).count(), 1, "{arguments:?} {told}: {err}");
        }
        assert!(!err.contains("TF_VAR_elsewhere"), "Terraform's own: {err}");
        assert!(
            !err.contains("other/main.hcl"),
            "a configuration of its own: {err}"
        );
        let read = arguments.contains(&"--policy-dir");
        assert_eq!(
            err.contains("`policies/rules.hcl`"),
            !read,
            "{arguments:?}: {err}"
        );
    }
}

/// A policy in a subfolder of a policy directory holds nobody back, and that is told.
#[test]
fn what_lies_below_a_policy_directory_and_is_not_read() {
    let mut stage = stage();
    stage.configure(CI);
    fs::create_dir_all(stage.path("access/policies/more")).expect("created");
    fs::create_dir_all(stage.path("rules/strict")).expect("created");
    let limits = "limits {\n  max_deletes = 3\n}\n";
    for folder in [
        "access/policies",
        "access/policies/more",
        "rules",
        "rules/strict",
    ] {
        fs::write(stage.path(folder).join("rules.hcl"), limits).expect("written");
    }
    for (dir, told) in [
        ("access/policies", "`more/rules.hcl`"),
        ("rules", "`strict/rules.hcl`"),
    ] {
        let plan = ["plan", "--policy-dir", dir, "access"];
        let output = stage.command(&plan).output().expect("runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{err}");
        assert_eq!(err.matches(told).count(), 1, "{dir}: {err}");
    }
}

/// A file is never read whole only to be found too large.
#[test]
fn a_file_of_any_size_is_refused_by_its_size() {
    let mut stage = stage();
    stage.configure(CI);
    let huge = |name: &str| {
        let file = fs::File::create(stage.path(name)).expect("created");
        file.set_len(64 << 30).expect("it has holes");
    };
    let refused = |stage: &Stage, arguments: &[&str], says: &str| {
        let output = stage.command(arguments).output().expect("runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {err}");
        assert!(
            err.contains(says) && err.contains("16 MiB"),
            "{arguments:?}: {err}"
        );
    };
    huge("values.hcl");
    refused(
        &stage,
        &["plan", "--var-file", "values.hcl", "access"],
        "68719476736 bytes",
    );
    refused(
        &stage,
        &["validate", "--var-file", "/dev/zero", "access"],
        "more than",
    );
    huge("access/more.hcl");
    refused(
        &stage,
        &["validate", "access"],
        "access/more.hcl is too large: 68719476736 bytes",
    );
    fs::remove_file(stage.path("access/more.hcl")).expect("removed");
    fs::create_dir(stage.path("policies")).expect("created");
    huge("policies/a.hcl");
    refused(
        &stage,
        &["plan", "--policy-dir", "policies", "access"],
        "policies/a.hcl is too large",
    );
    untouched(&stage);
}

/// An empty text is something to write, and once it is written nothing differs.
#[test]
fn a_description_that_is_taken_away_stays_away() {
    let mut stage = stage();
    let apply = ["apply", "--yes", "access"];
    let plan = ["plan", "--detailed-exitcode", "access"];
    for (description, changes) in [
        ("", 2),
        ("description = \"\"\n", 0),
        ("description = \"by rolecall\"\n", 2),
        ("description = null\n", 0),
        ("description = trimspace(\" \")\n", 2),
        ("", 0),
    ] {
        stage.configure(&CI.replace("  roles", &format!("  {description}  roles")));
        assert_eq!(stage.run(&plan), changes, "{description}");
        assert_eq!(stage.run(&apply), 0, "{description}");
        assert_eq!(stage.run(&plan), 0, "{description}: nothing is left to do");
    }
}
