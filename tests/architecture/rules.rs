//! The rules for one file, and those that look at what types and names mean.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::World;
use super::source::{Holding, Segments, Source, Use};
use super::{AMBIENT, FORBIDDEN_NAMES, LONG, MOST_LINES, OPTIONS, PRINTER, TABLE};

fn allowed(source: &Source, places: &[&str]) -> bool {
    places
        .iter()
        .any(|place| source.path == *place || source.room() == Some(place))
}

/// Whether the segments of `wanted` stand in `path` one after another.
fn holds(path: &str, wanted: &str) -> bool {
    format!("::{path}::").contains(&format!("::{wanted}::"))
}

/// A path as it is written, and all that it may mean.
fn spellings<'a>(world: &World<'a>, one: &'a Use) -> BTreeSet<String> {
    let meant = world.resolve(&one.module, &one.path).into_iter();
    let meant = meant.map(|found| found.path.join("::"));
    meant.chain([one.path.join("::")]).collect()
}

/// The row of the table that a path leads to.
fn target(world: &World<'_>, source: &Source, one: &Use) -> Option<String> {
    let absolute = world.absolute(&one.module, &one.path)?;
    let (krate, rest) = absolute.split_first()?;
    match krate.as_str() {
        "rolecall" => rest.first().cloned(),
        own if own == source.module[0] => None,
        member => world.room_of(member),
    }
}

/// What a file does that it may not.
pub fn violations(world: &World<'_>, source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let row = TABLE.iter().find(|(name, _)| Some(*name) == source.room());
    let path = &source.path;
    if let (None, Some(room)) = (row, source.room()) {
        found.push(format!("{path}: `{room}` has no row in the table"));
    }
    for (line, why) in &source.unclear {
        found.push(format!("{path}:{line}: {why}"));
    }
    for one in &source.uses {
        let place = format!("{path}:{}", one.line);
        let written = one.path.join("::");
        let to = target(world, source, one);
        if let (Some((room, may)), Some(to)) = (row, &to)
            && to != room
            && !may.contains(&to.as_str())
        {
            found.push(format!("{place}: `{room}` may not use `{to}` ({written})"));
        }
        if path == "main.rs" && to.is_some_and(|to| to != "cli") {
            found.push(format!("{place}: main may use `cli` only ({written})"));
        }
        let spellings = spellings(world, one);
        for (ambient, places) in AMBIENT {
            let mut spellings = spellings.iter();
            if spellings.any(|path| holds(path, ambient)) && !allowed(source, places) {
                found.push(format!("{place}: {ambient} is not for this module"));
            }
        }
    }
    for call in &source.calls {
        if call.name == "expose" && !allowed(source, &["platform", "forge", "sinks"]) {
            let line = call.line;
            found.push(format!(
                "{path}:{line}: only `platform`, `forge` and `sinks` expose secrets"
            ));
        }
    }
    let lines = source.lines;
    if lines > MOST_LINES && !LONG.contains(&path.as_str()) {
        found.push(format!("{path}: {lines} lines are more than {MOST_LINES}"));
    }
    let forbidden = path
        .split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part))
        .any(|part| FORBIDDEN_NAMES.contains(&part));
    if forbidden {
        found.push(format!("{path}: the name says nothing"));
    }
    found
}

/// What stands outside of its one place, by file.
#[derive(Default)]
pub struct Breaches {
    /// Printing.
    pub printing: Vec<(String, String)>,
    /// What can change and lives as long as the process.
    pub state: Vec<(String, String)>,
    /// Options that several commands share.
    pub options: Vec<(String, String)>,
}

/// Finds what stands outside of its one place.
pub fn breaches(world: &World<'_>) -> Breaches {
    let mut found = Breaches::default();
    let mut holdings: BTreeMap<Segments, Vec<&Holding>> = BTreeMap::new();
    for holding in world.sources().iter().flat_map(|source| &source.holdings) {
        let mut path = holding.module.clone();
        path.push(holding.name.clone());
        holdings.entry(path).or_default().push(holding);
    }
    for source in world.sources() {
        let path = &source.path;
        let mut prints = |line: usize, what: &str| {
            if path != PRINTER {
                let why = format!("{path}:{line}: only {PRINTER} prints ({what})");
                found.printing.push((path.clone(), why));
            }
        };
        for one in &source.uses {
            if let Some(what) = printing(world, one) {
                prints(one.line, &what);
            }
        }
        for call in &source.calls {
            // The arguments' parser prints its errors so.
            if call.name == "print" {
                prints(call.line, ".print()");
            }
        }
        for one in &source.statics {
            let mut seen = BTreeSet::new();
            if one.mutable || mutable(world, &holdings, &one.module, &one.types, &mut seen) {
                let (line, name) = (one.line, &one.name);
                let why = format!("{path}:{line}: `{name}` is state of the whole process");
                found.state.push((path.clone(), why));
            }
        }
        for taken in &source.flattened {
            for from in world.resolve(&taken.module, &taken.path) {
                let Some(file) = from.file.map(|file| &world.sources()[file].path) else {
                    continue;
                };
                if file != path && file != OPTIONS {
                    let what = taken.path.join("::");
                    let line = taken.line;
                    let why =
                        format!("{path}:{line}: shared options stand in {OPTIONS} alone ({what})");
                    found.options.push((file.clone(), why));
                }
            }
        }
    }
    found
}

/// What a path prints with, if it does.
fn printing(world: &World<'_>, one: &Use) -> Option<String> {
    const MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];
    const STREAMS: [&str; 4] = ["stdout", "stderr", "Stdout", "Stderr"];
    let last = one.path.last()?.as_str();
    if one.called {
        return MACROS.contains(&last).then(|| format!("{last}!"));
    }
    let found = world.resolve_foreign(&one.module, &one.path);
    found.into_iter().find_map(|path| {
        let stream = path.len() > 1 && STREAMS.contains(&path.last()?.as_str());
        stream.then(|| path.join("::"))
    })
}

/// Whether something within these types can change behind a shared reference.
fn mutable<'a>(
    world: &World<'a>,
    holdings: &BTreeMap<Segments, Vec<&'a Holding>>,
    module: &'a [String],
    types: &'a [Segments],
    seen: &mut BTreeSet<Segments>,
) -> bool {
    const CELLS: [&str; 12] = [
        "Barrier",
        "Cell",
        "Condvar",
        "Mutex",
        "Notify",
        "Once",
        "OnceCell",
        "OnceLock",
        "RefCell",
        "RwLock",
        "Semaphore",
        "UnsafeCell",
    ];
    types.iter().any(|path| {
        world.resolve(module, path).into_iter().any(|found| {
            if found.file.is_none() {
                let last = found.path.last().map_or("", String::as_str);
                return CELLS.contains(&last) || last.starts_with("Atomic");
            }
            let held = holdings.get(&found.path).into_iter().flatten();
            seen.insert(found.path.clone())
                && held
                    .into_iter()
                    .any(|holding| mutable(world, holdings, &holding.module, &holding.types, seen))
        })
    })
}

/// What is found in files that have no excuse, and each excuse that nobody needs.
pub fn excused(found: Vec<(String, String)>, excuses: &[&str], list: &str) -> Vec<String> {
    let files: BTreeSet<&str> = found.iter().map(|(file, _)| file.as_str()).collect();
    let unneeded = excuses.iter().filter(|excuse| !files.contains(*excuse));
    let mut left: Vec<String> = unneeded
        .map(|excuse| format!("{list}: {excuse} needs no excuse any more"))
        .collect();
    for (file, why) in found {
        if !excuses.contains(&file.as_str()) {
            left.push(why);
        }
    }
    left
}
