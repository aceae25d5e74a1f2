//! Why a run did not do what it was asked: a value that travels up to the one place that shows it.
//! Prints nothing.

use std::io::ErrorKind;
use std::path::Path;

use crate::diag::{Diagnostics, Severity, SourceMap};
use crate::echo;
use crate::policy::Refusal;

use super::exit::Exit;
use super::paths::tilde;
use crate::private_file::{Unwritten, WriteMode};

/// How a run ends that does not do all it was asked, and what is to be said of it.
#[derive(Debug)]
#[must_use = "a failure that nobody hands on is never shown"]
pub struct Failure {
    exit: Exit,
    findings: Vec<Finding>,
}

/// One thing that is said of a failure.
#[derive(Clone, Debug)]
pub enum Finding {
    /// An error, and the ways out.
    Error {
        /// What happened, a fragment.
        message: String,
        /// The ways out, a line each.
        help: Vec<String>,
    },
    /// What was found in the configuration, errors or not.
    Found {
        /// All of it.
        found: Diagnostics,
        /// The texts in which it was found.
        sources: SourceMap,
    },
    /// The guards that refuse a plan; why stands below the plan.
    Guards(Vec<&'static str>),
    /// A command line that is wrong.
    CommandLine {
        /// As a terminal shows it, with colours.
        text: String,
        /// What is wrong, one line.
        message: String,
    },
    /// Somebody wanted it to end so.
    Stopped {
        /// As people are told.
        text: String,
        /// As programs are.
        message: String,
    },
}

impl Finding {
    /// What programs are told of it, if it is an error.
    pub fn error(&self) -> Option<(String, &[String])> {
        match self {
            Self::Error { message, help } => Some((message.clone(), help)),
            Self::Stopped { text: _, message } => Some((message.clone(), &[])),
            Self::CommandLine { text: _, message } => Some((message.clone(), &[])),
            Self::Guards(_) => None,
            Self::Found { found, sources: _ } => {
                let n = errors(found);
                let noun = if n == 1 { "error" } else { "errors" };
                (n > 0).then(|| (format!("the configuration has {n} {noun}"), &[][..]))
            }
        }
    }
}

/// How many errors are among what was found.
pub fn errors(found: &Diagnostics) -> usize {
    let errors = found.iter().filter(|one| one.severity == Severity::Error);
    errors.count()
}

impl Failure {
    /// A failure that ends the run so, with a fragment that says why.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            findings: vec![Finding::Error {
                message: message.into(),
                help: Vec::new(),
            }],
        }
    }

    /// An error, a fragment.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Exit::Error, message)
    }

    /// Wrong usage, a fragment.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The same with one more way out.
    pub fn help(self, line: impl Into<String>) -> Self {
        self.helps([line.into()])
    }

    /// The same with more ways out.
    pub fn helps(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        if let Some(Finding::Error { help, .. }) = self.findings.last_mut() {
            help.extend(lines);
        }
        self
    }

    /// Errors in the configuration.
    pub fn found(found: Diagnostics, sources: SourceMap) -> Self {
        Self::of(Exit::Error, vec![Finding::Found { found, sources }])
    }

    /// Guards refuse the plan.
    pub fn refused(refusals: &[Refusal]) -> Self {
        let mut guards: Vec<&str> = refusals.iter().map(|refusal| refusal.guard).collect();
        guards.sort_unstable();
        guards.dedup();
        Self::of(Exit::Refused, vec![Finding::Guards(guards)])
    }

    /// The command line is wrong.
    pub fn command_line(error: &clap::Error) -> Self {
        let text = error.render();
        // The first line says what is wrong; the rest is for people.
        let plain = text.to_string();
        let first = plain.lines().next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
        let text = text.ansi().to_string();
        Self::of(Exit::Usage, vec![Finding::CommandLine { text, message }])
    }

    /// Somebody wanted the run to end: what people are told, and what programs.
    pub fn stopped(exit: Exit, text: &str, message: &str) -> Self {
        let (text, message) = (text.to_owned(), message.to_owned());
        Self::of(exit, vec![Finding::Stopped { text, message }])
    }

    /// The file of an option was not written.
    pub fn unwritten(error: &Unwritten, option: &str, path: &Path, mode: WriteMode) -> Self {
        let shown = echo::path(path).given(option);
        Self::error(format!("cannot write {shown}: {error}"))
            .help(way_out(error, option, mode))
            .helps(tilde(path))
    }

    /// All of this.
    pub fn of(exit: Exit, findings: Vec<Finding>) -> Self {
        Self { exit, findings }
    }

    /// The same behind what was found before.
    pub fn after(mut self, mut before: Vec<Finding>) -> Self {
        before.append(&mut self.findings);
        self.findings = before;
        self
    }

    /// The same, and what else went wrong is told behind it.
    pub fn and(mut self, other: Option<Self>) -> Self {
        let more = other.map(Self::into_findings);
        self.findings.extend(more.into_iter().flatten());
        self
    }

    /// How the run ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What is to be said, in this order.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What is to be said, to be said with more.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}

/// The way out, for the file of a flag.
fn way_out(error: &Unwritten, flag: &str, mode: WriteMode) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space".to_owned(),
        ErrorKind::FileTooLarge => "raise its limit (ulimit -f)".to_owned(),
        _ => {
            let new = match mode {
                WriteMode::Replace => "a file",
                WriteMode::New => "a new file",
            };
            format!("{flag} wants {new} in a folder that exists and can be written to")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, Diagnostic};

    #[test]
    fn ways_out_belong_to_the_last_error_and_what_came_before_stays_before() {
        let failure = Failure::usage("two plans")
            .help("name one")
            .helps(["or none".into()]);
        let failure = failure.after(Failure::error("first").into_findings());
        assert_eq!(failure.exit(), Exit::Usage);
        let told: Vec<_> = failure
            .findings()
            .iter()
            .filter_map(Finding::error)
            .collect();
        let ways = ["name one".to_owned(), "or none".to_owned()];
        assert_eq!(
            told,
            [
                ("first".to_owned(), &[][..]),
                ("two plans".to_owned(), &ways)
            ]
        );
    }

    #[test]
    fn what_is_no_error_of_its_own_is_none_to_programs() {
        let found = |notes: &[Diagnostic]| {
            let mut found = Diagnostics::new();
            notes.iter().cloned().for_each(|note| found.push(note));
            let sources = SourceMap::new();
            Finding::Found { found, sources }
                .error()
                .map(|(message, _)| message)
        };
        let code = Code {
            id: "x",
            summary: "x",
            way_out: "x",
        };
        let (error, note) = (Diagnostic::error(code), Diagnostic::note(code));
        let one = "the configuration has 1 error";
        let two = "the configuration has 2 errors";
        assert_eq!(found(&[note.clone(), Diagnostic::warning(code)]), None);
        assert_eq!(found(&[note, error.clone()]).as_deref(), Some(one));
        assert_eq!(found(&[error.clone(), error]).as_deref(), Some(two));
        assert_eq!(Finding::Guards(vec!["seal-key"]).error(), None);
    }

    #[test]
    fn a_wrong_command_line_is_one_line_to_programs() {
        let error = clap::Error::raw(
            clap::error::ErrorKind::UnknownArgument,
            "no `-x`\n\n  = y\n",
        );
        let failure = Failure::command_line(&error);
        assert_eq!(failure.exit(), Exit::Usage);
        let told = failure.findings()[0].error().map(|(message, _)| message);
        assert_eq!(told.as_deref(), Some("no `-x`"));
    }
}
