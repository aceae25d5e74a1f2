//! What all kinds of sinks have in common.
//! Pure.

use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{Attribute, Schema, may};
use crate::diag::Diagnostic;
use crate::lang::{Failed, Frame};
use crate::model::{CredentialFormat, OnDelete, Origin, Place, SinkKind};

/// What becomes of keys there, which all kinds say.
pub(super) const ON_DELETE: Attribute = may("on_delete");

/// What makes one kind of sink.
pub(super) struct Kind {
    pub(super) kind: SinkKind,
    pub(super) schema: &'static Schema,
    /// Decodes what is the same for all accounts.
    pub(super) decode: fn(&Block, &Frame<'_>, &mut Decoder<'_>) -> Decoded<Box<dyn DecodedSink>>,
}

/// A sink's block, decoded as far as it is the same for all accounts.
pub(super) trait DecodedSink: Send + Sync {
    /// The place of one account's credential; `frame` holds what `account` is.
    fn place(
        &self,
        block: &Block,
        recipient: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place>;
}

/// Decodes the attribute `on_delete`, which all kinds have.
pub(super) fn on_delete(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<OnDelete> {
    if !decoder.is_set(block, ON_DELETE.name, scope)? {
        return Ok(Some(OnDelete::default()));
    }
    let Some((text, span)) = decoder.text(block, ON_DELETE.name, scope)? else {
        return Ok(None);
    };
    let mut known = [OnDelete::Keep, OnDelete::Remove].into_iter();
    if let Some(found) = known.find(|one| one.as_str() == text) {
        return Ok(Some(found));
    }
    decoder.report(
        Diagnostic::error(codes::INVALID_VALUE)
            .at(span, "nothing of this name can become of a key")
            .help(
                "write \"keep\", or \"remove\" for a key that its account leaves or whose account is \
                 deleted",
            ),
    );
    Err(Failed)
}

/// Decodes the attribute `format`, which all kinds have, by a kind's own default.
pub(super) fn format(
    block: &Block,
    default: CredentialFormat,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<CredentialFormat> {
    if !decoder.is_set(block, "format", scope)? {
        return Ok(Some(default));
    }
    let Some((text, span)) = decoder.text(block, "format", scope)? else {
        return Ok(None);
    };
    match &*text {
        "json" => Ok(Some(CredentialFormat::Json)),
        "base64" => Ok(Some(CredentialFormat::Base64)),
        "yaml" => decoder.fail(codes::NOT_YET, span, "the format `yaml`"),
        _ => {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, "there is no such format")
                    .help("write \"json\" or \"base64\""),
            );
            Err(Failed)
        }
    }
}

/// The attribute of kinds whose places cannot be read back: each has it in its schema.
pub(super) const OVERWRITE_UNREADABLE: Attribute = may("overwrite_unreadable");

/// Decodes whether what a place holds and nobody can read may be overwritten; it may not where nothing
/// says so.
pub(super) fn overwrite_unreadable(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<bool> {
    match decoder.is_set(block, OVERWRITE_UNREADABLE.name, scope)? {
        true => decoder.flag(block, OVERWRITE_UNREADABLE.name, scope),
        false => Ok(Some(false)),
    }
}

/// Decodes where a server is.
pub(super) fn origin(
    block: &Block,
    name: &str,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Origin> {
    let Some((text, span)) = decoder.text(block, name, frame)? else {
        return Ok(None);
    };
    match Origin::new(&text) {
        Ok(origin) => Ok(Some(origin)),
        Err(why) => {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, format!("this is no address of a server: {why}"))
                    .help("write scheme and host, and a port where it is not the usual one"),
            );
            Err(Failed)
        }
    }
}

/// The longest path in a store, in bytes.
const LONGEST: usize = 512;

/// Decodes a path in a store: parts with `/` between them, none of which leads elsewhere, and no letter
/// that means something in a URL.
pub(super) fn path(
    block: &Block,
    name: &str,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<String> {
    let Some((text, span)) = decoder.text(block, name, frame)? else {
        return Ok(None);
    };
    let trimmed = text.strip_prefix('/').unwrap_or(&text);
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-@+=".contains(&b);
    let fits =
        |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
    if trimmed.len() <= LONGEST && trimmed.split('/').all(fits) {
        return Ok(Some(trimmed.to_owned()));
    }
    decoder.report(
        Diagnostic::error(codes::INVALID_VALUE)
            .at(span, "this is no path in a store")
            .help(format!(
                "write parts of letters, digits and `._-@+=` with `/` between them, {LONGEST} in all, \
                 and neither `.` nor `..` as a part"
            )),
    );
    Err(Failed)
}
