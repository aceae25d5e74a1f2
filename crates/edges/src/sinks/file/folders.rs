//! Folders that keep keys: made for their owner alone, owned by who runs, and lasting over a power cut.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::gitignore::TEMPORARY;

/// Removes temporary files that a killed run left, since each may hold a key that nobody will ever use.
/// A file just made tells the time; what is younger than that by less than the lease of a birth may be
/// in another run's hands.
pub(super) fn sweep(folder: &Path, fresh: &Path) -> io::Result<()> {
    const LEASE: Duration = Duration::from_secs(15 * 60);
    let now = fs::metadata(fresh)?.modified()?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        // What another run has just removed is not ours to complain about.
        let Ok(found) = entry.metadata() else {
            continue;
        };
        let old = now
            .duration_since(found.modified()?)
            .is_ok_and(|age| age > LEASE);
        if found.is_file() && old {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file, if another run has not done so already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Creates the folders that are missing, the outermost first; `sync` makes the name of each outlive a
/// power cut, in the folder that it stands in.
pub(super) fn create_folders(
    folders: &[PathBuf],
    sync: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    for folder in folders {
        match private_folder().create(folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
            Ok(()) => match folder.parent() {
                Some(above) if above != Path::new("") => sync(above)?,
                _ => sync(Path::new("."))?,
            },
        }
    }
    Ok(())
}

/// The first of the folders that exist which does not belong to this user.
pub(super) fn foreign(folders: &[PathBuf], me: u32) -> Option<&Path> {
    let belongs = |folder: &&PathBuf| {
        // One that is not there yet will be this run's.
        fs::symlink_metadata(folder).map_or(true, |found| owner(&found) == me)
    };
    let strange = folders.iter().find(|folder| !belongs(folder));
    strange.map(PathBuf::as_path)
}

#[cfg(unix)]
pub(super) fn private_folder() -> DirBuilder {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
pub(super) fn private_folder() -> DirBuilder {
    DirBuilder::new()
}

/// Who besides its owner may put files into a folder; `None` if nobody.
#[cfg(unix)]
pub(super) fn others_write(found: &fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::PermissionsExt as _;
    match found.permissions().mode() {
        mode if mode & 0o002 != 0 => Some("everybody"),
        mode if mode & 0o020 != 0 => Some("everybody of its group"),
        _ => None,
    }
}

#[cfg(not(unix))]
pub(super) fn others_write(_: &fs::Metadata) -> Option<&'static str> {
    None
}

/// Whether everybody may rename what lies in a folder: all may write, and nothing makes them leave
/// alone what is not theirs.
#[cfg(unix)]
pub(super) fn anybody_renames(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o1002 == 0o002
}

#[cfg(not(unix))]
pub(super) fn anybody_renames(_: &fs::Metadata) -> bool {
    false
}

/// The number of the user to whom something belongs.
#[cfg(unix)]
pub(super) fn owner(found: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(found)
}

#[cfg(not(unix))]
pub(super) fn owner(_: &fs::Metadata) -> u32 {
    0
}

/// A folder by a name that can be looked up: the empty path is the working directory.
pub(super) fn here(folder: &Path) -> &Path {
    if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    }
}

/// Makes the new name in the folder outlive a power cut.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        private_folder()
            .create(root.path().join("keys"))
            .expect("a folder");
        let folders = ["keys", "keys/deep"].map(|name| root.path().join(name));
        let own = tempfile::tempfile_in(root.path()).expect("a file");
        let me = owner(&own.metadata().expect("known"));
        assert_eq!(foreign(&folders, me), None);
        let strange = Some(folders[0].as_path());
        assert_eq!(foreign(&folders, me + 1), strange);
        private_folder().create(&folders[1]).expect("a folder");
        assert_eq!(foreign(&folders[1..], me), None);
        assert_eq!(
            foreign(&folders[1..], me + 1),
            Some(folders[1].as_path()),
            "every one on the way counts"
        );
    }

    #[test]
    fn a_new_folder_is_synced_into_the_one_above_and_a_present_one_is_not() {
        let root = tempfile::tempdir().expect("a folder");
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("a")).expect("created");
        let synced = std::cell::RefCell::new(Vec::new());
        let sync = |folder: &Path| {
            synced.borrow_mut().push(folder.to_owned());
            Ok(())
        };
        let folders = [path("a"), path("a/b"), path("a/b/c")];
        create_folders(&folders, sync).expect("created");
        assert_eq!(synced.take(), [path("a"), path("a/b")]);
        create_folders(&folders, sync).expect("there");
        assert!(synced.take().is_empty());
        let failing = |_: &Path| Err(io::Error::other("no"));
        assert!(create_folders(&[path("d")], failing).is_err());
    }

    #[test]
    fn what_another_run_has_removed_is_removed() {
        let root = tempfile::tempdir().expect("a folder");
        remove(&root.path().join(".rolecall-gone")).expect("gone is gone");
        assert!(remove(root.path()).is_err(), "a folder is no file");
    }
}
