//! Compares what is desired with what is live.
//! Pure and total: no clock but the platform's time in the facts, no order but the sorted one.

mod account;
mod cases;
mod declared;
mod delta;
mod generations;
mod keys;
mod managed;
mod names;
mod pending;
mod taken;
mod undeclared;
mod unmatched;
mod wanted;

use std::cell::OnceCell;
use std::collections::BTreeSet;

use cases::Cases;
pub use delta::{
    Action, Blocked, Delta, Difference, Expired, Generation, Held, InFlight, Leaving, LeftAlone,
    Obstacle, Predecessor, Reason, Revoked, Standing, Undelivered,
};
use managed::Managed;
pub use pending::PENDING_LEASE;

use crate::model::{
    AddressLabel, Custody, Desired, DesiredAccount, Inventory, Live, LiveAccount, Mrn,
};

/// Compares. Every live account and every declared one ends in exactly one part of the result or
/// is counted as unchanged. `inventory` says whose each live account is: where the configuration has a
/// seal key, only accounts whose seal fits are ours, whoever runs this.
pub fn diff(desired: &Desired, live: &Live, inventory: &Inventory) -> Delta {
    let sealed = inventory.verified();
    let mut delta = Delta {
        sealed,
        former: inventory.former_key().map(str::to_owned),
        ..Delta::default()
    };
    let declared = declared(desired);
    let mut unmanaged: Vec<&LiveAccount> = Vec::new();
    let mut ours: Vec<Managed<'_>> = Vec::with_capacity(live.accounts.len());
    let mut disputed: Vec<(&LiveAccount, &Custody, Obstacle)> = Vec::new();
    for (account, entry) in inventory.beside(live) {
        let custody = &entry.custody;
        match custody {
            Custody::Ours(known) => {
                delta.managed += 1;
                delta.unverified += usize::from(!sealed && known.marks.seal.is_some());
                ours.push(Managed { account, known });
            }
            // An import settles what is disputed, or says why not.
            Custody::Disputed { .. } | Custody::OtherKey { .. } | Custody::Later { .. } => {
                if !entry.imported
                    && let Some(block) = dispute(custody, &account.mrn)
                {
                    disputed.push((account, custody, block));
                }
            }
            Custody::Foreign(stack)
                if desired.meant.take_over.contains(stack) && entry.imported => {}
            Custody::Foreign(stack) => delta.left_alone.push(LeftAlone {
                account: account.clone(),
                stack: Some(stack.clone()),
            }),
            Custody::Unmanaged => {
                if !entry.imported {
                    unmanaged.push(account);
                }
            }
        }
    }

    // Both by address, so that one pass meets them; accounts of one address stay by resource name.
    let mut met: Vec<&Managed<'_>> = ours.iter().collect();
    met.sort_by(|a, b| a.label().cmp(b.label()));
    let contested: BTreeSet<&AddressLabel> = disputed
        .iter()
        .filter_map(|(_, custody, _)| Some(&custody.claim()?.label))
        .collect();
    let cases = Cases {
        desired,
        live,
        ours: &ours,
        inventory,
        names: OnceCell::new(),
        wanted: OnceCell::new(),
    };
    cases.unread(&mut delta);
    for account in unmanaged {
        if cases.unmanaged(account, &mut delta) {
            delta.left_alone.push(LeftAlone {
                account: account.clone(),
                stack: None,
            });
        }
    }
    let mut groups = met.chunk_by(|a, b| a.label() == b.label()).peekable();
    for (label, account) in &declared {
        while let Some(group) = groups.next_if(|group| group[0].label() < label) {
            cases.undeclared_group(group, &mut delta);
        }
        match groups.next_if(|group| group[0].label() == label) {
            Some(group) => cases.generations(account, group, &mut delta),
            // The plan says once of the whole scope that it is gone.
            None if live.extent.gone.contains_key(&account.scope) => {}
            None => match &account.import {
                Some(import) => cases.import(account, &import.mrn, &mut delta),
                // Nothing is done at an address in dispute, and the dispute says all there is to say.
                None if contested.contains(label) => {}
                None => cases.absent(account, &mut delta),
            },
        }
    }
    for group in groups {
        cases.undeclared_group(group, &mut delta);
    }
    for (account, custody, block) in disputed {
        let claim = custody.claim();
        let declared = claim.and_then(|claim| find(&declared, &claim.label));
        delta.blocked.push(Blocked {
            address: custody.called(&account.mrn),
            scope: account.scope.clone(),
            block,
            declared_at: declared.map(|d| d.declared_at.clone()),
        });
    }
    cases.unmatched(&mut delta);
    cases.at_most(&mut delta);
    if desired.meant.renewal.alone {
        cases.alone(&mut delta);
    }
    delta.differences.sort_by(|a, b| {
        (&a.address, a.action, &a.account).cmp(&(&b.address, b.action, &b.account))
    });
    delta.blocked.sort();
    delta.in_flight.sort();
    delta.notes.sort();
    delta.expired.sort();
    delta.undelivered.sort();
    delta.generations.sort();
    delta.revoked.sort();
    delta
}

/// A declared account under the label of its address.
type Declared<'a> = (AddressLabel, &'a DesiredAccount);

/// All declared accounts, by address.
fn declared(desired: &Desired) -> Vec<Declared<'_>> {
    let accounts = desired.accounts.values();
    let mut declared: Vec<Declared<'_>> = accounts
        .map(|account| (account.address.label(), account))
        .collect();
    declared.sort_by(|(a, _), (b, _)| a.cmp(b));
    declared
}

/// Finds an account among those sorted by address.
fn find<'a>(declared: &[Declared<'a>], label: &AddressLabel) -> Option<&'a DesiredAccount> {
    let found = declared.binary_search_by(|(other, _)| other.cmp(label));
    found.ok().map(|at| declared[at].1)
}

/// What stands in the way if an account of ours, or one that claims to be, is not to be believed.
fn dispute(custody: &Custody, account: &Mrn) -> Option<Obstacle> {
    let account = account.clone();
    match custody {
        Custody::Disputed { why, claim: _ } => Some(Obstacle::Disputed {
            account,
            why: why.clone(),
        }),
        Custody::OtherKey { key, claim: _ } => Some(Obstacle::OtherKey {
            account,
            key: key.clone(),
        }),
        Custody::Later { needs, claim: _ } => Some(Obstacle::Later {
            account,
            needs: needs.clone(),
        }),
        Custody::Ours(_) | Custody::Foreign(_) | Custody::Unmanaged => None,
    }
}

#[cfg(test)]
mod tests;
