//! Sinks: which place receives an account's credential. One file a kind, with its schema and its decoder.
//! Pure: names only; nothing is written here.

mod file;
mod kind;
mod recipient;

use super::block::Block;
use super::codes;
use super::decode::{Decoded, Decoder};
use super::frames::account_scope;
use super::schema::Schema;
use crate::diag::{Diagnostic, Span};
use crate::lang::Frame;
use crate::model::{Destination, SinkKind};
use std::collections::BTreeMap;

use kind::{DecodedSink, Kind};
pub(super) use recipient::Recipient;

/// All kinds of this version: one row each.
static KINDS: &[Kind] = &[Kind {
    kind: SinkKind::File,
    schema: &file::SCHEMA,
    decode: file::decode,
}];

fn kind_named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.kind.as_str() == name)
}

/// The form of the sinks of this kind.
pub(super) fn schema_of(kind: &str) -> Option<&'static Schema> {
    kind_named(kind).map(|kind| kind.schema)
}

/// What to say of a kind that this version has not.
pub(super) fn unknown_kind(kind: &str, span: Span) -> Diagnostic {
    let known = || KINDS.iter().map(|kind| kind.kind.as_str());
    let names: Vec<String> = known().map(|name| format!("`{name}`")).collect();
    let found = match SinkKind::named(kind) {
        Some(_) => {
            Diagnostic::error(codes::NOT_YET).at(span, format!("a sink of the kind `{kind}`"))
        }
        None => Diagnostic::error(codes::UNKNOWN_BLOCK)
            .at(span, format!("there is no sink of the kind `{kind}`"))
            .suggesting(kind, known()),
    };
    found.help(format!(
        "this version has sinks of the kind {}",
        names.join(", ")
    ))
}

/// One decoded sink.
pub(super) struct Sink<'m> {
    block: &'m Block,
    decoded: Box<dyn DecodedSink>,
}

/// All sinks by address; a failed or unknown one has no entry.
pub(super) type Sinks<'m> = BTreeMap<String, Sink<'m>>;

/// Decodes all `sink` blocks.
pub(super) fn blocks<'m>(
    blocks: &[&'m Block],
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Sinks<'m> {
    let mut out = Sinks::new();
    for block in blocks {
        let kind = block.labels.first().map_or("", String::as_str);
        // One of no kind was reported where its form was checked.
        let Some(kind) = kind_named(kind) else {
            continue;
        };
        if let Ok(Some(decoded)) = (kind.decode)(block, scope, decoder) {
            let address = format!("sink.{}", block.labels.join("."));
            out.insert(address, Sink { block, decoded });
        }
    }
    out
}

/// Renders the place of an account's credential in a sink.
pub(super) fn destination(
    sink: &Sink<'_>,
    recipient: &Recipient<'_>,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Destination> {
    let frame = account_scope(scope, recipient::members(recipient));
    let place = sink.decoded.place(sink.block, recipient, &frame, decoder)?;
    Ok(place.map(|place| Destination::new(sink.block.labels.join("."), place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration is read by many and stays in its history: a login comes from the environment.
    #[test]
    fn no_attribute_of_a_sink_is_named_like_a_secret() {
        for kind in KINDS {
            assert_eq!(kind.schema.kind, "sink");
            assert_eq!(kind.schema.labels, ["kind", "name"]);
            for attribute in kind.schema.attributes {
                let secret = ["token", "password", "secret", "private", "credential"];
                let names_one = secret.iter().any(|word| attribute.name.contains(word));
                assert!(!names_one, "{}: {}", kind.kind, attribute.name);
            }
        }
    }
}
