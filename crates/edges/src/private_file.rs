//! Files that a run leaves: for their owner alone, whole or not there, and on the disk before anybody
//! is told of them. Pipes and devices are written to and never replaced. Prints nothing.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What the name of a file begins with that is not whole yet, beside the one that it becomes.
pub const UNFINISHED: &str = ".rolecall-";

/// What a write may find at its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// A file, which is replaced.
    Replace,
    /// Nothing.
    New,
}

/// Why a file was not written: a fragment that never names the temporary file beside it.
#[derive(Debug)]
pub struct Unwritten(io::Error);

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl Unwritten {
    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind()
    }
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.kind() {
            ErrorKind::StorageFull => "the disk is full",
            ErrorKind::QuotaExceeded => "this user's share of the disk is used up",
            ErrorKind::FileTooLarge => "this process may not write so large a file",
            ErrorKind::NotFound => "its folder is not there",
            ErrorKind::NotADirectory => "what should be its folder is a file",
            ErrorKind::IsADirectory => "it is a directory",
            ErrorKind::PermissionDenied => "this user may not write there",
            ErrorKind::ReadOnlyFilesystem => "what is there can only be read",
            ErrorKind::AlreadyExists => "another run has put a file there",
            // These have no name of a file in them; others may.
            _ if self.0.raw_os_error().is_some() || self.kind() == ErrorKind::Other => {
                return self.0.fmt(f);
            }
            kind => return kind.fmt(f),
        };
        f.write_str(why)
    }
}

/// Whether a pipe or a device is there, or a name that leads to whatever this process has opened.
pub fn is_special(path: &Path) -> bool {
    let device = path.starts_with("/dev") && !path.starts_with("/dev/shm");
    std::fs::metadata(path).is_ok_and(|found| !found.is_dir() && (device || !found.is_file()))
}

