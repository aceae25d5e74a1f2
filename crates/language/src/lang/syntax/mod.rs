//! Reading one file's text into a syntax tree with places.
//! Pure: bytes in, tree or findings out.

mod conflict;
mod scan;

use super::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, SourceMap, Span};
use hcl_edit::expr::Expression;
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
    let scanned = scan::scan(text);
    let parsed = match &scanned {
        Err(problem) if problem.certain => Err(syntax_error(file, problem)),
        _ => hcl_edit::parser::parse_body(text).map_err(|error| match &scanned {
            Err(problem) => syntax_error(file, problem),
            Ok(()) => parser_error(file, text, &error),
        }),
    };
    let markers = conflict::find(text).filter(|markers| markers.whole || parsed.is_err());
    match (parsed, markers) {
        (_, Some(markers)) => out.push(conflict(file, &markers)),
        (Err(wrong), None) => out.push(wrong),
        (Ok(body), None) => return Some(SyntaxTree { file, body }),
    }
    None
}

/// A text that is one expression, if it is one and none that the parser would take forever over.
pub fn expression(text: &str) -> Option<Expression> {
    if scan::scan(text).is_err_and(|problem| problem.certain) {
        return None;
    }
    hcl_edit::parser::parse_expr(text).ok()
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
    let found = Diagnostic::error(problem.code).at(span, problem.message.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to the parser refuses what it would take forever over.
    #[test]
    fn no_way_to_the_parser_goes_round_the_scan() {
        let endless = "1 + 1 + (".repeat(40) + "1 !" + &")".repeat(40);
        assert!(expression(&endless).is_none());
        assert!(expression("1 + (2 * 3)").is_some());
        let side = format!("a = {endless}\n");
        let conflict = format!("<<<<<<< HEAD\n{side}=======\nb = 1\n>>>>>>> theirs\n");
        for (text, code) in [(&side, codes::TOO_DEEP), (&conflict, codes::MERGE_CONFLICT)] {
            let (mut sources, mut out) = (SourceMap::default(), Diagnostics::new());
            assert!(parse("main.hcl", text.as_bytes(), &mut sources, &mut out).is_none());
            let found: Vec<_> = out.iter().map(|item| item.code).collect();
            assert_eq!(found, [code.id]);
        }
    }
}
