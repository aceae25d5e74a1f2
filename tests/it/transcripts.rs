//! Stories of whole runs, as a user sees them, compared with golden files. What happens in them is more
//! than the files of `scripts` can say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use rolecall::model::{AddressLabel, Birth, Marks, Nonce, StackId};
use rolecall_server::SeedAccount;

use crate::stage::{PAYMENTS, Stage, Then};

const CI: &str = r#"role "scanner" {
  includes = ["agent", "viewer"]
}

service_account "ci" {
  scope       = space.payments
  name        = "ci-payments"
  description = "Scans the builds of the payments team"
  roles       = [role.scanner]
  labels      = { team = "platform-security" }

  credential {
    deliver_to = [sink.file.local]
  }
}
"#;

/// An account declared with some roles.
fn account(name: &str, scope: &str, roles: &str) -> String {
    format!(
        r#"
service_account "{name}" {{
  scope = {scope}
  name  = "{name}"
  roles = {roles}

  credential {{
    deliver_to = [sink.file.local]
  }}
}}
"#
    )
}

fn mrn_of(stage: &Stage, name: &str) -> String {
    fn find(value: &serde_json::Value, name: &str) -> Option<String> {
        match value {
            serde_json::Value::Object(map) => {
                let here = map.get("name").and_then(|n| n.as_str()) == Some(name);
                let mrn = map.get("mrn").and_then(|m| m.as_str());
                if let (true, Some(mrn)) = (here && map.contains_key("labels"), mrn) {
                    return Some(mrn.to_owned());
                }
                map.values().find_map(|v| find(v, name))
            }
            serde_json::Value::Array(list) => list.iter().find_map(|v| find(v, name)),
            _ => None,
        }
    }
    find(&stage.app.dump().expect("a dump"), name).expect("an account of that name")
}

#[test]
fn first_run_and_no_op() {
    let mut stage = Stage::new();
    stage.configure(CI);
    assert_eq!(stage.run(&["validate", "access"]), 0);
    assert_eq!(stage.run(&["plan", "access"]), 0);
    assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 2);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    let file = stage.path("access/credentials/ci.json");
    assert_eq!(
        fs::metadata(&file).expect("there").permissions().mode() & 0o777,
        0o600
    );
    let ignore = fs::read_to_string(stage.path("access/credentials/.gitignore"));
    assert_eq!(ignore.expect("there").trim(), "*");
    assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 0);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.say("with the delivered key: an agent and viewer cannot list service accounts");
    let key = [
        "plan",
        "--credentials",
        "access/credentials/ci.json",
        "access",
    ];
    assert_eq!(stage.run(&key), 0);
    stage.compare("first-run.txt");
}

#[test]
fn partial_failure() {
    let mut stage = Stage::new();
    let two = account("one", "space.payments", r#"["agent"]"#)
        + &account("two", "space.payments", r#"["viewer"]"#);
    stage.configure(&two);
    fs::create_dir_all(stage.path("access/credentials/one.json")).expect("created");
    stage.say("a folder stands where the first key should go");
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 1);
    let writes = stage.front.seen();
    assert!(
        !writes.iter().any(|o| o == "createServiceAccount"),
        "nothing was begun: {writes:?}"
    );
    fs::remove_dir(stage.path("access/credentials/one.json")).expect("removed");
    stage.say("the folder is gone; the answer to the first create gets lost");
    stage.front.hook(|operation, count| {
        if operation == "createServiceAccount" && count == 1 {
            Then::Lose
        } else {
            Then::Answer
        }
    });
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 5);
    let creates = stage
        .front
        .seen()
        .iter()
        .filter(|o| *o == "createServiceAccount")
        .count();
    assert_eq!(creates, 2, "the same run never creates again");
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 0);
    stage.compare("partial-failure.txt");
}

