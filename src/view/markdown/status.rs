//! A plan in one line, for the status of a commit.
//! Pure.

use super::form::Decision;
use crate::plan::Plan;
use crate::view::human::count;
use crate::view::review::{Kind, counts, escalations, owners};

/// How many digits of the digest stand in a line: enough to tell plans apart.
const DIGITS: usize = 12;

/// What is decided of a plan and what it does, in so many characters at most (GitHub takes 140), and the
/// beginning of its digest, which is never cut. Below 60 characters less is promised.
pub fn status(plan: &Plan, decision: Decision<'_>, most: usize) -> String {
    let name = format!(" [{}]", &plan.digest()[..DIGITS.min(plan.digest().len())]);
    let room = most.saturating_sub(name.len());
    let mut parts = Vec::new();
    parts.extend(decided(decision));
    // The gravest first: what comes last is cut first.
    let grave = |kind: &Kind| {
        !matches!(
            kind,
            Kind::Delete | Kind::Replace | Kind::Create | Kind::Roles
        )
    };
    let mut kinds = counts(plan);
    kinds.sort_by_key(|(kind, _)| (*kind != Kind::Delete, grave(kind), *kind));
    let escalations = escalations(plan);
    if escalations > 0 {
        parts.push(count(escalations, "escalation"));
    }
    match owners(plan) {
        0 => {}
        n => parts.push(count(n, "owner")),
    }
    parts.extend(
        kinds
            .iter()
            .map(|(kind, n)| format!("{n} to {}", kind.verb())),
    );
    match plan.blocked.len() {
        0 => {}
        n => parts.push(format!("{n} in the way")),
    }
    match plan.annex.unread.len() {
        0 => {}
        n => parts.push(format!("{} not read", count(n, "scope"))),
    }
    if plan.changes.is_empty() && plan.blocked.is_empty() {
        parts.push("no changes".to_owned());
    }
    let mut line = String::new();
    for (n, part) in parts.iter().enumerate() {
        let before = if n == 0 { "" } else { ", " };
        // There must be room for a sign that something is left out.
        let rest = if n + 1 == parts.len() {
            0
        } else {
            ", …".chars().count()
        };
        if line.chars().count() + before.len() + part.chars().count() + rest > room {
            if n > 0 {
                line.push_str(", …");
            }
            break;
        }
        line.push_str(before);
        line.push_str(part);
    }
    line + &name
}

/// What is decided, in few words.
fn decided(decision: Decision<'_>) -> Option<String> {
    const MOST: usize = 45;
    match decision {
        Decision::Moved => Some("not what was reviewed".to_owned()),
        Decision::Guards(refusals) => {
            let mut guards: Vec<&str> = refusals.iter().map(|refusal| refusal.guard).collect();
            guards.sort_unstable();
            guards.dedup();
            let listed = guards.join(", ");
            match guards.len() {
                0 => None,
                n if listed.len() > MOST => Some(format!("refused by {n} guards")),
                _ => Some(format!("refused by {listed}")),
            }
        }
    }
}
