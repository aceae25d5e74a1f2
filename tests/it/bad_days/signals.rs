//! Signals at every single request of an apply, and readers that go away.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{APPLY, SETTLED, holds, stage, writes};
use crate::formats::schema;
use crate::stage::{Stage, Then};

const PATIENCE: Duration = Duration::from_secs(60);

const INTERRUPTED: &str = "interrupted, nothing was written";
const STOPPING: &str = "stopping after the change in hand; another signal aborts";
const ABORTED: &str = "aborted in the middle of a change; plan again to see what is left";
const LEAVING: &str = "another signal leaves without it";
/// What a first signal is answered with.
const FIRST_ANSWERS: [&str; 2] = [INTERRUPTED, STOPPING];

/// A run of which one request is held.
struct Held {
    child: Child,
    /// What it says on standard error, line by line; closed at its end.
    said: mpsc::Receiver<String>,
    /// Lets the request go.
    go: mpsc::Sender<()>,
}

/// Starts an apply and waits until its request number `at` has come. `None` if it made fewer.
fn hold(stage: &Stage, at: usize) -> Option<Held> {
    hold_run(stage, APPLY, at)
}

fn hold_run(stage: &Stage, arguments: &[&str], at: usize) -> Option<Held> {
    let (arrived, wait) = mpsc::channel();
    let (go, resume) = mpsc::channel::<()>();
    let mut seen = 0;
    stage.front.hook(move |_, _| {
        seen += 1;
        if seen == at {
            let _ = arrived.send(());
            let _ = resume.recv_timeout(PATIENCE);
        }
        Then::Answer
    });
    let mut child = stage.start(arguments);
    let err = BufReader::new(child.stderr.take().expect("piped"));
    let mut out = child.stdout.take().expect("piped");
    let (say, said) = mpsc::channel();
    thread::spawn(move || {
        for line in err.lines().map_while(Result::ok) {
            let _ = say.send(line);
        }
    });
    // Nobody reads what it prints; a full pipe must not stop it.
    thread::spawn(move || out.read_to_end(&mut Vec::new()));
    loop {
        if wait.recv_timeout(Duration::from_millis(20)).is_ok() {
            return Some(Held { child, said, go });
        }
        if let Some(status) = child.try_wait().expect("waits") {
            assert_eq!(status.code(), Some(0));
            return None;
        }
    }
}

