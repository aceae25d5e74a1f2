//! Where a request over HTTP says who sends it.

use axum::http::{HeaderMap, Uri, header};

/// The token of a request: a header, or a parameter.
pub(super) fn token(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    match headers.get(header::AUTHORIZATION) {
        // An unreadable header is a wrong token, not a missing one.
        Some(value) => Some(value.to_str().unwrap_or("?").to_owned()),
        None => access_token(uri),
    }
}

/// The `access_token` parameter, where the guard looks if there is no header. Tokens are made of
/// characters that need no escaping.
fn access_token(uri: &Uri) -> Option<String> {
    uri.query()?
        .split('&')
        .find_map(|pair| pair.strip_prefix("access_token="))
        .map(str::to_owned)
}
