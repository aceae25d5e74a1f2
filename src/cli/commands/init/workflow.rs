//! The workflow of `rolecall init --ci`: what stands in it, and where its system looks for it.

use std::path::Path;

use super::absolute;
use super::files::Planned;
use crate::cli::exit::Exit;
use crate::cli::output;
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
    pub fn new(dir: &Path) -> Result<Self, Exit> {
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
            output::error(
                &format!(
                    "the folder {} has a name that no workflow can hold safely",
                    echo::text(&inside).given("DIR")
                ),
                &["name it with letters, digits, spaces, `_`, `-` and `.`".to_owned()],
            );
            return Err(Exit::Error);
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