/// Opens a pipe or a device, to write at its end.
///
/// # Errors
/// Why it cannot be opened.
pub fn open_special(path: &Path) -> io::Result<File> {
    // What it leads to may be a file that already holds something.
    File::options().append(true).open(path)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A file beside the wanted one; removed if it is not kept.
fn temporary(path: &Path, mode: WriteMode) -> io::Result<tempfile::NamedTempFile> {
    if path.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    match path.symlink_metadata() {
        Ok(_) if mode == WriteMode::New => return Err(ErrorKind::AlreadyExists.into()),
        // As of a name that is too long, which that of the temporary file is not.
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(folder(path))
}

/// Sees whether a file can be written, and leaves nothing.
///
/// # Errors
/// Why it cannot.
pub fn try_private(path: &Path, mode: WriteMode) -> Result<(), Unwritten> {
    if mode == WriteMode::Replace && is_special(path) {
        open_special(path)?;
    } else {
        temporary(path, mode)?;
    }
    Ok(())
}

/// A whole file for its owner alone that is on the disk and not yet in its place. Removed if it does
/// not get there.
#[derive(Debug)]
pub struct Staged {
    file: tempfile::NamedTempFile,
    path: PathBuf,
    mode: WriteMode,
}

/// Writes a whole file beside its place.
///
/// # Errors
/// Why it could not.
pub fn stage(path: &Path, bytes: &[u8], mode: WriteMode) -> Result<Staged, Unwritten> {
    let mut file = temporary(path, mode)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(Staged {
        file,
        path: path.to_owned(),
        mode,
    })
}

impl Staged {
    /// Puts the file in its place, at once.
    ///
    /// # Errors
    /// Why it could not. That its name may not outlive a power cut is one as well, though then the
    /// file is there.
    pub fn promote(self) -> Result<(), Unwritten> {
        let Self { file, path, mode } = self;
        let kept = match mode {
            WriteMode::Replace => file.persist(&path),
            WriteMode::New => file.persist_noclobber(&path),
        };
        kept.map_err(|error| error.error)?;
        Ok(sync_folder(&path)?)
    }
}

/// Makes the name of a file outlive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// Writes the whole file, for its owner alone, or leaves what is there as it is.
///
/// # Errors
/// Why it could not.
pub fn write_private(path: &Path, bytes: &[u8], mode: WriteMode) -> Result<(), Unwritten> {
    if mode == WriteMode::Replace && is_special(path) {
        return Ok(open_special(path)?.write_all(bytes)?);
    }
    stage(path, bytes, mode)?.promote()
}

/// Puts an empty file there, for its owner alone, to be written line by line.
///
/// # Errors
/// Why it could not; then what is there is as it was.
pub fn begin_private(path: &Path) -> Result<File, Unwritten> {
    let file = temporary(path, WriteMode::Replace)?;
    Ok(file.persist(path).map_err(|error| error.error)?)
}

/// Writes a whole file in the place of one that others may read too: who could read it still can.
///
/// # Errors
/// Why it could not; then the file is as it was.
pub fn rewrite(path: &Path, bytes: &[u8]) -> Result<(), Unwritten> {
    // What a link leads to is the file.
    let path = path.canonicalize()?;
    let mode = path.metadata()?.permissions();
    let mut file = temporary(&path, WriteMode::Replace)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    // It is there: that a power cut might still bring the old one back is no reason to say that it is not.
    let _ = sync_folder(&path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn why(path: &Path, mode: WriteMode) -> String {
        let tried = try_private(path, mode).map_err(|error| error.to_string());
        let written = write_private(path, b"new", mode).map_err(|error| error.to_string());
        assert_eq!(tried, written, "the trial tells what the writing does");
        written.expect_err("refused")
    }

    #[test]
    fn a_file_is_whole_and_its_owners_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file");
        for mode in [WriteMode::New, WriteMode::Replace] {
            write_private(&path, b"text", mode).expect("written");
            assert_eq!(fs::read(&path).expect("there"), b"text");
            let mode = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let there = fs::read_dir(dir.path()).expect("readable").count();
        assert_eq!(there, 1, "nothing else is left");
    }

    #[test]
    fn a_file_of_others_is_rewritten_whole_with_its_mode_behind_its_link() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("main.hcl");
        let link = dir.path().join("link.hcl");
        std::os::unix::fs::symlink("main.hcl", &link).expect("linked");
        assert!(rewrite(&link, b"x").is_err(), "it leads to nothing");
        for mode in [0o644, 0o660] {
            fs::write(&path, "old").expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
            rewrite(&link, b"new").expect("written");
            assert_eq!(fs::read(&path).expect("there"), b"new");
            let now = fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(now & 0o777, mode);
            assert!(link.is_symlink());
        }
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 2);
    }

    #[test]
    fn what_stands_in_the_way_is_named_and_no_temporary_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        fs::write(path("old"), "old").expect("written");
        for (name, mode, expected) in [
            ("old", WriteMode::New, "another run has put a file there"),
            ("no/such", WriteMode::New, "its folder is not there"),
            ("no/such", WriteMode::Replace, "its folder is not there"),
            (
                "old/x",
                WriteMode::Replace,
                "what should be its folder is a file",
            ),
            (".", WriteMode::Replace, "it is a directory"),
            (".", WriteMode::New, "it is a directory"),
        ] {
            assert_eq!(why(&path(name), mode), expected, "{name}");
        }
        let long = why(&path(&"x".repeat(300)), WriteMode::Replace);
        assert!(!long.contains(".rolecall-"), "{long}");
        assert_eq!(fs::read(path("old")).expect("there"), b"old");
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("full");
        std::os::unix::fs::symlink("/dev/full", &path).expect("linked");
        let error =
            write_private(&path, b"text", WriteMode::Replace).expect_err("it takes nothing");
        assert_eq!(error.to_string(), "the disk is full");
        write_private(Path::new("/dev/null"), b"text", WriteMode::Replace).expect("it takes all");
        assert!(is_special(Path::new("/dev/null")));
        assert!(path.is_symlink());
        assert_eq!(
            why(&path, WriteMode::New),
            "another run has put a file there"
        );
    }

    #[test]
    fn what_is_staged_is_in_nobodys_way_until_it_is_promoted() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file");
        let there = || fs::read_dir(dir.path()).expect("readable").count();
        fs::write(&path, "old").expect("written");
        drop(stage(&path, b"new", WriteMode::Replace).expect("staged"));
        assert_eq!(
            (fs::read(&path).expect("there"), there()),
            (b"old".to_vec(), 1)
        );

        let staged = stage(&path, b"new", WriteMode::Replace).expect("staged");
        assert_eq!(
            (fs::read(&path).expect("there"), there()),
            (b"old".to_vec(), 2)
        );
        staged.promote().expect("promoted");
        assert_eq!(
            (fs::read(&path).expect("there"), there()),
            (b"new".to_vec(), 1)
        );

        let other = dir.path().join("other");
        let staged = stage(&other, b"mine", WriteMode::New).expect("staged");
        fs::write(&other, "theirs").expect("written in between");
        let why = staged
            .promote()
            .expect_err("somebody was faster")
            .to_string();
        assert_eq!(why, "another run has put a file there");
        assert_eq!(
            (fs::read(&other).expect("there"), there()),
            (b"theirs".to_vec(), 2)
        );
    }
}
