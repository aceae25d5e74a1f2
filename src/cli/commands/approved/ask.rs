//! What the code host is asked about a merge. It decides nothing: what counts is decided in `review`.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::failure::Failure;
use crate::cli::host::{failed, own_run};
use crate::forge::ForgeError;
use crate::forge::github::Github;
use crate::model::StackId;
use crate::plan::{self, Plan};
use crate::review::{
    Artifact, Asked, Commit, Digest, Evidence, Group, Host, Repository, Request, ReviewState,
    StandingVerdict, Verdict, Wanted, approved, artifact, counts, merged_as, newest, vouches,
};

/// How many commits of a push are asked about at most.
const COMMITS: usize = 250;
/// How many artifacts of one name are looked at.
const ARTIFACTS: usize = 300;

/// What is asked.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// The commit that was merged.
    pub(super) commit: &'a Commit,
    /// The stack.
    pub(super) stack: &'a StackId,
    /// The workflow file whose runs make verdicts.
    pub(super) workflow: &'a str,
    /// The workflow file whose runs apply.
    pub(super) applies: &'a str,
    /// The commit before the push.
    pub(super) before: Option<&'a Commit>,
}

/// A verdict that counts, and its plan.
pub(super) struct Proven {
    /// The verdict.
    pub(super) standing: StandingVerdict,
    /// The plan that was judged.
    pub(super) plan: Plan,
}

/// All that was found.
#[derive(Default)]
pub(super) struct Found {
    /// The pull request that the commit is the merge of.
    pub(super) number: Option<u64>,
    /// All pull requests of the push, in the order in which they were merged.
    pub(super) requests: Vec<u64>,
    /// The verdict of the one that the commit is the merge of.
    pub(super) proven: Option<Proven>,
    /// Whose approvals count, by login.
    pub(super) approved_by: Vec<String>,
    /// What is missing, a fragment each.
    pub(super) missing: Vec<String>,
    /// What the host does not tell, a fragment each.
    pub(super) cannot_tell: Vec<String>,
    /// Pull requests that were merged before and never applied.
    pub(super) unapplied: Vec<u64>,
    /// What is no verdict although it is called one, a fragment each.
    pub(super) doubted: Vec<String>,
}

/// Asks about a merge.
///
/// # Errors
/// If the host does not answer: what is not known is not taken for anything.
pub(super) async fn ask(host: &Github, asked: &Question<'_>) -> Result<Found, Failure> {
    let mut found = Found::default();
    let repository = host.repository().await.map_err(failed)?;
    let tip = host.tip(&repository.default_branch).await.map_err(failed)?;
    if !host.holds(&tip, asked.commit).await.map_err(failed)? {
        found.missing.push(format!(
            "{} is not in the default branch",
            asked.commit.short()
        ));
        return Ok(found);
    }
    let beside = host.requests_of(asked.commit).await.map_err(failed)?;
    let own = match merged_as(asked.commit, &beside, &repository) {
        Ok(own) => own.clone(),
        Err(why) => {
            found
                .missing
                .push(format!("{}: {why}", asked.commit.short()));
            return Ok(found);
        }
    };
    found.number = Some(own.number);
    let group = group(host, asked, &repository, &mut found).await?;
    let mut members = group.unwrap_or_default();
    members.reverse();
    // Whatever is said of the push, this one is judged.
    if !members.iter().any(|member| member.number == own.number) {
        members.push(own.clone());
    }
    found.requests = members.iter().map(|one| one.number).collect();
    let looking = Looking {
        host,
        asked,
        repository: &repository,
        tip: &tip,
    };
    for member in &members {
        let proven = looking.one(member, &mut found).await?;
        if member.number == own.number {
            found.proven = proven;
        }
    }
    looking.unapplied(&mut found).await?;
    Ok(found)
}

