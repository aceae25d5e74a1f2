//! GitHub as a code host: pull requests, reviews, pushes, runs, artifacts, comments, statuses. People and workflows
//! act on it by its methods, as GitHub lets them; programs by its API.
//! Sources: GitHub's OpenAPI description of its REST API (`@octokit/openapi`), and its documentation of events that
//! trigger workflows and of issue events. That an approval moves to a new head with the same patch:
//! github.com/max-sixty/tend/issues/884. `scripts/services/github-reviews` drives it with PyGithub, and holds its
//! answers to that description.

mod api;
mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use jiff::Timestamp;
use serde_json::Value;

/// The token of a job, which writes as `github-actions[bot]`.
pub const JOB: &str = "ghs_of.a.job.of.the.stand-in";
/// The token of an App of one's own, `access-bot[bot]`.
pub const APP: &str = "ghs_of.an.App.of.the.stand-in";
/// The repository's name.
pub const REPOSITORY: &str = "acme/access";
/// The repository's number.
pub const ID: u64 = 1001;

/// What the next request meets whose `METHOD path` has a text.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status and this message, and nothing is done.
    Refuse(u16, String),
    /// Too much was asked: this many seconds to wait.
    Limit(u64),
    /// It is worked on, and no answer comes.
    Lost,
}

/// A pull request.
#[derive(Clone, Debug)]
pub struct Pull {
    pub(crate) author: String,
    pub(crate) open: bool,
    pub(crate) merged: Option<(i64, String)>,
    pub(crate) head: String,
    pub(crate) branch: String,
    /// The number and name of the repository of its head; none if that is gone.
    pub(crate) from: Option<(u64, String)>,
    pub(crate) base: String,
    /// The commits that it asks to be merged.
    pub(crate) commits: Vec<String>,
    pub(crate) reviews: Vec<Review>,
    pub(crate) events: Vec<(String, i64, String)>,
}

/// A review.
#[derive(Clone, Debug)]
pub struct Review {
    pub(crate) id: u64,
    pub(crate) by: String,
    pub(crate) state: String,
    pub(crate) at: i64,
    pub(crate) commit: String,
}

/// A run of a workflow.
#[derive(Clone, Debug)]
pub struct Run {
    /// The file.
    pub path: String,
    /// What started it.
    pub event: String,
    /// Its commit.
    pub head: String,
    /// Its branch.
    pub branch: String,
    /// The repository of its commit, by number.
    pub from: u64,
    /// How it ended; none while it runs.
    pub conclusion: Option<String>,
    /// Each attempt's jobs.
    pub attempts: Vec<Vec<Job>>,
}

/// A job of a run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The name that is shown.
    pub name: String,
    /// How it ended; none while it runs.
    pub conclusion: Option<String>,
    /// When it began, in seconds.
    pub began: i64,
    /// When it ended.
    pub ended: Option<i64>,
}

/// An artifact.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub(crate) name: String,
    pub(crate) run: u64,
    pub(crate) bytes: Vec<u8>,
    /// Whether it cannot be had any more.
    pub expired: bool,
    pub(crate) at: i64,
}

/// A comment.
#[derive(Clone, Debug)]
pub struct Comment {
    /// On which pull request.
    pub on: u64,
    /// By whom.
    pub by: String,
    /// The text.
    pub body: String,
    pub(crate) at: i64,
    pub(crate) updated: i64,
}

/// A status of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The commit.
    pub commit: String,
    /// Its name.
    pub context: String,
    /// `success`, `failure` and others.
    pub state: String,
    /// A sentence.
    pub description: String,
    pub(crate) url: Option<String>,
    pub(crate) by: String,
    pub(crate) at: i64,
}

/// A push to a branch.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) from: u64,
    pub(crate) branch: String,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) by: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) at: i64,
}

