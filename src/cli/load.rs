//! Reads a configuration directory and the values of its variables, and reports what is wrong.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::config::{
    self, DeclaredSinks, FileKind, Input, Module, Origin, Policy, PolicyDir, Salvaged, Sealing,
    SourceFile,
};
use crate::diag::{Diagnostic, Diagnostics, Severity, SourceMap};
use crate::echo;
use crate::lang::syntax::MAX_FILE;
use crate::model::{Desired, Queries};

use super::exit::Exit;
use super::failure::{Failure, Finding};
use super::options::{ConfigArgs, Given};
use super::paths::{shown, tilde};
use super::reporter::Reporter;
use super::subfolders;

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
    /// Its sinks, to be asked for places of accounts that are live.
    pub sinks: DeclaredSinks,
}

/// Reads and evaluates a configuration. Besides it, this run reads the policy directories `policies`.
///
/// # Errors
/// All that is wrong with it.
pub fn load(
    args: &ConfigArgs,
    policies: &[PathBuf],
    reporter: &Reporter,
) -> Result<Loaded, Failure> {
    let mut given = gather(args, policies)?;
    match config::resolve(&given.module, &mut given.sources, &given.inputs) {
        Ok(resolved) => {
            let sources = given.whole(reporter)?;
            reporter.found(&resolved.warnings, &sources);
            Ok(Loaded {
                desired: resolved.desired,
                queries: resolved.queries,
                policies: resolved.policies,
                sinks: resolved.sinks,
            })
        }
        Err(errors) => Err(given.refuse(errors)),
    }
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
///
/// # Errors
/// All that is wrong with it.
pub fn validate(args: &ConfigArgs, reporter: &Reporter) -> Result<(), Failure> {
    let mut given = gather(args, &[])?;
    match config::validate(&given.module, &mut given.sources, &given.inputs) {
        Ok(warnings) => {
            reporter.found(&warnings, &given.whole(reporter)?);
            Ok(())
        }
        Err(errors) => Err(given.refuse(errors)),
    }
}

/// Reads what a configuration says of its seal keys, without asking for values of variables, and gives
/// its texts.
///
/// # Errors
/// All that is wrong with it.
pub fn sealing(dir: &Path, reporter: &Reporter) -> Result<(Sealing, SourceMap), Failure> {
    let mut given = gather(&ConfigArgs::of(dir), &[])?;
    match config::sealing(&given.module, &mut given.sources, &given.inputs) {
        Ok(sealing) => Ok((sealing, given.whole(reporter)?)),
        Err(errors) => Err(given.refuse(errors)),
    }
}

/// Reads what a configuration says of its stack, its seal keys, its scopes and its accounts, whatever else is
/// wrong with it, and without asking for values of variables.
///
/// # Errors
/// All that is wrong with it, if not even its stack and keys can be known.
pub fn salvage(args: &ConfigArgs) -> Result<Salvaged, Failure> {
    let mut given = gather(args, &[])?;
    config::salvage(&given.module, &mut given.sources, &given.inputs)
        .map_err(|errors| given.refuse(errors))
}

/// Reads the policies and limits of a policy directory. That there are none is an error: somebody
/// relies on them. `taker` is the option or variable that names the directory.
///
/// # Errors
/// What is wrong with it.
pub fn policy_dir(dir: &Path, taker: &str, reporter: &Reporter) -> Result<PolicyDir, Failure> {
    let shown_dir = echo::path(dir).given(taker);
    let refuse_dir = |why: &str| {
        let what = format!("the policy directory {shown_dir}: {why}");
        let help = "it holds .hcl files with `policy`, `limits` and `destinations` blocks (rolecall docs \
                    policies); without it nothing is planned";
        Failure::error(what).help(help).helps(tilde(dir))
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
    for one in in_subfolders(dir, &[]) {
        reporter.found(&only(one), &SourceMap::new());
    }
    if files.is_empty() {
        return Err(refuse_dir("there is no .hcl file in it"));
    }
    let (sources, read) = config::policy_dir(files);
    match read {
        Ok(read) if read.empty => Err(refuse_dir(
            "its files hold no policy, no limits and no destinations",
        )),
        Ok(read) => {
            reporter.found(&read.warnings, &sources);
            Ok(read)
        }
        Err(errors) => Err(Failure::found(errors, sources)),
    }
}

/// All that could be read of a configuration and of the values of its variables.
struct Gathered {
    sources: SourceMap,
    module: Module,
    inputs: Vec<Input>,
    /// What is to be told of it, in the order in which it was found.
    told: Vec<Finding>,
    /// Whether something could not be read.
    lacking: bool,
}

impl Gathered {
    /// Tells what was found and gives the sources, unless something could not be read.
    fn whole(self, reporter: &Reporter) -> Result<SourceMap, Failure> {
        if self.lacking {
            return Err(Failure::of(Exit::Error, self.told));
        }
        for one in &self.told {
            if let Finding::Found { found, sources } = one {
                reporter.found(found, sources);
            }
        }
        Ok(self.sources)
    }

    fn refuse(self, errors: Diagnostics) -> Failure {
        Failure::found(errors, self.sources).after(self.told)
    }
}

/// What was found so far while files and values are read.
#[derive(Default)]
struct Told {
    findings: Vec<Finding>,
    lacking: bool,
}

impl Told {
    fn note(&mut self, note: Diagnostic) {
        self.lacking |= note.severity == Severity::Error;
        self.findings.push(Finding::Found {
            found: only(note),
            sources: SourceMap::new(),
        });
    }

    /// What could be had; else why it could not, and the rest is still worth checking.
    fn take<T>(&mut self, read: Result<T, Failure>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(failure) => {
                self.lacking = true;
                self.findings.extend(failure.into_findings());
                None
            }
        }
    }
}

/// Reads what there is. What cannot be read is told, and the rest is still worth checking.
fn gather(args: &ConfigArgs, policies: &[PathBuf]) -> Result<Gathered, Failure> {
    let mut told = Told::default();
    match read_all(args, policies, &mut told) {
        Ok((sources, module, inputs)) => Ok(Gathered {
            sources,
            module,
            inputs,
            told: told.findings,
            lacking: told.lacking,
        }),
        Err(failure) => Err(failure.after(told.findings)),
    }
}

fn read_all(
    args: &ConfigArgs,
    policies: &[PathBuf],
    told: &mut Told,
) -> Result<(SourceMap, Module, Vec<Input>), Failure> {
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
    let noted = selection.notes.iter().chain(&selection.unread);
    noted.cloned().for_each(|note| told.note(note));
    let mut read_besides: Vec<PathBuf> = policies.to_vec();
    read_besides.extend(args.var_file.iter().cloned());
    for one in in_subfolders(&args.dir, &read_besides) {
        told.note(one);
    }
    if selection.configuration.is_empty() {
        return Err(match told.lacking {
            true => Failure::of(Exit::Error, Vec::new()),
            false => no_configuration(&args.dir),
        });
    }
    let content = |name: &String| {
        let path = args.dir.join(name);
        Ok((shown(&path), read_configuration(&args.dir, &path)?))
    };
    let mut files = Vec::new();
    for name in &selection.configuration {
        let read = told.take(content(name));
        files.extend(read.map(|(path, bytes)| SourceFile { path, bytes }));
    }
    let mut inputs = environment()?;
    let mut values = |read| match told.take(read) {
        Some((path, bytes)) => Input::File { path, bytes },
        None => Input::Unreadable,
    };
    for name in &selection.auto_values {
        inputs.push(values(content(name)));
    }
    for given in args.given() {
        inputs.push(match given {
            Given::File(path) => values(read(&path).map(|bytes| (shown(&path), bytes))),
            Given::Value(text) => value(&text)?,
        });
    }
    let (sources, mut module) = config::parse(files);
    if told.lacking {
        module.lacks_files();
    }
    let mut meant: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| Some(name.to_str()?.strip_prefix(TERRAFORM)?.to_owned()))
        .filter(|name| module.declares(name))
        .collect();
    meant.sort();
    if let Some(note) = config::terraform_variables(&meant) {
        told.note(note);
    }
    Ok((sources, module, inputs))
}

