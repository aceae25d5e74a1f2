//! Mutations.

use async_graphql::{Context, Object, Result};

use crate::{
    service::{
        accounts::{self, AccountUpdate, NewAccount},
        grants,
        scopes::{self, NewSpace},
    },
    status::Status,
};

use super::{
    context::{caller_of, core_of},
    inputs::{
        CreateServiceAccountInput, CreateSpaceInput, DeleteServiceAccountsInput, RoleInput,
        SetRoleInput, SetRolesInput, UpdateServiceAccountInput,
    },
    types::{
        DeleteServiceAccountsPayload, ServiceAccount, ServiceAccountCredential, SetRolesPayload,
        Space,
    },
};

#[derive(Default)]
pub(crate) struct Mutation;

fn role_mrns(roles: Vec<RoleInput>) -> Vec<String> {
    roles.into_iter().map(|role| role.mrn).collect()
}

#[Object(name = "MutationMutationPart")]
impl Mutation {
    // The argument is nullable because the web interface declares its variable so.
    async fn create_service_account(
        &self,
        context: &Context<'_>,
        input: Option<CreateServiceAccountInput>,
    ) -> Result<Option<ServiceAccountCredential>> {
        let CreateServiceAccountInput {
            scope_mrn,
            description,
            labels,
            roles,
            name,
            valid_until,
        } = input.ok_or_else(|| Status::invalid("input is required"))?;
        let new = NewAccount {
            scope_mrn,
            name: name.unwrap_or_default(),
            description: description.unwrap_or_default(),
            labels: labels.into_iter().flatten().map(Into::into).collect(),
            roles: role_mrns(roles.unwrap_or_default()),
            valid_until,
        };
        let credential = accounts::create(core_of(context)?, caller_of(context)?, new)?;
        Ok(Some(ServiceAccountCredential(credential)))
    }

    async fn update_service_account(
        &self,
        context: &Context<'_>,
        input: UpdateServiceAccountInput,
    ) -> Result<Option<ServiceAccount>> {
        let UpdateServiceAccountInput {
            mrn,
            name,
            notes,
            labels,
        } = input;
        let labels = labels.map(|labels| labels.into_iter().flatten().map(Into::into).collect());
        let update = AccountUpdate {
            mrn,
            name,
            notes,
            labels,
        };
        let view = accounts::update(core_of(context)?, caller_of(context)?, update)?;
        Ok(Some(ServiceAccount(view)))
    }

    async fn delete_service_accounts(
        &self,
        context: &Context<'_>,
        input: DeleteServiceAccountsInput,
    ) -> Result<Option<DeleteServiceAccountsPayload>> {
        let DeleteServiceAccountsInput { scope_mrn, mrns } = input;
        let batch = accounts::delete(core_of(context)?, caller_of(context)?, &scope_mrn, &mrns)?;
        Ok(Some(DeleteServiceAccountsPayload::of(batch)))
    }

    async fn set_roles(
        &self,
        context: &Context<'_>,
        input: SetRolesInput,
    ) -> Result<Option<SetRolesPayload>> {
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let SetRolesInput {
            scope_mrn,
            identity,
            roles,
            updates,
            space_mrn,
        } = input;
        let scope_mrn = scope_mrn
            .filter(|mrn| !mrn.is_empty())
            .or(space_mrn)
            .ok_or_else(|| Status::invalid("scopeMrn is required"))?;
        let payload = match (identity.filter(|identity| !identity.is_empty()), updates) {
            (None, Some(updates)) => {
                let updates = updates
                    .into_iter()
                    .map(|SetRoleInput { entity_mrn, roles }| (entity_mrn, role_mrns(roles)))
                    .collect();
                SetRolesPayload::of_updates(grants::set(core, caller, &scope_mrn, updates)?.0)
            }
            (Some(identity), None) => {
                let update = vec![(identity, roles.unwrap_or_default())];
                SetRolesPayload::of_identity(grants::set(core, caller, &scope_mrn, update)?.1)
            }
            _ => return Err(Status::invalid("either identity or updates is required").into()),
        };
        Ok(Some(payload))
    }

    async fn create_space(
        &self,
        context: &Context<'_>,
        input: CreateSpaceInput,
    ) -> Result<Option<Space>> {
        let CreateSpaceInput {
            name,
            org_mrn,
            id,
            description,
            settings,
            tags: _,
            annotations,
            contacts: _,
        } = input;
        let settings = settings
            .map(|settings| serde_json::to_string(&settings))
            .transpose()?;
        let annotations = annotations.into_iter().flatten().map(Into::into).collect();
        let new = NewSpace {
            org_mrn,
            id,
            name,
            description,
            settings,
            annotations,
        };
        let space = scopes::create_space(core_of(context)?, caller_of(context)?, new)?;
        Ok(Some(Space(space)))
    }
}
