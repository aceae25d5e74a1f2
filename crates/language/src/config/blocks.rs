//! Syntax trees to checked blocks: every block has the labels, attributes and blocks of its type.
//! Pure. What stands in the attributes is looked at later.

use super::block::{Attribute, Block};
use super::grammar::{self, BLOCKS, LATER};
use super::schema::Schema;
use super::{codes, hints};
use crate::diag::{Diagnostic, Diagnostics, FileId, Span, suggest};
use crate::lang::SyntaxTree;
use hcl_edit::Span as _;
use hcl_edit::structure::Structure;
use std::collections::BTreeMap;

/// Takes the blocks out of a file's tree.
pub(super) fn collect(
    tree: SyntaxTree,
    text: &str,
    blocks: &mut Vec<Block>,
    out: &mut Diagnostics,
) {
    let file = tree.file;
    let kinds = || BLOCKS.iter().map(|schema| schema.kind);
    for structure in tree.body {
        match structure {
            Structure::Attribute(attribute) => {
                let name = attribute.key.as_str();
                let span = span_of(file, &attribute.key);
                let found = Diagnostic::error(codes::UNKNOWN_ATTRIBUTE)
                    .at(span, format!("`{name}` stands outside of any block"));
                out.push(match grammar::instead_of(name) {
                    Some(hint) => found.help(hint),
                    None => found.help("put values that have a name into a `locals` block"),
                });
            }
            Structure::Block(block) => {
                let kind = block.ident.as_str();
                match BLOCKS.iter().find(|schema| schema.kind == kind) {
                    Some(schema) => blocks.extend(check(file, text, block, schema, out)),
                    None => {
                        let span = span_of(file, &block.ident);
                        out.push(unknown_block(kind, span, kinds(), "in a configuration"));
                    }
                }
            }
        }
    }
}

fn span_of(file: FileId, node: &impl hcl_edit::Span) -> Span {
    let range = node.span().unwrap_or(0..0);
    Span::new(file, range.start, range.end)
}

fn unknown_block(
    kind: &str,
    span: Span,
    known: impl Iterator<Item = &'static str>,
    place: &str,
) -> Diagnostic {
    if LATER.contains(&kind) {
        return Diagnostic::error(codes::NOT_YET).at(span, format!("a `{kind}` block"));
    }
    if let Some(hint) = grammar::instead_of(kind) {
        return Diagnostic::error(codes::TERRAFORM_BLOCK)
            .at(span, format!("`{kind}`"))
            .help(hint);
    }
    Diagnostic::error(codes::UNKNOWN_BLOCK)
        .at(span, format!("there is no `{kind}` block {place}"))
        .suggesting(kind, known)
}

