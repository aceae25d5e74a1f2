//! Shows a plan and what became of it in every form that was asked for but JSON: to who runs it, and as Markdown
//! and annotations for others. One plan feeds all of them.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::failure::Failure;
use super::options::{Annotations, FormArgs, Format, ReviewArgs};
use super::reporter::Reporter;
use crate::apply::Outcome;
use crate::echo;
use crate::plan::{Moved, Plan};
use crate::policy::Refusal;
use crate::private_file::{WriteMode, try_private, write_private};
use crate::view::markdown::{self, COMMENT, Decision, Form, LEAST, STEP_SUMMARY};
use crate::view::{annotations, human};

const MARKDOWN: &str = "--markdown";
const STEP: &str = "--step-summary";
const ANNOTATIONS: &str = "--annotations-file";

/// How a run shows its plan, and to whom.
pub struct Papers<'a> {
    review: &'a ReviewArgs,
    format: Format,
    reporter: &'a Reporter,
}

/// Sees before anything else happens that files can be written.
///
/// # Errors
/// Why one cannot.
pub fn probe(review: &ReviewArgs) -> Result<(), Failure> {
    let files = [
        (MARKDOWN, &review.markdown),
        (ANNOTATIONS, &review.annotations_file),
    ];
    for (flag, path) in files {
        let Some(path) = path else { continue };
        try_private(path, WriteMode::Replace)
            .map_err(|error| Failure::unwritten(&error, flag, path, WriteMode::Replace))?;
    }
    match &review.step_summary {
        Some(path) => append(path, ""),
        None => Ok(()),
    }
}

impl<'a> Papers<'a> {
    /// For a run with these options.
    pub fn of(review: &'a ReviewArgs, form: &FormArgs, reporter: &'a Reporter) -> Self {
        Self {
            review,
            format: form.format,
            reporter,
        }
    }

    fn form(&self, limit: usize) -> Form {
        Form {
            look: self.review.shared(),
            numbers: self.review.counts_only,
            limit,
        }
    }

    /// Shows the plan to who runs it, and gives what was shown.
    pub fn result(&self, plan: &Plan) -> String {
        let shown = match self.review.counts_only {
            true => human::plan_in_numbers(plan),
            false => human::plan_as(plan, self.review.own(), self.reporter.columns()),
        };
        self.reporter.result(&shown);
        shown
    }

    /// Shows a plan from a file in the same way, what its name covers apart from the rest.
    pub fn shown(&self, plan: &Plan) {
        let shown = match self.review.counts_only {
            true => human::plan_in_numbers(plan),
            false => human::shown(plan, self.review.own(), self.reporter.columns()),
        };
        self.reporter.result(&shown);
    }

    /// Shows what guards object to who runs it; `applying` says that nothing is applied for it.
    pub fn refusals(&self, refusals: &[Refusal], applying: bool) {
        // Who may see numbers alone is told the names of the guards, and no account.
        if !self.review.counts_only {
            let text = human::refusals(refusals, applying);
            let text = human::wrapped(&text, self.reporter.columns());
            self.reporter.result(&text);
        }
    }

    /// Shows the plan to others.
    ///
    /// # Errors
    /// Why a file cannot be written.
    pub fn plan(&self, plan: &Plan, decision: Decision<'_>) -> Result<(), Failure> {
        let body = |limit| markdown::body(plan, decision, &self.form(limit));
        if self.format == Format::Markdown {
            self.reporter.data(&body(COMMENT));
        }
        if let Some(path) = &self.review.markdown {
            write(path, &body(COMMENT), MARKDOWN)?;
        }
        self.summary(&body)?;
        match self.review.annotations {
            Some(Annotations::Github) => {
                let text = annotations::github(plan, decision, &self.form(COMMENT));
                self.annotate(&text)
            }
            None => Ok(()),
        }
    }

    /// Shows others what became of the plan: first that, then the plan.
    ///
    /// # Errors
    /// Why a file cannot be written.
    pub fn applied(
        &self,
        plan: &Plan,
        outcome: &Outcome,
        left_out: &[Moved],
        reviewed: bool,
    ) -> Result<(), Failure> {
        let ended = |limit| markdown::outcome(outcome, left_out, reviewed, &self.form(limit));
        if self.format == Format::Markdown {
            self.reporter.data(&format!("\n{}", ended(COMMENT)));
        }
        if let Some(path) = &self.review.markdown {
            let ended = ended(COMMENT / 3);
            let rest = COMMENT.saturating_sub(ended.len() + 1);
            let plan = markdown::body(plan, Decision::Guards(&[]), &self.form(rest));
            write(path, &format!("{ended}\n{plan}"), MARKDOWN)?;
        }
        self.summary(&ended)
    }

    /// Appends to the summary of a step what it has room for.
    fn summary(&self, body: &dyn Fn(usize) -> String) -> Result<(), Failure> {
        let Some(path) = &self.review.step_summary else {
            return Ok(());
        };
        // What is not there takes no room.
        let taken = fs::metadata(path).map_or(0, |file| file.len());
        let room = STEP_SUMMARY.saturating_sub(usize::try_from(taken).unwrap_or(usize::MAX));
        // A line before it and behind it, whatever else is in the file.
        let room = room.saturating_sub(2);
        if room < LEAST {
            self.reporter.warn(&format!(
                "{STEP} {}: the summary of this step is full, so this plan is not in it",
                echo::path(path)
            ));
            return Ok(());
        }
        append(path, &format!("\n{}\n", body(room)))
    }

    fn annotate(&self, text: &str) -> Result<(), Failure> {
        match (&self.review.annotations_file, self.format) {
            (Some(path), _) => write(path, text, ANNOTATIONS)?,
            (None, Format::Human) => self.reporter.data(text),
            // What reads a document must not find anything else; the host reads both streams.
            (None, Format::Json | Format::Markdown) => self.reporter.note(text.trim_end()),
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str, flag: &str) -> Result<(), Failure> {
    write_private(path, text.as_bytes(), WriteMode::Replace)
        .map_err(|error| Failure::unwritten(&error, flag, path, WriteMode::Replace))
}

fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            let shown = echo::path(path).given(STEP);
            Failure::error(format!("cannot append to {shown}: {error}")).help(format!(
                "{STEP} wants a file in a folder that exists and can be written to"
            ))
        })
}
