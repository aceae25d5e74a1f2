//! What sinks at AWS have in common: region, account, address and format.
//! Pure: names only; nothing is sent here.

use super::kind::{format, origin};
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::diag::Diagnostic;
use crate::lang::{Failed, Frame};
use crate::model::{CredentialFormat, Origin, aws_address, is_aws_region};

/// Where in AWS, and how a key is written there.
pub(super) struct AtAws {
    pub(super) endpoint: Origin,
    pub(super) region: String,
    pub(super) account_id: String,
    pub(super) format: CredentialFormat,
}

/// Decodes what is the same for all accounts. `service` is the first part of the service's address.
pub(super) fn decode(
    service: &str,
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<AtAws> {
    let region = checked(
        block,
        "region",
        frame,
        decoder,
        is_aws_region,
        "this is no region",
        "write it as in eu-central-1",
    );
    let account_id = checked(
        block,
        "account_id",
        frame,
        decoder,
        |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()),
        "this is no id of an account",
        "write its twelve digits as a text: `aws sts get-caller-identity` shows them",
    );
    let endpoint = match decoder.is_set(block, "endpoint", frame)? {
        true => origin(block, "endpoint", frame, decoder).map(|found| found.map(Some)),
        false => Ok(Some(None)),
    };
    let format = format(block, CredentialFormat::Json, frame, decoder);
    let (Some(region), Some(account_id), Some(endpoint), Some(format)) =
        (region?, account_id?, endpoint?, format?)
    else {
        return Ok(None);
    };
    let endpoint = endpoint.or_else(|| Origin::new(&aws_address(service, &region)).ok());
    let Some(endpoint) = endpoint else {
        return Err(Failed);
    };
    Ok(Some(AtAws {
        endpoint,
        region,
        account_id,
        format,
    }))
}

/// A text that has a form.
pub(super) fn checked(
    block: &Block,
    name: &str,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
    fits: fn(&str) -> bool,
    what: &str,
    help: &str,
) -> Decoded<String> {
    let Some((text, span)) = decoder.text(block, name, frame)? else {
        return Ok(None);
    };
    if fits(&text) {
        return Ok(Some(text.to_string()));
    }
    decoder.report(
        Diagnostic::error(codes::INVALID_VALUE)
            .at(span, what.to_owned())
            .help(help.to_owned()),
    );
    Err(Failed)
}
