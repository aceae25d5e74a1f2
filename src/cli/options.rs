//! What commands share of the command line. Values alone: nothing here reads or prints.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use jiff::SignedDuration;

use crate::config;
use crate::model::{Address, Meant, Nonce, Renewal, StackId};
use crate::view::Look;

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
    /// The configuration of a directory, with no values but those of the environment and of files that
    /// load by themselves.
    pub fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            var: Vec::new(),
            var_file: Vec::new(),
            places: (Vec::new(), Vec::new()),
        }
    }

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

/// In which forms a command answers.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct FormArgs {
    /// The form of standard output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,

    /// Write the JSON document to a file too, whatever the format
    #[arg(long, value_name = "FILE")]
    pub json_out: Option<PathBuf>,
}

/// A form of standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people
    #[default]
    Human,
    /// One JSON document (`rolecall docs plan-json`)
    Json,
    /// Markdown for a comment, of plans and what became of them (`rolecall docs reviewing`)
    Markdown,
}

/// How a plan is shown, and to whom besides who runs it.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct ReviewArgs {
    /// Show each instance of a block by itself, and in full what repeats in every plan
    #[arg(long)]
    pub full: bool,

    /// Write the plan as Markdown to a file too, once it is made: 64,000 bytes at most, as a comment takes them with a heading
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,

    /// Append the plan as Markdown to a file of summaries, as `$GITHUB_STEP_SUMMARY` is one: 1 MiB at most with
    /// what is there
    #[arg(long, value_name = "FILE")]
    pub step_summary: Option<PathBuf>,

    /// Annotate the lines of the configuration that ask for what is grave, as this code host reads it from the
    /// output of a job
    #[arg(long, value_enum, value_name = "HOST")]
    pub annotations: Option<Annotations>,

    /// Write the annotations to a file in place of the output
    #[arg(long, value_name = "FILE", requires = "annotations")]
    pub annotations_file: Option<PathBuf>,

    /// Show in Markdown and annotations also accounts that no stack manages, people, resource names, and where in
    /// a store keys go
    #[arg(long)]
    pub show_all: bool,

    /// Show of a plan what is done in numbers, and its digest, and nothing else: where everybody may read it. The
    /// JSON document still has all
    #[arg(long, conflicts_with_all = ["show_all", "full"])]
    pub counts_only: bool,
}

impl ReviewArgs {
    /// How much who runs it sees.
    pub fn own(&self) -> Look {
        Look {
            full: self.full,
            ..Look::OWN
        }
    }

    /// How much others see.
    pub fn shared(&self) -> Look {
        Look {
            full: self.full,
            all: self.show_all,
        }
    }
}

/// Whose form annotations have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// Workflow commands of GitHub Actions
    Github,
}

/// Which platform, and as whom.
#[derive(Clone, Debug, ClapArgs)]
pub struct PlatformChoice {
    /// Work against the embedded platform in `.rolecall/local.db` beside the configuration: no
    /// account, no server to start
    #[arg(long, conflicts_with_all = ["credentials", "endpoint", "ca_file"])]
    pub local: bool,

    /// A credential file (JSON or YAML). Otherwise MONDOO_CONFIG_BASE64, MONDOO_CONFIG_PATH,
    /// MONDOO_API_TOKEN, ~/.config/mondoo/mondoo.yml, /etc/opt/mondoo/mondoo.yml, in this order
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,

    /// The API's base URL, if it is not the credential's own (or MONDOO_API_ENDPOINT)
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,

    /// Certificates (PEM) to trust besides the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// How long one answer of the platform may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub timeout: u16,

    /// Take accounts without a seal for this stack's if a trusted identity created them, and seal
    /// them: once, when a stack gets its seal_key
    #[arg(long)]
    pub accept_unsealed: bool,
}

impl PlatformChoice {
    /// How long one answer may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }
}

/// Policies from outside of the configuration, and what policies say, for other programs.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct PolicyArgs {
    /// Policies and limits that the configuration cannot loosen: a directory of .hcl files with
    /// `policy` and `limits` blocks (and ROLECALL_POLICY_DIR, beside it)
    #[arg(long, value_name = "DIR")]
    pub policy_dir: Option<PathBuf>,

    /// Write what breaks policies to a file, in SARIF
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,

    /// Write what policies say of every account to a file, as a JUnit report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Programs that sinks of the kind `exec` may run.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct ExecArgs {
    /// Let sinks of the kind `exec` run a program: the name is the one that the configuration uses, the
    /// path is absolute and outside of the configuration (docs/sinks/exec.md)
    #[arg(long, value_name = "NAME=PATH")]
    pub allow_exec: Vec<String>,

    /// Give a variable of the environment to those programs, besides PATH, HOME and LANG
    #[arg(long, value_name = "NAME")]
    pub exec_env: Vec<String>,
}

/// Which scopes are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Scopes {
    /// What is declared, and the scope in which the login lives, for accounts of this configuration
    #[default]
    All,
    /// What is declared, and nothing else
    Declared,
}

/// Where a run is logged.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct LogArgs {
    /// Log the run to a file, a line of JSON for each request and event; `-` is standard error
    /// (and ROLECALL_LOG)
    #[arg(long, global = true, value_name = "FILE", display_order = 903)]
    pub log: Option<PathBuf>,

    /// What is logged: this and what is graver; `info` unless ROLECALL_LOG_LEVEL says otherwise
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "LEVEL",
        display_order = 904
    )]
    pub log_level: Option<Level>,
}

