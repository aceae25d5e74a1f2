//! The way of a new key into its destinations: beside what is there, then in its place, and back where it
//! comes to nothing.

use std::collections::BTreeMap;

use super::fresh::REMOVES_LATER;
use super::outcome::ChangeResult;
use super::run::{Ended, Run};
use crate::model::{Birth, CredentialMark, Destination, DestinationId, IssuedCredential, KeyAt};
use crate::plan::Change;
use crate::ports::{Abandoned, Delivered, Effect, Probe, SinkError, Staged, Verified, World};

impl<W: World> Run<'_, W> {
    /// Step 3: put the key into every destination: beside what is there where that can be, and in its
    /// place only when every one has it, re-reading the nonce before each. If one does not take it the
    /// account is removed, and the key is taken back: it never had power, so nothing is lost.
    pub(super) async fn deliver(
        &self,
        change: &Change,
        credential: &IssuedCredential,
        birth: &Birth,
        probed: Vec<Probe>,
    ) -> Result<BTreeMap<DestinationId, KeyAt>, Ended> {
        let mut staged: Vec<(&Destination, Staged)> = Vec::new();
        for (to, probe) in change.deliver_to.iter().zip(probed) {
            match self.world.stage(to, credential, probe).await {
                Ok(one) => staged.push((to, one)),
                Err(error) => {
                    let (result, why) = self.undelivered(change, credential, &staged, &error).await;
                    let beside = match error.effect {
                        Effect::None => String::new(),
                        Effect::Unknown => {
                            format!("; the key that is of no use any more may still be beside {to}")
                        }
                    };
                    return Err((result, format!("{why}{beside}")));
                }
            }
        }
        let expected = CredentialMark::Pending(birth.clone());
        let mut marks = BTreeMap::new();
        for (to, one) in &staged {
            if let Err((result, why)) = self.still(&credential.mrn, &expected).await {
                let left = self.take_back(credential, &staged).await;
                return Err((result, format!("{why}{left}")));
            }
            match self.world.promote(to, credential, one).await {
                Ok(Delivered {
                    verified,
                    version,
                    note,
                }) => {
                    if let Some(note) = note {
                        self.note(change, format!("{to}: {note}"));
                    }
                    if verified == Verified::Accepted {
                        let told = format!("{to} accepted the key; it cannot be read");
                        self.note(change, told);
                    }
                    marks.extend([to.key_at(change.generation, version)]);
                }
                Err(error) => {
                    return Err(self.undelivered(change, credential, &staged, &error).await);
                }
            }
        }
        Ok(marks)
    }

    /// A destination did not take the key: removes the account, then what was delivered of its key.
    async fn undelivered(
        &self,
        change: &Change,
        credential: &IssuedCredential,
        staged: &[(&Destination, Staged)],
        error: &SinkError,
    ) -> Ended {
        let removed = self.remove(change, &credential.mrn).await;
        let kept = self.take_back(credential, staged).await;
        match removed {
            None => (ChangeResult::Undelivered, format!("{error}{kept}")),
            Some(left) => (
                ChangeResult::Failed,
                format!("{error}; {left}{REMOVES_LATER}{kept}"),
            ),
        }
    }

    /// Takes the key of a birth that came to nothing back from where it was put. Gives a fragment that
    /// says where it still is, or nothing.
    async fn take_back(
        &self,
        credential: &IssuedCredential,
        staged: &[(&Destination, Staged)],
    ) -> String {
        let mut left = Vec::new();
        for (to, one) in staged {
            match self.world.abandon(to, credential, one).await {
                Ok(Abandoned::Gone | Abandoned::Restored) => {}
                Ok(Abandoned::Stays) => left.push(to.to_string()),
                // The error names the place.
                Err(error) => left.push(error.to_string()),
            }
        }
        match left.as_slice() {
            [] => String::new(),
            left => format!(
                "; the key that is of no use any more is still at {}",
                left.join(", ")
            ),
        }
    }
}
