//! Which file uses which: every path is followed through modules and re-exports to the file that
//! defines what it names. `mod x;` alone is no use.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Kind, Segments, Source};

/// The code as a whole.
pub struct World<'a> {
    sources: &'a [Source],
    modules: BTreeMap<&'a [String], Module<'a>>,
    crates: BTreeSet<&'a str>,
    /// The files in which functions and values of types stand, by the type's full path and their name.
    associated: BTreeMap<(Segments, &'a str), BTreeSet<usize>>,
    /// Macros go by their name alone, as far as they are not imported.
    macros: BTreeMap<&'a str, BTreeSet<usize>>,
}

#[derive(Default)]
struct Module<'a> {
    /// By name: what it is, and in which file.
    defined: BTreeMap<&'a str, Vec<(Kind, usize)>>,
    imported: BTreeMap<&'a str, Vec<&'a [String]>>,
    globs: Vec<&'a [String]>,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The full path, from the crate that defines it.
    pub path: Segments,
    /// The file that defines it; none for a module and for what is not ours.
    pub file: Option<usize>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Module,
    Type,
    Other,
    Foreign,
}

/// What has been looked up on the way, so that no re-export goes round.
type Seen<'s> = BTreeSet<(&'s [String], String)>;

/// Files that use each other, directly or through others.
#[derive(Debug, PartialEq, Eq)]
pub struct Circle {
    /// The files, as numbers of sources.
    pub files: BTreeSet<usize>,
    /// Each use within it: who, whom, what, and at which line first.
    pub uses: Vec<(usize, usize, String, usize)>,
}

impl<'a> World<'a> {
    /// Reads together what the files say.
    pub fn new(sources: &'a [Source]) -> Self {
        let mut world = Self {
            sources,
            modules: BTreeMap::new(),
            crates: BTreeSet::new(),
            associated: BTreeMap::new(),
            macros: BTreeMap::new(),
        };
        for (file, source) in sources.iter().enumerate() {
            world.crates.insert(&source.module[0]);
            for end in 1..=source.module.len() {
                world.modules.entry(&source.module[..end]).or_default();
            }
            for definition in &source.definitions {
                let module = world.modules.entry(&definition.module).or_default();
                let known = module.defined.entry(&definition.name).or_default();
                known.push((definition.kind, file));
                if definition.kind == Kind::Macro {
                    let known = world.macros.entry(&definition.name).or_default();
                    known.insert(file);
                }
            }
            for import in &source.imports {
                let module = world.modules.entry(&import.module).or_default();
                match &import.name {
                    Some(name) => module.imported.entry(name).or_default().push(&import.path),
                    None => module.globs.push(&import.path),
                }
            }
        }
        let mut associated: BTreeMap<(Segments, &str), BTreeSet<usize>> = BTreeMap::new();
        for (file, source) in sources.iter().enumerate() {
            for one in &source.associated {
                for of in world.resolve(&one.module, &one.of) {
                    let known = associated.entry((of.path, &one.name)).or_default();
                    known.insert(file);
                }
            }
        }
        world.associated = associated;
        world
    }

    /// All that a path may name, seen from a module.
    pub fn resolve(&self, module: &'a [String], path: &[String]) -> Vec<Target> {
        self.follow(module, path, &mut Seen::new())
    }

    /// Those of what a path may name that are of no crate of ours.
    pub fn resolve_foreign(&self, module: &'a [String], path: &[String]) -> Vec<Segments> {
        let found = self.resolve(module, path).into_iter();
        let foreign = found.filter(|found| found.end == End::Foreign);
        foreign.map(|found| found.path).collect()
    }

