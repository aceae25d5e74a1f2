//! What a reviewer is told of a plan, whatever the form: what is alike in one entry, the grave first.
//! Pure. Every text that it gives is harmless on a terminal; each form sees to its own marks.

mod alike;
pub mod blocks;
mod entry;
mod fields;
mod kind;
mod look;
mod natural;
mod renamed;
mod scopes;
mod section;
pub mod words;

pub use entry::{Entry, entries};
pub use fields::Field;
pub use kind::{Kind, counts, escalations, owners, summary};
pub use look::{Look, without_names};
pub use renamed::renamed;
pub use scopes::named;
pub use section::Section;
