//! The plan that takes the power of some accounts back, and does nothing else.
//! Pure. It is no part of any other plan: whoever asks for it has no time for the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::past::past;
use super::{Action, Annex, Change, Contents, Difference, Plan, Reason};
use crate::model::{
    AccountState, Address, CredentialMark, Custody, Desired, DestinationId, Inventory, KeyAt, Live,
    LiveAccount, Marks, Mrn, RoleSet,
};

/// What an address has once the power of some of its accounts is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remains {
    /// No later key with power: a new one is wanted.
    Nothing,
    /// A later generation, which goes on.
    Newer {
        /// Its number.
        generation: u32,
        /// Whether some place has a key that was revoked, by the marks.
        behind: bool,
    },
    /// An account whose marks are not believed, so that nobody makes a key in its place.
    Disputed,
    /// An account that no block declares.
    Undeclared,
}

/// Takes all roles of these live accounts. An account that is not believed to be ours has no marks in it, so
/// that nobody seals what somebody else may have written.
pub fn revocation(
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
    accounts: &BTreeSet<Mrn>,
) -> Plan {
    let all = || inventory.beside(live);
    let changes: Vec<Change> = all()
        .filter(|(account, _)| accounts.contains(&account.mrn))
        .map(|(account, entry)| {
            let address = entry.custody.called(&account.mrn);
            let declared = desired.accounts.get(&address);
            let state = account.state();
            let difference = Difference {
                generation: account.marks().map_or(1, |marks| marks.generation),
                action: Action::UpdatePermissions,
                reason: Reason::Revoked,
                scope: account.scope.clone(),
                account: Some(account.mrn.clone()),
                before: Some(state.clone()),
                after: Some(AccountState {
                    roles: RoleSet::new(),
                    ..state
                }),
                marks: match &entry.custody {
                    Custody::Ours(ours) => Some((*ours.marks).clone()),
                    Custody::Disputed { .. }
                    | Custody::OtherKey { .. }
                    | Custody::Later { .. }
                    | Custody::Foreign(_)
                    | Custody::Unmanaged => None,
                },
                moved_from: None,
                deliver_to: Vec::new(),
                key_from: None,
                leaves: Vec::new(),
                predecessors: Vec::new(),
                places: declared
                    .map(|d| d.declared_at.clone())
                    .into_iter()
                    .collect(),
                address,
            };
            Change::of(difference, &desired.stack)
        })
        .collect();
    let ours = |custody: &Custody| matches!(custody, Custody::Ours(_));
    Contents {
        stack: desired.stack.clone(),
        endpoint: live.facts.endpoint.clone(),
        meant: desired.meant.clone(),
        limits: desired.limits,
        policies: Vec::new(),
        blocked: Vec::new(),
        caller: live.facts.caller.clone(),
        declared: desired.accounts.len(),
        managed: all().filter(|(_, entry)| ours(&entry.custody)).count(),
        sealed: inventory.verified(),
        in_flight: Vec::new(),
        annex: Annex {
            unread: live.unread.clone(),
            scopes: live.scopes.clone(),
            past: past(&changes, live),
            ..Annex::default()
        },
        changes,
    }
    .settle()
}

/// What each address of these live accounts is left with once their power is taken. `whole`: whether all that
/// the configuration declares could be read.
pub fn remains(
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
    accounts: &BTreeSet<Mrn>,
    whole: bool,
) -> BTreeMap<Address, Remains> {
    let taken = |account: &LiveAccount| accounts.contains(&account.mrn);
    let mut all: BTreeMap<Address, Vec<&LiveAccount>> = BTreeMap::new();
    for (account, entry) in inventory.beside(live).filter(|(account, _)| taken(account)) {
        let address = entry.custody.called(&account.mrn);
        all.entry(address).or_default().push(account);
    }
    let ours = |account: &LiveAccount| match inventory.of(&account.mrn) {
        Custody::Ours(ours) => Some((*ours.marks).clone()),
        _ => None,
    };
    let of = |(address, revoked): (Address, Vec<&LiveAccount>)| {
        let at = |entry: &Custody| entry.address() == Some(&address);
        let others = inventory.beside(live).filter(|(account, entry)| {
            at(&entry.custody) && !taken(account) && !account.labels.revoked()
        });
        let others = others.filter_map(|(account, _)| ours(account));
        let newest = others
            .filter(|marks| !matches!(marks.credential, CredentialMark::Pending(_)))
            .max_by_key(|marks| marks.generation);
        let marks: Vec<Marks> = revoked.iter().filter_map(|account| ours(account)).collect();
        let later = |newest: &Marks| marks.iter().all(|of| of.generation < newest.generation);
        let left = match newest.filter(later) {
            _ if whole && !desired.accounts.contains_key(&address) => Remains::Undeclared,
            Some(newest) => Remains::Newer {
                generation: newest.generation,
                behind: marks
                    .iter()
                    .flat_map(places)
                    .any(|(place, _)| !places(&newest).any(|(has, _)| has == place)),
            },
            None if marks.len() < revoked.len() => Remains::Disputed,
            None => Remains::Nothing,
        };
        (address, left)
    };
    all.into_iter().map(of).collect()
}

/// The places that have the key of an account, by its marks.
fn places(marks: &Marks) -> impl Iterator<Item = (&DestinationId, &KeyAt)> {
    let destinations = match &marks.credential {
        CredentialMark::Delivered { destinations, .. } => Some(destinations),
        CredentialMark::Pending(_) | CredentialMark::External => None,
    };
    destinations.into_iter().flatten()
}
