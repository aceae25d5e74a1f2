//! What GitHub's answers mean, as facts. Pure: bytes in, values out; no text of a login gets into an error.
//!
//! Source: GitHub's OpenAPI description of its REST API (`@octokit/openapi`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::forge::error::{ForgeError, ForgeErrorKind};
use crate::http::{Answer, excerpt, is_page};
use crate::review::{
    Artifact, Comment, Commit, Job, Person, Repository, Request, Review, ReviewState, Run, Turn,
    Turned,
};

/// The headers of an answer that count.
pub(super) const WANTED: &[&str] = &[
    "link",
    "location",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];
/// How long is waited where GitHub does not say. Source: GitHub's documentation, "Rate limits for the REST API".
const UNTOLD: Duration = Duration::from_secs(60);

/// How long an answer asks to wait, if it says that too much was asked.
pub(super) fn limited(answer: &Answer) -> Option<Duration> {
    let told = match answer.status {
        429 => true,
        403 => {
            answer.retry_after.is_some()
                || answer.header("x-ratelimit-remaining") == Some("0")
                || said(answer).to_ascii_lowercase().contains("rate limit")
        }
        _ => false,
    };
    if !told {
        return None;
    }
    if let Some(wait) = answer.retry_after {
        return Some(wait.max(Duration::from_secs(1)));
    }
    let reset = answer.header("x-ratelimit-reset");
    let reset = reset.and_then(|text| Timestamp::from_second(text.parse().ok()?).ok());
    let wait = reset
        .zip(answer.date)
        .map(|(reset, date)| reset.duration_since(date) + SignedDuration::from_secs(1))
        .and_then(|wait| Duration::try_from(wait).ok());
    Some(wait.unwrap_or(UNTOLD).max(Duration::from_secs(1)))
}

/// What an answer says of itself.
fn said(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    let told: Option<Told> = serde_json::from_slice(&answer.body).ok();
    told.map(|told| told.message).unwrap_or_default()
}

/// Who asked, and what that needs.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// The token, of which no error repeats a part.
    pub(super) token: &'a str,
    /// The variable that held it.
    pub(super) source: &'static str,
    /// What was asked for, as people call it.
    pub(super) thing: &'a str,
    /// The permission that it needs, as a workflow spells it.
    pub(super) right: &'static str,
}

/// An answer that refuses, in the words of who must mend it.
pub(super) fn refused(answer: &Answer, known: &Known<'_>) -> ForgeError {
    let Known {
        token,
        source,
        thing,
        right,
    } = *known;
    let status = answer.status;
    let words = match said(answer) {
        said if said.is_empty() => format!("HTTP {status}"),
        said => format!("HTTP {status}: {}", excerpt(&said, token)),
    };
    if is_page(&answer.body) {
        let message = format!("what answers is a web page and not GitHub's API (HTTP {status})");
        return ForgeError::new(ForgeErrorKind::Strange, message)
            .help("check GITHUB_API_URL, and whether a proxy answers in its place");
    }
    match status {
        401 => ForgeError::new(
            ForgeErrorKind::Login,
            format!("GitHub does not take the token of {source} ({words})"),
        )
        .help("it may have ended with its job, or been revoked"),
        403 => ForgeError::new(
            ForgeErrorKind::Permission,
            format!("GitHub does not let the token of {source} at {thing} ({words})"),
        )
        .help(format!("give the job `permissions: {right}`")),
        404 => ForgeError::new(
            ForgeErrorKind::NotFound,
            format!("GitHub shows this token no {thing} ({words})"),
        )
        .help(format!(
            "see that it is there, and give the job `permissions: {right}`: without that GitHub says \
             the same"
        )),
        410 => ForgeError::new(
            ForgeErrorKind::Gone,
            format!("{thing}: it is there no more ({words})"),
        ),
        301 | 302 | 307 | 308 => ForgeError::new(
            ForgeErrorKind::Refused,
            format!("the repository has another name by now (HTTP {status})"),
        )
        .help("name it as its page does (--repository)"),
        500..=599 => ForgeError::new(ForgeErrorKind::Unavailable, format!("GitHub failed ({words})"))
            .help("run again later; githubstatus.com says how it is"),
        _ => ForgeError::new(
            ForgeErrorKind::Refused,
            format!("GitHub does not take the request for {thing} ({words})"),
        ),
    }
}

