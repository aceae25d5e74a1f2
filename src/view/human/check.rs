//! What a check found: drift with its author, what waits for an apply, and accounts to look at.

use super::keys::{
    UNSEALED_REVOCATION, WAY_FROM_UNDELIVERED, generation, stands, way_from_revoked,
};
use super::list::{labels, roles};
use super::obstacle;
use super::plan::left_alone;
use super::standing::{WAYS_FROM_EXPIRY, being_born};
use super::table::{columns, table};
use super::text::{ALARM, CHANGE, DIM, HEAD, paint};
use crate::check::{Cause, Check, Differing, Expiring, Idle, KeyFound, Misplaced, Since, What};
use crate::model::{AccountState, Destination, LogEntry};
use crate::plan::{Leaving, Plan};
use crate::view::inert;
use crate::view::review::named as scope;
use crate::view::review::words::{count, quoted, unmanaged};

/// The whole report.
pub fn check(check: &Check) -> String {
    let plan = &check.plan;
    let mut out = String::new();
    let (unknown, drift): (Vec<&Differing>, Vec<&Differing>) = split(check);
    let (person, pending) = (&check.needs_person, &check.not_applied);
    section(
        &mut out,
        "Drift: not as declared, and not by an apply",
        drift.into_iter().map(|found| one(found, plan)),
    );
    section(
        &mut out,
        "Perhaps drift: not as declared, and nobody can tell whose work it is",
        unknown.into_iter().map(|found| one(found, plan)),
    );
    section(
        &mut out,
        "Needs a person: no apply puts this right",
        person.iter().map(|found| one(found, plan)),
    );
    section(
        &mut out,
        "Not applied yet: the configuration changed, nobody else did anything",
        pending.iter().map(|found| one(found, plan)),
    );
    section(
        &mut out,
        "Keys that are not where they should be",
        check.places.iter().flatten().map(misplaced),
    );
    let flying = plan.in_flight.iter().map(being_born);
    section(&mut out, "Being created by another run right now", flying);
    let aged = plan.annex.generations.iter();
    let aged = aged.filter(|of| !of.standing.needs_person());
    section(
        &mut out,
        "Keys that `rolecall rotate --due` replaces or ends",
        aged.map(generation),
    );
    if !check.unmanaged.is_empty() {
        left_alone(&mut out, plan);
    }
    if let Some(unused) = &check.unused {
        idle(&mut out, unused, plan);
    }
    expiring(&mut out, &check.expiring, plan);
    let clean_up = check.clean_up.iter();
    let clean_up = clean_up.map(|told| vec![format!("  {}", inert(told))]);
    section(&mut out, "To know about the platform", clean_up);
    let unread = plan.annex.unread.iter().map(|(scope, unread)| {
        let why = inert(&unread.why);
        let named = unread.why.contains(scope.id());
        vec![if named {
            format!("  {why}")
        } else {
            format!("  {scope}: {why}")
        }]
    });
    section(&mut out, "Not read, so nothing is known of them", unread);
    push(&mut out, &paint(HEAD, &summary(check)));
    if !check.drift.is_empty() {
        let way = "The next apply puts it back as declared; or declare what is there now.";
        push(&mut out, &paint(DIM, way));
    }
    out
}

/// What drifted: that of which nobody can tell, and that of which the log tells who did it.
fn split(check: &Check) -> (Vec<&Differing>, Vec<&Differing>) {
    let unknown = |found: &&Differing| matches!(found.cause, Cause::Unknown(_));
    check.drift.iter().partition(unknown)
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

fn section(out: &mut String, title: &str, items: impl Iterator<Item = Vec<String>>) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    push(out, &paint(HEAD, &format!("{title}:")));
    push(out, "");
    for lines in items {
        for line in lines {
            push(out, &line);
        }
        push(out, "");
    }
}

fn one(found: &Differing, plan: &Plan) -> Vec<String> {
    let sign = match found.cause {
        Cause::NotApplied(_) => paint(CHANGE, "~"),
        Cause::Drift(_) | Cause::Own(_) | Cause::Unknown(_) => paint(ALARM, "!"),
    };
    let address = match &found.what {
        What::Unmanaged { live } => unmanaged(&live.name, found.account.as_ref()),
        _ => inert(&found.address.to_string()),
    };
    let mut lines = vec![format!("  {sign} {}", paint(HEAD, &address))];
    let mut field = |name: &str, value: String| lines.push(format!("      {name:<12} {value}"));
    if let Some(account) = &found.account {
        field("account", inert(account.as_str()));
    }
    field("scope", scope(&found.scope, &plan.annex));
    for (name, value) in what(found, plan) {
        field(name, value);
    }
    match &found.cause {
        Cause::Drift(entry) | Cause::NotApplied(Some(entry)) | Cause::Own(Some(entry)) => {
            field("last write", wrote(entry));
        }
        Cause::NotApplied(None) => field("waits for", "the next apply".to_owned()),
        Cause::Own(None) => {}
        Cause::Unknown(why) => field("last write", format!("unknown: {}", inert(why))),
    }
    if !found.places.is_empty() {
        let places = found.places.iter().map(|place| inert(&place.to_string()));
        field("from", places.collect::<Vec<_>>().join(", "));
    }
    lines
}

