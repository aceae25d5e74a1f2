//! Makes foreign text harmless wherever it is printed.
//! Pure. What is shown differs from what is stored only where it would act instead of being read.

use std::fmt::Write as _;

/// Makes a foreign string safe to print on a terminal and in a CI log: control characters, escape
/// sequences, invisible and direction-changing characters are shown as escapes, and what CI
/// runners take for commands (`::add-mask::`, `##[group]`, `##vso[…]`) no longer is one.
pub fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut previous = '\0';
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '#' if previous == '#' => out.push_str("\\u{23}"),
            ':' if out.trim_start() == ":" => out.push_str("\\u{3a}"),
            c if c.is_control() || acts(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
        previous = c;
    }
    out
}

/// Characters that change how others look, or that nobody sees.
fn acts(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_of_any_language_stays_as_it_is() {
        for text in [
            "ci-prod",
            "Überwachung",
            "監視",
            "a: b",
            "#1",
            "//a.b/c",
            "x::y",
            "",
        ] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn what_would_act_is_shown_instead() {
        assert_eq!(inert("a\nb\r\tc"), "a\\nb\\r\\tc");
        assert_eq!(inert("\u{1b}[31mred"), "\\u{1b}[31mred");
        assert_eq!(inert("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(inert("ab\u{202e}cd"), "ab\\u{202e}cd");
        assert_eq!(inert("a\u{200b}b"), "a\\u{200b}b");
        assert_eq!(inert("\u{e0041}"), "\\u{e0041}");
    }

    #[test]
    fn ci_commands_are_broken_up() {
        assert_eq!(inert("::add-mask::x"), ":\\u{3a}add-mask::x");
        assert_eq!(inert("  ::set-output::"), "  :\\u{3a}set-output::");
        assert!(!inert("x ##[group]").contains("##["));
        assert!(!inert("##vso[task]").contains("##vso"));
    }
}
