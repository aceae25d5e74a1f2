//! Seeds: organizations, spaces, members and accounts that a platform starts with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    App, Error, auth,
    core::Core,
    ids, roles,
    service::{accounts, scopes},
    status::Status,
    store::{self, Account, Label, Scope, Token, User, iam},
};

mod ages;
mod dump;
mod generate;
mod teams;

pub use teams::SeedTeam;

const SEEDED: &str = "seeded";

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
        if ages::resolve(&mut value, now)? {
            serde_json::from_value(value).map_err(invalid)
        } else {
            // From the text, so that a mistake is named with its line.
            Self::from_json(json)
        }
    }
}

impl App {
    /// Fills an empty platform. A platform takes one seed in its life.
    pub fn seed(&self, seed: &Seed, now: Timestamp) -> Result<(), Error> {
        let core = &self.core;
        core.store.write(|t| {
            if store::meta_get(t, SEEDED)?.is_some() {
                return Err(Error::AlreadySeeded);
            }
            for SeedUser { mrn, email, name } in &seed.users {
                let user = User {
                    mrn: mrn.clone(),
                    email: email.clone(),
                    name: name.clone(),
                };
                user.insert(t)?;
            }
            for organization in &seed.organizations {
                self::organization(core, t, organization, now)?;
            }
            Ok(store::meta_set(t, SEEDED, "1")?)
        })
    }
}

fn organization(
    core: &Core,
    t: &Transaction<'_>,
    seed: &SeedOrganization,
    now: Timestamp,
) -> Result<(), Error> {
    let SeedOrganization {
        id,
        name,
        description,
        spaces,
        accounts,
        members,
        tokens,
        company,
        teams,
        grants,
        annotations,
        settings,
        created_at,
    } = seed;
    let mut scope = scopes::organization(checked_id(id)?, name, created_at.unwrap_or(now));
    scope.description.clone_from(description);
    scope.company.clone_from(company);
    scope.annotations = labels(annotations);
    scope.settings = settings.as_ref().map(ToString::to_string);
    scopes::insert(t, &scope)?;
    contents(core, t, &scope, members, accounts, tokens, now)?;
    self::teams::put(core, t, &scope, teams, now)?;
    self::grants(core, t, &scope, grants, now)?;
    for SeedSpace {
        id,
        name,
        description,
        accounts,
        members,
        tokens,
        teams,
        grants,
        annotations,
        settings,
        created_at,
    } in spaces
    {
        let created_at = created_at.unwrap_or(now);
        let mut space = scopes::space(checked_id(id)?, name, &scope.mrn, created_at);
        space.description.clone_from(description);
        space.annotations = labels(annotations);
        space.settings = settings.as_ref().map(ToString::to_string);
        scopes::insert(t, &space)?;
        contents(core, t, &space, members, accounts, tokens, now)?;
        self::teams::put(core, t, &space, teams, now)?;
        self::grants(core, t, &space, grants, now)?;
    }
    Ok(())
}

