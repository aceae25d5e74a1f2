//! The GraphQL schema over the operations, and the form of answers.
//!
//! Names, nullability and input types follow the reference in `fixtures/schema/reference.graphql`.

mod agents;
mod auditlog;
mod context;
mod directory;
mod execute;
mod inputs;
mod leaves;
mod limits;
mod members;
mod mutation;
mod organizations;
mod people;
mod query;
mod settings;
mod teams;
mod tokens;
mod types;
mod variables;
mod wif;
mod workspaces;

pub(crate) use execute::{Platform, execute};
