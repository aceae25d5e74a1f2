//! What the case analysis of the comparison rests on, and what all cases have in common.
//! Pure.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::delta::{Action, Blocked, Delta, Difference, Obstacle, Reason};
use super::managed::Managed;
use super::names::{Name, Names};
use crate::model::{
    Desired, DesiredAccount, Inventory, Known, Live, LiveAccount, Marks, Removed, composed,
};

pub(super) struct Cases<'a> {
    pub(super) desired: &'a Desired,
    pub(super) live: &'a Live,
    pub(super) ours: &'a [Managed<'a>],
    pub(super) inventory: &'a Inventory,
    /// Who has which name in which scope; made when it is first asked for.
    pub(super) names: OnceCell<Names<'a>>,
    /// The names that declared accounts want; made when they are first asked for.
    pub(super) wanted: OnceCell<BTreeSet<Name<'a>>>,
}

impl<'a> Cases<'a> {
    pub(super) fn block(&self, account: &DesiredAccount, block: Obstacle, delta: &mut Delta) {
        delta.blocked.push(Blocked {
            address: account.address.clone(),
            scope: account.scope.clone(),
            block,
            declared_at: Some(account.declared_at.clone()),
        });
    }

    /// A difference of a live account that changes nothing yet.
    pub(super) fn difference(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        action: Action,
        reason: Reason,
    ) -> Difference {
        Difference {
            address: account.address.clone(),
            generation: marks.generation,
            action,
            reason,
            scope: present.scope.clone(),
            account: Some(present.mrn.clone()),
            before: Some(present.state()),
            after: Some(present.state()),
            marks: Some(marks.clone()),
            moved_from: None,
            deliver_to: Vec::new(),
            key_from: None,
            leaves: Vec::new(),
            predecessors: Vec::new(),
            places: vec![account.declared_at.clone()],
        }
    }

    /// The `removed` block that speaks of an account, the one that names it alone before the one
    /// that names all of its block.
    pub(super) fn removal(&self, marks: &Marks) -> Result<Option<&Removed>, String> {
        let removed = &self.desired.removed;
        let very = |known: &Known| known.address.label() == marks.address;
        if let Some(found) = removed.iter().find(|r| r.known_as.iter().any(very)) {
            return Ok(Some(found));
        }
        if let Some(address) = marks.address.decode() {
            let block = |known: &Known| known.whole && known.address.name == address.name;
            return Ok(removed.iter().find(|r| r.known_as.iter().any(block)));
        }
        let whole = |r: &&Removed| r.known_as.iter().any(|known| known.whole);
        // The label is a hash, and nobody can tell of which block the account was an instance.
        match removed.iter().filter(whole).find(|r| !r.destroy) {
            Some(r) => Err(format!(
                "its address is kept as a hash, and the removed block of {} may mean it",
                r.from
            )),
            None => Ok(None),
        }
    }

    pub(super) fn names(&self) -> &Names<'a> {
        self.names
            .get_or_init(|| Names::new(self.desired, self.live, self.ours))
    }

    /// The names that declared accounts have or are to have, each in its scope.
    pub(super) fn wanted(&self) -> &BTreeSet<Name<'a>> {
        self.wanted.get_or_init(|| {
            let declared = self.desired.accounts.values();
            let name = |d: &'a DesiredAccount| (&d.scope, composed(&d.name));
            declared.map(name).collect()
        })
    }
}
