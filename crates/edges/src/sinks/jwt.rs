//! Claims signed with an RSA key (RFC 7515, RS256), by which a program logs in as whose key it is.
//! Pure; a key is never shown.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::encoding::Pem;

/// The RSA key in a PEM text, in either form that is usual; `None` if there is none.
pub(super) fn key(pem: &str) -> Option<RsaKeyPair> {
    let read = |label| Pem::labelled(pem, label)?.der().ok();
    match read("RSA PRIVATE KEY") {
        Some(der) => RsaKeyPair::from_der(&der).ok(),
        None => read("PRIVATE KEY").and_then(|der| RsaKeyPair::from_pkcs8(&der).ok()),
    }
}

/// Claims with their signature. `id` names the key to who knows several. `None` if the key signs nothing.
pub(super) fn signed(
    key: &RsaKeyPair,
    id: Option<&str>,
    claims: &Value,
) -> Option<Zeroizing<String>> {
    let head = match id {
        None => json!({"alg": "RS256", "typ": "JWT"}),
        Some(id) => json!({"alg": "RS256", "typ": "JWT", "kid": id}),
    };
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let head = encode(head.to_string().as_bytes());
    let text = format!("{head}.{}", encode(claims.to_string().as_bytes()));
    let mut signature = vec![0; key.public_modulus_len()];
    let random = SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
        .ok()?;
    Some(Zeroizing::new(format!("{text}.{}", encode(&signature))))
}
