//! What the program is built from: `deny.toml` holds the rules, and this holds the part of them that needs
//! neither `cargo deny` nor a network. `.ci/run` runs the whole with `scripts/deny`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The packages of this workspace.
const OWN: [&str; 6] = [
    "rolecall",
    "rolecall-edges",
    "rolecall-language",
    "rolecall-model",
    "rolecall-server",
    "rolecall-standins",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("there")
}

/// The texts of the list that begins with this line.
fn list(text: &str, begins: &str) -> BTreeSet<String> {
    let (_, rest) = text.split_once(begins).expect("the list is there");
    let (inside, _) = rest.split_once("\n]").expect("it ends");
    let quoted = inside.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// The kind of this machine, as the compiler calls it.
fn machine() -> String {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("rustc runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("a host").to_owned()
}

/// What is built for this machine with all features, tests included: each package's name and licence.
fn packages() -> BTreeSet<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--all-features"])
        .args([
            "--target",
            &machine(),
            "--prefix",
            "none",
            "--format",
            "{p}|{l}",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = tree.lines().filter_map(|line| {
        let (package, licence) = line.split_once('|')?;
        let name = package.split(' ').next()?;
        // What was told before stands there with a mark.
        let licence = licence.trim_end_matches("(*)").trim();
        (!OWN.contains(&name)).then(|| (name.to_owned(), licence.to_owned()))
    });
    lines.collect()
}

#[test]
fn nothing_is_built_that_the_rules_forbid() {
    let rules = read("deny.toml");
    let allowed = list(&rules, "\nallow = [");
    let banned = list(&rules, "\ndeny = [");
    assert!(allowed.contains("MIT") && banned.contains("ring"), "read");
    let packages = packages();
    assert!(packages.len() > 100, "{}", packages.len());
    for (name, licence) in &packages {
        assert!(!banned.contains(name), "{name} is banned");
        // A licence that is only a text is for `cargo deny` to read.
        if licence.is_empty() || rules.contains(&format!("{{ crate = \"{name}\", allow")) {
            continue;
        }
        let licence = licence.replace('/', " OR ");
        let alone = |part: &str| part.trim_matches(|c| "() ".contains(c)).to_owned();
        // Every part that is joined by AND must be allowed in one of its alternatives.
        let fits = licence.split(" AND ").all(|part| {
            part.split(" OR ").any(|one| {
                let one = alone(one);
                allowed.contains(one.split(" WITH ").next().unwrap_or(&one))
            })
        });
        assert!(fits, "{name}: {licence}");
    }
}

#[test]
fn everything_comes_from_one_registry_and_is_held_by_its_checksum() {
    let lock = read("Cargo.lock");
    let mut sources = BTreeSet::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let line = package
                .lines()
                .find_map(|l| l.strip_prefix(name)?.strip_prefix(" = "));
            line.map(|value| value.trim_matches('"').to_owned())
        };
        match field("source") {
            None => {
                let name = field("name").unwrap_or_default();
                assert!(OWN.contains(&name.as_str()), "{name} comes from nowhere");
            }
            Some(source) => {
                let checksum = field("checksum").unwrap_or_default();
                assert_eq!(checksum.len(), 64, "{package}");
                sources.insert(source);
            }
        }
    }
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert!(
        sources.iter().all(|s| s.starts_with("registry+")),
        "{sources:?}"
    );
}

/// What is not written out can be another thing tomorrow.
#[test]
fn what_others_publish_is_named_by_its_digest() {
    let files = [
        "src/cli/workflows/templates/github/plan.yml",
        "src/cli/workflows/templates/github/apply.yml",
        "src/cli/workflows/templates/github/nightly.yml",
        ".github/workflows/release.yml",
        "action.yml",
    ];
    let files: Vec<String> = files.iter().map(|file| read(file)).collect();
    let uses = files
        .iter()
        .flat_map(|file| file.lines())
        .map(|line| line.trim_start().trim_start_matches("- "))
        .filter_map(|line| line.strip_prefix("uses: "))
        // Of this repository.
        .filter(|action| !action.starts_with("./"));
    let actions: Vec<&str> = uses.collect();
    assert!(!actions.is_empty());
    for action in actions {
        let (_, version) = action.split_once('@').expect("a version");
        let commit = version.split(' ').next().unwrap_or_default();
        assert!(
            commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
            "{action}"
        );
    }
    let packages = read("tests/third_party/requirements.txt");
    let named = packages
        .lines()
        .filter(|l| l.contains("=="))
        .filter(|l| !l.starts_with('#'));
    for package in named {
        assert!(package.ends_with('\\'), "{package} has no hash");
    }
    assert!(read("scripts/third-party-client").contains("--require-hashes"));
}
