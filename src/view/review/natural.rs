//! The order in which people look for names: `ci-2` before `ci-10`.
//! Pure.

use std::cmp::Ordering;

use crate::model::Address;

/// Compares two texts as people read them: runs of digits by the number that they are. Texts that differ are
/// never equal.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(one), Some(other)) = (left.chars().next(), right.chars().next()) {
        let order = if one.is_ascii_digit() && other.is_ascii_digit() {
            let (x, rest) = number(left);
            let (y, more) = number(right);
            (left, right) = (rest, more);
            // Without zeros before it the longer number is the larger one.
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            (left, right) = (&left[one.len_utf8()..], &right[other.len_utf8()..]);
            one.cmp(&other)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    // `01` and `1` are one number and two names.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The number that a text begins with, without zeros before it, and what follows.
fn number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    (digits.trim_start_matches('0'), rest)
}

/// Compares two addresses so: by block, then by key.
pub fn by_address(a: &Address, b: &Address) -> Ordering {
    natural(&a.name, &b.name).then_with(|| match (&a.key, &b.key) {
        (Some(a), Some(b)) => natural(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_and_different_texts_are_never_equal() {
        let mut names = [
            "ci-10",
            "ci-2",
            "ci",
            "ci-2b",
            "ci-02",
            "b",
            "Ä",
            "ci-2-10",
            "ci-2-9",
            "",
            "7",
            "99999999999999999999999",
            "100000000000000000000000",
        ];
        names.sort_by(|a, b| natural(a, b));
        let sorted = [
            "",
            "7",
            "99999999999999999999999",
            "100000000000000000000000",
            "b",
            "ci",
            "ci-02",
            "ci-2",
            "ci-2-9",
            "ci-2-10",
            "ci-2b",
            "ci-10",
            "Ä",
        ];
        assert_eq!(names, sorted);
        assert_eq!(natural("a1", "a1"), Ordering::Equal);
    }

    #[test]
    fn instances_stand_behind_their_block_in_the_order_of_their_keys() {
        let mut all = [
            ("b", None),
            ("a", Some("10")),
            ("a", Some("9")),
            ("a", None),
        ]
        .map(|(name, key)| Address::new(name, key.map(str::to_owned)));
        all.sort_by(by_address);
        let shown = all.map(|address| address.to_string());
        let expected = [
            "service_account.a",
            "service_account.a[\"9\"]",
            "service_account.a[\"10\"]",
            "service_account.b",
        ];
        assert_eq!(shown, expected);
    }
}
