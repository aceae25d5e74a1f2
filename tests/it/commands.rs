//! The commands beside plan and apply, as a user sees them.

mod credential;
mod generated;
mod init;
mod look;

use rolecall::view::human;

use crate::stage::Stage;

/// `docs/roles.md` is the table that `rolecall roles` prints. `UPDATE_DOCS=1` writes it.
#[test]
fn the_page_of_roles_is_the_table_of_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/roles.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, human::roles_page()).expect("written");
    }
    let page = std::fs::read_to_string(path).expect("the page is there");
    assert!(
        page == human::roles_page(),
        "docs/roles.md is old: UPDATE_DOCS=1 cargo test"
    );
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
