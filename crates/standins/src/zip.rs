//! Zip archives, as code hosts make them of artifacts.
//! Source: PKWARE's APPNOTE.TXT.

use miniz_oxide::deflate::compress_to_vec;

/// An archive of some files, packed or not.
pub fn archive(files: &[(&str, &[u8])], packed: bool) -> Vec<u8> {
    let two = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_le_bytes();
    let four = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let (method, data) = match packed {
            true => (8, compress_to_vec(bytes, 6)),
            false => (0, bytes.to_vec()),
        };
        // Version, flags, method, time, date, checksum, sizes, and how long the name is.
        let mut head = Vec::new();
        for part in [20, 0, method, 0, 0x21] {
            head.extend(two(part));
        }
        head.extend(checksum(bytes).to_le_bytes());
        head.extend(four(data.len()));
        head.extend(four(bytes.len()));
        head.extend(two(name.len()));
        head.extend(two(0));
        central.extend(b"PK\x01\x02");
        central.extend(two(20));
        central.extend(&head);
        // Comment, disk, attributes, and where it is.
        central.extend([0; 2 + 2 + 2 + 4]);
        central.extend(four(out.len()));
        central.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&head);
        out.extend(name.as_bytes());
        out.extend(data);
    }
    let at = out.len();
    out.extend(&central);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(two(files.len()));
    out.extend(two(files.len()));
    out.extend(four(central.len()));
    out.extend(four(at));
    out.extend([0, 0]);
    out
}

/// The checksum of zip, CRC-32.
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xedb8_8320 & (0_u32.wrapping_sub(sum & 1)));
        }
    }
    !sum
}
