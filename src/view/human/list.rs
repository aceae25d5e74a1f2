//! Live accounts: many in a table, one with all that is known of it.

use std::fmt::Write as _;

use super::keys::revoked;
use super::obstacle;
use super::standing::expired;
use super::table::{columns, table};
use super::text::{ALARM, CHANGE, DIM, HEAD, paint};
use crate::model::{
    CredentialMark, Described, DesiredAccount, Keeper, Labels, LiveAccount, Marking, RoleSet,
    Scope, ScopeInfo, same_name,
};
use crate::plan::{Action, Blocked, Expired, Plan, Revoked};
use crate::view::inert;
use crate::view::review::words::{count, quoted};

/// The widest value that stands beside another one.
const BESIDE: usize = 36;

/// One live account with what was found about it.
#[derive(Clone, Debug)]
pub struct Listed<'a> {
    /// The account.
    pub account: &'a LiveAccount,
    /// Its scope.
    pub scope: Option<&'a ScopeInfo>,
    /// Whose it is.
    pub custody: Keeper,
    /// More of that, a fragment.
    pub note: Option<String>,
    /// Its name in the configuration, if it is managed, or if its marks claim one.
    pub address: Option<String>,
}

/// The table of some accounts out of `total`, in the order given.
pub fn list(rows: &[Listed<'_>], total: usize) -> String {
    let columns = columns([
        ("NAME", 40),
        ("SCOPE", 50),
        ("ROLES", 30),
        ("CUSTODY", 9),
        ("LAST USED", 10),
        ("CREATED", 10),
        ("ADDRESS", 60),
    ]);
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let account = row.account;
            vec![
                inert(&account.name),
                scope(&account.scope, row.scope),
                roles(&account.roles),
                row.custody.to_string(),
                day(account.last_used),
                day(account.created_at),
                match (&row.address, &row.note) {
                    // What speaks against a claim says more than what it claims.
                    (Some(address), _)
                        if !matches!(row.custody, Keeper::Disputed | Keeper::Newer) =>
                    {
                        inert(address)
                    }
                    (_, Some(note)) => format!("({})", inert(note)),
                    (_, None) => String::new(),
                },
            ]
        })
        .collect();
    let mut out = String::new();
    if !rows.is_empty() {
        out.push_str(&table(&columns, &lines));
        if rows.iter().any(|row| row.account.last_used.is_none()) {
            out.push_str("\n-  never used, or the platform does not tell\n");
        }
        out.push('\n');
    }
    let mut parts = Vec::new();
    for custody in Keeper::ALL {
        let n = rows.iter().filter(|row| row.custody == custody).count();
        if n > 0 {
            parts.push(format!("{n} {custody}"));
        }
    }
    let mut line = if rows.len() == total {
        count(total, "account")
    } else {
        format!("{} of {}", rows.len(), count(total, "account"))
    };
    if !parts.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(line, ": {}", parts.join(", "));
    }
    let _ = writeln!(out, "{}", paint(HEAD, &format!("{line}.")));
    out
}

fn scope(scope: &Scope, info: Option<&ScopeInfo>) -> String {
    match info {
        Some(info) if !info.name.is_empty() => format!("{scope} ({})", inert(&info.name)),
        _ => scope.to_string(),
    }
}

pub(super) fn roles(roles: &RoleSet) -> String {
    let shown: Vec<String> = roles.iter().map(|role| inert(role.short())).collect();
    if shown.is_empty() {
        "none".to_owned()
    } else {
        shown.join(", ")
    }
}

fn day(time: Option<jiff::Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.strftime("%F").to_string())
}

pub(super) fn labels(labels: &Labels) -> String {
    let shown: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{} = {}", inert(key), quoted(value)))
        .collect();
    if shown.is_empty() {
        "none".to_owned()
    } else {
        shown.join(", ")
    }
}

