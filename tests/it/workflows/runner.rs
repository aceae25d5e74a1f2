//! Runs the jobs of a workflow file as the host's runner does, each on a fresh machine: what each `run:` step says in
//! the runner's shell, in an environment that holds what a runner's holds and nothing of this process. The actions
//! of others are played: a checkout is a clone, artifacts are folders.
//! Source: GitHub's documentation of workflow syntax, of default variables and of workflow commands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rolecall::yaml::{self, Content, Node};
use serde_json::{Map, Value, json};

use super::expression::{Context, asks_for_the_end, evaluate, fill, holds, shown};

/// What starts a run.
#[derive(Clone, Debug)]
pub struct Event {
    pub name: &'static str,
    /// The full name of the branch or of what a pull request would make.
    pub reference: String,
    /// What is checked out.
    pub sha: String,
    pub payload: Value,
    pub inputs: Value,
}

/// A host with one repository.
pub struct Host {
    pub dir: tempfile::TempDir,
    /// Where its API is.
    pub api: String,
    /// Secrets by environment.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether runs get a token that may write.
    pub runs: u64,
    /// Jobs that this host drops, as a person who cancels them.
    pub cancelled: BTreeSet<String>,
}

/// How a job of a run ended.
#[derive(Clone, Debug)]
pub struct Job {
    pub name: String,
    /// `success`, `failure`, `skipped` or `cancelled`.
    pub result: &'static str,
    /// Outcomes of its steps, by their names.
    pub steps: Vec<(String, &'static str)>,
    pub outputs: Map<String, Value>,
    pub log: String,
    pub summary: String,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    pub id: u64,
    pub jobs: Vec<Job>,
}

impl Run {
    /// The one job of a name.
    pub fn job(&self, name: &str) -> &Job {
        let found = self.jobs.iter().find(|job| job.name == name);
        found.unwrap_or_else(|| panic!("no job {name}: {:?}", self.results()))
    }

    pub fn results(&self) -> Vec<(&str, &str)> {
        let jobs = self.jobs.iter();
        jobs.map(|job| (job.name.as_str(), job.result)).collect()
    }

