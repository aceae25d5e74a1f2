//! The files that a command line has written and read: none may take the place of another, or be made in
//! a folder called `~`. Nothing is written here.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::echo;

use super::failure::Failure;
use super::options::{ConfigArgs, ExecArgs, FormArgs, PlatformChoice, PolicyArgs, ReviewArgs};
use super::seal::FILE_VARIABLE;
use crate::private_file::is_special;

/// The variable that names a credential's file.
const CREDENTIAL: &str = "MONDOO_CONFIG_PATH";

/// A file that is named, and the flag or variable that does.
#[derive(Clone, Copy)]
struct Named<'a> {
    flag: &'static str,
    path: &'a Path,
}

/// The files of a command line.
#[derive(Default)]
pub struct Files<'a> {
    written: Vec<Named<'a>>,
    /// Folders that are made, and what they hold with them.
    made: Vec<Named<'a>>,
    read: Vec<Named<'a>>,
}

impl<'a> Files<'a> {
    /// A flag names a file that is written.
    pub fn writes(mut self, flag: &'static str, path: Option<&'a PathBuf>) -> Self {
        self.written.extend(path.map(|path| Named { flag, path }));
        self
    }

    /// A flag names a folder that is made.
    pub fn makes(mut self, flag: &'static str, path: &'a Path) -> Self {
        self.made.push(Named { flag, path });
        self
    }

    /// A flag or a variable names a file that is read.
    pub fn reads(mut self, flag: &'static str, path: Option<&'a PathBuf>) -> Self {
        self.read.extend(path.map(|path| Named { flag, path }));
        self
    }

    /// A file may stand in the place of a name or a directory, and is read if it is there.
    pub fn reads_in_place(mut self, path: &'a Path) -> Self {
        let flag = "this command";
        let there = Some(path).filter(|path| path.is_file());
        self.read.extend(there.map(|path| Named { flag, path }));
        self
    }

    /// What all that read a configuration name.
    pub fn configuration(self, config: &'a ConfigArgs) -> Self {
        let files = config.var_file.iter();
        files.fold(self, |all, path| all.reads("--var-file", Some(path)))
    }

    /// What all that talk to the platform name.
    pub fn platform(self, choice: &'a PlatformChoice) -> Self {
        self.reads("--credentials", choice.credentials.as_ref())
            .reads("--ca-file", choice.ca_file.as_ref())
    }

    /// What all that may run programs name.
    pub fn programs(mut self, exec: &'a ExecArgs) -> Self {
        let flag = "--allow-exec";
        let paths = exec.allow_exec.iter();
        let paths = paths.filter_map(|given| Some(Path::new(given.split_once('=')?.1)));
        self.read.extend(paths.map(|path| Named { flag, path }));
        self
    }

    /// What all that ask policies name.
    pub fn policies(self, policies: &'a PolicyArgs) -> Self {
        self.writes("--sarif", policies.sarif.as_ref())
            .writes("--junit", policies.junit.as_ref())
    }

    /// What all that show plans name.
    pub fn review(self, review: &'a ReviewArgs) -> Self {
        self.writes("--markdown", review.markdown.as_ref())
            .writes("--step-summary", review.step_summary.as_ref())
            .writes("--annotations-file", review.annotations_file.as_ref())
    }

    /// What all that answer in several forms name.
    pub fn form(self, form: &'a FormArgs) -> Self {
        self.writes("--json-out", form.json_out.as_ref())
    }
}

/// Sees that nothing that is written takes the place of anything else that is named, or lies where nobody
/// looks for it.
///
/// # Errors
/// What would.
pub fn check(files: Files<'_>) -> Result<(), Failure> {
    let credential = std::env::var_os(CREDENTIAL).map(PathBuf::from);
    let seal_key = std::env::var_os(FILE_VARIABLE).map(PathBuf::from);
    let Files {
        written,
        made,
        read,
    } = files
        .reads(CREDENTIAL, credential.as_ref())
        .reads(FILE_VARIABLE, seal_key.as_ref());
    let refuse = |message: &str, help: &str| Err(Failure::usage(message).help(help));
    for Named { flag, path } in written.iter().chain(&made) {
        if let Some(why) = echo::tilde(path) {
            let shown = echo::path(path);
            return refuse(
                &format!("{flag} {shown} would make a folder called `~`"),
                why,
            );
        }
    }
    for (n, one) in written.iter().enumerate() {
        let Named { flag, path } = *one;
        if path.extension() == Some(OsStr::new("hcl")) {
            return refuse(
                &format!("{flag} {}: .hcl files are configurations", echo::path(path)),
                "choose another ending, such as .json: a file that ends in .hcl would be read as a part \
                 of a configuration, or replace one",
            );
        }
        if is_special(path) {
            continue;
        }
        let place = entry(path);
        if let Some(other) = written[..n].iter().find(|other| entry(other.path) == place) {
            return refuse(
                &format!("{} and {flag} both write {}", other.flag, echo::path(path)),
                "give each a file of its own",
            );
        }
        let reads = |other: &&Named<'_>| {
            let behind = other.path.canonicalize().ok();
            entry(other.path) == place || behind == Some(place.clone())
        };
        if let Some(other) = read.iter().find(reads) {
            return refuse(
                &format!(
                    "{flag} would replace {}, which {} reads",
                    echo::path(path),
                    other.flag
                ),
                "name another file to write",
            );
        }
    }
    Ok(())
}

/// The place of a name in the file system: a link there is replaced, and not what it leads to.
fn entry(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // A folder that is not there is told of when the file is tried.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    match path.file_name() {
        Some(name) => folder.join(name),
        None => path.canonicalize().unwrap_or_else(|_| path.to_owned()),
    }
}
