//! Asks a person before something is written. Only a whole `yes` is one.

use std::io::BufRead;

use super::exit::Exit;
use super::failure::Failure;
use super::reporter::Reporter;

/// Asks on a terminal; elsewhere says what to do instead. `shown` is what the question is about.
///
/// # Errors
/// If nobody said yes.
pub fn confirm(question: &str, shown: &str, reporter: &Reporter) -> Result<(), Failure> {
    if !reporter.askable() {
        return Err(
            Failure::error("nobody can be asked here, and nothing was written")
                .help("review the plan above, then run again with --yes"),
        );
    }
    if !reporter.seen() {
        // Standard output goes elsewhere; who is asked still sees it.
        reporter.note(shown);
    }
    reporter.note(&format!("{question} Only `yes` is taken for a yes:"));
    let mut answer = String::new();
    // An unreadable answer is not a yes.
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::stopped(
        Exit::Error,
        "Declined, nothing was written.",
        "declined, nothing was written",
    ))
}
