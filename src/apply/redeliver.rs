//! The way of a key from a place that has it to further ones: read, staged, promoted, and only then marked.
//! The account stays as it is; a crash leaves the key where the marks do not name it yet, and the next run
//! delivers it there again.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::{ChangeOutcome, ChangeResult};
use super::probe::{NoPlace, same_endpoint};
use super::run::{Ended, Run, ScopeRun};
use crate::model::{
    CredentialMark, Destination, DestinationId, Fingerprint, IssuedCredential, KeyAt, Labels,
    LiveAccount, Marks, Mrn,
};
use crate::plan::Change;
use crate::ports::{Abandoned, Delivered, Effect, ReadKey, SinkError, Staged, Verified, World};

impl<'a, W: World> Run<'a, W> {
    /// Before anything is written: whether the key that is to be read is there, and the new places would
    /// take it.
    pub(super) async fn may_redeliver(
        &self,
        change: &Change,
        going: &BTreeSet<&Mrn>,
    ) -> Result<(), NoPlace> {
        let source = self.source_in_time(change).await;
        source.map_err(NoPlace::Ended)?;
        // A run that died may have put it there already.
        let replaceable = going.iter().copied().chain(&change.account).collect();
        for to in &change.deliver_to {
            self.probe_in_time(change, to, &replaceable).await?;
        }
        Ok(())
    }

