//! The birth of an account: probe, create without roles, deliver, label, and only then grant.
//! A crash or a lost answer at any point leaves at most one account, without power, marked
//! pending; a later run removes it. The same run never creates again after an unknown answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{BATCH, Bench, ChangeOutcome, ChangeResult, Run};
use crate::model::{
    AccountState, CredentialMark, Destination, IssuedCredential, LiveAccount, Marks, Mrn, Nonce,
    Role, RoleSet, least_role,
};
use crate::plan::Change;
use crate::ports::{AccountUpdate, Delivered, Effect, ErrorKind, NewAccount, Probe, World};

/// A birth that came to its end before the grant: how, and a fragment that says more.
type Ended = (ChangeResult, String);

/// An account whose key is delivered and labelled, waiting for its roles.
struct Born {
    index: usize,
    mrn: Mrn,
    delivered: CredentialMark,
    note: String,
}

impl<'a, W: World> Run<'a, W> {
    /// Gives birth to the accounts one after the other, then grants their roles in batches.
    /// Gives back what a stop left.
    pub(super) async fn births(&self, bench: &mut Bench<'a>, group: Vec<usize>) -> Vec<usize> {
        let mut born = Vec::new();
        let mut rest = group.into_iter();
        let mut undone = Vec::new();
        while let Some(index) = rest.next() {
            if self.stop() {
                undone = std::iter::once(index).chain(rest).collect();
                break;
            }
            let change = &self.plan.changes[index];
            self.start(change, "creating");
            match self.birth(index, change).await {
                Ok(child) => born.push(child),
                Err((result, detail)) => self.end(bench, index, result, detail),
            }
        }
        // Those whose key is out are finished even if a stop was asked for: they are in hand.
        for batch in born.chunks(BATCH) {
            self.grant(bench, batch).await;
        }
        undone
    }

    async fn birth(&self, index: usize, change: &Change) -> Result<Born, Ended> {
        let failed = |why: &str| (ChangeResult::Failed, why.to_owned());
        let Some(wanted) = &change.after else {
            return Err(failed("the plan does not say what to create"));
        };
        if self.unmanageable.get() {
            return Err(failed(
                "the platform does not keep labels, so it cannot be managed",
            ));
        }
        self.probe(&change.deliver_to).await?;

        let nonce = self.world.nonce();
        let pending = Marks {
            stack: self.plan.stack.clone(),
            address: change.address.label(),
            generation: change.generation,
            credential: CredentialMark::Pending(nonce.clone()),
            expires: wanted.valid_until,
        };
        let mut note = String::new();
        let (credential, sent) = self.create(change, wanted, &pending, &mut note).await?;
        self.inspect(change, wanted, &credential, &pending, &sent, &mut note)
            .await?;
        self.deliver(change, &credential, &nonce).await?;

        let delivered = CredentialMark::Delivered {
            fingerprint: credential.fingerprint.clone(),
            destinations: CredentialMark::destinations_digest(&change.deliver_to),
        };
        self.label(
            wanted,
            &credential.mrn,
            Marks {
                credential: delivered.clone(),
                ..pending
            },
        )
        .await?;
        Ok(Born {
            index,
            mrn: credential.mrn,
            delivered,
            note,
        })
    }

    /// Step 1: every destination would accept the key, and none holds a key that is still in use.
    async fn probe(&self, destinations: &[Destination]) -> Result<(), Ended> {
        if destinations.is_empty() {
            let why = "it has no destination for its key".to_owned();
            return Err((ChangeResult::Failed, why));
        }
        for destination in destinations {
            let failed = |why: String| (ChangeResult::Failed, format!("{destination}: {why}"));
            match self.world.probe(destination).await {
                Err(error) => return Err((ChangeResult::Failed, error.message)),
                Ok(Probe::Free) => {}
                Ok(Probe::Holds(other)) => match self.world.account(&other).await {
                    Ok(None) => {}
                    Ok(Some(_)) => {
                        return Err(failed(format!(
                            "it holds the key of the live account {other}; move that key away, or \
                             delete the account"
                        )));
                    }
                    Err(error) => {
                        return Err(failed(format!(
                            "it holds the key of {other}, and whether that account is live cannot \
                             be told: {error}"
                        )));
                    }
                },
            }
        }
        Ok(())
    }

