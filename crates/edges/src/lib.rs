//! Where rolecall meets the outside: HTTP, private files, git's files, the client of Mondoo's API, and the stores in
//! which keys are kept. It knows no plan and no configuration.

pub mod credential_file;
pub mod forge;
pub mod git;
pub mod http;
pub mod identity_token;
pub mod platform;
pub mod private_file;
pub mod sinks;
pub mod yaml;

use rolecall_model::{echo, encoding, model, ports, review, secret};
