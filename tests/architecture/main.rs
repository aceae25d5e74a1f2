//! Holds the code to the plan of the house: which module may use which, who may touch the world, and
//! that no file uses one that uses it. Tests inside the modules are free.
//! `cargo test --test architecture circles -- --nocapture` prints circles and sizes.

mod graph;
mod page;
mod planted;
mod reader;
mod rules;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use graph::World;
use rules::{breaches, excused, violations};
use source::Source;

/// The architecture. A row may name only rows above it, so no cycle can exist.
const TABLE: &[(&str, &[&str])] = &[
    ("secret", &[]),
    ("echo", &[]),
    ("yaml", &[]),
    ("http", &[]),
    ("identity_token", &["secret", "http"]),
    ("encoding", &[]),
    ("private_file", &[]),
    ("credential_file", &["echo", "yaml"]),
    ("diag", &["echo"]),
    ("model", &["secret", "encoding", "diag"]),
    ("lang", &["encoding", "diag"]),
    ("ports", &["model"]),
    ("git", &["encoding", "model"]),
    ("poll", &["ports"]),
    ("review", &["model"]),
    ("forge", &["secret", "http", "model", "review"]),
    ("config", &["diag", "model", "lang"]),
    ("diff", &["model"]),
    ("plan", &["diag", "model", "diff"]),
    ("policy", &["echo", "model", "lang", "config", "plan"]),
    ("refresh", &["model", "ports"]),
    ("check", &["model", "diff", "plan", "ports"]),
    ("apply", &["model", "plan", "policy", "ports", "poll"]),
    ("record", &["model", "plan", "apply"]),
    (
        "platform",
        &[
            "secret",
            "echo",
            "http",
            "identity_token",
            "encoding",
            "credential_file",
            "model",
            "ports",
        ],
    ),
    (
        "sinks",
        &[
            "secret",
            "echo",
            "yaml",
            "http",
            "identity_token",
            "encoding",
            "private_file",
            "credential_file",
            "model",
            "ports",
        ],
    ),
    // On purpose: a wrong name shared with the client would be wrong on both sides.
    ("server", &[]),
    (
        "view",
        &["diag", "model", "plan", "policy", "check", "apply"],
    ),
    (
        "cli",
        &[
            "secret",
            "echo",
            "yaml",
            "http",
            "identity_token",
            "encoding",
            "private_file",
            "credential_file",
            "diag",
            "model",
            "lang",
            "ports",
            "poll",
            "review",
            "forge",
            "config",
            "diff",
            "plan",
            "policy",
            "refresh",
            "check",
            "apply",
            "record",
            "platform",
            "git",
            "sinks",
            "server",
            "view",
        ],
    ),
];

/// What touches the world, and the folders and files that may.
const AMBIENT: &[(&str, &[&str])] = &[
    ("Timestamp::now", &["cli", "server"]),
    ("Zoned::now", &["cli", "server"]),
    ("SystemTime::now", &["cli", "server"]),
    ("time::SystemTime", &["cli", "server"]),
    ("Instant::now", &["cli", "server"]),
    ("time::Instant", &["cli", "server"]),
    ("std::env", &["cli", "server"]),
    ("tokio::time", &["cli", "server"]),
    ("thread::sleep", &["cli", "server"]),
    (
        "std::fs",
        &["private_file.rs", "cli", "git", "sinks", "server"],
    ),
    ("tokio::fs", &["cli", "sinks", "server"]),
    ("process::Command", &["cli"]),
    ("io::stdin", &["cli"]),
    ("io::stdout", &["cli"]),
    ("io::stderr", &["cli"]),
    ("net::TcpStream", &["server"]),
    ("net::TcpListener", &["cli", "server"]),
    ("reqwest::Client", &["http/client.rs", "server/fetch.rs"]),
    (
        "reqwest::ClientBuilder",
        &["http/client.rs", "server/fetch.rs"],
    ),
    ("reqwest::blocking", &[]),
    // One thread of work at a time below the shell; `apply` knows only its ports.
    ("tokio::spawn", &["cli", "server"]),
    ("tokio::task", &["cli", "server"]),
    ("thread::spawn", &["cli", "server"]),
    // A secret has one road.
    ("Secret::expose", &["platform", "forge", "sinks"]),
];

/// Members of the workspace that are no part of the house: what tests need besides.
const EQUIPMENT: &[&str] = &["standins"];

/// Members that hold rooms. The root re-exports these under their names, so that all are read as one
/// crate; which package may use which is held by cargo.
const PACKAGES: &[&str] = &["edges", "language", "model"];

/// Files that are long because they hold a long table.
const LONG: &[&str] = &[];
const MOST_LINES: usize = 600;

/// The one place that prints.
const PRINTER: &str = "cli/console.rs";
/// The one place of options that commands share.
const OPTIONS: &str = "cli/options.rs";

// What is still to be put right, by file or folder. What is not needed any more is found.
/// Circles of files, by the folder that has all of one.
const CIRCLES: &[&str] = &[];
/// Files that print besides.
const PRINT: &[&str] = &[];
/// Files with state of the whole process.
const STATE: &[&str] = &[];
/// Files with options that commands share.
const SHARED: &[&str] = &[];

/// Modules of several files that are no folder with a `mod.rs`.
const BESIDE: &[&str] = &[];

