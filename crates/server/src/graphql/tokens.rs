//! Registration tokens and API tokens.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject, Union};

use crate::{
    ids,
    service::{
        PageRequest,
        objects::Stored,
        tokens::{self, ApiTokenView, NewRegistration},
    },
};

use super::{
    context::{caller_of, core_of},
    inputs::{KeyValueInput, OrderDirection, RoleInput},
    leaves::{KeyValue, Role, connection, key_values, roles_of},
};

#[derive(InputObject)]
struct RegistrationTokenInput {
    space_mrn: Option<String>,
    scope_mrn: Option<String>,
    expires_in: Option<i32>,
    no_expiration: Option<bool>,
    description: Option<String>,
    roles: Option<Vec<RoleInput>>,
    labels: Option<Vec<KeyValueInput>>,
}

#[derive(InputObject)]
struct RevokeRegistrationTokenInput {
    mrn: String,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum RegistrationTokenOrderField {
    Created,
    Description,
    Mrn,
}

#[derive(InputObject)]
struct RegistrationTokenOrder {
    direction: OrderDirection,
    field: RegistrationTokenOrderField,
}

#[derive(SimpleObject)]
pub(crate) struct RegistrationToken {
    id: Option<String>,
    mrn: String,
    description: Option<String>,
    token: Option<String>,
    labels: Option<Vec<KeyValue>>,
    revoked: Option<bool>,
    created_at: Option<String>,
    created_by: Option<String>,
    expires_at: Option<String>,
}

fn registration(stored: Stored<tokens::Registration>, token: Option<String>) -> RegistrationToken {
    let created_at = Some(stored.created());
    let tokens::Registration {
        id,
        description,
        labels,
        roles: _,
        revoked,
        created_by,
        expires_at,
    } = stored.value;
    RegistrationToken {
        id: Some(id),
        mrn: stored.mrn,
        description: Some(description),
        token,
        labels: Some(key_values(&labels)),
        revoked: Some(revoked),
        created_at,
        created_by: Some(created_by),
        expires_at: expires_at.map(ids::rfc3339),
    }
}

connection!(
    RegistrationTokenConnection,
    RegistrationTokenEdge,
    RegistrationToken
);

#[derive(SimpleObject)]
struct RevokeRegistrationTokenSuccess {
    ok: bool,
}

#[derive(SimpleObject)]
struct RevokeRegistrationTokenFailure {
    message: String,
    code: String,
}

#[derive(Union)]
enum RevokeRegistrationTokenResponse {
    Success(RevokeRegistrationTokenSuccess),
    Failure(RevokeRegistrationTokenFailure),
}

#[derive(InputObject)]
#[graphql(name = "GenerateAPITokenInput")]
struct GenerateApiTokenInput {
    name: String,
    space_mrn: Option<String>,
    scope_mrn: Option<String>,
    description: Option<String>,
    roles: Option<Vec<RoleInput>>,
}

#[derive(InputObject)]
#[graphql(name = "UpdateAPITokenInput")]
struct UpdateApiTokenInput {
    mrn: String,
    name: Option<String>,
    description: Option<String>,
}

#[derive(InputObject)]
#[graphql(name = "DeleteAPITokenInput")]
struct DeleteApiTokenInput {
    mrn: String,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "APITokenOrderField")]
enum ApiTokenOrderField {
    Name,
    LastUsed,
    CreatedAt,
}

#[derive(InputObject)]
#[graphql(name = "APITokenOrder")]
struct ApiTokenOrder {
    direction: OrderDirection,
    field: ApiTokenOrderField,
}

#[derive(SimpleObject)]
#[graphql(name = "APIToken")]
pub(crate) struct ApiToken {
    mrn: String,
    space_mrn: Option<String>,
    scope_mrn: Option<String>,
    name: Option<String>,
    description: Option<String>,
    roles: Option<Vec<Role>>,
    created_at: Option<String>,
    last_used: Option<String>,
    creator: Option<ApiTokenCreator>,
}

#[derive(SimpleObject)]
#[graphql(name = "APITokenCreator")]
struct ApiTokenCreator {
    mrn: Option<String>,
    email: Option<String>,
}

/// A space's MRN where a scope is one; the older fields know spaces only.
fn space_of(scope: Option<&String>) -> Option<String> {
    scope.filter(|mrn| mrn.contains("/spaces/")).cloned()
}

