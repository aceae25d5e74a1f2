//! Seal keys at the command line: made, shown, handed over; and the days on which accounts are under
//! another one than the configuration's.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use jiff::Timestamp;
use rolecall::model::{SealKey, SealPublicKey};
use zeroize::Zeroizing;

use crate::stage::Stage;

const APPLY: [&str; 3] = ["apply", "--yes", "access"];
const CHANGES: [&str; 3] = ["plan", "--detailed-exitcode", "access"];

fn key(first: u8) -> SealKey {
    let seed = std::array::from_fn(|i| first.wrapping_add(i as u8));
    SealKey::of_seed(Zeroizing::new(seed)).expect("a key")
}

fn public(key: &SealKey) -> &str {
    key.public().text()
}

/// A configuration with this key, and accounts with their roles.
fn configuration(seal_key: &str, accounts: &[(&str, &str)]) -> String {
    let mut text = format!(
        "# Who may do what.\nrolecall {{\n  stack    = \"acme-access\" # ours\n  id       = \
         \"k7m2q9ta\"\n  seal_key = \"{seal_key}\"\n}}\n\nspace \"payments\" {{\n  id = \
         \"amazing-hofstadter-175565\"\n}}\n\nsink \"file\" \"local\" {{\n  directory = \
         \"credentials\"\n  keep = true\n}}\n"
    );
    for (name, role) in accounts {
        text.push_str(&format!(
            "\nservice_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = \
             [\"{role}\"]\n\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n"
        ));
    }
    text
}

fn configure(stage: &Stage, seal_key: &str, accounts: &[(&str, &str)]) {
    let text = configuration(seal_key, accounts);
    fs::write(stage.path("access/main.hcl"), text).expect("written");
}

/// A run with these private keys in the environment, and no other.
fn command(stage: &Stage, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = stage.command(arguments);
    command
        .env_remove("ROLECALL_SEAL_KEY")
        .envs(variables.iter().copied());
    command
}

fn run(stage: &Stage, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let done = command(stage, arguments, variables).output().expect("runs");
    said(&done)
}

fn said(done: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let code = done.status.code().expect("a code");
    (code, text(&done.stdout), text(&done.stderr))
}

/// The same in the transcript.
fn told(stage: &mut Stage, arguments: &[&str], key: Option<&SealKey>) -> i32 {
    stage.run_in(arguments, |command| {
        command.env_remove("ROLECALL_SEAL_KEY");
        if let Some(key) = key {
            command.env("ROLECALL_SEAL_KEY", key.text().as_str());
        }
    })
}

fn with(key: &SealKey) -> Vec<(&'static str, String)> {
    vec![("ROLECALL_SEAL_KEY", key.text().to_string())]
}

fn run_with(stage: &Stage, arguments: &[&str], key: &SealKey) -> (i32, String, String) {
    let variables = with(key);
    let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
    run(stage, arguments, &variables)
}

/// What of a private key must be in nothing that is shown.
fn secret(text: &str) -> &str {
    let digits = text.trim().strip_prefix("rolecall-seal-ed25519:");
    &digits.expect("a private key")[..12]
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn a_new_key_is_in_one_new_file_for_its_owner_alone_and_in_nothing_that_is_shown() {
    let stage = Stage::small();
    for arguments in [
        &["seal", "new"][..],
        &["seal", "new", "--out", "other.key"],
        &["seal", "new", "--out", "access/third"],
    ] {
        let path = stage.path(
            arguments
                .last()
                .filter(|_| arguments.len() > 2)
                .unwrap_or(&"seal.key"),
        );
        let (code, out, err) = run(&stage, arguments, &[]);
        assert_eq!(code, 0, "{err}");
        assert_eq!(mode(&path), 0o600);
        let text = fs::read_to_string(&path).expect("there");
        let made = SealKey::parse(&text).expect("a key");
        assert!(
            out.contains(&format!("seal_key = \"{}\"", public(&made)))
                && out.contains(made.public().id()),
            "{out}"
        );
        assert!(!format!("{out}{err}").contains(secret(&text)), "{out}{err}");
        // It never takes the place of anything.
        let (code, _, err) = run(&stage, arguments, &[]);
        assert_eq!((code, err.contains("is there already")), (1, true), "{err}");
        assert_eq!(fs::read_to_string(&path).expect("there"), text);
    }
    let (code, _, err) = run(&stage, &["seal", "new", "--out", "access/main.hcl"], &[]);
    assert_eq!(code, 64, "{err}");
}

#[test]
fn a_new_key_goes_to_a_program_that_asks_for_it_and_to_no_terminal() {
    let stage = Stage::small();
    let arguments = ["seal", "new", "--out", "-"];
    let (code, out, err) = run(&stage, &arguments, &[]);
    assert_eq!(code, 0, "{err}");
    let made = SealKey::parse(&out).expect("the key and nothing else");
    assert!(
        err.contains(public(&made)) && !err.contains(secret(&out)),
        "{err}"
    );

    let open =
        rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY)
            .expect("a terminal");
    rustix::pty::grantpt(&open).expect("granted");
    rustix::pty::unlockpt(&open).expect("unlocked");
    let name = rustix::pty::ptsname(&open, Vec::new()).expect("named");
    let end = File::options()
        .write(true)
        .open(name.into_string().expect("text"))
        .expect("opened");
    let child = command(&stage, &arguments, &[])
        .stdout(end)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let (code, _, err) = said(&child.wait_with_output().expect("ends"));
    assert_eq!((code, err.contains("--out seal.key")), (64, true), "{err}");
    let mut shown = Vec::new();
    // A terminal whose other end is closed gives an error, which is its end.
    let _ = File::from(open).read_to_end(&mut shown);
    assert_eq!(String::from_utf8_lossy(&shown), "");
}

