//! The account that a place is made for, as a sink's attributes see it: `account`.
//! Pure.

use crate::lang::value::{Members, Value};
use crate::model::{Address, short_digest};

/// What the attributes of a sink may use of the account.
pub(in crate::config) struct Recipient<'a> {
    pub(in crate::config) address: &'a Address,
    pub(in crate::config) name: &'a str,
    pub(in crate::config) scope: Option<&'a crate::model::Scope>,
}

/// What `account` holds inside a sink.
pub(in crate::config) fn members(recipient: &Recipient<'_>) -> Members {
    let scope = recipient
        .scope
        .map_or(Value::unknown(crate::lang::Type::Any), |scope| {
            let members = [
                ("id".into(), scope.id().into()),
                ("kind".into(), scope.kind().into()),
                ("mrn".into(), scope.mrn().as_str().into()),
            ];
            Value::map(members.into())
        });
    [
        ("id".into(), safe_name(recipient.address).into()),
        ("name".into(), recipient.name.into()),
        ("address".into(), recipient.address.to_string().into()),
        ("scope".into(), scope),
    ]
    .into()
}

/// Makes a file name of an address: itself where that is safe, else with a hash that keeps
/// different addresses apart.
pub(super) fn safe_name(address: &Address) -> String {
    let Some(key) = &address.key else {
        return address.name.clone();
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if !key.is_empty() && key.len() <= 64 && key.chars().all(plain) {
        return format!("{}.{key}", address.name);
    }
    let kept: String = key
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .take(40)
        .collect();
    let hash = short_digest(address.to_string().as_bytes(), 10);
    format!("{}.{kept}.{hash}", address.name)
}

#[cfg(test)]
mod tests {
    use super::safe_name;
    use crate::model::Address;
    use std::collections::BTreeSet;

    #[test]
    fn hostile_keys_make_safe_distinct_names() {
        let keys = [
            "a",
            "A",
            "a/b",
            "a_b",
            "..",
            "",
            ".",
            "a\u{0}b",
            "é",
            "ê",
            "x.1234567890",
            "con",
        ];
        let long = ["y".repeat(65), "y".repeat(66)];
        let mut seen = BTreeSet::new();
        for key in keys.into_iter().chain(long.iter().map(String::as_str)) {
            let name = safe_name(&Address::new("ci", Some(key.to_owned())));
            assert!(
                name.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)),
                "{name}"
            );
            assert!(name.len() <= 120 && name.starts_with("ci."), "{name}");
            assert!(seen.insert(name.to_lowercase()), "{name}");
        }
        assert_eq!(safe_name(&Address::new("ci", None)), "ci");
        assert_eq!(
            safe_name(&Address::new("ci", Some("prod".into()))),
            "ci.prod"
        );
    }
}
