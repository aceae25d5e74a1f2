//! A file that is to receive a key, as the file system has it now.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::folders::{
    anybody_renames, create_folders, foreign, here, others_write, owner, sync_folder,
};
use super::gitignore::{Ignored, TEMPORARY, ignored};
use super::hint::path_of;
use crate::echo;
use crate::model::{CredentialFormat, Destination};
use crate::ports::{Effect, Found, SinkError, SinkErrorKind};
use crate::sinks::content;

/// More than any credential takes.
const LARGEST_CREDENTIAL: u64 = 1024 * 1024;

/// A destination in the file system, checked as far as its text goes.
pub(super) struct Target<'a> {
    to: &'a Destination,
    /// The folders from the root to the file, the innermost last.
    folders: Vec<PathBuf>,
    root: &'a Path,
    pub(super) path: PathBuf,
    file: String,
    pub(super) format: CredentialFormat,
}

impl<'a> Target<'a> {
    /// The file of a destination below `root`.
    pub(super) fn new(root: &'a Path, to: &'a Destination) -> Result<Self, SinkError> {
        let place = to.as_file();
        let path = path_of(&place, root);
        let clean = |part: &str| {
            !matches!(part, "" | "." | "..")
                && !part.contains(['/', '\\'])
                && !part.contains(char::is_control)
        };
        let parts = place.directory.split('/').filter(|part| *part != ".");
        let parts: Vec<&str> = parts.collect();
        let visible = |part: &&str| clean(part) && !part.starts_with('.');
        let folders: Vec<PathBuf> = parts
            .iter()
            .scan(root.to_owned(), |path, part| {
                path.push(part);
                Some(path.clone())
            })
            .collect();
        let sound =
            !place.directory.starts_with('/') && !parts.is_empty() && parts.iter().all(visible);
        let named =
            clean(&place.file) && place.file != ".gitignore" && !place.file.starts_with(TEMPORARY);
        let target = Self {
            to,
            folders,
            root,
            path,
            file: place.file,
            format: place.format,
        };
        if !sound {
            return target.unfit(
                "the directory must be a folder of its own below the configuration, such as \
                 `credentials`, without `..` and not hidden",
                None,
            );
        }
        if !named {
            return target.unfit("the file must be a plain name, such as `ci.json`", None);
        }
        Ok(target)
    }

    fn error(&self, kind: SinkErrorKind, why: &str, help: Option<&str>) -> SinkError {
        SinkError {
            kind,
            effect: Effect::None,
            message: format!("{}: {why}", self.to),
            help: help.map(str::to_owned),
        }
    }

    pub(super) fn unfit<T>(&self, why: &str, help: Option<&str>) -> Result<T, SinkError> {
        Err(self.error(SinkErrorKind::Unfit, why, help))
    }

    /// The place does not hold what was seen there.
    pub(super) fn moved<T>(&self) -> Result<T, SinkError> {
        let why = "something else has been put there since it was looked at";
        Err(self.error(SinkErrorKind::Moved, why, None))
    }

    /// What was written is not what stands there.
    pub(super) fn spoilt<T>(&self, why: &str) -> Result<T, SinkError> {
        let error = self.error(SinkErrorKind::Malformed, why, None);
        let effect = Effect::Unknown;
        Err(SinkError { effect, ..error })
    }

    /// What the system refused, with the way out.
    pub(super) fn io<T>(&self, doing: &str, error: &io::Error) -> Result<T, SinkError> {
        use SinkErrorKind::{Full, PermissionDenied, Unavailable, Unfit};
        let (kind, why, help) = match error.kind() {
            io::ErrorKind::StorageFull => (Full, "the disk is full", "free some space"),
            io::ErrorKind::QuotaExceeded => (
                Full,
                "this user's share of the disk is used up",
                "free some space",
            ),
            io::ErrorKind::FileTooLarge => (
                Full,
                "this process may not write so large a file",
                "raise its limit (ulimit -f)",
            ),
            io::ErrorKind::PermissionDenied => (
                PermissionDenied,
                "this user may not",
                "change the owner or the mode of the folder",
            ),
            io::ErrorKind::ReadOnlyFilesystem => (
                Unfit,
                "the file system is read-only",
                "choose another directory",
            ),
            _ => {
                let why = format!("{doing} failed: {error}");
                return Err(self.error(Unavailable, &why, None));
            }
        };
        Err(self.error(kind, &format!("{doing} failed: {why}"), Some(help)))
    }

    /// The folder that holds the file.
    pub(super) fn folder(&self) -> &Path {
        self.folders.last().map_or(Path::new("."), PathBuf::as_path)
    }

