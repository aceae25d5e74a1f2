//! Accounts that this run has just created and that nobody relies on yet: how they go again.

use std::collections::BTreeMap;

use super::outcome::ChangeResult;
use super::run::{Ended, Run};
use crate::model::{Mrn, RoleSet};
use crate::plan::Change;
use crate::ports::World;

/// What happens to an account with our marks that could not be removed.
pub(super) const REMOVES_LATER: &str = "; a later run removes it";

impl<W: World> Run<'_, W> {
    pub(super) async fn replace_roles(&self, change: &Change, mrn: &Mrn, roles: &RoleSet) -> bool {
        let wanted = BTreeMap::from([(mrn.clone(), roles.clone())]);
        let answer = self.set_roles(&change.scope, &wanted).await;
        self.granted(&answer, mrn, roles, self.world.elapsed())
            .await
            .0
            == ChangeResult::Done
    }

    /// Removes an account of which nothing can become. `otherwise` says what happens to it if
    /// that fails.
    pub(super) async fn give_up(
        &self,
        change: &Change,
        mrn: &Mrn,
        why: &str,
        otherwise: &str,
    ) -> Ended {
        match self.remove(change, mrn).await {
            None => (ChangeResult::Failed, format!("{why}; it was removed again")),
            Some(left) => (ChangeResult::Failed, format!("{why}; {left}{otherwise}")),
        }
    }

    /// Removes an account that this run has just created. `None` if it is gone, else a fragment
    /// that says what is left.
    pub(super) async fn remove(&self, change: &Change, mrn: &Mrn) -> Option<String> {
        let mrns = [mrn.clone()];
        let answer = self
            .write(async || self.world.delete(&change.scope, &mrns).await)
            .await;
        match self.gone(&answer, mrn, self.world.elapsed()).await {
            (ChangeResult::Done, _) => None,
            (_, why) => Some(format!("{mrn} could not be removed again ({why})")),
        }
    }
}
