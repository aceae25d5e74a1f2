//! `init --bootstrap`, against the stand-in of GitHub: what is made, what stays, and what the checklist says. The story from
//! an empty repository to the first merged change is in `workflows`.

use std::fs;

use rolecall_standins::github::{Github, TOKEN};
use rolecall_standins::{Running, serve};
use serde_json::json;

use crate::stage::Stage;

struct Desk {
    stage: Stage,
    github: Running<Github>,
}

impl Desk {
    fn new() -> Self {
        let mut github = Github::by_the_clock();
        github.repository("acme/access");
        let github = serve(github, ([127, 0, 0, 1], 0).into()).expect("served");
        let stage = Stage::new();
        fs::create_dir(stage.path(".git")).expect("made");
        fs::write(stage.path(".git/HEAD"), "ref: refs/heads/main\n").expect("written");
        Self { stage, github }
    }

    fn run(&self, token: &str, more: &[&str]) -> (i32, String, String) {
        let with = ["init", "--bootstrap", "--repository", "acme/access"];
        let done = self
            .stage
            .command(&[&with, more, &["access"]].concat())
            .env_remove("ROLECALL_SEAL_KEY")
            .env("GITHUB_API_URL", &self.github.url)
            .env("ROLECALL_GITHUB_TOKEN", token)
            .output()
            .expect("runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = done.status.code().unwrap_or(-1);
        (code, text(&done.stdout), text(&done.stderr))
    }
}

/// The lines of a checklist that are missing.
fn missing(out: &str) -> Vec<&str> {
    let marked = out
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("missing  "));
    marked.collect()
}

const RULES: [&str; 3] = [
    "the status `rolecall` is required for main",
    "an approval is required for main",
    "main requires the approval of the most recent push by somebody else",
];
const RELEASE: &str = "jobs are told where rolecall is, and its checksum";

