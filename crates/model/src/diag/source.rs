//! Source texts and places in them.
//! Pure: whoever reads the files hands over their text.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::{Diagnostic, FileId, Span};
use crate::echo::{self, Looks};

/// A line of so many letters of base64 and nothing else is a part of something encoded.
const ENCODED_LINE: usize = 40;
/// So many letters of base64 in a row may be a part of a line that is withheld.
const PART: usize = 16;
/// What names of secrets end with.
const SECRET_NAMES: [&str; 11] = [
    "access_key",
    "api_key",
    "client_key",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "secret",
    "secret_id",
    "secret_key",
    "token",
];
/// What stands in the place of a message that holds a credential.
const WITHHELD: &str = "(not shown: it holds what looks like a credential or a key)";

/// A line and column, both counted from one; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

#[derive(Debug, Clone)]
struct Source {
    path: Arc<str>,
    text: Arc<str>,
    /// Byte offsets at which lines start.
    lines: Arc<[usize]>,
    /// The bytes whose lines may be shown; `None` for all of them.
    open: Option<Vec<Range<usize>>>,
    /// Private keys in PEM, from their first line to their last.
    keys: Arc<[Range<usize>]>,
}

impl Source {
    /// Whether a line holds what looks like a credential or a key, or a part of one.
    fn withholds(&self, line: &Range<usize>) -> bool {
        let Some(text) = self.text.get(line.clone()) else {
            return false;
        };
        if self
            .keys
            .iter()
            .any(|key| key.start <= line.end && line.start < key.end)
        {
            return true;
        }
        let before = || {
            let end = line.start.checked_sub(1)?;
            let start = self.text.get(..end)?.rfind('\n').map_or(0, |at| at + 1);
            self.text.get(start..end)
        };
        // The last line of a text in base64 is shorter than the others.
        holds_credential(text)
            || names_secret(text)
            || encoded_letters(text).is_some_and(|letters| {
                letters >= ENCODED_LINE
                    || before()
                        .and_then(encoded_letters)
                        .is_some_and(|letters| letters >= ENCODED_LINE)
            })
    }
}

/// Whether a text holds a credential, other than a seal key: that is left out by its beginning.
fn holds_credential(text: &str) -> bool {
    echo::credential(text).is_some_and(|looks| looks != Looks::SealKey)
}

/// Whether a line gives a text to a name that is one for secrets: no attribute has such a name, so whoever
/// wrote it there may have written a secret behind it.
fn names_secret(line: &str) -> bool {
    let Some((name, value)) = line.split_once('=') else {
        return false;
    };
    let name = name.trim().trim_matches('"').to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let word = |word: &str| {
        let before = name.strip_suffix(word);
        before.is_some_and(|before| before.is_empty() || before.ends_with(['_', '-']))
    };
    name.chars().all(plain)
        && matches!(value.trim_start().chars().next(), Some('"' | '<'))
        && SECRET_NAMES.iter().any(|name| word(name))
}

fn is_encoded(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_')
}

/// How many letters of base64 a line has, if it has nothing else.
fn encoded_letters(line: &str) -> Option<usize> {
    let line = line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | ','));
    (!line.is_empty() && line.chars().all(is_encoded)).then_some(line.len())
}

/// Where private keys in PEM stand in a text. One without an end is its first line.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    const BEGIN: &str = "-----BEGIN ";
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(BEGIN).map(|found| at + found) {
        at = start + BEGIN.len();
        let header = text[at..].lines().next().unwrap_or_default();
        if !header.contains("PRIVATE KEY") {
            continue;
        }
        let end = text[at..].find("-----END ").map(|found| at + found);
        at = end.unwrap_or(at + header.len());
        found.push(start..at + 1);
    }
    found
}

/// The texts that spans point into.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
    /// What secrets begin with.
    secrets: Vec<&'static str>,
}

