//! Whose an account is, judged by its marks, their seal, its creator and the configuration.
//! Pure; labels locate an account, only a seal among them proves whose it is.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::delta::Block;
use crate::model::{
    Address, AddressLabel, CredentialMark, Desired, LiveAccount, Marking, Marks, Mrn, SealCheck,
    Seals, StackId,
};

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

/// Whose an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every account of a stack is of this variant, and each would cost an allocation"
)]
pub enum Custody {
    /// Our marks, what was found of their seal, and a reason to believe them: a seal that fits;
    /// where the configuration has no key, a trusted creator, or an `import` block that names this very account.
    Ours(Marks, SealCheck),
    /// Our marks without such a reason; the fragment says what speaks against them.
    Disputed(String),
    /// Our marks under a seal of another key than the configuration's: the key's short name.
    OtherKey(String),
    /// Our marks in a form that only a later version of rolecall reads: which one.
    Later(String),
    /// Another configuration's marks.
    Foreign(StackId),
    /// No marks, or none that name a configuration.
    Unmanaged,
}

impl Custody {
    /// What stands in the way if an account of ours, or one that claims to be, is not to be believed.
    pub(super) fn dispute(self, account: &Mrn) -> Option<Block> {
        let account = account.clone();
        match self {
            Self::Disputed(why) => Some(Block::Disputed { account, why }),
            Self::OtherKey(key) => Some(Block::OtherKey { account, key }),
            Self::Later(needs) => Some(Block::Later { account, needs }),
            Self::Ours(..) | Self::Foreign(_) | Self::Unmanaged => None,
        }
    }
}

/// What the judgement rests on.
pub struct Judge<'a> {
    desired: &'a Desired,
    caller: &'a Mrn,
    seals: &'a Seals,
    imports: BTreeMap<&'a Mrn, AddressLabel>,
    /// Made when it is first asked for.
    addresses: OnceCell<BTreeMap<AddressLabel, &'a Address>>,
    /// The present address of every former one; made when it is first asked for.
    formerly: OnceCell<BTreeMap<AddressLabel, AddressLabel>>,
}

impl<'a> Judge<'a> {
    /// Judges on behalf of one configuration and one caller. The caller counts only where the
    /// configuration has no seal key.
    pub fn new(desired: &'a Desired, caller: &'a Mrn, seals: &'a Seals) -> Self {
        let imports = desired
            .accounts
            .values()
            .filter_map(|account| Some((&account.import.as_ref()?.mrn, account.address.label())))
            .collect();
        Self {
            desired,
            caller,
            seals,
            imports,
            addresses: OnceCell::new(),
            formerly: OnceCell::new(),
        }
    }

    /// The address that a mark means now: where `moved` blocks lead from the one it holds. A long one is a
    /// hash there, and only its declaration tells it.
    pub fn address(&self, label: &AddressLabel) -> Address {
        let formerly = || super::formerly(&super::declared(self.desired));
        let label = self
            .formerly
            .get_or_init(formerly)
            .get(label)
            .unwrap_or(label);
        let addresses = self.addresses.get_or_init(|| {
            let declared = self.desired.accounts.keys();
            declared.map(|address| (address.label(), address)).collect()
        });
        match addresses.get(label) {
            Some(address) => (*address).clone(),
            None => label
                .decode()
                .unwrap_or_else(|| Address::new(label.as_str(), None)),
        }
    }

    /// The address that an account's marks claim, whether they are believed or not; one made of its id
    /// if they claim none.
    pub fn claimed(&self, account: &LiveAccount) -> Address {
        match account.labels.get("rolecall-address") {
            Some(label) => self.address(&AddressLabel::from_label(label.clone())),
            None => Address::new(account.mrn.id(), None),
        }
    }

    /// Whether an `import` block names the account.
    pub fn imports(&self, account: &Mrn) -> bool {
        self.imports.contains_key(account)
    }

    /// Judges one account.
    pub fn custody(&self, account: &LiveAccount) -> Custody {
        judge(self, account)
    }
}

fn judge(on: &Judge<'_>, account: &LiveAccount) -> Custody {
    let desired = on.desired;
    let seals = on.seals;
    // Whose key a seal names is harder to take away unseen than the label of the stack.
    let torn = |why: &str| Custody::Disputed(why.to_owned());
    let ours = seals.name(&account.labels);
    let marks = match account.marking() {
        Marking::Damaged { stack: None, .. } if ours => return torn(NO_STACK),
        Marking::Damaged {
            stack: Some(stack), ..
        } if ours && stack != desired.stack => return torn(OTHER_STACK),
        Marking::Unmarked
        | Marking::Damaged { stack: None, .. }
        | Marking::Later { stack: None, .. } => return Custody::Unmanaged,
        Marking::Later {
            stack: Some(stack),
            needs,
        } => {
            return if stack == desired.stack {
                Custody::Later(needs)
            } else {
                Custody::Foreign(stack)
            };
        }
        Marking::Damaged {
            stack: Some(stack),
            why,
        } => {
            return if stack == desired.stack {
                Custody::Disputed(why)
            } else {
                Custody::Foreign(stack)
            };
        }
        Marking::Marked(marks) => marks,
    };
    if marks.stack != desired.stack {
        // Two stacks may have one key; then each one's seals fit.
        let fits = |check| matches!(check, SealCheck::Right | SealCheck::Former);
        if ours && !fits(seals.check(&account.mrn, &marks)) {
            return torn(OTHER_STACK);
        }
        return Custody::Foreign(marks.stack);
    }
    let pending = matches!(marks.credential, CredentialMark::Pending(_));
    let seal = seals.check(&account.mrn, &marks);
    match seal {
        SealCheck::Right | SealCheck::Former => return Custody::Ours(marks, seal),
        SealCheck::OtherKey(key) => return Custody::OtherKey(key),
        SealCheck::Wrong(why) => return Custody::Disputed(why),
        // A birth is signed from its first moment, so an unsigned one was never ours.
        SealCheck::Missing if pending || !seals.accepts_unsealed() => {
            return Custody::Disputed(if pending { NO_BIRTH } else { NO_SEAL }.to_owned());
        }
        SealCheck::Missing | SealCheck::Unverified(_) => {}
    }
    // Where there is a key, whoever looks judges the same.
    let own = |creator: &str| !seals.verifies() && creator == on.caller.as_str();
    let trusted = account.creator.as_deref().is_some_and(|creator| {
        own(creator) || desired.trusted_creators.iter().any(|t| t == creator)
    });
    let imported = on.imports.get(&account.mrn) == Some(&marks.address);
    if trusted || imported {
        return Custody::Ours(marks, seal);
    }
    Custody::Disputed(match &account.creator {
        Some(creator) if seals.verifies() => {
            format!("it has no seal, and was created by {creator}, who is not in trusted_creators")
        }
        Some(creator) => format!(
            "it was created by {creator}, who is neither the caller nor in trusted_creators"
        ),
        None => "the platform does not tell who created it".to_owned(),
    })
}
