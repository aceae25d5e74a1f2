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
    /// HCL by a name in capitals, which nothing reads.
    Capitals,
    /// Configuration in JSON, which is not read yet: an error, never silence.
    Json,
    /// Configuration of Terraform's or OpenTofu's.
    Terraform,
    /// Values of variables for Terraform.
    TerraformValues,
    /// Values of variables in JSON.
    JsonValues,
    /// Nothing of ours.
    Other,
}

/// Tells what a file is by its name, without its folder.
pub fn file_kind(name: &str) -> FileKind {
    let ends = |suffix: &str| name.len() > suffix.len() && name.ends_with(suffix);
    // Of what is not read a name in capitals is told as well.
    let small = name.to_ascii_lowercase();
    let like = |suffix: &str| small.len() > suffix.len() && small.ends_with(suffix);
    if name.starts_with('.') || name.contains(['/', '\\']) {
        FileKind::Other
    } else if like(".hcl.json") {
        FileKind::Json
    } else if like(".tfvars") || like(".tfvars.json") {
        FileKind::TerraformValues
    } else if like(".tf") || like(".tf.json") || like(".tofu") || like(".tofu.json") {
        FileKind::Terraform
    } else if like(".vars.json") || small == "vars.json" {
        FileKind::JsonValues
    } else if !like(".hcl") {
        FileKind::Other
    } else if !ends(".hcl") {
        FileKind::Capitals
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
    /// What is to be said about files that look like configuration.
    pub notes: Vec<Diagnostic>,
    /// What is to be said about what people may take for part of it.
    pub unread: Vec<Diagnostic>,
}

/// Sorts the file names of one directory by what they are.
pub fn select<'a>(names: impl IntoIterator<Item = &'a str>) -> Selection {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let mut out = Selection::default();
    let (mut terraform, mut values, mut json) = (Vec::new(), Vec::new(), Vec::new());
    let mut capitals = Vec::new();
    for name in names {
        match file_kind(name) {
            FileKind::Configuration => out.configuration.push(name.to_owned()),
            FileKind::AutoValues => out.auto_values.push(name.to_owned()),
            FileKind::Foreign => {
                out.notes
                    .push(about(Diagnostic::note, codes::SKIPPED_FILE, name).help(
                        "its name says that it belongs to another tool; rename it if it does not",
                    ))
            }
            FileKind::Json => out.notes.push(
                about(Diagnostic::error, codes::UNSUPPORTED_FILE, name)
                    .help("write it in native HCL, as `.hcl`, or move it out of this directory"),
            ),
            FileKind::Capitals => capitals.push(name),
            FileKind::Terraform => terraform.push(name),
            FileKind::TerraformValues => values.push(name),
            FileKind::JsonValues => json.push(name),
            FileKind::Values | FileKind::Tests | FileKind::Other => {}
        }
    }
    out.unread.extend(unread(
        "file",
        &capitals,
        "rolecall reads files that end in `.hcl`, in small letters: rename what belongs here",
    ));
    let tofu = |name: &&str| name.to_ascii_lowercase().contains(".tofu");
    let who = match terraform.iter().any(tofu) {
        true => "OpenTofu",
        false => "Terraform",
    };
    out.unread.extend(unread(
        "file",
        &terraform,
        &format!(
            "{who} reads it and rolecall does not: what belongs to rolecall stands in `.hcl` files"
        ),
    ));
    out.unread.extend(unread(
        "file",
        &values,
        "values come from `*.auto.vars.hcl` files, which are read without being named, from `--var-file \
         FILE` and `--var`, and from ROLECALL_VAR_… in the environment",
    ));
    out.unread.extend(unread(
        "file",
        &json,
        "values are not read from JSON: write `NAME = VALUE` into a file `*.auto.vars.hcl`, or name one \
         with --var-file",
    ));
    out
}

/// What is to be said about `.hcl` files in subfolders that nothing of this run reads.
pub fn in_subfolders(files: &[String]) -> Option<Diagnostic> {
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    unread(
        "file",
        &files,
        "subfolders are not read: move up what belongs here; a policy directory is named with \
         --policy-dir, and values with --var-file",
    )
}

/// What is to be said about links to folders, behind which nobody looks.
pub fn behind_links(links: &[String]) -> Option<Diagnostic> {
    let links: Vec<&str> = links.iter().map(String::as_str).collect();
    unread(
        "link",
        &links,
        "it leads to a folder, and links to folders are not followed: move what belongs to the \
         configuration into its directory; a policy directory is named with --policy-dir, and values with \
         --var-file",
    )
}

