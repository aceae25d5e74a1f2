//! `docs/environment.md` against the code: every variable that is read is there, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the code of the program stands, but for the embedded platform.
pub const HOUSE: [&str; 4] = [
    "src",
    "crates/edges/src",
    "crates/language/src",
    "crates/model/src",
];

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

/// The code of every source file, without its tests.
fn code() -> Vec<String> {
    let mut files = Vec::new();
    for folder in HOUSE {
        sources(Path::new(folder), &mut files);
    }
    files.retain(|file| {
        !file
            .iter()
            .any(|part| part == "tests" || part == "tests.rs")
    });
    let read = |path: PathBuf| {
        let text = fs::read_to_string(path).expect("readable");
        let code = text.split("\n#[cfg(test)]\nmod ").next();
        code.unwrap_or_default().to_owned()
    };
    files.into_iter().map(read).collect()
}

/// The texts in code that look like a variable's name, or the beginning of one. Those in `--help`
/// stand for values of options, and so do those that a message names.
fn names(code: &str) -> impl Iterator<Item = String> {
    let pattern: regex::Regex = r#""([A-Z][A-Z0-9_]+)""#.parse().expect("valid");
    let mut code = code.to_owned();
    for told in ["value_name = \"", ".given(\"", "flag: \""] {
        code = code.replace(told, "");
    }
    let found: Vec<String> = pattern
        .captures_iter(&code)
        .map(|found| found[1].to_owned())
        .collect();
    found.into_iter()
}

/// The names in the first column of one of the page's tables.
pub fn table(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, rest) = page.split_once(heading).expect("the table");
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| {
        let cell = row.split('|').nth(1).expect("a cell").to_owned();
        let names: Vec<String> = cell
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        names
    })
    .collect()
}

#[test]
fn the_page_has_every_variable_that_is_read_and_no_other() {
    let page = fs::read_to_string("docs/environment.md").expect("there");
    let own = table(&page, "| variable | holds | read by |");
    // What reads variables names them: directly, as a constant, or for an injected environment.
    let reads = |code: &&String| {
        [
            "env::var",
            "env::vars",
            "environment.var",
            "var: &dyn Fn(&str)",
        ]
        .iter()
        .any(|call| code.contains(call))
    };
    let read: BTreeSet<String> = code()
        .iter()
        .filter(reads)
        .flat_map(|code| names(code))
        .map(|name| match name.strip_suffix('_') {
            Some(_) => format!("{name}name"),
            None => name,
        })
        .collect();
    assert!(
        read.contains("CI") && read.contains("MONDOO_API_TOKEN"),
        "{read:?}"
    );
    // Variables that other programs read too are spelt in capitals or not.
    let read: BTreeSet<String> = read.iter().map(|name| name.to_uppercase()).collect();
    let own = own.iter().map(|name| name.to_uppercase()).collect();
    assert_eq!(read, own);
}

/// What sinks may read is a list of the code's; each name in it is read by one of them.
#[test]
fn the_page_has_every_variable_of_a_login_and_no_other() {
    let page = fs::read_to_string("docs/environment.md").expect("there");
    let told = table(&page, "| variable | holds | sink |");
    let known: BTreeSet<String> = rolecall::sinks::VARIABLES
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(told, known);
    let sinks = Path::new("crates/edges/src/sinks");
    let mut files = Vec::new();
    sources(sinks, &mut files);
    files.retain(|file| *file != sinks.join("mod.rs"));
    let code: String = files
        .iter()
        .map(|file| fs::read_to_string(file).expect("readable"))
        .collect();
    for name in known {
        assert!(code.contains(&format!("\"{name}\"")), "nobody reads {name}");
    }
}

#[test]
fn the_page_has_every_variable_that_a_message_names() {
    let page = fs::read_to_string("docs/environment.md").expect("there");
    let mut known = table(&page, "| variable | holds | read by |");
    known.extend(table(&page, "| variable | holds | sink |"));
    known.extend(table(&page, "| variable | effect |"));
    let pattern: regex::Regex =
        r"\b(?:(?:ROLECALL|MONDOO|SSL)_[A-Z0-9_]+[A-Z0-9]|[A-Z]+_PROXY|NO_COLOR)\b"
            .parse()
            .expect("valid");
    let mut found = 0;
    for code in code() {
        // Comments are for people who read the code.
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            for name in pattern.find_iter(line).map(|name| name.as_str()) {
                found += 1;
                assert!(
                    known.contains(name),
                    "{name} is not in docs/environment.md: {line}"
                );
            }
        }
    }
    assert!(found > 15, "only {found} names were found");
}
