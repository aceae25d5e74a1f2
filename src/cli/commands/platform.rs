//! `rolecall platform`: serve the embedded platform, fill it, write down what it holds.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::reporter::Reporter;

/// `rolecall platform`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  rolecall platform serve --db platform.db")]
pub struct PlatformArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: PlatformCommand,
}

/// What to do with the embedded platform.
#[derive(Debug, Subcommand)]
pub enum PlatformCommand {
    /// Serve the access-management part of Mondoo's GraphQL API until interrupted
    Serve(ServeArgs),
    /// Make up organizations, spaces and accounts, the same for the same numbers
    Seed(SeedArgs),
    /// Write what a database holds as a seed, without keys and tokens
    Dump(DumpArgs),
}

/// `rolecall platform serve`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall platform serve --db platform.db\n  \
rolecall platform serve --db platform.db --seed fixtures/live/acme.json --listen 127.0.0.1:0\n  \
rolecall platform serve --db platform.db --faults faults.json --fault-seed 7 --rate-limit 20/s"
)]
pub struct ServeArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8989")]
    pub listen: SocketAddr,

    /// The database file; made if it is missing
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,

    /// What a new database holds (JSON, see `rolecall docs platform`)
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,

    /// How the platform behaves where the real one's behaviour is not public (JSON)
    #[arg(long, value_name = "FILE")]
    pub quirks: Option<PathBuf>,

    /// What goes wrong, and when (JSON, see `rolecall docs platform`)
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,

    /// What the chance of faults follows from
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub fault_seed: u64,

    /// How much later every answer begins
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency: u64,

    /// The most requests in a second; more are answered with 429
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub rate_limit: Option<u32>,

    /// Let issuers of workload identities lie on this machine or in its network: whoever may bind
    /// one can then have this process ask there
    #[arg(long)]
    pub allow_local_issuers: bool,

    /// The largest page, instead of the quirk's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub page_cap: Option<u32>,

    /// The most root fields in a request, instead of the quirk's
    #[arg(long, value_name = "N")]
    pub root_fields_max: Option<usize>,
}

fn rate(text: &str) -> Result<u32, String> {
    text.strip_suffix("/s")
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|rate| *rate > 0)
        .ok_or_else(|| "expected a number of requests in a second, such as 20/s".to_owned())
}

/// `rolecall platform seed`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall platform seed --generate 2x10x5 > seed.json\n  \
rolecall platform seed --generate 1x1000x100 --seed 7 --db platform.db"
)]
pub struct SeedArgs {
    /// Organizations, spaces in each, accounts in each space
    #[arg(long, value_name = "ORGSxSPACESxACCOUNTS", value_parser = size)]
    pub generate: Size,

    /// What names, ages and roles follow from
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Fill this database instead of writing the seed
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
}

/// How much to make up.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "server"),
    expect(dead_code, reason = "without the platform there is nothing to fill")
)]
pub struct Size {
    /// Organizations.
    pub organizations: u32,
    /// Spaces in each organization.
    pub spaces: u32,
    /// Accounts in each space.
    pub accounts: u32,
}

fn size(text: &str) -> Result<Size, String> {
    let numbers: Option<Vec<u32>> = text.split('x').map(|n| n.parse().ok()).collect();
    match numbers.as_deref() {
        Some([organizations, spaces, accounts]) if *organizations > 0 => Ok(Size {
            organizations: *organizations,
            spaces: *spaces,
            accounts: *accounts,
        }),
        _ => Err("expected three numbers, the first of them positive, such as 2x10x5".to_owned()),
    }
}

/// `rolecall platform dump`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  rolecall platform dump --db platform.db > seed.json")]
pub struct DumpArgs {
    /// The database file
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
}

impl Invocation for PlatformArgs {
    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

#[cfg(not(feature = "server"))]
async fn run(_: PlatformArgs, _: &Reporter) -> Result<Exit, Failure> {
    Err(Failure::error(
        "this rolecall was built without the embedded platform",
    ))
}

#[cfg(feature = "server")]
async fn run(args: PlatformArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let done = match args.command {
        PlatformCommand::Serve(args) => serve::run(&args, reporter).await,
        PlatformCommand::Seed(args) => seeds::seed(&args, reporter),
        PlatformCommand::Dump(args) => seeds::dump(&args, reporter),
    };
    done.map(|()| Exit::Done).map_err(Failure::error)
}

#[cfg(feature = "server")]
mod seeds {
    use jiff::Timestamp;

    use super::{DumpArgs, SeedArgs};
    use crate::cli::paths::nameless;
    use crate::cli::reporter::Reporter;
    use crate::echo;
    use rolecall_server::{App, Options, Seed, Storage};

    /// Makes up a seed, and writes it or fills a database with it.
    pub fn seed(args: &SeedArgs, reporter: &Reporter) -> Result<(), String> {
        let size = args.generate;
        let seed = Seed::generate(size.organizations, size.spaces, size.accounts, args.seed);
        let Some(db) = &args.db else {
            return write(&seed, reporter);
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
    pub fn dump(args: &DumpArgs, reporter: &Reporter) -> Result<(), String> {
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
        write(&app.dump_seed().map_err(|e| at("read", e))?, reporter)
    }

    fn write(seed: &Seed, reporter: &Reporter) -> Result<(), String> {
        let mut text = serde_json::to_string_pretty(seed)
            .map_err(|error| format!("cannot write the seed: {error}"))?;
        text.push('\n');
        reporter.data(&text);
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

    use super::ServeArgs;
    use crate::cli::local::write_credential;
    use crate::cli::paths::nameless;
    use crate::cli::reporter::Reporter;
    use crate::echo;
    use rolecall_server::{
        App, Conduct, Faults, Hanging, Options, Patience, Quirks, Running, Seed, Storage,
    };

    /// Serves until SIGINT or SIGTERM.
    pub async fn run(args: &ServeArgs, reporter: &Reporter) -> Result<(), String> {
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
        let (told, mut hanging) = tokio::sync::mpsc::unbounded_channel();
        let conduct = Conduct {
            faults,
            seed: args.fault_seed,
            latency_ms: args.latency,
            rate_limit: args.rate_limit,
            patience: Patience::default(),
            hanging: Some(told),
        };
        let clock = Arc::new(Timestamp::now);
        let running = Running::start_with(Arc::new(app), listener, clock, conduct)
            .map_err(|e| format!("cannot serve: {e}"))?;
        if !address.ip().is_loopback() {
            reporter
                .warn("the embedded platform speaks plain http and listens beyond this machine");
        }
        reporter.result(&format!(
            "The embedded platform, not Mondoo, listens at {url}\n\
             Database          {}\n\
             Owner credential  {} (readable by you alone)\n",
            crate::view::inert(&echo::path(&args.db).to_string()),
            crate::view::inert(&echo::path(&credential).to_string()),
        ));
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                Some(call) = hanging.recv() => reporter.result(&hangs(&call)),
            }
        }
        running
            .shutdown()
            .await
            .map_err(|e| format!("cannot stop: {e}"))
    }

    /// A line about a call that hangs, for who waits for it.
    fn hangs(call: &Hanging) -> String {
        let Hanging {
            operations,
            writes: _,
            done,
        } = call;
        let done = match done {
            true => "done, and not answered",
            false => "not done",
        };
        let asked = crate::view::inert(&operations.join(", "));
        format!("Hangs             {asked} ({done})\n")
    }

    /// Where the first credential of a database is written: beside it.
    fn owner_file(db: &Path) -> PathBuf {
        let mut name = db.as_os_str().to_owned();
        name.push(".owner.json");
        PathBuf::from(name)
    }
}
