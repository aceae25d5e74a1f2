//! Output types.
//!
//! Only what the public clients prove is non-null; everything else may be null, so that a client
//! tested here survives a platform that leaves it out.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};

use crate::{
    credential::Credential,
    ids,
    service::{
        Batch, Page, PageRequest,
        accounts::{self, AccountView},
        grants::Grantee,
        scopes,
    },
    store::{self, AccountFilter},
};

use super::{
    context::{caller_of, core_of},
    inputs::MembershipOrder,
    leaves::{KeyValue, Map, PageInfo, Role, SshKey, key_values, roles_of},
    limits,
    members::{self, MembershipConnection},
    people,
    settings::SpaceSettings,
};

/// The caller as an identity.
pub(crate) struct Viewer {
    pub(crate) mrn: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

#[Object]
impl Viewer {
    async fn mrn(&self) -> &str {
        &self.mrn
    }

    async fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    async fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    async fn organizations(&self, context: &Context<'_>) -> Result<Option<Vec<Organization>>> {
        let list = limits::list(context, scopes::organizations, Vec::len)?;
        Ok(Some(list.into_iter().map(Organization).collect()))
    }

    // Whoever got as far as asking is let in.
    async fn state(&self) -> Option<UserState> {
        Some(UserState::Enabled)
    }

    async fn created_at(&self) -> Option<String> {
        None
    }

    async fn first_space(&self, context: &Context<'_>) -> Result<Option<Space>> {
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let found = scopes::first_space(core, caller)?;
        Ok(found.map(Space))
    }

    async fn ssh_keys(&self, context: &Context<'_>) -> Result<Option<Vec<SshKey>>> {
        people::ssh_keys(context).map(Some)
    }
}

/// How far a user is let in.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserState {
    Unknown,
    Waitlisted,
    Enabled,
}

pub(crate) struct Organization(pub(crate) store::Scope);

#[derive(SimpleObject)]
pub(crate) struct SubscriptionInfo {
    base_plan: Option<BasePlan>,
}

#[derive(SimpleObject)]
pub(crate) struct BasePlan {
    id: Option<String>,
    name: Option<String>,
    key: Option<String>,
}

#[Object]
impl Organization {
    async fn id(&self) -> &str {
        &self.0.id
    }

    async fn mrn(&self) -> &str {
        &self.0.mrn
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn company(&self) -> Option<&str> {
        self.0.company.as_deref()
    }

    // What a plan allows is not part of access management.
    async fn capabilities(&self) -> Option<Vec<String>> {
        None
    }

    async fn subscription_info(&self) -> Option<SubscriptionInfo> {
        None
    }

    async fn annotations(&self) -> Option<Vec<KeyValue>> {
        Some(key_values(&self.0.annotations))
    }

    async fn spaces_count(&self, context: &Context<'_>) -> Result<Option<i32>> {
        let count =
            scopes::count_spaces(core_of(context)?, caller_of(context)?, &self.0.mrn, None)?;
        Ok(Some(count))
    }

    async fn spaces_list(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        query: Option<String>,
    ) -> Result<Option<SpaceConnection>> {
        let page = PageRequest { first, after };
        let query = query.filter(|query| !query.is_empty());
        let org_mrn = &self.0.mrn;
        let read =
            |core: &_, caller: &_| scopes::spaces(core, caller, org_mrn, query.as_deref(), &page);
        let page = limits::list(context, read, |page| page.items.len())?;
        Ok(Some(SpaceConnection {
            org_mrn: self.0.mrn.clone(),
            query,
            page,
            total: None,
        }))
    }

    async fn members(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        roles_filter: Option<String>,
        order_by: Option<MembershipOrder>,
    ) -> Result<Option<MembershipConnection>> {
        members::list(
            context,
            &self.0.mrn,
            roles_filter,
            order_by,
            PageRequest { first, after },
        )
    }
}

pub(crate) struct SpaceConnection {
    org_mrn: String,
    query: Option<String>,
    page: Page<store::Scope>,
    /// How many there are, where that was counted already.
    total: Option<usize>,
}

impl SpaceConnection {
    /// The spaces that are shared with the caller.
    pub(crate) fn shared(page: Page<store::Scope>, total: usize) -> Self {
        Self {
            org_mrn: String::new(),
            query: None,
            page,
            total: Some(total),
        }
    }
}

#[Object]
impl SpaceConnection {
    async fn total_count(&self, context: &Context<'_>) -> Result<i32> {
        if let Some(total) = self.total {
            return Ok(i32::try_from(total).unwrap_or(i32::MAX));
        }
        Ok(scopes::count_spaces(
            core_of(context)?,
            caller_of(context)?,
            &self.org_mrn,
            self.query.as_deref(),
        )?)
    }

    async fn edges(&self) -> Vec<SpaceEdge> {
        let edge = |(cursor, scope): &(String, store::Scope)| SpaceEdge {
            cursor: cursor.clone(),
            node: Space(scope.clone()),
        };
        self.page.items.iter().map(edge).collect()
    }

    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.page)
    }
}

#[derive(SimpleObject)]
pub(crate) struct SpaceEdge {
    cursor: String,
    node: Space,
}

pub(crate) struct Space(pub(crate) store::Scope);

#[Object]
impl Space {
    async fn id(&self) -> &str {
        &self.0.id
    }

