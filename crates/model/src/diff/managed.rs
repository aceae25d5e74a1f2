//! An account of ours, as the comparison has it.
//! Pure.

use crate::model::{AddressLabel, LiveAccount, Ours};

/// An account of ours.
pub(super) struct Managed<'a> {
    pub(super) account: &'a LiveAccount,
    pub(super) known: &'a Ours,
}

impl Managed<'_> {
    /// The address that the account has now.
    pub(super) fn label(&self) -> &AddressLabel {
        &self.known.at.label
    }
}
