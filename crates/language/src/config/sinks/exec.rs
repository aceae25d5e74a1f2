//! Sinks of the kind `exec`: which program is told of an account's credential, and what it is told.
//! Pure: names only; no program is looked for here, and none is run.

use std::collections::BTreeSet;

use super::kind::{DecodedSink, ON_DELETE, OVERWRITE_UNREADABLE, format};
use super::recipient::{Recipient, safe_name};
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, may_for_account, must};
use crate::diag::{Diagnostic, Span, acts};
use crate::lang::{Failed, Frame};
use crate::model::{CredentialFormat, ExecAbility, ExecPlace, Place};

/// The form of `sink "exec"`.
pub(super) static SCHEMA: Schema = Schema {
    kind: "sink",
    labels: &["kind", "name"],
    attributes: &[
        must("program"),
        may_for_account("arguments"),
        may("abilities"),
        may("format"),
        ON_DELETE,
        OVERWRITE_UNREADABLE,
    ],
    ..PLAIN
};

/// The longest name of a place, in bytes.
const LONGEST_PLACE: usize = 512;
/// The longest further argument, in bytes, and how many there may be.
const LONGEST_ARGUMENT: usize = 1024;
const MOST_ARGUMENTS: usize = 16;

struct Exec {
    program: String,
    abilities: BTreeSet<ExecAbility>,
    format: CredentialFormat,
}

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let program = program(block, frame, decoder);
    let abilities = abilities(block, frame, decoder);
    let format = format(block, CredentialFormat::Json, frame, decoder);
    let (Some(program), Some(abilities), Some(format)) = (program?, abilities?, format?) else {
        return Ok(None);
    };
    Ok(Some(Box::new(Exec {
        program,
        abilities,
        format,
    })))
}

fn wrong<T>(decoder: &mut Decoder<'_>, span: Span, what: &str, help: String) -> Result<T, Failed> {
    decoder.report(
        Diagnostic::error(codes::INVALID_VALUE)
            .at(span, what)
            .help(help),
    );
    Err(Failed)
}

