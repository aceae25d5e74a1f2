//! Keys that go to further places and leave others, in whole runs.

use std::fs;

use crate::stage::Stage;

/// A stage with one account whose key goes to these sinks; the second sink is at `directory`.
fn configured(stage: &mut Stage, sinks: &str, directory: &str) {
    stage.configure(&format!(
        "sink \"file\" \"second\" {{\n  directory = \"{directory}\"\n  on_delete = \"remove\"\n  keep      = true\n}}\n\n\
         service_account \"ci\" {{\n  scope = space.payments\n  name  = \"ci\"\n  roles = [\"viewer\"]\n\n  \
         credential {{\n    deliver_to = [{sinks}]\n  }}\n}}\n"
    ));
}

fn run(stage: &Stage, arguments: &[&str]) -> (i32, String) {
    let output = stage.command(arguments).output().expect("runs");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code().expect("an end"), text.concat())
}

const APPLY: &[&str] = &["apply", "--yes", "access"];
const PENDING: &[&str] = &["plan", "--detailed-exitcode", "access"];

#[test]
fn a_key_goes_to_a_second_place_leaves_the_first_and_goes_with_its_account() {
    let mut stage = Stage::small();
    configured(&mut stage, "sink.file.local", "second");
    assert_eq!(run(&stage, APPLY).0, 0);
    let first = stage.path("access/credentials/ci.json");
    let second = stage.path("access/second/ci.json");
    let key = fs::read(&first).expect("delivered");

    // What is not there cannot be read, and nothing is begun.
    configured(&mut stage, "sink.file.local, sink.file.second", "second");
    fs::rename(&first, stage.path("away")).expect("moved");
    let (code, text) = run(&stage, APPLY);
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("but nothing is there") && text.contains("Nothing was written"),
        "{text}"
    );
    assert!(!second.exists());

    fs::rename(stage.path("away"), &first).expect("moved");
    let (code, text) = run(&stage, APPLY);
    assert_eq!(code, 0, "{text}");
    assert_eq!(fs::read(&second).expect("delivered"), key);
    assert_eq!(run(&stage, PENDING).0, 0);

    // The second sink keeps no key that leaves it.
    configured(&mut stage, "sink.file.local", "second");
    let (code, text) = run(&stage, APPLY);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("at second/ci.json, and is removed there"),
        "{text}"
    );
    assert!(!second.exists() && first.exists());
    assert_eq!(run(&stage, PENDING).0, 0);

    configured(&mut stage, "sink.file.second", "second");
    let (code, text) = run(&stage, APPLY);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("at credentials/ci.json, and stays there, readable by"),
        "{text}"
    );
    assert!(second.exists() && first.exists());
    let (code, text) = run(&stage, &["apply", "--yes", "--destroy", "access"]);
    assert_eq!(code, 0, "{text}");
    assert!(!second.exists() && first.exists(), "{text}");
    stage.no_key_leaked();
}

/// The sink of the place that has the key is not declared any more.
#[test]
fn a_key_that_cannot_be_read_again_is_told_and_never_pending() {
    let mut stage = Stage::small();
    configured(&mut stage, "sink.file.second", "second");
    assert_eq!(run(&stage, APPLY).0, 0);
    configured(&mut stage, "sink.file.second", "third");
    let (code, text) = run(&stage, PENDING);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("Need a new key") && text.contains("at third/ci.json"),
        "{text}"
    );
    assert_eq!(run(&stage, &["plan", "--strict", "access"]).0, 6);
    assert_eq!(run(&stage, &["check", "--allow-unmanaged", "access"]).0, 6);
    assert_eq!(run(&stage, APPLY).0, 0);
    assert!(stage.path("access/second/ci.json").exists());
}
