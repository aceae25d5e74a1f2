//! Whose each live account is, and under which address: decided here, once, for every room that asks.
//! Pure; labels locate an account, only a seal among them proves whose it is.
//!
//! It stands in the model and not beside the comparison, since it rests on values of the model alone,
//! and who only lists accounts, or holds them against policies, compares nothing.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::iter;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::address::{Address, AddressLabel};
use super::desired::Desired;
use super::live::{Live, LiveAccount};
use super::mark::{CredentialMark, Marking, Marks};
use super::mrn::Mrn;
use super::seal::{SealCheck, Seals};
use super::stack::StackId;

/// What speaks against an account that carries our marks and no seal.
pub const NO_SEAL: &str = "it has no seal, though the configuration has a seal_key";

/// What speaks against an account that is said to be being born and carries no signature.
const NO_BIRTH: &str =
    "its marks say that it is being born, and carry no signature of the seal key";

/// What speaks against an account from which somebody took the mark of the stack.
const NO_STACK: &str =
    "its mark of the stack is gone, while its seal names this configuration's key";

/// What speaks against an account whose mark of the stack somebody changed.
const OTHER_STACK: &str =
    "its marks name another stack, while its seal names this configuration's key and does not fit";

/// Whose an account is, and which address it has or is said to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Custody {
    /// Our marks, and a reason to believe them: a seal that fits; where the configuration has no key, a
    /// trusted creator, or an `import` block that names this very account.
    Ours(Ours),
    /// Our marks without such a reason.
    Disputed {
        /// What speaks against them, a fragment.
        why: String,
        /// What they claim.
        claim: Option<Claim>,
    },
    /// Our marks under a seal of another key than the configuration's.
    OtherKey {
        /// The key's short name.
        key: String,
        /// What the marks claim.
        claim: Option<Claim>,
    },
    /// Our marks in a form that only a later version of rolecall reads.
    Later {
        /// The first version that does.
        needs: String,
        /// What they claim.
        claim: Option<Claim>,
    },
    /// Another configuration's marks.
    Foreign(StackId),
    /// No marks, or none that name a configuration.
    Unmanaged,
}

/// What is known of an account of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// Its marks, which are believed.
    pub marks: Arc<Marks>,
    /// What was found of their seal.
    pub seal: SealCheck,
    /// Where it is in the configuration.
    pub at: Claim,
}

/// An address of this configuration, as the marks of an account give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// As a mark holds it: the present one, where `moved` blocks lead from the one that is there.
    pub label: AddressLabel,
    /// The same in full. A long one is a hash in the mark, and only its declaration tells it.
    pub address: Address,
}

/// Custody in one word, as the language, lists and documents have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeper {
    /// This configuration.
    Managed,
    /// Nobody.
    Unmanaged,
    /// Another configuration.
    Foreign,
    /// This configuration by its marks, without a reason to believe them.
    Disputed,
    /// This configuration by marks that only a later version of rolecall reads: nothing is proven.
    Newer,
}

impl Keeper {
    /// All, in the order in which they are counted.
    pub const ALL: [Self; 5] = [
        Self::Managed,
        Self::Unmanaged,
        Self::Foreign,
        Self::Disputed,
        Self::Newer,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Unmanaged => "unmanaged",
            Self::Foreign => "foreign",
            Self::Disputed => "disputed",
            Self::Newer => "newer",
        }
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Custody {
    /// The same in one word. Marks of a later form are not disputed: a later version reads them; but this one
    /// cannot prove them, so they are not managed either.
    pub fn keeper(&self) -> Keeper {
        match self {
            Self::Ours(_) => Keeper::Managed,
            Self::Later { .. } => Keeper::Newer,
            Self::Disputed { .. } | Self::OtherKey { .. } => Keeper::Disputed,
            Self::Foreign(_) => Keeper::Foreign,
            Self::Unmanaged => Keeper::Unmanaged,
        }
    }

    /// The address in the configuration, if the account is ours.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Ours(ours) => Some(&ours.at.address),
            Self::Disputed { .. }
            | Self::OtherKey { .. }
            | Self::Later { .. }
            | Self::Foreign(_)
            | Self::Unmanaged => None,
        }
    }

    /// The address that the marks claim, whether they are believed or not; `None` if they claim none, or
    /// none of this configuration.
    pub fn claim(&self) -> Option<&Claim> {
        match self {
            Self::Ours(ours) => Some(&ours.at),
            Self::Disputed { claim, .. }
            | Self::OtherKey { claim, .. }
            | Self::Later { claim, .. } => claim.as_ref(),
            Self::Foreign(_) | Self::Unmanaged => None,
        }
    }

    /// What an account that is ours, or is said to be, is called: by its id if its marks name no address.
    pub fn called(&self, account: &Mrn) -> Address {
        match self.claim() {
            Some(claim) => claim.address.clone(),
            None => Address::new(account.id(), None),
        }
    }
}

