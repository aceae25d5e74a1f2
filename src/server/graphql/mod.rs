//! The GraphQL schema over the operations, and the form of answers.
//!
//! Names, nullability and input types follow the reference in `fixtures/schema/reference.graphql`.

mod inputs;
mod mutation;
mod query;
mod settings;
mod types;

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
};

use async_graphql::{Context, EmptySubscription, SDLExportOptions, Schema, ServerError, Variables};
use serde::Serialize;

use super::{
    core::{Caller, Core},
    exchange::{Reply, Request},
};

pub(crate) type PlatformSchema = Schema<query::Query, mutation::Mutation, EmptySubscription>;

/// The deepest selection; introspection queries of common tools need 15.
const DEPTH: usize = 20;
/// The most fields in one request, so that aliases cannot multiply work without end.
const COMPLEXITY: usize = 8_000;

pub(crate) fn schema(core: Arc<Core>) -> PlatformSchema {
    Schema::build(query::Query, mutation::Mutation, EmptySubscription)
        .data(core)
        .limit_depth(DEPTH)
        .limit_complexity(COMPLEXITY)
        .limit_directives(16)
        .disable_suggestions()
        .finish()
}

pub(crate) fn sdl(schema: &PlatformSchema) -> String {
    schema.sdl_with_options(
        SDLExportOptions::new()
            .sorted_fields()
            .sorted_arguments()
            .sorted_enum_items(),
    )
}

fn core_of<'a>(context: &Context<'a>) -> async_graphql::Result<&'a Core> {
    context.data::<Arc<Core>>().map(|core| core.as_ref())
}

fn caller_of<'a>(context: &Context<'a>) -> async_graphql::Result<&'a Caller> {
    context.data::<Caller>()
}

/// Executes a request. Statuses and bodies are those of the platform's GraphQL library (gqlgen):
/// 422 if the document was refused before it ran, else 200.
pub(crate) fn execute(
    core: &Core,
    schema: &PlatformSchema,
    request: Request,
    caller: Caller,
) -> Reply {
    if let Some(max) = core.quirks.root_fields_max
        && let Some(count) = root_fields(&request.query)
        && count > max
    {
        let message = format!("operation has {count} root fields, the limit is {max}");
        return refused(vec![ServerError::new(message, None)]);
    }
    let mut call = async_graphql::Request::new(request.query)
        .variables(Variables::from_json(request.variables))
        .data(caller);
    if let Some(name) = request.operation_name.filter(|name| !name.is_empty()) {
        call = call.operation_name(name);
    }
    let response = drive(schema.execute(call));
    // Only a resolver's error has a path.
    if !response.errors.is_empty() && response.errors.iter().all(|error| error.path.is_empty()) {
        return refused(response.errors);
    }
    let errors: Vec<_> = response
        .errors
        .iter()
        .map(|error| serde_json::json!({ "message": error.message, "path": error.path }))
        .collect();
    Reply::json(
        200,
        &Body {
            errors,
            data: &response.data,
        },
    )
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<serde_json::Value>,
    data: &'a async_graphql::Value,
}

fn refused(errors: Vec<ServerError>) -> Reply {
    let errors = errors
        .into_iter()
        .map(|error| {
            let parse = error.message.starts_with(" --> ");
            let code = if parse {
                "GRAPHQL_PARSE_FAILED"
            } else {
                "GRAPHQL_VALIDATION_FAILED"
            };
            let message = match error.message.strip_prefix("Unknown field ") {
                Some(rest) => format!("Cannot query field {rest}"),
                None => error.message,
            };
            let mut object = serde_json::json!({
                "message": message,
                "extensions": { "code": code },
            });
            if !error.locations.is_empty() {
                object["locations"] = error
                    .locations
                    .iter()
                    .map(|at| serde_json::json!({ "line": at.line, "column": at.column }))
                    .collect();
            }
            object
        })
        .collect();
    Reply::json(
        422,
        &Body {
            errors,
            data: &async_graphql::Value::Null,
        },
    )
}

/// How many fields the document's operations select at their root; `None` if it does not parse.
fn root_fields(query: &str) -> Option<usize> {
    let document = async_graphql::parser::parse_query(query).ok()?;
    document
        .operations
        .iter()
        .map(|(_, o)| o.node.selection_set.node.items.len())
        .max()
}

/// Runs a future that never waits for anything outside of itself, as the resolvers here do: when
/// it is pending it only asks for its next turn.
fn drive<F: Future>(future: F) -> F::Output {
    let mut context = TaskContext::from_waker(Waker::noop());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
