//! The part of the socket shell that does what `faults` decides, around every route.

use std::{
    collections::BTreeSet,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, Request as HttpRequest, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    app::{App, BODY_LIMIT},
    clock::Clock,
    door::{Patience, Peer},
    exchange::Reply,
    faults::{Asked, Fate, Fault, Faults, Hanging, Rate},
    quirks::ConcurrentRoleWrites,
    sender::token,
};

/// How a listening platform behaves towards its callers.
#[derive(Clone, Debug, Default)]
pub struct Conduct {
    /// What goes wrong.
    pub faults: Faults,
    /// What chance follows from.
    pub seed: u64,
    /// How much later every call begins, in milliseconds.
    pub latency_ms: u64,
    /// The most calls in one second; unlimited if absent.
    pub rate_limit: Option<u32>,
    /// How long callers may take, and how many there may be.
    pub patience: Patience,
    /// Who is told of each call that hangs, once it does.
    pub hanging: Option<UnboundedSender<Hanging>>,
}

/// How stale the answer of a call is to be, as the shell hands it to the route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Staleness(pub(crate) u64);

/// Conduct at work.
pub(crate) struct Conductor {
    fate: Mutex<Fate>,
    seed: u64,
    rate: Option<Mutex<Rate>>,
    latency: Duration,
    aborts_concurrent: bool,
    in_flight: Arc<Mutex<BTreeSet<String>>>,
    body: Duration,
    app: Arc<App>,
    clock: Clock,
    hanging: Option<UnboundedSender<Hanging>>,
}

impl fmt::Debug for Conductor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conductor").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counters and sets are whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The scopes whose roles one call is changing; free again when it is dropped.
struct Hold {
    scopes: BTreeSet<String>,
    in_flight: Arc<Mutex<BTreeSet<String>>>,
}

impl Hold {
    fn take(in_flight: &Arc<Mutex<BTreeSet<String>>>, scopes: BTreeSet<String>) -> Option<Self> {
        let mut busy = lock(in_flight);
        if !busy.is_disjoint(&scopes) {
            return None;
        }
        busy.extend(scopes.iter().cloned());
        drop(busy);
        Some(Self {
            scopes,
            in_flight: Arc::clone(in_flight),
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.in_flight).retain(|scope| !self.scopes.contains(scope));
    }
}

impl Conductor {
    pub(crate) fn new(conduct: Conduct, app: Arc<App>, clock: Clock) -> Self {
        let Conduct {
            faults,
            seed,
            latency_ms,
            rate_limit,
            patience,
            hanging,
        } = conduct;
        let quirk = app.core.quirks.concurrent_role_writes;
        let aborts_concurrent = quirk == ConcurrentRoleWrites::Abort;
        Self {
            fate: Mutex::new(Fate::new(faults, seed)),
            seed,
            rate: rate_limit.map(|limit| Mutex::new(Rate::new(limit))),
            latency: Duration::from_millis(latency_ms),
            aborts_concurrent,
            in_flight: Arc::default(),
            body: patience.body,
            app,
            clock,
            hanging,
        }
    }

    /// From now on these things go wrong and no others; counting begins anew.
    pub(crate) fn script(&self, faults: Faults) {
        self.app.core.keep_history(faults.history_ms());
        *lock(&self.fate) = Fate::new(faults, self.seed);
    }

    /// Whether it matters what a call asks for.
    fn listens(&self) -> bool {
        self.aborts_concurrent || lock(&self.fate).strikes()
    }

