//! Reads what is live: every declared organization with all its spaces, every declared space, and
//! the login's own scope for the marks of one stack.
//! Never writes; what cannot be read is named, not guessed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use crate::model::{
    CleanUp, Extent, Facts, Home, Live, LiveAccount, Mrn, OrgId, Queries, Scope, ScopeInfo,
    SpaceId, StackId, Unread,
};
use crate::ports::{ErrorKind, ReadError, Reader, SpaceSettings};

/// How many listings run at the same time. The result does not depend on it.
const CONCURRENCY: usize = 8;
/// How many ids a question for what was meant names at most.
const MOST_MEANT: usize = 20;
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
        Home::Read(scope) => Some(scope),
        Home::Unasked | Home::Unknown | Home::LeftOut(_) => None,
    };
    let mut reading = Reading::new(queries);
    reading.organizations(reader, own).await;
    let absent = reading.spaces(reader, own).await;
    reading.misplaced();
    let accounts = reading.accounts(reader, stack).await;
    let gone = reading.gone(absent, &accounts);
    let Reading {
        queries: _,
        scopes,
        mut unread,
        undeclared: _,
        unseen,
        whole: _,
    } = reading;
    for (scope, unread) in &mut unread {
        if let Some(meant) = did_you_mean(&namesakes(scope, &scopes), scope) {
            unread.why = format!("{}; {meant}", unread.why);
        }
    }
    // What another listing showed of a scope that was not read is no evidence of anything.
    let known = |(_, account): &(Mrn, LiveAccount)| {
        !unread.contains_key(&account.scope) && !unseen.contains_key(&account.scope)
    };
    let accounts = accounts.into_iter().filter(known).collect();
    Ok(Live {
        facts: Facts {
            caller: caller.beside(&accounts),
            now: reader.platform_time(),
            endpoint: endpoint.to_owned(),
        },
        accounts,
        scopes,
        unread,
        extent: Extent { home, unseen, gone },
    })
}

/// What is known so far.
struct Reading<'a> {
    queries: &'a Queries,
    scopes: BTreeMap<Scope, ScopeInfo>,
    unread: BTreeMap<Scope, Unread>,
    /// What is read for the marks of one stack alone.
    undeclared: BTreeSet<Scope>,
    /// What of that could not be read.
    unseen: BTreeMap<Scope, Unread>,
    /// The organizations that have listed all their spaces.
    whole: BTreeSet<OrgId>,
}

/// What there is of a declared space that could not be read.
struct Absent {
    space: SpaceId,
    error: ReadError,
    /// The organization that it is said to be in, if that lists all its spaces and not this one.
    lacking: Option<OrgId>,
}

impl<'a> Reading<'a> {
    fn new(queries: &'a Queries) -> Self {
        Self {
            queries,
            scopes: BTreeMap::new(),
            unread: BTreeMap::new(),
            undeclared: BTreeSet::new(),
            unseen: BTreeMap::new(),
            whole: BTreeSet::new(),
        }
    }

    /// Takes note that a scope could not be read.
    fn fail(&mut self, scope: Scope, why: String) {
        self.scopes.remove(&scope);
        let failed = match self.undeclared.contains(&scope) {
            true => &mut self.unseen,
            false => &mut self.unread,
        };
        failed.insert(scope, Unread { why });
    }

    /// Declared organizations and the login's own, with their spaces.
    async fn organizations(&mut self, reader: &impl Reader, own: Option<&Scope>) {
        let declared = &self.queries.organizations;
        let own = match own {
            Some(Scope::Organization(id)) if !declared.contains(id) => Some(id),
            _ => None,
        };
        let found: Vec<_> = stream::iter(declared.iter().chain(own))
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
        for (id, info, spaces) in found {
            let scope = Scope::Organization(id.clone());
            let undeclared = own == Some(&id);
            if undeclared {
                self.undeclared.insert(scope.clone());
            }
            match info {
                Ok(info) => {
                    self.scopes.insert(scope.clone(), info);
                }
                Err(error) => self.fail(scope.clone(), error.message),
            }
            match spaces {
                Some(Ok(spaces)) => {
                    for (space, info) in spaces {
                        let info = ScopeInfo {
                            organization: Some(id.clone()),
                            ..info
                        };
                        if undeclared && !self.queries.spaces.contains_key(&space) {
                            self.undeclared.insert(Scope::Space(space.clone()));
                        }
                        self.scopes.insert(Scope::Space(space), info);
                    }
                    self.whole.insert(id);
                }
                Some(Err(error)) => self.fail(scope, error.message),
                None => {}
            }
        }
    }

    /// Declared spaces, and the login's own, that no organization's listing has shown. Gives the
    /// declared ones that could not be read.
    async fn spaces(&mut self, reader: &impl Reader, own: Option<&Scope>) -> Vec<Absent> {
        let declared = &self.queries.spaces;
        let own = match own {
            Some(Scope::Space(id)) if !declared.contains_key(id) => Some(id),
            _ => None,
        };
        let missing: Vec<&SpaceId> = declared
            .keys()
            .chain(own)
            .filter(|id| !self.scopes.contains_key(&Scope::Space((*id).clone())))
            .collect();
        let found: Vec<_> = stream::iter(missing)
            .map(|id| async move { (id.clone(), reader.space(id).await) })
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let mut absent = Vec::new();
        for (id, info) in found {
            let scope = Scope::Space(id.clone());
            let queried = declared.get(&id);
            if queried.is_none() {
                self.undeclared.insert(scope.clone());
            }
            match (info, queried) {
                (Ok(info), _) => {
                    self.scopes.insert(scope, info);
                }
                (Err(error), None) => self.fail(scope, error.message),
                (Err(error), Some(organization)) => absent.push(Absent {
                    space: id,
                    error,
                    lacking: organization.clone().filter(|id| self.whole.contains(id)),
                }),
            }
        }
        absent
    }

