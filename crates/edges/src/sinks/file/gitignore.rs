//! What git makes of a folder with keys.
//! Pure: texts of `.gitignore` files only.

pub(super) use crate::private_file::UNFINISHED as TEMPORARY;

/// What a `.gitignore` says of a key and of the file in which it is written first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ignored {
    /// Both are ignored.
    Yes,
    /// The key is, what a killed run leaves of it is not.
    Half,
    /// The key is not.
    No,
    /// Some line takes something out again.
    Back,
}

/// The lines of a `.gitignore` as git takes them: without the mark at the begin of a file, one carriage
/// return and the spaces behind a line. All other blanks are part of a name.
pub fn git_lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n').map(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.trim_end_matches(' ')
    })
}

/// Whether the `.gitignore` beside a file, or one further up, plainly makes git ignore it. `None`: some
/// line takes something out again, so that nothing above it counts.
pub fn git_ignores(text: &str, file: &str, beside: bool) -> Option<bool> {
    match ignored(text, file) {
        Ignored::Back => None,
        Ignored::Yes | Ignored::Half if beside => Some(true),
        // `/NAME` further up names another file.
        Ignored::Yes | Ignored::Half => {
            let says = |line: &str| line == "*" || line == file;
            Some(git_lines(text).any(says))
        }
        Ignored::No => Some(false),
    }
}

/// Reads a `.gitignore` as git does, but for what needs more than a look: a line counts only if it
/// is `*`, `/NAME` or `NAME`, and behind it stand nothing but spaces and one carriage return.
pub(super) fn ignored(text: &str, file: &str) -> Ignored {
    let lines = || git_lines(text);
    if lines().any(|line| line.starts_with('!')) {
        return Ignored::Back;
    }
    if lines().any(|line| line == "*") {
        return Ignored::Yes;
    }
    // In a name these mean something else than themselves.
    let plain = !file.contains(['*', '?', '[']) && !file.starts_with('#');
    let names = |line: &str| line.strip_prefix('/').unwrap_or(line) == file;
    if !(plain && lines().any(names)) {
        return Ignored::No;
    }
    let temporary = |line: &str| {
        let line = line.strip_prefix('/');
        line.and_then(|line| line.strip_prefix(TEMPORARY)) == Some("*")
    };
    match lines().any(temporary) {
        true => Ignored::Yes,
        false => Ignored::Half,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ignores_a_key_only_where_git_ignores_it_too() {
        for (text, expected) in [
            ("*", Ignored::Yes),
            ("*\r\n", Ignored::Yes),
            ("# all\n*   \r\n", Ignored::Yes),
            ("\u{feff}*\n", Ignored::Yes),
            ("ci.json\n/.rolecall-*", Ignored::Yes),
            ("/ci.json  \n/.rolecall-* \r\n", Ignored::Yes),
            ("/ci.json\n", Ignored::Half),
            ("ci.json\n.rolecall-x\n", Ignored::Half),
            // What git does not cut off belongs to the pattern.
            ("*\t\n", Ignored::No),
            ("*\u{a0}\n", Ignored::No),
            ("*\u{b}\n", Ignored::No),
            ("*\u{c}", Ignored::No),
            ("*\u{2003}", Ignored::No),
            ("*\r\r\n", Ignored::No),
            ("*\r \n", Ignored::No),
            ("ci.json\t\n/.rolecall-*\n", Ignored::No),
            ("/ci.json\u{2003}\n/.rolecall-*\n", Ignored::No),
            (" *\n", Ignored::No),
            ("//ci.json\n/.rolecall-*\n", Ignored::No),
            ("*.json\n", Ignored::No),
            ("", Ignored::No),
            ("*\n!ci.json\n", Ignored::Back),
            ("\u{feff}!ci.json\n*\n", Ignored::Back),
        ] {
            assert_eq!(ignored(text, "ci.json"), expected, "{text:?}");
        }
        // A name that is a pattern matches something else than itself.
        for name in ["ci[1].json", "#ci", "a*b"] {
            let text = format!("{name}\n/.rolecall-*\n");
            assert_eq!(ignored(&text, name), Ignored::No, "{name}");
            assert_eq!(ignored("*\n", name), Ignored::Yes, "{name}");
        }
    }
}
