//! A parameter of AWS Systems Manager.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind};
use crate::model::identity::Identity;
use crate::model::origin::Origin;
use crate::model::sink_kind::SinkKind;

/// One parameter (a SecureString) of one region of one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSsmPlace {
    /// Where the service is reached: the region's own address, if no other is named.
    pub endpoint: Origin,
    /// The region: `eu-central-1`.
    pub region: String,
    /// The account of the cloud: twelve digits.
    pub account_id: String,
    /// The name of the parameter: `/mondoo/ci`.
    pub name: String,
    /// How the credential is written.
    pub format: CredentialFormat,
}

impl PlaceKind for AwsSsmPlace {
    fn kind(&self) -> SinkKind {
        SinkKind::AwsSsm
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            kind: SinkKind::AwsSsm,
            host: &self.region,
            namespace: &self.account_id,
            path: self.name.as_str().into(),
            key: "",
            format: self.format.as_str(),
        }
    }

    fn occupies(&self) -> String {
        let Self {
            endpoint: _,
            region,
            account_id,
            name,
            format: _,
        } = self;
        // The ARN of `ci` is that of `/ci`.
        let name = name.strip_prefix('/').unwrap_or(name);
        [SinkKind::AwsSsm.as_str(), region, account_id, name].join("\n")
    }

    fn format(&self) -> CredentialFormat {
        self.format
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            read_back: true,
            // The newest value is read at once.
            stage: false,
            // A write can only be bound to there being nothing.
            compare_and_swap: false,
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

impl fmt::Display for AwsSsmPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint: _,
            region,
            account_id,
            name,
            format: _,
        } = self;
        let name = name.strip_prefix('/').unwrap_or(name);
        write!(f, "{account_id}/{region}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_one_part_is_the_same_place_with_and_without_its_slash() {
        let of = |name: &str| {
            let place = AwsSsmPlace {
                endpoint: Origin::new("https://ssm.eu-central-1.amazonaws.com")
                    .expect("an address"),
                region: "eu-central-1".to_owned(),
                account_id: "123456789012".to_owned(),
                name: name.to_owned(),
                format: CredentialFormat::Json,
            };
            place.occupies()
        };
        assert_eq!(of("ci"), of("/ci"));
        assert_ne!(of("/a/ci"), of("/b/ci"));
    }
}
