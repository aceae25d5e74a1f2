//! Reads what is live: every declared organization with all its spaces, every declared space, and
//! the login's own scope for the marks of one stack.
//! Never writes; what cannot be read is named, not guessed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use crate::model::{
    CleanUp, Extent, Facts, Home, Live, LiveAccount, OrgId, Queries, Scope, ScopeInfo, SpaceId,
    StackId, Unread,
};
use crate::ports::{ErrorKind, ReadError, Reader, SpaceSettings};

/// How many listings run at the same time. The result does not depend on it.
const CONCURRENCY: usize = 8;
/// How many spaces are asked for their settings at most.
const MOST_SETTINGS: usize = 50;

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
    read(reader, queries, None, endpoint).await
}

/// The same, and reads the login's own scope with all its spaces, where nothing declares it, for
/// accounts that carry the marks of `stack`: those that a configuration has lost sight of.
///
/// # Errors
/// As [`refresh`].
pub async fn refresh_beyond(
    reader: &impl Reader,
    queries: &Queries,
    home: &Home,
    stack: &StackId,
    endpoint: &str,
) -> Result<Live, ReadError> {
    read(reader, queries, Some((home, stack)), endpoint).await
}

/// What there is of a declared space that could not be read.
struct Absent {
    space: SpaceId,
    error: ReadError,
    /// The organization that it is said to be in, if that tells all its spaces and not this one.
    lacking: Option<OrgId>,
}

