//! Roles of identities on scopes.

use rusqlite::{Connection, Transaction};

use crate::{
    core::{Caller, Core, find_scope},
    ids,
    quirks::ClearRoles,
    roles::{self, Authority, Permission},
    status::Status,
    store::{Account, Scope, Token, User, iam},
};

use super::{Batch, audit};

/// Checks roles that a caller wants to give: all must exist, none may exceed the caller's own.
/// Doubles are dropped.
pub(crate) fn check(authority: Authority, roles: Vec<String>) -> Result<Vec<String>, Status> {
    let mut checked: Vec<String> = Vec::with_capacity(roles.len());
    for mrn in roles {
        // Terraform's provider sends what its user wrote, short names included; what the platform
        // makes of those is unknown, and to refuse them is the answer that hides no mistake.
        let role =
            roles::find(&mrn).ok_or_else(|| Status::invalid(format!("unknown role {mrn:?}")))?;
        if !authority.may_grant(role) {
            return Err(Status::denied());
        }
        if !checked.contains(&mrn) {
            checked.push(mrn);
        }
    }
    Ok(checked)
}

/// An identity as requests name it, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Grantee {
    /// What bindings carry: the MRN, or the email of somebody invited.
    pub(crate) key: String,
    pub(crate) mrn: Option<String>,
    pub(crate) email: Option<String>,
}

/// Resolves an MRN or email. Service accounts and tokens must exist; other MRNs need only look
/// like one (Terraform's tests bind roles to teams), and an unknown email is an invitation.
pub(crate) fn subject(connection: &Connection, identity: &str) -> Result<Grantee, Status> {
    if let Some(user) = User::find(connection, identity)? {
        return Ok(Grantee {
            key: user.mrn.clone(),
            mrn: Some(user.mrn),
            email: Some(user.email),
        });
    }
    if ids::is_mrn(identity) {
        return Ok(Grantee {
            key: identity.to_owned(),
            mrn: Some(identity.to_owned()),
            email: None,
        });
    }
    match identity.split_once('@') {
        Some((local, domain)) if !local.is_empty() && domain.contains('.') => {
            let email = identity.to_lowercase();
            Ok(Grantee {
                key: email.clone(),
                mrn: None,
                email: Some(email),
            })
        }
        _ => Err(Status::invalid(format!("invalid identity {identity:?}"))),
    }
}

/// Makes sure that an identity may have roles on a scope: an account of a space has them there
/// only, one of an organization there and on its spaces.
fn check_reach(connection: &Connection, subject: &Grantee, scope: &Scope) -> Result<(), Status> {
    let home = match &subject.mrn {
        Some(mrn) if ids::scope_of_account(mrn).is_some() => Account::find(connection, mrn, None)?
            .map(|account| account.scope_mrn)
            .ok_or_else(|| Status::not_found("service account", mrn))?,
        Some(mrn) => match Token::find(connection, mrn)? {
            Some(token) => token.scope_mrn,
            None => return Ok(()),
        },
        None => return Ok(()),
    };
    if home == scope.mrn || home == scope.org_mrn {
        Ok(())
    } else {
        Err(Status::invalid(format!(
            "{} is not a scope of {}",
            scope.mrn, subject.key
        )))
    }
}

/// The roles an identity has on a scope: those bound there, and the implicit one of members.
/// Roles inherited from the organization are not repeated.
pub(crate) fn get(
    core: &Core,
    caller: &Caller,
    identity: &str,
    scope_mrn: &str,
) -> Result<(Grantee, Vec<String>), Status> {
    core.store.read(|c| {
        let subject = subject(c, identity)?;
        let scope = find_scope(c, scope_mrn)?;
        let own = subject.key == caller.identity.mrn;
        if !own && !caller.authority(c, &scope)?.allows(Permission::ReadScope) {
            return Err(caller.refused(&scope));
        }
        let as_of = caller.read_as_of(core);
        let mut roles = iam::roles(c, &scope.mrn, &subject.key, as_of)?;
        let inherited = scope.org_mrn != scope.mrn
            && !iam::roles(c, &scope.org_mrn, &subject.key, as_of)?.is_empty();
        let at_home = Account::find(c, &subject.key, as_of)?
            .is_some_and(|account| account.scope_mrn == scope.mrn);
        if at_home || inherited || !roles.is_empty() {
            roles.push(scope.kind.implicit_role().to_owned());
        }
        Ok((subject, roles))
    })
}

/// Replaces roles: every pair is an identity and all the roles it shall have on the scope.
pub(crate) fn set(
    core: &Core,
    caller: &Caller,
    scope_mrn: &str,
    updates: Vec<(String, Vec<String>)>,
) -> Result<(Batch, Option<Grantee>), Status> {
    core.store.write(|t| {
        let (scope, authority) = caller.require(t, scope_mrn, Permission::SetRoles)?;
        let mut batch = Batch::default();
        let mut last = None;
        for (identity, roles) in updates {
            let result = set_one(core, caller, t, &scope, authority, &identity, roles);
            let result = result.map(|subject| last = Some(subject));
            batch.record(&identity, result)?;
        }
        Ok((batch.finish()?, last))
    })
}

fn set_one(
    core: &Core,
    caller: &Caller,
    transaction: &Transaction<'_>,
    scope: &Scope,
    authority: Authority,
    identity: &str,
    roles: Vec<String>,
) -> Result<Grantee, Status> {
    if roles.is_empty() && core.quirks.clear_roles == ClearRoles::Refuse {
        return Err(Status::invalid("roles must not be empty"));
    }
    let roles = check(authority, roles)?;
    let subject = subject(transaction, identity)?;
    check_reach(transaction, &subject, scope)?;
    iam::set_roles(
        transaction,
        &scope.mrn,
        &subject.key,
        &roles,
        core.write_moment(caller.now),
    )?;
    let message = if roles.is_empty() {
        "removed all roles".to_owned()
    } else {
        let names: Vec<&str> = roles.iter().filter_map(|r| r.rsplit('/').next()).collect();
        format!("set roles {}", names.join(", "))
    };
    let action = match scope.kind {
        ids::ScopeKind::Organization => "mondoo.captain.Captain.SetOrganizationMembership",
        ids::ScopeKind::Space => "mondoo.captain.Captain.SetSpaceMembership",
    };
    audit::record(transaction, caller, scope, action, &subject.key, &message)?;
    Ok(subject)
}

/// Those of the actions that the caller may do on a resource.
pub(crate) fn allowed_actions(
    core: &Core,
    caller: &Caller,
    resource_mrn: &str,
    actions: Vec<String>,
) -> Result<Vec<String>, Status> {
    core.store.read(|c| {
        let scope = find_scope(c, resource_mrn)?;
        let authority = caller.authority(c, &scope)?;
        Ok(actions
            .into_iter()
            .filter(|action| authority.allows_action(action))
            .collect())
    })
}
