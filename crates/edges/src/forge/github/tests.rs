//! What is asked of GitHub, against a server that answers as GitHub does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rolecall_standins::hub::{Fault, Hub, ID, JOB, REPOSITORY, story};
use rolecall_standins::{Call, Reply, Running, Standin, serve};

use super::*;
use crate::forge::{ForgeErrorKind, Means};
use crate::http::Time;
use crate::model::GithubApi;
use crate::review::{Commit, Pusher, ReviewState, Right, Turn};
use crate::secret::Secret;

/// Where the waits of a client go.
#[derive(Clone, Default)]
struct Waits(Arc<AtomicU64>);

impl Waits {
    fn means(&self, token: &str) -> Means {
        let waits = Arc::clone(&self.0);
        Means {
            token: Secret::new(token.to_owned()),
            token_from: "GITHUB_TOKEN",
            time: Time {
                now: Arc::new(|| "2026-11-27T10:00:00Z".parse().expect("a time")),
                sleep: Arc::new(move |wait: Duration| {
                    waits.fetch_add(wait.as_secs(), Ordering::Relaxed);
                    Box::pin(std::future::ready(()))
                }),
            },
            proxy: None,
            authorities: None,
            in_place: None,
            patience: Duration::from_secs(60),
            observer: Box::new(|_| {}),
        }
    }
}

fn served(hub: Hub) -> Running<Hub> {
    serve(hub, ([127, 0, 0, 1], 0).into()).expect("a port")
}

fn client_as(url: &str, token: &str) -> Github {
    let api = GithubApi::new(url).expect("an address");
    Github::new(Waits::default().means(token), &api, REPOSITORY).expect("a client")
}

fn client(running: &Running<Hub>) -> Github {
    client_as(&running.url, JOB)
}

fn commit(text: &str) -> Commit {
    Commit::parse(text).expect("a commit")
}

#[tokio::test]
async fn a_merged_request_is_read_with_all_that_happened_to_it() {
    let running = served(story());
    let github = client(&running);
    let repository = github.repository().await.expect("there");
    assert_eq!((repository.id, repository.public), (ID, false));
    assert_eq!(repository.default_branch, "main");
    let one = github.request(1).await.expect("there");
    assert_eq!((one.number, one.open), (1, false));
    assert_eq!(one.head_repository, Some((ID, REPOSITORY.to_owned())));
    assert!(!one.from_fork());
    let merge = one.merge_commit.clone().expect("merged");
    let named = github.requests_of(&merge).await.expect("read");
    assert_eq!(named, std::slice::from_ref(&one));
    assert_eq!(
        github.commits_of(1).await.expect("read"),
        std::slice::from_ref(&one.head)
    );
    let reviews = github.reviews(1).await.expect("read");
    assert_eq!(reviews.len(), 1);
    assert_eq!(reviews[0].state, ReviewState::Approved);
    assert_eq!(reviews[0].commit.as_ref(), Some(&one.head));
    assert_eq!(github.turns(1).await.expect("read"), []);
    let pusher = github.pusher(&one).await.expect("read");
    assert_eq!(pusher, Pusher::Known(vec!["ada".to_owned()]));
}

#[tokio::test]
async fn a_forks_request_and_what_moved_are_told() {
    let running = served(story());
    let github = client(&running);
    let fork = github.request(2).await.expect("there");
    assert!(fork.open && fork.from_fork());
    let pusher = github.pusher(&fork).await.expect("read");
    assert_eq!(pusher, Pusher::Known(vec!["eve".to_owned()]));
    running.with(|hub| hub.shows_forks = false);
    let unknown = |pusher: &Pusher| matches!(pusher, Pusher::Unknown(_));
    assert!(unknown(&github.pusher(&fork).await.expect("read")));
    running.with(|hub| {
        hub.shows_forks = true;
        hub.forget("eve");
    });
    assert!(unknown(&github.pusher(&fork).await.expect("read")));
    let turns = github.turns(3).await.expect("read");
    let kinds: Vec<Turn> = turns.iter().map(|turned| turned.turn).collect();
    assert_eq!(kinds, [Turn::ForcePushed, Turn::BaseChanged]);
    let moved = github.request(3).await.expect("there");
    assert_eq!(moved.base, "release");
}