    /// Step 2: create without roles, or, where the platform refuses that, with the least wanted.
    async fn create(
        &self,
        change: &Change,
        wanted: &AccountState,
        pending: &Marks,
        note: &mut String,
    ) -> Result<(IssuedCredential, RoleSet), Ended> {
        let mut labels = wanted.labels.clone();
        labels.extend(pending.labels());
        let mut account = NewAccount {
            scope: change.scope.clone(),
            name: wanted.name.clone(),
            description: wanted.description.clone(),
            labels,
            roles: RoleSet::new(),
            valid_until: wanted.valid_until,
        };
        let mut answer = self.write(async || self.world.create(&account).await).await;
        let refused = matches!(
            &answer,
            Err(error) if error.kind == ErrorKind::Invalid && error.effect == Effect::None
        );
        if let (true, Some(least)) = (refused, least_role(&wanted.roles)) {
            account.roles = RoleSet::from([least.clone()]);
            let second = self.write(async || self.world.create(&account).await).await;
            // If that is refused too, the roles were not the reason: the first answer tells more.
            let again = matches!(
                &second,
                Err(error) if error.kind == ErrorKind::Invalid && error.effect == Effect::None
            );
            if !again {
                *note = fallback(least);
                self.note(change, note.clone());
                answer = second;
            }
        }
        match answer {
            Ok(credential) => Ok((credential, account.roles)),
            Err(error) if error.effect == Effect::None => {
                Err((ChangeResult::Failed, error.message))
            }
            Err(error) => Err(self
                .lost(change, &wanted.name, pending, &error.message)
                .await),
        }
    }

