//! Signals: before the first write they end the run at once; during apply the first one lets the
//! change in hand finish, a second one aborts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use super::failure::Failure;
use super::reporter::Reporter;

/// SIGXFSZ, which has one number on all systems that rolecall runs on.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// Sees that a limit on the size of files (`ulimit -f`) makes a write fail, and does not kill.
///
/// # Errors
/// If the system refuses to tell of signals.
pub fn survive_limits() -> Result<(), Failure> {
    // Once it is listened to, it stays caught.
    let caught = signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED));
    caught.map(drop).map_err(|error| deaf(&error))
}

fn deaf(error: &std::io::Error) -> Failure {
    Failure::error(format!("cannot listen for signals: {error}"))
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing is written.
    #[default]
    Looking,
    /// Nothing is written yet, and a change may be in hand.
    Applying,
    /// Something may be written.
    Writing,
}

/// How far a run has come, and what was asked of it.
#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Somebody asked to stop.
    stop: bool,
}

/// What has been asked of a run.
#[derive(Clone, Debug)]
pub struct Signals {
    reporter: Reporter,
    /// Who aborts the run keeps this locked: it goes nowhere, and what is said of it stays true.
    state: Arc<Mutex<State>>,
    /// Somebody asked while the last words were said.
    hurried: Arc<AtomicBool>,
}

impl Signals {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on.
    ///
    /// # Errors
    /// If the system refuses to tell of signals.
    pub fn listen(reporter: &Reporter) -> Result<Self, Failure> {
        let signals = Self {
            reporter: reporter.clone(),
            state: Arc::default(),
            hurried: Arc::default(),
        };
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            let mut stream = signal(kind).map_err(|error| deaf(&error))?;
            let signals = signals.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    let one = signals.clone();
                    // Last words may wait for a reader; the next signal is received all the same.
                    let thread = std::thread::Builder::new().spawn(move || one.received());
                    if thread.is_err() {
                        signals.received();
                    }
                }
            });
        }
        Ok(signals)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn received(&self) {
        if let Some(ending) = self.reporter.ending() {
            // The report of a run that is over may wait for a reader that never comes.
            if self.hurried.swap(true, Ordering::SeqCst) {
                self.reporter.leave(ending);
            }
            self.reporter.note(
                "the run is over and its report is being written; another signal leaves without it",
            );
            return;
        }
        // Kept until the end of the program, if that comes.
        let mut state = self.state();
        if state.phase == Phase::Looking {
            self.abort("interrupted, nothing was written", Exit::Interrupted);
        }
        if std::mem::replace(&mut state.stop, true) {
            if state.phase == Phase::Applying {
                self.abort("aborted, nothing was written", Exit::Interrupted);
            }
            self.abort(
                "aborted in the middle of a change; plan again to see what is left",
                Exit::Partial,
            );
        }
        self.reporter
            .note("stopping after the change in hand; another signal aborts");
    }

    fn abort(&self, message: &str, exit: Exit) -> ! {
        self.reporter
            .abort(&Failure::stopped(exit, message, message))
    }

    /// From now on signals let the change in hand finish.
    pub fn applying(&self) {
        self.state().phase = Phase::Applying;
    }

    /// Notes that something may be written from now on.
    pub fn writing(&self) {
        self.state().phase = Phase::Writing;
    }

    /// Whether somebody asked to stop.
    pub fn stop_requested(&self) -> bool {
        self.state().stop
    }
}
