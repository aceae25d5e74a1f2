//! Organizations and spaces.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use crate::{
    core::{Caller, Core, find_scope},
    ids::{self, ScopeKind},
    roles::{self, Permission},
    status::Status,
    store::{Label, Member, Scope, iam},
};

use super::{Page, PageRequest, audit, cursor};

/// Reads an organization or space that the caller may see.
pub(crate) fn read(
    core: &Core,
    caller: &Caller,
    mrn: &str,
    kind: ScopeKind,
) -> Result<Scope, Status> {
    core.store.read(|c| {
        if ids::parse_scope(mrn)? != kind {
            return Err(Status::invalid(format!(
                "{mrn} is not in {}",
                kind.collection()
            )));
        }
        let scope = find_scope(c, mrn)?;
        let authority = caller.authority(c, &scope)?;
        // Whoever holds any role may ask what the place is called; cnspec's agents do.
        if authority.is_member() {
            Ok(scope)
        } else {
            Err(caller.refused(&scope))
        }
    })
}

/// The organization of a space, if the caller may see it: who has roles on the space only is
/// shown the space as shared, without its organization.
pub(crate) fn organization_of(
    core: &Core,
    caller: &Caller,
    space: &Scope,
) -> Result<Option<Scope>, Status> {
    core.store.read(|c| {
        let organization = find_scope(c, &space.org_mrn)?;
        let visible = caller.authority(c, &organization)?.is_member();
        Ok(visible.then_some(organization))
    })
}

/// The organizations the caller has roles on.
pub(crate) fn organizations(core: &Core, caller: &Caller) -> Result<Vec<Scope>, Status> {
    core.store
        .read(|c| Ok(Scope::organizations_of(c, &caller.identity.mrn)?))
}

/// A page of an organization's spaces.
pub(crate) fn spaces(
    core: &Core,
    caller: &Caller,
    org_mrn: &str,
    query: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Scope>, Status> {
    core.store.read(|c| {
        caller.require(c, org_mrn, Permission::ReadScope)?;
        let limit = page.limit(core.quirks.page_cap)?;
        let after: Option<String> = page.cursor()?;
        let hidden = caller.hidden(c, org_mrn)?;
        let after_id = after.as_deref().unwrap_or("");
        let rows = Scope::spaces(c, org_mrn, query, &hidden, after_id, limit + 1)?;
        Page::cut(rows, limit, after.is_some(), |scope| cursor(&scope.id))
    })
}

/// How many spaces an organization has.
pub(crate) fn count_spaces(
    core: &Core,
    caller: &Caller,
    org_mrn: &str,
    query: Option<&str>,
) -> Result<i32, Status> {
    core.store.read(|c| {
        caller.require(c, org_mrn, Permission::ReadScope)?;
        let hidden = caller.hidden(c, org_mrn)?;
        Ok(Scope::count_spaces(c, org_mrn, query, &hidden)?)
    })
}

/// A member's place in the order by name; the identity decides between equals.
fn place(member: &Member) -> (&str, &str) {
    let name = member.user.as_ref().map_or("", |user| user.name.as_str());
    (name, &member.identity)
}

/// A page of a scope's direct members by name, and how many there are in all.
pub(crate) fn members(
    core: &Core,
    caller: &Caller,
    scope_mrn: &str,
    role: Option<&str>,
    descending: bool,
    page: &PageRequest,
) -> Result<(Page<Member>, usize), Status> {
    core.store.read(|c| {
        caller.require(c, scope_mrn, Permission::ReadScope)?;
        let limit = page.limit(core.quirks.page_cap)?;
        let after: Option<(String, String)> = page.cursor()?;
        let mut members: Vec<Member> = iam::members(c, scope_mrn)?
            .into_iter()
            .filter(|member| role.is_none_or(|role| member.roles.iter().any(|r| r == role)))
            .collect();
        let total = members.len();
        members.sort_by(|a, b| place(a).cmp(&place(b)));
        if descending {
            members.reverse();
        }
        if let Some((name, identity)) = &after {
            let after = (name.as_str(), identity.as_str());
            let past = |place: (&str, &str)| {
                if descending {
                    place < after
                } else {
                    place > after
                }
            };
            members.retain(|member| past(place(member)));
        }
        let page = Page::cut(members, limit, after.is_some(), |member| {
            cursor(&place(member))
        })?;
        Ok((page, total))
    })
}

/// A space to be made.
pub(crate) struct NewSpace {
    pub(crate) org_mrn: String,
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) settings: Option<String>,
    pub(crate) annotations: Vec<Label>,
}