    /// The answer to the create was lost: looks for the account by its nonce and removes it, since
    /// its key was in the answer and nowhere else. One that only has the name may be somebody
    /// else's, so it is named and left alone.
    async fn lost(&self, change: &Change, name: &str, pending: &Marks, why: &str) -> Ended {
        let start = self.world.elapsed();
        let mut pause = Duration::from_millis(200);
        let mut namesake = None;
        loop {
            if let Ok(listed) = self.world.accounts(&change.scope).await {
                if let Some(found) = listed.iter().find(|a| a.marks().as_ref() == Some(pending)) {
                    return match self.remove(change, &found.mrn).await {
                        None => (
                            ChangeResult::Failed,
                            format!(
                                "{why}; the account was found and removed again, since its key \
                                 was lost with the answer"
                            ),
                        ),
                        Some(left) => (
                            ChangeResult::Unknown,
                            format!("{why}; {left}{REMOVES_LATER}"),
                        ),
                    };
                }
                namesake = listed
                    .into_iter()
                    .find(|a| a.scope == change.scope && a.name == name)
                    .map(|account| account.mrn);
            }
            if self.world.elapsed().saturating_sub(start) >= self.options.grace {
                let seconds = self.options.grace.as_secs();
                let showed = match namesake {
                    None => "; if one shows later, a later run removes it".to_owned(),
                    Some(mrn) => format!(
                        ", but {mrn} has its name; if this run created that, the platform does \
                         not keep labels: delete it by hand"
                    ),
                };
                let detail = format!(
                    "{why}; no account with this run's mark showed within {seconds} s{showed}"
                );
                return (ChangeResult::Unknown, detail);
            }
            self.world.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(4));
        }
    }

    /// Still step 2: read the new account again. It must carry our marks and have no power.
    async fn inspect(
        &self,
        change: &Change,
        wanted: &AccountState,
        credential: &IssuedCredential,
        pending: &Marks,
        sent: &RoleSet,
        note: &mut String,
    ) -> Result<(), Ended> {
        let mrn = &credential.mrn;
        let (found, _) = self.settle(mrn, |account| account.is_some()).await;
        let Some(found) = found else {
            return Err(self
                .give_up(change, mrn, "the new account cannot be read", REMOVES_LATER)
                .await);
        };
        if found.marks().as_ref() != Some(pending) {
            self.unmanageable.set(true);
            let why = "the platform did not keep the labels, so the account could not be managed";
            let left = "; it carries no mark, so no other run finds it: delete it by hand";
            return Err(self.give_up(change, mrn, why, left).await);
        }
        if found.roles.is_empty() || found.roles == *sent {
            return Ok(());
        }
        if self.replace_roles(change, mrn, &RoleSet::new()).await {
            return Ok(());
        }
        if let Some(least) = least_role(&wanted.roles) {
            let roles = RoleSet::from([least.clone()]);
            if found.roles == roles || self.replace_roles(change, mrn, &roles).await {
                *note = fallback(least);
                self.note(change, note.clone());
                return Ok(());
            }
        }
        let why = "the platform gave it roles that cannot be taken away";
        Err(self.give_up(change, mrn, why, REMOVES_LATER).await)
    }

    async fn replace_roles(&self, change: &Change, mrn: &Mrn, roles: &RoleSet) -> bool {
        let wanted = BTreeMap::from([(mrn.clone(), roles.clone())]);
        let answer = self.set_roles(&change.scope, &wanted).await;
        self.granted(&answer, mrn, roles).await.0 == ChangeResult::Done
    }

    /// Step 3: put the key into every destination, re-reading the nonce before each. If one does
    /// not take it the account is removed: it never had power, so nothing is lost.
    async fn deliver(
        &self,
        change: &Change,
        credential: &IssuedCredential,
        nonce: &Nonce,
    ) -> Result<(), Ended> {
        let expected = CredentialMark::Pending(nonce.clone());
        for destination in &change.deliver_to {
            self.still(&credential.mrn, &expected).await?;
            match self.world.deliver(destination, credential).await {
                Ok(Delivered::Verified) => {}
                Ok(Delivered::Accepted) => {
                    self.note(
                        change,
                        format!("{destination} accepted the key; it cannot be read"),
                    );
                }
                Err(error) => {
                    let why = error.message;
                    return Err(match self.remove(change, &credential.mrn).await {
                        None => (ChangeResult::Undelivered, why),
                        Some(left) => (
                            ChangeResult::Failed,
                            format!("{why}; {left}{REMOVES_LATER}"),
                        ),
                    });
                }
            }
        }
        Ok(())
    }

    /// Checks that the account still carries the mark this run put there.
    async fn still(&self, mrn: &Mrn, expected: &CredentialMark) -> Result<(), Ended> {
        let carries = |account: Option<&LiveAccount>| {
            account
                .and_then(LiveAccount::marks)
                .is_some_and(|m| m.credential == *expected)
        };
        let (_, yes) = self.settle(mrn, carries).await;
        if yes {
            return Ok(());
        }
        let why = format!("{mrn} no longer carries this run's mark; it was left as it is");
        Err((ChangeResult::Failed, why))
    }

    /// Step 4: say on the account that the key is delivered.
    async fn label(&self, wanted: &AccountState, mrn: &Mrn, marks: Marks) -> Result<(), Ended> {
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
        let settled = |account: &LiveAccount| account.marks().as_ref() == Some(&marks);
        match self.seen(written, mrn, settled).await {
            (_, ChangeResult::Done, _) => Ok(()),
            (_, result, detail) => Err((
                result,
                format!(
                    "{detail}; the key of {mrn} is delivered, but its roles are not granted; a \
                     later run replaces the account, unless the key is used until then"
                ),
            )),
        }
    }

    /// Step 5: grant. Only accounts that still carry the mark of this run's delivery.
    async fn grant(&self, bench: &mut Bench<'a>, batch: &[Born]) {
        let mut wanted: BTreeMap<Mrn, RoleSet> = BTreeMap::new();
        let mut taken: BTreeMap<Mrn, Ended> = BTreeMap::new();
        for child in batch {
            let roles = self.plan.changes[child.index]
                .after
                .as_ref()
                .map(|a| a.roles.clone());
            match self.still(&child.mrn, &child.delivered).await {
                Ok(()) => {
                    wanted.insert(child.mrn.clone(), roles.unwrap_or_default());
                }
                Err(ended) => {
                    taken.insert(child.mrn.clone(), ended);
                }
            }
        }
        let grants: BTreeMap<Mrn, RoleSet> = wanted
            .iter()
            .filter(|(_, roles)| !roles.is_empty())
            .map(|(mrn, roles)| (mrn.clone(), roles.clone()))
            .collect();
        let answer = if grants.is_empty() {
            Ok(BTreeMap::new())
        } else {
            self.set_roles(bench.scope, &grants).await
        };
        for child in batch {
            let change = &self.plan.changes[child.index];
            let (result, detail) = match (taken.remove(&child.mrn), grants.get(&child.mrn)) {
                (Some(ended), _) => ended,
                (None, None) => (ChangeResult::Done, child.note.clone()),
                (None, Some(roles)) => match self.granted(&answer, &child.mrn, roles).await {
                    (ChangeResult::Done, detail) if detail.is_empty() => {
                        (ChangeResult::Done, child.note.clone())
                    }
                    (ChangeResult::Done, detail) => (ChangeResult::Done, detail),
                    (result, detail) => (
                        result,
                        format!("{detail}; its key is delivered, the next run grants the roles"),
                    ),
                },
            };
            self.end(bench, child.index, result, detail);
            let entry = bench
                .results
                .entry(child.index)
                .or_insert_with(|| ChangeOutcome::new(change, result, String::new()));
            entry.account = Some(child.mrn.clone());
            entry.delivered_to.clone_from(&change.deliver_to);
        }
    }

    /// Removes an account of which nothing can become. `otherwise` says what happens to it if
    /// that fails.
    async fn give_up(&self, change: &Change, mrn: &Mrn, why: &str, otherwise: &str) -> Ended {
        match self.remove(change, mrn).await {
            None => (ChangeResult::Failed, format!("{why}; it was removed again")),
            Some(left) => (ChangeResult::Failed, format!("{why}; {left}{otherwise}")),
        }
    }

    /// Removes an account that this run has just created. `None` if it is gone, else a fragment
    /// that says what is left.
    async fn remove(&self, change: &Change, mrn: &Mrn) -> Option<String> {
        let mrns = [mrn.clone()];
        let answer = self
            .write(async || self.world.delete(&change.scope, &mrns).await)
            .await;
        match self.gone(&answer, mrn).await {
            (ChangeResult::Done, _) => None,
            (_, why) => Some(format!("{mrn} could not be removed again ({why})")),
        }
    }
}

/// What happens to an account with our marks that could not be removed.
const REMOVES_LATER: &str = "; a later run removes it";

fn fallback(least: &Role) -> String {
    format!("the platform gives no account without roles, so it was born with role {least}")
}
