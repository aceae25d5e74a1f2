//! What to do about one account: the case analysis of the comparison.
//! Pure; the clock is the platform's, as it was read.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::account::{after_update, as_declared, roles_differ, spec_differs};
use super::custody::{Custody, Judge};
use super::delta::{Action, Block, Blocked, Delta, Difference, InFlight, Reason};
use super::{PENDING_LEASE, address_of};
use crate::model::{
    AccountState, AddressLabel, CredentialMark, Desired, DesiredAccount, Live, LiveAccount, Marks,
    Mrn, Scope, SealCheck, SourceRef, birth_roles_only, composed,
};

pub(super) struct Cases<'a> {
    pub(super) desired: &'a Desired,
    pub(super) live: &'a Live,
    pub(super) ours: &'a [Ours<'a>],
    pub(super) judge: Judge<'a>,
    /// Who has which name in which scope; made when it is first asked for.
    pub(super) names: OnceCell<Names<'a>>,
    /// The names that declared accounts want; made when they are first asked for.
    pub(super) wanted: OnceCell<BTreeSet<(&'a Scope, Cow<'a, str>)>>,
}

type Names<'a> = BTreeMap<(&'a Scope, Cow<'a, str>), Vec<&'a LiveAccount>>;

/// An account of ours.
pub(super) struct Ours<'a> {
    pub(super) account: &'a LiveAccount,
    pub(super) marks: Marks,
    pub(super) seal: SealCheck,
    /// The present address, where the marks hold an earlier one.
    pub(super) moved_to: Option<AddressLabel>,
}

impl Ours<'_> {
    /// The address that the account has now.
    pub(super) fn address(&self) -> &AddressLabel {
        self.moved_to.as_ref().unwrap_or(&self.marks.address)
    }
}

