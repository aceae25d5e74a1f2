//! A small HTTP server in front of the embedded platform that a test can tell to act before an
//! answer, or to lose it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rolecall_server::{App, Call, FetchDocument};

/// What to do with a request after the hook has run.
pub enum Then {
    /// Execute it and answer.
    Answer,
    /// Execute it and cut the connection instead of answering.
    Lose,
    /// Answer with this status without executing it.
    Refuse(u16),
    /// Execute it and answer with this status and nothing more.
    Hide(u16),
    /// Send these bytes without executing it, and close the connection.
    Send(Vec<u8>),
    /// Send these bytes without executing it, then nothing for so long.
    Stall(Vec<u8>, Duration),
    /// Execute it, and answer what this makes of the answer.
    Change(Box<dyn FnOnce(&mut serde_json::Value) + Send>),
}

/// A whole HTTP answer after which the connection closes.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sees each request: the first field of its operation (`createServiceAccount`) and how many of
/// that kind have come, this one included.
type Hook = Box<dyn FnMut(&str, usize) -> Then + Send>;

struct State {
    app: Arc<App>,
    hook: Mutex<Hook>,
    seen: Mutex<Vec<String>>,
    /// The `Authorization` header and the body of every request that has ever come.
    requests: Mutex<Vec<(Option<String>, Vec<u8>)>>,
    /// Scopes whose listing is denied.
    denied: Mutex<Vec<String>>,
    /// What issuers of identity tokens say, by address.
    documents: Mutex<BTreeMap<String, Vec<u8>>>,
    /// How many seconds the clock of the platform is ahead, and that of the `Date` header.
    ahead: AtomicI64,
    dated: AtomicI64,
}

pub struct Front {
    address: std::net::SocketAddr,
    state: Arc<State>,
}

impl Front {
    pub fn start(app: Arc<App>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State {
            app,
            hook: Mutex::new(Box::new(|_, _| Then::Answer)),
            seen: Mutex::new(Vec::new()),
            requests: Mutex::new(Vec::new()),
            denied: Mutex::new(Vec::new()),
            documents: Mutex::default(),
            ahead: AtomicI64::new(0),
            dated: AtomicI64::new(0),
        });
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&served);
                thread::spawn(move || serve(&state, stream));
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same platform behind TLS, at another port.
    pub fn tls(&self, config: Arc<rustls::ServerConfig>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let served = Arc::clone(&self.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, config) = (Arc::clone(&served), Arc::clone(&config));
                thread::spawn(move || {
                    let connection = rustls::ServerConnection::new(config).expect("a connection");
                    serve(&state, rustls::StreamOwned::new(connection, stream));
                });
            }
        });
        format!("https://localhost:{}", address.port())
    }

    /// Puts the platform's clock ahead by minutes; its `Date` header tells it.
    pub fn clock(&self, minutes: i64) {
        self.state.ahead.store(minutes * 60, Ordering::SeqCst);
        self.date(minutes);
    }

    /// Puts the `Date` header alone ahead by minutes.
    pub fn date(&self, minutes: i64) {
        self.state.dated.store(minutes * 60, Ordering::SeqCst);
    }

    /// From now on, asks `hook` what to do with each request; counting begins anew.
    pub fn hook(&self, hook: impl FnMut(&str, usize) -> Then + Send + 'static) {
        self.state.seen.lock().expect("not poisoned").clear();
        *self.state.hook.lock().expect("not poisoned") = Box::new(hook);
    }

    /// From now on, denies the listings of these scopes and of no others.
    pub fn deny_listings(&self, scopes: &[&str]) {
        *self.state.denied.lock().expect("not poisoned") =
            scopes.iter().map(|scope| (*scope).to_owned()).collect();
    }

    /// From now on, an issuer of identity tokens says this at an address.
    pub fn issuer_says(&self, url: &str, document: &serde_json::Value) {
        let mut documents = self.state.documents.lock().expect("not poisoned");
        documents.insert(url.to_owned(), document.to_string().into_bytes());
    }

    /// The operations that have come since the last hook was set.
    pub fn seen(&self) -> Vec<String> {
        self.state.seen.lock().expect("not poisoned").clone()
    }

    /// The `Authorization` header and the body of every request that has ever come.
    pub fn requests(&self) -> Vec<(Option<String>, Vec<u8>)> {
        self.state.requests.lock().expect("not poisoned").clone()
    }
}

