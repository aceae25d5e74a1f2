//! The birth of an account: probe, create without roles, deliver, label, and only then grant.
//! A crash or a lost answer at any point leaves at most one account, without power, marked
//! pending; a later run removes it. The same run never creates again after an unknown answer.

use std::collections::{BTreeMap, BTreeSet};

use super::fresh::REMOVES_LATER;
use super::outcome::{ChangeOutcome, ChangeResult};
use super::probe::{NO_DESTINATION, NotBorn};
use super::run::{Ended, Run, ScopeRun, Spare};
use crate::model::{
    AccountState, Birth, CredentialMark, IssuedCredential, LiveAccount, Marks, Mrn, Role, RoleSet,
    least_role,
};
use crate::plan::Change;
use crate::poll::Pauses;
use crate::ports::{AccountUpdate, Effect, ErrorKind, NewAccount, Probe, World};

/// Births of a scope that are at the same step together, as far as so many keys may be on their way: one listing
/// looks for twins of all of them, and one call grants their roles. A stop lets this many finish at most.
const BIRTHS_AT_ONCE: usize = 10;

/// An account that exists, without power, and whose key is still in our hands alone.
pub(super) struct Created<'k> {
    pub(super) index: usize,
    /// Its room among the keys that are on their way, where it is not the one that the scope always has.
    spare: Option<Spare<'k>>,
    pub(super) credential: IssuedCredential,
    pub(super) pending: Marks,
    pub(super) birth: Birth,
    /// What each destination held before.
    pub(super) probed: Vec<Probe>,
    pub(super) note: String,
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
    pub(super) async fn births(
        &self,
        scope_run: &mut ScopeRun<'a>,
        group: Vec<usize>,
    ) -> Vec<usize> {
        let mut rest = group.into_iter().peekable();
        let mut started = None;
        while rest.peek().is_some() {
            let mut created: Vec<Created<'_>> = Vec::new();
            while created.len() < BIRTHS_AT_ONCE {
                if self.stop() {
                    break;
                }
                let Some(index) = rest.peek().copied() else {
                    break;
                };
                let in_hand = !created.is_empty();
                let spare = match in_hand {
                    true => self.keys.spare(),
                    false => None,
                };
                if in_hand && spare.is_none() {
                    break;
                }
                let change = &self.plan.changes[index];
                if started.replace(index) != Some(index) {
                    self.start(change, "creating");
                }
                match self.begin_birth(index, change, in_hand).await {
                    Ok(one) => created.push(Created { spare, ..one }),
                    Err(NotBorn::Ended((result, detail))) => {
                        self.end(scope_run, index, result, detail);
                    }
                    Err(NotBorn::Later) => break,
                }
                rest.next();
            }
            if created.is_empty() && self.stop() {
                return rest.collect();
            }
            // What was created is finished even if a stop was asked for: it is in hand.
            let mut born = Vec::new();
            for one in self.without_twins(scope_run, created).await {
                let index = one.index;
                match self.finish_birth(one).await {
                    Ok(one) => born.push(one),
                    Err((result, detail)) => self.end(scope_run, index, result, detail),
                }
            }
            self.grant(scope_run, &born).await;
        }
        Vec::new()
    }

    /// Steps 1 and 2: probe, create, look. Other keys may be `in_hand`.
    pub(super) async fn begin_birth(
        &self,
        index: usize,
        change: &Change,
        in_hand: bool,
    ) -> Result<Created<'_>, NotBorn> {
        let failed = |why: &str| NotBorn::Ended((ChangeResult::Failed, why.to_owned()));
        let Some(wanted) = &change.after else {
            return Err(failed("the plan does not say what to create"));
        };
        if self.unmanageable.get() {
            return Err(failed(
                "the platform does not keep labels, so it cannot be managed",
            ));
        }
        if change.deliver_to.is_empty() {
            return Err(failed(NO_DESTINATION));
        }
        self.ready(change, in_hand).await?;
        let probed = self.probe_for_birth(index, change).await;
        let probed = probed.map_err(NotBorn::Ended)?;
        // No other await comes before the request that makes the key.
        self.ready(change, in_hand).await?;
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
        let created = self.create(change, wanted, &pending, &mut note).await;
        let (credential, sent) = created.map_err(NotBorn::Ended)?;
        self.inspect(change, wanted, &credential, &pending, &sent, &mut note)
            .await
            .map_err(NotBorn::Ended)?;
        Ok(Created {
            index,
            spare: None,
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
    pub(super) async fn without_twins<'k>(
        &self,
        scope_run: &mut ScopeRun<'a>,
        created: Vec<Created<'k>>,
    ) -> Vec<Created<'k>> {
        if created.is_empty() {
            return created;
        }
        let start = self.world.elapsed();
        let listed = self
            .poll(Pauses::LONG, start, async || {
                let listed = self.world.accounts(scope_run.scope).await.ok()?;
                let shown: BTreeSet<&Mrn> = listed.iter().map(|account| &account.mrn).collect();
                let all = created
                    .iter()
                    .all(|one| shown.contains(&one.credential.mrn));
                all.then_some(listed)
            })
            .await;
        let mut alone = Vec::new();
        for one in created {
            let why = match &listed {
                None => "the scope's listing does not show the new account".to_owned(),
                Some(listed) => match listed.iter().find(|other| is_twin(other, &one)) {
                    None => {
                        alone.push(one);
                        continue;
                    }
                    Some(twin) => format!(
                        "another run has created {} for this address at the same moment",
                        twin.mrn
                    ),
                },
            };
            let change = &self.plan.changes[one.index];
            let (result, detail) = self
                .give_up(change, &one.credential.mrn, &why, REMOVES_LATER)
                .await;
            self.end(scope_run, one.index, result, detail);
        }
        alone
    }

    /// Steps 3 and 4: deliver, label.
    async fn finish_birth(&self, one: Created<'_>) -> Result<Born, Ended> {
        let Created {
            index,
            spare,
            credential,
            pending,
            birth,
            probed,
            note,
        } = one;
        let change = &self.plan.changes[index];
        let Some(wanted) = &change.after else {
            return Err((
                ChangeResult::Failed,
                "the plan does not say what to create".to_owned(),
            ));
        };
        let destinations = self.deliver(change, &credential, &birth, probed).await?;
        drop(spare);
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
        let taken = matches!(
            &answer,
            Err(error) if error.kind == ErrorKind::AlreadyExists && error.effect == Effect::None
        );
        if taken && self.free_name(change).await? {
            answer = self.write(async || self.world.create(&account).await).await;
        }
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
        let mut namesake = None;
        let found = self
            .poll(Pauses::LONG, start, async || {
                let listed = self.world.accounts(&change.scope).await.ok()?;
                let marked = listed.iter().find(|a| a.marks() == Some(pending));
                let found = marked.map(|account| account.mrn.clone());
                let former = |mrn: &Mrn| change.predecessors.iter().any(|of| of.account == *mrn);
                namesake = listed
                    .into_iter()
                    .find(|a| a.scope == change.scope && a.name == name && !former(&a.mrn))
                    .map(|account| account.mrn);
                found
            })
            .await;
        if let Some(mrn) = found {
            return match self.remove(change, &mrn).await {
                None => (
                    ChangeResult::Failed,
                    format!(
                        "{why}; the account was found and removed again, since its key was lost with \
                         the answer"
                    ),
                ),
                Some(left) => (
                    ChangeResult::Unknown,
                    format!("{why}; {left}{REMOVES_LATER}"),
                ),
            };
        }
        let seconds = self.options.grace.as_secs();
        let showed = match namesake {
            None => "; if one shows later, a later run removes it".to_owned(),
            Some(mrn) => format!(
                ", but {mrn} has its name; if this run created that, the platform does not keep \
                 labels: delete it by hand"
            ),
        };
        let detail =
            format!("{why}; no account with this run's mark showed within {seconds} s{showed}");
        (ChangeResult::Unknown, detail)
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
        if found.marks() != Some(pending) {
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

    /// Step 4: say on the account that the key is delivered.
    pub(super) async fn label(
        &self,
        wanted: &AccountState,
        mrn: &Mrn,
        marks: Marks,
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
        let settled = |account: &LiveAccount| account.marks() == Some(&marks);
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
    async fn grant(&self, scope_run: &mut ScopeRun<'a>, batch: &[Born]) {
        let mut wanted: BTreeMap<Mrn, RoleSet> = BTreeMap::new();
        let mut taken: BTreeMap<Mrn, Ended> = BTreeMap::new();
        for one in batch {
            let roles = self.plan.changes[one.index]
                .after
                .as_ref()
                .map(|a| a.roles.clone());
            match self.still(&one.mrn, &one.delivered).await {
                Ok(()) => {
                    wanted.insert(one.mrn.clone(), roles.unwrap_or_default());
                }
                Err(ended) => {
                    taken.insert(one.mrn.clone(), ended);
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
            self.set_roles(scope_run.scope, &grants).await
        };
        let start = self.world.elapsed();
        for one in batch {
            let change = &self.plan.changes[one.index];
            let (result, detail) = match (taken.remove(&one.mrn), grants.get(&one.mrn)) {
                (Some(ended), _) => ended,
                (None, None) => (ChangeResult::Done, one.note.clone()),
                (None, Some(roles)) => match self.granted(&answer, &one.mrn, roles, start).await {
                    (ChangeResult::Done, detail) if detail.is_empty() => {
                        (ChangeResult::Done, one.note.clone())
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
                },
            };
            self.end(scope_run, one.index, result, detail);
            let entry = scope_run
                .results
                .entry(one.index)
                .or_insert_with(|| ChangeOutcome::new(change, result, String::new()));
            entry.account = Some(one.mrn.clone());
            entry.delivered_to.clone_from(&change.deliver_to);
        }
    }
}

/// Whether a listed account is another one for the same address.
fn is_twin(other: &LiveAccount, one: &Created<'_>) -> bool {
    other.mrn != one.credential.mrn
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
                revoked_unsealed: _,
                written: _,
                seal: _,
            } = marks;
            *stack == one.pending.stack
                && *address == one.pending.address
                && *generation == one.pending.generation
        })
}

fn fallback(least: &Role) -> String {
    format!("the platform gives no account without roles, so it was born with role {least}")
}
