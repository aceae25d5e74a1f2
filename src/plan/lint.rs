//! What holds for every plan, whoever made it and of what: a plan that breaks a rule is a mistake in
//! rolecall. Debug builds, the tests and the simulation look at every plan so; no rule rests on the code
//! that makes plans.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Action, Change, Contents, Reason, Step, Verdict};
use crate::model::{AccountState, Address, CredentialMark, Destination, Mrn, OnDelete, composed};

/// A rule that every plan keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Steps come in their order; of one step first what others wait for, and the caller's own account
    /// last.
    Order,
    /// A change stands in the step that its action, reason and power ask for.
    Step,
    /// A change has what its action needs and nothing else: a birth has destinations and no account.
    Shape,
    /// Roles change where roles are set, and nothing else does there.
    Effect,
    /// Nothing is done in a scope that was not read.
    Scope,
    /// Address, generation and action name one change.
    Unique,
    /// An account is deleted or given up by the one change that there is of it, and changed once in
    /// each way.
    Once,
    /// Nothing is done where something stands in the way, or a birth is under way.
    Blocked,
    /// What is left alone is not changed.
    LeftAlone,
    /// No two accounts of a scope get one name.
    Names,
    /// A protected account is not deleted.
    Protected,
    /// An account of another configuration is taken over where who runs this allows it, and not touched
    /// otherwise.
    Foreign,
}

/// A rule that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The change that breaks it.
    pub address: Address,
    /// How, as a fragment.
    pub how: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, address, how } = self;
        write!(f, "{address}: {how} ({rule:?})")
    }
}

/// Every rule that a settled plan breaks; none if it is as a plan must be.
pub fn lint(plan: &Contents) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    order(plan, &mut found);
    for change in &plan.changes {
        step(change, &mut found);
        shape(change, &mut found);
        effect(change, &mut found);
        foreign(plan, change, &mut found);
    }
    scopes(plan, &mut found);
    once(plan, &mut found);
    nowhere(plan, &mut found);
    in_the_way(plan, &mut found);
    names(plan, &mut found);
    found.0
}

struct Findings(Vec<Finding>);

impl Findings {
    /// Notes a rule that a change breaks.
    fn note(&mut self, rule: Rule, change: &Change, how: impl Into<String>) {
        self.0.push(Finding {
            rule,
            address: change.address.clone(),
            how: how.into(),
        });
    }

    /// Notes it if it is so.
    fn note_if(&mut self, broken: bool, rule: Rule, change: &Change, how: &str) {
        if broken {
            self.note(rule, change, how);
        }
    }
}

fn order(plan: &Contents, found: &mut Findings) {
    let turn = |change: &Change| {
        let own = change.touches(&plan.caller);
        (change.step, change.waits, own)
    };
    for (before, change) in plan.changes.iter().zip(plan.changes.iter().skip(1)) {
        if turn(before) > turn(change) {
            let how = format!(
                "its turn is before that of {}, and it follows",
                before.address
            );
            found.note(Rule::Order, change, how);
        }
    }
    // A name that is given again has to be free by then.
    let mut frees: BTreeMap<_, usize> = BTreeMap::new();
    for (at, change) in plan.changes.iter().enumerate() {
        if let (Action::Update, Some(before), true) =
            (change.action, &change.before, change.renames())
        {
            frees.insert((&change.scope, composed(&before.name)), at);
        }
    }
    for (at, change) in plan.changes.iter().enumerate() {
        let born = matches!(change.action, Action::Create | Action::Rotate);
        let gets = born || change.renames();
        let Some(after) = change.after.as_ref().filter(|_| gets) else {
            continue;
        };
        if let Some(freed) = frees.get(&(&change.scope, composed(&after.name)))
            && *freed > at
        {
            let how = "the name that it gets is freed only after it";
            found.note(Rule::Order, change, how);
        }
    }
}

fn step(change: &Change, found: &mut Findings) {
    let allowed: &[Step] = match (change.action, change.reason) {
        (Action::Adopt | Action::Move, _) => &[Step::Adopt],
        (Action::Create, _) => &[Step::Birth],
        (Action::Redeliver, _) => &[Step::Redeliver],
        (Action::Rotate, _) => &[Step::Rotate],
        (Action::Update, _) => &[Step::Rename, Step::Update],
        (Action::UpdatePermissions, _) if change.privilege.verdict == Verdict::Reduction => {
            &[Step::Revoke]
        }
        (Action::UpdatePermissions, _) => &[Step::Grant],
        (Action::Forget, _) => &[Step::Forget],
        (Action::Delete, Reason::CredentialPending) => &[Step::RemoveDeadBirth],
        (Action::Delete, _) => &[Step::Delete],
    };
    let wrong = !allowed.contains(&change.step);
    found.note_if(wrong, Rule::Step, change, "it stands in a step of others");
    let waits = change.waits > 0 && change.step != Step::Rename;
    found.note_if(waits, Rule::Step, change, "it waits, and frees no name");
    let renames = change.step == Step::Rename && !change.renames();
    found.note_if(renames, Rule::Step, change, "it frees a name that it keeps");
}

