//! `docs/architecture.md` says of the code what is true, and `CONTRIBUTING.md` names what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::graph::World;
use super::source::Source;
use super::{TABLE, root, sources};

fn read(path: &str) -> String {
    let text = fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page() -> String {
    read("docs/architecture.md")
}

/// The rows of the first table below a heading, without its head, as cells.
fn rows<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, rest) = page
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("there is no heading {heading}"));
    let lines = rest.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect();
    rows.map(cells).collect()
}

/// What stands between backticks.
fn ticked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// A table of rooms as the page has it, of one as the code has it.
fn rooms(table: &[(&str, &[&str])]) -> Vec<(String, String)> {
    let last = table.len() - 1;
    let row = |(at, (room, may)): (usize, &(&str, &[&str]))| {
        let names: Vec<String> = may.iter().map(|name| format!("`{name}`")).collect();
        let may = match names.len() {
            0 => "nothing".to_owned(),
            all if at == last && all == last => "everything".to_owned(),
            _ => names.join(", "),
        };
        (format!("`{room}`"), may)
    };
    table.iter().enumerate().map(row).collect()
}

#[test]
fn the_page_has_the_rooms_of_the_table() {
    let page = page();
    let told = rows(&page, "Rooms").into_iter();
    let told: Vec<(String, String)> = told
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect();
    assert_eq!(told, rooms(TABLE), "docs/architecture.md, Rooms");
}

/// The rooms of a package are what its `lib.rs` names, in whatever order.
#[test]
fn the_page_has_the_rooms_of_every_package() {
    let page = page();
    let packages = rows(&page, "Packages");
    assert_eq!(packages.len(), 5);
    for row in packages {
        let Some(folder) = ticked(row[0]).next() else {
            continue;
        };
        if folder == "crates/server" {
            continue;
        }
        let code = read(&format!("{folder}/src/lib.rs"));
        let modules = code.lines().filter_map(|line| {
            let line = line.strip_prefix("pub mod ")?;
            line.strip_suffix(';')
        });
        let told: BTreeSet<&str> = ticked(row[1]).collect();
        assert_eq!(told, modules.collect(), "docs/architecture.md, {folder}");
    }
}

#[test]
fn the_page_knows_where_each_type_stands() {
    let (page, sources) = (page(), sources());
    let rows = rows(&page, "Where each notion has its one type");
    assert!(rows.len() > 20);
    for row in rows {
        let file = ticked(row[2]).next().expect("a file");
        let (_, path) = file.split_once("src/").expect("below src");
        assert!(root().join(file).exists(), "{file} is not there");
        let source = sources.iter().find(|source| source.path == path);
        let source = source.unwrap_or_else(|| panic!("{file} is not there"));
        for name in ticked(row[1]) {
            let mut definitions = source.definitions.iter();
            assert!(
                definitions.any(|definition| definition.name == name),
                "docs/architecture.md: `{name}` does not stand in {file}"
            );
        }
    }
}

#[test]
fn the_page_names_every_port() {
    let (page, code) = (page(), read("crates/model/src/ports.rs"));
    let named: BTreeSet<&str> = rows(&page, "Ports")
        .into_iter()
        .flat_map(|row| ticked(row[0]))
        .collect();
    let ports = code
        .lines()
        .filter_map(|line| line.strip_prefix("pub trait "));
    let ports: BTreeSet<&str> = ports
        .filter_map(|rest| rest.split([' ', ':']).next())
        .collect();
    assert_eq!(named, ports);
}

#[test]
fn the_pages_name_files_that_are_there() {
    const FOLDERS: &[&str] = &[
        "src", "crates", "tests", "docs", "fixtures", "scripts", "examples", "benches", ".ci",
    ];
    let mut named = 0;
    for page in ["docs/architecture.md", "CONTRIBUTING.md"] {
        let text = read(page);
        for path in ticked(&text).filter_map(|words| words.split_whitespace().next()) {
            let below = path.split_once('/').map_or("", |(folder, _)| folder);
            // Whoever adds something chooses its name.
            if FOLDERS.contains(&below) && !path.contains("KIND") {
                assert!(root().join(path).exists(), "{page}: {path} is not there");
                named += 1;
            }
        }
    }
    assert!(named > 60, "{named}");
}

/// What stands in a block of layers: by file, without its end, the line of the block; and the lines
/// that take all files of a folder.
#[derive(Debug, Default, PartialEq)]
struct Layers {
    files: BTreeMap<String, usize>,
    folders: Vec<(String, usize)>,
}

