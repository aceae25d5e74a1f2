//! Holds the code to the plan of the house: which module may use which, who may touch the world.
//! Reads the sources as text; tests inside the modules are free.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The architecture. A row may name only rows above it, so no cycle can exist.
const TABLE: &[(&str, &[&str])] = &[
    ("secret", &[]),
    ("echo", &[]),
    ("yaml", &[]),
    ("http", &[]),
    ("encoding", &[]),
    ("private_file", &[]),
    ("credential_file", &["echo", "yaml"]),
    ("diag", &["echo"]),
    ("model", &["secret", "encoding", "diag"]),
    ("lang", &["encoding", "diag"]),
    ("ports", &["model"]),
    ("poll", &["ports"]),
    ("config", &["diag", "model", "lang"]),
    ("diff", &["model"]),
    ("plan", &["diag", "model", "diff"]),
    ("policy", &["echo", "model", "lang", "config", "plan"]),
    ("refresh", &["model", "ports"]),
    ("check", &["model", "diff", "plan", "ports"]),
    ("apply", &["model", "plan", "policy", "ports"]),
    ("record", &["model", "plan", "apply"]),
    (
        "platform",
        &[
            "secret",
            "echo",
            "http",
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
            "http",
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
            "encoding",
            "private_file",
            "credential_file",
            "diag",
            "model",
            "lang",
            "ports",
            "poll",
            "config",
            "diff",
            "plan",
            "policy",
            "refresh",
            "check",
            "apply",
            "record",
            "platform",
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
    ("std::fs", &["private_file.rs", "cli", "sinks", "server"]),
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
    ("Secret::expose", &["platform", "sinks"]),
];

/// Files that are long because they hold a long table.
const LONG: &[&str] = &[];
const MOST_LINES: usize = 600;

const FORBIDDEN_NAMES: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "manager", "managers", "errors", "misc",
];

/// One source file, without comments, texts and tests.
struct Source {
    /// Below `src`, with `/`.
    path: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            code: without_tests(&blank(text)),
        }
    }

    /// The row of the table; `None` for the roots.
    fn module(&self) -> Option<&str> {
        let first = self.path.split('/').next().unwrap_or_default();
        match first.strip_suffix(".rs").unwrap_or(first) {
            "lib" | "main" => None,
            module => Some(module),
        }
    }

    /// How many `super` lead from the file's own module to the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") {
            parts - 1
        } else {
            parts
        }
    }
}

/// Blanks comments, texts and characters; keeps lines.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    let keep = |out: &mut String, c: char| out.push(if c == '\n' { '\n' } else { ' ' });
    while i < chars.len() {
        let identifier_before = i > 0 && (at(i - 1).is_alphanumeric() || at(i - 1) == '_');
        if at(i) == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if at(i) == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            while i < chars.len() {
                if at(i) == '/' && at(i + 1) == '*' {
                    depth += 1;
                    i += 2;
                } else if at(i) == '*' && at(i + 1) == '/' {
                    depth -= 1;
                    i += 2;
                    if depth == 0 {
                        break;
                    }
                } else {
                    keep(&mut out, at(i));
                    i += 1;
                }
            }
        } else if !identifier_before && raw_text(&chars, i).is_some() {
            let (start, hashes) = raw_text(&chars, i).unwrap_or((i, 0));
            let end: Vec<char> = std::iter::once('"')
                .chain(std::iter::repeat_n('#', hashes))
                .collect();
            i = start;
            while i < chars.len() && !chars[i..].starts_with(&end) {
                keep(&mut out, at(i));
                i += 1;
            }
            i += end.len();
        } else if at(i) == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                if at(i) == '\\' {
                    keep(&mut out, at(i));
                    i += 1;
                }
                keep(&mut out, at(i));
                i += 1;
            }
            i += 1;
        } else if at(i) == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            // A character; anything else after `'` is a lifetime.
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
            out.push(' ');
        } else {
            out.push(at(i));
            i += 1;
        }
    }
    out
}

