//! What a check found, as a part of the JSON document.

use serde_json::{Value, json};

use super::keys::destination;
use super::{aged, blocked, caller, in_flight, place, roles, scope, state, unmanaged};
use crate::check::{Cause, Check, Differing, Expiring, Idle, KeyFound, Misplaced, Since, What};
use crate::model::{AccountState, LogEntry};
use crate::plan::Plan;

/// All that a check found.
pub fn check(check: &Check) -> Value {
    let Check {
        plan,
        now,
        drift,
        needs_person,
        not_applied,
        unmanaged: others,
        unused,
        expiring,
        clean_up,
        places,
    } = check;
    let all = |found: &[Differing]| -> Vec<Value> { found.iter().map(|f| one(f, plan)).collect() };
    json!({
        "now": now,
        "stack": plan.stack,
        "platform": { "endpoint": plan.endpoint, "local": plan.endpoint == "local" },
        "caller": caller(&plan.caller),
        "drift": all(drift),
        "needs_person": all(needs_person),
        "not_applied": all(not_applied),
        "in_flight": plan.in_flight.iter().map(in_flight).collect::<Vec<_>>(),
        "generations": plan.annex.generations
            .iter()
            .map(|of| aged(of, &plan.annex))
            .collect::<Vec<_>>(),
        "unmanaged": others.iter().map(|l| unmanaged(l, plan)).collect::<Vec<_>>(),
        "unused": unused
            .as_ref()
            .map(|all| all.iter().map(|i| idle(i, plan)).collect::<Vec<_>>()),
        "expiring": expiring.iter().map(|e| expires(e, plan)).collect::<Vec<_>>(),
        "clean_up": clean_up,
        "places": places
            .as_ref()
            .map(|all| all.iter().map(misplaced).collect::<Vec<_>>()),
        "unread": plan.annex.unread
            .iter()
            .map(|(of, why)| json!({ "scope": scope(of, &plan.annex), "why": why.why }))
            .collect::<Vec<_>>(),
        "unchanged": plan.annex.unchanged,
    })
}

fn one(found: &Differing, plan: &Plan) -> Value {
    let Differing {
        address,
        scope: of,
        account,
        what,
        cause,
        places,
    } = found;
    let none = (None, None, None);
    let (kind, (live, declared, stopped)) = match what {
        What::Differs { live, declared } => ("differs", (Some(live), Some(declared), None)),
        What::Missing { declared } => ("missing", (None, Some(declared), None)),
        What::Undeclared { live } => ("undeclared", (Some(live), None, None)),
        What::Unmanaged { live } => ("unmanaged", (Some(live), None, None)),
        What::ToImport { live } => ("to-import", (Some(live), None, None)),
        What::ToMove { live } => ("to-move", (Some(live), None, None)),
        What::ToForget { live } => ("to-forget", (Some(live), None, None)),
        What::ToSeal => ("to-seal", none),
        What::ToLeave { leaves: _ } => ("to-leave", none),
        What::ToRedeliver { to: _ } => ("to-redeliver", none),
        What::ToRotate { live, declared } => ("to-rotate", (Some(live), Some(declared), None)),
        What::Generation(_) => ("generation", none),
        What::Undelivered { to: _, why: _ } => ("undelivered", none),
        What::Revoked {
            generation: _,
            sealed: _,
        } => ("revoked", none),
        What::Remnant { live } => ("remnant", (Some(live), None, None)),
        What::Blocked(stopped) => ("blocked", (None, None, Some(stopped))),
        What::Gone => ("gone", none),
        What::Expired { until: _ } => ("expired", none),
    };
    let (cause, why, entry) = match cause {
        Cause::Drift(entry) => ("drift", None, Some(entry)),
        Cause::NotApplied(entry) => ("not-applied", None, entry.as_ref()),
        Cause::Own(entry) => ("own", None, entry.as_ref()),
        Cause::Unknown(why) => ("unknown", Some(why), None),
    };
    let state = |of: Option<&AccountState>| of.map(state);
    json!({
        "address": address,
        "scope": scope(of, &plan.annex),
        "account": account,
        "kind": kind,
        "differs": what.attributes(),
        "live": state(live),
        "declared": state(declared),
        "blocked": stopped.map(|stopped| blocked(stopped, &plan.annex)),
        "cause": cause,
        "why": why,
        "last_write": entry.map(write),
        "places": places.iter().map(place).collect::<Vec<_>>(),
    })
}

fn misplaced(one: &Misplaced) -> Value {
    let Misplaced {
        address,
        account,
        at,
        found,
        declared_at,
    } = one;
    let (kind, what) = match found {
        KeyFound::Lost => ("lost", None),
        KeyFound::Foreign(what) => ("foreign", Some(what)),
        KeyFound::WrittenAfter => ("written-after", None),
        KeyFound::Unknown(why) => ("unknown", Some(why)),
    };
    json!({
        "address": address,
        "account": account,
        "at": destination(at),
        "found": kind,
        "what": what,
        "place": declared_at.as_ref().map(place),
    })
}

fn write(entry: &LogEntry) -> Value {
    let LogEntry {
        at,
        identity,
        name,
        action,
        // It is the account, or the log does not tell.
        resource: _,
    } = entry;
    json!({ "at": at, "identity": identity, "name": name, "action": action })
}

fn idle(idle: &Idle, plan: &Plan) -> Value {
    let Idle {
        account,
        custody,
        address,
        since,
    } = idle;
    let (kind, since) = match since {
        Since::Used(at) => ("used", Some(at)),
        Since::Created(at) => ("created", Some(at)),
        Since::Unknown => ("unknown", None),
    };
    json!({
        "address": address,
        "custody": custody,
        "account": account.mrn,
        "scope": scope(&account.scope, &plan.annex),
        "name": account.name,
        "roles": roles(&account.roles),
        "since": since,
        "counted_from": kind,
    })
}

fn expires(expiring: &Expiring, plan: &Plan) -> Value {
    let Expiring {
        address,
        account,
        name,
        scope: of,
        until,
        expired,
    } = expiring;
    json!({
        "address": address,
        "account": account,
        "scope": scope(of, &plan.annex),
        "name": name,
        "until": until,
        "expired": expired,
    })
}
