//! What rolecall speaks of: what is desired and live, marks, custody, destinations, findings about the
//! user's files, and the ports through which the rest reaches the outside.
//!
//! A package of its own so that whoever works above it does not build it again.

pub mod diag;
pub mod diff;
pub mod echo;
pub mod encoding;
pub mod model;
pub mod poll;
pub mod ports;
pub mod review;
pub mod secret;
