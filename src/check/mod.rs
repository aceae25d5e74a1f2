//! Drift: what differs from the configuration, who wrote it last by the platform's audit log, and
//! which accounts nobody declared, nobody uses, or expire.
//! Pure but for [`ask()`], which reads the log through a port. The clock is the platform's.

mod answers;
mod ask;
mod cause;
mod found;
mod places;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Address, Custody, Desired, Inventory, Keeper, Live, LiveAccount, Mrn, Scope, rank,
};
use crate::plan::{Blocked, LeftAlone, Obstacle, Plan};

pub use answers::Answers;
pub use ask::ask;
pub use found::{Cause, Differing, What};
pub use places::{KeyFound, Misplaced, look};

/// What is asked of a check besides drift.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
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
    pub drift: Vec<Differing>,
    /// What no apply puts right: disputed, taken, protected and the like; by address.
    pub needs_person: Vec<Differing>,
    /// What the configuration asks for and no run has applied yet; by address.
    pub not_applied: Vec<Differing>,
    /// Accounts that no configuration manages, but the caller's own; owners first.
    pub unmanaged: Vec<LeftAlone>,
    /// Accounts that were not used for long, the powerful first; `None` if that was not asked.
    pub unused: Option<Vec<Idle>>,
    /// Accounts that have expired or soon will, by time.
    pub expiring: Vec<Expiring>,
    /// What the platform does by itself with accounts that nobody uses, and what was not looked at
    /// or is gone, in sentences.
    pub clean_up: Vec<String>,
    /// Places that do not hold the key that they should, by address; `None` if that was not asked.
    pub places: Option<Vec<Misplaced>>,
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
    options: CheckOptions,
) -> Check {
    let now = live.facts.now;
    let found = cause::all(&plan, desired, live, inventory, answers);
    let (needs_person, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| {
        matches!(
            found.what,
            What::Blocked(_)
                | What::Gone
                | What::Expired { .. }
                | What::Undelivered { .. }
                | What::Generation(_)
                | What::Revoked { .. }
        )
    });
    let (not_applied, drift) = found
        .into_iter()
        .partition(|found| matches!(found.cause, Cause::NotApplied(_)));
    let unmanaged = plan
        .annex
        .left_alone
        .iter()
        .filter(|left| left.stack.is_none() && !plan.caller.owns(&left.account.mrn))
        .cloned()
        .collect();
    let unused = |long| unused(live, inventory, ago(now, long));
    Check {
        now,
        drift,
        needs_person,
        not_applied,
        unmanaged,
        unused: options.unused.map(unused),
        expiring: expiring(desired, live, inventory, options.expiring),
        clean_up,
        places: None,
        plan,
    }
}

impl Check {
    /// Whether something that should have been read could not be.
    pub fn partial(&self) -> bool {
        let unread = |blocked: &Blocked| matches!(blocked.block, Obstacle::Unread { .. });
        let unknown = |one: &Misplaced| matches!(one.found, KeyFound::Unknown(_));
        !self.plan.annex.unread.is_empty()
            || self.plan.blocked.iter().any(unread)
            || self.places.iter().flatten().any(unknown)
    }

    /// Whether some key is lost, or another is in its place.
    pub fn misplaced(&self) -> bool {
        let known = |one: &Misplaced| !matches!(one.found, KeyFound::Unknown(_));
        self.places.iter().flatten().any(known)
    }

    /// Whether something waits for an apply, or for another run's.
    pub fn pending(&self) -> bool {
        !self.not_applied.is_empty() || !self.plan.in_flight.is_empty()
    }
}

fn ago(now: Timestamp, long: SignedDuration) -> Timestamp {
    now.checked_sub(long).unwrap_or(Timestamp::MIN)
}

/// Accounts that were not used since `cut`, but the caller's own and those of other configurations, whose
/// own checks tell of them.
fn unused(live: &Live, inventory: &Inventory, cut: Timestamp) -> Vec<Idle> {
    let caller = &live.facts.caller;
    let mut idle: Vec<Idle> = inventory
        .beside(live)
        .filter(|(account, entry)| {
            !caller.owns(&account.mrn) && entry.custody.keeper() != Keeper::Foreign
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
