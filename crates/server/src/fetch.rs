//! The network shell: reads issuers' documents. Follows nothing, gives up in time and in size, and
//! connects to the addresses it has checked.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Certificate, Url, redirect};
use tokio::runtime::Handle;

use super::{
    oidc::{DOCUMENT_LIMIT, FetchDocument},
    reach,
};

/// How long an issuer may take for one document, to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks over HTTP, from threads of a runtime that may wait.
pub(super) struct Http {
    pub(super) runtime: Handle,
    /// Whether this machine and its network may be asked.
    pub(super) local: bool,
}

impl FetchDocument for Http {
    fn fetch(&self, url: &str) -> Option<Vec<u8>> {
        let url = reach::read(url, self.local).ok()?;
        let get = tokio::time::timeout(PATIENCE, get(url, self.local));
        self.runtime.block_on(async { get.await.ok().flatten() })
    }
}

/// The addresses of a host, all of them such that may be asked.
async fn resolve(url: &Url, local: bool) -> Option<Vec<SocketAddr>> {
    let host = url
        .host_str()?
        .trim_start_matches('[')
        .trim_end_matches(']');
    let port = url.port_or_known_default()?;
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await.ok()?.collect();
    // One that leads elsewhere spoils them all: whoever answers for the name chose it.
    let may = |address: &SocketAddr| local || reach::is_public(address.ip());
    (!found.is_empty() && found.iter().all(may)).then_some(found)
}

async fn get(url: Url, local: bool) -> Option<Vec<u8>> {
    let addresses = resolve(&url, local).await?;
    let host = url.host_str()?.to_owned();
    let builder = || {
        reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            // A proxy would look the name up itself.
            .no_proxy()
            .resolve_to_addrs(&host, &addresses)
            .timeout(PATIENCE)
            .user_agent(concat!("rolecall/", env!("CARGO_PKG_VERSION")))
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
        .ok()?;
    let request = client.get(url).header("accept", "application/json");
    let mut response = request.send().await.ok()?;
    if response.status().as_u16() != 200 {
        return None;
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > DOCUMENT_LIMIT {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}
