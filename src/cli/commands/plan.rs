//! `rolecall plan`: shows what differs, writes nothing.

use crate::cli::args::PlanArgs;
use crate::cli::exit::Exit;
use crate::cli::private_file::is_special;
use crate::cli::{judged, output, report, session};
use crate::echo;
use crate::plan::in_gone;
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
        scopes: args.scopes,
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
    let lost = in_gone(&session.desired, &session.live).count();
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
    }
    if lost > 0 {
        let accounts = human::count(lost, "declared account");
        output::warning(&format!(
            "{accounts} in what is gone, or hidden from this login, or has another id, so this plan \
             is not the whole truth"
        ));
    }
    let needy = unmanaged || expired || lost > 0;
    exit(&args, needy, unread > 0 || lost > 0, changes)
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
    use crate::cli::args::{Args, Command};

    #[test]
    fn what_was_not_read_ends_a_plan_before_what_is_pending_and_after_what_is_unmanaged() {
        let ended = |options: &[&str], unmanaged, unread, changes| {
            let given = ["rolecall", "plan"].iter().chain(options).map(Into::into);
            let args = Args::read(given.collect()).expect("an order");
            let Command::Plan(args) = args.command else {
                panic!("a plan");
            };
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