/// The requests of the push, newest first; `None` if the push is not told or does not follow what was before.
async fn group(
    host: &Github,
    asked: &Question<'_>,
    repository: &Repository,
    found: &mut Found,
) -> Result<Option<Vec<Request>>, Failure> {
    let Some(before) = asked.before.filter(|before| !before.is_nothing()) else {
        return Ok(None);
    };
    let range = host.between(before, asked.commit).await.map_err(failed)?;
    let Some(range) = range else {
        found.missing.push(format!(
            "{} does not follow {}: the default branch was pushed with force",
            asked.commit.short(),
            before.short()
        ));
        return Ok(None);
    };
    let sorted = sorted(host, repository, range).await.map_err(failed)?;
    let Some(sorted) = sorted else {
        found.missing.push(format!(
            "the push has more than the {COMMITS} commits that are looked at"
        ));
        return Ok(None);
    };
    for direct in &sorted.direct {
        found
            .missing
            .push(format!("{} was pushed directly", direct.short()));
    }
    Ok(Some(sorted.requests))
}

/// Sorts commits by what brought them; `None` if there are more than are looked at.
async fn sorted(
    host: &Github,
    repository: &Repository,
    range: Vec<Commit>,
) -> Result<Option<Group>, ForgeError> {
    let mut group = Group::of(range);
    let mut asked = 0;
    while let Some(commit) = group.ask_next() {
        asked += 1;
        if asked > COMMITS {
            return Ok(None);
        }
        let beside = host.requests_of(&commit).await?;
        if let Some(fresh) = group.brought(commit, &beside, repository) {
            group.holds(host.commits_of(fresh.number).await?);
        }
    }
    Ok(Some(group))
}

/// What one run looks at.
struct Looking<'a> {
    host: &'a Github,
    asked: &'a Question<'a>,
    repository: &'a Repository,
    tip: &'a Commit,
}

