//! Files below the configuration's directory: whole or not at all, for the owner's eyes only.
//! Follows no symbolic link and leaves the directory never.

mod folders;
mod gitignore;
mod hint;
mod target;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use tempfile::TempPath;
use zeroize::Zeroizing;

pub use gitignore::{git_ignores, git_lines};
pub use hint::{configure_hint, path_of, shell_word};

use folders::{remove, sweep, sync_folder};
use gitignore::TEMPORARY;
use target::Target;

use super::content;
use crate::model::{Destination, IssuedCredential, Mrn, StoreVersion};
use crate::ports::{
    Abandoned, Delivered, Effect, Found, Probe, ReadKey, Removal, SinkError, SinkStore, Staged,
    Verified,
};
use crate::secret::Secret;

/// Delivers into files below one directory. A destination of another kind goes to the file that stands
/// for it.
#[derive(Clone, Debug)]
pub struct FileSink {
    root: PathBuf,
}

impl FileSink {
    /// A sink below `root`, the configuration's directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl SinkStore for FileSink {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        let target = Target::new(&self.root, to)?;
        let (found, folder) = target.inspect()?;
        let mut trial = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&folder)
            .or_else(|e| target.io("creating a file", &e))?;
        target.check_owner(trial.as_file())?;
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
        Ok(Probe {
            found,
            version: None,
            abilities: to.abilities(),
            read: None,
        })
    }

    async fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        let target = Target::new(&self.root, to)?;
        target.inspect()?;
        target.prepare_folder()?;
        // Once more, since a folder or a file may have appeared in between.
        let (held, _) = target.inspect()?;
        may_replace(&target, &held, &probe, credential)?;
        let former = match &held {
            Found::Account { .. } => {
                let bytes = target.read("reading the file that is there")?;
                Some(Secret::new(bytes.to_vec()))
            }
            Found::Nobody | Found::Unreadable | Found::Foreign { .. } => None,
        };
        let bytes = rendered(&target, credential)?;
        let beside = write_beside(&target, &bytes)?;
        let name = beside.file_name().map(|name| name.to_string_lossy().into());
        beside
            .keep()
            .or_else(|e| target.io("keeping the file", &e.error))?;
        Ok(Staged {
            probe,
            beside: name,
            former,
        })
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        let target = Target::new(&self.root, to)?;
        let (held, _) = target.inspect()?;
        let free = held == Found::Nobody;
        may_replace(&target, &held, &staged.probe, credential)?;
        let bytes = rendered(&target, credential)?;
        // Where it was asked for before, it may be there already.
        if free || *target.read("reading the file that is there")? != *bytes {
            // Whatever became of it meanwhile: only these bytes get into the place.
            let whole = |path: &PathBuf| {
                let found = fs::read(path).map(Zeroizing::new);
                found.is_ok_and(|found| *found == *bytes)
            };
            let beside = match beside(&target, staged).filter(whole) {
                Some(path) => TempPath::try_from_path(path)
                    .or_else(|e| target.io("looking at the staged file", &e))?,
                None => write_beside(&target, &bytes)?,
            };
            put_in_place(&target, beside, free)?;
        }
        let written = target.read("reading the file back").map_err(unknown)?;
        if *written != *bytes {
            return target
                .spoilt("the file does not hold what was written; something else writes to it");
        }
        Ok(Delivered {
            verified: Verified::Equal,
            version: None,
            note: None,
        })
    }

    async fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        let target = Target::new(&self.root, to)?;
        let (held, folder) = target.inspect().map_err(unknown)?;
        if folder != target.folder() {
            return Ok(Abandoned::Gone);
        }
        let undone = |tried: io::Result<()>, doing: &str| {
            tried.or_else(|e| target.io(doing, &e)).map_err(unknown)
        };
        if let Some(path) = beside(&target, staged) {
            let name = staged.beside.as_deref().unwrap_or_default();
            let doing = format!("removing {name} beside it, which still holds the key,");
            undone(remove(&path), &doing)?;
        }
        let own = matches!(&held, Found::Account { account, .. } if *account == credential.mrn);
        let done = match &staged.former {
            _ if !own => Abandoned::Gone,
            Some(former) => {
                let beside = write_beside(&target, former.expose()).map_err(unknown)?;
                put_in_place(&target, beside, false).map_err(unknown)?;
                Abandoned::Restored
            }
            None => {
                undone(remove(&target.path), "removing the key again")?;
                Abandoned::Gone
            }
        };
        undone(sync_folder(target.folder()), "writing the folder to disk")?;
        Ok(done)
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        let target = Target::new(&self.root, from)?;
        let (held, _) = target.inspect()?;
        Ok(match held {
            Found::Nobody => ReadKey::Nothing,
            Found::Foreign { what } => ReadKey::Other(what),
            Found::Unreadable => ReadKey::Other("something that cannot be read".to_owned()),
            Found::Account { .. } => {
                let mut bytes = target.read("reading the file")?;
                content::held(&Secret::new(std::mem::take(&mut *bytes)))
            }
        })
    }

    async fn remove(
        &self,
        from: &Destination,
        account: &Mrn,
        _: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        let target = Target::new(&self.root, from)?;
        // It also removes what a killed run left of the key beside it.
        let held = self.probe(from).await?.found;
        if !matches!(&held, Found::Account { account: other, .. } if other == account) {
            return Ok(Removal::NotThere);
        }
        remove(&target.path).or_else(|e| target.io("removing the key", &e))?;
        sync_folder(target.folder())
            .or_else(|e| target.io("writing the folder to disk", &e))
            .map_err(unknown)?;
        Ok(Removal::Removed)
    }
}

