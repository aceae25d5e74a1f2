//! What every operation works with: the store, the switches, the address, and who asks when.

use std::{
    net::IpAddr,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    auth::Identity,
    quirks::Quirks,
    roles::{Authority, Permission},
    status::Status,
    store::{Moment, Object, Scope, Store, iam},
};

/// The shared inside of a platform.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) quirks: Quirks,
    base_url: RwLock<String>,
    /// How far back reads may be asked to look, beside the quirk.
    history_ms: AtomicU64,
}

impl Core {
    pub(crate) fn new(store: Store, quirks: Quirks, base_url: String) -> Self {
        Self {
            store,
            quirks,
            base_url: RwLock::new(base_url),
            history_ms: AtomicU64::new(0),
        }
    }

    pub(crate) fn base_url(&self) -> String {
        self.base_url
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_base_url(&self, url: String) {
        *self
            .base_url
            .write()
            .unwrap_or_else(PoisonError::into_inner) = url;
    }

    /// Keeps what writes replace readable for a while, from now on.
    pub(crate) fn keep_history(&self, ms: u64) {
        self.history_ms.fetch_max(ms, Ordering::Relaxed);
    }

    /// The moment of a write, and how much history it must leave readable.
    pub(crate) fn write_moment(&self, now: Timestamp) -> Moment {
        let stale = self.history_ms.load(Ordering::Relaxed);
        let keep = milliseconds(self.quirks.read_lag_ms.saturating_add(stale));
        Moment {
            at: now.as_millisecond(),
            keep_ms: (keep > 0).then_some(keep),
        }
    }
}

fn milliseconds(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What is known of a request besides who sent it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
    /// Where it came from, if it came over a socket.
    pub(crate) ip: Option<IpAddr>,
    /// How much staler its reads are than the platform's usually are.
    pub(crate) stale_ms: u64,
}

/// One request's sender and time.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) now: Timestamp,
    /// Where the request came from, if it came over a socket.
    pub(crate) ip: Option<IpAddr>,
    /// How much staler this request's reads are than the platform's usually are.
    pub(crate) stale_ms: u64,
}

impl Caller {
    /// The moment whose state a read shows; `None` is the present.
    pub(crate) fn read_as_of(&self, core: &Core) -> Option<i64> {
        let lag = milliseconds(core.quirks.read_lag_ms.saturating_add(self.stale_ms));
        (lag > 0).then(|| self.now.as_millisecond().saturating_sub(lag))
    }

    /// What the caller may do on a scope: by roles on it, and on its organization.
    pub(crate) fn authority(
        &self,
        connection: &Connection,
        scope: &Scope,
    ) -> Result<Authority, Status> {
        let roles = effective_roles(connection, scope, &self.identity.mrn)?;
        Ok(Authority::of(roles.iter().map(String::as_str)))
    }

    /// Finds a scope and makes sure that the caller may do something there. A scope that does
    /// not exist is `NotFound` for everybody.
    pub(crate) fn require(
        &self,
        connection: &Connection,
        scope_mrn: &str,
        permission: Permission,
    ) -> Result<(Scope, Authority), Status> {
        let scope = find_scope(connection, scope_mrn)?;
        let authority = self.authority(connection, &scope)?;
        if authority.allows(permission) {
            Ok((scope, authority))
        } else {
            Err(Status::denied())
        }
    }
}

/// Finds a scope by MRN.
pub(crate) fn find_scope(connection: &Connection, mrn: &str) -> Result<Scope, Status> {
    let kind = super::ids::parse_scope(mrn)?;
    Scope::find(connection, mrn)?
        .filter(|scope| scope.kind == kind)
        .ok_or_else(|| Status::not_found("scope", mrn))
}

/// The kind of a team's member in the store.
pub(crate) const TEAM_MEMBER: &str = "team_member";

/// The roles an identity has on a scope now, inherited ones included: from the organization, and
/// from its teams.
pub(crate) fn effective_roles(
    connection: &Connection,
    scope: &Scope,
    identity: &str,
) -> Result<Vec<String>, Status> {
    let mut holders = vec![identity.to_owned()];
    // Members of a team have what the team has.
    let teams = Object::by_key(connection, TEAM_MEMBER, identity)?;
    holders.extend(teams.into_iter().filter_map(|member| member.parent));
    let mut roles = Vec::new();
    for holder in holders {
        roles.extend(iam::roles(connection, &scope.mrn, &holder, None)?);
        if scope.org_mrn != scope.mrn {
            roles.extend(iam::roles(connection, &scope.org_mrn, &holder, None)?);
        }
    }
    Ok(roles)
}
