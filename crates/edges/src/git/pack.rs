//! Packs: files of many objects, some of which are written as differences from others.
//! Nothing in them is believed: what an object is said to be is held to its name by whoever asked.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::id::{Hash, Id};

/// The largest object that is read, in bytes. Commits and folders are meant, and no files.
pub(super) const MOST: usize = 16 << 20;
/// The most bytes of differences that are held to make one object.
const MOST_DELTAS: usize = 64 << 20;
/// How many differences may lead to one object; git itself makes no more.
const DEPTH: usize = 4095;
/// How an index of version 2 begins.
const INDEX: [u8; 8] = [0xff, b't', b'O', b'c', 0, 0, 0, 2];
/// Where the names begin: behind the beginning, and a number for each first byte of a name.
const NAMES: u64 = 8 + 256 * 4;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    /// As loose objects and names have it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }
}

/// A pack and its index.
/// Source: git's documentation, "gitformat-pack".
pub(super) struct Pack {
    index: File,
    data: File,
    hash: Hash,
    /// How many names begin with this byte or a smaller one.
    fanout: Vec<u32>,
}

/// An object as a pack has it.
enum Entry {
    Whole(Kind),
    /// A difference from the object that begins so many bytes before it.
    Before(u64),
    /// A difference from the object of this name.
    Of(Id),
}

impl Pack {
    /// Opens the pack of an index, `pack-….idx`.
    ///
    /// # Errors
    /// A fragment, if one of the files cannot be read or is of another form.
    pub(super) fn open(index: &Path, hash: Hash) -> Result<Self, String> {
        let open = |path: &Path| File::open(path).map_err(|error| unread(&error));
        let data = open(&index.with_extension("pack"))?;
        let index = open(index)?;
        let mut begins = [0; 8];
        at(&index, 0, &mut begins)?;
        if begins != INDEX {
            return Err("a pack has an index that is not of version 2".to_owned());
        }
        let mut table = [0; 1024];
        at(&index, 8, &mut table)?;
        let numbers = table.chunks_exact(4).map(number);
        let fanout: Vec<u32> = numbers.collect();
        if !fanout.is_sorted() {
            return Err(damaged());
        }
        Ok(Self {
            index,
            data,
            hash,
            fanout,
        })
    }

    /// How many objects it has.
    fn count(&self) -> u32 {
        self.fanout.last().copied().unwrap_or_default()
    }

    fn name(&self, n: u32) -> Result<Id, String> {
        let bytes = self.hash.bytes();
        let mut name = vec![0; bytes];
        at(&self.index, NAMES + u64::from(n) * bytes as u64, &mut name)?;
        Id::new(self.hash, &name).ok_or_else(damaged)
    }

