//! Whether one commit is an ancestor of another.
//! Pure; somebody else reads the commits. What is not read is never taken for the end of a history.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::commit::Commit;
use super::id::Id;

/// How many commits are looked at for one question at most.
const MOST: usize = 2_000_000;

/// What a walk through a history came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is an ancestor, or the same.
    Ancestor,
    /// It is none, as the whole history says.
    NotAncestor,
    /// The history was not all there.
    Cut,
}

/// Whether `old` is `new` or an ancestor of it. `commit` gives a commit as far as it is there.
///
/// Both histories are walked from the newest commit on, whatever clocks made the times. Once all that is left to
/// look at is in the history of `old`, nothing of it can lead to `old`: so where `new` is the older one, not
/// all that lies before it is read.
///
/// # Errors
/// A fragment, if a commit cannot be read, or there are too many.
pub(super) fn ancestor(
    old: Id,
    new: Id,
    mut commit: impl FnMut(&Id) -> Result<Option<Commit>, String>,
) -> Result<Found, String> {
    if old == new {
        return Ok(Found::Ancestor);
    }
    let mut walk = Walk::default();
    let mut cut = false;
    for (id, from) in [(old, Side::Old), (new, Side::New)] {
        match commit(&id)? {
            Some(found) => walk.reach(id, found.when, from),
            None => return Ok(Found::Cut),
        }
    }
    while let Some((id, from)) = walk.newest() {
        let of_new = from == Side::New;
        let Some(found) = commit(&id)? else {
            continue;
        };
        for parent in found.parents {
            if of_new && parent == old {
                return Ok(Found::Ancestor);
            }
            match commit(&parent)? {
                Some(found) => walk.reach(parent, found.when, from),
                None => cut |= of_new,
            }
        }
        if walk.seen.len() > MOST {
            return Err(format!("the history has more than {MOST} commits"));
        }
    }
    Ok(match cut {
        true => Found::Cut,
        false => Found::NotAncestor,
    })
}

/// From where a commit was reached. What is in the history of the old one matters no more to the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    New,
    Old,
}

#[derive(Default)]
struct Walk {
    /// What is to be looked at, the newest first.
    queue: BinaryHeap<(i64, Id)>,
    /// All that was reached.
    seen: BTreeMap<Id, Side>,
    /// What of the queue was reached from the new one alone.
    open: BTreeSet<Id>,
}

impl Walk {
    fn reach(&mut self, id: Id, when: i64, from: Side) {
        if self.seen.get(&id) >= Some(&from) {
            return;
        }
        self.seen.insert(id, from);
        match from {
            Side::New => self.open.insert(id),
            Side::Old => self.open.remove(&id),
        };
        self.queue.push((when, id));
    }

    fn newest(&mut self) -> Option<(Id, Side)> {
        if self.open.is_empty() {
            return None;
        }
        let (_, id) = self.queue.pop()?;
        self.open.remove(&id);
        Some((id, self.seen.get(&id).copied()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::git::id::Hash;

    fn id(n: usize) -> Id {
        Hash::Sha1.name("commit", &n.to_be_bytes())
    }

    /// A history: of each commit the ones it follows, which come before it, and its time.
    type History = Vec<(Vec<usize>, i64)>;

    fn commits(history: &History) -> BTreeMap<Id, Commit> {
        let commit = |(parents, when): &(Vec<usize>, i64)| Commit {
            tree: id(0),
            parents: parents.iter().copied().map(id).collect(),
            when: *when,
        };
        let commits = history.iter().enumerate();
        commits.map(|(n, one)| (id(n), commit(one))).collect()
    }

    fn ask(history: &History, old: usize, new: usize) -> (Found, usize) {
        let commits = commits(history);
        let mut read = BTreeSet::new();
        let found = ancestor(id(old), id(new), |id| {
            read.insert(*id);
            Ok(commits.get(id).cloned())
        });
        (found.expect("read"), read.len())
    }

    /// All that leads to a commit, by following each parent.
    fn before(history: &History, of: usize) -> BTreeSet<usize> {
        let mut all = BTreeSet::from([of]);
        for parent in &history[of].0 {
            all.extend(before(history, *parent));
        }
        all
    }

    fn histories() -> impl Strategy<Value = History> {
        let commit = |n: usize| {
            let parents = prop::collection::btree_set(0..n.max(1), 0..=n.min(3));
            // Clocks that are right, wrong by a little, and anything.
            let when = prop_oneof![Just(n as i64), n as i64 - 3..=n as i64 + 3, any::<i64>()];
            (parents.prop_map(|all| all.into_iter().collect()), when)
        };
        (1..14_usize).prop_flat_map(move |n| (0..n).map(commit).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn the_answer_is_the_history_whatever_clocks_say(history in histories()) {
            for new in 0..history.len() {
                let all = before(&history, new);
                for old in 0..history.len() {
                    let expected = match all.contains(&old) {
                        true => Found::Ancestor,
                        false => Found::NotAncestor,
                    };
                    prop_assert_eq!(ask(&history, old, new).0, expected, "{} in {}", old, new);
                }
            }
        }

        /// A commit that is not there never makes another one no ancestor, and never an ancestor of it.
        #[test]
        fn what_is_cut_off_is_no_answer(history in histories(), gone in 0..14_usize) {
            let mut left = commits(&history);
            left.remove(&id(gone));
            for new in 0..history.len() {
                for old in 0..history.len() {
                    let whole = ask(&history, old, new).0;
                    let read = |id: &Id| Ok(left.get(id).cloned());
                    let found = ancestor(id(old), id(new), read).expect("read");
                    prop_assert!(found == whole || found == Found::Cut, "{:?} for {:?}", found, whole);
                }
            }
        }
    }

    #[test]
    fn an_older_checkout_is_known_without_reading_all_that_lies_before_it() {
        let line = |n: usize| (n.checked_sub(1).into_iter().collect(), n as i64);
        let history: History = (0..1000).map(line).collect();
        let (found, read) = ask(&history, 998, 995);
        assert_eq!(found, Found::NotAncestor);
        assert!(read < 10, "{read} commits were read");
        let (found, read) = ask(&history, 995, 998);
        assert_eq!(found, Found::Ancestor);
        assert!(read < 10, "{read} commits were read");
    }
}