/// Everything about one account: what is declared beside what is live, and what stands in the way of the
/// plan that is due.
pub fn show(
    address: Option<&str>,
    desired: Option<&DesiredAccount>,
    live: &[Listed<'_>],
    hidden: Option<&Scope>,
    plan: &Plan,
    power: impl Fn(&RoleSet, &Scope) -> String,
) -> String {
    let mut out = String::new();
    let title = address.map_or_else(|| "Not in this configuration".to_owned(), inert);
    push(&mut out, &paint(HEAD, &title));
    if let Some(desired) = desired {
        field(
            &mut out,
            "declared",
            &inert(&desired.declared_at.to_string()),
        );
        if let Some(import) = &desired.import {
            let text = format!("{} by the block at {}", import.mrn, import.declared_at);
            field(&mut out, "imports", &inert(&text));
        }
        for to in &desired.deliver_to {
            field(&mut out, "key goes to", &inert(&to.to_string()));
        }
    } else {
        field(&mut out, "declared", "no");
    }
    match (live.is_empty(), hidden) {
        (true, Some(scope)) => {
            let text = format!("not known: {scope} could not be read");
            field(&mut out, "live", &paint(ALARM, &text));
        }
        (true, None) => field(&mut out, "live", absent(address, plan)),
        (false, _) => {}
    }
    if live.len() > 1 {
        let text = format!(
            "{} carry this one address",
            count(live.len(), "live account")
        );
        field(&mut out, "live", &paint(ALARM, &text));
    }
    if let (Some(desired), true) = (desired, live.is_empty()) {
        push(&mut out, "");
        out.push_str(&beside(Some(desired), None));
    }
    let here = |blocked: &&Blocked| address == Some(blocked.address.to_string().as_str());
    for blocked in plan.blocked.iter().filter(here) {
        push(&mut out, "");
        for line in obstacle::blocked(blocked, plan) {
            push(&mut out, &line);
        }
    }
    let over = |of: &&Expired| address == Some(of.address.to_string().as_str());
    for of in plan.annex.expired.iter().filter(over) {
        push(&mut out, "");
        for line in expired(of) {
            push(&mut out, &line);
        }
    }
    let here = |of: &&Revoked| address == Some(of.address.to_string().as_str());
    for of in plan.annex.revoked.iter().filter(here) {
        push(&mut out, "");
        for line in revoked(of) {
            push(&mut out, &line);
        }
    }
    for listed in live {
        push(&mut out, "");
        one(&mut out, desired, listed, &power);
    }
    out
}

/// What becomes of a declared account that is not there.
fn absent(address: Option<&str>, plan: &Plan) -> &'static str {
    let mut births = plan.changes.iter().filter(|c| c.action == Action::Create);
    if births.any(|change| address == Some(change.address.to_string().as_str())) {
        "no: the next apply creates it"
    } else {
        "no, and no apply creates it as things are"
    }
}

fn one(
    out: &mut String,
    desired: Option<&DesiredAccount>,
    listed: &Listed<'_>,
    power: &impl Fn(&RoleSet, &Scope) -> String,
) {
    let account = listed.account;
    field(out, "account", &inert(account.mrn.as_str()));
    let custody = match &listed.note {
        Some(note) => format!("{}: {}", listed.custody, inert(note)),
        None => listed.custody.to_string(),
    };
    let style = if listed.custody == Keeper::Disputed {
        paint(ALARM, &custody)
    } else {
        custody
    };
    field(out, "custody", &style);
    field(out, "lives in", &scope(&account.scope, listed.scope));
    let can = format!(
        "{} can {}",
        quoted(&account.name),
        power(&account.roles, &account.scope)
    );
    field(out, "power", &can);
    let time = |time: Option<jiff::Timestamp>, without: &str| {
        time.map_or_else(|| without.to_owned(), |time| time.to_string())
    };
    field(out, "created", &time(account.created_at, "not told"));
    let creator = account.creator.as_deref().unwrap_or("not told");
    field(out, "creator", &inert(creator));
    let used = time(account.last_used, "never, or the platform does not tell");
    field(out, "last used", &used);
    push(out, "");
    out.push_str(&beside(desired, Some(account)));
    push(out, "");
    marks(out, desired, account);
}

