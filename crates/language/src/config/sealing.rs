//! What a configuration says of its seal keys, and its text once one key has handed over to another.
//! Pure: texts in, text out. What is written keeps every other byte of the file.

use std::sync::Arc;

use super::block::Block;
use super::blocks;
use super::generate::quote;
use crate::diag::{Diagnostics, SourceMap, Span};
use crate::lang::syntax;
use crate::model::{SealKeys, SealPublicKey, StackId};

const KEY: &str = "seal_key";
const FORMER: &str = "seal_key_former";

/// What a configuration says of its seal keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealing {
    /// The stack; `None` if it hangs on a variable without a value.
    pub stack: Option<StackId>,
    /// Its public keys, if it has any.
    pub keys: Option<SealKeys>,
    pub(super) place: Option<KeySpans>,
}

/// Where the keys stand in a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KeySpans {
    key: Span,
    /// The former key, its signature, and that of the key in use.
    former: Option<[Span; 3]>,
}

impl KeySpans {
    /// Finds the keys in the `rolecall` block.
    pub(super) fn of(block: &Block) -> Option<Self> {
        let span = |block: &Block, name: &str| Some(block.attribute(name)?.span);
        Some(Self {
            key: span(block, KEY)?,
            former: block.inner(FORMER).and_then(|former| {
                let [key, signature, countersignature] =
                    ["key", "signature", "countersignature"].map(|name| span(former, name));
                Some([key?, signature?, countersignature?])
            }),
        })
    }
}

/// The words of two keys that one takes the place of the other.
#[derive(Clone, Copy, Debug)]
pub struct HandOver<'a> {
    /// The key that takes over.
    pub new: &'a SealPublicKey,
    /// The key that was in use.
    pub old: &'a SealPublicKey,
    /// The old key's signature over both stack and new key.
    pub signature: &'a str,
    /// The new key's signature over both stack and old key.
    pub countersignature: &'a str,
}

impl HandOver<'_> {
    /// What the `rolecall` block says afterwards, for a person to write.
    pub fn lines(&self) -> Vec<String> {
        vec![
            format!("{KEY} = {}", quote(self.new.text())),
            format!("{FORMER} {{"),
            format!("  key              = {}", quote(self.old.text())),
            format!("  signature        = {}", quote(self.signature)),
            format!("  countersignature = {}", quote(self.countersignature)),
            "}".to_owned(),
        ]
    }
}

impl Sealing {
    /// The text of the file in which the keys stand, as it was read; empty if there are none.
    pub fn text(&self, sources: &SourceMap) -> Arc<str> {
        let file = self.place.as_ref().map(|place| place.key.file);
        file.map_or_else(|| Arc::from(""), |file| sources.text(file))
    }

    /// The path of the file in which the keys stand, as findings show it, and its text with the new
    /// key in use and the former one beside it; every other byte stays. `None` if that cannot be
    /// written safely.
    pub fn rotated(&self, sources: &SourceMap, word: &HandOver<'_>) -> Option<(String, String)> {
        let place = self.place.as_ref()?;
        let file = place.key.file;
        let text = sources.text(file);
        let mut edits = vec![(place.key.range(), quote(word.new.text()))];
        match &place.former {
            Some([key, signature, countersignature]) => {
                edits.push((key.range(), quote(word.old.text())));
                edits.push((signature.range(), quote(word.signature)));
                edits.push((countersignature.range(), quote(word.countersignature)));
            }
            None => {
                let (at, block) = inserted(&text, place.key.end, place.key.start, word);
                edits.push((at..at, block));
            }
        }
        // From the end on, so that what is yet to be edited stays where it is.
        edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut edited = text.to_string();
        for (range, with) in edits {
            edited.get(range.clone())?;
            edited.replace_range(range, &with);
        }
        // A comment in an odd place may have taken what was meant for the block.
        (says(&edited, word) && others(&edited) == others(&text))
            .then(|| (sources.path(file).to_owned(), edited))
    }
}

