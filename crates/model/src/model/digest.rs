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

#[cfg(test)]
mod tests {
    use super::*;

    /// The digests are those of the standard's examples (FIPS 180-4).
    #[test]
    fn a_digest_is_cut_after_so_many_digits() {
        const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for digits in [0, 1, 2, 15, 16, 63, 64] {
            assert_eq!(short_digest(b"abc", digits), ABC[..digits]);
            assert_eq!(short_digest(b"", digits), NOTHING[..digits]);
        }
        assert_eq!(short_digest(b"abc", 65), ABC);
    }

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0x00, 0x0f, 0x10, 0xa9, 0xff]), "000f10a9ff");
    }
}
