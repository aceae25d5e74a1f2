//! Destinations that do not take a key: nothing is created then, or what was created is removed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Output, Stdio};

use jiff::Timestamp;

use super::{APPLY, CI, PLAN, SETTLED, holds, names, skipped, stage, unprivileged, writes};
use crate::stage::{SEAL_KEY, Stage};

const KEY: &str = "access/credentials/ci.json";

/// The run failed and asked the platform for no change.
fn refused(stage: &mut Stage, code: i32) {
    assert_eq!(code, 1);
    assert!(writes(stage).is_empty());
}

#[test]
fn something_is_in_the_way() {
    let mut stage = stage();
    let folder = stage.path("access/credentials");
    let key = stage.path(KEY);
    fs::create_dir(stage.path("elsewhere")).expect("created");

    stage.say("the folder is a symbolic link");
    symlink(stage.path("elsewhere"), &folder).expect("linked");
    let code = stage.run(APPLY);
    refused(&mut stage, code);
    fs::remove_file(&folder).expect("removed");

    stage.say("the folder is a file");
    fs::write(&folder, "").expect("written");
    let code = stage.run(APPLY);
    assert_eq!(code, 1);
    fs::remove_file(&folder).expect("removed");

    stage.say("everybody may write to the folder");
    fs::create_dir(&folder).expect("created");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("changed");
    let code = stage.run(APPLY);
    refused(&mut stage, code);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("changed");

    stage.say("git would track the file");
    fs::write(folder.join(".gitignore"), "*.pem\n").expect("written");
    let code = stage.run(APPLY);
    refused(&mut stage, code);
    fs::remove_file(folder.join(".gitignore")).expect("removed");

    stage.say("the file is a symbolic link");
    symlink(stage.path("elsewhere/key.json"), &key).expect("linked");
    let code = stage.run(APPLY);
    refused(&mut stage, code);
    fs::remove_file(&key).expect("removed");

    stage.say("the file holds something else");
    fs::write(&key, "my notes\n").expect("written");
    let code = stage.run(APPLY);
    refused(&mut stage, code);
    assert_eq!(fs::read_to_string(&key).expect("there"), "my notes\n");
    fs::remove_file(&key).expect("removed");

    assert_eq!(names(&stage.path("elsewhere")), Vec::<String>::new());
    stage.compare("bad-days/sink-in-the-way.txt");
}

#[test]
fn the_folder_is_not_writable() {
    let mut stage = stage();
    let Some(somebody) = unprivileged(&stage) else {
        return;
    };
    stage.say("the configuration's directory is read-only");
    let mode = |path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
    };
    mode(stage.path("access"), 0o555);
    let code = stage.run_in(APPLY, somebody.starts());
    refused(&mut stage, code);
    mode(stage.path("access"), 0o755);
    stage.compare("bad-days/sink-forbidden.txt");
}

/// A program that runs a shell's line; `$0` and `$@` are rolecall and its arguments.
fn shell(stage: &Stage, program: &[&str], line: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program[0]);
    command
        .args(&program[1..])
        .args(["-c", line, env!("CARGO_BIN_EXE_rolecall")])
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", stage.dir.path())
        .env("MONDOO_CONFIG_PATH", "owner.json")
        .env("ROLECALL_SEAL_KEY", SEAL_KEY)
        .current_dir(stage.dir.path())
        .stdin(Stdio::null());
    command.output().expect("it runs")
}

/// Runs the program while no file may grow beyond so many blocks.
fn limited(stage: &Stage, blocks: u32, arguments: &[&str]) -> Output {
    let line = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
    shell(stage, &["sh"], &line, arguments)
}

/// A disk of one page on `access/credentials`; `None`, and said so, where none can be mounted.
fn on_a_tiny_disk(stage: &Stage, line: &str, arguments: &[&str]) -> Option<Output> {
    const MOUNT: &str = "mount -t tmpfs -o size=4k,mode=700 none access/credentials || exit 99";
    let space = ["unshare", "--user", "--map-root-user", "--mount", "sh"];
    let found = Command::new(space[0])
        .args(&space[1..])
        .args(["-c", "true"])
        .output();
    if !found.is_ok_and(|found| found.status.success()) {
        skipped("no disk can be mounted here (unshare)");
        return None;
    }
    let output = shell(stage, &space, &format!("{MOUNT}; {line}"), arguments);
    if output.status.code() == Some(99) {
        skipped("no disk can be mounted here (mount)");
        return None;
    }
    Some(output)
}

#[test]
fn the_disk_is_really_full() {
    let mut stage = stage();
    let folder = stage.path("access/credentials");
    fs::create_dir(&folder).expect("created");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("changed");
    let before = holds(&stage);
    let run = "exec \"$0\" \"$@\"";
    let Some(output) = on_a_tiny_disk(&stage, run, APPLY) else {
        return;
    };
    stage.say("a trial can be written, the key cannot");
    assert_eq!(stage.note(APPLY, &output), 5);
    assert_eq!(holds(&stage), before, "the account is removed again");
    let full = format!("echo '*' > access/credentials/.gitignore; {run}");
    stage.say("not even a trial can be written");
    if let Some(output) = on_a_tiny_disk(&stage, &full, APPLY) {
        assert_eq!(stage.note(APPLY, &output), 1);
    }
    assert_eq!(holds(&stage), before);
    let kept = "echo '{ \"rolecall_plan\": 1 }' > access/credentials/p.json; \"$0\" \"$@\"; code=$?; \
                cat access/credentials/p.json; ls -A access/credentials; exit $code";
    for flag in ["--out", "--json-out"] {
        stage.say(&format!(
            "{flag}: what was there is kept, and nothing is left beside it"
        ));
        let arguments = ["plan", flag, "access/credentials/p.json", "access"];
        if let Some(output) = on_a_tiny_disk(&stage, kept, &arguments) {
            assert_eq!(stage.note(&arguments, &output), 1);
        }
    }
    fs::remove_dir_all(&folder).expect("removed");
    assert_eq!(stage.run(APPLY), 0);
    stage.compare("bad-days/sink-really-full.txt");
}

