//! The exit codes, the same under every output format.

use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; with `--detailed-exitcode`: no changes.
    Done,
    /// Error or declined, nothing written.
    Error,
    /// Changes are pending (`plan --detailed-exitcode`).
    Pending,
    /// Refused by a guard or a dispute, nothing written.
    Refused,
    /// What is live had moved since the plan, nothing written.
    Stale,
    /// Applied in part, or interrupted after a write.
    Partial,
    /// Accounts that nobody declared (`plan --strict`).
    Unmanaged,
    /// Wrong usage.
    Usage,
    /// Interrupted, nothing written.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Pending => 2,
            Self::Refused => 3,
            Self::Stale => 4,
            Self::Partial => 5,
            Self::Unmanaged => 6,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
