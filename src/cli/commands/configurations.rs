//! `rolecall configurations`: which configurations a repository has, those of base and head together. Talks to
//! nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::ready;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::host::hand_on;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::load;
use crate::cli::options::OutputArgs;
use crate::cli::outputs::Files;
use crate::cli::reporter::Reporter;
use crate::cli::subfolders;
use crate::config::{FileKind, file_kind};
use crate::echo;
use crate::model::short_digest;
use crate::review::{Configuration, Presence, matrix};
use crate::view::inert;

/// The deepest folder that is looked at.
const MAX_DEPTH: usize = 24;
/// How many digits of a file's digest are compared: all.
const DIGITS: usize = 64;
/// The most entries of folders that are looked at.
const MAX_ENTRIES: usize = 200_000;

/// `rolecall configurations`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "A directory with a `rolecall` block is a configuration. Folders whose names begin with a \
dot, and links, are not entered. Exits 1 if there is no configuration at all, so that nothing to judge never \
looks like all is judged.\n\nExamples:\n  rolecall configurations\n  \
rolecall configurations --base ../base --outputs found.txt ."
)]
pub struct ConfigurationsArgs {
    /// The root of a checkout of the repository
    #[arg(default_value = ".")]
    pub dir: PathBuf,

    /// The root of a checkout of the branch that it is to be merged into: a configuration that is there alone is
    /// listed as removed, and the others say whether a file of theirs differs
    #[arg(long, value_name = "DIR")]
    pub base: Option<PathBuf>,

    /// What the next jobs are told.
    #[command(flatten)]
    pub outputs: OutputArgs,
}

impl Invocation for ConfigurationsArgs {
    fn files(&self) -> Files<'_> {
        Files::default().writes("--outputs", self.outputs.outputs.as_ref())
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(ready(run(&self, &context.reporter)))
    }
}

fn run(args: &ConfigurationsArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let head = Tree::read(&args.dir, "DIR")?;
    let base = args.base.as_deref().map(|dir| Tree::read(dir, "--base"));
    let base = base.transpose()?;
    let all = configurations(&head, base.as_ref(), reporter);
    if all.is_empty() {
        return Err(Failure::error(
            "there is no configuration: no directory has a `rolecall` block",
        )
        .help("name the root of a checkout; `rolecall init` begins a configuration"));
    }
    let due = |one: &&Configuration| one.changed || one.state == Presence::Removed;
    let changed: Vec<Configuration> = all.iter().filter(due).cloned().collect();
    let removed = all.iter().filter(|one| one.state == Presence::Removed);
    let line = |of: &[Configuration]| matrix(of).map_err(Failure::error);
    let whole = line(&all)?;
    hand_on(
        &args.outputs,
        &[
            ("matrix", whole.clone()),
            ("changed", line(&changed)?),
            ("count", all.len().to_string()),
            ("changed_count", changed.len().to_string()),
            ("removed_count", removed.count().to_string()),
        ],
    )?;
    reporter.data(&format!("{whole}\n"));
    Ok(Exit::Done)
}

/// The configurations of both, those that are removed first.
fn configurations(head: &Tree, base: Option<&Tree>, reporter: &Reporter) -> Vec<Configuration> {
    let shared = base.is_some_and(|base| head.shared() != base.shared());
    let removed = base.into_iter().flat_map(|base| {
        let gone = base.directories.difference(&head.directories);
        gone.map(move |directory| (base, directory, Presence::Removed))
    });
    let present = head
        .directories
        .iter()
        .map(|directory| (head, directory, Presence::Present));
    let all = removed.chain(present);
    all.map(|(tree, directory, state)| {
        let same = base.is_some_and(|base| {
            !shared && state == Presence::Present && head.of(directory) == base.of(directory)
        });
        Configuration {
            directory: directory.clone(),
            stack: stack(&tree.root.join(directory), directory, reporter),
            state,
            changed: !same,
            name: directory.clone(),
        }
    })
    .collect()
}

/// The stack of a configuration; nothing if its block does not say it in plain words.
fn stack(dir: &Path, directory: &str, reporter: &Reporter) -> String {
    match load::sealing(dir, reporter) {
        Ok((sealing, _)) => sealing
            .stack
            .map(|stack| stack.to_string())
            .unwrap_or_default(),
        Err(failure) => {
            let why = failure
                .findings()
                .iter()
                .find_map(|finding| finding.error());
            let why = why.map_or_else(|| "it cannot be read".to_owned(), |(why, _)| why);
            reporter.warn(&format!("{}: {why}", inert(directory)));
            String::new()
        }
    }
}

