//! Changes of accounts that exist: labels, names, roles, deletion.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{BATCH, Bench, ChangeResult, Run};
use crate::model::{CredentialMark, LiveAccount, Marks, Mrn, RoleSet};
use crate::plan::{Action, Change};
use crate::ports::{AccountUpdate, Effect, World, WriteError};

impl<'a, W: World> Run<'a, W> {
    /// Adopts and updates, one after the other. Gives back what a stop left.
    pub(super) async fn updates(&self, bench: &mut Bench<'a>, group: Vec<usize>) -> Vec<usize> {
        let mut rest = group.into_iter();
        while let Some(index) = rest.next() {
            if self.stop() {
                return std::iter::once(index).chain(rest).collect();
            }
            let change = &self.plan.changes[index];
            let (result, detail) = self.update(change, bench).await;
            self.end(bench, index, result, detail);
        }
        Vec::new()
    }

    async fn update(&self, change: &Change, bench: &mut Bench<'a>) -> (ChangeResult, String) {
        let doing = match change.action {
            Action::Adopt => "adopting",
            Action::Move => "moving",
            Action::Forget => "forgetting",
            Action::Create | Action::Update | Action::UpdatePermissions | Action::Delete => {
                "updating"
            }
        };
        self.start(change, doing);
        let (Some(mrn), Some(after)) = (&change.account, &change.after) else {
            return (ChangeResult::Failed, "the plan names no account".to_owned());
        };
        let Some(present) = bench.listed.get(mrn) else {
            return (ChangeResult::Stale, "it is gone".to_owned());
        };
        let marks = match (change.action, present.marks()) {
            (Action::Forget, _) => None,
            (Action::Adopt, _) => Some(Marks {
                stack: self.plan.stack.clone(),
                address: change.address.label(),
                generation: change.generation,
                credential: CredentialMark::External,
                expires: None,
                protected: after.protected,
                seal: None,
            }),
            (_, None) => return (ChangeResult::Stale, "its marks are gone".to_owned()),
            (_, Some(marks)) => Some(Marks {
                address: change.address.label(),
                protected: after.protected,
                ..marks
            }),
        };
        let mut labels = after.labels.clone();
        if let Some(marks) = marks {
            labels.extend(self.options.seals.seal(mrn, marks).labels());
        }
        let update = AccountUpdate {
            name: Some(after.name.clone()),
            notes: after.description.clone(),
            labels: Some(labels.clone()),
        };
        let written = self
            .write(async || self.world.update(mrn, &update).await)
            .await;
        let settled = |account: &LiveAccount| {
            account.labels == labels
                && account.name == after.name
                // The platform does not tell an empty description from none.
                && account.description.as_deref().unwrap_or_default()
                    == after.description.as_deref().unwrap_or_default()
        };
        let (found, result, detail) = self.seen(written, mrn, self.world.elapsed(), settled).await;
        if let Some(found) = found {
            bench.listed.insert(mrn.clone(), found);
        }
        (result, detail)
    }

    /// Looks whether a write of one account shows, and says how the change ended.
    pub(super) async fn seen(
        &self,
        written: Result<(), WriteError>,
        mrn: &Mrn,
        start: Duration,
        settled: impl Fn(&LiveAccount) -> bool,
    ) -> (Option<LiveAccount>, ChangeResult, String) {
        let lost = match written {
            Ok(()) => None,
            Err(error) if error.effect == Effect::None => {
                return (None, ChangeResult::Failed, error.message);
            }
            Err(error) => Some(error.message),
        };
        let (found, yes) = self
            .settle(mrn, start, |account| account.is_some_and(&settled))
            .await;
        let found = found.ok().flatten();
        match (yes, lost) {
            (true, None) => (found, ChangeResult::Done, String::new()),
            (true, Some(lost)) => (
                found,
                ChangeResult::Done,
                format!("seen to be done, though the answer was lost ({lost})"),
            ),
            (false, None) => {
                let seconds = self.options.grace.as_secs();
                let detail =
                    format!("the platform accepted it, but after {seconds} s it does not show");
                (found, ChangeResult::Unknown, detail)
            }
            (false, Some(lost)) => (found, ChangeResult::Unknown, lost),
        }
    }

