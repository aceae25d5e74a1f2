//! Compares what is desired with what is live.
//! Pure and total: no clock but the platform's time in the facts, no order but the sorted one.

mod account;
mod custody;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::{
    AccountState, Address, AddressLabel, CredentialMark, Desired, DesiredAccount, Destination,
    Live, LiveAccount, Marks, Mrn, Scope, SourceRef, StackId, birth_roles_only,
};

use account::{after_update, roles_differ, spec_differs};
pub use custody::{Custody, Judge};

/// How long an account may be pending before another run takes its birth for dead.
pub const PENDING_LEASE: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// What can be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Take a live account into custody.
    Adopt,
    /// Create an account and deliver its key.
    Create,
    /// Change name, description or labels.
    Update,
    /// Change the roles.
    UpdatePermissions,
    /// Delete the account.
    Delete,
}

/// Why something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Declared, and not on the platform.
    Declared,
    /// On the platform under our marks, and not declared.
    Undeclared,
    /// As `Undeclared`, and its scope is not declared either.
    ScopeUndeclared,
    /// Live and configuration differ.
    Differs,
    /// An `import` block asks for it.
    ImportRequested,
    /// An earlier run died while the account was being born.
    CredentialPending,
}

/// One difference between desired and live, to be ordered into a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The account's name in the configuration.
    pub address: Address,
    /// Counts the credentials of one address.
    pub generation: u32,
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Where the account lives.
    pub scope: Scope,
    /// The live account; `None` for a create.
    pub account: Option<Mrn>,
    /// The state before; `None` for a create.
    pub before: Option<AccountState>,
    /// The state after; `None` for a delete.
    pub after: Option<AccountState>,
    /// The marks the account has before, if any.
    pub marks: Option<Marks>,
    /// Where the key goes, for a create.
    pub deliver_to: Vec<Destination>,
    /// Where it is declared: the account's block, the `import` block, or the role block that
    /// brought a gained role; nothing for what is no longer declared.
    pub places: Vec<SourceRef>,
}

/// Why a declared or marked account is left alone and the whole plan cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Block {
    /// Our marks on an account whose creator is not trusted, or marks that were tampered with.
    Disputed {
        /// The account.
        account: Mrn,
        /// What speaks against it.
        why: String,
    },
    /// Several live accounts carry the same address.
    Duplicate {
        /// All of them.
        accounts: Vec<Mrn>,
    },
    /// The name is taken in the scope by an account that is not this one.
    NameTaken {
        /// Who has it.
        account: Mrn,
        /// The name.
        name: String,
        /// The address under which this configuration manages it, if it does.
        managed_as: Option<Address>,
    },
    /// The scope could not be read.
    Unread {
        /// Why.
        why: String,
    },
    /// The account to import is not there, or not where it is declared.
    ImportMissing {
        /// The account.
        account: Mrn,
        /// What is wrong.
        why: String,
    },
    /// The account belongs to another configuration.
    Foreign {
        /// The account.
        account: Mrn,
        /// The other configuration.
        stack: StackId,
    },
    /// What differs cannot be changed on a live account.
    CannotUpdate {
        /// The account.
        account: Mrn,
        /// Which attribute.
        attribute: &'static str,
        /// As it is.
        live: String,
        /// As it should be.
        wanted: String,
    },
    /// A pending account has more power, or more past, than a birth gives.
    PendingWithPower {
        /// The account.
        account: Mrn,
        /// What it has.
        why: String,
    },
}

/// A block and what it stands on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Blocked {
    /// The account's name in the configuration, as far as it is known.
    pub address: Address,
    /// Where the account lives or should live.
    pub scope: Scope,
    /// What stands in the way.
    pub block: Block,
    /// Where it is declared, if it is.
    #[serde(skip)]
    pub declared_at: Option<SourceRef>,
}

