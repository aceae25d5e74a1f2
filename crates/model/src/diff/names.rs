//! Who has which name, and which names become free: an account that gets another name gives up its own.
//! Pure. Names are compared in their composed form.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::managed::Managed;
use crate::model::{
    AddressLabel, CredentialMark, Desired, DesiredAccount, Live, LiveAccount, Marks, Mrn, Scope,
    composed, outline, same_name,
};

/// A name in its scope.
pub(super) type Name<'a> = (&'a Scope, Cow<'a, str>);

/// Who has which name in which scope, and what is to have another one.
pub(super) struct Names<'a> {
    holders: BTreeMap<Name<'a>, Vec<&'a LiveAccount>>,
    /// Who has a name of which outline.
    pub(super) outlines: BTreeMap<(&'a Scope, String), Vec<&'a LiveAccount>>,
    pub(super) declared: BTreeMap<AddressLabel, &'a DesiredAccount>,
    /// Accounts that get another name, with what they are declared as.
    pub(super) renames: BTreeMap<&'a Mrn, &'a DesiredAccount>,
    /// Those of them that wait for each other.
    pub(super) circles: BTreeSet<&'a Mrn>,
}

impl<'a> Names<'a> {
    pub(super) fn new(desired: &'a Desired, live: &'a Live, ours: &[Managed<'a>]) -> Self {
        let mut holders: BTreeMap<Name<'a>, Vec<&'a LiveAccount>> = BTreeMap::new();
        let mut outlines: BTreeMap<(&'a Scope, String), Vec<&'a LiveAccount>> = BTreeMap::new();
        for account in live.accounts.values() {
            let name = (&account.scope, composed(&account.name));
            holders.entry(name).or_default().push(account);
            let outline = (&account.scope, outline(&account.name));
            outlines.entry(outline).or_default().push(account);
        }
        let accounts = || desired.accounts.values();
        let declared: BTreeMap<AddressLabel, &DesiredAccount> = accounts()
            .map(|account| (account.address.label(), account))
            .collect();
        let being_born = |marks: &Marks| matches!(marks.credential, CredentialMark::Pending(_));
        let mut newest: BTreeMap<&AddressLabel, u32> = BTreeMap::new();
        for of in ours.iter().filter(|of| !being_born(&of.known.marks)) {
            let number = newest.entry(of.label()).or_default();
            *number = of.known.marks.generation.max(*number);
        }
        let managed = ours.iter().filter_map(|ours| {
            // What is still being born is finished or removed, and never renamed; nor is a former generation.
            let marks = &ours.known.marks;
            let kept = being_born(marks) || newest.get(ours.label()) != Some(&marks.generation);
            let declared = declared.get(ours.label()).filter(|_| !kept)?;
            Some((ours.account, *declared))
        });
        let imported = accounts().filter_map(|account| {
            let import = account.import.as_ref()?;
            Some((live.accounts.get(&import.mrn)?, account))
        });
        let renames = managed
            .chain(imported)
            .filter(|(account, declared)| {
                account.scope == declared.scope && !same_name(&account.name, &declared.name)
            })
            .map(|(account, declared)| (&account.mrn, declared))
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

    pub(super) fn holders<'b>(&'b self, of: &'b DesiredAccount) -> &'b [&'a LiveAccount] {
        let name = (&of.scope, composed(&of.name));
        self.holders.get(&name).map_or(&[], Vec::as_slice)
    }

    /// The only account that has the name which an account is to get. One that keeps its name waits for nobody, so
    /// that a way ends there.
    fn waits_for(&self, mrn: &Mrn) -> Option<&'a Mrn> {
        let declared = self.renames.get(mrn)?;
        match self.holders(declared) {
            [only] => Some(&only.mrn),
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
