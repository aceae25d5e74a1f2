//! Why no connection came about, or broke, in the words of who must mend it.
//! Pure: an error of the HTTP library in, words out.

use std::io;

/// What people turn for this client, as messages name it.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Where its own authorities are named: `--ca-file`.
    pub authorities: &'static str,
    /// How to trust one more: `--ca-file FILE (or SSL_CERT_FILE)`.
    pub trust: &'static str,
    /// How to wait longer, a sentence without a stop; empty if there is no such way.
    pub longer: &'static str,
    /// What its address is called: `the endpoint`.
    pub address: &'static str,
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
pub(super) fn chain(error: &reqwest::Error) -> String {
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

/// Why no connection came about.
pub(super) struct Cause {
    /// Whether the next try would end the same.
    pub lasting: bool,
    /// What happened, a fragment.
    pub message: String,
    /// What to do about it, a fragment.
    pub help: Option<String>,
}

/// Why no connection came about, what to do, and whether the next try would end the same. `proxy` is
/// what names the proxy and how to go without it.
pub(super) fn unreachable(
    error: &reqwest::Error,
    (proxy, without): (&str, &str),
    words: &Words,
) -> Cause {
    let text = chain(error);
    let address = words.address;
    let cause = |lasting: bool, message: &str, help: String| Cause {
        lasting,
        message: message.to_owned(),
        help: Some(help),
    };
    if let Some((why, help)) = distrusted(&text, words) {
        return cause(true, why, help);
    }
    if text.contains("tunnel error: proxy authorization required") {
        let message = format!(
            "the proxy wants a user and a password (HTTP 407): name it in {proxy} as \
             http://USER:PASSWORD@HOST:PORT"
        );
        return Cause {
            lasting: true,
            message,
            help: None,
        };
    }
    if text.contains("tunnel error") {
        let why = match text.contains("failed to create underlying connection") {
            true => "the proxy cannot be reached",
            false => "the proxy refused to connect there",
        };
        return cause(false, why, format!("check {proxy}, or {without}"));
    }
    if text.contains("dns error") {
        let help = format!("check {address}, the network and the name servers");
        return cause(false, "its name cannot be found", help);
    }
    if text == "tls handshake eof" {
        let help = format!("check {address} and its port, and whether a firewall stands between");
        return cause(
            false,
            "it closed the connection during the TLS handshake",
            help,
        );
    }
    match root(error) {
        Some(io::ErrorKind::ConnectionRefused) => {
            cause(false, "nothing listens there", format!("check {address}"))
        }
        _ => Cause {
            lasting: false,
            message: text,
            help: None,
        },
    }
}

/// Why a host's certificate is not taken, and what to do. Goes by the words of rustls, since the
/// verifier of the platform wraps its errors beyond recognition.
fn distrusted(text: &str, words: &Words) -> Option<(&'static str, String)> {
    let Words { trust, address, .. } = words;
    [
        (
            "UnknownIssuer",
            "its certificate is from an authority that is not trusted here",
            format!(
                "if a proxy of your company stands between, or the authority is yours, name that \
                 authority's certificate with {trust}"
            ),
        ),
        (
            "certificate expired",
            "its certificate has expired by this machine's clock",
            "set the clock if it is wrong, else whoever runs that host must renew it".to_owned(),
        ),
        (
            "certificate not valid yet",
            "its certificate is not good yet by this machine's clock",
            "set the clock if it is wrong".to_owned(),
        ),
        (
            "certificate not valid for name",
            "its certificate is for another host",
            format!("check {address}, and whether a proxy or a login page answers in its place"),
        ),
        (
            "InvalidContentType",
            "what listens there does not speak TLS",
            format!("check {address} and its port"),
        ),
    ]
    .into_iter()
    .find_map(|(said, why, help)| text.contains(said).then_some((why, help)))
}

/// What came instead of an answer; `None` if the connection was just cut.
pub(super) fn broken(error: &reqwest::Error) -> Option<String> {
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
