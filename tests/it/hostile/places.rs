//! Where keys are delivered.

use std::fs;
use std::os::unix::fs::symlink;

use super::{account, code, refused_unasked, run, said, tree, writes};
use crate::stage::{HEAD, Stage};

const APPLY: [&str; 3] = ["apply", "--yes", "access"];

/// The configuration with another directory and file name for its keys.
fn delivering(stage: &Stage, directory: &str, filename: &str) {
    let head = HEAD.replace(
        "directory = \"credentials\"",
        &format!("directory = {directory}{filename}"),
    );
    assert_ne!(head, HEAD);
    let text = head + &account("ci", "[\"viewer\"]");
    fs::write(stage.path("access/main.hcl"), text).expect("written");
}

#[test]
fn a_directory_that_leads_elsewhere_or_is_read_by_tools() {
    let stage = Stage::small();
    for directory in [
        "/tmp/keys",
        "..",
        "../keys",
        "keys/../../other",
        "~/keys",
        "~root",
        "C:/keys",
        "keys\\\\..\\\\..",
        ".",
        "./",
        "",
        "keys/\\u001b[2J",
        ".git",
        ".git/hooks",
        "keys/.git",
        ".GIT",
        "\\u200b.git",
        ".github/workflows",
        ".ssh",
        ".config/mondoo",
        ".rolecall",
    ] {
        delivering(&stage, &format!("\"{directory}\""), "");
        for arguments in [&["validate", "access"][..], &["plan", "access"], &APPLY] {
            let text = refused_unasked(&stage, arguments, directory);
            assert!(text.contains("[invalid-value]"), "{directory}: {text}");
        }
    }
}

#[test]
fn a_file_name_that_is_a_path_or_hidden() {
    let stage = Stage::small();
    for name in [
        "../main.hcl",
        "x/y.json",
        "/etc/cron.d/x",
        ".gitignore",
        ".env",
        "..",
        "",
        "a b; id",
        "$(id).json",
        "\\u202ehcl.json",
    ] {
        delivering(
            &stage,
            "\"credentials\"",
            &format!("\n  filename = \"{name}\""),
        );
        let text = refused_unasked(&stage, &APPLY, name);
        assert!(text.contains("is no safe file name"), "{name}: {text}");
    }
    // The configuration's own file, from below.
    delivering(&stage, "\".\"", "\n  filename = \"main.hcl\"");
    refused_unasked(&stage, &APPLY, "its own folder");
}

/// What stands in the repository can be anything: links, and files of other tools.
#[test]
fn what_is_in_the_way_of_a_key_stays_and_no_account_is_made() {
    let stage = Stage::small();
    delivering(&stage, "\"keys/ci\"", "\n  filename = \"deploy.sh\"");
    let folder = stage.path("access/keys/ci");
    let parent = stage.path("access/keys");
    let elsewhere = stage.path("elsewhere");
    fs::create_dir_all(elsewhere.join("ci")).expect("created");
    let ignored = |text: &str| fs::write(folder.join(".gitignore"), text).expect("written");
    let tries: [(&str, &dyn Fn()); 6] = [
        ("a link in place of the folder above", &|| {
            symlink(&elsewhere, &parent).expect("linked");
        }),
        ("another tool's file", &|| {
            fs::create_dir_all(&folder).expect("created");
            fs::write(folder.join("deploy.sh"), "#!/bin/sh\n").expect("written");
        }),
        ("a link to the run's own credential", &|| {
            fs::create_dir_all(&folder).expect("created");
            symlink(stage.path("owner.json"), folder.join("deploy.sh")).expect("linked");
        }),
        ("git is told to take the key after all", &|| {
            fs::create_dir_all(&folder).expect("created");
            ignored("*\n!deploy.sh\n");
        }),
        ("git is told by a line that it reads differently", &|| {
            fs::create_dir_all(&folder).expect("created");
            ignored(" *\n");
        }),
        ("git does not follow where it is told by", &|| {
            fs::create_dir_all(&folder).expect("created");
            fs::write(elsewhere.join("all"), "*\n").expect("written");
            symlink(elsewhere.join("all"), folder.join(".gitignore")).expect("linked");
        }),
    ];
    for (what, prepare) in tries {
        prepare();
        let before = tree(stage.dir.path());
        let output = run(&stage, &APPLY);
        assert_eq!(code(&output), Some(1), "{what}: {}", said(&output));
        assert_eq!(writes(&stage), [""; 0], "{what}");
        assert!(before == tree(stage.dir.path()), "{what}");
        if parent.is_symlink() {
            fs::remove_file(&parent).expect("removed");
        } else {
            fs::remove_dir_all(&parent).expect("removed");
        }
    }
}