#[test]
fn a_private_key_is_told_by_its_name_and_whether_it_is_this_configurations() {
    let stage = Stage::small();
    let (ours, other) = (key(0), key(50));
    configure(&stage, public(&ours), &[]);
    let show = ["seal", "show", "access"];
    let (code, out, _) = run(&stage, &show, &[]);
    assert_eq!(code, 0);
    assert!(
        out.contains(public(&ours)) && out.contains(ours.public().id()),
        "{out}"
    );
    let (code, out, err) = run_with(&stage, &show, &ours);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("belongs to this configuration"), "{out}");
    let (code, out, err) = run_with(&stage, &show, &other);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains(other.public().id()) && err.contains("does not belong"),
        "{out}{err}"
    );
    // Without a configuration it is told all the same.
    let (code, out, _) = run_with(&stage, &["seal", "show"], &other);
    assert_eq!((code, out.contains(public(&other))), (0, true), "{out}");
    let (code, _, err) = run(&stage, &["seal", "show"], &[]);
    assert_eq!(
        (code, err.contains("rolecall seal new")),
        (1, true),
        "{err}"
    );
    for key in [&ours, &other] {
        let text = key.text();
        let (_, out, err) = run_with(&stage, &show, key);
        assert!(!format!("{out}{err}").contains(secret(&text)));
    }
    let unsealed = configuration(public(&ours), &[]).replacen("  seal_key", "  # seal_key", 1);
    fs::write(stage.path("access/main.hcl"), unsealed).expect("written");
    let (code, out, _) = run(&stage, &show, &[]);
    assert_eq!(code, 0);
    assert!(out.contains("none, so nothing proves"), "{out}");
}

#[test]
fn what_is_no_private_key_is_refused_by_what_it_is_and_never_shown() {
    let stage = Stage::small();
    let ours = key(0);
    configure(&stage, public(&ours), &[]);
    let text = ours.text();
    let own = stage.path("own.key");
    fs::write(&own, format!("{}\n", text.as_str())).expect("written");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o640)).expect("changed");
    let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let cut = &text[..text.len() - 1];
    let (value, file) = ("ROLECALL_SEAL_KEY", "ROLECALL_SEAL_KEY_FILE");
    for (variables, says) in [
        (vec![(value, hex)], "earlier form"),
        (vec![(value, public(&ours))], "public half"),
        (vec![(value, cut)], "43 letters of base64"),
        (vec![(value, "")], "43 letters of base64"),
        (
            vec![(value, text.as_str()), (file, "own.key")],
            "set one of them",
        ),
        (vec![(file, text.as_str())], "not the name of a file"),
        (vec![(file, "own.key")], "chmod 600"),
        (vec![(file, "no.key")], "no such file"),
        (vec![(file, "access")], "cannot read the file"),
    ] {
        for arguments in [&["plan", "access"][..], &["seal", "show", "access"]] {
            let (code, out, err) = run(&stage, arguments, &variables);
            assert_eq!(code, 1, "{says}: {err}");
            assert!(err.contains(says), "{says}: {err}");
            let shown = format!("{out}{err}");
            assert!(!shown.contains(secret(&text)), "{shown}");
            assert!(!shown.contains(&hex[8..]), "{shown}");
        }
    }
    fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).expect("changed");
    let (code, _, err) = run(&stage, &["plan", "access"], &[(file, "own.key")]);
    assert_eq!(code, 0, "{err}");
    // What is not read any more is told, and not read.
    let former = "ROLECALL_SEAL_KEY_PREVIOUS";
    for former_value in ["", hex] {
        let variables = [(former, former_value), (file, "own.key")];
        let (code, _, err) = run(&stage, &["plan", "access"], &variables);
        assert_eq!(code, 0, "{err}");
        assert!(
            err.contains("ROLECALL_SEAL_KEY_PREVIOUS is set") && err.contains("seal rotate"),
            "{err}"
        );
        assert!(!err.contains(&hex[8..]), "{err}");
    }
}

