//! Contacts, groups of an identity provider, single sign-on.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

use crate::{
    service::directory::{self, ContactSort, Sso},
    status::Status,
};

use super::{
    context::{caller_of, core_of},
    inputs::ResourceContactInput,
};

#[derive(InputObject)]
struct SetResourceContactsInput {
    resource_mrn: String,
    contacts: Vec<ResourceContactInput>,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "ContactSort")]
enum ResourceContactType {
    User,
    Team,
    Email,
}

#[derive(SimpleObject)]
struct ResourceContact {
    contact_type: Option<ResourceContactType>,
    identity: Option<String>,
    email: Option<String>,
    name: Option<String>,
}

fn shown(contacts: Vec<directory::Contact>) -> Vec<ResourceContact> {
    let contact = |directory::Contact {
                       identity,
                       sort,
                       email,
                       name,
                   }| ResourceContact {
        contact_type: Some(sort.into()),
        identity: Some(identity),
        email,
        name,
    };
    contacts.into_iter().map(contact).collect()
}

#[derive(InputObject)]
struct ScimGroupMapping {
    iam_role: String,
    space_mrn: Option<String>,
    org_mrn: Option<String>,
}

#[derive(InputObject)]
struct SetScimGroupMappingInput {
    org_mrn: String,
    group: String,
    mappings: Vec<ScimGroupMapping>,
}

#[derive(SimpleObject)]
struct SetScimGroupMappingPayload {
    group: Option<String>,
}

#[derive(InputObject)]
#[graphql(name = "SSOProviderInput")]
struct SsoProviderInput {
    #[graphql(name = "idpEntityID")]
    idp_entity_id: String,
    sso_url: String,
    #[graphql(name = "rpEntityID")]
    rp_entity_id: String,
    x509_fingerprints: Vec<String>,
    enabled: bool,
    // Only the fingerprints are ever shown.
    x509_certificates: Option<Vec<String>>,
}

#[derive(InputObject)]
#[graphql(name = "SetSSOProviderInput")]
struct SetSsoProviderInput {
    organization_mrn: String,
    provider: Option<SsoProviderInput>,
}

#[derive(InputObject)]
#[graphql(name = "EnableSSOProviderInput")]
struct EnableSsoProviderInput {
    organization_mrn: String,
    enabled: bool,
}

#[derive(InputObject)]
#[graphql(name = "DeleteSSOProviderInput")]
struct DeleteSsoProviderInput {
    organization_mrn: String,
}

#[derive(SimpleObject)]
#[graphql(name = "SSOProvider")]
struct SsoProvider {
    #[graphql(name = "idpEntityID")]
    idp_entity_id: Option<String>,
    sso_url: Option<String>,
    #[graphql(name = "rpEntityID")]
    rp_entity_id: Option<String>,
    x509_fingerprints: Option<Vec<String>>,
    enabled: Option<bool>,
}

#[derive(SimpleObject)]
#[graphql(name = "SSOProviderPayload")]
struct SsoProviderPayload {
    provider: Option<SsoProvider>,
}

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "DirectoryQueryPart")]
impl Query {
    async fn get_resource_contacts(
        &self,
        context: &Context<'_>,
        resource_mrn: String,
    ) -> Result<Option<Vec<ResourceContact>>> {
        let found = directory::contacts(core_of(context)?, caller_of(context)?, &resource_mrn)?;
        Ok(Some(shown(found)))
    }

    async fn sso_provider(
        &self,
        context: &Context<'_>,
        mrn: String,
    ) -> Result<Option<SsoProviderPayload>> {
        let found = directory::sso(core_of(context)?, caller_of(context)?, &mrn)?;
        let provider = found.map(
            |Sso {
                 idp_entity_id,
                 sso_url,
                 rp_entity_id,
                 x509_fingerprints,
                 enabled,
             }| SsoProvider {
                idp_entity_id: Some(idp_entity_id),
                sso_url: Some(sso_url),
                rp_entity_id: Some(rp_entity_id),
                x509_fingerprints: Some(x509_fingerprints),
                enabled: Some(enabled),
            },
        );
        Ok(Some(SsoProviderPayload { provider }))
    }
}

#[derive(Default)]
pub(crate) struct Mutation;

#[Object(name = "DirectoryMutationPart")]
impl Mutation {
    async fn set_resource_contacts(
        &self,
        context: &Context<'_>,
        input: SetResourceContactsInput,
    ) -> Result<Option<Vec<ResourceContact>>> {
        let SetResourceContactsInput {
            resource_mrn,
            contacts,
        } = input;
        let identities = contacts.into_iter().map(|c| c.identity).collect();
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        let set = directory::set_contacts(core, caller, &resource_mrn, identities)?;
        Ok(Some(shown(set)))
    }

    async fn set_scim_group_mapping(
        &self,
        context: &Context<'_>,
        input: SetScimGroupMappingInput,
    ) -> Result<Option<SetScimGroupMappingPayload>> {
        let SetScimGroupMappingInput {
            org_mrn,
            group,
            mappings,
        } = input;
        let entries = mappings
            .into_iter()
            .map(
                |ScimGroupMapping {
                     iam_role,
                     space_mrn,
                     org_mrn,
                 }| (iam_role, space_mrn, org_mrn),
            )
            .collect();
        let (core, caller) = (core_of(context)?, caller_of(context)?);
        directory::set_group(core, caller, &org_mrn, &group, entries)?;
        Ok(Some(SetScimGroupMappingPayload { group: Some(group) }))
    }

    #[graphql(name = "setSSOProvider")]
    async fn set_sso_provider(
        &self,
        context: &Context<'_>,
        input: SetSsoProviderInput,
    ) -> Result<Option<bool>> {
        let SetSsoProviderInput {
            organization_mrn,
            provider,
        } = input;
        let provider = provider.map(
            |SsoProviderInput {
                 idp_entity_id,
                 sso_url,
                 rp_entity_id,
                 x509_fingerprints,
                 enabled,
                 x509_certificates: _,
             }| Sso {
                idp_entity_id,
                sso_url,
                rp_entity_id,
                x509_fingerprints,
                enabled,
            },
        );
        sso(context, &organization_mrn, |_| Ok(provider))
    }

    #[graphql(name = "enableSSOProvider")]
    async fn enable_sso_provider(
        &self,
        context: &Context<'_>,
        input: EnableSsoProviderInput,
    ) -> Result<Option<bool>> {
        let EnableSsoProviderInput {
            organization_mrn,
            enabled,
        } = input;
        sso(context, &organization_mrn, |before| match before {
            Some(before) => Ok(Some(Sso { enabled, ..before })),
            None => Err(Status::not_found("single sign-on of", &organization_mrn)),
        })
    }

    #[graphql(name = "deleteSSOProvider")]
    async fn delete_sso_provider(
        &self,
        context: &Context<'_>,
        input: DeleteSsoProviderInput,
    ) -> Result<Option<bool>> {
        sso(context, &input.organization_mrn, |_| Ok(None))
    }
}

fn sso(
    context: &Context<'_>,
    organization: &str,
    change: impl FnOnce(Option<Sso>) -> std::result::Result<Option<Sso>, Status>,
) -> Result<Option<bool>> {
    directory::set_sso(core_of(context)?, caller_of(context)?, organization, change)?;
    Ok(Some(true))
}
