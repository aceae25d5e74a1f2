//! The name of a service account in the configuration.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::short_digest;

/// The name of a thing in a stack: `service_account.ci["prod"]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The block's label.
    pub name: String,
    /// The key of `for_each`, where the block has one.
    pub key: Option<String>,
}

impl Address {
    /// An address with or without an instance key.
    pub fn new(name: impl Into<String>, key: Option<String>) -> Self {
        Self {
            name: name.into(),
            key,
        }
    }

    /// The label value that locates this address on the platform.
    pub fn label(&self) -> AddressLabel {
        let plain = match &self.key {
            None => self.name.clone(),
            Some(key) => [self.name.as_str(), key].join("."),
        };
        let fits = plain.len() <= 63
            && !plain.starts_with("h-")
            && plain
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if fits {
            AddressLabel(plain)
        } else {
            AddressLabel(format!(
                "h-{}",
                short_digest(self.to_string().as_bytes(), 32)
            ))
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service_account.{}", self.name)?;
        match &self.key {
            None => Ok(()),
            Some(key) => write!(f, "[{key:?}]"),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    /// Reads an address as it is shown.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not the address of a service account");
        let rest = text.strip_prefix("service_account.").ok_or_else(wrong)?;
        let address = match rest.split_once("[\"") {
            None => Self::new(rest, None),
            Some((name, key)) => {
                let key = key.strip_suffix("\"]").ok_or_else(wrong)?;
                Self::new(name, Some(unescape(key).ok_or_else(wrong)?))
            }
        };
        // There is one way to write each; no block has such a name as is refused here.
        (address.to_string() == text && !address.name.contains(['[', ']', '"']))
            .then_some(address)
            .ok_or_else(wrong)
    }
}

/// Undoes what `{:?}` does to the inside of a text.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match rest.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            'u' => {
                let digits = rest.as_str().strip_prefix('{')?.split_once('}')?.0;
                let code = u32::from_str_radix(digits, 16).ok()?;
                // The braces and what is between them.
                rest.nth(digits.chars().count() + 1)?;
                char::from_u32(code)?
            }
            c @ ('\\' | '"' | '\'') => c,
            _ => return None,
        });
    }
    Some(out)
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The value of the label `rolecall-address`: `name` or `name.key` where that fits a label, else
/// `h-` and a hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AddressLabel(String);

impl AddressLabel {
    /// Takes the value of a live label as it is.
    pub fn from_label(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The label's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address behind the label, unless it is a hash.
    pub fn decode(&self) -> Option<Address> {
        if self.0.starts_with("h-") {
            return None;
        }
        Some(match self.0.split_once('.') {
            None => Address::new(self.0.clone(), None),
            Some((name, key)) => Address::new(name, Some(key.to_owned())),
        })
    }
}

/// How many of each block some addresses are, the most first, a few blocks by name: `28 of
/// service_account.ci, 1 of service_account.b`. What is no address stands for itself.
pub fn by_block<'a>(addresses: impl IntoIterator<Item = &'a str>) -> String {
    const NAMED: usize = 3;
    let mut blocks: BTreeMap<&str, usize> = BTreeMap::new();
    for address in addresses {
        let block = address.split_once('[').map_or(address, |(block, _)| block);
        *blocks.entry(block).or_default() += 1;
    }
    let mut blocks: Vec<(&str, usize)> = blocks.into_iter().collect();
    blocks.sort_by_key(|(block, n)| (std::cmp::Reverse(*n), *block));
    let rest = blocks.split_off(blocks.len().min(NAMED));
    let named = blocks
        .into_iter()
        .map(|(block, n)| format!("{n} of {block}"));
    let others = (!rest.is_empty()).then(|| {
        let n: usize = rest.iter().map(|(_, n)| n).sum();
        let others = if rest.len() == 1 { "block" } else { "blocks" };
        format!("{n} of {} other {others}", rest.len())
    });
    named.chain(others).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_shown() {
        for key in [
            "",
            "prod",
            "a b",
            "\"]",
            "[\"x\"]",
            "\\n\n\u{1b}\u{202e}'ü\0",
            "😀",
        ] {
            for key in [None, Some(key.to_owned())] {
                let address = Address::new("ci", key);
                assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
        for wrong in [
            "ci",
            "service_account.ci[prod]",
            "service_account.ci[\"a\\q\"]",
            "service_account.ci[\"\\u{41}\"]",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_lead_back_to_their_address() {
        for address in [
            Address::new("ci", None),
            Address::new("ci", Some("prod".into())),
            Address::new("ci", Some("a.b".into())),
            Address::new("ci", Some(String::new())),
        ] {
            assert_eq!(address.label().decode(), Some(address));
        }
    }

    #[test]
    fn what_does_not_fit_a_label_is_hashed_and_stays_distinct() {
        let long = Address::new("ci", Some("x".repeat(80)));
        let other = Address::new("ci", Some("x".repeat(81)));
        let spaced = Address::new("ci", Some("a b".into()));
        let tricky = Address::new("h-1234", None);
        for address in [&long, &other, &spaced, &tricky] {
            assert!(address.label().as_str().starts_with("h-"));
            assert!(address.label().as_str().len() <= 63);
            assert_eq!(address.label().decode(), None);
        }
        assert_ne!(long.label(), other.label());
    }

    #[test]
    fn what_is_cut_is_counted_by_block_the_most_first() {
        let of = |n: usize, name: &'static str| (0..n).map(move |i| format!("{name}[\"{i}\"]"));
        let all: Vec<String> = of(1, "a")
            .chain(of(28, "ci"))
            .chain(["b".to_owned()])
            .collect();
        let said = by_block(all.iter().map(String::as_str));
        assert_eq!(said, "28 of ci, 1 of a, 1 of b");
        let all: Vec<String> = all
            .into_iter()
            .chain(of(2, "c"))
            .chain(of(1, "d"))
            .collect();
        let said = by_block(all.iter().map(String::as_str));
        assert_eq!(said, "28 of ci, 2 of c, 1 of a, 2 of 2 other blocks");
        let all: Vec<String> = (0..4).map(|n| format!("x{n}")).collect();
        let said = by_block(all.iter().map(String::as_str));
        assert_eq!(said, "1 of x0, 1 of x1, 1 of x2, 1 of 1 other block");
        assert_eq!(by_block([]), "");
    }
}
