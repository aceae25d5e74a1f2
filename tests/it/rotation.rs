//! A key's life in whole runs: born, replaced by the clock and on request, former keys that end, and those that
//! do not.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rolecall::http::{Answer, Failure, Time};
use rolecall::platform::{Client, Credential, Endpoint, Transport};
use rolecall::ports::Reader as _;
use rolecall_server::App;

use crate::stage::{ORG, PAYMENTS, Stage, Then};

const TOKEN: &str = "token-of-the-scheduled-job";
const DAY: i64 = 24 * 60;

/// A stage with one account whose key goes to two folders.
fn stage(rest: &str) -> Stage {
    let mut stage = Stage::small();
    stage
        .app
        .admin_create_token(ORG, "scheduled", TOKEN, &["owner"], Timestamp::now())
        .expect("a token");
    configured(&mut stage, rest);
    stage
}

fn configured(stage: &mut Stage, rest: &str) {
    stage.configure(&format!(
        "sink \"file\" \"second\" {{\n  directory = \"second/credentials\"\n  keep      = true\n}}\n\n\
         service_account \"ci\" {{\n  scope = space.payments\n  name  = \"ci\"\n  roles = [\"viewer\"]\n{rest}\n  \
         credential {{\n    deliver_to   = [sink.file.local, sink.file.second]\n    \
         rotate_after = \"60d\"\n    overlap      = \"2d\"\n  }}\n}}\n"
    ));
}

/// Runs as the scheduled job, whose login knows no clock.
fn run(stage: &Stage, arguments: &[&str]) -> (i32, String) {
    let mut command = stage.command(arguments);
    command
        .env_remove("MONDOO_CONFIG_PATH")
        .env("MONDOO_API_TOKEN", TOKEN);
    command.env("MONDOO_API_ENDPOINT", stage.front.url());
    let output = command.output().expect("runs");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code().expect("an end"), text.concat())
}

const APPLY: &[&str] = &["apply", "--yes", "access"];
const PLAN: &[&str] = &["plan", "--detailed-exitcode", "access"];
const DUE: &[&str] = &["rotate", "--due", "--yes", "access"];
const CHECK: &[&str] = &["check", "--allow-unmanaged", "access"];
const NAMED: &[&str] = &["rotate", "service_account.ci", "--yes", "access"];

/// The way to the platform at another time.
struct At<'a>(&'a App, Timestamp);

impl Transport for At<'_> {
    async fn send(&self, body: Vec<u8>, authorization: String) -> Result<Answer, Failure> {
        let (status, body) = self.0.serve_bytes(Some(&authorization), &body, self.1);
        Ok(Answer::new(status, body))
    }
}

/// Uses a key so many minutes from now; who it is, or why it opens nothing.
pub fn uses(stage: &Stage, key: &[u8], minutes: i64) -> Result<String, String> {
    let at = Timestamp::now() + SignedDuration::from_mins(minutes);
    let credential = Credential::parse(key).expect("a credential");
    let time = Time {
        now: Arc::new(move || at),
        sleep: Arc::new(|_: Duration| Box::pin(async {})),
    };
    let endpoint = Endpoint::new(&stage.front.url()).expect("valid");
    let client = Client::new(At(&stage.app, at), endpoint, credential.identity, time);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let caller = runtime.block_on(client.caller());
    caller
        .map(|caller| caller.mrn.to_string())
        .map_err(|error| error.to_string())
}

fn key(stage: &Stage, place: &str) -> Vec<u8> {
    fs::read(stage.path("access").join(place)).expect("a key")
}

/// Both places hold one key, which is that of this account.
fn both(stage: &Stage) -> Vec<u8> {
    let first = key(stage, "credentials/ci.json");
    assert_eq!(first, key(stage, "second/credentials/ci.json"));
    first
}

fn accounts(stage: &Stage) -> Vec<serde_json::Value> {
    let dump = stage.app.dump().expect("dumps");
    let all = dump["accounts"].as_array().cloned().unwrap_or_default();
    all.into_iter()
        .filter(|account| account["scope_mrn"] == PAYMENTS)
        .collect()
}

