//! Agents: machines that logged in with a registration token.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

use crate::{
    ids,
    service::{
        PageRequest,
        agents::{self, AgentOrderBy},
        objects::Stored,
    },
};

use super::{
    context::{caller_of, core_of},
    inputs::OrderDirection,
    leaves::{KeyValue, Map, connection, key_values},
};

#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
enum AgentState {
    Active,
    Missing,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "AgentOrderBy")]
enum AgentOrderField {
    Id,
    Name,
    Platform,
    Ip,
    Version,
    Status,
    LastCheckin,
    Hostname,
}

#[derive(InputObject)]
struct AgentOrder {
    direction: OrderDirection,
    field: AgentOrderField,
}

#[derive(InputObject)]
struct AgentVersionFilter {
    version: String,
    not: bool,
}

#[derive(InputObject)]
struct DeleteAgentsInput {
    space_mrn: String,
    agent_mrns: Vec<String>,
}

#[derive(SimpleObject)]
struct DeleteAgentsPayload {
    agent_mrns: Option<Vec<String>>,
    errors: Option<Map>,
}

#[derive(SimpleObject)]
pub(crate) struct Agent {
    id: String,
    mrn: String,
    name: Option<String>,
    status: Option<AgentStatus>,
    labels: Option<Vec<KeyValue>>,
    platform: Option<AgentPlatform>,
    hostname: Option<String>,
    ipaddress: Option<String>,
    created_at: Option<String>,
}

#[derive(SimpleObject)]
struct AgentStatus {
    version: Option<String>,
    state: Option<AgentState>,
    last_checkin: Option<String>,
}

#[derive(SimpleObject)]
struct AgentPlatform {
    name: Option<String>,
    release: Option<String>,
    arch: Option<String>,
}

connection!(AgentConnection, AgentEdge, Agent);

fn agent(stored: Stored<agents::Agent>, active: bool) -> Agent {
    let created_at = Some(stored.created());
    let agents::Agent {
        id,
        name,
        account: _,
        labels,
        version,
        platform,
        release,
        arch,
        hostname,
        ip,
        last_checkin,
    } = stored.value;
    Agent {
        id,
        mrn: stored.mrn,
        name: Some(name),
        status: Some(AgentStatus {
            version,
            state: Some(if active {
                AgentState::Active
            } else {
                AgentState::Missing
            }),
            last_checkin: Some(ids::rfc3339(last_checkin)),
        }),
        labels: Some(key_values(&labels)),
        platform: Some(AgentPlatform {
            name: platform,
            release,
            arch,
        }),
        hostname,
        ipaddress: ip,
        created_at,
    }
}

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "AgentsQueryPart")]
impl Query {
    async fn agent(&self, context: &Context<'_>, mrn: String) -> Result<Option<Agent>> {
        let caller = caller_of(context)?;
        let found = agents::read(core_of(context)?, caller, &mrn)?;
        let active = found.value.is_active(caller.now);
        Ok(Some(agent(found, active)))
    }

    #[expect(clippy::too_many_arguments, reason = "the schema says so")]
    async fn agents(
        &self,
        context: &Context<'_>,
        space_mrn: String,
        first: Option<i32>,
        after: Option<String>,
        query: Option<String>,
        query_terms: Option<Vec<String>>,
        version: Option<Vec<AgentVersionFilter>>,
        state: Option<Vec<AgentState>>,
        order_by: Option<AgentOrder>,
    ) -> Result<Option<AgentConnection>> {
        let caller = caller_of(context)?;
        let terms: Vec<String> = query
            .into_iter()
            .chain(query_terms.into_iter().flatten())
            .filter(|term| !term.is_empty())
            .collect();
        let keep = |agent: &agents::Agent| {
            let of_version = version
                .iter()
                .flatten()
                .all(|wanted| (agent.version.as_deref() == Some(&*wanted.version)) != wanted.not);
            let is = if agent.is_active(caller.now) {
                AgentState::Active
            } else {
                AgentState::Missing
            };
            let of_state = state
                .as_ref()
                .is_none_or(|wanted| wanted.is_empty() || wanted.contains(&is));
            of_version && of_state && agent.matches(&terms)
        };
        let (by, descending) = match order_by {
            Some(AgentOrder { direction, field }) => {
                (field.into(), direction == OrderDirection::Desc)
            }
            None => (AgentOrderBy::Id, false),
        };
        let (page, total) = agents::list(
            core_of(context)?,
            caller,
            &space_mrn,
            keep,
            (by, descending),
            &PageRequest { first, after },
        )?;
        let now = caller.now;
        let node = |stored: Stored<agents::Agent>| {
            let active = stored.value.is_active(now);
            agent(stored, active)
        };
        Ok(Some(AgentConnection::of(page, total, node)))
    }
}

#[derive(Default)]
pub(crate) struct Mutation;

#[Object(name = "AgentsMutationPart")]
impl Mutation {
    async fn delete_agents(
        &self,
        context: &Context<'_>,
        input: DeleteAgentsInput,
    ) -> Result<Option<DeleteAgentsPayload>> {
        let DeleteAgentsInput {
            space_mrn,
            agent_mrns,
        } = input;
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let batch = agents::delete(core, caller, &space_mrn, &agent_mrns)?;
        Ok(Some(DeleteAgentsPayload {
            errors: Map::of(&batch),
            agent_mrns: Some(batch.done),
        }))
    }
}