/// One account in an [`Inventory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub custody: Custody,
    /// Whether an `import` block names it.
    pub imported: bool,
}

/// Every live account with whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    verified: bool,
    former_key: Option<String>,
    /// By resource name.
    entries: Vec<(Mrn, Entry)>,
}

impl Inventory {
    /// Decides whose every live account is, on behalf of one configuration. Who runs this counts only where the
    /// configuration has no seal key.
    pub fn take(desired: &Desired, live: &Live, seals: &Seals) -> Self {
        let accounts = || live.accounts.values();
        // Without a key there is nothing to compute, so each is looked at where it is decided.
        let marked = accounts().filter(|_| seals.verifies());
        let marked = marked.filter_map(|account| Some((&account.mrn, account.marks()?)));
        let marked: Vec<(&Mrn, &Marks)> = marked.collect();
        let mut found = seals.check_all(&marked).into_iter();
        let basis = Basis::new(desired, live, seals);
        let entries = accounts().map(|account| {
            let seal = account.marks().and_then(|_| found.next());
            let entry = Entry {
                custody: basis.custody(account, seal),
                imported: basis.imports.contains_key(&account.mrn),
            };
            (account.mrn.clone(), entry)
        });
        let entries = entries.collect();
        let former = seals.keys().and_then(|keys| keys.former.as_ref());
        Self {
            verified: seals.verifies(),
            former_key: former.map(|key| key.id().to_owned()),
            entries,
        }
    }

    /// Whether it was verified whose each account is: the configuration has a seal key.
    pub fn verified(&self) -> bool {
        self.verified
    }

    /// The short name of the key before the configuration's, if seals of it are believed too.
    pub fn former_key(&self) -> Option<&str> {
        self.former_key.as_deref()
    }

    /// Whose one account is; nobody's if it was not live.
    pub fn of(&self, account: &Mrn) -> &Custody {
        let found = self.entries.binary_search_by(|(mrn, _)| mrn.cmp(account));
        found.map_or(&Custody::Unmanaged, |at| &self.entries[at].1.custody)
    }

    /// The live accounts with whose each is, by resource name.
    pub fn beside<'a>(
        &'a self,
        live: &'a Live,
    ) -> impl Iterator<Item = (&'a LiveAccount, &'a Entry)> {
        // Both are in one order, and mostly hold the same.
        let mut entries = self.entries.iter().peekable();
        live.accounts.values().filter_map(move |account| {
            while entries.next_if(|(mrn, _)| *mrn < account.mrn).is_some() {}
            let (_, entry) = entries.next_if(|(mrn, _)| *mrn == account.mrn)?;
            Some((account, entry))
        })
    }
}

/// What the decision rests on.
struct Basis<'a> {
    desired: &'a Desired,
    live: &'a Live,
    seals: &'a Seals,
    imports: BTreeMap<&'a Mrn, AddressLabel>,
    /// Every declared address by what a mark holds of it; only looked up, and that for every account.
    addresses: HashMap<AddressLabel, &'a Address>,
    /// The address that a declared account had before and that nothing declared has now, with the
    /// account's present one.
    formerly: BTreeMap<AddressLabel, &'a Address>,
}

impl<'a> Basis<'a> {
    fn new(desired: &'a Desired, live: &'a Live, seals: &'a Seals) -> Self {
        let declared = || desired.accounts.values();
        let imports = declared()
            .filter_map(|account| Some((&account.import.as_ref()?.mrn, account.address.label())))
            .collect();
        let addresses: HashMap<AddressLabel, &Address> = declared()
            .map(|account| (account.address.label(), &account.address))
            .collect();
        let formerly = declared()
            .flat_map(|account| account.formerly.iter().zip(iter::repeat(&account.address)))
            .map(|(former, address)| (former.address.label(), address))
            .filter(|(before, _)| !addresses.contains_key(before))
            .collect();
        Self {
            desired,
            live,
            seals,
            imports,
            addresses,
            formerly,
        }
    }

