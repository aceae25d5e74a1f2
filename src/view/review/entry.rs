//! A plan's changes as a reviewer reads them: what is alike in one entry, sorted by address.
//! Pure. Every text is harmless.

use std::collections::{BTreeMap, BTreeSet};

use super::alike::together;
use super::fields::{
    Field, Fields, differences, fields, last_declared, leaves, lived, names, places, sink_of,
    there, why, within,
};
use super::kind::Kind;
use super::look::Look;
use super::natural::by_address;
use super::scopes::Short;
use super::section::Section;
use super::words::{Tone, Value, count, unmanaged, value};
use crate::model::{AccountState, Scope};
use crate::plan::{Action, Annex, Change, Past, Plan, Reason, Verdict, may, takes};
use crate::view::inert;

/// One entry: a change, or several that are alike.
#[derive(Clone, Debug)]
pub struct Entry<'p> {
    /// In which part it stands.
    pub section: Section,
    /// What is done.
    pub kind: Kind,
    /// The changes, sorted by address.
    pub changes: Vec<&'p Change>,
    /// What it is about: an address, a block, or an account that has no address.
    pub title: String,
    /// How many, with which roles and where.
    pub what: String,
    /// What to look out for.
    pub flags: Vec<Value>,
    /// What else there is to say.
    pub fields: Vec<Field>,
}

impl Entry<'_> {
    /// The sign of what is done, with its tone.
    pub fn sign(&self) -> Value {
        match self.kind {
            Kind::Create => value(Tone::Add, "+"),
            Kind::Rotate | Kind::Replace => value(Tone::Add, "±"),
            Kind::Adopt => value(Tone::Change, "&"),
            Kind::Move | Kind::Rename | Kind::Update | Kind::Roles | Kind::Redeliver => {
                value(Tone::Change, "~")
            }
            Kind::Forget => value(Tone::Change, "x"),
            Kind::Delete => value(Tone::Remove, "-"),
        }
    }
}

/// The entries of a plan, part by part.
pub fn entries(plan: &Plan, look: Look) -> Vec<Entry<'_>> {
    let groups = match look.full {
        true => plan.changes.iter().map(|change| vec![change]).collect(),
        false => together(&plan.changes, &plan.caller),
    };
    let mut all: Vec<Entry<'_>> = groups
        .into_iter()
        .filter_map(|group| entry(group, plan, look))
        .collect();
    let first = |entry: &Entry<'_>| entry.changes.first().map(|change| change.address.clone());
    all.sort_by(|a, b| {
        a.section
            .cmp(&b.section)
            .then_with(|| match (first(a), first(b)) {
                (Some(a), Some(b)) => by_address(&a, &b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            })
            .then_with(|| a.kind.cmp(&b.kind))
            .then_with(|| a.what.cmp(&b.what))
    });
    all
}

fn entry<'p>(mut changes: Vec<&'p Change>, plan: &'p Plan, look: Look) -> Option<Entry<'p>> {
    changes.sort_by(|a, b| {
        by_address(&a.address, &b.address)
            .then_with(|| a.generation.cmp(&b.generation))
            .then_with(|| a.account.cmp(&b.account))
    });
    let first = *changes.first()?;
    let kind = Kind::of(first);
    let annex = &plan.annex;
    let quiet = changes.len() == 1 && says_all(first) && !look.full;
    let at = match (quiet, &first.scope) {
        // As in a list.
        (true, Scope::Space(_)) => format!("in {}", Short::of(annex).name(&first.scope)),
        _ => place(&changes, annex),
    };
    let (title, what, fields) = match changes.len() {
        1 => {
            let what = [kind.verb().to_owned(), roles(first)];
            let fields = match quiet {
                true => Vec::new(),
                false => fields(first, annex, look),
            };
            (title(first), what, fields)
        }
        n => {
            let what = [format!("{} {n}", kind.verb()), roles(first)];
            (block(first), what, shared(&changes, annex))
        }
    };
    let what: Vec<String> = what.into_iter().filter(|part| !part.is_empty()).collect();
    Some(Entry {
        section: Section::of(first),
        kind,
        title,
        what: format!("{}, {at}", what.join(" ")),
        flags: flags(first, plan),
        fields,
        changes,
    })
}