/// The server.
pub struct Hub {
    /// Its clock, in seconds: each thing that happens takes one.
    pub now: i64,
    /// `private` or `public`.
    pub visibility: String,
    /// How many things a page lists at most, whatever is asked for.
    pub page: usize,
    /// Whether pushes to branches of forks are shown.
    pub shows_forks: bool,
    pub(crate) number: u64,
    pub(crate) parents: BTreeMap<String, Vec<String>>,
    pub(crate) branches: BTreeMap<(u64, String), String>,
    pub(crate) pulls: BTreeMap<u64, Pull>,
    pub(crate) runs: BTreeMap<u64, Run>,
    pub(crate) artifacts: BTreeMap<u64, Artifact>,
    /// Comments by number.
    pub comments: BTreeMap<u64, Comment>,
    /// Statuses, the newest last.
    pub statuses: Vec<Status>,
    pub(crate) pushes: Vec<Push>,
    /// What people may do: `admin`, `write`, `read`, `none`.
    pub rights: BTreeMap<String, String>,
    /// Whether a rule demands an approval by somebody else than who pushed last.
    pub last_push_rule: bool,
    /// Whose tokens there are, and which `METHOD path` each may not use.
    pub tokens: BTreeMap<String, (String, BTreeSet<String>)>,
    /// What the next requests meet, each once.
    pub faults: Vec<(String, Fault)>,
    /// What another run does right after the next request whose `METHOD path` has a text.
    pub meanwhile: Vec<(String, Meanwhile)>,
}

