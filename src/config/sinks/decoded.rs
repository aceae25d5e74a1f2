//! What every kind of sink gives, and what all kinds have.
//! Pure.

use super::subject::Subject;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::diag::Diagnostic;
use crate::lang::{Failed, Scope};
use crate::model::{CredentialFormat, Place};

/// A sink's block, decoded as far as it is the same for all accounts.
pub trait DecodedSink {
    /// The place of one account's credential; `frame` holds what `account` is.
    fn place(
        &self,
        block: &Block,
        subject: &Subject<'_>,
        frame: &Scope<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place>;
}

/// Decodes the attribute `format`, which all kinds have, by a kind's own default.
pub fn format(
    block: &Block,
    default: CredentialFormat,
    scope: &Scope<'_>,
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