async fn read(
    reader: &impl Reader,
    queries: &Queries,
    beyond: Option<(&Home, &StackId)>,
    endpoint: &str,
) -> Result<Live, ReadError> {
    let (home, stack) = beyond.unzip();
    let home = home.cloned().unwrap_or_default();
    let caller = reader.caller().await?;
    let own = match &home {
        Home::Read(scope) => Some(scope.clone()),
        Home::Unasked | Home::Unknown | Home::LeftOut(_) => None,
    };
    let own_organization = match &own {
        Some(Scope::Organization(id)) if !queries.organizations.contains(id) => Some(id.clone()),
        _ => None,
    };
    // What is read for the marks of the stack alone.
    let mut undeclared: BTreeSet<Scope> = BTreeSet::new();
    let mut unseen: BTreeMap<Scope, Unread> = BTreeMap::new();
    let mut scopes: BTreeMap<Scope, ScopeInfo> = BTreeMap::new();
    let mut unread: BTreeMap<Scope, Unread> = BTreeMap::new();
    let mut complete_organizations = BTreeSet::new();

    let organizations = queries.organizations.iter().chain(&own_organization);
    let organizations: Vec<_> = stream::iter(organizations)
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
        let declared = own_organization.as_ref() != Some(&id);
        if !declared {
            undeclared.insert(scope.clone());
        }
        let failed = if declared { &mut unread } else { &mut unseen };
        match info {
            Ok(info) => {
                scopes.insert(scope.clone(), info);
            }
            Err(error) => {
                failed.insert(scope.clone(), Unread { why: error.message });
            }
        }
        match spaces {
            Some(Ok(spaces)) => {
                for (space, info) in spaces {
                    let info = ScopeInfo {
                        organization: Some(id.clone()),
                        ..info
                    };
                    if !declared && !queries.spaces.contains_key(&space) {
                        undeclared.insert(Scope::Space(space.clone()));
                    }
                    scopes.insert(Scope::Space(space), info);
                }
                complete_organizations.insert(id);
            }
            Some(Err(error)) => {
                scopes.remove(&scope);
                failed.insert(scope, Unread { why: error.message });
            }
            None => {}
        }
    }

    let own_space = match &own {
        Some(Scope::Space(id)) if !queries.spaces.contains_key(id) => Some(id),
        _ => None,
    };
    // Declared spaces, and the login's own, that no organization's listing has shown.
    let missing: Vec<&SpaceId> = queries
        .spaces
        .keys()
        .chain(own_space)
        .filter(|id| !scopes.contains_key(&Scope::Space((*id).clone())))
        .collect();
    let found: Vec<_> = stream::iter(missing)
        .map(|id| async move { (id.clone(), reader.space(id).await) })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let mut absent = Vec::new();
    for (id, info) in found {
        let scope = Scope::Space(id.clone());
        let declared = queries.spaces.get(&id);
        if declared.is_none() {
            undeclared.insert(scope.clone());
        }
        match (info, declared) {
            (Ok(info), _) => {
                scopes.insert(scope, info);
            }
            (Err(error), None) => {
                unseen.insert(scope, Unread { why: error.message });
            }
            (Err(error), Some(organization)) => {
                let told = |id: &OrgId| complete_organizations.contains(id);
                absent.push(Absent {
                    space: id,
                    error,
                    lacking: organization.clone().filter(told),
                });
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
    let known: BTreeSet<Scope> = scopes.keys().cloned().collect();
    for (scope, listing) in listings {
        let for_marks = undeclared.contains(&scope);
        let concerns = |account: &LiveAccount| {
            !for_marks
                || (known.contains(&account.scope) && !undeclared.contains(&account.scope))
                || account.stack().as_ref() == stack
        };
        match listing {
            Ok(listing) => {
                for account in listing.into_iter().filter(concerns) {
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
                let failed = if for_marks { &mut unseen } else { &mut unread };
                failed.insert(scope, Unread { why: error.message });
            }
        }
    }
    let mut gone = BTreeMap::new();
    for absent in absent {
        let scope = Scope::Space(absent.space.clone());
        match absence(absent, &scopes) {
            Ok(organization) => {
                gone.insert(scope, organization);
            }
            Err(why) => {
                unread.insert(scope, Unread { why });
            }
        }
    }
    for (scope, unread) in &mut unread {
        if let Some(meant) = namesake(scope, &scopes) {
            unread.why = format!("{}; {}", unread.why, did_you_mean(&meant, scope));
        }
    }

    // What another listing showed of a scope that was not read is no evidence of anything.
    accounts.retain(|_, (_, account)| {
        !unread.contains_key(&account.scope) && !unseen.contains_key(&account.scope)
    });

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
        extent: Extent { home, unseen, gone },
    })
}

/// The organization from which a space is gone, or why it counts as unread. It is gone only if all
/// of its organization was read and does not list it, and it says itself that it is not there.
fn absence(absent: Absent, scopes: &BTreeMap<Scope, ScopeInfo>) -> Result<OrgId, String> {
    let Absent {
        space,
        error,
        lacking,
    } = absent;
    let read = |id: &OrgId| scopes.contains_key(&Scope::Organization(id.clone()));
    let why = error.message;
    let Some(organization) = lacking.filter(read) else {
        return Err(why);
    };
    // What has this name and another id was meant, and is not gone.
    let mistaken = namesake(&Scope::Space(space), scopes).is_some();
    match error.kind {
        ErrorKind::NotFound if !mistaken => Ok(organization),
        ErrorKind::NotFound => Err(why),
        ErrorKind::PermissionDenied => Err(format!(
            "{why}; organization {organization} does not list it, so it is gone, or hidden from \
             this login"
        )),
        ErrorKind::Unauthenticated
        | ErrorKind::AlreadyExists
        | ErrorKind::Invalid
        | ErrorKind::Aborted
        | ErrorKind::RateLimited
        | ErrorKind::Platform
        | ErrorKind::Transport
        | ErrorKind::Malformed => Err(why),
    }
}

/// A scope of the same kind whose name is the id of this one.
fn namesake(scope: &Scope, scopes: &BTreeMap<Scope, ScopeInfo>) -> Option<Scope> {
    let named = |(other, info): &(&Scope, &ScopeInfo)| {
        other.kind() == scope.kind()
            && *other != scope
            && info.name.to_lowercase() == scope.id().to_lowercase()
    };
    let mut named = scopes.iter().filter(named).map(|(other, _)| other);
    // Of two with one name nobody can tell which is meant.
    match (named.next(), named.next()) {
        (Some(one), None) => Some(one.clone()),
        _ => None,
    }
}

fn did_you_mean(meant: &Scope, scope: &Scope) -> String {
    format!(
        "did you mean {}, which is the id of the {} named {}?",
        meant.id(),
        meant.kind(),
        scope.id()
    )
}

/// What spaces do with accounts that nobody uses, or why that is not known, a fragment. Nothing
/// rests on it, so a platform that is in trouble is not asked again.
pub async fn clean_ups(
    settings: &impl SpaceSettings,
    spaces: Vec<SpaceId>,
) -> BTreeMap<SpaceId, Result<CleanUp, String>> {
    let mut answers = BTreeMap::new();
    let mut trouble: Option<String> = None;
    for (n, space) in spaces.into_iter().enumerate() {
        let answer = match &trouble {
            _ if n >= MOST_SETTINGS => Err(format!("at most {MOST_SETTINGS} spaces are asked")),
            Some(why) => Err(why.clone()),
            None => match settings.clean_up(&space).await {
                Ok(told) => told.ok_or_else(|| "the platform does not tell".to_owned()),
                Err(error) => {
                    if in_trouble(error.kind) {
                        trouble = Some(error.message.clone());
                    }
                    Err(error.message)
                }
            },
        };
        answers.insert(space, answer);
    }
    answers
}

/// Whether a question about another space would fail as well.
fn in_trouble(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Unauthenticated
        | ErrorKind::RateLimited
        | ErrorKind::Platform
        | ErrorKind::Transport => true,
        ErrorKind::PermissionDenied
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Invalid
        | ErrorKind::Aborted
        | ErrorKind::Malformed => false,
    }
}

#[cfg(test)]
mod tests;
