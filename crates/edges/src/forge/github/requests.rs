//! What GitHub says of pull requests, their reviews, and what people may do.
//! Decides nothing.

use super::answer::{self, body};
use super::api::{Github, Question, READ_CONTENTS, READ_PULLS};
use crate::forge::error::ForgeError;
use crate::forge::wire::escape;
use crate::http::Method;
use crate::review::{Commit, Pusher, Repository, Request, Review, Right, Turned};

/// How many pages of pushes are looked through for one commit.
const PUSHES: usize = 10;

impl Github {
    /// The repository.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn repository(&self) -> Result<Repository, ForgeError> {
        let question = Question {
            operation: "github repository",
            thing: "the repository",
            right: READ_CONTENTS,
        };
        let found: answer::RepositoryJson = self.get(&question, "").await?;
        found.fact()
    }

    /// A pull request.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn request(&self, number: u64) -> Result<Request, ForgeError> {
        let question = Question {
            operation: "github pull",
            thing: &format!("pull request {number}"),
            right: READ_PULLS,
        };
        let found: answer::PullJson = self.get(&question, &format!("/pulls/{number}")).await?;
        found.fact()
    }

    /// The pull requests that GitHub names beside a commit.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn requests_of(&self, commit: &Commit) -> Result<Vec<Request>, ForgeError> {
        let question = Question {
            operation: "github pulls of commit",
            thing: "the pull requests of a commit",
            right: READ_PULLS,
        };
        let rest = format!("/commits/{commit}/pulls?per_page=100");
        let pages: Vec<Vec<answer::PullJson>> = self.pages(&question, &rest).await?;
        pages
            .into_iter()
            .flatten()
            .map(answer::PullJson::fact)
            .collect()
    }

    /// The commits that a pull request asks to be merged.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn commits_of(&self, number: u64) -> Result<Vec<Commit>, ForgeError> {
        let question = Question {
            operation: "github commits of pull",
            thing: "the commits of a pull request",
            right: READ_PULLS,
        };
        let rest = format!("/pulls/{number}/commits?per_page=100");
        let pages: Vec<Vec<answer::ShaJson>> = self.pages(&question, &rest).await?;
        pages
            .into_iter()
            .flatten()
            .map(answer::ShaJson::fact)
            .collect()
    }

    /// All reviews of a pull request, in the order in which they were handed in.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError> {
        let question = Question {
            operation: "github reviews",
            thing: "the reviews",
            right: READ_PULLS,
        };
        let rest = format!("/pulls/{number}/reviews?per_page=100");
        let pages: Vec<Vec<answer::ReviewJson>> = self.pages(&question, &rest).await?;
        let all = pages.into_iter().flatten();
        Ok(all.map(answer::ReviewJson::fact).collect())
    }

    /// When a pull request was pushed with force, or got another base.
    ///
    /// # Errors
    /// If that cannot be read.
    pub async fn turns(&self, number: u64) -> Result<Vec<Turned>, ForgeError> {
        let question = Question {
            operation: "github events",
            thing: "the events of a pull request",
            right: READ_PULLS,
        };
        let rest = format!("/issues/{number}/events?per_page=100");
        let pages: Vec<Vec<answer::EventJson>> = self.pages(&question, &rest).await?;
        let all = pages.into_iter().flatten();
        let turns: Result<Vec<Option<Turned>>, _> = all.map(answer::EventJson::fact).collect();
        Ok(turns?.into_iter().flatten().collect())
    }

    /// Who pushed the head of a pull request.
    ///
    /// # Errors
    /// If GitHub fails; that it does not tell is no error.
    pub async fn pusher(&self, of: &Request) -> Result<Pusher, ForgeError> {
        let Some((_, name)) = &of.head_repository else {
            return Ok(Pusher::Unknown("its repository is gone".to_owned()));
        };
        let question = Question {
            operation: "github pushes",
            thing: "the pushes to the branch",
            right: READ_CONTENTS,
        };
        let reference = escape(&format!("refs/heads/{}", of.head_branch));
        let mut url = format!(
            "{}/repos/{name}/activity?ref={reference}&per_page=100",
            self.api
        );
        for _ in 0..PUSHES {
            let answer = self.ask(&question, Method::Get, &url, None).await?;
            if matches!(answer.status, 403 | 404) {
                let why = "the repository of its branch does not show its pushes";
                return Ok(Pusher::Unknown(why.to_owned()));
            }
            let page: Vec<answer::ActivityJson> = body(&answer, &self.known(&question))?;
            let pushes = page.iter().filter(|push| push.after == of.head.as_str());
            let actors: Vec<Option<&str>> = pushes
                .map(|push| push.actor.as_ref().map(|actor| actor.login.as_str()))
                .collect();
            if actors.iter().any(Option::is_none) {
                let why = "the account that pushed it is gone";
                return Ok(Pusher::Unknown(why.to_owned()));
            }
            if !actors.is_empty() {
                let logins = actors.into_iter().flatten().map(str::to_owned);
                return Ok(Pusher::Known(logins.collect()));
            }
            match self.next(&question, &answer)? {
                Some(next) => url = next,
                None => break,
            }
        }
        Ok(Pusher::Unknown("no push of it is listed".to_owned()))
    }

    /// What somebody may do in the repository.
    ///
    /// # Errors
    /// If GitHub fails.
    pub async fn right(&self, login: &str) -> Result<Right, ForgeError> {
        let question = Question {
            operation: "github permission",
            thing: "what a reviewer may do",
            right: READ_CONTENTS,
        };
        let url = self.url(&format!("/collaborators/{}/permission", escape(login)));
        let answer = self.ask(&question, Method::Get, &url, None).await?;
        match answer.status {
            404 => return Ok(Right::Less),
            403 => return Ok(Right::Unknown),
            _ => {}
        }
        let found: answer::PermissionJson = body(&answer, &self.known(&question))?;
        // `maintain` is told as `write`.
        Ok(match found.permission.as_str() {
            "admin" | "write" | "maintain" => Right::Write,
            _ => Right::Less,
        })
    }

    /// Whether a rule of the branch demands an approval by somebody else than who pushed last; `None` if GitHub does
    /// not tell.
    ///
    /// # Errors
    /// If GitHub fails.
    pub async fn last_push_rule(&self, branch: &str) -> Result<Option<bool>, ForgeError> {
        let question = Question {
            operation: "github rules",
            thing: "the rules of the branch",
            right: READ_CONTENTS,
        };
        let url = self.url(&format!("/rules/branches/{}?per_page=100", escape(branch)));
        let answer = self.ask(&question, Method::Get, &url, None).await?;
        if matches!(answer.status, 403 | 404) {
            return Ok(None);
        }
        let rules: Vec<answer::RuleJson> = body(&answer, &self.known(&question))?;
        let demands = |rule: &answer::RuleJson| {
            let parameters = rule.parameters.as_ref();
            rule.kind == "pull_request"
                && parameters.is_some_and(|parameters| parameters.require_last_push_approval)
        };
        Ok(Some(rules.iter().any(demands)))
    }
}