#[tokio::test]
async fn rights_and_rules_are_those_of_the_host() {
    let running = served(story());
    let github = client(&running);
    for (login, right) in [
        ("bob", Right::Write),
        ("Dan", Right::Write),
        ("eve", Right::Less),
        ("nobody", Right::Less),
    ] {
        assert_eq!(github.right(login).await, Ok(right), "{login}");
    }
    assert_eq!(github.last_push_rule("main").await, Ok(Some(false)));
    running.with(|hub| hub.last_push_rule = true);
    assert_eq!(github.last_push_rule("main").await, Ok(Some(true)));
    running.with(|hub| {
        hub.token("blind", &["/rules/", "/permission"]);
    });
    let blind = client_as(&running.url, "blind");
    assert_eq!(blind.last_push_rule("main").await, Ok(None));
    assert_eq!(blind.right("bob").await, Ok(Right::Unknown));
}

#[tokio::test]
async fn every_list_is_read_to_its_last_page() {
    let running = served(story());
    running.with(|hub| {
        hub.page = 2;
        for n in 0..7 {
            hub.comment(1, "ada", &format!("comment {n}"));
            hub.review(2, "bob", "COMMENTED");
            hub.push(ID, "topic", &hub.tip("main"), "dan");
        }
    });
    let github = client(&running);
    let comments = github.comments(1).await.expect("read");
    let last = comments.last().expect("seven");
    assert_eq!((comments.len(), last.body.as_str()), (7, "comment 6"));
    assert_eq!(github.reviews(2).await.expect("read").len(), 7);
    let one = github.request(1).await.expect("there");
    let pusher = github.pusher(&one).await.expect("read");
    assert_eq!(pusher, Pusher::Known(vec!["ada".to_owned()]));
}

#[tokio::test]
async fn an_artifact_is_fetched_without_the_token() {
    let running = served(story());
    let github = client(&running);
    let held = github.artifacts("rolecall-1").await.expect("read");
    assert_eq!(held.len(), 1);
    // It lacks the plan.
    let why = github.files(&held[0]).await.expect_err("no plan");
    assert!(why.message.contains("it has no plan.json"), "{why}");
    let run = held[0].run.expect("a run");
    let id = running
        .with(|hub| hub.upload(run, "whole", &[("plan.json", b"p"), ("verdict.json", b"v")]));
    running.calls();
    let held = github.artifacts("whole").await.expect("read");
    let files = github.files(&held[0]).await.expect("read").expect("there");
    assert_eq!((files.verdict, files.plan), (b"v".to_vec(), b"p".to_vec()));
    let calls = running.calls();
    let fetched = calls.iter().find(|call| call.path.starts_with("/blob"));
    assert_eq!(fetched.expect("fetched").header("authorization"), "");
    // One that is gone is no error, and none of another name is given.
    running.with(|hub| hub.artifact(id).expired = true);
    assert!(github.files(&held[0]).await.expect("read").is_none());
    running.with(|hub| hub.delete_run(run));
    assert!(github.files(&held[0]).await.expect("read").is_none());
    assert_eq!(github.artifacts("whole").await, Ok(Vec::new()));
    assert_eq!(github.run(run).await, Ok(None));
}

#[tokio::test]
async fn runs_and_their_jobs_are_told_by_attempt() {
    let mut hub = Hub::new();
    let id = hub.run(
        ".github/workflows/x.yml@main",
        "workflow_run",
        "main",
        "plan",
    );
    hub.finish(id, "failure");
    let mut again = hub.of_run(id).attempts[0].clone();
    again[0].conclusion = Some("success".to_owned());
    hub.of_run(id).attempts.push(again);
    let running = served(hub);
    let github = client(&running);
    let run = github.run(id).await.expect("read").expect("there");
    assert_eq!(
        (run.attempts, run.path.as_str()),
        (2, ".github/workflows/x.yml")
    );
    assert_eq!((run.repository, run.head_repository), (ID, Some(ID)));
    for (attempt, conclusion) in [(1, "failure"), (2, "success")] {
        let jobs = github.jobs(id, attempt).await.expect("read");
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0].conclusion.as_deref(), Some(conclusion));
        assert!(jobs[0].began < jobs[0].ended);
    }
}

