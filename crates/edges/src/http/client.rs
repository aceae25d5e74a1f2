//! The socket: reqwest on rustls. Sends once, follows nothing, gives up in time.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Identity, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::cause::{Words, broken, chain, unreachable};
use super::exchange::{Answer, Failure, FailureKind, Header, Method, Request};
use super::proxy::{Proxy, is_loopback};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no connection can be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SetupError {
    message: String,
}

/// Whether a text holds a certificate in PEM, whatever else stands in it.
pub fn holds_certificate(pem: &[u8]) -> bool {
    CertificateDer::pem_slice_iter(pem).any(|one| one.is_ok())
}

/// How one client reaches its host.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Certificates in PEM that are trusted besides the system's.
    pub authorities: Option<&'a [u8]>,
    /// A certificate with its private key, both in PEM, by which the server knows who asks.
    pub identity: Option<&'a [u8]>,
    /// What in the environment names authorities in the place of the system's; then no others stand
    /// in for them.
    pub in_place: Option<&'a str>,
    /// The proxy that leads there; without one, that of the system's settings counts, where it has
    /// such. To this machine none leads.
    pub proxy: Option<&'a Proxy>,
    /// How long one answer may take, to its last byte.
    pub patience: Duration,
    /// What people turn, as messages name it.
    pub words: Words,
}

/// A client of one origin. The process must have installed rustls' aws-lc-rs provider.
#[derive(Debug)]
pub struct Client {
    client: reqwest::Client,
    /// The origin and what it is called in messages.
    origin: Url,
    shown: String,
    patience: Duration,
    words: Words,
    /// What names the proxy and how to go without it, for people.
    proxy: (&'static str, &'static str),
}

