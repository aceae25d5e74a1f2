//! `rolecall apply`: shows the plan, asks, executes, reports.

use std::path::Path;
use std::time::Duration;

use clap::Args as ClapArgs;
use jiff::SignedDuration;

use crate::apply::{ChangeOutcome, ChangeResult, Options, Outcome, apply};
use crate::cli::confirm::confirm;
use crate::cli::events::Event;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::{
    ApplyingArgs, Asked, ConfigArgs, ExecArgs, FormArgs, PlatformChoice, PolicyArgs, ReviewArgs,
    Scopes, address, beside, meant, nonce, stack,
};
use crate::cli::outputs::Files;
use crate::cli::papers::{self, Papers};
use crate::cli::paths::word;
use crate::cli::reporter::Reporter;
use crate::cli::reviewed::{self, Held, Reviewed};
use crate::cli::{console, record, session};
use crate::echo;
use crate::model::{Address, Nonce, Renewal, Role, StackId};
use crate::plan::{Action, Change, Moved, Plan, without_moved};
use crate::policy::{Acks, LocalFiles, approve};
use crate::sinks::{configure_hint, path_of};
use crate::view::markdown::Decision;
use crate::view::{human, inert};

/// Why less goes on than is due.
const UNDER_ANOTHER_KEY: &str = "accounts are under another seal key, so births alone";

/// `rolecall apply`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall apply --local --yes examples/quickstart\n  \
rolecall apply access/                      # shows the plan and asks\n  \
rolecall apply --plan plan.json access/     # what was reviewed, or nothing\n  \
rolecall apply --yes --record records/0002.json --previous records/0001.json access/\n\n\
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

    /// The programs of sinks.
    #[command(flatten)]
    pub exec: ExecArgs,

    /// The forms of the answer.
    #[command(flatten)]
    pub form: FormArgs,

    /// How the plan is shown.
    #[command(flatten)]
    pub review: ReviewArgs,

    /// Which scopes are read: besides the declared ones the login's own is, with all its spaces, for
    /// accounts that this configuration has lost sight of
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub scopes: Scopes,

    /// Delete all that this configuration manages
    #[arg(long)]
    pub destroy: bool,

    /// Let `import` blocks take accounts of this other stack (NAME/ID), whose configuration is gone
    #[arg(long, value_name = "STACK", value_parser = stack)]
    pub take_over: Vec<StackId>,

    /// Make a new key for this account too, besides what differs: another account takes its place
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub replace: Vec<Address>,

    /// What `rotate` asks for.
    #[arg(skip)]
    pub renewal: Option<Renewal>,

    /// Say that the run which began the birth of this nonce is dead, as `plan` shows it: what it left is
    /// removed and created anew, and nothing is waited for
    #[arg(long, value_name = "NONCE", value_parser = nonce)]
    pub resume: Vec<Nonce>,

    /// How it is applied.
    #[command(flatten)]
    pub applying: ApplyingArgs,
}

impl Invocation for ApplyArgs {
    fn form(&self) -> FormArgs {
        self.form.clone()
    }

    fn review(&self) -> Option<&ReviewArgs> {
        Some(&self.review)
    }

