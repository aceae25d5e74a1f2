//! Signals: before the first write they end the run at once; during apply the first one lets the
//! change in hand finish, a second one aborts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use super::{output, report};

/// SIGXFSZ, which has one number on all systems that rolecall runs on.
const FILE_SIZE_EXCEEDED: i32 = 25;

/// Sees that a limit on the size of files (`ulimit -f`) makes a write fail, and does not kill.
///
/// # Errors
/// If the system refuses to tell of signals.
pub fn survive_limits() -> std::io::Result<()> {
    // Once it is listened to, it stays caught.
    signal(SignalKind::from_raw(FILE_SIZE_EXCEEDED)).map(drop)
}

/// What has been asked of a run.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    applying: Arc<AtomicBool>,
    writing: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Signals {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on.
    ///
    /// # Errors
    /// If the system refuses to tell of signals.
    pub fn listen() -> std::io::Result<Self> {
        let signals = Self::default();
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            let mut stream = signal(kind)?;
            let signals = signals.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    signals.received();
                }
            });
        }
        Ok(signals)
    }

    fn received(&self) {
        if !self.applying.load(Ordering::SeqCst) {
            report::abort("interrupted, nothing was written", Exit::Interrupted);
        }
        if self.stop.swap(true, Ordering::SeqCst) {
            if !self.writing.load(Ordering::SeqCst) {
                report::abort("aborted, nothing was written", Exit::Interrupted);
            }
            report::abort(
                "aborted in the middle of a change; plan again to see what is left",
                Exit::Partial,
            );
        }
        output::tell("stopping after the change in hand; once more aborts");
    }

    /// From now on signals let the change in hand finish.
    pub fn applying(&self) {
        self.applying.store(true, Ordering::SeqCst);
    }

    /// Notes that something may be written from now on.
    pub fn writing(&self) {
        self.writing.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked to stop.
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}
