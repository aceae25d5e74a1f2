//! `rolecall plan`: shows what differs, writes nothing.

use crate::cli::args::PlanArgs;
use crate::cli::exit::Exit;
use crate::cli::private_file::is_special;
use crate::cli::{judged, output, report, session};
use crate::echo;
use crate::policy::{Acks, approve};
use crate::view::{human, inert};

/// Runs the command.
pub async fn run(args: PlanArgs) -> Exit {
    if let Some(path) = &args.out
        && let Err(exit) = judged::probe(path)
    {
        return exit;
    }
    let intent = session::Intent {
        meant: args.meant(),
        policies: &args.policies,
        apply: false,
    };
    let opened = session::open(&args.config, &args.platform, &intent).await;
    let mut session = match opened {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    if let Err(exit) = session.judge(&args.policies).await {
        return exit;
    }
    let plan = session.plan;
    if let Some(path) = &args.out
        && let Err(exit) = judged::write(path, &plan)
    {
        return exit;
    }
    report::plan(&plan);
    output::print(&human::plan(&plan));
    if let Some(path) = args.out.as_ref().filter(|path| !is_special(path)) {
        output::tell(&format!(
            "The plan is in {}. Once it is judged, apply it with the same options: \
             `rolecall apply --plan {} {}`",
            inert(&echo::path(path).to_string()),
            output::word(path),
            output::word(&args.config.dir)
        ));
    }
    let changes = !plan.changes.is_empty() || !plan.in_flight.is_empty();
    let unread = plan.annex.unread.len();
    let unmanaged = plan
        .annex
        .left_alone
        .iter()
        .any(|left| left.stack.is_none() && left.account.mrn != plan.caller.mrn);
    let expired = !plan.annex.expired.is_empty();
    if let Err(refusals) = approve(plan, &Acks::default(), None) {
        report::refusals(&refusals);
        output::print(&human::refusals(&refusals, false));
        if refusals.iter().any(|refusal| !refusal.apply_only) {
            output::refused(&refusals);
            return Exit::Refused;
        }
    }
    if unread > 0 {
        let scopes = human::count(unread, "scope");
        output::warning(&format!(
            "{scopes} could not be read, so this plan is not the whole truth"
        ));
        if (args.strict || args.detailed_exitcode) && !changes {
            return Exit::Error;
        }
    }
    if args.strict && (unmanaged || expired) {
        return Exit::Unmanaged;
    }
    if args.detailed_exitcode && changes {
        Exit::Pending
    } else {
        Exit::Done
    }
}