fn api_token(view: ApiTokenView) -> ApiToken {
    let ApiTokenView {
        stored,
        roles,
        last_used,
    } = view;
    let created_at = Some(stored.created());
    let tokens::ApiToken {
        name,
        description,
        creator,
        creator_email,
    } = stored.value;
    ApiToken {
        mrn: stored.mrn,
        space_mrn: space_of(stored.scope_mrn.as_ref()),
        scope_mrn: stored.scope_mrn,
        name: Some(name),
        description: Some(description),
        roles: Some(roles_of(&roles)),
        created_at,
        last_used: (last_used > 0).then(|| ids::rfc3339(last_used)),
        creator: Some(ApiTokenCreator {
            mrn: Some(creator),
            email: creator_email,
        }),
    }
}

// The macro's types are named by their idents; the platform's are in capitals.
mod listing {
    use crate::graphql::{leaves::PageInfo, tokens::ApiToken};
    use crate::service::Page;

    #[derive(async_graphql::SimpleObject)]
    #[graphql(name = "APITokenEdge")]
    pub(crate) struct ApiTokenEdge {
        cursor: String,
        node: ApiToken,
    }

    #[derive(async_graphql::SimpleObject)]
    #[graphql(name = "APITokenConnection")]
    pub(crate) struct ApiTokenConnection {
        total_count: i32,
        edges: Vec<ApiTokenEdge>,
        page_info: PageInfo,
    }

    impl ApiTokenConnection {
        pub(crate) fn of<T>(page: Page<T>, total: usize, node: impl Fn(T) -> ApiToken) -> Self {
            let page_info = PageInfo::of(&page);
            let edge = |(cursor, item)| ApiTokenEdge {
                cursor,
                node: node(item),
            };
            Self {
                total_count: i32::try_from(total).unwrap_or(i32::MAX),
                edges: page.items.into_iter().map(edge).collect(),
                page_info,
            }
        }
    }
}
use listing::ApiTokenConnection;

#[derive(SimpleObject)]
#[graphql(name = "GenerateAPITokenPayload")]
struct GenerateApiTokenPayload {
    token: String,
    space_mrn: Option<String>,
    scope_mrn: Option<String>,
    name: Option<String>,
    mrn: String,
    description: Option<String>,
    created_by: Option<String>,
    created_at: Option<String>,
}

#[derive(SimpleObject)]
#[graphql(name = "DeleteAPITokenPayload")]
struct DeleteApiTokenPayload {
    ok: bool,
}

/// `scopeMrn`, else the older `spaceMrn`.
fn scope(scope: Option<String>, space: Option<String>) -> Option<String> {
    scope.filter(|mrn| !mrn.is_empty()).or(space)
}

fn mrns(roles: Option<Vec<RoleInput>>) -> Vec<String> {
    let roles = roles.into_iter().flatten();
    roles.map(|role| role.mrn).collect()
}