    /// Role changes, batched. Gives back what a stop left.
    pub(super) async fn roles(&self, bench: &mut Bench<'a>, group: Vec<usize>) -> Vec<usize> {
        let mut rest = group.as_slice();
        while !rest.is_empty() {
            if self.stop() {
                return rest.to_vec();
            }
            let (batch, after) = rest.split_at(rest.len().min(BATCH));
            rest = after;
            let mut wanted: BTreeMap<Mrn, RoleSet> = BTreeMap::new();
            for index in batch {
                let change = &self.plan.changes[*index];
                self.start(change, "updating permissions");
                if let (Some(mrn), Some(after)) = (&change.account, &change.after) {
                    wanted.insert(mrn.clone(), after.roles.clone());
                }
            }
            let answer = self.set_roles(bench.scope, &wanted).await;
            let start = self.world.elapsed();
            for index in batch {
                let change = &self.plan.changes[*index];
                let Some(mrn) = &change.account else { continue };
                let (result, detail) = self.granted(&answer, mrn, &wanted[mrn], start).await;
                self.end(bench, *index, result, detail);
            }
        }
        Vec::new()
    }

    /// How the roles of one account ended after a `setRoles` that may have been a batch.
    pub(super) async fn granted(
        &self,
        answer: &Result<crate::ports::BatchErrors, WriteError>,
        mrn: &Mrn,
        wanted: &RoleSet,
        start: Duration,
    ) -> (ChangeResult, String) {
        let written = match answer {
            Ok(errors) => match errors.get(mrn) {
                Some(why) => return (ChangeResult::Failed, why.clone()),
                None => Ok(()),
            },
            Err(error) => Err(error.clone()),
        };
        let (found, result, detail) = self
            .seen(written, mrn, start, |account| account.roles == *wanted)
            .await;
        match found {
            Some(found) if result == ChangeResult::Unknown => {
                let roles: Vec<&str> = found.roles.iter().map(crate::model::Role::short).collect();
                (
                    result,
                    format!("{detail}; it now has roles [{}]", roles.join(", ")),
                )
            }
            _ => (result, detail),
        }
    }

    /// Deletions, batched. Gives back what a stop left.
    pub(super) async fn deletes(&self, bench: &mut Bench<'a>, group: Vec<usize>) -> Vec<usize> {
        let mut rest = group.as_slice();
        while !rest.is_empty() {
            if self.stop() {
                return rest.to_vec();
            }
            let (batch, after) = rest.split_at(rest.len().min(BATCH));
            rest = after;
            let mut mrns = Vec::new();
            for index in batch {
                let change = &self.plan.changes[*index];
                self.start(change, "deleting");
                mrns.extend(change.account.clone());
            }
            let answer = self
                .write(async || self.world.delete(bench.scope, &mrns).await)
                .await;
            let start = self.world.elapsed();
            for index in batch {
                let change = &self.plan.changes[*index];
                let Some(mrn) = &change.account else { continue };
                let (result, detail) = self.gone(&answer, mrn, start).await;
                if result == ChangeResult::Done {
                    bench.listed.remove(mrn);
                }
                self.end(bench, *index, result, detail);
            }
        }
        Vec::new()
    }

    /// How the deletion of one account ended.
    pub(super) async fn gone(
        &self,
        answer: &Result<crate::ports::BatchErrors, WriteError>,
        mrn: &Mrn,
        start: Duration,
    ) -> (ChangeResult, String) {
        let lost = match answer {
            Ok(errors) => match errors.get(mrn) {
                Some(why) => return (ChangeResult::Failed, why.clone()),
                None => None,
            },
            Err(error) if error.effect == Effect::None => {
                return (ChangeResult::Failed, error.message.clone());
            }
            Err(error) => Some(error.message.clone()),
        };
        let (_, yes) = self.settle(mrn, start, |account| account.is_none()).await;
        match (yes, lost) {
            (true, None) => (ChangeResult::Done, String::new()),
            (true, Some(lost)) => (
                ChangeResult::Done,
                format!("seen to be gone, though the answer was lost ({lost})"),
            ),
            (false, None) => {
                let seconds = self.options.grace.as_secs();
                (
                    ChangeResult::Unknown,
                    format!("after {seconds} s the platform still shows it"),
                )
            }
            (false, Some(lost)) => (ChangeResult::Unknown, lost),
        }
    }
}
