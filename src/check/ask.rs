//! Asks the audit log about what differs, and about nothing else.
//! Drives over the port of the log alone; a log that cannot be read is an answer too.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answer, Answers, MOST_QUESTIONS};
use super::cause::LogQuery;
use crate::model::{History, Mrn, Scope};
use crate::plan::Plan;
use crate::ports::{AuditLog, ErrorKind, ReadError};

/// How many lines about one account are read at most. Only the newest of a kind counts.
const LINES_OF_AN_ACCOUNT: usize = 50;
/// How many lines of a scope are read at most, to find deletions among them.
const LINES_OF_A_SCOPE: usize = 500;

/// About how many accounts that worked the log is asked at most.
const MOST_WORKERS: usize = 20;

/// Asks the log about every account of the plan that differs, and about the scopes of those that
/// are missing.
pub async fn ask(log: &impl AuditLog, plan: &Plan) -> Answers {
    let mut inquiry = Inquiry {
        log,
        closed: BTreeMap::new(),
        scopes: BTreeMap::new(),
    };
    let mut answers = BTreeMap::new();
    let queries: BTreeSet<LogQuery> = super::cause::queries(plan).collect();
    for LogQuery { scope, resource } in queries.into_iter().take(MOST_QUESTIONS) {
        let answer = if resource == scope.mrn() {
            inquiry.scope(&scope).await
        } else {
            inquiry.account(&resource, &scope).await
        };
        answers.insert(resource, answer);
    }
    let ours = match plan
        .caller
        .binding
        .as_ref()
        .and_then(|one| one.identity.as_deref())
    {
        Some(binding) => inquiry.made_by(binding, plan, &answers).await,
        None => BTreeSet::new(),
    };
    Answers {
        about: answers,
        ours,
    }
}

/// What was learnt about the log while it was asked.
struct Inquiry<'a, L> {
    log: &'a L,
    /// Scopes whose log cannot be read, and why. They are not asked about again.
    closed: BTreeMap<Scope, String>,
    /// The logs of scopes that were read.
    scopes: BTreeMap<Scope, Answer>,
}

impl<L: AuditLog> Inquiry<'_, L> {
    /// The log of an account. Whether the platform keeps one by account is not public; if it knows
    /// nothing of the account, the lines about it are looked for in the log of its scope.
    async fn account(&mut self, account: &Mrn, scope: &Scope) -> Answer {
        match self.history(account, scope, LINES_OF_AN_ACCOUNT).await {
            Ok(history) if !history.entries.is_empty() => return Ok(history),
            Ok(_) => {}
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid) => {}
            Err(error) => return Err(error.message),
        }
        let mut history = self.scope(scope).await?;
        history
            .entries
            .retain(|entry| entry.resource.as_ref() == Some(account));
        Ok(history)
    }

    /// The accounts that worked and that the caller's binding has made. Each login may be another account,
    /// and those of earlier runs are gone: only the log still knows whose they were.
    async fn made_by(
        &mut self,
        binding: &str,
        plan: &Plan,
        answers: &BTreeMap<Mrn, Answer>,
    ) -> BTreeSet<Mrn> {
        let entries = answers
            .values()
            .flatten()
            .flat_map(|history| &history.entries);
        let worked: BTreeSet<&Mrn> = entries
            .filter_map(|entry| entry.identity.as_ref())
            .filter(|identity| !plan.caller.is(identity.as_str()))
            .collect();
        let mut ours = BTreeSet::new();
        for account in worked.into_iter().take(MOST_WORKERS) {
            let Some(scope) = account.account_scope() else {
                continue;
            };
            let Ok(history) = self.account(account, &scope).await else {
                continue;
            };
            let made = history.entries.iter().any(|entry| {
                let by = entry.identity.as_ref().map(Mrn::as_str);
                entry.resource.as_ref() == Some(account) && by == Some(binding)
            });
            if made {
                ours.insert(account.clone());
            }
        }
        ours
    }

    /// The log of a scope, read once.
    async fn scope(&mut self, scope: &Scope) -> Answer {
        if let Some(answer) = self.scopes.get(scope) {
            return answer.clone();
        }
        let answer = self.history(&scope.mrn(), scope, LINES_OF_A_SCOPE).await;
        let answer = answer.map_err(|error| error.message);
        self.scopes.insert(scope.clone(), answer.clone());
        answer
    }

    async fn history(
        &mut self,
        resource: &Mrn,
        scope: &Scope,
        most: usize,
    ) -> Result<History, ReadError> {
        if let Some(why) = self.closed.get(scope) {
            return Err(ReadError {
                kind: ErrorKind::PermissionDenied,
                message: why.clone(),
            });
        }
        let answer = self.log.history(resource, most).await;
        if let Err(error) = &answer
            && hopeless(error.kind)
        {
            self.closed.insert(scope.clone(), error.message.clone());
        }
        answer
    }
}

/// Whether another question about the same scope would fail as well.
fn hopeless(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Unauthenticated
        | ErrorKind::PermissionDenied
        | ErrorKind::RateLimited
        | ErrorKind::Platform
        | ErrorKind::Transport => true,
        ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Invalid
        | ErrorKind::Aborted
        | ErrorKind::Malformed => false,
    }
}
