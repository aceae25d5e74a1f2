//! What of a repository's settings the way from a pull request to an apply rests on: environments, the names of
//! their secrets, and the rules of a branch. They are read, and what is missing is made; nothing that is there is changed.
//!
//! Source: GitHub's OpenAPI description of its REST API ("repos/get", "repos/get-environment",
//! "repos/create-or-update-environment", "repos/create-deployment-branch-policy",
//! "repos/list-deployment-branch-policies", "repos/get-branch-rules", "repos/get-branch-protection").

use std::sync::Arc;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::answer::malformed;
use super::api::{Asked, Server};
use crate::http::Method;
use crate::model::{CredentialFormat, GithubApi, GithubApp, GithubOwner, GithubPlace};
use crate::ports::SinkError;
use crate::secret::Secret;
use crate::sinks::machine::Machine;

/// The settings of one repository, as the login of the environment sees them.
#[derive(Debug)]
pub struct GithubSettings {
    server: Server,
    api: GithubApi,
    /// `owner/repository`.
    repository: String,
}

/// What is told of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutRepository {
    /// Its number, which no other repository ever has.
    pub id: u64,
    /// The branch that others are merged into.
    pub default_branch: String,
    /// Whether all the world reads it.
    pub public: bool,
}

/// What is told of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Patterns of the branches that it deploys from; `None` where any may.
    pub branches: Option<Vec<String>>,
    /// Whether somebody has to let a job through.
    pub reviewers: bool,
    /// Whether that may not be the one who started it.
    pub not_oneself: bool,
    /// The names of its secrets, in capitals.
    pub secrets: Vec<String>,
}

/// What has to hold before something is merged into a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchRules {
    /// Names of checks and statuses that are required.
    pub required: Vec<String>,
    /// Whether an approval is.
    pub approval: bool,
    /// Whether somebody else than the last pusher has to approve.
    pub last_push: bool,
}

impl GithubSettings {
    /// The settings of `owner/repository` at the API that `GITHUB_API_URL` names, else that of github.com; nothing is
    /// sent yet.
    ///
    /// # Errors
    /// If there is no login for it, or no connection can be prepared.
    pub fn new(machine: Machine, repository: &str) -> Result<Self, SinkError> {
        let told = machine
            .variable("GITHUB_API_URL")
            .unwrap_or(GithubApi::PUBLIC);
        let api = GithubApi::new(told)
            .map_err(|why| malformed(&format!("GITHUB_API_URL is no base URL: {why}")))?;
        Ok(Self {
            server: Server::new(Arc::new(machine), &api)?,
            api,
            repository: repository.to_ascii_lowercase(),
        })
    }

    /// The API.
    pub fn api(&self) -> &GithubApi {
        &self.api
    }

    /// A secret of an environment, as what errors are about.
    fn place(&self, environment: &str, name: &str) -> GithubPlace {
        GithubPlace {
            address: self.api.clone(),
            owner: GithubOwner::Environment {
                repository: self.repository.clone(),
                name: environment.to_owned(),
            },
            app: GithubApp::Actions,
            name: name.to_owned(),
            format: CredentialFormat::Base64,
        }
    }

    /// Asks about what is below the repository's own path; `None` if it is not there.
    async fn get(&self, rest: &str, place: &GithubPlace) -> Result<Option<Value>, SinkError> {
        let asked = Asked {
            operation: "github settings",
            method: Method::Get,
            rest: "",
            body: None,
        };
        let url = format!("{}/repos/{}{rest}", self.api, self.repository);
        let (answer, token) = self.server.ask_at(&url, place, &asked).await?;
        match answer.status {
            404 => Ok(None),
            200 => serde_json::from_slice(&answer.body)
                .map(Some)
                .map_err(|_| malformed("the answer is not JSON; is the address GitHub's?")),
            _ => Err(self.server.refused(&answer, place, &token)),
        }
    }

