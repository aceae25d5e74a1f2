//! Names: of commits, digests, artifacts, and of what comments are about.
//! Pure.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{StackId, short_digest};

/// How many digits of a commit stand where a whole one is too long.
const SHORT: usize = 12;

fn hexadecimal(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A commit, by all of its digits in small letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit(String);

impl Commit {
    /// Reads 40 digits, or 64 where the repository uses SHA-256. Nothing else names one: a branch or a part of a
    /// commit may be moved by whoever can push.
    pub fn parse(text: &str) -> Option<Self> {
        (matches!(text.len(), 40 | 64) && hexadecimal(text)).then(|| Self(text.to_owned()))
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..SHORT).unwrap_or(&self.0)
    }

    /// Whether it stands for no commit: what a host names as the one before a branch was made.
    pub fn is_nothing(&self) -> bool {
        self.0.bytes().all(|b| b == b'0')
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Commit {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Commit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || serde::de::Error::custom("a commit has 40 or 64 digits of 0-9 and a-f");
        Self::parse(&text).ok_or_else(wrong)
    }
}

/// The digest of a plan: `sha256:` and 64 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// Of the 64 digits, with `sha256:` before them or not.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        (digits.len() == 64 && hexadecimal(digits)).then(|| Self(format!("sha256:{digits}")))
    }

    /// The whole, `sha256:` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let whole = Self::parse(&text).filter(|digest| digest.0 == text);
        whole.ok_or_else(|| serde::de::Error::custom("a digest is sha256: and 64 digits"))
    }
}

/// The name of the artifact that holds a verdict. One for each request, head and stack: a name with less in it
/// would let the verdict of one take the place of another's.
pub fn artifact(number: u64, head: &Commit, stack: &StackId) -> String {
    let stack = short_digest(stack.to_string().as_bytes(), SHORT);
    format!("rolecall-{number}-{}-{stack}", head.short())
}

/// What the comment of a stack and directory is known by.
pub fn comment_key(stack: &StackId, directory: &str) -> String {
    // A line end is in neither.
    short_digest(format!("{stack}\n{directory}").as_bytes(), 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_all_of_its_digits_and_nothing_else() {
        let whole = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(Commit::parse(whole).expect("whole").short(), "0123456789ab");
        assert!(Commit::parse(&whole.repeat(2)[..64]).is_some());
        for wrong in [
            &whole[..39],
            "main",
            "",
            "0123456789ABCDEF0123456789abcdef01234567",
            "0123456789abcdef0123456789abcdef0123456\u{e4}",
        ] {
            assert_eq!(Commit::parse(wrong), None, "{wrong}");
        }
        assert!(Commit::parse(&"0".repeat(40)).expect("zeros").is_nothing());
    }

    #[test]
    fn a_digest_is_shown_with_its_kind_and_read_from_documents_whole() {
        let digits = "5".repeat(64);
        let digest = Digest::parse(&digits).expect("digits");
        assert_eq!(Digest::parse(digest.as_str()), Some(digest.clone()));
        let read = |text: &str| serde_json::from_value::<Digest>(text.into()).ok();
        assert_eq!(read(digest.as_str()), Some(digest));
        assert_eq!(read(&digits), None);
        assert_eq!(Digest::parse("sha256:sha256:"), None);
    }

    #[test]
    fn no_two_verdicts_share_an_artifact_and_no_two_plans_a_comment() {
        let head = |digit: &str| Commit::parse(&digit.repeat(40)).expect("a commit");
        let stack = |name: &str| StackId::new(name, "k7m2q9ta").expect("a stack");
        let one = artifact(7, &head("a"), &stack("acme"));
        assert_eq!(one.split('-').count(), 4);
        for other in [
            artifact(8, &head("a"), &stack("acme")),
            artifact(7, &head("b"), &stack("acme")),
            artifact(7, &head("a"), &stack("acme-2")),
        ] {
            assert_ne!(one, other);
        }
        let key = comment_key(&stack("acme"), "access");
        assert_ne!(key, comment_key(&stack("acme-2"), "access"));
        assert_ne!(key, comment_key(&stack("acme"), "access2"));
    }
}
