//! The box in which a secret travels to GitHub: libsodium's sealed box, which the holder of one private key
//! opens, and not even its sender.
//!
//! Source: GitHub's documentation, "Encrypting secrets for the REST API".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::PublicKey;
use crypto_box::aead::OsRng;
use serde::Deserialize;

use super::answer::malformed;
use crate::ports::{SinkError, SinkErrorKind};
use crate::sinks::room;

/// The largest value that GitHub keeps, in bytes. Source: GitHub's documentation, "Secrets reference".
pub(super) const LARGEST: usize = 48 * 1024;
const _: () = assert!(room::MOST <= LARGEST);

/// A public key of some owner's secrets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Key {
    /// What GitHub calls it.
    #[serde(rename = "key_id")]
    pub(super) id: String,
    key: String,
}

impl Key {
    /// Reads the answer to a request for the key.
    pub(super) fn read(body: &[u8]) -> Result<Self, SinkError> {
        let key: Self = serde_json::from_slice(body)
            .map_err(|_| malformed("the answer holds no public key; is the address GitHub's?"))?;
        key.public().map(|_| key)
    }

    fn public(&self) -> Result<PublicKey, SinkError> {
        let bytes = STANDARD.decode(&self.key).ok();
        let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.filter(|bytes| *bytes != [0; 32]);
        bytes
            .map(PublicKey::from_bytes)
            .ok_or_else(|| malformed("the public key of the secrets is none"))
    }

    /// A value in its box, as base64: another one each time.
    pub(super) fn seal(&self, value: &[u8]) -> Result<String, SinkError> {
        let sealed = self.public()?.seal(&mut OsRng, value);
        let sealed = sealed.map_err(|_| malformed("the value cannot be sealed"))?;
        Ok(STANDARD.encode(sealed))
    }
}

/// Refuses a value that GitHub does not keep.
pub(super) fn fits(value: &[u8]) -> Result<(), SinkError> {
    match value.len() <= LARGEST {
        true => Ok(()),
        false => Err(SinkError {
            kind: SinkErrorKind::Full,
            message: format!(
                "the credential is {} bytes long, and GitHub keeps {LARGEST} at most",
                value.len()
            ),
            ..malformed("")
        }),
    }
}

#[cfg(test)]
mod tests {
    use crypto_box::SecretKey;

    use super::*;

    /// Made with libsodium (PyNaCl 1.6.2, `SealedBox`): what GitHub's own examples seal and open with.
    #[test]
    fn the_library_opens_what_libsodium_sealed() {
        let secret = SecretKey::from_bytes([7; 32]);
        let sealed = STANDARD.decode(SEALED).expect("base64");
        let value = secret.unseal(&sealed).expect("opens");
        assert_eq!(value, b"a key \xc3\xbc");
        let public = STANDARD.encode(secret.public_key().as_bytes());
        assert_eq!(public, PUBLIC);
    }

    const PUBLIC: &str = "E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe20=";
    const SEALED: &str =
        "lHo3ssL6Zx8hM7GAqR2Z3QfS50R4+ddTRYI1+AjDfmXnQWpf7qyrn5WqI4+MUYg4KIifgZt1Z1Q=";

    fn key(of: &SecretKey) -> Key {
        let key = STANDARD.encode(of.public_key().as_bytes());
        let body = serde_json::json!({"key_id": "1", "key": key}).to_string();
        Key::read(body.as_bytes()).expect("a key")
    }

    #[test]
    fn two_boxes_of_one_value_differ_and_open_to_it() {
        let secret = SecretKey::generate(&mut OsRng);
        let key = key(&secret);
        let value = b"some value";
        let boxes = [key.seal(value), key.seal(value)].map(|sealed| sealed.expect("seals"));
        assert_ne!(boxes[0], boxes[1]);
        for sealed in boxes {
            let sealed = STANDARD.decode(sealed).expect("base64");
            assert_eq!(sealed.len(), value.len() + 48);
            assert_eq!(secret.unseal(&sealed).expect("opens"), value);
        }
    }

    #[test]
    fn what_is_no_key_is_not_sealed_with() {
        let short = STANDARD.encode([1; 31]);
        let nothing = STANDARD.encode([0; 32]);
        for key in ["", "no base64", &short, &nothing] {
            let body = serde_json::json!({"key_id": "1", "key": key}).to_string();
            assert!(Key::read(body.as_bytes()).is_err(), "{key}");
        }
        assert!(Key::read(b"{}").is_err() && Key::read(b"<html>").is_err());
    }

    #[test]
    fn a_value_may_be_as_large_as_github_says_and_no_larger() {
        let of = |bytes: usize| fits(&vec![b'x'; bytes]);
        assert_eq!(of(49_152), Ok(()));
        let told = of(49_153).expect_err("too large").to_string();
        assert!(told.contains("49153") && told.contains("49152"), "{told}");
    }
}
