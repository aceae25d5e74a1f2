//! What every operation works with: the store, the switches, the address, and who asks when.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    identity::Identity,
    ids,
    quirks::{Forbidden, HiddenSpaces, Quirks},
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
    /// Whether issuers may lie on this machine or in its network.
    local_issuers: AtomicBool,
    /// The MRNs of the spaces that roles on their organization do not reach.
    closed: RwLock<Arc<BTreeSet<String>>>,
}

impl Core {
    pub(crate) fn new(store: Store, quirks: Quirks, base_url: String) -> Self {
        let closed = quirks.closed_spaces.iter().map(|id| ids::space_mrn(id));
        Self {
            closed: RwLock::new(Arc::new(closed.collect())),
            local_issuers: AtomicBool::new(false),
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

    pub(crate) fn local_issuers(&self) -> bool {
        self.local_issuers.load(Ordering::Relaxed)
    }

    /// Lets issuers lie on this machine and in its network, from now on.
    pub(crate) fn allow_local_issuers(&self) {
        self.local_issuers.store(true, Ordering::Relaxed);
    }

    /// What is kept from callers now.
    pub(crate) fn veil(&self) -> Veil {
        let closed = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        Veil {
            closed: Arc::clone(&closed),
            hidden_spaces: self.quirks.hidden_spaces,
            forbidden: self.quirks.forbidden,
        }
    }

    /// Closes a space to roles on its organization, from now on.
    pub(crate) fn close(&self, space_mrn: String) {
        let mut closed = self.closed.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut closed).insert(space_mrn);
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

/// What is kept from callers, and how.
#[derive(Clone, Debug)]
pub(crate) struct Veil {
    /// The MRNs of the spaces that roles on their organization do not reach.
    closed: Arc<BTreeSet<String>>,
    hidden_spaces: HiddenSpaces,
    forbidden: Forbidden,
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
    pub(crate) veil: Veil,
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
        let roles = self.effective_roles(connection, scope)?;
        Ok(Authority::of(roles.iter().map(String::as_str)))
    }

    /// The answer of a scope on which the caller may not do what it asks.
    pub(crate) fn refused(&self, scope: &Scope) -> Status {
        match self.veil.forbidden {
            Forbidden::Denied => Status::denied(),
            Forbidden::NotFound => Status::not_found("scope", &scope.mrn),
        }
    }

    /// Those of an organization's spaces that the caller may not read at all.
    pub(crate) fn unreadable(
        &self,
        connection: &Connection,
        org_mrn: &str,
    ) -> Result<Vec<String>, Status> {
        let mut found = Vec::new();
        for mrn in self.veil.closed.iter() {
            if let Some(space) = Scope::find(connection, mrn)?
                && space.org_mrn == org_mrn
                && !self.authority(connection, &space)?.is_member()
            {
                found.push(space.mrn);
            }
        }
        Ok(found)
    }

    /// Those of an organization's spaces that its listing does not show to the caller.
    pub(crate) fn hidden(
        &self,
        connection: &Connection,
        org_mrn: &str,
    ) -> Result<Vec<String>, Status> {
        match self.veil.hidden_spaces {
            HiddenSpaces::Listed => Ok(Vec::new()),
            HiddenSpaces::Omitted => self.unreadable(connection, org_mrn),
        }
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
            Err(self.refused(&scope))
        }
    }

    /// The roles the caller has on a scope now, inherited ones included: from the organization, if
    /// the scope is not closed to it, and from its teams.
    fn effective_roles(
        &self,
        connection: &Connection,
        scope: &Scope,
    ) -> Result<Vec<String>, Status> {
        let identity = &self.identity.mrn;
        let inherits = scope.org_mrn != scope.mrn && !self.veil.closed.contains(&scope.mrn);
        let mut holders = vec![identity.clone()];
        // Members of a team have what the team has.
        let teams = Object::by_key(connection, TEAM_MEMBER, identity)?;
        holders.extend(teams.into_iter().filter_map(|member| member.parent));
        let mut roles = Vec::new();
        for holder in holders {
            roles.extend(iam::roles(connection, &scope.mrn, &holder, None)?);
            if inherits {
                roles.extend(iam::roles(connection, &scope.org_mrn, &holder, None)?);
            }
        }
        Ok(roles)
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
