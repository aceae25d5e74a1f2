//! The record of an apply, gathered while it runs and written however it ends. Prints nothing: what is
//! to be said of it is given back.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use crate::apply::Outcome;
use crate::echo;
use crate::model::{Caller, Nonce, StackId};
use crate::plan::Change;
use crate::ports;
use crate::record::{
    self, By, Clock, Entry, FORMAT, LeftOut, Moment, Record, Seen, end, entries, settle,
};
use crate::view::{inert, json};

use super::events::Event;
use super::exit::Exit;
use super::failure::{Failure, Finding};
use super::random::nonce;
use crate::private_file::{WriteMode, try_private, write_private};

/// The largest record that is read, in bytes.
const MAX_FILE: u64 = 256 << 20;

/// What a record is asked for with.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The new file.
    pub path: &'a Path,
    /// The record of the run before.
    pub previous: Option<&'a Path>,
    /// What the command line says.
    pub options: record::Options,
    /// The digest of the plan that was reviewed before.
    pub reviewed: Option<&'a str>,
}

/// A record in the making.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    run: Nonce,
    options: record::Options,
    reviewed: Option<String>,
    previous: Option<Seen>,
    left_out: Vec<LeftOut>,
    login: Option<Login>,
    plan: Option<String>,
    changes: Vec<Entry>,
    outcome: Option<(bool, bool)>,
    /// What ended the run, the first of it.
    error: Option<String>,
    refused_by: Vec<String>,
    /// The exit code that it ended with, once it is written.
    finished: Option<Exit>,
}

/// What is known from the login on.
#[derive(Debug)]
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

/// Sees before anything else happens that a record can be written, and what it is linked to.
///
/// # Errors
/// Why that is not so.
pub fn begin(wanted: Wanted<'_>) -> Result<Recording, Failure> {
    let Wanted {
        path,
        previous,
        options,
        reviewed,
    } = wanted;
    if path.symlink_metadata().is_ok() {
        let shown = echo::path(path).given("--record");
        return Err(Failure::error(format!("{shown} is there already"))
            .help("a record never replaces a file: name a new one with --record"));
    }
    try_private(path, WriteMode::New)
        .map_err(|error| Failure::unwritten(&error, "--record", path, WriteMode::New))?;
    Ok(Recording {
        path: path.to_owned(),
        run: nonce(),
        options,
        reviewed: reviewed.map(|digest| format!("sha256:{digest}")),
        previous: previous.map(link).transpose()?,
        left_out: Vec::new(),
        login: None,
        plan: None,
        changes: Vec::new(),
        outcome: None,
        error: None,
        refused_by: Vec::new(),
        finished: None,
    })
}

/// What a record is linked to.
fn link(path: &Path) -> Result<Seen, Failure> {
    let refuse = |why: String| Failure::error(format!("--previous {}: {why}", echo::path(path)));
    let bytes = load(path).map_err(|why| {
        let way = "name the record of the run before; the first record of a chain has none";
        refuse(why).help(echo::tilde(path).unwrap_or(way))
    })?;
    record::read(&bytes).map_err(|why| {
        refuse(why.to_string()).help("check the chain with `rolecall verify` before you add to it")
    })
}

/// Sees that the record before is of the same stack. `previous` is the stack of that.
///
/// # Errors
/// That it is of another one.
pub fn of_stack(previous: Option<&str>, stack: &StackId) -> Result<(), Failure> {
    match previous.filter(|other| **other != stack.to_string()) {
        None => Ok(()),
        Some(other) => Err(Failure::error(format!(
            "--previous is a record of the stack {other}, not of {stack}"
        ))
        .help("name the last record of this stack, or none to begin a chain")),
    }
}

/// How a record ended: what is to be said of it, and the exit code of the run.
#[derive(Debug)]
pub enum Left {
    /// As before, with something to tell.
    Told(Exit, String),
    /// It could not be written, and is given to who reads standard error.
    Lost {
        /// How the run ends now.
        exit: Exit,
        /// Why it could not.
        why: Failure,
        /// The record.
        text: String,
    },
    /// It was left before.
    Before(Exit),
}

/// What stands behind a temporary account, as far as it is told.
fn binding(caller: &Caller) -> Option<String> {
    caller.binding.as_ref()?.identity.clone()
}

impl Recording {
    /// The stack of the record before.
    pub fn previous_stack(&self) -> Option<String> {
        self.previous.as_ref().map(|seen| seen.stack.clone())
    }

    /// Notes what happened.
    pub fn take(&mut self, event: Event<'_>) {
        match event {
            Event::LoggedIn {
                stack,
                endpoint,
                caller,
                dated,
            } => self.login(stack, endpoint, caller, dated),
            Event::LeftOut(moved) => self.left_out = moved.iter().map(LeftOut::from).collect(),
            Event::SetAside { left_out, goes_on } => {
                self.changes = entries(goes_on);
                self.left_out.extend(left_out.iter().map(set_aside));
            }
            Event::Planned(plan) => {
                // A login may be too new to be asked about; the plan has read more.
                if let Some(login) = &mut self.login {
                    login.by.binding = binding(&plan.caller).or(login.by.binding.take());
                }
                self.plan = Some(format!("sha256:{}", plan.digest()));
                self.changes = entries(plan);
            }
            Event::Refused(refusals) => {
                let guards = refusals.iter().map(|refusal| refusal.guard.to_owned());
                self.refused_by = guards.collect();
            }
            Event::Change(change) => self.change(change),
            Event::Applied(outcome) => self.applied(outcome),
            Event::Undone { message, help: _ } => {
                self.error.get_or_insert_with(|| message.to_owned());
            }
            Event::Failed(failure) => {
                let first = failure.findings().iter().find_map(Finding::error);
                if let (None, Some((message, _))) = (&self.error, first) {
                    self.error = Some(message);
                }
            }
            Event::Began { .. }
            | Event::Request(_)
            | Event::SinkRequest(_)
            | Event::HostRequest(_)
            | Event::Ended(_)
            | Event::Result(_)
            | Event::Data(_)
            | Event::Note(_)
            | Event::Warning { .. }
            | Event::Found { .. }
            | Event::Waiting(_)
            | Event::Applying(_)
            | Event::Rested
            // The reviewed plan is named, and each change that was due stands in the record.
            | Event::Rest(_)
            | Event::Checked(_) => {}
        }
    }