/// Sees that what is there now is what the probe found and a key may replace, or this very key.
fn may_replace(
    target: &Target<'_>,
    held: &Found,
    probe: &Probe,
    credential: &IssuedCredential,
) -> Result<(), SinkError> {
    let own = matches!(held, Found::Account { account, .. } if *account == credential.mrn);
    let seen = *held == probe.found && matches!(held, Found::Account { .. });
    match held {
        _ if own || seen => Ok(()),
        Found::Nobody => Ok(()),
        Found::Foreign { what } => target.unfit(what, None),
        Found::Account { .. } | Found::Unreadable => target.moved(),
    }
}

fn rendered(
    target: &Target<'_>,
    credential: &IssuedCredential,
) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    match content::render(credential, target.format) {
        Some(bytes) => Ok(bytes),
        None => target.spoilt("the credential cannot be written as JSON"),
    }
}

/// Where the staged file is; `None` where nothing was staged, or by a name that this kind never gives.
fn beside(target: &Target<'_>, staged: &Staged) -> Option<PathBuf> {
    let name = staged.beside.as_deref()?;
    let given = name.starts_with(TEMPORARY) && !name.contains('/');
    given.then(|| target.folder().join(name))
}

/// Writes into a new file of the same folder, so that renaming it is atomic; it is the owner's alone.
fn write_beside(target: &Target<'_>, bytes: &[u8]) -> Result<TempPath, SinkError> {
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(target.folder())
        .or_else(|e| target.io("creating a file", &e))?;
    target.check_owner(file.as_file())?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .or_else(|e| target.io("writing", &e))?;
    let path = file.into_temp_path();
    let written = fs::read(&path).map(Zeroizing::new);
    let written = written.or_else(|e| target.io("reading the file back", &e))?;
    if written.as_slice() != bytes {
        return target
            .spoilt("the file does not hold what was written; something else writes to it");
    }
    Ok(path)
}

/// Puts a written file in place. Where `free`, none may have appeared there since that was seen.
fn put_in_place(target: &Target<'_>, file: TempPath, free: bool) -> Result<(), SinkError> {
    let tried = match free {
        true => file.persist_noclobber(&target.path),
        false => file.persist(&target.path),
    };
    let put = match tried {
        Err(e) if free && e.error.kind() == io::ErrorKind::AlreadyExists => {
            return target.moved();
        }
        // Some file systems cannot put a file in place so; then what was just seen counts.
        Err(e) if free => e.path.persist(&target.path),
        tried => tried,
    };
    if let Err(e) = put {
        return target.io("putting the file in place", &e.error);
    }
    sync_folder(target.folder())
        .or_else(|e| target.io("writing the folder to disk", &e))
        .map_err(unknown)
}