    /// The repository itself; `None` if this login sees no such one.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn repository(&self) -> Result<Option<AboutRepository>, SinkError> {
        let place = self.place("", "");
        let Some(found) = self.get("", &place).await? else {
            return Ok(None);
        };
        let (Some(id), Some(default_branch)) =
            (found["id"].as_u64(), found["default_branch"].as_str())
        else {
            return Err(malformed("the answer is about no repository"));
        };
        Ok(Some(AboutRepository {
            id,
            default_branch: default_branch.to_owned(),
            // What is not said counts as the wider.
            public: found["private"] != true,
        }))
    }

    /// An environment with the names of its secrets; `None` if there is none of the name.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn environment(&self, name: &str) -> Result<Option<Environment>, SinkError> {
        let place = self.place(name, "");
        let at = format!("/environments/{}", escaped(name));
        let Some(found) = self.get(&at, &place).await? else {
            return Ok(None);
        };
        let mut environment = Environment::default();
        for rule in found["protection_rules"].as_array().into_iter().flatten() {
            if rule["type"] == "required_reviewers" {
                environment.reviewers |=
                    rule["reviewers"].as_array().is_some_and(|r| !r.is_empty());
                environment.not_oneself |= rule["prevent_self_review"] == true;
            }
        }
        let policy = &found["deployment_branch_policy"];
        if policy["custom_branch_policies"] == true {
            let listed = self
                .get(
                    &format!("{at}/deployment-branch-policies?per_page=100"),
                    &place,
                )
                .await?
                .unwrap_or_default();
            let listed = listed["branch_policies"].as_array().cloned();
            let names = listed.unwrap_or_default();
            let names = names.iter().filter_map(|policy| policy["name"].as_str());
            environment.branches = Some(names.map(str::to_owned).collect());
        } else if policy["protected_branches"] == true {
            environment.branches = Some(vec!["(protected branches)".to_owned()]);
        }
        let secrets = self
            .get(&format!("{at}/secrets?per_page=100"), &place)
            .await?;
        let secrets = secrets.unwrap_or_default()["secrets"].as_array().cloned();
        let secrets = secrets.unwrap_or_default();
        let names = secrets.iter().filter_map(|secret| secret["name"].as_str());
        environment.secrets = names.map(str::to_ascii_uppercase).collect();
        Ok(Some(environment))
    }

    /// Makes an environment that deploys from these branches alone, each a name or a pattern.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub async fn make_environment(&self, name: &str, branches: &[&str]) -> Result<(), SinkError> {
        let policy = json!({"protected_branches": false, "custom_branch_policies": true});
        let body = json!({"deployment_branch_policy": policy});
        let at = format!("/environments/{}", escaped(name));
        self.send(Method::Put, &at, &body, name).await?;
        for branch in branches {
            let at = format!("{at}/deployment-branch-policies");
            self.send(
                Method::Post,
                &at,
                &json!({"name": branch, "type": "branch"}),
                name,
            )
            .await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        rest: &str,
        body: &Value,
        environment: &str,
    ) -> Result<(), SinkError> {
        let place = self.place(environment, "");
        let body = Zeroizing::new(body.to_string().into_bytes());
        let asked = Asked {
            operation: "github settings",
            method,
            rest: "",
            body: Some(&body),
        };
        let url = format!("{}/repos/{}{rest}", self.api, self.repository);
        let (answer, token) = self.server.ask_at(&url, &place, &asked).await?;
        match answer.status {
            200..=299 => Ok(()),
            _ => Err(self.server.refused(&answer, &place, &token)),
        }
    }

    /// Writes a secret of an environment, whatever it held.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub async fn put_secret(
        &self,
        environment: &str,
        name: &str,
        value: &Secret<String>,
    ) -> Result<(), SinkError> {
        let place = self.place(environment, name);
        self.server
            .write(&place, value.expose().as_bytes(), None)
            .await
    }

    /// The rules of a branch, of rulesets and of its protection, as far as this login may read them.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub async fn rules(&self, branch: &str) -> Result<BranchRules, SinkError> {
        let place = self.place("", "");
        let branch = escaped(branch);
        let at = format!("/rules/branches/{branch}?per_page=100");
        let found = self.get(&at, &place).await?.unwrap_or_default();
        let mut rules = BranchRules::default();
        for rule in found.as_array().into_iter().flatten() {
            let of = &rule["parameters"];
            match rule["type"].as_str() {
                Some("required_status_checks") => {
                    let checks = of["required_status_checks"].as_array();
                    let names = checks.into_iter().flatten();
                    let names = names.filter_map(|check| check["context"].as_str());
                    rules.required.extend(names.map(str::to_owned));
                }
                Some("pull_request") => {
                    let count = of["required_approving_review_count"].as_u64();
                    rules.approval |= count.is_some_and(|count| count > 0);
                    rules.last_push |= of["require_last_push_approval"] == true;
                }
                _ => {}
            }
        }
        // Only administrators may read the older form; whoever may not, is told what rulesets say.
        let at = format!("/branches/{branch}/protection");
        if let Ok(Some(found)) = self.get(&at, &place).await {
            let checks = found["required_status_checks"]["contexts"].as_array();
            let names = checks.into_iter().flatten().filter_map(Value::as_str);
            rules.required.extend(names.map(str::to_owned));
            let reviews = &found["required_pull_request_reviews"];
            let count = reviews["required_approving_review_count"].as_u64();
            rules.approval |= count.is_some_and(|count| count > 0);
            rules.last_push |= reviews["require_last_push_approval"] == true;
        }
        Ok(rules)
    }
}

/// A text as one part of a path (RFC 3986): branches have `/` in their names.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
