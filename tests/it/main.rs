//! x
#[cfg(feature = "server")]
mod server;
