//! Whose turn it is, where two runs meet.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use super::chance::Chance;

/// Who of two runs may go on.
pub struct Turns {
    order: Order,
    /// Who waits for another turn.
    waiting: RefCell<Vec<Waker>>,
}

enum Order {
    /// The first up to one of its calls, then the second up to one of its own, then the first to its end, then the
    /// second.
    Twice {
        phase: Cell<u8>,
        first: usize,
        second: usize,
    },
    /// Now one and now the other.
    Chance {
        chance: Chance,
        second: Cell<bool>,
        /// One of them is over.
        alone: Cell<bool>,
    },
}

impl Turns {
    pub fn new(first: usize, second: usize) -> Self {
        Self {
            order: Order::Twice {
                phase: Cell::new(0),
                first,
                second,
            },
            waiting: RefCell::default(),
        }
    }

    pub fn by_chance(chance: Chance) -> Self {
        Self {
            order: Order::Chance {
                chance,
                second: Cell::new(false),
                alone: Cell::new(false),
            },
            waiting: RefCell::default(),
        }
    }

    fn wake(&self) {
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// Whether a run may make its next call; the other's turn has come if it is at the one that it stops at.
    fn may(&self, by: bool, number: usize) -> bool {
        match &self.order {
            Order::Twice {
                phase,
                first,
                second,
            } => {
                let next = match (by, phase.get()) {
                    (false, 0) if number >= *first => Some(1),
                    (true, 1) if number >= *second => Some(2),
                    _ => None,
                };
                if let Some(next) = next {
                    phase.set(next);
                    self.wake();
                }
                matches!((by, phase.get()), (false, 0 | 2) | (true, 1 | 3))
            }
            Order::Chance { alone, .. } if alone.get() => true,
            Order::Chance { second, .. } if second.get() != by => false,
            Order::Chance { chance, second, .. } => {
                if chance.one_in(5) {
                    second.set(!by);
                    self.wake();
                }
                true
            }
        }
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
    pub fn over(&self, by: bool) {
        match &self.order {
            Order::Twice { phase, .. } => match (by, phase.get()) {
                (false, _) => phase.set(3),
                (true, 1) => phase.set(2),
                (true, _) => {}
            },
            Order::Chance { alone, .. } => alone.set(true),
        }
        self.wake();
    }
}
