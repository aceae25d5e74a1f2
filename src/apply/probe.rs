//! What destinations hold before a birth or a redelivery: whether they take a key, and whether it would take the
//! place of one that is still of use.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use super::outcome::ChangeResult;
use super::run::{Ended, Run};
use crate::model::{Address, DEFAULT_ENDPOINT, Destination, Mrn};
use crate::plan::{Change, Predecessor, Step};
use crate::poll::{Pauses, poll};
use crate::ports::{Found, Probe, SinkError, SinkErrorKind, World};

/// The pauses before a store is asked again whose refusal may pass: rights take minutes.
const ASKED_AGAIN: Pauses = Pauses {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(10),
};

/// Why a store may answer otherwise in a while.
fn may_pass_since(error: &SinkError) -> &'static str {
    match error.kind {
        SinkErrorKind::PermissionDenied => "a right that was given just now takes minutes to count",
        _ => "what is out of reach may be back soon",
    }
}

/// Why an account is not made now.
pub(super) enum NotBorn {
    /// It is not made in this run.
    Ended(Ended),
    /// What goes on has to be finished first.
    Later,
}

/// Why a place takes no key before anything is written.
pub(super) enum NoPlace {
    /// A run that did not end may have written what is there, and nobody can read it: its change waits for a
    /// person, and all others go on.
    Held(String),
    /// Nothing of the plan is begun.
    Ended(Ended),
}

/// Why an account is not made whose key would go nowhere.
pub(super) const NO_DESTINATION: &str = "it has no destination for its key";

