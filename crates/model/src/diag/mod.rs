//! Diagnostics: what is wrong, where, and the way out.
//!
//! Pure: values in, text out. It knows no language and no file system; of other modules it uses `echo`
//! alone, which says what must not be shown.

mod finding;
mod inert;
mod render;
mod source;
mod span;
mod suggest;

pub use finding::codes;
pub use finding::{Code, Diagnostic, Diagnostics, Label, Severity};
pub use inert::{acts, inert};
pub use render::{render, render_all};
pub use source::{Position, SourceMap};
pub use span::{FileId, Span};
pub use suggest::suggest;
