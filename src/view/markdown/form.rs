//! How a plan is shown as Markdown: how much of it, how long, and what is decided of it. Values alone.

use crate::policy::Refusal;
use crate::view::review::Look;

/// The most that a comment takes on GitHub that is a check run's text as well, in bytes, with room for a heading. A comment may have
/// 65,536 characters, and each has a byte at least. Source: "Create an issue comment" and "Create a check run"
/// in GitHub's description of its REST API, by which a check run's text has 65,535 characters at most; that
/// bytes are meant is told in github/docs#35252.
pub const COMMENT: usize = 65_535 - 1_535;

/// The most that the summary of one step takes on GitHub, in bytes; of more nothing is shown. Source: "Step
/// isolation and limits" in GitHub's documentation of workflow commands.
pub const STEP_SUMMARY: usize = 1 << 20;

/// The least that a body is made for, in bytes: what is never left out has room.
pub const LEAST: usize = 6_000;

/// What is decided of a plan.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'a> {
    /// The objections of guards; without any, it may be applied.
    Guards(&'a [Refusal]),
    /// Something moved since it was reviewed, so that it is another plan.
    Moved,
}

/// How a plan is shown.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// How much of it.
    pub look: Look,
    /// Nothing but what is done in numbers, what is decided, and the digest.
    pub numbers: bool,
    /// The most that it may take, in bytes; what is less than [`LEAST`] counts as that.
    pub limit: usize,
}
