//! Reads a configuration directory and the values of its variables, and reports what is wrong.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::config::{
    self, FileKind, Input, Module, Origin, Policy, PolicyDir, Sealing, SourceFile,
};
use crate::diag::{Diagnostic, Diagnostics, Severity, SourceMap};
use crate::echo;
use crate::lang::syntax::MAX_FILE;
use crate::model::{Desired, Queries};

use super::args::{ConfigArgs, Given};
use super::exit::Exit;
use super::{output, subfolders};

/// What variables of the environment begin with.
const VARIABLE: &str = "ROLECALL_VAR_";
/// What those begin with that Terraform reads.
const TERRAFORM: &str = "TF_VAR_";

/// A configuration, evaluated.
pub struct Loaded {
    /// All that it wants.
    pub desired: Desired,
    /// What must be read from the platform.
    pub queries: Queries,
    /// What every account must keep to.
    pub policies: Vec<Policy>,
}

/// Reads and evaluates a configuration. Besides it, this run reads the policy directories `policies`.
pub fn load(args: &ConfigArgs, policies: &[PathBuf]) -> Result<Loaded, Exit> {
    let mut given = gather(args, policies)?;
    match config::resolve(&given.module, &mut given.sources, &given.inputs) {
        Ok(resolved) => {
            let sources = given.whole()?;
            show(&resolved.warnings, &sources);
            if !resolved.rotations.is_empty() {
                unrotated();
            }
            Ok(Loaded {
                desired: resolved.desired,
                queries: resolved.queries,
                policies: resolved.policies,
            })
        }
        Err(errors) => Err(refuse(&errors, &given.sources)),
    }
}

fn unrotated() {
    output::warning(
        "rotate_after and overlap are checked and kept, but this version does not rotate keys yet",
    );
}

/// Whether a directory holds a configuration, or might: what is wrong with it is told by [`load`].
pub fn any(dir: &Path) -> bool {
    let Ok(names) = list(dir) else {
        return true;
    };
    let selection = config::select(names.iter().map(String::as_str));
    !selection.configuration.is_empty() || !selection.notes.is_empty()
}

/// Checks a configuration without asking for values.
pub fn validate(args: &ConfigArgs) -> Result<(), Exit> {
    let mut given = gather(args, &[])?;
    match config::validate(&given.module, &mut given.sources, &given.inputs) {
        Ok(warnings) => {
            let rotates = given.module.rotates();
            show(&warnings, &given.whole()?);
            if rotates {
                unrotated();
            }
            Ok(())
        }
        Err(errors) => Err(refuse(&errors, &given.sources)),
    }
}

/// Reads what a configuration says of its seal keys, without asking for values of variables, and gives
/// its texts.
pub fn sealing(dir: &Path) -> Result<(Sealing, SourceMap), Exit> {
    let mut given = gather(&ConfigArgs::of(dir), &[])?;
    match config::sealing(&given.module, &mut given.sources, &given.inputs) {
        Ok(sealing) => Ok((sealing, given.whole()?)),
        Err(errors) => Err(refuse(&errors, &given.sources)),
    }
}