impl<W: World> Run<'_, W> {
    /// Asks the destinations of these changes whether they would take a key, a few at a time, and whether
    /// what they hold may be replaced. Accounts that are `going` will be gone by then. Gives the answers in
    /// the order of the plan; `None` stands for one that a stop left unasked.
    pub(super) async fn probe_all(
        &self,
        births: impl Iterator<Item = usize>,
        going: &BTreeSet<&Mrn>,
    ) -> Vec<(usize, Option<Result<Probe, NoPlace>>)> {
        let asked = births.flat_map(|index| {
            let places = self.plan.changes[index].deliver_to.iter();
            places.map(move |to| (index, to))
        });
        stream::iter(asked)
            .map(move |(index, to)| async move {
                if self.world.stop_requested() {
                    return (index, None);
                }
                let change = &self.plan.changes[index];
                let answer = self.probe_in_time(change, to, going).await;
                if let Err(NoPlace::Ended(_)) = &answer {
                    self.hopeless.set(true);
                }
                (index, Some(answer))
            })
            .buffered(self.options.parallelism.max(1))
            .collect()
            .await
    }

    /// Asks one destination before anything is written.
    pub(super) async fn probe_in_time(
        &self,
        change: &Change,
        to: &Destination,
        going: &BTreeSet<&Mrn>,
    ) -> Result<Probe, NoPlace> {
        let ask = async || {
            let found = self.world.probe(to).await?;
            // A login that ends too soon is better known before the beginning; waits are for later.
            self.world.ready(to).await?;
            Ok(found)
        };
        let found = self.in_time(change, to, ask).await;
        let found = found.map_err(NoPlace::Ended)?;
        let unread = found.found == Found::Unreadable;
        let judged = self.judged(to, found, going, &change.predecessors).await;
        judged.map_err(|ended| match self.unended(change, to).filter(|_| unread) {
            Some(run) => NoPlace::Held(format!(
                "{to}: what is there cannot be read, and {run} before it died; the store does not tell that from \
                 what others put there, so remove it there, or say overwrite_unreadable = true in the sink if it may \
                 be lost"
            )),
            None => NoPlace::Ended(ended),
        })
    }

    /// A run that did not end and may have written to a place, as far as marks tell; a fragment.
    fn unended(&self, change: &Change, to: &Destination) -> Option<String> {
        match change.step {
            Step::Birth => {
                let mut dead = self.dead_births(&change.address);
                let made = dead.find_map(|(_, dead)| dead.account.as_ref())?;
                Some(format!("the run that made {made} may have written it"))
            }
            // A newest generation whose marks name no version there: they were to be written next.
            Step::Rotate => {
                let newest = change.predecessors.first()?;
                let version = newest.had.get(&to.id()).cloned().flatten();
                version
                    .is_none()
                    .then(|| format!("the run that made {} may have written it", newest.account))
            }
            // The account and its key stay as they are.
            Step::Redeliver => Some("a run may have written it".to_owned()),
            Step::Adopt
            | Step::RemoveDeadBirth
            | Step::Rename
            | Step::Grant
            | Step::Update
            | Step::Revoke
            | Step::Forget
            | Step::Delete => None,
        }
    }

    /// The removals of what dead births of an address left, with their number in the plan.
    pub(super) fn dead_births(&self, of: &Address) -> impl Iterator<Item = (usize, &Change)> {
        let changes = self.plan.changes.iter().enumerate();
        changes.filter(move |(_, change)| {
            change.step == Step::RemoveDeadBirth && change.address == *of
        })
    }

    /// Asks a store something before anything is written, again and again while its refusal may pass and the
    /// time for that is not over.
    pub(super) async fn in_time<T>(
        &self,
        change: &Change,
        to: &Destination,
        ask: impl AsyncFn() -> Result<T, SinkError>,
    ) -> Result<T, Ended> {
        // A file of this machine is as it is.
        let may_pass = |error: &SinkError| error.kind.may_pass() && to.place().file().is_none();
        let wait = self.options.wait;
        let patience = || match self.world.stop_requested() || self.hopeless.get() {
            true => Duration::ZERO,
            false => wait,
        };
        let mut last = None;
        let look = async || match ask().await {
            Err(error) if may_pass(&error) => {
                if last.is_none() && !patience().is_zero() {
                    let seconds = wait.as_secs();
                    self.note(
                        change,
                        format!(
                            "{error}; {}, so it is asked again for {seconds} s",
                            may_pass_since(&error)
                        ),
                    );
                }
                last = Some(error);
                None
            }
            answer => Some(answer),
        };
        let answer = poll(self.world, ASKED_AGAIN, self.began, patience, look).await;
        let failed = |why: String| (ChangeResult::Failed, why);
        match (answer, last) {
            (Some(answer), _) => answer.map_err(|error| failed(error.to_string())),
            (None, Some(error)) if wait.is_zero() => Err(failed(format!(
                "{error}; {}: apply --wait=10m asks again for that long before anything is made",
                may_pass_since(&error)
            ))),
            (None, Some(error)) => Err(failed(format!(
                "{error}; it was asked again for {} s (--wait)",
                self.world.elapsed().saturating_sub(self.began).as_secs()
            ))),
            // It always looks once.
            (None, None) => Err(failed(format!("{to} was not asked"))),
        }
    }

    /// Waits until the stores of all destinations of a birth may be asked. With other keys `in_hand` it does not
    /// wait: those come first.
    pub(super) async fn ready(&self, change: &Change, in_hand: bool) -> Result<(), NotBorn> {
        /// Somebody who asks to stop is heard so soon.
        const SLICE: Duration = Duration::from_secs(2);
        let mut told = false;
        loop {
            let mut left = Duration::ZERO;
            for to in &change.deliver_to {
                let ready = self.world.ready(to).await;
                let ready = ready.map_err(|error| (ChangeResult::Failed, error.to_string()));
                left = left.max(ready.map_err(NotBorn::Ended)?);
            }
            if left.is_zero() {
                return Ok(());
            }
            if in_hand || self.stop() {
                return Err(NotBorn::Later);
            }
            if !told {
                told = true;
                let seconds = left.as_secs() + 1;
                self.note(
                    change,
                    format!("waits {seconds} s for its destination, which takes no more requests for now"),
                );
            }
            self.world.sleep(left.min(SLICE)).await;
        }
    }

    /// Step 1 of a birth: every destination would accept the key, and none holds a key that is still in use.
    /// What the preflight found is not asked of the store again where a write is bound to it; whether it
    /// may be replaced is, since that is the platform's to say.
    pub(super) async fn probe_for_birth(
        &self,
        index: usize,
        change: &Change,
    ) -> Result<Vec<Probe>, Ended> {
        let none_going = BTreeSet::new();
        let former = &change.predecessors;
        let carried = self.probed.borrow_mut().remove(&index).unwrap_or_default();
        let mut carried = carried.into_iter();
        let mut probed = Vec::new();
        for to in &change.deliver_to {
            let probe = match carried.next().flatten() {
                Some(probe) => self.judged(to, probe, &none_going, former).await?,
                None => self.probe(to, &none_going, former).await?,
            };
            self.tell_unreadable(change, to, &probe);
            probed.push(probe);
        }
        Ok(probed)
    }

    /// Says that what a place holds is overwritten though nobody can read it.
    pub(super) fn tell_unreadable(&self, change: &Change, to: &Destination, probe: &Probe) {
        if probe.found == Found::Unreadable {
            let told = format!("{to}: what is there cannot be read and is overwritten");
            self.note(change, told);
        }
    }

    /// Asks one destination, and whether what it holds may be replaced: by a key that takes the place of
    /// those of `former` generations.
    pub(super) async fn probe(
        &self,
        to: &Destination,
        going: &BTreeSet<&Mrn>,
        former: &[Predecessor],
    ) -> Result<Probe, Ended> {
        let found = self.world.probe(to).await;
        let found = found.map_err(|error| (ChangeResult::Failed, error.to_string()))?;
        self.judged(to, found, going, former).await
    }

    /// The probe, if what it found may be replaced.
    async fn judged(
        &self,
        to: &Destination,
        probe: Probe,
        going: &BTreeSet<&Mrn>,
        former: &[Predecessor],
    ) -> Result<Probe, Ended> {
        match self.replaceable(to, &probe, going, former).await {
            Ok(()) => Ok(probe),
            Err(why) => Err((ChangeResult::Failed, format!("{to}: {why}"))),
        }
    }

    /// Whether a new key may take the place of what a destination holds: where that is nothing, the
    /// credential of an account that is no more, or of a former generation of the same account. What cannot
    /// be read is that of a former generation if it still has the version that our last write left there.
    async fn replaceable(
        &self,
        to: &Destination,
        probe: &Probe,
        going: &BTreeSet<&Mrn>,
        former: &[Predecessor],
    ) -> Result<(), String> {
        let left = |former: &Predecessor| {
            let version = former.had.get(&to.id()).cloned().flatten();
            version.is_some() && version == probe.version
        };
        let (other, endpoint) = match &probe.found {
            Found::Nobody => return Ok(()),
            Found::Foreign { what } => return Err(what.clone()),
            // No mark proves what it is: those of an account go with it, and a live one still needs its key.
            Found::Unreadable if to.overwrites_unreadable() => return Ok(()),
            Found::Unreadable if former.iter().any(left) => return Ok(()),
            Found::Unreadable => {
                let why = "something is there that cannot be read, and may be a key in use; move it away, or \
                           say overwrite_unreadable = true in the sink if it may be lost";
                return Err(why.to_owned());
            }
            Found::Account { account, .. } if going.contains(account) => return Ok(()),
            Found::Account { account, endpoint } => (account, endpoint),
        };
        let leads_to = endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
        if self.plan.endpoint != "local" && !same_endpoint(leads_to, &self.plan.endpoint) {
            let at = match endpoint {
                Some(endpoint) => format!("at {endpoint}"),
                None => format!("that names no endpoint and so leads to {DEFAULT_ENDPOINT}"),
            };
            return Err(format!(
                "it holds the key of {other} {at}, which is another platform than this one; move \
                 that key away"
            ));
        }
        if former.iter().any(|former| former.account == *other) {
            return Ok(());
        }
        match self.world.account(other).await {
            Ok(None) if self.read_whole(other) => Ok(()),
            Ok(None) => Err(format!(
                "it holds the key of {other}, of which the platform says that there is none; but \
                 its scope was not read, and what is hidden looks the same; move that key away"
            )),
            Ok(Some(_)) => Err(format!(
                "it holds the key of the live account {other}; move that key away, or delete the \
                 account"
            )),
            Err(error) => Err(format!(
                "it holds the key of {other}, and whether that account is live cannot be told: \
                 {error}"
            )),
        }
    }

    /// Whether the platform showed all accounts of the scope in which one lives, so that its word
    /// for the absence of that one can be taken.
    fn read_whole(&self, account: &Mrn) -> bool {
        account
            .account_scope()
            .is_some_and(|scope| self.plan.annex.scopes.contains_key(&scope))
    }
}

/// Whether two base URLs are one, but for what never matters at their end.
pub(super) fn same_endpoint(one: &str, other: &str) -> bool {
    one.trim_end_matches('/')
        .eq_ignore_ascii_case(other.trim_end_matches('/'))
}
