//! The files of a small zip archive, as code hosts keep artifacts. Within limits, and strict: what could be read in
//! two ways is refused.
//! Pure.
//!
//! Source: PKWARE's APPNOTE.TXT, 4.3 (end of central directory, central directory, local header).

use std::collections::BTreeMap;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// How many files an archive may have.
const MOST: usize = 16;
const END: &[u8] = b"PK\x05\x06";
const CENTRAL: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const END_SIZE: usize = 22;
/// The longest comment behind the end.
const COMMENT: usize = 65_535;

/// Why an archive is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ZipError {
    /// It is none, or is cut.
    #[error("it is no zip archive, or not a whole one")]
    Form,
    /// It has what is not read.
    #[error("it is a zip archive of a kind that is not read (zip64, encrypted, or another method)")]
    Kind,
    /// It has too many files, or one that is too large.
    #[error("it is larger than what is read")]
    Large,
    /// A file stands in it twice.
    #[error("it holds a file twice")]
    Twice,
}

fn number(bytes: &[u8], at: usize, width: usize) -> Result<usize, ZipError> {
    let part = bytes.get(at..at + width).ok_or(ZipError::Form)?;
    let value = part
        .iter()
        .rev()
        .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    usize::try_from(value).map_err(|_| ZipError::Large)
}

/// The files of an archive by their names, each of at most `largest` bytes.
///
/// # Errors
/// If it is none, or not one that is read.
pub(super) fn files(archive: &[u8], largest: usize) -> Result<BTreeMap<String, Vec<u8>>, ZipError> {
    let from = archive.len().saturating_sub(END_SIZE + COMMENT);
    let tail = archive.get(from..).ok_or(ZipError::Form)?;
    let end = tail
        .windows(END.len())
        .rposition(|window| window == END)
        .ok_or(ZipError::Form)?
        + from;
    if end + END_SIZE + number(archive, end + 20, 2)? != archive.len() {
        return Err(ZipError::Form);
    }
    let count = number(archive, end + 10, 2)?;
    let mut at = number(archive, end + 16, 4)?;
    if count > MOST {
        return Err(ZipError::Large);
    }
    let mut found = BTreeMap::new();
    for _ in 0..count {
        let field = |offset: usize, width: usize| number(archive, at + offset, width);
        if archive.get(at..at + 4) != Some(CENTRAL) {
            return Err(ZipError::Form);
        }
        let (flags, method) = (field(8, 2)?, field(10, 2)?);
        let (packed, size) = (field(20, 4)?, field(24, 4)?);
        let (name, extra, comment) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
        let local = field(42, 4)?;
        if flags & 1 != 0 || packed == 0xffff_ffff || local == 0xffff_ffff {
            return Err(ZipError::Kind);
        }
        if size > largest {
            return Err(ZipError::Large);
        }
        let name = archive.get(at + 46..at + 46 + name).ok_or(ZipError::Form)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| ZipError::Form)?;
        at += 46 + name.len() + extra + comment;
        // A folder of its own.
        if name.ends_with('/') {
            continue;
        }
        if archive.get(local..local + 4) != Some(LOCAL) {
            return Err(ZipError::Form);
        }
        let begin = local + 30 + number(archive, local + 26, 2)? + number(archive, local + 28, 2)?;
        let packed = archive.get(begin..begin + packed).ok_or(ZipError::Form)?;
        let bytes = match method {
            0 => packed.to_vec(),
            8 => decompress_to_vec_with_limit(packed, largest).map_err(|_| ZipError::Form)?,
            _ => return Err(ZipError::Kind),
        };
        if bytes.len() != size {
            return Err(ZipError::Form);
        }
        if found.insert(name, bytes).is_some() {
            return Err(ZipError::Twice);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn archive(deflated: bool) -> Vec<u8> {
        rolecall_standins::zip::archive(
            &[("a.txt", b"one\n"), ("long.txt", &[b'x'; 5000])],
            deflated,
        )
    }

    #[test]
    fn files_are_read_packed_or_not() {
        for deflated in [false, true] {
            let found = files(&archive(deflated), 5000).expect("read");
            assert_eq!(found["a.txt"], b"one\n");
            assert_eq!(found["long.txt"], [b'x'; 5000]);
            assert_eq!(files(&archive(deflated), 4999), Err(ZipError::Large));
        }
    }

    /// What Python's `zipfile` packs, with a comment behind it.
    #[test]
    fn an_archive_of_another_hand_is_read() {
        let packed = "UEsDBBQAAAAIAABQe11OuzArDgAAAEUAAAAMAAAAdmVyZGljdC5qc29uq1ZKVLJSSqIAKNVyAQBQSwME\
                      FAAAAAAAAFB7XUlRvhwFAAAABQAAAAkAAABwbGFuLmpzb25wbGFuClBLAQIUAxQAAAAIAABQe11OuzAr\
                      DgAAAEUAAAAMAAAAAAAAAAAAAACAAQAAAAB2ZXJkaWN0Lmpzb25QSwECFAMUAAAAAAAAUHtdSVG+HAUA\
                      AAAFAAAACQAAAAAAAAAAAAAAgAE4AAAAcGxhbi5qc29uUEsFBgAAAAACAAIAcQAAAGQAAAASAG1hZGUg\
                      ZWxzZXdoZXJlIFBLBQ==";
        let found = files(&STANDARD.decode(packed).expect("base64"), 1000).expect("read");
        assert_eq!(found["plan.json"], b"plan\n");
        let long = format!("{{\"a\":\"{}\"}}\n", "b".repeat(60));
        assert_eq!(found["verdict.json"], long.as_bytes());
    }

    #[test]
    fn what_is_cut_or_changed_is_refused_and_never_panics() {
        let whole = archive(true);
        for end in 0..whole.len() {
            assert!(files(&whole[..end], 5000).is_err(), "{end}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            // Whatever it is taken for, it is within the limit.
            if let Ok(found) = files(&changed, 5000) {
                assert!(found.values().all(|bytes| bytes.len() <= 5000));
            }
        }
    }

    #[test]
    fn no_name_stands_for_two_files() {
        let twice = rolecall_standins::zip::archive(&[("a.txt", b"one"), ("a.txt", b"two")], false);
        assert_eq!(files(&twice, 100), Err(ZipError::Twice));
        let many: Vec<(String, Vec<u8>)> =
            (0..=MOST).map(|n| (format!("{n}"), Vec::new())).collect();
        let many: Vec<(&str, &[u8])> = many
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        let many = rolecall_standins::zip::archive(&many, false);
        assert_eq!(files(&many, 100), Err(ZipError::Large));
    }
}
