//! The forms of GitHub's answers. Source: its OpenAPI description of its REST API.

use serde_json::{Value, json};

use crate::github::REPOSITORY_PARTS;

use super::{Artifact, Comment, Hub, ID, Job, Pull, Push, REPOSITORY, Review, Run, Status, time};

const NODE: &str = "MDEwOlJlcG9zaXRvcnkx";

pub(super) fn user(login: &str) -> Value {
    let url = format!("https://api.github.com/users/{login}");
    let mut user = json!({
        "login": login,
        "id": login.bytes().map(u64::from).sum::<u64>(),
        "node_id": NODE, "gravatar_id": "", "site_admin": false,
        "type": if login.ends_with("[bot]") { "Bot" } else { "User" },
        "avatar_url": "https://avatars.githubusercontent.com/u/1", "url": url,
        "html_url": format!("https://github.com/{login}"),
    });
    for name in [
        "events",
        "followers",
        "following",
        "gists",
        "organizations",
        "received_events",
        "repos",
        "starred",
        "subscriptions",
    ] {
        user[format!("{name}_url")] = json!(format!("{url}/{name}"));
    }
    user
}

pub(super) fn repository(hub: &Hub, id: u64, name: &str) -> Value {
    let (owner, short) = name.split_once('/').unwrap_or((name, ""));
    let url = format!("https://api.github.com/repos/{name}");
    let repository = json!({
        "id": id, "node_id": NODE, "name": short, "full_name": name, "owner": user(owner),
        "private": hub.visibility != "public", "visibility": hub.visibility,
        "html_url": format!("https://github.com/{name}"), "url": url,
        "description": null, "fork": id != ID, "default_branch": "main",
        "clone_url": "https://github.com/x.git", "git_url": "git://github.com/x.git",
        "ssh_url": "git@github.com:x.git", "svn_url": "https://github.com/x",
        "mirror_url": null, "homepage": null, "language": null, "license": null,
    });
    let more = json!({
        "forks": 0, "forks_count": 0, "open_issues": 0, "open_issues_count": 0, "size": 1,
        "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "network_count": 0,
        "subscribers_count": 0, "has_issues": true, "has_projects": false, "has_wiki": false,
        "has_pages": false, "has_discussions": false, "has_downloads": true, "archived": false,
        "disabled": false, "pushed_at": time(hub.now), "created_at": time(hub.now),
        "updated_at": time(hub.now),
    });
    let mut repository = joined(repository, more);
    for part in REPOSITORY_PARTS {
        repository[format!("{part}_url")] = json!(format!("{url}/{part}"));
    }
    repository
}

fn link(url: &str) -> Value {
    json!({"href": url})
}

pub(super) fn pull(hub: &Hub, number: u64, pull: &Pull) -> Value {
    let url = format!("https://api.github.com/repos/{REPOSITORY}/pulls/{number}");
    let issue = format!("https://api.github.com/repos/{REPOSITORY}/issues/{number}");
    let html = format!("https://github.com/{REPOSITORY}/pull/{number}");
    let from = pull
        .from
        .as_ref()
        .map(|(id, name)| repository(hub, *id, name));
    let base = hub.branches.get(&(ID, pull.base.clone()));
    let merged = pull.merged.as_ref();
    let first = json!({
        "url": url, "id": 70_000 + number, "node_id": NODE, "html_url": html,
        "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
        "issue_url": issue, "number": number, "state": if pull.open { "open" } else { "closed" },
        "locked": false, "title": "a change", "user": user(&pull.author), "body": null,
        "created_at": time(hub.now), "updated_at": time(hub.now),
        "closed_at": merged.map(|(at, _)| time(*at)), "merged_at": merged.map(|(at, _)| time(*at)),
        // Of one that is open, a trial.
        "merge_commit_sha": merged.map_or_else(|| "f".repeat(40), |(_, commit)| commit.clone()),
        "assignee": null, "assignees": [], "requested_reviewers": [], "requested_teams": [],
        "labels": [], "milestone": null, "draft": false, "auto_merge": null,
    });
    let rest = json!({
        "commits_url": format!("{url}/commits"), "review_comments_url": format!("{url}/comments"),
        "review_comment_url": format!("{url}/comments{{/number}}"),
        "comments_url": format!("{issue}/comments"),
        "statuses_url": format!("https://api.github.com/repos/{REPOSITORY}/statuses/{}", pull.head),
        "head": {
            "label": format!("acme:{}", pull.branch), "ref": pull.branch, "sha": pull.head,
            "user": user("acme"), "repo": from,
        },
        "base": {
            "label": format!("acme:{}", pull.base), "ref": pull.base, "sha": base,
            "user": user("acme"), "repo": repository(hub, ID, REPOSITORY),
        },
        "_links": {
            "comments": link(&url), "commits": link(&url), "statuses": link(&url),
            "html": link(&html), "issue": link(&issue), "review_comments": link(&url),
            "review_comment": link(&url), "self": link(&url),
        },
        "author_association": "MEMBER",
    });
    joined(first, rest)
}

