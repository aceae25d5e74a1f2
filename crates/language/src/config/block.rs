//! Checked blocks, as everything behind the parser has them.
//! Pure data.

use super::schema::Schema;
use crate::diag::Span;
use hcl_edit::expr::Expression;
use std::collections::BTreeMap;

/// One attribute with its expression.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) name_span: Span,
    /// The place of the expression.
    pub(super) span: Span,
    pub(super) expression: Expression,
}

/// One checked block.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) schema: &'static Schema,
    pub(super) labels: Vec<String>,
    /// The place of its type and labels.
    pub(super) span: Span,
    pub(super) attributes: BTreeMap<String, Attribute>,
    pub(super) blocks: Vec<Block>,
    /// Whether a block inside was refused, so that what it would say is not known.
    pub(super) lacks_blocks: bool,
}

impl Block {
    /// Returns an attribute that may be absent.
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)
    }

    /// Tells whether an attribute must be given.
    pub(super) fn requires(&self, name: &str) -> bool {
        let mut attributes = self.schema.attributes.iter();
        attributes.any(|attribute| attribute.required && attribute.name == name)
    }

    /// Returns the first block of a type inside of it.
    pub(super) fn inner(&self, kind: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.schema.kind == kind)
    }

    /// Returns its last label, or nothing for blocks without one.
    pub(super) fn name(&self) -> &str {
        self.labels.last().map_or("", String::as_str)
    }

    /// Returns all expressions in it and in the blocks inside.
    pub(super) fn expressions(&self) -> Vec<(&Block, &str, &Attribute)> {
        let mut out: Vec<_> = self
            .attributes
            .iter()
            .map(|(name, attribute)| (self, name.as_str(), attribute))
            .collect();
        out.extend(self.blocks.iter().flat_map(Block::expressions));
        out
    }
}
