//! `--local`: the embedded platform in this process, over a real socket on the loopback, with its
//! data in `.rolecall/` beside the configuration.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::echo;
use crate::model::Desired;
use crate::platform::{Environment, Login, Wanted, discover};
use crate::server::{App, Credential, Options, Quirks, Running, Storage};

use super::output;
use super::private_file::{Place, Unwritten, write_private};

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
                output::nameless(path, error)
            )
        };
        no_links(&folder)?;
        if !folder.is_dir() {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(&folder)
                .map_err(|e| at(&folder, "create", &e))?;
        }
        let ignore = folder.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(|e| at(&ignore, "write", &e))?;
        }
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

/// What stands beside a configuration is written by whoever writes that: a link there would have the
/// platform's files read or written elsewhere.
fn no_links(folder: &Path) -> Result<(), String> {
    let files = [
        "local.db",
        // What SQLite keeps beside it.
        "local.db-wal",
        "local.db-shm",
        "local.db-journal",
        "owner.json",
        "seal.key",
        ".gitignore",
    ];
    let files = files.map(|name| folder.join(name));
    match [folder.to_owned()]
        .iter()
        .chain(&files)
        .find(|path| path.is_symlink())
    {
        None => Ok(()),
        Some(link) => Err(format!(
            "{} is a symbolic link, which the embedded platform does not follow; remove it",
            echo::path(link)
        )),
    }
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
fn prepare(app: &App, desired: &Desired) -> Result<Option<Credential>, crate::server::Error> {
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
    write_private(path, &text, Place::Replace)
}