/// Whether the line of a change says all of it: that an account is taken over as an `import` block asks, and
/// nothing of it changes.
fn says_all(change: &Change) -> bool {
    change.reason == Reason::ImportRequested && !change.privilege.owner
}

/// What a change is about: an address, or the name of an account that has none.
fn title(change: &Change) -> String {
    match (change.reason, &change.before) {
        (Reason::Unmanaged, Some(before)) => unmanaged(&before.name, change.account.as_ref()),
        _ => inert(&change.address.to_string()),
    }
}

fn block(change: &Change) -> String {
    inert(&format!("service_account.{}", change.address.name))
}

/// The roles that move, or all that there are.
fn roles(change: &Change) -> String {
    let listed = |state: &AccountState| match state.roles.is_empty() {
        true => "[no roles]".to_owned(),
        false => format!("[{}]", names(state.roles.iter())),
    };
    match (change.action, &change.before, &change.after) {
        (
            Action::Update | Action::UpdatePermissions | Action::Move | Action::Rotate,
            Some(before),
            Some(after),
        ) if before.roles != after.roles => {
            let gained = after.roles.difference(&before.roles);
            let gained = gained.map(|role| format!("+{}", inert(role.short())));
            let lost = before.roles.difference(&after.roles);
            let lost = lost.map(|role| format!("-{}", inert(role.short())));
            let moved: Vec<String> = gained.chain(lost).collect();
            format!("[{}]", moved.join(", "))
        }
        (Action::Update, Some(_), Some(_)) => String::new(),
        (_, before, after) => after
            .as_ref()
            .or(before.as_ref())
            .map(listed)
            .unwrap_or_default(),
    }
}

/// Where all of this is.
fn place(changes: &[&Change], annex: &Annex) -> String {
    let scopes: BTreeSet<&Scope> = changes.iter().map(|change| &change.scope).collect();
    match (scopes.first(), scopes.len()) {
        (Some(scope), 1) => within(scope, annex),
        // What is alike is in scopes of one kind.
        (Some(scope), n) => format!("in {}", count(n, scope.kind())),
        (None, _) => String::new(),
    }
}

fn flags(change: &Change, plan: &Plan) -> Vec<Value> {
    let privilege = &change.privilege;
    let mut flags = Vec::new();
    match privilege.verdict {
        Verdict::Escalation => flags.push(value(Tone::Alarm, "ESCALATION")),
        Verdict::Reduction => flags.push(value(Tone::Dim, "reduction")),
        Verdict::Neutral => {}
    }
    if privilege.owner {
        flags.push(value(Tone::Alarm, "OWNER"));
    }
    if change.touches(&plan.caller) {
        flags.push(value(Tone::Plain, "this run's own account"));
    }
    flags
}

/// What there is to say of several changes that are alike.
fn shared(changes: &[&Change], annex: &Annex) -> Vec<Field> {
    let mut all = Fields(Vec::new());
    let Some(first) = changes.first() else {
        return Vec::new();
    };
    if let Some(stack) = &first.taken_from {
        all.plain("of stack", stack.to_string());
    }
    all.lines("instances", [value(Tone::Plain, instances(changes, annex))]);
    all.0.extend(common(changes));
    all.lines("key goes to", delivered(changes));
    if let Some(from) = &first.key_from {
        all.plain("key is from", format!("sink.{}", inert(from.sink())));
    }
    let left: BTreeSet<Value> = changes
        .iter()
        .flat_map(|change| &change.leaves)
        .map(|from| leaves(from, Look::SHARED))
        .collect();
    all.lines("key leaves", left);
    if first.action == Action::Rotate {
        all.plain(
            "key",
            "the next generation takes the place of the one before, which goes on beside it until nobody \
             uses it"
                .to_owned(),
        );
    }
    all.lines(
        "power",
        power(first, annex).map(|said| value(Tone::Plain, said)),
    );
    all.lines("why", why(first).map(|why| value(Tone::Plain, why)));
    if changes.iter().any(|change| takes(change)) {
        all.lines("until now", pasts(changes, annex));
    }
    all.lines("from", places(&first.places));
    all.0
}

