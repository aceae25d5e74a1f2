//! A leaked key at night, and a run that is known to be dead: whole runs.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::formats::schema;
use crate::stage::{PAYMENTS, Stage, Then};

const CI: &str = r#"
service_account "ci" {
  scope = space.payments
  name  = "ci"
  roles = ["viewer", "agent"]

  credential {
    deliver_to = [sink.file.local]
  }
}
"#;
const APPLY: [&str; 3] = ["apply", "--yes", "access"];
const REVOKE: [&str; 4] = ["revoke", "--yes", "ci", "access"];

/// A stage on which `ci` is live.
fn stage() -> Stage {
    let mut stage = Stage::small();
    stage.configure(CI);
    assert!(stage.command(&APPLY).status().expect("runs").success());
    stage.front.hook(|_, _| Then::Answer);
    stage
}

/// The live account of a name: its resource name, roles and labels.
fn live(stage: &Stage, name: &str) -> (String, Vec<String>, Vec<(String, String)>) {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let found = accounts.iter().find(|a| a["name"] == name).expect("live");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mrn = text(&found["mrn"]);
    let bindings = dump["bindings"].as_array().expect("bindings").iter();
    let roles = bindings
        .filter(|binding| binding["identity"] == mrn.as_str())
        .flat_map(|binding| binding["roles"].as_array().into_iter().flatten())
        .map(text)
        .collect();
    let labels = found["labels"].as_array().expect("labels").iter();
    let labels = labels.map(|l| (text(&l["key"]), text(&l["value"])));
    (mrn, roles, labels.collect())
}

fn label(stage: &Stage, key: &str) -> Option<String> {
    let labels = live(stage, "ci").2;
    let mut found = labels.into_iter().filter(|(k, _)| k == key);
    found.next().map(|(_, value)| value)
}

fn put_labels(stage: &Stage, mrn: &str, labels: &[(String, String)]) {
    let labels: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (&**k, &**v)).collect();
    let put = stage
        .app
        .admin_update_labels(mrn, &labels, Timestamp::now());
    put.expect("labelled");
}

/// Exit code, document, and what was told.
fn document(stage: &Stage, arguments: &[&str]) -> (i32, Value) {
    let mut arguments = arguments.to_vec();
    arguments.splice(1..1, ["--format", "json"]);
    let output = stage.command(&arguments).output().expect("runs");
    let document = serde_json::from_slice(&output.stdout).expect("JSON");
    schema::check(&document);
    (output.status.code().expect("a code"), document)
}

fn writes(stage: &Stage) -> Vec<String> {
    let seen = stage.front.seen().into_iter();
    seen.filter(|operation| {
        ["create", "update", "set", "delete"]
            .iter()
            .any(|verb| operation.starts_with(verb))
    })
    .collect()
}

#[test]
fn a_leaked_key_at_night() {
    let mut stage = stage();
    stage.say("nobody is at a terminal, so it shows and writes nothing");
    assert_eq!(stage.run(&["revoke", "service_account.ci", "access"]), 1);
    assert_eq!(writes(&stage), Vec::<String>::new());
    assert_eq!(stage.run(&REVOKE), 0);
    assert_eq!(writes(&stage), ["setRoles", "updateServiceAccount"]);
    assert_eq!(live(&stage, "ci").1, Vec::<String>::new());
    stage.say("no apply grants them again, and who looks is told");
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&["plan", "--strict", "access"]), 6);
    assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 0);
    assert_eq!(stage.run(&["check", "access"]), 6);
    assert_eq!(stage.run(&["show", "ci", "access"]), 0);
    assert_eq!(stage.run(&APPLY), 0);
    assert_eq!(stage.run(&REVOKE), 0);
    assert_eq!(writes(&stage), Vec::<String>::new());
    stage.compare("revoke/night.txt");
}

