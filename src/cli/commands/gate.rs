//! `rolecall gate`: whether every configuration of a pull request was judged. It shows, and proves nothing.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::host::{commit, failed, host};
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::HostArgs;
use crate::cli::outputs::Files;
use crate::cli::reporter::Reporter;
use crate::echo;
use crate::review::{Commit, Gate, Line, Verdict, expected, gate};

/// How deep verdicts may lie below the folder.
const DEPTH: usize = 3;
/// The name of a verdict's file.
const NAME: &str = "verdict.json";

/// `rolecall gate`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Exits 3 unless each configuration that changed has a verdict of this commit: what was \
skipped, cancelled or never ran is red, and so is an empty list. Let its job run always, and require it \
alone.\n\nExample:\n  rolecall gate --expected expected.json --found verdicts --head \"$HEAD\""
)]
pub struct GateArgs {
    /// What `rolecall configurations` printed
    #[arg(long, value_name = "FILE")]
    pub expected: PathBuf,

    /// The folder that holds what the jobs of this run kept: every verdict.json in it
    #[arg(long, value_name = "DIR")]
    pub found: PathBuf,

    /// The commit that was planned
    #[arg(long, value_name = "COMMIT")]
    pub head: String,

    /// The pull request: verdicts of another are red
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<u64>,

    /// Ask for a verdict of those configurations too that did not change
    #[arg(long)]
    pub all: bool,

    /// Set a status of the commit too
    #[arg(long)]
    pub post: bool,

    /// The name of that status
    #[arg(long, value_name = "NAME", default_value = "rolecall")]
    pub context: String,

    /// Where that status leads to
    #[arg(long, value_name = "URL", requires = "post")]
    pub url: Option<String>,

    /// The code host.
    #[command(flatten)]
    pub host: HostArgs,
}

impl Invocation for GateArgs {
    fn files(&self) -> Files<'_> {
        Files::default()
            .reads("--expected", Some(&self.expected))
            .reads("--ca-file", self.host.ca_file.as_ref())
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

async fn run(args: GateArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let head = commit(&args.head, "--head")?;
    let told = decide(&args, &head);
    let Gate {
        lines,
        green,
        summary,
    } = &told;
    for line in lines {
        let Line {
            directory,
            red,
            says,
        } = line;
        let mark = if *red { "red" } else { "ok " };
        reporter.result(&format!("{mark} {directory}: {says}\n"));
    }
    reporter.result(&format!(
        "{}: {summary}.\n",
        if *green { "Green" } else { "Red" }
    ));
    if args.post {
        let host = host(&args.host, reporter)?;
        let url = args.url.as_deref();
        host.status(&head, &args.context, *green, summary, url)
            .await
            .map_err(failed)?;
    }
    match green {
        true => Ok(Exit::Done),
        false => Err(Failure::new(Exit::Refused, summary.clone()).help(
            "a gate is red unless all that changed was judged; the lines above say what is not",
        )),
    }
}

fn decide(args: &GateArgs, head: &Commit) -> Gate {
    let text = fs::read_to_string(&args.expected).map_err(|error| error.to_string());
    let expected = text.and_then(|text| expected(&text));
    let found = expected.and_then(|expected| Ok((expected, verdicts(&args.found)?)));
    match found {
        Ok((expected, found)) => gate(&expected, &found, head, args.number, args.all),
        // That nobody knows what there is to judge is red as well, and is to be seen where the gate is.
        Err(why) => Gate {
            lines: Vec::new(),
            green: false,
            summary: format!("what there is to judge is not known: {}", short(&why)),
        },
    }
}

fn short(text: &str) -> String {
    let plain = crate::review::plain(text);
    plain.chars().take(90).collect()
}

/// All verdicts below a folder. None at all is no error: then nothing was judged.
fn verdicts(dir: &Path) -> Result<Vec<Verdict>, String> {
    let mut all = Vec::new();
    if dir.exists() {
        collect(dir, 0, &mut all)?;
    }
    Ok(all)
}

fn collect(dir: &Path, depth: usize, all: &mut Vec<Verdict>) -> Result<(), String> {
    let entries = fs::read_dir(dir).map_err(|error| error.to_string())?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|error| error.to_string())?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() && depth < DEPTH {
            collect(&path, depth + 1, all)?;
        } else if path.file_name().is_some_and(|name| name == NAME) {
            let bytes = fs::read(&path).map_err(|error| error.to_string())?;
            let read = Verdict::read(&bytes);
            all.push(read.map_err(|error| format!("{}: {error}", echo::path(&path)))?);
        }
    }
    Ok(())
}
