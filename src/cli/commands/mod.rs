//! The commands, one file each.

pub mod apply;
pub mod completions;
pub mod man;
pub mod plan;
pub mod platform;
pub mod validate;
