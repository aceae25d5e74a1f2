//! Asks the audit log about what differs, and about nothing else.
//! Drives over the port of the log alone; a log that cannot be read is an answer too.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::Subject;
use crate::model::{History, Mrn, Scope};
use crate::plan::Plan;
use crate::ports::AuditLog;

/// About how many accounts and scopes the log is asked at most.
const MOST_QUESTIONS: usize = 100;
/// How many lines about one account are read at most. Only the newest of a kind counts.
const LINES_OF_AN_ACCOUNT: usize = 50;
/// How many lines of a scope are read at most, to find deletions among them.
const LINES_OF_A_SCOPE: usize = 500;

/// What the log says of each thing that it was asked about, or why it says nothing.
#[derive(Clone, Debug, Default)]
pub struct Answers(BTreeMap<Mrn, Result<History, String>>);

impl Answers {
    /// What the log says of an account or a scope.
    ///
    /// # Errors
    /// Why it says nothing, a fragment.
    pub(super) fn of(&self, resource: &Mrn) -> Result<&History, String> {
        match self.0.get(resource) {
            Some(Ok(history)) => Ok(history),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!(
                "more than {MOST_QUESTIONS} accounts differ, and the audit log was not asked \
                 about all of them"
            )),
        }
    }

    #[cfg(test)]
    pub(super) fn from_map(map: BTreeMap<Mrn, Result<History, String>>) -> Self {
        Self(map)
    }
}

/// Asks the log about every account of the plan that differs, and about the scopes of those that
/// are missing. A scope whose log cannot be read is not asked about again.
pub async fn ask(log: &impl AuditLog, plan: &Plan) -> Answers {
    let mut answers = BTreeMap::new();
    let mut closed: BTreeMap<Scope, String> = BTreeMap::new();
    let subjects: BTreeSet<Subject> = super::cause::subjects(plan).collect();
    for Subject { scope, resource } in subjects.into_iter().take(MOST_QUESTIONS) {
        let answer = match closed.get(&scope) {
            Some(why) => Err(why.clone()),
            None => {
                let most = if resource == scope.mrn() {
                    LINES_OF_A_SCOPE
                } else {
                    LINES_OF_AN_ACCOUNT
                };
                log.history(&resource, most).await.map_err(|error| {
                    closed.insert(scope.clone(), error.message.clone());
                    error.message
                })
            }
        };
        answers.insert(resource, answer);
    }
    Answers(answers)
}