impl Client {
    /// Prepares connections to the origin of a base URL; nothing is sent yet.
    ///
    /// # Errors
    /// If the base is no URL with a host, the authorities are not PEM, or no TLS client can be made.
    pub fn new(base: &str, settings: &Settings<'_>) -> Result<Self, SetupError> {
        let Settings {
            authorities,
            identity,
            in_place,
            proxy,
            patience,
            words,
        } = *settings;
        let refuse = |message: String| SetupError { message };
        let failed = |what: &str, e: &reqwest::Error| refuse(format!("{what}: {}", chain(e)));
        let origin = Url::parse(base).ok().filter(Url::has_host);
        let origin = origin.ok_or_else(|| refuse(format!("{} is no URL", words.address)))?;
        let file = format!("the file of {}", words.authorities);
        let own = match authorities {
            None => Vec::new(),
            Some(pem) => Certificate::from_pem_bundle(pem)
                .map_err(|e| failed(&format!("{file} is not PEM"), &e))?,
        };
        if authorities.is_some() && own.is_empty() {
            return Err(refuse(format!("{file} holds no certificate in PEM")));
        }
        // What the library says of it may hold a letter of it.
        let identity = identity.map(Identity::from_pem).transpose();
        let identity = identity.map_err(|_| {
            refuse("the client certificate is no certificate with a private key in PEM".to_owned())
        })?;
        let rule = proxy.map(Proxy::rule).transpose();
        let rule = rule.map_err(|e| failed("the proxy cannot be used", &e))?;
        let local = origin.host_str().is_some_and(is_loopback);
        let builder = || {
            let builder = reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECT_TIMEOUT)
                .user_agent(concat!("rolecall/", env!("CARGO_PKG_VERSION")));
            let builder = match &identity {
                Some(identity) => builder.identity(identity.clone()),
                None => builder,
            };
            // A proxy would carry plain http, and the token in it, off the machine.
            match &rule {
                _ if local => builder.no_proxy(),
                Some(rule) => builder.proxy(rule.clone()),
                None => builder,
            }
        };
        let client = match (builder().tls_certs_merge(own.clone()).build(), in_place) {
            (Ok(client), _) => client,
            (Err(e), Some(named)) => {
                return Err(failed(
                    &format!(
                        "no authority of {named} can be trusted; name certificates in PEM there, \
                         or unset it to trust the system's"
                    ),
                    &e,
                ));
            }
            // There is no CA on the system; then Mozilla's list stands in.
            (Err(_), None) => {
                let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
                    .iter()
                    .filter_map(|der| Certificate::from_der(der).ok());
                builder()
                    .tls_certs_only(roots.chain(own))
                    .build()
                    .map_err(|e| failed("TLS cannot be set up", &e))?
            }
        };
        let proxy = proxy.map_or(("the proxy settings", super::proxy::WITHOUT), |proxy| {
            (proxy.named, proxy.without)
        });
        Ok(Self {
            client,
            origin,
            shown: base.to_owned(),
            patience,
            words,
            proxy,
        })
    }

    /// The same connections with another patience: how long one answer may take, to its last byte.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Its base URL, as messages name it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Sends a request once, and reads its answer.
    ///
    /// # Errors
    /// If no whole answer came; the failure says whether the request may have been sent. A request to
    /// another origin is not sent, since what it holds is for this one.
    pub async fn send(&self, request: Request) -> Result<Answer, Failure> {
        let Request {
            method,
            url,
            headers,
            body,
            largest_answer,
            wanted,
        } = request;
        let method = match method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let url = Url::parse(&url).ok();
        let Some(url) = url.filter(|url| url.origin() == self.origin.origin()) else {
            let why = format!("what should be sent is not for {}", self.shown);
            return Err(unsendable(why));
        };
        let mut sent = self.client.request(method, url).timeout(self.patience);
        for (name, value) in headers {
            let (text, secret) = match &value {
                Header::Plain(text) => (text.as_str(), false),
                Header::Secret(text) => (text.as_str(), true),
            };
            let Ok(mut value) = HeaderValue::from_str(text) else {
                return Err(unsendable(match secret {
                    true => "the credential cannot be sent: it holds a special letter".to_owned(),
                    false => format!("the header {name} cannot be sent: it holds a special letter"),
                }));
            };
            value.set_sensitive(secret);
            sent = sent.header(name, value);
        }
        if !body.is_empty() {
            sent = sent.body(Bytes::from_owner(body));
        }
        let mut response = sent.send().await.map_err(|e| self.failure(e))?;
        let announced = response.content_length().unwrap_or(0);
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let headers = response.headers();
        let date = header(headers, &DATE).and_then(http_date);
        let wanted = wanted.iter().filter_map(|name| {
            let value = headers.get(*name)?.to_str().ok()?;
            Some((*name, value.to_owned()))
        });
        let mut answer = Answer {
            status: response.status().as_u16(),
            date,
            retry_after: header(headers, &RETRY_AFTER).and_then(|text| retry_after(text, date)),
            redirect_to: header(headers, &LOCATION).and_then(|to| redirect_host(to, &self.origin)),
            headers: wanted.collect(),
            body: Zeroizing::default(),
        };
        let too_large = || Failure {
            kind: FailureKind::Unreadable,
            maybe_sent: true,
            lasting: true,
            message: format!(
                "{} gave an answer of more than {} MiB",
                self.shown,
                largest_answer / 1024 / 1024
            ),
            help: None,
        };
        if announced > largest_answer {
            return Err(too_large());
        }
        make_room(&mut answer.body, announced);
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(answer),
                // A status that is no success says all; whether its page came whole does not matter.
                Err(_) if !(200..300).contains(&answer.status) => return Ok(answer),
                Err(e) => return Err(self.failure(e)),
            };
            if answer.body.len() + chunk.len() > largest_answer {
                return Err(too_large());
            }
            make_room(&mut answer.body, chunk.len());
            answer.body.extend_from_slice(&chunk);
        }
    }

    fn failure(&self, error: reqwest::Error) -> Failure {
        let maybe_sent = !(error.is_connect() || error.is_builder());
        let timeout = error.is_timeout();
        let error = error.without_url();
        let host = &self.shown;
        let mut lasting = false;
        let mut help = None;
        let (kind, message) = match (maybe_sent, timeout) {
            (false, true) => (
                FailureKind::Unreachable,
                format!("{host} does not answer: connecting timed out"),
            ),
            (false, false) => {
                let cause = unreachable(&error, self.proxy, &self.words);
                (lasting, help) = (cause.lasting, cause.help);
                let message = format!("cannot connect to {host}: {}", cause.message);
                (FailureKind::Unreachable, message)
            }
            (true, true) => {
                help = (!self.words.longer.is_empty()).then(|| self.words.longer.to_owned());
                let seconds = self.patience.as_secs();
                let message = format!("{host} gave no whole answer within {seconds} s");
                (FailureKind::TooSlow, message)
            }
            (true, false) => match broken(&error) {
                None => (
                    FailureKind::Cut,
                    format!("the connection to {host} broke off before the answer was whole"),
                ),
                Some(why) => (
                    FailureKind::Unreadable,
                    format!("what came from {host} is no HTTP answer: {why}"),
                ),
            },
        };
        Failure {
            kind,
            maybe_sent,
            lasting,
            message,
            help,
        }
    }
}

fn unsendable(message: String) -> Failure {
    Failure {
        kind: FailureKind::Unsendable,
        maybe_sent: false,
        lasting: true,
        message,
        help: None,
    }
}

