//! Marks: labels on live accounts that say which configuration put them there.
//! Marks locate, they do not prove: any Editor can write labels. Their form is promised for good
//! (docs/compatibility.md). No mark means anything by its absence.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::account::{Labels, VOID};
use super::address::AddressLabel;
use super::credential::{Fingerprint, Nonce};
use super::described::Described;
use super::digest::short_digest;
use super::identity::DestinationId;
use super::seal_labels::Seal;
use super::sink_kind::SinkKind;
use super::stack::StackId;
use super::written::Written;

/// What the keys of our labels begin with; users may not declare such keys.
pub const MARK_PREFIX: &str = "rolecall-";

pub(super) const ADDRESS: &str = "rolecall-address";
const CREDENTIAL: &str = "rolecall-credential";
const MARK: &str = "rolecall-mark";
/// Stands beside the marks, under no seal.
pub(super) const REVOKED: &str = "rolecall-revoked";
pub(super) const SEAL: &str = "rolecall-seal";
const SEAL_REST: &str = "rolecall-seal-2";
const STACK: &str = "rolecall-stack";
/// The identity of a destination follows.
const TO: &str = "rolecall-to-";
const WRITTEN: &str = "rolecall-written";

/// The keys of all marks but those of destinations.
const KEYS: [&str; 8] = [
    ADDRESS, CREDENTIAL, MARK, REVOKED, SEAL, SEAL_REST, STACK, WRITTEN,
];

/// The form of marks that this version reads and writes.
const FORM: u32 = 1;
/// The first version of rolecall that reads this form, as marks tell it.
const READ_SINCE: &str = "0-1-0";
/// What stands for a value that there is not.
const NONE: &str = "-";
/// The largest generation that a mark has room for.
const MOST_GENERATIONS: u32 = 999_999;

/// The birth of an account, by the run that holds the nonce.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Birth {
    /// Random; tells one birth from all others.
    pub nonce: Nonce,
    /// When it began, by the platform's clock, in whole seconds.
    pub since: Timestamp,
}

impl Birth {
    /// A birth that begins now, by the platform's clock.
    pub fn new(nonce: Nonce, now: Timestamp) -> Self {
        // Marks hold seconds.
        let since = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { nonce, since }
    }
}

/// The key of an account at one of its destinations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyAt {
    /// The kind of place.
    pub kind: SinkKind,
    /// Of which generation the key there is.
    pub generation: u32,
    /// The version that the store gave to our write, where it gives any.
    pub version: Option<StoreVersion>,
}

/// A version as a store names it, shortened to a digest where a mark could not hold it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreVersion(String);

impl StoreVersion {
    /// What a label has room for beside the longest kind and generation.
    const MOST: usize = 36;

    /// The version of this name.
    pub fn new(text: &str) -> Self {
        let fits = (1..=Self::MOST).contains(&text.len())
            && text != NONE
            && !text.starts_with("h-")
            && text.bytes().all(plain);
        if fits {
            Self(text.to_owned())
        } else {
            Self(format!("h-{}", short_digest(text.as_bytes(), 16)))
        }
    }

    /// As marks hold it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an account's key is, as far as the labels tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialMark {
    /// The account is being born.
    Pending(Birth),
    /// The key reached its destinations.
    Delivered {
        /// Names the key.
        fingerprint: Fingerprint,
        /// That of the birth.
        nonce: Nonce,
        /// Where the key is, by the identity of the place.
        destinations: BTreeMap<DestinationId, KeyAt>,
    },
    /// The account was taken into custody; others hold its key.
    External,
}

impl CredentialMark {
    /// The places that the key reached; `None` if it was not rolecall that put it there.
    pub fn destinations(&self) -> Option<BTreeSet<&DestinationId>> {
        match self {
            Self::Delivered { destinations, .. } => Some(destinations.keys().collect()),
            Self::Pending(_) | Self::External => None,
        }
    }

