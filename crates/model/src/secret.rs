//! Values that must not leak.
//! May not print, compare, copy or serialize what it holds.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, Zeroizing};

/// Holds a value that is shown to nobody: `Debug` prints a placeholder, there is no `Display`,
/// `Clone`, `PartialEq` or `Serialize`, and the memory is zeroed on drop.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value; from here on it is only reachable through [`Secret::expose`].
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Gives the value itself. Only `sinks`, `platform` and `forge` may call this (`tests/architecture`).
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Reads a text that is zeroed on drop, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// If it is no text.
pub fn zeroizing<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "[REDACTED]");
        assert_eq!(secret.expose(), "hunter2");
    }
}