impl Looking<'_> {
    /// The verdict of a request, with what is missing of its approval noted.
    async fn one(&self, request: &Request, found: &mut Found) -> Result<Option<Proven>, Failure> {
        let number = request.number;
        let Some(proven) = self.verdict(request, found).await? else {
            return Ok(None);
        };
        let host = self.host;
        let reviews = host.reviews(number).await.map_err(failed)?;
        let turns = host.turns(number).await.map_err(failed)?;
        let pusher = host.pusher(request).await.map_err(failed)?;
        let rule = host.last_push_rule(&request.base).await.map_err(failed)?;
        let decisive = reviews.iter().filter(|review| {
            matches!(
                review.state,
                ReviewState::Approved | ReviewState::ChangesRequested
            )
        });
        let people: BTreeSet<String> = decisive
            .filter_map(|review| review.by.as_ref())
            .filter(|by| by.human)
            .map(|by| by.login.to_ascii_lowercase())
            .collect();
        let mut rights = BTreeMap::new();
        for login in people {
            let right = host.right(&login).await.map_err(failed)?;
            rights.insert(login, right);
        }
        let answer = approved(&Asked {
            request,
            standing: &proven.standing,
            reviews: &reviews,
            turns: &turns,
            rights: &rights,
            pusher: &pusher,
            last_push_rule: rule,
        });
        let of = |text: String| format!("pull request {number}: {text}");
        found.missing.extend(answer.missing.into_iter().map(of));
        found
            .cannot_tell
            .extend(answer.cannot_tell.into_iter().map(of));
        for login in answer.approved_by {
            if !found.approved_by.contains(&login) {
                found.approved_by.push(login);
            }
        }
        Ok(Some(proven))
    }

    /// The verdict that stands of a request.
    async fn verdict(
        &self,
        request: &Request,
        found: &mut Found,
    ) -> Result<Option<Proven>, Failure> {
        let (number, stack) = (request.number, self.asked.stack);
        let name = artifact(number, &request.head, stack);
        let mut held = self.host.artifacts(&name).await.map_err(failed)?;
        held.retain(|one| one.name == name);
        held.sort_by_key(|one| std::cmp::Reverse(one.id));
        let mut missing = |why: String| {
            found
                .missing
                .push(format!("pull request {number} has no verdict: {why}"));
        };
        if held.is_empty() {
            missing(format!("no run kept {name}, or it was deleted"));
            return Ok(None);
        }
        if held.len() > ARTIFACTS {
            missing(format!("more than {ARTIFACTS} runs kept {name}"));
            return Ok(None);
        }
        let wanted = Wanted {
            host: Host::Github,
            repository: self.repository,
            workflow: self.asked.workflow,
            request,
            stack,
        };
        let (mut all, mut plans) = (Vec::new(), BTreeMap::new());
        let mut doubted = Vec::new();
        for one in &held {
            match self.evidence(one, &wanted).await.map_err(failed)? {
                Ok((evidence, plan)) => {
                    plans.insert(evidence.verdict.digest.clone(), plan);
                    all.push(evidence);
                }
                Err(why) => doubted.push(format!("artifact {} of this name: {why}", one.id)),
            }
        }
        let proven = newest(all).and_then(|standing| {
            let plan = plans.remove(&standing.verdict.digest)?;
            Some(Proven { standing, plan })
        });
        if proven.is_none() {
            missing(doubted.join("; "));
        } else {
            found.doubted.extend(doubted);
        }
        Ok(proven)
    }

    /// Whether an artifact is evidence, else why not.
    async fn evidence(
        &self,
        made: &Artifact,
        wanted: &Wanted<'_>,
    ) -> Result<Result<(Evidence, Plan), String>, ForgeError> {
        let gone = || Ok(Err("it has expired, or was deleted".to_owned()));
        if made.expired {
            return gone();
        }
        let Some(id) = made.run else {
            return Ok(Err("it is not known of which run it is".to_owned()));
        };
        let Some(run) = self.host.run(id).await? else {
            return Ok(Err("its run was deleted".to_owned()));
        };
        let on_default = self.host.holds(self.tip, &run.head).await?;
        // Before anything of it is fetched: of another run it may be anything.
        if let Err(why) = vouches(made, &run, on_default, wanted) {
            return Ok(Err(why));
        }
        let Some(files) = self.host.files(made).await? else {
            return gone();
        };
        let verdict = match Verdict::read(&files.verdict) {
            Ok(verdict) => verdict,
            Err(why) => return Ok(Err(why.to_string())),
        };
        let plan = match plan::read(&files.plan) {
            Ok(plan) => plan,
            Err(why) => return Ok(Err(format!("its plan: {why}"))),
        };
        let Some(digest) = Digest::parse(plan.digest()) else {
            return Ok(Err("its plan has no digest".to_owned()));
        };
        if plan.stack != *wanted.stack {
            return Ok(Err("its plan is of another stack".to_owned()));
        }
        let jobs = match (1..=run.attempts).contains(&verdict.attempt) {
            true => self.host.jobs(run.id, verdict.attempt).await?,
            false => Vec::new(),
        };
        let evidence = counts(verdict, &run, &jobs, &digest, &made.name, wanted);
        Ok(evidence.map(|evidence| (evidence, plan)))
    }

    /// Notes which merges since the last apply that ended well were never applied.
    async fn unapplied(&self, found: &mut Found) -> Result<(), Failure> {
        let last = self
            .host
            .last_success(self.asked.applies, self.repository, own_run())
            .await
            .map_err(failed)?;
        let Some(last) = last else {
            found.cannot_tell.push(
                "what was applied last: no run that applies has ended well yet, so that merges before this \
                 one are not looked at"
                    .to_owned(),
            );
            return Ok(());
        };
        let range = self
            .host
            .between(&last.head, self.asked.commit)
            .await
            .map_err(failed)?;
        let sorted = match range {
            Some(range) => sorted(self.host, self.repository, range)
                .await
                .map_err(failed)?,
            None => None,
        };
        let Some(sorted) = sorted else {
            found.cannot_tell.push(format!(
                "which merges lie between {}, which was applied last, and this one",
                last.head.short()
            ));
            return Ok(());
        };
        let numbers = sorted.requests.iter().rev().map(|one| one.number);
        let fresh = numbers.filter(|number| !found.requests.contains(number));
        found.unapplied = fresh.collect();
        Ok(())
    }
}
