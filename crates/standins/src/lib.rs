//! Small servers that answer as stores of secrets do, for tests. Each holds to what its vendor publishes, and
//! is driven by a client of the vendor's own before anything of rolecall's is tried on it.
//! `git` makes small repositories. Nothing here is shipped.

mod amazon;
pub mod aws;
pub mod azure;
pub mod gcp;
pub mod git;
pub mod github;
pub mod gitlab;
pub mod hub;
pub mod kubernetes;
pub mod parameters;
mod serve;
pub mod settings;
pub mod vault;
pub mod zip;

pub use serve::{Call, Reply, Running, Standin, serve};
