//! `rolecall rotate`: new keys for accounts, whatever the configuration says, and the end of former ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::apply::{self, ApplyArgs};
use super::plan::{self, PlanArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::{
    ApplyingArgs, ConfigArgs, ExecArgs, FormArgs, PlatformChoice, PolicyArgs, ReviewArgs, Scopes,
    address,
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

    /// How it is applied.
    #[command(flatten)]
    pub applying: ApplyingArgs,
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
            .writes("--record", self.applying.record.as_ref())
            .form(&self.form)
            .review(&self.review)
            .policies(&self.policies)
            .configuration(&self.config)
            .platform(&self.platform)
            .programs(&self.exec)
            .reads("--previous", self.applying.previous.as_ref())
            .reads("--plan", self.applying.reviewed.plan.as_ref())
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
        applying,
    } = args;
    if let Some(strange) = accounts.first() {
        let shown = echo::text(strange).given("ADDRESS");
        let dir = config.dir.to_str().map(|dir| echo::text(dir).given("DIR"));
        let what = match dir.filter(|_| config.dir != Path::new(".")) {
            Some(dir) => format!(
                "neither {dir} nor {shown} is the address of an account, and only one of them can be the directory"
            ),
            None => format!("{shown} is not the address of an account"),
        };
        return Err(Failure::usage(what)
            .help("write it as service_account.NAME, or 'service_account.NAME[\"KEY\"]'"));
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
        destroy: false,
        take_over: Vec::new(),
        resume: Vec::new(),
        replace: Vec::new(),
        renewal: Some(renewal),
        applying,
    };
    apply::run(apply, reporter).await
}
