//! Drift: what differs from the configuration, who wrote it last by the platform's audit log, and
//! which accounts nobody declared, nobody uses, or expire.
//! Pure but for [`ask()`], which reads the log through a port. The clock is the platform's.

mod ask;
mod cause;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    AccountState, Address, Custody, Desired, Inventory, Keeper, Live, LiveAccount, LogEntry, Mrn,
    Scope, SourceRef, rank,
};
use crate::plan::{Action, Block, Blocked, Change, LeftAlone, Plan, Reason};

pub use ask::{Answers, ask};

/// What is asked of a check besides drift.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// How long an account must not have been used to be told of; `None` leaves that out.
    pub unused: Option<SignedDuration>,
    /// How soon an account must expire to be told of.
    pub expiring: SignedDuration,
}

/// All that a check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The plan that it rests on.
    pub plan: Plan,
    /// The platform's clock at the time of reading.
    pub now: Timestamp,
    /// What somebody else changed, and what nobody can tell of; by address.
    pub drift: Vec<Found>,
    /// What no apply puts right: disputed, taken, protected and the like; by address.
    pub needs_person: Vec<Found>,
    /// What the configuration asks for and no run has applied yet; by address.
    pub not_applied: Vec<Found>,
    /// Accounts that no configuration manages, but the caller's own; owners first.
    pub unmanaged: Vec<LeftAlone>,
    /// Accounts that were not used for long, the powerful first; `None` if that was not asked.
    pub unused: Option<Vec<Idle>>,
    /// Accounts that have expired or soon will, by time.
    pub expiring: Vec<Expiring>,
    /// What the platform does by itself with accounts that nobody uses, and what was not looked at
    /// or is gone, in sentences.
    pub clean_up: Vec<String>,
}

/// One account that is not as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
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

/// One account that was not used for long.
#[derive(Clone, Debug, PartialEq)]
pub struct Idle {
    /// The account.
    pub account: LiveAccount,
    /// Whose it is.
    pub custody: Keeper,
    /// Its name in the configuration, if it is managed.
    pub address: Option<Address>,
    /// Since when.
    pub since: Since,
}

/// Since when an account was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// It was used then for the last time.
    Used(Timestamp),
    /// The platform tells of no use; it was created then.
    Created(Timestamp),
    /// The platform tells neither.
    Unknown,
}

/// One account that has expired or soon will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// The account's name in the configuration.
    pub address: Address,
    /// The live account; `None` if there is none.
    pub account: Option<Mrn>,
    /// Its display name.
    pub name: String,
    /// Where it lives, or should.
    pub scope: Scope,
    /// When it expires.
    pub until: Timestamp,
    /// Whether that is over.
    pub expired: bool,
}

/// Puts together what a plan and the answers of the log amount to.
pub fn check(
    plan: Plan,
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
    answers: &Answers,
    clean_up: Vec<String>,
    wishes: Wishes,
) -> Check {
    let now = live.facts.now;
    let found = cause::all(&plan, desired, live, inventory, answers);
    let (needs_person, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| {
        matches!(
            found.what,
            What::Blocked(_) | What::Gone | What::Expired { .. }
        )
    });
    let (not_applied, drift) = found
        .into_iter()
        .partition(|found| matches!(found.cause, Cause::NotApplied(_)));
    let unmanaged = plan
        .annex
        .left_alone
        .iter()
        .filter(|left| left.stack.is_none() && left.account.mrn != plan.caller.mrn)
        .cloned()
        .collect();
    let unused = |long| unused(live, inventory, ago(now, long));
    Check {
        now,
        drift,
        needs_person,
        not_applied,
        unmanaged,
        unused: wishes.unused.map(unused),
        expiring: expiring(desired, live, inventory, wishes.expiring),
        clean_up,
        plan,
    }
}

