//! Where credentials are delivered: one file a kind of destination.
//! The only place besides the platform that sees a key.

mod content;
mod file;

pub use file::{FileSink, configure_hint, path_of, shell_word};
