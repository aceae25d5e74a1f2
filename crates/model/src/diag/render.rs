//! Shows a diagnostic with the lines it points to.
//! Pure. Everything that came from a file is shown inert.

use super::inert::{inert, push_inert};
use super::{Diagnostic, Diagnostics, FileId, Label, Severity, SourceMap};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// The longest run of lines shown for one label.
const MAX_LINES: usize = 6;
/// The longest part of a line shown, in bytes.
const MAX_LINE: usize = 400;
/// What stands in the place of a line that may hold a secret.
const HIDDEN: &str = "(not shown: this line may hold a secret)";
/// The longest part of a message shown, in characters: messages repeat values of any length.
const MAX_MESSAGE: usize = 1_000;

/// Renders one diagnostic, without a line end after it.
pub fn render(diagnostic: &Diagnostic, sources: &SourceMap, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(diagnostic.summary).id(diagnostic.code);
    let mut group: Group<'_> = Group::with_title(title);
    for window in windows(diagnostic, sources) {
        let mut snippet = Snippet::source(window.text)
            .line_start(window.first_line)
            .path(inert(sources.path(window.file)).into_owned())
            .fold(false);
        for (label, range) in window.marks {
            let kind = if label.primary {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            let mut annotation = kind.span(range);
            if !label.message.is_empty() {
                annotation =
                    annotation.label(message(&sources.message(diagnostic, &label.message)));
            }
            snippet = snippet.annotation(annotation);
        }
        group = group.element(snippet);
    }
    for help in diagnostic.ways_out() {
        group = group.element(Level::HELP.message(message(&sources.message(diagnostic, help))));
    }
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.render(&[group])
}

/// A message made inert, and cut where it is too long to be read.
fn message(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", inert(&text[..end])),
        None => inert(text).into_owned(),
    }
}

/// Renders all diagnostics in their order, an empty line between them.
pub fn render_all(diagnostics: &Diagnostics, sources: &SourceMap, color: bool) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics.iter() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&render(diagnostic, sources, color));
        out.push('\n');
    }
    out
}

/// A run of lines of one file, already inert, and the marks in it.
struct Window<'a> {
    file: FileId,
    first_line: usize,
    last_line: usize,
    text: String,
    marks: Vec<(&'a Label, std::ops::Range<usize>)>,
}

/// Gathers labels into windows: near labels share one, far ones and other files get their own.
fn windows<'a>(diagnostic: &'a Diagnostic, sources: &SourceMap) -> Vec<Window<'a>> {
    let mut spans: Vec<(&Label, usize, usize)> = Vec::new();
    for label in &diagnostic.labels {
        let first = sources.place(label.span.file, label.span.start).line;
        let last = sources.place(label.span.file, label.span.end).line;
        spans.push((label, first, last.min(first + MAX_LINES - 1)));
    }
    let mut windows: Vec<Window<'a>> = Vec::new();
    for (label, first, last) in &spans {
        let joined = windows.iter_mut().find(|window| {
            window.file == label.span.file
                && *first <= window.last_line + 2
                && window.first_line <= *last + 2
        });
        if let Some(window) = joined {
            window.first_line = window.first_line.min(*first);
            window.last_line = window.last_line.max(*last);
            window.marks.push((*label, 0..0));
        } else {
            windows.push(Window {
                file: label.span.file,
                first_line: *first,
                last_line: *last,
                text: String::new(),
                marks: vec![(*label, 0..0)],
            });
        }
    }
    for window in &mut windows {
        fill(window, sources);
    }
    windows
}

