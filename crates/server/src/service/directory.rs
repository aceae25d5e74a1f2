//! What hangs on an organization or another resource: contacts, groups of an identity provider,
//! single sign-on, and workspaces.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    core::{Caller, Core, find_scope},
    ids::{self, ScopeKind},
    roles::{self, Permission},
    status::Status,
    store::{Scope, User},
};

use super::{
    Page, PageRequest, audit,
    objects::{self, Kind, Stored},
};

/// The contacts of a resource, as they were sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contacts(pub(crate) Vec<String>);

impl Kind for Contacts {
    const KIND: &'static str = "contacts";
    const WHAT: &'static str = "contacts";
}

/// One contact, looked up.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) identity: String,
    /// `USER`, `TEAM` or `EMAIL`.
    pub(crate) sort: ContactSort,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

/// What a contact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContactSort {
    User,
    Team,
    Email,
}

fn contact(c: &rusqlite::Connection, identity: &str) -> Result<Contact, Status> {
    if let Some(user) = User::find(c, identity)? {
        return Ok(Contact {
            identity: identity.to_owned(),
            sort: ContactSort::User,
            email: Some(user.email),
            name: Some(user.name),
        });
    }
    if let Some(team) = Stored::<super::teams::Team>::look_up(c, identity)? {
        return Ok(Contact {
            identity: identity.to_owned(),
            sort: ContactSort::Team,
            email: team.value.email,
            name: Some(team.value.name),
        });
    }
    match identity.split_once('@') {
        Some((local, domain)) if !local.is_empty() && domain.contains('.') => Ok(Contact {
            identity: identity.to_owned(),
            sort: ContactSort::Email,
            email: Some(identity.to_owned()),
            name: None,
        }),
        _ => Err(Status::invalid(format!("invalid contact {identity:?}"))),
    }
}

/// Replaces the contacts of a scope, team or workspace.
pub(crate) fn set_contacts(
    core: &Core,
    caller: &Caller,
    resource: &str,
    identities: Vec<String>,
) -> Result<Vec<Contact>, Status> {
    core.store.write(|t| {
        let scope = audit::require_resource(t, caller, resource, Permission::EditScope)?;
        let found = identities
            .iter()
            .map(|identity| contact(t, identity))
            .collect::<Result<Vec<_>, Status>>()?;
        let mrn = format!("{resource}/contacts");
        Stored::new(caller, &scope.mrn, mrn, Contacts(identities)).put(t)?;
        let action = "mondoo.captain.Captain.SetResourceContacts";
        audit::record(t, caller, &scope, action, resource, "set contacts")?;
        Ok(found)
    })
}

/// The contacts of a resource.
pub(crate) fn contacts(
    core: &Core,
    caller: &Caller,
    resource: &str,
) -> Result<Vec<Contact>, Status> {
    core.store.read(|c| {
        audit::require_resource(c, caller, resource, Permission::ReadScope)?;
        let stored = Stored::<Contacts>::look_up(c, &format!("{resource}/contacts"))?;
        let identities = stored.map(|stored| stored.value.0).unwrap_or_default();
        identities
            .iter()
            .map(|identity| contact(c, identity))
            .collect()
    })
}

/// Where a group of an identity provider has which role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) group: String,
    /// Scope and role.
    pub(crate) mappings: Vec<(String, String)>,
}

impl Kind for Group {
    const KIND: &'static str = "scim_group";
    const WHAT: &'static str = "group mapping";
}

fn organization(
    c: &rusqlite::Connection,
    caller: &Caller,
    mrn: &str,
    permission: Permission,
) -> Result<Scope, Status> {
    let (scope, _) = caller.require(c, mrn, permission)?;
    if scope.kind == ScopeKind::Organization {
        Ok(scope)
    } else {
        Err(Status::invalid(format!("{mrn} is not an organization")))
    }
}

/// Replaces the roles of a group; none removes the mapping. Each entry names a space or an
/// organization.
pub(crate) fn set_group(
    core: &Core,
    caller: &Caller,
    org_mrn: &str,
    group: &str,
    entries: Vec<(String, Option<String>, Option<String>)>,
) -> Result<(), Status> {
    core.store.write(|t| {
        let scope = organization(t, caller, org_mrn, Permission::SetRoles)?;
        if group.is_empty() {
            return Err(Status::invalid("group is required"));
        }
        let mut mappings = Vec::with_capacity(entries.len());
        for (role, space, organization) in entries {
            let text = |text: Option<String>| text.filter(|text| !text.is_empty());
            let target = match (text(space), text(organization)) {
                (Some(one), None) | (None, Some(one)) => find_scope(t, &one)?,
                _ => {
                    return Err(Status::invalid(
                        "each mapping names either spaceMrn or orgMrn",
                    ));
                }
            };
            if target.org_mrn != scope.mrn {
                return Err(caller.refused(&target));
            }
            let authority = caller.authority(t, &target)?;
            let role = roles::expand(&role);
            let known = roles::find(&role)
                .ok_or_else(|| Status::invalid(format!("unknown role {role:?}")))?;
            if !authority.may_grant(known) {
                return Err(Status::denied());
            }
            mappings.push((target.mrn, role));
        }
        let group = Group {
            group: group.to_owned(),
            mappings,
        };
        let mrn = format!("{}/scimgroups/{}", scope.mrn, group.group);
        let stored = Stored::new(caller, &scope.mrn, mrn, group);
        if stored.value.mappings.is_empty() {
            stored.remove(t)?;
        } else {
            stored.put(t)?;
        }
        let action = "mondoo.captain.Captain.SetScimGroupMapping";
        audit::record(t, caller, &scope, action, &scope.mrn, "set group mapping")
    })
}

