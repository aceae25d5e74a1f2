//! One change of a plan: what differs, what that means for power, and when its turn is.
//! Pure. Only `plan` decides the step; apply obeys it.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Action, Privilege, Reason, Verdict};
use crate::diff::Difference;
use crate::model::{Caller, Destination, Mrn, Role, StackId, same_name};

/// When the turn of a change is. Changes of one step and one scope are worked on together, and the
/// steps come in this order: power is given before it is taken, and deletions come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// To take into custody, and to give another address.
    Adopt,
    /// To remove an account that a run created before it died.
    RemoveDeadBirth,
    /// To deliver keys to further places, before anything leaves one.
    Redeliver,
    /// To free a name that the plan gives again.
    Rename,
    /// To create, deliver and grant.
    Birth,
    /// To set roles of which some are gained.
    Grant,
    /// To set name, description, labels and marks.
    Update,
    /// To make a new key, deliver it, and let it take the place of the former one.
    Rotate,
    /// To set roles of which some are only lost.
    Revoke,
    /// To give up.
    Forget,
    /// To delete.
    Delete,
}

/// A change: a difference in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What is done, to what, and why.
    pub what: Difference,
    /// When its turn is.
    pub step: Step,
    /// Within the step of renames, how many others it waits for.
    pub(crate) waits: usize,
    /// What it means for power.
    pub privilege: Privilege,
    /// The other configuration whose marks the account carries until then.
    pub taken_from: Option<StackId>,
}

impl Change {
    /// The change that a difference asks for, in a plan of this stack.
    pub fn of(what: Difference, stack: &StackId) -> Self {
        let marked = what.marks.as_ref().map(|marks| marks.stack.clone());
        Self::taking(what, marked.filter(|marked| marked != stack))
    }

    /// The same of an account that is of another configuration, or of none.
    pub(super) fn taking(what: Difference, taken_from: Option<StackId>) -> Self {
        let privilege = privilege(&what);
        let step = match (what.action, what.reason, privilege.verdict) {
            (Action::Adopt | Action::Move, ..) => Step::Adopt,
            (Action::Delete, Reason::CredentialPending, _) => Step::RemoveDeadBirth,
            (Action::Create, ..) => Step::Birth,
            (Action::Redeliver, ..) => Step::Redeliver,
            (Action::Rotate, ..) => Step::Rotate,
            (Action::UpdatePermissions, _, Verdict::Escalation | Verdict::Neutral) => Step::Grant,
            (Action::Update, ..) => Step::Update,
            (Action::UpdatePermissions, _, Verdict::Reduction) => Step::Revoke,
            (Action::Forget, ..) => Step::Forget,
            (Action::Delete, ..) => Step::Delete,
        };
        Self {
            what,
            step,
            waits: 0,
            privilege,
            taken_from,
        }
    }

    /// Puts an update into the step of renames if its account's present name is given again, and takes
    /// it out otherwise. `names` are the accounts of such names, with how many others each waits for.
    pub(super) fn free_name(&mut self, names: &BTreeMap<Mrn, usize>) {
        if self.what.action != Action::Update {
            return;
        }
        let account = self.what.account.as_ref();
        let waits = account.and_then(|account| names.get(account)).copied();
        self.step = waits.map_or(Step::Update, |_| Step::Rename);
        self.waits = waits.unwrap_or_default();
    }

    /// Whether the account gets another name.
    pub fn renames(&self) -> bool {
        let both = self.what.before.as_ref().zip(self.what.after.as_ref());
        both.is_some_and(|(before, after)| !same_name(&before.name, &after.name))
    }

    /// Its place among the changes of a plan, whoever made that: by step, then scope and address.
    pub(super) fn place(&self) -> impl Ord + use<'_> {
        (
            self.step,
            self.waits,
            &self.what.scope,
            &self.what.address,
            self.what.generation,
            &self.what.account,
            self.what.action,
        )
    }

    /// Its turn in a run of this caller, whose own account comes last within its step.
    pub(super) fn turn(&self, caller: &Caller) -> impl Ord + use<'_> {
        let own = self.touches(caller);
        (self.step, self.waits, own, self.place())
    }

    /// Whether it is about the caller's own account.
    pub fn touches(&self, caller: &Caller) -> bool {
        let account = self.what.account.as_ref();
        account.is_some_and(|account| caller.owns(account))
    }
}

impl Deref for Change {
    type Target = Difference;

    fn deref(&self) -> &Difference {
        &self.what
    }
}

fn privilege(what: &Difference) -> Privilege {
    let mut privilege = match what.action {
        // Whose it is says nothing of what it can do.
        Action::Adopt => Privilege::none(),
        Action::Create => Privilege::of(what.before.as_ref(), what.after.as_ref())
            .delivered(what.deliver_to.iter(), true),
        Action::Redeliver => Privilege::of(what.before.as_ref(), what.after.as_ref())
            .delivered(what.deliver_to.iter(), false),
        Action::Rotate => rotated(what),
        Action::Move
        | Action::Update
        | Action::UpdatePermissions
        | Action::Forget
        | Action::Delete => Privilege::of(what.before.as_ref(), what.after.as_ref()),
    };
    if matches!(what.action, Action::Redeliver | Action::Rotate) {
        // Who reads the new place is the account, whatever it may do.
        let roles = what.before.iter().flat_map(|state| &state.roles);
        privilege.owner |= roles.into_iter().any(Role::owns);
    }
    // Who keeps an owner concerns a reviewer, though its roles stay.
    if matches!(what.action, Action::Adopt | Action::Forget) {
        let roles = what.before.iter().flat_map(|state| &state.roles);
        privilege.owner |= roles.into_iter().any(Role::owns);
    }
    privilege
}

/// What a new key means for power. The former one goes on as it is, so that nothing is lost yet; in
/// another scope all is gained.
fn rotated(what: &Difference) -> Privilege {
    let moves = what.account.as_ref().and_then(Mrn::account_scope) != Some(what.scope.clone());
    let before = what.before.as_ref().filter(|_| !moves);
    let had = |to: &&Destination| {
        let mut former = what.predecessors.iter();
        former.any(|former| former.had.contains_key(&to.id()))
    };
    let (had, new): (Vec<&Destination>, Vec<&Destination>) = what.deliver_to.iter().partition(had);
    let all = Privilege::of(before, what.after.as_ref()).gained_alone();
    let all = all.overwriting(had.into_iter());
    match new.is_empty() {
        true => all,
        false => all.delivered(new.into_iter(), false),
    }
}
