//! The command line.

use crate::model::{Meant, StackId};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::platform_args::PlatformCommand;
use super::{exit, terraform, withheld};

use super::commands;

/// Access as code for Mondoo Platform.
#[derive(Debug, Parser)]
#[command(name = "rolecall", version, about, max_term_width = 100)]
#[command(after_help = format!(
    "Examples:\n  rolecall init access/                  # writes a first project\n  \
rolecall plan --local access/          # against the embedded platform, no account needed\n  \
rolecall docs language                 # what a configuration may hold\n\n{}\n\n\
Terraform's spellings (-var, -var-file, -auto-approve, -detailed-exitcode, -destroy, -json, \
-parallelism=N, -chdir=DIR, -no-color, -input=false, -lock=false) are understood.",
    exit::help()
))]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Work as if started in this directory: all paths are relative to it
    #[arg(long, global = true, value_name = "DIR", display_order = 900)]
    pub chdir: Option<PathBuf>,

    /// Print no colours, as with NO_COLOR
    #[arg(long, global = true, display_order = 901)]
    pub no_color: bool,

    /// Ask nothing: apply without --yes ends as it does where nobody can be asked
    #[arg(long, global = true, display_order = 902)]
    pub no_input: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first project, empty or from what is live
    Init(commands::init::InitArgs),
    /// Check the configuration without talking to anybody
    Validate(ValidateArgs),
    /// Show what differs between the configuration and the platform; write nothing
    Plan(PlanArgs),
    /// Report drift and who caused it, and unmanaged, unused and expiring accounts
    Check(commands::check::CheckArgs),
    /// Make the platform as the configuration says
    Apply(ApplyArgs),
    /// Check that records of applies are one whole chain
    Verify(commands::verify::VerifyArgs),
    /// List the live accounts of the configuration's scopes
    List(commands::list::ListArgs),
    /// Show everything about one account, or the plan in a file
    Show(commands::show::ShowArgs),
    /// Say what each of Mondoo's roles lets a program do
    Roles(commands::roles::RolesArgs),
    /// Make a seal key, say which one is in use, let it hand over to a new one
    Seal(commands::seal::SealArgs),
    /// Look into a credential, unpack it, try it
    Credential(commands::credential::CredentialArgs),
    /// Run the embedded platform, make up or write down what it holds
    Platform(PlatformArgs),
    /// Print a page of the documentation
    Docs(commands::docs::DocsArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
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
}

impl Command {
    /// The command's name, and in which forms it answers if it has several.
    pub fn form(&self) -> (&'static str, FormArgs) {
        match self {
            Self::Plan(args) => ("plan", args.form.clone()),
            Self::Apply(args) => ("apply", args.form.clone()),
            Self::Check(args) => ("check", args.form.clone()),
            Self::Validate(args) => ("validate", args.form.clone()),
            Self::Platform(_) => ("platform", FormArgs::default()),
            Self::Completions(_) => ("completions", FormArgs::default()),
            Self::Man(_) => ("man", FormArgs::default()),
            Self::Init(_) => ("init", FormArgs::default()),
            Self::Roles(_) => ("roles", FormArgs::default()),
            Self::List(_) => ("list", FormArgs::default()),
            Self::Verify(_) => ("verify", FormArgs::default()),
            Self::Show(args) => ("show", args.form.clone()),
            Self::Seal(_) => ("seal", FormArgs::default()),
            Self::Credential(_) => ("credential", FormArgs::default()),
            Self::Docs(_) => ("docs", FormArgs::default()),
        }
    }
}