impl SourceMap {
    /// Makes an empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under the path that is shown for it.
    pub fn add(&mut self, path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> FileId {
        let text: Arc<str> = text.into();
        let keys = private_keys(&text).into();
        let lines = std::iter::once(0)
            .chain(
                text.bytes()
                    .enumerate()
                    .filter(|(_, byte)| *byte == b'\n')
                    .map(|(at, _)| at + 1),
            )
            .collect();
        let id = FileId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        self.sources.push(Source {
            path: path.into(),
            text,
            lines,
            open: None,
            keys,
        });
        id
    }

    /// Hides, wherever a line or a message is shown, the word that begins with `prefix`: it is secret,
    /// wherever somebody has put it.
    pub fn hide(&mut self, prefix: &'static str) {
        self.secrets.push(prefix);
    }

    /// Returns the parts of a text that are not to be shown.
    pub(super) fn hidden(&self, text: &str) -> Vec<Range<usize>> {
        let letter = |b: &u8| b.is_ascii_alphanumeric() || b"-_+/=".contains(b);
        let mut found = Vec::new();
        for prefix in &self.secrets {
            for (at, _) in text.match_indices(prefix) {
                let start = at + prefix.len();
                let rest = text.as_bytes()[start..].iter();
                let end = start + rest.take_while(|b| letter(b)).count();
                if end > start {
                    found.push(start..end);
                }
            }
        }
        found
    }

    /// Returns a message of a finding as it may be shown: without secrets, and, if the finding marks a
    /// line that is withheld, without what may be a part of it.
    pub fn message<'a>(&self, found: &Diagnostic, text: &'a str) -> Cow<'a, str> {
        if holds_credential(text) {
            return Cow::Borrowed(WITHHELD);
        }
        let marks_withheld = found.labels.iter().any(|label| {
            let Span { file, start, end } = label.span;
            self.source(file).is_some_and(|source| {
                let (first, last) = (self.place(file, start).line, self.place(file, end).line);
                (first..=last).any(|line| source.withholds(&self.lines(file, line, line)))
            })
        });
        if !marks_withheld {
            return self.shown(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_encoded) {
            let (before, part) = rest.split_at(start);
            let (part, behind) = part.split_at(part.find(|c| !is_encoded(c)).unwrap_or(part.len()));
            out.push_str(before);
            out.push_str(if part.len() >= PART { "…" } else { part });
            rest = behind;
        }
        out.push_str(rest);
        Cow::Owned(self.shown(&out).into_owned())
    }

