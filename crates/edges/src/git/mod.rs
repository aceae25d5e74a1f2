//! What a git repository says: which commit is checked out, whether another is in its history, and whether
//! files are as it has them. Nothing of the repository is run, and its configuration is not read: a few of
//! git's files are, and each object is held to its name.
//!
//! Files, each using those before it: `id` (names of objects), `layout` (where git's files are), `commit`
//! (what stands in objects) and `ancestry` (histories); `pack` and `objects`; `earlier` (folders and files); and
//! this one.

mod ancestry;
mod commit;
mod earlier;
mod id;
mod layout;
mod objects;
mod pack;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path};

use ancestry::{Found, ancestor};
use commit::{Commit, Entry, Is, entries};
use earlier::{files, within};
use id::{Id, digits};
use layout::Layout;
use objects::Objects;
use pack::Kind;

use crate::model::Standing;

pub use earlier::Earlier;

/// How many commits are looked at for what a folder held before.
const COMMITS: usize = 2_000;

/// The branch of the repository around a folder into which others are merged, as far as its files tell; there
/// need be no commit yet.
pub fn default_branch(dir: &Path) -> Option<String> {
    Layout::around(dir)?.default_branch()
}

/// A work tree with a commit, and the history that led to it.
pub struct Repository {
    layout: Layout,
    head: Id,
    /// What was read so far; `None` of what is not there.
    commits: RefCell<BTreeMap<Id, Option<Commit>>>,
}

impl Repository {
    /// The repository of the work tree that holds a folder; `None` outside of one, before its first commit,
    /// and where that cannot be read.
    pub fn around(dir: &Path) -> Option<Self> {
        let layout = Layout::around(dir)?;
        Some(Self {
            head: layout.head()?,
            layout,
            commits: RefCell::default(),
        })
    }

    /// The name of the commit that is checked out, in hexadecimal.
    pub fn head(&self) -> String {
        self.head.hex()
    }

