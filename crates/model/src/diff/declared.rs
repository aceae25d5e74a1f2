//! What to do about one declared account: the case analysis of the comparison.
//! Pure; the clock is the platform's, as it was read.

use super::account::{after_update, as_declared, powerless, roles_differ, spec_differs};
use super::cases::Cases;
use super::delta::{
    Action, Delta, Difference, Expired, InFlight, Leaving, Obstacle, Reason, Revoked,
};
use super::generations::{Generations, twins};
use super::keys::Keys;
use super::managed::Managed;
use super::pending::{Pending, pending};
use super::wanted::{born, places, reseal};
use crate::model::{
    AccountState, CredentialMark, Custody, DesiredAccount, LiveAccount, Marks, Mrn, Ours,
    SourceRef, VOID, same_name,
};

impl Cases<'_> {
    /// A declared account that is live, in one generation or several.
    pub(super) fn generations(
        &self,
        account: &DesiredAccount,
        group: &[&Managed<'_>],
        delta: &mut Delta,
    ) {
        if self.one_twin_less(account, &twins(group), delta) {
            return;
        }
        let Some(all) = Generations::of(group) else {
            let accounts = group.iter().map(|o| o.account.mrn.clone()).collect();
            self.block(account, Obstacle::Duplicate { accounts }, delta);
            return;
        };
        if self.unborn(account, &all, delta) {
            return;
        }
        self.present(account, &all, delta);
    }

    /// A declared account that is live under our marks.
    fn present(&self, account: &DesiredAccount, all: &Generations<'_>, delta: &mut Delta) {
        let Managed {
            account: present,
            known: Ours { marks, seal, at: _ },
        } = all.newest;
        // A later generation has taken the place of the one that was imported.
        if let Some(import) = &account.import
            && import.mrn != present.mrn
            && marks.generation == 1
        {
            let block = Obstacle::ImportMissing {
                account: import.mrn.clone(),
                why: format!("{} is {} already", account.address, present.mrn),
            };
            self.block(account, block, delta);
            return;
        }
        if let CredentialMark::Pending(birth) = &marks.credential {
            let protected = account.protected == Some(true);
            let now = self.live.facts.now;
            let dead = self.desired.meant.resume.contains(&birth.nonce);
            match pending(present, marks, birth, &account.roles, protected, dead, now) {
                Pending::Young(until) => delta.in_flight.push(InFlight {
                    address: account.address.clone(),
                    account: present.mrn.clone(),
                    until,
                    nonce: Some(birth.nonce.clone()),
                }),
                Pending::Dead => {
                    if let Some(block) = self.name_taken(account, Some(&present.mrn)) {
                        self.block(account, block, delta);
                        return;
                    }
                    let (action, reason) = (Action::Delete, Reason::CredentialPending);
                    delta.differences.push(Difference {
                        after: None,
                        ..self.difference(account, present, marks, action, reason)
                    });
                    self.create(account, Reason::CredentialPending, delta);
                }
                Pending::Strange(why) => {
                    let block = Obstacle::PendingWithPower {
                        account: present.mrn.clone(),
                        why,
                    };
                    self.block(account, block, delta);
                }
            }
            return;
        }
        if let Some(until) = marks.expires
            && until <= self.live.facts.now
        {
            delta.expired.push(Expired {
                address: account.address.clone(),
                account: present.mrn.clone(),
                scope: present.scope.clone(),
                until,
                declared_at: account.declared_at.clone(),
            });
        }
        let lacking = self.lacking(account, all);
        let finished = lacking.is_empty();
        let fixed = self.cannot_update(account, present, marks.expires, marks);
        let alone = self.desired.meant.renewal.alone;
        match (self.renewed(account, all, finished), fixed) {
            (None, None) => {}
            (None, Some(_)) if alone => {}
            // Nothing but a rotation that somebody asks for gives its power to a next one.
            (None, Some(_)) if present.labels.revoked() => {}
            // Who keeps its key has to take part; and what is not seen may be no scope at all, by a
            // mistyped id.
            (_, Some(block)) if account.deliver_to.is_empty() || self.unseen(account).is_some() => {
                self.block(account, block, delta);
                return;
            }
            (_, Some(_)) => return self.rotate(account, all, Reason::CannotUpdate, delta),
            (Some(reason), None) => return self.rotate(account, all, reason, delta),
        }
        self.told(account, all, lacking, delta);
        self.former(account, all, finished, delta);
        if alone {
            return;
        }
        let void: Vec<&str> = present.labels.void().collect();
        if !void.is_empty() {
            delta.notes.push((
                account.address.clone(),
                format!(
                    "the platform keeps every label that an account ever had; what was taken away is \
                     still there with the value {VOID}, and counts as absent: {}",
                    void.join(", ")
                ),
            ));
        }
        let stripped = self.revoked(account, present, marks, delta);
        let account = stripped.as_ref().unwrap_or(account);
        let Keys { leaves, redelivery } = match stripped {
            // Its key is to reach nobody any more.
            Some(_) => Keys::default(),
            None => self.keys(account, present, marks, delta),
        };
        if account.description.as_deref() == Some("")
            && let Some(shown) = &present.description
            && marks.described.excuses(shown)
        {
            delta.notes.push((
                account.address.clone(),
                format!(
                    "its description was cleared, and the platform shows {shown:?} all the same"
                ),
            ));
        }
        let before = delta.differences.len() + delta.blocked.len();
        let moved = self.moved(account, present, marks, delta);
        if let Some((from, to)) = redelivery {
            let (action, reason) = (Action::Redeliver, Reason::DeliverTo);
            delta.differences.push(Difference {
                deliver_to: to,
                key_from: Some(from),
                predecessors: all.predecessors(),
                ..self.difference(account, present, marks, action, reason)
            });
        }
        // A move writes all marks anew.
        let reseal = reseal(seal).filter(|_| !moved);
        if reseal.is_some() || !leaves.is_empty() || !as_declared(account, present, marks) {
            self.change(account, present, marks, reseal, leaves, delta);
        }
        if delta.differences.len() + delta.blocked.len() == before {
            delta.unchanged += 1;
        }
    }

    /// What is wanted of an account whose power was taken back, which is told; `None` if it was not.
    fn revoked(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        delta: &mut Delta,
    ) -> Option<DesiredAccount> {
        if !present.labels.revoked() {
            return None;
        }
        delta.revoked.push(Revoked {
            address: account.address.clone(),
            account: present.mrn.clone(),
            scope: present.scope.clone(),
            generation: marks.generation,
            sealed: marks.revoked && self.inventory.verified(),
            declared_at: account.declared_at.clone(),
        });
        Some(powerless(account))
    }

    /// Differences in name, description, labels and roles; `reseal` is why the seal is to be
    /// written again even if nothing else differs, and `leaves` are the places that the key leaves.
    fn change(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        reseal: Option<Reason>,
        leaves: Vec<Leaving>,
        delta: &mut Delta,
    ) {
        let before = present.state();
        let mut after = after_update(account, before.clone());
        let kept = account.description.as_deref() == Some("")
            && marks.described.fits("", before.description.as_deref());
        if kept {
            after.description.clone_from(&before.description);
        }
        let spec = spec_differs(&before, &after);
        if !same_name(&account.name, &present.name) {
            if let Some(block) = self.name_taken(account, Some(&present.mrn)) {
                self.block(account, block, delta);
                return;
            }
            self.warn_of_look_alike(account, delta);
        }
        let base = Difference {
            after: Some(AccountState {
                roles: before.roles.clone(),
                ..after.clone()
            }),
            ..self.difference(account, present, marks, Action::Update, Reason::Differs)
        };
        if roles_differ(account, present) {
            let mut places: Vec<SourceRef> = account
                .roles
                .difference(&present.roles)
                .filter_map(|role| account.role_places.get(role).cloned())
                .collect();
            places.push(account.declared_at.clone());
            places.sort();
            places.dedup();
            delta.differences.push(Difference {
                action: Action::UpdatePermissions,
                reason: match present.labels.revoked() {
                    true => Reason::Revoked,
                    false => Reason::Differs,
                },
                after: Some(AccountState {
                    roles: account.roles.clone(),
                    ..before
                }),
                places,
                ..base.clone()
            });
        }
        let reason = match (spec, reseal) {
            (true, _) => Reason::Differs,
            (false, Some(reason)) => reason,
            (false, None) if !leaves.is_empty() => Reason::DeliverTo,
            (false, None) => return,
        };
        delta.differences.push(Difference {
            reason,
            leaves,
            ..base
        });
    }

    /// A declared account that an `import` block names and that is not yet ours.
    pub(super) fn import(&self, account: &DesiredAccount, mrn: &Mrn, delta: &mut Delta) {
        match self.importable(account, mrn) {
            Ok((present, reason)) => self.adopt(account, present, reason, delta),
            Err(block) => self.block(account, block, delta),
        }
    }

    /// The account that an `import` block names, and why it may be taken into custody.
    fn importable(
        &self,
        account: &DesiredAccount,
        mrn: &Mrn,
    ) -> Result<(&LiveAccount, Reason), Obstacle> {
        let missing = |why: String| Obstacle::ImportMissing {
            account: mrn.clone(),
            why,
        };
        let Some(present) = self.live.accounts.get(mrn) else {
            let unread = mrn.account_scope().and_then(|s| self.live.unread.get(&s));
            return Err(match unread {
                Some(unread) => Obstacle::Unread {
                    why: unread.why.clone(),
                },
                None => missing("the platform has no such service account".to_owned()),
            });
        };
        if present.scope != account.scope {
            let why = format!("it lives in {}, not in {}", present.scope, account.scope);
            return Err(missing(why));
        }
        match self.inventory.of(mrn) {
            Custody::Foreign(stack) if self.desired.meant.take_over.contains(stack) => {
                Ok((present, Reason::TakenOver))
            }
            Custody::Foreign(stack) => Err(Obstacle::Foreign {
                account: mrn.clone(),
                stack: stack.clone(),
            }),
            Custody::Ours(ours) => {
                let other = ours.marks.address.decode().map_or_else(
                    || ours.marks.address.as_str().to_owned(),
                    |address| address.to_string(),
                );
                Err(missing(format!("it is managed as {other}")))
            }
            // Whatever a later version says of it would be lost.
            Custody::Later { needs, claim: _ } => Err(Obstacle::Later {
                account: mrn.clone(),
                needs: needs.clone(),
            }),
            Custody::Disputed { .. } | Custody::OtherKey { .. } | Custody::Unmanaged => {
                Ok((present, Reason::ImportRequested))
            }
        }
    }

    /// A live account that is to be taken into custody.
    fn adopt(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        reason: Reason,
        delta: &mut Delta,
    ) {
        let before = present.state();
        let marks = Marks::external(
            self.desired.stack.clone(),
            account.address.label(),
            before.protected,
        );
        if let Some(block) = self.cannot_update(account, present, None, &marks) {
            self.block(account, block, delta);
            return;
        }
        let named = account.import.iter().map(|i| i.declared_at.clone());
        delta.differences.push(Difference {
            // Marks that were not proven say nothing of the account's end.
            after: Some(AccountState {
                valid_until: None,
                ..before
            }),
            marks: present.marks().cloned(),
            places: named.chain([account.declared_at.clone()]).collect(),
            ..self.difference(account, present, &marks, Action::Adopt, reason)
        });
        // Whatever its marks were worth: what was taken back is not given again by taking it over.
        let stripped = self.revoked(account, present, &marks, delta);
        let account = stripped.as_ref().unwrap_or(account);
        self.change(account, present, &marks, None, Vec::new(), delta);
    }

    /// A declared account that is not live.
    pub(super) fn absent(&self, account: &DesiredAccount, delta: &mut Delta) {
        if let Some(block) = self.unseen(account) {
            self.block(account, block, delta);
        } else if let Some(block) = self.name_taken(account, None) {
            self.block(account, block, delta);
        } else {
            self.warn_of_look_alike(account, delta);
            self.create(account, Reason::Declared, delta);
        }
    }

    fn warn_of_look_alike(&self, account: &DesiredAccount, delta: &mut Delta) {
        let told = self.look_alike(account);
        delta
            .notes
            .extend(told.map(|told| (account.address.clone(), told)));
    }

    fn create(&self, account: &DesiredAccount, reason: Reason, delta: &mut Delta) {
        if let Some(block) = self.over(account) {
            self.block(account, block, delta);
            return;
        }
        delta.differences.push(Difference {
            address: account.address.clone(),
            generation: 1,
            action: Action::Create,
            reason,
            scope: account.scope.clone(),
            account: None,
            before: None,
            after: Some(born(account)),
            marks: None,
            moved_from: None,
            deliver_to: account.deliver_to.clone(),
            key_from: None,
            leaves: Vec::new(),
            predecessors: Vec::new(),
            places: places(account),
        });
    }

    /// What differs and cannot be changed on a live account.
    fn cannot_update(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        expires: Option<jiff::Timestamp>,
        marks: &Marks,
    ) -> Option<Obstacle> {
        let cannot = |attribute: &str, live: String, wanted: String| {
            Some(Obstacle::CannotUpdate {
                account: present.mrn.clone(),
                attribute: attribute.to_owned(),
                live,
                wanted,
            })
        };
        if present.scope != account.scope {
            return cannot(
                "scope",
                present.scope.to_string(),
                account.scope.to_string(),
            );
        }
        // An imported account's expiry is not told by the platform; only a wish for one differs.
        let external = marks.credential == CredentialMark::External;
        if account.valid_until != expires && !(external && account.valid_until.is_none()) {
            let show = |t: Option<jiff::Timestamp>| t.map_or("none".to_owned(), |t| t.to_string());
            let live = if external {
                "unknown".to_owned()
            } else {
                show(expires)
            };
            return cannot("valid_until", live, show(account.valid_until));
        }
        None
    }
}
