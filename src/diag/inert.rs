//! Foreign text made harmless for a terminal.
//! Pure.

use std::borrow::Cow;
use std::fmt::Write;

/// Tells whether a character may act on a terminal or hide what it shows.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Tells whether a text begins with what CI runners take for a command wherever in a line it
/// stands: `##[group]` (GitHub), `##vso[…]` (Azure Pipelines).
pub(super) fn opens_command(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("##") else {
        return false;
    };
    let name = rest
        .get(..3)
        .filter(|name| name.eq_ignore_ascii_case("vso"));
    rest[name.map_or(0, str::len)..].starts_with('[')
}

/// Shows control, escape, invisible and bidirectional characters as `\u{…}`, and the first
/// character of a CI command too.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) && !text.contains("##") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        push_inert(&mut out, c, &text[at..]);
    }
    Cow::Owned(out)
}

/// Appends the first character of `rest`, escaped when it is active.
pub(super) fn push_inert(out: &mut String, c: char, rest: &str) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if acts(c) || opens_command(rest) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn escapes_what_acts_and_leaves_the_rest() {
        assert_eq!(inert("grün \"x\" 😀"), "grün \"x\" 😀");
        assert_eq!(inert("\u{1b}[31mred\r\n"), "\\u{1b}[31mred\\r\\n");
        assert_eq!(
            inert("a\u{202e}b\u{200b}\u{7f}\u{9b}"),
            "a\\u{202e}b\\u{200b}\\u{7f}\\u{9b}"
        );
    }

    #[test]
    fn commands_of_ci_runners_are_broken_and_headings_are_not() {
        assert_eq!(inert("x ##[add-mask]y"), "x \\u{23}#[add-mask]y");
        assert_eq!(inert("###[group]"), "#\\u{23}#[group]");
        assert_eq!(inert("a##VSO[task.x]"), "a\\u{23}#VSO[task.x]");
        for text in ["## Teams", "a ## b", "##vsé[", "# [x]", "##"] {
            assert_eq!(inert(text), text);
        }
    }
}
