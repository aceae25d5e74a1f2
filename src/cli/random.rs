//! Chance, from the system alone.

use crate::model::Nonce;

/// So many random bytes.
///
/// # Errors
/// A sentence, if the system has none.
pub fn bytes<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| "the system's random source does not work".to_owned())?;
    Ok(bytes)
}

/// 16 bytes that nobody has seen before.
pub fn nonce() -> Nonce {
    Nonce::from_bytes(bytes().expect("the system's random source works"))
}