fn shape(change: &Change, found: &mut Findings) {
    let mut note = |broken: bool, how: &str| found.note_if(broken, Rule::Shape, change, how);
    let create = change.action == Action::Create;
    note(
        create == change.account.is_some(),
        "a live account belongs to all but births",
    );
    note(
        create == change.before.is_some(),
        "a state before belongs to all but births",
    );
    let ends = change.action == Action::Delete;
    note(
        ends == change.after.is_some(),
        "a state after belongs to all but deletions",
    );
    let destinations = change.deliver_to.len();
    let rotates = change.action == Action::Rotate;
    note(
        (create || rotates) && destinations == 0,
        "a birth has nowhere to put the key",
    );
    let again = change.action == Action::Redeliver;
    note(
        !create && !rotates && !again && destinations > 0,
        "only births, rotations and redeliveries deliver a key",
    );
    let former = change.predecessors.first().map(|former| &former.account);
    note(
        rotates && former != change.account.as_ref(),
        "a rotation takes the place of its own account first",
    );
    note(
        !rotates && !again && former.is_some(),
        "only rotations and redeliveries have predecessors",
    );
    let older = change.marks.as_ref().is_some_and(|marks| {
        let next = marks.generation.saturating_add(u32::from(rotates));
        change.action != Action::Adopt && next != change.generation
    });
    note(older, "it is of another generation than its marks say");
    note(
        again && destinations == 0,
        "a redelivery has nowhere to put the key",
    );
    note(
        again != change.key_from.is_some(),
        "a place to read a key from belongs to redeliveries alone",
    );
    let circle = |from: &Destination| change.deliver_to.iter().any(|to| to.id() == from.id());
    note(
        change.key_from.as_ref().is_some_and(circle),
        "its key goes to where it is read",
    );
    let leaves = matches!(change.action, Action::Update | Action::Delete);
    note(
        !leaves && !change.leaves.is_empty(),
        "a key leaves a place with updates and deletions alone",
    );
    for leaving in &change.leaves {
        let place = leaving.place.as_ref();
        let fits = place.is_none_or(|to| to.id() == leaving.id && to.kind() == leaving.kind);
        note(!fits, "the place that the key leaves is another");
        let meant = place.is_some_and(|to| to.on_delete() == OnDelete::Remove);
        note(
            leaving.removed != meant,
            "its key is removed where nobody says so",
        );
        let ends = change.action == Action::Delete;
        note(
            ends && !leaving.removed,
            "a key that is deleted leaves no place",
        );
        let known = change
            .marks
            .as_ref()
            .is_none_or(|marks| match &marks.credential {
                CredentialMark::Delivered { destinations, .. } => {
                    destinations.contains_key(&leaving.id)
                }
                CredentialMark::Pending(_) | CredentialMark::External => false,
            });
        note(!known, "its key leaves a place where it is not");
    }
    let several: BTreeSet<_> = change.leaves.iter().map(|leaving| leaving.id).collect();
    note(
        several.len() < change.leaves.len(),
        "a key leaves one place twice",
    );
    let several: BTreeSet<_> = change.deliver_to.iter().map(Destination::id).collect();
    note(
        several.len() < destinations,
        "a key goes to one place twice",
    );
    let moves = change.action == Action::Move;
    note(
        moves != change.moved_from.is_some(),
        "an address before belongs to moves alone",
    );
    let home = change.account.as_ref().and_then(Mrn::account_scope);
    note(
        !rotates && home.is_some_and(|home| home != change.scope),
        "its account lives in another scope",
    );
}

fn effect(change: &Change, found: &mut Findings) {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        let protected = change
            .before
            .as_ref()
            .is_some_and(|before| before.protected);
        let deletes = change.action == Action::Delete && protected;
        found.note_if(
            deletes,
            Rule::Protected,
            change,
            "it deletes what is protected",
        );
        return;
    };
    let mut note = |broken: bool, how: &str| found.note_if(broken, Rule::Effect, change, how);
    let AccountState {
        name,
        description,
        labels,
        roles,
        valid_until,
        protected,
    } = before;
    let sets_roles = *roles != after.roles;
    let same_words =
        *name == after.name && *description == after.description && *labels == after.labels;
    let same_rest = *valid_until == after.valid_until && *protected == after.protected;
    let only_seal = matches!(change.reason, Reason::Unsealed | Reason::SealedBefore);
    // The marks of a former generation say since when it is one.
    let only_time = change.reason == Reason::Superseded;
    let only_leaves = change.reason == Reason::DeliverTo && !change.leaves.is_empty();
    match change.action {
        Action::UpdatePermissions => {
            note(!sets_roles, "it sets roles that are there");
            note(!same_words || !same_rest, "it changes more than roles");
        }
        Action::Update => {
            note(sets_roles, "it changes roles");
            note(
                same_words && same_rest && !only_seal && !only_leaves && !only_time,
                "it changes nothing",
            );
        }
        Action::Redeliver => {
            note(sets_roles, "it changes roles");
            note(
                !same_words || !same_rest,
                "it changes more than where the key is",
            );
        }
        Action::Adopt | Action::Move | Action::Forget => {
            note(sets_roles, "it changes roles");
            note(!same_words, "it changes more than whose the account is");
        }
        Action::Create | Action::Rotate | Action::Delete => {}
    }
}

