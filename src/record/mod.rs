//! The record of a run: what was to be changed and how that ended, linked to the record before it.
//! Pure: values in, text out; bytes in, a verdict out. No record holds a secret.
//!
//! A record ends in the digest of all its bytes before that, and names the digest of the whole file
//! of the record before it. So no byte of a chain can change unnoticed by who knows its head, the
//! digest of the last file.

mod chain;
mod form;

use jiff::Timestamp;
use serde::Serialize;

use crate::apply::{ChangeOutcome, ChangeResult, Outcome};
use crate::model::{Address, Meant, Mrn, Nonce, Role, RoleSet, Scope, StackId};
use crate::plan::{Action, Change, Moved, Plan, Reason};

pub use chain::{Broken, Damage, Seen, read, verify};
pub use form::{FORMAT, digest, seal};

/// One run, as its record tells it.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The version of this form, [`FORMAT`].
    pub rolecall_record: u64,
    /// The program's version.
    pub rolecall_version: &'static str,
    /// Random, so that no two runs have one record.
    pub run: Nonce,
    /// The digest of the file of the record before it; `None` if it is the first.
    pub previous: Option<String>,
    /// The configuration.
    pub stack: StackId,
    /// The API's base URL, or `local`.
    pub endpoint: String,
    /// As whom.
    pub caller: By,
    /// What the command line allowed.
    pub options: Options,
    /// The name of the plan that was reviewed before; `None` if none was.
    pub reviewed: Option<String>,
    /// The plan's name; `None` if none was made.
    pub plan: Option<String>,
    /// When the run had logged in.
    pub started: Moment,
    /// When it ended.
    pub finished: Moment,
    /// How it ended: the exit code and its name.
    pub exit_code: u8,
    /// The exit code's name.
    pub exit: &'static str,
    /// Whether anything was written to the platform, or may have been.
    pub written: bool,
    /// Whether the run was asked to stop before it was done.
    pub interrupted: bool,
    /// What ended it, if it was an error.
    pub error: Option<String>,
    /// The guards that refused it.
    pub refused_by: Vec<String>,
    /// What had moved since the plan was reviewed, and was left out of this one.
    pub left_out: Vec<LeftOut>,
    /// Every change of the plan, in its order.
    pub changes: Vec<Entry>,
}

/// What a command line allowed that a run may not do by itself.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Options {
    /// What was meant by the plan, beyond the configuration.
    #[serde(flatten)]
    pub meant: Meant,
    /// What was acknowledged, `GUARD=DIGEST` each.
    pub acks: Vec<String>,
}

/// Something that was left out.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// The account; `None` if it is about the plan as a whole.
    pub address: Option<Address>,
    /// What moved, or which change was left out and why.
    pub what: String,
}

impl From<&Moved> for LeftOut {
    fn from(moved: &Moved) -> Self {
        Self {
            address: moved.address.clone(),
            what: moved.what.clone(),
        }
    }
}

/// An identity.
#[derive(Clone, Debug, Serialize)]
pub struct By {
    /// Its resource name.
    pub mrn: Mrn,
    /// A name for people, where the platform tells one.
    pub name: Option<String>,
    /// The binding that stands behind it, if it is the temporary account of a workload identity and the platform
    /// tells that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
}

/// A point of time, and by whose clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// To the second.
    pub at: Timestamp,
    /// Whose clock.
    pub clock: Clock,
}

/// Whose clock a time is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The platform's, as its answer to the login told it, and the time that passed since.
    Platform,
    /// That of the machine, since the platform told none.
    Local,
}

/// One change, and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The account's name in the configuration.
    pub address: Address,
    /// Counts the credentials of one address.
    pub generation: u32,
    /// What was to be done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The scope's resource name.
    pub scope: Mrn,
    /// The account, as far as it is known.
    pub account: Option<Mrn>,
    /// The roles, as they were and as they were to be; `result` says whether they are.
    pub roles: Roles,
    /// How it ended, by the name of a [`ChangeResult`].
    pub result: &'static str,
    /// More of that; may be empty.
    pub detail: String,
    /// Where the key was delivered.
    pub delivered_to: Vec<String>,
    /// When work on it began, by the record's clock; `None` if it did not.
    pub started: Option<Timestamp>,
    /// When it ended; `None` if it did not, or was never begun.
    pub finished: Option<Timestamp>,
}

/// Roles before and after, by short name where there is one; `None` where there is no account.
#[derive(Clone, Debug, Serialize)]
pub struct Roles {
    /// Before.
    pub before: Option<Vec<String>>,
    /// After.
    pub after: Option<Vec<String>>,
}

/// The entries of a plan of which nothing was tried yet.
pub fn entries(plan: &Plan) -> Vec<Entry> {
    plan.changes.iter().map(entry).collect()
}

fn entry(change: &Change) -> Entry {
    let roles = |roles: &RoleSet| roles.iter().map(Role::short).map(str::to_owned).collect();
    Entry {
        address: change.address.clone(),
        generation: change.generation,
        action: change.action,
        reason: change.reason,
        scope: Scope::mrn(&change.scope),
        account: change.account.clone(),
        roles: Roles {
            before: change.before.as_ref().map(|state| roles(&state.roles)),
            after: change.after.as_ref().map(|state| roles(&state.roles)),
        },
        result: ChangeResult::NotAttempted.name(),
        detail: String::new(),
        delivered_to: Vec::new(),
        started: None,
        finished: None,
    }
}

/// Notes that work on an account begins.
pub fn begin(entries: &mut [Entry], address: &Address, now: Timestamp) {
    // The changes of one account are worked on one after the other, in the plan's order.
    let waiting = |entry: &&mut Entry| {
        entry.address == *address && entry.started.is_none() && entry.finished.is_none()
    };
    if let Some(entry) = entries.iter_mut().find(waiting) {
        entry.started = Some(now);
        // Until somebody says more.
        entry.result = ChangeResult::Unknown.name();
    }
}

/// Notes how work on an account ended.
pub fn end(entries: &mut [Entry], address: &Address, result: &'static str, now: Timestamp) {
    let open = |entry: &&mut Entry| entry.address == *address && entry.finished.is_none();
    if let Some(entry) = entries.iter_mut().find(open) {
        entry.finished = Some(now);
        entry.result = result;
    }
}

/// Puts in what the outcome says, which is the last word.
pub fn settle(entries: &mut [Entry], outcome: &Outcome) {
    for (entry, ended) in entries.iter_mut().zip(&outcome.results) {
        let ChangeOutcome {
            address: _,
            generation: _,
            action: _,
            result,
            detail,
            account,
            delivered_to,
        } = ended;
        entry.result = result.name();
        entry.detail.clone_from(detail);
        entry.account.clone_from(account);
        entry.delivered_to = delivered_to.iter().map(ToString::to_string).collect();
    }
}

#[cfg(test)]
mod tests;
