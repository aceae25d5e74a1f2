//! What help texts and documents tell people to type: it is typed, in a shell.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;

use crate::stage::{HEAD, Stage};

/// What of others stands behind a pipe; here it reads and says nothing.
const OTHERS: [&str; 3] = ["jq", "less", "man"];

/// Lines that end otherwise than with 0, and why.
const ENDS: &[(&str, i32)] = &[
    // There are changes.
    ("rolecall plan --detailed-exitcode access/", 2),
    // Nobody can be asked.
    ("rolecall apply access/", 1),
    ("rolecall rotate 'service_account.ci[\"prod\"]' access/", 1),
    ("rolecall apply --local examples/quickstart", 1),
    // Nothing is applied yet, and the platform has accounts that nobody declares.
    ("rolecall check --local examples/quickstart", 2),
    ("rolecall check --unused 90d --expiring 14d access/", 6),
    ("rolecall check --sinks access/", 6),
    (
        "rolecall check --allow-unmanaged --format json access/ | jq .check.drift",
        2,
    ),
    // No job of a code host runs here, and no commit is given.
    (
        "rolecall verdict --plan p.json --number 7 --head \"$HEAD\" --directory . --job p --ended 0 --out v",
        64,
    ),
    (
        "rolecall comment --plan plan.json --number 7 --head \"$HEAD\" --directory access",
        64,
    ),
    (
        "rolecall comment --outdated moved --stack acme/k7m2q9ta --number 7 --directory access",
        64,
    ),
    (
        "rolecall gate --expected expected.json --found verdicts --head \"$HEAD\"",
        64,
    ),
    (
        "rolecall approved --commit \"$GITHUB_SHA\" --stack acme/k7m2q9ta --out approved",
        64,
    ),
    // There is no other checkout.
    (
        "rolecall configurations --base ../base --outputs found.txt .",
        1,
    ),
    // `HEAD` and `…` stand for a digest.
    (
        "rolecall verify --head sha256:HEAD records/0001.json records/0002.json",
        64,
    ),
    ("rolecall verify --head sha256:… records/*.json", 64),
    // `ID` stands for an id.
    (
        "rolecall show //agents.api.mondoo.app/spaces/ID/serviceaccounts/ID access/",
        1,
    ),
    (
        "rolecall revoke //agents.api.mondoo.app/spaces/ID/serviceaccounts/ID access/",
        1,
    ),
    // No login at GitHub.
    (
        "rolecall init --bootstrap --repository acme/access --credentials owner.json access/",
        1,
    ),
    (
        "rolecall init --bootstrap --check --repository acme/access access/",
        1,
    ),
    // Nobody can be asked.
    ("rolecall revoke 'service_account.ci[\"prod\"]' access/", 1),
];

/// Lines that no test can run to an end here; they are read at least (`src/cli/args.rs`).
const ENDLESS: [&str; 2] = ["rolecall platform serve", "Invoke-Expression"];

/// A platform, and fresh folders as the lines expect them.
struct Desk {
    stage: Stage,
    tools: tempfile::TempDir,
    beside: tempfile::TempDir,
    credential: String,
}

impl Desk {
    fn new() -> Self {
        let stage = Stage::new();
        let tools = tempfile::tempdir().expect("a temporary directory");
        for name in OTHERS {
            let path = tools.path().join(name);
            fs::write(&path, "#!/bin/sh\nexec cat >/dev/null\n").expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("changed");
        }
        let owner = fs::read(stage.path("owner.json")).expect("there");
        let credential = base64::engine::general_purpose::STANDARD.encode(owner);
        Self {
            stage,
            tools,
            beside: tempfile::tempdir().expect("a temporary directory"),
            credential,
        }
    }

    /// A folder with a configuration, the examples, credentials and a plan file.
    fn folder(&self) -> tempfile::TempDir {
        // What lies beside the folder of an example is nothing of anybody else's.
        let dir = tempfile::tempdir_in(self.beside.path()).expect("a temporary directory");
        let put = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(&path, bytes).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
        };
        let account = "service_account \"ci\" {\n  for_each = { prod = space.payments }\n  scope = \
                       each.value\n  name = \"ci-${each.key}\"\n  roles = [\"agent\"]\n  credential \
                       {\n    deliver_to = [sink.file.local]\n  }\n}\n";
        put("access/main.hcl", format!("{HEAD}{account}").as_bytes());
        let owner = fs::read(self.stage.path("owner.json")).expect("there");
        put("owner.json", &owner);
        put("policies/main.hcl", b"limits {\n  max_deletes = 5\n}\n");
        put("credentials/ci.json", &owner);
        put("credentials/ci.b64", self.credential.as_bytes());
        for name in [
            "fixtures/live/acme.json",
            "examples/quickstart/main.hcl",
            "examples/fleet/main.hcl",
        ] {
            put(name, &fs::read(name).expect("there"));
        }
        for name in [".zfunc", ".config/fish/completions"] {
            fs::create_dir_all(dir.path().join(name)).expect("created");
        }
        dir
    }

    fn type_in(&self, dir: &Path, script: &str) -> Output {
        let own = Path::new(env!("CARGO_BIN_EXE_rolecall"))
            .parent()
            .expect("a folder");
        let path = format!(
            "{}:{}:{}",
            self.tools.path().display(),
            own.display(),
            std::env::var("PATH").unwrap_or_default()
        );
        Command::new("bash")
            .args(["--norc", "--noprofile", "-o", "pipefail", "-ec", script])
            .current_dir(dir)
            .env_clear()
            .env("PATH", path)
            .env("HOME", dir)
            .env("MONDOO_CONFIG_BASE64", &self.credential)
            .env("ROLECALL_SEAL_KEY", crate::stage::SEAL_KEY)
            .stdin(Stdio::null())
            .output()
            .expect("bash runs")
    }

    /// Types a line where it can be meant, and sees that it ends as it should.
    fn check(&self, line: &str, from: &str) {
        let dir = self.folder();
        if line.contains(" plan.json") && !line.contains("--out") && !line.contains('>') {
            self.type_in(dir.path(), "rolecall plan --out plan.json access/");
        }
        if line.contains("records/") {
            let first = "mkdir records && rolecall apply --yes --record records/0001.json access/";
            self.type_in(dir.path(), first);
        }
        if line.starts_with("rolecall platform dump") {
            self.type_in(
                dir.path(),
                "rolecall platform seed --generate 1x1x1 --db platform.db",
            );
        }
        if line.starts_with("rolecall revoke") {
            self.type_in(dir.path(), "rolecall apply --yes access/");
        }
        if line.starts_with("rolecall init") {
            fs::remove_dir_all(dir.path().join("access")).expect("removed");
        }
        let bare = line.split(" #").next().unwrap_or(line).trim();
        let ends = ENDS.iter().find(|(like, _)| *like == bare);
        let expected = ends.map_or(0, |(_, code)| *code);
        let output = self.type_in(dir.path(), line);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{from}: {line}\n{out}{err}"
        );
    }
}