/// What is to be said about variables of the environment that Terraform reads.
pub fn terraform_variables(names: &[String]) -> Option<Diagnostic> {
    let first = names.first()?;
    let names: Vec<String> = names.iter().map(|name| format!("TF_VAR_{name}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let way_out = format!("rolecall reads ROLECALL_VAR_{first}, or `--var {first}=…`");
    unread("environment variable", &names, &way_out)
}

/// The most names that are listed.
const MAX_LISTED: usize = 5;

/// One note about all of a kind.
fn unread(noun: &str, names: &[&str], way_out: &str) -> Option<Diagnostic> {
    if names.is_empty() {
        return None;
    }
    let listed: Vec<String> = names
        .iter()
        .take(MAX_LISTED)
        .map(|name| format!("`{name}`"))
        .collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    let mut shown = format!("{noun}{plural} {}", listed.join(", "));
    if names.len() > MAX_LISTED {
        shown.push_str(&format!(" and {} more", names.len() - MAX_LISTED));
    }
    Some(
        Diagnostic::note(codes::UNREAD_FILE)
            .help(shown)
            .help(way_out),
    )
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
            ("X.HCL", FileKind::Capitals),
            ("prod.auto.vars.Hcl", FileKind::Capitals),
            ("grün.HCL", FileKind::Capitals),
            ("X.HCL.JSON", FileKind::Json),
            ("main.tofu", FileKind::Terraform),
            ("main.tofu.json", FileKind::Terraform),
            ("MAIN.TF", FileKind::Terraform),
            (".HCL", FileKind::Other),
            (".terraform.lock.hcl", FileKind::Other),
            ("terraform.lock.hcl", FileKind::Foreign),
            ("image.pkr.hcl", FileKind::Foreign),
            ("job.nomad.hcl", FileKind::Foreign),
            ("main.hcl.json", FileKind::Json),
            ("main.tf", FileKind::Terraform),
            ("main.tf.json", FileKind::Terraform),
            ("terraform.tfvars", FileKind::TerraformValues),
            ("prod.auto.tfvars.json", FileKind::TerraformValues),
            ("prod.vars.json", FileKind::JsonValues),
            ("prod.auto.vars.json", FileKind::JsonValues),
            (".terraform.tfvars", FileKind::Other),
            ("package.json", FileKind::Other),
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

    #[test]
    fn what_people_may_take_for_configuration_is_told_once_for_each_kind() {
        let names = [
            "main.hcl",
            "a.tf",
            "b.tf",
            "c.tf",
            "d.tf",
            "e.tf",
            "f.tf",
            "terraform.tfvars",
            "prod.vars.json",
            "README.md",
        ];
        let selection = select(names);
        assert!(selection.notes.is_empty());
        let told: Vec<String> = selection
            .unread
            .iter()
            .map(|note| note.help.join("; "))
            .collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[0].contains("`a.tf`, `b.tf`, `c.tf`, `d.tf`, `e.tf` and 1 more"),
            "{told:?}"
        );
        assert!(told[1].contains("`terraform.tfvars`") && told[1].contains("auto.vars.hcl"));
        assert!(told[2].contains("`prod.vars.json`"), "{told:?}");
        assert!(select(["main.hcl", "x.vars.hcl"]).unread.is_empty());
        let told = |name| select(["main.hcl", name]).unread.remove(0).help.join("; ");
        assert!(
            told("X.HCL").contains("`X.HCL`; rolecall reads files that end in `.hcl`, in small")
        );
        assert!(told("a.tofu").contains("`a.tofu`; OpenTofu reads it and rolecall does not"));
        let link = behind_links(&["modules".to_owned()]).expect("told");
        assert!(link.help[0].contains("link `modules`"), "{:?}", link.help);
        assert!(in_subfolders(&[]).is_none() && terraform_variables(&[]).is_none());
        let one = in_subfolders(&["modules/team/main.hcl".to_owned()]).expect("told");
        assert!(one.help[0].contains("`modules/team/main.hcl`"));
        let two = terraform_variables(&["region".to_owned(), "team".to_owned()]).expect("told");
        let shown = two.help.join("; ");
        assert!(shown.contains("`TF_VAR_region`, `TF_VAR_team`"), "{shown}");
        assert!(shown.contains("ROLECALL_VAR_region"), "{shown}");
    }
}
