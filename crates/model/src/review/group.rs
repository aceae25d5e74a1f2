//! Which requests brought what was pushed to the default branch.
//! Pure.
//!
//! Source: GitHub's documentation, "List pull requests associated with a commit" and, of `merge_commit_sha`, "Get a
//! pull request": the merge commit, the one commit of a squash, or the new tip of a rebase.

use std::collections::BTreeSet;

use super::facts::{Repository, Request};
use super::names::Commit;
use super::text::plain;

/// The request that a commit is the merge of, among those that the host names beside it.
///
/// # Errors
/// That there is none that counts, a fragment.
pub fn merged_as<'a>(
    commit: &Commit,
    requests: &'a [Request],
    repository: &Repository,
) -> Result<&'a Request, String> {
    let here = requests
        .iter()
        .filter(|request| request.merged_at.is_some() && request.base_repository == repository.id);
    let mut merges = here
        .clone()
        .filter(|request| request.merge_commit.as_ref() == Some(commit));
    match (merges.next(), merges.next()) {
        (Some(one), None) if one.base == repository.default_branch => Ok(one),
        (Some(one), None) => Err(format!(
            "request {} was merged into {} and not into the default branch",
            one.number,
            plain(&one.base)
        )),
        (Some(one), Some(other)) => Err(format!(
            "it is the merge of several requests ({}, {}), and nobody can tell which plan is meant",
            one.number, other.number
        )),
        (None, _) => match here.clone().next() {
            Some(inner) => Err(format!(
                "it came with request {}, and is not its merge",
                inner.number
            )),
            None => Err("no request brought it: it was pushed directly".to_owned()),
        },
    }
}

/// The commits of a push, sorted by what brought them, while the host is asked about one after the other.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The commits that nothing is known of yet, oldest first.
    unknown: Vec<Commit>,
    known: BTreeSet<Commit>,
    range: BTreeSet<Commit>,
    /// The requests that were merged by it, as they were found.
    pub requests: Vec<Request>,
    /// Commits that no request brought.
    pub direct: Vec<Commit>,
}

impl Group {
    /// The commits of a push, oldest first.
    pub fn of(range: Vec<Commit>) -> Self {
        Self {
            range: range.iter().cloned().collect(),
            unknown: range,
            ..Self::default()
        }
    }

    /// The commit to ask about next: the newest of those that nothing is known of.
    pub fn ask_next(&mut self) -> Option<Commit> {
        loop {
            let commit = self.unknown.pop()?;
            if !self.known.contains(&commit) {
                return Some(commit);
            }
        }
    }

    /// Notes what the host says of a commit. Gives the request that was not known before, whose own commits are to
    /// be noted too.
    pub fn brought(
        &mut self,
        commit: Commit,
        requests: &[Request],
        repository: &Repository,
    ) -> Option<Request> {
        let found = requests.iter().find(|request| {
            request.merged_at.is_some()
                && request.base_repository == repository.id
                && request.base == repository.default_branch
                && request
                    .merge_commit
                    .as_ref()
                    .is_some_and(|merge| self.range.contains(merge))
        });
        let Some(found) = found else {
            self.direct.push(commit);
            return None;
        };
        self.known.insert(commit);
        let held = self
            .requests
            .iter()
            .any(|request| request.number == found.number);
        if held {
            return None;
        }
        self.requests.push(found.clone());
        Some(found.clone())
    }

    /// Notes that a request that was merged by it has these commits.
    pub fn holds(&mut self, commits: impl IntoIterator<Item = Commit>) {
        self.known.extend(commits);
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::tests::{repository, request};
    use super::super::verdict::tests::commit;
    use super::*;

    fn merged(number: u64, merge: char) -> Request {
        Request {
            number,
            merge_commit: Some(commit(merge)),
            ..request()
        }
    }

    #[test]
    fn a_commit_is_a_merge_only_of_what_the_host_says_it_merged() {
        let tell = |requests: &[Request]| {
            merged_as(&commit('c'), requests, &repository()).map(|request| request.number)
        };
        assert_eq!(tell(&[merged(8, 'e'), merged(7, 'c')]), Ok(7));
        for (change, why) in [
            (Vec::new(), "pushed directly"),
            (vec![merged(7, 'e')], "came with request 7"),
            (vec![merged(7, 'c'), merged(8, 'c')], "several requests"),
        ] {
            let refused = tell(&change).expect_err(why);
            assert!(refused.contains(why), "{refused}");
        }
        // What is not merged has a commit of a trial.
        let mut open = merged(7, 'c');
        open.merged_at = None;
        assert!(tell(&[open]).expect_err("open").contains("directly"));
        let mut other = merged(7, 'c');
        other.base = "release".to_owned();
        assert!(tell(&[other]).expect_err("base").contains("into release"));
        let mut elsewhere = merged(7, 'c');
        elsewhere.base_repository = 2;
        assert!(
            tell(&[elsewhere])
                .expect_err("elsewhere")
                .contains("directly")
        );
    }

    #[test]
    fn a_push_is_sorted_into_requests_and_what_nobody_reviewed() {
        let range = ["1", "2", "3", "c", "5", "e"];
        let range = range.map(|digit| Commit::parse(&digit.repeat(40)).expect("a commit"));
        let mut group = Group::of(range.to_vec());
        let mut asked = Vec::new();
        while let Some(next) = group.ask_next() {
            asked.push(next.as_str().chars().next().expect("a digit"));
            let named = match asked.last() {
                Some('e') => vec![merged(8, 'e')],
                // A later request from the same branch is named too.
                Some('c') => vec![merged(9, 'f'), merged(7, 'c')],
                Some('3') => vec![merged(7, 'c')],
                _ => Vec::new(),
            };
            if let Some(fresh) = group.brought(next, &named, &repository()) {
                let inner = match fresh.number {
                    8 => commit('5'),
                    _ => commit('2'),
                };
                group.holds([inner]);
            }
        }
        assert_eq!(asked, ['e', 'c', '3', '1']);
        let numbers: Vec<u64> = group.requests.iter().map(|r| r.number).collect();
        assert_eq!(numbers, [8, 7]);
        assert_eq!(group.direct, [commit('1')]);
    }
}
