//! The integration tests: one binary, since each would link the whole world.

mod language;
mod properties;
#[cfg(feature = "server")]
mod server;
