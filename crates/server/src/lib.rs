//! The embedded platform: the access-management part of Mondoo's GraphQL API in one SQLite file.
//!
//! It shares nothing with the client in this workspace on purpose: a wrong field name that both had
//! would be wrong on both sides, and every test would pass. Time is an argument everywhere; only the
//! socket shell ([`Running`]) has a clock. It prints nothing.
//!
//! A request goes `http` → [`App::serve_bytes`] → `auth` → [`App::handle`] → `graphql` →
//! `service` → `store`, and each of them can be entered without those before it.

mod admin;
mod app;
mod auth;
mod clock;
mod conduct;
mod core;
mod credential;
mod document;
mod door;
mod error;
mod exchange;
mod faults;
mod fetch;
mod graphql;
mod hash;
mod http;
mod identity;
mod ids;
mod jws;
mod keys;
mod oidc;
mod quirks;
mod reach;
mod roles;
mod rpc;
mod seed;
mod sender;
mod service;
mod status;
mod store;

pub use app::{App, BODY_LIMIT, Options, Storage};
pub use auth::Unauthenticated;
pub use clock::Clock;
pub use conduct::Conduct;
pub use credential::Credential;
pub use door::Patience;
pub use error::Error;
pub use exchange::{Reply, Request};
pub use faults::{Fault, Faults, Hanging, Rule};
pub use http::Running;
pub use identity::Identity;
pub use oidc::{DOCUMENT_LIMIT, FetchDocument};
pub use quirks::{
    ClearRoles, ConcurrentRoleWrites, DescriptionClear, DescriptionOnUpdate, EmptyDescription,
    EmptyRoles, EqualNames, Forbidden, HiddenSpaces, LabelsOmitted, LabelsOnCreate, LabelsOnUpdate,
    Quirks, TemporaryAccounts, TemporaryCreator,
};
pub use rpc::Call;
pub use seed::{
    Seed, SeedAccount, SeedGrant, SeedMember, SeedOrganization, SeedSpace, SeedTeam, SeedToken,
    SeedUser,
};
