//! What those who send requests know of time.
//! The real clock stands in the shell alone.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// A wait under way.
pub type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A clock, and a way to wait.
#[derive(Clone)]
pub struct Time {
    /// The local clock.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Waits.
    pub sleep: Arc<dyn Fn(Duration) -> Pause + Send + Sync>,
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time")
    }
}
