//! Seeds: organizations, spaces, members and accounts that a platform starts with.

mod bind;
mod dump;
mod form;
mod generate;
mod plant;
mod teams;
mod times;

pub(crate) use bind::bind;
pub use form::{
    Seed, SeedAccount, SeedGrant, SeedMember, SeedOrganization, SeedSpace, SeedTeam, SeedToken,
    SeedUser,
};
pub(crate) use plant::{account, token, user};
