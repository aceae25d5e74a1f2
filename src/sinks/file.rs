//! Files below the configuration's directory: whole or not at all, for the owner's eyes only.
//! Follows no symbolic link and leaves the directory never.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::content;
use crate::echo;
use crate::model::{Destination, FileFormat, IssuedCredential, Place};
use crate::ports::{Delivered, Probe, SinkError, SinkStore};

/// More than any credential takes.
const LARGEST_CREDENTIAL: u64 = 1024 * 1024;
const TEMPORARY: &str = ".rolecall-";
const TAKEN: &str = "another key has been put there since it was looked at";

/// Delivers into files below one directory.
#[derive(Clone, Debug)]
pub struct FileSink {
    root: PathBuf,
}

/// A destination in the file system, checked as far as its text goes.
struct Target<'a> {
    to: &'a Destination,
    /// The folders from the root to the file, the innermost last.
    folders: Vec<PathBuf>,
    path: PathBuf,
    file: &'a str,
    format: FileFormat,
}

impl Target<'_> {
    fn refuse<T>(&self, why: impl std::fmt::Display) -> Result<T, SinkError> {
        refuse(self.to, why)
    }

    fn io<T>(&self, doing: &str, error: &io::Error) -> Result<T, SinkError> {
        let why = match error.kind() {
            io::ErrorKind::StorageFull => "the disk is full; make room".to_owned(),
            io::ErrorKind::QuotaExceeded => {
                "this user's share of the disk is used up; make room".to_owned()
            }
            io::ErrorKind::FileTooLarge => {
                "this process may not write so large a file; raise its limit (ulimit -f)".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "this user may not; change the owner or the mode of the folder".to_owned()
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                "the file system is read-only; choose another directory".to_owned()
            }
            _ => error.to_string(),
        };
        self.refuse(format!("{doing} failed: {why}"))
    }

    fn folder(&self) -> &Path {
        self.folders.last().map_or(Path::new("."), PathBuf::as_path)
    }
}

fn refuse<T>(to: &Destination, why: impl std::fmt::Display) -> Result<T, SinkError> {
    Err(SinkError {
        message: format!("{to}: {why}"),
    })
}

