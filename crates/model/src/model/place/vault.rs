//! A field of a secret in HashiCorp Vault or OpenBao.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind};
use crate::model::identity::Identity;
use crate::model::origin::Origin;
use crate::model::sink_kind::SinkKind;

/// One field of a secret in a key-value engine of version 2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultPlace {
    /// The server.
    pub address: Origin,
    /// The namespace of the engine; empty for the root.
    pub namespace: String,
    /// Where the engine is mounted, without slashes around it.
    pub mount: String,
    /// The secret's path in it, without slashes around it.
    pub path: String,
    /// The field that holds the credential.
    pub field: String,
    /// How the credential is written.
    pub format: CredentialFormat,
    /// Whether the account and its key are noted beside the secret, as custom metadata.
    pub metadata: bool,
}

impl PlaceKind for VaultPlace {
    fn kind(&self) -> SinkKind {
        SinkKind::Vault
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            kind: SinkKind::Vault,
            host: self.address.as_str(),
            namespace: &self.namespace,
            path: format!("{}/data/{}", self.mount, self.path).into(),
            key: &self.field,
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
            compare_and_swap: true,
            restore: true,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self {
            address,
            namespace,
            mount,
            path,
            field,
            format,
            metadata,
        } = self;
        vec![
            ("address", address.to_string()),
            ("namespace", namespace.clone()),
            ("mount", mount.clone()),
            ("path", path.clone()),
            ("field", field.clone()),
            ("format", format.as_str().to_owned()),
            ("metadata", metadata.to_string()),
        ]
    }
}

impl fmt::Display for VaultPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            namespace,
            mount,
            path,
            field,
            format: _,
            metadata: _,
        } = self;
        let in_namespace = if namespace.is_empty() { "" } else { "/" };
        write!(
            f,
            "{address}/{namespace}{in_namespace}{mount}/{path}#{field}"
        )
    }
}
