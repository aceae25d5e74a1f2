//! The socket shell: HTTP around [`App::serve_bytes`].

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Extension, Path, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::Response,
    routing::{any, post},
};
use tokio::{net::TcpListener, runtime::Handle, sync::oneshot, task::JoinHandle};

use super::{
    app::{App, BODY_LIMIT},
    clock::Clock,
    conduct::{Conduct, Conductor, Staleness, handle},
    core::Origin,
    door::{Door, Peer},
    error::Error,
    exchange::Reply,
    faults::Faults,
    fetch::Http,
    rpc::Call,
    sender::token,
};

/// How long open connections may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// A platform that listens.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    conductor: Arc<Conductor>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

#[derive(Clone)]
struct Shell {
    app: Arc<App>,
    clock: Clock,
}

impl Running {
    /// Listens on a socket that is bound already. A platform without a base URL gets the one of the
    /// socket.
    pub fn start_on(app: Arc<App>, listener: TcpListener, clock: Clock) -> Result<Self, Error> {
        Self::start_with(app, listener, clock, Conduct::default())
    }

    /// Listens on a socket that is bound already, and behaves towards callers as it is told.
    pub fn start_with(
        app: Arc<App>,
        listener: TcpListener,
        clock: Clock,
        conduct: Conduct,
    ) -> Result<Self, Error> {
        let local_addr = listener.local_addr()?;
        if app.base_url().is_empty() {
            app.set_base_url(format!("http://{local_addr}"));
        }
        let (stop, stopped) = oneshot::channel::<()>();
        app.core.keep_history(conduct.faults.history_ms());
        let door = Door::new(listener, conduct.patience);
        let conductor = Conductor::new(conduct, Arc::clone(&app), Arc::clone(&clock));
        let conductor = Arc::new(conductor);
        let routes = router(Shell { app, clock }).layer(axum::middleware::from_fn_with_state(
            Arc::clone(&conductor),
            handle,
        ));
        let routes = routes.into_make_service_with_connect_info::<Peer>();
        let serve = axum::serve(door, routes).with_graceful_shutdown(async {
            // A dropped sender stops the server too.
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move { serve.await });
        Ok(Self {
            local_addr,
            conductor,
            stop: Some(stop),
            task,
        })
    }

    /// The address it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// From now on, lets these things go wrong and no others; counting begins anew.
    pub fn script(&self, faults: Faults) {
        self.conductor.script(faults);
    }

    /// Stops listening, lets open requests end, and returns when the socket is closed.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        drop(self.stop.take());
        match tokio::time::timeout(GRACE, &mut self.task).await {
            Ok(Ok(result)) => Ok(result?),
            Ok(Err(join)) => Err(Error::Socket(std::io::Error::other(join))),
            Err(_) => {
                self.task.abort();
                Ok(())
            }
        }
    }
}

fn router(shell: Shell) -> Router {
    Router::new()
        .route("/query", post(query))
        .route("/Health/Check", any(health))
        .route("/{service}/{method}", any(call))
        .fallback(|State(shell): State<Shell>| async move {
            respond(&shell, Reply::error(404, "not found"))
        })
        .method_not_allowed_fallback(|State(shell): State<Shell>| async move {
            respond(&shell, Reply::error(405, "method not allowed"))
        })
        .with_state(shell)
}

async fn query(
    State(shell): State<Shell>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    staleness: Option<Extension<Staleness>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return respond(&shell, Reply::error(413, "request body too large"));
    };
    let authorization = token(&headers, &uri);
    let origin = Origin {
        ip: Some(peer.ip()),
        stale_ms: staleness.map_or(0, |Extension(Staleness(ms))| ms),
    };
    let now = (shell.clock)();
    let app = Arc::clone(&shell.app);
    let answer = tokio::task::spawn_blocking(move || {
        app.answer(authorization.as_deref(), &body, now, origin)
    });
    let reply = match answer.await {
        Ok(reply) => reply,
        Err(_) => Reply::error(500, "rpc error: code = Internal desc = internal error"),
    };
    respond(&shell, reply)
}

/// A call of a command line. The platform does not look at the verb.
async fn call(
    State(shell): State<Shell>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path((service, method)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return respond(&shell, Reply::error(413, "request body too large"));
    };
    let authorization = token(&headers, &uri);
    let protobuf = wants_protobuf(&headers);
    let now = (shell.clock)();
    let app = Arc::clone(&shell.app);
    let runtime = Handle::current();
    let answer = tokio::task::spawn_blocking(move || {
        let call = Call {
            service: &service,
            method: &method,
            protobuf,
            authorization: authorization.as_deref(),
            body: &body,
            now,
            ip: Some(peer.ip()),
        };
        let local = app.core.local_issuers();
        app.serve_call(&call, &Http { runtime, local })
    });
    let failed = |_| {
        Reply::json(
            500,
            &serde_json::json!({"code": 13, "message": "internal error"}),
        )
    };
    let mut response = respond(&shell, answer.await.unwrap_or_else(failed));
    if protobuf {
        let kind = header::HeaderValue::from_static("application/protobuf");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// Whether the answer is to be in Protocol Buffers: `Accept` decides, else `Content-Type` (source:
/// mondoohq/ranger-rpc, `server.go`).
fn wants_protobuf(headers: &HeaderMap) -> bool {
    let kinds = [
        "application/protobuf",
        "application/x-protobuf",
        "application/octet-stream",
    ];
    let of = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = of(header::ACCEPT).filter(|accept| !accept.contains("*/*"));
    asked
        .or_else(|| of(header::CONTENT_TYPE))
        .is_some_and(|kind| kinds.iter().any(|known| kind.starts_with(known)))
}

async fn health(State(shell): State<Shell>) -> Response {
    let body = serde_json::json!({
        "status": "SERVING",
        "time": (shell.clock)().to_string(),
        "apiVersion": "1",
        "build": env!("CARGO_PKG_VERSION"),
    });
    respond(&shell, Reply::json(200, &body))
}

fn respond(shell: &Shell, reply: Reply) -> Response {
    let date = (shell.clock)()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    if let Ok(date) = date.parse() {
        headers.insert(header::DATE, date);
    }
    response
}