/// A place that does not hold the key that it should, and what to do about it.
fn misplaced(one: &Misplaced) -> Vec<String> {
    const ANEW: &str = "take the place out of deliver_to and apply, then put it back: the key is delivered \
         again from another place, if one has it";
    let Misplaced {
        address,
        account,
        at,
        found,
        declared_at,
    } = one;
    let (what, way) = match found {
        KeyFound::Lost => ("nothing is there".to_owned(), Some(ANEW)),
        KeyFound::Foreign(what) => (inert(what), Some(ANEW)),
        KeyFound::WrittenAfter => (
            "written by someone after us: its version is not the one that our last write left"
                .to_owned(),
            Some(ANEW),
        ),
        KeyFound::Unknown(why) => (format!("unknown: {}", inert(why)), None),
    };
    let mut lines = vec![format!(
        "  {} {}",
        paint(ALARM, "!"),
        paint(HEAD, &inert(&address.to_string()))
    )];
    let mut field = |name: &str, value: String| lines.push(format!("      {name:<12} {value}"));
    field("account", inert(account.as_str()));
    field("place", inert(&at.to_string()));
    field("found", what);
    if let Some(way) = way {
        field("way out", way.to_owned());
    }
    if let Some(declared_at) = declared_at {
        field("from", inert(&declared_at.to_string()));
    }
    lines
}

/// What differs, one field each.
fn what(found: &Differing, plan: &Plan) -> Vec<(&'static str, String)> {
    let what = &found.what;
    let known = |state: &AccountState, how: &str| {
        vec![
            ("name", quoted(&state.name)),
            ("roles", roles(&state.roles)),
            ("differs", how.to_owned()),
        ]
    };
    match what {
        What::Differs { live, declared } => differences(what, live, declared),
        What::Missing { declared } => known(declared, "declared, and not on the platform"),
        What::Undeclared { live } => known(
            live,
            "on the platform under this stack's marks, and not declared",
        ),
        What::Unmanaged { live } => known(
            live,
            "no stack has marked it, and an unmanaged block asks to delete it",
        ),
        What::ToImport { live } => known(live, "an import block names it; it is not taken over"),
        What::ToMove { live } => known(live, "a moved block names it; it is not moved yet"),
        What::ToForget { live } => known(live, "a removed block gives it up; it is still managed"),
        What::ToSeal => vec![(
            "differs",
            "its marks are not sealed with the present key".to_owned(),
        )],
        What::ToLeave { leaves } => vec![(
            "differs",
            format!(
                "its key is at {}, which deliver_to does not name",
                inert(
                    &leaves
                        .iter()
                        .map(Leaving::called)
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            ),
        )],
        What::ToRedeliver { to } => vec![(
            "differs",
            format!(
                "its key is not at {}, and is to be delivered there",
                places(to)
            ),
        )],
        What::ToRotate { live, declared } => {
            let mut all = differences(what, live, declared);
            let how = "what cannot be changed on a live account: a new one takes its place";
            all.push(("differs", how.to_owned()));
            all
        }
        What::Generation(of) => {
            let (how, way) = stands(of);
            let way = way.map(|way| ("way out", way));
            std::iter::once(("differs", how)).chain(way).collect()
        }
        What::Undelivered { to, why } => vec![
            (
                "differs",
                format!("it needs a new key for {}: {}", places(to), inert(why)),
            ),
            ("way out", WAY_FROM_UNDELIVERED.to_owned()),
        ],
        What::Revoked { generation, sealed } => {
            let marked = match sealed {
                true => String::new(),
                false => format!(", {UNSEALED_REVOCATION}"),
            };
            vec![
                (
                    "differs",
                    format!("the power of its generation {generation} was taken back{marked}"),
                ),
                ("way out", way_from_revoked(&found.address)),
            ]
        }
        What::Remnant { live } => known(
            live,
            "left without power by a run that died before its key was delivered",
        ),
        What::Gone => vec![
            (
                "differs",
                "its space is gone, or hidden from this login, or its id is mistyped".to_owned(),
            ),
            ("way out", "what is said of that space".to_owned()),
        ],
        What::Expired { until } => vec![
            (
                "differs",
                format!("it expired at {until}: its key opens nothing any more"),
            ),
            ("way out", WAYS_FROM_EXPIRY.join("; ")),
        ],
        What::Blocked(blocked) => vec![
            ("differs", obstacle::sentence(blocked, plan)),
            (
                "way out",
                "`rolecall plan` shows what settles it".to_owned(),
            ),
        ],
    }
}

fn places(of: &[Destination]) -> String {
    let places: Vec<String> = of.iter().map(|to| inert(&to.to_string())).collect();
    places.join(", ")
}

fn differences(
    what: &What,
    live: &AccountState,
    declared: &AccountState,
) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    if live.name == declared.name {
        all.push(("name", quoted(&live.name)));
    }
    for attribute in what.attributes() {
        let show = |state: &AccountState| match attribute {
            "name" => quoted(&state.name),
            "description" => state
                .description
                .as_deref()
                .map_or_else(|| "none".to_owned(), quoted),
            "labels" => labels(&state.labels),
            "roles" => roles(&state.roles),
            "protected" if state.protected => "yes".to_owned(),
            "protected" => "no".to_owned(),
            _ => state
                .valid_until
                .map_or_else(|| "none".to_owned(), |until| until.to_string()),
        };
        let name = if attribute == "valid_until" {
            "valid until"
        } else {
            attribute
        };
        all.push((name, format!("live     {}", show(live))));
        all.push(("", format!("declared {}", show(declared))));
    }
    all
}

