//! The forms for people: plan and outcome as text with colours. The shell strips the colours where
//! they are not wanted.

mod check;
mod credential;
mod keys;
mod list;
mod obstacle;
mod outcome;
mod plan;
mod refusal;
mod revocation;
mod roles;
mod shown;
mod standing;
mod table;
mod text;

pub use check::check;
pub use credential::facts;
pub use list::{Listed, list, show};
pub use outcome::{event, next, outcome, rest};
pub use plan::plan;
pub use refusal::refusals;
pub use revocation::{revocation, revoked};
pub use roles::{roles, roles_page};
pub use shown::shown;
pub use text::count;
