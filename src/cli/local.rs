//! `--local`: the embedded platform in this process, over a real socket on the loopback, with its
//! data in `.rolecall/` beside the configuration.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::echo;
use crate::model::Desired;
use crate::platform::{Environment, Login, Wanted, discover};
use rolecall_server::{App, Credential, Options, Quirks, Running, Storage};

use super::paths::nameless;
use crate::private_file::{Unwritten, WriteMode, write_private};

/// The folder, beside the configuration.
const FOLDER: &str = ".rolecall";
/// The note in the database that holds the preferred port.
const PORT: &str = "port";

/// The embedded platform, running.
#[derive(Debug)]
pub struct Local {
    _running: Running,
}

/// The database of a configuration's local platform.
pub fn database(dir: &Path) -> PathBuf {
    dir.join(FOLDER).join("local.db")
}

impl Local {
    /// Opens and starts the platform, creates the scopes that the configuration declares and that
    /// are missing, and logs in as its owner.
    ///
    /// # Errors
    /// A sentence, if the folder, the database or the socket cannot be had.
    pub async fn open(dir: &Path, desired: &Desired) -> Result<(Self, Login), String> {
        let folder = dir.join(FOLDER);
        let at = |path: &Path, what: &str, error: &dyn std::fmt::Display| {
            format!(
                "cannot {what} {}: {}",
                echo::path(path),
                nameless(path, error)
            )
        };
        make_private(&folder)?;
        let path = database(dir);
        let options = Options {
            base_url: String::new(),
            quirks: Quirks::default(),
        };
        let app = App::open(Storage::File(&path), options).map_err(|e| at(&path, "open", &e))?;
        let app = Arc::new(app);
        let (listener, url) = listen(&app).await.map_err(|e| at(&path, "serve", &e))?;
        app.set_base_url(url.clone());

        let credential = folder.join("owner.json");
        let owner = prepare(&app, desired).map_err(|e| at(&path, "prepare", &e))?;
        if let Some(owner) = owner {
            write_credential(&credential, &owner).map_err(|e| at(&credential, "write", &e))?;
        } else if !credential.exists() {
            return Err(format!(
                "{} is missing, and the platform hands it out once; remove {} to start afresh",
                echo::path(&credential),
                echo::path(&folder)
            ));
        }
        let running = Running::start_on(app, listener, Arc::new(Timestamp::now))
            .map_err(|e| at(&path, "serve", &e))?;
        let wanted = Wanted {
            credentials: Some(credential),
            endpoint: Some(url),
        };
        let environment = Environment {
            var: &|_| None,
            read_file: &|path| fs::read(path),
            home: None,
        };
        let login = discover(&wanted, &environment).map_err(|error| error.to_string())?;
        Ok((Self { _running: running }, login))
    }
}

