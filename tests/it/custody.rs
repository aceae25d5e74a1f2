//! Who has an account: renamed addresses, accounts that are given up, taken over or protected, and
//! those that nobody has.

use std::fs;

use jiff::Timestamp;
use rolecall_server::SeedAccount;

use crate::stage::{HEAD, PAYMENTS, Stage, Then};

const APPLY: [&str; 3] = ["apply", "--yes", "access"];
const PLAN: [&str; 3] = ["plan", "--detailed-exitcode", "access"];

fn block(label: &str, more: &str) -> String {
    format!(
        "service_account \"{label}\" {{\n  scope = space.payments\n  name  = \"ci\"\n  roles = \
         [\"viewer\"]\n{more}\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n"
    )
}

fn lifecycle(prevent: bool) -> String {
    format!("\n  lifecycle {{\n    prevent_destroy = {prevent}\n  }}\n")
}

/// The live accounts of this name: resource name and labels.
fn named(stage: &Stage, name: &str) -> Vec<(String, Vec<(String, String)>)> {
    let dump = stage.app.dump().expect("a dump");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let accounts = dump["accounts"].as_array().expect("accounts");
    accounts
        .iter()
        .filter(|a| a["name"] == name)
        .map(|a| {
            let labels = a["labels"].as_array().expect("labels");
            let labels = labels.iter().map(|l| (text(&l["key"]), text(&l["value"])));
            (text(&a["mrn"]), labels.collect())
        })
        .collect()
}

fn label(stage: &Stage, name: &str, key: &str) -> Option<String> {
    let found = named(stage, name);
    assert_eq!(found.len(), 1, "exactly one {name}");
    let mut labels = found[0].1.iter();
    labels.find(|(k, _)| k == key).map(|(_, v)| v.clone())
}

