//! `rolecall rotate`: new keys for accounts, whatever the configuration says, and the end of former ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use jiff::SignedDuration;

use super::apply::{self, ApplyArgs};
use super::plan::{self, PlanArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::{
    ConfigArgs, ExecArgs, FormArgs, PlatformChoice, PolicyArgs, ReviewArgs, ReviewedArgs, Scopes,
    address, duration,
};
use crate::cli::outputs::Files;
use crate::cli::reporter::Reporter;
use crate::echo;
use crate::model::{Address, Renewal};

/// `rolecall rotate`.
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "rolecall rotate [OPTIONS] <ADDRESS>... [DIR]\n       rolecall rotate [OPTIONS] --due [ADDRESS]... [DIR]",
    after_help = "Examples:\n  rolecall rotate 'service_account.ci[\"prod\"]' access/   # it leaked, is lost, or old\n  \
rolecall rotate --due --yes access/       # by the clock, from a scheduled job\n  \
rolecall rotate --due --dry-run access/   # what would be done, and its digest\n\n\
Each account gets a new one in its place, whose key goes to all its places; the former one goes on for its\n\
`overlap`, and ends by `rotate --due` once nobody uses it (`rolecall docs language`, credential). Nothing\n\
else of the configuration is applied."
)]
pub struct RotateArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The accounts that get a new key: service_account.NAME, or service_account.NAME["KEY"]; before or
    /// after the directory
    #[arg(value_name = "ADDRESS")]
    pub accounts: Vec<String>,

    /// The same, read.
    #[arg(skip)]
    pub addresses: BTreeSet<Address>,

    /// All accounts whose key is as old as `rotate_after` says, or whose rotation was not finished; and end
    /// former keys whose time is over and that nobody uses
    #[arg(long)]
    pub due: bool,

    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["yes", "record", "plan", "digest"])]
    pub dry_run: bool,

    /// Write the plan to a file that `rotate --plan FILE` holds what is due then against
    #[arg(long, short, value_name = "FILE", requires = "dry_run")]
    pub out: Option<PathBuf>,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// The policies.
    #[command(flatten)]
    pub policies: PolicyArgs,

    /// The programs of sinks.
    #[command(flatten)]
    pub exec: ExecArgs,

    /// The forms of the answer.
    #[command(flatten)]
    pub form: FormArgs,

    /// How the plan is shown.
    #[command(flatten)]
    pub review: ReviewArgs,

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
    /// is made. Otherwise they are asked once
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<SignedDuration>,

    /// How many scopes are worked on at the same time
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallelism: u16,
}

impl RotateArgs {
    /// Tells addresses from the directory, in whatever order they were given. What is neither stays among
    /// the accounts, and is refused.
    pub fn sorted_out(mut self) -> Self {
        let mut first = Some(std::mem::replace(&mut self.config.dir, PathBuf::from(".")));
        let dir = first.take_if(|dir| dir.to_str().is_none_or(|text| address(text).is_err()));
        let words = std::mem::take(&mut self.accounts).into_iter();
        let words = first
            .and_then(|dir| dir.into_os_string().into_string().ok())
            .into_iter()
            .chain(words);
        let mut others = Vec::new();
        for word in words {
            match address(&word) {
                Ok(address) => {
                    self.addresses.insert(address);
                }
                Err(_) => others.push(word),
            }
        }
        let given = dir.filter(|dir| dir != Path::new("."));
        match (given, others.as_slice()) {
            (Some(dir), _) => self.config.dir = dir,
            (None, [_, ..]) => self.config.dir = PathBuf::from(others.remove(0)),
            (None, []) => {}
        }
        self.accounts = others;
        self
    }
}

impl Invocation for RotateArgs {
    fn form(&self) -> FormArgs {
        self.form.clone()
    }

    fn review(&self) -> Option<&ReviewArgs> {
        Some(&self.review)
    }

    fn files(&self) -> Files<'_> {
        Files::default()
            .writes("--out", self.out.as_ref())
            .writes("--record", self.record.as_ref())
            .form(&self.form)
            .review(&self.review)
            .policies(&self.policies)
            .configuration(&self.config)
            .platform(&self.platform)
            .programs(&self.exec)
            .reads("--previous", self.previous.as_ref())
            .reads("--plan", self.reviewed.plan.as_ref())
    }

    fn values(&mut self) -> Option<&mut ConfigArgs> {
        Some(&mut self.config)
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

async fn run(args: RotateArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let RotateArgs {
        config,
        accounts,
        addresses: of,
        due,
        dry_run,
        out,
        platform,
        policies,
        exec,
        form,
        review,
        yes,
        ack,
        reviewed,
        record,
        previous,
        wait,
        parallelism,
    } = args;
    if let Some(strange) = accounts.first() {
        let shown = echo::text(strange).given("ADDRESS");
        return Err(
            Failure::usage(format!("{shown} is not the address of an account"))
                .help("write it as service_account.NAME, or 'service_account.NAME[\"KEY\"]'"),
        );
    }
    if of.is_empty() && !due {
        return Err(Failure::usage("nothing says which accounts get a new key")
            .help("name them: rolecall rotate service_account.NAME DIR")
            .help("or say --due, for all whose key is as old as `rotate_after` says"));
    }
    let renewal = Renewal {
        of,
        due,
        alone: true,
    };
    if dry_run {
        let plan = PlanArgs {
            config,
            platform,
            policies,
            form,
            review,
            scopes: Scopes::default(),
            detailed_exitcode: false,
            strict: false,
            destroy: false,
            take_over: Vec::new(),
            resume: Vec::new(),
            replace: Vec::new(),
            renewal: Some(renewal),
            out,
        };
        return plan::run(plan, reporter).await;
    }
    let apply = ApplyArgs {
        config,
        platform,
        policies,
        exec,
        form,
        review,
        scopes: Scopes::default(),
        yes,
        destroy: false,
        take_over: Vec::new(),
        resume: Vec::new(),
        replace: Vec::new(),
        renewal: Some(renewal),
        ack,
        reviewed,
        record,
        previous,
        wait,
        parallelism,
    };
    apply::run(apply, reporter).await
}
