//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::commands;

/// Access as code for Mondoo Platform.
#[derive(Debug, Parser)]
#[command(name = "rolecall", version, about, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 error or declined, 2 changes pending \
(plan --detailed-exitcode), 3 refused by a guard or a dispute, 4 stale, 5 applied in part, \
6 unmanaged accounts (plan --strict), 64 wrong usage, 130 interrupted. With 1, 3, 4 and 130 \
nothing was written."
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what differs between the configuration and the platform; write nothing
    Plan(PlanArgs),
    /// Make the platform as the configuration says
    Apply(ApplyArgs),
    /// Check the configuration without talking to anybody
    Validate(ConfigArgs),
    /// Run the embedded platform
    Platform(PlatformArgs),
    /// Write a first project, empty or from what is live
    Init(commands::init::InitArgs),
    /// Say what each of Mondoo's roles lets a program do
    Roles(commands::roles::RolesArgs),
    /// List the live accounts of the configuration's scopes
    List(commands::list::ListArgs),
    /// Show everything about one account
    Show(commands::show::ShowArgs),
    /// Look into a credential, unpack it, try it
    Credential(commands::credential::CredentialArgs),
}

/// Where the configuration is and what its variables are.
#[derive(Clone, Debug, ClapArgs)]
pub struct ConfigArgs {
    /// The directory that holds the configuration
    #[arg(default_value = ".")]
    pub dir: PathBuf,

    /// Set a variable
    #[arg(long, value_name = "NAME=VALUE")]
    pub var: Vec<String>,

    /// Read variables from a file. Later ones win, in the order given among --var
    #[arg(long, value_name = "FILE")]
    pub var_file: Vec<PathBuf>,

    /// The places of --var and --var-file on the command line.
    #[arg(skip)]
    pub places: (Vec<usize>, Vec<usize>),
}

/// A value given on the command line.
pub enum Given {
    /// `--var NAME=VALUE`.
    Value(String),
    /// `--var-file FILE`.
    File(PathBuf),
}

impl ConfigArgs {
    /// The values in the order in which they were given.
    pub fn given(&self) -> Vec<Given> {
        let values = self.var.iter().cloned().map(Given::Value);
        let files = self.var_file.iter().cloned().map(Given::File);
        let mut given: Vec<(usize, Given)> = self
            .places
            .0
            .iter()
            .copied()
            .zip(values)
            .chain(self.places.1.iter().copied().zip(files))
            .collect();
        given.sort_by_key(|(place, _)| *place);
        given.into_iter().map(|(_, given)| given).collect()
    }
}

impl Args {
    /// Reads the command line, and keeps the order of what may be given several times.
    ///
    /// # Errors
    /// What is wrong with it, or the text of `--help` or `--version`.
    pub fn read() -> Result<Self, clap::Error> {
        let mut matches = Self::command().try_get_matches()?;
        let places = |matches: &clap::ArgMatches, name: &str| -> Vec<usize> {
            match matches.try_contains_id(name) {
                Ok(true) => matches.indices_of(name).into_iter().flatten().collect(),
                _ => Vec::new(),
            }
        };
        let order = matches
            .subcommand()
            .map(|(_, sub)| (places(sub, "var"), places(sub, "var_file")))
            .unwrap_or_default();
        let mut args = Self::from_arg_matches_mut(&mut matches)?;
        match &mut args.command {
            Command::Plan(args) => args.config.places = order,
            Command::Apply(args) => args.config.places = order,
            Command::Validate(args) => args.places = order,
            Command::List(args) => args.config.places = order,
            Command::Show(args) => args.config.places = order,
            Command::Platform(_)
            | Command::Init(_)
            | Command::Roles(_)
            | Command::Credential(_) => {}
        }
        Ok(args)
    }
}

/// Which platform, and as whom.
#[derive(Clone, Debug, ClapArgs)]
pub struct PlatformChoice {
    /// Work against the embedded platform in `.rolecall/local.db` beside the configuration: no
    /// account, no server to start
    #[arg(long, conflicts_with_all = ["credentials", "endpoint", "ca_file"])]
    pub local: bool,

    /// A credential file (JSON or YAML). Otherwise MONDOO_CONFIG_BASE64, MONDOO_CONFIG_PATH,
    /// MONDOO_API_TOKEN, ~/.config/mondoo/mondoo.yml, in this order
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,

    /// The API's base URL, if it is not the credential's own (or MONDOO_API_ENDPOINT)
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,

    /// Certificates (PEM) to trust besides the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// `rolecall plan`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall plan --local examples/quickstart\n  \
rolecall plan --detailed-exitcode access/   # exits 2 if anything would change"
)]
pub struct PlanArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// Exit 2 if there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,

    /// Exit 6 if there are accounts that no configuration manages
    #[arg(long)]
    pub strict: bool,

    /// Plan to delete all that this configuration manages
    #[arg(long)]
    pub destroy: bool,
}

/// `rolecall apply`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall apply --local --yes examples/quickstart\n  \
rolecall apply access/                      # shows the plan and asks"
)]
pub struct ApplyArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// Do not ask. Needed where there is no terminal
    #[arg(long, alias = "auto-approve")]
    pub yes: bool,

    /// Delete all that this configuration manages
    #[arg(long)]
    pub destroy: bool,

    /// How many scopes are worked on at the same time
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallelism: u16,
}

/// `rolecall platform`.
#[derive(Debug, ClapArgs)]
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
}

/// `rolecall platform serve`.
#[derive(Debug, ClapArgs)]
pub struct ServeArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8989")]
    pub listen: SocketAddr,

    /// The database file; made if it is missing
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,

    /// What a new database holds (JSON, see fixtures/live)
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,

    /// How the platform behaves where the real one's behaviour is not public (JSON)
    #[arg(long, value_name = "FILE")]
    pub quirks: Option<PathBuf>,
}
