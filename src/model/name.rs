//! Names as they are compared: one text in two forms of Unicode is one name.
//! Pure.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

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
}
