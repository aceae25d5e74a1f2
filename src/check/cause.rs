//! Whose work each difference is, by what the audit log says.
//! Pure. When in doubt it is nobody's known work, and never passed off as the configuration's.

use std::collections::BTreeSet;

use super::answers::Answers;
use super::found::{Cause, Differing, What, what};
use crate::model::{
    Address, Caller, Desired, History, Inventory, Live, LiveAccount, LogEntry, Mrn, Scope,
    same_name,
};
use crate::plan::{
    Action, Blocked, Change, Expired, Generation, Obstacle, Plan, Revoked, Undelivered, in_gone,
};

/// What the log is asked about: an account, or a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogQuery {
    /// The scope whose log it is.
    pub(super) scope: Scope,
    /// The account, or the scope itself.
    pub(super) resource: Mrn,
}

/// Which lines of the log can have made a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Facet {
    /// Roles: all but what is known to leave them as they are.
    Roles,
    /// Name, description, labels: all but what is known to write roles only.
    Attributes,
    /// Everything.
    All,
    /// Roles and attributes, each judged by itself: one write of ours explains not both.
    Each,
}

impl Facet {
    /// What is not known counts: the names of the platform's actions are not all public.
    fn concerns(self, entry: &LogEntry) -> bool {
        let verb = entry.verb();
        match self {
            Self::Roles => !matches!(verb, "CreateServiceAccount" | "UpdateServiceAccount"),
            Self::Attributes => !(verb.contains("Membership") || verb.contains("Role")),
            Self::All | Self::Each => true,
        }
    }
}

/// A difference, and what the log is to be asked.
struct Case {
    found: Differing,
    question: Question,
}

enum Question {
    /// Who wrote this of the account last.
    Account(Mrn, Facet),
    /// Who deleted this account; or any that is not known by name, or took its marks.
    Deletion(Option<Mrn>),
    /// Nothing: the difference is in the configuration by its nature.
    None,
}

/// What the log must be asked to tell the causes of a plan's differences.
pub(super) fn queries(plan: &Plan) -> impl Iterator<Item = LogQuery> + '_ {
    cases(plan).filter_map(|case| {
        let scope = case.found.scope;
        let resource = match case.question {
            Question::Account(account, _) => account,
            Question::Deletion(_) => scope.mrn(),
            Question::None => return None,
        };
        Some(LogQuery { scope, resource })
    })
}

/// All differences with their causes, by address.
pub(super) fn all(
    plan: &Plan,
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
    answers: &Answers,
) -> Vec<Differing> {
    let strays = strays(desired, live, inventory);
    let judge = Trust {
        caller: &plan.caller,
        trusted: &desired.trusted_creators,
        before: &answers.ours,
    };
    let mut all: Vec<Differing> = cases(plan)
        .map(
            |Case {
                 mut found,
                 question,
             }| {
                found.cause = match question {
                    Question::None => Cause::NotApplied(None),
                    Question::Account(account, facet) => judge.last_write(&account, facet, answers),
                    Question::Deletion(account) => {
                        judge.deletion(account.as_ref(), &found.scope, live, &strays, answers)
                    }
                };
                if let (
                    What::Blocked(_)
                    | What::Expired { .. }
                    | What::Undelivered { .. }
                    | What::Generation(_)
                    | What::Revoked { .. },
                    Cause::NotApplied(entry),
                ) = (&found.what, &found.cause)
                {
                    found.cause = Cause::Own(entry.clone());
                }
                found
            },
        )
        .collect();
    all.extend(gone(plan, desired, live));
    all.sort_by(|a, b| (&a.address, &a.account).cmp(&(&b.address, &b.account)));
    all
}

/// Live accounts that are not where the configuration has them: one of them may be what is missing,
/// under other marks or none.
fn strays<'a>(desired: &Desired, live: &'a Live, inventory: &'a Inventory) -> Vec<&'a LiveAccount> {
    let in_place = |account: &LiveAccount, address: Option<&Address>| {
        let declared = address.and_then(|address| desired.accounts.get(address));
        declared.is_some_and(|declared| same_name(&declared.name, &account.name))
    };
    inventory
        .beside(live)
        .filter(|(account, entry)| {
            !live.facts.caller.owns(&account.mrn) && !in_place(account, entry.custody.address())
        })
        .map(|(account, _)| account)
        .collect()
}

