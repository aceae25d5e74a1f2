//! Tables in plain text: aligned columns, cells wrapped where they are too wide.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::text::{HEAD, paint};
use crate::view::inert;

/// One column: its heading and the most that a line of it may take.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The heading.
    pub title: &'static str,
    /// The widest that a line may be.
    pub most: usize,
}

/// The columns `title` and `most`, in order.
pub fn columns<const N: usize>(all: [(&'static str, usize); N]) -> [Column; N] {
    all.map(|(title, most)| Column { title, most })
}

/// Aligned lines with a heading. Cells must be harmless already and hold no colours.
pub fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let wrapped: Vec<Vec<Vec<String>>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .zip(columns)
                .map(|(cell, column)| {
                    // What was harmless inside of a line may act at the begin of one.
                    let lines = wrap(cell, column.most);
                    lines.iter().map(|line| inert(line)).collect()
                })
                .collect()
        })
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(n, column)| {
            let lines = wrapped.iter().filter_map(|row| row.get(n)).flatten();
            let widest = lines.map(|line| line.width()).max().unwrap_or(0);
            widest.max(column.title.width())
        })
        .collect();
    let titles: Vec<&str> = columns.iter().map(|column| column.title).collect();
    let mut out = paint(HEAD, &line(&titles, &widths));
    out.push('\n');
    for row in &wrapped {
        let height = row.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let cells: Vec<&str> = row
                .iter()
                .map(|lines| lines.get(at).map_or("", String::as_str))
                .collect();
            out.push_str(&line(&cells, &widths));
            out.push('\n');
        }
    }
    out
}

fn line(cells: &[&str], widths: &[usize]) -> String {
    let mut out = String::new();
    for (n, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if n > 0 {
            out.push_str("  ");
        }
        out.push_str(cell);
        out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
    }
    out.trim_end().to_owned()
}

/// Breaks a text at spaces, and inside of words that are wider than a line.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let space = usize::from(!line.is_empty());
        if line.width() + space + word.width() <= most {
            if space == 1 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > most && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_wrapped_and_columns_aligned() {
        let columns = columns([("A", 5), ("B", 10)]);
        let rows = [
            vec!["one two".to_owned(), "x".to_owned()],
            vec!["監視監視".to_owned(), "y".to_owned()],
            vec![String::new(), "z".to_owned()],
        ];
        let shown = anstream::adapter::strip_str(&table(&columns, &rows)).to_string();
        assert_eq!(shown, "A     B\none   x\ntwo\n監視  y\n監視\n      z\n");
    }

    #[test]
    fn no_line_begins_with_a_command_of_a_ci_runner() {
        let columns = columns([("A", 12), ("B", 12)]);
        let text = "some words ::set-output name=x::y".to_owned();
        for row in [vec![text.clone(), String::new()], vec![String::new(), text]] {
            let shown = table(&columns, &[row]);
            assert!(!shown.lines().any(|line| line.trim().starts_with("::")));
        }
    }

    #[test]
    fn nothing_is_lost_by_wrapping() {
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("a bcdef g", 3), ["a", "bcd", "ef", "g"]);
    }
}
