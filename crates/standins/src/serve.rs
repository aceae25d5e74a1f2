//! HTTP for all stand-ins: one function from a request to an answer.
//! Knows no store.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A request as a stand-in sees it.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// In capitals.
    pub method: String,
    /// The path, with its escapes.
    pub path: String,
    /// What stands behind `?`, with its escapes.
    pub query: String,
    /// Headers by their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// A header, by its name in small letters; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What a stand-in answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status; 0 cuts the connection before any answer comes.
    pub status: u16,
    /// Headers by their names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// No answer: the connection is cut.
    pub fn cut() -> Self {
        Self::empty(0)
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Answers requests, one after the other.
pub trait Standin: Send + 'static {
    /// The answer to one.
    fn answer(&mut self, call: &Call) -> Reply;
}

/// A stand-in that is being served; it ends with this value.
pub struct Running<S> {
    /// Its base URL: `http://127.0.0.1:PORT`.
    pub url: String,
    standin: Arc<Mutex<S>>,
    calls: Arc<Mutex<Vec<Call>>>,
    runtime: Option<Runtime>,
}

impl<S> fmt::Debug for Running<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Running({})", self.url)
    }
}

impl<S> Running<S> {
    /// Looks at the stand-in, or changes it, between two requests.
    pub fn with<R>(&self, look: impl FnOnce(&mut S) -> R) -> R {
        look(&mut self.standin.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The requests since the last time that this was asked.
    pub fn calls(&self) -> Vec<Call> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *calls)
    }
}

impl<S> Drop for Running<S> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Serves a stand-in at an address of this machine; port 0 takes a free one.
///
/// # Errors
/// If the address cannot be had.
pub fn serve<S: Standin>(standin: S, at: SocketAddr) -> std::io::Result<Running<S>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let listener = std::net::TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    let standin = Arc::new(Mutex::new(standin));
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (held, seen) = (Arc::clone(&standin), Arc::clone(&calls));
    let router = Router::new().fallback(move |request: Request| {
        let (held, seen) = (Arc::clone(&held), Arc::clone(&seen));
        async move { one(request, &held, &seen).await }
    });
    runtime.spawn(async move {
        if let Ok(listener) = TcpListener::from_std(listener) {
            // Ends with the runtime.
            let _ = axum::serve(listener, router).await;
        }
    });
    Ok(Running {
        url,
        standin,
        calls,
        runtime: Some(runtime),
    })
}

async fn one<S: Standin>(
    request: Request,
    standin: &Mutex<S>,
    calls: &Mutex<Vec<Call>>,
) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 * 1024 * 1024).await;
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
    let headers = head.headers.iter();
    let call = Call {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: body.map(|body| body.to_vec()).unwrap_or_default(),
    };
    let reply = standin
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .answer(&call);
    calls
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(call);
    let mut response = Response::builder();
    let body = match reply.status {
        0 => {
            response = response.header("content-length", "1");
            Body::from_stream(Cut)
        }
        status => {
            response = response.status(status);
            Body::from(reply.body)
        }
    };
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response
        .body(body)
        .unwrap_or_else(|_| Response::new(Body::from("the stand-in has no such answer")))
}

/// A body that breaks off.
struct Cut;

impl futures_core::Stream for Cut {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let broken = std::io::ErrorKind::ConnectionReset;
        std::task::Poll::Ready(Some(Err(broken.into())))
    }
}
