//! What goes wrong with other tools, each a test under the letter of its hole. What they do is in the
//! comments, found by running them or in their code. What was reviewed and what runs (C, D, I, T) is in
//! `reviewed.rs`, who has an account (F, H) in `custody.rs`.

mod births;
mod texts;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use rolecall_server::SeedAccount;

use crate::stage::{PAYMENTS, Stage};

const APPLY: [&str; 3] = ["apply", "--yes", "access"];
const PLAN: [&str; 3] = ["plan", "--detailed-exitcode", "access"];

fn ci(more: &str, roles: &str) -> String {
    format!(
        "service_account \"ci\" {{\n  scope = space.payments\n  name  = \"ci\"\n{more}  roles = \
         {roles}\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n"
    )
}

/// A stage on which `ci` is live with roles.
fn applied(more: &str, roles: &str) -> Stage {
    let mut stage = Stage::small();
    stage.configure(&ci(more, roles));
    assert_eq!(stage.run(&APPLY), 0);
    stage
}

fn account(stage: &Stage) -> (String, Vec<String>) {
    let dump = stage.app.dump().expect("a dump");
    let list = |key: &str| dump[key].as_array().expect("a list").clone();
    let found: Vec<_> = list("accounts")
        .into_iter()
        .filter(|a| a["name"] == "ci")
        .collect();
    assert_eq!(found.len(), 1, "exactly one");
    let mrn = found[0]["mrn"].as_str().expect("an MRN").to_owned();
    let binding = list("bindings").into_iter().find(|b| b["identity"] == *mrn);
    let roles = binding.map(|b| b["roles"].as_array().expect("roles").clone());
    let short = |role: &serde_json::Value| {
        let role = role.as_str().expect("a role");
        role.rsplit('/').next().unwrap_or(role).to_owned()
    };
    (mrn, roles.unwrap_or_default().iter().map(short).collect())
}

