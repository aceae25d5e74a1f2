//! Agents: machines that logged in with a registration token and check in from time to time.

use std::net::IpAddr;

use jiff::Timestamp;
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

use crate::{
    core::{Caller, Core, find_scope},
    credential::Credential,
    identity::Identity,
    ids,
    roles::{self, Permission},
    status::Status,
    store::{Account, Label, iam},
};

use super::{
    Batch, Page, PageRequest, accounts, audit,
    objects::{self, Kind, Stored},
    tokens,
};

/// An agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The service account that it works as.
    pub(crate) account: String,
    pub(crate) labels: Vec<Label>,
    pub(crate) version: Option<String>,
    pub(crate) platform: Option<String>,
    pub(crate) release: Option<String>,
    pub(crate) arch: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) ip: Option<String>,
    /// Milliseconds.
    pub(crate) last_checkin: i64,
}

impl Kind for Agent {
    const KIND: &'static str = "agent";
    const WHAT: &'static str = "agent";
}

/// An agent that has not been seen for a day is missing. The platform's own measure is not
/// public.
const MISSING_AFTER_MS: i64 = 24 * 3_600_000;

impl Agent {
    /// Whether it was seen lately.
    pub(crate) fn is_active(&self, now: Timestamp) -> bool {
        now.as_millisecond().saturating_sub(self.last_checkin) < MISSING_AFTER_MS
    }

    /// Whether all terms occur in what people search by.
    pub(crate) fn matches(&self, terms: &[String]) -> bool {
        let hostname = self.hostname.as_deref().unwrap_or_default();
        let text = format!("{} {hostname} {}", self.name, self.id).to_lowercase();
        terms.iter().all(|term| text.contains(&term.to_lowercase()))
    }
}

/// What agents may be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgentOrderBy {
    Id,
    Name,
    Platform,
    Ip,
    Version,
    Status,
    LastCheckin,
    Hostname,
}

/// Reads an agent.
pub(crate) fn read(core: &Core, caller: &Caller, mrn: &str) -> Result<Stored<Agent>, Status> {
    core.store.read(|c| {
        let found: Stored<Agent> = Stored::find(c, mrn)?;
        caller.require(c, found.scope()?, Permission::ReadScope)?;
        Ok(found)
    })
}

/// A page of a space's agents and how many there are.
pub(crate) fn list(
    core: &Core,
    caller: &Caller,
    space_mrn: &str,
    keep: impl Fn(&Agent) -> bool,
    (by, descending): (AgentOrderBy, bool),
    page: &PageRequest,
) -> Result<(Page<Stored<Agent>>, usize), Status> {
    core.store.read(|c| {
        caller.require(c, space_mrn, Permission::ReadScope)?;
        let mut all = Stored::<Agent>::of_scope(c, space_mrn)?;
        all.retain(|agent| keep(&agent.value));
        let total = all.len();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let key = |agent: &Stored<Agent>| {
            let value = &agent.value;
            match by {
                AgentOrderBy::Id => value.id.clone(),
                AgentOrderBy::Name => value.name.clone(),
                AgentOrderBy::Platform => text(&value.platform),
                AgentOrderBy::Ip => text(&value.ip),
                AgentOrderBy::Version => text(&value.version),
                AgentOrderBy::Status => value.is_active(caller.now).to_string(),
                AgentOrderBy::LastCheckin => format!("{:020}", value.last_checkin),
                AgentOrderBy::Hostname => text(&value.hostname),
            }
        };
        let page = objects::page(all, key, descending, page, core.quirks.page_cap)?;
        Ok((page, total))
    })
}

/// Deletes agents of one space. One that is not there fails alone.
pub(crate) fn delete(
    core: &Core,
    caller: &Caller,
    space_mrn: &str,
    mrns: &[String],
) -> Result<Batch, Status> {
    core.store.write(|t| {
        let (scope, _) = caller.require(t, space_mrn, Permission::ManageAccounts)?;
        let mut batch = Batch::default();
        for mrn in mrns {
            let result = match Stored::<Agent>::look_up(t, mrn)? {
                Some(agent) if agent.scope_mrn.as_deref() == Some(space_mrn) => {
                    let action = "mondoo.agents.AgentManager.DeleteAgents";
                    audit::record(t, caller, &scope, action, mrn, "deleted agent")?;
                    agent.remove(t)
                }
                _ => Err(Status::not_found("agent", mrn)),
            };
            batch.record(mrn, result)?;
        }
        batch.finish()
    })
}

