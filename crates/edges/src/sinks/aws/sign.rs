//! Signatures of requests to AWS: Signature Version 4, made by a library.
//! Pure: the time is given.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::keys::Keys;
use crate::ports::{Effect, SinkError, SinkErrorKind};

/// The headers that a signature adds.
const ADDED: [&str; 3] = ["authorization", "x-amz-date", "x-amz-security-token"];

/// What is signed: a POST with a body.
pub(super) struct Signable<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) body: &'a [u8],
}

/// The headers that sign a request at a time.
///
/// # Errors
/// If it cannot be signed as it is.
pub(super) fn signature(
    request: &Signable<'_>,
    keys: &Keys,
    now: Timestamp,
) -> Result<Vec<(&'static str, Zeroizing<String>)>, SinkError> {
    let refused = |_| SinkError {
        kind: SinkErrorKind::Unfit,
        effect: Effect::None,
        message: "the request cannot be signed".to_owned(),
        help: Some("look at the sink's endpoint".to_owned()),
    };
    let token = keys.token.as_ref().map(|token| token.to_string());
    let identity =
        Credentials::new(keys.id.as_str(), keys.key.as_str(), token, None, "rolecall").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(request.region)
        .name(request.service)
        .time(now.try_into().map_err(|_| refused(()))?)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| refused(()))?
        .into();
    let headers = request.headers.iter();
    let signable = SignableRequest::new(
        "POST",
        request.url,
        headers.map(|(name, value)| (*name, value.as_str())),
        SignableBody::Bytes(request.body),
    )
    .map_err(|_| refused(()))?;
    let (made, _) = sign(signable, &params)
        .map_err(|_| refused(()))?
        .into_parts();
    let known = |name: &str| ADDED.into_iter().find(|known| *known == name);
    Ok(made
        .headers()
        .filter_map(|(name, value)| Some((known(name)?, Zeroizing::new(value.to_owned()))))
        .collect())
}
