//! Asking GitHub's API about one repository, as one token.
//! Knows no question; each is asked by who knows what the answer means.

use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::answer::{self, Known, strange};
use crate::forge::error::{ForgeError, ForgeErrorKind};
use crate::forge::wire::{Asked, Means, next_page};
use crate::http::{Answer, Client, Method, Request};
use crate::model::GithubApi;

/// How many pages of a list are read at most; GitHub ends what it lists of one request below that.
const PAGES: usize = 50;
/// The largest answer that is read, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// What is asked of GitHub, and what a token needs for it.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) operation: &'static str,
    pub(super) thing: &'a str,
    pub(super) right: &'static str,
}

pub(super) const READ_PULLS: &str = "pull-requests: read";
pub(super) const READ_ACTIONS: &str = "actions: read";
pub(super) const READ_CONTENTS: &str = "contents: read";

/// GitHub as one token sees one of its repositories.
#[derive(Debug)]
pub struct Github {
    pub(super) means: Means,
    client: Client,
    /// The base URL of its REST API, without a `/` behind it.
    pub(super) api: String,
    /// The URL of its GraphQL API, of the same origin.
    pub(super) graphql: String,
    /// `owner/name`.
    repository: String,
}

impl Github {
    /// A client of a repository, `owner/name`; nothing is sent yet.
    ///
    /// # Errors
    /// If the name is none, or no connection can be prepared.
    pub fn new(means: Means, api: &GithubApi, repository: &str) -> Result<Self, ForgeError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let part =
            |text: &str| !text.is_empty() && !matches!(text, "." | "..") && text.bytes().all(plain);
        let good = repository
            .split_once('/')
            .is_some_and(|(owner, name)| part(owner) && part(name));
        if !good {
            return Err(ForgeError::new(
                ForgeErrorKind::Setup,
                "a repository of GitHub is named OWNER/NAME",
            ));
        }
        let origin = api.origin().as_str();
        // On a server of one's own both stand below /api.
        let graphql = match api.as_str() == origin {
            true => format!("{origin}/graphql"),
            false => format!("{origin}/api/graphql"),
        };
        Ok(Self {
            client: means.client(origin)?,
            means,
            api: api.as_str().to_owned(),
            graphql,
            repository: repository.to_owned(),
        })
    }

    pub(super) fn known<'a>(&'a self, question: &Question<'a>) -> Known<'a> {
        Known {
            token: self.means.token.expose(),
            source: self.means.token_from,
            thing: question.thing,
            right: question.right,
        }
    }

    pub(super) fn url(&self, rest: &str) -> String {
        format!("{}/repos/{}{rest}", self.api, self.repository)
    }

    pub(super) async fn ask(
        &self,
        question: &Question<'_>,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ForgeError> {
        let make = || {
            let bearer = Zeroizing::new(format!("Bearer {}", self.means.token.expose()));
            let mut request = Request::new(method, url)
                .secret("authorization", bearer)
                .header("accept", "application/vnd.github+json")
                .header("x-github-api-version", "2022-11-28");
            request.largest_answer = LARGEST;
            request.wanted = answer::WANTED;
            match body {
                Some(body) => request
                    .header("content-type", "application/json")
                    .body(body.to_string().into_bytes()),
                None => request,
            }
        };
        let asked = Asked {
            operation: question.operation,
            writes: method != Method::Get,
            make: &make,
            limited: answer::limited,
        };
        self.means.send(&self.client, &asked).await
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        question: &Question<'_>,
        rest: &str,
    ) -> Result<T, ForgeError> {
        let answer = self
            .ask(question, Method::Get, &self.url(rest), None)
            .await?;
        answer::body(&answer, &self.known(question))
    }

    /// All pages of a list, each of which is a `T`. That there are more than are read is an error: what is not read
    /// is not known to be absent.
    pub(super) async fn pages<T: DeserializeOwned>(
        &self,
        question: &Question<'_>,
        first: &str,
    ) -> Result<Vec<T>, ForgeError> {
        let mut all = Vec::new();
        let mut next = Some(self.url(first));
        for _ in 0..PAGES {
            let Some(url) = next.take() else {
                return Ok(all);
            };
            let answer = self.ask(question, Method::Get, &url, None).await?;
            all.push(answer::body(&answer, &self.known(question))?);
            next = self.next(question, &answer)?;
        }
        match next {
            None => Ok(all),
            Some(_) => Err(strange(question.thing, "the list does not end")),
        }
    }

    /// The URL of the page behind an answer, which has to be of this API.
    pub(super) fn next(
        &self,
        question: &Question<'_>,
        answer: &Answer,
    ) -> Result<Option<String>, ForgeError> {
        let Some(url) = answer.header("link").and_then(next_page) else {
            return Ok(None);
        };
        // The name in it may be the repository's number.
        match url.strip_prefix(&self.api) {
            Some(rest) if rest.starts_with('/') => Ok(Some(url.to_owned())),
            _ => Err(strange(question.thing, "its next page is elsewhere")),
        }
    }
}
