//! Bad days: what users see when the configuration, the credential, the network, a destination or
//! the platform is broken, or a signal comes; that nothing is written then, and nothing lost.

mod configuration;
mod credentials;
mod network;
mod platform;
mod signals;
mod sinks;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::stage::Stage;

/// One account, with everything that a birth does.
const CI: &str = r#"service_account "ci" {
  scope = space.payments
  name  = "ci"
  roles = ["agent", "viewer"]

  credential {
    deliver_to = [sink.file.local]
  }
}
"#;

const PLAN: &[&str] = &["plan", "access"];
const APPLY: &[&str] = &["apply", "--yes", "access"];
const SETTLED: &[&str] = &["plan", "--detailed-exitcode", "access"];

/// A small stage on which [`CI`] is declared.
fn stage() -> Stage {
    let mut stage = Stage::small();
    stage.configure(CI);
    stage
}

/// The writes that have reached the platform since the last hook was set.
fn writes(stage: &Stage) -> Vec<String> {
    const WRITES: [&str; 4] = [
        "createServiceAccount",
        "deleteServiceAccounts",
        "setRoles",
        "updateServiceAccount",
    ];
    let mut seen = stage.front.seen();
    seen.retain(|operation| WRITES.contains(&operation.as_str()));
    seen
}

/// Everything that the platform holds but when its accounts were used.
fn holds(stage: &Stage) -> serde_json::Value {
    let mut dump = stage.app.dump().expect("a dump");
    for account in dump["accounts"].as_array_mut().expect("accounts") {
        account["last_used"] = serde_json::Value::Null;
    }
    dump
}

/// The names of the files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| {
            let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
            entries
                .map(|e| name(e).to_string_lossy().into_owned())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

/// Says that a test does not test, past the capture of what tests print.
fn skipped(why: &str) {
    // If standard error is gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// A user whom file modes bind, since they do not bind root, and who owns the stage.
struct Somebody {
    /// Where root may not be followed, a copy of the program.
    program: Option<tempfile::TempDir>,
}

/// Hands the stage to a user whom file modes bind. `None`, and said so, if there can be none.
fn unprivileged(stage: &Stage) -> Option<Somebody> {
    fn give(path: &Path) {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give");
        if path.is_dir() {
            for name in names(path) {
                give(&path.join(name));
            }
        }
    }
    if fs::metadata(stage.dir.path()).expect("there").uid() != 0 {
        return Some(Somebody { program: None });
    }
    let open = |path: &Path| {
        let mode = fs::metadata(path).expect("there").permissions().mode();
        mode & 0o001 != 0
    };
    if !stage.dir.path().ancestors().skip(1).all(open) {
        skipped("root alone may enter the folder of temporary files");
        return None;
    }
    give(stage.dir.path());
    let program = tempfile::tempdir().expect("a temporary directory");
    let copy = program.path().join("rolecall");
    // Another process copies: a file that this one has open for writing, and with it whatever another
    // test starts meanwhile, cannot be run ("text file busy").
    let copied = Command::new("cp")
        .args([Path::new(env!("CARGO_BIN_EXE_rolecall")), &copy])
        .status();
    assert!(copied.expect("cp runs").success());
    for path in [program.path(), &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("changed");
    }
    Some(Somebody {
        program: Some(program),
    })
}

const NOBODY: u32 = 65534;

impl Somebody {
    /// Starts a command as this user.
    fn starts(&self) -> impl FnOnce(&mut Command) {
        let program = self.program.as_ref().map(|dir| dir.path().join("rolecall"));
        move |command| {
            let Some(program) = program else { return };
            let mut same = Command::new(program);
            same.args(command.get_args())
                .env_clear()
                .envs(
                    command
                        .get_envs()
                        .filter_map(|(name, value)| Some((name, value?))),
                )
                .stdin(Stdio::null())
                .uid(NOBODY)
                .gid(NOBODY);
            if let Some(dir) = command.get_current_dir() {
                same.current_dir(dir);
            }
            *command = same;
        }
    }
}