/// The file may hold the only copy of the key.
#[test]
fn nothing_that_is_written_takes_the_place_of_the_private_key() {
    let stage = Stage::small();
    let ours = key(0);
    configure(&stage, public(&ours), &[]);
    let own = stage.path("own.key");
    fs::write(&own, ours.text().as_str()).expect("written");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).expect("changed");
    let file = [("ROLECALL_SEAL_KEY_FILE", "own.key")];
    for arguments in [
        &["plan", "--json-out", "own.key", "access"][..],
        &["plan", "--out", "./own.key", "access"],
        &["apply", "--yes", "--record", "access/../own.key", "access"],
        &["plan", "--sarif", "own.key", "access"],
        &["seal", "rotate", "--out", "own.key", "access"],
    ] {
        let (code, _, err) = run(&stage, arguments, &file);
        assert_eq!(code, 64, "{arguments:?}: {err}");
        assert!(err.contains("ROLECALL_SEAL_KEY_FILE reads"), "{err}");
        let kept = fs::read_to_string(&own).expect("there");
        assert_eq!(kept, ours.text().as_str(), "{arguments:?}");
    }
}

/// The plan of a run without the private key is that of a run with it.
#[test]
fn a_plan_needs_no_private_key_and_is_the_same_with_it() {
    let stage = Stage::small();
    let ours = key(0);
    configure(&stage, public(&ours), &[("ci", "viewer")]);
    assert_eq!(run_with(&stage, &APPLY, &ours).0, 0);
    configure(&stage, public(&ours), &[("ci", "agent"), ("new", "viewer")]);
    let plan = ["plan", "access"];
    let (code, out, err) = run(&stage, &plan, &[]);
    assert_eq!(code, 0, "{err}");
    let (_, with_key, told) = run_with(&stage, &plan, &ours);
    assert_eq!((out, err), (with_key, told));
    let (code, _, err) = run(&stage, &APPLY, &[]);
    assert_eq!((code, err.contains("no private key")), (1, true), "{err}");
}

