//! Names that people mistake for each other.
//! Pure. A reviewer reads a name; the platform compares its characters.

use super::accounts::Instance;
use super::codes;
use super::told::Told;
use crate::diag::{Diagnostic, Diagnostics};
use crate::model::{Scope, composed};
use icu_normalizer::ComposingNormalizerBorrowed;
use std::collections::BTreeMap;

/// What is left of a name when everything is taken away that people overlook.
fn outline(name: &str) -> String {
    let plain = ComposingNormalizerBorrowed::new_nfkc()
        .normalize(name)
        .into_owned();
    let seen = plain.chars().filter(|c| !overlooked(*c)).map(looks_like);
    let folded: String = seen.flat_map(char::to_lowercase).map(looks_like).collect();
    folded
}

/// Whether a character is not seen, or taken for a gap.
fn overlooked(c: char) -> bool {
    c.is_whitespace() || crate::diag::acts(c)
}

/// The Latin letter for which a Greek or Cyrillic one is taken.
fn looks_like(c: char) -> char {
    match c {
        'а' | 'А' | 'α' | 'Α' => 'a',
        'В' | 'Β' => 'b',
        'с' | 'С' | 'ϲ' | 'Ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'Е' | 'Ε' => 'e',
        'Н' | 'Η' | 'һ' => 'h',
        'і' | 'І' | 'ι' | 'Ι' | 'Ӏ' | 'ӏ' => 'i',
        'ј' | 'Ј' | 'ϳ' | 'Ϳ' => 'j',
        'К' | 'к' | 'Κ' | 'κ' => 'k',
        'М' | 'Μ' => 'm',
        'Ν' => 'n',
        'о' | 'О' | 'ο' | 'Ο' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' | 'Ѕ' => 's',
        'Т' | 'Τ' => 't',
        'ν' => 'v',
        'ԝ' | 'Ԝ' => 'w',
        'х' | 'Х' | 'χ' | 'Χ' => 'x',
        'у' | 'У' | 'Υ' | 'γ' => 'y',
        'Ζ' => 'z',
        other => other,
    }
}

/// A script whose letters are taken for those of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
}

impl Script {
    fn of(c: char) -> Option<Self> {
        match c {
            'a'..='z' | 'A'..='Z' => Some(Self::Latin),
            '\u{aa}' | '\u{ba}' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}'
                if c.is_alphabetic() =>
            {
                Some(Self::Latin)
            }
            '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => Some(Self::Latin),
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' if c.is_alphabetic() => {
                Some(Self::Greek)
            }
            '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' if c.is_alphabetic() => {
                Some(Self::Cyrillic)
            }
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Latin => "Latin",
            Self::Greek => "Greek",
            Self::Cyrillic => "Cyrillic",
        }
    }
}

/// Two letters of different scripts that stand in one word.
fn mixed(name: &str) -> Option<(char, char)> {
    let mut last: Option<char> = None;
    for c in composed(name).chars() {
        match Script::of(c) {
            None if c.is_alphabetic() => {}
            None => last = None,
            script => match last {
                Some(before) if Script::of(before) != script => return Some((before, c)),
                _ => last = Some(c),
            },
        }
    }
    None
}

/// In what two names of one outline differ.
fn difference(a: &str, b: &str) -> &'static str {
    let spaces = |text: &str| text.chars().filter(|c| !overlooked(*c)).collect::<String>();
    if spaces(a) == spaces(b) {
        "they differ in spaces, or in characters that nobody sees, alone"
    } else if a.to_lowercase() == b.to_lowercase() {
        "they differ in upper and lower case alone"
    } else if spaces(a).to_lowercase() == spaces(b).to_lowercase() {
        "they differ in spaces and in upper and lower case alone"
    } else {
        "they differ in characters that look alike"
    }
}

/// Warns of accounts of one scope whose names are easily taken for each other, and of names whose words
/// mix scripts.
pub(super) fn check(instances: &[Instance], out: &mut Diagnostics) {
    let mut told = Told::default();
    let mut outlines: BTreeMap<(&Scope, String), &Instance> = BTreeMap::new();
    let mut ordered: Vec<&Instance> = instances.iter().collect();
    ordered.sort_by_key(|instance| (instance.block_span, instance.account.address.clone()));
    for instance in ordered {
        let account = &instance.account;
        let (name, address) = (account.name.as_str(), &account.address);
        if let Some((a, b)) = mixed(name) {
            let scripts = [a, b].map(|c| Script::of(c).map_or("", Script::name));
            let code = |c: char| format!("`{c}` (U+{:04X})", u32::from(c));
            told.push(
                instance.block_span,
                address,
                Diagnostic::warning(codes::MIXED_SCRIPTS)
                    .at(
                        instance.name_span,
                        format!("the name \"{name}\" of `{address}`"),
                    )
                    .help(format!(
                        "{} is {} and {} is {}; write one word in one script",
                        code(a),
                        scripts[0],
                        code(b),
                        scripts[1]
                    )),
            );
        }
        let key = (&account.scope, outline(name));
        let Some(first) = outlines.get(&key) else {
            outlines.insert(key, instance);
            continue;
        };
        // One name twice is an error of its own.
        if composed(&first.account.name) == composed(name) {
            continue;
        }
        told.push(
            instance.block_span,
            address,
            Diagnostic::warning(codes::SIMILAR_NAMES)
                .at(
                    instance.name_span,
                    format!("\"{name}\", the name of `{address}`"),
                )
                .context(
                    first.name_span,
                    format!(
                        "\"{}\", the name of `{}`",
                        first.account.name, first.account.address
                    ),
                )
                .help(format!(
                    "{}; rename one, so that nobody takes it for the other",
                    difference(&first.account.name, name)
                )),
        );
    }
    told.report(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_overlook_makes_no_other_outline() {
        for (a, b) in [
            ("ci-prod", "CI-prod"),
            ("ci-prod", "ci -prod"),
            ("ci-prod", "ci-prod "),
            ("ci-prod", "ci-\u{200b}prod"),
            ("ci-prod", "\u{ff43}\u{ff49}-prod"),
            ("acme", "АСМЕ"),
            ("ci-prod", "ci-\u{440}rod"),
            ("caf\u{e9}", "CAFE\u{301}"),
        ] {
            assert_eq!(outline(a), outline(b), "{a} {b}");
        }
        for (a, b) in [
            ("ci-prod", "ci-prod2"),
            ("ci-prod", "ci_prod"),
            ("caf\u{e9}", "cafe"),
        ] {
            assert_ne!(outline(a), outline(b), "{a} {b}");
        }
    }

    #[test]
    fn a_word_is_of_one_script() {
        for name in [
            "ci-\u{440}rod",
            "\u{430}dmin",
            "\u{3b1}lpha",
            "build\u{3bf}",
        ] {
            assert!(mixed(name).is_some(), "{name}");
        }
        for name in [
            "ci-prod",
            "café-ñandú",
            "ci-платформа",
            "αβγ prod",
            "監視 ci",
            "監視ci",
            "пример-42",
            "",
        ] {
            assert!(mixed(name).is_none(), "{name}");
        }
    }

    #[test]
    fn what_differs_is_said() {
        assert!(difference("ci", "CI").contains("case alone"));
        assert!(difference("ci", "c i").contains("spaces"));
        assert!(difference("ci", "C i").contains("spaces and"));
        assert!(difference("ci", "сi").contains("look alike"));
    }
}
