//! Seals: what proves that marks were written by a run that holds the seal key, on this very
//! account. Any Editor can write labels; only who knows the key can write a seal that fits.
//! Pure; shows nothing of a key.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use super::mark::{CredentialMark, Marks, hex};
use super::mrn::Mrn;
use super::short_digest;

/// How the fragment begins that speaks against a seal of a key that this run has not.
pub const ANOTHER_KEY: &str = "it is sealed with another key";

/// The text of a seal label: `v1.<key id>.<128 bits of HMAC-SHA-256>`, the last two in
/// hexadecimal. Whether it fits is for [`Seals::check`] to say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seal(String);

impl Seal {
    /// Takes a label as it stands.
    pub fn from_label(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The label's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn key_id(&self) -> Option<&str> {
        let mut parts = self.0.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("v1"), Some(id), Some(_), None) => Some(id),
            _ => None,
        }
    }
}

/// The secret that seals: 256 random bits.
pub struct SealKey {
    id: String,
    key: hmac::Key,
}

impl SealKey {
    /// Reads a key of 64 hexadecimal digits, with white space around it.
    ///
    /// # Errors
    /// A fragment that says what a key looks like and nothing of the one given.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits: Option<Vec<u8>> = text
            .bytes()
            .map(|byte| {
                char::from(byte)
                    .to_digit(16)
                    .and_then(|d| u8::try_from(d).ok())
            })
            .collect();
        let digits = digits
            .map(zeroize::Zeroizing::new)
            .filter(|digits| digits.len() == 64)
            .ok_or_else(|| "a seal key has 64 hexadecimal digits".to_owned())?;
        let bytes = zeroize::Zeroizing::new(
            digits
                .chunks_exact(2)
                .map(|pair| pair[0] << 4 | pair[1])
                .collect::<Vec<u8>>(),
        );
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err("a seal key is random, and this one repeats one byte".to_owned());
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let tag = hmac::sign(&key, b"rolecall seal key id");
        Ok(Self {
            id: short_digest(tag.as_ref(), 8),
            key,
        })
    }

    /// A short name of the key, made of it in one direction; tells two keys apart.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn mac(&self, account: &Mrn, marks: &Marks) -> String {
        let tag = hmac::sign(&self.key, &sealed_bytes(account, marks));
        hex(&tag.as_ref()[..16])
    }

    fn seal(&self, account: &Mrn, marks: &Marks) -> Seal {
        Seal(format!("v1.{}.{}", self.id, self.mac(account, marks)))
    }

    /// Compares what is secret in constant time.
    fn fits(&self, account: &Mrn, marks: &Marks, seal: &Seal) -> bool {
        let of_this_key = seal.0.strip_prefix("v1.").and_then(|rest| {
            let rest = rest.strip_prefix(self.id.as_str())?;
            rest.strip_prefix('.')
        });
        let equal = aws_lc_rs::constant_time::verify_slices_are_equal;
        of_this_key.is_some_and(|found| {
            equal(self.mac(account, marks).as_bytes(), found.as_bytes()).is_ok()
        })
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

/// All that a seal vouches for, each part with its length before it, so that no two accounts or
/// marks give the same bytes.
fn sealed_bytes(account: &Mrn, marks: &Marks) -> Vec<u8> {
    // As much as most marks take.
    let mut bytes = Vec::with_capacity(512);
    bytes.extend(b"rolecall seal v1");
    let mut part = |text: &str| {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    };
    part(account.as_str());
    // Every mark but the seal itself, whatever marks there will be.
    marks.each_unsealed(|key, value| {
        part(key);
        part(value);
    });
    bytes
}

/// What a run knows about seals: its keys, if any.
#[derive(Clone, Debug, Default)]
pub struct Seals {
    current: Option<Arc<SealKey>>,
    previous: Option<Arc<SealKey>>,
    accept_unsealed: bool,
}

/// What is to be thought of an account's seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealCheck {
    /// It fits.
    Right,
    /// It fits the previous key, and wants to be renewed.
    Previous,
    /// There is none, though this run has a key.
    Missing,
    /// It does not fit; a fragment says how.
    Wrong(String),
    /// This run has no key, so nobody can tell; whether there is a seal.
    Unverified(bool),
}

impl Seals {
    /// The keys of a run. Seals by `previous` are taken too, and renewed.
    pub fn new(current: SealKey, previous: Option<SealKey>) -> Self {
        Self {
            current: Some(Arc::new(current)),
            previous: previous.map(Arc::new),
            accept_unsealed: false,
        }
    }

    /// Takes accounts without a seal for ours if a trusted identity created them, and seals them:
    /// for the day on which a stack gets its key.
    #[must_use]
    pub fn accepting_unsealed(self, accept_unsealed: bool) -> Self {
        Self {
            accept_unsealed,
            ..self
        }
    }

    /// Whether the run can seal.
    pub fn can_seal(&self) -> bool {
        self.current.is_some()
    }

    /// Whether a trusted creator is enough for an account that has no seal.
    pub fn accepts_unsealed(&self) -> bool {
        self.accept_unsealed
    }

    /// The marks with their seal. Without a key they stay as they are; a pending account is
    /// sealed when its key is delivered.
    #[must_use]
    pub fn seal(&self, account: &Mrn, marks: Marks) -> Marks {
        match (&self.current, &marks.credential) {
            (None, _) => marks,
            (Some(_), CredentialMark::Pending(_)) => Marks {
                seal: None,
                ..marks
            },
            (Some(key), _) => Marks {
                seal: Some(key.seal(account, &marks)),
                ..marks
            },
        }
    }