#[test]
fn a_key_hands_over_and_the_next_apply_seals_anew() {
    let mut stage = Stage::small();
    let old = key(0);
    configure(&stage, public(&old), &[("ci", "viewer"), ("scan", "agent")]);
    assert_eq!(run_with(&stage, &APPLY, &old).0, 0);
    let before = fs::read_to_string(stage.path("access/main.hcl")).expect("there");
    let main = stage.path("access/main.hcl");
    fs::set_permissions(&main, fs::Permissions::from_mode(0o640)).expect("changed");

    let rotate = ["seal", "rotate", "access"];
    let (code, out, err) = run_with(&stage, &rotate, &old);
    assert_eq!(code, 0, "{err}");
    let text = fs::read_to_string(stage.path("access/seal.key")).expect("there");
    assert_eq!(mode(&stage.path("access/seal.key")), 0o600);
    assert_eq!(mode(&main), 0o640);
    let new = SealKey::parse(&text).expect("a key");
    assert!(!format!("{out}{err}").contains(secret(&text)), "{out}");
    assert!(
        out.contains(new.public().id()) && out.contains(old.public().id()),
        "{out}"
    );
    let after = fs::read_to_string(&main).expect("there");
    assert!(
        after.contains("# ours") && after.len() > before.len(),
        "{after}"
    );

    stage.say(
        "a plan without any private key: both seals fit, and what the old key sealed is sealed anew",
    );
    assert_eq!(told(&mut stage, &CHANGES, None), 2);
    let (code, _, err) = run_with(&stage, &APPLY, &old);
    assert_eq!(code, 1, "the old key applies no more");
    assert!(err.contains("does not belong"), "{err}");
    stage.say("the new key applies, and then the block has done its work");
    assert_eq!(told(&mut stage, &APPLY, Some(&new)), 0);
    assert_eq!(run(&stage, &CHANGES, &[]).0, 0);
    let (_, out, _) = run_with(&stage, &["seal", "show", "access"], &old);
    assert!(out.contains("former key"), "{out}");
    // As long as the block is there, a plan tells whose seals are believed too, and then no more.
    let named = format!("seal_key_former names the key {}", old.public().id());
    let (_, out, _) = run(&stage, &CHANGES, &[]);
    assert_eq!(out.matches(&named).count(), 1, "{out}");
    let (start, _) = after
        .split_once("\n\n  seal_key_former")
        .expect("the block");
    let (_, rest) = after.split_once("  }\n}").expect("its end");
    fs::write(&main, format!("{start}\n}}{rest}")).expect("written");
    let (code, out, _) = run(&stage, &CHANGES, &[]);
    assert_eq!(code, 0, "{out}");
    assert!(!out.contains("seal_key_former"), "{out}");
    stage.compare("seal/rotated.txt");
}

#[test]
fn a_rotation_that_fails_leaves_everything_as_it_was() {
    let stage = Stage::small();
    let (ours, other) = (key(0), key(50));
    let main = stage.path("access/main.hcl");
    // Long enough for a limit on the size of files that the new key keeps to.
    let text = format!(
        "{}# {}\n",
        configuration(public(&ours), &[]),
        "x".repeat(4000)
    );
    fs::write(&main, &text).expect("written");
    let unchanged = |why: &str| {
        assert_eq!(fs::read_to_string(&main).expect("there"), text, "{why}");
        let names = fs::read_dir(stage.path("access")).expect("readable");
        assert_eq!(names.count(), 1, "{why}: no key is left");
    };
    let rotate = ["seal", "rotate", "access"];
    for (private, says) in [
        (None, "only the private key in use"),
        (Some(&other), "does not belong"),
    ] {
        let (code, _, err) = match private {
            Some(key) => run_with(&stage, &rotate, key),
            None => run(&stage, &rotate, &[]),
        };
        assert_eq!((code, err.contains(says)), (1, true), "{err}");
        unchanged(says);
    }
    fs::write(stage.path("there.key"), "").expect("written");
    for out in ["there.key", "no/such/new.key", "-"] {
        let (code, _, err) = run_with(&stage, &["seal", "rotate", "--out", out, "access"], &ours);
        assert_eq!(code, if out == "-" { 64 } else { 1 }, "{err}");
        unchanged(out);
    }
    let program = env!("CARGO_BIN_EXE_rolecall");
    let limited = Command::new("bash")
        .args([
            "-c",
            &format!("ulimit -f 2; exec {program} seal rotate access"),
        ])
        .current_dir(stage.dir.path())
        .env_clear()
        .env("ROLECALL_SEAL_KEY", ours.text().as_str())
        .output()
        .expect("bash runs");
    let (code, _, err) = said(&limited);
    assert_eq!((code, err.contains("no key was left")), (1, true), "{err}");
    unchanged("a limit");
    let unsealed = text.replacen("  seal_key", "  # seal_key", 1);
    fs::write(&main, &unsealed).expect("written");
    let (code, _, err) = run_with(&stage, &rotate, &ours);
    assert_eq!(
        (code, err.contains("rolecall seal new")),
        (1, true),
        "{err}"
    );
}

