//! What of a program's own words may be repeated: no part of a key, nothing that acts on a terminal, not
//! much.
//! Pure.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What is shown of it, in characters.
const SHOWN: usize = 300;
/// So many letters and digits of a key in a row give it away, whatever stands between them.
const GIVEAWAY: usize = 8;
/// A run of so many letters, digits, `+`, `/`, `=`, `_` and `-` may be a key of whomever.
const RUN: usize = 24;

/// What a program said, in one line; nothing where it said nothing, and no word of it where any part of
/// one of these secrets is in it.
pub(super) fn repeatable(said: &[u8], secrets: &[&str]) -> Option<String> {
    let text = Zeroizing::new(String::from_utf8_lossy(said).into_owned());
    if text.trim().is_empty() {
        return None;
    }
    if text.contains("PRIVATE KEY") || gives_away(&text, secrets) {
        return Some("[withheld: it holds a part of a key]".to_owned());
    }
    let mut out = String::new();
    let mut shown = 0;
    // From the end: programs say last what went wrong.
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let line = lines.into_iter().rev().find(|line| !line.is_empty());
    for word in line.unwrap_or_default().split(' ') {
        for part in parts(word) {
            match part {
                Part::Run(run) if run.len() >= RUN => out.push('…'),
                Part::Run(text) | Part::Other(text) => {
                    // Whatever acts on a terminal, or is seen by nobody.
                    let plain =
                        text.chars()
                            .map(|c| match c.is_ascii_graphic() || c.is_alphanumeric() {
                                true => c,
                                false => '?',
                            });
                    out.extend(plain);
                }
            }
        }
        out.push(' ');
        shown = out.trim_end().chars().count();
        if shown > SHOWN {
            break;
        }
    }
    let end = shown.min(SHOWN);
    let cut: String = out.chars().take(end).collect();
    Some(match shown > SHOWN {
        true => format!("\"{cut}…\""),
        false => format!("\"{cut}\""),
    })
}

enum Part<'a> {
    Run(&'a str),
    Other(&'a str),
}

/// A word in runs of what keys are written with, and what stands between them.
fn parts(word: &str) -> Vec<Part<'_>> {
    let keyed = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let mut out = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let run = keyed(first);
        let end = rest.find(|c| keyed(c) != run).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        out.push(match run {
            true => Part::Run(part),
            false => Part::Other(part),
        });
        rest = after;
    }
    out
}

/// Letters and digits alone: whatever is between them, as ends of lines and escapes, hides nothing.
fn bare(text: &str) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    // `\n` in JSON is no letter of a key.
    let mut letters = text.bytes().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            b'\\' if letters.peek().is_some_and(|next| b"nrt".contains(next)) => {
                letters.next();
            }
            letter if letter.is_ascii_alphanumeric() => out.push(letter),
            _ => {}
        }
    }
    out
}

/// Whether a text holds a part of a secret: as it is, in base64 at whatever place, or in hexadecimal digits.
fn gives_away(text: &str, secrets: &[&str]) -> bool {
    let found = bare(text);
    let small = Zeroizing::new(found.to_ascii_lowercase());
    secrets.iter().any(|secret| {
        let mut forms = vec![bare(secret)];
        for skipped in 0..3 {
            let rest = secret.as_bytes().get(skipped..).unwrap_or_default();
            let encoded = Zeroizing::new(STANDARD.encode(rest));
            forms.push(bare(&encoded));
        }
        let hex: Zeroizing<String> = Zeroizing::new(crate::encoding::hex(secret.as_bytes()));
        let in_hex = holds_part(&small, hex.as_bytes(), 2 * GIVEAWAY);
        in_hex || forms.iter().any(|form| holds_part(&found, form, GIVEAWAY))
    })
}

fn holds_part(text: &[u8], secret: &[u8], width: usize) -> bool {
    let width = width.min(secret.len());
    if width < GIVEAWAY / 2 || text.len() < width {
        return false;
    }
    let parts: BTreeSet<&[u8]> = secret.windows(width).collect();
    text.windows(width).any(|part| parts.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDp\nq5Uo0vJ1tXy7";

    fn shown(said: &str) -> Option<String> {
        repeatable(said.as_bytes(), &[KEY])
    }

    #[test]
    fn what_a_program_complains_of_is_told_by_its_last_line() {
        assert_eq!(shown(" \n\n"), None);
        let told = shown("Traceback:\n  line 3\nno space left on /var/keys\n\n");
        assert_eq!(told.as_deref(), Some("\"no space left on /var/keys\""));
    }

    /// Keys are printed in whole and in parts, and in whatever form programs have them.
    #[test]
    fn no_part_of_a_key_is_repeated_in_whatever_form() {
        let hex = crate::encoding::hex(KEY.as_bytes());
        let spaced: String = hex.bytes().map(|b| format!("{} ", char::from(b))).collect();
        let escaped = KEY.replace('\n', "\\n");
        let chopped: String = KEY.bytes().map(|b| format!("{} ", char::from(b))).collect();
        for said in [
            KEY,
            &KEY[10..18],
            &KEY[44..],
            &escaped[44..],
            &format!("bad value '{}'", &KEY[20..32]),
            &STANDARD.encode(KEY),
            &STANDARD.encode(KEY)[3..20],
            &STANDARD.encode(format!("{{\"private_key\":\"{KEY}")),
            &STANDARD.encode(format!("xy{KEY}")),
            &hex,
            &hex.to_uppercase(),
            &hex[7..30],
            &spaced,
            &chopped,
            "-----BEGIN PRIVATE KEY-----",
        ] {
            let told = shown(&format!("oops\n{said}\nfailed")).expect("is told");
            assert!(told.starts_with("[withheld"), "{said}: {told}");
        }
    }

    /// The key of which this run knows nothing, as the one that a place held before.
    #[test]
    fn nothing_that_may_be_a_key_of_another_is_repeated() {
        let other = "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY";
        assert_eq!(
            shown(&format!("held {other}, gave up")).as_deref(),
            Some("\"held …, gave up\"")
        );
    }

    #[test]
    fn what_acts_on_a_terminal_does_not_and_there_is_not_much() {
        let told = shown("\u{1b}[2J\u{202e}gone\r\u{7}").expect("is told");
        assert_eq!(told, "\"?[2J?gone??\"");
        let long = "a long word ".repeat(1000);
        let told = shown(&long).expect("is told");
        assert!(told.chars().count() <= SHOWN + 3, "{told}");
    }
}
