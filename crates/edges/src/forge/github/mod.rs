//! GitHub: what it says of pull requests, reviews and runs, and what is written there.
//! Decides nothing.
//!
//! Source: GitHub's OpenAPI description of its REST API (`@octokit/openapi`), and `viewer` of its GraphQL API.

mod answer;
mod api;
mod requests;
mod runs;
#[cfg(test)]
mod tests;
mod writes;

pub use api::Github;
pub use runs::Files;
