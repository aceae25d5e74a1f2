//! Access as code for Mondoo Platform.
//!
//! HCL files declare service accounts and their roles; rolecall reads what is live, shows the
//! difference as a plan, and applies it. The flow goes one way:
//!
//! ```text
//! HCL files ─config::parse─▶ Module + Queries ─refresh─▶ Facts + Live ─config::resolve─▶ Desired
//! Desired × Live ─diff─▶ Delta ─plan::build─▶ Plan ─policy::approve─▶ ApprovedPlan ─apply─▶ Outcome
//! ```
//!
//! Which module may use which is a table in `tests/architecture`.

pub mod apply;
pub mod check;
pub mod cli;
pub mod config;
pub mod credential_file;
pub mod diag;
pub mod diff;
pub mod echo;
pub mod encoding;
pub mod http;
pub mod lang;
pub mod model;
pub mod plan;
pub mod platform;
pub mod policy;
pub mod poll;
pub mod ports;
pub mod private_file;
pub mod record;
pub mod refresh;
pub mod secret;
pub mod sinks;
pub mod view;
pub mod yaml;
