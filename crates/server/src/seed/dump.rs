//! A platform as a seed: what is there, without keys and tokens.

use std::collections::BTreeMap;

use crate::{
    app::App,
    error::Error,
    status::Status,
    store::{Account, Label, Scope, Token, User, iam},
};

use super::{
    form::{
        Seed, SeedAccount, SeedGrant, SeedMember, SeedOrganization, SeedSpace, SeedTeam, SeedUser,
    },
    teams,
    times::time,
};

/// What lies in one scope.
#[derive(Default)]
struct Contents {
    accounts: Vec<SeedAccount>,
    members: Vec<SeedMember>,
    teams: Vec<SeedTeam>,
    grants: Vec<SeedGrant>,
}

impl App {
    /// Everything that is true now as a seed: a platform that takes it dumps the same. Keys and
    /// tokens stay out, so nobody can authenticate as one of its accounts.
    pub fn dump_seed(&self) -> Result<Seed, Error> {
        Ok(self.core.store.read(|c| {
            let users = User::all(c)?;
            let mut contents = contents(c, &users)?;
            let mut organizations: Vec<SeedOrganization> = Vec::new();
            let mut places = BTreeMap::new();
            // Organizations come first.
            for scope in Scope::all(c)? {
                let Contents {
                    accounts,
                    members,
                    teams,
                    grants,
                } = contents.remove(&scope.mrn).unwrap_or_default();
                let annotations = pairs(scope.annotations);
                let settings = scope
                    .settings
                    .as_deref()
                    .map(serde_json::from_str)
                    .transpose()?;
                let created_at = Some(time(scope.created_at)?);
                if scope.mrn == scope.org_mrn {
                    places.insert(scope.mrn, organizations.len());
                    organizations.push(SeedOrganization {
                        id: scope.id,
                        name: scope.name,
                        description: scope.description,
                        spaces: Vec::new(),
                        accounts,
                        members,
                        tokens: Vec::new(),
                        company: scope.company,
                        teams,
                        grants,
                        annotations,
                        settings,
                        created_at,
                    });
                } else if let Some(organization) = places
                    .get(&scope.org_mrn)
                    .and_then(|place| organizations.get_mut(*place))
                {
                    organization.spaces.push(SeedSpace {
                        id: scope.id,
                        name: scope.name,
                        description: scope.description,
                        accounts,
                        members,
                        tokens: Vec::new(),
                        teams,
                        grants,
                        annotations,
                        settings,
                        created_at,
                    });
                }
            }
            let users = users
                .into_iter()
                .map(|User { mrn, email, name }| SeedUser { mrn, email, name })
                .collect();
            Ok::<_, Status>(Seed {
                users,
                organizations,
            })
        })?)
    }
}

fn contents(
    connection: &rusqlite::Connection,
    users: &[User],
) -> Result<BTreeMap<String, Contents>, Status> {
    let users: BTreeMap<&str, &User> = users.iter().map(|user| (user.mrn.as_str(), user)).collect();
    let mut bindings: BTreeMap<(String, String), Vec<String>> = iam::bindings(connection)?
        .into_iter()
        .map(|(scope, identity, roles)| ((scope, identity), roles))
        .collect();
    let mut contents: BTreeMap<String, Contents> = BTreeMap::new();
    for account in Account::all(connection)? {
        let key = (account.scope_mrn.clone(), account.mrn.clone());
        let roles = bindings.remove(&key).unwrap_or_default();
        contents
            .entry(account.scope_mrn.clone())
            .or_default()
            .accounts
            .push(seed_account(account, roles, &users)?);
    }
    for scope in Scope::all(connection)? {
        let roles = |team: &str| {
            let key = (scope.mrn.clone(), team.to_owned());
            bindings.remove(&key).unwrap_or_default()
        };
        let found = teams::dump(connection, &scope.mrn, roles)?;
        if !found.is_empty() {
            contents.entry(scope.mrn.clone()).or_default().teams = found;
        }
    }
    for ((scope, identity), roles) in bindings {
        let place = contents.entry(scope).or_default();
        match users.get(identity.as_str()) {
            Some(user) => place.members.push(SeedMember {
                email: user.email.clone(),
                name: user.name.clone(),
                roles,
            }),
            // A token's text is not known here, and without it the token cannot be.
            None if Token::find(connection, &identity)?.is_some() => {}
            None => place.grants.push(SeedGrant { identity, roles }),
        }
    }
    Ok(contents)
}

fn seed_account(
    account: Account,
    roles: Vec<String>,
    users: &BTreeMap<&str, &User>,
) -> Result<SeedAccount, Status> {
    let Account {
        mrn: _,
        id,
        scope_mrn: _,
        org_mrn: _,
        name,
        description,
        notes,
        labels,
        created_at,
        last_used,
        creator,
        valid_until,
        certificate: _,
    } = account;
    let creator = creator.map(|mrn| match users.get(mrn.as_str()) {
        Some(user) => user.email.clone(),
        None => mrn,
    });
    Ok(SeedAccount {
        id: Some(id),
        name,
        description,
        notes,
        roles,
        labels: labels
            .into_iter()
            .map(|Label { key, value }| (key, value.unwrap_or_default()))
            .collect(),
        creator,
        created_at: Some(time(created_at)?),
        last_used: (last_used > 0).then(|| time(last_used)).transpose()?,
        valid_until: valid_until.map(time).transpose()?,
    })
}

fn pairs(labels: Vec<Label>) -> BTreeMap<String, Option<String>> {
    labels
        .into_iter()
        .map(|Label { key, value }| (key, value))
        .collect()
}
