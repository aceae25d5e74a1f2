//! Where an account's key goes: one place in one sink.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::identity::DestinationId;
use super::mark::{KeyAt, StoreVersion};
use super::place::{Abilities, FilePlace, Place};
use super::sink_kind::SinkKind;

/// What becomes of a key at a place that its account leaves, or whose account is deleted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// It stays.
    #[default]
    Keep,
    /// It is removed, if it is this account's still.
    Remove,
}

impl OnDelete {
    /// Its name in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Remove => "remove",
        }
    }

    fn keeps(&self) -> bool {
        *self == Self::Keep
    }
}

/// One rendered place that receives a credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "Form", from = "Form")]
pub struct Destination {
    sink: String,
    place: Place,
    on_delete: OnDelete,
    overwrite_unreadable: bool,
    /// Made once: it is a digest, and asked for of every account.
    id: DestinationId,
}

/// As documents hold it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    sink: String,
    place: Place,
    #[serde(default, skip_serializing_if = "OnDelete::keeps")]
    on_delete: OnDelete,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    overwrite_unreadable: bool,
}

impl From<Form> for Destination {
    fn from(of: Form) -> Self {
        let Form {
            sink,
            place,
            on_delete,
            overwrite_unreadable,
        } = of;
        Self::new(sink, place)
            .with(on_delete)
            .overwriting_unreadable(overwrite_unreadable)
    }
}

impl From<Destination> for Form {
    fn from(of: Destination) -> Self {
        let Destination {
            sink,
            place,
            on_delete,
            overwrite_unreadable,
            id: _,
        } = of;
        Self {
            sink,
            place,
            on_delete,
            overwrite_unreadable,
        }
    }
}

impl Destination {
    /// A place in the sink of this kind and name: `file.local`.
    pub fn new(sink: impl Into<String>, place: Place) -> Self {
        Self {
            sink: sink.into(),
            on_delete: OnDelete::Keep,
            id: place.of_kind().identity().id(),
            place,
            overwrite_unreadable: false,
        }
    }

    /// The same with another end of the keys there.
    #[must_use]
    pub fn with(self, on_delete: OnDelete) -> Self {
        Self { on_delete, ..self }
    }

    /// What becomes of a key there that its account leaves.
    pub fn on_delete(&self) -> OnDelete {
        self.on_delete
    }

    /// The same place; whether what it holds and nobody can read may be overwritten is no part of what it is.
    #[must_use]
    pub fn overwriting_unreadable(self, may: bool) -> Self {
        Self {
            overwrite_unreadable: may,
            ..self
        }
    }

    /// Whether what the place holds and nobody can read may be overwritten, as the sink says.
    pub fn overwrites_unreadable(&self) -> bool {
        self.overwrite_unreadable
    }

    /// The sink block: kind and name, `file.local`.
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// The place in it.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The kind of the sink.
    pub fn kind(&self) -> SinkKind {
        self.place.of_kind().kind()
    }

    /// What names the place in marks: what it is, and not what its block is called.
    pub fn id(&self) -> DestinationId {
        self.id
    }

    /// What the place can do.
    pub fn abilities(&self) -> Abilities {
        self.place.of_kind().abilities()
    }

    /// What is to be said of the place, by name, in the order in which people read it.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        self.place.of_kind().facts()
    }

    /// Who can read what is there, for people.
    pub fn readers(&self) -> String {
        self.place.of_kind().readers()
    }

    /// What lets more people read it than the kind does by itself, for people.
    pub fn widened(&self) -> Vec<&'static str> {
        self.place.of_kind().widened()
    }

    /// The mark of a key of this generation that was put there.
    pub fn key_at(&self, generation: u32, version: Option<StoreVersion>) -> (DestinationId, KeyAt) {
        let kind = self.kind();
        let at = KeyAt {
            kind,
            generation,
            version,
        };
        (self.id, at)
    }

    /// The file that stands for the place on a machine where no store is reached: a file is itself,
    /// anything else a file in a folder of its kind.
    #[must_use]
    pub fn as_file(&self) -> FilePlace {
        if let Some(place) = self.place.file() {
            return place.clone();
        }
        let of = self.place.of_kind();
        let name = self.sink.rsplit('.').next().unwrap_or_default();
        FilePlace::standing_for(of.kind(), name, self.id, of.format())
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sink.{} at {}", self.sink, self.place.of_kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CredentialFormat;

    fn file(directory: &str, format: CredentialFormat) -> Destination {
        let place = FilePlace {
            directory: directory.to_owned(),
            file: "ci.json".to_owned(),
            format,
            keep: false,
        };
        Destination::new("file.local", Place::File(place))
    }

    /// The identity is that of docs/compatibility.md, whatever the block is called.
    #[test]
    fn an_identity_is_of_the_place_alone() {
        let here = file("credentials", CredentialFormat::Json);
        assert_eq!(here.id().to_string(), "67b2d36f1c5214c7");
        let renamed = Destination::new("file.other", here.place().clone());
        assert_eq!(renamed.id(), here.id());
        assert_ne!(renamed, here);
        for other in [
            file("elsewhere", CredentialFormat::Json),
            file("credentials", CredentialFormat::Base64),
        ] {
            assert_ne!(other.id(), here.id());
        }
    }

    #[test]
    fn documents_hold_the_block_and_the_place_and_nothing_that_follows_from_them() {
        let here = file("credentials", CredentialFormat::Json);
        let told = serde_json::to_value(&here).expect("JSON");
        let expected = serde_json::json!({
            "sink": "file.local",
            "place": {
                "file": {"directory": "credentials", "file": "ci.json", "format": "json"},
            },
        });
        assert_eq!(told, expected);
        let back: Destination = serde_json::from_value(told.clone()).expect("reads");
        assert_eq!(back, here);
        // What a sink allows is told, and the place is the same.
        let allowing = here.clone().overwriting_unreadable(true);
        let mut more = told;
        more["overwrite_unreadable"] = true.into();
        assert_eq!(serde_json::to_value(&allowing).expect("JSON"), more);
        let read: Destination = serde_json::from_value(more).expect("reads");
        assert_eq!(read, allowing);
        assert_ne!(read, here);
        assert_eq!(read.id(), here.id());
        assert_eq!(back.to_string(), "sink.file.local at credentials/ci.json");
        assert_eq!(back.facts(), back.place().of_kind().facts());
        assert!(!back.facts().is_empty());
    }

    /// What becomes of a key says nothing of which place it is, and is a part of what is reviewed.
    #[test]
    fn the_end_of_keys_is_told_and_no_part_of_the_identity() {
        let kept = file("credentials", CredentialFormat::Json);
        let removed = kept.clone().with(OnDelete::Remove);
        assert_eq!(removed.id(), kept.id());
        assert_ne!(removed, kept);
        let told = serde_json::to_value(&removed).expect("JSON");
        assert_eq!(told["on_delete"], "remove");
        let back: Destination = serde_json::from_value(told).expect("reads");
        assert_eq!(back, removed);
    }

    #[test]
    fn a_file_stands_for_itself() {
        let here = file("credentials", CredentialFormat::Json);
        assert_eq!(Place::File(here.as_file()), *here.place());
    }
}
