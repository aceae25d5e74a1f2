//! How much room is left in a text of limited size.

/// Bytes that are left.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    /// So many bytes.
    pub(super) fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes so many, if they are there.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// What is left.
    pub(super) fn left(&self) -> usize {
        self.0
    }
}
