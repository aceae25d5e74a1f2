//! The workflows that `init --ci` writes, and their steps executed: `scripts/workflows` runs what is ignored here,
//! since it needs git, bash, curl, jq and tar.

mod code_host;
mod expression;
mod runner;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use rolecall_server::SeedAccount;
use rolecall_standins::{Running, serve};
use serde_json::{Value, json};

use crate::stage::{HEAD, ORG, PAYMENTS, SEAL_KEY, Stage};
use code_host::CodeHost;
use runner::{Event, Host, Run, git};

const PLAN: &str = ".github/workflows/rolecall-plan.yml";
const APPLY: &str = ".github/workflows/rolecall-apply.yml";
const NIGHTLY: &str = ".github/workflows/rolecall-nightly.yml";

/// The archive for this machine, as the action calls it.
fn archive() -> String {
    let os = match std::env::consts::OS {
        "macos" => "apple-darwin",
        _ => "unknown-linux-musl",
    };
    format!("rolecall-{}-{os}.tar.gz", std::env::consts::ARCH)
}

/// An account of the space.
fn account(name: &str, roles: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = [{roles}]\n\n  \
         credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n"
    )
}

/// A configuration of a stack of its own.
fn stack(id: &str, rest: &str) -> String {
    HEAD.replace("k7m2q9ta", id) + rest
}

/// A pull request as the host keeps it.
#[derive(Clone, Debug)]
struct Pull {
    number: u64,
    head: String,
    /// What a merge would make.
    merge: String,
}

/// A company with a platform, a code host, a repository and somebody who works in it.
struct Company {
    stage: Stage,
    host: Host,
    api: Running<CodeHost>,
    clone: PathBuf,
    pulls: u64,
}

impl Company {
    /// A repository with the configurations, and the workflows of a form.
    fn new(form: &str, files: &[(&str, &str)]) -> Self {
        Self::with(form, files, include_str!("program.sh"))
    }

    fn with(form: &str, files: &[(&str, &str)], program: &str) -> Self {
        let stage = Stage::small();
        let dir = tempfile::tempdir().expect("a folder");
        let api = serve(CodeHost::default(), ([127, 0, 0, 1], 0).into()).expect("served");
        let owner = fs::read(stage.path("owner.json")).expect("there");
        let login = base64::engine::general_purpose::STANDARD.encode(owner);
        let login = ("MONDOO_CONFIG_BASE64".to_owned(), login);
        let seal = ("ROLECALL_SEAL_KEY".to_owned(), SEAL_KEY.to_owned());
        let host = Host {
            api: api.url.clone(),
            secrets: [
                ("rolecall-plan".to_owned(), [login.clone()].into()),
                (
                    "rolecall-apply".to_owned(),
                    [login.clone(), seal.clone()].into(),
                ),
                ("rolecall-rotate".to_owned(), [login, seal].into()),
            ]
            .into(),
            runs: 0,
            cancelled: Default::default(),
            dir,
        };
        let server = host.repository();
        fs::create_dir_all(&server).expect("made");
        git(&server, &["init", "--quiet", "--bare"]);
        git(
            &server,
            &["config", "uploadpack.allowAnySHA1InWant", "true"],
        );
        release(host.dir.path(), program);
        let clone = host.dir.path().join("clone");
        fs::create_dir(&clone).expect("made");
        git(&clone, &["init", "--quiet"]);
        let company = Self {
            stage,
            host,
            api,
            clone,
            pulls: 0,
        };
        for (path, text) in files {
            company.write(path, Some(text));
        }
        let release = format!(
            "file://{}",
            company.host.dir.path().join("release").display()
        );
        let sums = company.host.dir.path().join("release/SHA256SUMS");
        let done = company.rolecall(&[
            "init",
            "--ci",
            "github",
            "--form",
            form,
            "--release",
            &release,
            "--sums",
            sums.to_str().expect("text"),
            "access",
        ]);
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        company.commit("Begin");
        company.push("HEAD:refs/heads/main");
        company
    }

    fn rolecall(&self, arguments: &[&str]) -> Output {
        let mut command = self.stage.command(arguments);
        command.current_dir(&self.clone).output().expect("runs")
    }

    /// Writes a file of the clone, or removes it.
    fn write(&self, path: &str, text: Option<&str>) {
        let path = self.clone.join(path);
        match text {
            Some(text) => {
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                fs::write(path, text).expect("written");
            }
            None => fs::remove_file(path).expect("removed"),
        }
    }

    fn commit(&self, message: &str) -> String {
        git(&self.clone, &["add", "--all"]);
        git(&self.clone, &["commit", "--quiet", "--message", message]);
        git(&self.clone, &["rev-parse", "HEAD"])
    }

    fn push(&self, what: &str) {
        let server = self.host.repository();
        let url = format!("file://{}", server.display());
        git(&self.clone, &["push", "--quiet", "--force", &url, what]);
    }

    fn main(&self) -> String {
        git(&self.host.repository(), &["rev-parse", "refs/heads/main"])
    }

    /// Opens a pull request that changes files.
    fn pull(&mut self, files: &[(&str, Option<&str>)]) -> Pull {
        self.pulls += 1;
        let number = self.pulls;
        let main = self.main();
        git(&self.clone, &["checkout", "--quiet", "--detach", &main]);
        for (path, text) in files {
            self.write(path, *text);
        }
        let head = self.commit(&format!("Change {number}"));
        self.push(&format!("HEAD:refs/pull/{number}/head"));
        self.mergeable(number, head)
    }

