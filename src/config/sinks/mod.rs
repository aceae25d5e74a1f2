//! Sinks: which place receives an account's credential. One file a kind, with its schema and its decoder.
//! Pure: names only; nothing is written here.

mod file;
mod kind;
mod recipient;
mod vault;

use super::block::Block;
use super::codes;
use super::decode::{Decoded, Decoder};
use super::frames::account_scope;
use super::schema::{Attribute, Schema};
use crate::diag::{Diagnostic, Span};
use crate::lang::Frame;
use crate::model::{Destination, SinkKind};
use std::collections::BTreeMap;

use kind::{DecodedSink, Kind};
pub(super) use recipient::Recipient;

/// All kinds of this version: one row each.
static KINDS: &[Kind] = &[
    Kind {
        kind: SinkKind::File,
        schema: &file::SCHEMA,
        decode: file::decode,
    },
    Kind {
        kind: SinkKind::Vault,
        schema: &vault::SCHEMA,
        decode: vault::decode,
    },
];

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

/// How two accounts get places of their own in the sinks of this kind.
pub(super) fn apart(kind: SinkKind) -> String {
    let mut kinds = KINDS.iter();
    let kind = kinds.find(|known| known.kind == kind);
    depend(kind.map_or(&[], |kind| kind.schema.attributes))
}

fn depend(attributes: &[Attribute]) -> String {
    let attributes = attributes.iter().filter(|attribute| attribute.of_account);
    let names: Vec<String> = attributes
        .map(|attribute| format!("`{}`", attribute.name))
        .collect();
    match names.is_empty() {
        true => "use another sink".to_owned(),
        false => format!(
            "let the {} of the sink depend on `account.id`, or use another sink",
            names.join(" or ")
        ),
    }
}

/// One decoded sink.
pub(super) struct Sink<'m> {
    block: &'m Block,
    decoded: Box<dyn DecodedSink>,
    overwrite_unreadable: bool,
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
        let overwrites = kind::overwrite_unreadable(block, scope, decoder);
        let decoded = (kind.decode)(block, scope, decoder);
        if let (Ok(Some(decoded)), Ok(Some(overwrite_unreadable))) = (decoded, overwrites) {
            let address = format!("sink.{}", block.labels.join("."));
            let sink = Sink {
                block,
                decoded,
                overwrite_unreadable,
            };
            out.insert(address, sink);
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
    Ok(place.map(|place| {
        Destination::new(sink.block.labels.join("."), place)
            .overwriting_unreadable(sink.overwrite_unreadable)
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::schema::{may, may_for_account, must};
    use super::super::trial;
    use super::*;

    fn page(path: &str) -> String {
        let path = format!("{}/docs/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("the page is there")
    }

    fn schema(name: &str) -> Value {
        serde_json::from_str(&page(&format!("schema/{name}"))).expect("JSON")
    }

    #[test]
    fn what_keeps_accounts_apart_is_named_as_the_kind_has_it() {
        assert_eq!(
            apart(SinkKind::File),
            "let the `filename` of the sink depend on `account.id`, or use another sink"
        );
        let several = [
            must("mount"),
            may_for_account("path"),
            may_for_account("field"),
        ];
        assert!(depend(&several).starts_with("let the `path` or `field` of the sink depend"));
        assert_eq!(depend(&[must("mount"), may("format")]), "use another sink");
    }

    /// For people and for programs: each place where a kind is described.
    #[test]
    fn every_kind_is_described_with_its_attributes() {
        let language = page("language.md");
        let (_, section) = language.split_once("\n### sink\n").expect("a section");
        let section = section.split("\n### ").next().expect("its end");
        let documents = schema("plan.v1.json");
        let files = schema("plan-file.v4.json");
        for kind in KINDS {
            let name = kind.kind.as_str();
            assert!(
                section.contains(&format!("\nsink \"{name}\" ")),
                "docs/language.md has no example of a sink of the kind {name}"
            );
            for attribute in kind.schema.attributes {
                assert!(
                    section.contains(&format!("| `{}` |", attribute.name)),
                    "docs/language.md: {name}: {}",
                    attribute.name
                );
            }
            let known = documents["$defs"]["destination"]["oneOf"].as_array();
            let wanted = format!("#/$defs/{name}_destination");
            let mut known = known.expect("a list").iter();
            assert!(
                known.any(|one| one["$ref"] == wanted.as_str())
                    && documents["$defs"][format!("{name}_destination")].is_object(),
                "docs/schema/plan.v1.json has no {wanted}"
            );
            let known = files["$defs"]["place"]["oneOf"].as_array();
            let mut known = known.expect("a list").iter();
            assert!(
                known.any(|one| one["properties"][name].is_object()),
                "docs/schema/plan-file.v4.json: place has no {name}"
            );
        }
    }

    /// Any block may stand for the sink: what decodes the attribute looks at nothing else.
    #[test]
    fn only_a_sink_that_says_so_overwrites_what_cannot_be_read() {
        use super::super::{SourceFile, parse};
        for (line, allowed) in [
            ("", Ok(Some(false))),
            ("overwrite_unreadable = null", Ok(Some(false))),
            ("overwrite_unreadable = false", Ok(Some(false))),
            ("overwrite_unreadable = true", Ok(Some(true))),
            ("overwrite_unreadable = \"yes\"", Err(())),
        ] {
            let file = SourceFile {
                path: "main.hcl".to_owned(),
                bytes: format!("locals {{\n{line}\n}}\n").into_bytes(),
            };
            let (sources, module) = parse(vec![file]);
            let block = module.of("locals").next().expect("a block");
            let mut decoder = Decoder::new(&sources, false);
            let found = kind::overwrite_unreadable(block, &Frame::new(), &mut decoder);
            assert_eq!(found.map_err(|_| ()), allowed, "{line}");
        }
        // It would say nothing where all places can be read.
        let told = trial::wrong(
            "sink \"file\" \"x\" {\ndirectory = \"c\"\noverwrite_unreadable = true\n}\n",
        );
        assert_eq!(told[0].0, "unknown-attribute");
    }

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
