//! Keys in a plan: the stores that they go to, the places that they leave, and accounts that need new ones.

use std::collections::BTreeMap;

use super::text::{ALARM, HEAD, REMOVE, paint};
use crate::model::{Abilities, Destination};
use crate::plan::{Leaving, Plan, Undelivered};
use crate::view::inert;

/// An account that needs a new key, and what to do about it.
pub(super) fn undelivered(of: &Undelivered) -> Vec<String> {
    let Undelivered {
        address,
        account,
        scope: _,
        to,
        why,
        declared_at,
    } = of;
    let mut lines = vec![
        format!(
            "  {} {}",
            paint(ALARM, "!"),
            paint(HEAD, &inert(&address.to_string()))
        ),
        format!("      account  {}", inert(account.as_str())),
    ];
    lines.extend(
        to.iter()
            .map(|to| format!("      for      {}", inert(&to.to_string()))),
    );
    lines.push(format!("      why      {}", inert(why)));
    lines.push(format!("      = {WAY_FROM_UNDELIVERED}"));
    lines.push(format!("      from {}", inert(&declared_at.to_string())));
    lines
}

/// What to do about an account that needs a new key. A key is told once.
pub(super) const WAY_FROM_UNDELIVERED: &str = "declare the account anew under another name with these \
     places, move its users to that key, then remove this one";

/// What becomes of a key where it is not to be any more.
pub(super) fn leaves(leaving: &Leaving) -> String {
    let place = inert(&leaving.called());
    if leaving.removed {
        return paint(REMOVE, &format!("{place}, and is removed there"));
    }
    let readers = leaving.kind.readers();
    format!("{place}, and stays there, readable by {readers}")
}

/// A place of each sink that receives keys outside of the machine.
pub(super) fn receiving(plan: &Plan) -> Vec<&Destination> {
    let places = plan.changes.iter().flat_map(|change| &change.deliver_to);
    let stores = places.filter(|to| to.place().file().is_none());
    let by_sink: BTreeMap<&str, &Destination> = stores.map(|to| (to.sink(), to)).collect();
    by_sink.into_values().collect()
}

/// Who reads what is delivered into a store, and what a write there can do.
pub(super) fn store(to: &Destination) -> Vec<String> {
    let Abilities {
        read_back,
        stage,
        compare_and_swap,
        restore,
    } = to.abilities();
    let can = [
        match compare_and_swap {
            true => "bound to what was seen there",
            false => "not bound to what was seen there",
        },
        match read_back {
            true => "read back",
            false => "never read back",
        },
        match restore {
            true => "undone where another place refuses",
            false => "not undone over a former key",
        },
    ];
    let staged = stage.then_some("first beside what is there");
    let writes: Vec<&str> = staged.into_iter().chain(can).collect();
    vec![
        format!("  sink.{}", inert(to.sink())),
        format!("      readable by  {}", to.kind().readers()),
        format!("      writes are   {}", writes.join(", ")),
    ]
}
