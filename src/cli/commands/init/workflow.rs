//! The workflows of `rolecall init --ci`: for whom they are written, and where their system looks for them.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::Planned;
use crate::cli::failure::Failure;
use crate::cli::workflows::{self, Form, System, Wanted};
use crate::cli::{paths, random};
use crate::echo;
use crate::git;

/// The most bytes of a list of checksums.
const MOST: u64 = 64 * 1024;
/// Where GitLab looks for jobs.
const GITLAB: &str = ".gitlab-ci.yml";

/// What is said of workflows.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// What an apply rests on.
    pub form: Option<Form>,
    /// The branch of which is applied.
    pub branch: Option<&'a str>,
    /// Whether a public repository may show whole plans.
    pub public: bool,
    /// Where jobs fetch rolecall.
    pub release: Option<&'a str>,
    /// The file of that release's checksums.
    pub sums: Option<&'a Path>,
}

/// Workflows to write.
pub struct Workflows {
    /// The files.
    pub files: Vec<Planned>,
    /// For which system, in which form, for which branch.
    pub wanted: Wanted,
    /// The root of the repository.
    pub root: PathBuf,
    /// Whether a repository was found, at whose root they stand.
    pub in_repository: bool,
    /// A file of GitLab's that is there, and has to name the new one.
    pub to_include: Option<PathBuf>,
}

impl Workflows {
    /// The workflows at the root of the repository that holds the directory. Where there is none,
    /// the directory is taken for the root.
    ///
    /// # Errors
    /// What of the arguments no workflow can hold, or the system does not have.
    pub fn new(dir: &Path, system: System, said: Said<'_>) -> Result<Self, Failure> {
        let full = absolute(dir);
        let found = full.ancestors().find(|folder| folder.join(".git").exists());
        let below = found.and_then(|root| full.strip_prefix(root).ok());
        let root = match (found, below) {
            (Some(root), Some(below)) if !below.as_os_str().is_empty() => root.to_owned(),
            _ => dir.to_owned(),
        };
        let wanted = wanted(&root, found.is_some(), system, said)?;
        let there = root.join(GITLAB);
        let to_include = (system == System::Gitlab && there.exists()).then_some(there);
        let files = workflows::files(&wanted)
            .into_iter()
            .filter(|file| to_include.is_none() || file.path != GITLAB)
            .map(|file| Planned {
                path: root.join(file.path),
                text: file.text.into(),
                secret: false,
                runs: file.runs,
                added: false,
            });
        Ok(Self {
            files: files.collect(),
            wanted,
            in_repository: found.is_some(),
            root,
            to_include,
        })
    }
}

fn wanted(
    root: &Path,
    in_repository: bool,
    system: System,
    said: Said<'_>,
) -> Result<Wanted, Failure> {
    let form = said.form.unwrap_or(Form::ByHand);
    match (system, form) {
        (System::Github, _)
        | (System::Gitlab, Form::Strict | Form::ByHand)
        | (System::Shell, Form::ByHand) => {}
        (System::Gitlab, Form::Verdict) => {
            let why = "GitLab runs the file of the branch that a merge request comes from, so no run of it is a verdict";
            return Err(Failure::usage(format!("--form verdict: {why}"))
                .help("take strict (environments with approvals, GitLab Premium) or by-hand"));
        }
        (System::Shell, Form::Strict | Form::Verdict) => {
            let why = "scripts know no host whose reviews they could rest on";
            return Err(Failure::usage(format!("--form {}: {why}", form.name()))
                .help("take by-hand, or leave --form out"));
        }
    }
    let branch = match said.branch {
        Some(branch) => branch.to_owned(),
        None => in_repository
            .then(|| git::default_branch(root))
            .flatten()
            .unwrap_or_else(|| "main".to_owned()),
    };
    // It stands in YAML, in expressions and in a shell.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
    if branch.is_empty() || !branch.bytes().all(plain) || branch.starts_with(['-', '/', '.']) {
        return Err(Failure::error(format!(
            "the branch {} has a name that no workflow can hold safely",
            echo::text(&branch).given("--branch")
        ))
        .help("name one of letters, digits, `_`, `-`, `.` and `/`: --branch NAME"));
    }
    let [minute]: [u8; 1] = random::bytes().map_err(Failure::error)?;
    Ok(Wanted {
        system,
        form,
        branch,
        public: said.public,
        address: address(said.release)?,
        sums: sums(said.sums)?,
        // Not at the full hour, when all the world begins.
        minute: minute % 56 + 2,
    })
}

/// Where a release is, as an action can hold it.
fn address(given: Option<&str>) -> Result<String, Failure> {
    let Some(given) = given else {
        return Ok(String::new());
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:~%+=".contains(&b);
    let from = given.starts_with("https://") || given.starts_with("file:///");
    match from && given.bytes().all(plain) {
        true => Ok(given.to_owned()),
        false => Err(Failure::usage(format!(
            "--release {}: this is no address that a job can fetch from",
            echo::text(given).given("--release")
        ))
        .help("write https://HOST/FOLDER, the folder that holds the archives of a release")),
    }
}

/// The lines of a list of checksums that are about archives of rolecall.
fn sums(path: Option<&Path>) -> Result<Vec<String>, Failure> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let shown = || echo::path(path).given("--sums");
    let length = fs::metadata(path).map(|found| found.len());
    let text = match length {
        Ok(length) if length > MOST => Err(std::io::Error::other("it is too long")),
        Ok(_) => fs::read_to_string(path),
        Err(error) => Err(error),
    };
    let text = text.map_err(|error| {
        Failure::error(format!("cannot read {}: {error}", shown())).helps(paths::tilde(path))
    })?;
    let line = |line: &str| {
        let (digits, name) = line.split_once(' ')?;
        let name = name.trim_start_matches([' ', '*']);
        let middle = name.strip_prefix("rolecall-")?.strip_suffix(".tar.gz")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let good = digits.len() == 64
            && digits.bytes().all(hexadecimal)
            && middle.bytes().all(plain)
            && !middle.is_empty();
        good.then(|| format!("{digits}  {name}"))
    };
    let found: Vec<String> = text.lines().filter_map(line).collect();
    match found.is_empty() {
        false => Ok(found),
        true => Err(Failure::error(format!(
            "{} holds no checksum of an archive of rolecall",
            shown()
        ))
        .help("its lines are DIGITS  rolecall-TARGET.tar.gz, as `sha256sum` writes them")),
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
