//! The name of an account whose place another takes, where the platform takes no two of one name.

use super::outcome::ChangeResult;
use super::run::{Ended, Run};
use crate::model::{AccountState, Labels, Mrn, former_name};
use crate::plan::{Action, Change};
use crate::ports::World;

impl<W: World> Run<'_, W> {
    /// Gives the account whose place another takes a name of its own, where the platform takes no two of
    /// one name. Tells whether it did.
    pub(super) async fn free_name(&self, change: &Change) -> Result<bool, Ended> {
        let (Action::Rotate, Some(mrn), Some(before)) =
            (change.action, &change.account, &change.before)
        else {
            return Ok(false);
        };
        let name = former_name(&before.name, change.generation.saturating_sub(1));
        self.rename(mrn, name).await.map(|()| true)
    }

    /// Gives the former account its name back, once a rotation has come to nothing.
    pub(super) async fn name_back(&self, change: &Change, (result, detail): Ended) -> Ended {
        let (Some(mrn), Some(before)) = (&change.account, &change.before) else {
            return (result, detail);
        };
        let renamed = former_name(&before.name, change.generation.saturating_sub(1));
        let has = match self.world.account(mrn).await {
            Ok(Some(present)) => present.name,
            // Then it needs no name.
            Ok(None) => return (result, detail),
            Err(error) => {
                return (
                    result,
                    format!(
                        "{detail}; whether {mrn} is still called {renamed:?} is not known ({error}); if it is, \
                         the next apply renames it"
                    ),
                );
            }
        };
        if has != renamed {
            return (result, detail);
        }
        match self.rename(mrn, before.name.clone()).await {
            Ok(()) => (result, detail),
            Err((_, why)) => (
                result,
                format!(
                    "{detail}; {mrn} is still called {renamed:?} ({why}), the next apply renames it"
                ),
            ),
        }
    }

    async fn rename(&self, mrn: &Mrn, name: String) -> Result<(), Ended> {
        let failed = |why: String| (ChangeResult::Failed, why);
        let present = self.world.account(mrn).await;
        let present = present.map_err(|error| failed(error.to_string()))?;
        let present = present.ok_or_else(|| failed(format!("{mrn} is gone")))?;
        let mut labels = present.labels.own().clone();
        labels.extend(present.marks().iter().flat_map(|marks| marks.labels()));
        let state = AccountState {
            name,
            ..present.state()
        };
        let (_, result, why) = self
            .rewrite(mrn, &state, None, &labels, Labels::new())
            .await;
        match result {
            ChangeResult::Done => Ok(()),
            _ => Err((result, format!("cannot rename {mrn}: {why}"))),
        }
    }
}
