//! What a plan says of how far was read: scopes that are gone, and the login's own.
//! Pure.

use std::collections::BTreeMap;

use crate::diag::suggest;
use crate::model::{Address, Desired, DesiredAccount, Home, Inventory, Live, OrgId, Scope, Unread};

/// How many things of a kind a sentence names at most.
const MOST: usize = 5;

/// Sentences on declared scopes that are gone, and on what of the login's own scope was not seen.
pub fn extent(desired: &Desired, live: &Live, inventory: &Inventory) -> Vec<String> {
    let gone = live.extent.gone.iter();
    let mut all: Vec<String> = gone
        .map(|(scope, organization)| gone_from(desired, live, inventory, scope, organization))
        .collect();
    all.extend(own_scope(desired, &live.extent.home));
    all.extend(unseen(&live.extent.unseen));
    all
}

/// The accounts that are declared in scopes which are gone, or hidden from this login: nobody knows
/// whether they are as declared.
pub fn in_gone<'a>(
    desired: &'a Desired,
    live: &'a Live,
) -> impl Iterator<Item = &'a DesiredAccount> {
    let accounts = desired.accounts.values();
    accounts.filter(|account| live.extent.gone.contains_key(&account.scope))
}

fn gone_from(
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
    scope: &Scope,
    organization: &OrgId,
) -> String {
    let blocks = desired.spaces.iter();
    let blocks = blocks.filter(|(_, space)| Scope::Space(space.id.clone()) == *scope);
    let blocks: Vec<String> = blocks
        .map(|(name, space)| format!("space.{name} ({})", space.declared_at))
        .collect();
    let accounts: Vec<&DesiredAccount> = in_gone(desired, live)
        .filter(|account| account.scope == *scope)
        .collect();
    let elsewhere = elsewhere(live, inventory, &accounts);
    let meant = match meant(desired, live, scope, organization, &elsewhere) {
        Some(id) => format!(" (did you mean {id}?)"),
        None => String::new(),
    };
    let said = format!(
        "{scope} is gone, or hidden from this login, or its id is mistyped: organization \
         {organization}, all of which was read, does not list it, and the platform knows no such \
         space; nothing in it is created, deleted or forgotten"
    );
    if !elsewhere.is_empty() {
        // Whoever takes these out has what is live deleted.
        let there = elsewhere.iter();
        let there: Vec<String> = there
            .map(|(account, scope)| format!("{} in {scope}", account.address))
            .collect();
        return format!(
            "{said}; accounts of this stack at addresses that are declared in it are live \
             elsewhere: {}; so correct the id{meant}, or the scope of these accounts, and take \
             none of them out of the configuration: that would delete what is live",
            some(&there)
        );
    }
    let accounts: Vec<String> = accounts.iter().map(|a| a.address.to_string()).collect();
    let also = match accounts.len() {
        0 => String::new(),
        _ => format!(", and what is declared in it: {}", some(&accounts)),
    };
    format!(
        "{said}; if the id is mistyped, correct it{meant}; if the space is hidden, run with a login \
         that sees it; only if it is gone, take {} out of the configuration{also}",
        some(&blocks)
    )
}

/// Those of the accounts at whose address, or a former one of it, an account of this stack is live
/// in another scope, and that scope.
fn elsewhere<'a>(
    live: &'a Live,
    inventory: &'a Inventory,
    accounts: &[&'a DesiredAccount],
) -> Vec<(&'a DesiredAccount, &'a Scope)> {
    if accounts.is_empty() {
        return Vec::new();
    }
    // Those in dispute as well: once that is settled, they would be deleted.
    let claims = inventory.beside(live).filter_map(|(account, entry)| {
        let claim = entry.custody.claim()?;
        Some((&claim.address, &account.scope))
    });
    let claims: BTreeMap<&Address, &Scope> = claims.collect();
    let there = |account: &DesiredAccount| {
        let former = account.formerly.iter().map(|former| &former.address);
        let imported = account.import.as_ref();
        let imported = imported.and_then(|import| live.accounts.get(&import.mrn));
        std::iter::once(&account.address)
            .chain(former)
            .find_map(|address| claims.get(address).copied())
            .or(imported.map(|present| &present.scope))
    };
    let accounts = accounts.iter();
    accounts
        .filter_map(|account| Some((*account, there(account)?)))
        .collect()
}

/// The id of a space that is listed and not declared and may have been meant: where its accounts are,
/// else the nearest.
fn meant<'a>(
    desired: &Desired,
    live: &'a Live,
    scope: &Scope,
    organization: &OrgId,
    elsewhere: &[(&DesiredAccount, &'a Scope)],
) -> Option<&'a str> {
    let free = |other: &Scope| matches!(other, Scope::Space(_)) && !declares(desired, other);
    let mut homes = elsewhere.iter().map(|(_, home)| *home);
    if let Some(home) = homes.find(|home| free(home)) {
        return Some(home.id());
    }
    let listed = live
        .scopes
        .iter()
        .filter(|(other, info)| info.organization.as_ref() == Some(organization) && free(other));
    suggest(scope.id(), listed.map(|(other, _)| other.id()))
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
