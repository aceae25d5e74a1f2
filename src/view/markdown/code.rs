//! Foreign text in Markdown: whatever is not written here stands in a code span, where nothing in it is a
//! mention, a reference, a link, markup, or HTML.
//! Pure.

use std::fmt::Write as _;

/// The longest run of backticks that is kept. Renderers take no longer fences than some 80 (cmark, comrak).
const TICKS: usize = 20;

/// A harmless text of one line as a code span.
pub fn code(text: &str) -> String {
    let mut inside = String::with_capacity(text.len() + 4);
    let (mut run, mut longest) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        if run > TICKS {
            // Writing to a String cannot fail.
            let _ = write!(inside, "\\u{{{:x}}}", u32::from(c));
            run = 0;
            continue;
        }
        longest = longest.max(run);
        // A line ends nowhere in it, whoever made the text.
        inside.push(if c == '\n' || c == '\r' { ' ' } else { c });
    }
    if inside.trim().is_empty() {
        // There is no empty code span, and none of blanks that anybody sees.
        inside = format!("\"{inside}\"");
    }
    let fence = "`".repeat(longest + 1);
    // One blank on both sides is taken off again by the reader.
    let edge = |c: Option<char>| matches!(c, Some('`' | ' '));
    let pad = match edge(inside.chars().next()) || edge(inside.chars().next_back()) {
        true => " ",
        false => "",
    };
    format!("{fence}{pad}{inside}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fence_is_longer_than_what_it_holds_and_blanks_at_the_edges_stay() {
        for (text, span) in [
            ("ci", "`ci`"),
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("``a```", "```` ``a``` ````"),
            (" a ", "`  a  `"),
            ("a ", "` a  `"),
            ("", "`\"\"`"),
            ("  ", "`\"  \"`"),
            ("a\nb", "`a b`"),
        ] {
            assert_eq!(code(text), span);
        }
    }

    #[test]
    fn no_run_of_backticks_is_longer_than_renderers_take() {
        let shown = code(&"`".repeat(1_000));
        let longest = shown.split(|c| c != '`').map(str::len).max();
        assert_eq!(longest, Some(TICKS + 1));
        assert!(shown.contains("\\u{60}"));
    }
}