fn said(stage: &Stage, arguments: &[&str]) -> (Option<i32>, String) {
    let output = stage.command(arguments).output().expect("runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// E: an owner made by hand. Terraform never shows it.
#[test]
fn e_an_owner_made_by_hand_is_listed() {
    let stage = applied("", "[\"viewer\"]");
    let seed = SeedAccount {
        name: "made by hand".to_owned(),
        roles: vec!["owner".to_owned()],
        ..SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(PAYMENTS, &seed, Timestamp::now());
    made.expect("made");
    let (code, text) = said(&stage, &PLAN);
    assert_eq!(code, Some(0));
    let line = text
        .lines()
        .find(|l| l.contains("made by hand"))
        .expect("listed");
    assert!(line.contains("OWNER"), "{line}");
    let (code, _) = said(&stage, &["plan", "--strict", "access"]);
    assert_eq!(code, Some(6));
}

/// G: the roles in another order, by other names. Terraform sees a change.
#[test]
fn g_order_and_spelling_of_roles_are_no_change() {
    let mut stage = applied("", "[\"agent\", \"viewer\"]");
    for same in [
        "[\"viewer\", \"agent\"]",
        "[\"viewer\", \"//iam.api.mondoo.app/roles/agent\"]",
        "[\"viewer\", \"agent\", \"viewer\"]",
    ] {
        stage.configure(&ci("", same));
        assert_eq!(said(&stage, &PLAN).0, Some(0), "{same}");
    }
}

/// K: a second checkout, without any local file of the first. Terraform makes all of it again.
#[test]
fn k_a_second_checkout_changes_nothing() {
    let stage = applied("", "[\"viewer\"]");
    let other = stage.path("elsewhere");
    fs::create_dir(&other).expect("created");
    fs::copy(stage.path("access/main.hcl"), other.join("main.hcl")).expect("copied");
    assert_eq!(
        said(&stage, &["plan", "--detailed-exitcode", "elsewhere"]).0,
        Some(0)
    );
    assert_eq!(said(&stage, &["apply", "--yes", "elsewhere"]).0, Some(0));
    account(&stage);
    assert!(!other.join("credentials").exists(), "no key was made");
}

/// N: a role raised by hand. Mondoo's Terraform provider never reads roles, and plans no change.
#[test]
fn n_a_raised_role_is_shown_and_put_right() {
    let stage = applied("", "[\"viewer\"]");
    let set = |role: &str| {
        let mrn = account(&stage).0;
        let set = stage
            .app
            .admin_set_roles(PAYMENTS, &mrn, &[role], Timestamp::now());
        set.expect("set");
    };
    set("owner");
    let (code, text) = said(&stage, &PLAN);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("- owner") && text.contains("+ viewer"),
        "{text}"
    );
    assert_eq!(said(&stage, &APPLY).0, Some(0));
    assert_eq!(account(&stage).1, ["viewer"]);
}

/// O: roles changed in the configuration. The provider never sends them.
#[test]
fn o_changed_roles_reach_the_platform_and_the_account_stays() {
    let mut stage = applied("", "[\"viewer\"]");
    let before = account(&stage).0;
    stage.configure(&ci("", "[\"agent\"]"));
    assert_eq!(stage.run(&APPLY), 0);
    assert_eq!(account(&stage), (before, vec!["agent".to_owned()]));
}

/// P: a changed description. The provider writes it to `notes`, reads `description`, and never ends.
#[test]
fn p_a_changed_description_converges() {
    let mut stage = applied("  description = \"one\"\n", "[\"viewer\"]");
    stage.configure(&ci("  description = \"two\"\n", "[\"viewer\"]"));
    assert_eq!(said(&stage, &PLAN).0, Some(2));
    assert_eq!(stage.run(&APPLY), 0);
    assert_eq!(said(&stage, &PLAN).0, Some(0));
}

/// R: an account deleted by hand. With the provider every later plan fails.
#[test]
fn r_a_deleted_account_is_planned_as_a_create() {
    let stage = applied("", "[\"viewer\"]");
    let mrn = account(&stage).0;
    let deleted = stage.app.admin_delete(&mrn, Timestamp::now());
    deleted.expect("deleted");
    let (code, text) = said(&stage, &PLAN);
    assert_eq!(code, Some(2));
    assert!(text.contains("+ service_account.ci: create"), "{text}");
    assert_eq!(said(&stage, &APPLY).0, Some(0));
    assert_ne!(account(&stage).0, mrn);
}

/// W: metadata edited before the guards ran. peribolos edits the organization first.
#[test]
fn w_nothing_is_written_before_all_guards_have_reviewed() {
    let mut stage = applied("  description = \"one\"\n", "[\"viewer\"]");
    let seen = || stage.front.seen().len();
    let before = seen();
    let limits = "limits {\n  max_escalations = 0\n}\n";
    let more = ci("  description = \"two\"\n", "[\"editor\"]");
    let before_writes = |stage: &Stage| {
        let reads = [
            "viewer",
            "organization",
            "space",
            "serviceAccounts",
            "serviceAccount",
        ];
        let seen = stage.front.seen();
        seen.into_iter()
            .filter(|o| !reads.contains(&o.as_str()))
            .count()
    };
    let writes = before_writes(&stage);
    stage.configure(&format!("{limits}{more}"));
    assert_eq!(stage.run(&APPLY), 3);
    assert!(stage.front.seen().len() > before, "it read");
    assert_eq!(
        before_writes(&stage),
        writes,
        "and wrote nothing, not even the description"
    );
}

/// Y: the run takes its own rights away. rust-lang/team's sync locked itself out.
#[test]
fn y_the_run_keeps_its_own_rights() {
    let mut stage = Stage::small();
    let dump = stage.app.dump().expect("a dump");
    let own = dump["accounts"][0]["mrn"]
        .as_str()
        .expect("an MRN")
        .to_owned();
    let block = format!(
        "service_account \"own\" {{\n  scope = organization.acme\n  name  = \"platform owner\"\n  \
         roles = [\"viewer\"]\n}}\n\nimport {{\n  to = service_account.own\n  id = \"{own}\"\n}}\n"
    );
    stage.configure(&block);
    let (code, text) = said(&stage, &APPLY);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("guard own-account"), "{text}");
}

/// V: a guard that counts objects. peribolos let a change through that emptied teams and deleted none.
#[test]
fn v_the_guard_counts_grants_and_what_they_weigh() {
    let mut stage = Stage::small();
    let both = |roles: &str| {
        let two = ci("", roles).replace("\"ci\"", "\"two\"");
        let limits = "limits {\n  max_deletes        = 0\n  max_revoked_grants = 5\n}\n\n";
        format!("{limits}{}{two}", ci("", roles))
    };
    stage.configure(&both("[\"editor\", \"viewer\"]"));
    assert_eq!(stage.run(&APPLY), 0);
    stage.configure(&both("[\"editor\"]"));
    assert_eq!(said(&stage, &PLAN).0, Some(2), "two viewers weigh 2");
    stage.configure(&both("[\"viewer\"]"));
    let (code, text) = said(&stage, &APPLY);
    assert_eq!(code, Some(3), "two editors weigh 6: {text}");
    assert!(text.contains("guard max-revoked-grants"), "{text}");
    assert_eq!(account(&stage).1, ["editor", "viewer"]);
}

/// The letters whose tests a file holds: `fn a_…` under a comment that begins with `A: `, or the same of a
/// run that is a script: `a_…: "file",`.
fn letters(text: &str, found: &mut BTreeMap<char, usize>) {
    let mut first = "";
    for line in text.lines() {
        let script = line
            .strip_prefix("    ")
            .filter(|line| line.ends_with("\","));
        let words = line.strip_prefix("/// ").or(line.strip_prefix("    // "));
        if let Some(words) = words {
            if first.is_empty() {
                first = words;
            }
        } else if let Some(name) = line.strip_prefix("fn ").or(script) {
            let letter = name.chars().next().unwrap_or_default();
            let heading = format!("{}: ", letter.to_ascii_uppercase());
            if name[letter.len_utf8()..].starts_with('_') && first.starts_with(&heading) {
                *found.entry(letter).or_default() += 1;
            }
            first = "";
        } else if line != "#[test]" {
            first = "";
        }
    }
}

fn letters_below(folder: &Path, found: &mut BTreeMap<char, usize>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            letters_below(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            letters(&fs::read_to_string(&path).expect("readable"), found);
        }
    }
}

#[test]
fn every_hole_from_a_to_z_has_its_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut found = BTreeMap::new();
    letters_below(&tests, &mut found);
    let expected: BTreeMap<char, usize> = ('a'..='z').map(|letter| (letter, 1)).collect();
    assert_eq!(found, expected);
}
