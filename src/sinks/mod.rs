//! Where credentials are delivered: one folder a kind of destination, behind one port.
//! The only place besides the platform that sees a key.

mod content;
#[cfg(test)]
mod contract;
mod file;

use std::path::{Path, PathBuf};

pub use file::{FileSink, configure_hint, git_ignores, git_lines, path_of, shell_word};

use crate::model::{Destination, IssuedCredential, Place};
use crate::ports::{Abandoned, Delivered, Probe, SinkError, SinkStore, Staged};

/// The folder below the configuration's directory in which everything is kept that belongs to the
/// embedded platform.
const LOCAL: &str = ".rolecall";

/// All sinks of one run.
#[derive(Clone, Debug)]
pub struct Sinks {
    root: PathBuf,
    file: FileSink,
    /// Whether every kind is a file.
    local: bool,
}

impl Sinks {
    /// The sinks of the configuration in this directory.
    pub fn new(directory: &Path) -> Self {
        Self {
            root: directory.to_owned(),
            file: FileSink::new(directory),
            local: false,
        }
    }

    /// The sinks of the embedded platform: every kind is delivered into files below `.rolecall`, so that
    /// no real key is replaced and no store is reached.
    pub fn local(directory: &Path) -> Self {
        let root = directory.join(LOCAL);
        Self {
            file: FileSink::new(&root),
            root,
            local: true,
        }
    }

    /// The directory below which files are delivered.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Asks the sink of a destination: one row a kind.
macro_rules! ask {
    ($sinks:expr, $to:expr, $sink:ident => $asked:expr) => {
        match $to.place() {
            _ if $sinks.local => {
                let $sink = &$sinks.file;
                $asked
            }
            Place::File(_) => {
                let $sink = &$sinks.file;
                $asked
            }
        }
    };
}

impl SinkStore for Sinks {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        ask!(self, to, sink => sink.probe(to).await)
    }

    async fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        ask!(self, to, sink => sink.stage(to, credential, probe).await)
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        ask!(self, to, sink => sink.promote(to, credential, staged).await)
    }

    async fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        ask!(self, to, sink => sink.abandon(to, credential, staged).await)
    }
}