/// The attributes, declared and live side by side.
fn beside(desired: Option<&DesiredAccount>, live: Option<&LiveAccount>) -> String {
    let state = live.map(LiveAccount::state);
    let unmanaged = || "left as it is".to_owned();
    let text = |text: Option<&String>| text.map_or_else(|| "none".to_owned(), |t| quoted(t));
    let until = |time: Option<jiff::Timestamp>, none: &str| {
        time.map_or_else(|| none.to_owned(), |time| time.to_string())
    };
    let rows = [
        (
            "name",
            desired.map(|d| quoted(&d.name)),
            state.as_ref().map(|s| quoted(&s.name)),
        ),
        (
            "scope",
            desired.map(|d| d.scope.to_string()),
            live.map(|l| l.scope.to_string()),
        ),
        (
            "description",
            desired.map(|d| match &d.description {
                Some(text) if text.is_empty() => "\"\" (none)".to_owned(),
                Some(text) => quoted(text),
                None => unmanaged(),
            }),
            state.as_ref().map(|s| text(s.description.as_ref())),
        ),
        (
            "roles",
            desired.map(|d| roles(&d.roles)),
            state.as_ref().map(|s| roles(&s.roles)),
        ),
        (
            "labels",
            desired.map(|d| d.labels.as_ref().map_or_else(unmanaged, labels)),
            state.as_ref().map(|s| labels(&s.labels)),
        ),
        (
            "valid until",
            desired.map(|d| until(d.valid_until, "no end")),
            state.as_ref().map(|s| until(s.valid_until, "not told")),
        ),
    ];
    let one_name = desired
        .zip(live)
        .is_some_and(|(d, l)| same_name(&d.name, &l.name));
    let description = desired.and_then(|d| d.description.as_deref()).zip(live);
    let one_description = description.is_some_and(|(wanted, live)| {
        let described = live.marks().map_or(Described::No, |marks| marks.described);
        described.fits(wanted, live.description.as_deref())
    });
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, declared, live)| {
            let differs = match (&declared, &live) {
                _ if name == "name" && one_name => false,
                _ if name == "description" && one_description => false,
                (Some(a), Some(b)) => a != b && *a != unmanaged() && name != "valid until",
                _ => false,
            };
            vec![
                name.to_owned(),
                declared.unwrap_or_else(|| "-".to_owned()),
                live.unwrap_or_else(|| "-".to_owned()),
                if differs { "differs" } else { "" }.to_owned(),
            ]
        })
        .collect();
    let columns = columns([("", 11), ("DECLARED", BESIDE), ("LIVE", BESIDE), ("", 8)]);
    let lines = table(&columns, &rows);
    lines.lines().map(|line| format!("  {line}\n")).collect()
}

/// What our labels on it say, decoded.
fn marks(out: &mut String, desired: Option<&DesiredAccount>, account: &LiveAccount) {
    let marks = match account.labels.marking() {
        Marking::Unmarked => {
            field(out, "marks", "none");
            return;
        }
        Marking::Later { needs, .. } => {
            let text = format!("written by rolecall {} or later; update", inert(needs));
            field(out, "marks", &paint(CHANGE, &text));
            return;
        }
        Marking::Damaged { why, .. } => {
            field(
                out,
                "marks",
                &paint(CHANGE, &format!("damaged: {}", inert(why))),
            );
            return;
        }
        Marking::Marked(marks) => marks,
    };
    field(out, "stack", &marks.stack.to_string());
    field(out, "address", &inert(marks.address.as_str()));
    field(out, "generation", &marks.generation.to_string());
    match &marks.credential {
        CredentialMark::External => {
            field(out, "key", "held elsewhere: the account was imported");
        }
        CredentialMark::Pending(_) => {
            field(out, "key", "not delivered yet: the account is being born");
        }
        CredentialMark::Delivered {
            fingerprint,
            nonce: _,
            destinations,
        } => {
            let text = format!("fingerprint {}", inert(fingerprint.as_str()));
            field(out, "key", &text);
            let places = desired.map(|d| d.deliver_to.as_slice()).unwrap_or_default();
            for (id, at) in destinations {
                match places.iter().find(|to| to.id() == *id) {
                    Some(to) => field(out, "delivered", &inert(&to.to_string())),
                    None => {
                        let text = format!(
                            "a {} of identity {id}, which the configuration does not name today",
                            at.kind
                        );
                        field(out, "delivered", &paint(CHANGE, &text));
                    }
                }
            }
        }
    }
    if let Some(expires) = marks.expires {
        field(out, "expires", &expires.to_string());
    }
    if let Some(since) = marks.retiring {
        field(out, "retiring", &format!("since {since}"));
    }
    match (marks.revoked, marks.revoked_unsealed) {
        (true, _) => field(out, "revoked", "yes"),
        (false, true) => field(out, "revoked", "yes, by a label without a seal"),
        (false, false) => {}
    }
    if let Some(commit) = marks.written.commit() {
        field(out, "commit", commit);
    }
    if let Some(plan) = marks.written.plan() {
        field(out, "plan", &format!("sha256:{plan}…"));
    }
}

fn field(out: &mut String, name: &str, value: &str) {
    let name = paint(DIM, &format!("{name:<11}"));
    push(out, &format!("  {name}  {value}"));
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}
