//! Shows plans and outcomes to people and to programs.
//! Every string from the platform or the configuration goes through [`inert()`] on its way to people;
//! [`json`] escapes what would act.

pub mod annotations;
pub mod human;
mod inert;
pub mod json;
pub mod junit;
pub mod markdown;
mod review;
pub mod sarif;

pub use inert::{inert, inert_hcl};
pub use review::{Look, summary};
