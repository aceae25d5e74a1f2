//! Credentials in memory, on their one road from the platform to a destination.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};

use super::digest::short_digest;
use super::mrn::Mrn;
use crate::encoding::{Pem, hex};
use crate::secret::Secret;

/// The base URL to which a credential leads that names none. Source: mondoo-go's `option` package
/// and cnquery's `cli/config`.
pub const DEFAULT_ENDPOINT: &str = "https://us.api.mondoo.com";

/// The most bytes that a credential file has as JSON: what a place must have room for before the key is
/// made. The platform's have some 1,500. What their names may grow by is bounded: the id of a scope has
/// 200 letters at most ([`SpaceId`](super::SpaceId)) and stands six times in the file, three of them in the
/// certificate; that makes some 2,900. In base64 it is 4,096, the size of AWS's standard parameters.
pub const LARGEST_CREDENTIAL: usize = 3 * 1024;

/// A credential as the platform issued it, once. Neither `Clone` nor `Serialize`.
#[derive(Debug)]
pub struct IssuedCredential {
    /// The account's resource name.
    pub mrn: Mrn,
    /// The certificate, PEM. Public.
    pub certificate: String,
    /// The private key, PKCS#8 PEM.
    pub private_key: Secret<String>,
    /// The scope's resource name.
    pub scope_mrn: String,
    /// Equals `scope_mrn`; older consumers read this key.
    pub space_mrn: String,
    /// The API's base URL without `/query`.
    pub api_endpoint: String,
    /// Names the key without telling it.
    pub fingerprint: Fingerprint,
}

/// Names a key pair by its public half: the first 16 hexadecimal digits of the SHA-256 of the
/// public key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a public key's bytes.
    pub fn of_public_key(bytes: &[u8]) -> Self {
        Self(short_digest(bytes, 16))
    }

    /// The fingerprint of the public half of a private key in PKCS#8 PEM, ECDSA on P-384; `None` if it
    /// is another kind of key, or none.
    pub fn of_private_key(pem: &str) -> Option<Self> {
        let block = Pem::first(pem).filter(|block| block.label == "PRIVATE KEY")?;
        let der = block.der().ok()?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der).ok()?;
        Some(Self::of_public_key(key.public_key().as_ref()))
    }

    /// Takes a fingerprint read from a label.
    pub fn from_label(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The hexadecimal text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A random mark by which a run recognises the account it is giving birth to: 128 bits in
/// hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(String);

impl Nonce {
    /// A nonce of 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes))
    }

    /// Takes a nonce read from a label.
    pub fn from_label(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The hexadecimal text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A credential as a store held it, byte for byte.
pub type StoredCredential = Secret<Vec<u8>>;