    /// Makes what a merge of a pull request into main as it is now would be.
    fn mergeable(&self, number: u64, head: String) -> Pull {
        let main = self.main();
        git(&self.clone, &["checkout", "--quiet", "--detach", &main]);
        git(
            &self.clone,
            &["merge", "--quiet", "--no-ff", "--message", "Merge", &head],
        );
        let merge = git(&self.clone, &["rev-parse", "HEAD"]);
        self.push(&format!("HEAD:refs/pull/{number}/merge"));
        Pull {
            number,
            head,
            merge,
        }
    }

    /// A file of a commit.
    fn file(&self, commit: &str, path: &str) -> String {
        git(
            &self.host.repository(),
            &["show", &format!("{commit}:{path}")],
        ) + "\n"
    }

    /// Runs the plan of a pull request of somebody who may push, or of a fork.
    fn planned(&mut self, pull: &Pull, fork: bool) -> Run {
        let payload = json!({"pull_request": {
            "number": pull.number,
            "head": {"sha": pull.head, "repo": {"id": if fork { 9 } else { 1003 }}},
            "user": {"login": "ann"},
        }});
        // Whose file runs is the event's affair.
        let main = self.main();
        let of_the_pull = !self.file(&main, PLAN).contains("\n  pull_request_target:");
        let event = match of_the_pull {
            true => Event {
                name: "pull_request",
                reference: format!("refs/pull/{}/merge", pull.number),
                sha: pull.merge.clone(),
                payload,
                inputs: json!({}),
            },
            false => Event {
                name: "pull_request_target",
                reference: "refs/heads/main".to_owned(),
                sha: main,
                payload,
                inputs: json!({}),
            },
        };
        let file = self.file(&event.sha, PLAN);
        self.run(&file, &event, None)
    }

    /// Merges a pull request, and runs the apply of that push.
    fn merged(&mut self, pull: &Pull) -> (Run, Event) {
        let before = self.main();
        git(
            &self.host.repository(),
            &["update-ref", "refs/heads/main", &pull.merge],
        );
        let event = Event {
            name: "push",
            reference: "refs/heads/main".to_owned(),
            sha: pull.merge.clone(),
            payload: json!({"before": before}),
            inputs: json!({}),
        };
        let file = self.file(&event.sha, APPLY);
        (self.run(&file, &event, None), event)
    }

    /// Starts a workflow of main by hand.
    fn started(&mut self, path: &str, inputs: Value) -> Run {
        let sha = self.main();
        let event = Event {
            name: "workflow_dispatch",
            reference: "refs/heads/main".to_owned(),
            sha: sha.clone(),
            payload: json!({"inputs": inputs}),
            inputs,
        };
        let file = self.file(&sha, path);
        self.run(&file, &event, None)
    }

    fn run(&mut self, file: &str, event: &Event, again: Option<&Run>) -> Run {
        let run = self.host.run(file, event, again);
        let log = run.log();
        // Nothing secret is in what a run prints.
        for secret in self.host.secrets.values().flat_map(|all| all.values()) {
            assert!(!log.contains(secret.as_str()), "{log}");
        }
        assert!(!log.contains("ghs_the-jobs-own"), "{log}");
        run
    }

    /// The names of the accounts that are live, without the owner's.
    fn live(&self) -> Vec<String> {
        let dump = self.stage.app.dump().expect("a dump");
        let accounts = dump["accounts"].as_array().expect("a list");
        let names = accounts
            .iter()
            .filter_map(|account| account["name"].as_str());
        let mut names: Vec<String> = names
            .filter(|name| *name != "platform owner")
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    }

    /// Somebody sets the role of an account by hand, which the audit log says.
    fn by_hand(&self, name: &str, role: &str) {
        let dump = self.stage.app.dump().expect("a dump");
        let accounts = dump["accounts"].as_array().expect("a list");
        let account = accounts.iter().find(|account| account["name"] == name);
        let update = json!({
            "entityMrn": account.expect("live")["mrn"],
            "roles": [{"mrn": format!("//iam.api.mondoo.app/roles/{role}")}],
        });
        let body = json!({
            "query": "mutation($input: SetRolesInput!) { setRoles(input: $input) { errors } }",
            "variables": {"input": {"scopeMrn": PAYMENTS, "updates": [update]}},
        });
        let who = Some("Bearer the-text-of-a-token");
        let now = jiff::Timestamp::now();
        let (status, _) = self
            .stage
            .app
            .serve_bytes(who, body.to_string().as_bytes(), now);
        assert_eq!(status, 200);
    }

    fn status(&self, pull: &Pull) -> Option<String> {
        self.api
            .with(|host| host.status(&pull.head).map(str::to_owned))
    }
}

/// Puts an archive with a program where jobs fetch it.
fn release(dir: &Path, program: &str) {
    let folder = dir.join("release");
    let state = dir.join("state");
    fs::create_dir_all(&folder).expect("made");
    fs::create_dir_all(&state).expect("made");
    let path = folder.join("rolecall");
    let text = program
        .replace("@PROGRAM@", env!("CARGO_BIN_EXE_rolecall"))
        .replace("@STATE@", state.to_str().expect("text"));
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("changed");
    let name = archive();
    for (program, arguments) in [
        ("tar", &["-czf", &name, "rolecall"][..]),
        ("sh", &["-c", "sha256sum *.tar.gz > SHA256SUMS"]),
    ] {
        let done = Command::new(program)
            .args(arguments)
            .current_dir(&folder)
            .status();
        assert!(done.expect("runs").success(), "{program}");
    }
}

fn one(rest: &str) -> String {
    stack("k7m2q9ta", rest)
}