    /// The place of the first name that does not come before these bytes.
    fn first(&self, begins: &[u8]) -> Result<u32, String> {
        let Some(byte) = begins.first().copied().map(usize::from) else {
            return Ok(0);
        };
        let mut low = match byte {
            0 => 0,
            _ => self.fanout[byte - 1],
        };
        let mut high = self.fanout[byte];
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle)?.bytes().cmp(begins) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal | Ordering::Greater => high = middle,
            }
        }
        Ok(low)
    }

    /// Adds the names that begin so.
    pub(super) fn beginning(&self, begins: &[u8], found: &mut Vec<Id>) -> Result<(), String> {
        for n in self.first(begins)?..self.count() {
            let name = self.name(n)?;
            if !name.bytes().starts_with(begins) {
                break;
            }
            found.push(name);
        }
        Ok(())
    }

    /// Where an object begins.
    fn place(&self, id: &Id) -> Result<Option<u64>, String> {
        let n = self.first(id.bytes())?;
        if n >= self.count() || self.name(n)? != *id {
            return Ok(None);
        }
        let count = u64::from(self.count());
        // Behind the names are their check sums, then the places, then those that are too large for that.
        let places = NAMES + count * (self.hash.bytes() as u64 + 4);
        let mut four = [0; 4];
        at(&self.index, places + u64::from(n) * 4, &mut four)?;
        let place = u32::from_be_bytes(four);
        if place & (1 << 31) == 0 {
            return Ok(Some(u64::from(place)));
        }
        let mut eight = [0; 8];
        let n = u64::from(place & !(1 << 31));
        at(&self.index, places + count * 4 + n * 8, &mut eight)?;
        Ok(Some(u64::from_be_bytes(eight)))
    }

    /// An object; `None` if it is in another pack.
    pub(super) fn read(&self, id: &Id) -> Result<Option<(Kind, Vec<u8>)>, String> {
        let Some(mut place) = self.place(id)? else {
            return Ok(None);
        };
        let mut deltas: Vec<Vec<u8>> = Vec::new();
        let mut held = 0;
        loop {
            let (entry, size, body) = self.entry(place)?;
            if let Entry::Whole(kind) = entry {
                let mut whole = self.inflate(body, size)?;
                while let Some(delta) = deltas.pop() {
                    whole = patch(&whole, &delta).ok_or_else(damaged)?;
                }
                return Ok(Some((kind, whole)));
            }
            held += size;
            if deltas.len() >= DEPTH || held > MOST_DELTAS {
                return Err("an object of a pack is too large to be read".to_owned());
            }
            deltas.push(self.inflate(body, size)?);
            place = match entry {
                Entry::Before(bytes) => place.checked_sub(bytes).filter(|at| *at > 0),
                Entry::Of(id) => self.place(&id)?,
                Entry::Whole(_) => None,
            }
            .ok_or_else(damaged)?;
        }
    }

    /// What begins at a place: what it is, how large it is, and where that begins.
    fn entry(&self, place: u64) -> Result<(Entry, usize, u64), String> {
        // Two numbers of at most ten bytes each, or one and a name.
        let head = some(&self.data, place, 64)?;
        let mut bytes = head.iter().copied().enumerate();
        let mut next = || bytes.next().ok_or_else(damaged);
        let (_, first) = next()?;
        let mut size = usize::from(first & 0x0f);
        let mut shift = 4;
        let mut last = (0, first);
        while last.1 & 0x80 != 0 {
            last = next()?;
            size |= usize::from(last.1 & 0x7f)
                .checked_shl(shift)
                .filter(|_| shift < 32)
                .ok_or_else(damaged)?;
            shift += 7;
        }
        if size > MOST {
            return Err("an object of a pack is too large to be read".to_owned());
        }
        let entry = match first >> 4 & 0x07 {
            1 => Entry::Whole(Kind::Commit),
            2 => Entry::Whole(Kind::Tree),
            3 => Entry::Whole(Kind::Blob),
            4 => Entry::Whole(Kind::Tag),
            6 => {
                last = next()?;
                let mut before = u64::from(last.1 & 0x7f);
                while last.1 & 0x80 != 0 {
                    last = next()?;
                    let more = before.checked_add(1).filter(|n| n.leading_zeros() >= 7);
                    before = more.ok_or_else(damaged)? << 7 | u64::from(last.1 & 0x7f);
                }
                Entry::Before(before)
            }
            7 => {
                let begins = last.0 + 1;
                let name = head.get(begins..begins + self.hash.bytes());
                last.0 += self.hash.bytes();
                Entry::Of(
                    name.and_then(|name| Id::new(self.hash, name))
                        .ok_or_else(damaged)?,
                )
            }
            _ => return Err(damaged()),
        };
        Ok((entry, size, place + last.0 as u64 + 1))
    }

    /// The kinds of all entries, as the pack numbers them.
    #[cfg(test)]
    pub(super) fn kinds(&self) -> Result<std::collections::BTreeSet<u8>, String> {
        let kind = |n| {
            let place = self.place(&self.name(n)?)?.ok_or_else(damaged)?;
            Ok(some(&self.data, place, 1)?.first().ok_or_else(damaged)? >> 4 & 0x07)
        };
        (0..self.count()).map(kind).collect()
    }

    /// What is written at a place in few bytes, and has so many.
    fn inflate(&self, place: u64, size: usize) -> Result<Vec<u8>, String> {
        // What cannot be made smaller grows by some bytes for each 16 KiB, and has a head and a sum.
        let most = size + size / 1024 + 64;
        inflate(&some(&self.data, place, most)?, size)
    }
}

