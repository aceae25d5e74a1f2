//! A new key in the place of a former one, which goes on beside it: create without roles, stage, seal, grant,
//! and only then put the new key where the former one is. At every instant the key in every destination
//! authenticates and holds its roles; a crash leaves both keys with their roles, and marks that say so.

use std::collections::BTreeMap;

use super::birth::Created;
use super::fresh::REMOVES_LATER;
use super::leave::without_places;
use super::outcome::{ChangeOutcome, ChangeResult};
use super::probe::NotBorn;
use super::run::{Ended, Run, ScopeRun};
use crate::model::{
    AccountState, CredentialMark, Destination, DestinationId, IssuedCredential, KeyAt, Labels,
    LiveAccount, Marks, Mrn, RoleSet,
};
use crate::plan::{Change, Predecessor};
use crate::ports::{
    Abandoned, AccountUpdate, Delivered, Effect, Probe, SinkError, Staged, Verified, World,
};

/// What is said of a rotation that went so far that nothing may be taken back.
const UNFINISHED: &str = "; both keys keep their roles, and the rotation is unfinished: the next `rotate` \
                          makes one more key for all places";

/// Why a rotation is not done.
enum NotDone {
    /// What ended it was told already.
    Told,
    /// A stop came before it began.
    Later,
    /// How it ended.
    Ended(Ended),
}

/// A key beside or in its destinations.
struct Placed<'p> {
    to: &'p Destination,
    staged: Staged,
}

/// A new key with its roles, beside the places that are to hold it.
struct Empowered<'r> {
    change: &'r Change,
    wanted: &'r AccountState,
    credential: &'r IssuedCredential,
    /// Its marks, which name no place yet.
    start: &'r Marks,
    placed: &'r [Placed<'r>],
}

impl Placed<'_> {
    /// Whether what was there can be put back, and seen to be back.
    fn can_be_taken_back(&self) -> bool {
        revocable(&self.staged.probe)
    }
}

