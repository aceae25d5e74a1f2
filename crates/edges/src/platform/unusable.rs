//! Why a credential cannot be used. Pure; never repeats what was read.

use crate::credential_file::FormError;

/// Why a credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CredentialError {
    message: String,
}

impl CredentialError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

impl From<FormError> for CredentialError {
    fn from(error: FormError) -> Self {
        Self::new(error.to_string())
    }
}
