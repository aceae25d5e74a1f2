//! The files that a command line has written and read: none may take the place of another, or be made in
//! a folder called `~`. Nothing is written here.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::echo;

use super::args::{Command, ConfigArgs, PlatformChoice, PolicyArgs};
use super::commands::credential::CredentialCommand;
use super::commands::seal::SealCommand;
use super::exit::Exit;
use super::output;
use super::private_file::is_special;
use super::seal::FILE_VARIABLE;

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
struct Files<'a> {
    written: Vec<Named<'a>>,
    /// Folders that are made, and what they hold with them.
    made: Vec<Named<'a>>,
    read: Vec<Named<'a>>,
}

impl<'a> Files<'a> {
    fn writes(&mut self, flag: &'static str, path: Option<&'a PathBuf>) {
        self.written.extend(path.map(|path| Named { flag, path }));
    }

    fn reads(&mut self, flag: &'static str, path: Option<&'a PathBuf>) {
        self.read.extend(path.map(|path| Named { flag, path }));
    }

    fn configuration(&mut self, config: &'a ConfigArgs) {
        for path in &config.var_file {
            self.reads("--var-file", Some(path));
        }
    }

    fn platform(&mut self, choice: &'a PlatformChoice) {
        self.reads("--credentials", choice.credentials.as_ref());
        self.reads("--ca-file", choice.ca_file.as_ref());
    }

    fn policies(&mut self, policies: &'a PolicyArgs) {
        self.writes("--sarif", policies.sarif.as_ref());
        self.writes("--junit", policies.junit.as_ref());
    }
}

fn files(command: &Command) -> Files<'_> {
    let mut files = Files::default();
    match command {
        Command::Plan(args) => {
            files.writes("--out", args.out.as_ref());
            files.writes("--json-out", args.form.json_out.as_ref());
            files.policies(&args.policies);
            files.configuration(&args.config);
            files.platform(&args.platform);
        }
        Command::Apply(args) => {
            files.writes("--report", args.report.as_ref());
            files.writes("--json-out", args.form.json_out.as_ref());
            files.policies(&args.policies);
            files.configuration(&args.config);
            files.platform(&args.platform);
            files.reads("--previous", args.previous.as_ref());
            files.reads("--plan", args.plan.as_ref());
            // A plan file may stand in its place.
            let plan = Some(&args.config.dir).filter(|dir| dir.is_file());
            files.reads("this command", plan);
        }
        Command::Check(args) => {
            files.writes("--json-out", args.form.json_out.as_ref());
            files.configuration(&args.config);
            files.platform(&args.platform);
        }
        Command::Show(args) => {
            files.writes("--json-out", args.form.json_out.as_ref());
            // A plan file may stand in its place.
            let plan = Some(Path::new(&args.address)).filter(|plan| plan.is_file());
            files.read.extend(plan.map(|path| Named {
                flag: "this command",
                path,
            }));
            files.configuration(&args.config);
            files.platform(&args.platform);
        }
        Command::Validate(args) => {
            files.writes("--json-out", args.form.json_out.as_ref());
            files.configuration(&args.config);
        }
        Command::Credential(args) => {
            if let CredentialCommand::Decode(args) = &args.command {
                files.writes("--out", Some(&args.out));
                files.reads("this command", args.file.as_ref());
            }
        }
        Command::Seal(args) => match &args.command {
            SealCommand::New(args) => files.writes("--out", Some(&args.out)),
            SealCommand::Rotate(args) => files.writes("--out", args.out.as_ref()),
            SealCommand::Show(_) => {}
        },
        Command::Init(args) => files.made.push(Named {
            flag: "DIR",
            path: &args.dir,
        }),
        Command::Man(args) => files.made.push(Named {
            flag: "--out",
            path: &args.out,
        }),
        Command::Verify(_)
        | Command::List(_)
        | Command::Roles(_)
        | Command::Platform(_)
        | Command::Docs(_)
        | Command::Completions(_) => {}
    }
    files
}

/// Sees that nothing that is written takes the place of anything else that is named, or lies where nobody
/// looks for it.
///
/// # Errors
/// Prints what would.
pub fn check(command: &Command) -> Result<(), Exit> {
    let credential = std::env::var_os(CREDENTIAL).map(PathBuf::from);
    let mut files = files(command);
    files.reads(CREDENTIAL, credential.as_ref());
    let seal_key = std::env::var_os(FILE_VARIABLE).map(PathBuf::from);
    files.reads(FILE_VARIABLE, seal_key.as_ref());
    let Files {
        written,
        made,
        read,
    } = files;
    let refuse = |message: &str, help: &str| {
        output::error(message, &[help.to_owned()]);
        Err(Exit::Usage)
    };
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
                "name a file that ends in something else, as .json does: it would be read as a part \
                 of a configuration, or take the place of one",
            );
        }
        if is_special(path) {
            continue;
        }
        let place = entry(path);
        if let Some(other) = written[..n].iter().find(|other| entry(other.path) == place) {
            return refuse(
                &format!("{} and {flag} both write {}", other.flag, echo::path(path)),
                "name a file of its own for each",
            );
        }
        let reads = |other: &&Named<'_>| {
            let behind = other.path.canonicalize().ok();
            entry(other.path) == place || behind == Some(place.clone())
        };
        if let Some(other) = read.iter().find(reads) {
            return refuse(
                &format!(
                    "{flag} would take the place of {}, which {} reads",
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
