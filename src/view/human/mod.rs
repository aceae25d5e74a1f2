//! The forms for people: plan and outcome as text with colours. The shell strips the colours where
//! they are not wanted.

mod outcome;
mod plan;
mod text;

pub use outcome::{event, outcome};
pub use plan::{plan, refusals};
pub use text::count;