/// The begin of the content and the number of `#`, if a raw text begins at `i`.
fn raw_text(chars: &[char], i: usize) -> Option<(usize, usize)> {
    let mut at = i;
    if matches!(chars.get(at), Some('b' | 'c')) {
        at += 1;
    }
    if chars.get(at) != Some(&'r') {
        return None;
    }
    at += 1;
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + hashes) == Some(&'"')).then_some((at + hashes + 1, hashes))
}

const TEST_MARKS: [&str; 2] = ["#[cfg(test)]", "#[cfg(all(test"];

/// Where the item behind the test mark at `start` ends: its `;`, or the brace that closes it.
fn end_of_item(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    let mut brackets = 0_usize;
    for (at, c) in code[start..].char_indices() {
        match c {
            '[' | '(' => brackets += 1,
            ']' | ')' => brackets = brackets.saturating_sub(1),
            '{' => depth += 1,
            '}' if depth == 1 => return start + at + 1,
            '}' => depth = depth.saturating_sub(1),
            ';' if depth == 0 && brackets == 0 => return start + at + 1,
            _ => {}
        }
    }
    code.len()
}

fn next_mark(code: &str) -> Option<usize> {
    TEST_MARKS.iter().filter_map(|mark| code.find(mark)).min()
}

/// The code without the items that exist in tests only.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(start) = next_mark(rest) {
        out.push_str(&rest[..start]);
        rest = &rest[end_of_item(rest, start)..];
    }
    out + rest
}

/// Names of the modules that a file declares for tests only: `#[cfg(test)] mod fixture;`.
fn test_modules(text: &str) -> Vec<String> {
    let code = blank(text);
    let mut names = Vec::new();
    let mut rest = code.as_str();
    while let Some(start) = next_mark(rest) {
        let end = end_of_item(rest, start);
        let item = rest[start..end].trim_end();
        if let (Some((_, name)), true) = (item.rsplit_once("mod "), item.ends_with(';')) {
            names.push(name.trim_end_matches(';').trim().to_owned());
        }
        rest = &rest[end..];
    }
    names
}

/// All paths of the code with their lines, `use` groups spread out.
fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    let mut line = 1;
    while let Some(c) = rest.chars().next() {
        if c.is_alphabetic() || c == '_' {
            let mut here = Vec::new();
            rest = tree(rest, "", &mut here);
            let starts = line;
            let consumed = code.len() - rest.len();
            line = 1 + code[..consumed].matches('\n').count();
            found.extend(here.into_iter().map(|path| (starts, path)));
        } else {
            if c == '\n' {
                line += 1;
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

/// Reads a path or a `use` tree at the begin of `rest`; gives what follows.
fn tree<'a>(mut rest: &'a str, prefix: &str, found: &mut Vec<String>) -> &'a str {
    let mut path = prefix.to_owned();
    loop {
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        path.push_str(&rest[..end]);
        rest = &rest[end..];
        let Some(next) = rest.trim_start().strip_prefix("::") else {
            break;
        };
        let next = next.trim_start();
        path.push_str("::");
        if let Some(group) = next.strip_prefix('{') {
            let mut inner = group.trim_start();
            while !inner.is_empty() && !inner.starts_with('}') {
                inner = tree(inner, &path, found).trim_start();
                if let Some(renamed) = inner.strip_prefix("as ") {
                    inner = renamed.trim_start_matches(|c: char| c != ',' && c != '}');
                }
                inner = inner.trim_start_matches([',', '*']).trim_start();
            }
            return inner.strip_prefix('}').unwrap_or(inner);
        }
        if !next.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            // `::*`, `::<…>` and the like end the path.
            if next.starts_with('*') {
                path.push('*');
            }
            rest = next;
            break;
        }
        rest = next;
    }
    found.push(path.trim_end_matches("::").to_owned());
    rest
}

/// The row of the table that a path leads to, seen from a file; `None` if it stays inside.
fn target(source: &Source, path: &str) -> Option<String> {
    let mut segments = path.split("::").peekable();
    let mut supers = 0;
    match segments.peek() {
        Some(&"crate") => {
            segments.next();
        }
        Some(&"super") => {
            while segments.next_if(|segment| *segment == "super").is_some() {
                supers += 1;
            }
            if supers < source.depth() {
                return None;
            }
        }
        _ => return None,
    }
    // `crate` and `super` alone say who may see an item, as in `pub(crate)`.
    segments.next().map(str::to_owned)
}

