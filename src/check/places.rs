//! What the destinations of managed accounts hold, asked of the stores themselves: lost and foreign keys.
//! Drives over the port to sinks alone, and writes nothing that stays.

use futures_util::stream::{self, StreamExt};

use crate::model::{
    Address, CredentialMark, Custody, DEFAULT_ENDPOINT, Desired, Destination, Inventory, KeyAt,
    Live, Mrn, SourceRef,
};
use crate::ports::{Found, Probe, SinkStore};

/// How many places are looked at at the same time.
const AT_ONCE: usize = 4;

/// A place that does not hold the key that the marks of a managed account name, or of which nobody can
/// tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// The account's name in the configuration.
    pub address: Address,
    /// The account.
    pub account: Mrn,
    /// The place.
    pub at: Destination,
    /// What is there.
    pub found: KeyFound,
    /// Where the account is declared, if it is.
    pub declared_at: Option<SourceRef>,
}

/// What a place holds that should hold the key of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFound {
    /// Nothing: the key is lost there.
    Lost,
    /// Something else, a fragment that says what.
    Foreign(String),
    /// What cannot be read, in another version than our last write left: somebody wrote after us.
    WrittenAfter,
    /// Nobody can tell; a fragment that says why.
    Unknown(String),
}

/// Looks at every place that marks of managed accounts name and that a declared sink has. Gives those that
/// do not hold the key, by address.
pub async fn look(
    sinks: &impl SinkStore,
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
) -> Vec<Misplaced> {
    let mut all = Vec::new();
    for (account, entry) in inventory.beside(live) {
        let Custody::Ours(ours) = &entry.custody else {
            continue;
        };
        let CredentialMark::Delivered { destinations, .. } = &ours.marks.credential else {
            continue;
        };
        let declared = desired.accounts.get(&ours.at.address);
        let elsewhere = desired.elsewhere.get(&account.mrn);
        let named = declared.iter().flat_map(|declared| &declared.deliver_to);
        let places = named.chain(elsewhere.into_iter().flatten());
        let places = places.filter_map(|to| Some((to, destinations.get(&to.id())?)));
        all.extend(places.map(|(to, at)| (to, at, &account.mrn, ours, declared)));
    }
    all.sort_by(|one, other| (&one.3.at.address, one.0).cmp(&(&other.3.at.address, other.0)));
    let endpoint = live.facts.endpoint.as_str();
    let looked = stream::iter(all).map(async |(to, at, mrn, ours, declared)| {
        let found = match sinks.probe(to).await {
            Ok(probe) => misplaced(&probe, at, mrn, endpoint)?,
            Err(error) => KeyFound::Unknown(error.to_string()),
        };
        Some(Misplaced {
            address: ours.at.address.clone(),
            account: mrn.clone(),
            at: to.clone(),
            found,
            declared_at: declared.map(|declared| declared.declared_at.clone()),
        })
    });
    let found: Vec<Option<Misplaced>> = looked.buffered(AT_ONCE).collect().await;
    found.into_iter().flatten().collect()
}

/// In what a place does not hold the key; `None` if it does, as far as can be told.
fn misplaced(probe: &Probe, at: &KeyAt, mrn: &Mrn, endpoint: &str) -> Option<KeyFound> {
    match &probe.found {
        Found::Nobody => Some(KeyFound::Lost),
        Found::Foreign { what } => Some(KeyFound::Foreign(what.clone())),
        Found::Account { account, .. } if account != mrn => {
            Some(KeyFound::Foreign(format!("the key of {account} is there")))
        }
        Found::Account {
            account: _,
            endpoint: names,
        } => {
            let names = names.as_deref().unwrap_or(DEFAULT_ENDPOINT);
            let trim = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
            let other = endpoint != "local" && trim(names) != trim(endpoint);
            let what = format!(
                "a key of that account at {names} is there, another platform than this one"
            );
            other.then_some(KeyFound::Foreign(what))
        }
        // Only the version tells, where there is one.
        Found::Unreadable => {
            let moved = at.version.is_some() && probe.version != at.version;
            moved.then_some(KeyFound::WrittenAfter)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SinkKind, StoreVersion, samples::destination};

    fn said(found: Found, seen: Option<&str>, left: Option<&str>) -> Option<KeyFound> {
        let version = |text: Option<&str>| text.map(StoreVersion::new);
        let probe = Probe {
            found,
            version: version(seen),
            abilities: destination("a").abilities(),
            read: None,
        };
        let at = KeyAt {
            kind: SinkKind::Vault,
            generation: 1,
            version: version(left),
        };
        misplaced(&probe, &at, &Mrn::new("me"), "https://eu.api.mondoo.com")
    }

    fn of(account: &str, endpoint: Option<&str>) -> Found {
        Found::Account {
            account: Mrn::new(account),
            endpoint: endpoint.map(str::to_owned),
        }
    }

    #[test]
    fn lost_and_foreign_keys_are_told_and_the_right_one_is_not() {
        let here = Some("https://EU.api.mondoo.com/");
        assert_eq!(said(of("me", here), None, None), None);
        // The version moved since other fields of the place did.
        assert_eq!(said(of("me", here), Some("9"), Some("3")), None);
        assert_eq!(said(Found::Nobody, None, Some("3")), Some(KeyFound::Lost));
        let foreign = |found: Found| match said(found, None, None) {
            Some(KeyFound::Foreign(what)) => what,
            other => panic!("{other:?}"),
        };
        assert!(foreign(of("other", here)).contains("the key of other"));
        assert!(foreign(of("me", None)).contains("https://us.api.mondoo.com"));
        let what = "a list".to_owned();
        assert_eq!(foreign(Found::Foreign { what: what.clone() }), what);
    }

    #[test]
    fn what_cannot_be_read_is_judged_by_its_version_alone() {
        let unreadable = |seen, left| said(Found::Unreadable, seen, left);
        assert_eq!(unreadable(Some("3"), Some("3")), None);
        assert_eq!(
            unreadable(Some("4"), Some("3")),
            Some(KeyFound::WrittenAfter)
        );
        assert_eq!(unreadable(None, Some("3")), Some(KeyFound::WrittenAfter));
        assert_eq!(unreadable(Some("4"), None), None, "nobody can tell");
    }
}
