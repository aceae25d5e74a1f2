//! The plan: ordered, complete, reasoned changes, and the digest that names it.
//! Pure. A plan says everything; apply chooses nothing.

mod advice;
mod build;
mod clean_up;
mod compare;
mod file;
mod judgement;
mod neighbours;
mod owners;
mod privilege;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::diff::{Action, Block, Blocked, InFlight, LeftAlone, NO_SEAL, Reason};
use crate::model::{
    AccountState, Address, Caller, Destination, Limits, Marks, Mrn, OrgId, PolicyRef, Scope,
    ScopeInfo, SourceRef, StackId, Unread,
};

pub use build::build;
pub use clean_up::Unused;
pub use compare::{Moved, compare, keep_judged};
pub use file::{FileError, read, write};
pub use judgement::{Case, Idle, JudgedAccount, Judgement, Keeper, PolicyInfo, Said, Text};
pub use owners::{OwnersLeft, disowned, owned_less};
pub use privilege::{Exposure, Privilege, Verdict, power};

/// The version of the canonical form.
pub const FORMAT: u32 = 3;

/// One change, with all that apply needs and all that a reviewer asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The account's name in the configuration.
    pub address: Address,
    /// Counts the credentials of one address.
    pub generation: u32,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Where the account lives.
    pub scope: Scope,
    /// The live account; `None` for a create.
    pub account: Option<Mrn>,
    /// The state before; `None` for a create.
    pub before: Option<AccountState>,
    /// The state after; `None` for a delete.
    pub after: Option<AccountState>,
    /// The marks before, if any.
    pub marks: Option<Marks>,
    /// What it means for power.
    pub privilege: Privilege,
    /// The address before, for a move.
    pub moved_from: Option<Address>,
    /// Where the key goes, for a create.
    pub deliver_to: Vec<Destination>,
    /// Where in the configuration it comes from. Not part of the digest.
    #[serde(skip)]
    pub places: Vec<SourceRef>,
}

/// What a plan shows besides what it does. Not part of the digest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annex {
    /// Accounts that this configuration leaves alone, owners first.
    pub left_alone: Vec<LeftAlone>,
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
}

/// All that will be done, in order, and all that stands in the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this form.
    pub format: u32,
    /// The configuration that manages.
    pub stack: StackId,
    /// The API's base URL, or `local`.
    pub endpoint: String,
    /// The identity that planned.
    #[serde(serialize_with = "caller_mrn", deserialize_with = "nameless_caller")]
    pub caller: Caller,
    /// How many accounts the configuration declares.
    pub declared: usize,
    /// How many live accounts are ours.
    pub managed: usize,
    /// Whether the run had a seal key, so that whose an account is was verified.
    pub sealed: bool,
    /// What it is measured by.
    pub limits: Limits,
    /// What every account after it must keep to.
    pub policies: Vec<PolicyRef>,
    /// Whether everything is to be destroyed on purpose.
    pub destroy: bool,
    /// What is done, in the order in which it is done.
    pub changes: Vec<Change>,
    /// What stands in the way: apply refuses while there is any.
    pub blocked: Vec<Blocked>,
    /// Births under way elsewhere, left alone.
    pub in_flight: Vec<InFlight>,
    /// What is shown besides.
    #[serde(skip)]
    pub annex: Annex,
}

impl Annex {
    /// The number of spaces that were found in an organization; `None` for a space, and where a space
    /// could not be read, since it may be one of the organization's.
    pub fn spaces_in(&self, scope: &Scope) -> Option<usize> {
        let Scope::Organization(id) = scope else {
            return None;
        };
        let space = |scope: &Scope| matches!(scope, Scope::Space(_));
        if self.unread.keys().any(space) {
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

fn caller_mrn<S: serde::Serializer>(caller: &Caller, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(caller.mrn.as_str())
}

fn nameless_caller<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Caller, D::Error> {
    Ok(Caller {
        mrn: Mrn::deserialize(deserializer)?,
        name: None,
    })
}

impl Plan {
    /// The canonical JSON: one form for one plan, with all keys sorted and no spaces, without the annex
    /// and without places.
    ///
    /// # Panics
    /// If a value has no JSON form, which no part of a plan lacks: a name that more than one plan has
    /// must not be given.
    pub fn canonical(&self) -> String {
        const CHANGES: &str = "changes";
        let Self {
            format,
            stack,
            endpoint,
            caller,
            declared,
            managed,
            sealed,
            limits,
            policies,
            destroy,
            changes,
            blocked,
            in_flight,
            annex: _,
        } = self;
        let rest = Self {
            format: *format,
            stack: stack.clone(),
            endpoint: endpoint.clone(),
            caller: caller.clone(),
            declared: *declared,
            managed: *managed,
            sealed: *sealed,
            limits: *limits,
            policies: policies.clone(),
            destroy: *destroy,
            changes: Vec::new(),
            blocked: blocked.clone(),
            in_flight: in_flight.clone(),
            annex: Annex::default(),
        };
        let mut members: BTreeMap<String, String> = match sorted(&rest) {
            Value::Object(members) => members
                .into_iter()
                .map(|(k, v)| (k, v.to_string()))
                .collect(),
            other => return other.to_string(),
        };
        // One by one: as values, many changes at once take many times the room of their text.
        let changes: Vec<String> = changes.iter().map(|c| sorted(c).to_string()).collect();
        members.insert(CHANGES.to_owned(), format!("[{}]", changes.join(",")));
        let members: Vec<String> = members
            .into_iter()
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// The plan's name: the SHA-256 of its canonical JSON, in hexadecimal.
    pub fn digest(&self) -> String {
        crate::model::short_digest(self.canonical().as_bytes(), 64)
    }

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

/// The value with the keys of all its objects sorted.
#[allow(clippy::expect_used)]
fn sorted(of: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(of).expect("a plan is made of strings and numbers");
    value.sort_all_objects();
    value
}

#[cfg(test)]
mod tests;