#[test]
fn a_block_that_cannot_be_edited_safely_is_told_what_to_say() {
    let stage = Stage::small();
    let ours = key(0);
    let main = stage.path("access/main.hcl");
    let line = format!("  seal_key = \"{}\"", public(&ours));
    let text = configuration(public(&ours), &[]).replacen(
        &line,
        &format!("{line} /*\n  the first\n  */"),
        1,
    );
    fs::write(&main, &text).expect("written");
    let (code, out, err) = run_with(
        &stage,
        &["seal", "rotate", "--out", "new.key", "access"],
        &ours,
    );
    assert_eq!(code, 0, "{err}");
    assert_eq!(fs::read_to_string(&main).expect("there"), text);
    let new = fs::read_to_string(stage.path("new.key")).expect("there");
    let new = SealKey::parse(&new).expect("a key");
    let said: Vec<&str> = out
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    let at = said
        .iter()
        .position(|line| *line == format!("seal_key = \"{}\"", public(&new)));
    let lines = &said[at.expect("the line")..][..6];
    let text = text
        .replacen(&line, &lines.join("\n"), 1)
        .replace("  */", "")
        .replace("the first", "")
        .replace(" /*", "");
    fs::write(&main, text).expect("written");
    let (code, out, err) = run_with(&stage, &["seal", "show", "access"], &new);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(ours.public().id()), "{out}");
}

/// The resource name of a live account, and its labels.
fn live(stage: &Stage, name: &str) -> Option<(String, serde_json::Value)> {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let found = accounts.iter().find(|a| a["name"] == name)?;
    let mrn = found["mrn"].as_str().expect("a name").to_owned();
    Some((mrn, found["labels"].clone()))
}

#[test]
fn under_another_key_nothing_but_an_acknowledged_birth_goes_on_until_accounts_are_imported() {
    let mut stage = Stage::small();
    let (old, new) = (key(0), key(50));
    configure(&stage, public(&old), &[("ci", "viewer"), ("scan", "agent")]);
    assert_eq!(run_with(&stage, &APPLY, &old).0, 0);
    let ours: Vec<_> = ["ci", "scan"]
        .map(|name| live(&stage, name).expect("live"))
        .into();
    // One that nobody disputes, to be changed and left out.
    stage.say("somebody puts another seal_key there, which the old key has not signed");
    configure(
        &stage,
        public(&new),
        &[("ci", "editor"), ("born", "viewer")],
    );
    assert_eq!(told(&mut stage, &APPLY, Some(&new)), 3);
    let (code, document, _) = run(&stage, &["plan", "--format", "json", "access"], &[]);
    assert_eq!(code, 3);
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["refusals"][0]["guard"], "seal-key");
    assert_eq!(document["plan"]["blocked"][0]["block"]["kind"], "other-key");
    assert_eq!(
        document["plan"]["blocked"][0]["block"]["key"],
        old.public().id()
    );
    let digest = document["plan"]["digest"].as_str().expect("a digest");
    let digest = digest.strip_prefix("sha256:").expect("sha256");
    let (_, out, _) = run(&stage, &["plan", "access"], &[]);
    // Behind the numbers it stands before all else.
    let mut lines = out.lines().filter(|line| !line.is_empty());
    let first = lines.nth(1).expect("a line");
    assert!(first.starts_with("Under another seal key"), "{out}");

    stage.say("births alone may go on, if that is said of this very plan");
    let ack = format!("seal-key={digest}");
    let acknowledged = ["apply", "--yes", "--ack", &ack, "access"];
    assert_eq!(told(&mut stage, &acknowledged, Some(&new)), 5);
    assert!(live(&stage, "born").is_some());
    for (name, before) in ["ci", "scan"].iter().zip(&ours) {
        assert_eq!(
            live(&stage, name).as_ref(),
            Some(before),
            "{name} is untouched"
        );
    }
    stage.say("an import block settles an account for good");
    let (mrn, _) = &ours[0];
    let (other, _) = &ours[1];
    let mut text = configuration(
        public(&new),
        &[("ci", "viewer"), ("born", "viewer"), ("scan", "agent")],
    );
    for (name, mrn) in [("ci", mrn), ("scan", other)] {
        text.push_str(&format!(
            "\nimport {{\n  to = service_account.{name}\n  id = \"{mrn}\"\n}}\n"
        ));
    }
    fs::write(stage.path("access/main.hcl"), text).expect("written");
    assert_eq!(told(&mut stage, &APPLY, Some(&new)), 0);
    assert_eq!(run(&stage, &CHANGES, &[]).0, 0);
    stage.compare("seal/other-key.txt");
}

