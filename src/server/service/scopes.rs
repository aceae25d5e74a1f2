//! Organizations and spaces.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use crate::server::{
    core::{Caller, Core, find_scope},
    ids::{self, ScopeKind},
    roles::Permission,
    status::Status,
    store::{Label, Member, Scope, iam},
};

use super::{Page, PageRequest, cursor};

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
            Err(Status::denied())
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
        let rows = Scope::spaces(c, org_mrn, query, after.as_deref().unwrap_or(""), limit + 1)?;
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
        Ok(Scope::count_spaces(c, org_mrn, query)?)
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
        let id = match new.id.filter(|id| !id.is_empty()) {
            Some(id) if ids::is_scope_id(&id) => id,
            Some(id) => return Err(Status::invalid(format!("invalid id {id:?}"))),
            None => ids::new_scope_id()?,
        };
        let mut scope = space(&id, &new.name, &organization.mrn, caller.now);
        scope.description = new.description;
        scope.settings = new.settings;
        scope.annotations = new.annotations;
        insert(t, &scope)?;
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
