//! What is left of a reviewed plan that an earlier run began.
//! Pure. Nothing that nobody reviewed is ever taken for a part of it.

use std::collections::{BTreeMap, BTreeSet};

use super::canonical::NamedObstacle;
use super::compare::{compare, differences, key_of};
use super::{Action, Change, Moved, Plan, Reason};
use crate::model::{
    AccountState, Address, CredentialMark, Custody, DestinationId, Inventory, Live, LiveAccount,
    Mrn, Nonce, Ours, Written,
};

/// How far a reviewed plan is done, where all that is due now is its rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// How many of its changes were found done.
    pub done: usize,
    /// How many changes it has.
    pub of: usize,
}

/// Whether what is due now is the rest of a reviewed plan: each change stands in that plan, or ends what a
/// run of exactly that plan began, and each one that is not due any more is found done.
///
/// # Errors
/// What moved, without what was only done already; never empty.
pub fn rest(
    reviewed: &Plan,
    now: &Plan,
    live: &Live,
    inventory: &Inventory,
) -> Result<Rest, Vec<Moved>> {
    let found = Found::new(reviewed, now, live, inventory);
    let resumed = found.resumed(reviewed);
    let reviewed = resumed.as_ref().unwrap_or(reviewed);
    let sides = Sides {
        old: by_address(reviewed),
        new: by_address(now),
        found,
    };
    let in_the_way = in_the_way(reviewed, now);
    let explained = |address: &Address| !in_the_way.contains(address) && sides.explain(address);
    let (about, unread): (Vec<Moved>, Vec<Moved>) = compare(reviewed, now)
        .into_iter()
        .filter(|moved| !moved.address.as_ref().is_some_and(explained))
        .filter(|moved| !sides.was_done(moved))
        .partition(|moved| moved.address.is_some() || !moved.can_be_left_out());
    if about.is_empty() {
        let done = reviewed
            .changes
            .iter()
            .filter(|change| sides.is_done(change));
        return Ok(Rest {
            done: done.count(),
            of: reviewed.changes.len(),
        });
    }
    // Why a run may see something else than the other did.
    Err(about.into_iter().chain(unread).collect())
}

/// The addresses at which something else stands in the way than did.
fn in_the_way(reviewed: &Plan, now: &Plan) -> BTreeSet<Address> {
    let of = |plan: &Plan| -> BTreeSet<NamedObstacle> {
        NamedObstacle::all(&plan.blocked).into_iter().collect()
    };
    let (before, after) = (of(reviewed), of(now));
    let differ = before.symmetric_difference(&after);
    differ.map(|obstacle| obstacle.address.clone()).collect()
}

type ByAddress<'a> = BTreeMap<&'a Address, Vec<&'a Change>>;

fn by_address(plan: &Plan) -> ByAddress<'_> {
    let mut by = ByAddress::new();
    for change in &plan.changes {
        by.entry(&change.address).or_default().push(change);
    }
    by
}

/// Whether two changes are one.
fn same(one: &Change, other: &Change) -> bool {
    key_of(one) == key_of(other) && differences(one, other).is_empty()
}

/// Both plans, and what is live.
struct Sides<'a> {
    old: ByAddress<'a>,
    new: ByAddress<'a>,
    found: Found<'a>,
}

