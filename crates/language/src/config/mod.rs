//! The configuration: texts to what is desired.
//!
//! Pure: whoever reads files and the environment hands over their contents. `parse` is offline and
//! checks form and names; `resolve` evaluates, with the values of variables; `validate` checks
//! types where values are not known.

mod accounts;
mod block;
mod blocks;
mod blocks_of;
mod checks;
pub mod codes;
mod decode;
mod files;
mod frames;
pub mod generate;
mod grammar;
mod graph;
mod hints;
mod imports;
mod instances;
mod law;
mod moves;
mod names;
mod parse;
mod policies;
mod policy_dir;
mod resolve;
mod roles;
mod schema;
mod scopes;
mod sealing;
mod settings;
mod sinks;
#[cfg(test)]
mod tests;
mod time;
mod told;
#[cfg(test)]
mod trial;
mod type_expr;
mod variables;
mod version;

pub use blocks_of::accounts_of;
pub use files::{
    FileKind, Selection, behind_links, file_kind, in_subfolders, select, terraform_variables,
};
pub use parse::{Module, SourceFile, parse};
pub use policies::{Exempt, Exemption, Policy, SUBJECT, unknown_subject};
pub use policy_dir::{Destinations, PolicyDir, policy_dir};
pub use resolve::{Resolved, Salvaged, resolve, salvage, sealing, validate};
pub use sealing::{HandOver, Sealing};
pub use sinks::DeclaredSinks;
pub use time::duration;
pub use variables::{Input, Origin};
