//! What a plan leaves as it is: births elsewhere, and accounts that no apply puts right.

use super::keys::{generation, revoked, undelivered};
use super::text::{ALARM, CHANGE, HEAD, paint, section};
use crate::plan::{Expired, InFlight, Plan};
use crate::view::inert;

/// Births elsewhere.
pub(super) fn in_flight(out: &mut String, plan: &Plan) {
    section(
        out,
        "Being created by another run right now, left alone",
        &plan.in_flight,
        being_born,
    );
    section(
        out,
        "Expired: their keys open nothing any more, and no apply changes that",
        &plan.annex.expired,
        expired,
    );
    section(
        out,
        "Need a new key: their own cannot be read again, and no apply changes that",
        &plan.annex.undelivered,
        undelivered,
    );
    section(
        out,
        "Revoked: their power was taken back, and no apply gives it again",
        &plan.annex.revoked,
        revoked,
    );
    section(
        out,
        "Keys that are replaced by `rolecall rotate`, and by no apply",
        &plan.annex.generations,
        generation,
    );
}

/// An account that another run is creating, and what to do if that run is dead.
pub(super) fn being_born(of: &InFlight) -> Vec<String> {
    let InFlight {
        address,
        account,
        until,
        nonce,
    } = of;
    let mut lines = vec![
        format!(
            "  {} {}",
            paint(CHANGE, "…"),
            paint(HEAD, &inert(&address.to_string()))
        ),
        format!("      account  {}", inert(account.as_str())),
        format!("      if nobody finishes it, a run after {until} takes it for a dead birth"),
    ];
    lines.extend(nonce.as_ref().map(|nonce| {
        format!(
            "      if you know that run to be dead: rolecall apply --resume={}",
            inert(nonce.as_str())
        )
    }));
    lines
}

/// An account that has expired, and what to do about it.
pub(super) fn expired(of: &Expired) -> Vec<String> {
    let Expired {
        address,
        account,
        scope: _,
        until,
        declared_at,
    } = of;
    let mut lines = vec![
        format!(
            "  {} {}",
            paint(ALARM, "!"),
            paint(HEAD, &inert(&address.to_string()))
        ),
        format!("      account  {}", inert(account.as_str())),
        format!("      expired  {until}"),
    ];
    lines.extend(WAYS_FROM_EXPIRY.map(|way| format!("      = {way}")));
    lines.push(format!("      from {}", inert(&declared_at.to_string())));
    lines
}

/// What to do about an account that has expired. The platform fixes the end at birth.
pub(super) const WAYS_FROM_EXPIRY: [&str; 2] = [
    "if it is still needed, give it a later valid_until: another account takes its place, with a new key",
    "if not, remove its block",
];
