//! Authentication: service accounts' own JWTs and opaque API tokens.
//!
//! The algorithm is the one of the platform's public guard (mondoohq/ranger-rpc,
//! `plugins/authentication/cert`): the token names an account in `kid`, that account's stored
//! certificate must verify the signature, and `chash`, where present, must be the body's hash.

use aws_lc_rs::{constant_time, signature};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    core::Core,
    hash::{hex, sha256},
    identity::Identity,
    jws::Jws,
    status::Status,
    store::{Account, Token},
};

/// A request was not authenticated. Why stays here: the answer never tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthenticated {
    /// There is no token.
    NoToken,
    /// It is neither a known API token nor a JWT.
    Malformed,
    /// The JWT's algorithm is not ES384.
    Algorithm,
    /// No account with a certificate has the `kid`.
    UnknownKey,
    /// The account's certificate does not verify the signature.
    Signature,
    /// A claim is missing or wrong, or the token is too old or too young.
    Claims,
    /// The body is not the one the token was made for.
    BodyHash,
    /// The account's `validUntil` has passed.
    Expired,
    /// The store could not be asked.
    Unavailable,
}

/// Who issues the tokens of this system.
pub(crate) const ISSUER: &str = "mondoo/ams";
/// Clocks may differ by this much.
const LEEWAY_SECONDS: f64 = 60.0;
/// `lastUsed` is written at most once in this time, so that reads stay reads.
const TOUCH_MS: i64 = 60_000;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    // Extensions that a verifier must understand (RFC 7515, 4.1.11); this one knows none.
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    chash: Option<String>,
}

/// Strips a `Bearer` scheme in any case; a bare token is taken as it is.
pub(crate) fn bearer(authorization: &str) -> &str {
    let text = authorization.trim();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => text,
    }
}

/// Who a token is of.
pub(crate) enum Holder {
    Token(Token),
    Account(Account),
}

/// Finds out who sent a body, and notes that they did.
pub(crate) fn authenticate(
    core: &Core,
    authorization: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<Identity, Unauthenticated> {
    let unavailable = |_: Status| Unauthenticated::Unavailable;
    let at = now.as_millisecond();
    let due = |last_used: i64| at.saturating_sub(last_used) >= TOUCH_MS;
    match identify(core, authorization, body, now)? {
        Holder::Token(token) => {
            if due(token.last_used) {
                core.store
                    .write(|c| Ok::<_, Status>(Token::touch(c, &token.mrn, at)?))
                    .map_err(unavailable)?;
            }
            Ok(Identity::new(token.mrn))
        }
        Holder::Account(account) => {
            if due(account.last_used) {
                core.store
                    .write(|c| Ok::<_, Status>(Account::touch(c, &account.mrn, at)?))
                    .map_err(unavailable)?;
            }
            Ok(Identity::new(account.mrn))
        }
    }
}

/// Finds out who sent a body, and notes nothing.
pub(crate) fn identify(
    core: &Core,
    authorization: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<Holder, Unauthenticated> {
    let token = bearer(authorization.unwrap_or_default());
    if token.is_empty() {
        return Err(Unauthenticated::NoToken);
    }
    let hash = sha256(token.as_bytes());
    let known = core
        .store
        .read(|c| Ok::<_, Status>(Token::find_by_hash(c, &hash)?))
        .map_err(|_| Unauthenticated::Unavailable)?;
    match known {
        Some(token) => Ok(Holder::Token(token)),
        None => verify(core, token, body, now).map(Holder::Account),
    }
}

fn verify(
    core: &Core,
    token: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Account, Unauthenticated> {
    let jws = Jws::split(token).ok_or(Unauthenticated::Malformed)?;
    let header: Header = jws.header().ok_or(Unauthenticated::Malformed)?;
    if header.crit.is_some() {
        return Err(Unauthenticated::Malformed);
    }
    if header.alg != "ES384" {
        return Err(Unauthenticated::Algorithm);
    }
    let account = core
        .store
        .read(|c| Ok::<_, Status>(Account::find(c, &header.kid, None)?))
        .map_err(|_| Unauthenticated::Unavailable)?
        .ok_or(Unauthenticated::UnknownKey)?;
    let certificate = account
        .certificate
        .as_deref()
        .ok_or(Unauthenticated::UnknownKey)?;
    let signature = jws.signature().ok_or(Unauthenticated::Malformed)?;
    verify_signature(certificate, jws.signed.as_bytes(), &signature)?;

    let claims: Claims = jws.claims().ok_or(Unauthenticated::Malformed)?;
    check_claims(&claims, &account.mrn, now)?;
    if let Some(chash) = &claims.chash {
        let expected = hex(&sha256(body));
        constant_time::verify_slices_are_equal(expected.as_bytes(), chash.as_bytes())
            .map_err(|_| Unauthenticated::BodyHash)?;
    }
    if account
        .valid_until
        .is_some_and(|end| end <= now.as_millisecond())
    {
        return Err(Unauthenticated::Expired);
    }
    Ok(account)
}

/// Verifies the fixed-length ES384 signature of a JWS with the key of a certificate.
fn verify_signature(
    certificate: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), Unauthenticated> {
    let certificate = rustls::pki_types::CertificateDer::from(certificate);
    let certificate =
        webpki::EndEntityCert::try_from(&certificate).map_err(|_| Unauthenticated::UnknownKey)?;
    let key = certificate.subject_public_key_info();
    signature::UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, key.as_ref())
        .verify(message, signature)
        .map_err(|_| Unauthenticated::Signature)
}

fn check_claims(claims: &Claims, mrn: &str, now: Timestamp) -> Result<(), Unauthenticated> {
    let now = now.as_duration().as_secs_f64();
    let in_time = now <= claims.exp + LEEWAY_SECONDS
        && claims.nbf.is_none_or(|nbf| now + LEEWAY_SECONDS >= nbf)
        && claims.iat.is_none_or(|iat| now + LEEWAY_SECONDS >= iat);
    if in_time && claims.iss == ISSUER && claims.sub == mrn {
        Ok(())
    } else {
        Err(Unauthenticated::Claims)
    }
}