fn joined(mut one: Value, mut other: Value) -> Value {
    if let (Some(one), Some(other)) = (one.as_object_mut(), other.as_object_mut()) {
        one.append(other);
    }
    one
}

/// One that is asked for by its number says more.
pub(super) fn whole_pull(hub: &Hub, number: u64, of: &Pull) -> Value {
    let more = json!({
        "merged": of.merged.is_some(), "mergeable": null, "rebaseable": null,
        "mergeable_state": "unknown", "merged_by": null, "comments": 0, "review_comments": 0,
        "maintainer_can_modify": false, "commits": of.commits.len(), "additions": 1,
        "deletions": 0, "changed_files": 1,
    });
    joined(pull(hub, number, of), more)
}

pub(super) fn commit(hub: &Hub, name: &str) -> Value {
    let url = format!("https://api.github.com/repos/{REPOSITORY}/commits/{name}");
    let who = json!({"name": "Ada", "email": "ada@acme.example", "date": time(hub.now)});
    let parents = hub.parents.get(name).cloned().unwrap_or_default();
    let parents = parents
        .iter()
        .map(|parent| json!({"sha": parent, "url": url, "html_url": "https://github.com/x"}));
    json!({
        "url": url, "sha": name, "node_id": NODE, "html_url": "https://github.com/x",
        "comments_url": format!("{url}/comments"),
        "commit": {
            "url": url, "author": who, "committer": who, "message": "a change",
            "comment_count": 0, "tree": {"sha": name, "url": url},
        },
        "author": user("ada"), "committer": user("ada"),
        "parents": parents.collect::<Vec<Value>>(),
    })
}

pub(super) fn review(number: u64, review: &Review) -> Value {
    let url = format!("https://github.com/{REPOSITORY}/pull/{number}");
    json!({
        "id": review.id, "node_id": NODE, "user": user(&review.by), "body": "",
        "state": review.state, "html_url": url, "pull_request_url": url,
        "author_association": "MEMBER", "_links": {"html": link(&url), "pull_request": link(&url)},
        "submitted_at": time(review.at), "commit_id": review.commit,
    })
}

pub(super) fn event(id: usize, event: &(String, i64, String)) -> Value {
    let (event, at, by) = event;
    json!({
        "id": id, "node_id": NODE, "actor": user(by), "event": event, "commit_id": null,
        "url": format!("https://api.github.com/repos/{REPOSITORY}/issues/events/{id}"),
        "commit_url": null, "created_at": time(*at), "performed_via_github_app": null,
    })
}

pub(super) fn push(id: usize, push: &Push) -> Value {
    json!({
        "id": id, "node_id": NODE, "before": push.before, "after": push.after,
        "ref": format!("refs/heads/{}", push.branch), "timestamp": time(push.at),
        "activity_type": push.kind, "actor": push.by.as_deref().map(user),
    })
}