    /// Looks at the seal among an account's marks.
    pub fn check(&self, account: &Mrn, marks: &Marks) -> SealCheck {
        let Some(current) = &self.current else {
            return SealCheck::Unverified(marks.seal.is_some());
        };
        let Some(seal) = &marks.seal else {
            return SealCheck::Missing;
        };
        if current.fits(account, marks, seal) {
            return SealCheck::Right;
        }
        if let Some(previous) = &self.previous
            && previous.fits(account, marks, seal)
        {
            return SealCheck::Previous;
        }
        let known = |key: &Arc<SealKey>| Some(key.id()) == seal.key_id();
        SealCheck::Wrong(match seal.key_id() {
            None => "its seal is not as rolecall writes it".to_owned(),
            Some(_) if known(current) || self.previous.as_ref().is_some_and(known) => {
                "its seal does not fit: its marks were changed, or moved here from another account"
                    .to_owned()
            }
            Some(id) => format!(
                "{ANOTHER_KEY} ({id}) than this run's ({}): wrong ROLECALL_SEAL_KEY, \
                 or a seal of somebody else's",
                current.id()
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AddressLabel, Fingerprint, Marking, StackId};

    const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const TWO: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key(text: &str) -> SealKey {
        SealKey::parse(text).expect("a key")
    }

    fn account(id: &str) -> Mrn {
        Mrn::new(format!(
            "//agents.api.mondoo.app/spaces/calm-space-1/serviceaccounts/{id}"
        ))
    }

    fn marks() -> Marks {
        Marks {
            stack: StackId::new("acme", "k7m2q9ta").expect("valid"),
            address: AddressLabel::from_label("ci.prod"),
            generation: 1,
            credential: CredentialMark::Delivered {
                fingerprint: Fingerprint::of_public_key(b"key"),
                destinations: "0011".to_owned(),
            },
            expires: "2027-06-30T00:00:00Z".parse().ok(),
            protected: false,
            seal: None,
        }
    }

    #[test]
    fn a_seal_survives_the_trip_through_labels_and_fits() {
        let seals = Seals::new(key(ONE), None);
        let sealed = seals.seal(&account("a"), marks());
        let Marking::Marked(read) = Marks::locate(&sealed.labels()) else {
            panic!("readable");
        };
        assert_eq!(read, sealed);
        assert_eq!(seals.check(&account("a"), &read), SealCheck::Right);
        let label = read.seal.expect("sealed").0;
        assert!(label.len() <= 63, "{label}");
        assert!(!label.contains(&ONE[..8]), "nothing of the key: {label}");
    }

    /// The seal of one account in full, computed with Python's `hmac` from the construction in
    /// docs/reliability.md: a change of what is sealed must be seen, since it orphans every seal.
    #[test]
    fn the_seal_is_the_documented_one() {
        let sealed = Seals::new(key(ONE), None).seal(&account("a"), marks());
        assert_eq!(
            sealed.seal.expect("sealed").as_str(),
            "v1.97377a92.de98c53738d8c33b2d2d9238fda0ae80"
        );
    }

    #[test]
    fn a_seal_fits_one_account_and_one_set_of_marks_only() {
        let seals = Seals::new(key(ONE), None);
        let sealed = seals.seal(&account("a"), marks());
        let wrong = |account: &Mrn, marks: Marks| {
            matches!(seals.check(account, &marks), SealCheck::Wrong(_))
        };
        assert!(wrong(&account("b"), sealed.clone()), "copied");
        let changes: [fn(&mut Marks); 6] = [
            |m| m.stack = StackId::new("acme", "other1").expect("valid"),
            |m| m.address = AddressLabel::from_label("ci.prod2"),
            |m| m.generation = 2,
            |m| m.credential = CredentialMark::External,
            |m| m.expires = None,
            |m| m.protected = true,
        ];
        for change in changes {
            let mut changed = sealed.clone();
            change(&mut changed);
            assert!(wrong(&account("a"), changed.clone()), "{changed:?}");
        }
        let stripped = Marks {
            seal: None,
            ..sealed
        };
        assert_eq!(seals.check(&account("a"), &stripped), SealCheck::Missing);
    }

    #[test]
    fn a_new_key_takes_the_old_ones_seals_for_a_while_and_seals_with_its_own() {
        let old = Seals::new(key(ONE), None).seal(&account("a"), marks());
        let changing = Seals::new(key(TWO), Some(key(ONE)));
        assert_eq!(changing.check(&account("a"), &old), SealCheck::Previous);
        let new = changing.seal(&account("a"), old.clone());
        assert_eq!(changing.check(&account("a"), &new), SealCheck::Right);
        let changed = Seals::new(key(TWO), None);
        assert_eq!(changed.check(&account("a"), &new), SealCheck::Right);
        assert!(matches!(
            changed.check(&account("a"), &old),
            SealCheck::Wrong(why) if why.contains("another key")
        ));
    }

    #[test]
    fn without_a_key_nothing_is_sealed_and_nothing_verified() {
        let none = Seals::default();
        assert_eq!(none.seal(&account("a"), marks()), marks());
        assert_eq!(
            none.check(&account("a"), &marks()),
            SealCheck::Unverified(false)
        );
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        for bad in [
            "",
            "abc",
            &ONE[1..],
            &ONE.replace('0', "g"),
            &"ab".repeat(32),
        ] {
            let why = SealKey::parse(bad).expect_err("refused");
            assert!(bad.is_empty() || !why.contains(bad), "{why}");
        }
        assert!(SealKey::parse(&format!(" {ONE}\n")).is_ok());
        assert_eq!(format!("{:?}", key(ONE)).len(), "SealKey(12345678)".len());
    }
}
