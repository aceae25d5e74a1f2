//! Printing: results to standard output, everything else to standard error. Colours are stripped
//! where they are not wanted (`NO_COLOR`, pipes, dumb terminals).

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};

use crate::diag::{Diagnostics, SourceMap, render_all};
use crate::echo;
use crate::policy::Refusal;
use crate::sinks::shell_word;
use crate::view::inert;

use super::{progress, report};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Whether a result could not be written, other than because its reader has gone away.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether nobody is to be asked.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Prints a result for people; nothing where standard output holds JSON.
pub fn print(text: &str) {
    if report::human() {
        raw(text);
    }
}

/// Prints to standard output, whatever its form. A reader that has gone away is no error, as for
/// the shell's tools; that anything else went wrong is remembered, see [`lost`].
pub fn raw(text: &str) {
    let written = progress::hidden(|| {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    });
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::SeqCst)
    {
        self::error(&format!("cannot write to standard output: {error}"), &[]);
    }
}

/// Whether a result could not be written.
pub fn lost() -> bool {
    LOST.load(Ordering::SeqCst)
}

/// A path as a hint shows it: one word of a shell, to be copied; `…` stands for what is not shown.
pub fn word(path: &Path) -> String {
    let shown = echo::path(path);
    if !shown.is_plain() {
        return "…".to_owned();
    }
    let word = path.to_str().and_then(shell_word);
    inert(&word.unwrap_or_else(|| shown.to_string()))
}

/// What a library says of a file, without the file's name where that is not shown.
#[cfg(feature = "server")]
pub fn nameless(path: &Path, why: &dyn std::fmt::Display) -> String {
    let why = why.to_string();
    match echo::path(path).is_plain() {
        true => why,
        false => why.replace(&*path.to_string_lossy(), "…"),
    }
}

/// What to do about a path that holds a `~` which no shell has seen.
pub fn tilde(path: &Path) -> Vec<String> {
    echo::tilde(path).map(str::to_owned).into_iter().collect()
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

/// Says on standard error, for who does not see the plan, that guards refuse it.
pub fn refused(refusals: &[Refusal]) {
    if !report::human() {
        return;
    }
    let guards: BTreeSet<&str> = refusals.iter().map(|refusal| refusal.guard).collect();
    let noun = if guards.len() == 1 { "guard" } else { "guards" };
    let guards: Vec<&str> = guards.into_iter().collect();
    tell(&format!(
        "{ERROR}error{ERROR:#}: refused by the {noun} {}; below the plan stands why, and the way out",
        guards.join(", ")
    ));
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

/// Whether somebody sits at a terminal.
pub fn interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// From now on nobody is asked, terminal or not.
pub fn ask_nothing() {
    SILENT.store(true, Ordering::SeqCst);
}

/// Whether somebody can be asked.
pub fn askable() -> bool {
    interactive() && !SILENT.load(Ordering::SeqCst)
}

/// Whether people see what [`print()`] prints.
pub fn seen() -> bool {
    report::human() && io::stdout().is_terminal()
}
