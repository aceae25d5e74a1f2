//! What names the owner of all that one configuration manages.
//! Pure: text in, value out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The owner of all that one configuration manages: its name and its random id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StackId {
    /// `name.id`, as the label holds it.
    text: String,
    /// Where the dot is.
    dot: usize,
}

impl StackId {
    /// Checks both parts: the name 1 to 32 of `a-z0-9-`, the id 4 to 16 of `a-z0-9`.
    ///
    /// # Errors
    /// Says which part is wrong, as a fragment.
    pub fn new(name: &str, id: &str) -> Result<Self, String> {
        let name_ok = (1..=32).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !name_ok {
            return Err("a stack name has 1 to 32 of a-z, 0-9 and `-`".to_owned());
        }
        let id_ok = (4..=16).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !id_ok {
            return Err("a stack id has 4 to 16 of a-z and 0-9".to_owned());
        }
        Ok(Self {
            text: format!("{name}.{id}"),
            dot: name.len(),
        })
    }

    /// `name.id`, as labels hold it.
    pub(super) fn label(&self) -> &str {
        &self.text
    }

    /// The name, for people.
    pub fn name(&self) -> &str {
        &self.text[..self.dot]
    }

    /// The random part.
    pub fn id(&self) -> &str {
        &self.text[self.dot + 1..]
    }

    /// Reads `name.id`, as labels hold it.
    pub(super) fn from_label(text: &str) -> Option<Self> {
        let (name, id) = text.split_once('.')?;
        Self::new(name, id).ok()
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name(), self.id())
    }
}

impl Serialize for StackId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StackId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |why: String| serde::de::Error::custom(why);
        let (name, id) = text
            .split_once('/')
            .ok_or_else(|| wrong("a stack is NAME/ID".to_owned()))?;
        Self::new(name, id).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_have_a_shortest_and_a_longest() {
        let (longest, longer) = ("x".repeat(32), "x".repeat(33));
        for (name, id, fits) in [
            ("a", "abcd", true),
            ("a-0", "0123456789abcdef", true),
            (longest.as_str(), "abcd", true),
            (longer.as_str(), "abcd", false),
            ("", "abcd", false),
            ("a", "abc", false),
            ("a", "", false),
            ("a", "0123456789abcdefg", false),
        ] {
            assert_eq!(StackId::new(name, id).is_ok(), fits, "{name} {id}");
        }
    }

    #[test]
    fn nothing_but_plain_letters_and_digits_is_in_one() {
        for wrong in ["A", "a.b", "a/b", "a_b", "a b", "\u{e4}", "a\n"] {
            assert!(StackId::new(wrong, "abcd").is_err(), "{wrong:?}");
            assert!(
                StackId::new("a", &format!("abcd{wrong}")).is_err(),
                "{wrong:?}"
            );
        }
        // A name may have a hyphen, an id may not.
        assert!(StackId::new("a-b", "abcd").is_ok());
        assert!(StackId::new("a", "ab-cd").is_err());
    }

    #[test]
    fn labels_and_documents_give_the_same_one_back() {
        let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
        assert_eq!((stack.name(), stack.id()), ("acme-access", "k7m2q9ta"));
        assert_eq!(stack.label(), "acme-access.k7m2q9ta");
        assert_eq!(stack.to_string(), "acme-access/k7m2q9ta");
        assert_eq!(StackId::from_label(stack.label()), Some(stack.clone()));
        let text = serde_json::to_string(&stack).expect("JSON");
        assert_eq!(text, "\"acme-access/k7m2q9ta\"");
        let again: StackId = serde_json::from_str(&text).expect("a stack");
        assert_eq!(again, stack);
        for wrong in [
            "acme",
            "acme/",
            "/k7m2q9ta",
            "acme.k7m2q9ta",
            "acme/k7m2q9ta/x",
            "Acme/k7m2q9ta",
        ] {
            let read = serde_json::from_value::<StackId>(wrong.into());
            assert!(read.is_err(), "{wrong}");
        }
        for wrong in [
            "acme",
            "acme.",
            ".k7m2q9ta",
            "acme/k7m2q9ta",
            "acme.k7m2q9ta.x",
        ] {
            assert_eq!(StackId::from_label(wrong), None, "{wrong}");
        }
    }
}
