//! Functions on sets.

use super::signature::{CallError, Function, Outcome, items_of};
use crate::lang::Type;
use crate::lang::value::Value;

/// The most combinations `setproduct` makes.
const MAX_PRODUCT: usize = 100_000;

pub(super) fn add(table: &mut Vec<Function>) {
    let set = || Type::set(Type::Any);
    table.extend([
        Function::new("setunion", "what is in any of the sets", set(), |a| {
            Ok(Value::set(
                (0..a.len())
                    .flat_map(|at| items_of(a, at))
                    .cloned()
                    .collect(),
            ))
        })
        .arg("set", set())
        .rest("sets", set()),
        Function::new(
            "setintersection",
            "what is in all of the sets",
            set(),
            |a| {
                let in_all = |item: &&Value| (1..a.len()).all(|at| has(items_of(a, at), item));
                Ok(Value::set(
                    items_of(a, 0).iter().filter(in_all).cloned().collect(),
                ))
            },
        )
        .arg("set", set())
        .rest("sets", set()),
        Function::new(
            "setsubtract",
            "what is in the first and not in the second",
            set(),
            |a| {
                let kept = items_of(a, 0)
                    .iter()
                    .filter(|item| !has(items_of(a, 1), item));
                Ok(Value::set(kept.cloned().collect()))
            },
        )
        .arg("set", set())
        .arg("without", set()),
        Function::new(
            "setproduct",
            "all combinations",
            Type::list(Type::Any),
            setproduct,
        )
        .rest("sets", Type::Any),
    ]);
}

fn has(set: &[Value], wanted: &Value) -> bool {
    set.binary_search_by(|item| item.order(wanted)).is_ok()
}

fn setproduct(a: &[Value]) -> Outcome {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    if a.len() < 2 {
        return Err(CallError::call("at least two lists or sets are required"));
    }
    for (at, value) in a.iter().enumerate() {
        let Some(items) = value.as_items() else {
            return Err(CallError::argument(at, "a list or set is required"));
        };
        if rows.len().saturating_mul(items.len()) > MAX_PRODUCT {
            return Err(CallError::call(format!(
                "more than {MAX_PRODUCT} combinations"
            )));
        }
        rows = rows
            .iter()
            .flat_map(|row| {
                items.iter().map(move |item| {
                    let mut row = row.clone();
                    row.push(item.clone());
                    row
                })
            })
            .collect();
    }
    Ok(Value::list(rows.into_iter().map(Value::list).collect()))
}
