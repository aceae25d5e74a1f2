//! What a space does by itself with service accounts that nobody uses.

/// For how many days an account must not be used, where the platform does not tell. Source:
/// Mondoo's release notes of version 7.7, with which the removal began.
pub const CLEAN_UP_DAYS: u32 = 30;

/// What becomes of a space's accounts that nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CleanUp {
    /// Nothing.
    Off,
    /// The platform removes them after so many days without use.
    After(u32),
}