impl Sides<'_> {
    /// Whether all that is due at an address was reviewed, and all that was reviewed there is due, or done.
    fn explain(&self, address: &Address) -> bool {
        let old = self.old.get(address).map_or(&[][..], Vec::as_slice);
        let new = self.new.get(address).map_or(&[][..], Vec::as_slice);
        let ends = |due: &Change, begun: &Change| self.found.ends(due, begun);
        let due = |change: &&Change| {
            let mut reviewed = old.iter();
            reviewed.any(|one| same(one, change) || ends(change, one))
        };
        let settled = |change: &&Change| {
            let mut goes_on = new.iter();
            goes_on.any(|one| same(change, one) || ends(one, change))
                || self.found.done(change)
                || self.found.under_way(change)
        };
        new.iter().all(due) && old.iter().all(settled)
    }

    /// Whether it is said of a change that it is not due any more, and an account stands for it: what
    /// moved of that is said besides.
    fn was_done(&self, moved: &Moved) -> bool {
        let (Some(address), Some(key)) = (&moved.address, &moved.not_due) else {
            return false;
        };
        let mut at = self.old.get(address).into_iter().flatten();
        at.any(|change| {
            key_of(change) == *key
                && self.new.contains_key(address)
                && (self.found.done(change) || makes(change) && self.found.made(change).is_some())
        })
    }

    /// Whether a reviewed change is not due any more, since it was done.
    fn is_done(&self, change: &Change) -> bool {
        let due = self.new.get(&change.address).into_iter().flatten();
        !due.into_iter()
            .any(|one| same(change, one) || self.found.ends(one, change))
            && self.found.done(change)
    }
}

/// What is live of a stack, as a reviewed plan asks for it.
struct Found<'a> {
    /// The plan's digest, as marks hold it.
    wrote: Written,
    live: &'a Live,
    inventory: &'a Inventory,
    now: &'a Plan,
    ours: BTreeMap<&'a Mrn, (&'a LiveAccount, &'a Ours)>,
    at: BTreeMap<&'a Address, Vec<(&'a LiveAccount, &'a Ours)>>,
}

impl<'a> Found<'a> {
    fn new(reviewed: &Plan, now: &'a Plan, live: &'a Live, inventory: &'a Inventory) -> Self {
        let mut ours = BTreeMap::new();
        let mut at = BTreeMap::<_, Vec<_>>::new();
        for (account, entry) in inventory.beside(live) {
            if let Custody::Ours(known) = &entry.custody {
                ours.insert(&account.mrn, (account, known));
                at.entry(&known.at.address)
                    .or_default()
                    .push((account, known));
            }
        }
        Self {
            wrote: Written::new(None, Some(reviewed.digest())),
            live,
            inventory,
            now,
            ours,
            at,
        }
    }

    /// The reviewed plan with the births that this run is told to resume, as far as a run of that plan
    /// began them; `None` if there are none.
    fn resumed(&self, reviewed: &Plan) -> Option<Plan> {
        let begun = |nonce: &&Nonce| {
            self.ours
                .values()
                .any(|(_, ours)| match &ours.marks.credential {
                    CredentialMark::Pending(birth) => birth.nonce == **nonce && self.begun(ours),
                    CredentialMark::Delivered { .. } | CredentialMark::External => false,
                })
        };
        let resume = self.now.meant.resume.iter().filter(begun);
        let more: Vec<&Nonce> = resume
            .filter(|n| !reviewed.meant.resume.contains(*n))
            .collect();
        if more.is_empty() {
            return None;
        }
        let mut contents = reviewed.clone().into_contents();
        contents.meant.resume.extend(more.into_iter().cloned());
        Some(contents.settle())
    }

    /// Whether a run of exactly the reviewed plan wrote the marks last.
    fn begun(&self, ours: &Ours) -> bool {
        ours.marks.written.plan().is_some() && ours.marks.written.plan() == self.wrote.plan()
    }

    /// An account of ours, if it is live.
    fn account(&self, account: Option<&Mrn>) -> Option<(&'a LiveAccount, &'a Ours)> {
        self.ours.get(account?).copied()
    }

    /// The account of a change, if it is ours under the address that it has after the change.
    fn at_home(&self, change: &Change) -> Option<(&'a LiveAccount, &'a Ours)> {
        let account = self.account(change.account.as_ref());
        account.filter(|(_, ours)| ours.at.address == change.address)
    }

    /// The account that a birth or rotation makes, if its key was delivered to where it goes.
    fn made(&self, change: &Change) -> Option<(&'a LiveAccount, &'a Ours)> {
        let mut at = self.at.get(&change.address)?.iter();
        at.find(|(account, ours)| {
            ours.marks.generation == change.generation
                && account.scope == change.scope
                && delivered(ours, change)
        })
        .copied()
    }

