//! The audit log: every change records itself in its own transaction, so that neither is without
//! the other.

use rusqlite::Connection;

use crate::{
    core::{Caller, Core, find_scope},
    roles::Permission,
    status::Status,
    store::{Account, Entry, Filter, Object, Scope, Token, User},
};

use super::{Page, PageRequest};

/// A scope's MRN and its organization's, as an entry keeps them.
pub(crate) struct Where<'a> {
    pub(crate) mrn: &'a str,
    pub(crate) org_mrn: &'a str,
}

impl<'a> From<&'a Scope> for Where<'a> {
    fn from(scope: &'a Scope) -> Self {
        Self {
            mrn: &scope.mrn,
            org_mrn: &scope.org_mrn,
        }
    }
}

/// Notes a change. `action` is the gRPC method, such as
/// `mondoo.agents.AgentManager.CreateServiceAccount` (source: the audit log's documentation,
/// `maintain/log`).
pub(crate) fn record<'a>(
    connection: &Connection,
    caller: &Caller,
    scope: impl Into<Where<'a>>,
    action: &str,
    resource: &str,
    message: &str,
) -> Result<(), Status> {
    let Where { mrn, org_mrn } = scope.into();
    let entry = Entry {
        id: 0,
        at: caller.now.as_millisecond(),
        identity_mrn: caller.identity.mrn.clone(),
        identity_name: name_of(connection, &caller.identity.mrn)?,
        action: action.to_owned(),
        resource: resource.to_owned(),
        parent: mrn.to_owned(),
        message: message.to_owned(),
        ip: caller.ip.map(|ip| ip.to_string()),
    };
    Ok(entry.append(connection, org_mrn)?)
}

/// What people call an identity: its name, or nothing.
pub(crate) fn name_of(connection: &Connection, mrn: &str) -> Result<String, Status> {
    if let Some(account) = Account::find(connection, mrn, None)? {
        return Ok(account.name);
    }
    if let Some(token) = Token::find(connection, mrn)? {
        return Ok(token.name);
    }
    Ok(User::find(connection, mrn)?.map_or(String::new(), |user| user.name))
}

/// A page of the log, and how many lines there are in all. Cursors are decimal numbers, as those of
/// the platform (source: the same page).
pub(crate) fn list(
    core: &Core,
    caller: &Caller,
    filter: &Filter,
    descending: bool,
    page: &PageRequest,
) -> Result<(Page<Entry>, i32), Status> {
    core.store.read(|c| {
        require_resource(c, caller, &filter.resource, Permission::ReadScope)?;
        let limit = page.limit(core.quirks.page_cap)?;
        let after = match page.after.as_deref() {
            None | Some("") => None,
            Some(text) => Some(
                text.parse::<i64>()
                    .map_err(|_| Status::invalid("invalid cursor"))?,
            ),
        };
        let rows = Entry::page(c, filter, descending, after, limit + 1)?;
        let page = Page::cut(rows, limit, after.is_some(), |entry| {
            Ok(entry.id.to_string())
        })?;
        Ok((page, Entry::count(c, filter)?))
    })
}

/// Checks a right on a scope, or on the scope of something that lives in one.
pub(crate) fn require_resource(
    connection: &Connection,
    caller: &Caller,
    resource: &str,
    permission: Permission,
) -> Result<Scope, Status> {
    let scope_mrn = match Account::find(connection, resource, None)? {
        Some(account) => account.scope_mrn,
        None => match any_object(connection, resource)? {
            Some(object) => object
                .scope_mrn
                .ok_or_else(|| Status::not_found("resource", resource))?,
            None => find_scope(connection, resource)?.mrn,
        },
    };
    Ok(caller.require(connection, &scope_mrn, permission)?.0)
}

/// Teams and workspaces have a scope, contacts and a log of their own.
fn any_object(connection: &Connection, mrn: &str) -> Result<Option<Object>, Status> {
    for kind in ["team", "workspace"] {
        if let Some(object) = Object::find(connection, kind, mrn)? {
            return Ok(Some(object));
        }
    }
    Ok(None)
}