/// Reads the policies and limits of a policy directory. That there are none is an error: somebody
/// relies on them. `taker` is the option or variable that names the directory.
pub fn policy_dir(dir: &Path, taker: &str) -> Result<PolicyDir, Exit> {
    let shown_dir = echo::path(dir).given(taker);
    let refuse_dir = |why: &str| {
        let mut ways = vec![
            "it holds .hcl files with `policy` and `limits` blocks (rolecall docs policies); without it \
             nothing is planned"
                .to_owned(),
        ];
        ways.extend(output::tilde(dir));
        output::error(&format!("the policy directory {shown_dir}: {why}"), &ways);
        Exit::Error
    };
    let names = list(dir).map_err(|error| refuse_dir(&listing(echo::path(dir), &error)))?;
    let mut files = Vec::new();
    for name in names.iter().filter(|name| !name.starts_with('.')) {
        if name.ends_with(".hcl.json") {
            return Err(refuse_dir(&format!(
                "{name} is not read by this version; write it in native HCL"
            )));
        }
        if config::file_kind(name) == FileKind::Capitals {
            return Err(refuse_dir(&format!(
                "{name} is not read, since files of policies end in `.hcl` in small letters; rename it"
            )));
        }
        if name.ends_with(".hcl") {
            let path = dir.join(name);
            let bytes = read_configuration(dir, &path)?;
            files.push(SourceFile {
                path: shown(&path),
                bytes,
            });
        }
    }
    tell_subfolders(dir, &[]);
    if files.is_empty() {
        return Err(refuse_dir("there is no .hcl file in it"));
    }
    let (sources, read) = config::policy_dir(files);
    match read {
        Ok(read) if read.empty => Err(refuse_dir("its files hold no policy and no limits")),
        Ok(read) => {
            show(&read.warnings, &sources);
            Ok(read)
        }
        Err(errors) => Err(refuse(&errors, &sources)),
    }
}

/// All that could be read of a configuration and of the values of its variables.
struct Gathered {
    sources: SourceMap,
    module: Module,
    inputs: Vec<Input>,
    /// Why it is not the whole; it has been told.
    lacking: Option<Exit>,
}

impl Gathered {
    /// Gives the sources, unless something could not be read.
    fn whole(self) -> Result<SourceMap, Exit> {
        self.lacking.map_or(Ok(self.sources), Err)
    }
}

/// Reads what there is. What cannot be read is told, and the rest is still worth checking.
fn gather(args: &ConfigArgs, policies: &[PathBuf]) -> Result<Gathered, Exit> {
    let names = names(&args.dir)?;
    let given: Vec<PathBuf> = args
        .var_file
        .iter()
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    // What would be told as unread is read where it is given.
    let unread = |name: &&str| {
        let by_itself = matches!(
            config::file_kind(name),
            FileKind::Configuration | FileKind::AutoValues | FileKind::Json
        );
        by_itself || given.is_empty() || {
            let path = args.dir.join(name).canonicalize();
            !path.is_ok_and(|path| given.contains(&path))
        }
    };
    let selection = config::select(names.iter().map(String::as_str).filter(unread));
    let mut lacking = None;
    for note in &selection.notes {
        if note.severity == Severity::Error {
            lacking = Some(Exit::Error);
        }
        note_of(note.clone());
    }
    selection.unread.iter().cloned().for_each(note_of);
    let mut read_besides: Vec<PathBuf> = policies.to_vec();
    read_besides.extend(args.var_file.iter().cloned());
    tell_subfolders(&args.dir, &read_besides);
    if selection.configuration.is_empty() {
        if let Some(exit) = lacking {
            return Err(exit);
        }
        output::error(
            &format!(
                "there is no configuration in {}: no .hcl file",
                echo::path(&args.dir).given("DIR")
            ),
            &[
                "name the directory that holds it".to_owned(),
                "or write one: `rolecall init DIR` begins it, and `rolecall docs language` has \
                 every block"
                    .to_owned(),
            ],
        );
        return Err(Exit::Error);
    }
    let contents = |names: &[String]| -> Vec<Result<(String, Vec<u8>), Exit>> {
        let path = |name| args.dir.join(name);
        let read = |path: PathBuf| Ok((shown(&path), read_configuration(&args.dir, &path)?));
        names.iter().map(path).map(read).collect()
    };
    let mut files = Vec::new();
    for file in contents(&selection.configuration) {
        match file {
            Ok((path, bytes)) => files.push(SourceFile { path, bytes }),
            Err(exit) => lacking = Some(exit),
        }
    }
    let mut inputs = environment()?;
    let mut file = |content: Result<(String, Vec<u8>), Exit>| match content {
        Ok((path, bytes)) => Input::File { path, bytes },
        Err(exit) => {
            lacking = Some(exit);
            Input::Unreadable
        }
    };
    inputs.extend(contents(&selection.auto_values).into_iter().map(&mut file));
    for given in args.given() {
        inputs.push(match given {
            Given::File(path) => file(read(&path).map(|bytes| (shown(&path), bytes))),
            Given::Value(text) => {
                let Some((name, value)) = text.split_once('=') else {
                    output::error(
                        "--var wants NAME=VALUE, and there is no `=`",
                        &["write --var 'NAME=VALUE'; what was given is not shown".to_owned()],
                    );
                    return Err(Exit::Usage);
                };
                let shown = echo::text(name);
                if !shown.is_plain() {
                    output::error(
                        &format!("--var wants NAME=VALUE, and {shown} is no name"),
                        &["write --var 'NAME=VALUE'".to_owned()],
                    );
                    return Err(Exit::Usage);
                }
                Input::Text {
                    name: name.trim().to_owned(),
                    text: value.to_owned(),
                    origin: Origin::CommandLine,
                }
            }
        });
    }
    let (sources, mut module) = config::parse(files);
    if lacking.is_some() {
        module.lacks_files();
    }
    let mut meant: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| Some(name.to_str()?.strip_prefix(TERRAFORM)?.to_owned()))
        .filter(|name| module.declares(name))
        .collect();
    meant.sort();
    config::terraform_variables(&meant)
        .into_iter()
        .for_each(note_of);
    Ok(Gathered {
        sources,
        module,
        inputs,
        lacking,
    })
}