/// Creates a space; an id that is missing or empty is generated.
pub(crate) fn create_space(core: &Core, caller: &Caller, new: NewSpace) -> Result<Scope, Status> {
    core.store.write(|t| {
        let (organization, _) = caller.require(t, &new.org_mrn, Permission::ManageScopes)?;
        if organization.kind != ScopeKind::Organization {
            return Err(Status::invalid("orgMrn must name an organization"));
        }
        let id = chosen_id(new.id)?;
        let mut scope = space(&id, &new.name, &organization.mrn, caller.now);
        scope.description = new.description;
        scope.settings = new.settings;
        scope.annotations = new.annotations;
        insert(t, &scope)?;
        audit::record(
            t,
            caller,
            &scope,
            "mondoo.captain.Captain.CreateSpace",
            &scope.mrn,
            "created space",
        )?;
        Ok(scope)
    })
}

/// Stores a scope whose id must be free.
pub(crate) fn insert(transaction: &Transaction<'_>, scope: &Scope) -> Result<(), Status> {
    if exists(transaction, &scope.mrn)? {
        return Err(Status::exists(format!("{} already exists", scope.mrn)));
    }
    Ok(scope.insert(transaction)?)
}

pub(crate) fn exists(connection: &Connection, mrn: &str) -> Result<bool, Status> {
    Ok(Scope::find(connection, mrn)?.is_some())
}

/// An organization without details.
pub(crate) fn organization(id: &str, name: &str, now: Timestamp) -> Scope {
    let mrn = ids::organization_mrn(id);
    plain(mrn.clone(), ScopeKind::Organization, id, mrn, name, now)
}

/// A space without details.
pub(crate) fn space(id: &str, name: &str, org_mrn: &str, now: Timestamp) -> Scope {
    plain(
        ids::space_mrn(id),
        ScopeKind::Space,
        id,
        org_mrn.to_owned(),
        name,
        now,
    )
}

fn plain(
    mrn: String,
    kind: ScopeKind,
    id: &str,
    org_mrn: String,
    name: &str,
    now: Timestamp,
) -> Scope {
    Scope {
        mrn,
        kind,
        id: id.to_owned(),
        org_mrn,
        name: name.to_owned(),
        description: None,
        company: None,
        settings: None,
        annotations: Vec::new(),
        created_at: now.as_millisecond(),
    }
}

/// An organization to be made.
pub(crate) struct NewOrganization {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) settings: Option<String>,
    pub(crate) annotations: Vec<Label>,
}

/// Creates an organization, of which the caller is the owner. Anybody may: nothing public says who
/// may not.
pub(crate) fn create_organization(
    core: &Core,
    caller: &Caller,
    new: NewOrganization,
) -> Result<Scope, Status> {
    core.store.write(|t| {
        let id = chosen_id(new.id)?;
        let mut scope = organization(&id, &new.name, caller.now);
        scope.description = new.description;
        scope.company = new.company;
        scope.settings = new.settings;
        scope.annotations = new.annotations;
        insert(t, &scope)?;
        let owner = [roles::expand("owner")];
        let moment = core.write_moment(caller.now);
        iam::set_roles(t, &scope.mrn, &caller.identity.mrn, &owner, moment)?;
        let action = "mondoo.captain.Captain.CreateOrganization";
        audit::record(
            t,
            caller,
            &scope,
            action,
            &scope.mrn,
            "created organization",
        )?;
        Ok(scope)
    })
}

/// An id that somebody chose, or a generated one; Terraform sends `""` for none.
fn chosen_id(id: Option<String>) -> Result<String, Status> {
    match id.filter(|id| !id.is_empty()) {
        Some(id) if ids::is_scope_id(&id) => Ok(id),
        Some(id) => Err(Status::invalid(format!("invalid id {id:?}"))),
        None => ids::new_scope_id(),
    }
}

/// What an update changes; absent parts stay.
pub(crate) struct ScopeUpdate {
    pub(crate) mrn: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) settings: Option<String>,
    pub(crate) annotations: Option<Vec<Label>>,
}

