//! The few words of our own on pages of the code host, so made that nothing foreign in them acts.
//! Pure.

use std::fmt::Write as _;

use super::names::{Commit, Digest};
use crate::model::StackId;

/// A foreign name as it may stand anywhere: letters, digits and a few marks that mean nothing between others; each
/// other letter is `?`. It stands for logins, folders and branches, not for texts.
pub fn plain(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut out: String = text
        .chars()
        .take(LONGEST)
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' | '/' | '[' | ']' | ' ' => c,
            _ => '?',
        })
        .collect();
    if text.chars().count() > LONGEST {
        out.push('…');
    }
    out
}

/// What a comment begins with.
#[derive(Clone, Copy, Debug)]
pub struct Heading<'a> {
    /// The stack.
    pub stack: &'a StackId,
    /// The configuration's directory.
    pub directory: &'a str,
    /// The commit that was planned.
    pub head: &'a Commit,
    /// The plan's digest.
    pub digest: &'a Digest,
    /// How many changes there are and what stands in the way, a sentence.
    pub counts: &'a str,
}

/// The heading of a comment, in Markdown. No name in it can be a link, a mention or a tag: they stand in code.
pub fn heading(of: &Heading<'_>) -> String {
    let Heading {
        stack,
        directory,
        head,
        digest,
        counts,
    } = *of;
    let mut text = String::new();
    let _ = writeln!(text, "### rolecall: `{}`", plain(directory));
    let _ = writeln!(text);
    let _ = writeln!(text, "{counts}");
    let _ = writeln!(text);
    let _ = writeln!(
        text,
        "Stack `{stack}`, commit `{}`, plan `{digest}`.",
        head.short()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::{commit, digest, stack};
    use super::*;

    #[test]
    fn no_foreign_name_leaves_its_code_span_or_its_line() {
        let hostile = "a`b\n@acme/all <img src=x> ![x](y) #1 \u{202e}x::warning::|&amp;";
        let shown = plain(hostile);
        for letter in [
            '`', '\n', '@', '<', '>', '!', '(', '#', ':', '|', '&', '\u{202e}',
        ] {
            assert!(!shown.contains(letter), "{letter:?} in {shown}");
        }
        assert_eq!(plain("access/team-a"), "access/team-a");
        assert_eq!(plain("dependabot[bot]"), "dependabot[bot]");
        let long = plain(&"x".repeat(500));
        assert_eq!((long.chars().count(), long.ends_with('…')), (121, true));
        let text = heading(&Heading {
            stack: &stack(),
            directory: hostile,
            head: &commit('a'),
            digest: &digest('d'),
            counts: "2 changes.",
        });
        assert_eq!(text.lines().count(), 5, "{text}");
        assert_eq!(text.matches('`').count(), 8, "{text}");
    }
}
