//! Stores what a seed says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::Transaction;

use crate::{
    app::App,
    core::Core,
    error::Error,
    hash::sha256,
    ids,
    service::{accounts, scopes},
    status::Status,
    store::{self, Account, Label, Scope, Token, User},
};

use super::{
    bind::bind,
    form::{
        Seed, SeedAccount, SeedGrant, SeedMember, SeedOrganization, SeedSpace, SeedToken, SeedUser,
    },
};

const SEEDED: &str = "seeded";

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
    super::teams::put(core, t, &scope, teams, now)?;
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
        super::teams::put(core, t, &space, teams, now)?;
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
    let mrn = ids::user_mrn(&ids::derived_ksuid(&["user", email], now));
    User {
        mrn: mrn.clone(),
        email: email.to_owned(),
        name: name.to_owned(),
    }
    .insert(t)?;
    Ok(mrn)
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
        None => ids::derived_ksuid(&[&scope.mrn, &index.to_string(), name], created_at),
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
        &ids::derived_ksuid(&[&scope.mrn, "token", token], now),
    );
    Token {
        hash: sha256(token.as_bytes()),
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
