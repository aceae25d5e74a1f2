//! Lines that fit a terminal: broken between words alone, and set in below what they belong to.

use anstream::adapter::strip_str;
use unicode_width::UnicodeWidthStr as _;

/// The narrowest that lines are broken for.
const NARROWEST: usize = 40;
/// The furthest that the rest of a line is set in.
const FURTHEST: usize = 24;
/// The name of a field that takes all the room that names have.
const LONGEST: &str = "read then by ";

/// A text in lines of so many columns, where they are given. A word that is wider than a line has a line for
/// itself; what is to be copied (`=   `) stays whole.
pub fn wrapped(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let columns = columns.max(NARROWEST);
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        one(&mut out, line, columns);
        out.push_str(end);
    }
    out
}

/// How many columns a text takes that may have colours in it.
fn width(text: &str) -> usize {
    match text.contains('\u{1b}') {
        true => strip_str(text).to_string().width(),
        false => text.width(),
    }
}

fn one(out: &mut String, line: &str, columns: usize) {
    let plain = strip_str(line).to_string();
    if plain.width() <= columns || plain.trim_start().starts_with("=   ") {
        out.push_str(line);
        return;
    }
    let inset = inset(&plain);
    let mut taken = 0;
    let mut first = true;
    let mut words = line.split(' ').peekable();
    // What the line is set in by.
    while words.next_if(|word| word.is_empty()).is_some() {
        out.push(' ');
        taken += 1;
    }
    let mut blanks = 0;
    for word in words {
        if word.is_empty() {
            blanks += 1;
            continue;
        }
        let wide = width(word);
        // A word that a CI runner takes for a command must not begin a line.
        let bound = strip_str(word).to_string().trim_start().starts_with("::");
        if first {
            first = false;
        } else if taken + 1 + blanks + wide <= columns || bound || taken <= inset {
            out.extend(std::iter::repeat_n(' ', 1 + blanks));
            taken += 1 + blanks;
        } else {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', inset));
            taken = inset;
        }
        blanks = 0;
        out.push_str(word);
        taken += wide;
    }
}

/// How far the rest of a line is set in: below the value of a field, else a little below its begin.
fn inset(plain: &str) -> usize {
    let begin = plain.len() - plain.trim_start().len();
    let rest = &plain[begin..];
    let field = rest.find("  ").filter(|at| !rest[..*at].contains(':'));
    if let Some(at) = field {
        let value = plain.len() - rest[at..].trim_start().len();
        if value <= FURTHEST {
            return value;
        }
    }
    match rest {
        _ if rest.starts_with(LONGEST) => begin + LONGEST.len(),
        _ if rest.starts_with("= ") => begin + 2,
        // The second line of a field.
        _ if begin > 12 => begin,
        _ => begin + 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::human::text::{ADD, paint};

    #[test]
    fn lines_are_broken_between_words_and_set_in_below_what_they_belong_to() {
        let lines = |text: &str, columns: usize| {
            let shown = wrapped(text, Some(columns));
            assert!(
                shown.split_whitespace().eq(text.split_whitespace()),
                "nothing is lost: {shown}"
            );
            shown
        };
        assert_eq!(
            lines(
                "  + service_account.ci: create [agent], in space payments (a-1)",
                40
            ),
            "  + service_account.ci: create [agent],\n      in space payments (a-1)"
        );
        assert_eq!(
            lines(
                "      power        it can read everything there, and no more\n\nx\n",
                40
            ),
            "      power        it can read\n                   everything there, and\n                   no more\n\nx\n"
        );
        assert_eq!(
            lines(
                "      key goes to  a_word_that_is_far_too_wide_for_any_line_here and more",
                40
            ),
            "      key goes to  a_word_that_is_far_too_wide_for_any_line_here\n                   and more"
        );
        assert_eq!(
            lines("監視 監視 監視 監視 監視 監視 監視 監視 監視", 40),
            "監視 監視 監視 監視 監視 監視 監視 監視\n    監視"
        );
    }

    #[test]
    fn what_is_copied_stays_whole_and_no_line_begins_with_a_command() {
        let copied = "      =     id = \"//agents.api.mondoo.app/spaces/a/serviceaccounts/b\"";
        assert_eq!(wrapped(copied, Some(40)), copied);
        let text = "x ".repeat(19) + "::set-output name=a::b";
        let shown = wrapped(&text, Some(40));
        assert!(
            !shown
                .lines()
                .any(|line| line.trim_start().starts_with("::")),
            "{shown}"
        );
    }

    #[test]
    fn colours_take_no_room_and_without_a_width_nothing_is_broken() {
        let text = format!(
            "{} {}",
            paint(ADD, &"a".repeat(20)),
            paint(ADD, &"b".repeat(19))
        );
        assert_eq!(wrapped(&text, Some(40)), text);
        let long = "word ".repeat(100);
        assert_eq!(wrapped(&long, None), long);
    }
}
