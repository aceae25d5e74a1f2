//! What a comparison finds: differences, obstacles, births under way, what is left alone.
//! Values only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{
    AccountState, Address, CredentialMark, Destination, DestinationId, LiveAccount, Marks, Mrn,
    Nonce, Scope, SinkKind, SourceRef, StackId, StoreVersion,
};

/// What can be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Take a live account into custody.
    Adopt,
    /// Give an account of ours another address.
    Move,
    /// Create an account and deliver its key.
    Create,
    /// Change name, description or labels.
    Update,
    /// Change the roles.
    UpdatePermissions,
    /// Deliver the key of an account to further places, from one that has it.
    Redeliver,
    /// Make a new key: an account in the place of one that goes on beside it for a while.
    Rotate,
    /// Give an account up and leave it as it is.
    Forget,
    /// Delete the account.
    Delete,
}

impl Action {
    /// Its name, as documents have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Move => "move",
            Self::Create => "create",
            Self::Update => "update",
            Self::UpdatePermissions => "update-permissions",
            Self::Redeliver => "redeliver",
            Self::Rotate => "rotate",
            Self::Forget => "forget",
            Self::Delete => "delete",
        }
    }
}

/// Why something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Declared, and not on the platform.
    Declared,
    /// On the platform under our marks, and not declared.
    Undeclared,
    /// As `Undeclared`, and its scope is not declared either.
    ScopeUndeclared,
    /// Live and configuration differ.
    Differs,
    /// An `import` block asks for it.
    ImportRequested,
    /// An `import` block asks for another stack's account, and who runs this allows it.
    TakenOver,
    /// A `moved` block asks for it.
    MoveRequested,
    /// A `removed` block asks to leave the account live.
    ReleaseRequested,
    /// No stack has marked it, and an `unmanaged` block asks for it.
    Unmanaged,
    /// An earlier run died while the account was being born.
    CredentialPending,
    /// It carries no seal yet, and the run was told to take such accounts for ours.
    Unsealed,
    /// Its seal is by the former key.
    SealedBefore,
    /// Its key is in other places than `deliver_to` names.
    DeliverTo,
    /// What differs cannot be changed on a live account, so another takes its place.
    CannotUpdate,
    /// Who runs this asks for a new key.
    RotationRequested,
    /// Its key is as old as `rotate_after` says.
    RotationDue,
    /// Another generation has taken its place.
    Superseded,
    /// Another generation has taken its place, its overlap is over, and nobody uses it.
    Retired,
    /// Its power was taken back for good, or is to be.
    Revoked,
}

/// A place that an account's key leaves: the marks name it, and nobody is to read the key there any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaving {
    /// What names the place in marks.
    pub id: DestinationId,
    /// Its kind.
    pub kind: SinkKind,
    /// The place, if a declared sink still has it for the account.
    pub place: Option<Destination>,
    /// Whether the key is removed there; otherwise it stays, and the marks do not name it any more.
    pub removed: bool,
}

impl Leaving {
    /// What the place is called: by a declared sink, else by its kind and identity.
    pub fn called(&self) -> String {
        match &self.place {
            Some(place) => place.to_string(),
            None => format!("a {} of identity {}", self.kind, self.id),
        }
    }

    /// Who can read what is there, as far as that is known.
    pub fn readers(&self) -> String {
        let of_kind = || self.kind.readers().to_owned();
        self.place
            .as_ref()
            .map_or_else(of_kind, Destination::readers)
    }
}

/// An earlier generation of an account, whose key the new one takes the place of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// The account.
    pub account: Mrn,
    /// Where its marks say that its key is, each with the version that our write left there, where the
    /// store gives any.
    pub had: BTreeMap<DestinationId, Option<StoreVersion>>,
}

impl Predecessor {
    /// An account as one, by its marks.
    pub fn of(account: &Mrn, marks: &Marks) -> Self {
        let had = match &marks.credential {
            CredentialMark::Delivered { destinations, .. } => destinations
                .iter()
                .map(|(id, at)| (*id, at.version.clone()))
                .collect(),
            CredentialMark::Pending(_) | CredentialMark::External => BTreeMap::new(),
        };
        Self {
            account: account.clone(),
            had,
        }
    }
}

