//! The files of a first project: all of them are written or none, and nothing that was there is
//! lost.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::paths::word;
use crate::config;
use crate::{echo, sinks};

/// What git must not see, and why.
const WHY: &str = "# What the embedded platform keeps (--local), keys that are delivered here, and \
                   the seal key.";
/// Where the new stack's seal key stands until it is put away.
pub const SEAL_KEY: &str = "seal.key";
const IGNORED: [&str; 3] = [".rolecall/", "credentials/", SEAL_KEY];

/// One file to write.
#[derive(Clone)]
pub struct Planned {
    /// Where it goes.
    pub path: PathBuf,
    /// What is written.
    pub text: Zeroizing<String>,
    /// Whether it is for its owner's eyes alone.
    pub secret: bool,
    /// Whether it is a program.
    pub runs: bool,
    /// Whether the text is added at the end of a file that is there.
    pub added: bool,
}

/// What git is told to ignore: a new file, or the lines that the one that is there lacks.
pub fn ignored(dir: &Path) -> Result<Option<Planned>, Failure> {
    let path = dir.join(".gitignore");
    let shown = echo::path(&path);
    let planned = |text: String, added| Planned {
        path: path.clone(),
        text: text.into(),
        secret: false,
        runs: false,
        added,
    };
    let fail = |error| Failure::error(format!("cannot read {shown}: {error}"));
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let text = format!("{WHY}\n{}\n", IGNORED.join("\n"));
            return Ok(Some(planned(text, false)));
        }
        Err(error) => return Err(fail(error)),
        Ok(found) if !found.is_file() => {
            let why = format!("{shown} is not a regular file, and git reads no other");
            return Err(
                Failure::error(why).help("put a regular file in its place; nothing was written")
            );
        }
        Ok(_) => {}
    }
    let there = fs::read(&path).map_err(fail)?;
    Ok(lacking(&String::from_utf8_lossy(&there)).map(|text| planned(text, true)))
}

/// What must be added to the text of a `.gitignore`; `None` if it says all of it.
fn lacking(there: &str) -> Option<String> {
    let lines: Vec<&str> = sinks::git_lines(there).collect();
    let lacks = |wanted: &&str| {
        let last = lines.iter().rposition(|line| line == wanted);
        // A `!` further down may take it back.
        last.is_none_or(|at| lines[at..].iter().any(|line| line.starts_with('!')))
    };
    let missing: Vec<&str> = IGNORED.into_iter().filter(lacks).collect();
    if missing.is_empty() {
        return None;
    }
    let before = match there {
        "" => "",
        _ if there.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    Some(format!("{before}{WHY}\n{}\n", missing.join("\n")))
}

/// The files of the configuration that a folder holds.
pub fn configuration(dir: &Path, main: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
    let names: Vec<String> = match fs::read_dir(dir) {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let dir = echo::path(dir).given("DIR");
            return Err(Failure::error(format!("cannot read {dir}: {error}")));
        }
    };
    let selection = config::select(names.iter().map(String::as_str));
    let mut found: BTreeSet<PathBuf> = selection
        .configuration
        .iter()
        .map(|n| dir.join(n))
        .collect();
    found.extend(there(main).then(|| main.to_owned()));
    Ok(found)
}

fn there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Refuses if anything that would be written, or another configuration, is there.
pub fn in_the_way(
    dir: &Path,
    configuration: &BTreeSet<PathBuf>,
    files: &[Planned],
) -> Result<(), Failure> {
    let others: BTreeSet<PathBuf> = files
        .iter()
        .map(|file| file.path.clone())
        .filter(|path| there(path))
        .collect();
    if configuration.is_empty() && others.is_empty() {
        return Ok(());
    }
    let mut help: Vec<String> = configuration
        .iter()
        .chain(&others)
        .map(|path| format!("in the way: {}", echo::path(path)))
        .collect();
    if !configuration.is_empty() {
        help.push(format!(
            "an existing configuration needs no init: go on with `rolecall plan {}`, or write workflows for it \
             with `rolecall init --ci SYSTEM {}`",
            word(dir),
            word(dir)
        ));
    }
    let workflow = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("rolecall")
    };
    if others.iter().any(workflow) {
        help.push(
            "a repository has one set of workflows, which finds every configuration by itself: leave --ci out; or \
             remove these files first, and look at what differs then"
                .to_owned(),
        );
    }
    help.push("for a new project name another directory, or move these files away".to_owned());
    Err(Failure::error("nothing is overwritten, and nothing was written").helps(help))
}