#[test]
#[ignore = "scripts/workflows"]
fn by_hand_a_person_starts_what_the_plan_after_the_merge_says() {
    let mut company = Company::new("by-hand", &[("access/main.hcl", &one(""))]);
    let pull = company.pull(&[("access/main.hcl", Some(&one(&account("ci", "\"agent\""))))]);
    let run = company.planned(&pull, false);
    let green = [
        ("look", "success"),
        ("plan (access)", "success"),
        ("gate", "success"),
    ];
    assert_eq!(run.results(), green, "{}", run.log());
    assert_eq!(company.status(&pull).as_deref(), Some("success"));
    assert_eq!(company.live(), [""; 0], "a plan writes nothing");
    assert!(run.job("plan (access)").log.contains("1 to create"));
    let said = company.api.with(|host| host.comments.clone());
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].0, pull.number);

    let (run, _) = company.merged(&pull);
    let ends = [
        ("look", "success"),
        ("apply", "skipped"),
        ("plan (access)", "success"),
    ];
    assert_eq!(run.results(), ends, "{}", run.log());
    assert_eq!(company.live(), [""; 0]);
    let digest = digest(&run.log());
    let wrong = json!({"directory": "access", "digest": "0".repeat(64)});
    let run = company.started(APPLY, wrong);
    assert_eq!(run.job("apply (access)").result, "failure");
    assert_eq!(run.job("apply (access)").outputs.len(), 0);
    assert_eq!(company.live(), [""; 0]);
    let run = company.started(APPLY, json!({"directory": "access/", "digest": digest}));
    let ends = [
        ("look", "success"),
        ("apply (access)", "success"),
        ("plan", "skipped"),
    ];
    assert_eq!(run.results(), ends, "{}", run.log());
    assert_eq!(company.live(), ["ci"]);
    let run = company.started(APPLY, json!({"directory": "elsewhere", "digest": digest}));
    assert_eq!(run.job("look").result, "failure");
}

/// The digest that a plan in a log has.
fn digest(log: &str) -> String {
    let (_, rest) = log.split_once("sha256:").expect("a digest");
    rest.chars().take_while(char::is_ascii_hexdigit).collect()
}

#[test]
#[ignore = "scripts/workflows"]
fn strict_what_reviewers_let_through_is_applied_and_a_second_start_finishes_it() {
    let mut company = Company::new(
        "strict",
        &[
            ("access/main.hcl", &one("")),
            ("team/main.hcl", &stack("aaaaaaaa", "")),
        ],
    );
    let pull = company.pull(&[("access/main.hcl", Some(&one(&account("ci", "\"agent\""))))]);
    let run = company.planned(&pull, false);
    assert_eq!(run.job("gate").result, "success", "{}", run.log());
    assert!(
        !run.results().iter().any(|(name, _)| name.contains("team")),
        "unchanged"
    );
    // Reviewers let nothing through for now.
    company.host.cancelled.insert("apply (access)".to_owned());
    let (run, event) = company.merged(&pull);
    let ends = [
        ("look", "success"),
        ("plan (access)", "success"),
        ("due", "success"),
        ("apply (access)", "cancelled"),
    ];
    assert_eq!(run.results(), ends, "{}", run.log());
    assert_eq!(company.live(), [""; 0]);
    company.host.cancelled.clear();
    let file = company.file(&event.sha, APPLY);
    let again = company.run(&file, &event, Some(&run));
    assert_eq!(
        again.job("apply (access)").result,
        "success",
        "{}",
        again.log()
    );
    assert_eq!(company.live(), ["ci"]);
    // What is as declared asks nobody.
    let pull = company.pull(&[("access/notes.hcl", Some("# nothing\n"))]);
    let (run, _) = company.merged(&pull);
    let ends = [
        ("look", "success"),
        ("plan (access)", "success"),
        ("due", "success"),
        ("apply", "skipped"),
    ];
    assert_eq!(run.results(), ends, "{}", run.log());
}

#[test]
#[ignore = "scripts/workflows"]
fn strict_what_moved_after_the_plan_is_not_applied() {
    let text = one(&account("ci", "\"agent\""));
    let mut company = Company::new("strict", &[("access/main.hcl", &one(""))]);
    let pull = company.pull(&[("access/main.hcl", Some(&text))]);
    company.host.cancelled.insert("apply (access)".to_owned());
    let (run, event) = company.merged(&pull);
    company.host.cancelled.clear();
    let taken = SeedAccount {
        name: "ci".to_owned(),
        roles: vec!["viewer".to_owned()],
        ..SeedAccount::default()
    };
    let now = jiff::Timestamp::now();
    let made = company
        .stage
        .app
        .admin_create_account(PAYMENTS, &taken, now);
    made.expect("created");
    let file = company.file(&event.sha, APPLY);
    let again = company.run(&file, &event, Some(&run));
    assert_eq!(
        again.job("apply (access)").result,
        "failure",
        "{}",
        again.log()
    );
    assert_eq!(company.live(), ["ci"], "theirs alone");
}

