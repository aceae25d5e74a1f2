//! Why a platform does not work at all, in contrast to a [`Status`] of one request.

use super::status::{Code, Status};

/// Why the platform could not be opened, prepared or started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error("platform storage failed: {0}")]
    Storage(String),
    /// The database holds a seed already.
    #[error("platform is already seeded")]
    AlreadySeeded,
    /// The seed is not what a seed looks like.
    #[error("invalid seed: {0}")]
    InvalidSeed(String),
    /// The operation was refused, as the API would refuse it.
    #[error("{0}")]
    Refused(String),
    /// The socket could not be had.
    #[error("platform socket failed: {0}")]
    Socket(#[from] std::io::Error),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        match status.code {
            Code::Internal => Self::Storage(status.message),
            _ => Self::Refused(status.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.to_string())
    }
}