pub(super) fn artifact(hub: &Hub, id: u64, held: &Artifact) -> Value {
    let url = format!("https://api.github.com/repos/{REPOSITORY}/actions/artifacts/{id}");
    let run = hub.runs.get(&held.run);
    json!({
        "id": id, "node_id": NODE, "name": held.name, "size_in_bytes": held.bytes.len(),
        "url": url, "archive_download_url": format!("{url}/zip"), "expired": held.expired,
        "created_at": time(held.at), "updated_at": time(held.at),
        "expires_at": time(held.at + 7_776_000),
        "workflow_run": {
            "id": held.run, "repository_id": ID,
            "head_repository_id": run.map(|run| run.from),
            "head_branch": run.map(|run| run.branch.clone()),
            "head_sha": run.map(|run| run.head.clone()),
        },
    })
}

pub(super) fn run(hub: &Hub, id: u64, run: &Run) -> Value {
    let url = format!("https://api.github.com/repos/{REPOSITORY}/actions/runs/{id}");
    let from = match run.from {
        ID => REPOSITORY,
        _ => "eve/access",
    };
    let attempts = run.attempts.len();
    let first = json!({
        "id": id, "node_id": NODE, "name": "access", "head_branch": run.branch,
        "head_sha": run.head, "path": run.path, "display_title": "a change", "run_number": 1,
        "run_attempt": attempts, "event": run.event,
        "status": if run.conclusion.is_some() { "completed" } else { "in_progress" },
        "conclusion": run.conclusion, "workflow_id": 1, "check_suite_id": 1, "url": url,
        "html_url": format!("https://github.com/{REPOSITORY}/actions/runs/{id}"),
        "pull_requests": [], "created_at": time(hub.now), "updated_at": time(hub.now),
        "run_started_at": time(hub.now),
    });
    let rest = json!({
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"), "check_suite_url": url, "cancel_url": url,
        "rerun_url": url, "artifacts_url": format!("{url}/artifacts"), "workflow_url": url,
        "head_commit": {
            "id": run.head, "tree_id": run.head, "message": "a change", "timestamp": time(hub.now),
            "author": {"name": "Ada", "email": "ada@acme.example"},
            "committer": {"name": "Ada", "email": "ada@acme.example"},
        },
        "repository": repository(hub, ID, REPOSITORY),
        "head_repository": repository(hub, run.from, from),
    });
    joined(first, rest)
}

pub(super) fn job(n: usize, run: u64, of: &Run, job: &Job) -> Value {
    let id = run * 100 + n as u64;
    let url = format!("https://api.github.com/repos/{REPOSITORY}/actions/jobs/{id}");
    json!({
        "id": id, "node_id": NODE, "run_id": run, "run_url": url, "head_sha": of.head,
        "workflow_name": "access", "head_branch": of.branch, "name": job.name, "url": url,
        "html_url": url, "status": if job.conclusion.is_some() { "completed" } else { "in_progress" },
        "conclusion": job.conclusion, "started_at": time(job.began), "created_at": time(job.began),
        "completed_at": job.ended.map(time), "check_run_url": url, "labels": [], "steps": [],
        "runner_id": null, "runner_name": null, "runner_group_id": null, "runner_group_name": null,
    })
}

pub(super) fn comment(id: u64, comment: &Comment) -> Value {
    let url = format!("https://api.github.com/repos/{REPOSITORY}/issues/comments/{id}");
    json!({
        "id": id, "node_id": NODE, "url": url, "body": comment.body, "user": user(&comment.by),
        "html_url": format!(
            "https://github.com/{REPOSITORY}/pull/{}#issuecomment-{id}", comment.on
        ),
        "issue_url": format!("https://api.github.com/repos/{REPOSITORY}/issues/{}", comment.on),
        "created_at": time(comment.at), "updated_at": time(comment.updated),
        "author_association": "MEMBER", "performed_via_github_app": null,
    })
}

pub(super) fn status(id: usize, status: &Status) -> Value {
    json!({
        "id": id, "node_id": NODE, "avatar_url": null, "state": status.state,
        "url": format!("https://api.github.com/repos/{REPOSITORY}/statuses/{}", status.commit),
        "description": status.description, "target_url": status.url, "context": status.context,
        "created_at": time(status.at), "updated_at": time(status.at), "creator": user(&status.by),
    })
}
