//! The way of a key out of a place that its account leaves, or whose account is deleted.

use super::outcome::ChangeResult;
use super::run::{Ended, Run};
use crate::model::{CredentialMark, Destination, DestinationId, Marks, Mrn};
use crate::plan::Change;
use crate::ports::{Effect, Removal, SinkError, World};

impl<W: World> Run<'_, W> {
    /// Removes the key of a live account from the places that it leaves for good, before the marks stop
    /// naming them: what fails is tried again by a later run. Gives a fragment that says what was done.
    pub(super) async fn leave(
        &self,
        change: &Change,
        mrn: &Mrn,
        marks: Option<&Marks>,
    ) -> Result<String, Ended> {
        let mut told = Vec::new();
        let mut places = removed(change).peekable();
        if places.peek().is_none() {
            return Ok(String::new());
        }
        let Some(marks) = marks else {
            return Err((ChangeResult::Stale, "its marks are gone".to_owned()));
        };
        self.still(mrn, &marks.credential).await?;
        for place in places {
            let done = self.take_away(place, mrn, Some(marks)).await;
            told.push(done.map_err(|error| {
                let result = match error.effect {
                    Effect::None => ChangeResult::Failed,
                    Effect::Unknown => ChangeResult::Unknown,
                };
                (result, error.to_string())
            })?);
        }
        Ok(told.join("; "))
    }

    /// Removes the key of an account that is deleted, and opens nothing any more. No later run knows of
    /// it, so that what fails is told.
    pub(super) async fn clear(
        &self,
        change: &Change,
        mrn: &Mrn,
        marks: Option<&Marks>,
        detail: String,
    ) -> Ended {
        let mut told: Vec<String> = Some(detail).into_iter().filter(|d| !d.is_empty()).collect();
        let mut failed = Vec::new();
        for place in removed(change) {
            match self.take_away(place, mrn, marks).await {
                Ok(done) => told.push(done),
                Err(error) => failed.push(format!(
                    "cannot delete its key at {place}, which opens nothing any more, since the account \
                     is gone: {error}; remove it by hand"
                )),
            }
        }
        match failed.is_empty() {
            true => (ChangeResult::Done, told.join("; ")),
            false => (ChangeResult::Failed, failed.join("; ")),
        }
    }

    /// Before anything is written: whether somebody is logged in at the places that lose a key.
    pub(super) async fn may_leave(&self, change: &Change) -> Result<(), Ended> {
        for from in removed(change) {
            let ask = async || self.world.ready(from).await;
            self.in_time(change, from, ask).await?;
        }
        Ok(())
    }

    /// Removes the key of an account from one place. Gives a fragment that says so.
    async fn take_away(
        &self,
        from: &Destination,
        mrn: &Mrn,
        marks: Option<&Marks>,
    ) -> Result<String, SinkError> {
        let left = marks.and_then(|marks| match &marks.credential {
            CredentialMark::Delivered { destinations, .. } => destinations.get(&from.id()),
            CredentialMark::Pending(_) | CredentialMark::External => None,
        });
        let left = left.and_then(|key| key.version.as_ref());
        let done = self.world.remove(from, mrn, left).await;
        let untouched = match &done {
            Ok(Removal::NotThere | Removal::Unknown) => true,
            Ok(Removal::Removed) => false,
            Err(error) => error.effect == Effect::None,
        };
        if !untouched {
            self.written.set(true);
        }
        Ok(match done? {
            Removal::Removed => format!("its key is removed from {from}"),
            Removal::NotThere => format!("{from} did not hold its key any more"),
            Removal::Unknown => format!(
                "{from} was written since its key was, and cannot be read: what it holds stays there"
            ),
        })
    }
}

/// The places from which a change removes the key.
fn removed(change: &Change) -> impl Iterator<Item = &Destination> {
    let removed = change.leaves.iter().filter(|leaving| leaving.removed);
    removed.filter_map(|leaving| leaving.place.as_ref())
}

/// Where a key is once it has left the places that a change says.
pub(super) fn without(credential: CredentialMark, change: &Change) -> CredentialMark {
    without_places(credential, change.leaves.iter().map(|leaving| &leaving.id))
}

/// Where a key is once it is not in these places any more.
pub(super) fn without_places<'i>(
    credential: CredentialMark,
    places: impl Iterator<Item = &'i DestinationId>,
) -> CredentialMark {
    match credential {
        CredentialMark::Delivered {
            fingerprint,
            nonce,
            mut destinations,
        } => {
            for place in places {
                destinations.remove(place);
            }
            CredentialMark::Delivered {
                fingerprint,
                nonce,
                destinations,
            }
        }
        other @ (CredentialMark::Pending(_) | CredentialMark::External) => other,
    }
}
