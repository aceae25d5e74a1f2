//! The functions of the language: those that Terraform has, with its names and results.
//!
//! Pure: none reads the clock, random numbers, files or the environment.

mod collection;
mod conversion;
mod encoding;
mod format;
mod json;
mod numeric;
mod sets;
mod signature;
mod text;

pub use signature::{CallError, Function, Marks, Outcome, Parameter};

use super::codes;
use crate::diag::{Diagnostic, Span};

static TABLE: std::sync::LazyLock<Vec<Function>> = std::sync::LazyLock::new(|| {
    let mut table = Vec::new();
    text::add(&mut table);
    format::add(&mut table);
    collection::add(&mut table);
    sets::add(&mut table);
    conversion::add(&mut table);
    numeric::add(&mut table);
    encoding::add(&mut table);
    table.sort_by_key(|function| function.name);
    table
});

/// Returns every function, by name.
pub fn all() -> &'static [Function] {
    &TABLE
}

/// Finds a function; checks the number of arguments when it is known.
pub(super) fn lookup(
    name: &str,
    span: Span,
    count: Option<usize>,
) -> Result<&'static Function, Diagnostic> {
    let Ok(at) = TABLE.binary_search_by_key(&name, |function| function.name) else {
        let found = Diagnostic::error(codes::UNKNOWN_FUNCTION)
            .at(span, "there is no function of this name");
        return Err(match absent(name) {
            Some(why) => found.help(why),
            None => found.suggesting(name, TABLE.iter().map(|function| function.name)),
        });
    };
    let function = &TABLE[at];
    let Some(count) = count else {
        return Ok(function);
    };
    let least = function.parameters.len() - function.optional;
    let most = if function.rest.is_some() {
        usize::MAX
    } else {
        function.parameters.len()
    };
    if (least..=most).contains(&count) {
        return Ok(function);
    }
    let wanted = match (least, most) {
        (least, usize::MAX) => format!("at least {least}"),
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    Err(Diagnostic::error(codes::WRONG_ARGUMENT_COUNT)
        .at(span, format!("takes {wanted}, not {count}"))
        .help(function.usage()))
}

/// Says why some of Terraform's functions are not here.
fn absent(name: &str) -> Option<&'static str> {
    match name {
        "timestamp" | "plantimestamp" | "uuid" | "bcrypt" => Some(
            "functions that read the clock or random numbers do not exist: equal files must make equal plans",
        ),
        "timeadd" | "timecmp" | "formatdate" => Some(
            "functions on times are not supported by this version yet; write the point in time itself, as in \"2027-06-30T00:00:00Z\"",
        ),
        "file" | "fileexists" | "fileset" | "filebase64" | "templatefile" | "abspath"
        | "dirname" | "basename" | "pathexpand" => {
            Some("functions on files are not supported by this version yet")
        }
        _ => None,
    }
}
