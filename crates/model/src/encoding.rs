//! Bytes as text: hexadecimal digits and PEM.
//! Pure; errors never repeat what they read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Bytes as hexadecimal digits, in small letters.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 0xf)]);
    let pairs = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)]);
    pairs.collect()
}

/// A block of a PEM text (RFC 7468).
#[derive(Clone, Copy)]
pub struct Pem<'t> {
    /// What it says to hold: `CERTIFICATE`.
    pub label: &'t str,
    /// What follows its first line.
    rest: &'t str,
}

/// Why a block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemError {
    /// Its last line is missing.
    CutOff,
    /// What stands between its lines is no base64.
    NotBase64,
}

impl<'t> Pem<'t> {
    /// The first block of a text, whatever it holds.
    pub fn first(text: &'t str) -> Option<Self> {
        let (_, rest) = text.split_once("-----BEGIN ")?;
        let (label, rest) = rest.split_once("-----")?;
        Some(Self { label, rest })
    }

    /// The first block of a text that says to hold this.
    pub fn labelled(text: &'t str, label: &str) -> Option<Self> {
        let mut at = text;
        loop {
            let found = Self::first(at)?;
            if found.label == label {
                return Some(found);
            }
            at = found.rest;
        }
    }

    /// The bytes that it holds.
    ///
    /// # Errors
    /// If its last line is missing or it is no base64.
    pub fn der(&self) -> Result<Zeroizing<Vec<u8>>, PemError> {
        let end = format!("-----END {}-----", self.label);
        let (body, _) = self.rest.split_once(&end).ok_or(PemError::CutOff)?;
        // Large enough not to grow, since growing leaves a copy of a key behind.
        let mut compact = Zeroizing::new(String::with_capacity(body.len()));
        body.split_whitespace()
            .for_each(|part| compact.push_str(part));
        let der = STANDARD.decode(compact.as_bytes());
        der.map(Zeroizing::new).map_err(|_| PemError::NotBase64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::pki_types::pem::{SectionKind, from_buf};

    use super::*;

    fn wrap(der: &[u8], label: &str, width: usize, end: &str) -> String {
        let body = STANDARD.encode(der);
        let lines = body.as_bytes().chunks(width);
        let lines: Vec<&str> = lines
            .map(|line| std::str::from_utf8(line).expect("ascii"))
            .collect();
        format!(
            "-----BEGIN {label}-----{end}{}{end}-----END {label}-----{end}",
            lines.join(end)
        )
    }

    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0, 1, 0x0f, 0x10, 0xa5, 0xff]), "00010f10a5ff");
        let all: Vec<u8> = (0..=255).collect();
        let expected: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex(&all), expected);
    }

    #[test]
    fn a_block_is_found_by_its_label_and_told_apart_from_half_a_one() {
        let key = wrap(b"key", "PRIVATE KEY", 64, "\n");
        let certificate = wrap(b"certificate", "CERTIFICATE", 64, "\n");
        let both = format!("about it\n{key}{certificate}");
        assert_eq!(
            Pem::first(&both).map(|block| block.label),
            Some("PRIVATE KEY")
        );
        let found = Pem::labelled(&both, "CERTIFICATE").expect("there");
        assert_eq!(found.der().as_deref(), Ok(&b"certificate".to_vec()));
        for (text, expected) in [
            (
                key.replace("-----END PRIVATE KEY-----", ""),
                PemError::CutOff,
            ),
            (
                key.replace("END PRIVATE", "END EC PRIVATE"),
                PemError::CutOff,
            ),
            (key.replace("\n", "\n*"), PemError::NotBase64),
            (format!("{}{certificate}", &key[..30]), PemError::CutOff),
        ] {
            let found = Pem::first(&text).expect("it begins");
            assert_eq!(found.der().map(|der| der.len()), Err(expected), "{text}");
        }
        for text in [
            "",
            "key",
            "-----BEGIN PRIVATE KEY",
            "-----END PRIVATE KEY-----",
            "---- BEGIN X ----",
        ] {
            assert!(Pem::first(text).is_none(), "{text}");
        }
        assert!(Pem::labelled(&key, "CERTIFICATE").is_none());
    }

    proptest! {
        #[test]
        fn another_library_reads_the_same(
            blocks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..200), any::<bool>()), 1..4),
            width in 1_usize..100,
            carriage in any::<bool>(),
        ) {
            let end = if carriage { "\r\n" } else { "\n" };
            let label = |key: bool| if key { "PRIVATE KEY" } else { "CERTIFICATE" };
            let texts = blocks.iter().map(|(der, key)| wrap(der, label(*key), width, end));
            let text = format!("before{end}{}", texts.collect::<Vec<_>>().join("between\n"));
            for (wanted, kind) in [("PRIVATE KEY", SectionKind::PrivateKey), ("CERTIFICATE", SectionKind::Certificate)] {
                let mut theirs = None;
                let mut rest = text.as_bytes();
                while let Some((found, der)) = from_buf(&mut rest).expect("PEM") {
                    if found == kind && theirs.is_none() {
                        theirs = Some(der);
                    }
                }
                let ours = Pem::labelled(&text, wanted).map(|block| block.der().expect("whole").to_vec());
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
