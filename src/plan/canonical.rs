//! The canonical form of a plan: what would be done, and nothing of who looked or when.
//! Pure. One form for one plan: keys sorted, nothing between the parts, no order but the plan's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Action, Blocked, Change, Contents, Leaving, Predecessor, Reason, Step};
use crate::diff::Difference;
use crate::model::{
    AccountState, Address, Caller, Destination, Limits, Meant, Mrn, PolicyRef, Scope, SourceRef,
    StackId,
};

/// The version of the canonical form and of plan files.
pub const FORMAT: u32 = 4;

/// What the digest covers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    format: u32,
    pub(super) stack: StackId,
    pub(super) endpoint: String,
    pub(super) meant: Meant,
    pub(super) limits: Limits,
    pub(super) policies: Vec<PolicyRef>,
    pub(super) changes: Vec<Due>,
    pub(super) obstacles: Vec<NamedObstacle>,
}

/// A change, without the marks that it was found under and without places in the configuration.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Due {
    step: Step,
    address: Address,
    generation: u32,
    action: Action,
    reason: Reason,
    scope: Scope,
    account: Option<Mrn>,
    before: Option<AccountState>,
    after: Option<AccountState>,
    moved_from: Option<Address>,
    taken_from: Option<StackId>,
    deliver_to: Vec<Destination>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_from: Option<Destination>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leaves: Vec<Leaving>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    predecessors: Vec<Predecessor>,
}

/// What stands in the way, by kind and account: words about it may be anybody's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedObstacle {
    pub(super) address: Address,
    scope: Scope,
    kind: String,
    accounts: Vec<Mrn>,
}

impl Due {
    fn of(change: &Change) -> Self {
        let Change {
            what:
                Difference {
                    address,
                    generation,
                    action,
                    reason,
                    scope,
                    account,
                    before,
                    after,
                    marks: _,
                    moved_from,
                    deliver_to,
                    key_from,
                    leaves,
                    predecessors,
                    places: _,
                },
            step,
            // The order of the changes says it.
            waits: _,
            // It follows from the states.
            privilege: _,
            taken_from,
        } = change;
        Self {
            step: *step,
            address: address.clone(),
            generation: *generation,
            action: *action,
            reason: *reason,
            scope: scope.clone(),
            account: account.clone(),
            before: before.clone(),
            after: after.clone(),
            moved_from: moved_from.clone(),
            taken_from: taken_from.clone(),
            deliver_to: deliver_to.clone(),
            key_from: key_from.clone(),
            leaves: leaves.clone(),
            predecessors: predecessors.clone(),
        }
    }

    /// The change, with what stood beside it; marks do not travel.
    pub(super) fn change(self, places: Vec<SourceRef>) -> Change {
        let Self {
            // Decided anew, so that nobody else decides it.
            step: _,
            address,
            generation,
            action,
            reason,
            scope,
            account,
            before,
            after,
            moved_from,
            taken_from,
            deliver_to,
            key_from,
            leaves,
            predecessors,
        } = self;
        let what = Difference {
            address,
            generation,
            action,
            reason,
            scope,
            account,
            before,
            after,
            marks: None,
            moved_from,
            deliver_to,
            key_from,
            leaves,
            predecessors,
            places,
        };
        Change::taking(what, taken_from)
    }
}

impl NamedObstacle {
    /// Whether it is that this account has no owner.
    pub(super) fn is_unmanaged(&self, caller: &Caller) -> bool {
        self.kind == "unmanaged" && self.accounts.iter().any(|account| caller.owns(account))
    }

    pub(super) fn of(blocked: &Blocked) -> Self {
        let (kind, accounts) = blocked.block.named();
        Self {
            address: blocked.address.clone(),
            scope: blocked.scope.clone(),
            kind: kind.to_owned(),
            accounts: accounts.into_iter().cloned().collect(),
        }
    }

    /// Those of some obstacles, in order.
    pub(super) fn all(blocked: &[Blocked]) -> Vec<Self> {
        let mut all: Vec<Self> = blocked.iter().map(Self::of).collect();
        all.sort();
        all
    }
}

/// The changes in the order of the canonical form, which is the same whoever planned.
pub(super) fn in_order(changes: &[Change]) -> Vec<&Change> {
    let mut all: Vec<&Change> = changes.iter().collect();
    all.sort_by(|a, b| a.place().cmp(&b.place()));
    all
}

/// The text that the digest is of.
///
/// # Panics
/// If a value has no JSON form, which no part of a plan lacks: a name that more than one plan has must
/// not be given.
pub(super) fn text(contents: &Contents) -> String {
    const CHANGES: &str = "changes";
    let Contents {
        stack,
        endpoint,
        meant,
        limits,
        policies,
        changes,
        blocked,
        // Who looked, with which rights, and what else was seen: beside it.
        caller: _,
        declared: _,
        managed: _,
        sealed: _,
        in_flight: _,
        annex: _,
    } = contents;
    let rest = Form {
        format: FORMAT,
        stack: stack.clone(),
        endpoint: endpoint.clone(),
        meant: meant.clone(),
        limits: *limits,
        policies: policies.clone(),
        changes: Vec::new(),
        obstacles: NamedObstacle::all(blocked),
    };
    let mut members: BTreeMap<String, String> = match sorted(&rest) {
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, value.to_string()))
            .collect(),
        other => return other.to_string(),
    };
    // One by one: as values, many changes at once take many times the room of their text.
    let changes: Vec<String> = in_order(changes)
        .into_iter()
        .map(|change| sorted(&Due::of(change)).to_string())
        .collect();
    members.insert(CHANGES.to_owned(), format!("[{}]", changes.join(",")));
    let members: Vec<String> = members
        .into_iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// The value with the keys of all its objects sorted.
#[expect(
    clippy::expect_used,
    reason = "a name that more than one plan has must not be given"
)]
fn sorted(of: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(of).expect("a plan is made of strings and numbers");
    value.sort_all_objects();
    value
}
