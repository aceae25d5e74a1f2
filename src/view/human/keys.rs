//! Keys in a plan: the places that they leave, and accounts that need new ones.

use super::text::{ALARM, HEAD, REMOVE, paint};
use crate::plan::{Leaving, Undelivered};
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