/// Checks one block against the form of its type; `None` when its labels are wrong.
fn check(
    file: FileId,
    text: &str,
    block: hcl_edit::structure::Block,
    schema: &'static Schema,
    out: &mut Diagnostics,
) -> Option<Block> {
    let start = block.ident.span().unwrap_or(0..0);
    let end = block
        .labels
        .last()
        .and_then(|label| label.span())
        .unwrap_or(start.clone());
    let span = Span::new(file, start.start, end.end);
    if block.labels.len() != schema.labels.len() {
        let form: String = schema
            .labels
            .iter()
            .map(|label| format!(" \"{}\"", label.to_uppercase()))
            .collect();
        out.push(
            Diagnostic::error(codes::WRONG_LABELS)
                .at(span, format!("{} given", block.labels.len()))
                .help(format!("write `{}{form} {{ … }}`", schema.kind)),
        );
        return None;
    }
    let mut labels = Vec::new();
    for label in &block.labels {
        let text = label.as_str().to_owned();
        if !is_name(&text) {
            out.push(
                Diagnostic::error(codes::INVALID_NAME)
                    .at(span_of(file, label), "not a name")
                    .help("a name starts with a letter or `_` and continues with letters, digits, `_` \
                         and `-`, 64 characters at most"),
            );
        }
        labels.push(text);
    }
    let schema = match (&schema.variants, labels.first()) {
        (Some(variants), Some(kind)) => match (variants.of)(kind) {
            Some(schema) => schema,
            None => {
                let label = block.labels.first().map_or(span, |l| span_of(file, l));
                out.push((variants.unknown)(kind, label));
                // It stays, so that what refers to it is not blamed; what is in it cannot be checked.
                return Some(Block {
                    schema,
                    labels,
                    span,
                    attributes: BTreeMap::new(),
                    blocks: Vec::new(),
                    lacks_blocks: true,
                });
            }
        },
        _ => schema,
    };
    let mut attributes = BTreeMap::new();
    let mut blocks: Vec<Block> = Vec::new();
    let mut lacks_blocks = false;
    let mut misspelt = Vec::new();
    for structure in block.body {
        match structure {
            Structure::Attribute(attribute) => {
                let name = attribute.key.as_str().to_owned();
                let name_span = span_of(file, &attribute.key);
                let known = schema.open || schema.attributes.iter().any(|a| a.name == name);
                if !known {
                    let found = unknown_attribute(schema, &name, name_span);
                    out.push(
                        match schema.attributes.iter().any(|a| a.name == "for_each") {
                            true if name == "count" => Diagnostic {
                                help: vec![hints::count(text, &attribute.value)],
                                ..found
                            },
                            _ => found,
                        },
                    );
                    misspelt.extend(suggest(&name, schema.attributes.iter().map(|a| a.name)));
                    lacks_blocks |= schema.blocks.iter().any(|b| b.schema.kind == name);
                    continue;
                }
                let expression = attribute.value;
                let span = span_of(file, &expression);
                attributes.insert(
                    name,
                    Attribute {
                        name_span,
                        span,
                        expression,
                    },
                );
            }
            Structure::Block(inner) => {
                lacks_blocks |= !nested(file, text, inner, schema, &mut blocks, out);
            }
        }
    }
    for attribute in schema.attributes.iter().filter(|a| a.required) {
        // What is only misspelt is not missing as well.
        if !attributes.contains_key(attribute.name) && !misspelt.contains(&attribute.name) {
            out.push(
                Diagnostic::error(codes::MISSING_ATTRIBUTE)
                    .at(span, format!("`{}` is missing", attribute.name))
                    .help(format!("add `{} = …` to this block", attribute.name)),
            );
        }
    }
    // Broken blocks stay, so that what refers to them is not blamed as well.
    Some(Block {
        schema,
        labels,
        span,
        attributes,
        blocks,
        lacks_blocks,
    })
}

/// Takes a block that stands in another; tells whether it could be taken.
fn nested(
    file: FileId,
    text: &str,
    inner: hcl_edit::structure::Block,
    schema: &'static Schema,
    blocks: &mut Vec<Block>,
    out: &mut Diagnostics,
) -> bool {
    let kind = inner.ident.as_str();
    let span = span_of(file, &inner.ident);
    let Some(form) = schema
        .blocks
        .iter()
        .find(|nested| nested.schema.kind == kind)
    else {
        if schema.open || schema.attributes.iter().any(|a| a.name == kind) {
            out.push(
                Diagnostic::error(codes::UNKNOWN_BLOCK)
                    .at(span, format!("`{kind}` is an attribute, not a block"))
                    .help(format!("write `{kind} = …`")),
            );
            return false;
        }
        let known = schema.blocks.iter().map(|nested| nested.schema.kind);
        out.push(unknown_block(
            kind,
            span,
            known,
            &format!("in a `{}` block", schema.kind),
        ));
        return false;
    };
    let Some(block) = check(file, text, inner, form.schema, out) else {
        return false;
    };
    let first = blocks
        .iter()
        .find(|other| other.schema.kind == block.schema.kind);
    match first {
        Some(first) if !form.many => out.push(
            Diagnostic::error(codes::DUPLICATE_DECLARATION)
                .at(
                    block.span,
                    format!("a second `{}` block", block.schema.kind),
                )
                .context(first.span, "the first one")
                .help("remove one of them"),
        ),
        _ => blocks.push(block),
    }
    true
}

fn unknown_attribute(schema: &Schema, name: &str, span: Span) -> Diagnostic {
    if let Some(hint) = grammar::instead_of(name) {
        return Diagnostic::error(codes::TERRAFORM_BLOCK)
            .at(span, format!("`{name}`"))
            .help(hint);
    }
    if schema
        .blocks
        .iter()
        .any(|nested| nested.schema.kind == name)
    {
        return Diagnostic::error(codes::UNKNOWN_ATTRIBUTE)
            .at(span, format!("`{name}` is a block, not an attribute"))
            .help(format!("write `{name} {{ … }}`"));
    }
    Diagnostic::error(codes::UNKNOWN_ATTRIBUTE)
        .at(
            span,
            format!("a `{}` block has no attribute `{name}`", schema.kind),
        )
        .suggesting(
            name,
            schema.attributes.iter().map(|attribute| attribute.name),
        )
}

/// Tells whether a label is a name that references can use.
fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && text.len() <= 64
}
