//! A file on the machine that applies.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind};
use crate::model::identity::{DestinationId, Identity};
use crate::model::sink_kind::SinkKind;

/// A file inside the configuration's directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePlace {
    /// The sink's folder, relative to the configuration, with `/` between parts.
    pub directory: String,
    /// The file's name in it.
    pub file: String,
    /// How the credential is written.
    pub format: CredentialFormat,
    /// Whether the folder outlives the machine that applies, as a volume does. It is no part of what the
    /// place is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

impl FilePlace {
    /// A file that stands for a place of another kind: in a folder of the kind, by the name of the sink
    /// and the identity of the place.
    pub(in crate::model) fn standing_for(
        kind: SinkKind,
        sink: &str,
        id: DestinationId,
        format: CredentialFormat,
    ) -> Self {
        Self {
            directory: kind.as_str().to_owned(),
            file: format!("{sink}-{id}.{}", format.extension()),
            format,
            keep: false,
        }
    }
}

impl PlaceKind for FilePlace {
    fn kind(&self) -> SinkKind {
        SinkKind::File
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            kind: SinkKind::File,
            host: "",
            namespace: "",
            path: self.directory.as_str().into(),
            key: &self.file,
            format: self.format.as_str(),
        }
    }

    fn occupies(&self) -> String {
        // Some file systems do not tell upper from lower case.
        self.to_string().to_lowercase()
    }

    fn format(&self) -> CredentialFormat {
        self.format
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            read_back: true,
            stage: true,
            // Another process may put a file there between the last look and the renaming.
            compare_and_swap: false,
            restore: true,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self {
            directory,
            file,
            format,
            keep,
        } = self;
        vec![
            ("path", format!("{directory}/{file}")),
            ("format", format.as_str().to_owned()),
            ("keep", keep.to_string()),
        ]
    }
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            directory,
            file,
            format: _,
            keep: _,
        } = self;
        write!(f, "{directory}/{file}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_stands_for_another_kind_has_a_safe_name_of_its_own() {
        let of = |path: &'static str| {
            let identity = Identity {
                kind: SinkKind::Vault,
                host: "https://vault.acme.example",
                namespace: "../..",
                path: path.into(),
                key: "",
                format: "base64",
            };
            let format = CredentialFormat::Base64;
            FilePlace::standing_for(SinkKind::Vault, "ci", identity.id(), format)
        };
        let place = of("secret/data/../ci");
        assert_eq!(place.directory, "vault");
        let (name, digits) = ("ci-", 16);
        assert!(place.file.starts_with(name) && place.file.ends_with(".b64"));
        assert_eq!(place.file.len(), name.len() + digits + ".b64".len());
        assert_ne!(of("secret/data/ci"), place);
    }
    /// Documents that were written before there was the word are read, and digests stay.
    #[test]
    fn that_a_file_is_kept_changes_what_is_told_and_not_which_place_it_is() {
        let kept = |keep| FilePlace {
            directory: "volume".to_owned(),
            file: "ci.json".to_owned(),
            format: CredentialFormat::Json,
            keep,
        };
        let plain = serde_json::json!({"directory": "volume", "file": "ci.json", "format": "json"});
        assert_eq!(serde_json::to_value(kept(false)).expect("JSON"), plain);
        let read: FilePlace = serde_json::from_value(plain.clone()).expect("reads");
        assert_eq!(read, kept(false));
        let mut told = plain;
        told["keep"] = true.into();
        assert_eq!(serde_json::to_value(kept(true)).expect("JSON"), told);
        assert_eq!(kept(true).identity().id(), kept(false).identity().id());
        assert_eq!(kept(true).to_string(), kept(false).to_string());
    }
}