    /// All files.
    pub fn sources(&self) -> &'a [Source] {
        self.sources
    }

    /// The row of the table that a member of the workspace is.
    pub fn room_of(&self, member: &str) -> Option<String> {
        let source = self.sources.iter().find(|s| s.module[0] == member)?;
        source.room().map(str::to_owned)
    }

    /// The path from the root of its crate, if it begins with `crate`, `self`, `super` or a crate of ours.
    pub fn absolute(&self, module: &[String], path: &[String]) -> Option<Segments> {
        let first = path.first()?.as_str();
        let (mut base, rest) = match first {
            "crate" => (module[..1].to_vec(), &path[1..]),
            "self" => (module.to_vec(), &path[1..]),
            "super" => {
                let supers = path.iter().take_while(|part| *part == "super").count();
                let end = module.len().checked_sub(supers)?;
                (module[..end].to_vec(), &path[supers..])
            }
            "" if path.len() > 1 => (Vec::new(), &path[1..]),
            known if self.crates.contains(known) => (Vec::new(), path),
            _ => return None,
        };
        base.extend_from_slice(rest);
        Some(base)
    }

    fn follow(&self, module: &'a [String], path: &[String], seen: &mut Seen<'a>) -> Vec<Target> {
        let Some(first) = path.first() else {
            return Vec::new();
        };
        let relative = !matches!(first.as_str(), "crate" | "self" | "super" | "");
        let inside = if relative {
            self.named(module, first, seen)
        } else {
            Vec::new()
        };
        if relative && !inside.is_empty() {
            let rest = &path[1..];
            return inside
                .into_iter()
                .flat_map(|start| self.go_on(start, rest, seen))
                .collect();
        }
        if let Some(absolute) = self.absolute(module, path)
            && self.crates.contains(absolute[0].as_str())
        {
            let root = Target {
                path: vec![absolute[0].clone()],
                file: None,
                end: End::Module,
            };
            return self.go_on(root, &absolute[1..], seen);
        }
        let foreign = path.iter().filter(|part| !part.is_empty());
        vec![Target {
            path: foreign.cloned().collect(),
            file: None,
            end: End::Foreign,
        }]
    }

    fn go_on(&self, start: Target, rest: &[String], seen: &mut Seen<'a>) -> Vec<Target> {
        let Some(next) = rest.first() else {
            return vec![start];
        };
        let mut whole = start.clone();
        match start.end {
            End::Foreign | End::Type => {
                whole.path.extend_from_slice(rest);
                let key = (start.path, next.as_str());
                let besides = self.associated.get(&key).into_iter().flatten();
                let besides = besides.map(|file| Target {
                    file: Some(*file),
                    ..whole.clone()
                });
                let mut found: Vec<Target> = besides.collect();
                found.push(whole);
                found
            }
            End::Other => Vec::new(),
            End::Module => {
                let Some((module, _)) = self.modules.get_key_value(start.path.as_slice()) else {
                    return Vec::new();
                };
                let found = self.named(module, next, seen);
                found
                    .into_iter()
                    .flat_map(|found| self.go_on(found, &rest[1..], seen))
                    .collect()
            }
        }
    }

    /// All that a name stands for in a module.
    fn named(&self, module: &'a [String], name: &str, seen: &mut Seen<'a>) -> Vec<Target> {
        let Some(inside) = self.modules.get(module) else {
            return Vec::new();
        };
        if !seen.insert((module, name.to_owned())) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut path = module.to_vec();
        path.push(name.to_owned());
        if self.modules.contains_key(path.as_slice()) {
            found.push(Target {
                path: path.clone(),
                file: None,
                end: End::Module,
            });
        }
        for (kind, file) in inside.defined.get(name).into_iter().flatten() {
            let end = match kind {
                Kind::Module => continue,
                Kind::Type => End::Type,
                Kind::Value | Kind::Macro => End::Other,
            };
            found.push(Target {
                path: path.clone(),
                file: Some(*file),
                end,
            });
        }
        for import in inside.imported.get(name).into_iter().flatten() {
            // `use x::x` means the module `x` of this place, or the crate, and never itself.
            found.extend(self.import(module, import, name, seen));
        }
        if found.is_empty() {
            for glob in &inside.globs {
                for start in self.follow(module, glob, &mut seen.clone()) {
                    if start.end != End::Foreign {
                        found.extend(self.go_on(start, &[name.to_owned()], seen));
                    }
                }
            }
        }
        seen.remove(&(module, name.to_owned()));
        found
    }

    fn import(
        &self,
        module: &'a [String],
        path: &'a [String],
        name: &str,
        seen: &mut Seen<'a>,
    ) -> Vec<Target> {
        if path[0] != name {
            return self.follow(module, path, seen);
        }
        let mut child = module.to_vec();
        child.push(name.to_owned());
        let own = self.modules.contains_key(child.as_slice());
        let start = Target {
            path: if own { child } else { vec![name.to_owned()] },
            file: None,
            end: if own || self.crates.contains(name) {
                End::Module
            } else {
                End::Foreign
            },
        };
        self.go_on(start, &path[1..], seen)
    }

    /// Whom each file uses, by what, and at which line first.
    pub fn uses(&self) -> Vec<BTreeMap<usize, (String, usize)>> {
        let each = self.sources.iter().enumerate();
        each.map(|(own, source)| {
            let mut used: BTreeMap<usize, (String, usize)> = BTreeMap::new();
            let mut note = |file: usize, what: String, line: usize| {
                if file != own {
                    used.entry(file).or_insert((what, line));
                }
            };
            for one in &source.uses {
                for found in self.resolve(&one.module, &one.path) {
                    if let Some(file) = found.file {
                        note(file, one.path.join("::"), one.line);
                    }
                }
                if let ([name], true) = (one.path.as_slice(), one.called) {
                    let named = self.macros.get(name.as_str());
                    // A macro of the file's own hides those of others.
                    let others = named.filter(|files| !files.contains(&own));
                    for file in others.into_iter().flatten() {
                        note(*file, format!("{name}!"), one.line);
                    }
                }
            }
            for call in &source.calls {
                let Some(on) = &call.on else { continue };
                for of in self.resolve(&call.module, on) {
                    let key = (of.path, call.name.as_str());
                    for file in self.associated.get(&key).into_iter().flatten() {
                        note(*file, format!("self.{}", call.name), call.line);
                    }
                }
            }
            used
        })
        .collect()
    }

    /// All circles, those of one file's folder too.
    pub fn circles(&self) -> Vec<Circle> {
        let uses = self.uses();
        let reached: Vec<BTreeSet<usize>> =
            (0..uses.len()).map(|from| reach(&uses, from)).collect();
        let mut circles: Vec<Circle> = Vec::new();
        for (file, reaches) in reached.iter().enumerate() {
            if circles.iter().any(|circle| circle.files.contains(&file)) {
                continue;
            }
            let files: BTreeSet<usize> = reaches
                .iter()
                .copied()
                .filter(|other| reached[*other].contains(&file))
                .collect();
            if files.is_empty() {
                continue;
            }
            let inner = files.iter().flat_map(|from| {
                let used = uses[*from].iter();
                let used = used.filter(|(to, _)| files.contains(to));
                used.map(|(to, (what, line))| (*from, *to, what.clone(), *line))
            });
            let uses = inner.collect();
            circles.push(Circle { files, uses });
        }
        circles
    }
}

/// The files that a file reaches, itself only if the way leads back.
fn reach(uses: &[BTreeMap<usize, (String, usize)>], from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> = uses[from].keys().copied().collect();
    while let Some(file) = open.pop() {
        if found.insert(file) {
            open.extend(uses[file].keys());
        }
    }
    found
}
