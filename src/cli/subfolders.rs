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

/// The `.hcl` files below a configuration's folder, as paths from there, that belong to it by their
/// names and that nothing reads. A folder with a `rolecall` block is a configuration of its own, and
/// `besides` is read.
pub fn unread(dir: &Path, besides: &[PathBuf]) -> Vec<String> {
    let besides = besides.iter().filter_map(|path| path.canonicalize().ok());
    let mut walk = Walk {
        besides: besides.collect(),
        left: MAX_ENTRIES,
        found: Vec::new(),
    };
    walk.folder(dir, "", 0);
    walk.found
}

struct Walk {
    besides: BTreeSet<PathBuf>,
    left: usize,
    found: Vec<String>,
}

impl Walk {
    fn folder(&mut self, dir: &Path, shown: &str, depth: usize) {
        // What cannot be listed is not read either way.
        let Ok(entries) = fs::read_dir(dir) else {
            return;
        };
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in entries.flatten() {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // A link may lead anywhere, and back.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !name.starts_with('.') => folders.push(name),
                Ok(kind) if kind.is_file() && depth > 0 && is_configuration(&name) => {
                    files.push(name);
                }
                _ => {}
            }
        }
        if files.iter().any(|name| begins(&dir.join(name))) {
            return;
        }
        files.sort();
        folders.sort();
        for name in files {
            if !self.is_read(&dir.join(&name)) {
                self.found.push(format!("{shown}{name}"));
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
}

fn is_configuration(name: &str) -> bool {
    matches!(
        file_kind(name),
        FileKind::Configuration | FileKind::AutoValues | FileKind::Json
    )
}

/// Whether a file holds a `rolecall` block.
fn begins(path: &Path) -> bool {
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
        let all = unread(home.path(), &[]);
        let own = ["modules/x.auto.vars.hcl", "modules/team/main.hcl"];
        assert_eq!(
            all,
            [&["env/given.hcl"][..], &own, &["policies/a.hcl"]].concat()
        );
        let besides = ["policies", "env/given.hcl"].map(|path| home.path().join(path));
        assert_eq!(unread(home.path(), &besides), own);
        assert!(unread(&home.path().join("nowhere"), &[]).is_empty());
    }
}
