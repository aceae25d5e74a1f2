//! What a check finds of one account, and whose work it is.
//! Values only.

use jiff::Timestamp;

use crate::model::{AccountState, Address, Destination, LogEntry, Mrn, Scope, SourceRef};
use crate::plan::{Action, Blocked, Change, Generation, Leaving, Reason};

/// One account that is not as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Differing {
    /// The account's name in the configuration.
    pub address: Address,
    /// Where it lives, or should.
    pub scope: Scope,
    /// The live account; `None` if there is none.
    pub account: Option<Mrn>,
    /// What differs.
    pub what: What,
    /// Whose work it is.
    pub cause: Cause,
    /// Where in the configuration it comes from.
    pub places: Vec<SourceRef>,
}

/// What differs.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Live and declared differ, in roles or in everything else.
    Differs {
        /// As it is.
        live: AccountState,
        /// As it is declared.
        declared: AccountState,
    },
    /// Declared, and not on the platform.
    Missing {
        /// As it is declared.
        declared: AccountState,
    },
    /// On the platform under this stack's marks, and not declared.
    Undeclared {
        /// As it is.
        live: AccountState,
    },
    /// No stack has marked it, and an `unmanaged` block asks to delete it.
    Unmanaged {
        /// As it is.
        live: AccountState,
    },
    /// An `import` block names it, and it is not taken over yet.
    ToImport {
        /// As it is.
        live: AccountState,
    },
    /// A `moved` block names it, and its mark still holds its old address.
    ToMove {
        /// As it is.
        live: AccountState,
    },
    /// A `removed` block gives it up, and it still carries this stack's marks.
    ToForget {
        /// As it is.
        live: AccountState,
    },
    /// Its marks are to be sealed, or sealed with the present key.
    ToSeal,
    /// Its key is in places that `deliver_to` names no more.
    ToLeave {
        /// The places.
        leaves: Vec<Leaving>,
    },
    /// Its key is to be delivered to further places.
    ToRedeliver {
        /// The places.
        to: Vec<Destination>,
    },
    /// What differs cannot be changed on a live account: another one takes its place.
    ToRotate {
        /// As it is.
        live: AccountState,
        /// As it is declared.
        declared: AccountState,
    },
    /// A generation of it is not as it should stay.
    Generation(Generation),
    /// Its key is not in these places, and cannot be read again: no plan puts that right.
    Undelivered {
        /// The places.
        to: Vec<Destination>,
        /// Why not, a fragment.
        why: String,
    },
    /// Its power was taken back: no plan gives it again, a new key does.
    Revoked {
        /// Of which of its credentials.
        generation: u32,
        /// Whether a seal vouches for that.
        sealed: bool,
    },
    /// Left without power by a run that died.
    Remnant {
        /// As it is.
        live: AccountState,
    },
    /// What differs cannot be put right by a plan: disputed, its name taken, and the like.
    Blocked(Blocked),
    /// Its scope is gone, or hidden from this login, or has another id.
    Gone,
    /// It has expired, and no plan puts that right.
    Expired {
        /// When.
        until: Timestamp,
    },
}

/// Whose work a difference is.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// Somebody else wrote last.
    Drift(LogEntry),
    /// The configuration changed and was not applied yet: this run's own identity, or one in
    /// `trusted_creators`, wrote last; or nothing was to be written.
    NotApplied(Option<LogEntry>),
    /// The same of what no apply puts right, so that nothing waits for one.
    Own(Option<LogEntry>),
    /// Nobody can tell; the fragment says why.
    Unknown(String),
}

impl What {
    /// The attributes in which live and declared differ.
    pub fn attributes(&self) -> Vec<&'static str> {
        let Self::Differs { live, declared } = self else {
            return Vec::new();
        };
        let AccountState {
            name,
            description,
            labels,
            roles,
            valid_until,
            protected,
        } = live;
        [
            ("name", *name != declared.name),
            ("description", *description != declared.description),
            ("labels", *labels != declared.labels),
            ("roles", *roles != declared.roles),
            ("valid_until", *valid_until != declared.valid_until),
            ("protected", *protected != declared.protected),
        ]
        .into_iter()
        .filter_map(|(attribute, differs)| differs.then_some(attribute))
        .collect()
    }
}

/// What a change of the plan says of the account as it is; `None` if another change says it.
pub(super) fn what(change: &Change) -> Option<What> {
    let before = change.before.clone();
    let after = change.after.clone();
    match (change.action, change.reason) {
        (Action::Adopt, _) => Some(What::ToImport { live: before? }),
        (Action::Move, _) => Some(What::ToMove { live: before? }),
        (Action::Forget, _) => Some(What::ToForget { live: before? }),
        // The account that it takes the place of is told of as a remnant.
        (Action::Create, Reason::CredentialPending) => None,
        (Action::Create, _) => Some(What::Missing { declared: after? }),
        (Action::Delete, Reason::CredentialPending) => Some(What::Remnant { live: before? }),
        (Action::Delete, Reason::Unmanaged) => Some(What::Unmanaged { live: before? }),
        (Action::Delete, _) => Some(What::Undeclared { live: before? }),
        (Action::Update, Reason::Unsealed | Reason::SealedBefore) => Some(What::ToSeal),
        (Action::Redeliver, _) => Some(What::ToRedeliver {
            to: change.deliver_to.clone(),
        }),
        (Action::Rotate, _) => Some(What::ToRotate {
            live: before?,
            declared: after?,
        }),
        // Done by `rotate` alone, which a check does not ask for.
        (Action::Update, Reason::Superseded) => None,
        (Action::Update, Reason::DeliverTo) => Some(What::ToLeave {
            leaves: change.leaves.clone(),
        }),
        (Action::Update | Action::UpdatePermissions, _) => Some(What::Differs {
            live: before?,
            declared: after?,
        }),
    }
}
