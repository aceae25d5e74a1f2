//! What the client needs of a connection: bytes out, an answer back.
//! An in-memory transport can stand in for the socket.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

/// An HTTP answer, whatever its status.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The `Date` header, the server's clock.
    pub date: Option<Timestamp>,
    /// How long the server asks to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// What the server calls this request (`X-Request-Id`), as it says it.
    pub request_id: Option<String>,
    /// The host that a redirect points to; redirects are never followed.
    pub redirect_to: Option<String>,
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
            request_id: None,
            redirect_to: None,
            body: Zeroizing::new(body.into()),
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// No answer came, or not a whole one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Whether any part of the request may have reached the server.
    pub maybe_sent: bool,
    /// Whether the next try would end the same.
    pub lasting: bool,
    /// What happened, a fragment for people.
    pub message: String,
}

/// Carries one request to the GraphQL endpoint and one answer back. Never retries, never follows.
pub trait Transport {
    /// Sends `body` as `application/json` with `authorization` as the `Authorization` header.
    ///
    /// # Errors
    /// If no whole answer came; the error says whether the request may have been sent.
    fn send(
        &self,
        body: Vec<u8>,
        authorization: String,
    ) -> impl Future<Output = Result<Answer, TransportError>>;
}