    /// All that it printed.
    pub fn log(&self) -> String {
        self.jobs.iter().map(|job| job.log.as_str()).collect()
    }
}

/// A file of YAML as JSON; what is null is null.
pub fn read(text: &str) -> Value {
    fn value(node: &Node) -> Value {
        match &node.content {
            Content::Null => Value::Null,
            Content::Text(text) => Value::String(text.to_string()),
            Content::List(all) => all.iter().map(value).collect(),
            Content::Map(members) => {
                let members = members
                    .iter()
                    .map(|(key, node)| (key.to_string(), value(node)));
                Value::Object(members.collect())
            }
        }
    }
    value(&yaml::parse(text).expect("YAML").expect("something"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The jobs that a job waits for.
fn needs(job: &Value) -> Vec<&str> {
    match &job["needs"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(all) => all.iter().map(text).collect(),
        _ => Vec::new(),
    }
}

/// What a job of a run is told, and what it leaves.
struct Machine<'a> {
    host: &'a Host,
    event: &'a Event,
    run: u64,
    workspace: PathBuf,
    temp: PathBuf,
    home: PathBuf,
    /// Folders that steps have put before others.
    path: Vec<String>,
    /// What a shell is, where the workflow does not say it of a step.
    shell: String,
    values: Map<String, Value>,
    log: String,
    summary: String,
}

impl Host {
    /// Where the repository is.
    pub fn repository(&self) -> PathBuf {
        self.dir.path().join("server/acme/access")
    }

    fn artifacts(&self, run: u64) -> PathBuf {
        self.dir.path().join(format!("artifacts/{run}"))
    }

    /// All artifacts of a run, by name.
    pub fn artifact_names(&self, run: u64) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.artifacts(run)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("readable")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }

    /// Runs a workflow. With `only`, the jobs that did not succeed in that run are run again, as "Re-run failed jobs" does.
    pub fn run(&mut self, file: &str, event: &Event, again: Option<&Run>) -> Run {
        let run = match again {
            Some(run) => run.id,
            None => {
                self.runs += 1;
                self.runs
            }
        };
        let workflow = read(file);
        assert_eq!(
            workflow["permissions"],
            json!({}),
            "no right is given to all jobs"
        );
        let mut ended: BTreeMap<String, (&'static str, Map<String, Value>)> = BTreeMap::new();
        let mut jobs = Vec::new();
        let mut waiting: Vec<(&String, &Value)> =
            workflow["jobs"].as_object().expect("jobs").iter().collect();
        while !waiting.is_empty() {
            let ready = |(_, job): &(&String, &Value)| {
                needs(job).iter().all(|need| ended.contains_key(*need))
            };
            let at = waiting
                .iter()
                .position(ready)
                .expect("no job waits for itself");
            let (key, job) = waiting.remove(at);
            assert!(job["timeout-minutes"].as_str().is_some(), "{key} ends");
            assert!(job["permissions"].is_object(), "{key} says its rights");
            let needs = needs(job);
            let mut values = self.values(event, run);
            let told = needs.iter().map(|need| {
                let (result, outputs) = &ended[*need];
                (
                    (*need).to_owned(),
                    json!({"result": result, "outputs": outputs}),
                )
            });
            values.insert("needs".to_owned(), Value::Object(told.collect()));
            let success = needs.iter().all(|need| ended[*need].0 == "success");
            let condition = match &job["if"] {
                Value::String(text) => text.trim_start_matches("${{").trim_end_matches("}}"),
                _ => "success()",
            };
            let context = Context {
                values: &values,
                success,
            };
            let goes =
                (success || asks_for_the_end(condition)) && holds(&evaluate(condition, &context));
            let legs: Vec<Value> = match (&job["strategy"]["matrix"], goes) {
                (_, false) => Vec::new(),
                (Value::String(text), true) => {
                    let matrix = fill(text, &context);
                    let legs = matrix["include"].as_array().cloned().unwrap_or_default();
                    assert!(
                        !legs.is_empty(),
                        "a matrix without entries fails the run: {key}"
                    );
                    legs
                }
                (_, true) => vec![Value::Null],
            };
            let mut result = if goes { "success" } else { "skipped" };
            let mut outputs = Map::new();
            for leg in legs {
                let mut values = values.clone();
                values.insert("matrix".to_owned(), leg.clone());
                let name = shown(&fill(
                    job["name"].as_str().unwrap_or(key),
                    &Context {
                        values: &values,
                        success,
                    },
                ));
                let before = again.and_then(|run| {
                    run.jobs
                        .iter()
                        .find(|job| job.name == name && job.result == "success")
                });
                let done = match before {
                    Some(job) => job.clone(),
                    None if self.cancelled.contains(&name) => Job {
                        name,
                        result: "cancelled",
                        steps: Vec::new(),
                        outputs: Map::new(),
                        log: String::new(),
                        summary: String::new(),
                    },
                    None => self.job(&workflow, job, name, values, event, run),
                };
                if done.result != "success" {
                    result = done.result;
                }
                outputs.extend(done.outputs.clone());
                jobs.push(done);
            }
            if !goes {
                jobs.push(Job {
                    name: key.clone(),
                    result,
                    steps: Vec::new(),
                    outputs: Map::new(),
                    log: String::new(),
                    summary: String::new(),
                });
            }
            ended.insert(key.clone(), (result, outputs));
        }
        Run { id: run, jobs }
    }

    fn values(&self, event: &Event, run: u64) -> Map<String, Value> {
        let github = json!({
            "event_name": event.name,
            "event": event.payload,
            "ref": event.reference,
            "sha": event.sha,
            "repository": "acme/access",
            "repository_id": "1003",
            "server_url": format!("file://{}", self.dir.path().join("server").display()),
            "run_id": run.to_string(),
            "token": "ghs_the-jobs-own",
        });
        let mut values = Map::new();
        values.insert("github".to_owned(), github);
        values.insert("inputs".to_owned(), event.inputs.clone());
        values.insert("vars".to_owned(), json!({}));
        values
    }

    fn job(
        &self,
        workflow: &Value,
        job: &Value,
        name: String,
        mut values: Map<String, Value>,
        event: &Event,
        run: u64,
    ) -> Job {
        let machine = tempfile::tempdir_in(self.dir.path()).expect("a machine");
        let folder = |name: &str| {
            let path = machine.path().join(name);
            fs::create_dir(&path).expect("made");
            path
        };
        let (workspace, temp, home) = (folder("work"), folder("temp"), folder("home"));
        let secrets = self.secrets.get(text(&job["environment"]));
        values.insert(
            "secrets".to_owned(),
            json!(secrets.cloned().unwrap_or_default()),
        );
        values.insert("runner".to_owned(), json!({"temp": temp}));
        let mut machine = Machine {
            host: self,
            event,
            run,
            workspace,
            temp,
            home,
            path: Vec::new(),
            shell: text(&workflow["defaults"]["run"]["shell"]).to_owned(),
            values,
            log: String::new(),
            summary: String::new(),
        };
        let mut told = Vec::new();
        let good = machine.steps(&job["steps"], &mut told);
        let context = Context {
            values: &machine.values,
            success: good,
        };
        let mut outputs = Map::new();
        for (name, from) in job["outputs"].as_object().into_iter().flatten() {
            outputs.insert(name.clone(), fill(text(from), &context));
        }
        Job {
            name,
            result: if good { "success" } else { "failure" },
            steps: told,
            outputs,
            log: machine.log,
            summary: machine.summary,
        }
    }
}

impl Machine<'_> {
    /// Runs steps; whether none failed.
    fn steps(&mut self, steps: &Value, told: &mut Vec<(String, &'static str)>) -> bool {
        let mut good = true;
        self.values.insert("steps".to_owned(), json!({}));
        for step in steps.as_array().expect("steps") {
            let context = Context {
                values: &self.values,
                success: good,
            };
            let condition = match &step["if"] {
                Value::String(text) => text.trim_start_matches("${{").trim_end_matches("}}"),
                _ => "success()",
            };
            let goes =
                (good || asks_for_the_end(condition)) && holds(&evaluate(condition, &context));
            let name = step["name"].as_str().or(step["uses"].as_str());
            let name = name.expect("a step has a name").to_owned();
            if !goes {
                told.push((name, "skipped"));
                continue;
            }
            self.log.push_str(&format!("== {name}\n"));
            let (fine, outputs) = match &step["uses"] {
                Value::String(uses) => self.uses(uses, step),
                _ => self.script(step),
            };
            let outcome = if fine { "success" } else { "failure" };
            let allowed = text(&step["continue-on-error"]) == "true";
            good &= fine || allowed;
            told.push((name, outcome));
            if let Some(id) = step["id"].as_str() {
                self.values["steps"][id] = json!({"outputs": outputs, "outcome": outcome});
            }
        }
        good
    }

    fn filled(&self, map: &Value) -> BTreeMap<String, String> {
        let context = Context {
            values: &self.values,
            success: true,
        };
        let pairs = map.as_object().into_iter().flatten();
        pairs
            .map(|(name, value)| (name.clone(), shown(&fill(text(value), &context))))
            .collect()
    }

    fn script(&mut self, step: &Value) -> (bool, Map<String, Value>) {
        let script = text(&step["run"]);
        assert!(
            !script.contains("${{"),
            "text of others in a program: {script}"
        );
        let shell = step["shell"].as_str().unwrap_or(&self.shell);
        assert_eq!(shell, "bash");
        let file = self.temp.join("step.sh");
        fs::write(&file, script).expect("written");
        let given = ["output", "path", "summary", "env"].map(|name| {
            let path = self.temp.join(format!("_{name}"));
            fs::write(&path, "").expect("written");
            path
        });
        let [output, path, summary, env] = &given;
        let mut search = self.path.clone();
        search.reverse();
        search.push("/usr/local/bin:/usr/bin:/bin".to_owned());
        let server = self.values["github"]["server_url"].clone();
        let done = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&file)
            .current_dir(&self.workspace)
            .env_clear()
            .env("PATH", search.join(":"))
            .env("HOME", &self.home)
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_OUTPUT", output)
            .env("GITHUB_PATH", path)
            .env("GITHUB_STEP_SUMMARY", summary)
            .env("GITHUB_ENV", env)
            .env("GITHUB_API_URL", &self.host.api)
            .env("GITHUB_SERVER_URL", text(&server))
            .env("GITHUB_REPOSITORY", "acme/access")
            .env("GITHUB_EVENT_NAME", self.event.name)
            .env("GITHUB_REF", &self.event.reference)
            .env("GITHUB_SHA", &self.event.sha)
            .env("GITHUB_RUN_ID", self.run.to_string())
            .env("GITHUB_RUN_ATTEMPT", "1")
            .env("GITHUB_WORKSPACE", &self.workspace)
            .env("RUNNER_TEMP", &self.temp)
            .envs(self.filled(&step["env"]))
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        self.log.push_str(&String::from_utf8_lossy(&done.stdout));
        self.log.push_str(&String::from_utf8_lossy(&done.stderr));
        let left = |path: &Path| fs::read_to_string(path).expect("there");
        self.path.extend(left(path).lines().map(str::to_owned));
        self.summary.push_str(&left(summary));
        assert_eq!(
            left(env),
            "",
            "the environment of later steps stays as it is"
        );
        let mut outputs = Map::new();
        for line in left(output).lines() {
            let (name, value) = line.split_once('=').expect("name=value");
            outputs.insert(name.to_owned(), value.into());
        }
        (done.status.success(), outputs)
    }

    fn uses(&mut self, uses: &str, step: &Value) -> (bool, Map<String, Value>) {
        let with = self.filled(&step["with"]);
        if let Some(local) = uses.strip_prefix("./") {
            return self.action(local, with);
        }
        let (action, version) = uses.split_once('@').expect("a version");
        let pinned = version.len() == 40 && version.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(pinned, "{uses} is held to a commit");
        let given = |name: &str| with.get(name).map(String::as_str).unwrap_or_default();
        let fine = match action {
            "actions/checkout" => {
                assert_eq!(given("persist-credentials"), "false");
                assert_eq!(
                    given("ref"),
                    "",
                    "what is checked out is what the event is about"
                );
                self.checkout(given("fetch-depth") == "0")
            }
            "actions/upload-artifact" => self.upload(
                given("name"),
                Path::new(given("path")),
                given("overwrite") == "true",
            ),
            "actions/download-artifact" => {
                self.download(given("name"), given("pattern"), Path::new(given("path")))
            }
            "actions/attest" => !given("subject-path").is_empty(),
            other => panic!("nobody plays {other}"),
        };
        (fine, Map::new())
    }

    /// A composite action of the repository.
    fn action(
        &mut self,
        folder: &str,
        with: BTreeMap<String, String>,
    ) -> (bool, Map<String, Value>) {
        let file = self.workspace.join(folder).join("action.yml");
        let Ok(text_of) = fs::read_to_string(file) else {
            self.log.push_str("there is no such action\n");
            return (false, Map::new());
        };
        let action = read(&text_of);
        let mut inputs = self.filled(&Value::Object(
            action["inputs"]
                .as_object()
                .expect("inputs")
                .iter()
                .map(|(name, input)| (name.clone(), input["default"].clone()))
                .collect(),
        ));
        for (name, value) in with {
            assert!(inputs.contains_key(&name), "the action has no input {name}");
            inputs.insert(name, value);
        }
        let before = self.values.clone();
        self.values.insert("inputs".to_owned(), json!(inputs));
        // What is secret reaches it as an input or not at all.
        self.values.remove("secrets");
        let mut told = Vec::new();
        let good = self.steps(&action["runs"]["steps"], &mut told);
        let context = Context {
            values: &self.values,
            success: good,
        };
        let mut outputs = Map::new();
        for (name, output) in action["outputs"].as_object().into_iter().flatten() {
            outputs.insert(name.clone(), fill(text(&output["value"]), &context));
        }
        self.values = before;
        (good, outputs)
    }

    fn checkout(&mut self, whole: bool) -> bool {
        let url = format!("file://{}", self.host.repository().display());
        let mut fetch = vec!["fetch", "--quiet", "--no-tags"];
        if !whole {
            fetch.push("--depth=1");
        }
        let branches = "+refs/heads/*:refs/remotes/origin/*";
        fetch.extend([url.as_str(), self.event.sha.as_str()]);
        if whole {
            fetch.push(branches);
        }
        for arguments in [
            &["init", "--quiet"][..],
            &fetch,
            &["checkout", "--quiet", "--detach", &self.event.sha],
        ] {
            git(&self.workspace, arguments);
        }
        true
    }

    fn upload(&mut self, name: &str, from: &Path, overwrite: bool) -> bool {
        let to = self.host.artifacts(self.run).join(name);
        assert!(
            !name.is_empty() && !name.contains(['/', '\\', ':']),
            "{name}"
        );
        if to.exists() {
            if !overwrite {
                return false;
            }
            fs::remove_dir_all(&to).expect("removed");
        }
        copy(from, &to) > 0
    }

    fn download(&mut self, name: &str, pattern: &str, to: &Path) -> bool {
        let all = self.host.artifacts(self.run);
        if !name.is_empty() {
            return copy(&all.join(name), to) > 0;
        }
        let begins = pattern.strip_suffix('*').expect("a pattern");
        for found in self.host.artifact_names(self.run) {
            if found.starts_with(begins) {
                copy(&all.join(&found), &to.join(&found));
            }
        }
        true
    }
}

/// Copies a folder; how many files were in it.
pub fn copy(from: &Path, to: &Path) -> usize {
    let Ok(entries) = fs::read_dir(from) else {
        return 0;
    };
    fs::create_dir_all(to).expect("made");
    let mut files = 0;
    for entry in entries {
        let path = entry.expect("readable").path();
        let at = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            files += copy(&path, &at);
        } else {
            fs::copy(&path, &at).expect("copied");
            files += 1;
        }
    }
    files
}

/// Runs git as somebody.
pub fn git(dir: &Path, arguments: &[&str]) -> String {
    let done = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git runs");
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "git {arguments:?}: {err}");
    String::from_utf8(done.stdout)
        .expect("text")
        .trim()
        .to_owned()
}
