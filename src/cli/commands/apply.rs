//! `rolecall apply`: shows the plan, asks, executes, reports.

use std::io::BufRead;

use crate::apply::{ChangeOutcome, ChangeResult, Options, Outcome, apply};
use crate::cli::args::ApplyArgs;
use crate::cli::exit::Exit;
use crate::cli::judged::Judged;
use crate::cli::{commit, judged, output, progress, record, report, session};
use crate::echo;
use crate::model::Role;
use crate::plan::{Action, Change, Moved, Plan};
use crate::policy::{Acks, approve};
use crate::sinks::{configure_hint, path_of};
use crate::view::{human, inert};

/// Why less goes on than is due.
const UNDER_ANOTHER_KEY: &str = "accounts are under another seal key, so births alone";

/// Runs the command.
pub async fn run(mut args: ApplyArgs) -> Exit {
    let acks = match Acks::parse(args.ack.iter().map(String::as_str)) {
        Ok(acks) => acks,
        Err(why) => {
            output::error(&why, &[]);
            return Exit::Usage;
        }
    };
    let judged = match judged::given(&mut args) {
        Ok(judged) => judged,
        Err(exit) => return exit,
    };
    let part_of = judged.as_ref().and_then(Judged::digest);
    if let Err(exit) = record::prepare(&args, part_of.as_deref()) {
        return exit;
    }
    let intent = session::Intent {
        meant: args.meant(),
        scopes: args.scopes,
        policies: &args.policies,
        apply: true,
    };
    let opened = session::open(&args.config, &args.platform, &intent).await;
    let mut session = match opened {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let mut left_out = Vec::new();
    let mut stale = None;
    match judged.as_ref().map(|judged| judged.hold(&session.plan)) {
        Some(Ok(Some(held))) => {
            session.plan = held.plan;
            left_out = held.left_out;
            record::left_out(&left_out);
        }
        Some(Err(exit)) => stale = Some(exit),
        Some(Ok(None)) | None => {}
    }
    let told = session.judge(&args.policies).await;
    report::plan(&session.plan);
    record::plan(&session.plan);
    if let (None, Err(exit)) = (stale, told) {
        return exit;
    }
    let shown = human::plan(&session.plan);
    output::print(&shown);
    if let Some(exit) = stale {
        return exit;
    }
    let unread = session.plan.annex.unread.len();
    if unread > 0 {
        let scopes = human::count(unread, "scope");
        output::warning(&format!(
            "{scopes} could not be read, so this plan is not the whole truth"
        ));
    }
    let in_flight = !session.plan.in_flight.is_empty();
    let approved = match approve(session.plan, &acks, part_of.as_deref()) {
        Ok(approved) => approved,
        Err(refusals) => {
            report::refusals(&refusals);
            output::print(&human::refusals(&refusals, true));
            output::refused(&refusals);
            return Exit::Refused;
        }
    };
    if !left_out.is_empty() {
        output::warning("what moved since the plan was judged is left out:");
        for line in judged::lines(&left_out) {
            output::tell(&format!("  = {line}"));
        }
    }
    // Whatever else is in the way is never approved.
    let births_alone = !approved.plan().blocked.is_empty();
    let set_aside = set_aside(approved.left_out());
    if births_alone {
        output::warning(&format!("{UNDER_ANOTHER_KEY} go on"));
        for line in &set_aside {
            output::tell(&format!("  = left out: {line}"));
        }
        record::set_aside(approved.left_out(), approved.plan());
    }
    if approved.plan().changes.is_empty() {
        without(&left_out);
        return match (in_flight, left_out.is_empty()) {
            (true, _) => Exit::Partial,
            (false, true) => Exit::Done,
            (false, false) => Exit::Stale,
        };
    }
    // Who judged the plan has said yes to it.
    if !args.yes && judged.is_none() && !confirmed(&shown) {
        return Exit::Error;
    }
    session.world.signals.applying();
    let options = Options {
        parallelism: usize::from(args.parallelism),
        seals: session.seals,
        commit: commit::of(&args.config.dir),
        ..Options::default()
    };
    let progress = progress::counting(approved.plan().changes.len());
    let outcome = apply(&approved, &session.world, &options).await;
    drop(progress);
    report::outcome(&outcome);
    record::outcome(&outcome);
    output::print("\n");
    output::print(&human::outcome(&outcome, &left_out));
    output::print(&if args.platform.local {
        local_hint(&outcome, &session.sinks)
    } else {
        hints(&outcome, approved.plan(), &session.sinks)
    });
    if let Some(next) = human::next(&outcome, judged.is_some(), &left_out) {
        output::print(&format!("\n{next}"));
    }
    without(&left_out);
    if births_alone {
        report::error(&format!("{UNDER_ANOTHER_KEY} went on"), &set_aside);
        output::print(
            "\nBirths alone went on, since accounts are under another seal key. Settle that as the plan \
             says, then plan again.\n",
        );
    }
    match exit(&outcome) {
        Exit::Done if !left_out.is_empty() || births_alone => Exit::Partial,
        exit => exit,
    }
}

/// Notes for programs why a run that did all it tried is not done; people have been told.
fn without(left_out: &[Moved]) {
    if !left_out.is_empty() {
        report::error(
            "what moved since the plan was judged was left out",
            &judged::lines(left_out),
        );
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

/// Asks on a terminal; elsewhere says what to do instead.
fn confirmed(plan: &str) -> bool {
    if !output::askable() {
        output::error(
            "nobody can be asked here, and nothing was written",
            &["review the plan above, then run again with --yes".to_owned()],
        );
        return false;
    }
    if !output::seen() {
        // Standard output goes elsewhere; who is asked still sees the plan.
        output::tell(plan);
    }
    output::tell("Apply this plan? Only `yes` is taken for a yes:");
    let mut answer = String::new();
    // An unreadable answer is not a yes.
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" {
        return true;
    }
    report::error("declined, nothing was written", &[]);
    output::tell("Declined, nothing was written.");
    false
}

/// How cnspec works with each key that was delivered; where its account cannot report scans, or is
/// not done, only where the key is.
fn hints(outcome: &Outcome, plan: &Plan, dir: &std::path::Path) -> String {
    let scans = |ended: &ChangeOutcome| {
        let mut changes = plan.changes.iter();
        let born = changes.find(|c| c.address == ended.address && c.action == Action::Create);
        let after = born.and_then(|change| change.after.as_ref());
        ended.result == ChangeResult::Done
            && after.is_some_and(|after| after.roles.contains(&Role::new("agent")))
    };
    // What stands below a directory whose name is not shown is told all the same.
    let dir = match echo::path(dir).is_plain() {
        true => dir,
        false => std::path::Path::new("…"),
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
                    output::word(&path_of(file, dir))
                ),
                (None, None) => {
                    let to = inert(&destination.to_string());
                    format!("\nThe key of {address} is at {to}\n")
                }
            });
        }
    }
    out
}

/// Where keys of the embedded platform are; cnspec has no use for them.
fn local_hint(outcome: &Outcome, dir: &std::path::Path) -> String {
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
        output::word(dir)
    )
}

fn exit(outcome: &Outcome) -> Exit {
    if outcome.complete() {
        return Exit::Done;
    }
    if outcome.written || outcome.in_flight > 0 {
        return Exit::Partial;
    }
    if outcome.interrupted {
        return Exit::Interrupted;
    }
    let stale = outcome
        .results
        .iter()
        .any(|r| r.result == ChangeResult::Stale);
    let failed = outcome
        .results
        .iter()
        .any(|r| r.result == ChangeResult::Failed);
    if stale && !failed {
        Exit::Stale
    } else {
        Exit::Error
    }
}
