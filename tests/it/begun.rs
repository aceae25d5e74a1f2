//! An apply of a reviewed plan that is started again: it ends what the first one began, and takes nothing
//! of anybody else's for a part of it.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use crate::stage::{PAYMENTS, Stage, Then};

const PLAN: [&str; 4] = ["plan", "--out", "plan.json", "access"];
const APPLY: [&str; 4] = ["apply", "--plan", "plan.json", "access"];

fn account(name: &str, roles: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
         {roles}\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
    )
}

/// Everything a plan can do without a new key for what is there, and what was there before.
fn before_and_after() -> (String, String) {
    let before = account("changed", "[\"viewer\"]")
        + &account("goes", "[\"viewer\"]")
        + &account("left", "[\"viewer\"]")
        + &account("renamed", "[\"viewer\"]")
        + &account("lowered", "[\"viewer\", \"agent\"]");
    let after = account("changed", "[\"viewer\", \"agent\"]")
        + &account("lowered", "[\"viewer\"]")
        + &account("moved", "[\"viewer\"]").replace("name  = \"moved\"", "name  = \"another\"")
        + &account("new", "[\"viewer\"]")
        + &account("second", "[\"agent\"]")
        + "moved {\n  from = service_account.renamed\n  to   = service_account.moved\n}\n\n\
           removed {\n  from = service_account.left\n\n  lifecycle {\n    destroy = false\n  }\n}\n";
    (before, after)
}

/// A stage on which a plan of many kinds of changes was reviewed.
fn reviewed() -> Stage {
    let (before, after) = before_and_after();
    let mut stage = Stage::small();
    let limits = "limits {\n  max_delete_percent = 100\n}\n\n";
    stage.configure(&(limits.to_owned() + &before));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&(limits.to_owned() + &after));
    let code = stage.run(&PLAN);
    assert_eq!(code, 0, "{}", stage.shown());
    stage
}

fn accounts(stage: &Stage) -> Vec<(String, Vec<String>)> {
    let dump = stage.app.dump().expect("a dump");
    let bindings = dump["bindings"].as_array().expect("bindings");
    let accounts = dump["accounts"].as_array().expect("accounts").iter();
    let mut accounts: Vec<_> = accounts
        .map(|account| {
            let of = bindings.iter().filter(|b| b["identity"] == account["mrn"]);
            let roles = of.flat_map(|b| b["roles"].as_array().expect("roles"));
            let roles = roles.map(|role| {
                let role = role.as_str().expect("a role");
                role.rsplit('/').next().unwrap_or(role).to_owned()
            });
            let mut roles: Vec<String> = roles.collect();
            roles.sort();
            let name = account["name"].as_str().expect("a name").to_owned();
            (name, roles)
        })
        .filter(|(_, roles)| *roles != ["owner"])
        .collect();
    accounts.sort();
    accounts
}

fn wanted() -> Vec<(String, Vec<String>)> {
    let one = |name: &str, roles: &[&str]| {
        let roles = roles.iter().map(|role| (*role).to_owned());
        (name.to_owned(), roles.collect())
    };
    vec![
        one("another", &["viewer"]),
        one("changed", &["agent", "viewer"]),
        one("left", &["viewer"]),
        one("lowered", &["viewer"]),
        one("new", &["viewer"]),
        one("second", &["agent"]),
    ]
}

fn is_write(operation: &str) -> bool {
    let writes = ["create", "update", "delete", "set"];
    writes.iter().any(|write| operation.starts_with(write))
}

fn writes(stage: &Stage) -> usize {
    let seen = stage.front.seen();
    seen.iter().filter(|operation| is_write(operation)).count()
}

/// Applies what was reviewed, and is killed when its request of this number, from 1, has been answered or
/// as it comes. Whether it came so far.
fn killed(stage: &mut Stage, at: usize, answered: bool) -> bool {
    let pid = Arc::new(AtomicU32::new(0));
    let known = Arc::clone(&pid);
    let mut seen = 0;
    stage.front.hook(move |_, _| {
        seen += 1;
        if seen != at {
            return Then::Answer;
        }
        let mut child = 0;
        while child == 0 {
            thread::sleep(Duration::from_millis(1));
            child = known.load(Ordering::SeqCst);
        }
        let status = Command::new("kill")
            .args(["-KILL", &child.to_string()])
            .status();
        assert!(status.expect("kill runs").success());
        match answered {
            true => Then::Lose,
            false => Then::Refuse(500),
        }
    });
    let child = stage.start(&APPLY);
    pid.store(child.id(), Ordering::SeqCst);
    let output = child.wait_with_output().expect("it ends");
    stage.front.hook(|_, _| Then::Answer);
    output.status.code().is_none()
}

