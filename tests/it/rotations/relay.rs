//! A relay before a store: it sees each request, and can refuse one, or keep the store's answer for itself.
//! Knows no store.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};

/// How long something is waited for that surely comes, by a machine that has much else to do.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A request as it came.
#[derive(Debug)]
pub struct Asked {
    pub method: String,
    /// The path, and what stands behind it.
    pub target: String,
    /// Headers by their names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What becomes of a request.
pub enum Way {
    /// The store is asked, and its answer given.
    Through,
    /// This is answered, and the store is not asked.
    Answer(Vec<u8>),
    /// The store is asked. What it answers is told of, and given to nobody until the other end is let go.
    Hold(Sender<()>, Receiver<()>),
}

/// A write that is done and not answered.
pub struct Held {
    done: Receiver<()>,
    /// Dropped, it lets the request go.
    _kept: Sender<()>,
}

/// A way to hold a write, and what tells of it.
pub fn hold() -> (Way, Held) {
    let (done, told) = channel();
    let (kept, wait) = channel();
    let held = Held {
        done: told,
        _kept: kept,
    };
    (Way::Hold(done, wait), held)
}

impl Held {
    /// Waits until the store has done it.
    pub fn wait(&self) {
        self.done.recv_timeout(PATIENCE).expect("it was written");
    }
}

/// The store behind a relay.
#[derive(Clone)]
pub struct Behind {
    at: SocketAddr,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Behind {
    /// A store at `http://ADDRESS:PORT`, or at `https://` if the file of its authority is given.
    pub fn new(url: &str, authority: Option<&Path>) -> Self {
        let (_, at) = url.split_once("://").expect("an address");
        let tls = authority.map(|file| {
            let mut roots = rustls::RootCertStore::empty();
            for one in CertificateDer::pem_file_iter(file).expect("a file") {
                roots.add(one.expect("PEM")).expect("a certificate");
            }
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("versions");
            Arc::new(config.with_root_certificates(roots).with_no_client_auth())
        });
        Self {
            at: at.parse().expect("an address"),
            tls,
        }
    }

    /// The whole answer to a request, as it comes.
    fn asked(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.at).expect("the store listens");
        match &self.tls {
            None => exchange(&mut stream, request),
            Some(config) => {
                let name = ServerName::from(self.at.ip());
                let connection = rustls::ClientConnection::new(Arc::clone(config), name);
                let connection = connection.expect("a connection");
                exchange(&mut rustls::StreamOwned::new(connection, stream), request)
            }
        }
    }
}

/// Sends a request after which the connection closes, and reads until then.
fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> Vec<u8> {
    stream.write_all(request).expect("sent");
    stream.flush().expect("sent");
    let mut answer = Vec::new();
    // A connection that breaks off is handed on as it is.
    let _ = stream.read_to_end(&mut answer);
    answer
}

type Watch = Box<dyn FnMut(&Asked) -> Way + Send>;

/// A relay that is being served, as long as the process lives.
pub struct Relay {
    pub url: String,
    watch: Arc<Mutex<Watch>>,
}

impl Relay {
    pub fn before(behind: Behind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let through: Watch = Box::new(|_| Way::Through);
        let watch = Arc::new(Mutex::new(through));
        let watches = Arc::clone(&watch);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (watch, behind) = (Arc::clone(&watches), behind.clone());
                thread::spawn(move || one(stream, &watch, &behind));
            }
        });
        Self { url, watch }
    }

    /// From now on, asks `watch` what becomes of each request.
    pub fn watch(&self, watch: impl FnMut(&Asked) -> Way + Send + 'static) {
        *self.watch.lock().expect("no panic") = Box::new(watch);
    }
}

/// Relays the one request of a connection.
fn one(stream: TcpStream, watch: &Mutex<Watch>, behind: &Behind) {
    let mut reader = BufReader::new(stream);
    let Some((asked, request)) = read(&mut reader) else {
        return;
    };
    let way = (watch.lock().expect("no panic"))(&asked);
    let answer = match way {
        Way::Through => behind.asked(&request),
        Way::Answer(answer) => answer,
        Way::Hold(done, wait) => {
            behind.asked(&request);
            let _ = done.send(());
            let _ = wait.recv();
            return;
        }
    };
    let _ = reader.get_mut().write_all(&answer);
}

/// Reads a request, and gives it as it is sent on: the same, but that the connection closes after it.
fn read(reader: &mut impl std::io::BufRead) -> Option<(Asked, Vec<u8>)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let mut parts = first.split(' ');
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers = BTreeMap::new();
    let mut request = first.clone();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let name = name.to_ascii_lowercase();
        if name != "connection" {
            request.push_str(&line);
        }
        headers.insert(name, value.trim().to_owned());
    }
    request.push_str("connection: close\r\n\r\n");
    let length = headers.get("content-length").map(|text| text.parse());
    let mut body = vec![0; length.map_or(0, |length| length.expect("a number"))];
    reader.read_exact(&mut body).ok()?;
    let mut request = request.into_bytes();
    request.extend_from_slice(&body);
    let asked = Asked {
        method,
        target,
        headers,
        body,
    };
    Some((asked, request))
}
