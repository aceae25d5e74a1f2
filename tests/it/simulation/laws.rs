//! What must hold at every instant, of every outcome, and in the end.
//! Judges by what the platform and the destinations truly hold, never by what the product read.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::apply::{ChangeOutcome, ChangeResult, Outcome};
use rolecall::model::{CredentialMark, DesiredAccount};
use rolecall::plan::{Action, Change};
use rolecall::server::{EmptyRoles, LabelsOnCreate};

use super::case::Case;
use super::platform::{Platform, Seen};
use super::run::Report;
use super::world::Fault;

type Accounts = BTreeMap<String, Seen>;

pub struct Laws<'a> {
    case: &'a Case,
}

fn roles(account: &DesiredAccount) -> BTreeSet<String> {
    let short = account.roles.iter().map(|role| role.short().to_owned());
    short.collect()
}

/// The least of `viewer` and `agent`, the only roles that births are simulated with.
fn least(roles: &BTreeSet<String>) -> BTreeSet<String> {
    ["agent", "viewer"]
        .into_iter()
        .find(|role| roles.contains(*role))
        .map(str::to_owned)
        .into_iter()
        .collect()
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn mark(account: &Seen) -> &str {
    account
        .labels
        .get("rolecall-credential")
        .map_or("", String::as_str)
}

/// Whether the key is in every destination, and the account says so.
fn delivered(platform: &Platform, account: &Seen, wanted: &DesiredAccount) -> bool {
    let digest = CredentialMark::destinations_digest(&wanted.deliver_to);
    let Some(("delivered", rest)) = mark(account).split_once('.') else {
        return false;
    };
    let Some((fingerprint, destinations)) = rest.split_once('.') else {
        return false;
    };
    destinations == digest
        && wanted
            .deliver_to
            .iter()
            .all(|to| platform.holds(to, &account.mrn, fingerprint))
}

/// Whether the key is in every destination, whatever the account says.
fn reached(platform: &Platform, account: &Seen, wanted: &DesiredAccount) -> bool {
    let holds = |to| platform.holder(to).map(|mrn| mrn.to_string());
    wanted
        .deliver_to
        .iter()
        .all(|to| holds(to).as_deref() == Some(account.mrn.as_str()))
}

impl<'a> Laws<'a> {
    pub fn new(case: &'a Case) -> Self {
        Self { case }
    }

    /// The declared account of a name, as it is wanted now and as it was before.
    fn wanted(&self, name: &str) -> Vec<&'a DesiredAccount> {
        let all = self.case.before.iter().chain([&self.case.desired]);
        all.flat_map(|desired| desired.accounts.values())
            .filter(|account| account.name == name)
            .collect()
    }

    /// Accounts that are not bystanders, which are all as they were.
    fn ours(platform: &Platform) -> Result<Vec<Seen>, String> {
        let mut all = platform.look();
        for (mrn, before) in &platform.bystanders {
            let now = all.remove(mrn);
            ensure(now.as_ref() == Some(before), || {
                format!("somebody else's account was touched: {before:?} is {now:?}")
            })?;
        }
        Ok(all.into_values().collect())
    }

    /// Holds at every instant.
    pub fn step(&self, platform: &Platform) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for account in Self::ours(platform)? {
            let wanted = self.wanted(&account.name);
            let Some(last) = wanted.last() else {
                return Err(format!("nobody wants {account:?}"));
            };
            ensure(names.insert(account.name.clone()), || {
                format!("there are two accounts named {}", account.name)
            })?;
            if delivered(platform, &account, last) {
                let all: BTreeSet<String> = wanted.iter().flat_map(|w| roles(w)).collect();
                ensure(account.roles.is_subset(&all), || {
                    format!("more power than anybody wants: {account:?}")
                })?;
                continue;
            }
            let by_itself = self.case.quirks.empty_roles == EmptyRoles::DefaultViewer
                && !platform.is_out(&account.mrn)
                && account.roles == BTreeSet::from(["viewer".to_owned()]);
            ensure(
                account.roles.is_empty() || account.roles == least(&roles(last)) || by_itself,
                || format!("power before the key is delivered: {account:?}"),
            )?;
        }
        Ok(())
    }

    /// Whether some birth looks as if it were going on.
    pub fn in_flight(&self, platform: &Platform) -> bool {
        let all = platform.look();
        all.iter().any(|(mrn, account)| {
            !platform.bystanders.contains_key(mrn) && mark(account).starts_with("pending.")
        })
    }

    /// A run beside a birth that may go on.
    pub fn left_alone(&self, report: &Report) -> Result<(), String> {
        let (Some(plan), Some(outcome)) = (&report.plan, &report.outcome) else {
            return Err("a birth in flight refuses a plan".to_owned());
        };
        ensure(!plan.in_flight.is_empty() && !outcome.complete(), || {
            format!("the birth in flight is not told: {plan:#?}")
        })?;
        let busy = |change: &&Change| plan.in_flight.iter().any(|i| i.address == change.address);
        match plan.changes.iter().find(busy) {
            Some(change) => Err(format!("a birth in flight is disturbed: {change:#?}")),
            None => Ok(()),
        }
    }

    /// What the run told is true.
    pub fn outcome(
        &self,
        platform: &Platform,
        before: &Accounts,
        report: &Report,
    ) -> Result<(), String> {
        let after = platform.look();
        let Some(outcome) = &report.outcome else {
            return ensure(report.died || after == *before, || {
                "something was written without an approved plan".to_owned()
            });
        };
        let changes = report.plan.iter().flat_map(|plan| &plan.changes);
        let changes: Vec<&Change> = changes.collect();
        let told = |o: &ChangeOutcome| (o.address.clone(), o.generation, o.action);
        let planned: Vec<_> = changes
            .iter()
            .map(|c| (c.address.clone(), c.generation, c.action))
            .collect();
        let results: Vec<_> = outcome.results.iter().map(told).collect();
        ensure(results == planned, || {
            format!("the outcome is not of the plan: {results:?}, {planned:?}")
        })?;
        ensure(outcome.written || after == *before, || {
            format!("something was written, but not told: {outcome:#?}")
        })?;
        for (change, result) in changes.iter().zip(&outcome.results) {
            self.truth(platform, before, &after, change, result)
                .map_err(|why| format!("{why}; told {result:#?}\nby {outcome:#?}"))?;
        }
        Self::promises(&after, outcome)
    }

    fn truth(
        &self,
        platform: &Platform,
        before: &Accounts,
        after: &Accounts,
        change: &Change,
        told: &ChangeOutcome,
    ) -> Result<(), String> {
        let done = match told.result {
            ChangeResult::Done => true,
            ChangeResult::Unknown => return Ok(()),
            _ => false,
        };
        let mrn = change.account.as_ref().map_or("", |mrn| mrn.as_str());
        let (was, is) = (before.get(mrn), after.get(mrn));
        match (change.action, done) {
            (Action::Create, true) => {
                let wanted = self.case.desired.accounts.get(&change.address);
                let wanted = wanted.or_else(|| {
                    let before = self.case.before.as_ref()?;
                    before.accounts.get(&change.address)
                });
                let born = after.values().find(|a| Some(&a.name) == wanted.map(|w| &w.name));
                let (Some(wanted), Some(born)) = (wanted, born) else {
                    return Err("it was not created".to_owned());
                };
                ensure(
                    born.roles == roles(wanted)
                        && delivered(platform, born, wanted)
                        && told.account.as_ref().map(|mrn| mrn.as_str()) == Some(&born.mrn)
                        && told.delivered_to == wanted.deliver_to,
                    || format!("it is not done: {born:?}"),
                )
            }
            (Action::Create, false) => {
                let name = change.after.as_ref().map(|after| &after.name);
                let left = after.values().find(|a| Some(&a.name) == name);
                let Some(left) = left else { return Ok(()) };
                let untouched = !matches!(
                    told.result,
                    ChangeResult::Failed | ChangeResult::Undelivered
                );
                ensure(!untouched || before.get(&left.mrn) == Some(left), || {
                    format!("something was done: {left:?}")
                })?;
                ensure(told.result != ChangeResult::Undelivered, || {
                    format!("the account was not removed: {left:?}")
                })?;
                let wanted = self.wanted(&left.name);
                let safe = wanted.iter().all(|wanted| {
                    left.roles.is_disjoint(&roles(wanted)) || reached(platform, left, wanted)
                });
                ensure(safe, || format!("power without a key is left: {left:?}"))
            }
            (Action::Delete, true) => ensure(is.is_none(), || format!("it is there: {is:?}")),
            (_, true) => {
                let (Some(is), Some(wanted)) = (is, &change.after) else {
                    return Err("it is gone".to_owned());
                };
                let wanted: BTreeSet<String> =
                    wanted.roles.iter().map(|r| r.short().to_owned()).collect();
                ensure(
                    change.action != Action::UpdatePermissions || is.roles == wanted,
                    || format!("it is not done: {is:?}"),
                )
            }
            (action, false) => {
                let same = match (was, is) {
                    (Some(was), Some(is)) if action == Action::UpdatePermissions => {
                        was.roles == is.roles
                    }
                    (Some(was), Some(is)) if action == Action::Update => {
                        was.labels == is.labels && was.texts == is.texts
                    }
                    (was, is) => was.is_some() == is.is_some(),
                };
                ensure(same, || format!("something was done: {was:?} is {is:?}"))
            }
        }
    }

    /// No outcome says that a later run removes what no later run can recognise.
    fn promises(after: &Accounts, outcome: &Outcome) -> Result<(), String> {
        for told in &outcome.results {
            let lost = after.values().find(|account| {
                account.labels.is_empty() && told.detail.contains(&account.mrn)
            });
            ensure(
                lost.is_none() || !told.detail.contains("a later run removes"),
                || format!("a promise that nobody keeps: {}", told.detail),
            )?;
        }
        Ok(())
    }

    /// Holds when all is done: exactly what is wanted, each with a key that works.
    pub fn end(&self, platform: &Platform) -> Result<(), String> {
        self.step(platform)?;
        let ours = Self::ours(platform)?;
        let wanted = &self.case.desired.accounts;
        ensure(ours.len() == wanted.len(), || {
            format!("{} accounts are wanted, there are {ours:#?}", wanted.len())
        })?;
        for wanted in wanted.values() {
            let Some(account) = ours.iter().find(|account| account.name == wanted.name) else {
                return Err(format!("{} is missing", wanted.name));
            };
            ensure(
                account.roles == roles(wanted)
                    && account.scope == wanted.scope.mrn().as_str()
                    && delivered(platform, account, wanted),
                || format!("it is not as wanted: {account:#?}"),
            )?;
            for to in &wanted.deliver_to {
                let who = platform.authenticates(to);
                ensure(who.as_ref() == Ok(&account.mrn), || {
                    format!("the key in {to} stands for {who:?}, not for {}", account.mrn)
                })?;
            }
        }
        Ok(())
    }

    /// Holds where no birth can succeed: it is said clearly, no key went out, nothing is left. On
    /// a platform that drops labels, what a run could not remove in the end carries no mark: then
    /// the next plan stops at its name, so that there is never a second one.
    pub fn nothing_left(
        &self,
        platform: &Platform,
        first: &Report,
        second: &Report,
        why: &str,
    ) -> Result<(), String> {
        let ours = Self::ours(platform)?;
        for to in self.case.desired.accounts.values().flat_map(|a| &a.deliver_to) {
            ensure(platform.holder(to).is_none_or(|holder| {
                !ours.iter().any(|account| account.mrn == holder.as_str())
            }), || format!("a key of a live account went to {to}"))?;
        }
        if self.case.quirks.labels_on_create == LabelsOnCreate::Drop && !ours.is_empty() {
            let excuse = first.died
                || (first.struck == "create" && first.fault == Some(Fault::Lost))
                || first.struck == "delete";
            ensure(excuse && ours.len() == 1, || format!("left behind: {ours:#?}"))?;
            return ensure(second.outcome.is_none(), || {
                "the next run does not stop at what is left".to_owned()
            });
        }
        ensure(ours.is_empty(), || format!("left behind: {ours:#?}"))?;
        let outcome = second.outcome.as_ref().ok_or("the next run was refused")?;
        let clear = outcome.results.iter().all(|told| {
            told.result == ChangeResult::Failed && told.detail.contains(why)
        });
        ensure(clear && !outcome.results.is_empty(), || {
            format!("the outcome does not say why: {outcome:#?}")
        })
    }
}
