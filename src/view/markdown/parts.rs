//! The pieces that a plan's body is put together from: each is shown whole or not at all.
//! Pure.

use super::code::code;
use crate::model::by_block;
use crate::plan::{Obstacle, Plan, Standing};
use crate::policy::Refusal;
use crate::view::human::keys::stands;
use crate::view::human::obstacle;
use crate::view::inert;
use crate::view::review::words::{Tone, quoted};
use crate::view::review::{Entry, Field, Look, blocks, named, renamed, without_names};

/// Objections to accounts that break one policy, of which more are only counted.
const BROKEN: usize = 20;
/// Blocks to copy.
const BLOCKS: usize = 5;

/// A text as it may be shown: without names of things and people, unless all is.
fn shown(text: &str, look: Look) -> String {
    match look.all {
        true => code(text),
        false => code(&without_names(text)),
    }
}

/// The line of an entry.
pub(super) fn head(entry: &Entry<'_>, look: Look) -> String {
    let mut line = format!("- {}: {}", shown(&entry.title, look), code(&entry.what));
    for flag in &entry.flags {
        line.push_str(&match flag.tone {
            Tone::Alarm => format!(" **{}**", flag.text),
            _ => format!(" {}", flag.text),
        });
    }
    line.push('\n');
    line
}

/// All of an entry.
pub(super) fn details(entry: &Entry<'_>, look: Look) -> String {
    let mut out = format!("\n{}: {}\n\n", shown(&entry.title, look), code(&entry.what));
    for Field { name, values } in &entry.fields {
        let several = values.len() > 1;
        let name = if name.is_empty() { "and" } else { name };
        if several {
            out.push_str(&format!("- {name}:\n"));
        }
        for value in values {
            let text = shown(&value.text, look);
            out.push_str(&match several {
                true => format!("  - {text}\n"),
                false => format!("- {name}: {text}\n"),
            });
        }
    }
    out
}

