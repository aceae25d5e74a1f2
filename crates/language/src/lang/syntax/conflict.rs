//! The lines that git writes around two versions of a text that it could not merge.

use std::ops::Range;

/// What was found of a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Markers {
    /// The first line that is one of git's.
    pub(super) first: Range<usize>,
    /// The line that ends the same conflict.
    pub(super) last: Option<Range<usize>>,
    /// Whether begin, middle and end stand there, so that it is nothing else.
    pub(super) whole: bool,
    /// How many conflicts follow.
    pub(super) more: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Marker {
    Begin,
    Middle,
    End,
}

/// A line of git's: seven signs at its begin, and behind them nothing or a space and a name.
fn marker(line: &str) -> Option<Marker> {
    let line = line.trim_end_matches(['\r', '\n']);
    let (sign, marker) = match line.as_bytes().first()? {
        b'<' => ("<<<<<<<", Marker::Begin),
        b'=' => ("=======", Marker::Middle),
        b'>' => (">>>>>>>", Marker::End),
        _ => return None,
    };
    let rest = line.strip_prefix(sign)?;
    let named = rest.starts_with(' ') && marker != Marker::Middle;
    (rest.is_empty() || named).then_some(marker)
}

/// Finds the first conflict of a text. A line of `=` alone may be anything.
pub(super) fn find(text: &str) -> Option<Markers> {
    let mut at = 0;
    let mut found: Option<Markers> = None;
    let mut middle = false;
    let mut open = false;
    for line in text.split_inclusive('\n') {
        let range = at..at + line.trim_end_matches(['\r', '\n']).len();
        at += line.len();
        let Some(marker) = marker(line) else {
            continue;
        };
        match (marker, &mut found) {
            (Marker::Begin | Marker::End, None) => {
                open = marker == Marker::Begin;
                middle = false;
                found = Some(Markers {
                    first: range,
                    last: None,
                    whole: false,
                    more: 0,
                });
            }
            (Marker::Begin, Some(markers)) => {
                markers.more += 1;
                open = false;
            }
            (Marker::Middle, _) => middle = open,
            (Marker::End, Some(markers)) if open => {
                markers.whole = middle;
                markers.last = Some(range);
                open = false;
            }
            (Marker::End, Some(_)) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_lines_are_known_by_their_form() {
        let whole = "a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> topic\n";
        let found = find(whole).expect("a conflict");
        assert_eq!(&whole[found.first.clone()], "<<<<<<< HEAD");
        assert!(found.whole && found.more == 0);
        assert_eq!(&whole[found.last.expect("ends")], ">>>>>>> topic");
        let windows = whole.replace('\n', "\r\n");
        assert!(find(&windows).is_some_and(|found| found.whole));
        let twice = format!("{whole}{whole}");
        assert!(find(&twice).is_some_and(|found| found.whole && found.more == 1));
        let three = "<<<<<<< ours\nb = 1\n||||||| base\nb = 0\n=======\nb = 2\n>>>>>>> theirs";
        assert!(find(three).is_some_and(|found| found.whole));
        for part in ["<<<<<<< HEAD\n", "a = 1\n>>>>>>> x\n", "<<<<<<<\n=======\n"] {
            assert!(find(part).is_some_and(|found| !found.whole), "{part}");
        }
        for other in [
            "=======\n",
            "  <<<<<<< HEAD\n",
            "<<<<<<<< x\n",
            "a = <<<<<<<\n",
            "# >>>>>>> x\n",
            ">>>>>>>x\n",
            "",
        ] {
            assert_eq!(find(other), None, "{other}");
        }
    }
}
