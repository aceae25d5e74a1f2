//! Who a request comes from.

/// Who a request comes from, once authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The MRN of the service account, API token or user.
    pub mrn: String,
}

impl Identity {
    /// Names an identity that something else has authenticated, as simulations do.
    pub fn new(mrn: impl Into<String>) -> Self {
        Self { mrn: mrn.into() }
    }
}
