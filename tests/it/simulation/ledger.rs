//! What holds at every instant of a story of births, rotations, revocations and ends, however its runs go.
//! Decides by what the platform and the destinations truly hold, never by what the product read.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use rolecall::apply::{ChangeOutcome, ChangeResult, Outcome};
use rolecall::model::{Address, Desired, DesiredAccount, Destination, Mrn};
use rolecall::plan::{Action, Change};
use rolecall_server::EmptyRoles;

use super::laws::{Laws, ensure, least, short};
use super::platform::{Platform, Seen, place};

/// How many generations of one account are live at most.
pub const MOST_LIVE: usize = 3;

type Accounts = BTreeMap<String, Seen>;

pub struct Ledger {
    /// Whether the platform gives a role to what has none.
    gives_viewer: bool,
    /// All configurations so far; the one in force is the last.
    versions: RefCell<Vec<Desired>>,
    /// Places that somebody relies on: whose key, and since which configuration.
    relied: RefCell<BTreeMap<Destination, (Address, usize)>>,
    /// Accounts whose power was found to be in order.
    powerful: RefCell<BTreeSet<String>>,
    /// Accounts that were revoked, as a run told.
    revoked: RefCell<BTreeSet<String>>,
    /// Addresses of which somebody asked to take the power.
    revoking: RefCell<BTreeSet<Address>>,
    /// Whether two runs are at work.
    pub together: Cell<bool>,
}

pub fn generation(account: &Seen) -> u32 {
    let mark = account.labels.get("rolecall-mark");
    let number = mark.and_then(|mark| mark.split('.').find_map(|part| part.strip_prefix('g')));
    number.and_then(|n| n.parse().ok()).unwrap_or(1)
}

pub fn is_pending(account: &Seen) -> bool {
    let mark = account.labels.get("rolecall-credential");
    mark.is_some_and(|mark| mark.starts_with("pending."))
}

impl Ledger {
    pub fn new(empty_roles: EmptyRoles, desired: Desired) -> Self {
        Self {
            gives_viewer: empty_roles == EmptyRoles::DefaultViewer,
            versions: RefCell::new(vec![desired]),
            relied: RefCell::default(),
            powerful: RefCell::default(),
            revoked: RefCell::default(),
            revoking: RefCell::default(),
            together: Cell::new(false),
        }
    }

    /// Another configuration is in force. Nobody relies any more on what it does not declare.
    pub fn declare(&self, desired: Desired) {
        self.relied.borrow_mut().retain(|to, (address, _)| {
            let account = desired.accounts.get(address);
            account.is_some_and(|account| account.deliver_to.iter().any(|one| place(one) == *to))
        });
        self.versions.borrow_mut().push(desired);
    }

    /// The configuration in force.
    pub fn desired(&self) -> Desired {
        let versions = self.versions.borrow();
        versions.last().cloned().expect("there is always one")
    }

    /// Somebody takes the power of an address: its keys may open nothing from now on.
    pub fn revoke(&self, address: &Address) {
        self.revoking.borrow_mut().insert(address.clone());
    }

    /// New keys were made for what was revoked.
    pub fn renewed(&self) {
        self.revoking.borrow_mut().clear();
    }

    /// The places of an address in all configurations that the one in force does not name.
    pub fn elsewhere(&self, label: &str) -> Vec<Destination> {
        let versions = self.versions.borrow();
        let of = |desired: &Desired| {
            let mut all = desired.accounts.values();
            let found = all.find(|account| account.address.label().as_str() == label);
            found.map(|account| account.deliver_to.clone())
        };
        let now = versions.last().and_then(of);
        let known = |to: &Destination| {
            let mut now = now.iter().flatten();
            now.any(|one| place(one) == place(to))
        };
        let mut seen = BTreeSet::new();
        let all = versions.iter().rev().filter_map(of).flatten();
        all.filter(|to| !known(to) && seen.insert(place(to)))
            .collect()
    }

    /// All that was ever declared at an address, by its label.
    fn declared(&self, label: &str) -> Vec<DesiredAccount> {
        let versions = self.versions.borrow();
        let all = versions
            .iter()
            .flat_map(|desired| desired.accounts.values());
        all.filter(|account| account.address.label().as_str() == label)
            .cloned()
            .collect()
    }