#[test]
fn nobody_is_asked_without_a_terminal_and_nothing_is_made_at_the_host() {
    let desk = Desk::new();
    let (code, out, err) = desk.run(TOKEN, &[]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(
        out.contains("To be made in acme/access: the environments rolecall-plan"),
        "{out}"
    );
    assert!(err.contains("nobody can be asked"), "{err}");
    let calls = desk.github.calls();
    assert!(calls.iter().all(|call| call.method == "GET"));
}

#[test]
fn two_accounts_are_made_and_their_keys_and_the_seal_key_are_at_the_host_alone() {
    let desk = Desk::new();
    let (code, out, err) = desk.run(TOKEN, &["--yes"]);
    assert_eq!(code, 1, "{out}{err}");
    let mut expected = vec![RELEASE];
    expected.extend(RULES);
    assert_eq!(missing(&out), expected, "{out}");
    // Each step is one that can be typed.
    assert!(
        out.contains("$ rolecall apply --timeout 60 --yes access\n"),
        "{out}"
    );
    let held = |environment: &str, name: &str| {
        let at = format!("repos/acme/access/environments/{environment}");
        desk.github.with(|github| github.value(&at, name))
    };
    let seal = fs::read_to_string(desk.stage.path("access/seal.key")).expect("there");
    let (plan, apply, rotate) = ("rolecall-plan", "rolecall-apply", "rolecall-rotate");
    for environment in [apply, rotate] {
        let value = held(environment, "ROLECALL_SEAL_KEY").expect("there");
        assert_eq!(value, seal.trim().as_bytes(), "{environment}");
    }
    assert_eq!(held(plan, "ROLECALL_SEAL_KEY"), None);
    let login = "MONDOO_CONFIG_BASE64";
    assert!(held(plan, login).is_some());
    assert_eq!(held(apply, login), held(rotate, login));
    assert_ne!(held(plan, login), held(apply, login));
    let dump = desk.stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("a list");
    let bindings = dump["bindings"].as_array().expect("a list");
    for name in [plan, apply] {
        let one = accounts.iter().find(|account| account["name"] == name);
        let mrn = &one.expect("live")["mrn"];
        let bound = bindings.iter().filter(|b| b["identity"] == *mrn);
        let roles: String = bound.map(|b| b["roles"].to_string()).collect();
        assert!(
            roles.contains("editor") && !roles.contains("owner"),
            "{roles}"
        );
    }
    let branches = desk.github.with(|github| github.settings.branches.clone());
    let of = |name: &str| branches[&("acme/access".to_owned(), name.to_owned())].clone();
    assert_eq!(of(plan), ["main", "refs/pull/*/merge"]);
    assert_eq!(of(apply), ["main"]);
    assert_eq!(of(rotate), ["main"]);
    // The rest is a person's; then nothing is missing, and a second run changes nothing.
    desk.github.with(|github| {
        let checks = json!([{"context": "rolecall"}]);
        let rules = json!([
            {"type": "required_status_checks", "parameters": {"required_status_checks": checks}},
            {"type": "pull_request",
             "parameters": {"required_approving_review_count": 1, "require_last_push_approval": true}},
        ]);
        github.settings.rules.insert("acme/access".to_owned(), rules);
    });
    let action = desk.stage.path(".github/actions/rolecall/action.yml");
    let text = fs::read_to_string(&action).expect("there");
    let text = text.replacen("default: \"\"", "default: \"https://example.com\"", 2);
    fs::write(action, text).expect("written");
    desk.github.calls();
    let (code, out, err) = desk.run(TOKEN, &["--check"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(desk.github.calls().iter().all(|call| call.method == "GET"));
    let (code, out, err) = desk.run(TOKEN, &["--yes"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(desk.github.calls().iter().all(|call| call.method == "GET"));
}

#[test]
fn the_checklist_names_what_a_form_rests_on() {
    let desk = Desk::new();
    desk.run(TOKEN, &["--yes", "--ci", "github", "--form", "strict"]);
    let key = |name: &str| ("acme/access".to_owned(), name.to_owned());
    let strict = ["--check", "--ci", "github", "--form", "strict"];
    let (_, out, _) = desk.run(TOKEN, &strict);
    let asks =
        "rolecall-apply has required reviewers, who may not let through what they started on main";
    assert!(missing(&out).contains(&asks), "{out}");
    desk.github.with(|github| {
        github.settings.reviewers.insert(key("rolecall-apply"));
        github.settings.reviewers.insert(key("rolecall-rotate"));
        github
            .settings
            .branches
            .insert(key("rolecall-plan"), vec!["*".to_owned()]);
        github.settings.branches.remove(&key("rolecall-rotate"));
        let at = "repos/acme/access/environments/rolecall-plan";
        github.put(at, "ROLECALL_SEAL_KEY", b"here too");
    });
    let (code, out, _) = desk.run(TOKEN, &strict);
    assert_eq!(code, 1);
    let found = missing(&out);
    for wanted in [
        "rolecall-plan deploys from main and refs/pull/*/merge alone",
        "rolecall-plan does not have ROLECALL_SEAL_KEY",
        "rolecall-rotate deploys from main alone",
        "rolecall-rotate asks nobody, since it runs at night",
    ] {
        assert!(found.contains(&wanted), "{wanted}: {out}");
    }
    assert!(!found.contains(&asks), "{out}");
}

#[test]
fn a_login_that_may_not_is_told_what_it_lacks_before_anything_is_written() {
    let desk = Desk::new();
    let (code, _, err) = desk.run("", &["--yes"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("ROLECALL_GITHUB_TOKEN"), "{err}");
    assert!(!desk.stage.path("access/main.hcl").exists());
    desk.github
        .with(|github| github.token("github_pat_weak", &["PUT /repos"]));
    let (code, _, err) = desk.run("github_pat_weak", &["--yes"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("\"Environments\" (write)"), "{err}");
    assert!(!err.contains("github_pat_weak"), "{err}");
    for wrong in [
        "acme",
        "acme/",
        "a b/c",
        "acme/../x",
        "https://github.com/acme/access",
    ] {
        let done = desk
            .stage
            .command(&["init", "--bootstrap", "--repository", wrong, "new"])
            .env("ROLECALL_GITHUB_TOKEN", TOKEN)
            .output()
            .expect("runs");
        assert_eq!(done.status.code(), Some(64), "{wrong}");
    }
}