const FORBIDDEN_NAMES: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "manager", "managers", "errors", "misc",
];

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !matches!(
                name.as_ref(),
                "target" | ".git" | ".rolecall" | "node_modules"
            ) {
                files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// The sources below a folder `src`, without those that are for tests alone.
fn below(krate: &str, prefix: &str, src: &Path) -> Vec<Source> {
    let mut all = Vec::new();
    files(src, &mut all);
    let read = all.iter().filter_map(|path| {
        let relative = path.strip_prefix(src).expect("below src");
        let relative = relative.to_string_lossy().replace('\\', "/");
        let text = || fs::read_to_string(path).expect("UTF-8");
        // The program is a crate of its own.
        let krate = match relative.as_str() {
            "main.rs" => "main",
            _ => krate,
        };
        relative
            .ends_with(".rs")
            .then(|| reader::read(krate, prefix, &relative, &text()))
    });
    let mut sources: Vec<Source> = read.collect();
    let tests: BTreeSet<String> = sources
        .iter()
        .flat_map(|source| source.tests.clone())
        .collect();
    sources.retain(|source| {
        let mut tests = tests.iter();
        !tests.any(|test| {
            source.path == *test || test.ends_with('/') && source.path.starts_with(test)
        })
    });
    sources
}

/// The sources of the package and of all members of its workspace, read once for all tests.
fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read);
    &SOURCES
}

fn read() -> Vec<Source> {
    let mut sources = below("rolecall", "", &root().join("src"));
    for package in PACKAGES {
        let folder = root().join("crates").join(package).join("src");
        let mut rooms = below("rolecall", "", &folder);
        // It names the rooms, and nothing else.
        rooms.retain(|source| source.path != "lib.rs");
        sources.extend(rooms);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let Ok(members) = fs::read_dir(root().join("crates")) else {
        return sources;
    };
    let mut members: Vec<PathBuf> = members
        .map(|member| member.expect("an entry").path())
        .collect();
    let known = [EQUIPMENT, PACKAGES].concat();
    members.retain(|member| !known.iter().any(|name| member.ends_with(name)));
    members.sort();
    for member in members {
        let manifest = fs::read_to_string(member.join("Cargo.toml")).expect("a manifest");
        let name = manifest.lines().find_map(|line| {
            let value = line.strip_prefix("name")?.trim_start().strip_prefix('=')?;
            Some(value.trim().trim_matches('"').replace('-', "_"))
        });
        let folder = member.file_name().unwrap_or_default().to_string_lossy();
        let name = name.expect("a package has a name");
        sources.extend(below(&name, &format!("{folder}/"), &member.join("src")));
    }
    sources
}

#[test]
fn the_code_keeps_to_the_plan() {
    let sources = sources();
    let world = World::new(sources);
    let mut found: Vec<String> = sources
        .iter()
        .flat_map(|source| violations(&world, source))
        .collect();
    let breaches = breaches(&world);
    found.extend(excused(breaches.printing, PRINT, "PRINT"));
    found.extend(excused(breaches.state, STATE, "STATE"));
    found.extend(excused(breaches.options, SHARED, "SHARED"));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Tests may stand apart, in `NAME/tests.rs` beside `NAME.rs`; they are not among the sources.
#[test]
fn a_module_of_several_files_is_a_folder_with_a_mod_rs() {
    let sources = sources();
    let paths = || sources.iter().map(|source| source.path.as_str());
    let has_folder = |path: &&str| {
        let folder = path.strip_suffix(".rs").map(|path| format!("{path}/"));
        folder.is_some_and(|folder| paths().any(|other| other.starts_with(&folder)))
    };
    let beside: Vec<&str> = paths().filter(has_folder).collect();
    assert_eq!(beside, BESIDE, "git mv NAME.rs NAME/mod.rs");
}

#[test]
fn there_are_no_circles_of_files() {
    let sources = sources();
    let circles = World::new(sources).circles();
    let name = |file: usize| sources[file].path.as_str();
    let mut needed = BTreeSet::new();
    let mut found = String::new();
    for circle in &circles {
        let excuse = CIRCLES.iter().find(|folder| {
            let mut files = circle.files.iter();
            files.all(|file| name(*file).starts_with(**folder))
        });
        let mut told = format!("a circle of {} files\n", circle.files.len());
        for (from, to, what, line) in &circle.uses {
            told += &format!("  {}:{line} uses {} ({what})\n", name(*from), name(*to));
        }
        println!("{told}");
        match excuse {
            Some(folder) => _ = needed.insert(*folder),
            None => found += &told,
        }
    }
    let mut sizes: Vec<(usize, &str)> =
        sources.iter().map(|s| (s.lines, s.path.as_str())).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let whole: usize = sizes.iter().map(|(lines, _)| lines).sum();
    println!("{whole} lines without tests in {} files", sizes.len());
    for (lines, path) in sizes.iter().take(20) {
        println!("{lines:>5} {path}");
    }
    let in_circles: usize = circles.iter().map(|circle| circle.files.len()).sum();
    println!("{} circles of {in_circles} files", circles.len());
    for folder in CIRCLES {
        if !needed.contains(folder) {
            found += &format!("CIRCLES: {folder} has no circle any more\n");
        }
    }
    assert!(found.is_empty(), "\n{found}");
}

#[test]
fn a_row_names_only_rows_above_it() {
    let mut above = BTreeSet::new();
    for (module, may) in TABLE {
        for used in *may {
            assert!(above.contains(used), "`{module}` names `{used}`");
        }
        assert!(above.insert(*module), "`{module}` has two rows");
    }
    let cli = TABLE.last().expect("a table");
    assert_eq!((cli.0, cli.1.len()), ("cli", TABLE.len() - 1));
}

#[test]
fn the_project_stands_alone() {
    let outside = concat!("..", "/shared");
    let mut all = Vec::new();
    files(&root(), &mut all);
    for path in all {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        assert!(!text.contains(outside), "{}", path.display());
    }
}
