//! `rolecall docs`: the pages of the documentation, which are a part of the program. Talks to
//! nobody.

use std::future::ready;

use clap::Args as ClapArgs;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::cli::exit::Exit;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::reporter::Reporter;

/// A page: its name, what it says in a few words, its text.
type Page = (&'static str, &'static str, &'static str);

/// The pages, in the order in which one may want to read them.
const PAGES: &[Page] = &[
    (
        "language",
        "every block, attribute and function of a configuration; every finding's code",
        include_str!("../../../docs/language.md"),
    ),
    (
        "sink-file",
        "delivering keys to files on the machine that applies",
        include_str!("../../../docs/sinks/file.md"),
    ),
    (
        "sink-vault",
        "delivering keys to HashiCorp Vault or OpenBao",
        include_str!("../../../docs/sinks/vault.md"),
    ),
    (
        "sink-kubernetes",
        "delivering keys into Secrets of Kubernetes",
        include_str!("../../../docs/sinks/kubernetes.md"),
    ),
    (
        "sink-github",
        "delivering keys to secrets of GitHub Actions, Dependabot and Codespaces",
        include_str!("../../../docs/sinks/github.md"),
    ),
    (
        "sink-aws_secretsmanager",
        "delivering keys to secrets of AWS Secrets Manager",
        include_str!("../../../docs/sinks/aws_secretsmanager.md"),
    ),
    (
        "sink-aws_ssm",
        "delivering keys to parameters of AWS Systems Manager",
        include_str!("../../../docs/sinks/aws_ssm.md"),
    ),
    (
        "sink-gitlab",
        "delivering keys to CI/CD variables of GitLab",
        include_str!("../../../docs/sinks/gitlab.md"),
    ),
    (
        "sink-azure_key_vault",
        "delivering keys to Azure Key Vault",
        include_str!("../../../docs/sinks/azure_key_vault.md"),
    ),
    (
        "sink-gcp_secret_manager",
        "delivering keys to Secret Manager of Google Cloud",
        include_str!("../../../docs/sinks/gcp_secret_manager.md"),
    ),
    (
        "sink-exec",
        "delivering keys by programs of your own",
        include_str!("../../../docs/sinks/exec.md"),
    ),
    (
        "keyless",
        "logging in from a CI or a pod without a key: bindings for GitHub, GitLab, Kubernetes",
        include_str!("../../../docs/keyless.md"),
    ),
    (
        "guides",
        "undo, a leaked key, applying without CI, a seal key that is lost or leaked",
        include_str!("../../../docs/guides.md"),
    ),
    (
        "workflows",
        "running it where pull requests are reviewed: forms, rights, the required status, the night",
        include_str!("../../../docs/workflows.md"),
    ),
    (
        "policies",
        "rules that every account must keep to, with examples",
        include_str!("../../../docs/policies.md"),
    ),
    (
        "reviewing",
        "reading a plan: on a terminal, in a comment, in a summary",
        include_str!("../../../docs/reviewing.md"),
    ),
    (
        "glossary",
        "the words of messages and pages",
        include_str!("../../../docs/glossary.md"),
    ),
    (
        "roles",
        "what each of Mondoo's roles lets a program do",
        include_str!("../../../docs/roles.md"),
    ),
    (
        "environment",
        "every variable of the environment that is read",
        include_str!("../../../docs/environment.md"),
    ),
    (
        "review",
        "from a pull request to an apply: what is evidence, what is approval, what no host proves",
        include_str!("../../../docs/review.md"),
    ),
    (
        "exit-codes",
        "every exit code, and what a script does about it",
        include_str!("../../../docs/exit-codes.md"),
    ),
    (
        "reliability",
        "what holds when a run fails, is killed or meets another; the seal",
        include_str!("../../../docs/reliability.md"),
    ),
    (
        "compatibility",
        "what stays as it is from the first release on: marks, seals, keys, formats",
        include_str!("../../../docs/compatibility.md"),
    ),
    (
        "threat-model",
        "who can do what to a run, what stops them and what does not",
        include_str!("../../../docs/threat-model.md"),
    ),
    (
        "plan-json",
        "the document of --format json and --json-out",
        include_str!("../../../docs/plan-json.md"),
    ),
    (
        "plan-schema",
        "that document's JSON schema",
        include_str!("../../../docs/schema/plan.v1.json"),
    ),
    (
        "plan-file-schema",
        "the JSON schema of a plan file (plan --out FILE)",
        include_str!("../../../docs/schema/plan-file.v4.json"),
    ),
    (
        "log",
        "the log of a run (--log FILE): levels, lines, and what is never in it",
        include_str!("../../../docs/log.md"),
    ),
    (
        "record-schema",
        "the JSON schema of a record of an apply (--record FILE)",
        include_str!("../../../docs/schema/record.v1.json"),
    ),
    (
        "platform",
        "the embedded platform: seeds, quirks, faults",
        include_str!("../../../docs/platform.md"),
    ),
];

/// `rolecall docs`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  rolecall docs\n  rolecall docs language | less")]
pub struct DocsArgs {
    /// The page. Without one, the names of all pages
    #[arg(value_name = "PAGE", hide_possible_values = true, value_parser = pages())]
    pub page: Option<String>,
}

fn pages() -> PossibleValuesParser {
    let values = PAGES.iter();
    PossibleValuesParser::new(values.map(|(name, about, _)| PossibleValue::new(name).help(about)))
}

impl Invocation for DocsArgs {
    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(ready(Ok(run(&self, &context.reporter))))
    }
}

fn run(args: &DocsArgs, reporter: &Reporter) -> Exit {
    let wanted = args.page.as_deref();
    match PAGES.iter().find(|(name, ..)| Some(*name) == wanted) {
        Some((_, _, text)) => reporter.result(text),
        None => reporter.result(&contents()),
    }
    Exit::Done
}

fn contents() -> String {
    let width = PAGES.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let mut out = String::from("The pages of the documentation:\n\n");
    for (name, about, _) in PAGES {
        out.push_str(&format!("  {name:width$}  {about}\n"));
    }
    out.push_str(
        "\n`rolecall docs PAGE` prints one; `rolecall COMMAND --help` is about a command.\n",
    );
    out
}