fn cases(plan: &Plan) -> impl Iterator<Item = Case> + '_ {
    let adopted: BTreeSet<&Address> = plan
        .changes
        .iter()
        .filter(|change| change.action == Action::Adopt)
        .map(|change| &change.address)
        .collect();
    let changes = plan
        .changes
        .iter()
        .filter_map(move |change| changed(change, adopted.contains(&change.address)));
    let over = plan.annex.expired.iter().map(over);
    let needy = plan.annex.undelivered.iter().map(needy);
    let aged = plan.annex.generations.iter();
    let aged = aged.filter(|of| of.standing.needs_person()).map(aged_one);
    let revoked = plan.annex.revoked.iter().map(revoked);
    changes
        .chain(plan.blocked.iter().filter_map(stopped))
        .chain(over)
        .chain(needy)
        .chain(aged)
        .chain(revoked)
}

/// What is declared in scopes that are gone or hidden, but where an obstacle says more of it. No log
/// can be asked.
fn gone<'a>(
    plan: &'a Plan,
    desired: &'a Desired,
    live: &'a Live,
) -> impl Iterator<Item = Differing> + 'a {
    let told: BTreeSet<&Address> = plan.blocked.iter().map(|b| &b.address).collect();
    in_gone(desired, live)
        .filter(move |account| !told.contains(&account.address))
        .map(|account| Differing {
            address: account.address.clone(),
            scope: account.scope.clone(),
            account: None,
            what: What::Gone,
            cause: Cause::Own(None),
            places: vec![account.declared_at.clone()],
        })
}

/// An account that has expired: nobody did that but the clock.
fn over(expired: &Expired) -> Case {
    let Expired {
        address,
        account,
        scope,
        until,
        declared_at,
    } = expired;
    Case {
        found: Differing {
            address: address.clone(),
            scope: scope.clone(),
            account: Some(account.clone()),
            what: What::Expired { until: *until },
            cause: Cause::NotApplied(None),
            places: vec![declared_at.clone()],
        },
        question: Question::None,
    }
}

/// An account that needs a new key: the configuration asks for what nobody can do.
fn needy(undelivered: &Undelivered) -> Case {
    let Undelivered {
        address,
        account,
        scope,
        to,
        why,
        declared_at,
    } = undelivered;
    Case {
        found: Differing {
            address: address.clone(),
            scope: scope.clone(),
            account: Some(account.clone()),
            what: What::Undelivered {
                to: to.clone(),
                why: why.clone(),
            },
            cause: Cause::NotApplied(None),
            places: vec![declared_at.clone()],
        },
        question: Question::None,
    }
}

/// A key that a person has to look after: nobody did that but the clock, or a run that died.
fn aged_one(generation: &Generation) -> Case {
    Case {
        found: Differing {
            address: generation.address.clone(),
            scope: generation.scope.clone(),
            account: Some(generation.account.clone()),
            what: What::Generation(generation.clone()),
            cause: Cause::NotApplied(None),
            places: vec![generation.declared_at.clone()],
        },
        question: Question::None,
    }
}

/// An account whose power was taken back: somebody meant that, and only a new key ends it.
fn revoked(revoked: &Revoked) -> Case {
    let Revoked {
        address,
        account,
        scope,
        generation,
        sealed,
        declared_at,
    } = revoked;
    Case {
        found: Differing {
            address: address.clone(),
            scope: scope.clone(),
            account: Some(account.clone()),
            what: What::Revoked {
                generation: *generation,
                sealed: *sealed,
            },
            cause: Cause::NotApplied(None),
            places: vec![declared_at.clone()],
        },
        question: Question::None,
    }
}

