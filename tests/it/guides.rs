//! The stories of `docs/guides.md`: undo, and the same commands without CI. Those of a leaked key are in `revoke.rs`,
//! those of the seal key in `seal_keys.rs`.

use std::fs;

use jiff::Timestamp;
use rolecall_server::SeedAccount;
use rolecall_standins::git::WorkTree;
use serde_json::Value;

use crate::stage::{HEAD, ORG, Stage};

fn account(name: &str, roles: &str, rest: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = [{roles}]\n{rest}\n  \
         credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n"
    )
}

const PROTECTED: &str = "  lifecycle {\n    prevent_destroy = true\n  }\n";
const FORGET: &str =
    "removed {\n  from = service_account.ci\n\n  lifecycle {\n    destroy = false\n  }\n}\n";

/// A repository in which each text is a commit, and the apply of it.
struct Repository {
    stage: Stage,
    tree: WorkTree,
    /// The first commit.
    first: String,
}

impl Repository {
    fn begin(text: &str) -> Self {
        let stage = Stage::small();
        fs::write(stage.path("access/main.hcl"), HEAD.to_owned() + text).expect("written");
        let mut tree = WorkTree::init(stage.dir.path());
        let first = tree.commit_folder("access");
        let repository = Self { stage, tree, first };
        assert_eq!(repository.apply(&[]).0, 0);
        repository
    }

    fn commit(&mut self, text: &str) -> String {
        fs::write(self.stage.path("access/main.hcl"), HEAD.to_owned() + text).expect("written");
        self.tree.commit_folder("access")
    }

    /// Ends an apply; its exit code, and the guards that refused.
    fn apply(&self, more: &[&str]) -> (i32, Vec<String>) {
        let arguments = [&["apply", "--yes", "--format", "json"], more, &["access"]].concat();
        let output = self.stage.command(&arguments).output().expect("runs");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let refusals = document["refusals"].as_array().cloned().unwrap_or_default();
        let guards = refusals
            .iter()
            .filter_map(|refusal| refusal["guard"].as_str());
        let guards = guards.map(str::to_owned).collect();
        (output.status.code().unwrap_or(-1), guards)
    }

    fn code(&self, arguments: &[&str]) -> i32 {
        let output = self.stage.command(arguments).output().expect("runs");
        output.status.code().unwrap_or(-1)
    }

    /// The resource name and the roles of the live account of a name.
    fn live(&self, name: &str) -> Option<(String, Vec<String>)> {
        let dump = self.stage.app.dump().expect("a dump");
        let accounts = dump["accounts"].as_array().expect("accounts");
        let one = accounts.iter().find(|account| account["name"] == name)?;
        let bindings = dump["bindings"].as_array().expect("bindings").iter();
        let bound = bindings.filter(|binding| binding["identity"] == one["mrn"]);
        let mut roles: Vec<String> = bound.map(|b| b["roles"].to_string()).collect();
        roles.sort();
        Some((one["mrn"].as_str().expect("a name").to_owned(), roles))
    }
}

#[test]
fn a_revert_gives_roles_back_to_the_same_account_with_the_same_key() {
    let before = account("ci", "\"agent\", \"viewer\"", "");
    let mut repository = Repository::begin(&before);
    let first = repository.live("ci");
    let key = fs::read(repository.stage.path("access/credentials/ci.json")).expect("a key");
    repository.commit(&account("ci", "\"agent\"", ""));
    assert_eq!(repository.apply(&[]).0, 0);
    assert_ne!(repository.live("ci"), first);
    repository.commit(&before);
    assert_eq!(repository.apply(&[]).0, 0);
    assert_eq!(repository.live("ci"), first);
    let now = fs::read(repository.stage.path("access/credentials/ci.json")).expect("a key");
    assert!(now == key, "the same key");
}

#[test]
fn a_checkout_of_before_is_no_undo() {
    let before = account("ci", "\"agent\"", "");
    let mut repository = Repository::begin(&before);
    let first = repository.first.clone();
    repository.commit(&account("ci", "\"agent\", \"viewer\"", ""));
    assert_eq!(repository.apply(&[]).0, 0);
    fs::write(
        repository.stage.path("access/main.hcl"),
        HEAD.to_owned() + &before,
    )
    .expect("written");
    repository.tree.check_out(&first);
    assert_eq!(
        repository.apply(&[]),
        (3, vec!["older-checkout".to_owned()])
    );
}

