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
pub mod plan;
pub mod policy;
pub mod record;
pub mod refresh;
pub mod view;

pub use rolecall_edges::{
    credential_file, forge, git, http, identity_token, platform, private_file, sinks, yaml,
};
pub use rolecall_language::{config, lang};
pub use rolecall_model::{diag, diff, echo, encoding, model, poll, ports, review, secret};
