//! A revocation: which accounts lose which roles, how they are marked, and what became of that.

use super::outcome::outcome as results;
use super::plan::{changes, local};
use super::text::{DIM, HEAD, count, paint, push};
use crate::apply::{ChangeResult, Outcome};
use crate::plan::Plan;
use crate::view::inert;

/// What a revocation takes. `seals`: whether this run seals marks.
pub fn revocation(plan: &Plan, seals: bool) -> String {
    let mut out = String::new();
    local(&mut out, plan);
    changes(&mut out, plan);
    push(
        &mut out,
        &paint(
            HEAD,
            "Marked as revoked, so that no apply grants them roles again:",
        ),
    );
    push(&mut out, "");
    for change in &plan.changes {
        let account = change.account.as_ref();
        let account = account.map_or_else(String::new, |mrn| inert(mrn.as_str()));
        let how = match (&change.marks, seals) {
            (Some(_), true) => "under the seal",
            (Some(_), false) => {
                "by a label without a seal, which whoever may write labels can take away"
            }
            (None, _) => "by a label without a seal, since its marks are not believed",
        };
        push(
            &mut out,
            &format!(
                "  {} generation {}  {account}\n      {how}",
                inert(&change.address.to_string()),
                change.generation
            ),
        );
    }
    push(&mut out, "");
    let accounts = count(plan.changes.len(), "account");
    let line =
        format!("Revoke: {accounts}; nothing else is changed, and keys stay where they are.");
    push(&mut out, &paint(HEAD, &line));
    push(
        &mut out,
        &paint(DIM, &format!("Revocation digest: sha256:{}", plan.digest())),
    );
    out
}

/// How a revocation ended.
pub fn revoked(outcome: &Outcome) -> String {
    let mut out = results(outcome, &[]);
    let done = outcome
        .results
        .iter()
        .all(|r| r.result == ChangeResult::Done);
    let addresses: std::collections::BTreeSet<String> = outcome
        .results
        .iter()
        .map(|r| super::keys::way_from_revoked(&r.address))
        .collect();
    push(&mut out, "");
    match done {
        true => addresses.into_iter().for_each(|way| {
            push(&mut out, &format!("{} {way}.", paint(HEAD, "What now:")));
        }),
        false => push(
            &mut out,
            &format!(
                "{} run the same command again: it reads what is there, and does what is missing.",
                paint(HEAD, "What now:")
            ),
        ),
    }
    out
}
