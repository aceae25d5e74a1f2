//! The birth of an account: probe, create without roles, deliver, label, and only then grant.
//! A crash or a lost answer at any point leaves at most one account, without power, marked
//! pending; a later run removes it. The same run never creates again after an unknown answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Bench, ChangeOutcome, ChangeResult, Run};
use crate::model::{
    AccountState, Birth, CredentialMark, IssuedCredential, LiveAccount, Marks, Mrn, Role, RoleSet,
    least_role,
};
use crate::plan::Change;
use crate::ports::{AccountUpdate, Effect, ErrorKind, NewAccount, Probe, World};

/// A birth that came to its end before the grant: how, and a fragment that says more.
pub(super) type Ended = (ChangeResult, String);

/// Births that are at the same step together: one listing looks for twins of all of them, and one
/// call grants their roles. A stop lets this many finish at most.
const LITTER: usize = 10;

/// An account that exists, without power, and whose key is still in our hands alone.
struct Created {
    index: usize,
    credential: IssuedCredential,
    pending: Marks,
    birth: Birth,
    /// What each destination held before.
    probed: Vec<Probe>,
    note: String,
}

/// An account whose key is delivered and labelled, waiting for its roles.
struct Born {
    index: usize,
    mrn: Mrn,
    delivered: CredentialMark,
    note: String,
}

impl<'a, W: World> Run<'a, W> {
    /// Gives birth to the accounts, a few at a time. Gives back what a stop left.
    pub(super) async fn births(&self, bench: &mut Bench<'a>, group: Vec<usize>) -> Vec<usize> {
        let mut rest = group.into_iter().peekable();
        while rest.peek().is_some() {
            let mut created = Vec::new();
            while created.len() < LITTER {
                if self.stop() {
                    break;
                }
                let Some(index) = rest.next() else { break };
                let change = &self.plan.changes[index];
                self.start(change, "creating");
                match self.conceive(index, change).await {
                    Ok(child) => created.push(child),
                    Err((result, detail)) => self.end(bench, index, result, detail),
                }
            }
            if created.is_empty() && self.stop() {
                return rest.collect();
            }
            // What was created is finished even if a stop was asked for: it is in hand.
            let mut born = Vec::new();
            for child in self.only_children(bench, created).await {
                let index = child.index;
                match self.bring_up(child).await {
                    Ok(child) => born.push(child),
                    Err((result, detail)) => self.end(bench, index, result, detail),
                }
            }
            self.grant(bench, &born).await;
        }
        Vec::new()
    }

    /// Steps 1 and 2: probe, create, look.
    async fn conceive(&self, index: usize, change: &Change) -> Result<Created, Ended> {
        let failed = |why: &str| (ChangeResult::Failed, why.to_owned());
        let Some(wanted) = &change.after else {
            return Err(failed("the plan does not say what to create"));
        };
        if self.unmanageable.get() {
            return Err(failed(
                "the platform does not keep labels, so it cannot be managed",
            ));
        }
        let probed = self.probe(&change.deliver_to, &BTreeSet::new()).await?;

        let birth = Birth::new(self.world.nonce(), self.world.platform_time());
        let pending = Marks::pending(
            self.plan.stack.clone(),
            change.address.label(),
            change.generation,
            birth.clone(),
            wanted.valid_until,
        );
        let pending = self.options.seals.sign_birth(Marks {
            written: self.written_by.clone(),
            ..pending
        });
        let mut note = String::new();
        let (credential, sent) = self.create(change, wanted, &pending, &mut note).await?;
        self.inspect(change, wanted, &credential, &pending, &sent, &mut note)
            .await?;
        Ok(Created {
            index,
            credential,
            pending,
            birth,
            probed,
            note,
        })
    }