/// Copies the lines of a window, escaped and cut, and moves its marks along.
fn fill(window: &mut Window<'_>, sources: &SourceMap) {
    let all = sources.text(window.file);
    let range = sources.lines(window.file, window.first_line, window.last_line);
    let mut wanted: Vec<usize> = window
        .marks
        .iter()
        .flat_map(|(label, _)| [label.span.start, label.span.end])
        .map(|at| at.clamp(range.start, range.end))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut moved = Vec::with_capacity(wanted.len());
    let mut at = range.start;
    for line in all[range.clone()].split('\n') {
        let marks_here = wanted
            .iter()
            .filter(|w| (at..=at + line.len()).contains(*w));
        let open = sources.shows(window.file, &(at..at + line.len()));
        let keep = match open {
            true => cut(line, marks_here.map(|mark| mark - at)),
            false => 0..0,
        };
        let secrets = sources.hidden(line);
        if keep.start > 0 {
            window.text.push('…');
        }
        let begin = window.text.len();
        let mut columns = 0;
        for (offset, c) in line.char_indices() {
            let absolute = at + offset;
            let to = match open {
                true => window.text.len(),
                false => begin + columns,
            };
            note(&mut moved, &wanted, absolute, c.len_utf8(), to);
            columns = (columns + 1).min(MAX_LINE);
            if !keep.contains(&offset) {
                continue;
            }
            if let Some(secret) = secrets.iter().find(|secret| secret.contains(&offset)) {
                if offset == secret.start.max(keep.start) {
                    window.text.push('…');
                }
                continue;
            }
            if c == '\t' {
                window.text.push_str("    ");
            } else if c == '\r' && offset + 1 == line.len() {
                // The line end of other systems.
            } else {
                push_inert(&mut window.text, c, &line[offset..]);
            }
        }
        let end = match open {
            true => window.text.len(),
            false => begin + columns,
        };
        note(&mut moved, &wanted, at + line.len(), 1, end);
        if !open {
            window.text.push_str(HIDDEN);
            // As far as a mark reaches, so that its column is that of the file.
            let furthest = moved.last().map_or(begin, |(_, to)| *to);
            let short = furthest.saturating_sub(window.text.len());
            window.text.push_str(&" ".repeat(short));
        } else if keep.end < line.len() {
            window.text.push('…');
        }
        window.text.push('\n');
        at += line.len() + 1;
    }
    window.text.pop();
    for (label, mark) in &mut window.marks {
        let find = |at: usize| {
            let at = at.clamp(range.start, range.end);
            moved
                .iter()
                .find(|(from, _)| *from == at)
                .map_or(window.text.len(), |(_, to)| *to)
        };
        let start = find(label.span.start);
        *mark = start..find(label.span.end).max(start);
    }
}

/// Remembers where the wanted offsets of a character landed.
fn note(moved: &mut Vec<(usize, usize)>, wanted: &[usize], from: usize, len: usize, to: usize) {
    let first = wanted.partition_point(|w| *w < from);
    for at in wanted[first..].iter().take_while(|w| **w < from + len) {
        moved.push((*at, to));
    }
}

/// Chooses the part of a long line that is shown: around its first mark.
fn cut(line: &str, marks: impl Iterator<Item = usize>) -> std::ops::Range<usize> {
    if line.len() <= MAX_LINE {
        return 0..line.len();
    }
    let centre = marks.min().unwrap_or(0);
    let start = if centre < MAX_LINE / 2 {
        0
    } else {
        centre - MAX_LINE / 4
    };
    start..(start + MAX_LINE).min(line.len())
}

#[cfg(test)]
mod tests {
    use super::super::{Code, Span};
    use super::*;

    const CODE: Code = Code {
        id: "some-code",
        summary: "some summary",
        way_out: "some way out",
    };

    fn show(text: &str, start: usize, end: usize) -> String {
        let mut sources = SourceMap::new();
        let file = sources.add("main.hcl", text);
        let diagnostic = Diagnostic::error(CODE)
            .at(Span::new(file, start, end), "here")
            .help("mend it");
        render(&diagnostic, &sources, false)
    }

    #[test]
    fn shows_place_line_and_help() {
        let shown = show("a = 1\nb = oops\n", 10, 14);
        assert!(
            shown.starts_with("error[some-code]: some summary"),
            "{shown}"
        );
        assert!(shown.contains("main.hcl:2:5"), "{shown}");
        assert!(shown.contains("^^^^ here"), "{shown}");
        assert!(shown.contains("help: mend it"), "{shown}");
        assert!(!shown.contains("a = 1"), "{shown}");
    }

    #[test]
    fn columns_after_wide_text_count_characters() {
        let text = "b = \"é😀\" + oops";
        let at = text.find("oops").expect("is there");
        assert!(
            show(text, at, at + 4).contains("main.hcl:1:12"),
            "{}",
            show(text, at, at + 4)
        );
    }

    #[test]
    fn source_text_is_inert() {
        let shown = show("b = \"\u{1b}[31m\u{202e}x\" + oops\r\n", 22, 26);
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
            "{shown}"
        );
        assert!(shown.contains("\\u{1b}[31m\\u{202e}x"), "{shown}");
        let shown = show("b = oops ##[add-mask]a ## b", 4, 8);
        assert!(shown.contains("\\u{23}#[add-mask]a \\u{23}# b"), "{shown}");
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_not_shown_and_its_place_is() {
        let text = "one = \"hunter2\"\ntwo = \"plain\"\nthree = \"hunter3\"\n";
        let mut sources = SourceMap::new();
        let open = sources.add("main.hcl", text);
        let before = sources.count();
        let file = sources.add("a.vars.hcl", text);
        sources.hide_since(before);
        let two = text.find("two").expect("is there");
        sources.reveal(Span::new(file, two, two + 13));
        let show = |file, start: usize, end: usize| {
            let found = Diagnostic::error(CODE).at(Span::new(file, start, end), "here");
            render(&found, &sources, false)
        };
        let shown = show(file, 6, 15);
        assert!(
            shown.contains("a.vars.hcl:1:7\n") && shown.contains(HIDDEN),
            "{shown}"
        );
        assert!(
            shown.contains("here") && !shown.contains("hunter"),
            "{shown}"
        );
        let whole = show(file, 0, text.len());
        assert!(
            whole.contains("plain") && !whole.contains("hunter"),
            "{whole}"
        );
        for start in 0..text.len() {
            for end in start..text.len() + 2 {
                assert!(!show(file, start, end).contains("hunter"));
            }
        }
        assert!(show(open, 6, 15).contains("hunter2"));
    }

