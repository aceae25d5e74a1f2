//! The language of rolecall: HCL with its expressions and functions, and the blocks that say what is
//! desired. It reads texts; it talks to nobody.

pub mod config;
pub mod lang;

use rolecall_model::{diag, encoding, model};
