//! How the tests of the language run a configuration.

use rolecall::config::{Input, Origin, Resolved, SourceFile, parse, resolve, validate};
use rolecall::diag::{Diagnostics, SourceMap, render_all};

/// A configuration with its inputs, taken from one text with `#=== NAME` lines between files.
#[derive(Debug, Clone, Default)]
pub struct Case {
    pub files: Vec<SourceFile>,
    pub inputs: Vec<Input>,
}

impl Case {
    pub fn one(text: &str) -> Self {
        Self::named("main.hcl", text)
    }

    pub fn named(first: &str, text: &str) -> Self {
        let mut case = Case::default();
        let mut name = first.to_owned();
        let mut body = String::new();
        for line in text.split_inclusive('\n') {
            if let Some(next) = line.strip_prefix("#=== ") {
                case.add(&name, &std::mem::take(&mut body));
                name = next.trim_end().to_owned();
            } else {
                body.push_str(line);
            }
        }
        case.add(&name, &body);
        case
    }

    fn add(&mut self, name: &str, body: &str) {
        if let Some(variable) = name.strip_prefix("--var ") {
            self.inputs.push(Input::Text {
                name: variable.to_owned(),
                text: body.trim_end().to_owned(),
                origin: Origin::CommandLine,
            });
        } else if name.ends_with(".vars.hcl") {
            self.inputs.push(Input::File {
                path: name.to_owned(),
                bytes: body.into(),
            });
        } else {
            self.files.push(SourceFile {
                path: name.to_owned(),
                bytes: body.into(),
            });
        }
    }

    /// Resolves it; the findings come with the texts they point into.
    pub fn resolve(&self) -> (SourceMap, Result<Resolved, Diagnostics>) {
        let (mut sources, module) = parse(self.files.clone());
        let result = resolve(&module, &mut sources, &self.inputs);
        (sources, result)
    }

    /// Validates it without asking for variables.
    pub fn validate(&self) -> (SourceMap, Result<Diagnostics, Diagnostics>) {
        let (mut sources, module) = parse(self.files.clone());
        let result = validate(&module, &mut sources, &self.inputs);
        (sources, result)
    }

    /// Returns all findings as they are shown.
    pub fn findings(&self) -> String {
        let (sources, result) = self.resolve();
        let found = match result {
            Ok(resolved) => resolved.warnings,
            Err(found) => found,
        };
        render_all(&found, &sources, false)
    }

    /// Returns what it comes to; panics with the findings when something is wrong.
    #[track_caller]
    pub fn desired(&self) -> Resolved {
        let (sources, result) = self.resolve();
        result.unwrap_or_else(|found| panic!("{}", render_all(&found, &sources, false)))
    }
}

/// Reads a fixture.
pub fn fixture(name: &str) -> String {
    let path = format!("{}/fixtures/config/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
