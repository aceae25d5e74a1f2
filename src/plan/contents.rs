//! All that a plan says.
//! Values only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Action, Blocked, Change, Expired, Generation, InFlight, Judgement, LeftAlone, Past, Revoked,
    Undelivered,
};
use crate::model::{
    Address, Caller, Checkout, Limits, Meant, Mrn, OrgId, PolicyRef, Scope, ScopeInfo, StackId,
    Unread,
};

/// What a plan shows besides what it does. Not part of the digest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annex {
    /// Accounts that this configuration leaves alone, owners first.
    pub left_alone: Vec<LeftAlone>,
    /// Declared accounts that have expired: no plan puts that right.
    pub expired: Vec<Expired>,
    /// Declared accounts that need a new key: no plan puts that right.
    pub undelivered: Vec<Undelivered>,
    /// Generations of keys of which a person should know: `rolecall rotate` alone changes them.
    pub generations: Vec<Generation>,
    /// Declared accounts whose power was taken back: no plan gives it to them again.
    pub revoked: Vec<Revoked>,
    /// Sentences worth telling that change nothing.
    pub notes: Vec<(Address, String)>,
    /// What the platform may object to or do by itself, and who else works in these scopes.
    pub advice: Vec<String>,
    /// Scopes that could not be read.
    pub unread: BTreeMap<Scope, Unread>,
    /// Names of the scopes that were read.
    pub scopes: BTreeMap<Scope, ScopeInfo>,
    /// How many of our accounts carry a seal that could not be checked for want of a key.
    pub unverified: usize,
    /// How many declared accounts are there unchanged.
    pub unchanged: usize,
    /// What the policies said, once they were asked.
    pub judgement: Option<Judgement>,
    /// The owners that are left where the plan takes ownership of an organization away; nothing
    /// where nobody asked.
    pub owners: BTreeMap<OrgId, OwnersLeft>,
    /// The past of accounts that the plan takes something from.
    pub past: BTreeMap<Mrn, Past>,
    /// What the configuration's repository said, once it was asked. It is about the run, so no file of a
    /// plan has it.
    pub checkout: Option<Checkout>,
}

/// All that a plan says: what it does and what it shows besides. [`Contents::settle`] makes the plan of
/// it, which nobody changes any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// The configuration that manages.
    pub stack: StackId,
    /// The API's base URL, or `local`.
    pub endpoint: String,
    /// What who runs it means by it.
    pub meant: Meant,
    /// What it is measured by.
    pub limits: Limits,
    /// What every account after it must keep to.
    pub policies: Vec<PolicyRef>,
    /// What is done. A settled plan has it in the order in which it is done.
    pub changes: Vec<Change>,
    /// What stands in the way: apply refuses while there is any. Not part of the digest but for kind
    /// and accounts.
    pub blocked: Vec<Blocked>,
    /// The identity that planned. Not part of the digest, as all that follows.
    pub caller: Caller,
    /// How many accounts the configuration declares.
    pub declared: usize,
    /// How many live accounts are ours.
    pub managed: usize,
    /// Whether the run had a seal key, so that whose an account is was verified.
    pub sealed: bool,
    /// Births under way elsewhere, left alone.
    pub in_flight: Vec<InFlight>,
    /// What is shown besides.
    pub annex: Annex,
}

impl Annex {
    /// The number of spaces that were found in an organization; `None` for a space, where the
    /// organization was not read, and where a space was not, since it may be one of the organization's.
    pub fn spaces_in(&self, scope: &Scope) -> Option<usize> {
        let Scope::Organization(id) = scope else {
            return None;
        };
        let space = |scope: &Scope| matches!(scope, Scope::Space(_));
        if !self.scopes.contains_key(scope) || self.unread.keys().any(space) {
            return None;
        }
        Some(
            self.scopes
                .values()
                .filter(|info| info.organization.as_ref() == Some(id))
                .count(),
        )
    }
}

impl Contents {
    /// Whether applying the plan would do nothing and nothing stands in the way.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.blocked.is_empty() && self.in_flight.is_empty()
    }

    /// How many changes there are of each kind.
    pub fn count(&self, action: Action) -> usize {
        self.changes
            .iter()
            .filter(|change| change.action == action)
            .count()
    }
}

/// The owners that an organization has after a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnersLeft {
    /// Service accounts, whoever manages them.
    pub accounts: usize,
    /// People, one by one or through a team as far as the platform counts them; or why nobody
    /// knows, a fragment.
    pub people: Result<usize, String>,
}
