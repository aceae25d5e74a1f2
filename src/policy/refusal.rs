//! Why a plan is refused.
//! Values only.

use crate::plan::{JudgedAccount, PolicyInfo};

/// Why a plan must not be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The guard's name.
    pub guard: &'static str,
    /// What it found, a full sentence.
    pub message: String,
    /// The way out, a full sentence.
    pub help: String,
    /// Whether the plan itself is in order, and only this run may not apply it: an
    /// acknowledgement or a key is missing.
    pub apply_only: bool,
    /// The policy that is broken and the account that breaks it, if it is about such.
    pub broken: Option<Box<Broken>>,
}

/// A policy and an account that breaks it, or of which it cannot tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The policy.
    pub policy: PolicyInfo,
    /// The account.
    pub account: JudgedAccount,
}

/// A number of things.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}
