//! What the client needs of a connection: bytes out, an answer back.
//! An in-memory transport can stand in for the socket.

use std::future::Future;
use std::time::Duration;

use zeroize::Zeroizing;

use super::endpoint::Endpoint;
use super::exchange::REQUEST_ID;
use crate::http::{
    self, Answer, Failure, FailureKind, Method, Proxy, Request, Settings, SetupError, Words,
};

/// How long one answer may take if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where an identity token becomes a temporary credential. Source: cnquery's
/// `providers-sdk/v1/upstream/sts.go`.
const EXCHANGE: &str = "/SecureTokenService/ExchangeExternalToken";
/// The largest temporary credential that is read, in bytes.
const LARGEST_LOGIN: usize = 256 * 1024;
const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "the endpoint",
};

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
    ) -> impl Future<Output = Result<Answer, Failure>>;

    /// Sends `body` to where identity tokens are exchanged, without any `Authorization`.
    ///
    /// # Errors
    /// If no whole answer came, or the transport exchanges nothing.
    fn exchange(&self, body: Zeroizing<Vec<u8>>) -> impl Future<Output = Result<Answer, Failure>> {
        drop(body);
        std::future::ready(Err(Failure {
            kind: FailureKind::Unsendable,
            maybe_sent: false,
            lasting: true,
            message: "identity tokens are not exchanged here".to_owned(),
            help: None,
        }))
    }
}

/// The transport over HTTP. The process must have installed rustls' aws-lc-rs provider.
#[derive(Debug)]
pub struct Http {
    client: http::Client,
    url: String,
    exchange_url: String,
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
    ) -> Result<Self, SetupError> {
        let settings = Settings {
            authorities: ca,
            identity: None,
            in_place: named,
            proxy,
            patience: PATIENCE,
            words: WORDS,
        };
        Ok(Self {
            client: http::Client::new(endpoint.base(), &settings)?,
            url: endpoint.query_url(),
            exchange_url: format!("{}{EXCHANGE}", endpoint.base()),
        })
    }

    /// The same connections with another patience: how long one answer may take, to its last byte.
    #[must_use]
    pub fn patient(self, timeout: Duration) -> Self {
        Self {
            client: self.client.patient(timeout),
            ..self
        }
    }
}

impl Transport for Http {
    async fn send(&self, body: Vec<u8>, authorization: String) -> Result<Answer, Failure> {
        let mut request = Request::new(Method::Post, self.url.as_str())
            .secret("authorization", Zeroizing::new(authorization))
            .header("content-type", "application/json")
            .body(body);
        request.wanted = &[REQUEST_ID];
        self.client.send(request).await
    }

    async fn exchange(&self, body: Zeroizing<Vec<u8>>) -> Result<Answer, Failure> {
        let mut request = Request::new(Method::Post, self.exchange_url.as_str())
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(body);
        request.largest_answer = LARGEST_LOGIN;
        request.wanted = &[REQUEST_ID];
        self.client.send(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_holds_certificates_or_is_refused() {
        let endpoint = Endpoint::default();
        for pem in [&b"nonsense"[..], b"", b"-----BEGIN CERTIFICATE-----\n"] {
            let why = Http::new(&endpoint, Some(pem), None, None).expect_err("no PEM");
            assert!(why.to_string().contains("--ca-file"), "{why}");
        }
    }
}
