//! The Mondoo client: operations (pure) over a transport (I/O), login, retry.
//! Decides nothing about accounts; it tells what the platform says and whether a write happened.

mod auth;
mod certificate;
mod client;
mod credential;
mod decode;
mod discovery;
mod endpoint;
mod exchange;
mod failure;
#[cfg(test)]
mod fixture;
mod inspect;
mod operation;
mod proxy;
mod session;
mod spent;
mod transport;
mod unusable;
mod workload;

pub use auth::{Identity, KeyError, ServiceAccount};
pub use certificate::Certificate;
pub use client::Client;
pub use credential::Credential;
pub use discovery::{
    Environment, Login, LoginError, Source, Wanted, discover, endpoint, precedence, raw,
};
pub use endpoint::{Endpoint, EndpointError};
pub use exchange::{Exchange, Observer};
pub use inspect::{Inspected, RawCredential};
pub use operation::documents;
pub use session::Outlet;
pub use transport::{Http, Transport};
pub use unusable::CredentialError;
pub use workload::Workload;
