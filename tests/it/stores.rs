//! Whole runs that deliver into stores which are served beside them: what they are asked, and what they get.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output};

use rolecall_standins::vault::{ROOT, Vault};
use rolecall_standins::{Running, serve};

use crate::stage::{HEAD, Stage};

/// A server of the kind that is nobody's.
fn vault() -> Running<Vault> {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    serve(Vault::new(), here).expect("served")
}

/// A sink at this address, and accounts whose keys go there.
fn delivering(address: &str, accounts: &[&str]) -> String {
    let mut text = format!(
        "sink \"vault\" \"ci\" {{\n  address = \"{address}\"\n  mount   = \"secret\"\n  path    = \
         \"mondoo/${{account.id}}\"\n}}\n\n"
    );
    for name in accounts {
        text.push_str(&format!(
            "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
             [\"viewer\"]\n\n  credential {{\n    deliver_to = [sink.vault.ci]\n  }}\n}}\n\n"
        ));
    }
    text
}

fn said(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Who writes the configuration cannot say that a login is for another server; a policy directory can.
#[test]
fn a_login_goes_where_a_policy_directory_says_and_no_configuration() {
    let (mine, other) = (vault(), vault());
    let mut stage = Stage::small();
    let allow = format!("destinations {{\n  allow = [\"{}\"]\n}}\n", other.url);
    let accounts = delivering(&other.url, &["ci"]);
    let apply = |stage: &Stage, more: &[&str]| {
        let arguments = [&["apply", "--yes"][..], more, &["access"]].concat();
        let mut command: Command = stage.command(&arguments);
        command.envs([("VAULT_ADDR", mine.url.as_str()), ("VAULT_TOKEN", ROOT)]);
        let output = command.output().expect("runs");
        (output.status.code(), said(&output))
    };
    stage.configure(&accounts);
    let (code, text) = apply(&stage, &[]);
    assert_eq!(code, Some(1), "{text}");
    let way = format!(
        "let a policy directory say destinations {{ allow = [\"{}\"] }}",
        other.url
    );
    assert!(text.contains(&way), "{text}");
    // In the configuration itself, in a directory of it, and by a link to that.
    stage.configure(&(accounts.clone() + &allow));
    let (code, text) = apply(&stage, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("not-the-configurations"), "{text}");
    stage.configure(&accounts);
    fs::create_dir(stage.path("access/rules")).expect("created");
    fs::write(stage.path("access/rules/allow.hcl"), &allow).expect("written");
    std::os::unix::fs::symlink("access/rules", stage.path("linked")).expect("linked");
    for dir in ["access/rules", "linked"] {
        let (code, text) = apply(&stage, &["--policy-dir", dir]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("lies in the configuration's"), "{text}");
    }
    assert!(other.calls().is_empty(), "something was sent");
    fs::create_dir(stage.path("security")).expect("created");
    fs::write(stage.path("security/allow.hcl"), &allow).expect("written");
    let (code, text) = apply(&stage, &["--policy-dir", "security"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains(&format!("logins of sinks may go to {}", other.url)),
        "{text}"
    );
    assert_eq!(
        other.with(|vault| vault.versions("", "secret", "mondoo/ci")),
        1
    );
    assert!(mine.calls().is_empty(), "the other server was asked");
}

/// An account whose keys go to these sinks.
fn account(name: &str, sinks: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
         [\"agent\"]\n\n  credential {{\n    deliver_to = [{sinks}]\n  }}\n}}\n\n"
    )
}

fn writes(stage: &Stage) -> usize {
    let reads = |operation: &&String| !operation.starts_with("create") && *operation != "setRoles";
    let seen = stage.front.seen();
    seen.len() - seen.iter().filter(reads).count()
}

/// In CI the file goes with the runner, and its account would be live for nobody.
#[test]
fn a_key_that_would_be_lost_with_the_machine_is_not_made() {
    let vault = vault();
    let mut stage = Stage::small();
    let head = HEAD.replace("  keep      = true\n", "");
    assert_ne!(head, HEAD);
    let main = stage.path("access/main.hcl");
    let write = |text: &str| fs::write(&main, text).expect("written");
    write(&(head.clone() + &account("ci", "sink.file.local")));
    assert_eq!(stage.run(&["plan", "access"]), 0);
    let apply = ["apply", "--yes", "access"];
    assert_eq!(stage.run(&apply), 3);
    assert_eq!(writes(&stage), 0);
    assert!(!stage.path("access/credentials").exists());
    let arguments = ["apply", "--yes", "--format", "json", "access"];
    let output = stage.command(&arguments).output().expect("runs");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    crate::formats::schema::check(&document);
    assert_eq!(document["refusals"][0]["guard"], "lost-key");
    assert_eq!(document["refusals"][0]["apply_only"], true);
    stage.say("under --local nothing is lost");
    assert_eq!(stage.run(&["apply", "--yes", "--local", "access"]), 0);
    stage.say("another plan's acknowledgement");
    let ack = |digest: &str| format!("lost-key={digest}");
    let other = ack(&"0".repeat(64));
    let arguments = ["apply", "--yes", "--ack", &other, "access"];
    assert_eq!(
        stage
            .command(&arguments)
            .output()
            .expect("runs")
            .status
            .code(),
        Some(3)
    );
    stage.say("a later step takes the file away");
    let digest = document["plan"]["digest"].as_str().expect("a digest");
    let this = ack(digest);
    assert_eq!(stage.run(&["apply", "--yes", "--ack", &this, "access"]), 0);
    stage.say("a volume: what is there stays there, and is no change");
    let kept = head.replace(
        "\"credentials\"\n}",
        "\"credentials\"\n  keep      = true\n}",
    );
    assert_ne!(kept, head);
    let two = account("ci", "sink.file.local") + &account("two", "sink.file.local");
    write(&(kept + &two));
    assert_eq!(stage.run(&apply), 0);
    stage.say("a store beside the file");
    let sink = delivering(&vault.url, &[]);
    let three = two + &sink + &account("three", "sink.file.local, sink.vault.ci");
    write(&(head + &three));
    let output = {
        let mut command = stage.command(&apply);
        command.envs([("VAULT_ADDR", vault.url.as_str()), ("VAULT_TOKEN", ROOT)]);
        command.output().expect("runs")
    };
    assert_eq!(stage.note(&apply, &output), 0);
    assert_eq!(
        vault.with(|vault| vault.versions("", "secret", "mondoo/three")),
        1
    );
    stage.compare("lost-key.txt");
}
