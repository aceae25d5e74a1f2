//! Seals: what proves that marks were written by a run that holds the private seal key, on this very
//! account. Any Editor can write labels; only who has that key can write a seal that fits, and
//! everybody who knows its public half can tell.
//! Pure; shows nothing of a private key.

use std::sync::Arc;

use super::mark::{CredentialMark, Marks};
use super::mrn::Mrn;
use super::seal_key::{SealKey, SealKeys, SealPublicKey, SignedText};
use super::seal_labels::Seal;

/// What a seal of an account is for, so that it can be taken for nothing else.
const ACCOUNT: &str = "rolecall seal v1";
/// The same of a birth: its account has no resource name yet.
const BIRTH: &str = "rolecall birth v1";
/// About how many bytes most marks take.
const ROOM: usize = 768;
/// How many accounts are worth another thread.
const CHUNK: usize = 64;

/// All that a seal vouches for: every mark but the seal itself, whatever marks there will be.
fn sealed_bytes(purpose: &str, account: Option<&Mrn>, marks: &Marks) -> Vec<u8> {
    let mut text = SignedText::new(purpose, ROOM);
    if let Some(account) = account {
        text.part(account.as_str());
    }
    marks.each_unsealed(|key, value| {
        text.part(key);
        text.part(value);
    });
    text.bytes
}

/// What a run knows about seals: the public keys of its configuration, and the private one if it has
/// it. Who only plans needs none, and judges the same.
#[derive(Clone, Debug, Default)]
pub struct Seals {
    keys: Option<SealKeys>,
    private: Option<Arc<SealKey>>,
    accept_unsealed: bool,
}

/// What is to be thought of an account's seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealCheck {
    /// It fits.
    Right,
    /// It fits the former key, and wants to be renewed.
    Former,
    /// There is none, though the configuration has a key.
    Missing,
    /// It names another key than the configuration: its short name.
    OtherKey(String),
    /// It does not fit; a fragment says how.
    Wrong(String),
    /// The configuration has no key, so nobody can tell; whether there is a seal.
    Unverified(bool),
}

impl Seals {
    /// The public keys of a configuration, and the private key of a run.
    ///
    /// # Errors
    /// A fragment, if the private key is not the one whose public half the configuration has.
    pub fn new(keys: Option<SealKeys>, private: Option<SealKey>) -> Result<Self, String> {
        if let (Some(keys), Some(private)) = (&keys, &private)
            && keys.current != *private.public()
        {
            return Err(format!(
                "it is the key {}, and the configuration's is {}",
                private.public().id(),
                keys.current.id()
            ));
        }
        Ok(Self {
            keys,
            private: private.map(Arc::new),
            ..Self::default()
        })
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

    /// Whether whose an account is can be verified: the configuration has a public key.
    pub fn verifies(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether the run can seal what it writes.
    pub fn can_seal(&self) -> bool {
        self.keys.is_some() && self.private.is_some()
    }

    /// The public keys.
    pub fn keys(&self) -> Option<&SealKeys> {
        self.keys.as_ref()
    }

    /// Whether the configuration has a key of this short name.
    pub fn has_key(&self, id: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| {
            let named = |key: &SealPublicKey| key.id() == id;
            named(&keys.current) || keys.former.as_ref().is_some_and(named)
        })
    }

    /// Whether a trusted creator is enough for an account that has no seal.
    pub fn accepts_unsealed(&self) -> bool {
        self.accept_unsealed
    }

    /// The marks with their seal: that of a birth, if the account is pending. Without a private key
    /// they are left without any.
    #[must_use]
    pub fn seal(&self, account: &Mrn, marks: Marks) -> Marks {
        self.sealed(Some(account), marks)
    }

    /// The marks of an account that is yet to be created, with the signature of its birth.
    #[must_use]
    pub fn sign_birth(&self, marks: Marks) -> Marks {
        self.sealed(None, marks)
    }

    fn sealed(&self, account: Option<&Mrn>, marks: Marks) -> Marks {
        let Some(key) = self.private.as_ref().filter(|_| self.can_seal()) else {
            return Marks {
                seal: None,
                ..marks
            };
        };
        // What was said without a seal is said under it from now on: nobody else takes it back then.
        let marks = Marks {
            revoked: marks.is_revoked(),
            revoked_unsealed: false,
            ..marks
        };
        let seal = Seal::new(key.public().id(), &key.sign(&bytes_of(account, &marks)));
        Marks {
            seal: Some(seal),
            ..marks
        }
    }

    /// Looks at the seals of many accounts, on all cores, in the order given: a signature costs more
    /// than all else that is compared.
    pub fn check_all(&self, marked: &[(&Mrn, &Marks)]) -> Vec<SealCheck> {
        let look = |part: &[(&Mrn, &Marks)]| -> Vec<SealCheck> {
            part.iter()
                .map(|(mrn, marks)| self.check(mrn, marks))
                .collect()
        };
        if marked.len() <= CHUNK {
            return look(marked);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let each = marked.len().div_ceil(cores).max(CHUNK);
        std::thread::scope(|scope| {
            let parts: Vec<_> = marked
                .chunks(each)
                .map(|part| (part, scope.spawn(move || look(part))))
                .collect();
            // One that failed is looked at again here.
            parts
                .into_iter()
                .flat_map(|(part, found)| found.join().unwrap_or_else(|_| look(part)))
                .collect()
        })
    }

    /// Looks at the seal among an account's marks, or at the signature of its birth.
    pub fn check(&self, account: &Mrn, marks: &Marks) -> SealCheck {
        let Some(SealKeys { current, former }) = &self.keys else {
            return SealCheck::Unverified(marks.seal.is_some());
        };
        let Some(seal) = &marks.seal else {
            return SealCheck::Missing;
        };
        let Some((id, signature)) = seal.parts() else {
            return SealCheck::Wrong("its seal is not as rolecall writes it".to_owned());
        };
        let known = |key: &&SealPublicKey| key.id() == id;
        let (key, right) = if known(&current) {
            (current, SealCheck::Right)
        } else if let Some(former) = former.as_ref().filter(known) {
            (former, SealCheck::Former)
        } else {
            return SealCheck::OtherKey(id.to_owned());
        };
        if key.signed(&bytes_of(Some(account), marks), &signature) {
            return right;
        }
        let why = match marks.credential {
            CredentialMark::Pending(_) => {
                "its marks say that it is being born, and their signature does not fit: they were \
                 changed, or written by somebody else"
            }
            CredentialMark::Delivered { .. } | CredentialMark::External => {
                "its seal does not fit: its marks were changed, or moved here from another account"
            }
        };
        SealCheck::Wrong(why.to_owned())
    }
}

/// What the seal of these marks signs. A birth is signed before its account has a name.
fn bytes_of(account: Option<&Mrn>, marks: &Marks) -> Vec<u8> {
    match marks.credential {
        CredentialMark::Pending(_) => sealed_bytes(BIRTH, None, marks),
        CredentialMark::Delivered { .. } | CredentialMark::External => {
            sealed_bytes(ACCOUNT, account, marks)
        }
    }
}

#[cfg(test)]
mod tests;