/// Updates an organization or a space.
pub(crate) fn update(
    core: &Core,
    caller: &Caller,
    kind: ScopeKind,
    update: ScopeUpdate,
) -> Result<Scope, Status> {
    core.store.write(|t| {
        let (mut scope, _) = caller.require(t, &update.mrn, Permission::EditScope)?;
        of_kind(&scope, kind)?;
        scope.name = update.name;
        scope.description = update.description.or(scope.description);
        scope.company = update.company.or(scope.company);
        scope.settings = update.settings.or(scope.settings);
        scope.annotations = update.annotations.unwrap_or(scope.annotations);
        scope.update(t)?;
        let (action, message) = match kind {
            ScopeKind::Organization => ("UpdateOrganization", "updated organization"),
            ScopeKind::Space => ("UpdateSpace", "updated space"),
        };
        let action = format!("mondoo.captain.Captain.{action}");
        audit::record(t, caller, &scope, &action, &scope.mrn, message)?;
        Ok(scope)
    })
}

fn of_kind(scope: &Scope, kind: ScopeKind) -> Result<(), Status> {
    if scope.kind == kind {
        return Ok(());
    }
    Err(Status::invalid(format!(
        "{} is not in {}",
        scope.mrn,
        kind.collection()
    )))
}

/// Deletes an organization or a space with all that lives in it. A space is deleted by an owner of
/// its organization (source: Mondoo's documentation of spaces, "Creating and removing spaces").
pub(crate) fn delete(
    core: &Core,
    caller: &Caller,
    kind: ScopeKind,
    mrn: &str,
) -> Result<(), Status> {
    core.store.write(|t| {
        let scope = find_scope(t, mrn)?;
        caller.require(t, &scope.org_mrn, Permission::ManageScopes)?;
        of_kind(&scope, kind)?;
        let (action, message) = match kind {
            ScopeKind::Organization => ("DeleteOrganization", "deleted organization"),
            ScopeKind::Space => ("DeleteSpace", "deleted space"),
        };
        let action = format!("mondoo.captain.Captain.{action}");
        audit::record(t, caller, &scope, &action, mrn, message)?;
        Ok(Scope::remove(t, mrn)?)
    })
}

/// Whether an id is free for an organization or a space, and a free one if it is not.
pub(crate) fn suggest(
    core: &Core,
    kind: ScopeKind,
    wanted: Option<String>,
) -> Result<(String, bool), Status> {
    core.store.read(|c| {
        let mrn = |id: &str| match kind {
            ScopeKind::Organization => ids::organization_mrn(id),
            ScopeKind::Space => ids::space_mrn(id),
        };
        match wanted.filter(|id| !id.is_empty()) {
            Some(id) => {
                let free = ids::is_scope_id(&id) && !exists(c, &mrn(&id))?;
                Ok((id, free))
            }
            None => Ok((ids::new_scope_id()?, true)),
        }
    })
}

/// The spaces on which the caller has roles without having any on their organization.
pub(crate) fn shared(
    core: &Core,
    caller: &Caller,
    page: &PageRequest,
) -> Result<(Page<Scope>, usize), Status> {
    core.store.read(|c| {
        let mut all = Vec::new();
        for space in Scope::spaces_of(c, &caller.identity.mrn)? {
            let organization = find_scope(c, &space.org_mrn)?;
            if !caller.authority(c, &organization)?.is_member() {
                all.push(space);
            }
        }
        let total = all.len();
        let limit = page.limit(core.quirks.page_cap)?;
        let after: Option<String> = page.cursor()?;
        all.retain(|space| after.as_ref().is_none_or(|after| space.id > *after));
        all.truncate(
            usize::try_from(limit)
                .unwrap_or(usize::MAX)
                .saturating_add(1),
        );
        let page = Page::cut(all, limit, after.is_some(), |scope| cursor(&scope.id))?;
        Ok((page, total))
    })
}

/// The first space that the caller may see, by organization and id.
pub(crate) fn first_space(core: &Core, caller: &Caller) -> Result<Option<Scope>, Status> {
    core.store.read(|c| {
        for organization in Scope::organizations_of(c, &caller.identity.mrn)? {
            let unreadable = caller.unreadable(c, &organization.mrn)?;
            if let Some(space) =
                Scope::spaces(c, &organization.mrn, None, &unreadable, "", 1)?.pop()
            {
                return Ok(Some(space));
            }
        }
        let mut shared = Scope::spaces_of(c, &caller.identity.mrn)?;
        shared.truncate(1);
        Ok(shared.pop())
    })
}
