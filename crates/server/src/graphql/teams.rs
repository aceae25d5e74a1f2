//! Teams, their members, and the groups that are mapped to them.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use crate::{
    ids,
    service::{
        objects::Stored,
        teams::{self, NewTeam},
    },
};

use super::context::{caller_of, core_of};

#[derive(InputObject)]
struct CreateTeamInput {
    name: String,
    scope_mrn: String,
    id: Option<String>,
    description: Option<String>,
    email: Option<String>,
    roles: Option<Vec<String>>,
}

#[derive(InputObject)]
struct UpdateTeamInput {
    mrn: String,
    name: String,
    description: String,
    email: Option<String>,
}

#[derive(InputObject)]
struct AddTeamMemberInput {
    team_mrn: String,
    identity: Option<String>,
    member_mrn: Option<String>,
    email: Option<String>,
}

#[derive(InputObject)]
struct RemoveTeamMemberInput {
    team_mrn: String,
    identity: Option<String>,
    member_mrn: Option<String>,
    email: Option<String>,
}

#[derive(InputObject)]
struct AddTeamExternalGroupMappingInput {
    team_mrn: String,
    external_id: String,
}

#[derive(SimpleObject)]
struct Team {
    id: String,
    mrn: String,
    name: String,
    description: Option<String>,
    email: Option<String>,
    scope_mrn: String,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl Team {
    fn of(stored: Stored<teams::Team>) -> Self {
        let created_at = Some(stored.created());
        let teams::Team {
            id,
            name,
            description,
            email,
            updated_at,
        } = stored.value;
        Self {
            id,
            mrn: stored.mrn,
            name,
            description,
            email,
            scope_mrn: stored.scope_mrn.unwrap_or_default(),
            created_at,
            updated_at: Some(ids::rfc3339(updated_at)),
        }
    }
}

#[derive(SimpleObject)]
struct TeamMember {
    mrn: Option<String>,
    email: Option<String>,
    name: Option<String>,
}

#[derive(SimpleObject)]
struct AddTeamMemberPayload {
    created_pending: Option<bool>,
    member_mrn: Option<String>,
}

#[derive(SimpleObject)]
struct RemoveTeamMemberPayload {
    member_mrn: Option<String>,
}

#[derive(SimpleObject)]
struct TeamExternalGroupMapping {
    mrn: String,
    team: Team,
    external_id: String,
    created_at: Option<String>,
}

impl TeamExternalGroupMapping {
    fn of((mapping, team): (Stored<teams::Mapping>, Stored<teams::Team>)) -> Self {
        Self {
            created_at: Some(mapping.created()),
            mrn: mapping.mrn,
            external_id: mapping.value.external_id,
            team: Team::of(team),
        }
    }
}

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "TeamsQueryPart")]
impl Query {
    async fn team(&self, context: &Context<'_>, mrn: String) -> Result<Option<Team>> {
        let team = teams::read(core_of(context)?, caller_of(context)?, &mrn)?;
        Ok(Some(Team::of(team)))
    }

    async fn team_member(
        &self,
        context: &Context<'_>,
        team_mrn: String,
        identity: String,
    ) -> Result<Option<TeamMember>> {
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let found = teams::member(core, caller, &team_mrn, &identity)?;
        Ok(found.map(|teams::Member { mrn, email, name }| TeamMember { mrn, email, name }))
    }

    async fn team_external_group_mapping(
        &self,
        context: &Context<'_>,
        mrn: String,
    ) -> Result<Option<TeamExternalGroupMapping>> {
        let found = teams::mapping(core_of(context)?, caller_of(context)?, &mrn)?;
        Ok(Some(TeamExternalGroupMapping::of(found)))
    }
}

#[derive(Default)]
pub(crate) struct Mutation;

#[Object(name = "TeamsMutationPart")]
impl Mutation {
    async fn create_team(
        &self,
        context: &Context<'_>,
        input: CreateTeamInput,
    ) -> Result<Option<Team>> {
        let CreateTeamInput {
            name,
            scope_mrn,
            id,
            description,
            email,
            roles,
        } = input;
        let new = NewTeam {
            scope_mrn,
            id,
            name,
            description,
            email,
            roles: roles.unwrap_or_default(),
        };
        let made = teams::create(core_of(context)?, caller_of(context)?, new)?;
        Ok(Some(Team::of(made)))
    }

    async fn update_team(
        &self,
        context: &Context<'_>,
        input: UpdateTeamInput,
    ) -> Result<Option<Team>> {
        let UpdateTeamInput {
            mrn,
            name,
            description,
            email,
        } = input;
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let team = teams::update(core, caller, &mrn, name, description, email)?;
        Ok(Some(Team::of(team)))
    }

    async fn delete_team(&self, context: &Context<'_>, mrn: String) -> Result<Option<bool>> {
        teams::delete(core_of(context)?, caller_of(context)?, &mrn)?;
        Ok(Some(true))
    }

    async fn add_team_member(
        &self,
        context: &Context<'_>,
        input: AddTeamMemberInput,
    ) -> Result<Option<AddTeamMemberPayload>> {
        let AddTeamMemberInput {
            team_mrn,
            identity,
            member_mrn,
            email,
        } = input;
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let who = [identity, member_mrn, email];
        let added = teams::add_member(core, caller, &team_mrn, who)?.value;
        Ok(Some(AddTeamMemberPayload {
            created_pending: Some(added.mrn.is_none()),
            member_mrn: added.mrn,
        }))
    }

    async fn remove_team_member(
        &self,
        context: &Context<'_>,
        input: RemoveTeamMemberInput,
    ) -> Result<Option<RemoveTeamMemberPayload>> {
        let RemoveTeamMemberInput {
            team_mrn,
            identity,
            member_mrn,
            email,
        } = input;
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let who = [identity, member_mrn, email];
        let member_mrn = teams::remove_member(core, caller, &team_mrn, who)?;
        Ok(Some(RemoveTeamMemberPayload { member_mrn }))
    }

    async fn add_team_external_group_mapping(
        &self,
        context: &Context<'_>,
        input: AddTeamExternalGroupMappingInput,
    ) -> Result<Option<TeamExternalGroupMapping>> {
        let AddTeamExternalGroupMappingInput {
            team_mrn,
            external_id,
        } = input;
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let made = teams::add_mapping(core, caller, &team_mrn, external_id)?;
        Ok(Some(TeamExternalGroupMapping::of(made)))
    }

    async fn remove_team_external_group_mapping(
        &self,
        context: &Context<'_>,
        mrn: String,
    ) -> Result<Option<bool>> {
        teams::remove_mapping(core_of(context)?, caller_of(context)?, &mrn)?;
        Ok(Some(true))
    }
}
