//! Comments and statuses at GitHub.
//! Decides nothing; who a token is says its GraphQL API alone, which takes the token of a job as well.

use serde_json::json;

use super::answer::{self, body as body_of, refused, strange};
use super::api::{Github, Question, READ_PULLS};
use crate::forge::error::ForgeError;
use crate::http::Method;
use crate::review::{Comment, Commit};

impl Github {
    /// The login of who asks.
    ///
    /// # Errors
    /// If GitHub does not tell.
    pub async fn me(&self) -> Result<String, ForgeError> {
        let question = Question {
            operation: "github viewer",
            thing: "who this token is",
            right: "pull-requests: write",
        };
        let query = json!({"query": "query { viewer { login } }"});
        let answer = self
            .ask(&question, Method::Post, &self.graphql, Some(&query))
            .await?;
        let found: answer::ViewerJson = body_of(&answer, &self.known(&question))?;
        let login = found.login();
        login.ok_or_else(|| strange(question.thing, "it names no login"))
    }

    /// All comments on a pull request.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn comments(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        let question = Question {
            operation: "github comments",
            thing: "the comments",
            right: READ_PULLS,
        };
        let rest = format!("/issues/{number}/comments?per_page=100");
        let pages: Vec<Vec<answer::CommentJson>> = self.pages(&question, &rest).await?;
        let all = pages.into_iter().flatten();
        Ok(all.map(answer::CommentJson::fact).collect())
    }

    /// Writes a comment.
    ///
    /// # Errors
    /// If it is not taken.
    pub async fn post(&self, number: u64, text: &str) -> Result<Comment, ForgeError> {
        let url = self.url(&format!("/issues/{number}/comments"));
        self.write_comment(Method::Post, &url, text).await
    }

    /// Writes a comment anew.
    ///
    /// # Errors
    /// If it is not taken, or there no more.
    pub async fn edit(&self, id: u64, text: &str) -> Result<Comment, ForgeError> {
        let url = self.url(&format!("/issues/comments/{id}"));
        self.write_comment(Method::Patch, &url, text).await
    }

    async fn write_comment(
        &self,
        method: Method,
        url: &str,
        text: &str,
    ) -> Result<Comment, ForgeError> {
        let question = Question {
            operation: "github comment",
            thing: "the comments",
            right: "pull-requests: write",
        };
        let body = json!({"body": text});
        let answer = self.ask(&question, method, url, Some(&body)).await?;
        let found: answer::CommentJson = body_of(&answer, &self.known(&question))?;
        Ok(found.fact())
    }

    /// Sets a status of a commit: `description` has at most 140 letters.
    ///
    /// # Errors
    /// If it is not taken.
    pub async fn status(
        &self,
        commit: &Commit,
        context: &str,
        good: bool,
        description: &str,
        url: Option<&str>,
    ) -> Result<(), ForgeError> {
        let question = Question {
            operation: "github status",
            thing: "the status of the commit",
            right: "statuses: write",
        };
        let mut body = json!({
            "state": if good { "success" } else { "failure" },
            "context": context,
            "description": description,
        });
        if let Some(url) = url {
            body["target_url"] = json!(url);
        }
        let to = self.url(&format!("/statuses/{commit}"));
        let answer = self.ask(&question, Method::Post, &to, Some(&body)).await?;
        match answer.status {
            201 => Ok(()),
            _ => Err(refused(&answer, &self.known(&question))),
        }
    }
}
