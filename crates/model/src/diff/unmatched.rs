//! `moved` and `removed` blocks that match nothing, where the same plan creates or deletes what they
//! seem to mean: most likely an address in them is wrong.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::cases::Cases;
use super::delta::{Action, Delta, Obstacle, Reason};
use crate::model::{Address, Former, SourceRef};

/// How many blocks a sentence names.
const NAMED: usize = 3;

impl Cases<'_> {
    /// Notes every such block, once. `import` blocks that match nothing stand in the way by themselves.
    pub(super) fn unmatched(&self, delta: &mut Delta) {
        let stray: Vec<Address> = delta
            .differences
            .iter()
            .filter(|d| d.action == Action::Delete && d.places.is_empty())
            .filter(|d| matches!(d.reason, Reason::Undeclared | Reason::ScopeUndeclared))
            .map(|d| d.address.clone())
            .collect();
        let born: Vec<Address> = delta
            .differences
            .iter()
            .filter(|d| d.action == Action::Create && d.reason == Reason::Declared)
            .map(|d| d.address.clone())
            .collect();
        // A block that was renamed mostly keeps the name of its account, which stands in the way then.
        let blocked: BTreeSet<Address> = delta
            .blocked
            .iter()
            .filter(|blocked| matches!(blocked.block, Obstacle::NameTaken { .. }))
            .map(|blocked| blocked.address.clone())
            .filter(|address| {
                let label = address.label();
                !self.ours.iter().any(|ours| *ours.label() == label)
            })
            .collect();
        let moved = self.moved_from_nowhere(&born, &blocked, &stray);
        let removed = self.removed_nobody(&stray);
        delta.notes.extend(moved);
        delta.notes.extend(removed);
    }

    /// Accounts that are created, or would be if their names were free, though `moved` blocks say that
    /// they were there before.
    fn moved_from_nowhere(
        &self,
        born: &[Address],
        blocked: &BTreeSet<Address>,
        stray: &[Address],
    ) -> Vec<(Address, String)> {
        let mut by_blocks: BTreeMap<Vec<&SourceRef>, Vec<&Address>> = BTreeMap::new();
        for address in born.iter().chain(blocked) {
            let formerly = self.desired.accounts.get(address).map(|d| &d.formerly);
            let Some(formerly) = formerly.filter(|formerly| !formerly.is_empty()) else {
                continue;
            };
            let places = formerly.iter().map(|former| &former.declared_at).collect();
            by_blocks.entry(places).or_default().push(address);
        }
        if by_blocks.is_empty() {
            return Vec::new();
        }
        let ours = self.ours.iter();
        let live: BTreeSet<&String> = ours.map(|ours| &ours.known.at.address.name).collect();
        let mut notes = Vec::new();
        for (places, accounts) in by_blocks {
            let Some(first) = accounts.first() else {
                continue;
            };
            // Such a block may stay when its work is done, and its instances grow in number.
            if live.contains(&first.name) && stray.is_empty() {
                continue;
            }
            let formerly: &[Former] = self
                .desired
                .accounts
                .get(first)
                .map_or(&[], |account| &account.formerly);
            let several = accounts.len() > 1;
            let from: BTreeSet<String> = formerly
                .iter()
                .map(|former| match several {
                    true => Address::new(former.address.name.clone(), None).to_string(),
                    false => former.address.to_string(),
                })
                .collect();
            let from: Vec<String> = from.into_iter().collect();
            let (is, are) = match accounts.iter().any(|address| blocked.contains(*address)) {
                true => ("would be", "would be"),
                false => ("is", "are"),
            };
            let what = match accounts.len() {
                1 => format!("this account {is} created, with a new key"),
                2 => format!(
                    "this account and 1 more instance of its block {are} created, with new keys"
                ),
                n => format!(
                    "this account and {} more instances of its block {are} created, with new keys",
                    n - 1
                ),
            };
            let places: BTreeSet<String> = places.iter().map(ToString::to_string).collect();
            let places: Vec<String> = places.into_iter().collect();
            notes.push((
                (*first).clone(),
                format!(
                    "the moved block at {} finds no account of this stack at {}, so {what}{}",
                    places.join(" and "),
                    from.join(" or "),
                    guess(
                        stray,
                        "if that is the one which was to move, correct `from`"
                    ),
                ),
            ));
        }
        notes
    }

    /// `removed` blocks that match nothing beside accounts that are deleted without one.
    fn removed_nobody(&self, stray: &[Address]) -> Vec<(Address, String)> {
        let mut notes = Vec::new();
        for removed in &self.desired.removed {
            let near: Vec<Address> = stray
                .iter()
                // To be deleted they need no block; to be given up they need one.
                .filter(|address| !removed.destroy || address.name == removed.from.name)
                .cloned()
                .collect();
            let matches = || {
                self.ours
                    .iter()
                    .any(|ours| removed.means(&ours.known.marks.address))
            };
            if near.is_empty() || matches() {
                continue;
            }
            let meant = if removed.destroy {
                "if that is the one which it means, correct `from`"
            } else {
                "if that is the one which was to be given up, correct `from`"
            };
            notes.push((
                removed.from.clone(),
                format!(
                    "the removed block at {} finds no account of this stack here{}",
                    removed.declared_at,
                    guess(&near, meant)
                ),
            ));
        }
        notes
    }
}

/// What is deleted and named by no block, and what to do if it was meant.
fn guess(stray: &[Address], meant: &str) -> String {
    let mut blocks: BTreeMap<&str, Vec<&Address>> = BTreeMap::new();
    for address in stray {
        blocks.entry(&address.name).or_default().push(address);
    }
    let rest = blocks.len().saturating_sub(NAMED);
    let mut named: Vec<String> = blocks
        .into_iter()
        .take(NAMED)
        .map(|(name, accounts)| match accounts.as_slice() {
            [only] => only.to_string(),
            all => format!("{} instances of service_account.{name}", all.len()),
        })
        .collect();
    if rest > 0 {
        named.push(format!("accounts of {rest} more blocks"));
    }
    let Some(last) = named.pop() else {
        return String::new();
    };
    let all = if named.is_empty() {
        last
    } else {
        format!("{} and {last}", named.join(", "))
    };
    let one = stray.len() == 1;
    let (no, meant) = if one {
        ("which no block names", meant.to_owned())
    } else {
        (
            "which no blocks name",
            meant.replacen("if that is the one", "if one of them is that", 1),
        )
    };
    format!("; this plan deletes {all}, {no}: {meant}")
}
