//! The guard against a checkout that would undo what a newer one did: each account names the commit that
//! last wrote it. Pure; somebody else asks the repository.

use std::collections::BTreeSet;

use super::guards::removes_dead_birth;
use super::refusal::{Refusal, count};
use crate::model::{Mrn, Standing};
use crate::plan::{Action, Change, Plan};

pub(super) const OLDER_CHECKOUT: &str = "older-checkout";

/// The commits that wrote accounts which the plan changes, as far as marks name them: their first digits.
pub fn writers(plan: &Plan) -> BTreeSet<&str> {
    written(plan).map(|(_, commit)| commit).collect()
}

/// The changes of accounts whose marks name a commit, with that. A dead birth was never done, what is adopted
/// is named by its resource name, and another stack's commits are of another repository.
fn written(plan: &Plan) -> impl Iterator<Item = (&Change, &str)> {
    let adopts = |change: &&Change| change.action == Action::Adopt;
    let adopted = plan.changes.iter().filter(adopts);
    let adopted: BTreeSet<&Mrn> = adopted.filter_map(|c| c.account.as_ref()).collect();
    plan.changes.iter().filter_map(move |change| {
        let named = !change.account.as_ref().is_some_and(|a| adopted.contains(a));
        let marks = change.marks.as_ref().filter(|_| named)?;
        let ours = marks.stack == plan.stack && !removes_dead_birth(change);
        Some((change, marks.written.committed().filter(|_| ours)?))
    })
}

/// What the plan changes that a commit wrote of which the repository does not say that it is an ancestor of the one
/// that is checked out. Every change counts: one that adds would hide the newer commit from the next run.
pub(super) fn older_checkout(plan: &Plan, digest: &str) -> Option<Refusal> {
    const NAMED: usize = 3;
    let nobody_asked = Standing::Unread("nobody asked".to_owned());
    let checkout = plan.annex.checkout.as_ref();
    let standing = |commit: &str| {
        let asked = checkout.and_then(|checkout| checkout.commits.get(commit));
        asked.unwrap_or(&nobody_asked)
    };
    let mut told: Vec<String> = Vec::new();
    let mut accounts = BTreeSet::new();
    let mut ways = Ways::default();
    for (change, commit) in written(plan) {
        let standing = standing(commit);
        let Some(how) = ways.out_of(standing) else {
            continue;
        };
        // Several changes may be of one account.
        if accounts.insert(&change.account) {
            told.push(format!("{}, by {commit} ({how})", change.address));
        }
    }
    let n = told.len();
    if n == 0 {
        return None;
    }
    if n > NAMED {
        told.truncate(NAMED);
        told.push(format!("and {} more", n - NAMED));
    }
    let own = match checkout.and_then(|checkout| checkout.head.as_deref()) {
        Some(head) => format!("the one that is checked out, {}, may be older", short(head)),
        None => "this configuration is of none".to_owned(),
    };
    Some(Refusal {
        guard: OLDER_CHECKOUT,
        message: format!(
            "The plan changes {} that another commit wrote, and {own}: {}.",
            count(n, "account"),
            told.join("; ")
        ),
        help: format!(
            "{} If what those commits wrote is to be changed from here all the same, apply with --ack \
             {OLDER_CHECKOUT}={digest}.",
            ways.sentences()
        ),
        apply_only: true,
        broken: None,
    })
}

/// A commit as people name it.
fn short(head: &str) -> String {
    let (name, dirty) = match head.split_once('-') {
        Some((name, _)) => (name, "-dirty"),
        None => (head, ""),
    };
    format!("{}{dirty}", name.get(..12).unwrap_or(name))
}

/// The ways out that are worth telling.
#[derive(Default)]
struct Ways {
    pull: bool,
    fetch: bool,
    enter: bool,
    mend: bool,
}

impl Ways {
    /// Why a commit is in the way, a fragment; nothing if it is not.
    fn out_of(&mut self, standing: &Standing) -> Option<String> {
        let why = match standing {
            Standing::Ancestor => return None,
            Standing::NotAncestor => {
                self.pull = true;
                "not an ancestor of it"
            }
            Standing::Shallow => {
                self.fetch = true;
                "not found in this clone, which is shallow"
            }
            Standing::Unknown => {
                self.fetch = true;
                "not known to this repository"
            }
            Standing::NoRepository => {
                self.enter = true;
                "not known outside of its repository"
            }
            Standing::Unread(why) => {
                self.mend = true;
                return Some(format!("the history could not be read: {why}"));
            }
        };
        Some(why.to_owned())
    }

    fn sentences(&self) -> String {
        let Self {
            pull,
            fetch,
            enter,
            mend,
        } = *self;
        let all = [
            (
                pull,
                "Check out a commit that has them in its history: `git pull`, or merge them.",
            ),
            (
                fetch,
                "Get the whole history, with all branches: `fetch-depth: 0` for actions/checkout, \
                 GIT_DEPTH: 0 in GitLab, `git fetch --unshallow` or `git fetch` elsewhere; a commit that \
                 is on no branch any more stays unknown.",
            ),
            (
                enter,
                "Run it in a clone of the configuration's repository, with the whole history \
                 (`fetch-depth: 0`).",
            ),
            (
                mend,
                "See that git's files can be read: `git fsck` says what is wrong.",
            ),
        ];
        let told = all.into_iter().filter(|(told, _)| *told);
        told.map(|(_, text)| text).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests;
