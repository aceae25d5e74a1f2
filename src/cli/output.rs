//! Printing: results to standard output, everything else to standard error. Colours are stripped
//! where they are not wanted (`NO_COLOR`, pipes, dumb terminals).

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::diag::{Diagnostics, SourceMap, render_all};
use crate::view::inert;

use super::{progress, report};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Prints a result for people; nothing where standard output holds JSON. A reader that has gone
/// away ends the program quietly, as the shell's tools do.
pub fn print(text: &str) {
    if report::human() {
        raw(text);
    }
}

/// Prints to standard output, whatever its form.
pub fn raw(text: &str) {
    progress::hidden(|| {
        let mut out = anstream::stdout().lock();
        if out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            // Nothing is lost: the same is in the exit code, and stderr says more.
        }
    });
}

/// Prints something for those who watch.
pub fn tell(text: &str) {
    progress::hidden(|| {
        let mut err = anstream::stderr().lock();
        // If standard error is gone there is nobody left to tell.
        let _ = writeln!(err, "{text}");
    });
}

/// Prints an error and the ways out.
pub fn error(message: &str, help: &[String]) {
    report::error(message, help);
    tell(&format!("{ERROR}error{ERROR:#}: {}", inert(message)));
    for line in help {
        tell(&format!("  = {}", inert(line)));
    }
}

/// Prints a warning.
pub fn warning(message: &str) {
    report::warning(message);
    tell(&format!("{WARNING}warning{WARNING:#}: {}", inert(message)));
}

/// Prints what was found in the configuration.
pub fn found(found: &Diagnostics, sources: &SourceMap) {
    if !found.is_empty() {
        report::found(found, sources);
        tell(&render_all(found, sources, colours()));
    }
}

/// Whether diagnostics on standard error are coloured.
fn colours() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Whether somebody sits at a terminal who can be asked.
pub fn interactive() -> bool {
    use std::io::IsTerminal;
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
