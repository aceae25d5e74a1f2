//! What to do about live accounts that no block declares: ours, and those that nobody has marked.
//! Pure.

use super::cases::Cases;
use super::delta::{Action, Blocked, Delta, Difference, InFlight, Obstacle, Reason};
use super::generations::{Generations, twins};
use super::managed::Managed;
use super::pending::{Pending, pending};
use crate::model::{
    AccountState, Address, CredentialMark, LiveAccount, Ours, RoleSet, Scope, Unmanaged,
    UnmanagedAction, composed,
};

impl Cases<'_> {
    /// Accounts of ours of one address that is not declared.
    pub(super) fn undeclared_group(&self, group: &[&Managed<'_>], delta: &mut Delta) {
        // One generation names one change: what two runs left of one moment goes one after the other.
        if let [twin, ..] = twins(group).as_slice() {
            self.undeclared(twin, delta);
            return;
        }
        match (group, Generations::of(group)) {
            ([first, ..], None) => delta.blocked.push(Blocked {
                address: first.known.at.address.clone(),
                scope: first.account.scope.clone(),
                block: Obstacle::Duplicate {
                    accounts: group.iter().map(|o| o.account.mrn.clone()).collect(),
                },
                declared_at: None,
            }),
            (all, _) => all.iter().for_each(|one| self.undeclared(one, delta)),
        }
    }

    /// An account of ours that is not declared.
    fn undeclared(&self, found: &Managed<'_>, delta: &mut Delta) {
        let Managed {
            account,
            known: Ours { marks, seal: _, at },
        } = found;
        let mut reason = if self.declares(&account.scope) {
            Reason::Undeclared
        } else {
            Reason::ScopeUndeclared
        };
        if let CredentialMark::Pending(birth) = &marks.credential {
            // Which role was wanted is not known any more; one harmless role is what a birth gives.
            let now = self.live.facts.now;
            let dead = self.desired.meant.resume.contains(&birth.nonce);
            match pending(account, marks, birth, &RoleSet::new(), false, dead, now) {
                Pending::Young(until) => {
                    delta.in_flight.push(InFlight {
                        address: at.address.clone(),
                        account: account.mrn.clone(),
                        until,
                        nonce: Some(birth.nonce.clone()),
                    });
                    return;
                }
                Pending::Dead => reason = Reason::CredentialPending,
                Pending::Strange(why) => {
                    delta.blocked.push(Blocked {
                        address: at.address.clone(),
                        scope: account.scope.clone(),
                        block: Obstacle::PendingWithPower {
                            account: account.mrn.clone(),
                            why,
                        },
                        declared_at: None,
                    });
                    return;
                }
            }
        }
        let mut difference = Difference {
            address: at.address.clone(),
            generation: marks.generation,
            action: Action::Delete,
            reason,
            scope: account.scope.clone(),
            account: Some(account.mrn.clone()),
            before: Some(account.state()),
            after: None,
            marks: Some((**marks).clone()),
            moved_from: None,
            deliver_to: Vec::new(),
            key_from: None,
            leaves: Vec::new(),
            predecessors: Vec::new(),
            places: Vec::new(),
        };
        let mut block = None;
        if reason != Reason::CredentialPending {
            match self.removal(marks) {
                Ok(removed) => {
                    difference
                        .places
                        .extend(removed.map(|r| r.declared_at.clone()));
                    if removed.is_some_and(|r| !r.destroy) {
                        block = self.lost(account);
                        difference.action = Action::Forget;
                        difference.reason = Reason::ReleaseRequested;
                        // The mark of protection goes with the others.
                        difference.after = difference.before.clone().map(|before| AccountState {
                            protected: false,
                            ..before
                        });
                    } else if marks.protected {
                        block = Some(Obstacle::Protected {
                            account: account.mrn.clone(),
                        });
                    }
                }
                Err(why) => {
                    block = Some(Obstacle::UnclearRemoval {
                        account: account.mrn.clone(),
                        why,
                    });
                }
            }
        }
        match block {
            Some(block) => delta.blocked.push(Blocked {
                address: difference.address,
                scope: difference.scope,
                block,
                declared_at: difference.places.first().cloned(),
            }),
            None => {
                if difference.action == Action::Delete {
                    difference.leaves = self.removed_with(account, marks);
                }
                delta.differences.push(difference);
            }
        }
    }

    /// Whether an account that is given up would be in the way of the next run.
    fn lost(&self, account: &LiveAccount) -> Option<Obstacle> {
        let setting = self.setting(&account.scope)?;
        if setting.excepts(&account.name) {
            return None;
        }
        let what = match setting.action {
            UnmanagedAction::Report => return None,
            UnmanagedAction::Fail => "refuse every plan",
            UnmanagedAction::Delete => "delete it",
        };
        Some(Obstacle::UnclearRemoval {
            account: account.mrn.clone(),
            why: format!(
                "a removed block gives it up, and then the unmanaged block of its scope would \
                 {what}"
            ),
        })
    }

    /// An account that no stack has marked and no import names. Tells whether it is left alone.
    pub(super) fn unmanaged(&self, account: &LiveAccount, delta: &mut Delta) -> bool {
        let Some(setting) = self.setting(&account.scope) else {
            return true;
        };
        if self.desired.meant.destroy
            || setting.action == UnmanagedAction::Report
            || self.live.facts.caller.owns(&account.mrn)
            // Who plans and who applies may be two, and both plans are to be the same.
            || self.desired.trusted_creators.iter().any(|t| t == account.mrn.as_str())
            || self.live.behind(account.mrn.as_str()).is_some_and(|binding| {
                self.desired.trusted_creators.iter().any(|t| t == binding)
            })
            || setting.excepts(&account.name)
        {
            return true;
        }
        // A declared account wants the name; whether this is it, a person has to say first.
        let name = (&account.scope, composed(&account.name));
        if self.wanted().contains(&name) {
            return true;
        }
        // Whose it is, some mark may tell; such are refused, and never deleted.
        // Marks that are void, too: somebody else than who gave it up may have written that.
        if setting.action == UnmanagedAction::Delete && account.labels.has_our_keys() {
            return true;
        }
        let address = Address::new(account.mrn.id(), None);
        match setting.action {
            UnmanagedAction::Report => {}
            UnmanagedAction::Fail => delta.blocked.push(Blocked {
                address,
                scope: account.scope.clone(),
                block: Obstacle::Unmanaged {
                    account: account.mrn.clone(),
                    name: account.name.clone(),
                },
                declared_at: Some(setting.declared_at.clone()),
            }),
            UnmanagedAction::Delete => {
                delta.differences.push(Difference {
                    address,
                    generation: 1,
                    action: Action::Delete,
                    reason: Reason::Unmanaged,
                    scope: account.scope.clone(),
                    account: Some(account.mrn.clone()),
                    before: Some(account.state()),
                    after: None,
                    marks: None,
                    moved_from: None,
                    deliver_to: Vec::new(),
                    key_from: None,
                    leaves: Vec::new(),
                    predecessors: Vec::new(),
                    places: vec![setting.declared_at.clone()],
                });
                return false;
            }
        }
        true
    }

    /// What is to become of unmanaged accounts of a scope: what its own block says, else, for a
    /// space, what its organization's says.
    fn setting(&self, scope: &Scope) -> Option<&Unmanaged> {
        let settings = &self.desired.unmanaged;
        if settings.is_empty() {
            return None;
        }
        settings.get(scope).or_else(|| {
            let found = self.live.scopes.get(scope);
            let told = found.and_then(|info| info.organization.clone());
            let organization = told.or_else(|| {
                let mut spaces = self.desired.spaces.values();
                let declared = spaces.find(|s| Scope::Space(s.id.clone()) == *scope)?;
                declared.organization.clone()
            })?;
            settings.get(&Scope::Organization(organization))
        })
    }

    /// Scopes that are to have no account without an owner, and could not be read: nobody can tell.
    pub(super) fn unread(&self, delta: &mut Delta) {
        for (scope, unread) in &self.live.unread {
            let setting = self.setting(scope);
            let Some(setting) = setting.filter(|s| s.action == UnmanagedAction::Fail) else {
                continue;
            };
            if self.desired.meant.destroy {
                continue;
            }
            delta.blocked.push(Blocked {
                address: Address::new(scope.id(), None),
                scope: scope.clone(),
                block: Obstacle::Unread {
                    why: unread.why.clone(),
                },
                declared_at: Some(setting.declared_at.clone()),
            });
        }
    }

    fn declares(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Organization(id) => self.desired.organizations.values().any(|o| o.id == *id),
            Scope::Space(id) => self.desired.spaces.values().any(|s| s.id == *id),
        }
    }
}