/// "Re-run failed jobs": the same plan again on a fresh machine, after the first run died anywhere.
#[test]
fn what_was_begun_is_ended_wherever_the_first_run_died() {
    // What it reads before its first write is the same wherever it ends there.
    let mut first = reviewed();
    first.front.hook(|_, _| Then::Answer);
    assert_eq!(first.run(&APPLY), 0);
    let seen = first.front.seen();
    let begins = seen.iter().position(|operation| is_write(operation));
    let begins = begins.expect("a write");
    let mut points = 0;
    for at in begins.. {
        let mut stage = reviewed();
        if !killed(&mut stage, at, at % 2 == 0) {
            break;
        }
        points += 1;
        stage.front.date(16);
        let code = stage.run(&APPLY);
        assert_eq!(code, 0, "request {at}: {}", stage.shown());
        assert_eq!(accounts(&stage), wanted(), "request {at}");
        stage.no_key_leaked();
        if at % 4 > 0 {
            continue;
        }
        stage.front.hook(|_, _| Then::Answer);
        let third = stage.command(&APPLY).output().expect("runs");
        let said = String::from_utf8_lossy(&third.stdout);
        assert_eq!(third.status.code(), Some(0), "request {at}: {third:?}");
        let already = said.starts_with("Applied already: the reviewed plan (9 changes)");
        assert!(already, "request {at}: {said}");
        assert_eq!(writes(&stage), 0, "request {at}");
    }
    assert!(points > 20, "{points}: {seen:?}");
}

/// Case 4 of what users of other tools met: a birth that fails until the end, and the same job again.
#[test]
fn what_failed_at_first_is_the_rest_and_what_others_did_is_not() {
    let mut stage = Stage::small();
    let five = ["a", "b", "c", "d", "e"];
    let all: String = five
        .iter()
        .map(|name| account(name, "[\"viewer\"]"))
        .collect();
    stage.configure(&all);
    assert_eq!(stage.run(&PLAN), 0);
    stage.say("the platform makes four accounts and no fifth");
    stage.front.hook(|operation, n| match (operation, n) {
        ("createServiceAccount", 5..) => Then::Refuse(500),
        _ => Then::Answer,
    });
    assert_eq!(stage.run(&APPLY), 5);
    stage.front.hook(|_, _| Then::Answer);
    stage.say("somebody makes one of them an owner");
    let raised = mrn(&stage, "b");
    let set = |stage: &Stage, role: &str| {
        let at = Timestamp::now();
        let set = stage.app.admin_set_roles(PAYMENTS, &raised, &[role], at);
        set.expect("set");
    };
    set(&stage, "owner");
    assert_eq!(stage.run(&APPLY), 4);
    stage.say("and takes it back");
    set(&stage, "viewer");
    let digest = serde_json::from_slice::<serde_json::Value>(
        &std::fs::read(stage.path("plan.json")).expect("there"),
    )
    .expect("JSON")["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    stage.say("the digest alone cannot tell what is the rest");
    assert_eq!(stage.run(&["apply", "--digest", &digest, "access"]), 4);
    assert_eq!(stage.run(&APPLY), 0);
    assert_eq!(stage.run(&APPLY), 0);
    stage.compare("begun/rest.txt");
}

fn mrn(stage: &Stage, name: &str) -> String {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let found = accounts.iter().find(|a| a["name"] == name).expect("live");
    found["mrn"].as_str().expect("a name").to_owned()
}

/// Who says that the dead run is dead waits for nothing, with the plan that was reviewed.
#[test]
fn a_dead_birth_of_the_reviewed_plan_is_resumed_with_it_and_another_is_not() {
    let mut stage = Stage::small();
    stage.configure(&account("ci", "[\"viewer\"]"));
    assert_eq!(stage.run(&PLAN), 0);
    // The first request after the account was made.
    let mut made = false;
    let pid = Arc::new(AtomicU32::new(0));
    let known = Arc::clone(&pid);
    stage.front.hook(move |operation, _| {
        if made {
            let child = known.load(Ordering::SeqCst).to_string();
            let status = Command::new("kill").args(["-KILL", &child]).status();
            assert!(status.expect("kill runs").success());
            return Then::Lose;
        }
        made = operation == "createServiceAccount";
        Then::Answer
    });
    let child = stage.start(&APPLY);
    pid.store(child.id(), Ordering::SeqCst);
    assert_eq!(child.wait_with_output().expect("ends").status.code(), None);
    stage.front.hook(|_, _| Then::Answer);
    let waiting = stage.command(&APPLY).output().expect("runs");
    let said = String::from_utf8_lossy(&waiting.stdout).into_owned()
        + &String::from_utf8_lossy(&waiting.stderr);
    assert_eq!(waiting.status.code(), Some(5), "{said}");
    let nonce = said.split("--resume=").nth(1).expect("a nonce");
    let nonce: String = nonce
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let resume = format!("--resume={nonce}");
    let again = ["apply", "--plan", "plan.json", &resume, "access"];
    assert_eq!(stage.run(&again), 0, "{}", stage.shown());
    assert_eq!(
        accounts(&stage),
        [("ci".to_owned(), vec!["viewer".to_owned()])]
    );
    assert_eq!(stage.run(&APPLY), 0);
}
