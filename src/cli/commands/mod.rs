//! The commands, one file each.

pub mod apply;
pub mod check;
pub mod completions;
pub mod credential;
pub mod docs;
pub mod init;
pub mod list;
pub mod man;
pub mod plan;
pub mod platform;
pub mod revoke;
pub mod roles;
pub mod rotate;
pub mod seal;
pub mod show;
pub mod validate;
pub mod verify;
