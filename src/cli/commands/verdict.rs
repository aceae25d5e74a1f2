//! `rolecall verdict`: writes down which plan was made of which pull request, to be kept by the run that made it.

use std::fs;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::host::{commit, failed, hand_on, host, job};
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::{HostArgs, OutputArgs};
use crate::cli::outputs::Files;
use crate::cli::reporter::Reporter;
use crate::cli::reviewed;
use crate::echo;
use crate::plan::{self, Plan};
use crate::private_file::{WriteMode, write_private};
use crate::review::{Digest, Host, Judged, Verdict, artifact, plain};
use crate::view::inert;

/// `rolecall verdict`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Run it in a job whose workflow file is the default branch's own (pull_request_target, \
workflow_run): only what such a run keeps is evidence (rolecall docs review). In a run of `pull_request` it \
is written for the gate alone. Exits 4 if the pull request has moved on, 3 if a configuration is removed \
whose accounts live.\n\nExample:\n  rolecall verdict --plan p.json --number 7 --head \"$HEAD\" --directory . --job p --ended 0 --out v"
)]
pub struct VerdictArgs {
    /// The plan, as `plan --out` wrote it
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,

    /// The pull request
    #[arg(long, value_name = "NUMBER")]
    pub number: u64,

    /// The commit that was planned
    #[arg(long, value_name = "COMMIT")]
    pub head: String,

    /// The configuration's directory, as `rolecall configurations` names it
    #[arg(long, value_name = "DIR")]
    pub directory: String,

    /// This job, by the name that is shown of it
    #[arg(long, value_name = "NAME")]
    pub job: String,

    /// How `plan` ended: its exit code. A plan that a guard refuses is in a file like any other
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u8))]
    pub ended: u8,

    /// The configuration is removed: the plan is of its base with --destroy, and what it would delete is what
    /// nobody would manage
    #[arg(long)]
    pub removed: bool,

    /// Write it in a public repository too, where anybody can read the plan
    #[arg(long)]
    pub public: bool,

    /// The folder for verdict.json and plan.json; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// The code host.
    #[command(flatten)]
    pub host: HostArgs,

    /// What the next steps are told.
    #[command(flatten)]
    pub outputs: OutputArgs,
}

impl Invocation for VerdictArgs {
    fn files(&self) -> Files<'_> {
        Files::default()
            .makes("--out", &self.out)
            .writes("--outputs", self.outputs.outputs.as_ref())
            .reads("--plan", Some(&self.plan))
            .reads("--ca-file", self.host.ca_file.as_ref())
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

async fn run(args: VerdictArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let head = commit(&args.head, "--head")?;
    let plan = reviewed::read(&args.plan)?;
    let result = judged(&plan, args.ended, args.removed)?;
    let digest = Digest::parse(plan.digest())
        .ok_or_else(|| Failure::error("the plan's digest is none of 64 digits"))?;
    let own = job()?;
    let host = host(&args.host, reporter)?;
    let repository = host.repository().await.map_err(failed)?;
    if repository.public && !args.public {
        return Err(Failure::error(
            "the repository is public, and anybody could read the plan in what its run keeps",
        )
        .help("--public writes it all the same"));
    }
    let request = host.request(args.number).await.map_err(failed)?;
    let stale = |why: String| {
        Err(Failure::new(Exit::Stale, why).help("plan again: a run of the new commit does"))
    };
    if !request.open {
        return stale(format!("pull request {} is closed", args.number));
    }
    if request.head != head {
        return stale(format!(
            "pull request {} is at {} by now, and {} was planned",
            args.number,
            request.head.short(),
            head.short()
        ));
    }
    let jobs = host.jobs(own.run, own.attempt).await.map_err(failed)?;
    if jobs.iter().filter(|job| job.name == args.job).count() != 1 {
        return Err(Failure::error(format!(
            "this run has no job of the name {}, or several",
            echo::text(&args.job).given("--job")
        ))
        .help("name it as the run's page does, with what a matrix puts behind it"));
    }
    let verdict = Verdict {
        host: Host::Github,
        repository: repository.id,
        number: args.number,
        base: request.base,
        base_commit: request.base_commit,
        head,
        directory: args.directory,
        stack: plan.stack.clone(),
        digest,
        result,
        run: own.run,
        attempt: own.attempt,
        job: args.job,
        event: own.event,
    };
    write(&args.out, &verdict, &plan)?;
    let name = artifact(verdict.number, &verdict.head, &verdict.stack);
    hand_on(
        &args.outputs,
        &[
            ("artifact", name.clone()),
            ("digest", verdict.digest.to_string()),
            ("result", word(verdict.result).to_owned()),
            ("stack", verdict.stack.to_string()),
        ],
    )?;
    reporter.result(&told(&verdict, &name));
    if verdict.result == Judged::Owned {
        return Err(owned(&plan, &verdict.directory));
    }
    Ok(Exit::Done)
}

/// How the plan ended.
fn judged(plan: &Plan, ended: u8, removed: bool) -> Result<Judged, Failure> {
    let done = [Exit::Done, Exit::Pending, Exit::Refused].map(Exit::code);
    if !done.contains(&ended) {
        return Err(Failure::error(format!(
            "the plan ended with {ended}, so that there is nothing to give a verdict of"
        ))
        .help("see what `plan` says, and run again"));
    }
    if removed != plan.meant.destroy {
        return Err(Failure::error(match removed {
            true => "--removed: the plan was not made with --destroy",
            false => "the plan was made with --destroy, which is for what is --removed",
        }));
    }
    let refused = !plan.blocked.is_empty() || ended == Exit::Refused.code();
    Ok(match (removed, plan.is_empty(), refused) {
        (true, true, _) => Judged::Removed,
        (true, false, _) => Judged::Owned,
        (false, _, true) => Judged::Refused,
        (false, true, false) => Judged::None,
        (false, false, false) => Judged::Changes,
    })
}

fn word(result: Judged) -> &'static str {
    match result {
        Judged::None => "none",
        Judged::Changes => "changes",
        Judged::Refused => "refused",
        Judged::Removed => "removed",
        Judged::Owned => "owned",
    }
}

