//! What destinations hold before a birth or a redelivery: whether they take a key, and whether it would take the
//! place of one that is still of use.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _};

use super::outcome::ChangeResult;
use super::run::{Ended, Run};
use crate::model::{DEFAULT_ENDPOINT, Destination, Mrn};
use crate::plan::Change;
use crate::ports::{Found, Probe, World};

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
    ) -> Vec<(usize, Option<Result<Probe, Ended>>)> {
        let asked = births.flat_map(|index| {
            let places = self.plan.changes[index].deliver_to.iter();
            places.map(move |to| (index, to))
        });
        stream::iter(asked)
            .map(move |(index, to)| async move {
                if self.world.stop_requested() {
                    return (index, None);
                }
                (index, Some(self.probe(to, going).await))
            })
            .buffered(self.options.parallelism.max(1))
            .collect()
            .await
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
        let carried = self.probed.borrow_mut().remove(&index).unwrap_or_default();
        let mut carried = carried.into_iter();
        let mut probed = Vec::new();
        for to in &change.deliver_to {
            let probe = match carried.next().flatten() {
                Some(probe) => self.judged(to, probe, &none_going).await?,
                None => self.probe(to, &none_going).await?,
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

    /// Asks one destination, and whether what it holds may be replaced.
    pub(super) async fn probe(
        &self,
        to: &Destination,
        going: &BTreeSet<&Mrn>,
    ) -> Result<Probe, Ended> {
        let found = self.world.probe(to).await;
        let found = found.map_err(|error| (ChangeResult::Failed, error.to_string()))?;
        self.judged(to, found, going).await
    }

    /// The probe, if what it found may be replaced.
    async fn judged(
        &self,
        to: &Destination,
        probe: Probe,
        going: &BTreeSet<&Mrn>,
    ) -> Result<Probe, Ended> {
        match self.replaceable(to, &probe, going).await {
            Ok(()) => Ok(probe),
            Err(why) => Err((ChangeResult::Failed, format!("{to}: {why}"))),
        }
    }

    /// Whether a key that is born may take the place of what a destination holds: where that is nothing, or
    /// the credential of an account that is no more. The account of this birth is new, so that none of
    /// what is there can be its own.
    async fn replaceable(
        &self,
        to: &Destination,
        probe: &Probe,
        going: &BTreeSet<&Mrn>,
    ) -> Result<(), String> {
        let (other, endpoint) = match &probe.found {
            Found::Nobody => return Ok(()),
            Found::Foreign { what } => return Err(what.clone()),
            // No mark proves what it is: those of an account go with it, and a live one still needs its key.
            Found::Unreadable if to.overwrites_unreadable() => return Ok(()),
            Found::Unreadable => {
                // A run that died may have left it, and nothing tells it from what others put there.
                let or = match going.is_empty() {
                    true => "",
                    false => " or what a birth left that did not end",
                };
                return Err(format!(
                    "something is there that cannot be read, and may be a key in use{or}; move it away, \
                     or say overwrite_unreadable = true in the sink if it may be lost"
                ));
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
