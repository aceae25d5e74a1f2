//! What of a code host's API the workflows' own steps ask for, and what the recorded program does: issues,
//! comments, statuses. Source: GitHub's description of its REST API (`@octokit/openapi`).

use rolecall_standins::{Call, Reply, Standin};
use serde_json::{Value, json};

/// Who jobs write as.
const BOT: &str = "github-actions[bot]";

/// One repository.
#[derive(Debug, Default)]
pub struct CodeHost {
    pub issues: Vec<Value>,
    /// What was said, each with the number of its issue or pull request.
    pub comments: Vec<(u64, String)>,
    /// Commit, context and state, in their order.
    pub statuses: Vec<(String, String, String)>,
}

impl CodeHost {
    /// Puts an issue of a person there.
    pub fn of_a_person(&mut self, body: &str) {
        let number = self.issues.len() + 1;
        self.issues.push(json!({
            "number": number, "title": "mine", "body": body, "state": "open",
            "labels": [{"name": "rolecall-drift"}], "user": {"login": "ann", "type": "User"},
        }));
    }

    /// The titles of the issues that jobs keep open.
    pub fn open(&self) -> Vec<&str> {
        let own = |issue: &&Value| issue["state"] == "open" && issue["user"]["login"] == BOT;
        let own = self.issues.iter().filter(own);
        own.filter_map(|issue| issue["title"].as_str()).collect()
    }

    /// The newest state of a status.
    pub fn status(&self, commit: &str) -> Option<&str> {
        let of =
            |(sha, context, _): &&(String, String, String)| sha == commit && context == "rolecall";
        let last = self.statuses.iter().rfind(of);
        last.map(|(_, _, state)| state.as_str())
    }

    fn issue(&mut self, number: &str) -> Option<&mut Value> {
        let number: u64 = number.parse().ok()?;
        self.issues
            .iter_mut()
            .find(|issue| issue["number"] == number)
    }
}

impl Standin for CodeHost {
    fn answer(&mut self, call: &Call) -> Reply {
        if !call.header("authorization").starts_with("Bearer ghs_") {
            return Reply::json(401, &json!({"message": "Bad credentials"}));
        }
        let Some(path) = call.path.strip_prefix("/repos/acme/access/") else {
            return Reply::json(404, &json!({"message": "Not Found"}));
        };
        let parts: Vec<&str> = path.split('/').collect();
        let body = call.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match (call.method.as_str(), parts.as_slice()) {
            ("GET", ["issues"]) => {
                assert!(
                    call.query.contains("labels=rolecall-drift"),
                    "{}",
                    call.query
                );
                let page = call
                    .query
                    .split('&')
                    .find_map(|part| part.strip_prefix("page="));
                let page: usize = page.and_then(|page| page.parse().ok()).unwrap_or(1);
                let open = self.issues.iter().filter(|issue| issue["state"] == "open");
                let found: Vec<&Value> = open.skip((page - 1) * 100).take(100).collect();
                Reply::json(200, &json!(found))
            }
            ("POST", ["issues"]) => {
                let number = self.issues.len() + 1;
                let labels = body["labels"].as_array().cloned().unwrap_or_default();
                let labels: Vec<Value> = labels.iter().map(|name| json!({"name": name})).collect();
                let issue = json!({
                    "number": number, "title": body["title"], "body": body["body"], "state": "open",
                    "labels": labels, "user": {"login": BOT, "type": "Bot"},
                });
                self.issues.push(issue.clone());
                Reply::json(201, &issue)
            }
            ("PATCH", ["issues", number]) => {
                let Some(issue) = self.issue(number) else {
                    return Reply::json(404, &json!({"message": "Not Found"}));
                };
                for name in ["title", "body", "state"] {
                    if !body[name].is_null() {
                        issue[name] = body[name].clone();
                    }
                }
                Reply::json(200, issue)
            }
            ("POST", ["issues", number, "comments"]) => {
                self.comments
                    .push((number.parse().expect("a number"), text("body")));
                Reply::json(201, &json!({"id": self.comments.len()}))
            }
            ("POST", ["statuses", commit]) => {
                let one = ((*commit).to_owned(), text("context"), text("state"));
                self.statuses.push(one);
                Reply::json(201, &json!({}))
            }
            _ => Reply::json(404, &json!({"message": "Not Found"})),
        }
    }
}