#[test]
#[ignore = "scripts/workflows"]
fn strict_a_guard_is_lifted_by_who_starts_the_apply_and_not_by_the_merge() {
    let text = one(&account("ci", "\"agent\""));
    let limits = format!("{text}limits {{\n  max_escalations = 0\n}}\n");
    let mut company = Company::new("strict", &[("access/main.hcl", &one(""))]);
    let pull = company.pull(&[("access/main.hcl", Some(&limits))]);
    let run = company.planned(&pull, false);
    let plan = run.job("plan (access)");
    assert_eq!(plan.result, "failure", "{}", run.log());
    assert!(
        plan.steps.contains(&("Comment".to_owned(), "success")),
        "{:?}",
        plan.steps
    );
    assert_eq!(run.job("gate").result, "failure");
    assert_eq!(company.status(&pull).as_deref(), Some("failure"));
    let (run, _) = company.merged(&pull);
    assert_eq!(run.job("apply").result, "skipped", "{}", run.log());
    let ack = format!("max-escalations={}", digest(&run.log()));
    let run = company.started(APPLY, json!({"directory": "access", "ack": ack}));
    assert_eq!(run.job("apply (access)").result, "success", "{}", run.log());
    assert_eq!(company.live(), ["ci"]);
    // A new key for it, as its one change.
    let run = company.started(
        APPLY,
        json!({"directory": "access", "replace": "service_account.ci"}),
    );
    assert!(
        run.job("plan (access)").log.contains("to rotate") || run.log().contains("new key"),
        "{}",
        run.log()
    );
}

#[test]
#[ignore = "scripts/workflows"]
fn a_verdict_is_what_the_apply_rests_on() {
    let mut company = Company::new("verdict", &[("access/main.hcl", &one(""))]);
    let pull = company.pull(&[
        ("access/main.hcl", Some(&one(&account("ci", "\"agent\"")))),
        // What the pull request says of workflows and of the program is nobody's affair.
        (PLAN, Some("on: push\njobs: {}\n")),
        (
            ".github/actions/rolecall/action.yml",
            Some("runs: {using: composite, steps: []}\n"),
        ),
    ]);
    let run = company.planned(&pull, false);
    let green = [
        ("look", "success"),
        ("plan (access)", "success"),
        ("gate", "success"),
    ];
    assert_eq!(run.results(), green, "{}", run.log());
    let names = company.host.artifact_names(run.id);
    let begins = format!("rolecall-{}-{}-", pull.number, &pull.head[..12]);
    assert!(
        names.len() == 1 && names[0].starts_with(&begins),
        "{names:?}"
    );
    let plan = run.job("plan (access)");
    assert!(
        plan.steps
            .contains(&("Attest the verdict".to_owned(), "success"))
    );
    // Only the change of the configuration is merged in what follows.
    let pull = company.pull(&[("access/main.hcl", Some(&one(&account("ci", "\"agent\""))))]);
    let run = company.planned(&pull, false);
    let (unapproved, event) = company.merged(&pull);
    assert_eq!(
        unapproved.job("apply (access)").result,
        "failure",
        "{}",
        unapproved.log()
    );
    assert_eq!(company.live(), [""; 0]);
    let evidence = company.host.dir.path().join(format!(
        "artifacts/{}/{}",
        run.id,
        company.host.artifact_names(run.id)[0]
    ));
    let approved = company.host.dir.path().join("state/approved");
    let line = format!("{} {} {}\n", pull.number, pull.head, evidence.display());
    fs::write(&approved, &line).expect("written");
    let file = company.file(&event.sha, APPLY);
    let applied = company.run(&file, &event, None);
    assert_eq!(
        applied.job("apply (access)").result,
        "success",
        "{}",
        applied.log()
    );
    assert_eq!(company.live(), ["ci"]);
    // Another plan than the one that was judged: nothing, and the pull request is told.
    let pull = company.pull(&[("access/main.hcl", Some(&one(&account("ci", "\"viewer\""))))]);
    let line = line.replacen("2 ", &format!("{} ", pull.number), 1);
    fs::write(&approved, line).expect("written");
    let (run, _) = company.merged(&pull);
    assert_eq!(run.job("apply (access)").result, "failure", "{}", run.log());
    let said = company.api.with(|host| host.comments.last().cloned());
    let (number, text) = said.expect("told");
    assert!(
        number == pull.number && text.contains("merged and not applied"),
        "{text}"
    );
}

#[test]
#[ignore = "scripts/workflows"]
fn a_fork_is_validated_and_a_maintainer_plans_it_by_its_number() {
    for form in ["by-hand", "verdict"] {
        let mut company = Company::new(form, &[("access/main.hcl", &one(""))]);
        let text = one(&account("ci", "\"agent\""));
        let pull = company.pull(&[("access/main.hcl", Some(&text))]);
        let run = company.planned(&pull, true);
        let ends = [
            ("look", "success"),
            ("plan", "skipped"),
            ("gate", "failure"),
        ];
        assert_eq!(run.results(), ends, "{form}: {}", run.log());
        assert_eq!(company.status(&pull), None, "its token may not write");
        let how = format!("-f number={}", pull.number);
        assert!(
            run.job("look").summary.contains(&how),
            "{}",
            run.job("look").summary
        );
        let run = company.started(PLAN, json!({"number": pull.number}));
        let green = [
            ("look", "success"),
            ("plan (access)", "success"),
            ("gate", "success"),
        ];
        assert_eq!(run.results(), green, "{form}: {}", run.log());
        assert_eq!(company.status(&pull).as_deref(), Some("success"));
        // One that is wrong fails without any secret.
        let pull = company.pull(&[("access/main.hcl", Some("rolecall {"))]);
        let run = company.planned(&pull, true);
        assert_eq!(run.job("look").result, "failure");
    }
}

