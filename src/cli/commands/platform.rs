//! `rolecall platform`: serve the embedded platform, fill it, write down what it holds.

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
    use crate::cli::platform_args::PlatformCommand;
    let done = match args.command {
        PlatformCommand::Serve(args) => serve::run(&args).await,
        PlatformCommand::Seed(args) => seeds::seed(&args),
        PlatformCommand::Dump(args) => seeds::dump(&args),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(message) => {
            output::error(&message, &[]);
            Exit::Error
        }
    }
}

#[cfg(feature = "server")]
mod seeds {
    use jiff::Timestamp;

    use crate::cli::output::{self, nameless};
    use crate::cli::platform_args::{DumpArgs, SeedArgs};
    use crate::echo;
    use rolecall_server::{App, Options, Seed, Storage};

    /// Makes up a seed, and writes it or fills a database with it.
    pub fn seed(args: &SeedArgs) -> Result<(), String> {
        let size = args.generate;
        let seed = Seed::generate(size.organizations, size.spaces, size.accounts, args.seed);
        let Some(db) = &args.db else {
            return write(&seed);
        };
        let at = |what: &str, error: rolecall_server::Error| {
            format!(
                "cannot {what} {}: {}",
                echo::path(db).given("--db"),
                nameless(db, &error)
            )
        };
        let app = App::open(Storage::File(db), Options::default()).map_err(|e| at("open", e))?;
        app.seed(&seed, Timestamp::now()).map_err(|e| at("seed", e))
    }

    /// Writes what a database holds.
    pub fn dump(args: &DumpArgs) -> Result<(), String> {
        let db = &args.db;
        // Opening would make it.
        if !db.is_file() {
            return Err(format!(
                "cannot open {}: no such database",
                echo::path(db).given("--db")
            ));
        }
        let at = |what: &str, error: rolecall_server::Error| {
            format!(
                "cannot {what} {}: {}",
                echo::path(db).given("--db"),
                nameless(db, &error)
            )
        };
        let app = App::open(Storage::File(db), Options::default()).map_err(|e| at("open", e))?;
        write(&app.dump_seed().map_err(|e| at("read", e))?)
    }

    fn write(seed: &Seed) -> Result<(), String> {
        let mut text = serde_json::to_string_pretty(seed)
            .map_err(|error| format!("cannot write the seed: {error}"))?;
        text.push('\n');
        output::raw(&text);
        Ok(())
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

    use crate::cli::local::write_credential;
    use crate::cli::output::{self, nameless};
    use crate::cli::platform_args::ServeArgs;
    use crate::echo;
    use rolecall_server::{
        App, Conduct, Faults, Options, Patience, Quirks, Running, Seed, Storage,
    };

    /// Serves until SIGINT or SIGTERM.
    pub async fn run(args: &ServeArgs) -> Result<(), String> {
        let at = |path: &Path, what: &str, error: &dyn Display| {
            format!(
                "cannot {what} {}: {}",
                echo::path(path),
                nameless(path, error)
            )
        };
        let now = Timestamp::now();
        let mut quirks: Quirks = match &args.quirks {
            None => Quirks::default(),
            Some(path) => {
                let text = std::fs::read(path).map_err(|e| at(path, "read", &e))?;
                serde_json::from_slice(&text).map_err(|e| at(path, "understand", &e))?
            }
        };
        if let Some(cap) = args.page_cap {
            quirks.page_cap = cap;
        }
        if args.root_fields_max.is_some() {
            quirks.root_fields_max = args.root_fields_max;
        }
        let faults = match &args.faults {
            None => Faults::default(),
            Some(path) => {
                let text = std::fs::read(path).map_err(|e| at(path, "read", &e))?;
                Faults::from_json(&text).map_err(|e| at(path, "understand", &e))?
            }
        };
        let seed = match &args.seed {
            None => None,
            Some(path) => {
                let text = std::fs::read(path).map_err(|e| at(path, "read", &e))?;
                Some(Seed::from_json_at(&text, now).map_err(|e| at(path, "understand", &e))?)
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
        if args.allow_local_issuers {
            app.allow_local_issuers();
        }
        let first = match &seed {
            Some(seed) => {
                match app.seed(seed, now) {
                    // Started again on the same database: what is there stays.
                    Ok(()) | Err(rolecall_server::Error::AlreadySeeded) => {}
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
        let unknown = app
            .unknown_closed_spaces()
            .map_err(|e| at(&args.db, "read", &e))?;
        if let Some(id) = unknown.first() {
            return Err(format!(
                "closed_spaces of the quirks names {id:?}, which is no space of this platform; \
                 take it out, or seed that space"
            ));
        }
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
                echo::path(&credential),
                echo::path(&args.db)
            ));
        }
        // Before the first line is out, so that nobody signals into the void.
        let mut interrupt =
            signal(SignalKind::interrupt()).map_err(|e| format!("cannot listen: {e}"))?;
        let mut terminate =
            signal(SignalKind::terminate()).map_err(|e| format!("cannot listen: {e}"))?;
        let conduct = Conduct {
            faults,
            seed: args.fault_seed,
            latency_ms: args.latency,
            rate_limit: args.rate_limit,
            patience: Patience::default(),
        };
        let clock = Arc::new(Timestamp::now);
        let running = Running::start_with(Arc::new(app), listener, clock, conduct)
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
            crate::view::inert(&echo::path(&args.db).to_string()),
            crate::view::inert(&echo::path(&credential).to_string()),
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