#[test]
fn roles_that_come_back_by_hand_are_taken_again_and_what_is_declared_no_longer_goes() {
    let mut stage = stage();
    assert_eq!(stage.run(&REVOKE), 0);
    let (mrn, ..) = live(&stage, "ci");
    let given = stage
        .app
        .admin_set_roles(PAYMENTS, &mrn, &["editor"], Timestamp::now());
    given.expect("given");
    assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 2);
    assert_eq!(stage.run(&APPLY), 0);
    assert_eq!(live(&stage, "ci").1, Vec::<String>::new());
    stage.configure(&CI.replace("name  = \"ci\"", "name  = \"old\""));
    assert_eq!(stage.run(&APPLY), 0);
    assert_eq!(live(&stage, "old").1, Vec::<String>::new());
    stage.configure("");
    assert_eq!(stage.run(&["apply", "--yes", "--destroy", "access"]), 0);
    let dump = stage.app.dump().expect("a dump").to_string();
    assert!(!dump.contains(&mrn));
}

/// On a laptop, with a configuration that somebody broke: the least is enough.
#[test]
fn a_broken_configuration_and_no_private_key_are_enough_and_the_key_seals_it_later() {
    let mut stage = stage();
    let broken = format!("{CI}\nservice_account \"ci\" {{\n  nonsense = var.nowhere\n}}\n");
    stage.configure(&broken);
    let without = |command: &mut std::process::Command| {
        command.env_remove("ROLECALL_SEAL_KEY");
    };
    assert_eq!(stage.run_in(&REVOKE, without), 0);
    assert_eq!(label(&stage, "rolecall-revoked").as_deref(), Some("yes"));
    let mark = |stage: &Stage| label(stage, "rolecall-mark").expect("a mark");
    assert!(mark(&stage).contains("r0."), "{}", mark(&stage));
    stage.configure(CI);
    let (code, plan) = document(&stage, &["plan", "--strict", "access"]);
    assert_eq!(code, 6);
    assert_eq!(plan["plan"]["changes"], serde_json::json!([]));
    let [told] = plan["plan"]["annex"]["revoked"]
        .as_array()
        .expect("a list")
        .as_slice()
    else {
        panic!("one: {plan:#}");
    };
    assert_eq!(
        (&told["sealed"], &told["generation"]),
        (&false.into(), &1.into())
    );
    // Whoever may write labels can unsay it, and the plan says what that is.
    let (mrn, _, labels) = live(&stage, "ci");
    let mut unsaid = labels.clone();
    unsaid.retain(|(key, _)| key != "rolecall-revoked");
    put_labels(&stage, &mrn, &unsaid);
    let (code, plan) = document(&stage, &["plan", "--detailed-exitcode", "access"]);
    assert_eq!(code, 2);
    let verdict = &plan["plan"]["changes"][0]["privilege"]["verdict"];
    assert_eq!(verdict, "escalation", "{plan:#}");
    put_labels(&stage, &mrn, &labels);
    assert_eq!(stage.run(&REVOKE), 0);
    assert_eq!(label(&stage, "rolecall-revoked"), None);
    assert!(mark(&stage).contains("r1."), "{}", mark(&stage));
    stage.compare("revoke/laptop.txt");
}

#[test]
fn an_account_that_is_not_believed_is_named_and_taken_by_its_own_name_alone() {
    let mut stage = stage();
    let (mrn, _, mut labels) = live(&stage, "ci");
    for (key, value) in &mut labels {
        if key == "rolecall-written" {
            "0123456789ab.-".clone_into(value);
        }
    }
    put_labels(&stage, &mrn, &labels);
    assert_eq!(stage.run(&REVOKE), 3);
    assert_eq!(writes(&stage), Vec::<String>::new());
    assert_eq!(stage.run(&["revoke", "--yes", &mrn, "access"]), 0);
    let (_, roles, after) = live(&stage, "ci");
    assert_eq!(roles, Vec::<String>::new());
    labels.push(("rolecall-revoked".to_owned(), "yes".to_owned()));
    labels.sort();
    let mut after = after;
    after.sort();
    assert_eq!(after, labels, "no seal vouches for what somebody changed");
    stage.compare("revoke/disputed.txt");
}