impl FileSink {
    /// A sink below `root`, the configuration's directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn target<'a>(&self, to: &'a Destination) -> Result<Target<'a>, SinkError> {
        let Place::File {
            directory,
            file,
            format,
        } = &to.place;
        let clean = |part: &str| {
            !matches!(part, "" | "." | "..") && !part.contains(['/', '\\']) && !controls(part)
        };
        let parts: Vec<&str> = directory.split('/').filter(|part| *part != ".").collect();
        let visible = |part: &&str| clean(part) && !part.starts_with('.');
        if directory.starts_with('/') || parts.is_empty() || !parts.iter().all(visible) {
            return refuse(
                to,
                "the directory must be a folder of its own below the configuration, such as \
                 `credentials`, without `..` and not hidden",
            );
        }
        if !clean(file) || file == ".gitignore" || file.starts_with(TEMPORARY) {
            return refuse(to, "the file must be a plain name, such as `ci.json`");
        }
        let folders: Vec<PathBuf> = parts
            .iter()
            .scan(self.root.clone(), |path, part| {
                path.push(part);
                Some(path.clone())
            })
            .collect();
        let path = folders
            .last()
            .map_or_else(PathBuf::new, |folder| folder.join(file));
        Ok(Target {
            to,
            folders,
            path,
            file,
            format: *format,
        })
    }

    /// Looks at what is there; tells what the file holds and the innermost folder that exists.
    fn inspect(&self, target: &Target<'_>) -> Result<(Probe, PathBuf), SinkError> {
        let mut existing = self.root.clone();
        if let Ok(root) = fs::metadata(here(&self.root))
            && anybody_renames(&root)
        {
            return target.refuse(format!(
                "everybody may put another folder in the place of this one, since {} lets them; \
                 run chmod o-w on it",
                echo::path(here(&self.root))
            ));
        }
        for folder in &target.folders {
            match fs::symlink_metadata(folder) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    return Ok((Probe::Free, existing));
                }
                Err(e) => return target.io("looking at the folder", &e),
                Ok(found) if found.is_symlink() => {
                    return target.refuse(format!(
                        "{} is a symbolic link; replace it by a folder",
                        echo::path(folder)
                    ));
                }
                Ok(found) if !found.is_dir() => {
                    return target.refuse(format!(
                        "{} is not a folder; move it away",
                        echo::path(folder)
                    ));
                }
                Ok(found) => {
                    if let Some(who) = others_write(&found) {
                        return target.refuse(format!(
                            "{who} may write to {}; run chmod 700 on it",
                            echo::path(folder)
                        ));
                    }
                    existing.clone_from(folder);
                }
            }
        }
        self.check_ignored(target)?;
        Ok((held(target)?, existing))
    }

    /// A credential in a folder that git tracks is soon in a repository.
    fn check_ignored(&self, target: &Target<'_>) -> Result<(), SinkError> {
        let path = target.folder().join(".gitignore");
        let shown = echo::path(&path);
        let found = match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return target.io("looking at the folder's .gitignore", &e),
            Ok(found) => found,
        };
        if !found.is_file() {
            return target.refuse(format!(
                "git would track the key, since {shown} is no plain file; put one with a line \
                 `*` in its place"
            ));
        }
        let text = fs::read_to_string(&path)
            .or_else(|e| target.io("reading the folder's .gitignore", &e))?;
        match ignored(&text, target.file) {
            Ignored::Yes => Ok(()),
            Ignored::Back => target.refuse(format!(
                "git may track the key: remove the lines that begin with `!` from {shown}"
            )),
            Ignored::No => target.refuse(format!(
                "git would track the key: add a line `*` to {shown}, with nothing before or \
                 behind it"
            )),
            Ignored::Half => target.refuse(format!(
                "git would track what a killed run leaves of the key: add a line `*` to {shown}, \
                 or a line `/{TEMPORARY}*` beside that of the file"
            )),
        }
    }

    fn prepare_folder(&self, target: &Target<'_>) -> Result<(), SinkError> {
        create_folders(&target.folders, sync_folder)
            .or_else(|e| target.io("creating the folder", &e))?;
        let ignore = target.folder().join(".gitignore");
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&ignore)
        {
            Ok(mut file) => file
                .write_all(b"*\n")
                .and_then(|()| file.sync_all())
                .or_else(|e| target.io("writing the folder's .gitignore", &e)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => target.io("writing the folder's .gitignore", &e),
        }
    }

    /// Puts a file in place. Where `free`, none may have appeared there since that was seen.
    fn write(&self, target: &Target<'_>, bytes: &[u8], free: bool) -> Result<(), SinkError> {
        let folder = target.folder();
        // In the same folder, so that renaming is atomic; tempfile creates it 0600.
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(folder)
            .or_else(|e| target.io("creating a file", &e))?;
        check_owner(target, file.as_file())?;
        file.write_all(bytes)
            .and_then(|()| file.as_file().sync_all())
            .or_else(|e| target.io("writing", &e))?;
        let tried = match free {
            true => file.persist_noclobber(&target.path),
            false => file.persist(&target.path),
        };
        let put = match tried {
            Err(e) if free && e.error.kind() == io::ErrorKind::AlreadyExists => {
                return target.refuse(TAKEN);
            }
            // Some file systems cannot put a file in place so; then what was just seen counts.
            Err(e) if free => e.file.persist(&target.path),
            tried => tried,
        };
        if let Err(e) = put {
            return target.io("putting the file in place", &e.error);
        }
        sync_folder(folder).or_else(|e| target.io("writing the folder to disk", &e))
    }
}

