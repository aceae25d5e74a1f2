//! Why a code host did not do what it was asked.
//! Values only.

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgeErrorKind {
    /// Nothing can be asked as things are set.
    Setup,
    /// The login is not taken.
    Login,
    /// The login may not do that.
    Permission,
    /// There is no such thing, or the login is not shown it.
    NotFound,
    /// It was there and is no more.
    Gone,
    /// Too much was asked of late.
    Limited,
    /// The host does not answer, or failed.
    Unavailable,
    /// What it answers cannot be understood.
    Strange,
    /// It does not take the request.
    Refused,
}

/// A failure, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ForgeError {
    /// What kind it is.
    pub kind: ForgeErrorKind,
    /// What happened, a fragment.
    pub message: String,
    /// What to do about it, a fragment.
    pub help: Option<String>,
}

impl ForgeError {
    /// A failure without a way out.
    pub fn new(kind: ForgeErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            help: None,
        }
    }

    /// The same with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
