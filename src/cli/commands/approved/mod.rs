//! `rolecall approved`: whether what was merged was approved as it was planned; gives the plan that was judged.

mod ask;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use serde_json::{Value, json};

use self::ask::{Found, Proven, Question, ask};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::host::{commit, hand_on, host};
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::{HostArgs, OutputArgs, stack};
use crate::cli::outputs::Files;
use crate::cli::reporter::Reporter;
use crate::echo;
use crate::model::StackId;
use crate::plan::{self, Plan};
use crate::private_file::{WriteMode, write_private};
use crate::review::{Judged, plain};
use crate::view::inert;

/// `rolecall approved`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Finds the verdict that a run of the default branch's own file kept for the pull request, \
and an approval by a person who may write, is neither its author nor pushed its head, and approved this head \
after the verdict, with nothing moved since. Exits 4 and says what is missing (rolecall docs review).\n\n\
Example:\n  rolecall approved --commit \"$GITHUB_SHA\" --stack acme/k7m2q9ta --out approved"
)]
pub struct ApprovedArgs {
    /// The commit that was merged
    #[arg(long, value_name = "COMMIT")]
    pub commit: String,

    /// The stack, NAME/ID
    #[arg(long, value_name = "STACK", value_parser = stack)]
    pub stack: StackId,

    /// The workflow file whose runs make verdicts, from the root of the repository
    #[arg(
        long,
        value_name = "PATH",
        default_value = ".github/workflows/rolecall.yml"
    )]
    pub workflow: String,

    /// The workflow file whose runs apply: its newest run that ended well says what was applied last (that of
    /// --workflow)
    #[arg(long, value_name = "PATH")]
    pub apply_workflow: Option<String>,

    /// The commit before the push: each pull request since has to be approved, as those of a merge queue
    #[arg(long, value_name = "COMMIT")]
    pub before: Option<String>,

    /// The folder for plan.json and approved.json; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Write what was found as Markdown too
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,

    /// The code host.
    #[command(flatten)]
    pub host: HostArgs,

    /// What the next steps are told.
    #[command(flatten)]
    pub outputs: OutputArgs,
}

impl Invocation for ApprovedArgs {
    fn files(&self) -> Files<'_> {
        Files::default()
            .makes("--out", &self.out)
            .writes("--outputs", self.outputs.outputs.as_ref())
            .writes("--markdown", self.markdown.as_ref())
            .reads("--ca-file", self.host.ca_file.as_ref())
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

async fn run(args: ApprovedArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let merged = commit(&args.commit, "--commit")?;
    let before = args.before.as_deref().map(|text| commit(text, "--before"));
    let before = before.transpose()?;
    let host = host(&args.host, reporter)?;
    fs::create_dir_all(&args.out).map_err(|error| {
        let shown = echo::path(&args.out).given("--out");
        Failure::error(format!("cannot make {shown}: {error}"))
    })?;
    let path = args.out.join("plan.json");
    // What a former run found must not be taken for what this one finds.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let why = format!("cannot remove the former plan.json: {error}");
            return Err(Failure::error(why));
        }
        _ => {}
    }
    let question = Question {
        commit: &merged,
        stack: &args.stack,
        workflow: &args.workflow,
        applies: args.apply_workflow.as_deref().unwrap_or(&args.workflow),
        before: before.as_ref(),
    };
    let found = ask(&host, &question).await?;
    let proven = found.proven.as_ref().filter(|_| found.missing.is_empty());
    let approved = proven.is_some();
    if let Some(proven) = proven {
        let bytes = plan::write(&proven.plan).map_err(Failure::error)?;
        put(&path, &bytes)?;
    }
    let document = document(&question, &found);
    put(
        &args.out.join("approved.json"),
        format!("{document}\n").as_bytes(),
    )?;
    if let Some(to) = &args.markdown {
        write_private(
            to,
            markdown(&question, &found).as_bytes(),
            WriteMode::Replace,
        )
        .map_err(|error| Failure::unwritten(&error, "--markdown", to, WriteMode::Replace))?;
    }
    let numbers = |all: &[u64]| {
        let all: Vec<String> = all.iter().map(u64::to_string).collect();
        all.join(",")
    };
    let number = found.number.map(|number| number.to_string());
    let shown = proven.map(|_| path.display().to_string());
    hand_on(
        &args.outputs,
        &[
            ("approved", approved.to_string()),
            ("number", number.unwrap_or_default()),
            ("digest", proven.map(digest).unwrap_or_default()),
            ("plan", shown.unwrap_or_default()),
            ("requests", numbers(&found.requests)),
            ("unapplied", numbers(&found.unapplied)),
        ],
    )?;
    reporter.result(&told(&question, &found));
    match approved {
        true => Ok(Exit::Done),
        false => Err(Failure::new(
            Exit::Stale,
            format!(
                "{} is not approved, and nothing may be applied of it",
                merged.short()
            ),
        )
        .helps(found.missing.iter().map(|missing| inert(missing)))
        .help("plan anew in a pull request, and have that approved")),
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_private(path, bytes, WriteMode::Replace)
        .map_err(|error| Failure::unwritten(&error, "--out", path, WriteMode::Replace))
}

