//! What GitHub says of runs, their artifacts, and how commits stand to each other.
//! Decides nothing.

use super::answer::{self, body, refused, strange};
use super::api::{Github, Question, READ_ACTIONS, READ_CONTENTS};
use crate::forge::error::ForgeError;
use crate::forge::wire::escape;
use crate::forge::zip;
use crate::http::Method;
use crate::review::{Artifact, Commit, Job, Repository, Run};

/// The largest file of an artifact that is read, in bytes.
const LARGEST_FILE: usize = 256 << 20;

/// The files of a verdict's artifact.
#[derive(Debug)]
pub struct Files {
    /// `verdict.json`.
    pub verdict: Vec<u8>,
    /// `plan.json`.
    pub plan: Vec<u8>,
}

impl Github {
    /// All artifacts of a name, of whatever run.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn artifacts(&self, name: &str) -> Result<Vec<Artifact>, ForgeError> {
        let question = Question {
            operation: "github artifacts",
            thing: "the artifacts",
            right: READ_ACTIONS,
        };
        let rest = format!("/actions/artifacts?name={}&per_page=100", escape(name));
        let pages: Vec<answer::ArtifactsJson> = self.pages(&question, &rest).await?;
        let all = pages.into_iter().flat_map(|page| page.artifacts);
        Ok(all.map(answer::ArtifactJson::fact).collect())
    }

    /// A run; `None` if it was deleted.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn run(&self, id: u64) -> Result<Option<Run>, ForgeError> {
        let question = Question {
            operation: "github run",
            thing: "the run",
            right: READ_ACTIONS,
        };
        let url = self.url(&format!("/actions/runs/{id}"));
        let answer = self.ask(&question, Method::Get, &url, None).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let found: answer::RunJson = body(&answer, &self.known(&question))?;
        found.fact().map(Some)
    }

    /// The jobs of one attempt of a run.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn jobs(&self, run: u64, attempt: u64) -> Result<Vec<Job>, ForgeError> {
        let question = Question {
            operation: "github jobs",
            thing: "the jobs of the run",
            right: READ_ACTIONS,
        };
        let rest = format!("/actions/runs/{run}/attempts/{attempt}/jobs?per_page=100");
        let pages: Vec<answer::JobsJson> = self.pages(&question, &rest).await?;
        let all = pages.into_iter().flat_map(|page| page.jobs);
        Ok(all.map(answer::JobJson::fact).collect())
    }

    /// The commit at the tip of a branch. A tag of the same name is not taken for it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn tip(&self, branch: &str) -> Result<Commit, ForgeError> {
        let question = Question {
            operation: "github branch",
            thing: "the branch",
            right: READ_CONTENTS,
        };
        let found: answer::TipJson = self
            .get(&question, &format!("/branches/{}", escape(branch)))
            .await?;
        found.commit.fact()
    }

    /// Whether a commit is another, or in its history.
    ///
    /// # Errors
    /// If GitHub fails.
    pub async fn holds(&self, tip: &Commit, commit: &Commit) -> Result<bool, ForgeError> {
        let question = Question {
            operation: "github compare",
            thing: "how two commits stand to each other",
            right: READ_CONTENTS,
        };
        let url = self.url(&format!("/compare/{tip}...{commit}?per_page=1"));
        let answer = self.ask(&question, Method::Get, &url, None).await?;
        // A commit that is not there is in no history.
        if answer.status == 404 {
            return Ok(false);
        }
        let found: answer::ComparisonJson = body(&answer, &self.known(&question))?;
        Ok(matches!(found.status.as_str(), "identical" | "behind"))
    }

    /// The commits behind one up to another, oldest first; `None` if the first is not in the history of the other.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn between(
        &self,
        from: &Commit,
        to: &Commit,
    ) -> Result<Option<Vec<Commit>>, ForgeError> {
        let question = Question {
            operation: "github compare",
            thing: "the commits of a push",
            right: READ_CONTENTS,
        };
        let rest = format!("/compare/{from}...{to}?per_page=100");
        let pages: Vec<answer::ComparisonJson> = self.pages(&question, &rest).await?;
        let follows = pages
            .iter()
            .all(|page| matches!(page.status.as_str(), "ahead" | "identical"));
        if !follows {
            return Ok(None);
        }
        let commits = pages.into_iter().flat_map(|page| page.commits);
        let commits: Result<Vec<Commit>, _> = commits.map(answer::ShaJson::fact).collect();
        commits.map(Some)
    }

    /// The files of an artifact; `None` if it is there no more.
    ///
    /// # Errors
    /// If it cannot be had, or holds something else.
    pub async fn files(&self, artifact: &Artifact) -> Result<Option<Files>, ForgeError> {
        let question = Question {
            operation: "github artifact",
            thing: "the artifact",
            right: READ_ACTIONS,
        };
        let url = self.url(&format!("/actions/artifacts/{}/zip", artifact.id));
        let answer = self.ask(&question, Method::Get, &url, None).await?;
        let archive = match answer.status {
            404 | 410 => return Ok(None),
            302 => {
                let to = answer.header("location").unwrap_or_default();
                let file = self.means.fetch("github artifact file", to).await?;
                match file.status {
                    200 => file.body,
                    404 | 410 => return Ok(None),
                    _ => return Err(refused(&file, &self.known(&question))),
                }
            }
            _ => return Err(refused(&answer, &self.known(&question))),
        };
        let wrong = |why: String| strange("the artifact", &why);
        let mut files =
            zip::files(&archive, LARGEST_FILE).map_err(|error| wrong(error.to_string()))?;
        let mut take = |name: &str| {
            let missing = || wrong(format!("it has no {name}"));
            files.remove(name).ok_or_else(missing)
        };
        Ok(Some(Files {
            verdict: take("verdict.json")?,
            plan: take("plan.json")?,
        }))
    }

    /// The newest run of a workflow file on a branch that ended well, besides the one that asks: only pushes to that
    /// branch, and what a person or a schedule started on it.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn last_success(
        &self,
        workflow: &str,
        repository: &Repository,
        but: Option<u64>,
    ) -> Result<Option<Run>, ForgeError> {
        let question = Question {
            operation: "github runs",
            thing: "the runs of the workflow",
            right: READ_ACTIONS,
        };
        let file = workflow.rsplit('/').next().unwrap_or_default();
        let branch = &repository.default_branch;
        let url = self.url(&format!(
            "/actions/workflows/{}/runs?branch={}&status=success&per_page=100",
            escape(file),
            escape(branch)
        ));
        let answer = self.ask(&question, Method::Get, &url, None).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let found: answer::RunsJson = body(&answer, &self.known(&question))?;
        for run in found.workflow_runs {
            let run = run.fact()?;
            let own = run.repository == repository.id && run.head_repository == Some(repository.id);
            let of_branch = run.head_branch.as_deref() == Some(branch.as_str());
            let event = matches!(run.event.as_str(), "push" | "workflow_dispatch");
            if own && of_branch && event && run.path == workflow && Some(run.id) != but {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }
}