/// Makes the folder and what lies in it this user's alone, each time: a checkout may bring a folder
/// that is open to others, with a `.gitignore` that lets the keys in it be committed.
///
/// # Errors
/// A sentence, if something there is another user's, a link or no file, or cannot be made private.
fn make_private(folder: &Path) -> Result<(), String> {
    let at = |path: &Path, what: &str, error: &dyn std::fmt::Display| {
        format!(
            "cannot {what} {}: {}",
            echo::path(path),
            nameless(path, error)
        )
    };
    match folder.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(|e| at(folder, "create", &e))?,
        Err(error) => return Err(at(folder, "look at", &error)),
        Ok(found) if found.is_dir() => {}
        Ok(found) => return Err(not_ours(folder, found.is_symlink())),
    }
    let foreign = |error: io::Error| {
        format!(
            "cannot use {}: {}; it must be a folder of your own, so remove it",
            echo::path(folder),
            nameless(folder, &error)
        )
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(foreign)? {
        let path = entry.map_err(|e| at(folder, "read", &e))?.path();
        match path.symlink_metadata() {
            Ok(found) if found.is_file() => entries.push((path, found.uid(), 0o600)),
            Ok(found) if found.is_dir() => entries.push((path, found.uid(), 0o700)),
            Ok(found) => return Err(not_ours(&path, found.is_symlink())),
            // Another run has taken its temporary file away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&path, "look at", &error)),
        }
    }
    let found = folder
        .symlink_metadata()
        .map_err(|e| at(folder, "look at", &e))?;
    entries.push((folder.to_owned(), found.uid(), 0o700));
    // Nothing is changed before all of it was looked at, and only a file of its own tells whose
    // files this process makes.
    let own = tempfile::Builder::new()
        .prefix(".rolecall-")
        .tempfile_in(folder)
        .and_then(|file| file.as_file().metadata())
        .map_err(foreign)?;
    if let Some((path, uid, _)) = entries.iter().find(|(_, uid, _)| *uid != own.uid()) {
        return Err(format!(
            "{} belongs to another user (uid {uid}), who could read and replace what the embedded \
             platform keeps there; remove it",
            echo::path(path)
        ));
    }
    for (path, _, mode) in entries {
        match fs::set_permissions(&path, fs::Permissions::from_mode(mode)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(at(&path, "make private", &error));
            }
            _ => {}
        }
    }
    let ignore = folder.join(".gitignore");
    write_private(&ignore, b"*\n", WriteMode::Replace).map_err(|e| at(&ignore, "write", &e))
}

/// What stands beside a configuration is written by whoever writes that: a link there would have the
/// platform's files read or written elsewhere.
fn not_ours(path: &Path, link: bool) -> String {
    let what = match link {
        true => "a symbolic link, which the embedded platform does not follow",
        false => "neither a file nor a folder, as the embedded platform has there",
    };
    format!("{} is {what}; remove it", echo::path(path))
}

/// Takes the port of the last time if it is free, so that credentials issued then still lead here.
async fn listen(app: &App) -> Result<(TcpListener, String), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let noted = app.meta_get(PORT).map_err(|e| text(&e))?;
    if let Some(port) = noted.as_deref().and_then(|port| port.parse::<u16>().ok()) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if let Ok(listener) = TcpListener::bind(address).await {
            return Ok((listener, format!("http://{address}")));
        }
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|e| text(&e))?;
    let address = listener.local_addr().map_err(|e| text(&e))?;
    if noted.is_none() {
        app.meta_set(PORT, &address.port().to_string())
            .map_err(|e| text(&e))?;
    }
    Ok((listener, format!("http://{address}")))
}

/// Creates the declared scopes that are missing; gives the owner's credential the first time.
fn prepare(app: &App, desired: &Desired) -> Result<Option<Credential>, rolecall_server::Error> {
    let now = Timestamp::now();
    let mut organizations: Vec<(&str, &str)> = desired
        .organizations
        .iter()
        .map(|(name, organization)| (organization.id.as_str(), name.as_str()))
        .collect();
    for space in desired.spaces.values() {
        if let Some(id) = &space.organization
            && !organizations.iter().any(|(known, _)| *known == id.as_str())
        {
            organizations.push((id.as_str(), id.as_str()));
        }
    }
    if organizations.is_empty() {
        organizations.push(("local-organization", "local"));
    }
    let home = organizations[0].0;
    let spaces: Vec<(&str, &str, &str)> = desired
        .spaces
        .iter()
        .map(|(name, space)| {
            let organization = space.organization.as_ref().map_or(home, |id| id.as_str());
            (space.id.as_str(), name.as_str(), organization)
        })
        .collect();
    app.ensure_scopes(&organizations, &spaces, now)?;
    app.ensure_owner(home, now)
}

