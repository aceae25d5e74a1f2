//! What a run has to say, gathered for `--format json` and `--json-out` while people are told the
//! same on standard error and output. One for the process, like its streams, so that a signal can
//! still deliver what is known.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::apply::Outcome;
use crate::check::Check;
use crate::diag::{Diagnostics, Severity, SourceMap};
use crate::plan::Plan;
use crate::policy::Refusal;
use crate::view::json::{self, Document, Problem};

use super::args::{FormArgs, Format};
use super::exit::Exit;
use super::private_file::{Place, is_special, try_private, write_private};
use super::{output, record};

struct Report {
    command: &'static str,
    format: Format,
    file: Option<PathBuf>,
    document: Document,
    /// Whether the platform was written to, or may have been.
    written: bool,
}

static REPORT: Mutex<Report> = Mutex::new(Report {
    command: "",
    format: Format::Human,
    file: None,
    document: Document {
        plan: None,
        refusals: Vec::new(),
        outcome: None,
        check: None,
        diagnostics: Vec::new(),
        warnings: Vec::new(),
        error: None,
    },
    written: false,
});

/// How the run ended, once its last words are said. Locked while they are: a signal must not end
/// the program in the middle.
static ENDED: Mutex<Option<Exit>> = Mutex::new(None);

/// How the run is ending, from the moment on at which its last words begin.
static ENDING: OnceLock<Exit> = OnceLock::new();

fn report() -> MutexGuard<'static, Report> {
    // A report that was left half made by a panic still says more than none.
    REPORT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says which command runs and in which forms it answers.
pub fn begin(command: &'static str, form: &FormArgs) {
    let mut report = report();
    report.command = command;
    report.format = form.format;
    report.file.clone_from(&form.json_out);
}

/// Notes a command line that was not understood, in JSON if that much of it was.
pub fn wrong_usage(given: &[OsString], error: &clap::Error) {
    let follows = |a: &OsString, b: &OsString| a == "--format" && b == "json";
    let json = given.iter().any(|a| a == "--format=json" || a == "-json")
        || given.windows(2).any(|pair| follows(&pair[0], &pair[1]));
    let mut report = report();
    if json {
        report.format = Format::Json;
    }
    // The first line says what is wrong; the rest is for people.
    let text = error.render().to_string();
    let message = text.lines().next().unwrap_or_default();
    let message = message
        .strip_prefix("error: ")
        .unwrap_or(message)
        .to_owned();
    let help = vec!["--help has examples".to_owned()];
    report.document.error = Some(Problem { message, help });
}

/// Writes no file: what `--json-out` names is not to be touched.
pub fn no_file() {
    report().file = None;
}

