//! Kills, lost answers and successes that are none, around the writes of a birth.

use std::fs;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::{APPLY, PLAN, account, ci, said};
use crate::stage::{PAYMENTS, Stage, Then};

/// `ci` is live once and as declared, and its key is where it belongs.
fn one_whole_account(stage: &Stage) {
    let (mrn, roles) = account(stage);
    assert_eq!(roles, ["viewer"]);
    let key = fs::read_to_string(stage.path("access/credentials/ci.json")).expect("delivered");
    assert!(key.contains(&mrn), "the key of this account: {mrn}");
    assert_eq!(said(stage, &PLAN).0, Some(0));
}

fn creates(stage: &Stage) -> usize {
    let seen = stage.front.seen();
    seen.iter().filter(|o| *o == "createServiceAccount").count()
}

/// A: killed right after the platform did the create. Terraform forgets the account, makes a second
/// one, and the first stays live with a key that nobody holds.
#[test]
fn a_killed_after_a_create_leaves_one_account_in_the_end() {
    let mut stage = Stage::small();
    stage.configure(&ci("", "[\"viewer\"]"));
    let (arrived, wait) = mpsc::channel();
    let (go, resume) = mpsc::channel::<()>();
    let resume = Arc::new(Mutex::new(resume));
    stage.front.hook(move |operation, _| {
        if operation != "createServiceAccount" {
            return Then::Answer;
        }
        let (arrived, resume) = (arrived.clone(), Arc::clone(&resume));
        Then::Change(Box::new(move |_| {
            let _ = arrived.send(());
            let _ = resume.lock().expect("not poisoned").recv();
        }))
    });
    let mut child = stage.start(&APPLY);
    let patience = Duration::from_secs(60);
    wait.recv_timeout(patience).expect("the create is done");
    child.kill().expect("killed");
    child.wait().expect("gone");
    go.send(()).expect("the answer goes nowhere");
    assert!(account(&stage).1.is_empty(), "it never had power");
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&APPLY), 5, "it may be in another run's hands");
    account(&stage);
    stage.front.date(16);
    assert_eq!(stage.run(&APPLY), 0);
    one_whole_account(&stage);
}

/// B: the create was done and its answer lost. Terraform makes a second account.
#[test]
fn b_a_lost_answer_makes_no_second_account() {
    let mut stage = Stage::small();
    stage.configure(&ci("", "[\"viewer\"]"));
    stage.front.hook(|operation, _| match operation {
        "createServiceAccount" => Then::Lose,
        _ => Then::Answer,
    });
    assert_eq!(stage.run(&APPLY), 5);
    assert_eq!(creates(&stage), 1, "the same run never creates again");
    let dump = stage.app.dump().expect("a dump").to_string();
    assert!(!dump.contains("\"ci\""), "whose key is lost, is removed");
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&APPLY), 0);
    one_whole_account(&stage);
}

/// J: one of five creates loses its answer. Terraform has six live accounts for five wanted.
#[test]
fn j_five_wanted_are_five_live() {
    let mut stage = Stage::small();
    let five: String = ["ci", "c1", "c2", "c3", "c4"]
        .map(|name| ci("", "[\"viewer\"]").replace("\"ci\"", &format!("\"{name}\"")))
        .concat();
    stage.configure(&five);
    stage.front.hook(|operation, count| match operation {
        "createServiceAccount" if count == 3 => Then::Lose,
        _ => Then::Answer,
    });
    assert_eq!(stage.run(&APPLY), 5);
    assert_eq!(creates(&stage), 5);
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&APPLY), 0);
    assert_eq!(creates(&stage), 1, "only the one that was lost");
    let dump = stage.app.dump().expect("a dump");
    let live = dump["accounts"].as_array().expect("accounts").len();
    assert_eq!(live, 5 + 1, "and the caller's own");
    one_whole_account(&stage);
}

/// S: a success with errors inside. Mondoo's provider records it as done.
#[test]
fn s_an_error_inside_of_a_success_is_told_and_not_recorded_as_done() {
    let mut stage = Stage::small();
    stage.configure(&ci("", "[\"viewer\"]"));
    let app = Arc::clone(&stage.app);
    stage.front.hook(move |operation, _| {
        if operation != "setRoles" {
            return Then::Answer;
        }
        let app = Arc::clone(&app);
        Then::Change(Box::new(move |json| {
            let dump = app.dump().expect("a dump");
            let accounts = dump["accounts"].as_array().expect("accounts");
            let ci = accounts.iter().find(|a| a["name"] == "ci").expect("live");
            let mrn = ci["mrn"].as_str().expect("a name");
            app.admin_set_roles(PAYMENTS, mrn, &[], Timestamp::now())
                .expect("set");
            json["data"]["setRoles"]["errors"] = serde_json::json!({mrn: "quota exceeded"});
        }))
    });
    let (code, text) = said(&stage, &APPLY);
    assert_eq!(code, Some(5));
    assert!(
        text.contains("service_account.ci") && text.contains("quota exceeded"),
        "{text}"
    );
    assert_eq!(said(&stage, &PLAN).0, Some(2), "it is still to be done");
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&APPLY), 0);
    one_whole_account(&stage);
}