impl SinkStore for FileSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let target = self.target(to)?;
        let (probe, folder) = self.inspect(&target)?;
        let mut trial = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&folder)
            .or_else(|e| target.io("creating a file", &e))?;
        check_owner(&target, trial.as_file())?;
        if folder == target.folder() {
            sweep(&folder, trial.path())
                .or_else(|e| target.io("removing what a killed run left", &e))?;
        }
        trial
            .write_all(b"a trial, to be removed at once\n")
            .or_else(|e| target.io("writing", &e))?;
        trial
            .close()
            .or_else(|e| target.io("removing a file", &e))?;
        Ok(probe)
    }

    async fn deliver(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probed: &Probe,
    ) -> Result<Delivered, SinkError> {
        let target = self.target(to)?;
        self.inspect(&target)?;
        self.prepare_folder(&target)?;
        // Once more, since a folder or a file may have appeared in between.
        let (held, _) = self.inspect(&target)?;
        let own = matches!(&held, Probe::Holds { account, .. } if *account == credential.mrn);
        if held != *probed && held != Probe::Free && !own {
            return target.refuse(TAKEN);
        }
        let Some(bytes) = content::render(credential, target.format) else {
            return target.refuse("the credential cannot be written as JSON");
        };
        self.write(&target, &bytes, held == Probe::Free)?;
        let written = fs::read(&target.path)
            .map(Zeroizing::new)
            .or_else(|e| target.io("reading the file back", &e))?;
        if *written == *bytes {
            Ok(Delivered::Verified)
        } else {
            target.refuse("the file does not hold what was written; something else writes to it")
        }
    }
}

/// Whoever owns a folder on the way can put another file in the place of the key. `own` is a file
/// that this run has just made, which tells who it is.
fn check_owner(target: &Target<'_>, own: &File) -> Result<(), SinkError> {
    let known = own.metadata();
    let me = owner(&known.or_else(|e| target.io("looking at a file", &e))?);
    match foreign(&target.folders, me) {
        None => Ok(()),
        Some(folder) => target.refuse(format!(
            "{} belongs to another user, who could put another file in the place of the key; move \
             it away, or take it over with chown",
            echo::path(folder)
        )),
    }
}

/// The first of the folders that exist which does not belong to this user.
fn foreign(folders: &[PathBuf], me: u32) -> Option<&Path> {
    let belongs = |folder: &&PathBuf| {
        // One that is not there yet will be this run's.
        fs::symlink_metadata(folder).map_or(true, |found| owner(&found) == me)
    };
    let strange = folders.iter().find(|folder| !belongs(folder));
    strange.map(PathBuf::as_path)
}

/// What a `.gitignore` says of a key and of the file in which it is written first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ignored {
    /// Both are ignored.
    Yes,
    /// The key is, what a killed run leaves of it is not.
    Half,
    /// The key is not.
    No,
    /// Some line takes something out again.
    Back,
}

/// The lines of a `.gitignore` as git takes them: without the mark at the begin of a file, one carriage
/// return and the spaces behind a line. All other blanks are part of a name.
pub fn git_lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n').map(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.trim_end_matches(' ')
    })
}

/// Whether the `.gitignore` beside a file, or one further up, plainly makes git ignore it. `None`: some
/// line takes something out again, so that nothing above it counts.
pub fn git_ignores(text: &str, file: &str, beside: bool) -> Option<bool> {
    match ignored(text, file) {
        Ignored::Back => None,
        Ignored::Yes | Ignored::Half if beside => Some(true),
        // `/NAME` further up names another file.
        Ignored::Yes | Ignored::Half => {
            let says = |line: &str| line == "*" || line == file;
            Some(git_lines(text).any(says))
        }
        Ignored::No => Some(false),
    }
}

/// Reads a `.gitignore` as git does, but for what needs more than a look: a line counts only if it
/// is `*`, `/NAME` or `NAME`, and behind it stand nothing but spaces and one carriage return.
fn ignored(text: &str, file: &str) -> Ignored {
    let lines = || git_lines(text);
    if lines().any(|line| line.starts_with('!')) {
        return Ignored::Back;
    }
    if lines().any(|line| line == "*") {
        return Ignored::Yes;
    }
    // In a name these mean something else than themselves.
    let plain = !file.contains(['*', '?', '[']) && !file.starts_with('#');
    let names = |line: &str| line.strip_prefix('/').unwrap_or(line) == file;
    if !(plain && lines().any(names)) {
        return Ignored::No;
    }
    let temporary = |line: &str| {
        let line = line.strip_prefix('/');
        line.and_then(|line| line.strip_prefix(TEMPORARY)) == Some("*")
    };
    match lines().any(temporary) {
        true => Ignored::Yes,
        false => Ignored::Half,
    }
}

