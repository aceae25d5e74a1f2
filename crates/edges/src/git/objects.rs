//! The objects of a repository: loose ones, those in packs, and those of other repositories that it borrows from.
//! What is given was held to its name: a damaged object is an error, and never another object.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::id::{Hash, Id};
use super::layout;
use super::pack::{Kind, MOST, Pack};
use crate::encoding::hex;

/// How far repositories borrow from those that borrow; as git itself has it.
const BORROWS: usize = 5;
/// How many packs are opened at most.
const PACKS: usize = 300;

/// Where a repository's objects are.
pub(super) struct Objects {
    hash: Hash,
    folders: Vec<PathBuf>,
    packs: Vec<Pack>,
}

impl Objects {
    /// The objects of the repository whose files are in this folder.
    ///
    /// # Errors
    /// A fragment, if a pack cannot be read.
    pub(super) fn open(common: &Path, hash: Hash) -> Result<Self, String> {
        let mut folders = Vec::new();
        borrowed(common.join("objects"), BORROWS, &mut folders);
        let mut packs = Vec::new();
        for folder in &folders {
            // A repository need not have any.
            let Ok(entries) = fs::read_dir(folder.join("pack")) else {
                continue;
            };
            let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
            let mut indexes: Vec<PathBuf> = paths
                .filter(|path| path.extension().is_some_and(|is| is == "idx"))
                .collect();
            indexes.sort();
            if packs.len() + indexes.len() > PACKS {
                return Err(format!(
                    "git has more than {PACKS} packs there; `git gc` makes one of them"
                ));
            }
            for index in indexes {
                packs.push(Pack::open(&index, hash)?);
            }
        }
        Ok(Self {
            hash,
            folders,
            packs,
        })
    }

    /// The names that begin with these bytes.
    ///
    /// # Errors
    /// A fragment, if that cannot be read.
    pub(super) fn beginning(&self, begins: &[u8]) -> Result<BTreeSet<Id>, String> {
        let mut found = Vec::new();
        for pack in &self.packs {
            pack.beginning(begins, &mut found)?;
        }
        let digits = hex(begins);
        let Some((first, rest)) = digits.split_at_checked(2) else {
            return Ok(found.into_iter().collect());
        };
        for folder in &self.folders {
            let Ok(entries) = fs::read_dir(folder.join(first)) else {
                continue;
            };
            for entry in entries.filter_map(Result::ok) {
                let name = entry.file_name();
                let name = name.to_str().filter(|name| name.starts_with(rest));
                found.extend(name.and_then(|name| Id::parse(&format!("{first}{name}"))));
            }
        }
        Ok(found.into_iter().collect())
    }

    /// An object; `None` if the repository does not have it.
    ///
    /// # Errors
    /// A fragment, if it is damaged or too large.
    pub(super) fn read(&self, id: &Id) -> Result<Option<(Kind, Vec<u8>)>, String> {
        for pack in &self.packs {
            if let Some(found) = pack.read(id)? {
                return self.held(id, found).map(Some);
            }
        }
        let digits = id.hex();
        let (first, rest) = digits.split_at(2);
        for folder in &self.folders {
            if let Ok(file) = File::open(folder.join(first).join(rest)) {
                return self.held(id, loose(file)?).map(Some);
            }
        }
        Ok(None)
    }

    fn held(&self, id: &Id, found: (Kind, Vec<u8>)) -> Result<(Kind, Vec<u8>), String> {
        match self.hash.name(found.0.word(), &found.1) == *id {
            true => Ok(found),
            false => Err(format!("git's object {} is damaged", id.hex())),
        }
    }
}

/// An object in a file of its own: a line that ends with NUL says what it is.
fn loose(file: File) -> Result<(Kind, Vec<u8>), String> {
    let damaged = || "a loose object of git's is damaged".to_owned();
    let mut bytes = Vec::new();
    let read = file.take(MOST as u64).read_to_end(&mut bytes);
    read.map_err(|error| format!("a loose object of git's cannot be read: {error}"))?;
    let whole = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&bytes, MOST);
    let whole = whole.map_err(|_| damaged())?;
    let head = whole.iter().position(|b| *b == 0).ok_or_else(damaged)?;
    let (head, body) = whole.split_at(head);
    let kinds = [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag];
    let said = |kind: &Kind| format!("{} {}", kind.word(), body.len() - 1).as_bytes() == head;
    let kind = kinds.into_iter().find(said).ok_or_else(damaged)?;
    Ok((kind, body[1..].to_vec()))
}

/// A folder of objects, and those that it borrows from.
fn borrowed(folder: PathBuf, further: usize, found: &mut Vec<PathBuf>) {
    if found.contains(&folder) {
        return;
    }
    let from = layout::text(&folder.join("info/alternates")).unwrap_or_default();
    let others: Vec<PathBuf> = (from.lines())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| folder.join(line))
        .collect();
    found.push(folder);
    if further > 0 {
        for other in others {
            borrowed(other, further - 1, found);
        }
    }
}
