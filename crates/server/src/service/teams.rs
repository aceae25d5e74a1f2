//! Teams: their members have what the team has.

use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

use crate::{
    core::{Caller, Core, TEAM_MEMBER, find_scope},
    ids,
    roles::Permission,
    status::Status,
    store::{User, iam},
};

use super::{
    audit, grants,
    objects::{Kind, Stored},
};

/// A team.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Team {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) email: Option<String>,
    /// Milliseconds.
    pub(crate) updated_at: i64,
}

impl Kind for Team {
    const KIND: &'static str = "team";
    const WHAT: &'static str = "team";
}

/// Somebody in a team.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    /// The MRN; none for an email that nobody has claimed.
    pub(crate) mrn: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

impl Kind for Member {
    const KIND: &'static str = TEAM_MEMBER;
    const WHAT: &'static str = "team member";
}

/// A group of an identity provider whose people are in a team.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub(crate) external_id: String,
}

impl Kind for Mapping {
    const KIND: &'static str = "team_mapping";
    const WHAT: &'static str = "external group mapping";
}

/// A team to be made.
pub(crate) struct NewTeam {
    pub(crate) scope_mrn: String,
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) roles: Vec<String>,
}

const METHOD: &str = "mondoo.captain.Captain.";

/// To put somebody into a team is to give them its roles, so each of its bindings must be one that
/// the caller may give, on its own scope.
fn check_roles(t: &Transaction<'_>, caller: &Caller, team_mrn: &str) -> Result<(), Status> {
    for (scope_mrn, roles) in iam::bindings_of(t, team_mrn)? {
        let authority = caller.authority(t, &find_scope(t, &scope_mrn)?)?;
        grants::check(authority, roles)?;
    }
    Ok(())
}

/// Creates a team, with its roles if it is to have any.
pub(crate) fn create(core: &Core, caller: &Caller, new: NewTeam) -> Result<Stored<Team>, Status> {
    core.store.write(|t| {
        let (scope, authority) = caller.require(t, &new.scope_mrn, Permission::SetRoles)?;
        let roles = grants::check(authority, new.roles)?;
        let id = match new.id.filter(|id| !id.is_empty()) {
            Some(id) if ids::is_scope_id(&id) => id,
            Some(id) => return Err(Status::invalid(format!("invalid id {id:?}"))),
            None => ids::new_ksuid(caller.now)?,
        };
        let mrn = format!("{}/teams/{id}", scope.mrn);
        if Stored::<Team>::look_up(t, &mrn)?.is_some() {
            return Err(Status::exists(format!("{mrn} already exists")));
        }
        // Roles may be bound to the MRN of a team that is not there yet.
        check_roles(t, caller, &mrn)?;
        let team = Team {
            id,
            name: new.name,
            description: new.description,
            email: new.email,
            updated_at: caller.now.as_millisecond(),
        };
        let stored = Stored::new(caller, &scope.mrn, mrn, team);
        stored.put(t)?;
        let moment = core.write_moment(caller.now);
        iam::set_roles(t, &scope.mrn, &stored.mrn, &roles, moment)?;
        let action = format!("{METHOD}CreateTeam");
        audit::record(t, caller, &scope, &action, &stored.mrn, "created team")?;
        Ok(stored)
    })
}

/// Reads a team.
pub(crate) fn read(core: &Core, caller: &Caller, mrn: &str) -> Result<Stored<Team>, Status> {
    core.store.read(|c| {
        let team: Stored<Team> = Stored::find(c, mrn)?;
        caller.require(c, team.scope()?, Permission::ReadScope)?;
        Ok(team)
    })
}

/// Changes a team; an email that is not given stays.
pub(crate) fn update(
    core: &Core,
    caller: &Caller,
    mrn: &str,
    name: String,
    description: String,
    email: Option<String>,
) -> Result<Stored<Team>, Status> {
    core.store.write(|t| {
        let mut team: Stored<Team> = Stored::find(t, mrn)?;
        let (scope, _) = caller.require(t, team.scope()?, Permission::SetRoles)?;
        team.value.name = name;
        team.value.description = Some(description);
        team.value.email = email.or(team.value.email);
        team.value.updated_at = caller.now.as_millisecond();
        team.put(t)?;
        let action = format!("{METHOD}UpdateTeam");
        audit::record(t, caller, &scope, &action, mrn, "updated team")?;
        Ok(team)
    })
}

/// Deletes a team with its members, mappings and roles.
pub(crate) fn delete(core: &Core, caller: &Caller, mrn: &str) -> Result<(), Status> {
    core.store.write(|t| {
        let team: Stored<Team> = Stored::find(t, mrn)?;
        let (scope, _) = caller.require(t, team.scope()?, Permission::SetRoles)?;
        team.remove(t)?;
        iam::remove_identity(t, mrn, core.write_moment(caller.now))?;
        let action = format!("{METHOD}DeleteTeam");
        audit::record(t, caller, &scope, &action, mrn, "deleted team")
    })
}

/// Who is meant: an MRN, or an email; the first that is given.
fn subject(given: [Option<String>; 3]) -> Result<String, Status> {
    given
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty())
        .ok_or_else(|| Status::invalid("identity is required"))
}

fn member_mrn(team: &str, key: &str) -> String {
    format!("{team}/members/{key}")
}