    fn label(&self) -> String {
        match self {
            Self::Pending(Birth { nonce, since }) => {
                ["pending", nonce.as_str(), &time_label(*since)].join(".")
            }
            Self::Delivered {
                fingerprint,
                nonce,
                destinations: _,
            } => ["delivered", fingerprint.as_str(), nonce.as_str()].join("."),
            Self::External => "external".to_owned(),
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
    /// When the account expires, in whole seconds; fixed at birth, and not told by the API otherwise.
    pub expires: Option<Timestamp>,
    /// Whether the account must not be deleted, whatever the configuration says.
    pub protected: bool,
    /// Whether its description is rolecall's.
    pub described: Described,
    /// Since when another generation has taken its place, in whole seconds.
    pub retiring: Option<Timestamp>,
    /// Whether its power was taken back for good.
    pub revoked: bool,
    /// Whether a label beside these marks says so, for which no seal vouches: it can only take away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked_unsealed: bool,
    /// What last wrote these marks.
    pub written: Written,
    /// What proves who wrote these marks, if anything does.
    pub seal: Option<Seal>,
}

/// What the labels of an account amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Marking {
    /// No label of ours.
    #[default]
    Unmarked,
    /// All our labels, readable.
    Marked(Arc<Marks>),
    /// Labels of a form that a later version writes.
    Later {
        /// The stack named by the labels, where readable.
        stack: Option<StackId>,
        /// The first version of rolecall that reads them: `0.4.0`.
        needs: String,
    },
    /// Some of our labels, but not as we write them.
    Damaged {
        /// The stack named by the labels, where readable.
        stack: Option<StackId>,
        /// What is wrong, a fragment.
        why: String,
    },
}

impl Marks {
    /// The marks of an account that is being born. They protect nothing yet: a birth that died must
    /// be removable.
    pub fn pending(
        stack: StackId,
        address: AddressLabel,
        generation: u32,
        birth: Birth,
        expires: Option<Timestamp>,
    ) -> Self {
        Self {
            stack,
            address,
            generation,
            credential: CredentialMark::Pending(birth),
            expires,
            protected: false,
            described: Described::No,
            retiring: None,
            revoked: false,
            revoked_unsealed: false,
            written: Written::default(),
            seal: None,
        }
    }

    /// The marks of an account that is taken into custody.
    pub fn external(stack: StackId, address: AddressLabel, protected: bool) -> Self {
        Self {
            stack,
            address,
            generation: 1,
            credential: CredentialMark::External,
            expires: None,
            protected,
            described: Described::No,
            retiring: None,
            revoked: false,
            revoked_unsealed: false,
            written: Written::default(),
            seal: None,
        }
    }

    /// The labels that carry these marks.
    pub fn labels(&self) -> Labels {
        let mut labels = Labels::new();
        self.each_unsealed(|key, value| {
            labels.insert(key.to_owned(), value.to_owned());
        });
        if self.revoked_unsealed {
            labels.extend([revocation()]);
        }
        if let Some(seal) = &self.seal {
            let (first, rest) = seal.halves();
            labels.insert(SEAL.to_owned(), first.to_owned());
            labels.insert(SEAL_REST.to_owned(), rest.to_owned());
        }
        labels
    }

    /// Whether its power was taken back for good.
    pub fn is_revoked(&self) -> bool {
        self.revoked || self.revoked_unsealed
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
            described,
            retiring,
            revoked,
            revoked_unsealed: _,
            written,
            seal: _,
        } = self;
        let time = |time: &Option<Timestamp>| time.map_or_else(|| NONE.to_owned(), time_label);
        give(ADDRESS, address.as_str());
        give(CREDENTIAL, &credential.label());
        let mark = format!(
            "v{FORM}.{READ_SINCE}.g{generation}.p{}d{}r{}.e{}.t{}",
            u8::from(*protected),
            described.digits(),
            u8::from(*revoked),
            time(expires),
            time(retiring),
        );
        give(MARK, &mark);
        give(STACK, stack.label());
        if let CredentialMark::Delivered { destinations, .. } = credential {
            for (id, at) in destinations {
                let KeyAt {
                    kind,
                    generation,
                    version,
                } = at;
                let version = version.as_ref().map_or(NONE, StoreVersion::as_str);
                give(
                    &format!("{TO}{id}"),
                    &format!("{kind}.{generation}.{version}"),
                );
            }
        }
        give(WRITTEN, &written.label());
    }

