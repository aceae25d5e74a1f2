//! A secret in Azure Key Vault.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind};
use crate::model::identity::Identity;
use crate::model::origin::Origin;
use crate::model::sink_kind::SinkKind;

/// One secret of one vault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AzureKeyVaultPlace {
    /// The vault: `https://acme.vault.azure.net`.
    pub vault: Origin,
    /// The secret's name, in small letters: the store takes no notice of case.
    pub name: String,
    /// How the credential is written.
    pub format: CredentialFormat,
}

impl PlaceKind for AzureKeyVaultPlace {
    fn kind(&self) -> SinkKind {
        SinkKind::AzureKeyVault
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            kind: SinkKind::AzureKeyVault,
            host: self.vault.as_str(),
            namespace: "",
            path: self.name.as_str().into(),
            key: "",
            format: self.format.as_str(),
        }
    }

    fn format(&self) -> CredentialFormat {
        self.format
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            read_back: true,
            // Consumers read the newest version at once.
            stage: false,
            // A write is bound to nothing that was seen.
            compare_and_swap: false,
            restore: true,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self {
            vault,
            name,
            format,
        } = self;
        vec![
            ("vault", vault.to_string()),
            ("name", name.clone()),
            ("format", format.as_str().to_owned()),
        ]
    }
}

impl fmt::Display for AzureKeyVaultPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            vault,
            name,
            format: _,
        } = self;
        write!(f, "{vault}/secrets/{name}")
    }
}