#[test]
fn a_dispute_and_an_emptied_configuration_are_refused() {
    let mut stage = Stage::new();
    stage.configure(CI);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.say("somebody copies the marks onto an account of their own");
    let ours = mrn_of(&stage, "ci-payments");
    let theirs = mrn_of(&stage, "payments-dashboard");
    let labels = [
        ("rolecall-stack", "acme-access.k7m2q9ta"),
        ("rolecall-address", "ci"),
        ("rolecall-mark", "v1.0-1-0.g1.p0d0r0.e-.t-"),
        ("rolecall-written", "-.-"),
        ("rolecall-credential", "external"),
    ];
    stage
        .app
        .admin_update_labels(&theirs, &labels, Timestamp::now())
        .expect("labelled");
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 3);
    stage
        .app
        .admin_update_labels(&theirs, &[], Timestamp::now())
        .expect("labelled");
    stage.say("the marks are gone again; the configuration is emptied");
    stage.configure("");
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 3);
    assert!(
        stage
            .app
            .dump()
            .expect("a dump")
            .to_string()
            .contains(&ours),
        "still there"
    );
    assert_eq!(stage.run(&["apply", "--yes", "--destroy", "access"]), 0);
    assert!(
        !stage
            .app
            .dump()
            .expect("a dump")
            .to_string()
            .contains(&ours),
        "gone"
    );
    stage.compare("refused.txt");
}

#[test]
fn what_moves_between_plan_and_write_is_stale() {
    let mut stage = Stage::new();
    stage.configure(CI);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&CI.replace(r#"["agent", "viewer"]"#, r#"["agent"]"#));
    let mrn = mrn_of(&stage, "ci-payments");
    stage.say("while the next run applies, somebody makes ci-payments an editor");
    let app = Arc::clone(&stage.app);
    // Planning lists the organization and its three spaces; the fifth listing is apply's own.
    stage.front.hook(move |operation, count| {
        if operation == "serviceAccounts" && count == 5 {
            app.admin_set_roles(PAYMENTS, &mrn, &["editor"], Timestamp::now())
                .expect("set");
        }
        Then::Answer
    });
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 4);
    let writes = stage
        .front
        .seen()
        .iter()
        .filter(|o| *o == "setRoles")
        .count();
    assert_eq!(writes, 0);
    stage.compare("stale.txt");
}