/// Tells what lies in subfolders and is not read; `besides` is.
fn tell_subfolders(dir: &Path, besides: &[PathBuf]) {
    let subfolders::Unread { files, links } = subfolders::unread(dir, besides);
    config::in_subfolders(&files).into_iter().for_each(note_of);
    config::behind_links(&links).into_iter().for_each(note_of);
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Result<Vec<String>, Exit> {
    list(dir).map_err(|error| {
        let mut ways =
            vec!["name the directory that holds the configuration's .hcl files".to_owned()];
        ways.extend(output::tilde(dir));
        output::error(&listing(echo::path(dir).given("DIR"), &error), &ways);
        Exit::Error
    })
}

/// Why a directory cannot be listed.
fn listing(shown: echo::Shown<'_>, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no directory {shown}"),
        io::ErrorKind::NotADirectory => format!("{shown} is not a directory"),
        io::ErrorKind::PermissionDenied => format!("this user may not read {shown}"),
        // What it declares must not look as if it had been taken out.
        io::ErrorKind::InvalidFilename => error.to_string(),
        _ => format!("cannot read the directory {shown}: {error}"),
    }
}

fn list(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.path().is_dir() {
            continue;
        }
        match entry.file_name().into_string() {
            Ok(name) => names.push(name),
            Err(name) if name.as_encoded_bytes().ends_with(b".hcl") => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidFilename,
                    format!(
                        "the name of the file {} is not UTF-8; rename it",
                        echo::path(&entry.path())
                    ),
                ));
            }
            Err(_) => {}
        }
    }
    names.sort();
    Ok(names)
}

/// A path as findings show it: without the `./` of the current directory.
fn shown(path: &Path) -> String {
    let whole = echo::path(path);
    let name = path.file_name().map(|name| echo::path(Path::new(name)));
    // What is found there is told by its place, whatever the directory is called.
    if let (false, Some(name)) = (whole.is_plain(), name.filter(echo::Shown::is_plain)) {
        return format!("…/{name}");
    }
    let text = whole.to_string();
    text.strip_prefix("./").map(str::to_owned).unwrap_or(text)
}

/// Reads a file of values that `--var-file` names.
fn read(path: &Path) -> Result<Vec<u8>, Exit> {
    read_at(path, path, &echo::path(path).given("--var-file"))
}

