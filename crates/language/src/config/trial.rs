//! How tests of this room try a configuration.

use super::{Input, Resolved, SourceFile, parse, resolve};
use crate::diag::{Diagnostics, SourceMap};

/// What stands before every configuration that is tried.
const HEAD: &str = r#"
rolecall {
  stack = "acme-access"
  id    = "k7m2q9ta"
}
organization "acme" { id = "acme-corp-883120" }
space "prod" {
  organization = organization.acme
  id           = "prod-883120"
}
sink "file" "local" { directory = "credentials" }
"#;

/// What a configuration comes to; its findings with the texts they point into.
pub fn come_to(text: &str) -> Result<Resolved, (SourceMap, Diagnostics)> {
    whole(&format!("{HEAD}{text}"))
}

/// The same with values of its variables.
pub fn come_to_with(text: &str, given: &[Input]) -> Result<Resolved, (SourceMap, Diagnostics)> {
    whole_with(&format!("{HEAD}{text}"), given)
}

/// The same of one that has a head of its own.
pub fn whole(text: &str) -> Result<Resolved, (SourceMap, Diagnostics)> {
    whole_with(text, &[])
}

fn whole_with(text: &str, given: &[Input]) -> Result<Resolved, (SourceMap, Diagnostics)> {
    let file = SourceFile {
        path: "main.hcl".to_owned(),
        bytes: text.as_bytes().to_owned(),
    };
    let (mut sources, module) = parse(vec![file]);
    resolve(&module, &mut sources, given).map_err(|found| (sources, found))
}

/// The codes of what is wrong with a configuration, each with the marked text.
#[track_caller]
pub fn wrong(text: &str) -> Vec<(&'static str, String)> {
    marked(come_to(text), text)
}

/// The codes of what is wrong, each with the marked text.
#[track_caller]
pub fn marked(
    came: Result<Resolved, (SourceMap, Diagnostics)>,
    text: &str,
) -> Vec<(&'static str, String)> {
    let (sources, found) = came.expect_err(text);
    let mark = |item: &crate::diag::Diagnostic| {
        let span = item.span().expect("a place");
        let marked = &sources.text(span.file)[span.range()];
        (item.code, marked.to_owned())
    };
    found.iter().map(mark).collect()
}
