//! JSON Web Signatures: what the platform signs itself, and how signed text is taken apart.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::status::Status;

/// A fresh P-384 key for signing tokens, as base64 of its PKCS#8.
pub(crate) fn new_signing_key() -> Result<String, Status> {
    let failed = |_| Status::internal("no signing key");
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new());
    Ok(STANDARD.encode(document.map_err(failed)?))
}

/// A JWT by such a key, without a key id, as the platform's registration tokens are.
pub(crate) fn sign(key: &str, claims: &serde_json::Value) -> Result<String, Status> {
    let failed = || Status::internal("the signing key does not sign");
    let key = Zeroizing::new(STANDARD.decode(key).map_err(|_| failed())?);
    let key =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &key).map_err(|_| failed())?;
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES384","typ":"JWT"}"#);
    let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let random = SystemRandom::new();
    let signature = key.sign(&random, text.as_bytes()).map_err(|_| failed())?;
    Ok(format!(
        "{text}.{}",
        URL_SAFE_NO_PAD.encode(signature.as_ref())
    ))
}

/// A compact JWS whose signature nobody has verified yet, in its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jws<'a> {
    /// What the signature covers.
    pub(crate) signed: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Jws<'a> {
    /// Takes a compact JWS apart; none if it has not three parts.
    pub(crate) fn split(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        Some(Self {
            signed,
            header,
            claims,
            signature,
        })
    }

    /// The header, if it is JSON of this shape.
    pub(crate) fn header<T: DeserializeOwned>(&self) -> Option<T> {
        json(self.header)
    }

    /// The claims, if they are JSON of this shape.
    pub(crate) fn claims<T: DeserializeOwned>(&self) -> Option<T> {
        json(self.claims)
    }

    /// The bytes of the signature.
    pub(crate) fn signature(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.signature).ok()
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