/// Where identity tokens are exchanged.
const EXCHANGE: &str = "/SecureTokenService/ExchangeExternalToken";

impl FetchDocument for State {
    fn fetch(&self, url: &str) -> Option<Vec<u8>> {
        self.documents
            .lock()
            .expect("not poisoned")
            .get(url)
            .cloned()
    }
}

/// Now, by a clock that is ahead by seconds.
fn now(ahead: &AtomicI64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::SeqCst))
}

fn serve(state: &State, stream: impl Read + Write) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut authorization = None;
        let mut length = 0;
        let mut first = String::new();
        if !matches!(reader.read_line(&mut first), Ok(n) if n > 0) {
            return;
        }
        loop {
            let mut line = String::new();
            if !matches!(reader.read_line(&mut line), Ok(n) if n > 0) {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => authorization = Some(value.to_owned()),
                "content-length" => length = value.parse().expect("a number"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let exchange = first.split(' ').nth(1) == Some(EXCHANGE);
        let operation = match exchange {
            true => "ExchangeExternalToken".to_owned(),
            false => operation(&body),
        };
        (state.requests.lock().expect("not poisoned")).push((authorization.clone(), body.clone()));
        let count = {
            let mut seen = state.seen.lock().expect("not poisoned");
            seen.push(operation.clone());
            seen.iter().filter(|name| **name == operation).count()
        };
        let denied = operation == "serviceAccounts" && {
            let body = String::from_utf8_lossy(&body);
            let denied = state.denied.lock().expect("not poisoned");
            denied
                .iter()
                .any(|scope| body.contains(&format!("\"{scope}\"")))
        };
        let then = (state.hook.lock().expect("not poisoned"))(&operation, count);
        let then = if denied { Then::Refuse(403) } else { then };
        let run = || {
            let now = now(&state.ahead);
            if exchange {
                let call = Call {
                    service: "SecureTokenService",
                    method: "ExchangeExternalToken",
                    body: &body,
                    now,
                    ..Call::default()
                };
                let answer = state.app.serve_call(&call, state);
                return (answer.status, answer.body);
            }
            state.app.serve_bytes(authorization.as_deref(), &body, now)
        };
        let (status, answer) = match then {
            Then::Answer => run(),
            Then::Lose => {
                run();
                return;
            }
            Then::Refuse(status) => (status, b"{}".to_vec()),
            Then::Hide(status) => {
                run();
                (status, Vec::new())
            }
            Then::Send(bytes) => {
                send(&mut reader, &bytes);
                return;
            }
            Then::Stall(bytes, pause) => {
                send(&mut reader, &bytes);
                thread::sleep(pause);
                return;
            }
            Then::Change(change) => {
                let (status, answer) = run();
                let mut json = serde_json::from_slice(&answer).expect("JSON");
                change(&mut json);
                (status, serde_json::to_vec(&json).expect("JSON"))
            }
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nDate: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            now(&state.dated).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            answer.len()
        );
        if !send(&mut reader, head.as_bytes()) || !send(&mut reader, &answer) {
            return;
        }
    }
}

fn send(stream: &mut BufReader<impl Read + Write>, bytes: &[u8]) -> bool {
    let stream = stream.get_mut();
    stream
        .write_all(bytes)
        .and_then(|()| stream.flush())
        .is_ok()
}

/// The first field of the document's selection.
fn operation(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    let query = json["query"].as_str().expect("a document");
    let inside = query.split_once('{').expect("a selection").1;
    inside
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric())
        .collect()
}