    /// Spaces that are in another organization than is declared count as unread.
    fn misplaced(&mut self) {
        for (id, organization) in &self.queries.spaces {
            let scope = Scope::Space(id.clone());
            let Some(declared) = organization else {
                continue;
            };
            let Some(info) = self.scopes.get(&scope) else {
                continue;
            };
            let elsewhere = match &info.organization {
                Some(actual) => actual != declared,
                None => self.whole.contains(declared),
            };
            if elsewhere {
                let actual = info.organization.as_ref().map_or_else(
                    || "another organization".to_owned(),
                    |id| format!("organization {id}"),
                );
                let why = format!("it is in {actual}, not in organization {declared} as declared");
                self.fail(scope, why);
            }
        }
    }

    /// The accounts of all scopes; of what is not declared those that carry the marks of `stack`.
    async fn accounts(
        &mut self,
        reader: &impl Reader,
        stack: Option<&StackId>,
    ) -> BTreeMap<Mrn, LiveAccount> {
        let known: BTreeSet<Scope> = self.scopes.keys().cloned().collect();
        let listings: Vec<_> = stream::iter(known.iter().cloned())
            .map(|scope| async move {
                let accounts = reader.accounts(&scope).await;
                (scope, accounts)
            })
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let declared = |scope: &Scope| match scope {
            Scope::Space(id) if self.queries.spaces.contains_key(id) => true,
            _ => known.contains(scope) && !self.undeclared.contains(scope),
        };
        let mut failed = Vec::new();
        let mut accounts: BTreeMap<_, (bool, LiveAccount)> = BTreeMap::new();
        for (scope, listing) in listings {
            let all = declared(&scope);
            let concerns = |account: &LiveAccount| {
                all || declared(&account.scope) || account.labels.stack() == stack
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
                Err(error) => failed.push((scope, error.message)),
            }
        }
        for (scope, why) in failed {
            self.fail(scope, why);
        }
        let accounts = accounts.into_iter();
        accounts.map(|(mrn, (_, account))| (mrn, account)).collect()
    }

    /// Tells spaces that are gone from those that count as unread.
    fn gone(
        &mut self,
        absent: Vec<Absent>,
        accounts: &BTreeMap<Mrn, LiveAccount>,
    ) -> BTreeMap<Scope, OrgId> {
        let mut gone = BTreeMap::new();
        for absent in absent {
            let scope = Scope::Space(absent.space.clone());
            match self.absence(absent, accounts) {
                Ok(organization) => {
                    gone.insert(scope, organization);
                }
                Err(why) => self.fail(scope, why),
            }
        }
        gone
    }

    /// The organization from which a space is gone, or why it counts as unread. It is gone only if
    /// all of its organization was read and shows nothing of it, and it says itself that it is not
    /// there.
    fn absence(
        &self,
        absent: Absent,
        accounts: &BTreeMap<Mrn, LiveAccount>,
    ) -> Result<OrgId, String> {
        let Absent {
            space,
            error,
            lacking,
        } = absent;
        let scope = Scope::Space(space);
        let read = |id: &OrgId| self.scopes.contains_key(&Scope::Organization(id.clone()));
        let why = error.message;
        let Some(organization) = lacking.filter(read) else {
            return Err(why);
        };
        if accounts.values().any(|account| account.scope == scope) {
            return Err(format!(
                "{why}; organization {organization} does not list it, and lists accounts of it, \
                 so it is hidden from this login"
            ));
        }
        match error.kind {
            // What has this name and another id was meant, and is not gone.
            ErrorKind::NotFound if !namesakes(&scope, &self.scopes).is_empty() => Err(why),
            ErrorKind::NotFound => Ok(organization),
            ErrorKind::PermissionDenied => Err(format!(
                "{why}; organization {organization} does not list it, so it is gone, or hidden \
                 from this login"
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
}

/// The scopes of the same kind whose name is the id of this one.
fn namesakes<'a>(scope: &Scope, scopes: &'a BTreeMap<Scope, ScopeInfo>) -> Vec<&'a Scope> {
    let wanted = scope.id().to_lowercase();
    let named = |(other, info): &(&Scope, &ScopeInfo)| {
        other.kind() == scope.kind() && *other != scope && info.name.to_lowercase() == wanted
    };
    scopes
        .iter()
        .filter(named)
        .map(|(other, _)| other)
        .collect()
}

/// A question for the ids that were meant by a name; `None` if there are none.
fn did_you_mean(meant: &[&Scope], scope: &Scope) -> Option<String> {
    let (kind, name) = (scope.kind(), scope.id());
    let ids: Vec<&str> = meant.iter().take(MOST_MEANT).map(|one| one.id()).collect();
    let ids = ids.join(", ");
    match meant.len() {
        0 => None,
        1 => Some(format!(
            "did you mean {ids}, which is the id of the {kind} named {name}?"
        )),
        n => {
            let more = match n.saturating_sub(MOST_MEANT) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Some(format!(
                "did you mean one of {ids}{more}, which are the ids of the {kind}s named {name}?"
            ))
        }
    }
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