/// Removes temporary files that a killed run left, since each may hold a key that nobody will ever use.
/// A file just made tells the time; what is younger than that by less than the lease of a birth may be
/// in another run's hands.
fn sweep(folder: &Path, fresh: &Path) -> io::Result<()> {
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
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Creates the folders that are missing, the outermost first; `sync` makes the name of each outlive a
/// power cut, in the folder that it stands in.
fn create_folders(folders: &[PathBuf], sync: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
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

/// What the target's file holds.
fn held(target: &Target<'_>) -> Result<Probe, SinkError> {
    let found = match fs::symlink_metadata(&target.path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Probe::Free),
        Err(e) => return target.io("looking at the file", &e),
        Ok(found) => found,
    };
    if found.is_symlink() {
        return target.refuse("a symbolic link is there; move it away");
    }
    if !found.is_file() {
        return target.refuse("something that is not a file is there; move it away");
    }
    let holder = if found.len() > LARGEST_CREDENTIAL {
        None
    } else {
        let bytes = fs::read(&target.path)
            .map(Zeroizing::new)
            .or_else(|e| target.io("reading the file that is there", &e))?;
        content::holder(&bytes)
    };
    match holder {
        Some((account, endpoint)) => Ok(Probe::Holds { account, endpoint }),
        None => target.refuse("a file that is not a credential is there; move it away"),
    }
}

/// The path of a delivered file; `root` is the configuration's directory.
pub fn path_of(to: &Destination, root: &Path) -> PathBuf {
    let Place::File {
        directory,
        file,
        format: _,
    } = &to.place;
    root.join(directory).join(file)
}

/// The line that configures cnspec with a delivered file; `None` where there is none.
pub fn configure_hint(to: &Destination, root: &Path) -> Option<String> {
    let Place::File { format, .. } = &to.place;
    let path = shell_word(path_of(to, root).to_str()?)?;
    Some(match format {
        FileFormat::Json => format!("export MONDOO_CONFIG_PATH={path}"),
        FileFormat::Base64 => format!("export MONDOO_CONFIG_BASE64=\"$(cat {path})\""),
    })
}

/// A path as one word of a POSIX shell; `None` if no shell should read it.
pub fn shell_word(path: &str) -> Option<String> {
    if path.is_empty() || controls(path) {
        return None;
    }
    let path = if path.starts_with('-') {
        format!("./{path}")
    } else {
        path.to_owned()
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_/.-@+=:,".contains(&b);
    if path.bytes().all(plain) {
        Some(path)
    } else {
        Some(format!("'{}'", path.replace('\'', r"'\''")))
    }
}

fn controls(text: &str) -> bool {
    text.contains(char::is_control)
}

#[cfg(unix)]
fn private_folder() -> DirBuilder {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(not(unix))]
fn private_folder() -> DirBuilder {
    DirBuilder::new()
}

/// Who besides its owner may put files into a folder; `None` if nobody.
#[cfg(unix)]
fn others_write(found: &fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::PermissionsExt as _;
    match found.permissions().mode() {
        mode if mode & 0o002 != 0 => Some("everybody"),
        mode if mode & 0o020 != 0 => Some("everybody of its group"),
        _ => None,
    }
}

#[cfg(not(unix))]
fn others_write(_: &fs::Metadata) -> Option<&'static str> {
    None
}

/// Whether everybody may rename what lies in a folder: all may write, and nothing makes them leave
/// alone what is not theirs.
#[cfg(unix)]
fn anybody_renames(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o1002 == 0o002
}

#[cfg(not(unix))]
fn anybody_renames(_: &fs::Metadata) -> bool {
    false
}

/// The number of the user to whom something belongs.
#[cfg(unix)]
fn owner(found: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(found)
}

#[cfg(not(unix))]
fn owner(_: &fs::Metadata) -> u32 {
    0
}

/// A folder by a name that can be looked up: the empty path is the working directory.
fn here(folder: &Path) -> &Path {
    if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    }
}

