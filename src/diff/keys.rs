//! Where the key of an account is, by its marks, and where it should be.
//! Pure.

use std::collections::BTreeSet;

use super::cases::Cases;
use super::delta::{Delta, Leaving};
use crate::model::{
    CredentialMark, DesiredAccount, Destination, DestinationId, KeyAt, LiveAccount, Marks, Mrn,
    OnDelete,
};

impl Cases<'_> {
    /// The places that the key of a declared account leaves. Where it should be besides is told, and
    /// changes nothing.
    pub(super) fn keys(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        delta: &mut Delta,
    ) -> Vec<Leaving> {
        let CredentialMark::Delivered { destinations, .. } = &marks.credential else {
            return Vec::new();
        };
        // As nearly always; then no set need be made.
        if let ([only], 1) = (account.deliver_to.as_slice(), destinations.len())
            && destinations.contains_key(&only.id())
        {
            return Vec::new();
        }
        let wanted: BTreeSet<DestinationId> =
            account.deliver_to.iter().map(Destination::id).collect();
        let held = destinations.keys().any(|id| wanted.contains(id));
        let missing: Vec<&Destination> = account
            .deliver_to
            .iter()
            .filter(|to| !destinations.contains_key(&to.id()))
            .collect();
        let leaves: Vec<Leaving> = destinations
            .iter()
            .filter(|(id, _)| !wanted.contains(id))
            .map(|(id, at)| self.leaving(&present.mrn, *id, at))
            .collect();
        // A key that is nowhere is lost: where it is stays until another place has it.
        let stays = !held && !leaves.is_empty();
        if let Some(told) = told(&missing, if stays { &leaves } else { &[] }) {
            delta.notes.push((account.address.clone(), told));
        }
        if stays { Vec::new() } else { leaves }
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

/// What to say of places that have no key, and of those that keep theirs for want of another.
fn told(missing: &[&Destination], kept: &[Leaving]) -> Option<String> {
    let still: Vec<String> = kept.iter().map(Leaving::called).collect();
    let still = still.join(", ");
    match (missing, kept) {
        ([], []) => None,
        ([], _) => Some(format!(
            "deliver_to names no place that has its key, which stays where it is: {still}"
        )),
        (missing, kept) => {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let kept = match kept {
                [] => String::new(),
                _ => format!(" (it stays at {still})"),
            };
            Some(format!(
                "it needs a new key for {}, since its own is not there{kept} and cannot be read again; \
                 declare the account anew under another name, move its users, and remove this one",
                missing.join(", ")
            ))
        }
    }
}
