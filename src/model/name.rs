//! Names as they are compared.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The one form in which names are compared, Unicode's NFC: `é` is one letter, however it is written.
pub fn composed(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return Cow::Borrowed(name);
    }
    ComposingNormalizerBorrowed::new_nfc().normalize(name)
}

#[cfg(test)]
mod tests {
    use super::composed;

    #[test]
    fn names_are_compared_in_one_form() {
        for (a, b) in [
            ("cafe\u{301}", "caf\u{e9}"),
            ("A\u{30a}", "\u{212b}"),
            ("ci-prod", "ci-prod"),
        ] {
            assert_eq!(composed(a), composed(b));
        }
        assert_ne!(composed("ci"), composed("CI"));
    }
}
