//! What a plan says of how far was read: scopes that are gone, and the login's own.
//! Pure.

use std::collections::BTreeMap;

use crate::model::{Desired, Home, Live, OrgId, Scope, Unread};

/// How many things of a kind a sentence names at most.
const MOST: usize = 5;

/// Sentences on declared scopes that are gone, and on what of the login's own scope was not seen.
pub fn extent(desired: &Desired, live: &Live) -> Vec<String> {
    let gone = live.extent.gone.iter();
    let mut all: Vec<String> = gone
        .map(|(scope, organization)| gone_from(desired, scope, organization))
        .collect();
    all.extend(own_scope(desired, &live.extent.home));
    all.extend(unseen(&live.extent.unseen));
    all
}

fn gone_from(desired: &Desired, scope: &Scope, organization: &OrgId) -> String {
    let blocks = desired.spaces.iter();
    let blocks = blocks.filter(|(_, space)| Scope::Space(space.id.clone()) == *scope);
    let blocks: Vec<String> = blocks
        .map(|(name, space)| format!("space.{name} ({})", space.declared_at))
        .collect();
    let accounts = desired.accounts.values().filter(|a| a.scope == *scope);
    let accounts: Vec<String> = accounts.map(|a| a.address.to_string()).collect();
    let also = match accounts.len() {
        0 => String::new(),
        _ => format!(", and what is declared in it: {}", some(&accounts)),
    };
    format!(
        "{scope} is gone, or hidden from this login: organization {organization}, all of which \
         was read, does not list it, and the platform knows no such space; nothing in it is \
         created, deleted or forgotten; if it is gone, take {} out of the configuration{also}",
        some(&blocks)
    )
}

/// What was not looked at since nobody asked for it, or nobody can tell where it is.
fn own_scope(desired: &Desired, home: &Home) -> Option<String> {
    const STAY: &str = "accounts of this stack that are left in scopes which are declared no \
                        longer are not seen, and stay as they are";
    match home {
        Home::Unasked | Home::Read(_) => None,
        Home::Unknown | Home::LeftOut(None) => Some(format!(
            "this login does not tell in which scope it lives, as an API token does not, so only \
             declared scopes were looked at: {STAY}; a service account's credential tells its own"
        )),
        Home::LeftOut(Some(scope)) if declares(desired, scope) => None,
        Home::LeftOut(Some(scope)) => {
            let spaces = match scope {
                Scope::Organization(_) => " with its spaces",
                Scope::Space(_) => "",
            };
            Some(format!(
                "{scope}{spaces}, in which this login lives, was not looked at (--scopes=declared) \
                 but for what is declared of it: {STAY}"
            ))
        }
    }
}

fn unseen(unseen: &BTreeMap<Scope, Unread>) -> Option<String> {
    let (first, unread) = unseen.first_key_value()?;
    let scopes: Vec<String> = unseen.keys().map(Scope::to_string).collect();
    let (was, those) = match scopes.len() {
        1 => ("was", "it"),
        _ => ("were", "them"),
    };
    Some(format!(
        "of what this login lives in and nothing declares, {} {was} not read, so accounts of this \
         stack in {those} are not seen, and stay as they are ({first}: {})",
        some(&scopes),
        unread.why
    ))
}

fn declares(desired: &Desired, scope: &Scope) -> bool {
    match scope {
        Scope::Organization(id) => desired.organizations.values().any(|o| o.id == *id),
        Scope::Space(id) => desired.spaces.values().any(|s| s.id == *id),
    }
}

/// The first few, and how many more there are.
fn some(all: &[String]) -> String {
    let shown = all.iter().take(MOST).cloned().collect::<Vec<_>>();
    match all.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