/// An account that another run is giving birth to right now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InFlight {
    /// The account's name in the configuration.
    pub address: Address,
    /// The account.
    pub account: Mrn,
    /// When its birth may be taken for dead.
    #[serde(skip)]
    pub until: jiff::Timestamp,
}

/// A live account that this configuration leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// The account.
    pub account: LiveAccount,
    /// Whose it is, if marks say so.
    pub stack: Option<StackId>,
}

/// All differences between desired and live, and what stands beside them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// What to do, sorted by address and action.
    pub differences: Vec<Difference>,
    /// What stands in the way.
    pub blocked: Vec<Blocked>,
    /// Births under way elsewhere.
    pub in_flight: Vec<InFlight>,
    /// Accounts without our marks, or of another configuration.
    pub left_alone: Vec<LeftAlone>,
    /// Sentences worth telling that change nothing, with the address they are about.
    pub notes: Vec<(Address, String)>,
    /// How many live accounts are ours.
    pub managed: usize,
    /// How many declared accounts are there unchanged.
    pub unchanged: usize,
}

/// Compares. Every live account and every declared one ends in exactly one part of the result or
/// is counted as unchanged.
pub fn diff(desired: &Desired, live: &Live) -> Delta {
    let mut delta = Delta::default();
    let judge = Judge::new(desired, &live.facts.caller.mrn);
    let mut names: BTreeMap<(&Scope, &str), Vec<&LiveAccount>> = BTreeMap::new();
    let mut ours: BTreeMap<_, Vec<(&LiveAccount, Marks)>> = BTreeMap::new();
    let mut disputed: BTreeMap<&Mrn, String> = BTreeMap::new();
    for account in live.accounts.values() {
        names
            .entry((&account.scope, &account.name))
            .or_default()
            .push(account);
        match judge.custody(account) {
            Custody::Ours(marks) => {
                delta.managed += 1;
                ours.entry(marks.address.clone())
                    .or_default()
                    .push((account, marks));
            }
            Custody::Disputed(why) => {
                disputed.insert(&account.mrn, why);
            }
            Custody::Foreign(stack) => delta.left_alone.push(LeftAlone {
                account: account.clone(),
                stack: Some(stack),
            }),
            Custody::Unmanaged => {
                if !judge.imports(&account.mrn) {
                    delta.left_alone.push(LeftAlone {
                        account: account.clone(),
                        stack: None,
                    });
                }
            }
        }
    }

    let mut seen = BTreeSet::new();
    let cases = Cases {
        desired,
        live,
        ours: &ours,
        judge,
        names,
    };
    for account in desired.accounts.values() {
        let label = account.address.label();
        seen.insert(label.clone());
        match ours.get(&label).map(Vec::as_slice) {
            Some([(present, marks)]) => cases.present(account, present, marks, &mut delta),
            Some(several @ [_, _, ..]) => {
                let accounts = several.iter().map(|(a, _)| a.mrn.clone()).collect();
                cases.block(account, Block::Duplicate { accounts }, &mut delta);
            }
            Some([]) | None => match &account.import {
                Some(import) => {
                    if cases.import(account, &import.mrn, &mut delta) {
                        disputed.remove(&import.mrn);
                    }
                }
                None => cases.absent(account, &mut delta),
            },
        }
    }
    for (label, accounts) in &ours {
        if !seen.contains(label) {
            for (account, marks) in accounts {
                cases.undeclared(account, marks, &mut delta);
            }
        }
    }
    for (mrn, why) in disputed {
        let account = &live.accounts[mrn];
        delta.blocked.push(Blocked {
            address: address_of(account),
            scope: account.scope.clone(),
            block: Block::Disputed {
                account: mrn.clone(),
                why,
            },
            declared_at: None,
        });
    }
    delta.differences.sort_by(|a, b| {
        (&a.address, a.action, &a.account).cmp(&(&b.address, b.action, &b.account))
    });
    delta.blocked.sort();
    delta.in_flight.sort();
    delta.notes.sort();
    delta
}

