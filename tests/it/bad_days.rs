//! Bad days: what users see when the configuration, the credential, the network, a destination or
//! the platform is broken, or a signal comes; that nothing is written then, and nothing lost.

mod configuration;
mod credentials;
mod network;
mod platform;
mod signals;
mod sinks;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

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

/// Hands the stage to a user whom file modes bind, since they do not bind root. `false` if there is
/// no such user who may start the program.
fn unprivileged(stage: &Stage) -> bool {
    const NOBODY: u32 = 65534;
    fn give(path: &Path) {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give");
        if path.is_dir() {
            for name in names(path) {
                give(&path.join(name));
            }
        }
    }
    if fs::metadata(stage.dir.path()).expect("there").uid() != 0 {
        return true;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_rolecall"));
    let open = |path: &Path| {
        let mode = fs::metadata(path).expect("there").permissions().mode();
        mode & 0o001 != 0
    };
    if !program.ancestors().all(open) || !stage.dir.path().ancestors().skip(1).all(open) {
        return false;
    }
    give(stage.dir.path());
    true
}

/// Starts a command as the one to whom the stage was handed.
fn as_its_owner(stage: &Stage) -> impl FnOnce(&mut Command) + use<> {
    let found = fs::metadata(stage.dir.path()).expect("there");
    let other = fs::metadata("/proc/self").map_or(found.uid(), |me| me.uid()) != found.uid();
    move |command| {
        if other {
            command.uid(found.uid()).gid(found.gid());
        }
    }
}