impl Layers {
    fn read(block: &str) -> Self {
        let mut layers = Self::default();
        for (at, line) in block.lines().enumerate() {
            let files = line.split("   ").next().unwrap_or_default();
            for name in files.split_whitespace() {
                match name.strip_suffix('*') {
                    Some(folder) => layers.folders.push((folder.to_owned(), at)),
                    None => {
                        let twice = layers.files.insert(name.to_owned(), at);
                        assert_eq!(twice, None, "{name} stands there twice");
                    }
                }
            }
        }
        layers
    }

    fn of(&self, file: &str) -> Option<usize> {
        let mut folders = self.folders.iter();
        let folder = folders.find(|(folder, _)| file.starts_with(folder.as_str()));
        self.files.get(file).copied().or(folder.map(|(_, at)| *at))
    }
}

/// Uses within a room that do not go up in its layers, and files that do not stand there.
fn out_of_order(world: &World<'_>, room: &str, layers: &Layers) -> Vec<String> {
    let sources = world.sources();
    let name = |source: &Source| {
        let file = source.path.strip_prefix(room)?.strip_prefix('/')?;
        Some(file.strip_suffix(".rs")?.to_owned())
    };
    let mut found = Vec::new();
    let mut there = BTreeSet::new();
    for (source, uses) in sources.iter().zip(world.uses()) {
        let Some(from) = name(source) else { continue };
        let Some(layer) = layers.of(&from) else {
            found.push(format!("{room}/{from} stands in no line"));
            continue;
        };
        for (used, (what, line)) in uses {
            let Some(to) = name(&sources[used]) else {
                continue;
            };
            let mut folders = layers.folders.iter();
            let inside = folders.any(|(_, at)| *at == layer);
            match layers.of(&to) {
                Some(other) if other < layer || inside && other == layer => {}
                _ => found.push(format!("{room}/{from}:{line} uses {to} ({what})")),
            }
        }
        there.insert(from);
    }
    let gone = layers.files.keys().filter(|file| !there.contains(*file));
    found.extend(gone.map(|file| format!("{room}/{file} is not there")));
    found
}

#[test]
fn rooms_keep_to_their_layers() {
    let (page, sources) = (page(), sources());
    let world = World::new(sources);
    let mut found = Vec::new();
    let mut rooms = Vec::new();
    for block in page.split("\n```text ").skip(1) {
        let (room, rest) = block.split_once('\n').expect("a line");
        let block = rest.split("\n```").next().expect("its end");
        found.extend(out_of_order(&world, room, &Layers::read(block)));
        rooms.push(room);
    }
    assert_eq!(rooms, ["cli", "diff", "apply", "check"]);
    assert!(
        found.is_empty(),
        "docs/architecture.md, layers:\n{}",
        found.join("\n")
    );
}

/// The rules bite.
#[test]
fn a_page_that_is_not_true_is_found() {
    let page =
        "x\n## Rooms\n\n| room | may | for |\n|---|---|---|\n| `a` | nothing | x |\n\n| b |\n";
    assert_eq!(rows(page, "Rooms"), [["`a`", "nothing", "x"]]);
    let table: &[(&str, &[&str])] = &[("a", &[]), ("b", &["a"]), ("cli", &["a", "b"])];
    let told = rooms(table);
    let told: Vec<&str> = told.iter().map(|(_, may)| may.as_str()).collect();
    assert_eq!(told, ["nothing", "`a`", "everything"]);

    let source = |path: &str, text: &str| super::reader::read("rolecall", "", path, text);
    let sources = [
        source("lib.rs", ""),
        source("cli/mod.rs", "mod low; mod high; mod side; mod all;"),
        source("cli/low.rs", "pub struct Low;"),
        source("cli/side.rs", "use super::low::Low; pub struct Side;"),
        source("cli/high.rs", "use super::side::Side; use super::low::Low;"),
        source("cli/all/one.rs", "pub struct One;"),
        source(
            "cli/all/two.rs",
            "use super::one::One; use crate::cli::low::Low;",
        ),
    ];
    let world = World::new(&sources);
    let told = |block: &str| out_of_order(&world, "cli", &Layers::read(block)).len();
    assert_eq!(told("low   x\nside\nhigh\nall/*\nmod"), 0);
    for (wrong, how_often) in [
        ("low\nhigh\nside\nall/*\nmod", 1),
        ("side\nlow\nhigh\nall/*\nmod", 1),
        ("low side\nhigh\nall/*\nmod", 1),
        ("low\nside\nhigh\nmod", 2),
        ("low\nside gone\nhigh\nall/*\nmod", 1),
    ] {
        assert_eq!(told(wrong), how_often, "{wrong}");
    }
}