    async fn mrn(&self) -> &str {
        &self.0.mrn
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn organization(&self, context: &Context<'_>) -> Result<Option<Organization>> {
        let found = scopes::organization_of(core_of(context)?, caller_of(context)?, &self.0)?;
        Ok(found.map(Organization))
    }

    // Shared means: the caller sees the space without its organization.
    async fn shared(&self, context: &Context<'_>) -> Result<Option<bool>> {
        let found = scopes::organization_of(core_of(context)?, caller_of(context)?, &self.0)?;
        Ok(Some(found.is_none()))
    }

    async fn settings(&self) -> Option<SpaceSettings> {
        Some(SpaceSettings::of(self.0.settings.as_deref()))
    }

    async fn annotations(&self) -> Option<Vec<KeyValue>> {
        Some(key_values(&self.0.annotations))
    }

    async fn members(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        roles_filter: Option<String>,
        order_by: Option<MembershipOrder>,
    ) -> Result<Option<MembershipConnection>> {
        members::list(
            context,
            &self.0.mrn,
            roles_filter,
            order_by,
            PageRequest { first, after },
        )
    }
}

pub(crate) struct ServiceAccount(pub(crate) AccountView);

#[Object]
impl ServiceAccount {
    async fn id(&self) -> &str {
        &self.0.account.id
    }

    async fn mrn(&self) -> &str {
        &self.0.account.mrn
    }

    async fn name(&self) -> Option<&str> {
        Some(&self.0.account.name)
    }

    async fn description(&self, context: &Context<'_>) -> Result<Option<&str>> {
        Ok(accounts::shown(
            core_of(context)?,
            &self.0.account.description,
        ))
    }

    async fn notes(&self, context: &Context<'_>) -> Result<Option<&str>> {
        Ok(accounts::shown(core_of(context)?, &self.0.account.notes))
    }

    async fn roles(&self) -> Option<Vec<Role>> {
        Some(roles_of(&self.0.roles))
    }

    async fn labels(&self) -> Option<Vec<KeyValue>> {
        Some(key_values(&self.0.account.labels))
    }

    async fn created_at(&self) -> Option<String> {
        Some(ids::rfc3339(self.0.account.created_at))
    }

    async fn last_used(&self) -> Option<String> {
        let at = self.0.account.last_used;
        (at > 0).then(|| ids::rfc3339(at))
    }

    async fn creator(&self) -> Option<ServiceAccountCreator> {
        self.0
            .account
            .creator
            .as_ref()
            .map(|mrn| ServiceAccountCreator {
                mrn: Some(mrn.clone()),
                email: self.0.creator_email.clone(),
                service: None,
            })
    }
}

#[derive(SimpleObject)]
pub(crate) struct ServiceAccountCreator {
    mrn: Option<String>,
    email: Option<String>,
    service: Option<String>,
}

#[derive(SimpleObject)]
pub(crate) struct ServiceAccountEdge {
    cursor: String,
    node: ServiceAccount,
}

pub(crate) struct ServiceAccountConnection {
    pub(crate) page: Page<AccountView>,
    pub(crate) filter: AccountFilter,
}

#[Object]
impl ServiceAccountConnection {
    async fn total_count(&self, context: &Context<'_>) -> Result<i32> {
        Ok(accounts::count(core_of(context)?, &self.filter)?)
    }

    async fn edges(&self) -> Vec<ServiceAccountEdge> {
        let edge = |(cursor, view): &(String, AccountView)| ServiceAccountEdge {
            cursor: cursor.clone(),
            node: ServiceAccount(view.clone()),
        };
        self.page.items.iter().map(edge).collect()
    }

    async fn page_info(&self) -> PageInfo {
        PageInfo::of(&self.page)
    }
}

pub(crate) struct ServiceAccountCredential(pub(crate) Credential);

#[Object]
impl ServiceAccountCredential {
    async fn mrn(&self) -> &str {
        &self.0.mrn
    }

    async fn certificate(&self) -> &str {
        &self.0.certificate
    }

    async fn private_key(&self) -> &str {
        &self.0.private_key
    }

    async fn scope_mrn(&self) -> &str {
        &self.0.scope_mrn
    }

    async fn space_mrn(&self) -> Option<&str> {
        Some(&self.0.space_mrn)
    }

    async fn api_endpoint(&self) -> &str {
        &self.0.api_endpoint
    }
}

#[derive(SimpleObject)]
pub(crate) struct DeleteServiceAccountsPayload {
    mrns: Option<Vec<String>>,
    errors: Option<Map>,
}

impl DeleteServiceAccountsPayload {
    pub(crate) fn of(batch: Batch) -> Self {
        Self {
            errors: Map::of(&batch),
            mrns: Some(batch.done),
        }
    }
}

#[derive(SimpleObject)]
pub(crate) struct SetRolesPayload {
    mrns: Option<Vec<String>>,
    errors: Option<Map>,
    // These two are in snake case in the platform's schema.
    #[graphql(name = "identity_mrn")]
    identity_mrn: Option<String>,
    #[graphql(name = "identity_email")]
    identity_email: Option<String>,
}

impl SetRolesPayload {
    /// The answer to the shape with `updates`.
    pub(crate) fn of_updates(batch: Batch) -> Self {
        let errors = Map::of(&batch);
        Self {
            mrns: Some(batch.done),
            errors,
            identity_mrn: None,
            identity_email: None,
        }
    }

    /// The answer to the shape with `identity`.
    pub(crate) fn of_identity(subject: Option<Grantee>) -> Self {
        let (mrn, email) = subject.map(|s| (s.mrn, s.email)).unwrap_or_default();
        Self {
            mrns: Some(mrn.iter().cloned().collect()),
            errors: None,
            identity_mrn: mrn,
            identity_email: email,
        }
    }
}

#[derive(SimpleObject)]
pub(crate) struct GetRolesPayload {
    pub(crate) identity_mrn: Option<String>,
    pub(crate) identity_email: Option<String>,
    pub(crate) scope_mrn: Option<String>,
    pub(crate) roles: Option<Vec<String>>,
}
