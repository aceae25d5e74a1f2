//! How the changes of a plan ended, as a part of the document.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::keys::destination;
use crate::apply::{ChangeOutcome, Outcome};
use crate::plan::Rest;

/// How far a reviewed plan was done before this run.
pub fn rest(rest: Rest) -> Value {
    let Rest { done, of } = rest;
    json!({ "done": done, "of": of })
}

/// How each change ended, in the plan's order.
pub fn outcome(outcome: &Outcome) -> Value {
    let Outcome {
        results,
        in_flight,
        // Their results say so.
        held: _,
        written,
        interrupted,
    } = outcome;
    let counts: BTreeMap<String, usize> = outcome
        .counts()
        .into_iter()
        .filter_map(|(result, n)| Some((json!(result).as_str()?.to_owned(), n)))
        .collect();
    json!({
        "complete": outcome.complete(),
        "written": written,
        "interrupted": interrupted,
        "in_flight": in_flight,
        "results": results.iter().map(ended).collect::<Vec<_>>(),
        "summary": counts,
    })
}

fn ended(ended: &ChangeOutcome) -> Value {
    let ChangeOutcome {
        address,
        generation,
        action,
        result,
        detail,
        account,
        delivered_to,
    } = ended;
    json!({
        "address": address,
        "generation": generation,
        "action": action,
        "result": result,
        "detail": detail,
        "account": account,
        "delivered_to": delivered_to.iter().map(destination).collect::<Vec<_>>(),
    })
}