/// Writes all files, or takes back what was written.
pub fn write(files: &[Planned]) -> Result<(), Failure> {
    let mut made = Made::default();
    for file in in_order(files) {
        if let Err(error) = made.write(file) {
            made.undo();
            return Err(Failure::error(format!(
                "cannot write {}: {error}; nothing was written",
                echo::path(&file.path)
            )));
        }
    }
    Ok(())
}

/// The order in which files are written, the reverse of that in which they are told: a kill leaves no
/// key that git does not ignore, and no configuration without all that belongs to it.
fn in_order(files: &[Planned]) -> impl Iterator<Item = &Planned> {
    files.iter().rev()
}

/// What was made so far.
#[derive(Default)]
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// A file that is somebody's, and how long it was.
    added: Option<(PathBuf, u64)>,
}

impl Made {
    fn write(&mut self, file: &Planned) -> std::io::Result<()> {
        let parents: Vec<&Path> = file.path.ancestors().skip(1).collect();
        for folder in parents.into_iter().rev() {
            if folder.as_os_str().is_empty() || folder.exists() {
                continue;
            }
            fs::create_dir(folder)?;
            self.folders.push(folder.to_owned());
        }
        let mut to = if file.added {
            let to = fs::OpenOptions::new().append(true).open(&file.path)?;
            self.added = Some((file.path.clone(), to.metadata()?.len()));
            to
        } else {
            let to = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(match (file.secret, file.runs) {
                    (true, _) => 0o600,
                    (false, true) => 0o777,
                    (false, false) => 0o666,
                })
                .open(&file.path)?;
            self.files.push(file.path.clone());
            to
        };
        to.write_all(file.text.as_bytes())?;
        to.sync_all()
    }

    fn undo(&self) {
        // What cannot be taken back is at worst one of our own files left over.
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        if let Some((path, length)) = &self.added
            && let Ok(file) = fs::OpenOptions::new().write(true).open(path)
        {
            let _ = file.set_len(*length);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_leaves_no_key_that_git_sees_and_no_configuration_without_its_key() {
        let root = tempfile::tempdir().expect("a folder");
        let planned = |name: &str| Planned {
            path: root.path().join(name),
            text: Zeroizing::default(),
            secret: false,
            runs: false,
            added: false,
        };
        // As they are told.
        let files = ["main.hcl", "seal.key", ".github/workflows/rolecall.yml"].map(planned);
        let ignore = ignored(root.path()).expect("read");
        let files: Vec<Planned> = files.into_iter().chain(ignore).collect();
        assert_eq!(files.len(), 4);
        let there = |name: &str| root.path().join(name).exists();
        let mut made = Made::default();
        for file in in_order(&files) {
            made.write(file).expect("written");
            assert!(there(".gitignore") || !there("seal.key"), "{:?}", file.path);
            assert!(there("seal.key") || !there("main.hcl"), "{:?}", file.path);
        }
        assert!(there("main.hcl"));
        made.undo();
        assert_eq!(fs::read_dir(root.path()).expect("there").count(), 0);
    }

    #[test]
    fn only_what_a_gitignore_lacks_is_added() {
        let all = format!("\n{WHY}\n.rolecall/\ncredentials/\nseal.key\n");
        for (there, added) in [
            ("", Some(all.trim_start().to_owned())),
            ("*.log\n", Some(all.clone())),
            ("*.log", Some(format!("\n{all}"))),
            (
                ".rolecall/\r\nseal.key\r\n",
                Some(format!("\n{WHY}\ncredentials/\n")),
            ),
            ("seal.key\n.rolecall/ \ncredentials/\n", None),
            // What is let through further down is not ignored.
            (
                ".rolecall/\ncredentials/\nseal.key\n!seal.key\n",
                Some(all.clone()),
            ),
            // Blanks that git takes for a part of the name.
            (
                ".rolecall/\ncredentials/\nseal.key\t\n",
                Some(format!("\n{WHY}\nseal.key\n")),
            ),
            (
                ".rolecall/\ncredentials/\u{a0}\nseal.key\n",
                Some(format!("\n{WHY}\ncredentials/\n")),
            ),
            ("!docs\n.rolecall/\ncredentials/\nseal.key\n", None),
            (
                "#seal.key\n.rolecall/\ncredentials/\n",
                Some(format!("\n{WHY}\nseal.key\n")),
            ),
        ] {
            assert_eq!(lacking(there), added, "{there:?}");
        }
    }
}
