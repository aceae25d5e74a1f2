//! A limit that the library does not have: how long a list in a request may be.

use async_graphql::{
    Value, Variables,
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};

/// The longest list, in variables or in the document. No real limit is published; this one keeps
/// a single request from holding the database for long.
pub(super) const LIST: usize = 5_000;

/// The length of the longest list in a request.
pub(super) fn longest_list(document: &ExecutableDocument, variables: &Variables) -> usize {
    let in_variables = variables.values().map(longest);
    let operations = document
        .operations
        .iter()
        .map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document
        .fragments
        .values()
        .map(|fragment| &fragment.node.selection_set.node);
    let in_document = operations.chain(fragments).map(in_selection);
    in_variables.chain(in_document).max().unwrap_or(0)
}

fn in_selection(set: &SelectionSet) -> usize {
    let lengths = set.items.iter().map(|item| match &item.node {
        Selection::Field(field) => {
            let field = &field.node;
            let arguments = field.arguments.iter().filter_map(|(_, value)| {
                let constant = value.node.clone();
                let constant = constant.into_const_with(|_| Ok::<_, ()>(Value::Null));
                constant.as_ref().map(longest).ok()
            });
            arguments
                .max()
                .unwrap_or(0)
                .max(in_selection(&field.selection_set.node))
        }
        Selection::InlineFragment(fragment) => in_selection(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => 0,
    });
    lengths.max().unwrap_or(0)
}

fn longest(value: &Value) -> usize {
    match value {
        Value::List(items) => items
            .iter()
            .map(longest)
            .max()
            .unwrap_or(0)
            .max(items.len()),
        Value::Object(fields) => fields.values().map(longest).max().unwrap_or(0),
        _ => 0,
    }
}
