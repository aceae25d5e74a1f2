//! A secret in Google Cloud's Secret Manager.
//! Pure.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind};
use crate::model::identity::Identity;
use crate::model::origin::Origin;
use crate::model::sink_kind::SinkKind;

/// One secret of a project, of which every write makes a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcpPlace {
    /// The API: Google's own for the location, or another way to it.
    pub address: Origin,
    /// The project's id.
    pub project: String,
    /// The location of a regional secret; empty for a global one.
    pub location: String,
    /// The secret's name.
    pub name: String,
    /// How the credential is written.
    pub format: CredentialFormat,
}

impl GcpPlace {
    /// Google's own API for secrets of a location, or for global ones. Source: "Secret Manager regional
    /// endpoints" in Google's documentation.
    ///
    /// # Errors
    /// If there can be no such location.
    pub fn own_address(location: &str) -> Result<Origin, &'static str> {
        match location {
            "" => Origin::new("https://secretmanager.googleapis.com"),
            location => Origin::new(&format!(
                "https://secretmanager.{location}.rep.googleapis.com"
            )),
        }
    }

    /// Whether the address is Google's own.
    pub fn is_at_google(&self) -> bool {
        Self::own_address(&self.location).is_ok_and(|own| own == self.address)
    }

    /// The secret as Google's API names it: `projects/P/secrets/S`.
    pub fn resource(&self) -> String {
        let Self {
            address: _,
            project,
            location,
            name,
            format: _,
        } = self;
        match location.as_str() {
            "" => format!("projects/{project}/secrets/{name}"),
            location => format!("projects/{project}/locations/{location}/secrets/{name}"),
        }
    }
}

impl PlaceKind for GcpPlace {
    fn kind(&self) -> SinkKind {
        SinkKind::GcpSecretManager
    }

    fn identity(&self) -> Identity<'_> {
        // Google's own address says the location.
        let path = match self.location.is_empty() || self.is_at_google() {
            true => Cow::Borrowed(self.name.as_str()),
            false => format!("{}/{}", self.location, self.name).into(),
        };
        Identity {
            kind: SinkKind::GcpSecretManager,
            host: self.address.as_str(),
            namespace: &self.project,
            path,
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
            // A request for a new version takes no condition.
            compare_and_swap: false,
            restore: true,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self {
            address,
            project,
            location,
            name,
            format,
        } = self;
        vec![
            ("address", address.to_string()),
            ("project", project.clone()),
            ("location", location.clone()),
            ("name", name.clone()),
            ("format", format.as_str().to_owned()),
        ]
    }
}

impl fmt::Display for GcpPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_at_google() {
            true => write!(f, "{}", self.resource()),
            false => write!(f, "{}/{}", self.address, self.resource()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: Option<&str>, location: &str) -> GcpPlace {
        let address = match address {
            Some(text) => Origin::new(text),
            None => GcpPlace::own_address(location),
        };
        GcpPlace {
            address: address.expect("an address"),
            project: "acme-prod".to_owned(),
            location: location.to_owned(),
            name: "mondoo-ci".to_owned(),
            format: CredentialFormat::Json,
        }
    }

    #[test]
    fn a_secret_of_each_location_is_a_place_of_its_own() {
        let own = "https://secretmanager.acme.example";
        let all = [
            place(None, ""),
            place(None, "europe-west3"),
            place(None, "europe-west4"),
            place(Some(own), ""),
            place(Some(own), "europe-west3"),
            place(Some(own), "europe-west4"),
        ];
        let mut ids: Vec<_> = all.iter().map(|place| place.identity().id()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all.len());
        let mut occupied: Vec<_> = all.iter().map(PlaceKind::occupies).collect();
        occupied.sort();
        occupied.dedup();
        assert_eq!(occupied.len(), all.len());
    }

    #[test]
    fn a_place_is_called_what_google_calls_it() {
        for (place, told) in [
            (place(None, ""), "projects/acme-prod/secrets/mondoo-ci"),
            (
                place(None, "europe-west3"),
                "projects/acme-prod/locations/europe-west3/secrets/mondoo-ci",
            ),
            (
                place(Some("https://sm.acme.example"), ""),
                "https://sm.acme.example/projects/acme-prod/secrets/mondoo-ci",
            ),
        ] {
            assert_eq!(place.to_string(), told);
        }
        let regional = place(None, "europe-west3");
        assert_eq!(
            regional.address.as_str(),
            "https://secretmanager.europe-west3.rep.googleapis.com"
        );
        // A global address is not that of a region, and the other way round.
        let global = "https://secretmanager.googleapis.com";
        assert!(!place(Some(global), "europe-west3").is_at_google());
        assert!(!place(Some(regional.address.as_str()), "").is_at_google());
    }
}
