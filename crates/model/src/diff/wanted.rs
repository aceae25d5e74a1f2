//! What is wanted of a declared account, whatever there is of it.
//! Pure; the clock is the platform's, as it was read.

use super::cases::Cases;
use super::delta::{Action, Delta, Difference, Obstacle, Reason};
use crate::model::{AccountState, DesiredAccount, LiveAccount, Marks, SealCheck, SourceRef};

impl Cases<'_> {
    /// An account that carries an address which it has no more. Tells whether it does.
    pub(super) fn moved(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        delta: &mut Delta,
    ) -> bool {
        let label = &marks.address;
        let Some(former) = account
            .formerly
            .iter()
            .find(|f| f.address.label() == *label)
        else {
            return false;
        };
        delta.differences.push(Difference {
            moved_from: Some(former.address.clone()),
            places: vec![former.declared_at.clone(), account.declared_at.clone()],
            ..self.difference(account, present, marks, Action::Move, Reason::MoveRequested)
        });
        true
    }

    /// Why an account is not born: its key would not be good any more.
    pub(super) fn over(&self, account: &DesiredAccount) -> Option<Obstacle> {
        let until = account.valid_until?;
        (until <= self.live.facts.now).then_some(Obstacle::AlreadyOver { until })
    }

    /// Why nothing can be created in the scope of an account: it was not read.
    pub(super) fn unseen(&self, account: &DesiredAccount) -> Option<Obstacle> {
        let why = match self.live.unread.get(&account.scope) {
            Some(unread) => unread.why.clone(),
            None if self.live.scopes.contains_key(&account.scope) => return None,
            None => "it was not read".to_owned(),
        };
        Some(Obstacle::Unread { why })
    }
}

/// An account as it is born.
pub(super) fn born(account: &DesiredAccount) -> AccountState {
    AccountState {
        name: account.name.clone(),
        description: account.description.clone().filter(|text| !text.is_empty()),
        labels: account.labels.clone().unwrap_or_default(),
        roles: account.roles.clone(),
        valid_until: account.valid_until,
        protected: account.protected.unwrap_or(false),
    }
}

/// Where an account and its roles are declared.
pub(super) fn places(account: &DesiredAccount) -> Vec<SourceRef> {
    let mut places: Vec<SourceRef> = account.role_places.values().cloned().collect();
    places.push(account.declared_at.clone());
    places.sort();
    places.dedup();
    places
}

/// Why the seal of an account is to be written again though nothing else differs.
pub(super) fn reseal(seal: &SealCheck) -> Option<Reason> {
    match seal {
        SealCheck::Missing => Some(Reason::Unsealed),
        SealCheck::Former => Some(Reason::SealedBefore),
        SealCheck::Right
        | SealCheck::OtherKey(_)
        | SealCheck::Wrong(_)
        | SealCheck::Unverified(_) => None,
    }
}
