//! Programs that whoever applies allows to be run, and what came of running one.
//! Runs none: the shell lends that, as it lends the clock.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramEnd {
    /// It was not started: why, a fragment.
    NotStarted(String),
    /// By itself, with this exit code.
    Code(i32),
    /// By a signal of this number.
    Signal(i32),
    /// It was killed with all that it had started, since it had not ended in this time.
    Late(Duration),
    /// It was killed with all that it had started, since it wrote more than anybody reads.
    Flood,
}

/// What came of running a program once.
pub struct Ran {
    /// How it ended.
    pub end: ProgramEnd,
    /// What it wrote to standard output. May hold a key.
    pub answer: Zeroizing<Vec<u8>>,
    /// What it wrote to standard error, as far as anybody reads that. May hold a key.
    pub said: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            end,
            answer: _,
            said: _,
        } = self;
        write!(f, "Ran({end:?})")
    }
}

/// A program at work.
pub type Running = Pin<Box<dyn Future<Output = Ran> + Send>>;

/// Runs the program of a name with this on its standard input.
pub type Runner = Arc<dyn Fn(&str, Zeroizing<Vec<u8>>) -> Running + Send + Sync>;

/// The programs that sinks may ask.
pub struct Programs {
    /// Their names.
    pub allowed: BTreeSet<String>,
    /// Runs one of them.
    pub run: Runner,
}

impl Programs {
    /// None at all.
    pub fn none() -> Self {
        Self {
            allowed: BTreeSet::new(),
            run: Arc::new(|_, _| {
                Box::pin(std::future::ready(Ran {
                    end: ProgramEnd::NotStarted("no program is allowed".to_owned()),
                    answer: Zeroizing::default(),
                    said: Zeroizing::default(),
                }))
            }),
        }
    }
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allowed, run: _ } = self;
        write!(f, "Programs({allowed:?})")
    }
}