impl Args {
    /// Reads the command line, and keeps the order of what may be given several times.
    ///
    /// # Errors
    /// What is wrong with it, or the text of `--help` or `--version`.
    pub fn read(given: Vec<OsString>) -> Result<Self, clap::Error> {
        let command = Self::command();
        // Before anything can repeat it.
        withheld::refuse_credentials(&given, &terraform::options_with_values(&command))?;
        let given = terraform::understand(given, &command)?;
        let mut matches = Self::command()
            .try_get_matches_from(&given)
            .map_err(|error| withheld::harmless(terraform::explain(error, &given, &command)))?;
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
        let mut args = Self::from_arg_matches_mut(&mut matches).map_err(withheld::harmless)?;
        match &mut args.command {
            Command::Plan(args) => args.config.places = order,
            Command::Check(args) => args.config.places = order,
            Command::Apply(args) => args.config.places = order,
            Command::Validate(args) => args.config.places = order,
            Command::List(args) => args.config.places = order,
            Command::Show(args) => args.config.places = order,
            Command::Platform(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Init(_)
            | Command::Roles(_)
            | Command::Verify(_)
            | Command::Seal(_)
            | Command::Credential(_)
            | Command::Docs(_) => {}
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

/// Which scopes are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Scopes {
    /// What is declared, and the scope in which the login lives, for accounts of this configuration
    #[default]
    All,
    /// What is declared, and nothing else
    Declared,
}

/// `rolecall plan`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall plan --local examples/quickstart\n  \
rolecall plan --detailed-exitcode access/   # exits 2 if anything would change\n  \
rolecall plan --out plan.json access/       # for review; then: apply --plan plan.json access/"
)]
pub struct PlanArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// The policies.
    #[command(flatten)]
    pub policies: PolicyArgs,

    /// The forms of the answer.
    #[command(flatten)]
    pub form: FormArgs,

    /// Which scopes are read: besides the declared ones the login's own is, with all its spaces, for
    /// accounts that this configuration has lost sight of
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub scopes: Scopes,

    /// Exit 2 if there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,

    /// Exit 6 if there are accounts that no configuration manages, or some of this one that have expired
    #[arg(long)]
    pub strict: bool,

    /// Plan to delete all that this configuration manages
    #[arg(long)]
    pub destroy: bool,

    /// Let `import` blocks take accounts of this other stack (NAME/ID), whose configuration is gone
    #[arg(long, value_name = "STACK", value_parser = stack)]
    pub take_over: Vec<StackId>,

    /// Write the plan to a file that `apply --plan FILE` holds what is due then against
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `rolecall apply`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall apply --local --yes examples/quickstart\n  \
rolecall apply access/                      # shows the plan and asks\n  \
rolecall apply --plan plan.json access/     # what was judged, or nothing\n  \
rolecall apply --yes --report records/0002.json --previous records/0001.json access/\n\n\
ROLECALL_SEAL_KEY (or the file that ROLECALL_SEAL_KEY_FILE names) is the key that seals the marks on\n\
accounts (`rolecall docs reliability`)."
)]
pub struct ApplyArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// The policies.
    #[command(flatten)]
    pub policies: PolicyArgs,

    /// The forms of the answer.
    #[command(flatten)]
    pub form: FormArgs,

    /// Which scopes are read: besides the declared ones the login's own is, with all its spaces, for
    /// accounts that this configuration has lost sight of
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub scopes: Scopes,

    /// Do not ask. Needed where there is no terminal
    #[arg(long, alias = "auto-approve")]
    pub yes: bool,

    /// Delete all that this configuration manages
    #[arg(long)]
    pub destroy: bool,

    /// Let `import` blocks take accounts of this other stack (NAME/ID), whose configuration is gone
    #[arg(long, value_name = "STACK", value_parser = stack)]
    pub take_over: Vec<StackId>,

    /// Lift the objection of a guard for the plan of this digest, as the refusal says
    #[arg(long, value_name = "GUARD=DIGEST")]
    pub ack: Vec<String>,

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

    /// Write a record of the run to a new file, however it ends once it has logged in
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// The record of the run before, which the new one is linked to (docs/reliability.md)
    #[arg(long, value_name = "FILE", requires = "report")]
    pub previous: Option<PathBuf>,

    /// How many scopes are worked on at the same time
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallelism: u16,
}