fn changed(change: &Change, adopted: bool) -> Option<Case> {
    let what = what(change)?;
    let account = change.account.clone();
    let question = match (&what, account.clone()) {
        // Whoever writes to an account can make it look as if its birth had failed.
        (What::Remnant { .. }, Some(mrn)) => Question::Account(mrn, Facet::Each),
        _ if adopted => Question::None,
        (What::Missing { .. }, _) => Question::Deletion(None),
        (What::Differs { .. }, Some(mrn)) if change.action == Action::UpdatePermissions => {
            Question::Account(mrn, Facet::Roles)
        }
        (What::Differs { .. }, Some(mrn)) => Question::Account(mrn, Facet::Attributes),
        (What::Undeclared { .. } | What::Unmanaged { .. }, Some(mrn)) => {
            Question::Account(mrn, Facet::All)
        }
        _ => Question::None,
    };
    Some(Case {
        found: Differing {
            address: change.address.clone(),
            scope: change.scope.clone(),
            account,
            what,
            cause: Cause::NotApplied(None),
            places: change.places.clone(),
        },
        question,
    })
}

/// `None` for what could not be read: that is told as unread, and is no difference.
fn stopped(blocked: &Blocked) -> Option<Case> {
    let (account, question) = match &blocked.block {
        // Those of nobody are told apart from what differs.
        Obstacle::Unread { .. } | Obstacle::Unmanaged { .. } => return None,
        Obstacle::AlreadyOver { .. } => (None, Question::None),
        Obstacle::Protected { account } | Obstacle::UnclearRemoval { account, .. } => {
            (Some(account.clone()), Question::None)
        }
        Obstacle::ImportMissing { account, .. } => {
            (None, Question::Deletion(Some(account.clone())))
        }
        Obstacle::Duplicate { accounts } => {
            let newest = accounts.last()?;
            let question = Question::Account(newest.clone(), Facet::All);
            (Some(newest.clone()), question)
        }
        Obstacle::PendingWithPower { account, .. } => (
            Some(account.clone()),
            Question::Account(account.clone(), Facet::Each),
        ),
        Obstacle::Crowded { accounts } => (accounts.first().cloned(), Question::None),
        Obstacle::NowhereToDeliver { account } => (Some(account.clone()), Question::None),
        // Nobody wrote them by hand.
        Obstacle::Later { account, .. } => (Some(account.clone()), Question::None),
        Obstacle::Disputed { account, .. }
        | Obstacle::OtherKey { account, .. }
        | Obstacle::NameTaken { account, .. }
        | Obstacle::Foreign { account, .. }
        | Obstacle::CannotUpdate { account, .. } => (
            Some(account.clone()),
            Question::Account(account.clone(), Facet::Attributes),
        ),
    };
    Some(Case {
        found: Differing {
            address: blocked.address.clone(),
            scope: blocked.scope.clone(),
            account,
            what: What::Blocked(blocked.clone()),
            cause: Cause::NotApplied(None),
            places: blocked.declared_at.iter().cloned().collect(),
        },
        question,
    })
}

/// Who acts for the configuration.
struct Trust<'a> {
    caller: &'a Caller,
    trusted: &'a [String],
    /// Accounts that earlier runs of the caller's binding worked as.
    before: &'a BTreeSet<Mrn>,
}

