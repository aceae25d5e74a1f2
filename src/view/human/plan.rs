//! The plan for a reviewer: in one line what is done, then what stands in the way, who gains power and what is
//! lost, then the rest; what does not change is only counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::keys::{receiving, store};
use super::standing::in_flight;
use super::text::{ALARM, DIM, HEAD, paint, push, section, toned};
use super::wrap::wrapped;
use super::{obstacle, refusal};
use crate::model::{Role, Scope};
use crate::plan::{Blocked, LeftAlone, Obstacle, Plan, standing};
use crate::view::inert;
use crate::view::review::words::{count, quoted};
use crate::view::review::{self, Entry, Look, Section, blocks, named, renamed};

/// Unmanaged accounts that are listed one by one, besides owners, which are always listed.
const LISTED: usize = 10;
/// Blocks to copy that are shown.
const BLOCKS: usize = 5;
/// Lines after which the summary is told again, since the first one is out of sight.
const SCREEN: usize = 40;

/// The whole plan, as the run made it that shows it: what is alike in one entry, in lines of any length.
pub fn plan(plan: &Plan) -> String {
    plan_as(plan, Look::OWN, None)
}

/// The same, as much as is asked for, in lines of so many columns where they are given.
pub fn plan_as(plan: &Plan, look: Look, columns: Option<usize>) -> String {
    let mut out = String::new();
    local(&mut out, plan);
    push(&mut out, &paint(HEAD, &review::summary(plan, true)));
    push(&mut out, "");
    in_the_way(&mut out, plan);
    changes(&mut out, plan, look);
    in_flight(&mut out, plan);
    remarks(&mut out, plan, look);
    let mut out = wrapped(&out, columns);
    if out.lines().count() > SCREEN {
        let again = paint(HEAD, &review::summary(plan, true));
        push(&mut out, &wrapped(&again, columns));
    }
    push(&mut out, &digest(plan));
    out
}

/// Of a plan only what is done in numbers, and its name: for readers who may see no more.
pub fn plan_in_numbers(plan: &Plan) -> String {
    let mut out = String::new();
    local(&mut out, plan);
    push(&mut out, &paint(HEAD, &review::summary(plan, true)));
    push(&mut out, &digest(plan));
    out
}

/// Where it would run, if that is not Mondoo.
pub(super) fn local(out: &mut String, plan: &Plan) {
    if plan.endpoint == "local" {
        push(
            out,
            &paint(
                DIM,
                "LOCAL: against the embedded platform, not Mondoo; keys go to .rolecall/, not to the real places.",
            ),
        );
        push(out, "");
    }
}

/// What apply refuses, with the way out.
pub(super) fn in_the_way(out: &mut String, plan: &Plan) {
    let (strange, blocked): (Vec<&Blocked>, Vec<&Blocked>) =
        (plan.blocked.iter()).partition(|b| matches!(b.block, Obstacle::OtherKey { .. }));
    section(
        out,
        "Under another seal key: first see who changed it, and why",
        strange,
        |b| obstacle::blocked(b, plan),
    );
    section(
        out,
        "In the way: apply refuses until these are settled",
        blocked,
        |b| obstacle::blocked(b, plan),
    );
}

/// What is done, the grave first.
pub(super) fn changes(out: &mut String, plan: &Plan, look: Look) {
    let all = review::entries(plan, look);
    let mut spread = false;
    for part in Section::ALL {
        let entries: Vec<&Entry<'_>> = all.iter().filter(|entry| entry.section == part).collect();
        spread |= entries.iter().any(|entry| entry.changes.len() > 1);
        if entries.is_empty() {
            continue;
        }
        push(out, &paint(HEAD, &format!("{}:", part.title())));
        push(out, "");
        for (n, entry) in entries.iter().enumerate() {
            let lines = lines(entry);
            // What takes one line stands close to its like.
            let next = entries
                .get(n + 1)
                .is_some_and(|next| next.fields.is_empty());
            let close = lines.len() == 1 && next;
            lines.iter().for_each(|line| push(out, line));
            if !close {
                push(out, "");
            }
        }
        if part == Section::Deleted {
            keys_renamed(out, plan);
        }
    }
    section(out, "Stores that receive keys", receiving(plan), store);
    if spread {
        let line = "Instances of one block that change alike are one entry; --full shows each.";
        push(out, &paint(DIM, line));
        push(out, "");
    }
}

fn lines(entry: &Entry<'_>) -> Vec<String> {
    let sign = entry.sign();
    let mut head = format!(
        "  {} {}: {}",
        toned(&sign),
        paint(HEAD, &entry.title),
        entry.what
    );
    for flag in &entry.flags {
        // Writing to a String cannot fail.
        let _ = write!(head, "  {}", toned(flag));
    }
    let mut lines = vec![head];
    for field in &entry.fields {
        for (n, value) in field.values.iter().enumerate() {
            let name = if n == 0 { field.name } else { "" };
            lines.push(format!("      {name:<12} {}", toned(value)));
        }
    }
    lines
}