    /// What a call asks for. Of a stranger's body nothing is read but its hash.
    async fn asked(&self, parts: &Parts, body: &Bytes) -> Asked {
        let path = parts.uri.path();
        if path != "/query" {
            return Asked::of_path(path);
        }
        let authorization = token(&parts.headers, &parts.uri);
        let (app, body, now) = (Arc::clone(&self.app), body.clone(), (self.clock)());
        let asked = tokio::task::spawn_blocking(move || {
            match app.knows(authorization.as_deref(), &body, now) {
                true => Asked::of_query(&body),
                false => Asked::nothing(),
            }
        });
        asked.await.unwrap_or_else(|_| Asked::nothing())
    }
}

/// A request that can be sent on more than once.
struct Buffered {
    parts: Parts,
    body: Bytes,
}

impl Buffered {
    fn request(&self) -> HttpRequest {
        HttpRequest::from_parts(self.parts.clone(), Body::from(self.body.clone()))
    }
}

/// Handles one call: what goes wrong with it is decided before the platform sees it.
pub(crate) async fn handle(
    State(conductor): State<Arc<Conductor>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: HttpRequest,
    next: Next,
) -> Response {
    let listening = peer.begins();
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT);
    let body = match tokio::time::timeout(conductor.body, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return plain(&Reply::error(413, "request body too large")),
        Err(_) => {
            let mut late = plain(&Reply::error(408, "request body too slow"));
            let close = HeaderValue::from_static("close");
            late.headers_mut().insert(header::CONNECTION, close);
            return late;
        }
    };
    listening.is_whole();
    if let Some(rate) = &conductor.rate {
        let second = (conductor.clock)().as_second();
        if let Err(seconds) = lock(rate).admit(second) {
            return too_many(Some(seconds));
        }
    }
    let asked = if conductor.listens() {
        conductor.asked(&parts, &body).await
    } else {
        Asked::default()
    };
    // Counted before anything else is done, so that the order of calls alone decides.
    let verdict = lock(&conductor.fate).decide(&asked.operations);
    let hold = match conductor.aborts_concurrent {
        true => match Hold::take(&conductor.in_flight, asked.role_scopes.clone()) {
            Some(hold) => Some(hold),
            None => return aborted(&asked),
        },
        false => None,
    };
    let delay = conductor.latency + Duration::from_millis(verdict.delay_ms);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let buffered = Buffered { parts, body };
    if let Some(Fault::Hang { after_effect }) = verdict.fault {
        return hang(&conductor, after_effect, &buffered, asked, next).await;
    }
    let answer = strike(verdict.fault, &buffered, &asked, next).await;
    drop(hold);
    answer
}

/// No answer, ever. Ends with the connection, which drops it.
async fn hang(
    conductor: &Conductor,
    done: bool,
    buffered: &Buffered,
    asked: Asked,
    next: Next,
) -> Response {
    if done {
        next.run(buffered.request()).await;
    }
    let Asked {
        operations, writes, ..
    } = asked;
    if let Some(told) = &conductor.hanging {
        // Nobody may listen any more.
        let _ = told.send(Hanging {
            operations,
            writes,
            done,
        });
    }
    std::future::pending().await
}

async fn strike(fault: Option<Fault>, buffered: &Buffered, asked: &Asked, next: Next) -> Response {
    match fault {
        // Delays are over by now, and what hangs does not come here.
        None | Some(Fault::Delay { .. } | Fault::Hang { .. }) => next.run(buffered.request()).await,
        Some(Fault::Refuse) => cut(),
        Some(Fault::LoseAnswer) => {
            next.run(buffered.request()).await;
            cut()
        }
        Some(Fault::Truncate) => truncated(next.run(buffered.request()).await).await,
        Some(Fault::Duplicate) => {
            next.clone().run(buffered.request()).await;
            next.run(buffered.request()).await
        }
        Some(Fault::Abort) => aborted(asked),
        Some(Fault::TooMany { retry_after_s }) => too_many(retry_after_s),
        Some(Fault::Status { code, after_effect }) => {
            if after_effect {
                next.run(buffered.request()).await;
            }
            plain(&Reply::error(code, "internal system error"))
        }
        Some(Fault::StaleRead { ms }) => {
            let mut request = buffered.request();
            if !asked.writes {
                request.extensions_mut().insert(Staleness(ms));
            }
            next.run(request).await
        }
    }
}

fn plain(reply: &Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body.clone()));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

fn too_many(retry_after: Option<u32>) -> Response {
    let mut response = plain(&Reply::error(429, "too many requests"));
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn aborted(asked: &Asked) -> Response {
    let message = "rpc error: code = Aborted desc = concurrent change, try again";
    plain(&match &asked.key {
        Some(key) => Reply::json(
            200,
            &serde_json::json!({
                "errors": [{ "message": message, "path": [key] }],
                "data": null,
            }),
        ),
        // An RPC's status: 10 is Aborted, which its gateway maps to 409.
        None => Reply::json(
            409,
            &serde_json::json!({ "code": 10, "message": "concurrent change, try again" }),
        ),
    })
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut on purpose")
}

/// An answer that never comes: the connection closes without a byte of it.
fn cut() -> Response {
    Response::new(Body::from_stream(stream::once(async {
        Err::<Bytes, _>(broken())
    })))
}

/// The first half of an answer that promises its whole length.
async fn truncated(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return cut();
    };
    let half = bytes.slice(..bytes.len() / 2);
    let begin = stream::once(async { Ok(half) });
    let end = stream::once(async {
        // What was written before must leave first.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(broken())
    });
    let mut response = Response::from_parts(parts, Body::from_stream(begin.chain(end)));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, bytes.len().into());
    response
}