/// As many instances of an entry as so many bytes take, and how many more there are.
pub(super) fn instances(entry: &Entry<'_>, room: usize) -> String {
    let n = entry.changes.len();
    let keys: Vec<String> = entry
        .changes
        .iter()
        .map(|change| inert(change.address.key.as_deref().unwrap_or_default()))
        .collect();
    let line = |taken: usize| {
        let more = match n - taken {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        format!("  - instances: {}{more}\n", code(&keys[..taken].join(", ")))
    };
    // Fences and padding are the same for all but names of backticks, which are looked at in the end.
    let mut taken = 0;
    let mut bytes = 80;
    for key in &keys {
        bytes += key.len() + 2;
        if bytes > room {
            break;
        }
        taken += 1;
    }
    while taken > 0 && line(taken).len() > room {
        taken -= 1;
    }
    match taken {
        0 => String::new(),
        taken => line(taken),
    }
}

/// Which changes are not shown, by block.
pub(super) fn left_out(entries: &[&Entry<'_>]) -> String {
    let addresses: Vec<String> = entries
        .iter()
        .flat_map(|entry| &entry.changes)
        .map(|change| format!("service_account.{}", change.address.name))
        .collect();
    let blocks = by_block(addresses.iter().map(String::as_str));
    format!(
        "- and {} more: {}\n",
        addresses.len(),
        code(&inert(&blocks))
    )
}

/// What a guard objects, with the way out. Of one policy a few are told.
pub(super) fn objections(refusals: &[Refusal], look: Look) -> Vec<String> {
    let mut seen = std::collections::BTreeMap::new();
    let mut all = Vec::new();
    for refusal in refusals {
        let mut message = inert(&refusal.message);
        if let Some(broken) = &refusal.broken {
            let policy = (broken.policy.origin, broken.policy.name.as_str());
            let n: &mut usize = seen.entry(policy).or_default();
            *n += 1;
            if *n > BROKEN {
                continue;
            }
            if broken.account.address.is_none() && !look.all {
                let whose = inert(&broken.account.shown());
                message = message.replace(&whose, "an account that no stack manages");
            }
        }
        let word = match refusal.apply_only {
            true => "apply will refuse",
            false => "refused",
        };
        all.push(format!(
            "- {word} by **{}**: {}\n  - {}\n",
            refusal.guard,
            shown(&message, look),
            shown(&inert(&refusal.help), look)
        ));
    }
    for ((_, policy), n) in seen.into_iter().filter(|(_, n)| *n > BROKEN) {
        all.push(format!(
            "- and {} more break the policy {}\n",
            n - BROKEN,
            code(&inert(policy))
        ));
    }
    all
}

/// What stands in the way, one line each; with the ways out where all is shown.
pub(super) fn obstacles(plan: &Plan, look: Look) -> Vec<String> {
    let lines = plan.blocked.iter().map(|blocked| {
        let (kind, _) = blocked.block.named();
        let (what, help) = obstacle::obstacle(blocked, plan);
        let unmanaged = matches!(blocked.block, Obstacle::Unmanaged { .. });
        if unmanaged && !look.all {
            let scope = named(&blocked.scope, &plan.annex);
            return format!(
                "- **{kind}**: {}\n",
                code(&format!("an account in {scope} that no stack manages"))
            );
        }
        let mut line = format!(
            "- **{kind}** {}: {}",
            shown(&obstacle::title(blocked), look),
            shown(&what, look)
        );
        if let Some(place) = &blocked.declared_at {
            line.push_str(&format!(", from {}", code(&inert(&place.to_string()))));
        }
        line.push('\n');
        if look.all {
            line.extend(help.iter().map(|way| format!("  - {}\n", code(way))));
        }
        line
    });
    lines.collect()
}

/// Blocks that keep accounts and keys of instances that have only got another key.
pub(super) fn moves(plan: &Plan) -> Option<String> {
    let all = renamed(plan);
    if all.is_empty() {
        return None;
    }
    let mut out =
        "\nIf a deleted instance has only got another key, this keeps its account and its key:\n\n"
            .to_owned();
    for (from, to) in all.iter().take(BLOCKS) {
        let block = blocks::moved(from, to).join("\n");
        // Longer than any run in it, and an indented line in a list could close no fence.
        let longest = block.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        out.push_str(&format!("{fence}hcl\n{block}\n{fence}\n\n"));
    }
    match all.len().saturating_sub(BLOCKS) {
        0 => {}
        more => out.push_str(&format!("and {more} more of the kind\n\n")),
    }
    Some(out)
}

/// What no change of this plan puts right, and what is worth knowing: headings with their lines.
pub(super) fn remarks(plan: &Plan, look: Look) -> Vec<(&'static str, Vec<String>)> {
    let annex = &plan.annex;
    let line = |what: String, text: String| format!("- {}: {}\n", code(&what), shown(&text, look));
    let address = |address: &crate::model::Address| inert(&address.to_string());
    let mut all = vec![
        (
            "Not read, so nothing in them is deleted",
            annex
                .unread
                .iter()
                .map(|(scope, unread)| line(named(scope, annex), inert(&unread.why)))
                .collect(),
        ),
        (
            "Expired: their keys open nothing any more",
            annex
                .expired
                .iter()
                .map(|of| line(address(&of.address), format!("expired {}", of.until)))
                .collect(),
        ),
        (
            "In need of a new key",
            annex
                .undelivered
                .iter()
                .map(|of| line(address(&of.address), inert(&of.why)))
                .collect(),
        ),
        (
            "Revoked",
            annex
                .revoked
                .iter()
                .map(|of| {
                    line(
                        address(&of.address),
                        format!("generation {}", of.generation),
                    )
                })
                .collect(),
        ),
        (
            "Keys that `rolecall rotate` replaces",
            annex
                .generations
                .iter()
                .filter(|of| {
                    of.standing.needs_person() || matches!(of.standing, Standing::Due { .. })
                })
                .map(|of| line(address(&of.address), stands(of).0))
                .collect(),
        ),
        (
            "To know",
            annex
                .notes
                .iter()
                .map(|(of, note)| line(address(of), inert(note)))
                .chain(
                    annex
                        .advice
                        .iter()
                        .map(|text| format!("- {}\n", shown(&inert(text), look))),
                )
                .collect(),
        ),
    ];
    if look.all {
        let left = annex.left_alone.iter().map(|left| {
            let account = &left.account;
            let roles: Vec<String> = account.roles.iter().map(|r| inert(r.short())).collect();
            let name = match account.name.as_str() {
                "" => inert(account.mrn.as_str()),
                name => quoted(name),
            };
            let what = format!("[{}] in {}", roles.join(", "), named(&account.scope, annex));
            line(name, what)
        });
        all.push(("Not managed by this stack, left alone", left.collect()));
    }
    all.retain(|(_, lines): &(_, Vec<String>)| !lines.is_empty());
    all
}