/// One difference between desired and live, to be ordered into a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The account's name in the configuration.
    pub address: Address,
    /// Counts the credentials of one address.
    pub generation: u32,
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Where the account lives.
    pub scope: Scope,
    /// The live account; `None` for a create.
    pub account: Option<Mrn>,
    /// The state before; `None` for a create.
    pub before: Option<AccountState>,
    /// The state after; `None` for a delete.
    pub after: Option<AccountState>,
    /// The marks the account has before, if any.
    pub marks: Option<Marks>,
    /// The address before, for a move.
    pub moved_from: Option<Address>,
    /// Where the key goes, for a create and a redelivery.
    pub deliver_to: Vec<Destination>,
    /// Where the key is read, for a redelivery.
    pub key_from: Option<Destination>,
    /// Which places the key leaves: with an update, or after a deletion, then only those where it is
    /// removed.
    pub leaves: Vec<Leaving>,
    /// The live generations whose keys may be where this one's goes, the newest first: for a rotation, and
    /// for a redelivery that ends one.
    pub predecessors: Vec<Predecessor>,
    /// Where it is declared: the account's block, the `import` block, or the role block that
    /// brought a gained role; nothing for what is no longer declared.
    pub places: Vec<SourceRef>,
}

/// Why a declared or marked account is left alone and the whole plan cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Obstacle {
    /// Our marks without a reason to believe them: no seal that fits, a creator who is not trusted,
    /// or marks that were tampered with.
    Disputed {
        /// The account.
        account: Mrn,
        /// What speaks against it.
        why: String,
    },
    /// The account is sealed with another key than the configuration's, which has not handed over.
    OtherKey {
        /// The account.
        account: Mrn,
        /// The short name of the key that its seal names.
        key: String,
    },
    /// The account's marks are of a form that this version does not read.
    Later {
        /// The account.
        account: Mrn,
        /// The first version of rolecall that reads them.
        needs: String,
    },
    /// Several live accounts carry the same address.
    Duplicate {
        /// All of them.
        accounts: Vec<Mrn>,
    },
    /// The name is taken in the scope by an account that is not this one.
    NameTaken {
        /// Who has it.
        account: Mrn,
        /// The name.
        name: String,
        /// The address under which this configuration manages it, if it does.
        managed_as: Option<Address>,
        /// What becomes of the name by the same plan.
        held: Held,
    },
    /// The scope could not be read.
    Unread {
        /// Why.
        why: String,
    },
    /// The account to import is not there, or not where it is declared.
    ImportMissing {
        /// The account.
        account: Mrn,
        /// What is wrong.
        why: String,
    },
    /// The account belongs to another configuration.
    Foreign {
        /// The account.
        account: Mrn,
        /// The other configuration.
        stack: StackId,
    },
    /// What differs cannot be changed on a live account.
    CannotUpdate {
        /// The account.
        account: Mrn,
        /// Which attribute.
        attribute: String,
        /// As it is.
        live: String,
        /// As it should be.
        wanted: String,
    },
    /// The account would be born with a key that is not good any more.
    AlreadyOver {
        /// When it ended.
        until: jiff::Timestamp,
    },
    /// The account is declared no longer, and a mark on it forbids to delete it.
    Protected {
        /// The account.
        account: Mrn,
    },
    /// Nobody can tell whether a `removed` block means the account.
    UnclearRemoval {
        /// The account.
        account: Mrn,
        /// Why not.
        why: String,
    },
    /// No stack has marked the account, and its scope is to have no such.
    Unmanaged {
        /// The account.
        account: Mrn,
        /// Its name.
        name: String,
    },
    /// The account has so many live generations that another must not be added.
    Crowded {
        /// All of them, the newest first.
        accounts: Vec<Mrn>,
    },
    /// Its key is to be replaced, and nothing says where the new one goes.
    NowhereToDeliver {
        /// The account.
        account: Mrn,
    },
    /// A pending account has more power, or more past, than a birth gives.
    PendingWithPower {
        /// The account.
        account: Mrn,
        /// What it has.
        why: String,
    },
}