#[tokio::test]
async fn what_was_applied_last_is_a_run_of_that_file_on_that_branch() {
    let mut hub = Hub::new();
    let apply = ".github/workflows/apply.yml";
    let mut run = |path: &str, event: &str, branch: &str, conclusion: &str| {
        let id = hub.run(path, event, branch, "apply");
        hub.finish(id, conclusion);
        id
    };
    let good = run(apply, "push", "main", "success");
    let own = run(apply, "push", "main", "success");
    run(apply, "push", "main", "failure");
    run(apply, "push", "topic", "success");
    run(apply, "pull_request", "main", "success");
    run(
        ".github/workflows/deep/apply.yml",
        "push",
        "main",
        "success",
    );
    let fork = run(apply, "push", "main", "success");
    hub.of_run(fork).from = 2002;
    let running = served(hub);
    let github = client(&running);
    let repository = github.repository().await.expect("there");
    let last = github.last_success(apply, &repository, Some(own)).await;
    assert_eq!(last.expect("read").map(|run| run.id), Some(good));
    let last = github.last_success(apply, &repository, None).await;
    assert_eq!(last.expect("read").map(|run| run.id), Some(own));
    let none = github.last_success(".github/workflows/none.yml", &repository, None);
    assert_eq!(none.await, Ok(None));
}

#[tokio::test]
async fn commits_are_compared_and_no_name_is() {
    let mut hub = Hub::new();
    let first = hub.tip("main");
    let number = hub.proposed("topic", "ada");
    let head = hub.head(number);
    let merge = hub.merge(number, "bob");
    let aside = hub.commit(&[&first]);
    let running = served(hub);
    let github = client(&running);
    let tip = github.tip("main").await.expect("read");
    assert_eq!(tip.as_str(), merge);
    for (of, held) in [
        (&merge, true),
        (&first, true),
        (&head, true),
        (&aside, false),
    ] {
        assert_eq!(github.holds(&tip, &commit(of)).await, Ok(held), "{of}");
    }
    assert_eq!(
        github.holds(&tip, &commit(&"9".repeat(40))).await,
        Ok(false)
    );
    let between = github.between(&commit(&first), &tip).await;
    assert_eq!(between, Ok(Some(vec![commit(&head), commit(&merge)])));
    let between = github.between(&commit(&aside), &tip).await;
    assert_eq!(between, Ok(None));
}

#[tokio::test]
async fn a_refusal_names_the_permission_as_a_workflow_spells_it() {
    let running = served(story());
    running.with(|hub| hub.token("poor", &["POST", "PATCH", "/artifacts", "/reviews"]));
    let poor = client_as(&running.url, "poor");
    let head = running.with(|hub| commit(&hub.head(2)));
    let comment = poor.post(1, "x").await.expect_err("refused");
    let status = poor.status(&head, "rolecall", true, "x", None).await;
    let artifacts = poor.artifacts("x").await.expect_err("refused");
    let reviews = poor.reviews(1).await.expect_err("refused");
    for (why, right) in [
        (comment, "pull-requests: write"),
        (status.expect_err("refused"), "statuses: write"),
        (artifacts, "actions: read"),
        (reviews, "pull-requests: read"),
    ] {
        assert_eq!(why.kind, ForgeErrorKind::Permission, "{why}");
        let help = why.help.clone().unwrap_or_default();
        assert!(help.contains(right), "{help}");
        assert!(!why.message.contains("poor"), "{why}");
    }
    let stranger = client_as(&running.url, "ghs_nobody.at.all");
    let why = stranger.repository().await.expect_err("refused");
    assert_eq!(why.kind, ForgeErrorKind::Login);
    assert!(why.message.contains("GITHUB_TOKEN") && !why.message.contains("nobody"));
}