#[test]
#[ignore = "scripts/workflows"]
fn green_means_judged() {
    let all = [
        ("a/main.hcl", stack("aaaaaaaa", "")),
        ("access/main.hcl", one("")),
        ("c/main.hcl", stack("cccccccc", "")),
    ];
    let files: Vec<(&str, &str)> = all
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let mut company = Company::new("by-hand", &files);
    // Nothing of access changed.
    let pull = company.pull(&[("README.md", Some("hello\n"))]);
    let run = company.planned(&pull, false);
    let ends = [
        ("look", "success"),
        ("plan", "skipped"),
        ("gate", "success"),
    ];
    assert_eq!(run.results(), ends, "{}", run.log());
    assert_eq!(company.status(&pull).as_deref(), Some("success"));
    // One of three plans fails: its space is not there.
    let gone = stack("cccccccc", "").replace("amazing-hofstadter-175565", "gone-1234");
    let pull = company.pull(&[
        (
            "a/main.hcl",
            Some(&stack("aaaaaaaa", &account("one", "\"viewer\""))),
        ),
        ("access/main.hcl", Some(&one(&account("two", "\"viewer\"")))),
        (
            "c/main.hcl",
            Some(&(gone + &account("three", "\"viewer\""))),
        ),
    ]);
    let run = company.planned(&pull, false);
    assert_eq!(run.job("plan (a)").result, "success", "{}", run.log());
    assert_eq!(run.job("plan (c)").result, "failure");
    assert_eq!(run.job("gate").result, "failure");
    assert_eq!(company.status(&pull).as_deref(), Some("failure"));
    // A plan is cancelled.
    let pull = company.pull(&[("access/main.hcl", Some(&one(&account("two", "\"viewer\""))))]);
    company.host.cancelled.insert("plan (access)".to_owned());
    let run = company.planned(&pull, false);
    assert_eq!(run.job("gate").result, "failure", "{}", run.log());
    company.host.cancelled.clear();
    // The configurations cannot be listed.
    let nothing: Vec<(&str, Option<&str>)> = files.iter().map(|(path, _)| (*path, None)).collect();
    let pull = company.pull(&nothing);
    company.host.cancelled.insert("look".to_owned());
    let run = company.planned(&pull, false);
    assert_eq!(run.job("gate").result, "failure", "{}", run.log());
    assert_eq!(company.status(&pull).as_deref(), Some("failure"));
    company.host.cancelled.clear();
    // A head that has moved on since the event.
    let mut pull = company.pull(&[("a/main.hcl", Some(&stack("aaaaaaaa", "# once\n")))]);
    let moved = company.mergeable(pull.number, company.main());
    assert_ne!(moved.merge, pull.merge);
    pull.head = "0".repeat(40);
    let run = company.planned(&pull, false);
    assert_eq!(run.job("look").result, "failure", "{}", run.log());
}

#[test]
#[ignore = "scripts/workflows"]
fn a_directory_that_is_deleted_is_red_while_something_lives_there() {
    let team = stack("bbbbbbbb", &account("six", "\"viewer\""));
    let mut company = Company::new(
        "strict",
        &[
            ("access/main.hcl", &one("")),
            ("team-b/main.hcl", &stack("bbbbbbbb", "")),
        ],
    );
    let pull = company.pull(&[("team-b/main.hcl", Some(&team))]);
    let (run, _) = company.merged(&pull);
    assert_eq!(run.job("apply (team-b)").result, "success", "{}", run.log());
    let pull = company.pull(&[("team-b/main.hcl", None)]);
    let run = company.planned(&pull, false);
    assert_eq!(run.job("gate").result, "failure", "{}", run.log());
    assert!(
        run.job("plan (team-b)").log.contains("six"),
        "{}",
        run.log()
    );
    assert_eq!(company.live(), ["six"]);
}

#[test]
#[ignore = "scripts/workflows"]
fn only_a_night_that_has_read_everything_closes_the_issue_of_a_configuration() {
    let files = |rest: &str| {
        [
            ("a/main.hcl", stack("aaaaaaaa", rest)),
            ("access/main.hcl", one(rest)),
        ]
    };
    let of = |name: &str| account(name, "\"viewer\"");
    let all = files("");
    let mut company = Company::new(
        "strict",
        &all.each_ref().map(|(path, text)| (*path, text.as_str())),
    );
    let pull = company.pull(&[
        ("a/main.hcl", Some(&stack("aaaaaaaa", &of("one")))),
        ("access/main.hcl", Some(&one(&of("two")))),
    ]);
    let (run, _) = company.merged(&pull);
    assert_eq!(run.job("apply (access)").result, "success", "{}", run.log());
    // A person has written an issue with our mark.
    company
        .api
        .with(|host| host.of_a_person("<!-- rolecall check: access -->\nmine"));
    let open = |company: &Company| {
        company.api.with(|host| {
            host.open()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        })
    };
    let night = |company: &mut Company| company.started(NIGHTLY, json!({}));
    let run = night(&mut company);
    assert_eq!(run.job("check (access)").result, "success", "{}", run.log());
    assert_eq!(open(&company), [""; 0]);
    // Somebody changes a role by hand.
    let token = company.stage.app.admin_create_token(
        ORG,
        "somebody",
        "the-text-of-a-token",
        &["owner"],
        jiff::Timestamp::now(),
    );
    token.expect("a token");
    company.by_hand("two", "editor");
    let run = night(&mut company);
    assert_eq!(run.job("check (access)").result, "failure", "{}", run.log());
    let drift = ["rolecall: drift in access"];
    assert_eq!(open(&company), drift);
    let body = company
        .api
        .with(|host| host.issues[1]["body"].as_str().map(str::to_owned));
    let body = body.expect("a text");
    assert!(
        body.contains("service_account.two") && body.contains("drifted: 1"),
        "{body}"
    );
    // The same again writes no second one.
    night(&mut company);
    assert_eq!(open(&company), drift);
    // It is put right. Its check is skipped, then fails to log in: nobody has looked.
    company.by_hand("two", "viewer");
    company.host.cancelled.insert("check (access)".to_owned());
    night(&mut company);
    company.host.cancelled.clear();
    assert_eq!(open(&company), drift);
    let login = company
        .host
        .secrets
        .get_mut("rolecall-plan")
        .expect("there");
    let kept = login.insert("MONDOO_CONFIG_BASE64".to_owned(), "bm90aGluZw==".to_owned());
    night(&mut company);
    assert_eq!(open(&company), drift);
    let told = company
        .api
        .with(|host| host.comments.last().cloned())
        .expect("told");
    assert!(
        told.1.contains("could not look at all of it (exit code 1)"),
        "{told:?}"
    );
    let login = company
        .host
        .secrets
        .get_mut("rolecall-plan")
        .expect("there");
    login.insert("MONDOO_CONFIG_BASE64".to_owned(), kept.expect("there"));
    let run = night(&mut company);
    assert_eq!(
        run.job("rotate (access)").result,
        "success",
        "{}",
        run.log()
    );
    assert_eq!(open(&company), [""; 0]);
    let persons = company.api.with(|host| host.issues[0].clone());
    assert_eq!(persons["state"], "open");
    assert_eq!(persons["body"], "<!-- rolecall check: access -->\nmine");
}

