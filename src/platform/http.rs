//! The socket: reqwest on rustls. Sends once, follows nothing, gives up in time.
//! Knows nothing of GraphQL.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Certificate, Url, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::endpoint::Endpoint;
use super::proxy::{Proxy, without};
use super::transport::{Answer, Transport, TransportError};

/// What many servers and gates call a request by. Mondoo's public documents name no header for it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is read: a page of a hundred accounts is a hundredth of it.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// Why no connection can be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    message: String,
}

/// Whether a text holds a certificate in PEM, whatever else stands in it.
pub fn holds_certificate(pem: &[u8]) -> bool {
    CertificateDer::pem_slice_iter(pem).any(|one| one.is_ok())
}

/// The transport over HTTP. The process must have installed rustls' aws-lc-rs provider.
#[derive(Debug)]
pub struct Http {
    client: reqwest::Client,
    url: String,
    host: String,
    timeout: Duration,
    /// What names the proxy, for people.
    proxy: &'static str,
}

impl Http {
    /// Prepares connections to an endpoint; nothing is sent yet. `ca` holds certificates in PEM
    /// that are trusted besides the system's. Without `proxy` that of the system's settings counts,
    /// where it has such. `named` is what in the environment names authorities in place of the
    /// system's; then no others stand in for them.
    ///
    /// # Errors
    /// If `ca` is not PEM, or no TLS client can be made.
    pub fn new(
        endpoint: &Endpoint,
        ca: Option<&[u8]>,
        proxy: Option<&Proxy>,
        named: Option<&str>,
    ) -> Result<Self, HttpError> {
        let failed = |what: &str, e: &reqwest::Error| HttpError {
            message: format!("{what}: {}", chain(e)),
        };
        let own = match ca {
            None => Vec::new(),
            Some(pem) => Certificate::from_pem_bundle(pem)
                .map_err(|e| failed("the file of --ca-file is not PEM", &e))?,
        };
        if ca.is_some() && own.is_empty() {
            return Err(HttpError {
                message: "the file of --ca-file holds no certificate in PEM".to_owned(),
            });
        }
        let rule = proxy.map(Proxy::rule).transpose();
        let rule = rule.map_err(|e| failed("the proxy cannot be used", &e))?;
        let builder = || {
            let builder = reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECT_TIMEOUT)
                .user_agent(concat!("rolecall/", env!("CARGO_PKG_VERSION")));
            // A proxy would carry plain http, and the token in it, off the machine.
            match &rule {
                _ if endpoint.is_loopback() => builder.no_proxy(),
                Some(rule) => builder.proxy(rule.clone()),
                None => builder,
            }
        };
        let client = match (builder().tls_certs_merge(own.clone()).build(), named) {
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
        Ok(Self {
            client,
            url: endpoint.query_url(),
            host: endpoint.base().to_owned(),
            timeout: TIMEOUT,
            proxy: proxy.map_or("the proxy settings", |proxy| proxy.variable),
        })
    }

    /// The same connections with another patience: how long one answer may take, to its last byte.
    #[must_use]
    pub fn patient(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    fn error(&self, error: reqwest::Error) -> TransportError {
        let maybe_sent = !(error.is_connect() || error.is_builder());
        let timeout = error.is_timeout();
        let error = error.without_url();
        let host = &self.host;
        let mut lasting = false;
        let message = match (maybe_sent, timeout) {
            (false, true) => format!("{host} does not answer: connecting timed out"),
            (false, false) => {
                let (why, always) = unreachable(&error, self.proxy);
                lasting = always;
                format!("cannot connect to {host}: {why}")
            }
            (true, true) => format!(
                "{host} gave no whole answer within {} s; --timeout SECONDS waits longer",
                self.timeout.as_secs()
            ),
            (true, false) => match broken(&error) {
                None => format!("the connection to {host} broke off before the answer was whole"),
                Some(why) => format!("what came from {host} is no HTTP answer: {why}"),
            },
        };
        TransportError {
            maybe_sent,
            lasting,
            message,
        }
    }
}

impl Transport for Http {
    async fn send(&self, body: Vec<u8>, authorization: String) -> Result<Answer, TransportError> {
        let authorization = Zeroizing::new(authorization);
        let mut authorization =
            HeaderValue::from_str(&authorization).map_err(|_| TransportError {
                maybe_sent: false,
                lasting: true,
                message: "the credential cannot be sent: it holds a special letter".to_owned(),
            })?;
        authorization.set_sensitive(true);
        let request = self
            .client
            .post(&self.url)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .timeout(self.timeout)
            .body(body);
        let mut response = request.send().await.map_err(|e| self.error(e))?;
        let announced = response.content_length().unwrap_or(0);
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let headers = response.headers();
        let date = header(headers, &DATE).and_then(http_date);
        let mut answer = Answer {
            status: response.status().as_u16(),
            date,
            retry_after: header(headers, &RETRY_AFTER).and_then(|text| retry_after(text, date)),
            request_id: header(headers, &REQUEST_ID).map(str::to_owned),
            redirect_to: header(headers, &LOCATION).and_then(|to| redirect_host(to, &self.host)),
            body: Zeroizing::default(),
        };
        let too_large = || TransportError {
            maybe_sent: true,
            lasting: true,
            message: format!(
                "{} gave an answer of more than {} MiB",
                self.host,
                LARGEST_ANSWER / 1024 / 1024
            ),
        };
        if announced > LARGEST_ANSWER {
            return Err(too_large());
        }
        make_room(&mut answer.body, announced);
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(answer),
                // A status that is no success says all; whether its page came whole does not matter.
                Err(_) if answer.status != 200 => return Ok(answer),
                Err(e) => return Err(self.error(e)),
            };
            if answer.body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(too_large());
            }
            make_room(&mut answer.body, chunk.len());
            answer.body.extend_from_slice(&chunk);
        }
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
fn redirect_host(location: &str, base: &str) -> Option<String> {
    let url = Url::parse(base).and_then(|base| base.join(location));
    url.ok()?.host_str().map(str::to_owned)
}

