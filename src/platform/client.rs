//! The client: every port of the platform over a transport, with retries and honest failures.
//! Decides nothing; a write is sent twice only if the server surely did nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use jiff::Timestamp;

use super::auth::Identity;
use super::decode::{self, Page};
use super::endpoint::Endpoint;
use super::failure::{self, Again, Failure};
use super::operation::{self, Request};
use super::transport::Transport;
use crate::model::{Caller, IssuedCredential, LiveAccount, Mrn, OrgId, RoleSet, Scope};
use crate::model::{ScopeInfo, SpaceId};
use crate::ports::{
    AccountUpdate, BatchErrors, Effect, ErrorKind, NewAccount, ReadError, Reader, WriteError,
    Writer,
};

/// How often one call is sent at most.
const ATTEMPTS: usize = 4;
/// The longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A listing of more pages than this is taken for endless: a million entries.
const MOST_PAGES: usize = 10_000;

/// A wait under way.
pub type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the client knows of time: only `cli` reads the real clock.
pub struct Time {
    /// The local clock.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Waits.
    pub sleep: Box<dyn Fn(Duration) -> Pause + Send + Sync>,
}

/// The Mondoo API as one identity sees it.
pub struct Client<T> {
    transport: T,
    endpoint: Endpoint,
    identity: Identity,
    time: Time,
    requests: AtomicU64,
    last_date: Mutex<Option<Timestamp>>,
}

impl<T> fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({:?} at {})", self.identity, self.endpoint)
    }
}

impl<T: Transport> Client<T> {
    /// A client of an endpoint; nothing is sent yet.
    pub fn new(transport: T, endpoint: Endpoint, identity: Identity, time: Time) -> Self {
        Self {
            transport,
            endpoint,
            identity,
            time,
            requests: AtomicU64::new(0),
            last_date: Mutex::new(None),
        }
    }

    /// Where requests go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How many requests were sent so far, repeated ones included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The roles of an identity on a scope, without the implicit ones.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn roles(&self, identity: &Mrn, scope: &Scope) -> Result<RoleSet, ReadError> {
        self.read(&operation::get_roles(identity, scope), decode::get_roles)
            .await
    }

    async fn attempt(&self, request: &Request) -> Result<super::transport::Answer, Failure> {
        let local = (self.time.now)();
        let authorization = self
            .identity
            .authorization(&request.body, local)
            .map_err(|e| {
                Failure::new(
                    ErrorKind::Transport,
                    Effect::None,
                    Again::Never,
                    e.to_string(),
                )
            })?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self
            .transport
            .send(request.body.clone(), authorization.clone())
            .await;
        let judged = answer.map_err(Failure::from).and_then(|answer| {
            if let Some(date) = answer.date {
                *self
                    .last_date
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some(date);
            }
            failure::judge(&answer, local).map(|()| answer)
        });
        let token = authorization.trim_start_matches("Bearer ");
        judged.map_err(|mut failure| {
            // Some proxies repeat the headers of a request that they refuse.
            if token.len() >= 8 {
                failure.why = failure.why.replace(token, "[REDACTED]");
            }
            failure
        })
    }

    async fn call<R>(
        &self,
        request: &Request,
        write: bool,
        decode: impl Fn(&[u8]) -> Result<R, String>,
    ) -> Result<R, Failure> {
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(300))
            .with_max_delay(Duration::from_secs(8))
            .with_max_times(ATTEMPTS - 1)
            .with_jitter()
            .build();
        loop {
            let mut failure = match self.attempt(request).await {
                Ok(answer) => return decode(&answer.body).map_err(Failure::malformed),
                Err(failure) => failure,
            };
            let repeat = match failure.again {
                Again::Never => return Err(failure),
                Again::Reads => !write,
                Again::Always => true,
            };
            match waits.next() {
                Some(wait) if repeat => {
                    let asked = failure.after.unwrap_or_default().min(LONGEST_WAIT);
                    (self.time.sleep)(wait.max(asked)).await;
                }
                None if repeat => {
                    failure.why = format!("{} ({ATTEMPTS} attempts)", failure.why);
                    return Err(failure);
                }
                _ => return Err(failure),
            }
        }
    }

    async fn read<R>(
        &self,
        request: &Request,
        decode: impl Fn(&[u8]) -> Result<R, String>,
    ) -> Result<R, ReadError> {
        self.call(request, false, decode)
            .await
            .map_err(|failure| read_error(request, &failure))
    }

    async fn write<R>(
        &self,
        request: &Request,
        decode: impl Fn(&[u8]) -> Result<R, String>,
    ) -> Result<R, WriteError> {
        self.call(request, true, decode)
            .await
            .map_err(|failure| WriteError {
                kind: failure.kind,
                effect: failure.effect,
                message: tell(request, &failure),
            })
    }

    /// Reads all pages of a listing.
    async fn pages<R>(
        &self,
        request: impl Fn(Option<&str>) -> Request,
        decode: impl Fn(&[u8]) -> Result<Page<R>, String>,
    ) -> Result<Vec<R>, ReadError> {
        let mut items = Vec::new();
        let mut seen = BTreeSet::new();
        let mut after: Option<String> = None;
        loop {
            let request = request(after.as_deref());
            let page = self.read(&request, &decode).await?;
            items.extend(page.items);
            let Some(next) = page.next else {
                return Ok(items);
            };
            if seen.len() >= MOST_PAGES || !seen.insert(next.clone()) {
                let why = "the listing never ends: a page leads back to an earlier one";
                return Err(read_error(&request, &Failure::malformed(why)));
            }
            after = Some(next);
        }
    }
}