/// A number as a text that sorts like it.
fn sortable(number: i64) -> String {
    format!("{number:020}")
}

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "TokensQueryPart")]
impl Query {
    async fn registration_tokens(
        &self,
        context: &Context<'_>,
        space_mrn: Option<String>,
        order_by: Option<RegistrationTokenOrder>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Option<RegistrationTokenConnection>> {
        let (field, descending) = match order_by {
            Some(RegistrationTokenOrder { direction, field }) => {
                (field, direction == OrderDirection::Desc)
            }
            None => (RegistrationTokenOrderField::Created, false),
        };
        let by = |token: &Stored<tokens::Registration>| match field {
            RegistrationTokenOrderField::Created => sortable(token.created_at),
            RegistrationTokenOrderField::Description => token.value.description.clone(),
            RegistrationTokenOrderField::Mrn => token.mrn.clone(),
        };
        let (page, total) = tokens::registrations(
            core_of(context)?,
            caller_of(context)?,
            space_mrn,
            by,
            descending,
            &PageRequest { first, after },
        )?;
        let node = |stored| registration(stored, None);
        Ok(Some(RegistrationTokenConnection::of(page, total, node)))
    }

    #[expect(clippy::too_many_arguments, reason = "the schema says so")]
    async fn api_tokens(
        &self,
        context: &Context<'_>,
        space_mrn: Option<String>,
        scope_mrn: Option<String>,
        first: Option<i32>,
        after: Option<String>,
        query_terms: Option<Vec<String>>,
        order_by: Option<ApiTokenOrder>,
    ) -> Result<Option<ApiTokenConnection>> {
        let (field, descending) = match order_by {
            Some(ApiTokenOrder { direction, field }) => (field, direction == OrderDirection::Desc),
            None => (ApiTokenOrderField::Name, false),
        };
        let by = |token: &Stored<tokens::ApiToken>, last_used: i64| match field {
            ApiTokenOrderField::Name => token.value.name.clone(),
            ApiTokenOrderField::LastUsed => sortable(last_used),
            ApiTokenOrderField::CreatedAt => sortable(token.created_at),
        };
        let (page, total) = tokens::api_tokens(
            core_of(context)?,
            caller_of(context)?,
            scope(scope_mrn, space_mrn),
            &query_terms.unwrap_or_default(),
            (by, descending),
            &PageRequest { first, after },
        )?;
        Ok(Some(ApiTokenConnection::of(page, total, api_token)))
    }
}

#[derive(Default)]
pub(crate) struct Mutation;

#[Object(name = "TokensMutationPart")]
impl Mutation {
    async fn generate_registration_token(
        &self,
        context: &Context<'_>,
        input: RegistrationTokenInput,
    ) -> Result<Option<RegistrationToken>> {
        let RegistrationTokenInput {
            space_mrn,
            scope_mrn,
            expires_in,
            no_expiration,
            description,
            roles,
            labels,
        } = input;
        let new = NewRegistration {
            scope_mrn: scope(scope_mrn, space_mrn),
            expires_in,
            no_expiration: no_expiration.unwrap_or_default(),
            description: description.unwrap_or_default(),
            roles: mrns(roles),
            labels: labels.into_iter().flatten().map(Into::into).collect(),
        };
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let (stored, text) = tokens::generate_registration(core, caller, new)?;
        Ok(Some(registration(stored, Some(text))))
    }

    // Terraform's provider sends the MRN of a space; that is a failure and no error.
    async fn revoke_registration_token(
        &self,
        context: &Context<'_>,
        input: RevokeRegistrationTokenInput,
    ) -> Result<Option<RevokeRegistrationTokenResponse>> {
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let done = tokens::revoke_registration(core, caller, &input.mrn)?;
        Ok(Some(match done {
            Some(()) => RevokeRegistrationTokenResponse::Success(RevokeRegistrationTokenSuccess {
                ok: true,
            }),
            None => RevokeRegistrationTokenResponse::Failure(RevokeRegistrationTokenFailure {
                message: format!("registration token {} not found", input.mrn),
                code: "NotFound".to_owned(),
            }),
        }))
    }

    #[graphql(name = "generateAPIToken")]
    async fn generate_api_token(
        &self,
        context: &Context<'_>,
        input: GenerateApiTokenInput,
    ) -> Result<Option<GenerateApiTokenPayload>> {
        let GenerateApiTokenInput {
            name,
            space_mrn,
            scope_mrn,
            description,
            roles,
        } = input;
        let (stored, token) = tokens::generate_api(
            core_of(context)?,
            caller_of(context)?,
            scope(scope_mrn, space_mrn),
            name,
            description.unwrap_or_default(),
            mrns(roles),
        )?;
        let created_at = Some(stored.created());
        let tokens::ApiToken {
            name,
            description,
            creator,
            creator_email: _,
        } = stored.value;
        Ok(Some(GenerateApiTokenPayload {
            token,
            space_mrn: space_of(stored.scope_mrn.as_ref()),
            scope_mrn: stored.scope_mrn,
            name: Some(name),
            mrn: stored.mrn,
            description: Some(description),
            created_by: Some(creator),
            created_at,
        }))
    }

    #[graphql(name = "updateAPIToken")]
    async fn update_api_token(
        &self,
        context: &Context<'_>,
        input: UpdateApiTokenInput,
    ) -> Result<Option<ApiToken>> {
        let UpdateApiTokenInput {
            mrn,
            name,
            description,
        } = input;
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let view = tokens::update_api(core, caller, &mrn, name, description)?;
        Ok(Some(api_token(view)))
    }

    #[graphql(name = "deleteAPIToken")]
    async fn delete_api_token(
        &self,
        context: &Context<'_>,
        input: DeleteApiTokenInput,
    ) -> Result<Option<DeleteApiTokenPayload>> {
        tokens::delete_api(core_of(context)?, caller_of(context)?, &input.mrn)?;
        Ok(Some(DeleteApiTokenPayload { ok: true }))
    }
}