fn by_hand(stage: &Stage, name: &str, labels: &[(String, String)]) {
    let seed = SeedAccount {
        name: name.to_owned(),
        roles: vec!["viewer".to_owned()],
        labels: labels.iter().cloned().collect(),
        ..SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(PAYMENTS, &seed, Timestamp::now());
    made.expect("made");
}

/// A limit that the threat model tells of: there is no state, so what no block points at is not seen.
#[test]
fn accounts_of_a_scope_that_no_block_names_are_seen_where_the_login_lives() {
    let stage = Stage::small();
    let write = |text: &str| {
        fs::write(stage.path("access/main.hcl"), text).expect("written");
    };
    let said = |arguments: &[&str]| {
        let output = stage.command(arguments).output().expect("runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let of_organization = block("boss", "")
        .replace("space.payments", "organization.acme")
        .replace("\"ci\"", "\"boss\"");
    write(&format!("{HEAD}{of_organization}{}", block("ci", "")));
    said(&APPLY);
    assert_eq!(named(&stage, "boss").len(), 1);
    let organization = "organization \"acme\" {\n  id = \"acme-corp-883120\"\n}\n";
    let belongs = "  organization = organization.acme\n";
    let space = "space \"payments\" {\n  id           = \"amazing-hofstadter-175565\"\n}\n";
    let without = HEAD.replacen(organization, "", 1).replacen(belongs, "", 1);
    assert!(without.contains(space) && !without.contains("acme-corp-883120"));
    write(&format!("{without}{}", block("ci", "")));
    for command in ["plan", "list", "check"] {
        let text = said(&[command, "access"]);
        assert!(text.contains("boss"), "{command}: {text}");
        let text = said(&[command, "--scopes=declared", "access"]);
        assert!(text.contains("1 account"), "{command}: {text}");
        assert!(!text.contains("boss"), "{command}: {text}");
    }
    // A space of an organization that is declared is still read.
    write(&(HEAD.replacen(belongs, "", 1).replacen(space, "", 1) + &of_organization));
    let text = said(&["plan", "access"]);
    assert!(text.contains("- delete service_account.ci"), "{text}");
}

/// H: an address renamed. Terraform destroys and creates: a new key, and an outage.
#[test]
fn h_a_renamed_address_moves_a_label_and_nothing_else() {
    let mut stage = Stage::small();
    stage.configure(&block("old", ""));
    assert_eq!(stage.run(&APPLY), 0);
    let before = named(&stage, "ci");
    stage.say("without a moved block it would be another account, which the name forbids");
    stage.configure(&block("new", ""));
    assert_eq!(stage.run(&PLAN), 3);
    stage.say("with it");
    let moved = "moved {\n  from = service_account.old\n  to   = service_account.new\n}\n";
    stage.configure(&format!("{}{moved}", block("new", "")));
    assert_eq!(stage.run(&APPLY), 0);
    let after = named(&stage, "ci");
    assert_eq!(before[0].0, after[0].0, "the same account");
    assert_eq!(
        label(&stage, "ci", "rolecall-address").as_deref(),
        Some("new")
    );
    let writes = stage.front.seen();
    let wrote = |operation: &str| writes.iter().filter(|o| *o == operation).count();
    assert_eq!(wrote("createServiceAccount"), 1, "{writes:?}");
    assert_eq!(wrote("deleteServiceAccounts"), 0, "{writes:?}");
    stage.say("the block may stay, and may go");
    assert_eq!(stage.run(&PLAN), 0);
    stage.configure(&block("new", ""));
    assert_eq!(stage.run(&PLAN), 0);
    stage.compare("custody/moved.txt");
}

/// F: the block of a protected account deleted. Terraform destroys the account.
#[test]
fn f_protection_is_on_the_account_and_outlives_its_block() {
    let mut stage = Stage::small();
    stage.configure(&block("ci", &lifecycle(true)));
    assert_eq!(stage.run(&APPLY), 0);
    let protected = |stage: &Stage| {
        let mark = label(stage, "ci", "rolecall-mark").expect("marked");
        mark.contains(".p1")
    };
    assert!(protected(&stage));
    stage.say("the block is gone");
    stage.configure("");
    assert_eq!(stage.run(&["apply", "--yes", "--destroy", "access"]), 3);
    stage.say("only the lifecycle block is gone: protection stays");
    stage.configure(&block("ci", ""));
    assert_eq!(stage.run(&PLAN), 0);
    stage.say("to lift it is a change that everybody sees");
    stage.configure(&block("ci", &lifecycle(false)));
    assert_eq!(stage.run(&APPLY), 0);
    assert!(!protected(&stage));
    stage.configure("");
    assert_eq!(stage.run(&["apply", "--yes", "--destroy", "access"]), 0);
    assert!(named(&stage, "ci").is_empty());
    stage.compare("custody/protected.txt");
}

#[test]
fn what_is_given_up_stays_live_and_is_nobodys() {
    let mut stage = Stage::small();
    stage.configure(&format!(
        "{}{}",
        block("ci", ""),
        block("kept", "").replace("\"ci\"", "\"kept\"")
    ));
    assert_eq!(stage.run(&APPLY), 0);
    let removed =
        "removed {\n  from = service_account.ci\n\n  lifecycle {\n    destroy = false\n  }\n}\n";
    stage.configure(&format!(
        "{}{removed}",
        block("kept", "").replace("\"ci\"", "\"kept\"")
    ));
    assert_eq!(stage.run(&APPLY), 0);
    let found = named(&stage, "ci");
    assert_eq!(found.len(), 1);
    assert!(found[0].1.is_empty(), "no mark is left: {found:?}");
    stage.say("it is listed as nobody's, and the block may go");
    assert_eq!(stage.run(&PLAN), 0);
    stage.compare("custody/forgotten.txt");
}

#[test]
fn another_stacks_account_is_taken_only_on_a_word_outside_of_the_configuration() {
    let mut stage = Stage::small();
    let marks: Vec<(String, String)> = [
        ("rolecall-stack", "old-access.aaaa1111"),
        ("rolecall-address", "ci"),
        ("rolecall-mark", "v1.0-1-0.g1.p0d0r0.e-.t-"),
        ("rolecall-written", "-.-"),
        ("rolecall-credential", "external"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    by_hand(&stage, "ci", &marks);
    let mrn = named(&stage, "ci")[0].0.clone();
    let import = format!("import {{\n  to = service_account.ci\n  id = \"{mrn}\"\n}}\n");
    stage.configure(&format!("{}{import}", block("ci", "")));
    assert_eq!(stage.run(&APPLY), 3);
    stage.say("another stack than the one it belongs to");
    let take = |stack: &str| ["apply", "--yes", "--take-over", stack, "access"].map(str::to_owned);
    let run = |stage: &mut Stage, stack: &str| {
        let arguments = take(stack);
        stage.run(&arguments.each_ref().map(String::as_str))
    };
    assert_eq!(run(&mut stage, "other-access/bbbb2222"), 3);
    assert_eq!(run(&mut stage, "old-access/aaaa1111"), 0);
    assert_eq!(stage.run(&PLAN), 0);
    stage.compare("custody/taken.txt");
}

#[test]
fn accounts_that_nobody_has_are_listed_refused_or_deleted_as_their_scope_says() {
    let mut stage = Stage::small();
    by_hand(&stage, "legacy-scanner", &[]);
    by_hand(&stage, "stray", &[]);
    by_hand(
        &stage,
        "foreign",
        &[("rolecall-stack".to_owned(), "other.bbbb2222".to_owned())],
    );
    let id = "  id = \"acme-corp-883120\"\n";
    let with = |action: &str| {
        let setting = format!(
            "{id}\n  unmanaged {{\n    action = \"{action}\"\n    except = [\"legacy-*\"]\n  }}\n"
        );
        format!("{}{}", HEAD.replacen(id, &setting, 1), block("ci", ""))
    };
    for action in ["report", "fail", "delete"] {
        stage.say(action);
        fs::write(stage.path("access/main.hcl"), with(action)).expect("written");
        let code = if action == "fail" { 3 } else { 0 };
        assert_eq!(stage.run(&APPLY), code, "{action}");
    }
    assert!(named(&stage, "stray").is_empty());
    for kept in ["legacy-scanner", "foreign", "ci"] {
        assert_eq!(named(&stage, kept).len(), 1, "{kept}");
    }
    stage.compare("custody/unmanaged.txt");
}

/// In the seed one service account and one person own the organization, besides the caller's account.
#[test]
fn an_organization_keeps_owners_people_among_them() {
    let mut stage = Stage::new();
    let boss = |roles: &str, limits: &str| {
        format!(
            "service_account \"boss\" {{\n  scope = organization.acme\n  name  = \"boss\"\n  roles = \
             {roles}\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n{limits}"
        )
    };
    let keeping = |owners: usize| format!("\nlimits {{\n  min_owners = {owners}\n}}\n");
    stage.configure(&boss("[\"owner\"]", ""));
    assert_eq!(stage.run(&APPLY), 0);
    stage.configure(&boss("[\"viewer\"]", &keeping(4)));
    assert_eq!(stage.run(&APPLY), 3);
    stage.say("which people own it cannot be read, and the two accounts that do are not enough");
    stage.configure(&boss("[\"viewer\"]", &keeping(3)));
    stage
        .front
        .hook(|operation, count| match (operation, count) {
            // Its name and its spaces are asked for first.
            ("organization", 3..) => Then::Refuse(403),
            _ => Then::Answer,
        });
    assert_eq!(stage.run(&APPLY), 3);
    stage.say("they can be read, and there is one");
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&APPLY), 0);
    stage.compare("custody/owners.txt");
}
