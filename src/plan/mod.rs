//! The plan: ordered, complete, reasoned changes, and the digest that names it.
//! Pure. A plan says everything; apply chooses nothing.

mod advice;
mod ask;
mod build;
mod canonical;
mod change;
mod clean_up;
mod compare;
mod contents;
mod extent;
mod file;
mod judgement;
mod lint;
mod neighbours;
mod once;
mod owners;
mod past;
mod privilege;
mod renames;
mod rest;
mod revocation;
mod settled;

pub use crate::diff::{
    Action, Blocked, Difference, Expired, Generation, Held, InFlight, Leaving, LeftAlone, Obstacle,
    Predecessor, Reason, Revoked, Standing, Undelivered,
};
pub use advice::standing;
pub use ask::{Answers, Questions};
pub use build::build;
pub use canonical::FORMAT;
pub use change::{Change, Step};
pub use clean_up::Unused;
pub use compare::{Moved, compare, without_moved};
pub use contents::{Annex, Contents, OwnersLeft};
pub use extent::{extent, in_gone};
pub use file::{FileError, read, write};
pub use judgement::{Case, Idle, JudgedAccount, Judgement, PolicyInfo, Said, Text};
pub use lint::{Finding, Rule, lint};
pub use owners::{disowned, owned_less};
pub use past::{LastDeclared, Past, takes};
pub use privilege::{Exposure, Privilege, Verdict, may, power};
pub use rest::{Rest, rest};
pub use revocation::{Remains, remains, revocation};
pub use settled::Plan;

#[cfg(test)]
mod tests;
