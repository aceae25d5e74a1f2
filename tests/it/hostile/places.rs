//! Where keys are delivered, and what files of the machine the configuration leads to.

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

/// What no link may show: a key, and the values of another tool.
const SECRET: &str = "5ec4e7fade5ec4e7fade5ec4e7fade5ec4e7fade5ec4e7fade5ec4e7fade5ec4";

/// git keeps links in a checkout, so what a configuration's files lead to is its author's choice.
#[test]
fn a_link_among_the_files_shows_no_other_file_of_the_machine() {
    let stage = Stage::small();
    let text = HEAD.to_owned()
        + "variable \"token\" {\n  type    = string\n  default = \"\"\n}\n\n"
        + &account("ci", "[\"viewer\"]")
            .replace("  roles", "  description = \"reads ${var.token}\"\n  roles");
    fs::write(stage.path("access/main.hcl"), text).expect("written");
    fs::create_dir_all(stage.path("elsewhere")).expect("created");
    fs::create_dir_all(stage.path("access-private")).expect("created");
    fs::create_dir_all(stage.path("access/credentials")).expect("created");
    let values = format!("token = \"{SECRET}\"\n");
    for file in [
        "elsewhere/terraform.tfvars",
        "elsewhere/prod.vars.hcl",
        "access-private/prod.vars.hcl",
        "access/credentials/ci.json",
        "access/seal.key",
    ] {
        fs::write(stage.path(file), &values).expect("written");
    }
    symlink("../elsewhere", stage.path("access/folder")).expect("linked");
    for (name, to) in [
        ("x.auto.vars.hcl", "../elsewhere/terraform.tfvars"),
        ("x.auto.vars.hcl", "../elsewhere/prod.vars.hcl"),
        ("x.auto.vars.hcl", "folder/prod.vars.hcl"),
        // The beginning of its name is that of the configuration's directory.
        ("x.auto.vars.hcl", "../access-private/prod.vars.hcl"),
        ("k.hcl", "../elsewhere/terraform.tfvars"),
        ("k.hcl", "/proc/self/environ"),
        // Inside, but a file of another kind.
        ("k.hcl", "seal.key"),
        ("x.auto.vars.hcl", "credentials/ci.json"),
    ] {
        let link = stage.path("access").join(name);
        symlink(to, &link).expect("linked");
        for arguments in [&["validate", "access"][..], &["plan", "access"], &APPLY] {
            let text = refused_unasked(&stage, arguments, to);
            assert!(!text.contains(SECRET), "{to}: {text}");
            assert!(!text.contains("ROLECALL_SEAL_KEY="), "{to}: {text}");
            assert!(
                text.contains(&format!("access/{name} is a link")),
                "{to}: {text}"
            );
            assert!(text.contains("--var-file"), "{to}: {text}");
        }
        fs::remove_file(link).expect("removed");
    }
    // What the runner names may be anywhere, by a link too.
    symlink("elsewhere/prod.vars.hcl", stage.path("chosen.hcl")).expect("linked");
    let output = run(&stage, &["plan", "--var-file", "chosen.hcl", "access"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert!(said(&output).contains(SECRET));
}

/// As a mounted volume has them: `..data` leads to the newest folder, and each file into that.
#[test]
fn links_inside_of_the_directory_are_followed() {
    let stage = Stage::small();
    let folder = stage.path("access/..2026_11_24");
    fs::create_dir(&folder).expect("created");
    fs::write(
        folder.join("main.hcl"),
        HEAD.to_owned() + &account("ci", "[]"),
    )
    .expect("written");
    symlink("..2026_11_24", stage.path("access/..data")).expect("linked");
    symlink("..data/main.hcl", stage.path("access/main.hcl")).expect("linked");
    symlink("access", stage.path("current")).expect("linked");
    for dir in ["access", "current", "current/", "./access"] {
        let output = run(&stage, &["validate", dir]);
        assert_eq!(code(&output), Some(0), "{dir}: {}", said(&output));
    }
}

#[test]
fn a_link_among_policies_is_not_followed_out_of_their_directory() {
    let stage = Stage::small();
    fs::write(
        stage.path("access/main.hcl"),
        HEAD.to_owned() + &account("ci", "[]"),
    )
    .expect("written");
    fs::create_dir(stage.path("policies")).expect("created");
    fs::write(stage.path("key"), SECRET).expect("written");
    symlink("../key", stage.path("policies/k.hcl")).expect("linked");
    let arguments = ["plan", "--policy-dir", "policies", "access"];
    let text = refused_unasked(&stage, &arguments, "a policy");
    assert!(!text.contains(SECRET), "{text}");
    assert!(
        text.contains("policies/k.hcl is a link that leads out of policies"),
        "{text}"
    );
}

/// The embedded platform keeps its files beside the configuration.
#[test]
fn the_embedded_platform_follows_no_link() {
    let stage = Stage::small();
    fs::write(
        stage.path("access/main.hcl"),
        HEAD.to_owned() + &account("ci", "[]"),
    )
    .expect("written");
    fs::create_dir(stage.path("elsewhere")).expect("created");
    fs::write(stage.path("elsewhere/key"), SECRET).expect("written");
    let folder = stage.path("access/.rolecall");
    symlink("../elsewhere", &folder).expect("linked");
    let arguments = ["plan", "--local", "access"];
    refused_unasked(&stage, &arguments, "the folder");
    fs::remove_file(&folder).expect("removed");
    fs::create_dir(&folder).expect("created");
    let database = [
        "local.db",
        "local.db-wal",
        "local.db-shm",
        "local.db-journal",
    ];
    let others = ["owner.json", "seal.key", ".gitignore"];
    for name in database.iter().chain(&others) {
        symlink("../../elsewhere/key", folder.join(name)).expect("linked");
        let text = refused_unasked(&stage, &arguments, name);
        assert!(text.contains("is a symbolic link"), "{name}: {text}");
        assert!(!text.contains(SECRET), "{name}: {text}");
        fs::remove_file(folder.join(name)).expect("removed");
    }
}
