//! Who has an account: renamed addresses, accounts that are given up, taken over or protected, and
//! those that nobody has. Most of these stories are files of `scripts`.

use std::fs;

use jiff::Timestamp;
use rolecall_server::SeedAccount;

use crate::stage::{HEAD, PAYMENTS, Stage, Then};

const APPLY: [&str; 3] = ["apply", "--yes", "access"];

fn block(label: &str, more: &str) -> String {
    format!(
        "service_account \"{label}\" {{\n  scope = space.payments\n  name  = \"ci\"\n  roles = \
         [\"viewer\"]\n{more}\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n"
    )
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
    assert!(text.contains("- service_account.ci: delete"), "{text}");
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
