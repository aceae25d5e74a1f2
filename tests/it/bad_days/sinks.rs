//! Destinations that do not take a key: nothing is created then, or what was created is removed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use jiff::Timestamp;

use super::{APPLY, CI, SETTLED, as_its_owner, holds, names, stage, unprivileged, writes};
use crate::stage::Stage;

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
    if !unprivileged(&stage) {
        return;
    }
    stage.say("the configuration's directory is read-only");
    let mode = |path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
    };
    mode(stage.path("access"), 0o555);
    let change = as_its_owner(&stage);
    let code = stage.run_in(APPLY, change);
    refused(&mut stage, code);
    mode(stage.path("access"), 0o755);
    stage.compare("bad-days/sink-forbidden.txt");
}

#[test]
fn the_disk_is_full() {
    let mut stage = stage();
    // A limit stands in for a full disk: one block takes the trial and not the key.
    let limited = |blocks: &str| {
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!(
                "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""
            ))
            .arg(env!("CARGO_BIN_EXE_rolecall"))
            .args(APPLY)
            .env_clear()
            .env("HOME", stage.dir.path())
            .env("MONDOO_CONFIG_PATH", "owner.json")
            .current_dir(stage.dir.path())
            .stdin(Stdio::null());
        shell.output().expect("sh runs")
    };
    let before = holds(&stage);
    let (none, little) = (limited("0"), limited("1"));
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
