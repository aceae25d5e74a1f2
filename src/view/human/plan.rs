//! The plan for a reviewer: what stands in the way, then who gains power and what is lost, then the
//! rest; what does not change is only counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::keys::{leaves, read_by, receiving, store};
use super::standing::in_flight;
use super::text::{
    ADD, ALARM, CHANGE, DIM, HEAD, REMOVE, changed, count, paint, push, quoted, section, unmanaged,
};
use super::{obstacle, refusal};
use crate::model::{AccountState, Destination, Labels, Role, Scope, former_name};
use crate::plan::{
    Action, Annex, Blocked, Change, LeftAlone, Obstacle, Plan, Reason, Verdict, power,
};
use crate::view::inert;

/// Unmanaged accounts that are listed one by one, besides owners, which are always listed.
const LISTED: usize = 10;

/// The whole plan, as the run made it that shows it.
pub fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    local(&mut out, plan);
    in_the_way(&mut out, plan);
    in_flight(&mut out, plan);
    changes(&mut out, plan);
    remarks(&mut out, plan);
    summary(&mut out, plan, true);
    out
}

/// Where it would run, if that is not Mondoo.
pub(super) fn local(out: &mut String, plan: &Plan) {
    if plan.endpoint == "local" {
        push(
            out,
            &paint(
                DIM,
                "LOCAL: against the embedded platform, not Mondoo; keys go to .rolecall/, not to the real places.",
            ),
        );
        push(out, "");
    }
}

/// What apply refuses, with the way out.
pub(super) fn in_the_way(out: &mut String, plan: &Plan) {
    let (strange, blocked): (Vec<&Blocked>, Vec<&Blocked>) =
        (plan.blocked.iter()).partition(|b| matches!(b.block, Obstacle::OtherKey { .. }));
    section(
        out,
        "Under another seal key: first see who changed it, and why",
        strange,
        |b| obstacle::blocked(b, plan),
    );
    section(
        out,
        "In the way: apply refuses until these are settled",
        blocked,
        |b| obstacle::blocked(b, plan),
    );
}

/// What is done, the grave first.
pub(super) fn changes(out: &mut String, plan: &Plan) {
    let (first, rest): (Vec<&Change>, Vec<&Change>) = plan.changes.iter().partition(|c| grave(c));
    section(out, "Who gains power, owners, deletions", &first, |c| {
        change(c, plan)
    });
    let title = if first.is_empty() {
        "Changes"
    } else {
        "Other changes"
    };
    section(out, title, &rest, |c| change(c, plan));
    section(out, "Stores that receive keys", receiving(plan), store);
}

/// What changes nothing.
pub(super) fn remarks(out: &mut String, plan: &Plan) {
    section(
        out,
        "Not read, so nothing in them is deleted",
        &plan.annex.unread,
        |(scope, u)| {
            let named = u.why.contains(scope.id());
            vec![if named {
                format!("  {}", inert(&u.why))
            } else {
                format!("  {scope}: {}", inert(&u.why))
            }]
        },
    );
    section(out, "To know", &plan.annex.notes, |(address, note)| {
        vec![format!(
            "  {}: {}",
            inert(&address.to_string()),
            inert(note)
        )]
    });
    section(
        out,
        "To know about the platform",
        &plan.annex.advice,
        |advice| vec![format!("  {}", inert(advice))],
    );
    refusal::warnings(out, plan);
    left_alone(out, plan);
}

/// Whether a change stands before the others.
fn grave(change: &Change) -> bool {
    change.privilege.verdict == Verdict::Escalation
        || change.privilege.owner
        || change.action == Action::Delete
}

