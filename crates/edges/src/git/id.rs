//! Names of git's objects: the digest of what they are.
//! Pure.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use crate::encoding::hex;

/// How a repository names its objects.
/// Source: git's documentation, "gitformat-pack" and "hash-function-transition".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    /// How many bytes a name has.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The name of an object of this kind.
    pub(super) fn name(self, kind: &str, body: &[u8]) -> Id {
        let mut digest = Context::new(match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
        });
        digest.update(format!("{kind} {}\0", body.len()).as_bytes());
        digest.update(body);
        let mut bytes = [0; 32];
        let digest = digest.finish();
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Id { hash: self, bytes }
    }
}

/// The name of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id {
    hash: Hash,
    /// Behind a short name all are zero.
    bytes: [u8; 32],
}

impl Id {
    /// The name that is all of this text, in hexadecimal.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let hash = match text.len() {
            40 => Hash::Sha1,
            64 => Hash::Sha256,
            _ => return None,
        };
        Self::new(hash, &digits(text)?)
    }

    /// The name of these bytes, if they are as many as a name has.
    pub(super) fn new(hash: Hash, from: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..hash.bytes())?;
        if from.len() != hash.bytes() {
            return None;
        }
        for (to, from) in bytes.iter_mut().zip(from) {
            *to = *from;
        }
        Some(Self { hash, bytes })
    }

    pub(super) fn hash(&self) -> Hash {
        self.hash
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.hash.bytes()]
    }

    pub(super) fn hex(&self) -> String {
        hex(self.bytes())
    }
}

/// The bytes that an even number of hexadecimal digits stand for.
pub(super) fn digits(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let [high, low] = pair else { return None };
        u8::try_from(digit(high)? << 4 | digit(low)?).ok()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that git gives to nothing and to "hello\n": `git hash-object` of a repository of either kind.
    #[test]
    fn names_are_those_of_git() {
        for (hash, body, name) in [
            (Hash::Sha1, "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
            (
                Hash::Sha1,
                "hello\n",
                "ce013625030ba8dba906f756967f9e9ca394464a",
            ),
            (
                Hash::Sha256,
                "",
                "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
            ),
        ] {
            let id = hash.name("blob", body.as_bytes());
            assert_eq!(id.hex(), name);
            assert_eq!(Id::parse(name), Some(id));
            assert_eq!(Id::new(hash, id.bytes()), Some(id));
        }
    }

    #[test]
    fn what_is_no_name_is_none() {
        let long = "a".repeat(39);
        for odd in ["", "abc", &long, &format!("{long}g"), &format!("{long}é")] {
            assert_eq!(Id::parse(odd), None, "{odd}");
        }
        assert_eq!(Id::new(Hash::Sha1, &[0; 32]), None);
        assert_eq!(digits("0aF"), None);
        assert_eq!(digits("0aFf"), Some(vec![0x0a, 0xff]));
    }
}
