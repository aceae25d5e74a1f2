//! `rolecall platform serve`: the embedded platform until interrupted.

use crate::cli::args::PlatformArgs;
use crate::cli::exit::Exit;
use crate::cli::output;

/// Runs the command.
#[cfg(not(feature = "server"))]
pub async fn run(_: PlatformArgs) -> Exit {
    output::error("this rolecall was built without the embedded platform", &[]);
    Exit::Error
}

/// Runs the command.
#[cfg(feature = "server")]
pub async fn run(args: PlatformArgs) -> Exit {
    let crate::cli::args::PlatformCommand::Serve(args) = args.command;
    match serve::run(&args).await {
        Ok(()) => Exit::Done,
        Err(message) => {
            output::error(&message, &[]);
            Exit::Error
        }
    }
}

#[cfg(feature = "server")]
mod serve {
    use std::fmt::Display;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use jiff::Timestamp;
    use tokio::net::TcpListener;
    use tokio::signal::unix::{SignalKind, signal};

    use crate::cli::args::ServeArgs;
    use crate::cli::local::write_credential;
    use crate::cli::output;
    use crate::server::{App, Options, Quirks, Running, Seed, Storage};

    /// Serves until SIGINT or SIGTERM.
    pub async fn run(args: &ServeArgs) -> Result<(), String> {
        let at = |path: &Path, what: &str, error: &dyn Display| {
            format!("cannot {what} {}: {error}", path.display())
        };
        let quirks = match &args.quirks {
            None => Quirks::default(),
            Some(path) => {
                let text = std::fs::read(path).map_err(|e| at(path, "read", &e))?;
                serde_json::from_slice(&text).map_err(|e| at(path, "understand", &e))?
            }
        };
        let seed = match &args.seed {
            None => None,
            Some(path) => {
                let text = std::fs::read(path).map_err(|e| at(path, "read", &e))?;
                Some(Seed::from_json(&text).map_err(|e| at(path, "understand", &e))?)
            }
        };
        let listener = TcpListener::bind(args.listen)
            .await
            .map_err(|e| format!("cannot listen on {}: {e}", args.listen))?;
        let address = listener
            .local_addr()
            .map_err(|e| format!("cannot listen on {}: {e}", args.listen))?;
        let url = format!("http://{address}");
        let options = Options {
            base_url: url.clone(),
            quirks,
        };
        let app =
            App::open(Storage::File(&args.db), options).map_err(|e| at(&args.db, "open", &e))?;
        let now = Timestamp::now();
        let first = match &seed {
            Some(seed) => {
                match app.seed(seed, now) {
                    // Started again on the same database: what is there stays.
                    Ok(()) | Err(crate::server::Error::AlreadySeeded) => {}
                    Err(error) => return Err(at(&args.db, "seed", &error)),
                }
                seed.organizations
                    .first()
                    .map(|organization| organization.id.clone())
            }
            None => None,
        };
        let first = match first {
            Some(first) => first,
            None => {
                let id = "local-organization".to_owned();
                app.ensure_scopes(&[(&id, "local")], &[], now)
                    .map_err(|e| at(&args.db, "prepare", &e))?;
                id
            }
        };
        let credential = owner_file(&args.db);
        let owner = app
            .ensure_owner(&first, now)
            .map_err(|e| at(&args.db, "prepare", &e))?;
        if let Some(owner) = owner {
            write_credential(&credential, &owner).map_err(|e| at(&credential, "write", &e))?;
        }
        if !credential.exists() {
            return Err(format!(
                "{} is missing, and the platform hands it out once; remove {} to start afresh",
                credential.display(),
                args.db.display()
            ));
        }
        // Before the first line is out, so that nobody signals into the void.
        let mut interrupt =
            signal(SignalKind::interrupt()).map_err(|e| format!("cannot listen: {e}"))?;
        let mut terminate =
            signal(SignalKind::terminate()).map_err(|e| format!("cannot listen: {e}"))?;
        let running = Running::start_on(Arc::new(app), listener, Arc::new(Timestamp::now))
            .map_err(|e| format!("cannot serve: {e}"))?;
        if !address.ip().is_loopback() {
            output::warning(
                "the embedded platform speaks plain http and listens beyond this machine",
            );
        }
        output::print(&format!(
            "The embedded platform, not Mondoo, listens at {url}\n\
             Database          {}\n\
             Owner credential  {} (readable by you alone)\n",
            crate::view::inert(&args.db.display().to_string()),
            crate::view::inert(&credential.display().to_string()),
        ));
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        running
            .shutdown()
            .await
            .map_err(|e| format!("cannot stop: {e}"))
    }

    /// Where the first credential of a database is written: beside it.
    fn owner_file(db: &Path) -> PathBuf {
        let mut name = db.as_os_str().to_owned();
        name.push(".owner.json");
        PathBuf::from(name)
    }
}