impl Trust<'_> {
    /// By resource name alone: everybody chooses their own name for people.
    fn ours(&self, entry: &LogEntry) -> bool {
        entry.identity.as_ref().is_some_and(|identity| {
            self.before.contains(identity)
                || self.caller.is(identity.as_str())
                || self.trusted.iter().any(|t| t == identity.as_str())
        })
    }

    fn last_write(&self, account: &Mrn, facet: Facet, answers: &Answers) -> Cause {
        if facet == Facet::Each {
            return match self.last_write(account, Facet::Attributes, answers) {
                Cause::NotApplied(own) => match self.last_write(account, Facet::Roles, answers) {
                    by_others @ Cause::Drift(_) => by_others,
                    _ => Cause::NotApplied(own),
                },
                other => other,
            };
        }
        let history = match answers.of(account) {
            Ok(history) => history,
            Err(why) => return Cause::Unknown(why),
        };
        let about = |entry: &&LogEntry| {
            facet.concerns(entry) && entry.resource.as_ref().is_none_or(|of| of == account)
        };
        match history.entries.iter().find(about) {
            Some(entry) if self.ours(entry) => Cause::NotApplied(Some(entry.clone())),
            Some(entry) => Cause::Drift(entry.clone()),
            None if history.complete => {
                Cause::Unknown("the audit log has no entry that could have made it".to_owned())
            }
            None => Cause::Unknown(format!(
                "the newest {} entries of the audit log about it could not have made it",
                history.entries.len()
            )),
        }
    }

    /// Whether one of our runs wrote to the account, or its begin is not in the log.
    fn may_have_been_ours(&self, account: &Mrn, history: &History) -> bool {
        let mut about = history
            .entries
            .iter()
            .filter(|entry| entry.resource.as_ref() == Some(account));
        let begun = about
            .clone()
            .any(|entry| entry.verb().starts_with("Create"));
        !begun || about.any(|entry| self.ours(entry))
    }

    /// Whether an account that is live may have been one of ours before somebody wrote to it.
    fn was_ours(&self, account: &LiveAccount, history: &History) -> bool {
        let ours = |creator: &str| {
            self.caller.is(creator)
                || self.trusted.iter().any(|t| t == creator)
                || self
                    .before
                    .iter()
                    .any(|account| account.as_str() == creator)
        };
        let mut about = history
            .entries
            .iter()
            .filter(|entry| entry.resource.as_ref() == Some(&account.mrn));
        match account.creator.as_deref() {
            Some(creator) => ours(creator) || about.any(|entry| self.ours(entry)),
            None => self.may_have_been_ours(&account.mrn, history),
        }
    }

    /// An account that is missing, or that was never created: the log of its scope tells of
    /// deletions by resource name, which a configuration does not know.
    fn deletion(
        &self,
        account: Option<&Mrn>,
        scope: &Scope,
        live: &Live,
        strays: &[&LiveAccount],
        answers: &Answers,
    ) -> Cause {
        let history = match answers.of(&scope.mrn()) {
            Ok(history) => history,
            Err(why) => return Cause::Unknown(why),
        };
        let deleted = |entry: &&LogEntry| {
            let gone = entry.resource.as_ref().is_some_and(|of| match account {
                Some(account) => of == account,
                None => {
                    of.account_scope().as_ref() == Some(scope)
                        && !live.accounts.contains_key(of)
                        && self.may_have_been_ours(of, history)
                }
            });
            gone && entry.verb().starts_with("Delete")
        };
        let mut others = history.entries.iter().filter(|entry| !self.ours(entry));
        let by_others = others.clone().find(deleted);
        let taken = |entry: &&LogEntry| {
            let stray = strays
                .iter()
                .find(|of| of.scope == *scope && entry.resource.as_ref() == Some(&of.mrn));
            Facet::Attributes.concerns(entry)
                && !entry.verb().starts_with("Create")
                && stray.is_some_and(|of| self.was_ours(of, history))
        };
        match (by_others, account) {
            (Some(entry), Some(_)) => return Cause::Drift(entry.clone()),
            (Some(entry), None) => return Cause::Unknown(deleted_somehow(entry, scope)),
            (None, Some(_)) => {}
            (None, None) => {
                if let Some(entry) = others.find(taken) {
                    return Cause::Unknown(changed_somehow(entry, scope));
                }
            }
        }
        if history.complete {
            return Cause::NotApplied(None);
        }
        Cause::Unknown(format!(
            "the newest {} entries of the audit log of {scope} tell of no deletion by \
             others, and older ones were not read",
            history.entries.len()
        ))
    }
}

fn deleted_somehow(entry: &LogEntry, scope: &Scope) -> String {
    let (who, which, when) = told(entry);
    format!(
        "never created, or deleted: {who} deleted {which} of {scope}{when}, and the log does not \
         tell what it was called"
    )
}

fn changed_somehow(entry: &LogEntry, scope: &Scope) -> String {
    let (who, which, when) = told(entry);
    format!(
        "never created, or its marks were taken from it: {who} changed {which} of {scope}{when}, \
         and the log does not tell what it carried before"
    )
}

/// Who did it, to which account, and when.
fn told(entry: &LogEntry) -> (String, &str, String) {
    let who = match (&entry.name, &entry.identity) {
        (Some(name), Some(mrn)) => format!("\"{name}\" ({mrn})"),
        (Some(name), None) => format!("\"{name}\""),
        (None, Some(mrn)) => mrn.to_string(),
        (None, None) => "somebody".to_owned(),
    };
    let when = entry.at.map_or(String::new(), |at| format!(" at {at}"));
    let which = entry.resource.as_ref().map_or("an account", Mrn::as_str);
    (who, which, when)
}
