//! Sinks of the kind `file`: which file receives an account's credential.
//! Pure: names only; nothing is written here.

use super::blocks::Block;
use super::codes;
use super::decode::{Decoded, Decoder};
use super::parse::account_scope;
use super::schema::LATER_SINKS;
use crate::diag::{Diagnostic, Span, acts};
use crate::lang::value::{Members, Value};
use crate::lang::{Failed, Scope};
use crate::model::{Address, Destination, FileFormat, Place, short_digest};
use std::collections::BTreeMap;

/// One decoded sink.
pub(super) struct Sink<'m> {
    block: &'m Block,
    directory: String,
    format: FileFormat,
}

/// All sinks by address; a failed or unknown one has no entry.
pub(super) type Sinks<'m> = BTreeMap<String, Sink<'m>>;

/// Decodes all `sink` blocks.
pub(super) fn blocks<'m>(
    blocks: &[&'m Block],
    scope: &Scope<'_>,
    decoder: &mut Decoder<'_>,
) -> Sinks<'m> {
    let mut out = Sinks::new();
    for block in blocks {
        if let Ok(Some(sink)) = sink(block, scope, decoder) {
            out.insert(format!("sink.{}", block.labels.join(".")), sink);
        }
    }
    out
}

fn sink<'m>(block: &'m Block, scope: &Scope<'_>, decoder: &mut Decoder<'_>) -> Decoded<Sink<'m>> {
    let kind = block.labels.first().map_or("", String::as_str);
    if kind != "file" {
        let found = if LATER_SINKS.contains(&kind) {
            Diagnostic::error(codes::NOT_YET).at(block.span, format!("a sink of the kind `{kind}`"))
        } else {
            Diagnostic::error(codes::UNKNOWN_BLOCK)
                .at(block.span, format!("there is no sink of the kind `{kind}`"))
        };
        decoder.report(found.help("this version has sinks of the kind `file`"));
        return Err(Failed);
    }
    let directory = decoder.text(block, "directory", scope);
    let format = decoder.text(block, "format", scope);
    let directory = match directory? {
        Some((text, span)) => Some(directory_of(&text, span, decoder)?),
        None => None,
    };
    let format = match format? {
        None => FileFormat::Json,
        Some((text, span)) => match &*text {
            "json" => FileFormat::Json,
            "base64" => FileFormat::Base64,
            "yaml" => {
                return decoder.fail(codes::NOT_YET, span, "the format `yaml`");
            }
            _ => {
                decoder.report(
                    Diagnostic::error(codes::INVALID_VALUE)
                        .at(span, "there is no such format")
                        .help("write \"json\" or \"base64\""),
                );
                return Err(Failed);
            }
        },
    };
    Ok(directory.map(|directory| Sink {
        block,
        directory,
        format,
    }))
}

/// Checks a folder: below the configuration's, written with `/`.
fn directory_of(text: &str, span: Span, decoder: &mut Decoder<'_>) -> Result<String, Failed> {
    let mut parts = Vec::new();
    let wrong = if text.is_empty() {
        Some("a folder without a name")
    } else if text.starts_with(['/', '~']) || text.get(1..2) == Some(":") {
        Some("an absolute path")
    } else if text.contains('\\') {
        Some("a path with `\\`")
    } else if text.chars().any(char::is_control) || text.len() > 1024 {
        Some("an impossible path")
    } else {
        let mut wrong = None;
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => wrong = Some("a path that leads out of the configuration's folder"),
                part if hidden(part) => wrong = Some("a hidden folder, as .git or .github,"),
                part => parts.push(part),
            }
        }
        wrong
    };
    let wrong = match (wrong, parts.is_empty()) {
        (None, true) => Some("the configuration's own folder"),
        (wrong, _) => wrong,
    };
    if let Some(wrong) = wrong {
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(span, format!("{wrong} cannot receive credentials"))
                .help("name a folder below the configuration's, as in \"credentials\""),
        );
        return Err(Failed);
    }
    Ok(parts.join("/"))
}

