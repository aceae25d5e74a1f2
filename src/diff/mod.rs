//! Compares what is desired with what is live.
//! Pure and total: no clock but the platform's time in the facts, no order but the sorted one.

mod account;
mod cases;
mod custody;
mod delta;
mod undeclared;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use cases::{Cases, Ours};
pub use custody::{Custody, Judge, NO_SEAL};
pub use delta::{Action, Block, Blocked, Delta, Difference, InFlight, LeftAlone, Reason};

use crate::model::{Address, AddressLabel, Desired, DesiredAccount, Live, LiveAccount, Mrn, Seals};

/// How long an account may be pending before another run takes its birth for dead.
pub const PENDING_LEASE: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// Compares. Every live account and every declared one ends in exactly one part of the result or
/// is counted as unchanged. With a seal key, only accounts whose seal fits are ours.
pub fn diff(desired: &Desired, live: &Live, seals: &Seals) -> Delta {
    let mut delta = Delta {
        sealed: seals.can_seal(),
        ..Delta::default()
    };
    let judge = Judge::new(desired, &live.facts.caller.mrn, seals);
    let addresses: BTreeMap<AddressLabel, &DesiredAccount> = desired
        .accounts
        .values()
        .map(|account| (account.address.label(), account))
        .collect();
    let formerly = formerly(&addresses);
    // The address that an account has now, by what its marks say.
    let now = |label: &AddressLabel| formerly.get(label).unwrap_or(label).clone();
    let mut unmanaged: Vec<&LiveAccount> = Vec::new();
    let mut ours: BTreeMap<_, Vec<Ours<'_>>> = BTreeMap::new();
    let mut disputed: BTreeMap<&Mrn, String> = BTreeMap::new();
    for account in live.accounts.values() {
        match judge.custody(account) {
            Custody::Ours(marks, seal) => {
                delta.managed += 1;
                delta.unverified += usize::from(!seals.can_seal() && marks.seal.is_some());
                let address = now(&marks.address);
                ours.entry(address).or_default().push(Ours {
                    account,
                    marks,
                    seal,
                });
            }
            Custody::Disputed(why) => {
                disputed.insert(&account.mrn, why);
            }
            Custody::Foreign(stack)
                if desired.take_over.contains(&stack) && judge.imports(&account.mrn) => {}
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

    let at = |mrn: &Mrn| Some(now(&live.accounts.get(mrn)?.marks()?.address));
    let contested: BTreeSet<AddressLabel> = disputed.keys().filter_map(|mrn| at(mrn)).collect();
    let cases = Cases {
        desired,
        live,
        ours: &ours,
        judge,
        names: OnceCell::new(),
    };
    for account in unmanaged {
        if cases.unmanaged(account, &mut delta) {
            delta.left_alone.push(LeftAlone {
                account: account.clone(),
                stack: None,
            });
        }
    }
    for (label, account) in &addresses {
        match ours.get(label).map(Vec::as_slice) {
            Some([found]) => cases.present(account, found, &mut delta),
            Some(several @ [_, _, ..]) => {
                let accounts = several.iter().map(|o| o.account.mrn.clone()).collect();
                cases.block(account, Block::Duplicate { accounts }, &mut delta);
            }
            Some([]) | None => match &account.import {
                Some(import) => {
                    if cases.import(account, &import.mrn, &mut delta) {
                        disputed.remove(&import.mrn);
                    }
                }
                // Nothing is done at an address in dispute, and the dispute says all there is to say.
                None if contested.contains(label) => {}
                None => cases.absent(account, &mut delta),
            },
        }
    }
    for (label, accounts) in &ours {
        if addresses.contains_key(label) {
            continue;
        }
        match accounts.as_slice() {
            [found] => cases.undeclared(found.account, &found.marks, &mut delta),
            several => delta.blocked.extend(several.first().map(|first| Blocked {
                address: address_of(first.account),
                scope: first.account.scope.clone(),
                block: Block::Duplicate {
                    accounts: several.iter().map(|o| o.account.mrn.clone()).collect(),
                },
                declared_at: None,
            })),
        }
    }
    for (mrn, why) in disputed {
        let account = &live.accounts[mrn];
        let declared = at(mrn).and_then(|label| addresses.get(&label).copied());
        delta.blocked.push(Blocked {
            address: declared.map_or_else(|| address_of(account), |d| d.address.clone()),
            scope: account.scope.clone(),
            block: Block::Disputed {
                account: mrn.clone(),
                why,
            },
            declared_at: declared.map(|d| d.declared_at.clone()),
        });
    }
    delta.differences.sort_by(|a, b| {
        (&a.address, a.action, &a.account).cmp(&(&b.address, b.action, &b.account))
    });
    delta.blocked.sort();
    delta.in_flight.sort();
    delta.notes.sort();
    delta
}

/// The present address of every address that a declared account had before and that nothing
/// declared has now.
fn formerly(
    addresses: &BTreeMap<AddressLabel, &DesiredAccount>,
) -> BTreeMap<AddressLabel, AddressLabel> {
    let mut all = BTreeMap::new();
    for (label, account) in addresses {
        for former in &account.formerly {
            let before = former.address.label();
            if !addresses.contains_key(&before) {
                all.insert(before, label.clone());
            }
        }
    }
    all
}

/// The address that an account's label names, or one made of the label where that is a hash.
fn address_of(account: &LiveAccount) -> Address {
    let label = account
        .labels
        .get("rolecall-address")
        .map_or_else(|| account.mrn.id().to_owned(), Clone::clone);
    AddressLabel::from_label(label.clone())
        .decode()
        .unwrap_or_else(|| Address::new(label, None))
}

#[cfg(test)]
mod tests;