/// What was written in few bytes, if it has so many.
fn inflate(bytes: &[u8], size: usize) -> Result<Vec<u8>, String> {
    if size == 0 {
        return Ok(Vec::new());
    }
    let whole = decompress_to_vec_zlib_with_limit(bytes, size).map_err(|_| damaged())?;
    match whole.len() == size {
        true => Ok(whole),
        false => Err(damaged()),
    }
}

/// Makes an object of another and of what differs: parts of the other one, and new bytes.
fn patch(from: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut delta = delta.iter().copied();
    if length(&mut delta)? != from.len() {
        return None;
    }
    let size = length(&mut delta).filter(|size| *size <= MOST)?;
    let mut to = Vec::with_capacity(size);
    while let Some(what) = delta.next() {
        if what & 0x80 != 0 {
            let mut number = |bits: std::ops::Range<u32>| {
                let mut number = 0;
                for (n, bit) in bits.enumerate() {
                    if what & (1 << bit) != 0 {
                        number |= usize::from(delta.next()?) << (8 * n);
                    }
                }
                Some(number)
            };
            let begins = number(0..4)?;
            let bytes = match number(4..7)? {
                0 => 0x10000,
                bytes => bytes,
            };
            to.extend_from_slice(from.get(begins..begins.checked_add(bytes)?)?);
        } else {
            // Nothing is made of 0 yet.
            let bytes = Some(usize::from(what)).filter(|bytes| *bytes > 0)?;
            let before = to.len();
            to.extend(delta.by_ref().take(bytes));
            if to.len() - before != bytes {
                return None;
            }
        }
        if to.len() > size {
            return None;
        }
    }
    (to.len() == size).then_some(to)
}

/// A number in groups of seven bits, the smallest first.
fn length(bytes: &mut impl Iterator<Item = u8>) -> Option<usize> {
    let mut length = 0;
    for shift in (0..32).step_by(7) {
        let byte = bytes.next()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |all, byte| all << 8 | u32::from(*byte))
}

/// Fills all of it with what begins at a place.
fn at(mut file: &File, place: u64, into: &mut [u8]) -> Result<(), String> {
    let mut read = || {
        file.seek(SeekFrom::Start(place))?;
        file.read_exact(into)
    };
    read().map_err(|error: io::Error| unread(&error))
}

/// What begins at a place, as far as it goes.
fn some(mut file: &File, place: u64, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut read = || {
        file.seek(SeekFrom::Start(place))?;
        file.take(most as u64).read_to_end(&mut bytes)
    };
    read().map_err(|error: io::Error| unread(&error))?;
    Ok(bytes)
}

fn unread(error: &io::Error) -> String {
    format!("a pack of git's cannot be read: {error}")
}

fn damaged() -> String {
    "a pack of git's is damaged".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_makes_the_object_or_nothing() {
        let from = b"0123456789";
        // Ten bytes to eight: the first four, two new ones, and two from the eighth on.
        let good = [10, 8, 0x90, 4, 2, b'x', b'y', 0x91, 8, 2];
        assert_eq!(patch(from, &good).as_deref(), Some(&b"0123xy89"[..]));
        for cut in 0..good.len() {
            assert_eq!(patch(from, &good[..cut]), None, "{cut}");
        }
        for (at, to) in [(0, 11), (1, 7), (1, 9), (3, 11), (4, 3), (8, 9), (4, 0)] {
            let mut odd = good;
            odd[at] = to;
            assert_eq!(patch(from, &odd), None, "byte {at} as {to}");
        }
        // No size is a size of 64 KiB.
        let large = vec![7; 0x10000];
        let whole = [0x80, 0x80, 4, 0x80, 0x80, 4, 0x80];
        assert_eq!(patch(&large, &whole), Some(large));
    }

    #[test]
    fn what_claims_to_be_too_large_is_nothing() {
        assert_eq!(patch(b"", &[0, 0x80, 0x80, 0x80, 0x80, 0x7f]), None);
        assert_eq!(patch(b"", &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
        // All from a little: each copy is ten bytes, and no more may come of it than was said.
        let mut many = vec![10, 20];
        many.extend([0x90, 10].repeat(1000));
        assert_eq!(patch(b"0123456789", &many), None);
    }
}
