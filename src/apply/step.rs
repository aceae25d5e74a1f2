//! Changes of accounts that exist: labels, names, roles, deletion.

use std::collections::BTreeMap;
use std::time::Duration;

use super::leave::without;
use super::outcome::ChangeResult;
use super::run::{Ended, Run, ScopeRun};
use crate::model::{
    AccountState, Described, KeptText, Labels, LiveAccount, LiveLabels, Marks, Mrn, RoleSet, VOID,
    same_name,
};
use crate::plan::{Action, Change, Reason, Step};
use crate::ports::{AccountUpdate, Effect, World, WriteError};

/// Accounts in one `setRoles` or `deleteServiceAccounts` call.
const BATCH: usize = 50;

impl<'a, W: World> Run<'a, W> {
    /// Adopts and updates, one after the other. Gives back what a stop left.
    pub(super) async fn updates(
        &self,
        scope_run: &mut ScopeRun<'a>,
        group: Vec<usize>,
    ) -> Vec<usize> {
        let mut rest = group.into_iter();
        while let Some(index) = rest.next() {
            if self.stop() {
                return std::iter::once(index).chain(rest).collect();
            }
            let change = &self.plan.changes[index];
            let (result, detail) = self.update(change, scope_run).await;
            self.end(scope_run, index, result, detail);
        }
        Vec::new()
    }

    async fn update(
        &self,
        change: &Change,
        scope_run: &mut ScopeRun<'a>,
    ) -> (ChangeResult, String) {
        let doing = match change.action {
            Action::Adopt => "adopting",
            Action::Move => "moving",
            Action::Forget => "forgetting",
            Action::Create
            | Action::Update
            | Action::UpdatePermissions
            | Action::Redeliver
            | Action::Rotate
            | Action::Delete => "updating",
        };
        self.start(change, doing);
        let (Some(mrn), Some(after)) = (&change.account, &change.after) else {
            return (ChangeResult::Failed, "the plan names no account".to_owned());
        };
        let Some(present) = scope_run.listed.get(mrn) else {
            return (ChangeResult::Stale, "it is gone".to_owned());
        };
        if let Some(holder) = scope_run.holder(change).filter(|_| change.renames()) {
            let why = format!("{holder} still has the name that it was to free");
            return (ChangeResult::Skipped, why);
        }
        match self.leave(change, mrn, present.marks()).await {
            Ok(told) => {
                let (result, detail) = self.describe(change, mrn, after, scope_run).await;
                (result, both(told, detail))
            }
            Err(ended) => ended,
        }
    }

    /// Writes what is to be said of an account: name, description, labels and marks.
    async fn describe(
        &self,
        change: &Change,
        mrn: &Mrn,
        after: &AccountState,
        scope_run: &mut ScopeRun<'a>,
    ) -> (ChangeResult, String) {
        let Some(present) = scope_run.listed.get(mrn) else {
            return (ChangeResult::Stale, "it is gone".to_owned());
        };
        let before = change.before.as_ref();
        // `None` leaves it as it is, and empty clears it.
        let notes = match (&after.description, before.map(|before| &before.description)) {
            (None, Some(Some(_))) => Some(String::new()),
            (wanted, _) => wanted.clone(),
        };
        let rewritten = before.is_none_or(|before| before.description != after.description);
        let marks = match (change.action, present.marks().cloned()) {
            (Action::Forget, _) => None,
            (Action::Adopt, _) => Some(Marks {
                revoked: present.labels.revoked(),
                ..Marks::external(
                    self.plan.stack.clone(),
                    change.address.label(),
                    after.protected,
                )
            }),
            (_, None) => return (ChangeResult::Stale, "its marks are gone".to_owned()),
            (_, Some(marks)) => Some(Marks {
                address: change.address.label(),
                credential: without(marks.credential, change),
                protected: after.protected,
                retiring: match change.reason {
                    Reason::Superseded => marks.retiring.or(Some(self.now())),
                    _ => marks.retiring,
                },
                described: match notes.as_deref().filter(|_| rewritten) {
                    None => marks.described,
                    written => marks.described.by(written),
                },
                ..marks
            }),
        };
        let marks = marks.map(|marks| {
            let written = self.written_by.clone();
            self.options.seals.seal(mrn, Marks { written, ..marks })
        });
        let mut labels = after.labels.clone();
        labels.extend(marks.iter().flat_map(Marks::labels));
        let void = match self.merges.get() {
            true => void(&present.labels, &labels),
            false => Labels::new(),
        };
        let (found, result, detail) = self.rewrite(mrn, after, notes, &labels, void).await;
        let Some(found) = found else {
            return (result, detail);
        };
        // Which text the platform shows after a clear is known only now, and the marks are to tell it
        // from what comes later.
        let cleared = |marks: &Marks| rewritten && marks.described == Described::Empty;
        let still = match (result, &found.description) {
            (ChangeResult::Done, Some(shown)) => marks.filter(cleared).zip(Some(shown)),
            _ => None,
        };
        let told = still.map(|(marks, shown)| {
            let described = Described::Kept(KeptText::of(shown));
            self.options.seals.seal(mrn, Marks { described, ..marks })
        });
        scope_run.listed.insert(mrn.clone(), found);
        let Some(marks) = told else {
            return (result, detail);
        };
        labels.extend(marks.labels());
        let (again, result, why) = self
            .rewrite(mrn, after, Some(String::new()), &labels, Labels::new())
            .await;
        if let Some(found) = again {
            scope_run.listed.insert(mrn.clone(), found);
        }
        match result {
            ChangeResult::Done => (result, detail),
            _ => {
                let detail = format!(
                    "the platform keeps its description, and the marks that tell so were not seen: {why}"
                );
                (result, detail)
            }
        }
    }