/// Makes room for so many bytes more. A buffer that grows by itself leaves what it held behind.
fn make_room(body: &mut Zeroizing<Vec<u8>>, more: usize) {
    let needed = body.len() + more;
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * body.capacity())));
        larger.extend_from_slice(body);
        *body = larger;
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Seconds, or a date to be measured from the server's own clock (RFC 9110, 10.2.3).
fn retry_after(text: &str, date: Option<Timestamp>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let seconds = http_date(text)?.as_second() - date?.as_second();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// The host of a `Location`, which may be relative.
fn redirect_host(location: &str, base: &Url) -> Option<String> {
    let url = base.join(location).ok()?;
    url.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;

    /// Serves one connection: reads a whole request, writes the answer, closes. Gives the request.
    fn serve(answer: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let handle = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.ends_with(b"{\"query\":1}") {
                let read = stream.read(&mut buffer).expect("reads");
                assert_ne!(read, 0, "the request ends early");
                request.extend_from_slice(buffer.get(..read).unwrap_or_default());
            }
            stream.write_all(answer.as_bytes()).expect("writes");
            String::from_utf8(request).expect("text")
        });
        (format!("http://{address}"), handle)
    }

    const WORDS: Words = Words {
        authorities: "CA_FILE",
        trust: "CA_FILE",
        longer: "PATIENCE waits longer",
        address: "the address",
    };

    fn settings() -> Settings<'static> {
        Settings {
            authorities: None,
            identity: None,
            in_place: None,
            proxy: None,
            patience: Duration::from_secs(60),
            words: WORDS,
        }
    }

    fn request(base: &str) -> Request {
        Request::new(Method::Post, format!("{base}/query"))
            .secret("authorization", "Bearer t0ken".to_owned())
            .header("content-type", "application/json")
            .body(b"{\"query\":1}".to_vec())
    }

    async fn send(base: &str) -> Result<Answer, Failure> {
        let client = Client::new(base, &settings()).expect("a client");
        client.send(request(base)).await
    }

    #[tokio::test]
    async fn one_request_as_the_platform_wants_it() {
        let (endpoint, server) = serve(
            "HTTP/1.1 429 Too Many Requests\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n\
             Retry-After: 7\r\nContent-Length: 2\r\n\r\nno",
        );
        let answer = send(&endpoint).await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (429, &b"no"[..]));
        assert_eq!(answer.date, "2026-11-23T12:00:00Z".parse().ok());
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
        let request = server.join().expect("served").to_lowercase();
        assert!(request.starts_with("post /query http/1.1\r\n"), "{request}");
        for header in [
            "authorization: bearer t0ken",
            "content-type: application/json",
            concat!("user-agent: rolecall/", env!("CARGO_PKG_VERSION")),
        ] {
            assert!(request.contains(header), "{request}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_told_and_never_followed() {
        let (endpoint, server) = serve(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://evil.example/query\r\n\
             Content-Length: 0\r\n\r\n",
        );
        let answer = send(&endpoint).await.expect("an answer");
        assert_eq!(answer.status, 307);
        assert_eq!(answer.redirect_to.as_deref(), Some("evil.example"));
        server.join().expect("served");
    }

    #[tokio::test]
    async fn a_cut_may_have_reached_the_server() {
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":",
        ] {
            let (endpoint, server) = serve(answer);
            let why = send(&endpoint).await.expect_err("cut");
            assert!(why.maybe_sent, "{why}");
            assert!(!why.whole().contains("t0ken"), "{why}");
            assert_eq!(why.kind, FailureKind::Cut);
            server.join().expect("served");
        }
    }

    /// An answer may hold a key, and a buffer that grows leaves copies of it behind.
    #[tokio::test]
    async fn a_body_is_read_into_one_buffer_of_the_announced_size() {
        for length in [5_000, 70_001, 300_000] {
            let body = "k".repeat(length);
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            let (endpoint, server) = serve(text.leak());
            let answer = send(&endpoint).await.expect("an answer");
            assert_eq!(answer.body.as_slice(), body.as_bytes());
            assert_eq!(answer.body.capacity(), length);
            server.join().expect("served");
        }
    }

    #[tokio::test]
    async fn an_answer_is_refused_by_what_it_announces_already() {
        for length in [Request::LARGEST_ANSWER + 1, 5_000_000_000] {
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nx");
            let (endpoint, server) = serve(text.leak());
            let why = send(&endpoint).await.expect_err("too large");
            assert!(why.message.contains("more than 32 MiB"), "{why}");
            server.join().expect("served");
        }
    }

    #[test]
    fn a_buffer_of_unknown_size_moves_and_keeps_what_it_holds() {
        let mut body = Zeroizing::new(Vec::new());
        for n in 0..100_u8 {
            make_room(&mut body, 1000);
            let before = body.as_ptr();
            body.extend_from_slice(&[n; 1000]);
            assert_eq!(before, body.as_ptr(), "the buffer itself never grows");
        }
        assert!(
            body.chunks(1000)
                .zip(0..)
                .all(|(part, n)| part == [n; 1000])
        );
    }

    #[tokio::test]
    async fn a_refused_connection_reached_nobody() {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let base = format!("http://{address}");
        let why = send(&base).await.expect_err("refused");
        assert_eq!(why.kind, FailureKind::Unreachable);
        assert_eq!(why.help.as_deref(), Some("check the address"));
        assert!(!why.maybe_sent, "{why}");
        assert!(why.message.contains(&address.to_string()), "{why}");
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_by_the_servers_clock() {
        let date = "2026-11-23T12:00:00Z".parse().ok();
        let seconds = |text| retry_after(text, date).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Mon, 23 Nov 2026 12:00:05 GMT"), Some(5));
        assert_eq!(seconds("Mon, 23 Nov 2026 11:00:00 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
    }

    #[tokio::test]
    async fn every_method_and_the_wanted_headers_go_over_the_line() {
        for (method, word) in [
            (Method::Get, "get"),
            (Method::Put, "put"),
            (Method::Patch, "patch"),
            (Method::Delete, "delete"),
        ] {
            let (base, server) = serve(
                "HTTP/1.1 201 Created\r\nETag: \"7\"\r\nX-Other: no\r\nContent-Length: 0\r\n\r\n",
            );
            let mut request = request(&base);
            (request.method, request.wanted) = (method, &["etag", "x-request-id"]);
            let client = Client::new(&base, &settings()).expect("a client");
            let answer = client.send(request).await.expect("an answer");
            assert_eq!((answer.status, answer.header("etag")), (201, Some("\"7\"")));
            assert_eq!(
                (answer.header("x-request-id"), answer.header("x-other")),
                (None, None)
            );
            let sent = server.join().expect("served").to_lowercase();
            assert!(
                sent.starts_with(&format!("{word} /query http/1.1\r\n")),
                "{sent}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_for_another_origin_is_not_sent() {
        let client = Client::new("http://127.0.0.1:9", &settings()).expect("a client");
        for url in [
            "http://127.0.0.1:10/query",
            "https://127.0.0.1:9/query",
            "http://localhost:9/",
            "http://127.0.0.1:9@evil.example/",
            "/query",
        ] {
            let why = client
                .send(Request::new(Method::Get, url))
                .await
                .expect_err(url);
            assert_eq!((why.kind, why.maybe_sent), (FailureKind::Unsendable, false));
            assert!(why.lasting && !why.message.contains("evil"), "{why}");
        }
    }

    #[tokio::test]
    async fn a_header_that_cannot_be_sent_is_named_and_a_secret_one_never_shown() {
        let client = Client::new("http://127.0.0.1:9", &settings()).expect("a client");
        let request = || Request::new(Method::Get, "http://127.0.0.1:9/");
        let secret = request().secret("authorization", "t0ken\n".to_owned());
        assert!(!format!("{secret:?}").contains("t0ken"));
        let why = client.send(secret).await.expect_err("a line end").whole();
        assert!(
            why.contains("the credential") && !why.contains("t0ken"),
            "{why}"
        );
        let why = client
            .send(request().header("x-vault-namespace", "a\u{1}"))
            .await;
        let why = why.expect_err("a control character").whole();
        assert!(why.contains("x-vault-namespace"), "{why}");
    }

    #[tokio::test]
    async fn an_answer_that_takes_too_long_may_have_been_heard() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let client = Client::new(&base, &settings()).expect("a client");
        let client = client.patient(Duration::from_millis(50));
        let why = client
            .send(request(&base))
            .await
            .expect_err("nobody answers");
        assert_eq!((why.kind, why.maybe_sent), (FailureKind::TooSlow, true));
        assert!(
            why.whole().ends_with("within 0 s; PATIENCE waits longer"),
            "{why}"
        );
    }

    #[test]
    fn authorities_are_certificates_or_are_refused_by_their_name() {
        for pem in [&b"nonsense"[..], b"", b"-----BEGIN CERTIFICATE-----\n"] {
            let settings = Settings {
                authorities: Some(pem),
                ..settings()
            };
            let why = Client::new("https://vault.example", &settings).expect_err("no PEM");
            assert!(why.to_string().contains("the file of CA_FILE"), "{why}");
        }
        let why = Client::new("nonsense", &settings()).expect_err("no URL");
        assert_eq!(why.to_string(), "the address is no URL");
    }

    #[test]
    fn a_client_certificate_that_is_none_is_refused_without_a_letter_of_it() {
        let key = b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        for pem in [&key[..], b"s3cr3t", b""] {
            let settings = Settings {
                identity: Some(pem),
                ..settings()
            };
            let why = Client::new("https://k8s.example", &settings).expect_err("no certificate");
            let told = format!("{why} {why:?}");
            assert!(told.contains("the client certificate is no"), "{told}");
            assert!(!told.contains("s3cr3t") && !told.contains("c2Vj"), "{told}");
        }
    }
}
