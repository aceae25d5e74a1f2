//! A plan from a file, for a reviewer: what its name covers, and apart from that what it does not.

use super::plan::{changes, digest, in_the_way, local, remarks};
use super::standing::in_flight;
use super::text::{ALARM, DIM, HEAD, paint, push, section};
use super::wrap::wrapped;
use crate::model::{Caller, Limits, Mrn, PolicyRef, Renewal};
use crate::plan::{Annex, Plan};
use crate::view::inert;
use crate::view::review::words::count;
use crate::view::review::{Look, named, summary};

/// A plan as its file has it. Everything above the heading is covered by the digest; whoever could
/// write the file could write anything below it.
pub fn shown(plan: &Plan, look: Look, columns: Option<usize>) -> String {
    let bare = bare(plan);
    let mut out = String::new();
    local(&mut out, &bare);
    push(&mut out, &paint(HEAD, &summary(&bare, false)));
    push(&mut out, "");
    section(
        &mut out,
        "In the way: apply refuses until these are settled",
        &bare.blocked,
        |blocked| {
            let (kind, accounts) = blocked.block.named();
            let mut lines = vec![format!(
                "  {} {}  {kind}",
                paint(ALARM, "!"),
                paint(HEAD, &inert(&blocked.address.to_string()))
            )];
            lines.push(format!("      {:<12} {}", "scope", blocked.scope));
            let account = |mrn: &&Mrn| format!("      {:<12} {}", "account", inert(mrn.as_str()));
            lines.extend(accounts.iter().map(account));
            lines
        },
    );
    changes(&mut out, &bare, look);
    meant(&mut out, plan);
    push(&mut out, &digest(&bare));
    push(&mut out, "");
    push(
        &mut out,
        &paint(
            HEAD,
            "==== Shown in addition, not covered by the digest: whoever can write the file can change it ====",
        ),
    );
    push(&mut out, "");
    besides(&mut out, plan, look);
    wrapped(&out, columns)
}

/// The plan without what its digest does not cover.
fn bare(plan: &Plan) -> Plan {
    let mut contents = plan.clone().into_contents();
    contents.annex = Annex::default();
    contents.caller = Caller {
        mrn: Mrn::new(""),
        name: None,
        binding: None,
    };
    contents.in_flight.clear();
    for change in &mut contents.changes {
        change.what.places.clear();
    }
    contents.settle()
}

/// For whom and where it is, what was meant by it, and by what it is judged.
fn meant(out: &mut String, plan: &Plan) {
    let mut meant = Vec::new();
    if plan.meant.destroy {
        meant.push("--destroy".to_owned());
    }
    let stacks = plan.meant.take_over.iter();
    meant.extend(stacks.map(|stack| format!("--take-over {stack}")));
    if plan.meant.accept_unsealed {
        meant.push("--accept-unsealed".to_owned());
    }
    let Renewal { of, due, alone } = &plan.meant.renewal;
    let option = if *alone { "rotate" } else { "--replace" };
    meant.extend(
        of.iter()
            .map(|address| format!("{option} {}", inert(&address.to_string()))),
    );
    if *due {
        meant.push("rotate --due".to_owned());
    }
    let births = plan.meant.resume.iter();
    meant.extend(births.map(|nonce| format!("--resume={}", inert(nonce.as_str()))));
    let mut line = format!("Stack {} at {}", plan.stack, inert(&plan.endpoint));
    if !meant.is_empty() {
        line.push_str(&format!(", meant with {}", meant.join(" ")));
    }
    push(out, &paint(DIM, &line));
    let Limits {
        max_deletes,
        max_dead_births,
        max_delete_percent,
        max_escalations,
        max_gained_grants,
        max_revoked_grants,
        min_owners,
        max_rotations,
    } = plan.limits;
    let limits = format!(
        "Limits: max_deletes {max_deletes}, max_dead_births {max_dead_births}, max_delete_percent {max_delete_percent}, max_escalations \
         {max_escalations}, max_gained_grants {max_gained_grants}, max_revoked_grants \
         {max_revoked_grants}, max_rotations {max_rotations}, min_owners {min_owners}"
    );
    push(out, &paint(DIM, &limits));
    for policy in &plan.policies {
        let PolicyRef {
            origin,
            name,
            sha256,
        } = policy;
        let line = format!(
            "Policy {} ({}) sha256:{sha256}",
            inert(name),
            origin.as_str()
        );
        push(out, &paint(DIM, &line));
    }
}

/// All that the digest does not cover.
fn besides(out: &mut String, plan: &Plan, look: Look) {
    let who = match &plan.caller.name {
        Some(name) => format!("{} ({})", inert(name), inert(plan.caller.mrn.as_str())),
        None => inert(plan.caller.mrn.as_str()),
    };
    let key = match plan.sealed {
        true => "with a seal key",
        false => "without a seal key",
    };
    push(
        out,
        &format!(
            "Planned by {who}, {key}; {} as declared.",
            count(plan.annex.unchanged, "account")
        ),
    );
    push(out, "");
    in_the_way(out, plan);
    in_flight(out, plan);
    let mut scopes: Vec<_> = plan.changes.iter().map(|change| &change.scope).collect();
    scopes.sort();
    scopes.dedup();
    let known = scopes
        .into_iter()
        .filter(|of| plan.annex.scopes.contains_key(of));
    section(out, "Names of scopes", known, |of| {
        vec![format!("  {}", named(of, &plan.annex))]
    });
    let placed = plan
        .changes
        .iter()
        .filter(|change| !change.places.is_empty());
    section(out, "From", placed, |change| {
        let places: Vec<String> = change
            .places
            .iter()
            .map(|p| inert(&p.to_string()))
            .collect();
        vec![format!(
            "  {} {}  {}",
            change.action.as_str(),
            inert(&change.address.to_string()),
            places.join(", ")
        )]
    });
    remarks(out, plan, look);
}
