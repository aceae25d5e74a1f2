//! Files that are written: none takes the place of another, or of anything that is precious.

use std::fs;

use crate::stage::Stage;

const CI: &str = r#"service_account "ci" {
  scope = space.payments
  name  = "ci"
  roles = ["viewer"]

  credential {
    deliver_to = [sink.file.local]
  }
}
"#;

fn stage() -> Stage {
    let mut stage = Stage::small();
    stage.configure(CI);
    stage
}

/// Every file of the stage with what it holds.
fn everything(stage: &Stage) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![stage.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push((path.clone(), fs::read(path).expect("readable")));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn no_file_is_written_twice_or_over_what_is_read() {
    let mut stage = stage();
    assert_eq!(
        stage
            .command(&["plan", "--out", "plan.json", "access"])
            .status()
            .expect("runs")
            .code(),
        Some(0)
    );
    for (name, text) in [
        ("vars.json", "{}"),
        ("old.json", "a record"),
        ("ca.pem", "a certificate"),
    ] {
        fs::write(stage.path(name), text).expect("written");
    }
    std::os::unix::fs::symlink("plan.json", stage.path("link.json")).expect("linked");
    let before = everything(&stage);
    stage.front.hook(|_, _| crate::stage::Then::Answer);
    for line in [
        "apply --record r.json --json-out r.json access",
        "apply --record access/../r.json --sarif ./r.json access",
        "plan --out x.json --json-out x.json access",
        "plan --sarif x --junit x access",
        "check --json-out vars.json --var-file vars.json access",
        "validate --json-out ./vars.json --var-file vars.json access",
        "plan --json-out owner.json --credentials owner.json access",
        "plan --sarif owner.json access",
        "plan --junit ca.pem --ca-file ca.pem access",
        "apply --plan plan.json --json-out plan.json access",
        "apply --plan link.json --json-out plan.json access",
        "apply plan.json --json-out plan.json",
        "apply --record r.json --previous old.json --json-out old.json access",
        "credential decode owner.json --force --out owner.json",
        "plan -o access/main.hcl access",
        "validate --json-out access/out.hcl access",
        "apply --record main.hcl access",
        "credential decode --out access/key.hcl",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        assert_eq!(stage.run(&arguments), 64, "{line}");
    }
    assert_eq!(everything(&stage), before);
    assert!(stage.front.seen().is_empty(), "not one request was sent");
    stage.compare("outputs/refused.txt");
}

#[test]
fn what_is_not_replaced_may_be_named_twice() {
    let stage = stage();
    for line in [
        "plan --json-out /dev/null --sarif /dev/null --junit /dev/null access",
        "plan --json-out other.json --out plan.json access",
        // A link that is replaced leaves alone what it led to.
        "apply --plan plan.json --json-out link.json --sarif s --junit j access",
    ] {
        if line.contains("link.json") {
            std::os::unix::fs::symlink("plan.json", stage.path("link.json")).expect("linked");
        }
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = stage.command(&arguments).output().expect("runs");
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
    }
    let plan = fs::read_to_string(stage.path("plan.json")).expect("there");
    assert!(plan.starts_with("{\"rolecall_plan\":"), "{plan}");
    assert!(!stage.path("link.json").is_symlink());
}

#[test]
fn a_plan_takes_the_place_of_nothing_but_a_plan() {
    let mut stage = stage();
    let plan = |name| ["plan", "--out", name, "access"];
    fs::write(stage.path("empty.json"), "").expect("written");
    fs::write(stage.path("older.json"), "{ \"rolecall_plan\": 1 }").expect("written");
    fs::write(stage.path("notes.txt"), "precious").expect("written");
    stage.front.hook(|_, _| crate::stage::Then::Answer);
    assert_eq!(stage.run(&plan("notes.txt")), 1);
    assert_eq!(stage.run(&plan("no/such.json")), 1);
    assert_eq!(stage.run(&plan("access")), 1);
    assert!(stage.front.seen().is_empty(), "not one request was sent");
    let notes = fs::read_to_string(stage.path("notes.txt")).expect("there");
    assert_eq!(notes, "precious");
    assert_eq!(stage.run(&plan("empty.json")), 0);
    let again = stage.command(&plan("empty.json")).status();
    assert_eq!(
        again.expect("runs").code(),
        Some(0),
        "a plan is replaced by another"
    );
    let older = stage.command(&plan("older.json")).status();
    assert_eq!(older.expect("runs").code(), Some(0));
    stage.compare("outputs/plan.txt");
}

#[test]
fn nothing_is_made_in_a_folder_called_tilde() {
    let stage = Stage::small();
    for arguments in [
        &["init", "~/new"][..],
        &["init", "~"],
        &["man", "--out", "~/mm"],
        &["credential", "decode", "--out=~/c.json"],
        &["seal", "new", "--out", "~/seal.key"],
        &["seal", "rotate", "--out=~/seal.key", "access"],
        &["plan", "--out", "~/a.plan", "access"],
        &["plan", "--json-out=~/a.json", "access"],
        &["apply", "--record", "~/r.json", "access"],
    ] {
        let output = stage.command(arguments).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {said}");
        assert!(
            said.contains("would make a folder called `~`") && said.contains("$HOME"),
            "{arguments:?}: {said}"
        );
        assert!(!stage.path("~").exists(), "{arguments:?}");
    }
}
