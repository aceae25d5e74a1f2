//! One request and what comes of it, as values.
//! Pure; nothing here prints a body or the value of a header.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Sends something to be worked on.
    Post,
    /// Puts something in a place.
    Put,
    /// Changes a part of something.
    Patch,
    /// Removes.
    Delete,
}

/// The value of a header.
pub enum Header {
    /// One that anybody may see.
    Plain(String),
    /// One that is sent and never shown, and zeroed on drop.
    Secret(Zeroizing<String>),
}

/// A request that has not been sent.
pub struct Request {
    /// What it asks for.
    pub method: Method,
    /// The whole URL, of the origin that its client is for.
    pub url: String,
    /// Its headers by their names in small letters.
    pub headers: Vec<(&'static str, Header)>,
    /// Its body. May hold a key, so it is zeroed on drop.
    pub body: Zeroizing<Vec<u8>>,
    /// The largest answer that is read, in bytes.
    pub largest_answer: usize,
    /// The headers of the answer that are wanted, by their names in small letters.
    pub wanted: &'static [&'static str],
}

impl Request {
    /// The largest answer that is read if a request says nothing else, in bytes.
    pub const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

    /// A request without headers and body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Zeroizing::default(),
            largest_answer: Self::LARGEST_ANSWER,
            wanted: &[],
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Header::Plain(value.into())));
        self
    }

    /// The same with one more header, whose value is a secret.
    #[must_use]
    pub fn secret(mut self, name: &'static str, value: impl Into<Zeroizing<String>>) -> Self {
        self.headers.push((name, Header::Secret(value.into())));
        self
    }

    /// The same with another body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        self.body = body.into();
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({:?}, {} bytes)", self.method, self.body.len())
    }
}

/// An HTTP answer, whatever its status.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The `Date` header, the server's clock.
    pub date: Option<Timestamp>,
    /// How long the server asks to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// The host that a redirect points to; redirects are never followed.
    pub redirect_to: Option<String>,
    /// The wanted headers that are there, by their names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// The whole body. May hold a key, so it is zeroed on drop.
    pub body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// An answer with a status and a body and no headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            date: None,
            retry_after: None,
            redirect_to: None,
            headers: Vec::new(),
            body: Zeroizing::new(body.into()),
        }
    }

    /// A wanted header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// What kind of failure kept an answer away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The request cannot be sent as it is.
    Unsendable,
    /// No connection came about.
    Unreachable,
    /// No whole answer came in time.
    TooSlow,
    /// The connection broke off.
    Cut,
    /// What came is no HTTP answer, or a larger one than is read.
    Unreadable,
}

/// No answer came, or not a whole one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.whole())]
pub struct Failure {
    /// What kind it is.
    pub kind: FailureKind,
    /// Whether any part of the request may have reached the server.
    pub maybe_sent: bool,
    /// Whether the next try would end the same.
    pub lasting: bool,
    /// What happened, a fragment for people.
    pub message: String,
    /// What to do about it, a fragment, if anything is known.
    pub help: Option<String>,
}

impl Failure {
    /// What happened and what to do about it, in one fragment.
    pub fn whole(&self) -> String {
        match &self.help {
            None => self.message.clone(),
            Some(help) => format!("{}; {help}", self.message),
        }
    }
}
