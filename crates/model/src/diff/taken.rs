//! Whether a name that an account is to get is another's.
//! Pure.

use super::cases::Cases;
use super::delta::{Held, Obstacle};
use super::names::Names;
use crate::model::{
    Custody, DesiredAccount, LiveAccount, Marks, Mrn, difference, outline, same_name,
};

impl Cases<'_> {
    /// Whether another account of the scope has the wanted name, and keeps it until it is wanted.
    /// What gets another name by the same plan gives its own up before that.
    pub(super) fn name_taken(
        &self,
        account: &DesiredAccount,
        except: Option<&Mrn>,
    ) -> Option<Obstacle> {
        let names = self.names();
        let holders = names.holders(account).iter();
        // Generations of one account have one name.
        let label = account.address.label();
        let same = |other: &LiveAccount| match self.inventory.of(&other.mrn) {
            Custody::Ours(ours) => ours.at.label == label,
            _ => false,
        };
        let mut others = holders.filter(|other| Some(&other.mrn) != except && !same(other));
        let holder = others.next()?;
        let alone = others.next().is_none();
        let held = if alone && names.renames.contains_key(&holder.mrn) {
            if !except.is_some_and(|mrn| names.circles.contains(mrn)) {
                return None;
            }
            Held::Circle
        } else if self.deleted(names, holder) {
            Held::Deleted
        } else {
            Held::Kept
        };
        let managed_as = self.inventory.of(&holder.mrn).address();
        Some(Obstacle::NameTaken {
            account: holder.mrn.clone(),
            name: account.name.clone(),
            managed_as: managed_as.cloned(),
            held,
        })
    }

    /// What to say of a live account whose name is easily taken for the one that an account is to get;
    /// accounts of this configuration are compared where they are declared.
    pub(super) fn look_alike(&self, account: &DesiredAccount) -> Option<String> {
        let names = self.names();
        let outline = (&account.scope, outline(&account.name));
        let ours = |other: &LiveAccount| self.inventory.of(&other.mrn).address().is_some();
        let other = names
            .outlines
            .get(&outline)?
            .iter()
            .find(|other| !same_name(&other.name, &account.name) && !ours(other))?;
        Some(format!(
            "its name {:?} is easily taken for {:?}, which {} has: {}",
            account.name,
            other.name,
            other.mrn,
            difference(&account.name, &other.name)
        ))
    }

    /// Whether the same plan deletes an account.
    fn deleted(&self, names: &Names<'_>, account: &LiveAccount) -> bool {
        let Custody::Ours(ours) = self.inventory.of(&account.mrn) else {
            return false;
        };
        let goes = |marks: &Marks| {
            let removed = self.removal(marks);
            !marks.protected && removed.is_ok_and(|removed| removed.is_none_or(|r| r.destroy))
        };
        !names.declared.contains_key(&ours.at.label) && goes(&ours.marks)
    }
}