    /// Where a mark leads: through `moved` blocks, to what is declared, if anything is.
    fn claim(&self, label: AddressLabel) -> Claim {
        if let Some(address) = self.addresses.get(&label) {
            let address = (*address).clone();
            return Claim { label, address };
        }
        if let Some(address) = self.formerly.get(&label) {
            return Claim {
                label: address.label(),
                address: (*address).clone(),
            };
        }
        let address = label
            .decode()
            .unwrap_or_else(|| Address::new(label.as_str(), None));
        Claim { label, address }
    }

    /// Decides whose one account is, by what was found of the seal of its marks if anybody has looked.
    fn custody(&self, account: &LiveAccount, found: Option<SealCheck>) -> Custody {
        let own = &self.desired.stack;
        let claim = || account.labels.address().map(|label| self.claim(label));
        let disputed = |why: String| Custody::Disputed {
            why,
            claim: claim(),
        };
        // Whose key a seal names is harder to take away unseen than the label of the stack.
        let torn = |why: &str| disputed(why.to_owned());
        let our_key = || {
            let sealed_by = account.labels.sealed_by();
            sealed_by.is_some_and(|key| self.seals.has_key(key))
        };
        let (marks, seal) = match account.labels.marking() {
            Marking::Marked(marks) => {
                let look = || self.seals.check(&account.mrn, marks);
                (marks, found.unwrap_or_else(look))
            }
            Marking::Unmarked => return Custody::Unmanaged,
            // Where the seal names our key they are ours, whatever the label of the stack has come to say:
            // only a later version can tell.
            Marking::Later { stack, needs } if stack.as_ref() == Some(own) || our_key() => {
                return Custody::Later {
                    needs: needs.clone(),
                    claim: claim(),
                };
            }
            Marking::Later {
                stack: Some(stack), ..
            } => return Custody::Foreign(stack.clone()),
            Marking::Later { stack: None, .. } => return Custody::Unmanaged,
            Marking::Damaged { stack: None, .. } if our_key() => return torn(NO_STACK),
            Marking::Damaged { stack: None, .. } => return Custody::Unmanaged,
            Marking::Damaged {
                stack: Some(stack),
                why,
            } => {
                return match stack == own {
                    true => disputed(why.clone()),
                    false if our_key() => torn(OTHER_STACK),
                    false => Custody::Foreign(stack.clone()),
                };
            }
        };
        if marks.stack != *own {
            // Two stacks may have one key; then each one's seals fit.
            if our_key() && !matches!(seal, SealCheck::Right | SealCheck::Former) {
                return torn(OTHER_STACK);
            }
            return Custody::Foreign(marks.stack.clone());
        }
        let pending = matches!(marks.credential, CredentialMark::Pending(_));
        let believed = match seal {
            SealCheck::Right | SealCheck::Former => true,
            SealCheck::OtherKey(key) => {
                return Custody::OtherKey {
                    key,
                    claim: claim(),
                };
            }
            SealCheck::Wrong(why) => return disputed(why),
            // A birth is signed from its first moment, so an unsigned one was never ours.
            SealCheck::Missing if pending => return torn(NO_BIRTH),
            SealCheck::Missing if !self.seals.accepts_unsealed() => return torn(NO_SEAL),
            SealCheck::Missing | SealCheck::Unverified(_) => {
                self.trusts(account) || self.imports.get(&account.mrn) == Some(&marks.address)
            }
        };
        if believed {
            return Custody::Ours(Ours {
                at: self.claim(marks.address.clone()),
                marks: Arc::clone(marks),
                seal,
            });
        }
        disputed(match &account.creator {
            Some(creator) if self.seals.verifies() => {
                format!(
                    "it has no seal, and was created by {creator}, who is not in trusted_creators"
                )
            }
            // A binding is only known as the maker where the platform names it.
            Some(creator) if self.live.facts.caller.binding.is_some() => format!(
                "it was created by {creator}, who is neither the caller nor in trusted_creators; each login of \
                 a workload identity may be another account, so write a seal_key"
            ),
            Some(creator) => format!(
                "it was created by {creator}, who is neither the caller nor in trusted_creators"
            ),
            None => "the platform does not tell who created it".to_owned(),
        })
    }

    /// Whether who created an account is trusted. Where there is a key, whoever looks decides the same.
    fn trusts(&self, account: &LiveAccount) -> bool {
        let caller = |creator: &str| !self.seals.verifies() && self.live.facts.caller.is(creator);
        let trusted = |name: &str| self.desired.trusted_creators.iter().any(|t| t == name);
        account.creator.as_deref().is_some_and(|creator| {
            caller(creator) || trusted(creator) || self.live.behind(creator).is_some_and(trusted)
        })
    }
}

#[cfg(test)]
mod tests;