/// Something that happens between two requests.
pub type Meanwhile = Box<dyn FnOnce(&mut Hub) + Send>;

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hub({} pull requests)", self.pulls.len())
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl Hub {
    /// A server with one repository, whose branch `main` has one commit; `ada`, `bob` and `dan` may write.
    pub fn new() -> Self {
        let rights = [
            ("ada", "write"),
            ("bob", "admin"),
            ("dan", "write"),
            ("eve", "read"),
        ];
        let rights = rights.map(|(login, right)| (login.to_owned(), right.to_owned()));
        let of = |login: &str| (login.to_owned(), BTreeSet::new());
        let tokens = [
            (JOB.to_owned(), of("github-actions[bot]")),
            (APP.to_owned(), of("access-bot[bot]")),
        ];
        let mut hub = Self {
            now: 1_795_000_000,
            visibility: "private".to_owned(),
            page: 100,
            shows_forks: true,
            number: 0,
            parents: BTreeMap::new(),
            branches: BTreeMap::new(),
            pulls: BTreeMap::new(),
            runs: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            comments: BTreeMap::new(),
            statuses: Vec::new(),
            pushes: Vec::new(),
            rights: rights.into(),
            last_push_rule: false,
            tokens: tokens.into(),
            faults: Vec::new(),
            meanwhile: Vec::new(),
        };
        let first = hub.commit(&[]);
        hub.branches.insert((ID, "main".to_owned()), first);
        hub
    }

    pub(crate) fn tick(&mut self) -> i64 {
        self.now += 1;
        self.now
    }

    pub(crate) fn fresh(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// A token of the job that may not use what has one of these texts in its `METHOD path`.
    pub fn token(&mut self, token: &str, forbidden: &[&str]) {
        let forbidden = forbidden.iter().map(|text| (*text).to_owned()).collect();
        let login = "github-actions[bot]".to_owned();
        self.tokens.insert(token.to_owned(), (login, forbidden));
    }

    /// A new commit on top of others.
    pub fn commit(&mut self, parents: &[&str]) -> String {
        let n = self.fresh();
        let bytes = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("commit {n}").as_bytes());
        let name: String = bytes
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let parents = parents.iter().map(|parent| (*parent).to_owned());
        self.parents.insert(name.clone(), parents.collect());
        name
    }

    /// The commit of a branch of the repository.
    ///
    /// # Panics
    /// If there is no such branch.
    pub fn tip(&self, branch: &str) -> String {
        self.branches[&(ID, branch.to_owned())].clone()
    }

    pub(crate) fn history(&self, of: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut next = vec![of.to_owned()];
        while let Some(commit) = next.pop() {
            if all.insert(commit.clone()) {
                next.extend(self.parents.get(&commit).cloned().unwrap_or_default());
            }
        }
        all
    }

    /// Somebody pushes a commit to a branch, of a fork where its number is another. A push that loses commits is one
    /// with force, and is told of each open pull request of that branch.
    pub fn push(&mut self, from: u64, branch: &str, commit: &str, by: &str) {
        let at = self.tick();
        let key = (from, branch.to_owned());
        let before = self.branches.insert(key, commit.to_owned());
        let forced = before
            .as_ref()
            .is_some_and(|before| !self.history(commit).contains(before));
        self.pushes.push(Push {
            from,
            branch: branch.to_owned(),
            before: before.unwrap_or_else(|| "0".repeat(40)),
            after: commit.to_owned(),
            by: Some(by.to_owned()),
            kind: if forced { "force_push" } else { "push" },
            at,
        });
        let main = self.history(&self.tip("main"));
        let commits: Vec<String> = self.history(commit).difference(&main).cloned().collect();
        for pull in self.pulls.values_mut() {
            let own = pull.from.as_ref().is_some_and(|(id, _)| *id == from);
            if !pull.open || !own || pull.branch != branch {
                continue;
            }
            commit.clone_into(&mut pull.head);
            pull.commits.clone_from(&commits);
            if forced {
                let event = "head_ref_force_pushed".to_owned();
                pull.events.push((event, at, by.to_owned()));
            }
        }
    }

    /// The same with force and an unchanged patch: the approvals of the branch's pull requests move along.
    pub fn push_same_patch(&mut self, branch: &str, commit: &str, by: &str) {
        let former = self.tip(branch);
        self.push(ID, branch, commit, by);
        let open = self.pulls.values_mut().filter(|pull| pull.open);
        for pull in open.filter(|pull| pull.branch == branch) {
            for review in &mut pull.reviews {
                if review.commit == former {
                    commit.clone_into(&mut review.commit);
                }
            }
        }
    }

    /// The account of whoever pushed is deleted.
    pub fn forget(&mut self, login: &str) {
        for push in &mut self.pushes {
            push.by = push.by.take().filter(|by| by != login);
        }
    }

    /// Somebody asks a branch to be merged into another.
    ///
    /// # Panics
    /// If there is no such branch.
    pub fn open(&mut self, from: u64, branch: &str, base: &str, by: &str) -> u64 {
        self.tick();
        let number = self.pulls.len() as u64 + 1;
        let head = self.branches[&(from, branch.to_owned())].clone();
        let main = self.history(&self.tip(base));
        let commits = self.history(&head).difference(&main).cloned().collect();
        let name = match from {
            ID => REPOSITORY.to_owned(),
            _ => format!("{by}/access"),
        };
        let pull = Pull {
            author: by.to_owned(),
            open: true,
            merged: None,
            head,
            branch: branch.to_owned(),
            from: Some((from, name)),
            base: base.to_owned(),
            commits,
            reviews: Vec::new(),
            events: Vec::new(),
        };
        self.pulls.insert(number, pull);
        number
    }

    /// A new branch with one commit on top of `main`, and a pull request of it.
    pub fn proposed(&mut self, branch: &str, by: &str) -> u64 {
        let commit = self.commit(&[&self.tip("main")]);
        self.push(ID, branch, &commit, by);
        self.open(ID, branch, "main", by)
    }

    /// A pull request.
    ///
    /// # Panics
    /// If there is none of this number.
    pub fn pull(&mut self, number: u64) -> &mut Pull {
        self.pulls.get_mut(&number).expect("there is one")
    }

    /// The head of a pull request.
    pub fn head(&mut self, number: u64) -> String {
        self.pull(number).head.clone()
    }

    /// Somebody reviews a pull request: `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`.
    pub fn review(&mut self, number: u64, by: &str, state: &str) {
        let (id, at) = (self.fresh(), self.tick());
        let pull = self.pull(number);
        let review = Review {
            id,
            by: by.to_owned(),
            state: state.to_owned(),
            at,
            commit: pull.head.clone(),
        };
        pull.reviews.push(review);
    }

    /// Somebody makes it ask for another base.
    pub fn retarget(&mut self, number: u64, base: &str, by: &str) {
        let at = self.tick();
        let pull = self.pull(number);
        base.clone_into(&mut pull.base);
        let event = "base_ref_changed".to_owned();
        pull.events.push((event, at, by.to_owned()));
    }

    /// Somebody merges a pull request by a merge commit, which is given.
    pub fn merge(&mut self, number: u64, by: &str) -> String {
        let (head, base) = {
            let pull = self.pull(number);
            (pull.head.clone(), pull.base.clone())
        };
        let merge = self.commit(&[&self.tip(&base), &head]);
        self.merged(number, &merge, by);
        merge
    }

    /// Somebody merges it so that one new commit holds all of it, which is given.
    pub fn squash(&mut self, number: u64, by: &str) -> String {
        let base = self.pull(number).base.clone();
        let merge = self.commit(&[&self.tip(&base)]);
        self.merged(number, &merge, by);
        merge
    }

    /// It counts as merged by a commit, which becomes the tip of its base.
    pub fn merged(&mut self, number: u64, commit: &str, by: &str) {
        let base = self.pull(number).base.clone();
        self.push(ID, &base, commit, by);
        let at = self.tick();
        let pull = self.pull(number);
        pull.open = false;
        pull.merged = Some((at, commit.to_owned()));
    }

    /// A run begins, with one job.
    pub fn run(&mut self, path: &str, event: &str, branch: &str, job: &str) -> u64 {
        let head = self.branches.get(&(ID, branch.to_owned())).cloned();
        let head = head.unwrap_or_else(|| self.tip("main"));
        let began = self.tick();
        let id = 5000 + self.fresh();
        let job = Job {
            name: job.to_owned(),
            conclusion: None,
            began,
            ended: None,
        };
        let run = Run {
            path: path.to_owned(),
            event: event.to_owned(),
            head,
            branch: branch.to_owned(),
            from: ID,
            conclusion: None,
            attempts: vec![vec![job]],
        };
        self.runs.insert(id, run);
        id
    }

    /// A run.
    ///
    /// # Panics
    /// If there is none of this number.
    pub fn of_run(&mut self, id: u64) -> &mut Run {
        self.runs.get_mut(&id).expect("there is one")
    }

    /// It ends, and all its jobs with it.
    pub fn finish(&mut self, id: u64, conclusion: &str) {
        let at = self.tick();
        let run = self.of_run(id);
        run.conclusion = Some(conclusion.to_owned());
        for job in run.attempts.iter_mut().flatten() {
            if job.ended.is_none() {
                job.ended = Some(at);
                job.conclusion = Some(conclusion.to_owned());
            }
        }
    }

    /// It keeps an artifact, in the place of its own one of that name.
    pub fn upload(&mut self, run: u64, name: &str, files: &[(&str, &[u8])]) -> u64 {
        self.artifacts
            .retain(|_, held| held.run != run || held.name != name);
        let (id, at) = (self.fresh(), self.tick());
        let artifact = Artifact {
            name: name.to_owned(),
            run,
            bytes: crate::zip::archive(files, true),
            expired: false,
            at,
        };
        self.artifacts.insert(id, artifact);
        id
    }

    /// An artifact.
    ///
    /// # Panics
    /// If there is none of this number.
    pub fn artifact(&mut self, id: u64) -> &mut Artifact {
        self.artifacts.get_mut(&id).expect("there is one")
    }

    /// Somebody deletes a run and all that it kept.
    pub fn delete_run(&mut self, id: u64) {
        self.runs.remove(&id);
        self.artifacts.retain(|_, held| held.run != id);
    }

    /// Somebody comments.
    pub fn comment(&mut self, on: u64, by: &str, body: &str) -> u64 {
        let (id, at) = (self.fresh(), self.tick());
        let comment = Comment {
            on,
            by: by.to_owned(),
            body: body.to_owned(),
            at,
            updated: at,
        };
        self.comments.insert(id, comment);
        id
    }

    /// The texts of the comments on a pull request, with who wrote them, oldest first.
    pub fn comments_on(&self, number: u64) -> Vec<(String, String)> {
        let on = self.comments.values().filter(|one| one.on == number);
        on.map(|one| (one.by.clone(), one.body.clone())).collect()
    }
}

