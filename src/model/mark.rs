//! Marks: labels on live accounts that say which configuration put them there.
//! Marks locate, they do not prove: any Editor can write labels.

use std::fmt;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::account::Labels;
use super::address::AddressLabel;
use super::credential::{Fingerprint, Nonce};
use super::desired::Destination;
use super::seal::Seal;

/// What the keys of our labels begin with; users may not declare such keys.
pub const MARK_PREFIX: &str = "rolecall-";

const STACK: &str = "rolecall-stack";
const ADDRESS: &str = "rolecall-address";
const GENERATION: &str = "rolecall-generation";
const CREDENTIAL: &str = "rolecall-credential";
const EXPIRES: &str = "rolecall-expires";
const PROTECTED: &str = "rolecall-protected";
const SEAL: &str = "rolecall-seal";
/// The keys of all marks, sorted.
const KEYS: [&str; 7] = [
    ADDRESS, CREDENTIAL, EXPIRES, GENERATION, PROTECTED, SEAL, STACK,
];
/// The only value of the mark of protection.
const YES: &str = "yes";

/// The first `digits` hexadecimal digits of the SHA-256 of `bytes`.
pub fn short_digest(bytes: &[u8], digits: usize) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let bytes = digest.as_ref();
    let mut text = hex(&bytes[..bytes.len().min(digits.div_ceil(2))]);
    text.truncate(digits);
    text
}

/// Bytes in hexadecimal. A formatter would take longer than the digest itself.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

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

    /// The name, for people.
    pub fn name(&self) -> &str {
        &self.text[..self.dot]
    }

    /// The random part.
    pub fn id(&self) -> &str {
        &self.text[self.dot + 1..]
    }

    fn from_label(text: &str) -> Option<Self> {
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

/// Where an account's key is, as far as the label tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialMark {
    /// The account is being born by the run that holds this nonce.
    Pending(Nonce),
    /// The key with this fingerprint reached the destinations of this digest.
    Delivered {
        /// Names the key.
        fingerprint: Fingerprint,
        /// Digest of the destinations, see [`CredentialMark::destinations_digest`].
        destinations: String,
    },
    /// The account was taken into custody; others hold its key.
    External,
}

impl CredentialMark {
    /// A short digest of a set of destinations; their order does not matter.
    pub fn destinations_digest(destinations: &[Destination]) -> String {
        let name = |to: &Destination| to.parts().concat();
        if let [only] = destinations {
            return short_digest(name(only).as_bytes(), 16);
        }
        let mut names: Vec<String> = destinations.iter().map(name).collect();
        names.sort();
        short_digest(names.join("\n").as_bytes(), 16)
    }

    fn label(&self) -> String {
        match self {
            Self::Pending(nonce) => format!("pending.{}", nonce.as_str()),
            Self::Delivered {
                fingerprint,
                destinations,
            } => ["delivered", fingerprint.as_str(), destinations].join("."),
            Self::External => "external".to_owned(),
        }
    }

    fn from_label(text: &str) -> Option<Self> {
        if text == "external" {
            return Some(Self::External);
        }
        match text.split_once('.')? {
            ("pending", nonce) if !nonce.is_empty() => {
                Some(Self::Pending(Nonce::from_label(nonce)))
            }
            ("delivered", rest) => {
                let (fingerprint, destinations) = rest.split_once('.')?;
                Some(Self::Delivered {
                    fingerprint: Fingerprint::from_label(fingerprint),
                    destinations: destinations.to_owned(),
                })
            }
            _ => None,
        }
    }
}

/// What our labels on one account say, decoded; located, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Marks {
    /// The configuration that put the account there.
    pub stack: StackId,
    /// Its name in that configuration.
    pub address: AddressLabel,
    /// Counts the credentials of one address, from 1.
    pub generation: u32,
    /// Where the key is.
    pub credential: CredentialMark,
    /// When the account expires; fixed at birth, and not told by the API otherwise.
    pub expires: Option<jiff::Timestamp>,
    /// Whether the account must not be deleted, whatever the configuration says.
    pub protected: bool,
    /// What proves that a run with the seal key wrote these marks on this account, if it does.
    pub seal: Option<Seal>,
}

/// What the labels of an account amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marking {
    /// No label of ours.
    Unmarked,
    /// All our labels, readable.
    Marked(Marks),
    /// Some of our labels, but not as we write them; the stack, if it is readable.
    Damaged {
        /// The stack named by the labels, where readable.
        stack: Option<StackId>,
        /// What is wrong, a fragment.
        why: String,
    },
}

impl Marks {
    /// The labels that carry these marks.
    pub fn labels(&self) -> Labels {
        let mut labels = Labels::new();
        self.each_unsealed(|key, value| {
            labels.insert(key.to_owned(), value.to_owned());
        });
        if let Some(seal) = &self.seal {
            labels.insert(SEAL.to_owned(), seal.as_str().to_owned());
        }
        labels
    }

