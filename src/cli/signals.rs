//! Signals: before the first write they end the run at once; during apply the first one lets the
//! change in hand finish, a second one aborts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use super::{output, report};

/// What has been asked of a run.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    applying: Arc<AtomicBool>,
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
            report::abort(
                "aborted in the middle of a change; plan again to see what is left. An account \
                 that was being created has no power until its key is delivered",
                Exit::Partial,
            );
        }
        output::tell("stopping after the change in hand; once more aborts");
    }

    /// From now on signals let the change in hand finish.
    pub fn applying(&self) {
        self.applying.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked to stop.
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}
