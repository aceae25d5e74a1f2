//! What a plan has to know beyond what was read: asked of the platform once it is settled what the plan
//! does, and told in its annex.
//! Pure; somebody else asks.

use std::collections::BTreeMap;

use super::{OwnersLeft, Plan, Unused, owned_less};
use crate::model::{CleanUp, Desired, Live, OrgId, Seals, SpaceId};

/// What only the platform can tell of a plan.
#[derive(Debug)]
pub struct Questions {
    /// Organizations that lose an owner, each with the service accounts that own it afterwards.
    owners: BTreeMap<OrgId, usize>,
    unused: Unused,
}

impl Questions {
    /// What is to be asked about a plan.
    pub fn of(plan: &Plan, desired: &Desired, live: &Live, seals: &Seals) -> Self {
        Self {
            owners: owned_less(plan, live),
            unused: Unused::of(plan, desired, live, seals),
        }
    }

    /// The organizations of which it is asked how many people own them.
    pub fn organizations(&self) -> impl Iterator<Item = &OrgId> {
        self.owners.keys()
    }

    /// The spaces of which it is asked when they remove accounts that nobody uses.
    pub fn spaces(&self) -> Vec<SpaceId> {
        self.unused.spaces()
    }
}

/// What the platform answered; an error is a fragment that says why it did not.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// How many people own an organization.
    pub people: BTreeMap<OrgId, Result<usize, String>>,
    /// When a space removes accounts that nobody uses.
    pub clean_up: BTreeMap<SpaceId, Result<CleanUp, String>>,
}

impl Plan {
    /// Puts into the annex what the platform answered. The digest stays: it does not cover that.
    pub fn tell(&mut self, questions: Questions, answers: &Answers) {
        let Questions { owners, unused } = questions;
        let annex = &mut self.contents.annex;
        annex.advice.extend(unused.advice(&answers.clean_up));
        annex.owners = owners
            .into_iter()
            .map(|(organization, accounts)| {
                let people = answers.people.get(&organization).cloned();
                let people = people.unwrap_or_else(|| Err("nobody asked".to_owned()));
                (organization, OwnersLeft { accounts, people })
            })
            .collect();
    }
}
