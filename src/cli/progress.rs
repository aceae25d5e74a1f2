//! Progress on a terminal: one line at its bottom that goes away by itself.
//! Nothing in CI, on dumb terminals, in pipes; plain lines stay what they are there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the line moves.
const TICK: Duration = Duration::from_millis(120);
/// Narrow terminals must not make the line wrap: a wrapped line cannot be taken back.
const WIDEST: usize = 48;

/// The line of a run, while there is one.
#[derive(Debug)]
pub struct Progress {
    /// Where it is drawn; `None` if it is not wanted.
    stream: Option<fn() -> ProgressDrawTarget>,
    line: Mutex<Option<ProgressBar>>,
}

/// Whether a moving line is of use to those who watch a terminal: nothing says that it is not wanted.
fn wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("CI")
        && !set("ROLECALL_NO_PROGRESS")
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

impl Progress {
    /// No line yet. There will be none without a terminal to draw it on.
    pub fn new(terminal: Option<fn() -> ProgressDrawTarget>) -> Self {
        Self {
            stream: terminal.filter(|_| wanted()),
            line: Mutex::new(None),
        }
    }

    fn line(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, bar: ProgressBar, template: &str, message: &str) {
        if let Some(stream) = self.stream {
            bar.set_draw_target(stream());
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(message.to_owned());
            bar.enable_steady_tick(TICK);
            *self.line() = Some(bar);
        }
    }

    /// Shows that something is waited for.
    pub fn waiting(&self, message: &str) {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        self.show(bar, "{spinner} {msg} ({elapsed})", message);
    }

    /// Shows how many of so many changes are done.
    pub fn counting(&self, n: usize) {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        let bar = ProgressBar::with_draw_target(Some(n), ProgressDrawTarget::hidden());
        self.show(bar, "{spinner} {pos} of {len} done ({elapsed}) {msg}", "");
    }

    /// One more is done.
    pub fn done(&self) {
        if let Some(bar) = self.line().as_ref() {
            bar.inc(1);
        }
    }

    /// Says in the line what is going on; whether there is a line. The text must be harmless already.
    pub fn now(&self, message: &str) -> bool {
        match self.line().as_ref() {
            Some(bar) => {
                let short: String = message.chars().take(WIDEST).collect();
                bar.set_message(short);
                true
            }
            None => false,
        }
    }

    /// Takes the line away.
    pub fn clear(&self) {
        if let Some(bar) = self.line().take() {
            bar.finish_and_clear();
        }
    }

    /// Prints something while the line is out of the way.
    pub fn hidden<T>(&self, print: impl FnOnce() -> T) -> T {
        // Who prints may wait for a reader for ever; others must be able to print meanwhile.
        let bar = self.line().clone();
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}