/// The help of every command, with what is typed before `--help`.
fn helps(desk: &Desk, command: &str, into: &mut Vec<(String, String)>) {
    let output = desk.type_in(desk.stage.dir.path(), &format!("{command} --help"));
    let text = String::from_utf8(output.stdout).expect("text");
    let commands = text.split("\nCommands:\n").nth(1).unwrap_or_default();
    let commands = commands.split("\n\n").next().unwrap_or_default();
    for line in commands.lines().filter(|line| line.starts_with("  ")) {
        match line.split_whitespace().next() {
            Some("help") | None => {}
            Some(name) => helps(desk, &format!("{command} {name}"), into),
        }
    }
    into.push((command.to_owned(), text));
}

#[test]
fn every_example_of_every_help_runs() {
    let desk = Desk::new();
    let mut all = Vec::new();
    helps(&desk, "rolecall", &mut all);
    assert!(all.len() > 15, "{}", all.len());
    let mut used = BTreeSet::new();
    let mut ran = 0;
    for (command, help) in &all {
        let (_, examples) = help
            .split_once("\nExamples:\n")
            .or_else(|| help.split_once("\nExample:\n"))
            .unwrap_or_else(|| panic!("{command} --help has no example"));
        for line in examples.lines().take_while(|line| line.starts_with("  ")) {
            let line = line.trim();
            used.extend(
                ENDS.iter()
                    .filter(|(like, _)| line.starts_with(like))
                    .map(|(l, _)| *l),
            );
            if ENDLESS.iter().any(|part| line.contains(part)) {
                continue;
            }
            desk.check(line, command);
            ran += 1;
        }
    }
    assert!(ran > 25, "only {ran} examples were found");
    assert!(used.len() >= 3, "{used:?}");
}

/// The documents that people read, but for the one about serving.
fn documents() -> Vec<PathBuf> {
    let mut all = vec![PathBuf::from("README.md")];
    for folder in ["docs", "examples/quickstart", "examples/fleet"] {
        let entries = fs::read_dir(folder).expect("there");
        let paths = entries.map(|entry| entry.expect("readable").path());
        all.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    all.sort();
    all
}

/// The blocks of a document that are typed, each as one script.
fn scripts(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (n, block) in text.split("\n```").enumerate() {
        let Some((kind, block)) = block.split_once('\n').filter(|_| n % 2 == 1) else {
            continue;
        };
        match kind {
            "sh" => found.push(block.to_owned()),
            "console" => found.extend(
                block
                    .lines()
                    .filter_map(|line| line.strip_prefix("$ ").map(str::to_owned)),
            ),
            _ => {}
        }
    }
    found
}

#[test]
fn every_command_of_the_documents_runs_as_written() {
    let desk = Desk::new();
    let mut ran = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("readable");
        for script in scripts(&text) {
            // In a checkout cargo builds it first.
            let script = script.replace("cargo run -- ", "rolecall ");
            if ["cargo ", "platform serve"]
                .iter()
                .any(|part| script.contains(part))
            {
                continue;
            }
            desk.check(script.trim(), &document.display().to_string());
            ran += 1;
        }
    }
    assert!(ran >= 6, "only {ran} were found");
}

#[test]
fn every_command_that_a_document_names_in_passing_is_understood() {
    let desk = Desk::new();
    let mut seen = BTreeSet::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("readable");
        let joined = text.replace('\n', " ");
        let named = joined
            .split('`')
            .filter(|code| code.starts_with("rolecall "));
        for code in named {
            // One of several, in a table.
            let line = code.split("\\|").next().unwrap_or(code);
            if !seen.insert(line.to_owned()) {
                continue;
            }
            // With `--help` at its end it is only read, and what is unknown is found all the same.
            let mut line = line.to_owned();
            for (name, value) in [
                ("SHELL", "bash"),
                ("COMMAND", "plan"),
                ("PAGE", "roles"),
                ("ORGSxSPACESxACCOUNTS", "2x10x5"),
            ] {
                line = line.replace(name, value);
            }
            let output = desk.type_in(desk.stage.dir.path(), &format!("{line} --help"));
            let err = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(0),
                "{}: {line}\n{err}",
                document.display()
            );
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
}