/// The files of a checkout, each by its path from the root with the digest of what it holds, and which folders are
/// configurations.
struct Tree {
    root: PathBuf,
    files: BTreeMap<String, String>,
    directories: BTreeSet<String>,
}

impl Tree {
    /// Reads what may matter to a configuration.
    fn read(root: &Path, option: &'static str) -> Result<Self, Failure> {
        let mut walk = Walk {
            option,
            left: MAX_ENTRIES,
            files: Vec::new(),
            directories: BTreeSet::new(),
        };
        walk.folder(root, "", 0)?;
        let mut tree = Self {
            root: root.to_owned(),
            files: BTreeMap::new(),
            directories: walk.directories,
        };
        // Of what lies beside no file of ours nothing is read.
        let folders: BTreeSet<String> = walk
            .files
            .iter()
            .filter(|(path, _)| is_ours(path))
            .map(|(path, _)| folder(path).to_owned())
            .collect();
        for (path, link) in walk.files {
            let near = tree.configuration(&path).is_some()
                || above(&path).any(|one| folders.contains(one));
            if !near {
                continue;
            }
            let full = root.join(&path);
            let read = match link {
                // What it leads to is a file of its own, or none of the repository's.
                true => fs::read_link(&full).map(|to| {
                    let to = to.into_os_string().into_encoded_bytes();
                    format!("link {}", short_digest(&to, DIGITS))
                }),
                false => fs::read(&full).map(|bytes| short_digest(&bytes, DIGITS)),
            };
            let digest = read.map_err(|error| unreadable(&full, option, &error))?;
            tree.files.insert(path, digest);
        }
        Ok(tree)
    }

    /// The configuration that a file belongs to: the deepest that holds it.
    fn configuration(&self, path: &str) -> Option<&str> {
        above(path).find_map(|folder| {
            let shown = if folder.is_empty() { "." } else { folder };
            self.directories.get(shown).map(String::as_str)
        })
    }

    /// The files of a configuration.
    fn of(&self, directory: &str) -> BTreeMap<&str, &str> {
        let own = |path: &str| self.configuration(path) == Some(directory);
        let files = self.files.iter().filter(|(path, _)| own(path));
        files
            .map(|(path, digest)| (path.as_str(), digest.as_str()))
            .collect()
    }

    /// The files of no configuration that any may use: modules and policies with what lies beside them.
    fn shared(&self) -> BTreeMap<&str, &str> {
        let files = self
            .files
            .iter()
            .filter(|(path, _)| self.configuration(path).is_none());
        files
            .map(|(path, digest)| (path.as_str(), digest.as_str()))
            .collect()
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The folders that hold a file, the nearest first; the root is empty.
fn above(path: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(folder(path));
    std::iter::from_fn(move || {
        let here = next?;
        next = (!here.is_empty()).then(|| folder(here));
        Some(here)
    })
}

fn is_ours(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.to_ascii_lowercase().ends_with(".hcl")
}

struct Walk {
    option: &'static str,
    left: usize,
    /// Each path, and whether it is a link.
    files: Vec<(String, bool)>,
    directories: BTreeSet<String>,
}

impl Walk {
    fn folder(&mut self, dir: &Path, shown: &str, depth: usize) -> Result<(), Failure> {
        let refuse = |error: &std::io::Error| unreadable(dir, self.option, error);
        let entries = fs::read_dir(dir).map_err(|error| refuse(&error))?;
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(dir, self.option, &error))?;
            self.left = self
                .left
                .checked_sub(1)
                .ok_or_else(|| too_much(dir, self.option))?;
            let kind = entry
                .file_type()
                .map_err(|error| unreadable(dir, self.option, &error))?;
            // A name that is no text is none of a configuration's.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if kind.is_dir() {
                if !name.starts_with('.') {
                    folders.push(name);
                }
                continue;
            }
            if kind.is_file()
                && file_kind(&name) == FileKind::Configuration
                && subfolders::begins(&entry.path())
            {
                let directory = shown.trim_end_matches('/');
                let directory = if directory.is_empty() { "." } else { directory };
                self.directories.insert(directory.to_owned());
            }
            self.files
                .push((format!("{shown}{name}"), kind.is_symlink()));
        }
        for name in folders {
            if depth >= MAX_DEPTH {
                return Err(too_much(dir, self.option));
            }
            self.folder(&dir.join(&name), &format!("{shown}{name}/"), depth + 1)?;
        }
        Ok(())
    }
}

fn unreadable(path: &Path, option: &'static str, error: &std::io::Error) -> Failure {
    let shown = inert(&echo::path(path).given(option).to_string());
    Failure::error(format!("cannot read {shown}: {error}"))
        .help("a configuration that cannot be seen would be taken for removed")
}