fn change(change: &Change, plan: &Plan) -> Vec<String> {
    let annex = &plan.annex;
    let (sign, style) = match change.action {
        Action::Adopt => ("&", CHANGE),
        Action::Move | Action::Update | Action::UpdatePermissions | Action::Redeliver => {
            ("~", CHANGE)
        }
        Action::Create => ("+", ADD),
        Action::Rotate => ("±", ADD),
        Action::Forget => ("x", CHANGE),
        Action::Delete => ("-", REMOVE),
    };
    let verb = change.action.as_str();
    let mut head = format!(
        "  {} {}",
        paint(style, &format!("{sign} {verb}")),
        paint(HEAD, &title(change))
    );
    match change.privilege.verdict {
        Verdict::Escalation => head.push_str(&format!("  {}", paint(ALARM, "ESCALATION"))),
        Verdict::Reduction => head.push_str(&format!("  {}", paint(DIM, "reduction"))),
        Verdict::Neutral => {}
    }
    if change.privilege.owner {
        head.push_str(&format!("  {}", paint(ALARM, "OWNER")));
    }
    if change.touches(&plan.caller) {
        head.push_str("  this run's own account");
    }
    let mut lines = vec![head];
    let mut field = |name: &str, values: Vec<String>| {
        for (n, value) in values.into_iter().enumerate() {
            let name = if n == 0 { name } else { "" };
            lines.push(format!("      {name:<12} {value}"));
        }
    };
    field("scope", vec![scope(&change.scope, annex)]);
    if let Some(account) = &change.account {
        let former = matches!(change.reason, Reason::Superseded | Reason::Retired);
        let which = match former {
            true => format!(" (generation {})", change.generation),
            false => String::new(),
        };
        field(
            "account",
            vec![format!("{}{which}", inert(account.as_str()))],
        );
    }
    if let Some(from) = &change.moved_from {
        field("was", vec![inert(&from.to_string())]);
    }
    if let Some(stack) = &change.taken_from {
        field("of stack", vec![stack.to_string()]);
    }
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if change.action != Action::Adopt => {
            if before.name == after.name {
                field("name", vec![quoted(&after.name)]);
            }
            for (name, values) in differences(before, after) {
                field(name, values);
            }
        }
        (before, after) => {
            if let Some(state) = after.as_ref().or(before.as_ref()) {
                whole(state, change.action, &mut field);
            }
        }
    }
    if !change.deliver_to.is_empty() {
        let places = change.deliver_to.iter().map(goes_to).collect();
        field("key goes to", places);
    }
    if change.action == Action::Rotate {
        // What the new key opens, where no difference says it.
        let same = change.privilege.gained.is_empty();
        if let Some(after) = change.after.as_ref().filter(|_| same) {
            let can = power(&after.roles, &change.scope, annex.spaces_in(&change.scope));
            field("power", vec![format!("{} can {can}", quoted(&after.name))]);
        }
        field("key", vec![replaced(change)]);
    }
    if let Some(from) = &change.key_from {
        field("key is from", vec![inert(&from.to_string())]);
        let readers = change.deliver_to.iter().map(Destination::readers);
        let widened = change.deliver_to.iter().flat_map(Destination::widened);
        field(
            "read then by",
            read_by(readers.collect(), widened.collect()),
        );
    }
    field("key leaves", change.leaves.iter().map(leaves).collect());
    if let Some(sentence) = consequence(change, annex) {
        field("power", vec![sentence]);
    }
    field("why", vec![why(change)]);
    if !change.places.is_empty() {
        let places: Vec<String> = change
            .places
            .iter()
            .map(|p| inert(&p.to_string()))
            .collect();
        field("from", vec![places.join(", ")]);
    }
    lines
}

/// What becomes of the account whose place a new one takes.
fn replaced(change: &Change) -> String {
    let generation = change.generation;
    let name = change.before.as_ref().map_or("", |before| &before.name);
    format!(
        "generation {generation} takes the place of {}, which goes on beside it until nobody uses it; \
         where no two accounts may have one name, that is renamed to {} first",
        generation.saturating_sub(1),
        quoted(&former_name(name, generation.saturating_sub(1)))
    )
}

