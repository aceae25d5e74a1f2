//! Source texts and places in them.
//! Pure: whoever reads the files hands over their text.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The number of a file in a [`SourceMap`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// Makes the span of `start..end` in `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self {
            file,
            start,
            end: end.max(start),
        }
    }

    /// Returns the bytes it covers.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A line and column, both counted from one; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
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

    /// Returns a message as it may be shown: without secrets.
    pub fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
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
        let open = self.source(file).and_then(|source| source.open.as_ref());
        open.is_none_or(|open| {
            open.iter()
                .any(|range| range.start <= line.end && line.start < range.end)
        })
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
    pub fn place(&self, file: FileId, offset: usize) -> Place {
        let Some(source) = self.source(file) else {
            return Place { line: 1, column: 1 };
        };
        let mut offset = offset.min(source.text.len());
        while !source.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = source.lines.partition_point(|start| *start <= offset);
        let start = source.lines.get(line - 1).copied().unwrap_or(0);
        let column = source.text[start..offset].chars().count() + 1;
        Place { line, column }
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
        assert_eq!(sources.place(file, at), Place { line: 2, column: 9 });
        assert_eq!(sources.place(file, 0), Place { line: 1, column: 1 });
        assert_eq!(sources.place(file, 999), Place { line: 3, column: 1 });
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
    fn offsets_inside_a_character_are_its_start() {
        let mut sources = SourceMap::new();
        let file = sources.add("a.hcl", "é");
        assert_eq!(sources.place(file, 1), Place { line: 1, column: 1 });
    }
}
