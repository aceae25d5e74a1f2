//! Foreign text made harmless for a terminal.
//! Pure.

use std::borrow::Cow;
use std::fmt::Write;

/// Tells whether a character may act on a terminal or hide what it shows.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{70f}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{1343f}' | '\u{16fe4}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Tells whether a text begins as what CI runners take for a command wherever in a line it stands:
/// `##[group]` (GitHub), `##vso[…]` (Azure Pipelines), `##teamcity[…]`, and whatever comes next.
pub(super) fn opens_command(text: &str) -> bool {
    text.starts_with("##")
}

/// Shows control, escape, invisible and bidirectional characters as `\u{…}`, and the first of two `#`
/// too.
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
    fn whatever_a_ci_runner_may_take_for_a_command_is_broken() {
        assert_eq!(inert("x ##[add-mask]y"), "x \\u{23}#[add-mask]y");
        assert_eq!(inert("###[group]"), "\\u{23}\\u{23}#[group]");
        assert_eq!(inert("a##VSO[task.x]"), "a\\u{23}#VSO[task.x]");
        for text in ["##teamcity[x]", "##other[y]", "## Teams", "##"] {
            let shown = inert(text);
            assert!(
                !shown.contains("##") && shown.ends_with(&text[1..]),
                "{shown}"
            );
        }
        for text in ["# [x]", "#", "a # b # c"] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn what_nobody_sees_is_shown() {
        // Blanks that are no spaces, fillers, format controls, tags, selectors.
        for c in [
            '\u{2800}',
            '\u{3164}',
            '\u{115f}',
            '\u{1160}',
            '\u{ffa0}',
            '\u{16fe4}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{1d17a}',
            '\u{1bca0}',
            '\u{1bca3}',
            '\u{13430}',
            '\u{70f}',
            '\u{fff0}',
            '\u{e0000}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e01ef}',
            '\u{fe00}',
            '\u{fe0f}',
        ] {
            let shown = format!("\\u{{{:x}}}", u32::from(c));
            assert_eq!(inert(&format!("ci{c}-prod")), format!("ci{shown}-prod"));
        }
        for c in ['\u{a0}', '\u{3000}', '\u{2801}', '\u{1d15a}', 'ﾟ'] {
            assert_eq!(inert(&format!("ci{c}")), format!("ci{c}"));
        }
    }
}
