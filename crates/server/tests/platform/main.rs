//! The embedded platform, as its clients meet it: over a real socket, with tokens signed by an
//! independent implementation, against the request texts of third-party clients. Only the program
//! that serves it is tested elsewhere, in the package that has it.

mod auth;
mod authority;
mod bounds;
mod client;
mod clock;
mod console;
mod docs;
mod faults;
mod federation;
mod go_client;
mod issuer;
mod matrix;
mod oracle;
mod pages;
mod protocol;
mod quirks;
mod requests;
mod rpc;
mod schema;
mod seeds;
mod storage;
mod terraform;