/// A place that receives a key, with what becomes of it there.
fn goes_to(to: &Destination) -> String {
    let mut shown = inert(&to.to_string());
    if to.overwrites_unreadable() {
        shown.push_str(", over whatever is there and cannot be read");
    }
    match to.place().file() {
        Some(file) if file.keep => {
            format!("a file on the machine that applies, kept there: {shown}")
        }
        Some(_) => format!("a file on the machine that applies: {shown}"),
        None => shown,
    }
}

/// What a change is about: an address, or the name of an account that has none.
fn title(change: &Change) -> String {
    match (change.reason, &change.before) {
        (Reason::Unmanaged, Some(before)) => unmanaged(&before.name, change.account.as_ref()),
        _ => inert(&change.address.to_string()),
    }
}

/// A scope with its display name.
pub(super) fn scope(scope: &Scope, annex: &Annex) -> String {
    match annex.scopes.get(scope) {
        Some(info) if !info.name.is_empty() => format!("{scope} ({})", inert(&info.name)),
        _ => scope.to_string(),
    }
}

/// All that there is of an account that is created, adopted or deleted.
fn whole(state: &AccountState, action: Action, field: &mut impl FnMut(&str, Vec<String>)) {
    let AccountState {
        name,
        description,
        labels,
        roles,
        valid_until,
        protected,
    } = state;
    field("name", vec![quoted(name)]);
    if let Some(description) = description {
        field("description", vec![quoted(description)]);
    }
    let labels = labels
        .iter()
        .map(|(k, v)| format!("{} = {}", inert(k), quoted(v)))
        .collect();
    field("labels", labels);
    let (sign, style) = match action {
        Action::Create => ("+ ", ADD),
        Action::Delete => ("- ", REMOVE),
        _ => ("", DIM),
    };
    let mut shown: Vec<String> = roles
        .iter()
        .map(|role| paint(style, &format!("{sign}{}", inert(role.short()))))
        .collect();
    if shown.is_empty() {
        shown.push("none".to_owned());
    }
    field("roles", shown);
    if let Some(until) = valid_until {
        field("valid until", vec![until.to_string()]);
    }
    if *protected {
        field("protected", vec!["cannot be deleted".to_owned()]);
    }
}

/// What differs, attribute by attribute.
fn differences(before: &AccountState, after: &AccountState) -> Vec<(&'static str, Vec<String>)> {
    let mut all = Vec::new();
    let AccountState {
        name,
        description,
        labels,
        roles,
        valid_until: _,
        protected,
    } = after;
    if before.name != *name {
        all.push(("name", changed(Some(&before.name), Some(name))));
    }
    if before.description != *description {
        let lines = changed(before.description.as_deref(), description.as_deref());
        all.push(("description", lines));
    }
    if before.labels != *labels {
        all.push(("labels", label_differences(&before.labels, labels)));
    }
    if before.roles != *roles {
        let gained = roles.difference(&before.roles).map(|r| (ADD, "+", r));
        let lost = before.roles.difference(roles).map(|r| (REMOVE, "-", r));
        let mut lines: Vec<String> = gained
            .chain(lost)
            .map(|(style, sign, r)| paint(style, &format!("{sign} {}", inert(r.short()))))
            .collect();
        let kept: Vec<String> = roles
            .intersection(&before.roles)
            .map(|r| inert(r.short()))
            .collect();
        if !kept.is_empty() {
            lines.push(paint(DIM, &format!("  keeps {}", kept.join(", "))));
        }
        all.push(("roles", lines));
    }
    if before.protected != *protected {
        let line = if *protected {
            paint(ADD, "+ cannot be deleted any more")
        } else {
            paint(REMOVE, "- can be deleted again")
        };
        all.push(("protected", vec![line]));
    }
    all
}

fn label_differences(before: &Labels, after: &Labels) -> Vec<String> {
    let keys: BTreeMap<&String, ()> = before.keys().chain(after.keys()).map(|k| (k, ())).collect();
    keys.into_keys()
        .filter_map(|key| match (before.get(key), after.get(key)) {
            (old, new) if old == new => None,
            (None, Some(new)) => Some(paint(ADD, &format!("+ {} = {}", inert(key), quoted(new)))),
            (Some(old), None) => Some(paint(
                REMOVE,
                &format!("- {} = {}", inert(key), quoted(old)),
            )),
            (old, new) => Some(format!(
                "{} = {} → {}",
                inert(key),
                quoted(old.map_or("", String::as_str)),
                quoted(new.map_or("", String::as_str))
            )),
        })
        .collect()
}