/// The body of an answer that gives what was asked for.
pub(super) fn body<T: DeserializeOwned>(
    answer: &Answer,
    known: &Known<'_>,
) -> Result<T, ForgeError> {
    if !(200..300).contains(&answer.status) {
        return Err(refused(answer, known));
    }
    serde_json::from_slice(&answer.body).map_err(|error| strange(known.thing, &error.to_string()))
}

pub(super) fn strange(thing: &str, why: &str) -> ForgeError {
    ForgeError::new(
        ForgeErrorKind::Strange,
        format!("what GitHub says of {thing} cannot be understood: {why}"),
    )
}

#[derive(Deserialize)]
pub(super) struct UserJson {
    pub(super) login: String,
    #[serde(rename = "type")]
    kind: String,
}

impl UserJson {
    fn person(self) -> Person {
        Person {
            human: self.kind == "User",
            login: self.login,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct RepositoryJson {
    id: u64,
    #[serde(default)]
    private: Option<bool>,
    #[serde(default)]
    visibility: Option<String>,
    #[serde(default)]
    default_branch: Option<String>,
    full_name: String,
}

impl RepositoryJson {
    pub(super) fn fact(self) -> Result<Repository, ForgeError> {
        let missing = || strange("the repository", "its default branch is missing");
        // An organization's `internal` is private, too.
        let public = match self.visibility.as_deref() {
            Some(visibility) => visibility == "public",
            None => self.private == Some(false),
        };
        Ok(Repository {
            id: self.id,
            default_branch: self.default_branch.ok_or_else(missing)?,
            public,
        })
    }
}

#[derive(Deserialize)]
struct BranchJson {
    #[serde(rename = "ref")]
    name: String,
    sha: String,
    repo: Option<RepositoryJson>,
}

#[derive(Deserialize)]
pub(super) struct PullJson {
    number: u64,
    state: String,
    user: Option<UserJson>,
    merged_at: Option<Timestamp>,
    merge_commit_sha: Option<String>,
    head: BranchJson,
    base: BranchJson,
}

impl PullJson {
    pub(super) fn fact(self) -> Result<Request, ForgeError> {
        let thing = "the pull request";
        let base_repository = self.base.repo.map(|repo| repo.id);
        Ok(Request {
            number: self.number,
            author: self.user.map(UserJson::person),
            open: self.state == "open",
            merged_at: self.merged_at,
            merge_commit: self.merge_commit_sha.as_deref().and_then(Commit::parse),
            head: commit(thing, &self.head.sha)?,
            head_branch: self.head.name,
            head_repository: self.head.repo.map(|repo| (repo.id, repo.full_name)),
            base: self.base.name,
            base_commit: commit(thing, &self.base.sha)?,
            base_repository: base_repository
                .ok_or_else(|| strange(thing, "the repository of its base is missing"))?,
        })
    }
}

fn commit(thing: &str, text: &str) -> Result<Commit, ForgeError> {
    Commit::parse(text).ok_or_else(|| strange(thing, "its commit is none"))
}

#[derive(Deserialize)]
pub(super) struct ShaJson {
    sha: String,
}

impl ShaJson {
    pub(super) fn fact(self) -> Result<Commit, ForgeError> {
        commit("the commits", &self.sha)
    }
}

#[derive(Deserialize)]
pub(super) struct TipJson {
    pub(super) commit: ShaJson,
}

#[derive(Deserialize)]
pub(super) struct ReviewJson {
    user: Option<UserJson>,
    state: String,
    submitted_at: Option<Timestamp>,
    commit_id: Option<String>,
}

impl ReviewJson {
    pub(super) fn fact(self) -> Review {
        Review {
            by: self.user.map(UserJson::person),
            state: match self.state.as_str() {
                "APPROVED" => ReviewState::Approved,
                "CHANGES_REQUESTED" => ReviewState::ChangesRequested,
                "DISMISSED" => ReviewState::Dismissed,
                _ => ReviewState::Remark,
            },
            at: self.submitted_at,
            commit: self.commit_id.as_deref().and_then(Commit::parse),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct EventJson {
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    created_at: Option<Timestamp>,
}

impl EventJson {
    /// What it turns, if it does.
    ///
    /// Source: GitHub's documentation, "Issue event types".
    pub(super) fn fact(self) -> Result<Option<Turned>, ForgeError> {
        let turn = match self.event.as_deref() {
            Some("head_ref_force_pushed") => Turn::ForcePushed,
            Some("base_ref_changed" | "automatic_base_change_succeeded") => Turn::BaseChanged,
            _ => return Ok(None),
        };
        let missing = || strange("the events of the pull request", "one has no time");
        let at = self.created_at.ok_or_else(missing)?;
        Ok(Some(Turned { turn, at }))
    }
}

#[derive(Deserialize)]
pub(super) struct ActivityJson {
    pub(super) after: String,
    pub(super) actor: Option<ActorJson>,
}

#[derive(Deserialize)]
pub(super) struct ActorJson {
    pub(super) login: String,
}

#[derive(Deserialize)]
pub(super) struct PermissionJson {
    pub(super) permission: String,
}

#[derive(Deserialize)]
pub(super) struct RuleJson {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) parameters: Option<ParametersJson>,
}

#[derive(Deserialize)]
pub(super) struct ParametersJson {
    #[serde(default)]
    pub(super) require_last_push_approval: bool,
}

#[derive(Deserialize)]
pub(super) struct ArtifactsJson {
    pub(super) artifacts: Vec<ArtifactJson>,
}

#[derive(Deserialize)]
pub(super) struct ArtifactJson {
    id: u64,
    name: String,
    size_in_bytes: u64,
    expired: bool,
    #[serde(default)]
    workflow_run: Option<RunOfJson>,
}

#[derive(Deserialize)]
struct RunOfJson {
    #[serde(default)]
    id: Option<u64>,
}

impl ArtifactJson {
    pub(super) fn fact(self) -> Artifact {
        Artifact {
            id: self.id,
            name: self.name,
            expired: self.expired,
            run: self.workflow_run.and_then(|run| run.id),
            size: self.size_in_bytes,
        }
    }
}

#[derive(Deserialize)]
struct IdJson {
    id: u64,
}

#[derive(Deserialize)]
pub(super) struct RunJson {
    id: u64,
    path: String,
    event: String,
    head_sha: String,
    head_branch: Option<String>,
    head_repository: Option<IdJson>,
    repository: IdJson,
    #[serde(default)]
    run_attempt: Option<u64>,
}

impl RunJson {
    pub(super) fn fact(self) -> Result<Run, ForgeError> {
        let missing = || strange("the run", "its attempt is missing");
        // A ref may stand behind it.
        let path = self.path.split('@').next().unwrap_or_default().to_owned();
        Ok(Run {
            id: self.id,
            attempts: self.run_attempt.ok_or_else(missing)?,
            path,
            event: self.event,
            head: commit("the run", &self.head_sha)?,
            head_branch: self.head_branch,
            head_repository: self.head_repository.map(|repo| repo.id),
            repository: self.repository.id,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct RunsJson {
    pub(super) workflow_runs: Vec<RunJson>,
}

#[derive(Deserialize)]
pub(super) struct JobsJson {
    pub(super) jobs: Vec<JobJson>,
}

#[derive(Deserialize)]
pub(super) struct JobJson {
    name: String,
    conclusion: Option<String>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

impl JobJson {
    pub(super) fn fact(self) -> Job {
        Job {
            name: self.name,
            conclusion: self.conclusion,
            began: self.started_at,
            ended: self.completed_at,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ComparisonJson {
    pub(super) status: String,
    #[serde(default)]
    pub(super) commits: Vec<ShaJson>,
}

#[derive(Deserialize)]
pub(super) struct CommentJson {
    id: u64,
    user: Option<UserJson>,
    #[serde(default)]
    body: Option<String>,
    html_url: String,
}

impl CommentJson {
    pub(super) fn fact(self) -> Comment {
        Comment {
            id: self.id,
            by: self.user.map(UserJson::person),
            body: self.body.unwrap_or_default(),
            url: self.html_url,
        }
    }
}

/// The answer to who is asking.
#[derive(Deserialize)]
pub(super) struct ViewerJson {
    data: Option<ViewerDataJson>,
}

#[derive(Deserialize)]
struct ViewerDataJson {
    viewer: ViewerOfJson,
}

#[derive(Deserialize)]
struct ViewerOfJson {
    login: String,
}

impl ViewerJson {
    pub(super) fn login(self) -> Option<String> {
        self.data.map(|data| data.viewer.login)
    }
}
