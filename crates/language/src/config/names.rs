//! Names that people mistake for each other.
//! Pure. A reviewer reads a name; the platform compares its characters.

use super::accounts::Instance;
use super::codes;
use super::told::Told;
use crate::diag::{Diagnostic, Diagnostics};
use crate::model::{Scope, composed, difference, outline};
use std::collections::BTreeMap;

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
}
