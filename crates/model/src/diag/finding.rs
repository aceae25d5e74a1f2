//! One finding about the user's files, and a collection of them.
//! Values only.

use std::collections::BTreeSet;

use super::span::Span;
use super::suggest;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing goes on until it is mended.
    Error,
    /// Worth a look; nothing stops.
    Warning,
    /// Said for information only.
    Note,
}

impl Severity {
    /// Returns the lowercase word shown to users.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// A kind of finding: its stable name, its fixed, short, lowercase summary, and the way out that
/// is said where nothing better is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The stable name, for example `unknown-attribute`.
    pub id: &'static str,
    /// The summary shown in the first line, always the same for one code.
    pub summary: &'static str,
    /// The general way out.
    pub way_out: &'static str,
}

/// Declares a table of [`Code`]s and the list `ALL` of them.
#[macro_export]
macro_rules! codes {
    ($($name:ident = $id:literal, $summary:literal, $way_out:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $summary, ".")]
            pub const $name: $crate::diag::Code =
                $crate::diag::Code { id: $id, summary: $summary, way_out: $way_out };
        )*
        /// Every code of this table.
        pub const ALL: &[$crate::diag::Code] = &[$($name),*];
    };
}
pub use codes;

/// A marked place of a source file and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The marked place.
    pub span: Span,
    /// What is said about it; may be empty.
    pub message: String,
    /// Whether it is the place of the finding rather than context.
    pub primary: bool,
}

/// One finding about the user's files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its stable name, for example `unknown-attribute`.
    pub code: &'static str,
    /// The fixed, short, lowercase summary of the code.
    pub summary: &'static str,
    /// The places concerned; the first primary one locates the finding.
    pub labels: Vec<Label>,
    /// What is known beyond the places, and a better way out than the general one.
    pub help: Vec<String>,
    /// The general way out of the code.
    pub way_out: &'static str,
}

impl Diagnostic {
    /// Makes an error of the kind `code`.
    pub fn error(code: Code) -> Self {
        Self::new(Severity::Error, code)
    }

    /// Makes a warning of the kind `code`.
    pub fn warning(code: Code) -> Self {
        Self::new(Severity::Warning, code)
    }

    /// Makes a note of the kind `code`.
    pub fn note(code: Code) -> Self {
        Self::new(Severity::Note, code)
    }

    fn new(severity: Severity, code: Code) -> Self {
        Self {
            severity,
            code: code.id,
            summary: code.summary,
            labels: Vec::new(),
            help: Vec::new(),
            way_out: code.way_out,
        }
    }

    /// Marks the place of the finding.
    #[must_use]
    pub fn at(self, span: Span, message: impl Into<String>) -> Self {
        self.label(span, message, true)
    }

    /// Marks a place that explains the finding.
    #[must_use]
    pub fn context(self, span: Span, message: impl Into<String>) -> Self {
        self.label(span, message, false)
    }

    fn label(mut self, span: Span, message: impl Into<String>, primary: bool) -> Self {
        self.labels.push(Label {
            span,
            message: message.into(),
            primary,
        });
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Adds what is known besides the way out, which stays.
    #[must_use]
    pub fn also(mut self, text: impl Into<String>) -> Self {
        if self.help.is_empty() {
            self.help.push(self.way_out.to_owned());
        }
        self.help(text)
    }

    /// Adds a "did you mean" when one of `candidates` is near `name`.
    #[must_use]
    pub fn suggesting<'a>(self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match suggest(name, candidates) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Returns what is known beyond the places, and the way out; never nothing.
    pub fn ways_out(&self) -> impl Iterator<Item = &str> {
        let general = self.help.is_empty().then_some(self.way_out);
        self.help.iter().map(String::as_str).chain(general)
    }

    /// Returns the place of the finding, when it has one.
    pub fn span(&self) -> Option<Span> {
        let primary = self.labels.iter().find(|label| label.primary);
        primary.or(self.labels.first()).map(|label| label.span)
    }
}

/// A collection of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Makes an empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// Adds all findings of `other`.
    pub fn extend(&mut self, other: Diagnostics) {
        self.items.extend(other.items);
    }

    /// Tells whether there is no finding at all.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the number of findings.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Tells whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.items
            .iter()
            .any(|item| item.severity == Severity::Error)
    }

    /// Iterates over the findings.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Orders the findings by place (those without one first) and drops repetitions.
    pub fn sort(&mut self) {
        self.items.sort_by_cached_key(|item| {
            let place = item.span().map(|span| (span.file, span.start, span.end));
            (
                place,
                item.severity,
                item.code,
                item.labels.clone(),
                item.help.clone(),
            )
        });
        let mut seen = BTreeSet::new();
        self.items.retain(|item| match item.span() {
            // One place says one thing of a kind, however many evaluations found it.
            Some(span) => seen.insert((item.code, span, item.labels.clone())),
            None => true,
        });
        self.items.dedup();
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::SourceMap;

    const CODE: Code = Code {
        id: "some-code",
        summary: "some summary",
        way_out: "some way out",
    };

    #[test]
    fn sorting_orders_by_place_and_drops_repetitions() {
        let mut sources = SourceMap::new();
        let file = sources.add("a.hcl", "abcdef");
        let late = Diagnostic::error(CODE).at(Span::new(file, 4, 5), "late");
        let early = Diagnostic::error(CODE).at(Span::new(file, 0, 1), "early");
        let nowhere = Diagnostic::error(CODE).help("nowhere");
        let mut all = Diagnostics::new();
        for item in [&late, &early, &nowhere, &late] {
            all.push(item.clone());
        }
        all.sort();
        assert_eq!(all.into_iter().collect::<Vec<_>>(), [nowhere, early, late]);
    }

    #[test]
    fn warnings_are_not_errors() {
        let mut all = Diagnostics::new();
        all.push(Diagnostic::warning(CODE));
        assert!(!all.has_errors() && all.len() == 1);
    }
}
