//! A revocation: which accounts lose which roles, how they are marked, and what became of that.

use std::collections::BTreeMap;

use super::keys::{argument, way_from_revoked};
use super::plan::{changes, local};
use super::text::{ADD, ALARM, CHANGE, DIM, HEAD, paint, push};
use crate::apply::{ChangeResult, Outcome};
use crate::model::Address;
use crate::plan::{Plan, Remains};
use crate::view::inert;
use crate::view::review::Look;
use crate::view::review::words::count;

/// What a revocation takes. `seals`: whether this run seals marks.
pub fn revocation(plan: &Plan, seals: bool) -> String {
    let mut out = String::new();
    local(&mut out, plan);
    changes(&mut out, plan, Look::OWN);
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

/// How a revocation ended, and what each address has now.
pub fn revoked(outcome: &Outcome, remains: &BTreeMap<Address, Remains>) -> String {
    let mut out = String::new();
    let mut done = 0;
    for ended in &outcome.results {
        let (style, how) = match ended.result {
            ChangeResult::Done => (ADD, "revoked"),
            ChangeResult::NotAttempted => (CHANGE, "not revoked"),
            _ => (ALARM, "not known to be revoked"),
        };
        done += usize::from(ended.result == ChangeResult::Done);
        let how = match ended.detail.as_str() {
            "" => how.to_owned(),
            detail => format!("{how}: {detail}"),
        };
        let address = inert(&ended.address.to_string());
        let line = format!(
            "{address} generation {}: {}",
            ended.generation,
            paint(style, &inert(&how))
        );
        push(&mut out, &line);
    }
    let all = outcome.results.len();
    let line = match done == all {
        true => format!("Revoked: {}.", count(done, "account")),
        false => format!("Revoked in part: {done} of {}.", count(all, "account")),
    };
    push(&mut out, &paint(HEAD, &line));
    push(&mut out, "");
    let now = paint(HEAD, "What now:");
    match done == all {
        true => remains.iter().for_each(|(address, left)| {
            push(&mut out, &format!("{now} {}.", goes_on(address, left)));
        }),
        false => push(
            &mut out,
            &format!(
                "{now} run the same command again: it reads what is there, and does what is missing."
            ),
        ),
    }
    out
}

/// What is to be done about an address, or is not.
fn goes_on(address: &Address, left: &Remains) -> String {
    let called = inert(&argument(address));
    match left {
        Remains::Nothing => way_from_revoked(address),
        Remains::Newer {
            generation,
            behind: false,
        } => format!(
            "generation {generation} of {called} goes on with its roles, and nothing wants a new key; \
             `rolecall rotate --due` deletes what was revoked"
        ),
        Remains::Newer {
            generation,
            behind: true,
        } => format!(
            "generation {generation} of {called} goes on with its roles, but some place still has a key that \
             was revoked: `rolecall rotate {called}` makes one more key, for all its places"
        ),
        Remains::Disputed => format!(
            "the account at {called} is not believed to be this stack's, which stands in the way of a new \
             key: `rolecall plan` says how to settle it"
        ),
        Remains::Undeclared => format!(
            "no block declares {called}, and nothing gives it roles again; `rolecall plan` shows what becomes \
             of its account"
        ),
    }
}