fn too_much(path: &Path, option: &'static str) -> Failure {
    let shown = inert(&echo::path(path).given(option).to_string());
    Failure::error(format!("{shown} holds more folders than are looked at"))
        .help("name the root of a plain checkout")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::FormArgs;

    const BLOCK: &str = "rolecall {\n  stack = \"NAME\"\n  id = \"k7m2q9ta\"\n}\n";

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        home
    }

    fn found(head: &tempfile::TempDir, base: &tempfile::TempDir) -> Vec<Configuration> {
        let reporter = Reporter::new("configurations", &FormArgs::default(), false);
        let read = |dir: &tempfile::TempDir| Tree::read(dir.path(), "DIR").expect("read");
        configurations(&read(head), Some(&read(base)), &reporter)
    }

    fn told(all: &[Configuration]) -> Vec<(&str, &str, bool, bool)> {
        let one = |of: &Configuration| of.state == Presence::Removed;
        all.iter()
            .map(|of| {
                (
                    of.directory.as_str(),
                    of.stack.as_str(),
                    one(of),
                    of.changed,
                )
            })
            .collect()
    }

    #[test]
    fn the_set_is_that_of_base_and_head_together() {
        let block = |name: &str| BLOCK.replace("NAME", name);
        let (a, b, c) = (block("a"), block("b"), block("c"));
        let base = tree(&[
            ("access/a/main.hcl", &a),
            ("access/b/main.hcl", &b),
            ("access/b/README.md", "words"),
            ("access/.hidden/main.hcl", &c),
        ]);
        // The last file of b is gone, and what is left of it is no configuration.
        let head = tree(&[
            ("access/a/main.hcl", &a),
            ("access/b/README.md", "words"),
            ("access/c/main.hcl", &c),
        ]);
        let all = found(&head, &base);
        assert_eq!(
            told(&all),
            [
                ("access/b", "b/k7m2q9ta", true, true),
                ("access/a", "a/k7m2q9ta", false, false),
                ("access/c", "c/k7m2q9ta", false, true),
            ]
        );
    }

    #[test]
    fn a_change_is_one_of_its_own_files_or_of_those_that_any_may_use() {
        let block = |name: &str| BLOCK.replace("NAME", name);
        let (a, b) = (block("a"), block("b"));
        let files = [
            ("a/main.hcl", a.as_str()),
            ("a/people.csv", "ada"),
            ("a/deep/b/main.hcl", b.as_str()),
            ("modules/team/main.hcl", "locals {}\n"),
            ("modules/team/text/note.txt", "x"),
            ("docs/page.md", "x"),
        ];
        let base = tree(&files);
        let changed = |path: &str| {
            let mut files = files.to_vec();
            match files.iter_mut().find(|(known, _)| *known == path) {
                // A module stays none of its own.
                Some(file) if path.starts_with("modules/") => file.1 = "# other",
                Some(file) => file.1 = "rolecall { }\n# other",
                None => files.push((path, "more")),
            }
            let all = found(&tree(&files), &base);
            let changed = all.iter().filter(|one| one.changed);
            changed
                .map(|one| one.directory.clone())
                .collect::<Vec<String>>()
        };
        let none: [&str; 0] = [];
        assert_eq!(changed("docs/page.md"), none);
        assert_eq!(changed("other/new.txt"), none);
        assert_eq!(changed("a/people.csv"), ["a"]);
        assert_eq!(changed("a/new.txt"), ["a"]);
        assert_eq!(changed("a/deep/b/main.hcl"), ["a/deep/b"]);
        for shared in [
            "modules/team/text/note.txt",
            "modules/team/main.hcl",
            "new/x.hcl",
        ] {
            assert_eq!(changed(shared), ["a", "a/deep/b"], "{shared}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_what_it_says_and_is_never_followed() {
        use std::os::unix::fs::symlink;
        let a = BLOCK.replace("NAME", "a");
        let (base, head) = (tree(&[("a/main.hcl", &a)]), tree(&[("a/main.hcl", &a)]));
        let away = tree(&[("x/main.hcl", &a), ("secret", "s3cret")]);
        for home in [&base, &head] {
            symlink(away.path().join("x"), home.path().join("linked")).expect("linked");
        }
        assert!(found(&head, &base).iter().all(|one| !one.changed));
        symlink(away.path().join("secret"), head.path().join("a/link")).expect("linked");
        let all = found(&head, &base);
        assert_eq!(told(&all), [("a", "a/k7m2q9ta", false, true)]);
        let tree = Tree::read(head.path(), "DIR").expect("read");
        let followed = short_digest(b"s3cret", DIGITS);
        assert!(tree.files.values().all(|digest| *digest != followed));
    }
}
