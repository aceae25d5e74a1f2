//! Progress on a terminal: one line at the bottom of standard error that goes away by itself.
//! Nothing in CI, on dumb terminals, in pipes; plain lines stay what they are there.

use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the line moves.
const TICK: Duration = Duration::from_millis(120);
/// Narrow terminals must not make the line wrap: a wrapped line cannot be taken back.
const WIDEST: usize = 48;

static LINE: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn line() -> MutexGuard<'static, Option<ProgressBar>> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the line away when it goes.
#[must_use = "the line goes away with this"]
#[derive(Debug)]
pub struct Showing(());

impl Drop for Showing {
    fn drop(&mut self) {
        if let Some(bar) = line().take() {
            bar.finish_and_clear();
        }
    }
}

/// Whether a moving line is of use: somebody watches, and nothing says that it is not wanted.
fn wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal()
        && !set("CI")
        && !set("ROLECALL_NO_PROGRESS")
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

fn show(bar: ProgressBar, template: &str, message: &str) -> Showing {
    if wanted() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(message.to_owned());
        bar.enable_steady_tick(TICK);
        *line() = Some(bar);
    }
    Showing(())
}

/// Shows that something is waited for.
pub fn waiting(message: &str) -> Showing {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    show(bar, "{spinner} {msg} ({elapsed})", message)
}

/// Shows how many of so many changes are done.
pub fn counting(n: usize) -> Showing {
    let n = u64::try_from(n).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(n), ProgressDrawTarget::hidden());
    show(bar, "{spinner} {pos} of {len} done ({elapsed}) {msg}", "")
}

/// One more is done.
pub fn done() {
    if let Some(bar) = line().as_ref() {
        bar.inc(1);
    }
}

/// Says in the line what is going on; whether there is a line. The text must be harmless already.
pub fn now(message: &str) -> bool {
    match line().as_ref() {
        Some(bar) => {
            let short: String = message.chars().take(WIDEST).collect();
            bar.set_message(short);
            true
        }
        None => false,
    }
}

/// Prints something while the line is out of the way.
pub fn hidden<T>(print: impl FnOnce() -> T) -> T {
    // Who prints may wait for a reader for ever; others must be able to print meanwhile.
    let bar = line().clone();
    match bar {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}