impl Obstacle {
    /// Its kind, as documents have it, and the accounts that it is about: what names an obstacle, without
    /// the words and details around it.
    pub fn named(&self) -> (&'static str, Vec<&Mrn>) {
        match self {
            Self::Disputed { account, why: _ } => ("disputed", vec![account]),
            Self::OtherKey { account, key: _ } => ("other-key", vec![account]),
            Self::Later { account, needs: _ } => ("later", vec![account]),
            Self::Duplicate { accounts } => ("duplicate", accounts.iter().collect()),
            Self::NameTaken {
                account,
                name: _,
                managed_as: _,
                held: _,
            } => ("name-taken", vec![account]),
            Self::Unread { why: _ } => ("unread", Vec::new()),
            Self::ImportMissing { account, why: _ } => ("import-missing", vec![account]),
            Self::Foreign { account, stack: _ } => ("foreign", vec![account]),
            Self::CannotUpdate {
                account,
                attribute: _,
                live: _,
                wanted: _,
            } => ("cannot-update", vec![account]),
            Self::AlreadyOver { until: _ } => ("already-over", Vec::new()),
            Self::Protected { account } => ("protected", vec![account]),
            Self::UnclearRemoval { account, why: _ } => ("unclear-removal", vec![account]),
            Self::Unmanaged { account, name: _ } => ("unmanaged", vec![account]),
            Self::Crowded { accounts } => ("crowded", accounts.iter().collect()),
            Self::NowhereToDeliver { account } => ("nowhere-to-deliver", vec![account]),
            Self::PendingWithPower { account, why: _ } => ("pending-with-power", vec![account]),
        }
    }
}

/// What a plan does about a name that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Nothing.
    Kept,
    /// It deletes who has it, and deletions come last.
    Deleted,
    /// Who has it gets another name, and waits for one that this one waits for.
    Circle,
}

/// A block and what it stands on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blocked {
    /// The account's name in the configuration, as far as it is known.
    pub address: Address,
    /// Where the account lives or should live.
    pub scope: Scope,
    /// What stands in the way.
    pub block: Obstacle,
    /// Where it is declared, if it is.
    pub declared_at: Option<SourceRef>,
}

/// An account that another run is giving birth to right now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InFlight {
    /// The account's name in the configuration.
    pub address: Address,
    /// The account.
    pub account: Mrn,
    /// When its birth may be taken for dead.
    pub until: jiff::Timestamp,
    /// What names the birth, for who knows its run to be dead. In no plan file: whoever reads that later has
    /// nothing to resume.
    #[serde(skip)]
    pub nonce: Option<Nonce>,
}

/// A declared account that is live and has expired, so that its key opens nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Expired {
    /// The account's name in the configuration.
    pub address: Address,
    /// The account.
    pub account: Mrn,
    /// Where it lives.
    pub scope: Scope,
    /// When it expired.
    pub until: jiff::Timestamp,
    /// Where it is declared.
    pub declared_at: SourceRef,
}

/// A declared account that is live and whose key is not in all places that `deliver_to` names, and cannot be
/// read where it is: it needs a new key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Undelivered {
    /// The account's name in the configuration.
    pub address: Address,
    /// The account.
    pub account: Mrn,
    /// Where it lives.
    pub scope: Scope,
    /// The places that have no key.
    pub to: Vec<Destination>,
    /// Why the key is not delivered there, a fragment.
    pub why: String,
    /// Where it is declared.
    pub declared_at: SourceRef,
}

/// One generation of a declared account, and what becomes of it by `rolecall rotate` alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Generation {
    /// The account's name in the configuration.
    pub address: Address,
    /// Which one.
    pub generation: u32,
    /// The account.
    pub account: Mrn,
    /// Where it lives.
    pub scope: Scope,
    /// How it stands.
    pub standing: Standing,
    /// Where it is declared.
    pub declared_at: SourceRef,
}

/// How a generation of an account stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Standing {
    /// The newest one, whose key is not in every place that the one before it has.
    Unfinished {
        /// The places, as people call them.
        lacking: Vec<String>,
    },
    /// The newest one, as old as `rotate_after` says.
    Due {
        /// Since when.
        since: jiff::Timestamp,
    },
    /// A former one, of which no mark says so yet.
    Superseded,
    /// A former one, which goes on until its overlap is over.
    Overlapping {
        /// When that is.
        until: jiff::Timestamp,
    },
    /// A former one whose overlap is over, and that was still used in a time as long as that.
    Used {
        /// When last.
        at: jiff::Timestamp,
    },
    /// A former one whose overlap is over, of which the platform does not tell when it was last used.
    UseUnknown,
    /// A former one that nobody uses any more: first its roles go, then the account.
    Over {
        /// Whether it has roles.
        powerful: bool,
    },
}

