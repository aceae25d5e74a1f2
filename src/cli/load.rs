//! Reads a configuration directory and the values of its variables, and reports what is wrong.

use std::fs;
use std::path::Path;

use crate::config::{self, Input, Module, Origin, SourceFile};
use crate::diag::{Diagnostics, Severity, SourceMap};
use crate::model::{Desired, Queries};

use super::args::{ConfigArgs, Given};
use super::exit::Exit;
use super::output;

/// What variables of the environment begin with.
const VARIABLE: &str = "ROLECALL_VAR_";

/// A configuration, evaluated.
pub struct Loaded {
    /// All that it wants.
    pub desired: Desired,
    /// What must be read from the platform.
    pub queries: Queries,
}

/// Reads and evaluates a configuration.
pub fn load(args: &ConfigArgs) -> Result<Loaded, Exit> {
    let (mut sources, module, inputs) = parse(args)?;
    match config::resolve(&module, &mut sources, &inputs) {
        Ok(resolved) => {
            show(&resolved.warnings, &sources);
            if !resolved.rotations.is_empty() {
                output::warning(
                    "rotate_after and overlap are checked and kept, but this version does not \
                     rotate keys yet",
                );
            }
            Ok(Loaded {
                desired: resolved.desired,
                queries: resolved.queries,
            })
        }
        Err(errors) => Err(refuse(&errors, &sources)),
    }
}

/// Checks a configuration without asking for values.
pub fn validate(args: &ConfigArgs) -> Result<(), Exit> {
    let (mut sources, module, inputs) = parse(args)?;
    match config::validate(&module, &mut sources, &inputs) {
        Ok(warnings) => {
            show(&warnings, &sources);
            Ok(())
        }
        Err(errors) => Err(refuse(&errors, &sources)),
    }
}

fn parse(args: &ConfigArgs) -> Result<(SourceMap, Module, Vec<Input>), Exit> {
    let names = names(&args.dir).map_err(|error| {
        let dir = args.dir.display();
        output::error(
            &format!("cannot read the directory {dir}: {error}"),
            &["name the directory that holds the configuration's .hcl files".to_owned()],
        );
        Exit::Error
    })?;
    let selection = config::select(names.iter().map(String::as_str));
    let mut broken = false;
    for note in &selection.notes {
        broken |= note.severity == Severity::Error;
        let mut one = Diagnostics::new();
        one.push(note.clone());
        show(&one, &SourceMap::new());
    }
    if broken {
        return Err(Exit::Error);
    }
    if selection.configuration.is_empty() {
        output::error(
            &format!(
                "there is no configuration in {}: no .hcl file",
                args.dir.display()
            ),
            &["name the directory that holds it, or write one: docs/language.md".to_owned()],
        );
        return Err(Exit::Error);
    }
    let mut files = Vec::new();
    for name in &selection.configuration {
        let path = args.dir.join(name);
        files.push(SourceFile {
            path: shown(&path),
            bytes: read(&path)?,
        });
    }
    let mut inputs = environment();
    for name in &selection.auto_values {
        let path = args.dir.join(name);
        inputs.push(Input::File {
            path: shown(&path),
            bytes: read(&path)?,
        });
    }
    for given in args.given() {
        inputs.push(match given {
            Given::File(path) => Input::File {
                path: shown(&path),
                bytes: read(&path)?,
            },
            Given::Value(text) => {
                let Some((name, value)) = text.split_once('=') else {
                    output::error(
                        "--var wants NAME=VALUE, and there is no `=`",
                        &[format!("write --var '{text}=…'")],
                    );
                    return Err(Exit::Usage);
                };
                Input::Text {
                    name: name.trim().to_owned(),
                    text: value.to_owned(),
                    origin: Origin::CommandLine,
                }
            }
        });
    }
    let (sources, module) = config::parse(files);
    match module {
        Ok(module) => Ok((sources, module, inputs)),
        Err(errors) => Err(refuse(&errors, &sources)),
    }
}

/// The names in a directory, sorted. A name that is no text cannot be a configuration's.
fn names(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let (Ok(name), false) = (entry.file_name().into_string(), entry.path().is_dir()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A path as findings show it: without the `./` of the current directory.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    text.strip_prefix("./").map(str::to_owned).unwrap_or(text)
}

fn read(path: &Path) -> Result<Vec<u8>, Exit> {
    fs::read(path).map_err(|error| {
        output::error(&format!("cannot read {}: {error}", path.display()), &[]);
        Exit::Error
    })
}

/// The variables of the environment, by name.
fn environment() -> Vec<Input> {
    let mut found: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, text)| {
            let name = name.to_str()?.strip_prefix(VARIABLE)?.to_owned();
            Some((name, text.into_string().ok()?))
        })
        .collect();
    found.sort();
    found
        .into_iter()
        .map(|(name, text)| Input::Text {
            name,
            text,
            origin: Origin::Environment,
        })
        .collect()
}

fn show(found: &Diagnostics, sources: &SourceMap) {
    output::found(found, sources);
}

fn refuse(errors: &Diagnostics, sources: &SourceMap) -> Exit {
    show(errors, sources);
    Exit::Error
}
