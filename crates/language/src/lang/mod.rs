//! HCL: syntax, values, and the evaluation of expressions.
//!
//! Pure: text in, values and diagnostics out. It knows no blocks of the configuration, no files,
//! no clock and no environment.

pub mod codes;
mod compare;
pub mod convert;
mod deferred;
pub mod eval;
pub mod frame;
pub mod functions;
mod number;
pub mod refs;
pub mod syntax;
pub mod types;
pub mod value;

pub use deferred::Deferred;
pub use eval::{Evaluator, Failed};
pub use frame::{Frame, Names, Slot};
pub use number::Number;
pub use syntax::SyntaxTree;
pub use types::Type;
pub use value::{Kind, RefKind, Reference, Value};
