//! The form for places where a plan is talked about: Markdown as GitHub and GitLab read it, within the size
//! that they take.
//! Pure. Every foreign text stands in a code span; no line begins with one.

mod body;
mod code;
mod form;
mod outcome;
mod parts;
mod room;
mod status;

pub use body::body;
pub use form::{COMMENT, Decision, Form, LEAST, STEP_SUMMARY};
pub use outcome::outcome;
pub use status::status;

#[cfg(test)]
mod tests;