/// What keeps the account and the key of an instance that has only got another key.
fn keys_renamed(out: &mut String, plan: &Plan) {
    let all = renamed(plan);
    let more = all.len().saturating_sub(BLOCKS);
    section(
        out,
        "If a deleted instance has only got another key, this keeps its account and its key",
        all.iter().take(BLOCKS),
        |(from, to)| {
            let block = blocks::moved(from, to);
            block.iter().map(|line| format!("  =   {line}")).collect()
        },
    );
    if more > 0 {
        push(out, &format!("  … and {more} more of the kind"));
        push(out, "");
    }
}

/// What changes nothing.
pub(super) fn remarks(out: &mut String, plan: &Plan, look: Look) {
    section(
        out,
        "Not read, so nothing in them is deleted",
        &plan.annex.unread,
        |(scope, u)| {
            let named = u.why.contains(scope.id());
            vec![if named {
                format!("  {}", inert(&u.why))
            } else {
                format!("  {scope}: {}", inert(&u.why))
            }]
        },
    );
    section(out, "To know", &plan.annex.notes, |(address, note)| {
        vec![format!(
            "  {}: {}",
            inert(&address.to_string()),
            inert(note)
        )]
    });
    let advice = plan
        .annex
        .advice
        .iter()
        .map(|advice| match standing(advice) {
            Some(short) if !look.full => short.to_owned(),
            _ => advice.clone(),
        });
    section(out, "To know about the platform", advice, |advice| {
        vec![format!("  {}", inert(&advice))]
    });
    refusal::warnings(out, plan);
    match look.full {
        true => left_alone(out, plan),
        false => left_alone_in_short(out, plan),
    }
}

/// Who else is there, in one line: how many, and the owners among them.
fn left_alone_in_short(out: &mut String, plan: &Plan) {
    let others: Vec<&LeftAlone> = plan
        .annex
        .left_alone
        .iter()
        .filter(|left| !plan.caller.owns(&left.account.mrn))
        .collect();
    if others.is_empty() {
        return;
    }
    let owns = |left: &&&LeftAlone| left.account.roles.iter().any(Role::owns);
    let owners: Vec<String> = others
        .iter()
        .filter(owns)
        .map(|left| match left.account.name.as_str() {
            // A name may be null, and something must tell which account it is.
            "" => inert(left.account.mrn.as_str()),
            name => quoted(name),
        })
        .collect();
    let mut line = format!(
        "Not managed by this stack, left alone: {}",
        count(others.len(), "account")
    );
    let shown = owners.iter().take(LISTED).cloned().collect::<Vec<_>>();
    match owners.len() {
        0 => {}
        n => {
            let more = n.saturating_sub(LISTED);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            // As above.
            let _ = write!(
                line,
                ", {n} with {} rights: {}{more}",
                paint(ALARM, "OWNER"),
                shown.join(", ")
            );
        }
    }
    push(out, &format!("{line}. `rolecall list` names all."));
    push(out, "");
}

/// Who else is there.
pub(super) fn left_alone(out: &mut String, plan: &Plan) {
    let all = &plan.annex.left_alone;
    if all.is_empty() {
        return;
    }
    push(out, &paint(HEAD, "Not managed by this stack, left alone:"));
    push(out, "");
    let owner = |l: &LeftAlone| l.account.roles.iter().any(Role::owns);
    let owners = all.iter().filter(|l| owner(l)).count();
    for left in all.iter().take(owners.max(LISTED)) {
        let account = &left.account;
        let roles: Vec<String> = account.roles.iter().map(|r| inert(r.short())).collect();
        // A name may be null, and something must tell which account it is.
        let name = match account.name.as_str() {
            "" => inert(account.mrn.as_str()),
            name => quoted(name),
        };
        let mut line = format!(
            "  {name}  [{}]  {}",
            roles.join(", "),
            named(&account.scope, &plan.annex)
        );
        if plan.caller.owns(&account.mrn) {
            line.push_str("  this run's own account");
        } else if owner(left) {
            // Writing to a String cannot fail.
            let _ = write!(line, "  {}", paint(ALARM, "OWNER"));
        }
        if let Some(stack) = &left.stack {
            let _ = write!(line, "  of stack {stack}");
        }
        push(out, &line);
    }
    if all.len() > owners.max(LISTED) {
        let rest = &all[owners.max(LISTED)..];
        let mut scopes: BTreeMap<&Scope, usize> = BTreeMap::new();
        for left in rest {
            *scopes.entry(&left.account.scope).or_default() += 1;
        }
        let scopes: Vec<String> = scopes
            .into_iter()
            .map(|(of, n)| format!("{n} in {}", named(of, &plan.annex)))
            .collect();
        push(
            out,
            &format!(
                "  … and {} more without owner rights: {}; `rolecall list` names all",
                rest.len(),
                scopes.join(", ")
            ),
        );
    }
    push(out, "");
}

/// What names the plan.
pub(super) fn digest(plan: &Plan) -> String {
    paint(DIM, &format!("Plan digest: sha256:{}", plan.digest()))
}