    /// Writes name, description and exactly these labels, and looks whether that shows. Where the
    /// platform took all but kept labels that were to go, these are written once more, as void.
    pub(super) async fn rewrite(
        &self,
        mrn: &Mrn,
        after: &AccountState,
        notes: Option<String>,
        labels: &Labels,
        void: Labels,
    ) -> (Option<LiveAccount>, ChangeResult, String) {
        let update = |void: &Labels| AccountUpdate {
            name: Some(after.name.clone()),
            notes: notes.clone(),
            labels: Some(labels.iter().chain(void).map(owned).collect()),
        };
        // Not every platform can hold an empty description; the marks tell that it was written.
        let cleared = notes.as_deref() == Some("");
        let all_but_labels = |account: &LiveAccount| {
            same_name(&account.name, &after.name)
                && (cleared || account.description == after.description)
        };
        let settled =
            |account: &LiveAccount| all_but_labels(account) && account.labels.standing().eq(labels);
        let first = update(&void);
        let written = self
            .write(async || self.world.update(mrn, &first).await)
            .await;
        let accepted = written.is_ok();
        let (found, result, detail) = self.seen(written, mrn, self.world.elapsed(), settled).await;
        let kept = found.as_ref().filter(|found| {
            let all_there = labels.iter().all(|(k, v)| found.labels.get(k) == Some(v));
            accepted && result == ChangeResult::Unknown && all_but_labels(found) && all_there
        });
        let Some(kept) = kept else {
            return (found, result, self.kept(detail, result, void.keys()));
        };
        let left = self::void(&kept.labels, labels);
        let again = update(&left);
        let written = self
            .write(async || self.world.update(mrn, &again).await)
            .await;
        let (found, result, detail) = self.seen(written, mrn, self.world.elapsed(), settled).await;
        if result == ChangeResult::Done {
            self.merges.set(true);
        }
        let detail = self.kept(detail, result, left.keys());
        (found, result, detail)
    }