fn tell(request: &Request, failure: &Failure) -> String {
    let base = format!("cannot {}: {}", request.doing, failure.why);
    match &request.needs {
        Some(needs) if failure.kind == ErrorKind::PermissionDenied => {
            format!("{base}; needs {needs}")
        }
        _ => base,
    }
}

fn read_error(request: &Request, failure: &Failure) -> ReadError {
    ReadError {
        kind: failure.kind,
        message: tell(request, failure),
    }
}

/// The platform says nothing of a scope: not an error of GraphQL, but it is not there for us.
fn absent<R>(request: &Request, found: Option<R>) -> Result<R, ReadError> {
    found.ok_or_else(|| ReadError {
        kind: ErrorKind::NotFound,
        message: format!(
            "cannot {}: the platform knows no such scope, or the caller may not see it",
            request.doing
        ),
    })
}

impl<T: Transport> Reader for Client<T> {
    async fn caller(&self) -> Result<Caller, ReadError> {
        let request = operation::viewer();
        let viewer = self.read(&request, decode::viewer).await?;
        // Nothing public tells what a service account sees as its viewer; its credential does.
        match (viewer, self.identity.mrn()) {
            (Some(caller), _) => Ok(caller),
            (None, Some(mrn)) => Ok(Caller {
                mrn: mrn.clone(),
                name: None,
            }),
            (None, None) => {
                let why = "the platform does not say";
                Err(read_error(&request, &Failure::malformed(why)))
            }
        }
    }

    async fn organization(&self, id: &OrgId) -> Result<ScopeInfo, ReadError> {
        let request = operation::organization(id);
        absent(&request, self.read(&request, decode::organization).await?)
    }

    async fn spaces(&self, id: &OrgId) -> Result<BTreeMap<SpaceId, ScopeInfo>, ReadError> {
        let listing = self
            .pages(
                |after| operation::spaces(id, after),
                |body| decode::spaces(body, id),
            )
            .await?;
        Ok(listing.into_iter().collect())
    }

    async fn space(&self, id: &SpaceId) -> Result<ScopeInfo, ReadError> {
        let request = operation::space(id);
        absent(&request, self.read(&request, decode::space).await?)
    }

    async fn accounts(&self, scope: &Scope) -> Result<Vec<LiveAccount>, ReadError> {
        let listing = self
            .pages(
                |after| operation::service_accounts(scope, after),
                |body| decode::service_accounts(body, scope),
            )
            .await?;
        // A change between two pages can show an account twice; the later sight is newer.
        let unique: BTreeMap<Mrn, LiveAccount> = listing
            .into_iter()
            .map(|account| (account.mrn.clone(), account))
            .collect();
        Ok(unique.into_values().collect())
    }

    async fn account(&self, mrn: &Mrn) -> Result<Option<LiveAccount>, ReadError> {
        let request = operation::service_account(mrn);
        match self
            .read(&request, |body| decode::service_account(body, mrn))
            .await
        {
            Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
            other => other,
        }
    }

    fn platform_time(&self) -> Timestamp {
        let last = *self
            .last_date
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.unwrap_or_else(|| (self.time.now)())
    }
}

impl<T: Transport> Writer for Client<T> {
    async fn create(&self, account: &NewAccount) -> Result<IssuedCredential, WriteError> {
        let endpoint = self.endpoint.base();
        self.write(&operation::create_service_account(account), |body| {
            decode::created(body, &account.scope, endpoint)
        })
        .await
    }

    async fn update(&self, mrn: &Mrn, update: &AccountUpdate) -> Result<(), WriteError> {
        self.write(
            &operation::update_service_account(mrn, update),
            decode::updated,
        )
        .await
    }

    async fn set_roles(
        &self,
        scope: &Scope,
        roles: &BTreeMap<Mrn, RoleSet>,
    ) -> Result<BatchErrors, WriteError> {
        if roles.is_empty() {
            return Ok(BatchErrors::new());
        }
        self.write(&operation::set_roles(scope, roles), |body| {
            decode::batch(body, "setRoles")
        })
        .await
    }

    async fn delete(&self, scope: &Scope, mrns: &[Mrn]) -> Result<BatchErrors, WriteError> {
        if mrns.is_empty() {
            return Ok(BatchErrors::new());
        }
        self.write(&operation::delete_service_accounts(scope, mrns), |body| {
            decode::batch(body, "deleteServiceAccounts")
        })
        .await
    }
}