    /// The roles that every configuration since the one of this number gives an address.
    fn common(&self, address: &Address, since: usize) -> BTreeSet<String> {
        let versions = self.versions.borrow();
        let all = versions
            .iter()
            .skip(since)
            .filter_map(|desired| desired.accounts.get(address));
        let mut common: Option<BTreeSet<String>> = None;
        for account in all {
            let roles = short(&account.roles);
            common = Some(match common {
                None => roles,
                Some(common) => common.intersection(&roles).cloned().collect(),
            });
        }
        common.unwrap_or_default()
    }

    /// From now on somebody relies on every place that holds a good key, and of which the marks say so.
    pub fn rely(&self, platform: &Platform) {
        let all = platform.look();
        let versions = self.versions.borrow();
        let Some(desired) = versions.last() else {
            return;
        };
        let mut relied = self.relied.borrow_mut();
        for (address, wanted) in &desired.accounts {
            let revoking = self.revoking.borrow().contains(address);
            for to in &wanted.deliver_to {
                let holder = platform.holder(to);
                let account = holder.and_then(|mrn| all.get(mrn.as_str()).cloned());
                let mark = format!("rolecall-to-{}", to.id());
                let good = account.is_some_and(|account| {
                    account.roles == short(&wanted.roles) && account.labels.contains_key(&mark)
                });
                if good && !revoking {
                    relied.insert(place(to), (address.clone(), versions.len() - 1));
                }
            }
        }
    }

    /// The places that somebody relies on.
    pub fn relied(&self) -> Vec<Destination> {
        let (relied, revoking) = (self.relied.borrow(), self.revoking.borrow());
        let all = relied.iter();
        all.filter(|(_, (address, _))| !revoking.contains(address))
            .map(|(to, _)| to.clone())
            .collect()
    }

    /// Holds at every instant.
    pub fn step(&self, platform: &Platform) -> Result<(), String> {
        let all = platform.look();
        let mut live: BTreeMap<String, usize> = BTreeMap::new();
        for account in Laws::ours(platform)? {
            let Some(label) = account.labels.get("rolecall-address") else {
                return Err(format!("an account without marks: {account:?}"));
            };
            *live.entry(label.clone()).or_default() += 1;
            self.power(platform, label, &account)?;
            let taken = self.revoked.borrow().contains(&account.mrn);
            ensure(
                !taken || account.roles.is_empty() || self.together.get(),
                || format!("what was revoked has power: {account:?}"),
            )?;
        }
        let most = MOST_LIVE + platform.surplus() + usize::from(self.together.get());
        for (label, n) in live {
            ensure(n <= most, || format!("{n} accounts of {label} are live"))?;
        }
        for (to, (address, since)) in self.relied.borrow().iter() {
            if self.revoking.borrow().contains(address) {
                continue;
            }
            let Some(holder) = platform.holder(to) else {
                return Err(format!("{to} holds no key any more"));
            };
            let Some(account) = all.get(holder.as_str()) else {
                return Err(format!("{to} holds the key of {holder}, which is gone"));
            };
            let common = self.common(address, *since);
            ensure(common.is_subset(&account.roles), || {
                format!("{to} holds a key without its roles {common:?}: {account:?}")
            })?;
        }
        Ok(())
    }

    /// No account has more power than it may have.
    fn power(&self, platform: &Platform, label: &str, account: &Seen) -> Result<(), String> {
        let declared = self.declared(label);
        ensure(!declared.is_empty(), || format!("nobody wants {account:?}"))?;
        let out = platform.is_out(&account.mrn);
        let by_itself =
            self.gives_viewer && !out && account.roles == BTreeSet::from(["viewer".to_owned()]);
        let mut wanted = declared.iter().map(|one| short(&one.roles));
        let little = account.roles.is_empty()
            || by_itself
            || wanted.any(|roles| account.roles == least(&roles));
        if little {
            return Ok(());
        }
        ensure(!is_pending(account), || {
            format!("power before the key is delivered: {account:?}")
        })?;
        let any: BTreeSet<String> = declared.iter().flat_map(|one| short(&one.roles)).collect();
        ensure(account.roles.is_subset(&any), || {
            format!("more power than anybody wants: {account:?}")
        })?;
        if self.powerful.borrow_mut().insert(account.mrn.clone()) && generation(account) == 1 {
            let has = |to: &Destination| {
                let holds = platform
                    .holder(to)
                    .is_some_and(|mrn| mrn.as_str() == account.mrn);
                holds || platform.is_liar(to)
            };
            let mut declared = declared.iter();
            ensure(declared.any(|one| one.deliver_to.iter().all(has)), || {
                format!("power before the key is everywhere: {account:?}")
            })?;
        }
        Ok(())
    }

