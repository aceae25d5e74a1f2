//! Where credentials are delivered: one file a kind of destination.
//! The only place besides the platform that sees a key.

mod content;
mod file;

pub use file::{FileSink, configure_hint, git_ignores, git_lines, path_of, shell_word};
