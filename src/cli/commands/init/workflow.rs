//! The workflow of `rolecall init --ci`: what stands in it, and where its system looks for it.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::Planned;
use crate::cli::failure::Failure;
use crate::echo;

const GITHUB: &str = include_str!("../templates/github.yml");

/// A workflow to write.
pub struct Workflow {
    /// The file.
    pub file: Planned,
    /// Whether a repository was found, at whose root it stands.
    pub in_repository: bool,
}

impl Workflow {
    /// The workflow at the root of the repository that holds the directory. Where there is none,
    /// the directory is taken for the root.
    ///
    /// # Errors
    /// That the folder's name cannot stand in a workflow.
    pub fn new(dir: &Path) -> Result<Self, Failure> {
        let full = absolute(dir);
        let root = full.ancestors().find(|folder| folder.join(".git").exists());
        let below = root.and_then(|root| full.strip_prefix(root).ok());
        let (base, inside) = match (root, below) {
            (Some(root), Some(below)) if !below.as_os_str().is_empty() => {
                (root.to_owned(), below.display().to_string())
            }
            _ => (dir.to_owned(), ".".to_owned()),
        };
        // It stands between quotes in YAML, and in a shell.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./ ".contains(&b);
        if !inside.bytes().all(plain) || inside.starts_with('-') {
            return Err(Failure::error(format!(
                "the folder {} has a name that no workflow can hold safely",
                echo::text(&inside).given("DIR")
            ))
            .help("name it with letters, digits, spaces, `_`, `-` and `.`"));
        }
        Ok(Self {
            file: Planned {
                path: base.join(".github/workflows/rolecall.yml"),
                text: GITHUB.replace("@CONFIGURATION@", &inside).into(),
                secret: false,
                added: false,
            },
            in_repository: root.is_some(),
        })
    }
}

/// The full name of a folder, whether it is there or not.
pub fn absolute(dir: &Path) -> PathBuf {
    // What is not there yet hangs below what is.
    for above in dir.ancestors() {
        let named = !above.as_os_str().is_empty();
        let full = fs::canonicalize(if named { above } else { Path::new(".") });
        if let (Ok(full), Ok(below)) = (full, dir.strip_prefix(above)) {
            return full.join(below);
        }
    }
    dir.to_owned()
}