/// Adds somebody; whether they are only known by an email so far.
pub(crate) fn add_member(
    core: &Core,
    caller: &Caller,
    team_mrn: &str,
    given: [Option<String>; 3],
) -> Result<Stored<Member>, Status> {
    core.store.write(|t| {
        let team: Stored<Team> = Stored::find(t, team_mrn)?;
        let (scope, _) = caller.require(t, team.scope()?, Permission::SetRoles)?;
        check_roles(t, caller, team_mrn)?;
        let who = grants::subject(t, &subject(given)?)?;
        let name = match &who.mrn {
            Some(mrn) => Some(audit::name_of(t, mrn)?).filter(|name| !name.is_empty()),
            None => None,
        };
        let stored = Stored {
            parent: Some(team_mrn.to_owned()),
            key: who.key.clone(),
            ..Stored::new(
                caller,
                &scope.mrn,
                member_mrn(team_mrn, &who.key),
                Member {
                    mrn: who.mrn,
                    email: who.email,
                    name,
                },
            )
        };
        stored.put(t)?;
        let action = format!("{METHOD}AddTeamMember");
        audit::record(t, caller, &scope, &action, team_mrn, "added team member")?;
        Ok(stored)
    })
}

/// Finds a member; `None` if that one is not in the team.
pub(crate) fn member(
    core: &Core,
    caller: &Caller,
    team_mrn: &str,
    identity: &str,
) -> Result<Option<Member>, Status> {
    core.store.read(|c| {
        let team: Stored<Team> = Stored::find(c, team_mrn)?;
        caller.require(c, team.scope()?, Permission::ReadScope)?;
        let who = grants::subject(c, identity)?;
        let found = Stored::<Member>::look_up(c, &member_mrn(team_mrn, &who.key))?;
        let Some(mut found) = found.map(|stored| stored.value) else {
            return Ok(None);
        };
        // An email may have been claimed since.
        if let Some(user) = found
            .email
            .as_deref()
            .map(|e| User::find(c, e))
            .transpose()?
        {
            found.mrn = user.as_ref().map(|u| u.mrn.clone()).or(found.mrn);
            found.name = user.map(|u| u.name).or(found.name);
        }
        Ok(Some(found))
    })
}

/// Removes a member; answers who that was.
pub(crate) fn remove_member(
    core: &Core,
    caller: &Caller,
    team_mrn: &str,
    given: [Option<String>; 3],
) -> Result<Option<String>, Status> {
    core.store.write(|t| {
        let team: Stored<Team> = Stored::find(t, team_mrn)?;
        let (scope, _) = caller.require(t, team.scope()?, Permission::SetRoles)?;
        let who = grants::subject(t, &subject(given)?)?;
        let member: Stored<Member> = Stored::find(t, &member_mrn(team_mrn, &who.key))?;
        member.remove(t)?;
        let action = format!("{METHOD}RemoveTeamMember");
        audit::record(t, caller, &scope, &action, team_mrn, "removed team member")?;
        Ok(member.value.mrn)
    })
}

/// Maps a group of an identity provider to a team.
pub(crate) fn add_mapping(
    core: &Core,
    caller: &Caller,
    team_mrn: &str,
    external_id: String,
) -> Result<(Stored<Mapping>, Stored<Team>), Status> {
    core.store.write(|t| {
        let team: Stored<Team> = Stored::find(t, team_mrn)?;
        let (scope, _) = caller.require(t, team.scope()?, Permission::SetRoles)?;
        check_roles(t, caller, team_mrn)?;
        if external_id.is_empty() {
            return Err(Status::invalid("externalId is required"));
        }
        let id = ids::new_ksuid(caller.now)?;
        let stored = Stored {
            parent: Some(team_mrn.to_owned()),
            ..Stored::new(
                caller,
                &scope.mrn,
                format!("{team_mrn}/externalgroupmappings/{id}"),
                Mapping { external_id },
            )
        };
        stored.put(t)?;
        let action = format!("{METHOD}AddTeamExternalGroupMapping");
        audit::record(
            t,
            caller,
            &scope,
            &action,
            team_mrn,
            "mapped external group",
        )?;
        Ok((stored, team))
    })
}

/// Reads a mapping and its team.
pub(crate) fn mapping(
    core: &Core,
    caller: &Caller,
    mrn: &str,
) -> Result<(Stored<Mapping>, Stored<Team>), Status> {
    core.store.read(|c| {
        let mapping: Stored<Mapping> = Stored::find(c, mrn)?;
        caller.require(c, mapping.scope()?, Permission::ReadScope)?;
        let team = Stored::find(c, mapping.parent.as_deref().unwrap_or_default())?;
        Ok((mapping, team))
    })
}

/// Removes a mapping.
pub(crate) fn remove_mapping(core: &Core, caller: &Caller, mrn: &str) -> Result<(), Status> {
    core.store.write(|t| {
        let mapping: Stored<Mapping> = Stored::find(t, mrn)?;
        let scope = find_scope(t, mapping.scope()?)?;
        caller.require(t, &scope.mrn, Permission::SetRoles)?;
        mapping.remove(t)?;
        let action = format!("{METHOD}RemoveTeamExternalGroupMapping");
        audit::record(t, caller, &scope, &action, mrn, "unmapped external group")
    })
}
