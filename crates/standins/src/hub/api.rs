//! What the server answers to programs.
//! Source: GitHub's OpenAPI description of its REST API; of `viewer`, its GraphQL schema.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use super::{Comment, Fault, Hub, ID, REPOSITORY, Status, shapes};
use crate::serve::{Call, Reply, Standin};

/// The longest text of a comment, in characters. Source: github.com/telia-oss/github-pr-resource/issues/259.
const LONGEST: usize = 65_536;
/// The longest description of a status. Source: github.com/zalando/zappr/issues/378.
const DESCRIPTION: usize = 140;

fn refuse(status: u16, message: &str) -> Reply {
    let body = json!({
        "message": message, "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    Reply::json(status, &body)
}

fn missing() -> Reply {
    refuse(404, "Not Found")
}

fn base(call: &Call) -> String {
    format!("http://{}", call.header("host"))
}

/// A part of a path or a query as it was meant.
fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        let mut digit = || {
            let digit = char::from(*rest.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        match byte {
            b'%' => {
                let (high, low) = (digit(), digit());
                bytes.extend(high.zip(low).map(|(high, low)| high * 16 + low));
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn query(call: &Call) -> BTreeMap<String, String> {
    call.query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), plain(value)))
        .collect()
}

impl Hub {
    fn page(&self, call: &Call, all: Vec<Value>, wrap: impl FnOnce(Vec<Value>) -> Value) -> Reply {
        let asked = query(call);
        let number = |name: &str, or: usize| {
            let value = asked.get(name).and_then(|value| value.parse().ok());
            value.unwrap_or(or)
        };
        let size = number("per_page", 30).clamp(1, self.page.min(100));
        let page = number("page", 1).max(1);
        let total = all.len();
        let shown = all.into_iter().skip((page - 1) * size).take(size);
        let mut reply = Reply::json(200, &wrap(shown.collect()));
        if page * size < total {
            let mut rest: Vec<String> = call
                .query
                .split('&')
                .filter(|pair| !pair.is_empty() && !pair.starts_with("page="))
                .map(str::to_owned)
                .collect();
            rest.push(format!("page={}", page + 1));
            let url = format!("{}{}?{}", base(call), call.path, rest.join("&"));
            let link = format!("<{url}>; rel=\"next\", <{url}>; rel=\"last\"");
            reply = reply.header("link", &link);
        }
        reply
    }

    fn list(&self, call: &Call, all: Vec<Value>) -> Reply {
        self.page(call, all, Value::Array)
    }

    fn named(&self, call: &Call, name: &str, all: Vec<Value>) -> Reply {
        let total = all.len();
        self.page(call, all, |page| json!({"total_count": total, name: page}))
    }

    fn work(&mut self, call: &Call) -> Reply {
        let parts: Vec<String> = call.path.split('/').skip(1).map(plain).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        // What an artifact's address leads to: it takes no login, and a login there is a mistake.
        if let ["blob", id] = parts.as_slice() {
            if !call.header("authorization").is_empty() {
                return refuse(400, "a token came here that is for the API alone");
            }
            let held = id.parse().ok().and_then(|id| self.artifacts.get(&id));
            return held.map_or_else(missing, |held| Reply {
                status: 200,
                headers: Vec::new(),
                body: held.bytes.clone(),
            });
        }
        let header = call.header("authorization");
        let token = header
            .strip_prefix("Bearer ")
            .or_else(|| header.strip_prefix("token "));
        let Some((login, forbidden)) = self.tokens.get(token.unwrap_or_default()).cloned() else {
            return refuse(401, "Bad credentials");
        };
        let asked = format!("{} {}", call.method, call.path);
        if forbidden.iter().any(|text| asked.contains(text.as_str())) {
            return refuse(403, "Resource not accessible by integration");
        }
        match parts.as_slice() {
            ["graphql"] => Reply::json(200, &json!({"data": {"viewer": {"login": login}}})),
            ["repos", owner, name, rest @ ..] => {
                let name = format!("{owner}/{name}");
                match (name.as_str(), rest) {
                    (REPOSITORY, rest) => self.of_repository(call, rest, &login),
                    (_, ["activity"]) if self.shows_forks => self.activity(call, Some(&name)),
                    _ => missing(),
                }
            }
            _ => missing(),
        }
    }

    fn activity(&self, call: &Call, name: Option<&str>) -> Reply {
        let asked = query(call);
        let fork = self.pulls.values().find_map(|pull| {
            let (id, known) = pull.from.as_ref()?;
            (Some(known.as_str()) == name).then_some(*id)
        });
        let id = match name {
            None => ID,
            Some(_) => fork.unwrap_or_default(),
        };
        let wanted = |branch: &str| {
            let reference = asked.get("ref");
            reference.is_none_or(|wanted| *wanted == format!("refs/heads/{branch}"))
        };
        let pushes = self.pushes.iter().enumerate().rev();
        let pushes = pushes.filter(|(_, push)| push.from == id && wanted(&push.branch));
        self.list(
            call,
            pushes.map(|(n, push)| shapes::push(n, push)).collect(),
        )
    }

    fn of_repository(&mut self, call: &Call, rest: &[&str], login: &str) -> Reply {
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        match (call.method.as_str(), rest) {
            ("GET", []) => Reply::json(200, &shapes::repository(self, ID, REPOSITORY)),
            ("GET", ["pulls", n]) => match self.pulls.get(&number(n)) {
                Some(pull) => Reply::json(200, &shapes::whole_pull(self, number(n), pull)),
                None => missing(),
            },
            ("GET", ["pulls", n, what]) => match (self.pulls.get(&number(n)), *what) {
                (Some(pull), "reviews") => {
                    let all = pull.reviews.iter();
                    self.list(
                        call,
                        all.map(|one| shapes::review(number(n), one)).collect(),
                    )
                }
                (Some(pull), "commits") => {
                    let all = pull.commits.iter();
                    self.list(call, all.map(|one| shapes::commit(self, one)).collect())
                }
                _ => missing(),
            },
            ("GET", ["issues", n, "events"]) => match self.pulls.get(&number(n)) {
                Some(pull) => {
                    let all = pull.events.iter().enumerate();
                    self.list(call, all.map(|(n, one)| shapes::event(n, one)).collect())
                }
                None => missing(),
            },
            ("GET", ["commits", commit, "pulls"]) => self.pulls_of(call, commit),
            ("GET", ["activity"]) => self.activity(call, None),
            ("GET", ["collaborators", login, "permission"]) => {
                let login = login.to_ascii_lowercase();
                match self.rights.get(&login) {
                    Some(right) => {
                        let mut user = shapes::user(&login);
                        user["role_name"] = json!(right);
                        let body = json!({"permission": right, "role_name": right, "user": user});
                        Reply::json(200, &body)
                    }
                    None => missing(),
                }
            }
            ("GET", ["rules", "branches", _]) => {
                let rule = json!({
                    "type": "pull_request",
                    "parameters": {
                        "dismiss_stale_reviews_on_push": false,
                        "require_code_owner_review": false,
                        "require_last_push_approval": self.last_push_rule,
                        "required_approving_review_count": 1,
                        "required_review_thread_resolution": false,
                    },
                    "ruleset_source_type": "Repository", "ruleset_source": REPOSITORY,
                    "ruleset_id": 42,
                });
                self.list(call, vec![rule])
            }
            ("GET", ["branches", name]) => match self.branches.get(&(ID, (*name).to_owned())) {
                Some(tip) => Reply::json(200, &self.branch(name, tip)),
                None => missing(),
            },
            ("GET", ["compare", range]) => self.compare(call, range),
            ("GET", ["actions", rest @ ..]) => self.actions(call, rest),
            ("GET", ["issues", n, "comments"]) => {
                let all = self.comments.iter().filter(|(_, one)| one.on == number(n));
                self.list(
                    call,
                    all.map(|(id, one)| shapes::comment(*id, one)).collect(),
                )
            }
            ("POST", ["issues", n, "comments"]) => self.written(call, number(n), None, login),
            ("PATCH", ["issues", "comments", id]) => self.written(call, 0, Some(number(id)), login),
            ("POST", ["statuses", commit]) => self.set_status(call, commit, login),
            _ => missing(),
        }
    }

    /// GitHub names the pull request that brought a commit into the default branch; of a commit that is not there
    /// yet, those that are open, too.
    fn pulls_of(&self, call: &Call, commit: &str) -> Reply {
        if !self.parents.contains_key(commit) {
            return refuse(422, &format!("No commit found for SHA: {commit}"));
        }
        let held = self.pulls.iter().filter(|(_, pull)| {
            let merge = pull
                .merged
                .as_ref()
                .is_some_and(|(_, merge)| merge == commit);
            merge || pull.commits.iter().any(|one| one == commit)
        });
        let all = held.map(|(n, pull)| shapes::pull(self, *n, pull));
        self.list(call, all.collect())
    }

    fn branch(&self, name: &str, tip: &str) -> Value {
        let url = format!("https://api.github.com/repos/{REPOSITORY}/branches/{name}");
        json!({
            "name": name, "commit": shapes::commit(self, tip), "protected": true,
            "protection": {}, "protection_url": url, "_links": {"html": url, "self": url},
        })
    }

    fn compare(&self, call: &Call, range: &str) -> Reply {
        let Some((from, to)) = range.split_once("...") else {
            return missing();
        };
        let (Some(_), Some(_)) = (self.parents.get(from), self.parents.get(to)) else {
            return missing();
        };
        let (before, after) = (self.history(from), self.history(to));
        let ahead: Vec<&String> = after.difference(&before).collect();
        let behind = before.difference(&after).count();
        let status = match (ahead.len(), behind) {
            (0, 0) => "identical",
            (_, 0) => "ahead",
            (0, _) => "behind",
            _ => "diverged",
        };
        // Oldest first: what has most behind it comes last.
        let mut commits = ahead.clone();
        commits.sort_by_key(|commit| self.history(commit).len());
        let commits = commits.iter().map(|one| shapes::commit(self, one));
        let url = format!("https://api.github.com/repos/{REPOSITORY}/compare/{range}");
        let (ahead, base) = (ahead.len(), shapes::commit(self, from));
        self.page(call, commits.collect(), |page| {
            json!({
                "url": url, "html_url": url, "permalink_url": url, "diff_url": url,
                "patch_url": url, "base_commit": base, "merge_base_commit": base,
                "status": status, "ahead_by": ahead, "behind_by": behind,
                "total_commits": ahead, "commits": page, "files": [],
            })
        })
    }

    fn actions(&self, call: &Call, rest: &[&str]) -> Reply {
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        match rest {
            ["artifacts"] => {
                let asked = query(call);
                let named = |name: &str| asked.get("name").is_none_or(|wanted| wanted == name);
                let all = self.artifacts.iter().rev();
                let all = all.filter(|(_, held)| named(&held.name));
                let all = all.map(|(id, held)| shapes::artifact(self, *id, held));
                self.named(call, "artifacts", all.collect())
            }
            ["artifacts", id, "zip"] => match self.artifacts.get(&number(id)) {
                Some(held) if held.expired => refuse(410, "Artifact has expired"),
                Some(_) => {
                    Reply::empty(302).header("location", &format!("{}/blob/{id}", base(call)))
                }
                None => missing(),
            },
            ["runs", id] => match self.runs.get(&number(id)) {
                Some(run) => Reply::json(200, &shapes::run(self, number(id), run)),
                None => missing(),
            },
            ["runs", id, "attempts", attempt, "jobs"] => {
                let run = self.runs.get(&number(id));
                let at = usize::try_from(number(attempt)).unwrap_or(0);
                let jobs = run.and_then(|run| Some((run, run.attempts.get(at.checked_sub(1)?)?)));
                match jobs {
                    Some((run, jobs)) => {
                        let jobs = jobs.iter().enumerate();
                        let jobs = jobs.map(|(n, job)| shapes::job(n, number(id), run, job));
                        self.named(call, "jobs", jobs.collect())
                    }
                    None => missing(),
                }
            }
            ["workflows", file, "runs"] => {
                let asked = query(call);
                let all = self.runs.iter().rev().filter(|(_, run)| {
                    let branch = asked.get("branch");
                    let status = asked.get("status");
                    run.path.ends_with(&format!("/{file}"))
                        && branch.is_none_or(|wanted| *wanted == run.branch)
                        && status.is_none_or(|wanted| run.conclusion.as_ref() == Some(wanted))
                });
                let all = all.map(|(id, run)| shapes::run(self, *id, run));
                self.named(call, "workflow_runs", all.collect())
            }
            _ => missing(),
        }
    }

    fn written(&mut self, call: &Call, on: u64, id: Option<u64>, login: &str) -> Reply {
        let body = call.json();
        let Some(text) = body["body"].as_str() else {
            return refuse(422, "Validation Failed");
        };
        if text.chars().count() > LONGEST {
            let why = "Body is too long (maximum is 65536 characters)";
            return refuse(422, why);
        }
        let at = self.tick();
        let Some(id) = id else {
            if !self.pulls.contains_key(&on) {
                return missing();
            }
            let id = self.comment(on, login, text);
            return Reply::json(201, &shapes::comment(id, &self.comments[&id]));
        };
        // Whoever may write edits others' comments too.
        match self.comments.get_mut(&id) {
            Some(Comment { body, updated, .. }) => {
                text.clone_into(body);
                *updated = at;
                Reply::json(200, &shapes::comment(id, &self.comments[&id]))
            }
            None => missing(),
        }
    }

    fn set_status(&mut self, call: &Call, commit: &str, login: &str) -> Reply {
        let body = call.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        if !self.parents.contains_key(commit) {
            return refuse(422, &format!("No commit found for SHA: {commit}"));
        }
        let state = text("state");
        let known = ["error", "failure", "pending", "success"];
        if text("description").chars().count() > DESCRIPTION || !known.contains(&state.as_str()) {
            return refuse(422, "Validation Failed");
        }
        let at = self.tick();
        let status = Status {
            commit: commit.to_owned(),
            context: text("context"),
            state,
            description: text("description"),
            url: body["target_url"].as_str().map(str::to_owned),
            by: login.to_owned(),
            at,
        };
        let reply = Reply::json(201, &shapes::status(self.statuses.len(), &status));
        self.statuses.push(status);
        reply
    }
}

/// The same with the addresses of this server in the place of GitHub's own: clients follow no others.
fn here(call: &Call, mut reply: Reply) -> Reply {
    let json = reply
        .headers
        .iter()
        .any(|(_, value)| value == "application/json");
    if json && let Ok(text) = std::str::from_utf8(&reply.body) {
        reply.body = text
            .replace("https://api.github.com", &base(call))
            .into_bytes();
    }
    reply
}

impl Standin for Hub {
    fn answer(&mut self, call: &Call) -> Reply {
        let asked = format!("{} {}", call.method, call.path);
        let at = self
            .faults
            .iter()
            .position(|(text, _)| asked.contains(text));
        let reply = match at.map(|at| self.faults.remove(at).1) {
            None => self.work(call),
            Some(Fault::Refuse(status, message)) => refuse(status, &message),
            Some(Fault::Limit(seconds)) => refuse(403, "You have exceeded a secondary rate limit")
                .header("retry-after", &seconds.to_string()),
            Some(Fault::Lost) => {
                self.work(call);
                Reply::cut()
            }
        };
        let reply = here(call, reply);
        let after = self
            .meanwhile
            .iter()
            .position(|(text, _)| asked.contains(text));
        if let Some(at) = after {
            let (_, happens) = self.meanwhile.remove(at);
            happens(self);
        }
        let date = Timestamp::from_second(self.now).ok();
        let date = date.and_then(|date| {
            let printer = DateTimePrinter::new();
            printer.timestamp_to_rfc9110_string(&date).ok()
        });
        match (reply.status, date) {
            (0, _) | (_, None) => reply,
            (_, Some(date)) => reply.header("date", &date),
        }
    }
}