    /// Lists the scope until it shows the new accounts, and gives up each that has a twin: another
    /// run has created an account for the same address at the same moment. Whichever of the two
    /// shows later sees the other, so at most one of them goes on.
    async fn only_children(&self, bench: &mut Bench<'a>, created: Vec<Created>) -> Vec<Created> {
        if created.is_empty() {
            return created;
        }
        let start = self.world.elapsed();
        let mut pause = Duration::from_millis(200);
        let listed = loop {
            if let Ok(listed) = self.world.accounts(bench.scope).await {
                let shown: BTreeSet<&Mrn> = listed.iter().map(|account| &account.mrn).collect();
                if created
                    .iter()
                    .all(|child| shown.contains(&child.credential.mrn))
                {
                    break Some(listed);
                }
            }
            if self.out_of_patience(start) {
                break None;
            }
            self.world.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(4));
        };
        let mut alone = Vec::new();
        for child in created {
            let why = match &listed {
                None => "the scope's listing does not show the new account".to_owned(),
                Some(listed) => match listed.iter().find(|other| is_twin(other, &child)) {
                    None => {
                        alone.push(child);
                        continue;
                    }
                    Some(twin) => format!(
                        "another run has created {} for this address at the same moment",
                        twin.mrn
                    ),
                },
            };
            let change = &self.plan.changes[child.index];
            let (result, detail) = self
                .give_up(change, &child.credential.mrn, &why, REMOVES_LATER)
                .await;
            self.end(bench, child.index, result, detail);
        }
        alone
    }

    /// Steps 3 and 4: deliver, label.
    async fn bring_up(&self, child: Created) -> Result<Born, Ended> {
        let Created {
            index,
            credential,
            pending,
            birth,
            probed,
            note,
        } = child;
        let change = &self.plan.changes[index];
        let Some(wanted) = &change.after else {
            return Err((
                ChangeResult::Failed,
                "the plan does not say what to create".to_owned(),
            ));
        };
        let destinations = self.deliver(change, &credential, &birth, probed).await?;
        let delivered = CredentialMark::Delivered {
            fingerprint: credential.fingerprint.clone(),
            nonce: birth.nonce,
            destinations,
        };
        let marks = Marks {
            credential: delivered.clone(),
            protected: wanted.protected,
            described: pending.described.by(wanted.description.as_deref()),
            ..pending
        };
        let marks = self.options.seals.seal(&credential.mrn, marks);
        self.label(wanted, &credential.mrn, marks).await?;
        Ok(Born {
            index,
            mrn: credential.mrn,
            delivered,
            note,
        })
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
            if self.out_of_patience(start) {
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
        let (found, _) = self
            .settle(mrn, self.world.elapsed(), |account| account.is_some())
            .await;
        let found = found.ok().flatten();
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
        self.granted(&answer, mrn, roles, self.world.elapsed())
            .await
            .0
            == ChangeResult::Done
    }

    /// Checks that the account still carries the mark this run put there.
    pub(super) async fn still(&self, mrn: &Mrn, expected: &CredentialMark) -> Result<(), Ended> {
        let carries = |account: Option<&LiveAccount>| {
            account
                .and_then(LiveAccount::marks)
                .is_some_and(|m| m.credential == *expected)
        };
        let (found, yes) = self.settle(mrn, self.world.elapsed(), carries).await;
        if yes {
            return Ok(());
        }
        let why = match found {
            Ok(_) => format!("{mrn} no longer carries this run's mark; it was left as it is"),
            Err(error) => format!("{mrn} could not be read again, and was left as it is: {error}"),
        };
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
        match self.seen(written, mrn, self.world.elapsed(), settled).await {
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
        let start = self.world.elapsed();
        for child in batch {
            let change = &self.plan.changes[child.index];
            let (result, detail) = match (taken.remove(&child.mrn), grants.get(&child.mrn)) {
                (Some(ended), _) => ended,
                (None, None) => (ChangeResult::Done, child.note.clone()),
                (None, Some(roles)) => {
                    match self.granted(&answer, &child.mrn, roles, start).await {
                        (ChangeResult::Done, detail) if detail.is_empty() => {
                            (ChangeResult::Done, child.note.clone())
                        }
                        (ChangeResult::Done, detail) => (ChangeResult::Done, detail),
                        (result, detail) => {
                            let known = match result {
                                ChangeResult::Failed => "it exists, but without its roles: ",
                                _ => "",
                            };
                            let rest = "its key is delivered, the next run grants the roles";
                            (result, format!("{known}{detail}; {rest}"))
                        }
                    }
                }
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
    pub(super) async fn remove(&self, change: &Change, mrn: &Mrn) -> Option<String> {
        let mrns = [mrn.clone()];
        let answer = self
            .write(async || self.world.delete(&change.scope, &mrns).await)
            .await;
        match self.gone(&answer, mrn, self.world.elapsed()).await {
            (ChangeResult::Done, _) => None,
            (_, why) => Some(format!("{mrn} could not be removed again ({why})")),
        }
    }
}

/// What happens to an account with our marks that could not be removed.
pub(super) const REMOVES_LATER: &str = "; a later run removes it";

/// Whether a listed account is another one for the same address.
fn is_twin(other: &LiveAccount, child: &Created) -> bool {
    other.mrn != child.credential.mrn
        && other.marks().is_some_and(|marks| {
            let Marks {
                stack,
                address,
                generation,
                credential: _,
                expires: _,
                protected: _,
                described: _,
                retiring: _,
                revoked: _,
                written: _,
                seal: _,
            } = marks;
            stack == child.pending.stack
                && address == child.pending.address
                && generation == child.pending.generation
        })
}

fn fallback(least: &Role) -> String {
    format!("the platform gives no account without roles, so it was born with role {least}")
}
