//! The members of organizations and spaces.

use async_graphql::{Context, Result, SimpleObject};

use crate::{
    service::{PageRequest, scopes},
    store::{self, Member},
};

use super::{
    inputs::{MembershipOrder, MembershipOrderField, OrderDirection},
    leaves::{PageInfo, Role, roles_of},
    limits,
};

/// Resolves `members` of a scope.
pub(crate) fn list(
    context: &Context<'_>,
    scope_mrn: &str,
    role: Option<String>,
    order: Option<MembershipOrder>,
    page: PageRequest,
) -> Result<Option<MembershipConnection>> {
    let descending = match order {
        Some(MembershipOrder {
            direction,
            field: MembershipOrderField::Name,
        }) => direction == OrderDirection::Desc,
        None => false,
    };
    let role = role.filter(|role| !role.is_empty());
    let read = |core: &_, caller: &_| {
        scopes::members(core, caller, scope_mrn, role.as_deref(), descending, &page)
    };
    let (page, total) = limits::list(context, read, |(page, _)| page.items.len())?;
    let page_info = PageInfo::of(&page);
    let edge = |(cursor, member): (String, Member)| MembershipEdge {
        cursor,
        node: Membership {
            user: member.user.map(User::of),
            roles: Some(roles_of(&member.roles)),
        },
    };
    Ok(Some(MembershipConnection {
        total_count: i32::try_from(total).unwrap_or(i32::MAX),
        edges: page.items.into_iter().map(edge).collect(),
        page_info,
    }))
}

#[derive(SimpleObject)]
pub(crate) struct MembershipConnection {
    total_count: i32,
    edges: Vec<MembershipEdge>,
    page_info: PageInfo,
}

#[derive(SimpleObject)]
pub(crate) struct MembershipEdge {
    cursor: String,
    node: Membership,
}

#[derive(SimpleObject)]
pub(crate) struct Membership {
    user: Option<User>,
    roles: Option<Vec<Role>>,
}

#[derive(SimpleObject)]
pub(crate) struct User {
    mrn: String,
    email: Option<String>,
    name: Option<String>,
}

impl User {
    /// A user as everybody who may see them sees them.
    pub(crate) fn of(user: store::User) -> Self {
        let store::User { mrn, email, name } = user;
        Self {
            mrn,
            email: Some(email),
            name: Some(name),
        }
    }
}
