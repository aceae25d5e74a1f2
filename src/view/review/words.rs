//! Small pieces of text for reviewers: counted nouns, quoted strings, values with a tone, differences.
//! Every text is harmless already and is one line; how a tone looks is the form's business.

use similar::{ChangeTag, TextDiff};

use crate::model::Mrn;
use crate::view::inert;

/// What a value says beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Nothing.
    Plain,
    /// Something is added.
    Add,
    /// Something is taken away.
    Remove,
    /// Something becomes something else.
    Change,
    /// Danger.
    Alarm,
    /// Less important.
    Dim,
}

/// One line of text with its tone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// The tone.
    pub tone: Tone,
    /// The text, harmless.
    pub text: String,
}

/// A value.
pub fn value(tone: Tone, text: impl Into<String>) -> Value {
    let text = text.into();
    Value { tone, text }
}

/// A number with its noun: `1 account`, `3 accounts`.
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// A foreign string in quotes.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", inert(text).replace('"', "\\\""))
}

/// An account that no stack has marked, so that it has no address.
pub fn unmanaged(name: &str, account: Option<&Mrn>) -> String {
    // A name may be null, and something must tell which account it is.
    let name = match (name, account) {
        ("", Some(account)) => inert(account.as_str()),
        (name, _) => quoted(name),
    };
    format!("{name} (unmanaged)")
}

/// Lines that show how a text changes. Short texts stand side by side; of long ones only the
/// lines that differ are shown, with one line around them.
pub fn changed(before: Option<&str>, after: Option<&str>) -> Vec<Value> {
    const SHORT: usize = 60;
    let (Some(old), Some(new)) = (before, after) else {
        return match (before, after) {
            (None, Some(new)) => vec![value(Tone::Add, format!("+ {}", quoted(new)))],
            (Some(old), None) => vec![value(Tone::Remove, format!("- {}", quoted(old)))],
            _ => Vec::new(),
        };
    };
    let short = |text: &str| text.chars().count() <= SHORT && !text.contains('\n');
    if short(old) && short(new) {
        let both = format!("{} → {}", quoted(old), quoted(new));
        return vec![value(Tone::Change, both)];
    }
    let difference = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for (n, hunk) in difference.grouped_ops(1).iter().enumerate() {
        if n > 0 {
            lines.push(value(Tone::Dim, "…"));
        }
        for op in hunk {
            for change in difference.iter_changes(op) {
                let line = inert(change.value().trim_end_matches('\n'));
                lines.push(match change.tag() {
                    ChangeTag::Delete => value(Tone::Remove, format!("- {line}")),
                    ChangeTag::Insert => value(Tone::Add, format!("+ {line}")),
                    ChangeTag::Equal => value(Tone::Dim, format!("  {line}")),
                });
            }
        }
    }
    lines
}