#[tokio::test]
async fn a_limit_is_waited_for_if_it_is_short_and_told_if_it_is_long() {
    let running = served(story());
    let api = GithubApi::new(&running.url).expect("an address");
    let waits = Waits::default();
    let github = Github::new(waits.means(JOB), &api, REPOSITORY).expect("a client");
    let limit = |seconds| ("POST".to_owned(), Fault::Limit(seconds));
    running.with(|hub| hub.faults.push(limit(7)));
    github.post(1, "after a while").await.expect("written");
    assert!(waits.0.load(Ordering::Relaxed) >= 7);
    running.with(|hub| hub.faults.push(limit(3600)));
    let why = github.post(1, "never").await.expect_err("too long");
    assert_eq!(why.kind, ForgeErrorKind::Limited);
    assert!(why.message.contains("3600 s"), "{why}");
    let written = running.with(|hub| hub.comments_on(1).len());
    assert_eq!(written, 1);
}

/// A comment that may have been written is not written again: there would be two.
#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_sent_again() {
    let running = served(story());
    running.with(|hub| hub.faults.push(("POST".to_owned(), Fault::Lost)));
    let github = client(&running);
    let why = github.post(1, "once").await.expect_err("lost");
    assert_eq!(why.kind, ForgeErrorKind::Unavailable);
    assert!(why.message.contains("may have been done"), "{why}");
    assert_eq!(running.with(|hub| hub.comments_on(1).len()), 1);
    // What only reads is.
    running.with(|hub| hub.faults.push(("GET".to_owned(), Fault::Lost)));
    assert!(github.repository().await.is_ok());
}

#[tokio::test]
async fn comments_and_statuses_are_written_as_they_are() {
    let running = served(story());
    let github = client(&running);
    assert_eq!(github.me().await.as_deref(), Ok("github-actions[bot]"));
    let text = "\u{1f511} \u{4f60}\u{597d} \"quoted\"\n".repeat(3);
    let comment = github.post(1, &text).await.expect("written");
    let edited = github.edit(comment.id, "other").await.expect("written");
    assert_eq!(edited.id, comment.id);
    let by = "github-actions[bot]".to_owned();
    let held = running.with(|hub| hub.comments_on(1));
    assert_eq!(held, [(by, "other".to_owned())]);
    let why = github.edit(999_999, "gone").await.expect_err("gone");
    assert_eq!(why.kind, ForgeErrorKind::NotFound);
    let head = running.with(|hub| commit(&hub.head(2)));
    let url = Some("https://ci.example/run");
    github
        .status(&head, "rolecall", false, "red", url)
        .await
        .expect("written");
    let status = running.with(|hub| hub.statuses[0].clone());
    assert_eq!(
        (status.state.as_str(), status.description.as_str()),
        ("failure", "red")
    );
    assert_eq!(
        (status.context, status.commit),
        ("rolecall".to_owned(), head.to_string())
    );
}

/// Says that the rest of each list is elsewhere.
struct Elsewhere(&'static str);

impl Standin for Elsewhere {
    fn answer(&mut self, _: &Call) -> Reply {
        let link = format!("<{}>; rel=\"next\"", self.0);
        let empty = serde_json::Value::Array(Vec::new());
        Reply::json(200, &empty).header("link", &link)
    }
}

#[tokio::test]
async fn no_list_leads_the_token_to_another_server_and_none_is_read_for_ever() {
    for (to, why) in [
        ("https://evil.example/repos/x", "elsewhere"),
        ("http://127.0.0.1:9/repos/x", "elsewhere"),
    ] {
        let running = serve(Elsewhere(to), ([127, 0, 0, 1], 0).into()).expect("a port");
        let github = client_as(&running.url, JOB);
        let refused = github.comments(1).await.expect_err(why);
        assert!(refused.message.contains(why), "{refused}");
    }
    let running = serve(Elsewhere("x"), ([127, 0, 0, 1], 0).into()).expect("a port");
    let url: &'static str = format!("{}/repos/acme/access/x", running.url).leak();
    running.with(|standin| standin.0 = url);
    let refused = client_as(&running.url, JOB).comments(1).await;
    let refused = refused.expect_err("endless");
    assert!(refused.message.contains("does not end"), "{refused}");
}

#[test]
fn a_repository_is_a_name_and_no_path() {
    let api = GithubApi::new(GithubApi::PUBLIC).expect("an address");
    for name in [
        "acme",
        "acme/",
        "/access",
        "acme/access/x",
        "acme/..",
        "a b/c",
        "acme/a?x",
    ] {
        let made = Github::new(Waits::default().means(JOB), &api, name);
        assert!(made.is_err(), "{name}");
    }
}