/// Makes the new name in the folder outlive a power cut.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::model::{Fingerprint, Mrn};
    use crate::secret::Secret;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nnot really\n-----END PRIVATE KEY-----\n";

    /// A birth's probe, then its delivery.
    async fn put(
        sink: &FileSink,
        place: &Destination,
        credential: &IssuedCredential,
    ) -> Result<Delivered, SinkError> {
        let probed = sink.probe(place).await?;
        sink.deliver(place, credential, &probed).await
    }

    fn credential(id: &str) -> IssuedCredential {
        let scope = "//captain.api.mondoo.app/spaces/abcd".to_owned();
        IssuedCredential {
            mrn: Mrn::new(format!(
                "//agents.api.mondoo.app/spaces/abcd/serviceaccounts/{id}"
            )),
            certificate: String::new(),
            private_key: Secret::new(KEY.to_owned()),
            scope_mrn: scope.clone(),
            space_mrn: scope,
            api_endpoint: "https://us.api.mondoo.com".to_owned(),
            fingerprint: Fingerprint::of_public_key(b"x"),
        }
    }

    fn to(directory: &str, file: &str, format: FileFormat) -> Destination {
        Destination {
            sink: "file.local".to_owned(),
            place: Place::File {
                directory: directory.to_owned(),
                file: file.to_owned(),
                format,
            },
        }
    }

    fn json(directory: &str, file: &str) -> Destination {
        to(directory, file, FileFormat::Json)
    }

    fn mode(path: &Path) -> u32 {
        let found = fs::symlink_metadata(path).expect("is there");
        found.permissions().mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string())
            .collect::<Result<_, _>>()
            .expect("text");
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_delivery_is_private_ignored_by_git_and_verified() {
        let root = tempfile::tempdir().expect("a folder");
        let sink = FileSink::new(root.path());
        let place = json("secrets/ci", "ci.json");
        assert_eq!(sink.probe(&place).await, Ok(Probe::Free));
        assert_eq!(names(root.path()), [""; 0], "a probe leaves nothing");
        let done = put(&sink, &place, &credential("one")).await;
        assert_eq!(done, Ok(Delivered::Verified));
        let folder = root.path().join("secrets/ci");
        assert_eq!(names(&folder), [".gitignore", "ci.json"]);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&root.path().join("secrets")), 0o700);
        assert_eq!(mode(&folder.join("ci.json")), 0o600);
        let ignore = fs::read_to_string(folder.join(".gitignore")).expect("text");
        assert_eq!(ignore, "*\n");
        let text = fs::read_to_string(folder.join("ci.json")).expect("text");
        assert!(text.contains("not really") && text.ends_with("}\n"));
    }

    #[tokio::test]
    async fn a_probe_tells_whose_credential_is_there_and_a_delivery_replaces_it() {
        let root = tempfile::tempdir().expect("a folder");
        let sink = FileSink::new(root.path());
        for place in [
            json("keys", "ci.json"),
            to("keys", "ci.b64", FileFormat::Base64),
        ] {
            for id in ["one", "two"] {
                let held = credential(id);
                put(&sink, &place, &held).await.expect("delivers");
                let endpoint = Some(held.api_endpoint.clone());
                let expected = Probe::Holds {
                    account: held.mrn,
                    endpoint,
                };
                assert_eq!(sink.probe(&place).await, Ok(expected));
            }
        }
        let path = root.path().join("keys/ci.json");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        let (place, third) = (json("keys", "ci.json"), credential("three"));
        put(&sink, &place, &third).await.expect("delivers");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(
            names(&root.path().join("keys")),
            [".gitignore", "ci.b64", "ci.json"]
        );
    }

    #[tokio::test]
    async fn what_a_killed_run_left_is_removed_once_it_is_old() {
        let root = tempfile::tempdir().expect("a folder");
        let place = json("credentials", "ci.json");
        let sink = FileSink::new(root.path());
        let delivered = put(&sink, &place, &credential("a")).await;
        delivered.expect("delivered");
        let folder = root.path().join("credentials");
        let old = std::time::Duration::from_secs(16 * 60);
        for (name, age) in [
            (".rolecall-old", old),
            (".rolecall-new", Duration::ZERO),
            ("notes", old),
        ] {
            let file = fs::File::create(folder.join(name)).expect("created");
            let now = file.metadata().expect("known").modified().expect("a time");
            file.set_modified(now - age).expect("set");
        }
        sink.probe(&place).await.expect("free");
        let left = names(&folder);
        assert!(!left.contains(&".rolecall-old".to_owned()), "{left:?}");
        for kept in [".rolecall-new", "notes", "ci.json"] {
            assert!(left.contains(&kept.to_owned()), "{kept}: {left:?}");
        }
    }

    /// Both the probe and the delivery refuse, and what is there stays as it is.
    async fn refused(root: &Path, place: &Destination, hint: &str) {
        let sink = FileSink::new(root);
        let probe = sink.probe(place).await.expect_err("refused").message;
        let deliver = put(&sink, place, &credential("x")).await;
        let deliver = deliver.expect_err("refused").message;
        for message in [probe, deliver] {
            assert!(message.contains(hint), "{message}");
            assert!(message.starts_with("sink.file.local at "), "{message}");
            assert!(!message.contains("not really"), "{message}");
        }
    }

    #[tokio::test]
    async fn what_leads_out_of_the_directory_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        for directory in [
            "..", "a/../..", "/etc", "", ".", "a//b", "a\\b", "a\nb", ".github", "a/.git",
        ] {
            refused(
                root.path(),
                &json(directory, "ci.json"),
                "folder of its own",
            )
            .await;
        }
        for file in ["", "..", "a/b", ".gitignore", ".rolecall-x", "a\u{1b}[0m"] {
            refused(root.path(), &json("keys", file), "plain name").await;
        }
        assert_eq!(names(root.path()), [""; 0]);
    }

    #[tokio::test]
    async fn symbolic_links_are_refused_wherever_they_stand() {
        let root = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        symlink(outside.path(), root.path().join("link")).expect("a link");
        refused(root.path(), &json("link", "ci.json"), "symbolic link").await;
        refused(root.path(), &json("link/deep", "ci.json"), "symbolic link").await;
        private_folder()
            .create(root.path().join("keys"))
            .expect("a folder");
        let target = outside.path().join("stolen");
        symlink(&target, root.path().join("keys/ci.json")).expect("a link");
        refused(root.path(), &json("keys", "ci.json"), "symbolic link").await;
        assert_eq!(names(outside.path()), [""; 0]);
    }

    #[tokio::test]
    async fn what_is_no_credential_is_never_overwritten() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("keys");
        private_folder().create(&folder).expect("a folder");
        fs::write(folder.join("ci.json"), "my notes").expect("a file");
        refused(root.path(), &json("keys", "ci.json"), "move it away").await;
        let kept = fs::read_to_string(folder.join("ci.json")).expect("text");
        assert_eq!(kept, "my notes");
        fs::create_dir(folder.join("dir")).expect("a folder");
        refused(root.path(), &json("keys", "dir"), "move it away").await;
        fs::write(root.path().join("plain"), "").expect("a file");
        refused(root.path(), &json("plain", "ci.json"), "not a folder").await;
    }

    #[tokio::test]
    async fn folders_that_give_keys_away_are_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("keys");
        private_folder().create(&folder).expect("a folder");
        fs::write(folder.join(".gitignore"), "*.log\n").expect("a file");
        refused(root.path(), &json("keys", "ci.json"), "add a line `*`").await;
        fs::write(folder.join(".gitignore"), "*.log\n/ci.json\n").expect("a file");
        refused(root.path(), &json("keys", "ci.json"), "`/.rolecall-*`").await;
        fs::write(folder.join(".gitignore"), "/.rolecall-*\n/ci.json\n").expect("a file");
        let sink = FileSink::new(root.path());
        assert_eq!(sink.probe(&json("keys", "ci.json")).await, Ok(Probe::Free));
        for (text, hint) in [
            ("*\n!*.json\n", "begin with `!`"),
            (" *\n", "add a line `*`"),
        ] {
            fs::write(folder.join(".gitignore"), text).expect("a file");
            refused(root.path(), &json("keys", "ci.json"), hint).await;
        }
        // git reads no .gitignore through a link.
        fs::write(root.path().join("all"), "*\n").expect("a file");
        fs::remove_file(folder.join(".gitignore")).expect("removed");
        symlink("../all", folder.join(".gitignore")).expect("a link");
        refused(root.path(), &json("keys", "ci.json"), "no plain file").await;
        fs::remove_file(folder.join(".gitignore")).expect("removed");
        for mode in [0o777, 0o1777, 0o775, 0o720] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("chmod");
            refused(root.path(), &json("keys", "ci.json"), "chmod 700").await;
        }
        // One on the way is as good as the last one.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).expect("chmod");
        refused(root.path(), &json("keys/deep", "ci.json"), "of its group").await;
    }

    #[test]
    fn a_line_ignores_a_key_only_where_git_ignores_it_too() {
        for (text, expected) in [
            ("*", Ignored::Yes),
            ("*\r\n", Ignored::Yes),
            ("# all\n*   \r\n", Ignored::Yes),
            ("\u{feff}*\n", Ignored::Yes),
            ("ci.json\n/.rolecall-*", Ignored::Yes),
            ("/ci.json  \n/.rolecall-* \r\n", Ignored::Yes),
            ("/ci.json\n", Ignored::Half),
            ("ci.json\n.rolecall-x\n", Ignored::Half),
            // What git does not cut off belongs to the pattern.
            ("*\t\n", Ignored::No),
            ("*\u{a0}\n", Ignored::No),
            ("*\u{b}\n", Ignored::No),
            ("*\u{c}", Ignored::No),
            ("*\u{2003}", Ignored::No),
            ("*\r\r\n", Ignored::No),
            ("*\r \n", Ignored::No),
            ("ci.json\t\n/.rolecall-*\n", Ignored::No),
            ("/ci.json\u{2003}\n/.rolecall-*\n", Ignored::No),
            (" *\n", Ignored::No),
            ("//ci.json\n/.rolecall-*\n", Ignored::No),
            ("*.json\n", Ignored::No),
            ("", Ignored::No),
            ("*\n!ci.json\n", Ignored::Back),
            ("\u{feff}!ci.json\n*\n", Ignored::Back),
        ] {
            assert_eq!(ignored(text, "ci.json"), expected, "{text:?}");
        }
        // A name that is a pattern matches something else than itself.
        for name in ["ci[1].json", "#ci", "a*b"] {
            let text = format!("{name}\n/.rolecall-*\n");
            assert_eq!(ignored(&text, name), Ignored::No, "{name}");
            assert_eq!(ignored("*\n", name), Ignored::Yes, "{name}");
        }
    }

    #[tokio::test]
    async fn a_directory_in_which_everybody_renames_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let mode = |mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(root.path(), mode).expect("chmod");
        };
        for open in [0o777, 0o703] {
            mode(open);
            refused(root.path(), &json("keys", "ci.json"), "chmod o-w").await;
        }
        let sink = FileSink::new(root.path());
        // As in /tmp, nobody renames what is another's; and a group of one's own is nobody else.
        for (n, closed) in [0o1777, 0o775, 0o700].into_iter().enumerate() {
            mode(closed);
            let place = json("keys", &format!("{n}.json"));
            let done = put(&sink, &place, &credential("x")).await;
            assert_eq!(done, Ok(Delivered::Verified), "{closed:o}");
        }
    }

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

    /// Only root may give a folder away, so others skip this.
    #[tokio::test]
    async fn a_key_is_not_put_into_a_folder_of_another_user() {
        for directory in ["keys", "keys/deep"] {
            let root = tempfile::tempdir().expect("a folder");
            let folder = root.path().join("keys");
            private_folder().create(&folder).expect("a folder");
            if std::os::unix::fs::chown(&folder, Some(65534), None).is_err() {
                return;
            }
            refused(root.path(), &json(directory, "ci.json"), "another user").await;
            assert_eq!(names(&folder), [""; 0]);
        }
    }

    #[test]
    fn a_full_disk_and_a_missing_right_name_the_way_out() {
        let (sink, place) = (FileSink::new("root"), json("keys", "ci.json"));
        let target = sink.target(&place).expect("a good place");
        for (kind, hint) in [
            (io::ErrorKind::StorageFull, "make room"),
            (io::ErrorKind::QuotaExceeded, "make room"),
            (io::ErrorKind::PermissionDenied, "change the owner"),
            (io::ErrorKind::ReadOnlyFilesystem, "read-only"),
        ] {
            let failed: Result<(), _> = target.io("writing", &kind.into());
            let message = failed.expect_err("an error").message;
            let expected = "sink.file.local at keys/ci.json: writing failed: ";
            assert!(
                message.starts_with(expected) && message.contains(hint),
                "{message}"
            );
        }
    }

    /// Two runs at once: the file of the other one came between the last look and the rename.
    #[tokio::test]
    async fn what_appears_where_nothing_was_seen_is_not_replaced() {
        let root = tempfile::tempdir().expect("a folder");
        let sink = FileSink::new(root.path());
        let place = json("keys", "ci.json");
        put(&sink, &place, &credential("one"))
            .await
            .expect("delivers");
        let path = root.path().join("keys/ci.json");
        let before = fs::read(&path).expect("readable");
        let target = sink.target(&place).expect("a target");
        let error = sink.write(&target, b"{}", true).expect_err("refused");
        assert!(error.message.contains(TAKEN), "{}", error.message);
        assert_eq!(fs::read(&path).expect("readable"), before);
        assert_eq!(
            names(&root.path().join("keys")),
            [".gitignore", "ci.json"],
            "nothing is left over"
        );
        sink.write(&target, b"{}", false).expect("replaced");
        assert_eq!(fs::read(&path).expect("readable"), b"{}");
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

    #[test]
    fn the_hint_is_one_safe_line() {
        let hint = |root: &str, place: &Destination| configure_hint(place, Path::new(root));
        assert_eq!(
            hint(".", &json("keys", "ci.json")).as_deref(),
            Some("export MONDOO_CONFIG_PATH=./keys/ci.json")
        );
        let b64 = to("keys", "it's $(x).b64", FileFormat::Base64);
        assert_eq!(
            hint("/home/a b", &b64).as_deref(),
            Some(r#"export MONDOO_CONFIG_BASE64="$(cat '/home/a b/keys/it'\''s $(x).b64')""#)
        );
        assert_eq!(
            hint("-x", &json("k", "c")).as_deref(),
            Some("export MONDOO_CONFIG_PATH=./-x/k/c")
        );
        assert_eq!(hint("a\nb", &json("k", "c")), None);
    }

    #[tokio::test]
    async fn a_key_that_was_put_there_since_the_probe_is_not_replaced() {
        let root = tempfile::tempdir().expect("a folder");
        let sink = FileSink::new(root.path());
        let place = json("keys", "ci.json");
        let probed = sink.probe(&place).await.expect("free");
        put(&sink, &place, &credential("theirs"))
            .await
            .expect("delivers");
        let late = sink.deliver(&place, &credential("ours"), &probed).await;
        assert!(late.expect_err("refused").message.contains("another key"));
        let still = sink.probe(&place).await;
        assert!(matches!(still, Ok(Probe::Holds { account, .. }) if account.id() == "theirs"));
    }

    #[test]
    fn what_the_system_refuses_is_told_with_the_way_out() {
        let to = json("credentials", "ci.json");
        let sink = FileSink::new("access");
        let target = sink.target(&to).expect("a good destination");
        for (kind, way_out) in [
            (io::ErrorKind::StorageFull, "make room"),
            (io::ErrorKind::QuotaExceeded, "make room"),
            (io::ErrorKind::FileTooLarge, "ulimit -f"),
            (io::ErrorKind::PermissionDenied, "change the owner"),
            (io::ErrorKind::ReadOnlyFilesystem, "another directory"),
        ] {
            let told = target.io::<()>("writing", &kind.into());
            let told = told.expect_err("an error").to_string();
            assert!(told.contains(way_out), "{told}");
            assert!(told.contains("credentials/ci.json"), "{told}");
        }
        // The number that Linux gives for a full disk.
        let told = target.io::<()>("writing", &io::Error::from_raw_os_error(28));
        assert!(told.expect_err("an error").to_string().contains("full"));
    }
}
