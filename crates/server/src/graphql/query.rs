//! Queries.

use async_graphql::{Context, Object, Result};

use crate::{
    ids::ScopeKind,
    service::{
        PageRequest,
        accounts::{self, Listing},
        grants, scopes,
    },
};

use super::{
    context::{caller_of, core_of},
    inputs::ServiceAccountOrder,
    types::{
        GetRolesPayload, Organization, ServiceAccount, ServiceAccountConnection, Space, Viewer,
    },
};

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "QueryQueryPart")]
impl Query {
    async fn viewer(&self, context: &Context<'_>) -> Result<Option<Viewer>> {
        let (name, email) = accounts::profile(core_of(context)?, caller_of(context)?)?;
        Ok(Some(Viewer {
            mrn: caller_of(context)?.identity.mrn.clone(),
            email,
            name,
        }))
    }

    async fn test_iam_actions(
        &self,
        context: &Context<'_>,
        resource_mrn: String,
        actions: Vec<String>,
    ) -> Result<Option<Vec<String>>> {
        let allowed = grants::allowed_actions(
            core_of(context)?,
            caller_of(context)?,
            &resource_mrn,
            actions,
        )?;
        Ok(Some(allowed))
    }

    async fn get_roles(
        &self,
        context: &Context<'_>,
        identity: String,
        scope_mrn: String,
    ) -> Result<Option<GetRolesPayload>> {
        let (subject, roles) = grants::get(
            core_of(context)?,
            caller_of(context)?,
            &identity,
            &scope_mrn,
        )?;
        Ok(Some(GetRolesPayload {
            identity_mrn: subject.mrn,
            identity_email: subject.email,
            scope_mrn: Some(scope_mrn),
            roles: Some(roles),
        }))
    }

    async fn organization(
        &self,
        context: &Context<'_>,
        mrn: String,
    ) -> Result<Option<Organization>> {
        let kind = ScopeKind::Organization;
        let scope = scopes::read(core_of(context)?, caller_of(context)?, &mrn, kind)?;
        Ok(Some(Organization(scope)))
    }

    async fn space(&self, context: &Context<'_>, mrn: String) -> Result<Option<Space>> {
        let kind = ScopeKind::Space;
        let scope = scopes::read(core_of(context)?, caller_of(context)?, &mrn, kind)?;
        Ok(Some(Space(scope)))
    }

    async fn service_account(
        &self,
        context: &Context<'_>,
        mrn: String,
    ) -> Result<Option<ServiceAccount>> {
        let view = accounts::read(core_of(context)?, caller_of(context)?, &mrn)?;
        Ok(Some(ServiceAccount(view)))
    }

    #[expect(clippy::too_many_arguments, reason = "the schema says so")]
    async fn service_accounts(
        &self,
        context: &Context<'_>,
        space_mrn: Option<String>,
        scope_mrn: Option<String>,
        first: Option<i32>,
        after: Option<String>,
        query: Option<String>,
        query_terms: Option<Vec<String>>,
        order_by: Option<ServiceAccountOrder>,
    ) -> Result<Option<ServiceAccountConnection>> {
        let listing = Listing {
            scope_mrn,
            space_mrn,
            terms: query
                .into_iter()
                .chain(query_terms.into_iter().flatten())
                .filter(|term| !term.is_empty())
                .collect(),
            sort: order_by.map(Into::into),
            page: PageRequest { first, after },
        };
        let (page, filter) = accounts::list(core_of(context)?, caller_of(context)?, listing)?;
        Ok(Some(ServiceAccountConnection { page, filter }))
    }
}
