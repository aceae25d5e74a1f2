//! Where exactly in a sink a credential goes: one file for each kind of place.
//! Pure.

mod file;
mod kind;

use serde::{Deserialize, Serialize};

pub use file::FilePlace;
pub use kind::{Abilities, CredentialFormat, PlaceKind};

/// A place of one of the kinds that this version delivers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A file inside the configuration's directory.
    File(FilePlace),
}

impl Place {
    /// The place by what all kinds have in common.
    pub fn of_kind(&self) -> &dyn PlaceKind {
        match self {
            Self::File(place) => place,
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&FilePlace> {
        match self {
            Self::File(place) => Some(place),
        }
    }
}
