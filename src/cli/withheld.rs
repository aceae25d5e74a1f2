//! What a command line, a wrong one above all, and a bug show of what they were given: no secret. Reads
//! and sends nothing.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::echo;
use crate::view::inert;

use super::console;

/// Refuses a command line that holds a credential. `taking` are the names of the options that take a value.
///
/// # Errors
/// Says where it stands, and what it is now.
pub fn refuse_credentials(
    given: &[OsString],
    taking: &BTreeSet<String>,
) -> Result<(), clap::Error> {
    for (at, argument) in given.iter().enumerate().skip(1) {
        let text = argument.to_string_lossy();
        if echo::credential(&text).is_none() {
            continue;
        }
        let place = match option(given, at, taking) {
            Some(option) => format!("in {option}"),
            None => format!("as argument {at}"),
        };
        return Err(clap::Error::raw(
            ErrorKind::ValueValidation,
            format!(
                "a credential is on the command line, {place}: {}; it is in your shell's history and the \
                 process list: rotate it\n\n  = a credential is named by its file's path, or given in \
                 the environment: `rolecall docs environment` has the variables\n",
                echo::text(&text)
            ),
        ));
    }
    Ok(())
}

/// The option whose value an argument is.
fn option(given: &[OsString], at: usize, taking: &BTreeSet<String>) -> Option<String> {
    let takes = |name: &str| {
        let bare = name.trim_start_matches('-');
        (bare.len() < name.len() && taking.contains(bare)).then(|| format!("--{bare}"))
    };
    let own = given[at].to_string_lossy();
    let own = own.split_once('=').and_then(|(name, _)| takes(name));
    own.or_else(|| takes(&given[at - 1].to_string_lossy()))
}

/// An error about the command line that repeats nothing that may be a secret.
pub fn harmless(mut error: clap::Error) -> clap::Error {
    let mut hidden = false;
    let mut show = |text: &str| {
        let shown = echo::text(text);
        hidden |= !shown.is_plain();
        inert(&shown.to_string())
    };
    let said: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| {
            let value = match value {
                ContextValue::String(text) => ContextValue::String(show(text)),
                ContextValue::Strings(texts) => {
                    ContextValue::Strings(texts.iter().map(|text| show(text)).collect())
                }
                _ => return None,
            };
            Some((kind, value))
        })
        .collect();
    if hidden {
        // It would be a command line that repeats it.
        error.remove(ContextKind::Suggested);
    }
    if let (true, ErrorKind::ValueValidation) = (hidden, error.kind()) {
        // What the value's own parser says may repeat it.
        let find = |wanted: ContextKind| {
            said.iter().find_map(|(kind, value)| match value {
                ContextValue::String(text) if *kind == wanted => Some(text.as_str()),
                _ => None,
            })
        };
        let argument = find(ContextKind::InvalidArg).unwrap_or("an argument");
        let value = find(ContextKind::InvalidValue).unwrap_or_default();
        return clap::Error::raw(
            ErrorKind::ValueValidation,
            format!(
                "invalid value for '{argument}': {value}\n\nFor more information, try '--help'.\n"
            ),
        );
    }
    for (kind, value) in said {
        error.insert(kind, value);
    }
    error
}

/// Sees that a bug is told without what the run was working on: the words of a panic may hold any of it.
pub fn guard_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let words = panic.payload().downcast_ref::<&'static str>().copied();
        let text = bug(place.as_deref(), words);
        let trace = Backtrace::capture();
        match trace.status() {
            BacktraceStatus::Captured => console::bug(&format!("{text}\n{trace}")),
            _ => console::bug(&text),
        }
    }));
}

/// Sees that a crash leaves no file with the memory of the run, keys and all. Where the system refuses
/// that, the run goes on: it is the machine's owner who reads such files.
pub fn leave_no_core() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
}