/// Who wrote, when and what, in the log's words made harmless.
fn wrote(entry: &LogEntry) -> String {
    let who = match (&entry.name, &entry.identity) {
        (Some(name), Some(mrn)) => format!("by {} ({})", quoted(name), inert(mrn.as_str())),
        (Some(name), None) => format!("by {}", quoted(name)),
        (None, Some(mrn)) => format!("by {}", inert(mrn.as_str())),
        (None, None) => "by somebody whom the audit log does not name".to_owned(),
    };
    let when = entry.at.map_or_else(
        || "at a time that the audit log does not tell".to_owned(),
        |at| format!("at {at}"),
    );
    match entry.verb() {
        "" => format!("{who} {when}"),
        verb => format!("{who} {when}: {}", inert(verb)),
    }
}

fn idle(out: &mut String, unused: &[Idle], plan: &Plan) {
    if unused.is_empty() {
        return;
    }
    push(out, &paint(HEAD, "Unused:"));
    push(out, "");
    let rows: Vec<Vec<String>> = unused
        .iter()
        .map(|idle| {
            let account = &idle.account;
            let since = match idle.since {
                Since::Used(at) => format!("last used {}", at.strftime("%F")),
                Since::Created(at) => format!("never used, created {}", at.strftime("%F")),
                Since::Unknown => "unknown: the platform tells neither use nor creation".to_owned(),
            };
            vec![
                named(&account.name, account.mrn.as_str()),
                scope(&account.scope, &plan.annex),
                roles(&account.roles),
                since,
                match &idle.address {
                    Some(address) => inert(&address.to_string()),
                    None => format!("({})", idle.custody),
                },
            ]
        })
        .collect();
    let columns = columns([
        ("NAME", 40),
        ("SCOPE", 50),
        ("ROLES", 30),
        ("SINCE", 40),
        ("ADDRESS", 60),
    ]);
    out.push_str(&table(&columns, &rows));
    push(out, "");
}

/// A name may be null, and something must tell which account it is.
fn named(name: &str, mrn: &str) -> String {
    inert(if name.is_empty() { mrn } else { name })
}

fn expiring(out: &mut String, all: &[Expiring], plan: &Plan) {
    if all.is_empty() {
        return;
    }
    push(out, &paint(HEAD, "Expired, or soon:"));
    push(out, "");
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|one| {
            let how = match (one.expired, &one.account) {
                (true, Some(_)) => "expired",
                (true, None) => "expired, and not there",
                (false, Some(_)) => "expires",
                (false, None) => "expires, and not there",
            };
            vec![
                inert(&one.address.to_string()),
                inert(&one.name),
                scope(&one.scope, &plan.annex),
                how.to_owned(),
                one.until.to_string(),
            ]
        })
        .collect();
    let columns = columns([
        ("ADDRESS", 60),
        ("NAME", 40),
        ("SCOPE", 50),
        ("", 22),
        ("AT", 30),
    ]);
    out.push_str(&table(&columns, &rows));
    push(out, "");
}

fn summary(check: &Check) -> String {
    let plan = &check.plan;
    let expired = check.expiring.iter().filter(|one| one.expired).count();
    let (unknown, drift) = split(check);
    let parts: Vec<String> = [
        (drift.len(), "drifted"),
        (unknown.len(), "perhaps drifted"),
        (check.needs_person.len(), "for a person"),
        (check.places.as_ref().map_or(0, Vec::len), "misplaced keys"),
        (check.not_applied.len(), "not applied yet"),
        (plan.in_flight.len(), "being created"),
        (check.unmanaged.len(), "unmanaged"),
        (check.unused.as_ref().map_or(0, Vec::len), "unused"),
        (expired, "expired"),
        (check.expiring.len() - expired, "expiring soon"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    let declared = count(plan.annex.unchanged, "account");
    let mut line = match (parts.is_empty(), check.partial()) {
        (true, false) => "Check: clean".to_owned(),
        (true, true) => "Check: nothing found in what was read".to_owned(),
        (false, _) => format!("Check: {}", parts.join(", ")),
    };
    let unread = plan.annex.unread.len();
    if unread > 0 {
        line.push_str(&format!("; {} not read", count(unread, "scope")));
    }
    format!("{line}; {declared} as declared.")
}