impl Held {
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([name, &pid]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits until it says one of these, and gives that; empty if it ended without.
    fn says_one_of(&self, any: &[&'static str]) -> &'static str {
        while let Ok(line) = self.said.recv_timeout(PATIENCE) {
            if let Some(words) = any.iter().find(|words| line.contains(**words)) {
                return words;
            }
        }
        ""
    }

    fn code(mut self) -> i32 {
        self.child.wait().expect("ends").code().unwrap_or(-1)
    }
}

/// The account that was to be created: its mark, and its roles.
fn born(stage: &Stage) -> Option<(String, usize)> {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let account = accounts.iter().find(|account| account["name"] == "ci")?;
    let labels = account["labels"].to_string();
    let bindings = dump["bindings"].as_array().expect("bindings");
    let roles = bindings
        .iter()
        .filter(|binding| binding["identity"] == account["mrn"])
        .filter_map(|binding| binding["roles"].as_array().map(Vec::len))
        .sum();
    Some((labels, roles))
}

/// No account has power whose key is not delivered and noted.
fn nothing_half_born(stage: &Stage, at: usize) {
    if let Some((labels, roles)) = born(stage) {
        let delivered = labels.contains("delivered.");
        assert!(
            delivered || roles == 0,
            "request {at}: {roles} roles, {labels}"
        );
    }
}

/// A later run finishes what was left, if need be after the lease of a birth is over.
fn converges(stage: &mut Stage, at: usize) {
    stage.front.hook(|_, _| Then::Answer);
    stage.front.date(16);
    assert_eq!(stage.run(APPLY), 0, "request {at}");
    assert_eq!(stage.run(SETTLED), 0, "request {at}");
    let (labels, roles) = born(stage).expect("it is there");
    assert!(labels.contains("delivered.") && roles == 2, "request {at}");
}

#[test]
fn one_signal_at_any_request() {
    // The two tables are made side by side, since a run mostly waits.
    thread::scope(|scope| {
        let tables = ["-INT", "-TERM"].map(|signal| scope.spawn(|| one_signal(signal)));
        tables.map(|table| table.join().expect("holds"))
    });
}

/// Sends a signal at each request of an apply in turn, and looks at what is left.
fn one_signal(signal: &str) {
    let mut codes = Vec::new();
    for at in 1.. {
        let mut stage = stage();
        let before = holds(&stage);
        let Some(held) = hold(&stage, at) else { break };
        held.signal(signal);
        assert_ne!(held.says_one_of(&FIRST_ANSWERS), "", "request {at}");
        let _ = held.go.send(());
        let code = held.code();
        let wrote = !writes(&stage).is_empty();
        assert!(
            if wrote {
                matches!(code, 0 | 5)
            } else {
                code == 130
            },
            "request {at}: exit {code}, wrote: {wrote}"
        );
        nothing_half_born(&stage, at);
        if wrote {
            converges(&mut stage, at);
        } else {
            assert_eq!(holds(&stage), before, "request {at}");
        }
        codes.push(code);
    }
    assert!(codes.contains(&130) && codes.contains(&0), "{codes:?}");
    assert!(codes.len() > 10, "{codes:?}");
}

#[test]
fn two_signals_at_any_request() {
    thread::scope(|scope| {
        let tables = [("-INT", "-TERM"), ("-TERM", "-INT")]
            .map(|(first, second)| scope.spawn(move || two_signals(first, second)));
        tables.map(|table| table.join().expect("holds"))
    });
}

/// Sends two signals at each request of an apply in turn, and looks at what is left.
fn two_signals(first: &str, second: &str) {
    let mut codes = Vec::new();
    for at in 1.. {
        let mut stage = stage();
        let before = holds(&stage);
        let Some(held) = hold(&stage, at) else { break };
        held.signal(first);
        let wrote = !writes(&stage).is_empty();
        if held.says_one_of(&FIRST_ANSWERS) == STOPPING {
            held.signal(second);
        }
        // The platform still holds its answer: the run ends without it.
        let go = held.go.clone();
        let code = held.code();
        assert_eq!(code, if wrote { 5 } else { 130 }, "request {at}");
        let _ = go.send(());
        nothing_half_born(&stage, at);
        if wrote {
            converges(&mut stage, at);
        } else {
            assert_eq!(holds(&stage), before, "request {at}");
        }
        codes.push(code);
    }
    assert!(codes.contains(&130) && codes.contains(&5), "{codes:?}");
}

/// The record of a run that a signal ended, which must be whole; `None` if there is none.
fn record(stage: &Stage) -> Option<Value> {
    let bytes = fs::read(stage.path("record.json")).ok()?;
    rolecall::record::read(&bytes).expect("whole");
    let record = serde_json::from_slice(&bytes).expect("JSON");
    schema::check_record(&record);
    Some(record)
}

#[test]
fn a_record_is_left_by_one_signal_and_by_two_once_the_run_has_logged_in() {
    let arguments = ["apply", "--yes", "--record", "record.json", "access"];
    for signals in 1..=2 {
        let mut results = Vec::new();
        for at in 1.. {
            let stage = stage();
            let Some(held) = hold_run(&stage, &arguments, at) else {
                break;
            };
            held.signal("-TERM");
            let wrote = !writes(&stage).is_empty();
            let answer = held.says_one_of(&FIRST_ANSWERS);
            if signals == 2 && answer == STOPPING {
                held.signal("-TERM");
            } else {
                let _ = held.go.send(());
            }
            let go = held.go.clone();
            let code = held.code();
            let _ = go.send(());
            let found = record(&stage);
            assert_eq!(
                found.is_some(),
                at > 1,
                "request {at}: the first is the login"
            );
            let Some(found) = found else { continue };
            let told = format!("{signals} at request {at}: {found:#}");
            assert_eq!(found["exit_code"], code, "{told}");
            if code != 0 {
                assert_eq!(found["interrupted"], true, "{told}");
            }
            if code == 130 {
                assert_eq!(found["written"], false, "{told}");
            }
            if signals == 2 && code == 5 {
                assert!(wrote, "{told}");
                assert_eq!(found["written"], true, "{told}");
                // What was in hand when the run was torn off.
                assert_eq!(found["changes"][0]["result"], "unknown", "{told}");
                assert!(found["changes"][0]["started"].is_string(), "{told}");
            }
            results.push(found["changes"][0]["result"].clone());
        }
        for expected in ["unknown", "not-attempted"] {
            let there = results.iter().any(|result| result == expected);
            assert!(there || signals == 1, "{signals}: {results:?}");
        }
        assert!(results.len() > 10, "{results:?}");
    }
}

/// A held run whose document goes into a pipe that has no reader from its first request on.
fn hold_unread(stage: &Stage) -> Held {
    let pipe = stage.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    // It is tried at the start.
    let probe = thread::spawn(move || fs::File::open(pipe).map(drop));
    let arguments = [
        "apply",
        "--yes",
        "--json-out",
        "pipe",
        "--record",
        "record.json",
        "access",
    ];
    let held = hold_run(stage, &arguments, 2).expect("a request");
    probe.join().expect("ends").expect("opened");
    held
}

#[test]
fn who_was_told_that_nothing_was_written_is_not_lied_to() {
    let stage = stage();
    let before = holds(&stage);
    let held = hold_unread(&stage);
    held.signal("-INT");
    assert_eq!(held.says_one_of(&FIRST_ANSWERS), INTERRUPTED);
    let _ = held.go.send(());
    // The run has all the time it needs to go on behind the back of its last words.
    for _ in 0..50 {
        assert_eq!(writes(&stage), Vec::<String>::new());
        thread::sleep(Duration::from_millis(20));
    }
    let document = fs::read_to_string(stage.path("pipe")).expect("read to the end");
    assert_eq!(held.code(), 130);
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["exit_code"], 130);
    let found = record(&stage).expect("written");
    assert_eq!(
        (&found["exit_code"], &found["written"]),
        (&130.into(), &false.into())
    );
    assert_eq!(holds(&stage), before);
}

#[test]
fn who_asks_again_leaves_without_the_report_that_nobody_reads() {
    let stage = stage();
    let held = hold_unread(&stage);
    held.signal("-INT");
    assert_eq!(held.says_one_of(&[INTERRUPTED]), INTERRUPTED);
    held.signal("-INT");
    assert_eq!(held.says_one_of(&[LEAVING]), LEAVING);
    held.signal("-INT");
    assert_eq!(held.code(), 130);
    // The record waits for nobody.
    let found = record(&stage).expect("written");
    assert_eq!(found["exit_code"], 130);
    assert_eq!(found["error"], INTERRUPTED);
}

#[test]
fn a_reader_that_stops_reading_does_not_keep_a_run_from_ending() {
    let mut stage = Stage::small();
    let ci = super::CI
        .replace(
            "\"ci\" {",
            "\"ci\" {\n  for_each = toset([for n in range(400) : \"n${n}\"])",
        )
        .replace("= \"ci\"", "= \"ci-${each.key}\"");
    stage.configure(&ci);
    let mut child = stage.start(&["plan", "--full", "access"]);
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("the plan is being printed");
    assert_ne!(line, "");
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status();
    assert!(status.expect("kill runs").success());
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    drop(out);
}

/// The run ended by itself, and its last words wait for somebody who does not read: signals are heard
/// all the same.
#[test]
fn a_run_that_ended_by_itself_is_left_where_nobody_reads_its_document() {
    let mut stage = Stage::small();
    let ci = super::CI
        .replace(
            "\"ci\" {",
            "\"ci\" {\n  for_each = toset([for n in range(400) : \"n${n}\"])",
        )
        .replace("= \"ci\"", "= \"ci-${each.key}\"");
    stage.configure(&ci);
    let mut child = stage.start(&["plan", "--format", "json", "access"]);
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line)
        .expect("the document is being written");
    assert_ne!(line, "");
    let pid = child.id().to_string();
    // Each signal is heard in its time; a machine may be slow.
    for _ in 0..300 {
        let status = Command::new("kill").args(["-INT", &pid]).status();
        assert!(status.is_ok());
        std::thread::sleep(Duration::from_millis(100));
        if child.try_wait().expect("a child").is_some() {
            break;
        }
    }
    let ended = child.try_wait().expect("a child");
    if ended.is_none() {
        child.kill().expect("killed");
    }
    assert!(ended.expect("it ended").code().is_some(), "by itself");
    drop(out);
}

#[test]
fn a_killed_run_leaves_no_record_and_nothing_in_its_place() {
    let arguments = ["apply", "--yes", "--record", "record.json", "access"];
    let mut stage = stage();
    let held = hold_run(&stage, &arguments, create_request()).expect("a request");
    held.signal("-KILL");
    assert_eq!(held.code(), -1);
    assert!(record(&stage).is_none());
    stage.front.hook(|_, _| Then::Answer);
    stage.front.date(16);
    assert_eq!(stage.run(&arguments), 0);
    let found = record(&stage).expect("written");
    let results = found["changes"].as_array().expect("changes").iter();
    assert!(results.clone().count() > 0);
    assert!(results.clone().all(|change| change["result"] == "done"));
}

#[test]
fn what_is_said_when_a_birth_is_aborted() {
    let mut stage = stage();
    let at = create_request();
    let held = hold(&stage, at).expect("a request");
    held.signal("-INT");
    assert_eq!(held.says_one_of(&FIRST_ANSWERS), STOPPING);
    held.signal("-INT");
    assert_ne!(held.says_one_of(&[ABORTED]), "");
    let go = held.go.clone();
    assert_eq!(held.code(), 5);
    let _ = go.send(());
    // The platform has received the request all the same; it executes it a moment later.
    for _ in 0..500 {
        if born(&stage).is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    stage.front.hook(|_, _| Then::Answer);
    stage.say("the create was sent and then aborted; its account is left alone for a while");
    assert_eq!(stage.run(APPLY), 5);
    stage.say("16 minutes later");
    stage.front.date(16);
    assert_eq!(stage.run(APPLY), 0);
    assert_eq!(stage.run(SETTLED), 0);
    stage.compare("bad-days/signal-aborted.txt");
}

/// The number of the request that creates the account.
fn create_request() -> usize {
    let other = super::stage();
    let output = other.command(APPLY).output().expect("runs");
    assert!(output.status.success());
    let seen = other.front.seen();
    let place = seen.iter().position(|name| name == "createServiceAccount");
    place.expect("created") + 1
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    for close_errors in [false, true] {
        let mut stage = stage();
        let mut child = stage.start(APPLY);
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut err = child.stderr.take().expect("piped");
        if close_errors {
            drop(err);
            let mut line = String::new();
            out.read_line(&mut line).expect("a line");
            drop(out);
        } else {
            let mut line = String::new();
            out.read_line(&mut line).expect("a line");
            drop(out);
            let mut text = String::new();
            err.read_to_string(&mut text).expect("text");
            assert!(!text.contains("panic"), "{text}");
        }
        assert_eq!(child.wait().expect("ends").code(), Some(0));
        assert_eq!(stage.run(SETTLED), 0);
    }
    let mut stage = stage();
    stage.front.hook(|operation, _| match operation {
        "setRoles" => Then::Refuse(403),
        _ => Then::Answer,
    });
    let mut child = stage.start(APPLY);
    drop(child.stdout.take());
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("ends").code(), Some(5), "its true code");
    stage.front.hook(|_, _| Then::Answer);
    assert_eq!(stage.run(APPLY), 0);
}