fn labels(pairs: &BTreeMap<String, Option<String>>) -> Vec<Label> {
    pairs
        .iter()
        .map(|(key, value)| Label {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

fn grants(
    core: &Core,
    t: &Transaction<'_>,
    scope: &Scope,
    grants: &[SeedGrant],
    now: Timestamp,
) -> Result<(), Error> {
    for SeedGrant { identity, roles } in grants {
        let user = User::find(t, identity)?;
        let identity = user.map_or_else(|| identity.clone(), |user| user.mrn);
        bind(core, t, scope, &identity, roles, now)?;
    }
    Ok(())
}

fn checked_id(id: &str) -> Result<&str, Error> {
    if ids::is_scope_id(id) {
        Ok(id)
    } else {
        Err(Error::InvalidSeed(format!("id {id:?}")))
    }
}

fn contents(
    core: &Core,
    t: &Transaction<'_>,
    scope: &Scope,
    members: &[SeedMember],
    accounts: &[SeedAccount],
    tokens: &[SeedToken],
    now: Timestamp,
) -> Result<(), Error> {
    for SeedMember { email, name, roles } in members {
        let mrn = user(t, email, name, now)?;
        bind(core, t, scope, &mrn, roles, now)?;
    }
    for (index, seed) in accounts.iter().enumerate() {
        account(core, t, scope, seed, index, now)?;
    }
    for SeedToken { name, token, roles } in tokens {
        self::token(core, t, scope, name, token, roles, now)?;
    }
    Ok(())
}

/// Finds or makes a user; answers the MRN.
pub(crate) fn user(
    t: &Transaction<'_>,
    email: &str,
    name: &str,
    now: Timestamp,
) -> Result<String, Status> {
    if let Some(user) = User::find(t, email)? {
        return Ok(user.mrn);
    }
    let mrn = ids::user_mrn(&derived_ksuid(&["user", email], now));
    User {
        mrn: mrn.clone(),
        email: email.to_owned(),
        name: name.to_owned(),
    }
    .insert(t)?;
    Ok(mrn)
}

/// A KSUID whose payload follows from texts, so that a seed gives the same ids each time.
fn derived_ksuid(texts: &[&str], at: Timestamp) -> String {
    let hash = auth::sha256(texts.join("\0").as_bytes());
    let mut payload = [0; 16];
    payload.copy_from_slice(&hash[..16]);
    ids::ksuid(at, payload)
}

/// Stores an account without a key; answers the MRN.
pub(crate) fn account(
    core: &Core,
    t: &Transaction<'_>,
    scope: &Scope,
    seed: &SeedAccount,
    index: usize,
    now: Timestamp,
) -> Result<String, Error> {
    let SeedAccount {
        id,
        name,
        description,
        notes,
        roles,
        labels,
        creator,
        created_at,
        last_used,
        valid_until,
    } = seed;
    let created_at = created_at.unwrap_or(now);
    let id = match id {
        Some(id) if ids::is_resource_id(id) => id.clone(),
        Some(id) => return Err(Error::InvalidSeed(format!("account id {id:?}"))),
        None => derived_ksuid(&[&scope.mrn, &index.to_string(), name], created_at),
    };
    let creator = match creator {
        Some(creator) => Some(User::find(t, creator)?.map_or(creator.clone(), |user| user.mrn)),
        None => None,
    };
    let account = Account {
        mrn: ids::account_mrn(&scope.mrn, &id),
        id,
        name: name.clone(),
        description: description.clone(),
        notes: notes.clone(),
        labels: labels
            .iter()
            .map(|(key, value)| Label {
                key: key.clone(),
                value: Some(value.clone()),
            })
            .collect(),
        last_used: last_used.map_or(0, Timestamp::as_millisecond),
        creator,
        valid_until: valid_until.map(Timestamp::as_millisecond),
        ..accounts::blank(scope, created_at)
    };
    if Account::find(t, &account.mrn, None)?.is_some() {
        return Err(Error::InvalidSeed(format!(
            "{} is there twice",
            account.mrn
        )));
    }
    account.put(t, core.write_moment(now))?;
    bind(core, t, scope, &account.mrn, roles, now)?;
    Ok(account.mrn)
}

/// Stores an API token; answers the MRN.
pub(crate) fn token(
    core: &Core,
    t: &Transaction<'_>,
    scope: &Scope,
    name: &str,
    token: &str,
    roles: &[String],
    now: Timestamp,
) -> Result<String, Error> {
    if token.is_empty() {
        return Err(Error::InvalidSeed(format!("token {name:?} is empty")));
    }
    let mrn = ids::token_mrn(
        &scope.mrn,
        &derived_ksuid(&[&scope.mrn, "token", token], now),
    );
    Token {
        hash: auth::sha256(token.as_bytes()),
        mrn: mrn.clone(),
        scope_mrn: scope.mrn.clone(),
        name: name.to_owned(),
        created_at: now.as_millisecond(),
        last_used: 0,
    }
    .insert(t)?;
    bind(core, t, scope, &mrn, roles, now)?;
    Ok(mrn)
}

/// Binds roles given by MRN or short name, all of which must exist.
pub(crate) fn bind(
    core: &Core,
    t: &Transaction<'_>,
    scope: &Scope,
    identity: &str,
    names: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    let mut mrns = Vec::with_capacity(names.len());
    for name in names {
        let mrn = roles::expand(name);
        if roles::find(&mrn).is_none() {
            return Err(Error::InvalidSeed(format!("unknown role {name:?}")));
        }
        mrns.push(mrn);
    }
    Ok(iam::set_roles(
        t,
        &scope.mrn,
        identity,
        &mrns,
        core.write_moment(now),
    )?)
}