/// The same error after something was written.
fn unknown(error: SinkError) -> SinkError {
    let effect = Effect::Unknown;
    SinkError { effect, ..error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use std::cell::Cell;
    use std::path::Path;
    use std::time::Duration;

    use super::folders::private_folder;
    use super::*;
    use crate::model::{CredentialFormat, FilePlace, Place};
    use crate::ports::SinkErrorKind;
    use crate::sinks::contract::{Ground, credential, keeps_to_the_contract};

    /// A birth's probe, then its delivery.
    async fn put(
        sink: &FileSink,
        place: &Destination,
        credential: &IssuedCredential,
    ) -> Result<Delivered, SinkError> {
        let probe = sink.probe(place).await?;
        let staged = sink.stage(place, credential, probe).await?;
        sink.promote(place, credential, &staged).await
    }

    fn to(directory: &str, file: &str, format: CredentialFormat) -> Destination {
        let place = FilePlace {
            directory: directory.to_owned(),
            file: file.to_owned(),
            format,
            keep: false,
        };
        Destination::new("file.local", Place::File(place))
    }

    fn json(directory: &str, file: &str) -> Destination {
        to(directory, file, CredentialFormat::Json)
    }

    /// A folder of a test's own.
    struct Folder {
        root: tempfile::TempDir,
        sink: FileSink,
        format: CredentialFormat,
        places: Cell<usize>,
    }

    impl Folder {
        fn new(format: CredentialFormat) -> Self {
            let root = tempfile::tempdir().expect("a folder");
            Self {
                sink: FileSink::new(root.path()),
                root,
                format,
                places: Cell::new(0),
            }
        }

        fn path(&self, to: &Destination) -> PathBuf {
            path_of(&to.as_file(), self.root.path())
        }
    }

    impl Ground for Folder {
        type Sink = FileSink;

        fn sink(&self) -> &FileSink {
            &self.sink
        }

        fn place(&self) -> Destination {
            self.places.set(self.places.get() + 1);
            to("keys/deep", &format!("{}", self.places.get()), self.format)
        }

        fn read(&self, to: &Destination) -> Option<Vec<u8>> {
            fs::read(self.path(to)).ok()
        }

        fn write(&self, to: &Destination, bytes: &[u8]) {
            let path = self.path(to);
            let folder = path.parent().expect("a folder");
            for folder in [folder.parent().expect("a folder"), folder] {
                let made = private_folder().create(folder);
                made.or_else(|e| match e.kind() {
                    io::ErrorKind::AlreadyExists => Ok(()),
                    _ => Err(e),
                })
                .expect("a folder");
            }
            fs::write(path, bytes).expect("written");
        }

        fn beside(&self) -> usize {
            let Ok(folder) = fs::read_dir(self.root.path().join("keys/deep")) else {
                return 0;
            };
            let names = folder.map(|entry| entry.expect("an entry").file_name());
            names
                .filter(|name| name.to_string_lossy().starts_with(TEMPORARY))
                .count()
        }
    }

    #[tokio::test]
    async fn files_keep_to_the_contract_of_all_sinks() {
        for format in [CredentialFormat::Json, CredentialFormat::Base64] {
            keeps_to_the_contract(&Folder::new(format)).await;
        }
    }

    #[tokio::test]
    async fn a_staged_key_is_its_owners_alone() {
        let folder = Folder::new(CredentialFormat::Json);
        let (place, key) = (folder.place(), credential("x"));
        let probe = folder.sink.probe(&place).await.expect("free");
        let staged = folder.sink.stage(&place, &key, probe).await;
        let name = staged.expect("stages").beside.expect("it is beside");
        let path = folder.root.path().join("keys/deep").join(name);
        assert_eq!(mode(&path), 0o600);
    }

    /// The name comes from whoever holds the delivery: it leads nowhere else.
    #[tokio::test]
    async fn no_other_file_is_taken_for_a_staged_one() {
        let folder = Folder::new(CredentialFormat::Json);
        let (place, key) = (folder.place(), credential("x"));
        put(&folder.sink, &place, &credential("y"))
            .await
            .expect("delivers");
        for name in ["1", "../deep/1", ".rolecall-/../1", ".gitignore"] {
            let probe = folder.sink.probe(&place).await.expect("holds a key");
            let staged = Staged {
                probe,
                beside: Some(name.to_owned()),
                former: None,
            };
            let done = folder.sink.abandon(&place, &key, &staged).await;
            assert_eq!(done, Ok(Abandoned::Gone));
            assert!(folder.path(&place).exists(), "{name}");
        }
        assert!(folder.root.path().join("keys/deep/.gitignore").exists());
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
        let probe = sink.probe(&place).await.expect("takes a key");
        assert_eq!(probe.found, Found::Nobody);
        assert_eq!(names(root.path()), [""; 0], "a probe leaves nothing");
        let done = put(&sink, &place, &credential("one")).await;
        assert_eq!(done.expect("delivers").verified, Verified::Equal);
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
            to("keys", "ci.b64", CredentialFormat::Base64),
        ] {
            for id in ["one", "two"] {
                let held = credential(id);
                put(&sink, &place, &held).await.expect("delivers");
                let endpoint = Some(held.api_endpoint.clone());
                let expected = Found::Account {
                    account: held.mrn,
                    endpoint,
                };
                let probe = sink.probe(&place).await.expect("holds a key");
                assert_eq!(probe.found, expected);
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

    /// What is there is told, and stays as it is whatever is decided.
    async fn foreign(root: &Path, place: &Destination, hint: &str) {
        let sink = FileSink::new(root);
        let probe = sink.probe(place).await.expect("looks");
        let Found::Foreign { what } = &probe.found else {
            panic!("{probe:?}");
        };
        assert!(
            what.contains(hint) && what.contains("move it away"),
            "{what}"
        );
        let staged = sink.stage(place, &credential("x"), probe).await;
        assert_eq!(staged.expect_err("refused").kind, SinkErrorKind::Unfit);
    }

    /// Both the probe and the delivery refuse, and what is there stays as it is.
    async fn refused(root: &Path, place: &Destination, hint: &str) {
        let sink = FileSink::new(root);
        let probe = sink.probe(place).await.expect_err("refused");
        let deliver = put(&sink, place, &credential("x")).await;
        let deliver = deliver.expect_err("refused");
        for error in [probe, deliver] {
            assert_eq!(
                (error.kind, error.effect),
                (SinkErrorKind::Unfit, Effect::None)
            );
            let message = error.to_string();
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
        foreign(root.path(), &json("keys", "ci.json"), "symbolic link").await;
        assert_eq!(names(outside.path()), [""; 0]);
    }

    #[tokio::test]
    async fn what_is_no_credential_is_never_overwritten() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("keys");
        private_folder().create(&folder).expect("a folder");
        fs::write(folder.join("ci.json"), "my notes").expect("a file");
        foreign(root.path(), &json("keys", "ci.json"), "not a credential").await;
        let kept = fs::read_to_string(folder.join("ci.json")).expect("text");
        assert_eq!(kept, "my notes");
        fs::create_dir(folder.join("dir")).expect("a folder");
        foreign(root.path(), &json("keys", "dir"), "not a file").await;
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
        let probe = sink.probe(&json("keys", "ci.json")).await;
        assert_eq!(probe.expect("takes a key").found, Found::Nobody);
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
            let verified = done.expect("delivers").verified;
            assert_eq!(verified, Verified::Equal, "{closed:o}");
        }
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
        let target = Target::new(root.path(), &place).expect("a target");
        let write = |free| put_in_place(&target, write_beside(&target, b"{}")?, free);
        let error = write(true).expect_err("refused");
        assert_eq!(error.kind, SinkErrorKind::Moved);
        assert_eq!(fs::read(&path).expect("readable"), before);
        assert_eq!(
            names(&root.path().join("keys")),
            [".gitignore", "ci.json"],
            "nothing is left over"
        );
        write(false).expect("replaced");
        assert_eq!(fs::read(&path).expect("readable"), b"{}");
    }

    #[test]
    fn what_the_system_refuses_is_told_with_the_way_out() {
        let to = json("credentials", "ci.json");
        let target = Target::new(Path::new("access"), &to).expect("a good destination");
        for (kind, way_out) in [
            (io::ErrorKind::StorageFull, "free some space"),
            (io::ErrorKind::QuotaExceeded, "free some space"),
            (io::ErrorKind::FileTooLarge, "ulimit -f"),
            (io::ErrorKind::PermissionDenied, "change the owner"),
            (io::ErrorKind::ReadOnlyFilesystem, "another directory"),
        ] {
            let told = target.io::<()>("writing", &kind.into());
            let told = told.expect_err("an error").to_string();
            let expected = "sink.file.local at credentials/ci.json: writing failed: ";
            assert!(
                told.starts_with(expected) && told.contains(way_out),
                "{told}"
            );
        }
        // The number that Linux gives for a full disk.
        let told = target.io::<()>("writing", &io::Error::from_raw_os_error(28));
        assert!(told.expect_err("an error").to_string().contains("full"));
    }
}
