//! What the audit log said of what was asked.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{History, Mrn};

/// About how many accounts and scopes the log is asked at most.
pub(super) const MOST_QUESTIONS: usize = 100;
pub(super) type Answer = Result<History, String>;

/// What the log says of each thing that it was asked about, or why it says nothing.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    pub(super) about: BTreeMap<Mrn, Answer>,
    /// Accounts that worked and that the log knows as temporary ones of the caller's binding. They may be
    /// gone.
    pub(super) ours: BTreeSet<Mrn>,
}

impl Answers {
    /// What the log says of an account or a scope.
    ///
    /// # Errors
    /// Why it says nothing, a fragment.
    pub(super) fn of(&self, resource: &Mrn) -> Result<&History, String> {
        match self.about.get(resource) {
            Some(Ok(history)) => Ok(history),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!(
                "more than {MOST_QUESTIONS} accounts differ, and the audit log was not asked \
                 about all of them"
            )),
        }
    }

    #[cfg(test)]
    pub(super) fn from_map(map: BTreeMap<Mrn, Answer>) -> Self {
        Self {
            about: map,
            ours: BTreeSet::new(),
        }
    }
}
