//! Every folder of `examples/` is a configuration that runs, and its first plan is the one that is
//! written beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn examples() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("examples")
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    assert!(found.len() >= 2);
    found
}

/// Copies the files of an example, without what earlier runs left there.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().expect("named"))).expect("copied");
        }
    }
}

fn rolecall(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rolecall"))
        .args(arguments)
        .arg(".")
        .current_dir(dir)
        .env_clear()
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        errors.contains("LOCAL") || arguments[0] == "validate",
        "says where it works: {errors}"
    );
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn every_example_plans_as_written_applies_and_is_then_unchanged() {
    for example in examples() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        copy(&example, dir.path());
        assert!(
            example.join("README.md").exists(),
            "{} has a README",
            example.display()
        );
        assert_eq!(
            rolecall(dir.path(), &["validate"]).0,
            0,
            "{}",
            example.display()
        );

        let (code, plan) = rolecall(dir.path(), &["plan", "--local"]);
        assert_eq!(code, 0, "{}: {plan}", example.display());
        let mut redactions = snapbox::Redactions::new();
        let digest: regex::Regex = r"sha256:(?<redacted>[0-9a-f]{64})"
            .parse()
            .expect("a valid pattern");
        redactions
            .insert("[DIGEST]", digest)
            .expect("a valid redaction");
        crate::renew::compare(&redactions.redact(&plan), example.join("expected-plan.txt"));

        let (code, text) = rolecall(dir.path(), &["apply", "--local", "--yes"]);
        assert_eq!(code, 0, "{}: {text}", example.display());
        let (code, text) = rolecall(dir.path(), &["plan", "--local", "--detailed-exitcode"]);
        assert_eq!(code, 0, "{}: {text}", example.display());
        assert!(text.contains("No changes;"), "{text}");
    }
}

#[test]
fn the_readme_shows_a_true_plan() {
    let readme = fs::read_to_string("README.md").expect("there");
    let plan = fs::read_to_string("examples/fleet/expected-plan.txt").expect("there");
    let shown = readme.split_once("```text\n").expect("a plan").1;
    let shown = shown.split_once("```").expect("closed").0;
    assert!(shown.lines().count() > 20);
    for line in shown.lines().filter(|line| line.trim() != "…") {
        assert!(
            plan.lines().any(|true_line| true_line == line),
            "not in the plan: {line}"
        );
    }
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut documents: Vec<PathBuf> = fs::read_dir("docs")
        .expect("there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    documents.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from));
    let mut links = 0;
    for document in documents {
        let text = fs::read_to_string(&document).expect("readable");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let file = target.split('#').next().unwrap_or(target);
            let path = document.parent().unwrap_or(Path::new("")).join(file);
            assert!(path.exists(), "{} links to {target}", document.display());
            links += 1;
        }
    }
    assert!(links > 10, "only {links} links were found");
}
