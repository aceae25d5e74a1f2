//! Registration tokens, with which agents log in, and API tokens.
//!
//! A token's text is handed out once; only its hash is stored.

use jiff::Timestamp;
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    auth,
    core::{Caller, Core},
    hash::{hex, sha256},
    ids, jws,
    roles::Permission,
    status::Status,
    store::{self, Label, Token, User, iam},
};

use super::{
    Page, PageRequest, audit, grants,
    objects::{self, Kind, Stored},
};

/// A registration token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) labels: Vec<Label>,
    pub(crate) roles: Vec<String>,
    pub(crate) revoked: bool,
    pub(crate) created_by: String,
    /// Milliseconds; none if it never ends.
    pub(crate) expires_at: Option<i64>,
}

impl Kind for Registration {
    const KIND: &'static str = "registration_token";
    const WHAT: &'static str = "registration token";
}

/// A registration token to be made.
pub(crate) struct NewRegistration {
    pub(crate) scope_mrn: Option<String>,
    /// Seconds.
    pub(crate) expires_in: Option<i32>,
    pub(crate) no_expiration: bool,
    pub(crate) description: String,
    pub(crate) roles: Vec<String>,
    pub(crate) labels: Vec<Label>,
}

/// Signs with the platform's own key, which is made the first time.
fn sign(t: &Transaction<'_>, claims: &Value) -> Result<String, Status> {
    const KEY: &str = "platform_key";
    let key = match store::meta_get(t, KEY)? {
        Some(key) => key,
        None => {
            let key = jws::new_signing_key()?;
            store::meta_set(t, KEY, &key)?;
            key
        }
    };
    jws::sign(&key, claims)
}

fn required(scope: Option<String>) -> Result<String, Status> {
    scope
        .filter(|mrn| !mrn.is_empty())
        .ok_or_else(|| Status::invalid("scopeMrn is required"))
}

/// Makes a registration token; answers its text too. Its claims are those of a token in a public
/// issue of cnspec (mondoohq/cnspec#1342), decoded.
pub(crate) fn generate_registration(
    core: &Core,
    caller: &Caller,
    new: NewRegistration,
) -> Result<(Stored<Registration>, String), Status> {
    core.store.write(|t| {
        let scope_mrn = required(new.scope_mrn)?;
        let (scope, authority) = caller.require(t, &scope_mrn, Permission::ManageAccounts)?;
        let roles = grants::check(authority, new.roles)?;
        let now = caller.now.as_second();
        let end = match (new.no_expiration, new.expires_in) {
            // The schema says of an absent expiresIn that the token does not expire.
            (true, _) | (false, None | Some(0)) => None,
            (false, Some(seconds)) if seconds > 0 => Some(now + i64::from(seconds)),
            (false, Some(_)) => return Err(Status::invalid("expiresIn must not be negative")),
        };
        let id = ids::new_ksuid(caller.now)?;
        let labels: serde_json::Map<String, Value> = new
            .labels
            .iter()
            .map(|label| (label.key.clone(), json!(label.value)))
            .collect();
        let mut claims = json!({
            "api_endpoint": core.base_url(),
            "aud": ["mondoo"],
            "cert_valid_until": "9999-12-31T23:59:59Z",
            "desc": new.description,
            "iat": now,
            "iss": auth::ISSUER,
            "labels": if labels.is_empty() { Value::Null } else { Value::Object(labels) },
            "nbf": now,
            "owner": "",
            "scope": scope.mrn,
            "space": scope.mrn,
            "sub": caller.identity.mrn,
            // Two tokens of one second must not be one text.
            "jti": id,
        });
        if let (Some(end), Some(claims)) = (end, claims.as_object_mut()) {
            claims.insert("exp".to_owned(), json!(end));
        }
        let text = sign(t, &claims)?;
        let stored = Stored {
            key: hex(&sha256(text.as_bytes())),
            ..Stored::new(
                caller,
                &scope.mrn,
                ids::below_agents(&scope.mrn, "registrationtokens", &id),
                Registration {
                    id,
                    description: new.description,
                    labels: new.labels,
                    roles,
                    revoked: false,
                    created_by: caller.identity.mrn.clone(),
                    expires_at: end.map(|seconds| seconds.saturating_mul(1000)),
                },
            )
        };
        stored.put(t)?;
        let action = "mondoo.agents.AgentManager.GenerateRegistrationToken";
        audit::record(
            t,
            caller,
            &scope,
            action,
            &stored.mrn,
            "generated registration token",
        )?;
        Ok((stored, text))
    })
}

