//! `rolecall check`: what drifted, who did it, and which accounts to look at. Writes nothing.

use clap::Args as ClapArgs;
use jiff::SignedDuration;

use super::list::duration;
use crate::check::{Check, Wishes, ask, check};
use crate::cli::args::{ConfigArgs, FormArgs, PlatformChoice, Scopes};
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::{output, progress, reach, report};
use crate::diff::diff;
use crate::plan;
use crate::view::human;

/// `rolecall check`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Exits 6 if anything drifted, needs a person or is unmanaged, else 1 if something could \
not be read, else 2 if the configuration waits for an apply, else 0.\n\nExamples:\n  \
rolecall check --local examples/quickstart\n  \
rolecall check --unused 90d --expiring 14d access/\n  \
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

    /// Do not exit 6 for accounts that no configuration manages
    #[arg(long)]
    pub allow_unmanaged: bool,
}

/// Runs the command.
pub async fn run(args: CheckArgs) -> Exit {
    if let Err(error) = Signals::listen() {
        output::error(&format!("cannot listen for signals: {error}"), &[]);
        return Exit::Error;
    }
    let looked = match reach::look(&args.config, &args.platform, args.scopes).await {
        Ok(looked) => looked,
        Err(exit) => return exit,
    };
    let (desired, live, inventory) = (&looked.desired, &looked.live, &looked.inventory);
    let delta = diff(desired, live, inventory);
    let plan = plan::build(desired, live, inventory, delta);
    let reading = progress::waiting("reading the audit log");
    let answers = ask(&looked.reached.client, &plan).await;
    drop(reading);
    let mut to_know = plan::extent(desired, live, inventory);
    to_know.extend(reach::clean_up(&looked.reached.client, &plan, live, inventory).await);
    let wishes = Wishes {
        unused: args.unused,
        expiring: args.expiring,
    };
    let found = check(plan, desired, live, inventory, &answers, to_know, wishes);
    report::check(&found);
    output::print(&human::check(&found));
    exit(&found, args.allow_unmanaged)
}

fn exit(found: &Check, allow_unmanaged: bool) -> Exit {
    let alarming = !(found.drift.is_empty() && found.needs_person.is_empty());
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
