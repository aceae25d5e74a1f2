//! The client of a code host: one folder a host. It reads what the host says of requests, reviews and runs, writes
//! comments and statuses, and decides nothing: what counts is decided in `review`.
//! A token goes to the API that it came with, and nowhere else.

mod error;
pub mod github;
mod wire;
mod zip;

pub use error::{ForgeError, ForgeErrorKind};
pub use wire::{ForgeObserver, ForgeRequest, Means};