    /// Delivers keys again, one after the other. Gives back what a stop left.
    pub(super) async fn redeliveries(
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
            self.start(change, "redelivering");
            let ended = self.redeliver(change, scope_run).await;
            let (result, detail) = ended.unwrap_or_else(|ended| ended);
            self.end(scope_run, index, result, detail);
            let entry = scope_run
                .results
                .entry(index)
                .or_insert_with(|| ChangeOutcome::new(change, result, String::new()));
            if result == ChangeResult::Done {
                entry.delivered_to.clone_from(&change.deliver_to);
            }
        }
        Vec::new()
    }

    async fn redeliver(
        &self,
        change: &Change,
        scope_run: &mut ScopeRun<'a>,
    ) -> Result<Ended, Ended> {
        let gone = |why: &str| (ChangeResult::Stale, why.to_owned());
        let present = change
            .account
            .as_ref()
            .and_then(|mrn| scope_run.listed.get(mrn));
        let present = present.ok_or_else(|| gone("it is gone"))?.clone();
        let marks = present.marks().ok_or_else(|| gone("its marks are gone"))?;
        let credential = self.source(change).await?;
        let own = BTreeSet::from([&present.mrn]);
        let mut probed = Vec::new();
        for to in &change.deliver_to {
            let probe = self.probe(to, &own, &change.predecessors).await?;
            self.tell_unreadable(change, to, &probe);
            probed.push(probe);
        }
        let mut staged: Vec<(&Destination, Staged)> = Vec::new();
        for (to, probe) in change.deliver_to.iter().zip(probed) {
            match self.world.stage(to, &credential, probe).await {
                Ok(one) => staged.push((to, one)),
                Err(error) => {
                    let (result, why) = self.call_off(&credential, &staged, &error).await;
                    let beside = match error.effect {
                        Effect::None => String::new(),
                        Effect::Unknown => {
                            self.written.set(true);
                            format!(
                                "; the key may be beside {to}, until a later look at that place"
                            )
                        }
                    };
                    return Err((result, format!("{why}{beside}")));
                }
            }
        }
        let mut places: BTreeMap<DestinationId, KeyAt> = BTreeMap::new();
        for (to, one) in &staged {
            if let Err((_, why)) = self.still(&present.mrn, &marks.credential).await {
                return Err(self.call_off(&credential, &staged, &why).await);
            }
            match self.world.promote(to, &credential, one).await {
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
                    places.extend([to.key_at(marks.generation, version)]);
                }
                Err(error) => {
                    if error.effect == Effect::Unknown {
                        self.written.set(true);
                    }
                    return Err(self.call_off(&credential, &staged, &error).await);
                }
            }
        }
        let marks = Marks {
            credential: with(marks.credential.clone(), places),
            written: self.written_by.clone(),
            ..marks.clone()
        };
        let marks = self.options.seals.seal(&present.mrn, marks);
        let state = present.state();
        let mut labels = state.labels.clone();
        labels.extend(marks.labels());
        let (found, result, detail) = self
            .rewrite(&present.mrn, &state, None, &labels, Labels::new())
            .await;
        if let Some(found) = found {
            scope_run.listed.insert(found.mrn.clone(), found);
        }
        match result {
            ChangeResult::Done => Ok((result, detail)),
            ChangeResult::Failed => Err(self.call_off(&credential, &staged, &detail).await),
            _ => Err((
                result,
                format!(
                    "{detail}; the key is delivered, and whether the marks say so is not known; a later \
                     run delivers it again if they do not"
                ),
            )),
        }
    }

    /// The key that a change delivers again, before anything is written: a store that does not give it yet may do
    /// so later.
    async fn source_in_time(&self, change: &Change) -> Result<IssuedCredential, Ended> {
        let read = async |from: &Destination| {
            let ask = async || self.world.read(from).await;
            self.in_time(change, from, ask).await
        };
        self.source_by(change, read).await
    }

    async fn source(&self, change: &Change) -> Result<IssuedCredential, Ended> {
        let read = async |from: &Destination| {
            let held = self.world.read(from).await;
            held.map_err(|error| (ChangeResult::Failed, error.to_string()))
        };
        self.source_by(change, read).await
    }

    /// The key that a change delivers again, read where it is: of this account on this platform, and the
    /// one that the marks name.
    async fn source_by(
        &self,
        change: &Change,
        read: impl AsyncFnOnce(&Destination) -> Result<ReadKey, Ended>,
    ) -> Result<IssuedCredential, Ended> {
        let failed = |why: &str| (ChangeResult::Failed, why.to_owned());
        let (Some(from), Some(mrn)) = (&change.key_from, &change.account) else {
            return Err(failed("the plan does not say where its key is"));
        };
        let marked = change.marks.as_ref().map(|marks| &marks.credential);
        let Some(CredentialMark::Delivered { fingerprint, .. }) = marked else {
            return Err(failed("its marks do not say which key it has"));
        };
        let held = read(from).await?;
        let strange = match held {
            ReadKey::Nothing => "nothing is there".to_owned(),
            ReadKey::Other(what) => format!("it holds {what}"),
            ReadKey::Key(key) => match self.another(&key, mrn, fingerprint) {
                None => return Ok(*key),
                Some(what) => what,
            },
        };
        Err((
            ChangeResult::Refused,
            format!(
                "the key of {mrn} was to be read from {from}, but {strange}; put the key back there, or \
                 make a new one for all places: rolecall rotate {}",
                change.address
            ),
        ))
    }

    /// In what a key is not that of this account, of this platform and of the marks.
    fn another(
        &self,
        key: &IssuedCredential,
        mrn: &Mrn,
        fingerprint: &Fingerprint,
    ) -> Option<String> {
        if key.mrn != *mrn {
            return Some(format!("it holds the key of {}", key.mrn));
        }
        let local = self.plan.endpoint == "local";
        if !local && !same_endpoint(&key.api_endpoint, &self.plan.endpoint) {
            return Some(format!(
                "it holds a key of that account at {}, which is another platform than this one",
                key.api_endpoint
            ));
        }
        (key.fingerprint != *fingerprint).then(|| {
            format!(
                "it holds another key of that account: its fingerprint is {}, and the marks name {}",
                key.fingerprint, fingerprint
            )
        })
    }

    /// Takes the key back from where it was put: the account goes on without the new places. Where another
    /// run has marked it in between, it stays.
    async fn call_off(
        &self,
        credential: &IssuedCredential,
        staged: &[(&Destination, Staged)],
        why: &impl ToString,
    ) -> Ended {
        let marked = match self.world.account(&credential.mrn).await {
            Ok(found) => {
                let marks = found.as_ref().and_then(LiveAccount::marks);
                let places = marks.and_then(|marks| marks.credential.destinations());
                let places = places.into_iter().flatten().copied();
                Some(places.collect::<BTreeSet<DestinationId>>())
            }
            Err(_) => None,
        };
        let mut left = Vec::new();
        for (to, one) in staged {
            match &marked {
                Some(marked) if marked.contains(&to.id()) => continue,
                Some(_) => {}
                // What cannot be read may name the place.
                None => {
                    left.push(to.to_string());
                    continue;
                }
            }
            match self.world.abandon(to, credential, one).await {
                Ok(Abandoned::Gone | Abandoned::Restored) => {}
                Ok(Abandoned::Stays) => left.push(to.to_string()),
                // The error names the place.
                Err(error) => left.push(SinkError::to_string(&error)),
            }
        }
        let why = why.to_string();
        match left.as_slice() {
            [] => (ChangeResult::Failed, why),
            left => {
                self.written.set(true);
                let left = left.join(", ");
                (
                    ChangeResult::Unknown,
                    format!(
                        "{why}; the key, which opens its account, may be at {left} too, and the marks do \
                         not say so; a later run delivers it again"
                    ),
                )
            }
        }
    }
}

/// Where a key is once it is in further places.
fn with(credential: CredentialMark, places: BTreeMap<DestinationId, KeyAt>) -> CredentialMark {
    match credential {
        CredentialMark::Delivered {
            fingerprint,
            nonce,
            mut destinations,
        } => {
            destinations.extend(places);
            CredentialMark::Delivered {
                fingerprint,
                nonce,
                destinations,
            }
        }
        other @ (CredentialMark::Pending(_) | CredentialMark::External) => other,
    }
}
