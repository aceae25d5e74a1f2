//! Reads what is live: every declared organization with all its spaces, and every declared space.
//! Never writes; what cannot be read is named, not guessed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use crate::model::{Facts, Live, LiveAccount, Queries, Scope, ScopeInfo, SpaceId, Unread};
use crate::ports::{ReadError, Reader};

/// How many listings run at the same time. The result does not depend on it.
const CONCURRENCY: usize = 8;

/// Reads all that `queries` names. `endpoint` is kept in the facts as it is.
///
/// # Errors
/// Only if the caller's own identity cannot be read, since then nothing can. Scopes that cannot be
/// read are listed in [`Live::unread`].
pub async fn refresh(
    reader: &impl Reader,
    queries: &Queries,
    endpoint: &str,
) -> Result<Live, ReadError> {
    let caller = reader.caller().await?;
    let mut scopes: BTreeMap<Scope, ScopeInfo> = BTreeMap::new();
    let mut unread: BTreeMap<Scope, Unread> = BTreeMap::new();
    let mut complete_organizations = BTreeSet::new();

    let organizations: Vec<_> = stream::iter(queries.organizations.iter())
        .map(|id| async move {
            let info = reader.organization(id).await;
            let spaces = match &info {
                Ok(_) => Some(reader.spaces(id).await),
                Err(_) => None,
            };
            (id.clone(), info, spaces)
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    for (id, info, spaces) in organizations {
        let scope = Scope::Organization(id.clone());
        match info {
            Ok(info) => {
                scopes.insert(scope.clone(), info);
            }
            Err(error) => {
                unread.insert(scope.clone(), Unread { why: error.message });
            }
        }
        match spaces {
            Some(Ok(spaces)) => {
                for (space, info) in spaces {
                    let info = ScopeInfo {
                        organization: Some(id.clone()),
                        ..info
                    };
                    scopes.insert(Scope::Space(space), info);
                }
                complete_organizations.insert(id);
            }
            Some(Err(error)) => {
                scopes.remove(&scope);
                unread.insert(scope, Unread { why: error.message });
            }
            None => {}
        }
    }

    // Declared spaces that no organization's listing has shown.
    let missing: Vec<&SpaceId> = queries
        .spaces
        .keys()
        .filter(|id| !scopes.contains_key(&Scope::Space((*id).clone())))
        .collect();
    let found: Vec<_> = stream::iter(missing)
        .map(|id| async move { (id.clone(), reader.space(id).await) })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    for (id, info) in found {
        match info {
            Ok(info) => {
                scopes.insert(Scope::Space(id), info);
            }
            Err(error) => {
                unread.insert(Scope::Space(id), Unread { why: error.message });
            }
        }
    }
    for (id, organization) in &queries.spaces {
        let scope = Scope::Space(id.clone());
        let Some(declared) = organization else {
            continue;
        };
        let Some(info) = scopes.get(&scope) else {
            continue;
        };
        let elsewhere = match &info.organization {
            Some(actual) => actual != declared,
            None => complete_organizations.contains(declared),
        };
        if elsewhere {
            let actual = info.organization.as_ref().map_or_else(
                || "another organization".to_owned(),
                |id| format!("organization {id}"),
            );
            let why = format!("it is in {actual}, not in organization {declared} as declared");
            scopes.remove(&scope);
            unread.insert(scope, Unread { why });
        }
    }

    let listings: Vec<_> = stream::iter(scopes.keys().cloned().collect::<Vec<_>>())
        .map(|scope| async move {
            let accounts = reader.accounts(&scope).await;
            (scope, accounts)
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let mut accounts: BTreeMap<_, (bool, LiveAccount)> = BTreeMap::new();
    for (scope, listing) in listings {
        match listing {
            Ok(listing) => {
                for account in listing {
                    // An organization's listing may repeat its spaces' accounts; the account's
                    // own scope has the last word.
                    let own = account.scope == scope;
                    match accounts.get(&account.mrn) {
                        Some((true, _)) if !own => {}
                        Some((false, present)) if !own && *present <= account => {}
                        _ => {
                            accounts.insert(account.mrn.clone(), (own, account));
                        }
                    }
                }
            }
            Err(error) => {
                scopes.remove(&scope);
                unread.insert(scope, Unread { why: error.message });
            }
        }
    }

    // What another listing showed of a scope that was not read is no evidence of anything.
    accounts.retain(|_, (_, account)| !unread.contains_key(&account.scope));

    Ok(Live {
        facts: Facts {
            caller,
            now: reader.platform_time(),
            endpoint: endpoint.to_owned(),
        },
        accounts: accounts
            .into_iter()
            .map(|(mrn, (_, account))| (mrn, account))
            .collect(),
        scopes,
        unread,
    })
}
