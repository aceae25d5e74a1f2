//! What the repository of the configuration says: for the marks of what is written, and for the guard against
//! older checkouts. Nothing of the repository is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::config::{self, FileKind};
use crate::git::{Earlier, Repository};
use crate::model::{Checkout, SourceRef, Standing};
use crate::plan::LastDeclared;

use super::options::ConfigArgs;
use super::paths::shown;

/// What stands behind the name of a commit from which the configuration's files differ.
const DIRTY: &str = "-dirty";
/// How many digits of a commit people are shown.
const SHOWN: usize = 12;

/// Where the configuration comes from.
pub struct Source {
    dir: PathBuf,
    repository: Option<Repository>,
    head: Option<String>,
}

impl Source {
    /// The repository that holds a configuration, as it is now.
    pub fn of(config: &ConfigArgs) -> Self {
        let repository = Repository::around(&config.dir);
        let head = repository.as_ref().map(|repository| {
            let clean = committed(repository, config).is_ok_and(|clean| clean);
            format!("{}{}", repository.head(), if clean { "" } else { DIRTY })
        });
        Self {
            dir: config.dir.clone(),
            repository,
            head,
        }
    }

    /// The commit that is checked out, and how `commits` stand to it, each named by its first digits.
    pub fn checkout(&self, commits: &BTreeSet<&str>) -> Checkout {
        let unasked = |commit: &&str| ((*commit).to_owned(), Standing::NoRepository);
        Checkout {
            head: self.head.clone(),
            commits: match &self.repository {
                Some(repository) => repository.standings(commits.iter().copied()),
                None => commits.iter().map(unasked).collect(),
            },
        }
    }

    /// Where `service_account` blocks of these names are, or were last: in the files as they are, else in the
    /// newest commit that has such a block. What the history does not have is left out.
    ///
    /// # Errors
    /// Why the files or the history cannot be read, a fragment.
    pub fn last_declared(
        &self,
        names: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, LastDeclared>, String> {
        let mut found = BTreeMap::new();
        let mut look = |name: &str, bytes: &[u8], commit: Option<&str>| {
            let path = shown(&self.dir.join(name));
            for (account, line) in config::accounts_of(&path, bytes) {
                if names.contains(account.as_str()) {
                    found.entry(account).or_insert_with(|| LastDeclared {
                        place: SourceRef {
                            file: path.clone(),
                            line,
                        },
                        commit: commit.map(|id| id.chars().take(SHOWN).collect()),
                    });
                }
            }
            found.len() == names.len()
        };
        let counts = |name: &str| config::file_kind(name) == FileKind::Configuration;
        let entries = fs::read_dir(&self.dir).map_err(|error| error.to_string())?;
        let mut all = names.is_empty();
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            // A pipe would never end.
            let name = name
                .to_str()
                .filter(|name| counts(name) && entry.path().is_file());
            if let Some(name) = name {
                let bytes = fs::read(entry.path()).map_err(|error| error.to_string())?;
                all = look(name, &bytes, None);
            }
        }
        match &self.repository {
            Some(repository) if !all => repository.earlier(&self.dir, counts, |earlier| {
                let Earlier { commit, files } = earlier;
                let files = files.iter();
                // All of them, though one may say that enough is known.
                files.fold(false, |_, (name, bytes)| look(name, bytes, Some(&commit)))
            })?,
            _ => {}
        }
        Ok(found)
    }
}

/// Whether the files of a configuration are those of the commit that is checked out. A file of values that
/// a run names is one of them if the commit has it.
fn committed(repository: &Repository, config: &ConfigArgs) -> io::Result<bool> {
    let counts = |name: &str| {
        matches!(
            config::file_kind(name),
            FileKind::Configuration | FileKind::AutoValues
        )
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(&config.dir)? {
        let entry = entry?;
        // What is no text is no name of a file that is read, and a pipe would never end.
        let name = entry.file_name().to_str().map(str::to_owned);
        let Some(name) = name.filter(|name| counts(name) && entry.path().is_file()) else {
            continue;
        };
        files.push((name, fs::read(entry.path())?));
    }
    let given = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    if !repository.has(&config.dir, given, counts) {
        return Ok(false);
    }
    for path in config.var_file.iter().filter(|path| path.is_file()) {
        if repository.differs(path, &fs::read(path)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_repository_no_commit_is_written_and_none_is_known() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("main.hcl"), "").expect("written");
        let found =
            Source::of(&ConfigArgs::of(dir.path())).checkout(&BTreeSet::from(["0123456789ab"]));
        let expected = Checkout {
            head: None,
            commits: [("0123456789ab".to_owned(), Standing::NoRepository)].into(),
        };
        assert_eq!(found, expected);
    }
}
