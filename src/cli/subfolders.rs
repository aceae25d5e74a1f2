//! What lies in the subfolders of a configuration and is not read.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::config::{FileKind, file_kind};

/// The deepest folder that is looked at.
const MAX_DEPTH: usize = 8;
/// The most entries of folders that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// How much of a file tells whether it begins a configuration of its own, in bytes.
const HEAD: u64 = 1 << 20;

/// What lies below a configuration's folder, as paths from there, and that nothing reads.
#[derive(Debug, Default)]
pub struct Unread {
    /// Files that belong to the configuration by their names.
    pub files: Vec<String>,
    /// Links to folders: they may lead anywhere, so nobody knows what is behind them.
    pub links: Vec<String>,
}

/// Looks for `.hcl` files and for links to folders. A folder with a `rolecall` block is a configuration
/// of its own, and `besides` is read.
pub fn unread(dir: &Path, besides: &[PathBuf]) -> Unread {
    let besides = besides.iter().filter_map(|path| path.canonicalize().ok());
    let mut walk = Walk {
        besides: besides.collect(),
        left: MAX_ENTRIES,
        found: Unread::default(),
    };
    walk.folder(dir, "", 0);
    walk.found
}

struct Walk {
    besides: BTreeSet<PathBuf>,
    left: usize,
    found: Unread,
}

impl Walk {
    fn folder(&mut self, dir: &Path, shown: &str, depth: usize) {
        // What cannot be listed is not read either way.
        let Ok(entries) = fs::read_dir(dir) else {
            return;
        };
        let (mut files, mut folders, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries.flatten() {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let linked = || {
                kind.is_symlink()
                    .then(|| fs::metadata(entry.path()).ok())
                    .flatten()
            };
            let linked = linked().map(|behind| behind.is_dir());
            if kind.is_dir() && !name.starts_with('.') {
                folders.push(name);
            } else if linked == Some(true) && !name.starts_with('.') {
                // It may lead anywhere, and back.
                links.push(name);
            } else if (kind.is_file() || linked == Some(false))
                && depth > 0
                && is_configuration(&name)
            {
                files.push(name);
            }
        }
        // A file that nothing reads begins nothing.
        let read = |name: &&String| file_kind(name) != FileKind::Capitals;
        if files
            .iter()
            .filter(read)
            .any(|name| begins(&dir.join(name)))
        {
            return;
        }
        files.sort();
        folders.sort();
        links.sort();
        for name in files {
            if !self.is_read(&dir.join(&name)) {
                self.found.files.push(format!("{shown}{name}"));
            }
        }
        for name in links {
            if !self.leads_to_what_is_read(&dir.join(&name)) {
                self.found.links.push(format!("{shown}{name}"));
            }
        }
        for name in folders {
            let inner = dir.join(&name);
            if depth < MAX_DEPTH && !self.is_read(&inner) {
                self.folder(&inner, &format!("{shown}{name}/"), depth + 1);
            }
        }
    }

    fn is_read(&self, path: &Path) -> bool {
        let real = || path.canonicalize().unwrap_or_default();
        !self.besides.is_empty() && self.besides.contains(&real())
    }

    fn leads_to_what_is_read(&self, link: &Path) -> bool {
        let real = link.canonicalize();
        real.is_ok_and(|real| self.besides.iter().any(|path| path.starts_with(&real)))
    }
}

fn is_configuration(name: &str) -> bool {
    matches!(
        file_kind(name),
        FileKind::Configuration | FileKind::AutoValues | FileKind::Json | FileKind::Capitals
    )
}

/// Whether a file holds a `rolecall` block.
pub fn begins(path: &Path) -> bool {
    let mut text = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut text));
    read.is_ok()
        && String::from_utf8_lossy(&text).lines().any(|line| {
            let rest = line.trim_start().strip_prefix("rolecall");
            rest.is_some_and(|rest| rest.trim_start().starts_with('{'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_reads_is_found_in_every_folder_but_those_of_others() {
        let home = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            fs::write(path, text).expect("written");
        };
        write("main.hcl", "rolecall {}\n");
        write("modules/team/main.hcl", "locals {}\n");
        write("modules/x.auto.vars.hcl", "a = 1\n");
        write("env/prod.vars.hcl", "a = 1\n");
        write("env/given.hcl", "a = 1\n");
        write("policies/a.hcl", "policy \"p\" {}\n");
        write("other/main.hcl", "\n  rolecall   {\n}\n");
        write("other/deep/more.hcl", "locals {}\n");
        write(".git/x.hcl", "locals {}\n");
        write("docs/readme.md", "rolecall {\n");
        write("modules/X.HCL", "rolecall {\n");
        write("deep/A.Hcl", "a = 1\n");
        let found = unread(home.path(), &[]);
        assert!(found.links.is_empty(), "{found:?}");
        let all = found.files;
        let own = [
            "modules/X.HCL",
            "modules/x.auto.vars.hcl",
            "modules/team/main.hcl",
        ];
        assert_eq!(
            all,
            [
                &["deep/A.Hcl", "env/given.hcl"][..],
                &own,
                &["policies/a.hcl"]
            ]
            .concat()
        );
        let besides = ["policies", "deep/A.Hcl", "env/given.hcl"];
        let besides = besides.map(|path| home.path().join(path));
        assert_eq!(unread(home.path(), &besides).files, own);
        let nowhere = unread(&home.path().join("nowhere"), &[]);
        assert!(nowhere.files.is_empty() && nowhere.links.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_are_named_and_never_followed() {
        use std::os::unix::fs::symlink;
        let (home, away) = (tempfile::tempdir(), tempfile::tempdir());
        let (home, away) = (home.expect("a folder"), away.expect("a folder"));
        let inner = away.path().join("team");
        fs::create_dir_all(&inner).expect("created");
        fs::write(inner.join("a.hcl"), "locals {}\n").expect("written");
        fs::create_dir_all(home.path().join("sub")).expect("created");
        let link = |to: &Path, at: &str| symlink(to, home.path().join(at)).expect("linked");
        link(away.path(), "modules");
        link(home.path(), "sub/back");
        link(&inner.join("a.hcl"), "sub/a.hcl");
        link(&inner, ".hidden");
        link(&away.path().join("nowhere"), "sub/dangling.hcl");
        let found = unread(home.path(), &[]);
        assert_eq!(found.links, ["modules", "sub/back"]);
        assert_eq!(found.files, ["sub/a.hcl"]);
        // A link by which a directory of policies is reached is no surprise.
        let found = unread(home.path(), &[home.path().join("modules/team")]);
        assert_eq!(found.links, ["sub/back"]);
    }
}
