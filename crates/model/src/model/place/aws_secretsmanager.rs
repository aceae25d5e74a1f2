//! A secret in AWS Secrets Manager.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind};
use crate::model::identity::Identity;
use crate::model::origin::Origin;
use crate::model::sink_kind::SinkKind;

/// One secret of one region of one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSecretPlace {
    /// Where the service is reached: the region's own address, if no other is named.
    pub endpoint: Origin,
    /// The region: `eu-central-1`.
    pub region: String,
    /// The account of the cloud: twelve digits.
    pub account_id: String,
    /// The secret's name.
    pub name: String,
    /// How the credential is written.
    pub format: CredentialFormat,
}

impl PlaceKind for AwsSecretPlace {
    fn kind(&self) -> SinkKind {
        SinkKind::AwsSecretsmanager
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            kind: SinkKind::AwsSecretsmanager,
            host: &self.region,
            namespace: &self.account_id,
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
            // Under the label AWSPENDING.
            stage: true,
            // A label moves only from the version that is named.
            compare_and_swap: true,
            restore: true,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self {
            endpoint,
            region,
            account_id,
            name,
            format,
        } = self;
        vec![
            ("endpoint", endpoint.to_string()),
            ("region", region.clone()),
            ("account_id", account_id.clone()),
            ("name", name.clone()),
            ("format", format.as_str().to_owned()),
        ]
    }
}

impl fmt::Display for AwsSecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint: _,
            region,
            account_id,
            name,
            format: _,
        } = self;
        write!(f, "{account_id}/{region}/{name}")
    }
}
