//! What the configuration cannot take, and what it cannot lift.

use std::collections::BTreeMap;
use std::fs;

use jiff::Timestamp;
use rolecall_server::SeedAccount;
use serde_json::Value;

use super::{account, code, refused_unasked, run, said, writes};
use crate::stage::{HEAD, PAYMENTS, SEAL_KEY, SEAL_PUBLIC, Stage};
use rolecall::model::SealKey;

const APPLY: [&str; 3] = ["apply", "--yes", "access"];

/// The marks of an account of a stack, as anybody can write them.
fn marks(stack: &str, address: &str) -> BTreeMap<String, String> {
    [
        ("rolecall-stack", stack),
        ("rolecall-address", address),
        ("rolecall-mark", "v1.0-1-0.g1.p0d0r0.e-.t-"),
        ("rolecall-written", "-.-"),
        ("rolecall-credential", "external"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// Makes an account behind the program's back; gives its resource name and its creator's.
fn by_hand(stage: &Stage, name: &str, labels: BTreeMap<String, String>) -> (String, String) {
    let seed = SeedAccount {
        name: name.to_owned(),
        roles: vec!["viewer".to_owned()],
        creator: Some("//captain.api.mondoo.app/users/2bB5gsCSGp2Tlwiyv7mKN9PRSHK".to_owned()),
        labels,
        ..SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(PAYMENTS, &seed, Timestamp::now());
    made.expect("made");
    let found = live(stage, name).expect("live");
    let text = |key: &str| found[key].as_str().expect("a text").to_owned();
    (text("mrn"), text("creator"))
}

fn live(stage: &Stage, name: &str) -> Option<Value> {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    accounts.iter().find(|a| a["name"] == name).cloned()
}

/// The run is refused by a guard, and nothing is written.
fn refused(stage: &Stage, arguments: &[&str], what: &str) -> String {
    let before = writes(stage).len();
    let output = run(stage, arguments);
    assert_eq!(code(&output), Some(3), "{what}: {}", said(&output));
    assert_eq!(writes(stage).len(), before, "{what}");
    said(&output)
}

#[test]
fn marks_are_not_the_authors_to_write() {
    let mut stage = Stage::small();
    for label in [
        "rolecall-stack",
        "rolecall-seal",
        "rolecall-mark",
        "Rolecall-Stack",
        "rolecall-anything",
    ] {
        let labels = format!("labels = {{ \"{label}\" = \"x\" }}\n  scope =");
        stage.configure(&account("ci", "[\"viewer\"]").replacen("scope =", &labels, 1));
        let text = refused_unasked(&stage, &APPLY, label);
        assert!(text.contains("[reserved-label]"), "{label}: {text}");
    }
}

#[test]
fn an_import_of_another_stacks_account() {
    let mut stage = Stage::small();
    let (mrn, _) = by_hand(&stage, "ci", marks("other-access.aaaa1111", "ci"));
    let import = format!("import {{\n  to = service_account.ci\n  id = \"{mrn}\"\n}}\n");
    stage.configure(&(account("ci", "[\"owner\"]") + &import));
    refused(&stage, &APPLY, "import");
}

/// The author calls their configuration as another team calls theirs.
#[test]
fn another_teams_stack_under_another_seal_key() {
    let mut stage = Stage::small();
    stage.configure(&account("theirs", "[\"viewer\"]"));
    // The other team's configuration has another key, and so has the job that applies it.
    let other = SealKey::parse(&SEAL_KEY.replacen(":AAEC", ":8AEC", 1)).expect("a key");
    let path = stage.path("access/main.hcl");
    let theirs = fs::read_to_string(&path).expect("there");
    let theirs = theirs.replacen(SEAL_PUBLIC, other.public().text(), 1);
    fs::write(&path, theirs).expect("written");
    let mut command = stage.command(&APPLY);
    let output = command
        .env("ROLECALL_SEAL_KEY", other.text().as_str())
        .output();
    assert_eq!(code(&output.expect("runs")), Some(0));
    for text in [
        account("theirs", "[\"owner\"]"),
        account("mine", "[\"viewer\"]"),
        "removed {\n  from = service_account.theirs\n\n  lifecycle {\n    destroy = false\n  }\n}\n"
            .to_owned(),
        "moved {\n  from = service_account.theirs\n  to   = service_account.mine\n}\n\n".to_owned()
            + &account("mine", "[\"viewer\"]"),
    ] {
        stage.configure(&text);
        refused(&stage, &APPLY, &text);
        refused(&stage, &["apply", "--yes", "--destroy", "access"], &text);
    }
}

/// The attacker has made an account, marked it, holds its key, and asks that it be trusted.
#[test]
fn trusting_a_creator_gives_nothing_where_there_is_a_seal_key() {
    let stage = Stage::small();
    let (_, creator) = by_hand(&stage, "ci", marks("acme-access.k7m2q9ta", "ci"));
    let head = HEAD.replacen(
        "  id       = \"k7m2q9ta\"",
        &format!("  id       = \"k7m2q9ta\"\n  trusted_creators = [\"{creator}\"]"),
        1,
    );
    let text = head.clone() + &account("ci", "[\"owner\"]");
    assert_ne!(head, HEAD);
    fs::write(stage.path("access/main.hcl"), &text).expect("written");
    refused(&stage, &APPLY, "trusted");
    // Without a key it is believed, and to raise it a person must name this very plan.
    let key = format!("\n  seal_key = \"{SEAL_PUBLIC}\"");
    assert!(text.contains(&key), "{text}");
    fs::write(stage.path("access/main.hcl"), text.replacen(&key, "", 1)).expect("written");
    let mut command = stage.command(&APPLY);
    let output = command.env_remove("ROLECALL_SEAL_KEY").output();
    let output = output.expect("runs");
    assert_eq!(code(&output), Some(3), "{}", said(&output));
    assert!(said(&output).contains("--ack raise="), "{}", said(&output));
    assert_eq!(writes(&stage), [""; 0]);
}

/// What a policy directory forbids stays forbidden, whatever the configuration says.
#[test]
fn limits_of_a_policy_directory_hold_for_every_way_to_delete() {
    let mut stage = Stage::small();
    let both = account("one", "[\"viewer\"]") + &account("two", "[\"viewer\"]");
    stage.configure(&both);
    assert_eq!(code(&run(&stage, &APPLY)), Some(0));
    by_hand(&stage, "stray", BTreeMap::new());
    fs::create_dir(stage.path("security")).expect("created");
    let rules = "limits {\n  max_deletes        = 0\n  max_escalations    = 0\n  \
                 max_revoked_grants = 0\n}\n";
    fs::write(stage.path("security/rules.hcl"), rules).expect("written");
    let loose = "limits {\n  max_deletes        = 1000\n  max_delete_percent = 100\n  \
                 max_escalations    = 1000\n  max_revoked_grants = 1000\n}\n\n";
    let sweep = HEAD.replacen(
        "  id = \"acme-corp-883120\"\n",
        "  id = \"acme-corp-883120\"\n\n  unmanaged {\n    action = \"delete\"\n  }\n",
        1,
    );
    let removed = "removed {\n  from = service_account.two\n}\n\n";
    let moved = "moved {\n  from = service_account.two\n  to   = service_account.three\n}\n\n";
    let import = |stage: &Stage| {
        let mrn = live(stage, "stray").expect("live")["mrn"].to_string();
        format!("import {{\n  to = service_account.stray\n  id = {mrn}\n}}\n\n")
    };
    let one = account("one", "[\"viewer\"]");
    for (what, head, text) in [
        ("a block is gone", HEAD, one.clone()),
        ("it is removed", HEAD, one.clone() + removed),
        ("what nobody has is swept", &sweep, both.clone()),
        (
            "it moves and loses its roles",
            HEAD,
            one.clone()
                + moved
                + &account("three", "[]").replacen("\"three\"\n  roles", "\"two\"\n  roles", 1),
        ),
        (
            "it is imported and raised",
            HEAD,
            both.clone() + &import(&stage) + &account("stray", "[\"owner\"]"),
        ),
        (
            "it is imported and stripped",
            HEAD,
            both.clone() + &import(&stage) + &account("stray", "[]"),
        ),
        (
            "one more is made",
            HEAD,
            both.clone() + &account("more", "[\"viewer\"]"),
        ),
    ] {
        let text = head.to_owned() + loose + &text;
        fs::write(stage.path("access/main.hcl"), text).expect("written");
        let guarded = ["apply", "--yes", "--policy-dir", "security", "access"];
        let told = refused(&stage, &guarded, what);
        assert!(told.contains("guard max-"), "{what}: {told}");
        let free = run(&stage, &["plan", "access"]);
        assert_eq!(
            code(&free),
            Some(0),
            "{what}: only the directory refuses: {}",
            said(&free)
        );
    }
}

#[test]
fn a_policy_of_the_directory_is_lifted_by_no_word_of_the_configuration() {
    let mut stage = Stage::small();
    fs::create_dir(stage.path("security")).expect("created");
    let rule = |more: &str| {
        format!(
            "policy \"no_owners\" {{\n  condition = !contains(self.roles, \"owner\")\n  message   = \
             \"no\"\n{more}}}\n"
        )
    };
    fs::write(stage.path("security/rules.hcl"), rule("")).expect("written");
    let guarded = ["apply", "--yes", "--policy-dir", "security", "access"];
    let owner = account("ci", "[\"owner\"]");
    for more in [
        rule("  exempt = [\"*\"]\n"),
        rule("  exempt = [service_account.ci]\n"),
        rule("  severity = \"warning\"\n"),
        rule("").replace("!contains(self.roles, \"owner\")", "self.name != \"\""),
    ] {
        stage.configure(&(owner.clone() + &more));
        refused(&stage, &guarded, &more);
    }
    // The owner comes by the platform's own words too: an MRN in the place of the short name.
    let mrn = "\"//iam.api.mondoo.app/roles/owner\"";
    stage.configure(&account("ci", &format!("[{mrn}]")));
    refused(&stage, &guarded, mrn);
    // And a file of the configuration is no file of the directory.
    stage.configure(&owner);
    fs::write(stage.path("access/rules.hcl"), rule("  exempt = [\"*\"]\n")).expect("written");
    refused(&stage, &guarded, "a file of the same name");
}