/// A page of a scope's registration tokens and how many there are.
pub(crate) fn registrations(
    core: &Core,
    caller: &Caller,
    scope_mrn: Option<String>,
    by: impl Fn(&Stored<Registration>) -> String,
    descending: bool,
    page: &PageRequest,
) -> Result<(Page<Stored<Registration>>, usize), Status> {
    core.store.read(|c| {
        let scope_mrn = required(scope_mrn)?;
        caller.require(c, &scope_mrn, Permission::ReadAccounts)?;
        let all = Stored::<Registration>::of_scope(c, &scope_mrn)?;
        let total = all.len();
        let page = objects::page(all, by, descending, page, core.quirks.page_cap)?;
        Ok((page, total))
    })
}

/// Revokes a registration token; `None` if the MRN is not one of a token.
pub(crate) fn revoke_registration(
    core: &Core,
    caller: &Caller,
    mrn: &str,
) -> Result<Option<()>, Status> {
    core.store.write(|t| {
        let Some(mut token) = Stored::<Registration>::look_up(t, mrn)? else {
            return Ok(None);
        };
        let (scope, _) = caller.require(t, token.scope()?, Permission::ManageAccounts)?;
        token.value.revoked = true;
        token.put(t)?;
        let action = "mondoo.agents.AgentManager.RevokeRegistrationToken";
        audit::record(t, caller, &scope, action, mrn, "revoked registration token")?;
        Ok(Some(()))
    })
}

/// What is known of an API token besides what authenticates it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ApiToken {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) creator: String,
    pub(crate) creator_email: Option<String>,
}

impl Kind for ApiToken {
    const KIND: &'static str = "api_token";
    const WHAT: &'static str = "api token";
}

/// An API token with what is looked up beside it.
pub(crate) struct ApiTokenView {
    pub(crate) stored: Stored<ApiToken>,
    pub(crate) roles: Vec<String>,
    /// Milliseconds; 0 if it never authenticated.
    pub(crate) last_used: i64,
}

fn view(c: &rusqlite::Connection, stored: Stored<ApiToken>) -> Result<ApiTokenView, Status> {
    Ok(ApiTokenView {
        roles: iam::roles(c, stored.scope()?, &stored.mrn, None)?,
        last_used: Token::find(c, &stored.mrn)?.map_or(0, |token| token.last_used),
        stored,
    })
}

/// Makes an API token with roles that the caller may grant; answers its text too.
pub(crate) fn generate_api(
    core: &Core,
    caller: &Caller,
    scope_mrn: Option<String>,
    name: String,
    description: String,
    roles: Vec<String>,
) -> Result<(Stored<ApiToken>, String), Status> {
    core.store.write(|t| {
        let scope_mrn = required(scope_mrn)?;
        let (scope, authority) = caller.require(t, &scope_mrn, Permission::ManageAccounts)?;
        let roles = grants::check(authority, roles)?;
        let id = ids::new_ksuid(caller.now)?;
        let mrn = ids::token_mrn(&scope.mrn, &id);
        let now = caller.now.as_second();
        let claims = json!({
            "iss": auth::ISSUER, "sub": mrn, "iat": now, "nbf": now, "jti": id,
        });
        let text = sign(t, &claims)?;
        Token {
            hash: sha256(text.as_bytes()),
            mrn: mrn.clone(),
            scope_mrn: scope.mrn.clone(),
            name: name.clone(),
            created_at: caller.now.as_millisecond(),
            last_used: 0,
        }
        .insert(t)?;
        let stored = Stored::new(
            caller,
            &scope.mrn,
            mrn,
            ApiToken {
                name,
                description,
                creator: caller.identity.mrn.clone(),
                creator_email: User::find(t, &caller.identity.mrn)?.map(|user| user.email),
            },
        );
        stored.put(t)?;
        let moment = core.write_moment(caller.now);
        iam::set_roles(t, &scope.mrn, &stored.mrn, &roles, moment)?;
        let action = "mondoo.iam.IAM.GenerateAPIToken";
        audit::record(
            t,
            caller,
            &scope,
            action,
            &stored.mrn,
            "generated api token",
        )?;
        Ok((stored, text))
    })
}

