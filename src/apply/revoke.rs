//! Takes the power of accounts back: their roles first, since that stops whoever has the key, then the mark by
//! which no apply grants them any again.
//! It can give nothing: roles are set to none, whatever the plan says.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

use super::outcome::{ChangeResult, Outcome};
use super::run::{Ended, Keys, Options, Run};
use crate::model::{
    Labels, LiveAccount, Marks, Mrn, Role, RoleSet, Scope, SealCheck, Written, least_role,
    revocation,
};
use crate::plan::Change;
use crate::policy::Revocation;
use crate::ports::{ErrorKind, World};

/// How often each write is tried that may yet succeed.
const ATTEMPTS: u32 = 4;
/// How long it waits before the second, and twice as long before each after that.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of the mark.
enum Marking {
    /// It is there; a fragment that says more, or nothing.
    There(String),
    /// The account is gone, and its power with it.
    Gone,
    /// It is there, and roles were given at the same moment that could not be taken again.
    Given,
    /// It is not known to be there.
    Missing(Ended),
}

/// Takes the power of every account of the plan, and says of each how that ended.
pub async fn revoke<W: World>(approved: &Revocation, world: &W, options: &Options) -> Outcome {
    let plan = approved.plan();
    let run = Run::new(plan, world, options, Written::default(), Keys::new(1, 0));
    let mut scopes: IndexMap<&Scope, Vec<usize>> = IndexMap::new();
    for (index, change) in plan.changes.iter().enumerate() {
        scopes.entry(&change.scope).or_default().push(index);
    }
    let mut taken: BTreeMap<usize, Ended> = BTreeMap::new();
    for (scope, indexes) in &scopes {
        if run.stop() {
            break;
        }
        taken.extend(run.take(scope, indexes).await);
    }
    let mut results = Vec::new();
    for (index, change) in plan.changes.iter().enumerate() {
        let (result, detail) = match (taken.remove(&index), &change.account) {
            (Some(taken), Some(mrn)) => {
                let done = taken.0 == ChangeResult::Done;
                ended(taken, run.mark(change, mrn, done).await)
            }
            (None, _) | (_, None) => {
                let why = "stopped before it".to_owned();
                (ChangeResult::NotAttempted, why)
            }
        };
        results.push(run.ended(change, result, detail));
    }
    Outcome {
        results,
        in_flight: plan.in_flight.len(),
        held: 0,
        written: run.written.get(),
        interrupted: run.stopped.get(),
    }
}

/// How a revocation ended, by its two parts.
fn ended((result, why): Ended, marking: Marking) -> Ended {
    const TAKEN: &str = "its roles are taken away";
    match (result, marking) {
        (_, Marking::Gone) => (ChangeResult::Done, "the account is gone".to_owned()),
        (ChangeResult::Done, Marking::There(told)) => (result, joined(&why, &told)),
        (_, Marking::Given) => (
            ChangeResult::Unknown,
            "it is marked as revoked, and another run gave it roles at the same moment, which are not known to \
             be taken again: run this again"
                .to_owned(),
        ),
        (ChangeResult::Done, Marking::Missing((result, missing))) => (
            result,
            format!(
                "{TAKEN}, and the mark that it is revoked is not known to be there: {missing}; without it an \
                 apply would grant the roles again, so run this again"
            ),
        ),
        (result, Marking::There(_)) => (
            result,
            format!(
                "its roles may still be there: {why}; it is marked as revoked, so no apply grants it any, and \
                 the next one takes them away; run this again"
            ),
        ),
        (result, Marking::Missing((_, missing))) => (
            result,
            format!(
                "its roles may still be there: {why}; and the mark that it is revoked is not known to be \
                 there: {missing}; run this again"
            ),
        ),
    }
}

