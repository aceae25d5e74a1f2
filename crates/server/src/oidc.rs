//! OpenID Connect tokens of external issuers: whether one is what its issuer signed.
//!
//! Knows no store and no socket: documents come through [`FetchDocument`], time is an argument.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{jws::Jws, reach};

/// The largest document of an issuer in bytes; the largest known key sets have a tenth of it.
pub const DOCUMENT_LIMIT: usize = 256 * 1024;
/// Clocks may differ by this much.
const LEEWAY_SECONDS: f64 = 60.0;

/// Reads documents from the network: once, without following anything, in bounded time.
pub trait FetchDocument: Send + Sync {
    /// The body of a GET that was answered with 200 and has at most [`DOCUMENT_LIMIT`] bytes. Why
    /// there is none is nobody's business: whoever bound the issuer would learn what is where.
    fn fetch(&self, url: &str) -> Option<Vec<u8>>;
}

/// Why a token does not count.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    // Extensions that a verifier must understand (RFC 7515, 4.1.11); this one knows none.
    crit: Option<serde::de::IgnoredAny>,
}

/// The claims of a token, as far as they are looked at by name.
#[derive(Debug)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The subject.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Whether the token is for one of the audiences, or for any if there are none.
    pub(crate) fn is_for(&self, audiences: &[String]) -> bool {
        audiences.is_empty() || audiences.iter().any(|audience| self.holds("aud", audience))
    }

    /// Whether a claim is a value, or a list with the value in it.
    pub(crate) fn holds(&self, claim: &str, value: &str) -> bool {
        let is = |found: &Value| match found {
            Value::String(text) => text == value,
            Value::Number(number) => number.to_string() == value,
            Value::Bool(truth) => truth.to_string() == value,
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        match self.0.get(claim) {
            Some(Value::Array(list)) => list.iter().any(is),
            Some(found) => is(found),
            None => false,
        }
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Verifies a token: its issuer publishes the key that signed it, and its time is now. The issuer
/// must be one that somebody has bound; no other address is ever asked. With `local`, the issuer may
/// lie on this machine or in its network.
pub(crate) fn verify(
    token: &str,
    issuer: &str,
    fetch: &dyn FetchDocument,
    local: bool,
    now: Timestamp,
) -> Result<Claims, Refused> {
    let read = |jws: Jws<'_>| Some((jws.header()?, jws.claims()?, jws.signature()?));
    let jws = Jws::split(token);
    let Some((jws, (header, claims, signature))) = jws.and_then(|jws| Some((jws, read(jws)?)))
    else {
        return refused("it is not a JWT");
    };
    let (header, claims): (Header, _) = (header, Claims(claims));
    if header.crit.is_some() {
        return refused("it has critical extensions");
    }
    if !matches!(header.alg.as_str(), "RS256" | "ES256") {
        return refused("its algorithm is neither RS256 nor ES256");
    }
    if claims.text("iss") != Some(issuer) {
        return refused("its issuer is another one");
    }
    check_time(&claims, now)?;
    // The binding may be older than the rules of today.
    let Ok(home) = reach::read(issuer, local) else {
        return refused("its issuer may not be asked");
    };
    let discovery: Discovery = document(
        fetch,
        &format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        ),
    )?;
    if discovery.issuer != issuer {
        return refused("the configuration is another issuer's");
    }
    // An issuer elsewhere may not point at this machine or its network.
    if reach::read(&discovery.jwks_uri, reach::is_local(&home)).is_err() {
        return refused("the issuer's keys may not be asked for");
    }
    let supported = discovery.id_token_signing_alg_values_supported;
    if supported.is_some_and(|list| !list.contains(&header.alg)) {
        return refused("its algorithm is none of the issuer's");
    }
    let set: KeySet = document(fetch, &discovery.jwks_uri)?;
    // Keys of other kinds may stand in the set; they are not for us.
    let keys: Vec<Key> = set
        .keys
        .into_iter()
        .filter_map(|key| serde_json::from_value(key).ok())
        .filter(|key: &Key| is_candidate(key, &header))
        .collect();
    if keys.is_empty() {
        return refused("the issuer has no such key");
    }
    let signed = jws.signed.as_bytes();
    if keys
        .iter()
        .any(|key| signature_holds(key, signed, &signature) == Some(true))
    {
        Ok(claims)
    } else {
        refused("its signature is wrong")
    }
}

fn check_time(claims: &Claims, now: Timestamp) -> Result<(), Refused> {
    let now = now.as_duration().as_secs_f64();
    let Some(exp) = claims.0.get("exp").and_then(Value::as_f64) else {
        return refused("it does not expire");
    };
    if now > exp + LEEWAY_SECONDS {
        return refused("it has expired");
    }
    for name in ["nbf", "iat"] {
        match claims.0.get(name).map(Value::as_f64) {
            None => {}
            Some(Some(from)) if now + LEEWAY_SECONDS >= from => {}
            Some(_) => return refused("it is not valid yet"),
        }
    }
    Ok(())
}

fn document<T: serde::de::DeserializeOwned>(
    fetch: &dyn FetchDocument,
    url: &str,
) -> Result<T, Refused> {
    let body = fetch.fetch(url).filter(|body| body.len() <= DOCUMENT_LIMIT);
    // One sentence whatever was met there.
    body.and_then(|body| serde_json::from_slice(&body).ok())
        .ok_or_else(|| Refused("the issuer's documents cannot be had".to_owned()))
}

/// Whether a key may have made a signature: of the algorithm's kind, for signatures, and the one
/// that is named if one is.
fn is_candidate(key: &Key, header: &Header) -> bool {
    let kind = match header.alg.as_str() {
        "RS256" => key.kty == "RSA",
        _ => key.kty == "EC" && key.crv.as_deref() == Some("P-256"),
    };
    kind && key.usage.as_deref().is_none_or(|usage| usage == "sig")
        && key.alg.as_ref().is_none_or(|alg| *alg == header.alg)
        && (header.kid.is_none() || header.kid == key.kid)
}

/// Whether the key verifies the signature; none if it is not a key.
fn signature_holds(key: &Key, signed: &[u8], signature: &[u8]) -> Option<bool> {
    let part = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    if key.kty == "RSA" {
        let key = RsaPublicKeyComponents {
            n: part(&key.n)?,
            e: part(&key.e)?,
        };
        let verified = key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature);
        return Some(verified.is_ok());
    }
    let (x, y) = (part(&key.x)?, part(&key.y)?);
    if x.len() != 32 || y.len() != 32 {
        return None;
    }
    // An uncompressed point (SEC 1, 2.3.3).
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    let verified =
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature);
    Some(verified.is_ok())
}
