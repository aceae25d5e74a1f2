//! The schema of all parts, and how a request is checked, run and answered.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
};

use async_graphql::{
    EmptySubscription, MergedObject, Name, PathSegment, SDLExportOptions, Schema, ServerError,
    Value, Variables, parser::types::ExecutableDocument,
};
use serde::Serialize;

use crate::{
    core::{Caller, Core},
    document,
    exchange::{Reply, Request},
};

use super::{
    agents, auditlog, directory, limits, mutation, organizations, people, query, teams, tokens,
    variables, wif, workspaces,
};

/// All queries.
#[derive(MergedObject, Default)]
struct Query(
    query::Query,
    agents::Query,
    auditlog::Query,
    directory::Query,
    organizations::Query,
    people::Query,
    teams::Query,
    tokens::Query,
    wif::Query,
    workspaces::Query,
);

/// All mutations.
#[derive(MergedObject, Default)]
struct Mutation(
    mutation::Mutation,
    agents::Mutation,
    directory::Mutation,
    organizations::Mutation,
    people::Mutation,
    teams::Mutation,
    tokens::Mutation,
    wif::Mutation,
    workspaces::Mutation,
);

/// The schema, and what is checked beside it.
pub(crate) struct Platform {
    schema: Schema<Query, Mutation, EmptySubscription>,
    types: variables::Types,
}

/// The deepest selection; introspection queries of common tools need 15.
const DEPTH: usize = 20;
/// The most errors of one refusal: a document of a megabyte holds a million mistakes.
const ERRORS: usize = 100;

impl Platform {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription)
            .data(core)
            .limit_depth(DEPTH)
            .limit_complexity(document::SIZE)
            .limit_directives(16)
            .disable_suggestions()
            .finish();
        let types = variables::Types::read(&schema.sdl());
        Self { schema, types }
    }

    pub(crate) fn sdl(&self) -> String {
        self.schema.sdl_with_options(
            SDLExportOptions::new()
                .sorted_fields()
                .sorted_arguments()
                .sorted_enum_items(),
        )
    }
}

/// Executes a request. Statuses and bodies are those of the platform's GraphQL library (gqlgen):
/// 422 if the document was refused before it ran, else 200.
pub(crate) fn execute(core: &Core, platform: &Platform, request: Request, caller: Caller) -> Reply {
    let Request {
        query,
        variables,
        operation_name,
    } = request;
    let operation_name = operation_name.filter(|name| !name.is_empty());
    let document = document::check_variables(&variables).and_then(|()| document::read(&query));
    let document = match document {
        Ok(document) => document,
        Err(error) => return refused(vec![error]),
    };
    let variables = Variables::from_json(variables);
    let errors = precheck(
        core,
        &platform.types,
        &document,
        operation_name.as_deref(),
        &variables,
    );
    if !errors.is_empty() {
        return refused(errors);
    }
    let mut call = async_graphql::Request::new(query)
        .variables(variables)
        .data(caller)
        .data(limits::Answered::default());
    if let Some(name) = operation_name {
        call = call.operation_name(name);
    }
    call.set_parsed_query(document);
    let mut response = drive(platform.schema.execute(call));
    // Only a resolver's error has a path.
    if !response.errors.is_empty() && response.errors.iter().all(|error| error.path.is_empty()) {
        return refused(response.errors);
    }
    for error in &response.errors {
        put_null(&mut response.data, &error.path);
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

/// Refuses what the library would let run: requests with too many root fields, with variables in
/// wrong places, or without one that must be there.
fn precheck(
    core: &Core,
    types: &variables::Types,
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    variables: &Variables,
) -> Vec<ServerError> {
    let mut operations = document.operations.iter();
    let operation = match operation_name {
        Some(wanted) => {
            operations.find(|(name, _)| name.is_some_and(|name| name.as_str() == wanted))
        }
        None => operations.next(),
    };
    let Some((_, operation)) = operation else {
        return Vec::new();
    };
    let count = operation.node.selection_set.node.items.len();
    if let Some(max) = core.quirks.root_fields_max
        && count > max
    {
        let message = format!("operation has {count} root fields, the limit is {max}");
        return vec![ServerError::new(message, Some(operation.pos))];
    }
    let length = limits::longest_list(document, variables);
    if length > limits::LIST {
        let message = format!("a list has {length} items, the limit is {}", limits::LIST);
        return vec![ServerError::new(message, Some(operation.pos))];
    }
    let misplaced = types.check(document, &operation.node);
    if !misplaced.is_empty() {
        return misplaced;
    }
    operation
        .node
        .variable_definitions
        .iter()
        .filter(|definition| {
            let definition = &definition.node;
            let given = variables.get(&definition.name.node);
            !definition.var_type.node.nullable
                && definition.default_value.is_none()
                && given.is_none_or(|value| *value == Value::Null)
        })
        .map(|definition| {
            let name = &definition.node.name.node;
            let message = format!("Variable \"${name}\" must be defined.");
            ServerError::new(message, Some(definition.pos))
        })
        .collect()
}

/// Puts the null that belongs where a field failed; the library leaves the field out.
fn put_null(data: &mut Value, path: &[PathSegment]) {
    let [segment, rest @ ..] = path else { return };
    match (data, segment) {
        (data @ Value::Null, PathSegment::Field(name)) => {
            *data = Value::Object([(Name::new(name), Value::Null)].into_iter().collect());
        }
        (Value::Object(object), PathSegment::Field(name)) => {
            match object.get_mut(name.as_str()) {
                // A null on the way is where the failure ended up.
                Some(Value::Null) => {}
                Some(inner) => put_null(inner, rest),
                None => {
                    object.insert(Name::new(name), Value::Null);
                }
            }
        }
        (Value::List(list), PathSegment::Index(index)) => {
            if let Some(inner) = list.get_mut(*index) {
                put_null(inner, rest);
            }
        }
        _ => {}
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<serde_json::Value>,
    data: &'a Value,
}

fn refused(errors: Vec<ServerError>) -> Reply {
    let errors = errors
        .into_iter()
        .take(ERRORS)
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
            data: &Value::Null,
        },
    )
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