/// A page of a scope's API tokens and how many there are.
pub(crate) fn api_tokens(
    core: &Core,
    caller: &Caller,
    scope_mrn: Option<String>,
    terms: &[String],
    order: (impl Fn(&Stored<ApiToken>, i64) -> String, bool),
    page: &PageRequest,
) -> Result<(Page<ApiTokenView>, usize), Status> {
    core.store.read(|c| {
        let scope_mrn = required(scope_mrn)?;
        caller.require(c, &scope_mrn, Permission::ReadAccounts)?;
        let mut all = Stored::<ApiToken>::of_scope(c, &scope_mrn)?;
        all.retain(|token| {
            let text = format!("{} {}", token.value.name, token.value.description).to_lowercase();
            terms.iter().all(|term| text.contains(&term.to_lowercase()))
        });
        let total = all.len();
        let mut used = std::collections::BTreeMap::new();
        for token in &all {
            let found = Token::find(c, &token.mrn)?.map_or(0, |t| t.last_used);
            used.insert(token.mrn.clone(), found);
        }
        let (by, descending) = order;
        let by = |t: &Stored<ApiToken>| by(t, used.get(&t.mrn).copied().unwrap_or_default());
        let page = objects::page(all, by, descending, page, core.quirks.page_cap)?;
        let items = page.items.into_iter();
        let items = items
            .map(|(cursor, token)| Ok((cursor, view(c, token)?)))
            .collect::<Result<Vec<_>, Status>>()?;
        let page = Page {
            items,
            has_next: page.has_next,
            has_previous: page.has_previous,
        };
        Ok((page, total))
    })
}

/// Changes name and description; what is not given stays.
pub(crate) fn update_api(
    core: &Core,
    caller: &Caller,
    mrn: &str,
    name: Option<String>,
    description: Option<String>,
) -> Result<ApiTokenView, Status> {
    core.store.write(|t| {
        let mut token: Stored<ApiToken> = Stored::find(t, mrn)?;
        let (scope, _) = caller.require(t, token.scope()?, Permission::ManageAccounts)?;
        token.value.name = name.unwrap_or(token.value.name);
        token.value.description = description.unwrap_or(token.value.description);
        token.put(t)?;
        let action = "mondoo.iam.IAM.UpdateAPIToken";
        audit::record(t, caller, &scope, action, mrn, "updated api token")?;
        view(t, token)
    })
}

/// Deletes an API token: from now on nobody is authenticated by it.
pub(crate) fn delete_api(core: &Core, caller: &Caller, mrn: &str) -> Result<(), Status> {
    core.store.write(|t| {
        let token: Stored<ApiToken> = Stored::find(t, mrn)?;
        let (scope, _) = caller.require(t, token.scope()?, Permission::ManageAccounts)?;
        let action = "mondoo.iam.IAM.DeleteAPIToken";
        audit::record(t, caller, &scope, action, mrn, "deleted api token")?;
        token.remove(t)?;
        Token::remove(t, mrn)?;
        Ok(iam::remove_identity(t, mrn, core.write_moment(caller.now))?)
    })
}

/// The registration token of a text, if it is one that still holds.
pub(crate) fn valid_registration(
    core: &Core,
    text: &str,
    now: Timestamp,
) -> Result<Option<Stored<Registration>>, Status> {
    let hash = hex(&sha256(text.as_bytes()));
    let found = core
        .store
        .read(|c| Stored::<Registration>::by_key(c, &hash))?;
    Ok(found.into_iter().find(|token| {
        let over = token.value.expires_at;
        !token.value.revoked && over.is_none_or(|end| end > now.as_millisecond())
    }))
}