fn digest(of: &Proven) -> String {
    of.standing.verdict.digest.to_string()
}

fn document(asked: &Question<'_>, found: &Found) -> Value {
    let Found {
        number,
        requests,
        proven,
        approved_by,
        missing,
        cannot_tell,
        unapplied,
        doubted,
    } = found;
    let verdict = proven.as_ref().map(|proven| {
        let verdict = &proven.standing.verdict;
        json!({"run": verdict.run, "attempt": verdict.attempt, "job": verdict.job})
    });
    json!({
        "rolecall_approved": 1,
        "commit": asked.commit.as_str(),
        "number": number,
        "requests": requests,
        "stack": asked.stack.to_string(),
        "digest": proven.as_ref().map(digest),
        "approved": missing.is_empty(),
        "approved_by": approved_by,
        "verdict": verdict,
        "proof": "host",
        "missing": missing,
        "cannot_tell": cannot_tell,
        "unapplied": unapplied,
        "doubted": doubted,
    })
}

/// For people.
fn told(asked: &Question<'_>, found: &Found) -> String {
    let Found {
        number: _,
        requests,
        proven,
        approved_by,
        missing,
        cannot_tell,
        unapplied,
        doubted,
    } = found;
    let mut lines = Vec::new();
    let list = |all: &[u64]| {
        let all: Vec<String> = all.iter().map(u64::to_string).collect();
        all.join(", ")
    };
    if !requests.is_empty() {
        lines.push(format!(
            "{} brought pull request {} of {}.",
            asked.commit.short(),
            list(requests),
            inert(&asked.stack.to_string())
        ));
    }
    if let Some(Proven { standing, plan }) = proven {
        let verdict = &standing.verdict;
        lines.push(format!(
            "Verdict: run {}, attempt {}, job {}: {}. Plan digest: {}",
            verdict.run,
            verdict.attempt,
            inert(&plain(&verdict.job)),
            told_result(verdict.result, plan),
            verdict.digest
        ));
        lines.push(
            "The run and what it kept are vouched for by the code host alone: nothing is signed."
                .to_owned(),
        );
    }
    if missing.is_empty() {
        lines.push(format!("Approved by {}.", approved_by.join(", ")));
    }
    for one in cannot_tell {
        lines.push(format!("The host cannot tell {}.", inert(one)));
    }
    if !unapplied.is_empty() {
        lines.push(format!(
            "Merged before and never applied: {}. What they change is in the plan, or stops it.",
            list(unapplied)
        ));
    }
    for one in doubted {
        lines.push(format!("Not taken for a verdict: {}.", inert(one)));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn told_result(result: Judged, plan: &Plan) -> String {
    match result {
        Judged::Refused => "refused by a guard, which an apply asks to be acknowledged".to_owned(),
        _ => crate::view::human::count(plan.changes.len(), "change"),
    }
}

/// For the pull request.
fn markdown(asked: &Question<'_>, found: &Found) -> String {
    let mut text = match found.missing.is_empty() {
        true => format!(
            "**Approved**: `{}` for `{}`.\n",
            asked.commit.short(),
            asked.stack
        ),
        false => format!(
            "**Not applied**: `{}` for `{}` is not approved as it was planned.\n\n",
            asked.commit.short(),
            asked.stack
        ),
    };
    for missing in &found.missing {
        text.push_str(&format!("* `{}`\n", code(missing)));
    }
    if let Some(proven) = &found.proven {
        text.push_str(&format!("\nPlan `{}`.\n", proven.standing.verdict.digest));
    }
    text
}

/// A sentence in a code span: nothing in it acts, whatever host or person it names.
fn code(text: &str) -> String {
    let inside = |c: char| !c.is_control() && c != '`';
    text.chars()
        .map(|c| if inside(c) { c } else { ' ' })
        .collect()
}