impl Standing {
    /// Whether it is a person's to do something about it.
    pub fn needs_person(&self) -> bool {
        match self {
            Self::Unfinished { .. } | Self::Used { .. } | Self::UseUnknown => true,
            Self::Due { .. } | Self::Superseded | Self::Overlapping { .. } | Self::Over { .. } => {
                false
            }
        }
    }
}

/// A declared account that is live and whose power was taken back for good: nothing gives it roles again but
/// a new key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revoked {
    /// The account's name in the configuration.
    pub address: Address,
    /// The account.
    pub account: Mrn,
    /// Where it lives.
    pub scope: Scope,
    /// Counts the credentials of one address.
    pub generation: u32,
    /// Whether a seal vouches for it; otherwise whoever may write labels can say and unsay it.
    pub sealed: bool,
    /// Where it is declared.
    pub declared_at: SourceRef,
}

/// A live account that this configuration leaves alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAlone {
    /// The account.
    pub account: LiveAccount,
    /// Whose it is, if marks say so.
    pub stack: Option<StackId>,
}

/// All differences between desired and live, and what stands beside them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// What to do, sorted by address and action.
    pub differences: Vec<Difference>,
    /// What stands in the way.
    pub blocked: Vec<Blocked>,
    /// Births under way elsewhere.
    pub in_flight: Vec<InFlight>,
    /// Accounts without our marks, or of another configuration.
    pub left_alone: Vec<LeftAlone>,
    /// Accounts that have expired: no plan puts that right.
    pub expired: Vec<Expired>,
    /// Accounts that need a new key: no plan puts that right.
    pub undelivered: Vec<Undelivered>,
    /// Generations of which a person should know.
    pub generations: Vec<Generation>,
    /// Accounts whose power was taken back: no plan gives it to them again.
    pub revoked: Vec<Revoked>,
    /// Sentences worth telling that change nothing, with the address they are about.
    pub notes: Vec<(Address, String)>,
    /// How many live accounts are ours.
    pub managed: usize,
    /// How many of them carry a seal that nobody can check, since the configuration has no key.
    pub unverified: usize,
    /// Whether the configuration has a seal key, so that whose an account is was verified.
    pub sealed: bool,
    /// The short name of the key before the configuration's, if seals of it are believed too.
    pub former: Option<String>,
    /// How many declared accounts are there unchanged.
    pub unchanged: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What names an obstacle is what documents say of it, and no more.
    #[test]
    fn an_obstacle_is_named_by_its_kind_and_accounts() {
        let mrn = || Mrn::new("m");
        let words = || "anything at all".to_owned();
        let all = [
            Obstacle::Disputed {
                account: mrn(),
                why: words(),
            },
            Obstacle::Duplicate {
                accounts: vec![mrn(), Mrn::new("n")],
            },
            Obstacle::NameTaken {
                account: mrn(),
                name: words(),
                managed_as: Some(Address::new("other", None)),
                held: Held::Kept,
            },
            Obstacle::OtherKey {
                account: mrn(),
                key: words(),
            },
            Obstacle::Later {
                account: mrn(),
                needs: words(),
            },
            Obstacle::Unread { why: words() },
            Obstacle::ImportMissing {
                account: mrn(),
                why: words(),
            },
            Obstacle::Foreign {
                account: mrn(),
                stack: StackId::new("other", "k7m2q9ta").expect("valid"),
            },
            Obstacle::CannotUpdate {
                account: mrn(),
                attribute: words(),
                live: words(),
                wanted: words(),
            },
            Obstacle::AlreadyOver {
                until: jiff::Timestamp::UNIX_EPOCH,
            },
            Obstacle::Protected { account: mrn() },
            Obstacle::UnclearRemoval {
                account: mrn(),
                why: words(),
            },
            Obstacle::Unmanaged {
                account: mrn(),
                name: words(),
            },
            Obstacle::PendingWithPower {
                account: mrn(),
                why: words(),
            },
        ];
        for block in all {
            let (kind, accounts) = block.named();
            let told = serde_json::to_value(&block).expect("JSON");
            assert_eq!(told["kind"], kind);
            let one = told.get("account").cloned().into_iter().collect();
            let several = told.get("accounts").cloned();
            let expected = several.unwrap_or(serde_json::Value::Array(one));
            assert_eq!(serde_json::to_value(&accounts).expect("JSON"), expected);
        }
    }
}
