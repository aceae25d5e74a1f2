//! A configuration whose author means harm: the author of a pull request writes what a powerful
//! credential evaluates. Each test is one try, and what stops it.

mod places;
mod power;
mod reach;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::stage::Stage;

/// An account as an honest author declares it.
fn account(name: &str, roles: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
         {roles}\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
    )
}

fn run(stage: &Stage, arguments: &[&str]) -> Output {
    stage.command(arguments).output().expect("runs")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

/// All that a run said.
fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Every path below a folder, with its kind and mode, and what it holds or leads to.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        let about = fs::symlink_metadata(&path).expect("there");
        let holds = if about.is_symlink() {
            let leads = fs::read_link(&path).expect("a link");
            leads.to_string_lossy().into_owned().into_bytes()
        } else if about.is_dir() {
            found.extend(tree(&path));
            Vec::new()
        } else {
            fs::read(&path).expect("readable")
        };
        found.insert(path, (about.permissions().mode(), holds));
    }
    found
}

/// The writes that have reached the platform since the last hook was set.
fn writes(stage: &Stage) -> Vec<String> {
    let reads = [
        "viewer",
        "organization",
        "space",
        "serviceAccounts",
        "serviceAccount",
        "auditlog",
    ];
    let mut seen = stage.front.seen();
    seen.retain(|operation| !reads.contains(&operation.as_str()));
    seen
}

/// The run ends with an error before anybody is asked anything, and touches no file.
fn refused_unasked(stage: &Stage, arguments: &[&str], what: &str) -> String {
    let (files, asked) = (tree(stage.dir.path()), stage.front.seen().len());
    let output = run(stage, arguments);
    let text = said(&output);
    assert_eq!(code(&output), Some(1), "{what}: {text}");
    assert_eq!(stage.front.seen().len(), asked, "{what}: nobody is asked");
    assert!(
        files == tree(stage.dir.path()),
        "{what}: no file is touched"
    );
    assert!(!text.contains("panicked"), "{what}: {text}");
    text
}