    /// How commits stand to the one that is checked out, each named by its first hexadecimal digits.
    pub fn standings<'c>(
        &self,
        commits: impl IntoIterator<Item = &'c str>,
    ) -> BTreeMap<String, Standing> {
        let mut commits = commits.into_iter().peekable();
        if commits.peek().is_none() {
            return BTreeMap::new();
        }
        let objects = self.objects();
        let standing = |begins: &str| match &objects {
            // Whatever else is there, or cannot be read.
            _ if self.head.hex().starts_with(begins) => Standing::Ancestor,
            Ok(objects) => (self.standing(objects, begins)).unwrap_or_else(Standing::Unread),
            Err(why) => Standing::Unread(why.clone()),
        };
        commits
            .map(|begins| (begins.to_owned(), standing(begins)))
            .collect()
    }

    /// Whether the commit that is checked out has these files in a folder of the work tree, each as it is
    /// given, and no other that `counts` by its name. A file whose lines end as those of Windows do may be there
    /// with the others. What cannot be read is taken for different.
    pub fn has<'f>(
        &self,
        dir: &Path,
        files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
        counts: impl Fn(&str) -> bool,
    ) -> bool {
        let mut given: BTreeMap<&[u8], &[u8]> = (files.into_iter())
            .map(|(name, bytes)| (name.as_bytes(), bytes))
            .collect();
        let Some(folder) = self.folder(dir) else {
            return false;
        };
        let Some(entries) = entries(&folder, self.head.hash()) else {
            return false;
        };
        for entry in entries {
            // What is no text is read by nobody.
            let counts = || std::str::from_utf8(entry.name).is_ok_and(&counts);
            let right = match given.remove(entry.name) {
                Some(bytes) => {
                    let path = dir.join(String::from_utf8_lossy(entry.name).as_ref());
                    self.same(&path, &entry, bytes)
                }
                None => entry.is == Is::Folder || !counts(),
            };
            if !right {
                return false;
            }
        }
        given.is_empty()
    }

    /// Whether the commit that is checked out has another file at a place of the work tree.
    pub fn differs(&self, path: &Path, bytes: &[u8]) -> bool {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return false;
        };
        let here = Path::new(".");
        let dir = if dir.as_os_str().is_empty() {
            here
        } else {
            dir
        };
        let Some(folder) = self.folder(dir) else {
            return false;
        };
        let entries = entries(&folder, self.head.hash()).unwrap_or_default();
        let mut named = entries.iter().filter(|e| e.name == name.as_encoded_bytes());
        named.any(|entry| !self.same(path, entry, bytes))
    }

    /// Gives a folder of the work tree as commits have it, the newest first, each form of it once, until `enough`
    /// says so or some thousands of commits were looked at. Of its files those are read that `counts` by their
    /// names.
    ///
    /// # Errors
    /// A fragment, if the repository cannot be read.
    pub fn earlier(
        &self,
        dir: &Path,
        counts: impl Fn(&str) -> bool,
        mut enough: impl FnMut(Earlier) -> bool,
    ) -> Result<(), String> {
        let dir = fs::canonicalize(dir).map_err(|error| format!("{error}"))?;
        let Ok(below) = dir.strip_prefix(&self.layout.tree) else {
            return Ok(());
        };
        let below = below.to_owned();
        let objects = self.objects()?;
        let mut seen = BTreeSet::from([self.head]);
        let mut forms = BTreeSet::new();
        // By time, whatever clocks made them: what was removed last was there last.
        let mut waiting = BTreeSet::from([(i64::MAX, self.head)]);
        for _ in 0..COMMITS {
            let Some((_, id)) = waiting.pop_last() else {
                return Ok(());
            };
            let Some(commit) = self.commit(&objects, &id)? else {
                continue;
            };
            for parent in &commit.parents {
                if seen.insert(*parent)
                    && let Some(found) = self.commit(&objects, parent)?
                {
                    waiting.insert((found.when, *parent));
                }
            }
            let Some(folder) = within(&objects, commit.tree, &below)? else {
                continue;
            };
            if forms.insert(folder) {
                let files = files(&objects, folder, &counts)?;
                let commit = id.hex();
                if enough(Earlier { commit, files }) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether a file is as the commit has it. A link is what it leads to, which is a file of its own.
    fn same(&self, path: &Path, entry: &Entry<'_>, bytes: &[u8]) -> bool {
        let is = |bytes: &[u8]| self.head.hash().name(Kind::Blob.word(), bytes) == entry.id;
        match entry.is {
            Is::File => is(bytes) || is(&unix(bytes)),
            Is::Link => fs::read_link(path).is_ok_and(|to| is(to.as_os_str().as_encoded_bytes())),
            Is::Folder | Is::Module => false,
        }
    }

    fn objects(&self) -> Result<Objects, String> {
        Objects::open(&self.layout.common, self.head.hash())
    }

    fn standing(&self, objects: &Objects, begins: &str) -> Result<Standing, String> {
        let cut = || -> Result<Standing, String> {
            Ok(match self.layout.shallow()?.is_empty() {
                true => Standing::Unknown,
                false => Standing::Shallow,
            })
        };
        let bytes = digits(begins).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or("its name is not one of git's")?;
        let mut named = BTreeSet::new();
        for id in objects.beginning(&bytes)? {
            if self.commit(objects, &id)?.is_some() {
                named.insert(id);
            }
        }
        let old = match named.first() {
            Some(old) if named.len() == 1 => *old,
            Some(_) => return Err("more than one commit begins with these digits".to_owned()),
            None => return cut(),
        };
        let found = ancestor(old, self.head, |id| self.commit(objects, id))?;
        Ok(match found {
            Found::Ancestor => Standing::Ancestor,
            Found::NotAncestor => Standing::NotAncestor,
            Found::Cut => cut()?,
        })
    }

    /// A commit; `None` if the repository does not have it, or it is something else.
    fn commit(&self, objects: &Objects, id: &Id) -> Result<Option<Commit>, String> {
        if let Some(known) = self.commits.borrow().get(id) {
            return Ok(known.clone());
        }
        let found = match objects.read(id)? {
            Some((Kind::Commit, body)) => {
                let damaged = || format!("git's commit {} is damaged", id.hex());
                Some(Commit::read(&body, id.hash()).ok_or_else(damaged)?)
            }
            Some((Kind::Tree | Kind::Blob | Kind::Tag, _)) | None => None,
        };
        self.commits.borrow_mut().insert(*id, found.clone());
        Ok(found)
    }

    /// What the commit that is checked out has of a folder of the work tree.
    fn folder(&self, dir: &Path) -> Option<Vec<u8>> {
        let dir = fs::canonicalize(dir).ok()?;
        let below = dir.strip_prefix(&self.layout.tree).ok()?;
        let objects = self.objects().ok()?;
        let tree = |id: &Id| match objects.read(id) {
            Ok(Some((Kind::Tree, body))) => Some(body),
            _ => None,
        };
        let mut folder = tree(&self.commit(&objects, &self.head).ok()??.tree)?;
        for part in below.components() {
            let Component::Normal(part) = part else {
                return None;
            };
            let part = part.as_encoded_bytes();
            let all = entries(&folder, self.head.hash())?;
            let mut named = all.iter().filter(|e| e.name == part && e.is == Is::Folder);
            let id = named.next()?.id;
            folder = tree(&id)?;
        }
        Some(folder)
    }
}

/// The lines as others than Windows end them.
fn unix(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for (n, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(n + 1) != Some(&b'\n') {
            text.push(*byte);
        }
    }
    text
}

#[cfg(test)]
mod tests;
