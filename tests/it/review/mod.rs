//! From a pull request to an apply: the program as jobs run it, and a server that answers as GitHub does, on which
//! people and attackers act.

mod attacks;
mod chain;
mod comments;
mod gates;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use rolecall::model::StackId;
use rolecall::review::{Commit, artifact};
use rolecall_standins::hub::{Hub, JOB, REPOSITORY};
use rolecall_standins::{Running, serve};
use serde_json::Value;

use crate::stage::Stage;

/// The workflow file that makes verdicts and applies.
const WORKFLOW: &str = ".github/workflows/rolecall.yml";
const STACK: &str = "acme-access/k7m2q9ta";
/// The job that makes a verdict.
const PLAN: &str = "plan (access)";

/// A configuration with one account of a role.
fn account(role: &str) -> String {
    format!(
        "service_account \"ci\" {{\n  scope = space.payments\n  name  = \"ci\"\n  roles = \
         [\"{role}\"]\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n"
    )
}

/// Plan files: of a viewer, of an owner, and of all that would be deleted.
struct Plans {
    harmless: Vec<u8>,
    harmful: Vec<u8>,
}

static PLANS: LazyLock<Plans> = LazyLock::new(|| {
    let mut stage = Stage::small();
    let mut plan = |role: &str| {
        stage.configure(&account(role));
        let code = stage.run(&["plan", "--out", "plan.json", "access"]);
        assert!(matches!(code, 0 | 3), "{}", stage.shown());
        fs::read(stage.path("plan.json")).expect("written")
    };
    Plans {
        harmless: plan("viewer"),
        harmful: plan("owner"),
    }
});

/// A repository with its host, and a folder in which jobs work.
struct Scene {
    hub: Running<Hub>,
    dir: tempfile::TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    /// Sees that it ended so, and that it said something.
    fn expect(self, code: i32, said: &str) -> Self {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        assert!(all.contains(said), "{said:?} is not in {all}");
        assert!(!all.contains(JOB), "{all}");
        self
    }
}

impl Scene {
    fn new() -> Self {
        Self::of(Hub::new())
    }

    fn of(hub: Hub) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("harmless.json"), &PLANS.harmless).expect("written");
        fs::write(dir.path().join("harmful.json"), &PLANS.harmful).expect("written");
        let hub = serve(hub, ([127, 0, 0, 1], 0).into()).expect("a port");
        Self { hub, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the program with what a job of GitHub has, and nothing else.
    fn job(&self, arguments: &[&str], more: &[(&str, &str)]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_API_URL", &self.hub.url)
            .env("GITHUB_REPOSITORY", REPOSITORY)
            .env("GITHUB_TOKEN", JOB)
            .envs(more.iter().copied());
        let output = command.output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code().expect("it ended"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Writes the verdict of a plan file as the job of a run does.
    fn verdict(&self, number: u64, plan: &str, run: u64, event: &str, more: &[&str]) -> Ended {
        let head = self.hub.with(|hub| hub.head(number));
        let number = number.to_string();
        let mut arguments = vec![
            "verdict",
            "--plan",
            plan,
            "--number",
            &number,
            "--head",
            &head,
            "--directory",
            "access",
            "--job",
            PLAN,
            "--out",
            "kept",
            "--outputs",
            "outputs",
        ];
        // More may say otherwise.
        if !more.contains(&"--ended") {
            arguments.extend(["--ended", "0"]);
        }
        arguments.extend(more);
        let run = run.to_string();
        self.job(
            &arguments,
            &[
                ("GITHUB_RUN_ID", &run),
                ("GITHUB_RUN_ATTEMPT", "1"),
                ("GITHUB_EVENT_NAME", event),
            ],
        )
    }

    /// What a job kept in a folder is kept by its run.
    fn upload(&self, run: u64, name: &str) -> u64 {
        let file = |name: &str| fs::read(self.path("kept").join(name)).expect("written");
        let (verdict, plan) = (file("verdict.json"), file("plan.json"));
        let files = [
            ("verdict.json", verdict.as_slice()),
            ("plan.json", plan.as_slice()),
        ];
        self.hub.with(|hub| hub.upload(run, name, &files))
    }

    /// The name of the artifact of a request's verdict.
    fn name(&self, number: u64) -> String {
        let head = self.hub.with(|hub| hub.head(number));
        let (name, id) = STACK.split_once('/').expect("two parts");
        let stack = StackId::new(name, id).expect("a stack");
        artifact(number, &Commit::parse(&head).expect("a commit"), &stack)
    }

    /// A run of the default branch's file gives a verdict of a request.
    fn judged(&self, number: u64, plan: &str) -> u64 {
        let event = "pull_request_target";
        let run = self.hub.with(|hub| hub.run(WORKFLOW, event, "main", PLAN));
        self.verdict(number, plan, run, event, &[])
            .expect(0, "Verdict of");
        self.upload(run, &self.name(number));
        self.hub.with(|hub| hub.finish(run, "success"));
        run
    }

    fn review(&self, number: u64, by: &str) {
        self.hub.with(|hub| hub.review(number, by, "APPROVED"));
    }

    fn approved(&self, commit: &str, more: &[&str]) -> Ended {
        let mut arguments = vec![
            "approved",
            "--commit",
            commit,
            "--stack",
            STACK,
            "--out",
            "approved",
            "--markdown",
            "approved.md",
        ];
        arguments.extend(more);
        self.job(&arguments, &[])
    }

    /// What the last `approved` wrote down.
    fn document(&self) -> Value {
        let text = fs::read(self.path("approved/approved.json")).expect("written");
        serde_json::from_slice(&text).expect("JSON")
    }

    /// The digest of the plan that may be applied, if one may.
    fn given(&self) -> Option<String> {
        let bytes = fs::read(self.path("approved/plan.json")).ok()?;
        Some(digest(&bytes))
    }

    /// Sees that nothing may be applied, and why.
    fn refused(&self, commit: &str, more: &[&str], why: &str) {
        self.approved(commit, more).expect(4, why);
        assert_eq!(self.given(), None);
        let missing = self.document()["missing"].clone();
        assert!(missing.to_string().contains(why), "{missing}");
        let told = fs::read_to_string(self.path("approved.md")).expect("written");
        assert!(told.starts_with("**Not applied**"), "{told}");
    }
}

fn digest(plan: &[u8]) -> String {
    rolecall::plan::read(plan)
        .expect("a plan")
        .digest()
        .to_owned()
}