/// Who can do what afterwards, as a sentence, where a role moves.
fn consequence(change: &Change, annex: &Annex) -> Option<String> {
    let name = |state: &AccountState| quoted(&state.name);
    let spaces = annex.spaces_in(&change.scope);
    if let (Action::Adopt | Action::Forget, Some(state)) = (change.action, &change.before) {
        return Some(format!(
            "{} can {}, before and after",
            name(state),
            power(&state.roles, &change.scope, spaces)
        ));
    }
    if change.privilege.gained.is_empty() && change.privilege.lost.is_empty() {
        return None;
    }
    // Another account may take the place of one that lives elsewhere.
    let lives = change.account.as_ref().and_then(|mrn| mrn.account_scope());
    let was = lives.as_ref().unwrap_or(&change.scope);
    match (&change.before, &change.after) {
        (None, Some(after)) => Some(format!(
            "{} can {}",
            name(after),
            power(&after.roles, &change.scope, spaces)
        )),
        (Some(before), None) => Some(format!(
            "{} can no longer {}",
            name(before),
            power(&before.roles, &change.scope, spaces)
        )),
        (Some(before), Some(after)) => Some(format!(
            "{} can now {}; before, it could {}",
            name(after),
            power(&after.roles, &change.scope, spaces),
            power(&before.roles, was, annex.spaces_in(was))
        )),
        (None, None) => None,
    }
}

fn why(change: &Change) -> String {
    match change.reason {
        Reason::Declared => "declared, and not on the platform",
        Reason::Undeclared => "on the platform under this stack's marks, and not declared",
        Reason::ScopeUndeclared => {
            "on the platform under this stack's marks, and neither it nor its scope is declared"
        }
        Reason::Differs => "the platform differs from the configuration",
        Reason::ImportRequested => "an import block asks for it; its key stays where it is",
        Reason::TakenOver => {
            "an import block asks for another stack's account, and --take-over allows it; its key \
             stays where it is"
        }
        Reason::MoveRequested => "a moved block asks for it; account and key stay as they are",
        Reason::ReleaseRequested => {
            "a removed block asks for it; account, roles and key stay as they are"
        }
        Reason::Unmanaged => "no stack has marked it, and an unmanaged block asks for it",
        Reason::CredentialPending if change.action == Action::Delete => {
            "left without power by a run that died before its key was delivered"
        }
        Reason::CredentialPending => "takes the place of the account that a dead run left",
        Reason::Unsealed => "its marks carry no seal yet; it is taken for ours, and sealed",
        Reason::SealedBefore => "its marks are sealed with the former key; they are sealed again",
        Reason::DeliverTo => "its key is in other places than deliver_to names",
        Reason::CannotUpdate => {
            "the configuration changed what cannot be changed on a live account, so that another takes \
             its place"
        }
        Reason::RotationRequested => "who runs this asks for a new key",
        Reason::RotationDue => "its key is as old as rotate_after says, or a rotation was not finished",
        Reason::Superseded => {
            "a newer key is in all its places; its overlap begins, and its protection is the newer one's"
        }
        Reason::Retired => {
            "a newer key is in all its places, and the time of this one is over: nobody uses it, or its \
             power was taken back"
        }
        Reason::Revoked => "its power is taken back, and nothing but a new key gives it again",
    }
    .to_owned()
}