#[test]
fn a_deleted_account_comes_back_as_another_one_with_another_key() {
    let base = account("base", "\"viewer\"", "");
    let both = base.clone() + &account("ci", "\"agent\"", "");
    let mut repository = Repository::begin(&both);
    let first = repository.live("ci").expect("live").0;
    let at = repository.stage.path("access/credentials/ci.json");
    let key = fs::read(&at).expect("a key");
    repository.commit(&base);
    let (code, guards) = repository.apply(&[]);
    assert_eq!(code, 0, "{guards:?}");
    assert_eq!(repository.live("ci"), None);
    repository.commit(&both);
    assert_eq!(repository.apply(&[]).0, 0);
    let second = repository.live("ci").expect("live").0;
    assert_ne!(first, second);
    assert!(fs::read(&at).expect("a key") != key, "another key");
}

#[test]
fn a_protected_account_takes_two_merges_to_undo() {
    let base = account("base", "\"viewer\"", "");
    let mut repository =
        Repository::begin(&(base.clone() + &account("ci", "\"agent\"", PROTECTED)));
    repository.commit(&base);
    assert_eq!(repository.apply(&[]).0, 3);
    assert!(repository.live("ci").is_some());
    let unprotected = PROTECTED.replace("true", "false");
    repository.commit(&(base.clone() + &account("ci", "\"agent\"", &unprotected)));
    assert_eq!(repository.apply(&[]).0, 0);
    repository.commit(&base);
    assert_eq!(repository.apply(&[]).0, 0);
    assert_eq!(repository.live("ci"), None);
}

#[test]
fn a_forgotten_account_is_taken_over_again_by_an_import() {
    let base = account("base", "\"viewer\"", "");
    let both = base.clone() + &account("ci", "\"agent\"", "");
    let mut repository = Repository::begin(&both);
    let (mrn, _) = repository.live("ci").expect("live");
    repository.commit(&(base + FORGET));
    assert_eq!(repository.apply(&[]).0, 0);
    // The revert alone meets the name.
    repository.commit(&both);
    assert_eq!(repository.apply(&[]).0, 3);
    let import = format!("import {{\n  to = service_account.ci\n  id = \"{mrn}\"\n}}\n");
    repository.commit(&(both.clone() + &import));
    assert_eq!(repository.apply(&[]).0, 0);
    assert_eq!(repository.live("ci").expect("live").0, mrn);
    assert_eq!(
        repository.code(&["plan", "--detailed-exitcode", "access"]),
        0
    );
}

#[test]
fn what_a_laptop_applies_is_no_drift_and_no_change_for_ci() {
    let mut repository = Repository::begin(&account("base", "\"viewer\"", ""));
    // Somebody else's credential, as the one of CI cannot be had.
    let person = SeedAccount {
        name: "laptop".to_owned(),
        roles: vec!["editor".to_owned()],
        ..SeedAccount::default()
    };
    let app = &repository.stage.app;
    let mrn = app
        .admin_create_account(ORG, &person, Timestamp::now())
        .expect("created");
    let credential = app
        .admin_issue_credential(&mrn, Timestamp::now())
        .expect("issued");
    let text = serde_json::to_string(&credential).expect("JSON");
    fs::write(repository.stage.path("laptop.json"), text).expect("written");
    let by = ["--credentials", "laptop.json"];
    repository.commit(&(account("base", "\"viewer\"", "") + &account("ci", "\"agent\"", "")));
    let plan = [&["plan", "--out", "plan.json"], &by[..], &["access"]].concat();
    assert_eq!(repository.code(&plan), 0);
    let apply = [&["--plan", "plan.json"], &by[..]].concat();
    assert_eq!(repository.apply(&apply), (0, Vec::new()));
    // By CI's own identity.
    assert_eq!(
        repository.code(&["plan", "--detailed-exitcode", "access"]),
        0
    );
    assert_eq!(
        repository.code(&["check", "--allow-unmanaged", "access"]),
        0
    );
}