fn write(out: &PathBuf, verdict: &Verdict, plan: &Plan) -> Result<(), Failure> {
    fs::create_dir_all(out).map_err(|error| {
        let shown = echo::path(out).given("--out");
        Failure::error(format!("cannot make {shown}: {error}"))
    })?;
    let verdict = verdict.write().map_err(Failure::error)?;
    let plan = plan::write(&plan.bare()).map_err(Failure::error)?;
    for (name, bytes) in [("verdict.json", verdict), ("plan.json", plan)] {
        let path = out.join(name);
        write_private(&path, &bytes, WriteMode::Replace)
            .map_err(|error| Failure::unwritten(&error, "--out", &path, WriteMode::Replace))?;
    }
    Ok(())
}

fn told(verdict: &Verdict, name: &str) -> String {
    let mut text = format!(
        "Verdict of {} for pull request {} at {}: {}.\nPlan digest: {}\nTo be kept as the artifact {name}.\n",
        inert(&verdict.stack.to_string()),
        verdict.number,
        verdict.head.short(),
        verdict.result,
        verdict.digest
    );
    if verdict.event == "pull_request" {
        text.push_str(
            "This run has the workflow file of the pull request itself, so that this is for its gate \
             alone, and is evidence of nothing.\n",
        );
    }
    text
}

/// What a removed configuration leaves behind.
fn owned(plan: &Plan, directory: &str) -> Failure {
    let accounts = plan.changes.iter().map(|change| {
        let roles = change.before.as_ref().map(|state| {
            let roles: Vec<String> = state.roles.iter().map(|role| role.to_string()).collect();
            roles.join(", ")
        });
        let address = inert(&change.address.to_string());
        match roles.filter(|roles| !roles.is_empty()) {
            Some(roles) => format!("{address} [{}] in {}", inert(&roles), change.scope),
            None => format!("{address} in {}", change.scope),
        }
    });
    let blocked = plan.blocked.iter().map(|blocked| {
        let address = inert(&blocked.address.to_string());
        format!("{address} in {}, which is in the way itself", blocked.scope)
    });
    let lines: Vec<String> = accounts.chain(blocked).collect();
    Failure::new(
        Exit::Refused,
        format!(
            "{} is removed, and {} of it would be managed by nobody",
            plain(directory),
            crate::view::human::count(lines.len(), "account")
        ),
    )
    .helps(lines)
    .help("first merge a change that empties it (an apply deletes them under the guards) or forgets them")
}
