//! What must hold at every instant, of every outcome, and in the end.
//! Decides by what the platform and the destinations truly hold, never by what the product read.

use std::collections::{BTreeMap, BTreeSet};

use rolecall::apply::{ChangeOutcome, ChangeResult, Outcome};
use rolecall::model::{DesiredAccount, Destination, Mrn, OnDelete, RoleSet};
use rolecall::plan::{Action, Change, Leaving};
use rolecall_server::{EmptyRoles, LabelsOnCreate};

use super::case::Case;
use super::conduct::COMMIT;
use super::fault::Fault;
use super::platform::{Platform, Seen};
use super::run::{Report, Watch};

type Accounts = BTreeMap<String, Seen>;

pub struct Laws<'a> {
    case: &'a Case,
}

pub fn short(roles: &RoleSet) -> BTreeSet<String> {
    roles.iter().map(|role| role.short().to_owned()).collect()
}

fn roles(account: &DesiredAccount) -> BTreeSet<String> {
    short(&account.roles)
}

/// The least of `viewer` and `agent`, the only roles that births are simulated with.
pub fn least(roles: &BTreeSet<String>) -> BTreeSet<String> {
    ["agent", "viewer"]
        .into_iter()
        .find(|role| roles.contains(*role))
        .map(str::to_owned)
        .into_iter()
        .collect()
}

pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn mark(account: &Seen) -> &str {
    account
        .labels
        .get("rolecall-credential")
        .map_or("", String::as_str)
}

/// Whether the key is in every destination, and the account says so.
fn delivered(platform: &Platform, account: &Seen, to: &[Destination]) -> bool {
    let Some(("delivered", rest)) = mark(account).split_once('.') else {
        return false;
    };
    let Some((fingerprint, _)) = rest.split_once('.') else {
        return false;
    };
    let says = |to: &Destination| {
        let label = account.labels.get(&format!("rolecall-to-{}", to.id()));
        label.map(String::as_str) == Some("file.1.-")
    };
    to.iter().all(says)
        && to
            .iter()
            .all(|to| platform.holds(to, &account.mrn, fingerprint))
}

/// What every write of marks changes in them.
const WRITTEN: [&str; 2] = ["rolecall-seal", "rolecall-written"];
/// What a redelivery changes besides.
const PLACES: [&str; 1] = ["rolecall-to-"];

/// Takes over the marks whose keys begin so.
fn take_marks(
    labels: &mut BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    which: &[&str],
) {
    let ours = |key: &String| which.iter().any(|mark| key.starts_with(mark));
    labels.retain(|key, _| !ours(key));
    labels.extend(
        now.iter()
            .filter(|(key, _)| ours(key))
            .map(|(k, v)| (k.clone(), v.clone())),
    );
}

/// Whether the key of an account is out of all places from which a change removes it.
fn gone(platform: &Platform, change: &Change, mrn: &str) -> Result<(), String> {
    let removed = change.leaves.iter().filter(|leaving| leaving.removed);
    let mut places = removed.flat_map(|leaving| &leaving.place);
    let held = places.find(|to| platform.holder(to).is_some_and(|held| held.as_str() == mrn));
    ensure(held.is_none(), || format!("its key is still in {held:?}"))
}

/// Whether the key is in every destination, whatever the account says.
fn reached(platform: &Platform, account: &Seen, wanted: &DesiredAccount) -> bool {
    let holds = |to| platform.holder(to).map(|mrn| mrn.to_string());
    wanted
        .deliver_to
        .iter()
        .all(|to| holds(to).as_deref() == Some(account.mrn.as_str()))
}

