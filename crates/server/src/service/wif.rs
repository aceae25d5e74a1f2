//! Workload identity: which tokens of which issuer may become an account of a scope.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

use crate::{
    core::{Caller, Core, find_scope},
    credential::Credential,
    identity::Identity,
    ids,
    oidc::{self, Claims, FetchDocument},
    quirks::TemporaryAccounts,
    reach,
    roles::{self, Permission},
    status::Status,
    store::{Account, Label, iam},
};

use super::{
    accounts, audit, grants,
    objects::{Kind, Stored},
};

/// A binding. Bindings cannot be changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Binding {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) issuer_uri: String,
    pub(crate) subject: String,
    pub(crate) roles: Vec<String>,
    /// Seconds.
    pub(crate) expiration: i32,
    pub(crate) mappings: Vec<Label>,
    pub(crate) allowed_audiences: Vec<String>,
    /// Milliseconds; 0 if it was never used.
    pub(crate) last_used: i64,
}

impl Kind for Binding {
    const KIND: &'static str = "wif_binding";
    const WHAT: &'static str = "workload identity binding";
}

/// What nothing public tells is taken from Mondoo's example configuration: the role `agent`. An
/// hour is this platform's own choice.
const DEFAULT_EXPIRATION: i32 = 3600;

/// A binding to be made.
pub(crate) struct NewBinding {
    pub(crate) scope_mrn: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) issuer_uri: String,
    pub(crate) subject: String,
    pub(crate) roles: Vec<String>,
    pub(crate) expiration: Option<i32>,
    pub(crate) mappings: Vec<Label>,
    pub(crate) allowed_audiences: Vec<String>,
}

/// What claims are called in mappings (source: Mondoo's documentation of workload identity
/// federation).
const CLAIM: &str = "jwt_claims.";

/// Creates a binding, with roles that the caller may grant. The same issuer and subject in one
/// scope twice is refused.
pub(crate) fn create(
    core: &Core,
    caller: &Caller,
    new: NewBinding,
) -> Result<Stored<Binding>, Status> {
    core.store.write(|t| {
        let (scope, authority) = caller.require(t, &new.scope_mrn, Permission::ManageAccounts)?;
        reach::read(&new.issuer_uri, core.local_issuers())
            .map_err(|why| Status::invalid(format!("issuerUri {:?} {why}", new.issuer_uri)))?;
        if new.subject.is_empty() {
            return Err(Status::invalid("subject is required"));
        }
        if let Some(other) = new.mappings.iter().find(|m| !m.key.starts_with(CLAIM)) {
            return Err(Status::invalid(format!(
                "mapping {:?} does not begin with {CLAIM}",
                other.key
            )));
        }
        let roles = if new.roles.is_empty() {
            vec![roles::expand("agent")]
        } else {
            new.roles
        };
        let binding = Binding {
            name: new.name,
            description: new.description,
            issuer_uri: new.issuer_uri,
            subject: new.subject,
            roles: grants::check(authority, roles)?,
            expiration: match new.expiration {
                None | Some(0) => DEFAULT_EXPIRATION,
                Some(seconds) if seconds > 0 => seconds,
                Some(_) => return Err(Status::invalid("expiration must not be negative")),
            },
            mappings: new.mappings,
            allowed_audiences: new.allowed_audiences,
            last_used: 0,
        };
        let twice = Stored::<Binding>::of_scope(t, &scope.mrn)?
            .iter()
            .any(|other| {
                other.value.issuer_uri == binding.issuer_uri
                    && other.value.subject == binding.subject
            });
        if twice {
            return Err(Status::exists(
                "a binding of this issuer and subject already exists",
            ));
        }
        let id = ids::new_ksuid(caller.now)?;
        let mrn = ids::below_agents(&scope.mrn, ids::BINDINGS, &id);
        let stored = Stored {
            key: scope.mrn.clone(),
            ..Stored::new(caller, &scope.mrn, mrn, binding)
        };
        stored.put(t)?;
        let action = "mondoo.iam.SecureTokenService.CreateWIFAuthBinding";
        audit::record(t, caller, &scope, action, &stored.mrn, "created binding")?;
        Ok(stored)
    })
}

/// Reads a binding.
pub(crate) fn read(core: &Core, caller: &Caller, mrn: &str) -> Result<Stored<Binding>, Status> {
    core.store.read(|c| {
        let binding: Stored<Binding> = Stored::find(c, mrn)?;
        caller.require(c, binding.scope()?, Permission::ReadAccounts)?;
        Ok(binding)
    })
}

/// All bindings of a scope.
pub(crate) fn list(
    core: &Core,
    caller: &Caller,
    scope_mrn: &str,
) -> Result<Vec<Stored<Binding>>, Status> {
    core.store.read(|c| {
        caller.require(c, scope_mrn, Permission::ReadAccounts)?;
        Stored::of_scope(c, scope_mrn)
    })
}

