//! Shows plans and outcomes to people.
//! Every string that came from the platform or the configuration goes through [`inert()`].

pub mod human;
mod inert;

pub use inert::inert;
