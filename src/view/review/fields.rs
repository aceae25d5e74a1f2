//! What there is to say of one change, field by field.
//! Pure. Every text is harmless.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::Kind;
use super::look::Look;
use super::scopes::named;
use super::words::{Tone, Value, changed, quoted, value};
use crate::model::{AccountState, Destination, Labels, Role, Scope, SourceRef, former_name};
use crate::plan::{Action, Annex, Change, LastDeclared, Leaving, Past, Reason, may, takes};
use crate::view::inert;

/// A name with what stands beside it, line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: &'static str,
    /// The lines.
    pub values: Vec<Value>,
}

/// All that there is to say of one change, but for what its head says.
pub fn fields(change: &Change, annex: &Annex, look: Look) -> Vec<Field> {
    let mut all = Fields(Vec::new());
    if let Some(account) = change.account.as_ref().filter(|_| look.all) {
        let former = matches!(change.reason, Reason::Superseded | Reason::Retired);
        let which = match former {
            true => format!(" (generation {})", change.generation),
            false => String::new(),
        };
        all.plain("account", format!("{}{which}", inert(account.as_str())));
    }
    if let Some(from) = &change.moved_from {
        all.plain("was", inert(&from.to_string()));
    }
    if let Some(stack) = &change.taken_from {
        all.plain("of stack", stack.to_string());
    }
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if change.action != Action::Adopt => {
            if before.name == after.name {
                all.plain("name", quoted(&after.name));
            }
            all.0.extend(differences(before, after));
        }
        (before, after) => {
            if let Some(state) = after.as_ref().or(before.as_ref()) {
                whole(state, &mut all);
            }
        }
    }
    all.lines(
        "key goes to",
        change.deliver_to.iter().map(|to| goes_to(to, look)),
    );
    if change.action == Action::Rotate {
        all.plain("key", replaced(change));
    }
    if let Some(from) = &change.key_from {
        all.plain("key is from", place_of(from, look));
        let readers: BTreeSet<String> =
            change.deliver_to.iter().map(Destination::readers).collect();
        let widened: BTreeSet<_> = change
            .deliver_to
            .iter()
            .flat_map(Destination::widened)
            .collect();
        all.lines(
            "read then by",
            readers.into_iter().map(|r| value(Tone::Plain, r)),
        );
        all.lines(
            "",
            widened
                .into_iter()
                .map(|what| value(Tone::Alarm, format!("! {what}"))),
        );
    }
    all.lines(
        "key leaves",
        change.leaves.iter().map(|from| leaves(from, look)),
    );
    all.lines(
        "power",
        consequence(change, annex).map(|said| value(Tone::Plain, said)),
    );
    all.lines("why", why(change).map(|why| value(Tone::Plain, why)));
    if takes(change)
        && let Some(past) = change.account.as_ref().and_then(|mrn| annex.past.get(mrn))
    {
        all.plain("until now", lived(past));
        all.lines(
            "was at",
            past.declared
                .iter()
                .map(|at| value(Tone::Plain, last_declared(at))),
        );
    }
    all.lines("from", places(&change.places));
    all.0
}

/// Fields in the making.
pub(super) struct Fields(pub(super) Vec<Field>);

impl Fields {
    /// One line.
    pub(super) fn plain(&mut self, name: &'static str, text: String) {
        self.lines(name, [value(Tone::Plain, text)]);
    }

    /// Some lines; nothing where there are none.
    pub(super) fn lines(&mut self, name: &'static str, values: impl IntoIterator<Item = Value>) {
        let values: Vec<Value> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.push(Field { name, values });
        }
    }
}

/// Where something is declared, as one line.
pub(super) fn places(places: &[SourceRef]) -> Option<Value> {
    let all: Vec<String> = places.iter().map(|p| inert(&p.to_string())).collect();
    (!all.is_empty()).then(|| value(Tone::Plain, all.join(", ")))
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

/// A place, or the sink that it is in where that is all that is to be shown.
fn place_of(to: &Destination, look: Look) -> String {
    match look.all {
        true => inert(&to.to_string()),
        false => format!("sink.{}", inert(to.sink())),
    }
}

/// A place that receives a key, with what becomes of it there.
fn goes_to(to: &Destination, look: Look) -> Value {
    value(
        Tone::Plain,
        format!("{}{}", on_machine(to), over(to, place_of(to, look))),
    )
}

/// The same of a sink, for keys that go to several places in it.
pub(super) fn sink_of(to: &Destination) -> String {
    format!(
        "{}{}",
        on_machine(to),
        over(to, format!("sink.{}", inert(to.sink())))
    )
}

fn over(to: &Destination, shown: String) -> String {
    match to.overwrites_unreadable() {
        true => format!("{shown}, over whatever is there and cannot be read"),
        false => shown,
    }
}

fn on_machine(to: &Destination) -> &'static str {
    match to.place().file() {
        Some(file) if file.keep => "a file on the machine that applies, kept there: ",
        Some(_) => "a file on the machine that applies: ",
        None => "",
    }
}

