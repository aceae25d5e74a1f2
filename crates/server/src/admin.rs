//! What the owner of the process may do beside the API: first credential, missing scopes, and
//! changes behind a client's back for tests.

use jiff::Timestamp;
use rusqlite::Transaction;
use serde_json::{Value, json};

use super::{
    app::App,
    core::{Core, find_scope},
    credential::Credential,
    error::Error,
    ids, roles,
    seed::{self, SeedAccount},
    service::{accounts, scopes},
    status::Status,
    store::{self, Account, Label, Scope, User, iam},
};

/// The note that holds the MRN of the account of the first credential.
const OWNER: &str = "owner";

impl App {
    /// Issues the first credential, once in the platform's life: an account of the organization,
    /// created by one of its owners, which is owner of every organization. Later calls give
    /// nothing, but make it owner of organizations that were added.
    pub fn ensure_owner(
        &self,
        organization_id: &str,
        now: Timestamp,
    ) -> Result<Option<Credential>, Error> {
        let core = &self.core;
        core.store.write(|t| {
            if let Some(mrn) = store::meta_get(t, OWNER)? {
                if Account::find(t, &mrn, None)?.is_some() {
                    own_everything(core, t, &mrn, now)?;
                }
                return Ok(None);
            }
            let scope = find_scope(t, &ids::organization_mrn(organization_id))?;
            let id = ids::new_ksuid(now)?;
            let account = Account {
                mrn: ids::account_mrn(&scope.mrn, &id),
                id,
                name: "platform owner".to_owned(),
                description: "First credential of this platform".to_owned(),
                creator: Some(first_owner(core, t, &scope, now)?),
                ..accounts::blank(&scope, now)
            };
            let credential = accounts::issue(core, t, account, now)?.1;
            own_everything(core, t, &credential.mrn, now)?;
            store::meta_set(t, OWNER, &credential.mrn)?;
            Ok(Some(credential))
        })
    }