/// The keys of the instances, each with its scope where that is called otherwise.
fn instances(changes: &[&Change], annex: &Annex) -> String {
    let several = changes
        .iter()
        .any(|change| Some(&change.scope) != changes.first().map(|c| &c.scope));
    let short = Short::of(annex);
    let keys = changes.iter().map(|change| {
        let key = inert(change.address.key.as_deref().unwrap_or_default());
        let from = change.moved_from.as_ref();
        let from = from.map_or_else(String::new, |from| {
            format!(" from {}", inert(from.key.as_deref().unwrap_or("no key")))
        });
        let scope = short.name(&change.scope);
        // One word for both says it once.
        let letters = |text: &str| text.replace('_', "-").to_lowercase();
        match several && letters(&scope) != letters(&key) {
            true => format!("{key}{from} in {scope}"),
            false => format!("{key}{from}"),
        }
    });
    keys.collect::<Vec<_>>().join(", ")
}

/// What differs in all of them, with the lines where these are the same.
fn common(changes: &[&Change]) -> Vec<Field> {
    let mut by_name: BTreeMap<&'static str, BTreeSet<Vec<Value>>> = BTreeMap::new();
    let mut order = Vec::new();
    for change in changes {
        let (Some(before), Some(after)) = (&change.before, &change.after) else {
            continue;
        };
        if change.action == Action::Adopt {
            continue;
        }
        for Field { name, values } in differences(before, after) {
            if !order.contains(&name) {
                order.push(name);
            }
            by_name.entry(name).or_default().insert(values);
        }
    }
    let fields = order.into_iter().map(|name| {
        let mut found = by_name.remove(name).unwrap_or_default();
        let values = match (found.pop_first(), found.len()) {
            (Some(values), 0) => values,
            _ => vec![value(Tone::Change, "becomes another in each")],
        };
        Field { name, values }
    });
    fields.collect()
}

/// How many keys go to which sinks.
fn delivered(changes: &[&Change]) -> Vec<Value> {
    let mut sinks: BTreeMap<String, usize> = BTreeMap::new();
    for to in changes.iter().flat_map(|change| &change.deliver_to) {
        *sinks.entry(sink_of(to)).or_default() += 1;
    }
    let told = sinks
        .into_iter()
        .map(|(sink, n)| value(Tone::Plain, format!("{sink}, {}", count(n, "place"))));
    told.collect()
}

/// What each of them can do afterwards.
fn power(change: &Change, annex: &Annex) -> Option<String> {
    let can = |state: &AccountState| inert(&may(&state.roles));
    let there = there(&change.scope, annex);
    let moves = !(change.privilege.gained.is_empty() && change.privilege.lost.is_empty());
    match (change.action, &change.before, &change.after) {
        (Action::Adopt | Action::Forget, Some(state), _) => {
            Some(format!("each can {} {there}, before and after", can(state)))
        }
        (Action::Rotate, _, Some(after)) => Some(format!("each can {} {there}", can(after))),
        _ if !moves => None,
        (_, None, Some(after)) => Some(format!("each can {} {there}", can(after))),
        (_, Some(before), None) => Some(format!("none can {} {there} any longer", can(before))),
        (_, Some(before), Some(after)) => Some(format!(
            "each can now {} {there}; before, it could {}",
            can(after),
            can(before)
        )),
        (_, None, None) => None,
    }
}

/// The past of each: those of which the same is said in one line, the last used first.
fn pasts(changes: &[&Change], annex: &Annex) -> Vec<Value> {
    let mut told: Vec<(Option<jiff::Timestamp>, String, Vec<String>)> = Vec::new();
    for change in changes {
        let past = change.account.as_ref().and_then(|mrn| annex.past.get(mrn));
        let Some(past) = past else { continue };
        let Past {
            last_used,
            declared,
            ..
        } = past;
        let mut said = lived(past);
        if let Some(at) = declared {
            said = format!("{said}; was at {}", last_declared(at));
        }
        let key = inert(change.address.key.as_deref().unwrap_or_default());
        match told.iter_mut().find(|(_, other, _)| *other == said) {
            Some((_, _, keys)) => keys.push(key),
            None => told.push((*last_used, said, vec![key])),
        }
    }
    told.sort_by(|(a, ..), (b, ..)| b.cmp(a));
    let told = told.into_iter();
    told.map(|(_, said, keys)| value(Tone::Plain, format!("{}: {said}", keys.join(", "))))
        .collect()
}
