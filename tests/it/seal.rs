//! The seal in whole runs: who holds the key, what happens to marks that were moved, and the days
//! on which a stack gets a key, changes it or loses it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jiff::Timestamp;

use rolecall::model::{SealKey, StackId};
use zeroize::Zeroizing;

use crate::stage::{PAYMENTS, SEAL_KEY, SEAL_PUBLIC, Stage};

const OTHER_KEY: &str = "rolecall-seal-ed25519:8AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER_PUBLIC: &str = "ed25519:bRO2HSgwbzqJADzieI1YRGnMOjNYu8KEsXv2OZYy0Nk";
const APPLY: [&str; 3] = ["apply", "--yes", "access"];

/// Accounts declared with their roles, in one space.
fn declared(accounts: &[(&str, &str)]) -> String {
    let block = |(name, roles): &(&str, &str)| {
        format!(
            "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  \
             roles = {roles}\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
        )
    };
    accounts.iter().map(block).collect()
}

/// The resource name and the labels of a live account.
fn live(stage: &Stage, name: &str) -> (String, Vec<(String, String)>) {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let found = accounts.iter().find(|a| a["name"] == name).expect("live");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let labels = found["labels"].as_array().expect("labels");
    let labels = labels.iter().map(|l| (text(&l["key"]), text(&l["value"])));
    (text(&found["mrn"]), labels.collect())
}

fn put_labels(stage: &Stage, mrn: &str, labels: &[(String, String)]) {
    let labels: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (&**k, &**v)).collect();
    let put = stage
        .app
        .admin_update_labels(mrn, &labels, Timestamp::now());
    put.expect("labelled");
}

/// Without the private key.
fn without_key(stage: &mut Stage, arguments: &[&str]) -> i32 {
    stage.run_in(arguments, |command| {
        command.env_remove("ROLECALL_SEAL_KEY");
    })
}

#[test]
fn marks_moved_from_a_strong_account_to_a_weak_one_give_it_nothing() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[
        ("strong", "[\"editor\"]"),
        ("weak", "[\"viewer\"]"),
    ]));
    assert_eq!(stage.run(&APPLY), 0);
    stage.say("an Editor deletes `strong` and moves its marks to `weak`, whose key they hold");
    let (strong, marks) = live(&stage, "strong");
    let (weak, _) = live(&stage, "weak");
    let deleted = stage.app.admin_delete(&strong, Timestamp::now());
    deleted.expect("deleted");
    put_labels(&stage, &weak, &marks);
    stage.configure(&declared(&[("strong", "[\"editor\"]")]));
    assert_eq!(stage.run(&APPLY), 3);
    let writes = stage.front.seen();
    let granted = writes.iter().filter(|o| *o == "setRoles").count();
    assert_eq!(granted, 1, "the births' grants, and no other: {writes:?}");
    stage.compare("seal/moved.txt");
}

