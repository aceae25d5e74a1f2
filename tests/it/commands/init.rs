//! `init`, empty and from what is live.

use std::fs;

use jiff::Timestamp;
use rolecall_server::SeedAccount;

use crate::stage::{ORG, PAYMENTS, Stage};

/// Runs without putting it into the transcript.
fn quiet(stage: &Stage, arguments: &[&str]) -> (i32, String) {
    let output = stage.command(arguments).output().expect("runs");
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code().unwrap_or(-1), text)
}

/// The same with the seal key that `init` made.
fn quiet_with_key(stage: &Stage, arguments: &[&str]) -> (i32, String) {
    let output = stage
        .command(arguments)
        .env_remove("ROLECALL_SEAL_KEY")
        .env("ROLECALL_SEAL_KEY_FILE", "access/seal.key")
        .output()
        .expect("runs");
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn a_first_project() {
    let mut stage = Stage::new();
    fs::remove_dir(stage.path("access")).expect("removed");
    assert_eq!(stage.run(&["init", "--ci", "github", "access"]), 0);
    assert_eq!(stage.run(&["validate", "access"]), 0);
    assert_eq!(stage.run(&["plan", "--local", "access"]), 0);
    assert_eq!(stage.run(&["init", "access"]), 1);
    stage.say("another file of configuration is in the way too");
    fs::create_dir(stage.path("other")).expect("created");
    fs::write(stage.path("other/teams.hcl"), "").expect("written");
    assert_eq!(stage.run(&["init", "other"]), 1);
    assert!(!stage.path("other/main.hcl").exists());
    assert!(!stage.path("other/.gitignore").exists());
    stage.say("wrong usage");
    assert_eq!(stage.run(&["init", "--stack", "My Stack", "new"]), 64);
    assert_eq!(stage.run(&["init", "--local", "new"]), 64);
    assert_eq!(stage.run(&["init", "--organization", "acme", "new"]), 64);
    assert_eq!(stage.run(&["init", "--from-live", "--local", "new"]), 1);
    assert!(!stage.path("new").exists());
    stage.compare("commands/init.txt");

    let main = fs::read_to_string(stage.path("access/main.hcl")).expect("there");
    // The examples in the comments are right as they stand.
    let mut inside = false;
    let text: String = main
        .lines()
        .map(|line| {
            let bare = line
                .strip_prefix("# ")
                .or(line.strip_prefix('#'))
                .unwrap_or(line);
            inside |= line.starts_with("# ") && bare.ends_with('{');
            let shown = if inside { bare } else { line };
            inside &= bare != "}";
            format!("{shown}\n")
        })
        .collect();
    assert!(text.contains("\nservice_account \"ci\""));
    fs::write(stage.path("access/main.hcl"), text).expect("written");
    assert_eq!(quiet(&stage, &["validate", "access"]).0, 0);
    let (_, plan) = quiet(&stage, &["plan", "--local", "access"]);
    assert!(plan.contains("1 to create"), "{plan}");
}

#[test]
fn two_projects_never_share_a_stack() {
    let stage = Stage::new();
    let id = |dir: &str| {
        assert_eq!(quiet(&stage, &["init", "--stack", "same", dir]).0, 0);
        let text = fs::read_to_string(stage.path(dir).join("main.hcl")).expect("there");
        let line = text
            .lines()
            .find(|line| line.contains("id       ="))
            .map(str::to_owned);
        line.expect("an id")
    };
    assert_ne!(id("one"), id("two"));
}

#[test]
fn all_or_nothing() {
    let stage = Stage::new();
    // `.github` is a file, so the workflow cannot be written.
    fs::write(stage.path("access/.github"), "").expect("written");
    assert_eq!(quiet(&stage, &["init", "--ci", "github", "access"]).0, 1);
    assert!(!stage.path("access/main.hcl").exists());
    assert!(!stage.path("access/.gitignore").exists());
}

#[test]
fn a_gitignore_keeps_its_lines_and_gets_those_that_it_lacks() {
    let mut stage = Stage::new();
    let path = stage.path("access/.gitignore");
    fs::write(&path, b"# caf\xe9\r\n/target\r\ncredentials/").expect("written");
    assert_eq!(stage.run(&["init", "access"]), 0);
    let text = fs::read(&path).expect("there");
    assert!(text.starts_with(b"# caf\xe9\r\n/target\r\ncredentials/\n\n# "));
    assert!(text.ends_with(b".\n.rolecall/\nseal.key\n"));
    stage.say("where nothing is lacking it stays as it is");
    fs::create_dir(stage.path("second")).expect("created");
    fs::copy(&path, stage.path("second/.gitignore")).expect("copied");
    assert_eq!(stage.run(&["init", "second"]), 0);
    assert_eq!(
        fs::read(stage.path("second/.gitignore")).expect("there"),
        text
    );
    stage.say("a link is not git's, nor a folder");
    fs::create_dir(stage.path("third")).expect("created");
    std::os::unix::fs::symlink(&path, stage.path("third/.gitignore")).expect("linked");
    assert_eq!(stage.run(&["init", "third"]), 1);
    assert!(!stage.path("third/main.hcl").exists());
    assert_eq!(fs::read(&path).expect("there"), text);
    stage.compare("commands/init-gitignore.txt");
}

#[test]
fn hints_are_words_of_a_shell() {
    let mut stage = Stage::new();
    fs::create_dir(stage.path("my keys")).expect("created");
    fs::copy(stage.path("owner.json"), stage.path("my keys/owner.json")).expect("copied");
    let with = ["--from-live", "--credentials", "my keys/owner.json"];
    let arguments = [&["init"][..], &with, &["it's mine"]].concat();
    assert_eq!(stage.run(&arguments), 0);
    stage.compare("commands/init-quoting.txt");
    let golden = quiet(&stage, &["init", "it's new"]).1;
    // What stands on a line of its own is typed as it is.
    let commands = golden
        .lines()
        .filter_map(|line| line.strip_prefix("       "));
    let mut ran = 0;
    for command in commands.filter(|command| !command.contains(" FILE")) {
        let typed = format!("rolecall() {{ \"$ROLECALL\" \"$@\"; }}; {command}");
        let done = std::process::Command::new("bash")
            .args(["-ec", &typed])
            .env("ROLECALL", env!("CARGO_BIN_EXE_rolecall"))
            .current_dir(stage.dir.path())
            .output()
            .expect("bash runs");
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{command}: {err}");
        ran += 1;
    }
    assert_eq!(ran, 3, "{golden}");
}

#[test]
fn the_workflow_without_a_repository_says_where_it_must_go() {
    let mut stage = Stage::new();
    assert_eq!(stage.run(&["init", "--ci", "github", "access"]), 0);
    assert!(
        stage
            .path("access/.github/workflows/rolecall-plan.yml")
            .exists()
    );
    stage.say("a repository beside the directory is not the one that holds it");
    fs::create_dir_all(stage.path("beside/.git")).expect("created");
    let mut run = stage.command(&["init", "--ci", "github", "../new"]);
    let output = run
        .current_dir(stage.path("beside"))
        .output()
        .expect("runs");
    stage.note(&["init", "--ci", "github", "../new"], &output);
    assert!(
        stage
            .path("new/.github/workflows/rolecall-plan.yml")
            .exists()
    );
    assert!(!stage.path("beside/.github").exists());
    stage.compare("commands/init-workflow.txt");
}

#[test]
fn workflows_stand_at_the_root_of_the_repository_and_are_added_to_what_is_there() {
    let mut stage = Stage::new();
    fs::create_dir_all(stage.path(".git/refs/remotes/origin")).expect("created");
    let trunk = "ref: refs/remotes/origin/trunk\n";
    fs::write(stage.path(".git/refs/remotes/origin/HEAD"), trunk).expect("written");
    // A name that is nobody's business: no workflow holds it.
    let dir = "it's ${{ x }}";
    assert_eq!(quiet(&stage, &["init", "--ci", "github", dir]).0, 0);
    let plan = stage.path(".github/workflows/rolecall-plan.yml");
    let text = fs::read_to_string(&plan).expect("there");
    assert!(text.contains("\n    branches: [\"trunk\"]\n"), "{text}");
    assert!(!text.contains("it's"), "{text}");
    assert!(text.contains("\npermissions: {}\n"));
    assert!(!text.contains("pull_request_target:"));
    stage.say("a second project leaves the workflows alone");
    assert_eq!(stage.run(&["init", "--ci", "github", "third"]), 1);
    assert!(!stage.path("third").exists());
    stage.say("workflows alone are added to a configuration that is there");
    stage.configure("");
    for name in [".github", "it's ${{ x }}"] {
        fs::remove_dir_all(stage.path(name)).expect("removed");
    }
    assert_eq!(
        stage.run(&["init", "--ci", "github", "--form", "verdict", "access"]),
        0
    );
    let main = fs::read_to_string(stage.path("access/main.hcl")).expect("there");
    assert!(main.contains("k7m2q9ta"), "as it was");
    assert!(!stage.path("access/seal.key").exists());
    let text = fs::read_to_string(&plan).expect("there");
    assert!(text.contains("\n  pull_request_target:"), "{text}");
    assert_eq!(stage.run(&["init", "--ci", "github", "access"]), 1);
    stage.say("GitLab has a file of its own, which may be there");
    assert_eq!(stage.run(&["init", "--ci", "gitlab", "access"]), 0);
    fs::remove_file(stage.path(".gitlab/rolecall.yml")).expect("removed");
    fs::write(stage.path(".gitlab-ci.yml"), "test: {script: make}\n").expect("written");
    assert_eq!(stage.run(&["init", "--ci", "gitlab", "access"]), 0);
    let own = fs::read_to_string(stage.path(".gitlab-ci.yml")).expect("there");
    assert_eq!(own, "test: {script: make}\n");
    stage.say("scripts for any other");
    assert_eq!(stage.run(&["init", "--ci", "shell", "access"]), 0);
    stage.say("what is not to be had");
    for more in [
        &["--ci", "gitlab", "--form", "verdict"][..],
        &["--ci", "shell", "--form", "strict"],
        &["--form", "strict"],
        &["--ci", "github", "--branch", "a b"],
        &["--ci", "github", "--release", "http://example.com"],
    ] {
        let arguments = [&["init"], more, &["access"]].concat();
        assert_ne!(stage.run(&arguments), 0);
    }
    stage.compare("commands/init-ci.txt");
}

#[test]
fn a_workflow_of_an_earlier_version_is_told_with_what_changed() {
    let mut stage = Stage::small();
    stage.configure("");
    fs::create_dir(stage.path(".git")).expect("created");
    let folder = stage.path(".github/workflows");
    fs::create_dir_all(&folder).expect("created");
    let old = "# Plans on every pull request, applies what is merged to main. Written by `rolecall init`.\n";
    fs::write(folder.join("rolecall.yml"), old).expect("written");
    assert_eq!(stage.run(&["validate", "access"]), 0);
    fs::remove_file(folder.join("rolecall.yml")).expect("removed");
    assert_eq!(quiet(&stage, &["init", "--ci", "github", "access"]).0, 0);
    stage.say("of this version there is nothing to tell");
    assert_eq!(stage.run(&["validate", "access"]), 0);
    stage.compare("commands/init-older.txt");
}

#[test]
fn jobs_install_the_release_that_was_named() {
    let stage = Stage::small();
    let sums = format!(
        "{}  rolecall-x86_64-unknown-linux-musl.tar.gz\n{}  rolecall.spdx.json\n",
        "0f".repeat(32),
        "1e".repeat(32)
    );
    fs::write(stage.path("SHA256SUMS"), sums).expect("written");
    let release = "https://example.com/v0.1.0";
    let with = ["--release", release, "--sums", "SHA256SUMS", "new"];
    let arguments = [&["init", "--ci", "github"][..], &with].concat();
    assert_eq!(quiet(&stage, &arguments).0, 0);
    let action = stage.path("new/.github/actions/rolecall/action.yml");
    let text = fs::read_to_string(action).expect("there");
    assert!(
        text.contains("    default: \"https://example.com/v0.1.0\"\n"),
        "{text}"
    );
    let line = format!(
        "      {}  rolecall-x86_64-unknown-linux-musl.tar.gz\n",
        "0f".repeat(32)
    );
    assert!(text.contains(&line) && !text.contains("spdx"), "{text}");
    fs::write(stage.path("SHA256SUMS"), "nothing\n").expect("written");
    let with = ["--release", release, "--sums", "SHA256SUMS", "newer"];
    let arguments = [&["init", "--ci", "github"][..], &with].concat();
    assert_eq!(quiet(&stage, &arguments).0, 1);
    assert!(!stage.path("newer").exists());
}

/// All accounts of the platform, but for when they were used.
fn held(stage: &Stage) -> serde_json::Value {
    let mut accounts = stage.app.dump().expect("a dump")["accounts"].clone();
    for account in accounts.as_array_mut().expect("a list") {
        account["last_used"] = serde_json::Value::Null;
    }
    accounts
}

#[test]
fn from_live() {
    let mut stage = Stage::new();
    let add = |scope: &str, name: &str, description: &str, labels: &[(&str, &str)]| {
        let account = SeedAccount {
            name: name.to_owned(),
            description: description.to_owned(),
            roles: vec!["viewer".to_owned()],
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..SeedAccount::default()
        };
        stage
            .app
            .admin_create_account(scope, &account, Timestamp::now())
            .expect("created");
    };
    let trap = "${file(\"/etc/passwd\")} %{ if true } \"quoted\" \\ $${x} \u{202e}gnp";
    add(
        PAYMENTS,
        trap,
        trap,
        &[("for", trap.get(..20).expect("ascii")), ("a b", "$${x}")],
    );
    add(PAYMENTS, "windows", "line\r\nends", &[("note", "\u{7}")]);
    add(ORG, "監視", "", &[]);
    add(ORG, "twice", "", &[]);
    add(ORG, "twice", "", &[]);
    add(
        PAYMENTS,
        "theirs",
        "",
        &[
            ("rolecall-stack", "other-stack.aaaa1111"),
            ("rolecall-address", "theirs"),
            ("rolecall-mark", "v1.0-1-0.g1.p0d0r0.e-.t-"),
            ("rolecall-written", "-.-"),
            ("rolecall-credential", "external"),
        ],
    );
    let before = held(&stage);
    fs::remove_dir(stage.path("access")).expect("removed");
    assert_eq!(stage.run(&["init", "--from-live", "access"]), 0);
    assert_eq!(stage.run(&["validate", "access"]), 0);
    let (code, plan) = quiet_with_key(&stage, &["plan", "access"]);
    assert_eq!(code, 0, "{plan}");
    let (_, summary) = plan.rsplit_once("Plan: ").expect("a plan");
    assert!(
        summary.starts_with("10 to adopt; 0 accounts as declared."),
        "{summary}"
    );
    assert!(before == held(&stage), "only read");
    stage.say("what is adopted stays so");
    assert_eq!(quiet_with_key(&stage, &["apply", "--yes", "access"]).0, 0);
    let again = ["plan", "--detailed-exitcode", "access"];
    let (code, plan) = quiet_with_key(&stage, &again);
    assert_eq!(code, 0, "{plan}");
    stage.compare("commands/init-from-live.txt");

    let text = fs::read_to_string(stage.path("access/main.hcl")).expect("there");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(!text.contains('\u{202e}'));
    let text = without_chance(&stage, &text);
    crate::renew::compare(&text, "tests/it/golden/commands/init-from-live.hcl");
}

/// The generated file without what differs from run to run.
fn without_chance(stage: &Stage, text: &str) -> String {
    let mut text = text.replace(&stage.dir.path().display().to_string(), "[DIR]");
    for (pattern, name) in [
        (r"serviceaccounts/[0-9A-Za-z]{27}", "serviceaccounts/[ID]"),
        (r#"id       = "[a-z0-9]{8}""#, r#"id       = "[STACKID]""#),
        (r#""ed25519:[A-Za-z0-9_-]{43}""#, r#""ed25519:[PUBLIC]""#),
    ] {
        let pattern: regex::Regex = pattern.parse().expect("valid");
        text = pattern.replace_all(&text, name).into_owned();
    }
    text
}

#[test]
fn from_live_of_one_space_and_of_nothing() {
    let mut stage = Stage::new();
    let account = SeedAccount {
        name: "space-editor".to_owned(),
        roles: vec!["editor".to_owned()],
        ..SeedAccount::default()
    };
    let now = Timestamp::now();
    let mrn = stage.app.admin_create_account(PAYMENTS, &account, now);
    let credential = stage
        .app
        .admin_issue_credential(&mrn.expect("created"), now)
        .expect("issued");
    fs::create_dir(stage.path("credentials")).expect("created");
    let text = serde_json::to_string(&credential).expect("JSON");
    fs::write(stage.path("credentials/editor.json"), text).expect("written");
    let with = [
        "init",
        "--from-live",
        "--credentials",
        "credentials/editor.json",
    ];
    let run = |stage: &mut Stage, more: &[&str]| {
        let mut arguments = with.to_vec();
        arguments.extend(more);
        stage.run(&arguments)
    };
    assert_eq!(run(&mut stage, &["space"]), 0);
    assert_eq!(
        run(&mut stage, &["--organization", "acme-corp-883120", "whole"]),
        1
    );
    assert_eq!(
        run(&mut stage, &["--organization", "nobody-1234", "whole"]),
        1
    );
    assert_eq!(run(&mut stage, &["--organization", "a b", "whole"]), 64);
    assert!(!stage.path("whole").exists());
    let text = fs::read_to_string(stage.path("space/main.hcl")).expect("there");
    assert!(text.contains("space \"payments\" {\n  id = "), "{text}");
    stage.compare("commands/init-from-live-scopes.txt");
}

#[test]
fn from_the_embedded_platform() {
    let mut stage = Stage::new();
    stage.configure(
        "service_account \"ci\" {\n  scope = space.payments\n  name = \"ci\"\n  roles = []\n  \
         credential {\n    deliver_to = [sink.file.local]\n  }\n}\n",
    );
    assert_eq!(quiet(&stage, &["apply", "--local", "--yes", "access"]).0, 0);
    // The configuration is lost; the platform is not.
    fs::remove_file(stage.path("access/main.hcl")).expect("removed");
    let (code, text) = quiet(&stage, &["init", "--from-live", "--local", "access"]);
    assert_eq!(code, 0);
    assert!(text.contains("acme-access/k7m2q9ta manages it"), "{text}");
    let main = fs::read_to_string(stage.path("access/main.hcl")).expect("there");
    assert!(main.contains("amazing-hofstadter-175565") && !main.contains("local-organization"));
}