/// What libraries say about which of their layers failed, which tells a user nothing.
const LAYERS: [&str; 8] = [
    "error sending request",
    "client error (Connect)",
    "client error (SendRequest)",
    "tcp connect error",
    "error decoding response body",
    "request or response body error",
    "builder error",
    "connection error",
];

/// An error and its causes, without the names of layers and without what a cause repeats.
fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        let words = inner.to_string();
        let layer = LAYERS.contains(&words.as_str());
        if !layer && !texts.iter().any(|text| text.contains(&words)) {
            texts.push(words);
        }
        cause = inner.source();
    }
    if texts.is_empty() {
        return error.to_string();
    }
    texts.join(": ")
}

/// The cause of an error that the operating system tells of.
fn root(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref::<io::Error>() {
            return Some(found.kind());
        }
        cause = inner.source();
    }
    None
}

/// Why no connection came about, what to do, and whether the next try would end the same.
fn unreachable(error: &reqwest::Error, proxy: &str) -> (String, bool) {
    let text = chain(error);
    if let Some(why) = distrusted(&text) {
        return (why.to_owned(), true);
    }
    if text.contains("tunnel error: proxy authorization required") {
        let why = format!(
            "the proxy wants a user and a password (HTTP 407): name it in {proxy} as \
             http://USER:PASSWORD@HOST:PORT"
        );
        return (why, true);
    }
    if text.contains("tunnel error: failed to create underlying connection") {
        let without = without(proxy);
        let why = format!("the proxy cannot be reached; check {proxy}, or {without}");
        return (why, false);
    }
    if text.contains("tunnel error") {
        let without = without(proxy);
        let why = format!("the proxy refused to lead there; check {proxy}, or {without}");
        return (why, false);
    }
    if text.contains("dns error") {
        let why = "its name cannot be found; check the endpoint, the network and the name servers";
        return (why.to_owned(), false);
    }
    if text == "tls handshake eof" {
        let why = "it hung up while TLS was being agreed on; check the endpoint and its port, and \
                   whether a firewall stands between";
        return (why.to_owned(), false);
    }
    match root(error) {
        Some(io::ErrorKind::ConnectionRefused) => (
            "nothing listens there; check the endpoint".to_owned(),
            false,
        ),
        _ => (text, false),
    }
}

/// Why a host's certificate is not taken. Goes by the words of rustls, since the verifier of the
/// platform wraps its errors beyond recognition.
fn distrusted(text: &str) -> Option<&'static str> {
    [
        (
            "UnknownIssuer",
            "its certificate is from an authority that is not trusted here; if a proxy of your \
             company stands between, or the authority is yours, name that authority's certificate \
             with --ca-file FILE (or SSL_CERT_FILE)",
        ),
        (
            "certificate expired",
            "its certificate has expired by this machine's clock; set the clock if it is wrong, \
             else whoever runs that host must renew it",
        ),
        (
            "certificate not valid yet",
            "its certificate is not good yet by this machine's clock; set the clock if it is wrong",
        ),
        (
            "certificate not valid for name",
            "its certificate is for another host; check the endpoint, and whether a proxy or a \
             login page answers in its place",
        ),
        (
            "InvalidContentType",
            "what listens there does not speak TLS; check the endpoint and its port",
        ),
    ]
    .into_iter()
    .find_map(|(words, why)| text.contains(words).then_some(why))
}

/// What came instead of an answer; `None` if the connection was just cut.
fn broken(error: &reqwest::Error) -> Option<String> {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    const CUT: [&str; 4] = [
        "connection closed before message completed",
        "end of file before message length reached",
        "unexpected EOF",
        "channel closed",
    ];
    let text = chain(error);
    let cut = matches!(
        root(error),
        Some(BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
    ) || CUT.iter().any(|words| text.contains(words));
    (!cut).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;

    /// Serves one connection: reads a whole request, writes the answer, closes. Gives the request.
    fn serve(answer: &'static str) -> (Endpoint, JoinHandle<String>) {
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
        let endpoint = Endpoint::new(&format!("http://{address}/")).expect("valid");
        (endpoint, handle)
    }

    async fn send(endpoint: &Endpoint) -> Result<Answer, TransportError> {
        let http = Http::new(endpoint, None, None, None).expect("a client");
        http.send(b"{\"query\":1}".to_vec(), "Bearer t0ken".to_owned())
            .await
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
            assert!(!why.message.contains("t0ken"), "{why}");
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
        for length in [LARGEST_ANSWER + 1, 5_000_000_000] {
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
        let endpoint = Endpoint::new(&format!("http://{address}")).expect("valid");
        let why = send(&endpoint).await.expect_err("refused");
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

    #[test]
    fn a_ca_file_holds_certificates_or_is_refused() {
        let endpoint = Endpoint::default();
        assert!(Http::new(&endpoint, Some(b"nonsense"), None, None).is_err());
    }
}
