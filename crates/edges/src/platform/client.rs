//! The client: every port of the platform over a transport, with retries and honest failures.
//! Decides nothing; a write is sent twice only if the server surely did nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::auth::Identity;
use super::decode::{self, Page};
use super::endpoint::Endpoint;
use super::exchange::{self, Exchange, Observer};
use super::failure::{self, Failure};
use super::operation::{self, Request};
use super::session::{Need, Outlet, Session, Temporary};
use super::spent::Spent;
use super::transport::Transport;
use crate::http::{self, Again, Answer, Retry, Time, Verdict};
use crate::model::{
    Binding, Caller, CleanUp, History, IssuedCredential, LiveAccount, LogEntry, Mrn, OrgId,
    RoleSet, Scope,
};
use crate::model::{ScopeInfo, SpaceId};
use crate::ports::{
    AccountUpdate, AuditLog, BatchErrors, Effect, ErrorKind, NewAccount, Owners, ReadError, Reader,
    SpaceSettings, WriteError, Writer,
};

/// How often one call is sent, and how long is waited in between.
const RETRY: Retry = Retry::STEADY;
/// A listing of more pages than this is taken for endless: two hundred thousand entries.
const MOST_PAGES: usize = 2_000;
/// So many pages in a row that bring nothing new and lead on are taken for endless as well.
const MOST_IDLE_PAGES: usize = 10;

/// The history of one thing is read in this many pages at most, whatever a page holds.
const MOST_LOG_PAGES: usize = 10;