/// What becomes of a key where it is not to be any more.
pub(super) fn leaves(leaving: &Leaving, look: Look) -> Value {
    let place = match (&leaving.place, look.all) {
        (Some(place), false) => format!("sink.{}", inert(place.sink())),
        _ => inert(&leaving.called()),
    };
    if leaving.removed {
        return value(Tone::Remove, format!("{place}, and is removed there"));
    }
    let readers = leaving.readers();
    value(
        Tone::Plain,
        format!("{place}, and stays there, readable by {readers}"),
    )
}

/// All that there is of an account that is created, adopted or deleted, but for its roles.
fn whole(state: &AccountState, all: &mut Fields) {
    let AccountState {
        name,
        description,
        labels,
        // The head has them.
        roles: _,
        valid_until,
        protected,
    } = state;
    all.plain("name", quoted(name));
    all.lines(
        "description",
        description
            .iter()
            .map(|text| value(Tone::Plain, quoted(text))),
    );
    let label =
        |(k, v): (&String, &String)| value(Tone::Plain, format!("{} = {}", inert(k), quoted(v)));
    all.lines("labels", labels.iter().map(label));
    all.lines(
        "valid until",
        valid_until.map(|until| value(Tone::Plain, until.to_string())),
    );
    let kept = protected.then(|| value(Tone::Plain, "cannot be deleted"));
    all.lines("protected", kept);
}

/// What differs, attribute by attribute.
pub(super) fn differences(before: &AccountState, after: &AccountState) -> Vec<Field> {
    let mut all = Fields(Vec::new());
    let AccountState {
        name,
        description,
        labels,
        roles,
        // Another account has another one.
        valid_until,
        protected,
    } = after;
    if before.name != *name {
        all.lines("name", changed(Some(&before.name), Some(name)));
    }
    if before.description != *description {
        let lines = changed(before.description.as_deref(), description.as_deref());
        all.lines("description", lines);
    }
    if before.labels != *labels {
        all.lines("labels", label_differences(&before.labels, labels));
    }
    if before.roles != *roles {
        let gained = roles.difference(&before.roles);
        let gained = gained.map(|r| value(Tone::Add, format!("+ {}", inert(r.short()))));
        let lost = before.roles.difference(roles);
        let lost = lost.map(|r| value(Tone::Remove, format!("- {}", inert(r.short()))));
        let kept = names(roles.intersection(&before.roles));
        let kept = (!kept.is_empty()).then(|| value(Tone::Dim, format!("  keeps {kept}")));
        all.lines("roles", gained.chain(lost).chain(kept));
    }
    if before.valid_until != *valid_until {
        let said = |until: &Option<jiff::Timestamp>| {
            until.map_or_else(|| "for ever".to_owned(), |until| until.to_string())
        };
        let both = format!("{} → {}", said(&before.valid_until), said(valid_until));
        all.lines("valid until", [value(Tone::Change, both)]);
    }
    if before.protected != *protected {
        all.lines(
            "protected",
            [match *protected {
                true => value(Tone::Add, "+ cannot be deleted any more"),
                false => value(Tone::Remove, "- can be deleted again"),
            }],
        );
    }
    all.0
}

/// Short names of roles, behind each other.
pub(super) fn names<'a>(roles: impl Iterator<Item = &'a Role>) -> String {
    let names: Vec<String> = roles.map(|role| inert(role.short())).collect();
    names.join(", ")
}

fn label_differences(before: &Labels, after: &Labels) -> Vec<Value> {
    let keys: BTreeMap<&String, ()> = before.keys().chain(after.keys()).map(|k| (k, ())).collect();
    keys.into_keys()
        .filter_map(|key| match (before.get(key), after.get(key)) {
            (old, new) if old == new => None,
            (None, Some(new)) => Some(value(
                Tone::Add,
                format!("+ {} = {}", inert(key), quoted(new)),
            )),
            (Some(old), None) => Some(value(
                Tone::Remove,
                format!("- {} = {}", inert(key), quoted(old)),
            )),
            (old, new) => Some(value(
                Tone::Change,
                format!(
                    "{} = {} → {}",
                    inert(key),
                    quoted(old.map_or("", String::as_str)),
                    quoted(new.map_or("", String::as_str))
                ),
            )),
        })
        .collect()
}

/// Where roles hold, behind a head that names the scope.
pub(super) fn there(scope: &Scope, annex: &Annex) -> String {
    match (scope, annex.spaces_in(scope)) {
        (Scope::Space(_), _) => "there".to_owned(),
        (Scope::Organization(_), Some(1)) => "there and in its 1 space".to_owned(),
        (Scope::Organization(_), Some(n)) => format!("there and in all its {n} spaces"),
        (Scope::Organization(_), None) => "there and in all its spaces".to_owned(),
    }
}