/// Whether a folder starts with a dot, also behind characters that nobody sees and that some file
/// systems leave out. Tools take orders from such folders, and commit what is in them.
fn hidden(part: &str) -> bool {
    part.trim_start_matches(acts).starts_with('.')
}

/// What a sink's file name may use of the account.
pub(super) struct Subject<'a> {
    pub(super) address: &'a Address,
    pub(super) name: &'a str,
    pub(super) scope: Option<&'a crate::model::Scope>,
}

/// Renders the place of an account's credential in a sink.
pub(super) fn destination(
    sink: &Sink<'_>,
    subject: &Subject<'_>,
    scope: &Scope<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Destination> {
    let extension = match sink.format {
        FileFormat::Json => "json",
        FileFormat::Base64 => "b64",
    };
    let frame = account_scope(scope, members(subject));
    let file = if decoder.is_set(sink.block, "filename", &frame)? {
        match decoder.text(sink.block, "filename", &frame)? {
            Some((file, span)) => checked_name(file, span, subject, decoder)?,
            None => return Ok(None),
        }
    } else {
        format!("{}.{extension}", safe_name(subject.address))
    };
    Ok(Some(Destination {
        sink: sink.block.labels.join("."),
        place: Place::File {
            directory: sink.directory.clone(),
            file,
            format: sink.format,
        },
    }))
}

/// What `account` holds inside a sink.
fn members(subject: &Subject<'_>) -> Members {
    let scope = subject
        .scope
        .map_or(Value::unknown(crate::lang::Type::Any), |scope| {
            let members = [
                ("id".into(), scope.id().into()),
                ("kind".into(), scope.kind().into()),
                ("mrn".into(), scope.mrn().as_str().into()),
            ];
            Value::map(members.into())
        });
    [
        ("id".into(), safe_name(subject.address).into()),
        ("name".into(), subject.name.into()),
        ("address".into(), subject.address.to_string().into()),
        ("scope".into(), scope),
    ]
    .into()
}

fn checked_name(
    file: String,
    span: Span,
    subject: &Subject<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<String, Failed> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    let reserved = file == ".gitignore" || file.starts_with('.');
    if file.is_empty() || file.len() > 200 || reserved || !file.chars().all(plain) {
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(span, format!("for `{}` this is \"{file}\", which is no safe file name", subject.address))
                .help("letters, digits and `._-@+` make one, not starting with a dot; `${account.id}` always does"),
        );
        return Err(Failed);
    }
    Ok(file)
}

/// Makes a file name of an address: itself where that is safe, else with a hash that keeps
/// different addresses apart.
fn safe_name(address: &Address) -> String {
    let Some(key) = &address.key else {
        return address.name.clone();
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if !key.is_empty() && key.len() <= 64 && key.chars().all(plain) {
        return format!("{}.{key}", address.name);
    }
    let kept: String = key
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .take(40)
        .collect();
    let hash = short_digest(address.to_string().as_bytes(), 10);
    format!("{}.{kept}.{hash}", address.name)
}

#[cfg(test)]
mod tests {
    use super::safe_name;
    use crate::model::Address;
    use std::collections::BTreeSet;

    #[test]
    fn hostile_keys_make_safe_distinct_names() {
        let keys = [
            "a",
            "A",
            "a/b",
            "a_b",
            "..",
            "",
            ".",
            "a\u{0}b",
            "é",
            "ê",
            "x.1234567890",
            "con",
        ];
        let long = ["y".repeat(65), "y".repeat(66)];
        let mut seen = BTreeSet::new();
        for key in keys.into_iter().chain(long.iter().map(String::as_str)) {
            let name = safe_name(&Address::new("ci", Some(key.to_owned())));
            assert!(
                name.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)),
                "{name}"
            );
            assert!(name.len() <= 120 && name.starts_with("ci."), "{name}");
            assert!(seen.insert(name.to_lowercase()), "{name}");
        }
        assert_eq!(safe_name(&Address::new("ci", None)), "ci");
        assert_eq!(
            safe_name(&Address::new("ci", Some("prod".into()))),
            "ci.prod"
        );
    }
}