/// The Mondoo API as one identity sees it.
pub struct Client<T> {
    transport: T,
    endpoint: Endpoint,
    identity: Identity,
    session: Session,
    time: Time,
    observer: Observer,
    requests: AtomicU64,
    last_date: Mutex<Option<Timestamp>>,
    spent: Mutex<Spent>,
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
            session: Session::new(Outlet::default()),
            time,
            observer: Box::new(|_| {}),
            requests: AtomicU64::new(0),
            last_date: Mutex::new(None),
            spent: Mutex::default(),
        }
    }

    /// The same client, with somebody who is told of every request.
    #[must_use]
    pub fn observed(self, observer: Observer) -> Self {
        Self { observer, ..self }
    }

    /// The same client with what a login by workload identity takes of the machine.
    #[must_use]
    pub fn lent(self, outlet: Outlet) -> Self {
        let session = Session::new(outlet);
        Self { session, ..self }
    }

    /// Until when a login by workload identity lasts and how it is renewed, a sentence without a stop;
    /// `None` for every other login, and before the first request.
    pub fn temporary(&self) -> Option<String> {
        match &self.identity {
            Identity::Workload(workload) => self.session.told(workload),
            Identity::ServiceAccount(_) | Identity::ApiToken(_) => None,
        }
    }

    /// Whom the platform has known the caller as, where the credential or the last exchange tells.
    fn mrn(&self) -> Option<Mrn> {
        match &self.identity {
            Identity::Workload(_) => Some(self.session.held()?.account.mrn.clone()),
            other => other.mrn().cloned(),
        }
    }

    /// What stands behind a temporary account, as far as the platform tells who made it; `None` for every
    /// other login.
    async fn binding(&self, own: &Mrn) -> Option<Binding> {
        match &self.identity {
            Identity::Workload(_) => {
                let account = self.account(own).await.ok().flatten();
                Some(Binding::of(account.as_ref()))
            }
            Identity::ServiceAccount(_) | Identity::ApiToken(_) => None,
        }
    }

    fn is_dated(&self, answer: &Answer) {
        if let Some(date) = answer.date {
            *self
                .last_date
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(date);
        }
    }

    /// The temporary login for a request, where there has to be one.
    async fn login(&self, request: &Request) -> Result<Option<Arc<Temporary>>, Failure> {
        let Identity::Workload(workload) = &self.identity else {
            return Ok(None);
        };
        let need = match request.operation {
            operation::BIRTH => Need::Birth,
            _ => Need::Answer,
        };
        let exchanged = |attempt, began: Timestamp, answer: Option<&Answer>| {
            self.requests.fetch_add(1, Ordering::Relaxed);
            answer.inspect(|answer| self.is_dated(answer));
            let took = (self.time.now)().duration_since(began);
            (self.observer)(&Exchange {
                operation: "ExchangeExternalToken",
                scope: workload.scope(),
                attempt,
                status: answer.map(|answer| answer.status),
                request_id: None,
                took: Duration::try_from(took).unwrap_or_default(),
                error: None,
            });
        };
        self.session
            .login(workload, &self.transport, &self.time, need, &exchanged)
            .await
            .map(Some)
    }

    fn count<R>(&self, with: impl FnOnce(&mut Spent) -> R) -> R {
        with(&mut self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where requests go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How many requests were sent so far, repeated ones included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The platform's clock as its last answer told it; `None` if none has.
    pub fn dated(&self) -> Option<Timestamp> {
        *self
            .last_date
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The roles of an identity on a scope, without the implicit ones.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn roles(&self, identity: &Mrn, scope: &Scope) -> Result<RoleSet, ReadError> {
        self.read(&operation::get_roles(identity, scope), decode::get_roles)
            .await
    }

    /// The answer to one request, and the token with which it was asked for. What may be told of it goes
    /// into `told`.
    async fn attempt(
        &self,
        request: &Request,
        told: &mut Exchange,
    ) -> Result<(Answer, Zeroizing<String>), Failure> {
        let login = self.login(request).await?;
        let local = (self.time.now)();
        let authorization = match &login {
            Some(login) => login.account.authorization(&request.body, local),
            None => self.identity.authorization(&request.body, local),
        };
        let authorization = authorization.map_err(|e| {
            Failure::new(
                ErrorKind::Transport,
                Effect::None,
                Again::Never,
                e.to_string(),
            )
        })?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let token = Zeroizing::new(authorization.trim_start_matches("Bearer ").to_owned());
        let answer = self
            .transport
            .send(request.body.clone(), authorization)
            .await;
        let outcome = answer.map_err(Failure::from).and_then(|answer| {
            told.status = Some(answer.status);
            let id = answer.header(exchange::REQUEST_ID);
            told.request_id = id.and_then(|id| exchange::id(id, &token));
            self.is_dated(&answer);
            self.count(|spent| spent.bytes = spent.bytes.saturating_add(answer.body.len()));
            let refused = || self.identity.why_refused(local);
            failure::classify(&answer, local, &token, refused).map(|()| answer)
        });
        match outcome {
            Ok(answer) => {
                if let Some(login) = &login {
                    login.works();
                }
                Ok((answer, token))
            }
            Err(mut failure) => {
                // It was good before, and has ended: with another one the same may be asked.
                let ended = failure.kind == ErrorKind::Unauthenticated
                    && login.is_some_and(|login| self.session.refused(&login));
                if ended {
                    failure.again = Again::Always;
                }
                failure.why = http::without_token(&failure.why, &token);
                Err(failure)
            }
        }
    }

    async fn call<R>(
        &self,
        request: &Request,
        write: bool,
        decode: impl Fn(&[u8], &str) -> Result<R, String>,
    ) -> Result<R, Failure> {
        let mut tries = RETRY.tries();
        let mut told = Exchange::of(request);
        loop {
            let began = (self.time.now)();
            let answer = self.attempt(request, &mut told).await;
            let answer = answer.and_then(|(answer, token)| {
                decode(&answer.body, &token)
                    .map_err(|why| Failure::malformed(http::without_token(&why, &token)))
            });
            let took = (self.time.now)().duration_since(began);
            told.took = Duration::try_from(took).unwrap_or_default();
            told.error = answer.as_ref().err().map(|failure| failure.kind);
            (self.observer)(&told);
            told = told.again();
            let mut failure = match answer {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            match tries.after(failure.again, write, failure.after) {
                Verdict::Wait(wait) => {
                    (self.time.sleep)(wait).await;
                    continue;
                }
                Verdict::Final => {}
                Verdict::TooLong => {
                    let most = RETRY.longest_asked.as_secs();
                    failure.why = format!("{}, and rolecall waits {most} s at most", failure.why);
                }
                Verdict::Spent => {
                    let attempts = RETRY.attempts;
                    failure.why = format!("{}; gave up after {attempts} attempts", failure.why);
                }
            }
            return Err(failure);
        }
    }

    async fn read<R>(
        &self,
        request: &Request,
        decode: impl Fn(&[u8]) -> Result<R, String>,
    ) -> Result<R, ReadError> {
        let over = self.count(|spent| {
            let now = (self.time.now)();
            let over = spent.over(now);
            if over.is_none() {
                spent.begin(now);
            }
            over
        });
        if let Some(why) = over {
            let failure = Failure::new(ErrorKind::Platform, Effect::None, Again::Never, why);
            return Err(read_error(request, &failure));
        }
        let answer = self.call(request, false, |body, _| decode(body)).await;
        self.count(|spent| spent.end((self.time.now)()));
        answer.map_err(|failure| read_error(request, &failure))
    }

    async fn write<R>(
        &self,
        request: &Request,
        decode: impl Fn(&[u8], &str) -> Result<R, String>,
    ) -> Result<R, WriteError> {
        let answer = self.call(request, true, decode).await;
        // What is read now is read to settle this write.
        self.count(|spent| {
            *spent = Spent {
                asking: spent.asking,
                since: (self.time.now)(),
                ..Spent::default()
            }
        });
        answer.map_err(|failure| WriteError {
            kind: failure.kind,
            effect: failure.effect,
            message: match failure.effect {
                Effect::None => tell(request, &failure),
                Effect::Unknown => format!("asked to {}: {}", request.doing, failure.why),
            },
        })
    }

    /// Reads all pages of a listing, of which the latest sight of a thing counts: a change between
    /// two pages can show it twice. A listing that does not end is an error, whatever its cursors.
    async fn pages<K: Ord, R>(
        &self,
        request: impl Fn(Option<&str>) -> Request,
        decode: impl Fn(&[u8]) -> Result<Page<(K, R)>, String>,
    ) -> Result<BTreeMap<K, R>, ReadError> {
        let mut items = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut idle = 0;
        let mut after: Option<String> = None;
        loop {
            let request = request(after.as_deref());
            let page = self.read(&request, &decode).await?;
            self.count(|spent| spent.entries += page.items.len());
            let known = items.len();
            items.extend(page.items);
            idle = if items.len() > known { 0 } else { idle + 1 };
            let Some(next) = page.next else {
                return Ok(items);
            };
            let why = if seen.len() >= MOST_PAGES {
                Some(format!("the listing has no end after {MOST_PAGES} pages"))
            } else if !seen.insert(next.clone()) {
                Some("the listing never ends: a page leads back to an earlier one".to_owned())
            } else if idle >= MOST_IDLE_PAGES {
                Some(format!(
                    "the listing never ends: {MOST_IDLE_PAGES} pages in a row bring nothing new"
                ))
            } else {
                None
            };
            if let Some(why) = why {
                let why = format!("{why}; {}", decode::NO_END);
                return Err(read_error(&request, &Failure::malformed(why)));
            }
            after = Some(next);
        }
    }
}

fn tell(request: &Request, failure: &Failure) -> String {
    let base = format!("cannot {}: {}", request.doing, failure.why);
    match (failure.kind, &request.needs) {
        (ErrorKind::PermissionDenied, Some(needs)) => format!("{base}; needs {needs}"),
        (ErrorKind::Invalid, _) => format!(
            "{base}; change what it complains of, or, if that is not yours to change, install a \
             newer rolecall"
        ),
        // What was tried a few times may pass.
        (ErrorKind::RateLimited | ErrorKind::Platform, _) if failure.again != Again::Never => {
            format!("{base}; run again later")
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

/// The platform says nothing of a scope: not an error of GraphQL, but it is not there for us. And
/// where it says that there is none, it may say so of what the caller may not see.
fn absent<R>(request: &Request, found: Result<Option<R>, ReadError>) -> Result<R, ReadError> {
    let missing = |message: String| ReadError {
        kind: ErrorKind::NotFound,
        message,
    };
    match found {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(missing(format!(
            "cannot {}: the platform knows no such scope, or the caller may not see it",
            request.doing
        ))),
        Err(error) if error.kind == ErrorKind::NotFound => Err(missing(format!(
            "{}; or it is there, and the caller may not see it",
            error.message
        ))),
        Err(error) => Err(error),
    }
}

impl<T: Transport> Reader for Client<T> {
    async fn caller(&self) -> Result<Caller, ReadError> {
        use ErrorKind::{Invalid, NotFound, PermissionDenied};
        let request = operation::viewer();
        let viewer = self.read(&request, decode::viewer).await;
        // Nothing public tells what a service account sees as its viewer. Whatever it is, these
        // answers came after its credential was accepted, and the credential names it.
        match (viewer, self.mrn()) {
            (Ok(Some(viewer)), Some(mrn)) => Ok(Caller {
                binding: self.binding(&mrn).await,
                mrn,
                name: viewer.name,
            }),
            (Ok(Some(viewer)), None) => Ok(viewer),
            (Err(e), Some(_)) if !matches!(e.kind, Invalid | NotFound | PermissionDenied) => Err(e),
            (Ok(None) | Err(_), Some(mrn)) => Ok(Caller {
                binding: self.binding(&mrn).await,
                mrn,
                name: None,
            }),
            (Err(e), None) => Err(e),
            (Ok(None), None) => {
                let why = "the platform does not say";
                Err(read_error(&request, &Failure::malformed(why)))
            }
        }
    }

    async fn organization(&self, id: &OrgId) -> Result<ScopeInfo, ReadError> {
        let request = operation::organization(id);
        absent(&request, self.read(&request, decode::organization).await)
    }

    async fn spaces(&self, id: &OrgId) -> Result<BTreeMap<SpaceId, ScopeInfo>, ReadError> {
        self.pages(
            |after| operation::spaces(id, after),
            |body| decode::spaces(body, id),
        )
        .await
    }

    async fn space(&self, id: &SpaceId) -> Result<ScopeInfo, ReadError> {
        let request = operation::space(id);
        absent(&request, self.read(&request, decode::space).await)
    }

    async fn accounts(&self, scope: &Scope) -> Result<Vec<LiveAccount>, ReadError> {
        let listing = self
            .pages(
                |after| operation::service_accounts(scope, after),
                |body| Ok(decode::service_accounts(body, scope)?.by(|account| account.mrn.clone())),
            )
            .await?;
        Ok(listing.into_values().collect())
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
        self.dated().unwrap_or_else(|| (self.time.now)())
    }
}

impl<T: Transport> AuditLog for Client<T> {
    async fn history(&self, resource: &Mrn, most: usize) -> Result<History, ReadError> {
        let mut history = History::default();
        let mut after: Option<String> = None;
        for _ in 0..MOST_LOG_PAGES {
            let wanted = (most - history.entries.len()).min(operation::PAGE);
            let request = operation::audit_log(resource, wanted, after.as_deref());
            let decode = |body: &[u8]| decode::audit_log(body, wanted);
            let page = self.read(&request, decode).await?;
            self.count(|spent| spent.entries += page.items.len());
            history.entries.extend(page.items);
            if !newest_first(&history.entries) {
                // Whoever wrote last could be taken for another.
                let why = "the log did not come newest first";
                return Err(read_error(&request, &Failure::malformed(why)));
            }
            history.complete = page.next.is_none();
            after = page.next;
            if history.complete || history.entries.len() >= most {
                break;
            }
        }
        Ok(history)
    }
}

impl<T: Transport> SpaceSettings for Client<T> {
    async fn clean_up(&self, space: &SpaceId) -> Result<Option<CleanUp>, ReadError> {
        self.read(&operation::clean_up(space), decode::clean_up)
            .await
    }
}

impl<T: Transport> Owners for Client<T> {
    async fn owners(&self, of: &OrgId) -> Result<Option<usize>, ReadError> {
        self.read(&operation::owners(of), decode::owners).await
    }
}

/// Whether no line is newer than one before it, as far as they tell their times.
fn newest_first(entries: &[LogEntry]) -> bool {
    let times: Vec<Timestamp> = entries.iter().filter_map(|entry| entry.at).collect();
    times.is_sorted_by(|newer, older| newer >= older)
}

impl<T: Transport> Writer for Client<T> {
    async fn create(&self, account: &NewAccount) -> Result<IssuedCredential, WriteError> {
        let endpoint = self.endpoint.base();
        self.write(&operation::create_service_account(account), |body, _| {
            decode::created(body, &account.scope, endpoint)
        })
        .await
    }

    async fn update(&self, mrn: &Mrn, update: &AccountUpdate) -> Result<(), WriteError> {
        self.write(
            &operation::update_service_account(mrn, update),
            |body, _| decode::updated(body),
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
        self.write(&operation::set_roles(scope, roles), |body, token| {
            decode::batch(body, "setRoles", token)
        })
        .await
    }

    async fn delete(&self, scope: &Scope, mrns: &[Mrn]) -> Result<BatchErrors, WriteError> {
        if mrns.is_empty() {
            return Ok(BatchErrors::new());
        }
        self.write(
            &operation::delete_service_accounts(scope, mrns),
            |body, token| decode::batch(body, "deleteServiceAccounts", token),
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        MRN, NOW, Rig, SPACE, Step, cut, ok, p384, refused, status, time, wire,
    };
    use super::super::spent::MOST_BYTES;
    use super::*;
    use crate::model::Role;

    fn scope() -> Scope {
        Scope::from_mrn(SPACE).expect("a scope")
    }

    fn new_account() -> NewAccount {
        NewAccount {
            scope: scope(),
            name: "ci".to_owned(),
            description: None,
            labels: BTreeMap::new(),
            roles: RoleSet::new(),
            valid_until: None,
        }
    }

    fn body(text: &str) -> Step {
        Ok(Answer::new(200, text))
    }

    fn page(mrns: &[&str], next: Option<&str>) -> Step {
        let edges: Vec<_> = mrns
            .iter()
            .map(|mrn| serde_json::json!({"node": {"mrn": mrn, "name": next}}))
            .collect();
        let page = serde_json::json!({"data": {"serviceAccounts": {
            "edges": edges,
            "pageInfo": {"hasNextPage": next.is_some(), "endCursor": next},
        }}});
        body(&page.to_string())
    }

    #[tokio::test]
    async fn reads_are_repeated_a_few_times_each_with_a_fresh_token() {
        let troubles: [fn() -> Step; 5] =
            [refused, cut, || status(429), || status(500), || status(503)];
        for trouble in troubles {
            let rig = Rig::new([trouble(), trouble(), ok("viewer")]);
            rig.client.caller().await.expect("the third time");
            assert_eq!((rig.requests(), rig.client.requests()), (3, 3));
            let sent = rig.script.sent.borrow();
            let tokens: BTreeSet<&str> = sent.iter().map(|(_, token)| token.as_str()).collect();
            assert_eq!(tokens.len(), 3);
            assert!(tokens.iter().all(|token| token.starts_with("Bearer ey")));
        }
        let rig = Rig::new((0..4).map(|_| cut()));
        let why = rig.client.caller().await.expect_err("gives up");
        assert_eq!((rig.requests(), why.kind), (4, ErrorKind::Transport));
        assert!(why.message.contains("4 attempts"), "{}", why.message);
        let waits = rig.waits.lock().expect("no panic");
        assert_eq!(waits.len(), 3);
        assert!(waits.iter().all(|wait| !wait.is_zero()));
    }

    #[tokio::test]
    async fn what_an_answer_repeats_of_the_token_is_told_nowhere() {
        const LONG: &str = "kX9pQ2vR7tY4wZ1aB6cD3eF8gH5jK0mN2pQ4rS7tU9vW1xY3zA";
        let words = format!("{}{LONG}", ".".repeat(280));
        let mrn = Mrn::new(MRN);
        let refusal = serde_json::json!({"errors": [{"message": words}]}).to_string();
        let batch = serde_json::json!({"data": {"setRoles": {"errors": {MRN: words}}}}).to_string();
        let rig = Rig::of(
            Identity::api_token(LONG),
            [
                Ok(Answer::new(403, words.as_str())),
                body(&refusal),
                body(&batch),
            ],
        );
        let mut told = Vec::new();
        for _ in 0..2 {
            let why = rig.client.accounts(&scope()).await.expect_err("refused");
            told.push(why.message);
        }
        let roles = BTreeMap::from([(mrn.clone(), RoleSet::new())]);
        let failed = rig.client.set_roles(&scope(), &roles).await;
        told.push(failed.expect("an answer")[&mrn].clone());
        for said in told {
            assert!(
                said.contains("[REDACTED") && !said.contains("kX9p"),
                "{said}"
            );
        }
    }

    #[tokio::test]
    async fn answers_that_would_come_again_are_not_asked_for_again() {
        for code in [400, 401, 403, 404, 302, 422] {
            let rig = Rig::new([status(code)]);
            rig.client.accounts(&scope()).await.expect_err("refused");
            assert_eq!(rig.requests(), 1, "HTTP {code}");
        }
        let rig = Rig::new([body("not json")]);
        let why = rig.client.caller().await.expect_err("malformed");
        assert_eq!(why.kind, ErrorKind::Malformed);
    }

    #[tokio::test]
    async fn the_server_may_ask_for_a_wait_but_not_for_any_wait() {
        let limited = |seconds| {
            let mut answer = Answer::new(429, "");
            answer.retry_after = Some(Duration::from_secs(seconds));
            Ok(answer)
        };
        let rig = Rig::new([limited(20), limited(60), ok("viewer")]);
        rig.client.caller().await.expect("the third time");
        let waits = rig.waits.lock().expect("no panic").clone();
        assert_eq!(waits, [Duration::from_secs(20), Duration::from_secs(60)]);
        // To ask again before that would be rude, and to wait so long without end.
        let rig = Rig::new([limited(61)]);
        let why = rig.client.caller().await.expect_err("not waited for");
        assert!(
            why.message.contains("waits 60 s at most"),
            "{}",
            why.message
        );
        assert_eq!(rig.waits.lock().expect("no panic").len(), 0);
    }

    #[tokio::test]
    async fn a_write_is_sent_again_only_if_surely_nothing_happened() {
        for (steps, sent, effect) in [
            (vec![cut()], 1, Effect::Unknown),
            (vec![status(500)], 1, Effect::Unknown),
            (vec![status(503)], 1, Effect::Unknown),
            (vec![status(403)], 1, Effect::None),
            (vec![ok("error_aborted")], 1, Effect::None),
            (vec![ok("error_ent_not_found")], 1, Effect::Unknown),
            (vec![body(r#"{"data":{"setRo"#)], 1, Effect::Unknown),
            (vec![refused(), cut()], 2, Effect::Unknown),
            (
                vec![status(429), refused(), status(502)],
                3,
                Effect::Unknown,
            ),
            ((0..4).map(|_| refused()).collect(), 4, Effect::None),
            ((0..4).map(|_| status(429)).collect(), 4, Effect::None),
        ] {
            let rig = Rig::new(steps);
            let roles = BTreeMap::from([(Mrn::new(MRN), RoleSet::new())]);
            let why = rig.client.set_roles(&scope(), &roles).await;
            let why = why.expect_err("fails");
            assert_eq!((rig.requests(), why.effect), (sent, effect), "{why:?}");
        }
        let rig = Rig::new([refused(), status(429), ok("set_roles")]);
        let roles = BTreeMap::from([(Mrn::new(MRN), RoleSet::from([Role::new("viewer")]))]);
        let done = rig.client.set_roles(&scope(), &roles).await;
        assert_eq!(done, Ok(BatchErrors::new()));
    }

    #[tokio::test]
    async fn nothing_to_do_sends_nothing() {
        let rig = Rig::new([]);
        let none = rig.client.set_roles(&scope(), &BTreeMap::new()).await;
        assert_eq!(none, Ok(BatchErrors::new()));
        let none = rig.client.delete(&scope(), &[]).await;
        assert_eq!(none, Ok(BatchErrors::new()));
    }

    #[tokio::test]
    async fn a_creation_gives_the_key_or_says_that_it_may_have_happened() {
        let text = String::from_utf8(wire("create_service_account")).expect("text");
        let key = p384();
        let good = text.replace("@KEY@", &key.replace('\n', "\\n"));
        let rig = Rig::new([body(&good)]);
        let issued = rig.client.create(&new_account()).await.expect("created");
        assert_eq!(issued.private_key.expose(), &key);

        let rig = Rig::new([body(&text)]);
        let why = rig.client.create(&new_account()).await.expect_err("no key");
        assert_eq!(why.effect, Effect::Unknown);
        assert!(
            why.message.contains("created as //agents"),
            "{}",
            why.message
        );

        let half = &good[..good.len() - 100];
        let rig = Rig::new([body(half)]);
        let why = rig.client.create(&new_account()).await.expect_err("half");
        assert_eq!((rig.requests(), why.effect), (1, Effect::Unknown));
        assert!(!why.message.contains("BEGIN"), "{}", why.message);
    }

    #[tokio::test]
    async fn all_pages_are_read_and_an_account_is_listed_once() {
        let rig = Rig::new([
            page(&["//b", "//a"], Some("1")),
            page(&["//a", "//c"], Some("2")),
            page(&[], None),
        ]);
        let accounts = rig.client.accounts(&scope()).await.expect("reads");
        let mrns: Vec<&str> = accounts.iter().map(|a| a.mrn.as_str()).collect();
        assert_eq!(mrns, ["//a", "//b", "//c"]);
        let names: Vec<&str> = accounts.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(
            names,
            ["2", "1", "2"],
            "the later sight of an account counts"
        );
        let sent = rig.script.sent.take();
        let after: Vec<_> = sent.iter().map(|(b, _)| &b["variables"]["after"]).collect();
        assert_eq!(after, [&serde_json::Value::Null, &"1".into(), &"2".into()]);

        let rig = Rig::new([ok("spaces_first"), ok("spaces_last")]);
        let org = OrgId::new("acme-corp-883120").expect("an id");
        assert_eq!(rig.client.spaces(&org).await.expect("reads").len(), 2);
    }

    #[tokio::test]
    async fn a_listing_without_end_is_an_error() {
        let rig = Rig::new([
            page(&["//a"], Some("1")),
            page(&["//b"], Some("2")),
            page(&["//c"], Some("1")),
        ]);
        let why = rig.client.accounts(&scope()).await.expect_err("endless");
        assert_eq!((rig.requests(), why.kind), (3, ErrorKind::Malformed));
        // Ever new cursors, and nothing new behind them, or ever new accounts.
        let cursors: Vec<String> = (0..=MOST_PAGES).map(|n| n.to_string()).collect();
        let same = cursors.iter().map(|cursor| page(&["//a"], Some(cursor)));
        let rig = Rig::of(Identity::api_token("eyJhbGciOiJF"), same);
        rig.client.accounts(&scope()).await.expect_err("endless");
        assert_eq!(rig.requests(), 1 + MOST_IDLE_PAGES);
        let other = cursors.iter().map(|cursor| page(&[cursor], Some(cursor)));
        let rig = Rig::of(Identity::api_token("eyJhbGciOiJF"), other);
        rig.client.accounts(&scope()).await.expect_err("endless");
        assert_eq!(rig.requests(), 1 + MOST_PAGES);
    }

    fn log(times: &[&str], next: Option<&str>) -> Step {
        let edges: Vec<_> = times
            .iter()
            .map(|at| serde_json::json!({"node": {"timestamp": at, "action": "x"}}))
            .collect();
        let page = serde_json::json!({"data": {"auditlog": {
            "edges": edges,
            "pageInfo": {"hasNextPage": next.is_some(), "endCursor": next},
        }}});
        body(&page.to_string())
    }

    #[tokio::test]
    async fn a_history_is_read_newest_first_and_no_further_than_wanted() {
        let (late, early) = ("2026-11-23T12:00:02Z", "2026-11-23T12:00:01Z");
        let mrn = Mrn::new(MRN);
        let rig = Rig::new([log(&[late, late], Some("5")), log(&[early], Some("4"))]);
        let found = rig.client.history(&mrn, 3).await.expect("reads");
        assert_eq!((found.entries.len(), found.complete), (3, false));
        let sent = rig.script.sent.take();
        let first: Vec<_> = sent.iter().map(|(b, _)| &b["variables"]["first"]).collect();
        assert_eq!(first, [3, 1], "only what is still wanted");

        let rig = Rig::new([log(&[late], None)]);
        let found = rig.client.history(&mrn, 3).await.expect("reads");
        assert_eq!((found.entries.len(), found.complete), (1, true));

        // A platform that gives more than it was asked for, or a few lines at a time for ever.
        let rig = Rig::new([log(&[late, late, early, early], None)]);
        let why = rig
            .client
            .history(&mrn, 3)
            .await
            .expect_err("four for three");
        assert_eq!(why.kind, ErrorKind::Malformed);
        let rig = Rig::new((0..MOST_LOG_PAGES).map(|_| log(&[], Some("9"))));
        let found = rig.client.history(&mrn, 3).await.expect("reads");
        assert_eq!((rig.requests(), found.complete), (MOST_LOG_PAGES, false));

        let rig = Rig::new([log(&[early, late], None)]);
        let why = rig.client.history(&mrn, 3).await.expect_err("oldest first");
        assert_eq!(why.kind, ErrorKind::Malformed);
    }

    /// A page of so many accounts that nobody has seen before.
    fn many(from: usize, n: usize, next: bool) -> Step {
        let mrns: Vec<String> = (from..from + n).map(|n| format!("//{n}")).collect();
        let mrns: Vec<&str> = mrns.iter().map(String::as_str).collect();
        let next = next.then(|| format!("{from}"));
        page(&mrns, next.as_deref())
    }

    fn token() -> Identity {
        Identity::api_token("eyJhbGciOiJF")
    }

    #[tokio::test]
    async fn a_run_takes_so_many_entries_and_no_more_whatever_the_scopes() {
        let pages = (0..2_100).map(|n| many(n * 100, 100, n % 700 != 699));
        let rig = Rig::of(token(), pages);
        for _ in 0..2 {
            let read = rig.client.accounts(&scope()).await.expect("70,000 entries");
            assert_eq!(read.len(), 70_000);
        }
        let why = rig.client.accounts(&scope()).await.expect_err("210,000");
        assert!(why.message.contains("200000 entries"), "{}", why.message);
        let sent = rig.requests();
        assert_eq!(sent, 2_001, "the page that was one too many is the last");
        // Nothing else is asked of it either.
        let org = OrgId::new("acme-corp-883120").expect("an id");
        for refused in [
            rig.client.organization(&org).await.map(drop),
            rig.client.spaces(&org).await.map(drop),
            rig.client.history(&Mrn::new(MRN), 3).await.map(drop),
        ] {
            refused.expect_err("no more is read");
        }
        assert_eq!(rig.requests(), sent);
    }

    #[tokio::test]
    async fn a_run_takes_so_many_bytes_and_no_more() {
        let large = || {
            let mut page = many(0, 1, true).expect("a page");
            page.body.resize(1024 * 1024, b' ');
            Ok(page)
        };
        let rig = Rig::of(
            token(),
            [large(), Ok(Answer::new(503, "x")), many(1, 1, false)],
        );
        rig.client.accounts(&scope()).await.expect("two pages");
        let taken = rig.client.count(|spent| spent.bytes);
        assert!(
            taken > 1024 * 1024 + 50,
            "what failed counts as well: {taken}"
        );
        let rig = Rig::of(token(), [large()]);
        let almost = MOST_BYTES - 1024 * 1024 + 1;
        rig.client.count(|spent| spent.bytes = almost);
        let why = rig.client.accounts(&scope()).await.expect_err("too much");
        assert!(why.message.contains("1024 MiB"), "{}", why.message);
        assert_eq!(rig.requests(), 1);
    }

    #[tokio::test]
    async fn what_a_write_needs_to_be_settled_is_counted_anew() {
        let first = (0..1_999).map(|n| many(n * 100, 100, n != 1_998));
        let second = (0..3).map(|n| many(n * 100, 100, n != 2));
        let steps = first.chain([ok("set_roles")]).chain(second);
        let rig = Rig::of(token(), steps);
        rig.client.accounts(&scope()).await.expect("199,900");
        let roles = BTreeMap::from([(Mrn::new(MRN), RoleSet::new())]);
        let done = rig.client.set_roles(&scope(), &roles).await;
        done.expect("written");
        let read = rig.client.accounts(&scope()).await.expect("300 more");
        assert_eq!(read.len(), 300);
    }

    #[tokio::test]
    async fn an_account_is_absent_only_if_the_platform_says_so() {
        let mrn = Mrn::new(MRN);
        for step in [
            ok("error_not_found"),
            ok("error_ent_not_found"),
            body(r#"{"data":{"serviceAccount":null}}"#),
        ] {
            let rig = Rig::new([step]);
            assert_eq!(rig.client.account(&mrn).await, Ok(None));
        }
        // A wrong endpoint is not an account that is gone.
        let rig = Rig::new([status(404)]);
        assert!(rig.client.account(&mrn).await.is_err());
        let rig = Rig::new([ok("service_account")]);
        assert!(rig.client.account(&mrn).await.expect("reads").is_some());
    }

    #[tokio::test]
    async fn messages_tell_what_and_where_and_the_way_out() {
        let rig = Rig::new([ok("error_permission_denied")]);
        let why = rig.client.accounts(&scope()).await.expect_err("denied");
        assert_eq!(
            why.message,
            "cannot list the service accounts of space amazing-hofstadter-175565: permission \
             denied (request permission denied); needs Editor on space amazing-hofstadter-175565"
        );
        // What is not there and what is hidden look alike.
        let id = SpaceId::new("serene-bouman-275779").expect("an id");
        for step in [
            body(r#"{"data":{"space":null}}"#),
            ok("error_not_found"),
            ok("error_ent_not_found"),
        ] {
            let rig = Rig::new([step]);
            let why = rig.client.space(&id).await.expect_err("absent");
            assert_eq!(why.kind, ErrorKind::NotFound);
            for words in ["serene-bouman-275779", "the caller may not see it"] {
                assert!(why.message.contains(words), "{}", why.message);
            }
        }
    }

    #[tokio::test]
    async fn the_caller_is_the_viewer_or_else_the_credential() {
        let null = || body(r#"{"data":{"viewer":null}}"#);
        for step in [null(), ok("error_permission_denied"), status(422)] {
            let caller = Rig::new([step]).client.caller().await.expect("known");
            assert_eq!(caller.mrn.as_str(), MRN);
        }
        let token = || Identity::api_token("eyJhbGciOiJF");
        for step in [null(), ok("error_permission_denied")] {
            let rig = Rig::of(token(), [step]);
            assert!(rig.client.caller().await.is_err());
        }
        // A credential that is not accepted is nobody.
        let rig = Rig::new([status(401)]);
        assert!(rig.client.caller().await.is_err());
        let rig = Rig::of(token(), [ok("viewer")]);
        let caller = rig.client.caller().await.expect("known");
        assert_eq!(caller.name.as_deref(), Some("ada@example.com"));
    }

    #[tokio::test]
    async fn a_token_that_comes_back_is_not_shown() {
        let mut answer = Answer::new(403, "you sent Bearer eyJhbGciOiJF, no");
        answer.date = Some(time(NOW));
        let rig = Rig::of(Identity::api_token("eyJhbGciOiJF"), [Ok(answer)]);
        let why = rig.client.caller().await.expect_err("denied");
        assert!(!why.message.contains("eyJhbGciOiJF"), "{}", why.message);
        assert!(!format!("{:?}", rig.client).contains("eyJ"));
    }

    #[tokio::test]
    async fn the_platforms_clock_is_that_of_its_last_answer() {
        let dated = |date: Option<&str>, status| {
            let mut answer = Answer::new(status, wire("viewer"));
            answer.date = date.map(time);
            Ok(answer)
        };
        let (first, second) = ("2026-11-23T12:00:09Z", "2026-11-23T12:00:11Z");
        let rig = Rig::new([
            dated(Some(first), 200),
            dated(Some(second), 403),
            dated(None, 200),
        ]);
        assert_eq!(rig.client.platform_time(), time(NOW));
        let _ = rig.client.caller().await;
        assert_eq!(rig.client.platform_time(), time(first));
        let _ = rig.client.caller().await;
        let _ = rig.client.caller().await;
        assert_eq!(rig.client.platform_time(), time(second));
    }
}
