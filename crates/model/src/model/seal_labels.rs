//! A seal as labels hold it. Whether it fits is decided elsewhere.
//! Pure.

use serde::{Deserialize, Serialize};

/// Letters of a signature in the first of the two labels.
const HALF: usize = 43;

/// A seal as two labels hold it: the key's short name, `.`, and a signature in base64 (URL alphabet,
/// no padding). Whether it fits is for `Seals::check` to say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seal {
    first: String,
    rest: String,
}

impl Seal {
    pub(super) fn new(key: &str, signature: &str) -> Self {
        let (first, rest) = signature.split_at_checked(HALF).unwrap_or((signature, ""));
        Self {
            first: format!("{key}.{first}"),
            rest: rest.to_owned(),
        }
    }

    /// Takes the two labels as they stand; `None` if there is neither.
    pub fn from_labels(first: Option<&str>, rest: Option<&str>) -> Option<Self> {
        (first.is_some() || rest.is_some()).then(|| Self {
            first: first.unwrap_or_default().to_owned(),
            rest: rest.unwrap_or_default().to_owned(),
        })
    }

    /// The short name of the key that the first of the two labels names.
    pub(super) fn key_of(first: &str) -> Option<&str> {
        let (key, _) = first.split_once('.')?;
        Some(key)
    }

    /// The values of the two labels.
    pub fn halves(&self) -> (&str, &str) {
        (&self.first, &self.rest)
    }

    /// The short name of the key and the signature, if the seal is as rolecall writes it.
    pub(super) fn parts(&self) -> Option<(&str, String)> {
        let (key, first) = self.first.split_once('.')?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let written = key.len() == 16
            && key.bytes().all(hex)
            && first.len() == HALF
            && self.rest.len() == HALF;
        written.then(|| (key, format!("{first}{}", self.rest)))
    }
}
