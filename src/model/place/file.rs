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
        } = self;
        vec![
            ("path", format!("{directory}/{file}")),
            ("format", format.as_str().to_owned()),
        ]
    }
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            directory,
            file,
            format: _,
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
}
