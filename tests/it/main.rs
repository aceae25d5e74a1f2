//! The integration tests: one binary, since each would link the whole world.

#[cfg(feature = "server")]
mod commands;
mod documents;
#[cfg(feature = "server")]
mod examples;
mod language;
mod properties;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod stage;
#[cfg(feature = "server")]
mod transcripts;
