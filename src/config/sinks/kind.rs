//! What all kinds of sinks have in common.
//! Pure.

use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::Schema;
use crate::diag::Diagnostic;
use crate::lang::{Failed, Frame};
use crate::model::{CredentialFormat, Place, SinkKind};

/// What makes one kind of sink.
pub(super) struct Kind {
    pub(super) kind: SinkKind,
    pub(super) schema: &'static Schema,
    /// Decodes what is the same for all accounts.
    pub(super) decode: fn(&Block, &Frame<'_>, &mut Decoder<'_>) -> Decoded<Box<dyn DecodedSink>>,
}

/// A sink's block, decoded as far as it is the same for all accounts.
pub(super) trait DecodedSink {
    /// The place of one account's credential; `frame` holds what `account` is.
    fn place(
        &self,
        block: &Block,
        recipient: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place>;
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
