//! `rolecall plan`: shows what differs, writes nothing.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::events::Event;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::{
    Asked, ConfigArgs, FormArgs, PlatformChoice, PolicyArgs, ReviewArgs, Scopes, address, beside,
    meant, nonce, stack,
};
use crate::cli::outputs::Files;
use crate::cli::papers::Papers;
use crate::cli::paths::word;
use crate::cli::reporter::Reporter;
use crate::cli::{papers, reviewed, session};
use crate::echo;
use crate::model::{Address, Nonce, Renewal, StackId};
use crate::plan::{Generation, in_gone};
use crate::policy::{Acks, LocalFiles, approve};
use crate::private_file::is_special;
use crate::view::markdown::Decision;
use crate::view::{human, inert};

/// `rolecall plan`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall plan --local examples/quickstart\n  \
rolecall plan --detailed-exitcode access/   # exits 2 if anything would change\n  \
rolecall plan --out plan.json access/       # for review; then: apply --plan plan.json access/\n  \
rolecall plan --markdown plan.md access/    # for a comment where it is reviewed"
)]
pub struct PlanArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// The policies.
    #[command(flatten)]
    pub policies: PolicyArgs,

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

    /// Exit 2 if there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,

    /// Exit 6 if there are accounts that no configuration manages, or some of this one that have expired or
    /// want a new key
    #[arg(long)]
    pub strict: bool,

    /// Plan to delete all that this configuration manages
    #[arg(long)]
    pub destroy: bool,

    /// Let `import` blocks take accounts of this other stack (NAME/ID), whose configuration is gone
    #[arg(long, value_name = "STACK", value_parser = stack)]
    pub take_over: Vec<StackId>,

    /// Plan a new key for this account too, besides what differs: another account takes its place
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub replace: Vec<Address>,

    /// What `rotate` asks for.
    #[arg(skip)]
    pub renewal: Option<Renewal>,

    /// Say that the run which began the birth of this nonce is dead, as `plan` shows it: what it left is
    /// removed and created anew, and nothing is waited for
    #[arg(long, value_name = "NONCE", value_parser = nonce)]
    pub resume: Vec<Nonce>,

    /// Write the plan to a file that `apply --plan FILE` holds what is due then against
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl Invocation for PlanArgs {
    fn form(&self) -> FormArgs {
        self.form.clone()
    }

    fn review(&self) -> Option<&ReviewArgs> {
        Some(&self.review)
    }

    fn files(&self) -> Files<'_> {
        Files::default()
            .writes("--out", self.out.as_ref())
            .form(&self.form)
            .review(&self.review)
            .policies(&self.policies)
            .configuration(&self.config)
            .platform(&self.platform)
    }

    fn values(&mut self) -> Option<&mut ConfigArgs> {
        Some(&mut self.config)
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

/// Plans.
///
/// # Errors
/// Why it cannot, or what refuses.
pub(super) async fn run(mut args: PlanArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let renewal = args.renewal.take().unwrap_or_else(|| beside(&args.replace));
    if let Some(path) = &args.out {
        reviewed::probe(path)?;
    }
    papers::probe(&args.review)?;
    let intent = session::Intent {
        meant: meant(
            args.destroy,
            &args.take_over,
            Asked {
                renewal: renewal.clone(),
                resume: &args.resume,
            },
            &args.platform,
        ),
        scopes: args.scopes,
        policies: &args.policies,
        exec: None,
        apply: false,
        follows: None,
    };
    let mut session = session::open(&args.config, &args.platform, &intent, reporter).await?;
    session.judge(&args.policies).await?;
    let lost = in_gone(&session.desired, &session.live).count();
    let plan = session.plan;
    if let Some(path) = &args.out {
        reviewed::write(path, &plan)?;
    }
    reporter.emit(Event::Planned(&plan));
    let papers = Papers::of(&args.review, &args.form, reporter);
    papers.result(&plan);
    if let Some(path) = args.out.as_ref().filter(|path| !is_special(path)) {
        reporter.note(&format!(
            "The plan is in {}. Once it is reviewed, apply it with the same options: \
             `rolecall {} --plan {} {}`",
            inert(&echo::path(path).to_string()),
            if renewal.alone { "rotate" } else { "apply" },
            word(path),
            word(&args.config.dir)
        ));
    }
    let changes = !plan.changes.is_empty() || !plan.in_flight.is_empty();
    let unread = plan.annex.unread.len();
    let unmanaged = plan
        .annex
        .left_alone
        .iter()
        .any(|left| left.stack.is_none() && !plan.caller.owns(&left.account.mrn));
    let aged = |of: &Generation| of.standing.needs_person();
    let expired = !plan.annex.expired.is_empty()
        || !plan.annex.undelivered.is_empty()
        || !plan.annex.revoked.is_empty()
        || plan.annex.generations.iter().any(aged);
    let judged = approve(plan.clone(), &Acks::default(), None, LocalFiles::Stay);
    let refusals = judged.err().unwrap_or_default();
    papers.plan(&plan, Decision::Guards(&refusals))?;
    if !refusals.is_empty() {
        reporter.emit(Event::Refused(&refusals));
        papers.refusals(&refusals, false);
        if refusals.iter().any(|refusal| !refusal.apply_only) {
            return Err(Failure::refused(&refusals));
        }
    }
    if unread > 0 {
        let scopes = human::count(unread, "scope");
        reporter.warn(&format!(
            "{scopes} could not be read, so this plan is not complete"
        ));
    }
    if lost > 0 {
        let accounts = human::count(lost, "declared account");
        reporter.warn(&format!(
            "{accounts} in what is gone, or hidden from this login, or has another id, so this plan is \
             not complete"
        ));
    }
    let needy = unmanaged || expired || lost > 0;
    Ok(exit(&args, needy, unread > 0 || lost > 0, changes))
}

/// What a plan amounts to that nothing refuses. What was not read goes before what is pending: it
/// may hold more. `needy` says that there are accounts that need a person. What is declared in a
/// space that is gone or hidden is both.
fn exit(args: &PlanArgs, needy: bool, unread: bool, changes: bool) -> Exit {
    let asked = args.strict || args.detailed_exitcode;
    if args.strict && needy {
        Exit::Unmanaged
    } else if asked && unread {
        Exit::Error
    } else if args.detailed_exitcode && changes {
        Exit::Pending
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches as _;

    #[test]
    fn what_was_not_read_ends_a_plan_before_what_is_pending_and_after_what_is_unmanaged() {
        let ended = |options: &[&str], unmanaged, unread, changes| {
            let given = ["plan"].iter().chain(options);
            let read = PlanArgs::augment_args(clap::Command::new("plan")).get_matches_from(given);
            let args = PlanArgs::from_arg_matches(&read).expect("an order");
            exit(&args, unmanaged, unread, changes).code()
        };
        let (strict, detailed) = ("--strict", "--detailed-exitcode");
        for (options, expected) in [
            (&[][..], [0, 0, 0, 0]),
            (&[strict], [6, 6, 1, 0]),
            (&[detailed], [1, 2, 1, 2]),
            (&[strict, detailed], [6, 6, 1, 2]),
        ] {
            let found = [
                ended(options, true, true, true),
                ended(options, true, false, true),
                ended(options, false, true, true),
                ended(options, false, false, true),
            ];
            assert_eq!(found, expected, "{options:?}");
            assert_eq!(ended(options, false, false, false), 0);
        }
        assert_eq!(ended(&[detailed], false, true, false), 1);
    }
}
