//! `import` blocks: which live account an address takes into custody.
//! Pure.

use super::block::{Attribute, Block};
use super::codes;
use super::decode::Decoder;
use crate::diag::{Diagnostic, Span};
use crate::lang::{Failed, Frame};
use crate::model::{Address, Import, Mrn};
use hcl_edit::expr::{Expression, TraversalOperator};
use std::collections::BTreeMap;

/// One decoded import and its places.
pub(super) struct ImportBlock {
    pub(super) import: Import,
    pub(super) to_span: Span,
    pub(super) id_span: Span,
}

/// The imports by target.
pub(super) type Imports = BTreeMap<Address, ImportBlock>;

/// Decodes all `import` blocks. The flag says that one could not be read, so that a missing
/// credential must not be blamed.
pub(super) fn blocks(
    blocks: &[&Block],
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> (Imports, bool) {
    let mut out = Imports::new();
    let mut by_id: BTreeMap<Mrn, Span> = BTreeMap::new();
    let mut incomplete = false;
    // In the order of the files, so that the second of two is blamed.
    let mut blocks = blocks.to_vec();
    blocks.sort_by_key(|block| block.span);
    for block in blocks {
        let to = block
            .attribute("to")
            .map(|to| (target(to, decoder), to.span));
        let id = id_of(block, scope, decoder);
        let (Some((Ok(address), to_span)), Ok(Some((mrn, id_span)))) = (to, id) else {
            incomplete = true;
            continue;
        };
        if let Some(first) = by_id.insert(mrn.clone(), id_span) {
            decoder.report(
                Diagnostic::error(codes::DUPLICATE_IMPORT)
                    .at(id_span, "this account is imported again")
                    .context(first, "it is imported here")
                    .help("one live account has one address"),
            );
        }
        if let Some(first) = out.get(&address) {
            decoder.report(
                Diagnostic::error(codes::DUPLICATE_IMPORT)
                    .at(
                        to_span,
                        format!("`{address}` already imports another account"),
                    )
                    .context(first.to_span, "here")
                    .help("one address has one live account"),
            );
            continue;
        }
        let import = Import {
            mrn,
            declared_at: decoder.place(block.span),
        };
        out.insert(
            address,
            ImportBlock {
                import,
                to_span,
                id_span,
            },
        );
    }
    (out, incomplete)
}

fn id_of(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Option<(Mrn, Span)>, Failed> {
    let Some((text, span)) = decoder.text(block, "id", scope)? else {
        return Ok(None);
    };
    let mrn = Mrn::new(text);
    let plain = mrn.id().bytes().all(|b| b.is_ascii_alphanumeric());
    if mrn.account_scope().is_none() || !plain {
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(span, "this is not the MRN of a service account")
                .help("it looks like //agents.api.mondoo.app/spaces/SPACE_ID/serviceaccounts/ID, or with organizations/ORG_ID"),
        );
        return Err(Failed);
    }
    Ok(Some((mrn, span)))
}

/// Reads an address: `service_account.name` or `service_account.name["key"]`.
pub(super) fn address(expression: &Expression) -> Option<Address> {
    let Expression::Traversal(traversal) = expression else {
        return None;
    };
    let root = match &traversal.expr {
        Expression::Variable(name) => name.as_str(),
        _ => "",
    };
    let steps: Vec<&TraversalOperator> = traversal
        .operators
        .iter()
        .map(|operator| operator.value())
        .collect();
    match (root, steps.as_slice()) {
        ("service_account", [TraversalOperator::GetAttr(name)]) => {
            Some(Address::new(name.as_str(), None))
        }
        (
            "service_account",
            [
                TraversalOperator::GetAttr(name),
                TraversalOperator::Index(Expression::String(key)),
            ],
        ) => Some(Address::new(name.as_str(), Some(key.as_str().to_owned()))),
        _ => None,
    }
}

pub(super) fn target(attribute: &Attribute, decoder: &mut Decoder<'_>) -> Result<Address, Failed> {
    let Some(address) = address(&attribute.expression) else {
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(attribute.span, "the address of a service account is required")
                .help("write `service_account.NAME`, or `service_account.NAME[\"KEY\"]` for one of a `for_each`"),
        );
        return Err(Failed);
    };
    Ok(address)
}