    /// A detail that also says which labels the platform keeps.
    fn kept<'l>(
        &self,
        detail: String,
        result: ChangeResult,
        void: impl Iterator<Item = &'l String>,
    ) -> String {
        let void: Vec<&str> = void.map(String::as_str).collect();
        if void.is_empty() || result != ChangeResult::Done {
            return detail;
        }
        let kept = format!(
            "the platform keeps labels that are taken away; they have the value {VOID} now, and count \
             as absent: {}",
            void.join(", ")
        );
        if detail.is_empty() {
            kept
        } else {
            format!("{detail}; {kept}")
        }
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
    pub(super) async fn roles(
        &self,
        scope_run: &mut ScopeRun<'a>,
        group: Vec<usize>,
    ) -> Vec<usize> {
        let mut rest = group.as_slice();
        while !rest.is_empty() {
            if self.stop() {
                return rest.to_vec();
            }
            let (batch, after) = rest.split_at(rest.len().min(BATCH));
            rest = after;
            let mut wanted: BTreeMap<Mrn, RoleSet> = BTreeMap::new();
            let (mut due, mut undone) = (Vec::new(), Vec::new());
            for index in batch {
                // Names are written one by one, and what has its name is in hand.
                if !due.is_empty() && self.stop() {
                    undone.push(*index);
                    continue;
                }
                let change = &self.plan.changes[*index];
                self.start(change, "updating permissions");
                if let (Some(mrn), Some(after)) = (&change.account, &change.after) {
                    if let Err((result, why)) = self.sign(mrn, scope_run).await {
                        self.end(scope_run, *index, result, why);
                        continue;
                    }
                    wanted.insert(mrn.clone(), after.roles.clone());
                    due.push(*index);
                }
            }
            if wanted.is_empty() {
                continue;
            }
            let answer = self.set_roles(scope_run.scope, &wanted).await;
            let start = self.world.elapsed();
            for index in due {
                let change = &self.plan.changes[index];
                let Some(mrn) = &change.account else { continue };
                let (result, detail) = self.granted(&answer, mrn, &wanted[mrn], start).await;
                self.end(scope_run, index, result, detail);
            }
            if !undone.is_empty() {
                undone.extend(rest);
                return undone;
            }
        }
        Vec::new()
    }

    /// Has an account's marks name the commit of this run, if there is one and they name another: before its
    /// roles change, so that an older checkout never takes the new roles for those of an older commit.
    async fn sign(&self, mrn: &Mrn, scope_run: &mut ScopeRun<'a>) -> Result<(), Ended> {
        let commit = self.written_by.commit();
        let present = scope_run.listed.get(mrn);
        let marked = present.and_then(|account| Some((account.state(), account.marks()?.clone())));
        let Some((state, marks)) =
            marked.filter(|(_, marks)| commit.is_some() && marks.written.commit() != commit)
        else {
            return Ok(());
        };
        let written = self.written_by.clone();
        let marks = self.options.seals.seal(mrn, Marks { written, ..marks });
        let mut labels = state.labels.clone();
        labels.extend(marks.labels());
        let (found, result, why) = self
            .rewrite(mrn, &state, None, &labels, Labels::new())
            .await;
        if let Some(found) = found {
            scope_run.listed.insert(mrn.clone(), found);
        }
        match result {
            ChangeResult::Done => Ok(()),
            _ => Err((
                result,
                format!("its marks were to name the commit before its roles change, and: {why}"),
            )),
        }
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
    pub(super) async fn deletes(
        &self,
        scope_run: &mut ScopeRun<'a>,
        group: Vec<usize>,
    ) -> Vec<usize> {
        let mut rest = group.as_slice();
        while !rest.is_empty() {
            if self.stop() {
                return rest.to_vec();
            }
            let (batch, after) = rest.split_at(rest.len().min(BATCH));
            rest = after;
            let mut mrns = Vec::new();
            let mut going = Vec::new();
            for index in batch {
                let change = &self.plan.changes[*index];
                self.start(change, "deleting");
                if let Err((result, detail)) = self.dead(change).await {
                    self.end(scope_run, *index, result, detail);
                    continue;
                }
                mrns.extend(change.account.clone());
                going.push(*index);
            }
            if mrns.is_empty() {
                continue;
            }
            let answer = self
                .write(async || self.world.delete(scope_run.scope, &mrns).await)
                .await;
            let start = self.world.elapsed();
            for index in &going {
                let change = &self.plan.changes[*index];
                let Some(mrn) = &change.account else { continue };
                let (mut result, mut detail) = self.gone(&answer, mrn, start).await;
                if result == ChangeResult::Done {
                    let gone = scope_run.listed.remove(mrn);
                    let marks = gone.as_ref().and_then(LiveAccount::marks);
                    (result, detail) = self.clear(change, mrn, marks, detail).await;
                }
                self.end(scope_run, *index, result, detail);
            }
        }
        Vec::new()
    }

    /// Looks once more whether a birth that is to be removed as dead is still as it was listed: who says
    /// that its run is dead may err, and what that run has finished since is no remnant.
    async fn dead(&self, change: &Change) -> Result<(), Ended> {
        let (Step::RemoveDeadBirth, Some(mrn)) = (change.step, &change.account) else {
            return Ok(());
        };
        let left = "nothing was removed";
        match self.world.account(mrn).await {
            Ok(Some(now))
                if now.marks() == change.marks.as_ref()
                    && change.before.as_ref().is_some_and(|b| b.roles == now.roles) =>
            {
                Ok(())
            }
            Ok(Some(_)) => {
                let why = format!("another run goes on with this birth, so {left}");
                Err((ChangeResult::Stale, why))
            }
            Ok(None) => Err((ChangeResult::Stale, "it is gone".to_owned())),
            Err(error) => {
                let why = format!("{mrn} could not be read again, and {left}: {error}");
                Err((ChangeResult::Failed, why))
            }
        }
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

/// Two fragments as one; either may be empty.
fn both(one: String, other: String) -> String {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other,
        (_, true) => one,
        (false, false) => format!("{one}; {other}"),
    }
}

/// What is there besides the labels that are wanted, to be written as void.
fn void(present: &LiveLabels, wanted: &Labels) -> Labels {
    let gone = present
        .standing()
        .filter(|(key, _)| !wanted.contains_key(*key));
    gone.map(|(key, _)| (key.clone(), VOID.to_owned()))
        .collect()
}

fn owned((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}
