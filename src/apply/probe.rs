//! What destinations hold before a birth: whether they take a key, and whether it would take the
//! place of one that is still of use.

use std::collections::BTreeSet;

use super::outcome::ChangeResult;
use super::run::{Ended, Run};
use crate::model::{DEFAULT_ENDPOINT, Destination, Mrn};
use crate::ports::{Found, Probe, World};

impl<W: World> Run<'_, W> {
    /// Step 1: every destination would accept the key, and none holds a key that is still in use.
    /// Accounts that are `going` will be gone by then.
    pub(super) async fn probe(
        &self,
        destinations: &[Destination],
        going: &BTreeSet<&Mrn>,
    ) -> Result<Vec<Probe>, Ended> {
        if destinations.is_empty() {
            let why = "it has no destination for its key".to_owned();
            return Err((ChangeResult::Failed, why));
        }
        let mut probed = Vec::new();
        for destination in destinations {
            let found = self.world.probe(destination).await;
            let found = found.map_err(|error| (ChangeResult::Failed, error.to_string()))?;
            if let Err(why) = self.replaceable(&found, going).await {
                return Err((ChangeResult::Failed, format!("{destination}: {why}")));
            }
            probed.push(found);
        }
        Ok(probed)
    }

    /// Whether a key that is born may take the place of what a destination holds: where that is nothing, or
    /// the credential of an account that is no more. The account of this birth is new, so that none of
    /// what is there can be its own.
    async fn replaceable(&self, probe: &Probe, going: &BTreeSet<&Mrn>) -> Result<(), String> {
        let (other, endpoint) = match &probe.found {
            Found::Nobody => return Ok(()),
            Found::Foreign { what } => return Err(what.clone()),
            Found::Unreadable => {
                return Err(
                    "something is there that cannot be read, and may be a key in use; move it away"
                        .to_owned(),
                );
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
