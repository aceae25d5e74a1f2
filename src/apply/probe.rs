//! What destinations hold before a birth: whether they take a key, and whether it would take the
//! place of one that is still of use.

use std::collections::BTreeSet;

use super::birth::Ended;
use super::{ChangeResult, Run};
use crate::model::{DEFAULT_ENDPOINT, Destination, Mrn};
use crate::ports::{Probe, World};

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
            let failed = |why: String| (ChangeResult::Failed, format!("{destination}: {why}"));
            let found = self.world.probe(destination).await;
            match &found {
                Err(error) => return Err((ChangeResult::Failed, error.message.clone())),
                Ok(Probe::Free) => {}
                Ok(Probe::Holds { account, .. }) if going.contains(account) => {}
                Ok(Probe::Holds { endpoint, account })
                    if self.plan.endpoint != "local"
                        && !same_endpoint(
                            endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT),
                            &self.plan.endpoint,
                        ) =>
                {
                    let at = match endpoint {
                        Some(endpoint) => format!("at {endpoint}"),
                        None => {
                            format!("that names no endpoint and so leads to {DEFAULT_ENDPOINT}")
                        }
                    };
                    return Err(failed(format!(
                        "it holds the key of {account} {at}, which is another platform than this \
                         one; move that key away"
                    )));
                }
                Ok(Probe::Holds { account: other, .. }) => match self.world.account(other).await {
                    Ok(None) if self.read_whole(other) => {}
                    Ok(None) => {
                        return Err(failed(format!(
                            "it holds the key of {other}, of which the platform says that there \
                             is none; but its scope was not read, and what is hidden looks the \
                             same; move that key away"
                        )));
                    }
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
            probed.extend(found);
        }
        Ok(probed)
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
fn same_endpoint(one: &str, other: &str) -> bool {
    one.trim_end_matches('/')
        .eq_ignore_ascii_case(other.trim_end_matches('/'))
}
