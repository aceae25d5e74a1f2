//! The network shell: reads issuers' documents. Follows nothing, gives up in time and in size.

use std::time::Duration;

use reqwest::{Certificate, redirect};
use tokio::runtime::Handle;

use super::oidc::{DOCUMENT_LIMIT, FetchDocument, is_allowed, is_loopback};

/// How long an issuer may take for one document, to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks over HTTP, from threads of a runtime that may wait.
pub(super) struct Http(pub(super) Handle);

impl FetchDocument for Http {
    fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        if !is_allowed(url) {
            return Err("not on https".to_owned());
        }
        self.0.block_on(get(url))
    }
}

/// The whole chain of an error; the first link rarely says why.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text += &format!(": {inner}");
        source = inner.source();
    }
    text
}

fn why(error: reqwest::Error) -> String {
    chain(&error)
}

async fn get(url: &str) -> Result<Vec<u8>, String> {
    let builder = || {
        let builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(PATIENCE)
            .user_agent(concat!("rolecall/", env!("CARGO_PKG_VERSION")));
        if is_loopback(url) {
            builder.no_proxy()
        } else {
            builder
        }
    };
    // Without any CA on the system the first fails; then Mozilla's list stands in.
    let client = builder()
        .build()
        .or_else(|_| {
            let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
                .iter()
                .filter_map(|der| Certificate::from_der(der).ok());
            builder().tls_certs_only(roots).build()
        })
        .map_err(why)?;
    let mut response = client
        .get(url)
        .header("accept", "application/json")
        .send()
        .await
        .map_err(why)?;
    if response.status().as_u16() != 200 {
        return Err(format!("status {}", response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(why)? {
        if body.len() + chunk.len() > DOCUMENT_LIMIT {
            return Err("too large".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
