//! The plan that takes the power of some accounts back, and does nothing else.
//! Pure. It is no part of any other plan: whoever asks for it has no time for the rest.

use std::collections::BTreeSet;

use super::past::past;
use super::{Action, Annex, Change, Contents, Difference, Plan, Reason};
use crate::model::{AccountState, Custody, Desired, Inventory, Live, Mrn, RoleSet};

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
