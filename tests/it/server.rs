//! The embedded platform, as its clients meet it: over a real socket, with tokens signed by an
//! independent implementation, against the request texts of third-party clients.

mod auth;
mod authority;
mod client;
mod docs;
mod faults;
mod kill;
mod pages;
mod protocol;
mod quirks;
mod requests;
mod schema;
mod seeds;
mod storage;