    /// What a run told is true. `moved` says that others changed something meanwhile, or that something came
    /// late.
    pub fn outcome(
        &self,
        platform: &Platform,
        before: &Accounts,
        changes: &[Change],
        outcome: &Outcome,
        moved: bool,
    ) -> Result<(), String> {
        let after = platform.look();
        let told: Vec<_> = outcome
            .results
            .iter()
            .map(|o| (o.address.clone(), o.generation, o.action))
            .collect();
        let planned: Vec<_> = changes
            .iter()
            .map(|c| (c.address.clone(), c.generation, c.action))
            .collect();
        ensure(told == planned, || {
            format!("the outcome is not of the plan: {told:?}, {planned:?}")
        })?;
        if moved {
            return Ok(());
        }
        ensure(outcome.written || *after == *before, || {
            format!("something was written, but not told: {outcome:#?}")
        })?;
        for (change, told) in changes.iter().zip(&outcome.results) {
            self.truth(platform, before, &after, change, told)
                .map_err(|why| format!("{why}; told {told:#?}"))?;
        }
        Ok(())
    }

    fn truth(
        &self,
        platform: &Platform,
        before: &Accounts,
        after: &Accounts,
        change: &Change,
        told: &ChangeOutcome,
    ) -> Result<(), String> {
        let holders: Vec<(bool, Option<Mrn>)> = change
            .deliver_to
            .iter()
            .map(|to| (platform.is_liar(to), platform.holder(to)))
            .collect();
        let all_hold = |mrn: Option<&Mrn>| {
            mrn.is_some()
                && holders
                    .iter()
                    .all(|(liar, held)| *liar || held.as_ref() == mrn)
        };
        let live = |mrn: Option<&Mrn>| mrn.and_then(|mrn| after.get(mrn.as_str()));
        match (change.action, told.result) {
            (Action::Create | Action::Rotate, ChangeResult::Done) => {
                let wanted = change.after.as_ref().map(|after| short(&after.roles));
                let roles = live(told.account.as_ref()).map(|account| account.roles.clone());
                ensure(all_hold(told.account.as_ref()) && roles == wanted, || {
                    format!("it is not done: {holders:?}, {roles:?}")
                })
            }
            (Action::Create | Action::Rotate, ChangeResult::Undelivered) => {
                let old = |(_, held): &(bool, Option<Mrn>)| {
                    let held = held.as_ref();
                    held.is_none_or(|mrn| {
                        before.contains_key(mrn.as_str()) || live(Some(mrn)).is_none()
                    })
                };
                let address = change.address.label();
                let left = after.iter().find(|(mrn, account)| {
                    let label = account.labels.get("rolecall-address").map(String::as_str);
                    !before.contains_key(*mrn) && label == Some(address.as_str())
                });
                ensure(holders.iter().all(old) && left.is_none(), || {
                    format!("the account is not gone, or its key is out: {holders:?}, {left:?}")
                })
            }
            (Action::Rotate, _) => {
                let known = |(_, held): &(bool, Option<Mrn>)| {
                    let held = held.as_ref();
                    held.is_none_or(|mrn| before.contains_key(mrn.as_str()))
                };
                let unfinished = told.detail.contains("unfinished");
                ensure(unfinished || holders.iter().all(known), || {
                    format!("a new key is out, and that is not told: {holders:?}")
                })
            }
            (Action::Delete, ChangeResult::Done) => {
                ensure(live(change.account.as_ref()).is_none(), || {
                    "it is there".to_owned()
                })
            }
            (Action::UpdatePermissions, ChangeResult::Done) => {
                let wanted = change.after.as_ref().map(|after| short(&after.roles));
                let account = live(change.account.as_ref());
                if change.reason == rolecall::plan::Reason::Revoked {
                    self.revoked
                        .borrow_mut()
                        .extend(account.map(|account| account.mrn.clone()));
                }
                let roles = account.map(|account| account.roles.clone());
                // Where the account is gone, so is its power.
                ensure(roles.is_none() || roles == wanted, || {
                    format!("it is not done: {roles:?}")
                })
            }
            (Action::Redeliver, ChangeResult::Done) => {
                ensure(all_hold(change.account.as_ref()), || {
                    format!("it is not done: {holders:?}")
                })
            }
            _ => Ok(()),
        }
    }
}