/// The name by which whoever applies allows a program: never a path.
fn program(block: &Block, frame: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<String> {
    let Some((text, span)) = decoder.text(block, "program", frame)? else {
        return Ok(None);
    };
    if ExecPlace::is_program(&text) {
        return Ok(Some(text));
    }
    wrong(
        decoder,
        span,
        "this is no name of a program",
        format!(
            "write a name of small letters, digits, `-` and `_`, {} at most; \
             `--allow-exec=NAME=/absolute/path` of apply says which program that is",
            ExecPlace::LONGEST_NAME
        ),
    )
}

fn abilities(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<BTreeSet<ExecAbility>> {
    if !decoder.is_set(block, "abilities", frame)? {
        return Ok(Some(BTreeSet::new()));
    }
    let Some(elements) = decoder.elements(block, "abilities", frame)? else {
        return Ok(None);
    };
    let mut found = BTreeSet::new();
    for (value, span) in elements {
        if value.is_unknown() {
            return Ok(None);
        }
        let Some(ability) = value.as_str().and_then(ExecAbility::named) else {
            let known = ExecAbility::ALL.map(|one| format!("\"{}\"", one.as_str()));
            return wrong(
                decoder,
                span,
                "there is no such ability",
                format!("write some of {}", known.join(", ")),
            );
        };
        found.insert(ability);
    }
    Ok(Some(found))
}

/// The argument that names the place: parts that a program may take for a file's name, none of which leads
/// elsewhere or looks like an option.
fn is_place(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-@+=".contains(&b);
    let fits =
        |part: &str| !part.is_empty() && !part.starts_with(['.', '-']) && part.bytes().all(plain);
    text.len() <= LONGEST_PLACE && text.split('/').all(fits)
}

impl DecodedSink for Exec {
    fn place(
        &self,
        block: &Block,
        recipient: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let mut arguments = Vec::new();
        if decoder.is_set(block, "arguments", frame)? {
            let Some(elements) = decoder.elements(block, "arguments", frame)? else {
                return Ok(None);
            };
            let whole = block.attribute("arguments").map(|attribute| attribute.span);
            if let Some(span) = whole
                && !(1..=MOST_ARGUMENTS).contains(&elements.len())
            {
                return wrong(
                    decoder,
                    span,
                    "no place can be named so",
                    format!(
                        "write up to {MOST_ARGUMENTS} texts, of which the first names the place, as \
                         [account.id]"
                    ),
                );
            }
            for (value, span) in elements {
                if value.is_unknown() {
                    return Ok(None);
                }
                let Some(text) = value.as_str() else {
                    return wrong(
                        decoder,
                        span,
                        "an argument is a text",
                        "write it in quotes".to_owned(),
                    );
                };
                if arguments.is_empty() && !is_place(text) {
                    return wrong(
                        decoder,
                        span,
                        "this names no place",
                        format!(
                            "write parts of letters, digits and `._-@+=` with `/` between them, \
                             {LONGEST_PLACE} in all, of which none begins with `.` or `-`"
                        ),
                    );
                }
                if text.len() > LONGEST_ARGUMENT || text.contains(acts) {
                    return wrong(
                        decoder,
                        span,
                        "this is no argument",
                        format!(
                            "write up to {LONGEST_ARGUMENT} bytes without control characters and \
                             such that nobody sees"
                        ),
                    );
                }
                arguments.push(text.to_owned());
            }
        } else {
            arguments.push(safe_name(recipient.address));
        }
        let place = arguments.remove(0);
        Ok(Some(Place::Exec(ExecPlace {
            program: self.program.clone(),
            place,
            arguments,
            abilities: self.abilities.clone(),
            format: self.format,
        })))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{come_to, wrong};
    use crate::model::{Destination, ExecAbility, Place};

    fn with(attributes: &str) -> String {
        format!(
            "sink \"exec\" \"store\" {{\n{attributes}\n}}\n\
             service_account \"scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"viewer\"]\n  credential {{ deliver_to = [sink.exec.store] }}\n}}\n"
        )
    }

    fn place(attributes: &str) -> Destination {
        let came = come_to(&with(attributes)).expect("is right");
        let account = came.desired.accounts.values().next().expect("one");
        account.deliver_to[0].clone()
    }

    #[test]
    fn a_program_is_told_the_account_unless_the_sink_says_what() {
        let to = place("program = \"store-key\"");
        assert_eq!(to.to_string(), "sink.exec.store at store-key scan");
        assert!(!to.abilities().read_back && !to.abilities().stage);
        let to = place(
            "program = \"store-key\"\nabilities = [\"stage\", \"read_back\"]\nformat = \"base64\"\n\
             arguments = [\"teams/a/${account.id}\", \"--eu\", \"a b\"]",
        );
        assert_eq!(
            to.to_string(),
            "sink.exec.store at store-key teams/a/scan --eu a b"
        );
        let Place::Exec(place) = to.place() else {
            panic!("{to}")
        };
        assert_eq!(place.place, "teams/a/scan");
        assert_eq!(place.arguments, ["--eu", "a b"]);
        let able = [ExecAbility::ReadBack, ExecAbility::Stage];
        assert_eq!(place.abilities, able.into());
    }

    /// A name that were a path would let a configuration choose what is run.
    #[test]
    fn what_a_program_could_take_for_something_else_is_refused() {
        let long = format!("\"{}\"", "a".repeat(65));
        for program in [
            "\"\"",
            "\"/bin/sh\"",
            "\"bin/sh\"",
            "\"..\"",
            "\"./store\"",
            "\"~/store\"",
            "\"store key\"",
            "\"store\\nkey\"",
            "\"store\\u0000key\"",
            "\"store=key\"",
            "\"-store\"",
            "\"$PATH\"",
            &long,
        ] {
            let found = wrong(&with(&format!("program = {program}")));
            assert_eq!(found, [("invalid-value", program.to_owned())]);
        }
        let long = format!("\"{}\"", "a".repeat(513));
        for first in [
            "\"\"",
            "\"/etc/passwd\"",
            "\"../../key\"",
            "\"a/../b\"",
            "\"a/./b\"",
            "\"a//b\"",
            "\".hidden\"",
            "\"-rf\"",
            "\"a/-rf\"",
            "\"a b\"",
            "\"a\\nb\"",
            "\"a;b\"",
            "\"$(id)\"",
            "\"`id`\"",
            "7",
            &long,
        ] {
            let found = wrong(&with(&format!(
                "program = \"store\"\narguments = [{first}]"
            )));
            assert_eq!(found, [("invalid-value", first.to_owned())]);
        }
        let long = format!("\"{}\"", "a".repeat(1025));
        for more in [
            "\"a\\u001b[2Jb\"",
            "\"a\\u202eb\"",
            "\"a\\nb\"",
            "null",
            &long,
        ] {
            let found = wrong(&with(&format!(
                "program = \"store\"\narguments = [\"a\", {more}]"
            )));
            assert_eq!(found, [("invalid-value", more.to_owned())]);
        }
        for (attributes, at) in [
            ("abilities = [\"restore\"]", "\"restore\""),
            ("abilities = [\"read_back\", 1]", "1"),
            ("abilities = \"stage\"", "\"stage\""),
            ("arguments = []", "[]"),
            ("format = \"pem\"", "\"pem\""),
        ] {
            let found = wrong(&with(&format!("program = \"store\"\n{attributes}")));
            assert_eq!(found, [("invalid-value", at.to_owned())], "{attributes}");
        }
        let told = wrong(&with("program = \"store\"\npath = \"/bin/sh\""));
        assert_eq!(told[0].0, "unknown-attribute");
    }
}
