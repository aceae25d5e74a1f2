//! Teams of a seed, with their members and the groups that are mapped to them.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use crate::{
    core::Core,
    error::Error,
    ids,
    service::{
        audit, grants,
        objects::Stored,
        teams::{Mapping, Member, Team},
    },
    status::Status,
    store::Scope,
};

use super::{bind::bind, form::SeedTeam, times};

/// Stores the teams of a scope; its members and accounts are there already.
pub(super) fn put(
    core: &Core,
    t: &Transaction<'_>,
    scope: &Scope,
    teams: &[SeedTeam],
    now: Timestamp,
) -> Result<(), Error> {
    for SeedTeam {
        id,
        name,
        description,
        email,
        roles,
        members,
        groups,
        created_at,
    } in teams
    {
        if !ids::is_resource_id(id) {
            return Err(Error::InvalidSeed(format!("team id {id:?}")));
        }
        let mrn = format!("{}/teams/{id}", scope.mrn);
        if Stored::<Team>::look_up(t, &mrn)?.is_some() {
            return Err(Error::InvalidSeed(format!("{mrn} is there twice")));
        }
        let at = created_at.unwrap_or(now).as_millisecond();
        Stored {
            mrn: mrn.clone(),
            scope_mrn: Some(scope.mrn.clone()),
            parent: None,
            key: String::new(),
            created_at: at,
            value: Team {
                id: id.clone(),
                name: name.clone(),
                description: description.clone(),
                email: email.clone(),
                updated_at: at,
            },
        }
        .put(t)?;
        for member in members {
            let who = grants::subject(t, member)?;
            let name = match &who.mrn {
                Some(mrn) => Some(audit::name_of(t, mrn)?).filter(|name| !name.is_empty()),
                None => None,
            };
            Stored {
                mrn: format!("{mrn}/members/{}", who.key),
                scope_mrn: Some(scope.mrn.clone()),
                parent: Some(mrn.clone()),
                key: who.key,
                created_at: at,
                value: Member {
                    mrn: who.mrn,
                    email: who.email,
                    name,
                },
            }
            .put(t)?;
        }
        for group in groups {
            let id = ids::derived_ksuid(&[&mrn, "group", group], created_at.unwrap_or(now));
            Stored {
                mrn: format!("{mrn}/externalgroupmappings/{id}"),
                scope_mrn: Some(scope.mrn.clone()),
                parent: Some(mrn.clone()),
                key: String::new(),
                created_at: at,
                value: Mapping {
                    external_id: group.clone(),
                },
            }
            .put(t)?;
        }
        bind(core, t, scope, &mrn, roles, now)?;
    }
    Ok(())
}

/// The teams of a scope as a seed has them. `roles` gives and takes away the roles of an identity.
pub(super) fn dump(
    connection: &Connection,
    scope_mrn: &str,
    mut roles: impl FnMut(&str) -> Vec<String>,
) -> Result<Vec<SeedTeam>, Status> {
    let members = Stored::<Member>::of_scope(connection, scope_mrn)?;
    let groups = Stored::<Mapping>::of_scope(connection, scope_mrn)?;
    let mut teams = Vec::new();
    for team in Stored::<Team>::of_scope(connection, scope_mrn)? {
        let below = |parent: &Option<String>| parent.as_ref() == Some(&team.mrn);
        let mut ids: Vec<String> = groups
            .iter()
            .filter(|group| below(&group.parent))
            .map(|group| group.value.external_id.clone())
            .collect();
        ids.sort();
        teams.push(SeedTeam {
            members: members
                .iter()
                .filter(|member| below(&member.parent))
                .map(|member| {
                    member
                        .value
                        .email
                        .clone()
                        .unwrap_or_else(|| member.key.clone())
                })
                .collect(),
            groups: ids,
            roles: roles(&team.mrn),
            created_at: Some(times::time(team.created_at)?),
            id: team.value.id,
            name: team.value.name,
            description: team.value.description,
            email: team.value.email,
        });
    }
    Ok(teams)
}
