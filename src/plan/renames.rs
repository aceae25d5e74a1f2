//! Which changes free a name that the same plan gives again, and which of them waits for which.
//! Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Action, Change};
use crate::model::{Mrn, Scope, composed, same_name};

type Name<'a> = (&'a Scope, Cow<'a, str>);

/// The accounts whose present name another change of the plan gives again, each with its turn: 0 for those
/// that wait for no other, one more than that of the one it waits for.
pub(super) fn order(changes: &[Change]) -> BTreeMap<Mrn, usize> {
    // By the name before: what the change's own account gets.
    let mut gives: BTreeMap<Name<'_>, (&Mrn, Name<'_>)> = BTreeMap::new();
    let mut wanted: Vec<Name<'_>> = Vec::new();
    for change in changes {
        let Some(after) = &change.after else { continue };
        let name = (&change.scope, composed(&after.name));
        match (change.action, &change.account, &change.before) {
            (Action::Create | Action::Rotate, ..) => wanted.push(name),
            (Action::Update, Some(mrn), Some(before)) if !same_name(&before.name, &after.name) => {
                wanted.push(name.clone());
                gives.insert((&change.scope, composed(&before.name)), (mrn, name));
            }
            _ => {}
        }
    }
    let mut turns: BTreeMap<Mrn, usize> = BTreeMap::new();
    for name in wanted {
        let mut way: Vec<&Mrn> = Vec::new();
        let mut next = gives.get(&name);
        let mut turn = 0;
        while let Some((mrn, name)) = next {
            if let Some(known) = turns.get(*mrn) {
                turn = known + 1;
                break;
            }
            // A circle is refused before anything is ordered.
            if way.len() > gives.len() {
                break;
            }
            way.push(mrn);
            next = gives.get(name);
        }
        for mrn in way.into_iter().rev() {
            turns.insert(mrn.clone(), turn);
            turn += 1;
        }
    }
    turns
}
