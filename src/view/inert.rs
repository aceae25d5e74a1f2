//! Makes foreign text harmless wherever it is printed.
//! Pure. What is shown differs from what is stored only where it would act instead of being read.

use std::fmt::Write as _;

use crate::diag::acts;

/// The longest text that is printed whole, in characters: more than any that is meant to be read.
const LONGEST: usize = 4_000;

/// Makes a foreign string safe to print on a terminal and in a CI log: control characters, escape
/// sequences, invisible and direction-changing characters are shown as escapes, and what CI
/// runners take for commands (`::add-mask::`, `##[group]`, `##vso[…]`) no longer is one. What goes
/// on for too long is cut, and says so.
pub fn inert(text: &str) -> String {
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        let more = text[at..].chars().count();
        return format!("{}… and {more} more characters", inert(&text[..at]));
    }
    let shown = crate::diag::inert(text);
    let mut out = shown.replace("##", "#\\u{23}");
    let start = out.len() - out.trim_start().len();
    if out[start..].starts_with("::") {
        out.replace_range(start..start + 2, ":\\u{3a}");
    }
    out
}

/// The same for text in HCL's syntax that is to be copied: what would act is written as HCL's own
/// escapes, and means the same. Such characters stand inside of strings only.
pub fn inert_hcl(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = '\0';
    for c in text.chars() {
        let command = c == '#' && before == '#';
        if (acts(c) && c != '\n') || command {
            let code = u32::from(c);
            // Writing to a String cannot fail.
            let _ = match code {
                0..=0xffff => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        } else {
            out.push(c);
        }
        before = c;
    }
    out
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
    fn what_goes_on_for_too_long_is_cut_and_says_how_much_is_left() {
        let shown = inert(&"\u{202e}ä".repeat(1_000_000));
        assert!(shown.len() < 40_000, "{}", shown.len());
        assert!(shown.ends_with("ä… and 1996000 more characters"));
        for whole in ["x".repeat(4_000), "監".repeat(4_000)] {
            assert_eq!(inert(&whole), whole);
        }
        assert_eq!(
            inert(&"x".repeat(4_001)),
            "x".repeat(4_000) + "… and 1 more characters"
        );
    }

    #[test]
    fn ci_commands_are_broken_up() {
        assert_eq!(inert("::add-mask::x"), ":\\u{3a}add-mask::x");
        assert_eq!(inert("  ::set-output::"), "  :\\u{3a}set-output::");
        assert!(!inert("x ##[group]").contains("##["));
        assert!(!inert("##vso[task]").contains("##vso"));
    }
}
