//! The command line, and the one table of commands.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::invocation::Invocation;
use super::options::{FormArgs, Format, LogArgs};
use super::{commands, exit, terraform, withheld};

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
struct Args {
    /// What to do.
    #[command(subcommand)]
    command: Command,

    /// Work as if started in this directory: all paths are relative to it
    #[arg(long, global = true, value_name = "DIR", display_order = 900)]
    chdir: Option<PathBuf>,

    /// Print no colours, as with NO_COLOR
    #[arg(long, global = true, display_order = 901)]
    no_color: bool,

    /// Ask nothing: apply without --yes ends as it does where nobody can be asked
    #[arg(long, global = true, display_order = 902)]
    no_input: bool,

    /// The log.
    #[command(flatten)]
    log: LogArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first project, empty or from what is live
    Init(commands::init::InitArgs),
    /// Check the configuration without talking to anybody
    Validate(commands::validate::ValidateArgs),
    /// Show what differs between the configuration and the platform; write nothing
    Plan(commands::plan::PlanArgs),
    /// Report drift and who caused it, and unmanaged, unused and expiring accounts
    Check(commands::check::CheckArgs),
    /// Make the platform as the configuration says
    Apply(commands::apply::ApplyArgs),
    /// List the configurations of a repository, those of two checkouts together
    Configurations(commands::configurations::ConfigurationsArgs),
    /// Write down which plan was made of which pull request, as evidence
    Verdict(commands::verdict::VerdictArgs),
    /// Put a plan into the one comment of its stack on a pull request
    Comment(commands::comment::CommentArgs),
    /// Say whether every configuration of a pull request was judged
    Gate(commands::gate::GateArgs),
    /// Find out whether what was merged was approved as it was planned
    Approved(commands::approved::ApprovedArgs),
    /// Give accounts new keys, and end former ones
    Rotate(commands::rotate::RotateArgs),
    /// Take the power of an account back whose key leaked, at once
    Revoke(commands::revoke::RevokeArgs),
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
    Platform(commands::platform::PlatformArgs),
    /// Print a page of the documentation
    Docs(commands::docs::DocsArgs),
    /// Print the completions of a shell
    Completions(commands::completions::CompletionsArgs),
    /// Write the manual pages
    Man(commands::man::ManArgs),
}

impl Command {
    /// The command with its arguments: the one table of what runs.
    fn invocation(self) -> Box<dyn Invocation> {
        match self {
            Self::Init(args) => Box::new(args),
            Self::Validate(args) => Box::new(args),
            Self::Plan(args) => Box::new(args),
            Self::Check(args) => Box::new(args),
            Self::Apply(args) => Box::new(args),
            Self::Configurations(args) => Box::new(args),
            Self::Verdict(args) => Box::new(args),
            Self::Comment(args) => Box::new(args),
            Self::Gate(args) => Box::new(args),
            Self::Approved(args) => Box::new(args),
            Self::Rotate(args) => Box::new(args.sorted_out()),
            Self::Revoke(args) => Box::new(args),
            Self::Verify(args) => Box::new(args),
            Self::List(args) => Box::new(args),
            Self::Show(args) => Box::new(args),
            Self::Roles(args) => Box::new(args),
            Self::Seal(args) => Box::new(args),
            Self::Credential(args) => Box::new(args),
            Self::Platform(args) => Box::new(args),
            Self::Docs(args) => Box::new(args),
            Self::Completions(args) => Box::new(args),
            Self::Man(args) => Box::new(args),
        }
    }
}

/// A command line that was understood.
#[derive(Debug)]
pub struct Line {
    /// The command's name.
    pub name: String,
    /// The command with its arguments.
    pub invocation: Box<dyn Invocation>,
    /// Where to work.
    pub chdir: Option<PathBuf>,
    /// Whether nobody is to be asked.
    pub no_input: bool,
    /// Where the run is logged.
    pub log: LogArgs,
}

/// The command line as clap knows it.
pub fn grammar() -> clap::Command {
    Args::command()
}

/// Reads the command line, and keeps the order of what may be given several times.
///
/// # Errors
/// What is wrong with it, or the text of `--help` or `--version`.
pub fn read(given: Vec<OsString>) -> Result<Line, clap::Error> {
    let command = grammar();
    // Before anything can repeat it.
    withheld::refuse_credentials(&given, &terraform::options_with_values(&command))?;
    let given = terraform::understand(given, &command)?;
    let mut matches = grammar()
        .try_get_matches_from(&given)
        .map_err(|error| withheld::harmless(terraform::explain(error, &given, &command)))?;
    let places = |matches: &clap::ArgMatches, name: &str| -> Vec<usize> {
        match matches.try_contains_id(name) {
            Ok(true) => matches.indices_of(name).into_iter().flatten().collect(),
            _ => Vec::new(),
        }
    };
    let (name, order) = matches
        .subcommand()
        .map(|(name, sub)| {
            let order = (places(sub, "var"), places(sub, "var_file"));
            (name.to_owned(), order)
        })
        .unwrap_or_default();
    let Args {
        command,
        chdir,
        // What is asked for is done before the rest is understood.
        no_color: _,
        no_input,
        log,
    } = Args::from_arg_matches_mut(&mut matches).map_err(withheld::harmless)?;
    let mut invocation = command.invocation();
    if let Some(config) = invocation.values() {
        config.places = order;
    }
    Ok(Line {
        name,
        invocation,
        chdir,
        no_input,
        log,
    })
}

/// In which form an answer to a command line is wanted that was not understood, as far as it was.
pub fn form_of_wrong(given: &[OsString]) -> FormArgs {
    let follows = |a: &OsString, b: &OsString| a == "--format" && b == "json";
    let json = given.iter().any(|a| a == "--format=json" || a == "-json")
        || given.windows(2).any(|pair| follows(&pair[0], &pair[1]));
    FormArgs {
        format: if json { Format::Json } else { Format::Human },
        json_out: None,
    }
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
                let line_read = read(given.map(OsString::from).collect());
                assert!(line_read.is_ok(), "{path}: {line}: {:?}", line_read.err());
                examples += 1;
            }
            assert!(examples > 0, "{path}");
        }
    }
}