#[test]
fn results_that_cannot_be_written() {
    let mut stage = stage();
    stage.configure(
        &(0..8)
            .map(|n| CI.replace("\"ci\"", &format!("\"ci-{n}\"")))
            .collect::<String>(),
    );
    let old = "{\"rolecall_plan\":1}";
    fs::write(stage.path("p.json"), old).expect("written");
    symlink("/dev/full", stage.path("full")).expect("linked");
    for flag in ["--out", "--json-out"] {
        for (name, output) in [
            (
                "p.json",
                limited(&stage, 0, &["plan", flag, "p.json", "access"]),
            ),
            (
                "full",
                limited(&stage, 99, &["plan", flag, "full", "access"]),
            ),
        ] {
            let said = String::from_utf8_lossy(&output.stderr);
            let why = if name == "full" {
                "the disk is full"
            } else {
                "ulimit -f"
            };
            assert!(said.contains(&format!("cannot write {name}: ")), "{said}");
            assert!(said.contains(why), "{said}");
            assert_eq!(output.status.code(), Some(1), "{flag} {name}");
        }
    }
    let there = fs::read_to_string(stage.path("p.json")).expect("there");
    assert_eq!(there, old);
    assert!(stage.path("full").is_symlink(), "a device is not replaced");
    let left = names(stage.dir.path());
    assert_eq!(left, ["access", "full", "owner.json", "p.json"]);
    assert!(writes(&stage).is_empty());
    // The keys fit, and the report of them does not: what is done is done, and said.
    let apply = ["apply", "--yes", "--json-out", "p.json", "access"];
    let output = limited(&stage, 6, &apply);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot write p.json: "), "{said}");
    assert_eq!(output.status.code(), Some(5), "something was written");
    assert_eq!(
        fs::read_to_string(stage.path("p.json")).expect("there"),
        old
    );
    assert_eq!(stage.run(SETTLED), 0);
}

#[test]
fn standard_output_that_takes_nothing() {
    let mut stage = stage();
    let to_full = |stage: &Stage, arguments: &[&str]| {
        let full = fs::File::options().write(true).open("/dev/full");
        let mut command = stage.command(arguments);
        command
            .stdout(full.expect("a device that is always full"))
            .stderr(Stdio::null());
        command.status().expect("runs").code()
    };
    assert_eq!(to_full(&stage, PLAN), Some(1));
    assert_eq!(
        to_full(&stage, SETTLED),
        Some(1),
        "nobody saw what is pending"
    );
    assert!(writes(&stage).is_empty());
    assert_eq!(
        to_full(&stage, APPLY),
        Some(5),
        "1 would say: nothing written"
    );
    assert_eq!(stage.run(SETTLED), 0);
}

#[test]
fn no_file_may_grow() {
    let mut stage = stage();
    let before = holds(&stage);
    // One block takes the trial and not the key.
    let (none, little) = (limited(&stage, 0, APPLY), limited(&stage, 1, APPLY));
    stage.say("not even a trial can be written");
    assert_eq!(stage.note(APPLY, &none), 1);
    stage.say("a trial can be written, the key cannot");
    assert_eq!(stage.note(APPLY, &little), 5);
    assert_eq!(holds(&stage), before, "the account is removed again");
    assert_eq!(names(&stage.path("access/credentials")), [".gitignore"]);
    stage.say("there is room again");
    assert_eq!(stage.run(APPLY), 0);
    stage.compare("bad-days/sink-full.txt");
}

#[test]
fn another_accounts_key_is_there() {
    let mut stage = stage();
    assert_eq!(stage.run(APPLY), 0);
    let key = stage.path(KEY);
    let first = fs::read(&key).expect("there");
    stage.say("another account is declared for the same file");
    let second = CI.replace("\"ci\"", "\"second\"");
    stage.configure(&format!("{CI}{second}"));
    fs::copy(&key, stage.path("access/credentials/second.json")).expect("copied");
    stage.front.hook(|_, _| crate::stage::Then::Answer);
    let code = stage.run(APPLY);
    refused(&mut stage, code);
    assert_eq!(
        fs::read(stage.path("access/credentials/second.json")).expect("there"),
        first
    );
    stage.say("the first account is gone, so its key is of no use to anybody");
    let json: serde_json::Value = serde_json::from_slice(&first).expect("JSON");
    let mrn = json["mrn"].as_str().expect("a name").to_owned();
    stage
        .app
        .admin_delete(&mrn, Timestamp::now())
        .expect("deleted");
    stage.configure(&second);
    assert_eq!(stage.run(APPLY), 0);
    assert_ne!(
        fs::read(stage.path("access/credentials/second.json")).expect("there"),
        first
    );
    assert_eq!(stage.run(SETTLED), 0);
    stage.compare("bad-days/sink-another-key.txt");
}