/// An agent that logs in.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewAgent {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) platform: Option<String>,
    pub(crate) release: Option<String>,
    pub(crate) arch: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) ip: Option<String>,
}

fn put(
    t: &Transaction<'_>,
    caller: &Caller,
    scope_mrn: &str,
    account: &str,
    labels: Vec<Label>,
    new: NewAgent,
) -> Result<Stored<Agent>, Status> {
    let id = ids::new_ksuid(caller.now)?;
    let mrn = ids::below_agents(scope_mrn, "agents", &id);
    let NewAgent {
        name,
        version,
        platform,
        release,
        arch,
        hostname,
        ip,
    } = new;
    let stored = Stored {
        key: account.to_owned(),
        ..Stored::new(
            caller,
            scope_mrn,
            mrn,
            Agent {
                id,
                name,
                account: account.to_owned(),
                labels,
                version,
                platform,
                release,
                arch,
                hostname,
                ip,
                last_checkin: caller.now.as_millisecond(),
            },
        )
    };
    stored.put(t)?;
    Ok(stored)
}

/// Registers an agent by a registration token: it gets an account with the token's roles, or as an
/// agent. `None` if the token is not one that holds.
pub(crate) fn register(
    core: &Core,
    token: &str,
    new: NewAgent,
    now: Timestamp,
    ip: Option<IpAddr>,
) -> Result<Option<(String, Credential)>, Status> {
    let Some(token) = tokens::valid_registration(core, token, now)? else {
        return Ok(None);
    };
    // Whoever made the token acts through it.
    let caller = Caller {
        identity: Identity::new(token.mrn.clone()),
        now,
        ip,
        stale_ms: 0,
        veil: core.veil(),
    };
    core.store.write(|t| {
        let scope = find_scope(t, token.scope()?)?;
        let id = ids::new_ksuid(now)?;
        let account = Account {
            mrn: ids::account_mrn(&scope.mrn, &id),
            id,
            name: new.name.clone(),
            description: token.value.description.clone(),
            labels: token.value.labels.clone(),
            creator: Some(token.value.created_by.clone()),
            ..accounts::blank(&scope, now)
        };
        let (account, credential) = accounts::issue(core, t, account, now)?;
        let roles = match token.value.roles.as_slice() {
            [] => vec![roles::expand("agent")],
            roles => roles.to_vec(),
        };
        iam::set_roles(t, &scope.mrn, &account.mrn, &roles, core.write_moment(now))?;
        let labels = token.value.labels.clone();
        let agent = put(t, &caller, &scope.mrn, &account.mrn, labels, new)?;
        let action = "mondoo.agents.AgentManager.RegisterAgent";
        audit::record(t, &caller, &scope, action, &agent.mrn, "registered agent")?;
        Ok(Some((agent.mrn, credential)))
    })
}

/// Registers an agent that works as the caller's account, which must be one.
pub(crate) fn register_account(
    core: &Core,
    caller: &Caller,
    new: NewAgent,
) -> Result<String, Status> {
    core.store.write(|t| {
        let account = Account::find(t, &caller.identity.mrn, None)?.ok_or_else(Status::denied)?;
        let scope = find_scope(t, &account.scope_mrn)?;
        let agent = put(t, caller, &scope.mrn, &account.mrn, Vec::new(), new)?;
        let action = "mondoo.agents.AgentManager.RegisterAgent";
        audit::record(t, caller, &scope, action, &agent.mrn, "registered agent")?;
        Ok(agent.mrn)
    })
}

/// Notes that the agents of the caller's account are alive.
pub(crate) fn check_in(core: &Core, caller: &Caller) -> Result<(), Status> {
    core.store.write(|t| {
        for mut agent in Stored::<Agent>::by_key(t, &caller.identity.mrn)? {
            agent.value.last_checkin = caller.now.as_millisecond();
            agent.put(t)?;
        }
        Ok(())
    })
}

/// Removes an agent: its own account may, and whoever may delete agents.
pub(crate) fn unregister(core: &Core, caller: &Caller, mrn: &str) -> Result<(), Status> {
    core.store.write(|t| {
        let agent: Stored<Agent> = Stored::find(t, mrn)?;
        let scope = find_scope(t, agent.scope()?)?;
        if agent.value.account != caller.identity.mrn {
            caller.require(t, &scope.mrn, Permission::ManageAccounts)?;
        }
        let action = "mondoo.agents.AgentManager.UnRegisterAgent";
        audit::record(t, caller, &scope, action, mrn, "unregistered agent")?;
        agent.remove(t)
    })
}
