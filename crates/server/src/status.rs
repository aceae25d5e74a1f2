//! Errors of operations, in the text form of gRPC statuses that the platform shows.

use std::fmt;

/// The gRPC codes this platform answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidArgument,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    FailedPrecondition,
    Unauthenticated,
    Internal,
}

/// A failed operation. Its text is what a client sees as the GraphQL error's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Status {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(crate) fn not_found(what: &str, mrn: &str) -> Self {
        Self::new(Code::NotFound, format!("{what} {mrn} not found"))
    }

    pub(crate) fn exists(message: impl Into<String>) -> Self {
        Self::new(Code::AlreadyExists, message)
    }

    pub(crate) fn denied() -> Self {
        Self::new(Code::PermissionDenied, "request permission denied")
    }

    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(Code::Unauthenticated, message)
    }

    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "rpc error: code = {:?} desc = {}",
            self.code, self.message
        )
    }
}

impl From<rusqlite::Error> for Status {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(format!("storage: {error}"))
    }
}

impl From<serde_json::Error> for Status {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(format!("stored JSON: {error}"))
    }
}
