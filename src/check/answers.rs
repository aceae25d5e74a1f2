//! What the audit log said of what was asked.
//! Pure.

use std::collections::BTreeMap;

use crate::model::{History, Mrn};

/// About how many accounts and scopes the log is asked at most.
pub(super) const MOST_QUESTIONS: usize = 100;
pub(super) type Answer = Result<History, String>;

/// What the log says of each thing that it was asked about, or why it says nothing.
#[derive(Clone, Debug, Default)]
pub struct Answers(pub(super) BTreeMap<Mrn, Answer>);

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
    pub(super) fn from_map(map: BTreeMap<Mrn, Answer>) -> Self {
        Self(map)
    }
}
