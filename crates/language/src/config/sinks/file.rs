//! Sinks of the kind `file`: which file receives an account's credential.
//! Pure: names only; nothing is written here.

use super::kind::{DecodedSink, ON_DELETE, format};
use super::recipient::{Recipient, safe_name};
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, may_for_account, must};
use crate::diag::{Diagnostic, Span, acts};
use crate::lang::{Failed, Frame};
use crate::model::{CredentialFormat, FilePlace, Place};

/// The form of `sink "file"`.
pub(super) static SCHEMA: Schema = Schema {
    kind: "sink",
    labels: &["kind", "name"],
    attributes: &[
        must("directory"),
        may("format"),
        may("keep"),
        may_for_account("filename"),
        ON_DELETE,
    ],
    ..PLAIN
};

struct File {
    directory: String,
    format: CredentialFormat,
    keep: bool,
}

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let directory = decoder.text(block, "directory", scope);
    let format = format(block, CredentialFormat::Json, scope, decoder);
    let keep = match decoder.is_set(block, "keep", scope)? {
        true => decoder.flag(block, "keep", scope),
        false => Ok(Some(false)),
    };
    let directory = match directory? {
        Some((text, span)) => Some(directory_of(&text, span, decoder)?),
        None => None,
    };
    let (Some(directory), Some(format), Some(keep)) = (directory, format?, keep?) else {
        return Ok(None);
    };
    Ok(Some(Box::new(File {
        directory,
        format,
        keep,
    })))
}

impl DecodedSink for File {
    fn place(
        &self,
        block: &Block,
        recipient: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let file = if decoder.is_set(block, "filename", frame)? {
            match decoder.text(block, "filename", frame)? {
                Some((file, span)) => checked_name(file, span, recipient, decoder)?,
                None => return Ok(None),
            }
        } else {
            let extension = self.format.extension();
            format!("{}.{extension}", safe_name(recipient.address))
        };
        Ok(Some(Place::File(FilePlace {
            directory: self.directory.clone(),
            file,
            format: self.format,
            keep: self.keep,
        })))
    }
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

fn checked_name(
    file: String,
    span: Span,
    recipient: &Recipient<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<String, Failed> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    let reserved = file == ".gitignore" || file.starts_with('.');
    if file.is_empty() || file.len() > 200 || reserved || !file.chars().all(plain) {
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(span, format!("for `{}` this is \"{file}\", which is no safe file name", recipient.address))
                .help("letters, digits and `._-@+` make one, not starting with a dot; `${account.id}` always does"),
        );
        return Err(Failed);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{come_to, wrong};

    fn with(keep: &str) -> String {
        format!(
            "sink \"file\" \"volume\" {{\ndirectory = \"volume\"\n{keep}\n}}\n\
             service_account \"scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"viewer\"]\n  credential {{ deliver_to = [sink.file.volume] }}\n}}\n"
        )
    }

    #[test]
    fn a_file_is_kept_where_the_sink_says_so_and_nowhere_else() {
        for (text, kept) in [
            ("", false),
            ("keep = null", false),
            ("keep = false", false),
            ("keep = true", true),
        ] {
            let came = come_to(&with(text)).expect("is right");
            let account = came.desired.accounts.values().next().expect("one");
            let file = account.deliver_to[0].place().file().expect("a file");
            assert_eq!(file.keep, kept, "{text}");
        }
        let found = wrong(&with("keep = \"always\""));
        assert_eq!(found, [("invalid-value", "\"always\"".to_owned())]);
    }
}
