//! Small pieces of text: counted nouns, coloured words, differences of long strings.

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use crate::model::Mrn;
use crate::view::inert;

/// Something is added.
pub const ADD: Style = AnsiColor::Green.on_default();
/// Something is taken away.
pub const REMOVE: Style = AnsiColor::Red.on_default();
/// Something changes.
pub const CHANGE: Style = AnsiColor::Yellow.on_default();
/// A heading.
pub const HEAD: Style = Style::new().bold();
/// Danger.
pub const ALARM: Style = AnsiColor::Red.on_default().bold();
/// Less important.
pub const DIM: Style = Style::new().dimmed();

/// Wraps a text in a style.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
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

/// A heading and what stands under it; nothing where nothing does.
pub fn section<T>(
    out: &mut String,
    title: &str,
    items: impl IntoIterator<Item = T>,
    lines: impl Fn(T) -> Vec<String>,
) {
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        return;
    }
    push(out, &paint(HEAD, &format!("{title}:")));
    push(out, "");
    for item in items {
        for line in lines(item) {
            push(out, &line);
        }
        push(out, "");
    }
}

/// One line.
pub fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// Lines that show how a text changes. Short texts stand side by side; of long ones only the
/// lines that differ are shown, with one line around them.
pub fn changed(before: Option<&str>, after: Option<&str>) -> Vec<String> {
    const SHORT: usize = 60;
    let (Some(old), Some(new)) = (before, after) else {
        return match (before, after) {
            (None, Some(new)) => vec![paint(ADD, &format!("+ {}", quoted(new)))],
            (Some(old), None) => vec![paint(REMOVE, &format!("- {}", quoted(old)))],
            _ => Vec::new(),
        };
    };
    let short = |text: &str| text.chars().count() <= SHORT && !text.contains('\n');
    if short(old) && short(new) {
        return vec![format!(
            "{} → {}",
            paint(REMOVE, &quoted(old)),
            paint(ADD, &quoted(new))
        )];
    }
    let difference = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for (n, hunk) in difference.grouped_ops(1).iter().enumerate() {
        if n > 0 {
            lines.push(paint(DIM, "…"));
        }
        for op in hunk {
            for change in difference.iter_changes(op) {
                let line = inert(change.value().trim_end_matches('\n'));
                lines.push(match change.tag() {
                    ChangeTag::Delete => paint(REMOVE, &format!("- {line}")),
                    ChangeTag::Insert => paint(ADD, &format!("+ {line}")),
                    ChangeTag::Equal => paint(DIM, &format!("  {line}")),
                });
            }
        }
    }
    lines
}
