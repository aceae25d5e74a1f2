//! What servers say, as far as it may be repeated.
//! Pure: a foreign text in, an excerpt without secrets out.

use std::collections::BTreeSet;

/// How much of a foreign text a message repeats, in characters.
const EXCERPT: usize = 300;
/// What is looked at of a foreign text, in characters: more is never shown.
const LOOKED_AT: usize = 65_536;
/// So many bytes of a token in a row give it away; of a shorter token, all of them.
const GIVEAWAY: usize = 16;
/// The shortest text that is taken for a token, in bytes.
const SHORTEST_TOKEN: usize = 8;

/// A foreign text, cut, and never a key or a part of `token`.
pub fn excerpt(text: &str, token: &str) -> String {
    if text.contains("PRIVATE KEY") {
        return "[withheld: the text holds a private key]".to_owned();
    }
    let end = text.char_indices().nth(LOOKED_AT);
    let looked_at = &text[..end.map_or(text.len(), |(at, _)| at)];
    // Before the cut: what is left of a token behind it could no longer be told.
    let text = without_token(looked_at, token);
    match text.char_indices().nth(EXCERPT) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

/// A text in which every run of bytes of `token` that gives it away is left out. Some proxies and servers
/// repeat the headers of a request that they refuse.
pub fn without_token(text: &str, token: &str) -> String {
    let width = token.len().min(GIVEAWAY);
    if width < SHORTEST_TOKEN || text.len() < width {
        return text.to_owned();
    }
    let parts: BTreeSet<&[u8]> = token.as_bytes().windows(width).collect();
    let mut out = String::with_capacity(text.len());
    let (mut hidden_to, mut from) = (0, 0);
    for (at, part) in text.as_bytes().windows(width).enumerate() {
        if !parts.contains(part) {
            continue;
        }
        if at > hidden_to || hidden_to == 0 {
            out.push_str(text.get(from..at).unwrap_or_default());
            out.push_str("[REDACTED]");
        }
        hidden_to = at + width;
        from = hidden_to;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// Whether a text repeats a part of what was sent: a run of bytes that no sentence has by chance; of what is
/// shorter, all of it. What of the rest belongs to that part cannot be told then.
pub fn repeats(text: &[u8], sent: &[u8]) -> bool {
    const LEAST: usize = 4;
    let width = sent.len().min(GIVEAWAY);
    if width < LEAST {
        return false;
    }
    let parts: BTreeSet<&[u8]> = sent.windows(width).collect();
    text.windows(width).any(|part| parts.contains(part))
}

/// What stands for a text that repeats what was sent.
pub const WITHHELD: &str = "[withheld: the text repeats what was sent]";

/// Whether a body is a page for people.
pub fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_known_again_by_any_part_of_it() {
        for (text, sent, told) in [
            (
                "you sent hunter2-of-a-job-of-ci",
                "x=hunter2-of-a-job-of-ci",
                true,
            ),
            ("...ter2-of-a-job-of", "x=hunter2-of-a-job-of-ci", true),
            ("...ter2-of-a-job-o", "x=hunter2-of-a-job-of-ci", false),
            ("it is 1234", "1234", true),
            ("it is 123", "123", false),
            ("", "hunter2-of-a-job", false),
        ] {
            assert_eq!(repeats(text.as_bytes(), sent.as_bytes()), told, "{text}");
        }
    }

    #[test]
    fn no_part_of_a_token_is_left_in_a_text() {
        for (text, token, shown) in [
            ("abcdefgh", "abcdefgh", "[REDACTED]"),
            ("abcdefg", "abcdefg", "abcdefg"),
            ("x abcdefghi", "abcdefghi", "x [REDACTED]"),
            ("abcdefgh", "abcdefghi", "abcdefgh"),
            ("", "abcdefghi", ""),
        ] {
            assert_eq!(without_token(text, token), shown);
        }
    }

    #[test]
    fn an_excerpt_is_short_and_no_key() {
        let cut = excerpt(&"ä".repeat(301), "");
        assert_eq!(cut, format!("{}…", "ä".repeat(300)));
        let held = "x -----BEGIN PRIVATE KEY----- MIG2";
        assert!(!excerpt(held, "").contains("MIG2"));
        assert!(is_page(b" <html>") && !is_page(b"{}"));
    }
}