/// Removes a binding and the accounts it has vouched for.
pub(crate) fn remove(core: &Core, caller: &Caller, mrn: &str) -> Result<(), Status> {
    core.store.write(|t| {
        let binding: Stored<Binding> = Stored::find(t, mrn)?;
        let (scope, _) = caller.require(t, binding.scope()?, Permission::ManageAccounts)?;
        remove_accounts(core, t, &binding, i64::MAX, caller.now)?;
        binding.remove(t)?;
        let action = "mondoo.iam.SecureTokenService.RemoveWIFAuthBinding";
        audit::record(t, caller, &scope, action, mrn, "removed binding")
    })
}

/// Removes the accounts of a binding that end by a time, in milliseconds.
fn remove_accounts(
    core: &Core,
    t: &Transaction<'_>,
    binding: &Stored<Binding>,
    by: i64,
    now: Timestamp,
) -> Result<(), Status> {
    for account in Account::made_by(t, binding.scope()?, &binding.mrn)? {
        if account.valid_until.is_none_or(|end| end <= by) {
            Account::remove(t, &account.mrn, core.write_moment(now))?;
        }
    }
    Ok(())
}

fn refused(why: &str) -> Status {
    Status::unauthenticated(format!("external token refused: {why}"))
}

/// What is to be exchanged.
pub(crate) struct Exchange<'a> {
    /// The scope in which the issuer must be bound.
    pub(crate) audience: &'a str,
    pub(crate) issuer_uri: &'a str,
    pub(crate) token: &'a str,
}

/// Exchanges a token of an external issuer for a temporary account on the scope that the audience
/// names. The issuer is asked only if somebody has bound it there.
pub(crate) fn exchange(
    core: &Core,
    fetch: &dyn FetchDocument,
    asked: &Exchange<'_>,
    now: Timestamp,
    ip: Option<IpAddr>,
) -> Result<Credential, Status> {
    let bindings: Vec<Stored<Binding>> = core.store.read(|c| {
        let mut bindings = Stored::<Binding>::of_scope(c, asked.audience)?;
        bindings.retain(|binding| binding.value.issuer_uri == asked.issuer_uri);
        Ok::<_, Status>(bindings)
    })?;
    if bindings.is_empty() {
        return Err(refused("its issuer is not bound"));
    }
    // Not while the store is held: the issuer may take its time.
    let claims = oidc::verify(
        asked.token,
        asked.issuer_uri,
        fetch,
        core.local_issuers(),
        now,
    )
    .map_err(|why| refused(&why.to_string()))?;
    let mut why = "its subject is not bound";
    for binding in bindings {
        if claims.subject() != Some(binding.value.subject.as_str()) {
            continue;
        }
        match check(&binding.value, &claims) {
            Ok(()) => return issue(core, &binding.mrn, now, ip),
            Err(reason) => why = reason,
        }
    }
    Err(refused(why))
}

fn check(binding: &Binding, claims: &Claims) -> Result<(), &'static str> {
    if !claims.is_for(&binding.allowed_audiences) {
        return Err("its audience is not allowed");
    }
    let holds = |label: &Label| {
        label
            .key
            .strip_prefix(CLAIM)
            .is_some_and(|claim| claims.holds(claim, label.value.as_deref().unwrap_or_default()))
    };
    if binding.mappings.iter().all(holds) {
        Ok(())
    } else {
        Err("its claims are not those of the binding")
    }
}

fn issue(
    core: &Core,
    binding: &str,
    now: Timestamp,
    ip: Option<IpAddr>,
) -> Result<Credential, Status> {
    core.store.write(|t| {
        // It may have been removed while its issuer was asked.
        let mut binding = Stored::<Binding>::look_up(t, binding)?
            .ok_or_else(|| refused("its issuer is not bound"))?;
        let before = match core.quirks.temporary_accounts {
            TemporaryAccounts::Same => Account::made_by(t, binding.scope()?, &binding.mrn)?
                .into_iter()
                .next(),
            TemporaryAccounts::New => {
                remove_accounts(core, t, &binding, now.as_millisecond(), now)?;
                None
            }
        };
        let scope = find_scope(t, binding.scope()?)?;
        let id = ids::new_ksuid(now)?;
        let end = now + SignedDuration::from_secs(i64::from(binding.value.expiration));
        let valid_until = Some(end.as_millisecond());
        let new = || Account {
            mrn: ids::account_mrn(&scope.mrn, &id),
            id: id.clone(),
            name: binding.value.name.clone(),
            description: "Temporary account of a workload identity".to_owned(),
            creator: Some(binding.mrn.clone()),
            valid_until,
            ..accounts::blank(&scope, now)
        };
        let account = match before {
            Some(same) => Account {
                valid_until,
                ..same
            },
            None => new(),
        };
        let (account, credential) = accounts::issue(core, t, account, now)?;
        let moment = core.write_moment(now);
        iam::set_roles(t, &scope.mrn, &account.mrn, &binding.value.roles, moment)?;
        binding.value.last_used = now.as_millisecond();
        binding.put(t)?;
        let caller = Caller {
            identity: Identity::new(binding.mrn.clone()),
            now,
            ip,
            stale_ms: 0,
            veil: core.veil(),
        };
        let action = "mondoo.iam.SecureTokenService.ExchangeExternalToken";
        audit::record(
            t,
            &caller,
            &scope,
            action,
            &account.mrn,
            "exchanged external token",
        )?;
        Ok(credential)
    })
}
