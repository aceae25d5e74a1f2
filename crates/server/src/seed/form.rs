//! What a seed says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Error;

use super::times;

/// What a platform starts with. Reads from JSON. The same seed gives the same MRNs wherever the
/// creation times are given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// Users that must be there with these MRNs; others are made where they are named.
    #[serde(default)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<SeedUser>,
    /// The organizations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<SeedOrganization>,
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedUser {
    /// The MRN.
    pub mrn: String,
    /// The email.
    pub email: String,
    /// The name.
    pub name: String,
}

/// Roles of an identity that is neither a member nor an account of the scope: an account of
/// another scope, or the email of somebody invited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedGrant {
    /// An MRN, or an email.
    pub identity: String,
    /// Roles on the scope, by MRN or short name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// An organization of a seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedOrganization {
    /// The id, the last segment of the MRN.
    pub id: String,
    /// The name.
    pub name: String,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The spaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spaces: Vec<SeedSpace>,
    /// The organization's own service accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<SeedAccount>,
    /// The users with roles on the organization.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<SeedMember>,
    /// The organization's API tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<SeedToken>,
    /// The company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// The organization's teams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<SeedTeam>,
    /// Other identities with roles on the organization.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<SeedGrant>,
    /// The annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Option<String>>,
    /// The settings, as the API takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<serde_json::Value>,
    /// When it was created; the time of seeding if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A space of a seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedSpace {
    /// The id, the last segment of the MRN.
    pub id: String,
    /// The name.
    pub name: String,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The space's service accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<SeedAccount>,
    /// The users with roles on the space.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<SeedMember>,
    /// The space's API tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<SeedToken>,
    /// The space's teams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<SeedTeam>,
    /// Other identities with roles on the space.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<SeedGrant>,
    /// The annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Option<String>>,
    /// The settings, as the API takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<serde_json::Value>,
    /// When it was created; the time of seeding if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A team with roles on the scope it lives in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedTeam {
    /// The id, the last segment of the MRN.
    pub id: String,
    /// The name.
    pub name: String,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the team is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Roles on the scope, by MRN or short name; its members have them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The members: emails, or MRNs of users and accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Ids of groups of an identity provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// When it was created; the time of seeding if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A service account of a seed. It has no key: nobody could hold it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedAccount {
    /// The id, a KSUID; made from the rest if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name.
    pub name: String,
    /// The description.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The notes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Roles on the account's scope, by MRN or short name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The email of a member, or any MRN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// When it was created; the time of seeding if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it last authenticated; never if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// When it expires; never if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

/// A user with roles on a scope.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedMember {
    /// The email.
    pub email: String,
    /// The name.
    pub name: String,
    /// Roles on the scope, by MRN or short name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// An API token with roles on a scope.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedToken {
    /// The name.
    pub name: String,
    /// The token's text; only its hash is stored.
    pub token: String,
    /// Roles on the scope, by MRN or short name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

impl Seed {
    /// Reads a seed.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(json).map_err(|error| Error::InvalidSeed(error.to_string()))
    }

    /// Reads a seed whose times may be ages: `-40d` is forty days before the time given, `+12h`
    /// twelve hours after it. Units are s, m, h, d and w.
    pub fn from_json_at(json: &[u8], now: Timestamp) -> Result<Self, Error> {
        let invalid = |error: serde_json::Error| Error::InvalidSeed(error.to_string());
        let mut value: serde_json::Value = serde_json::from_slice(json).map_err(invalid)?;
        if times::resolve(&mut value, now)? {
            serde_json::from_value(value).map_err(invalid)
        } else {
            // From the text, so that a mistake is named with its line.
            Self::from_json(json)
        }
    }
}
