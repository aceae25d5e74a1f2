//! Whether a change still fits what is live.
//! Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AddressLabel, LiveAccount, Mrn, StackId, composed};
use crate::plan::{Action, Change};

/// What a scope holds that would stand in the way of a birth.
pub(super) struct Present<'a> {
    addresses: BTreeMap<AddressLabel, Vec<&'a Mrn>>,
    names: BTreeMap<Cow<'a, str>, &'a Mrn>,
}

impl<'a> Present<'a> {
    pub(super) fn new(
        listed: &'a BTreeMap<Mrn, LiveAccount>,
        dead: &BTreeSet<&Mrn>,
        renamed: &BTreeSet<&Mrn>,
        stack: &StackId,
    ) -> Self {
        let staying = || {
            listed
                .values()
                .filter(|account| !dead.contains(&account.mrn))
        };
        let mut addresses: BTreeMap<AddressLabel, Vec<&Mrn>> = BTreeMap::new();
        for account in staying() {
            if let Some(marks) = account.marks().filter(|marks| marks.stack == *stack) {
                let all = addresses.entry(marks.address.clone()).or_default();
                all.push(&account.mrn);
            }
        }
        Self {
            addresses,
            names: staying()
                .filter(|account| !renamed.contains(&account.mrn))
                .map(|account| (composed(&account.name), &account.mrn))
                .collect(),
        }
    }
}

impl Present<'_> {
    /// An account of the same address that the plan did not know of.
    fn newcomer(&self, change: &Change) -> Option<&Mrn> {
        let known = |mrn: &&&Mrn| !change.predecessors.iter().any(|of| of.account == ***mrn);
        let all = self.addresses.get(&change.address.label())?;
        all.iter().find(known).copied()
    }
}

/// Why a change no longer fits what is live, if it does not.
pub(super) fn stale(
    change: &Change,
    listed: &BTreeMap<Mrn, LiveAccount>,
    present: &Present<'_>,
) -> Option<String> {
    let Some(mrn) = &change.account else {
        let wanted = change.after.as_ref()?;
        let others = present.addresses.get(&change.address.label());
        if let Some(other) = others.and_then(|others| others.first()) {
            return Some(format!(
                "{other} has appeared under this address since the plan"
            ));
        }
        return present
            .names
            .get(&composed(&wanted.name))
            .map(|other| format!("{other} has taken the name since the plan"));
    };
    if change.action == Action::Rotate
        && let Some(other) = present.newcomer(change)
    {
        return Some(format!(
            "{other} has appeared under this address since the plan"
        ));
    }
    let Some(account) = listed.get(mrn) else {
        // Who takes its place in another scope looks there by itself.
        let elsewhere = mrn.account_scope().is_some_and(|home| home != change.scope);
        return (!elsewhere).then(|| "it is gone since the plan".to_owned());
    };
    let state = account.state();
    let before = change.before.as_ref();
    if before.is_some_and(|before| before.roles != state.roles) {
        return Some("its roles have changed since the plan".to_owned());
    }
    if account.marks() != change.marks.as_ref() {
        return Some("its marks have changed since the plan".to_owned());
    }
    if before != Some(&state) {
        return Some("its name, description or labels have changed since the plan".to_owned());
    }
    None
}