#[test]
#[ignore = "scripts/workflows"]
fn a_program_that_is_not_the_one_of_the_checksum_never_runs() {
    let mut company = Company::new("by-hand", &[("access/main.hcl", &one(""))]);
    let pull = company.pull(&[("access/main.hcl", Some(&one("# changed\n")))]);
    release(company.host.dir.path(), "#!/bin/sh\necho stolen\n");
    let run = company.planned(&pull, false);
    assert_eq!(run.job("look").result, "failure");
    let log = run.log();
    assert!(
        log.contains("is not what it was") && !log.contains("stolen"),
        "{log}"
    );
}

/// A program that ends as it is told, and the codes that rolecall has.
const ENDS: &str = "#!/bin/sh\ncase \"$1\" in --version) exit 0 ;; esac\necho \"$@\"\nexit $(cat '@STATE@/code')\n";
const CODES: [i32; 7] = [0, 1, 2, 3, 4, 5, 64];

#[test]
#[ignore = "scripts/workflows"]
fn the_action_keeps_the_exit_code_and_fails_for_all_but_none_and_a_plans_changes() {
    let mut company = Company::with("by-hand", &[("access/main.hcl", &one(""))], ENDS);
    for command in ["validate", "plan", "comment", "check", "apply"] {
        let file = format!(
            "permissions: {{}}\ndefaults: {{run: {{shell: bash}}}}\njobs:\n  it:\n    timeout-minutes: 5\n    permissions: {{contents: read}}\n    \
             outputs:\n      exitcode: ${{{{ steps.it.outputs.exitcode }}}}\n    steps:\n      - uses: \
             actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1\n        with: {{persist-credentials: false}}\n      - \
             uses: ./.github/actions/rolecall\n        id: it\n        with:\n          command: {command}\n          directory: access\n          \
             plan: plan.json\n"
        );
        for code in CODES {
            let state = company.host.dir.path().join("state/code");
            fs::write(state, code.to_string()).expect("written");
            let sha = company.main();
            let event = Event {
                name: "push",
                reference: "refs/heads/main".to_owned(),
                sha,
                payload: json!({}),
                inputs: json!({}),
            };
            let run = company.run(&file, &event, None);
            let job = run.job("it");
            assert_eq!(
                job.outputs["exitcode"],
                code.to_string(),
                "{command}: {}",
                job.log
            );
            let fine = code == 0 || (command == "plan" && code == 2);
            assert_eq!(
                job.result == "success",
                fine,
                "{command} {code}: {}",
                job.log
            );
        }
    }
}

#[test]
fn the_scripts_end_as_the_program_does() {
    let stage = Stage::small();
    let run = stage
        .command(&["init", "--ci", "shell", "."])
        .output()
        .expect("runs");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let tools = tempfile::tempdir().expect("a folder");
    let program = tools.path().join("rolecall");
    fs::write(
        &program,
        "#!/bin/sh\necho \"$@\"\ncase \"$1\" in validate) exit \"$VALID\" ;; esac\nexit \"$CODE\"\n",
    )
    .expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("changed");
    let call = |shell: &[&str], script: &str, given: &[&str], code: i32, valid: i32| {
        let path = format!("{}:/usr/bin:/bin", tools.path().display());
        let mut command = Command::new(shell[0]);
        command
            .args(&shell[1..])
            .arg(script)
            .args(given)
            .current_dir(stage.dir.path())
            .env_clear()
            .env("PATH", path)
            .env("CODE", code.to_string())
            .env("VALID", valid.to_string())
            .stdin(Stdio::null());
        let done = command.output().expect("a shell");
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned(),
        )
    };
    let digest = "0".repeat(64);
    fs::write(stage.path("plan.json"), "{}").expect("written");
    for shell in [
        &["sh"][..],
        &["sh", "-e"],
        &["bash", "-e"],
        &["bash", "-eo", "pipefail"],
    ] {
        for code in CODES {
            for (script, given, says) in [
                (
                    "ci/rolecall-plan.sh",
                    vec!["access"],
                    "plan --detailed-exitcode --out rolecall-out/plan.json",
                ),
                (
                    "ci/rolecall-apply.sh",
                    vec![digest.as_str(), "access", "--ack", "a b"],
                    "--digest 000",
                ),
                (
                    "ci/rolecall-apply.sh",
                    vec!["plan.json", "access"],
                    "--plan plan.json access",
                ),
                (
                    "ci/rolecall-check.sh",
                    vec!["access"],
                    "check --allow-unmanaged",
                ),
            ] {
                let (ended, said) = call(shell, script, &given, code, 0);
                assert_eq!(ended, Some(code), "{shell:?} {script}: {said}");
                assert!(said.contains(says), "{said}");
            }
        }
        let (ended, said) = call(shell, "ci/rolecall-plan.sh", &["access"], 0, 1);
        assert_eq!(ended, Some(1), "{said}");
        assert!(!said.contains("plan --detailed"), "{said}");
        for script in ["plan", "apply", "check"] {
            let script = format!("ci/rolecall-{script}.sh");
            assert_eq!(call(shell, &script, &[], 0, 0).0, Some(64), "{script}");
        }
    }
    for script in ["plan", "apply", "check"] {
        let path = stage.path(&format!("ci/rolecall-{script}.sh"));
        let mode = fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode & 0o100, 0o100, "{script} is a program");
    }
}

