//! The one place that prints: results to standard output, everything else to standard error. Colours
//! are stripped where they are not wanted (`NO_COLOR`, pipes, dumb terminals).

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use indicatif::ProgressDrawTarget;

use crate::diag::{Diagnostics, SourceMap, render_all};
use crate::ports;
use crate::view::{human, inert};

use super::events::Event;
use super::failure::{Failure, Finding, errors};
use super::progress::Progress;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// The streams of a run, as people see them.
#[derive(Debug)]
pub struct Console {
    /// Whether standard output is for people.
    human: bool,
    /// Whether somebody may be asked.
    asks: bool,
    progress: Progress,
    /// Whether a result could not be written, other than because its reader has gone away.
    lost: AtomicBool,
}

impl Console {
    /// The streams of this process: whether standard output is for people, and whether they may be
    /// asked.
    pub fn new(human: bool, asks: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            human,
            asks,
            progress: Progress::new(terminal.then_some(ProgressDrawTarget::stderr)),
            lost: AtomicBool::new(false),
        }
    }

    /// Shows what happened.
    ///
    /// # Errors
    /// Why standard output takes nothing, the first time that it does not.
    pub fn take(&self, event: Event<'_>) -> Result<(), Failure> {
        match event {
            Event::Result(text) if self.human => return self.print(text),
            Event::Data(text) => return self.print(text),
            Event::Note(text) => self.tell(text),
            Event::Warning { message, help } => {
                self.tell(&format!("{WARNING}warning{WARNING:#}: {}", inert(message)));
                self.ways(help);
            }
            Event::Found { found, sources } => self.found(found, sources),
            Event::Waiting(what) => self.progress.waiting(what),
            Event::Applying(n) => self.progress.counting(n),
            Event::Rested => self.progress.clear(),
            Event::Change(change) => self.change(change),
            Event::Failed(failure) => failure.findings().iter().for_each(|one| self.finding(one)),
            // Commands print what people are to see of these, in their words.
            Event::Began { .. }
            | Event::Request(_)
            | Event::SinkRequest(_)
            | Event::HostRequest(_)
            | Event::Ended(_)
            | Event::Result(_)
            | Event::LoggedIn { .. }
            | Event::LeftOut(_)
            | Event::Rest(_)
            | Event::Planned(_)
            | Event::Refused(_)
            | Event::SetAside { .. }
            | Event::Checked(_)
            | Event::Applied(_)
            | Event::Undone { .. } => {}
        }
        Ok(())
    }

    /// Prints to standard output. A reader that has gone away is no error, as for the shell's tools;
    /// that anything else went wrong is remembered, see [`Self::lost`].
    fn print(&self, text: &str) -> Result<(), Failure> {
        let written = self.progress.hidden(|| {
            let mut out = anstream::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        match written {
            Err(error)
                if error.kind() != io::ErrorKind::BrokenPipe
                    && !self.lost.swap(true, Ordering::SeqCst) =>
            {
                Err(Failure::error(format!(
                    "cannot write to standard output: {error}"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Whether a result could not be written.
    pub fn lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Prints for those who watch.
    pub fn tell(&self, text: &str) {
        self.progress.hidden(|| {
            let mut err = anstream::stderr().lock();
            // If standard error is gone there is nobody left to tell.
            let _ = writeln!(err, "{text}");
        });
    }

    fn ways(&self, help: &[String]) {
        for line in help {
            self.tell(&format!("  = {}", inert(line)));
        }
    }

    fn found(&self, found: &Diagnostics, sources: &SourceMap) {
        if !found.is_empty() {
            let colours =
                anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
            self.tell(&render_all(found, sources, colours));
        }
    }

    fn finding(&self, finding: &Finding) {
        match finding {
            Finding::Error { message, help } => {
                self.tell(&format!("{ERROR}error{ERROR:#}: {}", inert(message)));
                self.ways(help);
            }
            Finding::Found { found, sources } => {
                self.found(found, sources);
                let n = errors(found);
                if n > 1 {
                    self.tell(&format!("{n} errors"));
                }
            }
            // Who reads JSON finds them there.
            Finding::Guards(_) if !self.human => {}
            Finding::Guards(guards) => {
                let noun = if guards.len() == 1 { "guard" } else { "guards" };
                self.tell(&format!(
                    "{ERROR}error{ERROR:#}: refused by the {noun} {}; the reason and the way out are \
                     below the plan",
                    guards.join(", ")
                ));
            }
            Finding::CommandLine { text, message: _ } => {
                self.tell(text.strip_suffix('\n').unwrap_or(text));
            }
            Finding::Stopped { text, message: _ } => self.tell(text),
        }
    }

    fn change(&self, change: &ports::Event) {
        let text = human::event(change);
        match change {
            // How each change ended is told once, in the plan's order, by the outcome.
            ports::Event::Finished { .. } => self.progress.done(),
            ports::Event::Started { .. } if self.progress.now(&text) => {}
            ports::Event::Started { .. } | ports::Event::Note { .. } => self.tell(&text),
        }
    }

    /// Whether somebody can be asked.
    pub fn askable(&self) -> bool {
        interactive() && self.asks
    }

    /// How wide the lines of a result may be: as the environment says, else as wide as the terminal; elsewhere
    /// they have no width.
    pub fn columns(&self) -> Option<usize> {
        let said = std::env::var(COLUMNS).ok();
        let said = said.and_then(|text| text.parse().ok()).filter(|n| *n > 0);
        let terminal = || {
            let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(io::stdout())?;
            Some(usize::from(columns)).filter(|n| *n > 0)
        };
        said.or_else(terminal)
    }

    /// Whether people see what is printed as a result.
    pub fn seen(&self) -> bool {
        self.human && io::stdout().is_terminal()
    }
}

/// The variable that says how wide lines may be, where it is exported.
const COLUMNS: &str = "COLUMNS";

/// Whether somebody sits at a terminal.
pub fn interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Prints the text of `--help` or `--version`.
pub fn about(text: &clap::Error) {
    // If standard output is gone there is nobody left to tell.
    let _ = text.print();
}

/// Gives a secret to the program that reads standard output, byte by byte as it is.
///
/// # Errors
/// If nobody took all of it: a reader that has gone away counts.
pub fn hand_over(secret: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(secret.as_bytes()).and_then(|()| out.flush())
}

/// Tells of a bug, from wherever it is found: there may be nothing left but this stream.
pub fn bug(text: &str) {
    // If standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