fn no_configuration(dir: &Path) -> Failure {
    Failure::error(format!(
        "there is no configuration in {}: no .hcl file",
        echo::path(dir).given("DIR")
    ))
    .help("name the directory that holds it")
    .help(
        "or write one: `rolecall init DIR` begins it, and `rolecall docs language` has every block",
    )
}

/// A value of the command line, `NAME=VALUE`.
fn value(text: &str) -> Result<Input, Failure> {
    let Some((name, value)) = text.split_once('=') else {
        let why = "--var wants NAME=VALUE, and there is no `=`";
        let help = "write --var 'NAME=VALUE'; what was given is not shown";
        return Err(Failure::usage(why).help(help));
    };
    let shown = echo::text(name);
    if !shown.is_plain() {
        let why = format!("--var wants NAME=VALUE, and {shown} is no name");
        return Err(Failure::usage(why).help("write --var 'NAME=VALUE'"));
    }
    Ok(Input::Text {
        name: name.trim().to_owned(),
        text: value.to_owned(),
        origin: Origin::CommandLine,
    })
}

/// What lies in subfolders and is not read; `besides` is.
fn in_subfolders(dir: &Path, besides: &[PathBuf]) -> Vec<Diagnostic> {
    let subfolders::Unread { files, links } = subfolders::unread(dir, besides);
    let files = config::in_subfolders(&files).into_iter();
    files.chain(config::behind_links(&links)).collect()
}