    /// Reads the marks out of an account's labels. Void ones count as absent.
    pub fn locate(labels: &Labels) -> Marking {
        let from = (Bound::Included(MARK_PREFIX), Bound::Unbounded);
        let mut ours = labels
            .range::<str, _>(from)
            .take_while(|(key, _)| key.starts_with(MARK_PREFIX))
            .filter(|(_, value)| *value != VOID)
            .peekable();
        if ours.peek().is_none() {
            return Marking::Unmarked;
        }
        // In one pass: each look-up by key goes through the labels again.
        let mut values = [None; KEYS.len()];
        for (key, value) in ours {
            if let Some(at) = KEYS.iter().position(|known| known == key) {
                values[at] = Some(value.as_str());
            }
        }
        let value = |key: &str| values[KEYS.iter().position(|known| *known == key)?];
        let stack = || value(STACK).and_then(StackId::from_label);
        let damaged = |why: String| Marking::Damaged {
            stack: stack(),
            why,
        };
        let bad = |key: &str| format!("label `{key}` is not as rolecall writes it");
        let Some(mark) = value(MARK) else {
            return damaged(format!("label `{MARK}` is missing"));
        };
        let Some((form, rest)) = form_of(mark) else {
            return damaged(bad(MARK));
        };
        if form > FORM {
            // What anybody can write is not repeated as advice.
            let Some(needs) = version(rest.split('.').next().unwrap_or_default()) else {
                return damaged(bad(MARK));
            };
            return Marking::Later {
                stack: stack(),
                needs,
            };
        }
        let Some(rest) = rest
            .strip_prefix(READ_SINCE)
            .and_then(|r| r.strip_prefix('.'))
        else {
            return damaged(bad(MARK));
        };
        let read = || -> Result<Marks, String> {
            let need = |key: &str| value(key).ok_or_else(|| format!("label `{key}` is missing"));
            let short = Short::read(rest).ok_or_else(|| bad(MARK))?;
            let credential =
                credential(need(CREDENTIAL)?, labels)?.ok_or_else(|| bad(CREDENTIAL))?;
            Ok(Marks {
                stack: StackId::from_label(need(STACK)?).ok_or_else(|| bad(STACK))?,
                address: AddressLabel::from_label(need(ADDRESS)?),
                generation: short.generation,
                credential,
                expires: short.expires,
                protected: short.protected,
                described: short.described,
                retiring: short.retiring,
                revoked: short.revoked,
                revoked_unsealed: value(REVOKED).is_some(),
                written: Written::from_label(need(WRITTEN)?).ok_or_else(|| bad(WRITTEN))?,
                seal: Seal::from_labels(value(SEAL), value(SEAL_REST)),
            })
        };
        match read() {
            Ok(marks) => Marking::Marked(Arc::new(marks)),
            Err(why) => damaged(why),
        }
    }
}

/// The label that says of an account, without a seal, that its power was taken back for good.
pub fn revocation() -> (String, String) {
    (REVOKED.to_owned(), "yes".to_owned())
}

/// The short values that stand together in one label.
struct Short {
    generation: u32,
    protected: bool,
    described: Described,
    revoked: bool,
    expires: Option<Timestamp>,
    retiring: Option<Timestamp>,
}

impl Short {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (generation, flags) = (parts.next()?.strip_prefix('g')?, parts.next()?);
        let (expires, retiring) = (
            parts.next()?.strip_prefix('e')?,
            parts.next()?.strip_prefix('t')?,
        );
        if parts.next().is_some() {
            return None;
        }
        let time = |text: &str| match text {
            NONE => Some(None),
            _ => read_time(text).map(Some),
        };
        let yes = |flag: &str| match flag {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        };
        let (protected, flags) = flags.strip_prefix('p')?.split_once('d')?;
        // A digit of the text may be a `d`, and none is an `r`.
        let (described, revoked) = flags.split_once('r')?;
        Some(Self {
            generation: read_generation(generation)?,
            protected: yes(protected)?,
            described: Described::from_digits(described)?,
            revoked: yes(revoked)?,
            expires: time(expires)?,
            retiring: time(retiring)?,
        })
    }
}