    /// Gives the label of every mark but the seal, by key: what a seal vouches for.
    pub(super) fn each_unsealed(&self, mut give: impl FnMut(&str, &str)) {
        let Self {
            stack,
            address,
            generation,
            credential,
            expires,
            protected,
            seal: _,
        } = self;
        give(ADDRESS, address.as_str());
        give(CREDENTIAL, &credential.label());
        if let Some(expires) = expires {
            give(EXPIRES, &expires.to_string().replace(':', "."));
        }
        give(GENERATION, &generation.to_string());
        if *protected {
            give(PROTECTED, YES);
        }
        give(STACK, &stack.text);
    }

    /// Reads the marks out of an account's labels.
    pub fn locate(labels: &Labels) -> Marking {
        let from = (Bound::Included(MARK_PREFIX), Bound::Unbounded);
        let mut ours = labels
            .range::<str, _>(from)
            .take_while(|(key, _)| key.starts_with(MARK_PREFIX))
            .peekable();
        if ours.peek().is_none() {
            return Marking::Unmarked;
        }
        let mut values = [None; KEYS.len()];
        for (key, value) in ours {
            if let Some(at) = KEYS.iter().position(|known| known == key) {
                values[at] = Some(value.as_str());
            }
        }
        // In the order of `KEYS`.
        let [
            address,
            credential,
            expires,
            generation,
            protected,
            seal,
            stack,
        ] = values;
        let read = || -> Result<Marks, String> {
            let missing = |key: &str| format!("label `{key}` is missing");
            let bad = |key: &str| format!("label `{key}` is not as rolecall writes it");
            let stack = stack.ok_or_else(|| missing(STACK))?;
            let credential = credential.ok_or_else(|| missing(CREDENTIAL))?;
            let generation = generation.ok_or_else(|| missing(GENERATION))?;
            let address = address.ok_or_else(|| missing(ADDRESS))?;
            // As it is written: without a sign, and with no zero before it.
            let counts = |text: &&str| text.starts_with(|c: char| ('1'..='9').contains(&c));
            let generation = Some(generation).filter(counts);
            Ok(Marks {
                stack: StackId::from_label(stack).ok_or_else(|| bad(STACK))?,
                address: AddressLabel::from_label(address),
                generation: generation
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| bad(GENERATION))?,
                credential: CredentialMark::from_label(credential)
                    .ok_or_else(|| bad(CREDENTIAL))?,
                expires: match expires {
                    None => None,
                    Some(text) => Some(text.replace('.', ":").parse().map_err(|_| bad(EXPIRES))?),
                },
                protected: match protected {
                    None => false,
                    Some(YES) => true,
                    Some(_) => return Err(bad(PROTECTED)),
                },
                seal: seal.map(Seal::from_label),
            })
        };
        match read() {
            Ok(marks) => Marking::Marked(marks),
            Err(why) => Marking::Damaged {
                stack: stack.and_then(StackId::from_label),
                why,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(credential: CredentialMark) -> Marks {
        Marks {
            stack: StackId::new("acme-access", "k7m2q9ta").expect("valid"),
            address: AddressLabel::from_label("ci.prod"),
            generation: 1,
            credential,
            expires: "2027-06-30T00:00:00Z".parse().ok(),
            protected: true,
            seal: None,
        }
    }

    #[test]
    fn marks_survive_the_trip_through_labels() {
        for credential in [
            CredentialMark::Pending(Nonce::from_bytes([7; 16])),
            CredentialMark::Delivered {
                fingerprint: Fingerprint::of_public_key(b"key"),
                destinations: CredentialMark::destinations_digest(&[]),
            },
            CredentialMark::External,
        ] {
            let marks = marks(credential);
            for value in marks.labels().values() {
                assert!(value.len() <= 63, "{value}");
                assert!(
                    value
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')),
                    "{value}"
                );
            }
            assert_eq!(Marks::locate(&marks.labels()), Marking::Marked(marks));
        }
    }

    #[test]
    fn a_missing_or_changed_mark_is_damage_not_absence() {
        let full = marks(CredentialMark::External).labels();
        for key in [STACK, ADDRESS, GENERATION, CREDENTIAL] {
            let mut labels = full.clone();
            labels.remove(key);
            assert!(
                matches!(Marks::locate(&labels), Marking::Damaged { .. }),
                "without {key}"
            );
        }
        for (key, value) in [
            (GENERATION, "0"),
            (GENERATION, "01"),
            (GENERATION, "+1"),
            (CREDENTIAL, "delivered"),
            (CREDENTIAL, "pending."),
            (STACK, "acme"),
            (EXPIRES, "soon"),
            (PROTECTED, "no"),
        ] {
            let mut labels = full.clone();
            labels.insert(key.to_owned(), value.to_owned());
            assert!(
                matches!(Marks::locate(&labels), Marking::Damaged { .. }),
                "{key}={value}"
            );
        }
        let others = Labels::from([("team".to_owned(), "x".to_owned())]);
        assert_eq!(Marks::locate(&others), Marking::Unmarked);
    }
}
