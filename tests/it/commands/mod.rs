//! The commands beside plan and apply, as a user sees them.

mod bootstrap;
mod credential;
mod generated;
mod init;
mod look;
mod shells;
mod typed;

use std::collections::BTreeSet;

use rolecall::view::human;

use crate::environment::HOUSE;
use crate::renew;
use crate::stage::Stage;

/// `docs/roles.md` is the table that `rolecall roles` prints. `UPDATE=1` writes it.
#[test]
fn the_page_of_roles_is_the_table_of_the_program() {
    renew::compare(&human::roles_page(), "docs/roles.md");
}

#[test]
fn docs() {
    let mut stage = Stage::new();
    assert_eq!(stage.run(&["docs"]), 0);
    assert_eq!(stage.run(&["docs", "langage"]), 64);
    stage.compare("commands/docs.txt");
}

#[test]
fn every_page_of_the_documentation_is_in_the_program() {
    let stage = Stage::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = BTreeSet::new();
    for entry in std::fs::read_dir(root.join("docs")).expect("there") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|end| end == "md") {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            // For those who change the program, who have its sources.
            if name == "architecture" {
                continue;
            }
            let output = stage.command(&["docs", &name]).output().expect("runs");
            let text = std::fs::read(&path).expect("readable");
            assert!(output.stdout == text, "rolecall docs {name}");
            pages.insert(name);
        }
    }
    assert!(pages.len() > 7, "{pages:?}");
    // No message sends anybody to a page that is not there, or to a file that was not installed.
    let mut named = 0;
    let mut folders = HOUSE.map(|folder| root.join(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let code: Vec<&str> = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//!"))
                .collect();
            for rest in code.join("\n").split("`rolecall docs ").skip(1) {
                let page = rest.split(['`', ' ']).next().unwrap_or_default();
                assert!(
                    page == "PAGE" || pages.contains(page),
                    "{}: {page}",
                    path.display()
                );
                named += 1;
            }
            let files = code
                .iter()
                .filter(|line| !line.contains("include_str!") && !line.contains("://"));
            for line in files.filter(|line| !line.trim_start().starts_with("///")) {
                assert!(!line.contains("docs/"), "{}: {line}", path.display());
            }
        }
    }
    assert!(named > 10, "only {named}");
}

#[test]
fn roles() {
    let mut stage = Stage::new();
    assert_eq!(stage.run(&["roles"]), 0);
    stage.compare("commands/roles.txt");
}

#[test]
fn every_command_helps_with_an_example() {
    let stage = Stage::new();
    for command in [
        &["init"][..],
        &["roles"],
        &["list"],
        &["check"],
        &["verify"],
        &["show"],
        &["credential"],
        &["credential", "decode"],
        &["credential", "inspect"],
        &["credential", "verify"],
    ] {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let output = stage.command(&arguments).output().expect("runs");
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(output.status.code(), Some(0));
        let example = format!("\n  rolecall {}", command.join(" "));
        assert!(
            text.contains("Example") && text.contains(&example),
            "{text}"
        );
    }
}
