//! What destinations can do, as a world has it.
//! Values only.

use rolecall::model::{Abilities, Destination, SinkKind};

/// What the destinations can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stores {
    /// All the same.
    Alike {
        /// They can hold a key beside the one that is in use.
        stages: bool,
        /// They can be read back.
        reads: bool,
        /// They give every write a version.
        versions: bool,
    },
    /// What their kind can, of which files alone give no versions.
    ByKind,
}

impl Stores {
    pub fn abilities(self, to: &Destination) -> Abilities {
        match self {
            Self::ByKind => to.abilities(),
            Self::Alike { stages, reads, .. } => Abilities {
                stage: stages,
                // As Vault: what cannot stage binds a write to what was seen.
                compare_and_swap: !stages && reads,
                read_back: reads,
                restore: reads,
            },
        }
    }

    /// Whether a destination gives every write a version.
    pub fn versions(self, to: &Destination) -> bool {
        match self {
            Self::ByKind => to.kind() != SinkKind::File,
            Self::Alike { versions, .. } => versions,
        }
    }
}
