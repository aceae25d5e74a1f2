//! What answers look like.
//! Source: GitHub's OpenAPI description of its REST API.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Kept;
use crate::serve::Call;

/// What of a repository has an address of its own in every answer that shows one.
pub(crate) const REPOSITORY_PARTS: [&str; 36] = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
];

pub(super) fn time_of(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds);
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// The base URL at which it is asked, which its answers name.
pub(super) fn base(call: &Call) -> String {
    format!("http://{}", call.header("host"))
}

pub(super) fn told(base: &str, at: &str, name: &str, kept: &Kept) -> Value {
    let mut told = json!({
        "name": name,
        "created_at": time_of(kept.created),
        "updated_at": time_of(kept.updated),
    });
    if let Some(visibility) = &kept.visibility {
        told["visibility"] = json!(visibility);
        if visibility == "selected" {
            let url = format!("{base}/{at}/secrets/{name}/repositories");
            told["selected_repositories_url"] = json!(url);
        }
    }
    told
}

fn owner(base: &str, login: &str) -> Value {
    let url = format!("{base}/users/{login}");
    let mut owner = json!({
        "login": login, "id": 1, "node_id": "MDQ6VXNlcjE=", "gravatar_id": "", "site_admin": false,
        "type": "Organization", "url": url,
    });
    for name in [
        "avatar",
        "events",
        "followers",
        "following",
        "gists",
        "html",
        "organizations",
        "received_events",
        "repos",
        "starred",
        "subscriptions",
    ] {
        owner[format!("{name}_url")] = json!(format!("{url}/{name}"));
    }
    owner
}

pub(super) fn repository(base: &str, login: &str, name: &str, id: u64) -> Value {
    let url = format!("{base}/repos/{login}/{name}");
    let mut repository = json!({
        "id": id, "node_id": "MDEwOlJlcG9zaXRvcnkx", "name": name, "full_name": format!("{login}/{name}"),
        "owner": owner(base, login), "private": true, "fork": false, "description": "of the stand-in", "url": url,
        "default_branch": "main",
    });
    for name in REPOSITORY_PARTS.iter().chain(&["html"]) {
        repository[format!("{name}_url")] = json!(format!("{url}/{name}"));
    }
    repository
}

pub(super) fn of_environment(base: &str, login: &str, name: &str, environment: &str) -> Value {
    let url = format!("{base}/repos/{login}/{name}/environments/{environment}");
    json!({
        "id": 1, "node_id": "MDExOkVudmlyb25tZW50MQ==", "name": environment, "url": url,
        "html_url": format!("https://github.com/{login}/{name}/deployments"),
        "created_at": "2026-11-01T09:00:00Z", "updated_at": "2026-11-01T09:00:00Z",
    })
}
