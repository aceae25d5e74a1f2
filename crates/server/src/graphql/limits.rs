//! Limits that the library does not have: how long a list in a request may be, and how much lists
//! within lists may answer.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{
    Context, Result, SelectionField, Value, Variables,
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};

use crate::{
    core::{Caller, Core},
    status::Status,
};

use super::context::{caller_of, core_of};

/// The longest list, in variables or in the document. No real limit is published; this one keeps
/// a single request from holding the database for long.
pub(super) const LIST: usize = 5_000;

/// The most values that lists within lists may answer to one request: a space leads back to its
/// organization, and so to all its spaces.
const VALUES: usize = 250_000;

/// What a request's lists have answered so far.
#[derive(Default)]
pub(super) struct Answered(AtomicUsize);

/// Reads a list that other lists may lead to, and counts its values.
///
/// # Errors
/// It cannot be read, or the request has had its share.
pub(super) fn list<T>(
    context: &Context<'_>,
    read: impl FnOnce(&Core, &Caller) -> Result<T, Status>,
    items: impl FnOnce(&T) -> usize,
) -> Result<T> {
    // Even one that is empty costs its reading.
    count(context, 1)?;
    let found = read(core_of(context)?, caller_of(context)?)?;
    count(context, items(&found))?;
    Ok(found)
}

/// Counts so many items, with all that is selected of each.
fn count(context: &Context<'_>, items: usize) -> Result<()> {
    fn size(field: SelectionField<'_>) -> usize {
        1 + field.selection_set().map(size).sum::<usize>()
    }
    let more = items.saturating_mul(size(context.field()));
    let before = context
        .data::<Answered>()?
        .0
        .fetch_add(more, Ordering::Relaxed);
    if before.saturating_add(more) > VALUES {
        return Err(format!("the lists of this request have more than {VALUES} values").into());
    }
    Ok(())
}

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