    /// Returns a text as it may be shown: without secrets.
    fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let hidden = self.hidden(text);
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            match hidden.iter().find(|range| range.contains(&at)) {
                Some(range) if range.start == at => out.push('…'),
                Some(_) => {}
                None => out.push(c),
            }
        }
        Cow::Owned(out)
    }

    /// How many texts there are.
    pub fn count(&self) -> usize {
        self.sources.len()
    }

    /// Has no line shown of the texts that were added since there were `count` of them: findings name
    /// their places alone.
    pub fn hide_since(&mut self, count: usize) {
        for source in self.sources.iter_mut().skip(count) {
            source.open = Some(Vec::new());
        }
    }

    /// Has the lines of `span` shown, of a text that is hidden otherwise.
    pub fn reveal(&mut self, span: Span) {
        let source = self.sources.get_mut(span.file.0 as usize);
        if let Some(open) = source.and_then(|source| source.open.as_mut()) {
            open.push(span.range());
        }
    }

    /// Tells whether a line may be shown.
    pub(super) fn shows(&self, file: FileId, line: &Range<usize>) -> bool {
        let Some(source) = self.source(file) else {
            return true;
        };
        let open = source.open.as_ref().is_none_or(|open| {
            open.iter()
                .any(|range| range.start <= line.end && line.start < range.end)
        });
        open && !source.withholds(line)
    }

    /// Returns the path shown for `file`; empty when the file is not of this map.
    pub fn path(&self, file: FileId) -> &str {
        self.source(file).map_or("", |source| &source.path)
    }

    /// Returns the text of `file`; empty when the file is not of this map.
    pub fn text(&self, file: FileId) -> Arc<str> {
        self.source(file)
            .map_or_else(|| Arc::from(""), |source| source.text.clone())
    }

    /// Returns the text that `span` covers.
    pub fn slice(&self, span: Span) -> &str {
        self.source(span.file)
            .and_then(|source| source.text.get(span.range()))
            .unwrap_or("")
    }

    /// Returns the line and column of a byte offset; offsets past the end count as the end.
    pub fn place(&self, file: FileId, offset: usize) -> Position {
        let Some(source) = self.source(file) else {
            return Position { line: 1, column: 1 };
        };
        let mut offset = offset.min(source.text.len());
        while !source.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = source.lines.partition_point(|start| *start <= offset);
        let start = source.lines.get(line - 1).copied().unwrap_or(0);
        let column = source.text[start..offset].chars().count() + 1;
        Position { line, column }
    }

    /// Returns `path:line:column` of the start of `span`.
    pub fn describe(&self, span: Span) -> String {
        let place = self.place(span.file, span.start);
        format!(
            "{}:{}:{}",
            super::inert(self.path(span.file)),
            place.line,
            place.column
        )
    }

    /// Returns the bytes from the start of line `first` to the end of line `last`, both from 1.
    pub(super) fn lines(&self, file: FileId, first: usize, last: usize) -> Range<usize> {
        let Some(source) = self.source(file) else {
            return 0..0;
        };
        let end_of_text = source.text.len();
        let start = source
            .lines
            .get(first.saturating_sub(1))
            .copied()
            .unwrap_or(end_of_text);
        let end = source.lines.get(last).map_or(end_of_text, |next| next - 1);
        start..end.max(start)
    }

    fn source(&self, file: FileId) -> Option<&Source> {
        self.sources.get(file.0 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let mut sources = SourceMap::new();
        let file = sources.add("a.hcl", "x = 1\nü = \"é\" # end\n");
        let at = "x = 1\nü = \"é\" ".len();
        assert_eq!(sources.place(file, at), Position { line: 2, column: 9 });
        assert_eq!(sources.place(file, 0), Position { line: 1, column: 1 });
        assert_eq!(sources.place(file, 999), Position { line: 3, column: 1 });
        assert_eq!(sources.describe(Span::new(file, 6, 7)), "a.hcl:2:1");
    }

    #[test]
    fn what_is_secret_is_hidden_to_its_end_and_nothing_else_is() {
        let mut sources = SourceMap::new();
        assert_eq!(sources.shown("key:AAA"), "key:AAA", "nothing is secret yet");
        sources.hide("key:");
        for (text, shown) in [
            ("key:AA-_+/=b\" # key: x", "key:…\" # key: x"),
            ("é key:1, key:2.", "é key:…, key:…."),
            ("key:key:1", "key:…:…"),
            ("key", "key"),
        ] {
            assert_eq!(sources.shown(text), shown);
        }
    }

    #[test]
    fn a_line_that_gives_a_text_to_a_name_of_secrets_is_not_shown() {
        let lines = [
            ("  token   = \"hvs.short\"", false),
            ("vault-token = \"x\"", false),
            ("\"client_secret\" = <<EOT", false),
            ("PASSWORD=\"x\"", false),
            // Names of other things, and what is no text.
            ("name = \"token\"", true),
            ("tokens = \"x\"", true),
            ("seal_key = \"ed25519:x\"", true),
            ("token = var.token", true),
            ("secret", true),
        ];
        for (text, shown) in lines {
            let mut sources = SourceMap::new();
            let file = sources.add("a.hcl", text);
            assert_eq!(sources.shows(file, &(0..text.len())), shown, "{text}");
        }
    }

    #[test]
    fn private_keys_in_pem_are_found_whole_and_nothing_else_is() {
        let of = |label: &str| format!("-----BEGIN {label}-----\nab\n-----END {label}-----\n");
        let text = format!("{}{}x", of("CERTIFICATE"), of("EC PRIVATE KEY"));
        let found = private_keys(&text);
        assert_eq!(found.len(), 1);
        let key = &text[found[0].clone()];
        assert!(
            key.starts_with("-----BEGIN EC") && key.contains("\nab\n"),
            "{key}"
        );
        let torn = private_keys("# -----BEGIN PRIVATE KEY\nx = 1\n");
        assert_eq!((torn.len(), torn.first()), (1, Some(&(2..25))));
        assert!(private_keys("BEGIN PRIVATE KEY").is_empty());
    }

    #[test]
    fn offsets_inside_a_character_are_its_start() {
        let mut sources = SourceMap::new();
        let file = sources.add("a.hcl", "é");
        assert_eq!(sources.place(file, 1), Position { line: 1, column: 1 });
    }
}
