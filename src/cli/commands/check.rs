//! `rolecall check`: what drifted, who did it, and which accounts to look at. Writes nothing.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use jiff::SignedDuration;

use crate::check::{Check, CheckOptions, ask, check, look};
use crate::cli::events::Event;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::machine::machine;
use crate::cli::options::{ConfigArgs, ExecArgs, FormArgs, PlatformChoice, Scopes, duration};
use crate::cli::outputs::Files;
use crate::cli::policies;
use crate::cli::programs;
use crate::cli::reach;
use crate::cli::reporter::Reporter;
use crate::cli::signals::Signals;
use crate::diff::diff;
use crate::plan;
use crate::sinks::{Programs, Sinks};
use crate::view::human;

/// `rolecall check`.
#[derive(Debug, ClapArgs)]
#[command(
    mut_arg("allow_exec", |arg| arg.requires("sinks")),
    mut_arg("exec_env", |arg| arg.requires("sinks")),
    after_help = "Exits 6 if anything drifted, needs a person or is unmanaged, else 1 if something could \
not be read, else 2 if the configuration waits for an apply, else 0.\n\nExamples:\n  \
rolecall check --local examples/quickstart\n  \
rolecall check --unused 90d --expiring 14d access/\n  \
rolecall check --sinks access/                # with the rights of an apply: are the keys there?\n  \
rolecall check --allow-unmanaged --format json access/ | jq .check.drift"
)]
pub struct CheckArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// The forms of the answer.
    #[command(flatten)]
    pub form: FormArgs,

    /// Which scopes are read: besides the declared ones the login's own is, with all its spaces, for
    /// accounts that this configuration has lost sight of
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub scopes: Scopes,

    /// List accounts, managed or not, that were not used for this long, such as 90d or 12h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub unused: Option<SignedDuration>,

    /// List managed accounts that expire within this time, and expired ones
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30d")]
    pub expiring: SignedDuration,

    /// Look into the destinations of managed accounts too, with the logins and rights of an apply, for keys
    /// that are lost and for others in their place
    #[arg(long)]
    pub sinks: bool,

    /// With --sinks: a policy directory whose `destinations` block says where logins of sinks may go besides
    /// (and ROLECALL_POLICY_DIR, beside it)
    #[arg(long, value_name = "DIR", requires = "sinks")]
    pub policy_dir: Option<PathBuf>,

    /// The programs of sinks.
    #[command(flatten)]
    pub exec: ExecArgs,

    /// Do not exit 6 for accounts that no configuration manages
    #[arg(long)]
    pub allow_unmanaged: bool,
}

impl Invocation for CheckArgs {
    fn form(&self) -> FormArgs {
        self.form.clone()
    }

    fn files(&self) -> Files<'_> {
        Files::default()
            .form(&self.form)
            .configuration(&self.config)
            .platform(&self.platform)
            .programs(&self.exec)
    }

    fn values(&mut self) -> Option<&mut ConfigArgs> {
        Some(&mut self.config)
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

async fn run(args: CheckArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    Signals::listen(reporter)?;
    let allowed = match args.sinks {
        true => policies::logins(&args.config.dir, args.policy_dir.as_deref(), reporter)?,
        false => Vec::new(),
    };
    let programs = match args.sinks {
        true => programs::allowed(&args.exec, &args.config.dir, args.platform.patience())?,
        false => Programs::none(),
    };
    let looked = reach::look(&args.config, &args.platform, args.scopes, reporter).await?;
    let (desired, live, inventory) = (&looked.desired, &looked.live, &looked.inventory);
    let delta = diff(desired, live, inventory);
    let plan = plan::build(desired, live, inventory, delta);
    let reading = reporter.waiting("reading the audit log");
    let answers = ask(&looked.reached.client, &plan).await;
    drop(reading);
    let mut to_know = plan::extent(desired, live, inventory);
    let client = &looked.reached.client;
    to_know.extend(reach::clean_up(client, &plan, live, inventory, reporter).await);
    let options = CheckOptions {
        unused: args.unused,
        expiring: args.expiring,
    };
    let mut found = check(plan, desired, live, inventory, &answers, to_know, options);
    if args.sinks {
        let dir = &args.config.dir;
        let sinks = match args.platform.local {
            true => Sinks::local(dir),
            false => Sinks::new(
                dir,
                machine(&args.platform, allowed, programs, reporter)?,
                &desired.stack,
            ),
        };
        let looking = reporter.waiting("looking into destinations");
        found.places = Some(look(&sinks, desired, live, inventory).await);
        drop(looking);
    }
    reporter.emit(Event::Checked(&found));
    reporter.result(&human::check(&found));
    Ok(exit(&found, args.allow_unmanaged))
}

fn exit(found: &Check, allow_unmanaged: bool) -> Exit {
    let alarming = !(found.drift.is_empty() && found.needs_person.is_empty()) || found.misplaced();
    if alarming || !(allow_unmanaged || found.unmanaged.is_empty()) {
        Exit::Unmanaged
    } else if found.partial() {
        Exit::Error
    } else if found.pending() {
        Exit::Pending
    } else {
        Exit::Done
    }
}
