//! Organizations and spaces: create, change, delete, and ids to choose.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use crate::{
    ids::ScopeKind,
    service::{
        PageRequest, directory,
        scopes::{self, NewOrganization, ScopeUpdate},
    },
    store::{self, Label},
};

use super::{
    context::{caller_of, core_of},
    inputs::{
        AnnotationInput, OrganizationSettingsInput, ResourceContactInput, SpaceSettingsInput,
        TagInput,
    },
    types::{Organization, Space, SpaceConnection},
};

#[derive(InputObject)]
struct CreateOrganizationInput {
    name: String,
    id: Option<String>,
    description: Option<String>,
    company: Option<String>,
    settings: Option<OrganizationSettingsInput>,
    // Accepted and kept nowhere: no query of this schema shows them.
    tags: Option<Vec<TagInput>>,
    annotations: Option<Vec<AnnotationInput>>,
    contacts: Option<Vec<ResourceContactInput>>,
}

#[derive(InputObject)]
struct UpdateOrganizationInput {
    mrn: String,
    name: String,
    company: Option<String>,
    description: Option<String>,
    settings: Option<OrganizationSettingsInput>,
    tags: Option<Vec<TagInput>>,
    annotations: Option<Vec<AnnotationInput>>,
    contacts: Option<Vec<ResourceContactInput>>,
}

#[derive(InputObject)]
struct UpdateSpaceInput {
    mrn: String,
    name: String,
    description: Option<String>,
    settings: Option<SpaceSettingsInput>,
    tags: Option<Vec<TagInput>>,
    annotations: Option<Vec<AnnotationInput>>,
    contacts: Option<Vec<ResourceContactInput>>,
}

#[derive(InputObject)]
#[graphql(name = "IDSuggestionInput")]
struct IdSuggestionInput {
    parent_mrn: Option<String>,
    id_available: Option<String>,
}

#[derive(SimpleObject)]
#[graphql(name = "IDSuggestion")]
struct IdSuggestion {
    id: String,
    available: bool,
}

#[derive(SimpleObject)]
struct UpdateOrganizationPayload {
    organization: Option<Organization>,
}

#[derive(SimpleObject)]
struct UpdateSpacePayload {
    space: Option<Space>,
}

fn annotations(given: Option<Vec<AnnotationInput>>) -> Option<Vec<Label>> {
    given.map(|list| list.into_iter().map(Into::into).collect())
}

/// Sets the contacts that came with a create or an update, if any did.
pub(crate) fn contacts(
    context: &Context<'_>,
    mrn: &str,
    given: Option<Vec<ResourceContactInput>>,
) -> Result<()> {
    if let Some(given) = given {
        let identities = given.into_iter().map(|contact| contact.identity).collect();
        directory::set_contacts(core_of(context)?, caller_of(context)?, mrn, identities)?;
    }
    Ok(())
}

#[derive(Default)]
pub(crate) struct Query;

#[Object(name = "OrganizationsQueryPart")]
impl Query {
    async fn shared_spaces(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Option<SpaceConnection>> {
        let page = PageRequest { first, after };
        let (page, total) = scopes::shared(core_of(context)?, caller_of(context)?, &page)?;
        Ok(Some(SpaceConnection::shared(page, total)))
    }

    #[graphql(name = "organizationIDSuggestion")]
    async fn organization_id_suggestion(
        &self,
        context: &Context<'_>,
        input: IdSuggestionInput,
    ) -> Result<Option<IdSuggestion>> {
        suggestion(context, ScopeKind::Organization, input)
    }

    #[graphql(name = "spaceIDSuggestion")]
    async fn space_id_suggestion(
        &self,
        context: &Context<'_>,
        input: IdSuggestionInput,
    ) -> Result<Option<IdSuggestion>> {
        suggestion(context, ScopeKind::Space, input)
    }
}

fn suggestion(
    context: &Context<'_>,
    kind: ScopeKind,
    input: IdSuggestionInput,
) -> Result<Option<IdSuggestion>> {
    // Ids are unique on the whole platform, so the parent decides nothing.
    let IdSuggestionInput {
        parent_mrn: _,
        id_available,
    } = input;
    let (id, available) = scopes::suggest(core_of(context)?, kind, id_available)?;
    Ok(Some(IdSuggestion { id, available }))
}

#[derive(Default)]
pub(crate) struct Mutation;

#[Object(name = "OrganizationsMutationPart")]
impl Mutation {
    async fn create_organization(
        &self,
        context: &Context<'_>,
        input: CreateOrganizationInput,
    ) -> Result<Option<Organization>> {
        let CreateOrganizationInput {
            name,
            id,
            description,
            company,
            settings,
            tags: _,
            annotations: given,
            contacts: people,
        } = input;
        let new = NewOrganization {
            id,
            name,
            description,
            company,
            settings: settings.map(|s| serde_json::to_string(&s)).transpose()?,
            annotations: annotations(given).unwrap_or_default(),
        };
        let made = scopes::create_organization(core_of(context)?, caller_of(context)?, new)?;
        contacts(context, &made.mrn, people)?;
        Ok(Some(Organization(made)))
    }

    async fn update_organization(
        &self,
        context: &Context<'_>,
        input: UpdateOrganizationInput,
    ) -> Result<Option<UpdateOrganizationPayload>> {
        let UpdateOrganizationInput {
            mrn,
            name,
            company,
            description,
            settings,
            tags: _,
            annotations: given,
            contacts: people,
        } = input;
        let update = ScopeUpdate {
            mrn,
            name,
            description,
            company,
            settings: settings.map(|s| serde_json::to_string(&s)).transpose()?,
            annotations: annotations(given),
        };
        let scope = change(context, ScopeKind::Organization, update, people)?;
        Ok(Some(UpdateOrganizationPayload {
            organization: Some(Organization(scope)),
        }))
    }

    async fn delete_organization(
        &self,
        context: &Context<'_>,
        org_mrn: ID,
    ) -> Result<Option<String>> {
        delete(context, ScopeKind::Organization, org_mrn)
    }

    async fn update_space(
        &self,
        context: &Context<'_>,
        input: UpdateSpaceInput,
    ) -> Result<Option<UpdateSpacePayload>> {
        let UpdateSpaceInput {
            mrn,
            name,
            description,
            settings,
            tags: _,
            annotations: given,
            contacts: people,
        } = input;
        let update = ScopeUpdate {
            mrn,
            name,
            description,
            company: None,
            settings: settings.map(|s| serde_json::to_string(&s)).transpose()?,
            annotations: annotations(given),
        };
        let scope = change(context, ScopeKind::Space, update, people)?;
        Ok(Some(UpdateSpacePayload {
            space: Some(Space(scope)),
        }))
    }

    async fn delete_space(&self, context: &Context<'_>, space_mrn: ID) -> Result<Option<String>> {
        delete(context, ScopeKind::Space, space_mrn)
    }
}

fn change(
    context: &Context<'_>,
    kind: ScopeKind,
    update: ScopeUpdate,
    people: Option<Vec<ResourceContactInput>>,
) -> Result<store::Scope> {
    let scope = scopes::update(core_of(context)?, caller_of(context)?, kind, update)?;
    contacts(context, &scope.mrn, people)?;
    Ok(scope)
}

/// Answers the MRN: clients read a string or null.
fn delete(context: &Context<'_>, kind: ScopeKind, mrn: ID) -> Result<Option<String>> {
    scopes::delete(core_of(context)?, caller_of(context)?, kind, &mrn)?;
    Ok(Some(mrn.0))
}