/// A limit that the threat model tells of: a seal says which marks, and not when.
#[test]
fn marks_that_the_account_had_before_fit_again() {
    let stage = Stage::small();
    let write = |text: &str| {
        let text = format!("{}{text}", crate::stage::HEAD);
        fs::write(stage.path("access/main.hcl"), text).expect("written");
    };
    let run = |arguments: &[&str]| {
        let output = stage.command(arguments).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    };
    let (ci, other) = (
        declared(&[("ci", "[\"viewer\"]")]),
        declared(&[("other", "[\"viewer\"]")]),
    );
    write(&(ci.clone() + &other));
    assert_eq!(run(&APPLY).0, Some(0));
    let (mrn, before) = live(&stage, "ci");
    let protected = "  lifecycle {\n    prevent_destroy = true\n  }\n\n  credential";
    let protected = ci.replace("  credential", protected);
    write(&(protected.clone() + &other));
    assert_eq!(run(&APPLY).0, Some(0));
    write(&other);
    let (code, text) = run(&["plan", "access"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("a mark on it forbids to delete it"), "{text}");
    put_labels(&stage, &mrn, &before);
    let (_, text) = run(&["plan", "access"]);
    assert!(text.contains("- service_account.ci: delete"), "{text}");
    // While it is declared, the difference shows, and is put right.
    write(&(protected + &other));
    let (_, text) = run(&["plan", "access"]);
    assert!(text.contains("+ cannot be deleted any more"), "{text}");
}

#[test]
fn without_a_key_raising_roles_wants_an_acknowledgement_of_this_plan() {
    let mut stage = Stage::small();
    stage.configure_unsealed(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(without_key(&mut stage, &APPLY), 0);
    stage.configure_unsealed(&declared(&[("ci", "[\"editor\"]")]));
    stage.say("the plan itself is in order, so plan does not refuse it");
    let plan = ["plan", "--detailed-exitcode", "access"];
    assert_eq!(without_key(&mut stage, &plan), 2);
    assert_eq!(without_key(&mut stage, &APPLY), 3);

    let document = stage
        .command(&["plan", "--format", "json", "access"])
        .env_remove("ROLECALL_SEAL_KEY")
        .output()
        .expect("runs");
    let document: serde_json::Value = serde_json::from_slice(&document.stdout).expect("JSON");
    let digest = document["plan"]["digest"].as_str().expect("a digest");
    assert_eq!(document["refusals"][0]["apply_only"], true);
    let acknowledge = |ack: &str| {
        let arguments = ["apply", "--yes", "--ack", ack, "access"];
        let output = stage
            .command(&arguments)
            .env_remove("ROLECALL_SEAL_KEY")
            .output();
        output.expect("runs").status.code()
    };
    let zeros = "0".repeat(64);
    let digest = digest.strip_prefix("sha256:").expect("sha256");
    assert_eq!(
        acknowledge(&format!("raise={zeros}")),
        Some(3),
        "another plan"
    );
    assert_eq!(
        acknowledge(&format!("rise={zeros}")),
        Some(64),
        "no such guard"
    );
    assert_eq!(
        acknowledge(&format!("raise={}", &digest[..12])),
        Some(64),
        "not its name"
    );
    let strange = format!("max-deletes={zeros}");
    assert_eq!(
        acknowledge(&strange),
        Some(3),
        "nothing objects, and it names another plan"
    );
    assert_eq!(acknowledge(&format!("raise={digest}")), Some(0));
    stage.compare("seal/raise.txt");
}

/// Puts another public key into the configuration, and what else the block is to say.
fn change_key(stage: &Stage, more: &str) {
    let path = stage.path("access/main.hcl");
    let text = fs::read_to_string(&path).expect("there");
    let new = format!("\"{OTHER_PUBLIC}\"{more}");
    fs::write(path, text.replacen(&format!("\"{SEAL_PUBLIC}\""), &new, 1)).expect("written");
}

/// A block that names a key as the one in use before.
fn former(key: &str, signature: &str, countersignature: Option<&str>) -> String {
    let countersignature = countersignature
        .map(|word| format!("    countersignature = \"{word}\"\n"))
        .unwrap_or_default();
    format!(
        "\n  seal_key_former {{\n    key = \"{key}\"\n    signature = \"{signature}\"\n\
         {countersignature}  }}"
    )
}

#[test]
fn a_stack_gets_a_key_changes_it_and_loses_it() {
    let mut stage = Stage::small();
    let ci = declared(&[("ci", "[\"viewer\"]")]);
    stage.configure_unsealed(&ci);
    assert_eq!(without_key(&mut stage, &APPLY), 0);

    stage.say("the key is there from now on; accounts without a seal are accepted once");
    stage.configure(&ci);
    assert_eq!(stage.run(&["plan", "access"]), 3);
    stage.say(
        "whoever created them must be trusted by the configuration: a caller's word is not enough",
    );
    assert_eq!(
        stage.run(&["apply", "--yes", "--accept-unsealed", "access"]),
        3
    );
    let owner = fs::read(stage.path("owner.json")).expect("there");
    let owner: serde_json::Value = serde_json::from_slice(&owner).expect("JSON");
    let path = stage.path("access/main.hcl");
    let text = fs::read_to_string(&path).expect("there");
    let key = format!("seal_key = \"{SEAL_PUBLIC}\"");
    let trusting = format!("{key}\n  trusted_creators = [{}]", owner["mrn"]);
    fs::write(path, text.replacen(&key, &trusting, 1)).expect("written");
    assert_eq!(
        stage.run(&["apply", "--yes", "--accept-unsealed", "access"]),
        0
    );
    stage.configure(&ci);
    assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 0);

    stage.say("another public key stands there, and nobody signed that");
    change_key(&stage, "");
    let plan = ["plan", "--detailed-exitcode", "access"];
    assert_eq!(without_key(&mut stage, &plan), 3);

    stage.say("the former key has handed over, and the seals are renewed");
    let (old, new) = (SealKey::parse(SEAL_KEY), SealKey::parse(OTHER_KEY));
    let (old, new) = (old.expect("a key"), new.expect("a key"));
    let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
    let handed = old.hand_over(&stack, new.public());
    let taken = new.take_over(&stack, old.public());
    stage.configure(&ci);
    change_key(&stage, &former(SEAL_PUBLIC, &handed, Some(&taken)));
    assert_eq!(without_key(&mut stage, &plan), 2);
    assert_eq!(stage.run(&APPLY), 1, "the former private key seals no more");
    let with_new = |stage: &mut Stage, arguments: &[&str]| {
        stage.run_in(arguments, |command| {
            command.env("ROLECALL_SEAL_KEY", OTHER_KEY);
        })
    };
    assert_eq!(with_new(&mut stage, &APPLY), 0);
    stage.configure(&ci);
    change_key(&stage, "");
    assert_eq!(without_key(&mut stage, &plan), 0);

    stage.say("a run that has lost the private key looks, and writes nothing");
    stage.configure(&ci.replace("viewer", "agent"));
    change_key(&stage, "");
    assert_eq!(without_key(&mut stage, &plan), 2);
    assert_eq!(without_key(&mut stage, &APPLY), 1);

    stage.say("a configuration that has lost its public key refuses what is sealed");
    stage.configure_unsealed(&ci.replace("viewer", "agent"));
    assert_eq!(without_key(&mut stage, &APPLY), 3);
    stage.compare("seal/key.txt");
}

/// A word of hand-over that was given for another stack, to another key, or by another one.
#[test]
fn a_former_key_that_has_not_signed_this_change_is_an_error() {
    let mut stage = Stage::small();
    let ci = declared(&[("ci", "[\"viewer\"]")]);
    let (old, new) = (SealKey::parse(SEAL_KEY), SealKey::parse(OTHER_KEY));
    let (old, new) = (old.expect("a key"), new.expect("a key"));
    let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
    let other = StackId::new("other-access", "k7m2q9ta").expect("valid");
    let taken = new.take_over(&stack, old.public());
    for word in [
        old.hand_over(&other, new.public()),
        old.hand_over(&stack, old.public()),
        new.hand_over(&stack, new.public()),
        "x".to_owned(),
    ] {
        stage.configure(&ci);
        change_key(&stage, &former(SEAL_PUBLIC, &word, Some(&taken)));
        let output = stage
            .command(&["validate", "access"])
            .output()
            .expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("has not signed this `seal_key` for this stack"),
            "{said}"
        );
    }
}