/// One label that names another key must not send people after whoever changed `seal_key`.
#[test]
fn one_account_under_another_key_beside_others_that_verify_is_said_to_be_the_strange_one() {
    let stage = Stage::small();
    let ours = key(0);
    configure(
        &stage,
        public(&ours),
        &[("ci", "viewer"), ("scan", "agent")],
    );
    assert_eq!(run_with(&stage, &APPLY, &ours).0, 0);
    let said = "fit the configuration's seal_key, so it is rather this one";
    let forge = |name: &str| {
        let (mrn, labels) = live(&stage, name).expect("live");
        let labels = labels.as_array().expect("labels").iter().map(|label| {
            let text = |part: &str| label[part].as_str().expect("a text").to_owned();
            let value = match text("key").as_str() {
                "rolecall-seal" => {
                    text("value").replacen(ours.public().id(), key(50).public().id(), 1)
                }
                _ => text("value"),
            };
            (text("key"), value)
        });
        let labels: Vec<(String, String)> = labels.collect();
        let labels: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (&**k, &**v)).collect();
        let put = stage
            .app
            .admin_update_labels(&mrn, &labels, jiff::Timestamp::now());
        put.expect("labelled");
    };
    forge("ci");
    let (code, out, _) = run(&stage, &["plan", "access"], &[]);
    assert_eq!(code, 3, "{out}");
    assert!(
        out.contains(&format!("the seals of 1 other account {said}")),
        "{out}"
    );
    forge("scan");
    let (code, out, _) = run(&stage, &["plan", "access"], &[]);
    assert_eq!(code, 3, "{out}");
    assert!(!out.contains(said), "{out}");
}

/// What else is due while accounts are under another key is left out, told and counted.
#[test]
fn what_is_left_out_under_another_key_is_told_and_counted() {
    let stage = Stage::small();
    let (old, new) = (key(0), key(50));
    configure(&stage, public(&old), &[("ci", "viewer")]);
    assert_eq!(run_with(&stage, &APPLY, &old).0, 0);
    // An account that is the new key's.
    let mrn = live(&stage, "ci").expect("live").0;
    let other = fs::read_to_string(stage.path("access/main.hcl")).expect("there");
    fs::write(stage.path("kept.hcl"), other).expect("kept");
    configure(
        &stage,
        public(&new),
        &[("ci", "viewer"), ("mine", "viewer")],
    );
    let digest = |stage: &Stage| {
        let (_, document, _) = run(stage, &["plan", "--format", "json", "access"], &[]);
        let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
        let digest = document["plan"]["digest"]
            .as_str()
            .expect("a digest")
            .to_owned();
        digest.strip_prefix("sha256:").expect("sha256").to_owned()
    };
    let ack = format!("seal-key={}", digest(&stage));
    assert_eq!(
        run_with(&stage, &["apply", "--yes", "--ack", &ack, "access"], &new).0,
        5
    );
    // Then it is to be changed, beside one that is to be born.
    configure(
        &stage,
        public(&new),
        &[("ci", "viewer"), ("mine", "agent"), ("more", "viewer")],
    );
    let ack = format!("seal-key={}", digest(&stage));
    let arguments = [
        "apply",
        "--yes",
        "--ack",
        &ack,
        "--record",
        "record.json",
        "access",
    ];
    let (code, out, err) = run_with(&stage, &arguments, &new);
    assert_eq!(code, 5, "{out}{err}");
    assert!(
        err.contains("births alone go on")
            && err.contains("left out: service_account.mine: update-permissions"),
        "{err}"
    );
    assert!(live(&stage, "more").is_some());
    let record = fs::read_to_string(stage.path("record.json")).expect("a record");
    let record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
    assert_eq!(record["left_out"][0]["address"], "service_account.mine");
    assert_eq!(record["changes"].as_array().map(Vec::len), Some(1));
    assert_eq!(record["changes"][0]["result"], "done");
    // Nothing is left that could go on: the acknowledgement lifts nothing.
    configure(
        &stage,
        public(&new),
        &[("ci", "viewer"), ("mine", "agent"), ("more", "viewer")],
    );
    let ack = format!("seal-key={}", digest(&stage));
    let (code, out, _) = run_with(&stage, &["apply", "--yes", "--ack", &ack, "access"], &new);
    assert_eq!(
        (code, out.contains("the plan has none")),
        (3, true),
        "{out}"
    );
    assert!(out.contains(&mrn), "{out}");
    let deleted = stage.app.admin_delete(&mrn, Timestamp::now());
    deleted.expect("deleted");
}

