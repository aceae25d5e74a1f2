//! The commit of the configuration's work tree, for the marks of what is written. Read from git's files:
//! nothing of the repository is run, and what is not understood is no commit.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest of git's files that is read, in bytes.
const MOST: u64 = 4 << 20;
/// How many names lead to a commit at most: `HEAD`, a branch, and what that may stand for.
const HOPS: usize = 5;

/// The name of the commit that is checked out where `dir` is, in hexadecimal; `None` outside a git work
/// tree, before the first commit, and where that cannot be read.
pub fn of(dir: &Path) -> Option<String> {
    let dir = fs::canonicalize(dir).ok()?;
    let git = dir.ancestors().find_map(git_dir)?;
    // A further work tree shares its branches with the first.
    let common = match text(&git.join("commondir")) {
        Some(path) => git.join(path.trim()),
        None => git.clone(),
    };
    let mut name = "HEAD".to_owned();
    for _ in 0..HOPS {
        let found = text(&git.join(&name))
            .or_else(|| text(&common.join(&name)))
            .or_else(|| packed(&common, &name))?;
        let found = found.trim();
        match found.strip_prefix("ref: ") {
            Some(next) if plain(next) => name = next.to_owned(),
            Some(_) => return None,
            None => return commit(found),
        }
    }
    None
}

/// The folder of git's files, if the work tree begins at `dir`.
fn git_dir(dir: &Path) -> Option<PathBuf> {
    let git = dir.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let path = text(&git)?;
    Some(dir.join(path.trim().strip_prefix("gitdir: ")?))
}

/// A reference from the one file that holds many: lines of a commit and a name.
fn packed(common: &Path, name: &str) -> Option<String> {
    let all = text(&common.join("packed-refs"))?;
    let mut lines = all.lines().filter_map(|line| line.split_once(' '));
    let (commit, _) = lines.find(|(_, of)| *of == name)?;
    Some(commit.to_owned())
}

/// Whether a reference stays below git's folder.
fn plain(name: &str) -> bool {
    name.starts_with("refs/") && !name.split('/').any(|part| part.is_empty() || part == "..")
}

fn commit(text: &str) -> Option<String> {
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    // SHA-1 or SHA-256.
    (matches!(text.len(), 40 | 64) && hex).then(|| text.to_owned())
}

fn text(path: &Path) -> Option<String> {
    // A pipe in the place of a file would hold the run.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(MOST).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef01234567";
    const TWO: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        dir
    }

    #[test]
    fn the_commit_of_a_branch_a_packed_one_and_none() {
        let head = (".git/HEAD", "ref: refs/heads/main\n");
        let one = format!("{ONE}\n");
        let two =
            format!("# pack-refs with: peeled\n{ONE} refs/heads/other\n{TWO} refs/heads/main\n");
        let long = "ab".repeat(32);
        for (files, commit) in [
            (vec![head, (".git/refs/heads/main", &one)], Some(ONE)),
            (vec![head, (".git/packed-refs", &two)], Some(TWO)),
            (
                vec![
                    head,
                    (".git/packed-refs", &two),
                    (".git/refs/heads/main", &one),
                ],
                Some(ONE),
            ),
            (vec![(".git/HEAD", &one)], Some(ONE)),
            (vec![(".git/HEAD", &long)], Some(&long)),
            (vec![head], None),
            (
                vec![(".git/HEAD", "ref: refs/../../secret\n"), ("secret", &one)],
                None,
            ),
            (
                vec![
                    (".git/HEAD", "ref: refs/heads/main"),
                    (".git/refs/heads/main", "ref: refs/heads/main"),
                ],
                None,
            ),
            (vec![(".git/HEAD", "not a commit\n")], None),
            (vec![("main.hcl", "")], None),
        ] {
            let dir = repository(&files);
            fs::create_dir_all(dir.path().join("access")).expect("made");
            let found = of(&dir.path().join("access"));
            // A temporary folder may itself lie in a work tree; nobody's is expected to.
            assert_eq!(found.as_deref(), commit, "{files:?}");
        }
    }

    #[test]
    fn a_further_work_tree_has_its_own_head_and_the_branches_of_the_first() {
        let dir = repository(&[
            ("first/.git/refs/heads/topic", ONE),
            (
                "first/.git/worktrees/second/HEAD",
                "ref: refs/heads/topic\n",
            ),
            ("first/.git/worktrees/second/commondir", "../..\n"),
        ]);
        let git = dir.path().join("first/.git/worktrees/second");
        fs::create_dir(dir.path().join("second")).expect("made");
        let text = format!("gitdir: {}\n", git.display());
        fs::write(dir.path().join("second/.git"), text).expect("written");
        assert_eq!(of(&dir.path().join("second")).as_deref(), Some(ONE));
    }
}
