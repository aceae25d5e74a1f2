//! Which files of a directory are configuration.
//! Pure: names in, decisions out.

use super::codes;
use crate::diag::{Code, Diagnostic};

/// What a file of the configuration's directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// Part of the root module.
    Configuration,
    /// Values of variables that load by themselves.
    AutoValues,
    /// Values of variables that load only with `--var-file`.
    Values,
    /// Tests of the configuration.
    Tests,
    /// HCL of another tool; left alone and named in a note.
    Foreign,
    /// Configuration in JSON, which is not read yet: an error, never silence.
    Json,
    /// Nothing of ours.
    Other,
}

/// Tells what a file is by its name, without its folder.
pub fn file_kind(name: &str) -> FileKind {
    let ends = |suffix: &str| name.len() > suffix.len() && name.ends_with(suffix);
    if name.starts_with('.') || name.contains(['/', '\\']) {
        FileKind::Other
    } else if ends(".hcl.json") {
        FileKind::Json
    } else if !ends(".hcl") {
        FileKind::Other
    } else if ends(".lock.hcl") || ends(".pkr.hcl") || ends(".nomad.hcl") {
        FileKind::Foreign
    } else if ends(".auto.vars.hcl") {
        FileKind::AutoValues
    } else if ends(".vars.hcl") {
        FileKind::Values
    } else if ends(".test.hcl") {
        FileKind::Tests
    } else {
        FileKind::Configuration
    }
}

/// The files of one directory, sorted by what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Files of the root module, by name.
    pub configuration: Vec<String>,
    /// Files of values that load by themselves, by name: later ones win.
    pub auto_values: Vec<String>,
    /// What is to be said about the others.
    pub notes: Vec<Diagnostic>,
}

/// Sorts the file names of one directory by what they are.
pub fn select<'a>(names: impl IntoIterator<Item = &'a str>) -> Selection {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let mut out = Selection::default();
    for name in names {
        match file_kind(name) {
            FileKind::Configuration => out.configuration.push(name.to_owned()),
            FileKind::AutoValues => out.auto_values.push(name.to_owned()),
            FileKind::Foreign => out.notes.push(
                about(Diagnostic::note, codes::SKIPPED_FILE, name)
                    .help("it is read as a file of another tool; rename it if it is not"),
            ),
            FileKind::Json => out.notes.push(
                about(Diagnostic::error, codes::UNSUPPORTED_FILE, name)
                    .help("write it in native HCL, as `.hcl`, or move it out of this directory"),
            ),
            FileKind::Values | FileKind::Tests | FileKind::Other => {}
        }
    }
    out
}

fn about(make: fn(Code) -> Diagnostic, code: Code, name: &str) -> Diagnostic {
    make(code).help(format!("file `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_files_are() {
        for (name, kind) in [
            ("main.hcl", FileKind::Configuration),
            ("a.b.hcl", FileKind::Configuration),
            ("vars.hcl", FileKind::Configuration),
            ("prod.vars.hcl", FileKind::Values),
            ("prod.auto.vars.hcl", FileKind::AutoValues),
            ("x.test.hcl", FileKind::Tests),
            (".terraform.lock.hcl", FileKind::Other),
            ("terraform.lock.hcl", FileKind::Foreign),
            ("image.pkr.hcl", FileKind::Foreign),
            ("job.nomad.hcl", FileKind::Foreign),
            ("main.hcl.json", FileKind::Json),
            ("main.tf", FileKind::Other),
            (".hidden.hcl", FileKind::Other),
            (".hcl", FileKind::Other),
            ("sub/main.hcl", FileKind::Other),
            ("README.md", FileKind::Other),
        ] {
            assert_eq!(file_kind(name), kind, "{name}");
        }
    }

    #[test]
    fn selection_is_sorted_and_says_what_it_leaves() {
        let names = [
            "b.hcl",
            "a.hcl",
            "b.auto.vars.hcl",
            "a.auto.vars.hcl",
            "x.pkr.hcl",
            "y.hcl.json",
        ];
        let selection = select(names);
        assert_eq!(selection.configuration, ["a.hcl", "b.hcl"]);
        assert_eq!(
            selection.auto_values,
            ["a.auto.vars.hcl", "b.auto.vars.hcl"]
        );
        let codes: Vec<_> = selection.notes.iter().map(|note| note.code).collect();
        assert_eq!(codes, ["skipped-file", "unsupported-file"]);
    }
}