impl Watch for Laws<'_> {
    fn step(&self, platform: &Platform) -> Result<(), String> {
        Laws::step(self, platform)
    }

    fn outcome(
        &self,
        platform: &Platform,
        before: &Accounts,
        report: &Report,
    ) -> Result<(), String> {
        Laws::outcome(self, platform, before, report)
    }
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
    pub fn ours(platform: &Platform) -> Result<Vec<Seen>, String> {
        let all = platform.look();
        for (mrn, before) in platform.bystanders.iter() {
            let now = all.get(mrn);
            ensure(now == Some(before), || {
                format!("somebody else's account was touched: {before:?} is {now:?}")
            })?;
        }
        let ours = all
            .values()
            .filter(|account| !platform.bystanders.contains_key(&account.mrn));
        Ok(ours.cloned().collect())
    }

    /// Whether the account has what the platform gives by itself, and its key is nowhere.
    fn by_itself(&self, platform: &Platform, account: &Seen) -> bool {
        self.case.quirks.empty_roles == EmptyRoles::DefaultViewer
            && !platform.is_out(&account.mrn)
            && account.roles == BTreeSet::from(["viewer".to_owned()])
    }

    /// Whether it could be neither managed nor removed: no more was possible than to name it.
    fn unremovable(&self, platform: &Platform, account: &Seen) -> bool {
        let wanted = self.wanted(&account.name);
        self.case.quirks.labels_on_create == LabelsOnCreate::Drop
            && (self.by_itself(platform, account)
                || wanted.iter().all(|w| account.roles == least(&roles(w))))
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
            self.names_commit(&account)?;
            let mut wants = wanted.iter();
            if wants.any(|wanted| delivered(platform, &account, &wanted.deliver_to)) {
                let all: BTreeSet<String> = wanted.iter().flat_map(|w| roles(w)).collect();
                ensure(account.roles.is_subset(&all), || {
                    format!("more power than anybody wants: {account:?}")
                })?;
                continue;
            }
            ensure(
                account.roles.is_empty()
                    || account.roles == least(&roles(last))
                    || self.by_itself(platform, &account),
                || format!("power before the key is delivered: {account:?}"),
            )?;
        }
        Ok(())
    }

    /// Roles that were not there before the runs are those of an account that names their commit, or an older
    /// checkout would take them away.
    fn names_commit(&self, account: &Seen) -> Result<(), String> {
        let before = self
            .case
            .before
            .iter()
            .flat_map(|before| before.accounts.values());
        let before = before.into_iter().find(|one| one.name == account.name);
        let had = before.map(roles).unwrap_or_default();
        let written = account.labels.get("rolecall-written");
        // A platform that keeps no labels cannot be managed, and the account goes.
        let named = written.is_none_or(|written| written.starts_with(&COMMIT[..12]));
        ensure(named || account.roles == had, || {
            format!("its roles are of a commit that it does not name: {account:?}")
        })
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
            return ensure(report.died || *after == *before, || {
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
        ensure(outcome.written || *after == *before, || {
            format!("something was written, but not told: {outcome:#?}")
        })?;
        for (change, result) in changes.iter().zip(&outcome.results) {
            // What an earlier change of the same account wrote is no work of this one.
            let others = |other: &&ChangeOutcome| other.address == result.address;
            let mut was = before.clone();
            for other in outcome.results.iter().filter(others) {
                let which: &[&str] = match (other.action, other.result) {
                    (Action::Redeliver, ChangeResult::Done) => &[&WRITTEN[..], &PLACES].concat(),
                    // It names its commit first, whatever becomes of the roles.
                    (Action::UpdatePermissions, _) => &WRITTEN,
                    _ => continue,
                };
                for (mrn, account) in &mut was {
                    if let Some(now) = after.get(mrn) {
                        take_marks(&mut account.labels, &now.labels, which);
                    }
                }
            }
            self.truth(platform, &was, &after, change, result)
                .map_err(|why| format!("{why}; told {result:#?}\nby {outcome:#?}"))?;
            // Only the run that met the fault found the destinations as they are in the beginning.
            if report.fault.is_some() && result.result == ChangeResult::Undelivered {
                let kept = |to: &&Destination| platform.holder(to).is_some();
                let left = change.deliver_to.iter().find(kept);
                let told = result.detail.contains("is still at");
                ensure(left.is_none() || told, || {
                    format!("a key that nobody needs is left at {left:?}: {result:#?}")
                })?;
            }
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
                let Some(wanted) = &change.after else {
                    return Err("nothing was to be created".to_owned());
                };
                let Some(born) = after.values().find(|a| a.name == wanted.name) else {
                    return Err("it was not created".to_owned());
                };
                ensure(
                    born.roles == short(&wanted.roles)
                        && delivered(platform, born, &change.deliver_to)
                        && told.account.as_ref().map(Mrn::as_str) == Some(&born.mrn)
                        && told.delivered_to == change.deliver_to,
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
                    left.roles.is_disjoint(&roles(wanted))
                        || reached(platform, left, wanted)
                        || self.unremovable(platform, left)
                });
                ensure(safe, || format!("power without a key is left: {left:?}"))
            }
            (Action::Redeliver, true) => {
                let Some(is) = is else {
                    return Err("it is gone".to_owned());
                };
                ensure(
                    delivered(platform, is, &change.deliver_to)
                        && told.delivered_to == change.deliver_to,
                    || format!("it is not done: {is:?}"),
                )
            }
            (Action::Redeliver, false) => {
                let has = |to: &&Destination| platform.holder(to).is_some();
                let held = change.deliver_to.iter().find(has);
                // Where it may be is told; what was there before is not this run's.
                let excuse =
                    told.detail.contains("may be at") || told.result == ChangeResult::Unknown;
                let tried = told.result == ChangeResult::Failed;
                ensure(held.is_none() || excuse || !tried, || {
                    format!("a key is left in {held:?}, and the marks do not say so")
                })
            }
            (Action::Delete, true) => {
                ensure(is.is_none(), || format!("it is there: {is:?}"))?;
                gone(platform, change, mrn)
            }
            (Action::Delete, false) if told.detail.contains("cannot delete its key") => {
                ensure(is.is_none(), || format!("it is there: {is:?}"))
            }
            (_, true) => {
                let (Some(is), Some(wanted)) = (is, &change.after) else {
                    return Err("it is gone".to_owned());
                };
                ensure(
                    change.action != Action::UpdatePermissions || is.roles == short(&wanted.roles),
                    || format!("it is not done: {is:?}"),
                )?;
                let label = |leaving: &Leaving| format!("rolecall-to-{}", leaving.id);
                let mut left = change.leaves.iter().map(label);
                ensure(left.all(|label| !is.labels.contains_key(&label)), || {
                    format!("its marks name a place that it left: {is:?}")
                })?;
                gone(platform, change, mrn)
            }
            // Looked at where rotations are simulated.
            (Action::Rotate, false) => Ok(()),
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

    /// No outcome says that a later run removes what no later run can recognise, or that what has
    /// power has none.
    fn promises(after: &Accounts, outcome: &Outcome) -> Result<(), String> {
        for told in &outcome.results {
            let named = after
                .values()
                .find(|account| told.detail.contains(&account.mrn));
            let Some(account) = named else { continue };
            let lost = account.labels.is_empty() && told.detail.contains("a later run");
            let strong = !account.roles.is_empty() && told.detail.contains("no power");
            ensure(!lost && !strong, || {
                format!("that is not so: {} of {account:?}", told.detail)
            })?;
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
        self.beside(platform)?;
        for wanted in wanted.values() {
            let Some(account) = ours.iter().find(|account| account.name == wanted.name) else {
                return Err(format!("{} is missing", wanted.name));
            };
            ensure(
                account.roles == roles(wanted)
                    && account.scope == wanted.scope.mrn().as_str()
                    && delivered(platform, account, &wanted.deliver_to),
                || format!("it is not as wanted: {account:#?}"),
            )?;
            for to in self.case.left(&wanted.name) {
                let removed = to.on_delete() == OnDelete::Remove;
                let held = platform.holder(&to).is_some();
                ensure(held != removed, || format!("{to} holds a key: {held}"))?;
                let label = format!("rolecall-to-{}", to.id());
                ensure(!account.labels.contains_key(&label), || {
                    format!("its marks name a place that it left: {account:#?}")
                })?;
            }
            for to in &wanted.deliver_to {
                let who = platform.authenticates(to);
                ensure(who.as_ref() == Ok(&account.mrn), || {
                    format!(
                        "the key in {to} stands for {who:?}, not for {}",
                        account.mrn
                    )
                })?;
            }
        }
        Ok(())
    }

    /// No key stands beside a destination but one that opens nothing any more, and that a later run
    /// removes.
    fn beside(&self, platform: &Platform) -> Result<(), String> {
        let all = platform.look();
        let live = |mrn: &Mrn| all.contains_key(mrn.as_str());
        match platform.beside().into_iter().find(live) {
            Some(mrn) => Err(format!("a key of {mrn} is left beside a destination")),
            None => Ok(()),
        }
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
        for to in self
            .case
            .desired
            .accounts
            .values()
            .flat_map(|a| &a.deliver_to)
        {
            ensure(
                platform.holder(to).is_none_or(|holder| {
                    !ours.iter().any(|account| account.mrn == holder.as_str())
                }),
                || format!("a key of a live account went to {to}"),
            )?;
        }
        self.beside(platform)?;
        if self.case.quirks.labels_on_create == LabelsOnCreate::Drop && !ours.is_empty() {
            let excuse = first.died
                || (first.struck == "create" && first.fault == Some(Fault::Lost))
                || first.struck == "delete";
            ensure(excuse && ours.len() == 1, || {
                format!("left behind: {ours:#?}")
            })?;
            ensure(second.outcome.is_none(), || {
                "the next run does not stop at what is left".to_owned()
            })?;
            let told = first.outcome.iter().flat_map(|outcome| &outcome.results);
            let named = told.into_iter().any(|t| t.detail.contains(&ours[0].mrn));
            return ensure(first.died || named, || {
                format!("what is left is not named: {:#?}", first.outcome)
            });
        }
        ensure(ours.is_empty(), || format!("left behind: {ours:#?}"))?;
        let outcome = second.outcome.as_ref().ok_or("the next run was refused")?;
        let births: Vec<_> = outcome
            .results
            .iter()
            .filter(|told| told.action == Action::Create)
            .collect();
        let clear = births
            .iter()
            .all(|told| told.result == ChangeResult::Failed && told.detail.contains(why));
        ensure(clear && !births.is_empty(), || {
            format!("the outcome does not say why: {outcome:#?}")
        })
    }
}