    /// Whether what a change asks for is so.
    fn done(&self, change: &Change) -> bool {
        let as_wanted = |account: &LiveAccount| change.after.as_ref() == Some(&account.state());
        match change.action {
            Action::Create | Action::Rotate => self
                .made(change)
                .is_some_and(|(account, _)| as_wanted(account)),
            Action::Redeliver => self
                .at_home(change)
                .is_some_and(|(_, ours)| delivered(ours, change)),
            // What else is asked of the same account is a change of its own.
            Action::Adopt | Action::Move => self.at_home(change).is_some(),
            Action::UpdatePermissions => self.at_home(change).is_some_and(|(account, _)| {
                let roles = change.after.as_ref().map(|after| &after.roles);
                roles == Some(&account.roles)
            }),
            Action::Update => self.at_home(change).is_some_and(|(account, ours)| {
                let named = ours.marks.credential.destinations().unwrap_or_default();
                let left = |id: &DestinationId| !named.contains(id);
                let live = account.state();
                let after = change.after.clone().map(|after| AccountState {
                    roles: live.roles.clone(),
                    ..after
                });
                after.as_ref() == Some(&live) && change.leaves.iter().all(|one| left(&one.id))
            }),
            Action::Forget => change.account.as_ref().is_some_and(|account| {
                self.live.accounts.contains_key(account)
                    && !matches!(self.inventory.of(account), Custody::Ours(_))
            }),
            Action::Delete => {
                let read = self.live.scopes.contains_key(&change.scope);
                let there = |account| self.live.accounts.contains_key(account);
                read && change
                    .account
                    .as_ref()
                    .is_some_and(|account| !there(account))
            }
        }
    }

    /// Whether a run of the reviewed plan may still be at it.
    fn under_way(&self, change: &Change) -> bool {
        let mut in_flight = self.now.in_flight.iter();
        makes(change)
            && in_flight.any(|birth| {
                birth.address == change.address
                    && self
                        .account(Some(&birth.account))
                        .is_some_and(|(_, ours)| self.begun(ours))
            })
    }

    /// Whether a change that is due now ends what a run of the reviewed plan began with another: it removes
    /// an account that never got power, gives one the roles that were reviewed, or makes one again.
    fn ends(&self, due: &Change, begun: &Change) -> bool {
        if !makes(begun) || due.address != begun.address {
            return false;
        }
        let ours = self.account(due.account.as_ref());
        let by_this_plan = ours.is_some_and(|(_, ours)| self.begun(ours));
        match (due.action, due.reason) {
            (Action::Delete, Reason::CredentialPending) => by_this_plan,
            (Action::UpdatePermissions, Reason::Differs) => {
                let made = self.made(begun).map(|(account, _)| &account.mrn);
                let (before, wanted) = (due.before.as_ref(), begun.after.as_ref());
                let within = before
                    .zip(wanted)
                    .is_some_and(|(before, wanted)| before.roles.is_subset(&wanted.roles));
                by_this_plan && made == due.account.as_ref() && due.after == begun.after && within
            }
            (Action::Create | Action::Rotate, _) => {
                let former = |change: &Change| -> Vec<Mrn> {
                    let accounts = change.predecessors.iter().map(|one| one.account.clone());
                    accounts.collect()
                };
                due.action == begun.action
                    && due.generation == begun.generation
                    && due.scope == begun.scope
                    && due.after == begun.after
                    && due.deliver_to == begun.deliver_to
                    && former(due) == former(begun)
            }
            _ => false,
        }
    }
}

/// Whether a change makes an account.
fn makes(change: &Change) -> bool {
    matches!(change.action, Action::Create | Action::Rotate)
}

/// Whether the marks say that the key is at each place where a change puts it.
fn delivered(ours: &Ours, change: &Change) -> bool {
    let Some(places) = ours.marks.credential.destinations() else {
        return false;
    };
    let mut wanted = change.deliver_to.iter();
    wanted.all(|place| places.contains(&place.id()))
}

#[cfg(test)]
mod tests;