    /// Notes where the run works and as whom; from now on it leaves a record.
    fn login(
        &mut self,
        stack: &StackId,
        endpoint: &str,
        caller: &Caller,
        dated: Option<Timestamp>,
    ) {
        let (at, clock) = match dated {
            Some(at) => (at, Clock::Platform),
            None => (Timestamp::now(), Clock::Local),
        };
        self.login = Some(Login {
            stack: stack.clone(),
            endpoint: endpoint.to_owned(),
            by: By {
                mrn: caller.mrn.clone(),
                name: caller.name.clone(),
                binding: binding(caller),
            },
            started: Moment {
                at: whole(at),
                clock,
            },
            since: Instant::now(),
        });
    }

    fn change(&mut self, event: &ports::Event) {
        let Some(now) = self.login.as_ref().map(Login::now) else {
            return;
        };
        match event {
            ports::Event::Started { address, .. } => {
                record::begin(&mut self.changes, address, now);
            }
            ports::Event::Finished {
                address, result, ..
            } => end(&mut self.changes, address, result, now),
            ports::Event::Note { .. } => {}
        }
    }

    fn applied(&mut self, outcome: &Outcome) {
        settle(&mut self.changes, outcome);
        self.outcome = Some((outcome.written, outcome.interrupted));
    }

    /// Writes the record if the run had logged in. One that cannot be written is never a success.
    pub fn finish(&mut self, exit: Exit) -> Left {
        if let Some(ended) = self.finished {
            return Left::Before(ended);
        }
        let left = self.leave(exit);
        self.finished = Some(match &left {
            Left::Told(exit, _) | Left::Lost { exit, .. } | Left::Before(exit) => *exit,
        });
        left
    }

    fn leave(&self, exit: Exit) -> Left {
        let shown = || inert(&echo::path(&self.path).to_string());
        let Some(login) = &self.login else {
            let text = format!(
                "No record in {}: the run ended before it had logged in.",
                shown()
            );
            return Left::Told(exit, text);
        };
        let text = match self.text(login, exit) {
            Ok(text) => text,
            Err(why) => return self.lost(exit, &why, ""),
        };
        match write_private(&self.path, text.as_bytes(), WriteMode::New) {
            Ok(()) => {
                let digest = record::digest(text.as_bytes());
                Left::Told(exit, format!("Record    {digest} {}", shown()))
            }
            Err(error) => self.lost(exit, &error.to_string(), &text),
        }
    }

    fn lost(&self, exit: Exit, why: &str, text: &str) -> Left {
        let shown = echo::path(&self.path).given("--record");
        Left::Lost {
            exit: if self.written(exit) {
                Exit::Partial
            } else if exit.is_result() {
                Exit::Error
            } else {
                exit
            },
            why: Failure::error(format!("cannot write {shown}: {why}")).help(
                "the run is over; its record follows, to be kept by hand from `{` to the last \
                 line's end",
            ),
            text: text.trim_end_matches('\n').to_owned(),
        }
    }

    /// Whether anything was written, or may have been; an aborted run has no outcome to tell it.
    fn written(&self, exit: Exit) -> bool {
        let touched = || self.changes.iter().any(|change| change.started.is_some());
        self.outcome
            .map_or(exit == Exit::Partial && touched(), |(written, _)| written)
    }

    fn text(&self, login: &Login, exit: Exit) -> Result<String, String> {
        let told = Record {
            rolecall_record: FORMAT,
            rolecall_version: env!("CARGO_PKG_VERSION"),
            run: self.run.clone(),
            previous: self.previous.as_ref().map(|seen| seen.digest.clone()),
            stack: login.stack.clone(),
            endpoint: login.endpoint.clone(),
            caller: login.by.clone(),
            options: self.options.clone(),
            reviewed: self.reviewed.clone(),
            plan: self.plan.clone(),
            started: login.started,
            finished: Moment {
                at: login.now(),
                clock: login.started.clock,
            },
            exit_code: exit.code(),
            exit: exit.name(),
            written: self.written(exit),
            interrupted: self
                .outcome
                .map_or(self.error.is_some() && aborted(exit), |(_, interrupted)| {
                    interrupted
                }),
            error: self.error.clone(),
            refused_by: self.refused_by.clone(),
            left_out: self.left_out.clone(),
            changes: self.changes.clone(),
        };
        let text = serde_json::to_string_pretty(&told).map_err(|error| error.to_string())?;
        record::seal(&json::harmless(&text)).map_err(str::to_owned)
    }
}

fn set_aside(change: &Change) -> LeftOut {
    LeftOut {
        address: Some(change.address.clone()),
        what: format!(
            "{}: accounts are under another seal key, and births alone went on",
            change.action.as_str()
        ),
    }
}

/// Whether a run without an outcome was ended by a signal.
fn aborted(exit: Exit) -> bool {
    matches!(exit, Exit::Interrupted | Exit::Partial)
}