#[test]
fn what_is_not_there_is_told_with_what_is_near_and_what_nobody_declares_is_found() {
    let mut stage = stage();
    for (address, more) in [("cu", &[][..]), ("ci", &["--generation", "7"])] {
        let arguments = [&["revoke", "--yes", address][..], more, &["access"]].concat();
        assert_eq!(stage.run(&arguments), 1, "{address}");
    }
    stage.configure("");
    assert_eq!(
        stage.run(&["revoke", "--yes", "--generation", "1", "ci", "access"]),
        0
    );
    assert_eq!(live(&stage, "ci").1, Vec::<String>::new());
    stage.compare("revoke/near.txt");
}

#[test]
fn a_mark_that_the_platform_refuses_is_told_and_the_record_has_it() {
    let mut stage = stage();
    stage.front.hook(|operation, _| match operation {
        "updateServiceAccount" => Then::Refuse(403),
        _ => Then::Answer,
    });
    let arguments = ["revoke", "--yes", "--record", "1.json", "ci", "access"];
    assert_eq!(stage.run(&arguments), 5);
    assert_eq!(live(&stage, "ci").1, Vec::<String>::new());
    let bytes = fs::read(stage.path("1.json")).expect("a record");
    rolecall::record::read(&bytes).expect("whole");
    let record: Value = serde_json::from_slice(&bytes).expect("JSON");
    schema::check_record(&record);
    let change = &record["changes"][0];
    assert_eq!(change["reason"], "revoked");
    assert_eq!(
        change["roles"]["before"],
        serde_json::json!(["agent", "viewer"])
    );
    assert_eq!(change["roles"]["after"], serde_json::json!([]));
    assert_eq!(
        (&change["result"], &record["exit_code"]),
        (&"failed".into(), &5.into())
    );
    // The same command does what is missing, and both records are one chain.
    stage.front.hook(|_, _| Then::Answer);
    let arguments = [
        "revoke",
        "--yes",
        "--record",
        "2.json",
        "--previous",
        "1.json",
        "ci",
        "access",
    ];
    assert_eq!(stage.run(&arguments), 0);
    assert_eq!(writes(&stage), ["updateServiceAccount"]);
    let head = rolecall::record::digest(&fs::read(stage.path("2.json")).expect("a record"));
    assert_eq!(
        stage.run(&["verify", "--head", &head, "1.json", "2.json"]),
        0
    );
    stage.compare("revoke/half.txt");
}