impl<'a, W: World> Run<'a, W> {
    /// Replaces keys, one after the other. Gives back what a stop left.
    pub(super) async fn rotations(
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
            self.start(change, "rotating");
            let mut mrn = None;
            let ended = self.rotate(index, change, scope_run, &mut mrn).await;
            let (result, detail) = match ended {
                Ok(detail) => (ChangeResult::Done, detail),
                Err(NotDone::Told) => continue,
                Err(NotDone::Later) => return std::iter::once(index).chain(rest).collect(),
                Err(NotDone::Ended(ended)) => ended,
            };
            self.end(scope_run, index, result, detail);
            let entry = scope_run
                .results
                .entry(index)
                .or_insert_with(|| ChangeOutcome::new(change, result, String::new()));
            if result == ChangeResult::Done {
                entry.account = mrn;
                entry.delivered_to.clone_from(&change.deliver_to);
            }
        }
        Vec::new()
    }

    /// Goes through a rotation. Gives what is worth telling of one that is done.
    async fn rotate(
        &self,
        index: usize,
        change: &Change,
        scope_run: &mut ScopeRun<'a>,
        made: &mut Option<Mrn>,
    ) -> Result<String, NotDone> {
        let Some(wanted) = &change.after else {
            let why = "the plan does not say what takes its place";
            return Err(NotDone::Ended((ChangeResult::Failed, why.to_owned())));
        };
        let created = match self.begin_birth(index, change, false).await {
            Ok(created) => created,
            Err(NotBorn::Later) => return Err(NotDone::Later),
            Err(NotBorn::Ended(ended)) => {
                return Err(NotDone::Ended(self.name_back(change, ended).await));
            }
        };
        let mut alone = self.without_twins(scope_run, vec![created]).await;
        let Some(Created {
            credential,
            pending,
            birth,
            probed,
            note,
            ..
        }) = alone.pop()
        else {
            return Err(NotDone::Told);
        };
        *made = Some(credential.mrn.clone());
        let placed = self.beside(change, &credential, probed).await;
        let placed = match placed {
            Ok(placed) => placed,
            Err(ended) => return Err(NotDone::Ended(self.name_back(change, ended).await)),
        };
        let start = Marks {
            credential: CredentialMark::Delivered {
                fingerprint: credential.fingerprint.clone(),
                nonce: birth.nonce.clone(),
                destinations: BTreeMap::new(),
            },
            protected: wanted.protected,
            described: pending.described.by(wanted.description.as_deref()),
            ..pending
        };
        let start = self.options.seals.seal(&credential.mrn, start);
        let ready = self.empower(change, wanted, &credential.mrn, &start).await;
        if let Err((_, why)) = ready {
            let ended = self.undone(change, &credential, &placed, &why).await;
            return Err(NotDone::Ended(self.name_back(change, ended).await));
        }
        let mut there: BTreeMap<DestinationId, KeyAt> = BTreeMap::new();
        let empowered = Empowered {
            change,
            wanted,
            credential: &credential,
            start: &start,
            placed: &placed,
        };
        if let Err(stopped) = self.put_in_place(&empowered, &mut there).await {
            let ended = self.called_off(&empowered, there, stopped).await;
            return Err(NotDone::Ended(ended));
        }
        let marks = self.with_places(&credential.mrn, &start, there.clone());
        // Without it the next run knows of no place that has the key, so that one refusal is not taken for the
        // last word.
        let marked = match self.put_marks(wanted, &credential.mrn, &marks).await {
            Ok(()) => Ok(()),
            Err(_) => self.put_marks(wanted, &credential.mrn, &marks).await,
        };
        if let Err((result, why)) = marked {
            let told = format!(
                "{why}; the new key is in all its places and has its roles, and whether the marks say so is \
                 not known{UNFINISHED}"
            );
            return Err(NotDone::Ended((result, told)));
        }
        let mut told: Vec<String> = Some(note).into_iter().filter(|n| !n.is_empty()).collect();
        for former in &change.predecessors {
            told.extend(self.supersede(former, &there, scope_run).await);
        }
        Ok(told.join("; "))
    }

    /// Puts the key beside what every destination holds, where that can be. Places that nobody can read come
    /// last, since what is written there cannot be taken back.
    async fn beside<'p>(
        &self,
        change: &'p Change,
        credential: &IssuedCredential,
        probed: Vec<Probe>,
    ) -> Result<Vec<Placed<'p>>, Ended> {
        let mut order: Vec<(&Destination, Probe)> = change.deliver_to.iter().zip(probed).collect();
        order.sort_by_key(|(_, probe)| !revocable(probe));
        let mut placed: Vec<Placed<'p>> = Vec::new();
        for (to, probe) in order {
            match self.world.stage(to, credential, probe).await {
                Ok(staged) => placed.push(Placed { to, staged }),
                Err(error) => {
                    let beside = match error.effect {
                        Effect::None => String::new(),
                        Effect::Unknown => {
                            format!("; the key that is of no use any more may still be beside {to}")
                        }
                    };
                    let why = format!("{error}{beside}");
                    return Err(self.undone(change, credential, &placed, &why).await);
                }
            }
        }
        Ok(placed)
    }

    /// Says on the account that it is no birth any more, and gives it its roles.
    async fn empower(
        &self,
        change: &Change,
        wanted: &AccountState,
        mrn: &Mrn,
        start: &Marks,
    ) -> Result<(), Ended> {
        self.put_marks(wanted, mrn, start).await?;
        if wanted.roles.is_empty() {
            return Ok(());
        }
        let roles: BTreeMap<Mrn, RoleSet> = [(mrn.clone(), wanted.roles.clone())].into();
        let answer = self.set_roles(&change.scope, &roles).await;
        let since = self.world.elapsed();
        match self.granted(&answer, mrn, &wanted.roles, since).await {
            (ChangeResult::Done, _) => Ok(()),
            ended => Err(ended),
        }
    }

    /// Makes the new key the one that each place holds, and notes which do.
    async fn put_in_place(
        &self,
        new: &Empowered<'_>,
        there: &mut BTreeMap<DestinationId, KeyAt>,
    ) -> Result<(), Stopped> {
        let Empowered {
            change,
            wanted,
            credential,
            start,
            placed,
        } = new;
        let mut credential_mark = start.credential.clone();
        for (at, Placed { to, staged }) in placed.iter().enumerate() {
            if let Err((_, why)) = self.still(&credential.mrn, &credential_mark).await {
                return Err(Stopped { at, why });
            }
            match self.world.promote(to, credential, staged).await {
                Ok(Delivered {
                    verified,
                    version,
                    note,
                }) => {
                    self.written.set(true);
                    if let Some(note) = note {
                        self.note(change, format!("{to}: {note}"));
                    }
                    if verified == Verified::Accepted {
                        let told = format!("{to} accepted the key; it cannot be read");
                        self.note(change, told);
                    }
                    there.extend([to.key_at(change.generation, version)]);
                    // What only the marks can prove to be ours is marked at once.
                    let more = at + 1 < placed.len();
                    if more && !revocable(&staged.probe) {
                        let marks = self.with_places(&credential.mrn, start, there.clone());
                        let marked = self.put_marks(wanted, &credential.mrn, &marks).await;
                        credential_mark = marks.credential;
                        if let Err((_, why)) = marked {
                            return Err(Stopped { at: at + 1, why });
                        }
                    }
                }
                Err(error) => {
                    // It may hold the new key.
                    let unknown = usize::from(error.effect == Effect::Unknown);
                    return Err(Stopped {
                        at: at + unknown,
                        why: error.to_string(),
                    });
                }
            }
        }
        Ok(())
    }

    /// A place did not take the new key: where all that was written can be taken back, the former key is in
    /// its places again and the new account goes; otherwise both go on.
    async fn called_off(
        &self,
        new: &Empowered<'_>,
        mut there: BTreeMap<DestinationId, KeyAt>,
        Stopped { at, why }: Stopped,
    ) -> Ended {
        let Empowered {
            change,
            wanted,
            credential,
            start,
            placed,
        } = new;
        let mut left = Vec::new();
        let mut fixed = placed[..at].iter().any(|one| !one.can_be_taken_back());
        // What is only beside a place is of no use in either case.
        for (n, one) in placed.iter().enumerate() {
            if fixed && n < at {
                continue;
            }
            match self.world.abandon(one.to, credential, &one.staged).await {
                Ok(Abandoned::Gone | Abandoned::Restored) => {
                    there.remove(&one.to.id());
                }
                Ok(Abandoned::Stays) => left.push(one.to.to_string()),
                Err(error) => {
                    // Which key it has nobody can tell, so that no mark may say that it can be read there.
                    if error.effect == Effect::Unknown && one.can_be_taken_back() {
                        there.remove(&one.to.id());
                    }
                    left.push(error.to_string());
                }
            }
        }
        fixed |= !left.is_empty();
        if fixed {
            let marks = self.with_places(&credential.mrn, start, there);
            let told = match self.put_marks(wanted, &credential.mrn, &marks).await {
                Ok(()) => String::new(),
                Err((_, unmarked)) => format!("; {unmarked}"),
            };
            return (ChangeResult::Failed, format!("{why}{told}{UNFINISHED}"));
        }
        let ended = match self.remove(change, &credential.mrn).await {
            None => (
                ChangeResult::Undelivered,
                format!("{why}; the former key is in all its places, as before"),
            ),
            Some(left) => (
                ChangeResult::Failed,
                format!("{why}; the former key is in all its places, as before; {left}"),
            ),
        };
        self.name_back(change, ended).await
    }

    /// A rotation ended before any place held the new key: its account goes, and what is beside places.
    async fn undone(
        &self,
        change: &Change,
        credential: &IssuedCredential,
        placed: &[Placed<'_>],
        why: &str,
    ) -> Ended {
        let removed = self.remove(change, &credential.mrn).await;
        let mut left = Vec::new();
        for one in placed {
            match self.world.abandon(one.to, credential, &one.staged).await {
                Ok(Abandoned::Gone | Abandoned::Restored) => {}
                Ok(Abandoned::Stays) => left.push(one.to.to_string()),
                Err(error) => left.push(SinkError::to_string(&error)),
            }
        }
        let left = match left.as_slice() {
            [] => String::new(),
            left => format!(
                "; the key that is of no use any more is still at {}",
                left.join(", ")
            ),
        };
        match removed {
            None => (ChangeResult::Undelivered, format!("{why}{left}")),
            Some(stays) => (
                ChangeResult::Failed,
                format!("{why}; {stays}{REMOVES_LATER}{left}"),
            ),
        }
    }

    /// The marks of an account whose key is in these places.
    fn with_places(
        &self,
        mrn: &Mrn,
        marks: &Marks,
        there: BTreeMap<DestinationId, KeyAt>,
    ) -> Marks {
        let credential = match &marks.credential {
            CredentialMark::Delivered {
                fingerprint, nonce, ..
            } => CredentialMark::Delivered {
                fingerprint: fingerprint.clone(),
                nonce: nonce.clone(),
                destinations: there,
            },
            other @ (CredentialMark::Pending(_) | CredentialMark::External) => other.clone(),
        };
        let marks = Marks {
            credential,
            seal: None,
            ..marks.clone()
        };
        self.options.seals.seal(mrn, marks)
    }

    /// Writes marks, and looks whether they show.
    async fn put_marks(
        &self,
        wanted: &AccountState,
        mrn: &Mrn,
        marks: &Marks,
    ) -> Result<(), Ended> {
        let mut labels = wanted.labels.clone();
        labels.extend(marks.labels());
        let update = AccountUpdate {
            name: Some(wanted.name.clone()),
            notes: wanted.description.clone(),
            labels: Some(labels),
        };
        let written = self
            .write(async || self.world.update(mrn, &update).await)
            .await;
        let settled = |account: &LiveAccount| account.marks() == Some(marks);
        match self.seen(written, mrn, self.world.elapsed(), settled).await {
            (_, ChangeResult::Done, _) => Ok(()),
            (_, result, detail) => Err((result, detail)),
        }
    }

    /// Says on a former generation that another has taken its place, and where its key is no more. Gives a
    /// fragment if that could not be said: `rotate --due` says it then.
    async fn supersede(
        &self,
        former: &Predecessor,
        there: &BTreeMap<DestinationId, KeyAt>,
        scope_run: &mut ScopeRun<'a>,
    ) -> Option<String> {
        let mrn = &former.account;
        let untold = |why: &str| {
            Some(format!(
                "no mark on {mrn} says that another generation has taken its place ({why}); `rolecall \
                 rotate --due` says it"
            ))
        };
        let present = match self.world.account(mrn).await {
            Ok(Some(present)) => present,
            // Then it is no former key any more.
            Ok(None) => return None,
            Err(error) => return untold(&error.to_string()),
        };
        let Some(marks) = present.marks() else {
            return untold("its marks are gone");
        };
        let marks = Marks {
            credential: without_places(marks.credential.clone(), there.keys()),
            retiring: marks.retiring.or(Some(self.now())),
            protected: false,
            written: self.written_by.clone(),
            ..marks.clone()
        };
        let marks = self.options.seals.seal(mrn, marks);
        let state = present.state();
        let mut labels = state.labels.clone();
        labels.extend(marks.labels());
        let (found, result, why) = self
            .rewrite(mrn, &state, None, &labels, Labels::new())
            .await;
        if let Some(found) = found.filter(|found| found.scope == *scope_run.scope) {
            scope_run.listed.insert(found.mrn.clone(), found);
        }
        match result {
            ChangeResult::Done => None,
            _ => untold(&why),
        }
    }
}

/// Whether what is written to a place can be taken back.
fn revocable(probe: &Probe) -> bool {
    probe.abilities.read_back && probe.abilities.restore
}

/// Where and why a key did not get into its places: those before `at` have it, or may.
struct Stopped {
    at: usize,
    why: String,
}