fn joined(one: &str, other: &str) -> String {
    [one, other]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

impl<W: World> Run<'_, W> {
    /// Takes all roles of accounts of one scope.
    async fn take(&self, scope: &Scope, indexes: &[usize]) -> BTreeMap<usize, Ended> {
        let mut ended = BTreeMap::new();
        let mut left: Vec<(usize, &Change, &Mrn)> = Vec::new();
        for index in indexes {
            let change = &self.plan.changes[*index];
            self.start(change, "revoking");
            let held = change.before.as_ref().is_some_and(|b| !b.roles.is_empty());
            match &change.account {
                Some(mrn) if held => left.push((*index, change, mrn)),
                Some(_) | None => {
                    ended.insert(*index, (ChangeResult::Done, String::new()));
                }
            }
        }
        let mut tried = 0;
        while !left.is_empty() && tried < ATTEMPTS {
            self.wait(tried).await;
            tried += 1;
            let none = |(_, _, mrn): &(usize, &Change, &Mrn)| ((*mrn).clone(), RoleSet::new());
            let answer = self
                .set_roles(scope, &left.iter().map(none).collect())
                .await;
            let start = self.world.elapsed();
            let mut again = Vec::new();
            for (index, change, mrn) in left {
                let how = self.granted(&answer, mrn, &RoleSet::new(), start).await;
                if how.0 != ChangeResult::Done {
                    again.push((index, change, mrn));
                }
                ended.insert(index, how);
            }
            left = again;
            match &answer {
                Err(error) if error.kind == ErrorKind::Invalid => {
                    for (index, change, mrn) in left {
                        if let Some(how) = self.all_but_one(change, mrn).await {
                            ended.insert(index, how);
                        }
                    }
                    break;
                }
                // More tries change nothing about these.
                Err(error)
                    if matches!(
                        error.kind,
                        ErrorKind::PermissionDenied
                            | ErrorKind::Unauthenticated
                            | ErrorKind::NotFound
                    ) =>
                {
                    break;
                }
                Ok(_) | Err(_) => {}
            }
        }
        ended
    }

    /// A platform that takes no last role away leaves the weakest.
    async fn all_but_one(&self, change: &Change, mrn: &Mrn) -> Option<Ended> {
        let held = &change.before.as_ref()?.roles;
        let least: Role = least_role(held)?.clone();
        let only = RoleSet::from([least.clone()]);
        (*held == only || self.replace_roles(change, mrn, &only).await).then(|| {
            let why = format!(
                "the platform takes no last role away, so it keeps {least}: delete the account to end that \
                 too"
            );
            (ChangeResult::Failed, why)
        })
    }

    /// Marks an account as revoked: under the seal, where this run can seal and the marks are believed, else
    /// by a label beside them. `taken` says that it has no roles any more.
    async fn mark(&self, change: &Change, mrn: &Mrn, taken: bool) -> Marking {
        let mut last = (ChangeResult::Failed, String::new());
        for tried in 0..ATTEMPTS {
            self.wait(tried).await;
            let now = match self.world.account(mrn).await {
                Ok(Some(now)) => now,
                Ok(None) => return Marking::Gone,
                Err(error) => {
                    last.1 = error.message;
                    continue;
                }
            };
            let (labels, told) = self.revoked(change, &now);
            let Some(labels) = labels else {
                return Marking::There(told);
            };
            let state = now.state();
            let (found, result, detail) = self
                .rewrite(mrn, &state, None, &labels, Labels::new())
                .await;
            if result == ChangeResult::Done {
                // An apply that had read the account before may have granted in between; none does any more.
                let given = found.is_some_and(|now| !now.roles.is_empty());
                if taken && given && !self.replace_roles(change, mrn, &RoleSet::new()).await {
                    return Marking::Given;
                }
                return Marking::There(joined(&told, &detail));
            }
            last = (result, detail);
        }
        Marking::Missing(last)
    }

    /// All labels of an account with the mark that it is revoked, and what is to be told of that; no labels if
    /// it is there.
    fn revoked(&self, change: &Change, now: &LiveAccount) -> (Option<Labels>, String) {
        let seals = &self.options.seals;
        let believed = |marks: &&Marks| {
            let check = seals.check(&now.mrn, marks);
            change.marks.is_some() && matches!(check, SealCheck::Right | SealCheck::Former)
        };
        if let Some(marks) = now.marks().filter(|_| seals.can_seal()).filter(believed) {
            if marks.revoked {
                return (None, String::new());
            }
            let marks = seals.seal(
                &now.mrn,
                Marks {
                    revoked: true,
                    ..marks.clone()
                },
            );
            let mut labels = now.labels.own().clone();
            labels.extend(marks.labels());
            return (Some(labels), String::new());
        }
        let told = match (seals.verifies(), &change.marks) {
            (_, None) => "marked by a label without a seal, since its marks are not believed",
            (true, Some(_)) => {
                "marked by a label without a seal, which whoever may write labels can take away: run this \
                 again where the private seal key is at hand"
            }
            (false, Some(_)) => "",
        };
        if now.labels.revoked() {
            return (None, told.to_owned());
        }
        let standing = now.labels.standing();
        let mut labels: Labels = standing.map(|(k, v)| (k.clone(), v.clone())).collect();
        labels.extend([revocation()]);
        (Some(labels), told.to_owned())
    }

    /// Waits before another try; not before the first.
    async fn wait(&self, tried: u32) {
        if let Some(doublings) = tried.checked_sub(1) {
            self.world.sleep(PAUSE * 2_u32.pow(doublings)).await;
        }
    }
}
