//! What a plan has to know beyond what was read: asked of the platform once it is settled what the plan
//! does, and told in its annex.
//! Pure; somebody else asks.

use std::collections::BTreeMap;

use super::{OwnersLeft, Plan, Unused, owned_less};
use crate::model::{CleanUp, Inventory, Live, OrgId, SpaceId};

/// What only the platform can tell of a plan.
#[derive(Debug)]
pub struct Questions {
    /// Organizations that lose an owner, each with the service accounts that own it afterwards.
    owners: BTreeMap<OrgId, usize>,
    unused: Unused,
}

impl Questions {
    /// What is to be asked about a plan.
    pub fn of(plan: &Plan, live: &Live, inventory: &Inventory) -> Self {
        Self {
            owners: owned_less(plan, live),
            unused: Unused::of(plan, live, inventory),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{Action, Delta, Difference, Reason};
    use crate::model::samples::{self, destination};
    use crate::model::{
        AccountState, Address, Desired, Inventory, LiveAccount, Mrn, Role, RoleSet, Scope,
        ScopeInfo, Seals, StackId,
    };
    use crate::plan::build;

    /// What the platform answers stands in the annex, and moves neither name nor order; what nobody
    /// answered is not taken for none.
    #[test]
    fn answers_are_told_in_the_annex_and_the_name_stays() {
        let organization = OrgId::new("acme-corp").expect("valid");
        let space = SpaceId::new("payments").expect("valid");
        let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
        let owner: RoleSet = [Role::new("owner")].into();
        let scope = Scope::Organization(organization.clone());
        let account = LiveAccount {
            roles: owner,
            ..samples::account(Mrn::new("boss"), scope, "boss")
        };
        let live = Live {
            scopes: [account.scope.clone(), Scope::Space(space.clone())]
                .map(|scope| {
                    (
                        scope,
                        ScopeInfo {
                            name: String::new(),
                            organization: None,
                        },
                    )
                })
                .into(),
            ..samples::live("me", [account.clone()])
        };
        let difference = |action, scope: Scope, before: Option<AccountState>| Difference {
            address: Address::new("a", None),
            generation: 1,
            action,
            reason: Reason::Declared,
            scope,
            account: before.is_some().then(|| account.mrn.clone()),
            after: before.is_none().then(|| AccountState {
                roles: RoleSet::new(),
                ..account.state()
            }),
            deliver_to: match before {
                Some(_) => Vec::new(),
                None => vec![destination("a.json")],
            },
            before,
            marks: None,
            moved_from: None,
            key_from: None,
            leaves: Vec::new(),
            predecessors: Vec::new(),
            places: Vec::new(),
        };
        let delta = Delta {
            differences: vec![
                difference(Action::Delete, account.scope.clone(), Some(account.state())),
                difference(Action::Create, Scope::Space(space.clone()), None),
            ],
            ..Delta::default()
        };
        let desired = Desired::nothing(stack);
        let inventory = Inventory::take(&desired, &live, &Seals::default());
        let mut plan = build(&desired, &live, &inventory, delta);
        let before = plan.clone();
        let questions = |plan: &Plan| Questions::of(plan, &live, &inventory);
        let asked = questions(&plan);
        assert_eq!(asked.organizations().collect::<Vec<_>>(), [&organization]);
        assert_eq!(asked.spaces(), std::slice::from_ref(&space));
        let answers = Answers {
            people: [(organization.clone(), Ok(2))].into(),
            clean_up: [(space, Ok(CleanUp::After(30)))].into(),
        };
        plan.tell(asked, &answers);
        let told = |people| {
            [(
                organization.clone(),
                OwnersLeft {
                    accounts: 0,
                    people,
                },
            )]
            .into()
        };
        assert_eq!(plan.annex.owners, told(Ok(2)));
        let more = plan.annex.advice.len() - before.annex.advice.len();
        assert_eq!(more, 1, "{:?}", plan.annex.advice);
        assert_eq!(plan.canonical(), before.canonical());
        assert_eq!(plan.digest(), before.digest());
        assert_eq!(plan.changes, before.changes);

        let unasked = before.annex.advice.clone();
        let mut plan = before;
        plan.tell(questions(&plan), &Answers::default());
        assert_eq!(plan.annex.owners, told(Err("nobody asked".to_owned())));
        assert_eq!(plan.annex.advice, unasked);
    }
}