fn foreign(plan: &Contents, change: &Change, found: &mut Findings) {
    let told = change.marks.as_ref().map(|marks| &marks.stack);
    let other = told.filter(|stack| **stack != plan.stack);
    let marked = change.taken_from.as_ref().or(other);
    if let Some(stack) = marked {
        let taken = (change.action, change.reason) == (Action::Adopt, Reason::TakenOver);
        let how = "it touches an account of another configuration";
        let allowed = taken && plan.meant.take_over.contains(stack);
        found.note_if(!allowed, Rule::Foreign, change, how);
    }
    let silent = told.is_some() && change.taken_from.as_ref() != other;
    let how = "whose account it takes is not what the marks say";
    found.note_if(silent, Rule::Foreign, change, how);
}

fn scopes(plan: &Contents, found: &mut Findings) {
    let annex = &plan.annex;
    for change in &plan.changes {
        let scope = &change.scope;
        if annex.unread.contains_key(scope) || !annex.scopes.contains_key(scope) {
            found.note(Rule::Scope, change, format!("{scope} was not read"));
        }
    }
}

fn once(plan: &Contents, found: &mut Findings) {
    let mut named = BTreeSet::new();
    let mut touched: BTreeMap<&Mrn, Vec<Action>> = BTreeMap::new();
    for change in &plan.changes {
        if !named.insert((&change.address, change.generation, change.action)) {
            found.note(Rule::Unique, change, "another change has this very name");
        }
        let Some(account) = &change.account else {
            continue;
        };
        let before = touched.entry(account).or_default();
        let ends = |action: &Action| matches!(action, Action::Delete | Action::Forget);
        let begins = |action: &Action| matches!(action, Action::Adopt | Action::Move);
        let action = change.action;
        let excluded = before.contains(&action)
            || !before.is_empty() && ends(&action)
            || before.iter().any(ends)
            || begins(&action) && before.iter().any(begins);
        if excluded {
            let how = format!("another change of {account} excludes it");
            found.note(Rule::Once, change, how);
        }
        before.push(action);
    }
}

/// A live account's key leaves no place that is the last one.
fn nowhere(plan: &Contents, found: &mut Findings) {
    let again = plan.changes.iter();
    let again: BTreeSet<&Mrn> = again
        .filter(|change| change.action == Action::Redeliver)
        .filter_map(|change| change.account.as_ref())
        .collect();
    for change in &plan.changes {
        let marks = change.marks.as_ref();
        let places = marks.and_then(|marks| marks.credential.destinations());
        let all = places.is_some_and(|places| places.len() == change.leaves.len());
        let elsewhere = change.account.as_ref().is_some_and(|of| again.contains(of));
        let lost = change.action == Action::Update && !change.leaves.is_empty() && all;
        let how = "a live account's key leaves every place";
        found.note_if(lost && !elsewhere, Rule::Shape, change, how);
    }
}

fn in_the_way(plan: &Contents, found: &mut Findings) {
    let blocked: BTreeSet<&Address> = plan.blocked.iter().map(|b| &b.address).collect();
    let born: BTreeSet<&Mrn> = plan.in_flight.iter().map(|birth| &birth.account).collect();
    let births: BTreeSet<&Address> = plan.in_flight.iter().map(|birth| &birth.address).collect();
    let left = plan.annex.left_alone.iter();
    let left: BTreeSet<&Mrn> = left.map(|left| &left.account.mrn).collect();
    for change in &plan.changes {
        let stopped = blocked.contains(&change.address);
        let how = "something stands in its way";
        found.note_if(stopped, Rule::Blocked, change, how);
        let account = change.account.as_ref();
        let young = births.contains(&change.address)
            || account.is_some_and(|account| born.contains(account));
        found.note_if(young, Rule::Blocked, change, "a birth is under way there");
        let alone = account.is_some_and(|account| left.contains(account));
        let how = "its account is said to be left alone";
        found.note_if(alone, Rule::LeftAlone, change, how);
    }
}

fn names(plan: &Contents, found: &mut Findings) {
    let mut given = BTreeSet::new();
    for change in &plan.changes {
        let born = matches!(change.action, Action::Create | Action::Rotate);
        let gets = born || change.action == Action::Update && change.renames();
        let Some(after) = change.after.as_ref().filter(|_| gets) else {
            continue;
        };
        if !given.insert((&change.scope, composed(&after.name))) {
            let how = "another account of its scope gets the same name";
            found.note(Rule::Names, change, how);
        }
    }
}

#[cfg(test)]
mod tests;
