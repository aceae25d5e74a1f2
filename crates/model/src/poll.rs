//! Looking again and again until something shows, over ports alone.

use std::time::Duration;

use crate::ports::Clock;

/// The pauses between two looks: each is twice as long as the one before, up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Pauses {
    /// For what mostly shows within a second.
    pub const SHORT: Self = Self {
        first: Duration::from_millis(100),
        longest: Duration::from_secs(4),
    };
    /// For what is asked of many things at once.
    pub const LONG: Self = Self {
        first: Duration::from_millis(200),
        longest: Duration::from_secs(4),
    };
}

/// Looks until there is something, and gives it; `None` once `patience`, asked after each look with
/// what passed since `start` on the clock, is over. Always looks once.
pub async fn poll<T>(
    clock: &impl Clock,
    pauses: Pauses,
    start: Duration,
    patience: impl Fn() -> Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let Pauses { first, longest } = pauses;
    let mut pause = first.min(longest);
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if clock.elapsed().saturating_sub(start) >= patience() {
            return None;
        }
        clock.sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[derive(Default)]
    struct Watch {
        now: Cell<Duration>,
        slept: RefCell<Vec<Duration>>,
    }

    impl Clock for Watch {
        async fn sleep(&self, duration: Duration) {
            self.now.set(self.now.get() + duration);
            self.slept.borrow_mut().push(duration);
        }

        fn elapsed(&self) -> Duration {
            self.now.get()
        }
    }

    const PAUSES: Pauses = Pauses {
        first: SECOND,
        longest: Duration::from_secs(4),
    };

    #[tokio::test]
    async fn pauses_double_up_to_a_limit_and_end_with_the_patience() {
        let (watch, looks) = (Watch::default(), Cell::new(0));
        let start = Duration::from_secs(100);
        watch.now.set(start);
        let found = poll(
            &watch,
            PAUSES,
            start,
            || 15 * SECOND,
            async || {
                looks.set(looks.get() + 1);
                None::<()>
            },
        );
        assert_eq!(found.await, None);
        let expected = [1, 2, 4, 4, 4].map(|seconds| seconds * SECOND);
        assert_eq!(*watch.slept.borrow(), expected);
        assert_eq!(looks.get(), expected.len() + 1);
    }

    #[tokio::test]
    async fn what_shows_ends_it_and_patience_is_asked_anew() {
        let watch = Watch::default();
        let mut looks = 0;
        let found = poll(
            &watch,
            PAUSES,
            Duration::ZERO,
            || 60 * SECOND,
            async || {
                looks += 1;
                (looks == 3).then_some("it")
            },
        );
        assert_eq!(found.await, Some("it"));
        assert_eq!(*watch.slept.borrow(), [SECOND, 2 * SECOND]);

        // Somebody asks to stop while it waits.
        let watch = Watch::default();
        let patience = || {
            if watch.now.get() < 5 * SECOND {
                60 * SECOND
            } else {
                SECOND
            }
        };
        let found = poll(
            &watch,
            PAUSES,
            Duration::ZERO,
            patience,
            async || None::<()>,
        );
        assert_eq!(found.await, None);
        assert_eq!(*watch.slept.borrow(), [SECOND, 2 * SECOND, 4 * SECOND]);

        // Without patience it looks once and does not wait.
        let watch = Watch::default();
        let found = poll(
            &watch,
            PAUSES,
            Duration::ZERO,
            || Duration::ZERO,
            async || Some(1),
        );
        assert_eq!(found.await, Some(1));
        let found = poll(
            &watch,
            PAUSES,
            Duration::ZERO,
            || Duration::ZERO,
            async || None::<()>,
        );
        assert_eq!(found.await, None);
        assert!(watch.slept.borrow().is_empty());
    }
}
