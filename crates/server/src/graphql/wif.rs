//! Workload identity bindings.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

use crate::{
    ids,
    service::{
        objects::Stored,
        wif::{self, NewBinding},
    },
    status::Status,
};

use super::{
    context::{caller_of, core_of},
    inputs::{KeyValueInput, OrderDirection},
    leaves::{KeyValue, key_values},
};

#[derive(InputObject)]
#[graphql(name = "CreateWIFAuthBindingInput")]
struct CreateBindingInput {
    scope_mrn: String,
    name: String,
    issuer_uri: String,
    subject: String,
    description: Option<String>,
    roles: Option<Vec<String>>,
    expiration: Option<i32>,
    mappings: Option<Vec<KeyValueInput>>,
    allowed_audiences: Option<Vec<String>>,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum AuthBindingOrderField {
    Name,
    IssuerUri,
    CreateTime,
    LastUsed,
}

#[derive(InputObject)]
#[graphql(name = "WIFAuthBindingOrder")]
struct BindingOrder {
    direction: OrderDirection,
    field: AuthBindingOrderField,
}

#[derive(SimpleObject)]
#[graphql(name = "WIFAuthBinding")]
struct Binding {
    mrn: String,
    name: String,
    description: Option<String>,
    scope: Option<String>,
    roles: Option<Vec<String>>,
    expiration: Option<i32>,
    issuer_uri: String,
    subject: Option<String>,
    mappings: Option<Vec<KeyValue>>,
    allowed_audiences: Option<Vec<String>>,
    created_at: Option<String>,
    last_used: Option<String>,
    icon_id: Option<String>,
}

#[derive(SimpleObject)]
#[graphql(name = "WIFExternalAuthConfig")]
struct Config {
    universe_domain: Option<String>,
    scopes: Option<Vec<String>>,
    #[graphql(name = "type")]
    sort: Option<String>,
    audience: Option<String>,
    subject_token_type: Option<String>,
    issuer_uri: Option<String>,
}

#[derive(SimpleObject)]
#[graphql(name = "WIFAuthBindingPayload")]
struct Payload {
    binding: Option<Binding>,
    config: Option<Config>,
}

#[derive(SimpleObject)]
#[graphql(name = "ListWIFAuthBindingsPayload")]
struct ListPayload {
    bindings: Option<Vec<Binding>>,
}

#[derive(SimpleObject)]
#[graphql(name = "RemoveWIFAuthBindingPayload")]
struct RemovePayload {
    mrn: Option<String>,
}

fn binding(stored: Stored<wif::Binding>) -> Binding {
    let created_at = Some(stored.created());
    let wif::Binding {
        name,
        description,
        issuer_uri,
        subject,
        roles,
        expiration,
        mappings,
        allowed_audiences,
        last_used,
    } = stored.value;
    Binding {
        mrn: stored.mrn,
        name,
        description,
        scope: stored.scope_mrn,
        roles: Some(roles),
        expiration: Some(expiration),
        issuer_uri,
        subject: Some(subject),
        mappings: Some(key_values(&mappings)),
        allowed_audiences: Some(allowed_audiences),
        created_at,
        last_used: (last_used > 0).then(|| ids::rfc3339(last_used)),
        icon_id: None,
    }
}

/// The binding and the configuration file that goes with it (source: cnquery's `cli/config` tests,
/// "test WIF config format").
fn payload(base_url: String, stored: Stored<wif::Binding>) -> Payload {
    let config = Config {
        universe_domain: Some(base_url),
        scopes: Some(stored.value.roles.clone()),
        sort: Some("external_account".to_owned()),
        audience: stored.scope_mrn.clone(),
        subject_token_type: Some("urn:ietf:params:oauth:token-type:jwt".to_owned()),
        issuer_uri: Some(stored.value.issuer_uri.clone()),
    };
    Payload {
        binding: Some(binding(stored)),
        config: Some(config),
    }
}

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "WifQueryPart")]
impl Query {
    #[graphql(name = "getWIFAuthBinding")]
    async fn get(&self, context: &Context<'_>, mrn: String) -> Result<Option<Payload>> {
        let core = core_of(context)?;
        let found = wif::read(core, caller_of(context)?, &mrn)?;
        Ok(Some(payload(core.base_url(), found)))
    }

    #[graphql(name = "listWIFAuthBindings")]
    async fn list(
        &self,
        context: &Context<'_>,
        scope_mrn: String,
        order_by: Option<BindingOrder>,
    ) -> Result<Option<ListPayload>> {
        let mut all = wif::list(core_of(context)?, caller_of(context)?, &scope_mrn)?;
        if let Some(BindingOrder { direction, field }) = order_by {
            all.sort_by_cached_key(|b| match field {
                AuthBindingOrderField::Name => (b.value.name.clone(), 0),
                AuthBindingOrderField::IssuerUri => (b.value.issuer_uri.clone(), 0),
                AuthBindingOrderField::CreateTime => (String::new(), b.created_at),
                AuthBindingOrderField::LastUsed => (String::new(), b.value.last_used),
            });
            if direction == OrderDirection::Desc {
                all.reverse();
            }
        }
        Ok(Some(ListPayload {
            bindings: Some(all.into_iter().map(binding).collect()),
        }))
    }
}

#[derive(Default)]
pub(crate) struct Mutation;

#[Object(name = "WifMutationPart")]
impl Mutation {
    // The argument is nullable because Mondoo's own pipelines declare their variable so.
    #[graphql(name = "createWIFAuthBinding")]
    async fn create(
        &self,
        context: &Context<'_>,
        input: Option<CreateBindingInput>,
    ) -> Result<Option<Payload>> {
        let CreateBindingInput {
            scope_mrn,
            name,
            issuer_uri,
            subject,
            description,
            roles,
            expiration,
            mappings,
            allowed_audiences,
        } = input.ok_or_else(|| Status::invalid("input is required"))?;
        let new = NewBinding {
            scope_mrn,
            name,
            description,
            issuer_uri,
            subject,
            roles: roles.unwrap_or_default(),
            expiration,
            mappings: mappings.into_iter().flatten().map(Into::into).collect(),
            allowed_audiences: allowed_audiences.unwrap_or_default(),
        };
        let core = core_of(context)?;
        let made = wif::create(core, caller_of(context)?, new)?;
        Ok(Some(payload(core.base_url(), made)))
    }

    #[graphql(name = "removeWIFAuthBinding")]
    async fn remove(&self, context: &Context<'_>, mrn: String) -> Result<Option<RemovePayload>> {
        wif::remove(core_of(context)?, caller_of(context)?, &mrn)?;
        Ok(Some(RemovePayload { mrn: Some(mrn) }))
    }
}