fn allowed(source: &Source, places: &[&str]) -> bool {
    places
        .iter()
        .any(|place| source.path == *place || source.module() == Some(place))
}

/// Whether the segments of `wanted` stand in `path` one after another.
fn holds(path: &str, wanted: &str) -> bool {
    format!("::{path}::").contains(&format!("::{wanted}::"))
}

fn violations(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let row = TABLE
        .iter()
        .find(|(name, _)| Some(*name) == source.module());
    if let (None, Some(module)) = (row, source.module()) {
        found.push(format!(
            "{}: `{module}` has no row in the table",
            source.path
        ));
    }
    for (line, path) in paths(&source.code) {
        let place = format!("{}:{line}", source.path);
        if let (Some((module, may)), Some(to)) = (row, target(source, &path))
            && to != *module
            && !may.contains(&to.as_str())
        {
            found.push(format!("{place}: `{module}` may not use `{to}` ({path})"));
        }
        if source.path == "main.rs" && path.starts_with("rolecall::") && !holds(&path, "cli") {
            found.push(format!("{place}: main may use `cli` only ({path})"));
        }
        for (ambient, places) in AMBIENT {
            if holds(&path, ambient) && !allowed(source, places) {
                found.push(format!("{place}: {ambient} is not for this module"));
            }
        }
    }
    for (number, line) in source.code.lines().enumerate() {
        let exposes = line.replace(' ', "").contains(".expose(");
        if exposes && !allowed(source, &["platform", "sinks"]) {
            let place = format!("{}:{}", source.path, number + 1);
            found.push(format!(
                "{place}: only `platform` and `sinks` expose secrets"
            ));
        }
    }
    let lines = source.code.lines().count();
    if lines > MOST_LINES && !LONG.contains(&source.path.as_str()) {
        let path = &source.path;
        found.push(format!("{path}: {lines} lines are more than {MOST_LINES}"));
    }
    let forbidden = source
        .path
        .split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part))
        .any(|part| FORBIDDEN_NAMES.contains(&part));
    if forbidden {
        found.push(format!("{}: the name says nothing", source.path));
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
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

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let mut texts = Vec::new();
    let mut for_tests = BTreeSet::new();
    for path in all {
        let relative = path.strip_prefix(&src).expect("below src");
        if relative
            .extension()
            .is_none_or(|extension| extension != "rs")
        {
            continue;
        }
        let name = relative.to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&path).expect("UTF-8");
        let folder = match name.as_str() {
            "lib.rs" | "main.rs" => String::new(),
            _ => match name.strip_suffix("mod.rs") {
                Some(folder) => folder.to_owned(),
                None => format!("{}/", name.trim_end_matches(".rs")),
            },
        };
        for module in test_modules(&text) {
            for_tests.insert(format!("{folder}{module}.rs"));
            for_tests.insert(format!("{folder}{module}/mod.rs"));
        }
        texts.push((name, text));
    }
    texts
        .iter()
        .filter(|(name, _)| !for_tests.contains(name))
        .map(|(name, text)| Source::new(name, text))
        .collect()
}