    #[test]
    fn a_key_or_a_credential_in_a_file_is_in_no_line_and_in_no_message() {
        const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDQnGkT\n\
                           5cXv1nJwq0Y3pBq7Yq2rYp1k2uY1kX9pQ2vR7tY4wZ1aB6cD3eF8\ngH5jK0mN2pQ4rS7t\n\
                           -----END PRIVATE KEY-----\n";
        let flat = PEM.replace('\n', "\\n");
        let json = format!("{{\\\"mrn\\\":\\\"//x\\\",\\\"private_key\\\":\\\"{flat}\\\"}}");
        let body: Vec<&str> = PEM.lines().skip(1).take(3).collect();
        for text in [
            format!("a = 1\nkey = <<EOT\n{PEM}EOT\nb = 2\n"),
            format!("a = 1\n{PEM}b = 2\n"),
            format!("a = 1\nkey = \"{flat}\"\n"),
            format!("a = 1\nkey = \"{json}\"\n"),
            format!("a = 1\nkey = \"{}\"\n", body.concat()),
            format!("a = 1\nkey = <<-EOT\r\n  {}\r\nEOT\n", body.join("\r\n  ")),
        ] {
            let mut sources = SourceMap::new();
            let file = sources.add("main.hcl", text.as_str());
            for start in 0..text.len() {
                let end = (start + 150).min(text.len());
                let quoted = text.get(start..end).unwrap_or_default();
                let found = Diagnostic::error(CODE)
                    .at(
                        Span::new(file, start, end),
                        format!("`{quoted}` is no name"),
                    )
                    .context(Span::new(file, start, start), "here")
                    .help(format!("not {quoted}"));
                let shown = render(&found, &sources, false);
                for part in body.iter().flat_map(|line| line.as_bytes().windows(16)) {
                    let part = std::str::from_utf8(part).expect("text");
                    assert!(!shown.contains(part), "{start}: {shown}");
                }
                assert!(shown.contains("here"), "{shown}");
            }
            let first = Diagnostic::error(CODE).at(Span::new(file, 0, 1), "a short word");
            let shown = render(&first, &sources, false);
            assert!(
                shown.contains("a = 1") && shown.contains("a short word"),
                "{shown}"
            );
        }
        let digest = format!("x = \"sha256:{}\"", "0123456789abcdef".repeat(4));
        assert!(show(&digest, 4, 9).contains(&digest));
    }

    #[test]
    fn a_secret_is_in_no_line_and_in_no_message() {
        let long = format!("{}x = oops(\"key:AAAA\")", " ".repeat(3_000));
        for text in [
            "x = oops(\"key:AAAA\") # key:AAAA",
            "\r\n\tx = \"key:AAAA",
            &long,
        ] {
            for at in 0..=text.len() {
                let mut sources = SourceMap::new();
                sources.hide("key:");
                let file = sources.add("main.hcl", text);
                let diagnostic = Diagnostic::error(CODE)
                    .at(Span::new(file, at, at + 3), "this is key:AAAA here")
                    .help("not key:AAAA but key:BBBB");
                let shown = render(&diagnostic, &sources, false);
                assert!(!shown.contains('A') && !shown.contains("BB"), "{shown}");
                assert!(shown.contains("this is key:… here"), "{shown}");
            }
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let text = format!("{} oops {}", "x".repeat(5000), "y".repeat(5000));
        let shown = show(&text, 5001, 5005);
        assert!(shown.len() < 2000 && shown.contains("^^^^ here"), "{shown}");
    }

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(message("é"), "é");
        let (fits, long) = ("é".repeat(MAX_MESSAGE), "é".repeat(MAX_MESSAGE + 1));
        assert_eq!(message(&fits), fits);
        assert_eq!(message(&long), format!("{fits}…"));
    }

    #[test]
    fn any_span_renders() {
        let text = "aé\n\n\r\n\u{1b}b\tc";
        for start in 0..text.len() + 3 {
            for end in start..text.len() + 3 {
                show(text, start, end);
            }
        }
        show("", 0, 0);
    }
}
