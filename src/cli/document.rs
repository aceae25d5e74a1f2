//! What a run has to say to programs: the document of `--format json` and `--json-out`, gathered while
//! it goes on. Prints nothing.

use std::path::{Path, PathBuf};

use crate::view::json::{self, Problem};

use super::events::Event;
use super::exit::Exit;
use super::failure::{Failure, Finding};
use super::options::{FormArgs, Format};
use crate::private_file::{WriteMode, is_special, try_private, write_private};

/// The document in the making, and where it goes.
#[derive(Debug)]
pub struct Document {
    command: String,
    format: Format,
    file: Option<PathBuf>,
    document: json::Document,
    /// What went wrong while something was told.
    complaint: Option<Problem>,
    /// Whether the platform was written to, or may have been.
    written: bool,
}

impl Document {
    /// The document of a command, in the forms that are asked for.
    pub fn new(command: &str, form: &FormArgs) -> Self {
        Self {
            command: command.to_owned(),
            format: form.format,
            file: form.json_out.clone(),
            document: json::Document::default(),
            complaint: None,
            written: false,
        }
    }

    /// Whether standard output is to hold it.
    pub fn is_result(&self) -> bool {
        self.format == Format::Json
    }

    /// The file that is to hold it.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Leaves the file alone from now on.
    pub fn no_file(&mut self) {
        self.file = None;
    }

    /// Whether the platform was written to, or may have been.
    pub fn written(&self) -> bool {
        self.written
    }

    /// Notes what happened.
    pub fn take(&mut self, event: Event<'_>) {
        let document = &mut self.document;
        match event {
            Event::Warning { message, help: _ } => document.warnings.push(message.to_owned()),
            Event::Found { found, sources } => {
                let notes = found.iter().map(|item| json::diagnostic(item, sources));
                document.diagnostics.extend(notes);
            }
            Event::Rest(rest) => document.rest = Some(json::rest(rest)),
            Event::Planned(plan) => document.plan = Some(json::plan(plan)),
            Event::Checked(check) => document.check = Some(json::check::check(check)),
            Event::Refused(refusals) => {
                document.refusals = refusals.iter().map(json::refusal).collect();
            }
            Event::Applied(outcome) => {
                document.outcome = Some(json::outcome(outcome));
                self.written = outcome.written;
            }
            Event::Undone { message, help } => self.error(message.to_owned(), help),
            Event::Failed(failure) => failure.findings().iter().for_each(|one| self.finding(one)),
            Event::Began { .. }
            | Event::Request(_)
            | Event::SinkRequest(_)
            | Event::HostRequest(_)
            | Event::Ended(_)
            | Event::Result(_)
            | Event::Data(_)
            | Event::Note(_)
            | Event::Waiting(_)
            | Event::Applying(_)
            | Event::Rested
            | Event::LoggedIn { .. }
            | Event::LeftOut(_)
            | Event::SetAside { .. }
            | Event::Change(_) => {}
        }
    }

    /// Takes what went wrong while something was told. It stands in the document if nothing else did.
    pub fn complain(&mut self, failure: &Failure) {
        if let Some((message, help)) = failure.findings().iter().find_map(Finding::error) {
            let help = help.to_vec();
            self.complaint.get_or_insert(Problem { message, help });
        }
    }

    /// The first error stands in the document.
    fn error(&mut self, message: String, help: &[String]) {
        self.document.error.get_or_insert_with(|| Problem {
            message,
            help: help.to_vec(),
        });
    }

    fn finding(&mut self, finding: &Finding) {
        if let Finding::Found { found, sources } = finding {
            let notes = found.iter().map(|item| json::diagnostic(item, sources));
            self.document.diagnostics.extend(notes);
        }
        match (finding.error(), finding) {
            // What it holds besides is for people.
            (Some((message, _)), Finding::CommandLine { .. }) => {
                self.error(message, &["--help has examples".to_owned()]);
            }
            (Some((message, help)), _) => self.error(message, help),
            (None, _) => {}
        }
    }

    /// Sees before anything else happens that the file can be written. Where it cannot, there is no
    /// use in trying again at the end.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn probe(&mut self) -> Result<(), Failure> {
        let Some(path) = self.file.clone() else {
            return Ok(());
        };
        try_private(&path, WriteMode::Replace).map_err(|error| {
            self.file = None;
            Failure::unwritten(&error, "--json-out", &path, WriteMode::Replace)
        })
    }

    /// The document as text.
    pub fn text(&mut self, exit: Exit) -> String {
        if self.document.error.is_none() {
            self.document.error = self.complaint.take();
        }
        json::document(&self.command, &self.document, exit.code())
    }
}

/// Writes the text of a document to its file.
///
/// # Errors
/// Why it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    write_private(path, text.as_bytes(), WriteMode::Replace)
        .map_err(|error| Failure::unwritten(&error, "--json-out", path, WriteMode::Replace))
}

/// Whether what is written there can be written once more: what went into a pipe stays as it is.
pub fn can_be_rewritten(path: &Path) -> bool {
    !is_special(path)
}