impl PlanArgs {
    /// What is meant by the plan, beyond the configuration.
    pub fn meant(&self) -> Meant {
        Meant {
            destroy: self.destroy,
            take_over: self.take_over.iter().cloned().collect(),
            accept_unsealed: self.platform.accept_unsealed,
        }
    }
}

impl ApplyArgs {
    /// What is meant by the plan, beyond the configuration.
    pub fn meant(&self) -> Meant {
        Meant {
            destroy: self.destroy,
            take_over: self.take_over.iter().cloned().collect(),
            accept_unsealed: self.platform.accept_unsealed,
        }
    }
}

/// What apply does if what is due is not what was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WhenStale {
    /// Write nothing
    #[default]
    Refuse,
    /// Apply what is identical in both, and leave out every account of which anything moved
    Skip,
}

/// `rolecall validate`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  rolecall validate access/\n  \
rolecall validate --format json access/ | jq .diagnostics")]
pub struct ValidateArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The forms of the answer.
    #[command(flatten)]
    pub form: FormArgs,
}

/// `rolecall completions`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  source <(rolecall completions bash)\n  \
rolecall completions zsh > ~/.zfunc/_rolecall\n  \
rolecall completions fish > ~/.config/fish/completions/rolecall.fish\n  \
rolecall completions powershell | Out-String | Invoke-Expression")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `rolecall man`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall man --out ~/.local/share/man/man1\n  \
rolecall man --out man && man man/rolecall-plan.1"
)]
pub struct ManArgs {
    /// The folder for the pages; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `rolecall platform`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  rolecall platform serve --db platform.db")]
pub struct PlatformArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: PlatformCommand,
}

/// Reads a stack as it is shown: `name/id`.
fn stack(text: &str) -> Result<StackId, String> {
    let (name, id) = text.split_once('/').ok_or("a stack is NAME/ID")?;
    StackId::new(name, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(command: &clap::Command, path: &str, all: &mut Vec<(String, String)>) {
        let help = command.get_after_help().map(ToString::to_string);
        all.push((path.to_owned(), help.unwrap_or_default()));
        for sub in command.get_subcommands() {
            visit(sub, &format!("{path} {}", sub.get_name()), all);
        }
    }

    #[test]
    fn the_help_of_digest_says_what_is_true() {
        let command = Args::command();
        let apply = command.find_subcommand("apply").expect("there");
        let mut arguments = apply.get_arguments();
        let digest = arguments.find(|a| a.get_id() == "digest").expect("there");
        let help = digest
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(help.contains("all 64 digits"), "{help}");
        assert!(
            help.contains(&format!("exit code is {}", exit::Exit::Stale.code())),
            "{help}"
        );
        assert!(!help.contains("12"), "{help}");
        let whole = "0123456789abcdef".repeat(4);
        for (text, good) in [
            (whole.clone(), true),
            (format!("sha256:{whole}"), true),
            (whole[..12].to_owned(), false),
            (whole[..63].to_owned(), false),
        ] {
            assert_eq!(crate::policy::digest(&text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn the_help_of_every_command_has_an_example_that_is_understood() {
        Args::command().debug_assert();
        let mut all = Vec::new();
        visit(&Args::command(), "rolecall", &mut all);
        assert!(all.len() >= 6);
        for (path, help) in all {
            assert!(help.contains("Example"), "{path} --help has no example");
            let mut examples = 0;
            for line in help
                .lines()
                .filter_map(|l| l.trim().strip_prefix("rolecall "))
            {
                let words = line.split(['|', '>', '#', '&']).next().unwrap_or_default();
                let given = std::iter::once("rolecall").chain(words.split_whitespace());
                let read = Args::read(given.map(OsString::from).collect());
                assert!(read.is_ok(), "{path}: {line}: {:?}", read.err());
                examples += 1;
            }
            assert!(examples > 0, "{path}");
        }
    }
}