/// Writes a credential for its owner alone, in place of one of an earlier database.
///
/// # Errors
/// Why it could not.
pub fn write_credential(path: &Path, credential: &Credential) -> Result<(), Unwritten> {
    let mut text = Zeroizing::new(serde_json::to_vec_pretty(credential).map_err(io::Error::from)?);
    text.push(b'\n');
    write_private(path, &text, WriteMode::Replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        let found = path.symlink_metadata().expect("it is there");
        found.permissions().mode() & 0o7777
    }

    #[test]
    fn a_folder_that_is_there_becomes_private_each_time() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join(FOLDER);
        for open in [0o755, 0o777, 0o2775] {
            make_private(&folder).expect("makes");
            let files = [
                "local.db",
                "local.db-wal",
                "local.db-shm",
                "owner.json",
                "seal.key",
            ];
            for name in files {
                fs::write(folder.join(name), name).expect("writes");
            }
            fs::create_dir_all(folder.join("keys")).expect("makes");
            for ignore in ["!*\n", "", "*\t\n"] {
                for entry in fs::read_dir(&folder).expect("reads") {
                    let path = entry.expect("an entry").path();
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("opens");
                }
                fs::set_permissions(&folder, fs::Permissions::from_mode(open)).expect("opens");
                fs::write(folder.join(".gitignore"), ignore).expect("writes");
                make_private(&folder).expect("closes");
                assert_eq!((mode(&folder), mode(&folder.join("keys"))), (0o700, 0o700));
                for name in files.iter().chain(&[".gitignore"]) {
                    assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
                }
                let written = fs::read_to_string(folder.join(".gitignore")).expect("reads");
                assert_eq!(written, "*\n");
                assert_eq!(
                    fs::read(folder.join("seal.key")).expect("reads"),
                    b"seal.key"
                );
            }
        }
        assert_eq!(
            fs::read_dir(&folder).expect("reads").count(),
            7,
            "nothing is left over"
        );
    }

    #[test]
    fn links_and_what_is_no_file_are_refused_and_not_touched() {
        let root = tempfile::tempdir().expect("a folder");
        let outside = root.path().join("outside");
        fs::write(&outside, "theirs").expect("writes");
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o644)).expect("opens");
        for name in [
            "local.db",
            "owner.json",
            ".gitignore",
            "local.db-wal",
            "anything",
        ] {
            let folder = root.path().join(name);
            fs::create_dir(&folder).expect("makes");
            std::os::unix::fs::symlink(&outside, folder.join(name)).expect("links");
            let error = make_private(&folder).expect_err(name);
            assert!(error.contains("symbolic link"), "{error}");
        }
        let link = root.path().join("link");
        std::os::unix::fs::symlink(root.path(), &link).expect("links");
        assert!(
            make_private(&link)
                .expect_err("a link")
                .contains("symbolic link")
        );
        assert!(
            make_private(&outside)
                .expect_err("a file")
                .contains("neither a file")
        );
        assert_eq!(
            (mode(&outside), fs::read(&outside).expect("reads")),
            (0o644, b"theirs".to_vec())
        );
        let socket = root.path().join("socket");
        fs::create_dir(&socket).expect("makes");
        let _socket = std::os::unix::net::UnixListener::bind(socket.join("local.db"));
        assert!(
            make_private(&socket)
                .expect_err("a socket")
                .contains("neither a file")
        );
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        for (folder, file) in [(true, false), (false, true)] {
            let place = root.path().join(format!("{folder}"));
            fs::create_dir(&place).expect("makes");
            let path = place.join("local.db");
            fs::write(&path, "theirs").expect("writes");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opens");
            let given = if folder { &place } else { &path };
            // Only root can give files away; others have no such file to try with.
            if std::os::unix::fs::chown(given, Some(65_534), None).is_err() {
                return;
            }
            let error = make_private(&place).expect_err("theirs");
            assert!(error.contains("another user (uid 65534)"), "{error}");
            assert!(error.contains(&given.display().to_string()));
            assert!(!file || mode(&path) == 0o644);
        }
    }
}