/// From an empty repository to the first merged change: what somebody types in the first hour, and nothing else.
#[test]
#[ignore = "scripts/workflows"]
fn the_first_hour_in_a_company() {
    let stage = Stage::new();
    let token = rolecall_standins::github::TOKEN;
    let mut github = rolecall_standins::github::Github::by_the_clock();
    github.repository("acme/access");
    let github = serve(github, ([127, 0, 0, 1], 0).into()).expect("served");
    let dir = tempfile::tempdir().expect("a folder");
    release(dir.path(), include_str!("program.sh"));
    let sums = dir.path().join("release/SHA256SUMS");
    let address = format!("file://{}", dir.path().join("release").display());
    let clone = dir.path().join("clone");
    fs::create_dir(&clone).expect("made");
    git(&clone, &["init", "--quiet"]);
    let owner = stage.path("owner.json");
    let bootstrap = |more: &[&str]| {
        let with = [
            "init",
            "--bootstrap",
            "--repository",
            "acme/access",
            "--credentials",
            owner.to_str().expect("text"),
        ];
        let done = stage
            .command(&[&with, more, &["access"]].concat())
            .current_dir(&clone)
            .env_remove("ROLECALL_SEAL_KEY")
            .env_remove("MONDOO_CONFIG_PATH")
            .env("GITHUB_API_URL", &github.url)
            .env("ROLECALL_GITHUB_TOKEN", token)
            .output()
            .expect("runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    };
    let (code, out, err) = bootstrap(&["--check"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(
        out.contains("missing  the environment rolecall-apply is there"),
        "{out}"
    );
    assert_eq!(github.with(|github| github.count()), 0);
    assert!(!clone.join("access").exists(), "it changes nothing");
    let sums = sums.to_str().expect("text");
    let with = [
        "--yes",
        "--ci",
        "github",
        "--release",
        &address,
        "--sums",
        sums,
    ];
    let (code, out, err) = bootstrap(&with);
    // All but the rules of the branch, which are a person's to set.
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains("3 of "), "{out}{err}");
    let main = fs::read_to_string(clone.join("access/main.hcl")).expect("there");
    assert!(
        main.contains("service_account \"rolecall_apply\""),
        "{main}"
    );
    let key = fs::read_to_string(clone.join("access/seal.key")).expect("there");
    let at = |environment: &str| format!("repos/acme/access/environments/{environment}");
    let held = |environment: &str, name: &str| {
        let value = github.with(|github| github.value(&at(environment), name));
        value.map(|value| String::from_utf8(value).expect("text"))
    };
    assert_eq!(
        held("rolecall-apply", "ROLECALL_SEAL_KEY").as_deref(),
        Some(key.trim())
    );
    assert_eq!(
        held("rolecall-rotate", "ROLECALL_SEAL_KEY").as_deref(),
        Some(key.trim())
    );
    assert_eq!(held("rolecall-plan", "ROLECALL_SEAL_KEY"), None);
    let plans = held("rolecall-plan", "MONDOO_CONFIG_BASE64").expect("a key");
    let applies = held("rolecall-apply", "MONDOO_CONFIG_BASE64").expect("a key");
    assert_ne!(plans, applies);
    assert_eq!(
        held("rolecall-rotate", "MONDOO_CONFIG_BASE64"),
        Some(applies.clone())
    );
    for secret in [key.trim(), &plans, &applies, token] {
        assert!(!out.contains(secret) && !err.contains(secret));
    }
    // What somebody sets by hand, and nothing is missing any more.
    github.with(|github| {
        let rules = json!([
            {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "rolecall"}]}},
            {"type": "pull_request", "parameters": {"required_approving_review_count": 1, "require_last_push_approval": true}},
        ]);
        github.settings.rules.insert("acme/access".to_owned(), rules);
    });
    let (code, out, err) = bootstrap(&["--check"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(!out.contains("missing"), "{out}");
    // Once more changes nothing.
    let (code, out, err) = bootstrap(&["--yes"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("No changes"), "{out}");

    // The repository with what was written, and its first change.
    fs::remove_file(clone.join("access/seal.key")).expect("removed");
    let api = serve(CodeHost::default(), ([127, 0, 0, 1], 0).into()).expect("served");
    let login = |value: &str| ("MONDOO_CONFIG_BASE64".to_owned(), value.to_owned());
    let seal = ("ROLECALL_SEAL_KEY".to_owned(), key.trim().to_owned());
    let writes = ("ROLECALL_GITHUB_TOKEN".to_owned(), token.to_owned());
    let host = Host {
        api: api.url.clone(),
        secrets: [
            ("rolecall-plan".to_owned(), [login(&plans)].into()),
            (
                "rolecall-apply".to_owned(),
                [login(&applies), seal, writes].into(),
            ),
        ]
        .into(),
        runs: 0,
        cancelled: Default::default(),
        dir,
    };
    let server = host.repository();
    fs::create_dir_all(&server).expect("made");
    git(&server, &["init", "--quiet", "--bare"]);
    git(
        &server,
        &["config", "uploadpack.allowAnySHA1InWant", "true"],
    );
    let mut company = Company {
        stage,
        host,
        api,
        clone,
        pulls: 0,
    };
    company.commit("Begin");
    company.push("HEAD:refs/heads/main");
    let (_, rest) = main.split_once("\norganization \"").expect("declared");
    let (organization, _) = rest.split_once('"').expect("named");
    let text = format!(
        "{main}\nsink \"file\" \"kept\" {{\n  directory = \"credentials\"\n  keep      = true\n}}\n\n\
         service_account \"new\" {{\n  scope = organization.{organization}\n  name  = \"new\"\n  roles = [\"viewer\"]\n\n  \
         credential {{\n    deliver_to = [sink.file.kept]\n  }}\n}}\n"
    );
    let pull = company.pull(&[("access/main.hcl", Some(&text))]);
    let run = company.planned(&pull, false);
    assert_eq!(run.job("gate").result, "success", "{}", run.log());
    assert!(
        run.job("plan (access)").log.contains("1 to create"),
        "{}",
        run.log()
    );
    let (run, _) = company.merged(&pull);
    let digest = digest(&run.log());
    let run = company.started(APPLY, json!({"directory": "access", "digest": digest}));
    assert_eq!(run.job("apply (access)").result, "success", "{}", run.log());
    assert!(company.live().contains(&"new".to_owned()));
}

/// What a job of GitLab says, run as its runner does: in a clone, with the job's variables and nothing of this process.
fn gitlab(company: &Company, file: &Value, job: &str, variables: &[(&str, &str)]) -> (i32, String) {
    let job = &file[job];
    assert_eq!(job["extends"], ".rolecall", "{job}");
    let scripts = job["script"].as_array().expect("a script");
    let script: Vec<&str> = scripts.iter().filter_map(Value::as_str).collect();
    let program = company.host.dir.path().join("release");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", program.display());
    let environment = job["environment"]["name"].as_str().unwrap_or_default();
    let secrets = company.host.secrets.get(environment);
    let done = Command::new("bash")
        .args([
            "--noprofile",
            "--norc",
            "-eo",
            "pipefail",
            "-c",
            &script.join("\n"),
        ])
        .current_dir(&company.clone)
        .env_clear()
        .env("PATH", path)
        .env("HOME", company.host.dir.path())
        .env("CI", "true")
        .env("GITLAB_CI", "true")
        .envs(secrets.into_iter().flatten())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let log = text(&done.stdout) + &text(&done.stderr);
    (done.status.code().unwrap_or(-1), log)
}

#[test]
#[ignore = "scripts/workflows"]
fn the_jobs_of_gitlab_plan_apply_check_and_rotate() {
    for form in ["strict", "by-hand"] {
        let company = Company::new(
            "by-hand",
            &[
                ("access/main.hcl", &one("")),
                ("b/main.hcl", &stack("bbbbbbbb", "")),
            ],
        );
        let done = company.rolecall(&["init", "--ci", "gitlab", "--form", form, "access"]);
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let text = fs::read_to_string(company.clone.join(".gitlab/rolecall.yml")).expect("there");
        let file = runner::read(&text);
        let run = |job: &str, variables: &[(&str, &str)]| gitlab(&company, &file, job, variables);
        assert_eq!(run("rolecall-validate", &[]).0, 0);
        let (code, log) = run("rolecall-plan", &[]);
        assert_eq!(code, 0, "{log}");
        company.write("access/main.hcl", Some(&one(&account("ci", "\"agent\""))));
        company.commit("Change");
        let (code, log) = run("rolecall-plan", &[]);
        assert_eq!(code, 2, "changes: {log}");
        assert_eq!(company.live(), [""; 0]);
        let digest = digest(&log);
        let named = [
            ("ROLECALL_DIRECTORY", "access"),
            ("ROLECALL_DIGEST", digest.as_str()),
        ];
        if form == "by-hand" {
            let (code, log) = run("rolecall-apply", &[]);
            assert_eq!(code, 64, "{log}");
            let other = [named[0], ("ROLECALL_DIGEST", &"0".repeat(64))];
            assert_eq!(run("rolecall-apply", &other).0, 4);
            assert_eq!(company.live(), [""; 0]);
        }
        let (code, log) = run("rolecall-apply", &named);
        assert_eq!(code, 0, "{form}: {log}");
        assert_eq!(company.live(), ["ci"]);
        assert_eq!(run("rolecall-check", &[]).0, 0);
        assert_eq!(run("rolecall-rotate", &[]).0, 0);
        // What is refused stays red, whatever else changes.
        let refused =
            "limits {\n  max_escalations = 0\n}\n".to_owned() + &account("two", "\"agent\"");
        company.write("b/main.hcl", Some(&stack("bbbbbbbb", &refused)));
        company.write("access/main.hcl", Some(&one("")));
        company.commit("Change");
        let (code, log) = run("rolecall-plan", &[]);
        assert_eq!(code, 3, "{log}");
        // A list that cannot be made is no empty one.
        for name in ["access", "b"] {
            fs::remove_dir_all(company.clone.join(name)).expect("removed");
        }
        for job in [
            "rolecall-validate",
            "rolecall-plan",
            "rolecall-check",
            "rolecall-rotate",
        ] {
            assert_eq!(run(job, &[]).0, 1, "{job}");
        }
    }
}
