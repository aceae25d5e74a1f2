//! Compares what is desired with what is live.
//! Pure and total: no clock but the platform's time in the facts, no order but the sorted one.

mod account;
mod cases;
mod custody;
mod delta;
mod names;
mod undeclared;
mod unmatched;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use cases::{Cases, Ours};
pub use custody::{Custody, Judge, NO_SEAL};
pub use delta::{
    Action, Block, Blocked, Delta, Difference, Expired, Held, InFlight, LeftAlone, Reason,
};

use crate::model::{Address, AddressLabel, Desired, DesiredAccount, Live, LiveAccount, Mrn, Seals};

/// How long an account may be pending before another run takes its birth for dead.
pub const PENDING_LEASE: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// Compares. Every live account and every declared one ends in exactly one part of the result or
/// is counted as unchanged. Where the configuration has a seal key, only accounts whose seal fits are
/// ours, whoever runs this.
pub fn diff(desired: &Desired, live: &Live, seals: &Seals) -> Delta {
    let mut delta = Delta {
        sealed: seals.verifies(),
        former: seals
            .keys()
            .and_then(|keys| keys.former.as_ref())
            .map(|key| key.id().to_owned()),
        ..Delta::default()
    };
    seals.check_all(live.accounts.values());
    let judge = Judge::new(desired, &live.facts.caller.mrn, seals);
    let declared = declared(desired);
    let formerly = formerly(&declared);
    let mut unmanaged: Vec<&LiveAccount> = Vec::new();
    let mut ours: Vec<Ours<'_>> = Vec::with_capacity(live.accounts.len());
    let mut disputed: BTreeMap<&Mrn, Block> = BTreeMap::new();
    for account in live.accounts.values() {
        match judge.custody(account) {
            Custody::Ours(marks, seal) => {
                delta.managed += 1;
                delta.unverified += usize::from(!seals.verifies() && marks.seal.is_some());
                ours.push(Ours {
                    account,
                    moved_to: formerly.get(&marks.address).cloned(),
                    marks,
                    seal,
                });
            }
            // An import settles what is disputed, or says why not.
            found @ (Custody::Disputed(_) | Custody::OtherKey(_) | Custody::Later(_)) => {
                if !judge.imports(&account.mrn)
                    && let Some(block) = found.dispute(&account.mrn)
                {
                    disputed.insert(&account.mrn, block);
                }
            }
            Custody::Foreign(stack)
                if desired.meant.take_over.contains(&stack) && judge.imports(&account.mrn) => {}
            Custody::Foreign(stack) => delta.left_alone.push(LeftAlone {
                account: account.clone(),
                stack: Some(stack),
            }),
            Custody::Unmanaged => {
                if !judge.imports(&account.mrn) {
                    unmanaged.push(account);
                }
            }
        }
    }

    // Both by address, so that one pass meets them; accounts of one address stay by resource name.
    let mut met: Vec<&Ours<'_>> = ours.iter().collect();
    met.sort_by(|a, b| a.address().cmp(b.address()));
    let at = |mrn: &Mrn| {
        let address = address_label(live.accounts.get(mrn)?)?;
        Some(formerly.get(&address).cloned().unwrap_or(address))
    };
    let contested: BTreeSet<AddressLabel> = disputed.keys().filter_map(|mrn| at(mrn)).collect();
    let cases = Cases {
        desired,
        live,
        ours: &ours,
        judge,
        names: OnceCell::new(),
        wanted: OnceCell::new(),
        places: OnceCell::new(),
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
    let mut groups = met.chunk_by(|a, b| a.address() == b.address()).peekable();
    for (label, account) in &declared {
        while let Some(group) = groups.next_if(|group| group[0].address() < label) {
            cases.undeclared_group(group, &mut delta);
        }
        match groups.next_if(|group| group[0].address() == label) {
            Some([found]) => cases.present(account, found, &mut delta),
            Some(several) => {
                let accounts = several.iter().map(|o| o.account.mrn.clone()).collect();
                cases.block(account, Block::Duplicate { accounts }, &mut delta);
            }
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
    for (mrn, block) in disputed {
        let account = &live.accounts[mrn];
        let declared = at(mrn).and_then(|label| find(&declared, &label));
        delta.blocked.push(Blocked {
            address: declared.map_or_else(|| address_of(account), |d| d.address.clone()),
            scope: account.scope.clone(),
            block,
            declared_at: declared.map(|d| d.declared_at.clone()),
        });
    }
    cases.unmatched(&mut delta);
    delta.differences.sort_by(|a, b| {
        (&a.address, a.action, &a.account).cmp(&(&b.address, b.action, &b.account))
    });
    delta.blocked.sort();
    delta.in_flight.sort();
    delta.notes.sort();
    delta.expired.sort();
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

/// The present address of every address that a declared account had before and that nothing
/// declared has now.
fn formerly(declared: &[Declared<'_>]) -> BTreeMap<AddressLabel, AddressLabel> {
    let mut all = BTreeMap::new();
    for (label, account) in declared {
        for former in &account.formerly {
            let before = former.address.label();
            if find(declared, &before).is_none() {
                all.insert(before, label.clone());
            }
        }
    }
    all
}

/// The address that an account's label names, or one made of the label where that is a hash.
fn address_of(account: &LiveAccount) -> Address {
    match address_label(account) {
        None => Address::new(account.mrn.id(), None),
        Some(label) => label
            .decode()
            .unwrap_or_else(|| Address::new(label.as_str(), None)),
    }
}

/// The address as the account's label has it, whatever the other labels are worth.
fn address_label(account: &LiveAccount) -> Option<AddressLabel> {
    let label = account.labels.get("rolecall-address")?;
    Some(AddressLabel::from_label(label.clone()))
}

#[cfg(test)]
mod tests;