#[test]
fn a_key_is_replaced_by_the_clock_and_the_former_one_ends_once_nobody_uses_it() {
    let stage = stage("");
    let (code, text) = run(&stage, APPLY);
    assert_eq!(code, 0, "{text}");
    let first = both(&stage);
    // Nothing is due.
    let (code, text) = run(&stage, DUE);
    assert_eq!((code, both(&stage) == first), (0, true), "{text}");

    // By the clock a plan only tells of it.
    stage.front.clock(61 * DAY);
    let (code, text) = run(&stage, PLAN);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("due for a new one since"), "{text}");
    uses(&stage, &first, 61 * DAY).expect("it opens its account");
    let (code, text) = run(&stage, DUE);
    assert_eq!(code, 0, "{text}");
    let second = both(&stage);
    assert_ne!(first, second);
    let (old, new) = (
        uses(&stage, &first, 61 * DAY),
        uses(&stage, &second, 61 * DAY),
    );
    assert!(old.is_ok() && new.is_ok() && old != new, "{old:?} {new:?}");

    // Both go on while the overlap runs, and nobody has to do anything.
    stage.front.clock(62 * DAY);
    let (code, text) = run(&stage, CHECK);
    assert_eq!(code, 0, "{text}");
    assert_eq!(run(&stage, PLAN).0, 0);
    assert_eq!(run(&stage, DUE).0, 0);
    assert!(uses(&stage, &first, 62 * DAY).is_ok());

    // It is still used: who uses it is to be found, and it stays.
    stage.front.clock(64 * DAY - 60);
    uses(&stage, &first, 64 * DAY - 120).expect("it opens its account");
    let (code, text) = run(&stage, CHECK);
    assert_eq!(code, 6, "{text}");
    assert!(
        text.contains("still used though its time is over"),
        "{text}"
    );
    assert_eq!(run(&stage, DUE).0, 0);
    assert!(uses(&stage, &first, 64 * DAY - 60).is_ok());

    // First its roles go, in a later run the account.
    stage.front.clock(67 * DAY);
    let (code, text) = run(&stage, DUE);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("update-permissions"), "{text}");
    assert_eq!(accounts(&stage).len(), 2);
    let (code, text) = run(&stage, DUE);
    assert_eq!(code, 0, "{text}");
    assert_eq!(accounts(&stage).len(), 1);
    assert!(uses(&stage, &first, 67 * DAY).is_err());
    assert!(uses(&stage, &second, 67 * DAY).is_ok());
    assert_eq!(run(&stage, PLAN).0, 0);
    assert_eq!(run(&stage, CHECK).0, 0);
    stage.no_key_leaked();
}

#[test]
fn what_cannot_be_changed_is_replaced_by_an_apply_and_a_key_on_request() {
    let mut stage = stage("");
    assert_eq!(run(&stage, APPLY).0, 0);
    let first = both(&stage);
    configured(&mut stage, "  valid_until = \"2099-01-01T00:00:00Z\"");
    let (code, text) = run(&stage, PLAN);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("± rotate service_account.ci"), "{text}");
    assert!(
        text.contains("cannot be changed on a live account"),
        "{text}"
    );
    let (code, text) = run(&stage, APPLY);
    assert_eq!(code, 0, "{text}");
    assert_ne!(both(&stage), first);
    assert_eq!(run(&stage, PLAN).0, 0);

    // On request, and nothing else of the configuration.
    let second = both(&stage);
    configured(
        &mut stage,
        "  valid_until = \"2099-01-01T00:00:00Z\"\n  description = \"another text\"",
    );
    let (code, text) = run(&stage, NAMED);
    assert_eq!(code, 0, "{text}");
    assert_ne!(both(&stage), second);
    // What is born is as it is declared.
    assert_eq!(run(&stage, PLAN).0, 0);

    // A fourth key would hide that former ones do not end.
    let (code, text) = run(&stage, NAMED);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("3 generations of it are live"), "{text}");
    let (code, text) = run(&stage, &["rotate", "service_account.cj", "--yes", "access"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("did you mean service_account.ci?"), "{text}");
    assert_eq!(run(&stage, &["rotate", "access"]).0, 64);
    assert_eq!(
        run(&stage, &["rotate", "service_account.ci", "a", "b"]).0,
        64
    );
    stage.no_key_leaked();
}