/// Several generations of one address, as a rotation leaves them: all are taken, or the one that is named.
#[test]
fn all_generations_are_taken_or_the_one_that_is_named() {
    use rolecall::model::{AddressLabel, Marks, Mrn, StackId};
    let stage = stage();
    let account = rolecall_server::SeedAccount {
        name: "ci-2".to_owned(),
        roles: vec!["viewer".to_owned()],
        ..rolecall_server::SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(PAYMENTS, &account, Timestamp::now());
    made.expect("created");
    let mrn = live(&stage, "ci-2").0;
    let marks = Marks {
        generation: 2,
        ..Marks::external(
            StackId::new("acme-access", "k7m2q9ta").expect("valid"),
            AddressLabel::from_label("ci"),
            false,
        )
    };
    let sealed = crate::stage::seals().seal(&Mrn::new(&mrn), marks);
    let labels: Vec<(String, String)> = sealed.labels().into_iter().collect();
    put_labels(&stage, &mrn, &labels);
    let (code, told) = document(
        &stage,
        &["revoke", "--yes", "--generation", "2", "ci", "access"],
    );
    assert_eq!(code, 0, "{told:#}");
    let taken = |name: &str| live(&stage, name).1.is_empty();
    assert_eq!((taken("ci"), taken("ci-2")), (false, true));
    let (code, told) = document(&stage, &REVOKE);
    assert_eq!(code, 0, "{told:#}");
    assert_eq!((taken("ci"), taken("ci-2")), (true, true));
    assert_eq!(told["outcome"]["results"].as_array().map(Vec::len), Some(1));
}

/// What is said of an address afterwards is what it has: a later key that goes on, or none.
#[test]
fn a_former_generation_is_taken_and_the_newest_goes_on() {
    let mut stage = stage();
    let rotate = ["rotate", "--yes", "service_account.ci", "access"];
    assert!(stage.command(&rotate).status().expect("runs").success());
    let former = ["revoke", "--yes", "--generation", "1", "ci", "access"];
    assert_eq!(stage.run(&former), 0);
    stage.say("nothing is left for a person to do");
    assert_eq!(stage.run(&["check", "--allow-unmanaged", "access"]), 0);
    let due = ["rotate", "--due", "--yes", "access"];
    assert_eq!(stage.run(&due), 0);
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts").iter();
    assert_eq!(
        accounts.filter(|account| account["name"] == "ci").count(),
        1
    );
    stage.compare("revoke/former.txt");
}

/// By the marks, the key of the former generation is still where nobody put the newer one.
#[test]
fn a_former_generation_that_some_place_still_has_wants_another_key() {
    use rolecall::model::{AddressLabel, Marks, Mrn, StackId};
    let stage = stage();
    let account = rolecall_server::SeedAccount {
        name: "ci-2".to_owned(),
        roles: vec!["viewer".to_owned()],
        ..rolecall_server::SeedAccount::default()
    };
    let made = stage
        .app
        .admin_create_account(PAYMENTS, &account, Timestamp::now());
    let mrn = made.expect("created");
    let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
    let marks = Marks {
        generation: 2,
        ..Marks::external(stack, AddressLabel::from_label("ci"), false)
    };
    let sealed = crate::stage::seals().seal(&Mrn::new(&mrn), marks);
    let labels: Vec<(String, String)> = sealed.labels().into_iter().collect();
    put_labels(&stage, &mrn, &labels);
    for (generation, says) in [
        (
            "1",
            "generation 2 of service_account.ci goes on with its roles, but some place still has",
        ),
        ("2", "wants `rolecall rotate service_account.ci`"),
    ] {
        let arguments = [
            "revoke",
            "--yes",
            "--generation",
            generation,
            "ci",
            "access",
        ];
        let output = stage.command(&arguments).output().expect("runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains(says), "{told}");
    }
}

/// A run that was killed in the middle of a birth blocks its address for a quarter of an hour, unless somebody who
/// knows says so.
#[test]
fn who_knows_a_run_to_be_dead_need_not_wait() {
    let mut stage = Stage::small();
    stage.configure(CI);
    let (send, held) = mpsc::channel();
    stage.front.hook(move |operation, _| match operation {
        "updateServiceAccount" => {
            let _ = send.send(());
            Then::Stall(Vec::new(), Duration::from_secs(60))
        }
        _ => Then::Answer,
    });
    let mut child = stage.start(&APPLY);
    held.recv_timeout(Duration::from_secs(60))
        .expect("it comes to its mark");
    child.kill().expect("killed");
    let _ = child.wait();
    let dead = live(&stage, "ci").0;
    stage.front.hook(|_, _| Then::Answer);
    stage.say("a run was killed before it could mark its key as delivered");
    assert_eq!(stage.run(&APPLY), 5);
    let (_, plan) = document(&stage, &["plan", "access"]);
    let nonce = plan["plan"]["in_flight"][0]["nonce"]
        .as_str()
        .expect("a nonce");
    let resume = format!("--resume={nonce}");
    let other = format!("--resume={}", "0".repeat(32));
    assert_eq!(stage.run(&["apply", "--yes", &other, "access"]), 1);
    assert_eq!(stage.run(&["apply", "--yes", "--resume=x", "access"]), 64);
    assert_eq!(writes(&stage), Vec::<String>::new());
    let (_, plan) = document(&stage, &["plan", &resume, "access"]);
    let digest = plan["plan"]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    assert_eq!(plan["plan"]["meant"]["resume"], serde_json::json!([nonce]));
    stage.say("what was reviewed with it is applied with it, and not without");
    assert_eq!(stage.run(&["apply", "--digest", &digest, "access"]), 4);
    assert_eq!(
        stage.run(&["apply", "--digest", &digest, &resume, "access"]),
        0
    );
    let (mrn, roles, _) = live(&stage, "ci");
    assert_ne!(mrn, dead);
    assert_eq!(roles.len(), 2);
    assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 0);
    stage.compare("revoke/resume.txt");
}