/// The form of marks and what follows it. This much is the same in every form there will ever be.
fn form_of(mark: &str) -> Option<(u32, &str)> {
    let (form, rest) = mark.strip_prefix('v')?.split_once('.')?;
    Some((counted(form)?, rest))
}

/// A number from 1 on as it is written: without a sign, and with no zero before it.
fn counted(text: &str) -> Option<u32> {
    text.starts_with(|c: char| ('1'..='9').contains(&c))
        .then(|| text.parse().ok())
        .flatten()
}

/// A version as marks have it, `0-4-0`, in its usual form.
fn version(text: &str) -> Option<String> {
    let numbers: Vec<&str> = text.split('-').collect();
    let number = |text: &&str| *text == "0" || (text.len() < 6 && counted(text).is_some());
    (numbers.len() == 3 && numbers.iter().all(number)).then(|| numbers.join("."))
}

fn read_generation(text: &str) -> Option<u32> {
    counted(text).filter(|generation| *generation <= MOST_GENERATIONS)
}

/// Reads where the key is. `None` if the label is not as it is written.
fn credential(text: &str, labels: &Labels) -> Result<Option<CredentialMark>, String> {
    if text == "external" {
        return Ok(Some(CredentialMark::External));
    }
    let mut parts = text.split('.');
    let read = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(what), Some(one), Some(two), None) = read else {
        return Ok(None);
    };
    if one.is_empty() || two.is_empty() {
        return Ok(None);
    }
    Ok(match what {
        "pending" => read_time(two).map(|since| {
            CredentialMark::Pending(Birth {
                nonce: Nonce::from_label(one),
                since,
            })
        }),
        "delivered" => Some(CredentialMark::Delivered {
            fingerprint: Fingerprint::from_label(one),
            nonce: Nonce::from_label(two),
            destinations: destinations(labels)?,
        }),
        _ => None,
    })
}

fn destinations(labels: &Labels) -> Result<BTreeMap<DestinationId, KeyAt>, String> {
    let from = (Bound::Included(TO), Bound::Unbounded);
    labels
        .range::<str, _>(from)
        .take_while(|(key, _)| key.starts_with(TO))
        .filter(|(_, value)| *value != VOID)
        .map(|(key, value)| {
            let read = || {
                let id = DestinationId::from_label(key.strip_prefix(TO)?)?;
                let (kind, rest) = value.split_once('.')?;
                let (generation, version) = rest.split_once('.')?;
                let at = KeyAt {
                    kind: SinkKind::named(kind)?,
                    generation: read_generation(generation)?,
                    version: match version {
                        NONE => None,
                        _ => Some(StoreVersion(version.to_owned())),
                    },
                };
                Some((id, at))
            };
            read().ok_or_else(|| format!("label `{key}` is not as rolecall writes it"))
        })
        .collect()
}

/// Whether a label's value may hold the byte.
fn plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')
}

/// A point in time as labels hold it: `20270630T000000Z`.
fn time_label(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn read_time(text: &str) -> Option<Timestamp> {
    let digits = |at: std::ops::Range<usize>| {
        let part = text.get(at)?;
        part.bytes().all(|b| b.is_ascii_digit()).then_some(part)
    };
    let (year, month, day) = (digits(0..4)?, digits(4..6)?, digits(6..8)?);
    let (hour, minute, second) = (digits(9..11)?, digits(11..13)?, digits(13..15)?);
    let time: Timestamp = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")
        .parse()
        .ok()?;
    // There is one way to write each.
    (time_label(time) == text).then_some(time)
}

#[cfg(test)]
mod tests;
