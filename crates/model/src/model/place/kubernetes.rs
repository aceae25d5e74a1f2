//! A key of a Secret in Kubernetes.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind};
use crate::model::identity::Identity;
use crate::model::origin::Origin;
use crate::model::sink_kind::SinkKind;

/// One key of a Secret's data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesPlace {
    /// The API server.
    pub address: Origin,
    /// The Secret's namespace.
    pub namespace: String,
    /// The Secret's name.
    pub name: String,
    /// The key of its data that holds the credential.
    pub key: String,
    /// The Secret's type: `Opaque`.
    pub r#type: String,
    /// How the credential is written.
    pub format: CredentialFormat,
}

impl PlaceKind for KubernetesPlace {
    fn kind(&self) -> SinkKind {
        SinkKind::Kubernetes
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            kind: SinkKind::Kubernetes,
            host: self.address.as_str(),
            namespace: &self.namespace,
            path: self.name.as_str().into(),
            key: &self.key,
            format: self.format.as_str(),
        }
    }

    fn format(&self) -> CredentialFormat {
        self.format
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            read_back: true,
            // There is one value, which consumers read at once.
            stage: false,
            compare_and_swap: true,
            restore: true,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self {
            address,
            namespace,
            name,
            key,
            r#type,
            format,
        } = self;
        vec![
            ("address", address.to_string()),
            ("namespace", namespace.clone()),
            ("name", name.clone()),
            ("key", key.clone()),
            ("type", r#type.clone()),
            ("format", format.as_str().to_owned()),
        ]
    }
}

impl fmt::Display for KubernetesPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            namespace,
            name,
            key,
            r#type: _,
            format: _,
        } = self;
        write!(f, "{address}/{namespace}/{name}#{key}")
    }
}
