//! Folders and their files, as a commit has them.

use std::path::{Component, Path};

use super::commit::{Is, entries};
use super::id::Id;
use super::objects::Objects;
use super::pack::Kind;

/// How many files of one folder are read at most.
const FILES: usize = 200;

/// A folder as a commit has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The commit, in hexadecimal.
    pub commit: String,
    /// The files that count, by name.
    pub files: Vec<(String, Vec<u8>)>,
}

/// The folder at a path below another one, if there is one.
pub(super) fn within(objects: &Objects, tree: Id, below: &Path) -> Result<Option<Id>, String> {
    let mut tree = tree;
    for part in below.components() {
        let Component::Normal(part) = part else {
            return Ok(None);
        };
        let Some((Kind::Tree, body)) = objects.read(&tree)? else {
            return Ok(None);
        };
        let part = part.as_encoded_bytes();
        let all = entries(&body, tree.hash()).unwrap_or_default();
        let mut named = all.iter().filter(|e| e.name == part && e.is == Is::Folder);
        let Some(entry) = named.next() else {
            return Ok(None);
        };
        tree = entry.id;
    }
    Ok(Some(tree))
}

/// The files of a folder that count.
pub(super) fn files(
    objects: &Objects,
    folder: Id,
    counts: impl Fn(&str) -> bool,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let Some((Kind::Tree, body)) = objects.read(&folder)? else {
        return Ok(Vec::new());
    };
    let all = entries(&body, folder.hash()).unwrap_or_default();
    let mut files = Vec::new();
    for entry in all.iter().filter(|entry| entry.is == Is::File) {
        // What is no text is no name of a file that is read.
        let name = std::str::from_utf8(entry.name)
            .ok()
            .filter(|name| counts(name));
        let Some(name) = name else { continue };
        if files.len() == FILES {
            break;
        }
        if let Some((Kind::Blob, body)) = objects.read(&entry.id)? {
            files.push((name.to_owned(), body));
        }
    }
    Ok(files)
}