/// How grave something is that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// What ended the run
    Error,
    /// Warnings and refusals too
    Warn,
    /// Each request and each change too
    #[default]
    Info,
    /// What people are told while they watch, too
    Debug,
}

/// What was reviewed before, and is held against what is due.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct ReviewedArgs {
    /// Apply only if what is due is what this plan file says; its author's yes is enough then.
    /// A plan file in the place of DIR approves the configuration of the working directory
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,

    /// Apply only if the plan has this digest: all 64 digits, as `Plan digest:` shows them, with
    /// `sha256:` before them or not. Of any other plan nothing is written, and the exit code is 4
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,

    /// What to do if something moved since the plan file was written
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub stale: WhenStale,
}

/// How a plan is applied: whose yes it has, what is written down, and with how much patience.
#[derive(Clone, Debug, ClapArgs)]
pub struct ApplyingArgs {
    /// Do not ask. Needed where there is no terminal
    #[arg(long, alias = "auto-approve")]
    pub yes: bool,

    /// Lift the objection of a guard for the plan of this digest, as the refusal says
    #[arg(long, value_name = "GUARD=DIGEST")]
    pub ack: Vec<String>,

    /// What was reviewed.
    #[command(flatten)]
    pub reviewed: ReviewedArgs,

    /// Write a record of the run to a new file, however it ends once it has logged in
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// The record of the run before, which the new one is linked to (docs/reliability.md)
    #[arg(long, value_name = "FILE", requires = "record")]
    pub previous: Option<PathBuf>,

    /// How long destinations are asked again that do not allow it yet, are sealed or do not answer, before anything
    /// is made: a right that was given just now takes minutes to count. Otherwise they are asked once
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<SignedDuration>,

    /// How many scopes are worked on at the same time, and how many keys at most are on their way to where
    /// they belong
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallelism: u16,
}

/// What apply does if what is due is not what was reviewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WhenStale {
    /// Write nothing
    #[default]
    Refuse,
    /// Apply what is identical in both, and leave out every account of which anything moved
    Skip,
}

/// What is asked for besides what the configuration says.
#[derive(Debug)]
pub struct Asked<'a> {
    /// New keys.
    pub renewal: Renewal,
    /// Births whose runs are said to be dead.
    pub resume: &'a [Nonce],
}

/// What is meant by a plan, beyond the configuration.
pub fn meant(
    destroy: bool,
    take_over: &[StackId],
    asked: Asked<'_>,
    platform: &PlatformChoice,
) -> Meant {
    Meant {
        destroy,
        take_over: take_over.iter().cloned().collect(),
        accept_unsealed: platform.accept_unsealed,
        renewal: asked.renewal,
        resume: asked.resume.iter().cloned().collect(),
    }
}

/// New keys for these accounts, besides what differs.
pub fn beside(replace: &[Address]) -> Renewal {
    Renewal {
        of: replace.iter().cloned().collect(),
        ..Renewal::default()
    }
}

/// A code host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostName {
    /// GitHub, or an Enterprise Server
    Github,
}

/// Which code host, and as whom.
#[derive(Clone, Debug, ClapArgs)]
pub struct HostArgs {
    /// The code host; in a job of GitHub Actions it is known
    #[arg(long, value_enum, value_name = "HOST")]
    pub host: Option<HostName>,

    /// The repository there, OWNER/NAME (or GITHUB_REPOSITORY)
    #[arg(long, value_name = "REPOSITORY")]
    pub repository: Option<String>,

    /// Certificates (PEM) to trust besides the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// How long one answer of the code host may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub timeout: u16,
}

impl HostArgs {
    /// How long one answer may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }
}

/// What a job hands to the next ones.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct OutputArgs {
    /// Append what was found to a file, a line NAME=VALUE each: "$GITHUB_OUTPUT"
    #[arg(long, value_name = "FILE")]
    pub outputs: Option<PathBuf>,
}

/// Reads an address as it is shown: `service_account.NAME`, or with `["KEY"]`.
///
/// # Errors
/// That it is none.
pub fn address(text: &str) -> Result<Address, String> {
    text.parse()
}

/// Reads a stack as it is shown: `name/id`.
///
/// # Errors
/// What is wrong with it.
pub fn stack(text: &str) -> Result<StackId, String> {
    let (name, id) = text.split_once('/').ok_or("a stack is NAME/ID")?;
    StackId::new(name, id)
}

/// Reads the nonce of a birth, as a plan shows it.
///
/// # Errors
/// What is wrong with it.
pub fn nonce(text: &str) -> Result<Nonce, String> {
    const DIGITS: usize = 32;
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    match text.len() == DIGITS && text.bytes().all(digit) {
        true => Ok(Nonce::from_label(text)),
        false => Err(format!(
            "a birth is named by {DIGITS} hexadecimal digits, as `rolecall plan` shows them"
        )),
    }
}

/// Reads a length of time.
///
/// # Errors
/// How it is written.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    config::duration(text).ok_or_else(|| "write it as in 90d, 24h or 1h30m".to_owned())
}
