//! The integration tests: one binary, since each would link the whole world.

#[cfg(feature = "server")]
mod aws;
#[cfg(feature = "server")]
mod azure;
mod bad_days;
#[cfg(feature = "server")]
mod begun;
#[cfg(feature = "server")]
mod births;
#[cfg(feature = "server")]
mod check;
#[cfg(feature = "server")]
mod checkouts;
#[cfg(feature = "server")]
mod commands;
mod compatibility;
#[cfg(feature = "server")]
mod custody;
mod dependencies;
mod documents;
mod environment;
#[cfg(feature = "server")]
mod examples;
#[cfg(feature = "server")]
mod exec;
#[cfg(feature = "server")]
mod formats;
mod fuzz;
#[cfg(feature = "server")]
mod gcp;
#[cfg(feature = "server")]
mod github;
#[cfg(feature = "server")]
mod gitlab;
#[cfg(feature = "server")]
mod guides;
#[cfg(feature = "server")]
mod holes;
#[cfg(feature = "server")]
mod hostile;
#[cfg(feature = "server")]
mod keyless;
#[cfg(feature = "server")]
mod keys;
#[cfg(feature = "server")]
mod killed;
mod language;
mod literals;
#[cfg(feature = "server")]
mod log;
#[cfg(feature = "server")]
mod outputs;
#[cfg(feature = "server")]
mod policies;
mod properties;
#[cfg(feature = "server")]
mod records;
mod renew;
#[cfg(feature = "server")]
mod review;
#[cfg(feature = "server")]
mod reviewed;
#[cfg(feature = "server")]
mod reviewing;
#[cfg(feature = "server")]
mod revoke;
#[cfg(feature = "server")]
mod rotation;
#[cfg(feature = "server")]
mod rotations;
mod samples;
#[cfg(feature = "server")]
mod scopes;
#[cfg(feature = "server")]
mod scripts;
#[cfg(feature = "server")]
mod seal;
#[cfg(feature = "server")]
mod seal_keys;
#[cfg(feature = "server")]
mod served;
#[cfg(feature = "server")]
mod simulation;
#[cfg(feature = "server")]
mod spilled;
#[cfg(feature = "server")]
mod stage;
#[cfg(feature = "server")]
mod stores;
#[cfg(feature = "server")]
mod surroundings;
#[cfg(feature = "server")]
mod told;
#[cfg(feature = "server")]
mod transcripts;
#[cfg(feature = "server")]
mod workflows;
#[cfg(feature = "server")]
mod year;