    /// Looks at what is there; tells what the file holds and the innermost folder that exists.
    pub(super) fn inspect(&self) -> Result<(Found, PathBuf), SinkError> {
        let mut existing = self.root.to_owned();
        if let Ok(root) = fs::metadata(here(self.root))
            && anybody_renames(&root)
        {
            return self.unfit(
                &format!(
                    "everybody may put another folder in the place of this one, since {} lets them",
                    echo::path(here(self.root))
                ),
                Some("run chmod o-w on it"),
            );
        }
        for folder in &self.folders {
            let shown = echo::path(folder);
            match fs::symlink_metadata(folder) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    return Ok((Found::Nobody, existing));
                }
                Err(e) => return self.io("looking at the folder", &e),
                Ok(found) if found.is_symlink() => {
                    let why = format!("{shown} is a symbolic link");
                    return self.unfit(&why, Some("replace it by a folder"));
                }
                Ok(found) if !found.is_dir() => {
                    let why = format!("{shown} is not a folder");
                    return self.unfit(&why, Some("move it away"));
                }
                Ok(found) => {
                    if let Some(who) = others_write(&found) {
                        let why = format!("{who} may write to {shown}");
                        return self.unfit(&why, Some("run chmod 700 on it"));
                    }
                    existing.clone_from(folder);
                }
            }
        }
        self.check_ignored()?;
        Ok((self.held()?, existing))
    }

    /// A credential in a folder that git tracks is soon in a repository.
    fn check_ignored(&self) -> Result<(), SinkError> {
        let path = self.folder().join(".gitignore");
        let shown = echo::path(&path);
        let found = match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return self.io("looking at the folder's .gitignore", &e),
            Ok(found) => found,
        };
        if !found.is_file() {
            return self.unfit(
                &format!("git would track the key, since {shown} is no plain file"),
                Some("put one with a line `*` in its place"),
            );
        }
        let text = fs::read_to_string(&path);
        let text = text.or_else(|e| self.io("reading the folder's .gitignore", &e))?;
        match ignored(&text, &self.file) {
            Ignored::Yes => Ok(()),
            Ignored::Back => self.unfit(
                &format!(
                    "git may track the key: remove the lines that begin with `!` from {shown}"
                ),
                None,
            ),
            Ignored::No => self.unfit(
                &format!(
                    "git would track the key: add a line `*` to {shown}, with nothing else on that line"
                ),
                None,
            ),
            Ignored::Half => self.unfit(
                &format!(
                    "git would track what a killed run leaves of the key: add a line `*` to \
                     {shown}, or a line `/{TEMPORARY}*` beside that of the file"
                ),
                None,
            ),
        }
    }

    /// What the file holds.
    fn held(&self) -> Result<Found, SinkError> {
        let foreign = |what: &str| {
            let what = format!("{what} is there; move it away");
            Ok(Found::Foreign { what })
        };
        let found = match fs::symlink_metadata(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nobody),
            Err(e) => return self.io("looking at the file", &e),
            Ok(found) => found,
        };
        if found.is_symlink() {
            return foreign("a symbolic link");
        }
        if !found.is_file() {
            return foreign("something that is not a file");
        }
        let holder = if found.len() > LARGEST_CREDENTIAL {
            None
        } else {
            content::holder(&self.read("reading the file that is there")?)
        };
        match holder {
            Some((account, endpoint)) => Ok(Found::Account { account, endpoint }),
            None => foreign("a file that is not a credential"),
        }
    }

    /// The bytes of the file.
    pub(super) fn read(&self, doing: &str) -> Result<Zeroizing<Vec<u8>>, SinkError> {
        fs::read(&self.path)
            .map(Zeroizing::new)
            .or_else(|e| self.io(doing, &e))
    }

    /// Makes the folder, with a `.gitignore` of its own.
    pub(super) fn prepare_folder(&self) -> Result<(), SinkError> {
        create_folders(&self.folders, sync_folder)
            .or_else(|e| self.io("creating the folder", &e))?;
        let ignore = self.folder().join(".gitignore");
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&ignore)
        {
            Ok(mut file) => file
                .write_all(b"*\n")
                .and_then(|()| file.sync_all())
                .or_else(|e| self.io("writing the folder's .gitignore", &e)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => self.io("writing the folder's .gitignore", &e),
        }
    }

    /// Whoever owns a folder on the way can put another file in the place of the key. `own` is a file
    /// that this run has just made, which tells who it is.
    pub(super) fn check_owner(&self, own: &File) -> Result<(), SinkError> {
        let known = own.metadata();
        let me = owner(&known.or_else(|e| self.io("looking at a file", &e))?);
        let Some(folder) = foreign(&self.folders, me) else {
            return Ok(());
        };
        let shown = echo::path(folder);
        self.unfit(
            &format!(
                "{shown} belongs to another user, who could put another file in the place of the key"
            ),
            Some("move it away, or take it over with chown"),
        )
    }
}
