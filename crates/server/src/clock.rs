//! What tells the time. Everything below the socket shell takes a time as an argument; the shell
//! asks a clock, and whoever starts it says which.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time of the socket shell.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