fn interrupt(pid: u32) {
    let pid = pid.to_string();
    let status = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn interrupted_before_the_first_write() {
    let mut stage = Stage::new();
    stage.configure(CI);
    let (arrived, wait) = mpsc::channel();
    stage.front.hook(move |operation, _| {
        if operation == "serviceAccounts" {
            let _ = arrived.send(());
            std::thread::sleep(Duration::from_secs(20));
        }
        Then::Answer
    });
    let arguments = ["apply", "--yes", "access"];
    let child = stage.start(&arguments);
    wait.recv_timeout(Duration::from_secs(60))
        .expect("the run has begun to read");
    interrupt(child.id());
    assert_eq!(stage.finish(&arguments, child), 130);
    stage.compare("interrupted-before.txt");
}

#[test]
fn interrupted_in_the_middle_finishes_the_change_in_hand() {
    let mut stage = Stage::new();
    let two = account("one", "space.payments", r#"["agent"]"#)
        + &account("two", "space.payments", r#"["viewer"]"#);
    stage.configure(&two);
    let (arrived, wait) = mpsc::channel();
    let (go, resume) = mpsc::channel::<()>();
    stage.front.hook(move |operation, _| {
        if operation == "createServiceAccount" {
            let _ = arrived.send(());
            let _ = resume.recv_timeout(Duration::from_secs(20));
        }
        Then::Answer
    });
    let arguments = ["apply", "--yes", "access"];
    let child = stage.start(&arguments);
    wait.recv_timeout(Duration::from_secs(60))
        .expect("the run has begun to write");
    interrupt(child.id());
    // The signal is delivered asynchronously; the answer waits until it surely has arrived.
    std::thread::sleep(Duration::from_millis(500));
    go.send(()).expect("the platform waits");
    assert_eq!(stage.finish(&arguments, child), 5);
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.compare("interrupted-in-the-middle.txt");
}

/// Everything in a folder but the sinks.
fn everything_but_keys(dir: &std::path::Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            if !path.ends_with("credentials") {
                all.extend(everything_but_keys(&path));
            }
        } else if !path.ends_with("owner.json") {
            all.extend(fs::read(&path).expect("readable"));
        }
    }
    all
}

#[test]
fn the_embedded_platform_keeps_no_private_key() {
    let mut stage = Stage::new();
    stage.configure(CI);
    assert_eq!(stage.run(&["apply", "--local", "--yes", "access"]), 0);
    let all = everything_but_keys(&stage.path("access"));
    let holds = |part: &[u8]| all.windows(part.len()).any(|window| window == part);
    assert!(holds(b"SQLite format 3") && holds(b"ci-payments"));
    for file in [
        "access/.rolecall/credentials/ci.json",
        "access/.rolecall/owner.json",
    ] {
        use base64::Engine as _;
        let text = fs::read_to_string(stage.path(file)).expect("there");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let key = json["private_key"].as_str().expect("a key");
        let lines: Vec<&str> = key
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        assert!(lines.len() > 2);
        for line in &lines {
            assert!(
                !holds(line.as_bytes()),
                "a part of the key of {file} is elsewhere"
            );
        }
        let der = base64::engine::general_purpose::STANDARD.decode(lines.concat());
        // The private scalar of a P-384 key in PKCS#8 without attributes: 48 bytes from the 35th.
        let scalar = &der.expect("base64")[35..83];
        assert!(!holds(scalar), "the key of {file} is elsewhere in binary");
        let mode = fs::metadata(stage.path(file))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let folder = fs::metadata(stage.path("access/.rolecall"))
        .expect("there")
        .permissions();
    assert_eq!(folder.mode() & 0o777, 0o700);
}

/// A folder that was there already may be open to others.
#[test]
fn the_embedded_platform_keeps_its_files_to_their_owner_whatever_the_folder_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut stage = Stage::small();
    stage.configure("");
    let folder = stage.path("access/.rolecall");
    fs::create_dir(&folder).expect("created");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("changed");
    let output = stage.command(&["plan", "--local", "access"]).output();
    assert_eq!(output.expect("runs").status.code(), Some(0));
    for name in ["local.db", "owner.json"] {
        let found = fs::metadata(folder.join(name)).expect("there");
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

/// What a checkout brings is neither believed nor left open.
#[test]
fn the_embedded_platform_refuses_a_database_that_was_not_made_here() {
    use std::os::unix::fs::PermissionsExt as _;
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n)";
    for strange in [
        format!("create view meta as {endless} select 'port' as key, max(i) as value from n"),
        format!("create table x (a); create view scopes as {endless} select * from n"),
        "create table notes (text)".to_owned(),
    ] {
        let mut stage = Stage::small();
        stage.configure("");
        let folder = stage.path("access/.rolecall");
        fs::create_dir(&folder).expect("created");
        fs::write(folder.join(".gitignore"), "!*\n").expect("written");
        let made = rusqlite::Connection::open(folder.join("local.db")).expect("opens");
        made.execute_batch(&format!("{strange}; pragma user_version = 2"))
            .expect("made");
        drop(made);
        let output = stage
            .command(&["plan", "--local", "access"])
            .output()
            .expect("runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("is no database of this platform"), "{text}");
        let ignored = fs::read_to_string(folder.join(".gitignore")).expect("there");
        assert_eq!(ignored, "*\n");
        for (name, mode) in [("", 0o700), ("local.db", 0o600)] {
            let found = fs::metadata(folder.join(name)).expect("there");
            assert_eq!(found.permissions().mode() & 0o777, mode, "{name}");
        }
    }
}

#[test]
fn colours_are_for_terminals_and_those_who_insist() {
    let mut stage = Stage::new();
    stage.configure(CI);
    let run = |variables: &[(&str, &str)]| {
        let mut command = stage.command(&["plan", "access"]);
        let output = command
            .envs(variables.iter().copied())
            .output()
            .expect("runs");
        String::from_utf8(output.stdout)
            .expect("text")
            .contains('\u{1b}')
    };
    assert!(!run(&[]), "a pipe is no terminal");
    assert!(run(&[("CLICOLOR_FORCE", "1")]));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn a_served_platform_is_one_for_others() {
    use std::io::{BufRead, BufReader};
    let mut stage = Stage::new();
    stage.configure(CI);
    let seed = std::env::current_dir()
        .expect("here")
        .join("fixtures/live/acme.json");
    let seed = seed.to_str().expect("text").to_owned();
    let arguments = [
        "platform",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--db",
        "p.db",
        "--seed",
        &seed,
    ];
    let mut served = stage.start(&arguments);
    let mut lines = BufReader::new(served.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.contains("listens at http://127.0.0.1:"), "{first}");
    let owner = stage.path("p.db.owner.json");
    for _ in 0..100 {
        if owner.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        fs::metadata(&owner).expect("there").permissions().mode() & 0o777,
        0o600
    );
    let run = |command: &str, more: &[&str]| {
        let mut arguments = vec![command, "--credentials", "p.db.owner.json", "access"];
        arguments.extend(more);
        stage
            .command(&arguments)
            .output()
            .expect("runs")
            .status
            .code()
    };
    assert_eq!(run("apply", &["--yes"]), Some(0));
    assert_eq!(run("plan", &["--detailed-exitcode"]), Some(0));
    // A platform that is killed loses nothing that it has answered.
    served.kill().expect("killed");
    served.wait().expect("ended");
    let address = first
        .rsplit("http://")
        .next()
        .expect("an address")
        .to_owned();
    let again = [
        "platform", "serve", "--listen", &address, "--db", "p.db", "--seed", &seed,
    ];
    let mut served = stage.start(&again);
    let mut lines = BufReader::new(served.stdout.take().expect("piped")).lines();
    lines.next().expect("a line").expect("text");
    assert_eq!(run("plan", &["--detailed-exitcode"]), Some(0));
    interrupt(served.id());
    assert_eq!(served.wait().expect("ended").code(), Some(0));
}

#[test]
fn what_is_unknown_about_the_platform_changes_no_promise() {
    use rolecall_server::Quirks;
    for quirks in [
        r#"{"empty_roles": "default_viewer"}"#,
        r#"{"empty_roles": "refuse"}"#,
        r#"{"empty_roles": "default_viewer", "clear_roles": "refuse"}"#,
        r#"{"labels_on_update": "merge"}"#,
        r#"{"labels_omitted_on_update": "clear"}"#,
        r#"{"read_lag_ms": 400}"#,
        r#"{"org_listing_includes_spaces": true}"#,
        r#"{"equal_names": "refuse"}"#,
        r#"{"page_cap": 2}"#,
    ] {
        let chosen: Quirks = serde_json::from_str(quirks).expect("quirks");
        let lag = Duration::from_millis(chosen.read_lag_ms + 100);
        let settle = || std::thread::sleep(lag);
        let mut stage = Stage::with(chosen);
        stage.configure(CI);
        assert_eq!(stage.run(&["apply", "--yes", "access"]), 0, "{quirks}");
        settle();
        assert_eq!(
            stage.run(&["plan", "--detailed-exitcode", "access"]),
            0,
            "{quirks}"
        );
        stage.configure(
            &CI.replace("builds of the", "images of the")
                .replace(r#"["agent", "viewer"]"#, r#"["viewer"]"#),
        );
        assert_eq!(stage.run(&["apply", "--yes", "access"]), 0, "{quirks}");
        settle();
        assert_eq!(
            stage.run(&["plan", "--detailed-exitcode", "access"]),
            0,
            "{quirks}"
        );
    }
    let dropped: Quirks = serde_json::from_str(r#"{"labels_on_create": "drop"}"#).expect("quirks");
    let mut stage = Stage::with(dropped);
    stage.configure(CI);
    let before = stage
        .app
        .dump()
        .expect("a dump")
        .to_string()
        .matches("serviceaccounts/")
        .count();
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 5);
    let after = stage
        .app
        .dump()
        .expect("a dump")
        .to_string()
        .matches("serviceaccounts/")
        .count();
    assert_eq!(before, after, "what cannot be managed is not left behind");
    stage.compare("labels-dropped.txt");
}

#[test]
fn two_runs_at_the_same_moment_leave_one_account_at_most() {
    let mut stage = Stage::new();
    stage.configure(CI);
    let app = Arc::clone(&stage.app);
    let owner: serde_json::Value =
        serde_json::from_slice(&fs::read(stage.path("owner.json")).expect("there")).expect("JSON");
    let creator = owner["mrn"].as_str().expect("an MRN").to_owned();
    stage.say("another run has created the account just before this one does");
    stage.front.hook(move |operation, count| {
        if operation == "createServiceAccount" && count == 1 {
            let birth = Birth::new(Nonce::from_bytes([7; 16]), Timestamp::now());
            let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
            let address = AddressLabel::from_label("ci");
            let marks =
                crate::stage::seals().sign_birth(Marks::pending(stack, address, 1, birth, None));
            let twin = SeedAccount {
                name: "ci-payments".to_owned(),
                creator: Some(creator.clone()),
                labels: marks.labels(),
                ..SeedAccount::default()
            };
            app.admin_create_account(PAYMENTS, &twin, Timestamp::now())
                .expect("created");
        }
        Then::Answer
    });
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 5);
    assert!(
        !stage.path("access/credentials/ci.json").exists(),
        "no key of the one given up"
    );
    stage.front.hook(|_, _| Then::Answer);
    stage.say("the other run's account is being born for all that is known");
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 5);
    let dump = stage.app.dump().expect("a dump").to_string();
    assert_eq!(dump.matches("\"ci-payments\"").count(), 1);
    stage.compare("two-runs.txt");
}

#[test]
fn a_key_of_another_platform_is_never_replaced() {
    let mut stage = Stage::new();
    stage.configure(CI);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    let file = stage.path("access/credentials/ci.json");
    let key = fs::read_to_string(&file).expect("there");
    stage.say("--local keeps its keys to itself");
    assert_eq!(stage.run(&["apply", "--yes", "--local", "access"]), 0);
    assert_eq!(fs::read_to_string(&file).expect("there"), key);
    stage.say("a key of another region is in the way");
    let url = stage.front.url();
    fs::write(&file, key.replace(&url, "https://eu.api.mondoo.com")).expect("written");
    stage
        .app
        .admin_delete(&mrn_of(&stage, "ci-payments"), Timestamp::now())
        .expect("deleted");
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 1);
    fs::remove_file(&file).expect("removed");
    stage.say("it is moved away");
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.compare("another-platforms-key.txt");
}

#[test]
fn what_could_not_be_read_is_said_and_deletes_nothing() {
    let quirks: rolecall_server::Quirks =
        serde_json::from_str(r#"{"org_listing_includes_spaces": true}"#).expect("quirks");
    for quirks in [quirks, rolecall_server::Quirks::default()] {
        let mut stage = Stage::with(quirks);
        stage.configure(&(CI.to_owned() + &account("two", "organization.acme", r#"["viewer"]"#)));
        assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
        stage.configure(&account("two", "organization.acme", r#"["viewer"]"#));
        stage.front.deny_listings(&[PAYMENTS]);
        assert_eq!(stage.run(&["plan", "access"]), 0);
        assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 1);
        stage.front.deny_listings(&[]);
        assert_eq!(stage.run(&["plan", "--detailed-exitcode", "access"]), 2);
    }
}

#[test]
fn strict_is_content_with_ones_own_account() {
    let mut stage = Stage::new();
    stage.configure(CI);
    assert_eq!(stage.run(&["apply", "--local", "--yes", "access"]), 0);
    assert_eq!(
        stage.run(&[
            "plan",
            "--local",
            "--strict",
            "--detailed-exitcode",
            "access"
        ]),
        0
    );
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let mut stage = Stage::new();
    stage.configure(CI);
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("there");
    let output = stage
        .command(&["plan", "access"])
        .stdout(full)
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot write to standard output"), "{said}");
}