/// Who can do what afterwards, as a sentence, where a role moves or power is taken over.
fn consequence(change: &Change, annex: &Annex) -> Option<String> {
    let name = |state: &AccountState| quoted(&state.name);
    let can = |state: &AccountState| inert(&may(&state.roles));
    let there = there(&change.scope, annex);
    match (Kind::of(change), &change.before, &change.after) {
        (Kind::Adopt | Kind::Forget, Some(state), _) => Some(format!(
            "{} can {} {there}, before and after",
            name(state),
            can(state)
        )),
        // What the new key opens, where no difference says it.
        (Kind::Rotate | Kind::Replace, _, Some(after)) if change.privilege.gained.is_empty() => {
            Some(format!("{} can {} {there}", name(after), can(after)))
        }
        _ if change.privilege.gained.is_empty() && change.privilege.lost.is_empty() => None,
        (_, None, Some(after)) => Some(format!("{} can {} {there}", name(after), can(after))),
        (_, Some(before), None) => Some(format!(
            "{} can no longer {} {there}",
            name(before),
            can(before)
        )),
        (_, Some(before), Some(after)) => {
            // Another account may take the place of one that lives elsewhere.
            let lives = change.account.as_ref().and_then(|mrn| mrn.account_scope());
            let elsewhere = lives.filter(|lives| *lives != change.scope);
            let elsewhere = elsewhere.map(|lives| format!(" in {}", named(&lives, annex)));
            Some(format!(
                "{} can now {} {there}; before, it could {}{}",
                name(after),
                can(after),
                can(before),
                elsewhere.unwrap_or_default()
            ))
        }
        (_, None, None) => None,
    }
}

/// Why something is done, where its verb does not say it.
pub(super) fn why(change: &Change) -> Option<&'static str> {
    Some(match change.reason {
        Reason::Declared | Reason::Differs => return None,
        Reason::Undeclared => "on the platform under this stack's marks, and not declared",
        Reason::ScopeUndeclared => {
            "on the platform under this stack's marks, and neither it nor its scope is declared"
        }
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
        Reason::RotationDue => {
            "its key is as old as rotate_after says, or a rotation was not finished"
        }
        Reason::Superseded => {
            "a newer key is in all its places; its overlap begins, and its protection is the newer one's"
        }
        Reason::Retired => {
            "a newer key is in all its places, and the time of this one is over: nobody uses it, or its \
             power was taken back"
        }
        Reason::Revoked => "its power is taken back, and nothing but a new key gives it again",
    })
}

/// When an account was last used and how old it is, as seen when it was read.
pub(super) fn lived(past: &Past) -> String {
    let ago = |at: jiff::Timestamp| since(past.read_at, at);
    let used = match past.last_used {
        Some(at) => format!("last used {}", ago(at)),
        None => "never used, as far as the platform tells".to_owned(),
    };
    match past.created_at {
        Some(at) => format!("{used}; created {}", ago(at)),
        None => format!("{used}; the platform does not tell when it was created"),
    }
}

/// How long ago something was, in the largest unit that tells.
fn since(now: jiff::Timestamp, at: jiff::Timestamp) -> String {
    let hours = now.duration_since(at).as_hours();
    match hours {
        i64::MIN..=0 => "within the hour".to_owned(),
        1 => "1 hour ago".to_owned(),
        2..=47 => format!("{hours} hours ago"),
        _ => format!("{} days ago", hours / 24),
    }
}

/// Where something was declared before.
pub(super) fn last_declared(at: &LastDeclared) -> String {
    let LastDeclared { place, commit } = at;
    let place = inert(&place.to_string());
    match commit {
        Some(commit) => format!("{place}, in commit {}", inert(commit)),
        None => format!("{place}, its block as it is now"),
    }
}

/// A scope behind `in`.
pub(super) fn within(scope: &Scope, annex: &Annex) -> String {
    format!("in {}", named(scope, annex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_hours_then_in_days() {
        let at = |text: &str| -> jiff::Timestamp { text.parse().expect("a time") };
        let now = at("2026-11-27T12:00:00Z");
        for (then, said) in [
            ("2026-11-27T11:30:00Z", "within the hour"),
            // The clocks of two machines.
            ("2026-11-27T12:00:05Z", "within the hour"),
            ("2026-11-27T10:59:59Z", "1 hour ago"),
            ("2026-11-25T13:00:00Z", "47 hours ago"),
            ("2026-11-25T12:00:00Z", "2 days ago"),
            ("2025-11-27T12:00:00Z", "365 days ago"),
        ] {
            assert_eq!(since(now, at(then)), said);
        }
        let past = Past {
            last_used: Some(at("2026-11-25T12:00:00Z")),
            read_at: now,
            ..Past::default()
        };
        let said = "last used 2 days ago; the platform does not tell when it was created";
        assert_eq!(lived(&past), said);
        let never = Past {
            created_at: past.last_used,
            last_used: None,
            ..past
        };
        let said = "never used, as far as the platform tells; created 2 days ago";
        assert_eq!(lived(&never), said);
    }
}