/// Sees before anything else happens that the file of `--json-out` can be written.
pub fn probe() -> Result<(), Exit> {
    let file = report().file.clone();
    match file {
        Some(path) => {
            if let Err(error) = try_private(&path, Place::Replace) {
                // There is no use in trying again at the end.
                report().file = None;
                return Err(error.tell("--json-out", &path, Place::Replace));
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// Whether standard output is for people.
pub fn human() -> bool {
    report().format == Format::Human
}

/// Notes an error; the first one stands in the document.
pub fn error(message: &str, help: &[String]) {
    report().document.error.get_or_insert_with(|| Problem {
        message: message.to_owned(),
        help: help.to_vec(),
    });
}

/// Notes a warning.
pub fn warning(message: &str) {
    report().document.warnings.push(message.to_owned());
}

/// Notes what was found in the configuration.
pub fn found(found: &Diagnostics, sources: &SourceMap) {
    let notes = found.iter().map(|item| json::diagnostic(item, sources));
    let notes: Vec<_> = notes.collect();
    report().document.diagnostics.extend(notes);
    let errors = found.iter().filter(|i| i.severity == Severity::Error);
    let n = errors.count();
    if n > 0 {
        let noun = if n == 1 { "error" } else { "errors" };
        error(&format!("the configuration has {n} {noun}"), &[]);
    }
}

/// Notes the plan.
pub fn plan(plan: &Plan) {
    report().document.plan = Some(json::plan(plan));
}

/// Notes what a check found.
pub fn check(check: &Check) {
    report().document.check = Some(json::check::check(check));
}

/// Notes why the plan is refused.
pub fn refusals(refusals: &[Refusal]) {
    report().document.refusals = refusals.iter().map(json::refusal).collect();
}

/// Notes how the changes ended.
pub fn outcome(outcome: &Outcome) {
    let mut report = report();
    report.document.outcome = Some(json::outcome(outcome));
    report.written = outcome.written;
}

/// What ended the run, and the guards that refused it, as far as that was said.
pub fn why() -> (Option<String>, Vec<String>) {
    let report = report();
    let error = report.document.error.as_ref();
    let guards = report.document.refusals.iter();
    let guards = guards.filter_map(|refusal| refusal["guard"].as_str().map(str::to_owned));
    (error.map(|error| error.message.clone()), guards.collect())
}

/// Says the last words once, and gives the exit code.
pub fn finish(exit: Exit) -> Exit {
    last_words(exit, || {})
}

/// Says the last words and ends the program, from wherever it is.
pub fn abort(message: &str, exit: Exit) -> ! {
    let exit = last_words(exit, || {
        output::tell(message);
        error(message, &[]);
    });
    std::process::exit(i32::from(exit.code()))
}

/// How the run is ending, if its last words are being said or are said.
pub fn ending() -> Option<Exit> {
    ENDING.get().copied()
}

/// Ends the program in the middle of its last words. The record is no word that waits for a reader.
pub fn leave(ending: Exit) -> ! {
    let written = report().written;
    let exit = record::finish(unseen(ending, written));
    std::process::exit(i32::from(exit.code()))
}

/// Delivers the document, then the record, which so knows of a result that nobody could read, and
/// gives the exit code. Who comes second waits, and gets the code of the first.
fn last_words(exit: Exit, first: impl FnOnce()) -> Exit {
    let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ended) = *ended {
        return ended;
    }
    ENDING.get_or_init(|| exit);
    first();
    let told = deliver(exit);
    let exit = record::finish(told);
    if exit != told {
        // The record could not be written; the document in a file can still say so.
        again(exit);
    }
    *ended = Some(exit);
    exit
}

/// Delivers the document wherever it was asked for. A result that nobody could read is no result,
/// and that counts in the exit code.
fn deliver(exit: Exit) -> Exit {
    let (format, file, written) = {
        let report = report();
        (report.format, report.file.clone(), report.written)
    };
    let lost = |exit| {
        if output::lost() {
            unseen(exit, written)
        } else {
            exit
        }
    };
    let mut told = lost(exit);
    if let Some(path) = &file
        && let Err(error) = write_private(path, document(told).as_bytes(), Place::Replace)
    {
        error.tell("--json-out", path, Place::Replace);
        told = unseen(told, written);
        report().file = None;
    }
    if format == Format::Json {
        output::raw(&document(told));
    }
    let exit = lost(told);
    if exit != told {
        again(exit);
    }
    exit
}

/// The document as text.
fn document(exit: Exit) -> String {
    let report = report();
    json::document(report.command, &report.document, exit.code())
}

/// Writes the file of `--json-out` once more, since the run ends in another way than it says. What
/// went into a pipe stays as it is.
fn again(exit: Exit) {
    let file = report().file.clone();
    if let Some(path) = file.filter(|path| !is_special(path))
        && let Err(error) = write_private(&path, document(exit).as_bytes(), Place::Replace)
    {
        error.tell("--json-out", &path, Place::Replace);
    }
}

/// The exit code of a run whose result could not be written: never a success, and never one that
/// says that nothing was written if something was.
fn unseen(exit: Exit, written: bool) -> Exit {
    match exit {
        _ if written => Exit::Partial,
        Exit::Done | Exit::Pending | Exit::Unmanaged => Exit::Error,
        other => other,
    }
}