/// What was shown is what is done, or nothing.
#[test]
fn a_rotation_has_a_plan_of_its_own() {
    let stage = stage("");
    assert_eq!(run(&stage, APPLY).0, 0);
    let first = both(&stage);
    let dry = [
        "rotate",
        "service_account.ci",
        "--dry-run",
        "--out",
        "r.json",
        "access",
    ];
    let (code, text) = run(&stage, &dry);
    assert_eq!((code, both(&stage) == first), (0, true), "{text}");
    assert!(
        text.contains("`rolecall rotate --plan r.json access`"),
        "{text}"
    );
    // It is no plan of an apply, nor of another rotation.
    let (code, text) = run(&stage, &["apply", "--plan", "r.json", "access"]);
    assert_eq!((code, both(&stage) == first), (4, true), "{text}");
    let (code, text) = run(&stage, &["rotate", "--due", "--plan", "r.json", "access"]);
    assert_eq!((code, both(&stage) == first), (4, true), "{text}");
    let same = ["rotate", "service_account.ci", "--plan", "r.json", "access"];
    let (code, text) = run(&stage, &same);
    assert_eq!(code, 0, "{text}");
    assert_ne!(both(&stage), first);
    stage.no_key_leaked();
}

/// Killed between the first place and the second: both keys go on, it is told, and the next run ends it.
#[test]
fn a_rotation_that_is_killed_leaves_both_keys_good_and_is_told() {
    let stage = stage("");
    assert_eq!(run(&stage, APPLY).0, 0);
    let first = both(&stage);
    // The answer to the grant is lost with the run that waited for it.
    let (arrived, wait) = std::sync::mpsc::channel();
    let (release, held) = std::sync::mpsc::channel::<()>();
    stage.front.hook(move |field, _| {
        if field == "setRoles" {
            let _ = arrived.send(());
            let _ = held.recv();
        }
        Then::Answer
    });
    let mut command = stage.command(NAMED);
    let mut child = command
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    wait.recv_timeout(Duration::from_secs(60))
        .expect("it grants");
    child.kill().expect("killed");
    child.wait().expect("gone");
    drop(release);
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(both(&stage), first);
    assert!(uses(&stage, &first, 0).is_ok());
    // Its key is in no place, by the marks of an account that is no birth any more.
    let (code, text) = run(&stage, CHECK);
    assert_eq!(code, 6, "{text}");
    assert!(text.contains("rotation unfinished"), "{text}");
    let (code, text) = run(&stage, PLAN);
    assert_eq!(code, 0, "{text}");
    let (code, text) = run(&stage, DUE);
    assert_eq!(code, 0, "{text}");
    assert_ne!(both(&stage), first);
    assert_eq!(run(&stage, CHECK).0, 0);
    assert!(Path::new(&stage.path("access/credentials")).exists());
    stage.no_key_leaked();
}

/// A key that leaked: its power is taken at once, and the next one gets it.
#[test]
fn a_revoked_key_has_a_successor_with_its_roles_and_goes() {
    let stage = stage("");
    assert_eq!(run(&stage, APPLY).0, 0);
    let leaked = both(&stage);
    let (code, text) = run(&stage, &["revoke", "service_account.ci", "--yes", "access"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(roles(&stage), [0]);
    // No apply gives the roles again, and by the clock nothing is due.
    let (code, text) = run(&stage, CHECK);
    assert_eq!(code, 6, "{text}");
    assert!(
        text.contains("revoked, wants `rolecall rotate service_account.ci`"),
        "{text}"
    );
    assert_eq!(run(&stage, APPLY).0, 0);
    assert_eq!(run(&stage, DUE).0, 0);
    assert_eq!((roles(&stage), both(&stage) == leaked), (vec![0], true));

    let (code, text) = run(&stage, NAMED);
    assert_eq!(code, 0, "{text}");
    assert_ne!(both(&stage), leaked);
    assert_eq!(roles(&stage), [0, 1]);
    assert_eq!(run(&stage, PLAN).0, 0);
    let (code, text) = run(&stage, DUE);
    assert_eq!(code, 0, "{text}");
    assert_eq!(roles(&stage), [1]);
    assert!(uses(&stage, &leaked, 0).is_err());
    assert_eq!(run(&stage, CHECK).0, 0);
    stage.no_key_leaked();
}

/// How many roles each account of the space has, the fewest first.
fn roles(stage: &Stage) -> Vec<usize> {
    let dump = stage.app.dump().expect("dumps");
    let bindings = dump["bindings"].as_array().cloned().unwrap_or_default();
    let held = |mrn: &serde_json::Value| {
        let own = bindings
            .iter()
            .filter(|binding| binding["identity"] == *mrn);
        own.map(|binding| binding["roles"].as_array().map_or(0, Vec::len))
            .sum()
    };
    let mut all: Vec<usize> = accounts(stage)
        .iter()
        .map(|account| held(&account["mrn"]))
        .collect();
    all.sort_unstable();
    all
}