/// What is said of a bug. `words` are those that stand in the code itself; others are not known here.
fn bug(place: Option<&str>, words: Option<&'static str>) -> String {
    let place = place.unwrap_or("a place that is not known");
    let words = words.unwrap_or("the words are not shown, since they may hold what it was given");
    format!(
        "error: a bug in rolecall ended this run at {place}: {words}\n  = tell its authors of the place and \
         of what you did; `rolecall plan` shows what the run has left"
    )
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::cli::args;

    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEB\n\
                       -----END PRIVATE KEY-----\n";
    const TOKEN: &str = "kX9pQ2vR7tY4wZ1aB6cD3eF8gH5jK0mN2pQ4rS7tU9vW1xY3zA";

    fn wrong(given: &[&str]) -> String {
        let given = std::iter::once("rolecall").chain(given.iter().copied());
        let read = args::read(given.map(OsString::from).collect());
        read.expect_err("wrong").to_string()
    }

    #[test]
    fn a_credential_on_the_command_line_is_refused_and_named_by_its_option() {
        let json = "{\"mrn\":\"//x\",\"private_key\":\"MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGe\"}";
        let with = |option: &str| format!("{option}={json}");
        let twice = STANDARD.encode(STANDARD.encode(json));
        let hex: String = json.bytes().map(|b| format!("{b:02x}")).collect();
        for (given, place) in [
            (vec!["plan", "--credentials", json], "in --credentials"),
            (vec!["plan", "--yes", json], "as argument 3"),
            (vec!["plan", &with("--ca-file")], "in --ca-file"),
            (vec!["plan", "-var", &with("key")], "in --var"),
            (vec!["plan", &with("-var=key")], "in --var"),
            (vec!["apply", "--ack", PEM], "in --ack"),
            (vec![PEM], "as argument 1"),
            (vec!["show", PEM, "access"], "as argument 2"),
            (vec!["plan", "--", PEM], "as argument 3"),
            (vec!["plan", "--credentials", &twice], "in --credentials"),
            (vec!["plan", &hex, "access"], "as argument 2"),
            (vec!["apply", &with("-target")], "as argument 2"),
        ] {
            let said = wrong(&given);
            let first = said.lines().next().expect("a line");
            assert!(
                first.contains(place) && first.contains("rotate it"),
                "{said}"
            );
            assert!(!said.contains("MIG2"), "{said}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_repeated_if_it_may_be_a_secret() {
        let with = |option: &str| format!("{option}{TOKEN}");
        for given in [
            vec!["plan", "--timeout", TOKEN],
            vec!["plan", "--format", TOKEN],
            vec!["plan", "--take-over", TOKEN],
            vec!["plan", "--take-over", &with("a/")],
            vec!["check", "--unused", TOKEN],
            vec!["platform", "serve", "--db", "x", "--listen", TOKEN],
            vec!["docs", TOKEN],
            vec![TOKEN],
            vec!["platform", TOKEN],
            vec!["roles", TOKEN],
            vec!["plan", &with("--")],
            vec!["plan", &with("-")],
            vec!["plan", &with("--local=")],
            vec!["plan", "a", TOKEN],
        ] {
            let said = wrong(&given);
            for part in TOKEN.as_bytes().windows(12) {
                let part = std::str::from_utf8(part).expect("text");
                assert!(!said.contains(part), "{given:?}: {said}");
            }
        }
        assert!(wrong(&["plan", "--timeout", "soon"]).contains("'soon' for '--timeout"));
        assert!(wrong(&["docs", "langage"]).contains("langage"));
        let said = wrong(&["plan", "--timeout", "\u{1b}[31m"]);
        assert!(
            !said.contains('\u{1b}') && said.contains("\\u{1b}"),
            "{said}"
        );
    }

    #[test]
    fn a_bug_tells_its_place_and_only_words_of_the_code() {
        let said = bug(Some("src/a.rs:1:2"), Some("the table is whole"));
        assert!(
            said.contains("src/a.rs:1:2: the table is whole\n"),
            "{said}"
        );
        let said = bug(None, None);
        assert!(
            said.contains("not known") && said.contains("not shown"),
            "{said}"
        );
    }
}