/// A key pair of anybody can sign this stack and its public key. Were it believed, so would be every
/// seal that it makes.
#[test]
fn a_former_key_that_the_key_in_use_does_not_know_is_an_error() {
    let mut stage = Stage::small();
    let ci = declared(&[("ci", "[\"viewer\"]")]);
    let seed = std::array::from_fn(|i| 100 + i as u8);
    let stranger = SealKey::of_seed(Zeroizing::new(seed)).expect("a key");
    let new = SealKey::parse(OTHER_KEY).expect("a key");
    let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
    let other = StackId::new("other-access", "k7m2q9ta").expect("valid");
    let handed = stranger.hand_over(&stack, new.public());
    let words = [
        None,
        Some(handed.clone()),
        Some(stranger.take_over(&stack, new.public())),
        Some(stranger.take_over(&stack, stranger.public())),
        Some(new.take_over(&other, stranger.public())),
        Some(new.hand_over(&stack, stranger.public())),
        // What stood there while another key was the former one.
        Some(new.take_over(&stack, SealKey::parse(SEAL_KEY).expect("a key").public())),
    ];
    for word in words {
        stage.configure(&ci);
        let block = former(stranger.public().text(), &handed, word.as_deref());
        change_key(&stage, &block);
        let says = match word {
            None => "`countersignature` is missing",
            Some(_) => "this `seal_key` has not signed, for this stack, that it takes the place of",
        };
        for command in [["validate", "access"], ["plan", "access"]] {
            let output = stage.command(&command).output().expect("runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(says), "{said}");
        }
    }
    assert_eq!(stage.front.seen().len(), 0, "nothing was asked before that");
}

#[test]
fn a_dispute_is_settled_by_importing_the_account_anew() {
    let mut stage = Stage::small();
    let ci = declared(&[("ci", "[\"viewer\"]")]);
    stage.configure(&ci);
    assert_eq!(stage.run(&APPLY), 0);
    let (mrn, mut labels) = live(&stage, "ci");
    labels.retain(|(key, _)| !key.starts_with("rolecall-seal"));
    put_labels(&stage, &mrn, &labels);
    stage.say("somebody has stripped the seal");
    assert_eq!(stage.run(&APPLY), 3);
    let import = format!("import {{\n  to = service_account.ci\n  id = \"{mrn}\"\n}}\n");
    stage.configure(&format!("{ci}{import}"));
    assert_eq!(stage.run(&APPLY), 0);
    stage.configure(&ci);
    let plan = ["plan", "--detailed-exitcode", "access"];
    assert_eq!(
        stage.run(&plan),
        0,
        "the block may go once it has done its work"
    );
    stage.compare("seal/imported.txt");
}

#[test]
fn keys_that_are_none() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    let wrong = &SEAL_KEY[1..];
    for value in [wrong, "", OTHER_KEY, SEAL_PUBLIC] {
        let code = stage.run_in(&["plan", "access"], |command| {
            command.env("ROLECALL_SEAL_KEY", value);
        });
        assert_eq!(code, 1, "{value}");
    }
    let file = |stage: &mut Stage, name: &str| {
        stage.run_in(&["plan", "access"], |command| {
            command
                .env_remove("ROLECALL_SEAL_KEY")
                .env("ROLECALL_SEAL_KEY_FILE", name);
        })
    };
    stage.say(
        "a file that holds the key, but is not there, or open to others, or beside the variable",
    );
    assert_eq!(file(&mut stage, "seal.key"), 1);
    let path = stage.path("seal.key");
    fs::write(&path, format!("{SEAL_KEY}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
    assert_eq!(file(&mut stage, "seal.key"), 1);
    let both = stage.run_in(&["plan", "access"], |command| {
        command.env("ROLECALL_SEAL_KEY_FILE", "seal.key");
    });
    assert_eq!(both, 1);
    stage.say("a private key, and a configuration without the public one");
    stage.configure_unsealed(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(stage.run(&["plan", "access"]), 1);
    assert_eq!(
        without_key(&mut stage, &["plan", "--accept-unsealed", "access"]),
        64
    );
    assert_eq!(stage.front.seen().len(), 0, "nothing was asked before that");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(file(&mut stage, "seal.key"), 0);
    stage.compare("seal/keys.txt");
}

/// The embedded platform has a key of its own, so that trying things out is as safe as the rest.
#[test]
fn the_embedded_platform_seals_with_a_key_of_its_own() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    let local = ["apply", "--local", "--yes", "access"];
    let run = |stage: &Stage, arguments: &[&str]| {
        let output = stage
            .command(arguments)
            .env_remove("ROLECALL_SEAL_KEY")
            .env_remove("MONDOO_CONFIG_PATH")
            .output();
        output.expect("runs").status.code()
    };
    assert_eq!(run(&stage, &local), Some(0));
    let path = stage.path("access/.rolecall/seal.key");
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    stage.configure(&declared(&[("ci", "[\"editor\"]")]));
    assert_eq!(run(&stage, &local), Some(0), "no acknowledgement is wanted");
    fs::remove_file(&path).expect("removed");
    assert_eq!(run(&stage, &local), Some(3), "another key proves nothing");
}

/// What is sealed stands in labels that every Editor can read; the key must not follow from it.
#[test]
fn every_account_that_is_born_or_adopted_is_sealed() {
    let mut stage = Stage::small();
    stage.configure(&declared(&[("ci", "[\"viewer\"]")]));
    assert_eq!(stage.run(&APPLY), 0);
    let (_, labels) = live(&stage, "ci");
    let seal = labels.iter().find(|(key, _)| key == "rolecall-seal");
    let (_, seal) = seal.expect("sealed");
    assert_eq!(
        (seal.find('.'), seal.len()),
        (Some(16), 16 + 1 + 43),
        "{seal}"
    );
    assert!(
        !labels
            .iter()
            .any(|(_, value)| value.contains(&SEAL_KEY[30..40]))
    );
    let set = stage.app.admin_set_roles(
        PAYMENTS,
        &live(&stage, "ci").0,
        &["editor"],
        Timestamp::now(),
    );
    set.expect("set");
    assert_eq!(
        stage.run(&["plan", "--detailed-exitcode", "access"]),
        2,
        "a role changed by hand is drift, and no dispute"
    );
}
