//! Reading one file's text into a syntax tree with places.
//! Pure: bytes in, tree or findings out.

mod conflict;
mod scan;

use super::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, SourceMap, Span};
use hcl_edit::structure::Body;
use std::sync::Arc;

/// The largest file that is read, in bytes.
pub const MAX_FILE: usize = 16 << 20;

/// The parsed text of one file.
#[derive(Debug, Clone)]
pub struct SyntaxTree {
    /// The file.
    pub file: FileId,
    /// Its attributes and blocks.
    pub body: Body,
}

/// Adds the text of a file to `sources` and parses it; a byte order mark is skipped.
pub fn parse(
    path: impl Into<Arc<str>>,
    bytes: &[u8],
    sources: &mut SourceMap,
    out: &mut Diagnostics,
) -> Option<SyntaxTree> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.len() > MAX_FILE {
        let file = sources.add(path, "");
        out.push(
            Diagnostic::error(codes::FILE_TOO_LARGE)
                .at(Span::new(file, 0, 0), format!("{} bytes", bytes.len()))
                .help(format!(
                    "a file may have {} MiB at most; split it",
                    MAX_FILE >> 20
                )),
        );
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.valid_up_to();
            let file = sources.add(path, String::from_utf8_lossy(bytes).into_owned());
            out.push(
                Diagnostic::error(codes::NOT_UTF8)
                    .at(
                        Span::new(file, valid, valid + 3),
                        format!("byte {valid} is not UTF-8"),
                    )
                    .help("save the file as UTF-8"),
            );
            return None;
        }
    };
    let file = sources.add(path, text);
    if let Some(markers) = conflict::find(text) {
        let parses = || hcl_edit::parser::parse_body(text).is_ok();
        if markers.whole || !parses() {
            out.push(conflict(file, &markers));
            return None;
        }
    }
    let scanned = scan::scan(text);
    if let Err(problem) = &scanned
        && problem.certain
    {
        out.push(syntax_error(file, problem));
        return None;
    }
    match hcl_edit::parser::parse_body(text) {
        Ok(body) => Some(SyntaxTree { file, body }),
        Err(error) => {
            out.push(match scanned {
                Err(problem) => syntax_error(file, &problem),
                Ok(()) => parser_error(file, text, &error),
            });
            None
        }
    }
}

fn conflict(file: FileId, markers: &conflict::Markers) -> Diagnostic {
    let span = |range: &std::ops::Range<usize>| Span::new(file, range.start, range.end);
    let mut found = Diagnostic::error(codes::MERGE_CONFLICT).at(
        span(&markers.first),
        "git wrote this line: two versions stand here",
    );
    if let Some(last) = &markers.last {
        found = found.context(span(last), "and the second one ends here");
    }
    if markers.more > 0 {
        found = found.also(format!("this file has {} more of them", markers.more));
    }
    found
}

fn syntax_error(file: FileId, problem: &scan::Problem) -> Diagnostic {
    let span = Span::new(file, problem.range.start, problem.range.end);
    let found = Diagnostic::error(codes::SYNTAX).at(span, problem.message.clone());
    match problem.help {
        Some(help) => found.help(help),
        None => found,
    }
}

fn parser_error(file: FileId, text: &str, error: &hcl_edit::parser::Error) -> Diagnostic {
    let mut at = error.location().offset().min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let width = text[at..]
        .chars()
        .next()
        .filter(|c| *c != '\n')
        .map_or(0, char::len_utf8);
    let message = error.message();
    let found = Diagnostic::error(
        if message.contains("nested levels") || message.contains("chained") {
            codes::TOO_DEEP
        } else {
            codes::SYNTAX
        },
    );
    found.at(Span::new(file, at, at + width), message)
}
