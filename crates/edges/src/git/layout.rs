//! Where git's files are, and which commit is checked out.
//! What is not understood is no commit.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::id::Id;

/// The largest of git's files of text that is read, in bytes.
const MOST: u64 = 32 << 20;
/// How many names lead to a commit at most: `HEAD`, a branch, and what that may stand for.
const HOPS: usize = 5;

/// A work tree, and where git keeps what belongs to it.
/// Source: git's documentation, "gitrepository-layout".
pub(super) struct Layout {
    /// The work tree's folder.
    pub(super) tree: PathBuf,
    /// What is this work tree's alone.
    git: PathBuf,
    /// What all work trees of the repository share.
    pub(super) common: PathBuf,
}

impl Layout {
    /// The work tree that holds a folder.
    pub(super) fn around(dir: &Path) -> Option<Self> {
        let dir = fs::canonicalize(dir).ok()?;
        let (tree, git) = dir
            .ancestors()
            .find_map(|tree| Some((tree.to_owned(), git_dir(tree)?)))?;
        // A further work tree shares its branches with the first.
        let common = match text(&git.join("commondir")) {
            Some(path) => git.join(path.trim()),
            None => git.clone(),
        };
        Some(Self { tree, git, common })
    }

    /// The commit that is checked out.
    pub(super) fn head(&self) -> Option<Id> {
        let mut name = "HEAD".to_owned();
        for _ in 0..HOPS {
            let found = text(&self.git.join(&name))
                .or_else(|| text(&self.common.join(&name)))
                .or_else(|| packed(&self.common, &name))?;
            let found = found.trim();
            match found.strip_prefix("ref: ") {
                Some(next) if plain(next) => name = next.to_owned(),
                Some(_) => return None,
                None => return Id::parse(found),
            }
        }
        None
    }

    /// The branch into which others are merged: the one that the server of a clone has named, else `main` or
    /// `master` if there is one, else the one that is checked out.
    pub(super) fn default_branch(&self) -> Option<String> {
        let named = |folder: &Path, of: &str, begins: &str| {
            let found = text(&folder.join(of))?;
            let name = found.trim().strip_prefix("ref: ")?;
            let branch = name.strip_prefix(begins)?;
            plain(name).then(|| branch.to_owned())
        };
        let there = |branch: &&str| {
            ["refs/remotes/origin", "refs/heads"].iter().any(|of| {
                let name = format!("{of}/{branch}");
                self.common.join(&name).is_file() || packed(&self.common, &name).is_some()
            })
        };
        named(
            &self.common,
            "refs/remotes/origin/HEAD",
            "refs/remotes/origin/",
        )
        .or_else(|| {
            ["main", "master"]
                .into_iter()
                .find(there)
                .map(str::to_owned)
        })
        .or_else(|| named(&self.git, "HEAD", "refs/heads/"))
    }

    /// The commits at which the history of a shallow clone is cut off; nothing in any other.
    ///
    /// # Errors
    /// A fragment, if that cannot be read.
    pub(super) fn shallow(&self) -> Result<BTreeSet<Id>, String> {
        let path = self.common.join("shallow");
        if !path.exists() {
            return Ok(BTreeSet::new());
        }
        let unread = || "git's file `shallow` cannot be read".to_owned();
        let text = text(&path).ok_or_else(unread)?;
        let lines = text.lines().map(|line| Id::parse(line.trim()));
        lines.collect::<Option<_>>().ok_or_else(unread)
    }
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

/// The whole text of a file; `None` if there is none, or it is too large, or no text.
pub(super) fn text(path: &Path) -> Option<String> {
    // A pipe in the place of a file would hold the run.
    let found = fs::metadata(path).ok()?;
    if !found.is_file() || found.len() > MOST {
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

    fn of(dir: &Path) -> Option<String> {
        Some(Layout::around(dir)?.head()?.hex())
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
            // References in a table of their own, which is not read.
            (vec![(".git/HEAD", "ref: refs/heads/.invalid\n")], None),
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
    fn the_default_branch_is_the_servers_then_a_usual_one_then_the_one_that_is_checked_out() {
        let topic = (".git/HEAD", "ref: refs/heads/topic\n");
        let named = (
            ".git/refs/remotes/origin/HEAD",
            "ref: refs/remotes/origin/release/next\n",
        );
        let main = (".git/refs/heads/main", ONE);
        let packed = format!("{ONE} refs/remotes/origin/master\n");
        let packed = (".git/packed-refs", packed.as_str());
        for (files, branch) in [
            (vec![topic, main, named], Some("release/next")),
            (vec![topic, main, packed], Some("main")),
            (vec![topic, packed], Some("master")),
            (vec![topic], Some("topic")),
            (vec![(".git/HEAD", ONE)], None),
            (vec![(".git/HEAD", "ref: refs/heads/../x\n")], None),
        ] {
            let dir = repository(&files);
            let layout = Layout::around(dir.path()).expect("a work tree");
            assert_eq!(layout.default_branch().as_deref(), branch, "{files:?}");
        }
    }

    #[test]
    fn a_further_work_tree_has_its_own_head_and_the_branches_of_the_first() {
        let dir = repository(&[
            ("first/.git/refs/heads/topic", ONE),
            ("first/.git/shallow", TWO),
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
        let second = Layout::around(&dir.path().join("second")).expect("a work tree");
        assert_eq!(second.head().map(|id| id.hex()).as_deref(), Some(ONE));
        let cut = second.shallow().expect("read");
        assert_eq!(cut, BTreeSet::from([Id::parse(TWO).expect("a name")]));
    }

    #[test]
    fn a_list_of_cuts_that_is_not_understood_is_no_whole_history() {
        for (text, cuts) in [
            ("", Some(0)),
            (ONE, Some(1)),
            ("cut\n", None),
            ("012", None),
        ] {
            let dir = repository(&[(".git/HEAD", ONE), (".git/shallow", text)]);
            let layout = Layout::around(dir.path()).expect("a work tree");
            assert_eq!(layout.shallow().ok().map(|cuts| cuts.len()), cuts, "{text}");
        }
    }
}
