//! Which changes are told in one entry: instances of one block that change alike.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::differences;
use super::kind::Kind;
use super::section::Section;
use crate::model::{Caller, Role, SinkKind, SourceRef};
use crate::plan::{Change, Exposure, Reason, Verdict};

/// All of a change that may not be hidden behind another one of the same block: what differs in it keeps two
/// changes apart.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'p> {
    section: Section,
    name: &'p str,
    kind: Kind,
    reason: Reason,
    scope: &'static str,
    verdict: Verdict,
    owner: bool,
    before: Option<BTreeSet<&'p Role>>,
    after: Option<BTreeSet<&'p Role>>,
    exposures: &'p [Exposure],
    attributes: Vec<&'static str>,
    sinks: BTreeSet<(&'p str, bool, bool, Vec<&'static str>)>,
    key_from: Option<&'p str>,
    leaves: BTreeSet<(Option<&'p str>, SinkKind, bool)>,
    moved_from: Option<&'p str>,
    taken_from: Option<String>,
    own: bool,
    protected: (bool, bool),
    expires: (bool, bool),
    places: &'p [SourceRef],
}

fn alike<'p>(change: &'p Change, caller: &Caller) -> Alike<'p> {
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    let differs = before
        .zip(after)
        .map(|(before, after)| differences(before, after));
    let attributes = differs.into_iter().flatten().map(|field| field.name);
    Alike {
        section: Section::of(change),
        name: &change.address.name,
        kind: Kind::of(change),
        reason: change.reason,
        scope: change.scope.kind(),
        verdict: change.privilege.verdict,
        owner: change.privilege.owner,
        before: before.map(|state| state.roles.iter().collect()),
        after: after.map(|state| state.roles.iter().collect()),
        exposures: &change.privilege.exposures,
        attributes: attributes.collect(),
        sinks: change
            .deliver_to
            .iter()
            .map(|to| {
                let kept = to.place().file().is_some_and(|file| file.keep);
                (to.sink(), to.overwrites_unreadable(), kept, to.widened())
            })
            .collect(),
        key_from: change.key_from.as_ref().map(|from| from.sink()),
        leaves: change
            .leaves
            .iter()
            .map(|from| {
                let sink = from.place.as_ref().map(|place| place.sink());
                (sink, from.kind, from.removed)
            })
            .collect(),
        moved_from: change.moved_from.as_ref().map(|from| from.name.as_str()),
        taken_from: change.taken_from.as_ref().map(ToString::to_string),
        own: change.touches(caller),
        protected: (
            before.is_some_and(|state| state.protected),
            after.is_some_and(|state| state.protected),
        ),
        expires: (
            before.is_some_and(|state| state.valid_until.is_some()),
            after.is_some_and(|state| state.valid_until.is_some()),
        ),
        places: &change.places,
    }
}

/// The changes, those that are alike together. An account without an address is alone, and so is each without
/// a key.
pub(super) fn together<'p>(changes: &'p [Change], caller: &Caller) -> Vec<Vec<&'p Change>> {
    let mut groups: BTreeMap<Alike<'p>, Vec<&'p Change>> = BTreeMap::new();
    let mut alone = Vec::new();
    for change in changes {
        match change.address.key.is_some() && change.reason != Reason::Unmanaged {
            true => groups
                .entry(alike(change, caller))
                .or_default()
                .push(change),
            false => alone.push(vec![change]),
        }
    }
    groups.into_values().chain(alone).collect()
}
