//! Whose the description of an account is, as marks tell it.
//! Pure.

use serde::{Deserialize, Serialize};

use super::digest::short_digest;

/// Whether the account's description is rolecall's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Described {
    /// It never wrote one.
    No,
    /// It wrote one.
    Text,
    /// It wrote an empty one, and none showed after it.
    Empty,
    /// It wrote an empty one, and the platform showed this text all the same.
    Kept(KeptText),
}

/// Names a text that a platform keeps: the first four hexadecimal digits of its SHA-256. A label has
/// room for no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeptText(u16);

impl KeptText {
    const DIGITS: usize = 4;

    /// The name of a text.
    pub fn of(text: &str) -> Self {
        let digits = short_digest(text.as_bytes(), Self::DIGITS);
        Self(u16::from_str_radix(&digits, 16).unwrap_or_default())
    }

    fn from_digits(text: &str) -> Option<Self> {
        let small = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let read = text.len() == Self::DIGITS && text.bytes().all(small);
        let digits = read.then(|| u16::from_str_radix(text, 16).ok());
        digits.flatten().map(Self)
    }
}

impl Described {
    /// What a description that is written amounts to; `None` leaves it as it is.
    #[must_use]
    pub fn by(self, description: Option<&str>) -> Self {
        match description {
            None => self,
            Some("") => Self::Empty,
            Some(_) => Self::Text,
        }
    }

    /// Whether the platform shows this text though rolecall cleared it: to clear it again would
    /// change nothing. Any other text was written later.
    pub fn excuses(self, shown: &str) -> bool {
        self == Self::Kept(KeptText::of(shown))
    }

    /// Whether the description that shows is the wanted one, or what the platform made of that.
    pub fn fits(self, wanted: &str, shown: Option<&str>) -> bool {
        let shown = shown.unwrap_or_default();
        shown == wanted || (wanted.is_empty() && self.excuses(shown))
    }

    pub(super) fn digits(self) -> String {
        match self {
            Self::No => "0".to_owned(),
            Self::Text => "1".to_owned(),
            Self::Empty => "2".to_owned(),
            Self::Kept(KeptText(text)) => format!("2{text:04x}"),
        }
    }

    pub(super) fn from_digits(text: &str) -> Option<Self> {
        Some(match text {
            "0" => Self::No,
            "1" => Self::Text,
            "2" => Self::Empty,
            kept => Self::Kept(KeptText::from_digits(kept.strip_prefix('2')?)?),
        })
    }
}
