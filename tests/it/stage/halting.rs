//! A store that leaves one request without an answer, for tests that kill who waits for it.

use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use rolecall_standins::{Call, Reply, Standin};

/// Long enough for the slowest machine; nothing waits for it unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// The request that is left without an answer.
pub struct Halt {
    /// Which it is; asked of each.
    pub at: Box<dyn FnMut(&Call) -> bool + Send>,
    /// Whether its effect comes.
    pub done: bool,
    /// Is told of it once it has come.
    pub told: Sender<Call>,
    /// Is closed once nobody waits for the answer any more.
    pub gone: Receiver<()>,
}

/// A store of which one request may be left without an answer.
pub struct Halting<S> {
    /// The store itself.
    pub held: S,
    pub halt: Option<Halt>,
}

impl<S> Halting<S> {
    pub fn of(held: S) -> Self {
        Self { held, halt: None }
    }
}

impl<S: Standin> Standin for Halting<S> {
    fn answer(&mut self, call: &Call) -> Reply {
        let Some(halt) = self.halt.take_if(|halt| (halt.at)(call)) else {
            return self.held.answer(call);
        };
        if halt.done {
            self.held.answer(call);
        }
        let _ = halt.told.send(call.clone());
        let _ = halt.gone.recv_timeout(PATIENCE);
        Reply::cut()
    }
}