/// The single sign-on of an organization.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sso {
    pub(crate) idp_entity_id: String,
    pub(crate) sso_url: String,
    pub(crate) rp_entity_id: String,
    pub(crate) x509_fingerprints: Vec<String>,
    pub(crate) enabled: bool,
}

impl Kind for Sso {
    const KIND: &'static str = "sso";
    const WHAT: &'static str = "single sign-on";
}

fn sso_mrn(scope: &Scope) -> String {
    format!("{}/ssoprovider", scope.mrn)
}

/// Reads the single sign-on of an organization.
pub(crate) fn sso(core: &Core, caller: &Caller, org_mrn: &str) -> Result<Option<Sso>, Status> {
    core.store.read(|c| {
        let scope = organization(c, caller, org_mrn, Permission::ManageSso)?;
        Ok(Stored::<Sso>::look_up(c, &sso_mrn(&scope))?.map(|stored| stored.value))
    })
}

/// Sets, switches or removes the single sign-on of an organization.
pub(crate) fn set_sso(
    core: &Core,
    caller: &Caller,
    org_mrn: &str,
    change: impl FnOnce(Option<Sso>) -> Result<Option<Sso>, Status>,
) -> Result<(), Status> {
    core.store.write(|t| {
        let scope = organization(t, caller, org_mrn, Permission::ManageSso)?;
        let mrn = sso_mrn(&scope);
        let before = Stored::<Sso>::look_up(t, &mrn)?;
        match (change(before.as_ref().map(|s| s.value.clone()))?, before) {
            (Some(after), _) => Stored::new(caller, &scope.mrn, mrn, after).put(t)?,
            (None, Some(before)) => before.remove(t)?,
            (None, None) => {}
        }
        let action = "mondoo.captain.Captain.SetSSOProvider";
        audit::record(
            t,
            caller,
            &scope,
            action,
            &scope.mrn,
            "changed single sign-on",
        )
    })
}

/// A workspace: a selection of the assets of its owner, an organization or a space.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// The selections as they were sent, in JSON.
    pub(crate) selections: Value,
}

impl Kind for Workspace {
    const KIND: &'static str = "workspace";
    const WHAT: &'static str = "workspace";
}

/// Creates a workspace.
pub(crate) fn create_workspace(
    core: &Core,
    caller: &Caller,
    owner_mrn: &str,
    workspace: Workspace,
) -> Result<Stored<Workspace>, Status> {
    core.store.write(|t| {
        let (scope, _) = caller.require(t, owner_mrn, Permission::EditScope)?;
        let mrn = format!("{}/workspaces/{}", scope.mrn, ids::new_ksuid(caller.now)?);
        let stored = Stored::new(caller, &scope.mrn, mrn, workspace);
        stored.put(t)?;
        let action = "mondoo.captain.Captain.CreateWorkspace";
        audit::record(t, caller, &scope, action, &stored.mrn, "created workspace")?;
        Ok(stored)
    })
}

/// Reads a workspace; `None` if there is none.
pub(crate) fn workspace(
    core: &Core,
    caller: &Caller,
    mrn: &str,
) -> Result<Option<Stored<Workspace>>, Status> {
    core.store.read(|c| {
        let Some(found) = Stored::<Workspace>::look_up(c, mrn)? else {
            return Ok(None);
        };
        caller.require(c, found.scope()?, Permission::ReadScope)?;
        Ok(Some(found))
    })
}

/// Changes a workspace; what is not given stays.
pub(crate) fn update_workspace(
    core: &Core,
    caller: &Caller,
    mrn: &str,
    name: Option<String>,
    description: Option<String>,
    selections: Option<Value>,
) -> Result<Stored<Workspace>, Status> {
    core.store.write(|t| {
        let mut found: Stored<Workspace> = Stored::find(t, mrn)?;
        let (scope, _) = caller.require(t, found.scope()?, Permission::EditScope)?;
        let value = &mut found.value;
        value.name = name.unwrap_or_else(|| value.name.clone());
        value.description = description.or(value.description.take());
        if let Some(selections) = selections {
            value.selections = selections;
        }
        found.put(t)?;
        let action = "mondoo.captain.Captain.UpdateWorkspace";
        audit::record(t, caller, &scope, action, mrn, "updated workspace")?;
        Ok(found)
    })
}

/// Deletes workspaces, all of them or none.
pub(crate) fn delete_workspaces(
    core: &Core,
    caller: &Caller,
    mrns: &[String],
) -> Result<(), Status> {
    core.store.write(|t| {
        for mrn in mrns {
            let found: Stored<Workspace> = Stored::find(t, mrn)?;
            let (scope, _) = caller.require(t, found.scope()?, Permission::EditScope)?;
            found.remove(t)?;
            let action = "mondoo.captain.Captain.DeleteWorkspaces";
            audit::record(t, caller, &scope, action, mrn, "deleted workspace")?;
        }
        Ok(())
    })
}

/// A page of a scope's workspaces by name, and how many there are.
pub(crate) fn workspaces(
    core: &Core,
    caller: &Caller,
    scope_mrn: &str,
    query: Option<&str>,
    page: &PageRequest,
) -> Result<(Page<Stored<Workspace>>, usize), Status> {
    core.store.read(|c| {
        caller.require(c, scope_mrn, Permission::ReadScope)?;
        let mut all = Stored::<Workspace>::of_scope(c, scope_mrn)?;
        if let Some(query) = query.map(str::to_lowercase) {
            all.retain(|workspace| workspace.value.name.to_lowercase().contains(&query));
        }
        let total = all.len();
        let by = |w: &Stored<Workspace>| w.value.name.clone();
        let page = objects::page(all, by, false, page, core.quirks.page_cap)?;
        Ok((page, total))
    })
}
