//! Whether a change still fits what is live.
//! Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AddressLabel, LiveAccount, Mrn, StackId, composed};
use crate::plan::Change;

/// What a scope holds that would stand in the way of a birth.
pub(super) struct Present<'a> {
    addresses: BTreeMap<AddressLabel, &'a Mrn>,
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
        Self {
            addresses: staying()
                .filter_map(|account| {
                    let marks = account.marks().filter(|marks| marks.stack == *stack)?;
                    Some((marks.address.clone(), &account.mrn))
                })
                .collect(),
            names: staying()
                .filter(|account| !renamed.contains(&account.mrn))
                .map(|account| (composed(&account.name), &account.mrn))
                .collect(),
        }
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
        if let Some(other) = present.addresses.get(&change.address.label()) {
            return Some(format!(
                "{other} has appeared under this address since the plan"
            ));
        }
        return present
            .names
            .get(&composed(&wanted.name))
            .map(|other| format!("{other} has taken the name since the plan"));
    };
    let Some(account) = listed.get(mrn) else {
        return Some("it is gone since the plan".to_owned());
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