    /// Creates the organizations, given as (id, name), and spaces, given as (id, name, id of the
    /// organization), that are missing. What is there stays as it is.
    pub fn ensure_scopes(
        &self,
        organizations: &[(&str, &str)],
        spaces: &[(&str, &str, &str)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let check = |id: &str| {
            if ids::is_resource_id(id) {
                Ok(())
            } else {
                Err(Status::invalid(format!("invalid id {id:?}")))
            }
        };
        Ok(self.core.store.write(|t| {
            for (id, name) in organizations {
                check(id)?;
                let scope = scopes::organization(id, name, now);
                if !scopes::exists(t, &scope.mrn)? {
                    scope.insert(t)?;
                }
            }
            for (id, name, organization_id) in spaces {
                check(id)?;
                let organization = find_scope(t, &ids::organization_mrn(organization_id))?;
                let scope = scopes::space(id, name, &organization.mrn, now);
                if !scopes::exists(t, &scope.mrn)? {
                    scope.insert(t)?;
                }
            }
            Ok::<_, Status>(())
        })?)
    }

    /// Creates an account without a key, whatever the rules say; answers its MRN.
    pub fn admin_create_account(
        &self,
        scope_mrn: &str,
        account: &SeedAccount,
        now: Timestamp,
    ) -> Result<String, Error> {
        let account = match account.id {
            Some(_) => account.clone(),
            None => SeedAccount {
                id: Some(ids::new_ksuid(now)?),
                ..account.clone()
            },
        };
        self.core.store.write(|t| {
            let scope = find_scope(t, scope_mrn)?;
            seed::account(&self.core, t, &scope, &account, 0, now)
        })
    }

    /// Creates an API token with the given text; answers its MRN.
    pub fn admin_create_token(
        &self,
        scope_mrn: &str,
        name: &str,
        token: &str,
        roles: &[&str],
        now: Timestamp,
    ) -> Result<String, Error> {
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        self.core.store.write(|t| {
            let scope = find_scope(t, scope_mrn)?;
            seed::token(&self.core, t, &scope, name, token, &roles, now)
        })
    }

    /// Gives an account a new key; one it had before no longer works.
    pub fn admin_issue_credential(&self, mrn: &str, now: Timestamp) -> Result<Credential, Error> {
        Ok(self.core.store.write(|t| {
            let account = find_account(t, mrn)?;
            accounts::issue(&self.core, t, account, now).map(|(_, credential)| credential)
        })?)
    }

    /// Replaces the roles, by MRN or short name, of an identity on a scope.
    pub fn admin_set_roles(
        &self,
        scope_mrn: &str,
        identity: &str,
        roles: &[&str],
        now: Timestamp,
    ) -> Result<(), Error> {
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        self.core.store.write(|t| {
            let scope = find_scope(t, scope_mrn)?;
            seed::bind(&self.core, t, &scope, identity, &roles, now)
        })
    }

    /// Closes a space to roles on its organization, as the quirk `closed_spaces` does from the
    /// begin. Nothing notes it: a platform that is opened again knows its quirks only.
    pub fn admin_close_space(&self, mrn: &str) -> Result<(), Error> {
        let space = self.core.store.read(|c| find_scope(c, mrn))?;
        if space.mrn == space.org_mrn {
            return Err(Error::Refused(format!("{mrn} is not a space")));
        }
        self.core.close(space.mrn);
        Ok(())
    }

    /// The ids in the quirk `closed_spaces` of which this platform has no space.
    pub fn unknown_closed_spaces(&self) -> Result<Vec<String>, Error> {
        let wanted = &self.core.quirks.closed_spaces;
        Ok(self.core.store.read(|c| {
            let mut unknown = Vec::new();
            for id in wanted {
                if !scopes::exists(c, &ids::space_mrn(id))? {
                    unknown.push(id.clone());
                }
            }
            Ok::<_, Status>(unknown)
        })?)
    }

    /// Replaces the labels of an account.
    pub fn admin_update_labels(
        &self,
        mrn: &str,
        labels: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<(), Error> {
        Ok(self.core.store.write(|t| {
            let mut account = find_account(t, mrn)?;
            account.labels = labels
                .iter()
                .map(|(key, value)| Label {
                    key: (*key).to_owned(),
                    value: Some((*value).to_owned()),
                })
                .collect();
            Ok::<_, Status>(account.put(t, self.core.write_moment(now))?)
        })?)
    }

    /// Deletes an account.
    pub fn admin_delete(&self, mrn: &str, now: Timestamp) -> Result<(), Error> {
        Ok(self.core.store.write(|t| {
            let account = find_account(t, mrn)?;
            Ok::<_, Status>(Account::remove(
                t,
                &account.mrn,
                self.core.write_moment(now),
            )?)
        })?)
    }

    /// Everything that is true now, in a fixed order, without keys and tokens.
    pub fn dump(&self) -> Result<Value, Error> {
        Ok(self.core.store.read(|c| {
            let scopes: Vec<Value> = Scope::all(c)?.iter().map(scope_json).collect();
            let users: Vec<Value> = User::all(c)?
                .iter()
                .map(|u| json!({ "mrn": u.mrn, "email": u.email, "name": u.name }))
                .collect();
            let accounts: Vec<Value> = Account::all(c)?.iter().map(account_json).collect();
            let bindings: Vec<Value> = iam::bindings(c)?
                .iter()
                .map(|(scope, identity, roles)| {
                    json!({ "scope_mrn": scope, "identity": identity, "roles": roles })
                })
                .collect();
            Ok::<_, Status>(json!({
                "scopes": scopes,
                "users": users,
                "accounts": accounts,
                "bindings": bindings,
            }))
        })?)
    }
}

fn find_account(t: &Transaction<'_>, mrn: &str) -> Result<Account, Status> {
    Account::find(t, mrn, None)?.ok_or_else(|| Status::not_found("service account", mrn))
}

fn own_everything(
    core: &Core,
    t: &Transaction<'_>,
    mrn: &str,
    now: Timestamp,
) -> Result<(), Status> {
    let owner = vec![roles::expand("owner")];
    for scope in Scope::all(t)?
        .iter()
        .filter(|scope| scope.mrn == scope.org_mrn)
    {
        if iam::roles(t, &scope.mrn, mrn, None)?.is_empty() {
            iam::set_roles(t, &scope.mrn, mrn, &owner, core.write_moment(now))?;
        }
    }
    Ok(())
}

/// The first user who owns the organization; without one, somebody is made who does.
fn first_owner(
    core: &Core,
    t: &Transaction<'_>,
    scope: &Scope,
    now: Timestamp,
) -> Result<String, Status> {
    let owner = roles::expand("owner");
    for member in iam::members(t, &scope.mrn)? {
        if let Some(user) = member.user
            && member.roles.contains(&owner)
        {
            return Ok(user.mrn);
        }
    }
    let mrn = seed::user(t, "operator@localhost", "Local operator", now)?;
    iam::set_roles(t, &scope.mrn, &mrn, &[owner], core.write_moment(now))?;
    Ok(mrn)
}

fn scope_json(scope: &Scope) -> Value {
    json!({
        "mrn": scope.mrn,
        "id": scope.id,
        "organization_mrn": scope.org_mrn,
        "name": scope.name,
        "description": scope.description,
        "created_at": ids::rfc3339(scope.created_at),
    })
}

fn account_json(account: &Account) -> Value {
    json!({
        "mrn": account.mrn,
        "scope_mrn": account.scope_mrn,
        "name": account.name,
        "description": account.description,
        "notes": account.notes,
        "labels": account.labels,
        "creator": account.creator,
        "created_at": ids::rfc3339(account.created_at),
        "last_used": (account.last_used > 0).then(|| ids::rfc3339(account.last_used)),
        "valid_until": account.valid_until.map(ids::rfc3339),
        "has_key": account.certificate.is_some(),
    })
}
