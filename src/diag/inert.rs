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

/// Shows control, escape, invisible and bidirectional characters as `\u{…}`.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push_inert(&mut out, c);
    }
    Cow::Owned(out)
}

/// Appends one character, escaped when it is active.
pub(super) fn push_inert(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if acts(c) => {
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
}
