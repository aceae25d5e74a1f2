//! Where the key of an account is, by its marks, and where it should be.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::cases::Cases;
use super::delta::{Delta, Leaving, Undelivered};
use crate::model::{
    CredentialMark, DesiredAccount, Destination, DestinationId, KeyAt, LiveAccount, Marks, Mrn,
    OnDelete,
};

/// What is to be done about the key of an account.
#[derive(Default)]
pub(super) struct Keys {
    /// The places that it leaves.
    pub(super) leaves: Vec<Leaving>,
    /// Where it is read, and where it is delivered then.
    pub(super) redelivery: Option<(Destination, Vec<Destination>)>,
}

impl Cases<'_> {
    /// What is to be done about the key of a declared account that is not where `deliver_to` says. What
    /// cannot be done is told.
    pub(super) fn keys(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        delta: &mut Delta,
    ) -> Keys {
        let CredentialMark::Delivered { destinations, .. } = &marks.credential else {
            return Keys::default();
        };
        // As nearly always; then no set need be made.
        if let ([only], 1) = (account.deliver_to.as_slice(), destinations.len())
            && destinations.contains_key(&only.id())
        {
            return Keys::default();
        }
        let wanted: BTreeSet<DestinationId> =
            account.deliver_to.iter().map(Destination::id).collect();
        let held = destinations.keys().any(|id| wanted.contains(id));
        let missing: Vec<Destination> = account
            .deliver_to
            .iter()
            .filter(|to| !destinations.contains_key(&to.id()))
            .cloned()
            .collect();
        let leaves: Vec<Leaving> = destinations
            .iter()
            .filter(|(id, _)| !wanted.contains(id))
            .map(|(id, at)| self.leaving(&present.mrn, *id, at))
            .collect();
        let from = match missing.is_empty() {
            true => None,
            false => self.source(account, present, marks, destinations),
        };
        // A key that is nowhere is lost: where it is stays until another place has it.
        let stays = !held && from.is_none();
        if !missing.is_empty() && from.is_none() {
            delta.undelivered.push(Undelivered {
                address: account.address.clone(),
                account: present.mrn.clone(),
                scope: present.scope.clone(),
                why: unreadable(destinations.len(), if stays { &leaves } else { &[] }),
                to: missing.clone(),
                declared_at: account.declared_at.clone(),
            });
        } else if stays && !leaves.is_empty() {
            let told = format!(
                "deliver_to names no place that has its key, which stays where it is: {}",
                called(&leaves)
            );
            delta.notes.push((account.address.clone(), told));
        }
        Keys {
            leaves: if stays { Vec::new() } else { leaves },
            redelivery: from.map(|from| (from, missing)),
        }
    }

    /// A place from which the key can be read, by marks and abilities alone: first of those that
    /// `deliver_to` names.
    fn source(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        destinations: &BTreeMap<DestinationId, KeyAt>,
    ) -> Option<Destination> {
        let has = |to: &&Destination| {
            let at = destinations.get(&to.id());
            at.is_some_and(|at| at.generation == marks.generation) && to.abilities().read_back
        };
        let elsewhere = self.desired.elsewhere.get(&present.mrn);
        let mut all = account
            .deliver_to
            .iter()
            .chain(elsewhere.into_iter().flatten());
        all.find(has).cloned()
    }

    /// The places from which the key of an account is removed once the account is deleted.
    pub(super) fn removed_with(&self, account: &LiveAccount, marks: &Marks) -> Vec<Leaving> {
        let CredentialMark::Delivered { destinations, .. } = &marks.credential else {
            return Vec::new();
        };
        destinations
            .iter()
            .map(|(id, at)| self.leaving(&account.mrn, *id, at))
            .filter(|leaving| leaving.removed)
            .collect()
    }

    fn leaving(&self, account: &Mrn, id: DestinationId, at: &KeyAt) -> Leaving {
        let known = self.desired.elsewhere.get(account);
        let mut known = known.into_iter().flatten();
        let place = known.find(|to| to.id() == id).cloned();
        Leaving {
            id,
            kind: at.kind,
            removed: place.as_ref().map(Destination::on_delete) == Some(OnDelete::Remove),
            place,
        }
    }
}

/// Why a key is delivered to no other place.
fn unreadable(places: usize, kept: &[Leaving]) -> String {
    let why = match places {
        0 => "its marks name no place that has its key".to_owned(),
        _ => "no place that has its key is one of a declared sink that can be read back".to_owned(),
    };
    match kept {
        [] => why,
        kept => format!("{why}; the key stays at {}", called(kept)),
    }
}

fn called(places: &[Leaving]) -> String {
    let places: Vec<String> = places.iter().map(Leaving::called).collect();
    places.join(", ")
}
