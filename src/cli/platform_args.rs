//! The arguments of `rolecall platform`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

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