fn only(note: Diagnostic) -> Diagnostics {
    let mut one = Diagnostics::new();
    one.push(note);
    one
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Result<Vec<String>, Failure> {
    list(dir).map_err(|error| {
        Failure::error(listing(echo::path(dir).given("DIR"), &error))
            .help("name the directory that holds the configuration's .hcl files")
            .helps(tilde(dir))
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

/// Reads a file of values that `--var-file` names.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    read_at(path, path, &echo::path(path).given("--var-file"))
}

/// Reads a file of at most [`MAX_FILE`] bytes, which may be named in another way than it is found: its
/// size is looked at first, and what grows meanwhile or has no size is read no further than that.
fn read_at(real: &Path, path: &Path, shown: &echo::Shown<'_>) -> Result<Vec<u8>, Failure> {
    // A byte order mark stands before the text.
    let most = MAX_FILE as u64 + 3;
    let too_large = |size: String| {
        Failure::error(format!("{shown} is too large: {size}")).help(format!(
            "a file may have {} MiB at most; split it",
            MAX_FILE >> 20
        ))
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

/// Why a file cannot be read.
fn unreadable(path: &Path, shown: &echo::Shown<'_>, error: &io::Error) -> Failure {
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
    Failure::error(why).help(help).helps(tilde(path))
}

/// Reads a file that was found by its name alone. Whoever wrote the directory put it there, so it
/// must be what its name says: a pipe or a device would never end, and a link could show any file of
/// this machine to the readers of a finding or of a plan.
fn read_configuration(dir: &Path, path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = echo::path(path);
    let fail = |error: io::Error| unreadable(path, &shown, &error);
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(Failure::error(format!("{shown} is not a regular file"))
            .help("only regular files are read as configuration; move it out of the directory"));
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
    Err(Failure::error(format!("{why}, and was not read"))
        .help(
            "put the file itself there; a link may lead to an .hcl file of the same directory alone",
        )
        .help("values of variables from elsewhere come with --var-file FILE"))
}

/// The variables of the environment, by name.
fn environment() -> Result<Vec<Input>, Failure> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, text) in std::env::vars_os() {
        let Some(variable) = name.to_str().and_then(|name| name.strip_prefix(VARIABLE)) else {
            continue;
        };
        let Ok(text) = text.into_string() else {
            let why = format!("{VARIABLE}{variable} is not UTF-8 text");
            return Err(Failure::error(why).help("set it to text in UTF-8, or unset it"));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reporter() -> Reporter {
        Reporter::new(
            "validate",
            &super::super::options::FormArgs::default(),
            false,
        )
    }

    /// What is said of a configuration, an item each.
    fn said(files: &[(&str, &str)], var: &[&str]) -> (Exit, Vec<String>) {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            match text.strip_prefix("-> ") {
                Some(to) => std::os::unix::fs::symlink(to, path).expect("linked"),
                None => fs::write(path, text).expect("written"),
            }
        }
        let mut args = ConfigArgs::of(dir.path());
        args.var = var.iter().map(|text| (*text).to_owned()).collect();
        args.places.0 = (0..var.len()).collect();
        let failure = validate(&args, &reporter()).expect_err("it is wrong");
        let findings = failure.findings().iter().map(|finding| match finding {
            Finding::Error { message, help: _ } => {
                message.replace(&*dir.path().to_string_lossy(), "DIR")
            }
            Finding::Found { found, sources: _ } => {
                let codes: Vec<&str> = found.iter().map(|one| one.code).collect();
                codes.join(" ")
            }
            other => panic!("{other:?}"),
        });
        (failure.exit(), findings.collect())
    }

    #[test]
    fn all_that_is_wrong_travels_up_in_the_order_in_which_it_was_found() {
        let head = "rolecall {\n  stack = \"a\"\n  id = \"abcd\"\n}\n";
        let gone = "DIR/gone.hcl is a symbolic link to nothing";
        // What cannot be read does not keep the rest from being checked.
        let (exit, all) = said(
            &[("main.hcl", "nonsense {}\n"), ("gone.hcl", "-> nowhere")],
            &[],
        );
        assert_eq!((exit, all[0].as_str()), (Exit::Error, gone));
        assert!(all[1].contains("unknown-block"), "{all:?}");
        // Notes come before what they are about.
        let (exit, all) = said(
            &[
                ("main.tf", ""),
                ("gone.hcl", "-> nowhere"),
                ("main.hcl", head),
            ],
            &[],
        );
        assert_eq!(
            (exit, all.len(), all[1].as_str()),
            (Exit::Error, 2, gone),
            "{all:?}"
        );
        // Wrong usage is one whatever else there is.
        let (exit, all) = said(&[("gone.hcl", "-> nowhere"), ("main.hcl", head)], &["x"]);
        assert_eq!((exit, all[0].as_str()), (Exit::Usage, gone));
        assert!(all[1].starts_with("--var wants NAME=VALUE"), "{all:?}");
        // Nothing at all.
        let (exit, all) = said(&[], &[]);
        assert_eq!((exit, all.len()), (Exit::Error, 1));
        assert!(all[0].starts_with("there is no configuration"), "{all:?}");
    }
}
