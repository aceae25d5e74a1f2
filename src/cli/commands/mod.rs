//! The commands, one file each.

pub mod apply;
pub mod approved;
pub mod check;
pub mod comment;
pub mod completions;
pub mod configurations;
pub mod credential;
pub mod docs;
pub mod gate;
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
pub mod verdict;
pub mod verify;
