//! Storage: one SQLite file, durable at every commit.
//!
//! Holds rows and finds them; decides nothing. Rows of accounts and bindings carry the time span
//! in which they were the truth, so that reads can be answered as of an earlier moment.

mod accounts;
mod audit;
mod column;
mod database;
pub(crate) mod iam;
mod layout;
mod moment;
mod objects;
mod schema;
mod scopes;

pub(crate) use accounts::{Account, AccountFilter, AccountSort, SortField, SortKey};
pub(crate) use audit::{Entry, Filter};
pub(crate) use column::Label;
pub(crate) use database::{Store, meta_get, meta_set};
pub(crate) use iam::{Member, Token, User};
pub(crate) use moment::Moment;
pub(crate) use objects::Object;
pub(crate) use scopes::Scope;