/// A first project has its key, a plan needs nothing of it, and an apply takes it from the file.
#[test]
fn a_first_project_is_sealed_from_its_first_apply() {
    let stage = Stage::small();
    let (code, _, err) = run(&stage, &["init", "--from-live", "first"], &[]);
    assert_eq!(code, 0, "{err}");
    let private = fs::read_to_string(stage.path("first/seal.key")).expect("there");
    let made = SealKey::parse(&private).expect("a key");
    let main = fs::read_to_string(stage.path("first/main.hcl")).expect("there");
    assert!(
        main.contains(&format!("  seal_key = \"{}\"\n", public(&made))),
        "{main}"
    );
    assert!(SealPublicKey::parse(public(&made)).is_ok() && !main.contains(secret(&private)));
    let space = "\nsink \"file\" \"local\" {\n  directory = \"credentials\"\n  keep = true\n}\n\nservice_account \"ci\" {\n  \
                 scope = space.payments\n  name  = \"ci\"\n  roles = []\n  credential {\n    deliver_to = \
                 [sink.file.local]\n  }\n}\n";
    fs::write(stage.path("first/main.hcl"), format!("{main}{space}")).expect("written");
    let (code, out, err) = run(&stage, &["plan", "first"], &[]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(!out.contains("seal_key"), "{out}");
    let file = [("ROLECALL_SEAL_KEY_FILE", "first/seal.key")];
    let (code, out, err) = run(&stage, &["apply", "--yes", "first"], &file);
    assert_eq!(code, 0, "{out}{err}");
    let (_, labels) = live(&stage, "ci").expect("live");
    let labels = labels.to_string();
    assert!(
        labels.contains("rolecall-seal-2") && labels.contains(made.public().id()),
        "{labels}"
    );
    assert_eq!(
        run(&stage, &["plan", "--detailed-exitcode", "first"], &[]).0,
        0
    );
}

#[test]
fn a_key_that_git_would_take_is_warned_of() {
    let stage = Stage::small();
    let file = |name: &str, text: &str| fs::write(stage.path(name), text).expect("written");
    fs::create_dir_all(stage.path("repository/.git")).expect("created");
    fs::create_dir_all(stage.path("repository/below")).expect("created");
    let warned = |out: &str| {
        let (code, _, err) = run(&stage, &["seal", "new", "--out", out], &[]);
        assert_eq!(code, 0, "{err}");
        err.contains("git does not ignore")
    };
    assert!(!warned("outside.key"));
    assert!(warned("repository/one.key"));
    assert!(warned("repository/below/two.key"));
    file(
        "repository/.gitignore",
        "below.key\n*.pem\nthree.key\n/four.key\n",
    );
    assert!(!warned("repository/below/three.key"));
    assert!(!warned("repository/four.key"));
    assert!(warned("repository/below/four.key"));
    file("repository/below/.gitignore", "*\n");
    assert!(!warned("repository/below/five.key"));
}

/// Whoever pastes the wrong half must not read it in a log as well.
#[test]
fn a_private_key_in_a_configuration_is_in_no_output() {
    let stage = Stage::small();
    let ours = key(0);
    let private = ours.text();
    let main = stage.path("access/main.hcl");
    let good = configuration(public(&ours), &[]);
    let wrong = |text: &str, from: &str| {
        fs::write(&main, text).expect("written");
        for arguments in [
            &["validate", "access"][..],
            &["validate", "--format", "json", "access"],
            &["plan", "--format", "json", "access"],
            &["plan", "--local", "access"],
            &["seal", "show", "access"],
            &["seal", "rotate", "access"],
        ] {
            let (code, out, err) = run_with(&stage, arguments, &ours);
            assert_eq!(code, 1, "{from}: {arguments:?}: {out}{err}");
            assert!(
                !format!("{out}{err}").contains(secret(&private)),
                "{from}: {out}{err}"
            );
        }
    };
    wrong(&good.replacen(public(&ours), &private, 1), "seal_key");
    wrong(&good.replacen("k7m2q9ta", &private, 1), "id");
    wrong(
        &good
            .replacen("seal_key", "sealkey", 1)
            .replacen(public(&ours), &private, 1),
        "a slip",
    );
    wrong(
        &format!("{good}\nlocals {{\n  x = {} + 1\n}}\n", private.as_str()),
        "bare",
    );
    fs::write(&main, &good).expect("written");
    fs::write(
        stage.path("access/a.auto.vars.hcl"),
        format!("x = \"{}\n", private.as_str()),
    )
    .expect("written");
    wrong(&good, "a values file");
}
