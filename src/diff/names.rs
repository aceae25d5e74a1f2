//! Who has which name, and which names become free: an account that gets another name gives up its own.
//! Pure. Names are compared in their composed form.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::cases::Cases;
use super::delta::{Block, Held};
use crate::model::{
    AddressLabel, CredentialMark, Custody, DesiredAccount, LiveAccount, Marks, Mrn, Scope,
    composed, difference, outline, same_name,
};

/// A name in its scope.
pub(super) type Name<'a> = (&'a Scope, Cow<'a, str>);

/// Who has which name in which scope, and what is to have another one.
pub(super) struct Names<'a> {
    holders: BTreeMap<Name<'a>, Vec<&'a LiveAccount>>,
    /// Who has a name of which outline.
    outlines: BTreeMap<(&'a Scope, String), Vec<&'a LiveAccount>>,
    declared: BTreeMap<AddressLabel, &'a DesiredAccount>,
    /// Accounts that get another name, with what they are declared as.
    renames: BTreeMap<&'a Mrn, &'a DesiredAccount>,
    /// Those of them that wait for each other.
    circles: BTreeSet<&'a Mrn>,
}

impl<'a> Names<'a> {
    fn new(cases: &Cases<'a>) -> Self {
        let mut holders: BTreeMap<Name<'a>, Vec<&'a LiveAccount>> = BTreeMap::new();
        let mut outlines: BTreeMap<(&'a Scope, String), Vec<&'a LiveAccount>> = BTreeMap::new();
        for account in cases.live.accounts.values() {
            let name = (&account.scope, composed(&account.name));
            holders.entry(name).or_default().push(account);
            let outline = (&account.scope, outline(&account.name));
            outlines.entry(outline).or_default().push(account);
        }
        let accounts = || cases.desired.accounts.values();
        let declared: BTreeMap<AddressLabel, &DesiredAccount> = accounts()
            .map(|account| (account.address.label(), account))
            .collect();
        let managed = cases.ours.iter().filter_map(|ours| {
            // What is still being born is finished or removed, and never renamed.
            let pending = matches!(ours.known.marks.credential, CredentialMark::Pending(_));
            let declared = declared.get(ours.label()).filter(|_| !pending)?;
            Some((ours.account, *declared))
        });
        let imported = accounts().filter_map(|account| {
            let import = account.import.as_ref()?;
            Some((cases.live.accounts.get(&import.mrn)?, account))
        });
        let renames = managed
            .chain(imported)
            .filter(|(live, declared)| {
                live.scope == declared.scope && !same_name(&live.name, &declared.name)
            })
            .map(|(live, declared)| (&live.mrn, declared))
            .collect();
        let mut names = Self {
            holders,
            outlines,
            declared,
            renames,
            circles: BTreeSet::new(),
        };
        names.circles = names.circles();
        names
    }

    fn holders<'b>(&'b self, of: &'b DesiredAccount) -> &'b [&'a LiveAccount] {
        let name = (&of.scope, composed(&of.name));
        self.holders.get(&name).map_or(&[], Vec::as_slice)
    }

    /// The only other account that has the name which an account is to get, if it is to get another
    /// one itself.
    fn waits_for(&self, mrn: &Mrn) -> Option<&'a Mrn> {
        let declared = self.renames.get(mrn)?;
        match self.holders(declared) {
            [only] if self.renames.contains_key(&only.mrn) => Some(&only.mrn),
            _ => None,
        }
    }

    /// Every account waits for one other at most, so each way ends, or comes back to itself.
    fn circles(&self) -> BTreeSet<&'a Mrn> {
        let mut seen = BTreeSet::new();
        let mut circles = BTreeSet::new();
        for start in self.renames.keys() {
            let mut way: Vec<&'a Mrn> = Vec::new();
            let mut at = Some(*start);
            while let Some(mrn) = at.filter(|mrn| seen.insert(*mrn)) {
                way.push(mrn);
                at = self.waits_for(mrn);
            }
            let begins = way.iter().position(|mrn| Some(*mrn) == at);
            circles.extend(begins.into_iter().flat_map(|begin| way.split_off(begin)));
        }
        circles
    }
}

impl<'a> Cases<'a> {
    fn names(&self) -> &Names<'a> {
        self.names.get_or_init(|| Names::new(self))
    }

    /// Whether another account of the scope has the wanted name, and keeps it until it is wanted.
    /// What gets another name by the same plan gives its own up before that.
    pub(super) fn name_taken(
        &self,
        account: &DesiredAccount,
        except: Option<&Mrn>,
    ) -> Option<Block> {
        let names = self.names();
        let holders = names.holders(account).iter();
        let mut others = holders.filter(|other| Some(&other.mrn) != except);
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
        Some(Block::NameTaken {
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

    /// The names that declared accounts have or are to have, each in its scope.
    pub(super) fn wanted(&self) -> &BTreeSet<Name<'a>> {
        self.wanted.get_or_init(|| {
            let declared = self.desired.accounts.values();
            let name = |d: &'a DesiredAccount| (&d.scope, composed(&d.name));
            declared.map(name).collect()
        })
    }
}