impl Check {
    /// Whether something that should have been read could not be.
    pub fn partial(&self) -> bool {
        let unread = |blocked: &Blocked| matches!(blocked.block, Block::Unread { .. });
        !self.plan.annex.unread.is_empty() || self.plan.blocked.iter().any(unread)
    }

    /// Whether something waits for an apply, or for another run's.
    pub fn pending(&self) -> bool {
        !self.not_applied.is_empty() || !self.plan.in_flight.is_empty()
    }
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
fn what(change: &Change) -> Option<What> {
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
        (Action::Update | Action::UpdatePermissions, _) => Some(What::Differs {
            live: before?,
            declared: after?,
        }),
    }
}

fn ago(now: Timestamp, long: SignedDuration) -> Timestamp {
    now.checked_sub(long).unwrap_or(Timestamp::MIN)
}

/// Accounts that were not used since `cut`, but the caller's own and those of other configurations, whose
/// own checks tell of them.
fn unused(live: &Live, inventory: &Inventory, cut: Timestamp) -> Vec<Idle> {
    let caller = &live.facts.caller.mrn;
    let mut idle: Vec<Idle> = inventory
        .beside(live)
        .filter(|(account, entry)| {
            account.mrn != *caller && entry.custody.keeper() != Keeper::Foreign
        })
        .filter_map(|(account, entry)| {
            let custody = entry.custody.keeper();
            let managed = custody == Keeper::Managed;
            Some(Idle {
                since: since(account, cut)?,
                account: account.clone(),
                custody,
                address: managed.then(|| entry.custody.called(&account.mrn)),
            })
        })
        .collect();
    idle.sort_by_key(|idle| {
        let account = &idle.account;
        (
            Reverse(rank(&account.roles)),
            account.scope.clone(),
            account.name.clone(),
            account.mrn.clone(),
        )
    });
    idle
}

/// Accounts of this configuration that expire within a time, and those that are over.
fn expiring(
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
    soon: SignedDuration,
) -> Vec<Expiring> {
    let now = live.facts.now;
    let horizon = now.checked_add(soon).unwrap_or(Timestamp::MAX);
    let ours = || {
        let all = inventory.beside(live);
        all.filter_map(|(account, entry)| match &entry.custody {
            Custody::Ours(ours) => Some((account, ours)),
            _ => None,
        })
    };
    let marked = ours().filter_map(|(account, ours)| {
        let until = ours.marks.expires?;
        Some(Expiring {
            address: ours.at.address.clone(),
            account: Some(account.mrn.clone()),
            name: account.name.clone(),
            scope: account.scope.clone(),
            until,
            expired: until <= now,
        })
    });
    let there: BTreeSet<&Address> = ours().map(|(_, ours)| &ours.at.address).collect();
    // An account that expired may be gone from the platform; its declaration still says so.
    let absent = desired.accounts.values().filter_map(|declared| {
        let gone = live.extent.gone.contains_key(&declared.scope);
        let unread = live.unread.contains_key(&declared.scope);
        if gone || unread || there.contains(&declared.address) {
            return None;
        }
        let until = declared.valid_until?;
        Some(Expiring {
            address: declared.address.clone(),
            account: None,
            name: declared.name.clone(),
            scope: declared.scope.clone(),
            until,
            expired: until <= now,
        })
    });
    let mut all: Vec<Expiring> = marked
        .chain(absent)
        .filter(|one| one.until <= horizon)
        .collect();
    all.sort_by(|a, b| (a.until, &a.address).cmp(&(b.until, &b.address)));
    all
}

/// Since when an account was not used, if that is `cut` or longer ago, or if nobody can tell.
fn since(account: &LiveAccount, cut: Timestamp) -> Option<Since> {
    match (account.last_used, account.created_at) {
        (Some(used), _) => (used <= cut).then_some(Since::Used(used)),
        (None, Some(created)) => (created <= cut).then_some(Since::Created(created)),
        (None, None) => Some(Since::Unknown),
    }
}

#[cfg(test)]
mod tests;
