//! Instances that may only have another key: a plan deletes one and creates another that is the same else.
//! Pure.

use std::collections::BTreeMap;

use super::natural::by_address;
use crate::model::{Address, RoleSet, Scope};
use crate::plan::{Action, Change, Plan, Reason};

/// Pairs of a deleted and a created instance of one block, in one scope and with the same roles, where there is
/// no other one to pair: the former and the new address.
pub fn renamed(plan: &Plan) -> Vec<(&Address, &Address)> {
    type Same<'p> = (&'p str, &'p Scope, &'p RoleSet);
    let mut pairs: BTreeMap<Same<'_>, (Vec<&Change>, Vec<&Change>)> = BTreeMap::new();
    for change in plan
        .changes
        .iter()
        .filter(|change| change.address.key.is_some())
    {
        let name = change.address.name.as_str();
        match (change.action, change.reason, &change.before, &change.after) {
            (Action::Delete, Reason::Undeclared, Some(before), _) => {
                let pair = pairs
                    .entry((name, &change.scope, &before.roles))
                    .or_default();
                pair.0.push(change);
            }
            (Action::Create, Reason::Declared, _, Some(after)) => {
                let pair = pairs
                    .entry((name, &change.scope, &after.roles))
                    .or_default();
                pair.1.push(change);
            }
            _ => {}
        }
    }
    let mut found: Vec<(&Address, &Address)> = pairs
        .into_values()
        .filter_map(|(gone, new)| match (&gone[..], &new[..]) {
            ([gone], [new]) => Some((&gone.address, &new.address)),
            _ => None,
        })
        .collect();
    found.sort_by(|a, b| by_address(a.0, b.0));
    found
}
