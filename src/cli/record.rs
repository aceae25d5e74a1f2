//! The record of an apply, gathered while it runs and written however it ends. One for the process,
//! so that a signal can still write what is known.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use crate::apply::Outcome;
use crate::echo;
use crate::model::{Caller, Nonce, StackId};
use crate::plan::{Change, Moved, Plan};
use crate::ports::Event;
use crate::record::{
    self, By, Clock, Entry, FORMAT, LeftOut, Moment, Record, Seen, begin, end, entries, settle,
};
use crate::view::{inert, json};

use super::args::ApplyArgs;
use super::exit::Exit;
use super::private_file::{Place, try_private, write_private};
use super::world::nonce;
use super::{output, report};

/// The largest record that is read, in bytes.
const MAX_FILE: u64 = 256 << 20;

/// A record in the making.
struct Making {
    path: PathBuf,
    run: Nonce,
    options: record::Options,
    judged: Option<String>,
    previous: Option<Seen>,
    left_out: Vec<LeftOut>,
    login: Option<Login>,
    plan: Option<String>,
    changes: Vec<Entry>,
    outcome: Option<(bool, bool)>,
    /// The exit code that it ended with, once it is written.
    finished: Option<Exit>,
}

/// What is known from the login on.
struct Login {
    stack: StackId,
    endpoint: String,
    by: By,
    started: Moment,
    /// The machine's steady clock at that moment.
    since: Instant,
}

impl Login {
    /// Now, by the clock of the record.
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.since.elapsed()).unwrap_or_default();
        let now = self.started.at.checked_add(passed);
        whole(now.unwrap_or(self.started.at))
    }
}

/// A time to the second: the platform tells no more.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

static RECORD: Mutex<Option<Making>> = Mutex::new(None);

fn making() -> MutexGuard<'static, Option<Making>> {
    RECORD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a record, for a link to it or for a chain.