/// Where the block of the former key goes, behind the line that `end` is in, and its text.
fn inserted(text: &str, end: usize, start: usize, word: &HandOver<'_>) -> (usize, String) {
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let indent: String = text[line..start]
        .chars()
        .take_while(|c| matches!(c, ' ' | '\t'))
        .collect();
    let at = text[end..].find('\n').map_or(text.len(), |n| end + n + 1);
    let newline = if text[..at].ends_with("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let mut lines = vec![String::new()];
    let block = word.lines();
    lines.extend(block.iter().skip(1).map(|line| format!("{indent}{line}")));
    let next = text[at..].lines().next().unwrap_or_default().trim();
    if !next.is_empty() && !next.starts_with('}') {
        lines.push(String::new());
    }
    let lines = lines.iter().map(|line| format!("{line}{newline}"));
    (at, lines.collect())
}

/// The `rolecall` block of one file and how many others there are; `None` if it cannot be read.
fn read(text: &str) -> Option<(Block, usize)> {
    let mut out = Diagnostics::new();
    let tree = syntax::parse("", text.as_bytes(), &mut SourceMap::new(), &mut out)?;
    let mut all = Vec::new();
    blocks::collect(tree, text, &mut all, &mut out);
    let at = all
        .iter()
        .position(|block| block.schema.kind == "rolecall")?;
    let block = all.swap_remove(at);
    Some((block, all.len()))
}

/// Whether a text says what was to be written.
fn says(text: &str, word: &HandOver<'_>) -> bool {
    let Some((block, _)) = read(text) else {
        return false;
    };
    let is = |block: &Block, name: &str, wanted: &str| {
        let attribute = block.attribute(name);
        attribute.is_some_and(|found| found.expression.as_str() == Some(wanted))
    };
    is(&block, KEY, word.new.text())
        && block.inner(FORMER).is_some_and(|former| {
            is(former, "key", word.old.text())
                && is(former, "signature", word.signature)
                && is(former, "countersignature", word.countersignature)
        })
}

/// What else a text holds: how many blocks, and the other attributes of the `rolecall` block.
fn others(text: &str) -> Option<(usize, Vec<String>)> {
    let (block, blocks) = read(text)?;
    let names = block.attributes.keys().cloned().collect();
    Some((blocks, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SourceFile, parse, resolve, resolve::sealing};
    use crate::diag::{Diagnostic, render_all};
    use crate::model::SealKey;
    use zeroize::Zeroizing;

    fn key(first: u8) -> SealKey {
        let seed = std::array::from_fn(|i| first.wrapping_add(i as u8));
        SealKey::of_seed(Zeroizing::new(seed)).expect("a key")
    }

    fn read_all(text: &str) -> (SourceMap, Result<Sealing, Diagnostics>) {
        let file = SourceFile {
            path: "main.hcl".to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        let (mut sources, module) = parse(vec![file]);
        let found = sealing(&module, &mut sources, &[]);
        (sources, found)
    }

    /// Rotates the keys of a text once.
    fn rotate(text: &str, old: &SealKey, new: &SealKey) -> Option<String> {
        let (sources, found) = read_all(text);
        let sealing = found.expect("valid");
        let stack = sealing.stack.clone().expect("known");
        let signature = old.hand_over(&stack, new.public());
        let countersignature = new.take_over(&stack, old.public());
        let word = HandOver {
            new: new.public(),
            old: old.public(),
            signature: &signature,
            countersignature: &countersignature,
        };
        let (path, text) = sealing.rotated(&sources, &word)?;
        assert_eq!(path, "main.hcl");
        Some(text)
    }

    #[test]
    fn a_rotated_key_keeps_every_other_byte_of_the_file() {
        let (one, two, three) = (key(0), key(50), key(100));
        let k = |key: &SealKey| key.public().text().to_owned();
        let forms = [
            // Plain, with comments, with what follows, and with the line ends of other systems.
            "# café\nrolecall {\n  stack    = \"acme\"\n  id       = \"k7m2q9ta\"\n  seal_key = \"K\" # ours\n}\n\nlocals {\n  x =   1\n}\n",
            "rolecall {\n\tseal_key=\"K\"\n\tid = \"k7m2q9ta\" /* a */\n\tstack = \"acme\"\n}",
            "\u{feff}rolecall {\r\n  stack = \"acme\"\r\n  seal_key = \"K\"\r\n\r\n  id = \"k7m2q9ta\"\r\n}\r\n",
        ];
        for form in forms {
            let text = form.replace('K', &k(&one));
            let first = rotate(&text, &one, &two).expect("rotated");
            let (_, found) = read_all(&first);
            let keys = found.expect("valid").keys.expect("keys");
            assert_eq!(
                (&keys.current, keys.former.as_ref()),
                (two.public(), Some(one.public())),
                "{first}"
            );
            let plain = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let before: Vec<&str> = plain.lines().collect();
            let kept = first.replace(&k(&two), &k(&one));
            let kept: Vec<&str> = kept.lines().collect();
            let mut lines = kept.iter();
            for line in &before {
                assert!(lines.any(|other| other == line), "{line:?} in {first}");
            }
            assert!(kept.len() - before.len() <= 7, "{first}");
            assert_eq!(first.contains('\r'), text.contains('\r'));
            assert!(!first.contains("\r\n") || !first.replace("\r\n", "").contains('\n'));
            // The next one takes the place of the former one, and nothing grows.
            let second = rotate(&first, &two, &three).expect("rotated");
            assert_eq!(second.lines().count(), first.lines().count());
            let (_, found) = read_all(&second);
            let keys = found.expect("valid").keys.expect("keys");
            assert_eq!(keys.former.as_ref(), Some(two.public()));
            assert!(!second.contains(&k(&one)), "{second}");
        }
    }

    #[test]
    fn the_block_of_the_former_key_is_laid_out_as_a_person_would() {
        let (one, two) = (key(0), key(50));
        let text = format!(
            "rolecall {{\n  stack    = \"acme\"\n  id       = \"k7m2q9ta\"\n  seal_key = \"{}\"\n}}\n",
            one.public().text()
        );
        let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
        let expected = format!(
            "rolecall {{\n  stack    = \"acme\"\n  id       = \"k7m2q9ta\"\n  seal_key = \"{}\"\n\n  \
             seal_key_former {{\n    key              = \"{}\"\n    signature        = \"{}\"\n    \
             countersignature = \"{}\"\n  }}\n}}\n",
            two.public().text(),
            one.public().text(),
            one.hand_over(&stack, two.public()),
            two.take_over(&stack, one.public())
        );
        assert_eq!(rotate(&text, &one, &two), Some(expected.clone()));
        // One empty line between it and what comes next, also where there is one already.
        let marked = |text: &str, next: &str| text.replace("\n}\n", &format!("\n{next}}}\n"));
        let next = "  # more\n";
        let rotated = rotate(&marked(&text, next), &one, &two);
        assert_eq!(rotated, Some(marked(&expected, &format!("\n{next}"))));
        let next = "\n  # more\n";
        let rotated = rotate(&marked(&text, next), &one, &two);
        assert_eq!(rotated, Some(marked(&expected, next)));
    }

    #[test]
    fn what_cannot_be_edited_safely_is_left_as_it_is() {
        let (one, two) = (key(0), key(50));
        for form in [
            "rolecall {\n  stack = \"acme\"\n  id = \"k7m2q9ta\"\n  seal_key = \"K\" /* a comment\n over lines */\n}\n",
            "rolecall {\n  stack = \"acme\"\n  id = \"k7m2q9ta\"\n  seal_key = \"K\" /*\n\n*/\n}\n",
        ] {
            let text = form.replace('K', one.public().text());
            assert_eq!(rotate(&text, &one, &two), None, "{text}");
        }
    }

    /// Everything that is said of a text, with the lines it points to.
    fn said(text: &str) -> String {
        let (sources, found) = read_all(text);
        let found = found
            .map(|_| Diagnostics::new())
            .unwrap_or_else(|found| found);
        let file = SourceFile {
            path: "main.hcl".to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        let (mut again, module) = parse(vec![file]);
        let resolved = resolve(&module, &mut again, &[]);
        let errors = resolved
            .map(|found| found.warnings)
            .unwrap_or_else(|found| found);
        render_all(&found, &sources, false) + &render_all(&errors, &again, false)
    }

    #[test]
    fn a_private_key_is_shown_by_no_finding_wherever_it_stands() {
        let private = key(0).text();
        let secret = private
            .strip_prefix("rolecall-seal-ed25519:")
            .expect("a prefix");
        let public = key(50).public().text().to_owned();
        let forms = [
            "seal_key = \"PRIVATE\"",
            "seal_key = \"PRIVATE\\n\"",
            "seal_key = \" PRIVATE\" # PRIVATE",
            "seal_key = \"PUBLIC\"\n  seal_key_former {\n    key = \"PRIVATE\"\n    signature = \"x\"\n    countersignature = \"x\"\n  }",
            "seal_key = \"PUBLIC\"\n  seal_key_former {\n    key = \"FORMER\"\n    signature = \"PRIVATE\"\n    countersignature = \"x\"\n  }",
            "seal_key = \"PUBLIC\"\n  seal_key_former {\n    key = \"FORMER\"\n    signature = \"x\"\n    countersignature = \"PRIVATE\"\n  }",
            "seal_key = upper(\"PRIVATE\")",
            "seal_keys = \"PRIVATE\"",
            "seal_key = PRIVATE",
            "seal_key = \"PRIVATE",
            "seal_key = [\"PRIVATE\"]",
            "trusted_creators = [\"PRIVATE\"]",
            "required_version = \"PRIVATE\"",
            "seal_key {\n    PRIVATE = 1\n  }",
        ];
        for form in forms {
            let inside = form
                .replace("PRIVATE", &private)
                .replace("PUBLIC", &public)
                .replace("FORMER", key(100).public().text());
            let text =
                format!("rolecall {{\n  stack = \"acme\"\n  id = \"k7m2q9ta\"\n  {inside}\n}}\n");
            let said = said(&text);
            assert!(said.contains("main.hcl:"), "nothing is wrong with {form}");
            assert!(!said.contains(&secret[..12]), "{form}: {said}");
        }
        let wrong = said(&format!(
            "rolecall {{\n  stack = \"{}\"\n  id = \"{}\"\n}}\nlocals {{\n  x = {{ \"{}\" = oops }}\n}}\n",
            &*private, &*private, &*private
        ));
        assert!(
            wrong.contains("oops") && !wrong.contains(&secret[..12]),
            "{wrong}"
        );
        let said = said(&format!(
            "rolecall {{\n  stack = \"acme\"\n  id = \"k7m2q9ta\"\n  seal_key = \"{}\"\n}}\n",
            &*private
        ));
        assert!(
            said.contains("whoever reads this file has it now"),
            "{said}"
        );
    }

    /// The file of a stack whose key 50 is in use, with this block beside it.
    fn changed(former: &SealKey, signature: &str, countersignature: &str) -> String {
        format!(
            "rolecall {{\n  stack = \"acme\"\n  id = \"k7m2q9ta\"\n  seal_key = \"{}\"\n  \
             seal_key_former {{\n    key = \"{}\"\n    signature = \"{signature}\"\n    \
             {countersignature}\n  }}\n}}\n",
            key(50).public().text(),
            former.public().text(),
        )
    }

    /// Everybody knows the public key, so everybody can make a key that hands over to it.
    #[test]
    fn a_former_key_is_believed_only_if_both_keys_have_signed() {
        let (old, new, stranger) = (key(0), key(50), key(100));
        let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
        let other = StackId::new("acme", "k7m2q9tb").expect("valid");
        let counter = |word: String| format!("countersignature = \"{word}\"");
        let handed = old.hand_over(&stack, new.public());
        let taken = counter(new.take_over(&stack, old.public()));
        let good = changed(&old, &handed, &taken);
        assert!(read_all(&good).1.is_ok(), "{}", said(&good));

        const SIGNED: &str = "the former key has not signed";
        const TAKEN: &str = "this `seal_key` has not signed";
        let strange = stranger.hand_over(&stack, new.public());
        let by_itself = stranger.take_over(&stack, stranger.public());
        for (former, signature, countersignature, says) in [
            (&stranger, &strange, taken.clone(), [TAKEN].as_slice()),
            (&stranger, &strange, counter(by_itself), &[TAKEN]),
            (&stranger, &strange, counter(strange.clone()), &[TAKEN]),
            (&stranger, &strange, counter(String::new()), &[TAKEN]),
            (&stranger, &strange, String::new(), &["countersignature"]),
            (&old, &handed, counter(handed.clone()), &[TAKEN]),
            (
                &old,
                &handed,
                counter(new.take_over(&other, old.public())),
                &[TAKEN],
            ),
            (&old, &strange, taken.clone(), &[SIGNED]),
            (&old, &strange, counter(strange.clone()), &[SIGNED, TAKEN]),
            (
                &new,
                &new.hand_over(&stack, new.public()),
                counter(new.take_over(&stack, new.public())),
                &["this is the `seal_key` itself"],
            ),
        ] {
            let text = changed(former, signature, &countersignature);
            let told = said(&text);
            for one in says {
                assert!(told.contains(one), "{one}: {told}");
            }
            for one in [SIGNED, TAKEN] {
                assert_eq!(told.contains(one), says.contains(&one), "{one}: {told}");
            }
            let rotates = told.contains("rolecall seal rotate");
            assert!(rotates || countersignature.is_empty(), "{told}");
        }
    }

    /// The point at which the curve is neutral: every signature of it can be computed.
    #[test]
    fn a_key_of_small_order_is_an_error_wherever_it_stands() {
        let neutral = "ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let text = changed(&key(0), "x", "countersignature = \"x\"");
        for good in [key(0), key(50)] {
            let told = said(&text.replace(good.public().text(), neutral));
            assert!(told.contains("small order"), "{told}");
            assert!(told.contains("rolecall seal new"), "{told}");
        }
    }

    /// A key that hangs on what somebody else sets would be none where they set nothing.
    #[test]
    fn a_seal_key_that_is_not_written_out_is_an_error_and_never_none() {
        let public = key(0).public().text().to_owned();
        for (variable, value) in [
            ("default = null", "var.key"),
            ("", "var.key"),
            (&*format!("default = \"{public}\""), "\"${var.key}\""),
            ("default = null", "try(var.key, null)"),
            ("default = true", "var.key ? null : null"),
        ] {
            let text = format!(
                "variable \"key\" {{\n  {variable}\n}}\nrolecall {{\n  stack = \"acme\"\n  id = \
                 \"k7m2q9ta\"\n  seal_key = {value}\n}}\n"
            );
            let (_, found) = read_all(&text);
            let found = found.expect_err(value);
            let says = |d: &Diagnostic| d.labels.iter().any(|l| l.message.contains("written out"));
            assert!(found.iter().any(says), "{value}: {found:?}");
        }
        let (_, null) =
            read_all("rolecall {\n  stack = \"acme\"\n  id = \"k7m2q9ta\"\n  seal_key = null\n}\n");
        assert_eq!(null.expect("as if it were not there").keys, None);
    }

    #[test]
    fn the_keys_are_known_whatever_variables_hold() {
        let text = format!(
            "variable \"id\" {{}}\nrolecall {{\n  stack = \"acme\"\n  id = var.id\n  seal_key = \"{}\"\n}}\n",
            key(0).public().text()
        );
        let (_, found) = read_all(&text);
        let sealing = found.expect("valid");
        assert_eq!(sealing.stack, None);
        assert_eq!(
            sealing.keys.map(|keys| keys.current),
            Some(key(0).public().clone())
        );
        let (_, none) = read_all("rolecall {\n  stack = \"acme\"\n  id = \"k7m2q9ta\"\n}\n");
        assert_eq!(none.expect("valid").keys, None);
    }
}
