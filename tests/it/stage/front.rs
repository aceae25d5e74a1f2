//! A small HTTP server in front of the embedded platform that a test can tell to act before an
//! answer, or to lose it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use jiff::Timestamp;
use rolecall::server::App;

/// What to do with a request after the hook has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Execute it and answer.
    Answer,
    /// Execute it and cut the connection instead of answering.
    Lose,
    /// Answer with this status without executing it.
    Refuse(u16),
}

/// Sees each request: the first field of its operation (`createServiceAccount`) and how many of
/// that kind have come, this one included.
type Hook = Box<dyn FnMut(&str, usize) -> Then + Send>;

struct State {
    app: Arc<App>,
    hook: Mutex<Hook>,
    seen: Mutex<Vec<String>>,
    /// Scopes whose listing is denied.
    denied: Mutex<Vec<String>>,
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
            denied: Mutex::new(Vec::new()),
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

    /// The operations that have come since the last hook was set.
    pub fn seen(&self) -> Vec<String> {
        self.state.seen.lock().expect("not poisoned").clone()
    }
}

fn serve(state: &State, stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
    let mut writer = stream;
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
        let operation = operation(&body);
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
        let (status, answer) = match then {
            Then::Refuse(status) => (status, b"{}".to_vec()),
            Then::Answer | Then::Lose => {
                state
                    .app
                    .serve_bytes(authorization.as_deref(), &body, Timestamp::now())
            }
        };
        if then == Then::Lose {
            return;
        }
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        if writer
            .write_all(head.as_bytes())
            .and_then(|()| writer.write_all(&answer))
            .is_err()
        {
            return;
        }
    }
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
