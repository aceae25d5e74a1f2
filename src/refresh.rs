//! Reads what is live: every declared organization with all its spaces, and every declared space.
//! Never writes; what cannot be read is named, not guessed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use crate::model::{CleanUp, Facts, Live, LiveAccount, Queries, Scope, ScopeInfo, SpaceId, Unread};
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
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Answers by the number of the question, from 0.
    struct Settings<F> {
        answer: F,
        asked: RefCell<usize>,
    }

    impl<F: Fn(usize) -> Result<Option<CleanUp>, ErrorKind>> SpaceSettings for Settings<F> {
        async fn clean_up(&self, _: &SpaceId) -> Result<Option<CleanUp>, ReadError> {
            let n = self.asked.replace_with(|n| *n + 1);
            (self.answer)(n).map_err(|kind| ReadError {
                kind,
                message: format!("{kind:?}"),
            })
        }
    }

    /// How many of so many spaces were asked, and the answers.
    async fn asked(
        spaces: usize,
        answer: impl Fn(usize) -> Result<Option<CleanUp>, ErrorKind>,
    ) -> (usize, Vec<Result<CleanUp, String>>) {
        let settings = Settings {
            answer,
            asked: RefCell::default(),
        };
        let ids = (0..spaces).map(|n| SpaceId::new(format!("s{n:03}")).expect("valid"));
        let answers = clean_ups(&settings, ids.collect()).await;
        (settings.asked.into_inner(), answers.into_values().collect())
    }

    #[tokio::test]
    async fn every_space_has_an_answer_and_few_are_asked() {
        let (asked, answers) = asked(60, |_| Ok(Some(CleanUp::Off))).await;
        assert_eq!((asked, answers.len()), (50, 60));
        let known = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(known, 50);
        assert!(answers[59].clone().expect_err("not asked").contains("50"));
    }

    #[tokio::test]
    async fn silence_is_no_answer() {
        let (_, answers) = asked(1, |_| Ok(None)).await;
        assert!(answers[0].is_err());
    }

    #[tokio::test]
    async fn a_platform_in_trouble_is_not_asked_again_and_a_closed_space_hides_no_other() {
        for (kind, questions) in [
            (ErrorKind::Transport, 1),
            (ErrorKind::Platform, 1),
            (ErrorKind::RateLimited, 1),
            (ErrorKind::PermissionDenied, 3),
            (ErrorKind::Malformed, 3),
        ] {
            let (asked, answers) = asked(3, |n| match n {
                0 => Err(kind),
                _ => Ok(Some(CleanUp::Off)),
            })
            .await;
            assert_eq!((asked, answers.len()), (questions, 3), "{kind:?}");
            assert_eq!(answers[0], Err(format!("{kind:?}")));
            assert_eq!(answers[2].is_ok(), questions == 3);
        }
    }
}
