//! Digests as text.
//! Pure.

/// The first `digits` hexadecimal digits of the SHA-256 of `bytes`.
pub fn short_digest(bytes: &[u8], digits: usize) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let bytes = digest.as_ref();
    let mut text = hex(&bytes[..bytes.len().min(digits.div_ceil(2))]);
    text.truncate(digits);
    text
}

/// Bytes in hexadecimal. A formatter would take longer than the digest itself.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}
