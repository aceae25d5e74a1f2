//! Whose turn it is, where two runs meet.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Who of two runs may go on: the first up to one of its calls, then the second up to one of its own, then the
/// first to its end, then the second.
pub struct Turns {
    phase: Cell<u8>,
    first: usize,
    second: usize,
    /// Who waits for another turn.
    waiting: RefCell<Vec<Waker>>,
}

impl Turns {
    pub fn new(first: usize, second: usize) -> Self {
        Self {
            phase: Cell::new(0),
            first,
            second,
            waiting: RefCell::default(),
        }
    }

    fn turn_to(&self, phase: u8) {
        self.phase.set(phase);
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// Whether a run may make its next call; the other's turn has come if it is at the one that it stops at.
    fn may(&self, second: bool, number: usize) -> bool {
        match (second, self.phase.get()) {
            (false, 0) if number >= self.first => self.turn_to(1),
            (true, 1) if number >= self.second => self.turn_to(2),
            _ => {}
        }
        matches!((second, self.phase.get()), (false, 0 | 2) | (true, 1 | 3))
    }

    /// Waits until a run may make its next call, which has the number that is told then.
    pub async fn wait(&self, second: bool, number: impl Fn() -> usize) {
        poll_fn(|context| match self.may(second, number()) {
            true => Poll::Ready(()),
            false => {
                self.waiting.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await;
    }

    /// A run is over.
    pub fn over(&self, second: bool) {
        match (second, self.phase.get()) {
            (false, _) => self.turn_to(3),
            (true, 1) => self.turn_to(2),
            (true, _) => {}
        }
    }
}
