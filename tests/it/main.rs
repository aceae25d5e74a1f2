//! The integration tests: one binary, since each would link the whole world.

mod properties;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod simulation;