impl Cases<'_> {
    pub(super) fn block(&self, account: &DesiredAccount, block: Block, delta: &mut Delta) {
        delta.blocked.push(Blocked {
            address: account.address.clone(),
            scope: account.scope.clone(),
            block,
            declared_at: Some(account.declared_at.clone()),
        });
    }

    /// A declared account that is live under our marks.
    pub(super) fn present(&self, account: &DesiredAccount, found: &Ours<'_>, delta: &mut Delta) {
        let Ours {
            account: present,
            marks,
            seal,
            moved_to: _,
        } = found;
        if let Some(import) = &account.import
            && import.mrn != present.mrn
        {
            let block = Block::ImportMissing {
                account: import.mrn.clone(),
                why: format!("{} is {} already", account.address, present.mrn),
            };
            self.block(account, block, delta);
            return;
        }
        if let CredentialMark::Pending(_) = marks.credential {
            match pending(present, account, self.live.facts.now) {
                Pending::Young(until) => delta.in_flight.push(InFlight {
                    address: account.address.clone(),
                    account: present.mrn.clone(),
                    until,
                }),
                Pending::Dead => {
                    let (action, reason) = (Action::Delete, Reason::CredentialPending);
                    delta.differences.push(Difference {
                        after: None,
                        ..self.difference(account, present, marks, action, reason)
                    });
                    self.create(account, Reason::CredentialPending, delta);
                }
                Pending::Strange(why) => {
                    let block = Block::PendingWithPower {
                        account: present.mrn.clone(),
                        why,
                    };
                    self.block(account, block, delta);
                }
            }
            return;
        }
        if let Some(block) = self.cannot_update(account, present, marks.expires, marks) {
            self.block(account, block, delta);
            return;
        }
        if let CredentialMark::Delivered { destinations, .. } = &marks.credential
            && *destinations != CredentialMark::destinations_digest(&account.deliver_to)
        {
            delta.notes.push((
                account.address.clone(),
                "its key was delivered to other places than deliver_to now names, and a key cannot be \
                 read again; for one in the new places declare the account anew under another name, \
                 move its users, and remove this one"
                    .to_owned(),
            ));
        }
        let before = delta.differences.len() + delta.blocked.len();
        let moved = self.moved(account, present, marks, delta);
        let reseal = match seal {
            // A move writes all marks anew.
            _ if moved => None,
            SealCheck::Missing => Some(Reason::Unsealed),
            SealCheck::Previous => Some(Reason::SealedBefore),
            SealCheck::Right | SealCheck::Wrong(_) | SealCheck::Unverified(_) => None,
        };
        if reseal.is_some() || !as_declared(account, present, marks) {
            self.change(account, present, marks, reseal, delta);
        }
        if delta.differences.len() + delta.blocked.len() == before {
            delta.unchanged += 1;
        }
    }

    /// An account that carries an address which it has no more. Tells whether it does.
    fn moved(
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

    /// A difference of a live account that changes nothing yet.
    fn difference(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        action: Action,
        reason: Reason,
    ) -> Difference {
        Difference {
            address: account.address.clone(),
            generation: marks.generation,
            action,
            reason,
            scope: present.scope.clone(),
            account: Some(present.mrn.clone()),
            before: Some(present.state()),
            after: Some(present.state()),
            marks: Some(marks.clone()),
            moved_from: None,
            deliver_to: Vec::new(),
            places: vec![account.declared_at.clone()],
        }
    }

    /// Differences in name, description, labels and roles; `reseal` is why the seal is to be
    /// written again even if nothing else differs.
    fn change(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        reseal: Option<Reason>,
        delta: &mut Delta,
    ) {
        let before = present.state();
        let after = after_update(account, before.clone());
        let spec = spec_differs(&before, &after);
        if account.name != present.name
            && let Some(block) = self.name_taken(account, Some(&present.mrn))
        {
            self.block(account, block, delta);
            return;
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
                after: Some(AccountState {
                    roles: account.roles.clone(),
                    ..before
                }),
                places,
                ..base.clone()
            });
        }
        match (spec, reseal) {
            (true, _) => delta.differences.push(base),
            (false, Some(reason)) => delta.differences.push(Difference { reason, ..base }),
            (false, None) => {}
        }
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
    ) -> Result<(&LiveAccount, Reason), Block> {
        let missing = |why: String| Block::ImportMissing {
            account: mrn.clone(),
            why,
        };
        let Some(present) = self.live.accounts.get(mrn) else {
            let unread = mrn.account_scope().and_then(|s| self.live.unread.get(&s));
            return Err(match unread {
                Some(unread) => Block::Unread {
                    why: unread.why.clone(),
                },
                None => missing("the platform has no such service account".to_owned()),
            });
        };
        if present.scope != account.scope {
            let why = format!("it lives in {}, not in {}", present.scope, account.scope);
            return Err(missing(why));
        }
        match self.judge.custody(present) {
            Custody::Foreign(stack) if self.desired.take_over.contains(&stack) => {
                Ok((present, Reason::TakenOver))
            }
            Custody::Foreign(stack) => Err(Block::Foreign {
                account: mrn.clone(),
                stack,
            }),
            Custody::Ours(marks, _) => {
                let other = marks.address.decode().map_or_else(
                    || marks.address.as_str().to_owned(),
                    |address| address.to_string(),
                );
                Err(missing(format!("it is managed as {other}")))
            }
            Custody::Disputed(_) | Custody::Unmanaged => Ok((present, Reason::ImportRequested)),
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
        let marks = Marks {
            stack: self.desired.stack.clone(),
            address: account.address.label(),
            generation: 1,
            credential: CredentialMark::External,
            expires: None,
            protected: before.protected,
            seal: None,
        };
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
            marks: present.marks(),
            places: named.chain([account.declared_at.clone()]).collect(),
            ..self.difference(account, present, &marks, Action::Adopt, reason)
        });
        self.change(account, present, &marks, None, delta);
    }

    /// A declared account that is not live.
    pub(super) fn absent(&self, account: &DesiredAccount, delta: &mut Delta) {
        if let Some(unread) = self.live.unread.get(&account.scope) {
            self.block(
                account,
                Block::Unread {
                    why: unread.why.clone(),
                },
                delta,
            );
        } else if !self.live.scopes.contains_key(&account.scope) {
            let why = "it was not read".to_owned();
            self.block(account, Block::Unread { why }, delta);
        } else if let Some(block) = self.name_taken(account, None) {
            self.block(account, block, delta);
        } else {
            self.create(account, Reason::Declared, delta);
        }
    }

    fn create(&self, account: &DesiredAccount, reason: Reason, delta: &mut Delta) {
        if let Some(until) = account.valid_until
            && until <= self.live.facts.now
        {
            self.block(account, Block::AlreadyOver { until }, delta);
            return;
        }
        let mut places: Vec<SourceRef> = account.role_places.values().cloned().collect();
        places.push(account.declared_at.clone());
        places.sort();
        places.dedup();
        delta.differences.push(Difference {
            address: account.address.clone(),
            generation: 1,
            action: Action::Create,
            reason,
            scope: account.scope.clone(),
            account: None,
            before: None,
            after: Some(AccountState {
                name: account.name.clone(),
                description: account.description.clone(),
                labels: account.labels.clone().unwrap_or_default(),
                roles: account.roles.clone(),
                valid_until: account.valid_until,
                protected: account.protected.unwrap_or(false),
            }),
            marks: None,
            moved_from: None,
            deliver_to: account.deliver_to.clone(),
            places,
        });
    }

    /// What differs and cannot be changed on a live account.
    fn cannot_update(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        expires: Option<jiff::Timestamp>,
        marks: &Marks,
    ) -> Option<Block> {
        let cannot = |attribute: &str, live: String, wanted: String| {
            Some(Block::CannotUpdate {
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

    /// Whether another account of the scope has the wanted name.
    fn name_taken(&self, account: &DesiredAccount, except: Option<&Mrn>) -> Option<Block> {
        let names = self.names.get_or_init(|| {
            let mut names = Names::new();
            for account in self.live.accounts.values() {
                let name = (&account.scope, composed(&account.name));
                names.entry(name).or_default().push(account);
            }
            names
        });
        let holder = names
            .get(&(&account.scope, composed(&account.name)))?
            .iter()
            .find(|other| Some(&other.mrn) != except)?;
        let managed_as = self
            .ours
            .iter()
            .find(|ours| ours.account.mrn == holder.mrn)
            .map(|ours| address_of(ours.account));
        Some(Block::NameTaken {
            account: holder.mrn.clone(),
            name: account.name.clone(),
            managed_as,
        })
    }
}

enum Pending {
    Young(jiff::Timestamp),
    Dead,
    Strange(String),
}

/// When the lease of a pending account ends, if it has not ended yet. Without a creation time
/// nobody can tell, and the account is left alone for a lease from now.
pub(super) fn young(account: &LiveAccount, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
    let end = account
        .created_at
        .unwrap_or(now)
        .saturating_add(PENDING_LEASE)
        .unwrap_or(now);
    (end > now).then_some(end)
}

fn pending(account: &LiveAccount, wanted: &DesiredAccount, now: jiff::Timestamp) -> Pending {
    if let Some(until) = young(account, now) {
        return Pending::Young(until);
    }
    // Without any role its key can do nothing, so nothing is lost with it even if it was tried.
    if account.last_used.is_some() && !account.roles.is_empty() {
        return Pending::Strange("its key has been used".to_owned());
    }
    if !birth_roles_only(&account.roles, &wanted.roles) {
        let roles: Vec<&str> = account
            .roles
            .iter()
            .map(crate::model::Role::short)
            .collect();
        return Pending::Strange(format!("it has roles: {}", roles.join(", ")));
    }
    Pending::Dead
}
