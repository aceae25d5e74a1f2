//! HTTP for all that talk to the network: one client an origin, proxies, authorities, retry by effect.
//! Sends once, follows nothing, gives up in time; knows nothing of what is said.

mod cause;
mod client;
mod exchange;
mod foreign;
mod proxy;
mod retry;
mod time;

pub use cause::Words;
pub use client::{Client, Settings, SetupError, holds_certificate};
pub use exchange::{Answer, Failure, FailureKind, Header, Method, Request};
pub use foreign::{WITHHELD, excerpt, is_page, repeats, without_token};
pub use proxy::{Proxy, ProxyError, is_loopback};
pub use retry::{Again, Retry, Tries, Verdict};
pub use time::{Pause, Time};
