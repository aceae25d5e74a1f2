//! Whose turn it is, where two runs meet.

use std::cell::Cell;

/// Who of two runs may go on: the first up to one of its calls, then the second up to one of its own, then the
/// first to its end, then the second.
pub struct Turns {
    phase: Cell<u8>,
    first: usize,
    second: usize,
}

impl Turns {
    pub fn new(first: usize, second: usize) -> Self {
        Self {
            phase: Cell::new(0),
            first,
            second,
        }
    }

    /// Whether a run may make its next call. Tells by the second value that the other's turn has come.
    pub fn may(&self, second: bool, number: usize) -> (bool, bool) {
        let next = |phase: u8| {
            self.phase.set(phase);
            (false, true)
        };
        match (second, self.phase.get()) {
            (false, 0) if number >= self.first => next(1),
            (true, 1) if number >= self.second => next(2),
            (false, 0 | 2) | (true, 1 | 3) => (true, false),
            _ => (false, false),
        }
    }

    /// A run is over.
    pub fn over(&self, second: bool) {
        match (second, self.phase.get()) {
            (false, _) => self.phase.set(3),
            (true, _) => self.phase.set(2),
        }
    }
}