/// Who else is there.
pub(super) fn left_alone(out: &mut String, plan: &Plan) {
    let all = &plan.annex.left_alone;
    if all.is_empty() {
        return;
    }
    push(out, &paint(HEAD, "Not managed by this stack, left alone:"));
    push(out, "");
    let owner = |l: &LeftAlone| l.account.roles.iter().any(Role::owns);
    let owners = all.iter().filter(|l| owner(l)).count();
    for left in all.iter().take(owners.max(LISTED)) {
        let account = &left.account;
        let roles: Vec<String> = account.roles.iter().map(|r| inert(r.short())).collect();
        // A name may be null, and something must tell which account it is.
        let name = match account.name.as_str() {
            "" => inert(account.mrn.as_str()),
            name => quoted(name),
        };
        let mut line = format!(
            "  {name}  [{}]  {}",
            roles.join(", "),
            scope(&account.scope, &plan.annex)
        );
        if plan.caller.owns(&account.mrn) {
            line.push_str("  this run's own account");
        } else if owner(left) {
            // Writing to a String cannot fail.
            let _ = write!(line, "  {}", paint(ALARM, "OWNER"));
        }
        if let Some(stack) = &left.stack {
            let _ = write!(line, "  of stack {stack}");
        }
        push(out, &line);
    }
    if all.len() > owners.max(LISTED) {
        let rest = &all[owners.max(LISTED)..];
        let mut scopes: BTreeMap<&Scope, usize> = BTreeMap::new();
        for left in rest {
            *scopes.entry(&left.account.scope).or_default() += 1;
        }
        let scopes: Vec<String> = scopes
            .into_iter()
            .map(|(of, n)| format!("{n} in {}", scope(of, &plan.annex)))
            .collect();
        push(
            out,
            &format!(
                "  … and {} more without owner rights: {}; `rolecall list` names all",
                rest.len(),
                scopes.join(", ")
            ),
        );
    }
    push(out, "");
}

/// What is done in numbers, and the plan's name; `seen`: with what was seen unchanged.
pub(super) fn summary(out: &mut String, plan: &Plan, seen: bool) {
    let parts: Vec<String> = [
        (Action::Create, "create"),
        (Action::Adopt, "adopt"),
        (Action::Move, "move"),
        (Action::Update, "update"),
        (Action::UpdatePermissions, "update permissions"),
        (Action::Redeliver, "redeliver"),
        (Action::Rotate, "rotate"),
        (Action::Forget, "forget"),
        (Action::Delete, "delete"),
    ]
    .into_iter()
    .filter_map(|(action, verb)| match plan.count(action) {
        0 => None,
        n => Some(format!("{n} to {verb}")),
    })
    .collect();
    let unchanged = plan.annex.unchanged;
    let mut line = if !parts.is_empty() {
        format!("Plan: {}", parts.join(", "))
    } else if plan.blocked.is_empty() && plan.in_flight.is_empty() {
        match plan.annex.unread.len() {
            0 => "No changes".to_owned(),
            n => format!(
                "No changes in what was read, and {} not read",
                count(n, "scope")
            ),
        }
    } else {
        "Nothing can be done".to_owned()
    };
    let gains = plan
        .changes
        .iter()
        .filter(|c| c.privilege.verdict == Verdict::Escalation)
        .count();
    if gains > 0 {
        let _ = write!(line, "; {}", count(gains, "escalation"));
    }
    if !plan.blocked.is_empty() {
        let _ = write!(line, "; {} in the way", plan.blocked.len());
    }
    if seen && !plan.annex.expired.is_empty() {
        let _ = write!(line, "; {} expired", plan.annex.expired.len());
    }
    if seen && !plan.annex.undelivered.is_empty() {
        let _ = write!(
            line,
            "; {} in need of a new key",
            plan.annex.undelivered.len()
        );
    }
    if seen && !plan.annex.revoked.is_empty() {
        let _ = write!(line, "; {} revoked", plan.annex.revoked.len());
    }
    // A rotation alone does not look at the others.
    if seen && !plan.meant.renewal.alone {
        let _ = write!(line, "; {} as declared", count(unchanged, "account"));
    }
    line.push('.');
    push(out, &paint(HEAD, &line));
    push(
        out,
        &paint(DIM, &format!("Plan digest: sha256:{}", plan.digest())),
    );
}