#[test]
fn the_code_keeps_to_the_plan() {
    let found: Vec<String> = sources().iter().flat_map(violations).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
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

#[test]
fn planted_violations_are_found() {
    let long = "fn f() {}\n".repeat(MOST_LINES + 1);
    for (path, text, hint) in [
        (
            "diff/mod.rs",
            "use crate::plan::Plan;",
            "may not use `plan`",
        ),
        (
            "diff/mod.rs",
            "use crate::{model::Mrn, plan::Plan};",
            "`plan`",
        ),
        (
            "diff/mod.rs",
            "use crate::{\n    model::{Mrn, Role},\n    ports as p,\n};",
            "`ports`",
        ),
        ("diff/account.rs", "use super::super::plan::Plan;", "`plan`"),
        ("diff/mod.rs", "use super::plan::Plan;", "`plan`"),
        ("refresh.rs", "use super::apply;", "`apply`"),
        ("diff/mod.rs", "fn f() -> crate::plan::Plan {}", "`plan`"),
        ("server/mod.rs", "use crate::model::Mrn;", "`model`"),
        ("diff/mod.rs", "use crate::*;", "`*`"),
        ("extra/mod.rs", "", "no row"),
        ("main.rs", "use rolecall::apply;", "`cli` only"),
        (
            "diff/mod.rs",
            "fn f() { Timestamp::now(); }",
            "Timestamp::now",
        ),
        (
            "diff/mod.rs",
            "fn f() { jiff::Timestamp::now(); }",
            "Timestamp::now",
        ),
        (
            "apply/mod.rs",
            "use std::time::{Duration, Instant};",
            "time::Instant",
        ),
        ("config/mod.rs", "use std::{env, fs};", "std::env"),
        ("config/mod.rs", "use std::{env, fs};", "std::fs"),
        (
            "platform/client.rs",
            "fn f() { tokio::time::sleep(d); }",
            "tokio::time",
        ),
        (
            "platform/client.rs",
            "use reqwest::Client;",
            "reqwest::Client",
        ),
        ("sinks/file.rs", "use std::env;", "std::env"),
        (
            "apply/mod.rs",
            "fn f() { tokio::spawn(x); }",
            "tokio::spawn",
        ),
        (
            "plan/mod.rs",
            "use tokio::task::spawn_blocking;",
            "tokio::task",
        ),
        ("apply/mod.rs", "fn f() { key.expose(); }", "expose"),
        ("view/mod.rs", "fn f() { Secret::expose(&key); }", "expose"),
        ("plan/mod.rs", long.as_str(), "lines are more"),
        ("plan/util.rs", "", "says nothing"),
        ("plan/helpers/mod.rs", "", "says nothing"),
    ] {
        let found = violations(&Source::new(path, text));
        assert!(
            found.iter().any(|why| why.contains(hint)),
            "{path}: {text}: {found:?}"
        );
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    let quoted = r##"
        // use crate::plan;
        /* use crate::plan; /* nested */ fs */
        /// See [`crate::plan`].
        const A: &str = "use crate::plan; \" std::fs";
        const B: &str = r#"crate::plan " std::fs"#;
        const C: char = '"'; const D: char = '\''; fn f<'a>(x: &'a str) {}
        const E: &str = "std::env";
    "##;
    let tested = "use crate::model::Mrn;\n#[cfg(test)]\nmod tests { use crate::plan; mod x { } fn f() { std::fs::read(p); } }\nfn g() {}";
    for (path, text) in [
        (
            "diff/mod.rs",
            "use crate::model::{Mrn, Role as R};\nuse super::diff::x;",
        ),
        ("diff/mod.rs", quoted),
        ("diff/mod.rs", "pub(crate) fn f() {}\npub(super) fn g() {}"),
        ("diff/mod.rs", tested),
        (
            "diff/mod.rs",
            "#[cfg(test)]\nuse crate::plan::Plan;\nfn f() {}",
        ),
        ("diff/account.rs", "use super::other::plan;"),
        (
            "diff/mod.rs",
            "fn f() { let s = env!(concat!()); model::plan(); }",
        ),
        (
            "cli/mod.rs",
            "use crate::apply;\nuse std::env;\nfn f() { Timestamp::now(); }",
        ),
        ("sinks/file.rs", "use std::fs;\nfn f() { key.expose(); }"),
        ("http/client.rs", "fn f() { reqwest::Client::builder(); }"),
        (
            "platform/endpoint.rs",
            "use reqwest::Url;\nuse std::net::IpAddr;",
        ),
        ("main.rs", "fn main() { rolecall::cli::main() }"),
        ("lib.rs", "pub mod apply;\npub use crate::model::Mrn;"),
    ] {
        let found = violations(&Source::new(path, text));
        assert!(found.is_empty(), "{path}: {found:?}");
    }
    let marked = "#[cfg(test)]\nmod fixture;\nmod real;\n#[cfg(test)]\nmod tests { }";
    assert_eq!(test_modules(marked), ["fixture"]);
}
