//! Names as they are compared: one text in two forms of Unicode is one name, and some names are easily
//! taken for each other.
//! Pure.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::diag::acts;

/// The name in Unicode's composed form (NFC), in which names are compared.
pub fn composed(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        Cow::Borrowed(name)
    } else {
        ComposingNormalizerBorrowed::new_nfc().normalize(name)
    }
}

/// Whether two texts are one name.
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || composed(one) == composed(other)
}

/// The name of a former generation where two accounts must not have one. It has no more characters than
/// a name may have.
pub fn former_name(name: &str, generation: u32) -> String {
    const MOST: usize = 200;
    let after = format!(" (generation {generation})");
    let room = MOST.saturating_sub(after.chars().count());
    let before: String = name.chars().take(room).collect();
    before + &after
}

/// What is left of a name when everything is taken away that people overlook.
pub fn outline(name: &str) -> String {
    let plain = ComposingNormalizerBorrowed::new_nfkc()
        .normalize(name)
        .into_owned();
    let seen = plain.chars().filter(|c| !overlooked(*c)).map(looks_like);
    let folded: String = seen.flat_map(char::to_lowercase).map(looks_like).collect();
    folded
}

/// Whether a character is not seen, or taken for a gap.
fn overlooked(c: char) -> bool {
    c.is_whitespace() || acts(c)
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

/// In what two names of one outline differ.
pub fn difference(a: &str, b: &str) -> &'static str {
    let spaces = |text: &str| text.chars().filter(|c| !overlooked(*c)).collect::<String>();
    if spaces(a) == spaces(b) {
        "they differ only in spaces, or in characters that nobody sees"
    } else if a.to_lowercase() == b.to_lowercase() {
        "they differ only in upper and lower case"
    } else if spaces(a).to_lowercase() == spaces(b).to_lowercase() {
        "they differ only in spaces and in upper and lower case"
    } else {
        "they differ in characters that look alike"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_in_two_forms_is_one_name() {
        for (one, other, same) in [
            ("caf\u{e9}", "cafe\u{301}", true),
            ("\u{1100}\u{1161}", "\u{ac00}", true),
            ("\u{212b}", "A\u{30a}", true),
            ("ci", "ci", true),
            // Case, width and script make other names.
            ("ci", "CI", false),
            ("\u{ff41}", "a", false),
            ("\u{430}", "a", false),
        ] {
            assert_eq!(same_name(one, other), same, "{one} {other}");
            assert_eq!(composed(one) == composed(other), same, "{one} {other}");
        }
    }

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
    fn what_differs_is_said() {
        assert!(difference("ci", "CI").contains("only in upper and lower case"));
        assert!(difference("ci", "c i").contains("spaces"));
        assert!(difference("ci", "C i").contains("spaces and"));
        assert!(difference("ci", "сi").contains("look alike"));
    }
}