/// A server on which things have happened, for clients of other languages: pull request 1 was planned, reviewed and
/// merged, 2 is open and comes from a fork, and of 3 the branch was pushed with force and the base changed.
pub fn story() -> Hub {
    let mut hub = Hub::new();
    let release = hub.tip("main");
    hub.push(ID, "release", &release, "bob");
    let one = hub.proposed("topic", "ada");
    let run = hub.run(
        ".github/workflows/rolecall.yml",
        "pull_request_target",
        "main",
        "plan (access)",
    );
    hub.upload(run, "rolecall-1", &[("verdict.json", b"{}")]);
    hub.finish(run, "success");
    hub.review(one, "bob", "APPROVED");
    hub.merge(one, "bob");
    let run = hub.run(".github/workflows/rolecall.yml", "push", "main", "apply");
    hub.finish(run, "success");
    let fork = hub.commit(&[&hub.tip("main")]);
    hub.push(2002, "topic", &fork, "eve");
    hub.open(2002, "topic", "main", "eve");
    let three = hub.proposed("other", "dan");
    let other = hub.commit(&[&hub.tip("main")]);
    hub.push_same_patch("other", &other, "dan");
    hub.retarget(three, "release", "dan");
    hub
}

pub(crate) fn time(seconds: i64) -> Value {
    let time = Timestamp::from_second(seconds).map(|time| time.to_string());
    time.map_or(Value::Null, Value::from)
}