///
/// # Errors
/// Why it cannot be read, a fragment.
pub fn load(path: &Path) -> Result<Vec<u8>, String> {
    let found = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    })?;
    if !found.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if found.len() > MAX_FILE {
        return Err("it is too large for a record".to_owned());
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

/// Sees before anything else happens that a record can be written, and what it is linked to, if one
/// was asked for. `judged` names the plan that was judged before.
///
/// # Errors
/// Prints why that is not so.
pub fn prepare(args: &ApplyArgs, judged: Option<&str>) -> Result<(), Exit> {
    let Some(path) = &args.report else {
        return Ok(());
    };
    let refuse = |message: String, help: &str| {
        output::error(&message, &[help.to_owned()]);
        Exit::Error
    };
    if path.symlink_metadata().is_ok() {
        return Err(refuse(
            format!("{} is there already", echo::path(path).given("--report")),
            "a record never replaces anything: name a new file with --report",
        ));
    }
    try_private(path, Place::New).map_err(|error| error.tell("--report", path, Place::New))?;
    let link = |path: &Path| -> Result<Seen, Exit> {
        let bytes = load(path).map_err(|why| {
            let way = "name the record of the run before; the first record of a chain has none";
            refuse(
                format!("--previous {}: {why}", echo::path(path)),
                echo::tilde(path).unwrap_or(way),
            )
        })?;
        record::read(&bytes).map_err(|why| {
            refuse(
                format!("--previous {}: {why}", echo::path(path)),
                "see with `rolecall verify` how far the chain is whole, before it grows",
            )
        })
    };
    *making() = Some(Making {
        path: path.clone(),
        run: nonce(),
        options: record::Options {
            meant: args.meant(),
            acks: args.ack.clone(),
        },
        judged: judged.map(|digest| format!("sha256:{digest}")),
        previous: args.previous.as_deref().map(link).transpose()?,
        left_out: Vec::new(),
        login: None,
        plan: None,
        changes: Vec::new(),
        outcome: None,
        finished: None,
    });
    Ok(())
}

/// Sees that the record before is of the same stack.
///
/// # Errors
/// Prints that it is not.
pub fn of_stack(stack: &StackId) -> Result<(), Exit> {
    let making = making();
    let previous = making.as_ref().and_then(|record| record.previous.as_ref());
    let other = previous.map(|seen| seen.stack.clone());
    drop(making);
    match other.filter(|other| *other != stack.to_string()) {
        None => Ok(()),
        Some(other) => {
            output::error(
                &format!("--previous is a record of the stack {other}, not of {stack}"),
                &["name the last record of this stack, or none to begin a chain".to_owned()],
            );
            Err(Exit::Error)
        }
    }
}

/// Notes where the run works and as whom; from now on it leaves a record. `dated` is the platform's
/// clock, if it told it.
pub fn login(stack: &StackId, endpoint: &str, caller: &Caller, dated: Option<Timestamp>) {
    let mut making = making();
    let Some(record) = making.as_mut() else {
        return;
    };
    let (at, clock) = match dated {
        Some(at) => (at, Clock::Platform),
        None => (Timestamp::now(), Clock::Local),
    };
    record.login = Some(Login {
        stack: stack.clone(),
        endpoint: endpoint.to_owned(),
        by: By {
            mrn: caller.mrn.clone(),
            name: caller.name.clone(),
        },
        started: Moment {
            at: whole(at),
            clock,
        },
        since: Instant::now(),
    });
}

/// Notes what is left out since accounts are under another seal key, and what goes on.
pub fn set_aside(left_out: &[Change], goes_on: &Plan) {
    if let Some(record) = making().as_mut() {
        record.changes = entries(goes_on);
        record
            .left_out
            .extend(left_out.iter().map(|change| LeftOut {
                address: Some(change.address.clone()),
                what: format!(
                    "{}: accounts are under another seal key, and births alone went on",
                    change.action.as_str()
                ),
            }));
    }
}

/// Notes what moved since the plan was judged, and is left out.
pub fn left_out(moved: &[Moved]) {
    if let Some(record) = making().as_mut() {
        record.left_out = moved.iter().map(LeftOut::from).collect();
    }
}

/// Notes the plan.
pub fn plan(plan: &Plan) {
    if let Some(record) = making().as_mut() {
        record.plan = Some(format!("sha256:{}", plan.digest()));
        record.changes = entries(plan);
    }
}

/// Notes what happens to a change.
pub fn event(event: &Event) {
    let mut making = making();
    let Some(record) = making.as_mut() else {
        return;
    };
    let Some(now) = record.login.as_ref().map(Login::now) else {
        return;
    };
    match event {
        Event::Started { address, .. } => begin(&mut record.changes, address, now),
        Event::Finished {
            address, result, ..
        } => end(&mut record.changes, address, result, now),
        Event::Note { .. } => {}
    }
}

/// Notes how the changes ended.
pub fn outcome(outcome: &Outcome) {
    if let Some(record) = making().as_mut() {
        settle(&mut record.changes, outcome);
        record.outcome = Some((outcome.written, outcome.interrupted));
    }
}

/// Writes the record, if one was asked for and the run had logged in, and gives the exit code. A
/// record that cannot be written goes to standard error, and is never a success.
pub fn finish(exit: Exit) -> Exit {
    // Held to the end: who leaves in the middle of the last words waits for this one.
    let mut making = making();
    let Some(record) = making.as_mut() else {
        return exit;
    };
    if let Some(ended) = record.finished {
        return ended;
    }
    let ended = leave(record, exit);
    record.finished = Some(ended);
    ended
}

/// Writes the record, and gives the exit code.
fn leave(record: &Making, exit: Exit) -> Exit {
    let Some(login) = &record.login else {
        output::tell(&format!(
            "No record in {}: the run ended before it had logged in.",
            inert(&echo::path(&record.path).to_string())
        ));
        return exit;
    };
    let text = match text(record, login, exit) {
        Ok(text) => text,
        Err(why) => return lost(record, exit, &why, ""),
    };
    match write_private(&record.path, text.as_bytes(), Place::New) {
        Ok(()) => {
            output::tell(&format!(
                "Record    {} {}",
                record::digest(text.as_bytes()),
                inert(&echo::path(&record.path).to_string())
            ));
            exit
        }
        Err(error) => lost(record, exit, &error.to_string(), &text),
    }
}

/// Says that the record could not be written, and gives it to who reads standard error.
fn lost(record: &Making, exit: Exit, why: &str, text: &str) -> Exit {
    output::error(
        &format!(
            "cannot write {}: {why}",
            echo::path(&record.path).given("--report")
        ),
        &[
            "the run is over; its record follows, to be kept by hand from `{` to the last line's \
             end"
            .to_owned(),
        ],
    );
    output::tell(text.trim_end_matches('\n'));
    if written(record, exit) {
        Exit::Partial
    } else if exit == Exit::Done {
        Exit::Error
    } else {
        exit
    }
}

/// Whether anything was written, or may have been; an aborted run has no outcome to tell it.
fn written(record: &Making, exit: Exit) -> bool {
    record
        .outcome
        .map_or(exit == Exit::Partial && touched(record), |(written, _)| {
            written
        })
}

fn touched(record: &Making) -> bool {
    record.changes.iter().any(|change| change.started.is_some())
}

fn text(record: &Making, login: &Login, exit: Exit) -> Result<String, String> {
    let (error, refused_by) = report::why();
    let told = Record {
        rolecall_record: FORMAT,
        rolecall_version: env!("CARGO_PKG_VERSION"),
        run: record.run.clone(),
        previous: record.previous.as_ref().map(|seen| seen.digest.clone()),
        stack: login.stack.clone(),
        endpoint: login.endpoint.clone(),
        caller: login.by.clone(),
        options: record.options.clone(),
        judged: record.judged.clone(),
        plan: record.plan.clone(),
        started: login.started,
        finished: Moment {
            at: login.now(),
            clock: login.started.clock,
        },
        exit_code: exit.code(),
        exit: exit.name(),
        written: written(record, exit),
        interrupted: record
            .outcome
            .map_or(error.is_some() && aborted(exit), |(_, interrupted)| {
                interrupted
            }),
        error,
        refused_by,
        left_out: record.left_out.clone(),
        changes: record.changes.clone(),
    };
    let text = serde_json::to_string_pretty(&told).map_err(|error| error.to_string())?;
    record::seal(&json::harmless(&text)).map_err(str::to_owned)
}

/// Whether a run without an outcome was ended by a signal.
fn aborted(exit: Exit) -> bool {
    matches!(exit, Exit::Interrupted | Exit::Partial)
}