    fn files(&self) -> Files<'_> {
        Files::default()
            .writes("--record", self.applying.record.as_ref())
            .form(&self.form)
            .review(&self.review)
            .policies(&self.policies)
            .configuration(&self.config)
            .platform(&self.platform)
            .programs(&self.exec)
            .reads("--previous", self.applying.previous.as_ref())
            .reads("--plan", self.applying.reviewed.plan.as_ref())
            // A plan file.
            .reads_in_place(&self.config.dir)
    }

    fn values(&mut self) -> Option<&mut ConfigArgs> {
        Some(&mut self.config)
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

/// Applies.
///
/// # Errors
/// Why it cannot, or what refuses.
pub(super) async fn run(mut args: ApplyArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let acks = Acks::parse(args.applying.ack.iter().map(String::as_str)).map_err(Failure::usage)?;
    let reviewed = reviewed::given(&mut args.config, &mut args.applying.reviewed)?;
    let part_of = reviewed.as_ref().and_then(Reviewed::digest);
    let asked = Asked {
        renewal: args.renewal.take().unwrap_or_else(|| beside(&args.replace)),
        resume: &args.resume,
    };
    let meant = meant(args.destroy, &args.take_over, asked, &args.platform);
    papers::probe(&args.review)?;
    let mut follows = None;
    let how = &args.applying;
    if let Some(path) = &how.record {
        let record = record::begin(record::Wanted {
            path,
            previous: how.previous.as_deref(),
            options: crate::record::Options {
                meant: meant.clone(),
                acks: how.ack.clone(),
            },
            reviewed: part_of.as_deref(),
        })?;
        follows = record.previous_stack();
        reporter.keep(record);
    }
    let intent = session::Intent {
        meant,
        scopes: args.scopes,
        policies: &args.policies,
        exec: Some(&args.exec),
        apply: true,
        follows,
    };
    let mut session = session::open(&args.config, &args.platform, &intent, reporter).await?;
    let mut left_out = Vec::new();
    let mut begun = None;
    let mut stale = None;
    let held = reviewed
        .as_ref()
        .map(|reviewed| reviewed.hold(&session.plan, &session.live, &session.inventory));
    match held {
        Some(Ok(Held::Without(moved))) => {
            session.plan = without_moved(session.plan, &moved);
            left_out = moved;
            reporter.emit(Event::LeftOut(&left_out));
        }
        Some(Ok(Held::Rest(rest))) => {
            begun = Some(rest);
            reporter.emit(Event::Rest(rest));
        }
        Some(Err(failure)) => stale = Some(failure),
        Some(Ok(Held::Same)) | None => {}
    }
    let told = session.judge(&args.policies).await;
    reporter.emit(Event::Planned(&session.plan));
    let papers = Papers::of(&args.review, &args.form, reporter);
    if let Some(stale) = stale {
        papers.result(&session.plan);
        let told = told.and_then(|()| papers.plan(&session.plan, Decision::Moved));
        return Err(stale.and(told.err()));
    }
    told?;
    let in_flight = !session.plan.in_flight.is_empty();
    if let Some(rest) = begun {
        reporter.result(&human::rest(rest, &session.plan));
        if session.plan.changes.is_empty() && !in_flight {
            return Ok(Exit::Done);
        }
    }
    let shown = papers.result(&session.plan);
    let unread = session.plan.annex.unread.len();
    if unread > 0 {
        let scopes = human::count(unread, "scope");
        reporter.warn(&format!(
            "{scopes} could not be read, so this plan is not complete"
        ));
    }
    let files = match args.platform.local || console::interactive() {
        true => LocalFiles::Stay,
        false => LocalFiles::MayGo,
    };
    let plan = session.plan.clone();
    let approved = match approve(session.plan, &acks, part_of.as_deref(), files) {
        Ok(approved) => approved,
        Err(refusals) => {
            reporter.emit(Event::Refused(&refusals));
            papers.refusals(&refusals, true);
            let failure = Failure::refused(&refusals);
            let told = papers.plan(&plan, Decision::Guards(&refusals));
            return Err(failure.and(told.err()));
        }
    };
    papers.plan(&plan, Decision::Guards(&[]))?;
    if !left_out.is_empty() {
        reporter.warn_with(
            "what moved since the plan was reviewed is left out:",
            &reviewed::lines(&left_out),
        );
    }
    // Whatever else is in the way is never approved.
    let births_alone = !approved.plan().blocked.is_empty();
    let set_aside = set_aside(approved.left_out());
    if births_alone {
        let lines: Vec<String> = set_aside.iter().map(|l| format!("left out: {l}")).collect();
        reporter.warn_with(&format!("{UNDER_ANOTHER_KEY} go on"), &lines);
        reporter.emit(Event::SetAside {
            left_out: approved.left_out(),
            goes_on: approved.plan(),
        });
    }
    if approved.plan().changes.is_empty() {
        without(&left_out, reporter);
        return Ok(match (in_flight, left_out.is_empty()) {
            (true, _) => Exit::Partial,
            (false, true) => Exit::Done,
            (false, false) => Exit::Stale,
        });
    }
    // Who reviewed the plan has said yes to it.
    if !how.yes && reviewed.is_none() {
        confirm("Apply this plan?", &shown, reporter)?;
    }
    session.world.run.signals.applying();
    let options = Options {
        parallelism: usize::from(how.parallelism),
        wait: how
            .wait
            .map_or(Duration::ZERO, SignedDuration::unsigned_abs),
        seals: session.seals,
        commit: (approved.plan().annex.checkout.as_ref())
            .and_then(|checkout| checkout.head.clone()),
        ..Options::default()
    };
    let progress = reporter.applying(approved.plan().changes.len());
    let outcome = apply(&approved, &session.world, &options).await;
    drop(progress);
    reporter.emit(Event::Applied(&outcome));
    reporter.result("\n");
    reporter.result(&human::outcome(&outcome, &left_out));
    let told = papers.applied(&plan, &outcome, &left_out, reviewed.is_some());
    reporter.result(&if args.platform.local {
        local_hint(&outcome, &session.sinks)
    } else {
        hints(&outcome, approved.plan(), &session.sinks)
    });
    if let Some(next) = human::next(&outcome, reviewed.is_some(), &left_out) {
        reporter.result(&format!("\n{next}"));
    }
    without(&left_out, reporter);
    if births_alone {
        reporter.emit(Event::Undone {
            message: &format!("{UNDER_ANOTHER_KEY} went on"),
            help: &set_aside,
        });
        reporter.result(
            "\nBirths alone went on, since accounts are under another seal key. Settle that as the plan \
             says, then plan again.\n",
        );
    }
    // What is written stays written, whoever could not be told.
    let untold = told
        .err()
        .inspect(|failure| reporter.emit(Event::Failed(failure)));
    Ok(match exit(&outcome) {
        Exit::Done if !left_out.is_empty() || births_alone || untold.is_some() => Exit::Partial,
        exit => exit,
    })
}

/// Notes for programs why a run that did all it tried is not done; people have been told.
fn without(left_out: &[Moved], reporter: &Reporter) {
    if !left_out.is_empty() {
        reporter.emit(Event::Undone {
            message: "what moved since the plan was reviewed was left out",
            help: &reviewed::lines(left_out),
        });
    }
}

/// What is left out while births alone go on, one line each.
fn set_aside(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| {
        let address = inert(&change.address.to_string());
        format!("{address}: {}", change.action.as_str())
    };
    changes.iter().map(line).collect()
}

/// How cnspec works with each key that was delivered; where its account cannot report scans, or is
/// not done, only where the key is.
fn hints(outcome: &Outcome, plan: &Plan, dir: &Path) -> String {
    let scans = |ended: &ChangeOutcome| {
        let mut changes = plan.changes.iter();
        let born = |action| matches!(action, Action::Create | Action::Rotate);
        let born = changes.find(|c| c.address == ended.address && born(c.action));
        let after = born.and_then(|change| change.after.as_ref());
        ended.result == ChangeResult::Done
            && after.is_some_and(|after| after.roles.contains(&Role::new("agent")))
    };
    // What stands below a directory whose name is not shown is told all the same.
    let dir = match echo::path(dir).is_plain() {
        true => dir,
        false => Path::new("…"),
    };
    let mut out = String::new();
    for change in &outcome.results {
        let address = inert(&change.address.to_string());
        for destination in &change.delivered_to {
            let file = destination.place().file();
            let hint = file.and_then(|file| configure_hint(file, dir));
            out.push_str(&match (hint.filter(|_| scans(change)), file) {
                (Some(hint), _) => {
                    format!("\nTo let cnspec work as {address}:\n  {}\n", inert(&hint))
                }
                (None, Some(file)) => format!(
                    "\nThe key of {address} is at {}\n",
                    word(&path_of(file, dir))
                ),
                (None, None) => {
                    let to = inert(&destination.to_string());
                    format!("\nThe key of {address} is in {to}\n")
                }
            });
        }
    }
    out
}

/// Where keys of the embedded platform are; cnspec has no use for them.
fn local_hint(outcome: &Outcome, dir: &Path) -> String {
    let keys = outcome
        .results
        .iter()
        .map(|change| change.delivered_to.len());
    if keys.sum::<usize>() == 0 {
        return String::new();
    }
    format!(
        "\nThe new keys are below {}, in place of the real ones. They open the embedded platform \
         alone, which runs only while a command with --local does.\n",
        word(dir)
    )
}

fn exit(outcome: &Outcome) -> Exit {
    if outcome.complete() {
        return Exit::Done;
    }
    if outcome.written || outcome.in_flight > 0 || outcome.held > 0 {
        return Exit::Partial;
    }
    if outcome.interrupted {
        return Exit::Interrupted;
    }
    let stale = outcome
        .results
        .iter()
        .any(|r| r.result == ChangeResult::Stale);
    let ended = |with: ChangeResult| outcome.results.iter().any(|r| r.result == with);
    let (refused, failed) = (ended(ChangeResult::Refused), ended(ChangeResult::Failed));
    if refused && !failed {
        return Exit::Refused;
    }
    if stale && !failed {
        Exit::Stale
    } else {
        Exit::Error
    }
}