/// The address that an account's label names, or one made of the label where that is a hash.
fn address_of(account: &LiveAccount) -> Address {
    let label = account
        .labels
        .get("rolecall-address")
        .map_or_else(|| account.mrn.id().to_owned(), Clone::clone);
    AddressLabel::from_label(label.clone())
        .decode()
        .unwrap_or_else(|| Address::new(label, None))
}

struct Cases<'a> {
    desired: &'a Desired,
    live: &'a Live,
    ours: &'a BTreeMap<AddressLabel, Vec<(&'a LiveAccount, Marks)>>,
    judge: Judge<'a>,
    names: BTreeMap<(&'a Scope, &'a str), Vec<&'a LiveAccount>>,
}

impl Cases<'_> {
    fn block(&self, account: &DesiredAccount, block: Block, delta: &mut Delta) {
        delta.blocked.push(Blocked {
            address: account.address.clone(),
            scope: account.scope.clone(),
            block,
            declared_at: Some(account.declared_at.clone()),
        });
    }

    /// A declared account that is live under our marks.
    fn present(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        delta: &mut Delta,
    ) {
        if let CredentialMark::Pending(_) = marks.credential {
            match pending(present, account, self.live.facts.now) {
                Pending::Young(until) => delta.in_flight.push(InFlight {
                    address: account.address.clone(),
                    account: present.mrn.clone(),
                    until,
                }),
                Pending::Dead => {
                    delta.differences.push(Difference {
                        address: account.address.clone(),
                        generation: marks.generation,
                        action: Action::Delete,
                        reason: Reason::CredentialPending,
                        scope: present.scope.clone(),
                        account: Some(present.mrn.clone()),
                        before: Some(present.state()),
                        after: None,
                        marks: Some(marks.clone()),
                        deliver_to: Vec::new(),
                        places: vec![account.declared_at.clone()],
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
                "its key was delivered to other places than deliver_to now names; a key cannot be \
                 read again, so the change takes effect with the next key"
                    .to_owned(),
            ));
        }
        let before = delta.differences.len() + delta.blocked.len();
        self.change(account, present, marks, delta);
        if delta.differences.len() + delta.blocked.len() == before {
            delta.unchanged += 1;
        }
    }

    /// Differences in name, description, labels and roles.
    fn change(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        marks: &Marks,
        delta: &mut Delta,
    ) {
        let before = present.state();
        let after = after_update(account, present);
        let spec = spec_differs(&before, &after);
        if spec
            && account.name != present.name
            && let Some(block) = self.name_taken(account, Some(&present.mrn))
        {
            self.block(account, block, delta);
            return;
        }
        let base = Difference {
            address: account.address.clone(),
            generation: marks.generation,
            action: Action::Update,
            reason: Reason::Differs,
            scope: present.scope.clone(),
            account: Some(present.mrn.clone()),
            before: Some(before.clone()),
            after: Some(AccountState {
                roles: before.roles.clone(),
                ..after.clone()
            }),
            marks: Some(marks.clone()),
            deliver_to: Vec::new(),
            places: vec![account.declared_at.clone()],
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
        if spec {
            delta.differences.push(base);
        }
    }

    /// A declared account that an `import` block names and that is not yet ours. Says whether
    /// the import settles what was disputed about the account.
    fn import(&self, account: &DesiredAccount, mrn: &Mrn, delta: &mut Delta) -> bool {
        let missing = |why: &str| Block::ImportMissing {
            account: mrn.clone(),
            why: why.to_owned(),
        };
        let Some(present) = self.live.accounts.get(mrn) else {
            let unread = mrn.account_scope().and_then(|s| self.live.unread.get(&s));
            let block = match unread {
                Some(unread) => Block::Unread {
                    why: unread.why.clone(),
                },
                None => missing("the platform has no such service account"),
            };
            self.block(account, block, delta);
            return false;
        };
        if present.scope != account.scope {
            let why = format!("it lives in {}, not in {}", present.scope, account.scope);
            self.block(account, missing(&why), delta);
            return false;
        }
        match self.judge.custody(present) {
            Custody::Foreign(stack) => {
                let block = Block::Foreign {
                    account: mrn.clone(),
                    stack,
                };
                self.block(account, block, delta);
                return false;
            }
            Custody::Ours(marks) => {
                let other = marks.address.decode().map_or_else(
                    || marks.address.as_str().to_owned(),
                    |address| address.to_string(),
                );
                self.block(
                    account,
                    missing(&format!("it is managed as {other}")),
                    delta,
                );
                return false;
            }
            Custody::Disputed(_) | Custody::Unmanaged => {}
        }
        let marks = Marks {
            stack: self.desired.stack.clone(),
            address: account.address.label(),
            generation: 1,
            credential: CredentialMark::External,
            expires: None,
        };
        if let Some(block) = self.cannot_update(account, present, None, &marks) {
            self.block(account, block, delta);
            return true;
        }
        let mut places: Vec<_> = account
            .import
            .iter()
            .map(|i| i.declared_at.clone())
            .collect();
        places.push(account.declared_at.clone());
        delta.differences.push(Difference {
            address: account.address.clone(),
            generation: 1,
            action: Action::Adopt,
            reason: Reason::ImportRequested,
            scope: present.scope.clone(),
            account: Some(present.mrn.clone()),
            before: Some(present.state()),
            after: Some(present.state()),
            marks: present.marks(),
            deliver_to: Vec::new(),
            places,
        });
        self.change(account, present, &marks, delta);
        true
    }

    /// A declared account that is not live.
    fn absent(&self, account: &DesiredAccount, delta: &mut Delta) {
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
            }),
            marks: None,
            deliver_to: account.deliver_to.clone(),
            places,
        });
    }

    /// An account of ours that is not declared.
    fn undeclared(&self, account: &LiveAccount, marks: &Marks, delta: &mut Delta) {
        let mut reason = if self.declares(&account.scope) {
            Reason::Undeclared
        } else {
            Reason::ScopeUndeclared
        };
        if let CredentialMark::Pending(_) = marks.credential {
            if let Some(until) = young(account, self.live.facts.now) {
                delta.in_flight.push(InFlight {
                    address: address_of(account),
                    account: account.mrn.clone(),
                    until,
                });
                return;
            }
            reason = Reason::CredentialPending;
        }
        delta.differences.push(Difference {
            address: address_of(account),
            generation: marks.generation,
            action: Action::Delete,
            reason,
            scope: account.scope.clone(),
            account: Some(account.mrn.clone()),
            before: Some(account.state()),
            after: None,
            marks: Some(marks.clone()),
            deliver_to: Vec::new(),
            places: Vec::new(),
        });
    }

    fn declares(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Organization(id) => self.desired.organizations.values().any(|o| o.id == *id),
            Scope::Space(id) => self.desired.spaces.values().any(|s| s.id == *id),
        }
    }

    /// What differs and cannot be changed on a live account.
    fn cannot_update(
        &self,
        account: &DesiredAccount,
        present: &LiveAccount,
        expires: Option<jiff::Timestamp>,
        marks: &Marks,
    ) -> Option<Block> {
        let cannot = |attribute, live: String, wanted: String| {
            Some(Block::CannotUpdate {
                account: present.mrn.clone(),
                attribute,
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
        let holder = self
            .names
            .get(&(&account.scope, account.name.as_str()))?
            .iter()
            .find(|other| Some(&other.mrn) != except)?;
        let managed_as = self
            .ours
            .values()
            .flatten()
            .find(|(ours, _)| ours.mrn == holder.mrn)
            .map(|(ours, _)| address_of(ours));
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
fn young(account: &LiveAccount, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
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
    if account.last_used.is_some() {
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

#[cfg(test)]
mod tests;