/// Reads a file of at most [`MAX_FILE`] bytes, which may be named in another way than it is found: its
/// size is looked at first, and what grows meanwhile or has no size is read no further than that.
fn read_at(real: &Path, path: &Path, shown: &echo::Shown<'_>) -> Result<Vec<u8>, Exit> {
    // A byte order mark stands before the text.
    let most = MAX_FILE as u64 + 3;
    let too_large = |size: String| {
        output::error(
            &format!("{shown} is too large: {size}"),
            &[format!(
                "a file may have {} MiB at most; split it",
                MAX_FILE >> 20
            )],
        );
        Exit::Error
    };
    let fail = |error: io::Error| unreadable(path, shown, &error);
    let file = fs::File::open(real).map_err(fail)?;
    let size = file.metadata().map_err(fail)?.len();
    if size > most {
        return Err(too_large(format!("{size} bytes")));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > most {
        return Err(too_large(format!("more than {most} bytes")));
    }
    Ok(bytes)
}

/// Tells why a file cannot be read.
fn unreadable(path: &Path, shown: &echo::Shown<'_>, error: &io::Error) -> Exit {
    let (why, help) = match error.kind() {
        io::ErrorKind::NotFound if path.is_symlink() => (
            format!("{shown} is a symbolic link to nothing"),
            "remove it, or put back what it leads to",
        ),
        io::ErrorKind::NotFound => (format!("there is no file {shown}"), "check its name"),
        io::ErrorKind::PermissionDenied => (
            format!("this user may not read {shown}"),
            "change its owner or its mode",
        ),
        _ => (
            format!("cannot read {shown}: {error}"),
            "move it away, or make it readable",
        ),
    };
    let mut ways = vec![help.to_owned()];
    ways.extend(output::tilde(path));
    output::error(&why, &ways);
    Exit::Error
}

/// Reads a file that was found by its name alone. Whoever wrote the directory put it there, so it
/// must be what its name says: a pipe or a device would never end, and a link could show any file of
/// this machine to the readers of a finding or of a plan.
fn read_configuration(dir: &Path, path: &Path) -> Result<Vec<u8>, Exit> {
    let shown = echo::path(path);
    let fail = |error: io::Error| unreadable(path, &shown, &error);
    if !fs::metadata(path).map_err(fail)?.is_file() {
        output::error(
            &format!("{shown} is not a regular file"),
            &["a configuration is in regular files; move it out of the directory".to_owned()],
        );
        return Err(Exit::Error);
    }
    let home = dir.canonicalize().map_err(fail)?;
    let real = path.canonicalize().map_err(fail)?;
    let why = if !real.starts_with(&home) {
        format!("{shown} is a link that leads out of {}", echo::path(dir))
    } else if real.extension() != path.extension() {
        format!("{shown} is a link to a file of another kind")
    } else {
        return read_at(&real, path, &shown);
    };
    output::error(
        &format!("{why}, and was not read"),
        &[
            "put the file itself there; a link may lead to an .hcl file of the same directory \
             alone"
                .to_owned(),
            "values of variables from elsewhere come with --var-file FILE".to_owned(),
        ],
    );
    Err(Exit::Error)
}

/// The variables of the environment, by name.
fn environment() -> Result<Vec<Input>, Exit> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, text) in std::env::vars_os() {
        let Some(variable) = name.to_str().and_then(|name| name.strip_prefix(VARIABLE)) else {
            continue;
        };
        let Ok(text) = text.into_string() else {
            output::error(
                &format!("{VARIABLE}{variable} is not UTF-8 text"),
                &["set it to text in UTF-8, or unset it".to_owned()],
            );
            return Err(Exit::Error);
        };
        found.push((variable.to_owned(), text));
    }
    found.sort();
    Ok(found
        .into_iter()
        .map(|(name, text)| Input::Text {
            name,
            text,
            origin: Origin::Environment,
        })
        .collect())
}

fn note_of(note: Diagnostic) {
    let mut one = Diagnostics::new();
    one.push(note);
    show(&one, &SourceMap::new());
}

fn show(found: &Diagnostics, sources: &SourceMap) {
    output::found(found, sources);
}

fn refuse(errors: &Diagnostics, sources: &SourceMap) -> Exit {
    show(errors, sources);
    let count = errors
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .count();
    if count > 1 {
        output::tell(&format!("{count} errors"));
    }
    Exit::Error
}
